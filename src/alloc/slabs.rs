//! How full the slabs are that small allocations lie in, and how an allocation leaves one that is worth emptying.
//!
//! jemalloc cuts a *slab*, a few pages in a row, into allocations of one size class. Its pages go back to the system when the last of them is
//! freed. A new allocation is placed in the oldest slab of its class that has room. So what is moved out of nearly empty slabs gathers in
//! the oldest ones, which fill up and are not looked at again.
//!
//! A thread keeps what it frees for its next allocations of that class. What moves goes past that cache both ways: else it would
//! be given the place that has just been left.

use super::class;
#[cfg(not(system_allocator))]
use super::flags;
use std::{
    alloc::Layout,
    ffi::{CStr, c_void},
    ops::Range,
    ptr::{self, NonNull},
};
#[cfg(not(system_allocator))]
use tikv_jemalloc_sys::{MALLOCX_TCACHE_NONE, mallocx, sdallocx};
use tikv_jemalloc_sys::{mallctlbymib, mallctlnametomib};

/// Allocations of this size and more have pages of their own.
const SMALL_END: usize = 16 * 1024;
/// Every small class is a multiple of so many bytes.
const STEP: usize = 8;
/// A control's name as the numbers that it is found by.
type Mib = [usize; 8];

/// What is known of a size class.
#[derive(Clone, Copy, Debug)]
struct Bin {
    bytes: usize,
    /// Places in a slab.
    places: usize,
    /// A slab with so many free places, or more, is worth emptying.
    free_min: usize,
    /// Allocations that were looked at.
    seen: f32,
    /// Slabs with room that they lie in, each counted once when all of its allocations have been looked at; and the free places in those.
    open: f32,
    free: f32,
    /// Allocations to be passed over before one is looked at again, in a class with few gaps.
    skip: u8,
}

/// Which slabs are worth emptying. What is known of each class comes from the allocations that were looked at.
pub struct Slabs {
    bins: Vec<Bin>,
    /// The index of a class by its bytes, in steps.
    by_size: Vec<u8>,
    query: (Mib, usize),
    /// Classes with gaps of a smaller part of what they hold, in percent, are left alone.
    percent_min: f32,
    /// Addresses of slabs that are worth emptying whatever is known of their classes.
    emptied: Range<usize>,
    /// Every allocation is worth moving.
    all: bool,
    /// Whether allocations come from where its own do ([`is_global`]).
    #[cfg_attr(system_allocator, expect(dead_code, reason = "they all come from the system's"))]
    is_global: bool,
}

/// The numbers that stand for a control's name, and how many they are.
fn mib(name: &CStr) -> Option<(Mib, usize)> {
    let (mut mib, mut len) = ([0; 8], 8);
    // SAFETY: the name ends in NUL, and no more than `len` numbers are written, for which there is room.
    let failed = unsafe { mallctlnametomib(name.as_ptr(), mib.as_mut_ptr(), &mut len) };
    (failed == 0).then_some((mib, len))
}

/// Reads a control of type `T`; `None` when there is none, or it is of another size.
fn read<T: Copy + Default>((mib, len): &(Mib, usize)) -> Option<T> {
    let (mut value, mut bytes) = (T::default(), size_of::<T>());
    // SAFETY: the numbers are those of a name, and value and length are ours; a control of another size is refused.
    let failed = unsafe { mallctlbymib(mib.as_ptr(), *len, (&raw mut value).cast::<c_void>(), &mut bytes, ptr::null_mut(), 0) };
    (failed == 0 && bytes == size_of::<T>()).then_some(value)
}

/// The same control of another class: its number stands at this place among the numbers.
fn of_bin(&(mut mib, len): &(Mib, usize), at: usize, bin: usize) -> (Mib, usize) {
    mib[at] = bin;
    (mib, len)
}

impl Bin {
    /// Allocations looked at after which there is something to be said of a class.
    const SEEN_MIN: f32 = 64.0;
    /// And after which it is said anew.
    const SEEN_MAX: f32 = 1024.0;

    fn new(bytes: usize, places: usize) -> Self {
        // Until more is known slabs that are three quarters full are full enough.
        Self { bytes, places, free_min: places.div_ceil(4).max(1), seen: 0.0, open: 0.0, free: 0.0, skip: 0 }
    }

