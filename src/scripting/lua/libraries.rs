//! The libraries, as functions that Lua calls: `cjson`, `cmsgpack`, `struct`, `bit`.
//!
//! Each function is a frame of Rust's between Lua and Lua, or a suspension: it works in buffers that the machine keeps, and what it owns
//! (a [`Fault`]) is gone before Lua's error jumps over it.

use super::{
    frame::Frame,
    shared::{Shared, ask, shared},
    stack::{push_bytes, set_functions},
};
use crate::scripting::{
    Asked,
    libs::{Fault, Kind, Stack, bit, cjson, cmsgpack, struct_lib},
    text::Matcher,
};
use mlua_sys as ffi;
use std::ffi::{CStr, c_int};

/// A buffer that has grown larger than this is given back after the call.
const BUFFER_KEPT: usize = 64 * 1024;

/// Room for the libraries' work: a field of [`Shared`].
#[derive(Default)]
pub(super) struct Libraries {
    pub(super) out: Vec<u8>,
    pub(super) scratch: Vec<u8>,
    pub(super) matcher: Matcher,
}

impl Libraries {
    /// An empty buffer for a result, and one for what is on the way.
    pub(super) fn begin(&mut self) -> &mut Self {
        self.trim();
        self.out.clear();
        self.scratch.clear();
        self
    }

    /// Gives back what has grown large: it is beside what Lua counts.
    #[inline]
    pub(super) fn trim(&mut self) {
        if self.out.capacity().max(self.scratch.capacity()) > BUFFER_KEPT {
            for buffer in [&mut self.out, &mut self.scratch] {
                buffer.clear();
                buffer.shrink_to(BUFFER_KEPT);
            }
        }
        self.matcher.let_go();
    }
}

/// Lets the engine have a turn, and says whether the script goes on.
///
/// # Safety
/// As `ask`.
pub(super) unsafe fn look(shared: *mut Shared) -> Result<(), Fault> {
    // SAFETY: the caller's.
    unsafe {
        ask(shared, Asked::Interrupted);
        if (*shared).kill.is_some() { Err(Fault::Stopped) } else { Ok(()) }
    }
}

/// Steps between two looks.
const STEPS_BETWEEN_LOOKS: u32 = 4096;

/// Counts the steps of what takes long, and looks now and then.
pub(super) struct Looks {
    shared: *mut Shared,
    steps: u32,
}

impl Looks {
    /// # Safety
    /// The state is a machine's.
    pub(super) unsafe fn new(l: *mut ffi::lua_State) -> Self {
        // SAFETY: the caller's.
        Self { shared: unsafe { shared(l) }, steps: 0 }
    }

    /// One step more.
    ///
    /// # Safety
    /// As [`look`].
    #[inline]
    pub(super) unsafe fn step(&mut self) -> Result<(), Fault> {
        self.steps += 1;
        if self.steps < STEPS_BETWEEN_LOOKS {
            return Ok(());
        }
        self.steps = 0;
        // SAFETY: the caller's.
        unsafe { look(self.shared) }
    }
}

/// Gives the results, or makes Lua's error of a fault: its text goes to a kept buffer first, so that nothing is owned when Lua jumps.
///
/// # Safety
/// The caller owns nothing.
pub(super) unsafe fn finish(l: *mut ffi::lua_State, result: Result<c_int, Fault>) -> c_int {
    let fault = match result {
        Ok(results) => {
            // SAFETY: no library's function runs in the state until the next call.
            unsafe { (*shared(l)).libraries.trim() };
            return results;
        }
        Err(fault) => fault,
    };
    // SAFETY: the buffer is the machine's, and not looked at by others until the next call.
    unsafe {
        let shared = shared(l);
        let out = &mut (*shared).libraries.begin().out;
        let (with_place, argument) = match fault {
            Fault::Error(text) => {
                out.extend_from_slice(text.as_bytes());
                (true, None)
            }
            Fault::ErrorBytes(text) => {
                out.extend_from_slice(&text);
                (true, None)
            }
            Fault::Plain(text) => {
                out.extend_from_slice(text.as_bytes());
                (false, None)
            }
            Fault::Argument(argument, text) => {
                out.extend_from_slice(&text);
                out.push(0);
                (true, Some(argument))
            }
            Fault::Stopped => super::end_script(l),
        };
        if let Some(argument) = argument {
            return ffi::luaL_argerror(l, argument, out.as_ptr().cast());
        }
        if with_place {
            ffi::luaL_where(l, 1);
            push_bytes(l, out);
            ffi::lua_concat(l, 2);
        } else {
            push_bytes(l, out);
        }
        ffi::lua_error(l)
    }
}

