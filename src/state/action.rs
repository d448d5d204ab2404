//! What the engine asks of its driver.

use super::{conn_id::ConnId, disk::DiskJob};

/// What a connection to another server is for: each kind may be made in its own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkPurpose {
    /// It is to our primary.
    Replication,
    /// Keys are to go there.
    Migration,
}

/// What the engine asks of its driver.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Ends the process with this exit code.
    Exit(i32),
    /// Makes a connection; the engine is to be told how that ends, by the name of `link`.
    Connect {
        /// Names the attempt.
        link: u64,
        /// An address or a name.
        host: String,
        /// The port there.
        port: u16,
        /// The address of ours that it is to come from (`bind-source-addr`).
        source: Option<String>,
        /// What it is for.
        purpose: LinkPurpose,
    },
    /// Gives up an attempt that may not have ended yet.
    CancelConnect {
        /// Names the attempt.
        link: u64,
    },
    /// Does this beside the loop, after the disk work asked for before, and hands the answer to the engine.
    Disk(DiskJob),
    /// Reads on from a connection whose input was not wanted for a while.
    Read(ConnId),
}
