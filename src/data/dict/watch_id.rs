//! Names of those who walk over a table.

use std::cell::Cell;

thread_local! {
    static NAMES: Cell<u64> = const { Cell::new(0) };
}

/// Names a walk over a table, or a watch on one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchId(u64);

impl WatchId {
    /// One that nobody else in this thread has.
    pub fn new() -> Self {
        NAMES.with(|names| {
            names.set(names.get() + 1);
            Self(names.get())
        })
    }
}

impl Default for WatchId {
    fn default() -> Self {
        Self::new()
    }
}
