//! MIGRATE under way, and the connections to other servers that are kept for the next one.
//!
//! At most one is under way, and writes are held back until it is over ([`WriteGate`](super::write_gate::WriteGate)): what was serialised is what is deleted.

use super::conn_id::ConnId;
use crate::resp::status::Status;
use bytes::Bytes;

/// What is to be moved, and where to.
pub struct MigrateRequest {
    /// The other server's name or address.
    pub host: String,
    /// Its port; `None` when what was given is not a port.
    pub port: Option<u16>,
    /// Host and port as they were given: what a connection is known by.
    pub name: Box<[u8]>,
    /// Index of our database.
    pub db: usize,
    /// Number of the database there.
    pub destination: i64,
    /// Milliseconds that may pass without progress.
    pub timeout_ms: u64,
    /// The keys stay here.
    pub copy: bool,
    /// The AUTH to begin with, encoded; empty for none.
    pub auth: Vec<u8>,
    /// The keys.
    pub keys: Vec<Box<[u8]>>,
    /// A RESTORE for each of them, encoded.
    pub commands: Vec<Bytes>,
}

/// The progress of a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MigrationStep {
    /// This attempt to connect has not ended.
    Connecting(u64),
    /// Commands go out on this connection, and replies come in.
    Talking(ConnId),
}

/// A MIGRATE under way.
pub struct Migration {
    /// The client that waits for it: connection, CLIENT ID, and whether no reply is sent.
    pub(super) client: (ConnId, u64, bool),
    /// Registry index of the command.
    pub(super) command: u16,
    pub(super) request: MigrateRequest,
    pub(super) step: MigrationStep,
    /// A lost connection may be replaced by a new one, once.
    pub(super) may_retry: bool,
    /// Some of the request has gone out by the connection of now.
    pub(super) has_sent: bool,
    /// Monotonic milliseconds of the last progress.
    pub(super) progress_at_ms: u64,
    /// Replies to AUTH and SELECT that have not come.
    pub(super) preludes: usize,
    /// The error that was the reply to one of those.
    pub(super) refused: Option<Vec<u8>>,
    /// Keys whose reply has come.
    pub(super) answered: usize,
    /// Indexes of those that the target has acknowledged.
    pub(super) arrived: Vec<usize>,
    /// The first error among the answers.
    pub(super) error: Option<Vec<u8>>,
}

impl Migration {
    /// Its progress.
    pub fn step(&self) -> MigrationStep {
        self.step
    }

    /// Monotonic milliseconds at which it is given up unless there is progress.
    pub(super) fn gives_up_at_ms(&self) -> u64 {
        // The millisecond of that progress may have been nearly over.
        self.progress_at_ms.saturating_add(self.request.timeout_ms).saturating_add(1)
    }

    /// Takes the next reply; `true` when it was the last.
    pub(super) fn take(&mut self, status: Status) -> bool {
        let error = match status {
            Status::Done => None,
            Status::Refused(text) => Some(text),
        };
        if self.preludes > 0 {
            self.preludes -= 1;
            if self.refused.is_none() {
                self.refused = error;
            }
            return false;
        }
        // Where AUTH or SELECT went wrong, a key may have arrived, but not where it should.
        match self.refused.clone().or(error) {
            None => self.arrived.push(self.answered),
            Some(text) => {
                self.error.get_or_insert(text);
            }
        }
        self.answered += 1;
        self.answered == self.request.keys.len()
    }
}

/// The migration under way, and connections kept for the next ones.
#[derive(Default)]
pub struct Migrations {
    pub(super) under_way: Option<Box<Migration>>,
    /// Connections to other servers.
    pub(super) links: Vec<ConnId>,
}

impl Migrations {
    /// Whether a migration is under way.
    #[inline]
    pub fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// The migration under way.
    pub fn under_way(&self) -> Option<&Migration> {
        self.under_way.as_deref()
    }

    /// The migration under way, if it goes by this connection.
    pub(super) fn on(&mut self, conn: ConnId) -> Option<&mut Migration> {
        self.under_way.as_deref_mut().filter(|migration| migration.step == MigrationStep::Talking(conn))
    }
}
