//! What is asked about a sorted set and single members of it.

use super::{
    bounds::{MemberRange, Scores},
    reply_element, reply_header, reply_member, reply_score,
};
use crate::{
    commands::{
        Ctx,
        command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
        context::errors,
        sampling,
    },
    data::{rng::Rng, zset::Zset},
    keyspace::{Keyspace, WrongType},
    resp::output::Output,
    state::long_reply::Source,
};
use std::{collections::HashSet, ops::Range};

fn zcard(ctx: &mut Ctx) {
    match ctx.read_as::<Zset>(1).map(|zset| zset.map_or(0, Zset::len)) {
        Ok(len) => ctx.out.len_int(len),
        Err(WrongType) => ctx.wrong_type(),
    }
}

fn zscore(ctx: &mut Ctx) {
    let member = ctx.arg(2);
    match ctx.read_as::<Zset>(1).map(|zset| zset.and_then(|zset| zset.score(member))) {
        Ok(Some(score)) => reply_score(ctx.out, score),
        Ok(None) => ctx.out.null(),
        Err(WrongType) => ctx.wrong_type(),
    }
}

fn zmscore(ctx: &mut Ctx) {
    let (hash, key, args) = (ctx.hash(1), ctx.arg(1), ctx.args);
    let zset = match ctx.server.keyspace.read_as::<Zset>(ctx.db, hash, key) {
        Err(WrongType) => return ctx.wrong_type(),
        Ok(zset) => zset,
    };
    ctx.out.array(args.len() - 2);
    for i in 2..args.len() {
        match zset.and_then(|zset| zset.score(args.get(i))) {
            Some(score) => reply_score(ctx.out, score),
            None => ctx.out.null(),
        }
    }
}

fn rank(ctx: &mut Ctx<'_>, from_last: bool) {
    if ctx.argc() > 4 {
        return ctx.wrong_arity();
    }
    let with_score = ctx.argc() == 4;
    if with_score && !ctx.is_word(3, "withscore") {
        return ctx.error(errors::SYNTAX);
    }
    let member = ctx.arg(2);
    let found = ctx.read_as::<Zset>(1).map(|zset| {
        let zset = zset?;
        let (rank, score) = zset.rank(member)?;
        Some((if from_last { zset.len() - 1 - rank } else { rank }, score))
    });
    match found {
        Err(WrongType) => ctx.wrong_type(),
        Ok(Some((rank, score))) if with_score => {
            ctx.out.array(2);
            ctx.out.len_int(rank);
            reply_score(ctx.out, score);
        }
        Ok(Some((rank, _))) => ctx.out.len_int(rank),
        Ok(None) if with_score => ctx.out.null_array(),
        Ok(None) => ctx.out.null(),
    }
}

fn zrank(ctx: &mut Ctx) {
    rank(ctx, false);
}

fn zrevrank(ctx: &mut Ctx) {
    rank(ctx, true);
}

fn count(ctx: &mut Ctx<'_>, ranks: impl FnOnce(&Zset) -> Range<usize>) {
    match ctx.read_as::<Zset>(1).map(|zset| zset.map_or(0, |zset| ranks(zset).len())) {
        Ok(len) => ctx.out.len_int(len),
        Err(WrongType) => ctx.wrong_type(),
    }
}

fn zcount(ctx: &mut Ctx) {
    match Scores::parse(ctx.arg(2), ctx.arg(3)) {
        Some(scores) => count(ctx, |zset| scores.ranks(zset)),
        None => ctx.error("ERR min or max is not a float"),
    }
}

fn zlexcount(ctx: &mut Ctx) {
    match MemberRange::parse(ctx.arg(2), ctx.arg(3)) {
        Some(members) => count(ctx, |zset| members.ranks(zset)),
        None => ctx.error("ERR min or max not valid string range item"),
    }
}

fn zrandmember(ctx: &mut Ctx) {
    if ctx.argc() > 2 {
        return several_random(ctx);
    }
    let (hash, key) = (ctx.hash(1), ctx.arg(1));
    match ctx.server.keyspace.read_as::<Zset>(ctx.db, hash, key) {
        Err(WrongType) => ctx.wrong_type(),
        Ok(None) => ctx.out.null(),
        Ok(Some(zset)) => {
            let rank = ctx.server.rng.below(zset.len() as u64) as usize;
            match zset.nth(rank) {
                Some((member, _)) => reply_member(ctx.out, member),
                None => ctx.out.null(),
            }
        }
    }
}

