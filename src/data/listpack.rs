//! The listpack: strings and integers in a row, in one allocation; the compact form of every collection.
//!
//! ```text
//! in a file    total bytes (u32)  number of elements (u16; 65535: unknown)  element ...  0xff
//! in memory    element ...
//! an element   encoding and length, data, then the length of both once more, to be read backwards
//! ```
//!
//! The elements are those of Redis's files, so that a small collection is saved and loaded by copying it. What stands around them there
//! is left out here: seven bytes are what a small hash takes a larger size class for. A string that is the canonical decimal form of an integer
//! is kept as one.

mod element;
mod item;
mod iter;
mod position;
#[cfg(test)]
mod tests;

use super::{block::Block, moving::Mover};
use element::Encoded;
pub use item::Item;
pub use iter::{Iter, Pos};
use std::fmt;

/// Bytes in front of the elements in a file.
const FILE_HEADER: usize = 6;
/// The byte behind them.
const FILE_END: u8 = 0xff;
/// Bytes in a file that are no element's: all those of an empty listpack.
pub const FILE_EXTRA: usize = FILE_HEADER + 1;
/// The count that says nothing.
const UNKNOWN: u16 = 0xffff;
/// What no listpack reaches: Redis takes a quarter of the format's limit for a safe one.
pub const BYTES_MAX: usize = 1 << 30;

/// Strings and integers in a row. An empty one has no allocation.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Listpack(
    /// The elements; noted is their number.
    Block,
);

impl fmt::Debug for Listpack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Listpack {
    /// No element.
    #[inline]
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves its allocation, if that pays.
    pub fn relocate(&mut self, mover: &mut Mover) {
        self.0.relocate(mover);
    }

    /// No element yet, and room for so many bytes of them, as far as a listpack may have so many.
    #[inline]
    pub fn with_capacity(bytes: usize) -> Self {
        Self(Block::with_capacity(bytes.min(BYTES_MAX)))
    }

