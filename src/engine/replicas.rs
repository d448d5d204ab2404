//! Replicas: snapshots sent to them in slices, the log of writes fed to them, and what is timed: PINGs, timeouts, and clients in WAIT.

use super::{Engine, snapshots::ms_until};
use crate::{
    config::{ClientClass, UserData},
    persist::snapshot::SnapshotSink,
    replication::{primary::FollowerPhase, write_log::LogPiece},
    resp::output::Output,
    state::{
        ConnId,
        aof::AofPhase,
        client::Blocked,
        replicas::{FullSync, NO_AOF_TO_WAIT_FOR, SnapshotForm},
        saving::resumes_nanos,
    },
};
use bytes::Bytes;

/// Bytes of a snapshot summed in one step.
const POLL_BYTES: usize = 64 * 1024;
/// Bytes of a snapshot that may wait for a replica's socket: beyond this its walk stands still.
const OUTPUT_MAX: usize = 1 << 20;
/// Bytes of the log handed to a replica's output in one go.
const FEED_BYTES: usize = 256 * 1024;
/// Clients in WAIT that are looked at in one turn.
const WAITS_A_TURN: usize = 500;
/// A piece of the log that is shorter is copied rather than shared.
const SHARED_MIN: usize = 4 * 1024;

impl Engine {
    /// A turn's work for replicas and for clients that wait for them. Comes last in a turn, so that what the turn wrote goes out with it.
    #[inline]
    pub(super) fn serve_replicas(&mut self) {
        let server = &mut self.server;
        if server.mono_ms >= server.followers.cron_at_ms {
            self.replicas_cron();
        }
        let followers = &self.server.followers;
        if !followers.conns.is_empty() || !followers.waiting.is_empty() || !followers.released.is_empty() {
            self.serve_followers();
        }
    }

    #[cold]
    fn serve_followers(&mut self) {
        if !self.server.followers.syncs.is_empty() {
            let started = self.server.host.nanos();
            if let Some(slice_nanos) = self.replica_pace.slice(started, self.server.stats.commands) {
                self.snapshot_slice(started, slice_nanos);
                self.replica_pace.ran(started, self.server.host.nanos());
            }
        }
        let server = &mut self.server;
        if std::mem::take(&mut server.followers.ask) && server.replication.log.is_fed() && server.replicas() > 0 {
            server.replication.log.append_chatter(&[b"REPLCONF", b"GETACK", b"*"]);
        }
        self.feed_replicas();
        self.end_waits();
        self.resumable.extend(self.server.followers.released.drain(..));
    }

    /// Whether there is something to do for a replica at once.
    pub(super) fn replicas_want_a_turn(&self) -> bool {
        let server = &self.server;
        if server.followers.conns.is_empty() {
            return false;
        }
        let until = server.replicable_offset();
        let log = &server.replication.log;
        let takes_more = |conn: &ConnId| {
            let Some(client) = server.clients.get(*conn) else { return false };
            let Some(link) = client.peer.replica() else { return false };
            match link.phase {
                FollowerPhase::Sent { .. } => client.out.is_empty(),
                FollowerPhase::Online { waits_for_ack } => {
                    !waits_for_ack && client.out.is_empty() && link.reader.is_some_and(|reader| log.next_of(reader) < until)
                }
                _ => false,
            }
        };
        server.followers.conns.iter().any(takes_more) || self.snapshots_have_room() && !self.replica_pace.rests(self.nanos)
    }

    /// Whether a snapshot on its way to a replica can go on.
    pub(super) fn snapshots_have_room(&self) -> bool {
        self.server.followers.syncs.iter().any(|sync| self.has_room(sync))
    }

    /// Milliseconds until the first client in WAIT gives up.
    pub(super) fn wait_ms(&self) -> u64 {
        let deadline = |conn: &ConnId| match self.server.clients.get(*conn)?.blocked? {
            Blocked::Wait { deadline_ms, .. } if deadline_ms > 0 => Some((deadline_ms - self.server.unix_ms()).max(0) as u64),
            _ => None,
        };
        self.server.followers.waiting.iter().filter_map(deadline).min().unwrap_or(u64::MAX)
    }

    /// Milliseconds until a snapshot that waits on purpose (`rdb-key-save-delay`) goes on.
    pub(super) fn sync_resumes_ms(&self) -> Option<u64> {
        let resumes = self.server.followers.syncs.iter().map(|sync| self.sync_resumes(sync)).filter(|at| *at > self.nanos).min()?;
        Some(ms_until(resumes, self.nanos))
    }

    /// Monotonic nanoseconds before which a snapshot does not go on.
    fn sync_resumes(&self, sync: &FullSync) -> u64 {
        resumes_nanos(self.server.config.rdb_key_save_delay, sync.stepped)
    }

    /// Whether a snapshot is to go on, and its output has room.
    fn has_room(&self, sync: &FullSync) -> bool {
        if self.sync_resumes(sync) > self.nanos {
            return false;
        }
        match sync.form {
            SnapshotForm::Marked(_) => self.server.clients.get(sync.conn).is_some_and(|client| client.out.len() < OUTPUT_MAX),
            SnapshotForm::Measured(_) => self.server.clients.get(sync.conn).is_some_and(|client| !client.close_now),
        }
    }

