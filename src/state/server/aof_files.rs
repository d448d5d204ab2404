//! The append-only log is turned on and off, and rewritten: what begins, and what is given up. What the disk answers meanwhile is the engine's to take
//! further.

use super::Server;
use crate::{
    keyspace::WalkId,
    persist::{
        aof::{
            commands::CommandSink,
            manifest::{self, LogFile, Manifest},
        },
        rdb::{SaveInfo, Settings},
        snapshot::RdbSink,
    },
    state::{
        aof::AofPhase,
        aof_files::{AofRewrite, Cleaning, IncrementPhase, NewIncrement},
        disk::{DiskJob, FileId, Lane},
        snapshot_file::{FileSink, SnapshotFile},
    },
};
use std::path::Path;

/// Bytes after which what a rewrite has written sets out for the disk (`aof-rewrite-incremental-fsync`).
const SYNC_EVERY: u64 = 4 << 20;

impl Server {
    /// Says where the log's files are: in the directory that the settings name at this moment. It stays that one until the log is turned on again.
    pub fn locate_aof_files(&mut self) {
        let directory = Path::new(&self.config.dir).join(&self.config.appenddirname);
        self.aof_files.directory = directory.to_string_lossy().into_owned();
    }

    /// Turns the log on or off, as the settings say. It counts from the first base on, which is made while the server goes on.
    pub fn apply_appendonly(&mut self, in_exec: bool) {
        match (self.config.appendonly, self.aof.phase) {
            (true, AofPhase::Off) => self.turn_aof_on(in_exec),
            (false, AofPhase::On | AofPhase::Waiting) => self.turn_aof_off(),
            _ => (),
        }
    }

    /// Turns the log on: it begins with a rewrite.
    pub fn turn_aof_on(&mut self, in_exec: bool) {
        self.aof.phase = AofPhase::Waiting;
        self.locate_aof_files();
        if self.is_saving_data() || self.aof_files.cleaning.is_some() {
            log::info!(
                "AOF was enabled but there is already another background operation. An AOF background was scheduled to start when possible."
            );
            self.aof_files.scheduled = true;
        } else if in_exec {
            log::info!("AOF was enabled during a transaction. An AOF background was scheduled to start when possible.");
            self.aof_files.scheduled = true;
        } else {
            if self.aof_files.rewrite.is_some() {
                log::info!(
                    "AOF was enabled but there is already an AOF rewriting in background. Stopping background AOF and starting a rewrite now."
                );
                self.give_up_aof_rewrite();
            }
            self.begin_aof_rewrite();
        }
    }

    /// Turns the log off. What has been logged is written and synced.
    pub fn turn_aof_off(&mut self) {
        self.give_up_aof_rewrite();
        self.aof_stop();
        self.aof.phase = AofPhase::Off;
        self.aof_files.scheduled = false;
    }

    /// The dataset is about to be replaced by our primary's: the files of the old one stay as they are until the new one has been synchronised.
    pub fn stop_aof_for_sync(&mut self) {
        if self.aof.phase != AofPhase::Off {
            self.turn_aof_off();
        }
    }

    /// Turns the log on again if a synchronisation that never came to its end has left it off.
    pub fn restart_aof_as_primary(&mut self) {
        if self.config.appendonly && self.aof.phase == AofPhase::Off && self.loading.is_none() {
            log::info!("Restarting AOF after becoming master");
            self.turn_aof_on(false);
        }
    }

    /// Gives up the rewrite under way, if there is one, since the process is about to end. Comes back when the disk has done with it. `false`: it is to write
    /// the first base, without which the data would be lost.
    pub fn end_aof_rewrite_at_exit(&mut self, force: bool) -> bool {
        let Some(rewrite) = &self.aof_files.rewrite else { return true };
        if self.aof.phase == AofPhase::Waiting {
            if !force {
                log::warn!("Writing initial AOF, can't exit.");
                return false;
            }
            log::warn!("Writing initial AOF. Exit anyway.");
        }
        log::warn!("There is a child rewriting the AOF. Killing it!");
        let base = rewrite.base.as_ref().map(|base| base.file);
        self.end_aof_rewrite();
        // Its temporary file is not to be left behind.
        if let Some(file) = base {
            self.drop_unsent(file);
            self.host.disk_now(DiskJob::Abort { file });
        }
        true
    }

