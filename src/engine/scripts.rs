//! Scripts: what they ask for is done between two steps of theirs, so that nothing is entered twice.
//!
//! One that runs for longer than `busy-reply-threshold` is suspended, and goes on in slices at the end of each turn. Its client waits, everybody else
//! is told that the server is busy, and the data stand still until it has ended: no key expires, is evicted or served.

use super::{Engine, debugging::Session};
use crate::{
    commands::{
        CommandId,
        scripting::{FIRST_KEY, ScriptCall, end_undebugged},
    },
    resp::{
        output::{Output, Protocol},
        request::{Args, OwnedArgs},
    },
    scripting::{Answer, Asked, RunFacts, ScriptFlags, log_level},
    state::{
        Action, Client, ConnId, Peer,
        client::{Blocked, Origin, ReplyMode},
        scripts::{Kind, Running},
        write_gate::GateReason,
    },
};

use std::{borrow::Cow, vec::IntoIter};

/// How long a slow script goes on in a turn.
const SLICE_NANOS: u64 = 2_000_000;

/// A buffer of replies that has grown larger than this is given back.
const REPLY_KEPT: usize = 64 * 1024;

/// So many of a script's keys are brought near before it runs.
const KEYS_NEAR: usize = 8;

/// Where the effects of a script go, unless it says otherwise (`redis.REPL_ALL`).
const EVERYWHERE: u8 = 3;

/// A script between two slices, and what goes on behind it.
pub(super) struct Suspended {
    /// The command that its client has called.
    pub id: CommandId,
    /// It is part of a transaction.
    pub in_exec: bool,
    /// What of that transaction is still to run.
    pub rest: Option<IntoIter<(CommandId, OwnedArgs)>>,
    /// It is debugged.
    pub session: Option<Session>,
}

/// Where a script has come to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// To its end.
    Finished,
    /// It is slow, or has stopped to be debugged, and others have to have their turn.
    Slow,
}

impl Engine {
    /// Runs the script that a command has named. `false`: it is slow, and will go on by itself; the command is not over.
    // A function of its own, so that the stack frame of other calls is small.
    #[inline(never)]
    pub(super) fn run_script(
        &mut self,
        conn: ConnId,
        id: CommandId,
        args: Args<'_>,
        script: &ScriptCall,
        out: &mut Output,
        in_exec: bool,
    ) -> bool {
        // In front of what the script calls.
        if !self.server.monitors.is_empty() {
            self.feed_monitors(conn, id, args);
        }
        // Room is made here or not at all: no key may go while the script runs.
        let lacks_memory = self.server.is_memory_limited() && !self.has_memory();
        if let Some(text) = self.script_refusal(conn, script.flags, script.read_only, lacks_memory) {
            self.server.count_error(&text);
            if !script.is_function && self.server.clients.get(conn).is_some_and(|client| client.debug.is_some()) {
                end_undebugged(&mut self.server, conn, out);
            }
            out.error(text);
            return true;
        }
        let Some(mut running) = self.running(conn, args, script) else { return true };
        running.denies_oom = lacks_memory && !running.allow_oom;
        self.set_script_client(conn);
        if let Some(mode) = running.debug {
            return self.begin_debugging((conn, id, args), mode, running, script, (out, in_exec));
        }
        match script.keys {
            0 | 1 => self.begin_script(running, args, script),
            _ => self.begin_with_keys_near(conn, running, args, script),
        }
        match self.advance_script(Answer::Begin, u64::MAX) {
            Step::Finished => {
                self.end_script(out);
                if !in_exec {
                    self.end_unit(conn);
                }
                true
            }
            Step::Slow => {
                if let Some(running) = &mut self.server.scripts.running {
                    running.args = Some(OwnedArgs::from_args(args));
                }
                self.suspended = Some(Box::new(Suspended { id, in_exec, rest: None, session: None }));
                if let Some(client) = self.server.clients.get_mut(conn) {
                    client.blocked = Some(Blocked::Script);
                }
                false
            }
        }
    }

