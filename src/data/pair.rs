//! A key with its value in one allocation: what a database's table holds, and a large hash's. One of the rooms where `unsafe` is allowed (see lib.rs).
//!
//! ```text
//! offset 0   header   8 bytes: meta (kind and flags, 25 bits of access), key length, value length
//!        8   deadline 8 bytes, when the VOLATILE flag is set: Unix time in milliseconds
//!            lengths  8 bytes, when the LONG flag is set: the key's length (the header's is 0 then)
//!            word     8 bytes, unless the value is inline: the integer, or the pointer to what hangs off it
//!            key      as many bytes as it is long
//!            value    an inline string's bytes
//! ```
//!
//! The size of the allocation is a function of the header alone, rounded up to the allocator's own classes: a new
//! value of the same class is written in place.
#![allow(unsafe_code)]

use super::{
    dict::slot::Slot,
    moving::{Mover, Place, Relocate},
    size_class::size_class,
};
use bytes::Bytes;
use std::{
    alloc::{Layout, alloc, dealloc, handle_alloc_error},
    marker::PhantomData,
    ptr::{self, NonNull},
};

/// The longest string held inside a pair, in bytes; a longer one hangs off it, adopted and sent without a copy.
pub const INLINE_MAX: usize = 32 * 1024 - 1;

/// The longest string that Redis calls `embstr`, in bytes.
pub const EMBSTR_MAX: usize = 44;

/// Bytes of a pair that are neither key nor value nor deadline.
pub const HEADER_BYTES: usize = size_of::<Header>();

/// No deadline: later than any.
pub const NEVER: i64 = i64::MAX;

#[repr(C)]
struct Header {
    /// Bits 0..3 kind, 4 VOLATILE, 5 LONG, 6 RAW; bits 7..31 the mark of the last access.
    meta: u32,
    key_len: u16,
    value_len: u16,
}

const KIND: u32 = 0x0f;
const KIND_INLINE: u32 = 0;
const KIND_INT: u32 = 1;
const KIND_OBJECT: u32 = 2;
const VOLATILE: u32 = 1 << 4;
const LONG: u32 = 1 << 5;
const RAW: u32 = 1 << 6;
const ACCESS_SHIFT: u32 = 7;
/// Kind and flags: what is not the mark of the last access.
const FLAGS: u32 = (1 << ACCESS_SHIFT) - 1;

/// The pointer's lowest bit repeats VOLATILE, so that a walk for due deadlines does not touch entries that have none.
const TAG_VOLATILE: usize = 1;

/// An owned key with its value: one pointer wide, and so is `Option<Pair<O>>`. A value that does not fit is an `O` that hangs off it.
pub struct Pair<O: Held>(NonNull<u8>, PhantomData<Box<O>>);

// SAFETY: a pair owns its allocation and whatever hangs off it, and none of that is tied to a thread if an O is not.
unsafe impl<O: Held + Send> Send for Pair<O> {}

/// What hangs off a pair when its value is no number and no short string.
pub trait Held: Clone + 'static {
    /// A string.
    fn from_bytes(bytes: Bytes) -> Self;

    /// The bytes, if it is a string.
    fn bytes(&self) -> Option<&Bytes>;

    /// The bytes, if it is a string.
    fn bytes_mut(&mut self) -> Option<&mut Bytes>;

    /// What TYPE answers.
    fn type_name(&self) -> &'static str;

    /// What OBJECT ENCODING answers.
    fn encoding(&self) -> &'static str;

    /// Values that are freed with it at once.
    fn values(&self) -> usize;

    /// Bytes of memory it takes, itself not counted. Of a value with many elements `samples` are looked at (0: all of them).
    fn allocated(&self, samples: usize) -> usize;
}

/// A long string.
impl Held for Bytes {
    fn from_bytes(bytes: Bytes) -> Self {
        bytes
    }

    fn bytes(&self) -> Option<&Bytes> {
        Some(self)
    }

    fn bytes_mut(&mut self) -> Option<&mut Bytes> {
        Some(self)
    }

