//! Loops over many bytes, compiled twice: for any processor of the architecture, and for those with wider registers. Which of the two runs is
//! found out at run time. One of the rooms where `unsafe` is allowed (see lib.rs).
//!
//! The loops themselves ([`bits`], [`registers`]) are plain code that the compiler turns into vector instructions. On aarch64 NEON is always there,
//! and what is compiled for any processor uses it.
#![allow(unsafe_code)]

pub mod bits;
pub mod registers;

use registers::{PACKED, REGISTERS};

macro_rules! widest {
    ($(#[doc = $doc:literal])+ $name:ident = $plain:path, ($($arg:ident: $type:ty),+) $(-> $result:ty)?) => {
        $(#[doc = $doc])+
        #[inline]
        pub fn $name($($arg: $type),+) $(-> $result)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
                fn wide($($arg: $type),+) $(-> $result)? {
                    $plain($($arg),+)
                }
                if has_avx2() {
                    // SAFETY: the processor has what `wide` is compiled for: `has_avx2` looks at the same features.
                    return unsafe { wide($($arg),+) };
                }
            }
            $plain($($arg),+)
        }
    };
}

/// Whether the processor has the features that the wide loops are compiled for. Each answer of the processor is kept by the standard library.
#[cfg(target_arch = "x86_64")]
#[inline]
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("popcnt")
}

