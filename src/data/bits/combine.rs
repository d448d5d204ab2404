//! Strings combined bit by bit: what BITOP does. A string that is shorter than the longest counts as filled up with zeros.

use crate::data::wide;
use bytes::BytesMut;

/// How strings are combined. X is the first of them, Y all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BitOperation {
    /// Set in all.
    And,
    /// Set in any.
    Or,
    /// Set in an odd number of them.
    Xor,
    /// Clear in X.
    Not,
    /// Set in X and in no Y.
    Diff,
    /// Set in any Y and not in X.
    Diff1,
    /// Set in X and in any Y.
    AndOr,
    /// Set in exactly one.
    One,
}

const NAMES: [(&str, BitOperation); 8] = [
    ("AND", BitOperation::And),
    ("OR", BitOperation::Or),
    ("XOR", BitOperation::Xor),
    ("NOT", BitOperation::Not),
    ("DIFF", BitOperation::Diff),
    ("DIFF1", BitOperation::Diff1),
    ("ANDOR", BitOperation::AndOr),
    ("ONE", BitOperation::One),
];

impl BitOperation {
    /// The operation of this name, in any case, and its name in capitals.
    pub fn named(name: &[u8]) -> Option<(Self, &'static str)> {
        NAMES.into_iter().find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes())).map(|(name, operation)| (operation, name))
    }
}

/// Bytes that are combined at a time: they stay in the nearest cache while one source after the other is brought in.
const BLOCK: usize = 8192;

/// Appends the combination of `sources` to `result`: as many bytes as the longest has. Where Y is asked for there must be one.
pub fn combine(operation: BitOperation, sources: &[&[u8]], result: &mut BytesMut) {
    let len = sources.iter().map(|source| source.len()).max().unwrap_or(0);
    result.reserve(len);
    for at in (0..len).step_by(BLOCK) {
        let block = BLOCK.min(len - at);
        let part = |i: usize| {
            let source = sources[i];
            &source[at.min(source.len())..(at + block).min(source.len())]
        };
        // X is brought in last where it is combined with all of Y.
        let first = usize::from(matches!(operation, BitOperation::Diff1 | BitOperation::AndOr));
        let start = result.len();
        result.extend_from_slice(part(first));
        result.resize(start + block, 0);
        apply(operation, &mut result[start..], part(0), (first + 1..sources.len()).map(part));
    }
}

/// Makes a block that begins as the first source what the operation makes of it and the others.
fn apply<'a>(operation: BitOperation, to: &mut [u8], x: &[u8], others: impl Iterator<Item = &'a [u8]>) {
    match operation {
        BitOperation::And => others.for_each(|from| and(to, from)),
        BitOperation::Or => others.for_each(|from| wide::or(to, from)),
        BitOperation::Xor => others.for_each(|from| wide::xor(to, from)),
        BitOperation::Not => wide::not(to),
        BitOperation::Diff => others.for_each(|from| wide::and_not(to, from)),
        BitOperation::Diff1 => {
            others.for_each(|from| wide::or(to, from));
            wide::and_not(to, x);
        }
        BitOperation::AndOr => {
            others.for_each(|from| wide::or(to, from));
            and(to, x);
        }
        BitOperation::One => {
            let mut again = [0; BLOCK];
            others.for_each(|from| wide::count_in(to, &mut again, from));
            wide::and_not(to, &again);
        }
    }
}

/// `to &= from`, with zeros where `from` is shorter.
fn and(to: &mut [u8], from: &[u8]) {
    wide::and(to, from);
    to[from.len()..].fill(0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn expected(operation: BitOperation, sources: &[Vec<u8>]) -> Vec<u8> {
        let len = sources.iter().map(Vec::len).max().unwrap_or(0);
        let bit = |at: usize, n: usize| {
            let set: Vec<bool> = sources.iter().map(|s| s.get(at).is_some_and(|byte| byte >> n & 1 == 1)).collect();
            let (x, y, ones) = (set[0], set[1..].contains(&true), set.iter().filter(|set| **set).count());
            match operation {
                BitOperation::And => ones == set.len(),
                BitOperation::Or => ones > 0,
                BitOperation::Xor => ones % 2 == 1,
                BitOperation::Not => !x,
                BitOperation::Diff => x && !y,
                BitOperation::Diff1 => !x && y,
                BitOperation::AndOr => x && y,
                BitOperation::One => ones == 1,
            }
        };
        (0..len).map(|at| (0..8).map(|n| u8::from(bit(at, n)) << n).sum()).collect()
    }

    #[test]
    fn operations_have_names_in_any_case() {
        assert_eq!(BitOperation::named(b"andOR"), Some((BitOperation::AndOr, "ANDOR")));
        assert_eq!(BitOperation::named(b"and"), Some((BitOperation::And, "AND")));
        assert_eq!((BitOperation::named(b""), BitOperation::named(b"nand"), BitOperation::named(b"DIFF2")), (None, None, None));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn strings_are_combined_as_bit_by_bit(
            sources in proptest::collection::vec(
                prop_oneof![
                    4 => proptest::collection::vec(any::<u8>(), 0..300),
                    1 => (any::<u8>(), 8000..20_000usize).prop_map(|(seed, len)| (0..len).map(|i| (i * i) as u8 ^ seed).collect()),
                ],
                1..5,
            ),
            before in proptest::collection::vec(any::<u8>(), 0..3),
        ) {
            let needs_two = |operation| matches!(operation, BitOperation::Diff | BitOperation::Diff1 | BitOperation::AndOr);
            for (_, operation) in NAMES.into_iter().filter(|(_, operation)| sources.len() > 1 || !needs_two(*operation)) {
                let sources = &sources[..if operation == BitOperation::Not { 1 } else { sources.len() }];
                let slices: Vec<&[u8]> = sources.iter().map(Vec::as_slice).collect();
                let mut result = BytesMut::from(&before[..]);
                combine(operation, &slices, &mut result);
                prop_assert!(result[..before.len()] == before[..]);
                prop_assert!(result[before.len()..] == expected(operation, sources)[..], "{:?}", operation);
            }
        }
    }
}
