//! What is too large to be freed at once: it waits here, and is freed in slices between events.
//!
//! Whoever drops a large collection need not know. Its `Drop` brings the contents here, whether the key was deleted, overwritten or
//! expired; flushed databases come here too. The queue belongs to the thread, as the destructors that fill it do; nothing observable
//! depends on it but memory. A slice is bounded by elements, not by bytes: the allocator gives a block of any size back in some
//! microseconds, since its own thread returns the pages to the system.

use std::{cell::RefCell, collections::VecDeque};

/// Elements from which a collection is not freed at once.
pub const LARGE: usize = 1024;
/// Elements freed in a slice, one value more or less.
pub const SLICE: usize = 256;

/// What can be freed a little at a time.
#[allow(clippy::len_without_is_empty)] // what is empty is not here
pub trait Garbage {
    /// Frees some [`SLICE`] elements; `false` when nothing is left.
    fn free_slice(&mut self) -> bool;
    /// Elements that are left.
    fn len(&self) -> usize;
    /// Bytes of memory that it takes, about: some elements may stand for all.
    fn bytes(&self) -> usize;
}

struct Pile {
    garbage: Box<dyn Garbage>,
    /// Each of its elements is a key.
    keys: bool,
    /// Bytes that are left of it.
    bytes: usize,
}

impl Pile {
    /// Values that wait in it.
    fn values(&self) -> usize {
        if self.keys { self.garbage.len() } else { 1 }
    }
}

#[derive(Default)]
struct Heap {
    waiting: VecDeque<Pile>,
    /// Values that wait.
    values: usize,
    /// Bytes that wait.
    bytes: usize,
}

thread_local! {
    static HEAP: RefCell<Heap> = RefCell::default();
}

/// Leaves a value to be freed later.
pub fn leave(garbage: impl Garbage + 'static) {
    put(garbage, false);
}

/// Leaves a table of keys to be freed later.
pub fn leave_keys(garbage: impl Garbage + 'static) {
    put(garbage, true);
}

fn put(garbage: impl Garbage + 'static, keys: bool) {
    let bytes = garbage.bytes();
    let mut waiting = Some(Pile { garbage: Box::new(garbage), keys, bytes });
    let kept = HEAP.try_with(|heap| {
        let mut heap = heap.borrow_mut();
        if let Some(waiting) = waiting.take() {
            heap.values += waiting.values();
            heap.bytes += waiting.bytes;
            heap.waiting.push_back(waiting);
        }
    });
    // At the thread's end there is no later.
    if let (Err(_), Some(mut waiting)) = (kept, waiting) {
        while waiting.garbage.free_slice() {}
    }
}

/// Frees a slice of what waits; `false` when nothing does.
pub fn free_slice() -> bool {
    // What is freed may itself leave something, so nothing is borrowed meanwhile.
    let Some(mut first) = HEAP.with(|heap| heap.borrow_mut().waiting.pop_front()) else { return false };
    let (values, bytes, len) = (first.values(), first.bytes, first.garbage.len());
    let more = first.garbage.free_slice();
    let left = first.garbage.len();
    first.bytes = if more { (bytes as u128 * left as u128 / len.max(1) as u128) as usize } else { 0 };
    HEAP.with(|heap| {
        let mut heap = heap.borrow_mut();
        heap.values -= values - if more { first.values() } else { 0 };
        heap.bytes -= bytes - first.bytes;
        if more {
            heap.waiting.push_front(first);
        }
        !heap.waiting.is_empty()
    })
}

/// Whether something waits.
pub fn is_empty() -> bool {
    HEAP.with(|heap| heap.borrow().waiting.is_empty())
}

/// Values that wait.
pub fn pending() -> usize {
    HEAP.with(|heap| heap.borrow().values)
}

/// Bytes that wait, about.
pub fn pending_bytes() -> usize {
    HEAP.with(|heap| heap.borrow().bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nested(usize);

    impl Garbage for Nested {
        fn free_slice(&mut self) -> bool {
            self.0 -= 1;
            if self.0 == 2 {
                leave(Nested(1));
            }
            self.0 > 0
        }

        fn len(&self) -> usize {
            self.0
        }

        fn bytes(&self) -> usize {
            self.0 * 10
        }
    }

    #[test]
    fn garbage_goes_in_slices_and_may_leave_more() {
        leave(Nested(3));
        assert_eq!((pending(), pending_bytes()), (1, 30));
        let mut slices = 1;
        while free_slice() {
            slices += 1;
            assert!(pending() > 0 && pending_bytes() > 0);
        }
        assert_eq!((slices, pending(), pending_bytes()), (4, 0, 0));
        leave_keys(Nested(5));
        free_slice();
        assert_eq!((pending(), pending_bytes()), (4, 40));
    }
}
