//! How Lua compares strings. Its interpreter asks C's `strcoll` about each part up to a zero: a string of zeros has as many parts as bytes, and all of them are one
//! instruction. So there is a `strcoll` of our own in front of the C library's, which looks now and then at whether the script is to end. It compares bytes, as
//! the C library does where no locale is set.

use super::{end_script, libraries::look, shared::Shared};
use std::{
    cell::Cell,
    ffi::{c_char, c_int},
    ptr,
};

/// Parts that are compared between two looks.
const COMPARED_BETWEEN_LOOKS: u32 = 4096;

thread_local! {
    /// The machine whose script runs, and parts that it has compared since it was resumed or has looked last. There may be several machines.
    static RUNNING: Cell<(*mut Shared, u32)> = const { Cell::new((ptr::null_mut(), 0)) };
}

/// Says whose script it is that compares from here on; null: nobody's.
pub(super) fn set_running(shared: *mut Shared) {
    RUNNING.set((shared, 0));
}

#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn strcoll(left: *const c_char, right: *const c_char) -> c_int {
    let (shared, compared) = RUNNING.get();
    // SAFETY: the machine lives as long as its script does. The error leaves frames that own nothing.
    unsafe {
        if !shared.is_null() {
            RUNNING.set((shared, (compared + 1) % COMPARED_BETWEEN_LOOKS));
            if compared + 1 == COMPARED_BETWEEN_LOOKS && !(*shared).is_host && look(shared).is_err() {
                end_script((*shared).thread_now);
            }
        }
        libc::strcmp(left, right)
    }
}
