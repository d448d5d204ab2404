//! Integers of 1 to 64 bits, anywhere in a string: what BITFIELD reads, sets and adds to. The highest bit comes first.

/// What becomes of a value that an integer has no room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// Its highest bits are dropped.
    Wrap,
    /// It becomes the largest value, or the least.
    Saturate,
    /// Nothing is changed.
    Fail,
}

/// What kind of integer it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntKind {
    /// Whether it has a sign.
    pub signed: bool,
    /// Its bits: 1 to 64, or to 63 without a sign.
    pub width: u32,
}

/// An integer in a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BitField {
    /// What kind of integer it is.
    pub kind: IntKind,
    /// Its first bit.
    pub at: u64,
}

impl IntKind {
    /// What the lowest bits say as an integer of this kind: sign and zeros are filled in.
    fn read(self, bits: u64) -> i64 {
        let unused = 64 - self.width;
        if self.signed { (bits << unused) as i64 >> unused } else { (bits << unused >> unused) as i64 }
    }

    /// The least and the largest value.
    fn bounds(self) -> (i64, i64) {
        let max = if self.signed { i64::MAX >> (64 - self.width) } else { (1u64 << self.width).wrapping_sub(1) as i64 };
        (if self.signed { -max - 1 } else { 0 }, max)
    }

    /// A value that is to be stored, or what it becomes when there is no room for it; `None` when nothing is to be changed then.
    pub fn fit(self, value: i64, overflow: Overflow) -> Option<i64> {
        // A negative number is a very large one where there is no sign.
        let value = if self.signed { i128::from(value) } else { i128::from(value as u64) };
        let max = i128::from(self.bounds().1);
        // Redis takes a value for too large that is so far below that its distance from the largest one has no room in 64 bits.
        let above = value > max || self.signed && self.width < 64 && max - value > i128::from(i64::MAX);
        self.limit(value, above, overflow)
    }

    /// The sum of a value of this kind and an increment, or what it becomes when there is no room for it; `None` when nothing is to be changed then.
    pub fn add(self, value: i64, increment: i64, overflow: Overflow) -> Option<i64> {
        let sum = i128::from(value) + i128::from(increment);
        self.limit(sum, sum > i128::from(self.bounds().1), overflow)
    }

    /// The value, where it is within bounds; else it is `above` them, or below.
    fn limit(self, value: i128, above: bool, overflow: Overflow) -> Option<i64> {
        let (min, max) = self.bounds();
        if (i128::from(min)..=i128::from(max)).contains(&value) {
            return Some(value as i64);
        }
        match overflow {
            Overflow::Wrap => Some(self.read(value as u64)),
            Overflow::Saturate => Some(if above { max } else { min }),
            Overflow::Fail => None,
        }
    }
}

impl BitField {
    /// The last bit.
    pub fn end(self) -> u64 {
        self.at + u64::from(self.kind.width) - 1
    }

    /// Reads it. What lies behind the end of the string is zeros.
    pub fn get(self, bytes: &[u8]) -> i64 {
        let mut window = [0; 16];
        let from = usize::try_from(self.at >> 3).map_or(bytes.len(), |from| from.min(bytes.len()));
        let len = (bytes.len() - from).min(Self::WINDOW);
        window[..len].copy_from_slice(&bytes[from..from + len]);
        self.kind.read((u128::from_be_bytes(window) >> self.shift()) as u64)
    }

    /// Writes it.
    ///
    /// # Panics
    /// When the string ends before it.
    pub fn set(self, bytes: &mut [u8], value: i64) {
        let (from, to) = ((self.at >> 3) as usize, (self.end() >> 3) as usize);
        let (bytes, mut window) = (&mut bytes[from..=to], [0; 16]);
        window[..bytes.len()].copy_from_slice(bytes);
        let mask = u128::from(u64::MAX >> (64 - self.kind.width)) << self.shift();
        let new = u128::from_be_bytes(window) & !mask | u128::from(value as u64) << self.shift() & mask;
        bytes.copy_from_slice(&new.to_be_bytes()[..bytes.len()]);
    }

    /// Bytes that a field of 64 bits can touch.
    const WINDOW: usize = 9;

