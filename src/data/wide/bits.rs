//! Loops over the bits of strings. Each is inlined into a function that is compiled for some processor: see [`super`].

/// Bytes that are handled at a time: two registers of AVX2, four of NEON.
const LANES: usize = 64;

/// Rows of eight bits each that a lane of eight bits can count: 31 * 8 = 248.
const ROWS: usize = 31;

/// See [`super::count_ones`].
#[inline(always)]
pub fn count_ones(bytes: &[u8]) -> u64 {
    let mut total = 0u64;
    for block in bytes.chunks(LANES * ROWS) {
        let (rows, rest) = block.as_chunks::<LANES>();
        let mut lanes = [0u8; LANES];
        for row in rows {
            for (lane, byte) in lanes.iter_mut().zip(row) {
                *lane = lane.wrapping_add(byte.count_ones() as u8);
            }
        }
        let rest = rest.iter().fold(0u32, |sum, byte| sum.wrapping_add(byte.count_ones()));
        let lanes = lanes.iter().fold(0u32, |sum, lane| sum.wrapping_add(u32::from(*lane)));
        total = total.wrapping_add(u64::from(lanes)).wrapping_add(u64::from(rest));
    }
    total
}

/// See [`super::leading`].
#[inline(always)]
pub fn leading(bytes: &[u8], byte: u8) -> usize {
    let (rows, _) = bytes.as_chunks::<LANES>();
    let same = rows.iter().take_while(|row| row.iter().fold(0, |differs, b| differs | (b ^ byte)) == 0).count();
    let from = same * LANES;
    from + bytes[from..].iter().take_while(|b| **b == byte).count()
}

#[inline(always)]
fn combine(to: &mut [u8], from: &[u8], with: impl Fn(u8, u8) -> u8) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = with(*to, *from);
    }
}

/// See [`super::and`].
#[inline(always)]
pub fn and(to: &mut [u8], from: &[u8]) {
    combine(to, from, |to, from| to & from);
}

/// See [`super::or`].
#[inline(always)]
pub fn or(to: &mut [u8], from: &[u8]) {
    combine(to, from, |to, from| to | from);
}

/// See [`super::xor`].
#[inline(always)]
pub fn xor(to: &mut [u8], from: &[u8]) {
    combine(to, from, |to, from| to ^ from);
}

/// See [`super::and_not`].
#[inline(always)]
pub fn and_not(to: &mut [u8], from: &[u8]) {
    combine(to, from, |to, from| to & !from);
}

/// See [`super::not`].
#[inline(always)]
pub fn not(to: &mut [u8]) {
    to.iter_mut().for_each(|byte| *byte = !*byte);
}

/// See [`super::count_in`].
#[inline(always)]
pub fn count_in(odd: &mut [u8], again: &mut [u8], from: &[u8]) {
    for ((odd, again), from) in odd.iter_mut().zip(again).zip(from) {
        *again |= *odd & from;
        *odd ^= from;
    }
}
