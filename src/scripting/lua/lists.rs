//! KEYS and ARGV: tables that one script after the other finds, as long as none leaves more in them than there was. No script can keep them: what it does not return is
//! gone with it, and what it returns is written before the next begins.
//!
//! Whether a table is as it was the C interface does not say for less than making another. So its head is looked at ([`layout`]).

use super::{layout, stack::push_bytes};
use crate::resp::request::Args;
use mlua_sys as ffi;
use std::ffi::{CStr, c_int, c_void};

/// Elements that a list keeps room for beside those that are needed.
const SPARE_MAX: usize = 16;
/// Bytes of keys and arguments that stay until the next script comes.
const KEPT_BYTES: usize = 4096;

/// One of the two.
struct List {
    name: &'static CStr,
    /// Where it stays on the stack of the thread that scripts begin on.
    place: c_int,
    /// The table, which Lua does not move.
    head: *const layout::Table,
}

/// Both, and the table of globals in which they stand.
pub(super) struct Lists {
    lists: [List; 2],
    globals: c_int,
    /// What the nodes of a table without any are.
    no_nodes: *mut c_void,
    /// The globals have them.
    is_set: bool,
    /// They hold much.
    is_large: bool,
}

impl Lists {
    /// Puts the two on top of the thread's stack, where they stay.
    ///
    /// # Safety
    /// The state is at rest, and memory is not refused; `globals` is where the registry keeps the table of globals.
    pub(super) unsafe fn new(l: *mut ffi::lua_State, globals: c_int) -> Self {
        // SAFETY: the caller's.
        unsafe {
            let no_nodes = layout::check(l);
            let lists = [c"KEYS", c"ARGV"].map(|name| {
                ffi::lua_createtable(l, 0, 0);
                List { name, place: ffi::lua_gettop(l), head: ffi::lua_topointer(l, -1).cast() }
            });
            Self { lists, globals, no_nodes, is_set: false, is_large: false }
        }
    }

    /// Sets the globals to these.
    ///
    /// # Safety
    /// No script runs; memory is not refused.
    pub(super) unsafe fn fill(&mut self, l: *mut ffi::lua_State, keys: Args, argv: Args) {
        let is_set = std::mem::replace(&mut self.is_set, true);
        let no_nodes = self.no_nodes;
        let mut bytes = 0;
        for (list, args) in self.lists.iter_mut().zip([keys, argv]) {
            // SAFETY: the caller's; the stack keeps the table.
            unsafe {
                let (head, len) = (&*list.head, args.len());
                let room = usize::try_from(head.array_len).unwrap_or(0);
                let fits = (len..=len + SPARE_MAX).contains(&room);
                let is_plain = head.metatable.is_null() && std::ptr::eq(head.nodes, no_nodes);
                if fits && is_plain && is_set {
                    bytes += set_elements(l, list.place, args, room);
                    continue;
                }
                ffi::lua_rawgeti_(l, ffi::LUA_REGISTRYINDEX, self.globals);
                ffi::lua_createtable(l, c_int::try_from(len).unwrap_or(0), 0);
                list.head = ffi::lua_topointer(l, -1).cast();
                bytes += set_elements(l, ffi::lua_gettop(l), args, 0);
                ffi::lua_pushvalue(l, -1);
                ffi::lua_replace(l, list.place);
                ffi::lua_setfield(l, -2, list.name.as_ptr());
                ffi::lua_settop(l, -2);
            }
        }
        self.is_large = bytes > KEPT_BYTES;
    }

    /// Lets go of what is large.
    ///
    /// # Safety
    /// As [`Lists::fill`].
    #[inline]
    pub(super) unsafe fn let_go(&mut self, l: *mut ffi::lua_State) {
        if self.is_large {
            // New ones are made, which have nothing.
            self.is_set = false;
            let none = crate::resp::request::OwnedArgs::default();
            // SAFETY: the caller's.
            unsafe { self.fill(l, none.args(), none.args()) };
        }
    }

    /// Takes them out of the globals: they are a script's, and no function's.
    ///
    /// # Safety
    /// As [`Lists::fill`].
    #[inline]
    pub(super) unsafe fn hide(&mut self, l: *mut ffi::lua_State) {
        if !std::mem::take(&mut self.is_set) {
            return;
        }
        // SAFETY: the caller's.
        unsafe {
            ffi::lua_rawgeti_(l, ffi::LUA_REGISTRYINDEX, self.globals);
            for list in &self.lists {
                ffi::lua_pushnil(l);
                ffi::lua_setfield(l, -2, list.name.as_ptr());
            }
            ffi::lua_settop(l, -2);
        }
    }
}

/// Sets the elements of the table at this place, those behind them up to `room` to nothing, and gives the bytes that they have.
unsafe fn set_elements(l: *mut ffi::lua_State, table: c_int, args: Args, room: usize) -> usize {
    let (mut at, mut bytes) = (0, 0);
    // SAFETY: pushes a value at a time.
    unsafe {
        for arg in args.iter() {
            at += 1;
            bytes += arg.len();
            push_bytes(l, arg);
            ffi::lua_rawseti_(l, table, at);
        }
        while (at as usize) < room {
            at += 1;
            ffi::lua_pushnil(l);
            ffi::lua_rawseti_(l, table, at);
        }
    }
    bytes
}

/// Pushes a list of strings.
///
/// # Safety
/// As [`Lists::fill`].
pub(super) unsafe fn push_list(l: *mut ffi::lua_State, args: Args) {
    // SAFETY: the caller's.
    unsafe {
        ffi::lua_createtable(l, c_int::try_from(args.len()).unwrap_or(0), 0);
        set_elements(l, ffi::lua_gettop(l), args, 0);
    }
}
