//! The server as its operator sees it: INFO, CONFIG, COMMAND, SLOWLOG, LATENCY, MEMORY, DEBUG and the rest.

mod common;
use common::*;

use std::time::{SystemTime, UNIX_EPOCH};

/// The names of the fields of every section, as redis-server 7.2 gives them on Linux.
const INFO: &[(&str, &str)] = &[
    (
        "Server",
        "redis_version redis_git_sha1 redis_git_dirty redis_build_id redis_mode os arch_bits monotonic_clock multiplexing_api \
         atomicvar_api gcc_version process_id process_supervised run_id tcp_port server_time_usec uptime_in_seconds uptime_in_days \
         hz configured_hz lru_clock executable config_file io_threads_active listener0",
    ),
    (
        "Clients",
        "connected_clients cluster_connections maxclients client_recent_max_input_buffer client_recent_max_output_buffer \
         blocked_clients tracking_clients pubsub_clients watching_clients clients_in_timeout_table total_watched_keys \
         total_blocking_keys total_blocking_keys_on_nokey",
    ),
    (
        "Memory",
        "used_memory used_memory_human used_memory_rss used_memory_rss_human used_memory_peak used_memory_peak_human \
         used_memory_peak_perc used_memory_overhead used_memory_startup used_memory_dataset used_memory_dataset_perc \
         allocator_allocated allocator_active allocator_resident allocator_muzzy total_system_memory total_system_memory_human used_memory_lua \
         used_memory_vm_eval used_memory_lua_human used_memory_scripts_eval number_of_cached_scripts number_of_functions \
         number_of_libraries used_memory_vm_functions used_memory_vm_total used_memory_vm_total_human used_memory_functions \
         used_memory_scripts used_memory_scripts_human maxmemory maxmemory_human maxmemory_policy allocator_frag_ratio \
         allocator_frag_bytes allocator_rss_ratio allocator_rss_bytes rss_overhead_ratio rss_overhead_bytes \
         mem_fragmentation_ratio mem_fragmentation_bytes mem_not_counted_for_evict mem_replication_backlog \
         mem_total_replication_buffers mem_clients_slaves mem_clients_normal mem_cluster_links mem_aof_buffer mem_allocator mem_overhead_db_hashtable_rehashing \
         active_defrag_running lazyfree_pending_objects lazyfreed_objects",
    ),
    (
        "Persistence",
        "loading async_loading current_cow_peak current_cow_size current_cow_size_age current_fork_perc \
         current_save_keys_processed current_save_keys_total rdb_changes_since_last_save rdb_bgsave_in_progress \
         rdb_last_save_time rdb_last_bgsave_status rdb_last_bgsave_time_sec rdb_current_bgsave_time_sec rdb_saves \
         rdb_last_cow_size rdb_last_load_keys_expired rdb_last_load_keys_loaded aof_enabled aof_rewrite_in_progress \
         aof_rewrite_scheduled aof_last_rewrite_time_sec aof_current_rewrite_time_sec aof_last_bgrewrite_status aof_rewrites \
         aof_rewrites_consecutive_failures aof_last_write_status aof_last_cow_size module_fork_in_progress module_fork_last_cow_size",
    ),
    (
        "Stats",
        "total_connections_received total_commands_processed instantaneous_ops_per_sec total_net_input_bytes \
         total_net_output_bytes total_net_repl_input_bytes total_net_repl_output_bytes instantaneous_input_kbps \
         instantaneous_output_kbps instantaneous_input_repl_kbps instantaneous_output_repl_kbps rejected_connections sync_full \
         sync_partial_ok sync_partial_err expired_subkeys expired_keys expired_stale_perc expired_time_cap_reached_count \
         expire_cycle_cpu_milliseconds evicted_keys evicted_clients evicted_scripts total_eviction_exceeded_time current_eviction_exceeded_time \
         keyspace_hits keyspace_misses pubsub_channels pubsub_patterns pubsubshard_channels latest_fork_usec total_forks \
         migrate_cached_sockets slave_expires_tracked_keys active_defrag_hits active_defrag_misses active_defrag_key_hits \
         active_defrag_key_misses total_active_defrag_time current_active_defrag_time tracking_total_keys tracking_total_items \
         tracking_total_prefixes unexpected_error_replies total_error_replies dump_payload_sanitizations total_reads_processed \
         total_writes_processed io_threaded_reads_processed io_threaded_writes_processed \
         client_query_buffer_limit_disconnections client_output_buffer_limit_disconnections reply_buffer_shrinks \
         reply_buffer_expands eventloop_cycles eventloop_duration_sum eventloop_duration_cmd_sum \
         instantaneous_eventloop_cycles_per_sec instantaneous_eventloop_duration_usec acl_access_denied_auth \
         acl_access_denied_cmd acl_access_denied_key acl_access_denied_channel acl_access_denied_tls_cert",
    ),
    (
        "Replication",
        "role connected_slaves master_failover_state master_replid master_replid2 master_repl_offset second_repl_offset \
         repl_backlog_active repl_backlog_size repl_backlog_first_byte_offset repl_backlog_histlen",
    ),
    ("CPU", "used_cpu_sys used_cpu_user used_cpu_sys_children used_cpu_user_children used_cpu_sys_main_thread used_cpu_user_main_thread"),
    ("Modules", ""),
    ("Errorstats", "errorstat_ERR"),
    ("Cluster", "cluster_enabled"),
    ("Keyspace", "db0 db3"),
];

