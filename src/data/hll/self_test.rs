//! What PFSELFTEST looks at: registers that are packed, and estimates of both encodings.

use super::{
    dense,
    draft::Draft,
    hash::element,
    layout::{Encoding, encoding},
    whole::{count, empty, to_dense},
};
use crate::data::{rng::Rng, wide::registers::REGISTERS};

/// Rounds in which all registers are set and read.
const ROUNDS: usize = 100;

/// Elements that are added at the end.
const ELEMENTS: u64 = 1_000_000;

/// The standard error of an estimate from this many registers is 1.04 divided by their square root.
const STANDARD_ERROR: f64 = 1.04 / 128.0;

/// Tests registers and estimates with random numbers; the error is the text of what went wrong.
pub fn run(rng: &mut Rng, max_bytes: usize) -> Result<(), String> {
    let mut bytes = to_dense(&empty()).map_err(|_| "an empty one is not whole")?;
    for _ in 0..ROUNDS {
        let expected: Vec<u8> = (0..REGISTERS).map(|_| rng.below(64) as u8).collect();
        expected.iter().enumerate().for_each(|(index, value)| dense::set(&mut bytes, index, *value));
        for (index, expected) in expected.iter().enumerate() {
            let value = dense::get(&bytes, index);
            if value != *expected {
                return Err(format!("Register {index} should be {expected} but is {value}"));
            }
        }
    }
    estimates(rng.next_u64(), max_bytes)
}

/// Adds elements to a dense one and to one that begins sparse, and compares what they estimate.
fn estimates(seed: u64, max_bytes: usize) -> Result<(), String> {
    let mut bytes = to_dense(&empty()).map_err(|_| "an empty one is not whole")?;
    let new = empty();
    let mut draft = Draft::new(&new);
    let mut checkpoint = 1;
    for n in 1..=ELEMENTS {
        let text = (n ^ seed).to_ne_bytes();
        let (index, rank) = element(&text);
        dense::raise(&mut bytes, index, rank);
        draft.add(&text, max_bytes).map_err(|_| "sparse representation corrupted")?;
        if n == checkpoint {
            let other = draft.changed().unwrap_or(&new);
            let layout = encoding(other).ok_or("not laid out as one")?;
            if n < max_bytes as u64 / 2 && layout != Encoding::Sparse {
                return Err("sparse encoding not used".to_owned());
            }
            let estimate = count(&bytes, Encoding::Dense).map_err(|_| "dense representation corrupted")?;
            if count(other, layout) != Ok(estimate) {
                return Err("dense/sparse disagree".to_owned());
            }
            // Two of ten elements may meet in one register; any more is unlikely.
            let error_max = if n == 10 { 1 } else { (STANDARD_ERROR * 6.0 * n as f64).ceil() as u64 };
            let error = n.abs_diff(estimate);
            if error > error_max {
                return Err(format!("Too big error. card:{n} abserr:{error}"));
            }
            checkpoint *= 10;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_passes() {
        for max_bytes in [3000, 0] {
            assert_eq!(run(&mut Rng::new(1), max_bytes), Ok(()));
        }
    }
}
