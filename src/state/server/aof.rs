//! The append-only file begins and ends, goes on in another file, and is handed to the disk.

use super::Server;
use crate::{
    config::AppendFsync,
    resp::encode,
    state::{
        action::Action,
        aof::{Aof, AofFailure, AofPhase},
        aof_writer::{AofWriter, SyncRule, UNSYNCED_MS_MAX},
        client::Client,
        conn_id::ConnId,
        disk::{DiskJob, Done, FileId, LogError, Logged},
        held_replies::HeldReplies,
        peer::Peer,
        write_gate::{GateReason, WriteGate},
    },
};

/// Bytes that may be logged and not be in the file before writes wait, and those at which they go on.
const BEHIND_BYTES_MAX: u64 = 64 << 20;
const BEHIND_BYTES_LOW: u64 = 32 << 20;
/// Milliseconds between two lines of the log about a disk that goes on failing.
const ERROR_LOG_EACH_MS: u64 = 30_000;

impl Server {
    /// From here on what is logged goes to this file, which is open and has so many bytes. To be called between commands.
    pub fn aof_start(&mut self, file: FileId, size: u64) {
        debug_assert!(self.aof.writer.is_none(), "one log at a time");
        debug_assert!(self.scripts.running.is_none(), "the file is to have all of what a script does");
        let log = &mut self.replication.log;
        let at = log.end();
        let reader = log.add_reader(at);
        log.keep_chatter(true);
        let db = if log.is_proxied() { log.db() } else { None };
        let writer = AofWriter::new(reader, file, size, (at, db), self.aof.last_mark);
        self.aof.writer = Some(Box::new(writer));
        self.aof.policy = self.config.appendfsync;
        self.aof.increment_size = size;
        self.aof.timestamp = 0;
        self.aof_select();
    }

    /// Makes the next command that goes to the file select its database: the file, or what comes from where, has changed.
    pub fn aof_select(&mut self) {
        let Some(writer) = &mut self.aof.writer else { return };
        let log = &mut self.replication.log;
        if !log.is_proxied() {
            return log.forget_db();
        }
        // Our primary's stream goes on in the database that it has selected.
        let mut select = Vec::new();
        encode::request(&mut select, &[b"SELECT", itoa::Buffer::new().format(log.db().unwrap_or(0)).as_bytes()]);
        writer.insert(log.end(), select.into());
    }

    /// Hands over what is left, to be synced, and reads the log no more. Replies that are held leave when that is done. To be called between commands.
    pub fn aof_stop(&mut self) {
        let Some(mut writer) = self.aof.writer.take() else { return };
        let log = &mut self.replication.log;
        writer.stop(log);
        self.aof.last_mark = writer.mark(log.end()) + 1;
        log.remove_reader(writer.reader);
        log.keep_chatter(false);
        self.aof.failure = None;
        self.aof.needs_base = false;
        self.aof.unsafe_keys = None;
        self.aof.increment_size = 0;
        self.aof.stopping.push_back(writer);
        self.aof_hand_over();
        self.settle_aof_gate();
    }

    /// The present increment ends here, and is synced. What is logged from here on is kept until [`Server::aof_continue_in`] says where it goes. Returns
    /// the offset in the log of writes. To be called between commands.
    pub fn aof_cut(&mut self) -> u64 {
        debug_assert!(self.is_data_whole());
        self.aof_note_turn(self.unix_seconds());
        let end = self.replication.log.end();
        if let Some(writer) = &mut self.aof.writer {
            writer.cut(end);
            // Each increment begins with its time.
            self.aof.timestamp = 0;
            self.aof_select();
            self.aof_hand_over();
        }
        end
    }

    /// Whether the increment that was cut is on the disk to its end.
    pub fn aof_is_cut_done(&self) -> bool {
        self.aof.writer.as_ref().is_some_and(|writer| writer.is_cut_done())
    }

