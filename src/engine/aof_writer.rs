//! The append-only file in a turn: what was logged goes to the disk, and what the disk answers has its effect.

use super::Engine;
use crate::state::disk::{DiskDone, Done, Lane};

impl Engine {
    /// The end of a turn that began at this Unix time: what it has logged is handed to the disk, and who must not be told of it yet waits.
    #[inline]
    pub(super) fn end_logging(&mut self, began_unix_us: i64) {
        if self.server.aof.writer.is_some() || !self.server.aof.stopping.is_empty() {
            self.hand_log_over(began_unix_us / 1_000_000);
        }
    }

    #[cold]
    fn hand_log_over(&mut self, began_unix_seconds: i64) {
        let server = &mut self.server;
        let started = server.host.nanos();
        server.aof_note_turn(began_unix_seconds);
        server.aof_hand_over();
        server.settle_aof_gate();
        self.hold_replies();
        if self.server.aof_has_its_group() {
            // The last of those for whom the disk has not been asked yet have come in this turn.
            self.server.aof_hand_over();
        }
        self.server.stats.aof_nanos += self.server.host.nanos().saturating_sub(started);
    }

    /// Takes an answer of the disk if it is for the append-only file. Whether it was.
    pub(super) fn log_answered(&mut self, done: &DiskDone) -> bool {
        if done.file.lane != Lane::Log {
            return false;
        }
        let fails = match &done.result {
            Ok(Done::Logged(logged)) => logged.error.is_some(),
            result => result.is_err(),
        };
        let is_new = fails && self.server.aof.failure.is_none();
        if is_new {
            // All that has been answered in this turn may tell of what is not on the disk.
            self.hold_replies();
        }
        let is_ours = self.server.aof_answered(done.file, &done.result);
        if is_ours && is_new {
            self.learn_unsafe_keys();
        }
        is_ours
    }
}
