//! The RDB format, as streams: [`Encoder`] turns entries into bytes, [`Decoder`] turns bytes into [`RdbEvent`]s, and
//! [`payload`] wraps single values for DUMP and RESTORE.
//!
//! ```text
//! "REDIS" and 4 digits of version, or "VALKEY" and 3
//! FA  name, value                      AUX: a fact about the file; unknown ones are ignored
//! F5  code                             FUNCTION2: a library of functions
//! F7  id, 2, when, items, 0            MODULE_AUX: a module's own data
//! FE  index                            SELECTDB: the keys that follow are in this database
//! FB  keys, keys with a deadline       RESIZEDB: how many will follow; a hint
//! F4  slot, keys, keys with a deadline SLOT_INFO: the same for a cluster's slot
//!     FC 8 bytes, or FD 4 bytes        EXPIRETIME_MS, EXPIRETIME: Unix milliseconds or seconds, little-endian
//!     F8 seconds, or F9 1 byte         IDLE, FREQ: marks of access
//!     type, key, value                 a key; what stands above in this block is about it
//! FF  8 bytes                          EOF: and the CRC-64 of all that came before, little-endian; 0 for none (from version 5 on)
//! ```
//!
//! Numbers without a size are lengths, names and values are strings:
//!
//! ```text
//! length  00nnnnnn | 01nnnnnn nnnnnnnn | 80 and 4 bytes | 81 and 8 bytes, all big-endian
//! string  a length and as many bytes | C0, C1, C2 and 1, 2, 4 bytes: a number, little-endian
//!         | C3, length of what follows, length of the string: the string in LZF
//! ```
//!
//! Nothing here does I/O or looks at a clock, no step grows with the number of keys, and no memory is taken on a mere announcement:
//! what a decoder holds is what it was fed and has not handed out.

mod building;
mod check;
#[cfg(test)]
mod collection_tests;
mod collections;
mod containers;
mod crc;
mod decode;
mod encode;
mod format;
mod input;
pub mod libraries;
mod outline;
mod packer;
pub mod payload;
mod shapes;
#[cfg(test)]
mod stream_tests;
mod streams;
mod string;
#[cfg(test)]
mod tests;
mod value;

pub use check::{Insane, RdbCheck};
pub use collections::Head;
pub use decode::{Checksum, DecodeOptions, Decoder, RdbEvent};
pub use encode::{AccessMarks, Encoder, Progress, ReplicationPosition, SaveInfo, Settings};
pub use format::{Family, VERSION_ACTIVE_TIMES, VERSION_FIELD_DEADLINES, VERSION_WRITTEN};
pub use input::{RdbError, Reason};
pub use shapes::Shapes;
pub use value::{Key, LoadedValue};
