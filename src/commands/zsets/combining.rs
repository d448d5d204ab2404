//! Unions, intersections and differences of sorted sets, and of sets, whose members all count as having the score 1.

use super::{limits, reply_element, reply_header, store};
use crate::{
    commands::{
        Ctx,
        command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
        context::errors,
    },
    data::{
        entry::Value,
        float,
        key_hash::Seed,
        number,
        object::Object,
        set::Set,
        zset::{Gathering, Zset},
    },
    keyspace::Keyspace,
};
use std::{cmp::Reverse, ops::ControlFlow};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Union,
    Intersection,
    Difference,
    /// How many there would be.
    Cardinality,
}

/// What becomes of the scores of a member that is in several.
#[derive(Clone, Copy)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    fn of(self, a: f64, b: f64) -> f64 {
        match self {
            // The sum of both infinities counts as 0.
            Self::Sum => zero_if_nan(a + b),
            Self::Min => {
                if b < a {
                    b
                } else {
                    a
                }
            }
            Self::Max => {
                if b > a {
                    b
                } else {
                    a
                }
            }
        }
    }
}

fn zero_if_nan(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// One of the values that are combined.
#[derive(Clone, Copy)]
struct WeightedInput<'s> {
    value: InputValue<'s>,
    weight: f64,
}

#[derive(Clone, Copy)]
enum InputValue<'s> {
    Missing,
    Set(&'s Set),
    Zset(&'s Zset),
}

impl<'s> WeightedInput<'s> {
    fn len(&self) -> usize {
        match self.value {
            InputValue::Missing => 0,
            InputValue::Set(set) => set.len(),
            InputValue::Zset(zset) => zset.len(),
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        match (self.value, other.value) {
            (InputValue::Set(a), InputValue::Set(b)) => std::ptr::eq(a, b),
            (InputValue::Zset(a), InputValue::Zset(b)) => std::ptr::eq(a, b),
            _ => false,
        }
    }

    fn score(&self, member: &[u8]) -> Option<f64> {
        match self.value {
            InputValue::Missing => None,
            InputValue::Set(set) => set.contains(member).then_some(1.0),
            InputValue::Zset(zset) => zset.score(member),
        }
    }

    /// Shows every member with its own score, until `visit` has enough.
    fn each(&self, mut visit: impl FnMut(&[u8], f64) -> ControlFlow<()>) {
        let mut digits = itoa::Buffer::new();
        // The first break ends the walk, which nobody asks about.
        let _ = match self.value {
            InputValue::Missing => ControlFlow::Continue(()),
            InputValue::Set(set) => set.iter().try_for_each(|member| visit(member.text(&mut digits), 1.0)),
            InputValue::Zset(zset) => zset.iter().try_for_each(|(member, score)| visit(member.text(&mut digits), score)),
        };
    }
}

/// What the options ask for.
struct CombineOptions {
    weights: Vec<f64>,
    aggregate: Aggregate,
    with_scores: bool,
    /// 0: none.
    limit: usize,
}

/// Says of `keys` arguments from `first` on whether they are there; answers with an error when one is neither a set nor a sorted set.
fn look_up(ctx: &mut Ctx<'_>, first: usize, keys: usize) -> Option<Vec<bool>> {
    let mut there = Vec::with_capacity(keys);
    for i in first..first + keys {
        let of_type = ctx.read(i).map(|entry| matches!(entry.value(), Value::Object(Object::Set(_) | Object::Zset(_))));
        if of_type == Some(false) {
            ctx.wrong_type();
            return None;
        }
        there.push(of_type.is_some());
    }
    Some(there)
}

/// The value at a key that [`look_up`] has found.
fn seen<'s>(keyspace: &'s Keyspace, db: usize, key: &[u8]) -> InputValue<'s> {
    let hash = keyspace.hash(key);
    if let Some(zset) = keyspace.seen_as(db, hash, key) {
        return InputValue::Zset(zset);
    }
    keyspace.seen_as(db, hash, key).map_or(InputValue::Missing, InputValue::Set)
}

