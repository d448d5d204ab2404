//! The sparse form of a HyperLogLog: runs of registers that are equal.
//!
//! ```text
//! 00xxxxxx           ZERO   x + 1 registers are 0
//! 01xxxxxx yyyyyyyy  XZERO  xy + 1 registers are 0
//! 1vvvvvxx           VAL    x + 1 registers are v + 1
//! ```
//!
//! What a string looks like depends on the order in which its registers rose and on how runs are split and joined then. So this is done as
//! Redis does it: strings that two servers were given the same elements for are equal byte for byte.

use super::layout::{Corrupted, HEADER};
use crate::data::wide::registers::REGISTERS;
use std::fmt::Write;

/// Registers of the longest run of each kind; all of them fit in an XZERO.
const ZERO_MAX: usize = 64;
const VAL_MAX: usize = 4;

/// The highest rank that a run can hold.
const RANK_MAX_SPARSE: u8 = 32;

/// Runs that are looked at for two to be joined, after a register rose.
const JOIN_SCAN: usize = 5;

/// One run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    /// Registers.
    len: usize,
    /// What they are.
    rank: u8,
    /// Bytes that it takes.
    size: usize,
}

/// The run at the beginning of `bytes`, which are not empty. The second byte of a pair that is cut off counts as 0.
#[inline(always)]
fn run(bytes: &[u8]) -> Run {
    let first = bytes[0];
    if first & 0x80 != 0 {
        Run { len: usize::from(first & 3) + 1, rank: (first >> 2 & 0x1f) + 1, size: 1 }
    } else if first & 0x40 == 0 {
        Run { len: usize::from(first) + 1, rank: 0, size: 1 }
    } else {
        let second = bytes.get(1).copied().unwrap_or(0);
        Run { len: (usize::from(first & 0x3f) << 8 | usize::from(second)) + 1, rank: 0, size: 2 }
    }
}

/// The runs of a string.
fn runs(bytes: &[u8]) -> impl Iterator<Item = Run> {
    let mut rest = bytes.get(HEADER..).unwrap_or_default();
    std::iter::from_fn(move || {
        let run = (!rest.is_empty()).then(|| run(rest))?;
        rest = rest.get(run.size..).unwrap_or_default();
        Some(run)
    })
}

/// Appends runs in which every register is 0.
pub(super) fn clear(bytes: &mut Vec<u8>) {
    let mut split = Split::default();
    split.push(0, REGISTERS);
    bytes.extend_from_slice(split.as_bytes());
}

/// How many registers have each value.
pub(super) fn histogram(bytes: &[u8]) -> Result<[u32; 64], Corrupted> {
    let (mut histogram, mut total) = ([0u32; 64], 0);
    for run in runs(bytes) {
        total += run.len;
        if total > REGISTERS {
            return Err(Corrupted);
        }
        histogram[usize::from(run.rank)] += run.len as u32;
    }
    if total == REGISTERS { Ok(histogram) } else { Err(Corrupted) }
}

/// Raises each register to what it is here, if that is more.
pub(super) fn merge(registers: &mut [u8; REGISTERS], bytes: &[u8]) -> Result<(), Corrupted> {
    let mut at = 0;
    for run in runs(bytes) {
        let these = registers.get_mut(at..at + run.len).ok_or(Corrupted)?;
        if run.rank > 0 {
            these.iter_mut().for_each(|register| *register = run.rank.max(*register));
        }
        at += run.len;
    }
    if at == REGISTERS { Ok(()) } else { Err(Corrupted) }
}

/// The runs as PFDEBUG DECODE shows them, whatever registers they make. More of them than there are registers are not looked at: a string can be long.
pub fn decode(bytes: &[u8]) -> Result<String, Corrupted> {
    let mut text = String::new();
    for (index, run) in runs(bytes).enumerate() {
        if index == REGISTERS {
            return Err(Corrupted);
        }
        // Writing to a string does not fail.
        let _ = match run {
            Run { rank: 0, size: 1, len } => write!(text, "z:{len} "),
            Run { rank: 0, len, .. } => write!(text, "Z:{len} "),
            Run { rank, len, .. } => write!(text, "v:{rank},{len} "),
        };
    }
    text.truncate(text.trim_end().len());
    Ok(text)
}

/// A run from which on to look for a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunCursor {
    /// Where it begins in the string.
    at: usize,
    /// Its first register.
    first: usize,
    /// Where the run in front of it begins.
    before: Option<usize>,
}

impl Default for RunCursor {
    fn default() -> Self {
        Self { at: HEADER, first: 0, before: None }
    }
}

/// Where a register is to rise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunPlace {
    pub(super) index: usize,
    pub(super) rank: u8,
    /// The run that has it.
    run: RunCursor,
    /// The run in front of that one, if it was met on the way.
    passed: Option<RunCursor>,
}

/// Finds out where a register, which is not before `from`, is to rise to `rank`; `None` when it is no less already.
pub fn find(bytes: &[u8], from: RunCursor, index: usize, rank: u8) -> Result<Option<RunPlace>, Corrupted> {
    let (mut at, mut passed) = (from, None);
    loop {
        let rest = bytes.get(at.at..).filter(|rest| !rest.is_empty()).ok_or(Corrupted)?;
        let run = run(rest);
        if index < at.first + run.len {
            if run.size > rest.len() {
                return Err(Corrupted);
            }
            return Ok((rank > run.rank).then_some(RunPlace { index, rank, run: at, passed }));
        }
        passed = Some(at);
        at = RunCursor { at: at.at + run.size, first: at.first + run.len, before: Some(at.at) };
    }
}

