//! MIGRATE: begin, progress, and end.

use super::Server;
use crate::{
    keyspace::Cause,
    resp::{request::OwnedArgs, status::StatusReader},
    state::{
        action::{Action, LinkPurpose},
        client::{Blocked, Client, Origin, ReplyMode},
        conn_id::ConnId,
        link::Link,
        migration::{MigrateRequest, Migration, MigrationStep},
        notifications::Event,
        peer::Peer,
    },
};

/// Most connections that are kept, as in Redis.
const LINKS_MAX: usize = 64;
/// Milliseconds for which an idle connection is kept, as in Redis.
const LINK_IDLE_MS: u64 = 10_000;

const CONNECTING: &str = "IOERR error or timeout connecting to the client";
const WRITING: &str = "IOERR error or timeout writing to target instance";
const READING: &str = "IOERR error or timeout reading from target instance";

impl Server {
    /// Begins to move keys to another server. The client waits until that is over, and so does everybody who would write.
    pub fn begin_migration(&mut self, conn: ConnId, command: u16, request: MigrateRequest) {
        debug_assert!(!self.migrations.is_under_way(), "it was to be held back");
        let Some(client) = self.clients.get_mut(conn) else { return };
        client.blocked = Some(Blocked::Migration);
        self.migrations.under_way = Some(Box::new(Migration {
            client: (conn, client.id, client.reply != ReplyMode::On),
            command,
            request,
            step: MigrationStep::Connecting(0),
            may_retry: true,
            has_sent: false,
            progress_at_ms: self.mono_ms,
            preludes: 0,
            refused: None,
            answered: 0,
            arrived: Vec::new(),
            error: None,
        }));
        // At once, and not at the end of the turn.
        self.hold_expired();
        self.reach_target();
    }

    /// Uses a connection that is kept, or asks for a new one.
    fn reach_target(&mut self) {
        let Some(migration) = self.migrations.under_way.as_deref_mut() else { return };
        migration.progress_at_ms = self.mono_ms;
        (migration.preludes, migration.refused) = (0, None);
        let clients = &self.clients;
        let is_there = |conn: &&ConnId| {
            let kept = clients.get(**conn).filter(|client| !client.close_now).and_then(|client| client.peer.target());
            kept.is_some_and(|link| link.name == migration.request.name)
        };
        if let Some(conn) = self.migrations.links.iter().find(is_there).copied() {
            return self.talk(conn);
        }
        let (host, Some(port)) = (migration.request.host.clone(), migration.request.port) else { return self.end_migration(CONNECTING) };
        if self.cached_links() >= LINKS_MAX {
            let unlucky = self.rng.below(self.migrations.links.len() as u64) as usize;
            if let Some(conn) = self.migrations.links.get(unlucky).copied() {
                self.close(conn, false);
            }
        }
        let link = self.dial(LinkPurpose::Migration, host, port, None);
        if let Some(migration) = self.migrations.under_way.as_deref_mut() {
            migration.step = MigrationStep::Connecting(link);
        }
    }

    /// The connection that was asked for is there. `false`: it is no longer wanted.
    pub fn migration_connected(&mut self, link: u64, conn: ConnId, origin: &Origin) -> bool {
        let Some(migration) = self.migrations.under_way.as_deref_mut().filter(|m| m.step == MigrationStep::Connecting(link)) else {
            return false;
        };
        let link = Link { name: migration.request.name.clone(), db: None, used_at_ms: self.mono_ms, replies: StatusReader::default() };
        let mut client = Client::new(0, origin.clone(), self.mono_ms, true);
        client.peer = Peer::Target(Box::new(link));
        self.clients.insert(conn, client);
        self.migrations.links.push(conn);
        migration.progress_at_ms = self.mono_ms;
        self.talk(conn);
        true
    }

    /// The connection that was asked for cannot be had. Where it was refused Redis does not find out before it writes.
    pub fn migration_not_connected(&mut self, link: u64, refused: bool) {
        if self.migrations.under_way().is_some_and(|migration| migration.step == MigrationStep::Connecting(link)) {
            self.end_migration(if refused { WRITING } else { CONNECTING });
        }
    }

