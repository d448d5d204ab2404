//! ZSCAN.

use super::with_text;
use crate::{
    commands::{
        Ctx,
        command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
        scanning::{self, Scan, ScanReply},
    },
    data::{dict::Cursor, zset::Zset},
    keyspace::WrongType,
};

fn zscan(ctx: &mut Ctx) {
    let Some(cursor) = scanning::cursor(ctx, 2) else { return };
    match ctx.read_as::<Zset>(1) {
        Err(WrongType) => return ctx.wrong_type(),
        Ok(None) => return ScanReply::default().reply(ctx.out, Cursor(0)),
        Ok(Some(_)) => (),
    }
    let Some(scan) = Scan::options(ctx, 3, |_, _| 0) else { return };
    let Some(zset) = ctx.server.keyspace.seen_as::<Zset>(ctx.db, ctx.hash(1), ctx.arg(1)) else { return };
    let (mut found, mut next) = (ScanReply::default(), Cursor(0));
    let mut see = |member: &[u8], score| {
        if scan.wants(member) {
            found.push(member);
            with_text(score, |text| found.push(text));
        }
    };
    match zset.members() {
        Some(table) => next = scan.walk(table, cursor, |member| see(member.bytes(), member.score())),
        // What is small is returned at once.
        None => zset.iter().for_each(|(member, score)| see(member.text(&mut itoa::Buffer::new()), score)),
    }
    found.reply(ctx.out, next);
}

/// The row of this command.
pub const COMMANDS: &[Command] = &[command("zscan", zscan, -3, READONLY)
    .since(Group::SortedSet, "2.8.0")
    .doc(
        "Walks through the members of a sorted set and their scores, some at a time.",
        "O(1) for each call, O(N) for the whole walk through N members.",
    )
    .args("key cursor:integer [MATCH pattern:pattern] [COUNT count:integer]")
    .keys(&[KeySpec::one(1, k::RO | k::ACCESS)])
    .tips(&["nondeterministic_output"])];
