//! MessagePack to Lua's values.

use super::super::{Fault, Kind, Stack, looks::Looks};

type Look<'a> = &'a mut dyn FnMut() -> Result<(), Fault>;

/// Pushes all values of the text, which is the first argument: it stays in the frame and alive while it is read.
pub fn unpack<S: Stack>(stack: &mut S, text: &[u8], look: Look) -> Result<i32, Fault> {
    unpack_values(stack, text, 0, 0, look)
}

/// `unpack_one(text, offset)`: one value, and in front of it the offset of what follows, -1 at the end.
pub fn unpack_one<S: Stack>(stack: &mut S, text: &[u8], look: Look) -> Result<i32, Fault> {
    let offset = optional_integer(stack, 2)?;
    unpack_values(stack, text, 1, offset, look)
}

/// `unpack_limit(text, limit, offset)`: so many values at most, and in front of them the offset of what follows.
pub fn unpack_limit<S: Stack>(stack: &mut S, text: &[u8], look: Look) -> Result<i32, Fault> {
    let kind = stack.kind(2);
    let limit = stack.number(2).map(integer).ok_or_else(|| Fault::wrong_type(2, "number", kind))?;
    let offset = optional_integer(stack, 3)?;
    unpack_values(stack, text, limit, offset, look)
}

/// As C converts a number to 64 bits on this processor and those to 32.
fn integer(value: f64) -> i32 {
    if value >= -(2f64.powi(63)) && value < 2f64.powi(63) { value as i64 as i32 } else { 0 }
}

fn optional_integer(stack: &impl Stack, argument: i32) -> Result<i32, Fault> {
    match stack.kind(argument) {
        Kind::None | Kind::Nil => Ok(0),
        kind => stack.number(argument).map(integer).ok_or_else(|| Fault::wrong_type(argument, "number", kind)),
    }
}

/// Neither a limit nor an offset asks for all there is, and for no offset in front.
fn unpack_values<S: Stack>(stack: &mut S, text: &[u8], limit: i32, offset: i32, look: Look) -> Result<i32, Fault> {
    let length = text.len();
    if offset < 0 || limit < 0 {
        return Err(Fault::Error(format!("Invalid request to unpack with offset of {offset} and limit of {}.", length as i32)));
    }
    if offset as usize > length {
        return Err(Fault::Error(format!("Start offset {offset} greater than input length {}.", length as i32)));
    }
    let all = limit == 0 && offset == 0;
    let limit = if all { i32::MAX } else { limit };
    let first = stack.top() + 1;
    let mut unpacker = Unpacker { stack, rest: &text[offset as usize..], looks: Looks::new(look) };
    if !all {
        // The offset's place: it is known at the end only.
        unpacker.stack.push_nil();
    }
    let mut count = 0;
    while !unpacker.rest.is_empty() && count < limit {
        unpacker.value()?;
        count += 1;
    }
    if all {
        return Ok(count);
    }
    let next = if unpacker.rest.is_empty() { -1 } else { (length - unpacker.rest.len()) as i32 };
    stack.set_number(first, f64::from(next));
    Ok(count + 1)
}

struct Unpacker<'a, S> {
    stack: &'a mut S,
    rest: &'a [u8],
    looks: Looks<'a>,
}

fn missing() -> Fault {
    Fault::Error("Missing bytes in input.".into())
}

