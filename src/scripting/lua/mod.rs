//! The machine: one state of Lua, the stack that scripts run on, and the switch between the two. One of the rooms where `unsafe` is allowed
//! (see lib.rs).
//!
//! - **The engine's side** (`is_host`) never lets Lua raise an error: memory is not refused to it, it looks at no metatable, and compiles in
//!   protected mode.
//! - **The script's side** runs in one protected call on a coroutine that is made once. An error, also that which ends a script, is a jump over
//!   frames of Rust; none of those owns anything.
//! - A run that is suspended for ever is never unwound: machine, stack and memory are leaked (`abandon`).
#![allow(unsafe_code)]

mod base;
mod calls;
mod compare;
mod coroutines;
mod env;
mod frame;
mod layout;
mod libraries;
mod lists;
mod pool;
mod random;
mod registering;
mod shared;
mod stack;
mod stepping;
mod strings;
mod tables;
mod texts;
mod values;

use super::{Answer, Asked, FunctionRef, RegisteredFunction, RunFacts, debugger::Debugger};
use crate::resp::{
    output::Output,
    request::{Args, OwnedArgs},
};
use corosensei::{Coroutine, CoroutineResult, stack::DefaultStack};
use lists::{Lists, push_list};
use mlua_sys as ffi;
pub(super) use registering::is_name;
use shared::{Given, Shared, ask, bound};
use std::{
    ffi::{CString, c_int, c_void},
    rc::Rc,
};

/// Bytes of the stack that scripts run on: Lua's own limit of nested C calls needs less than half of it. Code of a debugger's user has that limit once
/// more, on top of a script that has stopped.
const STACK_BYTES: usize = 8 << 20;
/// Instructions between two looks at what the engine wants.
const INSTRUCTIONS: c_int = 10_000;
/// The same for the first time, when nobody knows yet how long they take.
const INSTRUCTIONS_FIRST: c_int = 1000;
/// The same where there are large blocks of memory: as long as an instruction may take to go over such a block (a comparison of strings,
/// for one), instructions times bytes stay below this.
const INSTRUCTION_BYTES: usize = 1 << 29;
/// Nanoseconds that the instructions between two looks are to take: where they take longer, there are fewer of them.
const LOOK_NANOS: u64 = 500_000;
/// Bytes that Lua may take before the machine asks the collector for a step: a script may have stopped it.
const STEP_BYTES: usize = 1 << 20;

/// As many bytes the collector goes through in one go: less than a millisecond.
const COLLECTED_AT_ONCE: usize = 256 << 10;
/// Bytes below which garbage waits for the next script.
const GARBAGE_MIN: usize = 8 << 20;

/// What stays on the stack of the thread that scripts begin on: the error handler, then the two lists.
const HANDLER: c_int = 1;
const STAYING: c_int = 3;

/// Lua, and its stack.
pub(super) struct Machine {
    main: *mut ffi::lua_State,
    /// Owned; the state and the coroutine point at it.
    shared: *mut Shared,
    /// Where the registry keeps the table of globals.
    globals: c_int,
    lists: Lists,
    coroutine: Option<Coroutine<(), Asked, ()>>,
    facts: Option<RunFacts>,
    failed: bool,
    is_running: bool,
    /// Monotonic nanoseconds at the last look.
    looked_nanos: u64,
    /// Bytes Lua held at the last step, or since then at the least.
    stepped: usize,
    /// There may be much that nothing leads to any more: so many times the collector is still to go through all of it. The first time may have begun
    /// while it was in use.
    cycles_left: u32,
    /// Bytes that Lua took at the end of the collector's last cycle.
    cycled: usize,
}

/// What a script's end has written.
#[derive(Default)]
pub(in crate::scripting) struct Written {
    pub(in crate::scripting) is_error: bool,
    pub(in crate::scripting) uncounted: Vec<Vec<u8>>,
}

