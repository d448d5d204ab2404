//! Large collections on a walk: noted first, handed over in pieces. A list or a stream is copied, since what it consists of is shared; a table is
//! watched, and looked for where its key was last seen.

use super::{
    place::{CollectionPlace, CollectionSearch, Tables, pieces_of},
    sink::Sink,
};
use crate::{
    data::{
        dict::Dict,
        entry::{Entry, Value},
        object::Object,
        pieces::{self, Element, SharedCopy, WatchId},
        stream::Stream,
    },
    keyspace::db::TableId,
};
use std::{
    cell::{RefCell, RefMut},
    collections::VecDeque,
};

/// Elements of a table from which it is handed over in pieces.
const ELEMENTS_LARGE: usize = 512;
/// Nodes of a list or a stream from which it is: a list's is up to 64 KiB to be compressed, mostly 8.
const NODES_LARGE: usize = 8;
/// Groups of a stream, and consumers of a group, from which it is.
const GROUPS_LARGE: usize = 8;
const CONSUMERS_LARGE: usize = 64;
/// Elements of a collection whose size stands for that of all of them.
const SAMPLES: usize = 5;

/// A large collection that is not whole.
enum Large {
    /// As a copy of its own.
    Shared(Box<dyn SharedCopy>),
    Table {
        id: WatchId,
        /// Where its key was last seen.
        place: CollectionPlace,
        /// Where it is neither there nor an orphan.
        search: Option<CollectionSearch>,
    },
}

impl Large {
    /// Whether it may be held by this table of keys.
    fn may_be_in(&self, table: TableId) -> bool {
        let Self::Table { place, search, .. } = self else { return false };
        place.table == table || search.as_ref().is_some_and(|search| search.needs(table))
    }
}

/// Large collections that are not whole, in the order of their coming.
#[derive(Default)]
pub(super) struct Larges(VecDeque<Large>);

/// Hands entries over to a walk's sink.
pub(super) struct Hand<'w> {
    sink: RefMut<'w, dyn Sink>,
    larges: &'w mut Larges,
    table: TableId,
    db: usize,
}

fn large_of(entry: &Entry) -> Option<&Object> {
    let Value::Object(object) = entry.value() else { return None };
    let is_large = match object {
        Object::Bytes(_) => false,
        Object::List(list) => list.node_count() >= NODES_LARGE,
        Object::Set(set) => set.len() >= ELEMENTS_LARGE && set.members().is_some(),
        Object::Hash(hash) => hash.len() >= ELEMENTS_LARGE && hash.table().is_some(),
        Object::Zset(zset) => zset.len() >= ELEMENTS_LARGE && zset.members().is_some(),
        Object::Stream(stream) => is_large_stream(stream),
    };
    is_large.then_some(object)
}

fn is_large_stream(stream: &Stream) -> bool {
    stream.node_count() >= NODES_LARGE as u64
        || stream.groups_len() >= GROUPS_LARGE
        || stream.groups().any(|(_, group)| group.pending_len() >= ELEMENTS_LARGE as u64 || group.consumers_len() >= CONSUMERS_LARGE)
}

/// Bytes of memory that hang off an entry and are copied with it: a large collection is not, or in pieces.
fn hanging(entry: &Entry) -> usize {
    match entry.value() {
        Value::Object(object) if large_of(entry).is_none() => object.allocated(SAMPLES),
        _ => 0,
    }
}

impl<'w> Hand<'w> {
    /// For entries of a table that had database index `db` when the walk began.
    pub fn new(sink: &'w RefCell<dyn Sink>, larges: &'w mut Larges, table: TableId, db: usize) -> Self {
        Self { sink: sink.borrow_mut(), larges, table, db }
    }

    #[inline]
    pub fn over(&mut self, dict: &Dict<Entry>, entry: &Entry) {
        match large_of(entry) {
            None => self.sink.entry(self.db, entry),
            Some(object) => self.note(dict, entry, object),
        }
    }

