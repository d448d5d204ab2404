//! Values of fields, as they are kept.

use crate::data::{
    entry::{Entry, INLINE_MAX, Value},
    listpack::Item,
    number,
    object::Object,
    string::NewString,
};
use bytes::Bytes;

/// An element of a listpack as a value.
pub(super) fn value_of(item: Item<'_>) -> Value<'_> {
    match item {
        Item::Int(n) => Value::Int(n),
        Item::Str(bytes) => Value::Str(bytes),
    }
}

/// Whether a value is worth keeping as a number: its digits take more room than the eight bytes of one.
pub(super) fn as_number(value: &[u8]) -> Option<i64> {
    if value.len() < size_of::<i64>() { None } else { number::parse_i64(value) }
}

/// A value, encoded for an entry; `own` makes a long one that can be kept.
#[inline]
pub(super) fn stored(value: &[u8], own: impl FnOnce() -> Bytes) -> NewString<'_> {
    match as_number(value) {
        Some(n) => NewString::Int(n),
        None if value.len() <= INLINE_MAX => NewString::Inline(value),
        None => NewString::Object(Box::new(Object::from_bytes(own()))),
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
