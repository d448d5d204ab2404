//! How a table grows, a segment at a time, and how a nearly emptied one is gathered.

use super::{Dict, Shelf, Slot, scan::DEPTH_MAX, segment::Segment, top};
use std::mem;

/// Directory slots at which the first shelf is dealt out: about a million entries. In tests some thousand.
const SHELF_SLOTS: usize = if cfg!(test) { 16 } else { 4096 };
/// Shelves after that, as a power of two.
const SHELVES_LOG2: u32 = if cfg!(test) { 3 } else { 8 };

impl<T: Slot> Shelf<T> {
    /// Whether its directory may have twice as many slots.
    fn may_double(&self, shelf_bits: u8) -> bool {
        /// Slots for each segment. Two to four come of hashes that are as good as random.
        const SLOTS_A_SEGMENT: usize = 16;
        self.directory.len() * 2 <= SLOTS_A_SEGMENT * self.segments.len() && u64::from(shelf_bits + self.depth) < DEPTH_MAX
    }
}

impl<T: Slot> Dict<T> {
    /// Grows a full segment by a step, or splits it, or deals out the shelf or doubles its directory so that it can be split. Where a
    /// directory would be mostly empty, since many keys share the beginning of their hash, the segment grows beyond what it may otherwise have.
    #[cold]
    pub(super) fn make_room(&mut self, shelf_index: usize, segment_index: usize, hash: u64) {
        let shelf = &self.shelves[shelf_index];
        let segment = &shelf.segments[segment_index];
        if segment.can_grow() {
            self.grow(shelf_index, segment_index, hash);
        } else if segment.depth < shelf.depth {
            self.split(shelf_index, segment_index, hash);
        } else if self.shelf_bits == 0 && shelf.directory.len() >= SHELF_SLOTS {
            self.deal_out();
        } else if !shelf.may_double(self.shelf_bits) {
            self.grow(shelf_index, segment_index, hash);
        } else {
            let shelf = &mut self.shelves[shelf_index];
            let before = shelf.header_bytes();
            shelf.directory = shelf.directory.iter().flat_map(|&s| [s, s]).collect();
            shelf.depth += 1;
            self.depth_max = self.depth_max.max(shelf.depth);
            self.bytes = self.bytes + shelf.header_bytes() - before;
        }
    }

    fn grow(&mut self, shelf: usize, segment: usize, hash: u64) {
        let (start, end) = self.span(hash);
        self.reshape(start, end, |dict| {
            let segment = &mut dict.shelves[shelf].segments[segment];
            let before = segment.bucket_bytes();
            segment.grow(dict.seed);
            dict.bytes += segment.bucket_bytes() - before;
            dict.excess_log2 = dict.excess_log2.max(segment.excess_log2());
        });
    }

    /// Splits the segment that owns `hash`, which has several slots of its shelf's directory.
    fn split(&mut self, shelf_index: usize, segment_index: usize, hash: u64) {
        let (start, end) = self.span(hash);
        self.reshape(start, end, |dict| {
            let (seed, shelf_bits) = (dict.seed, dict.shelf_bits);
            let shelf = &mut dict.shelves[shelf_index];
            let headers_before = shelf.header_bytes();
            let segment = &mut shelf.segments[segment_index];
            let (depth, buckets_before) = (segment.depth, segment.bucket_bytes());
            let sibling = segment.split(seed, u32::from(shelf_bits) + u32::from(depth));
            let buckets = segment.bucket_bytes() + sibling.bucket_bytes();
            dict.excess_log2 = dict.excess_log2.max(segment.excess_log2()).max(sibling.excess_log2());
            let sibling_index = shelf.segments.len() as u32;
            shelf.segments.push(sibling);
            // The segment owned 2^(shelf depth - depth) slots in a row: the upper half is the sibling's.
            let span = 1usize << (shelf.depth - depth);
            let first = top(hash << shelf_bits, u32::from(depth)) << (shelf.depth - depth);
            shelf.directory[first + span / 2..first + span].fill(sibling_index);
            dict.bytes = dict.bytes + shelf.header_bytes() + buckets - headers_before - buckets_before;
        });
    }

    /// Gives memory back when three quarters of a segment stand empty.
    #[inline]
    pub(super) fn fit_if_sparse(&mut self, shelf: usize, segment: usize, hash: u64) {
        if self.shelves[shelf].segments[segment].is_sparse() {
            self.fit(shelf, segment, hash);
        }
    }

    #[cold]
    fn fit(&mut self, shelf: usize, segment: usize, hash: u64) {
        let (start, end) = self.span(hash);
        self.reshape(start, end, |dict| dict.bytes -= dict.shelves[shelf].segments[segment].fit(dict.seed));
    }

    /// Makes 2^SHELVES_LOG2 shelves of the first one. Moves headers, never entries, and happens once in a table's life.
    #[cold]
    fn deal_out(&mut self) {
        let Some(shelf) = self.shelves.first() else { return };
        let per_shelf = shelf.directory.len() >> SHELVES_LOG2;
        // A segment shallower than a shelf would have to belong to several: split such ones first.
        for slot in (0..shelf.directory.len()).step_by(per_shelf) {
            let start = self.slot_start(0, slot);
            while let (shelf, index) = self.locate(start)
                && u32::from(self.shelves[shelf].segments[index].depth) < SHELVES_LOG2
            {
                self.split(shelf, index, start);
            }
        }
        let Some(old) = self.shelves.pop() else { return };
        let mut segments: Vec<Option<Segment<T>>> = old.segments.into_iter().map(Some).collect();
        for slots in old.directory.chunks(per_shelf) {
            let mut shelf = Shelf {
                directory: Vec::with_capacity(per_shelf),
                segments: Vec::new(),
                len: 0,
                depth: per_shelf.ilog2() as u8,
                due_min: old.due_min,
            };
            for &slot in slots {
                if let Some(mut segment) = segments[slot as usize].take() {
                    segment.depth -= SHELVES_LOG2 as u8;
                    shelf.len += segment.len() as u32;
                    shelf.segments.push(segment);
                }
                // A segment's slots lie in a row, so the one just moved is the one this slot names.
                shelf.directory.push(shelf.segments.len() as u32 - 1);
            }
            self.shelves.push(shelf);
        }
        self.shelf_bits = SHELVES_LOG2 as u8;
        self.depth_max = self.shelves.iter().map(|shelf| shelf.depth).max().unwrap_or(0);
        self.bytes = self.counted_bytes();
    }

    /// Builds a large table that was emptied down to a few entries anew, small: what is done after each removal from a collection. Takes some ten
    /// microseconds, once. Scans are not disturbed: they see a wider segment, and begin it anew.
    #[inline]
    pub fn gather(&mut self) {
        /// As many as are worth it.
        const GATHERED_MAX: usize = 256;
        /// Parts of hash space from which on a table is large.
        const LARGE_BITS: u32 = 6;
        if self.len <= GATHERED_MAX && self.bits() >= LARGE_BITS {
            self.gather_now();
        }
    }

    #[cold]
    pub(in crate::data) fn gather_now(&mut self) {
        self.reshape(0, None, |dict| {
            let mut old = dict.take();
            (old.len, old.bytes) = (0, 0);
            for segment in mem::take(&mut old.shelves).into_iter().flat_map(|shelf| shelf.segments) {
                segment.into_each(|entry| {
                    let hash = dict.seed.hash(entry.key());
                    dict.insert_new(hash, entry);
                });
            }
        });
    }
}
