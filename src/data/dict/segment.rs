//! A segment: a small open-addressed table of cache-line buckets.
//!
//! A bucket is one cache line: seven slots of a pointer each, seven one-byte tags, and a count of the entries that wanted to be
//! here and had to go on to a later bucket (so that a look-up knows when to stop, and a removal leaves no tombstone).

use super::{slot::Slot, slots::SlotSet};
use crate::data::{key_hash::Seed, moving::Mover, prefetch};
use std::mem;

const SLOTS: usize = 7;
/// Buckets of the largest segment, unless it cannot be split: then it goes on by doubling.
const BUCKETS_MAX: usize = 64;
/// Sizes a segment grows through, in buckets: each is a size class of the allocator, and a step wastes at most a third.
const STEPS: [u16; 17] = [0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, BUCKETS_MAX as u16];
/// Slots of a segment with as many buckets.
pub(super) const SLOTS_MAX: usize = BUCKETS_MAX * SLOTS;

const fn capacity(buckets: usize) -> usize {
    // A single bucket has no neighbour to overflow into and needs none: all of its slots may be used.
    // As many buckets as fit in memory have less than 2^58 slots.
    if buckets <= 1 { buckets.wrapping_mul(SLOTS) } else { buckets.wrapping_mul(SLOTS * 7) / 8 }
}

#[repr(C, align(64))]
#[derive(Clone)]
struct Bucket<T> {
    /// A tag a slot, 0 where it is empty; the last byte counts the entries that passed on, and stays at 255 once there.
    tags: [u8; 8],
    slots: [Option<T>; SLOTS],
}

impl<T> Bucket<T> {
    const EMPTY: Self = Self { tags: [0; 8], slots: [const { None }; SLOTS] };

    /// A bit (the highest of its byte) for each tag that may equal `tag`; a few false ones cost a key comparison.
    #[inline(always)]
    fn matches(&self, tag: u8) -> u64 {
        const LOW: u64 = 0x0001_0101_0101_0101;
        const HIGH: u64 = 0x0080_8080_8080_8080;
        let x = u64::from_le_bytes(self.tags) ^ (LOW * u64::from(tag));
        (x & !(0xff << 56)).wrapping_sub(LOW) & !x & HIGH
    }
}

/// Where an entry is: its bucket, and in the low 3 bits its slot. One number, so that a [`Handle`](super::Handle) is passed on in registers.
#[derive(Clone, Copy)]
pub(super) struct Place(u64);

impl Place {
    #[inline(always)]
    fn new(bucket: usize, slot: usize) -> Self {
        Self((bucket as u64) << 3 | slot as u64)
    }

    #[inline(always)]
    fn bucket(self) -> usize {
        (self.0 >> 3) as usize
    }

    #[inline(always)]
    fn slot(self) -> usize {
        (self.0 & 7) as usize
    }

    /// Takes its slot out of `slots`; whether it was there.
    pub(super) fn take_from(self, slots: &mut SlotSet) -> bool {
        slots.take(self.bucket(), self.slot() as u8)
    }
}

#[derive(Clone)]
pub(super) struct Segment<T> {
    buckets: Box<[Bucket<T>]>,
    /// No entry of the segment is due before this.
    pub(super) due_min: i64,
    len: u32,
    /// How many bits of hash, behind the shelf's own, all of its entries share.
    pub(super) depth: u8,
}

#[inline(always)]
fn tag(hash: u64) -> u8 {
    let tag = (hash >> 32) as u8;
    // 0 becomes 1, and nothing else changes: it cannot wrap.
    tag.wrapping_add(u8::from(tag == 0))
}

#[inline(always)]
fn home(hash: u64, buckets: usize) -> usize {
    // A product of two numbers of 32 bits: no segment has more buckets.
    ((hash & 0xffff_ffff).wrapping_mul(buckets as u64) >> 32) as usize
}

/// The bucket behind number `at` of `count`, which is below that: the first one behind the last.
#[inline(always)]
fn behind(at: usize, count: usize) -> usize {
    let next = at.wrapping_add(1);
    if next == count { 0 } else { next }
}

impl<T: Slot> Segment<T> {
    pub(super) fn new(depth: u8) -> Self {
        Self { buckets: Box::default(), due_min: i64::MAX, len: 0, depth }
    }

    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    pub(super) fn buckets(&self) -> usize {
        self.buckets.len()
    }

