//! Snapshots for files, in slices between events; what becomes of a BGSAVE, and the save points that begin one.

use super::Engine;
use crate::state::{
    Action, Server,
    disk::{DiskDone, Done},
    saving::{log_not_created, log_not_moved, log_not_written, resumes_nanos},
    snapshot_file::{FailedAt, SnapshotFile},
};

/// Seconds after a failed save before save points begin one again.
const RETRY_SECONDS: i64 = 5;

impl Engine {
    /// Whether a save, or a rewrite of the append-only file, wants a slice now.
    pub(super) fn wants_save_slice(&self) -> bool {
        wanting(&self.server).is_some() && self.save_resumes() <= self.nanos
    }

    /// Milliseconds until a save that waits on purpose goes on.
    pub(super) fn save_resumes_ms(&self) -> Option<u64> {
        let resumes = self.save_resumes();
        (resumes > self.nanos).then(|| ms_until(resumes, self.nanos))
    }

    /// Monotonic nanoseconds before which a save does not go on.
    fn save_resumes(&self) -> u64 {
        let delay = self.server.config.rdb_key_save_delay;
        let stepped = wanting(&self.server).map_or((0, 0), |snapshot| snapshot.stepped);
        resumes_nanos(delay, stepped)
    }

    /// Takes the save or rewrite under way a slice further: a step of the walk, and more while there is time for it.
    pub(super) fn save_slice(&mut self, slice_nanos: u64) {
        let started = self.nanos;
        while self.wants_save_slice() {
            self.save_step();
            let now = self.server.host.nanos();
            if self.server.config.rdb_key_save_delay != 0 || now.saturating_sub(started) >= slice_nanos {
                return;
            }
        }
    }

    /// Takes one step of the walk and hands its bytes to the disk.
    fn save_step(&mut self) {
        let server = &mut self.server;
        let delayed = server.config.rdb_key_save_delay != 0;
        let save = server.persistence.saving.as_mut().map(|saving| &mut saving.snapshot);
        let base = server.aof_files.base_mut();
        let Some(snapshot) = save.into_iter().chain(base).find(|snapshot| snapshot.wants_a_step()) else { return };
        let (keys, jobs) = snapshot.step(&mut server.keyspace, delayed);
        if delayed {
            snapshot.stepped = (server.host.nanos(), keys);
        }
        server.actions.extend(jobs.into_iter().map(Action::Disk));
    }

    /// Takes an answer of the disk if it is for the save under way. Whether it was.
    pub(super) fn save_answered(&mut self, done: &DiskDone) -> bool {
        let server = &mut self.server;
        let Some(saving) = &mut server.persistence.saving else { return false };
        if saving.snapshot.file != done.file {
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
            Ok(done) => saving.snapshot.advanced(done),
            Err(reason) => {
                let dir = &server.config.dir;
                let snapshot = &saving.snapshot;
                match snapshot.failed_at() {
                    FailedAt::Creating => log_not_created(&snapshot.temporary, dir, reason),
                    FailedAt::Writing => log_not_written(reason),
                    FailedAt::Moving => log_not_moved(&snapshot.temporary, &snapshot.to, dir, reason),
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
        if server.loading.is_some() || server.persistence.saving.is_some() || server.aof_files.is_rewriting() {
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

/// The snapshot for a file that is to go on next, if one can.
fn wanting(server: &Server) -> Option<&SnapshotFile> {
    let save = server.persistence.saving.as_ref().map(|saving| &saving.snapshot);
    let base = server.aof_files.rewrite.as_ref().and_then(|rewrite| rewrite.base.as_ref());
    save.into_iter().chain(base).find(|snapshot| snapshot.wants_a_step())
}

/// Whole milliseconds, at least one, until `nanos`.
pub(super) fn ms_until(nanos: u64, now: u64) -> u64 {
    nanos.saturating_sub(now).div_ceil(1_000_000).max(1)
}