    /// Takes snapshots a slice further, each replica's in turn: a step, and more while there is time for it.
    fn snapshot_slice(&mut self, started: u64, slice_nanos: u64) {
        // Number of snapshots in a row whose sockets take no more.
        let mut stuck = 0;
        while stuck < self.server.followers.syncs.len() {
            let Some(mut sync) = self.server.followers.syncs.pop_front() else { return };
            let has_room = self.has_room(&sync);
            stuck = if has_room { 0 } else { stuck + 1 };
            if !has_room || !self.snapshot_step(&mut sync) {
                self.server.followers.syncs.push_back(sync);
            }
            if self.server.host.nanos().saturating_sub(started) >= slice_nanos {
                return;
            }
        }
    }

    /// One step of one snapshot; `true` when it is over.
    fn snapshot_step(&mut self, sync: &mut FullSync) -> bool {
        let server = &mut self.server;
        let delayed = server.config.rdb_key_save_delay != 0;
        let (keys, done) = sync.walk.step(&sync.sink, &mut server.keyspace, POLL_BYTES, delayed);
        sync.stepped = (self.nanos, keys);
        let mut sink = sync.sink.borrow_mut();
        let Some(client) = server.clients.get_mut(sync.conn) else { return true };
        let pieces = std::iter::from_fn(|| sink.pop());
        match &mut sync.form {
            SnapshotForm::Marked(mark) => {
                pieces.for_each(|piece| client.out.raw_shared(piece));
                if done {
                    client.out.raw(mark);
                }
            }
            SnapshotForm::Measured(kept) => {
                pieces.for_each(|piece| {
                    sync.kept_bytes += piece.len();
                    kept.push(piece);
                });
                let limit = server.config.client_output_buffer_limit[ClientClass::Replica as usize].hard;
                if limit != 0 && sync.kept_bytes as u64 > limit && !client.close_now {
                    log::warn!(
                        "A snapshot for replica {} that has to be kept until it is whole is beyond the replica's output buffer limit, closing its connection. \
                         A replica that says 'REPLCONF capa eof' is sent one as it is made; otherwise raise 'client-output-buffer-limit replica'.",
                        client.replica_name()
                    );
                    server.stats.output_limit_closes += 1;
                    server.close(sync.conn, false);
                    return false;
                }
                if done {
                    client.out.bulk_header(sync.kept_bytes);
                    std::mem::take(kept).into_iter().for_each(|piece: Bytes| client.out.raw_shared(piece));
                }
            }
        }
        let marked = matches!(sync.form, SnapshotForm::Marked(_));
        if done && let Some(link) = client.peer.replica_mut() {
            link.phase = FollowerPhase::Sent { waits_for_ack: marked };
            link.progress_at_ms = server.mono_ms;
        }
        if !client.out.is_empty() {
            server.mark_dirty(sync.conn);
        }
        done
    }

    /// Feeds each replica from the log, and enforces its output limits.
    fn feed_replicas(&mut self) {
        for index in 0..self.server.followers.conns.len() {
            let Some(conn) = self.server.followers.conns.get(index).copied() else { break };
            self.put_online(conn);
            self.feed(conn);
            self.server.limit_output(conn);
        }
    }

    /// A replica that has been sent its whole snapshot follows the log from here on.
    fn put_online(&mut self, conn: ConnId) {
        let server = &mut self.server;
        let Some(client) = server.clients.get_mut(conn) else { return };
        let Some(FollowerPhase::Sent { waits_for_ack }) = client.peer.replica().map(|link| link.phase) else { return };
        if !client.out.is_empty() {
            return;
        }
        let name = client.replica_name();
        // No acknowledgement could come before this.
        client.active_ms = server.mono_ms;
        let Some(link) = client.peer.replica_mut() else { return };
        if link.rdb_only {
            log::info!("RDB transfer completed, rdb only replica ({name}) should be disconnected asap");
            return server.close(conn, false);
        }
        link.phase = FollowerPhase::Online { waits_for_ack };
        log::info!("Synchronization with replica {name} succeeded");
        server.count_good_replicas();
    }

    /// Hands a replica the next part of the log if it has taken what it had.
    fn feed(&mut self, conn: ConnId) {
        let server = &mut self.server;
        let until = server.replicable_offset();
        let Some(client) = server.clients.get_mut(conn) else { return };
        let out = &mut client.out;
        let Some(link) = client.peer.replica() else { return };
        let Some(reader) = link.reader.filter(|_| !client.close_now) else { return };
        let log = &mut server.replication.log;
        let from = log.next_of(reader);
        if link.phase != (FollowerPhase::Online { waits_for_ack: false }) || !out.is_empty() || from >= until {
            return;
        }
        // It is given back when all of it is sent.
        out.lend(&mut self.buffers);
        match log.read_until(from, FEED_BYTES, until, |piece| put(out, piece)) {
            Some(next) => {
                log.move_reader(reader, next);
                server.mark_dirty(conn);
            }
            None => {
                debug_assert!(false, "what a reader needs is kept");
                log::warn!("Replica {} follows a log that is not here any more: closing its connection.", client.replica_name());
                server.close(conn, false);
            }
        }
    }

