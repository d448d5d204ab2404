//! INFO's fields about the append-only file, in the section Persistence.

use super::{Info, InfoText};
use crate::state::aof::AofPhase;

pub(super) fn aof(info: &Info, report: &mut InfoText) {
    let aof = &info.server.aof;
    report.field("aof_enabled", u8::from(aof.phase != AofPhase::Off));
    report.idle(&[
        ("aof_rewrite_in_progress", "0"),
        ("aof_rewrite_scheduled", "0"),
        ("aof_last_rewrite_time_sec", "-1"),
        ("aof_current_rewrite_time_sec", "-1"),
        ("aof_last_bgrewrite_status", "ok"),
        ("aof_rewrites", "0"),
        ("aof_rewrites_consecutive_failures", "0"),
    ]);
    report.field("aof_last_write_status", if aof.is_written() { "ok" } else { "err" });
    report.idle(&[("aof_last_cow_size", "0"), ("module_fork_in_progress", "0"), ("module_fork_last_cow_size", "0")]);
    if aof.phase != AofPhase::Off {
        report
            .field("aof_current_size", aof.increment_size)
            .field("aof_buffer_length", info.server.aof_buffer_length())
            .field("aof_pending_bio_fsync", u8::from(aof.writer.as_ref().is_some_and(|writer| writer.is_syncing())))
            .field("aof_delayed_fsync", aof.delayed_syncs);
    }
}
