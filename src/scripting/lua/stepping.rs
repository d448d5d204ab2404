//! The debugger's side of the interpreter: a hook that is called at each line, and what looks into the script while it is stopped.
//!
//! The hook asks the engine for the user's commands, and may call Lua again for them. It owns nothing while it does: texts lie in the
//! [`Debugger`](crate::scripting::debugger::Debugger), which is found through the shared state each time.

use super::{
    end_script, env, look_up,
    shared::{Given, Shared, ask, shared},
    stack::{bytes_at, field},
};
use crate::data::number::until_nul;
use crate::scripting::{
    Asked,
    debugger::{Debugger, SCRIPT, Wish},
    libs::number::append_general,
};
use mlua_sys as ffi;
use std::ffi::{CStr, c_int};

/// Instructions after which a script counts as one that may not come to its next line.
const INSTRUCTIONS: i64 = 100_000;
/// Tables in one another that are shown.
const DEPTH_MAX: c_int = 10;
/// Elements of a table between two looks at what the engine wants.
const ELEMENTS: u32 = 4096;
/// Room on Lua's stack for a value that is shown: a key and a value a level, and some.
const SLOTS: c_int = 2 * DEPTH_MAX + 20;

/// The session; there is one while its hook is set.
///
/// # Safety
/// Nobody else holds it: it is looked at for one step, in which no other part of the script's side runs.
pub(super) unsafe fn session<'a>(shared: *mut Shared) -> Option<&'a mut Debugger> {
    // SAFETY: the caller's.
    unsafe { (*shared).debugger.as_deref_mut() }
}

/// The session, if what the script does is to be shown.
///
/// # Safety
/// As [`session`].
pub(super) unsafe fn stepping<'a>(shared: *mut Shared) -> Option<&'a mut Debugger> {
    // SAFETY: the caller's.
    unsafe { session(shared) }.filter(|debugger| debugger.is_stepping)
}

/// Whether a function's source is the script.
unsafe fn is_script(at: &ffi::lua_Debug) -> bool {
    // SAFETY: Lua has filled it in, and its text ends with a zero.
    let name = unsafe { CStr::from_ptr(at.short_src.as_ptr()) };
    memchr::memmem::find(name.to_bytes(), SCRIPT).is_some()
}

/// The hook while a script is debugged: of lines, and of instructions as [`look_up`] is.
pub(super) unsafe extern "C-unwind" fn look_at_line(l: *mut ffi::lua_State, event: *mut ffi::lua_Debug) {
    // SAFETY: nothing is owned.
    unsafe {
        let shared = shared(l);
        if (*shared).is_host {
            return;
        }
        let mut is_late = false;
        let is_count = (*event).event == ffi::LUA_HOOKCOUNT;
        if (*shared).is_evaluating {
            // The user's code has resumed a coroutine of the script's.
            return if is_count {
                look_up(l, event)
            };
        }
        if is_count {
            if (*shared).kill.is_none() {
                is_late = matches!(ask(shared, Asked::Interrupted), Given::Late);
            }
            if (*shared).kill.is_some() {
                end_script(l);
            }
            super::arm(l, shared);
        }
        let mut at: ffi::lua_Debug = std::mem::zeroed();
        if ffi::lua_getstack(l, 0, &raw mut at) == 0 {
            return;
        }
        ffi::lua_getinfo(l, c"Sl".as_ptr(), &raw mut at);
        let Some(debugger) = session(shared) else { return };
        debugger.line = i64::from(at.currentline);
        if is_count && !is_late {
            // A line that takes long is a reason to stop at it again, but not at each look.
            debugger.instructions += i64::from(super::interval(shared));
            if debugger.instructions < INSTRUCTIONS {
                return;
            }
            debugger.instructions = 0;
        }
        if !is_script(&at) {
            return;
        }
        let reason = match debugger.stop_reason() {
            Some(reason) => reason,
            None if debugger.is_stepping => "step over",
            None if is_late => "timeout reached, infinite loop?",
            None => return,
        };
        debugger.instructions = 0;
        debugger.stopped(reason);
        converse(l, shared);
        if (*shared).kill.is_some() {
            end_script(l);
        }
    }
}

