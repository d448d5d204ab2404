//! What is handed to the disk of the log of writes, and how much of it has arrived.
//!
//! Four offsets in the log, in this order: up to `synced` it is on the disk, up to `written` in the file, up to `handed` the disk has been asked to write it;
//! the rest has been logged since. One job is under way at a time, so what fails is known before what stands behind it is handed over: the file never
//! has a hole.
//!
//! The file is a row of parts, the increments. While a rewrite puts a new one behind the present one, that is [cut](AofWriter::cut): it is synced to its end,
//! and what comes behind waits in the log until it is said where it goes.

use super::disk::{DiskJob, FileId, LogError, Logged};
use crate::{
    config::AppendFsync,
    replication::{
        WriteLog,
        write_log::{LogPiece, ReaderId},
    },
};
use bytes::Bytes;
use std::collections::VecDeque;

/// Milliseconds between two syncs (`appendfsync everysec`).
const SYNC_EACH_MS: u64 = 1000;
/// Milliseconds that a write may be logged for without being on the disk (`appendfsync everysec`): then others wait.
pub const UNSYNCED_MS_MAX: u64 = 2000;
/// Where nobody waits for the disk, it is asked for less than this once a millisecond, so that small writes do not cost a job each.
const GATHERED_BYTES: u64 = 32 * 1024;
/// Milliseconds before what has failed is tried again.
const RETRY_MS: u64 = 250;

/// A file that bytes go to.
struct Part {
    file: FileId,
    /// Bytes that it has.
    size: u64,
    /// Bytes that it had when it was last synced.
    synced_size: u64,
    /// Offset in the log at which it ends.
    until: Option<u64>,
    /// A sync of it has failed: nothing can be said of what was written before, and another sync would only seem to succeed.
    is_broken: bool,
    /// It ends where it is: what belongs behind was more than is kept while it cannot be written.
    is_given_up: bool,
}

impl Part {
    fn new(file: FileId, size: u64) -> Self {
        Self { file, size, synced_size: size, until: None, is_broken: false, is_given_up: false }
    }
}

/// What the disk has been asked for.
struct Job {
    /// Offset in the log up to which it has everything, and the database that is selected there, if that is known.
    to: u64,
    db: Option<usize>,
    pieces: Vec<Bytes>,
    bytes: u64,
    /// Monotonic milliseconds at which it was handed over.
    asked_ms: u64,
    sync: bool,
    /// When the oldest bytes that a sync of it puts on the disk were logged.
    since_ms: Option<u64>,
}

/// What has become of a job.
#[derive(Debug, PartialEq, Eq)]
pub struct Progress {
    /// Milliseconds from handing it over to its answer, without its sync.
    pub write_ms: u64,
    /// It was a sync as well.
    pub synced: bool,
    /// What went wrong.
    pub error: Option<LogError>,
}

/// How syncs are made at the moment.
#[derive(Clone, Copy, Debug)]
pub struct SyncRule {
    /// `appendfsync`.
    pub policy: AppendFsync,
    /// Somebody else needs the disk (`no-appendfsync-on-rewrite`).
    pub suspended: bool,
    /// Others are about to write whom the next sync is to serve as well.
    pub waits: bool,
}

/// The reader of the log of writes that puts it into the append-only file.
pub struct AofWriter {
    /// Keeps in the log what has not arrived.
    pub reader: ReaderId,
    parts: VecDeque<Part>,
    /// Offset in the log at which it began, and the mark that belongs to it.
    began: (u64, u64),
    synced: u64,
    written: u64,
    written_db: Option<usize>,
    handed: u64,
    job: Option<Job>,
    /// Answers that are known already.
    skip_answers: usize,
    /// Bytes in front of `handed` that have to be handed over once more.
    again: Vec<Bytes>,
    /// Bytes of the job, and of those, that are copies: the others are the log's own memory.
    copied: usize,
    /// What stands in the file and not in the log: bytes, and the offset that they are in front of.
    inserts: VecDeque<(u64, Bytes)>,
    retry_at_ms: u64,
    /// Monotonic milliseconds at which the disk was last asked for something.
    asked_ms: u64,
    /// Monotonic milliseconds at which the last sync began.
    sync_began_ms: u64,
    /// When the oldest byte was logged that neither is on the disk nor part of the sync under way.
    since_ms: Option<u64>,
    /// When the oldest byte was logged that stands behind a cut and waits to be told where it goes.
    since_behind_ms: Option<u64>,
    /// The end of the log when it was last looked at.
    seen_end: u64,
    /// The next job syncs, whatever the setting says.
    wants_sync: bool,
    /// Nothing more comes.
    is_stopped: bool,
    /// Files that are complete, and can be closed.
    finished: Vec<FileId>,
}

