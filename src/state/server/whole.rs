//! When the data is what it is between two commands.

use super::Server;

impl Server {
    /// Whether a snapshot may begin at this moment, the log be cut, or a reader begin to follow it. Not while a script is suspended that may have done half of
    /// what it does, alone or with a transaction around it, nor while a load has put a part of other data in the place of ours.
    ///
    /// What clients ask for is refused meanwhile. What the disk has prepared waits for the end of a turn in which it holds.
    #[inline]
    pub fn is_data_whole(&self) -> bool {
        self.scripts.running.is_none() && self.loading.as_ref().is_none_or(|loading| loading.asynchronous)
    }
}