    /// Sends the whole request. How fast it is taken is up to the other server.
    fn talk(&mut self, conn: ConnId) {
        let Some(migration) = self.migrations.under_way.as_deref_mut() else { return };
        let Some(Client { peer: Peer::Target(link), out, .. }) = self.clients.get_mut(conn) else { return };
        migration.step = MigrationStep::Talking(conn);
        migration.has_sent = false;
        link.used_at_ms = self.mono_ms;
        let request = &migration.request;
        if !request.auth.is_empty() {
            out.raw(&request.auth);
            migration.preludes += 1;
        }
        if link.db != Some(request.destination) {
            out.array(2);
            out.bulk(b"SELECT");
            out.bulk_int(request.destination);
            migration.preludes += 1;
        }
        // Set again when all replies are good.
        link.db = None;
        request.commands.iter().for_each(|piece| out.raw_shared(piece.clone()));
        self.mark_dirty(conn);
    }

    /// Bytes that came from another server.
    pub fn link_heard(&mut self, conn: ConnId, mut bytes: &[u8]) {
        let now_ms = self.mono_ms;
        loop {
            let Some(client) = self.clients.get_mut(conn).filter(|client| !client.close_now) else { return };
            let Client { peer: Peer::Target(link), out, .. } = client else { return };
            if bytes.is_empty() {
                return;
            }
            let Some(migration) = self.migrations.on(conn) else {
                log::debug!("A server that keys were moved to speaks without being asked");
                return self.close(conn, false);
            };
            migration.progress_at_ms = now_ms;
            match link.replies.next(&mut bytes) {
                Ok(None) => return,
                Ok(Some(status)) => {
                    if migration.take(status) {
                        link.used_at_ms = now_ms;
                        link.db = migration.error.is_none().then_some(migration.request.destination);
                        // Further bytes belong to no request.
                        if !bytes.is_empty() || !out.is_empty() {
                            self.close(conn, false);
                        }
                        return self.end_migration("");
                    }
                }
                // A malformed reply acknowledges nothing, and a retry would not help.
                Err(_) => {
                    migration.may_retry = false;
                    self.close(conn, false);
                    return self.link_lost(false);
                }
            }
        }
    }

    /// Bytes have gone out to another server.
    pub fn link_sent(&mut self, conn: ConnId) {
        let now_ms = self.mono_ms;
        if let Some(migration) = self.migrations.on(conn) {
            migration.progress_at_ms = now_ms;
            migration.has_sent = true;
        }
    }

    /// The connection to another server has ended; `writing`: not all of the request had been sent.
    pub fn link_gone(&mut self, conn: ConnId, writing: bool) {
        let Some(at) = self.migrations.links.iter().position(|link| *link == conn) else { return };
        self.migrations.links.swap_remove(at);
        if let Some(migration) = self.migrations.on(conn) {
            // Where nothing has gone out yet the end was read: Redis would have written to the socket's buffer, and found out as it read.
            let writing = writing && migration.has_sent;
            self.link_lost(writing);
        }
    }

    /// The connection is lost. If no reply has come yet, a new one is tried.
    fn link_lost(&mut self, writing: bool) {
        let Some(migration) = self.migrations.under_way.as_deref_mut() else { return };
        if migration.answered == 0 && std::mem::take(&mut migration.may_retry) {
            return self.reach_target();
        }
        self.end_migration(if writing { WRITING } else { READING });
    }

    /// Gives the migration up if it has timed out.
    pub fn expire_migration(&mut self) {
        let Some(migration) = self.migrations.under_way() else { return };
        if migration.gives_up_at_ms() <= self.mono_ms {
            self.give_up_migration();
        }
    }

    /// Milliseconds until the migration is given up unless there is progress.
    pub fn migration_left_ms(&self) -> u64 {
        self.migrations.under_way().map_or(u64::MAX, |migration| migration.gives_up_at_ms().saturating_sub(self.mono_ms))
    }

    /// Ends a migration ahead of a change to the server as a whole: another role, another dataset, a shutdown. What has arrived at the other server
    /// goes, and is logged, while we may still do that; the rest is treated as timed out.
    pub fn interrupt_migration(&mut self) {
        if self.migrations.is_under_way() {
            self.give_up_migration();
        }
    }

