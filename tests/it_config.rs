//! What a configuration promises: a directive works, or is refused, or is warned of; and what CONFIG SET and REWRITE do with it.

mod common;

use common::{Server, is_reference, program, run, wait_until};
use std::{fs, path::Path, process::Command};

fn check_config(conf: &str) -> common::Output {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("server.conf");
    fs::write(&path, conf).unwrap();
    run(Command::new(program()).arg(path).arg("--check-config"))
}

/// What would leave data open, or lose it, where the feature is not there.
const REFUSED: &[(&str, &str)] = &[("cluster-enabled", "yes"), ("loadmodule", "/usr/lib/module.so")];

#[test]
fn a_promise_that_cannot_be_kept_stops_the_start_at_its_line() {
    if is_reference() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("server.conf");
    for (name, value) in REFUSED {
        fs::write(&path, format!("port 0\n{name} {value}\nsave ''\n")).unwrap();
        for args in [&[][..], &["--check-config"]] {
            let output = run(Command::new(program()).arg(&path).args(args).current_dir(&dir));
            let text = output.stdout + &output.stderr;
            assert_eq!(output.code, Some(1), "{name}: {text}");
            assert!(text.contains("*** FATAL CONFIG FILE ERROR (Redis 7.2"), "{text}");
            assert!(text.contains(&format!("at line 2\n>>> '{name} {value}'\nsolod ")), "{text}");
        }
    }
    let output = run(Command::new(program()).args(["--port", "0", "--cluster-enabled", "yes"]).current_dir(&dir));
    assert_eq!(output.code, Some(1), "on the command line, too");
}

#[test]
fn config_set_refuses_what_a_start_would() {
    if is_reference() {
        return;
    }
    let server = Server::start(&[]);
    let reply = server.ask("CONFIG SET tls-protocols TLSv1.1").text();
    assert!(reply.starts_with("ERR CONFIG SET failed (possibly related to argument 'tls-protocols') - rustls does not speak"), "{reply}");
    assert_eq!(server.ask("CONFIG GET tls-protocols").items()[1].text(), "");
    assert_eq!(check_config("tls-protocols TLSv1.1\n").code, Some(1));
}

#[test]
fn what_else_has_no_effect_is_warned_of_once_by_name() {
    if is_reference() {
        return;
    }
    let conf = "io-threads 4\nio-threads 8\ndynamic-hz no\nactiverehashing yes\nlazyfree-lazy-user-del yes\n";
    let server = Server::with_conf(conf, &[]);
    let checked = check_config(conf);
    assert_eq!((checked.code, checked.stdout.trim()), (Some(0), "Configuration OK"));
    for text in [server.log(), checked.stderr] {
        for name in ["io-threads", "dynamic-hz", "lazyfree-lazy-user-del"] {
            assert_eq!(text.matches(&format!("WARNING: {name} has no effect: ")).count(), 1, "{name}: {text}");
        }
        assert!(!text.contains("activerehashing"), "set to its default: {text}");
    }
    assert_eq!(server.ask("CONFIG SET activerehashing no").text(), "OK");
    assert!(server.log().contains("WARNING: activerehashing has no effect: "));
}

#[test]
fn what_a_later_line_takes_back_counts_for_nothing() {
    let server = Server::with_conf("cluster-enabled yes\ndynamic-hz no\n", &["--cluster-enabled", "no", "--dynamic-hz", "yes"]);
    assert_eq!(server.ask("CONFIG GET cluster-enabled").items()[1].text(), "no");
    assert!(!server.log().contains("has no effect"), "{}", server.log());
}

/// Redis writes this line into every file that it rewrites.
#[test]
fn the_line_of_the_untouched_default_user_is_no_rule() {
    let server = Server::with_conf("user default on nopass sanitize-payload ~* &* +@all\n", &[]);
    assert_eq!(server.ask("PING").text(), "PONG");
}

#[test]
fn a_comment_behind_a_value_is_named_in_the_error() {
    if is_reference() {
        return;
    }
    for line in ["bind 127.0.0.1 # the machine itself", "port 6379 # the usual one", "save 900 1 # often"] {
        let output = check_config(&format!("{line}\n"));
        assert_eq!(output.code, Some(1), "{line}");
        assert!(output.stderr.contains("A comment needs a line of its own"), "{line}: {}", output.stderr);
    }
}

#[test]
fn numbers_end_where_a_c_string_does() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    for (name, given, shown) in [
        ("maxmemory", &b"100mb\0x"[..], "104857600"),
        ("save", b"60 1\0", "60 1"),
        ("maxmemory-policy", b"noeviction\0", "noeviction"),
        ("repl-backlog-size", b"2mb\0", "2097152"),
    ] {
        assert_eq!(conn.cmd(&[&b"CONFIG"[..], b"SET", name.as_bytes(), given]).text(), "OK", "{name}");
        assert_eq!(conn.cmd(&["CONFIG", "GET", name]).items()[1].text(), shown, "{name}");
    }
    let refused = conn.cmd(&[&b"CONFIG"[..], b"SET", b"timeout", b"5\0"]).text();
    assert!(refused.contains("argument couldn't be parsed into an integer"), "{refused}");
}

