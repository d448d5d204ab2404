//! HyperLogLogs: strings that estimate how many different elements they were given, laid out byte for byte as Redis does, since they travel in
//! files and between servers.
//!
//! ```text
//! offset 0   magic       "HYLL"
//!        4   encoding    0 dense, 1 sparse
//!        5   unused      3 bytes
//!        8   cardinality 8 bytes, the lowest first: the last estimate; the highest bit says that it holds no more
//!       16   registers   dense: 16384 of six bits each; sparse: runs of registers, see [`sparse`]
//! ```
//!
//! An element is hashed ([`hash`]) to a register and a rank; a register keeps the highest rank that it was given.

pub mod dense;
mod draft;
pub mod estimate;
pub mod hash;
pub mod layout;
pub mod self_test;
pub mod sparse;
mod whole;

pub use draft::Draft;
pub use hash::element;
pub use layout::{Corrupted, Encoding, cached, encoding, invalidate, set_cached};
pub use whole::{Registers, count, count_merged, dense_from, empty, merge, raise_all, to_dense};
