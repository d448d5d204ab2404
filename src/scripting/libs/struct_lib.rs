//! `struct`: Lua's values to the bytes of C's structures and back.
//!
//! A format is a C string: it ends at a byte 0. `x` padding, `b` `h` `i` `l` signed and `B` `H` `I` `L` unsigned integers (`i` and `I`
//! of a given size), `T` a size, `f` `d` floating point, `c` a string of a given length, `s` a string with a byte 0 behind it,
//! `>` `<` the order of bytes, `!` alignment, spaces.

use super::{Fault, Kind, Stack};

/// Bytes of the largest integer.
const INTEGER_BYTES_MAX: usize = 32;

/// Alignment of `!` without a number.
const ALIGNMENT_MAX: usize = 8;

struct Format<'a> {
    rest: &'a [u8],
    big_endian: bool,
    alignment: usize,
}

impl<'a> Format<'a> {
    fn new(text: &'a [u8]) -> Format<'a> {
        let end = text.iter().position(|&byte| byte == 0).unwrap_or(text.len());
        Format { rest: &text[..end], big_endian: cfg!(target_endian = "big"), alignment: 1 }
    }

    /// The next option and the size that it stands for, as far as the format tells.
    fn next(&mut self) -> Result<Option<(u8, usize)>, Fault> {
        let Some((&option, rest)) = self.rest.split_first() else { return Ok(None) };
        self.rest = rest;
        let size = match option {
            b'b' | b'B' | b'x' => 1,
            b'h' | b'H' => 2,
            b'l' | b'L' | b'T' | b'd' => 8,
            b'f' => 4,
            b'c' => self.size(1)?,
            b'i' | b'I' => {
                let size = self.size(4)?;
                if size > INTEGER_BYTES_MAX {
                    return Err(Fault::Error(format!("integral size {size} is larger than limit of {INTEGER_BYTES_MAX}")));
                }
                size
            }
            _ => 0,
        };
        Ok(Some((option, size)))
    }

    /// Decimal digits, an `int` of C's at most.
    fn size(&mut self, default: usize) -> Result<usize, Fault> {
        if !self.rest.first().is_some_and(u8::is_ascii_digit) {
            return Ok(default);
        }
        let mut size = 0i32;
        while let Some((digit @ b'0'..=b'9', rest)) = self.rest.split_first() {
            self.rest = rest;
            size = size
                .checked_mul(10)
                .and_then(|size| size.checked_add(i32::from(digit - b'0')))
                .ok_or_else(|| Fault::Error("integral size overflow".into()))?;
        }
        Ok(size as usize)
    }

    /// Bytes to leave out in front of an option, so that it is aligned.
    fn padding(&self, at: usize, option: u8, size: usize) -> usize {
        if size == 0 || option == b'c' {
            return 0;
        }
        let size = size.min(self.alignment);
        size.wrapping_sub(at & (size - 1)) & (size - 1)
    }

    /// An option that holds no value.
    fn control(&mut self, option: u8) -> Result<(), Fault> {
        match option {
            b' ' => {}
            b'>' => self.big_endian = true,
            b'<' => self.big_endian = false,
            b'!' => {
                let alignment = self.size(ALIGNMENT_MAX)?;
                if !alignment.is_power_of_two() {
                    return Err(Fault::Error(format!("alignment {alignment} is not a power of 2")));
                }
                self.alignment = alignment;
            }
            _ => return Err(Fault::Argument(1, [b"invalid format option '", &[option][..], b"'"].concat())),
        }
        Ok(())
    }

    fn append(&self, out: &mut Vec<u8>, little_endian: &[u8]) {
        if self.big_endian { out.extend(little_endian.iter().rev()) } else { out.extend_from_slice(little_endian) }
    }
}

/// What of an integer's name says that it is signed.
fn is_signed(option: u8) -> bool {
    option.is_ascii_lowercase()
}

/// As C converts it on this processor: a negative number as a signed one, of which what does not fit is the least; any other as an
/// unsigned one, of which nothing is left when it does not fit.
fn to_bits(number: f64) -> u64 {
    if number.is_nan() {
        1 << 63
    } else if number < 0.0 {
        // Below the range the conversion saturates at the least integer, which is also the processor's answer.
        (number as i64) as u64
    } else if number < 2f64.powi(64) {
        number as u64
    } else {
        0
    }
}

/// The original pushes a nil behind its arguments before it looks at them: one that is missing is called nil.
fn kind(stack: &impl Stack, argument: i32) -> Kind {
    if argument > stack.top() { Kind::Nil } else { stack.kind(argument) }
}

fn number(stack: &impl Stack, argument: i32) -> Result<f64, Fault> {
    let kind = kind(stack, argument);
    let number = if kind == Kind::Nil { None } else { stack.number(argument) };
    number.ok_or_else(|| Fault::wrong_type(argument, "number", kind))
}

fn text<S: Stack>(stack: &mut S, argument: i32) -> Result<&[u8], Fault> {
    match kind(stack, argument) {
        Kind::String | Kind::Number => Ok(stack.text(argument).unwrap_or(&[])),
        kind => Err(Fault::wrong_type(argument, "string", kind)),
    }
}

/// Packs the arguments behind the first, which is the format.
pub fn pack<S: Stack>(stack: &mut S, format: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let mut format = Format::new(format);
    let start = out.len();
    let mut argument = 2;
    while let Some((option, size)) = format.next()? {
        let padding = format.padding(out.len() - start, option, size);
        out.extend(std::iter::repeat_n(0, padding));
        match option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let mut bytes = [0; INTEGER_BYTES_MAX];
                bytes[..8].copy_from_slice(&to_bits(number(stack, argument)?).to_le_bytes());
                format.append(out, &bytes[..size]);
                argument += 1;
            }
            b'x' => out.push(0),
            b'f' => {
                format.append(out, &(number(stack, argument)? as f32).to_le_bytes());
                argument += 1;
            }
            b'd' => {
                format.append(out, &number(stack, argument)?.to_le_bytes());
                argument += 1;
            }
            b'c' | b's' => {
                let text = text(stack, argument)?;
                argument += 1;
                let size = if size == 0 { text.len() } else { size };
                let Some(text) = text.get(..size) else {
                    // The original counts the argument before it looks.
                    return Err(Fault::Argument(argument, "string too short".into()));
                };
                out.extend_from_slice(text);
                if option == b's' {
                    out.push(0);
                }
            }
            _ => format.control(option)?,
        }
    }
    Ok(())
}

