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
         blocked_clients tracking_clients clients_in_timeout_table total_blocking_keys total_blocking_keys_on_nokey",
    ),
    (
        "Memory",
        "used_memory used_memory_human used_memory_rss used_memory_rss_human used_memory_peak used_memory_peak_human \
         used_memory_peak_perc used_memory_overhead used_memory_startup used_memory_dataset used_memory_dataset_perc \
         allocator_allocated allocator_active allocator_resident total_system_memory total_system_memory_human used_memory_lua \
         used_memory_vm_eval used_memory_lua_human used_memory_scripts_eval number_of_cached_scripts number_of_functions \
         number_of_libraries used_memory_vm_functions used_memory_vm_total used_memory_vm_total_human used_memory_functions \
         used_memory_scripts used_memory_scripts_human maxmemory maxmemory_human maxmemory_policy allocator_frag_ratio \
         allocator_frag_bytes allocator_rss_ratio allocator_rss_bytes rss_overhead_ratio rss_overhead_bytes \
         mem_fragmentation_ratio mem_fragmentation_bytes mem_not_counted_for_evict mem_replication_backlog \
         mem_total_replication_buffers mem_clients_slaves mem_clients_normal mem_cluster_links mem_aof_buffer mem_allocator \
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
         sync_partial_ok sync_partial_err expired_keys expired_stale_perc expired_time_cap_reached_count \
         expire_cycle_cpu_milliseconds evicted_keys evicted_clients total_eviction_exceeded_time current_eviction_exceeded_time \
         keyspace_hits keyspace_misses pubsub_channels pubsub_patterns pubsubshard_channels latest_fork_usec total_forks \
         migrate_cached_sockets slave_expires_tracked_keys active_defrag_hits active_defrag_misses active_defrag_key_hits \
         active_defrag_key_misses total_active_defrag_time current_active_defrag_time tracking_total_keys tracking_total_items \
         tracking_total_prefixes unexpected_error_replies total_error_replies dump_payload_sanitizations total_reads_processed \
         total_writes_processed io_threaded_reads_processed io_threaded_writes_processed reply_buffer_shrinks \
         reply_buffer_expands eventloop_cycles eventloop_duration_sum eventloop_duration_cmd_sum \
         instantaneous_eventloop_cycles_per_sec instantaneous_eventloop_duration_usec acl_access_denied_auth \
         acl_access_denied_cmd acl_access_denied_key acl_access_denied_channel",
    ),
    (
        "Replication",
        "role connected_slaves master_failover_state master_replid master_replid2 master_repl_offset second_repl_offset \
         repl_backlog_active repl_backlog_size repl_backlog_first_byte_offset repl_backlog_histlen",
    ),
    (
        "CPU",
        "used_cpu_sys used_cpu_user used_cpu_sys_children used_cpu_user_children used_cpu_sys_main_thread used_cpu_user_main_thread",
    ),
    ("Modules", ""),
    ("Errorstats", "errorstat_ERR"),
    ("Cluster", "cluster_enabled"),
    ("Keyspace", "db0 db3"),
];

