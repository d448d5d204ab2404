//! The intset: integers in ascending order, each in as many bytes as the widest one needed; the compact form of a set of integers.
//!
//! ```text
//! bytes an integer (u32: 2, 4 or 8)  number of integers (u32)  integer ...    all little-endian
//! ```
//!
//! The bytes are those of Redis's files. It never becomes narrower.

use super::entry::size_class;

const HEADER: usize = 8;
/// Integers it holds at most, whatever the settings say: Redis's own bound.
pub const LEN_MAX: usize = 1 << 30;

/// Integers in ascending order.
#[derive(Clone, PartialEq, Eq)]
pub struct Intset(Vec<u8>);

impl Default for Intset {
    fn default() -> Self {
        Self::new()
    }
}

/// Bytes that this integer needs.
#[inline]
fn width_of(n: i64) -> usize {
    if i16::try_from(n).is_ok() {
        2
    } else if i32::try_from(n).is_ok() {
        4
    } else {
        8
    }
}

impl Intset {
    /// No integer.
    pub fn new() -> Self {
        let mut bytes = Vec::with_capacity(HEADER + 8);
        bytes.extend_from_slice(&[2, 0, 0, 0, 0, 0, 0, 0]);
        Self(bytes)
    }

    /// An intset from its bytes, every one of which is checked: the header, and that the integers ascend. `None` when anything is wrong.
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        let (header, integers) = bytes.split_first_chunk::<HEADER>()?;
        let [w, 0, 0, 0, a, b, c, d] = *header else { return None };
        let width = usize::from(w);
        let len = u32::from_le_bytes([a, b, c, d]) as usize;
        if !matches!(width, 2 | 4 | 8) || len > LEN_MAX || integers.len() != len * width {
            return None;
        }
        let set = Self(bytes);
        set.iter().is_sorted_by(|a, b| a < b).then_some(set)
    }

    /// The bytes, as they stand in a file.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// How many bytes it holds in memory.
    pub fn allocated(&self) -> usize {
        self.0.capacity()
    }

    #[inline]
    fn width(&self) -> usize {
        usize::from(self.0[0])
    }

    /// Number of integers.
    #[inline]
    pub fn len(&self) -> usize {
        u32::from_le_bytes([self.0[4], self.0[5], self.0[6], self.0[7]]) as usize
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.len() == HEADER
    }

    /// Integer number `index`.
    ///
    /// # Panics
    /// When there are not so many.
    #[inline]
    pub fn get(&self, index: usize) -> i64 {
        let width = self.width();
        read(&self.0[HEADER + index * width..], width)
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
        Iter { rest: &self.0[HEADER..], width: self.width() }
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
        width_of(n) <= self.width() && self.search(n).is_ok()
    }

    /// Adds `n`; `false` when it was there.
    pub fn insert(&mut self, n: i64) -> bool {
        if width_of(n) > self.width() {
            self.widen(width_of(n));
        }
        let Err(index) = self.search(n) else { return false };
        let (width, len) = (self.width(), self.len());
        self.reserve(self.0.len() + width);
        let at = HEADER + index * width;
        self.0.extend_from_slice(&[0; 8][..width]);
        let end = self.0.len();
        self.0.copy_within(at..end - width, at + width);
        self.0[at..at + width].copy_from_slice(&n.to_le_bytes()[..width]);
        self.set_len(len + 1);
        true
    }

    /// Takes `n` out; `false` when it was not there.
    pub fn remove(&mut self, n: i64) -> bool {
        let found = if width_of(n) <= self.width() { self.search(n).ok() } else { None };
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
        let (width, len) = (self.width(), self.len());
        let at = HEADER + index * width;
        self.0.drain(at..at + width);
        self.set_len(len - 1);
        self.shrink();
    }

    /// Keeps only those for which `keep` says so; it is asked in ascending order.
    pub fn retain(&mut self, mut keep: impl FnMut(i64) -> bool) {
        let (width, mut to) = (self.width(), HEADER);
        for at in (HEADER..self.0.len()).step_by(width) {
            if keep(read(&self.0[at..], width)) {
                self.0.copy_within(at..at + width, to);
                to += width;
            }
        }
        self.0.truncate(to);
        self.set_len((to - HEADER) / width);
        self.shrink();
    }

    fn set_len(&mut self, len: usize) {
        self.0[4..HEADER].copy_from_slice(&(len as u32).to_le_bytes());
    }

    /// Gives every integer so many bytes.
    #[cold]
    fn widen(&mut self, width: usize) {
        let mut wide = Vec::with_capacity(size_class(HEADER + (self.len() + 1) * width));
        wide.extend_from_slice(&[width as u8, 0, 0, 0]);
        wide.extend_from_slice(&self.0[4..HEADER]);
        self.iter().for_each(|n| wide.extend_from_slice(&n.to_le_bytes()[..width]));
        self.0 = wide;
    }

    /// Makes room for so many bytes in all, as much as the allocator gives for it and no more.
    #[inline]
    fn reserve(&mut self, len: usize) {
        if len > self.0.capacity() {
            self.0.reserve_exact(size_class(len) - self.0.len());
        }
    }

    fn shrink(&mut self) {
        if size_class(self.0.len()) * 2 <= self.0.capacity() {
            self.0.shrink_to(size_class(self.0.len()));
        }
    }
}