impl Machine {
    /// Makes Lua with its environment.
    pub(super) fn new(limit: usize, seed: u32) -> Self {
        let shared = Box::into_raw(Shared::new(limit, seed));
        // SAFETY: `shared` lives until the state is closed. Memory is not refused to the host, so that nothing below raises an error.
        unsafe {
            let main = ffi::lua_newstate(shared::allocate, shared.cast());
            assert!(!main.is_null(), "no memory for Lua");
            env::install(main);
            (*shared).thread = ffi::lua_newthread(main);
            ffi::lua_setfield(main, ffi::LUA_REGISTRYINDEX, c"solod.thread".as_ptr());
            ffi::lua_pushcclosure((*shared).thread, calls::error_handler, 0);
            assert_eq!(ffi::lua_gettop((*shared).thread), HANDLER, "it is the first that is there");
            ffi::lua_getfield_(main, ffi::LUA_REGISTRYINDEX, env::GLOBALS.as_ptr());
            let globals = ffi::luaL_ref(main, ffi::LUA_REGISTRYINDEX);
            let stack = DefaultStack::new(STACK_BYTES).expect("address space for a stack");
            let coroutine = Coroutine::with_stack(stack, move |yielder, ()| {
                (*shared).yielder = yielder;
                loop {
                    let failed = run(shared);
                    yielder.suspend(Asked::Finished { failed });
                }
            });
            Self {
                main,
                shared,
                globals,
                lists: Lists::new((*shared).thread, globals),
                coroutine: Some(coroutine),
                facts: None,
                failed: false,
                is_running: false,
                looked_nanos: 0,
                stepped: 0,
                cycles_left: 0,
                cycled: 0,
            }
        }
    }

    fn shared(&self) -> &Shared {
        // SAFETY: the script's side does not run while the engine's does.
        unsafe { &*self.shared }
    }

    fn shared_mut(&mut self) -> &mut Shared {
        // SAFETY: as above.
        unsafe { &mut *self.shared }
    }

    pub(super) fn set_limit(&mut self, bytes: usize) {
        self.shared_mut().limit = bound(bytes);
    }

    pub(super) fn memory(&self) -> usize {
        self.shared().used
    }

    /// Compiles a text. An error is Lua's.
    pub(super) fn compile(&mut self, body: &[u8], chunk: &str) -> Result<FunctionRef, Vec<u8>> {
        let chunk = CString::new(chunk).map_err(|_| b"a NUL in a chunk's name".to_vec())?;
        // What begins as byte code does is not to be read as that: one space in front makes it a text, with the same lines.
        let spaced = if body.first() == Some(&0x1b) { [b" ", body].concat() } else { Vec::new() };
        let body = if spaced.is_empty() { body } else { &spaced[..] };
        let l = self.main;
        // SAFETY: loading is protected. The collector rests, so that it does not meet what is half made.
        unsafe {
            ffi::lua_gc(l, ffi::LUA_GCSTOP, 0);
            let failed = ffi::luaL_loadbuffer(l, body.as_ptr().cast(), body.len(), chunk.as_ptr());
            ffi::lua_gc(l, ffi::LUA_GCRESTART, 0);
            if failed != 0 {
                let text = stack::bytes_at(l, -1).to_vec();
                ffi::lua_settop(l, 0);
                return Err(text);
            }
            self.shorten_way_to_globals();
            let at = ffi::luaL_ref(l, ffi::LUA_REGISTRYINDEX);
            Ok(FunctionRef(at as u32))
        }
    }

    /// Has the function on top, which has just been compiled, find globals in the table of globals itself, rather than behind a proxy. Where no function of
    /// it sets a global that table is out of its reach: there is no other way to write to an environment.
    ///
    /// # Safety
    /// The state is at rest; memory is not refused.
    unsafe fn shorten_way_to_globals(&self) {
        unsafe extern "C-unwind" fn append(_: *mut ffi::lua_State, part: *const c_void, size: usize, code: *mut c_void) -> c_int {
            // SAFETY: `lua_dump` hands over bytes that live until it goes on, and the vector below.
            unsafe { (*code.cast::<Vec<u8>>()).extend_from_slice(std::slice::from_raw_parts(part.cast(), size)) };
            0
        }
        let (l, mut code) = (self.main, Vec::new());
        // SAFETY: the caller's. Writing a function's code raises no error.
        unsafe {
            let failed = ffi::lua_dump_(l, append, (&raw mut code).cast());
            if failed == 0 && !super::bytecode::sets_globals(&code) {
                ffi::lua_rawgeti_(l, ffi::LUA_REGISTRYINDEX, self.globals);
                ffi::lua_setfenv(l, -2);
            }
        }
    }

    /// Lets a function go.
    pub(super) fn release(&mut self, function: FunctionRef) {
        // SAFETY: it came from `luaL_ref`, and its owner lets it go once.
        unsafe { ffi::luaL_unref(self.main, ffi::LUA_REGISTRYINDEX, function.0 as c_int) };
    }

