//! Active defragmentation: when it is worth while, and what share of the loop it gets.
//!
//! It begins when the gaps in the pages that hold something are more than `active-defrag-ignore-bytes` and `active-defrag-threshold-lower` percent
//! of what is in use, and then goes through all databases once, and again while that is so and the last time has helped.

use crate::{
    alloc::{Holdings, slabs::Slabs},
    config::Config,
    keyspace::{RegionPass, RelocationPass},
};
use std::ops::Range;

/// Counters that INFO shows.
#[derive(Clone, Copy, Default)]
pub struct DefragStats {
    /// Allocations that were moved.
    pub hits: u64,
    /// Allocations that were looked at and stayed.
    pub misses: u64,
    /// Keys of which something was moved.
    pub key_hits: u64,
    /// Keys of which nothing was.
    pub key_misses: u64,
    /// Nanoseconds during which there was too much of gaps, but for those since it last became too much.
    pub over_nanos: u64,
}

/// Active defragmentation.
#[derive(Default)]
pub struct Defrag {
    /// What is known of the allocator's slabs, from the first time on that there is something to do.
    pub slabs: Option<Slabs>,
    /// The pass under way.
    pub pass: Option<RelocationPass>,
    /// A region of memory is being emptied, in front of that.
    pub region: Option<RegionPass>,
    /// Percentage of processor time that it may take now; 0 while there is no pass.
    pub share_percent: u32,
    /// When the gaps became too much, in monotonic nanoseconds.
    pub over_since_nanos: Option<u64>,
    /// Bytes of gaps when this pass began, and when that was.
    begun_gaps: usize,
    begun_nanos: u64,
    /// The last pass has not helped.
    rests: Option<Rest>,
    /// The share that the last pass had, and when it ended.
    last: Option<(u32, u64)>,
}

/// No pass begins before there are so many bytes of gaps, or it is so late.
struct Rest {
    gaps_max: usize,
    until_nanos: u64,
}

/// A class of allocations with gaps of a smaller part of what it holds than this part of the lower threshold is left alone.
const THRESHOLD_PART: u32 = 2;

impl Defrag {
    /// Looks at what the allocator holds, and begins, goes on or rests. Called some times a second.
    pub fn decide(&mut self, held: &Holdings, config: &Config, now_nanos: u64, stats: &mut DefragStats) {
        if !config.activedefrag {
            (self.rests, self.last) = (None, None);
            self.stop();
            return self.ends(now_nanos, stats);
        }
        match share(held, config) {
            None => {
                self.rests = None;
                self.ends(now_nanos, stats);
            }
            Some(share) => {
                self.over_since_nanos.get_or_insert(now_nanos);
                // Within a pass it does not become slower.
                self.share_percent = self.share_percent.max(share);
                let rests = self.rests.as_ref().is_some_and(|rest| held.gaps() < rest.gaps_max && now_nanos < rest.until_nanos);
                if self.pass.is_none() && !rests {
                    self.slabs = self.slabs.take().or_else(Slabs::new);
                    self.pass = self.slabs.is_some().then(RelocationPass::default);
                    (self.begun_gaps, self.begun_nanos) = (held.gaps(), now_nanos);
                }
            }
        }
        match (&self.pass, &mut self.slabs) {
            (Some(_), Some(slabs)) => slabs.review(config.active_defrag_threshold_lower / THRESHOLD_PART),
            _ if self.region.is_none() => self.share_percent = 0,
            _ => (),
        }
    }

    /// Eviction has left little in a region of memory: that moves out of it.
    pub fn empty_region(&mut self, region: Range<usize>, config: &Config) {
        if !config.activedefrag {
            return;
        }
        self.slabs = self.slabs.take().or_else(Slabs::new);
        if let Some(slabs) = &mut self.slabs {
            slabs.set_emptied(region.clone());
            self.region = Some(RegionPass::new(region));
            self.share_percent = self.share_percent.max(config.active_defrag_cycle_max);
        }
    }

