//! The append-only file as the server knows it: how much of the log of writes is on the disk, and what that keeps clients from.

use super::{aof_writer::AofWriter, conn_id::ConnId, group_commit::GroupCommit, unsafe_keys::UnsafeKeys, write_gate::WriteGate};
use crate::config::AppendFsync;
use std::collections::{BTreeSet, VecDeque};

/// Whether there is an append-only file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AofPhase {
    /// No.
    #[default]
    Off,
    /// It has been turned on and has no base yet: it is written, but it holds only a part of the data, so nobody waits for it.
    Waiting,
    /// Yes.
    On,
}

/// Why the log is not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AofFailure {
    /// The reason, as the operating system words it.
    pub reason: String,
    /// A sync has failed: what was written before may be lost in part, and only a new base makes the files whole.
    pub is_final: bool,
    /// Where it is final: offset in the log of writes up to which all is on the disk for sure.
    pub synced: u64,
}

/// What the server knows of its append-only file.
#[derive(Default)]
pub struct Aof {
    /// Whether there is one.
    pub phase: AofPhase,
    /// What writes it, between `aof_start` and `aof_stop`.
    pub writer: Option<Box<AofWriter>>,
    /// Those that have been stopped and whose last bytes are on their way.
    pub stopping: VecDeque<Box<AofWriter>>,
    /// When what is written is synced (`appendfsync`).
    pub policy: AppendFsync,
    /// Why it is not written.
    pub failure: Option<AofFailure>,
    /// Only a new base makes the files whole again: a rewrite is to begin.
    pub needs_base: bool,
    /// A rewrite is writing its base.
    pub rewriting: bool,
    /// Why writes do not go through because of the log: kept here because every batch of commands asks.
    pub gate: WriteGate,
    /// Bytes of the present increment.
    pub increment_size: u64,
    /// Since when (monotonic ms) writes wait for a sync.
    pub late_since_ms: Option<u64>,
    /// How often writes had to wait because a sync took too long (INFO's `aof_delayed_fsync`).
    pub delayed_syncs: u64,
    /// Microseconds that the disk sleeps in front of each write (DEBUG AOF-FLUSH-SLEEP).
    pub flush_sleep_us: u64,
    /// Clients whose replies wait for a sync, with the mark that it has to reach; in order of the marks.
    pub held: VecDeque<(u64, ConnId)>,
    /// Whom the next sync waits for.
    pub group: GroupCommit,
    /// How far the log is on the disk: see [`AofWriter::mark`].
    pub synced_mark: u64,
    /// The last mark of a writer before this one.
    pub last_mark: u64,
    /// While the disk fails under `always`: what reads must not show.
    pub unsafe_keys: Option<UnsafeKeys>,
    /// Clients that have read such keys in this turn.
    pub unsafe_readers: BTreeSet<ConnId>,
    /// Whoever is sent something in this turn may be told of such keys.
    pub unsafe_turn: bool,
    /// Our primary has last been told of an offset on our disk that was not the log's end: it is told again with the next sync.
    pub owes_ack: bool,
    /// Second of the last `#TS:` line.
    pub timestamp: i64,
    /// Monotonic milliseconds at which the operator was last told of an error.
    pub error_logged_ms: Option<u64>,
}

impl Aof {
    /// Whether replies wait until what they tell of is on the disk.
    #[inline]
    pub fn commits_first(&self) -> bool {
        self.phase == AofPhase::On && self.policy == AppendFsync::Always && !self.needs_base
    }

    /// Whether the last attempt to write succeeded.
    pub fn is_written(&self) -> bool {
        self.failure.is_none()
    }
}