    pub(super) fn bucket_bytes(&self) -> usize {
        mem::size_of_val(&*self.buckets)
    }

    #[inline(always)]
    pub(super) fn prefetch(&self, hash: u64) {
        if let Some(bucket) = self.buckets.get(home(hash, self.buckets.len())) {
            prefetch::read(bucket);
        }
    }

    /// The first entry in the home bucket whose tag fits.
    #[inline(always)]
    pub(super) fn likely(&self, hash: u64) -> Option<&T> {
        let bucket = self.buckets.get(home(hash, self.buckets.len()))?;
        let matches = bucket.matches(tag(hash));
        bucket.slots.get(matches.trailing_zeros() as usize / 8)?.as_ref()
    }

    #[inline(always)]
    pub(super) fn find(&self, hash: u64, key: &[u8]) -> Option<Place> {
        let count = self.buckets.len();
        let tag = tag(hash);
        let mut at = home(hash, count);
        for _ in 0..count {
            let bucket = &self.buckets[at];
            let mut matches = bucket.matches(tag);
            while matches != 0 {
                let slot = matches.trailing_zeros() as usize / 8;
                if let Some(Some(entry)) = bucket.slots.get(slot)
                    && entry.key() == key
                {
                    return Some(Place::new(at, slot));
                }
                matches &= matches - 1;
            }
            if bucket.tags[SLOTS] == 0 {
                return None;
            }
            at = behind(at, count);
        }
        None
    }

    #[inline(always)]
    pub(super) fn get(&self, place: Place) -> &T {
        self.buckets[place.bucket()].slots[place.slot()].as_ref().expect("a place names an entry")
    }

    #[inline(always)]
    pub(super) fn get_mut(&mut self, place: Place) -> &mut T {
        self.buckets[place.bucket()].slots[place.slot()].as_mut().expect("a place names an entry")
    }

    #[inline(always)]
    pub(super) fn has_room(&self) -> bool {
        self.len() < capacity(self.buckets.len())
    }

    /// The first free slot from the home bucket on; counts the passage through the full ones. There is room.
    #[inline]
    pub(super) fn place_for(&mut self, hash: u64) -> Place {
        let count = self.buckets.len();
        let mut at = home(hash, count);
        loop {
            let bucket = &mut self.buckets[at];
            let free = bucket.matches(0);
            if free != 0 {
                // The lowest set bit is exact: false matches only appear above a true one.
                return Place::new(at, free.trailing_zeros() as usize / 8);
            }
            bucket.tags[SLOTS] = bucket.tags[SLOTS].saturating_add(1);
            at = behind(at, count);
        }
    }

    #[inline]
    pub(super) fn put(&mut self, place: Place, hash: u64, entry: T) -> &mut T {
        self.len += 1;
        self.put_uncounted(place, hash, entry)
    }

    #[inline]
    fn put_uncounted(&mut self, place: Place, hash: u64, entry: T) -> &mut T {
        let bucket = &mut self.buckets[place.bucket()];
        bucket.tags[place.slot()] = tag(hash);
        bucket.slots[place.slot()].insert(entry)
    }

    /// Takes out the entry at `place`, whose hash this is.
    pub(super) fn take(&mut self, place: Place, hash: u64) -> T {
        let count = self.buckets.len();
        let mut at = home(hash, count);
        while at != place.bucket() {
            let passed = &mut self.buckets[at].tags[SLOTS];
            if *passed != u8::MAX {
                *passed -= 1;
            }
            at = behind(at, count);
        }
        let bucket = &mut self.buckets[at];
        bucket.tags[place.slot()] = 0;
        self.len -= 1;
        bucket.slots[place.slot()].take().expect("a place names an entry")
    }

    /// Gives it `buckets` buckets and puts every entry in its new place.
    fn resize(&mut self, seed: Seed, buckets: usize) {
        let mut new: Vec<Bucket<T>> = Vec::with_capacity(buckets);
        new.resize_with(buckets, || Bucket::EMPTY);
        let mut old = mem::replace(&mut self.buckets, new.into_boxed_slice());
        // Its entries stay as many as they are.
        drain(&mut old, |entry| {
            let hash = seed.hash(entry.key());
            let place = self.place_for(hash);
            self.put_uncounted(place, hash, entry);
        });
    }