    /// The region is empty, but for what could not move.
    pub fn region_is_over(&mut self) {
        self.leave_region();
        if self.pass.is_none() {
            self.share_percent = 0;
        }
    }

    fn leave_region(&mut self) {
        self.region = None;
        if let Some(slabs) = &mut self.slabs {
            slabs.set_emptied(0..0);
        }
    }

    /// The percentage of processor time that it may take, or could within the last second: a pass is often over before anybody has looked.
    pub fn shown_percent(&self, now_nanos: u64) -> u32 {
        const SHOWN_NANOS: u64 = 1_000_000_000;
        match self.last {
            Some((share, ended)) if self.pass.is_none() && now_nanos.saturating_sub(ended) < SHOWN_NANOS => share,
            _ => self.share_percent,
        }
    }

    /// Whether there were few gaps at the last look, and nothing is being done.
    pub fn is_at_rest(&self) -> bool {
        self.pass.is_none() && self.region.is_none() && self.over_since_nanos.is_none()
    }

    /// The pass is over. If it has not helped, there is no other for a while, unless there are more gaps.
    pub fn pass_is_over(&mut self, held: &Holdings, now_nanos: u64) {
        /// It has helped if it has closed this part of the gaps.
        const HELPED_PART: usize = 20;
        /// Without another pass until there are so many more gaps, as a part of them, or this time has passed, or so many times what the last one took.
        const MORE_PART: usize = 4;
        const REST_NANOS: u64 = 1_000_000_000;
        const REST_PASSES: u64 = 3;
        let gaps = held.gaps();
        self.last = Some((self.share_percent, now_nanos));
        self.rests = (gaps > self.begun_gaps - self.begun_gaps / HELPED_PART).then(|| Rest {
            gaps_max: gaps + gaps / MORE_PART,
            until_nanos: now_nanos + REST_NANOS.max(REST_PASSES * now_nanos.saturating_sub(self.begun_nanos)),
        });
        self.stop();
    }

    /// Gives a pass up.
    fn stop(&mut self) {
        self.leave_region();
        (self.pass, self.share_percent) = (None, 0);
    }

    fn ends(&mut self, now_nanos: u64, stats: &mut DefragStats) {
        if let Some(since) = self.over_since_nanos.take() {
            stats.over_nanos += now_nanos.saturating_sub(since);
        }
    }
}

