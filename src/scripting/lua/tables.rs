//! `table.concat`, `insert`, `remove`, `sort`, `maxn`, `foreach` and `foreachi`, in place of Lua's own: they take as long as a table is, and look, as they go,
//! at whether the script is to end.

use super::{
    frame::Frame,
    libraries::{Looks, finish, text_argument},
    shared::shared,
    stack::{int_argument, int_or, set_functions},
    strings::room,
};
use crate::scripting::libs::{Fault, Kind, Stack};
use mlua_sys as ffi;
use std::ffi::c_int;

/// Length of the table that is argument 1.
unsafe fn length(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: looks only.
    unsafe { ffi::lua_objlen(l, 1) as c_int }
}

unsafe extern "C-unwind" fn concat(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua calls it with a frame of its own.
    unsafe { finish(l, join(l)) }
}

unsafe fn join(l: *mut ffi::lua_State) -> Result<c_int, Fault> {
    // SAFETY: the separator stays in the frame, an element until its bytes have been copied. The kept buffer is this call's.
    unsafe {
        let mut frame = Frame::new(l);
        let separator = if matches!(frame.kind(2), Kind::None | Kind::Nil) { &[] } else { text_argument(&frame, 2)? };
        ffi::luaL_checktype(l, 1, ffi::LUA_TTABLE);
        let from = int_or(l, 3, || 1);
        let to = int_or(l, 4, || length(l));
        let mut looks = Looks::new(l);
        let limit = room(shared(l));
        let out = &mut (*shared(l)).libraries.begin().out;
        for element in from..=to {
            ffi::lua_rawgeti_(l, 1, element);
            let kind = frame.kind(-1);
            if !matches!(kind, Kind::String | Kind::Number) {
                return Err(Fault::Error(format!("invalid value ({}) at index {element} in table for 'concat'", kind.name())));
            }
            let text = frame.kept_text(-1).unwrap_or(&[]);
            let separator = if element < to { separator } else { &[] };
            if text.len().saturating_add(separator.len()) > limit.saturating_sub(out.len()) {
                return Err(Fault::Plain("not enough memory".into()));
            }
            out.extend_from_slice(text);
            out.extend_from_slice(separator);
            frame.pop(1);
            looks.step()?;
        }
        frame.push_bytes(out);
        Ok(1)
    }
}

unsafe extern "C-unwind" fn insert(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe {
        ffi::luaL_checktype(l, 1, ffi::LUA_TTABLE);
        let end = length(l).wrapping_add(1);
        let at = match ffi::lua_gettop(l) {
            2 => end,
            3 => {
                let at = int_argument(l, 2);
                let moved = move_up(l, at, end.max(at));
                if moved.is_err() {
                    return finish(l, moved.map(|()| 0));
                }
                at
            }
            _ => return ffi::luaL_error(l, c"wrong number of arguments to 'insert'".as_ptr()),
        };
        ffi::lua_rawseti_(l, 1, at);
        0
    }
}

/// Elements move up from a position on, which may be as far below the first as integers go.
unsafe fn move_up(l: *mut ffi::lua_State, at: c_int, end: c_int) -> Result<(), Fault> {
    // SAFETY: one value is pushed and taken.
    unsafe {
        let mut looks = Looks::new(l);
        let mut to = end;
        while to > at {
            ffi::lua_rawgeti_(l, 1, to - 1);
            ffi::lua_rawseti_(l, 1, to);
            to -= 1;
            looks.step()?;
        }
        Ok(())
    }
}

unsafe extern "C-unwind" fn remove(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe {
        ffi::luaL_checktype(l, 1, ffi::LUA_TTABLE);
        let end = length(l);
        let at = int_or(l, 2, || end);
        if !(1..=end).contains(&at) {
            return 0;
        }
        ffi::lua_rawgeti_(l, 1, at);
        finish(l, move_down(l, at, end).map(|()| 1))
    }
}

/// Elements move down to a position, and the last is no more.
unsafe fn move_down(l: *mut ffi::lua_State, at: c_int, end: c_int) -> Result<(), Fault> {
    // SAFETY: one value is pushed and taken.
    unsafe {
        let mut looks = Looks::new(l);
        for to in at..end {
            ffi::lua_rawgeti_(l, 1, to + 1);
            ffi::lua_rawseti_(l, 1, to);
            looks.step()?;
        }
        ffi::lua_pushnil(l);
        ffi::lua_rawseti_(l, 1, end);
        Ok(())
    }
}

