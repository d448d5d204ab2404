//! Limits of what a stream tells of itself.

/// What a count may be: entries added, entries read, deliveries. Replies and files, in which counts have a sign, can tell no more; a count that has come
/// so far stays there.
pub const COUNT_MAX: u64 = i64::MAX as u64;
