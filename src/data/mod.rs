//! What a key can hold: one file a type with its encodings, and the table they all stand on.
//! Knows no client, no clock and no command.

pub mod block;
pub mod dict;
pub mod entry;
pub mod float;
pub mod glob;
pub mod hash;
pub mod intset;
pub mod key_hash;
pub mod lcs;
pub mod limits;
pub mod list;
pub mod listpack;
pub mod longdouble;
pub mod lzf;
pub mod member;
pub mod number;
pub mod object;
pub mod pieces;
pub mod prefetch;
pub mod rng;
pub mod set;
pub mod size_class;
pub mod string;
pub mod trash;
pub mod zset;
