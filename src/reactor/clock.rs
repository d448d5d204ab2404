//! The clocks. One of the rooms where `unsafe` is allowed (see lib.rs).
//!
//! A command costs two looks at the time, so on x86-64 they read the processor's counter, which costs a third of asking the
//! kernel. It is set against the kernel's clock at start and again every second; where it does not run at a constant rate it is not used.
//! A counter that goes back, stands still or runs ahead (a machine that was suspended or restored) is found out by that, and set anew.
#![allow(unsafe_code)]

use std::{
    cell::Cell,
    os::fd::AsRawFd,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Waits until there is something to read from `source`, or for so many nanoseconds: the poll itself knows milliseconds only.
pub fn wait_readable(source: &impl AsRawFd, nanos: u64) {
    let mut asked = libc::pollfd { fd: source.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let limit = libc::timespec { tv_sec: (nanos / 1_000_000_000) as libc::time_t, tv_nsec: (nanos % 1_000_000_000) as libc::c_long };
    // SAFETY: both pointers are to structs of ours that outlive the call, and one file descriptor is what it is told of.
    unsafe { libc::ppoll(&mut asked, 1, &limit, std::ptr::null()) };
}

/// A monotonic clock and the wall clock.
pub struct Clock {
    start: Instant,
    ticks: Option<Ticks>,
    /// The wall clock in microseconds and the monotonic one in nanoseconds, when both were last seen to agree.
    agreed: Cell<(i64, u64)>,
}

/// Nanoseconds after which a reading of the counter is not believed: it is set against the kernel's clock every second.
const BELIEVED_NANOS: u64 = 2_000_000_000;
/// Nanoseconds since the last adjustment from which on the counter's rate is measured anew.
const MEASURED_NANOS: u64 = 100_000_000;
/// A rate that differs from the one before by more than one part in so many is none: the counter has jumped.
const RATE_TOLERANCE: u64 = 50;
/// Adjustments in a row that found no rate, after which the counter is given up.
const STRIKES: u8 = 3;
/// Microseconds by which the wall clock and the counter may differ before the kernel is asked.
const SKEW_US: u64 = 500_000;

/// The processor's counter, and what it means. What the kernel's clock says is passed in.
struct Ticks {
    /// Counter and nanoseconds at the last adjustment.
    base: Cell<(u64, u64)>,
    /// Nanoseconds a tick, as a fixed-point number with 32 fractional bits.
    scale: Cell<u64>,
    /// So many ticks after the last adjustment are believed; none when the counter has been given up.
    believed: Cell<u64>,
    /// The last answer: the clock never goes back, whatever an adjustment finds.
    last: Cell<u64>,
    /// What our answers are ahead of the kernel's clock: where the counter has run ahead, nobody waits until the kernel has caught up.
    ahead: Cell<u64>,
    /// Adjustments in a row that found another rate, and the last of those rates.
    strikes: Cell<u8>,
    other_scale: Cell<u64>,
}

impl Ticks {
    /// The counter has gone from `first` to `now` while the kernel's clock has gone to `nanos` from 0.
    fn new(first: u64, now: u64, nanos: u64) -> Self {
        let ticks = Self {
            base: Cell::new((now, nanos)),
            scale: Cell::new(0),
            believed: Cell::new(0),
            last: Cell::new(nanos),
            ahead: Cell::new(0),
            strikes: Cell::new(0),
            other_scale: Cell::new(0),
        };
        ticks.set_scale(rate(nanos, now.saturating_sub(first)));
        ticks
    }

    fn set_scale(&self, scale: u64) {
        self.scale.set(scale);
        self.believed.set(((u128::from(BELIEVED_NANOS) << 32) / u128::from(scale.max(1))) as u64);
    }

    /// Nanoseconds at this count; `kernel` is asked only where that cannot be.
    #[inline]
    fn nanos(&self, now: u64, kernel: impl FnOnce() -> u64) -> u64 {
        self.believable(now).unwrap_or_else(|| self.set_anew(now, kernel()))
    }

    /// Nanoseconds at this count, unless it cannot be.
    #[inline(always)]
    fn believable(&self, now: u64) -> Option<u64> {
        let (base, nanos) = self.base.get();
        // A counter that has gone back wraps to a number that is not believed.
        let since = now.wrapping_sub(base);
        if since >= self.believed.get() {
            return None;
        }
        // The product of two 64-bit numbers fits into 128, and nanoseconds into 64 for 500 years.
        let passed = u128::from(since).wrapping_mul(u128::from(self.scale.get())) >> 32;
        let answer = nanos.wrapping_add(passed as u64).max(self.last.get());
        self.last.set(answer);
        Some(answer)
    }

    /// Goes on from the kernel's clock, or from the last answer where that is later.
    #[cold]
    #[inline(never)]
    fn set_anew(&self, now: u64, kernel: u64) -> u64 {
        let shown = kernel + self.ahead.get();
        let answer = shown.max(self.last.get());
        self.ahead.set(answer - kernel);
        self.base.set((now, answer));
        self.last.set(answer);
        answer
    }

    /// Sets the counter against the kernel's clock.
    fn adjust(&self, now: u64, kernel: u64) {
        let (base, before) = self.base.get();
        let nanos = kernel + self.ahead.get();
        let passed = nanos.saturating_sub(before);
        if self.strikes.get() == STRIKES || passed < MEASURED_NANOS {
            return;
        }
        let new = rate(passed, now.wrapping_sub(base));
        // Found twice it is a rate: the first one was measured while the machine was busy.
        if is_near(self.scale.get(), new) || is_near(self.other_scale.get(), new) {
            self.strikes.set(0);
            self.set_scale(new);
            self.base.set((now, nanos));
            return;
        }
        self.strikes.set(self.strikes.get() + 1);
        self.other_scale.set(new);
        self.set_anew(now, kernel);
        if self.strikes.get() == STRIKES {
            self.believed.set(0);
            log::warn!("The processor's counter is no clock any more: the kernel is asked for the time");
        }
    }
}

fn is_near(scale: u64, other: u64) -> bool {
    scale.abs_diff(other) <= scale / RATE_TOLERANCE
}

fn rate(nanos: u64, ticks: u64) -> u64 {
    u64::try_from((u128::from(nanos) << 32) / u128::from(ticks.max(1))).unwrap_or(u64::MAX)
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock {
    /// Takes some milliseconds to learn the counter's rate.
    pub fn new() -> Self {
        let start = Instant::now();
        let ticks = counter().filter(|_| counter_is_constant()).map(|first| {
            std::thread::sleep(Duration::from_millis(5));
            // The best of some readings: this thread may be interrupted between the one clock and the other.
            let pairs = (0..5).map(|_| (counter().unwrap_or(0), start.elapsed().as_nanos() as u64, counter().unwrap_or(0)));
            let (now, nanos, _) = pairs.min_by_key(|(before, _, after)| after.wrapping_sub(*before)).unwrap_or((first + 1, 1, 0));
            Ticks::new(first, now, nanos)
        });
        Self { start, ticks, agreed: Cell::new((wall_us(), 0)) }
    }

    fn kernel(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    /// Nanoseconds since the clock was made.
    #[inline]
    pub fn nanos(&self) -> u64 {
        // Every command asks: what asks the kernel is out of its way.
        if let Some(ticks) = &self.ticks
            && let Some(now) = counter()
            && let Some(nanos) = ticks.believable(now)
        {
            return nanos;
        }
        self.asked()
    }

    #[cold]
    #[inline(never)]
    fn asked(&self) -> u64 {
        match (&self.ticks, counter()) {
            (Some(ticks), Some(now)) => ticks.nanos(now, || self.kernel()),
            _ => self.kernel(),
        }
    }

    /// Sets the counter against the kernel's clock. To be called about once a second.
    pub fn adjust(&self) {
        if let (Some(ticks), Some(now)) = (&self.ticks, counter()) {
            ticks.adjust(now, self.kernel());
        }
    }

    /// Unix time in microseconds. It is asked for in every turn, and shows whether the counter still runs: nothing that depends on it would.
    pub fn unix_us(&self) -> i64 {
        let now = wall_us();
        if let (Some(ticks), Some(count)) = (&self.ticks, counter()) {
            let (wall, nanos) = self.agreed.get();
            let ours = self.nanos();
            let skew = (now - wall).abs_diff((ours.saturating_sub(nanos) / 1000) as i64);
            if skew > SKEW_US {
                // Somebody may have set the wall clock, too: the kernel's monotonic one decides.
                ticks.set_anew(count, self.kernel());
                self.agreed.set((now, ticks.last.get()));
            }
        }
        now
    }
}

fn wall_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_micros() as i64)
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn counter() -> Option<u64> {
    // SAFETY: every x86-64 processor has the instruction, and it only reads.
    Some(unsafe { std::arch::x86_64::_rdtsc() })
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn counter() -> Option<u64> {
    None
}

/// Whether the kernel itself trusts the counter as its clock, or says that its rate never changes.
fn counter_is_constant() -> bool {
    let source = std::fs::read_to_string("/sys/devices/system/clocksource/clocksource0/current_clocksource").unwrap_or_default();
    if source.trim() == "tsc" {
        return true;
    }
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    cpu.contains("constant_tsc") && (cpu.contains("nonstop_tsc") || cpu.contains("hypervisor"))
}

/// CPU time of this thread in nanoseconds.
pub fn cpu_nanos() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec of ours that outlives the call.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_keeps_the_kernels_time() {
        let clock = Clock::new();
        let (ours, theirs) = (clock.nanos(), Instant::now());
        let mut last = ours;
        while theirs.elapsed() < Duration::from_millis(150) {
            let now = clock.nanos();
            assert!(now >= last);
            last = now;
        }
        clock.adjust();
        let (ours, theirs) = ((clock.nanos() - ours) as f64, theirs.elapsed().as_nanos() as f64);
        assert!((ours / theirs - 1.0).abs() < 0.05, "{ours} ns for {theirs} ns");
    }

    const SECOND: u64 = 1_000_000_000;

    /// A counter of two ticks a nanosecond, set against the kernel's clock at a tenth of a second.
    fn ticks() -> Ticks {
        Ticks::new(5_000, 5_000 + SECOND / 5, SECOND / 10)
    }

    /// What it counts at this time of the kernel's.
    fn count(nanos: u64) -> u64 {
        5_000 + 2 * nanos
    }

    /// Nobody is asked.
    fn nobody() -> u64 {
        panic!("the kernel is asked")
    }

    #[test]
    fn a_counter_that_runs_needs_no_kernel() {
        let ticks = ticks();
        for second in 1..100 {
            assert!(ticks.nanos(count(second * SECOND), nobody).abs_diff(second * SECOND) < 1000, "{second}");
            ticks.adjust(count(second * SECOND), second * SECOND);
        }
    }

    #[test]
    fn a_counter_that_goes_back_is_set_anew_at_once() {
        let ticks = ticks();
        ticks.nanos(count(SECOND), nobody);
        // The machine is restored elsewhere, where the counter begins anew.
        assert_eq!(ticks.nanos(7, || SECOND + 10), SECOND + 10);
        assert_eq!(ticks.nanos(7 + SECOND, nobody), SECOND + 10 + SECOND / 2);
    }

    #[test]
    fn a_counter_that_runs_ahead_fires_no_timer() {
        let ticks = ticks();
        assert!(ticks.nanos(count(SECOND), nobody) <= SECOND);
        // It went on for an hour while the machine was suspended, and the kernel's clock did not.
        let hour = 3600 * SECOND;
        assert_eq!(ticks.nanos(count(hour), || SECOND + 20), SECOND + 20);
        let later = ticks.nanos(count(hour + SECOND), nobody);
        assert!(later.abs_diff(2 * SECOND + 20) < 1000, "{later}");
    }

    #[test]
    fn a_short_jump_ahead_is_kept_and_the_clock_goes_on() {
        let ticks = ticks();
        // One second too many, which is believed until the next adjustment.
        assert!(ticks.nanos(count(2 * SECOND), nobody).abs_diff(2 * SECOND) < 1000);
        ticks.adjust(count(2 * SECOND), SECOND);
        let (then, next) = (ticks.nanos(count(2 * SECOND), nobody), ticks.nanos(count(2 * SECOND + SECOND / 2), nobody));
        assert!((next - then).abs_diff(SECOND / 2) < 1000, "it neither stands still nor takes another rate: {then}, {next}");
    }

    #[test]
    fn time_that_has_passed_while_the_counter_stood_still_has_passed() {
        let ticks = ticks();
        ticks.nanos(count(SECOND), nobody);
        ticks.adjust(count(SECOND), 5 * SECOND);
        assert_eq!(ticks.nanos(count(SECOND), nobody), 5 * SECOND);
    }

    #[test]
    fn a_counter_without_a_rate_is_given_up() {
        let ticks = ticks();
        let (mut now, mut last) = (count(SECOND / 10), 0);
        for (second, passed) in (1..).zip([SECOND, 3 * SECOND, SECOND / 2]) {
            now += passed;
            let answer = ticks.nanos(now, || second * SECOND);
            assert!(answer >= last);
            last = answer;
            ticks.adjust(now, second * SECOND);
        }
        assert_eq!(ticks.strikes.get(), STRIKES);
        let ahead = ticks.ahead.get();
        assert_eq!(ticks.nanos(count(7), || 50 * SECOND), 50 * SECOND + ahead);
        assert_eq!(ticks.nanos(count(8), || 51 * SECOND), 51 * SECOND + ahead);
    }
}
