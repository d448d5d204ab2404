//! What decoded collections are to look like.

use crate::{
    config::Config,
    data::{hash, key_hash::Seed, list, set, zset},
};

/// Up to where each collection keeps its compact form, and the seed of the tables of those that do not.
#[derive(Clone, Copy)]
pub struct Shapes {
    /// Of lists.
    pub list: list::NodeLimits,
    /// Of sets.
    pub set: set::SetLimits,
    /// Of hashes.
    pub hash: hash::PackLimits,
    /// Of sorted sets.
    pub zset: zset::PackLimits,
}

impl Shapes {
    /// As the configuration says; `seed` is that of the keyspace they go to.
    pub fn from_config(config: &Config, seed: Seed) -> Self {
        Self {
            list: list::NodeLimits { size: config.list_max_listpack_size, depth: config.list_compress_depth },
            set: set::SetLimits {
                intset_entries: config.set_max_intset_entries,
                listpack_entries: config.set_max_listpack_entries,
                listpack_value: config.set_max_listpack_value,
                seed,
            },
            hash: hash::PackLimits { entries: config.hash_max_listpack_entries, value: config.hash_max_listpack_value, seed },
            zset: zset::PackLimits { entries: config.zset_max_listpack_entries, value: config.zset_max_listpack_value, seed },
        }
    }
}

impl Default for Shapes {
    /// The defaults of the configuration.
    fn default() -> Self {
        Self::from_config(&Config::default(), Seed::new(0))
    }
}
