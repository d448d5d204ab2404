//! Streams: what their commands share. Each file below has a few of the commands, and ends in their rows of the table.

pub mod adding;
pub mod claiming;
pub mod deleting;
mod delivering;
mod effects;
pub mod groups;
mod ids;
pub mod info;
pub mod pending;
pub mod ranges;
pub mod reading;
mod references;
mod replies;
pub mod trimming;

use super::{Ctx, context::Event};
use crate::data::{number::until_nul, stream::NodeLimits};

/// The limits that the configuration sets.
#[inline]
fn node_limits(ctx: &Ctx<'_>) -> NodeLimits {
    let config = &ctx.server.config;
    NodeLimits { bytes: config.stream_node_max_bytes, entries: usize::try_from(config.stream_node_max_entries).unwrap_or(usize::MAX) }
}

/// Says of the stream at argument `i` what WATCH and blocked clients need not know: a change of what is beside its entries.
fn changed_beside(ctx: &mut Ctx<'_>, i: usize, event: &'static str) {
    ctx.server.keyspace.dirty += 1;
    ctx.notify(ctx.arg(i), Event('t', event));
}

/// Tells the keyspace that consumers of the stream at argument `i`, or their times, may have changed.
fn consumers_changed(ctx: &mut Ctx<'_>, i: usize) {
    let (hash, key) = (ctx.hash(i), ctx.arg(i));
    ctx.server.keyspace.consumers_changed(ctx.db, hash, key);
}

/// An error with names in it.
#[cold]
fn error_of(ctx: &mut Ctx<'_>, parts: &[&[u8]]) {
    ctx.error(parts.iter().map(|part| until_nul(part)).collect::<Vec<_>>().concat());
}

/// There is no such key or group: as most commands say it.
#[cold]
fn no_such_group(ctx: &mut Ctx<'_>, key: &[u8], group: &[u8]) {
    error_of(ctx, &[b"NOGROUP No such key '", key, b"' or consumer group '", group, b"'"]);
}

/// There is no such group: as XGROUP and XINFO say it.
#[cold]
fn no_group(ctx: &mut Ctx<'_>, key: &[u8], group: &[u8]) {
    error_of(ctx, &[b"NOGROUP No such consumer group '", group, b"' for key name '", key, b"'"]);
}