    /// What is logged behind the cut goes to this new file, which is open; `None`: it goes on in the old one.
    pub fn aof_continue_in(&mut self, file: Option<FileId>) {
        let Some(writer) = &mut self.aof.writer else { return };
        writer.continue_in(file);
        self.aof.increment_size = writer.size();
        self.aof_hand_over();
    }

    /// A rewrite has made a new base: what was lost of the files before is no longer needed. What has been lost since it began still is.
    pub fn aof_base_made(&mut self) {
        if self.aof.writer.as_ref().is_some_and(|writer| writer.is_broken()) {
            return;
        }
        self.aof.needs_base = false;
        if self.aof.failure.as_ref().is_some_and(|failure| failure.is_final) {
            self.aof.failure = None;
            // Else nobody's replies would be held any more.
            self.aof.unsafe_keys = None;
            log::warn!("A new base of the AOF is on the disk. The server can write again.");
            self.settle_aof_gate();
        }
    }

    /// How syncs are made now.
    fn sync_rule(&self) -> SyncRule {
        let busy = self.aof.rewriting || self.persistence.saving.is_some();
        SyncRule { policy: self.aof.policy, suspended: busy && self.config.no_appendfsync_on_rewrite, waits: false }
    }

    /// Offset in the log of writes up to which replies may tell of it, where they wait for the disk.
    fn committed_offset(&self, writer: &AofWriter) -> u64 {
        if self.sync_rule().suspended { writer.written() } else { writer.synced() }
    }

    /// Offset in the log of writes up to which replicas may be sent it: where replies wait for the disk, they must not know more than it.
    #[inline]
    pub fn replicable_offset(&self) -> u64 {
        match &self.aof.writer {
            Some(writer) if self.aof.commits_first() => self.committed_offset(writer),
            _ => self.replication.log.end(),
        }
    }

    /// Offset in the log of writes up to which it is known to be on the disk: what WAITAOF counts. `None`: there is no append-only file that counts.
    pub fn aof_synced_offset(&self) -> Option<u64> {
        let writer = self.aof.writer.as_ref().filter(|_| self.aof.phase == AofPhase::On)?;
        Some(self.aof.failure.as_ref().and_then(|failure| failure.is_final.then_some(failure.synced)).unwrap_or(writer.synced()))
    }

    /// Bytes of memory that the append-only file takes: what the log of writes keeps beyond the backlog, and copies on their way to the disk.
    pub fn aof_buffer_bytes(&self) -> usize {
        let stopping = self.aof.stopping.iter().map(|writer| writer.in_flight()).sum();
        let Some(writer) = &self.aof.writer else { return stopping };
        let log = &self.replication.log;
        let backlog = if log.has_backlog() { self.config.repl_backlog_size as usize } else { 0 };
        log.memory().saturating_sub(backlog) + writer.copied() + stopping
    }

    /// Bytes that are logged and not in the file.
    pub fn aof_buffer_length(&self) -> u64 {
        self.aof.writer.as_ref().map_or(0, |writer| self.replication.log.end().saturating_sub(writer.written()))
    }

    /// `appendfsync` has changed.
    pub fn aof_policy_changed(&mut self) {
        let before = std::mem::replace(&mut self.aof.policy, self.config.appendfsync);
        if before == AppendFsync::Always
            && before != self.aof.policy
            && let Some(writer) = &mut self.aof.writer
            && !writer.is_flushed(&self.replication.log)
        {
            // Replies still wait for it.
            writer.sync_soon();
        }
    }

    /// Notes what a turn has logged. `unix_seconds` is when the turn began.
    pub fn aof_note_turn(&mut self, unix_seconds: i64) {
        let Some(writer) = &mut self.aof.writer else { return };
        // Who cuts the file off at a time is not to cut what belongs together.
        if let Some(began) = writer.note_logged(&self.replication.log, self.mono_ms)
            && self.config.aof_timestamp_enabled
            && self.aof.timestamp != unix_seconds
            && let Some(at) = self.replication.log.between_units(began)
            && at < self.replication.log.end()
        {
            self.aof.timestamp = unix_seconds;
            writer.insert(at, format!("#TS:{unix_seconds}\r\n").into());
        }
    }

