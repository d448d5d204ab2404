//! XDEL, XDELEX, XACKDEL: entries that are named are deleted.

use super::{
    ids,
    references::{self, References},
};
use crate::{
    commands::{
        Ctx,
        command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
        context::{Event, errors},
    },
    data::{
        number,
        stream::{Stream, StreamId},
    },
};
use std::ops::Range;

fn xdel(ctx: &mut Ctx) {
    let (hash, key) = (ctx.hash(1), ctx.arg(1));
    match ctx.server.keyspace.write_as::<Stream>(ctx.db, hash, key) {
        Ok(Some(_)) => (),
        Ok(None) => return ctx.out.int(0),
        Err(_) => return ctx.wrong_type(),
    }
    let Some(ids) = ids::id_args(ctx, 2..ctx.argc()) else { return };
    let Ok(Some(stream)) = ctx.server.keyspace.write_as::<Stream>(ctx.db, hash, key) else { return };
    let deleted = ids.into_iter().filter(|id| stream.delete(*id)).count() as u64;
    if deleted > 0 {
        ctx.changed_unawaited(1, Event('t', "xdel"));
        ctx.server.keyspace.dirty += deleted - 1;
    }
    ctx.out.int(deleted as i64);
}

/// What becomes of an entry that is named.
#[derive(Clone, Copy)]
enum Fate {
    /// There is none, or it is not pending.
    Unknown = -1,
    Deleted = 1,
    /// It is still needed.
    Kept = 2,
}

/// `[KEEPREF | DELREF | ACKED] IDS count id...` from argument `at` on, in any order; answers with an error when they are wrong.
fn named(ctx: &mut Ctx<'_>, at: usize) -> Option<(References, Range<usize>)> {
    let (mut references, mut ids) = (None, None);
    let mut i = at;
    while i < ctx.argc() {
        if let Some(word) = References::of_word(ctx, i).filter(|_| references.is_none()) {
            references = Some(word);
            i += 1;
        } else if ctx.is_word(i, "ids") && i + 1 < ctx.argc() {
            let Some(count) = number::parse_i64(ctx.arg(i + 1)).filter(|count| *count >= 1) else {
                ctx.error("ERR Number of IDs must be a positive integer");
                return None;
            };
            let (first, left) = (i + 2, ctx.argc() - i - 2);
            if count as u64 > left as u64 {
                ctx.error("ERR The `numids` parameter must match the number of arguments");
                return None;
            }
            ids = Some(first..first + count as usize);
            i = first + count as usize;
        } else {
            ctx.error(errors::SYNTAX);
            return None;
        }
    }
    if ids.is_none() {
        ctx.error("ERR IDS option is required");
    }
    Some((references.unwrap_or(References::Keep), ids?))
}

fn reply_unknown(ctx: &mut Ctx<'_>, count: usize) {
    ctx.out.array(count);
    (0..count).for_each(|_| ctx.out.int(Fate::Unknown as i64));
}

/// Deletes an entry, or not, and says whether that was left out for its references, and whether it was there.
fn delete(stream: &mut Stream, id: StreamId, references: References, dirty: &mut u64) -> (Fate, bool) {
    if references == References::Acked && references::is_referenced(stream, id) {
        return (Fate::Kept, false);
    }
    let forgotten = references == References::Delete && references::forget(stream, id);
    let deleted = stream.delete(id);
    *dirty += u64::from(forgotten || deleted);
    (Fate::Deleted, deleted)
}

/// Counts changes, and tells of deletions if there were any.
fn told(ctx: &mut Ctx<'_>, dirty: u64, deleted: bool) {
    if deleted {
        ctx.changed_unawaited(1, Event('t', "xdel"));
    }
    ctx.server.keyspace.dirty += dirty - u64::from(deleted);
}

fn xdelex(ctx: &mut Ctx) {
    let (hash, key) = (ctx.hash(1), ctx.arg(1));
    let Ok(found) = ctx.server.keyspace.write_as::<Stream>(ctx.db, hash, key).map(|stream| stream.is_some()) else {
        return ctx.wrong_type();
    };
    let Some((references, which)) = named(ctx, 2) else { return };
    if !found {
        return reply_unknown(ctx, which.len());
    }
    let Some(ids) = ids::id_args(ctx, which) else { return };
    let (keyspace, out) = (&mut ctx.server.keyspace, &mut *ctx.out);
    let Ok(Some(stream)) = keyspace.write_as::<Stream>(ctx.db, hash, key) else { return };
    let (mut dirty, mut any) = (0, false);
    out.array(ids.len());
    for id in ids {
        let (fate, deleted) = delete(stream, id, references, &mut dirty);
        let fate = if matches!(fate, Fate::Deleted) && !deleted { Fate::Unknown } else { fate };
        out.int(fate as i64);
        any |= deleted;
    }
    told(ctx, dirty, any);
}

fn xackdel(ctx: &mut Ctx) {
    let (hash, key, group_name) = (ctx.hash(1), ctx.arg(1), ctx.arg(2));
    let found = ctx.server.keyspace.read_to_write_as::<Stream>(ctx.db, hash, key);
    let Ok(found) = found.map(|stream| stream.is_some_and(|stream| stream.group(group_name).is_some())) else {
        return ctx.wrong_type();
    };
    let Some((references, which)) = named(ctx, 3) else { return };
    if !found {
        return reply_unknown(ctx, which.len());
    }
    let Some(ids) = ids::id_args(ctx, which) else { return };
    let (keyspace, out) = (&mut ctx.server.keyspace, &mut *ctx.out);
    let Ok(Some(stream)) = keyspace.write_as::<Stream>(ctx.db, hash, key) else { return };
    let (mut dirty, mut any) = (0, false);
    out.array(ids.len());
    for id in ids {
        if !stream.group_mut(group_name).is_some_and(|group| group.ack(id)) {
            out.int(Fate::Unknown as i64);
            continue;
        }
        // That it is acknowledged is a change, whatever comes of it.
        dirty += 1;
        let (fate, deleted) = delete(stream, id, references, &mut 0);
        out.int(fate as i64);
        any |= deleted;
    }
    told(ctx, dirty, any);
}

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("xdel", xdel, -3, WRITE | FAST)
        .since(Group::Stream, "5.0.0")
        .doc("Deletes entries of a stream; they stay pending where they are.", "O(N log M) for N IDs in a stream of M entries.")
        .args("key ID:string...")
        .keys(&[KeySpec::one(1, k::RW | k::DELETE)]),
    command("xdelex", xdelex, -5, WRITE | FAST)
        .since(Group::Stream, "8.2.0")
        .doc(
            "Deletes entries of a stream, with what groups have pending of them, or only if no group needs them any more.",
            "O(N log M) for N IDs in a stream of M entries, for each group.",
        )
        .args("key [condition:(KEEPREF | DELREF | ACKED)] IDS ids:(numids:integer id...)")
        .keys(&[KeySpec::one(1, k::RW | k::DELETE)]),
    command("xackdel", xackdel, -6, WRITE | FAST)
        .since(Group::Stream, "8.2.0")
        .doc(
            "Acknowledges pending entries of a group and deletes them from the stream, with what other groups have pending of them, or only if \
             no group needs them any more.",
            "O(N log M) for N IDs in a stream of M entries, for each group.",
        )
        .args("key group [condition:(KEEPREF | DELREF | ACKED)] IDS ids:(numids:integer id...)")
        .keys(&[KeySpec::one(1, k::RW | k::UPDATE | k::DELETE)]),
];
