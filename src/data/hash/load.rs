//! Hashes from files: compact forms taken over as they are, others put together field by field. Duplicates are refused.

use super::{Hash, PackLimits, Packed, Repr, Table, Triples, packed, value::stored};
use crate::data::{
    listpack::{BYTES_MAX, Item, Listpack},
    pair::NEVER,
};
use bytes::Bytes;
use std::cell::Cell;

impl Hash {
    /// A hash from alternating fields and values; `None` when they are not, or a field is there twice. More fields than a compact hash may
    /// have become a table.
    pub fn from_pairs(pack: Listpack, limits: &PackLimits) -> Option<Self> {
        if !pack.len().is_multiple_of(2) || !are_different(Packed::pairs(&pack)) {
            return None;
        }
        Some(Self(Repr::Pairs(pack)).within(limits))
    }

    /// A hash from alternating fields, values and deadlines (Unix ms; 0: none), in any order of their deadlines; `None` when they are not, or
    /// a field is there twice.
    pub fn from_triples(pack: Listpack, limits: &PackLimits) -> Option<Self> {
        if !pack.len().is_multiple_of(3) || !are_different(Packed::triples(&pack)) {
            return None;
        }
        let mut items = pack.iter().skip(2).step_by(3);
        if items.any(|item| !matches!(item, Item::Int(0..))) {
            return None;
        }
        let packed = Packed::triples(&pack);
        let pack = if packed.iter().is_sorted_by_key(|f| f.deadline) {
            pack
        } else {
            let mut fields: Vec<_> = packed.iter().collect();
            fields.sort_by_key(|f| f.deadline);
            let mut sorted = Listpack::with_capacity(pack.byte_len());
            for field in fields {
                packed::insert_field(&mut sorted, field);
            }
            sorted
        };
        Some(Self(Repr::Triples(Box::new(Triples { pack, booked: Cell::new(NEVER) }))).within(limits))
    }

    fn within(mut self, limits: &PackLimits) -> Self {
        if self.len() > limits.entries {
            self.become_table(limits.seed);
        }
        self
    }
}

/// Whether no two fields are the same.
fn are_different(packed: Packed<'_>) -> bool {
    // What a hostile file keeps as text may be the digits of what it keeps as a number.
    let mut names: Vec<Item<'_>> = packed
        .iter()
        .map(|field| match field.name {
            Item::Str(text) => Item::new(text),
            number => number,
        })
        .collect();
    names.sort_unstable();
    names.windows(2).all(|two| two[0] != two[1])
}

/// A hash that is put together field by field.
pub struct Builder {
    hash: Hash,
    limits: PackLimits,
}

impl Builder {
    /// Nothing yet. `fields` is how many are announced: it decides between the forms, and nothing is allocated for it.
    pub fn new(fields: usize, limits: PackLimits) -> Self {
        let mut hash = Hash::new();
        if fields > limits.entries {
            hash.become_table(limits.seed);
        }
        Self { hash, limits }
    }

    /// Adds a field with its value and deadline (Unix ms, or [`NEVER`]); `own` makes a long value that can be kept. `false` when the field
    /// is there already; a compact hash finds that out only in [`Builder::finish`].
    pub fn push(&mut self, field: &[u8], value: &[u8], own: impl FnOnce() -> Bytes, deadline: i64) -> bool {
        let PackLimits { entries, value: longest, seed } = self.limits;
        let outgrown = field.len() > longest || value.len() > longest || self.hash.len() >= entries;
        if !matches!(self.hash.0, Repr::Table(_)) && (outgrown || self.hash.compact_bytes() + field.len() + value.len() > BYTES_MAX) {
            if !self.hash.packed().is_none_or(are_different) {
                return false;
            }
            self.hash.become_table(seed);
        }
        if deadline != NEVER {
            self.hash.expect_deadlines();
        }
        match &mut self.hash.0 {
            Repr::Pairs(pack) => {
                pack.push(field);
                pack.push(value);
            }
            Repr::Triples(triples) => packed::insert_triple(&mut triples.pack, field, value, deadline),
            Repr::Table(table) => return add(table, field, value, own, deadline),
        }
        true
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.hash.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.hash.is_empty()
    }

    /// The hash; `None` when a field was there twice.
    pub fn finish(self) -> Option<Hash> {
        self.hash.packed().is_none_or(are_different).then_some(self.hash)
    }
}

fn add(table: &mut Table, field: &[u8], value: &[u8], own: impl FnOnce() -> Bytes, deadline: i64) -> bool {
    let there = table.find(field, super::ANY_TIME).is_some();
    if !there {
        table.insert(stored(value, own).into_entry(field, deadline));
    }
    !there
}
