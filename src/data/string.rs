//! String values: how a new one is encoded, how long one is, and how one is edited in place.

use super::{
    entry::{Entry, INLINE_MAX, Value},
    number,
    object::Object,
};
use bytes::Bytes;
use std::mem;

/// A string that is edited and then longer than this gets a buffer that grows with it; a shorter one is copied.
const GROWING_MIN: usize = 4096;

/// A string on its way into an entry, already encoded.
pub enum NewString<'a> {
    /// The canonical decimal form of this number.
    Int(i64),
    /// At most [`INLINE_MAX`] bytes.
    Inline(&'a [u8]),
    /// More than that.
    Object(Box<Object>),
}

impl<'a> NewString<'a> {
    /// Chooses the encoding as Redis does; `own` makes a long string one that can be kept.
    #[inline(always)]
    pub fn encode(bytes: &'a [u8], own: impl FnOnce() -> Bytes) -> Self {
        if let Some(n) = number::parse_i64(bytes) {
            Self::Int(n)
        } else if bytes.len() <= INLINE_MAX {
            Self::Inline(bytes)
        } else {
            Self::Object(Box::new(Object::from_bytes(own())))
        }
    }

    /// A new entry with this value.
    #[inline]
    pub fn into_entry(self, key: &[u8], deadline: i64) -> Entry {
        match self {
            Self::Int(n) => Entry::new_int(key, n, deadline),
            Self::Inline(bytes) => Entry::new_inline(key, bytes, deadline),
            Self::Object(object) => Entry::new_object(key, object, deadline),
        }
    }

    /// Makes it the value of `entry`; key, access and deadline stay.
    #[inline(always)]
    pub fn store(self, entry: &mut Entry) {
        match self {
            Self::Int(n) => entry.set_int(n),
            Self::Inline(bytes) => entry.set_inline(bytes),
            Self::Object(object) => entry.set_object(object),
        }
    }
}

/// Length in bytes; `None` when the value is not a string.
#[inline]
pub fn len(value: Value<'_>) -> Option<usize> {
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
pub fn splice(entry: &mut Entry, at: usize, bytes: &[u8]) -> Option<usize> {
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
        entry.set_object(Box::new(Object::from_bytes(Bytes::from(text))));
    } else {
        entry.set_inline(&text);
        entry.set_raw();
    }
    Some(len)
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
    use crate::data::entry::NEVER;
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
        let encode = |text: &'static [u8]| NewString::encode(text, || Bytes::from_static(text));
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

    proptest! {
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
