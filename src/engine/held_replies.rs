//! Group commit: with `appendfsync always` a client is sent what tells of a write when that is on the disk, and not before.
//!
//! Nobody is looked at command by command. At the end of a turn, while anything is logged that is not on the disk, whoever is owed something waits for the log's
//! end: it has written, or may have read what others wrote, or got a message of it. One sync serves all of them.
//!
//! While the disk fails that would hold everybody for long. Then writes are refused, so what is not on the disk does not change any more, and from the end of
//! the log it is learned which keys that concerns: who reads others goes on, unless he is told of them by somebody who knows. A slow script that has begun to write goes on to write: it is learned anew when that
//! ends, before anybody else can read.

use super::Engine;
use crate::{
    commands::{Command, CommandId, command::flags, key_extraction, registry::Lookup},
    config::split_args,
    resp::request::{Args, Parser, RequestLimits},
    state::{ConnId, unsafe_keys::UnsafeKeys},
};

/// Bytes at the end of the log that are looked through for keys; if it is more, none is safe.
const TAIL_BYTES_MAX: u64 = 4 << 20;
/// Requests parsed at a time.
const BATCH: usize = 64;
const LIMITS: RequestLimits = RequestLimits { bulk_max: i64::MAX, authenticated: true };

impl Engine {
    /// Holds what clients are owed, where it may tell of what is not on the disk.
    pub(super) fn hold_replies(&mut self) {
        let readers = std::mem::take(&mut self.server.aof.unsafe_readers);
        let is_told = std::mem::take(&mut self.server.aof.unsafe_turn);
        if !self.server.holds_replies() {
            return;
        }
        let knows = self.server.aof.unsafe_keys.is_some() && !is_told;
        self.server.hold_all(|conn, client| knows && client.long_reply.is_none() && !readers.contains(&conn));
    }

    /// The disk has begun to fail, or a script that began before has ended: learns what was logged and is not in the file.
    #[cold]
    pub(super) fn learn_unsafe_keys(&mut self) {
        if self.server.aof.failure.is_none() || !self.server.holds_replies() {
            return;
        }
        let mut found = UnsafeKeys::default();
        if !self.add_unsafe_keys(&mut found) {
            found.add_all();
        }
        self.server.aof.unsafe_keys = Some(found);
    }

    /// Adds the keys of all writes at the end of the log. `false`: what they change cannot be told by keys.
    fn add_unsafe_keys(&self, found: &mut UnsafeKeys) -> bool {
        let Some(writer) = &self.server.aof.writer else { return true };
        let log = &self.server.replication.log;
        let (from, mut db) = (writer.written(), writer.written_db());
        // What has been written and not synced stands in front of that: it failed with its last byte in the file.
        if from > writer.synced() || log.end() - from > TAIL_BYTES_MAX {
            return false;
        }
        let Some(pieces) = log.read_from(from) else { return false };
        let tail = pieces.concat();
        let mut parser = Parser::in_place(split_args);
        let mut rest = &tail[..];
        loop {
            let parsed = parser.parse(rest, BATCH, LIMITS);
            let count = parser.requests();
            if count == 0 {
                return parsed.is_ok() && rest.is_empty();
            }
            for i in 0..count {
                let args = parser.args(parser.request(i), rest);
                let Lookup::Found(id) = self.registry.resolve(&args) else { return false };
                let command = self.registry.get(id);
                if command.name == "select" && args.len() == 2 {
                    db = str::from_utf8(args.get(1)).ok().and_then(|db| db.parse().ok());
                } else if command.flags & flags::WRITE != 0 {
                    let (Some(db), Some(keys)) = (db, changed_keys(command, &args)) else { return false };
                    keys.iter().for_each(|at| found.add(db, args.get(*at)));
                }
            }
            let done = parser.rebase(count);
            rest = &rest[done..];
        }
    }

    /// Takes note of a client that reads what is not on the disk, or may do so. What its scripts read is noted as they call it.
    #[cold]
    pub(super) fn note_unsafe_read(&mut self, conn: ConnId, id: CommandId, args: &Args<'_>) {
        let Some(client) = self.server.clients.get(conn) else { return };
        let queued = client.multi.as_ref().filter(|_| self.registry.get(id).name == "exec");
        let queue = queued.map_or(&[][..], |multi| &multi.queue);
        // Who waits knows more than the disk does, and may pass it on.
        let may_tell = client.held.as_ref().is_some_and(|held| held.next_mark().is_some())
            && (!self.server.monitors.is_empty()
                || queue.iter().map(|(id, _)| *id).chain([id]).any(|id| self.registry.get(id).flags & flags::MAY_REPLICATE != 0));
        let is_unsafe = match queued {
            Some(_) => queue.iter().any(|(id, args)| self.reads_unsafe(client.db, *id, &args.args())),
            None => self.reads_unsafe(client.db, id, args),
        };
        self.server.aof.unsafe_turn |= may_tell;
        if is_unsafe {
            self.server.aof.unsafe_readers.insert(conn);
        }
    }

    /// The same for what a script calls: its caller is told, and whomever it sends a message.
    #[cold]
    pub(super) fn note_unsafe_call(&mut self, id: CommandId, args: &Args<'_>) {
        let Some(client) = self.server.clients.get(ConnId::SCRIPT).filter(|_| self.server.scripts.running.is_some()) else { return };
        self.server.aof.unsafe_turn |= self.reads_unsafe(client.db, id, args);
    }

    /// A script that was slow ends: nobody knows what it and its transaction read in earlier turns.
    pub(super) fn note_slow_end(&mut self, caller: ConnId) {
        if self.server.aof.unsafe_keys.is_some() {
            self.server.aof.unsafe_readers.insert(caller);
        }
    }

    fn reads_unsafe(&self, db: usize, id: CommandId, args: &Args<'_>) -> bool {
        let Some(unsafe_keys) = &self.server.aof.unsafe_keys else { return false };
        let command = self.registry.get(id);
        if command.flags & (flags::READONLY | flags::WRITE) == 0 || unsafe_keys.is_empty() {
            return false;
        }
        read_keys(command, args).is_none_or(|keys| keys.iter().any(|at| unsafe_keys.has(db, args.get(*at))))
    }
}

/// The arguments that are keys of a write; `None`: it changes more than keys of its own database.
fn changed_keys(command: &Command, args: &Args<'_>) -> Option<Vec<usize>> {
    if matches!(command.name, "move" | "swapdb") || command.name == "copy" && args.len() > 3 {
        return None;
    }
    named_keys(command, args)
}

/// The arguments that are keys of a command that reads; `None`: it may read any.
fn read_keys(command: &Command, args: &Args<'_>) -> Option<Vec<usize>> {
    // Patterns name keys that no argument is.
    if command.name == "sort_ro" && args.len() > 2 {
        return None;
    }
    named_keys(command, args)
}

fn named_keys(command: &Command, args: &Args<'_>) -> Option<Vec<usize>> {
    let keys: Vec<usize> = key_extraction::keys(command, args)?.into_iter().map(|(at, _)| at).collect();
    (!keys.is_empty()).then_some(keys)
}
