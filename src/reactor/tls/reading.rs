//! Encrypted input on its way to the engine.

use crate::{
    engine::Fill,
    reactor::{Conn, Reactor},
    state::ConnId,
};
use std::io::ErrorKind;

/// Reads in a row into a large argument: as many bytes together, about, as one read has without TLS.
const LARGE_READS: usize = 10;

impl Reactor {
    /// Reads from an encrypted connection, once or into a large argument some times, and hands over what came.
    pub(in crate::reactor) fn read_secure(&mut self, key: usize) {
        for _ in 0..LARGE_READS {
            if !self.read_secure_once(key) {
                return;
            }
        }
        self.make_ready(key);
    }

    /// Reads once. What is left of the read before comes first. Whether to go on at once: into a large argument, of which there is more.
    fn read_secure_once(&mut self, key: usize) -> bool {
        let id = ConnId(key as u32);
        let Some(Conn { socket, tls: Some(session), ending, shaking, .. }) = self.conns.get_mut(key) else { return false };
        if shaking.is_some() {
            // Its key was in the queue for one that was here before it.
            self.make_ready(key);
            return false;
        }
        if !self.engine.wants_input(id) {
            if (*ending || session.has_ended) && self.engine.ends_unread(id) {
                self.close(key);
            }
            return false;
        }
        let mut plain = std::mem::take(&mut self.plain);
        plain.clear();
        let mut again = if !session.held.is_empty() {
            plain.append(&mut session.held);
            // It is rarely needed again.
            session.held = Vec::new();
            true
        } else if session.has_ended {
            self.plain = plain;
            self.close(key);
            return false;
        } else {
            let result = session.read(socket, &mut self.buf, &mut plain);
            // An alert, an answer to new keys.
            let flushed = if session.has_unsent() { session.flush(socket).map(|_| ()) } else { Ok(()) };
            match result.and_then(|inflow| flushed.map(|()| inflow)) {
                Ok(inflow) => inflow.is_full || *ending || session.has_ended,
                Err(error) if error.kind() == ErrorKind::WouldBlock => false,
                Err(error) if error.kind() == ErrorKind::Interrupted => true,
                Err(error) => {
                    log::debug!("Reading from client: {error}");
                    if plain.is_empty() {
                        self.plain = plain;
                        self.close(key);
                        return false;
                    }
                    // Requests that came before it are served.
                    session.has_ended = true;
                    true
                }
            }
        };
        let taken = self.hand_over(id, &plain);
        if taken < plain.len()
            && let Some(Conn { tls: Some(session), .. }) = self.conns.get_mut(key)
        {
            session.held = plain[taken..].to_vec();
            again = true;
        }
        self.plain = plain;
        if again && matches!(self.engine.fill_target(id), Fill::Own(_)) {
            return true;
        }
        if again {
            self.make_ready(key);
        }
        false
    }

    /// Hands plaintext to the engine, as far as it wants it. Returns how much that was.
    fn hand_over(&mut self, id: ConnId, plain: &[u8]) -> usize {
        let mut taken = 0;
        while taken < plain.len() && self.engine.wants_input(id) {
            let rest = &plain[taken..];
            match self.engine.fill_target(id) {
                Fill::Shared => {
                    self.engine.receive(id, rest);
                    taken = plain.len();
                }
                Fill::Own(target) => {
                    let n = target.len().min(rest.len());
                    target[..n].copy_from_slice(&rest[..n]);
                    self.engine.filled(id, n);
                    taken += n;
                }
            }
        }
        taken
    }
}