    /// Hands the disk what it is to do next, if it has nothing to do.
    pub fn aof_hand_over(&mut self) {
        let (mut rule, now, sleep_us) = (self.sync_rule(), self.mono_ms, self.aof.flush_sleep_us);
        rule.waits = self.aof.group.waits(self.aof.held.len(), || self.host.nanos());
        let synced_before = self.aof.writer.as_ref().map(|writer| writer.synced());
        let Self { aof: Aof { writer, stopping, .. }, replication, actions, .. } = self;
        for writer in stopping.iter_mut().chain(writer) {
            let job = writer.next_job(&mut replication.log, rule, sleep_us, now);
            actions.extend(job.map(Action::Disk));
            actions.extend(writer.take_finished().into_iter().map(|file| Action::Disk(DiskJob::Abort { file })));
        }
        if synced_before != self.aof.writer.as_ref().map(|writer| writer.synced()) {
            // What there was is for replicas alone: no answer of the disk tells of it, and somebody may wait for it.
            self.release_committed();
        }
        while self.aof.stopping.front().is_some_and(|writer| writer.is_done())
            && let Some(writer) = self.aof.stopping.pop_front()
        {
            self.aof_end_stopping(&writer);
        }
    }

    /// The files of a writer that has been stopped are closed, and what is held for it leaves.
    fn aof_end_stopping(&mut self, writer: &AofWriter) {
        writer.files().for_each(|file| self.ask_disk(DiskJob::Abort { file }));
        self.release_held(writer.last_mark());
    }

    /// Takes an answer of the disk if it is for the log. Whether it was.
    pub fn aof_answered(&mut self, file: FileId, result: &Result<Done, String>) -> bool {
        let stopping = self.aof.stopping.iter().position(|writer| writer.has(file));
        if stopping.is_none() && !self.aof.writer.as_ref().is_some_and(|writer| writer.has(file)) {
            return false;
        }
        let failed;
        let done = match result {
            Ok(Done::Logged(done)) => done,
            // That a file is closed need not be known.
            Ok(_) => return true,
            Err(reason) => {
                failed = Logged { error: Some(LogError::Write(reason.clone())), ..Logged::default() };
                &failed
            }
        };
        match stopping {
            Some(at) => self.stopping_answered(at, done),
            None => self.writer_answered(done),
        }
        self.aof_hand_over();
        self.settle_aof_gate();
        true
    }

    fn stopping_answered(&mut self, at: usize, done: &Logged) {
        let progress = self.aof.stopping[at].answered(done, self.mono_ms);
        if let Some(LogError::Write(reason) | LogError::Sync(reason)) = progress.and_then(|progress| progress.error) {
            // It has been turned off: nobody counts on it any more.
            log::warn!("Fail to fsync the AOF file: {reason}.");
            if let Some(writer) = self.aof.stopping.remove(at) {
                self.aof_end_stopping(&writer);
            }
        }
    }

    fn writer_answered(&mut self, done: &Logged) {
        let Some(writer) = &mut self.aof.writer else { return };
        let Some(progress) = writer.answered(done, self.mono_ms) else { return };
        let (reader, written) = (writer.reader, writer.written());
        self.aof.increment_size = writer.size();
        self.replication.log.move_reader(reader, written);
        self.note_write_latency(progress.write_ms);
        if progress.synced && self.aof.policy == AppendFsync::Always {
            self.note_latency("aof-fsync-always", done.sync_us / 1000);
        }
        match progress.error {
            None => self.written_again(),
            Some(LogError::Write(reason)) => self.write_failed(reason),
            Some(LogError::Sync(reason)) => self.sync_failed(reason),
        }
        if progress.synced && std::mem::take(&mut self.aof.owes_ack) {
            self.replication.ack_wanted = true;
        }
        let served = self.release_committed();
        if progress.synced && self.aof.commits_first() {
            self.aof.group.synced(done.sync_us, served, self.aof.held.len(), self.host.nanos());
        }
    }

