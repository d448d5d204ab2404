//! Data as bytes that outlive the process: encoders and decoders over streams, without a file or a socket.
//!
//! [`rdb`] is the format of snapshots, of full synchronisations and of DUMP payloads.

pub mod rdb;