    /// Puts a function and its parameters where the coroutine finds them.
    pub(super) fn begin(&mut self, function: FunctionRef, keys: Args, argv: Args, facts: RunFacts) {
        assert!(!self.is_running, "one script runs at a time");
        self.looked_nanos = facts.nanos;
        let shared = self.shared_mut();
        (shared.kill, shared.resp, shared.params) = (None, 2, if facts.is_function { 2 } else { 0 });
        (shared.thread_now, shared.instructions) = (shared.thread, INSTRUCTIONS_FIRST);
        let l = shared.thread;
        // SAFETY: the thread is at rest; memory is not refused.
        unsafe {
            ffi::lua_settop(l, STAYING);
            ffi::lua_rawgeti_(l, ffi::LUA_REGISTRYINDEX, function.0 as c_int);
            if facts.is_function {
                push_list(l, keys);
                push_list(l, argv);
                self.lists.hide(l);
            } else {
                self.lists.fill(l, keys, argv);
            }
            arm(l, self.shared);
        }
        self.facts = Some(facts);
        self.is_running = true;
    }

    /// Runs a library's code, which is compiled, and gives what it has registered. `is_late` is asked as it runs. An error is the text behind
    /// `Error registering functions: `.
    pub(super) fn register(&mut self, code: FunctionRef, is_late: &mut dyn FnMut() -> bool) -> Result<Vec<RegisteredFunction>, Vec<u8>> {
        let none = OwnedArgs::default();
        // SAFETY: the state is at rest; memory is not refused.
        unsafe {
            ffi::lua_rawgeti_(self.main, ffi::LUA_REGISTRYINDEX, code.0 as c_int);
            env::set_library_environment(self.main);
            ffi::lua_settop(self.main, 0);
            env::set_loading(self.main, true);
        }
        self.begin(code, none.args(), none.args(), RunFacts { name: Rc::default(), is_function: true, nanos: 0 });
        self.shared_mut().params = 0;
        // A library's code takes no parameters.
        // SAFETY: the two lists are on top.
        unsafe { ffi::lua_settop(self.shared().thread, -3) };
        self.shared_mut().registered = Some(Vec::new());
        let mut answer = Answer::Begin;
        let failed = loop {
            answer = match self.resume(answer) {
                Asked::Finished { failed } => break failed,
                Asked::Log { level } => {
                    log::log!(super::log_level(level), "{}", String::from_utf8_lossy(self.call_args().get(0)));
                    Answer::Go
                }
                Asked::Interrupted if is_late() => Answer::Kill("ERR FUNCTION LOAD timeout"),
                _ => Answer::Go,
            };
        };
        let registered = self.shared_mut().registered.take().unwrap_or_default();
        let l = self.shared().thread;
        // SAFETY: as above.
        unsafe { env::set_loading(self.main, false) };
        // SAFETY: the run has ended; its error is on top.
        let error = failed.then(|| unsafe { calls::plain_error(l) });
        // SAFETY: as above.
        unsafe { ffi::lua_settop(l, STAYING) };
        match error {
            None => Ok(registered),
            Some(text) => {
                registered.iter().for_each(|one| self.release(one.function));
                Err(text)
            }
        }
    }

    /// Says which moment of monotonic time it is as the script looks or is looked after. Instructions may take long: one goes over all of a string.
    pub(super) fn note_time(&mut self, nanos: u64) {
        let took = nanos.saturating_sub(std::mem::replace(&mut self.looked_nanos, nanos));
        let shared = self.shared_mut();
        shared.instructions = match took {
            0..LOOK_NANOS => shared.instructions.saturating_mul(2).min(INSTRUCTIONS),
            _ => ((shared.instructions as u64).saturating_mul(LOOK_NANOS) / took).max(1) as c_int,
        };
    }

    /// Says at which moment a script goes on that has been suspended for longer.
    pub(super) fn note_slice(&mut self, nanos: u64) {
        self.looked_nanos = nanos;
    }

    /// Runs the script until it asks for something.
    #[inline]
    pub(super) fn resume(&mut self, answer: Answer) -> Asked {
        assert!(self.is_running, "a script runs");
        self.shared_mut().given = Given::of(answer);
        self.shared_mut().is_host = false;
        compare::set_running(self.shared);
        let Some(coroutine) = &mut self.coroutine else { unreachable!("it is there as long as the machine is") };
        let asked = match coroutine.resume(()) {
            CoroutineResult::Yield(asked) => asked,
            CoroutineResult::Return(()) => unreachable!("it never returns"),
        };
        compare::set_running(std::ptr::null_mut());
        self.shared_mut().is_host = true;
        if let Asked::Finished { failed } = asked {
            (self.failed, self.is_running) = (failed, false);
        }
        asked
    }

    /// The next run is debugged.
    pub(super) fn set_debugger(&mut self, debugger: Option<Box<Debugger>>) {
        self.shared_mut().debugger = debugger;
    }

