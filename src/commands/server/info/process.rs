//! INFO's sections about the process: Server, Clients, Memory, CPU.

use super::{Info, InfoText};
use crate::{
    commands::server::memory_facts::{MemoryFacts, human},
    config::{Config, REDIS_VERSION},
    state::client::Blocked,
};

/// The LRU clock that OBJECT IDLETIME counts by: Unix seconds, as far as 24 bits go.
const LRU_CLOCK_MASK: i64 = (1 << 24) - 1;

pub(super) fn server(info: &Info, report: &mut InfoText) {
    let (server, config, process) = (info.server, &info.server.config, &info.process);
    let uptime_seconds = server.unix_seconds() - server.started_unix_us / 1_000_000;
    report
        .field("redis_version", REDIS_VERSION)
        .field("server_name", "solod")
        .field("solod_version", env!("CARGO_PKG_VERSION"))
        .field("redis_git_sha1", "00000000")
        .field("redis_git_dirty", 0)
        .field("redis_build_id", "0")
        .field("redis_mode", if config.cluster_enabled { "cluster" } else { "standalone" })
        .field("os", &process.os)
        .field("arch_bits", usize::BITS)
        .field("monotonic_clock", "POSIX clock_gettime")
        .field("multiplexing_api", process.multiplexing_api)
        .field("atomicvar_api", "none")
        .field("gcc_version", process.compiler)
        .field("process_id", process.pid)
        .field("process_supervised", process.supervised)
        .field("run_id", String::from_utf8_lossy(&server.run_id))
        .field("tcp_port", if config.port == 0 { config.tls_port } else { config.port })
        .field("server_time_usec", server.unix_us)
        .field("uptime_in_seconds", uptime_seconds)
        .field("uptime_in_days", uptime_seconds / (24 * 3600))
        .field("hz", config.hz)
        .field("configured_hz", config.hz)
        .field("lru_clock", server.unix_seconds() & LRU_CLOCK_MASK)
        .field("executable", &process.executable)
        .field("config_file", &process.config_file)
        .field("io_threads_active", 0);
    // Valkey's field.
    if !config.availability_zone.is_empty() {
        report.field("availability_zone", &config.availability_zone);
    }
    if let Some(shutdown) = &server.shutdown {
        report.field("shutdown_in_milliseconds", shutdown.left_ms(server.mono_ms));
    }
    for (i, listener) in listeners(config).iter().enumerate() {
        report.field(format_args!("listener{i}"), listener);
    }
}

/// What we listen on, in Redis's order of kinds.
fn listeners(config: &Config) -> Vec<String> {
    let bound: String = config.bind.iter().map(|address| format!(",bind={address}")).collect();
    let mut listeners = Vec::new();
    if config.port != 0 {
        listeners.push(format!("name=tcp{bound},port={}", config.port));
    }
    if let Some(path) = config.unixsocket.as_deref().filter(|path| !path.is_empty()) {
        listeners.push(format!("name=unix,bind={path}"));
    }
    if config.tls_port != 0 {
        listeners.push(format!("name=tls{bound},port={}", config.tls_port));
    }
    listeners
}

/// The certificates that are in use, as Valkey shows them.
pub(super) fn tls(info: &Info, report: &mut InfoText) {
    let facts = info.server.host.tls().unwrap_or_default();
    let now = info.server.unix_seconds();
    for (name, cert) in [("server", facts.server), ("client", facts.client), ("ca", facts.authority)] {
        let (serial, left) = cert.map_or(("none".to_owned(), 0), |cert| (cert.serial, (cert.not_after as i64 - now).max(0)));
        report.field(format_args!("tls_{name}_cert_serial"), serial).field(format_args!("tls_{name}_cert_expires_in_seconds"), left);
    }
}

pub(super) fn clients(info: &Info, report: &mut InfoText) {
    let clients = || info.server.clients.iter().map(|(_, client)| client);
    let with_deadline = |blocked: &Option<Blocked>| matches!(blocked, Some(Blocked::Wait { deadline_ms, .. }) if *deadline_ms != 0);
    report
        .field("connected_clients", info.server.clients.len() - info.server.replicas())
        .field("cluster_connections", 0)
        .field("maxclients", info.server.config.maxclients)
        .field("client_recent_max_input_buffer", clients().map(|c| c.pending.as_ref().map_or(0, |p| p.buf.len())).max().unwrap_or(0))
        .field("client_recent_max_output_buffer", clients().map(|c| c.out.len()).max().unwrap_or(0))
        .field("blocked_clients", clients().filter(|c| c.shows_blocked()).count())
        .field("tracking_clients", info.server.keyspace.tracked.clients())
        .field("pubsub_clients", clients().filter(|c| c.subscriptions.is_some()).count())
        .field("watching_clients", clients().filter(|c| !c.watching.is_empty()).count())
        .field("clients_in_timeout_table", info.server.blocking.with_deadline() + clients().filter(|c| with_deadline(&c.blocked)).count())
        .field("total_watched_keys", info.server.keyspace.watched_keys())
        .field("total_blocking_keys", info.server.keyspace.awaited.len())
        .field("total_blocking_keys_on_nokey", 0);
}

