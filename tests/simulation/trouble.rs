//! What is wrong with a disk at the moment.

/// Everything that can be wrong at once.
#[derive(Clone, Debug, Default)]
pub struct Trouble {
    /// One job in so many fails; 0: none.
    pub error_one_in: u64,
    /// There is no room: a part of what is written fits.
    pub is_full: bool,
    /// Nothing can be changed.
    pub is_read_only: bool,
    /// So many syncs of the log fail from now on.
    pub failing_syncs: u64,
    /// What was to be synced then is never written, though later syncs succeed.
    pub sticks: bool,
    /// Nanoseconds that a sync may take.
    pub slow_sync_ns: u64,
}

pub const FULL: &str = "No space left on device";
pub const READ_ONLY: &str = "Read-only file system";
pub const BROKEN: &str = "Input/output error";

impl Trouble {
    /// It is over, but for errors by chance.
    pub fn mend(&mut self) {
        *self = Self { error_one_in: self.error_one_in, ..Self::default() };
    }

    /// Why nothing can be written now.
    pub fn refusal(&self) -> Option<&'static str> {
        match (self.is_read_only, self.is_full) {
            (true, _) => Some(READ_ONLY),
            (_, true) => Some(FULL),
            _ => None,
        }
    }
}
