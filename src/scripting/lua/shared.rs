//! What a machine and the functions that its scripts call both look at. It is found through the allocator's argument, so that functions of
//! Lua's C interface need no global.

use super::{libraries::Libraries, pool::Pool};
pub(super) use crate::scripting::RegisteredFunction as Registered;
use crate::{
    resp::request::OwnedArgs,
    scripting::{Answer, Asked, debugger::Debugger},
};
use corosensei::Yielder;
use mlua_sys as ffi;
use std::{
    ffi::{c_int, c_void},
    ptr,
};

/// From this size on a block is large.
const LARGE: usize = 64 * 1024;

/// An answer whose bytes are borrowed for as long as `resume` runs: the script looks at them before it is suspended again.
#[derive(Clone, Copy)]
pub(super) enum Given {
    Go,
    Reply(*const [u8]),
    Error(*const [u8]),
    Bool(bool),
    Kill(&'static str),
    Late,
    Leave,
}

impl Given {
    pub(super) fn of(answer: Answer) -> Self {
        match answer {
            Answer::Begin | Answer::Go => Self::Go,
            Answer::Reply(bytes) => Self::Reply(bytes),
            Answer::Error(text) => Self::Error(text),
            Answer::Bool(yes) => Self::Bool(yes),
            Answer::Kill(text) => Self::Kill(text),
            Answer::Late => Self::Late,
            Answer::Leave => Self::Leave,
        }
    }
}

/// Both sides' state. Only one of them runs at a time.
pub(super) struct Shared {
    /// Small blocks that Lua has given back.
    pub(super) pool: Pool,
    /// Bytes Lua holds.
    pub(super) used: usize,
    /// What it held when the collector had last gone through all of it.
    pub(super) live: usize,
    /// Bytes of the blocks among them that are large.
    pub(super) large: usize,
    /// Bytes it may hold; `usize::MAX`: any number.
    pub(super) limit: usize,
    /// The machine itself asks for memory, outside any protected call, where Lua could not tell it that there is none.
    pub(super) is_host: bool,
    pub(super) yielder: *const Yielder<(), Asked>,
    /// The thread that scripts begin on.
    pub(super) thread: *mut ffi::lua_State,
    /// The thread that the script is on.
    pub(super) thread_now: *mut ffi::lua_State,
    /// Coroutines that have been resumed since the last look at that.
    pub(super) resumed: u32,
    /// Instructions between two looks, by how long they take.
    pub(super) instructions: c_int,
    pub(super) given: Given,
    /// Arguments of the call that is asked for, while the engine has not taken them.
    pub(super) args: Option<Box<OwnedArgs>>,
    /// The script is to end with this.
    pub(super) kill: Option<&'static str>,
    /// The protocol of replies to the script: 2 or 3.
    pub(super) resp: u8,
    /// Parameters of what is run, beside itself.
    pub(super) params: c_int,
    /// Room for the libraries' work.
    pub(super) libraries: Libraries,
    /// State of `math.random`.
    pub(super) random: u64,
    /// What a library has registered, while its code runs.
    pub(super) registered: Option<Vec<Registered>>,
    /// The session of a script that is debugged.
    pub(super) debugger: Option<Box<Debugger>>,
    /// What runs is code of its user's.
    pub(super) is_evaluating: bool,
}

impl Shared {
    pub(super) fn new(limit: usize, seed: u32) -> Box<Self> {
        Box::new(Self {
            pool: Pool::new(),
            used: 0,
            live: 0,
            large: 0,
            limit: bound(limit),
            is_host: true,
            yielder: ptr::null(),
            thread: ptr::null_mut(),
            thread_now: ptr::null_mut(),
            resumed: 0,
            instructions: super::INSTRUCTIONS,
            given: Given::Go,
            args: Some(Box::default()),
            kill: None,
            resp: 2,
            params: 0,
            libraries: Libraries::default(),
            random: super::random::seeded(seed),
            registered: None,
            debugger: None,
            is_evaluating: false,
        })
    }

    /// Where the arguments of the next call go.
    #[inline]
    pub(super) fn args(&mut self) -> &mut OwnedArgs {
        self.args.get_or_insert_default()
    }
}

/// A limit of 0 is none.
pub(super) fn bound(limit: usize) -> usize {
    if limit == 0 { usize::MAX } else { limit }
}

/// What the state of this thread was made with.
///
/// # Safety
/// `l` belongs to a machine.
#[inline]
pub(super) unsafe fn shared(l: *mut ffi::lua_State) -> *mut Shared {
    let mut argument: *mut c_void = ptr::null_mut();
    // SAFETY: the caller's.
    unsafe { ffi::lua_getallocf(l, &raw mut argument) };
    argument.cast()
}

/// Suspends the script until the engine has answered.
///
/// # Safety
/// The script runs on the machine's stack, and no frame between here and Lua owns anything.
#[inline]
pub(super) unsafe fn ask(shared: *mut Shared, asked: Asked) -> Given {
    // SAFETY: the yielder lives at the bottom of the stack this runs on. `asked` owns nothing.
    unsafe {
        (*(*shared).yielder).suspend(asked);
        if let Given::Kill(text) = (*shared).given {
            (*shared).kill = Some(text);
        }
        (*shared).given
    }
}

/// Lua's allocator: that of the data, but counted and bounded by itself. What Lua gives back is never refused.
pub(super) unsafe extern "C" fn allocate(ud: *mut c_void, at: *mut c_void, old: usize, new: usize) -> *mut c_void {
    let shared: *mut Shared = ud.cast();
    // SAFETY: `ud` is the machine's; `at` came from here with `old` bytes, as Lua promises, or more.
    unsafe {
        let old = if at.is_null() { 0 } else { old };
        if new == 0 {
            if old > 0 {
                (*shared).pool.give(at, old);
                (*shared).used = (*shared).used.wrapping_sub(old);
                if old >= LARGE {
                    (*shared).large = (*shared).large.wrapping_sub(old);
                }
            }
            return ptr::null_mut();
        }
        let grown = new.saturating_sub(old);
        if grown > 0 && !(*shared).is_host && (*shared).used.saturating_add(grown) > (*shared).limit {
            return ptr::null_mut();
        }
        let pool = &mut (*shared).pool;
        let given = if old == 0 { pool.take(new) } else { pool.resize(at, old, new) };
        if given.is_null() {
            // Lua takes a smaller block for granted.
            return if grown == 0 { at } else { given };
        }
        (*shared).used = (*shared).used.wrapping_add(new).wrapping_sub(old);
        if old.max(new) >= LARGE {
            changed_large(shared, if old >= LARGE { old } else { 0 }, new);
        }
        given
    }
}

/// A large block is made or changes its size: what a script does with it takes long, and the hook is to see it soon.
#[cold]
unsafe fn changed_large(shared: *mut Shared, old: usize, new: usize) {
    // SAFETY: the thread runs, so that it lives. A hook may be set at any moment: Lua looks at it between two instructions.
    unsafe {
        let new = if new >= LARGE { new } else { 0 };
        (*shared).large = (*shared).large.wrapping_add(new).wrapping_sub(old);
        if new > 0 && !(*shared).is_host && !(*shared).thread_now.is_null() {
            super::look_soon((*shared).thread_now, shared);
        }
    }
}
