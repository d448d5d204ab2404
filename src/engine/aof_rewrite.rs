//! The append-only log is rewritten without a fork: the base is a walk, and the increment is what is logged from the walk's beginning on. Here is what
//! becomes of it as the disk answers; `state/aof_files.rs` tells the order.

use super::Engine;
use crate::state::{
    Server,
    aof::AofPhase,
    aof_files::{IncrementPhase, Publishing},
    disk::{DiskDone, DiskJob, Done, Lane},
    snapshot_file::FailedAt,
};

impl Engine {
    /// Begins a rewrite that was scheduled, or that the log's growth asks for.
    pub(super) fn aof_rewrite_cron(&mut self) {
        let server = &mut self.server;
        if server.replication.upstream.is_none() {
            server.restart_aof_as_primary();
        }
        if server.loading.is_some() || server.is_saving_data() || server.aof_files.rewrite.is_some() || server.aof_files.cleaning.is_some()
        {
            return;
        }
        let growth = server.aof_files.growth_percent(server.aof_size());
        let config = &server.config;
        let grown = server.aof.phase == AofPhase::On
            && config.auto_aof_rewrite_percentage > 0
            && server.aof_size() > config.auto_aof_rewrite_min_size
            && growth >= i128::from(config.auto_aof_rewrite_percentage);
        let asked = server.aof_files.scheduled || server.aof.needs_base;
        if !asked && !grown || server.is_aof_rewrite_limited() {
            return;
        }
        if !asked {
            log::info!("Starting automatic rewriting of AOF on {growth}% growth");
        }
        server.begin_aof_rewrite();
    }

    /// Takes an answer of the disk if it is for a rewrite, or for history that is removed. Whether it was.
    pub(super) fn aof_rewrite_answered(&mut self, done: &DiskDone) -> bool {
        self.server.rewrite_prepared(done) || self.server.base_answered(done) || self.server.published(done) || self.server.cleaned(done)
    }
}

impl Engine {
    /// What a turn that began at this Unix time has to do for a rewrite: it may begin, or the log's present increment may have become whole.
    #[inline]
    pub(super) fn aof_rewrite_turn(&mut self, began_unix_us: i64) {
        if self.server.aof_files.reload.is_some() {
            self.begin_aof_reload();
        }
        if self.server.aof_files.rewrite.is_some() {
            self.advance_aof_rewrite(began_unix_us / 1_000_000);
        }
    }

    fn advance_aof_rewrite(&mut self, began_unix_seconds: i64) {
        let is_whole = self.server.is_data_whole();
        let Some(rewrite) = &mut self.server.aof_files.rewrite else { return };
        if rewrite.is_prepared && is_whole {
            rewrite.is_prepared = false;
            self.server.begin_prepared_rewrite(began_unix_seconds);
        }
        let increment = self.server.aof_files.rewrite.as_ref().and_then(|rewrite| rewrite.increment.as_ref());
        if increment.is_some_and(|increment| matches!(increment.phase, IncrementPhase::Cutting)) {
            self.server.announce_increment();
        }
    }
}

impl Server {
    /// Whether rewrites that begin by themselves have to wait, since others have failed.
    fn is_aof_rewrite_limited(&mut self) -> bool {
        let now = self.unix_seconds();
        let (holds, minutes) = self.aof_files.limit.holds(self.aof_files.failures, now);
        if let Some(minutes) = minutes {
            log::warn!("Background AOF rewrite has repeatedly failed and triggered the limit, will retry in {minutes} minutes");
        }
        holds
    }

