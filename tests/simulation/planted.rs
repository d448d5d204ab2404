//! Faults that the tests here plant, to see that the checkers find them.

use super::world::Uses;

/// What is wrong on purpose. All of them look like faults of the server, and are made by a disk that does not do what it says, or on the way to a
/// client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// Replies are not held: the log's syncs are answered, and nothing of it is on the disk before the next.
    RepliesNotHeld,
    /// The manifest names an increment whose own name is not on the disk.
    ManifestFirst,
    /// A base gets its name before its bytes are on the disk.
    BaseUnsynced,
    /// An increment ends unsynced when a rewrite begins another.
    CutUnsynced,
    /// A command that was torn by a crash is not cut off before others follow.
    TornStays,
    /// What a script has done is logged without MULTI and EXEC around it.
    ScriptInPieces,
    /// Who keeps copies is not told that a key has expired.
    ExpiryUntold,
    /// Nor that all may be stale.
    FlushUntold,
    /// What is told overtakes the answer in front of it.
    ToldTooSoon,
}

impl Planted {
    pub const ALL: [Self; 9] = [
        Self::RepliesNotHeld,
        Self::ManifestFirst,
        Self::BaseUnsynced,
        Self::CutUnsynced,
        Self::TornStays,
        Self::ScriptInPieces,
        Self::ExpiryUntold,
        Self::FlushUntold,
        Self::ToldTooSoon,
    ];

    /// What the clients of a run must use for it to do harm.
    pub fn uses(self) -> Uses {
        match self {
            Self::ScriptInPieces => Uses::Scripts,
            Self::ExpiryUntold | Self::FlushUntold | Self::ToldTooSoon => Uses::Tracking,
            _ => Uses::Nothing,
        }
    }
}
