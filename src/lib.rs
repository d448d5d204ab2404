//! solod: a Redis-compatible in-memory data server.
#![deny(unsafe_code)]

pub mod alloc;
pub mod commands;
pub mod config;
pub mod data;
pub mod engine;
pub mod fuzz;
pub mod keyspace;
pub mod persist;
pub mod reactor;
pub mod resp;
pub mod state;
