//! Counters that INFO shows, and a histogram of durations.

use super::defrag::DefragStats;

/// A log-linear histogram of durations in nanoseconds: 4 buckets a doubling, so a value is known to within 25%.
#[derive(Clone)]
pub struct Histogram {
    counts: Box<[u64]>,
    count: u64,
    sum: u64,
    max: u64,
}

const SUB_BITS: u32 = 2;
const BUCKETS: usize = 64 << SUB_BITS;

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS].into_boxed_slice(), count: 0, sum: 0, max: 0 }
    }
}

#[inline]
fn bucket_of(nanos: u64) -> usize {
    let n = nanos.max(1 << SUB_BITS);
    let log = n.ilog2();
    // No term is over 8 bits.
    u64::from(log << SUB_BITS).wrapping_add(n >> (log - SUB_BITS)).wrapping_sub(1 << SUB_BITS) as usize
}

/// The largest value that falls into bucket `index`.
fn bucket_top(index: usize) -> u64 {
    let (log, sub) = ((index >> SUB_BITS) as u32, (index & ((1 << SUB_BITS) - 1)) as u64);
    if log < SUB_BITS {
        return 1 << SUB_BITS;
    }
    (((1u128 << SUB_BITS) + u128::from(sub) + 1) << (log - SUB_BITS)).min(u128::from(u64::MAX)) as u64 - 1
}

impl Histogram {
    /// Counts one duration.
    #[inline]
    pub fn add(&mut self, nanos: u64) {
        let count = &mut self.counts[bucket_of(nanos)];
        // One by one, no 64-bit counter comes to its end.
        *count = count.wrapping_add(1);
        self.count = self.count.wrapping_add(1);
        self.sum = self.sum.saturating_add(nanos);
        self.max = self.max.max(nanos);
    }

    /// Durations counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// All of them together, in nanoseconds.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// The longest, in nanoseconds.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The duration that `percent` of all do not exceed, in nanoseconds, to within 25%.
    pub fn percentile(&self, percent: f64) -> u64 {
        let wanted = ((percent / 100.0 * self.count as f64).ceil() as u64).clamp(1, self.count.max(1));
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return bucket_top(index).min(self.max);
            }
        }
        self.max
    }

    /// How many durations are at most `nanos`, to within a bucket.
    pub fn at_most(&self, nanos: u64) -> u64 {
        let top = bucket_of(nanos);
        self.counts[..=top].iter().sum()
    }
}

/// Counters of one command.
#[derive(Clone, Default)]
pub struct CommandStats {
    /// Times it ran.
    pub calls: u64,
    /// Nanoseconds it took in all.
    pub nanos: u64,
    /// Times it was refused before it ran.
    pub rejected: u64,
    /// Times it ran and answered with an error.
    pub failed: u64,
    /// How long it took (`latency-tracking`).
    pub histogram: Option<Histogram>,
}

/// Samples of a rate, as INFO's `instantaneous_*` fields show them: the mean of the last 16.
#[derive(Clone, Default)]
pub struct Rate {
    samples: [f64; 16],
    next: usize,
    last_value: u64,
    last_ms: u64,
}

impl Rate {
    /// Notes what the counter stands at.
    pub fn sample(&mut self, value: u64, now_ms: u64) {
        let elapsed = now_ms.saturating_sub(self.last_ms).max(1);
        self.samples[self.next] = value.saturating_sub(self.last_value) as f64 * 1000.0 / elapsed as f64;
        self.next = (self.next + 1) % self.samples.len();
        (self.last_value, self.last_ms) = (value, now_ms);
    }

    /// The mean a second.
    pub fn per_second(&self) -> f64 {
        self.samples.iter().sum::<f64>() / self.samples.len() as f64
    }
}

