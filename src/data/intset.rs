//! The intset: integers in ascending order, each in as many bytes as the widest one needed; the compact form of a set of integers.
//!
//! ```text
//! in a file  bytes an integer (u32: 2, 4 or 8)  number of integers (u32)  integer ...    all little-endian
//! in memory  integer ...
//! ```
//!
//! In memory there is one more width, of 3 bytes, which a file has as 4: most numbers that name something are below eight million. Otherwise the
//! integers are those of Redis's files. They never become narrower.

use super::{
    block::{self, Block},
    moving::Mover,
};

/// Bytes in front of the integers in a file.
const FILE_HEADER: usize = 8;
/// Integers it holds at most, whatever the settings say. (Redis's own bound is twice this.) There is room for one more, to find out.
pub const LEN_MAX: usize = block::BYTES_MAX / size_of::<i64>() - 1;

/// Integers in ascending order. An empty one has no allocation.
#[derive(Clone, PartialEq, Eq)]
pub struct Intset(
    /// The integers; noted is their width in bytes: 2, 3, 4 or 8.
    Block,
);

impl Default for Intset {
    fn default() -> Self {
        Self::new()
    }
}

/// The integers that three bytes hold.
const THREE_BYTES: std::ops::RangeInclusive<i64> = -(1 << 23)..=(1 << 23) - 1;

/// Bytes that this integer needs.
#[inline]
fn width_of(n: i64) -> u16 {
    if i16::try_from(n).is_ok() {
        2
    } else if THREE_BYTES.contains(&n) {
        3
    } else if i32::try_from(n).is_ok() {
        4
    } else {
        8
    }
}

impl Intset {
    /// Moves its allocation, if that pays.
    pub fn relocate(&mut self, mover: &mut Mover) {
        self.0.relocate(mover);
    }

    /// No integer.
    pub fn new() -> Self {
        Self::of_width(2, 0)
    }

    /// No integer yet, and room for so many of this width.
    fn of_width(width: u16, len: usize) -> Self {
        let mut block = Block::with_capacity(len * usize::from(width));
        block.note = width;
        Self(block)
    }

