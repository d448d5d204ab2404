//! MODULE. Modules cannot be loaded, so the list is empty.

use super::{container, help, is_allowed};
use crate::commands::{
    Ctx,
    command::{Command, Group, Handler, command, flags::*},
};

fn list(ctx: &mut Ctx) {
    ctx.out.array(0);
}

fn load(ctx: &mut Ctx) {
    if is_allowed(ctx, ctx.server.config.enable_module_command) {
        log::warn!("Module {} failed to load: solod cannot load modules", ctx.arg(2).escape_ascii());
        ctx.error("ERR Error loading the extension. Please check the server logs.");
    }
}

fn unload(ctx: &mut Ctx) {
    if is_allowed(ctx, ctx.server.config.enable_module_command) {
        ctx.error("ERR Error unloading module: no such module with that name");
    }
}

fn list_subcommands(ctx: &mut Ctx) {
    help(
        ctx,
        &[
            "LIST",
            "    List the modules that are loaded.",
            "LOAD <path> [<arg> ...]",
            "    Load a module, with arguments.",
            "LOADEX <path> [[CONFIG NAME VALUE] [CONFIG NAME VALUE]] [ARGS ...]",
            "    Load a module, with settings and arguments.",
            "UNLOAD <name>",
            "    Unload a module.",
        ],
    );
}

const CHANGE: u64 = ADMIN | NOSCRIPT | NO_ASYNC_LOADING;

const fn sub(name: &'static str, handler: Handler, arity: i32, flags: u64, since: &'static str) -> Command {
    command(name, handler, arity, flags).since(Group::Server, since)
}

/// The rows of this group.
pub const COMMANDS: &[Command] = &[command("module", container, -2, 0)
    .since(Group::Server, "4.0.0")
    .doc("The modules that are loaded.", "Depends on the subcommand")
    .subcommands(SUBCOMMANDS)];

const SUBCOMMANDS: &[Command] = &[
    sub("help", list_subcommands, 2, LOADING | STALE, "5.0.0").doc("Says what subcommands there are.", "O(1)"),
    sub("list", list, 2, ADMIN | NOSCRIPT, "4.0.0")
        .doc("Lists the modules that are loaded.", "O(N) where N is the number of modules")
        .tips(&["nondeterministic_output_order"]),
    sub("load", load, -3, CHANGE, "4.0.0").doc("Loads a module.", "O(1)").args("path [arg...]"),
    sub("loadex", load, -3, CHANGE, "7.0.0")
        .doc("Loads a module with settings.", "O(1)")
        .args("path [configs:(CONFIG name value)...] [args:(ARGS arg)...]"),
    sub("unload", unload, 3, CHANGE, "4.0.0").doc("Unloads a module.", "O(1)").args("name"),
];
