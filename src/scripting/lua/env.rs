//! The globals a script finds, and why it cannot change them.
//!
//! Lua 5.1 has no read-only tables. So a script never holds a table that is to stay as it is: it holds an empty **proxy** of it. Reading goes
//! through the proxy's metatable, writing raises an error. What looks at a table without its metatable (`next`, `rawget`, `rawset`,
//! `table.insert` and their like) is given our own face here: with a proxy it reads the table behind it, or refuses to write.

use super::{
    base, calls,
    coroutines::{self, caught},
    libraries,
    random::{random, randomseed},
    shared::{Shared, shared},
    stack::{bytes_at, push_bytes, set_functions, set_text},
    strings, tables, texts,
};
use crate::config::REDIS_VERSION;
use mlua_sys as ffi;
use std::ffi::{CStr, c_int};

/// Where the registry keeps the tables behind proxies.
pub(super) const PROXIES: &CStr = c"solod.proxies";
/// Where the registry keeps the table of globals that the machine itself writes to.
pub(super) const GLOBALS: &CStr = c"solod.globals";

/// Where the registry keeps a proxy of the globals' metatable.
const STRICT: &CStr = c"solod.strict";
/// Where it keeps the environment of libraries, and what they find in it while they are loaded.
const LIBRARIES: &CStr = c"solod.libraries";
const LOADING: &CStr = c"solod.loading";
/// Bytes that `load` joins between two looks at whether the script is to end.
const JOINED_BETWEEN_LOOKS: usize = 4 << 20;

/// Bytes that are compiled between two looks.
const COMPILED_BETWEEN_LOOKS: usize = 64 << 10;

const READONLY: &[u8] = b"Attempt to modify a readonly table";

/// Globals of the base library that stay.
const KEPT: [&CStr; 31] = [
    c"xpcall",
    c"tostring",
    c"getmetatable",
    c"setmetatable",
    c"next",
    c"assert",
    c"tonumber",
    c"rawequal",
    c"rawset",
    c"collectgarbage",
    c"pcall",
    c"coroutine",
    c"type",
    c"_G",
    c"select",
    c"unpack",
    c"gcinfo",
    c"rawget",
    c"loadstring",
    c"ipairs",
    c"pairs",
    c"_VERSION",
    c"load",
    c"error",
    c"string",
    c"math",
    c"table",
    c"cjson",
    c"cmsgpack",
    c"struct",
    c"bit",
];
/// Functions that write to their first argument.
const WRITERS: [(Option<&CStr>, &CStr); 6] = [
    (None, c"rawset"),
    (None, c"setmetatable"),
    (Some(c"table"), c"insert"),
    (Some(c"table"), c"remove"),
    (Some(c"table"), c"sort"),
    (Some(c"table"), c"setn"),
];
/// Functions that read their first argument without its metatable, and give none of its tables but what is in it.
const READERS: [(Option<&CStr>, &CStr); 8] = [
    (None, c"next"),
    (None, c"rawget"),
    (None, c"unpack"),
    (Some(c"table"), c"concat"),
    (Some(c"table"), c"getn"),
    (Some(c"table"), c"maxn"),
    (Some(c"table"), c"foreach"),
    (Some(c"table"), c"foreachi"),
];

