//! The cardinality that registers stand for, by Otmar Ertl's improved estimator (arXiv:1702.01284), in the order of operations in which Redis
//! computes it: the results are equal to the bit.

use super::hash::RANK_MAX;
use crate::data::wide::registers::REGISTERS;

/// 1 / (2 ln 2).
const ALPHA: f64 = 0.721_347_520_444_481_7;

/// The first number that a signed one of 64 bits has no room for.
const TOO_LARGE: u64 = 1 << 63;

/// Estimates how many different elements have been added, from how many registers have each value. Values that no element leads to do not count.
pub fn cardinality(histogram: &[u32; 64]) -> u64 {
    let m = REGISTERS as f64;
    let mut z = m * tau((m - f64::from(histogram[RANK_MAX])) / m);
    for count in histogram[1..RANK_MAX].iter().rev() {
        z = (z + f64::from(*count)) * 0.5;
    }
    z += m * sigma(f64::from(histogram[0]) / m);
    let estimate = (ALPHA * m * m / z).round();
    // Registers that no elements have raised so far: what the conversion to a signed number makes of it in Redis.
    if estimate < TOO_LARGE as f64 { estimate as u64 } else { TOO_LARGE }
}

/// What the registers count for that are still zero.
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

/// What the registers count for that can rise no more.
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(counts: &[(usize, u32)]) -> u64 {
        let mut histogram = [0; 64];
        counts.iter().for_each(|(value, count)| histogram[*value] = *count);
        assert_eq!(histogram.iter().sum::<u32>(), REGISTERS as u32);
        cardinality(&histogram)
    }

    #[test]
    fn the_ends_are_defined() {
        assert_eq!(of(&[(0, 16384)]), 0);
        assert_eq!(of(&[(0, 16383), (1, 1)]), 1);
        assert_eq!(of(&[(51, 16384)]), 1 << 63);
        assert_eq!(of(&[(63, 16384)]), 1 << 63);
        assert_eq!(of(&[(50, 16384)]), 1 << 63);
        assert!((1 << 62..1 << 63).contains(&of(&[(49, 16384)])));
        assert_eq!("0.721347520444481703680".parse(), Ok(ALPHA));
    }
}
