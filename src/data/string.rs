//! String values: how a new one is encoded, how long one is, and how one is edited in place.

use super::{
    number,
    pair::{Held, INLINE_MAX, NEVER, Pair, Value},
};
use bytes::{Bytes, BytesMut};
use std::mem;

/// A string that is edited and then longer than this gets a buffer that grows with it; a shorter one is copied.
const GROWING_MIN: usize = 4096;

/// A string on its way into an entry, already encoded.
pub enum NewString<'a, O> {
    /// The canonical decimal form of this number.
    Int(i64),
    /// At most [`INLINE_MAX`] bytes.
    Inline(&'a [u8]),
    /// More than that.
    Object(Box<O>),
}

impl<'a, O: Held> NewString<'a, O> {
    /// Chooses the encoding as Redis does; `own` makes a long string one that can be kept.
    #[inline(always)]
    pub fn encode(bytes: &'a [u8], own: impl FnOnce() -> Bytes) -> Self {
        if let Some(n) = number::parse_i64(bytes) {
            Self::Int(n)
        } else if bytes.len() <= INLINE_MAX {
            Self::Inline(bytes)
        } else {
            Self::Object(Box::new(O::from_bytes(own())))
        }
    }

    /// A new entry with this value.
    #[inline]
    pub fn into_entry(self, key: &[u8], deadline: i64) -> Pair<O> {
        match self {
            Self::Int(n) => Pair::new_int(key, n, deadline),
            Self::Inline(bytes) => Pair::new_inline(key, bytes, deadline),
            Self::Object(object) => Pair::new_object(key, object, deadline),
        }
    }

    /// Makes it the value of `entry`; key, access and deadline stay.
    #[inline(always)]
    pub fn store(self, entry: &mut Pair<O>) {
        match self {
            Self::Int(n) => entry.set_int(n),
            Self::Inline(bytes) => entry.set_inline(bytes),
            Self::Object(object) => entry.set_object(object),
        }
    }
}

/// Length in bytes; `None` when the value is not a string.
#[inline]
pub fn len<O: Held>(value: Value<'_, O>) -> Option<usize> {
    match value {
        Value::Str(bytes) => Some(bytes.len()),
        Value::Int(n) => Some(number::len_i64(n)),
        Value::Object(object) => object.bytes().map(Bytes::len),
    }
}

/// Writes `bytes` at offset `at`, with zeros between the string's end and there. The result is what Redis calls `raw`.
/// Returns the new length; `None` when the value is not a string.
///
/// A long string that no reply shares is not copied, and appending to it costs constant time on average.
pub fn splice<O: Held>(entry: &mut Pair<O>, at: usize, bytes: &[u8]) -> Option<usize> {
    let end = at + bytes.len();
    if let Some(object) = entry.object_mut() {
        let value = object.bytes_mut()?;
        let mut text = owned(mem::take(value), end);
        write_at(&mut text, at, bytes);
        let len = text.len();
        *value = Bytes::from(text);
        return Some(len);
    }
    let len = len(entry.value())?.max(end);
    let mut text = Vec::with_capacity(if len > GROWING_MIN { with_slack(len) } else { len });
    match entry.value() {
        Value::Str(old) => text.extend_from_slice(old),
        Value::Int(n) => number::write_i64(&mut text, n),
        Value::Object(_) => return None,
    }
    write_at(&mut text, at, bytes);
    if len > GROWING_MIN {
        entry.set_object(Box::new(O::from_bytes(Bytes::from(text))));
    } else {
        entry.set_inline(&text);
        entry.set_raw();
    }
    Some(len)
}

/// A new string of so many zeros. It is what Redis calls `raw`.
pub fn zeroed<O: Held>(key: &[u8], len: usize) -> Pair<O> {
    if len <= INLINE_MAX {
        return Pair::new_zeroed(key, len, NEVER);
    }
    // The allocator knows pages that are zero: most are not touched for it.
    Pair::new_object(key, Box::new(O::from_bytes(Bytes::from(vec![0; len]))), NEVER)
}

/// Hands the bytes over to be changed in place, once there are at least `len` of them: zeros are appended. The result is what Redis calls `raw`.
/// `None` when the value is not a string.
///
/// Costs nothing beside the change, unless the string grows or a reply shares it.
#[inline]
pub fn edit<O: Held, R>(entry: &mut Pair<O>, len: usize, change: impl FnOnce(&mut [u8]) -> R) -> Option<R> {
    if entry.inline_mut().is_none_or(|bytes| bytes.len() < len) {
        lengthen(entry, len);
    }
    if entry.object_mut().is_none() {
        entry.set_raw();
        return entry.inline_mut().map(change);
    }
    let value = entry.object_mut()?.bytes_mut()?;
    let mut own = owned_of_len(mem::take(value), len);
    let result = change(&mut own);
    *value = own.freeze();
    Some(result)
}

