//! What has been fed and not been taken yet, the numbers in it, and what can be wrong with them.

use super::{
    crc::{self, Sum},
    format::{Family, string_encoding as encoding},
};
use std::fmt;

/// Why bytes are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// They do not begin as a file does.
    Signature,
    /// A version we do not know, and the highest that we do.
    Version {
        /// Whose format.
        family: Family,
        /// What the file says.
        version: u32,
    },
    /// They end before the file does.
    Truncated,
    /// A number of elements or bytes that the rest of the file cannot hold.
    TooLong {
        /// What is announced, in bytes.
        announced: u64,
        /// How many bytes are left.
        left: u64,
    },
    /// A length that is none.
    Length(u8),
    /// A string in an encoding that there is not.
    StringEncoding(u8),
    /// A string whose compressed form is broken.
    Compression,
    /// A record that begins with a byte that means nothing.
    Opcode(u8),
    /// A value of a type that we do not have.
    Unsupported {
        /// The type's name.
        name: &'static str,
        /// Its number.
        code: u8,
        /// The key.
        key: Box<[u8]>,
    },
    /// A value that is not what its type says.
    Value(&'static str),
    /// A record that only other servers can make sense of.
    Foreign(&'static str),
    /// Data of this module that cannot be skipped.
    Module([u8; 9]),
    /// A key that comes twice in a database.
    Duplicate(Box<[u8]>),
    /// A database that is not there.
    Database {
        /// Its index.
        index: u64,
        /// How many there are.
        count: usize,
    },
    /// The checksum at the end is not that of the bytes.
    Checksum {
        /// What the bytes amount to.
        computed: u64,
        /// What stands there.
        stored: u64,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signature => f.write_str("this is no RDB file: it does not begin with REDIS or VALKEY and a version"),
            Self::Version { family, version } => {
                write!(f, "{} version {version} is not known here, only up to {}", family.name(), family.version_max())
            }
            Self::Truncated => f.write_str("the data ends before its end is marked"),
            Self::TooLong { announced, left } => write!(f, "{announced} bytes are announced, but at most {left} are left"),
            Self::Length(byte) => write!(f, "byte {byte:#04x} does not begin a length"),
            Self::StringEncoding(byte) => write!(f, "byte {byte:#04x} does not begin a string"),
            Self::Compression => f.write_str("a compressed string is broken"),
            Self::Opcode(byte) => write!(f, "byte {byte:#04x} begins no record"),
            Self::Unsupported { name, code, key } => {
                write!(f, "the value of key '{}' is of a type that is not supported: {name} (type {code})", key.escape_ascii())
            }
            Self::Value(what) => write!(f, "a value is broken: {what}"),
            Self::Foreign(what) => write!(f, "not supported: {what}"),
            Self::Duplicate(key) => write!(f, "key '{}' comes twice", key.escape_ascii()),
            Self::Database { index, count } => write!(f, "there are keys of database {index}, but only {count} databases here"),
            Self::Module(name) => write!(f, "broken data of module '{}'", name.escape_ascii()),
            Self::Checksum { computed, stored } => write!(f, "RDB CRC error: the checksum should be {computed:016x} and is {stored:016x}"),
        }
    }
}

/// Where bytes are refused, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RdbError {
    /// Bytes from the beginning of the stream to the record, or the part of one, that is refused.
    pub offset: u64,
    /// What is wrong.
    pub reason: Reason,
}

impl fmt::Display for RdbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: {}", self.offset, self.reason)
    }
}

impl std::error::Error for RdbError {}

/// Why a read returned nothing.
#[derive(Debug)]
pub(super) enum Stop {
    /// It is not all there yet.
    More,
    /// It will never be.
    Bad(Reason),
    /// There may be more, but the caller gets control first.
    Part,
}

impl From<Reason> for Stop {
    fn from(reason: Reason) -> Self {
        Self::Bad(reason)
    }
}

/// The head of a string: how its bytes follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StringHead {
    /// Nothing follows: this is the number.
    Int(i64),
    /// This many bytes, as they are.
    Plain(usize),
    /// `stored` bytes of LZF, which make `length`.
    Lzf { stored: usize, length: usize },
}

