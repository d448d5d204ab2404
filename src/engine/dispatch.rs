//! The gate in front of every command, and the call itself.

use super::{Engine, last_command, propagation::Logged, redact};
use crate::{
    acl::Context,
    commands::{
        CommandId, Ctx, Effect, Outcome,
        command::{Group, flags},
        key_extraction,
        registry::Lookup,
    },
    data::number,
    keyspace::ExpireMode,
    resp::{
        output::Output,
        request::{Args, OwnedArgs},
    },
    state::{
        ClientKind, ConnId,
        blocking::BlockOn,
        client::{Blocked, ReplyMode},
        slowlog::SlowlogLimits,
        write_gate::{GateReason, WriteGate},
    },
};

use std::borrow::Cow;

/// Commands with one of these flags are about data: they cannot change what [`Engine::is_ordinary`] looks at.
const DATA: u64 = flags::WRITE | flags::READONLY;

/// Commands whose replies are messages.
const LISTENING: u64 = flags::PUBSUB | flags::SUBSCRIBED;

/// Most bytes of arguments that the error for an unknown command repeats.
const SHOWN_ARGS: usize = 128;

impl Engine {
    /// Whether neither this client nor the server is in a state that any command has to be checked against.
    pub(super) fn is_ordinary(&mut self, conn: ConnId) -> bool {
        let gate = self.server.write_gate();
        self.barred = self.barred(conn, gate) | self.note_caller(conn);
        let server = &self.server;
        !gate.checks_all()
            && self.barred & DATA != DATA
            && (server.loading.is_none() || conn == ConnId::FILE)
            && server.monitors.is_empty()
            && self.suspended.is_none()
            && server.clients.get(conn).is_some_and(|c| {
                !server.wants_password(c)
                    && c.multi.is_none()
                    && c.reply == ReplyMode::On
                    && c.blocked.is_none()
                    && !c.closing()
                    && !c.no_touch
                    && !c.hears_of_own_changes
                    && !matches!(c.kind(), ClientKind::Replica | ClientKind::Pubsub)
            })
    }

    /// Flags of commands that the gate or our role may keep this client from: none on a primary whose gate is open, and everything where data is
    /// stale.
    #[inline]
    fn barred(&self, conn: ConnId, gate: WriteGate) -> u64 {
        let denied = if self.server.is_memory_limited() { flags::DENYOOM } else { 0 };
        if self.server.replication.upstream.is_none() {
            return denied | if gate.is_open() { 0 } else { flags::WRITE | flags::MAY_REPLICATE };
        }
        if self.server.clients.get(conn).is_some_and(|c| c.peer.repeats()) {
            // What is being moved must not change meanwhile, not even by our primary.
            let waits = gate.has(GateReason::Migration) || gate.has(GateReason::AofBehind) || gate.is_disk_failing();
            return if waits { flags::WRITE | flags::MAY_REPLICATE } else { 0 };
        }
        if self.server.is_stale() {
            return u64::MAX;
        }
        denied | if self.server.config.replica_read_only || gate.holds() { flags::WRITE | flags::MAY_REPLICATE } else { 0 }
    }

