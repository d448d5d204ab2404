//! Loading at start: the file is read beside the loop, and what has been read becomes keys in slices between events, so that clients
//! are told meanwhile how far it is. [`Loader`] is also what a replica feeds its primary's stream to.

pub use crate::persist::load::{LoadFacts, LoadOptions, Loader, LoaderProgress};

use super::{Engine, snapshots::ms_until};
use crate::{
    persist::rdb,
    replication::ReplId,
    resp::request::OwnedArgs,
    state::{
        Action, Server,
        disk::{DiskDone, DiskJob, Done, FileId, Lane},
        saving::delay_nanos,
    },
};
use bytes::Bytes;
use std::collections::VecDeque;

/// How long a slice may take, in nanoseconds. No data is served during a load; the error that says so may have to wait this long.
const SLICE_NANOS: u64 = 100_000;
/// Bytes read at a time.
const READ_BYTES: usize = 1 << 20;
/// Reads asked for ahead.
const READS: usize = 3;
/// Bytes decoded before more are looked at.
const PUSH_BYTES: usize = 64 * 1024;
/// Keys loaded between two looks at the clock.
const STEP_KEYS: usize = 64;
/// Bytes after which the log is told how far it is.
const REPORT_BYTES: u64 = 1 << 30;

/// A file being loaded.
pub(super) struct FileLoad {
    file: FileId,
    path: String,
    /// It holds our primary's snapshot, and goes into tables beside those in use.
    is_sync: bool,
    loader: Loader,
    /// What was read and is not loaded.
    chunks: VecDeque<Bytes>,
    /// Reads that have not been answered.
    reading: usize,
    /// All of it has been read.
    at_end: bool,
    /// The bytes pushed last are not loaded yet.
    busy: bool,
    started_nanos: u64,
    /// Monotonic nanoseconds at the end of the last step, and the keys of it: what `key-load-delay` counts from.
    stepped: (u64, u64),
    report_bytes: u64,
}

impl FileLoad {
    fn new(file: FileId, path: String, is_sync: bool, loader: Loader, started_nanos: u64) -> Box<Self> {
        Box::new(Self {
            file,
            path,
            is_sync,
            loader,
            chunks: VecDeque::new(),
            reading: 0,
            at_end: false,
            busy: false,
            started_nanos,
            stepped: (0, 0),
            report_bytes: REPORT_BYTES,
        })
    }
}

impl Engine {
    /// Begins to load the file that `dir` and `dbfilename` name.
    pub(super) fn load_rdb_file(&mut self) {
        let file = self.server.next_file(Lane::Bulk);
        let path = self.server.config.dbfilename.clone();
        let keep_expired = self.server.config.replicaof.is_some();
        let options = LoadOptions { keep_expired, ..LoadOptions::default() };
        self.load = Some(FileLoad::new(file, path.clone(), false, Loader::new(options), self.server.host.nanos()));
        self.server.ask_disk(DiskJob::Open { file, path });
    }

    /// Begins to load our primary's snapshot from a file that is open.
    pub(super) fn load_sync(&mut self, file: FileId, path: String, loader: Loader) {
        self.load = Some(FileLoad::new(file, path, true, loader, self.server.host.nanos()));
        self.read_ahead();
    }

    /// Gives up loading our primary's snapshot from its file.
    pub(super) fn give_up_load_sync(&mut self) {
        self.load.take_if(|load| load.is_sync);
    }

    /// Whether a file that is being loaded wants a slice now.
    pub(super) fn wants_load_slice(&self) -> bool {
        self.load.as_ref().is_some_and(|load| load.busy || !load.chunks.is_empty()) && self.load_resumes() <= self.nanos
    }

    /// Milliseconds until a load that waits on purpose goes on.
    pub(super) fn load_resumes_ms(&self) -> Option<u64> {
        let resumes = self.load_resumes();
        (resumes > self.nanos).then(|| ms_until(resumes, self.nanos))
    }

