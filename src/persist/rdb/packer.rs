//! Strings and lengths as bytes.

use super::format::string_encoding as encoding;
pub(super) use crate::persist::out::Out;
use crate::{
    data::{intset::Intset, listpack::Listpack, lzf::Compressor, number},
    persist::out::BY_REFERENCE_MIN,
};
use bytes::Bytes;

/// Redis does not try to compress what is not longer.
const COMPRESSED_MIN: usize = 21;

/// A longer string stays as it is: compressing it would stop the loop for more than about a millisecond, and what stays can be handed on by reference.
const COMPRESSED_MAX: usize = 256 * 1024;

/// Writes strings, in the shortest form there is.
pub(super) struct Packer {
    /// The latest version of the format that values may need.
    pub version: u32,
    compression: bool,
    compressor: Option<Compressor>,
    /// Strings in a row that could not be compressed, tried or not.
    misses: u32,
    /// Where what is put together for it is put together.
    scratch: Vec<u8>,
}

/// After so many strings in a row that could not be compressed, the next ones most likely cannot either...
const MISSES: u32 = 64;
/// ...and only each so many is tried, until one can: trying costs more than all the rest of writing a short string.
const TRIED_EACH: u32 = 8;

impl Packer {
    pub fn new(compression: bool, version: u32) -> Self {
        Self { version, compression, compressor: None, misses: 0, scratch: Vec::new() }
    }

    /// Whether a string of this length is compressed where it can be.
    fn packs(&self, len: usize) -> bool {
        self.compression && (COMPRESSED_MIN..=COMPRESSED_MAX).contains(&len)
    }

    /// Whether the next string is worth a try.
    #[inline]
    fn is_tried(&mut self) -> bool {
        self.misses += 1;
        if self.misses < MISSES + TRIED_EACH {
            return self.misses <= MISSES;
        }
        self.misses = MISSES;
        true
    }

    /// Writes a string that may be long, without copying it where it is.
    pub fn shared(&mut self, out: &mut Out, bytes: &Bytes) {
        if bytes.len() < BY_REFERENCE_MIN || self.packs(bytes.len()) {
            return self.string(&mut out.tail, bytes);
        }
        put_length(&mut out.tail, bytes.len() as u64);
        out.put_shared(bytes);
    }

    /// Writes a string.
    #[inline]
    pub fn string(&mut self, out: &mut Vec<u8>, bytes: &[u8]) {
        /// Digits, and a sign, of the longest number of 32 bits.
        const I32_LEN_MAX: usize = 11;
        if bytes.len() <= I32_LEN_MAX
            && let Some(n) = number::parse_i64(bytes)
        {
            return put_int(out, n);
        }
        if self.packs(bytes.len())
            && self.is_tried()
            && let Some(packed) = self.compressor.get_or_insert_default().compress(bytes)
        {
            self.misses = 0;
            return put_compressed(out, packed, bytes.len());
        }
        put_length(out, bytes.len() as u64);
        out.extend_from_slice(bytes);
    }

    /// Writes a string of `len` bytes that has yet to be put together by `write`, and is not the digits of a number.
    fn composed(&mut self, out: &mut Vec<u8>, len: usize, write: impl FnOnce(&mut Vec<u8>)) {
        if !self.packs(len) || !self.is_tried() {
            put_length(out, len as u64);
            return write(out);
        }
        self.scratch.clear();
        write(&mut self.scratch);
        match self.compressor.get_or_insert_default().compress(&self.scratch) {
            Some(packed) => {
                self.misses = 0;
                put_compressed(out, packed, len);
            }
            None => {
                put_length(out, len as u64);
                out.extend_from_slice(&self.scratch);
            }
        }
    }

    /// Writes a listpack.
    pub fn listpack(&mut self, out: &mut Vec<u8>, pack: &Listpack) {
        self.composed(out, pack.byte_len(), |out| pack.write_bytes(out));
    }

    /// Writes a set of integers.
    pub fn intset(&mut self, out: &mut Vec<u8>, ints: &Intset) {
        self.composed(out, ints.byte_len(), |out| ints.write_bytes(out));
    }
}

/// Writes a number as the string that it stands for.
pub(super) fn put_int(out: &mut Vec<u8>, n: i64) {
    if let Ok(n) = i8::try_from(n) {
        out.extend_from_slice(&[0xc0 | encoding::INT8, n as u8]);
    } else if let Ok(n) = i16::try_from(n) {
        let [a, b] = n.to_le_bytes();
        out.extend_from_slice(&[0xc0 | encoding::INT16, a, b]);
    } else if let Ok(n) = i32::try_from(n) {
        let [a, b, c, d] = n.to_le_bytes();
        out.extend_from_slice(&[0xc0 | encoding::INT32, a, b, c, d]);
    } else {
        put_length(out, number::len_i64(n) as u64);
        number::write_i64(out, n);
    }
}

/// Writes a string that is compressed already, and has `len` bytes when it is not.
pub(super) fn put_compressed(out: &mut Vec<u8>, lzf: &[u8], len: usize) {
    out.push(0xc0 | encoding::LZF);
    put_length(out, lzf.len() as u64);
    put_length(out, len as u64);
    out.extend_from_slice(lzf);
}

/// Writes a length.
#[inline]
pub(super) fn put_length(out: &mut Vec<u8>, n: u64) {
    match n {
        0..0x40 => out.push(n as u8),
        0x40..0x4000 => out.extend_from_slice(&[0x40 | (n >> 8) as u8, n as u8]),
        0x4000..=0xffff_ffff => {
            out.push(0x80);
            out.extend_from_slice(&(n as u32).to_be_bytes());
        }
        _ => {
            out.push(0x81);
            out.extend_from_slice(&n.to_be_bytes());
        }
    }
}
