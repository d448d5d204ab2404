//! FUNCTION: libraries of functions. FCALL stands with EVAL.

mod dumping;
mod listing;

use crate::{
    commands::{
        Ctx,
        command::{Command, Group, command, flags::*},
        context::Effect,
        help,
    },
    state::scripts::Kind,
};

fn container(ctx: &mut Ctx) {
    ctx.wrong_arity();
}

/// Says that the libraries are others now: the log gets the command as it came, and a save has something to write.
fn changed(ctx: &mut Ctx<'_>) {
    ctx.server.keyspace.dirty += 1;
    ctx.effect = Effect::Always;
}

fn load(ctx: &mut Ctx) {
    let (mut at, mut replace) = (2, false);
    while at + 1 < ctx.argc() {
        if !ctx.is_word(at, "replace") {
            return ctx.error([b"ERR Unknown option given: ", ctx.arg(at)].concat());
        }
        replace = true;
        at += 1;
    }
    // FUNCTION LOAD REPLACE is short of its code.
    if at >= ctx.argc() {
        return ctx.error("ERR Function code is missing");
    }
    let library = match ctx.server.run_library(ctx.arg(at)) {
        Ok(library) => library,
        Err(text) => return ctx.error(text),
    };
    let name = library.name.clone();
    match ctx.server.add_libraries(vec![library], replace) {
        Ok(()) => {
            changed(ctx);
            ctx.out.bulk(&name);
        }
        Err(text) => ctx.error(text),
    }
}

fn delete(ctx: &mut Ctx) {
    match ctx.server.functions.remove(ctx.arg(2)) {
        Some(library) => {
            ctx.server.release_libraries(vec![library]);
            changed(ctx);
            ctx.out.ok();
        }
        None => ctx.error("ERR Library not found"),
    }
}

fn flush(ctx: &mut Ctx) {
    if ctx.argc() > 3 {
        return ctx.error("ERR unknown subcommand or wrong number of arguments for 'flush'. Try FUNCTION HELP.");
    }
    if ctx.argc() == 3 && !(ctx.is_word(2, "sync") || ctx.is_word(2, "async")) {
        return ctx.error("ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
    }
    let all = ctx.server.functions.take_all();
    ctx.server.release_libraries(all);
    changed(ctx);
    ctx.out.ok();
}

fn kill(ctx: &mut Ctx) {
    match ctx.server.scripts.kill(Kind::Function) {
        Ok(()) => ctx.out.ok(),
        Err(text) => ctx.error(text),
    }
}

fn help_text(ctx: &mut Ctx) {
    help::reply(
        ctx,
        &[
            "DELETE <library-name>",
            "    Take a library away.",
            "DUMP",
            "    Hand out all libraries as a payload for RESTORE.",
            "FLUSH [ASYNC|SYNC]",
            "    Take all libraries away.",
            "KILL",
            "    End the function that runs, if it has not written.",
            "LIST [LIBRARYNAME <pattern>] [WITHCODE]",
            "    Show the libraries with their functions, and with their code if wanted.",
            "LOAD [REPLACE] <library-code>",
            "    Add a library.",
            "RESTORE <payload> [FLUSH|APPEND|REPLACE]",
            "    Add the libraries of a payload: instead of all that are there, beside them,",
            "    or in the place of those of the same names. APPEND is the default.",
            "STATS",
            "    Show the function that runs, and how many there are.",
        ],
    );
}

const ALL_SHARDS: &[&str] = &["request_policy:all_shards", "response_policy:all_succeeded"];

/// The rows of this group.
pub const COMMANDS: &[Command] = &[command("function", container, -2, 0)
    .since(Group::Scripting, "7.0.0")
    .doc("Holds the commands about functions.", "Depends on subcommand.")
    .subcommands(&[
        command("delete", delete, 3, NOSCRIPT | WRITE)
            .since(Group::Scripting, "7.0.0")
            .doc("Takes a library and its functions away.", "O(1)")
            .args("library-name")
            .tips(ALL_SHARDS),
        command("dump", dumping::dump, 2, NOSCRIPT)
            .since(Group::Scripting, "7.0.0")
            .doc("Hands out all libraries as a payload.", "O(N) where N is the number of functions"),
        command("flush", flush, -2, NOSCRIPT | WRITE)
            .since(Group::Scripting, "7.0.0")
            .doc("Takes all libraries away.", "O(N) where N is the number of functions")
            .args("[flush-type:(ASYNC | SYNC)]")
            .tips(ALL_SHARDS),
        command("help", help_text, 2, LOADING | STALE).since(Group::Scripting, "7.0.0").doc("Explains the subcommands.", "O(1)"),
        command("kill", kill, 2, NOSCRIPT | ALLOW_BUSY)
            .since(Group::Scripting, "7.0.0")
            .doc("Ends the function that runs.", "O(1)")
            .tips(&["request_policy:all_shards", "response_policy:one_succeeded"]),
        command("list", listing::list, -2, NOSCRIPT)
            .since(Group::Scripting, "7.0.0")
            .doc("Shows the libraries.", "O(N) where N is the number of functions")
            .args("[LIBRARYNAME library-name-pattern] [WITHCODE]")
            .tips(&["nondeterministic_output_order"]),
        command("load", load, -3, NOSCRIPT | WRITE | DENYOOM)
            .since(Group::Scripting, "7.0.0")
            .doc("Adds a library.", "O(1), beside what its code does")
            .args("[REPLACE] function-code")
            .tips(ALL_SHARDS),
        command("restore", dumping::restore, -3, NOSCRIPT | WRITE | DENYOOM)
            .since(Group::Scripting, "7.0.0")
            .doc("Adds the libraries of a payload.", "O(N) where N is the number of functions in the payload")
            .args("serialized-value [policy:(FLUSH | APPEND | REPLACE)]")
            .tips(ALL_SHARDS),
        command("stats", listing::stats, 2, NOSCRIPT | ALLOW_BUSY)
            .since(Group::Scripting, "7.0.0")
            .doc("Shows the function that runs, and how many there are.", "O(1)")
            .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"]),
    ])];
