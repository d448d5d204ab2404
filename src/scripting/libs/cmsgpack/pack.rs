//! Lua's values to MessagePack.

use super::super::{
    Fault, Kind, Stack,
    looks::{Looks, fits_string},
};

/// Tables nested deeper than this become nil.
const NESTING_MAX: u32 = 16;

/// Packs all arguments, one behind the other, into `out`. `look` is asked now and then and ends the work with its fault.
pub fn pack<S: Stack>(stack: &mut S, out: &mut Vec<u8>, look: &mut dyn FnMut() -> Result<(), Fault>) -> Result<(), Fault> {
    let arguments = stack.top();
    if arguments == 0 {
        return Err(Fault::Argument(0, "MessagePack pack needs input.".into()));
    }
    if !stack.reserve(arguments) {
        return Err(Fault::Argument(0, "Too many arguments for MessagePack pack.".into()));
    }
    let mut packer = Packer { stack, out, looks: Looks::new(look) };
    for argument in 1..=arguments {
        packer.room(1, "in function mp_check")?;
        packer.stack.push_copy(argument);
        packer.value(0)?;
    }
    Ok(())
}

struct Packer<'a, S> {
    stack: &'a mut S,
    out: &'a mut Vec<u8>,
    looks: Looks<'a>,
}

impl<S: Stack> Packer<'_, S> {
    fn room(&mut self, slots: i32, place: &str) -> Result<(), Fault> {
        if self.stack.reserve(slots) { Ok(()) } else { Err(Fault::Error(format!("stack overflow ({place})"))) }
    }

    fn step(&mut self) -> Result<(), Fault> {
        self.looks.step_making(self.stack, self.out)
    }

    /// Packs the value on top of the stack and takes it from there.
    fn value(&mut self, level: u32) -> Result<(), Fault> {
        self.step()?;
        match self.stack.kind(-1) {
            Kind::String => {
                fits_string(self.stack, self.out)?;
                append_string(self.out, self.stack.bytes(-1));
            }
            Kind::Boolean => self.out.push(if self.stack.boolean(-1) { 0xc3 } else { 0xc2 }),
            Kind::Number => append_number(self.out, self.stack.number(-1).unwrap_or(0.0)),
            Kind::Table if level < NESTING_MAX => self.table(level)?,
            _ => self.out.push(0xc0),
        }
        self.stack.pop(1);
        Ok(())
    }

    fn table(&mut self, level: u32) -> Result<(), Fault> {
        self.stack.look_behind();
        if self.is_array()? { self.array(level) } else { self.map(level) }
    }

    /// Whether the keys are 1 to their count.
    fn is_array(&mut self) -> Result<bool, Fault> {
        self.room(2, "in function table_is_an_array")?;
        let (mut count, mut max) = (0i32, 0i32);
        self.stack.push_nil();
        while self.stack.next(-2) {
            self.step()?;
            self.stack.pop(1);
            let key = if self.stack.kind(-1) == Kind::Number { self.stack.number(-1) } else { None };
            match key.filter(|key| *key > 0.0 && *key <= f64::from(i32::MAX) && key.trunc() == *key) {
                Some(key) => max = max.max(key as i32),
                None => {
                    self.stack.pop(1);
                    return Ok(false);
                }
            }
            count = count.wrapping_add(1);
        }
        Ok(max == count)
    }

    fn array(&mut self, level: u32) -> Result<(), Fault> {
        let length = self.stack.length(-1);
        append_size(self.out, length, [0x90, 0xdc, 0xdd]);
        self.room(1, "in function mp_encode_lua_table_as_array")?;
        for element in 1..=length {
            self.stack.get_element(-1, i32::try_from(element).unwrap_or(i32::MAX));
            self.value(level + 1)?;
        }
        Ok(())
    }

    fn map(&mut self, level: u32) -> Result<(), Fault> {
        self.room(3, "in function mp_encode_lua_table_as_map")?;
        let mut length = 0;
        self.stack.push_nil();
        while self.stack.next(-2) {
            self.step()?;
            self.stack.pop(1);
            length += 1;
        }
        append_size(self.out, length, [0x80, 0xde, 0xdf]);
        self.stack.push_nil();
        while self.stack.next(-2) {
            self.stack.push_copy(-2);
            self.value(level + 1)?;
            self.value(level + 1)?;
        }
        Ok(())
    }
}

/// The header of an array or a map: 15 at most, 16 bits, 32 bits.
fn append_size(out: &mut Vec<u8>, size: usize, headers: [u8; 3]) {
    match size {
        0..=15 => out.push(headers[0] | size as u8),
        16..=0xffff => {
            out.push(headers[1]);
            out.extend_from_slice(&(size as u16).to_be_bytes());
        }
        _ => {
            out.push(headers[2]);
            out.extend_from_slice(&(size as u32).to_be_bytes());
        }
    }
}

fn append_string(out: &mut Vec<u8>, text: &[u8]) {
    match text.len() {
        len @ 0..=31 => out.push(0xa0 | len as u8),
        len @ 32..=0xff => out.extend_from_slice(&[0xd9, len as u8]),
        len @ 0x100..=0xffff => {
            out.push(0xda);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            out.push(0xdb);
            out.extend_from_slice(&(len as u32).to_be_bytes());
        }
    }
    out.extend_from_slice(text);
}

/// An integer in the fewest bytes, if it is one of 64 bits; else a float if it says the same, else a double.
fn append_number(out: &mut Vec<u8>, value: f64) {
    if value >= -(2f64.powi(63)) && value < 2f64.powi(63) && value.trunc() == value {
        append_integer(out, value as i64);
    } else if f64::from(value as f32) == value {
        out.push(0xca);
        out.extend_from_slice(&(value as f32).to_be_bytes());
    } else {
        out.push(0xcb);
        out.extend_from_slice(&value.to_be_bytes());
    }
}

fn append_integer(out: &mut Vec<u8>, value: i64) {
    match value {
        -32..=127 => out.push(value as u8),
        128..=0xff => out.extend_from_slice(&[0xcc, value as u8]),
        0x100..=0xffff => {
            out.push(0xcd);
            out.extend_from_slice(&(value as u16).to_be_bytes());
        }
        0x10000..=0xffff_ffff => {
            out.push(0xce);
            out.extend_from_slice(&(value as u32).to_be_bytes());
        }
        0x1_0000_0000.. => {
            out.push(0xcf);
            out.extend_from_slice(&value.to_be_bytes());
        }
        -128..=-33 => out.extend_from_slice(&[0xd0, value as u8]),
        -0x8000..=-129 => {
            out.push(0xd1);
            out.extend_from_slice(&(value as i16).to_be_bytes());
        }
        -0x8000_0000..=-0x8001 => {
            out.push(0xd2);
            out.extend_from_slice(&(value as i32).to_be_bytes());
        }
        _ => {
            out.push(0xd3);
            out.extend_from_slice(&value.to_be_bytes());
        }
    }
}
