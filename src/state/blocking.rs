//! Clients that wait for keys: BLPOP and its like.

use super::conn_id::ConnId;
use crate::resp::request::OwnedArgs;
use std::collections::BTreeSet;

/// What a blocking command waits for.
pub struct BlockOn {
    /// Argument index of the first key.
    pub first: usize,
    /// How many keys there are, one behind the other.
    pub count: usize,
    /// Unix time in milliseconds at which it gives up; 0 is never.
    pub deadline_ms: i64,
    /// Its reply then.
    pub in_vain: InVain,
    /// It is also run again when a key goes, or gets a value of another type.
    pub also_gone: bool,
    /// Unix time in milliseconds at which it is run again whatever happens to its keys; 0 is never.
    pub again_ms: i64,
    /// What it is run again with, where that is not what came: an argument that means something else later is resolved once.
    pub rewritten: Option<OwnedArgs>,
}

impl BlockOn {
    /// Waits for `count` keys from argument `first` on until `deadline_ms` (0: for good).
    pub fn keys(first: usize, count: usize, deadline_ms: i64, in_vain: InVain) -> Self {
        Self { first, count, deadline_ms, in_vain, also_gone: false, again_ms: 0, rewritten: None }
    }
}

/// The reply of a blocking command that timed out.
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
    /// No reply is sent: CLIENT REPLY.
    pub silent: bool,
    /// Nanoseconds that running it has taken so far, without the wait.
    pub nanos: u64,
}

impl Waiting {
    /// The keys it waits for; the same one may be there twice.
    pub fn keys(&self) -> impl Iterator<Item = &[u8]> {
        let args = self.args.args();
        (self.on.first..self.on.first + self.on.count).map(move |i| args.get(i))
    }
}

/// Clients that wait for keys.
#[derive(Default)]
pub struct Blocking {
    /// Tickets given so far.
    tickets: u64,
    /// Deadlines (Unix ms), the next one first.
    deadlines: BTreeSet<(i64, ConnId)>,
    /// Moments (Unix ms) at which commands are run again.
    again: BTreeSet<(i64, ConnId)>,
    /// Clients whose wait is over, and whose held-back requests may go on.
    pub released: Vec<ConnId>,
}

impl Blocking {
    /// Registers one more client that waits, until this moment (Unix ms; 0 is never), and returns its ticket.
    pub fn admit(&mut self, conn: ConnId, deadline_ms: i64) -> u64 {
        self.tickets += 1;
        if deadline_ms > 0 {
            self.deadlines.insert((deadline_ms, conn));
        }
        self.tickets
    }

    /// Remembers that a client's command is to be run again at this moment (Unix ms; 0 is never).
    pub fn try_at(&mut self, conn: ConnId, again_ms: i64) {
        if again_ms > 0 {
            self.again.insert((again_ms, conn));
        }
    }

    /// Forgets that.
    pub fn forget_try(&mut self, conn: ConnId, again_ms: i64) {
        self.again.remove(&(again_ms, conn));
    }

    /// The next moment (Unix ms) at which a command is to be run again, and whose it is.
    pub fn next_try(&self) -> Option<(i64, ConnId)> {
        self.again.first().copied()
    }

    /// A ticket for a client that goes to the end of the queues of its keys.
    pub fn next_ticket(&mut self) -> u64 {
        self.tickets += 1;
        self.tickets
    }

    /// Forgets the deadline of a client that no longer waits.
    pub fn forget_deadline(&mut self, conn: ConnId, deadline_ms: i64) {
        self.deadlines.remove(&(deadline_ms, conn));
    }

    /// How many clients have a deadline.
    pub fn with_deadline(&self) -> usize {
        self.deadlines.len()
    }

    /// The next deadline (Unix ms), and whose it is.
    pub fn next_deadline(&self) -> Option<(i64, ConnId)> {
        self.deadlines.first().copied()
    }
}
