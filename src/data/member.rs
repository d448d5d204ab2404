//! A member of a large set or sorted set: its bytes behind their length, and in front of it what else is known of it (a head), in one
//! allocation. One of the rooms where `unsafe` is allowed (see lib.rs).
//!
//! ```text
//! head    of fixed size: nothing in a set, the score in a sorted set
//! length  1 byte; 255: the length is in the 8 bytes behind it
//! bytes   as many
//! ```
//!
//! The size of the allocation is a function of the length, rounded up to the allocator's own classes.
#![allow(unsafe_code)]

use super::{dict::slot::Slot, moving::Mover, prefetch, size_class::size_class};
use std::{
    alloc::{Layout, alloc, dealloc, handle_alloc_error},
    marker::PhantomData,
    mem,
    ptr::{self, NonNull},
};

/// The alignment of the allocation.
const ALIGN: usize = 8;
/// The first byte of the length of one that is too long for its length to stand there.
const LONG: u8 = u8::MAX;
/// Bytes in front of a long one's own, behind the head.
const LONG_PREFIX: usize = 1 + size_of::<u64>();

/// An owned member with a head: one pointer wide, and so is `Option<Member>`.
pub struct Member<H: Copy = ()>(MemberPtr<H>);

/// Another way to a [`Member`], which owns it no more than a page number owns the page.
pub struct MemberPtr<H>(NonNull<u8>, PhantomData<H>);

// SAFETY: a Member owns its allocation, which is a head and bytes and is not tied to a thread where the head is not.
unsafe impl<H: Copy + Send> Send for Member<H> {}

// SAFETY: whoever follows one has to know that the Member is still there, on whatever thread.
unsafe impl<H: Send> Send for MemberPtr<H> {}

impl<H> Clone for MemberPtr<H> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<H> Copy for MemberPtr<H> {}

impl<H> PartialEq for MemberPtr<H> {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

/// Bytes between the head and the member's own, for this length.
#[inline(always)]
fn prefix(len: usize) -> usize {
    if len < usize::from(LONG) { 1 } else { LONG_PREFIX }
}

#[inline]
fn layout<H>(len: usize) -> Layout {
    const { assert!(align_of::<H>() <= ALIGN) };
    // SAFETY: ALIGN is a power of two, and no member comes near isize::MAX bytes: arguments and files bound it.
    unsafe { Layout::from_size_align_unchecked(size_class(size_of::<H>() + prefix(len) + len), ALIGN) }
}

impl<H: Copy> Member<H> {
    /// A member with this head and these bytes.
    #[inline]
    pub fn new(head: H, bytes: &[u8]) -> Self {
        let layout = layout::<H>(bytes.len());
        // SAFETY: the size is at least a prefix's, so not zero.
        let Some(base) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        // SAFETY: the layout has room for the head, which it is aligned for, then the prefix and the bytes; `bytes` is borrowed and so lies
        // elsewhere.
        unsafe {
            base.cast::<H>().write(head);
            let behind = base.add(size_of::<H>());
            if bytes.len() < usize::from(LONG) {
                behind.write(bytes.len() as u8);
            } else {
                behind.write(LONG);
                behind.add(1).cast::<u64>().write_unaligned(bytes.len() as u64);
            }
            ptr::copy_nonoverlapping(bytes.as_ptr(), behind.as_ptr().add(prefix(bytes.len())), bytes.len());
        }
        Self(MemberPtr(base, PhantomData))
    }

    /// Its bytes.
    #[inline(always)]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: a Member's allocation lives as long as it does, and its bytes never change.
        unsafe { self.0.bytes() }
    }

    /// Its head.
    #[inline(always)]
    pub fn head(&self) -> H {
        // SAFETY: `new` wrote the head there.
        unsafe { self.0.0.cast::<H>().read() }
    }

    /// Gives it another head.
    #[inline(always)]
    pub fn set_head(&mut self, head: H) {
        // SAFETY: as in `head`; nobody holds a reference to it, as both functions copy.
        unsafe { self.0.0.cast::<H>().write(head) };
    }

    /// Another way to it.
    #[inline(always)]
    pub fn link(&self) -> MemberPtr<H> {
        self.0
    }

