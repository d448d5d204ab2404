//! Data as bytes that outlive the process: encoders and decoders over streams, without a file or a socket.
//!
//! [`rdb`] is the format of snapshots, of full synchronisations and of DUMP payloads. [`snapshot`] turns a walk over the keyspace into
//! such a stream, and [`load`] a stream into keys.
//!
//! ```
//! use solod::{data::{entry::{Entry, NEVER}}, persist::rdb::{Settings, payload}};
//!
//! let entry = Entry::new_int(b"key", 7, NEVER);
//! let payload = payload::dump(&entry, Settings::default());
//! assert_eq!(payload[..3], [0, 0xc0, 7], "a string, as a number of one byte");
//! ```

pub mod aof;
pub mod load;
mod out;
pub mod rdb;
pub mod snapshot;
