//! What an access leaves in an entry's 25 bits: a time, or a logarithmic frequency with a time.
//!
//! ```text
//! time        bits 1..24  seconds, and bit 0 is 0: as Redis keeps it, good for 194 days
//! fine time   bits 1..24  ticks of a 64th of a second, and bit 0 is 1: good for three days
//! frequency   bits 8..24  quarters of a second, good for nine hours; bits 0..7 a logarithmic counter of uses
//! ```
//!
//! A cache that is full may turn over within seconds, so an eviction policy that goes by time needs more than seconds. What the short clocks cannot
//! tell any more is renewed in time by a slow round over all keys ([`Access::renewed`]): a fine time becomes one in seconds, and a frequency decays.

use crate::data::{entry::Entry, rng::Rng};

/// What accesses leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marks {
    /// The time of the last use, in seconds.
    Time,
    /// The same, finer.
    FineTime,
    /// The time of the last modification (`maxmemory-policy *-lrm`).
    ModificationTime,
    /// How often a key is used (`maxmemory-policy *-lfu`).
    Frequency,
}

/// How accesses are marked.
pub struct Access {
    marks: Marks,
    /// Ticks a second of the present mark, and its lowest bit.
    ticks: u64,
    fine: u32,
    /// Reads, and writes, that need more than the present time.
    reads_differ: bool,
    writes_differ: bool,
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
        Self {
            marks: Marks::Time,
            ticks: 1,
            fine: 0,
            reads_differ: false,
            writes_differ: false,
            suspended: false,
            lfu_log_factor: 10,
            lfu_decay_minutes: 1,
            rng: Rng::new(0),
        }
    }
}

const MASK: u32 = (1 << 24) - 1;
/// The lowest bit of a fine time.
const FINE: u32 = 1;
/// Ticks a second of a fine time.
const FINE_TICKS: u64 = 64;
/// Milliseconds after which a fine time is to be renewed: a third of what it can tell.
const FINE_RENEWED_MS: i64 = 24 * 3_600_000;

/// Bits of a frequency's clock, and the milliseconds of one of its ticks.
const LFU_MASK: u32 = (1 << 17) - 1;
const LFU_TICK_MS: i64 = 250;
const LFU_TICKS_A_MINUTE: i64 = 60_000 / LFU_TICK_MS;
/// Milliseconds after which a frequency is to be renewed, and which its time then shows.
const LFU_RENEWED_MS: i64 = 3 * 3_600_000;
const LFU_RENEWED_TO_MS: i64 = 2 * 3_600_000;
/// Where a new key's frequency starts, so that it is not evicted before it could be used again.
const LFU_INIT: u32 = 5;

/// The mark of a use at a time, with so many ticks a second.
#[inline(always)]
fn time_mark(now_ms: i64, ticks: u64, fine: u32) -> u32 {
    // Of a product that wraps round the low bits are right, and more are not kept.
    let passed = (now_ms as u64).wrapping_mul(ticks) / 1000;
    ((passed as u32) << 1) & (MASK << 1) | fine
}

fn quarters(now_ms: i64) -> u32 {
    (now_ms / LFU_TICK_MS) as u32 & LFU_MASK
}

fn lfu_mark(now_ms: i64, counter: u32) -> u32 {
    quarters(now_ms) << 8 | counter
}

/// How far a clock of so many bits has gone on. What lies a little ahead of it (the system's clock was put back) counts as present.
fn elapsed(now: u32, then: u32, mask: u32) -> i64 {
    let elapsed = now.wrapping_sub(then) & mask;
    if elapsed > mask - mask / 16 { 0 } else { i64::from(elapsed) }
}

/// Milliseconds since the entry was last used, to the second. It has no meaning under an LFU policy.
pub fn idle_ms(entry: &Entry, now_ms: i64) -> i64 {
    let mark = entry.access();
    if mark & FINE == 0 {
        return i64::from((time_mark(now_ms, 1, 0) >> 1).wrapping_sub(mark >> 1) & MASK) * 1000;
    }
    elapsed(time_mark(now_ms, FINE_TICKS, 0) >> 1, mark >> 1, MASK) * 1000 / FINE_TICKS as i64
}

/// The entry's frequency now: what is stored, less what has decayed.
pub fn lfu_value(entry: &Entry, now_ms: i64, decay_minutes: u32) -> u32 {
    decayed(entry.access(), now_ms, decay_minutes)
}

/// The quarter of a second since the beginning of time in which a frequency was last touched.
fn touched_quarter(mark: u32, now_ms: i64) -> i64 {
    now_ms / LFU_TICK_MS - elapsed(quarters(now_ms), mark >> 8, LFU_MASK)
}

