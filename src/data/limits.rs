//! Up to where a hash or a sorted set is a listpack.

use super::key_hash::Seed;

/// What the compact form of a hash or sorted set may hold, and what the table that replaces it is created with.
#[derive(Clone, Copy)]
pub struct PackLimits {
    /// Fields or members (`hash-max-listpack-entries`, `zset-max-listpack-entries`).
    pub entries: usize,
    /// Bytes of a field, value or member (`hash-max-listpack-value`, `zset-max-listpack-value`).
    pub value: usize,
    /// The seed of the table's hash.
    pub seed: Seed,
}
