//! Keys, and fields of hashes, that went away by themselves.

/// A key that expired or was evicted, or fields of a hash that expired: the engine tells replicas and subscribers.
pub struct Gone {
    /// Index of its database.
    pub db: usize,
    /// The key.
    pub key: Box<[u8]>,
    /// What went.
    pub went: Went,
}

/// What went away by itself.
pub enum Went {
    /// The key, by its deadline.
    Key,
    /// The key, for want of memory.
    Evicted,
    /// Fields of the hash at the key.
    Fields {
        /// Their names.
        names: Vec<Box<[u8]>>,
        /// Whether they were the last, and the key went with them.
        emptied: bool,
    },
}
