//! Long replies begin, go on a part at a time, and end.

use super::Server;
use crate::{
    resp::output::Output,
    state::{client::Blocked, conn_id::ConnId, long_reply::LongReply},
};

/// Bytes of a part.
const PART_BYTES: usize = 32 * 1024;
/// Elements of a part.
const PART_ELEMENTS: u64 = 500;
/// Bytes that wait for a client at which its reply stands still.
const UNSENT_MAX: usize = 64 * 1024;
/// Clients that have a part in one turn.
const PARTS_A_TURN: usize = 8;

impl Server {
    /// Has the rest of a reply come in parts; the client's next requests wait for its end.
    pub fn begin_long_reply(&mut self, conn: ConnId, reply: LongReply) {
        let Some(client) = self.clients.get_mut(conn) else { return };
        client.blocked = Some(Blocked::LongReply);
        client.long_reply = Some(Box::new(reply));
        self.long_replies.push_back(conn);
    }

    /// Gives some of the clients with a long reply the next part.
    pub fn go_on_replying(&mut self) {
        for _ in 0..self.long_replies.len().min(PARTS_A_TURN) {
            let Some(conn) = self.long_replies.pop_front() else { return };
            if self.reply_part(conn) {
                self.long_replies.push_back(conn);
            }
        }
    }

    /// Whether a client could have the next part now.
    pub fn wants_to_reply(&self) -> bool {
        self.long_replies.iter().any(|conn| self.clients.get(*conn).is_none_or(|client| client.out.len() < UNSENT_MAX))
    }

    /// Writes a part of a client's reply. Whether there will be another.
    fn reply_part(&mut self, conn: ConnId) -> bool {
        let Some(client) = self.clients.get_mut(conn).filter(|client| !client.closing()) else { return false };
        if client.out.len() >= UNSENT_MAX {
            return true;
        }
        let Some(mut reply) = client.long_reply.take() else { return false };
        let between = Output::new(client.out.protocol);
        let mut out = std::mem::replace(&mut client.out, between);
        let before = out.len();
        let (most, bytes) = (reply.left.min(PART_ELEMENTS), before + PART_BYTES);
        let mut drawn = (reply.draw)(&mut self.keyspace, &mut self.rng, &reply.source, most, bytes, &mut out);
        if drawn == 0 && reply.spare.is_empty() {
            // There is no way to keep what the header says.
            self.close(conn, false);
            return false;
        }
        if drawn == 0 {
            while drawn < most && out.len() < bytes {
                out.raw(&reply.spare[self.rng.below(reply.spare.len() as u64) as usize]);
                drawn += 1;
            }
        }
        reply.left -= drawn;
        reply.written += (out.len() - before) as u64;
        if self.is_output_cut(conn, reply.written) {
            self.close_over_output_limit(conn);
            return false;
        }
        let is_over = reply.left == 0;
        if let Some(client) = self.clients.get_mut(conn) {
            if is_over {
                out.append(reply.behind);
                client.out = out;
                client.blocked = None;
                self.blocking.released.push(conn);
            } else {
                client.out = out;
                client.long_reply = Some(reply);
            }
        }
        self.mark_dirty(conn);
        !is_over
    }
}
