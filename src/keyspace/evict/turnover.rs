//! How fast a cache turns over, and what a frequency is worth in terms of it.
//!
//! Frequencies decay by the minute (`lfu-decay-time`), as Redis's do and as OBJECT FREQ tells. But what a full cache is asked for may be all other
//! keys within seconds, and then the frequent keys of before would stay until minutes have passed. So among keys to evict a frequency counts for half
//! as much with each part of a turnover that has passed without a use.

/// Parts of a turnover in which the worth of a frequency halves.
const HALVINGS: f64 = 2.0;
/// Milliseconds of a turnover before one is known.
const UNKNOWN_MS: f64 = 3_600_000.0;
/// Evictions of which a rate is worth knowing, and the part of all keys that is enough.
const EVICTIONS_MIN: u64 = 64;
const PART: u64 = 8;

/// How long it takes until as many keys have been evicted as there are.
pub(super) struct Turnover {
    keys: u64,
    /// Evictions since then.
    evicted: u64,
    since_ms: i64,
    turn_ms: Option<f64>,
    /// Binary logarithms of a frequency and one.
    logarithms: Box<[f32; 256]>,
}

impl Default for Turnover {
    fn default() -> Self {
        let logarithms = Box::new(std::array::from_fn(|frequency| (frequency as f32 + 1.0).log2()));
        Self { keys: 0, evicted: 0, since_ms: 0, turn_ms: None, logarithms }
    }
}

impl Turnover {
    /// Says how many keys may be evicted.
    pub fn set_keys(&mut self, keys: u64) {
        self.keys = keys;
    }

    /// Says that one was.
    pub fn evicted(&mut self, now_ms: i64) {
        if self.evicted == 0 {
            self.since_ms = now_ms;
        }
        self.evicted += 1;
        if self.evicted < EVICTIONS_MIN.max(self.keys / PART) {
            return;
        }
        let turn_ms = (now_ms - self.since_ms).max(1) as f64 * self.keys as f64 / self.evicted as f64;
        self.turn_ms = Some(self.turn_ms.map_or(turn_ms, |before| (before + turn_ms) / 2.0));
        self.evicted = 0;
    }

    /// How many milliseconds longer a key of this frequency is kept than one that was never used.
    pub fn worth_ms(&self, frequency: u8) -> i64 {
        self.worth_in(frequency, self.turn_ms.unwrap_or(UNKNOWN_MS))
    }

    /// The same for a turnover that takes so many milliseconds.
    pub fn worth_in(&self, frequency: u8, turn_ms: f64) -> i64 {
        (f64::from(self.logarithms[usize::from(frequency)]) * turn_ms / HALVINGS) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frequency_is_worth_half_a_turnover_for_each_doubling() {
        let mut turnover = Turnover::default();
        assert_eq!((turnover.worth_ms(0), turnover.worth_ms(1)), (0, 1_800_000), "of an hour, as long as nothing is known");
        turnover.set_keys(8000);
        // A thousand keys a second: a turnover takes eight.
        (0..1000).for_each(|n| turnover.evicted(n));
        assert!((3990..=4000).contains(&turnover.worth_ms(1)), "{}", turnover.worth_ms(1));
        assert_eq!(turnover.worth_ms(255) / turnover.worth_ms(1), 8);
    }
}
