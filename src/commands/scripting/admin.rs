//! SCRIPT: the scripts that the server knows, and the one that runs.

use crate::commands::{
    Ctx,
    command::{Command, Group, command, flags::*},
    help,
};
use crate::{
    scripting::Origin,
    state::{client::DebugMode, scripts::Kind},
};

fn container(ctx: &mut Ctx) {
    ctx.wrong_arity();
}

fn load(ctx: &mut Ctx) {
    match ctx.server.scripting.load(ctx.arg(2), Origin::Load) {
        Ok(script) => {
            let sha = ctx.server.scripting.sha(script);
            ctx.out.bulk(&sha);
        }
        Err(text) => ctx.error(text),
    }
}

fn exists(ctx: &mut Ctx) {
    ctx.out.array(ctx.argc() - 2);
    for i in 2..ctx.argc() {
        let known = ctx.server.scripting.find(ctx.arg(i)).is_some();
        ctx.out.int(i64::from(known));
    }
}

fn flush(ctx: &mut Ctx) {
    // What goes is freed here either way: it is the interpreter's, and that is not shared with another thread.
    if ctx.argc() > 3 || ctx.argc() == 3 && !(ctx.is_word(2, "sync") || ctx.is_word(2, "async")) {
        return ctx.error("ERR SCRIPT FLUSH only support SYNC|ASYNC option");
    }
    ctx.server.scripting.flush_scripts();
    ctx.out.ok();
}

fn kill(ctx: &mut Ctx) {
    match ctx.server.scripts.kill(Kind::Script) {
        Ok(()) => ctx.out.ok(),
        Err(text) => ctx.error(text),
    }
}

fn show(ctx: &mut Ctx) {
    match ctx.server.scripting.find(ctx.arg(2)) {
        Some(script) => {
            let body = ctx.server.scripting.body(script).to_vec();
            ctx.out.bulk(&body);
        }
        None => ctx.error("NOSCRIPT No matching script."),
    }
}

fn debug(ctx: &mut Ctx) {
    // What is shown in a session must not come between replies that are still to be read.
    if !ctx.out.is_empty() || !ctx.client().out.is_empty() {
        return ctx.error("ERR SCRIPT DEBUG must be called outside a pipeline");
    }
    let mode = match ctx.arg(2).to_ascii_lowercase().as_slice() {
        b"no" => None,
        b"yes" => Some(DebugMode::Rehearsal),
        b"sync" => Some(DebugMode::Kept),
        _ => return ctx.error("ERR Use SCRIPT DEBUG YES/SYNC/NO"),
    };
    ctx.client_mut().debug = mode;
    ctx.out.ok();
}

fn help_text(ctx: &mut Ctx) {
    help::reply(
        ctx,
        &[
            "DEBUG (YES|SYNC|NO)",
            "    Set the debug mode of the scripts that follow.",
            "EXISTS <sha1> [<sha1> ...]",
            "    Tell which of these scripts are known, by the SHA1 of their text.",
            "FLUSH [ASYNC|SYNC]",
            "    Forget all scripts.",
            "KILL",
            "    End the script that runs, if it has not written.",
            "LOAD <script>",
            "    Keep a script without running it.",
            "SHOW <sha1>",
            "    Show the text of a script.",
        ],
    );
}

const ALL_NODES: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];

/// The rows of this group.
pub const COMMANDS: &[Command] = &[command("script", container, -2, 0)
    .since(Group::Scripting, "2.6.0")
    .doc("Holds the commands about scripts.", "Depends on subcommand.")
    .subcommands(&[
        command("debug", debug, 3, NOSCRIPT)
            .since(Group::Scripting, "3.2.0")
            .doc("Sets whether the client's scripts are run in the debugger.", "O(1)")
            .args("mode:(YES | SYNC | NO)"),
        command("exists", exists, -3, NOSCRIPT)
            .since(Group::Scripting, "2.6.0")
            .doc("Tells which scripts are known.", "O(N) where N is the number of scripts asked for")
            .args("sha1...")
            .tips(&["request_policy:all_shards", "response_policy:agg_logical_and"]),
        command("flush", flush, -2, NOSCRIPT)
            .since(Group::Scripting, "2.6.0")
            .doc("Forgets all scripts.", "O(N) where N is the number of scripts known")
            .args("[flush-type:(ASYNC | SYNC)]")
            .history(&[("6.2.0", "Takes ASYNC and SYNC.")])
            .tips(ALL_NODES),
        command("help", help_text, 2, LOADING | STALE).since(Group::Scripting, "5.0.0").doc("Explains the subcommands.", "O(1)"),
        command("kill", kill, 2, NOSCRIPT | ALLOW_BUSY)
            .since(Group::Scripting, "2.6.0")
            .doc("Ends the script that runs.", "O(1)")
            .tips(&["request_policy:all_shards", "response_policy:one_succeeded"]),
        command("load", load, 3, NOSCRIPT | STALE)
            .since(Group::Scripting, "2.6.0")
            .doc("Keeps a script without running it.", "O(N) where N is the length of the script")
            .args("script")
            .tips(ALL_NODES),
        command("show", show, 3, NOSCRIPT)
            .since(Group::Scripting, "8.0.0")
            .doc("Shows the text of a script that is known.", "O(1)")
            .args("sha1"),
    ])];
