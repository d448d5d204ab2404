//! Every command: what it is called, what it takes, and what it does.
//!
//! [`command`] says how a command is described, [`registry`] finds one by name, [`context`] is what one is given;
//! beside them is one file a group, which ends in the group's rows of the table.

pub mod client;
pub mod command;
pub mod config;
pub mod connection;
pub mod context;
mod help;
pub mod introspection;
pub mod key_extraction;
pub mod registry;
pub mod strings;
pub mod transactions;

/// The manual of the commands.
pub use introspection::docs;
/// The notation of arguments.
pub use introspection::syntax;

pub use command::{Command, flags};
pub use context::{Ctx, Effect, Outcome};
pub use registry::{CommandId, Registry};

/// Every group's rows: the one table that dispatch, COMMAND, key extraction and the documentation read.
pub static TABLE: &[&[Command]] =
    &[strings::COMMANDS, connection::COMMANDS, client::COMMANDS, config::COMMANDS, introspection::COMMANDS, transactions::COMMANDS];
