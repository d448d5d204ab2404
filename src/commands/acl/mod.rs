//! ACL: users are made, changed, shown, kept in a file; and what was refused is told.

mod editing;
mod file;
mod showing;
mod trying;

use super::{
    Ctx,
    command::{Command, Group, Handler, command, flags::*},
    help,
};

pub use file::{read_file, read_users};

fn container(ctx: &mut Ctx) {
    ctx.wrong_arity();
}

fn list_subcommands(ctx: &mut Ctx) {
    help::reply(
        ctx,
        &[
            "CAT [<category>]",
            "    List the categories of commands, or the commands of one.",
            "DELUSER <username> [<username> ...]",
            "    Remove users, and close their connections.",
            "DRYRUN <username> <command> [<arg> ...]",
            "    Say whether a user may run a command, without running it.",
            "GETUSER <username>",
            "    Show what a user is and may do.",
            "GENPASS [<bits>]",
            "    Make up a password of 256 bits, or of as many as are asked for.",
            "LIST",
            "    Show the users as lines of a configuration file.",
            "LOAD",
            "    Read the users from the ACL file.",
            "LOG [<count> | RESET]",
            "    Show what has been refused lately, or forget it.",
            "SAVE",
            "    Write the users to the ACL file.",
            "SETUSER <username> <attribute> [<attribute> ...]",
            "    Make or change a user.",
            "USERS",
            "    List the names of the users.",
            "WHOAMI",
            "    Say which user this connection is.",
        ],
    );
}

const MANAGES: u64 = ADMIN | NOSCRIPT | LOADING | STALE;
const ASKS: u64 = NOSCRIPT | LOADING | STALE;

const fn sub(name: &'static str, handler: Handler, arity: i32, flags: u64, since: &'static str) -> Command {
    command(name, handler, arity, flags).since(Group::Server, since)
}

/// The rows of this group.
pub const COMMANDS: &[Command] = &[command("acl", container, -2, 0)
    .since(Group::Server, "6.0.0")
    .doc("The users, and what each of them may do.", "Depends on the subcommand")
    .subcommands(SUBCOMMANDS)];

const SUBCOMMANDS: &[Command] = &[
    sub("cat", showing::cat, -2, ASKS, "6.0.0")
        .doc("Lists the categories of commands, or the commands of one.", "O(1) since the number of commands is fixed")
        .args("[category]"),
    sub("deluser", editing::deluser, -3, MANAGES, "6.0.0")
        .doc("Removes users and closes their connections.", "O(N) where N is the number of users and of connections")
        .args("username...")
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
    sub("dryrun", trying::dryrun, -4, MANAGES, "7.0.0")
        .doc("Says whether a user may run a command, without running it.", "O(1)")
        .args("username command [arg...]"),
    sub("genpass", showing::genpass, -2, ASKS, "6.0.0").doc("Makes up a password.", "O(1)").args("[bits:integer]"),
    sub("getuser", showing::getuser, 3, MANAGES, "6.0.0")
        .doc("Returns what a user is and may do.", "O(N) where N is the number of its passwords, patterns and rules")
        .args("username")
        .history(&[("6.2.0", "Shows the patterns of channels."), ("7.0.0", "Shows selectors, and rules as text.")]),
    sub("help", list_subcommands, 2, LOADING | STALE, "6.0.0").doc("Says what subcommands there are.", "O(1)"),
    sub("list", showing::list, 2, MANAGES, "6.0.0").doc("Returns the users as lines of a file.", "O(N) where N is the number of users"),
    sub("load", file::load, 2, MANAGES, "6.0.0").doc("Reads the users from the ACL file.", "O(N) where N is the number of users"),
    sub("log", showing::log, -2, MANAGES, "6.0.0")
        .doc("Returns what has been refused lately, or forgets it.", "O(N) where N is the number of entries shown")
        .args("[operation:(count:integer|reset:RESET)]")
        .history(&[("7.2.0", "Shows an entry's number and the times at which it was made and changed.")]),
    sub("save", file::save, 2, MANAGES, "6.0.0")
        .doc("Writes the users to the ACL file.", "O(N) where N is the number of users")
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
    sub("setuser", editing::setuser, -3, MANAGES, "6.0.0")
        .doc("Makes or changes a user.", "O(N) where N is the number of rules")
        .args("username [rule...]")
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .history(&[("6.2.0", "Takes patterns of channels."), ("7.0.0", "Takes selectors and patterns of keys for one way of access.")]),
    sub("users", showing::users, 2, MANAGES, "6.0.0").doc("Lists the names of the users.", "O(N) where N is the number of users"),
    sub("whoami", showing::whoami, 2, ASKS, "6.0.0").doc("Says which user this connection is.", "O(1)"),
];
