//! INFO's sections of counters: Stats, Commandstats, Errorstats, Latencystats, and our own Loop.

use super::{Info, InfoText};
use crate::{
    commands::{CommandId, server::latency::cumulative_levels},
    state::{
        pubsub::Topic,
        stats::{CommandStats, Histogram},
        write_gate::GateReason,
    },
};

const US: u64 = 1000;
const MS: u64 = 1_000_000;

pub(super) fn stats(info: &Info, report: &mut InfoText) {
    let (stats, keyspace, pubsub) = (&info.server.stats, &info.server.keyspace.stats, &info.server.pubsub);
    let over_since = info.server.eviction.over_since_nanos;
    let exceeded = over_since.map_or(0, |since| info.server.host.nanos().saturating_sub(since));
    let kib_a_second = |rate: f64| format!("{:.2}", rate / 1024.0);
    report
        .field("total_connections_received", stats.connections)
        .field("total_commands_processed", stats.commands)
        .field("instantaneous_ops_per_sec", stats.ops_rate.per_second() as u64)
        .field("total_net_input_bytes", stats.net_in)
        .field("total_net_output_bytes", stats.net_out)
        .field("total_net_repl_input_bytes", stats.net_repl_in)
        .field("total_net_repl_output_bytes", stats.net_repl_out)
        .field("instantaneous_input_kbps", kib_a_second(stats.in_rate.per_second()))
        .field("instantaneous_output_kbps", kib_a_second(stats.out_rate.per_second()))
        .field("instantaneous_input_repl_kbps", kib_a_second(stats.repl_in_rate.per_second()))
        .field("instantaneous_output_repl_kbps", kib_a_second(stats.repl_out_rate.per_second()))
        .field("rejected_connections", stats.rejected_connections)
        .field("sync_full", stats.sync_full)
        .field("sync_partial_ok", stats.sync_partial_ok)
        .field("sync_partial_err", stats.sync_partial_err)
        .field("expired_subkeys", keyspace.expired_fields)
        .field("expired_keys", keyspace.expired)
        // Expiry is exact: what is stale is reclaimed, not estimated.
        .field("expired_stale_perc", "0.00")
        .field("expired_time_cap_reached_count", keyspace.expired_time_cap_reached)
        .field("expire_cycle_cpu_milliseconds", keyspace.expire_cycle_nanos / MS)
        .field("evicted_keys", keyspace.evicted)
        .field("evicted_clients", stats.evicted_clients)
        .field("evicted_scripts", info.server.scripting.evicted_scripts())
        .field("total_eviction_exceeded_time", (stats.eviction_exceeded_nanos + exceeded) / MS)
        .field("current_eviction_exceeded_time", exceeded / MS)
        .field("keyspace_hits", keyspace.hits)
        .field("keyspace_misses", keyspace.misses)
        .field("pubsub_channels", pubsub.len(Topic::Channel))
        .field("pubsub_patterns", pubsub.len(Topic::Pattern))
        .field("pubsubshard_channels", pubsub.len(Topic::Shard));
    report.idle(&[("latest_fork_usec", "0"), ("total_forks", "0")]);
    report.field("migrate_cached_sockets", info.server.cached_links());
    report.field("slave_expires_tracked_keys", info.server.keyspace.own_deadlines());
    let over_ms = info.server.defrag.over_since_nanos.map_or(0, |since| info.server.host.nanos().saturating_sub(since) / MS);
    report
        .field("active_defrag_hits", stats.defrag.hits)
        .field("active_defrag_misses", stats.defrag.misses)
        .field("active_defrag_key_hits", stats.defrag.key_hits)
        .field("active_defrag_key_misses", stats.defrag.key_misses)
        .field("total_active_defrag_time", stats.defrag.over_nanos / MS + over_ms)
        .field("current_active_defrag_time", over_ms);
    let tracked = &info.server.keyspace.tracked;
    report
        .field("tracking_total_keys", tracked.keys())
        .field("tracking_total_items", tracked.items())
        .field("tracking_total_prefixes", tracked.prefixes());
    report.idle(&[("unexpected_error_replies", "0")]);
    let turns_a_second = stats.turn_rate.per_second();
    let nanos_a_turn = if turns_a_second > 0.0 { stats.turn_nanos_rate.per_second() / turns_a_second } else { 0.0 };
    report
        .field("total_error_replies", stats.errors)
        .field("dump_payload_sanitizations", 0)
        .field("total_reads_processed", stats.reads)
        .field("total_writes_processed", stats.writes)
        .field("io_threaded_reads_processed", 0)
        .field("io_threaded_writes_processed", 0)
        .field("client_query_buffer_limit_disconnections", stats.input_limit_closes)
        .field("client_output_buffer_limit_disconnections", stats.output_limit_closes)
        .field("reply_buffer_shrinks", 0)
        .field("reply_buffer_expands", 0)
        .field("eventloop_cycles", stats.turns.count())
        .field("eventloop_duration_sum", stats.turns.sum() / US)
        .field("eventloop_duration_cmd_sum", stats.commands_nanos / US)
        .field("instantaneous_eventloop_cycles_per_sec", turns_a_second as u64)
        .field("instantaneous_eventloop_duration_usec", nanos_a_turn as u64 / US)
        .field("acl_access_denied_auth", stats.auth_denied)
        .field("acl_access_denied_cmd", stats.commands_denied)
        .field("acl_access_denied_key", stats.keys_denied)
        .field("acl_access_denied_channel", stats.channels_denied)
        .field("acl_access_denied_tls_cert", stats.certificates_denied)
        .field("acl_access_denied_db", stats.databases_denied);
}

