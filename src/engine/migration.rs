//! Connections that we have made, by whose they are: our primary's is a client that says what is to be done, and those of MIGRATE are no clients at
//! all. What is said on these is the affair of [`state::migration`](crate::state::migration).

use super::Engine;
use crate::state::{ConnId, client::Peer};
use std::io::IoSlice;

impl Engine {
    /// A connection that [`Action::Connect`](crate::state::Action::Connect) asked for is there. `false`: it is no longer wanted.
    pub fn link_connected(&mut self, link: u64, conn: ConnId, peer: Peer) -> bool {
        self.server.migration_connected(link, conn) || self.upstream_connected(link, conn, peer)
    }

    /// A connection that [`Action::Connect`](crate::state::Action::Connect) asked for cannot be had, for this reason.
    /// `refused`: there is such an address, and nobody there.
    pub fn link_failed(&mut self, link: u64, refused: bool, reason: &str) {
        self.server.migration_not_connected(link, refused);
        self.upstream_failed(link, reason);
    }

    /// Whether a connection that is no client's is one to another server that goes on.
    #[cold]
    pub(super) fn is_link(&self, conn: ConnId) -> bool {
        self.server.migrations.link(conn).is_some_and(|link| !link.closing)
    }

    /// What another server is to be sent next, in pieces.
    #[cold]
    pub(super) fn link_output<'a>(&'a self, conn: ConnId, into: &mut Vec<IoSlice<'a>>, most: usize) {
        if let Some(link) = self.server.migrations.link(conn).filter(|link| !link.closing) {
            link.out.slices(into, most);
        }
    }
}
