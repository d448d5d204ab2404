//! Keyspace notifications: what happens to keys, published to who listens (`notify-keyspace-events`).

use super::{pubsub::Message, server::Server};
use crate::{
    config::NotifyFlags,
    data::number::write_u64,
    keyspace::{Happening, Noted},
};

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

impl Server {
    /// Publishes an event of a key, if it is of a class that is asked for. What the keyspace itself has noted until now comes first.
    #[cold]
    pub fn publish_event(&mut self, db: usize, key: &[u8], letter: char, event: &str) {
        self.publish_noted();
        self.publish_one(db, key, class(letter), event);
    }

    /// Publishes what happened to keys by themselves.
    #[cold]
    pub fn publish_noted(&mut self) {
        for Noted { db, key, what } in self.keyspace.notes.take() {
            match what {
                Happening::Expired => self.publish_one(db, &key, NotifyFlags::EXPIRED, "expired"),
                Happening::FieldsExpired => self.publish_one(db, &key, NotifyFlags::HASH, "hexpired"),
                Happening::Emptied => self.publish_one(db, &key, NotifyFlags::GENERIC, "del"),
                Happening::Missed => self.publish_one(db, &key, NotifyFlags::KEY_MISS, "keymiss"),
            }
        }
    }

    fn publish_one(&mut self, db: usize, key: &[u8], class: NotifyFlags, event: &str) {
        let wanted = self.config.notify_keyspace_events;
        if !wanted.contains(class) || self.pubsub.is_empty() {
            return;
        }
        if wanted.contains(NotifyFlags::KEYSPACE) {
            self.publish(&channel("__keyspace@", db, key), &Message::Short(event.as_bytes()));
        }
        if wanted.contains(NotifyFlags::KEYEVENT) {
            self.publish(&channel("__keyevent@", db, event.as_bytes()), &Message::Short(key));
        }
    }
}

fn channel(kind: &str, db: usize, about: &[u8]) -> Vec<u8> {
    let mut name = Vec::with_capacity(kind.len() + about.len() + 8);
    name.extend_from_slice(kind.as_bytes());
    write_u64(&mut name, db as u64);
    name.extend_from_slice(b"__:");
    name.extend_from_slice(about);
    name
}