/// Fields of 7.2 and 7.4 that 7.0, the reference at hand, does not have.
const SINCE_7_2: &str = "total_blocking_keys total_blocking_keys_on_nokey current_eviction_exceeded_time \
    acl_access_denied_auth acl_access_denied_cmd acl_access_denied_key acl_access_denied_channel acl_access_denied_tls_cert eventloop_cycles \
    eventloop_duration_sum eventloop_duration_cmd_sum instantaneous_eventloop_cycles_per_sec instantaneous_eventloop_duration_usec \
    listener0 pubsub_clients watching_clients total_watched_keys allocator_muzzy mem_overhead_db_hashtable_rehashing \
    client_query_buffer_limit_disconnections client_output_buffer_limit_disconnections expired_subkeys evicted_scripts";

/// Sections of INFO: title, and the names of its fields in order.
fn sections(text: &str) -> Vec<(String, Vec<String>)> {
    let mut sections: Vec<(String, Vec<String>)> = Vec::new();
    for line in text.split("\r\n") {
        if let Some(title) = line.strip_prefix("# ") {
            sections.push((title.to_owned(), Vec::new()));
        } else if let Some((name, _)) = line.split_once(':') {
            sections.last_mut().unwrap().1.push(name.to_owned());
        } else {
            assert_eq!(line, "");
        }
    }
    sections
}

#[test]
fn info_counts_clients_by_what_they_do_and_why_they_were_closed() {
    if is_reference() {
        return; // These came with 7.4.
    }
    let server = Server::start(&["--client-query-buffer-limit", "1mb", "--client-output-buffer-limit", "normal 100kb 0 0"]);
    let (mut subscriber, mut watcher, mut other) = (server.connect(), server.connect(), server.connect());
    subscriber.run("HELLO 3");
    subscriber.run("SUBSCRIBE a");
    replies!(watcher, "WATCH x y" => "OK", "SELECT 1" => "OK", "WATCH x" => "OK");
    replies!(other, "WATCH y" => "OK");
    let fields = |names: [&str; 3]| names.map(|name| server.number::<u64>(name));
    let now = ["pubsub_clients", "watching_clients", "total_watched_keys"];
    assert_eq!(fields(now), [1, 2, 3]);
    replies!(other, "UNWATCH" => "OK");
    replies!(watcher, "RESET" => "RESET");
    drop(subscriber);
    wait_until(|| fields(now) == [0, 0, 0]);
    let ends =
        || ["client_query_buffer_limit_disconnections", "client_output_buffer_limit_disconnections"].map(|name| server.number::<u64>(name));
    assert_eq!(ends(), [0, 0]);
    let _ = other.try_send(&[b"*2\r\n$2000000\r\n".as_slice(), &vec![b'x'; 1_500_000]].concat());
    wait_until(|| ends()[0] == 1);
    replies!(watcher, "SELECT 0" => "OK");
    watcher.cmd(&["SET", "big", &"x".repeat(200_000)]);
    let _ = watcher.try_send(b"GET big\r\nGET big\r\n");
    wait_until(|| ends()[1] == 1);
    replies!(server.connect(), "CONFIG RESETSTAT" => "OK");
    assert_eq!(ends(), [0, 0]);
}

#[test]
fn info_has_every_section_and_field() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    replies!(conn, "SET a 1" => "OK", "SELECT 3" => "OK", "SET a 1 EX 100" => "OK", "SELECT 0" => "OK", "INCR" => "-ERR wrong number of arguments for 'incr' command");
    let found = sections(&conn.run("INFO").text());
    let titles: Vec<_> = found.iter().map(|(title, _)| title.as_str()).collect();
    let expected: Vec<_> = INFO.iter().map(|(title, _)| *title).collect();
    assert_eq!(titles, expected);
    for ((title, fields), (_, expected)) in found.iter().zip(INFO) {
        let known = |name: &&str| !is_reference() || !SINCE_7_2.split_whitespace().any(|new| new == *name);
        let missing: Vec<_> = expected.split_whitespace().filter(known).filter(|name| !fields.iter().any(|f| f == name)).collect();
        assert!(missing.is_empty(), "{title} lacks {missing:?}");
        // Fields of one's own may stand between them.
        let shared: Vec<_> = fields.iter().filter(|f| expected.split_whitespace().any(|e| e == *f)).collect();
        let ordered: Vec<_> = expected.split_whitespace().filter(|name| fields.iter().any(|f| f == name)).collect();
        assert_eq!(shared, ordered, "the order in {title}");
    }

    let titles = |line: &str| -> Vec<String> {
        let text = server.ask(line).text();
        sections(&text).into_iter().map(|(title, _)| title).collect()
    };
    assert_eq!(titles("INFO server"), ["Server"]);
    assert_eq!(titles("INFO SERVER keyspace clients"), ["Server", "Clients", "Keyspace"]);
    assert_eq!(titles("INFO nonsense"), [""; 0]);
    assert_eq!(titles("INFO commandstats"), ["Commandstats"]);
    assert_eq!(titles("INFO latencystats"), ["Latencystats"]);
    assert_eq!(titles("INFO default").len(), 11);
    // With statistics of commands and latencies.
    assert_eq!(titles("INFO all").len(), 13);
    assert_eq!(titles("INFO everything").len(), 13);
    let mut conn = server.connect();
    conn.run("HELLO 3");
    assert!(conn.run("INFO server").to_string().starts_with("=txt:\"# Server\\r\\n"));
}

