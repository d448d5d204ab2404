//! The seeded hash of keys, fields and members.

use rapidhash::v3::{RapidSecrets, rapidhash_v3_micro_inline};
use std::{collections::BTreeMap, sync::Mutex};

/// Every secret ever made, by what it was made of: they live as long as the process, a leak checker finds them here, and a test that begins anew
/// again and again with the same number makes no more of them.
static MADE: Mutex<BTreeMap<u64, &'static RapidSecrets>> = Mutex::new(BTreeMap::new());

/// The secrets of one server's tables: keyed, so that a client cannot choose keys that collide.
///
/// It is one pointer wide because every [`Dict`](crate::data::dict::Dict) carries a copy.
#[derive(Clone, Copy)]
pub struct Seed(&'static RapidSecrets);

impl Seed {
    /// Derives the secrets from a random number. They live as long as the process: a server makes one.
    pub fn new(random: u64) -> Self {
        let mut made = MADE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        Self(made.entry(random).or_insert_with(|| Box::leak(Box::new(RapidSecrets::seed(random)))))
    }

    /// All 64 bits are well mixed: the table takes its directory, its bucket and its tag from different ones.
    #[inline(always)]
    pub fn hash(self, bytes: &[u8]) -> u64 {
        rapidhash_v3_micro_inline::<true, false>(bytes, self.0)
    }
}
