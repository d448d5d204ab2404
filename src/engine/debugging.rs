//! The step debugger: a script that stops for its user's commands, which are the next input of its client's connection.
//!
//! A session is a slow script from its beginning on: others are told so, and the data stand still for them. What it changes in a rehearsal
//! (`SCRIPT DEBUG YES`) is undone at its end; nobody hears of it, and no log has it.

use super::{
    Engine,
    debug_input::{Said, read},
    scripts::Suspended,
};
use crate::{
    commands::{
        CommandId,
        command::flags,
        scripting::{BY_HASH_DEBUGGED, SESSION_END, ScriptCall},
    },
    resp::{
        encode,
        output::Output,
        request::{Args, OwnedArgs},
    },
    scripting::Answer,
    state::{
        Action, Client, ConnId,
        client::{Blocked, DebugMode, Pending},
        scripts::Running,
    },
};

/// Bytes of commands that may wait.
const INPUT_BYTES_MAX: usize = 1 << 20;
/// Milliseconds between two turns while the user thinks.
const PROMPT_MS: u64 = 100;
/// Milliseconds after which a script stops that does not come to a breakpoint, where there is no `busy-reply-threshold`.
const LATE_MS: u64 = 5000;

/// A session.
pub(super) struct Session {
    /// What its client has sent and the script has not been told.
    input: Vec<u8>,
    phase: Phase,
    /// Monotonic nanoseconds at which the script has last begun to run.
    resumed: u64,
    /// All of it is to be undone.
    is_rehearsal: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The script has not begun.
    Begins,
    /// It runs.
    Runs,
    /// It has stopped.
    Prompt {
        /// No whole command of the user's is there.
        waits: bool,
    },
}

impl Engine {
    /// Begins a session instead of running a script. `true`: it is refused.
    pub(super) fn begin_debugging(
        &mut self,
        (conn, id, args): (ConnId, CommandId, Args<'_>),
        mode: DebugMode,
        mut running: Running,
        script: &ScriptCall,
        (out, in_exec): (&mut Output, bool),
    ) -> bool {
        let refusal = if self.registry.get(id).name.starts_with("evalsha") {
            BY_HASH_DEBUGGED
        } else if in_exec {
            "ERR Scripts cannot be debugged inside a transaction"
        } else {
            ""
        };
        if !refusal.is_empty() {
            self.server.count_error(refusal.as_bytes());
            out.error(refusal);
            return true;
        }
        let is_rehearsal = mode == DebugMode::Rehearsal;
        if is_rehearsal {
            self.server.keyspace.begin_rehearsal();
            if let Some(client) = self.server.clients.get_mut(ConnId::SCRIPT) {
                client.no_touch = true;
            }
        }
        log::info!("Debugging of a script begins{}", if is_rehearsal { ": what it changes will be undone" } else { "" });
        running.args = Some(OwnedArgs::from_args(args));
        self.server.scripting.debug(args.get(1));
        self.begin_script(running, args, script);
        self.server.scripts.is_slow = true;
        let session = Session { input: Vec::new(), phase: Phase::Begins, resumed: self.nanos, is_rehearsal };
        self.suspended = Some(Box::new(Suspended { id, in_exec: false, rest: None, session: Some(session) }));
        if let Some(client) = self.server.clients.get_mut(conn) {
            client.blocked = Some(Blocked::Script);
        }
        false
    }

    fn session(&mut self) -> Option<&mut Session> {
        self.suspended.as_mut()?.session.as_mut()
    }

    /// Whether the script that is suspended is debugged.
    pub(super) fn is_debugging(&self) -> bool {
        self.suspended.as_ref().is_some_and(|suspended| suspended.session.is_some())
    }

    /// How long the loop may rest while a session waits for its user; `None` while there is something to do.
    pub(super) fn prompt_ms(&self) -> Option<u64> {
        let session = self.suspended.as_ref()?.session.as_ref()?;
        (session.phase == Phase::Prompt { waits: true }).then_some(PROMPT_MS)
    }

    /// What a debugged script is told next; `None` while its user is to say something. `is_there`: he could.
    pub(super) fn debugger_answer(&mut self, caller: ConnId, is_there: bool) -> Option<Answer<'static>> {
        let nanos = self.server.host.nanos();
        self.take_debugger_input(caller, is_there);
        let asked_to_end = self.server.shutdown_asked.is_some();
        let session = self.session()?;
        let phase = session.phase;
        let answer = match phase {
            Phase::Begins => Answer::Begin,
            Phase::Runs if session.is_rehearsal && !is_there => Answer::Kill(GONE),
            Phase::Runs => Answer::Go,
            Phase::Prompt { .. } if session.input.len() > INPUT_BYTES_MAX => Answer::Kill("ERR max client buffer reached"),
            Phase::Prompt { .. } => match read(&session.input) {
                Said::Broken => Answer::Kill("ERR protocol error"),
                Said::Command { words, bytes } => {
                    session.input.drain(..bytes);
                    self.server.scripting.say(words);
                    Answer::Go
                }
                // The process is to end, or nobody will say anything any more.
                Said::Part if !is_there || asked_to_end => {
                    if session.is_rehearsal {
                        Answer::Kill(GONE)
                    } else {
                        Answer::Leave
                    }
                }
                Said::Part => {
                    session.phase = Phase::Prompt { waits: true };
                    return None;
                }
            },
        };
        if let Some(session) = self.session() {
            if phase != Phase::Runs {
                session.resumed = nanos;
            }
            session.phase = Phase::Runs;
        }
        Some(answer)
    }

