//! Background work: slices of long work between events, and a cron that runs ten times a second.

use super::Engine;
use crate::{keyspace::ExpireMode, state::Action};

/// How long a slice of background work may take, in nanoseconds: a request may have to wait for it that long.
const SLICE_NANOS: u64 = 25_000;
/// How often facts about the process are looked up.
const FACTS_A_SECOND: u64 = 10;
/// Clients looked at in one cron: all of them within a second, and no more than this in one go.
const CLIENTS_A_CRON: usize = 2000;

impl Engine {
    /// Ends a turn: one slice of each kind of background work, and the cron when it is due.
    pub fn finish_turn(&mut self) {
        let began_unix_us = self.server.unix_us;
        self.refresh_time();
        self.server.stats.turn_ended();
        // One that is to go with the process need not go on.
        if self.is_script_slow() && !self.is_ending() {
            self.script_slice();
        }
        if self.is_script_slow() {
            return self.finish_busy_turn(began_unix_us);
        }
        if self.server.migrations.is_under_way() {
            self.server.expire_migration();
        }
        if self.server.pause.is_some_and(|p| p.until_ms <= self.server.unix_ms()) {
            self.server.pause = None;
        }
        self.server.hold_expired();
        if self.pause_is_over() {
            self.end_pause();
        }
        self.end_key_waits();
        self.try_due();
        if self.server.keyspace.awaited.has_ready() {
            self.serve_ready();
        }
        self.resume_released();
        if self.expire_due() {
            self.expire_slice();
        }
        if self.owes_own {
            self.expire_own();
        }
        self.evict_slice();
        self.release_short_of_memory();
        // Somebody may have to know what has expired, or was evicted.
        if self.server.keyspace.awaited.has_ready() {
            self.serve_ready();
        }
        self.server.keyspace.bury();
        if !self.server.long_replies.is_empty() {
            self.server.go_on_replying();
            self.forget_gone();
        }
        if self.server.scripting.has_garbage() {
            self.collect_slice();
        }
        self.upstream_turn();
        if self.wants_save_slice()
            && let Some(slice_nanos) = self.pace.slice(self.nanos, self.server.stats.commands)
        {
            let started = self.server.host.nanos();
            self.save_slice(slice_nanos);
            self.pace.ran(started, self.server.host.nanos());
        }
        if self.defragments() {
            self.defrag_slice();
        }
        self.load_slice();
        self.start_slice();
        self.aof_rewrite_turn(began_unix_us);
        if !self.server.cron_paused {
            if let Some(how) = self.server.shutdown_asked.take() {
                self.server.shut_down(how);
            }
            if self.server.mono_ms >= self.cron_at_ms {
                let started = self.server.host.nanos();
                self.cron();
                self.server.stats.cron_nanos += self.server.host.nanos().saturating_sub(started);
            }
        }
        if self.server.keyspace.tracked.clients() > 0 {
            self.server.end_turn_of_readers();
        }
        // Behind all that gives clients something to be sent.
        if self.server.client_memory.is_limited {
            self.server.note_changed_clients();
            self.server.evict_clients();
        }
        self.serve_replicas();
        self.end_logging(began_unix_us);
        if self.server.shutdown.is_some() {
            self.server.go_on_shutting_down();
        }
    }

    /// The end of a turn beside a slow script: links are kept alive, what has been written goes on its way, and nothing else happens to the data.
    fn finish_busy_turn(&mut self, began_unix_us: i64) {
        if self.is_upstream_beat_due() {
            self.upstream_cron();
        }
        self.upstream_turn();
        self.serve_replicas();
        self.end_logging(began_unix_us);
        if self.server.shutdown.is_some() {
            self.server.go_on_shutting_down();
        }
    }

    /// Milliseconds after which the engine wants a turn even if nothing happens; 0 when it has work to do now.
    pub fn sleep_ms(&self) -> u64 {
        if let Some(ms) = self.prompt_ms() {
            return if self.replicas_want_a_turn() { 0 } else { ms.min(self.upstream_sleep_ms()).min(self.server.aof_sleep_ms()).max(1) };
        }
        if self.is_script_slow()
            || self.server.scripting.has_garbage()
            || self.expire_due()
            || self.server.keyspace.has_unburied()
            || self.server.eviction.behind
            || !self.resumable.is_empty()
            || !self.server.blocking.released.is_empty()
            || self.wants_save_slice() && !self.pace.rests(self.nanos)
            || self.wants_load_slice()
            || self.wants_start_slice()
            || self.replicas_want_a_turn()
            // The reason to hold clients back has ended after this turn looked at it.
            || self.pause_is_over()
            || self.owes_own
            || self.server.wants_to_reply()
            || self.waits_unseen > 0
            || self.owes_key_waits()
            || self.owes_tries()
            || self.server.remembers_too_many_reads()
            || self.defrag_ms() == Some(0)
        {
            return 0;
        }
        // A walk that is paused in favour of clients goes on after the next event, or when there has been none for this long.
        if self.wants_save_slice() || self.snapshots_have_room() {
            return 1;
        }
        let cron = self.cron_at_ms.saturating_sub(self.server.mono_ms);
        let pause = self.server.pause.map_or(u64::MAX, |p| (p.until_ms - self.server.unix_ms()).max(0) as u64);
        let delayed = self
            .save_resumes_ms()
            .into_iter()
            .chain(self.load_resumes_ms())
            .chain(self.start_resumes_ms())
            .chain(self.sync_resumes_ms())
            .min()
            .unwrap_or(u64::MAX);
        cron.min(pause)
            .min(delayed)
            .min(self.wait_ms())
            .min(self.defrag_ms().unwrap_or(u64::MAX))
            .min(self.key_wait_ms())
            .min(self.upstream_sleep_ms())
            .min(self.server.migration_left_ms())
            .min(self.server.aof_sleep_ms())
            .max(1)
    }

