//! CLIENT PAUSE.

/// A pause under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// Only commands that write wait.
    pub writes_only: bool,
    /// Unix time in milliseconds at which it ends.
    pub until_ms: i64,
}