    /// How many times as large it is as one that can be split ever gets, as a power of two.
    pub(super) fn excess_log2(&self) -> u8 {
        (self.buckets.len() / BUCKETS_MAX).max(1).ilog2() as u8
    }

    /// Whether there is a next step in size.
    pub(super) fn can_grow(&self) -> bool {
        self.buckets.len() < BUCKETS_MAX
    }

    /// Takes the next step in size, or doubles.
    pub(super) fn grow(&mut self, seed: Seed) {
        let now = self.buckets.len();
        let next = STEPS.iter().map(|&step| usize::from(step)).find(|&step| step > now).unwrap_or(now * 2);
        self.resize(seed, next);
    }

    /// Whether three quarters of it stand empty.
    #[inline]
    pub(super) fn is_sparse(&self) -> bool {
        self.len() * 4 < capacity(self.buckets.len()) && self.buckets.len() > 1 || self.len == 0
    }

    /// Gives back memory that it does not need: so many bytes.
    pub(super) fn fit(&mut self, seed: Seed) -> usize {
        let before = self.bucket_bytes();
        let buckets = if self.len == 0 { 0 } else { step_for(self.len() * 3 / 2) };
        if buckets < self.buckets.len() {
            self.resize(seed, buckets);
        }
        if self.len == 0 {
            self.due_min = i64::MAX;
        }
        before - self.bucket_bytes()
    }

    /// Splits by bit `bit` of the hash, counted from the top: keeps the entries where it is 0, returns those where it is 1.
    pub(super) fn split(&mut self, seed: Seed, bit: u32) -> Self {
        // Room for the expected half and a good deviation more; what has more than that grows while it is filled.
        let buckets = step_for(self.len() / 2 + self.len() / 16 + 1);
        let mut upper = Self { buckets: Box::default(), due_min: self.due_min, len: 0, depth: self.depth + 1 };
        upper.resize(seed, buckets);
        let mut old = mem::take(&mut self.buckets);
        self.len = 0;
        self.depth += 1;
        self.resize(seed, buckets);
        drain(&mut old, |entry| {
            let hash = seed.hash(entry.key());
            let half = if hash << bit >> 63 == 0 { &mut *self } else { &mut upper };
            if !half.has_room() {
                half.grow(seed);
            }
            let place = half.place_for(hash);
            half.put(place, hash, entry);
        });
        upper
    }

    /// Every entry whose home is `bucket`.
    pub(super) fn for_each_at_home(&self, bucket: usize, seed: Seed, mut visit: impl FnMut(&T)) {
        let count = self.buckets.len();
        let mut at = bucket;
        for _ in 0..count {
            for entry in self.buckets[at].slots.iter().flatten() {
                if home(seed.hash(entry.key()), count) == bucket {
                    visit(entry);
                }
            }
            if self.buckets[at].tags[SLOTS] == 0 {
                return;
            }
            at = behind(at, count);
        }
    }

    /// The slots with an entry that `is_wanted`.
    pub(super) fn slots_where(&self, mut is_wanted: impl FnMut(&T) -> bool) -> SlotSet {
        let mut wanted = |entry: &Option<T>| entry.as_ref().is_some_and(&mut is_wanted);
        let mut bits = |bucket: &Bucket<T>| (0..SLOTS).fold(0, |bits, slot| bits | u8::from(wanted(&bucket.slots[slot])) << slot);
        SlotSet::new(self.buckets.iter().map(&mut bits))
    }

    /// Every entry in `slots`.
    pub(super) fn for_each_in_slots(&self, slots: &SlotSet, mut visit: impl FnMut(&T)) {
        for (at, bucket) in self.buckets.iter().enumerate() {
            slots.bucket(at).filter_map(|slot| bucket.slots[slot].as_ref()).for_each(&mut visit);
        }
    }

    /// Every entry in `slots` that is due at `now`; they are taken out of it.
    pub(super) fn take_slots_due(&self, slots: &mut SlotSet, now: i64, mut visit: impl FnMut(&T)) {
        for (at, bucket) in self.buckets.iter().enumerate() {
            for slot in slots.bucket(at) {
                if let Some(entry) = bucket.slots[slot].as_ref().filter(|entry| entry.is_volatile() && entry.deadline() <= now) {
                    slots.take(at, slot as u8);
                    visit(entry);
                }
            }
        }
    }

