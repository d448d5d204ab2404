//! Clients are closed, the largest first, when all of them take too much memory (`maxmemory-clients`).

use super::Server;
use crate::state::{
    client::ClientKind,
    client_memory::{ClientMemory, LIMIT_MIN_BYTES, NotedMemory},
    conn_id::ConnId,
};

impl Server {
    /// Bytes of memory that clients may take together; 0 is no limit.
    pub fn client_memory_limit(&self) -> u64 {
        match self.config.maxmemory_clients.bytes(self.config.maxmemory) {
            0 => 0,
            limit => limit.max(LIMIT_MIN_BYTES),
        }
    }

    /// Puts the limit into effect.
    pub fn apply_client_memory_limit(&mut self) {
        self.client_memory = ClientMemory::default();
        self.client_memory.is_limited = self.client_memory_limit() > 0;
        self.clients.iter_mut().for_each(|(_, client)| client.noted_memory = NotedMemory::default());
        if self.client_memory.is_limited {
            let all: Vec<ConnId> = self.clients.iter().map(|(conn, _)| conn).collect();
            all.into_iter().for_each(|conn| self.note_client_memory(conn));
        }
    }

    /// Takes note of what a client takes. Replicas and our primary are not among those that the limit is for, and neither is one that is on its way out.
    pub fn note_client_memory(&mut self, conn: ConnId) {
        if !self.client_memory.is_limited {
            return;
        }
        let Some(client) = self.clients.get_mut(conn).filter(|client| client.peer.is_client()) else { return };
        let counts = matches!(client.kind(), ClientKind::Normal | ClientKind::Pubsub) && !client.close_now;
        let new = if counts { NotedMemory::new(client.memory(), !client.no_evict) } else { NotedMemory::default() };
        self.client_memory.replace(conn, &mut client.noted_memory, new);
    }

    /// Forgets a client that is gone.
    pub fn forget_client_memory(&mut self, conn: ConnId, mut noted: NotedMemory) {
        self.client_memory.replace(conn, &mut noted, NotedMemory::default());
    }

    /// Takes note of the clients that have changed.
    pub fn note_changed_clients(&mut self) {
        for conn in std::mem::take(&mut self.client_memory.changed) {
            self.note_client_memory(conn);
        }
    }

    /// Closes clients while all of them take too much, as long as there are some that may be closed.
    pub fn evict_clients(&mut self) {
        let limit = self.client_memory_limit();
        while limit > 0 && self.client_memory.total() as u64 >= limit {
            let Some(conn) = self.client_memory.largest() else { return };
            let noted = self.clients.get(conn).map(|client| client.noted_memory);
            self.note_client_memory(conn);
            // It may have become smaller, and another be the largest.
            if let Some(client) = self.clients.get(conn)
                && Some(client.noted_memory) == noted
            {
                log::warn!(
                    "Evicting client: id={} addr={} name={} tot-mem={}",
                    client.id,
                    client.origin.addr,
                    String::from_utf8_lossy(&client.name),
                    client.noted_memory.bytes
                );
                self.stats.evicted_clients += 1;
                self.close(conn, false);
                self.note_client_memory(conn);
            }
        }
    }
}
