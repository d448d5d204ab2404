//! Fields of hashes that are past their deadlines are taken out.

use super::{Keyspace, bookings::hash_of, changes::Cause, expire::ExpireMode};
use crate::data::{hash::ANY_TIME, object::Object};

/// Fields taken out in a slice, and in front of a command that meets their hash.
const SLICE: usize = 64;
const IN_FRONT: usize = 1024;

impl Keyspace {
    /// The time that look-ups of fields have to be told: they do not see a field whose deadline is before it.
    #[inline(always)]
    pub fn fields_now(&self) -> i64 {
        if self.expire_mode == ExpireMode::Ignore { ANY_TIME } else { self.now_ms }
    }

    /// Number of hashes with fields that have deadlines. As long as it is not 0, files need a version that knows of such fields.
    pub fn hashes_with_deadlines(&self) -> usize {
        self.dbs.iter().map(|db| db.indexes.bookings.len()).sum()
    }

    /// Must be called when deadlines of fields of the hash at a key may have changed.
    pub fn fields_changed(&mut self, db: usize, hash: u64, key: &[u8]) {
        let db = &mut self.dbs[db];
        if let Some(entry) = db.dict.find(hash, key) {
            db.indexes.bookings.book(entry);
        }
    }

    /// Takes fields past their deadline out of the hash at a key that a command is about to look at, if we may delete them. Where there
    /// are very many, some stay behind, hidden.
    #[inline(always)]
    pub fn expire_due_fields(&mut self, db: usize, hash: u64, key: &[u8]) {
        if !self.dbs[db].indexes.bookings.is_empty() {
            self.expire_due_fields_slow(db, hash, key);
        }
    }

    #[cold]
    fn expire_due_fields_slow(&mut self, db: usize, hash: u64, key: &[u8]) {
        if self.expire_mode == ExpireMode::Delete
            && self.is_past(self.dbs[db].indexes.bookings.due_min())
            && self.locate(db, hash, key).is_some()
        {
            self.expire_fields(db, hash, key, IN_FRONT);
        }
    }

    /// Takes about `most` fields past their deadline out of the hash at a key, and the key with the last of them. Returns how many fields.
    fn expire_fields(&mut self, db: usize, hash: u64, key: &[u8], most: usize) -> usize {
        let now = self.now_ms;
        let Some((handle, entry)) = self.dbs[db].dict.find_with_handle(hash, key) else { return 0 };
        if !hash_of(entry).is_some_and(|fields| fields.may_owe(now)) {
            self.fields_changed(db, hash, key);
            return 0;
        }
        self.before_change(db, hash, handle);
        let Some(Object::Hash(fields)) = self.dbs[db].dict.at_mut(handle).object_mut() else { return 0 };
        let mut names = Vec::new();
        fields.take_due(now, most, |name| names.push(name.into()));
        let (count, emptied) = (names.len(), fields.is_empty());
        if emptied {
            self.dbs[db].remove_at(handle, hash);
        } else {
            let db = &mut self.dbs[db];
            db.indexes.bookings.book(db.dict.at(handle));
        }
        if count > 0 {
            self.key_changed(db, key, Cause::FieldsExpired { names, emptied });
        }
        count
    }

    /// Whether some field is past its deadline and waits to be taken out.
    pub(super) fn owes_fields(&self) -> bool {
        self.dbs.iter().any(|db| self.is_past(db.indexes.bookings.due_min()))
    }

    /// Takes out what is due, hash by hash. `false` when time ran out before everything was.
    pub(super) fn expire_fields_cycle(&mut self, within: &mut dyn FnMut() -> bool) -> (usize, bool) {
        let mut expired = 0;
        for db in 0..self.dbs.len() {
            while let Some((deadline, key)) = self.dbs[db].indexes.bookings.0.first().filter(|(d, _)| self.is_past(*d)).cloned() {
                let hash = self.hash(&key);
                expired += self.expire_fields(db, hash, &key, SLICE);
                let bookings = &mut self.dbs[db].indexes.bookings;
                if bookings.0.first().is_some_and(|first| *first == (deadline, key)) && !self.is_booked(db, hash, deadline) {
                    self.dbs[db].indexes.bookings.0.pop_first();
                }
                if !within() {
                    return (expired, !self.owes_fields());
                }
            }
        }
        (expired, true)
    }

