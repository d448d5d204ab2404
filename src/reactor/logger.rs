//! Logging in Redis's line format, `pid:role day month year time.ms level message`, or in those of `log-format`; to a file that may be renamed
//! meanwhile, and to syslog when that is asked for.

use super::report;
use crate::config::{Config, LogFormat, LogLevel, LogTimestampFormat, SyslogFacility, hide_user_data};
use env_logger::{Builder, Target};
use log::{Level, LevelFilter};
use std::{
    env,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::{fd::AsRawFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};
use syslog::{Facility, Formatter3164, Logger, LoggerBackend};

/// The settings as bytes of their own, read at every line.
static FORMAT: AtomicU8 = AtomicU8::new(LogFormat::Legacy as u8);
static TIMESTAMPS: AtomicU8 = AtomicU8::new(LogTimestampFormat::Legacy as u8);
static IS_REPLICA: AtomicBool = AtomicBool::new(false);

/// A line may name who has written it: a primary or a replica.
pub fn note_role(is_replica: bool) {
    IS_REPLICA.store(is_replica, Ordering::Relaxed);
}

/// Starts logging to the file the settings name, or to standard output.
pub fn init(config: &Config) -> io::Result<()> {
    let mut builder = Builder::new();
    // The level is checked by `log` itself, so that CONFIG SET loglevel can change it.
    builder.filter_level(LevelFilter::Trace).write_style(env_logger::WriteStyle::Never);
    if config.logfile.is_empty() {
        builder.target(Target::Stdout);
    } else {
        builder.target(Target::Pipe(Box::new(LogFile::open(&config.logfile)?)));
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
        let is = |setting: &AtomicU8, choice: u8| setting.load(Ordering::Relaxed) == choice;
        let time = if is(&TIMESTAMPS, LogTimestampFormat::Iso8601 as u8) {
            super::daemon::local_time_iso()
        } else if is(&TIMESTAMPS, LogTimestampFormat::Milliseconds as u8) {
            SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis().to_string()
        } else {
            super::daemon::local_time()
        };
        let (pid, is_replica) = (std::process::id(), IS_REPLICA.load(Ordering::Relaxed));
        let (mark, level) = match record.level() {
            Level::Error | Level::Warn => ('#', "warning"),
            Level::Info => ('*', "notice"),
            Level::Debug => ('-', "info"),
            Level::Trace => ('.', "debug"),
        };
        let role = if is_replica { "replica" } else { "primary" };
        if is(&FORMAT, LogFormat::Json as u8) {
            let message = json_text(&record.args().to_string());
            writeln!(out, r#"{{"pid":{pid},"role":"{role}","timestamp":"{time}","level":"{level}","message":"{message}"}}"#)
        } else if is(&FORMAT, LogFormat::Logfmt as u8) {
            let message = logfmt_text(&record.args().to_string());
            writeln!(out, r#"pid={pid} role={role} timestamp="{time}" level={level} message="{message}""#)
        } else {
            writeln!(out, "{pid}:{} {time} {mark} {}", if is_replica { 'S' } else { 'M' }, record.args())
        }
    });
    let _ = builder.try_init();
    note_role(config.replicaof.is_some());
    set(config);
    Ok(())
}

/// Text as it stands between the quotes of a string of JSON.
fn json_text(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '"' | '\\' => safe.extend(['\\', char]),
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            '\t' => safe.push_str("\\t"),
            char if char.is_control() => safe.push_str(&format!("\\u{:04x}", char as u32)),
            char => safe.push(char),
        }
    }
    safe
}

/// Text as Valkey puts it between the quotes of logfmt: on one line, without a quote.
fn logfmt_text(text: &str) -> String {
    text.replace('"', "'").replace(['\n', '\r'], " ")
}

/// The file that is logged to. What rotates logs renames it, and expects that the next line begins a new one of its name.
struct LogFile {
    /// Absolute: `dir` may change.
    path: PathBuf,
    file: File,
    /// Device and number of what is open.
    id: (u64, u64),
}

impl LogFile {
    fn open(path: &str) -> io::Result<Self> {
        let path = env::current_dir()?.join(path);
        let (file, id) = Self::open_file(&path)?;
        report::set_log(file.as_raw_fd());
        Ok(Self { path, file, id })
    }

    fn open_file(path: &Path) -> io::Result<(File, (u64, u64))> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let data = file.metadata()?;
        Ok((file, (data.dev(), data.ino())))
    }

    /// Opens the file anew if its name is another's, or nobody's. As long as that fails the one that is open will do.
    fn follow_name(&mut self) {
        if fs::metadata(&self.path).is_ok_and(|data| (data.dev(), data.ino()) == self.id) {
            return;
        }
        if let Ok((file, id)) = Self::open_file(&self.path) {
            // A handler of signals must not find the descriptor closed.
            report::set_log(file.as_raw_fd());
            (self.file, self.id) = (file, id);
        }
    }
}

impl Write for LogFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.follow_name();
        self.file.write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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

/// Logs as the settings say from now on.
pub fn set(config: &Config) {
    FORMAT.store(config.log_format as u8, Ordering::Relaxed);
    TIMESTAMPS.store(config.log_timestamp_format as u8, Ordering::Relaxed);
    hide_user_data(config.hide_user_data_from_log);
    log::set_max_level(match config.loglevel {
        LogLevel::Debug => LevelFilter::Trace,
        LogLevel::Verbose => LevelFilter::Debug,
        LogLevel::Notice => LevelFilter::Info,
        LogLevel::Warning => LevelFilter::Warn,
        LogLevel::Nothing => LevelFilter::Off,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_text_is_escaped_or_replaced() {
        assert_eq!(json_text("a \"b\" \\ \n\t\u{1}é"), r#"a \"b\" \\ \n\t\u0001é"#);
        assert_eq!(logfmt_text("a \"b\"\nc=d"), "a 'b' c=d");
    }
}