/// Appends zeros to a string that is held in its entry until it has `len` bytes; one that gets too long for that is so no more.
fn lengthen<O: Held>(entry: &mut Pair<O>, len: usize) {
    if let Value::Int(n) = entry.value() {
        entry.set_inline(itoa::Buffer::new().format(n).as_bytes());
    }
    let Value::Str(old) = entry.value() else { return };
    if len <= old.len() {
        return;
    }
    if len <= GROWING_MIN || len <= INLINE_MAX && is_leap(old.len(), len) {
        return entry.extend_inline(len);
    }
    let longer = zero_extended(old, len).freeze();
    entry.set_object(Box::new(O::from_bytes(longer)));
}

/// Replaces the string by these bytes. It is what Redis calls `raw` then.
pub fn replace<O: Held>(entry: &mut Pair<O>, bytes: &[u8]) {
    if bytes.len() <= INLINE_MAX {
        entry.set_inline(bytes);
        entry.set_raw();
    } else {
        entry.set_object(Box::new(O::from_bytes(Bytes::copy_from_slice(bytes))));
    }
}

/// Whether a string grows by more than its own length: most likely not because bytes come one after the other.
fn is_leap(old: usize, new: usize) -> bool {
    new / 2 > old
}

/// These bytes with zeros behind them, in a buffer that has room to spare if more may be expected.
fn zero_extended(old: &[u8], len: usize) -> BytesMut {
    if is_leap(old.len(), len) {
        // The allocator knows pages that are zero: most are not touched for it.
        let mut text = BytesMut::zeroed(len);
        text[..old.len()].copy_from_slice(old);
        return text;
    }
    let mut text = BytesMut::with_capacity(with_slack(len));
    text.extend_from_slice(old);
    text.resize(len, 0);
    text
}

/// The string in a buffer of our own, with zeros behind it where it is shorter than `len`: the same buffer, unless that is too small or a reply
/// still shares it.
fn owned_of_len(bytes: Bytes, len: usize) -> BytesMut {
    match bytes.try_into_mut() {
        Ok(mut own) if len <= own.capacity() => {
            own.resize(len.max(own.len()), 0);
            own
        }
        Ok(own) => zero_extended(&own, len),
        Err(shared) if len > shared.len() => zero_extended(&shared, len),
        Err(shared) => BytesMut::from(&shared[..]),
    }
}

fn write_at(text: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let end = at + bytes.len();
    if text.len() < at {
        text.resize(at, 0);
    }
    // What lies behind the old end is appended; what lies before it is overwritten.
    let inside = (text.len() - at).min(bytes.len());
    text[at..at + inside].copy_from_slice(&bytes[..inside]);
    text.extend_from_slice(&bytes[inside..]);
    debug_assert!(text.len() >= end);
}

/// A quarter more than is needed: growing then copies each byte four times on average, and wastes a fifth at most.
fn with_slack(len: usize) -> usize {
    len + len / 4
}

