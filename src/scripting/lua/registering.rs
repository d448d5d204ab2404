//! `redis.register_function`, in both its forms. It works while a library's code runs.

use super::{
    shared::{Registered, shared},
    stack::{bytes_at, push_error},
};
use crate::scripting::{FunctionRef, ScriptFlags, parse_flag};
use mlua_sys as ffi;
use std::ffi::c_int;

/// What a call gives, as indices of the stack and what owns nothing.
#[derive(Default)]
struct Named {
    name: c_int,
    callback: c_int,
    description: c_int,
    flags: ScriptFlags,
}

unsafe fn refuse(l: *mut ffi::lua_State, text: &str) -> ! {
    // SAFETY: nothing is owned here.
    unsafe {
        push_error(l, text.as_bytes(), false);
        ffi::lua_error(l)
    }
}

/// Whether a library or a function may have this name.
pub(in crate::scripting) fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
}

pub(super) unsafe extern "C-unwind" fn register_function(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: strings are borrowed from Lua's stack while they lie there; what is owned is made after the last step that may raise an error.
    unsafe {
        let shared = shared(l);
        if (*shared).registered.is_none() {
            refuse(l, "redis.register_function can only be called on FUNCTION LOAD command");
        }
        let named = match ffi::lua_gettop(l) {
            1 => by_table(l),
            2 => by_position(l),
            _ => refuse(l, "wrong number of arguments to redis.register_function"),
        };
        let name = bytes_at(l, named.name);
        if !is_name(name) {
            refuse(l, "Library names can only contain letters, numbers, or underscores(_) and must be at least one character long");
        }
        let is_known = (*shared).registered.as_ref().is_some_and(|all| all.iter().any(|other| *other.name == *name));
        if is_known {
            refuse(l, "Function already exists in the library");
        }
        ffi::lua_pushvalue(l, named.callback);
        let function = FunctionRef(ffi::luaL_ref(l, ffi::LUA_REGISTRYINDEX) as u32);
        let description = (named.description != 0).then(|| Box::from(bytes_at(l, named.description)));
        if let Some(all) = &mut (*shared).registered {
            all.push(Registered { name: name.into(), description, flags: ScriptFlags { has_shebang: true, ..named.flags }, function });
        }
        0
    }
}

unsafe fn by_position(l: *mut ffi::lua_State) -> Named {
    // SAFETY: looks only.
    unsafe {
        if ffi::lua_type(l, 1) != ffi::LUA_TSTRING {
            refuse(l, "first argument to redis.register_function must be a string");
        }
        if ffi::lua_type(l, 2) != ffi::LUA_TFUNCTION {
            refuse(l, "second argument to redis.register_function must be a function");
        }
    }
    Named { name: 1, callback: 2, ..Named::default() }
}

/// Keeps what it finds in slots 2 to 4.
unsafe fn by_table(l: *mut ffi::lua_State) -> Named {
    // SAFETY: the table is at 1, found values at 2 to 4, the walk above them.
    unsafe {
        if ffi::lua_type(l, 1) != ffi::LUA_TTABLE {
            refuse(
                l,
                "calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments).",
            );
        }
        ffi::lua_settop(l, 4);
        let mut named = Named::default();
        ffi::lua_pushnil(l);
        while ffi::lua_next(l, 1) != 0 {
            if ffi::lua_type(l, -2) != ffi::LUA_TSTRING {
                refuse(l, "named argument key given to redis.register_function is not a string");
            }
            let kind = ffi::lua_type(l, -1);
            let slot = match bytes_at(l, -2) {
                b"function_name" if kind == ffi::LUA_TSTRING => &mut named.name,
                b"function_name" => refuse(l, "function_name argument given to redis.register_function must be a string"),
                b"description" if kind == ffi::LUA_TSTRING => &mut named.description,
                b"description" => refuse(l, "description argument given to redis.register_function must be a string"),
                b"callback" if kind == ffi::LUA_TFUNCTION => &mut named.callback,
                b"callback" => refuse(l, "callback argument given to redis.register_function must be a function"),
                b"flags" => {
                    if kind != ffi::LUA_TTABLE {
                        refuse(l, "flags argument to redis.register_function must be a table representing function flags");
                    }
                    read_flags(l, &mut named.flags);
                    ffi::lua_settop(l, -2);
                    continue;
                }
                _ => refuse(l, "unknown argument given to redis.register_function"),
            };
            *slot = match bytes_at(l, -2) {
                b"function_name" => 2,
                b"callback" => 3,
                _ => 4,
            };
            ffi::lua_replace(l, *slot);
        }
        if named.name == 0 {
            refuse(l, "redis.register_function must get a function name argument");
        }
        if named.callback == 0 {
            refuse(l, "redis.register_function must get a callback argument");
        }
        named
    }
}

/// Reads the list of flags on top.
unsafe fn read_flags(l: *mut ffi::lua_State, flags: &mut ScriptFlags) {
    // SAFETY: takes what it pushes.
    unsafe {
        for i in 1.. {
            ffi::lua_rawgeti_(l, -1, i);
            let kind = ffi::lua_type(l, -1);
            if kind == ffi::LUA_TNIL {
                return ffi::lua_settop(l, -2);
            }
            if kind != ffi::LUA_TSTRING || !parse_flag(bytes_at(l, -1), flags) {
                refuse(l, "unknown flag given");
            }
            ffi::lua_settop(l, -2);
        }
    }
}
