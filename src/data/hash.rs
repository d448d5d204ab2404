//! The seeded hash of keys, fields and members.

use rapidhash::v3::{RapidSecrets, rapidhash_v3_micro_inline};
use std::sync::Mutex;

/// Every secret ever made: they live as long as the process, and a leak checker finds them here.
static MADE: Mutex<Vec<&'static RapidSecrets>> = Mutex::new(Vec::new());

/// The secrets of one server's tables: keyed, so that a client cannot choose keys that collide.
///
/// It is one pointer wide because every [`Dict`](crate::data::dict::Dict) carries a copy.
#[derive(Clone, Copy)]
pub struct Seed(&'static RapidSecrets);

impl Seed {
    /// Derives the secrets from a random number. They live as long as the process: a server makes one.
    pub fn new(random: u64) -> Self {
        let secrets = Box::leak(Box::new(RapidSecrets::seed(random)));
        MADE.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(secrets);
        Self(secrets)
    }

    /// All 64 bits are well mixed: the table takes its directory, its bucket and its tag from different ones.
    #[inline(always)]
    pub fn hash(self, bytes: &[u8]) -> u64 {
        rapidhash_v3_micro_inline::<true, false>(bytes, self.0)
    }
}
