//! The servers' own log: its lines belong to the trace, and its errors are violations, since nothing here gives a reason for one.

use super::trace::{self, trace};
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::{
    cell::{Cell, RefCell},
    sync::Once,
};

thread_local! {
    /// The node whose turn it is.
    static NODE: Cell<usize> = const { Cell::new(0) };
    static ERROR: RefCell<Option<String>> = const { RefCell::new(None) };
}

struct ToTrace;

impl Log for ToTrace {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        if record.level() == Level::Error {
            ERROR.with_borrow_mut(|error| *error = Some(record.args().to_string()));
        }
        if trace::keeps() {
            trace!("{:>12} n{} | {}", "", NODE.get(), record.args());
        }
    }

    fn flush(&self) {}
}

/// Begins to listen.
pub fn init() {
    static LOGGER: ToTrace = ToTrace;
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&LOGGER).expect("nobody else logs here");
        log::set_max_level(LevelFilter::Info);
    });
    ERROR.take();
}

/// Whose lines are to come.
pub fn is_about(node: usize) {
    NODE.set(node);
}

/// The last error that was logged, if that has not been asked for.
pub fn take_error() -> Option<String> {
    ERROR.take()
}
