//! A member with its score in one allocation. One of the rooms where `unsafe` is allowed (see lib.rs).
//!
//! ```text
//! offset 0   score     8 bytes
//!        8   length    1 byte; 255 says that the next 8 have it
//!            member    as many bytes
//! ```
#![allow(unsafe_code)]

use crate::data::{dict::Slot, entry::size_class, prefetch};
use std::{
    alloc::{Layout, alloc, dealloc, handle_alloc_error},
    ptr::{self, NonNull},
};

const SCORE: usize = size_of::<f64>();
/// A length that stands in the 8 bytes behind it.
const LONG: u8 = u8::MAX;

/// An owned member with its score, one pointer wide.
pub struct Member(NonNull<u8>);

// SAFETY: a Member owns its allocation, and nothing of it is tied to a thread.
unsafe impl Send for Member {}

/// Another way to a [`Member`], which owns it no more than a page number owns the page.
#[derive(Clone, Copy, PartialEq)]
pub struct Link(NonNull<u8>);

// SAFETY: whoever follows one has to know that the Member is still there, on whatever thread.
unsafe impl Send for Link {}

/// Bytes in front of the member itself.
#[inline]
fn head(len: usize) -> usize {
    SCORE + if len < usize::from(LONG) { 1 } else { 1 + size_of::<u64>() }
}

#[inline]
fn layout(len: usize) -> Layout {
    // SAFETY: 8 is a power of two, and no member comes near isize::MAX bytes: the protocol bounds them.
    unsafe { Layout::from_size_align_unchecked(size_class(head(len) + len), 8) }
}

impl Member {
    /// A member with this score.
    pub fn new(bytes: &[u8], score: f64) -> Self {
        let (len, layout) = (bytes.len(), layout(bytes.len()));
        // SAFETY: the size is at least a score's, so not zero.
        let Some(base) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        // SAFETY: `layout` made room for the score, the length and the bytes, in this order; only the score is aligned.
        unsafe {
            base.cast::<f64>().write(score);
            if len < usize::from(LONG) {
                base.add(SCORE).write(len as u8);
            } else {
                base.add(SCORE).write(LONG);
                base.add(SCORE + 1).cast::<u64>().write_unaligned(len as u64);
            }
            ptr::copy_nonoverlapping(bytes.as_ptr(), base.as_ptr().add(head(len)), len);
        }
        Self(base)
    }

    /// Its bytes.
    #[inline(always)]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: a Member's allocation lives as long as it does, and its bytes never change.
        unsafe { Link(self.0).bytes() }
    }

    /// Its score.
    #[inline(always)]
    pub fn score(&self) -> f64 {
        // SAFETY: `new` wrote the score there.
        unsafe { self.0.cast::<f64>().read() }
    }

    /// Gives it another score.
    #[inline(always)]
    pub fn set_score(&mut self, score: f64) {
        // SAFETY: as in `score`; nobody holds a reference to it, as both functions copy.
        unsafe { self.0.cast::<f64>().write(score) };
    }

    /// Another way to it.
    #[inline(always)]
    pub fn link(&self) -> Link {
        Link(self.0)
    }

    /// Bytes of its allocation.
    pub fn allocated(&self) -> usize {
        layout(self.bytes().len()).size()
    }
}

impl Link {
    /// The member's bytes.
    ///
    /// # Safety
    /// The [`Member`] has to be there for as long as the bytes are used.
    #[inline(always)]
    pub unsafe fn bytes<'a>(self) -> &'a [u8] {
        // SAFETY: `Member::new` wrote the length and as many bytes behind it, and the caller knows that they are there.
        unsafe {
            let len = match self.0.add(SCORE).read() {
                LONG => self.0.add(SCORE + 1).cast::<u64>().read_unaligned() as usize,
                len => usize::from(len),
            };
            std::slice::from_raw_parts(self.0.as_ptr().add(head(len)), len)
        }
    }

    /// Asks for the member to be brought near, whether it is there or not.
    #[inline(always)]
    pub fn prefetch(self) {
        prefetch::read(self.0.as_ptr());
    }
}

impl Drop for Member {
    #[inline]
    fn drop(&mut self) {
        let layout = layout(self.bytes().len());
        // SAFETY: allocated in `new` with the layout for this length, which has not changed since.
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
        self.link().prefetch();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_keeps_its_bytes_whatever_their_number() {
        for len in [0, 1, 15, 16, 17, 254, 255, 256, 70_000] {
            let bytes: Vec<u8> = (0..len).map(|n| n as u8).collect();
            let mut member = Member::new(&bytes, -1.5);
            assert_eq!((member.bytes(), member.score()), (&bytes[..], -1.5));
            member.set_score(f64::INFINITY);
            assert_eq!((member.bytes(), member.score()), (&bytes[..], f64::INFINITY));
            assert!(member.allocated() >= len + 9);
        }
        assert_eq!(Member::new(&[b'm'; 17], 0.0).allocated(), 32);
        assert_eq!(size_of::<Option<Member>>(), 8);
    }
}
