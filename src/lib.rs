//! solod: a Redis-compatible in-memory data server.
#![deny(unsafe_code)]

pub mod commands;
pub mod config;
pub mod data;
pub mod keyspace;
pub mod resp;
pub mod state;
