//! One element: its encodings, written and read.
//!
//! ```text
//! 0vvvvvvv                      integer 0..127
//! 10llllll                      string of up to 63 bytes
//! 110vvvvv vvvvvvvv             integer of 13 bits
//! 1110llll llllllll             string of up to 4095 bytes
//! 11110000 l l l l              longer string
//! 11110001, ..010, ..011, ..100 integer of 16, 24, 32, 64 bits
//! ```

use super::item::Item;

/// Strings shorter than this have their length in their first byte.
pub(super) const STRING_6: usize = 1 << 6;
const STRING_12: usize = 1 << 12;

/// Bytes that the length of so many bytes takes, to be read backwards: seven bits a byte.
#[inline]
fn back_bytes(len: usize) -> usize {
    match len {
        0..=127 => 1,
        128..=16_382 => 2,
        16_383..=2_097_150 => 3,
        2_097_151..=268_435_454 => 4,
        _ => 5,
    }
}

/// Bytes in front of a string's own.
#[inline]
fn string_head(len: usize) -> usize {
    match len {
        0..STRING_6 => 1,
        STRING_6..STRING_12 => 2,
        _ => 5,
    }
}

/// Bytes a string takes in all.
pub(super) fn string_total(len: usize) -> usize {
    let body = string_head(len) + len;
    body + back_bytes(body)
}

/// Integers from 0 to this one take a byte.
pub(super) const BYTE_MAX: i64 = 127;

/// The element that such an integer is.
#[inline]
pub(super) fn byte(n: i64) -> [u8; 2] {
    [n as u8, 1]
}

/// Writes a string that is shorter than [`STRING_6`] over these bytes, of which there are two more than of it.
#[inline]
pub(super) fn write_short(out: &mut [u8], bytes: &[u8]) {
    let len = bytes.len();
    out[0] = 0x80 | len as u8;
    out[1..=len].copy_from_slice(bytes);
    out[len + 1] = len as u8 + 1;
}

/// An element, ready to be written.
pub(super) struct Encoded<'a> {
    head: [u8; 9],
    head_len: u8,
    data: &'a [u8],
}

impl<'a> Encoded<'a> {
    #[inline]
    pub fn new(item: Item<'a>) -> Self {
        let mut head = [0; 9];
        let (head_len, data) = match item {
            Item::Int(n) => (int_head(&mut head, n), &[][..]),
            Item::Str(bytes) => {
                match bytes.len() {
                    len @ 0..STRING_6 => head[0] = 0x80 | len as u8,
                    len @ STRING_6..STRING_12 => {
                        head[0] = 0xe0 | (len >> 8) as u8;
                        head[1] = len as u8;
                    }
                    len => {
                        head[0] = 0xf0;
                        head[1..5].copy_from_slice(&(len as u32).to_le_bytes());
                    }
                }
                (string_head(bytes.len()), bytes)
            }
        };
        Self { head, head_len: head_len as u8, data }
    }

    #[inline]
    fn body(&self) -> usize {
        usize::from(self.head_len) + self.data.len()
    }

    /// Bytes it takes.
    #[inline]
    pub fn total(&self) -> usize {
        self.body() + back_bytes(self.body())
    }

    /// Encoding and data, without the length behind them.
    pub fn parts(&self) -> (&[u8], &[u8]) {
        (&self.head[..usize::from(self.head_len)], self.data)
    }

    /// Writes it over these bytes, which are as many as it takes.
    #[inline]
    pub fn write(&self, out: &mut [u8]) {
        let (head, body) = (usize::from(self.head_len), self.body());
        out[..head].copy_from_slice(&self.head[..head]);
        out[head..body].copy_from_slice(self.data);
        match &mut out[body..] {
            // As it is for what is not longer than 127 bytes.
            [only] => *only = body as u8,
            back => put_back(back, body),
        }
    }
}

fn int_head(head: &mut [u8; 9], n: i64) -> usize {
    let bytes = n.to_le_bytes();
    let (code, len) = match n {
        0..=127 => {
            head[0] = n as u8;
            return 1;
        }
        -4096..=4095 => {
            head[0] = 0xc0 | (n >> 8 & 0x1f) as u8;
            head[1] = n as u8;
            return 2;
        }
        -0x8000..=0x7fff => (0xf1, 2),
        -0x80_0000..=0x7f_ffff => (0xf2, 3),
        -0x8000_0000..=0x7fff_ffff => (0xf3, 4),
        _ => (0xf4, 8),
    };
    head[0] = code;
    head[1..=len].copy_from_slice(&bytes[..len]);
    1 + len
}