unsafe extern "C-unwind" fn maxn(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe {
        ffi::luaL_checktype(l, 1, ffi::LUA_TTABLE);
        let result = largest_index(l);
        finish(l, result)
    }
}

unsafe fn largest_index(l: *mut ffi::lua_State) -> Result<c_int, Fault> {
    // SAFETY: the walk changes nothing.
    unsafe {
        let (mut looks, mut largest) = (Looks::new(l), 0.0);
        ffi::lua_pushnil(l);
        while ffi::lua_next(l, 1) != 0 {
            ffi::lua_settop(l, -2);
            if ffi::lua_type(l, -1) == ffi::LUA_TNUMBER {
                largest = f64::max(largest, ffi::lua_tonumber(l, -1));
            }
            looks.step()?;
        }
        ffi::lua_pushnumber(l, largest);
        Ok(1)
    }
}

unsafe extern "C-unwind" fn foreach(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe {
        ffi::luaL_checktype(l, 1, ffi::LUA_TTABLE);
        ffi::luaL_checktype(l, 2, ffi::LUA_TFUNCTION);
        finish(l, call_with_pairs(l))
    }
}

unsafe fn call_with_pairs(l: *mut ffi::lua_State) -> Result<c_int, Fault> {
    // SAFETY: nothing is owned while the script's function runs.
    unsafe {
        let mut looks = Looks::new(l);
        ffi::lua_pushnil(l);
        while ffi::lua_next(l, 1) != 0 {
            ffi::lua_pushvalue(l, 2);
            ffi::lua_pushvalue(l, -3);
            ffi::lua_pushvalue(l, -3);
            ffi::lua_call(l, 2, 1);
            if ffi::lua_type(l, -1) != ffi::LUA_TNIL {
                return Ok(1);
            }
            ffi::lua_settop(l, -3);
            looks.step()?;
        }
        Ok(0)
    }
}

unsafe extern "C-unwind" fn foreachi(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe {
        ffi::luaL_checktype(l, 1, ffi::LUA_TTABLE);
        ffi::luaL_checktype(l, 2, ffi::LUA_TFUNCTION);
        finish(l, call_with_elements(l))
    }
}

unsafe fn call_with_elements(l: *mut ffi::lua_State) -> Result<c_int, Fault> {
    // SAFETY: as above.
    unsafe {
        let mut looks = Looks::new(l);
        for element in 1..=length(l) {
            ffi::lua_pushvalue(l, 2);
            ffi::lua_pushnumber(l, f64::from(element));
            ffi::lua_rawgeti_(l, 1, element);
            ffi::lua_call(l, 2, 1);
            if ffi::lua_type(l, -1) != ffi::LUA_TNIL {
                return Ok(1);
            }
            ffi::lua_settop(l, -2);
            looks.step()?;
        }
        Ok(0)
    }
}

/// Sorts the table that is argument 1, by argument 2 if that is a function. Quicksort around the median of three, with the very exchanges of
/// Lua's: a script sees the order of what is equal.
struct Sorter {
    l: *mut ffi::lua_State,
    has_order: bool,
    looks: Looks,
}

/// The order contradicts itself, or the script is to end.
enum Stop {
    NoOrder,
    Fault(Fault),
}

impl Sorter {
    /// Whether the value at the first stack index goes in front of the one at the second.
    unsafe fn is_less(&mut self, a: c_int, b: c_int) -> Result<bool, Stop> {
        let l = self.l;
        // SAFETY: the indexes are of what has been pushed.
        unsafe {
            self.looks.step().map_err(Stop::Fault)?;
            if !self.has_order {
                return Ok(ffi::lua_lessthan(l, a, b) != 0);
            }
            ffi::lua_pushvalue(l, 2);
            ffi::lua_pushvalue(l, a - 1);
            ffi::lua_pushvalue(l, b - 2);
            ffi::lua_call(l, 2, 1);
            let is_less = ffi::lua_toboolean(l, -1) != 0;
            ffi::lua_settop(l, -2);
            Ok(is_less)
        }
    }

    unsafe fn push(&self, element: c_int) {
        // SAFETY: room has been asked for.
        unsafe { ffi::lua_rawgeti_(self.l, 1, element) }
    }

