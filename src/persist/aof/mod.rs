//! The append-only file: bytes in, bytes out. Its directory holds a manifest that names the files; a base, which is the data at a moment (RDB or
//! commands); and increments, the commands since then, in order.

pub mod annotations;
pub mod check;
pub mod commands;
pub mod manifest;
