//! Single values, as DUMP gives and RESTORE takes them: the type, the value, and 10 bytes of footer (the format's version in 2, the CRC-64
//! of all before it in 8, both little-endian).

use super::{
    building::Built,
    collections::{put_value, type_of, version_of},
    crc,
    encode::Settings,
    format::{Family, VERSION_WRITTEN},
    input::{Input, Stop},
    packer::{Out, Packer},
    shapes::Shapes,
    string::Strings,
    value::Making,
};
use crate::{config::UserData, data::entry::Entry};

pub(super) const FOOTER: usize = 10;

/// Why a payload is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It has no footer, one of a version that we do not know, or a checksum that is not that of its bytes.
    Footer,
    /// The value is broken, or of a type that we do not have.
    Value,
}

/// The value of an entry, without key and deadline.
pub fn dump(entry: &Entry, settings: Settings) -> Vec<u8> {
    let code = type_of(entry.value(), settings.version_max);
    let mut out = Out::default();
    out.tail.push(code);
    put_value(&mut out, &mut Packer::new(settings.compression, settings.version_max), entry.value());
    let mut out = out.into_vec();
    sign(&mut out, version_of(code));
    out
}

/// Puts the footer behind a type and a value.
pub(super) fn sign(out: &mut Vec<u8>, version: u32) {
    out.extend_from_slice(&(version as u16).to_le_bytes());
    let sum = crc::checksum(out);
    out.extend_from_slice(&sum.to_le_bytes());
}

/// A type and a value, whatever they are worth, as a payload.
pub fn signed(body: &[u8]) -> Vec<u8> {
    let mut payload = body.to_vec();
    sign(&mut payload, VERSION_WRITTEN);
    payload
}

/// Bytes that the value of an entry takes in a file, without its type.
pub fn value_len(entry: &Entry, compression: bool) -> usize {
    let mut out = Out::default();
    put_value(&mut out, &mut Packer::new(compression, u32::MAX), entry.value());
    out.len()
}

/// How a payload is taken.
#[derive(Clone, Copy)]
pub struct Restoring {
    /// Whether its checksum has to be right.
    pub verify: bool,
    /// What a collection is to look like.
    pub shapes: Shapes,
}

