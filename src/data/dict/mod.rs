//! The segmented table: extendible hashing over small bucketed segments. Nothing in it ever rehashes as a whole.
//!
//! ```text
//! hash    63..................shift.............40   39....32   31....................0
//!         shelf, then directory slot of the shelf    tag        home bucket in the segment
//! ```
//!
//! - A *shelf* owns one range of hash space: a directory of 2^depth slots and the segments they name. A table starts
//!   with one shelf; when that has [`SHELF_SLOTS`](growth) directory slots it is dealt out once into `2^SHELVES_LOG2`. So no vector
//!   that ever has to grow grows with the number of keys: each stays within what one shelf needs.
//! - A [`Segment`] holds at most about four hundred entries. It grows by steps while it is small, then splits in two. Only where many keys share
//!   the beginning of their hash, which needs somebody who knows the seed, it goes on growing: a directory that would be mostly empty is not doubled.
//! - Segments never merge (a nearly emptied collection is built anew as a whole: [`Dict::gather`]), so a prefix that once began a segment begins one forever: that is what makes a scan's
//!   cursor good across splits. An emptied segment gives its memory back and leaves a header behind.

mod due;
mod growth;
mod marks;
mod random;
mod relocation;
mod sample;
mod scan;
mod segment;
pub mod slot;
mod slots;
mod watch;
mod watch_id;

use super::{
    key_hash::Seed,
    trash::{self, Garbage, LARGE, SLICE},
};
pub use scan::Cursor;
use segment::Segment;
pub use slot::Slot;
use slots::SlotSet;
use std::mem;
use watch::Walkers;
pub use watch_id::WatchId;

#[derive(Clone)]
struct Shelf<T> {
    /// For each prefix of `depth` bits (behind the shelf's own), the segment that owns it.
    directory: Vec<u32>,
    segments: Vec<Segment<T>>,
    /// Entries in all of its segments.
    len: u32,
    depth: u8,
    /// No entry of the shelf is due before this.
    due_min: i64,
}

impl<T: Slot> Shelf<T> {
    fn new() -> Self {
        Self { directory: vec![0], segments: vec![Segment::new(0)], len: 0, depth: 0, due_min: i64::MAX }
    }

    /// Bytes of its directory and segments' headers.
    fn header_bytes(&self) -> usize {
        self.directory.capacity() * size_of::<u32>() + self.segments.capacity() * size_of::<Segment<T>>()
    }
}

/// Where an entry is, until the table next changes.
#[derive(Clone, Copy)]
pub struct Handle {
    /// Index of its shelf in the upper half, and of its segment there in the lower.
    segment: u64,
    place: segment::Place,
}

impl Handle {
    #[inline(always)]
    fn new(shelf: usize, segment: usize, place: segment::Place) -> Self {
        Self { segment: (shelf as u64) << 32 | segment as u64, place }
    }

    /// Indices of its shelf and of its segment there.
    #[inline(always)]
    fn indices(self) -> (usize, usize) {
        ((self.segment >> 32) as usize, self.segment as u32 as usize)
    }
}

/// A table of `T` by key.
#[derive(Clone)]
pub struct Dict<T: Slot> {
    shelves: Vec<Shelf<T>>,
    /// log2 of the number of shelves.
    shelf_bits: u8,
    /// The largest depth of a shelf there ever was.
    depth_max: u8,
    /// How many times as large a segment ever was as one that can be split, as a power of two.
    excess_log2: u8,
    len: usize,
    /// Bytes of the shelves' directories, segments' headers and buckets: kept up to date, because a sum over them takes longer the more there are.
    bytes: usize,
    seed: Seed,
    walkers: Walkers<T>,
}

/// The top `bits` of `hash`, which are less than 64; 0 when `bits` is 0.
#[inline(always)]
fn top(hash: u64, bits: u32) -> usize {
    // A processor takes a shift by its low 6 bits, which these are.
    (hash >> 1).wrapping_shr(63u32.wrapping_sub(bits)) as usize
}

/// Where the prefix of hash space begins that consists of the top `bits` bits of `hash`, which are less than 64.
#[inline]
pub(crate) fn prefix_start(hash: u64, bits: u32) -> u64 {
    hash & !(u64::MAX >> bits)
}

