//! The longest common subsequence of two strings, for the LCS command.
//!
//! Redis fills a table of lengths with four bytes a cell. Neighbours in a row of that table differ by at
//! most one, so here a row is a bit string: bit `j` is set where the length grows from column `j` to
//! `j + 1`. A row follows from the one above by one addition a 64 columns (Hyyrö, "Bit-parallel LCS-length
//! computation revisited"), and the steps are enough to walk back along the same path as Redis does.

use std::fmt;
use std::ops::Range;

/// Where the strings share one contiguous run of bytes of the subsequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    pub a: Range<usize>,
    pub b: Range<usize>,
}

/// A longest common subsequence, and its runs from the last to the first, as LCS replies them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lcs {
    pub sequence: Vec<u8>,
    pub matches: Vec<Match>,
}

/// Why a pair of strings is not compared. Displays as the reply's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    TooLong,
    /// Redis's table would be larger than the limit; ours is much smaller, but the limit is what bounds
    /// the time.
    OverLimit,
    OutOfMemory,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "String too long for LCS",
            Self::OverLimit => "Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
            Self::OutOfMemory => "Insufficient memory, failed allocating transient memory for LCS",
        })
    }
}

impl std::error::Error for Error {}

/// The length alone. `limit_bytes` is `proto-max-bulk-len`.
pub fn length(a: &[u8], b: &[u8], limit_bytes: u64) -> Result<usize, Error> {
    check(a.len(), b.len(), limit_bytes)?;
    let masks = Masks::new(a, b)?;
    let mut row = zeroed(masks.words)?;
    for &byte in a {
        advance(&mut row, masks.of(byte));
    }
    Ok(row.iter().map(|word| word.count_ones() as usize).sum())
}

/// The subsequence and its runs. `limit_bytes` is `proto-max-bulk-len`.
pub fn find(a: &[u8], b: &[u8], limit_bytes: u64) -> Result<Lcs, Error> {
    check(a.len(), b.len(), limit_bytes)?;
    if a.is_empty() || b.is_empty() {
        return Ok(Lcs::default());
    }
    let masks = Masks::new(a, b)?;
    let words = masks.words;
    let mut steps = zeroed(a.len().checked_mul(words).ok_or(Error::OutOfMemory)?)?;
    let mut above: &[u64] = &zeroed(words)?;
    for (row, &byte) in steps.chunks_exact_mut(words).zip(a) {
        row.copy_from_slice(above);
        advance(row, masks.of(byte));
        above = row;
    }
    Ok(walk_back(a, b, &steps, words))
}

/// Redis's own limits, on the table that it would allocate.
fn check(a_len: usize, b_len: usize, limit_bytes: u64) -> Result<(), Error> {
    const LEN_END: usize = u32::MAX as usize - 1;
    const CELL_BYTES: u64 = 4;
    if a_len >= LEN_END || b_len >= LEN_END {
        return Err(Error::TooLong);
    }
    let cells = (a_len as u64 + 1) * (b_len as u64 + 1);
    match cells.checked_mul(CELL_BYTES) {
        Some(bytes) if bytes <= limit_bytes => Ok(()),
        Some(_) => Err(Error::OverLimit),
        None => Err(Error::OutOfMemory),
    }
}

fn zeroed(words: usize) -> Result<Vec<u64>, Error> {
    let mut vec = Vec::new();
    vec.try_reserve_exact(words).map_err(|_| Error::OutOfMemory)?;
    vec.resize(words, 0);
    Ok(vec)
}

/// For each byte that occurs in one string, a bit for each place where it occurs in the other.
struct Masks {
    words: usize,
    /// Which mask a byte has; those that do not occur share the first, in which no bit is set.
    slots: [u16; 256],
    bits: Vec<u64>,
}

impl Masks {
    fn new(a: &[u8], b: &[u8]) -> Result<Self, Error> {
        let words = b.len().div_ceil(64);
        let mut slots = [0u16; 256];
        let mut count = 1;
        for &byte in a {
            let slot = &mut slots[usize::from(byte)];
            if *slot == 0 {
                *slot = count;
                count += 1;
            }
        }
        let mut bits = zeroed(usize::from(count) * words)?;
        for (column, &byte) in b.iter().enumerate() {
            let slot = usize::from(slots[usize::from(byte)]);
            if slot > 0 {
                bits[slot * words + column / 64] |= 1 << (column % 64);
            }
        }
        Ok(Self { words, slots, bits })
    }

    fn of(&self, byte: u8) -> &[u64] {
        let slot = usize::from(self.slots[usize::from(byte)]);
        &self.bits[slot * self.words..][..self.words]
    }
}

