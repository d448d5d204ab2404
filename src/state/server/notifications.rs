//! What happens to keys is published.

use super::Server;
use crate::{
    config::NotifyFlags,
    keyspace::{Cause, Happening, News, Noted},
    state::{
        notifications::{Event, channel, class},
        pubsub::Message,
    },
};

impl Server {
    /// Tells everybody who listens that a key has changed, and subscribers what has happened.
    #[inline(always)]
    pub fn key_changed(&mut self, db: usize, key: &[u8], cause: Cause, event: Event) {
        self.keyspace.key_changed(db, key, cause);
        self.notify(db, key, event);
    }

    /// Tells subscribers of an event of a key, if it is of a class that is asked for.
    #[inline(always)]
    pub fn notify(&mut self, db: usize, key: &[u8], event: Event) {
        if self.config.notify_keyspace_events != NotifyFlags::NONE {
            self.publish_event(db, key, event);
        }
    }

    /// What the keyspace itself has noted until now comes first.
    #[cold]
    fn publish_event(&mut self, db: usize, key: &[u8], Event(letter, event): Event) {
        if self.keyspace.is_rehearsing() || self.keyspace.notes.is_off {
            return;
        }
        self.publish_noted();
        self.publish_one(db, key, class(letter), event);
    }

    /// Tells clients what is noted for them: what happened to keys by themselves, and which copies are stale.
    #[cold]
    pub fn publish_noted(&mut self) {
        for news in self.keyspace.notes.take() {
            match news {
                News::Happened(noted) => self.publish_happening(&noted),
                News::Stale(stale) => self.invalidate(&stale),
                News::AllStale => self.invalidate_all(),
            }
        }
    }

    fn publish_happening(&mut self, Noted { db, key, what }: &Noted) {
        let (class, event) = match what {
            Happening::Expired => (NotifyFlags::EXPIRED, "expired"),
            Happening::FieldsExpired => (NotifyFlags::HASH, "hexpired"),
            Happening::Emptied => (NotifyFlags::GENERIC, "del"),
            Happening::Evicted => (NotifyFlags::EVICTED, "evicted"),
            Happening::Missed => (NotifyFlags::KEY_MISS, "keymiss"),
        };
        self.publish_one(*db, key, class, event);
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
