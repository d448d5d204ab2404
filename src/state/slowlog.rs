//! SLOWLOG: the commands that took longest, newest first.

use crate::config::Config;
use std::collections::VecDeque;

/// How much is kept.
pub struct SlowlogLimits {
    /// Commands.
    pub entries: usize,
    /// Arguments of each.
    pub args: usize,
    /// Bytes of each argument.
    pub arg_bytes: usize,
}

impl SlowlogLimits {
    /// What the settings allow.
    pub fn of(config: &Config) -> Self {
        Self { entries: config.slowlog_max_len, args: config.slowlog_entry_max_argc, arg_bytes: config.slowlog_entry_max_string_len }
    }
}

/// One slow command.
pub struct SlowEntry {
    /// Grows by one with each entry, and is never reset.
    pub id: u64,
    /// Unix time in seconds.
    pub unix_seconds: i64,
    /// How long it took.
    pub duration_us: u64,
    /// Its arguments, shortened.
    pub args: Vec<Vec<u8>>,
    /// The client's address.
    pub addr: String,
    /// The client's name.
    pub name: Vec<u8>,
}

/// The log.
#[derive(Default)]
pub struct Slowlog {
    entries: VecDeque<SlowEntry>,
    next_id: u64,
}

impl Slowlog {
    /// Adds a command and forgets the oldest beyond the limit.
    pub fn push<'a>(
        &mut self,
        limits: &SlowlogLimits,
        unix_seconds: i64,
        duration_us: u64,
        args: impl ExactSizeIterator<Item = &'a [u8]>,
        addr: &str,
        name: &[u8],
    ) {
        let count = args.len();
        let shown = if count > limits.args { limits.args - 1 } else { count };
        let mut kept: Vec<Vec<u8>> = args.take(shown).map(|arg| shorten(arg, limits.arg_bytes)).collect();
        if count > shown {
            kept.push(format!("... ({} more arguments)", count - shown).into_bytes());
        }
        self.entries.push_front(SlowEntry {
            id: self.next_id,
            unix_seconds,
            duration_us,
            args: kept,
            addr: addr.to_owned(),
            name: name.to_owned(),
        });
        self.next_id += 1;
        self.entries.truncate(limits.entries);
    }

    /// Forgets the oldest beyond `keep`.
    pub fn keep(&mut self, keep: usize) {
        self.entries.truncate(keep);
    }

    /// Newest first.
    pub fn iter(&self) -> impl Iterator<Item = &SlowEntry> {
        self.entries.iter()
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Forgets all entries.
    pub fn clear(&mut self) {
        self.entries.clear();
    }
}

fn shorten(arg: &[u8], most: usize) -> Vec<u8> {
    if arg.len() <= most {
        return arg.to_vec();
    }
    let mut kept = arg[..most].to_vec();
    kept.extend_from_slice(format!("... ({} more bytes)", arg.len() - most).as_bytes());
    kept
}
