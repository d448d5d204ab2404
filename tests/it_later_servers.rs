//! Configurations that were written for Redis 8 and Valkey 9: every directive of theirs is known.

mod common;
use common::*;

use std::{fs, process::Command};

/// Names that came after 7.2, and a value each that is not the default. What has no meaning here is kept and warned of.
const KEPT: &[(&str, &str)] = &[
    // Redis 8.0 to 8.10
    ("max-new-connections-per-cycle", "20"),
    ("max-new-tls-connections-per-cycle", "20"),
    ("cluster-compatibility-sample-ratio", "7"),
    ("replica-full-sync-buffer-limit", "1024"),
    ("lua-enable-deprecated-api", "yes"),
    ("repl-rdb-channel", "no"),
    ("lookahead", "8"),
    ("key-memory-histograms", "yes"),
    ("stream-idmp-duration", "5"),
    ("stream-idmp-maxsize", "5"),
    ("vset-force-single-threaded-execution", "yes"),
    ("array-slice-size", "5"),
    ("array-sparse-kmax", "11"),
    ("array-sparse-kmin", "11"),
    ("hash-min-template-entries", "5"),
    ("hash-max-template-entries", "5"),
    ("hash-rdb-load-min-template-entries", "5"),
    ("hash-rdb-load-max-template-entries", "5"),
    ("hash-rdb-load-template-disassembly-threshold", "5"),
    ("backupdirname", "copies"),
    ("backup-sealed-ttl", "5"),
    ("cluster-slot-migration-handoff-max-lag-bytes", "5"),
    ("cluster-slot-migration-write-pause-timeout", "5"),
    ("cluster-slot-migration-max-archived-tasks", "5"),
    ("cluster-slot-migration-sync-buffer-drain-timeout", "5"),
    ("cluster-slot-stats-enabled", "yes"),
    // Valkey 8 to 9.1
    ("active-defrag-cycle-us", "5"),
    ("cluster-announce-client-ipv4", "127.0.0.1"),
    ("cluster-announce-client-ipv6", "::1"),
    ("cluster-announce-client-port", "5"),
    ("cluster-announce-client-tls-port", "5"),
    ("cluster-blacklist-ttl", "5"),
    ("cluster-config-save-behavior", "best-effort"),
    ("cluster-databases", "5"),
    ("cluster-manual-failover-timeout", "5"),
    ("cluster-message-gossip-perc", "5"),
    ("cluster-slot-migration-log-max-len", "5"),
    ("commandlog-large-reply-max-len", "5"),
    ("commandlog-large-request-max-len", "5"),
    ("commandlog-reply-larger-than", "5"),
    ("commandlog-request-larger-than", "5"),
    ("dual-channel-replication-enabled", "yes"),
    ("extended-redis-compatibility", "yes"),
    ("hash-seed", "abc"),
    ("io-threads-always-active", "yes"),
    ("events-per-io-thread", "5"),
    ("lua-enable-insecure-api", "yes"),
    ("min-io-threads-avoid-copy-reply", "5"),
    ("min-string-size-avoid-copy-reply", "5"),
    ("min-string-size-avoid-copy-reply-threaded", "5"),
    ("mptcp", "yes"),
    ("repl-mptcp", "yes"),
    ("prefetch-batch-max-size", "5"),
    ("rdb-version-check", "relaxed"),
    ("rdma-bind", "127.0.0.1"),
    ("rdma-completion-vector", "5"),
    ("rdma-rx-size", "65536"),
    ("slot-migration-max-failover-repl-bytes", "5"),
    ("enable-debug-assert", "yes"),
    ("debug-context", "x"),
];

/// Settings of modules that come with Redis 8: kept in the file, and warned of.
const OF_MODULES: &[&str] =
    &["search-timeout 500", "ts-num-threads 3", "bf-error-rate 0.01", "cf-bucket-size 2", "search-_numeric-compress yes"];

