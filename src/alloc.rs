//! The allocator, and how much it has handed out. One of the rooms where `unsafe` is allowed (see lib.rs).
//!
//! jemalloc with size classes 8 bytes apart (see `.cargo/config.toml`): of the allocators measured it takes the fewest bytes for
//! an entry (mimalloc and others round 40 bytes up to 48). What is handed out is counted a thread, without atomics: only one thread touches data.
#![allow(unsafe_code)]

use crate::data::size_class::size_class;
use std::{
    alloc::{GlobalAlloc, Layout},
    cell::Cell,
    ffi::{CStr, CString, c_char, c_void},
    ptr,
    sync::atomic::{AtomicIsize, Ordering},
};
use tikv_jemalloc_sys::mallctl;

// AddressSanitizer sees only what the system's allocator hands out.
#[cfg(system_allocator)]
use std::alloc::System as Base;
#[cfg(not(system_allocator))]
use tikv_jemallocator::Jemalloc as Base;

/// jemalloc, counting what this thread has taken and not returned.
pub struct Counting;

thread_local! {
    static USED: Cell<isize> = const { Cell::new(0) };
}

/// What threads that help have taken and not returned, as far as they have settled it.
static HELPERS: AtomicIsize = AtomicIsize::new(0);

/// Bytes that this thread and those that help it have taken and not returned, rounded up to size classes.
pub fn used() -> usize {
    (USED.try_with(Cell::get).unwrap_or(0) + HELPERS.load(Ordering::Relaxed)).max(0) as usize
}

/// To be called by a thread that helps whenever it has handed something over: what is taken there and returned here would count only once.
pub fn settle() {
    let own = USED.try_with(|used| used.replace(0)).unwrap_or(0);
    HELPERS.fetch_add(own, Ordering::Relaxed);
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

// SAFETY: every call is passed on unchanged to jemalloc, which keeps GlobalAlloc's contract; counting touches no memory of the caller's.
unsafe impl GlobalAlloc for Counting {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(class(layout.size()));
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { Base.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(class(layout.size()));
        // SAFETY: the caller keeps `alloc_zeroed`'s contract.
        unsafe { Base.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count(-class(layout.size()));
        // SAFETY: the caller keeps `dealloc`'s contract.
        unsafe { Base.dealloc(ptr, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(class(new_size) - class(layout.size()));
        // SAFETY: the caller keeps `realloc`'s contract.
        unsafe { Base.realloc(ptr, layout, new_size) }
    }
}

/// How jemalloc is set. Freed pages go back to the operating system within a second, by its own thread, which sees no data; and what is freed
/// of more than 8 KiB is not kept by a thread for its next use.
///
/// It has 128 bytes of its own for each run of pages that it cuts into allocations of one class. Where by itself it takes runs of only a page
/// or two, because they come out even (powers of two), that is up to 3%; with these lengths, in pages of 4 KiB, it is less than 1%. What
/// tables are made of, 512 bytes to 4 KiB, is left alone: it comes and goes while they grow, and leaves holes in long runs.
#[unsafe(export_name = "_rjem_malloc_conf")]
pub static SETTINGS: Option<&'static c_char> = {
    const TEXT: &CStr = c"background_thread:true,dirty_decay_ms:200,muzzy_decay_ms:0,narenas:1,tcache_max:8192,\
        slab_sizes:16-16:2|32-32:4|64-64:4|128-128:4|256-256:4|8192-8192:16";
    // SAFETY: the pointer is to a constant that ends in NUL, as jemalloc reads it.
    Some(unsafe { &*TEXT.as_ptr() })
};

/// Returns unused memory to the operating system.
pub fn purge() {
    flush_thread();
    // SAFETY: the name ends in NUL; this control takes and gives no value.
    unsafe { mallctl(c"arena.4096.purge".as_ptr(), ptr::null_mut(), ptr::null_mut(), ptr::null_mut(), 0) };
}

/// One of jemalloc's statistics, in bytes; call [`refresh`] first.
fn statistic(name: &CStr) -> usize {
    let (mut value, mut len) = (0usize, size_of::<usize>());
    // SAFETY: the name ends in NUL, and value and length are ours and of the size that these controls write.
    unsafe { mallctl(name.as_ptr(), (&raw mut value).cast::<c_void>(), &mut len, ptr::null_mut(), 0) };
    value
}

/// A control that is a number of the machine's size, such as `arenas.page`; `None` when there is none of that name.
pub fn control(name: &str) -> Option<i64> {
    let name = CString::new(name).ok()?;
    let (mut value, mut len) = (0usize, size_of::<usize>());
    // SAFETY: the name ends in NUL, and value and length are ours; a control of another size is refused, with nothing written beyond `len`.
    let failed = unsafe { mallctl(name.as_ptr(), (&raw mut value).cast::<c_void>(), &mut len, ptr::null_mut(), 0) };
    (failed == 0 && len == size_of::<usize>()).then_some(value as i64)
}

/// Returns what this thread keeps of small allocations for its next ones (`thread.tcache.flush`).
pub fn flush_thread() {
    // SAFETY: the name ends in NUL; this control takes and gives no value.
    unsafe { mallctl(c"thread.tcache.flush".as_ptr(), ptr::null_mut(), ptr::null_mut(), ptr::null_mut(), 0) };
}

/// What the allocator holds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Held {
    /// Bytes in live allocations.
    pub allocated: usize,
    /// Bytes in pages that hold live allocations.
    pub active: usize,
    /// Bytes in pages that are mapped and may be resident.
    pub resident: usize,
}

/// What the allocator holds now. Costs some microseconds.
pub fn held() -> Held {
    let mut epoch = 1u64;
    // SAFETY: the name ends in NUL, and the value is ours and of the size that this control reads.
    unsafe { mallctl(c"epoch".as_ptr(), ptr::null_mut(), ptr::null_mut(), (&raw mut epoch).cast::<c_void>(), size_of::<u64>()) };
    Held { allocated: statistic(c"stats.allocated"), active: statistic(c"stats.active"), resident: statistic(c"stats.resident") }
}

/// The allocator's name and version, as INFO shows it.
pub fn name() -> String {
    let (mut version, mut len) = (ptr::null::<c_char>(), size_of::<*const c_char>());
    // SAFETY: the name ends in NUL, and value and length are ours and of the size that this control writes.
    unsafe { mallctl(c"version".as_ptr(), (&raw mut version).cast::<c_void>(), &mut len, ptr::null_mut(), 0) };
    if version.is_null() {
        return "libc".to_owned();
    }
    // SAFETY: jemalloc gives a constant that ends in NUL.
    let version = unsafe { CStr::from_ptr(version) }.to_string_lossy().into_owned();
    format!("jemalloc-{}", version.split('-').next().unwrap_or_default())
}