    /// Moves it, if that pays. Only for one to which no [`MemberPtr`] leads.
    pub fn relocate(&mut self, mover: &mut Mover) {
        let layout = layout::<H>(self.bytes().len());
        // SAFETY: the allocation was made with the layout of this length, and whoever follows a link has to know that it is still good.
        if let Some(base) = unsafe { mover.moved(self.0.0, layout) } {
            self.0.0 = base;
        }
    }

    /// Its equal at another place, which is to take its own, if that pays. What was here goes by [`Member::leave`].
    pub fn relocated(&self, mover: &mut Mover) -> Option<Self> {
        // SAFETY: the allocation was made with the layout of this length. A head and bytes can be copied.
        let base = unsafe { mover.copied(self.0.0, layout::<H>(self.bytes().len())) }?;
        Some(Self(MemberPtr(base, PhantomData)))
    }

    /// Frees one that [`Member::relocated`] has given another place.
    pub fn leave(self, mover: &mut Mover) {
        let (base, layout) = (self.0.0, layout::<H>(self.bytes().len()));
        mem::forget(self);
        // SAFETY: the allocation was made with the layout of this length, and its owner is gone.
        unsafe { mover.left(base, layout) };
    }

    /// Bytes of memory it takes.
    pub fn allocated(&self) -> usize {
        layout::<H>(self.bytes().len()).size()
    }
}

impl<H> MemberPtr<H> {
    /// The member's bytes.
    ///
    /// # Safety
    /// The [`Member`] has to be there for as long as the bytes are used.
    #[inline(always)]
    pub unsafe fn bytes<'a>(self) -> &'a [u8] {
        // SAFETY: `Member::new` wrote the length behind the head and as many bytes behind it, and the caller knows that they are there.
        unsafe {
            let behind = self.0.add(size_of::<H>());
            let len = match behind.read() {
                LONG => behind.add(1).cast::<u64>().read_unaligned() as usize,
                len => usize::from(len),
            };
            std::slice::from_raw_parts(behind.as_ptr().add(prefix(len)), len)
        }
    }
}

impl<H: Copy> Clone for Member<H> {
    fn clone(&self) -> Self {
        Self::new(self.head(), self.bytes())
    }
}

impl<H: Copy> Drop for Member<H> {
    #[inline]
    fn drop(&mut self) {
        let layout = layout::<H>(self.bytes().len());
        // SAFETY: allocated in `new` with the layout of the same length, which never changes.
        unsafe { dealloc(self.0.0.as_ptr(), layout) };
    }
}

impl<H: Copy + 'static> Slot for Member<H> {
    #[inline(always)]
    fn key(&self) -> &[u8] {
        self.bytes()
    }

    fn bytes(&self) -> usize {
        self.allocated()
    }

    #[inline(always)]
    fn prefetch(&self) {
        /// Bytes of a member and its length that are asked for: a short one lies across two lines a quarter of the time.
        const SHORT: usize = 24;
        let base = self.0.0.as_ptr();
        prefetch::read(base);
        prefetch::read(base.wrapping_add(size_of::<H>() + SHORT - 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_keeps_its_bytes_and_its_head() {
        for len in (0..600).chain([65_535, 65_536, 1 << 20]) {
            let bytes: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let (plain, mut scored) = (Member::new((), &bytes), Member::new(-1.5, &bytes));
            assert_eq!(plain.bytes(), bytes);
            assert_eq!(plain.clone().bytes(), bytes);
            assert_eq!((scored.bytes(), scored.head()), (&bytes[..], -1.5));
            scored.set_head(f64::INFINITY);
            assert_eq!((scored.clone().bytes(), scored.clone().head()), (&bytes[..], f64::INFINITY));
            assert!(plain.allocated() > len && scored.allocated() > len + 8);
        }
    }

    #[test]
    fn a_short_member_takes_a_byte_more_than_itself_and_its_head() {
        assert_eq!(Member::new((), &[b'm'; 7]).allocated(), 8);
        assert_eq!(Member::new((), &[b'm'; 17]).allocated(), 24);
        assert_eq!(Member::new(0.0, &[b'm'; 7]).allocated(), 16);
        assert_eq!(Member::new(0.0, &[b'm'; 17]).allocated(), 32);
        assert_eq!((size_of::<Option<Member>>(), size_of::<Option<Member<f64>>>()), (8, 8));
    }
}