    /// The session of the run, if it is debugged.
    pub(super) fn debugger(&mut self) -> Option<&mut Debugger> {
        self.shared_mut().debugger.as_deref_mut()
    }

    #[inline]
    pub(super) fn call_args(&self) -> Args<'_> {
        self.shared().args.as_deref().expect("they have been given back").args()
    }

    pub(super) fn take_call(&mut self) -> Box<OwnedArgs> {
        self.shared_mut().args.take().unwrap_or_default()
    }

    pub(super) fn give_back_call(&mut self, mut args: Box<OwnedArgs>) {
        args.clear();
        self.shared_mut().args = Some(args);
    }

    /// Writes what has been returned, or the error, and lets it go.
    pub(super) fn write_result(&mut self, out: &mut Output) -> Written {
        let l = self.shared().thread;
        let mut written = Written { is_error: self.failed, uncounted: Vec::new() };
        // SAFETY: the script has ended; its value, or its error, is on top.
        unsafe {
            if self.failed {
                let name = self.facts.as_ref().map_or(&[][..], |facts| &facts.name);
                let (text, is_counted) = calls::error_text(l, name);
                out.error(&text);
                if !is_counted {
                    written.uncounted.push(text);
                }
            } else {
                let (resp, used, limit) = (self.shared().resp, self.shared().used, self.shared().limit);
                let mut writer = values::Writer::new(out, resp, used, limit);
                writer.write(l);
                written = writer.end();
            }
            ffi::lua_settop(l, STAYING);
            self.lists.let_go(l);
            let used = self.shared().used;
            if used > self.stepped.saturating_add(STEP_BYTES) {
                ffi::lua_gc(self.main, ffi::LUA_GCSTEP, 0);
                self.stepped = used;
            }
            self.stepped = self.stepped.min(used);
        }
        let shared = self.shared_mut();
        shared.libraries.begin();
        shared.args().give_back_room();
        if self.shared().used > GARBAGE_MIN.max(2 * self.shared().live) {
            self.cycles_left = 2;
        }
        written
    }

    /// Something has been let go, which scripts that make no garbage would leave where it is. A little is collected at once, without a look at the clock.
    pub(super) fn collect_gone(&mut self) {
        if self.is_running || self.shared().used > COLLECTED_AT_ONCE {
            self.cycles_left = 2;
        } else {
            self.cycled = self.shared().used;
            while {
                // SAFETY: the state is at rest. No value of a script's has a finaliser.
                unsafe { ffi::lua_gc(self.main, ffi::LUA_GCCOLLECT, 0) };
                self.cycle_gave_back()
            } {}
        }
    }

    /// A cycle has ended: whether another is worth its while. The table of all strings gives back a half of its room in each.
    fn cycle_gave_back(&mut self) -> bool {
        let used = self.shared().used;
        let before = std::mem::replace(&mut self.cycled, used);
        used < before - before / 16
    }

    /// Whether it is time to look for what nothing leads to any more, rather than wait for the next script to do so.
    #[inline]
    pub(super) fn has_garbage(&self) -> bool {
        self.cycles_left > 0
    }

    /// Has the collector go on as long as `within` says, or until it has gone through all of it.
    pub(super) fn collect(&mut self, within: &mut dyn FnMut() -> bool) {
        while self.cycles_left > 0 && !self.is_running && within() {
            // SAFETY: the state is at rest. No value of a script's has a finaliser.
            if unsafe { ffi::lua_gc(self.main, ffi::LUA_GCSTEP, 0) } != 0 {
                self.cycles_left -= 1;
                if self.cycle_gave_back() && self.cycles_left == 0 {
                    self.cycles_left = 1;
                }
                if self.cycles_left == 0 {
                    self.shared_mut().live = self.shared().used;
                }
            }
        }
    }

    /// Leaks all of it, a suspended script too.
    pub(super) fn abandon(mut self) {
        if let Some(mut coroutine) = self.coroutine.take() {
            // SAFETY: no frame on its stack owns anything.
            unsafe { coroutine.force_reset() };
            if self.is_running {
                // Lua still has frames on that stack.
                std::mem::forget(coroutine);
            }
        }
        if self.is_running {
            std::mem::forget(self);
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some(mut coroutine) = self.coroutine.take() {
            // SAFETY: no frame on its stack owns anything, and it is not run again.
            unsafe { coroutine.force_reset() };
            if self.is_running {
                std::mem::forget(coroutine);
                return;
            }
        }
        // SAFETY: nothing runs in the state. What it points at goes after it.
        unsafe {
            ffi::lua_close(self.main);
            drop(Box::from_raw(self.shared));
        }
    }
}