    /// Notes that an allocation was looked at, in whose slab so many places are free.
    #[inline]
    fn note(&mut self, free: usize, percent_min: f32) {
        self.seen += 1.0;
        if free > 0 {
            // Each allocation stands for its part of the slab.
            let part = 1.0 / self.places.saturating_sub(free).max(1) as f32;
            self.open += part;
            self.free += part * free as f32;
        }
        if self.seen >= Self::SEEN_MAX {
            self.review(percent_min);
        }
    }

    /// Draws the line: if the class has gaps enough, slabs are worth emptying that are less than nine tenths full, or no fuller than the average of those
    /// that have room and an eighth more. So once through all allocations leaves few gaps: what moves fills one slab after the other, and those are not
    /// touched again. What was seen counts half from here on.
    fn review(&mut self, percent_min: f32) {
        if self.seen < Self::SEEN_MIN {
            return;
        }
        let pays = self.free * 100.0 >= self.seen * percent_min;
        let average_used = self.places as f32 - self.free / self.open.max(f32::MIN_POSITIVE);
        let used_max = ((average_used * 9.0 / 8.0) as usize).max(self.places * 9 / 10).clamp(1, (self.places - 1).max(1));
        self.free_min = if pays { self.places.saturating_sub(used_max).max(1) } else { usize::MAX };
        (self.seen, self.open, self.free) = (self.seen / 2.0, self.open / 2.0, self.free / 2.0);
    }
}

impl Slabs {
    /// Knows the classes. `None` where the allocator tells nothing of its slabs.
    pub fn new() -> Option<Self> {
        if !is_global() {
            return None;
        }
        let (size, regs) = (mib(c"arenas.bin.0.size")?, mib(c"arenas.bin.0.nregs")?);
        let count = read::<u32>(&mib(c"arenas.nbins")?)? as usize;
        let mut slabs = Self {
            bins: Vec::with_capacity(count),
            by_size: vec![0; SMALL_END / STEP],
            query: mib(c"experimental.utilization.batch_query")?,
            percent_min: 0.0,
            emptied: 0..0,
            all: false,
            is_global: true,
        };
        for index in 0..count {
            let bytes = read::<usize>(&of_bin(&size, 2, index))?;
            let places = read::<u32>(&of_bin(&regs, 2, index))? as usize;
            *slabs.by_size.get_mut(bytes / STEP)? = u8::try_from(index).ok()?;
            slabs.bins.push(Bin::new(bytes, places));
        }
        Some(slabs)
    }

    /// Takes every allocation for one that is worth moving: for tests.
    pub fn all() -> Self {
        Self {
            bins: Vec::new(),
            by_size: Vec::new(),
            query: ([0; 8], 0),
            percent_min: 0.0,
            emptied: 0..0,
            all: true,
            is_global: is_global(),
        }
    }

    /// Draws the line anew in every class: what has moved has changed the average. Classes with gaps of less than `percent_min` of what they
    /// hold are left alone.
    pub fn review(&mut self, percent_min: u32) {
        self.percent_min = percent_min as f32;
        self.bins.iter_mut().for_each(|bin| bin.review(percent_min as f32));
    }

    /// Slabs within these addresses are to be emptied, but for those that are nearly full.
    pub fn set_emptied(&mut self, region: Range<usize>) {
        self.emptied = region;
    }

    /// Whether an allocation lies in a slab that is worth emptying.
    #[inline]
    pub fn pays(&mut self, at: *const u8, layout: Layout) -> bool {
        /// In a class with few gaps one of so many allocations is looked at.
        const SAMPLE: u8 = 16;
        /// A slab is nearly full with no more than this part of it free.
        const NEARLY_FULL_PART: usize = 8;
        if self.all {
            return true;
        }
        let bytes = class(layout.size(), layout.align());
        let index = self.by_size.get(bytes / STEP).copied().map(usize::from);
        let Some(bin) = index.and_then(|index| self.bins.get_mut(index)).filter(|bin| bin.bytes == bytes) else { return false };
        let is_emptied = self.emptied.contains(&at.addr());
        if bin.free_min == usize::MAX && !is_emptied {
            bin.skip = bin.skip.wrapping_add(1);
            if !bin.skip.is_multiple_of(SAMPLE) {
                return false;
            }
        }
        let mut told = [0usize; 3];
        let (mut told_bytes, mut asked) = (size_of_val(&told), at);
        let (mib, len) = &self.query;
        // SAFETY: this control reads one pointer, which it looks up and does not follow, and writes three numbers about it.
        let failed = unsafe {
            mallctlbymib(
                mib.as_ptr(),
                *len,
                told.as_mut_ptr().cast(),
                &mut told_bytes,
                (&raw mut asked).cast::<c_void>(),
                size_of::<*const u8>(),
            )
        };
        let [free, places, _] = told;
        if failed != 0 || places != bin.places {
            return false;
        }
        if is_emptied {
            return free * NEARLY_FULL_PART > places;
        }
        bin.note(free, self.percent_min);
        free >= bin.free_min
    }
}

