//! How Lua 5.1 lays out what is looked at here without a call of its C interface, for it is looked at for every script or call of one. That will not change any more;
//! [`check`] asserts that it is so.

use mlua_sys as ffi;
use std::{
    ffi::{c_int, c_void},
    ptr, slice,
};

/// The head of a table.
#[repr(C)]
pub(super) struct Table {
    next: *mut c_void,
    kind: u8,
    marked: u8,
    flags: u8,
    pub(super) node_bits: u8,
    pub(super) metatable: *mut c_void,
    array: *mut c_void,
    pub(super) nodes: *mut c_void,
    last_free: *mut c_void,
    gray: *mut c_void,
    pub(super) array_len: c_int,
}

/// A string: its bytes are behind this.
#[repr(C)]
struct Text {
    next: *mut c_void,
    kind: u8,
    marked: u8,
    reserved: u8,
    hash: u32,
    len: usize,
}

#[repr(C)]
union Payload {
    number: f64,
    text: *const Text,
}

/// A value on the stack.
#[repr(C)]
pub(super) struct Value {
    payload: Payload,
    kind: c_int,
}

/// The head of a thread.
#[repr(C)]
struct Thread {
    next: *mut c_void,
    kind: u8,
    marked: u8,
    status: u8,
    top: *const Value,
    base: *const Value,
}

impl Value {
    /// The bytes of a string.
    #[inline]
    pub(super) fn text(&self) -> Option<&[u8]> {
        // SAFETY: it is a string, which lives as long as it is on the stack. Its bytes follow its head.
        (self.kind == ffi::LUA_TSTRING).then(|| unsafe {
            let text = self.payload.text;
            slice::from_raw_parts(text.add(1).cast(), (*text).len)
        })
    }

    /// A number.
    #[inline]
    pub(super) fn number(&self) -> Option<f64> {
        // SAFETY: whatever is there has bytes that may be read as a number.
        (self.kind == ffi::LUA_TNUMBER).then_some(unsafe { self.payload.number })
    }
}

/// The arguments of the function that runs, or what is on the stack of a thread at rest.
///
/// # Safety
/// The stack does not change as long as they are looked at.
#[inline]
pub(super) unsafe fn arguments<'a>(l: *mut ffi::lua_State) -> &'a [Value] {
    // SAFETY: the caller's; what lies between the two is set.
    unsafe {
        let thread = l.cast::<Thread>();
        let (base, top) = ((*thread).base, (*thread).top);
        slice::from_raw_parts(base, top.offset_from(base) as usize)
    }
}

/// Asserts that it is all laid out as it says here. Gives what the nodes of a table without any are.
///
/// # Safety
/// The state is at rest; memory is not refused.
pub(super) unsafe fn check(l: *mut ffi::lua_State) -> *mut c_void {
    // SAFETY: the caller's. Heads are looked at while their values are on the stack.
    unsafe {
        let before = ffi::lua_gettop(l);
        ffi::lua_createtable(l, 3, 0);
        let plain = &*ffi::lua_topointer(l, -1).cast::<Table>();
        let no_nodes = plain.nodes;
        assert!(plain.array_len == 3 && plain.metatable.is_null() && plain.node_bits == 0, "tables are laid out as expected");
        ffi::lua_createtable(l, 0, 2);
        let other = &*ffi::lua_topointer(l, -1).cast::<Table>();
        ffi::lua_pushvalue(l, -1);
        ffi::lua_setmetatable(l, -2);
        let is_told = other.node_bits == 1 && other.nodes != no_nodes && ptr::eq(other.metatable.cast(), other);
        assert!(is_told && other.array_len == 0, "tables are laid out as expected");
        ffi::lua_settop(l, before);
        super::stack::push_bytes(l, b"two\0words");
        ffi::lua_pushnumber(l, 0.5);
        ffi::lua_pushboolean(l, 1);
        let mut len = 0;
        let at = ffi::lua_tolstring(l, -3, &raw mut len);
        let Some([text, number, other]) = arguments(l).get(before as usize..) else { panic!("the stack is laid out as expected") };
        let is_text = |text: &[u8]| ptr::eq(text.as_ptr(), at.cast()) && text.len() == len && text == b"two\0words";
        assert!(text.text().is_some_and(is_text) && text.number().is_none(), "strings are laid out as expected");
        assert!(number.number() == Some(0.5) && number.text().is_none(), "numbers are laid out as expected");
        assert!(other.number().is_none() && other.text().is_none(), "other values are told from them");
        ffi::lua_settop(l, before);
        no_nodes
    }
}
