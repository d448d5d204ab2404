//! Snapshots without a fork: a walk over the keyspace as it was at one moment.
//!
//! A walk goes through the tables in hash order and hands every entry to its [`Sink`]. Before an entry changes or goes that it has not
//! reached, the entry is handed over as it is ([`Walk::save_first`]). What it has still to visit it knows by slot, and that moves with the
//! entries when segments grow, split or shrink. So what the sink gets is the state at the walk's beginning, each entry exactly once, in no promised order.
//!
//! A large collection is handed over in pieces ([`large`]): when the walk comes to it, or before it changes, it is only noted
//! as it is, and its elements follow in later steps, whatever becomes of the key meanwhile.
//!
//! Any number of walks run side by side. A table that is flushed lives on until the walks that began before are through with it.

use super::db::TableId;
use crate::data::{
    dict::{Dict, Handle},
    entry::Entry,
    pieces::WatchId,
};
use large::{Hand, Larges};
pub(super) use place::Tables;
pub use sink::Sink;
use std::{cell::RefCell, collections::VecDeque, rc::Rc};

mod large;
mod place;
mod sink;

/// Names a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalkId(pub(super) u64);

/// Buckets handed over in a step: some fifty entries, about ten microseconds.
const PART: usize = 8;

pub(super) struct Walk {
    pub(super) id: WalkId,
    /// Its name in the tables that it has still to visit.
    marks: WatchId,
    /// Those tables, the current one first, with the database index they had.
    tables: VecDeque<(TableId, usize)>,
    larges: Larges,
    sink: Rc<RefCell<dyn Sink>>,
}

impl Walk {
    /// A walk over what there is now in `tables`, each with its name and database index.
    pub(super) fn new<'t>(id: u64, tables: impl Iterator<Item = (TableId, usize, &'t Dict<Entry>)>, sink: Rc<RefCell<dyn Sink>>) -> Self {
        let marks = WatchId::new();
        let begin = |(table, db, dict): (TableId, usize, &Dict<Entry>)| {
            dict.begin_walk(marks);
            (table, db)
        };
        Self { id: WalkId(id), marks, tables: tables.map(begin).collect(), larges: Larges::default(), sink }
    }

    /// Whether it still needs this table.
    pub(super) fn needs(&self, table: TableId) -> bool {
        self.tables.iter().any(|(id, _)| *id == table) || self.larges.may_be_in(table)
    }

    /// What hands entries of a table to the sink; `None` when the walk is through with it.
    fn hand(&mut self, table: TableId) -> Option<Hand<'_>> {
        let (_, db) = *self.tables.iter().find(|(id, _)| *id == table)?;
        Some(Hand::new(&self.sink, &mut self.larges, table, db))
    }

    /// Hands over the entry at `handle`, found under `hash`, which is about to change or to go, unless that has been done.
    pub(super) fn save_first(&mut self, table: TableId, dict: &Dict<Entry>, hash: u64, handle: Handle) {
        if let Some(entry) = dict.take_marked(self.marks, hash, handle)
            && let Some(mut hand) = self.hand(table)
        {
            hand.over_early(dict, entry);
        }
    }

    /// Hands over what is due at `now` in the segment that owns `hash`, unless that has been done: it is about to go.
    pub(super) fn save_due_first(&mut self, table: TableId, dict: &Dict<Entry>, hash: u64, now: i64) {
        let marks = self.marks;
        if let Some(mut hand) = self.hand(table) {
            dict.take_marked_due(marks, hash, now, |entry| hand.over_early(dict, entry));
        }
    }

    /// Whether a large collection is to be gone on with before anything else.
    pub(super) fn has_large(&self) -> bool {
        !self.larges.is_empty()
    }

    /// Bytes of memory that only this walk still needs, about; tables that are gone are not among them.
    pub(super) fn copied_bytes(&self) -> usize {
        self.larges.copied_bytes()
    }

    /// Hands over the next elements of the first large collection.
    pub(super) fn step_large(&mut self, tables: &dyn Tables) {
        self.larges.step(&self.sink, tables);
    }

    /// Notes that an entry has been put into a table: it may hold one of the large collections.
    pub(super) fn moved(&mut self, to: TableId, to_hash: u64, entry: &Entry) {
        self.larges.moved(to, to_hash, entry);
    }

    /// Hands over the next part of a segment of the current table.
    pub(super) fn step(&mut self, tables: &dyn Tables) {
        let Some(&(table, _)) = self.tables.front() else { return };
        let marks = self.marks;
        let more = match (tables.table(table), self.hand(table)) {
            (Some(dict), Some(mut hand)) => dict.step_walk(marks, PART, |entry| hand.over(dict, entry)),
            _ => false,
        };
        if !more {
            self.tables.pop_front();
        }
    }

    /// Gives everything up: it is not to be finished.
    pub(super) fn cancel(&mut self, tables: &dyn Tables) {
        for (table, _) in self.tables.drain(..) {
            if let Some(dict) = tables.table(table) {
                dict.end_walk(self.marks);
            }
        }
        self.larges.forget(tables);
    }

    /// Whether all has been handed over.
    pub(super) fn is_over(&self) -> bool {
        self.tables.is_empty() && self.larges.is_empty()
    }
}

#[cfg(test)]
mod tests;
