//! The segmented table: extendible hashing over small bucketed segments. Nothing in it ever rehashes as a whole.
//!
//! ```text
//! hash    63..................shift.............40   39....32   31....................0
//!         shelf, then directory slot of the shelf    tag        home bucket in the segment
//! ```
//!
//! - A *shelf* owns one range of hash space: a directory of 2^depth slots and the segments they name. A table starts
//!   with one shelf; when that has [`SHELF_SLOTS`] directory slots it is dealt out once into [`SHELVES`]. So no vector
//!   that ever has to grow grows with the number of keys: each stays within what one shelf needs.
//! - A [`Segment`] holds at most some four hundred entries. It grows by steps while it is small, then splits in two.
//! - Segments never merge (a nearly emptied collection is built anew as a whole: [`Dict::gather`]), so a prefix that once began a segment begins one for ever: that is what makes a scan's
//!   cursor good across splits. An emptied segment gives its memory back and leaves a header behind.

mod segment;
mod slots;
mod watch;

use super::{
    hash::Seed,
    rng::Rng,
    trash::{self, Garbage, LARGE},
};
use segment::Segment;
pub use slots::SlotSet;
use std::mem;
use watch::Watches;

/// What a table can hold: an owning pointer to something that has a key.
pub trait Slot: 'static {
    /// What it is found by.
    fn key(&self) -> &[u8];
    /// When it is due, in Unix milliseconds; `i64::MAX` is never.
    fn deadline(&self) -> i64 {
        i64::MAX
    }
    /// Whether it has a deadline, cheaply.
    fn is_volatile(&self) -> bool {
        false
    }
    /// Asks for what `key` reads to be brought near.
    fn prefetch(&self) {}
    /// The same, for a walk that will read its value too.
    fn prefetch_whole(&self) {
        self.prefetch();
    }
}

/// Directory slots at which the first shelf is dealt out: about a million entries.
const SHELF_SLOTS: usize = 4096;
/// Shelves after that, as a power of two.
const SHELVES_LOG2: u32 = 8;

#[derive(Clone)]
struct Shelf<T> {
    /// For each prefix of `depth` bits (behind the shelf's own), the segment that owns it.
    directory: Vec<u32>,
    segments: Vec<Segment<T>>,
    depth: u8,
    /// No entry of the shelf is due before this.
    due_min: i64,
}

impl<T: Slot> Shelf<T> {
    fn new() -> Self {
        Self { directory: vec![0], segments: vec![Segment::new(0)], depth: 0, due_min: i64::MAX }
    }

    /// Bytes of its directory and segments' headers.
    fn header_bytes(&self) -> usize {
        self.directory.capacity() * size_of::<u32>() + self.segments.capacity() * size_of::<Segment<T>>()
    }
}

/// Where an entry is, until the table next changes.
#[derive(Clone, Copy)]
pub struct Handle {
    shelf: u32,
    segment: u32,
    place: segment::Place,
}

/// A table of `T` by key.
#[derive(Clone)]
pub struct Dict<T: Slot> {
    shelves: Vec<Shelf<T>>,
    /// log2 of the number of shelves.
    shelf_bits: u8,
    /// The largest depth of a shelf there ever was.
    depth_max: u8,
    len: usize,
    /// Bytes of the shelves' directories, segments' headers and buckets: kept up to date, because a sum over them takes longer the more there are.
    bytes: usize,
    seed: Seed,
    watches: Watches<T>,
}

/// The top `bits` of `hash`; 0 when `bits` is 0.
#[inline(always)]
fn top(hash: u64, bits: u32) -> usize {
    ((hash >> 1) >> (63 - bits)) as usize
}

/// A position in hash space at which a walk can go on, as SCAN hands it out: 0 is both the start and the end.
///
/// Within a segment, how deep that was (5 bits), its prefix (32 bits), the next home bucket in it (8 bits) and how many it
/// then had (8 bits): together they fit in the 53 bits that every client can hold. Between two, the prefix alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cursor(pub u64);

const PREFIX_BITS: u32 = 32;
const HOME_BITS: u32 = 16;
/// What a depth is cut off at: none is expected to come near, and all that is lost is that a scan begins a segment anew.
const DEPTH_MAX: u64 = 31;

