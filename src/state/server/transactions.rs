//! Transactions are given up, and watched keys forgotten.

use super::Server;
use crate::state::conn_id::ConnId;

impl Server {
    /// Forgets the keys that a client watches, and whether they were touched.
    pub fn unwatch_all(&mut self, conn: ConnId) {
        let Some(client) = self.clients.get_mut(conn) else { return };
        let watching = client.take_watching();
        client.watch.set(false);
        let watch = client.watch.clone();
        for watched in watching {
            self.keyspace.unwatch(watched.db, &watched.key, &watch);
        }
    }

    /// Ends a client's transaction without running it, and forgets what it watches.
    pub fn discard_transaction(&mut self, conn: ConnId) {
        if let Some(client) = self.clients.get_mut(conn) {
            client.multi = None;
        }
        self.unwatch_all(conn);
    }
}
