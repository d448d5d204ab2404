//! What the server knows beside its data: clients (without sockets), settings, statistics, what it asks of its environment.
//!
//! ```
//! use solod::state::write_gate::{GateReason, WriteGate};
//!
//! let gate = WriteGate::default().with(GateReason::Failover, true);
//! assert!(gate.holds() && gate.is_leaving() && gate.refusing().is_none());
//! ```

pub mod action;
pub mod aof;
pub mod aof_files;
pub mod aof_writer;
pub mod blocking;
pub mod client;
pub mod client_memory;
pub mod clients;
pub mod conn_id;
pub mod defrag;
pub mod disk;
pub mod eviction;
pub mod group_commit;
pub mod held_replies;
pub mod host;
pub mod latency;
pub mod link;
pub mod loading;
pub mod long_reply;
pub mod migration;
pub mod notifications;
pub mod pause;
pub mod peer;
pub mod pubsub;
pub mod replicas;
pub mod rewriting;
pub mod saving;
pub mod scripts;
pub mod server;
pub mod shutdown;
pub mod slowlog;
pub mod snapshot_file;
pub mod stats;
pub mod tracking;
pub mod unsafe_keys;
pub mod write_gate;

pub use action::{Action, LinkPurpose};
pub use client::{Client, ClientKind, Multi};
pub use clients::Clients;
pub use conn_id::ConnId;
pub use disk::{DiskDone, DiskJob, FileId, Lane};
pub use host::{CertificateFacts, CpuTimes, Host, ProcessFacts, TlsFacts};
pub use loading::LoadingState;
pub use pause::Pause;
pub use peer::Peer;
pub use server::Server;
pub use shutdown::{Shutdown, Shutting};