fn several_random(ctx: &mut Ctx<'_>) {
    let Some(count) = ctx.int_arg(2) else { return };
    if count == i64::MIN {
        return ctx.error(format!("ERR value is out of range, value must between {} and {}", -i64::MAX, i64::MAX));
    }
    let with_scores = ctx.argc() == 4 && ctx.is_word(3, "withscores");
    if ctx.argc() > 3 && !with_scores {
        return ctx.error(errors::SYNTAX);
    }
    if with_scores && count.unsigned_abs() > i64::MAX as u64 / 2 {
        return ctx.error("ERR value is out of range");
    }
    let (hash, key) = (ctx.hash(1), ctx.arg(1));
    let zset = match ctx.server.keyspace.read_as::<Zset>(ctx.db, hash, key) {
        Err(WrongType) => return ctx.wrong_type(),
        Ok(Some(zset)) if count != 0 => zset,
        Ok(_) => return ctx.out.array(0),
    };
    if count < 0 {
        return sampling::reply(ctx, count.unsigned_abs(), with_scores, draw);
    }
    let (rng, out) = (&mut ctx.server.rng, &mut *ctx.out);
    let (many, len) = (count.unsigned_abs() as usize, zset.len());
    reply_header(out, many.min(len), with_scores);
    if many >= len {
        zset.iter().for_each(|(member, score)| reply_element(out, member, score, with_scores));
    } else if many > len / 4 {
        // One walk that takes each with the chance that as many are left to take as it has left to see.
        let (mut left, mut unseen) = (many, len);
        for (member, score) in zset.iter() {
            if rng.below(unseen as u64) < left as u64 {
                reply_element(out, member, score, with_scores);
                left -= 1;
            }
            unseen -= 1;
        }
    } else {
        let mut taken = HashSet::with_capacity(many);
        while taken.len() < many {
            let rank = rng.below(len as u64) as usize;
            if taken.insert(rank)
                && let Some((member, score)) = zset.nth(rank)
            {
                reply_element(out, member, score, with_scores);
            }
        }
    }
}

const LOG_N: &str = "O(log(N)) in a sorted set of N members.";

/// MemberRange one by one, the same ones perhaps.
fn draw(keyspace: &mut Keyspace, rng: &mut Rng, source: &Source, most: u64, bytes: usize, out: &mut Output) -> u64 {
    let hash = keyspace.hash(&source.key);
    let Some(zset) = keyspace.peek_alive_as::<Zset>(source.db, hash, &source.key) else { return 0 };
    for drawn in 0..most {
        if drawn > 0 && out.len() >= bytes {
            return drawn;
        }
        let Some((member, score)) = zset.nth(rng.below(zset.len() as u64) as usize) else { return drawn };
        reply_element(out, member, score, source.in_pairs);
    }
    most
}

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("zcard", zcard, 2, READONLY | FAST)
        .since(Group::SortedSet, "1.2.0")
        .doc("Returns the number of members of a sorted set.", "O(1)")
        .args("key")
        .keys(&[KeySpec::one(1, k::RO)]),
    command("zscore", zscore, 3, READONLY | FAST)
        .since(Group::SortedSet, "1.2.0")
        .doc("Returns the score of a member.", "O(1)")
        .args("key member:string")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)])
        .element(2),
    command("zmscore", zmscore, -3, READONLY | FAST)
        .since(Group::SortedSet, "6.2.0")
        .doc("Returns the scores of members.", "O(N) for N members that are asked for.")
        .args("key member:string...")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)])
        .element(2),
    command("zrank", zrank, -3, READONLY | FAST)
        .since(Group::SortedSet, "2.0.0")
        .doc("Returns the position of a member, the lowest score first.", LOG_N)
        .args("key member:string [WITHSCORE]")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)])
        .element(2)
        .history(&[("7.2.0", "`WITHSCORE`.")]),
    command("zrevrank", zrevrank, -3, READONLY | FAST)
        .since(Group::SortedSet, "2.0.0")
        .doc("Returns the position of a member, the highest score first.", LOG_N)
        .args("key member:string [WITHSCORE]")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)])
        .element(2)
        .history(&[("7.2.0", "`WITHSCORE`.")]),
    command("zcount", zcount, 4, READONLY | FAST)
        .since(Group::SortedSet, "2.0.0")
        .doc("Counts the members whose scores lie in a range.", LOG_N)
        .args("key min:double max:double")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)]),
    command("zlexcount", zlexcount, 4, READONLY | FAST)
        .since(Group::SortedSet, "2.8.9")
        .doc("Counts the members that lie in a range, where all have the same score.", LOG_N)
        .args("key min:string max:string")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)]),
    command("zrandmember", zrandmember, -2, READONLY | PARKS)
        .since(Group::SortedSet, "6.2.0")
        .doc(
            "Returns members of a sorted set chosen at random; with a negative count, the same ones perhaps.",
            "O(N*log(M)) for N members out of M.",
        )
        .args("key [options:(count:integer [WITHSCORES])]")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)])
        .tips(&["nondeterministic_output"]),
];
