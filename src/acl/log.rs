//! The log of refusals: what was denied to whom, the latest first. What repeats within a minute is one entry, unless much else was refused between.

use std::collections::VecDeque;

/// Milliseconds within which the same refusal again only counts.
const GROUPED_MS: i64 = 60_000;

/// How many of the latest entries are looked at for the same refusal, as in Redis: one is noted while somebody waits.
const LOOKED_AT: usize = 10;

/// Where a request came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// A client.
    TopLevel,
    /// A transaction.
    Multi,
    /// A script.
    Lua,
}

impl Context {
    /// As ACL LOG shows it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TopLevel => "toplevel",
            Self::Multi => "multi",
            Self::Lua => "lua",
        }
    }
}

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The password was wrong, or the user disabled.
    Auth,
    /// The command is not allowed.
    Command,
    /// The key is not allowed.
    Key,
    /// The channel is not allowed.
    Channel,
    /// The database is not allowed.
    Database,
    /// The client's certificate names no user who may authenticate.
    Certificate,
}

impl Reason {
    /// As ACL LOG shows it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Command => "command",
            Self::Key => "key",
            Self::Channel => "channel",
            Self::Database => "database",
            Self::Certificate => "tls-cert",
        }
    }
}

/// What was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// Where it came from.
    pub context: Context,
    /// The command, the key, the channel, or AUTH's command.
    pub object: Vec<u8>,
    /// Who wanted it.
    pub username: Vec<u8>,
}

/// An entry.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What was refused.
    pub refusal: Refusal,
    /// How often.
    pub count: u64,
    /// The client, as CLIENT INFO shows it, when it happened last.
    pub client: Vec<u8>,
    /// Its number: entries are counted from 0 on.
    pub id: u64,
    /// Unix milliseconds at which it happened first.
    pub created_ms: i64,
    /// Unix milliseconds at which it happened last.
    pub updated_ms: i64,
}

/// The log.
#[derive(Debug, Default)]
pub struct Log {
    entries: VecDeque<Entry>,
    next_id: u64,
}

impl Log {
    /// Takes note of a refusal; at most so many entries are kept.
    pub fn add(&mut self, refusal: Refusal, client: Vec<u8>, now_ms: i64, most: usize) {
        let same = |entry: &Entry| entry.refusal == refusal && now_ms - entry.updated_ms <= GROUPED_MS;
        let entry = match self.entries.iter().take(LOOKED_AT).position(same).and_then(|at| self.entries.remove(at)) {
            Some(old) => Entry { count: old.count + 1, client, updated_ms: now_ms, ..old },
            None => {
                let id = self.next_id;
                self.next_id += 1;
                Entry { refusal, count: 1, client, id, created_ms: now_ms, updated_ms: now_ms }
            }
        };
        self.entries.push_front(entry);
        self.entries.truncate(most);
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// The entries, the latest first.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_within_a_minute_is_one_entry() {
        let refusal = |object: &str| Refusal {
            reason: Reason::Command,
            context: Context::TopLevel,
            object: object.into(),
            username: b"alice".to_vec(),
        };
        let mut log = Log::default();
        log.add(refusal("get"), b"a".to_vec(), 1_000, 3);
        log.add(refusal("set"), b"b".to_vec(), 2_000, 3);
        log.add(refusal("get"), "c".into(), 61_000, 3);
        let shown = |log: &Log| -> Vec<_> { log.iter().map(|e| (e.id, e.count, e.created_ms, e.updated_ms, e.client.clone())).collect() };
        assert_eq!(shown(&log), [(0, 2, 1_000, 61_000, "c".into()), (1, 1, 2_000, 2_000, "b".into())]);
        log.add(refusal("set"), "d".into(), 62_001, 3);
        assert_eq!(log.iter().map(|entry| entry.id).collect::<Vec<_>>(), [2, 0, 1]);
        log.add(refusal("del"), "e".into(), 62_001, 3);
        assert_eq!(log.iter().map(|entry| entry.id).collect::<Vec<_>>(), [3, 2, 0]);
        log.clear();
        assert_eq!(log.iter().count(), 0);
    }

    #[test]
    fn what_is_far_back_is_not_looked_for() {
        let refusal = |object: usize| Refusal {
            reason: Reason::Command,
            context: Context::TopLevel,
            object: object.to_string().into_bytes(),
            username: b"alice".to_vec(),
        };
        let mut log = Log::default();
        (0..=LOOKED_AT).for_each(|object| log.add(refusal(object), Vec::new(), 0, 100));
        log.add(refusal(1), Vec::new(), 0, 100);
        assert_eq!(log.iter().next().map(|entry| entry.count), Some(2));
        log.add(refusal(0), Vec::new(), 0, 100);
        assert_eq!(log.iter().next().map(|entry| entry.count), Some(1));
    }
}