    /// Ends each WAIT that is satisfied or past its deadline.
    fn end_waits(&mut self) {
        let now = self.server.unix_ms();
        // A round looks at all of them, in as many turns as that takes, those that have waited longest first.
        let waiting = self.server.followers.waiting.len();
        let most = if self.waits_unseen == 0 { waiting } else { self.waits_unseen.min(waiting) };
        let seen = most.min(WAITS_A_TURN);
        self.waits_unseen = most - seen;
        let looked_at: Vec<_> = self.server.followers.waiting.drain(..seen).collect();
        for conn in looked_at {
            let Some(Some(Blocked::Wait { offset, replicas, deadline_ms, disk })) =
                self.server.clients.get(conn).map(|client| client.blocked)
            else {
                continue;
            };
            self.server.followers.waiting.push(conn);
            if disk == Some(true) && self.server.aof.phase == AofPhase::Off {
                self.server.release(conn, Some(NO_AOF_TO_WAIT_FOR));
                continue;
            }
            let (local, acknowledged) = self.server.acknowledged(offset, disk.is_some());
            if acknowledged >= replicas && (local || disk != Some(true)) || deadline_ms > 0 && deadline_ms <= now {
                self.server.release(conn, None);
            }
        }
    }

    /// Once a second.
    #[cold]
    fn replicas_cron(&mut self) {
        let now = self.server.mono_ms;
        self.server.followers.cron_at_ms = now + 1000;
        self.ping_replicas();
        let timeout_ms = u64::from(self.server.config.repl_timeout) * 1000;
        for conn in self.server.followers.conns.clone() {
            let Some(client) = self.server.clients.get_mut(conn) else { continue };
            let Some(link) = client.peer.replica() else { continue };
            if let Some(part) = link.timed_out(client.active_ms, now, timeout_ms) {
                log::warn!("Disconnecting timedout replica ({part}): {}", client.replica_name());
                self.server.close(conn, false);
            } else if link.phase == (FollowerPhase::Snapshot { sending: false }) {
                // It must not time out while its snapshot is made.
                client.out.raw(b"\n");
                self.server.mark_dirty(conn);
            }
        }
        self.give_up_backlog();
        self.server.count_good_replicas();
    }

    /// PINGs keep replicas from timing out.
    fn ping_replicas(&mut self) {
        let server = &mut self.server;
        if server.mono_ms.saturating_sub(server.followers.pinged_at_ms) < u64::from(server.config.repl_ping_replica_period) * 1000 {
            return;
        }
        server.followers.pinged_at_ms = server.mono_ms;
        // The offset that a failover or a shutdown waits for must not advance.
        let quiet = server.write_gate().is_leaving();
        if server.replicas() > 0 && server.replication.log.is_fed() && !quiet {
            server.replication.log.append_chatter(&[b"PING"]);
        }
    }

    /// Without replicas for long enough (`repl-backlog-ttl`), the backlog is given up.
    fn give_up_backlog(&mut self) {
        let server = &mut self.server;
        let ttl_seconds = server.config.repl_backlog_ttl;
        let alone_seconds = server.mono_ms.saturating_sub(server.replication.alone_since_ms) / 1000;
        if server.replicas() == 0
            && ttl_seconds > 0
            && alone_seconds > ttl_seconds
            && server.replication.log.has_backlog()
            && !server.replication.is_replica()
        {
            // While there is no log its offset stands still, so what is written then must not be taken for the history so far.
            server.replication.change_id(server.rng.hex());
            server.replication.log.close_backlog();
            log::info!("Replication backlog freed after {ttl_seconds} seconds without connected replicas.");
        }
    }

    /// Whether a client is a replica, which gets no replies.
    pub(super) fn is_replica(&self, conn: ConnId) -> bool {
        self.server.clients.get(conn).is_some_and(|client| client.peer.is_replica())
    }

    /// Ends a replica's connection that has got a reply: it would corrupt the stream.
    #[cold]
    pub(super) fn answered_replica(&mut self, conn: ConnId, answer: &[u8], is_error: bool) {
        if let Some(client) = self.server.clients.get(conn) {
            let command = client.last_command.map_or("<unknown>", |id| self.registry.full_name(id));
            let (error, answer) = (answer.strip_prefix(b"-").unwrap_or(answer).trim_ascii_end(), UserData(answer));
            if is_error {
                let error = UserData(error);
                log::error!(
                    "== CRITICAL == This master is sending an error to its replica: '{error}' after processing the command '{command}'"
                );
            }
            log::warn!("Replica generated a reply to command '{command}', disconnecting it: {} ({answer})", client.replica_name());
        }
        self.server.close(conn, false);
    }
}

/// Hands a piece of the log to an output.
fn put(out: &mut Output, piece: LogPiece<'_>) {
    match piece {
        LogPiece::Shared(bytes) if bytes.len() >= SHARED_MIN => out.raw_shared(bytes),
        piece => out.raw(piece.bytes()),
    }
}
