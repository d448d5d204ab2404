//! Keys that transactions watch (WATCH).

use crate::data::{dict::Dict, entry::Entry};
use std::{
    cell::Cell,
    collections::{HashMap, hash_map::Entry as Slot},
    rc::Rc,
};

/// A transaction's flag: raised when a key that it watches has changed.
pub type WatchFlag = Rc<Cell<bool>>;

/// Who watches a key.
struct Watcher {
    flag: WatchFlag,
    /// The key was there when it began: one past its deadline, or none at all, may become the other unnoticed.
    live: bool,
}

/// Those who watch one key, by the address of the flag: a client finds itself however many others there are.
type Watchers = HashMap<*const Cell<bool>, Watcher>;

/// Keys that are watched, and by whom.
#[derive(Default)]
pub(super) struct Watched {
    /// By index of the database.
    dbs: Vec<HashMap<Box<[u8]>, Watchers>>,
    /// Number of keys.
    len: usize,
}

impl Watched {
    /// Number of keys that are watched.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Raises `flag` when `key`, which is `live` at this moment or not, changes. `false`: it does so already.
    pub fn watch(&mut self, db: usize, key: &[u8], live: bool, flag: &WatchFlag) -> bool {
        if self.dbs.len() <= db {
            self.dbs.resize_with(db + 1, HashMap::new);
        }
        let watchers = self.dbs[db].entry(key.into()).or_insert_with(|| {
            self.len += 1;
            Watchers::new()
        });
        let Slot::Vacant(slot) = watchers.entry(Rc::as_ptr(flag)) else { return false };
        slot.insert(Watcher { flag: flag.clone(), live });
        true
    }

    /// No longer raises `flag` for `key`.
    pub fn unwatch(&mut self, db: usize, key: &[u8], flag: &WatchFlag) {
        let Some(keys) = self.dbs.get_mut(db) else { return };
        let Some(watchers) = keys.get_mut(key) else { return };
        watchers.remove(&Rc::as_ptr(flag));
        if watchers.is_empty() {
            keys.remove(key);
            self.len -= 1;
        }
    }

    /// A key has changed.
    pub fn touch(&self, db: usize, key: &[u8]) {
        for watcher in self.dbs.get(db).and_then(|keys| keys.get(key)).into_iter().flat_map(Watchers::values) {
            watcher.flag.set(true);
        }
    }

    /// A database is about to get other contents; `new` is `None` for none. Keys that are in either count as changed. What is past its deadline
    /// by `now_ms` is as good as not there, unless it was there when it was watched.
    pub fn contents_change(&self, db: usize, old: &Dict<Entry>, new: Option<&Dict<Entry>>, now_ms: i64) {
        for (key, watchers) in self.dbs.get(db).into_iter().flatten() {
            let hash = old.hash(key);
            let (old, new) = (old.find(hash, key), new.and_then(|new| new.find(hash, key)));
            let live = [old, new].into_iter().flatten().any(|entry| entry.deadline() >= now_ms);
            for watcher in watchers.values() {
                watcher.flag.set(watcher.flag.get() || live || watcher.live && old.is_some());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_raised_by_its_own_keys() {
        let (mut watched, flag, other) = (Watched::default(), WatchFlag::default(), WatchFlag::default());
        assert!(watched.watch(3, b"k", true, &flag) && !watched.watch(3, b"k", true, &flag) && watched.watch(3, b"k", true, &other));
        watched.touch(2, b"k");
        watched.touch(3, b"x");
        watched.unwatch(3, b"k", &other);
        assert_eq!((flag.get(), watched.len()), (false, 1));
        watched.touch(3, b"k");
        assert_eq!((flag.get(), other.get()), (true, false));
        watched.unwatch(3, b"k", &flag);
        assert_eq!(watched.len(), 0);
    }
}
