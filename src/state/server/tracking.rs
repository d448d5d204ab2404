//! Clients that keep copies of keys are told which of them are stale.

use super::Server;
use crate::{
    keyspace::{Reader, Stale},
    resp::output::{Output, SHARED_MIN},
    state::{
        client::{Client, ClientKind},
        conn_id::ConnId,
        tracking::{self, CHANNEL, Invalidation, Redirect, Tracking, TrackingMode, TrackingOptions},
    },
};

/// Keys that are forgotten in one turn where there are more than `tracking-table-max-keys`.
const FORGOTTEN_A_TURN: usize = 64;

impl Server {
    /// A client as one that keeps copies, if it does.
    pub fn reader(&self, conn: ConnId) -> Option<Reader> {
        self.clients.get(conn).filter(|client| client.tracking.is_some()).map(|client| Reader { id: client.id, conn: conn.0 })
    }

    /// A client begins to keep copies, or goes on in another way (CLIENT TRACKING ON).
    pub fn track(&mut self, conn: ConnId, options: TrackingOptions) {
        let Some(client) = self.clients.get_mut(conn) else { return };
        let reader = Reader { id: client.id, conn: conn.0 };
        if client.tracking.is_none() {
            self.keyspace.tracked.add_client();
        }
        client.hears_of_own_changes = true;
        let tracking = client.tracking.get_or_insert_default();
        tracking.mode = options.mode;
        tracking.no_loop = options.no_loop;
        tracking.redirect = options.redirect;
        tracking.is_redirect_broken = false;
        if options.mode == TrackingMode::Broadcast {
            let all = vec![Box::default()];
            for prefix in if options.prefixes.is_empty() { all } else { options.prefixes } {
                self.keyspace.tracked.listen(&prefix, reader);
                tracking.add_prefix(prefix);
            }
        }
        if let Some(target) = options.redirect.and_then(|redirect| self.clients.get_mut(redirect.conn)) {
            target.hears_of_own_changes = true;
        }
    }

    /// A client keeps no more copies.
    pub fn untrack(&mut self, conn: ConnId) {
        let Some(client) = self.clients.get_mut(conn) else { return };
        if let Some(tracking) = client.tracking.take() {
            let id = client.id;
            self.forget_tracking(id, &tracking);
        }
    }

    /// Forgets what was to be told to a client that is gone.
    pub fn forget_reader(&mut self, client: &Client) {
        if let Some(tracking) = &client.tracking {
            self.forget_tracking(client.id, tracking);
        }
    }

    fn forget_tracking(&mut self, id: u64, tracking: &Tracking) {
        tracking.prefixes().iter().for_each(|prefix| self.keyspace.tracked.unlisten(prefix, id));
        self.keyspace.tracked.remove_client();
    }

    /// Remembers that a client has read a key, and forgets another one where there is no room.
    pub fn note_read(&mut self, reader: Reader, key: &[u8]) {
        let clients = &self.clients;
        let mut is_there = |other: Reader| clients.get(ConnId(other.conn)).is_some_and(|c| c.id == other.id && c.tracking.is_some());
        self.keyspace.tracked.note_read(key, reader, &mut is_there);
        // Two for one, so that it comes to its end where the limit was lowered.
        self.keyspace.limit_tracked(self.config.tracking_table_max_keys, 2, &mut self.rng);
    }

    /// Whether more keys are remembered than there may be.
    pub fn remembers_too_many_reads(&self) -> bool {
        self.keyspace.is_tracked_over(self.config.tracking_table_max_keys)
    }

    /// At the end of a turn: tells clients what has not been told, and listeners to prefixes what has changed in it.
    pub fn end_turn_of_readers(&mut self) {
        self.keyspace.limit_tracked(self.config.tracking_table_max_keys, FORGOTTEN_A_TURN, &mut self.rng);
        if !self.keyspace.notes.is_empty() {
            self.publish_noted();
        }
        for broadcast in self.keyspace.tracked.take_broadcasts() {
            let all = tracking::encode_changed(&broadcast.keys, None);
            for reader in broadcast.listeners {
                let own = self.tracking_of(reader).is_some_and(|tracking| tracking.no_loop).then_some(reader);
                let adapted = own.and_then(|_| tracking::encode_changed(&broadcast.keys, own));
                if let Some(keys) = if own.is_some() { &adapted } else { &all } {
                    self.send_invalidation(reader, Invalidation::Keys(keys));
                }
            }
        }
    }

