//! The expire cycle: reclaims what is due, exactly, in slices of bounded length.
//!
//! Segments keep a lower bound of their entries' deadlines, so a cycle touches only what owes something; there is no
//! sampling, and nothing that is due stays behind for longer than the cycle needs to come round.

use super::Keyspace;
use crate::data::{
    entry::Entry,
    trash::{self, Garbage},
};
use std::collections::BTreeSet;

/// What happens to a key past its deadline when it is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpireMode {
    /// It is deleted: we are a primary.
    Delete,
    /// It is as if not there, and its deletion will come from the primary.
    Hide,
    /// It is there: our primary's own commands see it, and so does a loading file.
    Ignore,
}

/// How far one cycle came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CycleReport {
    /// Keys, and fields of hashes, reclaimed.
    pub expired: usize,
    /// Whether nothing that was due is left.
    pub done: bool,
}

/// Segment headers looked at, and entries reclaimed, between two looks at the clock: some tens of microseconds.
const HEADERS: usize = 512;
const ENTRIES: usize = 64;

/// Deadlines that no longer matter.
struct Forgotten(BTreeSet<(i64, usize, Box<[u8]>)>);

impl Garbage for Forgotten {
    fn free_slice(&mut self) -> bool {
        (0..ENTRIES).all(|_| self.0.pop_first().is_some())
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn bytes(&self) -> usize {
        const NODE_BYTES: usize = 40;
        self.0.len() * NODE_BYTES
    }
}

impl Keyspace {
    /// Says that a client of ours may have given this key a deadline while we are a replica: our primary knows nothing of it, so we reclaim
    /// the key ourselves.
    pub fn note_own_deadline(&mut self, db: usize, key: &[u8]) {
        let found = self.dbs[db].dict.find(self.hash(key), key);
        if let Some(deadline) = found.filter(|entry| entry.is_volatile()).map(|entry| entry.deadline()) {
            self.own.insert((deadline, db, key.into()));
        }
    }

    /// How many keys a replica reclaims itself.
    pub fn own_deadlines(&self) -> usize {
        self.own.len()
    }

    fn owes_own(&self) -> bool {
        self.own.first().is_some_and(|(deadline, ..)| self.is_past(*deadline))
    }

    /// Reclaims some of what a replica has to reclaim itself, as far as it is due. Says whether more is.
    pub fn expire_own(&mut self) -> bool {
        for _ in 0..ENTRIES {
            if !self.owes_own() {
                return false;
            }
            let Some((_, db, key)) = self.own.pop_first() else { return false };
            let hash = self.hash(&key);
            let mode = std::mem::replace(&mut self.expire_mode, ExpireMode::Delete);
            // A key that is still live has been given another deadline meanwhile.
            let live = self.locate(db, hash, &key).is_some();
            self.expire_mode = mode;
            if live {
                self.note_own_deadline(db, &key);
            }
        }
        self.owes_own()
    }

    /// Forgets what a replica has to reclaim itself: the expire cycle does it all again.
    pub fn forget_own_deadlines(&mut self) {
        trash::leave(Forgotten(std::mem::take(&mut self.own)));
    }
}

pub(super) fn cycle(keyspace: &mut Keyspace, within: &mut dyn FnMut() -> bool) -> CycleReport {
    // The last millisecond that is over.
    let (now, mut expired) = (keyspace.now_ms - 1, 0);
    let mut due: Vec<Entry> = Vec::new();
    for db in 0..keyspace.dbs.len() {
        while keyspace.dbs[db].due_min() <= now {
            let headers = keyspace.before_due(db, now, HEADERS);
            if headers > 0 {
                keyspace.dbs[db].take_due(now, headers, ENTRIES, |entry| due.push(entry));
            }
            expired += due.len();
            due.drain(..).for_each(|entry| keyspace.forget_expired(db, entry));
            if !within() {
                let done = keyspace.dbs[db].due_min() > now;
                return CycleReport { expired, done };
            }
        }
    }
    let (fields, done) = keyspace.expire_fields_cycle(within);
    CycleReport { expired: expired + fields, done }
}
