//! What is known of eviction beside the keys: how much of the loop it may take, and whether the limit is kept.

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
    fn tenacity_takes_more_of_the_loop() {
        assert_eq!([0, 1, 10].map(budget_nanos), [0, 50_000, 500_000]);
        assert!(budget_nanos(50) > 100_000_000 && budget_nanos(99) < 600_000_000_000);
        assert_eq!(budget_nanos(100), u64::MAX);
    }
}
