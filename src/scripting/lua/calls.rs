//! What a script calls: `redis.*`, which is `server.*` too. A function that suspends the script or raises an error owns nothing.

use super::{
    layout,
    libraries::{finish, look},
    shared::{Given, Shared, ask, shared},
    stack::{bytes_at, field, number_text, push_bytes, push_error, set_text},
    stepping,
    values::push_reply,
};
use crate::data::number::until_nul;
use crate::scripting::{Asked, cache::Sha1Hex};
use mlua_sys as ffi;
use std::ffi::{CStr, c_int};

/// The functions by name.
pub(super) const FUNCTIONS: [(&CStr, ffi::lua_CFunction); 12] = [
    (c"call", call),
    (c"pcall", pcall),
    (c"error_reply", error_reply),
    (c"status_reply", status_reply),
    (c"sha1hex", sha1),
    (c"log", log),
    (c"setresp", setresp),
    (c"set_repl", set_repl),
    (c"replicate_commands", replicate_commands),
    (c"breakpoint", stepping::breakpoint),
    (c"debug", stepping::debug),
    (c"acl_check_cmd", acl_check_cmd),
];

/// Those that a library finds while it is loaded.
pub(super) const LOADING_FUNCTIONS: [(&CStr, ffi::lua_CFunction); 2] =
    [(c"register_function", super::registering::register_function), (c"log", log)];

/// Levels of the log.
pub(super) const LEVELS: [(&CStr, i32); 4] = [(c"LOG_DEBUG", 0), (c"LOG_VERBOSE", 1), (c"LOG_NOTICE", 2), (c"LOG_WARNING", 3)];

/// What of a script's writes is propagated.
pub(super) const PROPAGATIONS: [(&CStr, i32); 5] =
    [(c"REPL_NONE", 0), (c"REPL_AOF", 1), (c"REPL_SLAVE", 2), (c"REPL_REPLICA", 2), (c"REPL_ALL", 3)];

/// Bytes that are hashed between two looks.
const HASHED_BETWEEN_LOOKS: usize = 1 << 20;

/// Raises an error of a text without code, as a table.
unsafe fn raise(l: *mut ffi::lua_State, text: &[u8]) -> ! {
    // SAFETY: nothing is owned here.
    unsafe {
        push_error(l, text, false);
        ffi::lua_error(l)
    }
}

/// Copies the arguments to where the engine reads them. Nothing where they are not only strings and numbers.
unsafe fn take_args(l: *mut ffi::lua_State, shared: *mut Shared) -> Option<()> {
    // SAFETY: nothing here is Lua's doing, so that the stack stays as it is and no step raises an error.
    unsafe {
        let args = (*shared).args();
        args.clear();
        for value in layout::arguments(l) {
            match value.text() {
                Some(text) => args.push(text),
                None => args.push(number_text(value.number()?).as_bytes()),
            }
        }
        Some(())
    }
}

unsafe extern "C-unwind" fn call(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua calls it.
    unsafe { run(l, true) }
}

unsafe extern "C-unwind" fn pcall(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua calls it.
    unsafe { run(l, false) }
}

unsafe fn run(l: *mut ffi::lua_State, raises: bool) -> c_int {
    // SAFETY: what is borrowed of the answer is looked at before the script is suspended again; nothing is owned.
    unsafe {
        let shared = shared(l);
        let is_error = if (*shared).is_host || (*shared).registered.is_some() {
            push_error(l, b"redis.call/pcall can only be called inside a script invocation", false);
            true
        } else if ffi::lua_gettop(l) == 0 {
            push_error(l, b"Please specify at least one argument for this redis lib call", false);
            true
        } else if take_args(l, shared).is_none() {
            push_error(l, b"Lua redis lib command arguments must be strings or integers", false);
            true
        } else {
            // A reply may need the room that many arguments have.
            ffi::lua_settop(l, 0);
            if let Some(debugger) = stepping::stepping(shared) {
                debugger.show_call((*shared).args().args().iter());
            }
            match ask(shared, Asked::Call) {
                Given::Reply(reply) => {
                    let pushed = push_reply(l, &*reply);
                    if let Some(debugger) = stepping::stepping(shared) {
                        debugger.show_reply(&*reply);
                    }
                    match pushed {
                        Some((_, is_error)) => is_error,
                        None => {
                            push_error(l, b"Unsupported reply of a command", false);
                            true
                        }
                    }
                }
                Given::Error(text) => {
                    push_error(l, &*text, true);
                    true
                }
                Given::Kill(text) => {
                    push_error(l, text.as_bytes(), true);
                    ffi::lua_error(l)
                }
                Given::Go | Given::Bool(_) | Given::Late | Given::Leave => {
                    ffi::lua_pushnil(l);
                    false
                }
            }
        };
        if is_error && raises { ffi::lua_error(l) } else { 1 }
    }
}