impl AofWriter {
    /// Goes on in a file of this size with what is logged from `at` on, where this database is selected. `mark` is above all those of writers before it.
    pub fn new(reader: ReaderId, file: FileId, size: u64, (at, db): (u64, Option<usize>), mark: u64) -> Self {
        Self {
            reader,
            parts: VecDeque::from([Part::new(file, size)]),
            began: (at, mark),
            synced: at,
            written: at,
            written_db: db,
            handed: at,
            job: None,
            skip_answers: 0,
            again: Vec::new(),
            copied: 0,
            inserts: VecDeque::new(),
            retry_at_ms: 0,
            asked_ms: 0,
            sync_began_ms: 0,
            since_ms: None,
            since_behind_ms: None,
            seen_end: at,
            wants_sync: false,
            is_stopped: false,
            finished: Vec::new(),
        }
    }

    /// The mark of an offset in the log. Marks grow for as long as the process lives, though offsets may begin elsewhere after a full synchronisation.
    pub fn mark(&self, offset: u64) -> u64 {
        self.began.1 + offset.saturating_sub(self.began.0)
    }

    /// Offset in the log up to which it is on the disk.
    pub fn synced(&self) -> u64 {
        self.synced
    }

    /// Offset in the log up to which it is in the file.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// The database that is selected there, if that is known.
    pub fn written_db(&self) -> Option<usize> {
        self.written_db
    }

    /// The mark up to which the disk has been asked to sync.
    pub fn handed_mark(&self) -> u64 {
        self.job.as_ref().map_or(self.mark(self.synced), |job| self.mark(job.to))
    }

    /// The mark of all that it was handed, once it is stopped.
    pub fn last_mark(&self) -> u64 {
        self.mark(self.handed)
    }

    /// Whether the disk is syncing.
    pub fn is_syncing(&self) -> bool {
        self.job.as_ref().is_some_and(|job| job.sync)
    }

    /// Bytes of the file that bytes go to.
    pub fn size(&self) -> u64 {
        self.parts.back().map_or(0, |part| part.size)
    }

    /// The file that bytes go to, and how many of its bytes are on the disk.
    pub fn synced_file(&self) -> Option<(FileId, u64)> {
        self.parts.front().map(|part| (part.file, part.synced_size))
    }

    /// Whether a sync of a file has failed that holds what no base has made up for.
    pub fn is_broken(&self) -> bool {
        self.parts.iter().any(|part| part.is_broken)
    }

    /// All files that it has open.
    pub fn files(&self) -> impl Iterator<Item = FileId> {
        self.parts.iter().map(|part| part.file)
    }

    /// Whether an answer is for one of its files.
    pub fn has(&self, file: FileId) -> bool {
        self.parts.iter().any(|part| part.file == file)
    }

    /// Bytes that the disk has been asked to write, or is to be asked again.
    pub fn in_flight(&self) -> usize {
        self.job.iter().flat_map(|job| &job.pieces).chain(&self.again).map(Bytes::len).sum()
    }

    /// Bytes of those that take memory beside the log, as long as that keeps what has not arrived.
    pub fn copied(&self) -> usize {
        self.copied.min(self.in_flight())
    }

    /// Puts bytes into the file that are not in the log, in front of what is logged from `at` on.
    pub fn insert(&mut self, at: u64, bytes: Bytes) {
        self.inserts.push_back((at, bytes));
    }

    /// Takes note of what has been logged since it was last asked. Where that is something for the file, returns the offset at which it began.
    pub fn note_logged(&mut self, log: &WriteLog, now_ms: u64) -> Option<u64> {
        let (from, end) = (self.seen_end, log.end());
        if from == end {
            return None;
        }
        self.seen_end = end;
        if end - from == log.chatter_since(from) {
            return None;
        }
        let is_cut = self.parts.back().is_some_and(|part| part.until.is_some());
        let since_ms = if is_cut { &mut self.since_behind_ms } else { &mut self.since_ms };
        since_ms.get_or_insert(now_ms);
        Some(from)
    }

    /// Has everything synced with the next job, whatever the setting says.
    pub fn sync_soon(&mut self) {
        self.wants_sync = true;
    }

    /// When (monotonic ms) the oldest bytes were logged that are not on the disk.
    pub fn unsynced_since_ms(&self) -> Option<u64> {
        let job = self.job.as_ref().and_then(|job| job.since_ms);
        job.into_iter().chain(self.since_ms).chain(self.since_behind_ms).min()
    }

