//! Large collections handed over in pieces, as they were at one moment, while they go on changing.
//!
//! What consists of parts that copies share, a list or a stream, is copied, and the copy handed over ([`shared`]). The rest stands on a table.
//!
//! Whoever wants such a view of a table begins a *watch* on it, and takes a [step](Pieces::step) from time to time. The table notes before it
//! changes an element that a watch has not visited yet what that element was, and that it is not to be met again; so all steps
//! together see every element as it was when the watch began, once each, in no promised order. A table that is dropped while it is watched
//! becomes an orphan: it waits here until its watches are over, out of everybody else's sight.

use super::{
    dict::{Dict, Slot},
    hash::FieldEntry,
    list::{List, NodeView},
    member::Member,
    object::Object,
    stream::{SharedStream, StreamPart},
    trash::Garbage,
    zset,
};
use std::cell::RefCell;

#[cfg(test)]
mod tests;

pub use super::dict::WatchId;

/// An element of a collection.
pub enum Element<'a> {
    /// A member of a set.
    Member(&'a [u8]),
    /// A field of a hash: key, value and deadline of the entry are the field's.
    Field(&'a FieldEntry),
    /// A member of a sorted set and its score.
    Scored(&'a [u8], f64),
    /// Some elements of a list in a row.
    Node(NodeView<'a>),
    /// What comes next of a stream.
    Stream(StreamPart<'a>),
}

/// What a table of elements holds.
pub trait Piece: Slot {
    /// A copy that is equal in everything.
    fn copy(&self) -> Self;
    /// The element it is.
    fn show(&self) -> Element<'_>;
}

impl Piece for FieldEntry {
    fn copy(&self) -> Self {
        self.copy_as(self.key())
    }

    fn show(&self) -> Element<'_> {
        Element::Field(self)
    }
}

impl Piece for Member {
    fn copy(&self) -> Self {
        self.clone()
    }

    fn show(&self) -> Element<'_> {
        Element::Member(self.bytes())
    }
}

impl Piece for zset::Member {
    fn copy(&self) -> Self {
        self.clone()
    }

    fn show(&self) -> Element<'_> {
        Element::Scored(self.bytes(), self.score())
    }
}

/// The value as what can be handed over in pieces, if it stands on a table.
pub fn of(object: &Object) -> Option<&dyn Pieces> {
    match object {
        Object::Set(set) => set.members().map(|table| table as &dyn Pieces),
        Object::Hash(hash) => hash.table().map(|table| table as &dyn Pieces),
        Object::Zset(zset) => zset.members().map(|table| table as &dyn Pieces),
        Object::Bytes(_) | Object::List(_) | Object::Stream(_) => None,
    }
}

/// A copy of a collection that shares its parts with the original.
pub trait SharedCopy {
    /// Hands over the next elements, some hundred at most; `false` when those were the last.
    fn step(&mut self, visit: &mut dyn FnMut(Element<'_>)) -> bool;
    /// Bytes of memory that only the copy still needs, about: those of all where the original is gone, if that can be told.
    fn bytes_alone(&self) -> usize;
}

/// The value as such a copy, if that is how it is to be handed over.
pub fn shared(object: &Object) -> Option<Box<dyn SharedCopy>> {
    match object {
        Object::List(list) => Some(Box::new(SharedList { list: list.clone(), next: 0 })),
        Object::Stream(stream) => Some(Box::new(SharedStream::of(stream))),
        _ => None,
    }
}

/// Nodes of a list handed over in a step: a node is up to 64 KiB to be compressed, mostly 8.
const NODES_STEP: usize = 2;

/// A list on its way.
struct SharedList {
    list: List,
    /// The node that comes next.
    next: usize,
}

impl SharedCopy for SharedList {
    fn step(&mut self, visit: &mut dyn FnMut(Element<'_>)) -> bool {
        (self.next..self.next + NODES_STEP).filter_map(|i| self.list.node(i)).for_each(|node| visit(Element::Node(node)));
        self.next += NODES_STEP;
        self.next < self.list.node_count()
    }

    fn bytes_alone(&self) -> usize {
        const SAMPLES: usize = 8;
        if self.list.is_alone() { self.list.allocated(SAMPLES) } else { 0 }
    }
}

impl SharedCopy for SharedStream {
    fn step(&mut self, visit: &mut dyn FnMut(Element<'_>)) -> bool {
        SharedStream::step(self, &mut |part| visit(Element::Stream(part)))
    }

    /// Every entry that is added to the original makes its root another, so whether that is gone cannot be told.
    fn bytes_alone(&self) -> usize {
        0
    }
}

/// A collection that can be handed over in pieces.
pub trait Pieces {
    /// Begins a watch: its steps see the elements that there are now.
    fn watch(&self, id: WatchId);
    /// Whether there is a watch of this name.
    fn is_watched_by(&self, id: WatchId) -> bool;
    /// Goes on by some hundred elements; `false` when the watch is over, and forgotten.
    fn step(&self, id: WatchId, visit: &mut dyn FnMut(Element<'_>)) -> bool;
    /// Forgets a watch that is not to be finished.
    fn unwatch(&self, id: WatchId);
    /// Whether anybody watches.
    fn is_watched(&self) -> bool;
    /// Whether writes still look for watches.
    #[cfg(test)]
    fn keeps_walkers(&self) -> bool;
}

impl<T: Piece> Pieces for Dict<T> {
    fn watch(&self, id: WatchId) {
        self.begin_watch(id, T::copy, rescue);
    }

    fn is_watched_by(&self, id: WatchId) -> bool {
        self.has_watch(id)
    }

    fn step(&self, id: WatchId, visit: &mut dyn FnMut(Element<'_>)) -> bool {
        self.step_watch(id, &mut |element| visit(element.show()))
    }

    fn unwatch(&self, id: WatchId) {
        self.end_walk(id);
    }

    fn is_watched(&self) -> bool {
        Dict::is_watched(self)
    }

    #[cfg(test)]
    fn keeps_walkers(&self) -> bool {
        Dict::keeps_walkers(self)
    }
}

/// A table that is gone but for its watches, and what it takes.
struct Orphan {
    table: Box<dyn Pieces>,
    bytes: usize,
}

#[derive(Default)]
struct Orphans {
    all: Vec<Orphan>,
    /// What all of them take.
    bytes: usize,
}

thread_local! {
    static ORPHANS: RefCell<Orphans> = RefCell::default();
}

/// Keeps a table that nobody but its watches needs. At the thread's end nobody does.
fn rescue<T: Piece>(table: Dict<T>) {
    let bytes = Garbage::bytes(&table);
    let mut table = Some(table);
    let kept = ORPHANS.try_with(|orphans| {
        if let Some(table) = table.take() {
            let mut orphans = orphans.borrow_mut();
            orphans.bytes += bytes;
            orphans.all.push(Orphan { table: Box::new(table), bytes });
        }
    });
    if let (Err(_), Some(mut table)) = (kept, table) {
        table.forget_watches();
    }
}

/// [`Pieces::step`] for a table that has been dropped since; `None` when there is no such one.
pub fn step_orphan(id: WatchId, visit: &mut dyn FnMut(Element<'_>)) -> Option<bool> {
    with_orphan(id, |orphan| orphan.step(id, visit))
}

/// Whether there is a watch of this name on a table that has been dropped.
pub fn is_orphan(id: WatchId) -> bool {
    ORPHANS.with(|orphans| orphans.borrow().all.iter().any(|orphan| orphan.table.is_watched_by(id)))
}

/// [`Pieces::unwatch`] for a table that has been dropped since.
pub fn unwatch_orphan(id: WatchId) {
    with_orphan(id, |orphan| orphan.unwatch(id));
}

/// Tables that are gone but for their watches.
pub fn orphans() -> usize {
    ORPHANS.with(|orphans| orphans.borrow().all.len())
}

/// Bytes of memory that those take, about.
pub fn orphan_bytes() -> usize {
    ORPHANS.with(|orphans| orphans.borrow().bytes)
}

fn with_orphan<R>(id: WatchId, act: impl FnOnce(&dyn Pieces) -> R) -> Option<R> {
    let (result, done) = ORPHANS.with(|orphans| {
        let mut orphans = orphans.borrow_mut();
        let index = orphans.all.iter().position(|orphan| orphan.table.is_watched_by(id))?;
        let result = act(&*orphans.all[index].table);
        let done = (!orphans.all[index].table.is_watched()).then(|| orphans.all.swap_remove(index));
        orphans.bytes -= done.as_ref().map_or(0, |orphan| orphan.bytes);
        Some((result, done.map(|orphan| orphan.table)))
    })?;
    // What is freed may itself leave something here, so nothing is borrowed meanwhile.
    drop(done);
    Some(result)
}