/// Whether the global allocator is this program's own: a test or another program may have chosen another one.
fn is_global() -> bool {
    let own = || super::USED.try_with(std::cell::Cell::get).unwrap_or(0);
    let before = own();
    let probe = std::hint::black_box(Box::new(0u64));
    let counted = own() != before;
    drop(probe);
    counted && cfg!(not(system_allocator))
}

/// Where allocations go that are to be in another place: past the thread's cache, where that is possible.
impl Slabs {
    /// An allocation in the oldest slab that has room. It is not counted: what it replaces has been.
    fn take(&self, layout: Layout) -> Option<NonNull<u8>> {
        debug_assert!(layout.size() > 0);
        #[cfg(not(system_allocator))]
        if self.is_global {
            // SAFETY: the size is not 0.
            return NonNull::new(unsafe { mallocx(layout.size(), flags(layout.align()) | MALLOCX_TCACHE_NONE) }.cast());
        }
        // SAFETY: the size is not 0.
        NonNull::new(unsafe { std::alloc::alloc(layout) })
    }

    /// Copies an allocation to a place of the allocator's choice, with the same bytes in it. `None` when there is no memory.
    ///
    /// The copy is to take the other's place, which is then to be freed by [`Slabs::free_replaced`]: the two count as one.
    ///
    /// # Safety
    /// The allocation has this layout, whose size is not 0.
    pub unsafe fn copy(&self, at: NonNull<u8>, layout: Layout) -> Option<NonNull<u8>> {
        let new = self.take(layout)?;
        // SAFETY: both allocations are that large, and they are two.
        unsafe { ptr::copy_nonoverlapping(at.as_ptr(), new.as_ptr(), layout.size()) };
        Some(new)
    }

    /// Frees an allocation whose copy has taken its place.
    ///
    /// # Safety
    /// It was made by the global allocator, or is such a copy, with this layout, and nobody uses it any more.
    pub unsafe fn free_replaced(&self, at: NonNull<u8>, layout: Layout) {
        #[cfg(not(system_allocator))]
        if self.is_global {
            // SAFETY: the global allocator takes everything from jemalloc, and the caller knows that size and alignment are those of the request.
            return unsafe { sdallocx(at.as_ptr().cast(), layout.size(), flags(layout.align()) | MALLOCX_TCACHE_NONE) };
        }
        // SAFETY: `take` has it from the same allocator, and the caller knows the layout.
        unsafe { std::alloc::dealloc(at.as_ptr(), layout) };
    }

    /// Runs `replace`, which makes one allocation of this layout through the global allocator and then drops another one. What is made comes from
    /// the oldest slab that has room, and what is dropped goes back to its slab, though both go by the thread's cache: the cache gives what
    /// it was last given.
    ///
    /// Nothing but the place depends on `replace` doing so.
    pub fn replacing(&self, layout: Layout, replace: impl FnOnce()) {
        #[cfg(not(system_allocator))]
        if self.is_global
            && let Some(first) = self.take(layout)
        {
            // SAFETY: it has just been made with this layout, and is not used.
            unsafe { sdallocx(first.as_ptr().cast(), layout.size(), flags(layout.align())) };
            replace();
            // SAFETY: the size is not 0, and what is given is freed at once, with the size of the request.
            unsafe {
                let last = mallocx(layout.size(), flags(layout.align()));
                if !last.is_null() {
                    sdallocx(last, layout.size(), flags(layout.align()) | MALLOCX_TCACHE_NONE);
                }
            }
            return;
        }
        let _ = layout;
        replace();
    }
}

#[cfg(all(test, not(system_allocator)))]
mod tests {
    use super::*;
    use std::alloc::{alloc, dealloc};

    /// A class that nothing else in the tests uses much.
    const LAYOUT: Layout = match Layout::from_size_align(5 * 1024, 8) {
        Ok(layout) => layout,
        Err(_) => panic!("a layout"),
    };

