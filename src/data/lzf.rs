//! LZF, the compression of strings in RDB files and DUMP payloads.
//!
//! A compressed string is a sequence of two kinds of item:
//!
//! | first byte | then | means |
//! |---|---|---|
//! | `000nnnnn` | `n + 1` bytes | these bytes |
//! | `lllooooo`, `l` 1 to 6 | 1 byte, the offset's low bits | `l + 2` bytes from `offset + 1` back |
//! | `111ooooo` | 1 byte `m`, 1 byte, the offset's low bits | `m + 9` bytes from `offset + 1` back |
//!
//! A reference may reach into what it is itself about to produce, which repeats it. The length of the
//! original is stored outside.

/// Most bytes that one literal item holds.
const LITERAL_MAX: usize = 32;
/// Fewest and most bytes that a reference produces, and the farthest that it reaches back.
const MATCH_MIN: usize = 3;
const MATCH_MAX: usize = 264;
const DISTANCE_MAX: usize = 1 << 13;

/// Redis does not compress what would not become at least this much shorter.
const SAVED_MIN: usize = 4;

/// The table's size for a string of any length, and for one short enough that a table which stays in the nearest cache finds as much in it.
const TABLE_BITS: u32 = 14;
const SHORT_TABLE_BITS: u32 = 10;
const SHORT_MAX: usize = 256;

/// Bytes of output buffer that stay allocated from one string to the next.
const OUTPUT_KEPT_MAX: usize = 1 << 16;

/// What decompresses to something else than it should, or to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("malformed LZF data")
    }
}

impl std::error::Error for Malformed {}

/// Compresses strings one after another with the same table, which need not be cleared between them.
pub struct Compressor {
    /// By hash of three bytes: where they were last seen. Places are counted through all strings, so
    /// what is below the current string's first place was not seen in it.
    seen: Box<[u32]>,
    /// The place of the next string's first byte; 0 is nobody's.
    place_next: u32,
    output: Vec<u8>,
}

impl Default for Compressor {
    fn default() -> Self {
        Self { seen: vec![0; 1 << TABLE_BITS].into_boxed_slice(), place_next: 1, output: Vec::new() }
    }
}

impl Compressor {
    /// The compressed form, or `None` unless it saves four bytes.
    pub fn compress(&mut self, input: &[u8]) -> Option<&[u8]> {
        let output_max = input.len().checked_sub(SAVED_MIN).filter(|&max| max > 0)?;
        let origin = self.places_for(input.len())?;
        match input.len() {
            ..=SHORT_MAX => self.compress_at::<SHORT_TABLE_BITS>(input, origin, output_max),
            _ => self.compress_at::<TABLE_BITS>(input, origin, output_max),
        }
    }

    fn compress_at<const BITS: u32>(&mut self, input: &[u8], origin: u32, output_max: usize) -> Option<&[u8]> {
        self.output.clear();
        self.output.shrink_to(OUTPUT_KEPT_MAX);
        let (mut at, mut literals) = (0, 0);
        while let Some(four) = input.get(at..).and_then(|rest| rest.first_chunk()) {
            let Some(from) = self.see::<BITS>(origin, input, at, *four) else {
                // The longer nothing repeats, the less often it is worth to look.
                at += 1 + ((at - literals) >> 6);
                continue;
            };
            if self.output.len() + (at - literals) > output_max {
                return None;
            }
            let length = match_length(input, from, at);
            write_literals(&mut self.output, &input[literals..at]);
            write_reference(&mut self.output, at - from, length);
            at += length;
            literals = at;
            // Where one repetition ends, the next is likeliest to start.
            for place in at - 2..at {
                if let Some(four) = input.get(place..).and_then(|rest| rest.first_chunk()) {
                    self.see::<BITS>(origin, input, place, *four);
                }
            }
        }
        if self.output.len() + (input.len() - literals) > output_max {
            return None;
        }
        write_literals(&mut self.output, &input[literals..]);
        (self.output.len() <= output_max).then_some(&self.output[..])
    }

    /// Reserves the places of a string, and returns the first; `None` if it has more than there are.
    fn places_for(&mut self, length: usize) -> Option<u32> {
        let length = u32::try_from(length).ok()?;
        if self.place_next.checked_add(length).is_none() {
            self.seen.fill(0);
            self.place_next = 1;
        }
        let origin = self.place_next;
        self.place_next = origin.checked_add(length)?;
        Some(origin)
    }

    /// Notes the first three of the `four` bytes at `at`, and returns where the same three were seen last, if a reference reaches there.
    #[inline(always)]
    fn see<const BITS: u32>(&mut self, origin: u32, input: &[u8], at: usize, four: [u8; 4]) -> Option<usize> {
        let three = |four: [u8; 4]| u32::from_le_bytes(four) & 0xff_ffff;
        let hash = three(four).wrapping_mul(0x9E37_79B1) >> (32 - BITS);
        let last = std::mem::replace(&mut self.seen[hash as usize], origin + at as u32);
        // Whether it was seen in this string, whether it is the same and whether it is near are one question to the processor, and the answer
        // is mostly no: asked one by one, the first would often be guessed wrong.
        let from = last.wrapping_sub(origin) as usize;
        let there = *input.get(from.min(at)..)?.first_chunk()?;
        let found = (from < at) & (three(there) == three(four)) & (at.wrapping_sub(from) <= DISTANCE_MAX);
        found.then_some(from)
    }
}

