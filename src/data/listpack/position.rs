//! Places in a listpack: going from one element to the next, finding one, looking at it.

use super::{Item, Listpack, element, element::Encoded};
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

impl Listpack {
    /// The first element.
    #[inline]
    pub fn first(&self) -> Option<Pos> {
        self.here(Pos::FIRST)
    }

    /// The last element.
    #[inline]
    pub fn last(&self) -> Option<Pos> {
        self.prev(self.end())
    }

    /// Behind the last element.
    #[inline]
    pub fn end(&self) -> Pos {
        Pos::at(self.0.len())
    }

    /// The element at or behind `pos`, if it is not the end.
    #[inline]
    pub fn here(&self, pos: Pos) -> Option<Pos> {
        (pos < self.end()).then_some(pos)
    }

    /// The element behind the one at `pos`.
    #[inline]
    pub fn next(&self, pos: Pos) -> Option<Pos> {
        self.here(Pos::at(pos.index() + element::len_at(self.0.bytes(), pos.index())))
    }

    /// The element in front of `pos`, which may be the end.
    #[inline]
    pub fn prev(&self, pos: Pos) -> Option<Pos> {
        (pos > Pos::FIRST).then(|| Pos::at(element::start_before(self.0.bytes(), pos.index())))
    }

    /// The element at `pos`.
    ///
    /// # Panics
    /// When `pos` is the end.
    #[inline]
    pub fn get(&self, pos: Pos) -> Item<'_> {
        element::read(self.0.bytes(), pos.index()).0
    }

    /// Element number `index`, from whichever end is nearer.
    pub fn nth(&self, index: usize) -> Option<Pos> {
        let (len, bytes) = (self.len(), self.0.bytes());
        if index >= len {
            return None;
        }
        if index <= len / 2 {
            let mut at = 0;
            (0..index).for_each(|_| at += element::len_at(bytes, at));
            return Some(Pos::at(at));
        }
        let mut at = bytes.len();
        (index..len).for_each(|_| at = element::start_before(bytes, at));
        Some(Pos::at(at))
    }

    /// The first element equal to these bytes from `from` on, looking at one element and then leaving out `skip`.
    #[inline]
    pub fn find(&self, from: Pos, bytes: &[u8], skip: usize) -> Option<Pos> {
        self.find_item(from, Item::new(bytes), skip)
    }

    /// [`Listpack::find`] for what is an element already.
    pub fn find_item(&self, from: Pos, item: Item<'_>, skip: usize) -> Option<Pos> {
        // Equal elements have equal bytes: comparing those reads nothing.
        let encoded = Encoded::new(item);
        let (head, data) = encoded.parts();
        let bytes = self.0.bytes();
        let mut at = from.index();
        loop {
            let rest = bytes.get(at..)?;
            if *rest.first()? == head[0]
                && rest.len() > head.len() + data.len()
                && rest[..head.len()] == *head
                && rest[head.len()..][..data.len()] == *data
            {
                return Some(Pos::at(at));
            }
            for _ in 0..=skip {
                if at >= bytes.len() {
                    return None;
                }
                at += element::len_at(bytes, at);
            }
        }
    }

    /// All elements, from either end.
    #[inline]
    pub fn iter(&self) -> Iter<'_> {
        Iter::new(self, Pos::FIRST)
    }

    /// The elements from `pos` on.
    #[inline]
    pub fn iter_from(&self, pos: Pos) -> Iter<'_> {
        Iter::new(self, pos)
    }

    /// The elements in pairs: fields and values, members and scores. There is an even number of them.
    #[inline]
    pub fn pairs(&self) -> impl DoubleEndedIterator<Item = (Item<'_>, Item<'_>)> {
        Pairs(self.iter())
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
    pub(super) fn new(listpack: &'a Listpack, pos: Pos) -> Self {
        Self { bytes: listpack.0.bytes(), front: pos.index(), back: listpack.0.len() }
    }

    /// Where the next element is.
    pub fn pos(&self) -> Pos {
        Pos::at(self.front)
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
        self.front += len;
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

struct Pairs<'a>(Iter<'a>);

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
