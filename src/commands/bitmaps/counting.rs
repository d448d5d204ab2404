//! Bits counted and searched.

use crate::{
    commands::{
        Ctx,
        command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
        context::{errors, text},
    },
    data::{bits::range, number},
    resp::request::Args,
};
use std::ops::RangeInclusive;

/// What the ends of a range count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RangeUnit {
    Bytes,
    Bits,
}

/// The unit at argument `i`; without one it is bytes.
fn unit(args: &Args<'_>, i: usize) -> Result<RangeUnit, &'static str> {
    match args.get(i) {
        _ if args.len() <= i => Ok(RangeUnit::Bytes),
        word if word.eq_ignore_ascii_case(b"byte") => Ok(RangeUnit::Bytes),
        word if word.eq_ignore_ascii_case(b"bit") => Ok(RangeUnit::Bits),
        _ => Err(errors::SYNTAX),
    }
}

fn integer(args: &Args<'_>, i: usize) -> Result<i64, &'static str> {
    number::parse_i64(args.get(i)).ok_or(errors::NOT_INTEGER)
}

/// The bits from `start` to `end`, both inclusive, negative: from the end, of a string of `len` bytes. Out of place they are cut to it.
fn bits_of(start: i64, end: i64, len: usize, unit: RangeUnit) -> RangeInclusive<u64> {
    let total = match unit {
        RangeUnit::Bytes => len as i64,
        RangeUnit::Bits => len as i64 * 8,
    };
    let from_start = |at: i64| if at < 0 { at.saturating_add(total).max(0) } else { at };
    let (start, end) = (from_start(start), from_start(end).min(total - 1));
    if start > end {
        return EMPTY;
    }
    let (start, end) = (start as u64, end as u64);
    match unit {
        RangeUnit::Bytes => start * 8..=end * 8 + 7,
        RangeUnit::Bits => start..=end,
    }
}

const EMPTY: RangeInclusive<u64> = RangeInclusive::new(1, 0);

/// All bits of a string of `len` bytes.
fn all_of(len: usize) -> RangeInclusive<u64> {
    bits_of(0, -1, len, RangeUnit::Bytes)
}

/// What BITCOUNT is to count. It is an error only where there is a string.
fn counted(args: &Args<'_>, len: usize) -> Result<RangeInclusive<u64>, &'static str> {
    match args.len() {
        2 => Ok(all_of(len)),
        4 | 5 => {
            let (start, end) = (integer(args, 2)?, integer(args, 3)?);
            if start < 0 && end < 0 && start > end {
                return Ok(EMPTY);
            }
            Ok(bits_of(start, end, len, unit(args, 4)?))
        }
        _ => Err(errors::SYNTAX),
    }
}

fn bitcount(ctx: &mut Ctx) {
    let args = ctx.args;
    let Some(entry) = ctx.read(1) else { return ctx.out.int(0) };
    let Some(text) = text(entry.value()) else { return ctx.error(errors::WRONG_TYPE) };
    match text.with(|bytes| counted(&args, bytes.len()).map(|bits| range::count_ones(bytes, bits))) {
        Ok(count) => ctx.out.int(count as i64),
        Err(text) => ctx.error(text),
    }
}

/// Where BITPOS is to search. It is an error only where there is a string.
fn searched(args: &Args<'_>, len: usize) -> Result<RangeInclusive<u64>, &'static str> {
    match args.len() {
        3 => Ok(all_of(len)),
        4 => Ok(bits_of(integer(args, 3)?, -1, len, RangeUnit::Bytes)),
        5 | 6 => {
            let (start, unit) = (integer(args, 3)?, unit(args, 5)?);
            Ok(bits_of(start, integer(args, 4)?, len, unit))
        }
        _ => Err(errors::SYNTAX),
    }
}

fn bitpos(ctx: &mut Ctx) {
    let Some(bit) = ctx.int_arg(2) else { return };
    let on = match bit {
        0 => false,
        1 => true,
        _ => return ctx.error("ERR The bit argument must be 1 or 0."),
    };
    let args = ctx.args;
    // A key that is missing is zeros without end.
    let Some(entry) = ctx.read(1) else { return ctx.out.int(-bit) };
    let Some(text) = text(entry.value()) else { return ctx.error(errors::WRONG_TYPE) };
    let found: Result<_, &'static str> = text.with(|bytes| {
        let bits = searched(&args, bytes.len())?;
        // Zeros follow a string, unless its end was said.
        let behind = (!on && args.len() < 5 && !bits.is_empty()).then_some(bytes.len() as u64 * 8);
        Ok(range::find(bytes, on, bits).or(behind))
    });
    match found {
        Ok(bit) => ctx.out.int(bit.map_or(-1, |bit| bit as i64)),
        Err(text) => ctx.error(text),
    }
}

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("bitcount", bitcount, -2, READONLY)
        .since(Group::Bitmap, "2.6.0")
        .doc("Counts the bits that are set in the string at a key, or in a part of it.", "O(N) for N bytes.")
        .args("key [range:(start:integer end:integer [unit:(BYTE|BIT)])]")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)])
        .history(&[("7.0.0", "The range may count bits: `BYTE` and `BIT`.")]),
    command("bitpos", bitpos, -3, READONLY)
        .since(Group::Bitmap, "2.8.7")
        .doc(
            "Finds the first bit that is set, or clear, in the string at a key or in a part of it.",
            "O(N) for N bytes that are looked at.",
        )
        .args("key bit:integer [range:(start:integer [end-unit-block:(end:integer [unit:(BYTE|BIT)])])]")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)])
        .history(&[("7.0.0", "The range may count bits: `BYTE` and `BIT`.")]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_counts_from_either_end_and_is_cut_to_the_string() {
        let bytes = |start, end| bits_of(start, end, 10, RangeUnit::Bytes);
        let bits = |start, end| bits_of(start, end, 10, RangeUnit::Bits);
        assert_eq!((bytes(0, -1), bits(0, -1)), (0..=79, 0..=79));
        assert_eq!((bytes(1, 1), bits(1, 1)), (8..=15, 1..=1));
        assert_eq!((bytes(-2, -2), bits(-2, -2)), (64..=71, 78..=78));
        assert_eq!((bytes(-100, 100), bits(-100, 100)), (0..=79, 0..=79));
        assert_eq!((bytes(i64::MIN, i64::MAX), bits(i64::MIN, i64::MAX)), (0..=79, 0..=79));
        assert_eq!((bytes(5, 4), bits(80, 90)), (EMPTY, EMPTY));
        assert_eq!((bytes(-20, -15), bits(-100, -90)), (0..=7, 0..=0), "both ends are cut to the first");
        assert_eq!((all_of(0), all_of(1)), (EMPTY, 0..=7));
        assert_eq!(bits_of(0, 0, 0, RangeUnit::Bits), EMPTY);
    }
}
