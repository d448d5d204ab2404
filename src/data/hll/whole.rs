//! All registers at once: estimates, unions, and from one encoding to the other.

use super::{
    dense, estimate,
    layout::{Corrupted, DENSE_LEN, Encoding, HEADER, header, set_encoding},
    sparse::{self, RunCursor, RunPlace},
};
use crate::data::wide::{
    self,
    registers::{PACKED, REGISTERS},
};

/// One value for each register, as [`merge`] gathers them.
pub type Registers = [u8; REGISTERS];

/// A new one that has seen no element: sparse, and its cardinality is known.
pub fn empty() -> Vec<u8> {
    let mut bytes = header(Encoding::Sparse).to_vec();
    sparse::clear(&mut bytes);
    bytes
}

/// The registers of a dense one.
fn packed(bytes: &[u8]) -> &[u8; PACKED] {
    bytes[HEADER..].first_chunk().expect("a dense one has this length")
}

/// Estimates the cardinality.
pub fn count(bytes: &[u8], encoding: Encoding) -> Result<u64, Corrupted> {
    let histogram = match encoding {
        Encoding::Dense => {
            let mut registers = [0; REGISTERS];
            wide::raise_to_packed(&mut registers, packed(bytes));
            wide::histogram(&registers)
        }
        Encoding::Sparse => sparse::histogram(bytes)?,
    };
    Ok(estimate::cardinality(&histogram))
}

/// Estimates the cardinality of what has been merged.
pub fn count_merged(registers: &Registers) -> u64 {
    estimate::cardinality(&wide::histogram(registers))
}

/// Raises each register to what it is here, if that is more.
pub fn merge(registers: &mut Registers, bytes: &[u8], encoding: Encoding) -> Result<(), Corrupted> {
    match encoding {
        Encoding::Dense => wide::raise_to_packed(registers, packed(bytes)),
        Encoding::Sparse => sparse::merge(registers, bytes)?,
    }
    Ok(())
}

/// A dense one with these registers, and everything else as in `bytes`.
pub fn dense_from(bytes: &[u8], registers: &Registers) -> Vec<u8> {
    let mut dense = vec![0; DENSE_LEN];
    let (header, packed) = dense.split_at_mut(HEADER);
    header.copy_from_slice(&bytes[..HEADER]);
    set_encoding(header, Encoding::Dense);
    wide::pack(registers, packed.first_chunk_mut().expect("it was made with this length"));
    dense
}

/// Makes a sparse one dense.
pub fn to_dense(bytes: &[u8]) -> Result<Vec<u8>, Corrupted> {
    let mut registers = [0; REGISTERS];
    sparse::merge(&mut registers, bytes)?;
    Ok(dense_from(bytes, &registers))
}

/// Raises a register of a sparse one, where [`sparse::find`] has found it. Says where to look for a higher one, or that it has become dense: because
/// no run can hold the rank, or because it would have grown beyond `max_bytes`.
pub(super) fn raise(bytes: &mut Vec<u8>, place: &RunPlace, max_bytes: usize) -> Result<Option<RunCursor>, Corrupted> {
    let next = sparse::raise(bytes, place, max_bytes);
    if next.is_none() {
        *bytes = to_dense(bytes)?;
        dense::raise(bytes, place.index, place.rank);
    }
    Ok(next)
}

