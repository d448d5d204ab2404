//! Logging in Redis's line format: `pid:role day month year time.ms level message`.

use crate::config::{Config, LogLevel};
use env_logger::{Builder, Target};
use log::{Level, LevelFilter};
use std::{
    fs::OpenOptions,
    io::{self, Write},
};

/// Starts logging to the file the settings name, or to standard output.
pub fn init(config: &Config) -> io::Result<()> {
    let mut builder = Builder::new();
    // The level is checked by `log` itself, so that CONFIG SET loglevel can change it.
    builder.filter_level(LevelFilter::Trace).write_style(env_logger::WriteStyle::Never);
    if config.logfile.is_empty() {
        builder.target(Target::Stdout);
    } else {
        let file = OpenOptions::new().create(true).append(true).open(&config.logfile)?;
        builder.target(Target::Pipe(Box::new(file)));
    }
    builder.format(|out, record| {
        let mark = match record.level() {
            Level::Error | Level::Warn => '#',
            Level::Info => '*',
            Level::Debug => '-',
            Level::Trace => '.',
        };
        writeln!(out, "{}:M {} {mark} {}", std::process::id(), now(), record.args())
    });
    let _ = builder.try_init();
    set_level(config);
    Ok(())
}

/// Logs at the level of the settings from now on.
pub fn set_level(config: &Config) {
    log::set_max_level(match config.loglevel {
        LogLevel::Debug => LevelFilter::Trace,
        LogLevel::Verbose => LevelFilter::Debug,
        LogLevel::Notice => LevelFilter::Info,
        LogLevel::Warning => LevelFilter::Warn,
        LogLevel::Nothing => LevelFilter::Off,
    });
}

/// The local time as Redis writes it: `20 Nov 2026 22:05:01.123`.
fn now() -> String {
    super::daemon::local_time()
}
