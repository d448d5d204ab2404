//! The files of the append-only log: which are in force, and the rewrite under way.
//!
//! ```text
//! Preparing     the directory is there, and the new increment is created
//! Prepared      it waits for the end of a turn in which the data is whole: that of a script's last slice, where one is suspended
//! Cutting       the log is cut, and synced up to there. What is logged behind it waits, for some milliseconds
//! Announcing    the manifest comes to name the new increment behind the others: only the last may ever be torn
//! Writing       the log goes on in the new increment, while the data of the moment of the cut becomes a base under a temporary name
//! Publishing    the base has its name; the manifest comes to name it, and what it replaces as history
//! Cleaning      history is removed, and then forgotten by the manifest
//! ```
//!
//! Nothing is removed that a manifest may name which a power cut brings back: what is removed is history of a manifest that is on the disk.
//!
//! Writing has begun with the cut: the two do not wait for each other. Where the log is being turned on there is nothing to announce: the
//! increment has a temporary name too, and gets its own together with the base. Where it is off there is no increment.

use super::{conn_id::ConnId, disk::FileId, snapshot_file::SnapshotFile};
use crate::persist::aof::manifest::Manifest;

/// Rewrites that fail in a row before others wait.
const FAILURES_FREE: u64 = 3;
/// Minutes that a rewrite waits at most after others have failed.
const DELAY_MAX_MINUTES: i64 = 60;

/// The files of the log.
#[derive(Default)]
pub struct AofFiles {
    /// The files in force.
    pub manifest: Manifest,
    /// Path of the directory that they are in.
    pub directory: String,
    /// Bytes of the log when it was last rewritten, or of its base at the start: what growth is measured from.
    pub base_size: u64,
    /// Bytes of all files of data but for the increment that is written.
    pub sealed_size: u64,
    /// The rewrite under way.
    pub rewrite: Option<AofRewrite>,
    /// One is to begin as soon as it may.
    pub scheduled: bool,
    /// Whether the last one failed.
    pub last_failed: bool,
    /// How many seconds the last one took.
    pub last_took_seconds: Option<i64>,
    /// Bytes of memory that it copied early because of writes.
    pub last_early_bytes: u64,
    /// How many have begun.
    pub rewrites: u64,
    /// How many have failed since one has not.
    pub failures: u64,
    /// How long others wait because of that.
    pub limit: RewriteLimit,
    /// History that is being removed.
    pub cleaning: Option<Cleaning>,
    /// Who has said DEBUG LOADAOF, which has not begun: the connection, its CLIENT ID, and whether it is to hear of it.
    pub reload: Option<(ConnId, u64, bool)>,
}

/// A rewrite under way.
pub struct AofRewrite {
    /// Unix seconds at which it began.
    pub started_unix_seconds: i64,
    /// Names the creation of the directory.
    pub directory: FileId,
    /// The increment that the log goes on in, unless the log is off.
    pub increment: Option<NewIncrement>,
    /// The files are there, and the base has not begun.
    pub is_prepared: bool,
    /// The base, once its walk has begun.
    pub base: Option<SnapshotFile>,
    /// The base has failed, and the rewrite fails when the increment is there.
    pub base_failed: bool,
    /// Bytes of the base once it is on the disk under its own name.
    pub base_done: Option<u64>,
    /// The last step, once it has begun.
    pub publishing: Option<Publishing>,
}

/// The increment that begins with a rewrite.
pub struct NewIncrement {
    /// The file.
    pub file: FileId,
    /// Its name until it has another one.
    pub name: String,
    /// How far it is.
    pub phase: IncrementPhase,
}

/// How far a new increment is.
pub enum IncrementPhase {
    /// It is being created, or is there and waits.
    Opening,
    /// The log is cut, and the increment before has to be on the disk.
    Cutting,
    /// The manifest that names it is on its way to the disk.
    Announcing {
        /// Names the writing of the manifest.
        file: FileId,
        /// The manifest.
        manifest: Manifest,
    },
    /// The log goes on in it.
    Open,
}

/// The manifest comes to name a new base.
pub struct Publishing {
    /// Names the job under way.
    pub file: FileId,
    /// It is the renaming of the increment; the manifest follows.
    pub renaming: bool,
    /// The manifest.
    pub manifest: Manifest,
    /// Monotonic nanoseconds at which it began.
    pub began_nanos: u64,
}

/// History is being removed.
pub struct Cleaning {
    /// Names the writing of the manifest that history is none of the data of, where it is not known to be on the disk: nothing is removed before it is.
    pub confirming: Option<FileId>,
    /// Files whose removal has not been answered.
    pub removing: Vec<FileId>,
    /// Names the writing of the manifest that has forgotten them.
    pub manifest: Option<FileId>,
    /// It is the end of a rewrite.
    pub ends_rewrite: bool,
}

impl AofFiles {
    /// The path of a file of the directory.
    pub fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.directory)
    }

    /// Whether a rewrite is under way, as INFO shows it.
    pub fn is_rewriting(&self) -> bool {
        self.rewrite.is_some() || self.cleaning.as_ref().is_some_and(|cleaning| cleaning.ends_rewrite)
    }

    /// The base that is being written.
    pub fn base_mut(&mut self) -> Option<&mut SnapshotFile> {
        self.rewrite.as_mut()?.base.as_mut()
    }

    /// By how many percent a log of so many bytes has grown.
    pub fn growth_percent(&self, size: u64) -> i128 {
        i128::from(size) * 100 / i128::from(self.base_size.max(1)) - 100
    }
}

/// How long rewrites wait that begin by themselves, because others have failed: a minute, and twice as long each time, up to an hour.
#[derive(Debug, Default)]
pub struct RewriteLimit {
    delay_minutes: i64,
    /// Unix seconds before which none begins.
    until_unix_seconds: Option<i64>,
}

impl RewriteLimit {
    /// Whether a rewrite has to wait at this moment after so many failures; and for how many minutes, where that has just been decided.
    pub fn holds(&mut self, failures: u64, now_unix_seconds: i64) -> (bool, Option<i64>) {
        if failures < FAILURES_FREE {
            *self = Self::default();
            return (false, None);
        }
        if let Some(until) = self.until_unix_seconds {
            let holds = now_unix_seconds < until;
            if !holds {
                self.until_unix_seconds = None;
            }
            return (holds, None);
        }
        self.delay_minutes = (self.delay_minutes * 2).clamp(1, DELAY_MAX_MINUTES);
        self.until_unix_seconds = Some(now_unix_seconds + self.delay_minutes * 60);
        (true, Some(self.delay_minutes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rewrites_that_go_on_failing_wait_twice_as_long_each_time_up_to_an_hour() {
        let mut limit = RewriteLimit::default();
        assert_eq!(limit.holds(2, 0), (false, None));
        let mut now = 0;
        for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(limit.holds(3, now), (true, Some(minutes)));
            assert_eq!(limit.holds(3, now + minutes * 60 - 1), (true, None));
            now += minutes * 60;
            assert_eq!(limit.holds(3, now), (false, None), "one may try, and fail");
        }
        assert_eq!(limit.holds(0, now), (false, None));
        assert_eq!(limit.holds(4, now), (true, Some(1)), "after a success it begins anew");
    }

    #[test]
    fn growth_is_measured_from_the_last_rewrite() {
        let files = AofFiles { base_size: 200, ..Default::default() };
        assert_eq!((files.growth_percent(200), files.growth_percent(401), files.growth_percent(100)), (0, 100, -50));
        assert_eq!(AofFiles::default().growth_percent(u64::MAX), i128::from(u64::MAX) * 100 - 100);
    }
}
