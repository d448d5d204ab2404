//! The append-only log at start: its manifest is read, a single file of Redis 6 taken in, the files are loaded, and the log is opened to go on.
//! DEBUG LOADAOF does a part of that while the server runs.

use super::{
    Engine,
    aof_load::{Loaded, Part, PartsLoad},
    snapshots::ms_until,
};
use crate::{
    persist::aof::manifest::{Manifest, ManifestError, manifest_name},
    state::{
        Action, LoadingState,
        aof::AofPhase,
        aof_files::IncrementPhase,
        conn_id::ConnId,
        disk::{DiskDone, DiskJob, Done, FileId, Lane},
        snapshot_file::SnapshotFile,
    },
};
use std::collections::VecDeque;

/// Bytes of a manifest that are read; one that is longer is none.
const MANIFEST_BYTES_MAX: usize = 16 << 20;

/// The log on its way to being loaded and open.
pub(super) struct AofStart {
    step: StartStep,
    /// The files, as far as they are known.
    manifest: Manifest,
    /// The manifest on the disk is another one.
    is_changed: bool,
    /// The files to load that have been measured.
    parts: VecDeque<Part>,
    /// Bytes of those.
    total_bytes: u64,
    started_nanos: u64,
    /// Who has said DEBUG LOADAOF: the connection, its CLIENT ID, and whether it is to hear of it.
    asked_by: Option<(ConnId, u64, bool)>,
}

/// What the disk has been asked for.
enum StartStep {
    /// Until all that has been logged is in the files: DEBUG LOADAOF.
    Flushing,
    /// The manifest is opened and read.
    Manifest(FileId),
    /// Is there a single file of Redis 6?
    OldFile(FileId),
    /// Has it been moved already?
    MovedFile(FileId),
    /// The directory is made for it.
    UpgradeDirectory(FileId),
    /// The manifest is written that names it as the base.
    UpgradeManifest(FileId),
    /// It is moved.
    Upgrade(FileId),
    /// A file is measured, the so-manyth.
    Measuring(FileId, usize),
    /// The files are loaded.
    Loading(Box<PartsLoad>),
    /// The directory is made.
    Directory(FileId),
    /// An empty base is written.
    Base(Box<SnapshotFile>),
    /// The last increment is opened, or a new one.
    Increment(FileId, bool),
    /// The manifest is written that names it: the increment, its bytes, and whether it is new.
    Announcing(FileId, FileId, u64, bool),
}

impl Engine {
    /// Begins to load what is on the disk: the append-only log, or else the file that `dbfilename` names. Until that is done most commands are refused.
    pub fn load_from_disk(&mut self) {
        self.server.locate_aof_files();
        self.server.loading = Some(LoadingState { started_unix_seconds: self.server.unix_seconds(), ..Default::default() });
        let file = self.open_manifest();
        self.begin_start(StartStep::Manifest(file), None);
    }

    fn begin_start(&mut self, step: StartStep, asked_by: Option<(ConnId, u64, bool)>) {
        self.aof_start = Some(Box::new(AofStart {
            step,
            manifest: Manifest::default(),
            is_changed: false,
            parts: VecDeque::new(),
            total_bytes: 0,
            started_nanos: self.server.host.nanos(),
            asked_by,
        }));
    }

    fn open_manifest(&mut self) -> FileId {
        let file = self.server.next_file(Lane::Log);
        let path = self.server.aof_files.path(&manifest_name(&self.server.config.appendfilename));
        self.server.ask_disk(DiskJob::Open { file, path });
        file
    }

    /// Begins a DEBUG LOADAOF that has been asked for.
    pub(super) fn begin_aof_reload(&mut self) {
        let Some(asked_by) = self.server.aof_files.reload.take() else { return };
        self.server.interrupt_migration();
        self.server.loading = Some(LoadingState { started_unix_seconds: self.server.unix_seconds(), ..Default::default() });
        self.begin_start(StartStep::Flushing, Some(asked_by));
    }

    /// Whether the load wants a slice now.
    pub(super) fn wants_start_slice(&self) -> bool {
        self.aof_start.as_ref().is_some_and(|start| match &start.step {
            StartStep::Flushing => self.is_aof_flushed(),
            StartStep::Loading(load) => load.wants_slice() && load.resumes(self.server.config.key_load_delay) <= self.nanos,
            _ => false,
        })
    }

