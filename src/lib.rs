//! solod: a Redis-compatible in-memory data server.
#![deny(unsafe_code)]

pub mod config;
