//! Deadlines of fields.

/// What becomes of a field's deadline when its value is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OldDeadline {
    /// It goes.
    Drops,
    /// It stays.
    Stays,
}

/// Whether a deadline is over at `now`: a field lives through the millisecond of its deadline.
#[inline(always)]
pub(super) fn is_past(deadline: i64, now: i64) -> bool {
    deadline < now
}
