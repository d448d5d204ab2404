//! A buffer in sixteen bytes, for what there are very many of. One of the rooms where `unsafe` is allowed (see lib.rs).
//!
//! A `Vec` takes 24 bytes, of which 16 are lengths that a small collection never needs. Here a length takes 4 and the capacity 1, since it is
//! always one of the allocator's classes. What is left has room for a number of the owner's, and for the owner's other forms: an
//! `enum` of a block and boxes is no larger than the block.
//!
//! Two invariants: **the capacity is what the allocation was made with** (none where it is 0), and **every byte of it is initialised**.
#![allow(unsafe_code)]

use super::{moving::Mover, size_class::quarter_class};
use std::{
    alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error, realloc},
    fmt,
    ptr::{self, NonNull},
    slice,
};

/// Bytes that a block holds at most: the largest class of which all can be counted with 32 bits, so that what fits into an allocation always can.
pub const BYTES_MAX: usize = 7 << 29;
const _: () = assert!(BYTES_MAX <= u32::MAX as usize);

/// Bytes that grow and shrink, and a number that goes with them.
pub struct Block {
    base: NonNull<u8>,
    len: u32,
    /// The owner's number. It is 0 at first.
    pub note: u16,
    class: Class,
    _spare: Spare,
}

/// A byte of which all values but one are free to tell the variants of an `enum` around it apart.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Spare {
    Zero = 0,
}

// SAFETY: a Block owns its allocation, which is bytes and is not tied to a thread.
unsafe impl Send for Block {}
// SAFETY: nothing changes behind a shared reference.
unsafe impl Sync for Block {}

/// A size class of the allocator in one byte, as a floating-point number with a mantissa of two bits: `(4 + low bits) << high bits`.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Class(u8);

impl Class {
    const NONE: Self = Self(0);

    /// The smallest that holds so many bytes, of which there are some.
    #[inline]
    fn holding(bytes: usize) -> Self {
        let size = quarter_class(bytes);
        let exponent = size.ilog2() - 2;
        Self((exponent << 2) as u8 | (size >> exponent & 3) as u8)
    }

    /// Its bytes: a multiple of 8, or 0.
    #[inline(always)]
    fn bytes(self) -> usize {
        ((4 + usize::from(self.0 & 3)) << (self.0 >> 2)) & !7
    }

    #[inline]
    fn layout(self) -> Layout {
        // SAFETY: 1 is a power of two, and no class comes near isize::MAX bytes: blocks hold no more than BYTES_MAX.
        unsafe { Layout::from_size_align_unchecked(self.bytes(), 1) }
    }
}

impl Default for Block {
    fn default() -> Self {
        Self::new()
    }
}

impl Block {
    /// No bytes, and no allocation.
    #[inline]
    pub const fn new() -> Self {
        Self { base: NonNull::dangling(), len: 0, note: 0, class: Class::NONE, _spare: Spare::Zero }
    }

    /// No bytes yet, and room for so many.
    #[inline]
    pub fn with_capacity(bytes: usize) -> Self {
        let mut block = Self::new();
        if bytes > 0 {
            block.resize(bytes);
        }
        block
    }

    /// Number of bytes.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there is none.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of its allocation.
    #[inline(always)]
    pub fn capacity(&self) -> usize {
        self.class.bytes()
    }

    /// The bytes.
    #[inline(always)]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the length is never more than the capacity, and all of that is initialised.
        unsafe { slice::from_raw_parts(self.base.as_ptr(), self.len()) }
    }

    /// The bytes.
    #[inline(always)]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, and `&mut self` is the only way in.
        unsafe { slice::from_raw_parts_mut(self.base.as_ptr(), self.len()) }
    }

    /// Adds so many bytes at the end, of any value, and gives them to be written.
    ///
    /// # Panics
    /// When there would be more than [`BYTES_MAX`].
    #[inline]
    pub fn append(&mut self, count: usize) -> &mut [u8] {
        let old = self.len();
        let new = old.checked_add(count).expect("no block is as large as memory");
        if new > self.capacity() {
            self.resize(new);
        }
        self.len = new as u32;
        // SAFETY: there is room for `new` bytes, all of it initialised, and `old` is not more.
        unsafe { slice::from_raw_parts_mut(self.base.as_ptr().add(old), count) }
    }

    /// Puts `new` bytes, of any value, in the place of `old` from `at` on, and gives them to be written. What lies behind moves.
    ///
    /// # Panics
    /// When those bytes are not there, or there would be more than [`BYTES_MAX`].
    #[inline]
    pub fn splice(&mut self, at: usize, old: usize, new: usize) -> &mut [u8] {
        let len = self.len();
        assert!(at <= len && old <= len - at, "what is replaced is there");
        let changed = (len - old).checked_add(new).expect("no block is as large as memory");
        if changed > self.capacity() {
            self.resize(changed);
        }
        // SAFETY: behind the replaced bytes there are `len - at - old`; both where they are and where they come to be lies inside the
        // allocation, which has room for `changed` bytes, and all of it is initialised.
        unsafe {
            let from = self.base.as_ptr().add(at);
            ptr::copy(from.add(old), from.add(new), len - at - old);
            self.len = changed as u32;
            slice::from_raw_parts_mut(from, new)
        }
    }

    /// Keeps only the first `len` bytes, if there are more.
    #[inline]
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(u32::try_from(len).unwrap_or(u32::MAX));
    }

    /// Gives room back that is not worth keeping.
    #[inline]
    pub fn shrink(&mut self) {
        if self.len() * 2 <= self.capacity() {
            self.shrink_far();
        }
    }

    /// Gives back all room that is not needed.
    pub fn fit(&mut self) {
        if self.len == 0 {
            self.shrink_far();
        } else {
            self.resize(self.len());
        }
    }

    /// Moves its allocation, if that pays.
    pub fn relocate(&mut self, mover: &mut Mover) {
        if self.class == Class::NONE {
            return;
        }
        // SAFETY: the allocation was made, or last changed, with this class's layout, and nothing but the base leads to it.
        if let Some(base) = unsafe { mover.moved(self.base, self.class.layout()) } {
            self.base = base;
        }
    }

    fn shrink_far(&mut self) {
        if self.len == 0 {
            let note = self.note;
            *self = Self::new();
            self.note = note;
        } else if quarter_class(self.len()) * 2 <= self.capacity() {
            self.resize(self.len());
        }
    }

    /// Gives it an allocation for so many bytes, of which there are some and as many as it has: as much as the allocator gives for that, and no more.
    #[inline(never)]
    fn resize(&mut self, bytes: usize) {
        assert!((1..=BYTES_MAX).contains(&bytes) && bytes >= self.len());
        let class = Class::holding(bytes);
        if class == self.class {
            return;
        }
        let (old, new) = (self.capacity(), class.bytes());
        let layout = class.layout();
        let base = if old == 0 {
            // SAFETY: the size is not zero.
            unsafe { alloc_zeroed(layout) }
        } else {
            // SAFETY: this is the allocation of the old class, and the new size is neither zero nor near isize::MAX.
            let base = unsafe { realloc(self.base.as_ptr(), self.class.layout(), new) };
            if !base.is_null() && new > old {
                // SAFETY: the allocation has `new` bytes now; those beyond `old` are the ones without a value.
                unsafe { ptr::write_bytes(base.add(old), 0, new - old) };
            }
            base
        };
        let Some(base) = NonNull::new(base) else { handle_alloc_error(layout) };
        (self.base, self.class) = (base, class);
    }
}

