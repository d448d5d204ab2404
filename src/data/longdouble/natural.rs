//! Natural numbers of any size, for the few texts that 128 bits cannot hold.

/// The largest power of five in 63 bits is `5^27`.
pub(super) const FIVES: [u64; 28] = {
    let mut powers = [1; 28];
    let mut n = 1;
    while n < powers.len() {
        powers[n] = powers[n - 1] * 5;
        n += 1;
    }
    powers
};

/// Limbs from low to high; the highest is not zero.
pub(super) struct Big(Vec<u64>);

impl Big {
    pub(super) fn from_u64(value: u64) -> Self {
        let mut big = Self(vec![value]);
        big.trim();
        big
    }

    /// The digits of a decimal text as an integer, up to its last non-zero digit and past any point.
    pub(super) fn from_digits(text: &[u8]) -> Self {
        let end = text.iter().rposition(|b| matches!(b, b'1'..=b'9')).map_or(0, |at| at + 1);
        let mut big = Self(Vec::new());
        let (mut chunk, mut scale) = (0, 1);
        for &digit in text[..end].iter().filter(|&&b| b != b'.') {
            chunk = chunk * 10 + u64::from(digit - b'0');
            scale *= 10;
            if scale == 10u64.pow(19) {
                big.multiply_add(scale, chunk);
                (chunk, scale) = (0, 1);
            }
        }
        big.multiply_add(scale, chunk);
        big
    }

    fn multiply_add(&mut self, factor: u64, mut carry: u64) {
        for limb in &mut self.0 {
            let product = u128::from(*limb) * u128::from(factor) + u128::from(carry);
            *limb = product as u64;
            carry = (product >> 64) as u64;
        }
        if carry != 0 {
            self.0.push(carry);
        }
    }

    pub(super) fn multiply_by_fives(&mut self, mut power: usize) {
        while power > 0 {
            let step = power.min(FIVES.len() - 1);
            self.multiply_add(FIVES[step], 0);
            power -= step;
        }
    }

    pub(super) fn bits(&self) -> usize {
        self.0.last().map_or(0, |top| self.0.len() * 64 - top.leading_zeros() as usize)
    }

    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    pub(super) fn shift_left(&mut self, bits: usize) {
        let (limbs, bits) = (bits / 64, bits % 64);
        if bits > 0 {
            let mut carry = 0;
            for limb in &mut self.0 {
                (*limb, carry) = (*limb << bits | carry, *limb >> (64 - bits));
            }
            if carry != 0 {
                self.0.push(carry);
            }
        }
        self.0.splice(..0, std::iter::repeat_n(0, limbs));
        self.trim();
    }

    pub(super) fn not_less_than(&self, other: &Self) -> bool {
        let by_size = self.0.len().cmp(&other.0.len());
        by_size.then_with(|| self.0.iter().rev().cmp(other.0.iter().rev())).is_ge()
    }

    /// Takes away `other`, which must not be larger.
    pub(super) fn subtract(&mut self, other: &Self) {
        let mut borrow = false;
        for (at, limb) in self.0.iter_mut().enumerate() {
            let taken = other.0.get(at).copied().unwrap_or(0);
            let (less, first) = limb.overflowing_sub(taken);
            let (less, second) = less.overflowing_sub(borrow.into());
            *limb = less;
            borrow = first || second;
        }
        debug_assert!(!borrow);
        self.trim();
    }

    /// The highest 128 bits or fewer, the lowest of them set if any below is, and the bits below.
    pub(super) fn top(&self) -> (u128, i64) {
        let below = self.bits().saturating_sub(128);
        let (limbs, bits) = (below / 64, (below % 64) as u32);
        let limb = |at: usize| u128::from(self.0.get(at).copied().unwrap_or(0));
        let mut top = (limb(limbs) | limb(limbs + 1) << 64) >> bits;
        if bits > 0 {
            top |= limb(limbs + 2) << (128 - bits);
        }
        let lost = self.0.iter().take(limbs).any(|&limb| limb != 0) || limb(limbs) & ((1 << bits) - 1) != 0;
        (top | u128::from(lost), below as i64)
    }

    pub(super) fn write(mut self, out: &mut Vec<u8>) {
        const CHUNK: u64 = 1_000_000_000;
        let mut chunks = Vec::new();
        while !self.0.is_empty() {
            // Halves of limbs keep the division within 64 bits.
            let mut remainder = 0;
            for limb in self.0.iter_mut().rev() {
                let high = remainder << 32 | *limb >> 32;
                let low = (high % CHUNK) << 32 | (*limb & u64::from(u32::MAX));
                *limb = ((high / CHUNK) << 32) | (low / CHUNK);
                remainder = low % CHUNK;
            }
            self.trim();
            chunks.push(remainder);
        }
        let mut buffer = itoa::Buffer::new();
        for (at, chunk) in chunks.into_iter().rev().enumerate() {
            let digits = buffer.format(chunk).as_bytes();
            let padding = if at == 0 { 0 } else { 9 - digits.len() };
            out.resize(out.len() + padding, b'0');
            out.extend_from_slice(digits);
        }
    }
}
