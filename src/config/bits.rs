//! Directives whose value is a set of letters or names.

use super::value::{Setting, ValueKind, not_among, only_word};
use super::words::quote;

/// Which keyspace events are published, one bit a class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NotifyFlags(pub u16);

impl NotifyFlags {
    pub const NONE: NotifyFlags = NotifyFlags(0);
    pub const KEYSPACE: NotifyFlags = NotifyFlags(1);
    pub const KEYEVENT: NotifyFlags = NotifyFlags(1 << 1);
    pub const GENERIC: NotifyFlags = NotifyFlags(1 << 2);
    pub const STRING: NotifyFlags = NotifyFlags(1 << 3);
    pub const LIST: NotifyFlags = NotifyFlags(1 << 4);
    pub const SET: NotifyFlags = NotifyFlags(1 << 5);
    pub const HASH: NotifyFlags = NotifyFlags(1 << 6);
    pub const ZSET: NotifyFlags = NotifyFlags(1 << 7);
    pub const EXPIRED: NotifyFlags = NotifyFlags(1 << 8);
    pub const EVICTED: NotifyFlags = NotifyFlags(1 << 9);
    pub const STREAM: NotifyFlags = NotifyFlags(1 << 10);
    pub const KEY_MISS: NotifyFlags = NotifyFlags(1 << 11);
    pub const MODULE: NotifyFlags = NotifyFlags(1 << 12);
    pub const NEW: NotifyFlags = NotifyFlags(1 << 13);

    /// The classes behind the letter `A`: all but the two channels, misses and new keys.
    pub const ALL: NotifyFlags = NotifyFlags(0b1_0111_1111_1100);

    /// Letters in the order they are shown.
    const LETTERS: [(u8, NotifyFlags); 14] = [
        (b'g', NotifyFlags::GENERIC),
        (b'$', NotifyFlags::STRING),
        (b'l', NotifyFlags::LIST),
        (b's', NotifyFlags::SET),
        (b'h', NotifyFlags::HASH),
        (b'z', NotifyFlags::ZSET),
        (b'x', NotifyFlags::EXPIRED),
        (b'e', NotifyFlags::EVICTED),
        (b't', NotifyFlags::STREAM),
        (b'd', NotifyFlags::MODULE),
        (b'n', NotifyFlags::NEW),
        (b'K', NotifyFlags::KEYSPACE),
        (b'E', NotifyFlags::KEYEVENT),
        (b'm', NotifyFlags::KEY_MISS),
    ];

    pub fn contains(self, flags: NotifyFlags) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// The shortest spelling that gives these flags back.
    fn letters(self) -> Vec<u8> {
        let all = self.contains(NotifyFlags::ALL);
        let is_written = |flag: NotifyFlags| self.contains(flag) && !(all && NotifyFlags::ALL.contains(flag));
        let written = NotifyFlags::LETTERS.iter().filter(|(_, flag)| is_written(*flag));
        all.then_some(b'A').into_iter().chain(written.map(|(letter, _)| *letter)).collect()
    }

    fn of_letter(letter: u8) -> Option<NotifyFlags> {
        if letter == b'A' {
            return Some(NotifyFlags::ALL);
        }
        let known = NotifyFlags::LETTERS.iter().find(|(known, _)| *known == letter);
        known.map(|(_, flag)| *flag)
    }
}

impl Setting for NotifyFlags {
    fn assign(&mut self, words: &[&[u8]], _: &ValueKind) -> Result<(), String> {
        let mut flags = NotifyFlags::default();
        for &letter in only_word(words)? {
            let class = NotifyFlags::of_letter(letter).ok_or("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")?;
            flags.0 |= class.0;
        }
        *self = flags;
        Ok(())
    }

    /// Behind an `A` Redis does not show the class of new keys, although `A` does not contain it.
    fn show(&self, _: &ValueKind) -> Vec<u8> {
        let mut letters = self.letters();
        if letters.starts_with(b"A") {
            letters.retain(|letter| *letter != b'n');
        }
        letters
    }

    fn lines(&self, _: &ValueKind) -> Vec<Vec<u8>> {
        vec![quote(&self.letters())]
    }
}

/// How a signal shuts the server down; none of them means: save if save points are configured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShutdownOnSignal {
    /// Save even without save points.
    pub save: bool,
    /// Do not save, whatever the save points. Excludes `save`.
    pub nosave: bool,
    /// Do not wait for lagging replicas.
    pub now: bool,
    /// Exit even when saving fails.
    pub force: bool,
}

impl ShutdownOnSignal {
    pub const NAMES: &[&str] = &["default", "save", "nosave", "now", "force"];
}

impl Setting for ShutdownOnSignal {
    fn assign(&mut self, words: &[&[u8]], _: &ValueKind) -> Result<(), String> {
        if words.is_empty() {
            return Err(not_among(ShutdownOnSignal::NAMES));
        }
        let mut chosen = ShutdownOnSignal::default();
        for word in words {
            match word.to_ascii_lowercase().as_slice() {
                b"default" => {}
                b"save" => chosen.save = true,
                b"nosave" => chosen.nosave = true,
                b"now" => chosen.now = true,
                b"force" => chosen.force = true,
                _ => return Err(not_among(ShutdownOnSignal::NAMES)),
            }
        }
        if chosen.save && chosen.nosave {
            return Err("shutdown options SAVE and NOSAVE can't be used simultaneously".into());
        }
        *self = chosen;
        Ok(())
    }

    fn show(&self, _: &ValueKind) -> Vec<u8> {
        let flags = [(self.save, "save"), (self.nosave, "nosave"), (self.now, "now"), (self.force, "force")];
        let names: Vec<&str> = flags.iter().filter(|(set, _)| *set).map(|(_, name)| *name).collect();
        if names.is_empty() { "default".into() } else { names.join(" ").into() }
    }
}
