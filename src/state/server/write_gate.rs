//! What keeps writes from going through at this moment.

use super::Server;
use crate::state::write_gate::{GateReason, WriteGate};
use std::borrow::Cow;

impl Server {
    /// The one answer to whether writes go through: asked in front of a batch of commands, and by whatever is a write of its own.
    #[inline]
    pub fn write_gate(&self) -> WriteGate {
        WriteGate::default()
            .with(GateReason::Pause, self.pause.is_some())
            .with(GateReason::Failover, self.replication.failover.is_some())
            .with(GateReason::Shutdown, self.shutdown.is_some())
            .with(GateReason::Migration, self.migrations.is_under_way())
            .with(GateReason::SaveFailed, self.has_failed_to_save())
            .with(GateReason::FewReplicas, self.replication.few_replicas)
            .and(self.aof.gate)
    }

    /// Whether what we have may be old, and is not to be served.
    #[inline]
    pub fn is_stale(&self) -> bool {
        !self.config.replica_serve_stale_data && self.replication.upstream.as_ref().is_some_and(|upstream| !upstream.is_online())
    }

    /// The error that a write is refused with.
    pub fn refusal(&self) -> Option<Cow<'static, [u8]>> {
        let gate = self.write_gate();
        match (gate.refusing()?, &self.aof.failure) {
            (GateReason::AofFailed, Some(failure)) => {
                Some([GateReason::AofFailed.refusal().unwrap_or_default(), failure.reason.as_bytes()].concat().into())
            }
            (reason, _) => reason.refusal().map(Cow::Borrowed),
        }
    }

    /// Commands that read wait too: CLIENT PAUSE ALL.
    pub fn holds_reads(&self) -> bool {
        self.pause.is_some_and(|pause| !pause.writes_only)
    }

    /// Whether the last save has failed, and that is a reason to refuse writes (`stop-writes-on-bgsave-error`).
    #[inline]
    fn has_failed_to_save(&self) -> bool {
        !self.persistence.last_ok && self.config.stop_writes_on_bgsave_error && !self.config.save.is_empty()
    }

    /// Keys past their deadline are hidden and not deleted while writes wait: their deletion would be one more. To be called when a reason to wait
    /// has come or gone within a turn; the end of the turn does it in any case.
    pub fn hold_expired(&mut self) {
        self.keyspace.holds_expired = self.write_gate().holds_expired();
    }
}
