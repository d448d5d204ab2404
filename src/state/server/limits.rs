//! Output limits: a client that does not read what it is sent is closed.

use super::Server;
use crate::{
    config::ClientClass,
    persist::snapshot::SnapshotSink,
    state::{client::ClientKind, conn_id::ConnId},
};

/// Bytes of replies that are kept for a client that has not authenticated: it is told so for a pipeline of some hundred commands.
const UNAUTHENTICATED_BYTES: u64 = 16 * 1024;

impl Server {
    /// Whether so many bytes of output are more than an ordinary client may have in any case.
    #[inline]
    pub fn is_output_cut(&self, conn: ConnId, bytes: u64) -> bool {
        let hard = self.config.client_output_buffer_limit[ClientClass::Normal as usize].hard;
        hard != 0 && bytes >= hard && self.clients.get(conn).is_some_and(|client| client.kind() == ClientKind::Normal)
    }

    /// Closes a client whose output has grown beyond its class's limits.
    #[inline]
    pub fn limit_output(&mut self, conn: ConnId) {
        self.limit_owed(conn, 0);
    }

    /// The same after a message that it has not asked for, which may have to wait for the end of a long reply.
    pub fn limit_messages(&mut self, conn: ConnId) {
        let reply = self.clients.get(conn).and_then(|client| client.long_reply.as_ref());
        let held_back = reply.map_or(0, |reply| reply.behind.len() as u64);
        self.limit_owed(conn, held_back);
    }

    #[inline]
    fn limit_owed(&mut self, conn: ConnId, held_back: u64) {
        let Some(client) = self.clients.get_mut(conn) else { return };
        let class = match client.kind() {
            ClientKind::Normal => ClientClass::Normal,
            ClientKind::Replica => ClientClass::Replica,
            ClientKind::Pubsub => ClientClass::Pubsub,
            ClientKind::Primary => return,
        };
        let class = if client.monitor { ClientClass::Replica } else { class };
        let mut limit = self.config.client_output_buffer_limit[class as usize];
        if client.peer.is_replica() {
            // The backlog is kept in any case, and it may just have begun to read at its beginning.
            let backlog = self.config.repl_backlog_size;
            [&mut limit.hard, &mut limit.soft].into_iter().filter(|limit| **limit != 0).for_each(|limit| *limit = backlog.max(*limit));
        }
        let used = match client.peer.replica() {
            Some(link) => {
                let sync = self.followers.syncs.iter().find(|sync| sync.conn == conn);
                let copied_early = sync.map_or(0, |sync| sync.sink.borrow().copied_bytes());
                client.owed_as_replica(link, &self.replication.log) + copied_early as u64
            }
            _ => client.out.len() as u64 + held_back,
        };
        let is_stranger = !client.authenticated && !self.users.is_open();
        let hard = limit.hard != 0 && used >= limit.hard || is_stranger && used > UNAUTHENTICATED_BYTES;
        let mut soft = limit.soft != 0 && used >= limit.soft;
        if soft {
            let since = *client.soft_limit_since_ms.get_or_insert(self.mono_ms);
            soft = self.mono_ms.saturating_sub(since) / 1000 >= limit.soft_seconds;
        } else {
            client.soft_limit_since_ms = None;
        }
        if (hard || soft) && !client.close_now {
            self.close_over_output_limit(conn);
        }
    }

    /// Closes a client because of its output.
    #[cold]
    pub fn close_over_output_limit(&mut self, conn: ConnId) {
        let Some(client) = self.clients.get(conn) else { return };
        log::warn!("Client id={} addr={} closed for overcoming of output buffer limits.", client.id, client.origin.addr);
        self.stats.output_limit_closes += 1;
        self.close(conn, false);
    }
}
