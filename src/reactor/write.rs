//! Replies leave: clients that were read first are written to first. Each client gets so much a turn and all together so much a turn; who could take more
//! keeps its place for the next one, before which the poll does not sleep.

use super::{Conn, Reactor};
use crate::state::ConnId;
use std::io::{self, ErrorKind, IoSlice};

/// Bytes written to one client in a turn: a fast reader of a large reply takes it in many turns, and others are served between them.
pub(super) const CLIENT_BYTES: usize = 256 * 1024;
/// Bytes written to all clients together in a turn.
const TURN_BYTES: usize = 1 << 20;
/// How long a turn goes on writing. Many small replies cost more than their bytes: a message to ten thousand subscribers is as many system calls.
const WRITE_NANOS: u64 = 500_000;
/// Pieces of output handed to one writev, and as many as most replies have no more than.
const PIECES: usize = 64;
const FEW_PIECES: usize = 4;

impl Reactor {
    /// Writes to clients that are owed something, those first that have waited longest.
    pub(super) fn write_dirty(&mut self) {
        let mut left = TURN_BYTES;
        let until = self.engine.server.host.nanos() + WRITE_NANOS;
        // Who is owed more by the time that it has been written to waits for the next turn, behind the others.
        for _ in 0..self.engine.dirty_count() {
            let Some(ConnId(conn)) = self.engine.take_dirty() else { return };
            left = left.saturating_sub(self.write(conn as usize, CLIENT_BYTES.min(left)));
            if left == 0 || self.engine.server.host.nanos() > until {
                return;
            }
        }
    }

    /// Writes to a client what it is owed, up to so many bytes, and closes it when that was the last. Returns how many bytes that was.
    pub(super) fn write(&mut self, key: usize, budget: usize) -> usize {
        let id = ConnId(key as u32);
        let mut written = 0;
        if self.conns.get(key).is_some_and(Conn::has_unsent) && !self.send_unsent(key) {
            return written;
        }
        while self.engine.has_output(id) {
            if written == budget {
                // Its socket may take more, so no edge will come.
                self.engine.server.mark_dirty(id);
                break;
            }
            let sent = match self.engine.has_many_pieces(id, FEW_PIECES) {
                false => self.write_once::<FEW_PIECES>(key, budget - written),
                true => self.write_once::<PIECES>(key, budget - written),
            };
            match sent {
                Ok((n, takes_more)) => {
                    written += n;
                    if !takes_more {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => (),
                Err(error) => {
                    log::debug!("Error writing to client: {error}");
                    self.close(key);
                    return written;
                }
            }
        }
        // What is encrypted has left the engine, and is owed all the same.
        if self.engine.wants_close(id) && (self.engine.closes_at_once(id) || !self.conns.get(key).is_some_and(Conn::has_unsent)) {
            self.close(key);
        }
        written
    }

    /// Sends ciphertext that its socket has not taken before. Whether all is sent; a connection that has failed, or is to be closed, is closed.
    fn send_unsent(&mut self, key: usize) -> bool {
        let Some(Conn { socket, tls: Some(session), .. }) = self.conns.get_mut(key) else { return true };
        let result = session.flush(socket);
        if let Err(error) = &result {
            log::debug!("Error writing to client: {error}");
        }
        if result.is_err() || self.engine.closes_at_once(ConnId(key as u32)) {
            self.close(key);
            return false;
        }
        result.unwrap_or(false)
    }

    /// One system call. Returns how many bytes it took, and whether the socket may take more.
    #[inline(always)]
    fn write_once<const N: usize>(&mut self, key: usize, budget: usize) -> io::Result<(usize, bool)> {
        let id = ConnId(key as u32);
        let Some(conn) = self.conns.get_mut(key) else { return Ok((0, false)) };
        let mut pieces = [IoSlice::new(&[]); N];
        let count = self.engine.output(id, &mut pieces, budget);
        let pieces = &pieces[..count];
        let wanted: usize = pieces.iter().map(|piece| piece.len()).sum();
        if wanted == 0 {
            return Ok((0, false));
        }
        let (n, takes_more) = match &mut conn.tls {
            None => {
                let n = conn.socket.write_vectored(pieces)?;
                (n, n == wanted)
            }
            // It takes no more at once than may lie in it, which says nothing of the socket.
            Some(session) => (session.write_vectored(&mut conn.socket, pieces)?, !session.has_unsent()),
        };
        self.engine.sent(id, n);
        Ok((n, takes_more))
    }
}
