//! Places in a listpack: going from one element to the next, finding one, looking at it.

use super::{END, HEADER, Item, Listpack, element, element::Encoded};
use std::iter::FusedIterator;

/// Where an element is, until the listpack next changes in front of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pos(u32);

impl Pos {
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
        (!self.is_empty()).then_some(Pos::at(HEADER))
    }

    /// The last element.
    #[inline]
    pub fn last(&self) -> Option<Pos> {
        (!self.is_empty()).then(|| Pos::at(element::start_before(&self.0, self.0.len() - 1)))
    }

    /// Behind the last element.
    pub fn end(&self) -> Pos {
        Pos::at(self.0.len() - 1)
    }

    /// The element at or behind `pos`, if it is not the end.
    #[inline]
    pub fn here(&self, pos: Pos) -> Option<Pos> {
        (self.0[pos.index()] != END).then_some(pos)
    }

    /// The element behind the one at `pos`.
    #[inline]
    pub fn next(&self, pos: Pos) -> Option<Pos> {
        let next = pos.index() + element::len_at(&self.0, pos.index());
        (self.0[next] != END).then_some(Pos::at(next))
    }

    /// The element in front of `pos`, which may be the end.
    #[inline]
    pub fn prev(&self, pos: Pos) -> Option<Pos> {
        (pos.index() > HEADER).then(|| Pos::at(element::start_before(&self.0, pos.index())))
    }

    /// The element at `pos`.
    ///
    /// # Panics
    /// When `pos` is the end.
    #[inline]
    pub fn get(&self, pos: Pos) -> Item<'_> {
        element::read(&self.0, pos.index()).expect("a position is an element's").0
    }

    /// Element number `index`, from whichever end is nearer.
    pub fn nth(&self, index: usize) -> Option<Pos> {
        let len = self.len();
        if index >= len {
            return None;
        }
        if index <= len / 2 {
            let mut at = HEADER;
            (0..index).for_each(|_| at += element::len_at(&self.0, at));
            return Some(Pos::at(at));
        }
        let mut at = self.0.len() - 1;
        (index..len).for_each(|_| at = element::start_before(&self.0, at));
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
        let mut at = from.index();
        loop {
            let rest = &self.0[at..];
            if rest[0] == END {
                return None;
            }
            if rest[0] == head[0]
                && rest.len() > head.len() + data.len()
                && rest[..head.len()] == *head
                && rest[head.len()..][..data.len()] == *data
            {
                return Some(Pos::at(at));
            }
            for _ in 0..=skip {
                if self.0[at] == END {
                    return None;
                }
                at += element::len_at(&self.0, at);
            }
        }
    }

    /// All elements, from either end.
    #[inline]
    pub fn iter(&self) -> Iter<'_> {
        Iter { bytes: &self.0, front: HEADER, back: self.0.len() - 1 }
    }

    /// The elements from `pos` on.
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
    pub(super) fn new(listpack: &'a Listpack, pos: Pos) -> Self {
        Self { bytes: &listpack.0, front: pos.index(), back: listpack.0.len() - 1 }
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
        let (item, len) = element::read(self.bytes, self.front)?;
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
        element::read(self.bytes, self.back).map(|(item, _)| item)
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
