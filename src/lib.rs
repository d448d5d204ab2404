//! solod: a Redis-compatible in-memory data server. One thread, one poll loop, one owner of all the data.
//!
//! The house, from the top down; a room imports only rooms below it:
//!
//! | room | what it is |
//! |---|---|
//! | `main.rs` | argv to settings to reactor; exit codes |
//! | [`tools`] | programs beside the server, which work on files and exit: `redis-check-aof`, `redis-check-rdb`, `--restore-to` |
//! | [`reactor`] | the only room of the server that does I/O: mio poll loop, sockets, TLS, listeners, signals, clocks, service manager |
//! | [`engine`] | bytes in, bytes out: the gate, the call, transactions, background slices. No socket, no file, no clock |
//! | [`commands`] | one table of every command, and one file a group |
//! | [`state`] | what commands act on beside the data: connections without sockets, the write gate, saves, MIGRATE, statistics, the [`state::Host`] they ask |
//! | [`acl`] | who may do what: users, their rules, the log of refusals; knows no client and no command |
//! | [`scripting`] | Lua: scripts and what they are run with; asks for commands and is answered |
//! | [`replication`] | the one log of writes, and what each side of a link knows |
//! | [`persist`] | data as streams of bytes: RDB encoder and decoder, DUMP payloads |
//! | [`keyspace`] | databases: look-up, expiry, who is told of a change, walks |
//! | [`data`] | what a key can hold, and the segmented table everything stands on |
//! | [`resp`] | the wire: a borrowing request parser, a reply writer for RESP2 and RESP3 |
//! | [`config`] | the table of directives: files, CONFIG GET, SET and REWRITE |
//! | [`alloc`] | the allocator, counted |
//!
//! `docs/architecture.md` tells why it is so. [`fuzz`] holds the entry points of the fuzz targets.
//!
//! # Where `unsafe` is allowed
//!
//! Everywhere else it does not compile. In [`data::pair`] (a key and its value in one allocation), [`data::block`] (a small buffer),
//! [`data::member`] (a member of a large set or sorted set), [`data::zset`]'s `table` (the tree that leads to its members),
//! [`data::moving`] (allocations that are given another place), [`data::prefetch`] (a hint to the processor), [`data::wide`] (loops that are compiled for wider registers too), [`alloc`] (the global allocator), `scripting::lua` (the interpreter and its stack), and in the reactor's `clock` (the processor's counter),
//! `daemon` (fork, limits, local time), `placement` (processors, huge pages), `fatal` and `report` (handlers of signals, and what they write). Their tests also run under AddressSanitizer: `make asan`.
#![deny(unsafe_code)]

pub mod acl;
pub mod alloc;
pub mod commands;
pub mod config;
pub mod data;
pub mod engine;
pub mod fuzz;
pub mod keyspace;
pub mod persist;
pub mod reactor;
pub mod replication;
pub mod resp;
pub mod scripting;
pub mod state;
pub mod tools;

/// Tests run on the allocator that the program has.
#[cfg(test)]
#[global_allocator]
static ALLOCATOR: alloc::Counting = alloc::Counting;
