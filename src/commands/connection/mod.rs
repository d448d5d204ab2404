//! Connections: who is there, in which protocol, and which database it sees. CLIENT is a room of its own.

mod auth;
mod hello;

use super::{
    Ctx,
    command::{Command, Group, command, flags::*},
};
use crate::{
    acl::UserId,
    data::number,
    resp::output::Protocol,
    state::{Client, ClientKind, client::ReplyMode},
};

fn ping(ctx: &mut Ctx) {
    let listens = ctx.client().kind() == ClientKind::Pubsub && !ctx.out.resp3();
    match ctx.argc() {
        // In the middle of messages it looks like one.
        1 | 2 if listens => {
            ctx.out.array(2);
            ctx.out.bulk(b"pong");
            ctx.out.bulk(ctx.args.get(1));
        }
        1 => ctx.out.simple("PONG"),
        2 => ctx.out.bulk(ctx.args.get(1)),
        _ => ctx.wrong_arity(),
    }
}

fn echo(ctx: &mut Ctx) {
    ctx.out.bulk(ctx.args.get(1));
}

fn quit(ctx: &mut Ctx) {
    ctx.out.ok();
    ctx.server.close(ctx.conn, true);
}

fn select(ctx: &mut Ctx) {
    let Some(index) = int32_arg(ctx, 1) else { return };
    match usize::try_from(index) {
        Ok(db) if db < ctx.server.keyspace.databases() => {
            ctx.db = db;
            ctx.client_mut().db = db;
            ctx.out.ok();
        }
        _ => ctx.error("ERR DB index is out of range"),
    }
}

/// Argument `i` as an integer of 32 bits; answers with an error when it is none.
fn int32_arg(ctx: &mut Ctx, i: usize) -> Option<i32> {
    let value = match number::parse_i64(ctx.arg(i)) {
        Some(n) => i32::try_from(n).map_err(|_| "ERR value is out of range, value must between -2147483648 and 2147483647"),
        None => Err(super::context::errors::NOT_INTEGER),
    };
    value.map_err(|text| ctx.error(text)).ok()
}

fn reset(ctx: &mut Ctx) {
    if !matches!(ctx.client().kind(), ClientKind::Normal | ClientKind::Pubsub) {
        return ctx.error("ERR can only reset normal client connections");
    }
    ctx.server.discard_transaction(ctx.conn);
    let conn = ctx.conn;
    ctx.server.unsubscribe_all(conn);
    ctx.server.untrack(conn);
    ctx.server.monitors.retain(|monitor| *monitor != conn);
    let authenticated = !ctx.server.has_password();
    let client = ctx.client_mut();
    client.monitor = false;
    client.db = 0;
    client.authenticated = authenticated;
    client.user = UserId::default();
    // The library behind the connection stays the same: LIB-NAME and LIB-VER are kept.
    client.name = Vec::new();
    // CLIENT REPLY SKIP in front of it silences it, too; CLIENT REPLY OFF ends here.
    client.reply = if client.reply == ReplyMode::Skip { ReplyMode::Skip } else { ReplyMode::On };
    client.no_evict = false;
    client.no_touch = false;
    client.out.protocol = Protocol::Resp2;
    ctx.db = 0;
    ctx.out.protocol = Protocol::Resp2;
    ctx.out.simple("RESET");
}

/// Gives the client a name (none when it is empty). `false`, and an error as the answer, when that would break CLIENT LIST.
pub(super) fn set_name(ctx: &mut Ctx, name: &[u8]) -> bool {
    if !is_name(name) {
        ctx.error(BAD_NAME);
        return false;
    }
    let client: &mut Client = ctx.client_mut();
    client.name = name.to_vec();
    true
}

const BAD_NAME: &str = "ERR Client names cannot contain spaces, newlines or special characters.";

/// Whether CLIENT LIST can show it: one word of printable ASCII.
pub(super) fn is_name(name: &[u8]) -> bool {
    name.iter().all(u8::is_ascii_graphic)
}

const AT_ANY_TIME: u64 = LOADING | STALE | FAST;

/// The rows of this group.
pub const COMMANDS: &[Command] = &[
    command("auth", auth::auth, -2, NOSCRIPT | AT_ANY_TIME | NO_AUTH | ALLOW_BUSY)
        .since(Group::Connection, "1.0.0")
        .doc("Says who the client is, and proves it.", "O(N) where N is the number of the user's passwords")
        .args("[username] password")
        .history(&[("6.0.0", "Takes a user name.")]),
    command("echo", echo, 2, AT_ANY_TIME).since(Group::Connection, "1.0.0").doc("Returns its argument.", "O(1)").args("message"),
    command("hello", hello::hello, -1, NOSCRIPT | AT_ANY_TIME | NO_AUTH | ALLOW_BUSY)
        .since(Group::Connection, "6.0.0")
        .doc("Introduces the server, and agrees on a protocol.", "O(1)")
        .args("[arguments:(protover:integer [AUTH auth:(username password)] [SETNAME clientname])]")
        .history(&[("6.2.0", "The version of the protocol may be left out: then it stays as it is.")]),
    command("ping", ping, -1, FAST | SUBSCRIBED)
        .since(Group::Connection, "1.0.0")
        .doc("Answers, to show that the server is there.", "O(1)")
        .args("[message]")
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"]),
    command("quit", quit, -1, ALLOW_BUSY | NOSCRIPT | AT_ANY_TIME | NO_AUTH | NOT_QUEUED | SUBSCRIBED)
        .since(Group::Connection, "1.0.0")
        .doc("Ends the connection.", "O(1)")
        .deprecated("7.2.0", "just closing the connection"),
    command("reset", reset, 1, NOSCRIPT | AT_ANY_TIME | NO_AUTH | ALLOW_BUSY | NOT_QUEUED | SUBSCRIBED)
        .since(Group::Connection, "6.2.0")
        .doc("Puts the connection into the state of a new one.", "O(1)"),
    command("select", select, 2, AT_ANY_TIME)
        .since(Group::Connection, "1.0.0")
        .doc("Chooses the database that the connection's commands see.", "O(1)")
        .args("index:integer"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_printable_word() {
        assert!(is_name(b"worker-1:{a}~") && is_name(b""));
        for bad in [&b"a b"[..], b"a\n", b"\x7f", b"\xc3\xa9", b"\0"] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }
}