    /// Whether a snapshot of data is being saved: a rewrite waits for its end.
    pub fn is_saving_data(&self) -> bool {
        self.persistence.saving.is_some() && !self.is_saving_nothing()
    }

    /// Begins a rewrite: where the log is on, with the increment in which it is to go on. None is under way.
    pub fn begin_aof_rewrite(&mut self) {
        let filename = self.config.appendfilename.clone();
        let directory = self.next_file(Lane::Log);
        self.ask_disk(DiskJob::MakeDir { file: directory, path: self.aof_files.directory.clone() });
        let name = match self.aof.phase {
            AofPhase::Off => None,
            AofPhase::Waiting => Some(manifest::temporary_increment_name(&filename)),
            AofPhase::On => Some(self.aof_files.manifest.clone().add_increment(&filename)),
        };
        let increment = name.map(|name| {
            let (file, path) = (self.next_file(Lane::Log), self.aof_files.path(&name));
            self.ask_disk(DiskJob::OpenLog { file, path, size: Some(0) });
            NewIncrement { file, name, phase: IncrementPhase::Opening }
        });
        self.aof_files.scheduled = false;
        self.aof_files.rewrites += 1;
        self.aof_files.rewrite = Some(AofRewrite {
            started_unix_seconds: self.unix_seconds(),
            directory,
            increment,
            is_prepared: false,
            base: None,
            base_failed: false,
            base_done: None,
            publishing: None,
        });
        log::info!("Background append only file rewriting started by pid {}", self.host.pid());
    }

    /// Begins to write a base of this moment.
    pub fn begin_aof_base(&mut self) {
        debug_assert!(self.is_data_whole());
        let Some(started_unix_seconds) = self.aof_files.rewrite.as_ref().map(|rewrite| rewrite.started_unix_seconds) else { return };
        let filename = self.config.appendfilename.clone();
        let is_rdb = self.config.aof_use_rdb_preamble;
        let to = self.aof_files.manifest.clone().add_base(&filename, is_rdb);
        let file = self.next_file(Lane::Bulk);
        let mut base = self.base_snapshot(file, to);
        base.started_unix_seconds = started_unix_seconds;
        self.ask_disk(self.create_base(&base));
        if let Some(rewrite) = &mut self.aof_files.rewrite {
            rewrite.base = Some(base);
        }
        self.aof.rewriting = true;
    }

    /// A base of this moment, that is to be called `to`.
    pub fn base_snapshot(&mut self, file: FileId, to: String) -> SnapshotFile {
        let temporary = self.aof_files.path(&manifest::temporary_base_name(&self.config.appendfilename));
        let (walk, sink) = self.base_walk();
        let mut base = SnapshotFile::new(file, temporary, to, walk, sink);
        base.keys_total = self.keyspace.iter().map(|(_, db)| db.len() as u64).sum();
        base
    }

    /// The job that creates the file of a base.
    pub fn create_base(&self, base: &SnapshotFile) -> DiskJob {
        let sync_every = if self.config.aof_rewrite_incremental_fsync { SYNC_EVERY } else { 0 };
        DiskJob::Create { file: base.file, path: base.temporary.clone(), sync_every }
    }

    fn base_walk(&mut self) -> (WalkId, FileSink) {
        let now = self.unix_seconds();
        if !self.config.aof_use_rdb_preamble {
            let timestamp = self.config.aof_timestamp_enabled.then_some(now);
            let (walk, sink) = CommandSink::begin(timestamp, &mut self.keyspace);
            self.functions.codes().into_iter().for_each(|code| sink.borrow_mut().library(code));
            return (walk, sink);
        }
        let libraries = self.functions.codes();
        let info = SaveInfo {
            unix_seconds: now,
            used_memory: self.host.used_memory() as u64,
            replication: None,
            aof_base: true,
            libraries: &libraries,
        };
        let (walk, sink) = RdbSink::begin(Settings::from_config(&self.config), &info, &mut self.keyspace);
        (walk, sink)
    }

