//! Going through a listpack.

use super::{element, item::Item};
use std::iter::FusedIterator;

/// Where an element is, until the listpack next changes in front of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pos(u32);

impl Pos {
    /// Where the first element is, if there is one.
    pub(super) const FIRST: Self = Self(0);

    #[inline]
    pub(super) fn at(index: usize) -> Self {
        Self(index as u32)
    }

    #[inline]
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// Elements in order.
#[derive(Clone)]
pub struct Iter<'a> {
    bytes: &'a [u8],
    front: usize,
    back: usize,
}

impl<'a> Iter<'a> {
    #[inline]
    pub(super) fn new(bytes: &'a [u8], pos: Pos) -> Self {
        Self { bytes, front: pos.index(), back: bytes.len() }
    }

    /// Where the next element is.
    pub fn pos(&self) -> Pos {
        Pos::at(self.front)
    }

    /// Passes over so many elements, as far as there are any.
    #[inline]
    pub fn skip_some(&mut self, count: usize) {
        for _ in 0..count {
            if self.front >= self.back {
                return;
            }
            self.front += element::len_at(self.bytes, self.front);
        }
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        if self.front >= self.back {
            return None;
        }
        let (item, len) = element::read(self.bytes, self.front);
        // An element's bytes have just been read, and its end takes five at most.
        self.front = self.front.wrapping_add(len);
        Some(item)
    }
}

impl DoubleEndedIterator for Iter<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.front >= self.back {
            return None;
        }
        self.back = element::start_before(self.bytes, self.back);
        Some(element::read(self.bytes, self.back).0)
    }
}

impl FusedIterator for Iter<'_> {}

/// Elements in order, two at a time.
pub(super) struct Pairs<'a>(pub Iter<'a>);

impl<'a> Iterator for Pairs<'a> {
    type Item = (Item<'a>, Item<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        Some((self.0.next()?, self.0.next()?))
    }
}

impl DoubleEndedIterator for Pairs<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let second = self.0.next_back()?;
        Some((self.0.next_back()?, second))
    }
}
