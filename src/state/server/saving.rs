//! Saves begin and end.

use super::Server;
use crate::{
    keyspace::WalkId,
    persist::{
        rdb::{DecodeOptions, Progress, SaveInfo, Settings, Shapes},
        snapshot::{RdbSink, SnapshotSink},
    },
    state::{
        action::Action,
        disk::{DiskJob, FileId, Lane},
        replicas::position,
        saving::{Saving, delay_nanos, log_not_created, log_not_moved, log_not_written},
        snapshot_file::{SnapshotFile, take_pieces},
    },
};
use std::{cell::RefCell, collections::VecDeque, rc::Rc, time::Duration};

/// Bytes after which what a save has written sets out for the disk (`rdb-save-incremental-fsync`).
const SYNC_EVERY: u64 = 4 << 20;
/// Bytes that a SAVE hands to the disk at a time.
const SAVE_PIECE: usize = 1 << 20;

impl Server {
    /// How a snapshot of so many bytes, where that is known, is decoded.
    pub fn decode_options(&self, size: Option<u64>) -> DecodeOptions {
        let verify = self.config.rdbchecksum && !self.skip_checksums;
        DecodeOptions { verify, size, shapes: Shapes::from_config(&self.config, self.keyspace.seed()) }
    }

    /// A name for a file that is about to be created or opened.
    pub fn next_file(&mut self, lane: Lane) -> FileId {
        self.persistence.next_file(lane)
    }

    /// Asks for work of the disk; the answer comes to the engine.
    pub fn ask_disk(&mut self, job: DiskJob) {
        self.actions.push_back(Action::Disk(job));
    }

    fn snapshot(&mut self) -> (WalkId, Rc<RefCell<RdbSink>>) {
        let libraries: Vec<&[u8]> = self.functions.codes();
        let info = SaveInfo {
            unix_seconds: self.unix_us / 1_000_000,
            used_memory: self.host.used_memory() as u64,
            replication: position(&self.replication),
            aof_base: false,
            libraries: &libraries,
        };
        RdbSink::begin(Settings::from_config(&self.config), &info, &mut self.keyspace)
    }

    fn sync_every(&self) -> u64 {
        if self.config.rdb_save_incremental_fsync { SYNC_EVERY } else { 0 }
    }

    /// Begins to save this moment's data in the background. None is under way.
    pub fn begin_bgsave(&mut self) {
        debug_assert!(self.is_data_whole());
        self.begin_saving();
        log::info!("Background saving started by pid {}", self.host.pid());
    }

    fn begin_saving(&mut self) {
        let temporary = format!("temp-{}-bg.rdb", self.host.pid());
        let to = self.config.dbfilename.clone();
        let file = self.next_file(Lane::Bulk);
        let keys_total = self.keyspace.iter().map(|(_, db)| db.len() as u64).sum();
        let (walk, sink) = self.snapshot();
        let started_unix_seconds = self.unix_seconds();
        let sync_every = self.sync_every();
        self.ask_disk(DiskJob::Create { file, path: temporary.clone(), sync_every });
        let persistence = &mut self.persistence;
        persistence.scheduled = false;
        persistence.saves += 1;
        persistence.last_try_unix_seconds = started_unix_seconds;
        persistence.saving = Some(Saving {
            snapshot: SnapshotFile { started_unix_seconds, keys_total, ..SnapshotFile::new(file, temporary, to, walk, sink) },
            dirty_before: self.keyspace.dirty,
            flushed: None,
        });
    }

    /// Takes note that the BGSAVE under way is over, whatever came of it, and returns it.
    pub fn end_bgsave(&mut self) -> Option<Saving> {
        let saving = self.persistence.saving.take()?;
        let snapshot = &saving.snapshot;
        if let Some(walk) = snapshot.walk.id() {
            self.keyspace.cancel_walk(walk);
        }
        if saving.flushed.is_none() {
            self.persistence.last_took_seconds = Some(self.unix_seconds() - snapshot.started_unix_seconds);
            self.persistence.last_early_bytes = snapshot.sink.borrow().early_bytes();
        }
        Some(saving)
    }

    /// Gives up the BGSAVE under way, if there is one. Its outcome does not count.
    pub fn cancel_bgsave(&mut self) {
        let Some(saving) = self.end_bgsave() else { return };
        self.keyspace.dirty += saving.flushed.unwrap_or(0);
        self.drop_unsent(saving.snapshot.file);
        self.ask_disk(DiskJob::Abort { file: saving.snapshot.file });
    }

    /// What the disk has not been handed of a file must not come after what somebody writes in its place.
    pub(super) fn drop_unsent(&mut self, file: FileId) {
        self.actions.retain(|action| !matches!(action, Action::Disk(job) if job.file() == file));
    }

