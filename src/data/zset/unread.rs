//! A member that has not been read yet: where most of many are passed over by their scores, their bytes need not come from memory.

use super::table::MemberLink;
use crate::data::listpack::Item;

/// A member of a sorted set that is borrowed for `'a`.
#[derive(Clone, Copy)]
pub enum Unread<'a> {
    /// Of the compact form.
    #[doc(hidden)]
    Item(Item<'a>),
    /// Of the scalable form.
    #[doc(hidden)]
    Link(MemberLink<'a>),
}

impl<'a> Unread<'a> {
    /// The member.
    #[inline]
    pub fn item(self) -> Item<'a> {
        match self {
            Self::Item(item) => item,
            Self::Link(link) => Item::Str(link.bytes()),
        }
    }
}
