//! Lua's values to JSON.

use super::{
    super::{
        Fault, Kind, Stack,
        looks::{Looks, fits_string},
        number,
    },
    InvalidNumbers, Settings,
};

/// Appends the value on top of the stack, which stays there. `look` is asked now and then and ends the work with its fault.
pub fn encode<S: Stack>(
    stack: &mut S,
    settings: &Settings,
    out: &mut Vec<u8>,
    look: &mut dyn FnMut() -> Result<(), Fault>,
) -> Result<(), Fault> {
    Encoder { stack, settings, out, looks: Looks::new(look) }.value(0)
}

struct Encoder<'a, S> {
    stack: &'a mut S,
    settings: &'a Settings,
    out: &'a mut Vec<u8>,
    looks: Looks<'a>,
}

fn refused(kind: Kind, why: &str) -> Fault {
    Fault::Error(format!("Cannot serialise {}: {why}", kind.name()))
}

impl<S: Stack> Encoder<'_, S> {
    fn step(&mut self) -> Result<(), Fault> {
        self.looks.step_making(self.stack, self.out)
    }

    fn value(&mut self, depth: i32) -> Result<(), Fault> {
        self.step()?;
        match self.stack.kind(-1) {
            Kind::String => {
                fits_string(self.stack, self.out)?;
                append_string(self.out, self.stack.bytes(-1));
            }
            Kind::Number => self.number(-1)?,
            Kind::Boolean => self.out.extend_from_slice(if self.stack.boolean(-1) { b"true" } else { b"false" }),
            Kind::Table => self.table(depth + 1)?,
            Kind::Nil | Kind::Null => self.out.extend_from_slice(b"null"),
            kind => return Err(refused(kind, "type not supported")),
        }
        Ok(())
    }

    fn number(&mut self, index: i32) -> Result<(), Fault> {
        let value = self.stack.number(index).unwrap_or(0.0);
        match self.settings.encode_invalid {
            InvalidNumbers::Refused if !value.is_finite() => return Err(refused(Kind::Number, "must not be NaN or Inf")),
            InvalidNumbers::Written if value.is_nan() => self.out.extend_from_slice(b"nan"),
            InvalidNumbers::Null if !value.is_finite() => self.out.extend_from_slice(b"null"),
            _ => number::append_general(self.out, value, self.settings.precision as usize),
        }
        Ok(())
    }

    fn table(&mut self, depth: i32) -> Result<(), Fault> {
        self.stack.look_behind();
        if depth > self.settings.encode_depth_max || !self.stack.reserve(3) {
            return Err(Fault::Error(format!("Cannot serialise, excessive nesting ({depth})")));
        }
        match self.array_length()? {
            Some(length) if length > 0 || length == 0 && self.stack.is_marked_array(-1) => self.array(length, depth),
            _ => self.object(depth),
        }
    }

    /// The highest index, if all keys are integers from 1 and not too many are missing. An index beyond 2^31 counts as C's conversion
    /// makes of it on this processor: the least integer.
    fn array_length(&mut self) -> Result<Option<i32>, Fault> {
        let mut max = 0i32;
        let mut items = 0i32;
        self.stack.push_nil();
        while self.stack.next(-2) {
            self.step()?;
            let key = if self.stack.kind(-2) == Kind::Number { self.stack.number(-2) } else { None };
            match key {
                Some(key) if key >= 1.0 && key.floor() == key => {
                    if key > f64::from(max) {
                        max = if key <= f64::from(i32::MAX) { key as i32 } else { i32::MIN };
                    }
                    items = items.wrapping_add(1);
                    self.stack.pop(1);
                }
                _ => {
                    self.stack.pop(2);
                    return Ok(None);
                }
            }
        }
        let ratio = self.settings.sparse_ratio;
        if ratio > 0 && max > items.wrapping_mul(ratio) && max > self.settings.sparse_safe {
            return if self.settings.sparse_convert { Ok(None) } else { Err(refused(Kind::Table, "excessively sparse array")) };
        }
        Ok(Some(max))
    }

    fn array(&mut self, length: i32, depth: i32) -> Result<(), Fault> {
        self.out.push(b'[');
        for element in 1..=length {
            if element > 1 {
                self.out.push(b',');
            }
            self.stack.get_element(-1, element);
            self.value(depth)?;
            self.stack.pop(1);
        }
        self.out.push(b']');
        Ok(())
    }

    fn object(&mut self, depth: i32) -> Result<(), Fault> {
        self.out.push(b'{');
        let mut first = true;
        self.stack.push_nil();
        while self.stack.next(-2) {
            if !first {
                self.out.push(b',');
            }
            first = false;
            match self.stack.kind(-2) {
                Kind::Number => {
                    self.out.push(b'"');
                    self.number(-2)?;
                    self.out.extend_from_slice(b"\":");
                }
                Kind::String => {
                    append_string(self.out, self.stack.bytes(-2));
                    self.out.push(b':');
                }
                kind => return Err(refused(kind, "table key must be a number or string")),
            }
            self.value(depth)?;
            self.stack.pop(1);
        }
        self.out.push(b'}');
        Ok(())
    }
}

/// What stands behind the backslash: 0 for none at all, `u` for the byte in hexadecimal.
const ESCAPES: [u8; 256] = {
    let mut escapes = [0; 256];
    let mut byte = 0;
    while byte < 0x20 {
        escapes[byte] = b'u';
        byte += 1;
    }
    escapes[0x08] = b'b';
    escapes[b'\t' as usize] = b't';
    escapes[b'\n' as usize] = b'n';
    escapes[0x0c] = b'f';
    escapes[b'\r' as usize] = b'r';
    escapes[b'"' as usize] = b'"';
    escapes[b'/' as usize] = b'/';
    escapes[b'\\' as usize] = b'\\';
    escapes[0x7f] = b'u';
    escapes
};

/// Bytes that are not ASCII stay as they are, whether they are UTF-8 or not.
fn append_string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    let mut rest = text;
    while let Some(plain) = rest.iter().position(|&byte| ESCAPES[usize::from(byte)] != 0) {
        out.extend_from_slice(&rest[..plain]);
        let byte = rest[plain];
        match ESCAPES[usize::from(byte)] {
            b'u' => {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                out.extend_from_slice(b"\\u00");
                out.push(DIGITS[usize::from(byte >> 4)]);
                out.push(DIGITS[usize::from(byte & 15)]);
            }
            escape => out.extend_from_slice(&[b'\\', escape]),
        }
        rest = &rest[plain + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}
