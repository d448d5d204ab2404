//! Moving what values are made of to another place in memory, an allocation at a time, where that pays: active defragmentation's way through
//! the data. One of the rooms where `unsafe` is allowed (see lib.rs).
//!
//! Each type says in [`Relocate`] which allocations it owns, and hands them to a [`Mover`], which judges and moves them. A value changes in
//! nothing but where it lies, so nobody need be told: walks and scans know places in hash space, not addresses. What is shared, with a walk
//! or with a reply that is still leaving, stays where it is: to move it would be to copy it.
//!
//! A large value is gone through in parts: it says where to go on as a [`Place`], which stands for a position in the value's own order, and so
//! means something whatever has changed since.
#![allow(unsafe_code)]

use crate::alloc::slabs::Slabs;
use bytes::Bytes;
use std::{
    alloc::Layout,
    collections::VecDeque,
    mem::MaybeUninit,
    ptr::{self, NonNull},
    sync::Arc,
};

/// Strings of so many bytes and more have pages of their own: to move them frees none.
const LARGE: usize = 16 * 1024;

/// Where in a value to go on: numbers and a name that only its type understands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Which of its parts.
    pub part: u8,
    /// Where in the part.
    pub at: u64,
    /// Where in there.
    pub id: (u64, u64),
    /// Whose part it is.
    pub name: Option<Box<[u8]>>,
    /// Whose in there.
    pub inner_name: Option<Box<[u8]>>,
}

/// What is made of allocations that can move.
pub trait Relocate {
    /// Hands what it owns to `mover`, from a place on, until all has been handed over or [`Mover::is_spent`]; says where to go on. However little is
    /// left to be spent, it gets on.
    fn relocate(&mut self, from: Place, mover: &mut Mover) -> Option<Place>;
}

impl Relocate for Bytes {
    fn relocate(&mut self, _: Place, mover: &mut Mover) -> Option<Place> {
        mover.bytes(self);
        None
    }
}

/// Moves allocations.
pub struct Mover<'a> {
    slabs: &'a mut Slabs,
    /// Allocations that may still be looked at before somebody looks at the clock.
    left: usize,
    /// Allocations that were moved.
    pub hits: u64,
    /// Allocations that were looked at and stay.
    pub misses: u64,
}

impl<'a> Mover<'a> {
    /// Moves what lies in slabs that are worth emptying. Some `left` allocations are looked at.
    pub fn new(slabs: &'a mut Slabs, left: usize) -> Self {
        Self { slabs, left, hits: 0, misses: 0 }
    }

    /// Whether it has looked at as much as it may for this time.
    #[inline]
    pub fn is_spent(&self) -> bool {
        self.left == 0
    }

    /// Something has been passed over without an allocation of it being looked at.
    #[inline]
    pub fn pass(&mut self) {
        self.left = self.left.saturating_sub(1);
    }

    #[inline]
    fn judge(&mut self, at: *const u8, layout: Layout) -> bool {
        self.left = self.left.saturating_sub(1);
        if layout.size() == 0 {
            return false;
        }
        let pays = self.slabs.pays(at, layout);
        self.misses += u64::from(!pays);
        pays
    }

    /// The allocation's new place with the same bytes, if it pays to move it. The old one is as it was, and is to be given to [`Mover::left`].
    ///
    /// # Safety
    /// The allocation has this layout.
    #[inline]
    pub(super) unsafe fn copied(&mut self, at: NonNull<u8>, layout: Layout) -> Option<NonNull<u8>> {
        if !self.judge(at.as_ptr(), layout) {
            return None;
        }
        // SAFETY: the caller's; the size is not 0, or it would not pay.
        let new = unsafe { self.slabs.copy(at, layout) }?;
        self.hits += 1;
        Some(new)
    }

    /// Frees an allocation that [`Mover::copied`] has made a copy of.
    ///
    /// # Safety
    /// The allocation has this layout, and nobody uses it any more: the copy has taken its place.
    #[inline]
    pub(super) unsafe fn left(&mut self, at: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's.
        unsafe { self.slabs.free_replaced(at, layout) };
    }