    pub(super) fn begin_script(&mut self, running: Running, args: Args<'_>, script: &ScriptCall) {
        let facts = RunFacts { name: running.name.clone(), is_function: script.is_function, nanos: running.began };
        self.server.scripts.running = Some(running);
        let arguments = args.skip(FIRST_KEY);
        self.server.scripting.begin(script.function, arguments.take(script.keys), arguments.skip(script.keys), facts);
    }

    /// The same, while the memory brings what the script will look up: look-ahead has brought what is at the first key alone.
    #[inline(never)]
    fn begin_with_keys_near(&mut self, conn: ConnId, running: Running, args: Args<'_>, script: &ScriptCall) {
        let db = self.server.clients.get(conn).map_or(0, |client| client.db);
        let keys = args.skip(FIRST_KEY).take(script.keys);
        let mut hashes = [0; KEYS_NEAR];
        for (hash, key) in hashes.iter_mut().zip(keys.iter()) {
            *hash = self.server.keyspace.hash(key);
            self.server.keyspace.prefetch_bucket(db, *hash);
        }
        self.begin_script(running, args, script);
        hashes.iter().take(keys.len()).for_each(|hash| self.server.keyspace.prefetch_entry(db, *hash));
    }

    fn running(&self, conn: ConnId, args: Args<'_>, script: &ScriptCall) -> Option<Running> {
        let client = self.server.clients.get(conn)?;
        let flags = script.flags;
        Some(Running {
            kind: if script.is_function { Kind::Function } else { Kind::Script },
            name: if script.is_function { args.get(1).into() } else { self.server.scripting.sha(script.function) },
            caller: conn,
            caller_id: client.id,
            repeats: client.peer.repeats(),
            read_only: script.read_only || flags.has_shebang && flags.no_writes,
            allow_oom: flags.has_shebang && flags.allow_oom,
            denies_oom: false,
            is_restricted: self.server.is_restricted(client),
            wrote: false,
            killed: false,
            began: self.nanos,
            unix_us: self.server.unix_us,
            propagates: EVERYWHERE,
            args: None,
            debug: client.debug.filter(|_| !script.is_function),
        })
    }

    /// Makes the client that runs a script's commands what its caller is. What those commands do to their client ends with the script.
    fn set_script_client(&mut self, caller: ConnId) {
        let Some(client) = self.server.clients.get(caller) else { return };
        let (db, user, authenticated) = (client.db, client.user, client.authenticated);
        let (no_touch, repeats) = (client.no_touch, client.peer.repeats());
        let now = self.server.mono_ms;
        let client = self.server.clients.script_client(|| Client::new(0, Origin::default(), now, true));
        (client.db, client.user, client.authenticated, client.no_touch) = (db, user, authenticated, no_touch);
        client.peer = if repeats { Peer::File } else { Peer::Client };
        self.script_out.get_or_insert_default().protocol = Protocol::Resp2;
    }

