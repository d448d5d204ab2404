//! Databases: key to value and deadline.
//!
//! Every look-up and every change of a key goes through [`Keyspace`], so that lazy expiry, the access clock, WATCH and the
//! hook of walks each have one place.
//!
//! ```
//! use solod::{data::{entry::Entry, key_hash::Seed}, keyspace::Keyspace};
//!
//! let mut keyspace = Keyspace::new(16, Seed::new(1));
//! let hash = keyspace.hash(b"key");
//! keyspace.insert(0, hash, Entry::new_inline(b"key", b"value", 1000));
//! keyspace.now_ms = 1000;
//! assert!(keyspace.read(0, hash, b"key").is_some(), "a key lives through the millisecond of its deadline");
//! keyspace.now_ms = 1001;
//! assert!(keyspace.read(0, hash, b"key").is_none());
//! assert_eq!((keyspace.stats.hits, keyspace.stats.misses, keyspace.stats.expired), (1, 1, 1));
//! ```

mod access;
mod apart;
mod awaited;
mod bookings;
mod changes;
mod consumers;
mod contents;
mod db;
mod evict;
mod expire;
mod fields;
mod gone;
mod indexes;
mod load;
mod notes;
mod rehearsal;
mod relocation;
mod tracked;
mod typed;
mod upsert;
mod walk;
mod watched;

pub use access::{Access, Marks, as_redis_keeps_it, idle_ms, lfu_value};
pub use awaited::Awaited;
pub use changes::Cause;
pub use db::Db;
pub use evict::{Eviction, EvictionOrder, EvictionRule};
pub use expire::{CycleReport, ExpireMode};
pub use gone::{Gone, Went};
pub use notes::{Happening, News, Noted, Notes};
pub use relocation::{RegionPass, RelocationPass};
pub use tracked::{Broadcast, ChangedKeys, Reader, Stale, Tracked};
pub use typed::WrongType;
pub use upsert::{Occupied, Upsert, Vacant};
pub use walk::{Sink, WalkId};
pub use watched::WatchFlag;

use crate::data::{
    dict::{Dict, Handle},
    entry::{Entry, NEVER},
    key_hash::Seed,
    pieces,
    rng::Rng,
    trash,
};
use contents::Contents;
use db::TableId;
use evict::Evictor;
use rehearsal::Rehearsal;
use std::{cell::RefCell, collections::BTreeSet, rc::Rc};
use walk::{Tables, Walk};
use watched::Watched;

/// Counters that INFO's stats section shows.
#[derive(Default, Clone)]
pub struct KeyspaceStats {
    /// Reads that found their key.
    pub hits: u64,
    /// Reads that did not.
    pub misses: u64,
    /// Keys gone by their deadline.
    pub expired: u64,
    /// Keys evicted.
    pub evicted: u64,
    /// Fields of hashes gone by theirs.
    pub expired_fields: u64,
    /// Times the cycle ran out of its share before it had reclaimed all that was due.
    pub expired_time_cap_reached: u64,
    /// Nanoseconds spent in the expire cycle.
    pub expire_cycle_nanos: u64,
}

/// All databases.
pub struct Keyspace {
    dbs: Vec<Db>,
    /// Unix time in milliseconds, as of this turn.
    pub now_ms: i64,
    /// What an access leaves in an entry.
    pub access: Access,
    /// Whether what is past its deadline is deleted, or only hidden.
    pub expire_mode: ExpireMode,
    /// Nothing is to change for a while, so what is past its deadline is hidden instead of deleted: clients are paused.
    pub holds_expired: bool,
    /// What was given a deadline here though we are a replica, by that deadline: see [`Keyspace::note_own_deadline`].
    own: BTreeSet<(i64, usize, Box<[u8]>)>,
    /// Counters.
    pub stats: KeyspaceStats,
    /// Changes since the last save, as INFO counts them.
    pub dirty: u64,
    /// Keys that went away by themselves and that the engine has not been told of.
    pub gone: Vec<Gone>,
    /// What clients are to be told of keys.
    pub notes: Notes,
    /// Keys that transactions watch.
    watched: Watched,
    /// Keys that clients wait for.
    pub awaited: Awaited,
    /// Keys that clients keep copies of.
    pub tracked: Tracked,
    /// Tables that are out of use, but for walks.
    retired: Vec<(TableId, Dict<Entry>)>,
    /// Snapshots being taken.
    walks: Vec<Walk>,
    /// What is kept to undo what changes; none, as a rule.
    rehearsal: Option<Box<Rehearsal>>,
    /// There are walks, or a rehearsal: somebody has to know of an entry before it changes.
    is_observed: bool,
    /// What is being loaded beside what is in use; none, as a rule.
    aside: Vec<Db>,
    /// Names given so far, to tables and to walks.
    names: u64,
    /// What eviction remembers.
    evictor: Evictor,
    seed: Seed,
}

