//! Every directive: the one place where its name, type, default, limits and meaning are written down.
//!
//! A row reads `"name" | "alias" => field: Type = default, kind, [flags], support;` under its summary. Where none is
//! named, the directive works. From the rows come
//! [`Config`] with a plain field each, [`DirectiveId`], and [`TABLE`], which serves parsing, CONFIG and the
//! documentation. Names, limits and defaults are those of Redis 7.2.

use std::fmt;

use super::bits::{NotifyFlags, ShutdownOnSignal};
use super::checks;
use super::choices::*;
use super::directive::{DirectiveRow, Flags, directives};
use super::lists::*;
use super::scalar::MemoryOrPercent;
use super::support::{Support, *};
use super::value::{Notation, Setting, ValueKind};

/// A row of the table.
pub type Directive = DirectiveRow<Config, DirectiveId>;

const I32: i128 = i32::MAX as i128;
const U32: i128 = u32::MAX as i128;
const I64: i128 = i64::MAX as i128;
const U64: i128 = u64::MAX as i128;

const fn int(min: i128, max: i128) -> ValueKind {
    ValueKind::Integer { min, max, unit: Notation::Plain }
}

const fn memory(min: i128, max: i128) -> ValueKind {
    ValueKind::Integer { min, max, unit: Notation::Memory }
}

const YES_NO: ValueKind = ValueKind::Bool;
const PORT: ValueKind = int(0, 65535);
const TEXT: ValueKind = ValueKind::Text(checks::any);

