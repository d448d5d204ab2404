//! `string.lower`, `upper`, `reverse` and `format`, in place of Lua's own: what goes over a long text looks, as it goes, at whether the script is to end.

use super::{
    frame::Frame,
    libraries::{finish, look, text_argument},
    shared::{Shared, shared},
    stack::set_functions,
    strings::room,
};
use crate::data::number::until_nul;
use crate::scripting::{
    libs::{Fault, Stack},
    text::class::byte,
};
use mlua_sys as ffi;
use std::ffi::{c_char, c_int};

/// Bytes between two looks.
const BYTES_BETWEEN_LOOKS: usize = 1 << 20;
/// Bytes that an item of a format may take: `%99.99f` of the largest number needs fewer.
const ITEM_MAX: usize = 512;
/// A string of this length is put in as it is, unless the format says how much of it.
const LONG: usize = 100;

const NO_MEMORY: &str = "not enough memory";

/// Adds what is made of a text, piece by piece.
unsafe fn add(
    shared: *mut Shared,
    out: &mut Vec<u8>,
    limit: usize,
    pieces: &mut dyn Iterator<Item = &[u8]>,
    make: &dyn Fn(&[u8], &mut Vec<u8>),
) -> Result<(), Fault> {
    for piece in pieces {
        if piece.len() > limit.saturating_sub(out.len()) {
            return Err(Fault::Plain(NO_MEMORY.into()));
        }
        make(piece, out);
        if piece.len() == BYTES_BETWEEN_LOOKS {
            // SAFETY: nothing is owned here or in what calls.
            unsafe { look(shared)? };
        }
    }
    Ok(())
}

/// A function that makes a text of the same length.
unsafe fn change(l: *mut ffi::lua_State, backwards: bool, make: &dyn Fn(&[u8], &mut Vec<u8>)) -> Result<c_int, Fault> {
    // SAFETY: the text stays in the frame; the kept buffer is this call's.
    unsafe {
        let shared = shared(l);
        let mut frame = Frame::new(l);
        let text = text_argument(&frame, 1)?;
        let limit = room(shared);
        let out = &mut (*shared).libraries.begin().out;
        match backwards {
            false => add(shared, out, limit, &mut text.chunks(BYTES_BETWEEN_LOOKS), make)?,
            true => add(shared, out, limit, &mut text.rchunks(BYTES_BETWEEN_LOOKS), make)?,
        }
        frame.push_bytes(out);
        Ok(1)
    }
}

unsafe extern "C-unwind" fn lower(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua calls it with a frame of its own.
    unsafe { finish(l, change(l, false, &|text, out| out.extend(text.iter().map(u8::to_ascii_lowercase)))) }
}

unsafe extern "C-unwind" fn upper(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: as above.
    unsafe { finish(l, change(l, false, &|text, out| out.extend(text.iter().map(u8::to_ascii_uppercase)))) }
}

unsafe extern "C-unwind" fn reverse(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: as above.
    unsafe { finish(l, change(l, true, &|text, out| out.extend(text.iter().rev()))) }
}

unsafe extern "C-unwind" fn format(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: as above.
    unsafe { finish(l, formatted(l)) }
}

unsafe fn formatted(l: *mut ffi::lua_State) -> Result<c_int, Fault> {
    // SAFETY: the strings stay in the frame; the kept buffer is this call's.
    unsafe {
        let shared = shared(l);
        let mut frame = Frame::new(l);
        let mut rest = text_argument(&frame, 1)?;
        let limit = room(shared);
        let out = &mut (*shared).libraries.begin().out;
        let mut argument = 1;
        while let Some(plain) = memchr::memchr(b'%', rest) {
            add_text(shared, out, limit, &rest[..plain])?;
            rest = &rest[plain + 1..];
            if byte(rest, 0) == b'%' {
                out.push(b'%');
                rest = &rest[1..];
                continue;
            }
            argument += 1;
            if argument > frame.top() {
                return Err(Fault::Argument(argument, "no value".into()));
            }
            let modifiers = modifiers(rest)?;
            let letter = byte(rest, modifiers);
            let item = Item { modifiers: &rest[..modifiers], letter };
            rest = rest.get(modifiers + 1..).unwrap_or(&[]);
            match letter {
                b'q' => add_quoted(shared, out, limit, text_argument(&frame, argument)?)?,
                b's' => {
                    let text = text_argument(&frame, argument)?;
                    if text.len() >= LONG && !item.modifiers.contains(&b'.') {
                        add_text(shared, out, limit, text)?;
                    } else if item.modifiers.is_empty() {
                        out.extend_from_slice(until_nul(text));
                    } else {
                        // Behind Lua's strings stands a zero.
                        item.print(out, b"", |to, spec| libc::snprintf(to, ITEM_MAX, spec, text.as_ptr()));
                    }
                }
                b'c' | b'd' | b'i' | b'o' | b'u' | b'x' | b'X' | b'e' | b'E' | b'f' | b'g' | b'G' => {
                    let number = frame.number(argument).ok_or_else(|| Fault::wrong_type(argument, "number", frame.kind(argument)))?;
                    item.number(out, number);
                }
                _ => {
                    let option = if letter == 0 { &[][..] } else { &[letter] };
                    return Err(Fault::ErrorBytes([b"invalid option '%", option, b"' to 'format'"].concat()));
                }
            }
        }
        add_text(shared, out, limit, rest)?;
        frame.push_bytes(out);
        Ok(1)
    }
}

