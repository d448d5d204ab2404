//! SLOWLOG: the commands that took longest.

use super::{container, help, unknown_subcommand};
use crate::{
    commands::{
        Command, Ctx,
        command::{Group, command, flags::*},
    },
    data::number,
};

/// Entries that GET shows when it is not told how many.
const SHOWN: usize = 10;

fn get(ctx: &mut Ctx) {
    let count = match ctx.argc() {
        2 => SHOWN,
        3 => match number::parse_i64(ctx.arg(2)) {
            Some(-1) => usize::MAX,
            Some(n) if n >= 0 => n as usize,
            _ => return ctx.error("ERR count should be greater than or equal to -1"),
        },
        _ => return unknown_subcommand(ctx),
    };
    ctx.out.array(count.min(ctx.server.slowlog.len()));
    for entry in ctx.server.slowlog.iter().take(count) {
        ctx.out.array(6);
        ctx.out.int(entry.id as i64);
        ctx.out.int(entry.unix_seconds);
        ctx.out.int(entry.duration_us as i64);
        ctx.out.array(entry.args.len());
        entry.args.iter().for_each(|arg| ctx.out.bulk(arg));
        ctx.out.bulk(entry.addr.as_bytes());
        ctx.out.bulk(&entry.name);
    }
}

fn len(ctx: &mut Ctx) {
    ctx.out.len_int(ctx.server.slowlog.len());
}

fn reset(ctx: &mut Ctx) {
    ctx.server.slowlog.clear();
    ctx.out.ok();
}

fn help_text(ctx: &mut Ctx) {
    help(
        ctx,
        &[
            "GET [<count>]",
            "    Show the newest <count> slow commands (10 when not said, -1 for all), each as:",
            "    id, Unix time, duration in microseconds, arguments, client address, client name",
            "LEN",
            "    Tell how many slow commands are kept.",
            "RESET",
            "    Forget them all.",
        ],
    );
}

/// The rows of this group.
pub const COMMANDS: &[Command] = &[command("slowlog", container, -2, 0)
    .since(Group::Server, "2.2.12")
    .doc("Holds the commands about the log of slow commands.", "Depends on subcommand.")
    .subcommands(&[
        command("get", get, -2, ADMIN | LOADING | STALE)
            .since(Group::Server, "2.2.12")
            .doc("Shows the newest slow commands.", "O(N) where N is the number of entries shown")
            .args("[count:integer]")
            .history(&[("4.0.0", "Entries came to have the client's address and name.")])
            .tips(&["request_policy:all_nodes", "nondeterministic_output"]),
        command("help", help_text, 2, LOADING | STALE).since(Group::Server, "6.2.0").doc("Explains the subcommands.", "O(1)"),
        command("len", len, 2, ADMIN | LOADING | STALE)
            .since(Group::Server, "2.2.12")
            .doc("Tells how many slow commands are kept.", "O(1)")
            .tips(&["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"]),
        command("reset", reset, 2, ADMIN | LOADING | STALE)
            .since(Group::Server, "2.2.12")
            .doc("Forgets the slow commands.", "O(N) where N is the number of entries kept")
            .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
    ])];
