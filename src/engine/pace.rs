//! How much of the loop long background work gets: all of it while nobody else wants it, a quarter of it under load.

/// For how long after a command the loop counts as busy, in nanoseconds.
const BUSY_NANOS: u64 = 1_000_000;
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
    /// Whether a slice may run now, after so many commands in all.
    pub(super) fn may_run(&mut self, now_nanos: u64, commands: u64) -> bool {
        if commands != self.commands {
            (self.commands, self.busy_nanos) = (commands, now_nanos);
        }
        let busy = now_nanos.saturating_sub(self.busy_nanos) < BUSY_NANOS;
        !busy || now_nanos >= self.rest_until_nanos
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
        assert!(pace.may_run(1_000, 1));
        pace.ran(1_000, 11_000);
        assert!(!pace.may_run(12_000, 2) && !pace.may_run(40_000, 2));
        assert!(pace.may_run(41_000, 3), "three times ten microseconds later");
        pace.ran(41_000, 541_000);
        assert!(!pace.may_run(1_000_000, 3));
        assert!(pace.may_run(1_041_000, 3), "no command for a millisecond");
    }
}
