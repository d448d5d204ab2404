//! Coroutines: which of Lua's threads a script runs on, and how it is ended on any of them. Each thread has a count hook of its own, and a count that begins
//! anew.

use super::{
    end_script, interval,
    libraries::{finish, look},
    set_hook,
    shared::shared,
};
use mlua_sys as ffi;
use std::ffi::c_int;

/// Resumptions between two looks: in each, nearly as many instructions may run as between two looks of the hook, and resume others.
const RESUMED_BETWEEN_LOOKS: u32 = 64;

/// Takes note that an error has been caught on this thread. One that ends the script is raised again: this thread's hook may have long to go.
///
/// # Safety
/// On the script's side, with nothing owned by frames of Rust's.
pub(super) unsafe fn caught(l: *mut ffi::lua_State) {
    // SAFETY: the caller's.
    unsafe {
        let shared = shared(l);
        (*shared).thread_now = l;
        if (*shared).kill.is_some() {
            end_script(l);
        }
    }
}

/// Has a thread run until `run` comes back: it looks as often as this one. Whatever leaves `run` by an error is caught by what calls [`caught`].
unsafe fn resume_with(l: *mut ffi::lua_State, thread: *mut ffi::lua_State, run: ffi::lua_CFunction) -> c_int {
    // SAFETY: the thread is in the frame, so that it lives as long as `run` does.
    unsafe {
        let shared = shared(l);
        (*shared).resumed += 1;
        if (*shared).resumed == RESUMED_BETWEEN_LOOKS {
            (*shared).resumed = 0;
            if !(*shared).is_host
                && let Err(fault) = look(shared)
            {
                return finish(l, Err(fault));
            }
        }
        let wanted = interval(shared);
        if ffi::lua_gethookcount(thread) != wanted || (*shared).debugger.is_some() {
            set_hook(thread, shared, wanted);
        }
        (*shared).thread_now = thread;
        let results = run(l);
        caught(l);
        results
    }
}

/// `coroutine.resume`: Lua's own is upvalue 1.
unsafe extern "C-unwind" fn resume(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe {
        let thread = ffi::lua_tothread(l, 1);
        let Some(run) = ffi::lua_tocfunction(l, ffi::lua_upvalueindex(1)) else { return 0 };
        // What is no thread Lua's own complains of.
        if thread.is_null() { run(l) } else { resume_with(l, thread, run) }
    }
}

/// `coroutine.wrap`: Lua's own, upvalue 1, makes a function of which the thread is upvalue 1.
unsafe extern "C-unwind" fn wrap(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: nothing is owned. `getupvalue` pushes what the function has.
    unsafe {
        let results = super::env::pass_on(l);
        if ffi::lua_getupvalue(l, -1, 1).is_null() {
            return results;
        }
        ffi::lua_insert(l, -2);
        ffi::lua_pushcclosure(l, wrapped, 2);
        1
    }
}

/// What `wrap` gives: upvalue 1 is the thread, as Lua's own function, upvalue 2, expects it.
unsafe extern "C-unwind" fn wrapped(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe {
        let thread = ffi::lua_tothread(l, ffi::lua_upvalueindex(1));
        let Some(run) = ffi::lua_tocfunction(l, ffi::lua_upvalueindex(2)) else { return 0 };
        if thread.is_null() { 0 } else { resume_with(l, thread, run) }
    }
}

/// Puts these functions in the place of Lua's own.
///
/// # Safety
/// The base library is open, and nothing is protected yet.
pub(super) unsafe fn register(l: *mut ffi::lua_State) {
    // SAFETY: three slots, which are given back.
    unsafe {
        ffi::lua_getfield_(l, ffi::LUA_GLOBALSINDEX, c"coroutine".as_ptr());
        for (name, function) in [(c"resume", resume as ffi::lua_CFunction), (c"wrap", wrap)] {
            ffi::lua_getfield_(l, -1, name.as_ptr());
            ffi::lua_pushcclosure(l, function, 1);
            ffi::lua_setfield(l, -2, name.as_ptr());
        }
        ffi::lua_settop(l, -2);
    }
}
