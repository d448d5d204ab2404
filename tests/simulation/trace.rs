//! What happened, for whoever has to find out why a seed failed.
//!
//! A run only sums up its trace in a number. When it fails it is run again, and then every line is kept: a seed replays exactly, and the
//! number proves it.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    hash::{DefaultHasher, Hash, Hasher},
};

/// Lines kept of a run that is being replayed.
const LINES_MAX: usize = 4000;

thread_local! {
    static KEEPS: Cell<bool> = const { Cell::new(false) };
    static LINES: RefCell<VecDeque<String>> = const { RefCell::new(VecDeque::new()) };
    static SUM: Cell<u64> = const { Cell::new(0) };
}

/// Begins the trace of another run.
pub fn begin(keeps: bool) {
    KEEPS.set(keeps);
    LINES.with_borrow_mut(VecDeque::clear);
    SUM.set(0);
}

/// Whether lines are kept.
pub fn keeps() -> bool {
    KEEPS.get()
}

/// Adds facts to the sum.
pub fn sum(facts: impl Hash) {
    let mut hasher = DefaultHasher::new();
    (SUM.get(), facts).hash(&mut hasher);
    SUM.set(hasher.finish());
}

/// What the run has come to.
pub fn total() -> u64 {
    SUM.get()
}

/// Keeps a line.
pub fn line(text: String) {
    LINES.with_borrow_mut(|lines| {
        if lines.len() == LINES_MAX {
            lines.pop_front();
        }
        lines.push_back(text);
    });
}

/// The last lines.
pub fn lines() -> Vec<String> {
    LINES.with_borrow(|lines| lines.iter().cloned().collect())
}

/// Keeps a line, if lines are kept.
macro_rules! trace {
    ($($format:tt)*) => {
        if $crate::trace::keeps() {
            $crate::trace::line(format!($($format)*));
        }
    };
}
pub(crate) use trace;
