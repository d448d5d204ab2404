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

impl LoadingState {
    /// Says how many bytes are loaded by now, and the log with each GiB.
    pub fn advance(&mut self, loaded_bytes: u64) {
        let before = std::mem::replace(&mut self.loaded_bytes, loaded_bytes);
        if loaded_bytes >> 30 > before >> 30 {
            log::info!("Loading: {} of {} MiB", loaded_bytes >> 20, self.total_bytes >> 20);
        }
    }
}