    /// Moves what the user has sent to where it is read.
    fn take_debugger_input(&mut self, caller: ConnId, is_there: bool) {
        let Some(client) = self.server.clients.get_mut(caller).filter(|_| is_there) else { return };
        // While the script runs it stays with the connection, which is read no further when there is much.
        if let Some(session) = self.suspended.as_mut().and_then(|suspended| suspended.session.as_mut())
            && session.phase != Phase::Runs
            && let Some(pending) = client.pending.take()
        {
            put_unread(pending, &mut session.input);
            self.server.actions.push_back(Action::Read(caller));
        }
    }

    /// A client is gone: if it debugs a script, what it has said before counts.
    pub(super) fn keep_debugger_input(&mut self, client: &mut Client) {
        if self.server.scripts.running.as_ref().is_some_and(|running| running.caller_id == client.id)
            && let Some(session) = self.session()
            && let Some(pending) = client.pending.take()
        {
            put_unread(pending, &mut session.input);
        }
    }

    /// A script has stopped.
    pub(super) fn script_stopped(&mut self) {
        if let Some(session) = self.session() {
            session.phase = Phase::Prompt { waits: false };
        }
        self.send_debugger_lines(None);
    }

    /// What a debugged script is told when its hook has fired, if it has been running for long.
    pub(super) fn late_answer(&self) -> Option<Answer<'static>> {
        let nanos = self.server.host.nanos();
        let session = self.suspended.as_ref()?.session.as_ref()?;
        let running = self.server.scripts.running.as_ref()?;
        let threshold = match self.server.config.busy_reply_threshold {
            0 => LATE_MS,
            ms => ms,
        };
        if nanos.saturating_sub(session.resumed) / 1_000_000 < threshold {
            return None;
        }
        let is_there = self.server.clients.get(running.caller).is_some_and(|client| client.id == running.caller_id);
        Some(if is_there { Answer::Late } else { Answer::Kill(GONE) })
    }

    /// Sends the lines that have come together, and one more.
    fn send_debugger_lines(&mut self, last: Option<&'static str>) {
        let mut lines = self.server.scripting.take_lines();
        lines.extend(last.map(|last| last.as_bytes().to_vec()));
        let Some(running) = &self.server.scripts.running else { return };
        let caller = running.caller;
        let Some(client) = self.server.clients.get(caller).filter(|client| client.id == running.caller_id) else { return };
        let mut out = Output::new(client.out.protocol);
        write_lines(&mut out, lines);
        self.give_late_output(caller, out);
    }

    /// The script of a session has ended: what is shown in front of its result.
    pub(super) fn close_debugger(&mut self) {
        if self.is_debugging() {
            self.send_debugger_lines(Some(SESSION_END));
            self.server.scripting.end_debugging();
        }
    }

    /// A session has ended, and its client's connection with it.
    pub(super) fn end_debugging(&mut self, session: &Session, caller: ConnId, is_there: bool) {
        if session.is_rehearsal {
            self.server.keyspace.end_rehearsal();
        }
        log::info!("Debugging of a script has ended");
        if is_there {
            self.server.close(caller, true);
        }
    }

    /// Why a command is not run in a rehearsal.
    pub(super) fn rehearsal_refusal(&self, id: CommandId) -> Option<&'static str> {
        let command = self.registry.get(id);
        let name = self.registry.full_name(id);
        let touches_others = matches!(name, "migrate") || matches!(name.split('|').next(), Some("debug" | "client" | "config"));
        if touches_others || command.flags & flags::ADMIN != 0 {
            return Some("ERR What this command does cannot be undone, so that it is not run under SCRIPT DEBUG YES. Use SYNC.");
        }
        // Each change takes a copy, also one that makes room.
        let is_full = command.flags & flags::WRITE != 0
            && self.server.is_memory_limited()
            && self.server.host.used_memory() as u64 > self.server.config.maxmemory;
        is_full.then_some("OOM command not allowed when used memory > 'maxmemory'.")
    }
}

impl Session {
    /// What its call counts as having taken.
    pub(super) fn counted_nanos(&self, nanos: u64) -> u64 {
        // As little as in Redis, where it takes place in another process.
        if self.is_rehearsal { 0 } else { nanos }
    }
}

/// An error that nobody is told.
const GONE: &str = "ERR timeout during Lua debugging with client closing connection";

/// Adds what a client's commands have not used of its input.
fn put_unread(mut pending: Box<Pending>, input: &mut Vec<u8>) {
    let (held, bytes) = (pending.parser.requests(), pending.buf.bytes());
    // These came with the command that began the session, and were parsed with it.
    for i in 0..held {
        let args = pending.parser.args(pending.parser.request(i), bytes);
        encode::array_header(input, args.len());
        args.iter().for_each(|arg| encode::bulk(input, arg));
    }
    let done = pending.parser.rebase(held);
    input.extend_from_slice(&bytes[done..]);
}

fn write_lines(out: &mut Output, lines: Vec<Vec<u8>>) {
    out.array(lines.len());
    for mut line in lines {
        line.iter_mut().filter(|byte| matches!(byte, b'\r' | b'\n')).for_each(|byte| *byte = b' ');
        out.raw(b"+");
        out.raw(&line);
        out.raw(b"\r\n");
    }
}
