//! Elements become a register and a rank by MurmurHash64A, whose seed is Redis's: any other would count an element twice that two servers add.

use crate::data::wide::registers::REGISTERS;

const SEED: u64 = 0xadc8_3b19;
const MULTIPLIER: u64 = 0xc6a4_a793_5bd1_e995;
const SHIFT: u32 = 47;

/// MurmurHash64A.
#[inline]
fn murmur(bytes: &[u8]) -> u64 {
    let mut hash = SEED ^ (bytes.len() as u64).wrapping_mul(MULTIPLIER);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let mut word = u64::from_le_bytes(*word).wrapping_mul(MULTIPLIER);
        word ^= word >> SHIFT;
        hash = (hash ^ word.wrapping_mul(MULTIPLIER)).wrapping_mul(MULTIPLIER);
    }
    if !rest.is_empty() {
        let last = match bytes.last_chunk() {
            // What has been read already is shifted out.
            Some(word) => u64::from_le_bytes(*word) >> (64 - 8 * rest.len()),
            None => rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
        };
        hash = (hash ^ last).wrapping_mul(MULTIPLIER);
    }
    hash = (hash ^ hash >> SHIFT).wrapping_mul(MULTIPLIER);
    hash ^ hash >> SHIFT
}

/// Bits of the hash that choose the register.
const INDEX_BITS: u32 = REGISTERS.ilog2();

/// The highest rank: a hash whose other bits are all zero.
pub const RANK_MAX: usize = 64 - INDEX_BITS as usize + 1;

/// The register that an element belongs to, and what it raises that to: how many bits it takes to the first that is set.
#[inline]
pub fn element(bytes: &[u8]) -> (usize, u8) {
    let hash = murmur(bytes);
    // A bit behind the last one ends the search.
    let bits = hash >> INDEX_BITS | 1 << (64 - INDEX_BITS);
    (hash as usize & (REGISTERS - 1), bits.trailing_zeros() as u8 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `PFADD k text` and `PFDEBUG DECODE k` of redis-server 7.0.15 say.
    const KNOWN: &[(&str, usize, u8)] = &[
        ("", 5938, 2),
        ("a", 12711, 2),
        ("redis", 9467, 2),
        ("12345678", 10579, 3),
        ("123456789", 9293, 2),
        ("a somewhat longer element", 2544, 1),
    ];

    #[test]
    fn hashes_are_those_of_redis() {
        for (text, index, rank) in KNOWN {
            assert_eq!(element(text.as_bytes()), (*index, *rank), "{text}");
        }
    }

    #[test]
    fn ranks_have_a_limit() {
        assert_eq!(RANK_MAX, 51);
        let ranks = (0..200_000u32).map(|n| usize::from(element(&n.to_ne_bytes()).1));
        assert!(ranks.clone().all(|rank| (1..=RANK_MAX).contains(&rank)));
        let ones = ranks.filter(|rank| *rank == 1).count();
        assert!((98_000..102_000).contains(&ones), "half of them: {ones}");
    }
}
