//! The large form: a table whose entries are the fields.

use super::{
    deadline::{OldDeadline, is_past},
    value::{FieldEntry, entry_bytes},
};
use crate::data::{dict::Dict, key_hash::Seed, pair::NEVER, string::NewString};
use bytes::Bytes;
use std::cell::Cell;

pub(super) struct Table {
    pub dict: Dict<FieldEntry>,
    /// Fields with a deadline.
    volatile: usize,
    /// Where in hash space the search for what is due goes on.
    due_at: u64,
    pub booked: Cell<i64>,
}

impl Clone for Table {
    fn clone(&self) -> Self {
        let mut copy = Self::new(self.dict.seed());
        self.dict.iter().for_each(|entry| copy.insert(entry.copy_as(entry.key())));
        copy
    }
}

impl Table {
    pub fn new(seed: Seed) -> Self {
        Self { dict: Dict::new(seed), volatile: 0, due_at: 0, booked: Cell::new(NEVER) }
    }

    /// Adds a field that is not there.
    pub fn insert(&mut self, entry: FieldEntry) {
        self.volatile += usize::from(entry.is_volatile());
        self.dict.insert_new(self.dict.hash(entry.key()), entry);
    }

    #[inline]
    pub fn find(&self, field: &[u8], now: i64) -> Option<&FieldEntry> {
        let entry = self.dict.find(self.dict.hash(field), field)?;
        (!entry.is_volatile() || !is_past(entry.deadline(), now)).then_some(entry)
    }

    #[inline]
    pub fn set(&mut self, field: &[u8], value: NewString<'_, Bytes>, old: OldDeadline, now: i64) -> bool {
        let hash = self.dict.hash(field);
        let Some(entry) = self.dict.find_mut(hash, field) else {
            self.dict.insert_new(hash, value.into_entry(field, NEVER));
            return true;
        };
        let was_past = entry.is_volatile() && is_past(entry.deadline(), now);
        if entry.is_volatile() && (was_past || old == OldDeadline::Drops) {
            entry.set_deadline(NEVER);
            self.volatile -= 1;
        }
        value.store(entry);
        was_past
    }

    pub fn set_deadline(&mut self, field: &[u8], deadline: i64) -> bool {
        let hash = self.dict.hash(field);
        let Some(entry) = self.dict.find_mut(hash, field) else { return false };
        self.volatile -= usize::from(entry.is_volatile());
        entry.set_deadline(deadline);
        self.volatile += usize::from(entry.is_volatile());
        if deadline != NEVER {
            self.dict.note_deadline(hash, deadline);
        }
        true
    }

    pub fn remove(&mut self, field: &[u8], now: i64) -> bool {
        let Some(entry) = self.dict.remove(self.dict.hash(field), field) else { return false };
        self.dict.gather();
        self.volatile -= usize::from(entry.is_volatile());
        !is_past(entry.deadline(), now)
    }

    pub fn due_min(&self) -> i64 {
        // The last moment of all is still a moment: only a hash without deadlines says never.
        if self.volatile == 0 { NEVER } else { self.dict.due_min().min(NEVER - 1) }
    }

    pub fn take_due(&mut self, now: i64, most: usize, mut each: impl FnMut(&[u8])) {
        /// Segment headers looked at for each field that may be taken.
        const HEADERS_EACH: usize = 8;
        let (mut taken, headers) = (0, most.saturating_mul(HEADERS_EACH));
        let next = self.dict.take_due(self.due_at, now.saturating_sub(1), headers, most, |entry| {
            taken += 1;
            each(entry.key());
        });
        self.volatile -= taken;
        self.due_at = next.unwrap_or(0);
        self.dict.gather();
    }

    pub fn allocated(&self, samples: usize) -> usize {
        let len = self.dict.len();
        let looked_at = if samples == 0 { len } else { samples.min(len) };
        let bytes: usize = self.dict.iter().take(looked_at).map(entry_bytes).sum();
        self.dict.table_bytes() + if looked_at == 0 { 0 } else { (bytes as u128 * len as u128 / looked_at as u128) as usize }
    }
}
