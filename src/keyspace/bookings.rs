//! Which hashes of a database have fields with deadlines, in the order in which they are due.
//!
//! A hash that has a field with a deadline is booked under the first of them and its key. The hash knows under which, so what is booked
//! is found when the hash goes or its first deadline changes. What is booked may be early (a field that went by other ways leaves its
//! deadline behind), never late. A booking whose hash is gone, because it was overwritten in place, is dropped when its time comes.

use crate::data::{
    entry::{Entry, NEVER, Value},
    hash::Hash,
    object::Object,
    trash::{self, Garbage, LARGE},
};
use std::collections::BTreeSet;

/// The hashes of a database that have fields with deadlines.
#[derive(Default)]
pub(super) struct Bookings(pub BTreeSet<(i64, Box<[u8]>)>);

impl Garbage for Bookings {
    fn bytes(&self) -> usize {
        /// Of a B-tree that is two thirds full.
        const NODE_BYTES: usize = 24;
        self.0.len() * NODE_BYTES
    }

    fn free_slice(&mut self) -> bool {
        for _ in 0..trash::SLICE {
            self.0.pop_first();
        }
        !self.0.is_empty()
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

impl Drop for Bookings {
    fn drop(&mut self) {
        if self.0.len() >= LARGE {
            trash::leave(std::mem::take(self));
        }
    }
}

/// The hash that an entry holds.
#[inline(always)]
pub(super) fn hash_of(entry: &Entry) -> Option<&Hash> {
    match entry.value() {
        Value::Object(Object::Hash(hash)) => Some(hash),
        _ => None,
    }
}

impl Bookings {
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    #[inline]
    pub fn due_min(&self) -> i64 {
        self.0.first().map_or(NEVER, |(deadline, _)| *deadline)
    }

    /// Books an entry's hash under its first deadline, or not at all if it has none.
    pub fn book(&mut self, entry: &Entry) {
        let Some(hash) = hash_of(entry) else { return };
        let (before, now) = (hash.booked(), hash.due_min());
        if before == now {
            return;
        }
        if before != NEVER {
            self.0.remove(&(before, entry.key().into()));
        }
        if now != NEVER {
            self.0.insert((now, entry.key().into()));
        }
        hash.book(now);
    }

    /// The entry is taken out of its database.
    pub fn forget(&mut self, entry: &Entry) {
        if let Some(hash) = hash_of(entry)
            && hash.booked() != NEVER
        {
            self.0.remove(&(hash.booked(), entry.key().into()));
            hash.book(NEVER);
        }
    }
}