/// Carries out the user's commands until one lets the script go on, or end.
unsafe fn converse(l: *mut ffi::lua_State, shared: *mut Shared) {
    // SAFETY: nothing is owned. What is pushed is taken away.
    unsafe {
        if ffi::lua_checkstack(l, SLOTS) == 0 {
            return;
        }
        let top = ffi::lua_gettop(l);
        loop {
            let given = ask(shared, Asked::Prompt);
            let Some(debugger) = session(shared) else { return };
            let wish = match given {
                Given::Kill(_) => return,
                Given::Leave => return debugger.leave(),
                _ => debugger.obey(),
            };
            match wish {
                Wish::Nothing => (),
                Wish::GoOn => return,
                Wish::Abort => {
                    (*shared).kill = Some("ERR script aborted for user request");
                    return;
                }
                Wish::Trace => trace(l, debugger),
                Wish::PrintAll => print_all(l, shared),
                Wish::Print => print(l, shared),
                Wish::Eval => evaluate(l, shared),
                Wish::Redis => call(shared),
            }
            ffi::lua_settop(l, top);
            if (*shared).kill.is_some() {
                return;
            }
        }
    }
}

unsafe fn trace(l: *mut ffi::lua_State, debugger: &mut Debugger) {
    // SAFETY: `at` is filled in before it is read.
    unsafe {
        let mut at: ffi::lua_Debug = std::mem::zeroed();
        let mut level = 0;
        while ffi::lua_getstack(l, level, &raw mut at) != 0 {
            ffi::lua_getinfo(l, c"Snl".as_ptr(), &raw mut at);
            if is_script(&at) {
                let name = if at.name.is_null() { &b"top level"[..] } else { CStr::from_ptr(at.name).to_bytes() };
                let from = if level == 0 { &b"In "[..] } else { b"From " };
                debugger.show([from, name, b":"].concat());
                debugger.show_source(i64::from(at.currentline));
            }
            level += 1;
        }
        if level == 0 {
            debugger.show(b"<error> Can't retrieve Lua stack.".to_vec());
        }
    }
}

/// Shows the value on top.
unsafe fn show_value(l: *mut ffi::lua_State, shared: *mut Shared, prefix: &[u8], name: &[u8]) {
    // SAFETY: the value is on top.
    unsafe {
        let Some(debugger) = session(shared) else { return };
        debugger.begin_text(prefix, true);
        debugger.text.extend_from_slice(name);
        if !name.is_empty() {
            debugger.text.extend_from_slice(b" = ");
        }
        describe(l, shared, ffi::lua_gettop(l), 0);
        if let Some(debugger) = session(shared) {
            debugger.show_text();
        }
    }
}

unsafe fn print_all(l: *mut ffi::lua_State, shared: *mut Shared) {
    // SAFETY: a variable's value is on top when its name is given.
    unsafe {
        let mut at: ffi::lua_Debug = std::mem::zeroed();
        let mut shown = 0;
        if ffi::lua_getstack(l, 0, &raw mut at) != 0 {
            for i in 1.. {
                let name = ffi::lua_getlocal(l, &raw const at, i);
                if name.is_null() {
                    break;
                }
                let name = CStr::from_ptr(name).to_bytes();
                if memchr::memmem::find(name, b"(*temporary)").is_none() {
                    show_value(l, shared, b"<value> ", name);
                    shown += 1;
                }
                ffi::lua_settop(l, -2);
            }
        }
        if shown == 0
            && let Some(debugger) = session(shared)
        {
            debugger.show(b"No local variables in the current context.".to_vec());
        }
    }
}

unsafe fn print(l: *mut ffi::lua_State, shared: *mut Shared) {
    // SAFETY: as `print_all`.
    unsafe {
        // The word does not change meanwhile.
        let word = |shared: *mut Shared| -> *const [u8] {
            session(shared).and_then(|debugger| debugger.words.get(1)).map_or(&b""[..], |word| until_nul(word))
        };
        let mut at: ffi::lua_Debug = std::mem::zeroed();
        let mut level = 0;
        while ffi::lua_getstack(l, level, &raw mut at) != 0 {
            level += 1;
            for i in 1.. {
                let name = ffi::lua_getlocal(l, &raw const at, i);
                if name.is_null() {
                    break;
                }
                if CStr::from_ptr(name).to_bytes() == &*word(shared) {
                    return show_value(l, shared, b"<value> ", b"");
                }
                ffi::lua_settop(l, -2);
            }
        }
        let name = match &*word(shared) {
            b"KEYS" => c"KEYS",
            b"ARGV" => c"ARGV",
            _ => {
                if let Some(debugger) = session(shared) {
                    debugger.show(b"No such variable.".to_vec());
                }
                return;
            }
        };
        ffi::lua_getfield_(l, ffi::LUA_REGISTRYINDEX, env::GLOBALS.as_ptr());
        field(l, name);
        show_value(l, shared, b"<value> ", b"");
    }
}

