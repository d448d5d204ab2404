//! The allocator, and how much it has handed out. One of the rooms where `unsafe` is allowed (see lib.rs).
//!
//! mimalloc: of the allocators measured it has the finest size classes for entries (8 bytes apart up to 64) and the
//! cheapest call. What is handed out is counted a thread, without atomics: only one thread touches data.
#![allow(unsafe_code)]

use crate::data::entry::size_class;
use mimalloc::MiMalloc;
use std::{
    alloc::{GlobalAlloc, Layout},
    cell::Cell,
};

/// mimalloc, counting what this thread has taken and not returned.
pub struct Counting;

thread_local! {
    static USED: Cell<isize> = const { Cell::new(0) };
}

/// Bytes this thread has taken and not returned, rounded up to size classes.
pub fn used() -> usize {
    USED.try_with(Cell::get).unwrap_or(0).max(0) as usize
}

#[inline(always)]
fn count(bytes: isize) {
    // A thread that is ending has no counter any more, and nobody to tell.
    let _ = USED.try_with(|used| used.set(used.get() + bytes));
}

#[inline(always)]
fn class(size: usize) -> isize {
    size_class(size.max(1)) as isize
}

// SAFETY: every call is passed on unchanged to mimalloc, which keeps GlobalAlloc's contract; counting touches no memory of the caller's.
unsafe impl GlobalAlloc for Counting {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(class(layout.size()));
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { MiMalloc.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(class(layout.size()));
        // SAFETY: the caller keeps `alloc_zeroed`'s contract.
        unsafe { MiMalloc.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count(-class(layout.size()));
        // SAFETY: the caller keeps `dealloc`'s contract.
        unsafe { MiMalloc.dealloc(ptr, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(class(new_size) - class(layout.size()));
        // SAFETY: the caller keeps `realloc`'s contract.
        unsafe { MiMalloc.realloc(ptr, layout, new_size) }
    }
}

/// Returns unused memory to the operating system.
pub fn purge() {
    // SAFETY: no precondition; it only returns pages that hold no live block.
    unsafe { libmimalloc_sys::mi_collect(true) }
}

/// The allocator's name and version, as INFO shows it.
pub fn name() -> String {
    // SAFETY: no precondition; it returns a constant.
    let version = unsafe { libmimalloc_sys::mi_version() };
    format!("mimalloc-{}.{}.{}", version / 10_000, version / 100 % 100, version % 100)
}
