//! Members taken out at either end, also by those who wait for some.

use super::{removed, reply_member, reply_score};
use crate::{
    commands::{
        Ctx,
        blocking::timeout,
        command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
        context::{BlockOn, InVain, errors},
        popargs::PopArgs,
    },
    data::{listpack::Item, zset::Zset},
    keyspace::WrongType,
};
use std::ops::Range;

/// Which end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ZsetEnd {
    Min,
    Max,
}

/// How the reply shows the members.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Members and scores by turns.
    Flat,
    /// Pairs.
    Pairs,
    /// The key, and in the same array a member and its score.
    KeyAndFlat,
    /// The key, and an array of pairs.
    KeyAndPairs,
}

impl ZsetEnd {
    fn event(self) -> &'static str {
        match self {
            Self::Min => "zpopmin",
            Self::Max => "zpopmax",
        }
    }

    /// The command that the log gets.
    fn command(self) -> &'static [u8] {
        match self {
            Self::Min => b"ZPOPMIN",
            Self::Max => b"ZPOPMAX",
        }
    }
}

/// The first of these arguments that is the key of a sorted set, and how many members that has; answers with an error when the first
/// value there is, is something else.
fn find(ctx: &mut Ctx<'_>, keys: Range<usize>) -> Result<Option<(usize, usize)>, ()> {
    for i in keys {
        let (hash, key) = (ctx.hash(i), ctx.arg(i));
        match ctx.server.keyspace.write_as::<Zset>(ctx.db, hash, key) {
            Err(WrongType) => {
                ctx.wrong_type();
                return Err(());
            }
            Ok(Some(zset)) => return Ok(Some((i, zset.len()))),
            Ok(None) => (),
        }
    }
    Ok(None)
}

/// Takes out as many as `count` members of the sorted set at argument `i`, at least one, and answers with them.
fn pop(ctx: &mut Ctx<'_>, i: usize, end: ZsetEnd, count: usize, shape: Shape) {
    let (hash, key) = (ctx.hash(i), ctx.arg(i));
    let Ok(Some(zset)) = ctx.server.keyspace.write_as::<Zset>(ctx.db, hash, key) else { return };
    let (len, out) = (zset.len(), &mut *ctx.out);
    let count = count.min(len);
    match shape {
        Shape::Flat => out.array(2 * count),
        Shape::Pairs => out.array(count),
        Shape::KeyAndFlat => {
            out.array(2 * count + 1);
            out.bulk(key);
        }
        Shape::KeyAndPairs => {
            out.array(2);
            out.bulk(key);
            out.array(count);
        }
    }
    let pairs = matches!(shape, Shape::Pairs | Shape::KeyAndPairs);
    let mut reply = |member: Item<'_>, score: f64| {
        if pairs {
            out.array(2);
        }
        reply_member(out, member);
        reply_score(out, score);
    };
    match end {
        ZsetEnd::Min => zset.remove_range(0..count, reply),
        // From the last one on.
        ZsetEnd::Max => {
            zset.range(len - count..len).rev().for_each(|(member, score)| reply(member, score));
            zset.remove_range(len - count..len, |_, _| ());
        }
    }
    removed(ctx, i, count, end.event(), count == len);
}

fn pop_one_key(ctx: &mut Ctx<'_>, end: ZsetEnd) {
    if ctx.argc() > 3 {
        return ctx.error(errors::SYNTAX);
    }
    let (mut count, mut shape) = (1, Shape::Flat);
    if ctx.argc() == 3 {
        match ctx.count_arg(2, 0, errors::NOT_POSITIVE) {
            Some(n) => count = n,
            None => return,
        }
        if ctx.out.resp3() {
            shape = Shape::Pairs;
        }
    }
    match find(ctx, 1..2) {
        Ok(Some((i, _))) if count > 0 => pop(ctx, i, end, count, shape),
        Ok(_) => ctx.out.array(0),
        Err(()) => (),
    }
}

fn zpopmin(ctx: &mut Ctx) {
    pop_one_key(ctx, ZsetEnd::Min);
}

fn zpopmax(ctx: &mut Ctx) {
    pop_one_key(ctx, ZsetEnd::Max);
}

/// The arguments of ZMPOP and BZMPOP from the number of keys on, which is argument `at`; answers with an error when they are wrong.
fn parse(ctx: &mut Ctx<'_>, at: usize) -> Option<PopArgs<ZsetEnd>> {
    PopArgs::parse(ctx, at, [("min", ZsetEnd::Min), ("max", ZsetEnd::Max)])
}

