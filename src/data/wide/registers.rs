//! Loops over the registers of HyperLogLogs. Each is inlined into a function that is compiled for some processor: see [`super`].

use std::array::from_fn;

/// Registers of a HyperLogLog.
pub const REGISTERS: usize = 1 << 14;

/// Bytes that they take at six bits each.
pub const PACKED: usize = REGISTERS / 8 * 6;

/// Registers that are compared at a time: two registers of AVX2.
const LANES: usize = 64;

/// Rows that a lane of eight bits counts: all registers are two blocks.
const ROWS: usize = 128;

/// Four registers from the three bytes that they are packed in, the first in the lowest bits.
#[inline(always)]
fn unpack([a, b, c]: [u8; 3]) -> [u8; 4] {
    [a & 63, a >> 6 | (b & 15) << 2, b >> 4 | (c & 3) << 4, c >> 2]
}

/// See [`super::raise_to_packed`].
#[inline(always)]
pub fn raise_to_packed(to: &mut [u8; REGISTERS], packed: &[u8; PACKED]) {
    let (four, _) = to.as_chunks_mut::<4>();
    let (three, _) = packed.as_chunks::<3>();
    for (four, three) in four.iter_mut().zip(three) {
        let packed = unpack(*three);
        for i in 0..4 {
            four[i] = four[i].max(packed[i]);
        }
    }
}

/// See [`super::pack`].
#[inline(always)]
pub fn pack(registers: &[u8; REGISTERS], packed: &mut [u8; PACKED]) {
    let (four, _) = registers.as_chunks::<4>();
    let (three, _) = packed.as_chunks_mut::<3>();
    for (three, [a, b, c, d]) in three.iter_mut().zip(four) {
        *three = [a & 63 | b << 6, b >> 2 & 15 | c << 4, c >> 4 & 3 | d << 2];
    }
}

/// See [`super::histogram`]. A look at all registers for each value that there is costs less than a table that is counted in: their values lie
/// close together, and a vector is compared at a time.
#[inline(always)]
pub fn histogram(registers: &[u8; REGISTERS]) -> [u32; 64] {
    let least = registers.iter().fold(u8::MAX, |least, register| least.min(*register));
    let (mut counts, mut left) = ([0; 64], REGISTERS as u32);
    for value in least..64 {
        if left == 0 {
            break;
        }
        let count = count_of(registers, value);
        counts[usize::from(value)] = count;
        left = left.wrapping_sub(count);
    }
    counts
}

#[inline(always)]
fn count_of(registers: &[u8; REGISTERS], value: u8) -> u32 {
    let mut total = 0u32;
    for block in registers.chunks(LANES * ROWS) {
        let (rows, _) = block.as_chunks::<LANES>();
        // Lanes that are handed on from row to row stay in vector registers; a loop over lanes in place is not vectorised.
        let lanes = rows.iter().fold([0u8; LANES], |lanes, row| from_fn(|i| lanes[i].wrapping_add(u8::from(row[i] == value))));
        total = lanes.iter().fold(total, |sum, lane| sum.wrapping_add(u32::from(*lane)));
    }
    total
}