#[test]
fn info_tells_the_truth() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    replies!(conn, "SET a 1" => "OK", "SET b 1 EX 1000" => "OK", "GET a" => r#""1""#, "GET c" => "nil", "INCR x y" => "-ERR wrong number of arguments for 'incr' command");
    assert_eq!(server.info("process_id"), server.pid.to_string());
    assert_eq!(server.info("tcp_port"), server.port.to_string());
    assert_eq!(server.info("redis_mode"), "standalone");
    assert_eq!(server.info("run_id").len(), 40);
    assert_eq!(server.info("maxclients"), "10000");
    assert_eq!(server.info("connected_clients"), "2");
    assert_eq!(server.info("role"), "master");
    assert_eq!(server.info("master_replid").len(), 40);
    assert_eq!(server.info("keyspace_hits"), "1");
    assert_eq!(server.info("keyspace_misses"), "1");
    assert_eq!(server.info("errorstat_ERR"), "count=1");
    assert!(server.info("db0").starts_with("keys=2,expires=1,avg_ttl="), "{}", server.info("db0"));
    let set = server.info("cmdstat_set");
    assert!(set.starts_with("calls=2,usec="), "{set}");
    assert!(set.ends_with(",rejected_calls=0,failed_calls=0"), "{set}");
    assert!(server.info("cmdstat_incr").starts_with("calls=0,usec=0,usec_per_call=0.00,rejected_calls=1"));
    conn.run("CLIENT ID");
    assert!(server.info("cmdstat_client|id").starts_with("calls=1,"));
    assert!(server.info("latency_percentiles_usec_set").starts_with("p50="));
    let used: u64 = server.info("used_memory").parse().unwrap();
    assert!((10_000..1 << 30).contains(&used), "{used}");
    // It is looked at ten times a second, and a server that has just started still grows.
    wait_until(|| server.info("used_memory_rss").parse::<u64>().unwrap().abs_diff(server.rss()) < 4 << 20);
    let big = vec![b'x'; 8 << 20];
    conn.cmd(&[b"SET".as_slice(), b"big", &big]);
    let more: u64 = server.info("used_memory").parse().unwrap();
    assert!(more >= used + (8 << 20), "{used} then {more}");
    replies!(conn, "CONFIG RESETSTAT" => "OK");
    assert_eq!(server.info("keyspace_hits"), "0");
    assert_eq!(server.info("total_error_replies"), "0");
    if !is_reference() {
        assert_eq!(server.info("server_name"), "solod");
        server.info("solod_version");
        assert!(server.info("redis_version").starts_with("7.2."));
        assert_eq!(server.info("redis_version"), server.connect().run("HELLO").get("version").text());
    }
}