    /// Milliseconds until a load that waits on purpose goes on.
    pub(super) fn start_resumes_ms(&self) -> Option<u64> {
        let StartStep::Loading(load) = &self.aof_start.as_ref()?.step else { return None };
        let resumes = load.resumes(self.server.config.key_load_delay);
        (resumes > self.nanos).then(|| ms_until(resumes, self.nanos))
    }

    /// Whether all that has been logged is in the files that the manifest names.
    fn is_aof_flushed(&self) -> bool {
        let server = &self.server;
        let increment = server.aof_files.rewrite.as_ref().and_then(|rewrite| rewrite.increment.as_ref());
        let is_cut =
            increment.is_some_and(|increment| matches!(increment.phase, IncrementPhase::Cutting | IncrementPhase::Announcing { .. }));
        let is_written = server.aof.writer.as_ref().is_none_or(|writer| writer.written() == server.replication.log.end());
        // What a broken disk does not take must not keep everybody waiting.
        !is_cut && server.aof.stopping.is_empty() && (is_written || !server.aof.is_written())
    }

    /// Takes the load a slice further.
    pub(super) fn start_slice(&mut self) {
        if !self.wants_start_slice() {
            return;
        }
        let Some(mut start) = self.aof_start.take() else { return };
        match &mut start.step {
            StartStep::Flushing => start.step = StartStep::Manifest(self.open_manifest()),
            StartStep::Loading(load) => {
                if let Some(ended) = self.parts_slice(load) {
                    return self.parts_loaded(start, ended);
                }
            }
            _ => (),
        }
        self.aof_start = Some(start);
    }

    /// Takes an answer of the disk if it is for the load. Whether it was.
    pub(super) fn start_answered(&mut self, done: &mut DiskDone) -> bool {
        let Some(mut start) = self.aof_start.take() else { return false };
        if let StartStep::Loading(load) = &mut start.step {
            let Some(ended) = self.part_answered(load, done) else {
                self.aof_start = Some(start);
                return false;
            };
            match ended {
                Some(ended) => self.parts_loaded(start, ended),
                None => self.aof_start = Some(start),
            }
            return true;
        }
        if start.step.file() != Some(done.file) {
            self.aof_start = Some(start);
            return false;
        }
        match self.advance_start(&mut start, done) {
            // It goes on, unless it is over.
            Ok(false) => self.aof_start = Some(start),
            Ok(true) => (),
            Err(()) => self.start_failed(start),
        }
        true
    }

