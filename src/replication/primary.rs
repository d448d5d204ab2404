//! What a primary knows of each of its replicas.

use super::{
    Replication,
    id::ReplId,
    write_log::{ReaderId, WriteLog},
};

/// What a replica says it understands (REPLCONF capa).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// A snapshot that ends with a mark instead of having its length in front.
    pub eof: bool,
    /// A history may go on under another name.
    pub psync2: bool,
}

/// How far a replica has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FollowerPhase {
    /// It has said REPLCONF, and may ask to be synchronised.
    #[default]
    Handshake,
    /// It gets a snapshot, or waits until there is one that can be sent.
    Snapshot {
        /// Its bytes are on their way already.
        sending: bool,
    },
    /// The whole snapshot is in its output. What comes next, comes when that is empty.
    Sent {
        /// As in [`FollowerPhase::Online`].
        waits_for_ack: bool,
    },
    /// It follows the log of writes.
    Online {
        /// It gets nothing before its first acknowledgement: bytes behind a snapshot's end mark would hide the mark from it.
        waits_for_ack: bool,
    },
}

impl FollowerPhase {
    /// What INFO calls it; `None` for one that it does not show.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Handshake => None,
            // Of a snapshot that is sent as it is made Redis knows only that it is not done yet.
            Self::Snapshot { .. } => Some("wait_bgsave"),
            Self::Sent { .. } => Some("send_bulk"),
            Self::Online { .. } => Some("online"),
        }
    }
}

/// A replica as its primary sees it.
#[derive(Clone, Debug, Default)]
pub struct ReplicaLink {
    /// How far it has come.
    pub phase: FollowerPhase,
    /// The port it says it listens on, 0 when it has not said so.
    pub listening_port: i64,
    /// The address it says it has, if not the one it comes from.
    pub address: Option<String>,
    /// What it understands.
    pub capabilities: Capabilities,
    /// It wants the snapshot and nothing behind it.
    pub rdb_only: bool,
    /// It wants a snapshot without data.
    pub without_data: bool,
    /// Nor does it want functions.
    pub without_functions: bool,
    /// It said SYNC: it will never acknowledge anything.
    pub is_old: bool,
    /// It reads the log of writes, or will.
    pub reader: Option<ReaderId>,
    /// The offset it has acknowledged; 0 also while it has not acknowledged anything.
    pub acked_offset: u64,
    /// It has acknowledged something. Until then it is unknown whether its snapshot has arrived, even if there is no log behind it yet.
    pub has_acked: bool,
    /// The offset up to which it says that its append-only file is on disk; 0 also if it has none.
    pub acked_aof_offset: u64,
    /// Monotonic milliseconds at which it last took bytes of its snapshot.
    pub progress_at_ms: u64,
}

impl ReplicaLink {
    /// Whether it follows the log of writes.
    pub fn is_online(&self) -> bool {
        matches!(self.phase, FollowerPhase::Online { .. })
    }

    /// Whether it is known to have the log up to this offset.
    pub fn has(&self, offset: u64) -> bool {
        self.is_online() && self.has_acked && self.acked_offset >= offset
    }

    /// Whether its append-only file is known to have the log up to this offset on its disk.
    pub fn has_on_disk(&self, offset: u64) -> bool {
        self.is_online() && self.has_acked && self.acked_aof_offset >= offset
    }

    /// Bytes of the log that it has not been handed.
    pub fn behind_in(&self, log: &WriteLog) -> u64 {
        self.reader.map_or(0, |reader| log.end().saturating_sub(log.next_of(reader)))
    }

    /// Whether it has been silent for too long, and in which part of its life. All times are monotonic milliseconds.
    pub fn timed_out(&self, heard_at_ms: u64, now_ms: u64, timeout_ms: u64) -> Option<&'static str> {
        match self.phase {
            FollowerPhase::Online { .. } if !self.is_old && now_ms.saturating_sub(heard_at_ms) > timeout_ms => Some("streaming sync"),
            FollowerPhase::Snapshot { sending: true } | FollowerPhase::Sent { .. }
                if now_ms.saturating_sub(self.progress_at_ms) > timeout_ms =>
            {
                Some("full sync")
            }
            _ => None,
        }
    }
}