/// The runs that one is split into.
#[derive(Default)]
struct Split {
    bytes: [u8; 5],
    len: usize,
}

impl Split {
    /// Adds a run, unless it has no registers.
    fn push(&mut self, rank: u8, len: usize) {
        let mut add = |byte: usize| {
            self.bytes[self.len] = byte as u8;
            self.len += 1;
        };
        match (rank, len) {
            (_, 0) => (),
            (0, 1..=ZERO_MAX) => add(len - 1),
            (0, _) => {
                add(0x40 | (len - 1) >> 8);
                add((len - 1) & 0xff);
            }
            _ => add(0x80 | usize::from(rank - 1) << 2 | (len - 1)),
        }
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Raises a register of which [`find`] said where it is. Says from where on a higher one may be looked for; `None`, and nothing is done, when no
/// run can hold the rank, or when it would grow beyond `max_bytes`.
pub(super) fn raise(bytes: &mut Vec<u8>, place: &RunPlace, max_bytes: usize) -> Option<RunCursor> {
    let RunPlace { index, rank, run: RunCursor { at, first, before }, passed } = *place;
    if rank > RANK_MAX_SPARSE {
        return None;
    }
    let old = run(&bytes[at..]);
    let mut split = Split::default();
    split.push(old.rank, index - first);
    split.push(rank, 1);
    split.push(old.rank, first + old.len - 1 - index);
    if split.len > old.size && bytes.len() + split.len - old.size > max_bytes {
        return None;
    }
    bytes.splice(at..at + old.size, split.as_bytes().iter().copied());
    join(bytes, before.unwrap_or(at));
    // What is in front of the run before stays where it is, and so does its beginning.
    Some(passed.unwrap_or_default())
}

/// Joins equal neighbours among the next few runs.
fn join(bytes: &mut Vec<u8>, mut at: usize) {
    for _ in 0..JOIN_SCAN {
        let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) else { return };
        let this = run(rest);
        let next = rest.get(this.size..).filter(|next| !next.is_empty()).map(run);
        match next {
            Some(next) if this.rank > 0 && next.rank == this.rank && this.len + next.len <= VAL_MAX => {
                bytes[at] += next.len as u8;
                bytes.remove(at + 1);
            }
            _ => at += this.size,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::hll::{dense, empty, to_dense};

    fn raised(bytes: &mut Vec<u8>, index: usize, rank: u8) -> String {
        match find(bytes, RunCursor::default(), index, rank).expect("whole") {
            Some(place) if raise(bytes, &place, 3000).is_none() => "dense".to_owned(),
            Some(_) => decode(bytes).unwrap_or_default(),
            None => "no".to_owned(),
        }
    }

    #[test]
    fn runs_are_split_and_joined() {
        let mut bytes = empty();
        assert_eq!(decode(&bytes).as_deref(), Ok("Z:16384"));
        assert_eq!(raised(&mut bytes, 100, 3), "Z:100 v:3,1 Z:16283");
        assert_eq!(raised(&mut bytes, 100, 3), "no");
        assert_eq!(raised(&mut bytes, 100, 2), "no");
        assert_eq!(raised(&mut bytes, 0, 3), "v:3,1 Z:99 v:3,1 Z:16283");
        assert_eq!(raised(&mut bytes, 1, 3), "v:3,2 Z:98 v:3,1 Z:16283");
        assert_eq!(raised(&mut bytes, 3, 3), "v:3,2 z:1 v:3,1 Z:96 v:3,1 Z:16283");
        assert_eq!(raised(&mut bytes, 2, 3), "v:3,4 Z:96 v:3,1 Z:16283", "three become one");
        assert_eq!(raised(&mut bytes, 4, 3), "v:3,4 v:3,1 Z:95 v:3,1 Z:16283", "no run is longer than four");
        assert_eq!(raised(&mut bytes, 1, 4), "v:3,1 v:4,1 v:3,3 Z:95 v:3,1 Z:16283");
        assert_eq!(raised(&mut bytes, 16383, 32), "v:3,1 v:4,1 v:3,3 Z:95 v:3,1 Z:16282 v:32,1");
        assert_eq!(raised(&mut bytes, 40, 1), "v:3,1 v:4,1 v:3,3 z:35 v:1,1 z:59 v:3,1 Z:16282 v:32,1");
        assert_eq!(raised(&mut bytes, 5, 33), "dense", "and as it was");
        let bytes = to_dense(&bytes).expect("whole");
        assert_eq!([0, 1, 5, 40, 16383].map(|index| dense::get(&bytes, index)), [3, 4, 0, 1, 32]);
    }

    #[test]
    fn the_bytes_are_those_of_the_format() {
        let mut bytes = empty();
        assert_eq!(bytes[HEADER..], [0x7f, 0xff]);
        raised(&mut bytes, 63, 1);
        assert_eq!(bytes[HEADER..], [0x3e, 0x80, 0x7f, 0xbf]);
        raised(&mut bytes, 65, 32);
        assert_eq!(bytes[HEADER..], [0x3e, 0x80, 0x00, 0xfc, 0x7f, 0xbd]);
    }

    #[test]
    fn what_is_cut_off_is_found_out() {
        let whole = empty();
        assert_eq!(find(&whole[..HEADER + 1], RunCursor::default(), 0, 1), Err(Corrupted));
        assert_eq!(find(&whole[..HEADER], RunCursor::default(), 0, 1), Err(Corrupted));
        let short = [&whole[..HEADER], &[0x00]].concat();
        assert!(find(&short, RunCursor::default(), 0, 1).is_ok_and(|place| place.is_some()));
        assert_eq!(find(&short, RunCursor::default(), 1, 1), Err(Corrupted));
    }
}
