//! Fields by their names: set, looked up, counted, removed.

use super::{Changed, HashPlace, limits, reply_field};
use crate::{
    commands::{
        Ctx,
        command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
        context::{Event, NEW},
    },
    data::{
        hash::{Hash, OldDeadline},
        listpack::Listpack,
        string,
    },
};

/// Sets the fields at arguments 2, 4, ... to the values behind them. Returns how many are new, or `None` with an error.
#[inline(always)]
fn set_fields(ctx: &mut Ctx<'_>) -> Option<usize> {
    if !ctx.argc().is_multiple_of(2) {
        ctx.wrong_arity();
        return None;
    }
    let (place, args, limits) = (HashPlace::of(ctx), ctx.args, limits(ctx.server));
    let (mut longest, mut bytes) = (0, 0);
    for i in 2..args.len() {
        let len = args.get(i).len();
        longest = longest.max(len);
        bytes += Listpack::string_bytes(len);
    }
    let fields = (args.len() - 2) / 2;
    let room = if longest > limits.value || fields > limits.entries { 0 } else { bytes };
    let Ok((hash, is_new, now)) = place.write_or_insert(&mut ctx.server.keyspace, || Hash::with_room(room)) else {
        ctx.wrong_type();
        return None;
    };
    hash.make_room(fields, longest, &limits);
    let mut created = 0;
    for i in (2..args.len()).step_by(2) {
        created += usize::from(hash.set(args.get(i), args.get(i + 1), || args.to_bytes(i + 1), OldDeadline::Drops, now, &limits));
    }
    Changed::of(hash).finish(ctx);
    told(ctx, is_new);
    ctx.server.keyspace.dirty += fields as u64 - 1;
    Some(created)
}

/// Says that fields have been set.
#[inline(always)]
pub(super) fn told(ctx: &mut Ctx<'_>, is_new: bool) {
    if is_new {
        ctx.notify(ctx.arg(1), NEW);
    }
    ctx.changed(1, Event('h', "hset"));
}

fn hset(ctx: &mut Ctx) {
    if let Some(created) = set_fields(ctx) {
        ctx.out.len_int(created);
    }
}

fn hmset(ctx: &mut Ctx) {
    if set_fields(ctx).is_some() {
        ctx.out.ok();
    }
}

fn hsetnx(ctx: &mut Ctx) {
    let (place, args, limits) = (HashPlace::of(ctx), ctx.args, limits(ctx.server));
    let (field, value) = (args.get(2), args.get(3));
    let Ok((hash, is_new, now)) = place.write_or_insert(&mut ctx.server.keyspace, Hash::new) else { return ctx.wrong_type() };
    if hash.get(field, now).is_some() {
        return ctx.out.int(0);
    }
    hash.set(field, value, || args.to_bytes(3), OldDeadline::Drops, now, &limits);
    Changed::of(hash).finish(ctx);
    told(ctx, is_new);
    ctx.out.int(1);
}

fn hget(ctx: &mut Ctx) {
    let Ok((hash, now)) = HashPlace::of(ctx).read(&mut ctx.server.keyspace) else { return ctx.wrong_type() };
    reply_field(ctx.out, hash, ctx.args.get(2), now);
}

fn hmget(ctx: &mut Ctx) {
    let Ok((hash, now)) = HashPlace::of(ctx).read(&mut ctx.server.keyspace) else { return ctx.wrong_type() };
    ctx.out.array(ctx.args.len() - 2);
    for i in 2..ctx.args.len() {
        reply_field(ctx.out, hash, ctx.args.get(i), now);
    }
}

fn hexists(ctx: &mut Ctx) {
    let Ok((hash, now)) = HashPlace::of(ctx).read(&mut ctx.server.keyspace) else { return ctx.wrong_type() };
    let there = hash.is_some_and(|hash| hash.get(ctx.args.get(2), now).is_some());
    ctx.out.int(i64::from(there));
}

fn hstrlen(ctx: &mut Ctx) {
    let Ok((hash, now)) = HashPlace::of(ctx).read(&mut ctx.server.keyspace) else { return ctx.wrong_type() };
    let value = hash.and_then(|hash| hash.get(ctx.args.get(2), now));
    ctx.out.len_int(value.and_then(string::len).unwrap_or(0));
}