#[test]
fn config_get_and_set() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        CONFIG GET maxmemory                    -> ["maxmemory", "0"]
        CONFIG GET MAXMEMORY                    -> ["MAXMEMORY", "0"]
        CONFIG GET no-such                      -> []
        CONFIG GET maxmemory maxmemory          -> ["maxmemory", "0"]
        CONFIG GET client-output-buffer-limit   -> ["client-output-buffer-limit", "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60"]
        CONFIG GET slave-priority               -> ["slave-priority", "100"]
        CONFIG GET appendfsync loglevel         ~> [*]
        CONFIG GET                              -> -ERR wrong number of arguments for 'config|get' command
        CONFIG SET maxmemory 1mb                -> OK
        CONFIG GET maxmemory                    -> ["maxmemory", "1048576"]
        CONFIG SET maxmemory 1Kb                -> OK
        CONFIG GET maxmemory                    -> ["maxmemory", "1024"]
        CONFIG SET maxmemory 1x                 -> -ERR CONFIG SET failed (possibly related to argument 'maxmemory') - argument must be a memory value
        CONFIG SET maxmemory ""                 -> OK
        CONFIG SET maxmemory -1                 -> -ERR CONFIG SET failed (possibly related to argument 'maxmemory') - argument must be a memory value
        CONFIG SET maxmemory 0                  -> OK
        CONFIG SET maxmemory-policy bogus       ~> -ERR CONFIG SET failed (possibly related to argument 'maxmemory-policy') - argument(s) must be one of the following: volatile-lru, volatile-lfu, volatile-random, volatile-ttl, allkeys-lru, allkeys-lfu, allkeys-random, *noeviction
        CONFIG SET maxmemory-samples 0          -> -ERR CONFIG SET failed (possibly related to argument 'maxmemory-samples') - argument must be between 1 and 2147483647 inclusive
        CONFIG SET maxmemory-samples x          -> -ERR CONFIG SET failed (possibly related to argument 'maxmemory-samples') - argument couldn't be parsed into an integer
        CONFIG SET lazyfree-lazy-expire maybe   -> -ERR CONFIG SET failed (possibly related to argument 'lazyfree-lazy-expire') - argument must be 'yes' or 'no'
        CONFIG SET lazyfree-lazy-expire YES     -> OK
        CONFIG GET lazyfree-lazy-expire         -> ["lazyfree-lazy-expire", "yes"]
        CONFIG SET port 99999                   -> -ERR CONFIG SET failed (possibly related to argument 'port') - argument must be between 0 and 65535 inclusive
        CONFIG SET daemonize yes                -> -ERR CONFIG SET failed (possibly related to argument 'daemonize') - can't set immutable config
        CONFIG SET databases 5                  -> -ERR CONFIG SET failed (possibly related to argument 'databases') - can't set immutable config
        CONFIG SET no-such 1                    -> -ERR Unknown option or number of arguments for CONFIG SET - 'no-such'
        CONFIG SET maxmemory                    -> -ERR wrong number of arguments for 'config|set' command
        CONFIG SET maxmemory 1 timeout          -> -ERR syntax error
        CONFIG SET timeout 5 timeout 6          -> -ERR CONFIG SET failed (possibly related to argument 'timeout') - duplicate parameter
        CONFIG SET timeout 5 no-such 6          -> -ERR Unknown option or number of arguments for CONFIG SET - 'no-such'
        CONFIG SET timeout 5 maxmemory-samples 0 -> -ERR CONFIG SET failed (possibly related to argument 'maxmemory-samples') - argument must be between 1 and 2147483647 inclusive
        CONFIG GET timeout                      -> ["timeout", "0"]
        CONFIG SET timeout 5 maxmemory-samples 7 -> OK
        CONFIG GET timeout                      -> ["timeout", "5"]
        CONFIG GET maxmemory-samples            -> ["maxmemory-samples", "7"]
        CONFIG SET timeout 0                    -> OK
        CONFIG SET save "100 5 200 6"           -> OK
        CONFIG GET save                         -> ["save", "100 5 200 6"]
        CONFIG SET save "100"                   -> -ERR CONFIG SET failed (possibly related to argument 'save') - Invalid save parameters
        CONFIG SET save "-1 1"                  -> -ERR CONFIG SET failed (possibly related to argument 'save') - Invalid save parameters
        CONFIG SET save ""                      -> OK
        CONFIG GET save                         -> ["save", ""]
        CONFIG SET client-output-buffer-limit "normal 1mb 512kb 10" -> OK
        CONFIG SET client-output-buffer-limit "slave 0 0 0 pubsub 1 2 3" -> OK
        CONFIG GET client-output-buffer-limit   -> ["client-output-buffer-limit", "normal 1048576 524288 10 slave 0 0 0 pubsub 1 2 3"]
        CONFIG SET client-output-buffer-limit "bogus 1 2 3" -> -ERR CONFIG SET failed (possibly related to argument 'client-output-buffer-limit') - Invalid client class specified in buffer limit configuration.
        CONFIG SET client-output-buffer-limit "normal 1 2" -> -ERR CONFIG SET failed (possibly related to argument 'client-output-buffer-limit') - Wrong number of arguments in buffer limit configuration.
        CONFIG SET notify-keyspace-events KEA   -> OK
        CONFIG GET notify-keyspace-events       -> ["notify-keyspace-events", "AKE"]
        CONFIG SET notify-keyspace-events "!"   -> -ERR CONFIG SET failed (possibly related to argument 'notify-keyspace-events') - Invalid event class character. Use 'Ag$lshzxeKEtmdn'.
        CONFIG SET notify-keyspace-events ""    -> OK
        CONFIG SET hz 1000                      -> OK
        CONFIG GET hz                           -> ["hz", "500"]
        CONFIG SET oom-score-adj-values "1 2"   -> -ERR CONFIG SET failed (possibly related to argument 'oom-score-adj-values') - wrong number of arguments
        CONFIG SET loglevel verbose             -> OK
        CONFIG BOGUS                            -> -ERR unknown subcommand 'BOGUS'. Try CONFIG HELP.
        CONFIG                                  -> -ERR wrong number of arguments for 'config' command
        CONFIG HELP                             ~> [CONFIG <subcommand> *]
        CONFIG RESETSTAT x                      -> -ERR wrong number of arguments for 'config|resetstat' command
        CONFIG REWRITE                          -> -ERR The server is running without a config file
        HELLO 3                                 ~> {*}
        CONFIG GET maxmemory                    -> {"maxmemory": "0"}
    "#,
    );
    // Several patterns, aliases by their own names, in any order.
    for (patterns, answer) in [
        ("list-max-*-size", vec!["-2", "-2", "list-max-listpack-size", "list-max-ziplist-size"]),
        ("hash-max-*-entries timeout", vec!["0", "512", "512", "hash-max-listpack-entries", "hash-max-ziplist-entries", "timeout"]),
    ] {
        let found = server.ask(&format!("CONFIG GET {patterns}"));
        assert_eq!(found.sorted(), answer, "{patterns}");
    }
    // Every directive of 7.2 is there, whether its feature is or not.
    let all = server.ask("CONFIG GET *").items();
    assert!(all.len() / 2 > 180, "{}", all.len() / 2);
}

