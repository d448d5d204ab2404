//! The gate that writes pass: what holds them back or has them refused, each reason a bit.

/// Why writes do not go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateReason {
    /// CLIENT PAUSE: they wait.
    Pause,
    /// A failover under way: they wait, until the role has been handed over or not.
    Failover,
    /// A shutdown under way: they wait, and forever unless it fails.
    Shutdown,
    /// A MIGRATE under way: they wait, since what was serialised is what will be deleted.
    Migration,
    /// The last save has failed (`stop-writes-on-bgsave-error`): they are refused.
    SaveFailed,
    /// Too few replicas keep up (`min-replicas-to-write`): they are refused.
    FewReplicas,
}

const MISCONF: &[u8] = b"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the \
data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error \
option). Please check the Redis logs for details about the RDB error.";

impl GateReason {
    /// All of them. A refusal that comes first is the one that a client is told.
    pub const ALL: [Self; 6] = [Self::Pause, Self::Failover, Self::Shutdown, Self::Migration, Self::SaveFailed, Self::FewReplicas];

    /// Its name in INFO.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Failover => "failover",
            Self::Shutdown => "shutdown",
            Self::Migration => "migration",
            Self::SaveFailed => "save_failed",
            Self::FewReplicas => "few_replicas",
        }
    }

    /// The error for a write; without one it waits.
    pub const fn refusal(self) -> Option<&'static [u8]> {
        match self {
            Self::SaveFailed => Some(MISCONF),
            Self::FewReplicas => Some(b"NOREPLICAS Not enough good replicas to write."),
            Self::Pause | Self::Failover | Self::Shutdown | Self::Migration => None,
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// The reasons for which writes wait.
const HOLDING: u16 = GateReason::Pause.bit() | GateReason::Failover.bit() | GateReason::Shutdown.bit() | GateReason::Migration.bit();
/// Those that end the server, or its role: once its replicas have everything, nothing may be added.
const LEAVING: u16 = GateReason::Failover.bit() | GateReason::Shutdown.bit();

/// The reasons of one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteGate(u16);

impl WriteGate {
    /// These reasons and, where it `applies`, this one.
    #[inline(always)]
    #[must_use]
    pub fn with(self, reason: GateReason, applies: bool) -> Self {
        Self(self.0 | if applies { reason.bit() } else { 0 })
    }

    /// Whether writes go through.
    #[inline(always)]
    pub fn is_open(self) -> bool {
        self.0 == 0
    }

    /// Whether this is one of the reasons.
    #[inline(always)]
    pub fn has(self, reason: GateReason) -> bool {
        self.0 & reason.bit() != 0
    }

    /// Whether writes wait.
    #[inline]
    pub fn holds(self) -> bool {
        self.0 & HOLDING != 0
    }

    /// Whether the server is about to give its role away, or to end.
    #[inline]
    pub fn is_leaving(self) -> bool {
        self.0 & LEAVING != 0
    }

    /// The error that a write is refused with.
    pub fn refusal(self) -> Option<&'static [u8]> {
        self.reasons().find_map(GateReason::refusal)
    }

    /// What keeps writes from going through.
    pub fn reasons(self) -> impl Iterator<Item = GateReason> {
        GateReason::ALL.into_iter().filter(move |reason| self.has(*reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_waits_or_is_refused_by_the_first_refusal() {
        let open = WriteGate::default();
        assert!(open.is_open() && !open.holds() && open.refusal().is_none());
        let held = open.with(GateReason::Migration, true).with(GateReason::Shutdown, false);
        assert!(!held.is_open() && held.holds() && !held.is_leaving() && held.refusal().is_none());
        let refused = held.with(GateReason::FewReplicas, true).with(GateReason::Failover, true);
        assert!(refused.is_leaving() && refused.refusal().is_some_and(|text| text.starts_with(b"NOREPLICAS")));
        assert!(refused.with(GateReason::SaveFailed, true).refusal().is_some_and(|text| text.starts_with(b"MISCONF")));
        assert_eq!(refused.reasons().map(GateReason::name).collect::<Vec<_>>(), ["failover", "migration", "few_replicas"]);
    }
}
