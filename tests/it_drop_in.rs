//! In Redis's place: what images, charts and operators expect of a program that is called redis-server.

mod common;
use common::*;

use std::{
    fs::Permissions,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};

/// A link to the binary under test that is called `name`, in a directory that goes when the second value does.
fn link(name: &str) -> (PathBuf, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    symlink(std::fs::canonicalize(program()).unwrap(), &path).unwrap();
    (path, dir)
}

fn runs(program: &Path, args: &[&str]) -> Output {
    run(Command::new(program).args(args))
}

#[test]
fn the_version_is_told_in_redis_form_by_its_names() {
    for name in ["redis-server", "valkey-server"] {
        let (server, _dir) = link(name);
        for option in ["--version", "-v"] {
            let told = runs(&server, &[option]);
            assert_eq!((told.code, told.stdout.lines().count()), (Some(0), 1), "{told:?}");
            let words: Vec<_> = told.stdout.split_whitespace().collect();
            assert!(words[..2] == ["Redis", "server"] && words[2].starts_with("v=7."), "{told:?}");
            let fields: Vec<_> = words[2..7].iter().filter_map(|word| word.split_once('=')).collect();
            assert_eq!(fields.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["v", "sha", "malloc", "bits", "build"], "{told:?}");
            assert_eq!(fields[3].1, "64");
            // A pattern such as `v=(.*)` must not find another version behind.
            assert_eq!(told.stdout.matches("v=").count(), 1, "{told:?}");
            assert!(is_reference() || words[7..].concat().starts_with("(solod"), "{told:?}");
        }
    }
}

#[test]
fn by_its_own_name_it_says_its_own() {
    if is_reference() {
        return;
    }
    assert!(runs(&program(), &["--version"]).stdout.starts_with("solod v="));
}

#[test]
fn by_redis_name_it_logs_what_is_waited_for() {
    let (server, _dir) = link("redis-server");
    let server = Server::of(&server, &[]);
    let log = server.log();
    for words in ["Redis is starting", "Redis version=7.", "Server initialized", "Ready to accept connections"] {
        assert!(log.contains(words), "{words}: {log}");
    }
    let title = std::fs::read(format!("/proc/{}/cmdline", server.pid)).unwrap();
    let title = String::from_utf8_lossy(&title).into_owned();
    assert!(title.contains("redis-server 127.0.0.1:"), "ps shows it by this name: {title}");
}

#[test]
fn a_sentinel_is_somebody_else() {
    if is_reference() {
        return;
    }
    let (sentinel, _dir) = link("redis-sentinel");
    for output in [runs(&sentinel, &["/etc/redis/sentinel.conf"]), runs(&program(), &["sentinel.conf", "--sentinel"])] {
        let lines: Vec<_> = output.stderr.lines().collect();
        assert_eq!((output.code, lines.len()), (Some(1), 1), "{output:?}");
        assert!(lines[0].contains("redis-sentinel of your distribution"), "{output:?}");
    }
}

#[test]
fn what_of_the_machine_hurts() {
    let output = runs(&program(), &["--check-system"]);
    let looks: Vec<_> = output.stdout.lines().filter_map(|line| line.strip_prefix('[')?.split_once("]...")).collect();
    for name in ["overcommit", "THP", "slow-clocksource"] {
        assert!(looks.iter().any(|(look, _)| *look == name), "{output:?}");
    }
    let is_bad = looks.iter().any(|(_, found)| *found == "WARNING:");
    assert_eq!(output.code, Some(i32::from(is_bad)), "{output:?}");
    if is_reference() {
        return;
    }
    assert!(["somaxconn", "open-files"].iter().all(|name| looks.iter().any(|(look, _)| look == name)), "{output:?}");
    let mode = std::fs::read_to_string("/proc/sys/vm/overcommit_memory").unwrap();
    assert_eq!(looks.contains(&("overcommit", "WARNING:")), mode.trim() == "2", "{output:?}");
}