    fn type_name(&self) -> &'static str {
        "string"
    }

    fn encoding(&self) -> &'static str {
        "raw"
    }

    fn values(&self) -> usize {
        1
    }

    fn allocated(&self, _samples: usize) -> usize {
        size_class(self.len())
    }
}

/// What a pair holds.
pub enum Value<'a, O> {
    /// A string that is the canonical decimal form of this number.
    Int(i64),
    /// A short string.
    Str(&'a [u8]),
    /// Everything else.
    Object(&'a O),
}

impl<O> Clone for Value<'_, O> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<O> Copy for Value<'_, O> {}

impl<'a, O: Held> Value<'a, O> {
    /// The value as one that is a string; `None` when it is not.
    #[inline]
    pub fn as_string(self) -> Option<Value<'a, Bytes>> {
        Some(match self {
            Self::Int(n) => Value::Int(n),
            Self::Str(bytes) => Value::Str(bytes),
            Self::Object(object) => Value::Object(object.bytes()?),
        })
    }
}

#[inline]
fn layout(size: usize) -> Layout {
    // SAFETY: 8 is a power of two, and no key or value comes near isize::MAX bytes: both are bounded by the protocol.
    unsafe { Layout::from_size_align_unchecked(size_class(size), 8) }
}

impl<O: Held> Pair<O> {
    /// A string entry, integer-encoded when `value` is a canonical number is the caller's choice: this one keeps the bytes.
    ///
    /// # Panics
    /// When `value` is longer than [`INLINE_MAX`].
    #[inline]
    pub fn new_inline(key: &[u8], value: &[u8], deadline: i64) -> Self {
        assert!(value.len() <= INLINE_MAX);
        let (entry, behind_key) = Self::allocate(KIND_INLINE, key, value.len(), deadline);
        // SAFETY: the allocation was sized for this value, which lies behind the key.
        unsafe { ptr::copy_nonoverlapping(value.as_ptr(), behind_key, value.len()) };
        entry
    }

    /// A string of so many zeros, which counts as modified ([`Pair::is_raw`]).
    ///
    /// # Panics
    /// When that is more than [`INLINE_MAX`].
    pub fn new_zeroed(key: &[u8], len: usize, deadline: i64) -> Self {
        assert!(len <= INLINE_MAX);
        let (mut entry, behind_key) = Self::allocate(KIND_INLINE, key, len, deadline);
        // SAFETY: the allocation was sized for this many bytes, which lie behind the key.
        unsafe { behind_key.write_bytes(0, len) };
        entry.set_raw();
        entry
    }

    /// An integer-encoded string.
    #[inline]
    pub fn new_int(key: &[u8], value: i64, deadline: i64) -> Self {
        let (entry, _) = Self::allocate(KIND_INT, key, 0, deadline);
        // SAFETY: a non-inline pair has a word.
        unsafe { entry.word_ptr().write(value as u64) };
        entry
    }

    /// A pair whose value hangs off it.
    pub fn new_object(key: &[u8], value: Box<O>, deadline: i64) -> Self {
        let (entry, _) = Self::allocate(KIND_OBJECT, key, 0, deadline);
        // SAFETY: a non-inline pair has a word; a pointer fits in it (checked below).
        unsafe { entry.word_ptr().cast::<*mut O>().write(Box::into_raw(value)) };
        entry
    }

