//! The save under way, and the outcome of the last one.

use super::{
    disk::{FileId, Lane},
    snapshot_file::SnapshotFile,
};

/// A BGSAVE under way.
pub struct Saving {
    /// The file, and what is still to come of it.
    pub snapshot: SnapshotFile,
    /// Changes there had been since the last save when it began.
    pub dirty_before: u64,
    /// It is the empty dataset of a FLUSHALL, which has counted all changes before it as saved: so many of them are not, should it fail.
    pub flushed: Option<u64>,
}

/// Saves and loads, as INFO shows them.
pub struct Persistence {
    /// The BGSAVE under way.
    pub saving: Option<Saving>,
    /// One is to begin with the next cron.
    pub scheduled: bool,
    /// Whether the last one succeeded.
    pub last_ok: bool,
    /// Unix seconds at which the last one began.
    pub last_try_unix_seconds: i64,
    /// How many seconds it took.
    pub last_took_seconds: Option<i64>,
    /// Bytes of memory that it copied early because of writes.
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

impl Persistence {
    /// A name for a file that is about to be created or opened.
    pub fn next_file(&mut self, lane: Lane) -> FileId {
        self.files += 1;
        FileId { lane, number: self.files }
    }
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

/// What `rdb-key-save-delay` and `key-load-delay` cost for so many keys: microseconds for each, or if negative a microsecond for as many.
pub fn delay_nanos(setting: i32, keys: u64) -> u64 {
    match setting {
        0 => 0,
        1.. => keys * u64::from(setting.unsigned_abs()) * 1000,
        _ => keys * 1000 / u64::from(setting.unsigned_abs()),
    }
}

/// Monotonic nanoseconds before which work with such a delay does not go on: its last step ended at that time, and was so many keys.
pub fn resumes_nanos(setting: i32, (ended_nanos, keys): (u64, u64)) -> u64 {
    if setting == 0 { 0 } else { ended_nanos + delay_nanos(setting, keys) }
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