impl Keyspace {
    /// `databases` empty databases.
    pub fn new(databases: usize, seed: Seed) -> Self {
        Self {
            dbs: (0..databases).map(|i| Db::new(seed, i as TableId)).collect(),
            now_ms: 0,
            access: Access::default(),
            expire_mode: ExpireMode::Delete,
            holds_expired: false,
            own: BTreeSet::new(),
            stats: KeyspaceStats::default(),
            dirty: 0,
            gone: Vec::new(),
            notes: Notes::default(),
            watched: Watched::default(),
            awaited: Awaited::default(),
            tracked: Tracked::new(seed),
            retired: Vec::new(),
            walks: Vec::new(),
            rehearsal: None,
            is_observed: false,
            aside: Vec::new(),
            names: databases as u64,
            evictor: Evictor::default(),
            seed,
        }
    }

    /// The hash of a key, the same in every database.
    #[inline(always)]
    pub fn hash(&self, key: &[u8]) -> u64 {
        self.seed.hash(key)
    }

    /// The seed of every table's hash.
    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// Number of databases.
    pub fn databases(&self) -> usize {
        self.dbs.len()
    }

    /// Database `db`.
    #[inline(always)]
    pub fn db(&self, db: usize) -> &Db {
        &self.dbs[db]
    }

