//! The seeded hash of keys, fields and members.

use rapidhash::v3::{RapidSecrets, rapidhash_v3_micro_inline};
use std::{collections::BTreeMap, sync::Mutex};

/// Every secret ever made, by what it was made of: they live as long as the process, a leak checker finds them here, and a test that begins anew
/// again and again with the same number makes no more of them.
static MADE: Mutex<BTreeMap<(u64, Weakness), &'static Secrets>> = Mutex::new(BTreeMap::new());

/// How a test weakens a hash: the bits that are kept of it. Nothing, where it is not weakened.
#[cfg(test)]
type Weakness = u64;
#[cfg(not(test))]
type Weakness = ();

#[cfg_attr(test, derive(Debug))]
struct Secrets {
    rapid: RapidSecrets,
    #[cfg(test)]
    kept: u64,
}

/// The secrets of one server's tables: keyed, so that a client cannot choose keys that collide.
///
/// It is one pointer wide because every [`Dict`](crate::data::dict::Dict) carries a copy.
#[derive(Clone, Copy)]
#[cfg_attr(test, derive(Debug))]
pub struct Seed(&'static Secrets);

impl Seed {
    /// Derives the secrets from a random number. They live as long as the process: a server makes one.
    pub fn new(random: u64) -> Self {
        #[cfg(not(test))]
        return Self::made(random, ());
        #[cfg(test)]
        Self::made(random, u64::MAX)
    }

    /// A hash of which only these bits are good, the others 0: what somebody achieves who chooses keys that collide.
    #[cfg(test)]
    pub fn weak(random: u64, kept: u64) -> Self {
        Self::made(random, kept)
    }

    /// Seeds for property tests: most of them good, some of which the beginning, the end or all of a hash is the same for every key.
    #[cfg(test)]
    pub fn any() -> impl proptest::strategy::Strategy<Value = Self> {
        use proptest::prelude::*;
        let same_start = prop_oneof![Just(u64::MAX >> 24), Just(u64::MAX >> 4), Just(u64::MAX >> 40)];
        let kept = prop_oneof![12 => Just(u64::MAX), 4 => same_start, 2 => Just(u64::MAX << 40), 1 => Just(0)];
        (any::<u64>(), kept).prop_map(|(random, kept)| Self::weak(random, kept))
    }

    fn made(random: u64, kept: Weakness) -> Self {
        let mut made = MADE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let rapid = || RapidSecrets::seed(random);
        #[cfg(not(test))]
        let make = || Secrets { rapid: rapid() };
        #[cfg(test)]
        let make = || Secrets { rapid: rapid(), kept };
        Self(made.entry((random, kept)).or_insert_with(|| Box::leak(Box::new(make()))))
    }

    /// All 64 bits are well mixed: the table takes its directory, its bucket and its tag from different ones.
    #[inline(always)]
    pub fn hash(self, bytes: &[u8]) -> u64 {
        let hash = rapidhash_v3_micro_inline::<true, false>(bytes, &self.0.rapid);
        #[cfg(test)]
        let hash = hash & self.0.kept;
        hash
    }
}
