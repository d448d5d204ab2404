//! LATENCY: events that took too long, and how long commands take.

use super::{container, help, latency_report, sparkline};
use crate::{
    commands::{
        Command, CommandId, Ctx,
        command::{Group, command, flags::*},
    },
    state::{latency::Series, stats::Histogram},
};

fn doctor(ctx: &mut Ctx) {
    let report = latency_report::write(&ctx.server.latency, &ctx.server.config, ctx.server.unix_seconds());
    ctx.out.verbatim("txt", report.as_bytes());
}

/// The events are few and have names of our own, so a client's bytes that are no text name none.
fn series_of<'a>(ctx: &'a Ctx, event: &[u8]) -> Option<&'a Series> {
    ctx.server.latency.get(str::from_utf8(event).ok()?)
}

fn graph(ctx: &mut Ctx) {
    let event = ctx.arg(2);
    let Some(series) = series_of(ctx, event) else {
        return ctx.error([b"ERR No samples available for event '", event, b"'"].concat());
    };
    let now = ctx.server.unix_seconds();
    let samples: Vec<_> = series.iter().map(|s| (s.latency_ms, age(now - s.unix_seconds))).collect();
    let high = samples.iter().map(|s| s.0).max().unwrap_or(0);
    let low = samples.iter().map(|s| s.0).min().unwrap_or(0);
    let mut text = event.to_vec();
    text.extend(format!(" - high {high} ms, low {low} ms (all time high {} ms)\n", series.max_ms).into_bytes());
    text.extend([b'-'; sparkline::COLUMNS]);
    text.push(b'\n');
    text.extend(sparkline::draw(&samples).into_bytes());
    ctx.out.verbatim("txt", &text);
}

/// Seconds in the largest unit that they fill.
fn age(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86400),
    }
}

fn history(ctx: &mut Ctx) {
    let samples: Vec<_> = series_of(ctx, ctx.arg(2)).into_iter().flat_map(Series::iter).collect();
    ctx.out.array(samples.len());
    for sample in samples {
        ctx.out.array(2);
        ctx.out.int(sample.unix_seconds);
        ctx.out.int(sample.latency_ms.into());
    }
}

fn latest(ctx: &mut Ctx) {
    let events = ctx.server.latency.iter();
    ctx.out.array(events.len());
    for (event, series) in events {
        let last = series.last();
        ctx.out.array(4);
        ctx.out.bulk(event.as_bytes());
        ctx.out.int(last.unix_seconds);
        ctx.out.int(last.latency_ms.into());
        ctx.out.int(series.max_ms.into());
    }
}

fn reset(ctx: &mut Ctx) {
    if ctx.argc() == 2 {
        let count = ctx.server.latency.reset(None);
        return ctx.out.len_int(count);
    }
    let mut count = 0;
    for wanted in ctx.args.skip(2).iter() {
        let event = ctx.server.latency.iter().map(|(event, _)| event).find(|e| e.as_bytes().eq_ignore_ascii_case(wanted));
        count += event.map_or(0, |event| ctx.server.latency.reset(Some(event)));
    }
    ctx.out.len_int(count);
}

fn histogram(ctx: &mut Ctx) {
    let named: Vec<CommandId> = if ctx.argc() == 2 {
        ctx.registry.top_level().collect()
    } else {
        ctx.args.skip(2).iter().filter_map(|name| find(ctx, name)).collect()
    };
    let with_subcommands = named.iter().flat_map(|id| std::iter::once(id).chain(ctx.registry.subcommands(*id)));
    let by_command = &ctx.server.stats.by_command;
    let histogram_of = |id: &CommandId| by_command.get(usize::from(*id))?.histogram.as_ref().map(|h| (*id, h));
    let histograms: Vec<_> = with_subcommands.filter_map(histogram_of).collect();
    ctx.out.map(histograms.len());
    for (id, histogram) in histograms {
        ctx.out.bulk(ctx.registry.full_name(id).as_bytes());
        ctx.out.map(2);
        ctx.out.bulk(b"calls");
        ctx.out.int(histogram.count() as i64);
        ctx.out.bulk(b"histogram_usec");
        let levels = cumulative_levels(histogram);
        ctx.out.map(levels.len());
        for (micros, count) in levels {
            ctx.out.int(micros as i64);
            ctx.out.int(count as i64);
        }
    }
}

