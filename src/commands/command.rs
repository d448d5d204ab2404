//! A row of the table of commands: a description with its handler.
//!
//! A row is written as a chain that begins with [`command`]: name, function, arity and flags, then keys, summary and the rest.

pub use super::context::Handler;
pub use super::description::{Begin, Find, Group, KeyFinder, KeySpec, categories, flags, key_flags};
use super::description::{Description, describe};

/// One command, or one subcommand of one.
pub type Command = Description<Handler>;

/// Begins a row of the table.
pub const fn command(name: &'static str, handler: Handler, arity: i32, flags: u64) -> Command {
    describe(name, handler, arity, flags)
}
