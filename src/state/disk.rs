//! Work for the disk, asked for and answered as messages: the driver does it beside the loop, in lanes.
//!
//! The jobs of one lane are done one after the other, in the order in which they were asked for, and answered in that order. Between lanes there is no order:
//! what one does never waits for the other. A file belongs to the lane that its [`FileId`] names, so all that is asked of a file has an order.
//!
//! What must be on the disk before somebody is answered ends with a job that says so in its answer ([`DiskJob::Sync`], [`DiskJob::Commit`],
//! [`DiskJob::Replace`]): by then all that its file was given before is on the disk.

use bytes::Bytes;

/// Which of the disk's workers does a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Snapshots and what is read back from them: many bytes, which may take their time.
    Bulk,
    /// Jobs that a client waits for: few bytes, and syncs.
    Prompt,
}

impl Lane {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Bulk, Self::Prompt];
}

/// Names a file from its creation or opening to its end. Never used again in a process's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId {
    /// Where the jobs about it are done.
    pub lane: Lane,
    /// Which one.
    pub number: u64,
}

/// One piece of work. Each is answered with a [`DiskDone`].
///
/// After an error a file takes no more: its later jobs are answered with the same error, until [`DiskJob::Abort`].
#[derive(Debug, PartialEq, Eq)]
pub enum DiskJob {
    /// Creates an empty file, and replaces one of the same name.
    Create {
        /// The name that later jobs use.
        file: FileId,
        /// Its path, relative to the working directory of this moment.
        path: String,
        /// Bytes after which what was written is flushed to the disk, so that the last sync does not wait for all of it; 0: only at the end.
        sync_every: u64,
    },
    /// Writes at the end.
    Append {
        /// The file.
        file: FileId,
        /// The bytes.
        pieces: Vec<Bytes>,
    },
    /// Has what was written so far on the disk before this is answered.
    Sync {
        /// The file.
        file: FileId,
    },
    /// Renames the finished file over another, which stays as it is if that fails, and closes it.
    Commit {
        /// The file.
        file: FileId,
        /// Its new name, in the same directory.
        to: String,
        /// Whether it, and its directory, are on the disk before this is answered.
        fsync: bool,
    },
    /// Closes a file. One that was created and not committed is removed.
    Abort {
        /// The file.
        file: FileId,
    },
    /// Opens a file to read it.
    Open {
        /// The name that later jobs use.
        file: FileId,
        /// Its path, relative to the working directory of this moment.
        path: String,
    },
    /// Reads on.
    Read {
        /// The file.
        file: FileId,
        /// At most so many bytes.
        bytes: usize,
    },
    /// Puts a small file of these bytes in the place of another (or of the one that it is a link to), with the permissions that that has. It and its
    /// directory are on the disk before this is answered; if it fails the old file stays as it is.
    Replace {
        /// Names the answer.
        file: FileId,
        /// Its path, relative to the working directory of this moment.
        path: String,
        /// The bytes.
        bytes: Bytes,
    },
    /// Removes a file that nobody has open. One that is not there is no error.
    Remove {
        /// Names the answer.
        file: FileId,
        /// Its path, relative to the working directory of this moment.
        path: String,
    },
}

impl DiskJob {
    /// The file that it is about.
    pub fn file(&self) -> FileId {
        match *self {
            Self::Create { file, .. }
            | Self::Append { file, .. }
            | Self::Sync { file }
            | Self::Commit { file, .. }
            | Self::Abort { file }
            | Self::Open { file, .. }
            | Self::Read { file, .. }
            | Self::Replace { file, .. }
            | Self::Remove { file, .. } => file,
        }
    }
}

/// What came of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// The file is created.
    Created,
    /// So many bytes went to the file. Some of them may follow with a later job, and the last when it is committed.
    Appended(u64),
    /// What was written is on the disk.
    Synced,
    /// The file is renamed.
    Committed,
    /// The file is closed.
    Aborted,
    /// The file is open and so many bytes long; `None`: there is no such file.
    Opened(Option<u64>),
    /// What was read; nothing at the file's end.
    Read(Bytes),
    /// The new file has replaced the old one.
    Replaced,
    /// The file is removed.
    Removed,
}

/// The answer to a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskDone {
    /// The file that the job was about.
    pub file: FileId,
    /// What came of it; the error is a reason, as the operating system words it.
    pub result: Result<Done, String>,
}
