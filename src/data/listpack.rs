//! The listpack: strings and integers in a row, in one allocation; the compact form of every collection.
//!
//! ```text
//! total bytes (u32)  number of elements (u16; 65535: unknown)  element ...  0xff
//! element: encoding and length, data, then the length of both once more, to be read backwards
//! ```
//!
//! The bytes are those of Redis's files, so that a small collection is saved and loaded by copying it. A string that is
//! the canonical decimal form of an integer is kept as one.

mod element;
mod position;
#[cfg(test)]
mod tests;

use super::{entry::size_class, number};
use element::Encoded;
pub use position::{Iter, Pos};
use std::fmt;

const HEADER: usize = 6;
const END: u8 = 0xff;
/// The count that says nothing.
const UNKNOWN: usize = 0xffff;
/// What no listpack reaches: Redis takes a quarter of the format's limit for a safe one.
pub const BYTES_MAX: usize = 1 << 30;

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

/// Strings and integers in a row.
#[derive(Clone, PartialEq, Eq)]
pub struct Listpack(Vec<u8>);

impl Default for Listpack {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Listpack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Listpack {
    /// No element.
    pub fn new() -> Self {
        Self::with_capacity(0)
    }

    /// No element yet, and room for so many bytes of them.
    pub fn with_capacity(bytes: usize) -> Self {
        let mut all = Vec::with_capacity(size_class(HEADER + 1 + bytes));
        all.extend_from_slice(&[HEADER as u8 + 1, 0, 0, 0, 0, 0, END]);
        Self(all)
    }

    /// A listpack from its bytes, every one of which is checked: the header, that each element ends where the next begins and says so
    /// backwards, and the end. `None` when anything is wrong.
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        let [a, b, c, d, low, high, ..] = *bytes.as_slice() else { return None };
        if u32::from_le_bytes([a, b, c, d]) as usize != bytes.len() || bytes.len() > HEADER + 1 + BYTES_MAX {
            return None;
        }
        let (mut at, mut count) = (HEADER, 0);
        while *bytes.get(at)? != END {
            at += element::checked_len(&bytes[at..bytes.len() - 1])?;
            count += 1;
        }
        let said = usize::from(u16::from_le_bytes([low, high]));
        (at + 1 == bytes.len() && (said == count || said == UNKNOWN)).then_some(Self(bytes))
    }

    /// The bytes, as they stand in a file.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, as they stand in a file.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// How many bytes it takes in a file.
    #[inline]
    pub fn byte_len(&self) -> usize {
        self.0.len()
    }

    /// How many bytes it holds in memory.
    pub fn allocated(&self) -> usize {
        self.0.capacity()
    }

    /// Number of elements. Constant time up to 65534 of them.
    #[inline]
    pub fn len(&self) -> usize {
        match self.stored_len() {
            UNKNOWN => self.iter().count(),
            len => len,
        }
    }

    #[inline]
    fn stored_len(&self) -> usize {
        usize::from(u16::from_le_bytes([self.0[4], self.0[5]]))
    }

    /// Whether there is no element.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0[HEADER] == END
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
    pub fn push_item(&mut self, item: Item<'_>) {
        let encoded = Encoded::new(item);
        self.grow(encoded.total());
        self.0.pop();
        encoded.write(&mut self.0);
        self.0.push(END);
        self.counted(1);
    }

    /// Adds an element in front.
    pub fn push_front(&mut self, bytes: &[u8]) {
        self.insert(Pos::at(HEADER), bytes);
    }

    /// Adds an element in front of the one at `pos`, which may be the [end](Listpack::end). It is at `pos` then.
    pub fn insert(&mut self, pos: Pos, bytes: &[u8]) {
        self.insert_item(pos, Item::new(bytes));
    }

    /// [`Listpack::insert`] for what is an element already.
    pub fn insert_item(&mut self, pos: Pos, item: Item<'_>) {
        let encoded = Encoded::new(item);
        self.splice(pos.index(), 0, &encoded);
        self.counted(1);
    }

    /// Puts another element in the place of the one at `pos`.
    pub fn replace(&mut self, pos: Pos, bytes: &[u8]) {
        self.replace_item(pos, Item::new(bytes));
    }

    /// [`Listpack::replace`] for what is an element already.
    pub fn replace_item(&mut self, pos: Pos, item: Item<'_>) {
        let old = element::len_at(&self.0, pos.index());
        self.splice(pos.index(), old, &Encoded::new(item));
    }

    /// Puts an encoded element in the place of `old` bytes.
    fn splice(&mut self, at: usize, old: usize, encoded: &Encoded<'_>) {
        let (new, len) = (encoded.total(), self.0.len());
        if new > old {
            self.grow(new - old);
            self.0.resize(len + new - old, 0);
        }
        self.0.copy_within(at + old..len, at + new);
        self.0.truncate(len + new - old);
        encoded.write_at(&mut self.0[at..at + new]);
        self.sized();
        // What has grown may have been given its room on purpose.
        if new < old {
            self.shrink();
        }
    }

    /// Takes the element at `pos` out; the one behind it is at `pos` then.
    pub fn remove(&mut self, pos: Pos) {
        self.remove_some(pos, 1);
    }

    /// Takes up to `count` elements from `pos` on out; what is behind them is at `pos` then. Returns how many there were.
    pub fn remove_some(&mut self, pos: Pos, count: usize) -> usize {
        let (mut end, mut removed) = (pos.index(), 0);
        while removed < count && self.0[end] != END {
            end += element::len_at(&self.0, end);
            removed += 1;
        }
        self.0.drain(pos.index()..end);
        self.counted(-(removed as isize));
        self.shrink();
        removed
    }

    /// Cuts it in two in front of `pos`, and returns the second part.
    pub fn split_off(&mut self, pos: Pos) -> Self {
        let mut rest = Self::with_capacity(self.0.len() - pos.index());
        let count = Iter::new(self, pos).count();
        rest.0.truncate(HEADER);
        rest.0.extend_from_slice(&self.0[pos.index()..]);
        rest.counted(count as isize);
        self.0.truncate(pos.index());
        self.0.push(END);
        self.counted(-(count as isize));
        self.shrink();
        rest
    }

    /// Adds all elements of another at the end.
    pub fn append(&mut self, other: &Self) {
        let count = other.len();
        self.grow(other.0.len());
        self.0.pop();
        self.0.extend_from_slice(&other.0[HEADER..]);
        self.counted(count as isize);
    }

    /// Notes so many elements more, and the new number of bytes.
    fn counted(&mut self, by: isize) {
        let before = self.stored_len();
        self.sized();
        let count = match before {
            UNKNOWN if by < 0 => self.iter().count(),
            UNKNOWN => UNKNOWN,
            known => known.wrapping_add_signed(by),
        };
        self.0[4..HEADER].copy_from_slice(&(count.min(UNKNOWN) as u16).to_le_bytes());
    }

    fn sized(&mut self) {
        let len = self.0.len() as u32;
        self.0[..4].copy_from_slice(&len.to_le_bytes());
    }

    /// Makes room for so many bytes more, as much as the allocator gives for it and no more.
    #[inline]
    fn grow(&mut self, by: usize) {
        let len = self.0.len() + by;
        if len > self.0.capacity() {
            self.0.reserve_exact(size_class(len) - self.0.len());
        }
    }

    /// Gives room back that is not worth keeping.
    fn shrink(&mut self) {
        if size_class(self.0.len()) * 2 <= self.0.capacity() {
            self.0.shrink_to(size_class(self.0.len()));
        }
    }
}
