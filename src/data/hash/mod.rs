//! The hash: fields and their values, each field with a deadline of its own if it has been given one.
//!
//! | what it holds | encoding | representation |
//! |---|---|---|
//! | few short fields | `listpack` | field, value, field, value ... |
//! | few short fields, some with a deadline | `listpackex` | field, value, deadline ..., the earliest deadline first |
//! | more or longer ones | `hashtable` | a table of [`FieldEntry`]: a field with its value and its deadline in one allocation |
//!
//! A field past its deadline stays until somebody takes it out ([`Hash::take_due`]). Look-ups are told the time, and do not see such
//! a field; at the time [`ANY_TIME`] they see every field.

mod choice;
mod deadline;
mod fields;
mod load;
mod packed;
mod table;
#[cfg(test)]
mod tests;
mod value;

pub use super::limits::PackLimits;
use super::{
    dict::Dict,
    key_hash::Seed,
    listpack::{self, Listpack},
    moving::{Mover, Place, Relocate},
    pair::NEVER,
};
use bytes::Bytes;
pub use deadline::OldDeadline;
use deadline::is_past;
pub use fields::Field;
pub use load::Builder;
use packed::Packed;
use std::cell::Cell;
use table::Table;
pub use value::{FieldEntry, FieldValue};

/// The time at which no deadline is past.
pub const ANY_TIME: i64 = i64::MIN;

/// Fields and their values. A key with an empty one is not kept.
#[derive(Clone)]
pub struct Hash(Repr);

#[derive(Clone)]
enum Repr {
    /// Fields and values, alternating.
    Pairs(Listpack),
    /// Fields, values and deadlines, alternating.
    Triples(Box<Triples>),
    Table(Box<Table>),
}

struct Triples {
    pack: Listpack,
    booked: Cell<i64>,
}

impl Clone for Triples {
    fn clone(&self) -> Self {
        Self { pack: self.pack.clone(), booked: Cell::new(NEVER) }
    }
}

impl Relocate for Hash {
    fn relocate(&mut self, from: Place, mover: &mut Mover) -> Option<Place> {
        match &mut self.0 {
            Repr::Pairs(pack) => pack.relocate(mover),
            Repr::Triples(triples) => {
                mover.boxed(triples);
                triples.pack.relocate(mover);
            }
            Repr::Table(table) => {
                mover.boxed(table);
                // A field's value is a string: it is gone through at once.
                return table.dict.relocate(&from, mover, &mut |field, mover| drop(field.relocate(Place::default(), mover)));
            }
        }
        None
    }
}

impl Default for Hash {
    fn default() -> Self {
        Self::new()
    }
}

impl Hash {
    /// An empty hash.
    pub fn new() -> Self {
        Self::with_room(0)
    }

    /// An empty hash with room for so many bytes of short fields and values.
    pub fn with_room(bytes: usize) -> Self {
        Self(Repr::Pairs(Listpack::with_capacity(bytes)))
    }