/// A string argument, which stays in the frame.
///
/// # Safety
/// As [`Frame::kept_text`].
pub(super) unsafe fn text_argument<'a>(frame: &Frame, argument: c_int) -> Result<&'a [u8], Fault> {
    match frame.kind(argument) {
        // SAFETY: the caller's.
        Kind::String | Kind::Number => Ok(unsafe { frame.kept_text(argument) }.unwrap_or(&[])),
        kind => Err(Fault::wrong_type(argument, "string", kind)),
    }
}

/// What stands between Lua and a library's function.
macro_rules! function {
    ($name:ident, |$frame:ident, $libraries:ident, $shared:ident| $body:expr) => {
        unsafe extern "C-unwind" fn $name(l: *mut ffi::lua_State) -> c_int {
            // SAFETY: Lua calls it with a frame of its own; the libraries' room is used by one call at a time.
            unsafe {
                let $shared = shared(l);
                #[allow(unused_mut)]
                let mut $frame = Frame::new(l);
                let $libraries = (*$shared).libraries.begin();
                #[allow(unused_mut)]
                let mut run = || -> Result<c_int, Fault> { $body };
                finish(l, run())
            }
        }
    };
}

macro_rules! bit_function {
    ($($name:ident)*) => {
        $(unsafe extern "C-unwind" fn $name(l: *mut ffi::lua_State) -> c_int {
            // SAFETY: Lua calls it with a frame of its own.
            unsafe { finish(l, bit::$name(&mut Frame::new(l))) }
        })*
        const BIT: &[(&CStr, ffi::lua_CFunction)] = &[$((
            match CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) {
                Ok(name) => name,
                Err(_) => panic!("a name without a zero"),
            },
            $name,
        )),*];
    };
}

bit_function!(tobit tohex bnot bswap band bor bxor lshift rshift arshift rol ror);

function!(struct_pack, |frame, libraries, _shared| {
    let format = text_argument(&frame, 1)?;
    struct_lib::pack(&mut frame, format, &mut libraries.out)?;
    frame.push_bytes(&libraries.out);
    Ok(1)
});

function!(struct_unpack, |frame, _libraries, _shared| {
    let format = text_argument(&frame, 1)?;
    let data = text_argument(&frame, 2)?;
    struct_lib::unpack(&mut frame, format, data)
});

function!(struct_size, |frame, _libraries, _shared| {
    let size = struct_lib::size(text_argument(&frame, 1)?)?;
    frame.push_number(size);
    Ok(1)
});

function!(msgpack_pack, |frame, libraries, shared| {
    cmsgpack::pack(&mut frame, &mut libraries.out, &mut || look(shared))?;
    frame.push_bytes(&libraries.out);
    Ok(1)
});

function!(msgpack_unpack, |frame, _libraries, shared| {
    let text = text_argument(&frame, 1)?;
    cmsgpack::unpack(&mut frame, text, &mut || look(shared))
});

function!(msgpack_unpack_one, |frame, _libraries, shared| {
    let text = text_argument(&frame, 1)?;
    cmsgpack::unpack_one(&mut frame, text, &mut || look(shared))
});

function!(msgpack_unpack_limit, |frame, _libraries, shared| {
    let text = text_argument(&frame, 1)?;
    cmsgpack::unpack_limit(&mut frame, text, &mut || look(shared))
});

/// The settings of the table that a function of cjson's belongs to.
///
/// # Safety
/// The running function is one of cjson's: its first upvalue is the block that `push_json` has made.
unsafe fn settings<'a>(l: *mut ffi::lua_State) -> &'a mut cjson::Settings {
    // SAFETY: the block is aligned as Lua aligns, which is enough for what has no larger fields than integers, and lives as the function does.
    unsafe { &mut *ffi::lua_touserdata(l, ffi::lua_upvalueindex(1)).cast::<cjson::Settings>() }
}

unsafe extern "C-unwind" fn json_encode(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: as for the functions above.
    unsafe {
        let shared = shared(l);
        let mut frame = Frame::new(l);
        if frame.top() != 1 {
            return finish(l, Err(Fault::Argument(1, "expected 1 argument".into())));
        }
        let out = &mut (*shared).libraries.begin().out;
        let result = cjson::encode(&mut frame, settings(l), out, &mut || look(shared));
        if result.is_ok() {
            frame.push_bytes(out);
        }
        finish(l, result.map(|()| 1))
    }
}