unsafe extern "C-unwind" fn acl_check_cmd(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: as `run`.
    unsafe {
        let shared = shared(l);
        if ffi::lua_gettop(l) == 0 {
            raise(l, b"Please specify at least one argument for this redis lib call");
        }
        if take_args(l, shared).is_none() {
            raise(l, b"Lua redis lib command arguments must be strings or integers");
        }
        match ask(shared, Asked::AclCheck) {
            Given::Bool(yes) => ffi::lua_pushboolean(l, c_int::from(yes)),
            Given::Error(text) => {
                push_error(l, &*text, true);
                ffi::lua_error(l)
            }
            Given::Kill(text) => {
                push_error(l, text.as_bytes(), true);
                ffi::lua_error(l)
            }
            Given::Go | Given::Reply(_) | Given::Late | Given::Leave => ffi::lua_pushboolean(l, 0),
        }
        1
    }
}

/// Whether it is called with one string.
unsafe fn is_one_string(l: *mut ffi::lua_State) -> bool {
    // SAFETY: looks only.
    unsafe { ffi::lua_gettop(l) == 1 && ffi::lua_type(l, 1) == ffi::LUA_TSTRING }
}

unsafe extern "C-unwind" fn error_reply(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe {
        if !is_one_string(l) {
            push_error(l, b"wrong number or type of arguments", false);
            return 1;
        }
        let text = bytes_at(l, 1);
        push_error(l, text.strip_prefix(b"-").unwrap_or(text), true);
        1
    }
}

unsafe extern "C-unwind" fn status_reply(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe {
        if !is_one_string(l) {
            push_error(l, b"wrong number or type of arguments", false);
            return 1;
        }
        ffi::lua_createtable(l, 0, 1);
        set_text(l, c"ok", bytes_at(l, 1));
        1
    }
}

unsafe extern "C-unwind" fn sha1(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: nothing is owned: the hash needs no drop. A number becomes a string in its place.
    unsafe {
        if ffi::lua_gettop(l) != 1 {
            raise(l, b"wrong number of arguments");
        }
        if ffi::lua_type(l, 1) == ffi::LUA_TNUMBER {
            ffi::lua_tolstring(l, 1, std::ptr::null_mut());
        }
        let mut hash = Sha1Hex::default();
        for piece in bytes_at(l, 1).chunks(HASHED_BETWEEN_LOOKS) {
            hash.add(piece);
            if piece.len() == HASHED_BETWEEN_LOOKS
                && !(*shared(l)).is_host
                && let Err(fault) = look(shared(l))
            {
                return finish(l, Err(fault));
            }
        }
        push_bytes(l, &hash.end());
        1
    }
}

unsafe extern "C-unwind" fn log(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: parts are joined by Lua, so that nothing is owned.
    unsafe {
        let top = ffi::lua_gettop(l);
        if top < 2 {
            raise(l, b"redis.log() requires two arguments or more.");
        }
        if ffi::lua_type(l, 1) != ffi::LUA_TNUMBER {
            raise(l, b"First argument must be a number (log level).");
        }
        let level = ffi::lua_tonumber(l, 1);
        if !(-1.0 < level && level < 4.0) {
            raise(l, b"Invalid debug level.");
        }
        if ffi::lua_checkstack(l, top.saturating_mul(2)) == 0 {
            raise(l, b"reached lua stack limit");
        }
        let mut parts = 0;
        for i in 2..=top {
            if ffi::lua_isstring(l, i) == 0 {
                continue;
            }
            if parts > 0 {
                push_bytes(l, b" ");
                parts += 1;
            }
            ffi::lua_pushvalue(l, i);
            parts += 1;
        }
        ffi::lua_concat(l, parts);
        let shared = shared(l);
        if (*shared).is_host {
            return 0;
        }
        let args = (*shared).args();
        args.clear();
        args.push(bytes_at(l, -1));
        ask(shared, Asked::Log { level: level as u8 });
        0
    }
}

unsafe extern "C-unwind" fn setresp(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe {
        if ffi::lua_gettop(l) != 1 {
            raise(l, b"redis.setresp() requires one argument.");
        }
        let version = ffi::lua_tonumber(l, -1);
        let Some(version) = [2_u8, 3].into_iter().find(|v| f64::from(*v) == version.trunc()) else {
            raise(l, b"RESP version must be 2 or 3.")
        };
        let shared = shared(l);
        (*shared).resp = version;
        if !(*shared).is_host {
            ask(shared, Asked::SetResp(version));
        }
        0
    }
}

unsafe extern "C-unwind" fn set_repl(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe {
        if ffi::lua_gettop(l) != 1 {
            raise(l, b"redis.set_repl() requires one argument.");
        }
        let flags = ffi::lua_tonumber(l, -1);
        if !(-1.0 < flags && flags < 4.0) {
            raise(l, b"Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.");
        }
        let shared = shared(l);
        if !(*shared).is_host {
            ask(shared, Asked::Propagate(flags as u8));
        }
        0
    }
}