#[test]
fn config_rewrite_keeps_what_people_wrote() {
    let text = "# what we keep here is precious\n\nmaxmemory 100mb\n# of course\nmaxclients 200\nsave 900 1\ntimeout 0\n";
    let mut server = Server::with_conf(text, &[]);
    let mut conn = server.connect();
    replies!(conn,
        "CONFIG SET maxmemory 200mb" => "OK",
        "CONFIG SET maxmemory-policy allkeys-lru" => "OK",
        "CONFIG SET save \"60 1000\"" => "OK",
        "CONFIG REWRITE" => "OK");
    let text = std::fs::read_to_string(server.conf()).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[..5], ["# what we keep here is precious", "", "maxmemory 200mb", "# of course", "maxclients 200"], "{text}");
    assert!(text.contains("\nsave 60 1000\n") && !text.contains("save 900"), "{text}");
    assert!(text.contains("\nmaxmemory-policy allkeys-lru\n"), "{text}");
    assert_eq!(text.matches("# Generated by CONFIG REWRITE").count(), 1, "{text}");
    server.restart();
    let mut conn = server.connect();
    replies!(conn,
        "CONFIG GET maxmemory-policy" => r#"["maxmemory-policy", "allkeys-lru"]"#,
        "CONFIG REWRITE" => "OK");
    let again = std::fs::read_to_string(server.conf()).unwrap();
    assert_eq!(again.matches("# Generated by CONFIG REWRITE").count(), 1);
}

#[test]
fn info_debug_tells_of_turns() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    conn.send(&Conn::encode(&["PING"]).repeat(20));
    (0..20).for_each(|_| _ = conn.recv());
    wait_until(|| {
        let text = conn.run("INFO debug").text();
        let fields: Vec<(&str, u64)> =
            text.lines().filter_map(|line| line.split_once(':')).map(|(name, value)| (name, value.parse().unwrap())).collect();
        let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
        assert_eq!(
            names,
            ["eventloop_duration_aof_sum", "eventloop_duration_cron_sum", "eventloop_duration_max", "eventloop_cmd_per_cycle_max"]
        );
        assert!(text.starts_with("# Debug\r\n"));
        fields[0].1 == 0 && fields[1].1 > 0 && fields[2].1 > 0 && fields[3].1 > 1
    });
    assert!(!conn.run("INFO everything").text().contains("# Debug"), "only by its name");
}

/// A server that is no node of a cluster, and has no modules, answers all the same.
#[test]
fn commands_of_clusters_and_modules() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        CLUSTER                                 -> -ERR wrong number of arguments for 'cluster' command
        CLUSTER INFO                            -> -ERR This instance has cluster support disabled
        CLUSTER HELP                            -> -ERR This instance has cluster support disabled
        CLUSTER SLOTS                           -> -ERR This instance has cluster support disabled
        CLUSTER KEYSLOT a                       -> -ERR This instance has cluster support disabled
        CLUSTER NODES x                         -> -ERR wrong number of arguments for 'cluster|nodes' command
        CLUSTER BOGUS                           -> -ERR unknown subcommand 'BOGUS'. Try CLUSTER HELP.
        READONLY                                -> -ERR This instance has cluster support disabled
        READONLY x                              -> -ERR wrong number of arguments for 'readonly' command
        READWRITE                               -> -ERR This instance has cluster support disabled
        ASKING                                  -> -ERR This instance has cluster support disabled
        MODULE LIST                             -> []
        MODULE HELP                             ~> [MODULE <subcommand> *]
        MODULE LOAD x                           -> -ERR MODULE command not allowed. If the enable-module-command option is set to "local", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.
        MODULE LOAD                             -> -ERR wrong number of arguments for 'module|load' command
        MODULE BOGUS                            -> -ERR unknown subcommand 'BOGUS'. Try MODULE HELP.
        COMMAND INFO readonly asking            -> [["readonly", 1, [loading, stale, fast], 0, 0, 0, [@fast, @connection], [], [], []], ["asking", 1, [fast], 0, 0, 0, [@fast, @connection], [], [], []]]
        COMMAND INFO cluster|info               -> [["cluster|info", 2, [stale], 0, 0, 0, [@slow], ["nondeterministic_output"], [], []]]
        COMMAND INFO cluster|reset              -> [["cluster|reset", -2, [admin, noscript, stale], 0, 0, 0, [@admin, @slow, @dangerous], [], [], []]]
        COMMAND INFO module|load                -> [["module|load", -3, [admin, noscript, no_async_loading], 0, 0, 0, [@admin, @slow, @dangerous], [], [], []]]
    "#,
    );
    let server = Server::start(&["--enable-module-command", "local"]);
    server.spec(
        r#"
        MODULE LOAD /nosuch.so                  -> -ERR Error loading the extension. Please check the server logs.
        MODULE LOADEX /nosuch.so ARGS a         -> -ERR Error loading the extension. Please check the server logs.
        MODULE UNLOAD nosuch                    -> -ERR Error unloading module: no such module with that name
    "#,
    );
}