/// Makes the environment. Scripts get it as their globals.
///
/// # Safety
/// `l` is the machine's own thread; memory is not refused.
pub(super) unsafe fn install(l: *mut ffi::lua_State) {
    // SAFETY: indices are absolute, or of what the line above pushed; nothing here raises an error in a state that is fresh.
    unsafe {
        let libraries: [(&CStr, ffi::lua_CFunction); 5] = [
            (c"", ffi::luaopen_base),
            (c"table", ffi::luaopen_table),
            (c"string", ffi::luaopen_string),
            (c"math", ffi::luaopen_math),
            (c"os", ffi::luaopen_os),
        ];
        for (name, open) in libraries {
            ffi::lua_pushcclosure(l, open, 0);
            ffi::lua_pushstring_(l, name.as_ptr());
            ffi::lua_call(l, 1, 0);
        }
        ffi::lua_settop(l, 0);
        libraries::register(l);
        strings::register(l);
        texts::register(l);
        base::register(l);
        tables::register(l);
        coroutines::register(l);
        ffi::lua_createtable(l, 0, 16);
        ffi::lua_setfield(l, ffi::LUA_REGISTRYINDEX, PROXIES.as_ptr());

        for (library, name) in WRITERS {
            wrap(l, library, name, writer);
        }
        for (library, name) in READERS {
            wrap(l, library, name, reader);
        }
        wrap(l, None, c"getmetatable", metatable_of);
        set_function(l, c"loadstring", loadstring);
        set_function(l, c"pairs", pairs);
        set_function(l, c"ipairs", ipairs);
        set_function(l, c"load", load);
        ffi::lua_getfield_(l, ffi::LUA_GLOBALSINDEX, c"math".as_ptr());
        set_functions(l, &[(c"random", random), (c"randomseed", randomseed)]);
        ffi::lua_settop(l, 0);

        // The environment: what stays of the globals.
        ffi::lua_createtable(l, 0, 48);
        for name in KEPT {
            ffi::lua_getfield_(l, ffi::LUA_GLOBALSINDEX, name.as_ptr());
            if ffi::lua_type(l, -1) == ffi::LUA_TTABLE && name != c"_G" {
                push_proxy(l);
            }
            ffi::lua_setfield(l, 1, name.as_ptr());
        }
        // Of `os` one function.
        ffi::lua_createtable(l, 0, 1);
        ffi::lua_getfield_(l, ffi::LUA_GLOBALSINDEX, c"os".as_ptr());
        ffi::lua_getfield_(l, -1, c"clock".as_ptr());
        ffi::lua_setfield(l, -3, c"clock".as_ptr());
        ffi::lua_settop(l, -2);
        push_proxy(l);
        ffi::lua_setfield(l, 1, c"os".as_ptr());

        ffi::lua_createtable(l, 0, 32);
        set_functions(l, &calls::FUNCTIONS);
        set_numbers(l, &calls::LEVELS);
        set_numbers(l, &calls::PROPAGATIONS);
        set_version(l);
        push_proxy(l);
        ffi::lua_pushvalue(l, -1);
        ffi::lua_setfield(l, 1, c"redis".as_ptr());
        ffi::lua_setfield(l, 1, c"server".as_ptr());

        // The metatable of strings leads to the proxy, and is itself shown as one.
        ffi::lua_pushlstring_(l, c"".as_ptr(), 0);
        if ffi::lua_getmetatable(l, -1) != 0 {
            ffi::lua_getfield_(l, 1, c"string".as_ptr());
            ffi::lua_setfield(l, -2, c"__index".as_ptr());
            ffi::lua_createtable(l, 0, 1);
            ffi::lua_getfield_(l, 1, c"string".as_ptr());
            ffi::lua_setfield(l, -2, c"__index".as_ptr());
            push_proxy(l);
            ffi::lua_setfield(l, -2, c"__metatable".as_ptr());
        }
        ffi::lua_settop(l, 1);

        // A global that is not there is an error. Of what tells so scripts are shown a proxy.
        push_strict(l);
        ffi::lua_pushvalue(l, -1);
        push_proxy(l);
        ffi::lua_setfield(l, ffi::LUA_REGISTRYINDEX, STRICT.as_ptr());
        ffi::lua_setmetatable(l, 1);
        ffi::lua_pushvalue(l, 1);
        ffi::lua_setfield(l, ffi::LUA_REGISTRYINDEX, GLOBALS.as_ptr());
        ffi::lua_pushvalue(l, 1);
        push_proxy(l);
        ffi::lua_pushvalue(l, -1);
        ffi::lua_setfield(l, 1, c"_G".as_ptr());
        // The thread's globals: what is compiled on it has them as its environment.
        ffi::lua_replace(l, ffi::LUA_GLOBALSINDEX);
        ffi::lua_settop(l, 1);
        install_for_libraries(l);
        ffi::lua_settop(l, 0);
    }
}

/// Makes what the code of libraries finds while it is loaded, and the environment that it and its functions have. The globals are at 1.
unsafe fn install_for_libraries(l: *mut ffi::lua_State) {
    // SAFETY: as `install`.
    unsafe {
        ffi::lua_createtable(l, 0, 16);
        set_functions(l, &calls::LOADING_FUNCTIONS);
        set_numbers(l, &calls::LEVELS);
        set_version(l);
        push_strict(l);
        ffi::lua_setmetatable(l, -2);
        push_proxy(l);
        ffi::lua_createtable(l, 0, 2);
        push_strict(l);
        ffi::lua_setmetatable(l, -2);
        for name in [c"redis", c"server"] {
            ffi::lua_pushvalue(l, -2);
            ffi::lua_setfield(l, -2, name.as_ptr());
        }
        ffi::lua_setfield(l, ffi::LUA_REGISTRYINDEX, LOADING.as_ptr());
        ffi::lua_pushvalue(l, 1);
        push_proxy(l);
        ffi::lua_setfield(l, ffi::LUA_REGISTRYINDEX, LIBRARIES.as_ptr());
    }
}