    /// Every entry in the first `buckets` buckets of which `slots` has some, which are taken out of it; asks for those of the next bucket ahead.
    pub(super) fn take_slots(&self, slots: &mut SlotSet, buckets: usize, mut visit: impl FnMut(&T)) {
        let from = slots.first_bucket();
        let to = self.buckets.len().min(from.saturating_add(buckets));
        self.prefetch_whole(from);
        for at in from..to {
            self.prefetch_whole(at + 1);
            for slot in slots.take_bucket(at) {
                self.buckets[at].slots[slot].iter().for_each(&mut visit);
            }
        }
    }

    fn prefetch_whole(&self, bucket: usize) {
        for entry in self.buckets.get(bucket).into_iter().flat_map(|b| b.slots.iter().flatten()) {
            entry.prefetch_whole();
        }
    }

    fn prefetch_entries(&self, bucket: usize) {
        for entry in self.buckets.get(bucket).into_iter().flat_map(|b| b.slots.iter().flatten()) {
            entry.prefetch();
        }
    }

    /// Every entry, asking for those of the next bucket ahead.
    pub(super) fn for_each(&self, mut visit: impl FnMut(&T)) {
        for (at, bucket) in self.buckets.iter().enumerate() {
            self.prefetch_entries(at + 1);
            bucket.slots.iter().flatten().for_each(&mut visit);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.buckets.iter().flat_map(|b| b.slots.iter().flatten())
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.buckets.iter_mut().flat_map(|b| b.slots.iter_mut().flatten())
    }

    /// Every entry, asking for those of the next bucket ahead.
    pub(super) fn iter_ahead(&self) -> impl Iterator<Item = &T> {
        self.buckets.iter().enumerate().flat_map(|(at, bucket)| {
            self.prefetch_entries(at + 1);
            bucket.slots.iter().flatten()
        })
    }

    /// Frees entries until as many values are freed as `budget` has; whether it is empty then. Only for a segment in which nothing is looked up any more.
    pub(super) fn drop_some(&mut self, budget: &mut usize) -> bool {
        for at in (0..self.buckets.len()).rev() {
            if at > 0 {
                self.prefetch_entries(at - 1);
            }
            for slot in &mut self.buckets[at].slots {
                if *budget == 0 {
                    return self.len == 0;
                }
                if let Some(entry) = slot.take() {
                    self.len -= 1;
                    *budget = budget.saturating_sub(entry.values());
                }
            }
        }
        true
    }

    /// Hands over every entry.
    pub(super) fn into_each(mut self, take: impl FnMut(T)) {
        drain(&mut self.buckets, take);
    }

    /// Moves its buckets, if `bucket` is the first, and shows the entries from there on to `each` until `mover` is spent. Says which bucket comes next.
    pub(super) fn relocate(&mut self, bucket: usize, mover: &mut Mover, each: &mut dyn FnMut(&mut T, &mut Mover)) -> Option<usize> {
        if bucket == 0 {
            mover.boxed_slice(&mut self.buckets);
        }
        self.prefetch_whole(bucket);
        for at in bucket..self.buckets.len() {
            self.prefetch_whole(at + 1);
            self.buckets[at].slots.iter_mut().flatten().for_each(|entry| each(entry, mover));
            if mover.is_spent() && at + 1 < self.buckets.len() {
                return Some(at + 1);
            }
        }
        None
    }

    /// Number of slots.
    pub(super) fn slots(&self) -> usize {
        self.buckets.len() * SLOTS
    }

    /// The entry in slot number `slot`, if there is such a slot and one in it.
    #[inline]
    pub(super) fn place_at(&self, slot: usize) -> Option<Place> {
        let (bucket, slot) = (slot / SLOTS, slot % SLOTS);
        let is_taken = self.buckets.get(bucket)?.tags[slot] != 0;
        is_taken.then_some(Place::new(bucket, slot))
    }

    /// The `n`th entry in table order.
    pub(super) fn nth(&self, n: usize) -> Option<Place> {
        (0..self.slots()).filter_map(|slot| self.place_at(slot)).nth(n)
    }

    /// Every entry of the home bucket of `hash`.
    #[inline(always)]
    pub(super) fn for_each_near(&self, hash: u64, visit: impl FnMut(&T)) {
        if let Some(bucket) = self.buckets.get(home(hash, self.buckets.len())) {
            bucket.slots.iter().flatten().for_each(visit);
        }
    }

    /// The entry whose tag is that of `hash` and that `is_it`.
    pub(super) fn find_where(&self, hash: u64, mut is_it: impl FnMut(&T) -> bool) -> Option<Place> {
        let count = self.buckets.len();
        let mut at = home(hash, count);
        for _ in 0..count {
            let bucket = &self.buckets[at];
            let fits = |slot: &usize| bucket.tags[*slot] == tag(hash);
            if let Some(slot) = (0..SLOTS).filter(fits).find(|slot| bucket.slots[*slot].as_ref().is_some_and(&mut is_it)) {
                return Some(Place::new(at, slot));
            }
            if bucket.tags[SLOTS] == 0 {
                return None;
            }
            at = behind(at, count);
        }
        None
    }

    /// Every entry with a deadline, from the home bucket of `hash` on and once round; makes `due_min` exact.
    pub(super) fn for_each_volatile(&mut self, hash: u64, mut visit: impl FnMut(&T)) {
        let count = self.buckets.len();
        let prefetch = |bucket: &Bucket<T>| bucket.slots.iter().flatten().filter(|entry| entry.is_volatile()).for_each(Slot::prefetch);
        let (mut at, mut due_min) = (home(hash, count), i64::MAX);
        /// Buckets that are asked for ahead.
        const AHEAD: usize = 2;
        let mut ahead = at;
        for step in 0..count + AHEAD {
            if step < count {
                prefetch(&self.buckets[ahead]);
                ahead = behind(ahead, count);
            }
            if step >= AHEAD {
                for entry in self.buckets[at].slots.iter().flatten().filter(|entry| entry.is_volatile()) {
                    due_min = due_min.min(entry.deadline());
                    visit(entry);
                }
                at = behind(at, count);
            }
        }
        self.due_min = due_min;
    }

    /// Every entry, to change a mark in it.
    pub(super) fn for_each_mut(&mut self, mut visit: impl FnMut(&mut T)) {
        for at in 0..self.buckets.len() {
            self.prefetch_entries(at + 1);
            self.buckets[at].slots.iter_mut().flatten().for_each(&mut visit);
        }
    }

    /// Takes out what is due, and makes `due_min` exact.
    pub(super) fn take_due(&mut self, now: i64, seed: Seed, due: &mut impl FnMut(T)) {
        let mut due_min = i64::MAX;
        for entry in self.iter().filter(|e| e.is_volatile()) {
            entry.prefetch();
        }
        for bucket in 0..self.buckets.len() {
            for slot in 0..SLOTS {
                let Some(entry) = &self.buckets[bucket].slots[slot] else { continue };
                if !entry.is_volatile() {
                    continue;
                }
                let deadline = entry.deadline();
                if deadline > now {
                    due_min = due_min.min(deadline);
                    continue;
                }
                let hash = seed.hash(entry.key());
                due(self.take(Place::new(bucket, slot), hash));
            }
        }
        self.due_min = due_min;
    }
}

/// The smallest size that holds `len` entries.
fn step_for(len: usize) -> usize {
    let doubled = std::iter::successors(Some(2 * BUCKETS_MAX), |buckets| Some(buckets * 2));
    let mut steps = STEPS.iter().map(|&step| usize::from(step)).chain(doubled);
    steps.find(|&buckets| capacity(buckets) >= len).unwrap_or(BUCKETS_MAX)
}

/// Hands over every entry of `buckets`, asking for the next bucket's keys a bucket ahead.
fn drain<T: Slot>(buckets: &mut [Bucket<T>], mut take: impl FnMut(T)) {
    for at in 0..buckets.len() {
        for entry in buckets.get(at + 1).into_iter().flat_map(|b| b.slots.iter().flatten()) {
            entry.prefetch();
        }
        for slot in &mut buckets[at].slots {
            if let Some(entry) = slot.take() {
                take(entry);
            }
        }
    }
}