/// The string in a buffer of our own with room for `len` bytes: the same buffer, unless a reply still shares it.
fn owned(bytes: Bytes, len: usize) -> Vec<u8> {
    match bytes.try_into_mut() {
        Ok(own) => {
            let mut text = Vec::from(own);
            if text.capacity() < len {
                text.reserve_exact(with_slack(len) - text.len());
            }
            text
        }
        Err(shared) => {
            let capacity = if len > shared.len() { with_slack(len) } else { shared.len() };
            let mut text = Vec::with_capacity(capacity);
            text.extend_from_slice(&shared);
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{entry::Entry, object::Object};
    use proptest::prelude::*;

    fn bytes(entry: &Entry) -> Vec<u8> {
        match entry.value() {
            Value::Str(s) => s.to_vec(),
            Value::Int(n) => n.to_string().into_bytes(),
            Value::Object(o) => o.bytes().expect("a string").to_vec(),
        }
    }

    #[test]
    fn a_string_is_encoded_by_its_bytes() {
        let encode = |text: &'static [u8]| NewString::<Object>::encode(text, || Bytes::from_static(text));
        assert!(matches!(encode(b"12"), NewString::Int(12)));
        assert!(matches!(encode(b"012"), NewString::Inline(b"012")));
        assert!(matches!(encode(&[b'x'; INLINE_MAX]), NewString::Inline(_)));
        assert!(matches!(encode(&[b'x'; INLINE_MAX + 1]), NewString::Object(_)));
    }

    #[test]
    fn appending_to_a_long_string_reuses_its_buffer_until_that_is_shared() {
        let mut entry = Entry::new_inline(b"k", b"", NEVER);
        splice(&mut entry, 0, &[b'x'; 10_000]);
        let place = |entry: &Entry| match entry.value() {
            Value::Object(o) => o.bytes().map(|b| b.as_ptr()),
            _ => None,
        };
        let before = place(&entry);
        assert!(before.is_some());
        splice(&mut entry, 10_000, b"yy");
        assert_eq!(place(&entry), before);
        let reply = match entry.value() {
            Value::Object(o) => o.bytes().cloned(),
            _ => None,
        };
        splice(&mut entry, 0, b"z");
        assert_ne!(place(&entry), before);
        assert_eq!(reply.map(|r| r[0]), Some(b'x'), "the reply keeps what it was");
        assert_eq!(bytes(&entry)[0], b'z');
    }

    #[test]
    fn a_long_string_is_edited_where_it_is_until_that_is_shared() {
        let mut entry = zeroed(b"k", 100_000);
        let place = |entry: &mut Entry, len| edit(entry, len, |bytes| bytes.as_ptr());
        let before = place(&mut entry, 0);
        assert_eq!((place(&mut entry, 100_000), bytes(&entry).len()), (before, 100_000));
        assert!(place(&mut entry, 100_001).is_some() && bytes(&entry).len() == 100_001);
        let roomy = place(&mut entry, 0);
        assert_eq!((place(&mut entry, 110_000), bytes(&entry).len()), (roomy, 110_000), "it has room to spare");
        let reply = match entry.value() {
            Value::Object(o) => o.bytes().cloned(),
            _ => None,
        };
        edit(&mut entry, 0, |bytes| bytes[0] = 1);
        assert_ne!(place(&mut entry, 0), roomy);
        assert_eq!((reply.map(|reply| reply[0]), bytes(&entry)[0]), (Some(0), 1), "the reply keeps what it was");
    }

    #[test]
    fn what_is_no_string_is_not_edited() {
        let mut list = Entry::new_object(b"k", Box::new(Object::List(crate::data::list::List::new())), NEVER);
        assert_eq!(edit(&mut list, 10, |bytes| bytes.len()), None);
        assert_eq!(list.type_name(), "list");
    }

    proptest! {
        #[test]
        fn editing_is_what_it_is_for_a_vector(
            start in prop_oneof![any::<i64>().prop_map(|n| n.to_string().into_bytes()), proptest::collection::vec(any::<u8>(), 0..60)],
            edits in proptest::collection::vec((prop_oneof![0..300usize, 3000..5000usize, 30_000..90_000usize], any::<u8>()), 1..12),
        ) {
            let mut entry = NewString::encode(&start, Bytes::new).into_entry(b"key", 5);
            let mut model = start.clone();
            for (at, byte) in edits {
                model.resize(model.len().max(at + 1), 0);
                model[at] ^= byte;
                prop_assert_eq!(edit(&mut entry, at + 1, |bytes| { bytes[at] ^= byte; bytes.len() }), Some(model.len()));
                prop_assert!(bytes(&entry) == model);
                prop_assert_eq!((entry.encoding(), entry.deadline()), ("raw", 5));
            }
            replace(&mut entry, &model[..model.len() / 2]);
            prop_assert!(bytes(&entry) == model[..model.len() / 2]);
            prop_assert_eq!(entry.encoding(), "raw");
        }

        #[test]
        fn splicing_is_what_it_is_for_a_vector(
            start in prop_oneof![any::<i64>().prop_map(|n| n.to_string().into_bytes()), proptest::collection::vec(any::<u8>(), 0..60)],
            edits in proptest::collection::vec((0..9000usize, proptest::collection::vec(any::<u8>(), 1..300)), 1..20),
        ) {
            let mut entry = NewString::encode(&start, Bytes::new).into_entry(b"key", NEVER);
            let mut model = start.clone();
            for (at, text) in edits {
                let end = at + text.len();
                model.resize(model.len().max(end), 0);
                model[at..end].copy_from_slice(&text);
                prop_assert_eq!(splice(&mut entry, at, &text), Some(model.len()));
                prop_assert_eq!(bytes(&entry), model.clone());
                prop_assert_eq!(len(entry.value()), Some(model.len()));
                prop_assert_eq!(entry.encoding(), "raw");
            }
        }
    }
}