/// Makes the function on top one of a library. All libraries have one environment, in which they find what they register functions with while they
/// are loaded, and the globals when their functions are called.
///
/// # Safety
/// As [`install`].
pub(super) unsafe fn set_library_environment(l: *mut ffi::lua_State) {
    // SAFETY: a function is on top.
    unsafe {
        ffi::lua_getfield_(l, ffi::LUA_REGISTRYINDEX, LIBRARIES.as_ptr());
        ffi::lua_setfenv(l, -2);
    }
}

/// Says whether what libraries find is what they are loaded with.
///
/// # Safety
/// As [`install`].
pub(super) unsafe fn set_loading(l: *mut ffi::lua_State, is_loading: bool) {
    // SAFETY: the environment is a proxy, which has a metatable.
    unsafe {
        ffi::lua_getfield_(l, ffi::LUA_REGISTRYINDEX, LIBRARIES.as_ptr());
        if ffi::lua_getmetatable(l, -1) != 0 {
            let found = if is_loading { LOADING } else { GLOBALS };
            ffi::lua_getfield_(l, ffi::LUA_REGISTRYINDEX, found.as_ptr());
            ffi::lua_setfield(l, -2, c"__index".as_ptr());
            ffi::lua_settop(l, -2);
        }
        ffi::lua_settop(l, -2);
    }
}

/// Pushes a metatable by which it is an error to look for what is not there.
unsafe fn push_strict(l: *mut ffi::lua_State) {
    // SAFETY: pushes two values.
    unsafe {
        ffi::lua_createtable(l, 0, 1);
        ffi::lua_pushcclosure(l, no_such_global, 0);
        ffi::lua_setfield(l, -2, c"__index".as_ptr());
    }
}

/// Sets numbers of the table on top.
unsafe fn set_numbers(l: *mut ffi::lua_State, numbers: &[(&CStr, i32)]) {
    // SAFETY: the table is on top.
    unsafe {
        for (name, number) in numbers {
            ffi::lua_pushnumber(l, f64::from(*number));
            ffi::lua_setfield(l, -2, name.as_ptr());
        }
    }
}

/// Sets the version that scripts are told, in the table on top.
unsafe fn set_version(l: *mut ffi::lua_State) {
    let number = REDIS_VERSION.split('.').fold(0, |number, part| number << 8 | part.parse().unwrap_or(0));
    // SAFETY: the table is on top.
    unsafe {
        set_text(l, c"REDIS_VERSION", REDIS_VERSION.as_bytes());
        set_numbers(l, &[(c"REDIS_VERSION_NUM", number)]);
    }
}

/// Replaces the table on top by a proxy of it.
pub(super) unsafe fn push_proxy(l: *mut ffi::lua_State) {
    // SAFETY: the table is on top; pushes at most five values.
    unsafe {
        ffi::lua_createtable(l, 0, 0); // table, proxy
        ffi::lua_createtable(l, 0, 3);
        ffi::lua_pushvalue(l, -3);
        ffi::lua_setfield(l, -2, c"__index".as_ptr());
        ffi::lua_pushcclosure(l, refuse, 0);
        ffi::lua_setfield(l, -2, c"__newindex".as_ptr());
        ffi::lua_pushboolean(l, 0);
        ffi::lua_setfield(l, -2, c"__metatable".as_ptr());
        ffi::lua_setmetatable(l, -2);
        ffi::lua_getfield_(l, ffi::LUA_REGISTRYINDEX, PROXIES.as_ptr());
        ffi::lua_pushvalue(l, -2);
        ffi::lua_pushvalue(l, -4);
        ffi::lua_rawset(l, -3); // table, proxy, proxies
        ffi::lua_settop(l, -2);
        ffi::lua_remove(l, -2);
    }
}

