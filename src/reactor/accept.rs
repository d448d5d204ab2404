//! Connections that come in. Clients get the descriptors that the system allows but for a reserve for files, and an accept that fails is tried again.

use super::{Conn, Reactor, daemon, listen::reason, socket::Socket};
use crate::state::{ConnId, client::Origin};
use mio::{Interest, Token};
use std::io::{ErrorKind, IoSlice};

/// How long a turn goes on accepting from one listener.
const ACCEPT_NANOS: u64 = 200_000;
/// Milliseconds after which a listener whose accept has failed is tried again.
const RETRY_MS: u64 = 100;
/// Milliseconds between two lines of the log about accepts that fail.
const COMPLAINT_MS: u64 = 1000;
/// The reply to a client for which there is no descriptor.
const FULL: &str = "-ERR max number of clients reached\r\n";

/// Listeners with waiting connections. Their events come once, so a listener that was not emptied is remembered.
#[derive(Default)]
pub(super) struct Knocking {
    now: Vec<usize>,
    /// Those whose accept has failed, and the monotonic milliseconds from which on they are tried again.
    later: Vec<usize>,
    retry_at_ms: u64,
    complain_at_ms: u64,
}

/// How accepting has ended for this turn.
enum Accepted {
    /// All waiting connections are accepted.
    All,
    /// There may be more.
    Enough,
    /// The system refuses.
    Failed,
}

impl Knocking {
    /// Connections are waiting at this listener.
    pub fn add(&mut self, listener: usize) {
        if !self.now.contains(&listener) {
            self.now.push(listener);
        }
    }

    /// Milliseconds until the next accept, if connections are waiting.
    pub fn wait_ms(&self, mono_ms: u64) -> Option<u64> {
        if !self.now.is_empty() {
            return Some(0);
        }
        (!self.later.is_empty()).then(|| self.retry_at_ms.saturating_sub(mono_ms))
    }

    /// The listeners to accept from in this turn.
    fn take(&mut self, mono_ms: u64) -> Vec<usize> {
        if !self.later.is_empty() && mono_ms >= self.retry_at_ms {
            std::mem::take(&mut self.later).into_iter().for_each(|listener| self.add(listener));
        }
        std::mem::take(&mut self.now)
    }

    fn retry(&mut self, listener: usize, mono_ms: u64) {
        self.retry_at_ms = mono_ms + RETRY_MS;
        if !self.later.contains(&listener) {
            self.later.push(listener);
        }
    }
}

impl Reactor {
    /// Accepts from every listener with waiting connections.
    pub(super) fn accept_knocking(&mut self) {
        let mono_ms = self.engine.server.mono_ms;
        for listener in self.knocking.take(mono_ms) {
            match self.accept(listener) {
                Accepted::All => (),
                Accepted::Enough => self.knocking.add(listener),
                Accepted::Failed => self.knocking.retry(listener, mono_ms),
            }
        }
    }

    fn accept(&mut self, listener: usize) -> Accepted {
        let until = self.engine.server.host.nanos() + ACCEPT_NANOS;
        while self.engine.server.host.nanos() <= until {
            let accepted = self.listeners.borrow().accept(listener);
            match accepted {
                Ok((socket, peer, secure)) => self.admit(socket, peer, secure),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Accepted::All,
                // The client has closed before it was accepted.
                Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => (),
                Err(error) => {
                    let is_short = matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE));
                    if is_short && self.close_spare_link() {
                        continue;
                    }
                    let mono_ms = self.engine.server.mono_ms;
                    if mono_ms >= self.knocking.complain_at_ms {
                        self.knocking.complain_at_ms = mono_ms + COMPLAINT_MS;
                        log::warn!("Accepting client connection: accept: {}", reason(&error));
                    }
                    return Accepted::Failed;
                }
            }
        }
        Accepted::Enough
    }

    /// Whether there may be one more connection, with all but `beyond` descriptors of the reserve for files left alone. Connections to other servers
    /// that are only kept are closed where that helps.
    pub(super) fn make_room(&mut self, beyond: u64) -> bool {
        let most = (daemon::descriptor_limit().saturating_add(beyond)).saturating_sub(daemon::RESERVED_DESCRIPTORS);
        while self.conns.len() as u64 >= most {
            if !self.close_spare_link() {
                return false;
            }
        }
        true
    }

    /// Closes a connection to another server that is only kept for the next MIGRATE. Whether there was one.
    fn close_spare_link(&mut self) -> bool {
        let spare = self.engine.server.spare_link();
        if let Some(ConnId(key)) = spare {
            self.close(key as usize);
        }
        spare.is_some()
    }

    fn admit(&mut self, mut socket: Socket, peer: Origin, secure: bool) {
        socket.configure(peer.local, self.engine.server.config.tcp_keepalive);
        if secure {
            return self.admit_secure(socket, peer);
        }
        let mut refuse = |refusal: &str| _ = socket.write_vectored(&[IoSlice::new(refusal.as_bytes())]);
        if !self.make_room(0) {
            self.engine.server.stats.rejected_connections += 1;
            return refuse(FULL);
        }
        let entry = self.conns.vacant_entry();
        let key = entry.key();
        if let Err(refusal) = self.engine.connect(ConnId(key as u32), peer) {
            return refuse(refusal);
        }
        if let Err(error) = self.poll.registry().register(&mut socket, Token(key), Interest::READABLE | Interest::WRITABLE) {
            log::warn!("Error registering fd event for the new client: {}", reason(&error));
            self.engine.disconnect(ConnId(key as u32));
            return;
        }
        entry.insert(Conn::new(socket));
    }

    /// Begins the handshake of a connection that will be a client's when that is over. Until then it counts as one, and who is refused is told nothing:
    /// it would not understand.
    fn admit_secure(&mut self, mut socket: Socket, peer: Origin) {
        let clients = self.engine.server.clients.len() + self.handshakes.incoming;
        if clients >= self.engine.server.config.maxclients as usize || !self.make_room(0) {
            self.engine.server.stats.rejected_connections += 1;
            return;
        }
        let session = match self.tls.borrow().accept() {
            Ok(session) => session,
            Err(error) => return log::warn!("Accepting client connection: TLS: {error}"),
        };
        let entry = self.conns.vacant_entry();
        let key = entry.key();
        if let Err(error) = self.poll.registry().register(&mut socket, Token(key), Interest::READABLE | Interest::WRITABLE) {
            return log::warn!("Error registering fd event for the new client: {}", reason(&error));
        }
        entry.insert(Conn::new(socket));
        self.begin_handshake(key, session, peer, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_could_not_be_accepted_is_tried_again_later() {
        let mut knocking = Knocking::default();
        assert_eq!(knocking.wait_ms(0), None);
        knocking.add(3);
        knocking.add(3);
        assert_eq!(knocking.wait_ms(50), Some(0));
        assert_eq!(knocking.take(50), [3]);
        knocking.retry(3, 50);
        assert_eq!((knocking.wait_ms(60), knocking.take(60)), (Some(90), vec![]));
        assert_eq!((knocking.wait_ms(150), knocking.take(150), knocking.wait_ms(150)), (Some(0), vec![3], None));
    }

    #[test]
    fn a_new_client_does_not_wait_for_what_has_failed() {
        let mut knocking = Knocking::default();
        knocking.retry(1, 0);
        knocking.add(2);
        assert_eq!(knocking.take(10), [2]);
        assert_eq!(knocking.wait_ms(10), Some(90));
    }
}
