//! `string.find`, `match`, `gmatch`, `gsub` and `rep`, in place of Lua's own, which call themselves without bound and cannot be ended.

use super::{
    frame::Frame,
    libraries::{finish, look, text_argument},
    shared::{Shared, shared},
    stack::{push_bytes, set_functions},
};
use crate::scripting::{
    libs::{Fault, Kind, Stack},
    text::{
        Capture, Found, Matcher, find,
        find::{find_plain, is_plain, start_of},
        next_match,
        substitute::{repeat, substitute},
    },
};
use mlua_sys as ffi;
use std::ffi::c_int;

/// An integer argument as C converts it on this processor.
fn integer(frame: &Frame, argument: c_int, default: Option<i64>) -> Result<i64, Fault> {
    match (frame.kind(argument), default) {
        (Kind::None | Kind::Nil, Some(default)) => Ok(default),
        (kind, _) => {
            let number = frame.number(argument).ok_or_else(|| Fault::wrong_type(argument, "number", kind))?;
            Ok(if number >= -(2f64.powi(63)) && number < 2f64.powi(63) { number as i64 } else { i64::MIN })
        }
    }
}

/// Bytes that a result may have: it becomes a string of Lua's in the end, and both are there then.
///
/// # Safety
/// `shared` is the machine's.
pub(super) unsafe fn room(shared: *mut Shared) -> usize {
    // SAFETY: the caller's.
    unsafe { (*shared).limit.saturating_sub((*shared).used) / 2 }
}

/// Pushes the captures of the latest match, or the match itself where there are none and `whole` asks for it.
fn push_captures(frame: &mut Frame, matcher: &Matcher, subject: &[u8], found: Found, whole: bool) -> Result<c_int, Fault> {
    let count = if matcher.count() == 0 && whole { 1 } else { matcher.count() };
    if !frame.reserve(count as i32) {
        return Err(Fault::Error("stack overflow (too many captures)".into()));
    }
    for index in 0..count {
        push_capture(frame, matcher, subject, found, index)?;
    }
    Ok(count as c_int)
}

fn push_capture(frame: &mut Frame, matcher: &Matcher, subject: &[u8], found: Found, index: usize) -> Result<(), Fault> {
    match matcher.capture(index, found.start, found.end)? {
        Capture::Part(from, to) => frame.push_bytes(&subject[from..to]),
        Capture::Position(at) => frame.push_number(at as f64 + 1.0),
    }
    Ok(())
}

/// `find` gives the bounds in front of the captures.
unsafe fn find_or_match(l: *mut ffi::lua_State, is_find: bool) -> Result<c_int, Fault> {
    // SAFETY: the strings stay in the frame; the matcher is this call's while it runs.
    unsafe {
        let shared = shared(l);
        let mut frame = Frame::new(l);
        let subject = text_argument(&frame, 1)?;
        let pattern = text_argument(&frame, 2)?;
        let start = start_of(integer(&frame, 3, Some(1))?, subject.len());
        let matcher = &mut (*shared).libraries.begin().matcher;
        let found = if is_find && (frame.boolean(4) || is_plain(pattern)) {
            find_plain(subject, start, pattern)
        } else {
            find(matcher, subject, start, pattern, &mut || look(shared))?
        };
        let Some(found) = found else {
            frame.push_nil();
            return Ok(1);
        };
        if !is_find {
            return push_captures(&mut frame, matcher, subject, found, true);
        }
        frame.push_number(found.start as f64 + 1.0);
        frame.push_number(found.end as f64);
        // The matcher is empty after a search for a plain text.
        Ok(2 + if found.plain { 0 } else { push_captures(&mut frame, matcher, subject, found, false)? })
    }
}

unsafe extern "C-unwind" fn string_find(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua calls it with a frame of its own.
    unsafe { finish(l, find_or_match(l, true)) }
}

unsafe extern "C-unwind" fn string_match(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: as above.
    unsafe { finish(l, find_or_match(l, false)) }
}

unsafe extern "C-unwind" fn string_gmatch(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: as above; the strings and the position become the function's upvalues.
    unsafe {
        let frame = Frame::new(l);
        if let Err(fault) = text_argument(&frame, 1).and_then(|_| text_argument(&frame, 2)) {
            return finish(l, Err(fault));
        }
        ffi::lua_settop(l, 2);
        ffi::lua_pushnumber(l, 0.0);
        ffi::lua_pushcclosure(l, gmatch_step, 3);
        1
    }
}

unsafe extern "C-unwind" fn gmatch_step(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: the upvalues live as the function does.
    unsafe { finish(l, next_of_gmatch(l)) }
}

unsafe fn next_of_gmatch(l: *mut ffi::lua_State) -> Result<c_int, Fault> {
    // SAFETY: as above.
    unsafe {
        let shared = shared(l);
        let mut frame = Frame::new(l);
        let subject = frame.kept_text(ffi::lua_upvalueindex(1)).unwrap_or(&[]);
        let pattern = frame.kept_text(ffi::lua_upvalueindex(2)).unwrap_or(&[]);
        let start = ffi::lua_tonumber(l, ffi::lua_upvalueindex(3)) as usize;
        let matcher = &mut (*shared).libraries.begin().matcher;
        let Some(found) = next_match(matcher, subject, start, pattern, &mut || look(shared))? else { return Ok(0) };
        // After an empty match at least one character is left out.
        let next = if found.end == found.start { found.end + 1 } else { found.end };
        ffi::lua_pushnumber(l, next as f64);
        ffi::lua_replace(l, ffi::lua_upvalueindex(3));
        push_captures(&mut frame, matcher, subject, found, true)
    }
}

