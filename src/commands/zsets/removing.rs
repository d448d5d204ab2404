//! MemberRange taken out by name or in ranges.

use super::{
    bounds::{MemberRange, Scores},
    ranges::ranks,
    removed,
};
use crate::{
    commands::{
        Ctx,
        command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
    },
    data::zset::Zset,
    keyspace::WrongType,
};
use std::ops::Range;

fn zrem(ctx: &mut Ctx) {
    let (hash, key, args) = (ctx.hash(1), ctx.arg(1), ctx.args);
    let zset = match ctx.server.keyspace.write_as::<Zset>(ctx.db, hash, key) {
        Err(WrongType) => return ctx.wrong_type(),
        Ok(None) => return ctx.out.int(0),
        Ok(Some(zset)) => zset,
    };
    let gone = (2..args.len()).filter(|i| zset.remove(args.get(*i))).count();
    let is_empty = zset.is_empty();
    removed(ctx, 1, gone, "zrem", is_empty);
    ctx.out.len_int(gone);
}

fn remove_range(ctx: &mut Ctx<'_>, event: &'static str, ranks: impl FnOnce(&Zset) -> Range<usize>) {
    let (hash, key) = (ctx.hash(1), ctx.arg(1));
    let zset = match ctx.server.keyspace.write_as::<Zset>(ctx.db, hash, key) {
        Err(WrongType) => return ctx.wrong_type(),
        Ok(None) => return ctx.out.int(0),
        Ok(Some(zset)) => zset,
    };
    let ranks = ranks(zset);
    let gone = ranks.len();
    let is_empty = gone == zset.len();
    if !is_empty {
        zset.remove_range(ranks, |_, _| ());
    }
    // What loses all goes with its key, and if it is large in slices.
    removed(ctx, 1, gone, event, is_empty);
    ctx.out.len_int(gone);
}

fn zremrangebyrank(ctx: &mut Ctx) {
    let Some(from) = ctx.int_arg(2) else { return };
    let Some(to) = ctx.int_arg(3) else { return };
    remove_range(ctx, "zremrangebyrank", |zset| ranks(from, to, zset.len()));
}

fn zremrangebyscore(ctx: &mut Ctx) {
    match Scores::parse(ctx.arg(2), ctx.arg(3)) {
        Some(scores) => remove_range(ctx, "zremrangebyscore", |zset| scores.ranks(zset)),
        None => ctx.error("ERR min or max is not a float"),
    }
}

fn zremrangebylex(ctx: &mut Ctx) {
    match MemberRange::parse(ctx.arg(2), ctx.arg(3)) {
        Some(members) => remove_range(ctx, "zremrangebylex", |zset| members.ranks(zset)),
        None => ctx.error("ERR min or max not valid string range item"),
    }
}

const LOG_N_AND_M: &str = "O(log(N)+M) for M members that are removed out of N.";

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("zrem", zrem, -3, WRITE | FAST)
        .since(Group::SortedSet, "1.2.0")
        .doc("Takes members out of a sorted set.", "O(M*log(N)) for M members out of N.")
        .args("key member:string...")
        .keys(&[KeySpec::one(1, k::RW | k::DELETE)])
        .element(2)
        .history(&[("2.4.0", "More than one member.")]),
    command("zremrangebyrank", zremrangebyrank, 4, WRITE)
        .since(Group::SortedSet, "2.0.0")
        .doc("Takes the members in a range of positions out of a sorted set.", LOG_N_AND_M)
        .args("key start:integer stop:integer")
        .keys(&[KeySpec::one(1, k::RW | k::DELETE)]),
    command("zremrangebyscore", zremrangebyscore, 4, WRITE)
        .since(Group::SortedSet, "1.2.0")
        .doc("Takes the members whose scores lie in a range out of a sorted set.", LOG_N_AND_M)
        .args("key min:double max:double")
        .keys(&[KeySpec::one(1, k::RW | k::DELETE)]),
    command("zremrangebylex", zremrangebylex, 4, WRITE)
        .since(Group::SortedSet, "2.8.9")
        .doc("Takes the members that lie in a range out of a sorted set, where all have the same score.", LOG_N_AND_M)
        .args("key min:string max:string")
        .keys(&[KeySpec::one(1, k::RW | k::DELETE)]),
];
