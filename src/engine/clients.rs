//! Connections: accepted, sent output, limited, and closed.

use super::Engine;
use crate::{
    acl::{Context, Reason, Refusal, User, UserId},
    commands::client::list,
    resp::output::Output,
    state::{
        Client, ConnId, Peer,
        client::{Blocked, Origin},
    },
};
use std::io::IoSlice;

/// Clients whose pause ends in one turn.
const PAUSED_A_TURN: usize = 1000;

/// The reply of protected mode to a client from another machine.
const DENIED: &str = "-DENIED solod is running in protected mode because protected mode is enabled and no password is set for the default user. \
In this mode connections are only accepted from the loopback interface. To connect from other computers do one of these: \
1) CONFIG SET protected-mode no, from this machine, and CONFIG REWRITE to keep it; make sure that nobody on the internet can reach the server first. \
2) Set protected-mode to no in the configuration file and restart. \
3) Start the server with --protected-mode no, if it is only a test. \
4) Set a password for the default user.\r\n";

/// Bytes that are read from a client while it waits.
const HELD_BYTES: usize = 64 * 1024;
/// The same of our primary, which would give the link up sooner if it had to keep them.
const HELD_PRIMARY_BYTES: usize = 64 << 20;

impl Engine {
    /// A connection has been made. The error is what to tell it before closing it.
    pub fn connect(&mut self, conn: ConnId, origin: Origin) -> Result<(), &'static str> {
        let server = &mut self.server;
        if server.clients.len() >= server.config.maxclients as usize {
            server.stats.rejected_connections += 1;
            return Err("-ERR max number of clients reached\r\n");
        }
        let open = !server.has_password();
        if server.config.protected_mode && open && !origin.local {
            server.stats.rejected_connections += 1;
            return Err(DENIED);
        }
        let id = server.next_client_id;
        server.next_client_id += 1;
        server.stats.connections += 1;
        server.clients.insert(conn, Client::new(id, origin, server.mono_ms, open));
        Ok(())
    }

    /// What a client has shown vouches for it: it is the first of these users that may authenticate.
    pub fn vouch(&mut self, conn: ConnId, names: &[Vec<u8>]) {
        let users = &self.server.users;
        let is_enabled = |user: &UserId| users.get(*user).is_some_and(User::is_enabled);
        if let Some(user) = names.iter().find_map(|name| users.find(name).filter(is_enabled)) {
            return self.server.log_in(conn, user);
        }
        let Some(last) = names.last() else { return };
        let shown = list::line(&self.server, &self.registry, conn);
        let refusal = Refusal { reason: Reason::Certificate, context: Context::TopLevel, object: Vec::new(), username: last.clone() };
        self.server.note_refusal(refusal, shown);
    }

    /// A connection is gone.
    pub fn disconnect(&mut self, conn: ConnId) {
        let Some(mut client) = self.server.clients.remove(conn) else { return };
        if self.is_debugging() {
            self.keep_debugger_input(&mut client);
        }
        if self.is_script_slow() {
            self.keep_caller(&client);
        }
        if let Peer::Target(_) = client.peer {
            return self.server.link_gone(conn, !client.out.is_empty());
        }
        if client.held.is_some() && self.server.aof.unsafe_keys.is_some() {
            // It may be long before the disk works again, and many may come and go.
            self.server.aof.held.retain(|(_, held)| *held != conn);
        }
        self.server.forget_client_memory(conn, client.noted_memory);
        self.server.forget_follower(conn, &client);
        self.server.forget_blocked(conn, &client);
        self.server.forget_subscriber(conn, &client);
        self.server.forget_reader(&client);
        if client.peer.is_primary() {
            self.upstream_gone(conn);
            if !self.server.replication.upstream.as_ref().is_some_and(|upstream| upstream.is_online()) {
                self.applying = Default::default();
            }
        }
        for key in &client.watching {
            self.server.keyspace.unwatch(key.db, &key.key, &client.watch);
        }
        if client.monitor {
            self.server.monitors.retain(|m| *m != conn);
        }
    }

    /// Puts a client's output back where it belongs after its commands have written to it.
    pub(super) fn give_output(&mut self, conn: ConnId, mut out: Output) {
        let Some(client) = self.server.clients.get_mut(conn) else { return };
        if client.peer.repeats() {
            return self.drop_replies(out);
        }
        if !client.out.is_empty() {
            // Messages that its own commands have sent it come behind the replies.
            out.append(std::mem::take(&mut client.out));
        }
        let owes = !out.is_empty();
        client.out = out;
        if owes {
            self.server.mark_dirty(conn);
            self.server.limit_output(conn);
        }
    }

    /// The next connection that has something to send, or is to be closed, in order of their waiting.
    pub fn take_dirty(&mut self) -> Option<ConnId> {
        while let Some(conn) = self.server.dirty_clients.pop_front() {
            if let Some(client) = self.server.clients.get_mut(conn) {
                client.dirty = false;
                return Some(conn);
            }
        }
        None
    }

    /// How many of these there are, and maybe some that are gone.
    pub fn dirty_count(&self) -> usize {
        self.server.dirty_clients.len()
    }

    /// Whether any connection has something to send, or is to be closed.
    pub fn has_dirty(&self) -> bool {
        !self.server.dirty_clients.is_empty()
    }

    /// What a client is to be sent next: as many pieces as there is room for, and no more than `most` bytes. Returns how many pieces that is.
    pub fn output<'a>(&'a self, conn: ConnId, into: &mut [IoSlice<'a>], most: usize) -> usize {
        match self.server.clients.get(conn) {
            Some(client) if client.close_now => 0,
            Some(client) if client.held.is_some() => client.out.slices(into, most.min(client.sendable())),
            Some(client) => client.out.slices(into, most),
            None => 0,
        }
    }

    /// Says that `n` bytes have been sent to a client.
    pub fn sent(&mut self, conn: ConnId, n: usize) {
        let server = &mut self.server;
        let Some(client) = server.clients.get_mut(conn) else { return };
        client.out.advance(n);
        client.net_out += n as u64;
        match &mut client.peer {
            // Output to the target of a MIGRATE is not counted, as in Redis.
            Peer::Target(_) => return server.link_sent(conn),
            Peer::Replica(link) => {
                link.progress_at_ms = server.mono_ms;
                server.stats.net_repl_out += n as u64;
            }
            Peer::Client | Peer::Candidate(_) | Peer::Primary | Peer::File => client.active_ms = server.mono_ms,
        }
        server.stats.net_out += n as u64;
        server.stats.writes += 1;
        if client.held.as_ref().is_some_and(|held| held.is_over(client.net_out)) {
            client.held = None;
        }
        client.out.give_back(&mut self.buffers);
        if server.client_memory.is_limited {
            server.note_client_memory(conn);
        }
    }

    /// Whether a client's connection is to be closed now: it is to be closed, and its output is sent.
    pub fn wants_close(&self, conn: ConnId) -> bool {
        match self.server.clients.get(conn) {
            Some(client) => client.close_now || client.close_after_reply && client.out.is_empty(),
            None => true,
        }
    }

    /// The same, but whether it is to be closed without regard to what is on its way to it.
    pub fn closes_at_once(&self, conn: ConnId) -> bool {
        self.server.clients.get(conn).is_none_or(|client| client.close_now)
    }

    /// Whether a client has more that may be sent now.
    pub fn has_output(&self, conn: ConnId) -> bool {
        self.server.clients.get(conn).is_some_and(|client| !client.out.is_empty() && (client.held.is_none() || client.sendable() > 0))
    }

    /// Whether what a client is to be sent may be in more pieces than so many.
    pub fn has_many_pieces(&self, conn: ConnId, few: usize) -> bool {
        self.server.clients.get(conn).is_some_and(|client| client.out.pieces() >= few)
    }

    /// Whether bytes of a client should be read now. Otherwise they are left in the kernel: until [`Action::Read`](crate::state::Action),
    /// or forever if the client is about to be closed.
    #[inline]
    pub fn wants_input(&self, conn: ConnId) -> bool {
        self.server.clients.get(conn).is_some_and(|client| self.held_input != Some(conn) && !client.closing() && !self.is_full(client))
            && !(self.is_script_slow() && self.is_synchronising_with(conn))
    }

    /// Whether this is our primary, and what it sends could put other data in the place of ours.
    #[cold]
    fn is_synchronising_with(&self, conn: ConnId) -> bool {
        self.server.replication.upstream.as_ref().is_some_and(|upstream| upstream.conn == Some(conn.0) && !upstream.is_online())
    }

    /// Whether a client that waits has sent enough meanwhile: what else it sends is left in the kernel until it goes on.
    #[inline]
    fn is_full(&self, client: &Client) -> bool {
        client.blocked.is_some()
            && match client.peer.is_primary() {
                true => self.applying.uncounted() >= HELD_PRIMARY_BYTES,
                false => client.input_bytes() >= HELD_BYTES,
            }
    }

    /// Whether nothing more will come of a connection that its other end has closed: its client waits, and the rest of what it sent would be read for
    /// nothing.
    pub fn ends_unread(&self, conn: ConnId) -> bool {
        self.server.clients.get(conn).is_some_and(|client| !client.closing() && !client.peer.is_primary() && self.is_full(client))
    }

    /// Whether clients wait for the end of a pause that is over.
    #[inline]
    pub(super) fn pause_is_over(&self) -> bool {
        !self.paused.is_empty() && !self.server.write_gate().holds()
    }

    /// Lets clients go on that wait for the end of a pause: as many as one turn may look at.
    pub(super) fn end_pause(&mut self) {
        let mut primary = None;
        for _ in 0..self.paused.len().min(PAUSED_A_TURN) {
            let Some(conn) = self.paused.pop_front() else { break };
            let Some(client) = self.server.clients.get_mut(conn).filter(|client| client.blocked == Some(Blocked::Pause)) else { continue };
            client.blocked = None;
            self.resumable.push_back(conn);
            if client.peer.is_primary() {
                primary = Some(conn);
            }
        }
        if let Some(conn) = primary {
            self.go_on_applying(conn);
        }
    }
}
