//! Fields as they are looked at, and chosen at random.

use super::{
    deadline::is_past,
    value::{FieldEntry, FieldValue, stored},
};
use crate::data::listpack::Item;
use bytes::Bytes;

/// A field of a hash.
#[derive(Clone, Copy)]
pub struct Field<'a> {
    /// Its name.
    pub name: Item<'a>,
    /// Its value.
    pub value: FieldValue<'a>,
    /// When it is due: Unix time in milliseconds, or [`NEVER`](crate::data::pair::NEVER).
    pub deadline: i64,
}

/// A field as a table keeps it.
impl<'a> From<&'a FieldEntry> for Field<'a> {
    fn from(entry: &'a FieldEntry) -> Self {
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
    pub(super) fn to_entry(self) -> FieldEntry {
        let mut digits = itoa::Buffer::new();
        let name = self.name.text(&mut digits);
        let store = |text: &[u8]| stored(text, || Bytes::copy_from_slice(text)).into_entry(name, self.deadline);
        match self.value {
            FieldValue::Int(n) => store(itoa::Buffer::new().format(n).as_bytes()),
            // As long as the compact form was allowed to hold it, which may be longer than an entry can.
            FieldValue::Str(text) => store(text),
            FieldValue::Object(object) => FieldEntry::new_object(name, Box::new(object.clone()), self.deadline),
        }
    }
}