    /// Why a script may not begin, if it says of itself what it does, or the server's state allows none.
    fn script_refusal(&self, conn: ConnId, flags: ScriptFlags, read_only: bool, lacks_memory: bool) -> Option<Cow<'static, [u8]>> {
        let (server, config) = (&self.server, &self.server.config);
        let obeys = server.clients.get(conn).is_some_and(|client| client.peer.repeats());
        let upstream = server.replication.upstream.as_ref();
        let is_stale = server.is_stale();
        if !flags.has_shebang {
            return is_stale.then_some(MASTERDOWN.into());
        }
        if is_stale && !flags.allow_stale {
            return Some(STALE.into());
        }
        if !flags.no_writes && !obeys {
            if upstream.is_some() && config.replica_read_only {
                return Some(READONLY.into());
            }
            let refusing = server.write_gate().refusing();
            match (refusing, &server.aof.failure) {
                (Some(GateReason::SaveFailed), _) => return Some(MISCONF.into()),
                (Some(GateReason::AofFailed), failure) => {
                    let reason = failure.as_ref().map_or("", |failure| &*failure.reason);
                    return Some([MISCONF_AOF, reason.as_bytes()].concat().into());
                }
                _ => (),
            }
            if read_only {
                return Some(b"ERR Can not execute a script with write flag using *_ro command.".into());
            }
            if refusing == Some(GateReason::FewReplicas) {
                return Some(b"NOREPLICAS Not enough good replicas to write.".into());
            }
        }
        if !flags.allow_oom && !flags.no_writes && !obeys && lacks_memory {
            return Some(b"OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'".into());
        }
        None
    }

    /// Has the script go on until it ends or, where it is slow, until this moment of monotonic time.
    fn advance_script(&mut self, answer: Answer<'_>, until: u64) -> Step {
        let mut reply = self.script_out.take().unwrap_or_default();
        let step = self.advance_with(answer, until, &mut reply);
        if !self.owes_script_reply && (reply.tail_capacity() > REPLY_KEPT || !reply.rewind(0)) {
            *reply = Output::new(reply.protocol);
        }
        self.script_out = Some(reply);
        step
    }

    fn advance_with(&mut self, answer: Answer<'_>, until: u64, reply: &mut Output) -> Step {
        let mut whole = Vec::new();
        let due = self.script_due(until);
        // One that ends does not need it any more.
        let owed = std::mem::take(&mut self.owes_script_reply) && !matches!(answer, Answer::Kill(_));
        let mut asked = self.server.scripting.resume(if owed { reply_to_call(reply, &mut whole) } else { answer });
        loop {
            let answer = match asked {
                Asked::Call => {
                    if !reply.rewind(0) {
                        *reply = Output::new(reply.protocol);
                    }
                    self.call_for_script(reply);
                    // The script may do little else than call what takes long.
                    match if self.nanos < due { Some(Answer::Go) } else { self.interrupted(until) } {
                        Some(Answer::Go) => reply_to_call(reply, &mut whole),
                        Some(end) => end,
                        None => {
                            self.owes_script_reply = true;
                            return Step::Slow;
                        }
                    }
                }
                Asked::AclCheck => match self.is_allowed_to_script() {
                    Ok(allowed) => Answer::Bool(allowed),
                    Err(text) => Answer::Error(text.as_bytes()),
                },
                Asked::Interrupted => match self.interrupted(until) {
                    Some(Answer::Go) if self.is_debugging() => self.late_answer().unwrap_or(Answer::Go),
                    Some(answer) => answer,
                    None => return Step::Slow,
                },
                Asked::Prompt => {
                    self.script_stopped();
                    return Step::Slow;
                }
                Asked::Log { level } => {
                    log::log!(log_level(level), "{}", String::from_utf8_lossy(self.server.scripting.log_text()));
                    Answer::Go
                }
                Asked::Propagate(what) => {
                    if let Some(running) = &mut self.server.scripts.running {
                        running.propagates = what;
                    }
                    Answer::Go
                }
                Asked::SetResp(version) => {
                    reply.protocol = if version == 3 { Protocol::Resp3 } else { Protocol::Resp2 };
                    Answer::Go
                }
                Asked::Finished { .. } => return Step::Finished,
            };
            asked = self.server.scripting.resume(answer);
        }
    }

    /// Monotonic nanoseconds from which on the script that runs has to stop for others, if it goes on until `until` at most.
    fn script_due(&self, until: u64) -> u64 {
        let threshold = self.server.config.busy_reply_threshold;
        match &self.server.scripts.running {
            Some(_) if self.server.scripts.is_slow => until,
            Some(running) if threshold > 0 && !running.repeats => running.began.saturating_add(threshold.saturating_mul(1_000_000)),
            _ => u64::MAX,
        }
    }

    /// The hook has fired: what the script is told; `None` when it is to stop for a while.
    fn interrupted(&mut self, until: u64) -> Option<Answer<'static>> {
        let nanos = self.server.host.nanos();
        self.server.scripting.note_time(nanos);
        let threshold = self.server.config.busy_reply_threshold;
        let scripts = &mut self.server.scripts;
        let Some(running) = &scripts.running else { return Some(Answer::Go) };
        if running.killed {
            return Some(Answer::Kill(running.kind.killed()));
        }
        if scripts.is_slow {
            return (nanos < until).then_some(Answer::Go);
        }
        let ms = nanos.saturating_sub(running.began) / 1_000_000;
        // What comes from a file or from our primary is in nobody's way: nobody is served before it has been executed.
        if threshold == 0 || ms < threshold || running.repeats {
            return Some(Answer::Go);
        }
        scripts.is_slow = true;
        log::warn!(
            "Slow script detected: still in execution after {ms} milliseconds. You can try killing the script using the {} command. Script name \
             is: {}.",
            running.kind.kill_command(),
            running.name.escape_ascii()
        );
        None
    }

    /// Writes what came of a script.
    fn end_script(&mut self, out: &mut Output) {
        let written = self.server.scripting.write_result(out);
        // What its calls have counted is not its failure.
        self.errors_before = self.server.stats.errors;
        written.uncounted.iter().for_each(|text| self.server.count_error(text));
        if written.is_error && written.uncounted.is_empty() {
            // It fails with an error that is counted already.
            self.errors_before = self.server.stats.errors.wrapping_sub(1);
        }
        self.server.scripts.running = None;
        self.server.scripts.is_slow = false;
    }

    /// Whether no script is left to go on, and none may have called what clients are not held to the same rules by afterwards.
    #[inline]
    pub(super) fn is_script_harmless(&self) -> bool {
        self.suspended.is_none() && !self.server.scripts.allows_more
    }

    /// Whether the data stand still for everybody but the script that runs.
    #[inline]
    pub(super) fn is_script_slow(&self) -> bool {
        self.suspended.is_some()
    }

    /// Whether what follows in a transaction has to wait for the end of a script.
    pub(super) fn keep_rest(&mut self, rest: IntoIter<(CommandId, OwnedArgs)>) {
        if let Some(suspended) = &mut self.suspended {
            suspended.rest = Some(rest);
        }
    }

    /// A client is gone: if it waits for a script amid its transaction, that is done to its end all the same, as somebody who hears nothing and is not heard of.
    pub(super) fn keep_caller(&mut self, client: &Client) {
        let in_exec = self.suspended.as_ref().is_some_and(|suspended| suspended.in_exec);
        let Some(running) = self.server.scripts.running.as_mut().filter(|running| in_exec && running.caller_id == client.id) else {
            return;
        };
        running.caller = ConnId::LEFT;
        let mut left = Client::new(client.id, client.origin.clone(), client.created_ms, client.authenticated);
        (left.db, left.user, left.no_touch) = (client.db, client.user, client.no_touch);
        left.reply = ReplyMode::Off;
        // It is never asked what it is owed.
        left.dirty = true;
        self.server.clients.set_left_client(left);
    }

    /// Has the script that is slow go on for a slice.
    pub(super) fn script_slice(&mut self) {
        let Some(running) = &self.server.scripts.running else { return };
        let (caller, caller_id) = (running.caller, running.caller_id);
        let is_there = self.server.clients.get(caller).is_some_and(|client| client.id == caller_id);
        let answer = match running.killed {
            true => Answer::Kill(running.kind.killed()),
            false if self.is_debugging() => match self.debugger_answer(caller, is_there) {
                Some(answer) => answer,
                None => return,
            },
            false => Answer::Go,
        };
        let (unix_us, now_ms) = (self.server.unix_us, self.server.keyspace.now_ms);
        let nanos = self.server.host.nanos();
        self.server.scripting.note_slice(nanos);
        let until = nanos.saturating_add(SLICE_NANOS);
        // What others have been refused meanwhile is no failure of the script's.
        self.errors_before = self.server.stats.errors;
        // What it reads and changes is its client's doing.
        self.server.keyspace.tracked.current = if is_there { self.server.reader(caller) } else { None };
        let step = self.advance_script(answer, until);
        self.server.keyspace.tracked.current = None;
        (self.server.unix_us, self.server.keyspace.now_ms) = (unix_us, now_ms);
        if step != Step::Finished {
            return;
        }
        self.close_debugger();
        let Some(suspended) = self.suspended.take() else { return };
        let running = self.server.scripts.running.as_ref();
        let (began, its_unix_us) = running.map_or((self.nanos, unix_us), |running| (running.began, running.unix_us));
        // One that has gone hears nothing; what it asked for is done all the same.
        let protocol = self.server.clients.get(caller).filter(|_| is_there).map_or(Protocol::Resp2, |client| client.out.protocol);
        let (mut out, heard) = (Output::new(protocol), is_there && self.is_heard(caller));
        let args = self.server.scripts.running.as_mut().and_then(|running| running.args.take()).unwrap_or_default();
        self.end_script(&mut out);
        let Suspended { id, in_exec, rest, session } = *suspended;
        self.nanos = self.server.host.nanos();
        let nanos = self.nanos.saturating_sub(began);
        let nanos = session.as_ref().map_or(nanos, |session| session.counted_nanos(nanos));
        self.count_call(if is_there { caller } else { ConnId::SCRIPT }, id, args.args(), nanos);
        if !heard {
            out = Output::new(protocol);
        }
        if in_exec && is_there {
            // Time has stood still for all of the transaction.
            (self.server.unix_us, self.server.keyspace.now_ms) = (its_unix_us, its_unix_us / 1000);
            self.run_queue(caller, rest.unwrap_or_default(), &mut out);
            (self.server.unix_us, self.server.keyspace.now_ms) = (unix_us, now_ms);
        } else {
            self.end_unit(caller);
        }
        if is_there {
            self.note_slow_end(caller);
            self.give_late_output(caller, out);
        }
        if let Some(session) = &session {
            self.end_debugging(session, caller, is_there);
        }
        if self.suspended.is_none() {
            if self.server.aof.unsafe_keys.is_some() {
                // What it has begun to write it was let write to its end, though the disk fails.
                self.learn_unsafe_keys();
            }
            if caller == ConnId::LEFT {
                self.disconnect(caller);
            }
            self.script_ended(caller, is_there && caller != ConnId::LEFT);
        }
    }

    /// Everybody goes on where the script has left off.
    fn script_ended(&mut self, caller: ConnId, is_there: bool) {
        if is_there {
            if let Some(client) = self.server.clients.get_mut(caller) {
                client.blocked = None;
            }
            self.turn_reply_mode(caller);
            self.server.blocking.released.push(caller);
        }
        if let Some(conn) = self.server.replication.upstream.as_ref().and_then(|upstream| upstream.conn) {
            self.server.actions.push_back(Action::Read(ConnId(conn)));
        }
        if !self.server.keyspace.gone.is_empty() || !self.server.keyspace.notes.is_empty() {
            self.forget_gone();
        }
        if self.server.keyspace.awaited.has_ready() {
            self.serve_ready();
        }
    }

    /// Puts what came late behind what a client has to be sent.
    pub(super) fn give_late_output(&mut self, conn: ConnId, late: Output) {
        if let Some(client) = self.server.clients.get_mut(conn) {
            let protocol = client.out.protocol;
            let mut out = std::mem::replace(&mut client.out, Output::new(protocol));
            out.append(late);
            self.give_output(conn, out);
        }
    }
}

/// What a command has answered, for the script that has called it. As a rule that is in one piece; else it is put together in `whole`.
#[inline]
fn reply_to_call<'a>(reply: &'a mut Output, whole: &'a mut Vec<u8>) -> Answer<'a> {
    if reply.pieces() == 0 {
        return Answer::Reply(reply.since(0));
    }
    *whole = reply.take_all();
    Answer::Reply(whole)
}

const MASTERDOWN: &[u8] = b"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";
const STALE: &[u8] =
    b"MASTERDOWN Link with MASTER is down, replica-serve-stale-data is set to 'no' and 'allow-stale' flag is not set on the script.";
const READONLY: &[u8] = b"READONLY Can not run script with write flag on readonly replica.";
const MISCONF: &[u8] =
    b"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Writable scripts are \
blocked. Use 'no-writes' flag for read only scripts.";
const MISCONF_AOF: &[u8] =
    b"MISCONF Redis is configured to persist data to AOF, but it's currently unable to persist to disk. Writable scripts are \
blocked. Use 'no-writes' flag for read only scripts. AOF error: ";
