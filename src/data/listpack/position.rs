//! Places in a listpack: going from one element to the next, finding one, looking at it.

use super::{
    Listpack, element,
    element::Encoded,
    item::Item,
    iter::{Iter, Pairs, Pos},
};

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
        Iter::new(self.0.bytes(), Pos::FIRST)
    }

    /// The elements from `pos` on.
    #[inline]
    pub fn iter_from(&self, pos: Pos) -> Iter<'_> {
        Iter::new(self.0.bytes(), pos)
    }

    /// The elements in pairs: fields and values, members and scores. There is an even number of them.
    #[inline]
    pub fn pairs(&self) -> impl DoubleEndedIterator<Item = (Item<'_>, Item<'_>)> {
        Pairs(self.iter())
    }
}
