//! Replicas come and go, get snapshots, and acknowledge what clients wait for.

use super::Server;
use crate::{
    persist::{
        rdb::{SaveInfo, Settings},
        snapshot::{RdbSink, SnapshotWalk},
    },
    replication::primary::{FollowerPhase, ReplicaLink},
    state::{
        client::{Blocked, Client, ReplyMode},
        conn_id::ConnId,
        replicas::{FullSync, SnapshotForm, position},
    },
};

impl Server {
    /// Number of our replicas.
    pub fn replicas(&self) -> usize {
        self.followers.conns.len()
    }

    /// Our replicas, in the order in which they came.
    pub fn replica_links(&self) -> impl Iterator<Item = (&Client, &ReplicaLink)> {
        self.followers.conns.iter().filter_map(|conn| {
            let client = self.clients.get(*conn)?;
            Some((client, client.peer.replica()?))
        })
    }

    /// Makes a client one of our replicas, to get the log from its end on. It is `phase` that says what it gets first.
    pub fn add_replica(&mut self, conn: ConnId, phase: FollowerPhase, next_offset: u64) {
        let now = self.mono_ms;
        let Some(client) = self.clients.get_mut(conn) else { return };
        client.active_ms = now;
        let link = client.peer.become_replica();
        link.phase = phase;
        link.reader.take().into_iter().for_each(|reader| self.replication.log.remove_reader(reader));
        link.reader = (!link.rdb_only).then(|| self.replication.log.add_reader(next_offset));
        link.progress_at_ms = now;
        self.followers.conns.push(conn);
        self.count_good_replicas();
    }

    /// Makes sure that there is a log for replicas to follow. A new one has a name of its own: nothing is known of what came before.
    pub fn open_log(&mut self) {
        if self.replication.log.has_backlog() {
            return;
        }
        self.replication.change_id(self.rng.hex());
        self.replication.log.open_backlog();
        let (id, none) = (String::from_utf8_lossy(&self.replication.id), "0".repeat(40));
        log::info!("Replication backlog created, my new replication IDs are '{id}' and '{none}'");
    }

    /// Begins to send a client a snapshot of this moment; it becomes one of our replicas.
    pub fn begin_full_sync(&mut self, conn: ConnId) {
        debug_assert!(self.is_data_whole());
        self.open_log();
        // A new reader is in no database. What comes from our primary cannot be given a SELECT: the snapshot says where it is.
        if !self.replication.is_replica() {
            self.replication.log.forget_db();
        }
        let link = self.clients.get(conn).and_then(|client| client.peer.as_replica());
        let wants_functions = !link.is_some_and(|link| link.without_functions);
        let libraries = if wants_functions { self.functions.codes() } else { Vec::new() };
        let info = SaveInfo {
            unix_seconds: self.unix_us / 1_000_000,
            used_memory: self.host.used_memory() as u64,
            replication: position(&self.replication),
            aof_base: false,
            libraries: &libraries,
        };
        let link = self.clients.get(conn).and_then(|client| client.peer.as_replica());
        let (without_data, marked) = link.map_or((false, false), |link| (link.without_data, link.capabilities.eof));
        let settings = Settings::from_config(&self.config);
        let (walk, sink) = if without_data {
            (None, RdbSink::new(settings, &info, &self.keyspace))
        } else {
            let (walk, sink) = RdbSink::begin(settings, &info, &mut self.keyspace);
            (Some(walk), sink)
        };
        let form = if marked { SnapshotForm::Marked(self.rng.hex()) } else { SnapshotForm::Measured(Vec::new()) };
        self.add_replica(conn, FollowerPhase::Snapshot { sending: marked }, self.replication.log.end());
        self.stats.sync_full += 1;
        if let (SnapshotForm::Marked(mark), Some(client)) = (&form, self.clients.get_mut(conn)) {
            // What the client has been answered before goes out in front of it.
            client.out.raw(b"$EOF:");
            client.out.raw(mark);
            client.out.raw(b"\r\n");
        }
        // The snapshot may hold what is not on the disk yet.
        self.hold_what_comes(conn);
        self.mark_dirty(conn);
        self.followers.syncs.push_back(FullSync { conn, walk: SnapshotWalk::new(walk), sink, form, kept_bytes: 0, stepped: (0, 0) });
    }

