//! What SCAN, SSCAN, HSCAN and ZSCAN share: the cursor, the options, and the reply.

use super::{Ctx, context::errors};
use crate::{
    data::{
        dict::{Cursor, Dict, Slot},
        glob, number,
    },
    resp::output::Output,
};

/// COUNT when it is not given.
const COUNT: usize = 10;
/// Buckets that are looked at for each element that was asked for, so that a walk through an emptied table comes back in time.
const BUCKETS_PER_ELEMENT: usize = 10;

/// What a walk was asked to do.
pub struct Scan<'a> {
    /// About how many elements to look at.
    pub count: usize,
    /// What they have to match; `None`: nothing.
    pub pattern: Option<&'a [u8]>,
}

impl<'a> Scan<'a> {
    /// The options from argument `from` on; answers with an error when they are wrong.
    ///
    /// `more` is asked about each word that is neither COUNT nor MATCH, with the argument behind it, and says how many arguments of
    /// the two it has taken: none is a syntax error.
    pub fn options(ctx: &mut Ctx<'a>, from: usize, mut more: impl FnMut(&'a [u8], Option<&'a [u8]>) -> usize) -> Option<Self> {
        let mut scan = Self { count: COUNT, pattern: None };
        let mut i = from;
        while i < ctx.argc() {
            let value = (i + 1 < ctx.argc()).then(|| ctx.arg(i + 1));
            let mut taken = 2;
            match value {
                Some(_) if ctx.is_word(i, "count") => match ctx.int_arg(i + 1)? {
                    ..1 => taken = 0,
                    count => scan.count = usize::try_from(count).unwrap_or(usize::MAX),
                },
                Some(pattern) if ctx.is_word(i, "match") => scan.pattern = Some(pattern).filter(|p| !glob::is_literal_all(p)),
                _ => taken = more(ctx.arg(i), value),
            }
            if taken == 0 {
                ctx.error(errors::SYNTAX);
                return None;
            }
            i += taken;
        }
        Some(scan)
    }

    /// Whether an element with this name is wanted.
    #[inline]
    pub fn wants(&self, name: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| glob::matches(pattern, name, false))
    }

    /// Walks on through a table and returns where to go on then.
    pub fn walk<T: Slot>(&self, dict: &Dict<T>, from: Cursor, visit: impl FnMut(&T)) -> Cursor {
        dict.scan(from, self.count, self.count.saturating_mul(BUCKETS_PER_ELEMENT), visit)
    }
}

/// What a walk has found: its number is known only at the end.
#[derive(Default)]
pub struct ScanReply {
    strings: Output,
    len: usize,
}

impl ScanReply {
    /// Adds a string.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) {
        self.strings.bulk(bytes);
        self.len += 1;
    }

    /// Answers with where to go on and what was found.
    pub fn reply(self, out: &mut Output, next: Cursor) {
        out.array(2);
        out.bulk(itoa::Buffer::new().format(next.0).as_bytes());
        out.array(self.len);
        out.append(self.strings);
    }
}

/// Argument `i` as a cursor; answers with an error when it is none.
pub fn cursor(ctx: &mut Ctx<'_>, i: usize) -> Option<Cursor> {
    let cursor = parse_cursor(ctx.arg(i)).map(Cursor);
    if cursor.is_none() {
        ctx.error("ERR invalid cursor");
    }
    cursor
}

/// A cursor as C's `strtoul` reads one: an empty one is 0, a negative one wraps.
fn parse_cursor(text: &[u8]) -> Option<u64> {
    let text = number::until_nul(text);
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if digits.is_empty() && !text.is_empty() {
        return None;
    }
    let mut value = 0u64;
    for digit in digits {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        value = value.checked_mul(10)?.checked_add(digit)?;
    }
    Some(if negative { value.wrapping_neg() } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_strtoul_reads_it() {
        for (text, value) in
            [("0", 0), ("", 0), ("007", 7), ("+5", 5), ("-1", u64::MAX), ("7\0x", 7), ("\0", 0), ("18446744073709551615", u64::MAX)]
        {
            assert_eq!(parse_cursor(text.as_bytes()), Some(value), "{text:?}");
        }
        for text in [" 0", "0 ", "x", "1x", "-", "+", "--1", "18446744073709551616", "0x10"] {
            assert_eq!(parse_cursor(text.as_bytes()), None, "{text:?}");
        }
    }
}
