//! IDs among the arguments, as Redis reads them, and as text.

use crate::{
    commands::Ctx,
    data::{
        number::{parse_u64_lenient, until_nul},
        stream::StreamId,
    },
};
use std::ops::Range;

const INVALID: &str = "ERR Invalid stream ID specified as stream command argument";

/// No ID is written in more bytes than these, however many zeros stand in front.
const LEN_MAX: usize = 127;

/// Bytes of the longest ID.
const TEXT_MAX: usize = 41;

/// An ID as text.
pub(super) struct IdText {
    bytes: [u8; TEXT_MAX],
    len: usize,
}

impl IdText {
    pub(super) fn new(id: StreamId) -> Self {
        let mut text = Self { bytes: [b'-'; TEXT_MAX], len: 0 };
        text.push(id.ms);
        // The dash is there.
        text.len += 1;
        text.push(id.seq);
        text
    }

    fn push(&mut self, number: u64) {
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(number).as_bytes();
        let end = self.len + digits.len();
        self.bytes[self.len..end].copy_from_slice(digits);
        self.len = end;
    }

    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// [`StreamId::parse`], and `-` and `+` for the least and the greatest of all IDs.
fn parse_or_end(text: &[u8], missing_seq: u64) -> Option<StreamId> {
    match until_nul(text) {
        b"-" => Some(StreamId::MIN),
        b"+" => Some(StreamId::MAX),
        _ => StreamId::parse(text, missing_seq),
    }
}

/// The ID that XADD is to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NewId {
    /// The next one for this moment.
    Auto,
    /// The next one of this millisecond.
    OfMs(u64),
    /// This one.
    Given(StreamId),
}

impl NewId {
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        match until_nul(text) {
            b"*" => Some(Self::Auto),
            [ms @ .., b'-', b'*'] if !ms.contains(&b'-') && text.len() <= LEN_MAX => parse_u64_lenient(ms).map(Self::OfMs),
            _ => StreamId::parse(text, 0).map(Self::Given),
        }
    }

    /// The ID behind `last`, if it can be behind it.
    pub(super) fn resolve(self, last: StreamId, now_ms: i64) -> Option<StreamId> {
        let id = match self {
            Self::Auto if now_ms as u64 > last.ms => StreamId { ms: now_ms as u64, seq: 0 },
            Self::Auto => last.next()?,
            Self::OfMs(ms) if ms == last.ms => StreamId { ms, seq: last.seq.checked_add(1)? },
            Self::OfMs(ms) => StreamId { ms, seq: 0 },
            Self::Given(id) => id,
        };
        (id > last).then_some(id)
    }
}

/// Argument `i` as an ID; answers with an error when it is none.
pub(super) fn id_arg(ctx: &mut Ctx<'_>, i: usize) -> Option<StreamId> {
    valid(ctx, StreamId::parse(ctx.arg(i), 0))
}

/// The same, which may be `-` or `+`.
pub(super) fn id_or_end_arg(ctx: &mut Ctx<'_>, i: usize) -> Option<StreamId> {
    valid(ctx, parse_or_end(ctx.arg(i), 0))
}

/// Answers with an error when there is no ID.
pub(super) fn valid(ctx: &mut Ctx<'_>, id: Option<StreamId>) -> Option<StreamId> {
    if id.is_none() {
        ctx.error(INVALID);
    }
    id
}

/// These arguments as IDs; answers with an error when one is none.
pub(super) fn id_args(ctx: &mut Ctx<'_>, which: Range<usize>) -> Option<Vec<StreamId>> {
    which.map(|i| id_arg(ctx, i)).collect()
}

/// An end of an interval: whether it belongs to it, and its ID.
fn interval_end(ctx: &mut Ctx<'_>, i: usize, missing_seq: u64) -> Option<(bool, StreamId)> {
    match ctx.arg(i) {
        [b'(', rest @ ..] if !rest.is_empty() => Some((false, valid(ctx, StreamId::parse(rest, missing_seq))?)),
        text => Some((true, valid(ctx, parse_or_end(text, missing_seq))?)),
    }
}

