//! What a database keeps beside its table of some of the values: they are added as they come, and removed as they go.

use super::{apart::Apart, bookings::Bookings};
use crate::data::{
    entry::{Entry, NEVER, Value},
    object::Object,
};

/// The indexes of a database.
#[derive(Default)]
pub(super) struct Indexes {
    /// Hashes with fields that have deadlines.
    pub bookings: Bookings,
    /// Streams that files need a later version for.
    pub apart: Apart,
}

impl Indexes {
    /// Whether no value is in one.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.bookings.is_empty() && self.apart.is_empty()
    }

    /// The value of an entry comes.
    #[inline(always)]
    pub fn add(&mut self, entry: &Entry) {
        match entry.value() {
            Value::Object(Object::Hash(hash)) if hash.due_min() != NEVER => self.bookings.book(entry),
            Value::Object(Object::Stream(stream)) => self.apart.add(stream),
            _ => (),
        }
    }

    /// The value of an entry goes.
    #[inline(always)]
    pub fn remove(&mut self, entry: &Entry) {
        if !self.is_empty() {
            self.remove_indexed(entry);
        }
    }

    #[cold]
    fn remove_indexed(&mut self, entry: &Entry) {
        self.bookings.forget(entry);
        self.apart.forget(entry);
    }
}
