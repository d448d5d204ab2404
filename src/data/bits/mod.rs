//! Strings as rows of bits. Bit 0 is the highest bit of the first byte.

pub mod combine;
pub mod field;
pub mod range;

/// The mask of a bit in its byte.
#[inline(always)]
pub const fn mask(bit: u64) -> u8 {
    0x80 >> (bit & 7)
}

/// Whether a bit is set. Behind the end of the string none is.
#[inline(always)]
pub fn is_set(bytes: &[u8], bit: u64) -> bool {
    bytes.get((bit >> 3) as usize).is_some_and(|byte| byte & mask(bit) != 0)
}

/// Sets a bit of the string, or clears it; says whether it was set.
///
/// # Panics
/// When the string ends before it.
#[inline(always)]
pub fn set(bytes: &mut [u8], bit: u64, on: bool) -> bool {
    let byte = &mut bytes[(bit >> 3) as usize];
    let was = *byte & mask(bit) != 0;
    *byte = if on { *byte | mask(bit) } else { *byte & !mask(bit) };
    was
}
