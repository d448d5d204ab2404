//! How much of the loop long background work gets: all of it while there is nothing else to do; under load a quarter of it where turns are short, and
//! about a twentieth where they are long.

/// For how long after a command the loop counts as busy, in nanoseconds.
const BUSY_NANOS: u64 = 1_000_000;
/// How long a slice may take, in nanoseconds: what a request may have to wait for. Under load it is shorter where turns are.
const SLICE_NANOS: u64 = 25_000;
/// Under load a slice is followed by so many times its own length without one.
const REST: u64 = 3;
/// Under load a slice is a single step, or this part of the time since the last one: so a long turn does not starve the work.
const PART: u64 = 20;

/// When the next slice may run.
#[derive(Default)]
pub(super) struct Pace {
    /// Commands run when we last looked, and when that number last changed.
    commands: u64,
    busy_nanos: u64,
    /// When the last slice ended.
    ended_nanos: u64,
    /// Under load, no slice before this.
    rest_until_nanos: u64,
}

impl Pace {
    /// How long a slice may take now, in nanoseconds, where so many commands have run in all; `None`: it has to wait.
    pub(super) fn slice(&mut self, now_nanos: u64, commands: u64) -> Option<u64> {
        if commands != self.commands {
            (self.commands, self.busy_nanos) = (commands, now_nanos);
        }
        match self.is_busy(now_nanos) {
            false => Some(SLICE_NANOS),
            true => (now_nanos >= self.rest_until_nanos).then(|| SLICE_NANOS.min(now_nanos.saturating_sub(self.ended_nanos) / PART)),
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
        self.ended_nanos = now_nanos;
        self.rest_until_nanos = now_nanos + REST * now_nanos.saturating_sub(from_nanos);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_loop_keeps_three_quarters_for_itself_and_an_idle_one_nothing() {
        let mut pace = Pace::default();
        assert_eq!(pace.slice(30_000, 1), Some(1_500));
        pace.ran(30_000, 40_000);
        assert_eq!((pace.slice(41_000, 2), pace.slice(69_000, 2)), (None, None));
        assert!(pace.rests(69_000) && !pace.rests(70_000));
        assert_eq!(pace.slice(70_000, 3), Some(1_500), "three times ten microseconds later");
        assert_eq!(pace.slice(340_000, 4), Some(15_000), "after a long turn");
        pace.ran(340_000, 540_000);
        assert_eq!(pace.slice(1_100_000, 4), None);
        assert!(pace.rests(1_100_000) && !pace.rests(1_340_000));
        assert_eq!(pace.slice(1_340_000, 4), Some(SLICE_NANOS), "no command for a millisecond");
    }
}
