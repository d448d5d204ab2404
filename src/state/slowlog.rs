//! SLOWLOG: the commands that took longest, newest first.

use std::collections::VecDeque;

/// Most arguments kept of a command, and most bytes of each.
const ARGS_MAX: usize = 32;
const ARG_BYTES_MAX: usize = 128;

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
    /// Adds a command and forgets the oldest beyond `keep`.
    pub fn push<'a>(
        &mut self,
        keep: usize,
        unix_seconds: i64,
        duration_us: u64,
        args: impl ExactSizeIterator<Item = &'a [u8]>,
        addr: &str,
        name: &[u8],
    ) {
        let count = args.len();
        let shown = if count > ARGS_MAX { ARGS_MAX - 1 } else { count };
        let mut kept: Vec<Vec<u8>> = args.take(shown).map(shorten).collect();
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
        self.entries.truncate(keep);
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

fn shorten(arg: &[u8]) -> Vec<u8> {
    if arg.len() <= ARG_BYTES_MAX {
        return arg.to_vec();
    }
    let mut kept = arg[..ARG_BYTES_MAX].to_vec();
    kept.extend_from_slice(format!("... ({} more bytes)", arg.len() - ARG_BYTES_MAX).as_bytes());
    kept
}
