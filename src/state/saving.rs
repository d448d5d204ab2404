//! What is being saved and loaded, what came of it the last time, and how saves begin and end.

use super::{
    action::Action,
    disk::{DiskJob, Done, FileId},
    server::Server,
};
use crate::{
    keyspace::WalkId,
    persist::{
        rdb::{Progress, SaveInfo, Settings},
        snapshot::RdbSink,
    },
};
use bytes::Bytes;
use std::{cell::RefCell, rc::Rc, time::Duration};

/// A dataset being loaded.
#[derive(Clone, Debug, Default)]
pub struct LoadingState {
    /// Unix seconds at which it began.
    pub started_unix_seconds: i64,
    /// Bytes of the whole stream, where that is known; 0 otherwise.
    pub total_bytes: u64,
    /// Bytes loaded so far.
    pub loaded_bytes: u64,
    /// Bytes of memory that the data took where it was saved; 0 while that is not known.
    pub used_memory: u64,
    /// The old data goes on to be served, and most commands run.
    pub asynchronous: bool,
}

/// A BGSAVE under way.
pub struct Saving {
    /// The file that is written.
    pub file: FileId,
    /// Its name until it is whole.
    pub temporary: String,
    /// Its name from then on.
    pub to: String,
    /// The walk, until it is over.
    pub walk: Option<WalkId>,
    /// Where the walk's bytes are.
    pub sink: Rc<RefCell<RdbSink>>,
    /// The end has been written there.
    pub finished: bool,
    /// Unix seconds at which it began.
    pub started_unix_seconds: i64,
    /// Keys there were then.
    pub keys_total: u64,
    /// Changes there had been then since the last save.
    pub dirty_before: u64,
    /// Bytes that the disk has been asked to write and has not answered for.
    pub in_flight: usize,
    /// It is there.
    pub created: bool,
    /// All has been handed over, and the disk is to say that it is done.
    pub committing: bool,
    /// Monotonic nanoseconds at the end of the last step, and the keys of it: what `rdb-key-save-delay` counts from.
    pub stepped: (u64, u64),
}

/// Saves and loads, as INFO shows them.
pub struct Persistence {
    /// The BGSAVE under way.
    pub saving: Option<Saving>,
    /// One is to begin with the next cron.
    pub scheduled: bool,
    /// Whether the last one came to a good end.
    pub last_ok: bool,
    /// Unix seconds at which the last one began.
    pub last_try_unix_seconds: i64,
    /// How many seconds it took.
    pub last_took_seconds: Option<i64>,
    /// Bytes of memory that it copied since writes came upon them.
    pub last_early_bytes: u64,
    /// SAVEs and BGSAVEs begun.
    pub saves: u64,
    /// Keys that the last load has loaded.
    pub loaded_keys: u64,
    /// Keys that the last load has left out because they had expired.
    pub loaded_expired: u64,
    /// Files named so far.
    files: u64,
}

impl Default for Persistence {
    fn default() -> Self {
        Self {
            saving: None,
            scheduled: false,
            last_ok: true,
            last_try_unix_seconds: 0,
            last_took_seconds: None,
            last_early_bytes: 0,
            saves: 0,
            loaded_keys: 0,
            loaded_expired: 0,
            files: 0,
        }
    }
}

/// Bytes after which what a save has written sets out for the disk (`rdb-save-incremental-fsync`).
const SYNC_EVERY: u64 = 4 << 20;
/// Bytes that a SAVE hands to the disk at a time.
const SAVE_PIECE: usize = 1 << 20;

impl Server {
    /// A name for a file that is about to be created or opened.
    pub fn next_file(&mut self) -> FileId {
        self.persistence.files += 1;
        FileId(self.persistence.files)
    }

    /// Asks for work of the disk; the answer comes to the engine.
    pub fn ask_disk(&mut self, job: DiskJob) {
        self.actions.push_back(Action::Disk(job));
    }

    /// Whether commands that write are refused because the last save failed (`stop-writes-on-bgsave-error`).
    #[inline]
    pub fn refuses_writes(&self) -> bool {
        !self.persistence.last_ok && self.config.stop_writes_on_bgsave_error && !self.config.save.is_empty()
    }

    fn snapshot(&mut self) -> (WalkId, Rc<RefCell<RdbSink>>) {
        let info = SaveInfo {
            unix_seconds: self.unix_us / 1_000_000,
            used_memory: self.host.used_memory() as u64,
            replication: super::replicas::position(&self.replication),
            aof_base: false,
        };
        RdbSink::begin(Settings::from_config(&self.config), &info, &mut self.keyspace)
    }

    fn sync_every(&self) -> u64 {
        if self.config.rdb_save_incremental_fsync { SYNC_EVERY } else { 0 }
    }