#[test]
fn command_and_its_subcommands() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        COMMAND BOGUS                           -> -ERR unknown subcommand 'BOGUS'. Try COMMAND HELP.
        COMMAND HELP                            ~> [COMMAND <subcommand> *]
        COMMAND COUNT x                         -> -ERR wrong number of arguments for 'command|count' command
        COMMAND INFO get                        -> [["get", 2, [readonly, fast], 1, 1, 1, [@read, @string, @fast], [], [["flags", [RO, access], "begin_search", ["type", "index", "spec", ["index", 1]], "find_keys", ["type", "range", "spec", ["lastkey", 0, "keystep", 1, "limit", 0]]]], []]]
        COMMAND INFO nosuch get                 ~> [*, ["get", 2, *]]
        COMMAND INFO mset                       -> [["mset", -3, [write, denyoom], 1, -1, 2, [@write, @string, @slow], ["request_policy:multi_shard", "response_policy:all_succeeded"], [["flags", [OW, update], "begin_search", ["type", "index", "spec", ["index", 1]], "find_keys", ["type", "range", "spec", ["lastkey", -1, "keystep", 2, "limit", 0]]]], []]]
        COMMAND INFO config|get                 ~> [["config|get", -3, *]]
        COMMAND DOCS nosuch                     -> []
        COMMAND DOCS get                        ~> ["get", ["summary", "*", "since", "1.0.0", "group", "string", "complexity", "O(1)", *]]
        COMMAND LIST FILTERBY PATTERN mse*      ~> [*]
        COMMAND LIST FILTERBY MODULE nosuch     -> []
        COMMAND LIST FILTERBY ACLCAT nosuch     -> []
        COMMAND LIST FILTERBY BOGUS x           -> -ERR syntax error
        COMMAND LIST FILTERBY                   -> -ERR syntax error
        COMMAND GETKEYS GET a                   -> ["a"]
        COMMAND GETKEYS MSET a 1 b 2            -> ["a", "b"]
        COMMAND GETKEYS SET a b EX 10           -> ["a"]
        COMMAND GETKEYS nosuch a                -> -ERR Invalid command specified
        COMMAND GETKEYS                         -> -ERR wrong number of arguments for 'command|getkeys' command
        COMMAND GETKEYSANDFLAGS GET a           -> [["a", [RO, access]]]
        COMMAND GETKEYSANDFLAGS SET a b         -> [["a", [OW, update]]]
        COMMAND GETKEYSANDFLAGS COPY a b        -> [["a", [RO, access]], ["b", [OW, update]]]
        COMMAND GETKEYSANDFLAGS RENAME a b      -> [["a", [RW, access, delete]], ["b", [OW, update]]]
        COMMAND GETKEYSANDFLAGS DEL a b         -> [["a", [RM, delete]], ["b", [RM, delete]]]
        HELLO 3                                 ~> {*}
        COMMAND DOCS get                        ~> {"get": {"summary": *}}
        COMMAND INFO get                        -> [["get", 2, ~[readonly, fast], 1, 1, 1, ~[@read, @string, @fast], ~[], ~[{"flags": ~[RO, access], "begin_search": {"type": "index", "spec": {"index": 1}}, "find_keys": {"type": "range", "spec": {"lastkey": 0, "keystep": 1, "limit": 0}}}], ~[]]]
    "#,
    );
    if !is_reference() {
        server.spec(
            r#"
            COMMAND GETKEYS PING                -> -ERR The command has no key arguments
            COMMAND GETKEYS GET                 -> -ERR Invalid number of arguments specified for command
            COMMAND GETKEYSANDFLAGS PING        -> -ERR The command has no key arguments
        "#,
        );
    }
    let mut conn = server.connect();
    let count = conn.run("COMMAND COUNT").int();
    assert_eq!(conn.run("COMMAND").items().len() as i64, count);
    assert_eq!(conn.run("COMMAND INFO").items().len() as i64, count);
    assert_eq!(conn.run("COMMAND DOCS").items().len() as i64, 2 * count);
    assert!(conn.run("COMMAND LIST").items().len() as i64 >= count);
    let matching = conn.run("COMMAND LIST FILTERBY PATTERN g*tex").sorted();
    assert_eq!(matching, ["getex"]);
    let matching = conn.run("COMMAND LIST FILTERBY ACLCAT transaction").sorted();
    assert_eq!(matching, ["discard", "exec", "multi", "unwatch", "watch"]);
}

/// What the commands of this server say of themselves is what the real one says.
#[test]
fn commands_describe_themselves_as_in_redis() {
    let (ours, theirs) = (Server::start(&[]), Server::redis(&[]));
    let (mut ours, mut theirs) = (ours.connect(), theirs.connect());
    const SINCE_7_2: [&str; 4] = ["client|setinfo", "client|no-touch", "cluster|myshardid", "script|show"];
    const CHANGED_IN_7_2: [&str; 5] = ["command|getkeys", "command|getkeysandflags", "wait", "zrank", "zrevrank"];
    for name in ours.run("COMMAND LIST").sorted() {
        if CHANGED_IN_7_2.contains(&name.as_str()) {
            continue;
        }
        let info = |conn: &mut Conn| conn.cmd(&["COMMAND", "INFO", &name]).items()[0].clone();
        let (our, their) = (info(&mut ours), info(&mut theirs));
        let Value::Array(their) = their else {
            continue; // from a newer server of the family, or solod's own
        };
        let our = our.items();
        // Name, arity, flags, first key, last key, step, ACL categories. Tips, key specifications and subcommands follow.
        for field in [0, 1, 3, 4, 5] {
            assert_eq!(our[field], their[field], "{name}");
        }
        let mut flags = [our[2].sorted(), their[2].sorted()];
        if flags[0].iter().any(|flag| flag == "blocking") {
            // 7.2 lets scripts call what blocks.
            flags.iter_mut().for_each(|flags| flags.retain(|flag| flag != "noscript"));
        }
        assert_eq!(flags[0], flags[1], "{name}");
        assert_eq!(our[6].sorted(), their[6].sorted(), "{name}");
        let names = |subcommands: &Value| -> Vec<String> {
            let mut names: Vec<_> = subcommands.items().iter().map(|s| s.items()[0].text()).collect();
            names.retain(|name| !SINCE_7_2.contains(&name.as_str()));
            names.sort();
            names
        };
        assert_eq!(names(&our[9]), names(&their[9]), "{name}");
        assert_eq!(our[8].items().len(), their[8].items().len(), "key specifications of {name}");
    }
}

