//! A file that is read beside the loop and loaded in slices: the reads ahead of what is loaded, and what of them has not been loaded yet.

use crate::state::disk::{DiskJob, FileId};
use bytes::Bytes;
use std::collections::VecDeque;

/// How long a slice of a load may take, in nanoseconds. No data is served during a load; the error that says so may have to wait this long.
pub(super) const SLICE_NANOS: u64 = 100_000;
/// Keys of a snapshot loaded between two looks at the clock.
pub(super) const STEP_KEYS: usize = 64;
/// Bytes read at a time.
const READ_BYTES: usize = 1 << 20;
/// Reads asked for ahead.
const READS: usize = 3;
/// Bytes decoded before more are looked at.
const PIECE_BYTES: usize = 64 * 1024;

/// What has been read of a file and is not loaded.
pub(super) struct FileInput {
    /// The file.
    pub file: FileId,
    chunks: VecDeque<Bytes>,
    /// Reads that have not been answered.
    reading: usize,
    /// All of it has been read.
    at_end: bool,
    /// The piece taken last is not loaded yet.
    busy: bool,
}

impl FileInput {
    /// Nothing yet.
    pub(super) fn new(file: FileId) -> Self {
        Self { file, chunks: VecDeque::new(), reading: 0, at_end: false, busy: false }
    }

    /// Whether there is something to load now.
    pub(super) fn is_waiting(&self) -> bool {
        self.busy || !self.chunks.is_empty()
    }

    /// Whether all of the file has been loaded.
    pub(super) fn is_over(&self) -> bool {
        self.at_end && !self.is_waiting()
    }

    /// Whether a read is under way.
    pub(super) fn is_reading(&self) -> bool {
        self.reading > 0
    }

    /// Whether the piece taken last is not loaded yet.
    pub(super) fn is_busy(&self) -> bool {
        self.busy
    }

    /// Takes the next piece that has been read, to be loaded before another is taken.
    pub(super) fn take_piece(&mut self) -> Option<Bytes> {
        let chunk = self.chunks.front_mut()?;
        let piece = chunk.split_to(chunk.len().min(PIECE_BYTES));
        if chunk.is_empty() {
            self.chunks.pop_front();
        }
        self.busy = true;
        Some(piece)
    }

    /// Says that the piece taken last is loaded.
    pub(super) fn piece_loaded(&mut self) {
        self.busy = false;
    }

    /// The next read to ask for, if there are not enough under way.
    pub(super) fn next_read(&mut self) -> Option<DiskJob> {
        let wants = !self.at_end && self.reading + self.chunks.len() < READS;
        wants.then(|| {
            self.reading += 1;
            DiskJob::Read { file: self.file, bytes: READ_BYTES }
        })
    }

    /// Takes the answer to a read: nothing at the file's end.
    pub(super) fn take_read(&mut self, bytes: Bytes) {
        self.reading -= 1;
        if bytes.is_empty() {
            self.at_end = true;
        } else {
            self.chunks.push_back(bytes);
        }
    }
}
