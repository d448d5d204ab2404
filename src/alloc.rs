//! The allocator, and how much it has handed out. One of the rooms where `unsafe` is allowed (see lib.rs).
//!
//! jemalloc with size classes 8 bytes apart (see `.cargo/config.toml`): of the allocators measured it takes the fewest bytes for
//! an entry (mimalloc and others round 40 bytes up to 48). What is handed out is counted a thread, without atomics: only one thread touches data.
#![allow(unsafe_code)]

pub mod slabs;

use crate::data::size_class::{PAGE, size_class};
use std::{
    alloc::{GlobalAlloc, Layout},
    cell::Cell,
    ffi::{CStr, CString, c_char, c_int, c_void},
    ptr,
    sync::atomic::{AtomicIsize, Ordering},
};
use tikv_jemalloc_sys::{MALLOCX_ALIGN, mallctl, nallocx};

// AddressSanitizer sees only what the system's allocator hands out.
#[cfg(not(system_allocator))]
use jemalloc::Jemalloc as Base;
#[cfg(system_allocator)]
use std::alloc::System as Base;

/// jemalloc without a counter.
#[cfg(not(system_allocator))]
mod jemalloc {
    use super::flags;
    use std::alloc::{GlobalAlloc, Layout};
    use tikv_jemalloc_sys::{MALLOCX_ZERO, calloc, malloc, mallocx, rallocx, realloc, sdallocx};

    pub struct Jemalloc;

    // SAFETY: these functions keep GlobalAlloc's contract: what they give is as large as `layout` says and, by `flags`, aligned as it
    // says, and stays until it is returned. No size is 0, which the contract forbids callers to ask for.
    unsafe impl GlobalAlloc for Jemalloc {
        #[inline(always)]
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            // SAFETY: as above. Without flags the plain function costs a little less.
            unsafe {
                match flags(layout.align()) {
                    0 => malloc(layout.size()).cast(),
                    flags => mallocx(layout.size(), flags).cast(),
                }
            }
        }

        #[inline(always)]
        unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
            // SAFETY: as above.
            unsafe {
                match flags(layout.align()) {
                    0 => calloc(1, layout.size()).cast(),
                    flags => mallocx(layout.size(), flags | MALLOCX_ZERO).cast(),
                }
            }
        }

        #[inline(always)]
        unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
            // SAFETY: the caller gives the layout with which it has asked for the memory, so size and flags are those of the request.
            unsafe { sdallocx(ptr.cast(), layout.size(), flags(layout.align())) }
        }

        #[inline(always)]
        unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
            // SAFETY: as above; the alignment stays what it was.
            unsafe {
                match flags(layout.align()) {
                    0 => realloc(ptr.cast(), new_size).cast(),
                    flags => rallocx(ptr.cast(), new_size, flags).cast(),
                }
            }
        }
    }
}

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
    // A thread that is ending has no counter any more, and nobody to tell. No sum of sizes that fit in memory wraps.
    let _ = USED.try_with(|used| used.set(used.get().wrapping_add(bytes)));
}

/// Every size class is a multiple of so many bytes, and what is of a class no larger than a page lies at a multiple of it: jemalloc's quantum.
const QUANTUM: usize = 8;
/// Bytes of the smallest class that has pages of its own.
const LARGE: usize = 4 * PAGE;

/// What jemalloc is told of an alignment: nothing where each of its classes has it.
#[inline(always)]
#[cfg_attr(system_allocator, allow(dead_code))]
fn flags(align: usize) -> c_int {
    if align <= QUANTUM { 0 } else { MALLOCX_ALIGN(align) }
}

/// The bytes that jemalloc takes for a request of so many, which are not 0, with this alignment.
#[inline(always)]
const fn class(size: usize, align: usize) -> usize {
    if align <= QUANTUM {
        return size_class(size);
    }
    let small = size_class(size.wrapping_add(align - 1) & !(align - 1));
    if align <= PAGE && small < LARGE {
        small
    } else if size <= LARGE {
        LARGE
    } else {
        size_class(size)
    }
}

/// Whether the allocator's size classes are those that this program counts and sizes its entries by: it must not run with others.
pub fn check() -> Result<(), String> {
    let sizes =
        (1..=1024).chain((11..=24).flat_map(|bits| (4..=7).flat_map(move |part| (part << (bits - 3)) - 1..=(part << (bits - 3)) + 1)));
    for size in sizes {
        for align in [1, QUANTUM, 2 * QUANTUM, 64, PAGE, 2 * PAGE] {
            let (expected, found) = (class(size, align), given(size, align));
            if found != expected {
                return Err(format!(
                    "The memory allocator takes {found} bytes for {size} with alignment {align}, where solod counts {expected}: it was not built \
                     as solod needs it. Build solod in its own directory, so that .cargo/config.toml is read, or with \
                     JEMALLOC_SYS_WITH_LG_QUANTUM=3 in the environment after `cargo clean -p tikv-jemalloc-sys`."
                ));
            }
        }
    }
    Ok(())
}

