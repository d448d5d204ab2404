//! Commands of clients that keep copies of keys: what they read is remembered, and what they change is known to be their own.

use super::Engine;
use crate::{
    commands::{
        CommandId,
        command::{Group, flags},
        key_extraction,
    },
    keyspace::Reader,
    resp::{output::Output, request::Args},
    state::{ConnId, blocking::BlockOn},
};

impl Engine {
    /// [`Engine::call`] for any client: also for one that keeps copies, which is never among those whose commands are called without a further check.
    // What an ordinary client's commands go through is compiled apart.
    #[inline(never)]
    pub(super) fn call_tracked(
        &mut self,
        conn: ConnId,
        id: CommandId,
        args: Args<'_>,
        hashed: (usize, u64),
        out: &mut Output,
        in_exec: bool,
    ) -> Option<Box<BlockOn>> {
        let reader = self.server.reader(conn);
        // A command of a client that waits may run inside another's.
        let around = std::mem::replace(&mut self.server.keyspace.tracked.current, reader);
        let blocks = self.call(conn, id, args, hashed, out, in_exec);
        if let Some(reader) = reader {
            self.note_reads(reader, id, &args);
            if !in_exec && blocks.is_none() {
                self.end_caching(conn, Some(id));
            }
        }
        self.server.keyspace.tracked.current = around;
        blocks
    }

    /// Remembers what a command has read, if its client wants that. No command that only reads lets others change what it has read before it returns.
    pub(super) fn note_reads(&mut self, reader: Reader, id: CommandId, args: &Args<'_>) {
        let command = self.registry.get(id);
        // Channels of shards are keys to a client that looks for their node only.
        // A script reads what it calls for, not what it is said to.
        if command.flags & (flags::READONLY | flags::PUBSUB) != flags::READONLY || command.group == Group::Scripting {
            return;
        }
        let client = self.server.clients.get(ConnId(reader.conn)).and_then(|client| client.tracking.as_ref());
        if client.is_some_and(|tracking| tracking.wants_reads()) {
            let server = &mut self.server;
            key_extraction::each_key(command, args, |at, _| {
                server.note_read(reader, args.get(at));
                true
            });
            if !server.keyspace.notes.is_empty() {
                server.publish_noted();
            }
        }
    }

    /// What CLIENT CACHING has said is over with the next command or transaction.
    pub(super) fn end_caching(&mut self, conn: ConnId, id: Option<CommandId>) {
        let Some(client) = self.server.clients.get_mut(conn) else { return };
        let Some(tracking) = client.tracking.as_mut().filter(|tracking| tracking.caching) else { return };
        let of_client = id.is_some_and(|id| self.registry.parent(id).is_some_and(|parent| self.registry.get(parent).name == "client"));
        tracking.caching = of_client || client.multi.is_some();
    }
}