/// Every command with its counters, a container's subcommands behind it.
fn counted<'a>(info: &'a Info) -> impl Iterator<Item = (&'a str, &'a CommandStats)> {
    let with_subcommands = |id: CommandId| std::iter::once(id).chain(info.registry.subcommands(id).iter().copied());
    let ids = info.registry.top_level().flat_map(with_subcommands);
    ids.filter_map(|id| Some((info.registry.full_name(id), info.server.stats.by_command.get(usize::from(id))?)))
}

pub(super) fn commandstats(info: &Info, report: &mut InfoText) {
    for (name, stats) in counted(info).filter(|(_, s)| s.calls + s.rejected + s.failed > 0) {
        let CommandStats { calls, rejected, failed, .. } = stats;
        let usec = stats.nanos / US;
        let usec_per_call = usec as f64 / (*calls).max(1) as f64;
        report.field(
            format_args!("cmdstat_{name}"),
            format_args!("calls={calls},usec={usec},usec_per_call={usec_per_call:.2},rejected_calls={rejected},failed_calls={failed}"),
        );
    }
}

pub(super) fn errorstats(info: &Info, report: &mut InfoText) {
    for (code, count) in &info.server.stats.errors_by_code {
        // A script can make up a code; what would break the line's form is replaced as Redis does it.
        let code = code.replace(['#', ':', '\n', '\r'], "_");
        report.field(format_args!("errorstat_{code}"), format_args!("count={count}"));
    }
}

pub(super) fn latencystats(info: &Info, report: &mut InfoText) {
    let config = &info.server.config;
    if !config.latency_tracking {
        return;
    }
    for (name, stats) in counted(info) {
        if let Some(histogram) = &stats.histogram {
            let percentiles = percentiles(histogram, &config.latency_tracking_info_percentiles);
            report.field(format_args!("latency_percentiles_usec_{name}"), percentiles);
        }
    }
}

/// `p50=1.003,p99.9=2.007`: microseconds that so many percent do not exceed.
fn percentiles(histogram: &Histogram, percents: &[f64]) -> String {
    let one = |percent: &f64| {
        let label = format!("{percent:.6}");
        let label = label.trim_end_matches('0').trim_end_matches('.');
        format!("p{label}={:.3}", histogram.percentile(*percent) as f64 / US as f64)
    };
    percents.iter().map(one).collect::<Vec<_>>().join(",")
}

/// What Redis's developers look at.
pub(super) fn debug(info: &Info, report: &mut InfoText) {
    let stats = &info.server.stats;
    report
        .field("eventloop_duration_aof_sum", stats.aof_nanos / US)
        .field("eventloop_duration_cron_sum", stats.cron_nanos / US)
        .field("eventloop_duration_max", stats.turns.max() / US)
        .field("eventloop_cmd_per_cycle_max", stats.turn_commands_max);
}

/// How long the poll loop's turns take, without the wait for events, and why writes do not go through, if they do not.
///
/// A turn of up to 100 us by the wall clock is counted with that; of a longer one it is CPU time that counts, to which no neighbour on the machine can add.
pub(super) fn poll_loop(info: &Info, report: &mut InfoText) {
    let turns = &info.server.stats.turns;
    let usec = |nanos: u64| format!("{:.3}", nanos as f64 / US as f64);
    let levels = cumulative_levels(turns).iter().map(|(micros, count)| format!("{micros}={count}")).collect::<Vec<_>>();
    report
        .field("loop_turns", turns.count())
        .field("loop_turn_cpu_usec_sum", turns.sum() / US)
        .field("loop_turn_cpu_usec_max", usec(turns.max()))
        .field("loop_turn_cpu_usec_percentiles", percentiles(turns, &[50.0, 99.0, 99.9]))
        // Turns that took at most so many microseconds; the last level is all of them.
        .field("loop_turn_cpu_usec_histogram", levels.join(","));
    let reasons = info.server.write_gate().reasons().map(GateReason::name).collect::<Vec<_>>();
    report.field("write_gate", if reasons.is_empty() { "open".to_owned() } else { reasons.join(",") });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_labelled_without_trailing_zeros() {
        let mut histogram = Histogram::default();
        histogram.add(1000);
        assert_eq!(percentiles(&histogram, &[50.0, 99.9, 100.0, 0.0]), "p50=1.000,p99.9=1.000,p100=1.000,p0=1.000");
        assert_eq!(percentiles(&histogram, &[]), "");
    }
}