    /// Allocates and fills in everything but the value; gives the place behind the key, too.
    #[inline]
    fn allocate(kind: u32, key: &[u8], value_len: usize, deadline: i64) -> (Self, *mut u8) {
        const { assert!(size_of::<*mut O>() <= 8 && size_of::<Header>() == 8 && INLINE_MAX <= u16::MAX as usize) };
        let mut meta = kind;
        if deadline != NEVER {
            meta |= VOLATILE;
        }
        if key.len() > usize::from(u16::MAX) {
            meta |= LONG;
        }
        let key_len = if meta & LONG != 0 { 0 } else { key.len() as u16 };
        let header = Header { meta, key_len, value_len: value_len as u16 };
        let layout = layout(size_of_pair(meta, key.len(), value_len));
        // SAFETY: the size is at least a header's, so not zero.
        let Some(base) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        // SAFETY: `size_of_pair` made room for the header, the optional fields and the key, in this order, all aligned to 8 but for the key.
        let behind_key = unsafe {
            base.cast::<Header>().write(header);
            let mut at = base.as_ptr().add(size_of::<Header>());
            if meta & VOLATILE != 0 {
                at.cast::<i64>().write(deadline);
                at = at.add(8);
            }
            if meta & LONG != 0 {
                at.cast::<u64>().write(key.len() as u64);
                at = at.add(8);
            }
            if kind != KIND_INLINE {
                at = at.add(8);
            }
            ptr::copy_nonoverlapping(key.as_ptr(), at, key.len());
            at.add(key.len())
        };
        let tag = if meta & VOLATILE != 0 { TAG_VOLATILE } else { 0 };
        (Self(base.map_addr(|a| a | tag), PhantomData), behind_key)
    }

    #[inline(always)]
    fn base(&self) -> *mut u8 {
        self.0.as_ptr().map_addr(|a| a & !TAG_VOLATILE)
    }

    #[inline(always)]
    fn header(&self) -> &Header {
        // SAFETY: a pair points at an initialised header that lives as long as it does.
        unsafe { &*self.base().cast::<Header>() }
    }

    #[inline(always)]
    fn header_mut(&mut self) -> &mut Header {
        // SAFETY: as in `header`, and `&mut self` is the only way in.
        unsafe { &mut *self.base().cast::<Header>() }
    }

    #[inline(always)]
    fn word_ptr(&self) -> *mut u64 {
        // SAFETY: stays inside the allocation: the word is behind the prefix, and callers ask only where there is one.
        unsafe { self.base().add(prefix(self.header().meta)).cast() }
    }

    #[inline(always)]
    fn key_start(&self) -> usize {
        let meta = self.header().meta;
        prefix(meta) + if meta & KIND == KIND_INLINE { 0 } else { 8 }
    }

    #[inline(always)]
    fn key_len(&self) -> usize {
        let header = self.header();
        if header.meta & LONG == 0 {
            return usize::from(header.key_len);
        }
        let at = size_of::<Header>() + if header.meta & VOLATILE != 0 { 8 } else { 0 };
        // SAFETY: LONG says that this field is there.
        unsafe { self.base().add(at).cast::<u64>().read() as usize }
    }

    #[inline(always)]
    fn inline_ptr(&self) -> *mut u8 {
        // SAFETY: an inline value lies directly behind the key.
        unsafe { self.base().add(self.key_start() + self.key_len()) }
    }

    /// Where it lies in memory.
    #[inline(always)]
    pub fn addr(&self) -> usize {
        self.base().addr()
    }

    /// The key.
    #[inline(always)]
    pub fn key(&self) -> &[u8] {
        // SAFETY: `allocate` wrote these bytes, and they live as long as the entry.
        unsafe { std::slice::from_raw_parts(self.base().add(self.key_start()), self.key_len()) }
    }

