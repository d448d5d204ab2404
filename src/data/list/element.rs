//! What an element of a list is.

use crate::data::listpack::Item;
use bytes::Bytes;

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Where the index is 0.
    Front,
    /// Where it is -1.
    Back,
}

/// An element, where it lies.
#[derive(Clone, Copy, Debug)]
pub enum ListElement<'a> {
    /// One of a listpack's.
    Item(Item<'a>),
    /// One that has a node for itself, to be shared instead of copied.
    Large(&'a Bytes),
}

impl<'a> ListElement<'a> {
    /// Whether it has the bytes of this item.
    #[inline]
    pub fn is(self, item: Item<'_>) -> bool {
        self.item() == item
    }

    /// As an item, wherever it lies.
    #[inline]
    pub fn item(self) -> Item<'a> {
        match self {
            Self::Item(item) => item,
            Self::Large(bytes) => Item::Str(bytes),
        }
    }

    /// Its bytes, to keep; shared if it is large.
    pub fn to_bytes(self) -> Bytes {
        match self {
            Self::Item(item) => Bytes::from(item.to_vec()),
            Self::Large(bytes) => bytes.clone(),
        }
    }
}