fn decayed(mark: u32, now_ms: i64, decay_minutes: u32) -> u32 {
    let counter = mark & 0xff;
    // Whole minutes of the clock are compared, as in Redis.
    let elapsed = now_ms / 60_000 - touched_quarter(mark, now_ms) / LFU_TICKS_A_MINUTE;
    match decay_minutes {
        0 => counter,
        each => counter.saturating_sub(u32::try_from(elapsed / i64::from(each)).unwrap_or(u32::MAX)),
    }
}

/// The mark as Redis's 24 bits are: seconds, or minutes and a counter where it is a `frequency`.
pub fn as_redis_keeps_it(entry: &Entry, frequency: bool, now_ms: i64) -> u32 {
    if frequency {
        let minutes = (touched_quarter(entry.access(), now_ms) / LFU_TICKS_A_MINUTE) as u32;
        return (minutes << 8) & MASK | entry.access() & 0xff;
    }
    ((now_ms - idle_ms(entry, now_ms)) / 1000) as u32 & MASK
}

impl Access {
    /// What accesses leave.
    pub fn marks(&self) -> Marks {
        self.marks
    }

    /// From here on accesses leave this. What they have left before is taken for it until a key is used again, as in Redis.
    pub fn set_marks(&mut self, marks: Marks) {
        self.marks = marks;
        let fine = matches!(marks, Marks::FineTime | Marks::ModificationTime);
        (self.ticks, self.fine) = if fine { (FINE_TICKS, FINE) } else { (1, 0) };
        self.reads_differ = matches!(marks, Marks::Frequency | Marks::ModificationTime);
        self.writes_differ = marks == Marks::Frequency;
    }

    /// Whether entries keep a frequency instead of a time (`maxmemory-policy *-lfu`).
    pub fn is_frequency(&self) -> bool {
        self.marks == Marks::Frequency
    }

    /// Marks a use that changes nothing.
    #[inline(always)]
    pub fn read(&mut self, entry: &mut Entry, now_ms: i64) {
        if self.reads_differ | self.suspended {
            return self.read_slow(entry, now_ms);
        }
        entry.set_access(time_mark(now_ms, self.ticks, self.fine));
    }

    #[cold]
    fn read_slow(&mut self, entry: &mut Entry, now_ms: i64) {
        if self.is_frequency() && !self.suspended {
            self.count(entry, now_ms);
        }
    }

    /// Marks a modification.
    #[inline(always)]
    pub fn write(&mut self, entry: &mut Entry, now_ms: i64) {
        if self.writes_differ | self.suspended {
            return self.write_slow(entry, now_ms);
        }
        entry.set_access(time_mark(now_ms, self.ticks, self.fine));
    }

    #[cold]
    fn write_slow(&mut self, entry: &mut Entry, now_ms: i64) {
        if self.marks == Marks::ModificationTime {
            // It is one, whoever has made it.
            entry.set_access(time_mark(now_ms, self.ticks, self.fine));
        } else {
            self.read_slow(entry, now_ms);
        }
    }

    /// Counts a use, the less likely the more there were.
    fn count(&mut self, entry: &mut Entry, now_ms: i64) {
        let mut counter = decayed(entry.access(), now_ms, self.lfu_decay_minutes);
        if counter < 255 {
            let base = f64::from(counter.saturating_sub(LFU_INIT));
            if self.rng.unit() < 1.0 / (base * f64::from(self.lfu_log_factor) + 1.0) {
                counter += 1;
            }
        }
        entry.set_access(lfu_mark(now_ms, counter));
    }

    /// Marks a new entry.
    #[inline(always)]
    pub fn created(&self, entry: &mut Entry, now_ms: i64) {
        if self.writes_differ {
            return entry.set_access(lfu_mark(now_ms, LFU_INIT));
        }
        entry.set_access(time_mark(now_ms, self.ticks, self.fine));
    }

    /// Marks a new entry with what its source knows of it: unused for so many seconds, or of this frequency. What the policy does not use is
    /// ignored.
    #[inline]
    pub fn restored(&self, entry: &mut Entry, idle_seconds: Option<u64>, frequency: Option<u8>, now_ms: i64) {
        match (self.is_frequency(), idle_seconds, frequency) {
            (true, _, Some(frequency)) => entry.set_access(lfu_mark(now_ms, frequency.into())),
            (false, Some(idle), _) => {
                let idle = idle.min(u64::from(MASK)) as u32;
                let mark = (time_mark(now_ms, 1, 0) >> 1).wrapping_sub(idle) & MASK;
                entry.set_access(mark << 1);
            }
            _ => self.created(entry, now_ms),
        }
    }

    /// Unix milliseconds of the entry's last use, or modification.
    pub fn last_ms(&self, entry: &Entry, now_ms: i64) -> i64 {
        match self.marks {
            Marks::Frequency => touched_quarter(entry.access(), now_ms) * LFU_TICK_MS,
            _ => now_ms - idle_ms(entry, now_ms),
        }
    }