unsafe extern "C-unwind" fn json_decode(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: as for the functions above.
    unsafe {
        let shared = shared(l);
        let mut frame = Frame::new(l);
        if frame.top() != 1 {
            return finish(l, Err(Fault::Argument(1, "expected 1 argument".into())));
        }
        let scratch = &mut (*shared).libraries.begin().scratch;
        let result = match text_argument(&frame, 1) {
            Ok(text) => cjson::decode(&mut frame, settings(l), text, scratch, &mut || look(shared)),
            Err(fault) => Err(fault),
        };
        finish(l, result.map(|()| 1))
    }
}

/// Reads or sets: which setting it is stands in the second upvalue.
unsafe extern "C-unwind" fn json_setting(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: as for the functions above.
    unsafe {
        let place = ffi::lua_tonumber(l, ffi::lua_upvalueindex(2)) as usize;
        let result = match cjson::Setting::ALL.get(place) {
            Some((_, setting)) => setting.call(settings(l), &mut Frame::new(l)),
            None => Ok(0),
        };
        finish(l, result)
    }
}

unsafe extern "C-unwind" fn json_new(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: it pushes one value and uses four slots.
    unsafe { push_json(l) };
    1
}

/// Pushes a table of cjson's functions with settings of its own.
unsafe fn push_json(l: *mut ffi::lua_State) {
    // SAFETY: the block is as large as what is written to it, which needs no drop.
    unsafe {
        ffi::lua_createtable(l, 0, 16);
        let block = ffi::lua_newuserdata(l, size_of::<cjson::Settings>()).cast::<cjson::Settings>();
        block.write(cjson::Settings::default());
        for (name, function) in [(c"encode", json_encode as ffi::lua_CFunction), (c"decode", json_decode), (c"new", json_new)] {
            ffi::lua_pushvalue(l, -1);
            ffi::lua_pushcclosure(l, function, 1);
            ffi::lua_setfield(l, -3, name.as_ptr());
        }
        for (place, (name, _)) in cjson::Setting::ALL.iter().enumerate() {
            push_bytes(l, name.as_bytes());
            ffi::lua_pushvalue(l, -2);
            ffi::lua_pushnumber(l, place as f64);
            ffi::lua_pushcclosure(l, json_setting, 2);
            ffi::lua_rawset(l, -4);
        }
        ffi::lua_settop(l, -2);
        ffi::lua_pushlightuserdata(l, std::ptr::null_mut());
        ffi::lua_setfield(l, -2, c"null".as_ptr());
        set_constants(l, &[(c"_NAME", "cjson"), (c"_VERSION", cjson::VERSION)]);
    }
}

/// Sets texts of the table on top.
unsafe fn set_constants(l: *mut ffi::lua_State, constants: &[(&CStr, &str)]) {
    for (name, text) in constants {
        // SAFETY: two slots.
        unsafe {
            push_bytes(l, text.as_bytes());
            ffi::lua_setfield(l, -2, name.as_ptr());
        }
    }
}

/// Pushes a table of functions.
unsafe fn push_functions(l: *mut ffi::lua_State, functions: &[(&CStr, ffi::lua_CFunction)]) {
    // SAFETY: two slots.
    unsafe {
        ffi::lua_createtable(l, 0, functions.len() as c_int);
        set_functions(l, functions);
    }
}

/// Makes the libraries' globals.
///
/// # Safety
/// The state is one in which errors of memory are not raised, and nothing is protected yet.
pub(super) unsafe fn register(l: *mut ffi::lua_State) {
    // SAFETY: every step leaves the stack as it was.
    unsafe {
        push_json(l);
        ffi::lua_setglobal(l, c"cjson".as_ptr());
        push_functions(l, BIT);
        ffi::lua_setglobal(l, c"bit".as_ptr());
        push_functions(l, &[(c"pack", struct_pack), (c"unpack", struct_unpack), (c"size", struct_size)]);
        ffi::lua_setglobal(l, c"struct".as_ptr());
        push_functions(
            l,
            &[
                (c"pack", msgpack_pack),
                (c"unpack", msgpack_unpack),
                (c"unpack_one", msgpack_unpack_one),
                (c"unpack_limit", msgpack_unpack_limit),
            ],
        );
        set_constants(
            l,
            &[
                (c"_NAME", "cmsgpack"),
                (c"_VERSION", cmsgpack::VERSION),
                (c"_COPYRIGHT", cmsgpack::COPYRIGHT),
                (c"_DESCRIPTION", cmsgpack::DESCRIPTION),
            ],
        );
        ffi::lua_setglobal(l, c"cmsgpack".as_ptr());
    }
}