    /// Number of fields, those past their deadline that have not been taken out among them.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Pairs(pack) => pack.len() / 2,
            Repr::Triples(triples) => triples.pack.len() / 3,
            Repr::Table(table) => table.dict.len(),
        }
    }

    /// Whether it has no field.
    #[inline]
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Repr::Pairs(pack) => pack.is_empty(),
            Repr::Triples(triples) => triples.pack.is_empty(),
            Repr::Table(table) => table.dict.is_empty(),
        }
    }

    /// What OBJECT ENCODING answers.
    pub fn encoding(&self) -> &'static str {
        match &self.0 {
            Repr::Pairs(_) => "listpack",
            Repr::Triples(_) => "listpackex",
            Repr::Table(_) => "hashtable",
        }
    }

    /// Fields and values as they stand in a file, while no field can have a deadline.
    pub fn pairs(&self) -> Option<&Listpack> {
        if let Repr::Pairs(pack) = &self.0 { Some(pack) } else { None }
    }

    /// Fields, values and deadlines (0: none) as they stand in a file, the earliest deadline first.
    pub fn triples(&self) -> Option<&Listpack> {
        if let Repr::Triples(triples) = &self.0 { Some(&triples.pack) } else { None }
    }

    /// The fields as a table of entries, if the hash is not compact.
    pub fn table(&self) -> Option<&Dict<FieldEntry>> {
        if let Repr::Table(table) = &self.0 { Some(&table.dict) } else { None }
    }

    fn packed(&self) -> Option<Packed<'_>> {
        match &self.0 {
            Repr::Pairs(pack) => Some(Packed::pairs(pack)),
            Repr::Triples(triples) => Some(Packed::triples(&triples.pack)),
            Repr::Table(_) => None,
        }
    }

    /// The value of a field that is there at `now`.
    #[inline]
    pub fn get(&self, field: &[u8], now: i64) -> Option<FieldValue<'_>> {
        match &self.0 {
            Repr::Pairs(pack) => Packed::pairs(pack).get(field, now),
            Repr::Triples(triples) => Packed::triples(&triples.pack).get(field, now),
            Repr::Table(table) => table.find(field, now).map(FieldEntry::value),
        }
    }

    /// When a field that is there at `now` is due (Unix ms, or [`NEVER`]).
    pub fn deadline(&self, field: &[u8], now: i64) -> Option<i64> {
        match self.packed() {
            Some(packed) => packed.find(field).map(|at| packed.deadline(at)).filter(|deadline| !is_past(*deadline, now)),
            None => self.as_table()?.find(field, now).map(FieldEntry::deadline),
        }
    }

    fn as_table(&self) -> Option<&Table> {
        if let Repr::Table(table) = &self.0 { Some(table) } else { None }
    }

    /// Makes it a table if so many fields more, the longest of which (or of their values) has so many bytes, are more than a compact
    /// hash may get at once.
    #[inline]
    pub fn make_room(&mut self, fields: usize, longest: usize, limits: &PackLimits) {
        if (fields > limits.entries || longest > limits.value) && self.as_table().is_none() {
            self.become_table(limits.seed);
        }
    }

    /// Gives a field a value; `own` makes a long one that can be kept. Says whether the field is new at `now`.
    #[inline]
    pub fn set(
        &mut self,
        field: &[u8],
        value: &[u8],
        own: impl FnOnce() -> Bytes,
        old: OldDeadline,
        now: i64,
        limits: &PackLimits,
    ) -> bool {
        if let Repr::Table(table) = &mut self.0 {
            return table.set(field, value::stored(value, own), old, now);
        }
        let bytes = Listpack::string_bytes(field.len()) + Listpack::string_bytes(value.len());
        if field.len() > limits.value || value.len() > limits.value || self.compact_bytes() + bytes > listpack::BYTES_MAX {
            self.become_table(limits.seed);
            return self.set(field, value, own, old, now, limits);
        }
        let new = match &mut self.0 {
            Repr::Pairs(pack) => packed::set_pair(pack, field, value),
            Repr::Triples(triples) => packed::set_triple(&mut triples.pack, field, value, old, now),
            Repr::Table(_) => false,
        };
        if new && self.len() > limits.entries {
            self.become_table(limits.seed);
        }
        new
    }

    fn compact_bytes(&self) -> usize {
        self.packed().map_or(0, |packed| packed.pack.byte_len())
    }

    /// Gives a field a deadline (Unix ms), or takes it away with [`NEVER`]. `false` when there is no such field.
    pub fn set_deadline(&mut self, field: &[u8], deadline: i64) -> bool {
        if deadline != NEVER {
            self.expect_deadlines();
        }
        match &mut self.0 {
            Repr::Pairs(pack) => Packed::pairs(pack).find(field).is_some(),
            Repr::Triples(triples) => packed::set_deadline(&mut triples.pack, field, deadline),
            Repr::Table(table) => table.set_deadline(field, deadline),
        }
    }

    /// Takes on the encoding in which fields can have deadlines.
    pub fn expect_deadlines(&mut self) {
        if let Repr::Pairs(pack) = &self.0 {
            let pack = packed::with_deadlines(pack);
            self.0 = Repr::Triples(Box::new(Triples { pack, booked: Cell::new(NEVER) }));
        }
    }

    /// Takes a field out. Says whether it was there at `now`.
    pub fn remove(&mut self, field: &[u8], now: i64) -> bool {
        match &mut self.0 {
            Repr::Pairs(pack) => packed::remove(pack, 2, field, now),
            Repr::Triples(triples) => packed::remove(&mut triples.pack, 3, field, now),
            Repr::Table(table) => table.remove(field, now),
        }
    }

    /// A moment (Unix ms) before which no field is due, which is [`NEVER`] exactly when none has a deadline.
    #[inline]
    pub fn due_min(&self) -> i64 {
        match &self.0 {
            Repr::Pairs(_) => NEVER,
            Repr::Triples(triples) => Packed::triples(&triples.pack).deadline_min(),
            Repr::Table(table) => table.due_min(),
        }
    }

    /// Takes out about `most` fields that are past their deadline at `now`, and hands over their names. `false` when no such field is left.
    pub fn take_due(&mut self, now: i64, most: usize, each: impl FnMut(&[u8])) -> bool {
        match &mut self.0 {
            Repr::Pairs(_) => (),
            Repr::Triples(triples) => packed::take_due(&mut triples.pack, now, most, each),
            Repr::Table(table) => table.take_due(now, most, each),
        }
        is_past(self.due_min(), now)
    }

    /// The moment under which the hash is kept in its database's order of deadlines ([`NEVER`]: it is not). A copy is in none.
    pub fn booked(&self) -> i64 {
        match &self.0 {
            Repr::Pairs(_) => NEVER,
            Repr::Triples(triples) => triples.booked.get(),
            Repr::Table(table) => table.booked.get(),
        }
    }

    /// Notes that moment.
    pub fn book(&self, deadline: i64) {
        match &self.0 {
            Repr::Pairs(_) => (),
            Repr::Triples(triples) => triples.booked.set(deadline),
            Repr::Table(table) => table.booked.set(deadline),
        }
    }

    /// Whether it ought to be kept under another moment: one that is earlier, or under none.
    #[inline(always)]
    pub fn is_misbooked(&self) -> bool {
        if let Repr::Pairs(_) = self.0 {
            return false;
        }
        let (booked, due_min) = (self.booked(), self.due_min());
        due_min < booked || (due_min == NEVER) != (booked == NEVER)
    }

    /// All fields, in the order they are kept in.
    pub fn iter(&self) -> impl Iterator<Item = Field<'_>> {
        let packed = self.packed().map(Packed::iter);
        let table = self.table().map(|dict| dict.iter().map(Field::from));
        packed.into_iter().flatten().chain(table.into_iter().flatten())
    }

    /// Whether some of the fields that it counts are past their deadline at `now`, as far as can be told without looking at them.
    #[inline]
    pub fn may_owe(&self, now: i64) -> bool {
        is_past(self.due_min(), now)
    }

    /// Number of fields that are there at `now`. Looks at all of them if some may not be.
    pub fn len_at(&self, now: i64) -> usize {
        if self.may_owe(now) { self.iter().filter(|f| f.is_there(now)).count() } else { self.len() }
    }

    /// Bytes of memory it takes, the fixed part inside its [`Object`](super::object::Object) not counted. `samples` fields are looked at
    /// (0: all of them).
    pub fn allocated(&self, samples: usize) -> usize {
        match &self.0 {
            Repr::Pairs(pack) => pack.allocated(),
            Repr::Triples(triples) => size_of::<Triples>() + triples.pack.allocated(),
            Repr::Table(table) => size_of::<Table>() + table.allocated(samples),
        }
    }

    fn become_table(&mut self, seed: Seed) {
        let mut table = Table::new(seed);
        for field in self.iter() {
            table.insert(field.to_entry());
        }
        table.booked.set(self.booked());
        self.0 = Repr::Table(Box::new(table));
    }
}
