//! BGSAVE: the walk in slices between events, its bytes to the disk, and what becomes of it; and the save points that begin one.

use super::Engine;
use crate::{
    persist::{rdb::Progress, snapshot::SnapshotSink},
    state::{
        disk::{DiskDone, DiskJob, Done},
        saving::{appended, delay_nanos, log_not_created, log_not_moved, log_not_written, take_pieces},
    },
};

/// Bytes summed between two looks at the clock.
const POLL_BYTES: usize = 16 * 1024;
/// Bytes handed to the disk at a time.
const APPEND_BYTES: usize = 128 * 1024;
/// Bytes on their way to the disk at which the walk waits.
const IN_FLIGHT_MAX: usize = 8 << 20;
/// Seconds after a failed save before save points begin one again.
const RETRY_SECONDS: i64 = 5;

impl Engine {
    /// Whether a save wants a slice now.
    pub(super) fn wants_save_slice(&self) -> bool {
        self.server.persistence.saving.as_ref().is_some_and(|s| !s.committing && s.in_flight < IN_FLIGHT_MAX)
            && self.save_resumes() <= self.nanos
    }

    /// Milliseconds until a save that waits on purpose goes on.
    pub(super) fn save_resumes_ms(&self) -> Option<u64> {
        let resumes = self.save_resumes();
        (resumes > self.nanos).then(|| ms_until(resumes, self.nanos))
    }

    /// Monotonic nanoseconds before which a save does not go on.
    fn save_resumes(&self) -> u64 {
        let delay = self.server.config.rdb_key_save_delay;
        let stepped = self.server.persistence.saving.as_ref().map_or((0, 0), |s| s.stepped);
        if delay == 0 { 0 } else { stepped.0 + delay_nanos(delay, stepped.1) }
    }

    /// Takes the save under way a slice further: a step of the walk, and more while there is time for it.
    pub(super) fn save_slice(&mut self, slice_nanos: u64) {
        let started = self.nanos;
        while self.wants_save_slice() {
            let keys = self.save_step();
            let now = self.server.host.nanos();
            if self.server.config.rdb_key_save_delay != 0
                && let Some(saving) = &mut self.server.persistence.saving
            {
                saving.stepped = (now, keys);
                return;
            }
            if now.saturating_sub(started) >= slice_nanos {
                return;
            }
        }
    }

    /// Takes one step of the walk and hands its bytes to the disk. Returns the number of keys.
    fn save_step(&mut self) -> u64 {
        let server = &mut self.server;
        let Some(saving) = &mut server.persistence.saving else { return 0 };
        let before = saving.sink.borrow().keys();
        // What has been encoded comes first, so that no more of it waits than a step adds.
        if saving.sink.borrow_mut().poll(POLL_BYTES) == Progress::Idle {
            let walked = saving.walk.is_some();
            saving.walk = saving.walk.filter(|walk| server.keyspace.step_walk(*walk));
            // The last keys have their delay before the end.
            let delayed = walked && server.config.rdb_key_save_delay != 0;
            if saving.walk.is_none() && !saving.finished && !delayed {
                saving.finished = true;
                saving.sink.borrow_mut().finish();
            }
        }
        let progress = saving.sink.borrow_mut().poll(POLL_BYTES);
        let keys = saving.sink.borrow().keys() - before;
        let ready = saving.sink.borrow().ready_bytes();
        let (file, done) = (saving.file, progress == Progress::Done);
        if done || ready >= APPEND_BYTES {
            saving.in_flight += ready;
            let pieces = take_pieces(&saving.sink);
            let commit = done.then(|| DiskJob::Commit { file, to: saving.to.clone(), fsync: true });
            saving.committing = done;
            server.ask_disk(DiskJob::Append { file, pieces });
            commit.into_iter().for_each(|job| server.ask_disk(job));
        }
        keys
    }

    /// Takes an answer of the disk if it is for the save under way. Whether it was.
    pub(super) fn save_answered(&mut self, done: &DiskDone) -> bool {
        let server = &mut self.server;
        let Some(saving) = &mut server.persistence.saving else { return false };
        if saving.file != done.file {
            return false;
        }
        match &done.result {
            Ok(Done::Committed) => {
                let (dirty, is_bgsave) = (saving.dirty_before, saving.flushed.is_none());
                server.end_bgsave();
                server.keyspace.dirty = server.keyspace.dirty.saturating_sub(dirty);
                server.last_save_unix_seconds = server.unix_seconds();
                server.persistence.last_ok = true;
                log::info!("DB saved on disk");
                if is_bgsave {
                    log::info!("Background saving terminated with success");
                }
            }
            Ok(Done::Created) => saving.created = true,
            Ok(done) => saving.in_flight -= (appended(done) as usize).min(saving.in_flight),
            Err(reason) => {
                let dir = &server.config.dir;
                // Each write is answered before the next job of its lane begins.
                match (saving.created, saving.in_flight) {
                    (false, _) => log_not_created(&saving.temporary, dir, reason),
                    (_, 0) => log_not_moved(&saving.temporary, &saving.to, dir, reason),
                    _ => log_not_written(reason),
                }
                if saving.flushed.is_none() {
                    log::warn!("Background saving error");
                    server.persistence.last_ok = false;
                }
                server.cancel_bgsave();
            }
        }
        true
    }

    /// Begins a save that was scheduled, or that a save point asks for.
    pub(super) fn saves_cron(&mut self) {
        let server = &mut self.server;
        if server.loading.is_some() || server.persistence.saving.is_some() {
            return;
        }
        let now = server.unix_seconds();
        if !server.persistence.last_ok && now - server.persistence.last_try_unix_seconds <= RETRY_SECONDS {
            return;
        }
        let (dirty, since) = (server.keyspace.dirty, (now - server.last_save_unix_seconds).max(0) as u64);
        let point = server.config.save.iter().find(|p| dirty >= p.changes && since > p.seconds);
        if let Some(point) = point {
            log::info!("{} changes in {} seconds. Saving...", point.changes, point.seconds);
        }
        if point.is_some() || server.persistence.scheduled {
            server.begin_bgsave();
        }
    }
}

/// Whole milliseconds, at least one, until `nanos`.
pub(super) fn ms_until(nanos: u64, now: u64) -> u64 {
    nanos.saturating_sub(now).div_ceil(1_000_000).max(1)
}