#[test]
fn what_has_no_meaning_is_kept_and_warned_of_once_by_name() {
    if is_reference() {
        return;
    }
    let mut conf: String = KEPT.iter().map(|(name, value)| format!("{name} {value}\n")).collect();
    conf += &OF_MODULES.join("\n");
    let mut server = Server::with_conf(&conf, &[]);
    let mut conn = server.connect();
    let log = server.log();
    for (name, value) in KEPT {
        assert_eq!(conn.cmd(&["CONFIG", "GET", name]).items()[1].text(), *value, "{name}");
        assert_eq!(log.matches(&format!("WARNING: {name} has no effect: ")).count(), 1, "{name}: {log}");
    }
    for line in OF_MODULES {
        let name = line.split(' ').next().unwrap();
        assert_eq!(log.matches(&format!("WARNING: {name} has no effect: ")).count(), 1, "{name}: {log}");
    }
    replies!(conn, "CONFIG SET lookahead 9 timeout 7" => "OK", "CONFIG REWRITE" => "OK");
    let text = fs::read_to_string(server.conf()).unwrap();
    for (name, value) in KEPT {
        let value = if *name == "lookahead" { "9" } else { value };
        let says = |line: &str| line.strip_prefix(name).is_some_and(|rest| rest.trim().trim_matches('"') == value);
        assert!(text.lines().any(says), "{name} {value}: {text}");
    }
    assert!(OF_MODULES.iter().all(|line| text.lines().any(|kept| kept == *line)), "{text}");
    server.restart();
    replies!(server.connect(), "CONFIG GET lookahead" => r#"["lookahead", "9"]"#, "CONFIG GET mptcp" => r#"["mptcp", "yes"]"#);
}

#[test]
fn what_needs_a_feature_that_is_not_there_stops_the_start() {
    if is_reference() {
        return;
    }
    let server = Server::start(&[]);
    for (name, value) in [("rdma-port", "6380"), ("import-mode", "yes"), ("preload-file", "rdb:x.rdb"), ("tls-expected-peer-name", "a")] {
        let output = run(Command::new(program()).args([&format!("--{name}"), value, "--check-config"]));
        assert_eq!(output.code, Some(1), "{name}: {output:?}");
        assert!(output.stderr.contains(&format!(">>> '{name} \"{value}\"'\nsolod ")), "{output:?}");
        let reply = server.connect().cmd(&["CONFIG", "SET", name, value]).text();
        assert!(reply.starts_with("ERR CONFIG SET failed"), "{name}: {reply}");
    }
}

#[test]
fn new_names_of_old_settings() {
    if is_reference() {
        return;
    }
    let conf =
        "primaryauth word\nprimaryuser app\ncommandlog-execution-slower-than 7\ncommandlog-slow-execution-max-len 9\nserver-cpulist 0-1\n";
    let server = Server::with_conf(conf, &["--bio-cpulist", "0"]);
    let mut conn = server.connect();
    for (name, old, value) in [
        ("primaryauth", "masterauth", "word"),
        ("primaryuser", "masteruser", "app"),
        ("commandlog-execution-slower-than", "slowlog-log-slower-than", "7"),
        ("commandlog-slow-execution-max-len", "slowlog-max-len", "9"),
        ("server-cpulist", "server_cpulist", "0-1"),
        ("bio-cpulist", "bio_cpulist", "0"),
    ] {
        for name in [name, old] {
            assert_eq!(conn.cmd(&["CONFIG", "GET", name]).items()[1].text(), value, "{name}");
        }
    }
    replies!(conn, "CONFIG SET primaryauth other" => "OK", "CONFIG GET masterauth" => r#"["masterauth", "other"]"#);
    let found = conn.run("CONFIG GET *user").to_string();
    assert!(found.contains("masteruser") && !found.contains("primaryuser"), "patterns find the old name alone: {found}");
}

#[test]
fn what_the_slow_log_keeps_of_a_command() {
    if is_reference() {
        return;
    }
    let server = Server::start(&["--slowlog-log-slower-than", "0", "--slowlog-entry-max-argc", "3", "--slowlog-entry-max-string-len", "4"]);
    let mut conn = server.connect();
    conn.run("MSET abcdef 1 b 2");
    let entry = conn.run("SLOWLOG GET 1").items()[0].items()[3].to_string();
    assert_eq!(entry, r#"["MSET", "abcd... (2 more bytes)", "... (3 more arguments)"]"#);
    conn.run("CONFIG SET slowlog-entry-max-argc 32 slowlog-entry-max-string-len 128");
    conn.run("MSET abcdef 1 b 2");
    let entry = conn.run("SLOWLOG GET 1").items()[0].items()[3].to_string();
    assert_eq!(entry, r#"["MSET", "abcdef", "1", "b", "2"]"#);
}

#[test]
fn a_group_for_the_unix_socket() {
    if is_reference() {
        return;
    }
    use std::os::unix::fs::MetadataExt;
    let group = run(Command::new("id").arg("-gn")).stdout.trim().to_owned();
    let server = Server::start(&["--unixsocket", "server.sock", "--unixsocketperm", "770", "--unixsocketgroup", &group]);
    let data = fs::metadata(server.unix_socket()).unwrap();
    assert_eq!((data.gid().to_string(), data.mode() & 0o777), (run(Command::new("id").arg("-g")).stdout.trim().to_owned(), 0o770));
    let dir = tempfile::tempdir().unwrap();
    let args = ["--port", "0", "--unixsocket", "s", "--unixsocketgroup", "no-such-group"];
    let output = run(Command::new(program()).args(args).current_dir(&dir));
    assert_eq!(output.code, Some(1));
    assert!(output.stdout.contains("there is no group no-such-group"), "{output:?}");
}

#[test]
fn where_in_a_cloud_it_is() {
    if is_reference() {
        return;
    }
    let server = Server::start(&["--availability-zone", "zone-1"]);
    assert_eq!(server.info("availability_zone"), "zone-1");
    replies!(server.connect(), "CONFIG SET availability-zone ''" => "OK");
    assert!(!server.ask("INFO server").text().contains("availability_zone"));
}

/// What the peers at hand answer to CONFIG GET *, as a file of ours.
#[test]
fn every_directive_of_the_servers_at_hand() {
    if is_reference() {
        return;
    }
    for peer in peers() {
        let theirs = Server::of(&peer, &[]);
        let ours = Server::start(&[]);
        let (mut conf, mut conn) = (String::new(), ours.connect());
        let settings = theirs.ask("CONFIG GET *").items();
        assert!(settings.len() > 300);
        for pair in settings.chunks(2) {
            let (name, value) = (pair[0].text(), pair[1].text());
            assert_eq!(conn.cmd(&["CONFIG", "GET", &name]).items().len(), 2, "{peer:?} knows {name}");
            conf += &format!("{name} \"{value}\"\n");
        }
        // A replica of nobody is one that says nothing; classes with their limits are one line each.
        let unsaid = ["replicaof", "slaveof", "client-output-buffer-limit", "latency-tracking-info-percentiles"];
        let conf: String =
            conf.lines().filter(|line| !unsaid.iter().any(|name| line.starts_with(name))).map(|line| format!("{line}\n")).collect();
        let path = ours.dir.join("theirs.conf");
        fs::write(&path, &conf).unwrap();
        let checked = run(Command::new(program()).arg(&path).arg("--check-config"));
        assert_eq!(checked.code, Some(0), "{peer:?}: {checked:?}");
        assert!(checked.stderr.lines().all(|line| line.starts_with("WARNING: ") && line.contains(" has no effect: ")), "{checked:?}");
    }
}
