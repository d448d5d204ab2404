//! What clients are to be told of keys: events that no command caused, for keyspace notifications, and keys whose copies are stale.

use super::tracked::{Reader, Stale};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// The key went by its deadline.
    Expired,
    /// Fields of its hash went by theirs.
    FieldsExpired,
    /// It went because the last of them did.
    Emptied,
    /// It was evicted.
    Evicted,
    /// It was looked for to be read, and is not there.
    Missed,
}

/// What happened to one key.
pub struct Noted {
    /// Index of its database.
    pub db: usize,
    /// The key.
    pub key: Box<[u8]>,
    /// What happened.
    pub what: Happening,
}

/// What clients are to be told.
pub enum News {
    /// Something happened to a key.
    Happened(Noted),
    /// Copies of a key are stale.
    Stale(Stale),
    /// All copies of all keys may be.
    AllStale,
}

/// What clients have not been told yet: events of the classes that are asked for, and stale copies.
#[derive(Default)]
pub struct Notes {
    /// Keys that expire are to be noted.
    pub expired: bool,
    /// Hashes whose fields expire are to be noted.
    pub fields_expired: bool,
    /// Keys that are evicted are to be noted.
    pub evicted: bool,
    /// Reads that find nothing are to be noted.
    pub missed: bool,
    /// Nobody is told of anything: what is executed is loaded from a file. Whoever listened when it first happened was told then, it may not be on the
    /// disk yet, and nobody has read anything since.
    pub is_off: bool,
    list: Vec<News>,
}

impl Notes {
    #[inline(always)]
    pub(super) fn expired(&mut self, db: usize, key: &[u8]) {
        if self.expired {
            self.add(db, key, Happening::Expired);
        }
    }

    pub(super) fn evicted(&mut self, db: usize, key: &[u8]) {
        if self.evicted {
            self.add(db, key, Happening::Evicted);
        }
    }

    pub(super) fn fields_expired(&mut self, db: usize, key: &[u8], emptied: bool) {
        if self.fields_expired {
            self.add(db, key, Happening::FieldsExpired);
            if emptied {
                self.add(db, key, Happening::Emptied);
            }
        }
    }

    #[inline(always)]
    pub(super) fn missed(&mut self, db: usize, key: &[u8]) {
        if self.missed {
            self.add(db, key, Happening::Missed);
        }
    }

    #[cold]
    fn add(&mut self, db: usize, key: &[u8], what: Happening) {
        if !self.is_off {
            self.list.push(News::Happened(Noted { db, key: key.into(), what }));
        }
    }

    /// Copies of a key that these have read are stale.
    pub(super) fn stale(&mut self, key: Box<[u8]>, readers: Vec<Reader>, by: Option<Reader>) {
        self.list.push(News::Stale(Stale { key, readers, by }));
    }

    /// All copies may be stale. Said once where nothing else is said meanwhile: of many databases, each says so.
    pub(super) fn all_stale(&mut self) {
        if !matches!(self.list.last(), Some(News::AllStale)) {
            self.list.push(News::AllStale);
        }
    }

    /// Whether there is none.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All of it, in order.
    pub fn take(&mut self) -> Vec<News> {
        std::mem::take(&mut self.list)
    }
}