impl<T: Slot> Dict<T> {
    /// An empty table: no allocation until the first entry.
    pub fn new(seed: Seed) -> Self {
        Self { shelves: Vec::new(), shelf_bits: 0, depth_max: 0, len: 0, bytes: 0, seed, watches: Watches::none() }
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
        let slot = top(hash << self.shelf_bits, u32::from(shelf.depth));
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

    /// First of two hints before a look-up: brings the home bucket near.
    #[inline(always)]
    pub fn prefetch_bucket(&self, hash: u64) {
        if let Some(segment) = self.segment(hash) {
            segment.prefetch(hash);
        }
    }

    /// Second hint, some time after the first: brings near the entry that the home bucket's tags promise.
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
        Some((Handle { shelf: shelf as u32, segment: index as u32, place }, segment.get(place)))
    }

    /// The entry that was found at `handle`.
    #[inline(always)]
    pub fn at(&self, handle: Handle) -> &T {
        self.shelves[handle.shelf as usize].segments[handle.segment as usize].get(handle.place)
    }

    /// The entry that was found at `handle`, to change in place. Its key must stay the same.
    #[inline(always)]
    pub fn at_mut(&mut self, handle: Handle) -> &mut T {
        self.before_at(handle);
        self.shelves[handle.shelf as usize].segments[handle.segment as usize].get_mut(handle.place)
    }

    /// Takes out the entry that was found at `handle` under `hash`.
    pub fn remove_at(&mut self, handle: Handle, hash: u64) -> T {
        self.before_at(handle);
        let seed = self.seed;
        let segment = &mut self.shelves[handle.shelf as usize].segments[handle.segment as usize];
        let entry = segment.take(handle.place, hash);
        self.bytes -= segment.shrink(seed);
        self.len -= 1;
        entry
    }

