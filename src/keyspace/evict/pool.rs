//! The best keys to evict of those that were looked at.

/// A key that may be evicted. It is known by its hash; if it has been used meanwhile, its mark is another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    /// The least goes first.
    pub worth: i64,
    pub hash: u64,
    pub db: u32,
    /// The entry's mark of access when it was looked at.
    pub mark: u32,
}

/// Some candidates, those worth least last.
#[derive(Default)]
pub(super) struct Pool(Vec<Candidate>);

/// Candidates kept: more would mostly be out of date when their turn comes.
const CANDIDATES_MAX: usize = 32;

impl Pool {
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether a candidate of this worth has a place.
    #[inline]
    pub fn would_take(&self, worth: i64) -> bool {
        self.0.len() < CANDIDATES_MAX || self.0.first().is_some_and(|most| worth < most.worth)
    }

    /// Adds a candidate, unless it is there.
    pub fn add(&mut self, new: Candidate) {
        if self.0.iter().any(|old| old.hash == new.hash && old.db == new.db) {
            return;
        }
        let at = self.0.partition_point(|old| old.worth > new.worth);
        if self.0.len() < CANDIDATES_MAX {
            self.0.insert(at, new);
        } else if let Some(behind_most) = at.checked_sub(1) {
            self.0.copy_within(1..at, 0);
            self.0[behind_most] = new;
        }
    }

    /// The candidate worth least.
    pub fn take_first(&mut self) -> Option<Candidate> {
        self.0.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_least_of_all_come_out_in_order(worths in proptest::collection::vec(0..1000i64, 0..100)) {
            let mut pool = Pool::default();
            for (hash, &worth) in worths.iter().enumerate() {
                if pool.would_take(worth) {
                    pool.add(Candidate { worth, hash: hash as u64, db: 0, mark: 0 });
                    pool.add(Candidate { worth, hash: hash as u64, db: 0, mark: 0 });
                }
            }
            let mut least = worths.clone();
            least.sort_unstable();
            least.truncate(CANDIDATES_MAX);
            let out: Vec<i64> = std::iter::from_fn(|| pool.take_first()).map(|candidate| candidate.worth).collect();
            prop_assert_eq!(out, least);
        }
    }
}
