//! Shutdown: replicas get time to catch up, the data is saved, the process ends. Until it does, a shutdown can fail, or be called off.

use super::conn_id::ConnId;

/// What a shutdown is to do beside ending the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shutdown {
    /// Save even without save points.
    pub save: bool,
    /// Do not save.
    pub nosave: bool,
    /// Do not wait for replicas.
    pub now: bool,
    /// Exit even when saving fails.
    pub force: bool,
}

/// The outcome of asking for a shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutting {
    /// The process ends with this turn.
    Down,
    /// It waits for replicas. Who asked is answered only if it fails.
    Waits,
    /// Saving failed: the process goes on.
    Failed,
}

/// A shutdown under way: writes are held back.
pub struct ShutdownState {
    pub(super) how: Shutdown,
    /// Offset in the log of writes that replicas are to have.
    pub(super) offset: u64,
    /// Monotonic milliseconds at which the wait for them is over; `None`: it is, and the process ends with this turn.
    pub(super) until_ms: Option<u64>,
    /// Clients that have said SHUTDOWN.
    pub(super) asked_by: Vec<ConnId>,
}

impl ShutdownState {
    /// Milliseconds that it may still take, at this moment of monotonic time.
    pub fn left_ms(&self, now_ms: u64) -> u64 {
        self.until_ms.map_or(0, |until| until.saturating_sub(now_ms))
    }
}

/// The reply to SHUTDOWN when it fails.
pub const SHUTDOWN_FAILED: &str = "ERR Errors trying to SHUTDOWN. Check logs.";