    /// Slabs that these lie in: each allocation stands for its part of one.
    fn slabs_of(left: &[(NonNull<u8>, u8)]) -> usize {
        let mut slabs = Slabs::new().unwrap();
        let bin = usize::from(slabs.by_size[LAYOUT.size() / STEP]);
        let places = slabs.bins[bin].places;
        let mut full = 0.0;
        for (at, _) in left {
            let open = slabs.bins[bin].open;
            slabs.pays(at.as_ptr(), LAYOUT);
            full += if slabs.bins[bin].open == open { 1.0 / places as f32 } else { 0.0 };
        }
        (slabs.bins[bin].open + full).round() as usize
    }

    #[test]
    fn what_is_left_in_many_slabs_fits_into_a_few() {
        let mut slabs = Slabs::new().unwrap();
        // SAFETY: the size is not 0.
        let all: Vec<NonNull<u8>> = (0..4000).map(|_| NonNull::new(unsafe { alloc(LAYOUT) }).unwrap()).collect();
        assert!(!all.iter().any(|at| slabs.pays(at.as_ptr(), LAYOUT)), "all are full");
        let mut left = Vec::new();
        for (i, at) in all.into_iter().enumerate() {
            // SAFETY: made with this layout, and not used any more, or written to as far as it goes.
            unsafe {
                if i % 5 == 0 {
                    at.as_ptr().write_bytes(i as u8, LAYOUT.size());
                    left.push((at, i as u8));
                } else {
                    dealloc(at.as_ptr(), LAYOUT);
                }
            }
        }
        super::super::flush_thread();
        let before = slabs_of(&left);
        for _ in 0..8 {
            for (at, _) in &mut left {
                if slabs.pays(at.as_ptr(), LAYOUT) {
                    // SAFETY: the copy takes the place of the other in the only place that knows it.
                    unsafe {
                        let new = slabs.copy(*at, LAYOUT).unwrap();
                        slabs.free_replaced(std::mem::replace(at, new), LAYOUT);
                    }
                }
            }
            slabs.review(5);
        }
        let after = slabs_of(&left);
        assert!(after * 2 < before, "{after} of {before}");
        for (at, byte) in left {
            // SAFETY: it has this layout, of which every byte is written, and is returned once.
            unsafe {
                assert!(std::slice::from_raw_parts(at.as_ptr(), LAYOUT.size()).iter().all(|b| *b == byte));
                dealloc(at.as_ptr(), LAYOUT);
            }
        }
    }

    #[test]
    fn the_line_is_drawn_at_nine_tenths_where_there_are_gaps_enough() {
        let mut bin = Bin::new(64, 64);
        assert_eq!(bin.free_min, 16);
        // As many full slabs as half full and quarter full ones, of which all allocations are looked at.
        for _ in 0..4 {
            (0..64).for_each(|_| bin.note(0, 5.0));
            (0..32).for_each(|_| bin.note(32, 5.0));
            (0..16).for_each(|_| bin.note(48, 5.0));
        }
        bin.review(5.0);
        assert_eq!(bin.free_min, 64 - 57, "24 places are used on average, which is less than nine tenths");
        bin.review(72.0);
        assert_eq!(bin.free_min, usize::MAX, "80 are free beside 112");
    }

    #[test]
    fn what_replaces_another_takes_the_first_place_that_is_free() {
        let layout = Layout::new::<[u64; 500]>();
        let mut held: Vec<Box<[u64; 500]>> = (0..400).map(|i| Box::new([i; 500])).collect();
        for _ in 0..300 {
            drop(held.swap_remove(0));
        }
        super::super::flush_thread();
        let slabs = Slabs::all();
        for _ in 0..3 {
            for own in &mut held {
                let content = **own;
                slabs.replacing(layout, || drop(std::mem::replace(own, Box::new(content))));
                assert_eq!(**own, content);
            }
        }
    }

    #[test]
    fn what_has_pages_of_its_own_stays() {
        let mut slabs = Slabs::new().unwrap();
        let large = vec![0u8; SMALL_END];
        assert!(!slabs.pays(large.as_ptr(), Layout::array::<u8>(SMALL_END).unwrap()));
        let huge = vec![0u8; 1 << 20];
        assert!(!slabs.pays(huge.as_ptr(), Layout::array::<u8>(1 << 20).unwrap()));
    }
}