/// What jemalloc says that it takes.
fn given(size: usize, align: usize) -> usize {
    // SAFETY: no size is 0, and the function touches no memory.
    unsafe { nallocx(size, if align <= QUANTUM { 0 } else { MALLOCX_ALIGN(align) }) }
}

/// From this size on, in bytes, a request may be refused and the program go on: it is counted when it has succeeded.
const REFUSABLE: usize = 1 << 20;

#[cold]
#[inline(never)]
fn count_if(given: *mut u8, bytes: isize) -> *mut u8 {
    if !given.is_null() {
        count(bytes);
    }
    given
}

// SAFETY: every call is passed on unchanged to the allocator below, which keeps GlobalAlloc's contract; counting touches no memory of the
// caller's.
unsafe impl GlobalAlloc for Counting {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let bytes = class(layout.size(), layout.align()) as isize;
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe {
            if layout.size() >= REFUSABLE {
                return count_if(Base.alloc(layout), bytes);
            }
            count(bytes);
            Base.alloc(layout)
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let bytes = class(layout.size(), layout.align()) as isize;
        // SAFETY: the caller keeps `alloc_zeroed`'s contract.
        unsafe {
            if layout.size() >= REFUSABLE {
                return count_if(Base.alloc_zeroed(layout), bytes);
            }
            count(bytes);
            Base.alloc_zeroed(layout)
        }
    }