/// Adds a value to the session's text, up to its width.
///
/// # Safety
/// There is room on the stack for two values a level.
pub(super) unsafe fn describe(l: *mut ffi::lua_State, shared: *mut Shared, index: c_int, depth: c_int) {
    // SAFETY: types are looked at first, so that nothing is converted or raises an error.
    unsafe {
        let Some(debugger) = session(shared).filter(|debugger| !debugger.is_text_full()) else { return };
        if depth == DEPTH_MAX {
            return debugger.text.extend_from_slice(b"<max recursion level reached! Nested table?>");
        }
        let kind = ffi::lua_type(l, index);
        let name = match kind {
            ffi::LUA_TSTRING => return debugger.quote(bytes_at(l, index)),
            ffi::LUA_TBOOLEAN if ffi::lua_toboolean(l, index) != 0 => return debugger.text.extend_from_slice(b"true"),
            ffi::LUA_TBOOLEAN => return debugger.text.extend_from_slice(b"false"),
            ffi::LUA_TNUMBER => return append_general(&mut debugger.text, ffi::lua_tonumber(l, index), 6),
            ffi::LUA_TNIL => return debugger.text.extend_from_slice(b"nil"),
            ffi::LUA_TTABLE => return describe_table(l, shared, index, depth),
            ffi::LUA_TFUNCTION => "function",
            ffi::LUA_TUSERDATA => "userdata",
            ffi::LUA_TTHREAD => "thread",
            ffi::LUA_TLIGHTUSERDATA => "light-userdata",
            _ => return debugger.text.extend_from_slice(b"\"<unknown-lua-type>\""),
        };
        debugger.text.extend_from_slice(format!("\"{name}@{:p}\"", ffi::lua_topointer(l, index)).as_bytes());
    }
}

unsafe fn describe_table(l: *mut ffi::lua_State, shared: *mut Shared, index: c_int, depth: c_int) {
    // SAFETY: the table does not change while it is gone through: nothing of the script's runs.
    unsafe {
        let is_list = is_list(l, shared, index);
        let add = |shared: *mut Shared, text: &[u8]| {
            if let Some(debugger) = session(shared) {
                debugger.text.extend_from_slice(text);
            }
        };
        add(shared, b"{");
        let mut is_first = true;
        ffi::lua_pushnil(l);
        while ffi::lua_next(l, index) != 0 {
            if session(shared).is_none_or(|debugger| debugger.is_text_full()) {
                ffi::lua_settop(l, -3);
                return;
            }
            if !std::mem::replace(&mut is_first, false) {
                add(shared, b"; ");
            }
            let value = ffi::lua_gettop(l);
            if !is_list {
                add(shared, b"[");
                describe(l, shared, value - 1, depth + 1);
                add(shared, b"]=");
            }
            describe(l, shared, value, depth + 1);
            ffi::lua_settop(l, -2);
        }
        add(shared, b"}");
    }
}

/// Whether a table's keys come as 1, 2, 3 and so on.
unsafe fn is_list(l: *mut ffi::lua_State, shared: *mut Shared, index: c_int) -> bool {
    // SAFETY: as `describe_table`.
    unsafe {
        let (mut expected, mut until_look) = (1.0, ELEMENTS);
        ffi::lua_pushnil(l);
        while ffi::lua_next(l, index) != 0 {
            ffi::lua_settop(l, -2);
            if ffi::lua_type(l, -1) != ffi::LUA_TNUMBER || ffi::lua_tonumber(l, -1) != expected {
                ffi::lua_settop(l, -2);
                return false;
            }
            expected += 1.0;
            until_look -= 1;
            if until_look == 0 {
                until_look = ELEMENTS;
                ask(shared, Asked::Interrupted);
                if (*shared).kill.is_some() {
                    ffi::lua_settop(l, -2);
                    return false;
                }
            }
        }
        true
    }
}

