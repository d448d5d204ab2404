//! Fields as they are looked at, and chosen by chance.

use super::{Hash, is_past, table::stored};
use crate::data::{
    dict::Dict,
    entry::{Entry, Value},
    listpack::Item,
    object::Object,
    rng::Rng,
};
use bytes::Bytes;
use std::collections::HashSet;

/// A field of a hash.
#[derive(Clone, Copy)]
pub struct Field<'a> {
    /// Its name.
    pub name: Item<'a>,
    /// Its value.
    pub value: Value<'a>,
    /// When it is due: Unix time in milliseconds, or [`NEVER`](crate::data::entry::NEVER).
    pub deadline: i64,
}

/// A field as a table keeps it.
impl<'a> From<&'a Entry> for Field<'a> {
    fn from(entry: &'a Entry) -> Self {
        Self { name: Item::Str(entry.key()), value: entry.value(), deadline: entry.deadline() }
    }
}

impl Field<'_> {
    /// Whether it is there at `now`.
    #[inline]
    pub fn is_there(&self, now: i64) -> bool {
        !is_past(self.deadline, now)
    }

    /// A copy of it, as a table keeps it.
    pub(super) fn to_entry(self) -> Entry {
        let mut digits = itoa::Buffer::new();
        let name = self.name.text(&mut digits);
        let store = |text: &[u8]| stored(text, || Bytes::copy_from_slice(text)).into_entry(name, self.deadline);
        match self.value {
            Value::Int(n) => store(itoa::Buffer::new().format(n).as_bytes()),
            // As long as the compact form was allowed to hold it, which may be longer than an entry can.
            Value::Str(text) => store(text),
            Value::Object(object) => Entry::new_object(name, Box::new(object.clone()), self.deadline),
        }
    }
}

/// Bytes that an entry of a table takes, its long value included.
pub(super) fn entry_bytes(entry: &Entry) -> usize {
    entry.allocated()
        + match entry.value() {
            Value::Object(object) => size_of::<Object>() + object.bytes().map_or(0, |bytes| size_of_val(bytes) + bytes.len()),
            _ => 0,
        }
}

/// Draws from a table until a field is there at `now`. A replica may have to keep many that are not.
fn draw<'a>(dict: &'a Dict<Entry>, rng: &mut Rng, now: i64) -> Option<&'a Entry> {
    const TRIES: usize = 64;
    (0..TRIES).find_map(|_| dict.random(rng).filter(|entry| !is_past(entry.deadline(), now)))
}

pub(super) fn random<'a>(hash: &'a Hash, rng: &mut Rng, now: i64) -> Option<Field<'a>> {
    let owes = hash.may_owe(now);
    match (hash.packed(), hash.table()) {
        (Some(packed), _) if !owes => return packed.nth(rng.below(packed.len().max(1) as u64) as usize),
        (_, Some(dict)) => {
            if let Some(entry) = draw(dict, rng, now) {
                return Some(Field::from(entry));
            }
        }
        _ => (),
    }
    let there: Vec<Field<'_>> = hash.iter().filter(|f| f.is_there(now)).collect();
    if there.is_empty() { None } else { there.get(rng.below(there.len() as u64) as usize).copied() }
}

pub(super) fn sample<'a>(hash: &'a Hash, count: usize, rng: &mut Rng, now: i64) -> Vec<Field<'a>> {
    /// Where a choice takes more than this share of the table, going through all of it is cheaper than drawing until enough differ.
    const SHARE: usize = 3;
    const TRIES_EACH: usize = 8;
    if let Some(dict) = hash.table()
        && count.saturating_mul(SHARE) <= hash.len()
    {
        let mut chosen = HashSet::with_capacity(count);
        let mut fields = Vec::with_capacity(count);
        // Too many of them may be past their deadline for so many to differ.
        for _ in 0..count.saturating_mul(TRIES_EACH) {
            let Some(entry) = draw(dict, rng, now) else { break };
            if chosen.insert(std::ptr::from_ref(entry)) {
                fields.push(Field::from(entry));
            }
            if fields.len() == count {
                return fields;
            }
        }
    }
    let mut left = hash.len_at(now);
    let mut wanted = count.min(left);
    let mut fields = Vec::with_capacity(wanted);
    for field in hash.iter().filter(|f| f.is_there(now)) {
        if wanted == 0 {
            break;
        }
        // Each is taken with the chance that it is among those still wanted of those still to come.
        if rng.below(left as u64) < wanted as u64 {
            fields.push(field);
            wanted -= 1;
        }
        left -= 1;
    }
    fields
}
