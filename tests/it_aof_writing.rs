//! The append-only file as it is written: who waits for the disk, what a kill leaves, and what a full disk does. Files are read as they lie there.

mod common;
use common::*;

use std::process::Command;
use std::time::Duration;

const ALWAYS: &[&str] = &["--appendonly", "yes", "--appendfsync", "always", "--enable-debug-command", "yes"];
const EACH_SECOND: &[&str] = &["--appendonly", "yes", "--enable-debug-command", "yes"];
/// A disk that is full is one on which no file may grow beyond so many bytes: more than the server's own log needs.
const FULL_AT: usize = 100_000;

/// The bytes of all increments, in order.
fn increments(server: &Server) -> Vec<u8> {
    let dir = server.dir.join("appendonlydir");
    let names = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.ends_with(".incr.aof")).collect();
    names.sort();
    names.iter().flat_map(|name| std::fs::read(dir.join(name)).unwrap()).collect()
}

/// The same as text, with its RESP headers left out: words in order.
fn logged(server: &Server) -> String {
    let text = String::from_utf8_lossy(&increments(server)).into_owned();
    let words = text.split("\r\n").filter(|line| !line.starts_with(['$', '*']) && !line.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// No file of the server's grows beyond so many bytes; 0: as it likes.
fn limit_files(server: &Server, bytes: usize) {
    let limit = if bytes == 0 { "unlimited".to_owned() } else { bytes.to_string() };
    let status = Command::new("prlimit").arg(format!("--pid={}", server.pid)).arg(format!("--fsize={limit}:unlimited")).status();
    assert!(status.unwrap().success());
}

#[test]
fn what_was_answered_with_always_is_in_the_file_whenever_the_process_is_killed() {
    let mut server = Server::start(ALWAYS);
    let mut conns: Vec<Conn> = (0..20).map(|_| server.connect()).collect();
    for round in 0..50 {
        for (n, conn) in conns.iter_mut().enumerate() {
            conn.send_cmd(&["SET", &format!("key:{n}"), &format!("{round}")]);
        }
        // Those of the first half are heard; of the others nothing is known.
        for conn in &mut conns[..10] {
            assert_eq!(conn.recv(), *"OK");
        }
        if round == 40 {
            break;
        }
        conns[10..].iter_mut().for_each(|conn| assert_eq!(conn.recv(), *"OK"));
    }
    server.kill9();
    let logged = logged(&server);
    for n in 0..10 {
        assert!(logged.contains(&format!("SET key:{n} 40")), "{n}");
    }
    server.restart();
    for n in 0..10 {
        assert_eq!(server.ask(&format!("GET key:{n}")), *"\"40\"");
    }
}

#[test]
fn a_pipeline_without_end_is_answered_on_its_way() {
    let server = Server::start(ALWAYS);
    let mut conn = server.connect();
    let request = Conn::encode(&["INCR", "n"]).repeat(100);
    let mut answered = 0;
    for _ in 0..100 {
        conn.send(&request);
        while let Some(reply) = conn.try_recv(Duration::from_millis(1)) {
            answered += 1;
            assert_eq!(reply.int(), answered);
        }
    }
    while answered < 10_000 {
        answered += 1;
        assert_eq!(conn.recv().int(), answered);
    }
    assert_eq!(server.info("aof_buffer_length"), "0");
}

#[test]
fn a_reader_of_what_is_on_the_disk_does_not_wait_for_a_slow_one() {
    let server = Server::start(ALWAYS);
    let mut conn = server.connect();
    conn.check(&[("SET k v", "OK"), ("DEBUG AOF-FLUSH-SLEEP 400000", "OK")]);
    conn.send_cmd(&["SET", "k", "w"]);
    // It reads what is not on the disk yet: both hear of it at the same time.
    let mut reader = server.connect();
    wait_until(|| reader.run("GET k") == *"\"w\"");
    assert_eq!(conn.recv(), *"OK");
    conn.run("DEBUG AOF-FLUSH-SLEEP 0");
    assert!(server.ask("LATENCY HISTORY aof-write").items().is_empty(), "nobody asked for it");
}

#[test]
fn messages_wait_for_the_disk_as_replies_do() {
    let server = Server::start(ALWAYS);
    let (mut subscriber, mut monitor, mut popper) = (server.connect(), server.connect(), server.connect());
    subscriber.run("SUBSCRIBE news");
    monitor.run("MONITOR");
    popper.send_cmd(&["BLPOP", "list", "0"]);
    let mut conn = server.connect();
    conn.check(&[("MULTI", "OK"), ("RPUSH list a", "QUEUED"), ("PUBLISH news x", "QUEUED"), ("EXEC", "[1, 1]")]);
    assert_eq!(popper.recv(), *"[\"list\", \"a\"]");
    assert_eq!(subscriber.recv(), *"[\"message\", \"news\", \"x\"]");
    assert!(monitor.recv().text().contains("BLPOP"));
    assert!(logged(&server).contains("RPUSH list a"));
}

#[test]
fn when_the_disk_is_full_writes_are_refused_and_go_on_when_there_is_room() {
    for args in [ALWAYS, EACH_SECOND] {
        let mut server = Server::start(args);
        let mut conn = server.connect();
        conn.check(&[("SET safe 1", "OK"), ("SET other 2", "OK")]);
        limit_files(&server, FULL_AT);
        let huge = "x".repeat(2 * FULL_AT);
        let mut writer = server.connect();
        writer.send_cmd(&["SET", "huge", &huge]);
        let error = "-MISCONF Errors writing to the AOF file: File too large";
        // Who asks between the write and its failure may wait as the writer does, whatever was asked.
        wait_until(|| {
            let mut asking = server.connect();
            asking.send_cmd(&["PING"]);
            asking.try_recv(Duration::from_millis(100)).is_some_and(|reply| reply == *error)
        });
        assert_eq!(conn.run("SET other 3"), *error);
        assert_eq!(conn.run("PING"), *error);
        assert_eq!(conn.run("GET safe"), *"\"1\"");
        assert_eq!(server.info("aof_last_write_status"), "err");
        if args == ALWAYS {
            assert!(writer.try_recv(Duration::from_millis(100)).is_none(), "it may be lost yet");
            let mut reader = server.connect();
            reader.send_cmd(&["STRLEN", "huge"]);
            assert!(reader.try_recv(Duration::from_millis(100)).is_none(), "and so may be what it reads");
            assert_eq!(conn.run("GET safe"), *"\"1\"");
            limit_files(&server, 0);
            assert_eq!((writer.recv(), reader.recv().int()), (Value::Simple("OK".into()), 2 * FULL_AT as i64));
        } else {
            assert_eq!(writer.recv(), *"OK");
            limit_files(&server, 0);
        }
        wait_until(|| conn.run("SET last 4") == *"OK");
        assert!(server.log().contains("AOF write error looks solved. The server can write again."), "{}", server.log());
        server.kill9();
        server.restart();
        assert_eq!(server.ask("STRLEN huge").int(), 2 * FULL_AT as i64);
        assert_eq!(server.ask("GET other"), *"\"2\"");
        if args == ALWAYS {
            assert_eq!(server.ask("GET last"), *"\"4\"");
        }
    }
}

#[test]
fn a_shutdown_leaves_everything_in_the_file_and_is_refused_while_that_cannot_be() {
    let mut server = Server::start(EACH_SECOND);
    let mut conn = server.connect();
    conn.run("SET k v");
    limit_files(&server, FULL_AT);
    conn.cmd(&["SET", "huge", &"x".repeat(2 * FULL_AT)]);
    wait_until(|| server.info("aof_last_write_status") == "err");
    assert_eq!(server.ask("SHUTDOWN"), *"-ERR Errors trying to SHUTDOWN. Check logs.");
    limit_files(&server, 0);
    wait_until(|| conn.run("SET k w") == *"OK");
    server.signal("TERM");
    assert_eq!(server.wait(), Some(0));
    assert!(server.log().contains("Calling fsync() on the AOF file."));
    assert!(logged(&server).ends_with("SET k w"));
}

#[test]
fn replicas_say_what_is_on_their_disks() {
    let primary = Server::start(EACH_SECOND);
    let port = primary.port.to_string();
    let replica = Server::start(&[EACH_SECOND, &["--replicaof", "127.0.0.1", &port]].concat());
    // Its base is of the data that it got, so that the command is in what follows.
    wait_until(|| replica.shows(&[("master_link_status", "up"), ("aof_rewrite_in_progress", "0")]));
    let mut conn = primary.connect();
    conn.run("SET k v");
    assert_eq!(conn.run("WAITAOF 1 1 20000"), *"[1, 1]");
    assert!(logged(&replica).contains("SET k v"));
    assert!(!logged(&primary).contains("PING") && !logged(&primary).contains("GETACK"), "what is for replicas alone stays out");
    assert_eq!(
        replica.ask("WAITAOF 0 0 0"),
        *"-ERR WAITAOF cannot be used with replica instances. Please also note that writes to replicas are just local and are not propagated."
    );
}

#[test]
fn a_replica_whose_disk_fails_ends_unless_it_is_to_go_on_without() {
    let primary = Server::start(&[]);
    let port = primary.port.to_string();
    for goes_on in [true, false] {
        let ignore = if goes_on { "yes" } else { "no" };
        let mut replica =
            Server::start(&[EACH_SECOND, &["--replicaof", "127.0.0.1", &port, "--replica-ignore-disk-write-errors", ignore]].concat());
        wait_until(|| replica.shows(&[("master_link_status", "up"), ("aof_rewrite_in_progress", "0")]));
        let mut conn = primary.connect();
        conn.run("SET k v");
        wait_until(|| replica.ask("GET k") == *"\"v\"");
        limit_files(&replica, FULL_AT);
        conn.cmd(&["SET", "huge", &"x".repeat(2 * FULL_AT)]);
        wait_until(|| replica.info("aof_last_write_status") == "err");
        conn.run("SET k w");
        match goes_on {
            true => {
                wait_until(|| replica.ask("GET k") == *"\"w\"");
                assert!(replica.log().contains("Replica is applying a command even though it is unable to write to disk."));
            }
            false => {
                assert_eq!(replica.wait(), None, "a panic ends it");
                assert!(replica.log().contains("Replica was unable to write command to disk."));
            }
        }
    }
}

#[test]
fn times_are_noted_where_that_is_wanted() {
    let server = Server::start(&[EACH_SECOND, &["--aof-timestamp-enabled", "yes"]].concat());
    let mut conn = server.connect();
    conn.run("SET k v");
    wait_until(|| logged(&server).contains("SET k v"));
    let logged = logged(&server);
    let (mark, rest) = logged.split_once(' ').unwrap();
    let second: u64 = mark.strip_prefix("#TS:").unwrap_or_else(|| panic!("{logged}")).parse().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(now - second < 60 && rest == "SELECT 0 SET k v", "{logged}");
}

#[test]
fn settings_change_while_it_is_written() {
    let server = Server::start(EACH_SECOND);
    let mut conn = server.connect();
    for policy in ["always", "no", "everysec", "always", "everysec"] {
        conn.run(&format!("CONFIG SET appendfsync {policy}"));
        assert_eq!(conn.run(&format!("SET k {policy}")), *"OK");
        if policy != "no" {
            assert_eq!(conn.run("WAITAOF 1 0 20000"), *"[1, 0]");
        }
    }
    assert!(logged(&server).ends_with("SET k everysec"));
}