    /// An answer about the directory or the new increment.
    fn rewrite_prepared(&mut self, done: &DiskDone) -> bool {
        let Some(rewrite) = &mut self.aof_files.rewrite else { return false };
        if rewrite.directory == done.file {
            if let Err(reason) = &done.result {
                log::warn!("Can't open or create append-only dir {}: {reason}", self.config.appenddirname);
                self.fail_aof_rewrite();
            } else {
                rewrite.is_prepared = rewrite.increment.is_none();
            }
            return true;
        }
        let Some(increment) = &mut rewrite.increment else { return false };
        match &increment.phase {
            IncrementPhase::Opening if increment.file == done.file => {
                match &done.result {
                    Ok(_) => rewrite.is_prepared = true,
                    Err(reason) => {
                        log::warn!("Can't open the append-only file {}: {reason}", increment.name);
                        self.fail_aof_rewrite();
                    }
                }
                true
            }
            IncrementPhase::Announcing { file, .. } if *file == done.file => {
                match &done.result {
                    Ok(Done::Committed) => self.increment_announced(),
                    Ok(_) => (),
                    Err(reason) => {
                        log_manifest_error(reason);
                        self.fail_aof_rewrite();
                    }
                }
                true
            }
            _ => false,
        }
    }

    /// The files are there. Where there is a new increment, the log is cut at this moment, which is the moment of the base.
    fn begin_prepared_rewrite(&mut self, began_unix_seconds: i64) {
        if self.aof_files.rewrite.as_ref().is_none_or(|rewrite| rewrite.increment.is_none()) {
            return self.begin_aof_base();
        }
        // What this turn has logged was logged before.
        self.aof_note_turn(began_unix_seconds);
        let waits = self.aof.phase == AofPhase::Waiting;
        if !waits {
            self.aof_cut();
        }
        self.begin_aof_base();
        let Some((file, name)) = self.aof_files.rewrite.as_ref().and_then(|r| r.increment.as_ref()).map(|i| (i.file, i.name.clone()))
        else {
            return;
        };
        let phase = if waits {
            log::info!("Creating AOF incr file {name} on background rewrite");
            self.aof_start(file, 0);
            IncrementPhase::Open
        } else {
            IncrementPhase::Cutting
        };
        if let Some(increment) = self.aof_files.rewrite.as_mut().and_then(|rewrite| rewrite.increment.as_mut()) {
            increment.phase = phase;
        }
    }

    /// Once what was logged before the cut is on the disk, the manifest is to name the new increment.
    fn announce_increment(&mut self) {
        if !self.aof_is_cut_done() {
            return;
        }
        if self.is_log_broken() {
            // What stands before the cut is not whole, and nothing may stand behind it: the increment is named together with the base that replaces it.
            return self.publish_base();
        }
        let mut manifest = self.aof_files.manifest.clone();
        let name = manifest.add_increment(&self.config.appendfilename);
        let phase = IncrementPhase::Announcing { file: self.write_manifest(&manifest), manifest };
        if let Some(increment) = self.aof_files.rewrite.as_mut().and_then(|rewrite| rewrite.increment.as_mut()) {
            debug_assert_eq!(increment.name, name);
            increment.phase = phase;
        }
    }

    /// The manifest names the new increment.
    fn increment_announced(&mut self) {
        let Some(increment) = self.aof_files.rewrite.as_mut().and_then(|rewrite| rewrite.increment.as_mut()) else { return };
        let IncrementPhase::Announcing { manifest, .. } = std::mem::replace(&mut increment.phase, IncrementPhase::Open) else { return };
        log::info!("Creating AOF incr file {} on background rewrite", increment.name);
        let file = increment.file;
        self.aof_files.manifest = manifest;
        self.aof_files.sealed_size += self.aof.increment_size;
        self.aof_continue_in(Some(file));
        if self.aof_files.rewrite.as_ref().is_some_and(|rewrite| rewrite.base_failed) {
            return self.fail_aof_rewrite();
        }
        self.publish_base();
    }

    /// Whether a sync has failed, so that only a new base makes the files whole.
    fn is_log_broken(&self) -> bool {
        self.aof.failure.as_ref().is_some_and(|failure| failure.is_final)
    }