impl<'a, S: Stack> Unpacker<'a, S> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(missing)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array_of<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or_else(missing)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn size16(&mut self) -> Result<usize, Fault> {
        self.array_of().map(|bytes| usize::from(u16::from_be_bytes(bytes)))
    }

    fn size32(&mut self) -> Result<usize, Fault> {
        self.array_of().map(|bytes| u32::from_be_bytes(bytes) as usize)
    }

    fn room(&mut self, place: &str) -> Result<(), Fault> {
        // A key and a value, or an index and a value, and what the next level begins with.
        if self.stack.reserve(3) { Ok(()) } else { Err(Fault::Error(format!("stack overflow ({place})"))) }
    }

    /// Pushes the next value.
    fn value(&mut self) -> Result<(), Fault> {
        self.looks.step()?;
        self.room("too many return values at once; use unpack_one or unpack_limit instead.")?;
        let first = self.take(1)?[0];
        match first {
            0x00..=0x7f => self.stack.push_number(f64::from(first)),
            0x80..=0x8f => self.map(usize::from(first & 0x0f))?,
            0x90..=0x9f => self.array(usize::from(first & 0x0f))?,
            0xa0..=0xbf => self.string(usize::from(first & 0x1f))?,
            0xc0 => self.stack.push_nil(),
            0xc2 => self.stack.push_boolean(false),
            0xc3 => self.stack.push_boolean(true),
            0xca..=0xd3 => {
                let number = self.number(first)?;
                self.stack.push_number(number);
            }
            0xd9 => {
                let len = usize::from(self.take(1)?[0]);
                self.string(len)?;
            }
            0xda => {
                let len = self.size16()?;
                self.string(len)?;
            }
            0xdb => {
                let len = self.size32()?;
                self.string(len)?;
            }
            0xdc => {
                let len = self.size16()?;
                self.array(len)?;
            }
            0xdd => {
                let len = self.size32()?;
                self.array(len)?;
            }
            0xde => {
                let len = self.size16()?;
                self.map(len)?;
            }
            0xdf => {
                let len = self.size32()?;
                self.map(len)?;
            }
            0xe0..=0xff => self.stack.push_number(f64::from(first as i8)),
            0xc1 | 0xc4..=0xc9 | 0xd4..=0xd8 => return Err(Fault::Error("Bad data format in input.".into())),
        }
        Ok(())
    }

    fn number(&mut self, first: u8) -> Result<f64, Fault> {
        Ok(match first {
            0xca => f64::from(f32::from_be_bytes(self.array_of()?)),
            0xcb => f64::from_be_bytes(self.array_of()?),
            0xcc => f64::from(u8::from_be_bytes(self.array_of()?)),
            0xcd => f64::from(u16::from_be_bytes(self.array_of()?)),
            0xce => f64::from(u32::from_be_bytes(self.array_of()?)),
            // Redis takes these for signed, too.
            0xcf => i64::from_be_bytes(self.array_of()?) as f64,
            0xd0 => f64::from(i8::from_be_bytes(self.array_of()?)),
            0xd1 => f64::from(i16::from_be_bytes(self.array_of()?)),
            0xd2 => f64::from(i32::from_be_bytes(self.array_of()?)),
            _ => i64::from_be_bytes(self.array_of()?) as f64,
        })
    }

    fn string(&mut self, len: usize) -> Result<(), Fault> {
        let bytes = self.take(len)?;
        self.stack.push_bytes(bytes);
        Ok(())
    }

    fn array(&mut self, len: usize) -> Result<(), Fault> {
        self.stack.push_table();
        self.room("in function mp_decode_to_lua_array")?;
        for element in 1..=len {
            self.stack.push_number(element as f64);
            self.value()?;
            self.stack.set(-3);
        }
        Ok(())
    }

    fn map(&mut self, len: usize) -> Result<(), Fault> {
        self.stack.push_table();
        self.room("in function mp_decode_to_lua_hash")?;
        for _ in 0..len {
            self.value()?;
            match self.stack.kind(-1) {
                Kind::Nil => {
                    self.value()?;
                    return Err(Fault::Plain("table index is nil".into()));
                }
                Kind::Number if self.stack.number(-1).is_some_and(f64::is_nan) => {
                    self.value()?;
                    return Err(Fault::Plain("table index is NaN".into()));
                }
                _ => self.value()?,
            }
            self.stack.set(-3);
        }
        Ok(())
    }
}