    /// Nanoseconds after which the engine wants a turn even if nothing happens, where that is less than a millisecond and not at once.
    pub fn short_sleep_nanos(&self) -> Option<u64> {
        self.server.aof_syncs_in_nanos()
    }

    /// Whether the process is about to end.
    fn is_ending(&self) -> bool {
        self.server.shutdown.is_some() || self.server.actions.iter().any(|action| matches!(action, Action::Exit(_)))
    }

    /// Looks for what scripts have left.
    fn collect_slice(&mut self) {
        let (host, started) = (&self.server.host, self.nanos);
        self.server.scripting.collect(&mut || host.nanos().saturating_sub(started) < SLICE_NANOS);
    }

    fn expire_due(&self) -> bool {
        // Keys that are loaded do not expire before the load is over.
        let quiet = self.server.loading.as_ref().is_some_and(|l| !l.asynchronous);
        let keyspace = &self.server.keyspace;
        self.server.active_expire && !quiet && keyspace.expire_mode == ExpireMode::Delete && !keyspace.holds_expired && keyspace.owes()
    }

    fn expire_slice(&mut self) {
        let started = self.nanos;
        let host = &self.server.host;
        let mut within = || host.nanos().saturating_sub(started) < SLICE_NANOS;
        let report = self.server.keyspace.expire_cycle(&mut within);
        let nanos = self.server.host.nanos().saturating_sub(started);
        self.server.keyspace.stats.expire_cycle_nanos += nanos;
        if !report.done {
            self.server.keyspace.stats.expired_time_cap_reached += 1;
        }
        self.forget_gone();
    }

    fn cron(&mut self) {
        let server = &mut self.server;
        let hz = server.config.hz.clamp(1, 500) as u64;
        self.cron_at_ms = server.mono_ms + 1000 / hz;
        server.cron_loops += 1;
        if server.cron_loops.is_multiple_of(hz) {
            server.host.tick();
        }
        // So INFO costs nothing for it.
        if (server.cron_loops - 1).is_multiple_of((hz / FACTS_A_SECOND).max(1)) {
            server.rss = server.host.rss();
            self.defrag_cron();
        }
        let server = &mut self.server;
        let used = server.host.used_memory();
        if used > server.stats.peak_memory {
            server.stats.peak_memory = used;
            server.stats.peak_memory_unix_seconds = server.unix_us / 1_000_000;
        }
        let (now, stats) = (server.mono_ms, &mut server.stats);
        stats.ops_rate.sample(stats.commands, now);
        stats.in_rate.sample(stats.net_in, now);
        stats.out_rate.sample(stats.net_out, now);
        stats.repl_in_rate.sample(stats.net_repl_in, now);
        stats.repl_out_rate.sample(stats.net_repl_out, now);
        stats.turn_rate.sample(stats.turns.count(), now);
        stats.turn_nanos_rate.sample(stats.turns.sum(), now);
        self.expire_own();
        self.server.keyspace.renew_marks(hz as usize);
        self.clients_cron();
        self.server.close_idle_links();
        self.failover_cron();
        self.upstream_cron();
        self.saves_cron();
        self.aof_rewrite_cron();
    }

    /// Reclaims some of the due keys that a replica has to expire itself. A primary keeps no list of such keys.
    #[cold]
    fn expire_own(&mut self) {
        self.owes_own = false;
        let keyspace = &mut self.server.keyspace;
        if keyspace.own_deadlines() == 0 {
            return;
        }
        match keyspace.expire_mode {
            ExpireMode::Delete => keyspace.forget_own_deadlines(),
            _ if self.server.active_expire && !keyspace.holds_expired => {
                self.owes_own = keyspace.expire_own();
                self.forget_gone();
            }
            _ => (),
        }
    }

    /// Idle clients beyond `timeout`, and soft output limits.
    fn clients_cron(&mut self) {
        let timeout_ms = u64::from(self.server.config.timeout) * 1000;
        let now = self.server.mono_ms;
        let conns = self.server.clients.some_in_turn(CLIENTS_A_CRON);
        for conn in conns {
            let Some(client) = self.server.clients.get(conn) else { continue };
            let idle = now.saturating_sub(client.active_ms);
            let ordinary = client.kind() == crate::state::ClientKind::Normal && client.blocked.is_none();
            if timeout_ms > 0 && ordinary && idle > timeout_ms {
                log::debug!("Closing idle client");
                self.server.close(conn, false);
                continue;
            }
            self.server.limit_output(conn);
            self.server.note_client_memory(conn);
        }
    }
}
