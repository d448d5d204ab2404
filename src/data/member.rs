//! A member of a large set: its bytes behind their length, in one allocation. One of the rooms where `unsafe` is allowed (see lib.rs).
//!
//! ```text
//! length  1 byte; 255: the length is in the 8 bytes behind it
//! bytes   as many
//! ```
//!
//! The size of the allocation is a function of the length, rounded up to the allocator's own classes.
#![allow(unsafe_code)]

use super::{dict::Slot, entry::size_class, prefetch};
use std::{
    alloc::{Layout, alloc, dealloc, handle_alloc_error},
    ptr::{self, NonNull},
};

/// The first byte of one that is too long for its length to stand there.
const LONG: u8 = u8::MAX;
/// Bytes in front of a long one's own.
const LONG_PREFIX: usize = 1 + size_of::<u64>();

/// An owned member: one pointer wide, and so is `Option<Member>`.
pub struct Member(NonNull<u8>);

// SAFETY: a Member owns its allocation, which is bytes and is not tied to a thread.
unsafe impl Send for Member {}

/// Bytes in front of the member's own, for this length.
#[inline(always)]
fn prefix(len: usize) -> usize {
    if len < usize::from(LONG) { 1 } else { LONG_PREFIX }
}

#[inline]
fn layout(len: usize) -> Layout {
    // SAFETY: 8 is a power of two, and no member comes near isize::MAX bytes: arguments and files bound it.
    unsafe { Layout::from_size_align_unchecked(size_class(prefix(len) + len), 8) }
}

impl Member {
    /// A member with these bytes.
    #[inline]
    pub fn new(bytes: &[u8]) -> Self {
        let layout = layout(bytes.len());
        // SAFETY: the size is at least a prefix's, so not zero.
        let Some(base) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        // SAFETY: the layout has room for the prefix and the bytes; `bytes` is borrowed and so lies elsewhere.
        unsafe {
            if bytes.len() < usize::from(LONG) {
                base.write(bytes.len() as u8);
            } else {
                base.write(LONG);
                base.add(1).cast::<u64>().write_unaligned(bytes.len() as u64);
            }
            ptr::copy_nonoverlapping(bytes.as_ptr(), base.as_ptr().add(prefix(bytes.len())), bytes.len());
        }
        Self(base)
    }

    #[inline(always)]
    fn len(&self) -> usize {
        // SAFETY: `new` wrote this byte.
        match unsafe { self.0.read() } {
            // SAFETY: LONG says that the length stands behind it.
            LONG => unsafe { self.0.add(1).cast::<u64>().read_unaligned() as usize },
            len => usize::from(len),
        }
    }

    /// Its bytes.
    #[inline(always)]
    pub fn bytes(&self) -> &[u8] {
        let len = self.len();
        // SAFETY: `new` wrote these bytes, and they live as long as the member.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().add(prefix(len)), len) }
    }

    /// Bytes of memory it takes.
    pub fn allocated(&self) -> usize {
        layout(self.len()).size()
    }
}

impl Clone for Member {
    fn clone(&self) -> Self {
        Self::new(self.bytes())
    }
}

impl Drop for Member {
    #[inline]
    fn drop(&mut self) {
        let layout = layout(self.len());
        // SAFETY: allocated in `new` with the layout of the same length.
        unsafe { dealloc(self.0.as_ptr(), layout) };
    }
}

impl Slot for Member {
    #[inline(always)]
    fn key(&self) -> &[u8] {
        self.bytes()
    }

    #[inline(always)]
    fn prefetch(&self) {
        prefetch::read(self.0.as_ptr());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_keeps_its_bytes() {
        for len in (0..600).chain([65_535, 65_536, 1 << 20]) {
            let bytes: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let member = Member::new(&bytes);
            assert_eq!(member.bytes(), bytes);
            assert_eq!(member.clone().bytes(), bytes);
            assert!(member.allocated() >= len);
        }
    }

    #[test]
    fn a_short_member_takes_a_byte_more_than_it_is_long() {
        assert_eq!(Member::new(&[b'm'; 7]).allocated(), 8);
        assert_eq!(Member::new(&[b'm'; 17]).allocated(), 24);
        assert_eq!(size_of::<Option<Member>>(), 8);
    }
}