    /// The same, before the walk has visited it.
    pub fn over_early(&mut self, dict: &Dict<Entry>, entry: &Entry) {
        self.sink.early(entry.allocated() + hanging(entry));
        self.over(dict, entry);
    }

    #[cold]
    fn note(&mut self, dict: &Dict<Entry>, entry: &Entry, object: &Object) {
        let large = match (pieces::shared(object), pieces::of(object)) {
            (Some(shared), _) => Large::Shared(shared),
            (_, Some(pieces)) => {
                let id = WatchId::new();
                pieces.watch(id);
                let place = CollectionPlace { table: self.table, hash: dict.hash(entry.key()), key: entry.key().into() };
                Large::Table { id, place, search: None }
            }
            _ => return self.sink.entry(self.db, entry),
        };
        self.sink.large(self.db, entry);
        self.larges.0.push_back(large);
    }
}

impl Larges {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them may be held by this table of keys.
    pub fn may_be_in(&self, table: TableId) -> bool {
        self.0.iter().any(|large| large.may_be_in(table))
    }

    /// Bytes of memory that nobody else needs any more, of the copies that come next; tables that are gone count elsewhere.
    pub fn copied_bytes(&self) -> usize {
        /// Copies looked at: the large ones among many are few.
        const COPIES: usize = 16;
        let copy = |large: &Large| if let Large::Shared(copy) = large { copy.bytes_alone() } else { 0 };
        self.0.iter().take(COPIES).map(copy).sum()
    }

    /// Hands over the next elements of the first of them.
    pub fn step(&mut self, sink: &RefCell<dyn Sink>, tables: &dyn Tables) {
        let Some(large) = self.0.front_mut() else { return };
        let mut sink = sink.borrow_mut();
        let more = match large {
            Large::Shared(shared) => shared.step(&mut |element| sink.element(element)),
            Large::Table { id, place, search } => {
                let mut visit = |element: Element<'_>| sink.element(element);
                let of_a_key = place.pieces(tables, *id).map(|pieces| pieces.step(*id, &mut visit));
                match of_a_key.or_else(|| pieces::step_orphan(*id, &mut visit)) {
                    Some(more) => more,
                    None => {
                        let more = search_on(tables, *id, place, search);
                        debug_assert!(more, "a watched table is somewhere");
                        more
                    }
                }
            }
        };
        if !more {
            sink.large_done();
            self.0.pop_front();
        }
    }

    /// Notes that an entry has been put into a table: it may hold one of them.
    pub fn moved(&mut self, to: TableId, to_hash: u64, entry: &Entry) {
        if self.0.is_empty() {
            return;
        }
        let Some(pieces) = pieces_of(entry).filter(|pieces| pieces.is_watched()) else { return };
        for large in &mut self.0 {
            if let Large::Table { id, place, search } = large
                && pieces.is_watched_by(*id)
            {
                (*place, *search) = (CollectionPlace { table: to, hash: to_hash, key: entry.key().into() }, None);
            }
        }
    }

    /// Gives all of them up: the walk is not to be finished.
    pub fn forget(&mut self, tables: &dyn Tables) {
        for large in self.0.drain(..) {
            let Large::Table { id, mut place, mut search } = large else { continue };
            // A watch that is not ended would copy whatever changes for ever: so the search is not left unfinished.
            while place.pieces(tables, id).is_none() && !pieces::is_orphan(id) && search_on(tables, id, &mut place, &mut search) {}
            match place.pieces(tables, id) {
                Some(pieces) => pieces.unwatch(id),
                None => pieces::unwatch_orphan(id),
            }
        }
    }
}

/// Looks at the next entries for a collection that is neither where its key was last seen nor an orphan. `false` when it is nowhere.
#[cold]
fn search_on(tables: &dyn Tables, id: WatchId, place: &mut CollectionPlace, search: &mut Option<CollectionSearch>) -> bool {
    let under_way = search.get_or_insert_with(|| CollectionSearch::new(tables));
    if let Some(found) = under_way.step(tables, id) {
        (*place, *search) = (found, None);
        return true;
    }
    !under_way.is_over()
}