    /// The next step after an answer; `true`: there is none. The error has been logged.
    fn advance_start(&mut self, start: &mut Box<AofStart>, done: &mut DiskDone) -> Result<bool, ()> {
        let file = done.file;
        let filename = self.server.config.appendfilename.clone();
        match (&mut start.step, &mut done.result) {
            (StartStep::Manifest(_), Ok(Done::Opened(None))) => return self.manifest_read(start),
            (StartStep::Manifest(_), Ok(Done::Opened(Some(size)))) => {
                let bytes = usize::try_from(*size).map_or(MANIFEST_BYTES_MAX, |size| size.saturating_add(1).min(MANIFEST_BYTES_MAX));
                self.server.ask_disk(DiskJob::Read { file, bytes });
                self.server.ask_disk(DiskJob::Abort { file });
            }
            (StartStep::Manifest(_), Ok(Done::Read(text))) => match Manifest::parse(text) {
                Ok(manifest) => {
                    start.manifest = manifest;
                    return self.manifest_read(start);
                }
                Err(error) => {
                    log_manifest_error(&error);
                    self.server.actions.push_back(Action::Exit(1));
                    return Ok(true);
                }
            },
            (StartStep::Manifest(_), Err(reason)) => {
                let path = self.server.aof_files.path(&manifest_name(&filename));
                log::error!("Fatal error: can't open the AOF manifest file {path} for reading: {reason}");
                self.server.actions.push_back(Action::Exit(1));
                return Ok(true);
            }
            (StartStep::OldFile(_), Ok(Done::Opened(found))) => {
                let is_named =
                    start.manifest.increments.is_empty() && start.manifest.base.as_ref().is_some_and(|base| base.name == filename);
                match found {
                    Some(_) => {
                        self.server.ask_disk(DiskJob::Abort { file });
                        if start.manifest.is_empty() {
                            self.begin_upgrade(start);
                        } else if is_named {
                            let file = self.server.next_file(Lane::Log);
                            self.server.ask_disk(DiskJob::Open { file, path: self.server.aof_files.path(&filename) });
                            start.step = StartStep::MovedFile(file);
                        } else {
                            return self.measure(start, 0);
                        }
                    }
                    None => return self.measure(start, 0),
                }
            }
            (StartStep::MovedFile(_), Ok(Done::Opened(Some(_)))) => {
                self.server.ask_disk(DiskJob::Abort { file });
                return self.measure(start, 0);
            }
            (StartStep::MovedFile(_), Ok(Done::Opened(None))) => self.begin_upgrade(start),
            (StartStep::UpgradeDirectory(_), Ok(Done::MadeDir)) => {
                start.manifest.take_old_file(&filename);
                start.step = StartStep::UpgradeManifest(self.server.write_manifest(&start.manifest));
            }
            (StartStep::UpgradeManifest(_), Ok(Done::Committed)) => {
                let file = self.server.next_file(Lane::Log);
                let to = self.server.aof_files.path(&filename);
                self.server.ask_disk(DiskJob::Rename { file, from: filename, to });
                start.step = StartStep::Upgrade(file);
            }
            (StartStep::Upgrade(_), Ok(Done::Renamed)) => {
                log::info!(
                    "Successfully migrated an old-style AOF file ({filename}) into the AOF directory ({}).",
                    self.server.config.appenddirname
                );
                return self.measure(start, 0);
            }
            (StartStep::Upgrade(_), Err(reason)) => {
                log::warn!("Error trying to move the old AOF file {filename} into dir {}: {reason}", self.server.config.appenddirname);
                return Err(());
            }
            (StartStep::Measuring(_, at), Ok(Done::Opened(Some(size)))) => {
                let (at, bytes) = (*at, *size);
                self.server.ask_disk(DiskJob::Abort { file });
                let name = start.manifest.data().nth(at).map_or_else(String::new, |file| file.name.clone());
                let is_base = at == 0 && start.manifest.base.is_some();
                start.parts.push_back(Part { name, bytes, is_base });
                start.total_bytes += bytes;
                return self.measure(start, at + 1);
            }
            (StartStep::Measuring(_, at), found) => {
                let reason = match found {
                    Err(reason) => reason,
                    Ok(_) => "No such file or directory",
                };
                let name = start.manifest.data().nth(*at).map_or("", |file| &file.name);
                log::warn!("Unable to obtain the AOF file {name} length. stat: {reason}");
                return Err(());
            }
            (StartStep::Directory(_), Ok(Done::MadeDir)) => {
                if start.manifest.is_empty() {
                    self.begin_first_base(start);
                } else {
                    self.open_increment(start);
                }
            }
            (StartStep::Directory(_) | StartStep::UpgradeDirectory(_), Err(reason)) => {
                log::warn!("Can't open or create append-only dir {}: {reason}", self.server.config.appenddirname);
                return Err(());
            }
            (StartStep::Base(base), Ok(Done::Committed)) => {
                log::info!("Creating AOF base file {} on server start", base.to);
                start.total_bytes = base.sink.borrow().bytes();
                self.open_increment(start);
            }
            (StartStep::Base(base), Err(reason)) => {
                log::warn!("Write error writing append only file on disk: {}: {reason}", base.temporary);
                return Err(());
            }
            (StartStep::Increment(_, is_new), Ok(Done::Opened(size))) => {
                let (is_new, size) = (*is_new, size.unwrap_or(0));
                if !start.is_changed {
                    self.log_opened(start, file, size, is_new);
                    return Ok(true);
                }
                start.step = StartStep::Announcing(self.server.write_manifest(&start.manifest), file, size, is_new);
            }
            (StartStep::Increment(..), Err(reason)) => {
                let name = start.manifest.increments.last().map_or("", |file| &file.name);
                log::warn!("Can't open the append-only file {name}: {reason}");
                return Err(());
            }
            (StartStep::Announcing(_, log, size, is_new), Ok(Done::Committed)) => {
                let (log, size, is_new) = (*log, *size, *is_new);
                self.log_opened(start, log, size, is_new);
                return Ok(true);
            }
            (StartStep::Announcing(..) | StartStep::UpgradeManifest(_), Err(reason)) => {
                log::warn!("Error trying to write the AOF manifest: {reason}");
                return Err(());
            }
            (_, Ok(_)) => (),
            (_, Err(reason)) => {
                log::warn!("Can't read the append-only file {filename}: {reason}");
                return Err(());
            }
        }
        Ok(false)
    }