    /// The value.
    #[inline(always)]
    pub fn value(&self) -> Value<'_, O> {
        let header = self.header();
        match header.meta & KIND {
            // SAFETY: the header says how many bytes the constructor or `overwrite` put there.
            KIND_INLINE => Value::Str(unsafe { std::slice::from_raw_parts(self.inline_ptr(), usize::from(header.value_len)) }),
            // SAFETY: a non-inline pair has a word, written at construction.
            KIND_INT => Value::Int(unsafe { self.word_ptr().read() } as i64),
            // SAFETY: an object pair's word is the box it owns.
            _ => Value::Object(unsafe { &**self.word_ptr().cast::<*const O>() }),
        }
    }

    /// The bytes of a short string, to be changed in place.
    #[inline(always)]
    pub fn inline_mut(&mut self) -> Option<&mut [u8]> {
        let header = self.header();
        if header.meta & KIND != KIND_INLINE {
            return None;
        }
        let len = usize::from(header.value_len);
        // SAFETY: the header says how many bytes are there, all of them written, and `&mut self` is the only way in.
        Some(unsafe { std::slice::from_raw_parts_mut(self.inline_ptr(), len) })
    }

    /// Lengthens a short string with zeros, in place where the size class allows it; keeps key, access and deadline. One that is as long already, and
    /// what is no short string, stays as it is.
    ///
    /// # Panics
    /// When `len` is more than [`INLINE_MAX`].
    pub fn extend_inline(&mut self, len: usize) {
        assert!(len <= INLINE_MAX);
        let Some(old) = self.inline_mut().map(|bytes| bytes.len()).filter(|old| *old < len) else { return };
        let (meta, key_len) = (self.header().meta, self.key_len());
        if size_class(size_of_pair(meta, key_len, old)) == size_class(size_of_pair(meta, key_len, len)) {
            // SAFETY: the class is the same, so the allocation has room for `len` bytes of value.
            unsafe { self.inline_ptr().add(old).write_bytes(0, len - old) };
            self.header_mut().value_len = len as u16;
            return;
        }
        let mut new = Self::new_zeroed(self.key(), len, self.deadline());
        if let (Some(to), Value::Str(from)) = (new.inline_mut(), self.value()) {
            to[..old].copy_from_slice(from);
        }
        new.set_access(meta >> ACCESS_SHIFT);
        *self = new;
    }

    /// The structured value, if that is what the pair holds.
    #[inline]
    pub fn object_mut(&mut self) -> Option<&mut O> {
        if self.header().meta & KIND != KIND_OBJECT {
            return None;
        }
        // SAFETY: an object pair's word is the box it owns, and `&mut self` is the only way in.
        Some(unsafe { &mut **self.word_ptr().cast::<*mut O>() })
    }

    /// Whether a modification has made this short string what Redis calls `raw`.
    pub fn is_raw(&self) -> bool {
        self.header().meta & RAW != 0
    }

    /// Says that a modification has made this string what Redis calls `raw`.
    pub fn set_raw(&mut self) {
        self.header_mut().meta |= RAW;
    }

    /// The 25 bits that the last access has left.
    #[inline(always)]
    pub fn access(&self) -> u32 {
        self.header().meta >> ACCESS_SHIFT
    }

    /// Sets the 25 bits that an access leaves, touching the cache line only when they change.
    #[inline(always)]
    pub fn set_access(&mut self, access: u32) {
        let meta = self.header().meta;
        let new = meta & FLAGS | access << ACCESS_SHIFT;
        if new != meta {
            self.header_mut().meta = new;
        }
    }

    /// Whether it has a deadline, from the pointer alone.
    #[inline(always)]
    pub fn is_volatile(&self) -> bool {
        self.0.addr().get() & TAG_VOLATILE != 0
    }

    /// Unix time in milliseconds after which the key is gone, or [`NEVER`].
    #[inline(always)]
    pub fn deadline(&self) -> i64 {
        if !self.is_volatile() {
            return NEVER;
        }
        // SAFETY: a volatile pair has its deadline behind the header.
        unsafe { self.base().add(size_of::<Header>()).cast::<i64>().read() }
    }

    /// Gives the pair a deadline, or takes it away with [`NEVER`].
    pub fn set_deadline(&mut self, deadline: i64) {
        if self.is_volatile() && deadline != NEVER {
            // SAFETY: a volatile pair has its deadline behind the header.
            unsafe { self.base().add(size_of::<Header>()).cast::<i64>().write(deadline) };
        } else if self.is_volatile() != (deadline != NEVER) {
            let kept = self.header().meta & (!FLAGS | RAW);
            let mut new = match self.take_value() {
                Taken::Inline => match self.value() {
                    Value::Str(v) => Self::new_inline(self.key(), v, deadline),
                    _ => unreachable!("taken as inline"),
                },
                Taken::Int(n) => Self::new_int(self.key(), n, deadline),
                Taken::Object(o) => Self::new_object(self.key(), o, deadline),
            };
            new.header_mut().meta |= kept;
            *self = new;
        }
    }

    /// Makes the value this short string, in place where the size class allows it; keeps key, access and deadline.
    ///
    /// # Panics
    /// When `value` is longer than [`INLINE_MAX`].
    #[inline]
    pub fn set_inline(&mut self, value: &[u8]) {
        assert!(value.len() <= INLINE_MAX);
        let header = self.header();
        let meta = header.meta;
        if meta & KIND == KIND_INLINE {
            let key_len = self.key_len();
            let old = size_of_pair(meta, key_len, usize::from(header.value_len));
            if size_class(old) == size_class(size_of_pair(meta, key_len, value.len())) {
                // SAFETY: the class is the same, so the allocation has room for it; `value` is borrowed and so lies elsewhere.
                unsafe { ptr::copy_nonoverlapping(value.as_ptr(), self.inline_ptr(), value.len()) };
                let header = self.header_mut();
                header.value_len = value.len() as u16;
                header.meta &= !RAW;
                return;
            }
        }
        let mut new = Self::new_inline(self.key(), value, self.deadline());
        new.set_access(meta >> ACCESS_SHIFT);
        *self = new;
    }

    /// Makes the value this number; keeps key, access and deadline.
    #[inline]
    pub fn set_int(&mut self, value: i64) {
        let meta = self.header().meta;
        if meta & KIND == KIND_INT {
            // SAFETY: an integer pair has a word.
            unsafe { self.word_ptr().write(value as u64) };
            return;
        }
        let mut new = Self::new_int(self.key(), value, self.deadline());
        new.set_access(meta >> ACCESS_SHIFT);
        *self = new;
    }

    /// Makes the value this object; keeps key, access and deadline.
    pub fn set_object(&mut self, value: Box<O>) {
        let mut new = Self::new_object(self.key(), value, self.deadline());
        new.set_access(self.access());
        *self = new;
    }

    /// The same value and deadline under another key, without copying a structured value.
    pub fn rename(mut self, key: &[u8]) -> Self {
        let deadline = self.deadline();
        let kept = self.header().meta & (!FLAGS | RAW);
        let mut new = match self.take_value() {
            Taken::Inline => match self.value() {
                Value::Str(v) => Self::new_inline(key, v, deadline),
                _ => unreachable!("taken as inline"),
            },
            Taken::Int(n) => Self::new_int(key, n, deadline),
            Taken::Object(o) => Self::new_object(key, o, deadline),
        };
        new.header_mut().meta |= kept;
        new
    }

    /// Takes the structured value out and leaves the number 0 behind.
    pub fn take_object(&mut self) -> Option<Box<O>> {
        match self.take_value() {
            Taken::Object(object) => Some(object),
            _ => None,
        }
    }

    fn take_value(&mut self) -> Taken<O> {
        match self.header().meta & KIND {
            KIND_INLINE => Taken::Inline,
            // SAFETY: an integer pair has a word.
            KIND_INT => Taken::Int(unsafe { self.word_ptr().read() } as i64),
            _ => {
                let word = self.word_ptr();
                // SAFETY: the word is the box this pair owns; turning the pair into the number 0 in the same breath gives it away once.
                let object = unsafe { Box::from_raw(word.cast::<*mut O>().read()) };
                // SAFETY: as above: the word is there in both kinds.
                unsafe { word.write(0) };
                let header = self.header_mut();
                header.meta = header.meta & !KIND | KIND_INT;
                Taken::Object(object)
            }
        }
    }

    /// What TYPE answers.
    pub fn type_name(&self) -> &'static str {
        match self.value() {
            Value::Object(object) => object.type_name(),
            Value::Int(_) | Value::Str(_) => "string",
        }
    }

    /// What OBJECT ENCODING answers.
    pub fn encoding(&self) -> &'static str {
        match self.value() {
            Value::Int(_) => "int",
            Value::Str(s) if s.len() <= EMBSTR_MAX && !self.is_raw() => "embstr",
            Value::Str(_) => "raw",
            Value::Object(object) => object.encoding(),
        }
    }

    /// A copy of value and deadline under another key.
    pub fn copy_as(&self, key: &[u8]) -> Self {
        let deadline = self.deadline();
        let mut new = match self.value() {
            Value::Int(n) => Self::new_int(key, n, deadline),
            Value::Str(s) => Self::new_inline(key, s, deadline),
            Value::Object(object) => Self::new_object(key, Box::new(object.clone()), deadline),
        };
        if self.is_raw() {
            new.set_raw();
        }
        new
    }

    /// Moves the pair's own allocation and the box of what hangs off it, if that pays.
    fn relocate_own(&mut self, mover: &mut Mover) {
        let Some(base) = NonNull::new(self.base()) else { return };
        // SAFETY: the allocation is of the class that its header tells, as in `drop`, and nothing but this pointer leads to it. It is tagged as before.
        if let Some(new) = unsafe { mover.moved(base, layout(self.allocated())) } {
            let tag = self.0.addr().get() & TAG_VOLATILE;
            self.0 = new.map_addr(|a| a | tag);
        }
        if self.header().meta & KIND == KIND_OBJECT {
            // SAFETY: an object pair's word is the box it owns, which is a pointer, and `&mut self` is the only way in.
            mover.boxed(unsafe { &mut *self.word_ptr().cast::<Box<O>>() });
        }
    }

    /// Bytes of the pair's own allocation, without what hangs off it.
    pub fn allocated(&self) -> usize {
        let header = self.header();
        size_class(size_of_pair(header.meta, self.key_len(), usize::from(header.value_len)))
    }

    /// Prefetches the pair's first cache lines: a short pair lies across two of them half of the time.
    #[inline(always)]
    pub fn prefetch(&self) {
        super::prefetch::read(self.base());
        super::prefetch::read(self.base().wrapping_add(56));
    }
}

