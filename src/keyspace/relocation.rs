//! Moving all that the databases hold to where it closes gaps in memory, a step at a time.

use super::Keyspace;
use crate::data::moving::{Mover, Place, Relocate};
use std::{collections::VecDeque, ops::Range};

/// Once through all databases.
#[derive(Default)]
pub struct RelocationPass {
    db: usize,
    /// Where in its table.
    place: Place,
    /// Large values that have been begun: their database, key, and where to go on.
    begun: VecDeque<(usize, Box<[u8]>, Place)>,
    /// Keys of which something was moved.
    pub key_hits: u64,
    /// Keys of which nothing was.
    pub key_misses: u64,
}

/// Once through all databases for what lies in a region of memory.
pub struct RegionPass {
    /// Addresses.
    region: Range<usize>,
    db: usize,
    /// Where in its table.
    hash: u64,
}

impl RegionPass {
    /// Out of these addresses.
    pub fn new(region: Range<usize>) -> Self {
        Self { region, db: 0, hash: 0 }
    }
}

impl Keyspace {
    /// Moves what lies in the region, of the next segment of a table; `false` when the pass is over. Of a large value that is only as much as `mover` has left.
    pub fn relocate_region(&mut self, pass: &mut RegionPass, mover: &mut Mover) -> bool {
        let Some(db) = self.dbs.get_mut(pass.db) else { return false };
        let next = db.dict.sweep_segment_to_move(pass.hash, |entry| {
            if pass.region.contains(&entry.addr()) {
                _ = entry.relocate(Place::default(), mover);
            }
        });
        (pass.db, pass.hash) = next.map_or((pass.db + 1, 0), |next| (pass.db, next));
        true
    }

    /// Goes on until `mover` is spent; `false` when the pass is over. Keys and values stay what they are, so nobody is told: not walks,
    /// not who watches a key.
    pub fn relocate(&mut self, pass: &mut RelocationPass, mover: &mut Mover) -> bool {
        while !mover.is_spent() {
            if let Some((db, key, place)) = pass.begun.pop_front() {
                let entry = self.dbs[db].dict.find_to_move(&key);
                if let Some(next) = entry.and_then(|entry| entry.relocate(place, mover)) {
                    pass.begun.push_front((db, key, next));
                }
                continue;
            }
            let RelocationPass { begun, key_hits, key_misses, .. } = pass;
            let Some(db) = self.dbs.get_mut(pass.db) else { return false };
            let next = db.dict.relocate(&pass.place, mover, &mut |entry, mover| {
                let hits = mover.hits;
                if let Some(place) = entry.relocate(Place::default(), mover) {
                    begun.push_back((pass.db, entry.key().into(), place));
                }
                *(if mover.hits > hits { &mut *key_hits } else { &mut *key_misses }) += 1;
            });
            match next {
                Some(place) => pass.place = place,
                None => (pass.db, pass.place) = (pass.db + 1, Place::default()),
            }
        }
        true
    }
}
