//! What a replica knows of its primary, and how far it is with it.

mod handshake;

pub use handshake::{Handshake, Heard, Offer, Refusal, SnapshotEnd};

use super::id::ReplId;

/// How far the link is.
#[derive(Debug)]
pub enum UpstreamPhase {
    /// There is none. The next attempt is at [`Upstream::retry_at_ms`].
    Waiting,
    /// A connection is being made.
    Connecting,
    /// Getting in step.
    Handshake(Handshake),
    /// The whole snapshot has come, and is being loaded. Nothing is read meanwhile; the connection may be gone by the end of it.
    Loading,
    /// What comes is the primary's stream of writes.
    Online,
}

/// A snapshot on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transfer {
    /// Its bytes, if the primary has announced them.
    pub total: Option<u64>,
    /// Bytes that have come.
    pub read: u64,
}

/// Our primary, and the link to it.
#[derive(Debug)]
pub struct Upstream {
    /// Its address or name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How far the link is.
    pub phase: UpstreamPhase,
    /// Names the attempt towards the driver: one that was given up may still be answered.
    pub attempt: u64,
    /// The connection, once it is made: its index.
    pub conn: Option<u32>,
    /// Monotonic milliseconds at which something came from the primary, or the attempt began.
    pub heard_ms: u64,
    /// Monotonic milliseconds at which the link came online.
    pub online_ms: u64,
    /// Monotonic milliseconds of the next attempt, while there is no link.
    pub retry_at_ms: u64,
    /// Unix seconds at which the link was lost, until it is back.
    pub down_since: Option<i64>,
    /// Our data is that of the history we know at the log's end, so that the primary may go on from there.
    pub resumable: bool,
    /// The primary knows offsets (PSYNC), so we acknowledge.
    pub acknowledges: bool,
    /// The database that the stream has selected.
    pub db: usize,
    /// The history and offset of the snapshot that was promised; no history with a primary too old to have one.
    pub promised: Option<(Option<ReplId>, u64)>,
    /// The snapshot on its way.
    pub transfer: Transfer,
    /// Bytes of the stream that have come and are not applied: an unfinished request, or a transaction before its EXEC.
    pub unapplied: usize,
    /// What comes first asks the other side to become a primary.
    pub failover: bool,
}

impl Upstream {
    /// A primary that has not been heard of. The first attempt is due at once.
    pub fn new(host: String, port: u16, resumable: bool, now_ms: u64) -> Self {
        Self {
            host,
            port,
            phase: UpstreamPhase::Waiting,
            attempt: 0,
            conn: None,
            heard_ms: now_ms,
            online_ms: 0,
            retry_at_ms: now_ms,
            down_since: None,
            resumable,
            acknowledges: false,
            db: 0,
            promised: None,
            transfer: Transfer::default(),
            unapplied: 0,
            failover: false,
        }
    }

    /// Whether the stream of writes comes.
    #[inline]
    pub fn is_online(&self) -> bool {
        matches!(self.phase, UpstreamPhase::Online)
    }

    /// Whether a snapshot is coming, or promised, or being loaded.
    pub fn is_in_transfer(&self) -> bool {
        match &self.phase {
            UpstreamPhase::Handshake(handshake) => handshake.is_transfer(),
            UpstreamPhase::Loading => true,
            _ => false,
        }
    }

    /// The link's state, as ROLE names it.
    pub fn state(&self) -> &'static str {
        match &self.phase {
            UpstreamPhase::Waiting => "connect",
            UpstreamPhase::Connecting => "connecting",
            UpstreamPhase::Handshake(h) if h.is_transfer() => "sync",
            UpstreamPhase::Handshake(_) => "handshake",
            UpstreamPhase::Loading => "sync",
            UpstreamPhase::Online => "connected",
        }
    }

    /// Whether the next attempt is due.
    #[inline]
    pub fn is_due(&self, now_ms: u64) -> bool {
        matches!(self.phase, UpstreamPhase::Waiting) && now_ms >= self.retry_at_ms
    }

    /// Forgets the link, and everything that came by it and is not applied.
    pub fn unlink(&mut self, retry_at_ms: u64) {
        self.phase = UpstreamPhase::Waiting;
        self.conn = None;
        self.retry_at_ms = retry_at_ms;
        self.promised = None;
        self.transfer = Transfer::default();
        self.unapplied = 0;
    }
}