/// The percentage of processor time that the gaps are worth; `None`: none.
fn share(held: &Holdings, config: &Config) -> Option<u32> {
    let percent = held.gaps_percent();
    let (lower, upper) = (f64::from(config.active_defrag_threshold_lower), f64::from(config.active_defrag_threshold_upper));
    if percent < lower || (held.gaps() as u64) < config.active_defrag_ignore_bytes {
        return None;
    }
    let (min, max) = (f64::from(config.active_defrag_cycle_min), f64::from(config.active_defrag_cycle_max));
    let part = if upper > lower { ((percent - lower) / (upper - lower)).min(1.0) } else { 1.0 };
    // Where the two are given the wrong way round, what is between them is.
    Some((min + (max - min) * part).round() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn the_share_rises_with_the_gaps_from_the_smallest_to_the_largest() {
        let config = Config::default();
        let share = |gaps: usize, used: usize| share(&Holdings { allocated: used, active: used + gaps, resident: used + gaps }, &config);
        assert_eq!(share(7 * MIB, 10 * MIB), None, "too few bytes");
        assert_eq!(share(9 * MIB, 100 * MIB), None, "too small a part");
        assert_eq!(share(10 * MIB, 100 * MIB), Some(1));
        assert_eq!(share(55 * MIB, 100 * MIB), Some(13));
        assert_eq!(share(400 * MIB, 100 * MIB), Some(25));
        assert_eq!(share(8 * MIB, 0), Some(25));
    }

    fn held(gaps: usize) -> Holdings {
        Holdings { allocated: 100 * MIB, active: 100 * MIB + gaps, resident: 110 * MIB + gaps }
    }

    #[test]
    fn nothing_is_done_where_there_are_no_gaps_or_it_is_turned_off() {
        let (mut defrag, mut stats, mut config) = (Defrag::default(), DefragStats::default(), Config::default());
        defrag.decide(&held(MIB), &config, 1, &mut stats);
        assert!(defrag.pass.is_none() && defrag.slabs.is_none());
        config.activedefrag = false;
        defrag.decide(&held(400 * MIB), &config, 1, &mut stats);
        assert!(defrag.pass.is_none() && defrag.slabs.is_none());
    }

    #[cfg(not(system_allocator))]
    #[test]
    fn a_region_is_emptied_with_the_largest_share_in_front_of_a_pass_or_without_one() {
        let (mut defrag, mut stats, mut config) = (Defrag::default(), DefragStats::default(), Config::default());
        defrag.empty_region(0..1000, &config);
        assert_eq!((defrag.region.is_some(), defrag.share_percent, defrag.is_at_rest()), (true, 25, false));
        defrag.decide(&held(MIB), &config, 1, &mut stats);
        assert_eq!((defrag.region.is_some(), defrag.share_percent), (true, 25), "few gaps are left");
        defrag.region_is_over();
        assert_eq!((defrag.region.is_some(), defrag.share_percent, defrag.is_at_rest()), (false, 0, true));
        defrag.decide(&held(12 * MIB), &config, 2, &mut stats);
        defrag.empty_region(0..1000, &config);
        defrag.region_is_over();
        assert!(defrag.pass.is_some() && defrag.share_percent == 25, "the pass goes on");
        defrag.empty_region(0..1000, &config);
        config.activedefrag = false;
        defrag.decide(&held(12 * MIB), &config, 3, &mut stats);
        assert_eq!((defrag.region.is_some(), defrag.pass.is_some(), defrag.share_percent), (false, false, 0), "it is turned off");
        defrag.empty_region(0..1000, &config);
        assert!(defrag.region.is_none());
    }

    #[cfg(not(system_allocator))]
    #[test]
    fn a_pass_that_does_not_help_is_not_repeated_at_once() {
        const SECOND: u64 = 1_000_000_000;
        let (mut defrag, mut stats, mut config) = (Defrag::default(), DefragStats::default(), Config::default());
        defrag.decide(&held(100 * MIB), &config, SECOND, &mut stats);
        assert_eq!((defrag.pass.is_some(), defrag.share_percent, defrag.over_since_nanos), (true, 25, Some(SECOND)));
        defrag.decide(&held(50 * MIB), &config, 2 * SECOND, &mut stats);
        assert_eq!((defrag.pass.is_some(), defrag.share_percent), (true, 25), "it does not become slower");
        defrag.pass_is_over(&held(50 * MIB), 3 * SECOND);
        assert_eq!((defrag.pass.is_some(), defrag.share_percent), (false, 0));
        defrag.decide(&held(50 * MIB), &config, 4 * SECOND, &mut stats);
        assert_eq!((defrag.pass.is_some(), defrag.share_percent), (true, 12), "that has helped");
        defrag.pass_is_over(&held(49 * MIB), 5 * SECOND);
        defrag.decide(&held(50 * MIB), &config, 6 * SECOND, &mut stats);
        assert_eq!((defrag.pass.is_some(), defrag.share_percent), (false, 0), "that has not");
        defrag.decide(&held(62 * MIB), &config, 6 * SECOND, &mut stats);
        assert!(defrag.pass.is_some(), "there are more");
        defrag.pass_is_over(&held(62 * MIB), 7 * SECOND);
        defrag.decide(&held(62 * MIB), &config, 9 * SECOND, &mut stats);
        assert!(defrag.pass.is_none());
        defrag.decide(&held(62 * MIB), &config, 10 * SECOND, &mut stats);
        assert!(defrag.pass.is_some(), "it is late");
        config.activedefrag = false;
        defrag.decide(&held(62 * MIB), &config, 20 * SECOND, &mut stats);
        assert_eq!((defrag.pass.is_some(), defrag.over_since_nanos, stats.over_nanos), (false, None, 19 * SECOND));
    }
}
