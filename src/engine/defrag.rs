//! Active defragmentation's slices: as long as any other's, and together its share of the loop.

use super::{Engine, snapshots::ms_until};
use crate::data::moving::Mover;

/// How long a slice may take, in nanoseconds: a request may have to wait for it that long.
const SLICE_NANOS: u64 = 25_000;
/// Allocations looked at between two looks at the clock.
const STEP: u64 = 24;
/// Slices come one a turn until it has rested so long by its share, in nanoseconds: shorter rests would be none, as the loop sleeps by the millisecond.
const REST_NANOS_MIN: u64 = 1_000_000;

/// When the next slice may run.
#[derive(Default)]
pub(super) struct DefragShare {
    /// Nanoseconds worked since the last rest.
    worked_nanos: u64,
    /// No slice before this.
    rest_until_nanos: u64,
}

impl DefragShare {
    /// Notes that a slice of so many nanoseconds has just ended, of work that may take so many percent of the time.
    fn ran(&mut self, nanos: u64, now_nanos: u64, percent: u32) {
        let percent = u64::from(percent.clamp(1, 99));
        self.worked_nanos += nanos;
        let rest_nanos = self.worked_nanos * (100 - percent) / percent;
        if rest_nanos >= REST_NANOS_MIN {
            (self.worked_nanos, self.rest_until_nanos) = (0, now_nanos + rest_nanos);
        }
    }

    fn rests(&self, now_nanos: u64) -> bool {
        now_nanos < self.rest_until_nanos
    }
}

impl Engine {
    /// Whether there is something to defragment, now or after a rest.
    #[inline]
    pub(super) fn defragments(&self) -> bool {
        self.server.defrag.pass.is_some() || self.server.defrag.region.is_some()
    }

    /// Milliseconds until the next slice, if there is to be one; 0: now.
    pub(super) fn defrag_ms(&self) -> Option<u64> {
        let rest_until = self.defrag_share.rest_until_nanos;
        self.defragments().then(|| if self.defrag_share.rests(self.nanos) { ms_until(rest_until, self.nanos) } else { 0 })
    }

    /// Looks at what there is to do: with every look at resident memory, of which gaps are a part.
    pub(super) fn defrag_cron(&mut self) {
        let server = &mut self.server;
        let beyond = server.rss.saturating_sub(server.host.used_memory()) as u64;
        if beyond >= server.config.active_defrag_ignore_bytes || !server.defrag.is_at_rest() {
            let (held, now) = (server.host.held(), server.host.nanos());
            server.defrag.decide(&held, &server.config, now, &mut server.stats.defrag);
        }
    }

    /// Takes the pass under way a slice further.
    #[cold]
    pub(super) fn defrag_slice(&mut self) {
        let started = self.server.host.nanos();
        if self.defrag_share.rests(started) {
            return;
        }
        let server = &mut self.server;
        let (mut region, mut pass) = (server.defrag.region.take(), server.defrag.pass.take());
        let Some(mut slabs) = server.defrag.slabs.take() else { return };
        let of_region = region.is_some();
        let step = server.config.active_defrag_max_scan_fields.clamp(1, STEP) as usize;
        let (mut goes_on, mut now) = (true, started);
        while goes_on && now.saturating_sub(started) < SLICE_NANOS {
            let mut mover = Mover::new(&mut slabs, step);
            goes_on = match (&mut region, &mut pass) {
                (Some(region), _) => server.keyspace.relocate_region(region, &mut mover),
                (None, Some(pass)) => server.keyspace.relocate(pass, &mut mover),
                (None, None) => false,
            };
            server.stats.defrag.hits += mover.hits;
            server.stats.defrag.misses += mover.misses;
            now = server.host.nanos();
        }
        if let Some(pass) = &mut pass {
            server.stats.defrag.key_hits += std::mem::take(&mut pass.key_hits);
            server.stats.defrag.key_misses += std::mem::take(&mut pass.key_misses);
        }
        let nanos = now.saturating_sub(started);
        self.defrag_share.ran(nanos, now, server.defrag.share_percent);
        server.defrag.slabs = Some(slabs);
        (server.defrag.region, server.defrag.pass) = (region, pass);
        if !goes_on && of_region {
            server.defrag.region_is_over();
        } else if !goes_on {
            // If there is to be another pass, it begins at once.
            let held = server.host.held();
            server.defrag.pass_is_over(&held, now);
            server.defrag.decide(&held, &server.config, now, &mut server.stats.defrag);
        }
        let (threshold, seconds) = (server.config.latency_monitor_threshold, server.unix_seconds());
        server.latency.add_if_needed("active-defrag-cycle", nanos / 1_000_000, threshold, seconds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nanoseconds worked within a second, where a slice takes 20 microseconds and a turn 5 more.
    fn worked(percent: u32) -> u64 {
        let (mut share, mut now, mut worked) = (DefragShare::default(), 0, 0);
        while now < 1_000_000_000 {
            if share.rests(now) {
                now = share.rest_until_nanos;
            }
            now += 20_000;
            worked += 20_000;
            share.ran(20_000, now, percent);
            now += 5_000;
        }
        worked
    }

    #[test]
    fn it_takes_its_share_of_the_time_and_rests_by_the_millisecond() {
        for percent in [1, 5, 25] {
            let (worked, allowed) = (worked(percent), u64::from(percent) * 10_000_000);
            assert!(worked <= allowed + 20_000 && worked > allowed * 9 / 10, "{percent}%: {worked}");
        }
        assert!(worked(75) > 600_000_000);
        let mut share = DefragShare::default();
        share.ran(20_000, 20_000, 25);
        assert!(!share.rests(20_001), "a rest of 60 microseconds is none");
    }
}