pub(super) fn memory(info: &Info, report: &mut InfoText) {
    let (server, process) = (info.server, &info.process);
    let facts = MemoryFacts::gather(server);
    let text = |bytes: usize| human(bytes as u64);
    let percent = |x: f64| format!("{x:.2}%");
    let ratio = |x: f64| format!("{x:.2}");
    report
        .field("used_memory", facts.used)
        .field("used_memory_human", text(facts.used))
        .field("used_memory_rss", facts.rss)
        .field("used_memory_rss_human", text(facts.rss))
        .field("used_memory_peak", facts.peak)
        .field("used_memory_peak_human", text(facts.peak))
        .field("used_memory_peak_perc", percent(facts.peak_percent()))
        .field("used_memory_overhead", facts.overhead())
        .field("used_memory_startup", facts.startup)
        .field("used_memory_dataset", facts.dataset())
        .field("used_memory_dataset_perc", percent(facts.dataset_percent()))
        .field("allocator_allocated", facts.held.allocated)
        .field("allocator_active", facts.held.active)
        .field("allocator_resident", facts.held.resident)
        // jemalloc gives pages back without letting them wait until the system needs them.
        .field("allocator_muzzy", 0)
        .field("total_system_memory", process.system_memory)
        .field("total_system_memory_human", text(process.system_memory));
    // One interpreter runs scripts and functions; all it takes is shown with the scripts.
    let (vm, scripts, functions) = (server.scripting.lua_bytes(), server.scripting.script_bytes(), server.functions.memory());
    report
        .field("used_memory_lua", vm)
        .field("used_memory_vm_eval", vm)
        .field("used_memory_lua_human", text(vm))
        .field("used_memory_scripts_eval", scripts)
        .field("number_of_cached_scripts", server.scripting.script_count())
        .field("number_of_functions", server.functions.function_count())
        .field("number_of_libraries", server.functions.len())
        .field("used_memory_vm_functions", 0)
        .field("used_memory_vm_total", vm)
        .field("used_memory_vm_total_human", text(vm))
        .field("used_memory_functions", functions)
        .field("used_memory_scripts", scripts + functions)
        .field("used_memory_scripts_human", text(scripts + functions));
    let apart = |of: usize, from: usize| of as i64 - from as i64;
    report
        .field("maxmemory", server.config.maxmemory)
        .field("maxmemory_human", human(server.config.maxmemory))
        .field("maxmemory_policy", server.config.maxmemory_policy.name())
        .field("allocator_frag_ratio", ratio(facts.gaps_ratio()))
        .field("allocator_frag_bytes", apart(facts.held.active, facts.held.allocated))
        .field("allocator_rss_ratio", ratio(facts.kept_ratio()))
        .field("allocator_rss_bytes", apart(facts.held.resident, facts.held.active))
        .field("rss_overhead_ratio", ratio(facts.beside_ratio()))
        .field("rss_overhead_bytes", apart(facts.rss, facts.held.resident))
        .field("mem_fragmentation_ratio", ratio(facts.fragmentation()))
        .field("mem_fragmentation_bytes", facts.fragmentation_bytes())
        .field("mem_not_counted_for_evict", server.uncounted_memory())
        .field("mem_replication_backlog", facts.backlog)
        .field("mem_total_replication_buffers", server.replication.log.memory())
        .field("mem_clients_slaves", facts.clients_replicas)
        .field("mem_clients_normal", facts.clients_normal)
        .field("mem_cluster_links", 0)
        .field("mem_aof_buffer", server.aof_buffer_bytes())
        .field("mem_allocator", &process.allocator)
        // Tables grow in place.
        .field("mem_overhead_db_hashtable_rehashing", 0)
        .field("active_defrag_running", server.defrag.shown_percent(server.host.nanos()))
        .field("lazyfree_pending_objects", server.keyspace.unburied())
        .field("lazyfree_pending_bytes", server.keyspace.unburied_bytes())
        .field("lazyfreed_objects", server.stats.lazyfreed);
}

pub(super) fn cpu(info: &Info, report: &mut InfoText) {
    let seconds = |x: f64| format!("{x:.6}");
    let times = info.server.host.cpu_times();
    report
        .field("used_cpu_sys", seconds(times.sys))
        .field("used_cpu_user", seconds(times.user))
        .field("used_cpu_sys_children", seconds(0.0))
        .field("used_cpu_user_children", seconds(0.0))
        .field("used_cpu_sys_main_thread", seconds(times.sys_main))
        .field("used_cpu_user_main_thread", seconds(times.user_main));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_named_by_kind_and_address() {
        let mut config = Config::default();
        assert_eq!(listeners(&config), ["name=tcp,bind=*,bind=-::*,port=6379"]);
        config.bind = vec!["127.0.0.1".into()];
        config.unixsocket = Some("/run/s".into());
        assert_eq!(listeners(&config), ["name=tcp,bind=127.0.0.1,port=6379", "name=unix,bind=/run/s"]);
        config.port = 0;
        assert_eq!(listeners(&config), ["name=unix,bind=/run/s"]);
    }
}
