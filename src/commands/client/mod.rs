//! CLIENT: what a connection can say of itself, and do to others.

mod kill;
pub mod list;
mod mode;
mod pause;
mod tracking;

use super::{
    Ctx,
    command::{Command, Group, Handler, command, flags::*},
    connection::{is_name, set_name},
    help,
};
use crate::state::ClientKind;

/// Only a subcommand of it does anything.
fn container(ctx: &mut Ctx) {
    ctx.wrong_arity();
}

fn id(ctx: &mut Ctx) {
    let id = ctx.client().id;
    ctx.out.int(id as i64);
}

fn getname(ctx: &mut Ctx) {
    let name = ctx.client().name.clone();
    if name.is_empty() { ctx.out.null() } else { ctx.out.bulk(&name) }
}

fn setname(ctx: &mut Ctx) {
    if set_name(ctx, ctx.arg(2)) {
        ctx.out.ok();
    }
}

fn setinfo(ctx: &mut Ctx) {
    let (attribute, value) = (ctx.arg(2), ctx.arg(3));
    let of_version = ctx.is_word(2, "lib-ver");
    if !of_version && !ctx.is_word(2, "lib-name") {
        return ctx.error([b"ERR Unrecognized option '", attribute, b"'"].concat());
    }
    if !is_name(value) {
        return ctx.error([b"ERR ", attribute, b" cannot contain spaces, newlines or special characters."].concat());
    }
    let client = ctx.client_mut();
    let field = if of_version { &mut client.lib_ver } else { &mut client.lib_name };
    *field = value.to_vec();
    ctx.out.ok();
}

/// The kind of clients that a TYPE filter names; answers with an error when there is none.
fn kind_arg(ctx: &mut Ctx, i: usize) -> Option<ClientKind> {
    let names = [
        ("normal", ClientKind::Normal),
        ("slave", ClientKind::Replica),
        ("replica", ClientKind::Replica),
        ("pubsub", ClientKind::Pubsub),
        ("master", ClientKind::Primary),
    ];
    let kind = names.iter().find(|(name, _)| ctx.is_word(i, name)).map(|(_, kind)| *kind);
    if kind.is_none() {
        ctx.error([b"ERR Unknown client type '", ctx.arg(i), b"'"].concat());
    }
    kind
}

fn help(ctx: &mut Ctx) {
    help::reply(
        ctx,
        &[
            "CACHING (YES|NO)",
            "    Track the keys of the next command, or do not (OPTIN and OPTOUT modes).",
            "GETNAME",
            "    Return this connection's name.",
            "GETREDIR",
            "    Return the ID of the client that is told of this one's tracked keys.",
            "ID",
            "    Return this connection's ID.",
            "INFO",
            "    Describe this connection.",
            "KILL <ip:port>",
            "    Close the connection from that address.",
            "KILL <option> <value> [<option> <value> [...]]",
            "    Close all connections to which every option applies:",
            "    * ADDR (<ip:port>|<unixsocket>:0)",
            "      It comes from that address.",
            "    * ID <client-id>",
            "      It has that ID.",
            "    * LADDR (<ip:port>|<unixsocket>:0)",
            "      It came to that address of ours.",
            "    * SKIPME (YES|NO)",
            "      Leave this connection out, which is the default, or do not.",
            "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
            "      It is of that type.",
            "    * USER <username>",
            "      It has authenticated as that user.",
            "LIST [options ...]",
            "    Describe all connections, or those chosen:",
            "    * ID <client-id> [<client-id> ...]",
            "      Those with one of these IDs.",
            "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
            "      Those of that type.",
            "NO-EVICT (ON|OFF)",
            "    Keep this connection when clients use too much memory, or do not.",
            "NO-TOUCH (ON|OFF)",
            "    Leave no mark of this connection's accesses for eviction, or do.",
            "PAUSE <timeout> [WRITE|ALL]",
            "    Hold back commands, all or only those that write, for <timeout> milliseconds.",
            "REPLY (ON|OFF|SKIP)",
            "    Answer this connection's commands, do not, or skip the next.",
            "SETINFO <option> <value>",
            "    Note what is behind this connection:",
            "    * LIB-NAME: the client library's name.",
            "    * LIB-VER: the client library's version.",
            "SETNAME <name>",
            "    Name this connection.",
            "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
            "         [OPTIN] [OPTOUT] [NOLOOP]",
            "    Tell the client when keys that it has read change.",
            "TRACKINGINFO",
            "    Describe this connection's tracking.",
            "UNBLOCK <clientid> [TIMEOUT|ERROR]",
            "    End what a blocked client waits for.",
            "UNPAUSE",
            "    End a pause.",
        ],
    );
}

const PLAIN: u64 = NOSCRIPT | LOADING | STALE;
const CHANGES_ALL_NODES: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];
const CHANGES_OFTEN: &[&str] = &["nondeterministic_output"];

const fn sub(name: &'static str, handler: Handler, arity: i32, flags: u64, since: &'static str) -> Command {
    command(name, handler, arity, flags).since(Group::Connection, since)
}