impl<O: Held + Relocate> Relocate for Pair<O> {
    fn relocate(&mut self, from: Place, mover: &mut Mover) -> Option<Place> {
        if from == Place::default() {
            self.relocate_own(mover);
        }
        self.object_mut()?.relocate(from, mover)
    }
}

enum Taken<O> {
    Inline,
    Int(i64),
    Object(Box<O>),
}

/// Bytes in front of the word (or of the key, where there is none).
#[inline(always)]
fn prefix(meta: u32) -> usize {
    let fields = meta & (VOLATILE | LONG);
    size_of::<Header>() + if fields == 0 { 0 } else { 8 * fields.count_ones() as usize }
}

#[inline(always)]
fn size_of_pair(meta: u32, key_len: usize, value_len: usize) -> usize {
    prefix(meta) + if meta & KIND == KIND_INLINE { value_len } else { 8 } + key_len
}

impl<O: Held> Drop for Pair<O> {
    #[inline]
    fn drop(&mut self) {
        if self.header().meta & KIND == KIND_OBJECT {
            drop(self.take_value());
        }
        let size = self.allocated();
        // SAFETY: allocated in `allocate` with the layout of the same size class: in-place writes keep the class, and int and object entries are of one size.
        unsafe { dealloc(self.base(), layout(size)) };
    }
}

