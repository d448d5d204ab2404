//! The one place where a change of a key is told to those who listen: transactions that watch it, clients that wait for it, clients that keep copies of it, the
//! log of writes where the key went by itself, and what keyspace notifications are made of.
//!
//! Walks are told *before* a change, since they need what was there: `Keyspace::before_change` and its like in `mod.rs`.

use super::{
    Keyspace,
    contents::Contents,
    db::Db,
    gone::{Gone, Went},
    watched::WatchFlag,
};
use crate::data::{entry::Entry, rng::Rng};

/// Why a key has changed.
pub enum Cause {
    /// A command has changed its value or its deadline, added or removed it: one change, as `rdb_changes_since_last_save` counts them.
    Command,
    /// So has a command, in a way that gives nobody what he waits for: what is at the key is the same value, with no more in it.
    Unawaited,
    /// So has a command that counts its change at another key.
    SameCommand,
    /// It was past its deadline, and is gone.
    Expired,
    /// Fields of its hash were past theirs, and are gone.
    FieldsExpired {
        /// Their names.
        names: Vec<Box<[u8]>>,
        /// Whether they were the last, and the key went with them.
        emptied: bool,
    },
    /// It was evicted, and is gone.
    Evicted {
        /// The log of writes is to be told.
        logged: bool,
    },
    /// A dataset that is being loaded has another value for it.
    Loaded,
}

impl Keyspace {
    /// Tells everybody who listens that a key has changed. To be called once for each change of a key, after it.
    #[inline(always)]
    pub fn key_changed(&mut self, db: usize, key: &[u8], cause: Cause) {
        let awaited = !matches!(cause, Cause::Unawaited);
        let by_itself = matches!(cause, Cause::Expired | Cause::FieldsExpired { .. } | Cause::Evicted { .. });
        match cause {
            // No counter of 64 bits comes to its end.
            Cause::Command | Cause::Unawaited => self.dirty = self.dirty.wrapping_add(1),
            Cause::SameCommand | Cause::Loaded => (),
            Cause::Evicted { logged } => self.was_evicted(db, key, logged),
            Cause::Expired | Cause::FieldsExpired { .. } => self.went_by_itself(db, key, cause),
        }
        if self.is_listened_to() {
            self.tell(db, key, awaited, by_itself);
        }
    }

    /// Whether somebody is to be told which keys change.
    #[inline(always)]
    fn is_listened_to(&self) -> bool {
        self.watched.len() | self.awaited.len() | self.tracked.clients() != 0
    }

    #[cold]
    fn tell(&mut self, db: usize, key: &[u8], awaited: bool, by_itself: bool) {
        if self.is_rehearsing() {
            return;
        }
        self.watched.touch(db, key);
        if !self.notes.is_off {
            self.tracked.changed(key, by_itself, &mut self.notes);
        }
        if awaited {
            self.awaited.note(db, key);
        }
    }

    fn was_evicted(&mut self, db: usize, key: &[u8], logged: bool) {
        self.stats.evicted += 1;
        self.notes.evicted(db, key);
        if logged {
            self.gone.push(Gone { db, key: key.into(), went: Went::Evicted });
        }
    }

    fn went_by_itself(&mut self, db: usize, key: &[u8], cause: Cause) {
        let went = match cause {
            Cause::FieldsExpired { names, emptied } => {
                self.stats.expired_fields += names.len() as u64;
                self.notes.fields_expired(db, key, emptied);
                Went::Fields { names, emptied }
            }
            _ => {
                self.stats.expired += 1;
                self.notes.expired(db, key);
                Went::Key
            }
        };
        self.gone.push(Gone { db, key: key.into(), went });
    }

    /// Tells everybody who listens that an entry was past its deadline, and frees it.
    pub(super) fn forget_expired(&mut self, db: usize, entry: Entry) {
        self.key_changed(db, entry.key(), Cause::Expired);
    }

    /// Tells everybody who listens that databases get other contents. To be called before that: only what is there, or will be, has changed.
    pub(super) fn contents_change(&mut self, contents: Contents<'_>) {
        if self.is_rehearsing() {
            return;
        }
        let now_ms = self.now_ms;
        let change = |db: usize, new: Option<&Db>| {
            self.watched.contents_change(db, &self.dbs[db].dict, new.map(|new| &new.dict), now_ms);
        };
        match contents {
            Contents::Flush(db) => {
                change(db, None);
                self.awaited.note_all([db]);
            }
            Contents::Swap(a, b) => {
                change(a, Some(&self.dbs[b]));
                change(b, Some(&self.dbs[a]));
                self.awaited.note_all([a, b]);
            }
            Contents::Load(fresh) => {
                fresh.iter().enumerate().for_each(|(db, new)| change(db, Some(new)));
                self.awaited.note_all(0..self.dbs.len());
            }
        }
        // Those who keep copies know nothing of databases.
        if !self.notes.is_off {
            self.tracked.all_changed(&mut self.notes);
        }
    }

    /// Forgets keys that clients have read, and tells these, until there are no more than `keys_max` (0: any number), but no more than `most`.
    pub fn limit_tracked(&mut self, keys_max: usize, most: usize, rng: &mut Rng) {
        for _ in 0..most {
            if !self.is_tracked_over(keys_max) {
                return;
            }
            self.tracked.forget_one(rng, &mut self.notes);
        }
    }

    /// Whether more keys are remembered for clients than that (0: any number).
    pub fn is_tracked_over(&self, keys_max: usize) -> bool {
        keys_max != 0 && self.tracked.keys() > keys_max
    }

    /// Raises `flag` when `key`, which is `live` at this moment or not, changes. `false`: it does so already.
    pub fn watch(&mut self, db: usize, key: &[u8], live: bool, flag: &WatchFlag) -> bool {
        self.watched.watch(db, key, live, flag)
    }

    /// Number of keys that are watched.
    pub fn watched_keys(&self) -> usize {
        self.watched.len()
    }

    /// No longer raises `flag` for `key`.
    pub fn unwatch(&mut self, db: usize, key: &[u8], flag: &WatchFlag) {
        self.watched.unwatch(db, key, flag);
    }
}
