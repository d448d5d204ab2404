//! Every command: what it is called, what it takes, and what it does.
//!
//! [`description`] says what a command is, [`registry`] finds one by name, [`context`] is what one is given, [`command`] makes a row of all that;
//! beside them is one file a group, which ends in the group's rows of the table.
//!
//! ```
//! use solod::commands::{Registry, TABLE, flags};
//!
//! let registry = Registry::new(TABLE);
//! let set = registry.get(registry.find(b"SeT").unwrap());
//! assert_eq!((set.name, set.arity), ("set", -3));
//! assert!(set.flags & flags::WRITE != 0);
//! ```

pub mod acl;
pub mod bitmaps;
pub mod blocking;
pub mod client;
pub mod cluster;
pub mod command;
pub mod config;
pub mod connection;
pub mod context;
pub mod deadline;
pub mod description;
pub mod dump;
pub mod failover;
pub mod functions;
pub mod geo;
pub mod hashes;
mod help;
pub mod hyperloglog;
pub mod introspection;
pub mod key_extraction;
pub mod keys;
pub mod lists;
pub mod migrate;
pub mod permissions;
mod popargs;
pub mod pubsub;
pub mod registry;
pub mod replication;
#[cfg(test)]
mod rows;
mod sampling;
pub mod scanning;
pub mod scripting;
pub mod server;
pub mod sets;
pub mod sort;
mod storing;
pub mod streams;
pub mod strings;
pub mod transactions;
pub mod upstream;
pub mod zsets;

/// The manual of the commands.
pub use introspection::docs;
/// The notation of arguments.
pub use introspection::syntax;

pub use command::{Command, flags};
pub use context::{Ctx, Effect, Handler, Outcome};
pub use registry::CommandId;

/// Every command and subcommand, by name.
pub type Registry = registry::Registry<Handler>;

/// Every group's rows: the one table that dispatch, COMMAND, key extraction and the documentation read.
pub static TABLE: &[&[Command]] = &[
    acl::COMMANDS,
    strings::simple::COMMANDS,
    strings::expiring::COMMANDS,
    strings::several::COMMANDS,
    strings::counters::COMMANDS,
    strings::parts::COMMANDS,
    strings::lcs::COMMANDS,
    zsets::adding::COMMANDS,
    zsets::reading::COMMANDS,
    zsets::walking::COMMANDS,
    zsets::ranges::COMMANDS,
    zsets::removing::COMMANDS,
    zsets::popping::COMMANDS,
    zsets::combining::COMMANDS,
    keys::existence::COMMANDS,
    keys::expiry::COMMANDS,
    keys::object::COMMANDS,
    keys::renaming::COMMANDS,
    keys::databases::COMMANDS,
    keys::walking::COMMANDS,
    lists::push::COMMANDS,
    lists::pop::COMMANDS,
    lists::read::COMMANDS,
    lists::edit::COMMANDS,
    lists::moving::COMMANDS,
    hashes::simple::COMMANDS,
    hashes::counters::COMMANDS,
    hashes::whole::COMMANDS,
    hashes::expiry::COMMANDS,
    hashes::expiring::COMMANDS,
    bitmaps::single::COMMANDS,
    bitmaps::counting::COMMANDS,
    bitmaps::combining::COMMANDS,
    bitmaps::fields::COMMANDS,
    hyperloglog::COMMANDS,
    lists::blocking::COMMANDS,
    geo::adding::COMMANDS,
    geo::reading::COMMANDS,
    geo::searching::COMMANDS,
    sort::COMMANDS,
    dump::COMMANDS,
    migrate::COMMANDS,
    sets::members::COMMANDS,
    sets::random::COMMANDS,
    sets::algebra::COMMANDS,
    sets::walking::COMMANDS,
    streams::adding::COMMANDS,
    streams::trimming::COMMANDS,
    streams::ranges::COMMANDS,
    streams::reading::COMMANDS,
    streams::deleting::COMMANDS,
    streams::groups::COMMANDS,
    streams::pending::COMMANDS,
    streams::claiming::COMMANDS,
    streams::info::COMMANDS,
    connection::COMMANDS,
    cluster::COMMANDS,
    server::debug::COMMANDS,
    server::info::COMMANDS,
    server::latency::COMMANDS,
    server::lolwut::COMMANDS,
    server::memory::COMMANDS,
    server::misc::COMMANDS,
    server::module::COMMANDS,
    server::persistence::COMMANDS,
    server::slowlog::COMMANDS,
    client::COMMANDS,
    config::COMMANDS,
    introspection::COMMANDS,
    transactions::COMMANDS,
    scripting::COMMANDS,
    scripting::admin::COMMANDS,
    functions::COMMANDS,
    replication::COMMANDS,
    upstream::COMMANDS,
    failover::COMMANDS,
    pubsub::COMMANDS,
    #[cfg(test)]
    blocking::COMMANDS,
];
