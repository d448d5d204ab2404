//! What a table can hold.

/// What a table can hold: an owning pointer to something that has a key.
pub trait Slot: 'static {
    /// What it is found by.
    fn key(&self) -> &[u8];
    /// When it is due, in Unix milliseconds; `i64::MAX` is never.
    fn deadline(&self) -> i64 {
        i64::MAX
    }
    /// Whether it has a deadline, cheaply.
    fn is_volatile(&self) -> bool {
        false
    }
    /// Values that are freed with it, itself among them: more than one where it is a collection of separate ones.
    fn values(&self) -> usize {
        1
    }
    /// Bytes of memory that it holds, about.
    fn bytes(&self) -> usize;
    /// Prefetches what `key` reads.
    fn prefetch(&self) {}
    /// The same, for a walk that will read its value too.
    fn prefetch_whole(&self) {
        self.prefetch();
    }
}
