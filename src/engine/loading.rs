//! Loading at start: the file is read beside the loop, and what has been read becomes keys in slices between events, so that clients
//! are told meanwhile how far it is. [`Loader`] is also what a replica feeds its primary's stream to.

pub use crate::persist::load::{LoadFacts, LoadOptions, Loader, LoaderProgress};

use super::{
    Engine,
    file_input::{FileInput, SLICE_NANOS, STEP_KEYS},
    snapshots::ms_until,
};
use crate::{
    replication::ReplId,
    resp::request::OwnedArgs,
    state::{
        Action, Server,
        disk::{DiskDone, DiskJob, Done, FileId, Lane},
        saving::resumes_nanos,
    },
};

/// A file being loaded.
pub(super) struct FileLoad {
    input: FileInput,
    path: String,
    /// It holds our primary's snapshot, and goes into tables beside those in use.
    is_sync: bool,
    loader: Loader,
    started_nanos: u64,
    /// Monotonic nanoseconds at the end of the last step, and the keys of it: what `key-load-delay` counts from.
    stepped: (u64, u64),
}

impl FileLoad {
    fn new(file: FileId, path: String, is_sync: bool, loader: Loader, started_nanos: u64) -> Box<Self> {
        Box::new(Self { input: FileInput::new(file), path, is_sync, loader, started_nanos, stepped: (0, 0) })
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
        self.load.as_ref().is_some_and(|load| load.input.is_waiting()) && self.load_resumes() <= self.nanos
    }

    /// Milliseconds until a load that waits on purpose goes on.
    pub(super) fn load_resumes_ms(&self) -> Option<u64> {
        let resumes = self.load_resumes();
        (resumes > self.nanos).then(|| ms_until(resumes, self.nanos))
    }

    /// Monotonic nanoseconds before which a load does not go on.
    fn load_resumes(&self) -> u64 {
        resumes_nanos(self.server.config.key_load_delay, self.load.as_ref().map_or((0, 0), |load| load.stepped))
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
        if !load.input.is_busy() {
            let Some(piece) = load.input.take_piece() else { return };
            load.loader.push(&piece);
        }
        let before = load.loader.keys() + load.loader.expired();
        let result = load.loader.step(&mut self.server.keyspace, STEP_KEYS);
        // Not before its header has proved that it is a snapshot.
        if load.is_sync && load.loader.offset() > 0 && self.server.loading.is_none() {
            self.drop_old_data();
        }
        let Some(load) = &mut self.load else { return };
        if let Some(state) = &mut self.server.loading {
            state.used_memory = load.loader.facts().used_memory.unwrap_or(0);
            state.advance(load.loader.offset());
        }
        if self.server.config.key_load_delay != 0 {
            self.nanos = self.server.host.nanos();
            load.stepped = (self.nanos, load.loader.keys() + load.loader.expired() - before);
        }
        match result {
            Ok(LoaderProgress::More) => (),
            Ok(LoaderProgress::Hungry) => {
                load.input.piece_loaded();
                self.read_ahead();
            }
            Ok(LoaderProgress::Done) => self.loaded(),
            Err(error) => self.load_failed(&error.to_string()),
        }
    }

    /// Keeps reads in flight, and notices the end of the file.
    fn read_ahead(&mut self) {
        let Some(load) = &mut self.load else { return };
        if load.input.is_over()
            && let Err(error) = load.loader.finish()
        {
            return self.load_failed(&error.to_string());
        }
        while let Some(job) = load.input.next_read() {
            self.server.ask_disk(job);
        }
    }

    /// Takes an answer of the disk if it is for the file that is being loaded. Whether it was.
    pub(super) fn load_answered(&mut self, done: &mut DiskDone) -> bool {
        let Some(load) = &mut self.load else { return false };
        if load.input.file != done.file {
            return false;
        }
        match &mut done.result {
            // The first start: there is nothing to load.
            Ok(Done::Opened(None)) => {
                self.load = None;
                self.server.loading = None;
            }
            Ok(Done::Opened(Some(size))) => {
                let decode = self.server.decode_options(Some(*size));
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
                load.input.take_read(std::mem::take(bytes));
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
            return self.end_spool(&mut load.loader);
        }
        if let Err(reason) = self.server.adopt_libraries(load.loader.take_libraries(), true, true) {
            self.load = Some(load);
            return self.load_failed(&reason);
        }
        let left_out = load.loader.take_left_out();
        let server = &mut self.server;
        server.ask_disk(DiskJob::Abort { file: load.input.file });
        server.loading = None;
        adopt_history(server, load.loader.facts(), left_out);
        let seconds = server.host.nanos().saturating_sub(load.started_nanos) as f64 / 1e9;
        note_loaded(server, &load.loader);
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

/// Takes note of what a snapshot has brought.
pub(super) fn note_loaded(server: &mut Server, loader: &Loader) {
    let (keys, expired) = (loader.keys(), loader.expired());
    (server.persistence.loaded_keys, server.persistence.loaded_expired) = (keys, expired);
    match loader.empty() {
        0 => log::info!("Done loading RDB, keys loaded: {keys}, keys expired: {expired}."),
        empty => log::info!("Done loading RDB, keys loaded: {keys}, keys expired: {expired}, empty keys skipped: {empty}."),
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