#[test]
fn a_backlog_whose_size_is_set_has_sixteen_kibibytes_at_least() {
    let server = Server::start(&["--repl-backlog-size", "1"]);
    for size in ["1", "1"] {
        assert_eq!(server.ask("CONFIG GET repl-backlog-size").items()[1].text(), size, "as it was given at start, and set to the same");
        assert_eq!(server.ask("CONFIG SET repl-backlog-size 1").text(), "OK");
    }
    assert_eq!(server.ask("CONFIG SET repl-backlog-size 100").text(), "OK");
    assert_eq!(server.ask("CONFIG GET repl-backlog-size").items()[1].text(), "16384");
    assert_eq!(server.info("repl_backlog_size"), "16384");
}

#[test]
fn the_directory_is_entered_anew_when_it_is_set_again() {
    let outer = tempfile::tempdir().unwrap();
    let volume = outer.path().join("volume");
    fs::create_dir(&volume).unwrap();
    let dir = volume.to_str().unwrap();
    let server = Server::start(&["--enable-protected-configs", "yes", "--dir", dir]);
    let works_in = || fs::read_link(format!("/proc/{}/cwd", server.pid)).unwrap();
    // Another directory takes its place under the same name, as another volume does that is mounted there.
    fs::rename(&volume, outer.path().join("old")).unwrap();
    fs::create_dir(&volume).unwrap();
    assert_eq!(works_in(), outer.path().join("old"));
    assert_eq!(server.ask(&format!("CONFIG SET dir {dir}")).text(), "OK");
    assert_eq!(works_in(), volume);
    let refused = server.ask("CONFIG SET dir \"\"").text();
    assert_eq!(refused, "ERR CONFIG SET failed (possibly related to argument 'dir') - No such file or directory");
    assert_eq!(works_in(), volume);
}

#[test]
fn a_file_that_was_removed_is_written_anew() {
    let server = Server::with_conf("timeout 5\n", &[]);
    fs::remove_file(server.conf()).unwrap();
    assert_eq!(server.ask("CONFIG SET timeout 7").text(), "OK");
    assert_eq!(server.ask("CONFIG REWRITE").text(), "OK");
    let text = fs::read_to_string(server.conf()).unwrap();
    assert!(text.lines().any(|line| line == "timeout 7"), "{text}");
    assert!(text.contains("# Generated by CONFIG REWRITE"), "{text}");
}

#[test]
fn putting_counters_back_to_zero_is_no_failure() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    conn.run("NOSUCH");
    conn.run("INCR too many");
    assert_eq!(conn.run("CONFIG RESETSTAT").text(), "OK");
    let stats = conn.run("INFO commandstats").text();
    let line = stats.lines().find(|line| line.starts_with("cmdstat_config|resetstat:")).unwrap();
    assert!(line.starts_with("cmdstat_config|resetstat:calls=1,") && line.ends_with(",failed_calls=0"), "{line}");
}

/// A replica that could not do what its primary did no longer holds the same data.
#[test]
fn a_replica_that_cannot_follow_ends_where_it_is_told_to() {
    for (behavior, ends) in [("ignore", false), ("panic-on-replicas", true), ("panic", true)] {
        let primary = Server::redis(&["--repl-diskless-sync-delay", "0"]);
        let of = format!("127.0.0.1 {}", primary.port);
        let settings = ["--replica-read-only", "no", "--propagation-error-behavior", behavior];
        let mut replica = Server::start(&[&["--replicaof", &of], &settings[..]].concat());
        wait_until(|| replica.info("master_link_status") == "up");
        replica.ask("SET key text");
        replica.ask("CONFIG SET replica-read-only yes");
        primary.ask("LPUSH key element");
        let told = "This replica is sending an error to its master: ";
        wait_until(|| replica.log().contains(told));
        if ends {
            assert_ne!(replica.wait(), Some(0), "{behavior}");
            let said = "This replica panicked sending an error to its master after processing the command";
            assert!(replica.log().contains(said), "{}", replica.log());
        } else {
            assert_eq!(replica.ask("PING").text(), "PONG");
        }
    }
}

/// Every directive that is not served says so in the manual.
#[test]
fn the_manual_marks_what_is_not_served() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let page = fs::read_to_string(path).unwrap();
    let row = |name: &str| page.lines().find(|line| line.starts_with(&format!("| `{name}`"))).unwrap().to_owned();
    assert!(row("cluster-enabled").contains("**Refused**: "));
    assert!(row("io-threads").contains("**No effect**: "));
    assert!(!row("port").contains("**"));
}