/// Reads through what is there, and takes nothing: what was not all there can be read again.
#[derive(Clone, Copy)]
pub(super) struct InputCursor<'a> {
    bytes: &'a [u8],
    /// Bytes read.
    pub at: usize,
}

impl<'a> InputCursor<'a> {
    /// Everything in front of it.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    #[inline(always)]
    pub fn u8(&mut self) -> Result<u8, Stop> {
        let byte = *self.bytes.get(self.at).ok_or(Stop::More)?;
        self.at += 1;
        Ok(byte)
    }

    #[inline(always)]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let array = *self.bytes.get(self.at..).and_then(|rest| rest.first_chunk()).ok_or(Stop::More)?;
        self.at += N;
        Ok(array)
    }

    /// The next `n` bytes.
    #[inline(always)]
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], Stop> {
        let end = self.at.checked_add(n).ok_or(Stop::More)?;
        let taken = self.bytes.get(self.at..end).ok_or(Stop::More)?;
        self.at = end;
        Ok(taken)
    }

    /// A length whose first byte has been read.
    #[inline(always)]
    fn length_from(&mut self, first: u8) -> Result<u64, Stop> {
        match first {
            0..0x40 => Ok(u64::from(first)),
            0x40..0x80 => Ok(u64::from(first & 0x3f) << 8 | u64::from(self.u8()?)),
            0x80 => Ok(u64::from(u32::from_be_bytes(self.array()?))),
            0x81 => Ok(u64::from_be_bytes(self.array()?)),
            _ => Err(Reason::Length(first).into()),
        }
    }

    #[inline(always)]
    pub fn length(&mut self) -> Result<u64, Stop> {
        let first = self.u8()?;
        self.length_from(first)
    }

    /// A length of something in memory.
    #[inline(always)]
    fn size(&mut self, first: u8) -> Result<usize, Stop> {
        let length = self.length_from(first)?;
        usize::try_from(length).map_err(|_| Reason::TooLong { announced: length, left: usize::MAX as u64 }.into())
    }

    /// The head of a string.
    #[inline(always)]
    pub fn head(&mut self) -> Result<StringHead, Stop> {
        let first = self.u8()?;
        if first < 0xc0 { self.size(first).map(StringHead::Plain) } else { self.head_encoded(first) }
    }

    fn head_encoded(&mut self, first: u8) -> Result<StringHead, Stop> {
        Ok(match first & 0x3f {
            encoding::INT8 => StringHead::Int(i64::from(i8::from_le_bytes(self.array()?))),
            encoding::INT16 => StringHead::Int(i64::from(i16::from_le_bytes(self.array()?))),
            encoding::INT32 => StringHead::Int(i64::from(i32::from_le_bytes(self.array()?))),
            encoding::LZF => {
                let stored_first = self.u8()?;
                let stored = self.size(stored_first)?;
                let length_first = self.u8()?;
                let length = self.size(length_first)?;
                StringHead::Lzf { stored, length }
            }
            _ => return Err(Reason::StringEncoding(first).into()),
        })
    }
}

/// What has been fed and not been taken yet; counts and sums what is taken.
pub(super) struct Input {
    buf: Vec<u8>,
    /// What comes before is taken.
    at: usize,
    /// What comes before is in the sum, where there is one.
    summed: usize,
    /// Offset in the stream of the buffer's first byte.
    base: u64,
    sum: Option<Sum>,
    /// Bytes of the whole stream, if that is known.
    size: Option<u64>,
}

impl Input {
    pub fn new(size: Option<u64>) -> Self {
        Self { buf: Vec::new(), at: 0, summed: 0, base: 0, sum: Some(crc::sum()), size }
    }

