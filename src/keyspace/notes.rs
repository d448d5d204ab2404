//! Events of keys that no command caused, kept for keyspace notifications.

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

/// Events that have not been published, of the classes that are asked for.
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
    list: Vec<Noted>,
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
        self.list.push(Noted { db, key: key.into(), what });
    }

    /// Whether there is none.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The events, in order.
    pub fn take(&mut self) -> Vec<Noted> {
        std::mem::take(&mut self.list)
    }
}