/// The integer of `width` bytes that these begin with.
#[inline(always)]
fn read(bytes: &[u8], width: usize) -> i64 {
    match width {
        2 => i64::from(i16::from_le_bytes([bytes[0], bytes[1]])),
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

    #[test]
    fn the_bytes_are_those_of_redis() {
        let mut set = Intset::new();
        assert_eq!(set.as_bytes(), b"\x02\0\0\0\0\0\0\0");
        for n in [3, -1, 3] {
            set.insert(n);
        }
        assert_eq!(set.as_bytes(), b"\x02\0\0\0\x02\0\0\0\xff\xff\x03\0");
        set.insert(-70000);
        assert_eq!(set.as_bytes(), b"\x04\0\0\0\x03\0\0\0\x90\xee\xfe\xff\xff\xff\xff\xff\x03\0\0\0");
        set.remove(-70000);
        assert_eq!(set.as_bytes(), b"\x04\0\0\0\x02\0\0\0\xff\xff\xff\xff\x03\0\0\0");
    }

    #[test]
    fn wrong_bytes_are_refused() {
        let good = b"\x02\0\0\0\x02\0\0\0\xff\xff\x03\0".to_vec();
        assert!(Intset::from_bytes(good.clone()).is_some());
        assert!(Intset::from_bytes(b"\x02\0\0\0\0\0\0\0".to_vec()).is_some_and(|s| s.is_empty()));
        for cut in 0..good.len() {
            assert!(Intset::from_bytes(good[..cut].to_vec()).is_none());
        }
        for (at, byte) in [(0, 3), (0, 4), (1, 1), (4, 1), (4, 3), (7, 0x80), (9, 0x7f), (10, 0xff)] {
            let mut bad = good.clone();
            bad[at] = byte;
            assert!(Intset::from_bytes(bad).is_none() || (at, byte) == (10, 0xff), "{at} {byte}");
        }
        assert!(Intset::from_bytes(b"\x02\0\0\0\x02\0\0\0\x03\0\x03\0".to_vec()).is_none(), "twice the same");
    }

    fn integer() -> impl Strategy<Value = i64> {
        prop_oneof![4 => -20..20i64, 2 => -40_000..40_000i64, 1 => any::<i32>().prop_map(i64::from), 1 => any::<i64>(), 1 => Just(i64::MIN), 1 => Just(i64::MAX)]
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
                prop_assert!(Intset::from_bytes(set.as_bytes().to_vec()).as_ref() == Some(&set));
            }
        }
    }
}