/// Why a replica cannot go on from where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoResume {
    /// It did not ask to.
    NotAsked,
    /// It followed another history.
    OtherHistory,
    /// It followed ours under its former name, but beyond the point where they part.
    BeyondBranch {
        /// The first offset (1 is the first byte) that it could not be given.
        up_to: u64,
    },
    /// The bytes it lacks are not here any more, or it is ahead of us.
    NotHere,
}

impl Replication {
    /// Where a replica can go on that asks for the history `id` from its byte `first` on (1 is the first): the offset it has.
    pub fn resume_at(&self, id: &[u8], first: i64) -> Result<u64, NoResume> {
        let is = |other: &ReplId| id.eq_ignore_ascii_case(other);
        let has = first.checked_sub(1).and_then(|has| u64::try_from(has).ok());
        if !is(&self.id) {
            match &self.id2 {
                Some((id2, up_to)) if is(id2) => {
                    if has.is_some_and(|has| has > *up_to) {
                        return Err(NoResume::BeyondBranch { up_to: up_to + 1 });
                    }
                }
                _ if id.first() == Some(&b'?') => return Err(NoResume::NotAsked),
                _ => return Err(NoResume::OtherHistory),
            }
        }
        has.filter(|has| self.log.can_resume(*has)).ok_or(NoResume::NotHere)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::rng::Rng;

    fn following(first: u64, end: u64) -> Replication {
        let mut replication = Replication::new(&mut Rng::new(1));
        replication.log.restart_at(first);
        replication.log.open_backlog();
        replication.log.append_raw(&vec![b'x'; (end - first) as usize]);
        replication
    }

    #[test]
    fn a_replica_goes_on_where_its_bytes_are_still_here() {
        let r = following(100, 150);
        assert_eq!(r.resume_at(&r.id, 101), Ok(100));
        assert_eq!(r.resume_at(&r.id.to_ascii_uppercase(), 151), Ok(150), "it lacks nothing");
        for first in [100, 152, 0, -1, i64::MIN, i64::MAX] {
            assert_eq!(r.resume_at(&r.id, first), Err(NoResume::NotHere), "{first}");
        }
        assert_eq!(r.resume_at(b"?", -1), Err(NoResume::NotAsked));
        assert_eq!(r.resume_at(b"0123", 101), Err(NoResume::OtherHistory));
        assert_eq!(r.resume_at(b"", 101), Err(NoResume::OtherHistory));
    }

    #[test]
    fn a_former_history_is_ours_up_to_the_branch() {
        let mut r = following(100, 150);
        let former = r.id;
        r.branch_off([b'f'; 40]);
        r.log.append_raw(b"more");
        assert_eq!(r.resume_at(&former, 151), Ok(150));
        assert_eq!(r.resume_at(&former, 152), Err(NoResume::BeyondBranch { up_to: 151 }));
        assert_eq!(r.resume_at(&r.id, 152), Ok(151));
        r.change_id([b'e'; 40]);
        assert_eq!(r.resume_at(&former, 151), Err(NoResume::OtherHistory));
    }

    #[test]
    fn silence_is_measured_in_each_phase_by_what_is_expected_there() {
        let mut link = ReplicaLink { progress_at_ms: 5000, ..Default::default() };
        assert_eq!(link.timed_out(0, 100_000, 3000), None);
        link.phase = FollowerPhase::Snapshot { sending: false };
        assert_eq!(link.timed_out(0, 100_000, 3000), None);
        for phase in [FollowerPhase::Snapshot { sending: true }, FollowerPhase::Sent { waits_for_ack: true }] {
            link.phase = phase;
            assert_eq!(link.timed_out(0, 8000, 3000), None);
            assert_eq!(link.timed_out(0, 8001, 3000), Some("full sync"));
        }
        link.phase = FollowerPhase::Online { waits_for_ack: true };
        assert_eq!(link.timed_out(9000, 12_000, 3000), None);
        assert_eq!(link.timed_out(9000, 12_001, 3000), Some("streaming sync"));
        link.is_old = true;
        assert_eq!(link.timed_out(9000, 12_001, 3000), None);
    }
}
