//! The clocks. One of the rooms where `unsafe` is allowed (see lib.rs).
//!
//! A command costs two looks at the time, so on x86-64 they read the processor's counter, which costs a third of asking the
//! kernel. It is set against the kernel's clock at start and again every second; where it does not run at a constant rate it is not used.
#![allow(unsafe_code)]

use std::{
    cell::Cell,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// A monotonic clock and the wall clock.
pub struct Clock {
    start: Instant,
    ticks: Option<Ticks>,
}

/// The processor's counter, and what it means.
struct Ticks {
    /// Counter and nanoseconds since `start` at the last adjustment.
    base: Cell<(u64, u64)>,
    /// Nanoseconds a tick, as a fixed-point number with 32 fractional bits.
    scale: Cell<u64>,
    /// The last answer: the clock never goes back, whatever an adjustment finds.
    last: Cell<u64>,
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
            let nanos = start.elapsed().as_nanos() as u64;
            let now = counter().unwrap_or(first + 1);
            let scale = ((u128::from(nanos) << 32) / u128::from((now - first).max(1))) as u64;
            Ticks { base: Cell::new((now, nanos)), scale: Cell::new(scale), last: Cell::new(nanos) }
        });
        Self { start, ticks }
    }

    /// Nanoseconds since the clock was made.
    #[inline]
    pub fn nanos(&self) -> u64 {
        let (Some(ticks), Some(now)) = (&self.ticks, counter()) else { return self.start.elapsed().as_nanos() as u64 };
        let (base, nanos) = ticks.base.get();
        let since = now.saturating_sub(base);
        let answer = nanos + ((u128::from(since) * u128::from(ticks.scale.get())) >> 32) as u64;
        let answer = answer.max(ticks.last.get());
        ticks.last.set(answer);
        answer
    }

    /// Sets the counter against the kernel's clock. To be called about once a second.
    pub fn adjust(&self) {
        let (Some(ticks), Some(now)) = (&self.ticks, counter()) else { return };
        let nanos = self.start.elapsed().as_nanos() as u64;
        let (base, before) = ticks.base.get();
        if now > base && nanos - before > 100_000_000 {
            ticks.scale.set(((u128::from(nanos - before) << 32) / u128::from(now - base)) as u64);
            ticks.base.set((now, nanos));
        }
    }

    /// Unix time in microseconds.
    pub fn unix_us(&self) -> i64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_micros() as i64)
    }
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
}
