//! Filling the databases from a snapshot: in place, or in tables beside those in use that take their place when all is there.

use super::{Keyspace, changes::Cause, contents::Contents, db::Db};
use crate::data::entry::Entry;

impl Keyspace {
    /// Begins to load, `aside` into fresh tables that nobody sees until [`Keyspace::commit_load`], otherwise into those in use, where
    /// what is there stays. A load that was begun aside before is given up.
    pub fn begin_load(&mut self, aside: bool) {
        self.abort_load();
        if aside {
            let first = self.names + 1;
            self.names += self.dbs.len() as u64;
            self.aside = (0..self.dbs.len()).map(|i| Db::new(self.seed, first + i as u64)).collect();
        }
    }

    /// Whether what is loaded goes aside.
    pub fn loads_aside(&self) -> bool {
        !self.aside.is_empty()
    }

    /// Hint that a key with this hash will be loaded soon.
    #[inline(always)]
    pub fn prefetch_load(&self, db: usize, hash: u64) {
        let dbs = if self.aside.is_empty() { &self.dbs } else { &self.aside };
        dbs[db].dict.prefetch_bucket(hash);
    }

    /// Adds a key that is loaded; its marks of access are its own. One that is there already is replaced if `replace` says so, and
    /// otherwise the new one comes back. Counts as no change; only a key that is replaced is told of.
    #[inline]
    pub fn load_insert(&mut self, db: usize, hash: u64, entry: Entry, replace: bool) -> Result<(), Entry> {
        let aside = !self.aside.is_empty();
        let dbs = if aside { &mut self.aside } else { &mut self.dbs };
        if let Some(handle) = dbs[db].dict.find_handle(hash, entry.key()) {
            if !replace {
                return Err(entry);
            }
            if aside {
                self.aside[db].replace_at(handle, hash, entry);
            } else {
                self.before_change(db, hash, handle);
                self.key_changed(db, entry.key(), Cause::Loaded);
                self.dbs[db].replace_at(handle, hash, entry);
            }
        } else {
            dbs[db].insert(hash, entry);
        }
        Ok(())
    }

    /// What was loaded aside takes the place of what is there, for every client at once; the old tables are freed in slices
    /// ([`Keyspace::bury`]). Watched keys that are in either count as touched.
    pub fn commit_load(&mut self) {
        let aside = std::mem::take(&mut self.aside);
        self.contents_change(Contents::Load(&aside));
        for (db, mut fresh) in aside.into_iter().enumerate() {
            self.dbs[db].swap_contents(&mut fresh);
            self.bury_db(fresh);
        }
    }

    /// Gives up what was loaded aside.
    pub fn abort_load(&mut self) {
        for fresh in std::mem::take(&mut self.aside) {
            self.bury_db(fresh);
        }
    }

    fn bury_db(&mut self, db: Db) {
        self.retire(db.table, db.dict);
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        data::{
            entry::{Entry, NEVER, Value},
            key_hash::Seed,
        },
        keyspace::Keyspace,
    };

    fn load(keyspace: &mut Keyspace, key: &[u8], value: &[u8], replace: bool) -> bool {
        let hash = keyspace.hash(key);
        keyspace.load_insert(0, hash, Entry::new_inline(key, value, NEVER), replace).is_ok()
    }

    fn get(keyspace: &mut Keyspace, key: &[u8]) -> Option<Vec<u8>> {
        let hash = keyspace.hash(key);
        match keyspace.peek(0, hash, key)?.value() {
            Value::Str(text) => Some(text.to_vec()),
            _ => None,
        }
    }

    #[test]
    fn what_is_loaded_aside_is_seen_when_it_is_whole() {
        let mut keyspace = Keyspace::new(2, Seed::new(1));
        assert!(load(&mut keyspace, b"old", b"1", false));
        keyspace.begin_load(true);
        assert!(load(&mut keyspace, b"new", b"2", false));
        assert_eq!((get(&mut keyspace, b"old"), get(&mut keyspace, b"new")), (Some(b"1".to_vec()), None));
        let watch = crate::keyspace::WatchFlag::default();
        keyspace.watch(0, b"new", false, &watch);
        keyspace.commit_load();
        assert_eq!((get(&mut keyspace, b"old"), get(&mut keyspace, b"new")), (None, Some(b"2".to_vec())));
        assert!(watch.get());
        assert!(keyspace.has_unburied());
    }

    #[test]
    fn what_is_given_up_leaves_no_trace() {
        let mut keyspace = Keyspace::new(1, Seed::new(1));
        keyspace.begin_load(true);
        assert!(load(&mut keyspace, b"new", b"2", false));
        keyspace.abort_load();
        assert!(!keyspace.loads_aside());
        assert_eq!(get(&mut keyspace, b"new"), None);
        while keyspace.bury() {}
    }

    #[test]
    fn a_key_that_is_there_is_replaced_only_when_asked() {
        let mut keyspace = Keyspace::new(1, Seed::new(1));
        assert!(load(&mut keyspace, b"k", b"1", false));
        assert!(!load(&mut keyspace, b"k", b"2", false));
        assert_eq!(get(&mut keyspace, b"k"), Some(b"1".to_vec()));
        assert!(load(&mut keyspace, b"k", b"2", true));
        assert_eq!(get(&mut keyspace, b"k"), Some(b"2".to_vec()));
        assert_eq!(keyspace.db(0).len(), 1);
    }
}
