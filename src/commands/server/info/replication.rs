//! INFO's section Replication.

use super::{Info, Report};
use crate::replication::{failover::Failover, primary::Phase};

pub(super) fn replication(info: &Info, report: &mut Report) {
    let (server, config) = (info.server, &info.server.config);
    let replication = &server.replication;
    report.field("role", if replication.upstream.is_some() { "slave" } else { "master" });
    super::upstream::upstream(info, report);
    report.field("connected_slaves", server.replicas());
    if config.min_replicas_to_write > 0 && config.min_replicas_max_lag > 0 {
        report.field("min_slaves_good_slaves", replication.good_replicas);
    }
    let shown = server.replica_links().filter_map(|(client, link)| Some((client, link, link.phase.name()?)));
    for (index, (client, link, state)) in shown.enumerate() {
        let online = matches!(link.phase, Phase::Online { .. });
        let lag = if online { server.mono_ms.saturating_sub(client.active_ms) / 1000 } else { 0 };
        let (ip, port, offset) = (client.replica_address(), link.listening_port, link.acked_offset);
        report.field(format_args!("slave{index}"), format_args!("ip={ip},port={port},state={state},offset={offset},lag={lag}"));
    }
    let stream = &replication.stream;
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
        .field("repl_backlog_active", u8::from(stream.is_open()))
        .field("repl_backlog_size", config.repl_backlog_size)
        .field("repl_backlog_first_byte_offset", if stream.is_open() { stream.first() + 1 } else { 0 })
        .field("repl_backlog_histlen", stream.len());
}
