//! Values of fields, as they are kept.

use crate::data::{
    listpack::Item,
    number,
    pair::{Held, INLINE_MAX, Pair, Value},
    string::NewString,
};
use bytes::Bytes;

/// A field with its value in one allocation.
pub type FieldEntry = Pair<Bytes>;

/// The value of a field.
pub type FieldValue<'a> = Value<'a, Bytes>;

/// An element of a listpack as a value.
pub(super) fn value_of(item: Item<'_>) -> FieldValue<'_> {
    match item {
        Item::Int(n) => FieldValue::Int(n),
        Item::Str(bytes) => FieldValue::Str(bytes),
    }
}

/// Whether a value is worth keeping as a number: its digits take more room than the eight bytes of one.
pub(super) fn as_number(value: &[u8]) -> Option<i64> {
    if value.len() < size_of::<i64>() { None } else { number::parse_i64(value) }
}

/// A value, encoded for an entry; `own` makes a long one that can be kept.
#[inline]
pub(super) fn stored(value: &[u8], own: impl FnOnce() -> Bytes) -> NewString<'_, Bytes> {
    match as_number(value) {
        Some(n) => NewString::Int(n),
        None if value.len() <= INLINE_MAX => NewString::Inline(value),
        None => NewString::Object(Box::new(own())),
    }
}

/// Bytes that an entry of a table takes, its long value included.
pub(super) fn entry_bytes(entry: &FieldEntry) -> usize {
    entry.allocated()
        + match entry.value() {
            FieldValue::Object(bytes) => size_of_val(bytes) + bytes.allocated(0),
            _ => 0,
        }
}