    /// It is known which files there are.
    fn manifest_read(&mut self, start: &mut Box<AofStart>) -> Result<bool, ()> {
        if start.asked_by.is_some() {
            return self.reload(start);
        }
        if !self.server.config.appendonly {
            self.server.aof_files.manifest = std::mem::take(&mut start.manifest);
            self.server.confirm_and_clean_aof_history();
            self.load_rdb_file();
            return Ok(true);
        }
        let file = self.server.next_file(Lane::Log);
        self.server.ask_disk(DiskJob::Open { file, path: self.server.config.appendfilename.clone() });
        start.step = StartStep::OldFile(file);
        Ok(false)
    }

    /// DEBUG LOADAOF: what is in memory goes, and what the files hold comes in its place.
    fn reload(&mut self, start: &mut Box<AofStart>) -> Result<bool, ()> {
        let keyspace = &mut self.server.keyspace;
        for db in 0..keyspace.databases() {
            keyspace.flush(db);
        }
        // While there is a rewrite the manifest in force is about to change, and is known best here.
        if self.server.aof_files.rewrite.is_none() && self.server.aof_files.cleaning.is_none() {
            self.server.aof_files.manifest = start.manifest.clone();
            self.server.confirm_and_clean_aof_history();
        }
        if start.manifest.is_empty() {
            return Err(());
        }
        self.measure(start, 0)
    }

    fn begin_upgrade(&mut self, start: &mut Box<AofStart>) {
        let file = self.server.next_file(Lane::Log);
        self.server.ask_disk(DiskJob::MakeDir { file, path: self.server.aof_files.directory.clone() });
        start.step = StartStep::UpgradeDirectory(file);
    }

    /// Asks how long the so-manyth file is, or begins to load when all are known.
    fn measure(&mut self, start: &mut Box<AofStart>, at: usize) -> Result<bool, ()> {
        if let Some(part) = start.manifest.data().nth(at) {
            let path = self.server.aof_files.path(&part.name);
            let file = self.server.next_file(Lane::Log);
            self.server.ask_disk(DiskJob::Open { file, path });
            start.step = StartStep::Measuring(file, at);
            return Ok(false);
        }
        if let Some(loading) = &mut self.server.loading {
            loading.total_bytes = start.total_bytes;
        }
        // Empty files hold nothing, and need not be well formed.
        let parts = if start.total_bytes == 0 { VecDeque::new() } else { start.parts.clone() };
        let mut load = PartsLoad::new(parts, self.registry.len());
        let ended = self.next_part(&mut load);
        start.step = StartStep::Loading(Box::new(load));
        match ended {
            Some(_) => self.all_loaded(start),
            None => Ok(false),
        }
    }

    fn parts_loaded(&mut self, mut start: Box<AofStart>, ended: Loaded) {
        if let StartStep::Loading(load) = &start.step {
            self.end_parts(load);
        }
        // As in Redis, DEBUG LOADAOF has failed if the end had to be cut off.
        if ended == Loaded::Failed || ended == Loaded::Cut && start.asked_by.is_some() {
            return self.start_failed(start);
        }
        if let Ok(false) = self.all_loaded(&mut start) {
            self.aof_start = Some(start);
        }
    }

    /// The data is there: the log is opened to go on.
    fn all_loaded(&mut self, start: &mut Box<AofStart>) -> Result<bool, ()> {
        if let Some(asked_by) = start.asked_by {
            self.server.loading = None;
            self.server.keyspace.dirty = 0;
            log::info!("Append Only File loaded by DEBUG LOADAOF");
            self.answer_reload(asked_by, true);
            return Ok(true);
        }
        if !start.manifest.is_empty() {
            let seconds = self.server.host.nanos().saturating_sub(start.started_nanos) as f64 / 1e9;
            log::info!("DB loaded from append only file: {seconds:.3} seconds");
        }
        let file = self.server.next_file(Lane::Log);
        self.server.ask_disk(DiskJob::MakeDir { file, path: self.server.aof_files.directory.clone() });
        start.step = StartStep::Directory(file);
        Ok(false)
    }

