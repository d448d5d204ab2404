//! Single registers of a dense HyperLogLog.

use super::layout::HEADER;
use crate::data::wide::registers::REGISTERS;

const WIDTH: usize = 6;
const MASK: u16 = 0x3f;

/// Where a register begins: its byte in the string, and its lowest bit there.
#[inline(always)]
fn place(index: usize) -> (usize, usize) {
    debug_assert!(index < REGISTERS);
    let bit = index * WIDTH;
    (HEADER + bit / 8, bit % 8)
}

/// What a register is.
///
/// # Panics
/// When the string is shorter than a dense one.
#[inline]
pub fn get(bytes: &[u8], index: usize) -> u8 {
    let (at, shift) = place(index);
    // The last register ends with the last byte.
    let two = u16::from(bytes[at]) | u16::from(bytes.get(at + 1).copied().unwrap_or(0)) << 8;
    (two >> shift & MASK) as u8
}

/// Makes a register this.
///
/// # Panics
/// When the string is shorter than a dense one.
#[inline]
pub fn set(bytes: &mut [u8], index: usize, rank: u8) {
    let (at, shift) = place(index);
    let (mask, rank) = (MASK << shift, (u16::from(rank) & MASK) << shift);
    bytes[at] = bytes[at] & !(mask as u8) | rank as u8;
    if mask > 0xff {
        bytes[at + 1] = bytes[at + 1] & !((mask >> 8) as u8) | (rank >> 8) as u8;
    }
}

/// Raises a register to this, if that is more; says whether it was.
#[inline]
pub fn raise(bytes: &mut [u8], index: usize, rank: u8) -> bool {
    let rises = rank > get(bytes, index);
    if rises {
        set(bytes, index, rank);
    }
    rises
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{hll::layout::DENSE_LEN, rng::Rng};

    #[test]
    fn registers_do_not_touch_each_other() {
        let (mut bytes, mut model, mut rng) = (vec![0xa5; DENSE_LEN], vec![0; REGISTERS], Rng::new(1));
        (0..REGISTERS).for_each(|index| set(&mut bytes, index, 0));
        assert!(bytes[HEADER..].iter().all(|byte| *byte == 0) && bytes[..HEADER] == [0xa5; HEADER]);
        for _ in 0..100_000 {
            let (index, rank) = (rng.below(REGISTERS as u64) as usize, rng.below(64) as u8);
            assert_eq!(raise(&mut bytes, index, rank), rank > model[index]);
            model[index] = model[index].max(rank);
        }
        assert!((0..REGISTERS).all(|index| get(&bytes, index) == model[index]));
        set(&mut bytes, REGISTERS - 1, 63);
        assert_eq!((get(&bytes, REGISTERS - 1), bytes.len()), (63, DENSE_LEN));
    }
}
