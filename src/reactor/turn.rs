//! How much processor time each turn takes, without a system call for each.
//!
//! A turn that is short by the wall clock, which costs nothing to read, is counted with that time: it cannot have used more of the processor.
//! Of a long one the kernel is asked, because another process may have had the processor meanwhile. It is asked behind a long wait, too: what a wait costs,
//! interrupts of others among it, is no turn's.

/// Up to here a turn counts with its wall-clock time, and a wait before one costs little.
const SHORT_NANOS: u64 = 100_000;
/// After so many short turns the kernel is asked all the same: what the polls between them cost is in the next long turn's count otherwise.
const SHORT_TURNS_MAX: u32 = 32;

/// Counts turns.
pub struct TurnClock {
    /// This thread's processor time when the kernel was last asked.
    cpu_nanos: u64,
    /// What the turns since then were counted with, and how many there were.
    counted_nanos: u64,
    turns: u32,
}

impl TurnClock {
    /// The first turn begins.
    pub fn new(cpu_nanos: u64) -> Self {
        Self { cpu_nanos, counted_nanos: 0, turns: 0 }
    }

    /// A turn begins for which the loop has waited so long.
    #[inline]
    pub fn turn_begins(&mut self, waited_nanos: u64, ask: impl FnOnce() -> u64) {
        if waited_nanos > SHORT_NANOS {
            *self = Self::new(ask());
        }
    }

    /// A turn is over that took so long by the wall clock. Returns its processor time, or a little more.
    #[inline]
    pub fn turn_ended(&mut self, elapsed_nanos: u64, ask: impl FnOnce() -> u64) -> u64 {
        if elapsed_nanos <= SHORT_NANOS && self.turns < SHORT_TURNS_MAX {
            self.counted_nanos += elapsed_nanos;
            self.turns += 1;
            return elapsed_nanos;
        }
        let cpu_nanos = ask();
        let since = cpu_nanos.saturating_sub(self.cpu_nanos);
        let turn = since.saturating_sub(self.counted_nanos).min(elapsed_nanos);
        *self = Self::new(cpu_nanos);
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_turn_asks_nobody_and_a_long_one_counts_only_the_processor() {
        let mut clock = TurnClock::new(1_000_000);
        let unasked = || panic!("the kernel is not to be asked");
        assert_eq!(clock.turn_ended(40_000, unasked), 40_000);
        assert_eq!(clock.turn_ended(60_000, unasked), 60_000);
        // Both took what they seem to have taken, and this one 500 us of its 4 ms.
        assert_eq!(clock.turn_ended(4_000_000, || 1_600_000), 500_000);
        assert_eq!(clock.turn_ended(300_000, || 3_000_000), 300_000, "never more than the wall clock says");
    }

    #[test]
    fn what_a_long_wait_costs_is_no_turn_s() {
        let mut clock = TurnClock::new(1_000_000);
        clock.turn_begins(50_000, || panic!("the kernel is not to be asked"));
        clock.turn_begins(90_000_000, || 6_000_000);
        assert_eq!(clock.turn_ended(8_000_000, || 6_200_000), 200_000);
    }

    #[test]
    fn what_polls_cost_does_not_add_up() {
        let mut clock = TurnClock::new(0);
        let asked = (0..10 * (SHORT_TURNS_MAX + 1)).filter(|n| {
            let mut asked = false;
            clock.turn_ended(1_000, || {
                asked = true;
                u64::from(n + 1) * 2_000
            });
            asked
        });
        assert_eq!(asked.count(), 10);
        assert!(clock.turn_ended(150_000, || 10 * 33 * 2_000 + 150_000) <= 150_000);
    }
}
