//! The compact forms: pairs of field and value, and triples that end in a deadline.
//!
//! Triples are in the order of their deadlines, those without one (0) last, as Redis's files have them.

use super::{
    deadline::{OldDeadline, is_past},
    fields::Field,
    value::{FieldValue, value_of},
};
use crate::data::{
    listpack::{Item, Listpack, Pos},
    pair::NEVER,
};

/// What stands for a field without deadline.
const NONE: i64 = 0;

/// A listpack of pairs or triples.
#[derive(Clone, Copy)]
pub(super) struct Packed<'a> {
    pub pack: &'a Listpack,
    /// Elements a field.
    stride: usize,
}

impl<'a> Packed<'a> {
    pub fn pairs(pack: &'a Listpack) -> Self {
        Self { pack, stride: 2 }
    }

    pub fn triples(pack: &'a Listpack) -> Self {
        Self { pack, stride: 3 }
    }

    pub fn len(self) -> usize {
        self.pack.len() / self.stride
    }

    #[inline]
    pub fn find(self, field: &[u8]) -> Option<Pos> {
        self.pack.find(self.pack.first()?, field, self.stride - 1)
    }

    #[inline]
    pub fn get(self, field: &[u8], now: i64) -> Option<FieldValue<'a>> {
        let at = self.find(field)?;
        if is_past(self.deadline(at), now) {
            return None;
        }
        self.pack.next(at).map(|value| value_of(self.pack.get(value)))
    }

    /// The deadline of the field at `at`.
    #[inline]
    pub fn deadline(self, at: Pos) -> i64 {
        if self.stride == 2 {
            return NEVER;
        }
        let deadline = self.pack.next(at).and_then(|value| self.pack.next(value));
        deadline.map_or(NEVER, |at| read(self.pack.get(at)))
    }

    pub fn deadline_min(self) -> i64 {
        self.pack.first().map_or(NEVER, |first| self.deadline(first))
    }

    pub fn nth(self, index: usize) -> Option<Field<'a>> {
        let at = self.pack.nth(index * self.stride)?;
        self.iter_from(at).next()
    }

    pub fn iter(self) -> impl Iterator<Item = Field<'a>> {
        self.pack.first().map(|first| self.iter_from(first)).into_iter().flatten()
    }

    #[inline]
    fn iter_from(self, at: Pos) -> impl Iterator<Item = Field<'a>> {
        let mut items = self.pack.iter_from(at);
        std::iter::from_fn(move || {
            let (name, value) = (items.next()?, value_of(items.next()?));
            let deadline = if self.stride == 2 { NEVER } else { read(items.next()?) };
            Some(Field { name, value, deadline })
        })
    }
}

fn read(item: Item<'_>) -> i64 {
    match item {
        Item::Int(NONE) | Item::Str(_) => NEVER,
        Item::Int(deadline) => deadline,
    }
}

fn written(deadline: i64) -> Item<'static> {
    Item::Int(if deadline == NEVER { NONE } else { deadline })
}

/// The same fields with room for deadlines.
pub(super) fn with_deadlines(pairs: &Listpack) -> Listpack {
    let mut triples = Listpack::with_capacity(pairs.byte_len() + pairs.len());
    for (field, value) in pairs.pairs() {
        triples.push_item(field);
        triples.push_item(value);
        triples.push_item(Item::Int(NONE));
    }
    triples
}

/// Sets the value of a field; `true` when it is new.
#[inline]
pub(super) fn set_pair(pack: &mut Listpack, field: &[u8], value: &[u8]) -> bool {
    if let Some(at) = Packed::pairs(pack).find(field)
        && let Some(at) = pack.next(at)
    {
        pack.replace(at, value);
        return false;
    }
    pack.push(field);
    pack.push(value);
    true
}

/// Sets the value of a field; `true` when it is new at `now`.
pub(super) fn set_triple(pack: &mut Listpack, field: &[u8], value: &[u8], old: OldDeadline, now: i64) -> bool {
    let Some(at) = Packed::triples(pack).find(field) else {
        pack.push(field);
        pack.push(value);
        pack.push_item(Item::Int(NONE));
        return true;
    };
    let deadline = Packed::triples(pack).deadline(at);
    let was_past = is_past(deadline, now);
    if deadline != NEVER && (was_past || old == OldDeadline::Drops) {
        pack.remove_some(at, 3);
        pack.push(field);
        pack.push(value);
        pack.push_item(Item::Int(NONE));
    } else if let Some(at) = pack.next(at) {
        pack.replace(at, value);
    }
    was_past
}

/// Gives a field of triples a deadline, and the place that goes with it. `false` when there is no such field.
pub(super) fn set_deadline(pack: &mut Listpack, field: &[u8], deadline: i64) -> bool {
    let packed = Packed::triples(pack);
    let Some(at) = packed.find(field) else { return false };
    if packed.deadline(at) == deadline {
        return true;
    }
    let value = pack.next(at).map(|at| pack.get(at).to_vec()).unwrap_or_default();
    pack.remove_some(at, 3);
    insert_triple(pack, field, &value, deadline);
    true
}

/// Adds a triple where its deadline belongs.
pub(super) fn insert_triple(pack: &mut Listpack, field: &[u8], value: &[u8], deadline: i64) {
    let at = place_of(pack, deadline);
    // From the last to the first, each comes to stand in front of the one before.
    pack.insert_item(at, written(deadline));
    pack.insert(at, value);
    pack.insert(at, field);
}

/// Adds a field at the end.
pub(super) fn insert_field(pack: &mut Listpack, field: Field<'_>) {
    pack.push_item(field.name);
    match field.value {
        FieldValue::Int(n) => pack.push_item(Item::Int(n)),
        FieldValue::Str(text) => pack.push(text),
        FieldValue::Object(_) => pack.push(b""), // no element of a listpack is one
    }
    pack.push_item(written(field.deadline));
}

/// In front of the first triple that is due as late or later.
fn place_of(pack: &Listpack, deadline: i64) -> Pos {
    let mut at = pack.first();
    if deadline == NEVER {
        return pack.end();
    }
    while let Some(here) = at {
        let third = pack.next(here).and_then(|value| pack.next(value));
        if third.is_none_or(|third| read(pack.get(third)) >= deadline) {
            return here;
        }
        at = third.and_then(|third| pack.next(third));
    }
    pack.end()
}

/// Removes a field; `true` when it was there at `now`.
pub(super) fn remove(pack: &mut Listpack, stride: usize, field: &[u8], now: i64) -> bool {
    let packed = Packed { pack, stride };
    let Some(at) = packed.find(field) else { return false };
    let there = !is_past(packed.deadline(at), now);
    pack.remove_some(at, stride);
    there
}

/// Takes the first triples out as long as they are past their deadline.
pub(super) fn take_due(pack: &mut Listpack, now: i64, most: usize, mut each: impl FnMut(&[u8])) {
    let due = Packed::triples(pack).iter().take(most).take_while(|f| is_past(f.deadline, now));
    let mut count = 0;
    for field in due {
        each(field.name.text(&mut itoa::Buffer::new()));
        count += 1;
    }
    if let Some(first) = pack.first() {
        pack.remove_some(first, 3 * count);
    }
}
