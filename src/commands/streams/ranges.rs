//! XLEN, XRANGE, XREVRANGE.

use super::{
    ids,
    replies::{guess, limit, reply_array, reply_entry},
};
use crate::{
    commands::{
        Ctx,
        command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
        context::errors,
    },
    data::stream::Stream,
};

fn xlen(ctx: &mut Ctx) {
    match ctx.read_as::<Stream>(1).map(|stream| stream.map_or(0, Stream::len)) {
        Ok(len) => ctx.out.int(len as i64),
        Err(_) => ctx.wrong_type(),
    }
}

fn range(ctx: &mut Ctx<'_>, backwards: bool) {
    let (start, end) = if backwards { (3, 2) } else { (2, 3) };
    let Some(from) = ids::from_arg(ctx, start) else { return };
    let Some(to) = ids::to_arg(ctx, end) else { return };
    let mut count = None;
    let mut i = 4;
    while i < ctx.argc() {
        if i + 1 == ctx.argc() || !ctx.is_word(i, "count") {
            return ctx.error(errors::SYNTAX);
        }
        let Some(value) = ctx.int_arg(i + 1) else { return };
        count = Some(value.max(0) as usize);
        i += 2;
    }
    let (hash, key) = (ctx.hash(1), ctx.arg(1));
    let (keyspace, out) = (&mut ctx.server.keyspace, &mut *ctx.out);
    let stream = match keyspace.read_as::<Stream>(ctx.db, hash, key) {
        Ok(Some(stream)) => stream,
        Ok(None) => return out.array(0),
        Err(_) => return ctx.wrong_type(),
    };
    if count == Some(0) {
        return out.null_array();
    }
    if from > to {
        return out.array(0);
    }
    let count = count.unwrap_or(0);
    let (guess, limit) = (guess(count, stream.len()), limit(count));
    if backwards {
        reply_array(out, guess, stream.range_back(to, from).take(limit), |out, entry| reply_entry(out, &entry));
    } else {
        reply_array(out, guess, stream.range(from, to).take(limit), |out, entry| reply_entry(out, &entry));
    }
}

fn xrange(ctx: &mut Ctx) {
    range(ctx, false);
}

fn xrevrange(ctx: &mut Ctx) {
    range(ctx, true);
}

const COST: &str = "O(log M + N) for N entries returned of M.";
const EXCLUSIVE: &[(&str, &str)] = &[("6.2.0", "Ends that do not belong to the range, as in `(1-0`.")];

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("xlen", xlen, 2, READONLY | FAST)
        .since(Group::Stream, "5.0.0")
        .doc("Returns how many entries a stream has.", "O(1)")
        .args("key")
        .keys(&[KeySpec::one(1, k::RO)]),
    command("xrange", xrange, -4, READONLY)
        .since(Group::Stream, "5.0.0")
        .doc("Returns the entries of a stream within a range of IDs.", COST)
        .args("key start end [COUNT count:integer]")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)])
        .history(EXCLUSIVE),
    command("xrevrange", xrevrange, -4, READONLY)
        .since(Group::Stream, "5.0.0")
        .doc("Returns the entries of a stream within a range of IDs, the last one first.", COST)
        .args("key end start [COUNT count:integer]")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)])
        .history(EXCLUSIVE),
];
