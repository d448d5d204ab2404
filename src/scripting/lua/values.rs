//! Replies as Lua's values, and Lua's values as replies.

use super::stack::{field, push_bytes, push_error, set_flag, set_text};
use super::{Written, calls::is_counted};
use crate::{data::number::until_nul, resp::output::Output};
use mlua_sys as ffi;
use std::{ffi::c_int, slice};

/// Bytes up to the next CRLF, and those behind it.
fn line(at: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b'\r', at)?;
    Some((&at[..end], at.get(end + 2..)?))
}

/// The number up to the next CRLF, and what is behind that. What is no number of 64 bits is none that a command answers with.
fn number(at: &[u8]) -> Option<(i64, &[u8])> {
    let digits = at.strip_prefix(b"-").unwrap_or(at);
    let mut value = 0_u64;
    for (i, byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => value = value.wrapping_mul(10).wrapping_add(u64::from(byte - b'0')),
            b'\r' if i > 0 => {
                let value = if digits.len() < at.len() { value.wrapping_neg() } else { value };
                return Some((value as i64, digits.get(i + 2..)?));
            }
            _ => return None,
        }
    }
    None
}

/// Asks for the room on the stack that is needed to put a value together of others.
unsafe fn room(l: *mut ffi::lua_State) -> Option<()> {
    // SAFETY: the caller's: as `push_reply`.
    (unsafe { ffi::lua_checkstack(l, 12) } != 0).then_some(())
}

/// Pushes the value at the beginning of `at`. Gives what is behind it, and whether it is an error. Nothing where it is no reply, or nested too
/// deeply for Lua's stack.
///
/// # Safety
/// Runs in a protected call, or with memory that is not refused. Nothing it calls owns anything. There is room on the stack for a value that holds no others
/// and what it is made of: five slots.
pub(super) unsafe fn push_reply(l: *mut ffi::lua_State, at: &[u8]) -> Option<(&[u8], bool)> {
    // SAFETY: room for what is pushed is asked for; indices are of what has just been pushed.
    unsafe {
        let (&kind, mut rest) = at.split_first()?;
        match kind {
            b':' => {
                let value;
                (value, rest) = number(rest)?;
                ffi::lua_pushnumber(l, value as f64);
            }
            b'+' => {
                let text;
                (text, rest) = line(rest)?;
                ffi::lua_createtable(l, 0, 1);
                set_text(l, c"ok", text);
            }
            b'-' => {
                let (text, rest) = line(rest)?;
                push_error(l, text, true);
                set_flag(l, c"ignore_error_stats_update");
                return Some((rest, true));
            }
            b'$' | b'=' => {
                let len;
                (len, rest) = number(rest)?;
                let Ok(len) = usize::try_from(len) else {
                    ffi::lua_pushboolean(l, 0);
                    return Some((rest, false));
                };
                let text = rest.get(..len)?;
                rest = rest.get(len + 2..)?;
                if kind == b'$' {
                    push_bytes(l, text);
                } else {
                    ffi::lua_createtable(l, 0, 1);
                    ffi::lua_createtable(l, 0, 2);
                    set_text(l, c"string", text.get(4..)?);
                    set_text(l, c"format", text.get(..3)?);
                    ffi::lua_setfield(l, -2, c"verbatim_string".as_ptr());
                }
            }
            b'*' | b'>' => {
                let count;
                (count, rest) = number(rest)?;
                let count = c_int::try_from(count).ok()?;
                room(l)?;
                if count < 0 {
                    ffi::lua_pushboolean(l, 0);
                    return Some((rest, false));
                }
                ffi::lua_createtable(l, count, 0);
                for i in 1..=count {
                    rest = push_reply(l, rest)?.0;
                    ffi::lua_rawseti_(l, -2, i);
                }
            }
            b'%' | b'|' => {
                let count;
                (count, rest) = number(rest)?;
                room(l)?;
                ffi::lua_createtable(l, 0, 1);
                ffi::lua_createtable(l, 0, c_int::try_from(count).ok()?);
                for _ in 0..count {
                    rest = push_reply(l, rest)?.0;
                    rest = push_reply(l, rest)?.0;
                    ffi::lua_rawset(l, -3);
                }
                if kind == b'|' {
                    // What is said of the value behind it is not for scripts.
                    ffi::lua_settop(l, -3);
                    return push_reply(l, rest);
                }
                ffi::lua_setfield(l, -2, c"map".as_ptr());
            }
            b'~' => {
                let count;
                (count, rest) = number(rest)?;
                room(l)?;
                ffi::lua_createtable(l, 0, 1);
                ffi::lua_createtable(l, 0, c_int::try_from(count).ok()?);
                for _ in 0..count {
                    rest = push_reply(l, rest)?.0;
                    ffi::lua_pushboolean(l, 1);
                    ffi::lua_rawset(l, -3);
                }
                ffi::lua_setfield(l, -2, c"set".as_ptr());
            }
            b'_' => {
                rest = line(rest)?.1;
                ffi::lua_pushnil(l);
            }
            b'#' => {
                let yes;
                (yes, rest) = line(rest)?;
                ffi::lua_pushboolean(l, c_int::from(yes == b"t"));
            }
            b',' => {
                let head;
                (head, rest) = line(rest)?;
                ffi::lua_createtable(l, 0, 1);
                ffi::lua_pushnumber(l, std::str::from_utf8(head).ok()?.parse().ok()?);
                ffi::lua_setfield(l, -2, c"double".as_ptr());
            }
            b'(' => {
                let head;
                (head, rest) = line(rest)?;
                ffi::lua_createtable(l, 0, 1);
                set_text(l, c"big_number", head);
            }
            _ => return None,
        }
        Some((rest, false))
    }
}