    /// An answer about the base.
    fn base_answered(&mut self, done: &DiskDone) -> bool {
        let Some(rewrite) = &mut self.aof_files.rewrite else { return false };
        let Some(base) = rewrite.base.as_mut().filter(|base| base.file == done.file && rewrite.base_done.is_none()) else { return false };
        match &done.result {
            Ok(Done::Committed) => {
                let temporary = file_name(&base.temporary);
                log::info!("Successfully created the temporary AOF base file {temporary}");
                log::info!("Successfully renamed the temporary AOF base file {temporary} into {}", base.to);
                rewrite.base_done = Some(base.sink.borrow().bytes());
                self.publish_base();
            }
            Ok(done) => base.advanced(done),
            Err(_) if rewrite.base_failed => (),
            Err(reason) => {
                let temporary = file_name(&base.temporary);
                match base.failed_at() {
                    FailedAt::Creating => log::warn!("Opening the temp file for AOF rewrite {temporary}: {reason}"),
                    FailedAt::Writing => log::warn!("Write error writing append only file on disk: {reason}"),
                    FailedAt::Moving => {
                        log::warn!("Error trying to rename the temporary AOF base file {temporary} into {}: {reason}", base.to);
                    }
                }
                // A manifest that is on its way is not called back: the log goes on in what it names.
                let is_announcing =
                    matches!(&rewrite.increment, Some(increment) if matches!(increment.phase, IncrementPhase::Announcing { .. }));
                rewrite.base_failed = true;
                if !is_announcing {
                    self.fail_aof_rewrite();
                }
            }
        }
        true
    }

    /// Has the manifest name the new base, once that and the increment that belongs to it are there.
    fn publish_base(&mut self) {
        let phase = self.aof.phase;
        let (is_broken, is_cut_done) = (self.is_log_broken(), self.aof_is_cut_done());
        let Some(rewrite) = &mut self.aof_files.rewrite else { return };
        let is_cut = rewrite.increment.as_ref().is_some_and(|increment| matches!(increment.phase, IncrementPhase::Cutting));
        let joins = is_cut && is_broken && is_cut_done;
        let is_open = joins || rewrite.increment.as_ref().is_none_or(|increment| matches!(increment.phase, IncrementPhase::Open));
        let Some(base) = rewrite.base.as_ref().filter(|_| rewrite.base_done.is_some() && is_open && rewrite.publishing.is_none()) else {
            return;
        };
        let filename = self.config.appendfilename.clone();
        let mut manifest = self.aof_files.manifest.clone();
        manifest.add_base(&filename, base.to.ends_with(".rdb"));
        let began_nanos = self.host.nanos();
        let renaming = phase == AofPhase::Waiting;
        let file = if renaming {
            let from = rewrite.increment.as_ref().map_or_else(String::new, |increment| increment.name.clone());
            let to = manifest.add_increment(&filename);
            manifest.retire_increments(1);
            let file = self.next_file(Lane::Log);
            let (from, to) = (self.aof_files.path(&from), self.aof_files.path(&to));
            self.ask_disk(DiskJob::Rename { file, from, to });
            file
        } else {
            if joins {
                manifest.add_increment(&filename);
            }
            manifest.retire_increments(usize::from(phase == AofPhase::On));
            self.write_manifest(&manifest)
        };
        if let Some(rewrite) = &mut self.aof_files.rewrite {
            rewrite.publishing = Some(Publishing { file, renaming, manifest, began_nanos });
        }
    }

    /// An answer about the last step.
    fn published(&mut self, done: &DiskDone) -> bool {
        let Some(rewrite) = &mut self.aof_files.rewrite else { return false };
        let Some(publishing) = rewrite.publishing.as_mut().filter(|publishing| publishing.file == done.file) else { return false };
        match &done.result {
            Ok(Done::Renamed) => {
                let name = publishing.manifest.increments.last().map_or_else(String::new, |file| file.name.clone());
                if let Some(increment) = &mut rewrite.increment {
                    log::info!("Successfully renamed the temporary AOF incr file {} into {name}", increment.name);
                    increment.name = name;
                }
                publishing.renaming = false;
                let manifest = publishing.manifest.clone();
                let file = self.write_manifest(&manifest);
                if let Some(publishing) = self.aof_files.rewrite.as_mut().and_then(|rewrite| rewrite.publishing.as_mut()) {
                    publishing.file = file;
                }
            }
            Ok(Done::Committed) => self.rewritten(),
            Ok(_) => (),
            Err(reason) => {
                match publishing.renaming {
                    true => log::warn!("Error trying to rename the temporary AOF incr file: {reason}"),
                    false => log_manifest_error(reason),
                }
                self.fail_aof_rewrite();
            }
        }
        true
    }