/// Runs what `begin` has put on the thread's stack; true where it failed.
unsafe fn run(shared: *mut Shared) -> bool {
    // SAFETY: on the coroutine, as its only frame beside the loop.
    unsafe {
        // What a cycle that is under way has freed was not live.
        (*shared).live = (*shared).live.min((*shared).used);
        if (*shared).used - (*shared).live > (*shared).limit / 4 {
            make_room(shared);
        }
        ffi::lua_pcall((*shared).thread, (*shared).params, 1, HANDLER) != 0
    }
}

/// What scripts before have left is in this one's way: Lua looks for garbage in its own time, not when the limit is reached. The script
/// waits for it, and counts as slow if that takes long.
#[cold]
unsafe fn make_room(shared: *mut Shared) {
    // SAFETY: as `run`. Outside of a protected call memory must not be refused, and the collector may ask for some.
    unsafe {
        // One may have been under way before that garbage was any.
        let mut cycles_left = 2;
        while cycles_left > 0 && (*shared).kill.is_none() {
            (*shared).is_host = true;
            cycles_left -= ffi::lua_gc((*shared).thread, ffi::LUA_GCSTEP, 0);
            (*shared).is_host = false;
            ask(shared, Asked::Interrupted);
        }
        if (*shared).kill.is_some() {
            ffi::lua_sethook((*shared).thread, Some(look_up), ffi::LUA_MASKCOUNT, 1);
        } else {
            (*shared).live = (*shared).used;
        }
    }
}

/// Instructions until the next look.
unsafe fn interval(shared: *const Shared) -> c_int {
    // SAFETY: it is the machine's.
    let (large, instructions) = unsafe { ((*shared).large, (*shared).instructions) };
    match large {
        0 => instructions,
        _ => ((INSTRUCTION_BYTES / large) as c_int).clamp(4, INSTRUCTIONS).min(instructions),
    }
}

/// The count hook: asks the engine, and ends a script that is to end. It is armed again at each instruction until the script is gone,
/// because the script's own `pcall` catches this error as any other.
unsafe extern "C-unwind" fn look_up(l: *mut ffi::lua_State, _: *mut ffi::lua_Debug) {
    // SAFETY: nothing is owned.
    unsafe {
        let shared = shared::shared(l);
        if (*shared).is_host {
            return;
        }
        if (*shared).kill.is_none() {
            ask(shared, Asked::Interrupted);
        }
        if (*shared).kill.is_some() {
            end_script(l);
        }
        let wanted = interval(shared);
        if ffi::lua_gethookcount(l) != wanted {
            ffi::lua_sethook(l, Some(look_up), ffi::LUA_MASKCOUNT, wanted);
        }
    }
}

/// Raises the error that ends a script, and looks again at the next instruction.
///
/// # Safety
/// On the script's side, with nothing owned by frames of Rust's.
unsafe fn end_script(l: *mut ffi::lua_State) -> ! {
    // SAFETY: the caller's. Where there is no room for the error there is none for the script to go on either.
    unsafe {
        ffi::lua_sethook(l, Some(look_up), ffi::LUA_MASKCOUNT, 1);
        ffi::lua_checkstack(l, 4);
        stack::push_error(l, (*shared::shared(l)).kill.unwrap_or("ERR").as_bytes(), true);
        ffi::lua_error(l)
    }
}

/// Sets the hook for what runs.
unsafe fn arm(l: *mut ffi::lua_State, shared: *const Shared) {
    // SAFETY: the caller's.
    unsafe { set_hook(l, shared, interval(shared)) };
}

/// Has the hook called at the next instruction.
unsafe fn look_soon(l: *mut ffi::lua_State, shared: *const Shared) {
    // SAFETY: the caller's.
    unsafe { set_hook(l, shared, 1) };
}

/// # Safety
/// `l` is a thread of the machine's. A hook may be set at any moment: Lua looks at it between two instructions.
unsafe fn set_hook(l: *mut ffi::lua_State, shared: *const Shared, count: c_int) {
    // SAFETY: the caller's.
    unsafe {
        // A script that is to end is shown no more of, and code of the user's is not debugged itself.
        let is_debugged = (*shared).debugger.is_some() && (*shared).kill.is_none() && !(*shared).is_evaluating;
        match is_debugged {
            false => ffi::lua_sethook(l, Some(look_up), ffi::LUA_MASKCOUNT, count),
            true => ffi::lua_sethook(l, Some(stepping::look_at_line), ffi::LUA_MASKCOUNT | ffi::LUA_MASKLINE, count),
        };
    }
}
