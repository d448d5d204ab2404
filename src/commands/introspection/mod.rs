//! COMMAND: the table of commands, told to clients.

pub mod docs;
mod docs_reply;
mod info;
mod keys;
mod list;
pub mod syntax;

use super::{
    CommandId, Ctx, Registry,
    command::{Command, Group, categories as c, command, flags::*},
    help,
};

/// COMMAND without a subcommand.
fn all(ctx: &mut Ctx) {
    info::reply_all(ctx);
}

fn count(ctx: &mut Ctx) {
    let count = ctx.registry.top_level().count();
    ctx.out.len_int(count);
}

fn help(ctx: &mut Ctx) {
    help::reply(
        ctx,
        &[
            "(no subcommand)",
            "    Describe every command.",
            "COUNT",
            "    Say how many commands there are.",
            "LIST [FILTERBY (MODULE <module-name>|ACLCAT <category>|PATTERN <pattern>)]",
            "    Name the commands, all or some.",
            "INFO [<command-name> ...]",
            "    Describe commands for programs: all, or those named.",
            "DOCS [<command-name> ...]",
            "    Describe commands for people: all, or those named.",
            "GETKEYS <full-command>",
            "    Find the keys in a command.",
            "GETKEYSANDFLAGS <full-command>",
            "    Find the keys in a command, and say what it does with each.",
        ],
    );
}

/// The command called `name`, a subcommand as in `config|get`.
fn find(registry: &Registry, name: &[u8]) -> Option<CommandId> {
    let mut words = name.split(|byte| *byte == b'|');
    let id = registry.find(words.next()?)?;
    match (words.next(), words.next()) {
        (None, _) => Some(id),
        (Some(sub), None) => registry.find_sub(id, sub),
        (Some(_), Some(_)) => None,
    }
}

/// A set of words, each a simple string: how COMMAND writes flags.
fn reply_flags(ctx: &mut Ctx, names: impl Iterator<Item = &'static str> + Clone) {
    ctx.out.set(names.clone().count());
    names.for_each(|name| ctx.out.simple(name));
}

/// The names of the bits that are set.
fn names_of(flags: u32, names: &'static [(u32, &'static str)]) -> impl Iterator<Item = &'static str> + Clone {
    names.iter().filter(move |(flag, _)| flags & flag != 0).map(|(_, name)| *name)
}

const ABOUT: u64 = LOADING | STALE;
const ANY_ORDER: &[&str] = &["nondeterministic_output_order"];

const fn sub(name: &'static str, handler: super::command::Handler, arity: i32, since: &'static str) -> Command {
    command(name, handler, arity, ABOUT).since(Group::Server, since).categories(c::CONNECTION)
}

/// The rows of this group.
pub const COMMANDS: &[Command] = &[command("command", all, -1, ABOUT)
    .since(Group::Server, "2.8.13")
    .doc("Describes every command.", "O(N) where N is the number of commands")
    .categories(c::CONNECTION)
    .tips(ANY_ORDER)
    .subcommands(SUBCOMMANDS)];

const SUBCOMMANDS: &[Command] = &[
    sub("count", count, 2, "2.8.13").doc("Says how many commands there are.", "O(1)"),
    sub("docs", docs_reply::docs, -2, "7.0.0")
        .doc("Describes commands for people.", "O(N) where N is the number of commands asked for")
        .args("[command-name:string...]")
        .tips(ANY_ORDER),
    sub("getkeys", keys::getkeys, -3, "2.8.13")
        .doc("Finds the keys in a command.", "O(N) where N is the number of the command's arguments")
        .args("command:string [arg:string...]"),
    sub("getkeysandflags", keys::getkeysandflags, -3, "7.0.0")
        .doc(
            "Finds the keys in a command, and says what the command does with each.",
            "O(N) where N is the number of the command's arguments",
        )
        .args("command:string [arg:string...]"),
    sub("help", help, 2, "5.0.0").doc("Says what subcommands there are.", "O(1)"),
    sub("info", info::info, -2, "2.8.13")
        .doc("Describes commands for programs.", "O(N) where N is the number of commands asked for")
        .args("[command-name:string...]")
        .tips(ANY_ORDER)
        .history(&[("7.0.0", "May be called without a name, for all commands.")]),
    sub("list", list::list, -2, "7.0.0")
        .doc("Names the commands.", "O(N) where N is the number of commands")
        .args("[FILTERBY filterby:(MODULE module-name:string | ACLCAT category:string | PATTERN pattern:pattern)]")
        .tips(ANY_ORDER),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subcommand_is_found_behind_a_bar() {
        let registry = Registry::new(super::super::TABLE);
        let name = |wanted: &str| find(&registry, wanted.as_bytes()).map(|id| registry.full_name(id).to_owned());
        assert_eq!(name("GET").as_deref(), Some("get"));
        assert_eq!(name("Command|Docs").as_deref(), Some("command|docs"));
        for nothing in ["", "|", "command|", "command|docs|x", "command|nosuch", "get|x", "docs"] {
            assert_eq!(name(nothing), None, "{nothing}");
        }
    }
}