    /// Has the manifest on the disk in the place of the one before, and returns what names the answers: the last of them is that it is committed.
    pub fn write_manifest(&mut self, manifest: &Manifest) -> FileId {
        let file = self.next_file(Lane::Log);
        for job in self.manifest_jobs(file, manifest) {
            self.ask_disk(job);
        }
        file
    }

    fn manifest_jobs(&self, file: FileId, manifest: &Manifest) -> [DiskJob; 4] {
        let filename = &self.config.appendfilename;
        let path = self.aof_files.path(&manifest::temporary_manifest_name(filename));
        [
            DiskJob::Create { file, path, sync_every: 0 },
            DiskJob::Append { file, pieces: vec![manifest.to_bytes().into()] },
            DiskJob::Commit { file, to: manifest::manifest_name(filename), fsync: true },
            // Where all went well there is nothing left to be given up.
            DiskJob::Abort { file },
        ]
    }

    /// Gives up the rewrite under way, if there is one. Its outcome does not count; a log that has no base yet goes back to waiting for one.
    pub fn give_up_aof_rewrite(&mut self) {
        if self.aof_files.rewrite.is_some() {
            log::info!("Killing running AOF rewrite child: {}", self.host.pid());
            self.end_aof_rewrite();
        }
    }

    /// Takes note that the rewrite under way is over and has not succeeded. The log goes on in the files that there are.
    pub fn end_aof_rewrite(&mut self) {
        let Some(rewrite) = self.aof_files.rewrite.take() else { return };
        self.aof.rewriting = false;
        self.aof_files.last_took_seconds = Some(self.unix_seconds() - rewrite.started_unix_seconds);
        if let Some(base) = rewrite.base {
            if let Some(walk) = base.walk.id() {
                self.keyspace.cancel_walk(walk);
            }
            self.aof_files.last_early_bytes = base.sink.borrow().early_bytes();
            if rewrite.base_done.is_none() {
                self.drop_unsent(base.file);
                self.ask_disk(DiskJob::Abort { file: base.file });
            }
        }
        let mut is_named = false;
        if let Some(publishing) = rewrite.publishing {
            is_named = !publishing.renaming;
            self.aof_files.manifest.supersede(&publishing.manifest);
            self.restore_manifest();
        }
        let Some(increment) = rewrite.increment else { return };
        match increment.phase {
            _ if self.aof.phase == AofPhase::Waiting => self.drop_waiting_log(increment, is_named),
            IncrementPhase::Opening => self.ask_disk(DiskJob::Abort { file: increment.file }),
            IncrementPhase::Cutting => {
                self.aof_continue_in(None);
                self.ask_disk(DiskJob::Abort { file: increment.file });
            }
            IncrementPhase::Announcing { manifest, .. } => {
                self.aof_files.manifest.supersede(&manifest);
                self.restore_manifest();
                self.aof_continue_in(None);
                self.ask_disk(DiskJob::Abort { file: increment.file });
            }
            IncrementPhase::Open => (),
        }
    }

    /// Whether the manifest that was on its way is on the disk or not: the one in force is written behind it. That may fail, so it must have superseded the
    /// other: what is logged in the name of a file of that would be loaded behind data that it does not belong to.
    fn restore_manifest(&mut self) {
        let current = self.aof_files.manifest.clone();
        debug_assert!(current.files().next().is_some(), "the other one had files");
        self.write_manifest(&current);
    }