    /// Bits that are behind it in 16 bytes from its first on.
    fn shift(self) -> u32 {
        128 - (self.at & 7) as u32 - self.kind.width
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::bits;
    use proptest::prelude::*;

    const fn kind(signed: bool, width: u32) -> IntKind {
        IntKind { signed, width }
    }

    #[test]
    fn kinds_have_bounds() {
        assert_eq!(kind(true, 64).bounds(), (i64::MIN, i64::MAX));
        assert_eq!(kind(true, 1).bounds(), (-1, 0));
        assert_eq!(kind(true, 8).bounds(), (-128, 127));
        assert_eq!(kind(false, 63).bounds(), (0, i64::MAX));
        assert_eq!(kind(false, 1).bounds(), (0, 1));
    }

    #[test]
    fn what_has_no_room_wraps_saturates_or_fails() {
        use Overflow::*;
        let of = |kind: IntKind, value, by| [Wrap, Saturate, Fail].map(|overflow| kind.add(value, by, overflow));
        assert_eq!(of(kind(false, 8), 250, 10), [Some(4), Some(255), None]);
        assert_eq!(of(kind(false, 8), 5, -10), [Some(251), Some(0), None]);
        assert_eq!(of(kind(true, 8), 120, 10), [Some(-126), Some(127), None]);
        assert_eq!(of(kind(true, 8), -120, -10), [Some(126), Some(-128), None]);
        assert_eq!(of(kind(true, 64), i64::MAX, 1), [Some(i64::MIN), Some(i64::MAX), None]);
        assert_eq!(of(kind(true, 64), i64::MIN, -1), [Some(i64::MAX), Some(i64::MIN), None]);
        assert_eq!(of(kind(true, 64), i64::MIN, i64::MAX), [Some(-1); 3]);
        assert_eq!(of(kind(true, 63), i64::MIN >> 1, i64::MIN)[1], Some(i64::MIN >> 1));
        assert_eq!(of(kind(false, 63), 0, -1)[1], Some(0));
        assert_eq!(kind(false, 4).fit(-1, Saturate), Some(15), "a negative number is a large one");
        assert_eq!(kind(true, 8).fit(-1000, Saturate), Some(-128));
        assert_eq!(kind(true, 63).fit(i64::MIN, Saturate), Some(i64::MAX >> 1), "so far below that it counts as above");
    }

    proptest! {
        #[test]
        fn a_field_is_read_and_written_as_bit_by_bit(
            before in proptest::collection::vec(any::<u8>(), 10..40), at in 0..240u64, signed in any::<bool>(), width in 1..=64u32, value in any::<i64>(),
        ) {
            let kind = kind(signed, if signed { width } else { width.min(63) });
            let field = BitField { kind, at };
            let model = |bytes: &[u8]| {
                let plain = (at..=field.end()).fold(0u64, |value, bit| value << 1 | u64::from(bits::is_set(bytes, bit)));
                kind.read(plain)
            };
            prop_assert_eq!(field.get(&before), model(&before), "also over the end");
            let mut bytes = before.clone();
            bytes.resize(before.len().max((field.end() / 8 + 1) as usize), 0);
            let longer = bytes.clone();
            field.set(&mut bytes, value);
            prop_assert_eq!(field.get(&bytes), kind.read(value as u64));
            prop_assert_eq!(field.get(&bytes), model(&bytes));
            for bit in (0..8 * bytes.len() as u64).filter(|bit| !(at..=field.end()).contains(bit)) {
                prop_assert_eq!(bits::is_set(&bytes, bit), bits::is_set(&longer, bit));
            }
        }

        #[test]
        fn what_has_room_is_what_it_is(signed in any::<bool>(), width in 1..=63u32, value in any::<i64>(), by in any::<i64>()) {
            let kind = kind(signed, width);
            let (min, max) = kind.bounds();
            let old = kind.read(value as u64);
            prop_assert!((min..=max).contains(&old));
            let sum = i128::from(old) + i128::from(by);
            let fits = (i128::from(min)..=i128::from(max)).contains(&sum);
            prop_assert_eq!(kind.add(old, by, Overflow::Fail), fits.then_some(sum as i64));
            let wrapped = kind.add(old, by, Overflow::Wrap);
            prop_assert_eq!(wrapped, Some(kind.read((old as u64).wrapping_add(by as u64))));
        }
    }
}