    /// Begins to save this moment's data in the background. None is under way.
    pub fn begin_bgsave(&mut self) {
        let temporary = format!("temp-{}-bg.rdb", self.host.pid());
        let to = self.config.dbfilename.clone();
        let file = self.next_file();
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
            file,
            temporary,
            to,
            walk: Some(walk),
            sink,
            finished: false,
            started_unix_seconds,
            keys_total,
            dirty_before: self.keyspace.dirty,
            in_flight: 0,
            created: false,
            committing: false,
            stepped: (0, 0),
        });
        log::info!("Background saving started by pid {}", self.host.pid());
    }

    /// Takes note that the BGSAVE under way is over, whatever came of it, and returns it.
    pub fn end_bgsave(&mut self) -> Option<Saving> {
        let saving = self.persistence.saving.take()?;
        if let Some(walk) = saving.walk {
            self.keyspace.cancel_walk(walk);
        }
        self.persistence.last_took_seconds = Some(self.unix_seconds() - saving.started_unix_seconds);
        self.persistence.last_early_bytes = saving.sink.borrow().early_bytes();
        Some(saving)
    }

    /// Gives up the BGSAVE under way, if there is one. Its outcome does not count.
    pub fn cancel_bgsave(&mut self) {
        let Some(saving) = self.end_bgsave() else { return };
        // What the disk has not been handed yet must not come after what somebody writes in its place.
        self.actions.retain(|action| !matches!(action, Action::Disk(job) if job.file() == saving.file));
        self.ask_disk(DiskJob::Abort { file: saving.file });
    }

    /// Saves this moment's data, and comes back when it is on the disk. Nobody is served meanwhile. `false`: that failed, and the log says why.
    #[must_use]
    pub fn save_now(&mut self) -> bool {
        // Not the name that a BGSAVE writes under: one that was just cancelled may still have it.
        let temporary = format!("temp-{}.rdb", self.host.pid());
        let (file, sync_every) = (self.next_file(), self.sync_every());
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
            let pieces = take_pieces(&sink);
            if let Err(reason) = self.host.disk_now(DiskJob::Append { file, pieces }).result {
                self.keyspace.cancel_walk(walk);
                return Err(reason);
            }
            if progress == Progress::Done {
                return Ok(());
            }
        }
    }

    /// As long as is said, or until the end has become urgent.
    fn stand_still(&mut self, nanos: u64) {
        let mut left = Duration::from_nanos(nanos);
        while !left.is_zero() && !self.host.is_end_urgent() {
            let part = left.min(Duration::from_millis(10));
            self.host.sleep(part);
            left -= part;
        }
    }

    /// What FLUSHALL does to saves: the one under way is given up, and where there are save points the file is made to hold nothing too.
    pub fn reset_saves(&mut self) {
        self.cancel_bgsave();
        if !self.config.save.is_empty() {
            // What failed is in the log, and the save points will ask again.
            let _ = self.save_now();
        }
    }
}

/// What `rdb-key-save-delay` and `key-load-delay` cost for so many keys: microseconds for each, or if negative a microsecond for as many.
pub fn delay_nanos(setting: i32, keys: u64) -> u64 {
    match setting {
        0 => 0,
        1.. => keys * u64::from(setting.unsigned_abs()) * 1000,
        _ => keys * 1000 / u64::from(setting.unsigned_abs()),
    }
}

/// Everything that is ready to go.
pub fn take_pieces(sink: &Rc<RefCell<RdbSink>>) -> Vec<Bytes> {
    let mut sink = sink.borrow_mut();
    std::iter::from_fn(|| sink.pop()).collect()
}

/// Tells the operator that the file could not be made.
pub fn log_not_created(temporary: &str, dir: &str, reason: &str) {
    log::warn!("Failed opening the temp RDB file {temporary} (in server root dir {dir}) for saving: {reason}");
}

/// Tells the operator that the file could not be written.
pub fn log_not_written(reason: &str) {
    log::warn!("Write error while saving DB to the disk: {reason}");
}

/// Tells the operator that the file could not take its place.
pub fn log_not_moved(temporary: &str, to: &str, dir: &str, reason: &str) {
    log::warn!("Error moving temp DB file {temporary} on the final destination {to} (in server root dir {dir}): {reason}");
}

/// The bytes of an answer to [`DiskJob::Append`].
pub fn appended(done: &Done) -> u64 {
    if let Done::Appended(bytes) = done { *bytes } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_microseconds_a_key_or_keys_a_microsecond() {
        assert_eq!(delay_nanos(0, 100), 0);
        assert_eq!(delay_nanos(3, 100), 300_000);
        assert_eq!(delay_nanos(-10, 100), 10_000);
        assert_eq!(delay_nanos(i32::MIN, 1), 0);
    }
}