    /// Every database, with its index.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &Db)> {
        self.dbs.iter().enumerate()
    }

    /// First hint before a look-up, see [`Dict::prefetch_bucket`].
    #[inline(always)]
    pub fn prefetch_bucket(&self, db: usize, hash: u64) {
        self.dbs[db].dict.prefetch_bucket(hash);
    }

    /// Second hint before a look-up, see [`Dict::prefetch_entry`].
    #[inline(always)]
    pub fn prefetch_entry(&self, db: usize, hash: u64) {
        self.dbs[db].dict.prefetch_entry(hash);
    }

    /// Whether a deadline is over: a key lives through the millisecond of its deadline.
    #[inline(always)]
    pub fn is_past(&self, deadline: i64) -> bool {
        deadline < self.now_ms
    }

    /// Whether a key, or a field of a hash, is past its deadline and waits to be reclaimed.
    pub fn owes(&self) -> bool {
        self.is_past(self.due_min()) || self.owes_fields()
    }

    /// Finds a live key. One past its deadline is deleted on the way (or hidden, see [`ExpireMode`]).
    #[inline(always)]
    pub fn locate(&mut self, db: usize, hash: u64, key: &[u8]) -> Option<Handle> {
        let (handle, entry) = self.dbs[db].dict.find_with_handle(hash, key)?;
        if entry.is_volatile() && self.is_past(entry.deadline()) && !self.is_there_expired(db, hash, handle) {
            return None;
        }
        Some(handle)
    }

    /// Whether a key past its deadline counts as there. If it does not, it is deleted where it may be.
    #[cold]
    fn is_there_expired(&mut self, db: usize, hash: u64, handle: Handle) -> bool {
        match self.expire_mode {
            ExpireMode::Delete if self.holds_expired => false,
            ExpireMode::Delete => {
                self.before_change(db, hash, handle);
                let entry = self.dbs[db].remove_at(handle, hash);
                self.forget_expired(db, entry);
                false
            }
            ExpireMode::Hide => false,
            ExpireMode::Ignore => true,
        }
    }

    /// Looks a key up to read it: counts the hit or miss and leaves the access's mark.
    #[inline(always)]
    pub fn read(&mut self, db: usize, hash: u64, key: &[u8]) -> Option<&mut Entry> {
        if self.dbs[db].volatile() == 0 {
            // Nothing can be past its deadline: the entry is found without a handle.
            return match self.dbs[db].dict.find_mut(hash, key) {
                Some(entry) => {
                    self.stats.hits = self.stats.hits.wrapping_add(1);
                    self.access.read(entry, self.now_ms);
                    Some(entry)
                }
                None => {
                    self.stats.misses = self.stats.misses.wrapping_add(1);
                    self.notes.missed(db, key);
                    None
                }
            };
        }
        match self.locate(db, hash, key) {
            Some(handle) => {
                self.stats.hits = self.stats.hits.wrapping_add(1);
                let entry = self.dbs[db].dict.at_mut(handle);
                self.access.read(entry, self.now_ms);
                Some(entry)
            }
            None => {
                self.missed(db, key);
                None
            }
        }
    }

    /// Counts a read that found nothing.
    #[inline]
    fn missed(&mut self, db: usize, key: &[u8]) {
        self.stats.misses = self.stats.misses.wrapping_add(1);
        self.notes.missed(db, key);
    }

    /// Looks a key up without counting or marking: for TYPE, TTL, OBJECT and their like.
    pub fn peek(&mut self, db: usize, hash: u64, key: &[u8]) -> Option<&Entry> {
        let handle = self.locate(db, hash, key)?;
        Some(self.dbs[db].dict.at(handle))
    }

    /// Looks a key up without any effect: what is past its deadline is not there, and stays.
    pub fn peek_alive(&self, db: usize, hash: u64, key: &[u8]) -> Option<&Entry> {
        self.dbs[db].dict.find(hash, key).filter(|entry| !self.is_past(entry.deadline()))
    }

    /// Looks a key up to change its value in place; call [`Keyspace::key_changed`] after the change.
    #[inline(always)]
    pub fn write(&mut self, db: usize, hash: u64, key: &[u8]) -> Option<&mut Entry> {
        let handle = self.locate(db, hash, key)?;
        self.before_change(db, hash, handle);
        let entry = self.dbs[db].dict.at_mut(handle);
        self.access.write(entry, self.now_ms);
        Some(entry)
    }

    /// One look-up to write a key whether it is there or not.
    #[inline(always)]
    pub fn upsert(&mut self, db: usize, hash: u64, key: &[u8]) -> Upsert<'_> {
        let handle = self.locate(db, hash, key);
        match handle {
            // The caller may also remove the entry.
            Some(handle) => self.before_change(db, hash, handle),
            None => {
                self.make_way(db, hash, key);
                if self.is_observed {
                    self.keep_absence(db, key);
                }
            }
        }
        let (db, access, now_ms) = (&mut self.dbs[db], &mut self.access, self.now_ms);
        match handle {
            Some(handle) => Upsert::Occupied(Occupied::new(db, access, now_ms, handle, hash)),
            None => Upsert::Vacant(Vacant::new(db, access, now_ms, hash)),
        }
    }

    /// One look-up to change or remove a key, or its deadline, if it is there.
    #[inline]
    pub fn occupied(&mut self, db: usize, hash: u64, key: &[u8]) -> Option<Occupied<'_>> {
        let handle = self.locate(db, hash, key)?;
        self.before_change(db, hash, handle);
        Some(Occupied::new(&mut self.dbs[db], &mut self.access, self.now_ms, handle, hash))
    }

    /// Looks a key up to answer a question about it: counts the hit or miss, and leaves no mark.
    pub fn look(&mut self, db: usize, hash: u64, key: &[u8]) -> Option<&Entry> {
        let handle = self.locate(db, hash, key);
        self.count_read(db, key, handle.is_some());
        handle.map(|h| self.dbs[db].dict.at(h))
    }

    /// Counts a read that was done by [`Keyspace::upsert`] or [`Keyspace::occupied`].
    pub fn count_read(&mut self, db: usize, key: &[u8], hit: bool) {
        match hit {
            true => self.stats.hits += 1,
            false => self.missed(db, key),
        }
    }

    /// Whether an entry met on a walk counts as there.
    pub fn is_live(&self, entry: &Entry) -> bool {
        !self.is_past(entry.deadline()) || self.expire_mode == ExpireMode::Ignore
    }

    /// [`Keyspace::insert`] for an entry that brings its marks of access along.
    pub fn adopt(&mut self, db: usize, hash: u64, entry: Entry) -> &mut Entry {
        self.make_way(db, hash, entry.key());
        self.arrives(db, hash, &entry);
        self.dbs[db].insert(hash, entry)
    }

    /// Adds a key that is not there. Does not count as a change yet: see [`Keyspace::key_changed`].
    #[inline]
    pub fn insert(&mut self, db: usize, hash: u64, mut entry: Entry) -> &mut Entry {
        self.make_way(db, hash, entry.key());
        self.access.created(&mut entry, self.now_ms);
        self.arrives(db, hash, &entry);
        self.dbs[db].insert(hash, entry)
    }

    /// Deletes a key past its deadline that is only hidden, where one is to be that is not: on a replica that may be written to, or in a transaction
    /// that has paused the clients.
    #[inline(always)]
    fn make_way(&mut self, db: usize, hash: u64, key: &[u8]) {
        if (self.holds_expired || self.expire_mode == ExpireMode::Hide) && self.dbs[db].volatile() != 0 {
            self.delete_hidden(db, hash, key);
        }
    }

    #[cold]
    fn delete_hidden(&mut self, db: usize, hash: u64, key: &[u8]) {
        let found = self.dbs[db].dict.find_with_handle(hash, key).map(|(handle, _)| handle);
        if let Some(handle) = found {
            self.before_change(db, hash, handle);
            let entry = self.dbs[db].remove_at(handle, hash);
            self.forget_expired(db, entry);
        }
    }

    /// Takes a live key out. Does not count as a change yet: see [`Keyspace::key_changed`].
    #[inline]
    pub fn remove(&mut self, db: usize, hash: u64, key: &[u8]) -> Option<Entry> {
        let handle = self.locate(db, hash, key)?;
        self.before_change(db, hash, handle);
        Some(self.dbs[db].remove_at(handle, hash))
    }

    /// Gives a live key a deadline (Unix ms), or takes it away with [`NEVER`]. `false` when there is no such key.
    pub fn set_deadline(&mut self, db: usize, hash: u64, key: &[u8], deadline: i64) -> bool {
        let Some(handle) = self.locate(db, hash, key) else { return false };
        self.before_change(db, hash, handle);
        self.dbs[db].set_deadline_at(handle, hash, deadline);
        true
    }

    /// A live key chosen at random, in a bounded number of tries: `None` when there is none, or all that was tried has expired.
    pub fn random_key(&mut self, db: usize, rng: &mut Rng) -> Option<Box<[u8]>> {
        const TRIES: usize = 100;
        for attempt in 0..TRIES {
            let entry = self.dbs[db].dict.random(rng)?;
            let key: Box<[u8]> = entry.key().into();
            if !self.is_past(entry.deadline()) {
                return Some(key);
            }
            let all_volatile = self.dbs[db].volatile() == self.dbs[db].len();
            if self.expire_mode != ExpireMode::Delete && all_volatile && attempt + 1 == TRIES {
                // A replica may hold nothing else; better an expired key than an endless loop.
                return Some(key);
            }
            let hash = self.hash(&key);
            self.locate(db, hash, &key);
        }
        None
    }

    /// Empties a database; the old table is freed in slices ([`Keyspace::bury`]). Returns how many keys there were.
    pub fn flush(&mut self, db: usize) -> usize {
        let len = self.dbs[db].len();
        self.contents_change(Contents::Flush(db));
        self.names += 1;
        if let Some(rehearsal) = &mut self.rehearsal {
            let before = std::mem::replace(&mut self.dbs[db], Db::new(self.seed, self.names));
            rehearsal.keep_contents(db, before);
            return len;
        }
        let table = self.dbs[db].table;
        let old = self.dbs[db].take(self.names);
        self.retire(table, old);
        len
    }

    /// Leaves a table that is out of use to be freed in slices, once no walk needs it.
    fn retire(&mut self, table: TableId, dict: Dict<Entry>) {
        if self.walks.iter().any(|walk| walk.needs(table)) {
            self.retired.push((table, dict));
        } else if dict.has_segments() {
            trash::leave_keys(dict);
        }
    }

    /// Leaves the tables to be freed that were kept for walks and are not needed any more.
    fn release_retired(&mut self) {
        for (table, dict) in std::mem::take(&mut self.retired) {
            self.retire(table, dict);
        }
    }

    /// Exchanges two databases, for every client at once. Watched keys that are in either, before or after, count as touched.
    pub fn swap(&mut self, a: usize, b: usize) {
        if a == b {
            return;
        }
        self.contents_change(Contents::Swap(a, b));
        if let Some(rehearsal) = &mut self.rehearsal {
            rehearsal.note_swap(a, b);
        }
        self.exchange(a, b);
    }

    /// Exchanges two databases, which are not the same.
    fn exchange(&mut self, a: usize, b: usize) {
        let (a, b) = (a.min(b), a.max(b));
        let (left, right) = self.dbs.split_at_mut(b);
        left[a].swap_contents(&mut right[0]);
    }

    /// Frees a slice of what was flushed, or of a large value that is gone; `false` when nothing is left to free.
    pub fn bury(&mut self) -> bool {
        trash::free_slice()
    }

    /// Whether [`Keyspace::bury`] has something to do now.
    pub fn has_unburied(&self) -> bool {
        !trash::is_empty()
    }

    /// Begins a snapshot of this moment. It goes on with [`Keyspace::step_walk`].
    pub fn begin_walk(&mut self, sink: Rc<RefCell<dyn Sink>>) -> WalkId {
        self.names += 1;
        let tables = self.dbs.iter().enumerate().filter(|(_, db)| !db.is_empty()).map(|(i, db)| (db.table, i, &db.dict));
        let walk = Walk::new(self.names, tables, sink);
        let id = walk.id;
        self.walks.push(walk);
        self.count_observers();
        id
    }

    /// Hands the next part of a segment, some hundred entries, or of a large collection to a walk's sink; `false` when the walk is over (it
    /// is forgotten then) or unknown.
    pub fn step_walk(&mut self, id: WalkId) -> bool {
        let Some(index) = self.walks.iter().position(|w| w.id == id) else { return false };
        let walk = &mut self.walks[index];
        let tables = AllTables { dbs: &self.dbs, retired: &self.retired, kept: self.rehearsal.as_deref() };
        if walk.has_large() {
            walk.step_large(&tables);
        } else {
            walk.step(&tables);
        }
        let more = !walk.is_over();
        if !more {
            self.walks.swap_remove(index);
            self.count_observers();
        }
        self.release_retired();
        more
    }

    /// Forgets a walk that is not to be finished.
    pub fn cancel_walk(&mut self, id: WalkId) {
        let Some(index) = self.walks.iter().position(|w| w.id == id) else { return };
        let mut walk = self.walks.swap_remove(index);
        walk.cancel(&AllTables { dbs: &self.dbs, retired: &self.retired, kept: self.rehearsal.as_deref() });
        self.count_observers();
        self.release_retired();
    }

    fn count_observers(&mut self) {
        self.is_observed = !self.walks.is_empty() || self.rehearsal.is_some();
    }

    /// Must be called before an entry is added: it may hold a large collection that a walk has not finished.
    #[inline(always)]
    fn arrives(&mut self, db: usize, hash: u64, entry: &Entry) {
        if self.is_observed {
            let table = self.dbs[db].table;
            self.walks.iter_mut().for_each(|w| w.moved(table, hash, entry));
            self.keep_absence(db, entry.key());
        }
    }

    /// Must be called before the entry at `handle` changes or goes.
    #[inline(always)]
    fn before_change(&mut self, db: usize, hash: u64, handle: Handle) {
        if self.is_observed {
            self.save_first(db, hash, handle);
        }
    }

    #[cold]
    fn save_first(&mut self, db: usize, hash: u64, handle: Handle) {
        let Db { table, dict, .. } = &self.dbs[db];
        self.walks.iter_mut().for_each(|walk| walk.save_first(*table, dict, hash, handle));
        self.keep_entry(db, handle);
    }

    /// Must be called before the next due entries are taken out: finds where, and leaves the expire cycle's place there. Returns how
    /// many segments they may be taken from: one at most while there are walks, and none where the search has to go on first.
    fn before_due(&mut self, db: usize, now: i64, segments: usize) -> usize {
        if self.walks.is_empty() {
            return segments;
        }
        let Db { table, dict, expire_at, .. } = &mut self.dbs[db];
        match dict.find_due(*expire_at, now, segments) {
            Ok(hash) => {
                *expire_at = hash;
                self.walks.iter_mut().for_each(|walk| walk.save_due_first(*table, dict, hash, now));
                1
            }
            Err(next) => {
                *expire_at = next.unwrap_or(0);
                0
            }
        }
    }

    /// Bytes of memory of what is gone and not freed yet, about: it waits to be freed, or walks still need it. Streams that only walks still need are
    /// not among it.
    pub fn unburied_bytes(&self) -> usize {
        trash::pending_bytes() + pieces::orphan_bytes() + self.walks.iter().map(Walk::copied_bytes).sum::<usize>()
    }

    /// Keys that were flushed, and large values that are gone, and are not freed yet: INFO's `lazyfree_pending_objects`.
    pub fn unburied(&self) -> usize {
        self.retired.iter().map(|(_, dict)| dict.len()).sum::<usize>() + trash::pending()
    }

    /// Deletes every key past its deadline that the cycle reaches within its bounds. See [`expire`].
    pub fn expire_cycle(&mut self, within: &mut dyn FnMut() -> bool) -> CycleReport {
        expire::cycle(self, within)
    }

    /// A moment (Unix ms) before which no key is due.
    pub fn due_min(&self) -> i64 {
        self.dbs.iter().map(Db::due_min).min().unwrap_or(NEVER)
    }
}

impl Drop for Keyspace {
    fn drop(&mut self) {
        // No walk takes another step: tables must not be kept for one.
        self.walks.iter().map(|w| w.id).collect::<Vec<_>>().into_iter().for_each(|id| self.cancel_walk(id));
    }
}

/// The tables that walks read.
struct AllTables<'k> {
    dbs: &'k [Db],
    retired: &'k [(TableId, Dict<Entry>)],
    kept: Option<&'k Rehearsal>,
}

impl AllTables<'_> {
    fn out_of_use(&self) -> impl Iterator<Item = (TableId, &Dict<Entry>)> {
        self.retired.iter().map(|(name, dict)| (*name, dict)).chain(self.kept.into_iter().flat_map(Rehearsal::tables))
    }
}

impl Tables for AllTables<'_> {
    fn table(&self, id: TableId) -> Option<&Dict<Entry>> {
        let in_use = self.dbs.iter().find(|db| db.table == id).map(|db| &db.dict);
        in_use.or_else(|| self.out_of_use().find(|(name, _)| *name == id).map(|(_, dict)| dict))
    }

    fn names(&self) -> Vec<TableId> {
        self.dbs.iter().map(|db| db.table).chain(self.out_of_use().map(|(name, _)| name)).collect()
    }
}