/// Puts a face around a function of the base library or of one of the others: it is called with the function as upvalue 1 and the proxies
/// as upvalue 2.
unsafe fn wrap(l: *mut ffi::lua_State, library: Option<&CStr>, name: &CStr, face: ffi::lua_CFunction) {
    // SAFETY: libraries are there.
    unsafe {
        match library {
            Some(library) => ffi::lua_getfield_(l, ffi::LUA_GLOBALSINDEX, library.as_ptr()),
            None => ffi::lua_pushvalue(l, ffi::LUA_GLOBALSINDEX),
        }
        ffi::lua_getfield_(l, -1, name.as_ptr());
        ffi::lua_getfield_(l, ffi::LUA_REGISTRYINDEX, PROXIES.as_ptr());
        ffi::lua_pushcclosure(l, face, 2);
        ffi::lua_setfield(l, -2, name.as_ptr());
        ffi::lua_settop(l, 0);
    }
}

/// Sets a global to a function that has the proxies and the global `next` as upvalues.
unsafe fn set_function(l: *mut ffi::lua_State, name: &CStr, function: ffi::lua_CFunction) {
    // SAFETY: pushes two values.
    unsafe {
        ffi::lua_getfield_(l, ffi::LUA_GLOBALSINDEX, c"next".as_ptr());
        ffi::lua_getfield_(l, ffi::LUA_REGISTRYINDEX, PROXIES.as_ptr());
        ffi::lua_pushcclosure(l, function, 2);
        ffi::lua_setfield(l, ffi::LUA_GLOBALSINDEX, name.as_ptr());
    }
}

/// Pushes the table behind argument 1. False, and nothing pushed, where that is no proxy.
unsafe fn push_behind(l: *mut ffi::lua_State) -> bool {
    // SAFETY: upvalue 2 is the table of proxies.
    unsafe {
        if ffi::lua_type(l, 1) != ffi::LUA_TTABLE {
            return false;
        }
        ffi::lua_pushvalue(l, 1);
        ffi::lua_rawget_(l, ffi::lua_upvalueindex(2));
        let is_proxy = ffi::lua_type(l, -1) == ffi::LUA_TTABLE;
        if !is_proxy {
            ffi::lua_settop(l, -2);
        }
        is_proxy
    }
}

/// Has the function behind a face go on in its frame: what it says of its arguments and of where it is called is as without the face.
pub(super) unsafe fn pass_on(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: functions with a face have no upvalues of their own.
    unsafe { ffi::lua_tocfunction(l, ffi::lua_upvalueindex(1)).map_or(0, |function| function(l)) }
}

unsafe extern "C-unwind" fn refuse(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe { ffi::luaL_error(l, c"Attempt to modify a readonly table".as_ptr()) }
}

unsafe extern "C-unwind" fn writer(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe {
        if push_behind(l) {
            // Without a place, as from a function of C's.
            push_bytes(l, READONLY);
            ffi::lua_error(l);
        }
        pass_on(l)
    }
}

unsafe extern "C-unwind" fn reader(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe {
        if push_behind(l) {
            ffi::lua_replace(l, 1);
        }
        pass_on(l)
    }
}

unsafe extern "C-unwind" fn metatable_of(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe {
        if push_behind(l) {
            ffi::lua_getfield_(l, ffi::LUA_REGISTRYINDEX, GLOBALS.as_ptr());
            if ffi::lua_rawequal(l, -1, -2) != 0 {
                ffi::lua_getfield_(l, ffi::LUA_REGISTRYINDEX, STRICT.as_ptr());
            } else {
                ffi::lua_pushnil(l);
            }
            return 1;
        }
        pass_on(l)
    }
}

unsafe extern "C-unwind" fn pairs(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe {
        ffi::luaL_checktype(l, 1, ffi::LUA_TTABLE);
        ffi::lua_pushvalue(l, ffi::lua_upvalueindex(1));
        ffi::lua_pushvalue(l, 1);
        ffi::lua_pushnil(l);
        3
    }
}

unsafe extern "C-unwind" fn ipairs(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe {
        ffi::luaL_checktype(l, 1, ffi::LUA_TTABLE);
        ffi::lua_pushcclosure(l, next_element, 0);
        ffi::lua_pushvalue(l, 1);
        ffi::lua_pushnumber(l, 0.0);
        3
    }
}

/// One step of `ipairs`. No table behind a proxy has elements.
unsafe extern "C-unwind" fn next_element(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe {
        let i = ffi::luaL_checkinteger(l, 2) + 1;
        ffi::luaL_checktype(l, 1, ffi::LUA_TTABLE);
        ffi::lua_pushnumber(l, i as f64);
        ffi::lua_rawgeti_(l, 1, i as c_int);
        if ffi::lua_type(l, -1) == ffi::LUA_TNIL { 1 } else { 2 }
    }
}

/// A text that is compiled, as far as it has not been read yet.
struct Read {
    shared: *mut Shared,
    has_begun: bool,
    at: *const u8,
    left: usize,
}

