//! How much of the loop long background work gets: all of it while nobody else wants it, a quarter of it under load.

/// For how long after a command the loop counts as busy, in nanoseconds.
const BUSY_NANOS: u64 = 1_000_000;
/// How long a slice may take while the loop is not busy, in nanoseconds: what the first request has to wait for. Under load it is a single step.
const SLICE_NANOS: u64 = 25_000;
/// Under load a slice is followed by so many times its own length without one.
const REST: u64 = 3;

/// When the next slice may run.
#[derive(Default)]
pub(super) struct Pace {
    /// Commands run when we last looked, and when that number last changed.
    commands: u64,
    busy_nanos: u64,
    /// Under load, no slice before this.
    rest_until_nanos: u64,
}

impl Pace {
    /// How long a slice may take that runs now, after so many commands in all, in nanoseconds; `None`: it is to wait.
    pub(super) fn slice(&mut self, now_nanos: u64, commands: u64) -> Option<u64> {
        if commands != self.commands {
            (self.commands, self.busy_nanos) = (commands, now_nanos);
        }
        match self.is_busy(now_nanos) {
            false => Some(SLICE_NANOS),
            true => (now_nanos >= self.rest_until_nanos).then_some(0),
        }
    }

    /// Whether the loop may sleep until something happens, or for a millisecond: by then it is not busy any more.
    pub(super) fn rests(&self, now_nanos: u64) -> bool {
        self.is_busy(now_nanos) && now_nanos < self.rest_until_nanos
    }

    fn is_busy(&self, now_nanos: u64) -> bool {
        now_nanos.saturating_sub(self.busy_nanos) < BUSY_NANOS
    }

    /// Says that a slice ran from then to now.
    pub(super) fn ran(&mut self, from_nanos: u64, now_nanos: u64) {
        self.rest_until_nanos = now_nanos + REST * now_nanos.saturating_sub(from_nanos);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_loop_keeps_three_quarters_for_itself_and_an_idle_one_nothing() {
        let mut pace = Pace::default();
        assert_eq!(pace.slice(1_000, 1), Some(0));
        pace.ran(1_000, 11_000);
        assert_eq!((pace.slice(12_000, 2), pace.slice(40_000, 2)), (None, None));
        assert!(pace.rests(40_000) && !pace.rests(41_000));
        assert_eq!(pace.slice(41_000, 3), Some(0), "three times ten microseconds later");
        pace.ran(41_000, 541_000);
        assert_eq!(pace.slice(1_000_000, 3), None);
        assert!(pace.rests(1_000_000) && !pace.rests(1_041_000));
        assert_eq!(pace.slice(1_041_000, 3), Some(SLICE_NANOS), "no command for a millisecond");
    }
}