    /// Takes note of how long something took, for the latency monitor.
    pub fn note_latency(&mut self, event: &'static str, ms: u64) {
        let seconds = self.unix_seconds();
        self.latency.add_if_needed(event, ms, self.config.latency_monitor_threshold, seconds);
    }

    fn note_write_latency(&mut self, ms: u64) {
        let is_alone = !self.aof.rewriting && self.persistence.saving.is_none();
        self.note_latency(if is_alone { "aof-write-alone" } else { "aof-write-active-child" }, ms);
        self.note_latency("aof-write", ms);
    }

    fn written_again(&mut self) {
        if self.aof.failure.as_ref().is_some_and(|failure| !failure.is_final) {
            self.aof.failure = None;
            self.aof.unsafe_keys = None;
            log::warn!("AOF write error looks solved. The server can write again.");
        }
    }

    fn write_failed(&mut self, reason: String) {
        let now = self.mono_ms;
        if self.aof.error_logged_ms.is_none_or(|logged| now.saturating_sub(logged) > ERROR_LOG_EACH_MS) {
            self.aof.error_logged_ms = Some(now);
            log::warn!("Error writing to the AOF file: {reason}");
        }
        if !self.aof.failure.as_ref().is_some_and(|failure| failure.is_final) {
            self.aof.failure = Some(AofFailure { reason, is_final: false, synced: 0 });
        }
    }

    fn sync_failed(&mut self, reason: String) {
        let Some(writer) = &self.aof.writer else { return };
        if self.aof.policy != AppendFsync::Always {
            log::warn!("Fail to fsync the AOF file: {reason}. Writes are refused until a rewrite has made a new base.");
            let synced = writer.synced();
            if !self.aof.failure.as_ref().is_some_and(|failure| failure.is_final) {
                self.aof.failure = Some(AofFailure { reason, is_final: true, synced });
            }
            self.aof.needs_base = true;
            return;
        }
        log::error!("Can't persist AOF for fsync error when the AOF fsync policy is 'always': {reason}. Exiting...");
        // Nobody has been answered for what is behind; who loads the file must not find it now, and not find it after a power cut.
        if let Some((file, size)) = writer.synced_file()
            && let Err(reason) = self.host.disk_now(DiskJob::CutLog { file, size }).result
        {
            log::error!(
                "The end of the AOF file, behind its first {size} bytes, could not be cut off: {reason}. It can be read and may yet not be on the disk: \
                 restart the machine before this server is started again."
            );
        }
        self.aof.failure = Some(AofFailure { reason, is_final: true, synced: writer.synced() });
        self.actions.push_back(Action::Exit(1));
    }

    /// More has come while the file cannot be written than can be kept: it is of no use before there is a new base.
    #[cold]
    fn aof_given_up(&mut self) {
        log::warn!(
            "The AOF cannot be written, and what it lacks is more than can be kept. It is given up until a rewrite has made a new base."
        );
        let synced = self.aof.writer.as_ref().map_or(0, |writer| writer.synced());
        if let Some(failure) = &mut self.aof.failure {
            (failure.is_final, failure.synced) = (true, synced);
        }
        self.aof.needs_base = true;
        self.aof.unsafe_keys = None;
        self.aof_hand_over();
        let mark = self.aof.writer.as_ref().map_or(0, |writer| writer.mark(self.replication.log.end()));
        self.release_held(mark);
    }

