//! Logging in Redis's line format, `pid:role day month year time.ms level message`, and to syslog when that is asked for.

use crate::config::{Config, LogLevel, SyslogFacility};
use env_logger::{Builder, Target};
use log::{Level, LevelFilter};
use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::fd::AsRawFd,
    sync::Mutex,
};
use syslog::{Facility, Formatter3164, Logger, LoggerBackend};

/// Starts logging to the file the settings name, or to standard output.
pub fn init(config: &Config) -> io::Result<()> {
    let mut builder = Builder::new();
    // The level is checked by `log` itself, so that CONFIG SET loglevel can change it.
    builder.filter_level(LevelFilter::Trace).write_style(env_logger::WriteStyle::Never);
    if config.logfile.is_empty() {
        builder.target(Target::Stdout);
    } else {
        let file = OpenOptions::new().create(true).append(true).open(&config.logfile)?;
        // It is never closed.
        super::report::set_log(file.as_raw_fd());
        builder.target(Target::Pipe(Box::new(file)));
    }
    let syslog = config.syslog_enabled.then(|| open_syslog(config)).transpose()?.map(Mutex::new);
    builder.format(move |out, record| {
        if let Some(syslog) = &syslog
            && let Ok(mut syslog) = syslog.lock()
        {
            let text = record.args().to_string();
            // A system without a reader of its log is no reason to stop, nor one that can be logged.
            let _ = match record.level() {
                Level::Error | Level::Warn => syslog.warning(text),
                Level::Info => syslog.notice(text),
                Level::Debug => syslog.info(text),
                Level::Trace => syslog.debug(text),
            };
        }
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

fn open_syslog(config: &Config) -> io::Result<Logger<LoggerBackend, Formatter3164>> {
    let facility = match config.syslog_facility {
        SyslogFacility::User => Facility::LOG_USER,
        SyslogFacility::Local0 => Facility::LOG_LOCAL0,
        SyslogFacility::Local1 => Facility::LOG_LOCAL1,
        SyslogFacility::Local2 => Facility::LOG_LOCAL2,
        SyslogFacility::Local3 => Facility::LOG_LOCAL3,
        SyslogFacility::Local4 => Facility::LOG_LOCAL4,
        SyslogFacility::Local5 => Facility::LOG_LOCAL5,
        SyslogFacility::Local6 => Facility::LOG_LOCAL6,
        SyslogFacility::Local7 => Facility::LOG_LOCAL7,
    };
    let formatter = Formatter3164 { facility, hostname: None, process: config.syslog_ident.clone(), pid: std::process::id() };
    syslog::unix(formatter).map_err(|e| io::Error::other(format!("syslog: {e}")))
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
