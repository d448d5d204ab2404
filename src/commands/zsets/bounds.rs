//! Where a range of scores or of members begins and ends.

use crate::data::{float, number::until_nul, zset::Zset};
use std::ops::Range;

/// A range of scores, each end of which may be open.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scores {
    min: (f64, bool),
    max: (f64, bool),
}

/// A range of members that have the same score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MemberRange<'a> {
    min: MemberBound<'a>,
    max: MemberBound<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum MemberBound<'a> {
    /// `-`: in front of all.
    First,
    /// `+`: behind all.
    Last,
    /// `[member`.
    Closed(&'a [u8]),
    /// `(member`.
    Open(&'a [u8]),
}

/// A number as C's `strtod` reads one that fills the whole text: nothing at all is 0, and what is too large is infinite.
fn number(text: &[u8]) -> Option<f64> {
    let text = match until_nul(text) {
        [] => return Some(0.0),
        // White space in front is passed over.
        text => &text[text.iter().position(|b| !matches!(b, b' ' | b'\t'..=b'\r'))?..],
    };
    float::parse(text).or_else(|| {
        // What `float` refuses because it is out of range. The library also knows words, which begin with a letter.
        let unsigned = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
        let is_decimal = matches!(unsigned.first(), Some(b'0'..=b'9' | b'.'));
        is_decimal.then(|| std::str::from_utf8(text).ok()?.parse().ok()).flatten()
    })
}

/// A score, and whether it is left out.
fn score(text: &[u8]) -> Option<(f64, bool)> {
    match text {
        [b'(', rest @ ..] => Some((number(rest)?, true)),
        _ => Some((number(text)?, false)),
    }
}

impl Scores {
    /// Both ends; `None` when one is no number.
    pub fn parse(min: &[u8], max: &[u8]) -> Option<Self> {
        Some(Self { min: score(min)?, max: score(max)? })
    }

    /// The ranks of the members whose scores lie between.
    pub fn ranks(&self, zset: &Zset) -> Range<usize> {
        let ((min, min_open), (max, max_open)) = (self.min, self.max);
        if min > max || min == max && (min_open || max_open) {
            return 0..0;
        }
        let start = zset.rank_by_score(|score| score < min || min_open && score == min);
        start..zset.rank_by_score(|score| score < max || !max_open && score == max).max(start)
    }
}

impl<'a> MemberBound<'a> {
    fn parse(text: &'a [u8]) -> Option<Self> {
        match text {
            b"-" => Some(Self::First),
            b"+" => Some(Self::Last),
            [b'[', rest @ ..] => Some(Self::Closed(rest)),
            [b'(', rest @ ..] => Some(Self::Open(rest)),
            _ => None,
        }
    }
}

impl<'a> MemberRange<'a> {
    /// Both ends; `None` when one is not written as it has to be.
    pub fn parse(min: &'a [u8], max: &'a [u8]) -> Option<Self> {
        Some(Self { min: MemberBound::parse(min)?, max: MemberBound::parse(max)? })
    }

    /// The ranks of the members that lie between.
    pub fn ranks(&self, zset: &Zset) -> Range<usize> {
        let start = match self.min {
            MemberBound::First => 0,
            MemberBound::Last => zset.len(),
            MemberBound::Closed(min) => zset.rank_by_member(|member| member < min),
            MemberBound::Open(min) => zset.rank_by_member(|member| member <= min),
        };
        let end = match self.max {
            MemberBound::First => 0,
            MemberBound::Last => zset.len(),
            MemberBound::Closed(max) => zset.rank_by_member(|member| member <= max),
            MemberBound::Open(max) => zset.rank_by_member(|member| member < max),
        };
        start..end.max(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_is_read_as_strtod_reads_it() {
        for (text, number) in [
            ("1", 1.0),
            ("-inf", f64::NEG_INFINITY),
            ("+inf", f64::INFINITY),
            ("", 0.0),
            (" 1.5", 1.5),
            ("1e999", f64::INFINITY),
            ("-1e999", f64::NEG_INFINITY),
            ("1e-999", 0.0),
            ("0x10", 16.0),
            ("1\0x", 1.0),
            ("\0", 0.0),
        ] {
            assert_eq!(score(text.as_bytes()), Some((number, false)), "{text:?}");
            assert_eq!(score(format!("({text}").as_bytes()), Some((number, true)), "({text:?}");
        }
        for text in ["x", "1x", "nan", " ", "((1", "1 ", "-", "+", "--1", "[1", "1x\0"] {
            assert_eq!(score(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn a_member_needs_its_bracket() {
        assert_eq!(MemberRange::parse(b"-", b"+"), Some(MemberRange { min: MemberBound::First, max: MemberBound::Last }));
        assert_eq!(MemberRange::parse(b"[a", b"("), Some(MemberRange { min: MemberBound::Closed(b"a"), max: MemberBound::Open(b"") }));
        for text in ["", "a", "-x", "++", "1"] {
            assert_eq!(MemberRange::parse(b"-", text.as_bytes()), None, "{text:?}");
        }
    }
}
