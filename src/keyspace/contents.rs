//! Databases that get other contents as a whole.

use super::db::Db;

/// Why databases get other contents.
pub(super) enum Contents<'a> {
    /// This one is emptied.
    Flush(usize),
    /// These two are exchanged.
    Swap(usize, usize),
    /// They are replaced by those that were loaded beside them.
    Load(&'a [Db]),
}
