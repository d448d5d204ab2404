//! Evicting what lies together in memory, so that pages come free.
//!
//! Keys that go one here and one there leave gaps in all pages and free none: a cache that is filled with values of other sizes would hold nearly
//! twice its memory until the last old key is gone. Where there are such gaps, keys go by where they lie, region after region. A sweep over the table
//! finds those of a region: slots are pointers, so it reads no entries but theirs.
//!
//! The order of the policy yields as far as that costs next to nothing: a key goes ahead of its turn only if it has not been used for longer than the
//! cache takes now to turn over. Its turn would come within that time. The more gaps there are, the shorter is the time that is enough.
//!
//! What is left of a region holds pages of it: active defragmentation moves that out of it next.

use super::{Candidate, View, evictable};
use crate::{
    data::entry::Entry,
    keyspace::{EvictionOrder, Keyspace},
};
use std::ops::Range;

/// Regions with about as many entries each, which all entries make.
const REGIONS: usize = 32;
/// Entries whose addresses are asked for, for each region, to find where it ends.
const SAMPLES_A_REGION: usize = 8;
/// Entries of a region that were seen, or segments that were looked at, after which it is said whether it is worth while.
const SEEN_MIN: usize = 256;
const LOOKED_AT_MIN: usize = 64;
/// It is if at least one in so many of its entries goes, and one for each segment.
const WORTH_PART: usize = 4;
/// So long after none was, in milliseconds, it is tried again.
const REST_MS: i64 = 100;
/// Evictions by which the pace is told, and milliseconds without a look that are a pause.
const EVICTIONS_MIN: u64 = 64;
const PAUSE_MS: i64 = 100;

/// Which region is being emptied, and how far that is.
#[derive(Default)]
pub(super) struct Regions {
    /// Keys go by regions.
    is_on: bool,
    /// It is of no use before this, unless less is asked of keys than this percentage.
    rests_until_ms: i64,
    rests_percent: u32,
    /// The percentage of the turnover that is asked of them now.
    percent: u32,
    /// In how many milliseconds the cache turns over now, or a part of it: keys go that have not been used for so long.
    patience_ms: i64,
    /// Addresses.
    region: Range<usize>,
    /// Where the sweep over the table goes on; `None`: a region is to be chosen.
    place: Option<(usize, u64)>,
    /// Segments that were looked at, entries of the region in them, and those among them that may go.
    looked_at: usize,
    seen: usize,
    may_go: usize,
    /// Regions in a row that were not worth while.
    passed_over: usize,
    /// Those that were found last.
    found: Vec<Candidate>,
    /// The region that was emptied last, until somebody has asked for it.
    emptied: Option<Range<usize>>,
    /// Evictions since the pace was last told, and when that was.
    evicted: u64,
    since_ms: i64,
    /// When the gaps were last looked at.
    looked_at_ms: i64,
}

impl Regions {
    /// Whether keys go by regions now.
    #[cfg(test)]
    pub fn is_on(&self) -> bool {
        self.is_on
    }

    /// Says that a key was.
    pub fn evicted(&mut self) {
        self.evicted += 1;
    }

    /// Whether too little of the region goes, by what has been looked at.
    fn is_poor(&self) -> bool {
        self.looked_at > 0 && (self.may_go < self.seen / WORTH_PART || self.may_go < self.looked_at)
    }

    /// In how many milliseconds as many keys are evicted as there are, by the pace since this was last told; `None`: too little has been seen.
    fn pace(&mut self, keys: usize, now_ms: i64) -> Option<i64> {
        if !(self.looked_at_ms..=self.looked_at_ms + PAUSE_MS).contains(&now_ms) {
            // Nothing was evicted for some time, which says nothing of the pace now.
            (self.evicted, self.since_ms) = (0, now_ms);
        }
        self.looked_at_ms = now_ms;
        let passed_ms = now_ms - self.since_ms;
        if self.evicted < EVICTIONS_MIN || passed_ms == 0 {
            return None;
        }
        let turnover_ms = passed_ms as f64 * keys as f64 / self.evicted as f64;
        (self.evicted, self.since_ms) = (0, now_ms);
        Some(turnover_ms as i64)
    }
}

impl Keyspace {
    /// Says some times a second, while keys are evicted, whether there are gaps in memory that are worth closing: for keys that have not been used for so
    /// many percent of the time in which the cache turns over.
    pub fn note_gaps(&mut self, worth_percent: Option<u32>) {
        let Some(rule) = self.evictor.rule else { return };
        let keys = self.dbs.iter().map(|db| evictable(db, rule.volatile_only)).sum();
        let (regions, now_ms) = (&mut self.evictor.regions, self.now_ms);
        let turnover_ms = regions.pace(keys, now_ms);
        // The clock may be set back.
        let is_early = (regions.rests_until_ms - REST_MS..regions.rests_until_ms).contains(&now_ms);
        let rests = |percent: &u32| is_early && *percent >= regions.rests_percent;
        let worth_percent = worth_percent.filter(|percent| rule.order != EvictionOrder::Deadline && !rests(percent));
        match (worth_percent, turnover_ms) {
            (None, _) => regions.is_on = false,
            (Some(percent), Some(turnover_ms)) => {
                (regions.is_on, regions.percent) = (true, percent);
                regions.patience_ms = turnover_ms.saturating_mul(i64::from(percent)) / 100;
            }
            (Some(_), None) => (),
        }
    }

