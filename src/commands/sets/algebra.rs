//! Intersections, unions and differences.

use super::{limits, reply_member};
use crate::{
    commands::{
        Ctx,
        command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
        context::{Event, errors},
        storing,
    },
    data::{
        listpack::Item,
        set::{Set, SetLimits},
    },
    keyspace::{Keyspace, WrongType},
    resp::{output::Output, request::Args},
};
use std::{cmp::Reverse, ops::ControlFlow, ops::Range};

/// Looks the keys at these arguments up and says which are there; answers with an error when one is of another type.
fn look_up(ctx: &mut Ctx<'_>, keys: Range<usize>) -> Option<Vec<bool>> {
    let mut there = Vec::with_capacity(keys.len());
    for i in keys {
        match ctx.read_as::<Set>(i) {
            Ok(set) => there.push(set.is_some()),
            Err(WrongType) => {
                ctx.wrong_type();
                return None;
            }
        }
    }
    Some(there)
}

/// The sets that [`look_up`] has found at the arguments from `first` on.
fn sets<'s>(keyspace: &'s Keyspace, db: usize, args: Args<'_>, first: usize, there: &[bool]) -> Vec<Option<&'s Set>> {
    let key = |n| args.get(first + n);
    let find = |n| keyspace.seen_as(db, keyspace.hash(key(n)), key(n));
    there.iter().enumerate().map(|(n, there)| there.then(|| find(n)).flatten()).collect()
}

/// The smallest set first. None at all when one of them is not there: nothing is in all of them then.
fn by_size<'s>(sets: &[Option<&'s Set>]) -> Vec<&'s Set> {
    let mut sets: Vec<&Set> = sets.iter().copied().collect::<Option<_>>().unwrap_or_default();
    sets.sort_by_key(|set| set.len());
    sets
}

