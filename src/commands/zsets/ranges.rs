//! Ranges by rank, by score and by member: ZRANGE and its older forms, and ZRANGESTORE.

use super::{
    bounds::{MemberRange, Scores},
    limits, reply_element, reply_header, store,
};
use crate::{
    commands::{
        Ctx,
        command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
        context::errors,
    },
    data::zset::Zset,
    keyspace::WrongType,
    resp::output::Output,
};
use std::ops::Range;

/// By what a range is meant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Member,
}

/// What the arguments ask for.
struct Query<'a> {
    span: Span<'a>,
    reverse: bool,
    with_scores: bool,
    offset: i64,
    /// Negative: as many as there are.
    limit: i64,
}

enum Span<'a> {
    /// From and to, counted from the end where negative.
    Ranks(i64, i64),
    Scores(Scores),
    MemberRange(MemberRange<'a>),
}

/// The ranks of a range whose ends are counted from the end where negative.
pub(super) fn ranks(from: i64, to: i64, len: usize) -> Range<usize> {
    let len = len as i64;
    let from_start = |at: i64| if at < 0 { len.saturating_add(at) } else { at };
    let (from, to) = (from_start(from).max(0), from_start(to).min(len - 1));
    if from > to { 0..0 } else { from as usize..to as usize + 1 }
}

impl<'a> Query<'a> {
    /// Reads the arguments behind the source at argument `source`; answers with an error when they are wrong. What is not given here
    /// may be said by an option.
    fn parse(ctx: &mut Ctx<'a>, source: usize, is_store: bool, by: Option<By>, reverse: Option<bool>) -> Option<Self> {
        let (mut chosen_by, mut chosen_reverse) = (by, reverse);
        let (mut with_scores, mut offset, mut limit) = (false, 0, -1);
        let mut i = source + 3;
        while i < ctx.argc() {
            if !is_store && ctx.is_word(i, "withscores") {
                with_scores = true;
            } else if ctx.is_word(i, "limit") && i + 2 < ctx.argc() {
                offset = ctx.int_arg(i + 1)?;
                limit = ctx.int_arg(i + 2)?;
                i += 2;
            } else if reverse.is_none() && chosen_reverse.is_none() && ctx.is_word(i, "rev") {
                chosen_reverse = Some(true);
            } else if chosen_by.is_none() && ctx.is_word(i, "bylex") {
                chosen_by = Some(By::Member);
            } else if chosen_by.is_none() && ctx.is_word(i, "byscore") {
                chosen_by = Some(By::Score);
            } else {
                ctx.error(errors::SYNTAX);
                return None;
            }
            i += 1;
        }
        let (by, reverse) = (chosen_by.unwrap_or(By::Rank), chosen_reverse.unwrap_or(false));
        if limit != -1 && by == By::Rank {
            ctx.error("ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX");
            return None;
        }
        if with_scores && by == By::Member {
            ctx.error("ERR syntax error, WITHSCORES not supported in combination with BYLEX");
            return None;
        }
        let (from, to) = (source + 1, source + 2);
        // The greater end comes first where the greatest member does.
        let (min, max) = if reverse { (ctx.arg(to), ctx.arg(from)) } else { (ctx.arg(from), ctx.arg(to)) };
        let span = match by {
            By::Rank => {
                let from = ctx.int_arg(from)?;
                Some(Span::Ranks(from, ctx.int_arg(to)?))
            }
            By::Score => Scores::parse(min, max).map(Span::Scores),
            By::Member => MemberRange::parse(min, max).map(Span::MemberRange),
        };
        if span.is_none() {
            ctx.error(if by == By::Score { "ERR min or max is not a float" } else { "ERR min or max not valid string range item" });
        }
        Some(Self { span: span?, reverse, with_scores, offset, limit })
    }

    /// The ranks that are asked for, the lowest score first.
    fn ranks(&self, zset: &Zset) -> Range<usize> {
        let len = zset.len();
        let found = match &self.span {
            Span::Ranks(from, to) => {
                let Range { start, end } = ranks(*from, *to, len);
                return if self.reverse && start < end { len - end..len - start } else { start..end };
            }
            Span::Scores(scores) => scores.ranks(zset),
            Span::MemberRange(members) => members.ranks(zset),
        };
        // A negative offset never comes to an end in front of the range.
        let offset = usize::try_from(self.offset).unwrap_or(usize::MAX);
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        if offset >= found.len() {
            return 0..0;
        }
        let count = limit.min(found.len() - offset);
        if self.reverse {
            let end = found.end - offset;
            end - count..end
        } else {
            let start = found.start + offset;
            start..start + count
        }
    }

    fn reply(&self, out: &mut Output, zset: &Zset) {
        let ranks = self.ranks(zset);
        reply_header(out, ranks.len(), self.with_scores);
        let members = zset.range(ranks);
        if self.reverse {
            members.rev().for_each(|(member, score)| reply_element(out, member, score, self.with_scores));
        } else {
            members.for_each(|(member, score)| reply_element(out, member, score, self.with_scores));
        }
    }
}