impl<T: Slot> Dict<T> {
    /// An empty table: no allocation until the first entry.
    pub fn new(seed: Seed) -> Self {
        Self { shelves: Vec::new(), shelf_bits: 0, depth_max: 0, excess_log2: 0, len: 0, bytes: 0, seed, walkers: Walkers::none() }
    }

    /// Number of entries.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has no entry.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The hash under which this table looks for `key`.
    #[inline(always)]
    pub fn hash(&self, key: &[u8]) -> u64 {
        self.seed.hash(key)
    }

    /// The seed of its hash: another table with the same seed shares hashes with it.
    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// The segment that owns `hash`. The table has one.
    #[inline(always)]
    fn locate(&self, hash: u64) -> (usize, usize) {
        let shelf_index = top(hash, u32::from(self.shelf_bits));
        let shelf = &self.shelves[shelf_index];
        let slot = top(hash.wrapping_shl(u32::from(self.shelf_bits)), u32::from(shelf.depth));
        (shelf_index, shelf.directory[slot] as usize)
    }

    #[inline(always)]
    fn segment(&self, hash: u64) -> Option<&Segment<T>> {
        if self.shelves.is_empty() {
            return None;
        }
        let (shelf, segment) = self.locate(hash);
        Some(&self.shelves[shelf].segments[segment])
    }

    #[inline(always)]
    fn segment_mut(&mut self, hash: u64) -> Option<&mut Segment<T>> {
        if self.shelves.is_empty() {
            return None;
        }
        let (shelf, segment) = self.locate(hash);
        Some(&mut self.shelves[shelf].segments[segment])
    }

    /// First of two hints before a look-up: prefetches the home bucket.
    #[inline(always)]
    pub fn prefetch_bucket(&self, hash: u64) {
        if let Some(segment) = self.segment(hash) {
            segment.prefetch(hash);
        }
    }

    /// Second hint, some time after the first: prefetches the entry whose tag matches in the home bucket.
    #[inline(always)]
    pub fn prefetch_entry(&self, hash: u64) {
        if let Some(slot) = self.segment(hash).and_then(|s| s.likely(hash)) {
            slot.prefetch();
        }
    }

    /// The entry with this key.
    #[inline(always)]
    pub fn find(&self, hash: u64, key: &[u8]) -> Option<&T> {
        let segment = self.segment(hash)?;
        let place = segment.find(hash, key)?;
        Some(segment.get(place))
    }

    /// The entry with this key, to change in place. Its key must stay the same.
    #[inline(always)]
    pub fn find_mut(&mut self, hash: u64, key: &[u8]) -> Option<&mut T> {
        self.before(hash, key);
        let segment = self.segment_mut(hash)?;
        let place = segment.find(hash, key)?;
        Some(segment.get_mut(place))
    }

    /// Where the entry with this key is.
    #[inline(always)]
    pub fn find_handle(&self, hash: u64, key: &[u8]) -> Option<Handle> {
        self.find_with_handle(hash, key).map(|(handle, _)| handle)
    }

    /// The entry with this key, and where it is.
    #[inline(always)]
    pub fn find_with_handle(&self, hash: u64, key: &[u8]) -> Option<(Handle, &T)> {
        if self.shelves.is_empty() {
            return None;
        }
        let (shelf, index) = self.locate(hash);
        let segment = &self.shelves[shelf].segments[index];
        let place = segment.find(hash, key)?;
        Some((Handle::new(shelf, index, place), segment.get(place)))
    }

    /// The entry that was found at `handle`.
    #[inline(always)]
    pub fn at(&self, handle: Handle) -> &T {
        let (shelf, segment) = handle.indices();
        self.shelves[shelf].segments[segment].get(handle.place)
    }

    /// The entry that was found at `handle`, to change in place. Its key must stay the same.
    #[inline(always)]
    pub fn at_mut(&mut self, handle: Handle) -> &mut T {
        self.before_at(handle);
        let (shelf, segment) = handle.indices();
        self.shelves[shelf].segments[segment].get_mut(handle.place)
    }