    /// Moves an allocation if it pays. Gives its new place, and has freed the old one then.
    ///
    /// # Safety
    /// The allocation is the caller's and has this layout, and whatever leads to it is given the new place before it is next used.
    #[inline]
    pub(super) unsafe fn moved(&mut self, at: NonNull<u8>, layout: Layout) -> Option<NonNull<u8>> {
        // SAFETY: the caller's. What is copied is bytes, whose owner takes the copy for what it had.
        unsafe {
            let new = self.copied(at, layout)?;
            self.left(at, layout);
            Some(new)
        }
    }

    /// Moves what a box owns.
    pub fn boxed<T>(&mut self, owner: &mut Box<T>) {
        let Some(at) = NonNull::new((&raw mut **owner).cast::<u8>()) else { return };
        // SAFETY: a box's allocation has its content's layout. A value can be moved as bytes; what was moved from is freed and not dropped, and
        // the box is given its new place in the same breath, without being dropped itself.
        unsafe {
            if let Some(new) = self.moved(at, Layout::new::<T>()) {
                ptr::write(owner, Box::from_raw(new.as_ptr().cast()));
            }
        }
    }

    /// Moves what a boxed slice owns.
    pub fn boxed_slice<T>(&mut self, owner: &mut Box<[T]>) {
        let (len, layout) = (owner.len(), Layout::for_value(&**owner));
        let Some(at) = NonNull::new(owner.as_mut_ptr().cast::<u8>()) else { return };
        // SAFETY: as in `boxed`; the slice is as long as before.
        unsafe {
            if let Some(new) = self.moved(at, layout) {
                ptr::write(owner, Box::from_raw(ptr::slice_from_raw_parts_mut(new.as_ptr().cast(), len)));
            }
        }
    }

    /// Moves what a vector owns.
    pub fn vec<T>(&mut self, owner: &mut Vec<T>) {
        let (len, capacity) = (owner.len(), owner.capacity());
        let Ok(layout) = Layout::array::<T>(capacity) else { return };
        let Some(at) = NonNull::new(owner.as_mut_ptr().cast::<u8>()) else { return };
        // SAFETY: as in `boxed`: a vector's allocation has the layout of an array of its capacity, and is none where that has no bytes, which is
        // not moved. Its length and capacity stay.
        unsafe {
            if let Some(new) = self.moved(at, layout) {
                ptr::write(owner, Vec::from_raw_parts(new.as_ptr().cast(), len, capacity));
            }
        }
    }

    /// Moves a small deque's buffer: one of some thousand elements has pages of its own.
    pub fn deque<T>(&mut self, owner: &mut VecDeque<T>) {
        let Ok(layout) = Layout::array::<T>(owner.capacity()) else { return };
        let at = owner.as_slices().0.as_ptr().cast();
        if layout.size() >= LARGE || owner.is_empty() || !self.judge(at, layout) {
            return;
        }
        self.slabs.replacing(layout, || {
            let mut new = VecDeque::with_capacity(owner.capacity());
            new.extend(owner.drain(..));
            *owner = new;
        });
        self.hits += 1;
    }

    /// Moves what is shared by nobody.
    pub fn arc<T>(&mut self, owner: &mut Arc<T>) {
        /// The two counters in front of what is shared.
        type Counters = [usize; 2];
        if Arc::get_mut(owner).is_none() {
            return;
        }
        let Ok((layout, _)) = Layout::new::<Counters>().extend(Layout::new::<T>()) else { return };
        let layout = layout.pad_to_align();
        if !self.judge(Arc::as_ptr(owner).cast(), layout) {
            return;
        }
        self.slabs.replacing(layout, || {
            let mut new = Arc::<T>::new_uninit();
            let Some(room) = Arc::get_mut(&mut new) else { return };
            // SAFETY: nobody else has what is shared here: the value goes as bytes from the one to the other, which then has a value, and the one
            // is left without, as its type says from there on: it is freed, and nothing in it dropped.
            unsafe {
                ptr::copy_nonoverlapping(Arc::as_ptr(owner), room.as_mut_ptr(), 1);
                let old = ptr::replace(owner, new.assume_init());
                drop(Arc::from_raw(Arc::into_raw(old).cast::<MaybeUninit<T>>()));
            }
        });
        self.hits += 1;
    }

