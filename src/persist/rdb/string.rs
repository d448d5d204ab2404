//! Strings on their way in. A short one is read when it is all there; a long one is collected as it comes, each byte once.

use super::input::{Input, Reason, Stop, StringHead};
use crate::data::{
    entry::INLINE_MAX,
    lzf::{self, LENGTH_FACTOR_MAX},
};
use std::ops::Range;

/// Stored bytes of a string up to which it is waited for; from here on it is collected.
const WAITED_FOR_MAX: usize = 64 * 1024;

/// A string that is all there.
pub(super) enum Text {
    /// The canonical decimal form of this number.
    Int(i64),
    /// These bytes of the input.
    Span(Range<usize>),
    /// What a short compressed string decompressed to: it is in [`Strings::scratch`].
    Scratch,
    /// A long one.
    Owned(Vec<u8>),
}

/// Reads one string after another.
#[derive(Default)]
pub(super) struct Strings {
    collecting: Option<Collecting>,
    pub scratch: Vec<u8>,
}

/// A long string that has begun.
struct Collecting {
    /// Offset in the stream of its head.
    began: u64,
    data: Vec<u8>,
    /// Length of the string.
    length: usize,
    /// How many of its stored bytes have not been taken.
    stored_left: usize,
    compressed: bool,
}

impl Strings {
    /// The next string, taken from the input.
    pub fn next(&mut self, input: &mut Input) -> Result<Text, Stop> {
        if self.collecting.is_none() {
            let began = input.offset();
            let mut cursor = input.cursor();
            let head = cursor.head()?;
            let head_len = cursor.at;
            match head {
                StringHead::Int(n) => {
                    input.take(head_len);
                    return Ok(Text::Int(n));
                }
                StringHead::Plain(stored) => {
                    input.check_announced(stored, head_len)?;
                    if cursor.take(stored).is_ok() {
                        input.take(head_len + stored);
                        let end = input.position();
                        return Ok(Text::Span(end - stored..end));
                    }
                    if stored <= WAITED_FOR_MAX {
                        return Err(Stop::More);
                    }
                    input.take(head_len);
                    self.collecting = Some(Collecting { began, data: Vec::new(), length: stored, stored_left: stored, compressed: false });
                }
                StringHead::Lzf { stored, length } => {
                    input.check_announced(stored, head_len)?;
                    if length > stored.saturating_mul(LENGTH_FACTOR_MAX) {
                        return Err(Reason::Compression.into());
                    }
                    if length <= INLINE_MAX && stored <= WAITED_FOR_MAX {
                        let packed = cursor.take(stored)?;
                        lzf::decompress_into(packed, length, &mut self.scratch).map_err(|_| Reason::Compression)?;
                        input.take(head_len + stored);
                        return Ok(Text::Scratch);
                    }
                    input.take(head_len);
                    self.collecting = Some(Collecting { began, data: Vec::new(), length, stored_left: stored, compressed: true });
                }
            }
        }
        self.collect(input)
    }

    /// Offset in the stream of the long string that is being collected.
    pub fn collecting_since(&self) -> Option<u64> {
        self.collecting.as_ref().map(|collecting| collecting.began)
    }

    fn collect(&mut self, input: &mut Input) -> Result<Text, Stop> {
        let Some(collecting) = &mut self.collecting else { return Err(Stop::More) };
        if !collecting.advance(input)? {
            return Err(Stop::More);
        }
        let data = self.collecting.take().map(|done| done.data).unwrap_or_default();
        Ok(Text::Owned(data))
    }
}

impl Collecting {
    /// Takes what there is of it; whether that was the last.
    fn advance(&mut self, input: &mut Input) -> Result<bool, Stop> {
        let there = input.rest();
        let there = &there[..there.len().min(self.stored_left)];
        // Where the stream's size is known the length has been held against it. Elsewhere what has arrived justifies as much again.
        let missing = self.length - self.data.len();
        let granted = if input.knows_size() && !self.compressed { missing } else { self.data.len().max(2 * there.len()) };
        if self.data.capacity() - self.data.len() < there.len().min(missing) {
            self.data.reserve_exact(granted.min(missing));
        }
        let taken = if self.compressed {
            lzf::decompress_items(there, self.length, &mut self.data).map_err(|_| Reason::Compression)?
        } else {
            self.data.extend_from_slice(there);
            there.len()
        };
        let all_there = there.len() == self.stored_left;
        input.take(taken);
        self.stored_left -= taken;
        if self.stored_left == 0 && self.data.len() == self.length {
            return Ok(true);
        }
        // All of it was there, and it is not the string.
        if all_there { Err(Reason::Compression.into()) } else { Ok(false) }
    }
}

/// A short string inside of what is there, for the common case that a whole record is.
pub(super) enum Short {
    /// The canonical decimal form of this number.
    Int(i64),
    /// As many bytes from here on, counted as the cursor counts.
    Span(Range<usize>),
    /// What a compressed one decompressed to: it is in `scratch`.
    Scratch,
}

/// Reads a string that is all there; whatever stands in the way of that is found again, and told, by [`Strings::next`].
#[inline(always)]
pub(super) fn short(cursor: &mut super::input::InputCursor<'_>, scratch: &mut Vec<u8>) -> Option<Short> {
    match cursor.head().ok()? {
        StringHead::Plain(stored) => {
            let start = cursor.at;
            cursor.take(stored).ok()?;
            Some(Short::Span(start..cursor.at))
        }
        StringHead::Int(n) => Some(Short::Int(n)),
        StringHead::Lzf { stored, length } if length <= INLINE_MAX => {
            lzf::decompress_into(cursor.take(stored).ok()?, length, scratch).ok()?;
            Some(Short::Scratch)
        }
        StringHead::Lzf { .. } => None,
    }
}