directives! {
    section "Network" {
        /// Addresses to listen on. A leading `-` makes an address optional, `*` and `::*` stand for all; none at all
        /// leaves only the Unix socket.
        "bind" => bind: Vec<String> = vec!["*".into(), "-::*".into()], ValueKind::Words("ADDRESS ..."), [];
        /// The local address from which connections to a primary or another node are opened.
        "bind-source-addr" => bind_source_addr: Option<String> = None, TEXT, [];
        /// Refuses clients from other machines while the default user has no password and access is otherwise open.
        "protected-mode" => protected_mode: bool = true, YES_NO, [];
        /// TCP port for plain connections; 0 opens none.
        "port" => port: u16 = 6379, PORT, [];
        /// Connections the kernel may hold ready before they are accepted.
        "tcp-backlog" => tcp_backlog: u32 = 511, int(0, I32), [IMMUTABLE];
        /// Path of the Unix socket to listen on; empty opens none.
        "unixsocket" => unixsocket: Option<String> = None, TEXT, [IMMUTABLE];
        /// Permissions of the Unix socket; 0 leaves them to the umask.
        "unixsocketperm" => unixsocketperm: u32 = 0,
            ValueKind::Integer { min: 0, max: 0o777, unit: Notation::Octal }, [IMMUTABLE];
        /// The group of the Unix socket; without one it is the process's.
        "unixsocketgroup" => unixsocketgroup: Option<String> = None, TEXT, [IMMUTABLE];
        /// The part of a cloud that this server is in, as INFO tells clients that look for the nearest.
        "availability-zone" => availability_zone: String = String::new(), TEXT, [];
        /// Seconds after which a silent client is disconnected; 0 means never.
        "timeout" => timeout: u32 = 0, int(0, I32), [];
        /// Seconds between TCP keepalive probes on client connections; 0 sends none.
        "tcp-keepalive" => tcp_keepalive: u32 = 300, int(0, I32), [];
        /// Mark put on listening sockets for the operating system's packet filter; 0 sets none.
        "socket-mark-id" => socket_mark_id: u32 = 0, int(0, U32), [IMMUTABLE];
        /// Clients connected at the same time, replicas included; more are turned away.
        "maxclients" => maxclients: u32 = 10_000, int(1, U32), [];
    }

    section "TLS" {
        /// TCP port for TLS connections; 0 opens none.
        "tls-port" => tls_port: u16 = 0, PORT, [];
        /// The server's certificate, a PEM file.
        "tls-cert-file" => tls_cert_file: Option<String> = None, TEXT, [VOLATILE];
        /// The private key of the server's certificate, a PEM file.
        "tls-key-file" => tls_key_file: Option<String> = None, TEXT, [VOLATILE];
        /// Password of the private key, if it has one.
        "tls-key-file-pass" => tls_key_file_pass: Option<String> = None, TEXT, [SECRET];
        /// Certificate shown where we are the client (replication, cluster); without it the server's is shown.
        "tls-client-cert-file" => tls_client_cert_file: Option<String> = None, TEXT, [VOLATILE];
        /// The private key of the client certificate.
        "tls-client-key-file" => tls_client_key_file: Option<String> = None, TEXT, [VOLATILE];
        /// Password of the client certificate's key.
        "tls-client-key-file-pass" => tls_client_key_file_pass: Option<String> = None, TEXT, [SECRET];
        /// Diffie-Hellman parameters for old clients, a PEM file.
        "tls-dh-params-file" => tls_dh_params_file: Option<String> = None, TEXT, [VOLATILE], NO_DH;
        /// Authorities whose certificates are trusted, a PEM file.
        "tls-ca-cert-file" => tls_ca_cert_file: Option<String> = None, TEXT, [VOLATILE];
        /// Directory of certificates of trusted authorities.
        "tls-ca-cert-dir" => tls_ca_cert_dir: Option<String> = None, TEXT, [VOLATILE];
        /// Whether clients must show a trusted certificate, may show one, or are not asked.
        "tls-auth-clients" => tls_auth_clients: TlsAuthClients = TlsAuthClients::Yes,
            ValueKind::Choice(TlsAuthClients::NAMES), [];
        /// The user that a client is at once whose certificate is trusted: the one called as its common name, or as a URI of it.
        "tls-auth-clients-user" => tls_auth_clients_user: TlsAuthClientsUser = TlsAuthClientsUser::Off,
            ValueKind::Choice(TlsAuthClientsUser::NAMES), [];
        /// Speaks TLS to the primary.
        "tls-replication" => tls_replication: bool = false, YES_NO, [];
        /// Speaks TLS to servers that keys are moved to.
        "tls-cluster" => tls_cluster: bool = false, YES_NO, [];
        /// Protocol versions that may be negotiated, in one word with blanks between them; empty takes the library's.
        "tls-protocols" => tls_protocols: Option<String> = None, ValueKind::Text(checks::tls_protocols), [];
        /// Cipher list for TLS 1.2 and older; empty takes the library's.
        "tls-ciphers" => tls_ciphers: Option<String> = None, ValueKind::Text(checks::tls_ciphers), [];
        /// Cipher suites for TLS 1.3; empty takes the library's.
        "tls-ciphersuites" => tls_ciphersuites: Option<String> = None, ValueKind::Text(checks::tls_ciphersuites), [];
        /// Follows the server's order of ciphers instead of the client's.
        "tls-prefer-server-ciphers" => tls_prefer_server_ciphers: bool = false, YES_NO, [];
        /// Lets clients resume earlier TLS sessions.
        "tls-session-caching" => tls_session_caching: bool = true, YES_NO, [];
        /// TLS sessions kept for resumption; 0 means no limit.
        "tls-session-cache-size" => tls_session_cache_size: u32 = 20 * 1024, int(0, I32), [];
        /// Seconds for which a TLS session can be resumed.
        "tls-session-cache-timeout" => tls_session_cache_timeout: u32 = 300, int(0, I32), [];
        /// Seconds between looks at the files of certificates and keys, which are read again when they have changed; 0 never looks.
        "tls-auto-reload-interval" => tls_auto_reload_interval: u32 = 0, int(0, I32), [];
    }

    section "General" {
        /// Another file, read at this place; `*`, `?` and `[...]` make it a pattern that may match none. A relative
        /// path starts from the current directory.
        "include" => include: Vec<Vec<Vec<u8>>> = Vec::new(), ValueKind::Words("FILE"), [FILE_ONLY];
        /// A module to load and its arguments.
        "loadmodule" => loadmodule: Vec<Vec<Vec<u8>>> = Vec::new(),
            ValueKind::Words("FILE [ARGUMENT ...]"), [FILE_ONLY], NO_MODULES;
        /// Runs in the background, detached from the terminal.
        "daemonize" => daemonize: bool = false, YES_NO, [IMMUTABLE];
        /// The service manager to tell when the server is ready.
        "supervised" => supervised: Supervised = Supervised::No, ValueKind::Choice(Supervised::NAMES), [IMMUTABLE];
        /// File that holds the process id while the server runs; empty writes none.
        "pidfile" => pidfile: Option<String> = None, TEXT, [IMMUTABLE];
        /// The least important message that is logged.
        "loglevel" => loglevel: LogLevel = LogLevel::Notice, ValueKind::Choice(LogLevel::NAMES), [];
        /// How a line of the log is written: as Redis does, as `key=value` words, or as an object of JSON.
        "log-format" => log_format: LogFormat = LogFormat::Legacy, ValueKind::Choice(LogFormat::NAMES), [];
        /// How the log writes the time: `29 Nov 2026 22:05:01.123`, `2026-11-29T22:05:01.123+01:00`, or Unix milliseconds.
        "log-timestamp-format" => log_timestamp_format: LogTimestampFormat = LogTimestampFormat::Legacy,
            ValueKind::Choice(LogTimestampFormat::NAMES), [];
        /// Keeps keys, and errors that may quote arguments, out of the log.
        "hide-user-data-from-log" => hide_user_data_from_log: bool = false, YES_NO, [];
        /// File the log is appended to; empty means standard output. One that was renamed or removed is opened anew at the next line.
        "logfile" => logfile: String = String::new(), TEXT, [IMMUTABLE];
        /// Logs to syslog as well.
        "syslog-enabled" => syslog_enabled: bool = false, YES_NO, [IMMUTABLE];
        /// The name under which we log to syslog.
        "syslog-ident" => syslog_ident: String = "redis".into(), TEXT, [IMMUTABLE];
        /// The syslog facility.
        "syslog-facility" => syslog_facility: SyslogFacility = SyslogFacility::Local0,
            ValueKind::Choice(SyslogFacility::NAMES), [IMMUTABLE];
        /// Writes a report to the log before dying of a crash.
        "crash-log-enabled" => crash_log_enabled: bool = true, YES_NO, [];
        /// Tests memory as part of a crash report.
        "crash-memcheck-enabled" => crash_memcheck_enabled: bool = true, YES_NO, [], NO_MEMORY_TEST;
        /// Exits instead of aborting on an internal error, so that no core is dumped.
        "use-exit-on-panic" => use_exit_on_panic: bool = false, YES_NO, [HIDDEN];
        /// Number of databases that SELECT can choose from; 1 in cluster mode.
        "databases" => databases: u32 = 16, int(1, I32), [IMMUTABLE];
        /// Shows the banner even where standard output is not a terminal.
        "always-show-logo" => always_show_logo: bool = false, YES_NO, [IMMUTABLE];
        /// Changes the title that process listings show.
        "set-proc-title" => set_proc_title: bool = true, YES_NO, [IMMUTABLE];
        /// The title for process listings; knows `{title}`, `{listen-addr}`, `{server-mode}`, `{port}`, `{tls-port}`,
        /// `{unixsocket}` and `{config-file}`.
        "proc-title-template" => proc_title_template: String = "{title} {listen-addr} {server-mode}".into(),
            ValueKind::Text(checks::title_template), [];
        /// The locale whose collation Lua scripts and SORT ALPHA follow; empty takes the environment's.
        "locale-collate" => locale_collate: String = String::new(), TEXT, [], BYTES_COLLATE;
        /// Startup warnings to pass over, by their names.
        "ignore-warnings" => ignore_warnings: String = String::new(), TEXT, [], NO_SUCH_WARNING;
        /// How often a second the housekeeping runs; values outside 1 to 500 are moved to the nearer end.
        "hz" => hz: u32 = 10, int(0, I32), [];
        /// Runs housekeeping more often when many clients are connected.
        "dynamic-hz" => dynamic_hz: bool = true, YES_NO, [], STEADY_CRON;
        /// Milliseconds of unresponsiveness after which a debug report is logged; 0 disables it.
        "watchdog-period" => watchdog_period: u32 = 0, int(0, I32), [HIDDEN];
        /// Input and output threads.
        "io-threads" => io_threads: u32 = 1, int(1, 128), [DEBUG, IMMUTABLE], ONE_THREAD;
        /// Lets those threads read too.
        "io-threads-do-reads" => io_threads_do_reads: bool = false, YES_NO, [DEBUG, IMMUTABLE], ONE_THREAD;
        /// Processors the main thread may run on, such as `0-3,8:2`.
        "server_cpulist" | "server-cpulist" => server_cpulist: Option<String> = None, TEXT, [IMMUTABLE, HIDDEN_ALIAS];
        /// Processors for the thread that does blocking disk work.
        "bio_cpulist" | "bio-cpulist" => bio_cpulist: Option<String> = None, TEXT, [IMMUTABLE, HIDDEN_ALIAS];
        /// Processors for rewriting the append-only file.
        "aof_rewrite_cpulist" | "aof-rewrite-cpulist" => aof_rewrite_cpulist: Option<String> = None, TEXT, [IMMUTABLE, HIDDEN_ALIAS], NO_FORK;
        /// Processors for background saving.
        "bgsave_cpulist" | "bgsave-cpulist" => bgsave_cpulist: Option<String> = None, TEXT, [IMMUTABLE, HIDDEN_ALIAS], NO_FORK;
        /// Tells the kernel which process to sacrifice first when memory runs out.
        "oom-score-adj" => oom_score_adj: OomScoreAdj = OomScoreAdj::No, ValueKind::Choice(OomScoreAdj::NAMES), [];
        /// The scores of a primary, a replica and a background process, each -2000 to 2000.
        "oom-score-adj-values" => oom_score_adj_values: [i32; 3] = [0, 200, 800],
            ValueKind::Words("PRIMARY REPLICA BACKGROUND"), [];
        /// Turns transparent huge pages off for this process.
        "disable-thp" => disable_thp: bool = true, YES_NO, [IMMUTABLE];
    }

    section "Snapshots" {
        /// Saves after SECONDS when at least CHANGES keys have changed; several pairs or lines add up, `""` means
        /// never. The first line replaces the default.
        "save" => save: Vec<SavePoint> = vec![
            SavePoint { seconds: 3600, changes: 1 },
            SavePoint { seconds: 300, changes: 100 },
            SavePoint { seconds: 60, changes: 10_000 },
        ], ValueKind::Words("SECONDS CHANGES ..."), [];
        /// Refuses writes while snapshots are configured and the last one failed.
        "stop-writes-on-bgsave-error" => stop_writes_on_bgsave_error: bool = true, YES_NO, [];
        /// Compresses strings in RDB files.
        "rdbcompression" => rdbcompression: bool = true, YES_NO, [];
        /// Writes a checksum at the end of RDB files and verifies it when loading.
        "rdbchecksum" => rdbchecksum: bool = true, YES_NO, [IMMUTABLE];
        /// The highest version of the RDB format in which files, snapshots for replicas and DUMP's payloads are written, for servers that know no later one: 10 for
        /// Redis 7.0, 11 for 7.2. What it cannot hold is left out: below 12 the deadlines of hashes' fields, below 11 the times at which consumers of
        /// streams were last active. 0 means no limit.
        "rdb-version-max" => rdb_version_max: RdbVersionMax = RdbVersionMax::NoLimit,
            ValueKind::Choice(RdbVersionMax::NAMES), [];
        /// Whose serialized values are checked in depth: nobody's, everybody's, or those that clients RESTORE.
        "sanitize-dump-payload" => sanitize_dump_payload: SanitizeDumpPayload = SanitizeDumpPayload::No,
            ValueKind::Choice(SanitizeDumpPayload::NAMES), [DEBUG], ALWAYS_CHECKED;
        /// The RDB file, in `dir`.
        "dbfilename" | "filename" => dbfilename: String = "dump.rdb".into(),
            ValueKind::Text(checks::db_filename), [PROTECTED, HIDDEN_ALIAS];
        /// Removes the RDB files of a synchronisation where persistence is off.
        "rdb-del-sync-files" => rdb_del_sync_files: bool = false, YES_NO, [], NO_SYNC_FILE;
        /// Forces a snapshot to disk piece by piece instead of all at its end.
        "rdb-save-incremental-fsync" => rdb_save_incremental_fsync: bool = true, YES_NO, [];
        /// Microseconds to wait after each key that is saved; negative: one microsecond after so many keys. For tests.
        "rdb-key-save-delay" => rdb_key_save_delay: i32 = 0, int(i32::MIN as i128, I32), [HIDDEN];
        /// The same for each key that is loaded. For tests.
        "key-load-delay" => key_load_delay: i32 = 0, int(i32::MIN as i128, I32), [HIDDEN];
        /// Bytes loaded between two looks at the network.
        "loading-process-events-interval-bytes" => loading_process_events_interval_bytes: u64 = 2 << 20,
            int(1024, I32), [HIDDEN], LOADS_IN_SLICES;
        /// The working directory: RDB, AOF and relative paths live here.
        "dir" => dir: String = ".".into(), ValueKind::Text(checks::directory), [PROTECTED, DENY_LOADING, VOLATILE];
    }

    section "Append-only file" {
        /// Logs every write to the append-only file and loads the dataset from it.
        "appendonly" => appendonly: bool = false, YES_NO, [DENY_LOADING];
        /// First part of the names of the append-only files.
        "appendfilename" => appendfilename: String = "appendonly.aof".into(),
            ValueKind::Text(checks::append_filename), [IMMUTABLE];
        /// Directory of the append-only files, in `dir`.
        "appenddirname" => appenddirname: String = "appendonlydir".into(),
            ValueKind::Text(checks::append_dirname), [IMMUTABLE];
        /// When what was appended is forced to disk: before each reply, every second, or when the system likes.
        "appendfsync" => appendfsync: AppendFsync = AppendFsync::EverySecond,
            ValueKind::Choice(AppendFsync::NAMES), [];
        /// Leaves forcing to the system while a snapshot or a rewrite is being written.
        "no-appendfsync-on-rewrite" => no_appendfsync_on_rewrite: bool = false, YES_NO, [];
        /// Growth since the last rewrite, in percent, that starts the next one; 0 means never.
        "auto-aof-rewrite-percentage" => auto_aof_rewrite_percentage: u32 = 100, int(0, I32), [];
        /// Bytes below which the file is not rewritten by itself.
        "auto-aof-rewrite-min-size" => auto_aof_rewrite_min_size: u64 = 64 << 20, memory(0, I64), [];
        /// Loads a file that ends in the middle of a command, up to there; otherwise refuses to start.
        "aof-load-truncated" => aof_load_truncated: bool = true, YES_NO, [];
        /// Bytes at the end of the last file that may be no commands: as much is cut off. 0: they stop the start.
        "aof-load-corrupt-tail-max-size" => aof_load_corrupt_tail_max_size: u64 = 0, memory(0, I64), [];
        /// Begins a rewritten file with a snapshot in RDB format instead of commands.
        "aof-use-rdb-preamble" => aof_use_rdb_preamble: bool = true, YES_NO, [];
        /// Notes the time in the append-only file, so that it can be cut at a moment.
        "aof-timestamp-enabled" => aof_timestamp_enabled: bool = false, YES_NO, [];
        /// Forces a rewrite to disk piece by piece instead of all at its end.
        "aof-rewrite-incremental-fsync" => aof_rewrite_incremental_fsync: bool = true, YES_NO, [];
        /// Keeps files that a rewrite has replaced. For tests.
        "aof-disable-auto-gc" => aof_disable_auto_gc: bool = false, YES_NO, [HIDDEN];
    }

    section "Replication" {
        /// The primary to replicate; `no one` for none. REPLICAOF changes it at run time.
        "replicaof" | "slaveof" => replicaof: Option<Endpoint> = None, ValueKind::Words("HOST PORT"), [IMMUTABLE];
        /// The password the primary asks for.
        "masterauth" | "primaryauth" => masterauth: Option<Vec<u8>> = None, TEXT, [SECRET, HIDDEN_ALIAS];
        /// The user to authenticate as; empty means the primary's default user.
        "masteruser" | "primaryuser" => masteruser: Option<String> = None, TEXT, [SECRET, HIDDEN_ALIAS];
        /// Answers from the data at hand while the link to the primary is down or the first synchronisation runs.
        "replica-serve-stale-data" | "slave-serve-stale-data" => replica_serve_stale_data: bool = true,
            YES_NO, [];
        /// Refuses writes from clients on a replica.
        "replica-read-only" | "slave-read-only" => replica_read_only: bool = true, YES_NO, [DEBUG];
        /// Sends a new replica its snapshot through the socket, not through a file.
        "repl-diskless-sync" => repl_diskless_sync: bool = true, YES_NO, [DEBUG], OWN_SNAPSHOT;
        /// Seconds to wait for more replicas to share a snapshot.
        "repl-diskless-sync-delay" => repl_diskless_sync_delay: u32 = 5, int(0, I32), [], OWN_SNAPSHOT;
        /// Replicas that end that wait early.
        "repl-diskless-sync-max-replicas" => repl_diskless_sync_max_replicas: u32 = 0, int(0, I32), [], OWN_SNAPSHOT;
        /// How a replica with data takes a snapshot in: from a file once it is whole (`disabled`, `on-empty-db`), or at once, beside its data (`swapdb`).
        "repl-diskless-load" => repl_diskless_load: ReplDisklessLoad = ReplDisklessLoad::Disabled,
            ValueKind::Choice(ReplDisklessLoad::NAMES), [DEBUG, DENY_LOADING];
        /// Seconds between pings to replicas.
        "repl-ping-replica-period" | "repl-ping-slave-period" => repl_ping_replica_period: u32 = 10,
            int(1, I32), [];
        /// Seconds of silence after which a replication link counts as lost.
        "repl-timeout" => repl_timeout: u32 = 60, int(1, I32), [];
        /// Lets the kernel gather small packets to replicas: less traffic, more delay.
        "repl-disable-tcp-nodelay" => repl_disable_tcp_nodelay: bool = false, YES_NO, [], ONE_WRITE_A_TURN;
        /// Bytes of the write stream kept for replicas that come back.
        "repl-backlog-size" => repl_backlog_size: u64 = 1 << 20, memory(1, I64), [];
        /// Seconds after the last replica left until the backlog is given up; 0 means never.
        "repl-backlog-ttl" => repl_backlog_ttl: u64 = 3600, int(0, I64), [];
        /// Sentinel promotes the replica with the lowest value; 0 is never promoted.
        "replica-priority" | "slave-priority" => replica_priority: u32 = 100, int(0, I32), [];
        /// Whether Sentinel is told of this replica.
        "replica-announced" => replica_announced: bool = true, YES_NO, [];
        /// The address told to the primary; empty means the one it sees.
        "replica-announce-ip" | "slave-announce-ip" => replica_announce_ip: Option<String> = None, TEXT, [];
        /// The port told to the primary; 0 means the one we listen on.
        "replica-announce-port" | "slave-announce-port" => replica_announce_port: u16 = 0, PORT, [];
        /// Goes on applying the primary's writes when they cannot be logged to disk, instead of exiting.
        "replica-ignore-disk-write-errors" => replica_ignore_disk_write_errors: bool = false, YES_NO, [];
        /// What to do when a command from the primary or the append-only file fails.
        "propagation-error-behavior"
            => propagation_error_behavior: PropagationErrorBehavior = PropagationErrorBehavior::Ignore,
            ValueKind::Choice(PropagationErrorBehavior::NAMES), [];
        /// Refuses writes while fewer replicas than this keep up; 0 never refuses.
        "min-replicas-to-write" | "min-slaves-to-write" => min_replicas_to_write: u32 = 0, int(0, I32), [];
        /// Seconds since its last acknowledgement within which a replica counts as keeping up.
        "min-replicas-max-lag" | "min-slaves-max-lag" => min_replicas_max_lag: u32 = 10, int(0, I32), [];
        /// Frees the old dataset a little at a time when a full synchronisation replaces it.
        "replica-lazy-flush" | "slave-lazy-flush" => replica_lazy_flush: bool = false, YES_NO, [], ALWAYS_LAZY;
        /// Leaves eviction to the primary.
        "replica-ignore-maxmemory" | "slave-ignore-maxmemory" => replica_ignore_maxmemory: bool = true,
            YES_NO, [];
    }

    section "Security" {
        /// An ACL user: its name and rules as in ACL SETUSER.
        "user" => users: Vec<Vec<Vec<u8>>> = Vec::new(), ValueKind::Words("NAME [RULE ...]"), [FILE_ONLY];
        /// The file ACL users are kept in; excludes `user` lines.
        "aclfile" => aclfile: String = String::new(), TEXT, [IMMUTABLE];
        /// The password of the default user; empty means none.
        "requirepass" => requirepass: Option<Vec<u8>> = None, TEXT, [SECRET];
        /// The channels a new user may use: all or none.
        "acl-pubsub-default" => acl_pubsub_default: AclPubsubDefault = AclPubsubDefault::ResetChannels,
            ValueKind::Choice(AclPubsubDefault::NAMES), [];
        /// Refused commands and failed logins that ACL LOG remembers.
        "acllog-max-len" => acllog_max_len: usize = 128, int(0, I64), [];
        /// Gives a command another name, or none: `""`.
        "rename-command" => rename_command: Vec<RenamedCommand> = Vec::new(),
            ValueKind::Words("COMMAND NAME"), [FILE_ONLY];
        /// From where protected directives may be set at run time.
        "enable-protected-configs" => enable_protected_configs: ProtectedAction = ProtectedAction::No,
            ValueKind::Choice(ProtectedAction::NAMES), [IMMUTABLE];
        /// From where DEBUG may be used.
        "enable-debug-command" => enable_debug_command: ProtectedAction = ProtectedAction::No,
            ValueKind::Choice(ProtectedAction::NAMES), [IMMUTABLE];
        /// From where MODULE may be used.
        "enable-module-command" => enable_module_command: ProtectedAction = ProtectedAction::No,
            ValueKind::Choice(ProtectedAction::NAMES), [IMMUTABLE];
    }

    section "Memory" {
        /// Bytes of data beyond which keys are evicted or writes refused; 0 means no limit.
        "maxmemory" => maxmemory: u64 = 0, memory(0, U64), [];
        /// Which keys are evicted: among those with an expiry or among all; the least recently or least frequently
        /// used, the least recently modified (`lrm`), any, or those that expire soonest. `noeviction` refuses writes instead.
        "maxmemory-policy" => maxmemory_policy: MaxmemoryPolicy = MaxmemoryPolicy::NoEviction,
            ValueKind::Choice(MaxmemoryPolicy::NAMES), [];
        /// Keys looked at to choose one to evict: more is nearer to the truth and slower.
        "maxmemory-samples" => maxmemory_samples: u32 = 5, int(1, I32), [];
        /// How long commands may wait for eviction to catch up, 0 (hardly) to 100 (as long as it takes).
        "maxmemory-eviction-tenacity" => maxmemory_eviction_tenacity: u32 = 10, int(0, 100), [];
        /// Memory for all client connections together, beyond which the largest are closed; 0 means no limit.
        "maxmemory-clients" => maxmemory_clients: MemoryOrPercent = MemoryOrPercent::Bytes(0),
            ValueKind::Integer { min: -100, max: I64, unit: Notation::MemoryOrPercent }, [];
        /// The counter of uses behind the LFU policies: the larger, the more uses until it is full.
        "lfu-log-factor" => lfu_log_factor: u32 = 10, int(0, I32), [];
        /// Minutes after which that counter is lowered by one; 0 means never.
        "lfu-decay-time" => lfu_decay_time: u32 = 1, int(0, I32), [];
        /// Share of time spent on removing expired keys, 1 to 10.
        "active-expire-effort" => active_expire_effort: u32 = 1, int(1, 10), [], EXACT_EXPIRY;
        /// Frees evicted values a little at a time.
        "lazyfree-lazy-eviction" => lazyfree_lazy_eviction: bool = false, YES_NO, [DEBUG];
        /// Frees expired values a little at a time.
        "lazyfree-lazy-expire" => lazyfree_lazy_expire: bool = false, YES_NO, [DEBUG];
        /// Frees values that a command replaces a little at a time.
        "lazyfree-lazy-server-del" => lazyfree_lazy_server_del: bool = false, YES_NO, [DEBUG];
        /// Makes DEL free like UNLINK.
        "lazyfree-lazy-user-del" => lazyfree_lazy_user_del: bool = false, YES_NO, [DEBUG], ALWAYS_LAZY;
        /// Makes FLUSHALL, FLUSHDB and SCRIPT FLUSH free in the background unless they say SYNC.
        "lazyfree-lazy-user-flush" => lazyfree_lazy_user_flush: bool = false, YES_NO, [DEBUG], ALWAYS_LAZY;
        /// Rehashes tables while idle.
        "activerehashing" => activerehashing: bool = true, YES_NO, [], NO_REHASHING;
        /// Moves values to close gaps in memory, a little at a time; keys to evict go by where they lie where there are gaps.
        "activedefrag" => activedefrag: bool = true, YES_NO, [DEBUG];
        /// Bytes of gaps below which defragmentation rests.
        "active-defrag-ignore-bytes" => active_defrag_ignore_bytes: u64 = 8 << 20, memory(1, I64), [];
        /// Percentage of gaps at which defragmentation begins.
        "active-defrag-threshold-lower" => active_defrag_threshold_lower: u32 = 10, int(0, 1000), [];
        /// Percentage of gaps at which it works hardest.
        "active-defrag-threshold-upper" => active_defrag_threshold_upper: u32 = 100, int(0, 1000), [];
        /// Percentage of processor time it takes at the lower threshold.
        "active-defrag-cycle-min" => active_defrag_cycle_min: u32 = 1, int(1, 99), [];
        /// Percentage of processor time it takes at the upper threshold.
        "active-defrag-cycle-max" => active_defrag_cycle_max: u32 = 25, int(1, 99), [];
        /// Elements of a collection that are looked at in a row, at most: of each, as of the keys, no more than there is time for.
        "active-defrag-max-scan-fields" => active_defrag_max_scan_fields: u64 = 1000, int(1, I64), [];
        /// Lets jemalloc return memory from a thread of its own.
        "jemalloc-bg-thread" => jemalloc_bg_thread: bool = true, YES_NO, [];
    }

    section "Clients" {
        /// Bytes of output that may wait for a client of the class `normal`, `replica` or `pubsub`: beyond HARD it is
        /// disconnected at once, beyond SOFT after SECONDS; 0 means no limit.
        "client-output-buffer-limit" => client_output_buffer_limit: [OutputLimit; 3] = [
            OutputLimit::new(0, 0, 0),
            OutputLimit::new(256 << 20, 64 << 20, 60),
            OutputLimit::new(32 << 20, 8 << 20, 60),
        ], ValueKind::Words("CLASS HARD SOFT SECONDS ..."), [];
        /// Bytes of unfinished requests a client may pile up.
        "client-query-buffer-limit" => client_query_buffer_limit: usize = 1 << 30,
            memory(1 << 20, I64), [DEBUG];
        /// Bytes of the largest single argument a request may have.
        "proto-max-bulk-len" => proto_max_bulk_len: usize = 512 << 20, memory(1 << 20, I64), [DEBUG];
        /// Keys remembered for client-side caching; 0 means no limit.
        "tracking-table-max-keys" => tracking_table_max_keys: usize = 1_000_000, int(0, I64), [];
        /// Which keyspace events are published: `K` and `E` choose the channels, letters the classes, `A` most of
        /// them; empty publishes none.
        "notify-keyspace-events" => notify_keyspace_events: NotifyFlags = NotifyFlags(0),
            ValueKind::Word("LETTERS of Ag$lshzxeKEtmdn"), [];
    }

    section "Shutdown and scripts" {
        /// Seconds for which a shutdown waits for lagging replicas.
        "shutdown-timeout" => shutdown_timeout: u32 = 10, int(0, I32), [];
        /// How SIGINT shuts down.
        "shutdown-on-sigint" => shutdown_on_sigint: ShutdownOnSignal = ShutdownOnSignal::default(),
            ValueKind::Flags(ShutdownOnSignal::NAMES), [];
        /// How SIGTERM shuts down.
        "shutdown-on-sigterm" => shutdown_on_sigterm: ShutdownOnSignal = ShutdownOnSignal::default(),
            ValueKind::Flags(ShutdownOnSignal::NAMES), [];
        /// Milliseconds a script or function runs before other clients are answered with BUSY; 0 means never.
        "busy-reply-threshold" | "lua-time-limit" => busy_reply_threshold: u64 = 5000, int(0, I64), [];
        /// Bytes that scripts and functions may hold while they run: one that wants more ends with an error. 0 means any number.
        "lua-memory-limit" => lua_memory_limit: u64 = 1024 * 1024 * 1024, memory(0, U64), [];
    }

    section "Cluster" {
        /// Runs as a node of a cluster.
        "cluster-enabled" => cluster_enabled: bool = false, YES_NO, [IMMUTABLE], NO_NODE;
        /// The file in which a node keeps what it knows of the cluster.
        "cluster-config-file" => cluster_config_file: String = "nodes.conf".into(), TEXT, [IMMUTABLE], NO_CLUSTER;
        /// Milliseconds of silence after which a node counts as failing.
        "cluster-node-timeout" => cluster_node_timeout: u64 = 15_000, int(0, I64), [], NO_CLUSTER;
        /// Milliseconds between pings on the cluster bus; 0 follows the node timeout.
        "cluster-ping-interval" => cluster_ping_interval: u64 = 0, int(0, I64), [HIDDEN], NO_CLUSTER;
        /// Port of the cluster bus; 0 means the client port plus 10000.
        "cluster-port" => cluster_port: u16 = 0, PORT, [IMMUTABLE], NO_CLUSTER;
        /// How many node timeouts old a replica's data may be for it to stand for election; 0 means any age.
        "cluster-replica-validity-factor" | "cluster-slave-validity-factor"
            => cluster_replica_validity_factor: u32 = 10,
            int(0, I32), [], NO_CLUSTER;
        /// Replicas a primary keeps before one may move to another primary that has none.
        "cluster-migration-barrier" => cluster_migration_barrier: u32 = 1, int(0, I32), [], NO_CLUSTER;
        /// Lets replicas move to primaries that have none.
        "cluster-allow-replica-migration" => cluster_allow_replica_migration: bool = true, YES_NO, [], NO_CLUSTER;
        /// Stops serving when any slot has no node.
        "cluster-require-full-coverage" => cluster_require_full_coverage: bool = true, YES_NO, [], NO_CLUSTER;
        /// Keeps this replica from standing for election by itself.
        "cluster-replica-no-failover" | "cluster-slave-no-failover"
            => cluster_replica_no_failover: bool = false,
            YES_NO, [], NO_CLUSTER;
        /// Serves reads while the cluster is down.
        "cluster-allow-reads-when-down" => cluster_allow_reads_when_down: bool = false, YES_NO, [], NO_CLUSTER;
        /// Serves sharded pub/sub while the cluster is down.
        "cluster-allow-pubsubshard-when-down" => cluster_allow_pubsubshard_when_down: bool = true, YES_NO, [], NO_CLUSTER;
        /// Bytes that may wait on a link of the cluster bus; 0 means no limit.
        "cluster-link-sendbuf-limit" => cluster_link_sendbuf_limit: u64 = 0, memory(0, U64), [], NO_CLUSTER;
        /// The address told to other nodes; empty means the one they see.
        "cluster-announce-ip" => cluster_announce_ip: Option<String> = None, TEXT, [], NO_CLUSTER;
        /// The host name told to other nodes and clients.
        "cluster-announce-hostname" => cluster_announce_hostname: Option<String> = None,
            ValueKind::Text(checks::hostname), [], NO_CLUSTER;
        /// A name for people, shown in logs.
        "cluster-announce-human-nodename" => cluster_announce_human_nodename: Option<String> = None,
            ValueKind::Text(checks::node_name), [], NO_CLUSTER;
        /// The client port told to other nodes; 0 means the one we listen on.
        "cluster-announce-port" => cluster_announce_port: u16 = 0, PORT, [], NO_CLUSTER;
        /// The TLS port told to other nodes; 0 means the one we listen on.
        "cluster-announce-tls-port" => cluster_announce_tls_port: u16 = 0, PORT, [], NO_CLUSTER;
        /// The bus port told to other nodes; 0 means the one we listen on.
        "cluster-announce-bus-port" => cluster_announce_bus_port: u16 = 0, PORT, [], NO_CLUSTER;
        /// What redirections send clients to: the address, the host name, or the place they already know.
        "cluster-preferred-endpoint-type"
            => cluster_preferred_endpoint_type: ClusterEndpointType = ClusterEndpointType::Ip,
            ValueKind::Choice(ClusterEndpointType::NAMES), [], NO_CLUSTER;
    }

    section "Slow log and latency" {
        /// Microseconds above which a command enters the slow log; 0 takes all, -1 none.
        "slowlog-log-slower-than" | "commandlog-execution-slower-than" => slowlog_log_slower_than: i64 = 10_000, int(-1, I64), [HIDDEN_ALIAS];
        /// Commands the slow log remembers.
        "slowlog-max-len" | "commandlog-slow-execution-max-len" => slowlog_max_len: usize = 128, int(0, I64), [HIDDEN_ALIAS];
        /// Arguments of a command that the slow log keeps; the last of more says how many.
        "slowlog-entry-max-argc" => slowlog_entry_max_argc: usize = 32, int(2, I32), [];
        /// Bytes of each argument that the slow log keeps.
        "slowlog-entry-max-string-len" => slowlog_entry_max_string_len: usize = 128, int(1, I32), [];
        /// Milliseconds above which LATENCY records an event; 0 records none.
        "latency-monitor-threshold" => latency_monitor_threshold: u64 = 0, int(0, I64), [];
        /// Keeps a histogram of the latency of each command.
        "latency-tracking" => latency_tracking: bool = true, YES_NO, [];
        /// The percentiles INFO shows of those histograms, each 0 to 100; `""` shows none.
        "latency-tracking-info-percentiles"
            => latency_tracking_info_percentiles: Vec<f64> = vec![50.0, 99.0, 99.9],
            ValueKind::Words("PERCENTILE ..."), [];
    }

    section "Encodings" {
        /// Fields up to which a hash is kept as a listpack.
        "hash-max-listpack-entries" | "hash-max-ziplist-entries" => hash_max_listpack_entries: usize = 512,
            int(0, I64), [];
        /// Bytes of the longest field or value in such a hash.
        "hash-max-listpack-value" | "hash-max-ziplist-value" => hash_max_listpack_value: usize = 64,
            memory(0, I64), [];
        /// Size of a list's nodes: positive in elements, or -1 to -5 for 4, 8, 16, 32 or 64 KiB.
        "list-max-listpack-size" | "list-max-ziplist-size" => list_max_listpack_size: i32 = -2,
            int(i32::MIN as i128, I32), [];
        /// Nodes at each end of a list that stay uncompressed; 0 compresses none.
        "list-compress-depth" => list_compress_depth: u32 = 0, int(0, I32), [DEBUG];
        /// Members up to which a set of integers is kept as an intset.
        "set-max-intset-entries" => set_max_intset_entries: usize = 512, int(0, I64), [];
        /// Members up to which any other set is kept as a listpack.
        "set-max-listpack-entries" => set_max_listpack_entries: usize = 128, int(0, I64), [];
        /// Bytes of the longest member in such a set.
        "set-max-listpack-value" => set_max_listpack_value: usize = 64, int(0, I64), [];
        /// Members up to which a sorted set is kept as a listpack.
        "zset-max-listpack-entries" | "zset-max-ziplist-entries" => zset_max_listpack_entries: usize = 128,
            int(0, I64), [];
        /// Bytes of the longest member in such a sorted set.
        "zset-max-listpack-value" | "zset-max-ziplist-value" => zset_max_listpack_value: usize = 64,
            memory(0, I64), [];
        /// Bytes up to which a HyperLogLog stays sparse.
        "hll-sparse-max-bytes" => hll_sparse_max_bytes: usize = 3000, memory(0, I64), [];
        /// Bytes of a stream's node; 0 means no limit.
        "stream-node-max-bytes" => stream_node_max_bytes: usize = 4096, memory(0, I64), [];
        /// Entries of a stream's node; 0 means no limit.
        "stream-node-max-entries" => stream_node_max_entries: u64 = 100, int(0, I64), [];
    }

    // What Redis 8 and Valkey 9 have added and has no meaning here: configurations that were written for them are read, and say so.
    section "Of later servers" {
        /// A certificate of a server that we connect to must have one of these names.
        "tls-expected-peer-name" => tls_expected_peer_name: Option<String> = None, TEXT, [], NO_PEER_NAMES;
        /// A file that is loaded at the start instead of the server's own.
        "preload-file" => preload_file: Option<String> = None, TEXT, [IMMUTABLE], NO_PRELOAD;
        /// Neither expires nor evicts keys while they are imported.
        "import-mode" => import_mode: bool = false, YES_NO, [], NO_IMPORT_MODE;
        /// Port for RDMA connections; 0 opens none.
        "rdma-port" => rdma_port: u16 = 0, PORT, [IMMUTABLE], NO_RDMA_LISTENER;
        /// Addresses for RDMA connections.
        "rdma-bind" => rdma_bind: Option<String> = None, TEXT, [], NO_RDMA;
        /// Bytes of the buffer of an RDMA connection.
        "rdma-rx-size" => rdma_rx_size: u32 = 1 << 20, int(64 * 1024, 16 << 20), [IMMUTABLE], NO_RDMA;
        /// The processor's queue for RDMA events; -1 takes any.
        "rdma-completion-vector" => rdma_completion_vector: i32 = -1, int(-1, 1024), [IMMUTABLE], NO_RDMA;
        /// Listens for multipath TCP.
        "mptcp" => mptcp: bool = false, YES_NO, [IMMUTABLE], NO_MPTCP;
        /// Connects to the primary by multipath TCP.
        "repl-mptcp" => repl_mptcp: bool = false, YES_NO, [], NO_MPTCP;
        /// Connections accepted in a turn.
        "max-new-connections-per-cycle" => max_new_connections_per_cycle: u32 = 10, int(1, 1000), [], TIMED_ACCEPT;
        /// TLS connections accepted in a turn.
        "max-new-tls-connections-per-cycle" => max_new_tls_connections_per_cycle: u32 = 1, int(1, 1000), [], TIMED_ACCEPT;
        /// Keeps threads awake.
        "io-threads-always-active" => io_threads_always_active: bool = false, YES_NO, [HIDDEN], ONE_THREAD;
        /// Events for which a thread is worth its while.
        "events-per-io-thread" => events_per_io_thread: u32 = 2, int(0, I32), [HIDDEN], ONE_THREAD;
        /// Threads from which on replies are sent without being copied.
        "min-io-threads-avoid-copy-reply" => min_io_threads_avoid_copy_reply: u32 = 7, int(0, I32), [HIDDEN], SHARED_REPLIES;
        /// Bytes from which on a reply is sent without being copied.
        "min-string-size-avoid-copy-reply" => min_string_size_avoid_copy_reply: u32 = 16 << 10, int(0, I32), [HIDDEN], SHARED_REPLIES;
        /// The same with threads.
        "min-string-size-avoid-copy-reply-threaded"
            => min_string_size_avoid_copy_reply_threaded: u32 = 64 << 10, int(0, I32), [HIDDEN], SHARED_REPLIES;
        /// Commands of a pipeline whose keys are fetched ahead.
        "prefetch-batch-max-size" => prefetch_batch_max_size: u32 = 16, int(0, 128), [], OWN_LOOK_AHEAD;
        /// Commands of a pipeline that are parsed ahead.
        "lookahead" => lookahead: u32 = 16, int(1, I32), [], OWN_LOOK_AHEAD;
        /// The seed of hash tables.
        "hash-seed" => hash_seed: Option<String> = None, TEXT, [IMMUTABLE], SECRET_SEED;
        /// Microseconds of defragmentation at a time.
        "active-defrag-cycle-us" => active_defrag_cycle_us: u32 = 500, int(0, 100_000), [], OWN_SLICES;
        /// Keeps histograms of the memory that keys take.
        "key-memory-histograms" => key_memory_histograms: bool = false, YES_NO, [IMMUTABLE], NO_HISTOGRAMS;
        /// Whether RDB files of later versions are tried.
        "rdb-version-check" => rdb_version_check: RdbVersionCheck = RdbVersionCheck::Strict,
            ValueKind::Choice(RdbVersionCheck::NAMES), [], STRICT_VERSIONS;
        /// Bytes of changes that a replica gathers while it loads a snapshot.
        "replica-full-sync-buffer-limit" => replica_full_sync_buffer_limit: u64 = 0, memory(0, I64), [], OWN_SNAPSHOT;
        /// A connection of its own for the snapshot.
        "repl-rdb-channel" => repl_rdb_channel: bool = true, YES_NO, [HIDDEN], OWN_SNAPSHOT;
        /// The same by Valkey's name.
        "dual-channel-replication-enabled" => dual_channel_replication_enabled: bool = false, YES_NO, [], OWN_SNAPSHOT;
        /// Says Redis where Valkey says its own name.
        "extended-redis-compatibility" => extended_redis_compatibility: bool = false, YES_NO, [], ALWAYS_REDIS;
        /// Lets scripts use what Lua has deprecated.
        "lua-enable-deprecated-api" => lua_enable_deprecated_api: bool = false, YES_NO, [IMMUTABLE, HIDDEN], NO_OLD_LUA;
        /// Lets scripts use what is not safe.
        "lua-enable-insecure-api" => lua_enable_insecure_api: bool = false, YES_NO, [HIDDEN], NO_OLD_LUA;
        /// Bytes of a request from which on it is remembered.
        "commandlog-request-larger-than" => commandlog_request_larger_than: i64 = 1 << 20, int(-1, I64), [], SLOW_ONLY;
        /// Large requests that are remembered.
        "commandlog-large-request-max-len" => commandlog_large_request_max_len: usize = 128, int(0, I64), [], SLOW_ONLY;
        /// Bytes of a reply from which on its command is remembered.
        "commandlog-reply-larger-than" => commandlog_reply_larger_than: i64 = 1 << 20, int(-1, I64), [], SLOW_ONLY;
        /// Commands with large replies that are remembered.
        "commandlog-large-reply-max-len" => commandlog_large_reply_max_len: usize = 128, int(0, I64), [], SLOW_ONLY;
        /// Seconds for which a stream remembers what its producers have added.
        "stream-idmp-duration" => stream_idmp_duration: u32 = 100, int(1, 86_400), [], NO_IDMP;
        /// How many of a producer's entries a stream remembers.
        "stream-idmp-maxsize" => stream_idmp_maxsize: u32 = 100, int(1, 1_000_000), [], NO_IDMP;
        /// Searches sets of vectors in one thread.
        "vset-force-single-threaded-execution" => vset_force_single_threaded_execution: bool = false, YES_NO, [], NO_SUCH_TYPE;
        /// Elements of a slice of an array.
        "array-slice-size" => array_slice_size: u32 = 4096, int(1, I32), [], NO_SUCH_TYPE;
        /// Elements up to which a slice is sparse.
        "array-sparse-kmax" => array_sparse_kmax: u32 = 10, int(0, I32), [], NO_SUCH_TYPE;
        /// Elements below which a slice becomes sparse.
        "array-sparse-kmin" => array_sparse_kmin: u32 = 5, int(0, I32), [], NO_SUCH_TYPE;
        /// Fields from which on a hash shares their names with others.
        "hash-min-template-entries" => hash_min_template_entries: u64 = 0, int(0, I64), [HIDDEN], NO_TEMPLATES;
        /// Fields up to which it does.
        "hash-max-template-entries" => hash_max_template_entries: u64 = 0, int(0, I64), [HIDDEN], NO_TEMPLATES;
        /// The same of hashes that are loaded: from so many fields on.
        "hash-rdb-load-min-template-entries" => hash_rdb_load_min_template_entries: u64 = 0, int(0, I64), [HIDDEN], NO_TEMPLATES;
        /// The same of hashes that are loaded: up to so many fields.
        "hash-rdb-load-max-template-entries" => hash_rdb_load_max_template_entries: u64 = 0, int(0, I64), [HIDDEN], NO_TEMPLATES;
        /// Hashes that must share names for it to stay so after a load.
        "hash-rdb-load-template-disassembly-threshold"
            => hash_rdb_load_template_disassembly_threshold: u64 = 0, int(0, I64), [HIDDEN], NO_TEMPLATES;
        /// The directory of BACKUP, in `dir`.
        "backupdirname" => backupdirname: String = "backupdir".into(), ValueKind::Text(checks::append_dirname), [IMMUTABLE], NO_BACKUP;
        /// Seconds for which a backup is kept; 0 keeps it.
        "backup-sealed-ttl" => backup_sealed_ttl: u64 = 0, int(0, I64), [], NO_BACKUP;
        /// Checks for developers.
        "enable-debug-assert" => enable_debug_assert: bool = false, YES_NO, [IMMUTABLE, HIDDEN], NO_SUCH_CHECKS;
        /// What developers are told in a crash report.
        "debug-context" => debug_context: Option<String> = None, TEXT, [IMMUTABLE, HIDDEN], NO_SUCH_CHECKS;
        /// Databases of a node.
        "cluster-databases" => cluster_databases: u32 = 1, int(1, I32), [IMMUTABLE], NO_CLUSTER;
        /// The address that clients are told, by IPv4.
        "cluster-announce-client-ipv4" => cluster_announce_client_ipv4: Option<String> = None, TEXT, [], NO_CLUSTER;
        /// The address that clients are told, by IPv6.
        "cluster-announce-client-ipv6" => cluster_announce_client_ipv6: Option<String> = None, TEXT, [], NO_CLUSTER;
        /// The port that clients are told.
        "cluster-announce-client-port" => cluster_announce_client_port: u16 = 0, PORT, [], NO_CLUSTER;
        /// The TLS port that clients are told.
        "cluster-announce-client-tls-port" => cluster_announce_client_tls_port: u16 = 0, PORT, [], NO_CLUSTER;
        /// Seconds for which a node that was forgotten stays so.
        "cluster-blacklist-ttl" => cluster_blacklist_ttl: u64 = 60, int(0, I64), [], NO_CLUSTER;
        /// Whether a node ends when it cannot write what it knows.
        "cluster-config-save-behavior" => cluster_config_save_behavior: ClusterConfigSave = ClusterConfigSave::Sync,
            ValueKind::Choice(ClusterConfigSave::NAMES), [], NO_CLUSTER;
        /// Milliseconds that a manual failover may take.
        "cluster-manual-failover-timeout" => cluster_manual_failover_timeout: u64 = 5000, int(1, I32), [], NO_CLUSTER;
        /// Percentage of nodes that a ping tells of.
        "cluster-message-gossip-perc" => cluster_message_gossip_perc: u32 = 10, int(0, 100), [HIDDEN], NO_CLUSTER;
        /// Percentage of commands that are looked at: whether a cluster would run them.
        "cluster-compatibility-sample-ratio" => cluster_compatibility_sample_ratio: u32 = 0, int(0, 100), [], NO_CLUSTER;
        /// Counts what each slot costs.
        "cluster-slot-stats-enabled" => cluster_slot_stats_enabled: bool = false, YES_NO, [], NO_CLUSTER;
        /// Migrations of slots that are remembered.
        "cluster-slot-migration-log-max-len" => cluster_slot_migration_log_max_len: u64 = 1000, int(0, I64), [], NO_CLUSTER;
        /// The same by Redis's name.
        "cluster-slot-migration-max-archived-tasks"
            => cluster_slot_migration_max_archived_tasks: u32 = 32, int(1, I32), [HIDDEN], NO_CLUSTER;
        /// Bytes that a slot's new owner may lack when writes are paused.
        "cluster-slot-migration-handoff-max-lag-bytes"
            => cluster_slot_migration_handoff_max_lag_bytes: u64 = 1 << 20, memory(0, I64), [], NO_CLUSTER;
        /// Milliseconds for which a migration may pause writes.
        "cluster-slot-migration-write-pause-timeout"
            => cluster_slot_migration_write_pause_timeout: u64 = 10_000, int(0, I64), [], NO_CLUSTER;
        /// Milliseconds for which a slot's new owner may take what has piled up.
        "cluster-slot-migration-sync-buffer-drain-timeout"
            => cluster_slot_migration_sync_buffer_drain_timeout: u64 = 60_000, int(0, I64), [HIDDEN], NO_CLUSTER;
        /// Bytes that a slot's new owner may lack when it takes over.
        "slot-migration-max-failover-repl-bytes"
            => slot_migration_max_failover_repl_bytes: i64 = 0, memory(-1, I64), [], NO_CLUSTER;
    }
}

