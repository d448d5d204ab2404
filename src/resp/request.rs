//! Requests, RESP arrays and inline lines, parsed into ranges of the buffer they came in: no copy, no allocation a command.
//!
//! The parser keeps its place between calls, so bytes may arrive in any split, and the work of a call is in proportion to the bytes that are new. Arguments
//! of [`BIG_ARG`] bytes and more that are not all there yet get a buffer of their own, into which the socket is read and which the keyspace then adopts.

mod args;
mod error;
mod filling;
mod input;
mod limits;
mod parser;

pub use args::{Args, OwnedArgs, Request};
pub use error::ProtocolError;
pub use input::InputBuffer;
pub use limits::{BIG_ARG, INLINE_LIMIT, PIECE_MAX, RequestLimits};
pub use parser::{Parser, SplitArgs};

#[cfg(test)]
mod tests;
