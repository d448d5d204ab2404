//! What kind of run a seed stands for.

use super::workload::DATABASES;
use solod::{config::Config, data::rng::Rng};

/// Everything about a run that is decided before it begins.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Virtual nanoseconds of load and faults.
    pub load_ns: u64,
    pub clients: usize,
    pub nodes: usize,
    /// What a look at the clock takes, in nanoseconds.
    pub look_ns: u64,
    /// Nanoseconds between two faults, on average; `None`: everything goes well.
    pub fault_every_ns: Option<u64>,
    /// The share of clients' batches, in percent, that are ledger entries.
    pub ledger_percent: u64,
}

impl Plan {
    pub fn new(rng: &mut Rng) -> Self {
        Self {
            load_ns: (200 + rng.below(2500)) * 1_000_000,
            clients: 1 + rng.below(6) as usize,
            nodes: 1,
            look_ns: 100 + rng.below(8000),
            fault_every_ns: (rng.below(4) != 0).then(|| (20 + rng.below(400)) * 1_000_000),
            ledger_percent: rng.below(30),
        }
    }

    /// A node's settings.
    pub fn config(&self, _rng: &mut Rng) -> Config {
        Config { databases: DATABASES, save: Vec::new(), ..Config::default() }
    }
}