    /// Forgets a client that is gone, as a replica and as a waiter.
    pub fn forget_follower(&mut self, conn: ConnId, client: &Client) {
        if matches!(client.blocked, Some(Blocked::Wait { .. })) {
            self.followers.waiting.retain(|waiting| *waiting != conn);
        }
        if !client.peer.is_replica() {
            return;
        }
        log::info!("Connection with replica {} lost.", client.replica_name());
        self.followers.conns.retain(|replica| *replica != conn);
        if let Some(reader) = client.peer.replica().and_then(|link| link.reader) {
            self.replication.log.remove_reader(reader);
        }
        while let Some(at) = self.followers.syncs.iter().position(|sync| sync.conn == conn) {
            if let Some(walk) = self.followers.syncs.remove(at).and_then(|sync| sync.walk.id()) {
                self.keyspace.cancel_walk(walk);
            }
        }
        if self.followers.conns.is_empty() {
            self.replication.alone_since_ms = self.mono_ms;
        }
        self.count_good_replicas();
    }

    /// Ends the connections of all our replicas: they are to ask again whether they can go on.
    pub fn close_replicas(&mut self) {
        for conn in self.followers.conns.clone() {
            self.close(conn, false);
        }
    }

    /// Counts the replicas that keep up, and says whether there are enough of them for writes (`min-replicas-to-write`).
    pub fn count_good_replicas(&mut self) {
        let (wanted, lag_max) = (self.config.min_replicas_to_write as usize, u64::from(self.config.min_replicas_max_lag));
        let now = self.mono_ms;
        let keeps_up =
            |(client, link): &(&Client, &ReplicaLink)| link.is_online() && now.saturating_sub(client.active_ms) / 1000 <= lag_max;
        self.replication.good_replicas = self.replica_links().filter(keeps_up).count();
        let matters = wanted > 0 && lag_max > 0 && !self.replication.is_replica();
        self.replication.few_replicas = matters && self.replication.good_replicas < wanted;
    }

    /// Whether our own append-only file has the log up to this offset on the disk, and how many replicas have acknowledged it; `on_disk`: that
    /// theirs have.
    pub fn acknowledged(&self, offset: u64, on_disk: bool) -> (bool, usize) {
        let has = |link: &ReplicaLink| if on_disk { link.has_on_disk(offset) } else { link.has(offset) };
        let local = on_disk && self.aof_synced_offset().is_some_and(|synced| synced >= offset);
        (local, self.replica_links().filter(|(_, link)| has(link)).count())
    }

    /// Makes a client wait until so many replicas have acknowledged its last write, or until the moment (Unix ms; 0 is never) has come. With `disk` it
    /// is their append-only files that count, and if it is true our own has to have it too.
    pub fn wait_for_replicas(&mut self, conn: ConnId, replicas: usize, deadline_ms: i64, disk: Option<bool>) {
        if let Some(client) = self.clients.get_mut(conn) {
            client.blocked = Some(Blocked::Wait { offset: client.write_offset, replicas, deadline_ms, disk });
            self.followers.waiting.push(conn);
            self.followers.ask = true;
        }
    }

    /// Ends a client's WAIT or WAITAOF with the numbers that there are by now, or with an error. `false`: it does not wait.
    pub fn release(&mut self, conn: ConnId, error: Option<&str>) -> bool {
        let Some(Blocked::Wait { offset, disk, .. }) = self.clients.get(conn).and_then(|client| client.blocked) else { return false };
        let (local, acknowledged) = self.acknowledged(offset, disk.is_some());
        if let Some(text) = error {
            self.count_error(text.as_bytes());
        }
        if let Some(client) = self.clients.get_mut(conn) {
            client.blocked = None;
            match error {
                _ if client.reply != ReplyMode::On => (),
                Some(text) => client.out.error(text),
                None => {
                    if disk.is_some() {
                        client.out.array(2);
                        client.out.int(local.into());
                    }
                    client.out.len_int(acknowledged);
                }
            }
        }
        self.followers.waiting.retain(|waiting| *waiting != conn);
        self.followers.released.push(conn);
        self.mark_dirty(conn);
        true
    }
}
