//! Connections.

use super::{
    Ctx,
    command::{Command, Group, command, flags::*},
};

fn ping(ctx: &mut Ctx) {
    match ctx.argc() {
        1 => ctx.out.simple("PONG"),
        2 => ctx.out.bulk(ctx.args.get(1)),
        _ => ctx.wrong_arity(),
    }
}

/// The rows of this group.
pub const COMMANDS: &[Command] = &[command("ping", ping, -1, FAST | LOADING | STALE | NO_AUTH)
    .since(Group::Connection, "1.0.0")
    .doc("Answers, to show that the server is there.", "O(1)")
    .args("[message:string]")];
