//! Our replicas as connections, the snapshots on their way to them, and clients that wait for their acknowledgements.

use super::conn_id::ConnId;
use crate::{
    persist::{
        rdb::ReplicationPosition,
        snapshot::{RdbSink, SnapshotWalk},
    },
    replication::Replication,
};
use bytes::Bytes;
use std::{cell::RefCell, rc::Rc};

/// The error of a WAITAOF for a file of ours that is not kept.
pub const NO_AOF_TO_WAIT_FOR: &str = "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.";

/// How a snapshot tells a replica where it ends.
pub enum SnapshotForm {
    /// By a mark of these bytes behind it, which is announced in front (`$EOF:`).
    Marked([u8; 40]),
    /// By its length in front: so it is buffered until it is complete, up to the hard output limit of replicas.
    Measured(Vec<Bytes>),
}

/// A snapshot on its way to a replica.
pub struct FullSync {
    /// The replica.
    pub conn: ConnId,
    /// How far it is.
    pub walk: SnapshotWalk,
    /// Where its bytes come from.
    pub sink: Rc<RefCell<RdbSink>>,
    /// How it is sent.
    pub form: SnapshotForm,
    /// Bytes buffered until it is complete.
    pub kept_bytes: usize,
    /// Monotonic nanoseconds of the last step, and the keys of it: what `rdb-key-save-delay` counts from.
    pub stepped: (u64, u64),
}

/// Our replicas, and the clients that wait for them.
#[derive(Default)]
pub struct Followers {
    /// Replicas, in order of arrival.
    pub conns: Vec<ConnId>,
    /// Snapshots on their way, in the order of their next turns.
    pub syncs: std::collections::VecDeque<FullSync>,
    /// Clients in WAIT.
    pub waiting: Vec<ConnId>,
    /// Clients whose WAIT is over, and whose held-back requests may go on.
    pub released: Vec<ConnId>,
    /// Replicas are to be asked for an acknowledgement.
    pub ask: bool,
    /// Monotonic milliseconds of the next second's work.
    pub cron_at_ms: u64,
    /// Monotonic milliseconds of the last PING to replicas.
    pub pinged_at_ms: u64,
}

/// Where the log of writes stands, for a snapshot that is to be continued from it; `None` while there is no log.
pub fn position(replication: &Replication) -> Option<ReplicationPosition<'_>> {
    let stream = &replication.log;
    stream.has_backlog().then(|| ReplicationPosition {
        // A SELECT will come in front of what follows if readers are in no database yet, so any will do then.
        stream_db: stream.db().unwrap_or(0) as i64,
        id: str::from_utf8(&replication.id).unwrap_or_default(),
        offset: stream.end() as i64,
    })
}