/// Pushes what the data (the second argument) hold, and the position behind it. A third argument is the position to begin at, from 1.
pub fn unpack<S: Stack>(stack: &mut S, format: &[u8], data: &[u8]) -> Result<i32, Fault> {
    let mut at = match stack.kind(3) {
        _ if stack.top() < 3 => 0,
        Kind::Nil => 0,
        _ => {
            let start = number(stack, 3)?;
            let start = if start >= -(2f64.powi(63)) && start < 2f64.powi(63) { start as i64 } else { i64::MIN };
            if start == 0 {
                return Err(Fault::Argument(3, "offset must be 1 or greater".into()));
            }
            // A negative position is one far behind the end.
            (start as u64 as usize).wrapping_sub(1)
        }
    };
    let mut format = Format::new(format);
    let mut results = 0;
    while let Some((option, size)) = format.next()? {
        at = at.wrapping_add(format.padding(at, option, size));
        let item = part(data, at, size)?;
        if !stack.reserve(2) {
            return Err(Fault::Error("stack overflow (too many results)".into()));
        }
        let mut size = size;
        match option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                stack.push_number(integer(item, format.big_endian, is_signed(option)));
                results += 1;
            }
            b'x' => {}
            b'f' => {
                let bytes = ordered(item, format.big_endian);
                stack.push_number(f64::from(f32::from_le_bytes(bytes)));
                results += 1;
            }
            b'd' => {
                let bytes = ordered(item, format.big_endian);
                stack.push_number(f64::from_le_bytes(bytes));
                results += 1;
            }
            b'c' if size == 0 => {
                let length = if results == 0 { None } else { stack.number(-1) };
                let length = length.ok_or_else(|| Fault::Error("format 'c0' needs a previous size".into()))?;
                stack.pop(1);
                size = to_bits(length) as usize;
                stack.push_bytes(part(data, at, size)?);
            }
            b'c' => {
                stack.push_bytes(item);
                results += 1;
            }
            b's' => {
                let rest = &data[at..];
                let end = memchr::memchr(0, rest).ok_or_else(|| Fault::Error("unfinished string in data".into()))?;
                stack.push_bytes(&rest[..end]);
                results += 1;
                size = end + 1;
            }
            _ => format.control(option)?,
        }
        at = at.wrapping_add(size);
    }
    stack.push_number((at as i64).wrapping_add(1) as f64);
    Ok(results + 1)
}

