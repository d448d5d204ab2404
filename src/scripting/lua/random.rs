//! `math.random` and `math.randomseed`: the same numbers for the same seed on any machine. The generator is POSIX's `lrand48`.

use super::shared::shared;
use mlua_sys as ffi;
use std::ffi::c_int;

/// What POSIX puts below a seed.
const LOW: u64 = 0x330E;
const MASK: u64 = (1 << 48) - 1;
/// The largest number it gives, plus one is never reached.
const MAX: f64 = i32::MAX as f64;

/// The state for a seed.
pub(super) fn seeded(seed: u32) -> u64 {
    (u64::from(seed) << 16) | LOW
}

/// The next number of 31 bits.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(0x5_DEEC_E66D).wrapping_add(0xB) & MASK;
    *state >> 17
}

pub(super) unsafe extern "C-unwind" fn random(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe {
        let part = (next(&mut (*shared(l)).random) % i32::MAX as u64) as f64 / MAX;
        let number = match ffi::lua_gettop(l) {
            0 => part,
            1 => {
                let high = ffi::luaL_checkinteger(l, 1) as i32;
                if high < 1 {
                    return ffi::luaL_argerror(l, 1, c"interval is empty".as_ptr());
                }
                (part * f64::from(high)).floor() + 1.0
            }
            2 => {
                let (low, high) = (ffi::luaL_checkinteger(l, 1) as i32, ffi::luaL_checkinteger(l, 2) as i32);
                if low > high {
                    return ffi::luaL_argerror(l, 2, c"interval is empty".as_ptr());
                }
                (part * (f64::from(high) - f64::from(low) + 1.0)).floor() + f64::from(low)
            }
            _ => return ffi::luaL_error(l, c"wrong number of arguments".as_ptr()),
        };
        ffi::lua_pushnumber(l, number);
        1
    }
}

pub(super) unsafe extern "C-unwind" fn randomseed(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe { (*shared(l)).random = seeded(ffi::luaL_checkinteger(l, 1) as u32) };
    0
}
