//! `bit`: operations on 32 bits.

use super::{Fault, Kind, Stack};

/// A number modulo 2^32, rounded to the nearest, ties to even. What is beyond 2^51 has no meaning, but the same one as on every x86.
pub fn to_bits(number: f64) -> u32 {
    // 2^52 + 2^51: the sum's mantissa ends with the integer.
    (number + 6_755_399_441_055_744.0).to_bits() as u32
}

fn argument(stack: &impl Stack, index: i32) -> Result<u32, Fault> {
    let kind = if index > stack.top() { Kind::None } else { stack.kind(index) };
    match kind {
        Kind::None => Err(Fault::wrong_type(index, "number", kind)),
        _ => stack.number(index).map(to_bits).ok_or_else(|| Fault::wrong_type(index, "number", kind)),
    }
}

fn answer(stack: &mut impl Stack, bits: u32) -> Result<i32, Fault> {
    stack.push_number(f64::from(bits as i32));
    Ok(1)
}

fn fold(stack: &mut impl Stack, operation: impl Fn(u32, u32) -> u32) -> Result<i32, Fault> {
    let mut bits = argument(stack, 1)?;
    for index in (2..=stack.top()).rev() {
        bits = operation(bits, argument(stack, index)?);
    }
    answer(stack, bits)
}

fn shift(stack: &mut impl Stack, operation: impl Fn(u32, u32) -> u32) -> Result<i32, Fault> {
    let bits = argument(stack, 1)?;
    let count = argument(stack, 2)? & 31;
    answer(stack, operation(bits, count))
}

/// Each function takes its arguments from the stack's frame and says how many results are on top.
pub fn tobit(stack: &mut impl Stack) -> Result<i32, Fault> {
    let bits = argument(stack, 1)?;
    answer(stack, bits)
}

pub fn bnot(stack: &mut impl Stack) -> Result<i32, Fault> {
    let bits = argument(stack, 1)?;
    answer(stack, !bits)
}

pub fn band(stack: &mut impl Stack) -> Result<i32, Fault> {
    fold(stack, |a, b| a & b)
}

pub fn bor(stack: &mut impl Stack) -> Result<i32, Fault> {
    fold(stack, |a, b| a | b)
}

pub fn bxor(stack: &mut impl Stack) -> Result<i32, Fault> {
    fold(stack, |a, b| a ^ b)
}

pub fn lshift(stack: &mut impl Stack) -> Result<i32, Fault> {
    shift(stack, |bits, count| bits << count)
}

pub fn rshift(stack: &mut impl Stack) -> Result<i32, Fault> {
    shift(stack, |bits, count| bits >> count)
}

pub fn arshift(stack: &mut impl Stack) -> Result<i32, Fault> {
    shift(stack, |bits, count| ((bits as i32) >> count) as u32)
}

pub fn rol(stack: &mut impl Stack) -> Result<i32, Fault> {
    shift(stack, u32::rotate_left)
}

pub fn ror(stack: &mut impl Stack) -> Result<i32, Fault> {
    shift(stack, u32::rotate_right)
}

pub fn bswap(stack: &mut impl Stack) -> Result<i32, Fault> {
    let bits = argument(stack, 1)?;
    answer(stack, bits.swap_bytes())
}

/// The lowest hexadecimal digits: 8 or as many as asked for; in capitals when a negative number of them is asked for.
pub fn tohex(stack: &mut impl Stack) -> Result<i32, Fault> {
    let bits = argument(stack, 1)?;
    let count = if stack.top() < 2 { 8 } else { argument(stack, 2)? as i32 };
    let digits = if count < 0 { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
    let count = count.unsigned_abs().min(8) as usize;
    let mut text = [0; 8];
    for (place, byte) in text[..count].iter_mut().rev().enumerate() {
        *byte = digits[(bits >> (4 * place)) as usize & 15];
    }
    stack.push_bytes(&text[..count]);
    Ok(1)
}

#[cfg(test)]
mod tests {
    use super::{
        super::model::{Model, Value, number, string},
        *,
    };

    fn run(function: impl Fn(&mut Model) -> Result<i32, Fault>, arguments: &[Value]) -> Result<Value, Fault> {
        let mut stack = Model::with(arguments);
        function(&mut stack).map(|results| {
            assert_eq!(results, 1);
            stack.last()
        })
    }

    #[test]
    fn numbers_wrap_at_32_bits() {
        for (argument, result) in [
            (0.0, 0.0),
            (4294967295.0, -1.0),
            (4294967296.0, 0.0),
            (-4294967297.0, -1.0),
            (2.5, 2.0),
            (3.5, 4.0),
            (2147483648.0, -2147483648.0),
        ] {
            assert_eq!(run(tobit, &[number(argument)]), Ok(number(result)));
        }
    }

    #[test]
    fn operations() {
        assert_eq!(run(band, &[number(0x12345678 as f64), number(0xff as f64)]), Ok(number(0x78 as f64)));
        assert_eq!(run(bor, &[number(1.0), number(2.0), number(4.0), number(8.0)]), Ok(number(15.0)));
        assert_eq!(run(bxor, &[number(5.0), string("3")]), Ok(number(6.0)));
        assert_eq!(run(bnot, &[number(0.0)]), Ok(number(-1.0)));
        assert_eq!(run(lshift, &[number(1.0), number(33.0)]), Ok(number(2.0)));
        assert_eq!(run(rshift, &[number(-256.0), number(8.0)]), Ok(number(16777215.0)));
        assert_eq!(run(arshift, &[number(-256.0), number(8.0)]), Ok(number(-1.0)));
        assert_eq!(run(rol, &[number(0x12345678 as f64), number(12.0)]), Ok(number(0x45678123 as f64)));
        assert_eq!(run(ror, &[number(0x12345678 as f64), number(0.0)]), Ok(number(0x12345678 as f64)));
        assert_eq!(run(bswap, &[number(0x12345678 as f64)]), Ok(number(0x78563412 as f64)));
    }

    #[test]
    fn hexadecimal_digits_are_eight_at_most() {
        for (arguments, text) in [
            (vec![number(1.0)], "00000001"),
            (vec![number(-1.0), number(-8.0)], "FFFFFFFF"),
            (vec![number(0x87654321_u32 as f64), number(4.0)], "4321"),
            (vec![number(-1.0), number(0.0)], ""),
            (vec![number(65535.0), number(-2147483648.0)], "0000FFFF"),
            (vec![number(255.0), number(1e9)], "000000ff"),
        ] {
            assert_eq!(run(tohex, &arguments), Ok(string(text)));
        }
    }

    #[test]
    fn arguments_are_numbers() {
        assert_eq!(run(tobit, &[]), Err(Fault::Argument(1, "number expected, got no value".into())));
        assert_eq!(run(band, &[number(1.0), string("x")]), Err(Fault::Argument(2, "number expected, got string".into())));
    }
}
