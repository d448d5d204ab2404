//! The process's title, as `ps` shows it (`proc-title-template`).
//!
//! Linux shows what lies where the arguments were when the process began. The environment follows them there, so a title has as much
//! room as both took; [`super::daemon::move_environment`] has taken the environment elsewhere by then. The room is written through
//! `/proc/self/mem`.

use crate::config::{Config, expand_title};
use std::{fs, os::unix::fs::FileExt};

/// Where a title goes.
pub struct Title {
    /// The program's name, as it was called.
    name: String,
    /// Path of the configuration file, or empty.
    config_file: String,
    /// Address of the first byte, and how many there are.
    room: Option<(u64, usize)>,
}

impl Title {
    /// The room that this process has, if anybody knows.
    pub fn new(config_file: &str) -> Self {
        let name = std::env::args().next().unwrap_or_default();
        Self { name, config_file: config_file.to_owned(), room: room() }
    }

    /// Shows the title that the settings ask for. One that is too long ends early.
    pub fn show(&self, config: &Config) {
        let Some((start, len)) = self.room.filter(|(_, len)| config.set_proc_title && *len > 1) else { return };
        let Some(mut title) = expand_title(&config.proc_title_template, |variable| self.value(config, variable)).map(String::into_bytes)
        else {
            return;
        };
        title.truncate(len - 1);
        title.resize(len, 0);
        if let Ok(memory) = fs::OpenOptions::new().write(true).open("/proc/self/mem") {
            // Without it the title stays what it was: nobody depends on it.
            let _ = memory.write_all_at(&title, start);
        }
    }

    fn value(&self, config: &Config, variable: &str) -> Option<String> {
        let unixsocket = || config.unixsocket.clone().unwrap_or_default();
        Some(match variable {
            "title" => self.name.clone(),
            "listen-addr" if config.port == 0 && config.tls_port == 0 => format!("unixsocket:{}", unixsocket()),
            "listen-addr" => format!(
                "{}:{}",
                config.bind.first().map_or("*", String::as_str),
                if config.port == 0 { config.tls_port } else { config.port }
            ),
            "server-mode" => String::new(),
            "port" => config.port.to_string(),
            "tls-port" => config.tls_port.to_string(),
            "unixsocket" => unixsocket(),
            "config-file" if self.config_file.is_empty() => "-".to_owned(),
            "config-file" => self.config_file.clone(),
            _ => return None,
        })
    }
}

/// Where arguments and environment were when the process began: fields 48 to 51 of its line in /proc, which follow one another.
fn room() -> Option<(u64, usize)> {
    let line = fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is a name in brackets that may have blanks in it.
    let (_, rest) = line.rsplit_once(") ")?;
    let fields: Vec<u64> = rest.split_ascii_whitespace().skip(48 - 3).filter_map(|field| field.parse().ok()).collect();
    let [arg_start, arg_end, env_start, env_end, ..] = fields[..] else { return None };
    let end = if env_start == arg_end { env_end } else { arg_end };
    Some((arg_start, usize::try_from(end.checked_sub(arg_start)?).ok()?))
}
