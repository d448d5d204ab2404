//! Replication, without a socket or a clock: the one log of writes, and what each side of a link knows.
//!
//! It lies beneath [`state`](crate::state), which holds a [`Replication`]; the engine drives it.

use crate::data::rng::Rng;

/// 40 hexadecimal digits that name a history of writes.
pub type ReplId = [u8; 40];

/// What a server knows of replication, whatever its role.
pub struct Replication {
    /// Names the history of writes that this server adds to, or follows.
    pub id: ReplId,
    /// The history it followed before, and the offset up to which the two are the same.
    pub id2: Option<(ReplId, u64)>,
}

impl Replication {
    /// A history of its own.
    pub fn new(rng: &mut Rng) -> Self {
        Self { id: rng.hex(), id2: None }
    }
}
