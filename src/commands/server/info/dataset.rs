//! INFO's sections about the data: Persistence, Cluster, Keyspace.

use super::{Info, Report};

pub(super) fn persistence(info: &Info, report: &mut Report) {
    report.idle(&[
        ("loading", "0"),
        ("async_loading", "0"),
        ("current_cow_peak", "0"),
        ("current_cow_size", "0"),
        ("current_cow_size_age", "0"),
        ("current_fork_perc", "0.00"),
        ("current_save_keys_processed", "0"),
        ("current_save_keys_total", "0"),
    ]);
    report
        .field("rdb_changes_since_last_save", info.server.keyspace.dirty)
        .field("rdb_bgsave_in_progress", 0)
        .field("rdb_last_save_time", info.server.last_save_unix_seconds);
    report.idle(&[
        ("rdb_last_bgsave_status", "ok"),
        ("rdb_last_bgsave_time_sec", "-1"),
        ("rdb_current_bgsave_time_sec", "-1"),
        ("rdb_saves", "0"),
        ("rdb_last_cow_size", "0"),
        ("rdb_last_load_keys_expired", "0"),
        ("rdb_last_load_keys_loaded", "0"),
        ("aof_enabled", "0"),
        ("aof_rewrite_in_progress", "0"),
        ("aof_rewrite_scheduled", "0"),
        ("aof_last_rewrite_time_sec", "-1"),
        ("aof_current_rewrite_time_sec", "-1"),
        ("aof_last_bgrewrite_status", "ok"),
        ("aof_rewrites", "0"),
        ("aof_rewrites_consecutive_failures", "0"),
        ("aof_last_write_status", "ok"),
        ("aof_last_cow_size", "0"),
        ("module_fork_in_progress", "0"),
        ("module_fork_last_cow_size", "0"),
    ]);
}

pub(super) fn cluster(info: &Info, report: &mut Report) {
    report.field("cluster_enabled", u8::from(info.server.config.cluster_enabled));
}

pub(super) fn keyspace(info: &Info, report: &mut Report) {
    let now_ms = info.server.unix_ms();
    for (index, db) in info.server.keyspace.iter().filter(|(_, db)| !db.is_empty()) {
        let (keys, expires, ttl) = (db.len(), db.volatile(), db.ttl_average_ms(now_ms));
        report.field(format_args!("db{index}"), format_args!("keys={keys},expires={expires},avg_ttl={ttl}"));
    }
}
