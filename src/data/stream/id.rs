//! Names of entries: the moment of their arrival, and a number among those of the same one.

use crate::data::number;

/// The name of an entry. Those of a stream only ever rise.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash)]
pub struct StreamId {
    /// Milliseconds since 1970, unless somebody chose otherwise.
    pub ms: u64,
    /// Which of the entries of that millisecond it is.
    pub seq: u64,
}

/// Bytes of an ID's text beyond which Redis does not look at it.
const TEXT_MAX: usize = 127;

impl StreamId {
    /// The first of all. No entry has it.
    pub const MIN: Self = Self { ms: 0, seq: 0 };
    /// The last of all.
    pub const MAX: Self = Self { ms: u64::MAX, seq: u64::MAX };

    /// An ID of its two numbers.
    pub const fn new(ms: u64, seq: u64) -> Self {
        Self { ms, seq }
    }

    /// The one behind it, if there is any.
    pub fn next(self) -> Option<Self> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(Self { ms: self.ms, seq }),
            None => Some(Self { ms: self.ms.checked_add(1)?, seq: 0 }),
        }
    }

    /// The one in front of it, if there is any.
    pub fn prev(self) -> Option<Self> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(Self { ms: self.ms, seq }),
            None => Some(Self { ms: self.ms.checked_sub(1)?, seq: u64::MAX }),
        }
    }

    /// Appends it as it is written, `ms-seq`.
    #[inline]
    pub fn write(&self, out: &mut Vec<u8>) {
        number::write_u64(out, self.ms);
        out.push(b'-');
        number::write_u64(out, self.seq);
    }

    /// Reads `ms-seq` or `ms`, each half as Redis reads it.
    pub fn parse(text: &[u8], seq_if_missing: u64) -> Option<Self> {
        if text.len() > TEXT_MAX {
            return None;
        }
        let text = number::until_nul(text);
        let (ms, seq) = match memchr::memchr(b'-', text) {
            Some(at) => (&text[..at], number::parse_u64_lenient(&text[at + 1..])?),
            None => (text, seq_if_missing),
        };
        Some(Self { ms: number::parse_u64_lenient(ms)?, seq })
    }

    /// The ID so far behind this one. The two numbers go on by themselves, as they lie in a node.
    #[inline]
    pub(super) fn offset(self, ms: i64, seq: i64) -> Self {
        Self { ms: self.ms.wrapping_add_signed(ms), seq: self.seq.wrapping_add_signed(seq) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn id(ms: u64, seq: u64) -> StreamId {
        StreamId { ms, seq }
    }

    #[test]
    fn neighbours_carry_over_and_end() {
        assert_eq!(id(1, 2).next(), Some(id(1, 3)));
        assert_eq!(id(1, u64::MAX).next(), Some(id(2, 0)));
        assert_eq!(StreamId::MAX.next(), None);
        assert_eq!(id(1, 2).prev(), Some(id(1, 1)));
        assert_eq!(id(1, 0).prev(), Some(id(0, u64::MAX)));
        assert_eq!(StreamId::MIN.prev(), None);
    }

    #[test]
    fn text_is_read_as_redis_reads_it() {
        let cases: &[(&[u8], Option<StreamId>)] = &[
            (b"5", Some(id(5, 9))),
            (b"5-0", Some(id(5, 0))),
            (b"05-01", Some(id(5, 1))),
            (b"18446744073709551615-18446744073709551615", Some(StreamId::MAX)),
            (b"18446744073709551616", None),
            (b"", None),
            (b"-", None),
            (b"+", None),
            (b"-1", None),
            (b"1-", None),
            (b"1-2-3", None),
            (b"1-*", None),
            (b"a", None),
            (b"7-3\0junk", Some(id(7, 3))),
            (b"7\0-3", Some(id(7, 9))),
        ];
        for (text, expected) in cases {
            assert_eq!(StreamId::parse(text, 9), *expected, "{}", text.escape_ascii());
        }
        assert_eq!(StreamId::parse(&[b'0'; 128], 0), None);
        assert_eq!(StreamId::parse(&[b'0'; 127], 0), Some(StreamId::MIN));
    }

    #[test]
    fn what_is_written_is_read_back() {
        for id in [StreamId::MIN, id(3, 4), StreamId::MAX] {
            let mut text = Vec::new();
            id.write(&mut text);
            assert_eq!(StreamId::parse(&text, 1), Some(id));
        }
    }
}
