//! A key found once, to be written: what is there can be looked at, replaced or removed, and what is not can be added,
//! without a second look-up. The deadline is part of an entry's layout, so value and deadline are put together.

use super::{Access, Db};
use crate::data::{
    dict::Handle,
    entry::{Entry, NEVER, NewString},
};

/// The place of a key, found once.
pub enum Upsert<'k> {
    /// The key is there.
    Occupied(Occupied<'k>),
    /// It is not.
    Vacant(Vacant<'k>),
}

/// A live key. Changing its value marks the access; a caller that only looks and means to write calls [`Occupied::touch`]. None of the changes counts as one yet: see [`Keyspace::key_changed`](super::Keyspace::key_changed).
pub struct Occupied<'k> {
    db: &'k mut Db,
    access: &'k mut Access,
    now_ms: i64,
    handle: Handle,
    hash: u64,
}

impl<'k> Occupied<'k> {
    #[inline(always)]
    pub(super) fn new(db: &'k mut Db, access: &'k mut Access, now_ms: i64, handle: Handle, hash: u64) -> Self {
        Self { db, access, now_ms, handle, hash }
    }

    /// Marks the access.
    pub fn touch(&mut self) {
        self.access.read(self.db.dict.at_mut(self.handle), self.now_ms);
    }

    /// What is there.
    #[inline(always)]
    pub fn entry(&self) -> &Entry {
        self.db.dict.at(self.handle)
    }

    /// What is there, to change its value in place.
    #[inline(always)]
    pub fn entry_mut(&mut self) -> &mut Entry {
        let entry = self.db.dict.at_mut(self.handle);
        self.access.write(entry, self.now_ms);
        entry
    }

    /// [`Occupied::entry_mut`], for as long as the keyspace is borrowed.
    #[inline(always)]
    pub fn into_entry_mut(self) -> &'k mut Entry {
        let entry = self.db.dict.at_mut(self.handle);
        self.access.write(entry, self.now_ms);
        entry
    }

    /// Gives it a deadline (Unix ms), or takes it away with [`NEVER`]. Marks no access.
    pub fn set_deadline(&mut self, deadline: i64) {
        self.db.set_deadline_at(self.handle, self.hash, deadline);
    }

    /// Puts a string there, whatever it was, with this deadline.
    ///
    /// Without an allocation where the old value is of the same size class and the key keeps having, or not having, a deadline.
    #[inline(always)]
    pub fn put(mut self, value: NewString<'_>, deadline: i64) {
        self.db.before_overwrite(self.handle);
        let entry = self.entry_mut();
        if deadline == NEVER && !entry.is_volatile() {
            return value.store(entry);
        }
        self.put_volatile(value, deadline);
    }

    #[inline(never)]
    fn put_volatile(mut self, value: NewString<'_>, deadline: i64) {
        let entry = self.entry();
        if entry.is_volatile() && deadline != NEVER {
            self.db.set_deadline_at(self.handle, self.hash, deadline);
            return value.store(self.entry_mut());
        }
        let mut new = value.into_entry(entry.key(), deadline);
        new.set_access(entry.access());
        self.db.replace_at(self.handle, self.hash, new);
    }

    /// Takes it out.
    pub fn remove(self) -> Entry {
        self.db.remove_at(self.handle, self.hash)
    }
}

/// The place of a key that is not there.
pub struct Vacant<'k> {
    db: &'k mut Db,
    access: &'k Access,
    now_ms: i64,
    hash: u64,
}

impl<'k> Vacant<'k> {
    #[inline(always)]
    pub(super) fn new(db: &'k mut Db, access: &'k Access, now_ms: i64, hash: u64) -> Self {
        Self { db, access, now_ms, hash }
    }

    /// Adds the key that was looked for, with a string and a deadline.
    #[inline]
    pub fn put(self, key: &[u8], value: NewString<'_>, deadline: i64) {
        self.insert(value.into_entry(key, deadline));
    }

    /// Adds an entry with the key that was looked for.
    #[inline]
    pub fn insert(self, mut entry: Entry) -> &'k mut Entry {
        self.access.created(&mut entry, self.now_ms);
        self.db.insert(self.hash, entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        data::{entry::Value, key_hash::Seed},
        keyspace::Keyspace,
    };

    fn keyspace() -> Keyspace {
        let mut keyspace = Keyspace::new(2, Seed::new(1));
        keyspace.now_ms = 1_000_000;
        keyspace
    }

    fn set(keyspace: &mut Keyspace, key: &[u8], value: &[u8], deadline: i64) -> bool {
        let hash = keyspace.hash(key);
        let value = NewString::Inline(value);
        match keyspace.upsert(0, hash, key) {
            Upsert::Occupied(slot) => {
                slot.put(value, deadline);
                false
            }
            Upsert::Vacant(slot) => {
                slot.put(key, value, deadline);
                true
            }
        }
    }

    fn get(keyspace: &mut Keyspace, key: &[u8]) -> Option<(Vec<u8>, i64)> {
        let hash = keyspace.hash(key);
        let entry = keyspace.peek(0, hash, key)?;
        match entry.value() {
            Value::Str(s) => Some((s.to_vec(), entry.deadline())),
            _ => None,
        }
    }

    #[test]
    fn value_and_deadline_are_put_together() {
        let mut keyspace = keyspace();
        let deadlines = [NEVER, 2_000_000, 3_000_000, NEVER, NEVER, 2_000_000];
        for (n, deadline) in deadlines.into_iter().enumerate() {
            let value = vec![b'v'; n * 10];
            assert_eq!(set(&mut keyspace, b"key", &value, deadline), n == 0);
            assert_eq!(get(&mut keyspace, b"key"), Some((value, deadline)));
            assert_eq!(keyspace.db(0).volatile(), usize::from(deadline != NEVER));
            assert!(keyspace.due_min() <= deadline);
        }
        assert_eq!(keyspace.db(0).len(), 1);
        assert_eq!(keyspace.db(0).ttl_average_ms(1_000_000), 1_000_000);
    }

    #[test]
    fn a_key_past_its_deadline_is_vacant_and_its_going_is_told() {
        let mut keyspace = keyspace();
        set(&mut keyspace, b"key", b"old", 2_000_000);
        keyspace.now_ms = 2_000_001;
        assert!(set(&mut keyspace, b"key", b"new", NEVER));
        assert_eq!(get(&mut keyspace, b"key"), Some((b"new".to_vec(), NEVER)));
        assert_eq!((keyspace.gone.len(), keyspace.stats.expired, keyspace.db(0).volatile()), (1, 1, 0));
    }

    #[test]
    fn an_occupied_place_can_be_emptied() {
        let mut keyspace = keyspace();
        set(&mut keyspace, b"key", b"v", 2_000_000);
        let hash = keyspace.hash(b"key");
        let removed = keyspace.occupied(0, hash, b"key").map(|slot| slot.remove().key().to_vec());
        assert_eq!(removed.as_deref(), Some(&b"key"[..]));
        assert!(keyspace.occupied(0, hash, b"key").is_none());
        assert_eq!((keyspace.db(0).len(), keyspace.db(0).volatile()), (0, 0));
    }
}