    /// Moves the bytes of a string that no reply shares, if they are few.
    pub fn bytes(&mut self, owner: &mut Bytes) {
        let Ok(layout) = Layout::array::<u8>(owner.len()) else { return };
        if layout.size() >= LARGE || !owner.is_unique() || !self.judge(owner.as_ptr(), layout) {
            return;
        }
        self.slabs.replacing(layout, || *owner = Bytes::copy_from_slice(owner));
        self.hits += 1;
    }
}

/// Moves some `left` allocations, whatever that pays, from a place on, which is kept; begins anew when it has come to the end.
#[cfg(test)]
pub fn step(value: &mut impl Relocate, place: &mut Place, left: usize) {
    let mut slabs = Slabs::all();
    let mut mover = Mover::new(&mut slabs, left);
    let next = value.relocate(std::mem::take(place), &mut mover);
    assert_eq!(mover.misses, 0, "everything but what is shared moves");
    *place = next.unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Moves it twice, and says how many allocations that were.
    fn moved<T>(value: &mut T, act: impl Fn(&mut Mover, &mut T)) -> u64 {
        let mut slabs = Slabs::all();
        let mut mover = Mover::new(&mut slabs, 10);
        act(&mut mover, value);
        act(&mut mover, value);
        mover.hits
    }

    #[test]
    fn what_has_moved_is_what_it_was() {
        let mut boxed = Box::new([7u64; 5]);
        assert_eq!((moved(&mut boxed, |m, v| m.boxed(v)), *boxed), (2, [7; 5]));
        let mut slice: Box<[Box<u8>]> = (0..9).map(Box::new).collect();
        assert_eq!((moved(&mut slice, |m, v| m.boxed_slice(v)), slice.len(), *slice[8]), (2, 9, 8));
        let mut vec = Vec::with_capacity(100);
        vec.extend((0..9).map(|n| n.to_string()));
        assert_eq!((moved(&mut vec, |m, v| m.vec(v)), vec.capacity(), vec[8].as_str()), (2, 100, "8"));
        let mut deque: VecDeque<String> = (0..9).map(|n| n.to_string()).collect();
        deque.rotate_left(4);
        assert_eq!((moved(&mut deque, |m, v| m.deque(v)), deque.make_contiguous().concat().as_str()), (2, "456780123"));
        let mut arc = Arc::new("shared".to_owned());
        assert_eq!((moved(&mut arc, |m, v| m.arc(v)), arc.as_str()), (2, "shared"));
        let mut bytes = Bytes::from(vec![b'x'; 300]);
        assert_eq!((moved(&mut bytes, |m, v| m.bytes(v)), &bytes[..]), (2, &[b'x'; 300][..]));
    }

    #[test]
    fn what_is_shared_empty_or_large_stays_where_it_is() {
        let mut arc = Arc::new(5);
        let (other, at) = (Arc::clone(&arc), Arc::as_ptr(&arc));
        assert_eq!((moved(&mut arc, |m, v| m.arc(v)), Arc::as_ptr(&arc)), (0, at));
        drop(other);
        let weak = Arc::downgrade(&arc);
        assert_eq!(moved(&mut arc, |m, v| m.arc(v)), 0);
        assert!(weak.upgrade().is_some());
        let mut bytes = Bytes::from(vec![b'x'; 300]);
        let other = bytes.clone();
        assert_eq!((moved(&mut bytes, |m, v| m.bytes(v)), other.len()), (0, 300));
        assert_eq!(moved(&mut Bytes::from(vec![b'x'; LARGE]), |m, v| m.bytes(v)), 0);
        assert_eq!(moved(&mut Bytes::from_static(b"constant"), |m, v| m.bytes(v)), 0);
        assert_eq!(moved(&mut Vec::<u64>::new(), |m, v| m.vec(v)), 0);
        assert_eq!(moved(&mut Box::<[u64]>::default(), |m, v| m.boxed_slice(v)), 0);
        assert_eq!(moved(&mut Box::new(()), |m, v| m.boxed(v)), 0);
        assert_eq!(moved(&mut VecDeque::<u64>::new(), |m, v| m.deque(v)), 0);
    }
}
