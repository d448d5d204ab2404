//! What an element of a listpack is.

use crate::data::number;
use std::fmt;

/// An element.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Item<'a> {
    /// A string that is the canonical decimal form of this number.
    Int(i64),
    /// Any other.
    Str(&'a [u8]),
}

impl<'a> Item<'a> {
    /// What an element with these bytes is.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        match number::parse_i64(bytes) {
            Some(n) => Self::Int(n),
            None => Self::Str(bytes),
        }
    }

    /// Its bytes, an integer's digits in `digits`.
    #[inline]
    pub fn text(self, digits: &'a mut itoa::Buffer) -> &'a [u8] {
        match self {
            Self::Int(n) => digits.format(n).as_bytes(),
            Self::Str(bytes) => bytes,
        }
    }

    /// Length of its bytes.
    #[inline]
    #[allow(clippy::len_without_is_empty)]
    pub fn len(self) -> usize {
        match self {
            Self::Int(n) => number::len_i64(n),
            Self::Str(bytes) => bytes.len(),
        }
    }

    /// Its bytes, to keep.
    pub fn to_vec(self) -> Vec<u8> {
        self.text(&mut itoa::Buffer::new()).to_vec()
    }
}

impl fmt::Debug for Item<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(n) => write!(f, "{n}"),
            Self::Str(bytes) => write!(f, "\"{}\"", bytes.escape_ascii()),
        }
    }
}