    /// The error for a command that the server's state does not allow a client, or for an EXEC that would run one.
    pub(super) fn refusal_by_state(&self, conn: ConnId, id: CommandId, args: Args<'_>) -> Option<Cow<'static, [u8]>> {
        let (server, config, command) = (&self.server, &self.server.config, self.registry.get(id));
        // Commands of our primary are never refused.
        let client = server.clients.get(conn).filter(|c| !c.peer.repeats())?;
        let queued = client.multi.as_ref().filter(|_| command.name == "exec").map_or(&[][..], |m| &m.queue);
        let run = || queued.iter().map(|(id, args)| self.flags_for(*id, args.args())).chain([self.flags_for(id, args)]);
        let writes = run().any(|f| f & flags::WRITE != 0);
        let gate = server.write_gate();
        // PING reports a failed save too, as in Redis.
        if (writes || command.name == "ping" && gate.is_disk_failing())
            && let Some(text) = server.refusal()
        {
            return Some(text);
        }
        if server.replication.upstream.is_some() && writes && config.replica_read_only {
            return Some(READONLY.into());
        }
        if server.is_stale() && run().any(|f| f & flags::STALE == 0) {
            return Some(MASTERDOWN.into());
        }
        if let Some(loading) = &server.loading {
            let refused = |f: u64| if loading.asynchronous { f & flags::NO_ASYNC_LOADING != 0 } else { f & flags::LOADING == 0 };
            if run().any(refused) {
                return Some(b"LOADING Redis is loading the dataset in memory".into());
            }
        }
        None
    }

    /// Before a command that is not refused runs while the disk fails: one of our primary's ends the process, as in Redis, unless it is to go on
    /// without its disk; and what others read may have to wait.
    #[cold]
    fn check_disk(&mut self, conn: ConnId, id: CommandId, args: &Args<'_>) {
        let server = &mut self.server;
        if !server.clients.get(conn).is_some_and(|client| client.peer.is_primary()) {
            return self.note_unsafe_read(conn, id, args);
        }
        if self.registry.get(id).flags & flags::WRITE == 0 {
            return;
        }
        if !server.config.replica_ignore_disk_write_errors {
            panic!("Replica was unable to write command to disk.");
        }
        if self.disk_logged_ms.is_none_or(|logged| server.mono_ms.saturating_sub(logged) > DISK_LOG_EACH_MS) {
            self.disk_logged_ms = Some(server.mono_ms);
            log::warn!("Replica is applying a command even though it is unable to write to disk.");
        }
    }

    /// Runs, queues or refuses one request. `false`: the client has to wait, and this request with it.
    #[inline]
    pub(super) fn process(
        &mut self,
        conn: ConnId,
        lookup: Lookup,
        args: Args<'_>,
        hashed: (usize, u64),
        out: &mut Output,
        ordinary: &mut bool,
    ) -> bool {
        if *ordinary
            && let Lookup::Found(id) = lookup
            && let command = self.registry.get(id)
            && let flags = command.flags
            && command.accepts(args.len())
            && let barred = flags & self.barred
            && (barred == 0 || self.is_allowed_after_all(conn, id, args, barred))
        {
            if let Some(on) = self.call(conn, id, args, hashed, out, false) {
                self.server.wait_for_keys(conn, id, args, *on, self.tried_nanos);
            }
            // What a script calls is about data, or changes nothing that is looked at there.
            let is_script_over = command.group == Group::Scripting && flags & flags::PARKS != 0 && self.is_script_harmless();
            if !is_script_over && (flags & DATA == 0 || flags & (flags::BLOCKING | flags::PARKS) != 0) {
                self.turn_reply_mode(conn);
                *ordinary = self.is_ordinary(conn);
            }
            return true;
        }
        if let Lookup::Found(id) = lookup
            && self.barred & flags::DENYOOM != 0
            && self.waits_for_memory(conn, id)
        {
            return false;
        }
        let went = self.process_checked(conn, lookup, args, hashed, out);
        *ordinary = self.is_ordinary(conn);
        went
    }

    /// [`Engine::process`] when something has to be checked.
    #[cold]
    fn process_checked(&mut self, conn: ConnId, lookup: Lookup, args: Args<'_>, hashed: (usize, u64), out: &mut Output) -> bool {
        if let Some(client) = self.server.clients.get_mut(conn) {
            client.last_command = if let Lookup::Found(id) = lookup { Some(id) } else { None };
        }
        let id = match lookup {
            Lookup::Found(id) => id,
            Lookup::Foreign => return true,
            // The load of the file ends here.
            Lookup::Unknown | Lookup::UnknownSubcommand(_) if conn == ConnId::FILE => {
                self.unknown_in_file = Some(args.get(0).to_vec());
                return false;
            }
            Lookup::Unknown => {
                if is_http(args.get(0)) {
                    self.abort_http(conn);
                    return true;
                }
                self.refuse(conn, None, out, &unknown_command(args));
                return true;
            }
            Lookup::UnknownSubcommand(id) => {
                let shown: Vec<u8> = args.get(1).iter().take(SHOWN_ARGS).copied().collect();
                let mut text = b"ERR unknown subcommand '".to_vec();
                text.extend_from_slice(&shown);
                text.extend_from_slice(format!("'. Try {} HELP.", self.registry.get(id).name.to_uppercase()).as_bytes());
                self.refuse(conn, Some(id), out, &text);
                return true;
            }
        };
        let command = self.registry.get(id);
        if !command.accepts(args.len()) {
            let text = format!("ERR wrong number of arguments for '{}' command", self.registry.full_name(id));
            self.refuse(conn, Some(id), out, text.as_bytes());
            return true;
        }
        let server = &mut self.server;
        let stranger = server.clients.get(conn).is_some_and(|client| server.wants_password(client));
        let Some(client) = server.clients.get_mut(conn) else { return false };
        if stranger && command.flags & flags::NO_AUTH == 0 {
            self.refuse(conn, Some(id), out, b"NOAUTH Authentication required.");
            return true;
        }
        if client.multi.is_some() && command.flags & flags::NO_MULTI != 0 {
            self.refuse(conn, Some(id), out, b"ERR Command not allowed inside a transaction");
            return true;
        }
        if let Some(denied) = self.denied(conn, id, args) {
            let context = if self.is_queueing(conn) { Context::Multi } else { Context::TopLevel };
            let text = self.note_denied(conn, id, args, denied, context);
            self.refuse(conn, Some(id), out, &text);
            return true;
        }
        if let Some(text) = self.refusal_by_memory(conn, id, args) {
            self.refuse(conn, Some(id), out, text);
            return true;
        }
        if let Some(text) = self.server.scripts.busy().filter(|_| command.flags & flags::ALLOW_BUSY == 0)
            && let Some(client) = self.server.clients.get_mut(conn)
        {
            // What our primary has done is done here too, later.
            if client.peer.repeats() {
                client.blocked = Some(Blocked::Pause);
                self.paused.push_back(conn);
                return false;
            }
            self.refuse(conn, Some(id), out, text.as_bytes());
            return true;
        }
        let Some(client) = self.server.clients.get(conn) else { return false };
        if client.kind() == ClientKind::Pubsub && !out.resp3() && command.flags & flags::SUBSCRIBED == 0 {
            let name = self.registry.full_name(id);
            let text = format!(
                "ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"
            );
            self.refuse(conn, Some(id), out, text.as_bytes());
            return true;
        }
        if let Some(text) = self.refusal_by_state(conn, id, args) {
            self.refuse(conn, Some(id), out, &text);
            return true;
        }
        if self.server.write_gate().is_disk_failing() {
            self.check_disk(conn, id, &args);
        }
        let run_flags = self.flags_for(id, args);
        let server = &mut self.server;
        let (holds_writes, holds_reads) = (server.write_gate().holds(), server.holds_reads());
        let Some(client) = server.clients.get_mut(conn) else { return false };
        let listens = client.monitor || client.peer.is_replica();
        if listens && command.flags & (DATA | flags::MAY_REPLICATE) != 0 {
            self.refuse(conn, Some(id), out, b"ERR Replica can't interact with the keyspace");
            return true;
        }
        let databases = server.keyspace.databases();
        let in_multi = client.multi.is_some() && command.flags & flags::NOT_QUEUED == 0;
        if holds_writes && conn != ConnId::FILE {
            let exec = if command.name == "exec" { client.multi.as_ref().map_or(0, |m| m.flags) } else { 0 };
            let writes = (run_flags | exec) & (flags::WRITE | flags::MAY_REPLICATE) != 0;
            // Commands of our primary wait too, so that nothing changes meanwhile.
            let replica = client.peer.is_replica();
            if !replica && (writes || holds_reads) {
                client.blocked = Some(Blocked::Pause);
                self.paused.push_back(conn);
                return false;
            }
        }
        if in_multi {
            if let Some(multi) = client.multi.as_mut()
                && !multi.aborted
            {
                let owned = OwnedArgs::from_args(args);
                multi.bytes += owned.bytes();
                multi.memory += owned.memory() + size_of::<(CommandId, OwnedArgs)>();
                multi.flags |= run_flags;
                if command.name == "select" {
                    let selects = number::parse_i64(args.get(1)).and_then(|index| usize::try_from(index).ok());
                    multi.db = selects.filter(|index| *index < databases).or(multi.db);
                }
                multi.queue.push((id, owned));
            }
            let reply = client.reply;
            if reply == ReplyMode::On {
                out.simple("QUEUED");
            }
            self.limit_input(conn);
            self.turn_reply_mode(conn);
            return true;
        }
        if client.peer.is_replica() {
            let mut answer = Output::new(out.protocol);
            // No command that a replica may send blocks.
            let _ = self.call(conn, id, args, hashed, &mut answer, false);
            if !answer.is_empty() && self.is_replica(conn) {
                let answer = answer.take_all();
                self.answered_replica(conn, &answer, answer.starts_with(b"-"));
            }
            return true;
        }
        // A transaction looks at it for each of its commands.
        let executes = command.name == "exec" && client.multi.is_some();
        let blocks = match executes {
            true => self.call_tracked(conn, id, args, hashed, out, false),
            false => self.call_if_heard(conn, id, args, hashed, out, false),
        };
        if let Some(on) = blocks {
            self.server.wait_for_keys(conn, id, args, *on, self.tried_nanos);
        }
        // The mode of one command lasts as long as its script.
        if !self.server.clients.get(conn).is_some_and(|client| client.blocked == Some(Blocked::Script)) {
            self.turn_reply_mode(conn);
        }
        true
    }

    /// Whether what a client's commands answer is sent to it.
    pub(super) fn is_heard(&self, conn: ConnId) -> bool {
        self.server.clients.get(conn).is_some_and(|client| matches!(client.reply, ReplyMode::On | ReplyMode::SkipNext))
    }

    /// [`Engine::call_tracked`], whose reply is sent if the client wants to hear it.
    pub(super) fn call_if_heard(
        &mut self,
        conn: ConnId,
        id: CommandId,
        args: Args<'_>,
        hashed: (usize, u64),
        out: &mut Output,
        in_exec: bool,
    ) -> Option<Box<BlockOn>> {
        // The confirmation of a subscription is sent like any message.
        let pushes = self.registry.get(id).flags & LISTENING == LISTENING;
        if pushes || self.is_heard(conn) {
            return self.call_tracked(conn, id, args, hashed, out, in_exec);
        }
        let mut unheard = Output::new(out.protocol);
        let blocks = self.call_tracked(conn, id, args, hashed, &mut unheard, in_exec);
        out.protocol = unheard.protocol;
        // CLIENT REPLY ON answers, and from then on everything does; and a replica hears what it asked for.
        if self.is_heard(conn) || self.is_replica(conn) {
            out.append(unheard);
        }
        blocks
    }

    /// Ends a connection that speaks HTTP: an attacker without access may have made a browser send it.
    #[cold]
    fn abort_http(&mut self, conn: ConnId) {
        let server = &mut self.server;
        let Some(client) = server.clients.get(conn) else { return };
        let now = server.mono_ms;
        if self.http_logged_ms.is_none_or(|logged| now.saturating_sub(logged) > HTTP_LOG_EACH_MS) {
            self.http_logged_ms = Some(now);
            log::warn!(
                "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands to Redis. This is likely due to an \
                 attacker attempting to use Cross Protocol Scripting to compromise your Redis instance. Connection from {} aborted.",
                client.origin.addr
            );
        }
        server.close(conn, false);
    }

    /// CLIENT REPLY SKIP is for one command.
    pub(super) fn turn_reply_mode(&mut self, conn: ConnId) {
        if let Some(client) = self.server.clients.get_mut(conn) {
            client.reply = match client.reply {
                ReplyMode::SkipNext => ReplyMode::Skip,
                ReplyMode::Skip => ReplyMode::On,
                mode => mode,
            };
        }
    }

    /// Answers with an error before the command runs; a transaction being queued is aborted by it, and discarded if EXEC is refused.
    pub(super) fn refuse(&mut self, conn: ConnId, id: Option<CommandId>, out: &mut Output, text: &[u8]) {
        if let Some(id) = id {
            self.server.stats.by_command[usize::from(id)].rejected += 1;
        }
        let aborted;
        let mut text = text;
        if id.is_some_and(|id| self.registry.get(id).name == "exec") {
            self.server.discard_transaction(conn);
            aborted = [b"EXECABORT Transaction discarded because of: ", text.strip_prefix(b"ERR ").unwrap_or(text)].concat();
            text = &aborted;
        }
        self.server.count_error(text);
        self.errors_before = self.server.stats.errors;
        if self.is_replica(conn) {
            return self.answered_replica(conn, text, true);
        }
        if let Some(client) = self.server.clients.get_mut(conn) {
            if let Some(multi) = client.multi.as_mut() {
                multi.aborted = true;
            }
            if client.reply == ReplyMode::On {
                out.error(text);
            }
        }
        self.end_caching(conn, id);
        self.turn_reply_mode(conn);
    }

    /// Runs a command that has passed the gate. If it has to wait for keys, says for which: the call is not over then, and counts later.
    #[inline]
    pub(super) fn call(
        &mut self,
        conn: ConnId,
        id: CommandId,
        args: Args<'_>,
        hashed: (usize, u64),
        out: &mut Output,
        in_exec: bool,
    ) -> Option<Box<BlockOn>> {
        let command = self.registry.get(id);
        let client = self.server.clients.get_mut(conn)?;
        if !in_exec {
            client.last_command = Some(id);
        }
        last_command::note(id);
        let db = client.db;
        let (fed, dirty) = (self.server.replication.log.is_fed(), self.server.keyspace.dirty);
        let started = self.nanos;
        if client.no_touch {
            self.server.keyspace.access.suspended = command.name != "touch" || self.server.keyspace.is_rehearsing();
        }
        let mut ctx = Ctx {
            server: &mut self.server,
            registry: &self.registry,
            command: id,
            conn,
            db,
            args,
            out,
            hashed,
            effect: Default::default(),
            outcome: Outcome::Done,
            in_exec,
        };
        (command.handler)(&mut ctx);
        let Ctx { outcome, effect, .. } = ctx;
        if let Outcome::Script(script) = &outcome {
            // What a slow one does is counted and told when it has ended.
            if !self.run_script(conn, id, args, script, out, in_exec) {
                return None;
            }
        } else if matches!(outcome, Outcome::Exec) {
            self.exec(conn, out);
        } else if fed {
            // SAVE lowers it, and changes no data.
            let changed = self.server.keyspace.dirty > dirty;
            self.log_call(conn, id, &Logged { db, args, effect: &effect, changed }, in_exec);
        } else if self.server.keyspace.expire_mode == ExpireMode::Hide && command.flags & flags::WRITE != 0 {
            self.note_own_deadlines(db, id, args);
        }
        // Mostly there is nothing to free, which needs no call.
        match effect {
            Effect::Verbatim => std::mem::forget(effect),
            effect => drop(effect),
        }
        self.server.keyspace.access.suspended = false;

        // The end of this command is the start of the next: one reading of the clock each.
        let ended = self.server.host.nanos();
        let nanos = ended.saturating_sub(started);
        self.nanos = ended;
        // Monitors are fed when the command is sent, not when a blocked client is served. A script has been told of before it ran.
        if !self.server.monitors.is_empty() && !self.serving {
            let told =
                command.flags & flags::ADMIN != 0 || command.flags & flags::SKIP_MONITOR != 0 && matches!(outcome, Outcome::Script(_));
            if !told {
                self.feed_monitors(conn, id, args);
            }
        }
        if !self.server.keyspace.gone.is_empty() || !self.server.keyspace.notes.is_empty() {
            self.forget_gone();
        }
        if let Outcome::Block(on) = outcome {
            self.tried_nanos = nanos;
            return Some(on);
        }
        self.count_call(conn, id, args, nanos);
        if self.server.keyspace.awaited.has_ready() && !in_exec {
            self.serve_ready();
        }
        None
    }

    /// Counts a call that is over.
    #[inline(always)]
    pub(super) fn count_call(&mut self, conn: ConnId, id: CommandId, args: Args<'_>, nanos: u64) {
        let stats = &mut self.server.stats;
        // No 64-bit counter of calls or nanoseconds comes to its end.
        stats.commands = stats.commands.wrapping_add(1);
        stats.commands_nanos = stats.commands_nanos.wrapping_add(nanos);
        let counters = &mut stats.by_command[usize::from(id)];
        counters.calls = counters.calls.wrapping_add(1);
        counters.nanos = counters.nanos.wrapping_add(nanos);
        // Errors of a transaction's commands are counted with them, not with EXEC.
        // CONFIG RESETSTAT puts the counter back to zero, and has not failed.
        counters.failed = counters.failed.wrapping_add(u64::from(stats.errors > self.errors_before));
        self.errors_before = stats.errors;
        if self.server.config.latency_tracking {
            counters.histogram.get_or_insert_default().add(nanos);
        }
        if nanos >= SLOW_NANOS || (0..1000).contains(&self.server.config.slowlog_log_slower_than) {
            self.note_slow(conn, id, args, nanos);
        }
    }

    /// A writable replica must itself expire keys that its own clients gave a deadline.
    #[cold]
    fn note_own_deadlines(&mut self, db: usize, id: CommandId, args: Args<'_>) {
        if self.server.keyspace.is_rehearsing() {
            return;
        }
        let keys = key_extraction::keys(self.registry.get(id), &args).unwrap_or_default();
        for (at, _) in keys {
            self.server.keyspace.note_own_deadline(db, args.get(at));
        }
    }

    /// The slow log and the latency monitor.
    #[cold]
    fn note_slow(&mut self, conn: ConnId, id: CommandId, args: Args<'_>, nanos: u64) {
        if conn == ConnId::FILE {
            return;
        }
        let server = &mut self.server;
        let command = self.registry.get(id);
        let (slower_than_us, us) = (server.config.slowlog_log_slower_than, nanos / 1000);
        let event = if command.flags & flags::FAST != 0 { "fast-command" } else { "command" };
        let seconds = server.unix_seconds();
        server.latency.add_if_needed(event, us / 1000, server.config.latency_monitor_threshold, seconds);
        if slower_than_us < 0 || us < slower_than_us as u64 || command.flags & flags::SKIP_SLOWLOG != 0 {
            return;
        }
        if let Some(client) = server.clients.get(conn) {
            let limits = SlowlogLimits::of(&server.config);
            let shown = redact::redacted(self.registry.full_name(id), args);
            server.slowlog.push(&limits, seconds, us, shown, &client.origin.addr, &client.name);
        }
    }
}

/// Below this no command is looked at for the slow log, unless it is set to log faster ones.
const SLOW_NANOS: u64 = 1_000_000;

const READONLY: &[u8] = b"READONLY You can't write against a read only replica.";

const MASTERDOWN: &[u8] = b"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";

/// Milliseconds between two warnings that a replica goes on without its disk.
const DISK_LOG_EACH_MS: u64 = 10_000;

/// Milliseconds between two warnings about HTTP.
const HTTP_LOG_EACH_MS: u64 = 60_000;

/// Whether it is a word that begins a line of an HTTP request and is no command's name.
fn is_http(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:")
}

fn unknown_command(args: Args<'_>) -> Vec<u8> {
    let mut text = b"ERR unknown command '".to_vec();
    text.extend(args.get(0).iter().take(SHOWN_ARGS));
    text.extend_from_slice(b"', with args beginning with: ");
    let start = text.len();
    for arg in args.skip(1).iter() {
        let used = text.len() - start;
        if used >= SHOWN_ARGS {
            break;
        }
        text.push(b'\'');
        text.extend(arg.iter().take(SHOWN_ARGS - used));
        text.extend_from_slice(b"' ");
    }
    text
}
