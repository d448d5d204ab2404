//! Clients that wait for keys: BLPOP and its like.

use super::{
    client::{Blocked, Client, ReplyMode},
    conn_id::ConnId,
    server::Server,
};
use crate::resp::request::OwnedArgs;
use std::collections::BTreeSet;

/// What a blocking command waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockOn {
    /// Argument index of the first key.
    pub first: usize,
    /// How many keys there are, one behind the other.
    pub count: usize,
    /// Unix time in milliseconds at which it gives up; 0 is never.
    pub deadline_ms: i64,
    /// What it answers then.
    pub in_vain: InVain,
}

/// The reply of a blocking command that got nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InVain {
    /// The null array.
    NullArray,
    /// The null bulk string.
    Null,
}

/// A command that is run again when one of its keys has changed.
pub struct Waiting {
    /// Registry index of the command.
    pub command: u16,
    /// Its arguments.
    pub args: OwnedArgs,
    /// What it waits for.
    pub on: BlockOn,
    /// Its place in the queues of its keys.
    pub ticket: u64,
    /// It is not to be answered: CLIENT REPLY.
    pub silent: bool,
}

impl Waiting {
    /// The keys it waits for; the same one may be there twice.
    pub fn keys(&self) -> impl Iterator<Item = &[u8]> {
        let args = self.args.args();
        (self.on.first..self.on.first + self.on.count).map(move |i| args.get(i))
    }
}

/// Who waits for keys.
#[derive(Default)]
pub struct Blocking {
    /// Tickets given so far.
    tickets: u64,
    /// Deadlines (Unix ms) of those who will give up, the next one first.
    deadlines: BTreeSet<(i64, ConnId)>,
    /// Clients whose wait is over, and whose held-back requests may go on.
    pub released: Vec<ConnId>,
}

impl Blocking {
    /// How many will give up at some moment.
    pub fn with_deadline(&self) -> usize {
        self.deadlines.len()
    }

    /// The next moment (Unix ms) at which somebody gives up, and who.
    pub fn next_deadline(&self) -> Option<(i64, ConnId)> {
        self.deadlines.first().copied()
    }
}

impl Server {
    /// Makes a client wait for the keys of a command that it has just tried in vain.
    pub fn wait_for_keys(&mut self, conn: ConnId, command: u16, args: OwnedArgs, on: BlockOn) {
        let Some(client) = self.clients.get_mut(conn) else { return };
        self.blocking.tickets += 1;
        let ticket = self.blocking.tickets;
        let waiting = Waiting { command, args, on, ticket, silent: client.reply != ReplyMode::On };
        for key in waiting.keys() {
            self.keyspace.awaited.wait(client.db, key, ticket, conn.0);
        }
        if on.deadline_ms > 0 {
            self.blocking.deadlines.insert((on.deadline_ms, conn));
        }
        client.blocked = Some(Blocked::Keys);
        client.waiting = Some(Box::new(waiting));
    }

    /// Takes what a client waits for out of the queues: the client is gone, or has been served.
    pub fn forget_waiting(&mut self, conn: ConnId, db: usize, waiting: &Waiting) {
        for key in waiting.keys() {
            self.keyspace.awaited.leave(db, key, waiting.ticket);
        }
        self.blocking.deadlines.remove(&(waiting.on.deadline_ms, conn));
    }

    /// [`Server::forget_waiting`] for a client that is gone.
    pub fn forget_blocked(&mut self, conn: ConnId, client: &Client) {
        if let Some(waiting) = &client.waiting {
            self.forget_waiting(conn, client.db, waiting);
        }
    }

    /// Ends what a client waits for, keys or replicas, as if its time had come, or with an error. `false`: it waits for neither.
    pub fn unblock(&mut self, conn: ConnId, error: Option<&str>) -> bool {
        let Some(client) = self.clients.get_mut(conn) else { return false };
        match client.blocked {
            Some(Blocked::Wait { .. }) => self.release(conn, error),
            Some(Blocked::Keys) => {
                let Some(waiting) = client.waiting.take() else { return false };
                client.blocked = None;
                let db = client.db;
                match error {
                    _ if waiting.silent => (),
                    Some(text) => client.out.error(text),
                    None if waiting.on.in_vain == InVain::Null => client.out.null(),
                    None => client.out.null_array(),
                }
                if let Some(text) = error {
                    self.count_error(text.as_bytes());
                }
                // This is when the call is over, and so when it counts.
                self.stats.commands += 1;
                if let Some(counters) = self.stats.by_command.get_mut(usize::from(waiting.command)) {
                    counters.calls += 1;
                    counters.failed += u64::from(error.is_some());
                }
                self.forget_waiting(conn, db, &waiting);
                self.blocking.released.push(conn);
                self.mark_dirty(conn);
                true
            }
            Some(Blocked::Pause | Blocked::Shutdown | Blocked::Migration) | None => false,
        }
    }

    /// Ends the connections of all who wait for keys or replicas: what they wait for is not ours to give any more.
    pub fn unblock_all(&mut self, error: &str) {
        let waits = |client: &Client| matches!(client.blocked, Some(Blocked::Wait { .. } | Blocked::Keys));
        let conns: Vec<ConnId> = self.clients.iter().filter(|(_, client)| waits(client)).map(|(conn, _)| conn).collect();
        for conn in conns {
            if self.unblock(conn, Some(error)) {
                self.close(conn, true);
            }
        }
    }
}
