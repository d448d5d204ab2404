//! A reply that is too long for one turn: elements drawn at random from a collection, however many were asked for.
//!
//! Its header tells the number, so all of them have to come. The client has a part of them a turn while its output is short; its next requests wait.
//! Each part is drawn from what the key holds then. Where it holds nothing to draw from any more, the rest is drawn from some elements that were put
//! aside at the beginning.

use crate::{data::rng::Rng, keyspace::Keyspace, resp::output::Output};

/// Where elements are drawn from, and what is told of them.
pub struct Source {
    /// Index of the database.
    pub db: usize,
    /// The key.
    pub key: Box<[u8]>,
    /// With their scores or values.
    pub in_pairs: bool,
}

/// Draws up to `most` elements and writes them, until the output has so many `bytes`. Returns how many: none only if there are none.
pub type Draw = fn(keyspace: &mut Keyspace, rng: &mut Rng, source: &Source, most: u64, bytes: usize, out: &mut Output) -> u64;

/// The rest of a reply.
pub struct LongReply {
    /// Where its elements come from.
    pub source: Source,
    /// How they are drawn.
    pub draw: Draw,
    /// How many are still to come.
    pub left: u64,
    /// Some that were drawn at the beginning, as they are written.
    pub spare: Vec<Vec<u8>>,
    /// Bytes written so far, sent or not. Redis would hold all of them at once, so this is what counts against the client's hard output limit.
    pub written: u64,
    /// Messages that nobody asked for, which have come meanwhile: they are sent behind it.
    pub behind: Output,
}