/// The bytes of a string or of a number, which becomes a string.
///
/// # Safety
/// They are looked at before the stack changes.
unsafe fn text<'a>(l: *mut ffi::lua_State, index: c_int) -> &'a [u8] {
    let mut len = 0;
    // SAFETY: a string of Lua's lives as long as it is on the stack.
    unsafe {
        let at = ffi::lua_tolstring(l, index, &raw mut len);
        if at.is_null() { &[] } else { slice::from_raw_parts(at.cast(), len) }
    }
}

/// A number without what is behind its point, as C converts it on this processor: what is no integer of 64 bits is the least one.
fn integer_of(number: f64) -> i64 {
    if number >= -(2f64.powi(63)) && number < 2f64.powi(63) { number as i64 } else { i64::MIN }
}

/// Without what would end the line of a simple string.
fn one_line(text: &[u8]) -> Vec<u8> {
    until_nul(text).iter().map(|&b| if b == b'\r' || b == b'\n' { b' ' } else { b }).collect()
}

/// Bytes that a value of a table takes in Lua.
const VALUE_BYTES: usize = 16;
/// Values that a reply may have, however little memory is used.
const VALUES_MIN: usize = 1 << 20;

/// Writes a value as a reply.
///
/// A table may stand in many places of another one, so that a reply can be out of all proportion to what the script has made. It ends as one that needs
/// too much memory does.
pub(super) struct Writer<'a> {
    out: &'a mut Output,
    resp: u8,
    /// Where the reply begins.
    mark: usize,
    values_left: usize,
    bytes_max: usize,
    uncounted: Vec<Vec<u8>>,
}

impl<'a> Writer<'a> {
    /// `used` bytes are held by Lua, and `limit` it may hold.
    pub(super) fn new(out: &'a mut Output, resp: u8, used: usize, limit: usize) -> Self {
        let mark = out.mark();
        Self { out, resp, mark, values_left: used / VALUE_BYTES + VALUES_MIN, bytes_max: limit, uncounted: Vec::new() }
    }

    /// Writes the value on top of the stack and takes it away.
    ///
    /// # Safety
    /// Memory is not refused; no metatable is looked at.
    pub(super) unsafe fn write(&mut self, l: *mut ffi::lua_State) {
        // SAFETY: the caller's.
        unsafe { write_value(l, self) }
    }

    /// Counts a value; false where there are too many.
    fn goes_on(&mut self) -> bool {
        if self.values_left > 0 && self.out.mark() - self.mark <= self.bytes_max {
            self.values_left -= 1;
        } else {
            self.values_left = 0;
        }
        self.values_left > 0
    }

    /// The reply is whole, or an error takes its place.
    pub(super) fn end(self) -> Written {
        let Self { out, mark, values_left, mut uncounted, .. } = self;
        if values_left == 0 {
            let text = b"ERR not enough memory";
            let is_back = out.rewind(mark);
            debug_assert!(is_back, "nothing was shared");
            out.error(text);
            uncounted = vec![text.to_vec()];
        }
        Written { is_error: out.since(mark).first() == Some(&b'-'), uncounted }
    }
}

/// Writes the value on top of the stack and takes it away.
///
/// # Safety
/// Memory is not refused; no metatable is looked at.
unsafe fn write_value(l: *mut ffi::lua_State, writer: &mut Writer<'_>) {
    // SAFETY: room is asked for; every branch takes what it pushes.
    unsafe {
        if !writer.goes_on() {
            return ffi::lua_settop(l, -2);
        }
        let resp = writer.resp;
        let out = &mut *writer.out;
        match ffi::lua_type(l, -1) {
            ffi::LUA_TSTRING => out.bulk(text(l, -1)),
            // Numbers lose what is behind the point.
            ffi::LUA_TNUMBER => out.int(integer_of(ffi::lua_tonumber(l, -1))),
            ffi::LUA_TBOOLEAN => match (ffi::lua_toboolean(l, -1) != 0, resp) {
                (yes, 3) => out.boolean(yes),
                (true, _) => out.int(1),
                (false, _) => out.null(),
            },
            ffi::LUA_TTABLE => return write_table(l, writer),
            _ => out.null(),
        }
        ffi::lua_settop(l, -2);
    }
}