    /// Takes out the entry that was found at `handle` under `hash`.
    pub fn remove_at(&mut self, handle: Handle, hash: u64) -> T {
        self.before_at(handle);
        let (shelf, index) = handle.indices();
        let entry = self.shelves[shelf].segments[index].take(handle.place, hash);
        self.shelves[shelf].len -= 1;
        self.len -= 1;
        self.fit_if_sparse(shelf, index, hash);
        entry
    }

    /// Adds an entry whose key is not there yet, and returns it.
    pub fn insert_new(&mut self, hash: u64, entry: T) -> &mut T {
        debug_assert!(self.find(hash, entry.key()).is_none());
        self.before_arrival(hash);
        if self.shelves.is_empty() {
            let shelf = Shelf::new();
            self.bytes += shelf.header_bytes();
            self.shelves.push(shelf);
        }
        let deadline = entry.deadline();
        // No table has as many entries as 64 bits count.
        self.len = self.len.wrapping_add(1);
        loop {
            let (shelf, segment) = self.locate(hash);
            if self.shelves[shelf].segments[segment].has_room() {
                let shelf = &mut self.shelves[shelf];
                shelf.due_min = shelf.due_min.min(deadline);
                shelf.len += 1;
                let segment = &mut shelf.segments[segment];
                segment.due_min = segment.due_min.min(deadline);
                let place = segment.place_for(hash);
                return segment.put(place, hash, entry);
            }
            self.make_room(shelf, segment, hash);
        }
    }

    /// Takes an entry out.
    #[inline]
    pub fn remove(&mut self, hash: u64, key: &[u8]) -> Option<T> {
        self.before(hash, key);
        if self.shelves.is_empty() {
            return None;
        }
        let (shelf, index) = self.locate(hash);
        let segment = &mut self.shelves[shelf].segments[index];
        let place = segment.find(hash, key)?;
        let entry = segment.take(place, hash);
        self.shelves[shelf].len -= 1;
        self.len -= 1;
        self.fit_if_sparse(shelf, index, hash);
        Some(entry)
    }

    /// The prefix of the hash space that begins with directory slot `slot` of `shelf`, left-aligned.
    fn slot_start(&self, shelf: usize, slot: usize) -> u64 {
        let bits = u32::from(self.shelf_bits) + u32::from(self.shelves[shelf].depth);
        let prefix = ((shelf as u64) << self.shelves[shelf].depth) | slot as u64;
        if bits == 0 { 0 } else { prefix << (64 - bits) }
    }

    /// Whether it has any segment, be it empty.
    pub fn has_segments(&self) -> bool {
        !self.shelves.is_empty()
    }

    /// The slots in use of the segment that owns `hash`.
    fn slots_in_use(&self, hash: u64) -> SlotSet {
        self.slots_where(hash, |_| true)
    }

    /// The slots of the segment that owns `hash` with an entry that `is_wanted`.
    fn slots_where(&self, hash: u64, is_wanted: impl FnMut(&T) -> bool) -> SlotSet {
        let (shelf, segment) = self.locate(hash);
        self.shelves[shelf].segments[segment].slots_where(is_wanted)
    }

    /// Takes the slot of the entry at `handle` out of `slots`, which are of its segment; whether it was there.
    fn take_slot(&self, handle: Handle, slots: &mut SlotSet) -> bool {
        handle.place.take_from(slots)
    }

    /// Every entry in the first `buckets` buckets, of the segment that owns `hash`, of which `slots` has some, which are taken out of it.
    fn take_slots(&self, hash: u64, slots: &mut SlotSet, buckets: usize, visit: impl FnMut(&T)) {
        if let Some(segment) = self.segment(hash) {
            segment.take_slots(slots, buckets, visit);
        }
    }

    /// Every entry that is due at `now`, of those in `slots`, which are of the segment that owns `hash`; they are taken out of it.
    fn take_slots_due(&self, hash: u64, now: i64, slots: &mut SlotSet, visit: impl FnMut(&T)) {
        if let Some(segment) = self.segment(hash) {
            segment.take_slots_due(slots, now, visit);
        }
    }