    /// Finds out whether writes have to wait for the log, or are refused because of it.
    pub fn settle_aof_gate(&mut self) {
        let Some(writer) = &mut self.aof.writer else {
            self.aof.gate = WriteGate::default();
            self.aof.late_since_ms = None;
            return;
        };
        let is_failing = self.aof.failure.as_ref().is_some_and(|failure| !failure.is_final);
        if is_failing && self.replication.is_replica() && self.replication.log.end().saturating_sub(writer.written()) > BEHIND_BYTES_MAX {
            // A replica that goes on without its disk.
            writer.give_up();
            self.aof_given_up();
        }
        let Some(writer) = &self.aof.writer else { return };
        let rule = self.sync_rule();
        let was_behind = self.aof.gate.has(GateReason::AofBehind);
        let bytes = self.replication.log.end().saturating_sub(writer.written());
        let late = rule.policy == AppendFsync::EverySecond
            && !rule.suspended
            && writer.unsynced_since_ms().is_some_and(|since| self.mono_ms.saturating_sub(since) >= UNSYNCED_MS_MAX);
        let many = bytes > if was_behind { BEHIND_BYTES_LOW } else { BEHIND_BYTES_MAX };
        let refused = self.aof.failure.is_some();
        // A replica that goes on without its disk waits for nothing.
        let behind = (late || many) && !refused;
        if late && behind && self.aof.late_since_ms.is_none() {
            self.aof.late_since_ms = Some(self.mono_ms);
            self.aof.delayed_syncs += 1;
            log::info!("Asynchronous AOF fsync is taking too long (disk is busy?). Writes wait until it is complete.");
        }
        if !late && let Some(since) = self.aof.late_since_ms.take() {
            self.note_latency("aof-write-pending-fsync", self.mono_ms.saturating_sub(since));
        }
        self.aof.gate = WriteGate::default().with(GateReason::AofFailed, refused).with(GateReason::AofBehind, behind);
    }

    /// Whether those are here for whom the next sync has waited.
    pub fn aof_has_its_group(&self) -> bool {
        self.aof.group.is_complete(self.aof.held.len())
    }

    /// Nanoseconds until the next sync begins, though nothing happens: it waits, for less than a millisecond.
    pub fn aof_syncs_in_nanos(&self) -> Option<u64> {
        let begins = self.aof.group.waits_until().filter(|_| !self.aof.held.is_empty())?;
        Some(begins.saturating_sub(self.host.nanos())).filter(|left| *left < 1_000_000)
    }

    /// Milliseconds until the log has something to do that no event tells of.
    pub fn aof_sleep_ms(&self) -> u64 {
        let (rule, end, now) = (self.sync_rule(), self.replication.log.end(), self.mono_ms);
        let writers = self.aof.writer.iter().chain(&self.aof.stopping);
        writers.map(|writer| writer.sleep_ms(rule, end, now)).min().unwrap_or(u64::MAX)
    }

    /// Has everything that was logged on the disk, and comes back when that is so or has failed. Nobody is served meanwhile.
    #[must_use]
    pub fn aof_flush_now(&mut self) -> bool {
        let Some(mut writer) = self.aof.writer.take() else { return true };
        // What the disk has not been handed yet is handed over with the rest.
        let is_ours = |action: &Action| matches!(action, Action::Disk(job @ DiskJob::WriteLog { .. }) if writer.has(job.file()));
        if self.actions.iter().any(is_ours) {
            self.actions.retain(|action| !is_ours(action));
            writer.take_back();
        }
        writer.continue_in(None);
        let mut result = Ok(());
        while result.is_ok()
            && let Some(job) = writer.flush_job(&mut self.replication.log)
        {
            let done = match self.host.disk_now(job).result {
                Ok(Done::Logged(done)) => done,
                Ok(_) => break,
                Err(reason) => Logged { error: Some(LogError::Write(reason)), ..Logged::default() },
            };
            writer.flushed(&self.replication.log, &done);
            if let Some(error) = done.error {
                result = Err(error);
            } else if writer.is_flushed(&self.replication.log) {
                break;
            }
        }
        self.replication.log.move_reader(writer.reader, writer.written());
        self.aof.increment_size = writer.size();
        writer.take_finished().into_iter().for_each(|file| self.ask_disk(DiskJob::Abort { file }));
        self.aof.writer = Some(writer);
        let is_flushed = result.is_ok();
        match result {
            Ok(()) => self.written_again(),
            Err(LogError::Write(reason)) => log::warn!("Fail to fsync the AOF file: {reason}."),
            Err(LogError::Sync(reason)) => self.sync_failed(reason),
        }
        self.release_committed();
        self.settle_aof_gate();
        is_flushed
    }