#[test]
fn slow_commands_are_remembered() {
    let server = Server::start(&["--slowlog-log-slower-than", "0", "--slowlog-max-len", "3"]);
    let mut conn = server.connect();
    replies!(conn, "CLIENT SETNAME me" => "OK", "SLOWLOG RESET" => "OK");
    let long = "x".repeat(200);
    conn.cmd(&["SET", "a", &long]);
    let many: Vec<String> = std::iter::once("DEL".into()).chain((0..50).map(|i| i.to_string())).collect();
    conn.cmd(&many);
    let entries = conn.run("SLOWLOG GET").items();
    let entry = entries[0].items();
    assert_eq!(entry.len(), 6);
    assert!(entry[0].int() > entries[1].items()[0].int(), "newest first");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    assert!((now - entry[1].int()).abs() <= 2);
    assert!((0..1_000_000).contains(&entry[2].int()), "microseconds");
    let args = entry[3].items();
    assert_eq!(args.len(), 32);
    assert_eq!(args[31], *r#""... (20 more arguments)""#);
    assert_eq!(entry[4].text(), format!("127.0.0.1:{}", conn.local_port()));
    assert_eq!(entry[5].text(), "me");
    let set = entries[1].items()[3].items();
    assert_eq!(set[2].text(), format!("{}... (72 more bytes)", "x".repeat(128)));
    assert_eq!(conn.run("SLOWLOG LEN"), *"3");
    assert_eq!(conn.run("SLOWLOG GET 1").items().len(), 1);
    assert_eq!(conn.run("SLOWLOG GET -1").items().len(), 3);
    conn.run("AUTH default sesame");
    assert!(!conn.run("SLOWLOG GET -1").to_string().contains("sesame"));
    replies!(conn, "CONFIG SET slowlog-log-slower-than -1" => "OK", "SLOWLOG RESET" => "OK", "SLOWLOG LEN" => "0");
    server.session().check(
        r#"
        SLOWLOG GET                             -> []
        SLOWLOG GET x                           -> -ERR count should be greater than or equal to -1
        SLOWLOG GET -2                          -> -ERR count should be greater than or equal to -1
        SLOWLOG GET 1 2                         -> -ERR unknown subcommand or wrong number of arguments for 'GET'. Try SLOWLOG HELP.
        SLOWLOG BOGUS                           -> -ERR unknown subcommand 'BOGUS'. Try SLOWLOG HELP.
        SLOWLOG                                 -> -ERR wrong number of arguments for 'slowlog' command
        SLOWLOG HELP                            ~> [SLOWLOG <subcommand> *]
    "#,
    );
}

#[test]
fn latency_is_watched() {
    let server = Server::start(&["--latency-monitor-threshold", "5", "--enable-debug-command", "local"]);
    server.session().check(
        r#"
        LATENCY LATEST                          -> []
        LATENCY HISTORY command                 -> []
        LATENCY RESET                           -> 0
        LATENCY DOCTOR                          ~> "*"
        LATENCY GRAPH command                   -> -ERR No samples available for event 'command'
        LATENCY HISTORY                         -> -ERR wrong number of arguments for 'latency|history' command
        LATENCY BOGUS                           -> -ERR unknown subcommand 'BOGUS'. Try LATENCY HELP.
        LATENCY                                 -> -ERR wrong number of arguments for 'latency' command
        LATENCY HELP                            ~> [LATENCY <subcommand> *]
        DEBUG SLEEP 0.01                        -> OK
        LATENCY LATEST                          ~> [["command", *, *, *]]
        LATENCY HISTORY command                 ~> [[*, *]]
        LATENCY GRAPH command                   ~> "command - high * ms, low * ms (all time high * ms)*"
        LATENCY RESET nosuch                    -> 0
        LATENCY RESET command nosuch            -> 1
        LATENCY LATEST                          -> []
        CONFIG RESETSTAT                        -> OK
        SET a 1                                 -> OK
        LATENCY HISTOGRAM set                   ~> ["set", ["calls", 1, "histogram_usec", [*, 1]]]
        LATENCY HISTOGRAM nosuch                -> []
        LATENCY HISTOGRAM                       ~> [*"set", [*]*]
        HELLO 3                                 ~> {*}
        LATENCY HISTOGRAM set                   ~> {"set": {"calls": 1, "histogram_usec": {*: 1}}}
    "#,
    );
}

#[test]
fn memory_and_its_subcommands() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        MEMORY USAGE absent                     -> nil
        SET a 1                                 -> OK
        MEMORY USAGE a                          -> 16..100
        MEMORY USAGE a SAMPLES 0                -> 16..100
        MEMORY USAGE a SAMPLES -1               -> -ERR syntax error
        MEMORY USAGE a SAMPLES x                -> -ERR value is not an integer or out of range
        MEMORY USAGE a SAMPLES                  -> -ERR syntax error
        MEMORY USAGE a BOGUS 1                  -> -ERR syntax error
        MEMORY USAGE                            -> -ERR wrong number of arguments for 'memory|usage' command
        MEMORY STATS                            ~> ["peak.allocated", *, "total.allocated", *, "startup.allocated", *, "replication.backlog", 0, "clients.slaves", 0, "clients.normal", *, "keys.count", 1, *]
        MEMORY DOCTOR                           ~> "*"
        MEMORY PURGE                            -> OK
        MEMORY MALLOC-STATS                     ~> "*"
        MEMORY BOGUS                            -> -ERR unknown subcommand 'BOGUS'. Try MEMORY HELP.
        MEMORY                                  -> -ERR wrong number of arguments for 'memory' command
        MEMORY HELP                             ~> [MEMORY <subcommand> *]
        HELLO 3                                 ~> {*}
        MEMORY STATS                            ~> {"peak.allocated": *}
        MEMORY DOCTOR                           ~> =txt:"*"
    "#,
    );
    let mut conn = server.connect();
    let value = vec![b'x'; 1 << 20];
    conn.cmd(&[b"SET".as_slice(), b"big", &value]);
    let usage = conn.run("MEMORY USAGE big").int();
    assert!(((1 << 20)..(3 << 19)).contains(&usage), "{usage}");
}