    /// Offset in the log up to which bytes can go to the first part.
    fn limit(&self, end: u64) -> u64 {
        self.parts.front().and_then(|part| part.until).unwrap_or(end)
    }

    /// Whether what there is to write waits for more.
    fn gathers(&self, rule: SyncRule, to: u64, now_ms: u64) -> bool {
        let more_comes = match rule.policy {
            AppendFsync::Always => rule.waits,
            _ => now_ms == self.asked_ms && to - self.handed < GATHERED_BYTES,
        };
        more_comes && self.again.is_empty() && !self.must_sync()
    }

    /// Whether the next job is to sync, whatever the setting says.
    fn must_sync(&self) -> bool {
        self.wants_sync || self.is_stopped || self.parts.front().is_some_and(|part| part.until.is_some())
    }

    /// Whether the next job is to sync.
    fn syncs(&self, rule: SyncRule, has_bytes: bool, now_ms: u64) -> bool {
        if self.parts.front().is_none_or(|part| part.is_broken) {
            return false;
        }
        let owes = has_bytes || self.written > self.synced;
        let due = match rule.policy {
            AppendFsync::Always => !rule.suspended,
            AppendFsync::EverySecond => !rule.suspended && now_ms.saturating_sub(self.sync_began_ms) >= SYNC_EACH_MS,
            AppendFsync::No => false,
        };
        owes && (self.must_sync() || due)
    }

    /// The next job for the disk, if there is something to do and none is under way.
    pub fn next_job(&mut self, log: &mut WriteLog, rule: SyncRule, sleep_us: u64, now_ms: u64) -> Option<DiskJob> {
        if self.job.is_some() || now_ms < self.retry_at_ms {
            return None;
        }
        if rule.suspended && rule.policy == AppendFsync::EverySecond {
            // The promise of two seconds does not hold meanwhile.
            self.since_ms = self.since_ms.map(|_| now_ms);
            self.since_behind_ms = self.since_behind_ms.map(|_| now_ms);
        }
        let to = if self.is_stopped { self.handed } else { self.limit(log.end()) };
        if self.gathers(rule, to, now_ms) {
            return None;
        }
        let mut pieces = std::mem::take(&mut self.again);
        self.collect(log, to, &mut pieces);
        self.handed = to;
        if self.parts.front().is_some_and(|part| part.is_given_up) {
            self.written = to;
            log.move_reader(self.reader, to);
            self.finish_part();
            return None;
        }
        let sync = self.syncs(rule, !pieces.is_empty(), now_ms);
        if pieces.is_empty() && !sync {
            // What was logged was for replicas alone.
            let is_synced = self.written == self.synced;
            self.arrived(to, is_synced);
            if is_synced {
                self.since_ms = None;
            }
            log.move_reader(self.reader, to);
            self.finish_part();
            return None;
        }
        let part = self.parts.front()?;
        let bytes = pieces.iter().map(|piece| piece.len() as u64).sum();
        self.asked_ms = now_ms;
        let since_ms = if sync { self.since_ms.take() } else { None };
        if sync {
            self.sync_began_ms = now_ms;
            // What stands behind a cut is to be synced as well, once it is in a file.
            self.wants_sync &= to < log.end();
        }
        let db = if to == log.end() { log.db() } else { None };
        self.job = Some(Job { to, db, pieces: pieces.clone(), bytes, asked_ms: now_ms, sync, since_ms });
        Some(DiskJob::WriteLog { file: part.file, at: part.size, pieces, sync, sleep_us })
    }

    fn arrived(&mut self, to: u64, synced: bool) {
        self.written = to;
        if synced {
            self.synced = to;
        }
    }

    /// The bytes of the log up to `to` that have not been handed over, as they stand in the file.
    fn collect(&mut self, log: &mut WriteLog, to: u64, pieces: &mut Vec<Bytes>) {
        let mut at = self.handed;
        if pieces.is_empty() && self.again.is_empty() && self.job.is_none() {
            self.copied = 0;
        }
        loop {
            // What stands in front of nothing yet waits: its command may go to another part.
            let insert = self.inserts.front().map(|(offset, _)| *offset).filter(|offset| *offset < to);
            let chatter = log.next_chatter().filter(|span| span.start < to);
            match (insert, chatter) {
                (Some(offset), chatter) if chatter.as_ref().is_none_or(|span| offset <= span.start) => {
                    self.copied += take(log, at, offset, pieces);
                    at = at.max(offset);
                    let insert = self.inserts.pop_front().map(|(_, bytes)| bytes);
                    self.copied += insert.as_ref().map_or(0, Bytes::len);
                    pieces.extend(insert);
                }
                (_, Some(span)) => {
                    self.copied += take(log, at, span.start, pieces);
                    at = at.max(span.end);
                    log.forget_chatter();
                }
                (_, None) => break,
            }
        }
        self.copied += take(log, at, to, pieces);
    }