/// How far the bytes at `at` repeat those at `from`, where at least three do.
fn match_length(input: &[u8], from: usize, at: usize) -> usize {
    let length_max = (input.len() - at).min(MATCH_MAX);
    common_prefix(&input[from..], &input[at..at + length_max])
}

/// How many bytes `a` and `b` begin with alike; eight a step.
#[inline]
fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let (a8, b8) = (a.as_chunks::<8>().0, b.as_chunks::<8>().0);
    let mut at = 0;
    for (x, y) in a8.iter().zip(b8) {
        let different = u64::from_le_bytes(*x) ^ u64::from_le_bytes(*y);
        if different != 0 {
            return at + different.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    at + a[at..].iter().zip(&b[at..]).take_while(|(x, y)| x == y).count()
}

fn write_literals(output: &mut Vec<u8>, bytes: &[u8]) {
    for run in bytes.chunks(LITERAL_MAX) {
        output.push(run.len() as u8 - 1);
        output.extend_from_slice(run);
    }
}

fn write_reference(output: &mut Vec<u8>, distance: usize, length: usize) {
    debug_assert!((1..=DISTANCE_MAX).contains(&distance));
    debug_assert!((MATCH_MIN..=MATCH_MAX).contains(&length));
    let [low, high, ..] = (distance - 1).to_le_bytes();
    match length - 2 {
        short @ ..7 => output.extend_from_slice(&[(short as u8) << 5 | high, low]),
        long => output.extend_from_slice(&[7 << 5 | high, (long - 7) as u8, low]),
    }
}

/// At most this many bytes come of one compressed byte: three stand for at most [`MATCH_MAX`].
pub const LENGTH_FACTOR_MAX: usize = MATCH_MAX / 3;

/// Restores a string of exactly `length` bytes. A `length` that `input` cannot amount to is refused
/// before memory is allocated for it.
pub fn decompress(input: &[u8], length: usize) -> Result<Vec<u8>, Malformed> {
    let mut output = Vec::new();
    decompress_into(input, length, &mut output)?;
    Ok(output)
}

/// [`decompress`] into a buffer, whose content it replaces.
pub fn decompress_into(input: &[u8], length: usize, output: &mut Vec<u8>) -> Result<(), Malformed> {
    if length > input.len().saturating_mul(LENGTH_FACTOR_MAX) {
        return Err(Malformed);
    }
    output.clear();
    output.reserve(length);
    let done = decompress_items(input, length, output)?;
    if done == input.len() && output.len() == length { Ok(()) } else { Err(Malformed) }
}

/// Appends what the whole items of `input` stand for, and returns how many bytes those are: for a string that comes in pieces.
/// `output` holds what came before, and is refused to grow longer than `length`.
pub fn decompress_items(input: &[u8], length: usize, output: &mut Vec<u8>) -> Result<usize, Malformed> {
    let mut left = input;
    while let Some((&head, rest)) = left.split_first() {
        let room = length - output.len();
        let code = usize::from(head >> 5);
        if code == 0 {
            let Some((literals, rest)) = rest.split_at_checked(usize::from(head) + 1) else { break };
            if literals.len() > room {
                return Err(Malformed);
            }
            output.extend_from_slice(literals);
            left = rest;
            continue;
        }
        let (count, low, rest) = match rest {
            [more, low, rest @ ..] if code == 7 => (usize::from(*more) + 9, low, rest),
            [low, rest @ ..] if code < 7 => (code + 2, low, rest),
            _ => break,
        };
        let distance = (usize::from(head & 0x1f) << 8 | usize::from(*low)) + 1;
        let from = output.len().checked_sub(distance).ok_or(Malformed)?;
        if count > room {
            return Err(Malformed);
        }
        repeat(output, from, count);
        left = rest;
    }
    Ok(input.len() - left.len())
}

/// Appends `count` bytes from `from` on, again from there at the end of what there is. What follows
/// `from` stays a whole number of repetitions, so each round can copy twice as much as the last.
fn repeat(output: &mut Vec<u8>, from: usize, mut count: usize) {
    while count > 0 {
        let step = count.min(output.len() - from);
        output.extend_from_within(from..from + step);
        count -= step;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn assert_round_trip(compressor: &mut Compressor, input: &[u8]) -> Option<usize> {
        let compressed = compressor.compress(input)?;
        assert!(compressed.len() + SAVED_MIN <= input.len());
        assert_eq!(decompress(compressed, input.len()).as_deref(), Ok(input));
        Some(compressed.len())
    }

    #[test]
    fn what_redis_compressed_is_restored() {
        // From DUMP of redis-server 7.0.15.
        let cases: &[(&[u8], Vec<u8>)] = &[
            (&[1, 97, 97, 224, 27, 0, 1, 97, 97], b"a".repeat(40)),
            (&[13, 104, 101, 108, 108, 111, 32, 119, 111, 114, 108, 100, 44, 32, 104, 224, 79, 12, 1, 44, 32], b"hello world, ".repeat(8)),
            (
                &[10, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 48, 224, 255, 9, 225, 255, 13, 226, 255, 17, 226, 186, 17, 1, 56, 57],
                b"0123456789".repeat(100),
            ),
            (&[3, 97, 98, 99, 97, 64, 2, 0, 100, 192, 2, 128, 14, 128, 5, 224, 23, 20, 1, 98, 99], b"abcabcabdabdabdabcabc".repeat(3)),
        ];
        for (compressed, original) in cases {
            assert_eq!(decompress(compressed, original.len()).as_ref(), Ok(original));
        }
    }

    #[test]
    fn only_what_saves_four_bytes_is_compressed() {
        let mut compressor = Compressor::default();
        assert_eq!(compressor.compress(b""), None);
        assert_eq!(compressor.compress(b"aaaa"), None);
        assert_eq!(compressor.compress(b"aaaaaaa"), None);
        let shortest = [0, b'a', 5 << 5, 0];
        assert_eq!(compressor.compress(b"aaaaaaaa"), Some(&shortest[..]));
        assert_eq!(compressor.compress(b"abcdefghijklmnopqrstuvwxyz"), None);
        assert!(assert_round_trip(&mut compressor, &[b'x'; 100]).is_some_and(|len| len < 10));
    }

    #[test]
    fn references_are_as_long_and_as_far_as_the_format_has_them() {
        let mut compressor = Compressor::default();
        for length in (0..600).chain([8_191, 8_192, 8_193, 100_000]) {
            assert_round_trip(&mut compressor, &vec![7; length]);
            let head = b"head of a far reference";
            let mut input: Vec<u8> = head.to_vec();
            input.extend((0..length).map(|n: usize| (n.wrapping_mul(2_654_435_761) >> 13) as u8));
            input.extend_from_slice(head);
            assert_round_trip(&mut compressor, &input);
        }
    }

    #[test]
    fn places_start_over_before_they_overflow() {
        let mut compressor = Compressor { place_next: u32::MAX - 150, ..Compressor::default() };
        for _ in 0..4 {
            assert!(assert_round_trip(&mut compressor, &[b'x'; 100]).is_some());
        }
        assert!(compressor.place_next < 1000);
    }

    #[test]
    fn malformed_data_is_refused() {
        let cases: &[(&[u8], usize)] = &[
            (&[], 1),
            (&[0], 1),
            (&[3, 1, 2, 3], 4),
            (&[0, 1], 2),
            (&[1, 1, 2], 1),
            (&[0x20, 0], 3),
            (&[0, 1, 0x20, 1], 4),
            (&[0, 1, 0x20], 4),
            (&[0, 1, 0xe0, 0], 10),
            (&[0, 1, 0x20, 0], 3),
            (&[0, 1, 0x20, 0], usize::MAX),
        ];
        for (input, length) in cases {
            assert_eq!(decompress(input, *length), Err(Malformed), "{input:?}");
        }
        assert_eq!(decompress(&[0, 1, 0x20, 0], 4), Ok(vec![1; 4]));
        assert_eq!(decompress(&[], 0), Ok(vec![]));
    }

    proptest! {
        #[test]
        fn what_is_compressed_is_restored(pieces in proptest::collection::vec(
            (proptest::collection::vec(0u8..6, 0..40), 0usize..60), 0..40,
        )) {
            let mut compressor = Compressor::default();
            let input: Vec<u8> = pieces.iter().flat_map(|(piece, n)| piece.repeat(*n)).collect();
            assert_round_trip(&mut compressor, &input);
            // A table that has seen other strings must not tell.
            let reversed: Vec<u8> = input.iter().rev().copied().collect();
            assert_round_trip(&mut compressor, &reversed);
            let fresh = Compressor::default().compress(&reversed).map(<[u8]>::to_vec);
            prop_assert_eq!(compressor.compress(&reversed), fresh.as_deref());
        }

        #[test]
        fn no_bytes_panic_or_exceed_the_length(input: Vec<u8>, length in 0usize..2000) {
            if let Ok(output) = decompress(&input, length) {
                prop_assert_eq!(output.len(), length);
            }
        }

        #[test]
        fn a_damaged_byte_is_refused_or_changes_nothing_in_length(at in 0usize..60, to: u8) {
            let input = b"the quick brown fox, the quick brown dog, the slow brown dog".repeat(3);
            let mut compressor = Compressor::default();
            let mut damaged = compressor.compress(&input).unwrap().to_vec();
            let at = at % damaged.len();
            damaged[at] = to;
            if let Ok(output) = decompress(&damaged, input.len()) {
                prop_assert_eq!(output.len(), input.len());
            }
        }
    }
}
