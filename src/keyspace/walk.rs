//! Snapshots without a fork: a walk over the keyspace as it was at one moment.
//!
//! A walk goes through the tables in hash order and hands every entry to its [`Sink`]. Before anything changes in a part that
//! it has not reached, the old entries of that part are handed over first ([`Walk::save_first`]). The part is as small as one
//! home bucket, some six entries, so a write pays about a microsecond for it, once; only when a segment is about to grow, split or shrink is all of it
//! handed over. So what the sink gets is the state at the walk's beginning, each entry exactly once, in no promised order.
//!
//! A large collection is handed over in pieces ([`large`]): when the walk comes to it, or before anything in its part changes, it is only noted
//! as it is, and its elements follow in later steps, whatever becomes of the key meanwhile.
//!
//! Any number of walks run side by side. A table that is flushed lives on until the walks that began before are through with it.

use crate::data::{
    dict::{Dict, Home},
    entry::Entry,
    pieces::Element,
};
use large::Large;
pub(super) use large::Tables;
use std::{cell::RefCell, collections::BTreeMap, collections::VecDeque, rc::Rc};

mod large;

/// Takes what a walk finds.
pub trait Sink {
    /// An entry of the database that had this index when the walk began.
    fn entry(&mut self, db: usize, entry: &Entry);

    /// An entry with a large collection. Its elements will follow; where there are several such collections, the elements of the first come first.
    /// What it holds now is what counts: its key and deadline, and how many elements there are.
    fn large(&mut self, db: usize, entry: &Entry);

    /// An element, or a node of a list, of the first large collection that is not whole.
    fn element(&mut self, element: Element<'_>);

    /// The first large collection is whole.
    fn large_done(&mut self);

    /// So many bytes of memory have been handed over before their turn, since they were about to change.
    fn early(&mut self, _bytes: usize) {}
}

/// Names a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalkId(pub(super) u64);

/// Names a table, wherever SWAPDB moves it.
pub(super) type TableId = u64;

/// Home buckets of a segment that have been handed over, a bit each.
type Homes = u64;
const ALL: Homes = Homes::MAX;
/// Home buckets handed over in a step: some fifty entries, about ten microseconds.
const PART: usize = 8;

/// A part of hash space in which something was handed over before the walk came by.
struct Early {
    /// Where it ends (`None`: with hash space).
    end: Option<u64>,
    homes: Homes,
}

pub(super) struct Walk {
    pub(super) id: WalkId,
    /// Tables still to be walked, the current one first, with the database index they had.
    tables: VecDeque<(TableId, usize)>,
    /// Where the next segment of the current table begins.
    at: u64,
    /// By table and beginning.
    early: BTreeMap<(TableId, u64), Early>,
    /// Large collections that are not whole, in the order of their coming.
    larges: VecDeque<Large>,
    sink: Rc<RefCell<dyn Sink>>,
}

impl Walk {
    pub(super) fn new(id: u64, tables: VecDeque<(TableId, usize)>, sink: Rc<RefCell<dyn Sink>>) -> Self {
        Self { id: WalkId(id), tables, at: 0, early: BTreeMap::new(), larges: VecDeque::new(), sink }
    }

    /// Whether it still has to come by in this table.
    pub(super) fn needs(&self, table: TableId) -> bool {
        self.tables.iter().any(|(id, _)| *id == table) || self.larges.iter().any(|large| large.is_in(table))
    }

    /// The table it reads, until it is through.
    pub(super) fn current(&self) -> Option<TableId> {
        self.tables.front().map(|(id, _)| *id)
    }

    /// The database index of a table in which `hash` has not been walked yet.
    fn ahead(&self, table: TableId, hash: u64) -> Option<usize> {
        let at = self.tables.iter().position(|(id, _)| *id == table)?;
        if at == 0 && hash < self.at { None } else { Some(self.tables[at].1) }
    }

    /// What was handed over early around `hash`, and where that part begins.
    fn early_at(&self, table: TableId, hash: u64) -> Option<(u64, Homes)> {
        let (key, early) = self.early.range((table, 0)..=(table, hash)).next_back()?;
        if early.end.is_none_or(|end| hash < end) { Some((key.1, early.homes)) } else { None }
    }

