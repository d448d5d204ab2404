//! Faults that the tests here plant, to see that the checkers find them.

/// What is wrong on purpose. All of them look like faults of the server, and are made by a disk that does not do what it says.
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
}

impl Planted {
    pub const ALL: [Self; 5] = [Self::RepliesNotHeld, Self::ManifestFirst, Self::BaseUnsynced, Self::CutUnsynced, Self::TornStays];
}
