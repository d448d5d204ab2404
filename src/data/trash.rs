//! What is too large to be freed at once: it waits here, and is freed in slices between events.
//!
//! Whoever drops a large collection need not know. Its `Drop` brings the contents here, whether the key was deleted, overwritten or
//! expired. The queue belongs to the thread, as the destructors that fill it do; nothing observable depends on it but memory.

use std::{cell::RefCell, collections::VecDeque};

/// Elements from which a collection is not freed at once.
pub const LARGE: usize = 4096;

/// What can be freed a little at a time.
#[allow(clippy::len_without_is_empty)] // what is empty is not here
pub trait Garbage {
    /// Frees some hundred elements; `false` when nothing is left.
    fn free_slice(&mut self) -> bool;
    /// Elements that are left.
    fn len(&self) -> usize;
}

#[derive(Default)]
struct Heap {
    waiting: VecDeque<Box<dyn Garbage>>,
    /// Values that have been freed: INFO's `lazyfreed_objects`.
    freed: u64,
}

thread_local! {
    static HEAP: RefCell<Heap> = RefCell::default();
}

/// Leaves something to be freed later.
pub fn leave(garbage: impl Garbage + 'static) {
    let mut garbage = Some(Box::new(garbage));
    let kept = HEAP.try_with(|heap| heap.borrow_mut().waiting.extend(garbage.take().map(|g| g as Box<dyn Garbage>)));
    // At the thread's end there is no later.
    if let (Err(_), Some(mut garbage)) = (kept, garbage) {
        while garbage.free_slice() {}
    }
}

/// Frees a slice of what waits; `false` when nothing does.
pub fn free_slice() -> bool {
    // What is freed may itself leave something, so nothing is borrowed meanwhile.
    let Some(mut first) = HEAP.with(|heap| heap.borrow_mut().waiting.pop_front()) else { return false };
    let more = first.free_slice();
    HEAP.with(|heap| {
        let mut heap = heap.borrow_mut();
        if more {
            heap.waiting.push_front(first);
        } else {
            heap.freed += 1;
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
    HEAP.with(|heap| heap.borrow().waiting.len())
}

/// Values freed in slices so far.
pub fn freed() -> u64 {
    HEAP.with(|heap| heap.borrow().freed)
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
    }

    #[test]
    fn garbage_goes_in_slices_and_may_leave_more() {
        leave(Nested(3));
        let mut slices = 1;
        while free_slice() {
            slices += 1;
        }
        assert_eq!((slices, freed(), pending()), (4, 2, 0));
    }
}
