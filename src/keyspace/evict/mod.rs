//! Eviction: which key goes when memory is short.
//!
//! Keys that were used last, or are used seldom, are found by comparing some at a time: whole buckets of the table, chosen at random, whose seven
//! entries cost one miss of the memory and are prefetched two evictions ahead. The best of what was seen wait in a [pool](Pool). Where few keys have a
//! deadline, and only those may go, segments' bounds of deadlines lead to them. By deadline the choice is exact: see [`Nearest`].

mod nearest;
mod pool;
mod regions;
mod renewal;
mod turnover;

use super::{Keyspace, access::Access, changes::Cause, db::Db, lfu_value};
use crate::data::{dict::Handle, entry::Entry, key_hash::Seed, rng::Rng};
pub(super) use nearest::Nearest;
use pool::{Candidate, Pool};
use regions::Regions;
use renewal::Renewal;
use turnover::Turnover;

/// By what keys are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvictionOrder {
    /// Longest not used, or not modified: whichever the [marks](super::Marks) tell of.
    Time,
    /// Least often used.
    Frequency,
    /// By chance.
    Random,
    /// Nearest deadline.
    Deadline,
}

/// Which keys are evicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvictionRule {
    /// Only keys with a deadline.
    pub volatile_only: bool,
    /// By what they are chosen.
    pub order: EvictionOrder,
}

/// What came of looking for a key to evict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eviction {
    /// One went.
    Evicted,
    /// None was found within the bounds of one step; there are some.
    Searching,
    /// There is none that may go.
    Exhausted,
}

/// Where a bucket is that is looked at soon: its database, and a hash that belongs there.
type Spot = (usize, u64);

/// What eviction remembers.
pub(super) struct Evictor {
    rule: Option<EvictionRule>,
    /// Entries to compare for each eviction.
    wanted: usize,
    pool: Pool,
    /// Buckets that were asked for, the oldest first.
    ahead: [Spot; 2],
    /// Databases with the sum of the weights up to each, and for how many looks this is good.
    weights: Vec<(u64, usize)>,
    weights_left: u32,
    turnover: Turnover,
    regions: Regions,
    renewal: Renewal,
    rng: Rng,
}

impl Default for Evictor {
    fn default() -> Self {
        Self {
            rule: None,
            wanted: 0,
            pool: Pool::default(),
            ahead: [(0, 0); 2],
            weights: Vec::new(),
            weights_left: 0,
            turnover: Turnover::default(),
            regions: Regions::default(),
            renewal: Renewal::default(),
            rng: Rng::new(0),
        }
    }
}

/// Looks for which the weights of databases are good.
const WEIGHTS_LOOKS: u32 = 256;
/// Buckets looked at for one eviction.
const LOOKS_MAX: usize = 64;
/// Headers of segments looked at for one eviction.
const SEGMENTS_MAX: usize = 512;
/// Where fewer than one key in so many has a deadline, these are looked for by segments' bounds.
const SPARSE: usize = 8;

/// How many keys of a database may be evicted.
fn evictable(db: &Db, volatile_only: bool) -> usize {
    if volatile_only { db.volatile() } else { db.len() }
}

impl Keyspace {
    /// From here on keys are evicted by this rule (`None`: none is), comparing so many for each (`maxmemory-samples`).
    pub fn set_eviction(&mut self, rule: Option<EvictionRule>, samples: u32) {
        let evictor = &mut self.evictor;
        // Twice the samples cost what the samples would cost one by one, being neighbours.
        evictor.wanted = (samples as usize).saturating_mul(2);
        if rule != evictor.rule {
            evictor.rule = rule;
            evictor.pool.clear();
            evictor.regions = Regions::default();
            evictor.weights_left = 0;
            self.dbs.iter_mut().for_each(|db| db.nearest = None);
        }
    }

    /// Whether there is a key that may be evicted.
    pub fn has_evictable(&self) -> bool {
        self.evictor.rule.is_some_and(|rule| self.dbs.iter().any(|db| evictable(db, rule.volatile_only) > 0))
    }