    /// Adds what comes next.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.sum_up();
        // Moving what is left costs its length, so it waits until as much has been taken: every byte is moved once, on average.
        if self.at == self.buf.len() || self.at >= self.buf.len() / 2 {
            self.buf.drain(..self.at);
            self.base += self.at as u64;
            (self.at, self.summed) = (0, 0);
        }
        self.buf.extend_from_slice(bytes);
    }

    fn sum_up(&mut self) {
        if let Some(sum) = &mut self.sum {
            sum.update(&self.buf[self.summed..self.at]);
        }
        self.summed = self.at;
    }

    /// What is there.
    #[inline(always)]
    pub fn rest(&self) -> &[u8] {
        &self.buf[self.at..]
    }

    /// What is there, to read.
    #[inline(always)]
    pub fn cursor(&self) -> InputCursor<'_> {
        InputCursor::new(self.rest())
    }

    /// Takes `n` bytes, all of which are there.
    #[inline(always)]
    pub fn take(&mut self, n: usize) {
        debug_assert!(n <= self.buf.len() - self.at);
        self.at += n;
    }

    /// The bytes that [`Input::take`] took last lie in front of here; a range that ends here stays valid until the next feed.
    #[inline(always)]
    pub fn position(&self) -> usize {
        self.at
    }

    /// Bytes at such a position.
    #[inline(always)]
    pub fn at(&self, range: std::ops::Range<usize>) -> &[u8] {
        &self.buf[range]
    }

    /// Bytes of the stream that have been taken.
    pub fn offset(&self) -> u64 {
        self.base + self.at as u64
    }

    /// Refuses what is announced to be longer than the rest of the stream.
    #[inline(always)]
    pub fn check_announced(&self, announced: usize, head: usize) -> Result<(), Reason> {
        match self.size {
            Some(size) => {
                let left = size.saturating_sub(self.offset() + head as u64);
                if announced as u64 > left { Err(Reason::TooLong { announced: announced as u64, left }) } else { Ok(()) }
            }
            None => Ok(()),
        }
    }

    /// Whether the stream's size is known, so that what [`Input::check_announced`] lets pass is worth memory at once.
    pub fn knows_size(&self) -> bool {
        self.size.is_some()
    }

    /// Sums no more.
    pub fn forget_sum(&mut self) {
        self.sum = None;
    }

    /// The sum of all that has been taken, and no more of what follows.
    pub fn take_sum(&mut self) -> Option<u64> {
        self.sum_up();
        self.sum.take().map(Sum::finalize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(bytes: &[u8]) -> Result<u64, Stop> {
        InputCursor::new(bytes).length()
    }

    #[test]
    fn lengths_come_in_four_sizes() {
        assert!(matches!(length(&[0x3f]), Ok(63)));
        assert!(matches!(length(&[0x40, 64]), Ok(64)));
        assert!(matches!(length(&[0x7f, 0xff]), Ok(16383)));
        assert!(matches!(length(&[0x80, 0, 0, 0x40, 0]), Ok(16384)));
        assert!(matches!(length(&[0x81, 0, 0, 0, 1, 0, 0, 0, 0]), Ok(0x1_0000_0000)));
        assert!(matches!(length(&[0x81, 0, 0, 0, 1, 0, 0, 0]), Err(Stop::More)));
        assert!(matches!(length(&[0x82]), Err(Stop::Bad(Reason::Length(0x82)))));
        assert!(matches!(length(&[0xc0]), Err(Stop::Bad(Reason::Length(0xc0)))));
    }

    #[test]
    fn strings_say_in_their_head_how_they_follow() {
        let head = |bytes: &[u8]| InputCursor::new(bytes).head();
        assert!(matches!(head(&[5]), Ok(StringHead::Plain(5))));
        assert!(matches!(head(&[0xc0, 0x80]), Ok(StringHead::Int(-128))));
        assert!(matches!(head(&[0xc1, 0, 0x80]), Ok(StringHead::Int(-32768))));
        assert!(matches!(head(&[0xc2, 0xff, 0xff, 0xff, 0x7f]), Ok(StringHead::Int(0x7fff_ffff))));
        assert!(matches!(head(&[0xc3, 3, 0x41, 0]), Ok(StringHead::Lzf { stored: 3, length: 256 })));
        assert!(matches!(head(&[0xc4]), Err(Stop::Bad(Reason::StringEncoding(0xc4)))));
        assert!(matches!(head(&[0xc3, 0xc0]), Err(Stop::Bad(Reason::Length(0xc0)))));
    }

    #[test]
    fn what_is_taken_is_counted_and_summed_however_it_is_fed() {
        let mut input = Input::new(None);
        for byte in *b"123456789xyz" {
            input.feed(&[byte]);
            if input.offset() < 9 {
                input.take(1);
            }
        }
        assert_eq!((input.offset(), input.rest()), (9, &b"xyz"[..]));
        assert_eq!(input.take_sum(), Some(crc::checksum(b"123456789")));
    }
}
