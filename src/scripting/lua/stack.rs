//! Small steps on Lua's stack. None owns memory of Rust's while Lua may raise an error.

use super::{shared::shared, stepping};
use crate::data::{float, number::until_nul};
use mlua_sys as ffi;
use std::{
    ffi::{CStr, c_char, c_int},
    slice,
};

/// Pushes a string.
#[inline]
pub(super) unsafe fn push_bytes(l: *mut ffi::lua_State, bytes: &[u8]) {
    // SAFETY: Lua copies the bytes.
    unsafe { ffi::lua_pushlstring_(l, bytes.as_ptr().cast::<c_char>(), bytes.len()) };
}

/// Sets a field of the table on top.
pub(super) unsafe fn set_text(l: *mut ffi::lua_State, name: &CStr, text: &[u8]) {
    // SAFETY: the table is on top, without a metatable.
    unsafe {
        push_bytes(l, text);
        ffi::lua_setfield(l, -2, name.as_ptr());
    }
}

/// Sets functions of the table on top.
pub(super) unsafe fn set_functions(l: *mut ffi::lua_State, functions: &[(&CStr, ffi::lua_CFunction)]) {
    // SAFETY: the table is on top, without a metatable.
    unsafe {
        for (name, function) in functions {
            ffi::lua_pushcclosure(l, *function, 0);
            ffi::lua_setfield(l, -2, name.as_ptr());
        }
    }
}

/// Sets a field of the table on top to true.
pub(super) unsafe fn set_flag(l: *mut ffi::lua_State, name: &CStr) {
    // SAFETY: as above.
    unsafe {
        ffi::lua_pushboolean(l, 1);
        ffi::lua_setfield(l, -2, name.as_ptr());
    }
}

/// Pushes a field of the table on top, whatever its metatable; gives the type.
pub(super) unsafe fn field(l: *mut ffi::lua_State, name: &CStr) -> c_int {
    // SAFETY: the table is on top.
    unsafe {
        push_bytes(l, name.to_bytes());
        ffi::lua_rawget_(l, -2);
        ffi::lua_type(l, -1)
    }
}

/// A text without line ends at both its ends.
fn trimmed(text: &[u8]) -> &[u8] {
    let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let from = text.iter().position(|byte| !is_end(byte)).unwrap_or(text.len());
    let to = text.iter().rposition(|byte| !is_end(byte)).map_or(from, |last| last + 1);
    &text[from..to]
}

/// Pushes an error as scripts see it: up to a zero, as C's strings, a code and a text without line ends around it. One that `has_code` has it
/// in front of its first space; any other is given `ERR`.
pub(super) unsafe fn push_error(l: *mut ffi::lua_State, text: &[u8], has_code: bool) {
    let text = until_nul(text);
    // SAFETY: the session is looked at for this step.
    if let Some(debugger) = unsafe { stepping::stepping(shared(l)) } {
        debugger.show_error(text, has_code);
    }
    let (code, text) = match memchr::memchr(b' ', text).filter(|_| has_code) {
        Some(space) => (&text[..space], &text[space + 1..]),
        None => (&b"ERR"[..], text),
    };
    // SAFETY: four slots at most, and `lua_concat` takes three strings.
    unsafe {
        ffi::lua_createtable(l, 0, 1);
        push_bytes(l, code);
        push_bytes(l, b" ");
        push_bytes(l, trimmed(text));
        ffi::lua_concat(l, 3);
        ffi::lua_setfield(l, -2, c"err".as_ptr());
    }
}

/// A string's bytes; none where the value is no string.
///
/// # Safety
/// They are looked at before the value leaves the stack.
pub(super) unsafe fn bytes_at<'a>(l: *mut ffi::lua_State, index: c_int) -> &'a [u8] {
    // SAFETY: the type is looked at, so nothing is converted.
    unsafe {
        if ffi::lua_type(l, index) != ffi::LUA_TSTRING {
            return &[];
        }
        let mut len = 0;
        let at = ffi::lua_tolstring(l, index, &raw mut len);
        slice::from_raw_parts(at.cast(), len)
    }
}

/// A number's text, in place.
pub(super) struct NumberText {
    bytes: [u8; 40],
    len: usize,
}

impl NumberText {
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// A number as an argument of a command: whole numbers without exponent, others with the fewest digits that say which number it is.
pub(super) fn number_text(number: f64) -> NumberText {
    let mut text = NumberText { bytes: [0; 40], len: 0 };
    let whole = number as i64;
    // 2^63 as a double is one too many.
    if whole as f64 == number && whole != i64::MAX {
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(whole).as_bytes();
        text.bytes[..digits.len()].copy_from_slice(digits);
        text.len = digits.len();
        return text;
    }
    if number.is_finite() {
        let mut digits = Vec::with_capacity(text.bytes.len());
        float::write(&mut digits, number);
        text.len = digits.len().min(text.bytes.len());
        text.bytes[..text.len].copy_from_slice(&digits[..text.len]);
        return text;
    }
    // SAFETY: the buffer takes what 17 digits, a sign, a point and an exponent need; the length is bounded by it.
    let written = unsafe { libc::snprintf(text.bytes.as_mut_ptr().cast(), text.bytes.len(), c"%.17g".as_ptr(), number) };
    text.len = usize::try_from(written).unwrap_or(0).min(text.bytes.len() - 1);
    text
}

/// An integer as C converts it here: the low 32 bits.
pub(super) unsafe fn int_argument(l: *mut ffi::lua_State, argument: c_int) -> c_int {
    // SAFETY: raises an error where it is no number; nothing is owned.
    unsafe { ffi::luaL_checkinteger(l, argument) as c_int }
}

/// The same where it may be left out.
pub(super) unsafe fn int_or(l: *mut ffi::lua_State, argument: c_int, default: impl FnOnce() -> c_int) -> c_int {
    // SAFETY: as above.
    unsafe { if ffi::lua_type(l, argument) <= ffi::LUA_TNIL { default() } else { int_argument(l, argument) } }
}
