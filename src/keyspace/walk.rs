//! Snapshots without a fork: a walk over the keyspace as it was at one moment.
//!
//! A walk goes through the tables in hash order and hands every entry to its [`Sink`]. Before anything changes in a part that
//! it has not reached, the old state of that part is handed over first ([`Walk::save_first`]). The part is a single entry; only when a segment
//! is about to grow, split or shrink is all of it handed over. So what the sink gets is the state at the walk's beginning, each entry exactly
//! once, in no promised order.
//!
//! A large collection is handed over in pieces ([`large`]): when the walk comes to it, or before it changes, it is only noted
//! as it is, and its elements follow in later steps, whatever becomes of the key meanwhile.
//!
//! Any number of walks run side by side. A table that is flushed lives on until the walks that began before are through with it.

use crate::data::{
    dict::{Dict, Handle, SlotSet},
    entry::Entry,
    pieces::Element,
};
pub(super) use large::Tables;
use large::{Hand, Large};
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

/// Buckets handed over in a step: some fifty entries, about ten microseconds.
const PART: usize = 8;

/// What is about to change in a table.
#[derive(Clone, Copy)]
pub(super) enum Change {
    /// This entry, which may also go.
    Entry(Handle),
    /// An entry is added.
    Arrival,
    /// The segment grows, splits or shrinks.
    Segment,
}

/// What was one segment when something was about to change in it for the first time, or when the walk came to it.
struct Begun {
    /// Where it ends (`None`: with hash space).
    end: Option<u64>,
    /// Entries still to be handed over. What has come since has no part in it.
    pending: SlotSet,
}

/// By table and beginning.
type Segments = BTreeMap<(TableId, u64), Begun>;

/// Does something with what is pending in the segment that owns `hash`.
#[inline]
fn with_pending(begun: &mut Segments, table: TableId, dict: &Dict<Entry>, hash: u64, act: impl FnOnce(&mut SlotSet)) {
    if let Some((_, segment)) = begun.range_mut((table, 0)..=(table, hash)).next_back()
        && segment.end.is_none_or(|end| hash < end)
    {
        return act(&mut segment.pending);
    }
    let (start, end) = dict.span(hash);
    let mut pending = dict.slots_in_use(hash);
    act(&mut pending);
    begun.insert((table, start), Begun { end, pending });
}

pub(super) struct Walk {
    pub(super) id: WalkId,
    /// Tables still to be walked, the current one first, with the database index they had.
    tables: VecDeque<(TableId, usize)>,
    /// Where the next segment of the current table begins.
    at: u64,
    /// Segments at and ahead of the walk of which something has been handed over.
    begun: Segments,
    /// Large collections that are not whole, in the order of their coming.
    larges: VecDeque<Large>,
    sink: Rc<RefCell<dyn Sink>>,
}

impl Walk {
    pub(super) fn new(id: u64, tables: VecDeque<(TableId, usize)>, sink: Rc<RefCell<dyn Sink>>) -> Self {
        Self { id: WalkId(id), tables, at: 0, begun: BTreeMap::new(), larges: VecDeque::new(), sink }
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

    /// Hands over what `change` is about to change in the segment that owns `hash`, unless that has been done.
    pub(super) fn save_first(&mut self, table: TableId, dict: &Dict<Entry>, hash: u64, change: Change) {
        let Some(db) = self.ahead(table, hash) else { return };
        let Self { begun, sink, larges, .. } = self;
        let mut hand = Hand::new(sink, larges, table, db);
        with_pending(begun, table, dict, hash, |pending| match change {
            Change::Entry(handle) => {
                if let Some(entry) = dict.take_slot(handle, pending) {
                    hand.over_early(dict, entry);
                }
            }
            Change::Segment => dict.take_slots(hash, pending, usize::MAX, |entry| hand.over_early(dict, entry)),
            // That the segment is known from now on keeps what comes apart from what was there.
            Change::Arrival => (),
        });
    }

    /// Completes every segment of a table of which something was handed over: it is about to be split out of turn.
    pub(super) fn complete_all(&mut self, table: TableId, dict: &Dict<Entry>) {
        let begun = self.begun.range((table, 0)..=(table, u64::MAX));
        let starts: Vec<u64> = begun.filter(|(_, segment)| !segment.pending.is_empty()).map(|(key, _)| key.1).collect();
        starts.into_iter().for_each(|start| self.save_first(table, dict, start, Change::Segment));
    }

    /// Hands over the next part of a segment; `false` when that was the last.
    pub(super) fn step(&mut self, dict: &Dict<Entry>) -> bool {
        let Some(&(table, db)) = self.tables.front() else { return false };
        let mut next = None;
        if dict.has_segments() {
            let mut rests = false;
            with_pending(&mut self.begun, table, dict, self.at, |pending| {
                let mut hand = Hand::new(&self.sink, &mut self.larges, table, db);
                dict.take_slots(self.at, pending, PART, |entry| hand.over(dict, entry));
                rests = !pending.is_empty();
            });
            if rests {
                return true;
            }
            next = dict.span(self.at).1;
        }
        match next {
            Some(next) => {
                // What lies behind needs no marks any more; what reaches ahead keeps its own.
                while let Some((&key, _)) = self.begun.range((table, 0)..(table, next)).next_back()
                    && self.begun.get(&key).is_some_and(|e| e.end.is_some_and(|end| end <= next))
                {
                    self.begun.remove(&key);
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
            let behind: Vec<_> = self.begun.range((table, 0)..=(table, u64::MAX)).map(|(k, _)| *k).collect();
            behind.iter().for_each(|key| {
                self.begun.remove(key);
            });
        }
        self.at = 0;
    }
}

#[cfg(test)]
mod tests;
