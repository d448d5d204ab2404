//! What reads must not show while the disk fails: what was changed, and is not on the disk.

use std::collections::HashSet;

/// Keys that were changed since the last sync.
#[derive(Debug, Default)]
pub struct UnsafeKeys {
    keys: HashSet<(usize, Box<[u8]>)>,
    /// A change was of whole databases, or there are too many to be told.
    all: bool,
}

impl UnsafeKeys {
    /// Adds a key.
    pub fn add(&mut self, db: usize, key: &[u8]) {
        if !self.all {
            self.keys.insert((db, key.into()));
        }
    }

    /// Adds every key.
    pub fn add_all(&mut self) {
        *self = Self { all: true, ..Self::default() };
    }

    /// Whether a key is one of them.
    pub fn has(&self, db: usize, key: &[u8]) -> bool {
        self.all || self.keys.contains(&(db, key.into()))
    }

    /// Whether there is any.
    pub fn is_empty(&self) -> bool {
        !self.all && self.keys.is_empty()
    }
}