/// Fields of 7.2 that 7.0, the reference at hand, does not have.
const SINCE_7_2: &str = "monotonic_clock total_blocking_keys total_blocking_keys_on_nokey current_eviction_exceeded_time \
    acl_access_denied_auth acl_access_denied_cmd acl_access_denied_key acl_access_denied_channel eventloop_cycles \
    eventloop_duration_sum eventloop_duration_cmd_sum instantaneous_eventloop_cycles_per_sec instantaneous_eventloop_duration_usec \
    listener0";

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
        // Fields of one's own come after Redis's.
        let shared: Vec<_> = fields.iter().filter(|f| expected.split_whitespace().any(|e| e == *f)).collect();
        let ordered: Vec<_> = expected.split_whitespace().filter(known).collect();
        assert_eq!(shared, ordered, "the order in {title}");
        if is_reference() {
            continue;
        }
        assert_eq!(&fields[..1.min(fields.len())], &shared.iter().map(|s| s.to_string()).take(1).collect::<Vec<_>>()[..], "{title}");
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
    assert_eq!(titles("INFO all").len(), 12, "with statistics of commands and latencies, without modules");
    assert_eq!(titles("INFO everything").len(), 13);
    let mut conn = server.connect();
    conn.run("HELLO 3");
    assert!(conn.run("INFO server").to_string().starts_with(r#"=txt:"# Server\r\n"#));
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
    assert!(server.info("cmdstat_client|id").starts_with("calls=1,") || conn.run("CLIENT ID").int() > 0);
    assert!(server.info("latency_percentiles_usec_set").starts_with("p50="));
    let used: u64 = server.info("used_memory").parse().unwrap();
    let rss: u64 = server.info("used_memory_rss").parse().unwrap();
    assert!((10_000..1 << 30).contains(&used), "{used}");
    assert!(rss.abs_diff(server.rss()) < 4 << 20, "{rss} and {}", server.rss());
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
        CONFIG GET maxmemory                    -> ?
        CONFIG GET MAXMEMORY                    -> ?
        CONFIG GET no-such                      -> ?
        CONFIG GET list-max-*-size              -> ?
        CONFIG GET hash-max-listpack-entries hash-max-ziplist-entries -> ?
        CONFIG GET maxmemory maxmemory          -> ?
        CONFIG GET client-output-buffer-limit   -> ?
        CONFIG GET slave-priority               -> ?
        CONFIG GET appendfsync loglevel         ~> [*]
        CONFIG GET                              -> ?
        CONFIG SET maxmemory 1mb                -> ?
        CONFIG GET maxmemory                    -> ?
        CONFIG SET maxmemory 1Kb                -> ?
        CONFIG GET maxmemory                    -> ?
        CONFIG SET maxmemory 1x                 -> ?
        CONFIG SET maxmemory ""                 -> ?
        CONFIG SET maxmemory -1                 -> ?
        CONFIG SET maxmemory 0                  -> ?
        CONFIG SET maxmemory-policy bogus       -> ?
        CONFIG SET maxmemory-samples 0          -> ?
        CONFIG SET maxmemory-samples x          -> ?
        CONFIG SET lazyfree-lazy-expire maybe   -> ?
        CONFIG SET lazyfree-lazy-expire YES     -> ?
        CONFIG GET lazyfree-lazy-expire         -> ?
        CONFIG SET port 99999                   -> ?
        CONFIG SET daemonize yes                -> ?
        CONFIG SET databases 5                  -> ?
        CONFIG SET no-such 1                    -> ?
        CONFIG SET maxmemory                    -> ?
        CONFIG SET maxmemory 1 timeout          -> ?
        CONFIG SET timeout 5 timeout 6          -> ?
        CONFIG SET timeout 5 no-such 6          -> ?
        CONFIG SET timeout 5 maxmemory-samples 0 -> ?
        CONFIG GET timeout                      -> ?
        CONFIG SET timeout 5 maxmemory-samples 7 -> ?
        CONFIG GET timeout maxmemory-samples    -> ?
        CONFIG SET timeout 0                    -> ?
        CONFIG SET save "100 5 200 6"           -> ?
        CONFIG GET save                         -> ?
        CONFIG SET save "100"                   -> ?
        CONFIG SET save "-1 1"                  -> ?
        CONFIG SET save ""                      -> ?
        CONFIG GET save                         -> ?
        CONFIG SET client-output-buffer-limit "normal 1mb 512kb 10" -> ?
        CONFIG SET client-output-buffer-limit "slave 0 0 0 pubsub 1 2 3" -> ?
        CONFIG GET client-output-buffer-limit   -> ?
        CONFIG SET client-output-buffer-limit "bogus 1 2 3" -> ?
        CONFIG SET client-output-buffer-limit "normal 1 2" -> ?
        CONFIG SET notify-keyspace-events KEA   -> ?
        CONFIG GET notify-keyspace-events       -> ?
        CONFIG SET notify-keyspace-events "!"   -> ?
        CONFIG SET notify-keyspace-events ""    -> ?
        CONFIG SET hz 1000                      -> ?
        CONFIG GET hz                           -> ?
        CONFIG SET oom-score-adj-values "1 2"   -> ?
        CONFIG SET maxclients 999999999         ~> -ERR CONFIG SET failed (possibly related to argument 'maxclients') - *
        CONFIG SET loglevel verbose             -> ?
        CONFIG BOGUS                            -> ?
        CONFIG                                  -> ?
        CONFIG HELP                             ~> [CONFIG <subcommand> *]
        CONFIG RESETSTAT x                      -> ?
        CONFIG REWRITE                          -> ?
        HELLO 3                                 ~> {*}
        CONFIG GET maxmemory                    -> ?
    "#,
    );
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
fn command_and_its_subcommands() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        COMMAND BOGUS                           -> ?
        COMMAND HELP                            ~> [COMMAND <subcommand> *]
        COMMAND COUNT x                         -> ?
        COMMAND INFO get                        -> ?
        COMMAND INFO nosuch get                 ~> [*, ["get", 2, *]]
        COMMAND INFO mset                       -> ?
        COMMAND INFO config|get                 ~> [["config|get", -3, *]]
        COMMAND DOCS nosuch                     -> ?
        COMMAND DOCS get                        ~> ["get", ["summary", "*", "since", "1.0.0", "group", "string", "complexity", "O(1)", *]]
        COMMAND LIST FILTERBY PATTERN mse*      ~> [*]
        COMMAND LIST FILTERBY MODULE nosuch     -> ?
        COMMAND LIST FILTERBY ACLCAT nosuch     -> ?
        COMMAND LIST FILTERBY BOGUS x           -> ?
        COMMAND LIST FILTERBY                   -> ?
        COMMAND GETKEYS GET a                   -> ?
        COMMAND GETKEYS MSET a 1 b 2            -> ?
        COMMAND GETKEYS SET a b EX 10           -> ?
        COMMAND GETKEYS PING                    -> ?
        COMMAND GETKEYS GET                     -> ?
        COMMAND GETKEYS nosuch a                -> ?
        COMMAND GETKEYS                         -> ?
        COMMAND GETKEYSANDFLAGS GET a           -> ?
        COMMAND GETKEYSANDFLAGS SET a b         -> ?
        COMMAND GETKEYSANDFLAGS COPY a b        -> ?
        COMMAND GETKEYSANDFLAGS RENAME a b      -> ?
        COMMAND GETKEYSANDFLAGS DEL a b         -> ?
        HELLO 3                                 ~> {*}
        COMMAND DOCS get                        ~> {"get": {"summary": *}}
        COMMAND INFO get                        -> ?
    "#,
    );
    let mut conn = server.connect();
    let count = conn.run("COMMAND COUNT").int();
    assert_eq!(conn.run("COMMAND").items().len() as i64, count);
    assert_eq!(conn.run("COMMAND INFO").items().len() as i64, count);
    assert_eq!(conn.run("COMMAND DOCS").items().len() as i64, 2 * count);
    assert!(conn.run("COMMAND LIST").items().len() as i64 >= count);
    let matching = conn.run("COMMAND LIST FILTERBY PATTERN *getex*").sorted();
    assert_eq!(matching, ["getex"]);
    let matching = conn.run("COMMAND LIST FILTERBY ACLCAT transaction").sorted();
    assert_eq!(matching, ["discard", "exec", "multi", "unwatch", "watch"]);
}