    /// Saves this moment's data, and comes back when it is on the disk. Nobody is served meanwhile. `false`: that failed, and the log says why.
    #[must_use]
    pub fn save_now(&mut self) -> bool {
        if self.is_saving_nothing() {
            // It must not take the place of this one.
            self.cancel_bgsave();
        }
        // Not the name that a BGSAVE writes under: one that was just cancelled may still have it.
        let temporary = format!("temp-{}.rdb", self.host.pid());
        let (file, sync_every) = (self.next_file(Lane::Bulk), self.sync_every());
        if let Err(reason) = self.host.disk_now(DiskJob::Create { file, path: temporary.clone(), sync_every }).result {
            log_not_created(&temporary, &self.config.dir, &reason);
            return false;
        }
        let written = self.write_all(file);
        let moved = match written {
            Ok(()) => self.host.disk_now(DiskJob::Commit { file, to: self.config.dbfilename.clone(), fsync: true }).result.map(drop),
            Err(reason) => {
                log_not_written(&reason);
                self.host.disk_now(DiskJob::Abort { file });
                return false;
            }
        };
        if let Err(reason) = moved {
            log_not_moved(&temporary, &self.config.dbfilename, &self.config.dir, &reason);
            self.host.disk_now(DiskJob::Abort { file });
            return false;
        }
        log::info!("DB saved on disk");
        self.keyspace.dirty = 0;
        self.last_save_unix_seconds = self.host.unix_us() / 1_000_000;
        self.persistence.last_ok = true;
        true
    }

    fn write_all(&mut self, file: FileId) -> Result<(), String> {
        let (walk, sink) = self.snapshot();
        let mut walking = true;
        loop {
            if walking {
                let before = sink.borrow().keys();
                walking = self.keyspace.step_walk(walk);
                if !walking {
                    sink.borrow_mut().finish();
                }
                let keys = sink.borrow().keys() - before;
                self.stand_still(delay_nanos(self.config.rdb_key_save_delay, keys));
            }
            if self.host.is_end_urgent() {
                self.keyspace.cancel_walk(walk);
                return Err("given up".into());
            }
            let progress = sink.borrow_mut().poll(SAVE_PIECE);
            if progress != Progress::Done && sink.borrow().ready_bytes() < SAVE_PIECE {
                continue;
            }
            let pieces = take_pieces(&*sink);
            if let Err(reason) = self.host.disk_now(DiskJob::Append { file, pieces }).result {
                self.keyspace.cancel_walk(walk);
                return Err(reason);
            }
            if progress == Progress::Done {
                return Ok(());
            }
        }
    }

    /// Sleeps for so long, or until the process is to end at once.
    fn stand_still(&mut self, nanos: u64) {
        let mut left = Duration::from_nanos(nanos);
        while !left.is_zero() && !self.host.is_end_urgent() {
            let part = left.min(Duration::from_millis(10));
            self.host.sleep(part);
            left -= part;
        }
    }

    /// Whether the save under way is a FLUSHALL's. It stands in nobody's way: another save may take its place.
    pub fn is_saving_nothing(&self) -> bool {
        self.persistence.saving.as_ref().is_some_and(|saving| saving.flushed.is_some())
    }

    /// What FLUSHALL does to saves: the one under way is given up, and where there are save points the file is made to hold nothing too.
    ///
    /// That is done in the background. All of it is with the disk at once, so that what comes behind it in the lane finds it done. If it fails, the
    /// log says so, and the save points ask again.
    pub fn reset_saves(&mut self) {
        let changes = std::mem::take(&mut self.keyspace.dirty);
        if let Some(flushed) = self.persistence.saving.as_mut().and_then(|saving| saving.flushed.as_mut()) {
            // Nothing is what that one saves.
            *flushed += changes;
            return;
        }
        self.keyspace.dirty = changes;
        self.cancel_bgsave();
        if self.config.save.is_empty() {
            return;
        }
        self.begin_saving();
        self.keyspace.dirty = 0;
        let Some(saving) = self.persistence.saving.as_mut() else { return };
        (saving.flushed, saving.dirty_before) = (Some(changes), 0);
        for job in saving.snapshot.finish(&mut self.keyspace) {
            self.actions.push_back(Action::Disk(job));
        }
    }

    /// Gives up the BGSAVE under way, if there is one, since the process is about to end. Comes back when the disk has done with it. A FLUSHALL's is
    /// carried out: what was flushed must not come back.
    pub fn end_saving(&mut self) {
        let Some(saving) = self.end_bgsave() else { return };
        let (unsent, others): (VecDeque<Action>, VecDeque<Action>) = std::mem::take(&mut self.actions)
            .into_iter()
            .partition(|action| matches!(action, Action::Disk(job) if job.file() == saving.snapshot.file));
        self.actions = others;
        if saving.flushed.is_some() {
            for action in unsent {
                if let Action::Disk(job) = action
                    && let Err(reason) = self.host.disk_now(job).result
                {
                    log_not_written(&reason);
                    break;
                }
            }
        }
        self.host.disk_now(DiskJob::Abort { file: saving.snapshot.file });
    }
}