/// The bytes of an item; the position is at most the data's end.
fn part(data: &[u8], at: usize, size: usize) -> Result<&[u8], Fault> {
    at.checked_add(size).and_then(|end| data.get(at..end)).ok_or_else(|| Fault::Argument(2, "data string too short".into()))
}

/// The bytes of an item in the order of a little-endian machine.
fn ordered<const N: usize>(item: &[u8], big_endian: bool) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(item);
    if big_endian {
        bytes.reverse();
    }
    bytes
}

/// Of more than eight bytes the lowest eight count. The sign's place is taken modulo 64, as this processor shifts.
fn integer(item: &[u8], big_endian: bool, signed: bool) -> f64 {
    let fold = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
    let value = if big_endian { item.iter().fold(0, fold) } else { item.iter().rev().fold(0, fold) };
    if !signed {
        return value as f64;
    }
    let mask = u64::MAX.wrapping_shl((item.len() as u32 * 8).wrapping_sub(1));
    let value = if value & mask == 0 { value } else { value | mask };
    value as i64 as f64
}

/// How many bytes a format packs.
pub fn size(format: &[u8]) -> Result<f64, Fault> {
    let mut format = Format::new(format);
    let mut at = 0usize;
    while let Some((option, size)) = format.next()? {
        at = at.wrapping_add(format.padding(at, option, size));
        match option {
            b's' => return Err(Fault::Argument(1, "option 's' has no fixed size".into())),
            b'c' if size == 0 => return Err(Fault::Argument(1, "option 'c0' has no fixed size".into())),
            _ if !option.is_ascii_alphanumeric() => format.control(option)?,
            _ => {}
        }
        at = at.wrapping_add(size);
    }
    Ok(at as i64 as f64)
}

#[cfg(test)]
mod tests {
    use super::{
        super::model::{Model, Value, bytes, number, string},
        *,
    };
    use proptest::prelude::*;

    fn packed(format: &str, values: &[Value]) -> Result<Vec<u8>, Fault> {
        let mut out = Vec::new();
        let mut arguments = vec![string(format)];
        arguments.extend_from_slice(values);
        pack(&mut Model::with(&arguments), format.as_bytes(), &mut out).map(|()| out)
    }

    fn unpacked(format: &str, data: &[u8], start: &[Value]) -> Result<Vec<Value>, Fault> {
        let mut arguments = vec![string(format), bytes(data)];
        arguments.extend_from_slice(start);
        let mut stack = Model::with(&arguments);
        unpack(&mut stack, format.as_bytes(), data).map(|count| stack.results(count))
    }

    fn message(text: &str) -> Fault {
        Fault::Error(text.into())
    }

    fn argument(at: i32, text: &str) -> Fault {
        Fault::Argument(at, text.into())
    }

