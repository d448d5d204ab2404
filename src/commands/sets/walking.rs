//! SSCAN.

use crate::{
    commands::{
        Ctx,
        command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
        scanning::{self, Scan, ScanReply},
    },
    data::{dict::Cursor, set::Set},
    keyspace::WrongType,
};

fn sscan(ctx: &mut Ctx) {
    let Some(cursor) = scanning::cursor(ctx, 2) else { return };
    match ctx.read_as::<Set>(1) {
        Err(WrongType) => return ctx.wrong_type(),
        Ok(None) => return ScanReply::default().reply(ctx.out, Cursor(0)),
        Ok(Some(_)) => (),
    }
    let Some(scan) = Scan::options(ctx, 3, |_, _| 0) else { return };
    let Some(set) = ctx.server.keyspace.seen_as::<Set>(ctx.db, ctx.hash(1), ctx.arg(1)) else { return };
    let (mut found, mut next) = (ScanReply::default(), Cursor(0));
    match set.members() {
        Some(table) => {
            next = scan.walk(table, cursor, |member| {
                if scan.wants(member.bytes()) {
                    found.push(member.bytes());
                }
            });
        }
        // What is small is returned at once.
        None => set.iter().for_each(|member| {
            let mut digits = itoa::Buffer::new();
            let member = member.text(&mut digits);
            if scan.wants(member) {
                found.push(member);
            }
        }),
    }
    found.reply(ctx.out, next);
}

/// The row of this command.
pub const COMMANDS: &[Command] = &[command("sscan", sscan, -3, READONLY)
    .since(Group::Set, "2.8.0")
    .doc("Walks through the members of a set, some at a time.", "O(1) for each call, O(N) for the whole walk through N members.")
    .args("key cursor:integer [MATCH pattern:pattern] [COUNT count:integer]")
    .keys(&[KeySpec::one(1, k::RO | k::ACCESS)])
    .tips(&["nondeterministic_output"])];