    /// Monotonic nanoseconds before which a load does not go on.
    fn load_resumes(&self) -> u64 {
        let delay = self.server.config.key_load_delay;
        let stepped = self.load.as_ref().map_or((0, 0), |load| load.stepped);
        if delay == 0 { 0 } else { stepped.0 + delay_nanos(delay, stepped.1) }
    }

    /// Takes the load a slice further.
    pub(super) fn load_slice(&mut self) {
        let started = self.nanos;
        while self.wants_load_slice() {
            self.load_step();
            if self.server.host.nanos().saturating_sub(started) >= SLICE_NANOS {
                return;
            }
        }
    }

    fn load_step(&mut self) {
        let Some(load) = &mut self.load else { return };
        if !load.busy {
            let Some(mut chunk) = load.chunks.pop_front() else { return };
            load.loader.push(&chunk.split_to(chunk.len().min(PUSH_BYTES)));
            load.busy = true;
            if !chunk.is_empty() {
                load.chunks.push_front(chunk);
            }
        }
        let before = load.loader.keys() + load.loader.expired();
        let result = load.loader.step(&mut self.server.keyspace, STEP_KEYS);
        // Not before its header has proved that it is a snapshot.
        if load.is_sync && load.loader.offset() > 0 && self.server.loading.is_none() {
            self.drop_old_data();
        }
        let Some(load) = &mut self.load else { return };
        if let Some(state) = &mut self.server.loading {
            state.loaded_bytes = load.loader.offset();
            state.used_memory = load.loader.facts().used_memory.unwrap_or(0);
            if state.loaded_bytes >= load.report_bytes {
                load.report_bytes += REPORT_BYTES;
                log::info!("Loading: {} of {} MiB", state.loaded_bytes >> 20, state.total_bytes >> 20);
            }
        }
        if self.server.config.key_load_delay != 0 {
            self.nanos = self.server.host.nanos();
            load.stepped = (self.nanos, load.loader.keys() + load.loader.expired() - before);
        }
        match result {
            Ok(LoaderProgress::More) => (),
            Ok(LoaderProgress::Hungry) => {
                load.busy = false;
                self.read_ahead();
            }
            Ok(LoaderProgress::Done) => self.loaded(),
            Err(error) => self.load_failed(&error.to_string()),
        }
    }

    /// Keeps reads in flight, and notices the end of the file.
    fn read_ahead(&mut self) {
        let Some(load) = &mut self.load else { return };
        if load.at_end {
            if load.chunks.is_empty()
                && !load.busy
                && let Err(error) = load.loader.finish()
            {
                self.load_failed(&error.to_string());
            }
            return;
        }
        while load.reading + load.chunks.len() < READS {
            load.reading += 1;
            self.server.ask_disk(DiskJob::Read { file: load.file, bytes: READ_BYTES });
        }
    }

    /// Takes an answer of the disk if it is for the file that is being loaded. Whether it was.
    pub(super) fn load_answered(&mut self, done: &mut DiskDone) -> bool {
        let Some(load) = &mut self.load else { return false };
        if load.file != done.file {
            return false;
        }
        match &mut done.result {
            // The first start: there is nothing to load.
            Ok(Done::Opened(None)) => {
                self.load = None;
                self.server.loading = None;
            }
            Ok(Done::Opened(Some(size))) => {
                let shapes = rdb::Shapes::from_config(&self.server.config, self.server.keyspace.seed());
                let decode =
                    rdb::DecodeOptions { verify: self.server.config.rdbchecksum && !self.server.skip_checksums, size: Some(*size), shapes };
                let replica = self.server.config.replicaof.is_some();
                // More would not fit into the backlog, from which replicas are told.
                let remember_bytes = usize::try_from(self.server.config.repl_backlog_size).unwrap_or(usize::MAX);
                load.loader = Loader::new(LoadOptions { decode, keep_expired: replica, replace: false, remember_bytes });
                if let Some(state) = &mut self.server.loading {
                    state.total_bytes = *size;
                }
                self.read_ahead();
            }
            Ok(Done::Read(bytes)) => {
                load.reading -= 1;
                if bytes.is_empty() {
                    load.at_end = true;
                } else {
                    load.chunks.push_back(std::mem::take(bytes));
                }
                self.read_ahead();
            }
            Ok(_) => (),
            Err(reason) => {
                let text = format!("it can't be read: {reason}");
                self.load_failed(&text);
            }
        }
        true
    }

