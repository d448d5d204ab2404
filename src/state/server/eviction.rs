//! The limit of memory: what counts against it, and which keys give way.

use super::Server;
use crate::{
    config::{DirectiveId, MaxmemoryPolicy},
    keyspace::{EvictionOrder, EvictionRule, Marks},
    persist::snapshot::SnapshotSink,
    state::eviction::{budget_nanos, slack},
};

fn rule_of(policy: MaxmemoryPolicy) -> Option<EvictionRule> {
    use MaxmemoryPolicy as P;
    let (volatile_only, order) = match policy {
        P::NoEviction => return None,
        P::VolatileLru | P::VolatileLrm => (true, EvictionOrder::Time),
        P::AllkeysLru | P::AllkeysLrm => (false, EvictionOrder::Time),
        P::VolatileLfu => (true, EvictionOrder::Frequency),
        P::AllkeysLfu => (false, EvictionOrder::Frequency),
        P::VolatileRandom => (true, EvictionOrder::Random),
        P::AllkeysRandom => (false, EvictionOrder::Random),
        P::VolatileTtl => (true, EvictionOrder::Deadline),
    };
    Some(EvictionRule { volatile_only, order })
}

impl Server {
    /// Puts the settings of eviction into effect.
    pub fn apply_eviction_settings(&mut self) {
        use MaxmemoryPolicy as P;
        let config = &self.config;
        self.keyspace.set_eviction(rule_of(config.maxmemory_policy), config.maxmemory_samples);
        let marks = match config.maxmemory_policy {
            P::AllkeysLfu | P::VolatileLfu => Marks::Frequency,
            P::AllkeysLrm | P::VolatileLrm => Marks::ModificationTime,
            P::AllkeysLru | P::VolatileLru if config.maxmemory > 0 => Marks::FineTime,
            _ => Marks::Time,
        };
        if marks != self.keyspace.access.marks() {
            self.keyspace.set_marks(marks);
        }
        self.eviction.budget_nanos = budget_nanos(config.maxmemory_eviction_tenacity);
        self.eviction.left_nanos = self.eviction.budget_nanos;
        self.eviction.behind = config.maxmemory > 0;
        // A limit that is lowered is come to while writes go on.
        self.eviction.ceiling = config.maxmemory.max(self.host.used_memory() as u64).saturating_add(slack(config.maxmemory));
    }

    /// Tells the log of a new limit that is below what is used.
    pub fn warn_of_low_maxmemory(&self, changed: DirectiveId) {
        let (limit, used) = (self.config.maxmemory, self.host.used_memory());
        if changed == DirectiveId::maxmemory && limit > 0 && (limit as u128) < used as u128 {
            log::warn!(
                "WARNING: the new maxmemory value set via CONFIG SET ({limit}) is smaller than the current memory usage ({used}). This will result in \
                 key eviction and/or the inability to accept new write commands depending on the maxmemory-policy."
            );
        }
    }

    /// Whether there is a limit that holds for us now. A replica leaves it to its primary (`replica-ignore-maxmemory`), and what is loaded is loaded.
    #[inline]
    pub fn is_memory_limited(&self) -> bool {
        self.config.maxmemory > 0
            && self.loading.is_none()
            && !(self.config.replica_ignore_maxmemory && self.replication.upstream.is_some())
    }

    /// Bytes of buffers that do not count against the limit, since evicting keys would only make them longer: what replicas and the append-only file
    /// have still to get, beyond the backlog, and what snapshots have copied, since a key that goes is handed over to them first.
    pub fn uncounted_buffers(&self) -> usize {
        let beyond_backlog = self.replication.log.memory().saturating_sub(self.config.repl_backlog_size as usize);
        let owed = |conn| self.clients.get(conn).map_or(0, |client| client.out.memory());
        let syncs = self.followers.syncs.iter().map(|sync| sync.sink.borrow().copied_bytes() + sync.kept_bytes);
        let base = self.aof_files.rewrite.iter().flat_map(|rewrite| &rewrite.base);
        let files = self.persistence.saving.iter().map(|saving| &saving.snapshot).chain(base);
        let snapshots: usize = syncs.chain(files.map(|file| file.sink.borrow().copied_bytes() + file.in_flight)).sum();
        snapshots + beyond_backlog.max(self.aof_buffer_bytes()) + self.followers.conns.iter().map(|conn| owed(*conn)).sum::<usize>()
    }

    /// Takes note of whether more memory is used than may be.
    pub fn note_over_limit(&mut self, over: bool, now_nanos: u64) {
        match (over, self.eviction.over_since_nanos) {
            (true, None) => self.eviction.over_since_nanos = Some(now_nanos),
            (false, Some(since)) => {
                self.stats.eviction_exceeded_nanos += now_nanos.saturating_sub(since);
                self.eviction.over_since_nanos = None;
            }
            _ => (),
        }
    }

    /// Bytes used that do not count against the limit: these buffers, what clients that keep copies have been told in this turn, and what was given up and
    /// waits to be freed in slices, or until a snapshot has it.
    pub fn uncounted_memory(&self) -> usize {
        self.uncounted_buffers() + self.keyspace.unburied_bytes() + self.eviction.told_bytes
    }
}
