//! What a database's table holds: a key with a value of any type.

pub use super::pair::{EMBSTR_MAX, HEADER_BYTES, INLINE_MAX, NEVER};

use super::{object::Object, pair, string};

/// A key with its value: one pointer wide, and so is `Option<Entry>`.
pub type Entry = pair::Pair<Object>;

/// What an entry holds.
pub type Value<'a> = pair::Value<'a, Object>;

/// A string on its way into an entry, already encoded.
pub type NewString<'a> = string::NewString<'a, Object>;
