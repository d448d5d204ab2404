//! The end that nobody wanted: a panic, or a signal that says that something is broken. The log gets a report with the stack of calls.

use signal_hook::low_level::emulate_default_handler;
use std::{backtrace::Backtrace, panic, process};

/// Has panics reported in the log.
pub fn watch_panics() {
    panic::set_hook(Box::new(|info| report(&info.to_string())));
}

/// Writes a report to the log, between the lines by which those who watch logs know it.
pub fn report(why: &str) {
    let stack = Backtrace::force_capture();
    log::error!(
        "\n\n=== REDIS BUG REPORT START: Cut & paste starting from here ===\n\
         This is solod {}, and it crashed: {why}\n\
         ------ STACK TRACE ------\n{stack}\n\
         === REDIS BUG REPORT END. Make sure to include from START to END. ===",
        env!("CARGO_PKG_VERSION")
    );
}

/// Ends the process as this signal ends one that does not handle it, with a core file where the system keeps them.
pub fn end(signal: i32) {
    let _ = emulate_default_handler(signal);
    process::abort();
}
