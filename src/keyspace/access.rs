//! What an access leaves in an entry's 24 bits: the time (LRU, in seconds) or a logarithmic frequency (LFU), as Redis keeps them.

use crate::data::{entry::Entry, rng::Rng};

/// How accesses are marked.
pub struct Access {
    /// Whether entries keep a frequency instead of a time (`maxmemory-policy *-lfu`).
    pub lfu: bool,
    /// Whether accesses leave no mark at all: the client said CLIENT NO-TOUCH.
    pub suspended: bool,
    /// How hard it is for the frequency to rise (`lfu-log-factor`).
    pub lfu_log_factor: u32,
    /// Minutes after which it falls by one (`lfu-decay-time`); 0 is never.
    pub lfu_decay_minutes: u32,
    rng: Rng,
}

impl Default for Access {
    fn default() -> Self {
        Self { lfu: false, suspended: false, lfu_log_factor: 10, lfu_decay_minutes: 1, rng: Rng::new(0) }
    }
}

const BITS: u32 = 24;
const MASK: u32 = (1 << BITS) - 1;
/// Where a new key's frequency starts, so that it is not evicted before it could be used again.
const LFU_INIT: u32 = 5;

fn seconds(now_ms: i64) -> u32 {
    (now_ms / 1000) as u32 & MASK
}

fn minutes(now_ms: i64) -> u32 {
    (now_ms / 60_000) as u32 & 0xffff
}

/// Milliseconds since the entry was last used, to the second. It has no meaning under an LFU policy.
pub fn idle_ms(entry: &Entry, now_ms: i64) -> i64 {
    i64::from(seconds(now_ms).wrapping_sub(entry.access()) & MASK) * 1000
}

/// The entry's frequency now: what is stored, less what has decayed.
pub fn lfu_value(entry: &Entry, now_ms: i64, decay_minutes: u32) -> u32 {
    decayed(entry.access(), now_ms, decay_minutes)
}

fn decayed(mark: u32, now_ms: i64, decay_minutes: u32) -> u32 {
    let counter = mark & 0xff;
    let elapsed = minutes(now_ms).wrapping_sub(mark >> 8) & 0xffff;
    match decay_minutes {
        0 => counter,
        each => counter.saturating_sub(elapsed / each),
    }
}

impl Access {
    /// Marks a use.
    #[inline(always)]
    pub fn touch(&mut self, entry: &mut Entry, now_ms: i64) {
        if self.lfu | self.suspended {
            return self.touch_slow(entry, now_ms);
        }
        entry.set_access(seconds(now_ms));
    }

    #[cold]
    fn touch_slow(&mut self, entry: &mut Entry, now_ms: i64) {
        if self.suspended {
            return;
        }
        let mut counter = decayed(entry.access(), now_ms, self.lfu_decay_minutes);
        if counter < 255 {
            let base = f64::from(counter.saturating_sub(LFU_INIT));
            if self.rng.unit() < 1.0 / (base * f64::from(self.lfu_log_factor) + 1.0) {
                counter += 1;
            }
        }
        entry.set_access(minutes(now_ms) << 8 | counter);
    }

    /// Marks a new entry.
    #[inline(always)]
    pub fn created(&self, entry: &mut Entry, now_ms: i64) {
        entry.set_access(if self.lfu { minutes(now_ms) << 8 | LFU_INIT } else { seconds(now_ms) });
    }

    /// Marks a new entry with what its source knows of it: unused for so many seconds, or of this frequency. What the policy does not use is
    /// ignored.
    #[inline]
    pub fn restored(&self, entry: &mut Entry, idle_seconds: Option<u64>, frequency: Option<u8>, now_ms: i64) {
        match (self.lfu, idle_seconds, frequency) {
            (true, _, Some(frequency)) => entry.set_access(minutes(now_ms) << 8 | u32::from(frequency)),
            (false, Some(idle), _) => {
                let idle = idle.min(u64::from(MASK)) as u32;
                entry.set_access(seconds(now_ms).wrapping_sub(idle) & MASK);
            }
            _ => self.created(entry, now_ms),
        }
    }
}
