//! Ranges of bits: counting those that are set, and finding the first that is set or clear.

use crate::data::wide;
use std::ops::RangeInclusive;

/// How many bits of a range are set.
///
/// # Panics
/// When the range is not within the string.
pub fn count_ones(bytes: &[u8], bits: RangeInclusive<u64>) -> u64 {
    if bits.is_empty() {
        return 0;
    }
    let (start, end) = (*bits.start(), *bits.end());
    let bytes = &bytes[(start >> 3) as usize..=(end >> 3) as usize];
    // What of the first and of the last byte lies outside is counted too, and taken off.
    let outside = |byte: Option<&u8>, mask: u8| u64::from(byte.map_or(0, |byte| (byte & mask).count_ones()));
    let before = outside(bytes.first(), !(0xff >> (start & 7)));
    let behind = outside(bytes.last(), 0x7f >> (end & 7));
    wide::count_ones(bytes) - before - behind
}

/// The first bit of a range that is set, or that is clear.
///
/// # Panics
/// When the range is not within the string.
pub fn find(bytes: &[u8], on: bool, bits: RangeInclusive<u64>) -> Option<u64> {
    if bits.is_empty() {
        return None;
    }
    let (start, end) = (*bits.start(), *bits.end());
    let (first, last) = ((start >> 3) as usize, (end >> 3) as usize);
    // Bytes that have nothing of what is looked for.
    let none = if on { 0 } else { 0xff };
    let found = |at: usize, wanted: u8| Some(((at as u64) << 3) + u64::from(wanted.leading_zeros())).filter(|bit| *bit <= end);
    let head = (bytes[first] ^ none) & 0xff >> (start & 7);
    if head != 0 {
        return found(first, head);
    }
    let rest = &bytes[first + 1..=last];
    let skipped = wide::leading(rest, none);
    found(first + 1 + skipped, rest.get(skipped)? ^ none)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::bits;
    use proptest::prelude::*;

    fn string() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![4 => Just(0u8), 4 => Just(0xff), 2 => any::<u8>()];
        prop_oneof![proptest::collection::vec(byte, 1..300), proptest::collection::vec(any::<u8>(), 1..20)]
    }

    proptest! {
        #[test]
        fn ranges_are_counted_and_searched_as_bit_by_bit(bytes in string(), start in any::<u64>(), end in any::<u64>()) {
            let len = 8 * bytes.len() as u64;
            let range = start % len..=end % len;
            let ones = range.clone().filter(|bit| bits::is_set(&bytes, *bit)).count() as u64;
            prop_assert_eq!(count_ones(&bytes, range.clone()), ones);
            for on in [false, true] {
                let first = range.clone().find(|bit| bits::is_set(&bytes, *bit) == on);
                prop_assert_eq!(find(&bytes, on, range.clone()), first);
            }
        }

        #[test]
        fn a_bit_is_set_and_cleared_alone(bytes in string(), bit in any::<u64>(), on in any::<bool>()) {
            let bit = bit % (8 * bytes.len() as u64);
            let mut changed = bytes.clone();
            prop_assert_eq!(bits::set(&mut changed, bit, on), bits::is_set(&bytes, bit));
            for other in 0..8 * bytes.len() as u64 {
                prop_assert_eq!(bits::is_set(&changed, other), if other == bit { on } else { bits::is_set(&bytes, other) });
            }
            prop_assert!(!bits::is_set(&bytes, 8 * bytes.len() as u64 + bit));
        }
    }
}
