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
    /// The append-only file cannot be written: they are refused.
    AofFailed,
    /// The append-only file is too far behind: they wait, until what was written before is on the disk.
    AofBehind,
    /// Too few replicas keep up (`min-replicas-to-write`): they are refused.
    FewReplicas,
}

const MISCONF: &[u8] = b"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the \
data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error \
option). Please check the Redis logs for details about the RDB error.";

const MISCONF_AOF: &[u8] = b"MISCONF Errors writing to the AOF file: ";

impl GateReason {
    /// All of them. A refusal that comes first is the one that a client is told.
    pub const ALL: [Self; 8] = [
        Self::Pause,
        Self::Failover,
        Self::Shutdown,
        Self::Migration,
        Self::SaveFailed,
        Self::AofFailed,
        Self::AofBehind,
        Self::FewReplicas,
    ];

    /// Its name in INFO.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Failover => "failover",
            Self::Shutdown => "shutdown",
            Self::Migration => "migration",
            Self::SaveFailed => "save_failed",
            Self::AofFailed => "aof_failed",
            Self::AofBehind => "aof_behind",
            Self::FewReplicas => "few_replicas",
        }
    }

    /// The error for a write; without one it waits. For [`GateReason::AofFailed`] the reason follows, see `Server::refusal`.
    pub const fn refusal(self) -> Option<&'static [u8]> {
        match self {
            Self::SaveFailed => Some(MISCONF),
            Self::AofFailed => Some(MISCONF_AOF),
            Self::FewReplicas => Some(b"NOREPLICAS Not enough good replicas to write."),
            Self::Pause | Self::Failover | Self::Shutdown | Self::Migration | Self::AofBehind => None,
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// The reasons for which writes wait.
const HOLDING: u16 = GateReason::Pause.bit()
    | GateReason::Failover.bit()
    | GateReason::Shutdown.bit()
    | GateReason::Migration.bit()
    | GateReason::AofBehind.bit();
/// Those for which every command is looked at.
const CHECKING: u16 = GateReason::Pause.bit() | GateReason::SaveFailed.bit() | GateReason::AofFailed.bit();
/// Those for which a disk is to blame.
const DISK: u16 = GateReason::SaveFailed.bit() | GateReason::AofFailed.bit();
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

    /// The reasons of both.
    #[inline(always)]
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether every command is to be looked at, not only writes.
    #[inline(always)]
    pub fn checks_all(self) -> bool {
        self.0 & CHECKING != 0
    }

    /// Whether a disk has failed.
    #[inline]
    pub fn is_disk_failing(self) -> bool {
        self.0 & DISK != 0
    }

    /// Whether keys past their deadlines stay: their deletion would be a write that has to wait, or cannot be written.
    #[inline]
    pub fn holds_expired(self) -> bool {
        self.0 & (HOLDING | GateReason::AofFailed.bit()) != 0
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

    /// The reason for which a write is refused.
    pub fn refusing(self) -> Option<GateReason> {
        self.reasons().find(|reason| reason.refusal().is_some())
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
        assert!(open.is_open() && !open.holds() && open.refusing().is_none());
        let held = open.with(GateReason::Migration, true).with(GateReason::Shutdown, false);
        assert!(!held.is_open() && held.holds() && !held.is_leaving() && held.refusing().is_none());
        let refused = held.with(GateReason::FewReplicas, true).with(GateReason::Failover, true);
        assert!(refused.is_leaving() && refused.refusing() == Some(GateReason::FewReplicas));
        assert_eq!(refused.with(GateReason::SaveFailed, true).refusing(), Some(GateReason::SaveFailed));
        assert_eq!(refused.reasons().map(GateReason::name).collect::<Vec<_>>(), ["failover", "migration", "few_replicas"]);
    }
}
