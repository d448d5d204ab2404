//! How long a sync waits for others whom it can serve as well (`appendfsync always`).
//!
//! Who has been answered comes back at once. If the next sync began with the first of them, clients would fall into groups that take turns, and each sync would serve
//! one of the groups. So it waits until most of those are here that can be expected: whom the last sync has served, and who has come since it began. It does not
//! wait for longer than that can pay, which is what a sync takes; and where they do not come, it waits more and more seldom.

/// Nanoseconds that a sync waits at most, however long syncs take.
const WAIT_NANOS_MAX: u64 = 5_000_000;
/// How many of those that are expected it does not wait for: one of so many.
const STRAGGLERS: usize = 8;
/// After so many failures in a row, the pause does not grow any more: it is 2 to the power of them, in syncs.
const FAILURES_MAX: u32 = 6;

/// What is known of syncs and of those who wait for them.
#[derive(Default)]
pub struct GroupCommit {
    /// Nanoseconds that a sync takes, a moving average.
    sync_nanos: u64,
    /// How many clients are to be here before the next sync begins.
    wanted: usize,
    /// Monotonic nanoseconds up to which it waits for them, if it does.
    until: Option<u64>,
    /// How often they have not come, in a row.
    failures: u32,
    /// Syncs that do not wait, because of that.
    pause: u32,
}

impl GroupCommit {
    /// A sync has taken so long, and served so many clients; so many have come since it began.
    pub fn synced(&mut self, took_us: u64, served: usize, waiting: usize, now: u64) {
        let took = took_us * 1000;
        self.sync_nanos = if self.sync_nanos == 0 { took } else { self.sync_nanos - self.sync_nanos / 8 + took / 8 };
        self.until = None;
        if self.pause > 0 {
            self.pause -= 1;
            return;
        }
        let expected = served + waiting;
        self.wanted = expected - expected / STRAGGLERS;
        self.until = Some(now + self.sync_nanos.min(WAIT_NANOS_MAX));
    }

    /// Whether the next sync waits, and need not any more, where so many clients are here to be served.
    pub fn is_complete(&self, waiting: usize) -> bool {
        self.until.is_some() && waiting >= self.wanted
    }

    /// Whether the next sync waits, where so many clients are here to be served.
    pub fn waits(&mut self, waiting: usize, now: impl FnOnce() -> u64) -> bool {
        let Some(until) = self.until else { return false };
        let has_come = self.is_complete(waiting);
        if !has_come && now() < until {
            return true;
        }
        self.until = None;
        self.failures = if has_come { 0 } else { (self.failures + 1).min(FAILURES_MAX) };
        self.pause = if has_come { 0 } else { 1 << self.failures };
        false
    }

    /// When (monotonic nanoseconds) the next sync begins at the latest, if it waits.
    pub fn waits_until(&self) -> Option<u64> {
        self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: u64 = 1000;

    #[test]
    fn a_sync_waits_for_those_who_are_expected_and_not_for_all() {
        let mut group = GroupCommit::default();
        assert!(!group.waits(1, || 0), "nothing is known yet");
        group.synced(400, 12, 20, 1000 * US);
        assert!(group.waits(27, || 1100 * US));
        assert!(!group.waits(28, || 1100 * US), "28 of 32");
        assert_eq!(group.waits_until(), None);
        group.synced(400, 1, 0, 2000 * US);
        assert!(group.waits(0, || 2100 * US) && !group.waits(1, || 2100 * US), "one alone is not kept waiting");
    }

    #[test]
    fn a_sync_waits_as_long_as_one_takes_and_seldom_where_nobody_comes() {
        let mut group = GroupCommit::default();
        let (mut now, mut waited) = (0, 0);
        for _ in 0..1000 {
            group.synced(400, 2, 0, now);
            if group.waits(1, || now + 399 * US) {
                waited += 1;
                assert!(!group.waits(1, || now + 400 * US));
            }
            now += 1000 * US;
        }
        assert!((10..25).contains(&waited), "{waited}");
        // Once they come again, it waits for them each time.
        while !group.waits(1, || now) {
            group.synced(400, 2, 0, now);
        }
        assert!(!group.waits(2, || now));
        for _ in 0..10 {
            group.synced(400, 2, 0, now);
            assert!(group.waits(1, || now) && !group.waits(2, || now));
        }
    }

    #[test]
    fn a_disk_that_is_very_slow_is_not_waited_for_in_proportion() {
        let mut group = GroupCommit::default();
        group.synced(1_000_000, 2, 0, 0);
        assert!(group.waits(1, || WAIT_NANOS_MAX - 1) && !group.waits(1, || WAIT_NANOS_MAX));
    }
}
