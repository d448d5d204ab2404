//! Data as bytes that outlive the process: encoders and decoders over streams, without a file or a socket.
//!
//! [`rdb`] is the format of snapshots, of full synchronisations and of DUMP payloads. [`snapshot`] turns a walk over the keyspace into
//! such a stream, and [`load`] a stream into keys.

pub mod load;
pub mod rdb;
pub mod snapshot;
