//! Names of histories.

/// 40 hexadecimal digits that name a history of writes.
pub type ReplId = [u8; 40];
