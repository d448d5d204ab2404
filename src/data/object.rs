//! Values that do not fit in an entry: they hang off it, one box each.

use bytes::Bytes;

/// A long or structured value.
#[derive(Clone)]
pub enum Object {
    /// A string longer than [`INLINE_MAX`](super::entry::INLINE_MAX), or one that grows: shared with the replies that are still leaving.
    Bytes(Bytes),
}

impl Object {
    /// The bytes, if it is a string.
    #[inline(always)]
    pub fn bytes(&self) -> Option<&Bytes> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
        }
    }

    /// The bytes, if it is a string.
    #[inline]
    pub fn bytes_mut(&mut self) -> Option<&mut Bytes> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
        }
    }

    /// What TYPE answers.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Bytes(_) => "string",
        }
    }

    /// What OBJECT ENCODING answers.
    pub fn encoding(&self) -> &'static str {
        match self {
            Self::Bytes(_) => "raw",
        }
    }
}