/// Shows every member of the first set that is in all the others to `visit`, until that has enough.
fn intersect(sets: &[&Set], mut visit: impl FnMut(Item<'_>) -> ControlFlow<()>) {
    let Some((first, others)) = sets.split_first() else { return };
    for member in first.iter() {
        if others.iter().all(|other| std::ptr::eq(*first, *other) || other.contains_item(member)) && visit(member).is_break() {
            return;
        }
    }
}

/// The intersection as a set of the form that Redis stores it in.
fn intersection(sets: &[&Set], limits: &SetLimits) -> Set {
    let mut result = match sets.first() {
        Some(first) if first.ints().is_none() => Set::listpack(),
        _ => Set::default(),
    };
    let mut only_integers = true;
    intersect(sets, |member| {
        only_integers = only_integers && matches!(Item::new(member.text(&mut itoa::Buffer::new())), Item::Int(_));
        result.add_item(member, limits);
        ControlFlow::Continue(())
    });
    if only_integers {
        result.make_ints(limits);
    }
    result
}

/// The union.
pub(super) fn union(sets: &[Option<&Set>], limits: &SetLimits) -> Set {
    let mut result = Set::default();
    for member in sets.iter().flatten().flat_map(|set| set.iter()) {
        result.add_item(member, limits);
    }
    result
}

/// The members of the first set that are in none of the others.
fn difference(sets: &[Option<&Set>], limits: &SetLimits) -> Set {
    let mut result = Set::default();
    let Some((Some(first), others)) = sets.split_first() else { return result };
    let mut others: Vec<&Set> = others.iter().flatten().copied().collect();
    if others.iter().any(|other| std::ptr::eq(*first, *other)) {
        return result;
    }
    // Either every member is looked for in the others, or theirs are taken out of a copy. What is looked at in each case; the first
    // has smaller steps. Which it is shows in the form of the result.
    let (looking, taking) = others.iter().fold((first.len(), first.len()), |(a, b), other| (a + first.len(), b + other.len()));
    if looking / 2 <= taking {
        others.sort_by_key(|other| Reverse(other.len()));
        for member in first.iter().filter(|member| !others.iter().any(|other| other.contains_item(*member))) {
            result.add_item(member, limits);
        }
        return result;
    }
    for member in first.iter() {
        result.add_item(member, limits);
    }
    for other in others {
        for member in other.iter() {
            result.remove_item(member);
        }
        if result.is_empty() {
            break;
        }
    }
    result
}

/// Answers with as many members as turn out to be.
fn reply_set(out: &mut Output, each: impl FnOnce(&mut dyn FnMut(Item<'_>))) {
    let (mut members, mut len) = (Output::default(), 0);
    each(&mut |member| {
        reply_member(&mut members, member);
        len += 1;
    });
    out.set(len);
    out.append(members);
}

/// [`storing::store`] for a set.
fn store(ctx: &mut Ctx<'_>, set: Set, event: &'static str) {
    let len = set.len();
    storing::store(ctx, 1, set, len, Event('s', event));
}

fn sinter(ctx: &mut Ctx) {
    let Some(there) = look_up(ctx, 1..ctx.argc()) else { return };
    let sets = by_size(&sets(&ctx.server.keyspace, ctx.db, ctx.args, 1, &there));
    reply_set(ctx.out, |reply| {
        intersect(&sets, |member| {
            reply(member);
            ControlFlow::Continue(())
        });
    });
}

fn sinterstore(ctx: &mut Ctx) {
    let Some(there) = look_up(ctx, 2..ctx.argc()) else { return };
    let sets = by_size(&sets(&ctx.server.keyspace, ctx.db, ctx.args, 2, &there));
    let result = intersection(&sets, &limits(ctx));
    store(ctx, result, "sinterstore");
}

fn sintercard(ctx: &mut Ctx) {
    let Some(keys) = ctx.count_arg(1, 1, errors::NUMKEYS) else { return };
    if keys > ctx.argc() - 2 {
        return ctx.error("ERR Number of keys can't be greater than number of args");
    }
    let mut limit = 0;
    let mut i = 2 + keys;
    while i < ctx.argc() {
        if !ctx.is_word(i, "limit") || i + 1 == ctx.argc() {
            return ctx.error(errors::SYNTAX);
        }
        match ctx.count_arg(i + 1, 0, "ERR LIMIT can't be negative") {
            Some(n) => limit = n,
            None => return,
        }
        i += 2;
    }
    let Some(there) = look_up(ctx, 2..2 + keys) else { return };
    let sets = by_size(&sets(&ctx.server.keyspace, ctx.db, ctx.args, 2, &there));
    let mut len = 0;
    intersect(&sets, |_| {
        len += 1;
        if len == limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    ctx.out.len_int(len);
}

/// A union or a difference of the sets at the arguments from `first` on.
fn combine(ctx: &mut Ctx<'_>, first: usize, how: fn(&[Option<&Set>], &SetLimits) -> Set) -> Option<Set> {
    let there = look_up(ctx, first..ctx.argc())?;
    let sets = sets(&ctx.server.keyspace, ctx.db, ctx.args, first, &there);
    Some(how(&sets, &limits(ctx)))
}

fn reply_combined(ctx: &mut Ctx<'_>, how: fn(&[Option<&Set>], &SetLimits) -> Set) {
    let Some(result) = combine(ctx, 1, how) else { return };
    ctx.out.set(result.len());
    result.iter().for_each(|member| reply_member(ctx.out, member));
}

fn sunion(ctx: &mut Ctx) {
    reply_combined(ctx, union);
}

fn sdiff(ctx: &mut Ctx) {
    reply_combined(ctx, difference);
}

fn sunionstore(ctx: &mut Ctx) {
    let Some(result) = combine(ctx, 2, union) else { return };
    store(ctx, result, "sunionstore");
}

fn sdiffstore(ctx: &mut Ctx) {
    let Some(result) = combine(ctx, 2, difference) else { return };
    store(ctx, result, "sdiffstore");
}

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("sinter", sinter, -2, READONLY)
        .since(Group::Set, "1.0.0")
        .doc("Returns what all of several sets have in common.", "O(N*M) at worst for the N members of the smallest of M sets.")
        .args("key...")
        .keys(&[KeySpec::range(1, -1, 1, k::RO | k::ACCESS)])
        .tips(&["nondeterministic_output_order"]),
    command("sintercard", sintercard, -3, READONLY | MOVABLE_KEYS)
        .since(Group::Set, "7.0.0")
        .doc("Counts what all of several sets have in common.", "O(N*M) at worst for the N members of the smallest of M sets.")
        .args("numkeys:integer key... [LIMIT limit:integer]")
        .keys(&[KeySpec::counted(1, k::RO | k::ACCESS)]),
    command("sinterstore", sinterstore, -3, WRITE | DENYOOM)
        .since(Group::Set, "1.0.0")
        .doc("Stores what all of several sets have in common.", "O(N*M) at worst for the N members of the smallest of M sets.")
        .args("destination key...")
        .keys(&[KeySpec::one(1, k::RW | k::UPDATE), KeySpec::range(2, -1, 1, k::RO | k::ACCESS)]),
    command("sunion", sunion, -2, READONLY)
        .since(Group::Set, "1.0.0")
        .doc("Returns what is in any of several sets.", "O(N) for the N members of all sets.")
        .args("key...")
        .keys(&[KeySpec::range(1, -1, 1, k::RO | k::ACCESS)])
        .tips(&["nondeterministic_output_order"]),
    command("sunionstore", sunionstore, -3, WRITE | DENYOOM)
        .since(Group::Set, "1.0.0")
        .doc("Stores what is in any of several sets.", "O(N) for the N members of all sets.")
        .args("destination key...")
        .keys(&[KeySpec::one(1, k::OW | k::UPDATE), KeySpec::range(2, -1, 1, k::RO | k::ACCESS)]),
    command("sdiff", sdiff, -2, READONLY)
        .since(Group::Set, "1.0.0")
        .doc("Returns what is in the first of several sets and in none of the others.", "O(N) for the N members of all sets.")
        .args("key...")
        .keys(&[KeySpec::range(1, -1, 1, k::RO | k::ACCESS)])
        .tips(&["nondeterministic_output_order"]),
    command("sdiffstore", sdiffstore, -3, WRITE | DENYOOM)
        .since(Group::Set, "1.0.0")
        .doc("Stores what is in the first of several sets and in none of the others.", "O(N) for the N members of all sets.")
        .args("destination key...")
        .keys(&[KeySpec::one(1, k::OW | k::UPDATE), KeySpec::range(2, -1, 1, k::RO | k::ACCESS)]),
];
