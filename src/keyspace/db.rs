//! One database: its table, and how many of its keys have a deadline.

use super::{evict::Nearest, indexes::Indexes};
use crate::data::{
    dict::{Dict, Handle},
    entry::{Entry, NEVER},
    key_hash::Seed,
};

/// Names a table, wherever SWAPDB moves it.
pub(super) type TableId = u64;

/// One database.
pub struct Db {
    pub(super) dict: Dict<Entry>,
    /// Names the table in `dict`, wherever it is moved.
    pub(super) table: TableId,
    /// Keys with a deadline.
    volatile: usize,
    /// Sum of the deadlines of those, for INFO's average TTL.
    deadline_sum: i128,
    /// What is kept beside the table of some values.
    pub(super) indexes: Indexes,
    /// Where the expire cycle goes on, in hash space.
    pub(super) expire_at: u64,
    /// The keys with the nearest deadlines, where these are evicted first.
    pub(super) nearest: Option<Box<Nearest>>,
}

impl Db {
    pub(super) fn new(seed: Seed, table: TableId) -> Self {
        Self { dict: Dict::new(seed), table, volatile: 0, deadline_sum: 0, indexes: Indexes::default(), expire_at: 0, nearest: None }
    }

    /// Number of keys, those past their deadline that have not been reclaimed yet among them.
    pub fn len(&self) -> usize {
        self.dict.len()
    }

    /// Whether it has no key.
    pub fn is_empty(&self) -> bool {
        self.dict.is_empty()
    }

    /// Number of keys with a deadline.
    pub fn volatile(&self) -> usize {
        self.volatile
    }

    /// Number of hashes with fields that have a deadline.
    pub fn hashes_with_deadlines(&self) -> usize {
        self.indexes.bookings.len()
    }

    /// Average time to live of the keys with a deadline, in milliseconds; 0 when there is none.
    pub fn ttl_average_ms(&self, now_ms: i64) -> i64 {
        if self.volatile == 0 {
            return 0;
        }
        ((self.deadline_sum / self.volatile as i128) as i64).saturating_sub(now_ms).max(0)
    }

    /// The table, for walks that change nothing.
    pub fn dict(&self) -> &Dict<Entry> {
        &self.dict
    }

    pub(super) fn due_min(&self) -> i64 {
        if self.volatile == 0 { NEVER } else { self.dict.due_min() }
    }

    #[inline]
    fn count(&mut self, deadline: i64, by: i64) {
        if deadline != NEVER {
            self.volatile = (self.volatile as i64 + by) as usize;
            self.deadline_sum += i128::from(deadline) * i128::from(by);
        }
    }

    /// A key has, or is about to have, this deadline.
    #[inline]
    fn note_deadline(&mut self, hash: u64, deadline: i64) {
        if deadline != NEVER
            && let Some(nearest) = &mut self.nearest
        {
            nearest.note(&self.dict, hash, deadline);
        }
    }

    pub(super) fn insert(&mut self, hash: u64, entry: Entry) -> &mut Entry {
        self.count(entry.deadline(), 1);
        self.note_deadline(hash, entry.deadline());
        self.indexes.add(&entry);
        self.dict.insert_new(hash, entry)
    }

    pub(super) fn remove_at(&mut self, handle: Handle, hash: u64) -> Entry {
        let entry = self.dict.remove_at(handle, hash);
        self.count(entry.deadline(), -1);
        self.indexes.remove(&entry);
        entry
    }

    /// The value of the entry at `handle` is about to be replaced.
    #[inline(always)]
    pub(super) fn before_overwrite(&mut self, handle: Handle) {
        if !self.indexes.is_empty() {
            self.indexes.remove(self.dict.at(handle));
        }
    }

    pub(super) fn set_deadline_at(&mut self, handle: Handle, hash: u64, deadline: i64) {
        let before = self.dict.at(handle).deadline();
        if before == deadline {
            return;
        }
        self.count(before, -1);
        self.count(deadline, 1);
        self.dict.at_mut(handle).set_deadline(deadline);
        if deadline != NEVER {
            self.dict.note_deadline(hash, deadline);
            self.note_deadline(hash, deadline);
        }
    }

    /// Puts `entry`, which has the same key, in the place of what was found at `handle`.
    pub(super) fn replace_at(&mut self, handle: Handle, hash: u64, entry: Entry) {
        let deadline = entry.deadline();
        self.count(self.dict.at(handle).deadline(), -1);
        self.count(deadline, 1);
        self.before_overwrite(handle);
        self.indexes.add(&entry);
        *self.dict.at_mut(handle) = entry;
        if deadline != NEVER {
            self.dict.note_deadline(hash, deadline);
            self.note_deadline(hash, deadline);
        }
    }

    pub(super) fn take_due(&mut self, now: i64, segments: usize, entries: usize, mut due: impl FnMut(Entry)) -> bool {
        let (mut gone, mut sum) = (0, 0);
        let next = self.dict.take_due(self.expire_at, now, segments, entries, |entry| {
            gone += 1;
            sum += i128::from(entry.deadline());
            self.indexes.remove(&entry);
            due(entry);
        });
        self.volatile -= gone;
        self.deadline_sum -= sum;
        self.expire_at = next.unwrap_or(0);
        next.is_none()
    }

    /// Takes the table out, and leaves an empty one of this name.
    pub(super) fn take(&mut self, table: TableId) -> Dict<Entry> {
        self.table = table;
        self.volatile = 0;
        self.deadline_sum = 0;
        self.expire_at = 0;
        self.indexes = Indexes::default();
        self.nearest = None;
        self.dict.take()
    }

    /// Exchanges everything.
    pub(super) fn swap_contents(&mut self, other: &mut Self) {
        std::mem::swap(&mut self.dict, &mut other.dict);
        std::mem::swap(&mut self.table, &mut other.table);
        std::mem::swap(&mut self.volatile, &mut other.volatile);
        std::mem::swap(&mut self.deadline_sum, &mut other.deadline_sum);
        std::mem::swap(&mut self.expire_at, &mut other.expire_at);
        std::mem::swap(&mut self.indexes, &mut other.indexes);
        std::mem::swap(&mut self.nearest, &mut other.nearest);
    }
}