    /// Tells those who have read a key that it has changed.
    pub(super) fn invalidate(&mut self, stale: &Stale) {
        let key = tracking::encode_key(&stale.key);
        for reader in &stale.readers {
            let Some(tracking) = self.tracking_of(*reader) else { continue };
            let is_own = tracking.no_loop && stale.by == Some(*reader);
            if tracking.mode != TrackingMode::Broadcast && !is_own {
                self.send_invalidation(*reader, Invalidation::Keys(&key));
            }
        }
    }

    /// Tells everybody who keeps copies that all of them may be stale.
    pub(super) fn invalidate_all(&mut self) {
        let readers: Vec<Reader> = self.clients.iter().filter_map(|(conn, _)| self.reader(conn)).collect();
        readers.into_iter().for_each(|reader| self.send_invalidation(reader, Invalidation::All));
    }

    /// How a client is told, if it is still there and keeps copies.
    fn tracking_of(&self, reader: Reader) -> Option<&Tracking> {
        self.clients.get(ConnId(reader.conn)).filter(|client| client.id == reader.id)?.tracking.as_deref()
    }

    /// Whether that client is still there.
    fn is_there(&self, redirect: Redirect) -> bool {
        self.clients.get(redirect.conn).is_some_and(|client| client.id == redirect.id && !client.close_now)
    }

    /// Sends it by the way that the client has chosen. Where there is none, because it knows RESP2 only and has named nobody else, it learns nothing,
    /// as in Redis.
    fn send_invalidation(&mut self, reader: Reader, what: Invalidation<'_>) {
        let conn = ConnId(reader.conn);
        let Some(tracking) = self.tracking_of(reader) else { return };
        let redirect = tracking.redirect;
        if let Some(redirect) = redirect.filter(|redirect| !self.is_there(*redirect)) {
            return self.report_broken_redirect(conn, redirect);
        }
        let target = redirect.map_or(conn, |redirect| redirect.conn);
        // A connection that has become a replica's carries the log of writes and nothing else.
        let listens = |client: &&mut Client| matches!(client.kind(), ClientKind::Normal | ClientKind::Pubsub) && !client.close_now;
        let Some(client) = self.clients.get_mut(target).filter(listens) else { return };
        let is_subscriber = client.kind() == ClientKind::Pubsub;
        let out = client.messages();
        let before = out.memory();
        if out.resp3() {
            out.push(2);
            out.bulk(b"invalidate");
        } else if redirect.is_some() && is_subscriber {
            out.push(3);
            out.bulk(b"message");
            out.bulk(CHANNEL);
        } else {
            return;
        }
        let is_shared = write_keys(out, what);
        if !is_shared {
            self.eviction.told_bytes = self.eviction.told_bytes.saturating_add(out.memory().saturating_sub(before));
        }
        self.mark_dirty(target);
        self.limit_messages(target);
    }

    /// Tells a client that whom it has named to be told in its place is gone.
    #[cold]
    fn report_broken_redirect(&mut self, conn: ConnId, redirect: Redirect) {
        let Some(client) = self.clients.get_mut(conn) else { return };
        if let Some(tracking) = &mut client.tracking {
            tracking.is_redirect_broken = true;
        }
        if client.out.resp3() && !client.close_now {
            let out = client.messages();
            out.push(2);
            out.bulk(b"tracking-redir-broken");
            out.int(redirect.id as i64);
            self.mark_dirty(conn);
            self.limit_messages(conn);
        }
    }
}

/// Writes the keys; whether they are shared with the output of others, and take no memory of their own.
fn write_keys(out: &mut Output, what: Invalidation<'_>) -> bool {
    match what {
        Invalidation::Keys(keys) if keys.len() >= SHARED_MIN => {
            out.raw_shared(keys.clone());
            return true;
        }
        Invalidation::Keys(keys) => out.raw(keys),
        Invalidation::All => out.null(),
    }
    false
}