    #[test]
    fn integers_have_sizes_and_an_order() {
        assert_eq!(packed("bBhHiIlL", &vec![number(-1.0); 8]), Ok(vec![0xff; 30]));
        assert_eq!(packed(">I3", &[number(66051.0)]), Ok(vec![1, 2, 3]));
        assert_eq!(packed("<I3", &[number(66051.0)]), Ok(vec![3, 2, 1]));
        assert_eq!(packed(">i9", &[number(-1.0)]), Ok(vec![0, 255, 255, 255, 255, 255, 255, 255, 255]));
        assert_eq!(
            unpacked(">I3<I3b", &[1, 2, 3, 3, 2, 1, 255], &[]),
            Ok(vec![number(66051.0), number(66051.0), number(-1.0), number(8.0)])
        );
        assert_eq!(packed("i33", &[number(1.0)]), Err(message("integral size 33 is larger than limit of 32")));
        assert_eq!(packed("i99999999999", &[number(1.0)]), Err(message("integral size overflow")));
    }

    #[test]
    fn items_are_aligned_when_asked() {
        assert_eq!(packed("!4bi", &[number(1.0), number(2.0)]), Ok(vec![1, 0, 0, 0, 2, 0, 0, 0]));
        assert_eq!(packed("bi", &[number(1.0), number(2.0)]), Ok(vec![1, 2, 0, 0, 0]));
        assert_eq!(size(b"!bd"), Ok(16.0));
        assert_eq!(packed("!3b", &[number(1.0)]), Err(message("alignment 3 is not a power of 2")));
    }

    #[test]
    fn strings() {
        assert_eq!(packed("sc2c0", &[string("ab"), string("cde"), string("fg")]), Ok(b"ab\0cdfg".to_vec()));
        assert_eq!(packed("c3", &[string("ab")]), Err(argument(3, "string too short")));
        assert_eq!(unpacked("Bc0s", b"\x02abcd\0", &[]), Ok(vec![string("ab"), string("cd"), number(7.0)]));
        assert_eq!(unpacked("c0", b"ab", &[]), Err(message("format 'c0' needs a previous size")));
        assert_eq!(unpacked("s", b"ab", &[]), Err(message("unfinished string in data")));
        assert_eq!(unpacked("bc0", b"\xffab", &[]), Err(argument(2, "data string too short")));
    }

    #[test]
    fn positions_and_faults() {
        assert_eq!(unpacked("b", b"\x01\x02", &[number(2.0)]), Ok(vec![number(2.0), number(3.0)]));
        assert_eq!(unpacked("b", b"\x01", &[number(0.0)]), Err(argument(3, "offset must be 1 or greater")));
        assert_eq!(unpacked("b", b"\x01", &[number(-1.0)]), Err(argument(2, "data string too short")));
        assert_eq!(unpacked("s", b"\x01", &[number(9.0)]), Err(argument(2, "data string too short")));
        assert_eq!(packed("y", &[]), Err(argument(1, "invalid format option 'y'")));
        assert_eq!(packed("\u{e9}", &[]), Err(Fault::Argument(1, b"invalid format option '\xc3'".to_vec())), "a byte is an option");
        assert_eq!(packed("b", &[]), Err(argument(2, "number expected, got nil")));
        assert_eq!(size(b"s"), Err(argument(1, "option 's' has no fixed size")));
        assert_eq!(size(b"c0"), Err(argument(1, "option 'c0' has no fixed size")));
    }

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked_again(format in "[<>]?!?[bhildfBHIL]{0,8}", values in proptest::collection::vec(0u8..128, 8)) {
            let values: Vec<_> = values.into_iter().map(|value| number(f64::from(value))).collect();
            let wanted = format.bytes().filter(u8::is_ascii_alphabetic).count();
            let data = packed(&format, &values).unwrap();
            let result = unpacked(&format, &data, &[]).unwrap();
            prop_assert_eq!(&result[..wanted], &values[..wanted]);
            prop_assert_eq!(size(format.as_bytes()), Ok(data.len() as f64));
        }

        #[test]
        fn nothing_does_harm(format in "[<>! xbBhHlLTiIcsfd0-9]{0,12}", data in proptest::collection::vec(any::<u8>(), 0..40), start in any::<f64>()) {
            let _ = unpacked(&format, &data, &[number(start)]);
            let _ = size(format.as_bytes());
        }
    }
}
