//! What is being loaded.

/// A dataset being loaded.
#[derive(Clone, Debug, Default)]
pub struct LoadingState {
    /// Unix seconds at which it began.
    pub started_unix_seconds: i64,
    /// Bytes of the whole stream, where that is known; 0 otherwise.
    pub total_bytes: u64,
    /// Bytes loaded so far.
    pub loaded_bytes: u64,
    /// Bytes of memory that the data took where it was saved; 0 while that is not known.
    pub used_memory: u64,
    /// The old data goes on to be served, and most commands run.
    pub asynchronous: bool,
}