    /// Evicts a key, if there is one; what else has to be done for it is bounded. `logged`: the log of writes is to be told.
    pub fn evict(&mut self, logged: bool) -> Eviction {
        let Some(rule) = self.evictor.rule else { return Eviction::Exhausted };
        let victim = self.next_in_region().or_else(|| match rule.order {
            EvictionOrder::Deadline => self.nearest_deadline(),
            EvictionOrder::Random => self.look_around(rule).or_else(|| self.evictor.pool.take_first()),
            EvictionOrder::Time | EvictionOrder::Frequency => {
                self.look_around(rule);
                self.evictor.pool.take_first()
            }
        });
        let Some(victim) = victim else {
            return if self.has_evictable() { Eviction::Searching } else { Eviction::Exhausted };
        };
        let (db, hash) = (victim.db as usize, victim.hash);
        let Some(handle) = self.still_there(&victim, rule) else { return Eviction::Searching };
        self.before_change(db, hash, handle);
        let entry = self.dbs[db].remove_at(handle, hash);
        self.evictor.turnover.evicted(self.now_ms);
        self.evictor.regions.evicted();
        self.key_changed(db, entry.key(), Cause::Evicted { logged });
        Eviction::Evicted
    }

    /// Where the key is that was chosen, unless it has been used, changed or deleted since.
    fn still_there(&self, victim: &Candidate, rule: EvictionRule) -> Option<Handle> {
        let dict = &self.dbs.get(victim.db as usize)?.dict;
        let handle = dict.find_hash(victim.hash)?;
        let entry = dict.at(handle);
        let is_same = match rule.order {
            EvictionOrder::Deadline => entry.deadline() == victim.worth,
            EvictionOrder::Random => true,
            EvictionOrder::Time | EvictionOrder::Frequency => entry.access() == victim.mark,
        };
        (is_same && (!rule.volatile_only || entry.is_volatile())).then_some(handle)
    }

    /// Looks at some buckets. What is best of them goes to the pool; by chance, one entry is it.
    fn look_around(&mut self, rule: EvictionRule) -> Option<Candidate> {
        let (mut seen, mut segments) = (0, 0);
        for _ in 0..LOOKS_MAX {
            let (db, hash) = self.next_spot(rule)?;
            let contents = &self.dbs[db];
            if rule.volatile_only && contents.volatile() < contents.len() / SPARSE {
                segments += self.look_for_volatile(rule, db, hash, SEGMENTS_MAX - segments, &mut seen);
                if seen > 0 || segments >= SEGMENTS_MAX {
                    return None;
                }
                continue;
            }
            let mut view = View::new(&mut self.evictor, &self.access, self.seed, self.now_ms, rule, db);
            if rule.order == EvictionOrder::Random {
                // Each entry of a bucket comes up as often as those of a fuller one.
                let mut nth = view.evictor.rng.below(7);
                let mut chosen = None;
                contents.dict.for_each_near(hash, |entry| {
                    if nth == 0 && view.may_go(entry) {
                        chosen = Some(view.candidate(entry));
                    }
                    nth = nth.wrapping_sub(1);
                });
                if chosen.is_some() {
                    return chosen;
                }
                continue;
            }
            contents.dict.for_each_near(hash, |entry| {
                if view.may_go(entry) {
                    seen += 1;
                    view.offer(entry);
                }
            });
            if seen >= view.evictor.wanted {
                return None;
            }
        }
        if seen == 0 {
            self.look_anywhere(rule);
        }
        None
    }

    /// Finds a key of a table that was large and is nearly empty, where most buckets are.
    #[cold]
    fn look_anywhere(&mut self, rule: EvictionRule) {
        let Some((db, hash)) = self.next_spot(rule) else { return };
        if rule.volatile_only {
            self.look_for_volatile(rule, db, hash, SEGMENTS_MAX, &mut 0);
            return;
        }
        let contents = &self.dbs[db];
        let found = contents.dict.random(&mut self.evictor.rng);
        let mut view = View::new(&mut self.evictor, &self.access, self.seed, self.now_ms, rule, db);
        found.into_iter().for_each(|entry| view.offer(entry));
    }

    /// The next bucket to look at, whose entries have been asked for; asks for those after it.
    fn next_spot(&mut self, rule: EvictionRule) -> Option<Spot> {
        let evictor = &mut self.evictor;
        if evictor.weights_left == 0 {
            let mut sum = 0;
            evictor.weights.clear();
            for (index, db) in self.dbs.iter().enumerate() {
                let weight = evictable(db, rule.volatile_only);
                if weight > 0 {
                    sum += weight as u64;
                    evictor.weights.push((sum, index));
                }
            }
            evictor.weights_left = WEIGHTS_LOOKS;
            evictor.turnover.set_keys(sum);
        }
        evictor.weights_left -= 1;
        let db = match evictor.weights[..] {
            [] => {
                evictor.weights_left = 0;
                return None;
            }
            [(_, only)] => only,
            [.., (sum, _)] => {
                let at = evictor.rng.below(sum);
                let index = evictor.weights.partition_point(|(up_to, _)| *up_to <= at);
                evictor.weights[index].1
            }
        };
        let next = (db, evictor.rng.next_u64());
        self.dbs[db].dict.prefetch_bucket(next.1);
        let [now, soon] = evictor.ahead;
        evictor.ahead = [soon, next];
        self.dbs[soon.0].dict.prefetch_near(soon.1, rule.volatile_only);
        // The first that were asked for belong to nothing, and to a database that may be empty.
        Some(now)
    }