/// An entry with the value of a payload, under this key and with this deadline.
pub fn restore(payload: &[u8], key: &[u8], deadline: i64, how: Restoring) -> Result<Entry, Refused> {
    let (body, footer) = payload.split_last_chunk::<FOOTER>().ok_or(Refused::Footer)?;
    let [low, high, stored @ ..] = *footer;
    let family = Family::of_payload(u32::from(u16::from_le_bytes([low, high]))).ok_or(Refused::Footer)?;
    if how.verify && crc::checksum(&payload[..payload.len() - stored.len()]) != u64::from_le_bytes(stored) {
        return Err(Refused::Footer);
    }
    let (code, value) = body.split_first().ok_or(Refused::Value)?;
    let mut making = Making::begin(family, *code, how.shapes).ok_or(Refused::Value)?;
    let (mut input, mut strings) = (Input::new(Some(value.len() as u64)), Strings::default());
    input.forget_sum();
    input.feed(value);
    // Bytes behind the value are ignored, as in Redis.
    let built = loop {
        match making.advance(&mut input, &mut strings) {
            Err(Stop::Part) => (),
            Err(Stop::Bad(reason)) => {
                log::warn!("The payload for key '{}' is refused: {reason}", UserData(key));
                return Err(Refused::Value);
            }
            Ok(Built::Empty) | Err(Stop::More) => return Err(Refused::Value),
            Ok(built) => break built,
        }
    };
    Ok(built.show(&input, &strings).encode().into_entry(key, deadline))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::entry::{NEVER, NewString, Value};
    use bytes::Bytes;
    use proptest::prelude::*;

    fn entry(value: &[u8]) -> Entry {
        NewString::encode(value, || Bytes::copy_from_slice(value)).into_entry(b"from", NEVER)
    }

    fn bytes(entry: &Entry) -> Vec<u8> {
        match entry.value() {
            Value::Int(n) => n.to_string().into_bytes(),
            Value::Str(s) => s.to_vec(),
            Value::Object(o) => o.bytes().expect("a string").to_vec(),
        }
    }

    #[test]
    fn a_payload_is_the_one_that_redis_makes() {
        // What redis-server 7.0.15 answers to DUMP.
        assert_eq!(dump(&entry(b"v1"), Settings::default()), b"\x00\x02v1\n\x00_\xe5\xb0^\xcbPy[");
        assert_eq!(dump(&entry(b"70000"), Settings::default()), b"\x00\xc2p\x11\x01\x00\n\x00\x01\xa4\x08\xfe\x950\x95\xa5");
        let compressed = b"\x00\xc3\x09\x36\x01aa\xe0)\x00\x01aa\n\x00s~<Tm\xe6\xafC";
        assert!(restore(compressed, b"k", NEVER, HOW()).is_ok_and(|entry| bytes(&entry) == [b'a'; 54]));
    }

    #[test]
    fn what_is_broken_is_refused_by_the_part_that_is() {
        let good = dump(&entry(b"value"), Settings::default());
        assert!(restore(&good, b"k", NEVER, HOW()).is_ok());
        assert_eq!(restore(b"", b"k", NEVER, HOW()).err(), Some(Refused::Footer));
        assert_eq!(restore(&good[2..], b"k", NEVER, HOW()).err(), Some(Refused::Footer));
        let signed = |body: &[u8], version: u16| {
            let mut payload = [body, &version.to_le_bytes()].concat();
            payload.extend_from_slice(&crc::checksum(&payload).to_le_bytes());
            payload
        };
        assert!(restore(&signed(b"\x00\x01v", 80), b"k", NEVER, HOW()).is_ok());
        assert!(restore(&signed(b"\x00\x01v and more", 12), b"k", NEVER, HOW()).is_ok());
        assert_eq!(restore(&signed(b"\x00\x01v", 99), b"k", NEVER, HOW()).err(), Some(Refused::Footer));
        for body in [&b""[..], b"\x00", b"\x00\x05v", b"\x01\x00", b"\xff\x00", b"\x00\xc4", b"\x00\x81\xff\xff\xff\xff\xff\xff\xff\xff"] {
            assert_eq!(restore(&signed(body, 10), b"k", NEVER, HOW()).err(), Some(Refused::Value), "{body:?}");
        }
    }

    #[test]
    fn the_length_of_a_value_is_that_in_a_file() {
        let cases: [(&[u8], usize); 8] = [
            (b"1", 2),
            (b"-129", 3),
            (b"2147483647", 5),
            (b"2147483648", 11),
            (b"", 1),
            (b"hello", 6),
            (&[b'x'; 20], 21),
            (&[b'x'; 100], 9),
        ];
        for (bytes, len) in cases {
            assert_eq!(value_len(&entry(bytes), true), len, "{}", String::from_utf8_lossy(bytes));
        }
        assert_eq!(value_len(&entry(&[b'x'; 100]), false), 102);
    }

    const HOW: fn() -> Restoring = || Restoring { verify: true, shapes: Shapes::default() };

    #[test]
    fn a_checksum_can_be_passed_over() {
        let mut payload = dump(&entry(b"value"), Settings::default());
        *payload.last_mut().expect("it is not empty") ^= 1;
        assert_eq!(restore(&payload, b"k", NEVER, HOW()).err(), Some(Refused::Footer));
        assert!(restore(&payload, b"k", NEVER, Restoring { verify: false, ..HOW() }).is_ok());
    }

    proptest! {
        #[test]
        fn what_is_dumped_can_be_restored(
            value in prop_oneof![
                any::<i64>().prop_map(|n| n.to_string().into_bytes()),
                proptest::collection::vec(any::<u8>(), 0..200),
                (proptest::collection::vec(any::<u8>(), 1..40), 1..9000usize).prop_map(|(piece, n)| piece.repeat(n)),
            ],
            compression: bool,
        ) {
            let restored = restore(&dump(&entry(&value), Settings { compression, ..Settings::default() }), b"to", 5, HOW());
            prop_assert!(restored.is_ok());
            if let Ok(restored) = restored {
                prop_assert_eq!((restored.key(), restored.deadline()), (&b"to"[..], 5));
                prop_assert_eq!(bytes(&restored), value);
            }
        }

        #[test]
        fn any_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = restore(&bytes, b"k", NEVER, HOW());
        }
    }
}