/// The command, or `container|subcommand`, of this name.
fn find(ctx: &Ctx, name: &[u8]) -> Option<CommandId> {
    match name.iter().position(|b| *b == b'|') {
        None => ctx.registry.find(name),
        Some(at) => ctx.registry.find_sub(ctx.registry.find(&name[..at])?, &name[at + 1..]),
    }
}

/// How many calls took at most so many microseconds, for levels that double from 1024 ns on; levels that add no call are left out.
pub(super) fn cumulative_levels(histogram: &Histogram) -> Vec<(u64, u64)> {
    /// The last level is the first beyond a second: longer calls are counted as that.
    const LAST: u32 = 20;
    let (mut levels, mut before) = (Vec::new(), 0);
    for power in 0..=LAST {
        let nanos = 1024u64 << power;
        let count = if power == LAST { histogram.count() } else { histogram.at_most(nanos - 1) };
        if count > before {
            // Redis names a level by the end of its histogram's bucket that begins there, a 128th above.
            levels.push(((nanos + nanos / 128 - 1) / 1000, count));
            before = count;
        }
    }
    levels
}

fn help_text(ctx: &mut Ctx) {
    help(
        ctx,
        &[
            "DOCTOR",
            "    Explain the latency events seen, and say what may help.",
            "GRAPH <event>",
            "    Draw the history of an event.",
            "HISTORY <event>",
            "    Show the history of an event: Unix times and milliseconds.",
            "LATEST",
            "    Show the latest sample of every event.",
            "RESET [<event> ...]",
            "    Forget these events, or all of them.",
            "HISTOGRAM [<command> ...]",
            "    Show how long the calls of these commands took, or of all commands that were called.",
        ],
    );
}

const FLAGS: u64 = ADMIN | NOSCRIPT | LOADING | STALE;
const TIPS: &[&str] = &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"];

/// The rows of this group.
pub const COMMANDS: &[Command] = &[command("latency", container, -2, 0)
    .since(Group::Server, "2.8.13")
    .doc("Holds the commands about latency.", "Depends on subcommand.")
    .subcommands(&[
        command("doctor", doctor, 2, FLAGS)
            .since(Group::Server, "2.8.13")
            .doc("Explains the latency events seen, for a person to read.", "O(1)")
            .tips(TIPS),
        command("graph", graph, 3, FLAGS)
            .since(Group::Server, "2.8.13")
            .doc("Draws the history of a latency event.", "O(1)")
            .args("event")
            .tips(TIPS),
        command("help", help_text, 2, LOADING | STALE).since(Group::Server, "2.8.13").doc("Explains the subcommands.", "O(1)"),
        command("histogram", histogram, -2, FLAGS)
            .since(Group::Server, "7.0.0")
            .doc("Shows how long calls of commands took, as a cumulative distribution.", "O(N) where N is the number of commands shown")
            .args("[command ...]")
            .tips(TIPS),
        command("history", history, 3, FLAGS)
            .since(Group::Server, "2.8.13")
            .doc("Shows the history of a latency event.", "O(1)")
            .args("event")
            .tips(TIPS),
        command("latest", latest, 2, FLAGS)
            .since(Group::Server, "2.8.13")
            .doc("Shows the latest sample of every latency event.", "O(1)")
            .tips(TIPS),
        command("reset", reset, -2, FLAGS)
            .since(Group::Server, "2.8.13")
            .doc("Forgets latency events.", "O(1)")
            .args("[event ...]")
            .tips(&["request_policy:all_nodes", "response_policy:agg_sum"]),
    ])];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_of_a_sample_is_in_the_largest_unit_it_fills() {
        let ages = [0, 59, 60, 3599, 3600, 86399, 86400, 200_000].map(age);
        assert_eq!(ages, ["0s", "59s", "1m", "59m", "1h", "23h", "1d", "2d"]);
    }

    #[test]
    fn levels_double_and_count_all_that_is_not_longer() {
        let mut histogram = Histogram::default();
        assert_eq!(cumulative_levels(&histogram), []);
        for nanos in [500, 900, 1500, 30_000, 5_000_000_000] {
            histogram.add(nanos);
        }
        assert_eq!(cumulative_levels(&histogram), [(1, 2), (2, 3), (33, 4), (1_082_130, 5)]);
    }
}
