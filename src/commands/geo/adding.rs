//! GEOADD: a ZADD whose scores are given as points.

use super::point_arg;
use crate::{
    commands::{
        Ctx,
        command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
        context::errors,
        zsets::adding::{MemberArgs, Rule, add},
    },
    data::geo::cell,
    resp::request::OwnedArgs,
};

fn geoadd(ctx: &mut Ctx) {
    let (mut new_only, mut old_only, mut count_changed, mut first) = (false, false, false, 2);
    while first < ctx.argc() {
        match ctx.arg(first) {
            word if word.eq_ignore_ascii_case(b"nx") => new_only = true,
            word if word.eq_ignore_ascii_case(b"xx") => old_only = true,
            word if word.eq_ignore_ascii_case(b"ch") => count_changed = true,
            _ => break,
        }
        first += 1;
    }
    let left = ctx.argc() - first;
    if left == 0 || !left.is_multiple_of(3) || new_only && old_only {
        return ctx.error(errors::SYNTAX);
    }
    // All or nothing: every point is read before the first is added. Mostly there is one.
    let Some(point) = point_arg(ctx, first) else { return };
    let (score, mut scores) = (cell::score(point), Vec::new());
    for i in (first + 3..ctx.argc()).step_by(3) {
        match point_arg(ctx, i) {
            Some(point) => scores.push(cell::score(point)),
            None => return,
        }
    }
    if ctx.is_logged() {
        log_as_zadd(ctx, first, score, &scores);
    }
    let members = MemberArgs { first: first + 2, apart: 3 };
    add(ctx, score, scores, members, &Rule { new_only, old_only, ..Rule::default() }, count_changed);
}

/// The log of writes gets a ZADD: it knows no places.
fn log_as_zadd(ctx: &mut Ctx<'_>, first: usize, score: f64, scores: &[f64]) {
    let mut args = OwnedArgs::new(&[b"zadd"]);
    ctx.keep_args(&mut args, 1..first);
    for (n, score) in [score].iter().chain(scores).enumerate() {
        let member = first + 2 + 3 * n;
        args.push(itoa::Buffer::new().format(*score as u64).as_bytes());
        ctx.keep_args(&mut args, member..member + 1);
    }
    ctx.log_owned(args);
}

/// The row of this command.
pub const COMMANDS: &[Command] = &[command("geoadd", geoadd, -5, WRITE | DENYOOM)
    .since(Group::Geo, "3.2.0")
    .doc(
        "Adds members with their places to a sorted set, or changes the places of those that are there.",
        "O(log(N)) for each member, in a sorted set of N members.",
    )
    .args("key [condition:(NX|XX)] [change:CH] data:(longitude:double latitude:double member:string)...")
    .keys(&[KeySpec::one(1, k::RW | k::UPDATE)])
    .element(4)
    .history(&[("6.2.0", "`CH`, `NX` and `XX`.")])];
