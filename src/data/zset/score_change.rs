//! What came of adding a member.

/// What became of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScoreChange {
    /// Nothing: it is as it was.
    None,
    /// It has another score.
    Updated,
    /// It is new.
    Added,
}