unsafe fn write_table(l: *mut ffi::lua_State, writer: &mut Writer<'_>) {
    // SAFETY: as `write_value`; the table is on top and stays there until its branch is done.
    unsafe {
        if ffi::lua_checkstack(l, 6) == 0 {
            writer.out.error("ERR reached lua stack limit");
            return ffi::lua_settop(l, -2);
        }
        if field(l, c"err") == ffi::LUA_TSTRING {
            // The ends of lines behind an error are left out, those inside of it are spaces.
            let text = until_nul(text(l, -1));
            let end = text.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |last| last + 1);
            let line = one_line(&text[..end]);
            ffi::lua_settop(l, -2);
            writer.out.error(&line);
            if !is_counted(l) {
                writer.uncounted.push(line);
            }
            return ffi::lua_settop(l, -2);
        }
        ffi::lua_settop(l, -2);
        if field(l, c"ok") == ffi::LUA_TSTRING {
            let line = one_line(text(l, -1));
            writer.out.raw(&[b"+", &line[..], b"\r\n"].concat());
            return ffi::lua_settop(l, -3);
        }
        ffi::lua_settop(l, -2);
        if field(l, c"double") == ffi::LUA_TNUMBER {
            let number = ffi::lua_tonumber(l, -1);
            let written = super::stack::number_text(number);
            writer.out.double_text(written.as_bytes());
            return ffi::lua_settop(l, -3);
        }
        ffi::lua_settop(l, -2);
        if field(l, c"map") == ffi::LUA_TTABLE {
            writer.out.map(count_pairs(l));
            ffi::lua_pushnil(l);
            while ffi::lua_next(l, -2) != 0 {
                // The key again, to be written: converting it in its place would confuse the walk.
                ffi::lua_pushvalue(l, -2);
                write_value(l, writer);
                write_value(l, writer);
            }
            return ffi::lua_settop(l, -3);
        }
        ffi::lua_settop(l, -2);
        if field(l, c"set") == ffi::LUA_TTABLE {
            writer.out.set(count_pairs(l));
            ffi::lua_pushnil(l);
            while ffi::lua_next(l, -2) != 0 {
                ffi::lua_settop(l, -2);
                ffi::lua_pushvalue(l, -1);
                write_value(l, writer);
            }
            return ffi::lua_settop(l, -3);
        }
        ffi::lua_settop(l, -2);
        if field(l, c"big_number") == ffi::LUA_TSTRING {
            writer.out.big_number(&String::from_utf8_lossy(&one_line(text(l, -1))));
            return ffi::lua_settop(l, -3);
        }
        ffi::lua_settop(l, -2);
        if field(l, c"verbatim_string") == ffi::LUA_TTABLE {
            if field(l, c"format") == ffi::LUA_TSTRING {
                let format = String::from_utf8_lossy(text(l, -1)).into_owned();
                ffi::lua_settop(l, -2);
                if field(l, c"string") == ffi::LUA_TSTRING {
                    writer.out.verbatim(&format, text(l, -1));
                    return ffi::lua_settop(l, -4);
                }
            }
            ffi::lua_settop(l, -2);
        }
        ffi::lua_settop(l, -2);
        let mut count = 0;
        loop {
            ffi::lua_rawgeti_(l, -1, count + 1);
            let is_end = ffi::lua_type(l, -1) == ffi::LUA_TNIL;
            ffi::lua_settop(l, -2);
            if is_end {
                break;
            }
            count += 1;
        }
        writer.out.array(count as usize);
        for i in 1..=count {
            ffi::lua_rawgeti_(l, -1, i);
            write_value(l, writer);
        }
        ffi::lua_settop(l, -2);
    }
}

/// Number of pairs of the table on top.
unsafe fn count_pairs(l: *mut ffi::lua_State) -> usize {
    let mut count = 0;
    // SAFETY: the walk changes nothing.
    unsafe {
        ffi::lua_pushnil(l);
        while ffi::lua_next(l, -2) != 0 {
            ffi::lua_settop(l, -2);
            count += 1;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::number;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_number_in_a_line_is_none() {
        for at in ["", "-", "\r\n", "-\r\n", "1", "12\r", "1x\r\n", "--1\r\n", "+1\r\n", "1-\r\n"] {
            assert_eq!(number(at.as_bytes()), None, "{at:?}");
        }
    }

    proptest! {
        #[test]
        fn a_number_is_what_has_been_written(value in prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX), -9_i64..10], behind in any::<Vec<u8>>()) {
            let at = [value.to_string().as_bytes(), b"\r\n", &behind].concat();
            prop_assert_eq!(number(&at), Some((value, &behind[..])));
        }
    }
}
