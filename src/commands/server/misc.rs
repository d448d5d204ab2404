//! Short commands: LASTSAVE, MONITOR, SHUTDOWN, TIME.

use crate::{
    commands::{
        Command, Ctx,
        command::{Group, categories, command, flags::*},
        context::errors,
    },
    state::{Shutdown, Shutting, shutdown::SHUTDOWN_FAILED},
};

fn lastsave(ctx: &mut Ctx) {
    ctx.out.int(ctx.server.last_save_unix_seconds);
}

fn monitor(ctx: &mut Ctx) {
    if ctx.in_exec {
        return ctx.error("ERR MONITOR isn't allowed for DENY BLOCKING client");
    }
    let conn = ctx.conn;
    let client = ctx.client_mut();
    // A replica's connection carries the log of writes and nothing else, and who monitors already gets no second answer.
    if client.monitor || client.peer.is_replica() {
        return;
    }
    client.monitor = true;
    ctx.server.monitors.push(conn);
    ctx.out.ok();
}

fn time(ctx: &mut Ctx) {
    // The time of the turn would stand still in a transaction that takes long; this is the clock itself.
    let now_us = ctx.server.host.unix_us();
    ctx.out.array(2);
    ctx.out.bulk_int(now_us.div_euclid(1_000_000));
    ctx.out.bulk_int(now_us.rem_euclid(1_000_000));
}

/// The options of SHUTDOWN.
#[derive(Debug, PartialEq, Eq, Default)]
struct ShutdownOptions {
    save: bool,
    nosave: bool,
    now: bool,
    force: bool,
    abort: bool,
}

impl ShutdownOptions {
    /// `None` for a word that is no option, and for options that contradict each other.
    fn parse<'a>(words: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let mut options = Self::default();
        for word in words {
            let option = match &*word.to_ascii_lowercase() {
                b"save" => &mut options.save,
                b"nosave" => &mut options.nosave,
                b"now" => &mut options.now,
                b"force" => &mut options.force,
                b"abort" => &mut options.abort,
                _ => return None,
            };
            *option = true;
        }
        let others = options.save || options.nosave || options.now || options.force;
        let contradiction = options.abort && others || options.save && options.nosave;
        (!contradiction).then_some(options)
    }
}

fn shutdown(ctx: &mut Ctx) {
    let Some(options) = ShutdownOptions::parse(ctx.args.skip(1).iter()) else {
        return ctx.error(errors::SYNTAX);
    };
    if options.abort {
        return if ctx.server.abort_shutdown() { ctx.out.ok() } else { ctx.error("ERR No shutdown in progress.") };
    }
    let ShutdownOptions { save, nosave, now, force, .. } = options;
    // Half of what a script does is not to be saved.
    if let Some(text) = ctx.server.scripts.busy().filter(|_| !nosave) {
        return ctx.error(text);
    }
    let conn = ctx.conn;
    match ctx.server.shut_down(Shutdown { save, nosave, now, force }) {
        // The only answer is the end of the connection, which comes with that of the process: who sees it finds nobody listening any more. What
        // follows in the pipeline is not executed.
        Shutting::Down | Shutting::Waits => ctx.server.wait_for_shutdown(conn),
        Shutting::Failed => ctx.error(SHUTDOWN_FAILED),
    }
}

/// The rows of this group.
pub const COMMANDS: &[Command] = &[
    command("lastsave", lastsave, 1, LOADING | STALE | FAST)
        .since(Group::Server, "1.0.0")
        .doc("Tells when the dataset was last saved, as a Unix time in seconds.", "O(1)")
        .categories(categories::ADMIN | categories::DANGEROUS)
        .tips(&["nondeterministic_output"]),
    command("monitor", monitor, 1, ADMIN | NOSCRIPT | LOADING | STALE)
        .since(Group::Server, "1.0.0")
        .doc("Shows every command that the server is given, as it is given.", "O(1), and a line to send for every command from then on"),
    command("shutdown", shutdown, -1, ADMIN | NOSCRIPT | LOADING | STALE | NO_MULTI | ALLOW_BUSY)
        .since(Group::Server, "1.0.0")
        .doc(
            "Ends the server, after saving the dataset where that is configured.",
            "O(N) when saving, where N is the number of keys, otherwise O(1)",
        )
        .args("[save-selector:(NOSAVE | SAVE)] [NOW] [FORCE] [ABORT]")
        .history(&[("7.0.0", "`NOW`, `FORCE` and `ABORT` came.")]),
    command("time", time, 1, LOADING | STALE | FAST)
        .since(Group::Server, "2.6.0")
        .doc("Tells the server's time: Unix seconds, and microseconds within the second.", "O(1)")
        .tips(&["nondeterministic_output"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Option<ShutdownOptions> {
        ShutdownOptions::parse(words.split_whitespace().map(str::as_bytes))
    }

    #[test]
    fn shutdown_options_that_contradict_each_other_are_refused() {
        assert_eq!(parse(""), Some(ShutdownOptions::default()));
        assert_eq!(parse("NoSave now FORCE"), Some(ShutdownOptions { nosave: true, now: true, force: true, ..Default::default() }));
        assert_eq!(parse("abort"), Some(ShutdownOptions { abort: true, ..Default::default() }));
        for refused in ["save nosave", "abort now", "abort save", "bogus", "now bogus"] {
            assert_eq!(parse(refused), None, "{refused}");
        }
    }
}