/// Argument `i` as the beginning of an interval; answers with an error when it is none.
pub(super) fn from_arg(ctx: &mut Ctx<'_>, i: usize) -> Option<StreamId> {
    let (included, id) = interval_end(ctx, i, 0)?;
    let id = if included { Some(id) } else { id.next() };
    if id.is_none() {
        ctx.error("ERR invalid start ID for the interval");
    }
    id
}

/// Argument `i` as the end of an interval; answers with an error when it is none.
pub(super) fn to_arg(ctx: &mut Ctx<'_>, i: usize) -> Option<StreamId> {
    let (included, id) = interval_end(ctx, i, u64::MAX)?;
    let id = if included { Some(id) } else { id.prev() };
    if id.is_none() {
        ctx.error("ERR invalid end ID for the interval");
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn id(ms: u64, seq: u64) -> StreamId {
        StreamId { ms, seq }
    }

    #[test]
    fn an_id_is_one_number_or_two() {
        for (text, expected) in [
            ("5", Some(id(5, 7))),
            ("5-3", Some(id(5, 3))),
            ("18446744073709551615-18446744073709551615", Some(StreamId::MAX)),
            ("007-08", Some(id(7, 8))),
            ("+5", Some(id(5, 7))),
            (" 5- 3", Some(id(5, 3))),
            ("5\0x", Some(id(5, 7))),
            ("18446744073709551616", None),
            ("", None),
            ("-", None),
            ("+", None),
            ("5-", None),
            ("-5", None),
            ("5--3", None),
            ("5-3-1", None),
            ("x", None),
            ("5-*", None),
            ("$", None),
        ] {
            assert_eq!(StreamId::parse(text.as_bytes(), 7), expected, "{text:?}");
        }
        assert_eq!(StreamId::parse(&[b'0'; LEN_MAX], 0), Some(StreamId::MIN));
        assert_eq!(StreamId::parse(&[b'0'; LEN_MAX + 1], 0), None);
    }

    #[test]
    fn a_new_id_is_behind_the_last() {
        assert_eq!(NewId::parse(b"*"), Some(NewId::Auto));
        assert_eq!(NewId::parse(b"5-*"), Some(NewId::OfMs(5)));
        assert_eq!(NewId::parse(b"5"), Some(NewId::Given(id(5, 0))));
        assert_eq!(NewId::parse(b"5-6-*"), None);
        assert_eq!(NewId::parse(b"-*"), None);
        let last = id(100, 2);
        assert_eq!(NewId::Auto.resolve(last, 101), Some(id(101, 0)));
        assert_eq!(NewId::Auto.resolve(last, 100), Some(id(100, 3)));
        assert_eq!(NewId::Auto.resolve(last, 50), Some(id(100, 3)), "a clock that was set back");
        assert_eq!(NewId::Auto.resolve(id(100, u64::MAX), 50), Some(id(101, 0)));
        assert_eq!(NewId::OfMs(100).resolve(last, 0), Some(id(100, 3)));
        assert_eq!(NewId::OfMs(101).resolve(last, 0), Some(id(101, 0)));
        assert_eq!(NewId::OfMs(99).resolve(last, 0), None);
        assert_eq!(NewId::OfMs(100).resolve(id(100, u64::MAX), 0), None);
        assert_eq!(NewId::Given(last).resolve(last, 0), None);
        assert_eq!(NewId::OfMs(0).resolve(StreamId::MIN, 0), Some(id(0, 1)));
    }

    #[test]
    fn an_id_is_written_as_two_numbers() {
        for (id, text) in [(StreamId::MIN, "0-0"), (id(12, 3), "12-3"), (StreamId::MAX, "18446744073709551615-18446744073709551615")] {
            assert_eq!(IdText::new(id).bytes(), text.as_bytes());
        }
    }
}
