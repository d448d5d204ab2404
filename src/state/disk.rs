//! Work for the disk, asked for and answered as messages: the driver does it beside the loop, in lanes.
//!
//! The jobs of one lane are done one after the other, in the order in which they were asked for, and answered in that order. Between lanes there is no order:
//! what one does never waits for another. A file belongs to the lane that its [`FileId`] names, so all that is asked of a file has an order.
//!
//! What must be on the disk before somebody is answered ends with a job that says so in its answer ([`DiskJob::Sync`], [`DiskJob::Commit`],
//! [`DiskJob::Replace`], [`DiskJob::WriteLog`]): by then all that its file was given before is on the disk.

use bytes::Bytes;

/// Which of the disk's workers does a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Snapshots and what is read back from them: many bytes, which may take their time.
    Bulk,
    /// Jobs that a client waits for: few bytes, and syncs.
    Prompt,
    /// The append-only file, and all that has an order with it: its manifest and the creation of its parts. Whoever waits for a sync of it waits for
    /// nothing else.
    Log,
}

impl Lane {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Bulk, Self::Prompt, Self::Log];
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
/// After an error a file takes no more: its later jobs are answered with the same error, until [`DiskJob::Abort`]. A log's ([`DiskJob::WriteLog`]) does.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Opens a file to append to, and creates it if it is not there. What is in it, and all names in its directory, are on the disk before this is answered.
    OpenLog {
        /// The name that later jobs use.
        file: FileId,
        /// Its path, relative to the working directory of this moment.
        path: String,
        /// If it is longer it is cut off to so many bytes: the end of its last whole command.
        size: Option<u64>,
    },
    /// Writes at the end of a file opened with [`DiskJob::OpenLog`]: all of it or, if it can be helped, nothing. Unlike other files this one takes more
    /// after an error. Always answered with [`Done::Logged`] while the file is open.
    WriteLog {
        /// The file.
        file: FileId,
        /// Bytes that the file is to have in front of these. If it has not (a job before this one failed), nothing is written.
        at: u64,
        /// The bytes.
        pieces: Vec<Bytes>,
        /// Has these, and all that was written before, on the disk before this is answered. Once that has failed for a file, it fails for good.
        sync: bool,
        /// Microseconds to sleep before anything is written (`DEBUG AOF-FLUSH-SLEEP`).
        sleep_us: u64,
    },
    /// Cuts a file opened with [`DiskJob::OpenLog`] off to so many bytes.
    CutLog {
        /// The file.
        file: FileId,
        /// Bytes that it keeps.
        size: u64,
    },
    /// Creates a directory, and has its entry on the disk. One that is there is no error.
    MakeDir {
        /// Names the answer.
        file: FileId,
        /// Its path, relative to the working directory of this moment.
        path: String,
    },
    /// Renames a file, over another if there is one, and has both directories on the disk before this is answered.
    Rename {
        /// Names the answer.
        file: FileId,
        /// Its path, relative to the working directory of this moment.
        from: String,
        /// Its new path, relative to the same.
        to: String,
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
            | Self::Remove { file, .. }
            | Self::OpenLog { file, .. }
            | Self::WriteLog { file, .. }
            | Self::CutLog { file, .. }
            | Self::MakeDir { file, .. }
            | Self::Rename { file, .. } => file,
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
    /// What came of a [`DiskJob::WriteLog`].
    Logged(Logged),
    /// The log is cut off.
    Cut,
    /// The directory is there.
    MadeDir,
    /// The file has its new name.
    Renamed,
}

/// What came of a [`DiskJob::WriteLog`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Logged {
    /// How many of its bytes are in the file: all of them, or as a rule none. Where what was written by half could not be cut off again, so many.
    pub written: u64,
    /// They, and all in front of them, are on the disk.
    pub synced: bool,
    /// Microseconds that writing took.
    pub write_us: u64,
    /// Microseconds that the sync took.
    pub sync_us: u64,
    /// What went wrong.
    pub error: Option<LogError>,
}

/// Why bytes of a log are not in its file, or may not be on the disk; with the reason, as the operating system words it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogError {
    /// They could not be written. They may be later.
    Write(String),
    /// They were written, and the sync failed: of nothing that was written since the last one can it be said that it is there, nor later.
    Sync(String),
}

/// The answer to a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskDone {
    /// The file that the job was about.
    pub file: FileId,
    /// What came of it; the error is a reason, as the operating system words it.
    pub result: Result<Done, String>,
}