    /// Takes note of an answer. `None`: it was known before.
    pub fn answered(&mut self, done: &Logged, now_ms: u64) -> Option<Progress> {
        if self.skip_answers > 0 {
            self.skip_answers -= 1;
            return None;
        }
        let job = self.job.take()?;
        let part = self.parts.front_mut()?;
        part.size += done.written;
        let write_ms = now_ms.saturating_sub(job.asked_ms).saturating_sub(done.sync_us / 1000);
        match &done.error {
            Some(LogError::Write(_)) => {
                let mut left = job.pieces;
                drop_front(&mut left, done.written);
                if left.is_empty() && job.bytes > 0 {
                    // All of it is in the file, whatever has failed: what is left to do is a sync, whose success says that it works again.
                    self.written_db = job.db;
                    self.arrived(job.to, false);
                    self.wants_sync = true;
                }
                self.again.splice(0..0, left);
                self.since_ms = job.since_ms.or(self.since_ms);
                self.retry_at_ms = now_ms + RETRY_MS;
                self.wants_sync |= job.sync;
            }
            Some(LogError::Sync(_)) => {
                part.is_broken = true;
                self.written_db = job.db;
                self.arrived(job.to, false);
                self.since_ms = job.since_ms.or(self.since_ms);
            }
            None => {
                if done.synced {
                    part.synced_size = part.size;
                }
                self.written_db = job.db;
                self.arrived(job.to, done.synced);
            }
        }
        self.finish_part();
        Some(Progress { write_ms, synced: done.synced, error: done.error.clone() })
    }

    /// Writes no more to the present file: a new base makes up for what it lacks.
    pub fn give_up(&mut self) {
        if let Some(part) = self.parts.front_mut() {
            (part.is_broken, part.is_given_up) = (true, true);
        }
        self.retry_at_ms = 0;
    }

    /// Whether a part has all its bytes, on the disk where that can be.
    fn is_whole(&self, part: &Part) -> bool {
        let arrived = if part.is_broken { self.written } else { self.synced };
        part.until.is_some_and(|until| arrived >= until)
    }

    /// Goes on to the next part if the first is whole.
    fn finish_part(&mut self) {
        if self.parts.len() > 1
            && self.is_whole(&self.parts[0])
            && let Some(part) = self.parts.pop_front()
        {
            self.finished.push(part.file);
        }
    }

    /// Files that are complete and can be closed.
    pub fn take_finished(&mut self) -> Vec<FileId> {
        std::mem::take(&mut self.finished)
    }

    /// The present part ends here.
    pub fn cut(&mut self, end: u64) {
        if let Some(part) = self.parts.back_mut() {
            part.until.get_or_insert(end);
        }
    }

    /// Whether the part that was cut has all its bytes, on the disk where that can be.
    pub fn is_cut_done(&self) -> bool {
        self.parts.len() == 1 && self.parts.back().is_some_and(|part| self.is_whole(part))
    }

    /// What comes behind the cut goes to a new file, or on in the old one.
    pub fn continue_in(&mut self, file: Option<FileId>) {
        match (file, self.parts.back_mut()) {
            (Some(file), _) => self.parts.push_back(Part::new(file, 0)),
            (None, Some(part)) => part.until = None,
            (None, None) => (),
        }
        self.since_ms = self.since_ms.into_iter().chain(self.since_behind_ms.take()).min();
        self.finish_part();
    }

    /// Nothing more comes: what is left is taken out of the log, to be synced.
    pub fn stop(&mut self, log: &mut WriteLog) {
        debug_assert!(self.parts.len() == 1, "what is taken out of the log goes to one file");
        self.is_stopped = true;
        self.retry_at_ms = 0;
        let (to, mut rest) = (log.end(), Vec::new());
        self.collect(log, to, &mut rest);
        self.handed = to;
        self.again.append(&mut rest);
    }

    /// Whether everything is on the disk, where that can be, and nothing more comes.
    pub fn is_done(&self) -> bool {
        let arrived = if self.is_broken() { self.written } else { self.synced };
        self.is_stopped && self.job.is_none() && self.again.is_empty() && arrived >= self.handed
    }

