//! INFO's fields about our primary, in the Replication section of a replica.

use super::{Info, Report};

pub(super) fn upstream(info: &Info, report: &mut Report) {
    let (server, config) = (info.server, &info.server.config);
    let Some(upstream) = &server.replication.upstream else { return };
    let silent_seconds = server.mono_ms.saturating_sub(upstream.heard_ms) / 1000;
    let status = if upstream.is_online() { "up" } else { "down" };
    // As Redis has it: 1 where nothing is known that could be gone on from.
    let applied = if upstream.is_online() || upstream.resumable { server.replication.stream.end() } else { 1 };
    report
        .field("master_host", &upstream.host)
        .field("master_port", upstream.port)
        .field("master_link_status", status)
        .field("master_last_io_seconds_ago", if upstream.is_online() { silent_seconds as i64 } else { -1 })
        .field("master_sync_in_progress", u8::from(upstream.is_in_transfer()))
        .field("slave_read_repl_offset", applied + upstream.unapplied.len() as u64)
        .field("slave_repl_offset", applied);
    if upstream.is_in_transfer() {
        let (total, read) = (upstream.transfer.total.unwrap_or(0), upstream.transfer.read);
        let percent = if total == 0 { 0.0 } else { read as f64 / total as f64 * 100.0 };
        report
            .field("master_sync_total_bytes", total)
            .field("master_sync_read_bytes", read)
            .field("master_sync_left_bytes", total as i64 - read as i64)
            .field("master_sync_perc", format_args!("{percent:.2}"))
            .field("master_sync_last_io_seconds_ago", silent_seconds);
    }
    if !upstream.is_online() {
        report.field("master_link_down_since_seconds", upstream.down_since.map_or(-1, |since| server.unix_seconds() - since));
    }
    report
        .field("slave_priority", config.replica_priority)
        .field("slave_read_only", u8::from(config.replica_read_only))
        .field("replica_announced", u8::from(config.replica_announced));
}
