//! What scripts call: each command passes a gate of its own, for some may not be called, and what a script has begun to write it may end.

use super::Engine;
use crate::{
    acl::Context,
    commands::{
        CommandId,
        command::{Group, flags},
        registry::Lookup,
    },
    resp::{output::Output, request::Args},
    scripting::Scripting,
    state::ConnId,
};

use std::borrow::Cow;

impl Engine {
    /// Runs the command that the script has asked for; the reply goes to `out`.
    pub(super) fn call_for_script(&mut self, out: &mut Output) {
        let owned = self.server.scripting.take_call();
        let args = owned.args();
        match self.pass_script_gate(args) {
            Ok(id) => {
                if self.server.aof.unsafe_keys.is_some() {
                    self.note_unsafe_call(id, &args);
                }
                // Nobody waits in a script: what would, has waited in vain.
                let blocks = self.call(ConnId::SCRIPT, id, args, (0, 0), out, true);
                debug_assert!(blocks.is_none());
                if let Some(reader) = self.server.keyspace.tracked.current {
                    self.note_reads(reader, id, &args);
                }
            }
            Err((id, text)) => {
                if let Some(id) = id {
                    self.server.stats.by_command[usize::from(id)].rejected += 1;
                }
                self.server.count_error(&text);
                self.errors_before = self.server.stats.errors;
                if self.is_debugging() {
                    self.server.scripting.note_refusal();
                }
                out.error(text);
            }
        }
        self.server.scripting.give_back_call(owned);
    }

    /// The command, or why it is refused.
    #[inline]
    fn pass_script_gate(&mut self, args: Args<'_>) -> Result<CommandId, (Option<CommandId>, Cow<'static, [u8]>)> {
        let id = match self.registry.resolve(&args) {
            Lookup::Found(id) => id,
            Lookup::Unknown | Lookup::UnknownSubcommand(_) | Lookup::Foreign => {
                return Err((None, b"ERR Unknown Redis command called from script".into()));
            }
        };
        let command = self.registry.get(id);
        let refused = |text: &'static [u8]| Err((Some(id), Cow::Borrowed(text)));
        if !command.accepts(args.len()) {
            return refused(b"ERR Wrong number of args calling Redis command from script");
        }
        // What runs scripts itself stays refused.
        let is_allowed =
            || self.server.scripts.allows_more && matches!(args.get(0).to_ascii_lowercase().as_slice(), b"debug" | b"client" | b"config");
        if command.flags & flags::NOSCRIPT != 0 && !is_allowed() {
            return refused(b"ERR This Redis command is not allowed from script");
        }
        if self.server.is_stale() && command.flags & flags::STALE == 0 {
            return refused(b"ERR Can not execute the command on a stale replica");
        }
        if self.server.scripts.running.as_ref().is_some_and(|running| running.is_restricted)
            && let Some(denied) = self.denied(ConnId::SCRIPT, id, args)
        {
            let text = self.note_denied(ConnId::SCRIPT, id, args, denied, Context::Lua);
            let reason = text.strip_prefix(b"NOPERM ").unwrap_or(&text);
            return Err((Some(id), [b"NOPERM ACL failure in script: ", reason].concat().into()));
        }
        let server = &self.server;
        let Some(running) = &server.scripts.running else { return refused(b"ERR no script is running") };
        if running.is_rehearsal()
            && let Some(text) = self.rehearsal_refusal(id)
        {
            return Err((Some(id), text.as_bytes().into()));
        }
        if running.read_only && command.flags & (flags::WRITE | flags::MAY_REPLICATE) != 0 {
            return refused(b"ERR Write commands are not allowed from read-only scripts.");
        }
        // What a script has begun it may end: half of it would be worse.
        let may_go_on = running.wrote || running.repeats;
        if command.flags & flags::WRITE != 0 && !may_go_on {
            if server.replication.upstream.is_some() && server.config.replica_read_only {
                return refused(b"READONLY You can't write against a read only replica.");
            }
            if let Some(text) = server.refusal() {
                return Err((Some(id), text));
            }
        }
        if command.flags & flags::DENYOOM != 0 && running.denies_oom && !may_go_on {
            return refused(b"OOM command not allowed when used memory > 'maxmemory'.");
        }
        if let Some(running) = &mut self.server.scripts.running {
            running.wrote |= command.flags & flags::WRITE != 0;
            // Time stands still for a script, so that what it reads does not go away under it.
            self.server.unix_us = running.unix_us;
            self.server.keyspace.now_ms = running.unix_us / 1000;
        }
        Ok(id)
    }

    /// A command's flags; those of one that runs a script are what the script says of itself, if it does.
    pub(super) fn flags_for(&self, id: CommandId, args: Args<'_>) -> u64 {
        let command = self.registry.get(id);
        let (server, all) = (&self.server, command.flags);
        if command.group != Group::Scripting {
            return all;
        }
        let said = match command.name {
            "eval" | "eval_ro" => Scripting::flags_of_text(args.get(1)),
            "evalsha" | "evalsha_ro" => server.scripting.find(args.get(1)).map(|script| server.scripting.flags(script)),
            "fcall" | "fcall_ro" => server.functions.find(args.get(1)).map(|function| function.flags),
            _ => return all,
        };
        let Some(said) = said.filter(|said| said.has_shebang) else { return all };
        let told =
            [(!said.no_writes, flags::WRITE), (!said.no_writes && !said.allow_oom, flags::DENYOOM), (said.allow_stale, flags::STALE)];
        let all = all & !(flags::WRITE | flags::DENYOOM | flags::STALE | flags::MAY_REPLICATE);
        told.iter().filter(|(is, _)| *is).fold(all, |all, (_, flag)| all | flag)
    }

    /// Whether the script's user may run a command (`redis.acl_check_cmd`).
    pub(super) fn is_allowed_to_script(&mut self) -> Result<bool, &'static str> {
        let owned = self.server.scripting.take_call();
        let allowed = match self.registry.resolve(&owned.args()) {
            Lookup::Found(id) => Ok(self.denied(ConnId::SCRIPT, id, owned.args()).is_none()),
            _ => Err("ERR Invalid command passed to redis.acl_check_cmd()"),
        };
        self.server.scripting.give_back_call(owned);
        allowed
    }
}
