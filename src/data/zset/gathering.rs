//! Members put together in any order, to become a sorted set when all are there: one sort, and full leaves.

use super::{PackLimits, Repr, Zset, member::Member, table::Table};
use crate::data::{dict::Dict, key_hash::Seed};

/// Members with their scores, in no order.
pub struct Gathering(Dict<Member>);

impl Gathering {
    /// None yet.
    pub fn new(seed: Seed) -> Self {
        Self(Dict::new(seed))
    }

    /// Whether a member is there.
    pub fn contains(&self, member: &[u8]) -> bool {
        self.0.find(self.0.hash(member), member).is_some()
    }

    /// Gives a member the score that `score` makes of the one it has, or adds it.
    pub fn put(&mut self, member: &[u8], score: impl FnOnce(Option<f64>) -> f64) {
        let hash = self.0.hash(member);
        match self.0.find_mut(hash, member) {
            Some(found) => found.set_score(score(Some(found.score()))),
            None => drop(self.0.insert_new(hash, Member::new(score(None), member))),
        }
    }

    /// Adds a member; `true` when it is new.
    pub fn insert_new(&mut self, member: &[u8], score: f64) -> bool {
        let mut is_new = true;
        self.put(member, |old| {
            is_new = old.is_none();
            old.unwrap_or(score)
        });
        is_new
    }

    /// The sorted set for one look at it: in the scalable form, which remembers the sign of a zero.
    pub fn sorted(self) -> Zset {
        Zset(Repr::Table(Box::new(Table::from_dict(self.0))))
    }

    /// The sorted set, in the compact form if all fits.
    pub fn finish(self, limits: PackLimits) -> Zset {
        let mut zset = self.sorted();
        zset.compact_if_small(limits);
        zset
    }
}