/// Runs the user's code on a thread of its own, where hooks are called: none is inside a hook.
unsafe fn evaluate(l: *mut ffi::lua_State, shared: *mut Shared) {
    // SAFETY: the thread stays on `l`'s stack while it runs.
    unsafe {
        let thread = ffi::lua_newthread(l);
        if ffi::lua_checkstack(thread, SLOTS) == 0 {
            return;
        }
        ffi::lua_sethook(thread, Some(look_up), ffi::LUA_MASKCOUNT, super::interval(shared));
        let failed = compile(thread, shared, b"return ") && {
            ffi::lua_settop(thread, 0);
            compile(thread, shared, b"")
        };
        let failed = failed || {
            let script = std::mem::replace(&mut (*shared).thread_now, thread);
            (*shared).is_evaluating = true;
            let failed = ffi::lua_pcall(thread, 0, 1, 0) != 0;
            (*shared).is_evaluating = false;
            (*shared).thread_now = script;
            failed
        };
        if !failed {
            return show_value(thread, shared, b"<retval> ", b"");
        }
        if ffi::lua_type(thread, -1) == ffi::LUA_TTABLE {
            field(thread, c"err");
        }
        let text = match ffi::lua_type(thread, -1) {
            ffi::LUA_TSTRING | ffi::LUA_TNUMBER => {
                ffi::lua_tolstring(thread, -1, std::ptr::null_mut());
                until_nul(bytes_at(thread, -1))
            }
            _ => b"(null)",
        };
        if let Some(debugger) = session(shared) {
            debugger.show([b"<error> ", text].concat());
        }
    }
}

/// Compiles the words behind the first one, with this in front. True where it fails: the error is on top.
unsafe fn compile(l: *mut ffi::lua_State, shared: *mut Shared, before: &[u8]) -> bool {
    // SAFETY: compiling is protected, and the collector rests meanwhile; the text is the session's.
    unsafe {
        let Some(Debugger { text, words, .. }) = session(shared) else { return true };
        text.clear();
        // What begins as byte code does is not to be read as that.
        text.extend_from_slice(if before.is_empty() { b" " } else { before });
        for (i, word) in words.iter().skip(1).enumerate() {
            text.extend_from_slice(if i == 0 { b"" } else { b" " });
            text.extend_from_slice(word);
        }
        ffi::lua_gc(l, ffi::LUA_GCSTOP, 0);
        let failed = ffi::luaL_loadbuffer(l, text.as_ptr().cast(), text.len(), c"@ldb_eval".as_ptr());
        ffi::lua_gc(l, ffi::LUA_GCRESTART, 0);
        failed != 0
    }
}

/// Calls a command of the server's for the user.
unsafe fn call(shared: *mut Shared) {
    // SAFETY: what is borrowed of the answer is looked at before the script is suspended again.
    unsafe {
        let Some(debugger) = session(shared) else { return };
        (*shared).args().clear();
        debugger.words.iter().skip(1).for_each(|word| (*shared).args().push(word));
        debugger.show_call((*shared).args().args().iter());
        let given = ask(shared, Asked::Call);
        let Some(debugger) = session(shared) else { return };
        match given {
            Given::Reply(reply) => {
                let reply = &*reply;
                if let Some(text) = reply.strip_prefix(b"-") {
                    let end = memchr::memchr(b'\r', text).unwrap_or(text.len());
                    debugger.show_error(&text[..end], true);
                }
                debugger.show_reply(reply);
            }
            Given::Error(text) => debugger.show_error(&*text, true),
            _ => (),
        }
    }
}

/// `redis.breakpoint()`: stops at the next line, if somebody looks on.
pub(super) unsafe extern "C-unwind" fn breakpoint(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: pushes a value.
    unsafe {
        let debugger = session(shared(l));
        ffi::lua_pushboolean(l, c_int::from(debugger.is_some()));
        if let Some(debugger) = debugger {
            debugger.wants_stop = true;
        }
    }
    1
}

/// `redis.debug(...)`: shows values, if somebody looks on.
pub(super) unsafe extern "C-unwind" fn debug(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe {
        let shared = shared(l);
        let Some(debugger) = session(shared) else { return 0 };
        let mut digits = itoa::Buffer::new();
        debugger.begin_text(b"<debug> line ", false);
        debugger.text.extend_from_slice(digits.format(debugger.line).as_bytes());
        debugger.text.extend_from_slice(b": ");
        let top = ffi::lua_gettop(l);
        if ffi::lua_checkstack(l, SLOTS) == 0 {
            return 0;
        }
        for i in 1..=top {
            if i > 1
                && let Some(debugger) = session(shared)
            {
                debugger.text.extend_from_slice(b", ");
            }
            describe(l, shared, i, 0);
        }
        if let Some(debugger) = session(shared) {
            debugger.show_whole_text();
        }
    }
    0
}
