//! ZADD and ZINCRBY.

use super::{float_arg, limits, reply_score};
use crate::{
    commands::{
        Ctx,
        command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
        context::{Event, NEW, errors},
    },
    data::zset::{ScoreChange, Zset},
    keyspace::WrongType,
};

/// What ZADD may and may not do.
#[derive(Default)]
pub struct Rule {
    /// Adds only.
    pub new_only: bool,
    /// Changes only.
    pub old_only: bool,
    /// Changes only to what is greater.
    pub greater: bool,
    /// Changes only to what is less.
    pub less: bool,
    /// What is given is added to what there is.
    pub increment: bool,
}

/// Which arguments are members.
#[derive(Clone, Copy)]
pub struct MemberArgs {
    /// The first.
    pub first: usize,
    /// From one to the next.
    pub apart: usize,
}

impl Rule {
    /// The score that a member with this one is to have; `None` when it is to be left alone.
    #[inline]
    fn apply(&self, old: Option<f64>, given: f64) -> Option<f64> {
        let Some(old) = old else { return (!self.old_only).then_some(given) };
        if self.new_only {
            return None;
        }
        let new = if self.increment { old + given } else { given };
        (!(self.less && new >= old || self.greater && new <= old)).then_some(new)
    }
}

fn zadd(ctx: &mut Ctx) {
    let (mut rule, mut count_changed, mut first) = (Rule::default(), false, 2);
    while first < ctx.argc() {
        match ctx.arg(first) {
            word if word.eq_ignore_ascii_case(b"nx") => rule.new_only = true,
            word if word.eq_ignore_ascii_case(b"xx") => rule.old_only = true,
            word if word.eq_ignore_ascii_case(b"gt") => rule.greater = true,
            word if word.eq_ignore_ascii_case(b"lt") => rule.less = true,
            word if word.eq_ignore_ascii_case(b"ch") => count_changed = true,
            word if word.eq_ignore_ascii_case(b"incr") => rule.increment = true,
            _ => break,
        }
        first += 1;
    }
    let left = ctx.argc() - first;
    if left == 0 || !left.is_multiple_of(2) {
        return ctx.error(errors::SYNTAX);
    }
    if rule.new_only && rule.old_only {
        return ctx.error("ERR XX and NX options at the same time are not compatible");
    }
    if rule.greater && rule.less || rule.new_only && (rule.greater || rule.less) {
        return ctx.error("ERR GT, LT, and/or NX options at the same time are not compatible");
    }
    if rule.increment && left > 2 {
        return ctx.error("ERR INCR option supports a single increment-element pair");
    }
    add_pairs(ctx, first, &rule, count_changed);
}

fn zincrby(ctx: &mut Ctx) {
    add_pairs(ctx, 2, &Rule { increment: true, ..Rule::default() }, false);
}

/// Adds the scores and members from argument `first` on.
fn add_pairs(ctx: &mut Ctx<'_>, first: usize, rule: &Rule, count_changed: bool) {
    // All or nothing: every score is read before the first is set. Mostly there is one.
    let Some(score) = float_arg(ctx, first) else { return };
    let mut scores = Vec::new();
    for i in (first + 2..ctx.argc()).step_by(2) {
        match float_arg(ctx, i) {
            Some(score) => scores.push(score),
            None => return,
        }
    }
    add(ctx, score, scores, MemberArgs { first: first + 1, apart: 2 }, rule, count_changed);
}

