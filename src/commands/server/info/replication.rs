//! INFO's section Replication.

use super::{Info, InfoText};
use crate::replication::{failover::Failover, primary::FollowerPhase, replica::Upstream};

pub(super) fn replication(info: &Info, report: &mut InfoText) {
    let (server, config) = (info.server, &info.server.config);
    let replication = &server.replication;
    match &replication.upstream {
        None => _ = report.field("role", "master"),
        Some(upstream) => {
            report.field("role", "slave");
            primary(info, upstream, report);
        }
    }
    report.field("connected_slaves", server.replicas());
    if config.min_replicas_to_write > 0 && config.min_replicas_max_lag > 0 {
        report.field("min_slaves_good_slaves", replication.good_replicas);
    }
    let shown = server.replica_links().filter_map(|(client, link)| Some((client, link, link.phase.name()?)));
    for (index, (client, link, state)) in shown.enumerate() {
        let online = matches!(link.phase, FollowerPhase::Online { .. });
        let lag = if online { server.mono_ms.saturating_sub(client.active_ms) / 1000 } else { 0 };
        let (ip, port, offset) = (client.replica_address(), link.listening_port, link.acked_offset);
        report.field(format_args!("slave{index}"), format_args!("ip={ip},port={port},state={state},offset={offset},lag={lag}"));
    }
    let stream = &replication.log;
    let (id2, id2_first) = match &replication.id2 {
        Some((id, up_to)) => (String::from_utf8_lossy(id).into_owned(), *up_to as i64 + 1),
        None => ("0".repeat(40), -1),
    };
    report
        .field("master_failover_state", Failover::name(replication.failover.as_ref()))
        .field("master_replid", String::from_utf8_lossy(&replication.id))
        .field("master_replid2", id2)
        .field("master_repl_offset", stream.end())
        .field("second_repl_offset", id2_first)
        .field("repl_backlog_active", u8::from(stream.has_backlog()))
        .field("repl_backlog_size", config.repl_backlog_size)
        .field("repl_backlog_first_byte_offset", if stream.has_backlog() { stream.first() + 1 } else { 0 })
        .field("repl_backlog_histlen", if stream.has_backlog() { stream.len() } else { 0 });
}

/// What a replica tells of its primary and of the link to it.
fn primary(info: &Info, upstream: &Upstream, report: &mut InfoText) {
    let (server, config) = (info.server, &info.server.config);
    let seconds_since = |ms: u64| server.mono_ms.saturating_sub(ms) / 1000;
    let online = upstream.is_online();
    // Before there is a history to go on from, Redis has 1 here.
    let applied = if online || upstream.resumable { server.replication.log.end() } else { 1 };
    let in_transfer = upstream.is_in_transfer();
    report
        .field("master_host", &upstream.host)
        .field("master_port", upstream.port)
        .field("master_link_status", if online { "up" } else { "down" })
        .field("master_last_io_seconds_ago", if online { seconds_since(upstream.heard_ms) as i64 } else { -1 })
        .field("master_sync_in_progress", u8::from(in_transfer))
        .field("slave_read_repl_offset", applied + upstream.unapplied as u64)
        .field("slave_repl_offset", applied);
    if in_transfer {
        let (total, read) = (upstream.transfer.total.unwrap_or(0), upstream.transfer.read);
        let percent = if total > 0 { read as f64 / total as f64 * 100.0 } else { 0.0 };
        report
            .field("master_sync_total_bytes", total)
            .field("master_sync_read_bytes", read)
            .field("master_sync_left_bytes", total as i64 - read as i64)
            .field("master_sync_perc", format_args!("{percent:.2}"))
            .field("master_sync_last_io_seconds_ago", seconds_since(upstream.heard_ms));
    }
    if !online {
        let seconds = upstream.down_since.map_or(-1, |since| server.unix_seconds() - since);
        report.field("master_link_down_since_seconds", seconds);
    }
    report
        .field("slave_priority", config.replica_priority)
        .field("slave_read_only", u8::from(config.replica_read_only))
        .field("replica_announced", u8::from(config.replica_announced));
}
