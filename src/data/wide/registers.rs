//! Loops over the registers of HyperLogLogs. Each is inlined into a function that is compiled for some processor: see [`super`].

use std::array::from_fn;

/// Registers of a HyperLogLog.
pub const REGISTERS: usize = 1 << 14;

/// Bytes that they take at six bits each.
pub const PACKED: usize = REGISTERS / 8 * 6;

/// Tables that registers are counted in.
const TABLES: usize = 4;

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

/// See [`super::histogram`]. Several tables are counted in by turns: most registers are equal to their neighbours, and an increment of a counter waits
/// for the one before.
#[inline(always)]
pub fn histogram(registers: &[u8; REGISTERS]) -> [u32; 64] {
    let mut tables = [[0u32; 256]; TABLES];
    let (rows, _) = registers.as_chunks::<TABLES>();
    for row in rows {
        for (table, register) in tables.iter_mut().zip(row) {
            let count = &mut table[usize::from(*register)];
            *count = count.wrapping_add(1);
        }
    }
    from_fn(|value| tables.iter().fold(0, |sum, table| table[value].wrapping_add(sum)))
}