    /// The manifest names the new base: the rewrite has succeeded.
    fn rewritten(&mut self) {
        let Some(rewrite) = self.aof_files.rewrite.take() else { return };
        let now = self.host.nanos();
        if let Some(publishing) = rewrite.publishing {
            let ms = now.saturating_sub(publishing.began_nanos) / 1_000_000;
            let (threshold, seconds) = (self.config.latency_monitor_threshold, self.unix_seconds());
            self.latency.add_if_needed("aof-rename", ms, threshold, seconds);
            self.aof_files.manifest = publishing.manifest;
        }
        self.aof.rewriting = false;
        if let Some(increment) = rewrite.increment.as_ref().filter(|increment| matches!(increment.phase, IncrementPhase::Cutting)) {
            log::info!("Creating AOF incr file {} on background rewrite", increment.name);
            self.aof_continue_in(Some(increment.file));
        }
        let files = &mut self.aof_files;
        if self.aof.phase != AofPhase::Off {
            files.sealed_size = rewrite.base_done.unwrap_or(0);
            files.base_size = files.sealed_size + self.aof.increment_size;
        }
        files.last_failed = false;
        files.failures = 0;
        files.last_took_seconds = Some(self.unix_us / 1_000_000 - rewrite.started_unix_seconds);
        files.last_early_bytes = rewrite.base.map_or(0, |base| base.sink.borrow().early_bytes());
        log::info!("Background AOF rewrite terminated with success");
        if self.aof.phase == AofPhase::Waiting {
            self.aof.phase = AofPhase::On;
        }
        self.aof_base_made();
        self.clean_aof_history(true);
        log::info!("Background AOF rewrite finished successfully");
    }

    /// The rewrite under way has failed, and the log says why.
    fn fail_aof_rewrite(&mut self) {
        log::warn!("Background AOF rewrite terminated with error");
        self.aof_files.last_failed = true;
        self.aof_files.failures += 1;
        self.end_aof_rewrite();
        if self.aof.phase == AofPhase::Waiting {
            self.aof_files.scheduled = true;
        }
    }

    /// An answer about history that is removed. That it could not be is no reason for anything: the next start tries again.
    fn cleaned(&mut self, done: &DiskDone) -> bool {
        let Some(cleaning) = &mut self.aof_files.cleaning else { return false };
        if cleaning.confirming == Some(done.file) {
            match &done.result {
                Ok(Done::Committed) => self.remove_aof_history(),
                Ok(_) => (),
                Err(reason) => {
                    log_manifest_error(reason);
                    self.aof_files.cleaning = None;
                }
            }
            return true;
        }
        if let Some(at) = cleaning.removing.iter().position(|file| *file == done.file) {
            if let Err(reason) = &done.result {
                log::warn!("Error trying to remove a history file of the AOF: {reason}");
            }
            cleaning.removing.swap_remove(at);
            self.go_on_cleaning();
            return true;
        }
        if cleaning.manifest != Some(done.file) {
            return false;
        }
        match &done.result {
            Ok(Done::Committed) => self.aof_files.cleaning = None,
            Ok(_) => (),
            Err(reason) => {
                log_manifest_error(reason);
                self.aof_files.cleaning = None;
            }
        }
        true
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

fn log_manifest_error(reason: &str) {
    log::warn!("Error trying to write the AOF manifest: {reason}");
}
