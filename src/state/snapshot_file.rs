//! A snapshot on its way into a file: what BGSAVE and a rewrite of the append-only file have in common.

use super::disk::{DiskJob, Done, FileId};
use crate::{
    keyspace::{Keyspace, WalkId},
    persist::snapshot::{SnapshotSink, SnapshotWalk},
};
use bytes::Bytes;
use std::{cell::RefCell, rc::Rc};

/// Bytes summed between two looks at the clock.
const POLL_BYTES: usize = 16 * 1024;
/// Bytes handed to the disk at a time.
const APPEND_BYTES: usize = 128 * 1024;
/// Bytes on their way to the disk at which the walk waits.
const IN_FLIGHT_MAX: usize = 8 << 20;

/// The sink of a walk whose bytes go to a file.
pub type FileSink = Rc<RefCell<dyn SnapshotSink>>;

/// A snapshot of which not all is in its file.
pub struct SnapshotFile {
    /// The file that is written.
    pub file: FileId,
    /// Its path until it is complete.
    pub temporary: String,
    /// Its final name, in the same directory.
    pub to: String,
    /// How far it is.
    pub walk: SnapshotWalk,
    /// Where the encoded bytes are taken from.
    pub sink: FileSink,
    /// Unix seconds at which it began.
    pub started_unix_seconds: i64,
    /// Keys there were then.
    pub keys_total: u64,
    /// Bytes that the disk has been asked to write and has not answered for.
    pub in_flight: usize,
    /// The file has been created.
    pub created: bool,
    /// All bytes have been written, and the commit has been asked for.
    pub committing: bool,
    /// Monotonic nanoseconds at the end of the last step, and the keys of it: what `rdb-key-save-delay` counts from.
    pub stepped: (u64, u64),
}

impl SnapshotFile {
    /// A snapshot whose walk has just begun. The file is to be created before the first step.
    pub fn new(file: FileId, temporary: String, to: String, walk: WalkId, sink: FileSink) -> Self {
        Self {
            file,
            temporary,
            to,
            walk: SnapshotWalk::new(Some(walk)),
            sink,
            started_unix_seconds: 0,
            keys_total: 0,
            in_flight: 0,
            created: false,
            committing: false,
            stepped: (0, 0),
        }
    }

    /// Whether there is something to be done before the disk answers.
    pub fn wants_a_step(&self) -> bool {
        !self.committing && self.in_flight < IN_FLIGHT_MAX
    }

    /// Takes one step of the walk. Returns the number of keys, and what the disk is to do. With `delayed` the last keys are a step before the end.
    pub fn step(&mut self, keyspace: &mut Keyspace, delayed: bool) -> (u64, Vec<DiskJob>) {
        let (keys, done) = self.walk.step(&self.sink, keyspace, POLL_BYTES, delayed);
        let mut jobs = Vec::new();
        if done || self.sink.borrow().ready_bytes() >= APPEND_BYTES {
            jobs.push(self.append());
            self.committing = done;
        }
        if done {
            jobs.push(self.commit());
        }
        (keys, jobs)
    }

    /// Takes all that there is in one go: for what is small. What the disk is to do.
    pub fn finish(&mut self, keyspace: &mut Keyspace) -> [DiskJob; 2] {
        self.walk.run(&self.sink, keyspace);
        self.committing = true;
        [self.append(), self.commit()]
    }

    fn append(&mut self) -> DiskJob {
        self.in_flight += self.sink.borrow().ready_bytes();
        DiskJob::Append { file: self.file, pieces: take_pieces(&self.sink) }
    }

    fn commit(&self) -> DiskJob {
        DiskJob::Commit { file: self.file, to: self.to.clone(), fsync: true }
    }

    /// Takes note of an answer of the disk that is neither an error nor the last one.
    pub fn advanced(&mut self, done: &Done) {
        match done {
            Done::Created => self.created = true,
            Done::Appended(bytes) => self.in_flight -= (*bytes as usize).min(self.in_flight),
            _ => (),
        }
    }

    /// Whether the error that has just been answered is about the file's creation, its bytes, or its name.
    pub fn failed_at(&self) -> FailedAt {
        // Each write is answered before the next job of its lane begins.
        match (self.created, self.in_flight) {
            (false, _) => FailedAt::Creating,
            (_, 0) => FailedAt::Moving,
            _ => FailedAt::Writing,
        }
    }
}

/// What could not be done to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailedAt {
    /// It could not be made.
    Creating,
    /// It could not be written.
    Writing,
    /// It could not take its place.
    Moving,
}

/// All encoded bytes that are ready to be written.
pub fn take_pieces(sink: &RefCell<dyn SnapshotSink>) -> Vec<Bytes> {
    let mut sink = sink.borrow_mut();
    std::iter::from_fn(|| sink.pop()).collect()
}
