//! How a table grows, a segment at a time, and how a nearly emptied one is gathered.

use super::{Dict, Shelf, Slot, Watches, segment::Segment, top};
use std::mem;

/// Directory slots at which the first shelf is dealt out: about a million entries.
const SHELF_SLOTS: usize = 4096;
/// Shelves after that, as a power of two.
const SHELVES_LOG2: u32 = 8;

impl<T: Slot> Dict<T> {
    /// Whether adding an entry with this hash makes its segment grow or split.
    pub fn insert_reshapes(&self, hash: u64) -> bool {
        self.segment(hash).is_none_or(|segment| !segment.has_room())
    }

    /// Whether adding an entry with this hash deals out the shelf, and may split other segments than its own.
    pub fn insert_deals_out(&self, hash: u64) -> bool {
        self.shelf_bits == 0 && self.shelves.first().is_some_and(|s| s.directory.len() >= SHELF_SLOTS) && self.insert_reshapes(hash)
    }

    /// Whether taking out an entry with this hash may make its segment shrink.
    pub fn remove_reshapes(&self, hash: u64) -> bool {
        self.segment(hash).is_some_and(Segment::is_about_to_shrink)
    }

    /// Grows a full segment by a step, or splits it, or deals out the shelf so that it can be split.
    #[cold]
    pub(super) fn make_room(&mut self, shelf_index: usize, segment_index: usize, hash: u64) {
        let (seed, shelf_bits) = (self.seed, self.shelf_bits);
        let shelf = &mut self.shelves[shelf_index];
        let segment = &mut shelf.segments[segment_index];
        let buckets_before = segment.bucket_bytes();
        if segment.grow(seed) {
            self.bytes += segment.bucket_bytes() - buckets_before;
            return;
        }
        if segment.depth < shelf.depth {
            let headers_before = shelf.header_bytes();
            let segment = &mut shelf.segments[segment_index];
            let depth = segment.depth;
            let sibling = segment.split(seed, u32::from(shelf_bits) + u32::from(depth));
            let buckets = segment.bucket_bytes() + sibling.bucket_bytes();
            let sibling_index = shelf.segments.len() as u32;
            shelf.segments.push(sibling);
            // The segment owned 2^(shelf depth - depth) slots in a row: the upper half is the sibling's.
            let span = 1usize << (shelf.depth - depth);
            let first = top(hash << shelf_bits, u32::from(depth)) << (shelf.depth - depth);
            shelf.directory[first + span / 2..first + span].fill(sibling_index);
            self.bytes = self.bytes + shelf.header_bytes() + buckets - headers_before - buckets_before;
            return;
        }
        if shelf_bits == 0 && shelf.directory.len() >= SHELF_SLOTS {
            self.deal_out();
            return;
        }
        let headers_before = shelf.header_bytes();
        let doubled = shelf.directory.iter().flat_map(|&s| [s, s]).collect();
        shelf.directory = doubled;
        shelf.depth += 1;
        self.depth_max = self.depth_max.max(shelf.depth);
        self.bytes = self.bytes + shelf.header_bytes() - headers_before;
    }

    /// Makes 2^SHELVES_LOG2 shelves of the first one. Moves headers, never entries, and happens once in a table's life.
    #[cold]
    fn deal_out(&mut self) {
        let Some(old) = self.shelves.pop() else { return };
        let per_shelf = old.directory.len() >> SHELVES_LOG2;
        // A segment shallower than a shelf would have to belong to several: split such ones first.
        let mut old = old;
        for slot in (0..old.directory.len()).step_by(per_shelf) {
            loop {
                let index = old.directory[slot] as usize;
                let depth = old.segments[index].depth;
                if u32::from(depth) >= SHELVES_LOG2 {
                    break;
                }
                let sibling = old.segments[index].split(self.seed, u32::from(depth));
                let sibling_index = old.segments.len() as u32;
                old.segments.push(sibling);
                let span = 1usize << (old.depth - depth);
                let first = slot & !(span - 1);
                old.directory[first + span / 2..first + span].fill(sibling_index);
            }
        }
        let mut segments: Vec<Option<Segment<T>>> = old.segments.into_iter().map(Some).collect();
        for slots in old.directory.chunks(per_shelf) {
            let mut shelf = Shelf {
                directory: Vec::with_capacity(per_shelf),
                segments: Vec::new(),
                depth: per_shelf.ilog2() as u8,
                due_min: old.due_min,
            };
            for &slot in slots {
                if let Some(mut segment) = segments[slot as usize].take() {
                    segment.depth -= SHELVES_LOG2 as u8;
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
    pub(super) fn gather_now(&mut self) {
        let mut old = self.take();
        for segment in mem::take(&mut old.shelves).into_iter().flat_map(|shelf| shelf.segments) {
            segment.into_each(|entry| {
                let hash = self.seed.hash(entry.key());
                self.insert_new(hash, entry);
            });
        }
        // To whoever watches nothing has changed.
        self.watches = mem::replace(&mut old.watches, Watches::none());
    }
}