    /// Hands over what the key with this hash shares a home bucket with, before it changes. `whole`: the segment itself is about to change.
    pub(super) fn save_first(&mut self, table: TableId, dict: &Dict<Entry>, hash: u64, whole: bool) {
        let Some(db) = self.ahead(table, hash) else { return };
        let early = self.early_at(table, hash);
        if early.is_some_and(|(_, homes)| homes == ALL) {
            return;
        }
        let Some(home) = dict.home(hash) else {
            // Nothing was there: nothing that comes now belongs to the walk.
            let (start, end) = dict.span(hash);
            self.early.insert((table, start), Early { end, homes: ALL });
            return;
        };
        let homes = early.map_or(0, |(_, homes)| homes);
        let mut hand = self.hand(table, db);
        let now = if whole {
            hand_over(dict, hash, home, homes, |entry| hand.over_early(dict, entry));
            ALL
        } else {
            let bit = 1 << home.index;
            if homes & bit == 0 {
                dict.for_each_homed(hash, home.index..home.index + 1, 0, |entry| hand.over_early(dict, entry));
            }
            homes | bit
        };
        drop(hand);
        let (start, end) = dict.span(hash);
        self.early.insert((table, start), Early { end, homes: now });
    }

    /// Completes every part of a table of which something was handed over: its segments are about to be split out of turn.
    pub(super) fn complete_all(&mut self, table: TableId, dict: &Dict<Entry>) {
        let starts: Vec<u64> = self.early.range((table, 0)..=(table, u64::MAX)).filter(|(_, e)| e.homes != ALL).map(|(k, _)| k.1).collect();
        starts.into_iter().for_each(|start| self.save_first(table, dict, start, true));
    }

    /// Hands over the next part of a segment; `false` when that was the last.
    pub(super) fn step(&mut self, dict: &Dict<Entry>) -> bool {
        let Some(&(table, db)) = self.tables.front() else { return false };
        let mut next = None;
        if !dict.is_empty() || dict.has_segments() {
            let (start, end) = dict.span(self.at);
            next = end;
            let homes = self.early_at(table, start).map_or(0, |(_, homes)| homes);
            if let Some(home) = dict.home(start)
                && homes != ALL
            {
                let from = (homes.trailing_ones() as usize).min(home.count);
                let to = home.count.min(from + PART);
                let mut hand = self.hand(table, db);
                dict.for_each_homed(start, from..to, homes, |entry| hand.over(dict, entry));
                drop(hand);
                if to < home.count {
                    let part = (ALL >> (64 - PART)) << from;
                    self.early.insert((table, start), Early { end, homes: homes | part });
                    return true;
                }
            }
        }
        match next {
            Some(next) => {
                // What lies behind needs no marks any more; a part that reaches ahead keeps its own.
                while let Some((&key, _)) = self.early.range((table, 0)..(table, next)).next_back()
                    && self.early.get(&key).is_some_and(|e| e.end.is_some_and(|end| end <= next))
                {
                    self.early.remove(&key);
                }
                self.at = next;
            }
            None => self.next_table(),
        }
        !self.is_over()
    }

    /// Whether all has been handed over.
    pub(super) fn is_over(&self) -> bool {
        self.tables.is_empty() && self.larges.is_empty()
    }

    /// Leaves the current table behind.
    pub(super) fn next_table(&mut self) {
        if let Some((table, _)) = self.tables.pop_front() {
            let behind: Vec<_> = self.early.range((table, 0)..=(table, u64::MAX)).map(|(k, _)| *k).collect();
            behind.iter().for_each(|key| {
                self.early.remove(key);
            });
        }
        self.at = 0;
    }
}

/// Hands over the home buckets of a segment that have not been.
fn hand_over(dict: &Dict<Entry>, hash: u64, home: Home, homes: Homes, visit: impl FnMut(&Entry)) {
    if homes == 0 {
        return dict.for_each_in_segment(hash, visit);
    }
    dict.for_each_homed(hash, 0..home.count, homes, visit);
}

#[cfg(test)]
mod tests;
