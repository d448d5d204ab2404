//! Replication, without a socket or a clock: the one log of writes, and what each side of a link knows.
//!
//! It lies beneath [`state`](crate::state), which holds a [`Replication`]; the engine drives it.
//!
//! ```
//! use solod::{replication::WriteLog, resp::request::OwnedArgs};
//!
//! let mut log = WriteLog::default();
//! let reader = log.add_reader(0);
//! log.append(0, OwnedArgs::new(&[b"SET", b"k", b"v"]).args());
//! let bytes = log.read_from(0).unwrap().concat();
//! assert!(bytes.ends_with(b"$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n"));
//! assert_eq!(log.end(), bytes.len() as u64);
//! log.remove_reader(reader);
//! assert!(!log.is_open(), "while nobody reads it nothing is appended");
//! ```

pub mod failover;
mod id;
pub mod primary;
pub mod replica;
pub mod write_log;

use crate::data::rng::Rng;
use failover::Failover;
pub use id::ReplId;
use replica::Upstream;
pub use write_log::WriteLog;

/// What a server knows of replication, whatever its role.
pub struct Replication {
    /// Names the history of writes that this server adds to, or follows.
    pub id: ReplId,
    /// The history it followed before, and the offset up to which the two are the same.
    pub id2: Option<(ReplId, u64)>,
    /// The log of writes.
    pub log: WriteLog,
    /// Monotonic milliseconds at which the last replica left us (or we started).
    pub alone_since_ms: u64,
    /// Replicas whose last acknowledgement is recent enough (`min-replicas-max-lag`).
    pub good_replicas: usize,
    /// There are fewer of them than `min-replicas-to-write`: writes are refused.
    pub few_replicas: bool,
    /// Our primary has asked for an acknowledgement (REPLCONF GETACK).
    pub ack_wanted: bool,
    /// Our primary, when we are a replica.
    pub upstream: Option<Upstream>,
    /// A failover to one of our replicas that is on its way.
    pub failover: Option<Failover>,
}

impl Replication {
    /// A history of its own.
    pub fn new(rng: &mut Rng) -> Self {
        Self {
            id: rng.hex(),
            id2: None,
            log: WriteLog::default(),
            alone_since_ms: 0,
            good_replicas: 0,
            few_replicas: false,
            ack_wanted: false,
            upstream: None,
            failover: None,
        }
    }

    /// Whether we follow a primary.
    pub fn is_replica(&self) -> bool {
        self.upstream.is_some()
    }

    /// Begins a history that has nothing in common with what was before.
    pub fn change_id(&mut self, id: ReplId) {
        self.id = id;
        self.id2 = None;
    }

    /// Begins a history of our own that goes on from the one followed so far: that one's readers can go on with us.
    pub fn branch_off(&mut self, id: ReplId) {
        self.id2 = Some((self.id, self.log.end()));
        self.id = id;
        self.log.forget_db();
    }
}