widest! {
    /// How many bits are set.
    count_ones = bits::count_ones, (bytes: &[u8]) -> u64
}
widest! {
    /// How many bytes at the beginning are `byte`.
    leading = bits::leading, (bytes: &[u8], byte: u8) -> usize
}
widest! {
    /// `to &= from`, as far as both go.
    and = bits::and, (to: &mut [u8], from: &[u8])
}
widest! {
    /// `to |= from`, as far as both go.
    or = bits::or, (to: &mut [u8], from: &[u8])
}
widest! {
    /// `to ^= from`, as far as both go.
    xor = bits::xor, (to: &mut [u8], from: &[u8])
}
widest! {
    /// `to &= !from`, as far as both go.
    and_not = bits::and_not, (to: &mut [u8], from: &[u8])
}
widest! {
    /// `to = !to`.
    not = bits::not, (to: &mut [u8])
}
widest! {
    /// Adds a source to those in which a bit is counted: `odd` has the bits that were set an odd number of times, `again` those that were set more
    /// than once. As far as all three go.
    count_in = bits::count_in, (odd: &mut [u8], again: &mut [u8], from: &[u8])
}
widest! {
    /// Raises each register to what the packed one is, if that is more.
    raise_to_packed = registers::raise_to_packed, (to: &mut [u8; REGISTERS], packed: &[u8; PACKED])
}
widest! {
    /// Packs registers into six bits each.
    pack = registers::pack, (registers: &[u8; REGISTERS], packed: &mut [u8; PACKED])
}
widest! {
    /// How many registers have each value. Values beyond six bits are not counted.
    histogram = registers::histogram, (registers: &[u8; REGISTERS]) -> [u32; 64]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::rng::Rng;

    /// Longer than a block of any loop by some hundred bytes, at every distance from what is aligned.
    const LONG: usize = 64 * 31 * 2 + 300;

    fn noise(seed: u64, len: usize) -> Vec<u8> {
        let mut rng = Rng::new(seed);
        (0..len).map(|_| rng.next_u64() as u8).collect()
    }

    /// Every length to 300 at every offset to 64, and some long ones.
    fn each_piece(of: &[u8], mut check: impl FnMut(&[u8])) {
        for offset in 0..64 {
            (0..=300).for_each(|len| check(&of[offset..offset + len]));
            for len in [1983, 1984, 1985, 3967, 3968, 3969, LONG - 64] {
                check(&of[offset..offset + len]);
            }
        }
    }

    #[test]
    fn ones_are_counted_as_a_plain_loop_counts_them() {
        for bytes in [noise(1, LONG), vec![0xff; LONG], vec![0; LONG]] {
            each_piece(&bytes, |piece| {
                let expected = piece.iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>();
                assert_eq!((count_ones(piece), bits::count_ones(piece)), (expected, expected));
            });
        }
    }

    #[test]
    fn equal_bytes_are_found_to_their_end() {
        let mut bytes = vec![0xff; LONG];
        each_piece(&bytes, |piece| assert_eq!((leading(piece, 0xff), leading(piece, 0)), (piece.len(), 0)));
        for end in 0..300 {
            bytes.fill(7);
            bytes[end] = 6;
            for offset in 0..=end {
                let expected = end - offset;
                assert_eq!((leading(&bytes[offset..], 7), bits::leading(&bytes[offset..], 7)), (expected, expected));
            }
        }
    }

    type Combine = fn(&mut [u8], &[u8]);
    type OfBytes = fn(u8, u8) -> u8;

    #[test]
    fn bytes_are_combined_as_a_plain_loop_combines_them() {
        let cases: [(Combine, Combine, OfBytes); 4] = [
            (and, bits::and, |a, b| a & b),
            (or, bits::or, |a, b| a | b),
            (xor, bits::xor, |a, b| a ^ b),
            (and_not, bits::and_not, |a, b| a & !b),
        ];
        let (left, right) = (noise(2, LONG), noise(3, LONG));
        for (wide, plain, one) in cases {
            each_piece(&right, |from| {
                let to = &left[..from.len()];
                let expected: Vec<u8> = to.iter().zip(from).map(|(a, b)| one(*a, *b)).collect();
                for combine in [wide, plain] {
                    let mut to = to.to_vec();
                    combine(&mut to, from);
                    assert!(to == expected);
                }
            });
            let mut to = left.clone();
            wide(&mut to, &right[..100]);
            assert_eq!(to[100..], left[100..], "what the other does not have stays");
        }
        each_piece(&left, |piece| {
            let mut to = piece.to_vec();
            not(&mut to);
            assert!(to.iter().zip(piece).all(|(a, b)| *a == !b));
        });
    }

    #[test]
    fn bits_are_counted_in_sources() {
        let sources = [noise(4, LONG), noise(5, LONG), noise(6, LONG)];
        for len in (0..300).chain([LONG]) {
            let (mut odd, mut again) = (vec![0; len], vec![0; len]);
            sources.iter().for_each(|source| count_in(&mut odd, &mut again, source));
            for at in 0..len {
                let set = |bit: u8| sources.iter().filter(|s| s[at] >> bit & 1 == 1).count();
                assert!((0..8).all(|bit| usize::from(odd[at] >> bit & 1) == set(bit) % 2 && (again[at] >> bit & 1 == 1) == (set(bit) > 1)));
            }
        }
    }

    fn array<const N: usize>(bytes: Vec<u8>) -> Box<[u8; N]> {
        bytes.into_boxed_slice().try_into().expect("as long as it is")
    }

    #[test]
    fn packed_registers_are_read_and_written_back() {
        let packed = array::<PACKED>(noise(7, PACKED));
        let mut registers = array::<REGISTERS>(vec![0; REGISTERS]);
        raise_to_packed(&mut registers, &packed);
        for (i, register) in registers.iter().enumerate() {
            let bit = |n: usize| packed[(6 * i + n) / 8] >> ((6 * i + n) % 8) & 1;
            assert_eq!(*register, (0..6).map(|n| bit(n) << n).sum::<u8>());
        }
        let mut again = array::<PACKED>(vec![0xaa; PACKED]);
        pack(&registers, &mut again);
        assert!(again == packed);
        let high = array::<REGISTERS>(noise(8, REGISTERS));
        let (mut one, mut other) = (high.clone(), high.clone());
        raise_to_packed(&mut one, &packed);
        registers::raise_to_packed(&mut other, &packed);
        assert!(one == other && one.iter().zip(&*high).zip(&*registers).all(|((one, high), low)| one == high.max(low)));
        registers::pack(&registers, &mut again);
        assert!(again == packed);
    }

    #[test]
    fn registers_are_counted_by_value() {
        let of = |values: &dyn Fn(usize) -> u8| array::<REGISTERS>((0..REGISTERS).map(values).collect());
        let chance = noise(9, REGISTERS);
        for registers in
            [of(&|_| 0), of(&|_| 63), of(&|i| (i % 64) as u8), of(&|i| chance[i] & 63), of(&|i| chance[i] & 7), of(&|i| chance[i])]
        {
            let mut expected = [0; 64];
            registers.iter().filter(|r| **r < 64).for_each(|r| expected[usize::from(*r)] += 1);
            assert_eq!(histogram(&registers), expected);
            assert_eq!(registers::histogram(&registers), expected);
        }
    }
}
