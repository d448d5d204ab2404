//! Functions of the base library in the place of Lua's own: those that call others in protected mode, `unpack`, whose sums overflow there, and `collectgarbage`,
//! which runs long without an instruction of the script's, where no hook fires.

use super::{
    coroutines::caught,
    libraries::{finish, look},
    shared::shared,
    stack::{bytes_at, int_or, set_functions},
};
use crate::data::number::until_nul;
use crate::scripting::libs::Fault;
use mlua_sys as ffi;
use std::ffi::c_int;

/// Steps of the collector between two looks at whether the script is to end.
const STEPS_BETWEEN_LOOKS: u32 = 32;
/// What a script may set `setstepmul` to: below it a step has no end, above it takes too long.
const STEP_MULTIPLIERS: std::ops::RangeInclusive<c_int> = 1..=2000;

/// Calls a function and catches its error. Of an error that is a table with a text, as commands raise it, the text is what is seen.
unsafe extern "C-unwind" fn pcall(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe {
        ffi::luaL_checkany(l, 1);
        ffi::lua_pushboolean(l, 1);
        ffi::lua_insert(l, 1);
        if ffi::lua_pcall(l, ffi::lua_gettop(l) - 2, ffi::LUA_MULTRET, 0) != 0 {
            caught(l);
            if ffi::lua_type(l, -1) == ffi::LUA_TTABLE {
                ffi::lua_getfield_(l, -1, c"err".as_ptr());
                // Any other `err` is one more result, as Redis has it.
                if ffi::lua_isstring(l, -1) != 0 {
                    ffi::lua_replace(l, -2);
                }
            }
            ffi::lua_pushboolean(l, 0);
            ffi::lua_replace(l, 1);
        }
        ffi::lua_gettop(l)
    }
}

/// `xpcall`. Lua's own calls the function that looks at the error where it was raised: of an error that ends the script that is inside the hook, where no
/// hook would end the function. Scripts cannot see the difference, since they cannot look at the stack.
unsafe extern "C-unwind" fn xpcall(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: nothing is owned. The function that looks at the error is at 1, the one that is called at 2.
    unsafe {
        ffi::luaL_checkany(l, 2);
        ffi::lua_settop(l, 2);
        ffi::lua_insert(l, 1);
        let mut status = ffi::lua_pcall(l, 0, ffi::LUA_MULTRET, 0);
        if status == 0 {
            ffi::lua_pushboolean(l, 1);
            ffi::lua_replace(l, 1);
            return ffi::lua_gettop(l);
        }
        caught(l);
        if status != ffi::LUA_ERRMEM {
            ffi::lua_pushvalue(l, 1);
            ffi::lua_insert(l, -2);
            status = ffi::lua_pcall(l, 1, 1, 0);
            if status != 0 {
                caught(l);
                ffi::lua_settop(l, 1);
                ffi::lua_pushstring_(l, c"error in error handling".as_ptr());
            }
        }
        ffi::lua_pushboolean(l, 0);
        ffi::lua_replace(l, 1);
        2
    }
}

/// The number of elements is counted in more bits than their indexes have.
unsafe extern "C-unwind" fn unpack(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: nothing is owned; room is asked for.
    unsafe {
        ffi::luaL_checktype(l, 1, ffi::LUA_TTABLE);
        let from = int_or(l, 2, || 1);
        let to = int_or(l, 3, || ffi::lua_objlen(l, 1) as c_int);
        if from > to {
            return 0;
        }
        let count = c_int::try_from(i64::from(to) - i64::from(from) + 1).unwrap_or(c_int::MAX);
        if count == c_int::MAX || ffi::lua_checkstack(l, count) == 0 {
            return ffi::luaL_error(l, c"too many results to unpack".as_ptr());
        }
        for element in from..=to {
            ffi::lua_rawgeti_(l, 1, element);
        }
        count
    }
}

/// `collectgarbage`. Lua's own, which is the upvalue, goes through all of the memory before it comes back: here that is done in steps.
unsafe extern "C-unwind" fn collect_garbage(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe {
        let option = match ffi::lua_type(l, 1) {
            ffi::LUA_TNONE | ffi::LUA_TNIL => b"collect",
            _ => until_nul(bytes_at(l, 1)),
        };
        match option {
            b"collect" => {
                int_or(l, 2, || 0);
                // What a cycle that is under way has passed it does not come back to.
                let done = collect(l, 2, u32::MAX);
                ffi::lua_pushnumber(l, 0.0);
                finish(l, done.map(|_| 1))
            }
            b"step" => {
                let steps = int_or(l, 2, || 0);
                let done = collect(l, 1, u32::try_from(steps).unwrap_or(0));
                ffi::lua_pushboolean(l, c_int::from(matches!(done, Ok(true))));
                finish(l, done.map(|_| 1))
            }
            b"setstepmul" => {
                let multiplier = int_or(l, 2, || 0).clamp(*STEP_MULTIPLIERS.start(), *STEP_MULTIPLIERS.end());
                ffi::lua_settop(l, 1);
                ffi::lua_pushnumber(l, f64::from(multiplier));
                super::env::pass_on(l)
            }
            _ => super::env::pass_on(l),
        }
    }
}

/// Has the collector go on to the end of so many cycles, or for so many steps beside the first one. Whether it has come to that end.
unsafe fn collect(l: *mut ffi::lua_State, mut cycles: u32, steps: u32) -> Result<bool, Fault> {
    // SAFETY: nothing is owned.
    unsafe {
        for step in 0..=steps {
            if ffi::lua_gc(l, ffi::LUA_GCSTEP, 0) != 0 {
                cycles -= 1;
                if cycles == 0 {
                    return Ok(true);
                }
            }
            if step % STEPS_BETWEEN_LOOKS == STEPS_BETWEEN_LOOKS - 1 {
                look(shared(l))?;
            }
        }
        Ok(false)
    }
}

/// `tonumber`. A short string of digits is the number that it says, without C's reading of numbers, twice; the rest is Lua's own, upvalue 1.
unsafe extern "C-unwind" fn tonumber(l: *mut ffi::lua_State) -> c_int {
    // As many digits as a number holds exactly.
    const DIGITS_MAX: usize = 15;
    // SAFETY: nothing is owned.
    unsafe {
        if ffi::lua_type(l, 1) == ffi::LUA_TSTRING && ffi::lua_type(l, 2) == ffi::LUA_TNONE {
            let text = bytes_at(l, 1);
            if (1..=DIGITS_MAX).contains(&text.len()) && text.iter().all(u8::is_ascii_digit) {
                let number = text.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
                ffi::lua_pushnumber(l, number as f64);
                return 1;
            }
        }
        super::env::pass_on(l)
    }
}

/// Puts these functions in the place of Lua's own.
///
/// # Safety
/// The base library is open, and nothing is protected yet.
pub(super) unsafe fn register(l: *mut ffi::lua_State) {
    // SAFETY: three slots, which are given back.
    unsafe {
        ffi::lua_pushvalue(l, ffi::LUA_GLOBALSINDEX);
        set_functions(l, &[(c"pcall", pcall), (c"xpcall", xpcall), (c"unpack", unpack)]);
        ffi::lua_settop(l, -2);
        for (name, function) in [(c"collectgarbage", collect_garbage as ffi::lua_CFunction), (c"tonumber", tonumber)] {
            ffi::lua_getfield_(l, ffi::LUA_GLOBALSINDEX, name.as_ptr());
            ffi::lua_pushcclosure(l, function, 1);
            ffi::lua_setfield(l, ffi::LUA_GLOBALSINDEX, name.as_ptr());
        }
    }
}
