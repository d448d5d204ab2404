//! What kind of run a seed stands for.

use super::{planted::Planted, workload::DATABASES, world::Uses};
use solod::{
    config::{AppendFsync, Config, Endpoint, ReplDisklessLoad},
    data::rng::Rng,
};

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
    /// Whether nodes crash, and primaries change.
    pub upheaval: bool,
    /// The share of clients' batches, in percent, that are ledger entries.
    pub ledger_percent: u64,
    /// One job of the disk in so many fails; 0: none.
    pub disk_error_one_in: u64,
    /// Nanoseconds that a job of the disk takes, at most.
    pub disk_ns: u64,
    /// Whether nodes have append-only files, and what is to be lost of those.
    pub appends: Option<AppendFsync>,
    /// Nanoseconds between two troubles of a disk, on average; `None`: there are none.
    pub trouble_every_ns: Option<u64>,
}

impl Plan {
    pub fn new(rng: &mut Rng) -> Self {
        let mut later = apart(rng);
        let appends =
            [None, None, Some(AppendFsync::Always), Some(AppendFsync::Always), Some(AppendFsync::EverySecond), Some(AppendFsync::No)];
        Self {
            appends: appends[later.below(6) as usize],
            trouble_every_ns: (later.below(3) == 0).then(|| (50 + later.below(1000)) * 1_000_000),
            load_ns: (300 + rng.below(4000)) * 1_000_000,
            clients: 1 + rng.below(6) as usize,
            nodes: [1, 2, 3, 3, 4][rng.below(5) as usize],
            look_ns: 100 + rng.below(8000),
            fault_every_ns: (rng.below(5) != 0).then(|| (30 + rng.below(600)) * 1_000_000),
            upheaval: rng.below(3) != 0,
            ledger_percent: rng.below(40),
            disk_error_one_in: [0, 0, 0, 20, 100][rng.below(5) as usize],
            disk_ns: [10_000, 1_000_000, 30_000_000][rng.below(3) as usize],
        }
    }

    /// The same, so that a fault that is there on purpose does harm.
    pub fn brings_out(self, planted: Planted) -> Self {
        if planted.uses() == Uses::Tracking {
            return self;
        }
        // Where nothing is synced but what a rewrite ends, a sync that is missing there is the only one.
        let appends = if planted == Planted::CutUnsynced { AppendFsync::No } else { AppendFsync::Always };
        let often = Some(100_000_000);
        Self { appends: Some(appends), trouble_every_ns: often, fault_every_ns: often, upheaval: true, disk_error_one_in: 0, ..self }
    }

    /// The settings that have to do with what some runs only use.
    pub fn adapt(&self, config: &mut Config, rng: &mut Rng) {
        config.busy_reply_threshold = 1 + rng.below(10);
    }

    /// A node's settings.
    pub fn config(&self, rng: &mut Rng) -> Config {
        let mut later = apart(rng);
        let loads = [ReplDisklessLoad::Disabled, ReplDisklessLoad::OnEmptyDb, ReplDisklessLoad::SwapDb];
        Config {
            databases: DATABASES,
            save: Vec::new(),
            hz: 10 + rng.below(90) as u32,
            repl_backlog_size: [200, 5000, 1 << 20][rng.below(3) as usize],
            repl_backlog_ttl: [0, 1, 3600][rng.below(3) as usize],
            repl_ping_replica_period: 1,
            repl_timeout: 2 + rng.below(4) as u32,
            repl_diskless_sync_delay: 0,
            repl_diskless_load: loads[rng.below(3) as usize],
            rdbcompression: rng.below(2) == 0,
            shutdown_timeout: [0, 1, 10][rng.below(3) as usize],
            // A node without among others that have it, now and then.
            appendonly: self.appends.is_some() && later.below(8) != 0,
            appendfsync: self.appends.unwrap_or(AppendFsync::EverySecond),
            auto_aof_rewrite_percentage: [0, 30, 100][later.below(3) as usize],
            auto_aof_rewrite_min_size: [2000, 50_000, 1 << 20][later.below(3) as usize],
            aof_use_rdb_preamble: later.below(3) != 0,
            aof_timestamp_enabled: later.below(3) == 0,
            // By default a replica whose disk fails ends with a panic.
            replica_ignore_disk_write_errors: true,
            ..Config::default()
        }
    }
}

/// Choices of their own, which leave the others as they were.
fn apart(rng: &Rng) -> Rng {
    Rng::new(!rng.clone().next_u64())
}

/// A node's address.
pub fn address(node: usize) -> Endpoint {
    Endpoint { host: format!("10.0.0.{node}"), port: 6379 }
}

/// The node at an address.
pub fn node_at(host: &str) -> usize {
    host.strip_prefix("10.0.0.").and_then(|n| n.parse().ok()).expect("servers are told addresses of servers")
}
