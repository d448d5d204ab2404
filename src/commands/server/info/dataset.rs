//! INFO's sections about the data: Persistence, Cluster, Keyspace.

use super::{Info, InfoText, aof::aof};
use crate::{replication::primary::FollowerPhase, state::LoadingState};

pub(super) fn persistence(info: &Info, report: &mut InfoText) {
    let (persistence, loading, now) = (&info.server.persistence, &info.server.loading, info.server.unix_seconds());
    let saving = persistence.saving.as_ref();
    // Redis has one process for both, and so one figure.
    let sending = info.server.replica_links().any(|(_, link)| matches!(link.phase, FollowerPhase::Snapshot { .. }));
    let files = &info.server.aof_files;
    let rewrite = files.rewrite.as_ref();
    // The progress of whichever is under way.
    let snapshot = saving.map(|s| &s.snapshot).or(rewrite.and_then(|r| r.base.as_ref()));
    let (keys, keys_total) = snapshot.map_or((0, 0), |s| (s.sink.borrow().keys(), s.keys_total));
    // What is copied on writes here, entries and not pages, only becomes more, and is known at any time.
    let copied = snapshot.map_or(0, |s| s.sink.borrow().early_bytes());
    report
        .field("loading", u8::from(loading.as_ref().is_some_and(|l| !l.asynchronous)))
        .field("async_loading", u8::from(loading.as_ref().is_some_and(|l| l.asynchronous)));
    report
        .field("current_cow_peak", copied)
        .field("current_cow_size", copied)
        .field("current_cow_size_age", 0)
        .field("current_fork_perc", format_args!("{:.2}", keys as f64 * 100.0 / keys_total.max(1) as f64))
        .field("current_save_keys_processed", keys)
        .field("current_save_keys_total", keys_total)
        .field("rdb_changes_since_last_save", info.server.keyspace.dirty)
        .field("rdb_bgsave_in_progress", u8::from(saving.is_some() || sending))
        .field("rdb_last_save_time", info.server.last_save_unix_seconds)
        .field("rdb_last_bgsave_status", if persistence.last_ok { "ok" } else { "err" })
        .field("rdb_last_bgsave_time_sec", persistence.last_took_seconds.unwrap_or(-1))
        .field("rdb_current_bgsave_time_sec", saving.map_or(-1, |s| now - s.snapshot.started_unix_seconds))
        .field("rdb_saves", persistence.saves)
        .field("rdb_last_cow_size", persistence.last_early_bytes)
        .field("rdb_last_load_keys_expired", persistence.loaded_expired)
        .field("rdb_last_load_keys_loaded", persistence.loaded_keys);
    aof(info, report);
    if let Some(loading) = loading {
        load_progress(loading, now, report);
    }
}

fn load_progress(loading: &LoadingState, now: i64, report: &mut InfoText) {
    // Where the size is not known, what the data took in memory stands in for it: that is too much, so it never comes to an end.
    let (expected, perc_max) = if loading.total_bytes > 0 { (loading.total_bytes, 100.0) } else { (loading.used_memory, 99.99) };
    let left = expected.saturating_sub(loading.loaded_bytes).max(u64::from(loading.total_bytes == 0));
    let perc = (loading.loaded_bytes as f64 * 100.0 / expected.max(1) as f64).min(perc_max);
    let eta_seconds = match u64::try_from(now - loading.started_unix_seconds) {
        Ok(elapsed @ 1..) => elapsed.saturating_mul(left) / (loading.loaded_bytes + 1),
        _ => 1,
    };
    report
        .field("loading_start_time", loading.started_unix_seconds)
        .field("loading_total_bytes", loading.total_bytes)
        .field("loading_rdb_used_mem", loading.used_memory)
        .field("loading_loaded_bytes", loading.loaded_bytes)
        .field("loading_loaded_perc", format_args!("{:.2}", if expected == 0 { 0.0 } else { perc }))
        .field("loading_eta_seconds", eta_seconds);
}

pub(super) fn cluster(info: &Info, report: &mut InfoText) {
    report.field("cluster_enabled", u8::from(info.server.config.cluster_enabled));
}

pub(super) fn keyspace(info: &Info, report: &mut InfoText) {
    let now_ms = info.server.unix_ms();
    for (index, db) in info.server.keyspace.iter().filter(|(_, db)| !db.is_empty()) {
        let (keys, expires, ttl) = (db.len(), db.volatile(), db.ttl_average_ms(now_ms));
        // Redis 7.2 does not have this field, so it is left out while it is 0.
        let subexpiry = match db.hashes_with_deadlines() {
            0 => String::new(),
            hashes => format!(",subexpiry={hashes}"),
        };
        report.field(format_args!("db{index}"), format_args!("keys={keys},expires={expires},avg_ttl={ttl}{subexpiry}"));
    }
}