unsafe extern "C-unwind" fn string_gsub(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: as above.
    unsafe { finish(l, gsub(l)) }
}

unsafe fn gsub(l: *mut ffi::lua_State) -> Result<c_int, Fault> {
    // SAFETY: as above.
    unsafe {
        let shared = shared(l);
        let mut frame = Frame::new(l);
        let subject = text_argument(&frame, 1)?;
        let pattern = text_argument(&frame, 2)?;
        let count = integer(&frame, 4, Some(subject.len() as i64 + 1))? as i32;
        let done = match frame.kind(3) {
            Kind::Number | Kind::String => {
                let replacement = text_argument(&frame, 3)?;
                let limit = room(shared);
                let libraries = (*shared).libraries.begin();
                let out = (&mut libraries.out, limit);
                substitute(&mut libraries.matcher, subject, pattern, (replacement, count), out, &mut || look(shared))?
            }
            Kind::Function | Kind::Table => {
                let done = collect(l, &mut frame, subject, pattern, count)?;
                join(shared, &mut frame)?;
                done
            }
            _ => return Err(Fault::Argument(3, "string/function/table expected".into())),
        };
        push_bytes(l, &(*shared).libraries.out);
        frame.push_number(f64::from(done));
        Ok(2)
    }
}

/// Where the parts of a result are collected: a table in the frame, since a script's function may run in between and use the kept buffers.
const PARTS: c_int = 4;

/// Collects the parts of the subject and what a function or a table makes of the matches; gives the number of matches.
unsafe fn collect(l: *mut ffi::lua_State, frame: &mut Frame, subject: &[u8], pattern: &[u8], count: i32) -> Result<i32, Fault> {
    // SAFETY: as above. Nothing is owned, and nothing kept is borrowed, while the script's function runs.
    unsafe {
        let shared = shared(l);
        ffi::lua_settop(l, 3);
        frame.push_table();
        let anchored = pattern.first() == Some(&b'^');
        let (mut parts, mut at, mut copied, mut done) = (0, 0, 0, 0);
        while done < count {
            let matcher = &mut (*shared).libraries.matcher;
            let end = matcher.match_at(subject, at, pattern, usize::from(anchored), &mut || look(shared))?;
            if let Some(end) = end {
                done += 1;
                if at > copied {
                    frame.push_bytes(&subject[copied..at]);
                    parts += 1;
                    frame.set_element(PARTS, parts);
                }
                copied = end;
                push_replacement(l, frame, subject, Found { start: at, end, plain: false })?;
                parts += 1;
                frame.set_element(PARTS, parts);
            }
            match end {
                Some(end) if end > at => at = end,
                _ if at < subject.len() => at += 1,
                _ => break,
            }
            if anchored {
                break;
            }
        }
        frame.push_bytes(&subject[copied..]);
        frame.set_element(PARTS, parts + 1);
        Ok(done)
    }
}

/// Pushes what the third argument makes of a match: the match itself where it gives nil or false.
unsafe fn push_replacement(l: *mut ffi::lua_State, frame: &mut Frame, subject: &[u8], found: Found) -> Result<(), Fault> {
    // SAFETY: as above.
    unsafe {
        let shared = shared(l);
        let matcher = &raw const (*shared).libraries.matcher;
        if frame.kind(3) == Kind::Function {
            ffi::lua_pushvalue(l, 3);
            let captures = push_captures(frame, &*matcher, subject, found, true)?;
            ffi::lua_call(l, captures, 1);
        } else {
            push_capture(frame, &*matcher, subject, found, 0)?;
            ffi::lua_gettable_(l, 3);
        }
        match frame.kind(-1) {
            Kind::Nil | Kind::Boolean if !frame.boolean(-1) => {
                frame.pop(1);
                frame.push_bytes(&subject[found.start..found.end]);
            }
            Kind::String | Kind::Number => {}
            kind => return Err(Fault::Error(format!("invalid replacement value (a {})", kind.name()))),
        }
        Ok(())
    }
}

/// Puts the collected parts one behind the other.
unsafe fn join(shared: *mut Shared, frame: &mut Frame) -> Result<(), Fault> {
    // SAFETY: as above.
    unsafe {
        let limit = room(shared);
        let out = &mut (*shared).libraries.begin().out;
        for part in 1..=frame.length(PARTS) {
            frame.get_element(PARTS, part as i32);
            let bytes = frame.kept_text(-1).unwrap_or(&[]);
            if bytes.len() > limit.saturating_sub(out.len()) {
                return Err(Fault::Plain("not enough memory".into()));
            }
            out.extend_from_slice(bytes);
            frame.pop(1);
        }
        Ok(())
    }
}

unsafe extern "C-unwind" fn string_rep(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: as above.
    unsafe { finish(l, rep(l)) }
}

unsafe fn rep(l: *mut ffi::lua_State) -> Result<c_int, Fault> {
    // SAFETY: as above.
    unsafe {
        let shared = shared(l);
        let frame = Frame::new(l);
        let text = text_argument(&frame, 1)?;
        let count = integer(&frame, 2, None)? as i32;
        let limit = room(shared);
        let out = &mut (*shared).libraries.begin().out;
        repeat(text, count, out, limit, &mut || look(shared))?;
        push_bytes(l, out);
        Ok(1)
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
        set_functions(
            l,
            &[(c"find", string_find), (c"match", string_match), (c"gmatch", string_gmatch), (c"gsub", string_gsub), (c"rep", string_rep)],
        );
        ffi::lua_settop(l, -2);
    }
}