    /// Adds an entry whose key is not there yet, and returns it.
    pub fn insert_new(&mut self, hash: u64, entry: T) -> &mut T {
        debug_assert!(self.find(hash, entry.key()).is_none());
        self.before(hash, entry.key());
        if self.shelves.is_empty() {
            let shelf = Shelf::new();
            self.bytes += shelf.header_bytes();
            self.shelves.push(shelf);
        }
        let deadline = entry.deadline();
        self.len += 1;
        loop {
            let (shelf, segment) = self.locate(hash);
            if self.shelves[shelf].segments[segment].has_room() {
                let shelf = &mut self.shelves[shelf];
                shelf.due_min = shelf.due_min.min(deadline);
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
        let seed = self.seed;
        let segment = self.segment_mut(hash)?;
        let place = segment.find(hash, key)?;
        let entry = segment.take(place, hash);
        let freed = segment.shrink(seed);
        self.bytes -= freed;
        self.len -= 1;
        Some(entry)
    }

    /// Lowers the bound under which an entry's new deadline would be missed.
    #[inline]
    pub fn note_deadline(&mut self, hash: u64, deadline: i64) {
        if self.shelves.is_empty() {
            return;
        }
        let (shelf, segment) = self.locate(hash);
        let shelf = &mut self.shelves[shelf];
        shelf.due_min = shelf.due_min.min(deadline);
        let segment = &mut shelf.segments[segment];
        segment.due_min = segment.due_min.min(deadline);
    }

    /// Grows a full segment by a step, or splits it, or deals out the shelf so that it can be split.
    #[cold]
    fn make_room(&mut self, shelf_index: usize, segment_index: usize, hash: u64) {
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
    pub fn slots_in_use(&self, hash: u64) -> SlotSet {
        let (shelf, segment) = self.locate(hash);
        self.shelves[shelf].segments[segment].slots_in_use()
    }

    /// The entry at `handle`, if `slots`, which are of its segment, have its slot, which is taken out of them.
    pub fn take_slot(&self, handle: Handle, slots: &mut SlotSet) -> Option<&T> {
        self.shelves[handle.shelf as usize].segments[handle.segment as usize].take_slot(slots, handle.place)
    }

    /// Every entry in the first `buckets` buckets, of the segment that owns `hash`, of which `slots` has some, which are taken out of it.
    pub fn take_slots(&self, hash: u64, slots: &mut SlotSet, buckets: usize, visit: impl FnMut(&T)) {
        if let Some(segment) = self.segment(hash) {
            segment.take_slots(slots, buckets, visit);
        }
    }

    /// Every entry of the segment that owns `hash`.
    pub fn for_each_in_segment(&self, hash: u64, visit: impl FnMut(&T)) {
        if let Some(segment) = self.segment(hash) {
            segment.for_each(visit);
        }
    }

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

    /// The next segment from hash position `from` on in which something is due at `now`, looking at no more than `segments`
    /// headers: any hash of it, or where to go on looking (`None`: at the end of hash space).
    pub fn find_due(&self, from: u64, now: i64, segments: usize) -> Result<u64, Option<u64>> {
        let mut at = from;
        if self.shelves.is_empty() {
            return Err(None);
        }
        for _ in 0..segments {
            let (shelf, index) = self.locate(at);
            let next = if self.shelves[shelf].due_min > now {
                if shelf + 1 == self.shelves.len() { None } else { Some(self.slot_start(shelf + 1, 0)) }
            } else {
                let next = self.span(at).1;
                // The last segment of a shelf that owes is where the shelf's own bound is made exact.
                let last = next.is_none_or(|n| self.locate(n).0 != shelf);
                if last || self.shelves[shelf].segments[index].due_min <= now {
                    return Ok(at);
                }
                next
            };
            match next {
                Some(next) => at = next,
                None => return Err(None),
            }
        }
        Err(Some(at))
    }

    /// Where the segment that owns `hash` begins and ends in hash space (`None`: at the end of it).
    pub fn span(&self, hash: u64) -> (u64, Option<u64>) {
        let (shelf_index, segment) = self.locate(hash);
        let bits = u32::from(self.shelf_bits) + u32::from(self.shelves[shelf_index].segments[segment].depth);
        if bits == 0 {
            return (0, None);
        }
        let start = hash >> (64 - bits) << (64 - bits);
        (start, start.checked_add(1 << (64 - bits)))
    }

    /// Walks on from `cursor` until `visit` has seen `count` entries or `buckets` buckets have been looked at, and
    /// returns where to go on; `Cursor(0)` when the walk is over.
    ///
    /// An entry that is there from the first call to the last is visited at least once, whatever splits, grows or shrinks between the calls.
    pub fn scan(&self, cursor: Cursor, count: usize, buckets: usize, mut visit: impl FnMut(&T)) -> Cursor {
        if self.shelves.is_empty() {
            return Cursor(0);
        }
        let mut at = (cursor.0 >> HOME_BITS) << (64 - PREFIX_BITS);
        let (mut home, mut homes_then) = (cursor.0 >> 8 & 0xff, cursor.0 & 0xff);
        let mut depth_then = cursor.0 >> (PREFIX_BITS + HOME_BITS);
        let (mut seen, mut left) = (0, buckets.max(1));
        loop {
            let (start, end) = self.span(at);
            let (shelf, index) = self.locate(at);
            let segment = &self.shelves[shelf].segments[index];
            let depth = (u64::from(self.shelf_bits) + u64::from(segment.depth)).min(DEPTH_MAX);
            if start != at || depth < depth_then {
                // The table was emptied and has grown anew: the segment is wider than the one the cursor was cut in, and begins anew.
                (at, home) = (start, 0);
            }
            let homes = segment.buckets() as u64;
            // In a segment that has grown or shrunk since, the bucket where what was not yet visited begins.
            let mut bucket = if homes == homes_then || homes_then == 0 { home } else { ((home << 32) / homes_then * homes) >> 32 };
            while bucket < homes {
                segment.for_each_at_home(bucket as usize, self.seed, |entry| {
                    seen += 1;
                    visit(entry);
                });
                bucket += 1;
                left -= 1;
                if (seen >= count || left == 0) && bucket < homes {
                    return Cursor(depth << (PREFIX_BITS + HOME_BITS) | at >> (64 - PREFIX_BITS) << HOME_BITS | bucket << 8 | homes);
                }
            }
            if homes == 0 {
                left -= 1;
            }
            let Some(next) = end else { return Cursor(0) };
            (at, home, homes_then, depth_then) = (next, 0, 0, 0);
            if seen >= count || left == 0 {
                return Cursor(at >> (64 - PREFIX_BITS) << HOME_BITS);
            }
        }
    }

    /// log2 of the number of parts that hash space would have if every segment were as deep as the deepest.
    fn bits(&self) -> u32 {
        u32::from(self.shelf_bits) + u32::from(self.depth_max)
    }

    /// An entry chosen by chance, each as likely as the others; in a table that is mostly empty, nearly so.
    pub fn random(&self, rng: &mut Rng) -> Option<&T> {
        self.random_handle(rng).map(|handle| self.at(handle))
    }

    /// Where an entry chosen by chance is: see [`Dict::random`].
    pub fn random_handle(&self, rng: &mut Rng) -> Option<Handle> {
        /// A table of which no more than this part is in use takes too many refusals.
        const SPARSE: u128 = 32;
        if self.len == 0 {
            return None;
        }
        if (self.len as u128 * SPARSE) >> self.bits() < segment::SLOTS_MAX as u128 && self.bits() > 0 {
            return self.random_in_window(rng);
        }
        // A segment comes up as often as its share of hash space says, and is refused the more often the larger that share is; a
        // slot of it, of all that the largest segment has, is refused when it is not there or empty. So each entry has the same chance.
        loop {
            let hash = rng.next_u64();
            let (shelf, index) = self.locate(hash);
            let segment = &self.shelves[shelf].segments[index];
            let slots = if self.bits() == 0 { segment.slots() } else { segment::SLOTS_MAX << (self.depth_max - segment.depth).min(40) };
            if let Some(place) = segment.place_at(rng.below(slots as u64) as usize) {
                return Some(Handle { shelf: shelf as u32, segment: index as u32, place });
            }
        }
    }

    /// An entry chosen among those of some segments in a row, chosen by chance: their hashes are as good as random.
    fn random_in_window(&self, rng: &mut Rng) -> Option<Handle> {
        /// Entries among which to choose, so that it matters little how they fell.
        const WINDOW: usize = 64;
        let start = rng.next_u64();
        let (mut at, mut seen) = (start, 0);
        let end = loop {
            let (shelf, index) = self.locate(at);
            seen += self.shelves[shelf].segments[index].len();
            at = self.span(at).1.unwrap_or(0);
            if seen >= WINDOW || self.span(start).0 == at {
                break at;
            }
        };
        let mut nth = rng.below(seen as u64) as usize;
        at = start;
        loop {
            let (shelf, index) = self.locate(at);
            let segment = &self.shelves[shelf].segments[index];
            if nth < segment.len() {
                let place = segment.nth(nth)?;
                return Some(Handle { shelf: shelf as u32, segment: index as u32, place });
            }
            nth -= segment.len();
            at = self.span(at).1.unwrap_or(0);
            if at == end {
                return None;
            }
        }
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
    fn gather_now(&mut self) {
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

    /// Every entry, in no promised order, each asked for a little ahead.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.shelves.iter().flat_map(|shelf| shelf.segments.iter().flat_map(Segment::iter_ahead))
    }

    /// Takes out everything that is due at `now`, from hash position `from` on, looking at no more than `segments` segment headers and
    /// taking no more than about `entries` entries. Returns where to go on: `None` when it has come to the end of hash space.
    ///
    /// Segments and shelves that owe nothing are skipped without touching an entry.
    pub fn take_due(&mut self, from: u64, now: i64, segments: usize, entries: usize, mut due: impl FnMut(T)) -> Option<u64> {
        let (mut at, mut headers, mut taken) = (from, 0, 0);
        let seed = self.seed;
        while !self.shelves.is_empty() {
            let (shelf_index, index) = self.locate(at);
            let (_, mut end) = self.span(at);
            if self.shelves[shelf_index].due_min > now {
                end = if shelf_index + 1 == self.shelves.len() { None } else { Some(self.slot_start(shelf_index + 1, 0)) };
            } else {
                self.before_due(at, now);
                let segment = &mut self.shelves[shelf_index].segments[index];
                if segment.due_min <= now {
                    let before = segment.len();
                    segment.take_due(now, seed, &mut due);
                    let gone = before - segment.len();
                    self.bytes -= segment.shrink(seed);
                    self.len -= gone;
                    taken += gone + 16;
                }
            }
            headers += 1;
            let last_of_shelf = end.is_none_or(|e| self.locate(e).0 != shelf_index);
            if last_of_shelf && self.shelves[shelf_index].due_min <= now {
                let shelf = &mut self.shelves[shelf_index];
                shelf.due_min = shelf.segments.iter().map(|s| s.due_min).min().unwrap_or(i64::MAX);
            }
            at = end?;
            if headers >= segments || taken >= entries {
                return Some(at);
            }
        }
        None
    }

    /// A moment before which nothing is due.
    pub fn due_min(&self) -> i64 {
        self.shelves.iter().map(|s| s.due_min).min().unwrap_or(i64::MAX)
    }

    /// Takes out one segment's entries, for a table that is on its way out and is freed in slices. `false` when there was nothing left.
    pub fn drop_slice(&mut self) -> bool {
        if self.leave_to_watches() {
            return false;
        }
        while let Some(shelf) = self.shelves.last_mut() {
            if let Some(segment) = shelf.segments.pop() {
                self.len -= segment.len();
                self.bytes -= segment.bucket_bytes();
                return true;
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