    /// Drops what has been logged for a base that does not come. Where a manifest may name it, it is history by now.
    fn drop_waiting_log(&mut self, increment: NewIncrement, is_named: bool) {
        match increment.phase {
            IncrementPhase::Open => self.aof_stop(),
            _ => self.ask_disk(DiskJob::Abort { file: increment.file }),
        }
        if is_named {
            return;
        }
        let path = self.aof_files.path(&increment.name);
        log::info!("Removing the temp incr aof file {} in the background", increment.name);
        // Behind the jobs about the file, which are in the same lane.
        let file = self.next_file(Lane::Log);
        self.ask_disk(DiskJob::Remove { file, path });
    }

    /// Has history removed, and then forgotten by the manifest, which is on the disk.
    pub fn clean_aof_history(&mut self, ends_rewrite: bool) {
        if self.begin_cleaning(ends_rewrite) {
            self.remove_aof_history();
        }
    }

    /// The same, where the manifest may not be on the disk: a process that was killed has put it in its place, and this one has read it. After a power cut
    /// there may be the one before, whose data is what is history here.
    pub fn confirm_and_clean_aof_history(&mut self) {
        if self.begin_cleaning(false) {
            let current = self.aof_files.manifest.clone();
            let file = self.write_manifest(&current);
            if let Some(cleaning) = &mut self.aof_files.cleaning {
                cleaning.confirming = Some(file);
            }
        }
    }

    fn begin_cleaning(&mut self, ends_rewrite: bool) -> bool {
        if self.config.aof_disable_auto_gc || self.aof_files.manifest.history.is_empty() || self.aof_files.cleaning.is_some() {
            return false;
        }
        self.aof_files.cleaning = Some(Cleaning { confirming: None, removing: Vec::new(), manifest: None, ends_rewrite });
        true
    }

    /// Removes what is history of the manifest on the disk.
    pub fn remove_aof_history(&mut self) {
        let removing = self.ask_to_remove_history();
        if let Some(cleaning) = &mut self.aof_files.cleaning {
            (cleaning.confirming, cleaning.removing) = (None, removing);
        }
        self.go_on_cleaning();
    }

    /// Has the files of history removed, which the manifest in force no longer has. What a name stands for in the data is none.
    fn ask_to_remove_history(&mut self) -> Vec<FileId> {
        let mut removing = Vec::new();
        for LogFile { name, .. } in std::mem::take(&mut self.aof_files.manifest.history) {
            if self.aof_files.manifest.is_data(&name) {
                continue;
            }
            log::info!("Removing the history file {name} in the background");
            let (file, path) = (self.next_file(Lane::Bulk), self.aof_files.path(&name));
            self.ask_disk(DiskJob::Remove { file, path });
            removing.push(file);
        }
        removing
    }

    /// Writes the manifest that has forgotten history, once all of that is removed.
    pub fn go_on_cleaning(&mut self) {
        let is_removed = |cleaning: &Cleaning| cleaning.confirming.is_none() && cleaning.removing.is_empty() && cleaning.manifest.is_none();
        if self.aof_files.cleaning.as_ref().is_some_and(is_removed) {
            let current = self.aof_files.manifest.clone();
            let file = self.write_manifest(&current);
            if let Some(cleaning) = &mut self.aof_files.cleaning {
                cleaning.manifest = Some(file);
            }
        }
    }

    /// The same as [`Server::clean_aof_history`], and comes back when the manifest has forgotten it: `aof-disable-auto-gc` has been turned off.
    pub fn clean_aof_history_now(&mut self) {
        // A rewrite under way does it in the end.
        if self.aof_files.manifest.history.is_empty() || self.aof_files.rewrite.is_some() || self.aof_files.cleaning.is_some() {
            return;
        }
        let file = self.next_file(Lane::Log);
        let mut forgetful = self.aof_files.manifest.clone();
        forgetful.history.clear();
        let results = self.manifest_jobs(file, &forgetful).map(|job| self.host.disk_now(job).result);
        if let Some(reason) = results.into_iter().find_map(Result::err) {
            return log::warn!("Error trying to write the AOF manifest: {reason}");
        }
        self.ask_to_remove_history();
    }

    /// Bytes of all files of data.
    pub fn aof_size(&self) -> u64 {
        self.aof_files.sealed_size + self.aof.increment_size
    }
}
