//! Small blocks that Lua has given back and is likely to ask for again. A script makes a few strings, and the collector gives many of them back at once: the
//! allocator's own lists of free blocks are too short for that, and it has to look up the size that Lua has known all along.

use std::{
    ffi::c_void,
    ptr::{self, null_mut},
};

#[cfg(system_allocator)]
use libc::{free, malloc, realloc};
#[cfg(not(system_allocator))]
use tikv_jemalloc_sys::{free, malloc, realloc};

/// Sizes of blocks differ by this, as they do in the allocator.
const STEP: usize = 16;
/// Lists of free blocks: those of larger blocks are the allocator's.
const LISTS: usize = 8;
/// Bytes of the largest block that is kept here.
const SMALL_MAX: usize = STEP * LISTS;
/// Bytes that are kept here at most.
const KEPT_BYTES: usize = 256 << 10;

/// A block that nobody uses: it begins with the next one.
struct Free {
    next: *mut Free,
}

/// The lists. A block of `size` bytes has at least as many as its list says, whatever size it was asked for with.
pub(super) struct Pool {
    lists: [*mut Free; LISTS],
    kept: usize,
}

/// The list of blocks of this size, which is not 0.
#[inline]
fn list_of(size: usize) -> usize {
    (size - 1) / STEP
}

impl Pool {
    pub(super) const fn new() -> Self {
        Self { lists: [null_mut(); LISTS], kept: 0 }
    }

    /// A block of at least `size` bytes, which is not 0; null where there is no memory.
    #[inline]
    pub(super) fn take(&mut self, size: usize) -> *mut c_void {
        if size > SMALL_MAX {
            // SAFETY: the allocator's own; the size is not 0.
            return unsafe { malloc(size) };
        }
        let list = list_of(size);
        let first = self.lists[list];
        let whole = (list + 1) * STEP;
        if first.is_null() {
            // SAFETY: as above.
            return unsafe { malloc(whole) };
        }
        // SAFETY: blocks in the lists are ours, and begin with what `give` has written.
        self.lists[list] = unsafe { (*first).next };
        self.kept -= whole;
        first.cast()
    }

    /// Takes a block back.
    ///
    /// # Safety
    /// It came from here with at least `size` bytes, which is not 0, and nobody uses it any more.
    #[inline]
    pub(super) unsafe fn give(&mut self, block: *mut c_void, size: usize) {
        // SAFETY: the caller's. A block of a list has room for a pointer, and is aligned for one.
        unsafe {
            if size > SMALL_MAX || self.kept >= KEPT_BYTES {
                return free(block);
            }
            let (list, block) = (list_of(size), block.cast::<Free>());
            block.write(Free { next: self.lists[list] });
            self.lists[list] = block;
            self.kept += (list + 1) * STEP;
        }
    }

    /// A block with another size and what it has of the same bytes; null, and it stays as it is, where there is no memory.
    ///
    /// # Safety
    /// It came from here with at least `old` bytes. Neither size is 0.
    pub(super) unsafe fn resize(&mut self, block: *mut c_void, old: usize, new: usize) -> *mut c_void {
        // SAFETY: the caller's. Where both are large they are the allocator's.
        unsafe {
            if old > SMALL_MAX && new > SMALL_MAX {
                return realloc(block, new);
            }
            if old <= SMALL_MAX && new <= SMALL_MAX && list_of(old) == list_of(new) {
                return block;
            }
            let other = self.take(new);
            if !other.is_null() {
                ptr::copy_nonoverlapping(block.cast::<u8>(), other.cast(), old.min(new));
                self.give(block, old);
            }
            other
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for mut block in self.lists {
            while !block.is_null() {
                // SAFETY: blocks in the lists are ours, and come from the allocator.
                unsafe {
                    let next = (*block).next;
                    free(block.cast());
                    block = next;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Fills a block with bytes that say whose it is.
    fn fill(block: *mut c_void, size: usize, with: u8) {
        // SAFETY: the block has so many bytes.
        unsafe { ptr::write_bytes(block.cast::<u8>(), with, size) };
    }

    fn holds(block: *mut c_void, size: usize, with: u8) -> bool {
        // SAFETY: as above, and they have been written.
        unsafe { std::slice::from_raw_parts(block.cast::<u8>(), size).iter().all(|byte| *byte == with) }
    }

    #[test]
    fn a_block_is_used_again_and_no_more_than_a_bound_is_kept() {
        let mut pool = Pool::new();
        let blocks: Vec<_> = (0..2 * KEPT_BYTES / 48).map(|_| pool.take(40)).collect();
        // SAFETY: each came from there and is given back once.
        blocks.iter().for_each(|block| unsafe { pool.give(*block, 40) });
        assert!((KEPT_BYTES..KEPT_BYTES + SMALL_MAX).contains(&pool.kept));
        let again = pool.take(33);
        assert!(blocks.contains(&again), "sizes of one list share it");
        // SAFETY: as above.
        unsafe { pool.give(again, 33) };
    }

    proptest! {
        #[test]
        fn blocks_keep_what_they_hold(steps in proptest::collection::vec((0_u8..3, 1_usize..300, any::<prop::sample::Index>()), 1..200)) {
            let (mut pool, mut used) = (Pool::new(), Vec::new());
            for (i, (kind, size, which)) in steps.into_iter().enumerate() {
                let with = i as u8;
                if kind == 0 || used.is_empty() {
                    let block = pool.take(size);
                    fill(block, size, with);
                    used.push((block, size, with));
                    continue;
                }
                let at = which.index(used.len());
                let (block, old, with) = used.swap_remove(at);
                prop_assert!(holds(block, old, with));
                // SAFETY: it came from there with this size, and is not used any more where it is given back.
                unsafe {
                    if kind == 1 {
                        pool.give(block, old);
                        continue;
                    }
                    let block = pool.resize(block, old, size);
                    prop_assert!(holds(block, old.min(size), with));
                    fill(block, size, with);
                    used.push((block, size, with));
                }
            }
            for (block, size, with) in used {
                prop_assert!(holds(block, size, with));
                // SAFETY: as above.
                unsafe { pool.give(block, size) };
            }
        }
    }
}