    fn loaded(&mut self) {
        let Some(mut load) = self.load.take() else { return };
        if load.is_sync {
            return self.end_spool(&load.loader);
        }
        let left_out = load.loader.take_left_out();
        let server = &mut self.server;
        server.ask_disk(DiskJob::Abort { file: load.file });
        server.loading = None;
        let (keys, expired) = (load.loader.keys(), load.loader.expired());
        adopt_history(server, load.loader.facts(), left_out);
        (server.persistence.loaded_keys, server.persistence.loaded_expired) = (keys, expired);
        let seconds = server.host.nanos().saturating_sub(load.started_nanos) as f64 / 1e9;
        match load.loader.empty() {
            0 => log::info!("Done loading RDB, keys loaded: {keys}, keys expired: {expired}."),
            empty => log::info!("Done loading RDB, keys loaded: {keys}, keys expired: {expired}, empty keys skipped: {empty}."),
        }
        log::info!("DB loaded from disk: {seconds:.3} seconds");
    }

    fn load_failed(&mut self, reason: &str) {
        if let Some(load) = self.load.take() {
            if load.is_sync {
                log::warn!("MASTER <-> REPLICA sync failed: Failed trying to load the MASTER synchronization DB from disk: {reason}");
                return self.retry_link();
            }
            let dir = &self.server.config.dir;
            log::error!("Internal error in RDB reading: {reason}");
            log::error!("Can't load the RDB file {} (in server root dir {dir}): {reason}", load.path);
            log::error!("Terminating server after rdb file reading failure.");
            log::error!("Fatal error loading the DB, check server logs. Exiting.");
            self.server.actions.push_back(Action::Exit(1));
        }
    }
}

/// Continues from the moment at which our file was saved: as a replica of its history, or as a primary whose replicas may know it. They are
/// told of the keys that were left out, if these are known.
fn adopt_history(server: &mut Server, facts: &LoadFacts, left_out: Option<Vec<(usize, Box<[u8]>)>>) {
    let id = facts.replication_id.as_deref().and_then(|id| ReplId::try_from(id.as_bytes()).ok());
    let offset = facts.replication_offset.and_then(|offset| u64::try_from(offset).ok());
    let (Some(id), Some(offset)) = (id, offset) else { return };
    // A replica of that history would keep keys that are missing here.
    if server.replication.upstream.is_none() && left_out.is_none() {
        return;
    }
    server.replication.change_id(id);
    server.replication.log.restart_at(offset);
    match server.replication.upstream.as_mut() {
        Some(upstream) => {
            upstream.resumable = true;
            upstream.db =
                facts.stream_db.and_then(|db| usize::try_from(db).ok()).filter(|db| *db < server.keyspace.databases()).unwrap_or(0);
        }
        None => {
            server.replication.log.open_backlog();
            server.replication.branch_off(server.rng.hex());
            server.replication.alone_since_ms = server.mono_ms;
            let name: &[u8] = if server.config.lazyfree_lazy_expire { b"UNLINK" } else { b"DEL" };
            for (db, key) in left_out.into_iter().flatten() {
                server.replication.log.append(db, OwnedArgs::new(&[name, &key]).args());
            }
            // Whether replicas can go on depends on what has just been appended.
            server.replication.log.trim();
        }
    }
}