    /// Lets replies go that wait for what is on the disk by now. Returns how many clients have waited for that.
    pub fn release_committed(&mut self) -> usize {
        let mark = self.aof.writer.as_ref().map(|writer| writer.mark(self.committed_offset(writer)));
        mark.map_or(0, |mark| self.release_held(mark))
    }

    fn release_held(&mut self, mark: u64) -> usize {
        self.aof.synced_mark = self.aof.synced_mark.max(mark);
        let mut released = 0;
        while let Some((_, conn)) = self.aof.held.front().copied().filter(|(wanted, _)| *wanted <= mark) {
            self.aof.held.pop_front();
            released += 1;
            let Some(client) = self.clients.get_mut(conn) else { continue };
            let held = client.held.as_mut();
            let next = held.and_then(|held| {
                held.release(mark);
                held.next_mark()
            });
            if let Some(next) = next {
                // What came later joined what was held, and this sync has ended in front of it: a rewrite has cut the log there.
                let at = self.aof.held.partition_point(|(wanted, _)| *wanted < next);
                if self.aof.held.get(at) != Some(&(next, conn)) {
                    self.aof.held.insert(at, (next, conn));
                }
            }
            self.mark_dirty(conn);
        }
        released
    }

    /// Whether the log has something that replies must not tell of yet.
    pub fn holds_replies(&self) -> bool {
        match &self.aof.writer {
            Some(writer) if self.aof.commits_first() => self.replication.log.end() > self.committed_offset(writer),
            _ => false,
        }
    }

    /// Holds what a client is owed, until all that has been logged so far is on the disk. `true`: there is something in front of that which may leave.
    pub fn hold(&mut self, conn: ConnId) -> bool {
        let Some(writer) = &self.aof.writer else { return true };
        let (mark, handed) = (writer.mark(self.replication.log.end()), writer.handed_mark());
        let Some(client) = self.clients.get_mut(conn) else { return false };
        let place = client.net_out + client.out.len() as u64;
        let held = client.held.get_or_insert_with(|| Box::new(HeldReplies::from(client.net_out)));
        let is_new = held.hold(place, mark, handed);
        let may_leave = held.free_behind(client.net_out, client.out.len()) > 0;
        if is_new {
            self.aof.held.push_back((mark, conn));
        }
        may_leave
    }

    /// Holds all that a client is sent from here on, until all that has been logged so far is on the disk.
    pub fn hold_what_comes(&mut self, conn: ConnId) {
        let Some(writer) = self.aof.writer.as_ref().filter(|_| self.holds_replies()) else { return };
        let mark = writer.mark(self.replication.log.end());
        let Some(client) = self.clients.get_mut(conn) else { return };
        let place = client.net_out + client.out.len() as u64;
        client.held.get_or_insert_with(|| Box::new(HeldReplies::from(place))).hold_behind(place, mark);
        self.aof.held.push_back((mark, conn));
    }

    /// Holds what the clients that are owed something are owed, but those for whom `is_free` says that it tells of nothing that is not on the disk.
    pub fn hold_all(&mut self, is_free: impl Fn(ConnId, &Client) -> bool) {
        let mut dirty = std::mem::take(&mut self.dirty_clients);
        dirty.retain(|conn| {
            let Some(client) = self.clients.get(*conn) else { return false };
            // Replicas get what is on the disk in any case, and our primary knows more than we do.
            let is_owed_nothing = client.out.is_empty() || client.close_now || matches!(client.peer, Peer::Replica(_) | Peer::Primary);
            if is_owed_nothing || is_free(*conn, client) || self.hold(*conn) {
                return true;
            }
            if let Some(client) = self.clients.get_mut(*conn) {
                client.dirty = false;
            }
            false
        });
        self.dirty_clients = dirty;
    }
}
