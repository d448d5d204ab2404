//! A process that has panicked, on whichever of its threads, ends with a report in the log: never half of it goes on. Broken memory and the like are
//! done by [`super::fatal`].

use super::{fatal, report};
use crate::config::Config;
use std::{
    backtrace::Backtrace,
    panic, process,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

/// Whether the report has more than a line (`crash-log-enabled`), and whether the end is an exit with 1 (`use-exit-on-panic`).
static IS_WHOLE: AtomicBool = AtomicBool::new(true);
static EXITS: AtomicBool = AtomicBool::new(false);

/// Has panics and fatal signals reported in the log, as the settings say. Must be called by the main thread when there is a log.
pub fn watch(config: &Config) {
    fatal::give_stack();
    set(config);
    panic::set_hook(Box::new(|info| {
        say(&info.to_string());
        if EXITS.load(Ordering::Relaxed) {
            process::exit(1);
        }
        fatal::abort();
    }));
}

/// Follows the settings.
pub fn set(config: &Config) {
    IS_WHOLE.store(config.crash_log_enabled, Ordering::Relaxed);
    EXITS.store(config.use_exit_on_panic, Ordering::Relaxed);
    fatal::watch(config.crash_log_enabled);
    fatal::set_watchdog(watchdog_ms(config));
}

/// The watchdog's period in milliseconds, 0 for none: not so short that the loop itself, which sleeps until its cron is due, seems stuck.
fn watchdog_ms(config: &Config) -> u32 {
    let least = 2 * 1000 / config.hz.clamp(1, 500);
    if config.watchdog_period == 0 { 0 } else { config.watchdog_period.max(least) }
}

/// Writes a report to the log, between the lines that tools look for.
fn say(why: &str) {
    let thread = thread::current().name().unwrap_or("without a name").to_owned();
    if !IS_WHOLE.load(Ordering::Relaxed) {
        return log::error!("The thread '{thread}' {why}");
    }
    log::error!(
        "\n\n=== REDIS BUG REPORT START: Cut & paste starting from here ===\n\
         This is solod {}, and it crashed: the thread '{thread}' {why}\n\
         Build id: {}\nLast command: {}\n\
         ------ STACK TRACE ------\n{}\n\
         === REDIS BUG REPORT END. Make sure to include from START to END. ===",
        env!("CARGO_PKG_VERSION"),
        report::build_id(),
        fatal::last_command(),
        Backtrace::force_capture(),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        os::unix::process::ExitStatusExt,
        process::{Command, Stdio},
    };

    /// Names the part of [`child`] in a process of its own.
    const PART: &str = "SOLOD_TEST_CRASH";

    /// Not a test by itself: what the other one has run in another process.
    #[test]
    fn child() {
        let Ok(part) = std::env::var(PART) else { return };
        watch(&Config { use_exit_on_panic: part == "exit", ..Config::default() });
        let helper = thread::Builder::new().name("disk".into()).spawn(|| panic!("on a thread that nobody joins"));
        helper.unwrap();
        loop {
            thread::park();
        }
    }

    #[test]
    fn a_panic_on_any_thread_ends_the_process() {
        for (part, code, signal) in [("abort", None, Some(libc::SIGABRT)), ("exit", Some(1), None)] {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["--exact", "reactor::crash::tests::child", "--nocapture"]).env(PART, part);
            let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
            assert_eq!((status.code(), status.signal()), (code, signal), "{part}");
        }
    }
}