    #[cold]
    fn give_up_migration(&mut self) {
        match self.migrations.under_way().map(Migration::step) {
            Some(MigrationStep::Connecting(link)) => {
                self.actions.push_back(Action::CancelConnect { link });
                self.end_migration(CONNECTING);
            }
            Some(MigrationStep::Talking(conn)) => {
                let writing = self.clients.get(conn).is_some_and(|client| !client.out.is_empty());
                self.close(conn, false);
                self.end_migration(if writing { WRITING } else { READING });
            }
            None => (),
        }
    }

    /// Links that are kept and not in use, with their connections.
    fn idle_links(&self) -> impl Iterator<Item = (ConnId, &Link)> {
        let busy = self.migrations.under_way().map(Migration::step);
        self.migrations.links.iter().filter_map(move |conn| {
            let client = self.clients.get(*conn).filter(|client| !client.close_now && busy != Some(MigrationStep::Talking(*conn)))?;
            Some((*conn, client.peer.target()?))
        })
    }

    /// Number of connections kept (INFO's `migrate_cached_sockets`).
    pub fn cached_links(&self) -> usize {
        let open = |conn: &&ConnId| self.clients.get(**conn).is_some_and(|client| !client.close_now);
        self.migrations.links.iter().filter(open).count()
    }

    /// Closes connections that have been idle for too long.
    pub fn close_idle_links(&mut self) {
        let idle = self.idle_links().filter(|(_, link)| self.mono_ms.saturating_sub(link.used_at_ms) > LINK_IDLE_MS);
        for conn in idle.map(|(conn, _)| conn).collect::<Vec<_>>() {
            self.close(conn, false);
        }
    }

    /// The connection that has been kept longest for the next MIGRATE: the one to give up where there are too few descriptors.
    pub fn spare_link(&self) -> Option<ConnId> {
        self.idle_links().min_by_key(|(_, link)| link.used_at_ms).map(|(conn, _)| conn)
    }

    /// Ends the migration: acknowledged keys are deleted, and the client gets the first error of the other server, or else `failure`, or else OK.
    fn end_migration(&mut self, failure: &str) {
        let Some(migration) = self.migrations.under_way.take() else { return };
        let Migration { client: (conn, id, silent), command, request, arrived, error, .. } = *migration;
        if !request.copy {
            let keys: Vec<&[u8]> = arrived.iter().filter_map(|i| request.keys.get(*i)).map(|key| &**key).collect();
            self.delete_migrated(conn, id, request.db, &keys);
        }
        let text = match error {
            Some(text) => [b"ERR Target instance replied with error: ", &text[..]].concat(),
            None => failure.as_bytes().to_vec(),
        };
        if !text.is_empty() {
            self.count_error(&text);
            if let Some(counters) = self.stats.by_command.get_mut(usize::from(command)) {
                counters.failed += 1;
            }
        }
        // The client may be gone, and its connection reused.
        let Some(client) = self.clients.get_mut(conn).filter(|client| client.id == id) else { return };
        client.blocked = None;
        match &text[..] {
            _ if silent => (),
            [] => client.out.ok(),
            text => client.out.error(text),
        }
        self.blocking.released.push(conn);
        self.mark_dirty(conn);
    }

    fn delete_migrated(&mut self, conn: ConnId, id: u64, db: usize, keys: &[&[u8]]) {
        let mut deletion = OwnedArgs::new(&[b"DEL"]);
        let mut deleted = false;
        for key in keys {
            let hash = self.keyspace.hash(key);
            // A key past its deadline has just expired.
            if self.keyspace.remove(db, hash, key).is_none() {
                continue;
            }
            self.key_changed(db, key, Cause::Command, Event('g', "del"));
            deletion.push(key);
            deleted = true;
        }
        if deleted && self.replication.log.is_fed() {
            self.replication.log.append(db, deletion.args());
            let end = self.replication.log.end();
            if let Some(client) = self.clients.get_mut(conn).filter(|client| client.id == id) {
                client.write_offset = end;
            }
        }
        // Who keeps copies is told in front of what is read from here on, which may be in this turn.
        self.publish_noted();
    }
}