/// Effects are what is replicated, always.
unsafe extern "C-unwind" fn replicate_commands(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: pushes a value.
    unsafe { ffi::lua_pushboolean(l, 1) };
    1
}

/// Looks at an error on its way out of the script: it becomes a table, with the source and line it was raised at.
pub(super) unsafe extern "C-unwind" fn error_handler(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: `at` is filled by Lua before it is read. Nothing is owned.
    unsafe {
        if ffi::lua_type(l, 1) != ffi::LUA_TTABLE {
            push_bytes(l, b"ERR ");
            match ffi::lua_type(l, 1) {
                ffi::LUA_TSTRING | ffi::LUA_TNUMBER => ffi::lua_pushvalue(l, 1),
                ffi::LUA_TNIL => push_bytes(l, b"nil"),
                ffi::LUA_TBOOLEAN if ffi::lua_toboolean(l, 1) != 0 => push_bytes(l, b"true"),
                ffi::LUA_TBOOLEAN => push_bytes(l, b"false"),
                other => {
                    ffi::lua_pushfstring(l, c"%s: %p".as_ptr(), ffi::lua_typename(l, other), ffi::lua_topointer(l, 1));
                }
            }
            ffi::lua_concat(l, 2);
            ffi::lua_createtable(l, 0, 3);
            ffi::lua_insert(l, -2);
            ffi::lua_setfield(l, -2, c"err".as_ptr());
            ffi::lua_replace(l, 1);
        }
        ffi::lua_settop(l, 1);
        let mut at: ffi::lua_Debug = std::mem::zeroed();
        let mut is_known = ffi::lua_getstack(l, 1, &raw mut at) != 0;
        if is_known {
            ffi::lua_getinfo(l, c"nSl".as_ptr(), &raw mut at);
            if *at.what == b'C' as std::ffi::c_char && ffi::lua_getstack(l, 2, &raw mut at) != 0 {
                ffi::lua_getinfo(l, c"nSl".as_ptr(), &raw mut at);
            }
            is_known = !at.source.is_null();
        }
        if is_known {
            set_text(l, c"source", CStr::from_ptr(at.source).to_bytes());
            ffi::lua_pushnumber(l, f64::from(at.currentline));
            ffi::lua_setfield(l, -2, c"line".as_ptr());
        }
        1
    }
}

/// The text of an error on top, with its code and without the place it comes from.
pub(super) unsafe fn plain_error(l: *mut ffi::lua_State) -> Vec<u8> {
    // SAFETY: as `error_text`.
    unsafe {
        if ffi::lua_type(l, -1) != ffi::LUA_TTABLE {
            return [b"ERR ", bytes_at(l, -1)].concat();
        }
        field(l, c"err");
        let text = bytes_at(l, -1).to_vec();
        ffi::lua_settop(l, -2);
        text
    }
}

/// Whether the error on top was counted where it came from.
pub(super) unsafe fn is_counted(l: *mut ffi::lua_State) -> bool {
    // SAFETY: takes what it pushes.
    unsafe {
        let is_counted = field(l, c"ignore_error_stats_update") == ffi::LUA_TBOOLEAN && ffi::lua_toboolean(l, -1) != 0;
        ffi::lua_settop(l, -2);
        is_counted
    }
}

/// What is on top after a failed run, as the client is told it. Takes nothing away.
/// The second part says whether it has been counted where it came from.
pub(super) unsafe fn error_text(l: *mut ffi::lua_State, name: &[u8]) -> (Vec<u8>, bool) {
    // SAFETY: memory is not refused here, so that no step raises an error.
    unsafe {
        if ffi::lua_type(l, -1) != ffi::LUA_TTABLE {
            // Memory has run out, or the handler has failed: a text.
            return ([b"ERR ", until_nul(bytes_at(l, -1))].concat(), false);
        }
        field(l, c"err");
        let mut text = match ffi::lua_type(l, -1) {
            ffi::LUA_TSTRING | ffi::LUA_TNUMBER => {
                ffi::lua_tolstring(l, -1, std::ptr::null_mut());
                until_nul(bytes_at(l, -1)).to_vec()
            }
            _ => b"ERR unknown error".to_vec(),
        };
        ffi::lua_settop(l, -2);
        let has_source = field(l, c"source") == ffi::LUA_TSTRING;
        let source = bytes_at(l, -1).to_vec();
        ffi::lua_settop(l, -2);
        let has_line = field(l, c"line") == ffi::LUA_TNUMBER;
        let line = number_text(ffi::lua_tonumber(l, -1));
        ffi::lua_settop(l, -2);
        if has_source && has_line {
            text.extend_from_slice(b" script: ");
            text.extend_from_slice(name);
            text.extend_from_slice(b", on ");
            text.extend_from_slice(&source);
            text.push(b':');
            text.extend_from_slice(line.as_bytes());
            text.push(b'.');
        }
        text.iter_mut().filter(|b| matches!(b, b'\r' | b'\n')).for_each(|b| *b = b' ');
        let is_counted = is_counted(l);
        (text, is_counted)
    }
}