fn range(ctx: &mut Ctx<'_>, by: Option<By>, reverse: Option<bool>) {
    let Some(query) = Query::parse(ctx, 1, false, by, reverse) else { return };
    let (hash, key) = (ctx.hash(1), ctx.arg(1));
    match ctx.server.keyspace.read_as::<Zset>(ctx.db, hash, key) {
        Err(WrongType) => ctx.wrong_type(),
        Ok(None) => ctx.out.array(0),
        Ok(Some(zset)) => query.reply(ctx.out, zset),
    }
}

fn zrange(ctx: &mut Ctx) {
    range(ctx, None, None);
}

fn zrevrange(ctx: &mut Ctx) {
    range(ctx, Some(By::Rank), Some(true));
}

fn zrangebyscore(ctx: &mut Ctx) {
    range(ctx, Some(By::Score), Some(false));
}

fn zrevrangebyscore(ctx: &mut Ctx) {
    range(ctx, Some(By::Score), Some(true));
}

fn zrangebylex(ctx: &mut Ctx) {
    range(ctx, Some(By::Member), Some(false));
}

fn zrevrangebylex(ctx: &mut Ctx) {
    range(ctx, Some(By::Member), Some(true));
}

fn zrangestore(ctx: &mut Ctx) {
    let Some(query) = Query::parse(ctx, 2, true, None, None) else { return };
    let limits = limits(ctx);
    let result = match ctx.read_as::<Zset>(2) {
        Err(WrongType) => return ctx.wrong_type(),
        Ok(None) => Zset::default(),
        Ok(Some(zset)) => {
            let ranks = query.ranks(zset);
            // Only by rank is it known beforehand how many there will be, and Redis then begins with the form for so many.
            let expected = if matches!(query.span, Span::Ranks(..)) { ranks.len() } else { 0 };
            let mut result = Zset::with_expected(expected, 0, limits);
            for (member, score) in zset.range(ranks) {
                result.insert_new(member.text(&mut itoa::Buffer::new()), score, limits);
            }
            result
        }
    };
    store(ctx, result, "zrangestore");
}

const LOG_N_AND_M: &str = "O(log(N)+M) for M members out of N.";

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("zrange", zrange, -4, READONLY)
        .since(Group::SortedSet, "1.2.0")
        .doc("Returns the members in a range of positions, of scores or of members.", LOG_N_AND_M)
        .args("key start:string stop:string [sortby:(BYSCORE|BYLEX)] [REV] [LIMIT limit:(offset:integer count:integer)] [WITHSCORES]")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)])
        .history(&[("6.2.0", "`REV`, `BYSCORE`, `BYLEX` and `LIMIT`.")]),
    command("zrangestore", zrangestore, -5, WRITE | DENYOOM)
        .since(Group::SortedSet, "6.2.0")
        .doc("Stores the members in a range under another key.", LOG_N_AND_M)
        .args("dst src min:string max:string [sortby:(BYSCORE|BYLEX)] [REV] [LIMIT limit:(offset:integer count:integer)]")
        .keys(&[KeySpec::one(1, k::OW | k::UPDATE), KeySpec::one(2, k::RO | k::ACCESS)]),
    command("zrangebyscore", zrangebyscore, -4, READONLY)
        .since(Group::SortedSet, "1.0.5")
        .doc("Returns the members whose scores lie in a range.", LOG_N_AND_M)
        .args("key min:double max:double [WITHSCORES] [LIMIT limit:(offset:integer count:integer)]")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)])
        .history(&[("2.0.0", "`WITHSCORES`.")])
        .deprecated("6.2.0", "`ZRANGE` with the `BYSCORE` argument"),
    command("zrevrangebyscore", zrevrangebyscore, -4, READONLY)
        .since(Group::SortedSet, "2.2.0")
        .doc("Returns the members whose scores lie in a range, the highest score first.", LOG_N_AND_M)
        .args("key max:double min:double [WITHSCORES] [LIMIT limit:(offset:integer count:integer)]")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)])
        .history(&[("2.1.6", "`min` and `max` can be left out of the range.")])
        .deprecated("6.2.0", "`ZRANGE` with the `REV` and `BYSCORE` arguments"),
    command("zrangebylex", zrangebylex, -4, READONLY)
        .since(Group::SortedSet, "2.8.9")
        .doc("Returns the members that lie in a range, where all have the same score.", LOG_N_AND_M)
        .args("key min:string max:string [LIMIT limit:(offset:integer count:integer)]")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)])
        .deprecated("6.2.0", "`ZRANGE` with the `BYLEX` argument"),
    command("zrevrangebylex", zrevrangebylex, -4, READONLY)
        .since(Group::SortedSet, "2.8.9")
        .doc("Returns the members that lie in a range, where all have the same score, the last one first.", LOG_N_AND_M)
        .args("key max:string min:string [LIMIT limit:(offset:integer count:integer)]")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)])
        .deprecated("6.2.0", "`ZRANGE` with the `REV` and `BYLEX` arguments"),
    command("zrevrange", zrevrange, -4, READONLY)
        .since(Group::SortedSet, "1.2.0")
        .doc("Returns the members in a range of positions, the highest score first.", LOG_N_AND_M)
        .args("key start:integer stop:integer [WITHSCORES]")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)])
        .deprecated("6.2.0", "`ZRANGE` with the `REV` argument"),
];
