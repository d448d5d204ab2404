//! The append-only file: bytes in, bytes out.

pub mod annotations;
pub mod commands;