/// Turns a row of steps into the next one.
///
/// Each step moves to the leftmost match in its stretch, which reaches from behind the step before up
/// to itself; a match behind the last step is a new one. With the row complemented, as Hyyrö has it,
/// the carry of one addition runs through each stretch from its match to its end.
fn advance(row: &mut [u64], matches: &[u64]) {
    let mut carry = false;
    for (word, &mask) in row.iter_mut().zip(matches) {
        let flat = !*word;
        let (sum, over) = flat.overflowing_add(flat & mask);
        let (sum, over_again) = sum.overflowing_add(carry.into());
        carry = over || over_again;
        *word = !(sum | (flat & !mask));
    }
}

/// Follows the table from its last corner. Where the bytes differ, the length is that of the larger
/// neighbour, so it grows in this row from the left if and only if the one above is larger.
fn walk_back(a: &[u8], b: &[u8], steps: &[u64], words: usize) -> Lcs {
    let mut lcs = Lcs::default();
    let mut run: Option<Match> = None;
    let (mut i, mut j) = (a.len(), b.len());
    while i > 0 && j > 0 {
        if a[i - 1] == b[j - 1] {
            (i, j) = (i - 1, j - 1);
            lcs.sequence.push(a[i]);
            let run = run.get_or_insert(Match { a: i + 1..i + 1, b: j + 1..j + 1 });
            (run.a.start, run.b.start) = (i, j);
            continue;
        }
        lcs.matches.extend(run.take());
        let column = j - 1;
        let grows = steps[(i - 1) * words + column / 64] >> (column % 64) & 1 == 1;
        if grows { i -= 1 } else { j -= 1 }
    }
    lcs.matches.extend(run);
    lcs.sequence.reverse();
    lcs
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT_BYTES: u64 = 512 << 20;

    /// Two strings, their LCS, and the runs that redis-server 7.0.15 listed for LCS with IDX, as
    /// first-last in one and in the other. `_` is empty.
    const RECORDED: &str = "\
ohmytext mynewtext mytext 4-7/5-8,2-3/0-1
_ _ _ _
a _ _ _
_ a _ _
abc abc abc 0-2/0-2
abc xyz _ _
aaaa aa aa 2-3/0-1
xabcy abc abc 1-3/0-2
bdaabbaa abdaccdaccdaa bdaaaa 6-7/11-12,3-3/7-7,0-2/1-3
aabaaabbaabba aa aa 12-12/1-1,9-9/0-0
aaabadad cbc b 3-3/1-1
bacaaaabacaaa bcaadaab bcaaaab 5-7/5-7,2-4/1-3,0-0/0-0
dbcabccad aabaaaabaaa baba 7-7/8-8,3-4/6-7,1-1/2-2
_ adaaabaaaba _ _
aaaaabab _ _ _
c aaaabaa _ _
babaa abaabaad babaa 1-4/3-6,0-0/1-1
aaabadaaba ba ba 8-9/0-1
_ abaaadbaacaaa _ _
ababaaaa baacaaaadadaa baaaaa 6-7/11-12,5-5/9-9,4-4/7-7,1-2/0-1
bacaaaa bdabbabb baa 6-6/5-5,5-5/2-2,0-0/0-0
baabbaabab aaaabbaabaaa aabbaaba 1-8/2-9
aaaacdaabad aaaaaa aaaaaa 9-9/5-5,6-7/3-4,1-3/0-2
aaaaaa aaaaaabbcaada aaaaaa 5-5/12-12,3-4/9-10,0-2/3-5
aa bbababbac aa 1-1/7-7,0-0/4-4
daabacaaab aaabaaa aaaaaa 6-8/4-6,4-4/2-2,1-2/0-1
a aaaaa a 0-0/4-4
baacc ccdaacdbb aac 4-4/5-5,1-2/3-4
baaabaab aabbbcadbbaa aaabaa 4-6/9-11,3-3/6-6,1-2/0-1
aabb aaaadb aab 3-3/5-5,0-1/0-1
aaa _ _ _
dbabaaacc _ _ _
bbaabdac cbdba bda 6-6/4-4,4-5/1-2
_ bbdababaaba _ _
ab acaaabb ab 1-1/6-6,0-0/4-4
aadb _ _ _
aab aaabaa aab 0-2/1-3
addaaabab a a 7-7/0-0
baa _ _ _
bbacdbabbaaa aaba aaba 11-11/3-3,8-8/2-2,6-6/1-1,2-2/0-0
abdbba aadaaa ada 5-5/5-5,2-2/2-2,0-0/0-0
a aaaca a 0-0/4-4
adaacaad abbaabba aaaa 6-6/7-7,5-5/4-4,3-3/3-3,2-2/0-0
d acaaaa _ _
_ aabaaaab _ _
_ aaaaaaaa _ _
bdbbacaabcaab dd d 1-1/0-0
dcaabacaacda aaabaaaaabaaa aabaaaa 11-11/12-12,7-8/5-6,2-5/1-4
aaba abbcaaa aba 3-3/6-6,2-2/2-2,1-1/0-0
adaaadaba adaababdabaaa adaaadaba 8-8/12-12,5-7/7-9,4-4/5-5,0-3/0-3
bdaaab bbbaaaabaad baaab 2-5/4-7,0-0/0-0
bbabda da da 4-5/0-1
ba b b 0-0/0-0
aaabaaaabaa aaaabaab aaaabaa 4-10/0-6
ababaaaca babaa babaa 8-8/4-4,6-6/3-3,1-3/0-2
abaababa aaaabbcacda aaaaba 7-7/10-10,6-6/5-5,5-5/3-3,2-3/1-2,0-0/0-0
baaaaaaaaaa abacdaaa aaaaa 8-10/5-7,7-7/2-2,6-6/0-0
a aaababbbdbaa a 0-0/11-11";

    fn runs(lcs: &Lcs) -> String {
        let runs = lcs.matches.iter().map(|Match { a, b }| format!("{}-{}/{}-{}", a.start, a.end - 1, b.start, b.end - 1));
        runs.collect::<Vec<_>>().join(",")
    }

    #[test]
    fn runs_are_those_of_redis() {
        for line in RECORDED.lines() {
            let fields: Vec<String> = line.split(' ').map(|field| field.replace('_', "")).collect();
            let [a, b, sequence, matches] = &fields[..] else { panic!("{line}") };
            let lcs = find(a.as_bytes(), b.as_bytes(), LIMIT_BYTES).unwrap();
            assert_eq!(lcs.sequence, sequence.as_bytes(), "{line}");
            assert_eq!(runs(&lcs), *matches, "{line}");
            assert_eq!(length(a.as_bytes(), b.as_bytes(), LIMIT_BYTES), Ok(sequence.len()));
        }
    }

    #[test]
    fn the_limit_is_on_the_table_that_redis_would_allocate() {
        assert_eq!(length(&[0; 9], &[0; 4], 10 * 5 * 4), Ok(4));
        assert_eq!(length(&[0; 9], &[0; 4], 10 * 5 * 4 - 1), Err(Error::OverLimit));
        assert_eq!(find(&[0; 9], &[0; 4], 10 * 5 * 4 - 1), Err(Error::OverLimit));
        assert_eq!(find(b"", b"", 3), Err(Error::OverLimit));
        assert_eq!(check(u32::MAX as usize - 1, 0, u64::MAX), Err(Error::TooLong));
        assert_eq!(check(u32::MAX as usize - 2, u32::MAX as usize - 2, u64::MAX), Err(Error::OutOfMemory));
        assert_eq!(Error::TooLong.to_string(), "String too long for LCS");
    }

    /// The table as the textbook has it, and Redis's walk through it.
    fn by_definition(a: &[u8], b: &[u8]) -> Vec<(usize, usize)> {
        let mut table = vec![vec![0; b.len() + 1]; a.len() + 1];
        for i in 1..=a.len() {
            for j in 1..=b.len() {
                table[i][j] = if a[i - 1] == b[j - 1] { table[i - 1][j - 1] + 1 } else { table[i - 1][j].max(table[i][j - 1]) };
            }
        }
        let (mut i, mut j, mut path) = (a.len(), b.len(), Vec::new());
        while i > 0 && j > 0 {
            if a[i - 1] == b[j - 1] {
                (i, j) = (i - 1, j - 1);
                path.push((i, j));
            } else if table[i - 1][j] > table[i][j - 1] {
                i -= 1;
            } else {
                j -= 1;
            }
        }
        path
    }

    proptest! {
        #[test]
        fn bits_tell_the_same_path_as_the_table(a in "[a-d]{0,150}", b in "[a-e]{0,200}") {
            let (a, b) = (a.as_bytes(), b.as_bytes());
            let lcs = find(a, b, LIMIT_BYTES).unwrap();
            let path: Vec<_> = lcs.matches.iter()
                .flat_map(|run| run.a.clone().zip(run.b.clone()).rev())
                .collect();
            prop_assert_eq!(path, by_definition(a, b));
            prop_assert_eq!(length(a, b, LIMIT_BYTES), Ok(lcs.sequence.len()));
        }
    }
}