#[test]
fn memory_is_tested() {
    if is_reference() {
        return; // It takes all of a terminal.
    }
    let output = runs(&program(), &["--test-memory", "8", "2"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(output.stdout.contains("pass 2 of 2, addresses") && output.stdout.contains("\nYour memory passed this test."), "{output:?}");
    let most = u64::MAX.to_string();
    for args in [
        &["--test-memory"][..],
        &["--test-memory", "0"],
        &["--test-memory", "x"],
        &["--test-memory", &most],
        &["--port", "1", "--test-memory", "1"],
    ] {
        let output = runs(&program(), args);
        assert_eq!(output.code, Some(1), "{args:?}: {output:?}");
        assert_eq!(
            (output.stdout + &output.stderr).lines().count(),
            if args.len() == 2 && args[1] == most || args.len() == 4 { 1 } else { 2 }
        );
    }
}

/// The words of an argument are those of a line of the file.
#[test]
fn an_argument_may_hold_a_whole_directive() {
    let server = Server::start(&[
        "--requirepass P",
        "--save 1 1 ",
        "--user \"u\" on >P ~* +@all",
        "--timeout  7",
        "--hz",
        "20",
        "--rename-command FLUSHDB \"\"",
        "--client-output-buffer-limit pubsub 1mb 1mb 30",
    ]);
    let mut conn = server.connect();
    replies!(
        conn,
        "PING" => "-NOAUTH Authentication required.",
        "AUTH P" => "OK",
        "CONFIG GET save" => r#"["save", "1 1"]"#,
        "CONFIG GET timeout" => r#"["timeout", "7"]"#,
        "CONFIG GET hz" => r#"["hz", "20"]"#,
        "CONFIG GET client-output-buffer-limit" =>
            r#"["client-output-buffer-limit", "normal 0 0 0 slave 268435456 67108864 60 pubsub 1048576 1048576 30"]"#,
        "AUTH u P" => "OK",
        "ACL WHOAMI" => r#""u""#,
    );
    assert!(conn.run("FLUSHDB").to_string().contains("unknown command 'FLUSHDB'"));
    let server = Server::start(&["--save \"\"", "--save 5 5", "--save", "60 2 7 9"]);
    replies!(server.connect(), "CONFIG GET save" => r#"["save", "5 5 60 2 7 9"]"#);
}

#[test]
fn a_word_behind_a_whole_directive_belongs_to_it() {
    for args in [&["--save 1 1 --timeout 9"][..], &["--save 1 1", "2 2"], &["--timeout 7", "3"], &["--nosuch 1"], &["--user \"u on"]] {
        let output = runs(&program(), args);
        assert_eq!(output.code, Some(1), "{args:?}");
        let text = output.stdout + &output.stderr;
        assert!(text.contains("*** FATAL CONFIG FILE ERROR (Redis 7."), "{args:?}: {text}");
    }
}

/// The official image's entrypoint hands its words on; charts put files together with `--include`.
#[test]
fn the_ways_in_which_images_and_charts_start_it() {
    let (redis_server, dir) = link("redis-server");
    let path = |name: &str| dir.path().join(name).into_os_string().into_string().unwrap();
    std::fs::write(
        path("common.conf"),
        "# User-supplied\nappendonly yes\nsave \"\"\n# FLUSHDB is no command here\nrename-command FLUSHDB \"\"\n",
    )
    .unwrap();
    std::fs::write(path("primary.conf"), "dir /\nrename-command FLUSHALL \"\"\n").unwrap();
    let (common, primary) = (path("common.conf"), path("primary.conf"));
    // A chart.
    let server = Server::of(
        &redis_server,
        &["--requirepass", "se cret", "--masterauth", "se cret", "--include", &common, "--include", &primary, "--dir", &path("")],
    );
    let mut conn = server.connect();
    replies!(conn, "AUTH 'se cret'" => "OK", "CONFIG GET appendonly" => r#"["appendonly", "yes"]"#);
    for gone in ["FLUSHDB", "FLUSHALL"] {
        assert!(conn.run(gone).to_string().starts_with(&format!("-ERR unknown command '{gone}'")));
    }
    drop(server);
    // An operator: a file, and words that outrank it.
    std::fs::write(path("redis.conf"), "bind 127.0.0.1\nport 1\ntcp-keepalive 60\nsave 900 1\nsave 300 10\nprotected-mode no\n").unwrap();
    let server = Server::of(
        &redis_server,
        &[&path("redis.conf"), "--protected-mode", "yes", "--maxmemory", "100mb", "--maxmemory-policy allkeys-lru"],
    );
    replies!(
        server.connect(),
        "CONFIG GET protected-mode" => r#"["protected-mode", "yes"]"#,
        "CONFIG GET maxmemory" => r#"["maxmemory", "104857600"]"#,
        "CONFIG GET maxmemory-policy" => r#"["maxmemory-policy", "allkeys-lru"]"#,
        "CONFIG GET tcp-keepalive" => r#"["tcp-keepalive", "60"]"#,
    );
}

#[test]
fn health_checks() {
    let mut server = Server::start(&["--requirepass", "secret"]);
    let cli = |server: &Server, args: &[&str]| {
        let mut command = Command::new("timeout");
        command.args(["-s", "15", "5", "redis-cli", "-h", "localhost", "-p", &server.port.to_string()]).args(args);
        run(&mut command)
    };
    let pings = |server: &Server| cli(server, &["-a", "secret", "--no-auth-warning", "ping"]);
    assert_eq!((pings(&server).code, pings(&server).stdout.as_str()), (Some(0), "PONG\n"));
    // Without the password it lives all the same.
    assert_eq!(cli(&server, &["ping"]).stdout.lines().next(), Some("NOAUTH Authentication required."));
    let role = cli(&server, &["-a", "secret", "--no-auth-warning", "info", "replication"]).stdout;
    assert!(role.contains("role:master"), "{role}");
    server.signal("TERM");
    assert_eq!(server.wait(), Some(0), "what a container's end is told by");
    assert!(pings(&server).stdout.is_empty() && pings(&server).code == Some(1));
}

#[test]
fn an_operators_own_user_for_probes() {
    let conf = "user pinger -@all +ping on >pingpass\nrename-command FLUSHDB \"\"\n";
    let server = Server::with_conf(conf, &["--requirepass", "secret"]);
    let ask = |args: &[&str]| redis_cli(&server, &[&["--user", "pinger", "--pass", "pingpass", "--no-auth-warning"], args].concat());
    assert_eq!(ask(&["ping"]), "PONG\n");
    for refused in [&["get", "a"][..], &["config", "get", "requirepass"], &["acl", "whoami"]] {
        assert!(ask(refused).starts_with("NOPERM"), "{refused:?}");
    }
    let wrong = redis_cli(&server, &["--user", "pinger", "--pass", "wrong", "--no-auth-warning", "ping"]);
    assert!(wrong.contains("WRONGPASS") && wrong.contains("NOAUTH"), "{wrong}");
}

#[test]
fn an_acl_file_that_only_its_owner_reads() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("users.acl");
    std::fs::write(&file, "user default off\nuser app on >word ~app:* +@all -@dangerous\n\nuser admin on >word ~* &* +@all\n").unwrap();
    std::fs::set_permissions(&file, Permissions::from_mode(0o400)).unwrap();
    let server = Server::start(&["--aclfile", file.to_str().unwrap()]);
    let mut conn = server.connect();
    replies!(
        conn,
        "PING" => "-NOAUTH Authentication required.",
        "AUTH app word" => "OK",
        "SET app:1 x" => "OK",
        "AUTH admin word" => "OK",
        "ACL SETUSER late on >word +ping" => "OK",
        "ACL SAVE" => "OK",
    );
    let server = Server::start(&["--aclfile", file.to_str().unwrap()]);
    replies!(server.connect(), "AUTH late word" => "OK", "PING" => "PONG");
}