/// What the commands of this server say of themselves is what the real one says.
#[test]
fn commands_describe_themselves_as_in_redis() {
    let (ours, theirs) = (Server::start(&[]), Server::redis(&[]));
    let (mut ours, mut theirs) = (ours.connect(), theirs.connect());
    const SINCE_7_2: [&str; 2] = ["client|setinfo", "client|no-touch"];
    for name in ours.run("COMMAND LIST").sorted() {
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
        for field in [2, 6] {
            assert_eq!(our[field].sorted(), their[field].sorted(), "{name}");
        }
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
        SLOWLOG GET                             -> ?
        SLOWLOG GET x                           -> ?
        SLOWLOG GET -2                          -> ?
        SLOWLOG GET 1 2                         -> ?
        SLOWLOG BOGUS                           -> ?
        SLOWLOG                                 -> ?
        SLOWLOG HELP                            ~> [SLOWLOG <subcommand> *]
    "#,
    );
}

#[test]
fn latency_is_watched() {
    let server = Server::start(&["--latency-monitor-threshold", "5", "--enable-debug-command", "local"]);
    server.session().check(
        r#"
        LATENCY LATEST                          -> ?
        LATENCY HISTORY command                 -> ?
        LATENCY RESET                           -> ?
        LATENCY DOCTOR                          ~> "*"
        LATENCY GRAPH command                   -> ?
        LATENCY HISTORY                         -> ?
        LATENCY BOGUS                           -> ?
        LATENCY                                 -> ?
        LATENCY HELP                            ~> [LATENCY <subcommand> *]
        DEBUG SLEEP 0.01                        -> ?
        LATENCY LATEST                          ~> [["command", *, *, *]]
        LATENCY HISTORY command                 ~> [[*, *]]
        LATENCY GRAPH command                   ~> "command - high * ms, low * ms (all time high * ms)*"
        LATENCY RESET nosuch                    -> ?
        LATENCY RESET command nosuch            -> ?
        LATENCY LATEST                          -> ?
        CONFIG RESETSTAT                        -> ?
        SET a 1                                 -> ?
        LATENCY HISTOGRAM set                   ~> ["set", ["calls", 1, "histogram_usec", [*, 1]]]
        LATENCY HISTOGRAM nosuch                -> ?
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
        MEMORY USAGE absent                     -> ?
        SET a 1                                 -> ?
        MEMORY USAGE a                          -> 16..100
        MEMORY USAGE a SAMPLES 0                -> 16..100
        MEMORY USAGE a SAMPLES -1               -> ?
        MEMORY USAGE a SAMPLES x                -> ?
        MEMORY USAGE a SAMPLES                  -> ?
        MEMORY USAGE a BOGUS 1                  -> ?
        MEMORY USAGE                            -> ?
        MEMORY STATS                            ~> ["peak.allocated", *, "total.allocated", *, "startup.allocated", *, "replication.backlog", 0, "clients.slaves", 0, "clients.normal", *, "keys.count", 1, *]
        MEMORY DOCTOR                           ~> "*"
        MEMORY PURGE                            -> ?
        MEMORY MALLOC-STATS                     ~> "*"
        MEMORY BOGUS                            -> ?
        MEMORY                                  -> ?
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
    assert!(((1 << 20)..(5 << 18)).contains(&usage), "{usage}");
}

#[test]
fn debug_for_those_who_may() {
    let forbidden = Server::start(&[]);
    forbidden.session().check(
        r#"
        DEBUG SLEEP 0                           -> ?
    "#,
    );
    let server = Server::start(&["--enable-debug-command", "local"]);
    server.session().check(
        r#"
        DEBUG SLEEP 0                           -> ?
        DEBUG SET-ACTIVE-EXPIRE 1               -> ?
        DEBUG STRINGMATCH-LEN 100 a*            -> ?
        DEBUG JMAP                              ~> -ERR *
        DEBUG POPULATE 1000                     -> ?
        DBSIZE                                  -> ?
        GET key:7                               -> ?
        DEBUG POPULATE 5 pre                    -> ?
        GET pre:4                               -> ?
        DEBUG POPULATE 1 big 1000               -> ?
        STRLEN big:0                            -> ?
        DEBUG OBJECT absent                     -> ?
        DEBUG OBJECT key:7                      ~> Value at:* refcount:1 encoding:embstr serializedlength:* lru:* lru_seconds_idle:*
        DEBUG CHANGE-REPL-ID                    -> ?
        DEBUG QUICKLIST-PACKED-THRESHOLD 100    -> ?
        DEBUG BOGUS                             ~> -ERR *
        DEBUG                                   -> ?
        DEBUG HELP                              ~> [DEBUG <subcommand> *]
    "#,
    );
}

#[test]
fn the_rest() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        ROLE                                    -> ?
        ROLE x                                  -> ?
        TIME x                                  -> ?
        LASTSAVE x                              -> ?
        LOLWUT                                  ~> "*Redis ver. *\n"
        LOLWUT VERSION 5                        ~> "*Redis ver. *\n"
        LOLWUT VERSION 6 10 10                  ~> "*Redis ver. *\n"
        LOLWUT VERSION x                        -> ?
        SHUTDOWN BOGUS                          -> ?
        SHUTDOWN SAVE NOSAVE                    -> ?
        SHUTDOWN ABORT                          -> ?
        SHUTDOWN ABORT NOW                      -> ?
        PING                                    -> ?
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
