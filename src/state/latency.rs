//! LATENCY: events that took longer than the monitor's threshold, as a short history each.

use std::collections::BTreeMap;

/// Samples kept an event.
const HISTORY: usize = 160;

/// One second's worst sample.
#[derive(Clone, Copy, Default)]
pub struct Sample {
    /// Unix time in seconds.
    pub unix_seconds: i64,
    /// How long it took.
    pub latency_ms: u32,
}

/// One event's history.
#[derive(Default, Clone)]
pub struct Series {
    samples: Vec<Sample>,
    next: usize,
    /// The longest ever.
    pub max_ms: u32,
}

impl Series {
    /// Oldest first.
    pub fn iter(&self) -> impl Iterator<Item = Sample> {
        let split = if self.samples.len() < HISTORY { 0 } else { self.next };
        let (newer, older) = self.samples.split_at(split);
        older.iter().chain(newer).copied()
    }

    /// The newest sample.
    pub fn last(&self) -> Sample {
        self.iter().last().unwrap_or_default()
    }

    fn add(&mut self, sample: Sample) {
        self.max_ms = self.max_ms.max(sample.latency_ms);
        let newest = (self.next + HISTORY - 1) % HISTORY;
        if let Some(last) = self.samples.get_mut(newest)
            && last.unix_seconds == sample.unix_seconds
        {
            last.latency_ms = last.latency_ms.max(sample.latency_ms);
            return;
        }
        match self.samples.get_mut(self.next) {
            Some(oldest) => *oldest = sample,
            None => self.samples.push(sample),
        }
        self.next = (self.next + 1) % HISTORY;
    }
}

/// All events.
#[derive(Default)]
pub struct LatencyMonitor {
    series: BTreeMap<&'static str, Series>,
}

impl LatencyMonitor {
    /// Records an event when monitoring is on and it took at least `threshold_ms` (0: off).
    #[inline]
    pub fn add_if_needed(&mut self, event: &'static str, latency_ms: u64, threshold_ms: u64, unix_seconds: i64) {
        if threshold_ms != 0 && latency_ms >= threshold_ms {
            let latency_ms = latency_ms.min(u64::from(u32::MAX)) as u32;
            self.series.entry(event).or_default().add(Sample { unix_seconds, latency_ms });
        }
    }

    /// Events by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&'static str, &Series)> {
        self.series.iter().map(|(name, series)| (*name, series))
    }

    /// One event's history.
    pub fn get(&self, event: &str) -> Option<&Series> {
        self.series.get(event)
    }

    /// Forgets one event, or all; returns how many.
    pub fn reset(&mut self, event: Option<&str>) -> usize {
        match event {
            Some(name) => usize::from(self.series.remove(name).is_some()),
            None => std::mem::take(&mut self.series).len(),
        }
    }
}