impl<O: Held> Slot for Pair<O> {
    #[inline(always)]
    fn key(&self) -> &[u8] {
        Pair::key(self)
    }

    #[inline(always)]
    fn deadline(&self) -> i64 {
        Pair::deadline(self)
    }

    #[inline(always)]
    fn is_volatile(&self) -> bool {
        Pair::is_volatile(self)
    }

    fn values(&self) -> usize {
        if let Value::Object(object) = self.value() { object.values() } else { 1 }
    }

    fn bytes(&self) -> usize {
        const SAMPLES: usize = 5;
        self.allocated() + if let Value::Object(object) = self.value() { object.allocated(SAMPLES) } else { 0 }
    }

    #[inline(always)]
    fn prefetch(&self) {
        Pair::prefetch(self);
    }

    #[inline(always)]
    fn prefetch_whole(&self) {
        Pair::prefetch(self);
        super::prefetch::read(self.base().wrapping_add(120));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Text = Pair<Bytes>;
    use proptest::prelude::*;

    fn text(pair: &Text) -> Vec<u8> {
        match pair.value() {
            Value::Int(n) => n.to_string().into_bytes(),
            Value::Str(s) => s.to_vec(),
            Value::Object(object) => object.bytes().map(|b| b.to_vec()).unwrap_or_default(),
        }
    }

    #[test]
    fn zeros_are_an_ordinary_short_string() {
        let mut pair = Text::new_zeroed(b"key", 300, 5);
        assert_eq!((text(&pair), pair.is_raw(), pair.deadline()), (vec![0; 300], true, 5));
        assert_eq!(pair.allocated(), Text::new_inline(b"key", &[1; 300], 5).allocated());
        assert!(pair.inline_mut().is_some_and(|bytes| bytes.len() == 300));
        assert!(Text::new_int(b"key", 1, NEVER).inline_mut().is_none());
    }

    #[test]
    fn a_short_pair_takes_forty_bytes() {
        assert_eq!(Text::new_inline(&[b'k'; 16], &[b'v'; 16], NEVER).allocated(), 40);
        assert_eq!(Text::new_inline(&[b'k'; 16], &[b'v'; 16], 5).allocated(), 48);
        assert_eq!(Text::new_int(&[b'k'; 16], 7, NEVER).allocated(), 32);
        assert_eq!(size_of::<Option<Text>>(), 8);
    }

    #[derive(Clone, Debug)]
    enum Op {
        Inline(Vec<u8>),
        Int(i64),
        Object(Vec<u8>),
        Deadline(i64),
        Access(u32),
        Rename(Vec<u8>),
        Raw,
        Take,
        Extend(usize),
    }

    fn bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(any::<u8>(), 0..max)
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            4 => bytes(300).prop_map(Op::Inline),
            1 => any::<i64>().prop_map(Op::Int),
            1 => bytes(100).prop_map(Op::Object),
            1 => prop_oneof![Just(NEVER), 0..1_000_000i64].prop_map(Op::Deadline),
            1 => (0..1u32 << 24).prop_map(Op::Access),
            1 => prop_oneof![bytes(80), Just(vec![7; 70_000])].prop_map(Op::Rename),
            1 => Just(Op::Raw),
            1 => Just(Op::Take),
            2 => (0..400usize).prop_map(Op::Extend),
        ]
    }

    proptest! {
        #[test]
        fn an_pair_behaves_as_its_fields_would(key in bytes(40), ops in proptest::collection::vec(op(), 0..40)) {
            let mut pair = Text::new_inline(&key, b"first", NEVER);
            let (mut key, mut value, mut deadline, mut access) = (key, b"first".to_vec(), NEVER, 0);
            for op in ops {
                match op {
                    Op::Inline(v) => { pair.set_inline(&v); prop_assert!(!pair.is_raw()); value = v }
                    Op::Int(n) => { pair.set_int(n); value = n.to_string().into_bytes() }
                    Op::Object(v) => { pair.set_object(Box::new(Bytes::from(v.clone()))); value = v }
                    Op::Deadline(d) => { pair.set_deadline(d); deadline = d }
                    Op::Access(a) => { pair.set_access(a); access = a }
                    Op::Rename(k) => { pair = pair.rename(&k); key = k }
                    Op::Raw => { pair.set_raw(); let d = pair.deadline(); pair.set_deadline(NEVER); pair.set_deadline(d); prop_assert!(pair.is_raw()) }
                    Op::Extend(len) => {
                        pair.extend_inline(len);
                        if let Some(bytes) = pair.inline_mut() {
                            value.resize(value.len().max(len), 0);
                            if let (Some(byte), Some(model)) = (bytes.last_mut(), value.last_mut()) { *byte ^= 1; *model ^= 1 }
                        }
                    }
                    Op::Take => if let Some(object) = pair.take_object() { prop_assert_eq!(object.bytes().map(|b| &b[..]), Some(&value[..])); value = b"0".to_vec() }
                }
                prop_assert_eq!(pair.key(), &key[..]);
                prop_assert_eq!(text(&pair), &value[..]);
                prop_assert_eq!(pair.deadline(), deadline);
                prop_assert_eq!(pair.access(), access);
                prop_assert_eq!(pair.is_volatile(), deadline != NEVER);
            }
        }
    }
}
