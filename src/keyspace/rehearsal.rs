//! Changes that are undone again: from [`Keyspace::begin_rehearsal`] to [`Keyspace::end_rehearsal`] a copy of each key is kept as it was before its first
//! change, and databases that are emptied are kept whole. Meanwhile nobody is told of a change, and nothing counts.
//!
//! What has been kept is put back in reverse order, so that each record only has to undo what came between it and the next one. A key that is put
//! back is the same value in the same encoding, with its deadline and its mark of access.

use super::{
    Keyspace, KeyspaceStats,
    db::{Db, TableId},
};
use crate::data::{
    dict::{Dict, Handle},
    entry::Entry,
};
use std::collections::HashSet;

/// What undoes a change.
enum Undo {
    /// The key was like this, or not there.
    Key { db: usize, key: Box<[u8]>, before: Option<Entry> },
    /// The database was like this.
    Contents { db: usize, before: Box<Db> },
    /// These two are to be exchanged once more.
    Swap(usize, usize),
}

/// What is kept.
pub(super) struct Rehearsal {
    undo: Vec<Undo>,
    /// Keys that have their record, since databases last got other contents as a whole.
    kept: HashSet<(usize, Box<[u8]>)>,
    dirty: u64,
    stats: KeyspaceStats,
}

impl Rehearsal {
    /// Tables that were in use and will be again.
    pub fn tables(&self) -> impl Iterator<Item = (TableId, &Dict<Entry>)> {
        self.undo.iter().filter_map(|undo| match undo {
            Undo::Contents { before, .. } => Some((before.table, &before.dict)),
            Undo::Key { .. } | Undo::Swap(..) => None,
        })
    }

    fn keep(&mut self, db: usize, key: &[u8], before: impl FnOnce() -> Option<Entry>) {
        if self.kept.insert((db, key.into())) {
            self.undo.push(Undo::Key { db, key: key.into(), before: before() });
        }
    }

    /// A database is emptied.
    pub fn keep_contents(&mut self, db: usize, before: Db) {
        self.kept.clear();
        self.undo.push(Undo::Contents { db, before: Box::new(before) });
    }

    /// Two databases are exchanged.
    pub fn note_swap(&mut self, a: usize, b: usize) {
        self.kept.clear();
        self.undo.push(Undo::Swap(a, b));
    }
}

/// The same key with the same value, deadline and mark of access.
fn copy_of(entry: &Entry) -> Entry {
    let mut copy = entry.copy_as(entry.key());
    copy.set_access(entry.access());
    copy
}

impl Keyspace {
    /// From here on changes are to be undone.
    pub fn begin_rehearsal(&mut self) {
        assert!(self.rehearsal.is_none(), "one at a time");
        let rehearsal = Rehearsal { undo: Vec::new(), kept: HashSet::new(), dirty: self.dirty, stats: self.stats.clone() };
        self.rehearsal = Some(Box::new(rehearsal));
        self.count_observers();
    }

    /// Whether what changes is undone later.
    #[inline]
    pub fn is_rehearsing(&self) -> bool {
        self.rehearsal.is_some()
    }

    /// Puts everything back.
    pub fn end_rehearsal(&mut self) {
        let Some(rehearsal) = self.rehearsal.take() else { return };
        self.count_observers();
        let Rehearsal { undo, dirty, stats, .. } = *rehearsal;
        for undo in undo.into_iter().rev() {
            match undo {
                Undo::Key { db, key, before } => self.put_back(db, &key, before),
                Undo::Contents { db, before } => {
                    let after = std::mem::replace(&mut self.dbs[db], *before);
                    self.retire(after.table, after.dict);
                }
                Undo::Swap(a, b) => self.exchange(a, b),
            }
        }
        (self.dirty, self.stats) = (dirty, stats);
        self.forget_told();
        self.release_retired();
    }

    /// Forgets whom there would be something to tell.
    pub fn forget_told(&mut self) {
        self.gone.clear();
        self.notes.take();
    }

    fn put_back(&mut self, db: usize, key: &[u8], before: Option<Entry>) {
        let hash = self.hash(key);
        if let Some(handle) = self.dbs[db].dict.find_handle(hash, key) {
            self.before_change(db, hash, handle);
            self.dbs[db].remove_at(handle, hash);
        }
        if let Some(entry) = before {
            self.arrives(db, hash, &entry);
            self.dbs[db].insert(hash, entry);
        }
    }

    /// The entry at `handle` is about to change or to go.
    pub(super) fn keep_entry(&mut self, db: usize, handle: Handle) {
        if let Some(rehearsal) = &mut self.rehearsal {
            let entry = self.dbs[db].dict.at(handle);
            rehearsal.keep(db, entry.key(), || Some(copy_of(entry)));
        }
    }

