//! A function's frame of Lua's stack, as the libraries see it. Nothing that is called here while Lua may raise an error owns memory.

use super::stack::{bytes_at, push_bytes};
use crate::scripting::libs::{Kind, Stack};
use mlua_sys as ffi;
use std::{ffi::c_int, ptr, slice};

/// The field of a metatable that marks an array of cjson's.
const ARRAY_MARK: &std::ffi::CStr = c"__is_cjson_array";

pub(super) struct Frame(*mut ffi::lua_State);

impl Frame {
    /// # Safety
    /// The state is that of the running function, and the frame is not used after that function.
    pub(super) unsafe fn new(l: *mut ffi::lua_State) -> Self {
        Self(l)
    }

    /// A string of the frame, or a number that becomes one there.
    ///
    /// # Safety
    /// The value stays in the frame for as long as its bytes are looked at.
    pub(super) unsafe fn kept_text<'a>(&self, index: c_int) -> Option<&'a [u8]> {
        let mut len = 0;
        // SAFETY: a string of Lua's neither moves nor goes while it is on the stack.
        unsafe {
            let at = ffi::lua_tolstring(self.0, index, &raw mut len);
            if at.is_null() { None } else { Some(slice::from_raw_parts(at.cast(), len)) }
        }
    }
}

// SAFETY (of every block below): the indexes are of values that the frame has, and room for what is pushed has been asked for or is of the
// 20 slots that each function begins with.
impl Stack for Frame {
    fn reserve(&mut self, slots: i32) -> bool {
        // Four more than asked for: an error's text and its place go on top.
        unsafe { ffi::lua_checkstack(self.0, slots + 4) != 0 }
    }

    fn top(&self) -> i32 {
        unsafe { ffi::lua_gettop(self.0) }
    }

    fn kind(&self, index: i32) -> Kind {
        match unsafe { ffi::lua_type(self.0, index) } {
            ffi::LUA_TNONE => Kind::None,
            ffi::LUA_TNIL => Kind::Nil,
            ffi::LUA_TBOOLEAN => Kind::Boolean,
            ffi::LUA_TLIGHTUSERDATA if unsafe { ffi::lua_touserdata(self.0, index) }.is_null() => Kind::Null,
            ffi::LUA_TLIGHTUSERDATA => Kind::LightUserdata,
            ffi::LUA_TNUMBER => Kind::Number,
            ffi::LUA_TSTRING => Kind::String,
            ffi::LUA_TTABLE => Kind::Table,
            ffi::LUA_TFUNCTION => Kind::Function,
            ffi::LUA_TTHREAD => Kind::Thread,
            _ => Kind::Userdata,
        }
    }

    fn boolean(&self, index: i32) -> bool {
        unsafe { ffi::lua_toboolean(self.0, index) != 0 }
    }

    fn number(&self, index: i32) -> Option<f64> {
        unsafe { (ffi::lua_isnumber(self.0, index) != 0).then(|| ffi::lua_tonumber(self.0, index)) }
    }

    fn bytes(&self, index: i32) -> &[u8] {
        unsafe { bytes_at(self.0, index) }
    }

    fn text(&mut self, index: i32) -> Option<&[u8]> {
        unsafe { self.kept_text(index) }
    }

    fn length(&self, index: i32) -> usize {
        unsafe { ffi::lua_objlen(self.0, index) }
    }

    fn room(&self) -> usize {
        unsafe { super::strings::room(super::shared::shared(self.0)) }
    }

    fn pop(&mut self, count: i32) {
        unsafe { ffi::lua_settop(self.0, -count - 1) }
    }

    fn push_nil(&mut self) {
        unsafe { ffi::lua_pushnil(self.0) }
    }

    fn push_null(&mut self) {
        unsafe { ffi::lua_pushlightuserdata(self.0, ptr::null_mut()) }
    }

    fn push_boolean(&mut self, value: bool) {
        unsafe { ffi::lua_pushboolean(self.0, c_int::from(value)) }
    }

    fn push_number(&mut self, value: f64) {
        unsafe { ffi::lua_pushnumber(self.0, value) }
    }

    fn push_bytes(&mut self, value: &[u8]) {
        unsafe { push_bytes(self.0, value) }
    }

    fn push_copy(&mut self, index: i32) {
        unsafe { ffi::lua_pushvalue(self.0, index) }
    }

    fn set_number(&mut self, index: i32, value: f64) {
        unsafe {
            ffi::lua_pushnumber(self.0, value);
            ffi::lua_replace(self.0, index);
        }
    }

    fn push_table(&mut self) {
        unsafe { ffi::lua_createtable(self.0, 0, 0) }
    }

    fn next(&mut self, table: i32) -> bool {
        unsafe { ffi::lua_next(self.0, table) != 0 }
    }

    fn get_element(&mut self, table: i32, element: i32) {
        unsafe { ffi::lua_rawgeti_(self.0, table, element) }
    }

    fn set_element(&mut self, table: i32, element: i32) {
        unsafe { ffi::lua_rawseti_(self.0, table, element) }
    }

    fn set(&mut self, table: i32) {
        unsafe { ffi::lua_rawset(self.0, table) }
    }

    fn look_behind(&mut self) {
        unsafe {
            // A proxy has a metatable, and hardly any other table has.
            if ffi::lua_getmetatable(self.0, -1) == 0 {
                return;
            }
            ffi::lua_getfield_(self.0, ffi::LUA_REGISTRYINDEX, super::env::PROXIES.as_ptr());
            ffi::lua_pushvalue(self.0, -3);
            ffi::lua_rawget_(self.0, -2);
            // The table, its metatable, the proxies, and what is behind the table.
            if ffi::lua_type(self.0, -1) == ffi::LUA_TTABLE {
                ffi::lua_replace(self.0, -4);
                ffi::lua_settop(self.0, -3);
            } else {
                ffi::lua_settop(self.0, -4);
            }
        }
    }

    fn mark_array(&mut self) {
        unsafe {
            ffi::lua_createtable(self.0, 0, 1);
            ffi::lua_pushboolean(self.0, 1);
            ffi::lua_setfield(self.0, -2, ARRAY_MARK.as_ptr());
            ffi::lua_setmetatable(self.0, -2);
        }
    }

    fn is_marked_array(&self, index: i32) -> bool {
        unsafe {
            if ffi::lua_getmetatable(self.0, index) == 0 {
                return false;
            }
            push_bytes(self.0, ARRAY_MARK.to_bytes());
            ffi::lua_rawget_(self.0, -2);
            let marked = ffi::lua_toboolean(self.0, -1) != 0;
            ffi::lua_settop(self.0, -3);
            marked
        }
    }
}