    /// A listpack from its bytes in a file, every one of which is checked: the header, that each element ends where the next begins and says
    /// so backwards, and the end. `None` when anything is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let [a, b, c, d, low, high, elements @ .., FILE_END] = bytes else { return None };
        if u32::from_le_bytes([*a, *b, *c, *d]) as usize != bytes.len() || elements.len() > BYTES_MAX {
            return None;
        }
        let (mut rest, mut count) = (elements, 0);
        while !rest.is_empty() {
            rest = &rest[element::checked_len(rest)?..];
            count += 1;
        }
        let said = u16::from_le_bytes([*low, *high]);
        if said != UNKNOWN && usize::from(said) != count {
            return None;
        }
        let mut block = Block::from(elements);
        block.note = noted(count);
        Some(Self(block))
    }

    /// Writes its bytes behind what is there, as they stand in a file.
    pub fn write_bytes(&self, out: &mut Vec<u8>) {
        out.reserve(self.byte_len());
        out.extend_from_slice(&(self.byte_len() as u32).to_le_bytes());
        out.extend_from_slice(&self.0.note.to_le_bytes());
        out.extend_from_slice(self.0.bytes());
        out.push(FILE_END);
    }

    /// Its bytes, as they stand in a file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.byte_len());
        self.write_bytes(&mut bytes);
        bytes
    }

    /// How many bytes it takes in a file.
    #[inline]
    pub fn byte_len(&self) -> usize {
        FILE_EXTRA + self.0.len()
    }

    /// Gives back all room that it does not need.
    pub fn fit(&mut self) {
        self.0.fit();
    }

    /// How many bytes it holds in memory.
    pub fn allocated(&self) -> usize {
        self.0.capacity()
    }

    /// Number of elements. Constant time up to 65534 of them.
    #[inline]
    pub fn len(&self) -> usize {
        match self.0.note {
            UNKNOWN => self.iter().count(),
            len => usize::from(len),
        }
    }

    /// Whether there is no element.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes an element with these bytes would take at most.
    pub fn element_bytes(bytes: &[u8]) -> usize {
        Encoded::new(Item::new(bytes)).total()
    }

    /// Bytes an element takes.
    pub fn item_bytes(item: Item<'_>) -> usize {
        Encoded::new(item).total()
    }

    /// Bytes a string of this length takes, if it is not kept as an integer.
    pub fn string_bytes(len: usize) -> usize {
        element::string_total(len)
    }

    /// Adds an element at the end.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) {
        self.push_item(Item::new(bytes));
    }

    /// [`Listpack::push`] for what is an element already.
    #[inline]
    pub fn push_item(&mut self, item: Item<'_>) {
        match item {
            // What most are, without the detour.
            Item::Int(n @ 0..=element::BYTE_MAX) => self.0.append(2).copy_from_slice(&element::byte(n)),
            Item::Str(bytes) if bytes.len() < element::STRING_6 => element::write_short(self.0.append(bytes.len() + 2), bytes),
            item => self.push_encoded(&Encoded::new(item)),
        }
        self.added(1);
    }

    #[inline(never)]
    fn push_encoded(&mut self, encoded: &Encoded<'_>) {
        encoded.write(self.0.append(encoded.total()));
    }

    /// Adds an element in front.
    #[inline]
    pub fn push_front(&mut self, bytes: &[u8]) {
        self.insert(Pos::FIRST, bytes);
    }

    /// Adds an element in front of the one at `pos`, which may be the [end](Listpack::end). It is at `pos` then.
    #[inline]
    pub fn insert(&mut self, pos: Pos, bytes: &[u8]) {
        self.insert_item(pos, Item::new(bytes));
    }

    /// [`Listpack::insert`] for what is an element already.
    pub fn insert_item(&mut self, pos: Pos, item: Item<'_>) {
        let encoded = Encoded::new(item);
        encoded.write(self.0.splice(pos.index(), 0, encoded.total()));
        self.added(1);
    }

    /// Puts another element in the place of the one at `pos`.
    pub fn replace(&mut self, pos: Pos, bytes: &[u8]) {
        self.replace_item(pos, Item::new(bytes));
    }

    /// [`Listpack::replace`] for what is an element already.
    pub fn replace_item(&mut self, pos: Pos, item: Item<'_>) {
        if let (Item::Int(n @ 0..=element::BYTE_MAX), [old @ 0..=0x7f, ..]) = (item, &mut self.0.bytes_mut()[pos.index()..]) {
            *old = n as u8;
            return;
        }
        let encoded = Encoded::new(item);
        let (old, new) = (element::len_at(self.0.bytes(), pos.index()), encoded.total());
        if old == new {
            return encoded.write(&mut self.0.bytes_mut()[pos.index()..][..new]);
        }
        encoded.write(self.0.splice(pos.index(), old, new));
        // What has grown may have been given its room on purpose.
        if new < old {
            self.0.shrink();
        }
    }

    /// Takes the element at `pos` out; the one behind it is at `pos` then.
    #[inline]
    pub fn remove(&mut self, pos: Pos) {
        self.remove_some(pos, 1);
    }

    /// Takes up to `count` elements from `pos` on out; what is behind them is at `pos` then. Returns how many there were.
    #[inline]
    pub fn remove_some(&mut self, pos: Pos, count: usize) -> usize {
        let bytes = self.0.bytes();
        let (start, mut end, mut removed) = (pos.index(), pos.index(), 0);
        while removed < count && end < bytes.len() {
            end += element::len_at(bytes, end);
            removed += 1;
        }
        if end == bytes.len() {
            self.0.truncate(start);
        } else {
            self.0.splice(start, end - start, 0);
        }
        self.removed(removed);
        self.0.shrink();
        removed
    }

    /// Cuts it in two in front of `pos`, and returns the second part.
    pub fn split_off(&mut self, pos: Pos) -> Self {
        let rest = &self.0.bytes()[pos.index()..];
        let count = Iter::new(self.0.bytes(), pos).count();
        let mut rest = Self(Block::from(rest));
        rest.added(count);
        self.0.truncate(pos.index());
        self.removed(count);
        self.0.shrink();
        rest
    }

    /// Adds all elements of another at the end.
    pub fn append(&mut self, other: &Self) {
        let bytes = other.0.bytes();
        self.0.append(bytes.len()).copy_from_slice(bytes);
        self.added(other.len());
    }

    /// Notes so many elements more.
    #[inline]
    fn added(&mut self, count: usize) {
        if self.0.note != UNKNOWN {
            self.0.note = noted(usize::from(self.0.note) + count);
        }
    }

    /// Notes so many elements less.
    #[inline]
    fn removed(&mut self, count: usize) {
        self.0.note = match self.0.note {
            UNKNOWN => noted(self.iter().count()),
            known => noted(usize::from(known) - count),
        };
    }
}

/// A number of elements as it is noted, and stands in a file.
#[inline]
fn noted(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(UNKNOWN)
}