    /// The region out of which all keys have gone that may, once: what is left holds pages of it.
    pub fn take_emptied_region(&mut self) -> Option<Range<usize>> {
        self.evictor.regions.emptied.take()
    }

    /// The next key to go of the region that is being emptied; `None`: it goes by the policy alone.
    pub(super) fn next_in_region(&mut self) -> Option<Candidate> {
        if !self.evictor.regions.is_on {
            return None;
        }
        if self.evictor.regions.found.is_empty() {
            self.look_further();
        }
        self.evictor.regions.found.pop()
    }

    /// A step, as long as it takes to look at a segment, or to choose a region.
    fn look_further(&mut self) {
        let regions = &mut self.evictor.regions;
        if (regions.seen >= SEEN_MIN || regions.looked_at >= LOOKED_AT_MIN || regions.place.is_none()) && regions.is_poor() {
            (regions.place, regions.looked_at) = (None, 0);
            regions.passed_over += 1;
            if regions.passed_over == REGIONS {
                (regions.is_on, regions.passed_over) = (false, 0);
                (regions.rests_until_ms, regions.rests_percent) = (self.now_ms + REST_MS, regions.percent);
                return;
            }
        }
        match regions.place {
            Some(place) => self.evictor.regions.place = self.sweep(place),
            None => self.choose_region(),
        }
    }

    /// Looks for keys of the region in a segment; says where to go on.
    fn sweep(&mut self, (db, hash): (usize, u64)) -> Option<(usize, u64)> {
        let rule = self.evictor.rule?;
        let contents = self.dbs.get(db)?;
        let region = self.evictor.regions.region.clone();
        let mut view = View::new(&mut self.evictor, &self.access, self.seed, self.now_ms, rule, db);
        let next = contents.dict.sweep_segment(hash, |entry| {
            if region.contains(&entry.addr()) && view.may_go(entry) {
                view.evictor.regions.seen += 1;
                if view.is_overdue(entry) {
                    let candidate = view.candidate(entry);
                    view.evictor.regions.may_go += 1;
                    view.evictor.regions.found.push(candidate);
                }
            }
        });
        self.evictor.regions.looked_at += 1;
        let next = next.map(|next| (db, next)).or_else(|| (db + 1 < self.dbs.len()).then_some((db + 1, 0)));
        let regions = &mut self.evictor.regions;
        if next.is_none() && !regions.is_poor() {
            (regions.passed_over, regions.emptied) = (0, Some(region));
        }
        next
    }

    /// Chooses the region behind the last one, behind which in turn the first one comes.
    #[cold]
    fn choose_region(&mut self) {
        let Some(rule) = self.evictor.rule else { return };
        let mut addresses = Vec::with_capacity(REGIONS * SAMPLES_A_REGION);
        for _ in 0..addresses.capacity() {
            let Some((db, hash)) = self.next_spot(rule) else { return };
            self.dbs[db].dict.for_each_near(hash, |entry: &Entry| addresses.push(entry.addr()));
            if addresses.len() >= REGIONS * SAMPLES_A_REGION {
                break;
            }
        }
        addresses.sort_unstable();
        let last = self.evictor.regions.region.end;
        let behind_last = addresses.partition_point(|at| *at < last);
        let (start, first) = if behind_last < addresses.len() { (last, behind_last) } else { (0, 0) };
        // What is left behind the last one is too little for another one.
        let end = first + SAMPLES_A_REGION;
        let end = if end + SAMPLES_A_REGION / 2 < addresses.len() { addresses[end] } else { usize::MAX };
        let regions = &mut self.evictor.regions;
        (regions.region, regions.place) = (start..end, Some((0, 0)));
        (regions.looked_at, regions.seen, regions.may_go) = (0, 0, 0);
    }
}

impl View<'_> {
    /// Whether it has not been used for so long, and what its frequency is worth, that it may go ahead of its turn.
    fn is_overdue(&self, entry: &Entry) -> bool {
        let patience_ms = self.evictor.regions.patience_ms;
        let kept_ms = match self.rule.order {
            EvictionOrder::Random => return true,
            EvictionOrder::Frequency => {
                patience_ms.saturating_add(self.evictor.turnover.worth_in(self.frequency(entry), patience_ms as f64))
            }
            EvictionOrder::Time | EvictionOrder::Deadline => patience_ms,
        };
        self.access.last_ms(entry, self.now_ms) < self.now_ms.saturating_sub(kept_ms)
    }
}