/// Adds members with their scores, of which there is at least one, and answers.
pub fn add(ctx: &mut Ctx<'_>, score: f64, scores: Vec<f64>, at: MemberArgs, rule: &Rule, count_changed: bool) {
    let members = 1 + scores.len();
    let (hash, key, args, limits) = (ctx.hash(1), ctx.arg(1), ctx.args, limits(ctx));
    let keyspace = &mut ctx.server.keyspace;
    let found = if rule.old_only {
        keyspace.write_as::<Zset>(ctx.db, hash, key).map(|found| found.map(|zset| (zset, false)))
    } else {
        keyspace.write_or_insert(ctx.db, hash, key, || Zset::with_expected(members, args.get(at.first).len(), limits)).map(Some)
    };
    let (mut added, mut updated, mut last, mut is_new) = (0, 0, None, false);
    match found {
        Err(WrongType) => return ctx.wrong_type(),
        Ok(None) => (),
        Ok(Some((zset, new))) => {
            is_new = new;
            zset.expect(members, limits);
            for (n, given) in std::iter::once(score).chain(scores).enumerate() {
                let change = zset.upsert(args.get(at.first + at.apart * n), limits, |old| {
                    last = rule.apply(old, given);
                    last.filter(|score| !score.is_nan())
                });
                match change {
                    ScoreChange::Added => added += 1,
                    ScoreChange::Updated => updated += 1,
                    ScoreChange::None => (),
                }
            }
        }
    }
    if last.is_some_and(f64::is_nan) {
        // The only member there was, and it was there before.
        return ctx.error("ERR resulting score is not a number (NaN)");
    }
    if added + updated > 0 {
        if is_new {
            ctx.notify(key, NEW);
        }
        ctx.changed(1, Event('z', if rule.increment { "zincr" } else { "zadd" }));
        ctx.server.keyspace.dirty += added + updated - 1;
    }
    match last {
        _ if !rule.increment => ctx.out.int((if count_changed { added + updated } else { added }) as i64),
        Some(score) => reply_score(ctx.out, score),
        None => ctx.out.null(),
    }
}

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("zadd", zadd, -4, WRITE | DENYOOM | FAST)
        .since(Group::SortedSet, "1.2.0")
        .doc(
            "Adds members with their scores to a sorted set, or changes the scores of those that are there.",
            "O(log(N)) for each member, in a sorted set of N members.",
        )
        .args("key [condition:(NX|XX)] [comparison:(GT|LT)] [change:CH] [increment:INCR] data:(score:double member:string)...")
        .keys(&[KeySpec::one(1, k::RW | k::UPDATE)])
        .element(3)
        .history(&[("2.4.0", "More than one member."), ("3.0.2", "`XX`, `NX`, `CH` and `INCR`."), ("6.2.0", "`GT` and `LT`.")]),
    command("zincrby", zincrby, 4, WRITE | DENYOOM | FAST)
        .since(Group::SortedSet, "1.2.0")
        .doc("Adds a number to the score of a member; a missing member counts as 0.", "O(log(N)) in a sorted set of N members.")
        .args("key increment:integer member:string")
        .keys(&[KeySpec::one(1, k::RW | k::ACCESS | k::UPDATE)])
        .element(3),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_says_which_scores_may_be_set() {
        let rule = |words: &str| Rule {
            new_only: words.contains("nx"),
            old_only: words.contains("xx"),
            greater: words.contains("gt"),
            less: words.contains("lt"),
            increment: words.contains("incr"),
        };
        for (words, old, given, new) in [
            ("", None, 1.0, Some(1.0)),
            ("", Some(5.0), 1.0, Some(1.0)),
            ("nx", None, 1.0, Some(1.0)),
            ("nx", Some(5.0), 1.0, None),
            ("xx", None, 1.0, None),
            ("xx", Some(5.0), 1.0, Some(1.0)),
            ("gt", None, 1.0, Some(1.0)),
            ("gt", Some(5.0), 5.0, None),
            ("gt", Some(5.0), 6.0, Some(6.0)),
            ("lt", Some(5.0), 5.0, None),
            ("lt", Some(5.0), 4.0, Some(4.0)),
            ("incr", None, 1.0, Some(1.0)),
            ("incr", Some(5.0), 1.0, Some(6.0)),
            ("gt incr", Some(5.0), -1.0, None),
            ("lt incr", Some(5.0), -1.0, Some(4.0)),
            ("xx gt", Some(5.0), 7.0, Some(7.0)),
        ] {
            assert_eq!(rule(words).apply(old, given), new, "{words}: {old:?} {given}");
        }
    }
}