/// Takes members out of the first sorted set that is there, and writes into the log which and how many.
fn pop_first(ctx: &mut Ctx<'_>, (i, len): (usize, usize), end: ZsetEnd, count: usize) {
    pop(ctx, i, end, count, Shape::KeyAndPairs);
    ctx.log_instead(&[end.command(), ctx.arg(i), itoa::Buffer::new().format(count.min(len)).as_bytes()]);
}

fn zmpop(ctx: &mut Ctx) {
    let Some(PopArgs { keys, end, count }) = parse(ctx, 1) else { return };
    match find(ctx, keys) {
        Ok(Some(found)) => pop_first(ctx, found, end, count),
        Ok(None) => ctx.out.null_array(),
        Err(()) => (),
    }
}

fn bzmpop(ctx: &mut Ctx) {
    let Some(PopArgs { keys, end, count }) = parse(ctx, 2) else { return };
    let Some(deadline_ms) = timeout(ctx, 1) else { return };
    match find(ctx, keys.clone()) {
        Ok(Some(found)) => pop_first(ctx, found, end, count),
        Ok(None) => ctx.block(BlockOn::keys(keys.start, keys.len(), deadline_ms, InVain::NullArray)),
        Err(()) => (),
    }
}

fn blocking_pop(ctx: &mut Ctx<'_>, end: ZsetEnd) {
    let last = ctx.argc() - 1;
    let Some(deadline_ms) = timeout(ctx, last) else { return };
    match find(ctx, 1..last) {
        Ok(Some((i, _))) => {
            pop(ctx, i, end, 1, Shape::KeyAndFlat);
            ctx.log_instead(&[end.command(), ctx.arg(i)]);
        }
        Ok(None) => ctx.block(BlockOn::keys(1, last - 1, deadline_ms, InVain::NullArray)),
        Err(()) => (),
    }
}

fn bzpopmin(ctx: &mut Ctx) {
    blocking_pop(ctx, ZsetEnd::Min);
}

fn bzpopmax(ctx: &mut Ctx) {
    blocking_pop(ctx, ZsetEnd::Max);
}

const POPS: &str = "O(log(N)*M) for M members out of N.";
const MANY_KEYS: &str = "O(K) + O(M*log(N)) for K keys and M members out of N.";
const FLAGS: u32 = k::RW | k::ACCESS | k::DELETE;

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("zpopmin", zpopmin, -2, WRITE | FAST)
        .since(Group::SortedSet, "5.0.0")
        .doc("Takes the members with the lowest scores out of a sorted set and returns them.", POPS)
        .args("key [count:integer]")
        .keys(&[KeySpec::one(1, FLAGS)]),
    command("zpopmax", zpopmax, -2, WRITE | FAST)
        .since(Group::SortedSet, "5.0.0")
        .doc("Takes the members with the highest scores out of a sorted set and returns them.", POPS)
        .args("key [count:integer]")
        .keys(&[KeySpec::one(1, FLAGS)]),
    command("zmpop", zmpop, -4, WRITE)
        .since(Group::SortedSet, "7.0.0")
        .doc("Takes members with the lowest or the highest scores out of the first sorted set that is there and returns them.", MANY_KEYS)
        .args("numkeys:integer key... where:(MIN|MAX) [COUNT count:integer]")
        .keys(&[KeySpec::counted(1, FLAGS)]),
    command("bzpopmin", bzpopmin, -3, WRITE | FAST | BLOCKING)
        .since(Group::SortedSet, "5.0.0")
        .doc(
            "Takes the member with the lowest score out of the first sorted set that is there, or waits until there is one.",
            "O(log(N)) in a sorted set of N members.",
        )
        .args("key... timeout:double")
        .keys(&[KeySpec::range(1, -2, 1, FLAGS)])
        .history(&[("6.0.0", "`timeout` may have a fraction.")]),
    command("bzpopmax", bzpopmax, -3, WRITE | FAST | BLOCKING)
        .since(Group::SortedSet, "5.0.0")
        .doc(
            "Takes the member with the highest score out of the first sorted set that is there, or waits until there is one.",
            "O(log(N)) in a sorted set of N members.",
        )
        .args("key... timeout:double")
        .keys(&[KeySpec::range(1, -2, 1, FLAGS)])
        .history(&[("6.0.0", "`timeout` may have a fraction.")]),
    command("bzmpop", bzmpop, -5, WRITE | BLOCKING)
        .since(Group::SortedSet, "7.0.0")
        .doc(
            "Takes members with the lowest or the highest scores out of the first sorted set that is there, or waits until there is one.",
            MANY_KEYS,
        )
        .args("timeout:double numkeys:integer key... where:(MIN|MAX) [COUNT count:integer]")
        .keys(&[KeySpec::counted(2, FLAGS)]),
];