    /// What was asked for has not reached the disk's worker: it is as if it had not been.
    pub fn take_back(&mut self) {
        if let Some(job) = self.job.take() {
            self.again.splice(0..0, job.pieces);
            self.since_ms = job.since_ms.or(self.since_ms);
        }
    }

    /// A job that writes and syncs all there is, to be done at once, behind one that may be under way; [`AofWriter::flushed`] is told what comes of it.
    pub fn flush_job(&mut self, log: &mut WriteLog) -> Option<DiskJob> {
        let to = self.limit(log.end());
        let mut pieces = std::mem::take(&mut self.again);
        self.collect(log, to, &mut pieces);
        self.handed = to;
        let part = self.parts.front()?;
        let at = part.size + self.job.as_ref().map_or(0, |job| job.bytes);
        self.again = pieces.clone();
        Some(DiskJob::WriteLog { file: part.file, at, pieces, sync: true, sleep_us: 0 })
    }

    /// What has come of a flush. What was under way before has succeeded if this has.
    pub fn flushed(&mut self, log: &WriteLog, done: &Logged) {
        let Some(part) = self.parts.front_mut() else { return };
        let is_written = !matches!(done.error, Some(LogError::Write(_)));
        // Nothing is written but in its place: what has gone into the file at all stands behind what was under way.
        if (is_written || done.written > 0)
            && let Some(job) = self.job.take()
        {
            part.size += job.bytes;
            self.written = job.to;
            self.written_db = job.db;
            self.since_ms = job.since_ms.or(self.since_ms);
            self.skip_answers += 1;
        }
        if is_written {
            part.size += done.written;
            part.is_broken |= done.error.is_some();
            self.again.clear();
            if done.synced {
                part.synced_size = part.size;
                self.since_ms = None;
                self.wants_sync &= self.handed < log.end();
            }
            self.written_db = if self.handed == log.end() { log.db() } else { None };
            self.arrived(self.handed, done.synced);
        } else if self.job.is_none() {
            part.size += done.written;
            drop_front(&mut self.again, done.written);
            // What is in the file has not been synced, by this job or by the one before.
            self.wants_sync = true;
            if self.again.is_empty() {
                self.written_db = if self.handed == log.end() { log.db() } else { None };
                self.arrived(self.handed, false);
            }
        }
        self.finish_part();
    }

    /// Whether all that was logged is on the disk.
    pub fn is_flushed(&self, log: &WriteLog) -> bool {
        self.synced >= log.end()
    }

    /// Milliseconds until there is something to do that no event tells of.
    pub fn sleep_ms(&self, rule: SyncRule, end: u64, now_ms: u64) -> u64 {
        let left = |at: u64| at.saturating_sub(now_ms).max(1);
        // Writes are to wait from that moment on.
        let late = || {
            let since = self.unsynced_since_ms().filter(|_| rule.policy == AppendFsync::EverySecond && !rule.suspended);
            since.map(|since| since + UNSYNCED_MS_MAX).filter(|at| *at > now_ms).map_or(u64::MAX, left)
        };
        if self.job.is_some() {
            return late();
        }
        let has_bytes = !self.again.is_empty() || self.limit(end) > self.handed;
        if has_bytes {
            return left(self.retry_at_ms);
        }
        if self.written > self.synced && rule.policy == AppendFsync::EverySecond && !rule.suspended {
            return left((self.sync_began_ms + SYNC_EACH_MS).max(self.retry_at_ms));
        }
        if self.since_behind_ms.is_some() { late() } else { u64::MAX }
    }
}

/// Copies or shares what stands in the log between two offsets. How many bytes it has copied.
fn take(log: &WriteLog, from: u64, to: u64, pieces: &mut Vec<Bytes>) -> usize {
    let mut copied = 0;
    if from >= to {
        return copied;
    }
    let read = log.read_until(from, usize::MAX, to, |piece| {
        pieces.push(match piece {
            LogPiece::Shared(bytes) => bytes,
            LogPiece::Plain(bytes) => {
                copied += bytes.len();
                Bytes::copy_from_slice(bytes)
            }
        });
    });
    debug_assert_eq!(read, Some(to), "what a reader needs is kept");
    copied
}

/// Leaves out the first bytes.
fn drop_front(pieces: &mut Vec<Bytes>, mut bytes: u64) {
    let whole = pieces.iter().take_while(|piece| {
        let gone = piece.len() as u64 <= bytes;
        bytes -= if gone { piece.len() as u64 } else { 0 };
        gone
    });
    let whole = whole.count();
    pieces.drain(..whole);
    if let Some(first) = pieces.first_mut() {
        *first = first.slice(bytes as usize..);
    }
}

#[cfg(test)]
mod tests;
