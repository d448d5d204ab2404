//! Where a watched collection is: under the key that it was last seen with, or, where nobody has told of where that went, searched for.

use crate::{
    data::{
        dict::{Cursor, Dict},
        entry::{Entry, Value},
        pieces::{self, Pieces, WatchId},
    },
    keyspace::db::TableId,
};

/// The table with this name, be it in use or on its way out.
pub(in crate::keyspace) trait Tables {
    fn table(&self, id: TableId) -> Option<&Dict<Entry>>;
    /// The names of all.
    fn names(&self) -> Vec<TableId>;
}

/// A key, and the table that it is in.
pub(super) struct CollectionPlace {
    pub table: TableId,
    pub hash: u64,
    pub key: Box<[u8]>,
}

impl CollectionPlace {
    /// The collection there, if it is watched under this name.
    pub fn pieces<'t>(&self, tables: &'t dyn Tables, id: WatchId) -> Option<&'t dyn Pieces> {
        let entry = tables.table(self.table)?.find(self.hash, &self.key)?;
        pieces_of(entry).filter(|pieces| pieces.is_watched_by(id))
    }
}

pub(super) fn pieces_of(entry: &Entry) -> Option<&dyn Pieces> {
    let Value::Object(object) = entry.value() else { return None };
    pieces::of(object)
}

/// A search for a collection through the tables that there were at its beginning, which stay until it is over. When the collection is put into a table
/// meanwhile its walk is told, and when it is dropped it is an orphan: so whoever searches looks at both before each step.
pub(super) struct CollectionSearch {
    /// Those still to be looked through, the current one last.
    tables: Vec<TableId>,
    at: Cursor,
}

impl CollectionSearch {
    pub fn new(tables: &dyn Tables) -> Self {
        Self { tables: tables.names(), at: Cursor(0) }
    }

    /// Whether it has still to look through this table.
    pub fn needs(&self, table: TableId) -> bool {
        self.tables.contains(&table)
    }

    /// Whether it has been everywhere.
    pub fn is_over(&self) -> bool {
        self.tables.is_empty()
    }

    /// Looks at the next entries: the place of the collection that is watched under this name, if one of them holds it.
    pub fn step(&mut self, tables: &dyn Tables, id: WatchId) -> Option<CollectionPlace> {
        /// Entries looked at in a step, about.
        const ENTRIES: usize = 128;
        /// Buckets, or segments without any.
        const BUCKETS: usize = 64;
        let table = *self.tables.last()?;
        let mut found = None;
        self.at = tables.table(table).map_or(Cursor(0), |dict| {
            dict.scan(self.at, ENTRIES, BUCKETS, |entry| {
                if pieces_of(entry).is_some_and(|pieces| pieces.is_watched_by(id)) {
                    found = Some(CollectionPlace { table, hash: dict.hash(entry.key()), key: entry.key().into() });
                }
            })
        });
        if self.at == Cursor(0) {
            self.tables.pop();
        }
        found
    }
}