impl DirectiveId {
    /// The directive's row in the table.
    pub fn directive(self) -> &'static Directive {
        &TABLE[self as usize]
    }
}

/// The directive that `name` or an alias of it means, in any case.
pub fn lookup(name: &[u8]) -> Option<&'static Directive> {
    TABLE.iter().find(|directive| directive.is_named(name))
}

/// Shows what differs from the defaults, without secrets.
impl fmt::Debug for Config {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let defaults = Config::default();
        let mut shown = formatter.debug_map();
        for directive in TABLE.iter().filter(|directive| !(directive.same)(self, &defaults)) {
            let lines = directive.lines(self).join(&b"; "[..]);
            let secret = directive.flags.contains(Flags::SECRET);
            let value = if secret { "(redacted)".into() } else { String::from_utf8_lossy(&lines).into_owned() };
            shown.entry(&directive.name, &value);
        }
        shown.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn rows_are_found_by_their_ids() {
        for (place, directive) in TABLE.iter().enumerate() {
            assert_eq!(directive.id as usize, place);
            assert_eq!(directive.id.directive().name, directive.name);
        }
    }

    #[test]
    fn names_are_unique_and_in_lower_case() {
        let names: Vec<&str> = TABLE.iter().flat_map(Directive::names).collect();
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
        assert!(names.iter().all(|name| *name == name.to_ascii_lowercase()));
        assert_eq!(lookup(b"SLAVEOF").map(|directive| directive.name), Some("replicaof"));
        assert!(lookup(b"nosuch").is_none());
    }

    #[test]
    fn defaults_are_values_that_could_be_set() {
        for directive in TABLE {
            let mut config = Config::default();
            for line in directive.lines(&Config::default()) {
                let words = super::super::split_args(&line).unwrap();
                let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
                assert_eq!(directive.assign(&mut config, &words), Ok(()), "{}", directive.name);
            }
        }
    }
}
