//! Values that do not fit in an entry: they hang off it, one box each.

use bytes::Bytes;

/// A long or structured value.
pub enum Object {
    /// A string longer than [`INLINE_MAX`](super::entry::INLINE_MAX): shared with the replies that are still leaving.
    Bytes(Bytes),
}