    /// Whether the first booking of a database, under `deadline` and a key with this hash, is one that its hash knows of.
    fn is_booked(&self, db: usize, hash: u64, deadline: i64) -> bool {
        let Some((_, key)) = self.dbs[db].indexes.bookings.0.first() else { return false };
        self.dbs[db].dict.find(hash, key).and_then(hash_of).is_some_and(|fields| fields.booked() == deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        data::{
            entry::{Entry, NEVER},
            hash::{Hash, OldDeadline, PackLimits},
            key_hash::Seed,
            object::Collection,
        },
        keyspace::{Upsert, Went},
    };
    use bytes::Bytes;

    const DUE: i64 = 5_000;

    fn keyspace() -> Keyspace {
        let mut keyspace = Keyspace::new(2, Seed::new(1));
        keyspace.now_ms = 1_000;
        keyspace
    }

    /// A hash of `fields` fields, the first `volatile` of which are due one after the other from [`DUE`] on.
    fn hash(keyspace: &Keyspace, fields: usize, volatile: usize) -> Hash {
        let limits = PackLimits { entries: 100, value: 64, seed: keyspace.seed() };
        let mut hash = Hash::new();
        for i in 0..fields {
            let name = format!("f{i}");
            hash.set(name.as_bytes(), b"v", Bytes::new, OldDeadline::Drops, 0, &limits);
            if i < volatile {
                hash.set_deadline(name.as_bytes(), DUE + i as i64);
            }
        }
        hash
    }

    fn add(keyspace: &mut Keyspace, db: usize, key: &[u8], fields: Hash) {
        let hash = keyspace.hash(key);
        keyspace.insert(db, hash, Entry::new_object(key, Box::new(fields.into_object()), NEVER));
    }

    fn cycle(keyspace: &mut Keyspace) -> Vec<(Vec<u8>, usize, bool)> {
        while !keyspace.expire_fields_cycle(&mut || false).1 {}
        let gone = std::mem::take(&mut keyspace.gone);
        let names = |went: &Went| if let Went::Fields { names, emptied } = went { Some((names.len(), *emptied)) } else { None };
        gone.iter().filter_map(|g| names(&g.went).map(|(n, emptied)| (g.key.to_vec(), n, emptied))).collect()
    }

    #[test]
    fn fields_go_when_they_are_due_and_the_key_with_the_last() {
        let mut keyspace = keyspace();
        let (some, all) = (hash(&keyspace, 3, 2), hash(&keyspace, 2, 2));
        let large = hash(&keyspace, 5_000, 4_999);
        add(&mut keyspace, 0, b"some", some);
        add(&mut keyspace, 1, b"all", all);
        add(&mut keyspace, 0, b"large", large);
        assert!(!keyspace.owes() && keyspace.hashes_with_deadlines() == 3);
        assert!(cycle(&mut keyspace).is_empty());
        keyspace.now_ms = DUE + 1;
        assert!(keyspace.owes());
        assert_eq!(cycle(&mut keyspace).iter().map(|g| g.1).collect::<Vec<_>>(), [1, 1, 1]);
        assert!(!keyspace.owes());
        keyspace.now_ms = DUE + 100_000;
        let gone = cycle(&mut keyspace);
        assert_eq!(gone.iter().filter(|g| g.0 == b"large").map(|g| g.1).sum::<usize>(), 4_998);
        assert!(gone.contains(&(b"some".to_vec(), 1, false)) && gone.contains(&(b"all".to_vec(), 1, true)));
        assert_eq!((keyspace.db(0).len(), keyspace.db(1).len(), keyspace.hashes_with_deadlines()), (2, 0, 0));
        assert_eq!(keyspace.stats.expired_fields, 5_003);
        assert!(!keyspace.owes());
    }

    #[test]
    fn a_booking_follows_its_hash() {
        let mut keyspace = keyspace();
        let fields = hash(&keyspace, 3, 1);
        add(&mut keyspace, 0, b"key", fields);
        let (from, to) = (keyspace.hash(b"key"), keyspace.hash(b"renamed"));
        let entry = keyspace.remove(0, from, b"key").expect("it is there");
        assert_eq!(keyspace.hashes_with_deadlines(), 0);
        keyspace.adopt(1, to, entry.rename(b"renamed"));
        let copy = keyspace.peek(1, to, b"renamed").map(|e| e.copy_as(b"key")).expect("it is there");
        keyspace.insert(0, from, copy);
        assert_eq!(keyspace.hashes_with_deadlines(), 2);
        keyspace.swap(0, 1);
        keyspace.now_ms = DUE + 1;
        assert_eq!(cycle(&mut keyspace), [(b"renamed".to_vec(), 1, false), (b"key".to_vec(), 1, false)]);
        assert_eq!(keyspace.hashes_with_deadlines(), 0);
        let fields = hash(&keyspace, 1, 1);
        add(&mut keyspace, 0, b"flushed", fields);
        keyspace.flush(0);
        assert_eq!(keyspace.hashes_with_deadlines(), 0);
    }

    #[test]
    fn what_is_overwritten_is_no_longer_booked() {
        let mut keyspace = keyspace();
        let fields = hash(&keyspace, 3, 1);
        add(&mut keyspace, 0, b"key", fields);
        let hash = keyspace.hash(b"key");
        if let Upsert::Occupied(slot) = keyspace.upsert(0, hash, b"key") {
            slot.put(crate::data::entry::NewString::Inline(b"text"), NEVER);
        }
        assert_eq!(keyspace.hashes_with_deadlines(), 0);
        let fields = self::hash(&keyspace, 3, 1);
        add(&mut keyspace, 0, b"other", fields);
        // Where nobody is told of the overwriting, the booking goes when its time comes.
        let other = keyspace.hash(b"other");
        if let Some(entry) = keyspace.write(0, other, b"other") {
            entry.set_int(5);
        }
        keyspace.now_ms = DUE + 1;
        assert!(cycle(&mut keyspace).is_empty());
        assert_eq!(keyspace.hashes_with_deadlines(), 0);
    }

    #[test]
    fn a_command_meets_no_field_that_is_due() {
        let mut keyspace = keyspace();
        let (one, other) = (hash(&keyspace, 3, 3), hash(&keyspace, 3, 3));
        add(&mut keyspace, 0, b"one", one);
        add(&mut keyspace, 0, b"other", other);
        keyspace.now_ms = DUE + 2;
        let key = keyspace.hash(b"one");
        keyspace.expire_due_fields(0, key, b"one");
        let len = |keyspace: &mut Keyspace| keyspace.read_as::<Hash>(0, key, b"one").expect("a hash").map(Hash::len);
        assert_eq!(len(&mut keyspace), Some(1));
        assert_eq!(keyspace.gone.len(), 1);
        keyspace.now_ms = DUE + 3;
        keyspace.expire_due_fields(0, key, b"one");
        assert_eq!(len(&mut keyspace), None);
        keyspace.expire_mode = ExpireMode::Hide;
        let key = keyspace.hash(b"other");
        keyspace.expire_due_fields(0, key, b"other");
        assert_eq!(keyspace.hashes_with_deadlines(), 1);
    }
}