#[test]
fn debug_for_those_who_may() {
    let forbidden = Server::start(&[]);
    forbidden.session().check(
        r#"
        DEBUG SLEEP 0                           -> -ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.
    "#,
    );
    let server = Server::start(&["--enable-debug-command", "local"]);
    server.session().check(
        r#"
        DEBUG SLEEP 0                           -> OK
        DEBUG SET-ACTIVE-EXPIRE 1               -> OK
        DEBUG JMAP                              ~> -ERR *
        DEBUG POPULATE 1000                     -> OK
        DBSIZE                                  -> 1000
        GET key:7                               -> "value:7"
        DEBUG POPULATE 5 pre                    -> OK
        GET pre:4                               -> "value:4"
        DEBUG POPULATE 1 big 1000               -> OK
        STRLEN big:0                            -> 1000
        DEBUG OBJECT absent                     -> -ERR no such key
        DEBUG OBJECT key:7                      ~> Value at:* refcount:1 encoding:embstr serializedlength:* lru:* lru_seconds_idle:*
        DEBUG CHANGE-REPL-ID                    -> OK
        DEBUG QUICKLIST-PACKED-THRESHOLD 100    -> OK
        DEBUG BOGUS                             ~> -ERR *
        DEBUG                                   -> -ERR wrong number of arguments for 'debug' command
        DEBUG HELP                              ~> [DEBUG <subcommand> *]
    "#,
    );
}

#[test]
fn the_rest() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        ROLE                                    -> ["master", 0, []]
        ROLE x                                  -> -ERR wrong number of arguments for 'role' command
        TIME x                                  -> -ERR wrong number of arguments for 'time' command
        LASTSAVE x                              -> -ERR wrong number of arguments for 'lastsave' command
        LOLWUT                                  ~> "*Redis ver. *\n"
        LOLWUT VERSION 5                        ~> "*Redis ver. *\n"
        LOLWUT VERSION 6 10 10                  ~> "*Redis ver. *\n"
        LOLWUT VERSION x                        -> -ERR value is not an integer or out of range
        SHUTDOWN BOGUS                          -> -ERR syntax error
        SHUTDOWN SAVE NOSAVE                    -> -ERR syntax error
        SHUTDOWN ABORT                          -> -ERR No shutdown in progress.
        SHUTDOWN ABORT NOW                      -> -ERR syntax error
        PING                                    -> PONG
    "#,
    );
    let mut conn = server.connect();
    let time = conn.run("TIME").items();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    let seconds: i64 = time[0].text().parse().unwrap();
    let micros: i64 = time[1].text().parse().unwrap();
    assert!((seconds - now).abs() <= 1 && (0..1_000_000).contains(&micros));
    assert!((conn.run("LASTSAVE").int() - now).abs() < 60);
}

#[test]
fn shutdown_ends_it_with_code_0() {
    for how in ["SHUTDOWN", "SHUTDOWN NOSAVE", "SHUTDOWN NOW", "shutdown nosave now force"] {
        let mut server = Server::start(&[]);
        let mut conn = server.connect();
        conn.send(format!("{how}\r\nPING\r\n").as_bytes());
        assert!(conn.closed(), "{how}");
        assert_eq!(server.wait(), Some(0), "{how}");
        assert!(server.log().contains("bye bye"), "{}", server.log());
    }
}
