//! What is known of eviction beside the keys: how much of the loop it may take, and whether the limit is kept.

use crate::alloc::Holdings;

/// Eviction under way.
#[derive(Default)]
pub struct EvictionState {
    /// Nanoseconds of each turn that it may take (`maxmemory-eviction-tenacity`).
    pub budget_nanos: u64,
    /// What is left of them in this turn.
    pub left_nanos: u64,
    /// All of them were used, and the next key to go was still being looked for: no more of that in this turn.
    pub rests: bool,
    /// Bytes beyond which writes wait for eviction: a little more than the limit, or than was used when the limit was lowered.
    pub ceiling: u64,
    /// Bytes of output by which clients have been told of changed keys in this turn: evicting keys makes it more, until it is sent.
    pub told_bytes: usize,
    /// More memory is used than may be, and there are keys to evict: it goes on at once.
    pub behind: bool,
    /// Since when (monotonic nanoseconds) more memory is used than may be.
    pub over_since_nanos: Option<u64>,
    /// When the gaps that evicted keys have left are next looked at, in monotonic nanoseconds.
    pub gaps_at_nanos: u64,
    /// They are worth closing.
    gaps_are_large: bool,
}

impl EvictionState {
    /// Nanoseconds between two looks at the gaps, while keys are evicted.
    const LOOK_NANOS: u64 = 8_000_000;

    /// Looks at the gaps. They are worth closing from a part of the memory in use on, until there is hardly more left than there always is: by keys that
    /// have not been used for a turnover of the cache, and where there are more gaps for a part of it, in percent, which is returned. `None` for what the
    /// allocator holds: they are to be left alone (`activedefrag no`).
    pub fn look_at_gaps(&mut self, held: Option<&Holdings>, now_nanos: u64) -> Option<u32> {
        const BEGINS_AT_PART: usize = 32;
        const ENDS_AT_PART: usize = 64;
        /// Fewer bytes of gaps are worth nothing: a small cache has as many in any case.
        const GAPS_MIN: usize = 3 << 19;
        /// Percentages of gaps up to which the whole turnover counts, and from which on the least part of it.
        const FEW: u32 = 4;
        const MANY: u32 = 10;
        const LEAST: u32 = 25;
        self.gaps_at_nanos = now_nanos + Self::LOOK_NANOS;
        let part = if std::mem::take(&mut self.gaps_are_large) { ENDS_AT_PART } else { BEGINS_AT_PART };
        let held = held?;
        self.gaps_are_large = held.gaps() > (held.allocated / part).max(GAPS_MIN);
        let above = (held.gaps_percent() as u32).clamp(FEW, MANY) - FEW;
        self.gaps_are_large.then_some(100 - above * (100 - LEAST) / (MANY - FEW))
    }
}

/// What came of making room in front of a command that may take memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// The command may run.
    Enough,
    /// Eviction has had its share of this turn, and memory is short by so much that the command has to wait for the next one.
    Later,
    /// There is nothing that could be evicted.
    No,
}

/// How much more than the limit may be used before writes wait.
pub fn slack(limit: u64) -> u64 {
    limit / 256
}

/// Nanoseconds of a turn that eviction may take at this `maxmemory-eviction-tenacity`: half a millisecond by default, and all that it needs at 100.
pub fn budget_nanos(tenacity: u32) -> u64 {
    const A_STEP: u64 = 50_000;
    const GROWTH: f64 = 1.15;
    match tenacity {
        0..=10 => A_STEP * u64::from(tenacity),
        11..=99 => (10.0 * A_STEP as f64 * GROWTH.powi(tenacity as i32 - 10)) as u64,
        _ => u64::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_gaps_there_are_the_sooner_keys_go_for_them() {
        const MIB: usize = 1 << 20;
        let mut state = EvictionState::default();
        let mut look = |gaps: usize| {
            state.look_at_gaps(Some(&Holdings { allocated: 1000 * MIB, active: (1000 + gaps) * MIB, resident: 2000 * MIB }), 1)
        };
        assert_eq!([10, 31, 32, 50, 70, 100, 400].map(&mut look), [None, None, Some(100), Some(88), Some(63), Some(25), Some(25)]);
        assert_eq!([20, 15, 20].map(look), [Some(100), None, None], "once begun it goes on for longer");
        assert_eq!((state.look_at_gaps(None, 1), state.gaps_at_nanos), (None, 8_000_001));
    }

    #[test]
    fn tenacity_takes_more_of_the_loop() {
        assert_eq!([0, 1, 10].map(budget_nanos), [0, 50_000, 500_000]);
        assert!(budget_nanos(50) > 100_000_000 && budget_nanos(99) < 600_000_000_000);
        assert_eq!(budget_nanos(100), u64::MAX);
    }
}