impl CombineOptions {
    /// Reads the arguments from `from` on; answers with an error when they are wrong.
    fn parse(ctx: &mut Ctx<'_>, from: usize, keys: usize, operation: Operation, is_store: bool) -> Option<Self> {
        let mut options = Self { weights: Vec::new(), aggregate: Aggregate::Sum, with_scores: false, limit: 0 };
        let is_weighed = matches!(operation, Operation::Union | Operation::Intersection);
        let mut i = from;
        while i < ctx.argc() {
            let left = ctx.argc() - i;
            if is_weighed && left > keys && ctx.is_word(i, "weights") {
                options.weights.clear();
                for at in i + 1..=i + keys {
                    let Some(weight) = float::parse(ctx.arg(at)) else {
                        ctx.error("ERR weight value is not a float");
                        return None;
                    };
                    options.weights.push(weight);
                }
                i += 1 + keys;
            } else if is_weighed && left > 1 && ctx.is_word(i, "aggregate") {
                options.aggregate = match i + 1 {
                    at if ctx.is_word(at, "sum") => Aggregate::Sum,
                    at if ctx.is_word(at, "min") => Aggregate::Min,
                    at if ctx.is_word(at, "max") => Aggregate::Max,
                    _ => {
                        ctx.error(errors::SYNTAX);
                        return None;
                    }
                };
                i += 2;
            } else if !is_store && operation != Operation::Cardinality && ctx.is_word(i, "withscores") {
                options.with_scores = true;
                i += 1;
            } else if operation == Operation::Cardinality && left > 1 && ctx.is_word(i, "limit") {
                options.limit = ctx.count_arg(i + 1, 0, "ERR LIMIT can't be negative")?;
                i += 2;
            } else {
                ctx.error(errors::SYNTAX);
                return None;
            }
        }
        Some(options)
    }
}