fn hlen(ctx: &mut Ctx) {
    let Ok((hash, _)) = HashPlace::of(ctx).read(&mut ctx.server.keyspace) else { return ctx.wrong_type() };
    ctx.out.len_int(hash.map_or(0, Hash::len));
}

fn hdel(ctx: &mut Ctx) {
    let (place, args) = (HashPlace::of(ctx), ctx.args);
    let (hash, now) = match place.write(&mut ctx.server.keyspace) {
        Ok((Some(hash), now)) => (hash, now),
        Ok((None, _)) => return ctx.out.int(0),
        Err(_) => return ctx.wrong_type(),
    };
    let mut deleted = 0;
    for i in 2..args.len() {
        deleted += usize::from(hash.remove(args.get(i), now));
    }
    let changed = Changed::of(hash);
    removed(ctx, deleted);
    changed.finish(ctx);
    ctx.out.len_int(deleted);
}

/// Says that so many fields have been removed.
pub(super) fn removed(ctx: &mut Ctx<'_>, count: usize) {
    if count > 0 {
        ctx.changed(1, Event('h', "hdel"));
        ctx.server.keyspace.dirty += count as u64 - 1;
    }
}

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("hset", hset, -4, WRITE | DENYOOM | FAST)
        .since(Group::Hash, "2.0.0")
        .doc("Sets fields of a hash.", "O(N) for N fields.")
        .args("key data:(field value)...")
        .keys(&[KeySpec::one(1, k::RW | k::UPDATE)])
        .element(2)
        .history(&[("4.0.0", "Several fields at once.")]),
    command("hmset", hmset, -4, WRITE | DENYOOM | FAST)
        .since(Group::Hash, "2.0.0")
        .doc("Sets fields of a hash.", "O(N) for N fields.")
        .args("key data:(field value)...")
        .keys(&[KeySpec::one(1, k::RW | k::UPDATE)])
        .element(2)
        .deprecated("4.0.0", "`HSET` with several fields"),
    command("hsetnx", hsetnx, 4, WRITE | DENYOOM | FAST)
        .since(Group::Hash, "2.0.0")
        .doc("Sets a field of a hash if it is not there yet.", "O(1)")
        .args("key field value")
        .keys(&[KeySpec::one(1, k::RW | k::INSERT)])
        .element(2),
    command("hget", hget, 3, READONLY | FAST)
        .since(Group::Hash, "2.0.0")
        .doc("Returns the value of a field of a hash.", "O(1)")
        .args("key field")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)])
        .element(2),
    command("hmget", hmget, -3, READONLY | FAST)
        .since(Group::Hash, "2.0.0")
        .doc("Returns the values of fields of a hash.", "O(N) for N fields.")
        .args("key field...")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)])
        .element(2),
    command("hexists", hexists, 3, READONLY | FAST)
        .since(Group::Hash, "2.0.0")
        .doc("Says whether a hash has a field.", "O(1)")
        .args("key field")
        .keys(&[KeySpec::one(1, k::RO)])
        .element(2),
    command("hstrlen", hstrlen, 3, READONLY | FAST)
        .since(Group::Hash, "3.2.0")
        .doc("Returns how many bytes the value of a field has.", "O(1)")
        .args("key field")
        .keys(&[KeySpec::one(1, k::RO)])
        .element(2),
    command("hlen", hlen, 2, READONLY | FAST)
        .since(Group::Hash, "2.0.0")
        .doc("Returns how many fields a hash has.", "O(1)")
        .args("key")
        .keys(&[KeySpec::one(1, k::RO)]),
    command("hdel", hdel, -3, WRITE | FAST)
        .since(Group::Hash, "2.0.0")
        .doc("Removes fields from a hash, and the key with the last of them.", "O(N) for N fields.")
        .args("key field...")
        .keys(&[KeySpec::one(1, k::RW | k::DELETE)])
        .element(2)
        .history(&[("2.4.0", "Several fields at once.")]),
];