    /// Every entry in `slots`, which are of the segment that owns `hash`.
    fn for_each_in_slots(&self, hash: u64, slots: &SlotSet, visit: impl FnMut(&T)) {
        if let Some(segment) = self.segment(hash) {
            segment.for_each_in_slots(slots, visit);
        }
    }

    /// Every entry of the segment that owns `hash`.
    fn for_each_in_segment(&self, hash: u64, visit: impl FnMut(&T)) {
        if let Some(segment) = self.segment(hash) {
            segment.for_each(visit);
        }
    }

    /// Where the segment that owns `hash` begins and ends in hash space (`None`: at the end of it).
    fn span(&self, hash: u64) -> (u64, Option<u64>) {
        let (shelf_index, segment) = self.locate(hash);
        let bits = u32::from(self.shelf_bits) + u32::from(self.shelves[shelf_index].segments[segment].depth);
        if bits == 0 {
            return (0, None);
        }
        let start = prefix_start(hash, bits);
        (start, start.checked_add(1 << (64 - bits)))
    }

    /// log2 of the number of parts that hash space would have if every segment were as deep as the deepest.
    fn bits(&self) -> u32 {
        u32::from(self.shelf_bits) + u32::from(self.depth_max)
    }

    /// Every entry, in no promised order, each asked for a little ahead.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.shelves.iter().flat_map(|shelf| shelf.segments.iter().flat_map(Segment::iter_ahead))
    }

    /// Frees some [`SLICE`] values and segments, of a table that is on its way out. `false` when there was nothing left.
    pub fn drop_slice(&mut self) -> bool {
        if self.leave_to_watches() {
            return false;
        }
        let mut budget = SLICE;
        while let Some(shelf) = self.shelves.last_mut() {
            while let Some(segment) = shelf.segments.last_mut() {
                let before = segment.len();
                let is_empty = segment.drop_some(&mut budget);
                let gone = before - segment.len();
                shelf.len -= gone as u32;
                self.len -= gone;
                if !is_empty {
                    return true;
                }
                self.bytes -= segment.bucket_bytes();
                shelf.segments.pop();
                budget = budget.saturating_sub(1);
                if budget == 0 {
                    return true;
                }
            }
            self.bytes -= shelf.header_bytes();
            self.shelves.pop();
        }
        self.shelf_bits = 0;
        false
    }

    /// Takes everything out and leaves an empty table with the same seed.
    pub fn take(&mut self) -> Self {
        mem::replace(self, Self::new(self.seed))
    }

    /// Bytes the table itself takes (directory, segment headers and buckets), without its entries.
    pub fn table_bytes(&self) -> usize {
        self.shelves.capacity() * size_of::<Shelf<T>>() + self.bytes
    }

    /// What `bytes` must be, by looking at every segment's header.
    fn counted_bytes(&self) -> usize {
        let shelf = |s: &Shelf<T>| s.header_bytes() + s.segments.iter().map(Segment::bucket_bytes).sum::<usize>();
        self.shelves.iter().map(shelf).sum()
    }

    /// Number of segments, and of buckets in all of them: what `DEBUG HTSTATS` tells.
    pub fn shape(&self) -> (usize, usize) {
        let segments = self.shelves.iter().flat_map(|s| &s.segments);
        segments.fold((0, 0), |(n, b), s| (n + 1, b + s.buckets()))
    }
}

impl<T: Slot> Garbage for Dict<T> {
    fn free_slice(&mut self) -> bool {
        self.drop_slice()
    }

    fn len(&self) -> usize {
        self.len
    }

    fn bytes(&self) -> usize {
        const SEGMENTS: usize = 64;
        const SAMPLES: usize = 32;
        let some = self.shelves.iter().flat_map(|shelf| &shelf.segments).take(SEGMENTS).flat_map(Segment::iter).take(SAMPLES);
        let (count, bytes) = some.fold((0, 0), |(count, bytes), entry| (count + 1, bytes + entry.bytes()));
        self.table_bytes() + bytes * self.len / count.max(1)
    }
}

impl<T: Slot> Drop for Dict<T> {
    fn drop(&mut self) {
        if !self.leave_to_watches() && self.len >= LARGE {
            trash::leave(self.take());
        }
    }
}

#[cfg(test)]
mod tests;