    #[inline]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count((class(layout.size(), layout.align()) as isize).wrapping_neg());
        // SAFETY: the caller keeps `dealloc`'s contract.
        unsafe { Base.dealloc(ptr, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let bytes = class(new_size, layout.align()).wrapping_sub(class(layout.size(), layout.align())) as isize;
        // SAFETY: the caller keeps `realloc`'s contract.
        unsafe {
            if new_size >= REFUSABLE {
                return count_if(Base.realloc(ptr, layout, new_size), bytes);
            }
            count(bytes);
            Base.realloc(ptr, layout, new_size)
        }
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
    const TEXT: &CStr = c"background_thread:true,dirty_decay_ms:50,muzzy_decay_ms:0,narenas:1,tcache_max:8192,\
        slab_sizes:16-16:2|32-32:4|64-64:4|128-128:4|256-256:4|8192-8192:16";
    // SAFETY: the pointer is to a constant that ends in NUL, as jemalloc reads it.
    Some(unsafe { &*TEXT.as_ptr() })
};

/// Has jemalloc return memory from a thread of its own, or not. A process that has forked has no such thread until it says so anew.
pub fn set_background_thread(is_on: bool) {
    let mut is_on = is_on;
    // SAFETY: the name ends in NUL, and the value is ours and of the size that this control reads.
    let failed = unsafe {
        mallctl(c"background_thread".as_ptr(), ptr::null_mut(), ptr::null_mut(), (&raw mut is_on).cast::<c_void>(), size_of::<bool>())
    };
    if failed != 0 {
        log::warn!("jemalloc's background thread cannot be turned {}: error {failed}", if is_on { "on" } else { "off" });
    }
}

/// Returns unused memory to the operating system.
pub fn purge() {
    flush_thread();
    // SAFETY: the name ends in NUL; this control takes and gives no value.
    unsafe { mallctl(c"arena.4096.purge".as_ptr(), ptr::null_mut(), ptr::null_mut(), ptr::null_mut(), 0) };
}

/// One of the statistics that jemalloc keeps in any case, as of the last time it was told to look (`epoch`).
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
pub struct Holdings {
    /// Bytes in live allocations.
    pub allocated: usize,
    /// Bytes in pages that hold live allocations.
    pub active: usize,
    /// Bytes in those pages, and in pages that are to go back to the system.
    pub resident: usize,
}

impl Holdings {
    /// Bytes in pages that hold something, which hold nothing themselves.
    pub fn gaps(&self) -> usize {
        self.active.saturating_sub(self.allocated)
    }

    /// The same, as a percentage of what live allocations take.
    pub fn gaps_percent(&self) -> f64 {
        self.gaps() as f64 * 100.0 / self.allocated.max(1) as f64
    }
}

/// What the allocator holds now. There is one arena.
pub fn held() -> Holdings {
    let mut epoch = 1u64;
    // SAFETY: the name ends in NUL, and the value is ours and of the size that this control reads.
    unsafe { mallctl(c"epoch".as_ptr(), ptr::null_mut(), ptr::null_mut(), (&raw mut epoch).cast::<c_void>(), size_of::<u64>()) };
    let pages = |name| statistic(name) * PAGE;
    let active = pages(c"stats.arenas.0.pactive");
    Holdings { allocated: used(), active, resident: active + pages(c"stats.arenas.0.pdirty") + pages(c"stats.arenas.0.pmuzzy") }
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

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: std::ops::RangeInclusive<usize> = 1..=65536;
    const ALIGNMENTS: [usize; 13] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096];

    /// Every hundredth size and those around powers of two, where each call touches as many bytes as it asks for.
    fn sizes() -> impl Iterator<Item = usize> {
        SIZES.filter(|size| size % 101 == 0 || *size <= 256 || (size - 1).is_power_of_two() || (size + 1).is_power_of_two())
    }

    #[test]
    fn a_size_takes_the_class_that_jemalloc_says() {
        check().unwrap();
        for align in ALIGNMENTS.into_iter().chain([8192, 1 << 20]) {
            for size in SIZES.chain([100_000, 1 << 20, (1 << 20) + 1, 3 << 30]) {
                assert_eq!(class(size, align), given(size, align), "{size} bytes with alignment {align}");
            }
        }
    }

    #[test]
    fn what_is_given_is_aligned_and_counted_until_it_comes_back() {
        let own = || USED.with(Cell::get);
        for align in ALIGNMENTS {
            // Several at a time: neighbours in a run of one class differ in what they are multiples of.
            for size in SIZES {
                let layout = Layout::from_size_align(size, align).unwrap();
                let before = own();
                // SAFETY: no size is 0, and what was given is returned with its layout.
                let given: [*mut u8; 3] = std::array::from_fn(|_| unsafe { Counting.alloc(layout) });
                assert!(given.iter().all(|ptr| !ptr.is_null() && ptr.addr() % align == 0), "{size} bytes with alignment {align}");
                assert_eq!(own() - before, 3 * class(size, align) as isize);
                // SAFETY: as above.
                given.into_iter().for_each(|ptr| unsafe { Counting.dealloc(ptr, layout) });
                assert_eq!(own(), before);
            }
        }
    }

    #[test]
    fn what_is_zeroed_or_resized_keeps_its_alignment_and_its_bytes() {
        let before = USED.with(Cell::get);
        for align in ALIGNMENTS {
            for size in sizes() {
                for new_size in [size / 2 + 1, size + 1, size * 3] {
                    let (layout, resized) =
                        (Layout::from_size_align(size, align).unwrap(), Layout::from_size_align(new_size, align).unwrap());
                    // SAFETY: no size is 0; the bytes that are looked at are within what was given; it is returned with its last layout.
                    unsafe {
                        let ptr = Counting.alloc_zeroed(layout);
                        assert_eq!(ptr.addr() % align, 0);
                        assert!((0..size).all(|at| ptr.add(at).read() == 0), "{size} bytes with alignment {align} are not zeroed");
                        ptr.add(size.min(new_size) - 1).write(7);
                        let ptr = Counting.realloc(ptr, layout, new_size);
                        assert_eq!(ptr.addr() % align, 0, "{size} bytes with alignment {align} resized to {new_size}");
                        assert_eq!(ptr.add(size.min(new_size) - 1).read(), 7);
                        ptr.write_bytes(255, new_size);
                        Counting.dealloc(ptr, resized);
                    }
                }
            }
        }
        assert_eq!(USED.with(Cell::get), before);
    }

    #[test]
    fn what_is_refused_is_not_counted() {
        let before = USED.with(Cell::get);
        let (small, most) = (Layout::from_size_align(64, 8).unwrap(), Layout::from_size_align(isize::MAX as usize - 7, 8).unwrap());
        // SAFETY: no size is 0, and what was given is returned with its layout, which a refusal leaves as it was.
        unsafe {
            assert!(Counting.alloc(most).is_null() && Counting.alloc_zeroed(most).is_null());
            let ptr = Counting.alloc(small);
            assert!(Counting.realloc(ptr, small, most.size()).is_null());
            Counting.dealloc(ptr, small);
        }
        assert_eq!(USED.with(Cell::get), before);
    }
}