impl Clone for Block {
    fn clone(&self) -> Self {
        let mut clone = Self::from(self.bytes());
        clone.note = self.note;
        clone
    }
}

impl From<&[u8]> for Block {
    fn from(bytes: &[u8]) -> Self {
        let mut block = Self::new();
        block.append(bytes.len()).copy_from_slice(bytes);
        block
    }
}

impl PartialEq for Block {
    fn eq(&self, other: &Self) -> bool {
        (self.bytes(), self.note) == (other.bytes(), other.note)
    }
}

impl Eq for Block {}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" {}", self.bytes().escape_ascii(), self.note)
    }
}

impl Drop for Block {
    #[inline]
    fn drop(&mut self) {
        if self.class != Class::NONE {
            // SAFETY: the allocation was made, or last changed, with this class's layout.
            unsafe { dealloc(self.base.as_ptr(), self.class.layout()) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A form of something that is a block or one of several boxes.
    #[expect(dead_code, reason = "only its size is of interest")]
    enum Form {
        Small(Block),
        Large(Box<u64>),
        Larger(Box<[u64; 2]>),
    }

    #[test]
    fn a_block_takes_sixteen_bytes_and_so_does_what_may_be_boxes_instead() {
        assert_eq!((size_of::<Block>(), size_of::<Form>(), size_of::<Option<Block>>()), (16, 16, 16));
        assert_eq!(Block::new().capacity(), 0);
    }

    #[test]
    fn a_class_in_a_byte_is_the_allocators() {
        for bytes in (1..5000).chain([1 << 20, (1 << 20) + 1, (1 << 30) - 1, 1 << 30, BYTES_MAX]) {
            assert_eq!(Class::holding(bytes).bytes(), quarter_class(bytes), "{bytes}");
        }
    }

    #[derive(Clone, Debug)]
    enum Op {
        Append(Vec<u8>),
        Splice(usize, usize, Vec<u8>),
        Truncate(usize),
        Shrink,
        Clone,
    }

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![3 => proptest::collection::vec(any::<u8>(), 0..40), 1 => proptest::collection::vec(any::<u8>(), 0..3000)]
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            bytes().prop_map(Op::Append),
            (any::<usize>(), any::<usize>(), bytes()).prop_map(|(at, old, new)| Op::Splice(at, old, new)),
            any::<usize>().prop_map(Op::Truncate),
            Just(Op::Shrink),
            Just(Op::Clone),
        ]
    }

    proptest! {
        #[test]
        fn it_is_a_vector(room in 0..2000usize, ops in proptest::collection::vec(op(), 0..40)) {
            let (mut block, mut model) = (Block::with_capacity(room), Vec::new());
            prop_assert!(block.capacity() >= room);
            block.note = 7;
            for op in ops {
                match op {
                    Op::Append(bytes) => {
                        block.append(bytes.len()).copy_from_slice(&bytes);
                        model.extend_from_slice(&bytes);
                    }
                    Op::Splice(at, old, new) => {
                        let at = at % (model.len() + 1);
                        let old = old % (model.len() - at + 1);
                        block.splice(at, old, new.len()).copy_from_slice(&new);
                        model.splice(at..at + old, new);
                    }
                    Op::Truncate(len) => {
                        let len = len % (model.len() + 2);
                        block.truncate(len);
                        model.truncate(len);
                    }
                    Op::Shrink => {
                        block.shrink();
                        prop_assert!(block.capacity() == 0 || quarter_class(block.len()) * 2 > block.capacity());
                    }
                    Op::Clone => block = block.clone(),
                }
                prop_assert_eq!((block.bytes(), block.note), (&model[..], 7));
                prop_assert!(block.capacity() >= block.len() && (block.capacity() == 0 || quarter_class(block.capacity()) == block.capacity()));
            }
        }
    }
}
