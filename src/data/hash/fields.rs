//! Fields as they are looked at, and chosen at random.

use super::{deadline::is_past, value::stored};
use crate::data::{
    entry::{Entry, Value},
    listpack::Item,
};
use bytes::Bytes;

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