/// Writes a length so that it can be read from its last byte on: that one has the lowest bits, and each but the first is marked.
fn put_back(out: &mut [u8], len: usize) {
    for (i, byte) in out.iter_mut().rev().enumerate() {
        *byte = (len >> (7 * i)) as u8 & 0x7f;
    }
    let count = out.len();
    out[1..count].iter_mut().for_each(|byte| *byte |= 0x80);
}

/// The length that ends in front of `end`, and how many bytes it takes.
fn read_back(bytes: &[u8], end: usize) -> Option<(usize, usize)> {
    let (mut len, mut shift) = (0usize, 0);
    for at in (0..end).rev().take(5) {
        len |= usize::from(bytes[at] & 0x7f) << shift;
        shift += 7;
        if bytes[at] & 0x80 == 0 {
            return Some((len, end - at));
        }
    }
    None
}

/// Bytes of encoding and data of the element that `bytes` begins with; `None` when the bytes that say so are not there or mean nothing.
#[inline]
fn body_len(bytes: &[u8]) -> Option<usize> {
    let first = *bytes.first()?;
    Some(match first {
        0x00..=0x7f => 1,
        0x80..=0xbf => 1 + usize::from(first & 0x3f),
        0xc0..=0xdf => 2,
        0xe0..=0xef => 2 + (usize::from(first & 0x0f) << 8 | usize::from(*bytes.get(1)?)),
        0xf0 => 5 + u32::from_le_bytes(bytes.get(1..5)?.try_into().ok()?) as usize,
        0xf1 => 3,
        0xf2 => 4,
        0xf3 => 5,
        0xf4 => 9,
        _ => return None,
    })
}

/// Bytes of the element that `bytes` begins with, checked against what it says backwards.
pub(super) fn checked_len(bytes: &[u8]) -> Option<usize> {
    let body = body_len(bytes)?;
    let total = body + back_bytes(body);
    if total > bytes.len() {
        return None;
    }
    (read_back(bytes, total)? == (body, total - body)).then_some(total)
}

/// Bytes of the element at `at`. There is one.
#[inline]
pub(super) fn len_at(bytes: &[u8], at: usize) -> usize {
    // What is in a listpack has been checked or written by us.
    let body = body_len(&bytes[at..]).unwrap_or(1);
    body + back_bytes(body)
}

/// Where the element that ends in front of `end` begins.
#[inline]
pub(super) fn start_before(bytes: &[u8], end: usize) -> usize {
    let last = bytes[end - 1];
    if last & 0x80 == 0 {
        return end - 1 - usize::from(last);
    }
    read_back(bytes, end).map_or(end, |(body, back)| end - body - back)
}

/// The element at `at`, and the bytes it takes. There is one.
#[inline]
pub(super) fn read(bytes: &[u8], at: usize) -> (Item<'_>, usize) {
    let rest = &bytes[at..];
    let first = rest[0];
    let int = |len: usize| {
        // The bytes are the low ones of the number; the shift spreads its sign.
        let mut wide = [0; 8];
        wide[8 - len..].copy_from_slice(&rest[1..=len]);
        (Item::Int(i64::from_le_bytes(wide) >> (64 - 8 * len)), 1 + len)
    };
    let string = |head: usize, len: usize| (Item::Str(&rest[head..head + len]), head + len);
    let (item, body) = match first {
        0x00..=0x7f => (Item::Int(i64::from(first)), 1),
        0x80..=0xbf => string(1, usize::from(first & 0x3f)),
        0xc0..=0xdf => (Item::Int((i64::from(first & 0x1f) << 59 >> 51) | i64::from(rest[1])), 2),
        0xe0..=0xef => string(2, usize::from(first & 0x0f) << 8 | usize::from(rest[1])),
        0xf0 => string(5, u32::from_le_bytes([rest[1], rest[2], rest[3], rest[4]]) as usize),
        0xf1 => int(2),
        0xf2 => int(3),
        0xf3 => int(4),
        0xf4 => int(8),
        _ => unreachable!("checked when it came in"),
    };
    (item, body + back_bytes(body))
}