/// The rows of this group.
pub const COMMANDS: &[Command] = &[command("client", container, -2, 0)
    .since(Group::Connection, "2.4.0")
    .doc("Connections, and what can be done with them.", "Depends on the subcommand")
    .subcommands(SUBCOMMANDS)];

const SUBCOMMANDS: &[Command] = &[
    sub("caching", tracking::caching, 3, PLAIN, "6.0.0")
        .doc("Says whether the keys of the next command are tracked.", "O(1)")
        .args("mode:(YES | NO)"),
    sub("getname", getname, 2, PLAIN, "2.6.9").doc("Returns the connection's name.", "O(1)"),
    sub("getredir", tracking::getredir, 2, PLAIN, "6.0.0")
        .doc("Returns the ID of the client that is told of this one's tracked keys.", "O(1)"),
    sub("help", help, 2, LOADING | STALE, "5.0.0").doc("Says what subcommands there are.", "O(1)"),
    sub("id", id, 2, PLAIN, "5.0.0").doc("Returns the connection's ID.", "O(1)"),
    sub("info", list::info, 2, PLAIN, "6.2.0").doc("Describes the connection.", "O(1)").tips(CHANGES_OFTEN),
    sub("kill", kill::kill, -3, ADMIN | PLAIN, "2.4.0")
        .doc("Closes connections.", "O(N) where N is the number of connections")
        .args(
            "filter:(old-format<ip:port>:string | new-format:([ID client-id:integer] \
             | [TYPE client-type:('normal' | 'master' | 'slave' | 'replica' | 'pubsub')] | [USER username] \
             | [ADDR addr<ip:port>:string] | [LADDR laddr<ip:port>:string] | [SKIPME skipme:(YES | NO)])...)",
        )
        .history(&[
            ("2.8.12", "Takes options in place of an address, ID among them."),
            ("3.2.0", "TYPE knows `master`."),
            ("5.0.0", "TYPE knows `replica`, which means the same as `slave`."),
            ("6.2.0", "Takes LADDR."),
        ]),
    sub("list", list::list, -2, ADMIN | PLAIN, "2.4.0")
        .doc("Describes connections.", "O(N) where N is the number of connections")
        .args("[TYPE client-type:('normal' | 'master' | 'replica' | 'pubsub')] [ID client-id:integer...]")
        .tips(CHANGES_OFTEN)
        .history(&[
            ("2.8.12", "Shows `id`."),
            ("5.0.0", "Takes TYPE."),
            ("6.0.0", "Shows `user`."),
            ("6.2.0", "Shows `argv-mem`, `tot-mem`, `laddr` and `redir`, and takes ID."),
            ("7.0.0", "Shows `resp`, `multi-mem`, `rbs` and `rbp`."),
            ("7.0.3", "Shows `ssub`."),
        ]),
    sub("no-evict", mode::no_evict, 3, ADMIN | PLAIN, "7.0.0")
        .doc("Says whether the connection is spared when clients use too much memory.", "O(1)")
        .args("enabled:(ON | OFF)"),
    sub("no-touch", mode::no_touch, 3, PLAIN, "7.2.0")
        .doc("Says whether the connection's accesses leave no mark for eviction.", "O(1)")
        .args("enabled:(ON | OFF)"),
    sub("pause", pause::pause, -3, ADMIN | PLAIN, "3.0.0")
        .doc("Holds commands back for a while.", "O(1)")
        .args("timeout:integer [mode:(WRITE | ALL)]")
        .history(&[("6.2.0", "Takes a mode, WRITE or ALL.")]),
    sub("reply", mode::reply, 3, PLAIN, "3.2.0")
        .doc("Says whether the connection's commands are answered.", "O(1)")
        .args("action:(ON | OFF | SKIP)"),
    sub("setinfo", setinfo, 4, PLAIN, "7.2.0")
        .doc("Notes what library is behind the connection.", "O(1)")
        .args("attr:('lib-name' libname | 'lib-ver' libver)")
        .tips(CHANGES_ALL_NODES),
    sub("setname", setname, 3, PLAIN, "2.6.9").doc("Names the connection.", "O(1)").args("connection-name").tips(CHANGES_ALL_NODES),
    sub("tracking", tracking::tracking, -3, PLAIN, "6.0.0")
        .doc("Says whether the client is told when keys that it has read change.", "O(1), and what the options add")
        .args(
            "status:(ON | OFF) [REDIRECT client-id:integer] [PREFIX prefix]... [BCAST:BCAST] [OPTIN:OPTIN] [OPTOUT:OPTOUT] [NOLOOP:NOLOOP]",
        ),
    sub("trackinginfo", tracking::trackinginfo, 2, PLAIN, "6.2.0").doc("Describes the connection's tracking.", "O(1)"),
    sub("unblock", pause::unblock, -3, ADMIN | PLAIN, "5.0.0")
        .doc("Ends what another client waits for.", "O(log N) where N is the number of connections")
        .args("client-id:integer [unblock-type:(TIMEOUT | ERROR)]"),
    sub("unpause", pause::unpause, 2, ADMIN | PLAIN, "6.2.0")
        .doc("Ends a pause.", "O(N) where N is the number of clients that wait for it"),
];
