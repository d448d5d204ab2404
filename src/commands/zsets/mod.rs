//! Sorted sets: what their commands share. Each file below has a few of the commands, and ends in their rows of the table.

pub mod adding;
mod bounds;
pub mod combining;
pub mod popping;
pub mod ranges;
pub mod reading;
pub mod removing;
pub mod walking;

use super::{
    Ctx,
    context::{Event, errors},
    storing,
};
use crate::{
    data::{
        float,
        listpack::Item,
        zset::{PackLimits, Zset},
    },
    resp::output::Output,
};

/// How large the compact form of a sorted set may become.
#[inline]
pub(super) fn limits(ctx: &Ctx<'_>) -> PackLimits {
    let config = &ctx.server.config;
    PackLimits { entries: config.zset_max_listpack_entries, value: config.zset_max_listpack_value, seed: ctx.server.keyspace.seed() }
}

/// Argument `i` as a number; answers with an error when it is none.
fn float_arg(ctx: &mut Ctx<'_>, i: usize) -> Option<f64> {
    let value = float::parse(ctx.arg(i));
    if value.is_none() {
        ctx.error(errors::NOT_FLOAT);
    }
    value
}

/// Adds a member to a reply.
#[inline]
pub(super) fn reply_member(out: &mut Output, member: Item<'_>) {
    match member {
        Item::Int(n) => out.bulk_int(n),
        Item::Str(bytes) => out.bulk(bytes),
    }
}

/// A score as replies write it.
#[inline]
fn with_text<R>(score: f64, f: impl FnOnce(&[u8]) -> R) -> R {
    /// Whole numbers up to here are written as such, and most scores are.
    const PLAIN_MAX: f64 = (1i64 << 53) as f64;
    let whole = score as i64;
    if score.abs() <= PLAIN_MAX && whole as f64 == score && (whole != 0 || score.is_sign_positive()) {
        return f(itoa::Buffer::new().format(whole).as_bytes());
    }
    let mut text = Vec::with_capacity(32);
    float::write(&mut text, score);
    f(&text)
}

/// Adds a score to a reply.
#[inline]
fn reply_score(out: &mut Output, score: f64) {
    with_text(score, |text| out.double_text(text));
}

/// The header of so many members, with or without their scores: flat in RESP2, pairs in RESP3.
#[inline]
fn reply_header(out: &mut Output, members: usize, with_scores: bool) {
    let flat_pairs = with_scores && !out.resp3();
    out.array(if flat_pairs { members.saturating_mul(2) } else { members });
}

/// One of the members behind [`reply_header`].
#[inline]
fn reply_element(out: &mut Output, member: Item<'_>, score: f64, with_scores: bool) {
    if !with_scores {
        return reply_member(out, member);
    }
    if out.resp3() {
        out.array(2);
    }
    reply_member(out, member);
    reply_score(out, score);
}

/// [`storing::store`] for a sorted set.
fn store(ctx: &mut Ctx<'_>, zset: Zset, event: &'static str) {
    let len = zset.len();
    storing::store(ctx, 1, zset, len, Event('z', event));
}

/// Says that the sorted set at argument `i` has lost members: none of them is no change.
fn removed(ctx: &mut Ctx<'_>, i: usize, gone: usize, event: &'static str, is_empty: bool) {
    if gone == 0 {
        return;
    }
    ctx.changed(i, Event('z', event));
    ctx.server.keyspace.dirty += gone as u64 - 1;
    if is_empty {
        ctx.remove_emptied(i);
    }
}