/// Shows each member that is in all of the sources, which are ordered by size, with the score that is made of its scores.
fn intersect(sources: &[WeightedInput<'_>], aggregate: Aggregate, mut visit: impl FnMut(&[u8], f64) -> ControlFlow<()>) {
    let Some((first, others)) = sources.split_first() else { return };
    first.each(|member, own| {
        let mut score = zero_if_nan(first.weight * own);
        for other in others {
            let Some(found) = (if other.is_same(first) { Some(own) } else { other.score(member) }) else {
                return ControlFlow::Continue(());
            };
            score = aggregate.of(score, found * other.weight);
        }
        visit(member, score)
    });
}

fn union(sources: &[WeightedInput<'_>], aggregate: Aggregate, seed: Seed) -> Gathering {
    let mut all = Gathering::new(seed);
    for source in sources {
        source.each(|member, score| {
            let score = zero_if_nan(source.weight * score);
            all.put(member, |old| old.map_or(score, |old| aggregate.of(old, score)));
            ControlFlow::Continue(())
        });
    }
    all
}

/// The members of the first source that are in none of the others.
fn difference(sources: &[WeightedInput<'_>], seed: Seed) -> Gathering {
    let mut result = Gathering::new(seed);
    let Some((first, others)) = sources.split_first() else { return result };
    if others.iter().any(|other| other.is_same(first)) {
        return result;
    }
    let mut keep = |member: &[u8], score, is_there: bool| {
        if !is_there {
            result.insert_new(member, score);
        }
        ControlFlow::Continue(())
    };
    let together: usize = others.iter().map(WeightedInput::len).sum();
    if first.len() * others.len() <= 2 * (first.len() + together) {
        // The largest are the likeliest to have it.
        let mut others = others.to_vec();
        others.sort_by_key(|other| Reverse(other.len()));
        first.each(|member, score| keep(member, score, others.iter().any(|other| other.score(member).is_some())));
    } else {
        // Many small ones: one look-up for each member is cheaper than one in each of them.
        let all = union(others, Aggregate::Sum, seed);
        first.each(|member, score| keep(member, score, all.contains(member)));
    }
    result
}

/// What all these commands do. The number of keys is at argument `number`; with a destination, that is in front of it.
fn combine(ctx: &mut Ctx<'_>, number: usize, operation: Operation, event: Option<&'static str>) {
    let keys = match number::parse_i64(ctx.arg(number)) {
        None => return ctx.error(errors::NOT_INTEGER),
        Some(..1) => {
            let name = ctx.registry.full_name(ctx.command).to_owned();
            return ctx.error(format!("ERR at least 1 input key is needed for '{name}' command"));
        }
        Some(keys) => keys as usize,
    };
    let first = number + 1;
    if keys > ctx.argc() - first {
        return ctx.error(errors::SYNTAX);
    }
    let Some(there) = look_up(ctx, first, keys) else { return };
    let Some(options) = CombineOptions::parse(ctx, first + keys, keys, operation, event.is_some()) else { return };
    let limits = limits(ctx);
    let (keyspace, seed) = (&ctx.server.keyspace, limits.seed);
    let source = |(n, is_there): (usize, &bool)| WeightedInput {
        value: if *is_there { seen(keyspace, ctx.db, ctx.args.get(first + n)) } else { InputValue::Missing },
        weight: options.weights.get(n).copied().unwrap_or(1.0),
    };
    let mut sources: Vec<WeightedInput<'_>> = there.iter().enumerate().map(source).collect();
    if operation != Operation::Difference {
        // In this order are the scores added up, too.
        sources.sort_by_key(WeightedInput::len);
    }
    let result = match operation {
        Operation::Union => union(&sources, options.aggregate, seed),
        Operation::Difference => difference(&sources, seed),
        Operation::Intersection => {
            let mut result = Gathering::new(seed);
            intersect(&sources, options.aggregate, |member, score| {
                result.insert_new(member, score);
                ControlFlow::Continue(())
            });
            result
        }
        Operation::Cardinality => {
            let mut count = 0;
            intersect(&sources, Aggregate::Sum, |_, _| {
                count += 1;
                if count == options.limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            return ctx.out.len_int(count);
        }
    };
    match event {
        Some(event) => store(ctx, result.finish(limits), event),
        None => {
            let result = result.sorted();
            reply_header(ctx.out, result.len(), options.with_scores);
            result.iter().for_each(|(member, score)| reply_element(ctx.out, member, score, options.with_scores));
        }
    }
}

fn zunion(ctx: &mut Ctx) {
    combine(ctx, 1, Operation::Union, None);
}

fn zinter(ctx: &mut Ctx) {
    combine(ctx, 1, Operation::Intersection, None);
}

fn zdiff(ctx: &mut Ctx) {
    combine(ctx, 1, Operation::Difference, None);
}

fn zunionstore(ctx: &mut Ctx) {
    combine(ctx, 2, Operation::Union, Some("zunionstore"));
}

fn zinterstore(ctx: &mut Ctx) {
    combine(ctx, 2, Operation::Intersection, Some("zinterstore"));
}

fn zdiffstore(ctx: &mut Ctx) {
    combine(ctx, 2, Operation::Difference, Some("zdiffstore"));
}

fn zintercard(ctx: &mut Ctx) {
    combine(ctx, 1, Operation::Cardinality, None);
}

const UNION_COST: &str = "O(N)+O(M*log(M)) for N members in all and M in the result.";
const INTER_COST: &str = "O(N*K)+O(M*log(M)) for N members of the smallest of K sorted sets and M in the result.";
const DIFF_COST: &str = "O(L)+O(M*log(M)) for L members in all and M in the result.";
const READ: KeySpec = KeySpec::counted(1, k::RO | k::ACCESS);
const STORE: &[KeySpec] = &[KeySpec::one(1, k::OW | k::UPDATE), KeySpec::counted(2, k::RO | k::ACCESS)];

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("zunion", zunion, -3, READONLY)
        .since(Group::SortedSet, "6.2.0")
        .doc("Returns the members of any of several sorted sets.", UNION_COST)
        .args("numkeys:integer key... [WEIGHTS weight:integer...] [AGGREGATE aggregate:(SUM|MIN|MAX)] [WITHSCORES]")
        .keys(&[READ]),
    command("zinter", zinter, -3, READONLY)
        .since(Group::SortedSet, "6.2.0")
        .doc("Returns the members that are in all of several sorted sets.", INTER_COST)
        .args("numkeys:integer key... [WEIGHTS weight:integer...] [AGGREGATE aggregate:(SUM|MIN|MAX)] [WITHSCORES]")
        .keys(&[READ]),
    command("zdiff", zdiff, -3, READONLY)
        .since(Group::SortedSet, "6.2.0")
        .doc("Returns the members of the first sorted set that are in none of the others.", DIFF_COST)
        .args("numkeys:integer key... [WITHSCORES]")
        .keys(&[READ]),
    command("zunionstore", zunionstore, -4, WRITE | DENYOOM)
        .since(Group::SortedSet, "2.0.0")
        .doc("Stores the members of any of several sorted sets.", UNION_COST)
        .args("destination numkeys:integer key... [WEIGHTS weight:integer...] [AGGREGATE aggregate:(SUM|MIN|MAX)]")
        .keys(STORE),
    command("zinterstore", zinterstore, -4, WRITE | DENYOOM)
        .since(Group::SortedSet, "2.0.0")
        .doc("Stores the members that are in all of several sorted sets.", INTER_COST)
        .args("destination numkeys:integer key... [WEIGHTS weight:integer...] [AGGREGATE aggregate:(SUM|MIN|MAX)]")
        .keys(STORE),
    command("zdiffstore", zdiffstore, -4, WRITE | DENYOOM)
        .since(Group::SortedSet, "6.2.0")
        .doc("Stores the members of the first sorted set that are in none of the others.", DIFF_COST)
        .args("destination numkeys:integer key...")
        .keys(STORE),
    command("zintercard", zintercard, -3, READONLY)
        .since(Group::SortedSet, "7.0.0")
        .doc("Counts the members that are in all of several sorted sets.", "O(N*K) for N members of the smallest of K sorted sets.")
        .args("numkeys:integer key... [LIMIT limit:integer]")
        .keys(&[READ]),
];
