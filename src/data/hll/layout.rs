//! What a string says of itself that is a HyperLogLog: its encoding, and the cardinality that was estimated last.

use crate::data::wide::registers::PACKED;
use std::ops::Range;

/// Bytes in front of the registers.
pub const HEADER: usize = 16;

/// Bytes of a dense one.
pub const DENSE_LEN: usize = HEADER + PACKED;

const MAGIC: &[u8; 4] = b"HYLL";
const ENCODING: usize = 4;
const CARDINALITY: Range<usize> = 8..16;
/// In the highest byte of the cardinality: it has to be estimated anew.
const STALE: u8 = 0x80;

/// How registers are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Six bits each.
    Dense = 0,
    /// Runs.
    Sparse = 1,
}

/// The runs of a sparse one do not say what every register is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupted;

/// The header of a new one, whose cardinality is 0.
pub const fn header(encoding: Encoding) -> [u8; HEADER] {
    let [h, y, l, m] = *MAGIC;
    [h, y, l, m, encoding as u8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
}

/// How a string is laid out that is a HyperLogLog; `None` when it is none.
#[inline]
pub fn encoding(bytes: &[u8]) -> Option<Encoding> {
    let header = bytes.first_chunk::<HEADER>().filter(|header| header.starts_with(MAGIC))?;
    match header[ENCODING] {
        0 if bytes.len() == DENSE_LEN => Some(Encoding::Dense),
        1 => Some(Encoding::Sparse),
        _ => None,
    }
}

/// Says how it is laid out from now on.
pub(super) fn set_encoding(bytes: &mut [u8], encoding: Encoding) {
    bytes[ENCODING] = encoding as u8;
}

/// The cardinality that was estimated last, while it holds.
///
/// This and what follows is for strings of which [`encoding`] knows how they are laid out.
pub fn cached(bytes: &[u8]) -> Option<u64> {
    let cardinality = bytes.get(CARDINALITY)?.first_chunk().filter(|bytes| bytes[7] & STALE == 0)?;
    Some(u64::from_le_bytes(*cardinality))
}

/// Keeps the cardinality that was estimated.
pub fn set_cached(bytes: &mut [u8], cardinality: u64) {
    bytes[CARDINALITY].copy_from_slice(&cardinality.to_le_bytes());
}

/// The cardinality that was estimated last holds no more.
#[inline]
pub fn invalidate(bytes: &mut [u8]) {
    bytes[CARDINALITY.end - 1] |= STALE;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_laid_out_as_one_is_one() {
        let (sparse, dense) = (header(Encoding::Sparse), [&header(Encoding::Dense)[..], &[0; PACKED]].concat());
        assert_eq!(encoding(&sparse), Some(Encoding::Sparse), "that its runs are not whole is found later");
        assert_eq!(encoding(&sparse[..15]), None);
        assert_eq!((encoding(&dense), dense.len()), (Some(Encoding::Dense), 12304));
        assert_eq!(encoding(&dense[..dense.len() - 1]), None);
        assert_eq!(encoding(&[&dense[..], b"x"].concat()), None);
        let other = |at: usize, byte: u8| {
            let mut header = sparse;
            header[at] = byte;
            encoding(&header)
        };
        assert_eq!((other(4, 2), other(0, b'h'), other(3, 0), other(5, 9)), (None, None, None, Some(Encoding::Sparse)));
        assert_eq!(encoding(b""), None);
    }

    #[test]
    fn an_estimate_is_kept_until_a_register_rises() {
        let mut bytes = header(Encoding::Sparse);
        assert_eq!(cached(&bytes), Some(0));
        invalidate(&mut bytes);
        assert_eq!(cached(&bytes), None);
        set_cached(&mut bytes, 0x0102_0304_0506_0708);
        assert_eq!((cached(&bytes), &bytes[8..10]), (Some(0x0102_0304_0506_0708), &[8, 7][..]));
    }
}