    /// Looks for keys with a deadline from a place in hash space on, at no more than so many segments' headers; returns at how many.
    fn look_for_volatile(&mut self, rule: EvictionRule, db: usize, from: u64, segments: usize, seen: &mut usize) -> usize {
        let (mut at, mut looked) = (from, 0);
        while looked < segments && *seen < self.evictor.wanted.min(SEGMENTS_MAX) {
            let contents = &mut self.dbs[db];
            match contents.dict.find_due(at, i64::MAX - 1, 1) {
                Ok(hash) => {
                    let mut view = View::new(&mut self.evictor, &self.access, self.seed, self.now_ms, rule, db);
                    let next = contents.dict.for_each_volatile(hash, |entry| {
                        *seen += 1;
                        view.offer(entry);
                    });
                    // What is read of it is as much as of so many headers.
                    looked += 16;
                    at = next.unwrap_or(0);
                }
                Err(next) => {
                    looked += 1;
                    at = next.unwrap_or(0);
                }
            }
        }
        looked
    }

    /// The key with the nearest deadline of all databases, taken out of what is known of them.
    fn nearest_deadline(&mut self) -> Option<Candidate> {
        let mut first: Option<Candidate> = None;
        for (index, db) in self.dbs.iter_mut().enumerate() {
            if db.volatile() == 0 {
                db.nearest = None;
                continue;
            }
            let nearest = db.nearest.get_or_insert_with(|| Box::new(Nearest::new(&db.dict)));
            // While the search has not come to an end in one of them, nothing can be said.
            let (deadline, hash) = nearest.head(&mut db.dict)?;
            if first.is_none_or(|first| deadline < first.worth) {
                first = Some(Candidate { worth: deadline, db: index as u32, hash, mark: 0 });
            }
        }
        let db = &mut self.dbs[first?.db as usize];
        db.nearest.iter_mut().for_each(|nearest| nearest.take_head());
        first
    }
}

/// What is needed to judge the entries of a database.
struct View<'k> {
    evictor: &'k mut Evictor,
    access: &'k Access,
    seed: Seed,
    now_ms: i64,
    rule: EvictionRule,
    db: usize,
}

impl<'k> View<'k> {
    fn new(evictor: &'k mut Evictor, access: &'k Access, seed: Seed, now_ms: i64, rule: EvictionRule, db: usize) -> Self {
        Self { evictor, access, seed, now_ms, rule, db }
    }

    fn may_go(&self, entry: &Entry) -> bool {
        !self.rule.volatile_only || entry.is_volatile()
    }

    fn frequency(&self, entry: &Entry) -> u8 {
        lfu_value(entry, self.now_ms, self.access.lfu_decay_minutes) as u8
    }

    /// What an entry is worth: the least goes first.
    fn worth(&mut self, entry: &Entry) -> i64 {
        match self.rule.order {
            EvictionOrder::Time => self.access.last_ms(entry, self.now_ms),
            EvictionOrder::Frequency => {
                self.access.last_ms(entry, self.now_ms).saturating_add(self.evictor.turnover.worth_ms(self.frequency(entry)))
            }
            // So that the pool holds a fair choice.
            EvictionOrder::Random => (self.evictor.rng.next_u64() >> 1) as i64,
            EvictionOrder::Deadline => entry.deadline(),
        }
    }

    fn candidate(&mut self, entry: &Entry) -> Candidate {
        Candidate { worth: self.worth(entry), db: self.db as u32, hash: self.seed.hash(entry.key()), mark: entry.access() }
    }

    fn offer(&mut self, entry: &Entry) {
        let worth = self.worth(entry);
        if self.evictor.pool.would_take(worth) {
            let hash = self.seed.hash(entry.key());
            self.evictor.pool.add(Candidate { worth, db: self.db as u32, hash, mark: entry.access() });
        }
    }
}

#[cfg(test)]
mod tests;
