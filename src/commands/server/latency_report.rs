//! LATENCY DOCTOR: the latency events in words, and what may help against them.

use crate::{
    config::Config,
    state::latency::{LatencyMonitor, Series},
};
use std::fmt::Write;

/// What a history comes to.
#[derive(Debug, PartialEq)]
struct Summary {
    samples: u64,
    average_ms: u64,
    /// Mean distance from the average.
    deviation_ms: u64,
    /// Mean time from sample to sample.
    period_seconds: f64,
}

fn summarize(series: &Series, now_seconds: i64) -> Summary {
    let values = || series.iter().map(|s| u64::from(s.latency_ms));
    let samples = values().count() as u64;
    let average_ms = values().sum::<u64>() / samples.max(1);
    let oldest = series.iter().map(|s| s.unix_seconds).min().unwrap_or(now_seconds);
    Summary {
        samples,
        average_ms,
        deviation_ms: values().map(|v| v.abs_diff(average_ms)).sum::<u64>() / samples.max(1),
        period_seconds: (now_seconds - oldest).max(1) as f64 / samples.max(1) as f64,
    }
}

/// What may help against an event, most promising first.
fn advice(event: &str, config: &Config) -> Vec<String> {
    let slowlog = config.slowlog_log_slower_than;
    let threshold_us = config.latency_monitor_threshold.saturating_mul(1000);
    let mut advice = Vec::new();
    match event {
        "command" => {
            if slowlog < 0 {
                advice.push(format!(
                    "The slow log is off, so the commands that took long are not known by name. Turn it on: CONFIG SET slowlog-log-slower-than {threshold_us}"
                ));
            } else if slowlog.unsigned_abs() > threshold_us {
                advice.push(format!(
                    "The slow log passes over commands that are slow enough to be an event here. Lower its threshold: CONFIG SET slowlog-log-slower-than {threshold_us}"
                ));
            }
            advice.push("See which commands took long: SLOWLOG GET. What takes time proportional to a large value (KEYS, SMEMBERS, SORT, long ranges) has a cursor or a bounded form: SCAN, SSCAN, HSCAN, ZSCAN.".to_owned());
        }
        "fast-command" => advice.push(
            "Commands that do little took long, so the process was probably not running: look for other work on the same processors, for swapping, and for a busy hypervisor (steal time)."
                .to_owned(),
        ),
        "expire-cycle" | "eviction-cycle" | "eviction-del" => advice.push(
            "Many keys, or very large ones, went away together. Spread the deadlines of keys that are written together, split very large values, and leave maxmemory some headroom before large writes."
                .to_owned(),
        ),
        _ if event.starts_with("aof-") || event.starts_with("rdb-") => advice.push(
            "The disk was slow. Let nothing else write to it, prefer a local solid-state disk, and prefer appendfsync everysec to always where losing a second is acceptable."
                .to_owned(),
        ),
        _ => {}
    }
    advice
}

/// The report; `now_seconds` is Unix time.
pub fn write(monitor: &LatencyMonitor, config: &Config, now_seconds: i64) -> String {
    let mut events = monitor.iter().peekable();
    if events.peek().is_none() {
        return if config.latency_monitor_threshold == 0 {
            "Latency events are not recorded. To record those of, say, 100 milliseconds and more: CONFIG SET latency-monitor-threshold 100\n"
                .to_owned()
        } else {
            format!("Nothing has taken {} milliseconds or more so far.\n", config.latency_monitor_threshold)
        };
    }
    let mut report = "Latency events seen:\n\n".to_owned();
    let mut all_advice: Vec<String> = Vec::new();
    for (i, (event, series)) in events.enumerate() {
        let Summary { samples, average_ms, deviation_ms, period_seconds } = summarize(series, now_seconds);
        let _ = writeln!(
            report,
            "{}. {event}: {samples} samples of {average_ms} ms on average (mean deviation {deviation_ms} ms), one in {period_seconds:.2} s; the worst ever {} ms.",
            i + 1,
            series.max_ms
        );
        for advice in advice(event, config) {
            if !all_advice.contains(&advice) {
                all_advice.push(advice);
            }
        }
    }
    report.push_str(if all_advice.is_empty() { "\nNo remedy is known for these.\n" } else { "\nWhat may help:\n\n" });
    for advice in all_advice {
        let _ = writeln!(report, "- {advice}");
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    fn monitor(samples: &[(&'static str, u64, i64)]) -> LatencyMonitor {
        let mut monitor = LatencyMonitor::default();
        for (event, latency_ms, unix_seconds) in samples {
            monitor.add_if_needed(event, *latency_ms, 1, *unix_seconds);
        }
        monitor
    }

    #[test]
    fn without_events_it_says_why() {
        let mut config = Config::default();
        assert!(write(&monitor(&[]), &config, 0).contains("CONFIG SET latency-monitor-threshold"));
        config.latency_monitor_threshold = 5;
        assert_eq!(write(&monitor(&[]), &config, 0), "Nothing has taken 5 milliseconds or more so far.\n");
    }

    #[test]
    fn an_event_is_summed_up_and_advised_on() {
        let monitor = monitor(&[("command", 100, 1000), ("command", 300, 1010)]);
        let config = Config { latency_monitor_threshold: 5, ..Config::default() };
        let report = write(&monitor, &config, 1020);
        let line = "1. command: 2 samples of 200 ms on average (mean deviation 100 ms), one in 10.00 s; the worst ever 300 ms.\n";
        assert!(report.contains(line), "{report}");
        assert!(report.contains("CONFIG SET slowlog-log-slower-than 5000"), "{report}");
    }
}
