//! Keyspace notifications: what happens to keys, published to who listens (`notify-keyspace-events`).

use crate::{config::NotifyFlags, data::number::write_u64};

/// The class that a letter of `notify-keyspace-events` stands for.
pub const fn class(letter: char) -> NotifyFlags {
    match letter {
        'g' => NotifyFlags::GENERIC,
        '$' => NotifyFlags::STRING,
        'l' => NotifyFlags::LIST,
        's' => NotifyFlags::SET,
        'h' => NotifyFlags::HASH,
        'z' => NotifyFlags::ZSET,
        'x' => NotifyFlags::EXPIRED,
        'e' => NotifyFlags::EVICTED,
        't' => NotifyFlags::STREAM,
        'm' => NotifyFlags::KEY_MISS,
        'n' => NotifyFlags::NEW,
        _ => NotifyFlags::MODULE,
    }
}

/// The channel that is `about` a key or an event of a database.
pub fn channel(kind: &str, db: usize, about: &[u8]) -> Vec<u8> {
    let mut name = Vec::with_capacity(kind.len() + about.len() + 8);
    name.extend_from_slice(kind.as_bytes());
    write_u64(&mut name, db as u64);
    name.extend_from_slice(b"__:");
    name.extend_from_slice(about);
    name
}

/// A keyspace event: its class (a letter of `notify-keyspace-events`) and its name.
#[derive(Clone, Copy, Debug)]
pub struct Event(pub char, pub &'static str);

/// The event of a key that was not there before; comes in front of the one that says what was done.
pub const NEW: Event = Event('n', "new");