/// Puts merged registers into a sparse one that has been merged into them, one after the other, as adding elements would. It stays sparse if it
/// can be, in as many bytes as `max_bytes`.
pub fn raise_all(bytes: &mut Vec<u8>, registers: &Registers, max_bytes: usize) -> Result<(), Corrupted> {
    let mut from = RunCursor::default();
    for (index, rank) in registers.iter().enumerate().filter(|(_, rank)| **rank > 0) {
        let Some(place) = sparse::find(bytes, from, index, *rank)? else { continue };
        match raise(bytes, &place, max_bytes)? {
            Some(next) => from = next,
            None => {
                // The others need not be put in one by one any more.
                *bytes = dense_from(bytes, registers);
                return Ok(());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::hll::{draft::Draft, layout::encoding};
    use proptest::prelude::*;

    fn of(elements: impl Iterator<Item = u32>, max_bytes: usize) -> Vec<u8> {
        let new = empty();
        let mut draft = Draft::new(&new);
        for n in elements {
            draft.add(n.to_string().as_bytes(), max_bytes).expect("it is whole");
        }
        draft.finish().unwrap_or(new)
    }

    fn registers(bytes: &[u8]) -> Registers {
        let mut registers = [0; REGISTERS];
        merge(&mut registers, bytes, encoding(bytes).expect("one")).expect("whole");
        registers
    }

    #[test]
    fn it_becomes_dense_when_its_runs_take_too_much() {
        assert_eq!((empty().len(), to_dense(&empty()).map(|dense| dense.len())), (18, Ok(DENSE_LEN)));
        let small = of(0..100, 3000);
        assert_eq!(encoding(&small), Some(Encoding::Sparse));
        assert_eq!(encoding(&of(0..100, small.len())), Some(Encoding::Sparse));
        assert_eq!(encoding(&of(0..100, small.len() - 1)), Some(Encoding::Dense));
        assert_eq!(encoding(&of(0..5000, 3000)), Some(Encoding::Dense));
    }

    #[test]
    fn twenty_elements_take_little() {
        assert!(of(0..20, 3000).len() <= 18 + 3 * 20);
    }

    #[test]
    fn estimates_are_near() {
        for n in [1, 10, 100, 1000, 10_000, 100_000] {
            let bytes = of(0..n, 3000);
            let count = count(&bytes, encoding(&bytes).expect("one")).expect("whole");
            assert!(count.abs_diff(u64::from(n)) <= u64::from(n) / 25, "{count} of {n}");
        }
    }

    #[test]
    fn runs_that_are_not_whole_are_found_out() {
        let whole = of(0..10, 3000);
        let longer = |byte: u8| [&whole[..], &[byte]].concat();
        for broken in [whole[..HEADER].to_vec(), whole[..whole.len() - 2].to_vec(), longer(0), longer(0x80), longer(0x7f)] {
            assert_eq!(count(&broken, Encoding::Sparse), Err(Corrupted));
            assert_eq!(merge(&mut [0; REGISTERS], &broken, Encoding::Sparse), Err(Corrupted));
            assert_eq!(to_dense(&broken), Err(Corrupted));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn sparse_and_dense_say_the_same(
            one in proptest::collection::vec(0..3000u32, 0..600), other in proptest::collection::vec(0..3000u32, 0..600), max_bytes in 18..3000usize,
        ) {
            let (sparse, dense) = (of(one.iter().copied(), usize::MAX), of(one.iter().copied(), 0));
            let expected = registers(&sparse);
            prop_assert!(expected == registers(&dense));
            prop_assert_eq!(count(&sparse, Encoding::Sparse), count(&dense, encoding(&dense).expect("one")));
            prop_assert_eq!(count_merged(&expected), count(&sparse, Encoding::Sparse).expect("whole"));

            let mut union = expected;
            let other = of(other.iter().copied(), 3000);
            merge(&mut union, &other, encoding(&other).expect("one")).expect("whole");
            // One register after the other, each looked for from the beginning, comes to the same.
            let (mut merged, mut slowly) = (sparse.clone(), sparse);
            raise_all(&mut merged, &union, max_bytes).expect("whole");
            prop_assert!(registers(&merged) == union);
            for (index, rank) in union.iter().enumerate().filter(|(_, rank)| **rank > 0) {
                if encoding(&slowly) == Some(Encoding::Dense) {
                    dense::raise(&mut slowly, index, *rank);
                } else if let Some(place) = sparse::find(&slowly, RunCursor::default(), index, *rank).expect("whole") {
                    raise(&mut slowly, &place, max_bytes).expect("whole");
                }
            }
            prop_assert!(slowly == merged);
        }

        #[test]
        fn no_string_is_too_odd(
            tail in proptest::collection::vec(prop_oneof![any::<u8>(), Just(0x7f), Just(0xff), Just(0x40)], 0..200),
            elements in proptest::collection::vec(any::<u32>(), 0..50), max_bytes in 0..400usize,
        ) {
            let bytes = [&header(Encoding::Sparse)[..], &tail].concat();
            let _ = (count(&bytes, Encoding::Sparse), to_dense(&bytes), merge(&mut [0; REGISTERS], &bytes, Encoding::Sparse), sparse::decode(&bytes));
            let mut draft = Draft::new(&bytes);
            let _ = elements.iter().try_for_each(|n| draft.add(&n.to_ne_bytes(), max_bytes).map(drop));
            if let Some(changed) = draft.finish() {
                prop_assert!(encoding(&changed).is_some());
            }
            let _ = raise_all(&mut bytes.clone(), &[5; REGISTERS], max_bytes);
        }
    }
}
