//! Functions in the place of Lua's own that run long without an instruction of the script's, where no hook fires, or whose sums overflow:
//! `unpack`, `collectgarbage`, `table.insert` and `table.sort`; and those that call others in protected mode.

use super::{
    env::end_if_killed,
    libraries::{finish, look},
    shared::shared,
    stack::set_functions,
};
use crate::scripting::libs::Fault;
use mlua_sys as ffi;
use std::ffi::c_int;

/// Steps between two looks at whether the script is to end.
const STEPS_BETWEEN_LOOKS: u32 = 4096;

/// An integer as C converts it here: the low 32 bits.
unsafe fn int_argument(l: *mut ffi::lua_State, argument: c_int) -> c_int {
    // SAFETY: raises an error where it is no number; nothing is owned.
    unsafe { ffi::luaL_checkinteger(l, argument) as c_int }
}

/// Length of the table that is argument 1.
unsafe fn length(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: looks only.
    unsafe { ffi::lua_objlen(l, 1) as c_int }
}

/// Calls a function and catches its error. Of an error that is a table with a text, as commands raise it, the text is what is seen.
unsafe extern "C-unwind" fn pcall(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe {
        ffi::luaL_checkany(l, 1);
        ffi::lua_pushboolean(l, 1);
        ffi::lua_insert(l, 1);
        if ffi::lua_pcall(l, ffi::lua_gettop(l) - 2, ffi::LUA_MULTRET, 0) != 0 {
            end_if_killed(l);
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
        if status != ffi::LUA_ERRMEM && (*shared(l)).kill.is_none() {
            ffi::lua_pushvalue(l, 1);
            ffi::lua_insert(l, -2);
            status = ffi::lua_pcall(l, 1, 1, 0);
            if status != 0 && (*shared(l)).kill.is_none() {
                ffi::lua_settop(l, 1);
                ffi::lua_pushstring_(l, c"error in error handling".as_ptr());
            }
        }
        end_if_killed(l);
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
        let from = if ffi::lua_type(l, 2) <= ffi::LUA_TNIL { 1 } else { int_argument(l, 2) };
        let to = if ffi::lua_type(l, 3) <= ffi::LUA_TNIL { length(l) } else { int_argument(l, 3) };
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

/// Lua's own, which is the upvalue, and then a look: a collection takes as long as there is memory.
unsafe extern "C-unwind" fn collect_garbage(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe {
        let results = super::env::pass_on(l);
        let result = look(shared(l));
        finish(l, result.map(|()| results))
    }
}

/// Elements move up from a position on, which may be as far below the first as integers go.
unsafe extern "C-unwind" fn insert(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe {
        ffi::luaL_checktype(l, 1, ffi::LUA_TTABLE);
        let end = length(l).wrapping_add(1);
        let at = match ffi::lua_gettop(l) {
            2 => end,
            3 => {
                let at = int_argument(l, 2);
                let (mut to, mut steps) = (end.max(at), 0);
                while to > at {
                    ffi::lua_rawgeti_(l, 1, to - 1);
                    ffi::lua_rawseti_(l, 1, to);
                    to -= 1;
                    steps += 1;
                    if steps == STEPS_BETWEEN_LOOKS {
                        steps = 0;
                        if let Err(fault) = look(shared(l)) {
                            return finish(l, Err(fault));
                        }
                    }
                }
                at
            }
            _ => return ffi::luaL_error(l, c"wrong number of arguments to 'insert'".as_ptr()),
        };
        ffi::lua_rawseti_(l, 1, at);
        0
    }
}

/// Sorts the table that is argument 1, by argument 2 if that is a function. Quicksort around the median of three, with the very exchanges of
/// Lua's: a script sees the order of what is equal.
struct Sorter {
    l: *mut ffi::lua_State,
    has_order: bool,
    steps: u32,
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
            self.steps += 1;
            if self.steps == STEPS_BETWEEN_LOOKS {
                self.steps = 0;
                look(shared(l)).map_err(Stop::Fault)?;
            }
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
        match (Sorter { l, has_order, steps: 0 }).sort(1, length) {
            Ok(()) => 0,
            Err(Stop::NoOrder) => ffi::luaL_error(l, c"invalid order function for sorting".as_ptr()),
            Err(Stop::Fault(fault)) => finish(l, Err(fault)),
        }
    }
}

/// Puts these functions in the place of Lua's own.
///
/// # Safety
/// The base and table libraries are open, and nothing is protected yet.
pub(super) unsafe fn register(l: *mut ffi::lua_State) {
    // SAFETY: three slots, which are given back.
    unsafe {
        ffi::lua_pushvalue(l, ffi::LUA_GLOBALSINDEX);
        set_functions(l, &[(c"pcall", pcall), (c"xpcall", xpcall), (c"unpack", unpack)]);
        ffi::lua_settop(l, -2);
        ffi::lua_getfield_(l, ffi::LUA_GLOBALSINDEX, c"collectgarbage".as_ptr());
        ffi::lua_pushcclosure(l, collect_garbage, 1);
        ffi::lua_setfield(l, ffi::LUA_GLOBALSINDEX, c"collectgarbage".as_ptr());
        ffi::lua_getfield_(l, ffi::LUA_GLOBALSINDEX, c"table".as_ptr());
        set_functions(l, &[(c"insert", insert), (c"sort", sort)]);
        ffi::lua_settop(l, -2);
    }
}