    /// A log that begins with nothing has a base that says so.
    fn begin_first_base(&mut self, start: &mut Box<AofStart>) {
        let (filename, is_rdb) = (self.server.config.appendfilename.clone(), self.server.config.aof_use_rdb_preamble);
        let name = start.manifest.add_base(&filename, is_rdb);
        start.is_changed = true;
        // In the log's lane, so that all is in order.
        let file = self.server.next_file(Lane::Log);
        let mut base = self.server.base_snapshot(file, name);
        let create = self.server.create_base(&base);
        self.server.ask_disk(create);
        for job in base.finish(&mut self.server.keyspace) {
            self.server.ask_disk(job);
        }
        start.step = StartStep::Base(Box::new(base));
    }

    /// Opens the last increment, or a new one if there is none.
    fn open_increment(&mut self, start: &mut Box<AofStart>) {
        let is_new = start.manifest.increments.is_empty();
        let name = match start.manifest.increments.last() {
            Some(last) => last.name.clone(),
            None => start.manifest.add_increment(&self.server.config.appendfilename),
        };
        start.is_changed |= is_new;
        let file = self.server.next_file(Lane::Log);
        // One of that name that no manifest names holds nothing that is ours.
        let size = is_new.then_some(0);
        self.server.ask_disk(DiskJob::OpenLog { file, path: self.server.aof_files.path(&name), size });
        start.step = StartStep::Increment(file, is_new);
    }

    /// The log goes on in this file: the server is ready.
    fn log_opened(&mut self, start: &mut AofStart, file: FileId, size: u64, is_new: bool) {
        let verb = if is_new { "Creating" } else { "Opening" };
        let name = start.manifest.increments.last().map_or("", |file| &file.name);
        log::info!("{verb} AOF incr file {name} on server start");
        let base = start.parts.front().filter(|part| part.is_base).map_or(0, |part| part.bytes);
        // A torn end of the last file has been cut off since it was measured.
        let last = start.parts.back().filter(|part| !part.is_base).map_or(0, |part| part.bytes);
        let server = &mut self.server;
        server.aof_files.manifest = std::mem::take(&mut start.manifest);
        server.aof_files.base_size = base;
        server.aof_files.sealed_size = start.total_bytes - last;
        server.aof.phase = AofPhase::On;
        server.aof_start(file, size);
        server.loading = None;
        // Opening the increment has had the manifest on the disk, which is in the same directory.
        server.clean_aof_history(false);
    }

    /// It cannot be loaded or opened, and the log says why.
    fn start_failed(&mut self, start: Box<AofStart>) {
        match start.asked_by {
            Some(asked_by) => {
                self.server.loading = None;
                self.answer_reload(asked_by, false);
            }
            None => self.server.actions.push_back(Action::Exit(1)),
        }
    }

    fn answer_reload(&mut self, (conn, id, is_heard): (ConnId, u64, bool), went_well: bool) {
        const FAILED: &str = "ERR Error trying to load the AOF files, check server logs.";
        if !went_well {
            self.server.count_error(FAILED.as_bytes());
        }
        // It may be gone, and another one in its place.
        let Some(client) = self.server.clients.get_mut(conn).filter(|client| client.id == id) else { return };
        client.blocked = None;
        match went_well {
            _ if !is_heard => (),
            true => client.out.ok(),
            false => client.out.error(FAILED),
        }
        self.server.blocking.released.push(conn);
        self.server.mark_dirty(conn);
    }
}

impl StartStep {
    /// The file that the answer under way is about.
    fn file(&self) -> Option<FileId> {
        match self {
            Self::Flushing | Self::Loading(_) => None,
            Self::Base(base) => Some(base.file),
            Self::Manifest(file)
            | Self::OldFile(file)
            | Self::MovedFile(file)
            | Self::UpgradeDirectory(file)
            | Self::UpgradeManifest(file)
            | Self::Upgrade(file)
            | Self::Measuring(file, _)
            | Self::Directory(file)
            | Self::Increment(file, _)
            | Self::Announcing(file, ..) => Some(*file),
        }
    }
}

fn log_manifest_error(error: &ManifestError) {
    log::error!("*** FATAL AOF MANIFEST FILE ERROR ***");
    if let Some((number, line)) = &error.line {
        log::error!("Reading the manifest file, at line {number}");
        log::error!(">>> '{}'", String::from_utf8_lossy(line));
    }
    log::error!("{error}");
}