    /// A key that is not there may come.
    pub(super) fn keep_absence(&mut self, db: usize, key: &[u8]) {
        if let Some(rehearsal) = &mut self.rehearsal {
            rehearsal.keep(db, key, || None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        data::{
            entry::{NEVER, NewString, Value},
            key_hash::Seed,
        },
        keyspace::{Cause, Upsert, WatchFlag},
    };

    fn keyspace() -> Keyspace {
        let mut keyspace = Keyspace::new(3, Seed::new(1));
        keyspace.now_ms = 1000;
        for (db, key) in [(0, "a"), (0, "b"), (1, "a"), (2, "c")] {
            set(&mut keyspace, db, key, key, if key == "b" { 5000 } else { NEVER });
        }
        keyspace
    }

    fn set(keyspace: &mut Keyspace, db: usize, key: &str, value: &str, deadline: i64) {
        let hash = keyspace.hash(key.as_bytes());
        match keyspace.upsert(db, hash, key.as_bytes()) {
            Upsert::Occupied(slot) => slot.put(NewString::Inline(value.as_bytes()), deadline),
            Upsert::Vacant(slot) => slot.put(key.as_bytes(), NewString::Inline(value.as_bytes()), deadline),
        }
        keyspace.key_changed(db, key.as_bytes(), Cause::Command);
    }

    fn remove(keyspace: &mut Keyspace, db: usize, key: &str) {
        let hash = keyspace.hash(key.as_bytes());
        if keyspace.remove(db, hash, key.as_bytes()).is_some() {
            keyspace.key_changed(db, key.as_bytes(), Cause::Command);
        }
    }

    /// Everything there is, with deadlines and marks.
    fn all(keyspace: &Keyspace) -> Vec<String> {
        let text = |entry: &Entry| match entry.value() {
            Value::Str(text) => text.escape_ascii().to_string(),
            _ => String::new(),
        };
        let show = |db: usize, e: &Entry| format!("{db} {} {} {} {}", e.key().escape_ascii(), text(e), e.deadline(), e.access());
        let mut all: Vec<_> = keyspace.iter().flat_map(|(db, contents)| contents.dict.iter().map(move |e| show(db, e))).collect();
        all.sort();
        all
    }

    #[test]
    fn keys_are_as_they_were() {
        let mut keyspace = keyspace();
        let (before, dirty) = (all(&keyspace), keyspace.dirty);
        keyspace.begin_rehearsal();
        set(&mut keyspace, 0, "a", "another", 7000);
        set(&mut keyspace, 0, "a", "again", NEVER);
        set(&mut keyspace, 0, "new", "n", 9000);
        remove(&mut keyspace, 1, "a");
        set(&mut keyspace, 1, "a", "back", NEVER);
        remove(&mut keyspace, 2, "c");
        assert_ne!(all(&keyspace), before);
        keyspace.end_rehearsal();
        assert_eq!((all(&keyspace), keyspace.dirty), (before, dirty));
        assert_eq!((keyspace.db(0).volatile(), keyspace.db(0).len(), keyspace.db(1).len()), (1, 2, 1));
    }

    #[test]
    fn databases_are_as_they_were() {
        let mut keyspace = keyspace();
        let before = all(&keyspace);
        keyspace.begin_rehearsal();
        set(&mut keyspace, 0, "a", "1", NEVER);
        keyspace.swap(0, 1);
        set(&mut keyspace, 0, "a", "2", NEVER);
        set(&mut keyspace, 1, "a", "3", NEVER);
        keyspace.flush(1);
        set(&mut keyspace, 1, "a", "4", NEVER);
        keyspace.flush(1);
        keyspace.swap(1, 2);
        remove(&mut keyspace, 1, "c");
        keyspace.flush(0);
        set(&mut keyspace, 0, "x", "5", 2000);
        keyspace.end_rehearsal();
        assert_eq!(all(&keyspace), before);
        assert_eq!((keyspace.db(0).volatile(), keyspace.db(1).volatile()), (1, 0));
        while keyspace.bury() {}
    }

    #[test]
    fn what_expires_meanwhile_has_its_time_afterwards() {
        let mut keyspace = keyspace();
        keyspace.begin_rehearsal();
        keyspace.now_ms = 5001;
        let hash = keyspace.hash(b"b");
        assert!(keyspace.read(0, hash, b"b").is_none());
        keyspace.end_rehearsal();
        assert!(keyspace.gone.is_empty() && keyspace.stats.expired == 0);
        assert!(keyspace.owes());
        keyspace.expire_cycle(&mut || true);
        assert_eq!((keyspace.gone.len(), keyspace.stats.expired), (1, 1));
    }

    #[test]
    fn nobody_is_told() {
        let mut keyspace = keyspace();
        let flag = WatchFlag::default();
        keyspace.watch(0, b"a", true, &flag);
        keyspace.awaited.wait(0, b"new", 1, 1, false);
        keyspace.begin_rehearsal();
        set(&mut keyspace, 0, "a", "1", NEVER);
        set(&mut keyspace, 0, "new", "1", NEVER);
        keyspace.swap(0, 1);
        keyspace.flush(0);
        keyspace.end_rehearsal();
        assert!(!flag.get() && !keyspace.awaited.has_ready());
        set(&mut keyspace, 0, "a", "1", NEVER);
        assert!(flag.get());
        while keyspace.bury() {}
    }
}
