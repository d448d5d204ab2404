//! What a key can hold: one file a type with its encodings, and the table they all stand on.
//! Knows no client, no clock and no command.
//!
//! ```
//! use solod::data::{dict::Dict, entry::{Entry, NEVER, Value}, key_hash::Seed};
//!
//! let mut table = Dict::new(Seed::new(1));
//! let hash = table.hash(b"key");
//! table.insert_new(hash, Entry::new_inline(b"key", b"value", NEVER));
//! let found = table.find(hash, b"key").unwrap();
//! assert!(matches!(found.value(), Value::Str(b"value")));
//! assert_eq!(found.allocated(), 16, "a header of eight bytes, key and value");
//! ```

pub mod bits;
pub mod block;
pub mod dict;
pub mod entry;
pub mod float;
pub mod geo;
pub mod glob;
pub mod hash;
pub mod hll;
pub mod intset;
pub mod key_hash;
pub mod lcs;
pub mod limits;
pub mod list;
pub mod listpack;
pub mod longdouble;
pub mod lzf;
pub mod member;
pub mod moving;
pub mod number;
pub mod object;
pub mod pair;
pub mod pieces;
pub mod prefetch;
pub mod rng;
pub mod set;
pub mod size_class;
pub mod stream;
pub mod string;
pub mod trash;
pub mod wide;
pub mod zset;