    /// Takes the two values on top away: the upper goes to `i`, the lower to `j`.
    unsafe fn set_two(&self, i: c_int, j: c_int) {
        // SAFETY: they are there.
        unsafe {
            ffi::lua_rawseti_(self.l, 1, i);
            ffi::lua_rawseti_(self.l, 1, j);
        }
    }

    /// Exchanges two elements if the one at `high` goes in front of the one at `low`.
    unsafe fn put_in_order(&mut self, low: c_int, high: c_int) -> Result<bool, Stop> {
        // SAFETY: two values are pushed and taken.
        unsafe {
            self.push(low);
            self.push(high);
            let exchanged = self.is_less(-1, -2)?;
            match exchanged {
                true => self.set_two(low, high),
                false => ffi::lua_settop(self.l, -3),
            }
            Ok(exchanged)
        }
    }

    unsafe fn sort(&mut self, mut low: c_int, mut high: c_int) -> Result<(), Stop> {
        // SAFETY: as above. The smaller part is the inner call's, so that there are no more of those than bits in an index.
        unsafe {
            while low < high {
                self.put_in_order(low, high)?;
                if high - low == 1 {
                    break;
                }
                let middle = low + (high - low) / 2;
                if !self.put_in_order(low, middle)? {
                    self.put_in_order(middle, high)?;
                }
                if high - low == 2 {
                    break;
                }
                let border = self.divide(low, middle, high)?;
                if border - low < high - border {
                    self.sort(low, border - 1)?;
                    low = border + 1;
                } else {
                    self.sort(border + 1, high)?;
                    high = border - 1;
                }
            }
            Ok(())
        }
    }

    /// Brings what is less than the middle element in front of it and the rest behind, and says where it is then.
    unsafe fn divide(&mut self, low: c_int, middle: c_int, high: c_int) -> Result<c_int, Stop> {
        let l = self.l;
        // SAFETY: as above; the element that is compared with stays on the stack.
        unsafe {
            self.push(middle);
            ffi::lua_pushvalue(l, -1);
            self.push(high - 1);
            self.set_two(middle, high - 1);
            let (mut i, mut j) = (low, high - 1);
            loop {
                i += 1;
                self.push(i);
                while self.is_less(-1, -2)? {
                    if i > high {
                        return Err(Stop::NoOrder);
                    }
                    ffi::lua_settop(l, -2);
                    i += 1;
                    self.push(i);
                }
                j -= 1;
                self.push(j);
                while self.is_less(-3, -1)? {
                    if j < low {
                        return Err(Stop::NoOrder);
                    }
                    ffi::lua_settop(l, -2);
                    j -= 1;
                    self.push(j);
                }
                if j < i {
                    break;
                }
                self.set_two(i, j);
            }
            ffi::lua_settop(l, -4);
            self.push(high - 1);
            self.push(i);
            self.set_two(high - 1, i);
            Ok(i)
        }
    }
}

unsafe extern "C-unwind" fn sort(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: nothing is owned where an error is raised: the sorter has no drop.
    unsafe {
        ffi::luaL_checktype(l, 1, ffi::LUA_TTABLE);
        let length = length(l);
        ffi::luaL_checkstack_(l, 40 * 4, c"".as_ptr());
        let has_order = ffi::lua_type(l, 2) > ffi::LUA_TNIL;
        if has_order {
            ffi::luaL_checktype(l, 2, ffi::LUA_TFUNCTION);
        }
        ffi::lua_settop(l, 2);
        match (Sorter { l, has_order, looks: Looks::new(l) }).sort(1, length) {
            Ok(()) => 0,
            Err(Stop::NoOrder) => ffi::luaL_error(l, c"invalid order function for sorting".as_ptr()),
            Err(Stop::Fault(fault)) => finish(l, Err(fault)),
        }
    }
}

/// Puts these functions in the place of Lua's own.
///
/// # Safety
/// The table library is open, and nothing is protected yet.
pub(super) unsafe fn register(l: *mut ffi::lua_State) {
    // SAFETY: three slots, which are given back.
    unsafe {
        ffi::lua_getfield_(l, ffi::LUA_GLOBALSINDEX, c"table".as_ptr());
        set_functions(
            l,
            &[
                (c"concat", concat),
                (c"insert", insert),
                (c"remove", remove),
                (c"sort", sort),
                (c"maxn", maxn),
                (c"foreach", foreach),
                (c"foreachi", foreachi),
            ],
        );
        ffi::lua_settop(l, -2);
    }
}
