//! A snapshot of our primary: where it goes as it comes, and what becomes of the data that was there.

use super::{
    Engine,
    loading::{LoadOptions, Loader, LoaderProgress},
    spool::Arriving,
};
use crate::{
    config::ReplDisklessLoad,
    replication::replica::{SnapshotEnd, Transfer, UpstreamPhase},
    state::LoadingState,
};

impl Engine {
    /// A snapshot begins. It is loaded into fresh tables as it comes if nothing is lost should it break off: `swapdb` keeps the old data beside
    /// it, and an empty server has nothing to keep. Otherwise it waits in a file until it is complete.
    pub(super) fn begin_load(&mut self, form: SnapshotEnd) {
        let server = &mut self.server;
        let beside = server.config.repl_diskless_load == ReplDisklessLoad::SwapDb;
        let empty = server.keyspace.iter().all(|(_, db)| db.is_empty());
        let followed = server.replicas() > 0 && server.config.repl_diskless_load == ReplDisklessLoad::Disabled;
        let straight = beside || empty && !followed;
        let to = if straight { "parser" } else { "disk" };
        let (total, mark) = match form {
            SnapshotEnd::Sized(size) => {
                log::info!("MASTER <-> REPLICA sync: receiving {size} bytes from master to {to}");
                (Some(size), None)
            }
            SnapshotEnd::Marked(mark) => {
                let text = String::from_utf8_lossy(&mark);
                log::info!("MASTER <-> REPLICA sync: receiving streamed RDB from master with EOF {text} to {to}");
                (None, Some(mark))
            }
        };
        let Some(upstream) = server.replication.upstream.as_mut() else { return };
        upstream.transfer = Transfer { total, read: 0 };
        // Clients may read the old data meanwhile if it is an earlier state of the same history; otherwise it is only kept in case the load fails.
        let promised = upstream.promised.as_ref().and_then(|(id, _)| *id);
        let same_history = promised.is_some_and(|id| id == server.replication.id);
        if !straight {
            self.begin_spool(mark);
            return;
        }
        let loader = self.sync_loader(total);
        self.arriving = Some(Arriving::Straight(Box::new(loader)));
        if beside {
            self.note_load(same_history, total);
            log::info!("MASTER <-> REPLICA sync: Loading DB in memory");
        }
    }

    /// A loader for a snapshot of so many bytes, into fresh tables.
    pub(super) fn sync_loader(&mut self, size: Option<u64>) -> Loader {
        self.server.keyspace.begin_load(true);
        Loader::new(LoadOptions { decode: self.server.decode_options(size), keep_expired: true, ..LoadOptions::default() })
    }

    /// Gives up the old data, and with it the history that it belongs to: the snapshot that replaces it is being loaded, and the settings do not
    /// ask for both to be held.
    pub(super) fn drop_old_data(&mut self) {
        log::info!("MASTER <-> REPLICA sync: Flushing old data");
        let server = &mut self.server;
        server.interrupt_migration();
        server.stop_aof_for_sync();
        for db in 0..server.keyspace.databases() {
            server.keyspace.flush(db);
        }
        let mut total = None;
        if let Some(upstream) = server.replication.upstream.as_mut() {
            upstream.resumable = false;
            total = match upstream.phase {
                UpstreamPhase::Loading => Some(upstream.transfer.read),
                _ => upstream.transfer.total,
            };
        }
        self.server.close_replicas();
        self.server.replication.log.close_backlog();
        self.note_load(false, total);
        log::info!("MASTER <-> REPLICA sync: Loading DB in memory");
    }

    /// Takes bytes of the snapshot. If it ends among them, returns how many do not belong to it.
    pub(super) fn load(&mut self, payload: &[u8]) -> Result<Option<usize>, String> {
        let loader = match &mut self.arriving {
            Some(Arriving::Straight(loader)) => loader,
            Some(Arriving::Spooled(_)) => return Ok(self.spool(payload)),
            None => return Err("no snapshot was announced".into()),
        };
        let progress = loader.feed(&mut self.server.keyspace, payload).map_err(|e| e.to_string())?;
        let (offset, left) = (loader.offset(), loader.rest().len());
        if let Some(upstream) = self.server.replication.upstream.as_mut() {
            upstream.transfer.read += payload.len() as u64;
        }
        // Only once it has proved to be a snapshot at all.
        if offset > 0 && self.server.loading.is_none() {
            self.drop_old_data();
        }
        if let Some(loading) = self.server.loading.as_mut() {
            loading.loaded_bytes = offset;
        }
        let marked = match self.server.replication.upstream.as_mut().map(|u| &mut u.phase) {
            Some(UpstreamPhase::Handshake(handshake)) if handshake.is_marked() && progress == LoaderProgress::Done => {
                handshake.snapshot_ended();
                true
            }
            _ => false,
        };
        Ok(marked.then_some(left.min(payload.len())))
    }

    /// The whole snapshot has come.
    pub(super) fn transferred(&mut self) -> Result<(), String> {
        if let Some(Arriving::Straight(loader)) = &self.arriving {
            loader.finish().map_err(|e| e.to_string())?;
        }
        match self.arriving.take() {
            Some(Arriving::Straight(mut loader)) => self.end_load(&mut loader),
            Some(Arriving::Spooled(spool)) => self.load_spooled(spool),
            None => return Err("no snapshot was announced".into()),
        }
        Ok(())
    }

    /// The whole snapshot is loaded: it takes its place.
    pub(super) fn end_load(&mut self, loader: &mut Loader) {
        if let Err(reason) = self.server.adopt_libraries(loader.take_libraries(), true, true) {
            log::warn!("MASTER <-> REPLICA sync: a library of functions of the MASTER is not loaded: {reason}");
        }
        // Done already if the old data had to go first.
        self.server.stop_aof_for_sync();
        self.server.close_replicas();
        self.server.replication.log.close_backlog();
        let server = &mut self.server;
        server.interrupt_migration();
        server.loading = None;
        server.keyspace.commit_load();
        // Who keeps copies is told in front of what is read from here on, which may be in this turn.
        server.publish_noted();
        let Some(upstream) = server.replication.upstream.as_mut() else { return };
        upstream.db =
            loader.facts().stream_db.and_then(|db| usize::try_from(db).ok()).filter(|db| *db < server.keyspace.databases()).unwrap_or(0);
        let (id, offset) = upstream.promised.take().unwrap_or((None, 0));
        let id = id.unwrap_or_else(|| server.rng.hex());
        server.replication.change_id(id);
        server.replication.log.restart_at(offset);
        self.go_online();
        log::info!("MASTER <-> REPLICA sync: Finished with success, {} keys", loader.keys());
        if self.server.config.appendonly {
            log::info!("MASTER <-> REPLICA sync: Starting AOF after a successful sync");
            self.server.turn_aof_on(false);
        }
    }

    /// Gives up an incomplete snapshot. Old data that was kept is in use again.
    pub(super) fn give_up_load(&mut self) {
        self.held_input = None;
        let Some(arriving) = self.arriving.take() else { return };
        if let Arriving::Spooled(spool) = arriving {
            self.give_up_load_sync();
            self.remove_spool(&spool);
        }
        self.server.keyspace.abort_load();
        self.server.loading = None;
    }

    pub(super) fn note_load(&mut self, asynchronous: bool, total: Option<u64>) {
        let server = &mut self.server;
        server.loading = Some(LoadingState {
            started_unix_seconds: server.unix_seconds(),
            total_bytes: total.unwrap_or(0),
            asynchronous,
            ..Default::default()
        });
    }
}
