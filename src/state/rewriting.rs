//! CONFIG REWRITE under way: the file is read and written beside the loop, and its client waits.

use super::{conn_id::ConnId, disk::FileId};

/// One of them.
pub struct Rewriting {
    /// Names what is asked of the disk.
    pub file: FileId,
    /// Path of the file.
    pub path: String,
    /// The connection that has asked, the CLIENT ID that it had, and whether it is to hear of the end.
    pub client: (ConnId, u64, bool),
    /// Registry index of the command.
    pub command: u16,
}