    /// An intset from its bytes in a file, every one of which is checked: the header, and that the integers ascend. `None` when anything is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (header, integers) = bytes.split_first_chunk::<FILE_HEADER>()?;
        let [width @ (2 | 4 | 8), 0, 0, 0, a, b, c, d] = *header else { return None };
        let len = u32::from_le_bytes([a, b, c, d]) as usize;
        if len > LEN_MAX || integers.len() != len * usize::from(width) {
            return None;
        }
        let mut block = Block::from(integers);
        block.note = u16::from(width);
        let mut set = Self(block);
        if !set.iter().is_sorted_by(|a, b| a < b) {
            return None;
        }
        let ends = [set.first(), set.last()];
        if width == 4 && ends.iter().flatten().all(|n| THREE_BYTES.contains(n)) {
            set = set.with_width(3, len);
        }
        Some(set)
    }

    /// Writes its bytes behind what is there, as they stand in a file.
    pub fn write_bytes(&self, out: &mut Vec<u8>) {
        out.reserve(self.byte_len());
        let width = self.file_width();
        out.extend_from_slice(&(width as u32).to_le_bytes());
        out.extend_from_slice(&(self.len() as u32).to_le_bytes());
        if width == self.width() {
            out.extend_from_slice(self.0.bytes());
        } else {
            self.iter().for_each(|n| out.extend_from_slice(&n.to_le_bytes()[..width]));
        }
    }

    /// How many bytes it takes in a file.
    #[inline]
    pub fn byte_len(&self) -> usize {
        FILE_HEADER + self.len() * self.file_width()
    }

    /// How many bytes it holds in memory.
    pub fn allocated(&self) -> usize {
        self.0.capacity()
    }

    #[inline]
    fn width(&self) -> usize {
        usize::from(self.0.note)
    }

    /// Bytes that an integer takes in a file.
    fn file_width(&self) -> usize {
        self.width().next_power_of_two()
    }

    /// Number of integers.
    #[inline]
    pub fn len(&self) -> usize {
        // Divided by what is known where it is compiled.
        match self.0.note {
            2 => self.0.len() / 2,
            3 => self.0.len() / 3,
            4 => self.0.len() / 4,
            _ => self.0.len() / 8,
        }
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Integer number `index`.
    ///
    /// # Panics
    /// When there are not so many.
    #[inline]
    pub fn get(&self, index: usize) -> i64 {
        read(&self.0.bytes()[index * self.width()..], self.width())
    }

    /// The smallest.
    pub fn first(&self) -> Option<i64> {
        (!self.is_empty()).then(|| self.get(0))
    }

    /// The largest.
    pub fn last(&self) -> Option<i64> {
        self.len().checked_sub(1).map(|last| self.get(last))
    }

    /// All of them, in ascending order.
    pub fn iter(&self) -> Iter<'_> {
        Iter { rest: self.0.bytes(), width: self.width() }
    }

    /// Where `n` is, or where it belongs.
    #[inline]
    fn search(&self, n: i64) -> Result<usize, usize> {
        let len = self.len();
        // In ascending order is how integers are often added.
        if len == 0 || self.get(len - 1) < n {
            return Err(len);
        }
        let (mut low, mut high) = (0, len);
        while low < high {
            let middle = low.midpoint(high);
            match self.get(middle).cmp(&n) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Ok(middle),
            }
        }
        Err(low)
    }

    /// Whether `n` is there.
    #[inline]
    pub fn contains(&self, n: i64) -> bool {
        width_of(n) <= self.0.note && self.search(n).is_ok()
    }

    /// Adds `n`; `false` when it was there.
    pub fn insert(&mut self, n: i64) -> bool {
        if width_of(n) > self.0.note {
            self.widen(width_of(n));
        }
        let Err(index) = self.search(n) else { return false };
        let width = self.width();
        self.0.splice(index * width, 0, width).copy_from_slice(&n.to_le_bytes()[..width]);
        true
    }

    /// Takes `n` out; `false` when it was not there.
    pub fn remove(&mut self, n: i64) -> bool {
        let found = if width_of(n) <= self.0.note { self.search(n).ok() } else { None };
        if let Some(index) = found {
            self.remove_at(index);
        }
        found.is_some()
    }

    /// Takes integer number `index` out.
    ///
    /// # Panics
    /// When there are not so many.
    pub fn remove_at(&mut self, index: usize) {
        let width = self.width();
        self.0.splice(index * width, width, 0);
        self.0.shrink();
    }

    /// Keeps only those for which `keep` says so; it is asked in ascending order.
    pub fn retain(&mut self, mut keep: impl FnMut(i64) -> bool) {
        let (width, bytes, mut to) = (self.width(), self.0.bytes_mut(), 0);
        for at in (0..bytes.len()).step_by(width) {
            if keep(read(&bytes[at..], width)) {
                bytes.copy_within(at..at + width, to);
                to += width;
            }
        }
        self.0.truncate(to);
        self.0.shrink();
    }

    /// Gives every integer so many bytes, and has room for one more.
    #[cold]
    fn widen(&mut self, width: u16) {
        *self = self.with_width(width, self.len() + 1);
    }

    /// The same in integers of so many bytes, which all of them fit in, and room for `len`.
    fn with_width(&self, width: u16, len: usize) -> Self {
        let mut other = Self::of_width(width, len);
        let width = other.width();
        self.iter().for_each(|n| other.0.append(width).copy_from_slice(&n.to_le_bytes()[..width]));
        other
    }
}

/// The integer of `width` bytes that these begin with.
#[inline(always)]
fn read(bytes: &[u8], width: usize) -> i64 {
    match width {
        2 => i64::from(i16::from_le_bytes([bytes[0], bytes[1]])),
        // The highest byte last, and down again with its sign.
        3 => i64::from(i32::from_le_bytes([0, bytes[0], bytes[1], bytes[2]]) >> 8),
        4 => i64::from(i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])),
        _ => i64::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7]]),
    }
}

/// Integers in ascending order.
#[derive(Clone)]
pub struct Iter<'a> {
    rest: &'a [u8],
    width: usize,
}