/// Gives the compiler the next piece. Between two of them the engine has a turn; a script that is to end is not read any further.
unsafe extern "C-unwind" fn read(_: *mut ffi::lua_State, data: *mut std::ffi::c_void, size: *mut usize) -> *const std::ffi::c_char {
    let read: *mut Read = data.cast();
    // SAFETY: the reader's state and the text live as long as the compiler runs. Nothing is owned.
    unsafe {
        let piece = (*read).at;
        *size = (*read).left.min(COMPILED_BETWEEN_LOOKS);
        if *size == 0 || std::mem::replace(&mut (*read).has_begun, true) && libraries::look((*read).shared).is_err() {
            *size = 0;
            return std::ptr::null();
        }
        (*read).at = piece.add(*size);
        (*read).left -= *size;
        piece.cast()
    }
}

/// Compiles a text and gives a function, or nil and what is wrong. What begins as byte code does is no text. The collector rests meanwhile, and no step
/// that may raise an error lies between its stop and its start.
///
/// # Safety
/// The text and the name stay on the stack.
unsafe fn compile(l: *mut ffi::lua_State, text: &[u8], name: *const std::ffi::c_char) -> c_int {
    // SAFETY: compiling is protected.
    unsafe {
        if text.first() == Some(&0x1b) {
            ffi::lua_pushnil(l);
            ffi::lua_pushstring_(l, c"bytecode is not allowed".as_ptr());
            return 2;
        }
        let mut text = Read { shared: shared(l), has_begun: false, at: text.as_ptr(), left: text.len() };
        ffi::lua_gc(l, ffi::LUA_GCSTOP, 0);
        let failed = ffi::lua_load(l, read, (&raw mut text).cast(), name);
        ffi::lua_gc(l, ffi::LUA_GCRESTART, 0);
        caught(l);
        if failed != 0 {
            ffi::lua_pushnil(l);
            ffi::lua_insert(l, -2);
            return 2;
        }
        1
    }
}

unsafe extern "C-unwind" fn loadstring(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: nothing is owned; the arguments stay on the stack.
    unsafe {
        ffi::luaL_checklstring(l, 1, std::ptr::null_mut());
        let text = bytes_at(l, 1);
        let name = match ffi::lua_type(l, 2) {
            ffi::LUA_TNONE | ffi::LUA_TNIL => ffi::lua_tolstring(l, 1, std::ptr::null_mut()),
            _ => ffi::luaL_checklstring(l, 2, std::ptr::null_mut()),
        };
        compile(l, text, name)
    }
}

/// `load` joins what its function gives and then is `loadstring`: the collector rests only while compiling, not while the script's function runs.
unsafe extern "C-unwind" fn load(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: nothing is owned; two values are kept below the pieces.
    unsafe {
        ffi::luaL_checktype(l, 1, ffi::LUA_TFUNCTION);
        ffi::lua_settop(l, 2);
        ffi::lua_pushlstring_(l, c"".as_ptr(), 0);
        let mut joined = 0_usize;
        loop {
            ffi::lua_pushvalue(l, 1);
            ffi::lua_call(l, 0, 1);
            if ffi::lua_type(l, -1) != ffi::LUA_TSTRING || ffi::lua_objlen(l, -1) == 0 {
                break;
            }
            ffi::lua_concat(l, 2);
            // The function may be none of Lua's, in which no hook fires.
            joined = joined.saturating_add(ffi::lua_objlen(l, -1));
            if joined > JOINED_BETWEEN_LOOKS {
                joined = 0;
                if let Err(fault) = libraries::look(shared(l)) {
                    return libraries::finish(l, Err(fault));
                }
            }
        }
        ffi::lua_settop(l, 3);
        let name =
            if ffi::lua_type(l, 2) == ffi::LUA_TSTRING { ffi::lua_tolstring(l, 2, std::ptr::null_mut()) } else { c"=(load)".as_ptr() };
        compile(l, bytes_at(l, 3), name)
    }
}

unsafe extern "C-unwind" fn no_such_global(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: nothing is owned; a key that is no string is shown as its type.
    unsafe {
        let name = match ffi::lua_type(l, 2) {
            ffi::LUA_TSTRING => ffi::lua_tolstring(l, 2, std::ptr::null_mut()),
            other => ffi::lua_typename(l, other),
        };
        ffi::luaL_error(l, c"Script attempted to access nonexistent global variable '%s'".as_ptr(), name)
    }
}