unsafe fn add_text(shared: *mut Shared, out: &mut Vec<u8>, limit: usize, text: &[u8]) -> Result<(), Fault> {
    // SAFETY: the caller's.
    unsafe { add(shared, out, limit, &mut text.chunks(BYTES_BETWEEN_LOOKS), &|piece, out| out.extend_from_slice(piece)) }
}

/// A string as Lua's compiler reads it.
unsafe fn add_quoted(shared: *mut Shared, out: &mut Vec<u8>, limit: usize, text: &[u8]) -> Result<(), Fault> {
    let quoted = |piece: &[u8], out: &mut Vec<u8>| {
        for &byte in piece {
            match byte {
                b'"' | b'\\' | b'\n' => out.extend_from_slice(&[b'\\', byte]),
                b'\r' => out.extend_from_slice(b"\\r"),
                0 => out.extend_from_slice(b"\\000"),
                _ => out.push(byte),
            }
        }
    };
    out.push(b'"');
    // SAFETY: the caller's.
    unsafe { add(shared, out, limit, &mut text.chunks(BYTES_BETWEEN_LOOKS), &quoted)? };
    out.push(b'"');
    Ok(())
}

/// Bytes of flags, width and precision in front of an item's letter.
fn modifiers(item: &[u8]) -> Result<usize, Fault> {
    const FLAGS: &[u8] = b"-+ #0";
    let mut len = item.iter().take_while(|byte| FLAGS.contains(byte)).count();
    if len > FLAGS.len() {
        return Err(Fault::Error("invalid format (repeated flags)".into()));
    }
    let digits = |len: usize| (0..2).take_while(|more| byte(item, len + more).is_ascii_digit()).count();
    len += digits(len);
    if byte(item, len) == b'.' {
        len += 1;
        len += digits(len);
    }
    if byte(item, len).is_ascii_digit() {
        return Err(Fault::Error("invalid format (width or precision too long)".into()));
    }
    Ok(len)
}

/// One item of a format.
struct Item<'a> {
    modifiers: &'a [u8],
    letter: u8,
}

impl Item<'_> {
    fn number(&self, out: &mut Vec<u8>, number: f64) {
        // As this processor converts what is out of range.
        let whole = |number: f64| if number >= -(2f64.powi(63)) && number < 2f64.powi(63) { number as i64 } else { i64::MIN };
        // SAFETY (of each block): the argument is of the type that the letter and the size in front of it stand for; what is written is bounded.
        match self.letter {
            b'c' => {
                let fits = number > -(2f64.powi(31)) - 1.0 && number < 2f64.powi(31);
                let character = if fits { number as c_int } else { c_int::MIN };
                self.print(out, b"", |to, spec| unsafe { libc::snprintf(to, ITEM_MAX, spec, character) });
            }
            b'd' | b'i' if self.modifiers.is_empty() => out.extend_from_slice(itoa::Buffer::new().format(whole(number)).as_bytes()),
            b'd' | b'i' | b'o' | b'u' | b'x' | b'X' => {
                let is_high = number >= 2f64.powi(63) && !matches!(self.letter, b'd' | b'i');
                let number = if is_high { whole(number - 2f64.powi(63)) ^ i64::MIN } else { whole(number) };
                self.print(out, b"l", |to, spec| unsafe { libc::snprintf(to, ITEM_MAX, spec, number) });
            }
            _ => self.print(out, b"", |to, spec| unsafe { libc::snprintf(to, ITEM_MAX, spec, number) }),
        }
    }

    /// Adds what C's formatting makes of an argument of this size, as far as a C string goes. `print` is handed the room, and the format.
    fn print(&self, out: &mut Vec<u8>, size: &[u8], print: impl FnOnce(*mut c_char, *const c_char) -> c_int) {
        // A percent sign, five flags, two digits twice with a point between them, a size, the letter and a zero.
        let mut spec = [0_u8; 16];
        let mut at = 0;
        for part in [b"%", self.modifiers, size, &[self.letter]] {
            spec[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        let mut item = [0_u8; ITEM_MAX];
        print(item.as_mut_ptr().cast(), spec.as_ptr().cast());
        out.extend_from_slice(until_nul(&item));
    }
}

/// Puts these functions in the place of Lua's own.
///
/// # Safety
/// The string library is open, and nothing is protected yet.
pub(super) unsafe fn register(l: *mut ffi::lua_State) {
    // SAFETY: three slots, which are given back.
    unsafe {
        ffi::lua_getfield_(l, ffi::LUA_GLOBALSINDEX, c"string".as_ptr());
        set_functions(l, &[(c"lower", lower), (c"upper", upper), (c"reverse", reverse), (c"format", format)]);
        ffi::lua_settop(l, -2);
    }
}