impl Iterator for Iter<'_> {
    type Item = i64;

    #[inline]
    fn next(&mut self) -> Option<i64> {
        let (first, rest) = self.rest.split_at_checked(self.width)?;
        self.rest = rest;
        Some(read(first, self.width))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn bytes(set: &Intset) -> Vec<u8> {
        let mut bytes = Vec::new();
        set.write_bytes(&mut bytes);
        assert_eq!(bytes.len(), set.byte_len());
        bytes
    }

    #[test]
    fn the_bytes_are_those_of_redis() {
        let mut set = Intset::new();
        assert_eq!(bytes(&set), b"\x02\0\0\0\0\0\0\0");
        for n in [3, -1, 3] {
            set.insert(n);
        }
        assert_eq!(bytes(&set), b"\x02\0\0\0\x02\0\0\0\xff\xff\x03\0");
        set.insert(-70000);
        assert_eq!(bytes(&set), b"\x04\0\0\0\x03\0\0\0\x90\xee\xfe\xff\xff\xff\xff\xff\x03\0\0\0");
        set.remove(-70000);
        assert_eq!(bytes(&set), b"\x04\0\0\0\x02\0\0\0\xff\xff\xff\xff\x03\0\0\0");
    }

    #[test]
    fn wrong_bytes_are_refused() {
        let good = b"\x02\0\0\0\x02\0\0\0\xff\xff\x03\0".to_vec();
        assert!(Intset::from_bytes(&good).is_some());
        assert!(Intset::from_bytes(b"\x02\0\0\0\0\0\0\0").is_some_and(|s| s.is_empty()));
        for cut in 0..good.len() {
            assert!(Intset::from_bytes(&good[..cut]).is_none());
        }
        for (at, byte) in [(0, 3), (0, 4), (1, 1), (4, 1), (4, 3), (7, 0x80), (9, 0x7f), (10, 0xff)] {
            let mut bad = good.clone();
            bad[at] = byte;
            assert!(Intset::from_bytes(&bad).is_none() || (at, byte) == (10, 0xff), "{at} {byte}");
        }
        assert!(Intset::from_bytes(b"\x02\0\0\0\x02\0\0\0\x03\0\x03\0").is_none(), "twice the same");
    }

    #[test]
    fn three_bytes_are_a_width_in_memory_alone() {
        let (mut set, most) = (Intset::new(), (1 << 23) - 1);
        for n in [most, -most - 1, 70_000] {
            set.insert(n);
        }
        assert_eq!((set.width(), bytes(&set)[0]), (3, 4));
        let again = Intset::from_bytes(&bytes(&set));
        assert_eq!(again.as_ref().map(|s| (s.width(), s.iter().collect())), Some((3, vec![-most - 1, 70_000, most])));
        set.insert(most + 1);
        assert_eq!((set.width(), set.last()), (4, Some(most + 1)));
    }

    fn integer() -> impl Strategy<Value = i64> {
        prop_oneof![4 => -20..20i64, 2 => -40_000..40_000i64, 2 => (-3..3i64).prop_map(|n| (1 << 23) + n), 2 => (-3..3i64).prop_map(|n| n - (1 << 23)), 1 => any::<i32>().prop_map(i64::from), 1 => any::<i64>(), 1 => Just(i64::MIN), 1 => Just(i64::MAX)]
    }

    proptest! {
        #[test]
        fn it_is_a_sorted_set_of_integers(ops in proptest::collection::vec((integer(), 0..4u8), 0..200)) {
            let (mut set, mut model) = (Intset::new(), BTreeSet::new());
            for (n, op) in ops {
                match op {
                    0 | 1 => prop_assert_eq!(set.insert(n), model.insert(n)),
                    2 => prop_assert_eq!(set.remove(n), model.remove(&n)),
                    _ => { set.retain(|m| m % 3 != 0 || m < n); model.retain(|m| m % 3 != 0 || *m < n); }
                }
                prop_assert_eq!(set.contains(n), model.contains(&n));
                prop_assert_eq!(set.len(), model.len());
                prop_assert!(set.iter().eq(model.iter().copied()));
                prop_assert_eq!((set.first(), set.last()), (model.first().copied(), model.last().copied()));
                prop_assert_eq!(Intset::from_bytes(&bytes(&set)).map(|again| bytes(&again)), Some(bytes(&set)));
            }
        }
    }
}
