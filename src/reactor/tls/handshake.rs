//! Handshakes. Each costs up to a millisecond, so a turn has a share for them; one that lasts is given up; and a connection is no client, nor a link,
//! before its own is over.

use super::Session;
use crate::{
    reactor::{Conn, Reactor},
    state::{ConnId, client::Origin},
};
use std::{
    collections::VecDeque,
    io::{ErrorKind, IoSlice},
};

/// How long a turn goes on with handshakes; a step of one may take longer, the others keep their places.
const HANDSHAKE_NANOS: u64 = 300_000;
/// Milliseconds that a handshake may last.
const HANDSHAKE_MS: u64 = 10_000;
/// Milliseconds between two lines of the log about handshakes that have failed: strangers may try it often.
const COMPLAINT_MS: u64 = 100;
/// Handshakes that are given up in one turn.
const EXPIRED_A_TURN: usize = 100;

/// A connection whose handshake is not over.
pub struct Shaking {
    /// Tells it from others that had its key.
    number: u64,
    origin: Origin,
    /// We have made the connection.
    pub is_link: bool,
}

/// The handshakes under way.
#[derive(Default)]
pub struct Handshakes {
    /// Connections that may have something to read.
    pub ready: VecDeque<usize>,
    /// In order: monotonic milliseconds, the connection, its number. Some are over.
    deadlines: VecDeque<(u64, usize, u64)>,
    begun: u64,
    /// Monotonic milliseconds from which on the log tells of another one that has failed.
    complain_at_ms: u64,
    /// How many there are of connections that came in.
    pub incoming: usize,
}

impl Handshakes {
    /// Milliseconds until one is to be given up, or goes on.
    pub fn wait_ms(&self, mono_ms: u64) -> Option<u64> {
        if !self.ready.is_empty() {
            return Some(0);
        }
        self.deadlines.front().map(|(at_ms, ..)| at_ms.saturating_sub(mono_ms))
    }

    /// One begins.
    fn begin(&mut self, key: usize, origin: Origin, is_link: bool, mono_ms: u64) -> Box<Shaking> {
        self.begun += 1;
        self.incoming += usize::from(!is_link);
        self.deadlines.push_back((mono_ms + HANDSHAKE_MS, key, self.begun));
        Box::new(Shaking { number: self.begun, origin, is_link })
    }
}

impl Reactor {
    /// Goes on with handshakes, and gives up those that have lasted.
    pub(in crate::reactor) fn shake_hands(&mut self) {
        let until = self.engine.server.host.nanos() + HANDSHAKE_NANOS;
        for _ in 0..self.handshakes.ready.len() {
            let Some(key) = self.handshakes.ready.pop_front() else { break };
            self.shake(key);
            if self.engine.server.host.nanos() > until {
                break;
            }
        }
        let mono_ms = self.engine.server.mono_ms;
        for _ in 0..EXPIRED_A_TURN {
            let Some(&(_, key, number)) = self.handshakes.deadlines.front().filter(|(at_ms, ..)| *at_ms <= mono_ms) else { break };
            self.handshakes.deadlines.pop_front();
            if self.conns.get(key).and_then(|conn| conn.shaking.as_ref()).is_some_and(|shaking| shaking.number == number) {
                self.handshake_failed(key, "it took too long");
            }
        }
    }

    /// Takes a handshake as far as it goes.
    fn shake(&mut self, key: usize) {
        let Some(Conn { socket, tls: Some(session), shaking: Some(_), ready, ending }) = self.conns.get_mut(key) else { return };
        *ready = false;
        let mut plain = Vec::new();
        let result = session.read(socket, &mut self.buf, &mut plain);
        // Requests that came with the end of the handshake.
        session.held.append(&mut plain);
        // The reason of a failure is told, too.
        let flushed = session.flush(socket);
        let failure = match result {
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                self.make_ready(key);
                return;
            }
            Err(error) => Some(error.to_string()),
            Ok(_) if session.has_ended && session.is_shaking() => Some("Connection closed by peer".to_owned()),
            Ok(inflow) if session.is_shaking() && (inflow.is_full || *ending) => {
                self.make_ready(key);
                None
            }
            Ok(_) => None,
        };
        let failure = failure.or_else(|| flushed.err().map(|error| error.to_string()));
        match failure {
            Some(reason) => self.handshake_failed(key, &reason),
            None => {
                if self.conns.get(key).and_then(|conn| conn.tls.as_ref()).is_some_and(|session| !session.is_shaking()) {
                    self.handshake_done(key);
                }
            }
        }
    }

    fn handshake_done(&mut self, key: usize) {
        let Some(Conn { tls: Some(session), shaking, .. }) = self.conns.get_mut(key) else { return };
        let Some(shaking) = shaking.take() else { return };
        let names = session.peer_certificate().map(|cert| self.tls.borrow().user_names(cert)).unwrap_or_default();
        let id = ConnId(key as u32);
        self.handshakes.incoming -= usize::from(!shaking.is_link);
        if shaking.is_link {
            let Some(link) = self.take_attempt(key) else { return self.close(key) };
            return match self.engine.link_connected(link, id, shaking.origin) {
                true => self.make_ready(key),
                false => self.close(key),
            };
        }
        if let Err(refusal) = self.engine.connect(id, shaking.origin) {
            if let Some(Conn { socket, tls: Some(session), .. }) = self.conns.get_mut(key) {
                let _ = session.write_vectored(socket, &[IoSlice::new(refusal.as_bytes())]);
            }
            return self.close(key);
        }
        if !names.is_empty() {
            self.engine.vouch(id, &names);
        }
        self.make_ready(key);
    }

    fn handshake_failed(&mut self, key: usize, reason: &str) {
        let link = self.take_attempt(key);
        let mono_ms = self.engine.server.mono_ms;
        // The engine tells of links.
        if link.is_none()
            && mono_ms >= self.handshakes.complain_at_ms
            && let Some(shaking) = self.conns.get(key).and_then(|conn| conn.shaking.as_ref())
        {
            self.handshakes.complain_at_ms = mono_ms + COMPLAINT_MS;
            log::warn!("Error accepting a client connection: {reason} (addr={} laddr={})", shaking.origin.addr, shaking.origin.laddr);
        }
        self.close(key);
        if let Some(link) = link {
            self.engine.link_failed(link, false, reason);
        }
    }

    /// Begins a handshake on a connection that is registered at `key`.
    pub(in crate::reactor) fn begin_handshake(&mut self, key: usize, session: Session, origin: Origin, is_link: bool) {
        let mono_ms = self.engine.server.mono_ms;
        if let Some(conn) = self.conns.get_mut(key) {
            conn.tls = Some(Box::new(session));
            conn.shaking = Some(self.handshakes.begin(key, origin, is_link, mono_ms));
            self.make_ready(key);
        }
    }
}
