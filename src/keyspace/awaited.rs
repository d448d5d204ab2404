//! Keys that clients wait for, and these clients, in order of arrival.

use std::collections::{BTreeMap, HashMap, VecDeque};

/// Who waits for a key.
struct Waiter {
    /// The number that the caller has chosen.
    waiter: u32,
    /// It is to be met also when there is nothing at the key, or something of another type.
    also_gone: bool,
}

/// Clients that wait for one key.
#[derive(Default)]
struct Queue {
    /// Waiters by ticket.
    waiters: BTreeMap<u64, Waiter>,
    /// How many of them are to be met when the key is gone.
    also_gone: usize,
    /// It is among those to be looked at.
    ready: bool,
}

/// Keys that are waited for. A waiter is a number chosen by the caller; its ticket is unique and grows with each arrival.
#[derive(Default)]
pub struct Awaited {
    /// By index of the database.
    dbs: Vec<HashMap<Box<[u8]>, Queue>>,
    len: usize,
    /// Those that have changed, in that order.
    ready: VecDeque<(usize, Box<[u8]>)>,
}

impl Awaited {
    /// Whether no client waits.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Number of keys that are waited for.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Adds a waiter for a key; `also_gone` for one that has to know when the key goes.
    pub fn wait(&mut self, db: usize, key: &[u8], ticket: u64, waiter: u32, also_gone: bool) {
        if self.dbs.len() <= db {
            self.dbs.resize_with(db + 1, HashMap::new);
        }
        if !self.dbs[db].contains_key(key) {
            self.dbs[db].insert(key.into(), Queue::default());
            self.len += 1;
        }
        if let Some(queue) = self.dbs[db].get_mut(key) {
            let before = queue.waiters.insert(ticket, Waiter { waiter, also_gone });
            // A command may name a key twice.
            queue.also_gone += usize::from(also_gone && before.is_none());
        }
    }

    /// Takes a waiter for a key away. It does not have to be there any more.
    pub fn leave(&mut self, db: usize, key: &[u8], ticket: u64) {
        let Some(keys) = self.dbs.get_mut(db) else { return };
        let Some(queue) = keys.get_mut(key) else { return };
        if let Some(left) = queue.waiters.remove(&ticket) {
            queue.also_gone -= usize::from(left.also_gone);
        }
        if queue.waiters.is_empty() {
            keys.remove(key);
            self.len -= 1;
        }
    }

    /// Says that a key has changed: if somebody waits for it, it is to be looked at.
    #[cold]
    pub fn note(&mut self, db: usize, key: &[u8]) {
        if let Some(queue) = self.dbs.get_mut(db).and_then(|keys| keys.get_mut(key))
            && !std::mem::replace(&mut queue.ready, true)
        {
            self.ready.push_back((db, key.into()));
        }
    }

    /// Says that any key of these databases may have changed.
    pub fn note_all(&mut self, dbs: impl IntoIterator<Item = usize>) {
        for db in dbs {
            let mut keys: Vec<(u64, Box<[u8]>)> = Vec::new();
            for (key, queue) in self.dbs.get(db).into_iter().flatten() {
                keys.extend(queue.waiters.keys().next().map(|first| (*first, key.clone())));
            }
            // A table has no order of its own: who has waited longest comes first.
            keys.sort_unstable();
            keys.iter().for_each(|(_, key)| self.note(db, key));
        }
    }

    /// Whether a key is to be looked at.
    #[inline(always)]
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// The next key to be looked at.
    pub fn take_ready(&mut self) -> Option<(usize, Box<[u8]>)> {
        let (db, key) = self.ready.pop_front()?;
        if let Some(queue) = self.dbs.get_mut(db).and_then(|keys| keys.get_mut(&*key)) {
            queue.ready = false;
        }
        Some((db, key))
    }

    /// The next waiter for a key behind this ticket.
    pub fn next(&self, db: usize, key: &[u8], behind: u64) -> Option<(u64, u32)> {
        let queue = self.dbs.get(db)?.get(key)?;
        queue.waiters.range(behind + 1..).next().map(|(ticket, met)| (*ticket, met.waiter))
    }

    /// Whether somebody has to know that a key is gone.
    pub fn concerns_gone(&self, db: usize, key: &[u8]) -> bool {
        self.dbs.get(db).and_then(|keys| keys.get(key)).is_some_and(|queue| queue.also_gone > 0)
    }

    /// The ticket of the last waiter for a key.
    pub fn last(&self, db: usize, key: &[u8]) -> Option<u64> {
        self.dbs.get(db)?.get(key)?.waiters.keys().next_back().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiters_are_met_in_the_order_of_their_tickets() {
        let mut awaited = Awaited::default();
        for (ticket, waiter) in [(1, 70), (2, 50), (3, 60)] {
            awaited.wait(2, b"k", ticket, waiter, false);
        }
        assert_eq!((awaited.next(2, b"k", 0), awaited.next(2, b"k", 1)), (Some((1, 70)), Some((2, 50))));
        awaited.leave(2, b"k", 2);
        assert_eq!((awaited.next(2, b"k", 1), awaited.next(2, b"k", 3)), (Some((3, 60)), None));
        assert_eq!((awaited.last(2, b"k"), awaited.last(0, b"k"), awaited.len()), (Some(3), None, 1));
        awaited.leave(2, b"k", 1);
        awaited.leave(2, b"k", 3);
        assert!(awaited.is_empty());
    }

    #[test]
    fn a_key_is_looked_at_once_however_often_it_changed() {
        let mut awaited = Awaited::default();
        awaited.wait(0, b"a", 1, 1, false);
        awaited.wait(0, b"b", 2, 2, false);
        for key in [b"b", b"x", b"a", b"b"] {
            awaited.note(0, key);
        }
        awaited.note(1, b"a");
        assert_eq!(awaited.take_ready(), Some((0, (*b"b").into())));
        awaited.note(0, b"b");
        assert_eq!(awaited.take_ready(), Some((0, (*b"a").into())));
        assert_eq!(awaited.take_ready(), Some((0, (*b"b").into())));
        assert!(!awaited.has_ready());
    }

    #[test]
    fn a_swap_wakes_whoever_has_waited_longest_first() {
        let mut awaited = Awaited::default();
        awaited.wait(1, b"z", 1, 1, false);
        awaited.wait(1, b"a", 2, 2, false);
        awaited.note_all([0, 1]);
        assert_eq!(awaited.take_ready(), Some((1, (*b"z").into())));
        assert_eq!(awaited.take_ready(), Some((1, (*b"a").into())));
    }

    #[test]
    fn who_has_to_know_that_a_key_is_gone_is_counted() {
        let mut awaited = Awaited::default();
        awaited.wait(0, b"k", 1, 1, false);
        assert!(!awaited.concerns_gone(0, b"k"));
        for _ in 0..2 {
            awaited.wait(0, b"k", 2, 2, true);
        }
        assert!(awaited.concerns_gone(0, b"k"));
        awaited.leave(0, b"k", 2);
        assert!(!awaited.concerns_gone(0, b"k") && !awaited.concerns_gone(0, b"x"));
    }
}