    /// The mark that has to take the place of the entry's, before its clock has come round. To be asked at least every six hours.
    pub fn renewed(&mut self, entry: &Entry, now_ms: i64) -> Option<u32> {
        let mark = entry.access();
        if self.is_frequency() {
            let idle_ms = now_ms - touched_quarter(mark, now_ms) * LFU_TICK_MS;
            if idle_ms < LFU_RENEWED_MS {
                return None;
            }
            // What has passed is taken off at once; the part of a period that is left, by chance.
            let periods = match self.lfu_decay_minutes {
                0 => 0.0,
                each => (idle_ms - LFU_RENEWED_TO_MS) as f64 / 60_000.0 / f64::from(each),
            };
            let fell = periods as u32 + u32::from(self.rng.unit() < periods.fract());
            return Some(lfu_mark(now_ms - LFU_RENEWED_TO_MS, (mark & 0xff).saturating_sub(fell)));
        }
        let idle_ms = idle_ms(entry, now_ms);
        (mark & FINE != 0 && idle_ms >= FINE_RENEWED_MS).then(|| time_mark(now_ms - idle_ms, 1, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::entry::NEVER;

    const NOW_MS: i64 = 1_700_000_000_123;

    fn entry(access: &Access, now_ms: i64) -> Entry {
        let mut entry = Entry::new_inline(b"key", b"value", NEVER);
        access.created(&mut entry, now_ms);
        entry
    }

    fn of(marks: Marks) -> Access {
        let mut access = Access::default();
        access.set_marks(marks);
        access
    }

    #[test]
    fn a_time_is_told_for_194_days_and_a_fine_one_for_as_long_if_it_is_renewed() {
        const DAY_MS: i64 = 24 * 3_600_000;
        for marks in [Marks::Time, Marks::FineTime] {
            let mut access = of(marks);
            let mut key = entry(&access, NOW_MS);
            for hours in 0..190 * 24 {
                let now_ms = NOW_MS + hours * 3_600_000;
                assert_eq!(idle_ms(&key, now_ms) / 1000, hours * 3600, "{marks:?}");
                if hours % 5 == 0
                    && let Some(mark) = access.renewed(&key, now_ms)
                {
                    key.set_access(mark);
                }
            }
            assert_eq!(access.renewed(&key, NOW_MS + 190 * DAY_MS), None);
        }
    }

    #[test]
    fn a_fine_time_tells_milliseconds_apart_and_stands_a_clock_that_is_put_back() {
        let mut access = of(Marks::FineTime);
        let mut key = entry(&access, NOW_MS);
        assert!((15..=31).contains(&idle_ms(&key, NOW_MS + 20)) && (480..=520).contains(&idle_ms(&key, NOW_MS + 500)));
        assert_eq!(idle_ms(&key, NOW_MS - 60_000), 0);
        access.read(&mut key, NOW_MS + 1000);
        assert_eq!(access.last_ms(&key, NOW_MS + 5000) / 100, (NOW_MS + 1000) / 100);
    }

    #[test]
    fn modifications_are_marked_and_reads_are_not() {
        let mut access = of(Marks::ModificationTime);
        let mut key = entry(&access, NOW_MS);
        access.read(&mut key, NOW_MS + 9000);
        assert_eq!(idle_ms(&key, NOW_MS + 9000), 9000);
        access.suspended = true;
        access.write(&mut key, NOW_MS + 9000);
        assert_eq!(idle_ms(&key, NOW_MS + 9000), 0);
    }

    #[test]
    fn a_frequency_decays_by_minutes_of_the_clock_whenever_it_is_renewed() {
        let mut access = of(Marks::Frequency);
        let mut key = entry(&access, NOW_MS);
        assert_eq!(lfu_value(&key, NOW_MS, 1), LFU_INIT);
        access.restored(&mut key, None, Some(200), NOW_MS);
        let minute_ends = 60_000 - NOW_MS % 60_000;
        assert_eq!((lfu_value(&key, NOW_MS + minute_ends - 1, 1), lfu_value(&key, NOW_MS + minute_ends, 1)), (200, 199));
        assert_eq!((lfu_value(&key, NOW_MS + 600_000, 1), lfu_value(&key, NOW_MS + 600_000, 3)), (190, 197));
        assert_eq!((lfu_value(&key, NOW_MS + 600_000, 0), as_redis_keeps_it(&key, true, NOW_MS) & 0xff), (200, 200));
        // An hour a step, with a period that is longer than the clock.
        access.lfu_decay_minutes = 1200;
        let mut now_ms = NOW_MS;
        for _ in 0..2000 {
            now_ms += 3_600_000;
            if let Some(mark) = access.renewed(&key, now_ms) {
                key.set_access(mark);
            }
        }
        let value = lfu_value(&key, now_ms, 1200);
        assert!((70..130).contains(&value), "{value}: 2000 hours are 100 periods");
    }
}
