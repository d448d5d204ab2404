//! A connection that we have made to another server, to move keys there.

use crate::resp::status::StatusReader;

/// What is known of such a connection beside what every connection has.
pub struct Link {
    /// Host and port as MIGRATE was given them: what the connection is known by.
    pub name: Box<[u8]>,
    /// The database that the other server has selected, as far as we know.
    pub db: Option<i64>,
    /// Monotonic milliseconds.
    pub used_at_ms: u64,
    /// Where the other server's replies are read.
    pub replies: StatusReader,
}
