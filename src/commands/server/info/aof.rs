//! INFO's fields about the append-only file, in the section Persistence.

use super::{Info, InfoText};
use crate::state::aof::AofPhase;

pub(super) fn aof(info: &Info, report: &mut InfoText) {
    let (aof, files, now) = (&info.server.aof, &info.server.aof_files, info.server.unix_seconds());
    report
        .field("aof_enabled", u8::from(aof.phase != AofPhase::Off))
        .field("aof_rewrite_in_progress", u8::from(files.is_rewriting()))
        .field("aof_rewrite_scheduled", u8::from(files.scheduled))
        .field("aof_last_rewrite_time_sec", files.last_took_seconds.unwrap_or(-1))
        .field("aof_current_rewrite_time_sec", files.rewrite.as_ref().map_or(-1, |rewrite| now - rewrite.started_unix_seconds))
        .field("aof_last_bgrewrite_status", if files.last_failed { "err" } else { "ok" })
        .field("aof_rewrites", files.rewrites)
        .field("aof_rewrites_consecutive_failures", files.failures)
        .field("aof_last_write_status", if aof.is_written() { "ok" } else { "err" })
        .field("aof_last_cow_size", files.last_early_bytes);
    report.idle(&[("module_fork_in_progress", "0"), ("module_fork_last_cow_size", "0")]);
    if aof.phase != AofPhase::Off || info.server.config.appendonly {
        report
            .field("aof_current_size", info.server.aof_size())
            .field("aof_base_size", files.base_size)
            .field("aof_pending_rewrite", u8::from(files.scheduled))
            .field("aof_buffer_length", info.server.aof_buffer_length())
            .field("aof_pending_bio_fsync", u8::from(aof.writer.as_ref().is_some_and(|writer| writer.is_syncing())))
            .field("aof_delayed_fsync", aof.delayed_syncs);
    }
}
