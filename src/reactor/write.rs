//! Replies leave: clients that were read first are written to first. Each client gets so much a turn and all together so much a turn; who could take more
//! keeps its place for the next one, before which the poll does not sleep.

use super::Reactor;
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
                Ok((n, is_all)) => {
                    written += n;
                    if !is_all {
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
        if self.engine.wants_close(id) {
            self.close(key);
        }
        written
    }

    /// One system call. Returns how many bytes it took, and whether that was all that it was given.
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
        let n = conn.socket.write_vectored(pieces)?;
        self.engine.sent(id, n);
        Ok((n, n == wanted))
    }
}
