//! Administration commands.
//!
//! [`info`] is INFO, with a file a group of sections; [`memory_facts`] measures memory for INFO and for MEMORY; the others are a command each,
//! with its helpers in files of their own.

pub mod debug;
mod debug_digest;
mod debug_object;
mod debug_protocol;
pub mod info;
pub mod latency;
mod latency_report;
pub mod lolwut;
pub mod memory;
mod memory_facts;
pub mod misc;
pub mod module;
pub mod persistence;
pub mod slowlog;
mod sparkline;

use super::{Ctx, help::unknown_subcommand};
use crate::config::ProtectedAction;

/// The handler of a command that has only subcommands. Subcommands are resolved first, so it runs only when none was given.
fn container(ctx: &mut Ctx) {
    ctx.wrong_arity();
}

/// The name of the command, or of the one that the subcommand belongs to, in capitals.
fn container_name(ctx: &Ctx) -> String {
    let id = ctx.registry.parent(ctx.command).unwrap_or(ctx.command);
    ctx.registry.get(id).name.to_uppercase()
}

/// Whether this client may use a command that a directive like `enable-debug-command` guards; if not, the error has been written.
fn is_allowed(ctx: &mut Ctx, from: ProtectedAction) -> bool {
    let allowed = match from {
        ProtectedAction::Yes => true,
        ProtectedAction::Local => ctx.client().origin.local,
        ProtectedAction::No => false,
    };
    if !allowed {
        let name = container_name(ctx);
        ctx.error(format!(
            "ERR {name} command not allowed. If the enable-{}-command option is set to \"local\", you can run it from a \
             local connection, otherwise you need to set this option in the configuration file, and then restart the server.",
            name.to_lowercase()
        ));
    }
    allowed
}

/// Answers with a help text: `lines` between the head and the foot that every help text has.
fn help(ctx: &mut Ctx, lines: &[&str]) {
    let head = format!("{} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:", container_name(ctx));
    let foot = ["HELP", "    Print this help."];
    ctx.out.array(lines.len() + 3);
    ctx.out.simple(&head);
    lines.iter().chain(&foot).for_each(|line| ctx.out.simple(line));
}