/// Counters that CONFIG RESETSTAT puts back to zero.
#[derive(Clone, Default)]
pub struct Stats {
    /// Connections accepted.
    pub connections: u64,
    /// Connections refused for `maxclients`.
    pub rejected_connections: u64,
    /// Commands run.
    pub commands: u64,
    /// Bytes received.
    pub net_in: u64,
    /// Bytes sent.
    pub net_out: u64,
    /// Full synchronisations begun.
    pub sync_full: u64,
    /// Replicas that could go on from where they were.
    pub sync_partial_ok: u64,
    /// Replicas that wanted to and could not.
    pub sync_partial_err: u64,
    /// Bytes received from our primary, of those received.
    pub net_repl_in: u64,
    /// Bytes sent to replicas, of those sent.
    pub net_repl_out: u64,
    /// Clients closed because their input grew beyond its limit.
    pub input_limit_closes: u64,
    /// Clients closed because their output grew beyond its limit.
    pub output_limit_closes: u64,
    /// Error replies.
    pub errors: u64,
    /// The beginning of the last one.
    pub last_error: Vec<u8>,
    /// Error replies by code.
    pub errors_by_code: std::collections::BTreeMap<String, u64>,
    /// Read events, and write events, handled.
    pub reads: u64,
    /// Writes handled.
    pub writes: u64,
    /// Objects freed in slices.
    pub lazyfreed: u64,
    /// Active defragmentation.
    pub defrag: DefragStats,
    /// Turns of the poll loop, and their CPU time.
    pub turns: Histogram,
    /// Nanoseconds the loop spent in commands.
    pub commands_nanos: u64,
    /// The most commands of one turn, and what `commands` was at this turn's beginning.
    pub turn_commands_max: u64,
    /// See [`Stats::turn_commands_max`].
    pub commands_before_turn: u64,
    /// Nanoseconds that the cron took.
    pub cron_nanos: u64,
    /// Nanoseconds that handing the append-only file's bytes to the disk took.
    pub aof_nanos: u64,
    /// Commands a second.
    pub ops_rate: Rate,
    /// Bytes in a second.
    pub in_rate: Rate,
    /// Bytes out a second.
    pub out_rate: Rate,
    /// Bytes in a second from our primary.
    pub repl_in_rate: Rate,
    /// Bytes out a second to replicas.
    pub repl_out_rate: Rate,
    /// Turns of the poll loop a second.
    pub turn_rate: Rate,
    /// Nanoseconds of CPU time a second that turns of the poll loop took.
    pub turn_nanos_rate: Rate,
    /// Highest `used_memory` seen.
    pub peak_memory: usize,
    /// Unix seconds of that.
    pub peak_memory_unix_seconds: i64,
    /// Clients closed for the memory that all of them took.
    pub evicted_clients: u64,
    /// Nanoseconds in which more memory was used than `maxmemory` allows, up to the last time that it was not.
    pub eviction_exceeded_nanos: u64,
    /// AUTH and HELLO AUTH that were refused.
    pub auth_denied: u64,
    /// Clients whose certificate names no user that may authenticate.
    pub certificates_denied: u64,
    /// Commands that their users may not run.
    pub commands_denied: u64,
    /// Commands with keys that their users may not access.
    pub keys_denied: u64,
    /// Commands with channels that their users may not use.
    pub channels_denied: u64,
    /// Commands for databases that their users may not use.
    pub databases_denied: u64,
    /// Counters of each command, by registry index.
    pub by_command: Vec<CommandStats>,
}

impl Stats {
    /// Counts the commands of a turn that has come to its end.
    pub fn turn_ended(&mut self) {
        // CONFIG RESETSTAT may have put the counter back to zero.
        let commands = self.commands.saturating_sub(self.commands_before_turn);
        self.turn_commands_max = self.turn_commands_max.max(commands);
        self.commands_before_turn = self.commands;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_right_to_within_a_quarter() {
        let mut histogram = Histogram::default();
        (1..=10_000u64).for_each(|n| histogram.add(n * 100));
        for percent in [1.0, 50.0, 99.0, 99.9] {
            let (got, exact) = (histogram.percentile(percent) as f64, percent * 10_000.0);
            assert!(got >= exact && got <= exact * 1.25, "p{percent}: {got} for {exact}");
        }
        assert_eq!(histogram.percentile(100.0), 1_000_000);
        histogram.add(u64::MAX);
        assert_eq!(histogram.max(), u64::MAX);
    }
}
