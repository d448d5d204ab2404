//! Clients that wait for keys: who is served, when, and what is seen of it from outside.

mod common;

use common::{Conn, Server, wait_until};
use std::time::{Duration, Instant};

#[test]
fn who_came_first_is_served_first() {
    let server = Server::start(&[]);
    let mut waiting: Vec<Conn> = (0..3).map(|_| server.wait_in("BLPOP x l 0")).collect();
    server.ask("RPUSH l 1 2");
    server.ask("RPUSH l 3");
    let served: Vec<String> = waiting.iter_mut().map(|conn| conn.recv().to_string()).collect();
    assert_eq!(served, [r#"["l", "1"]"#, r#"["l", "2"]"#, r#"["l", "3"]"#]);
    assert_eq!(["blocked_clients", "total_blocking_keys"].map(|field| server.info(field)), ["0", "0"]);
}

#[test]
fn a_wait_ends_when_it_said() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    let started = Instant::now();
    assert_eq!(conn.run("BLPOP l 0.05"), *"nil[]");
    assert!(started.elapsed() >= Duration::from_millis(50));
    assert_eq!(conn.run("HELLO 3").get("proto").int(), 3);
    assert_eq!(conn.run("BLPOP l 0.001"), *"null");
    conn.check(&[
        ("BLPOP l x", "-ERR timeout is not a float or out of range"),
        ("BLPOP l -1", "-ERR timeout is negative"),
        ("BLPOP l 1e30", "-ERR timeout is out of range"),
    ]);
}

#[test]
fn a_transaction_feeds_when_it_is_over() {
    let server = Server::start(&[]);
    let mut waiting = server.wait_in("BLPOP l 0");
    let mut conn = server.connect();
    for line in ["MULTI", "LPUSH l a", "DEL l", "EXEC", "MULTI", "LPUSH l a", "DEL l", "SET l string", "EXEC", "DEL l"] {
        conn.run(line);
    }
    conn.check(&[("MULTI", "OK"), ("LPUSH l a", "QUEUED"), ("LPUSH l b", "QUEUED"), ("EXEC", "[1, 2]")]);
    assert_eq!(waiting.recv(), *r#"["l", "b"]"#);
    conn.check(&[("MULTI", "OK"), ("BLPOP none 0", "QUEUED"), ("BLPOP l 0", "QUEUED"), ("EXEC", r#"[nil[], ["l", "a"]]"#)]);
}

#[test]
fn a_key_of_another_type_leaves_who_waits_waiting() {
    let server = Server::start(&[]);
    let mut waiting = server.wait_in("BLPOP l 0");
    server.ask("SET l string");
    server.ask("DEL l");
    server.ask("SADD l member");
    server.ask("DEL l");
    server.ask("RPUSH l 1");
    assert_eq!(waiting.recv(), *r#"["l", "1"]"#);
}

#[test]
fn one_who_is_served_feeds_the_next() {
    let server = Server::start(&[]);
    let mut last = server.wait_in("BLPOP c 0");
    let mut second = server.wait_in("BLMOVE b c LEFT RIGHT 0");
    let mut first = server.wait_in("BLMOVE a b LEFT RIGHT 0");
    assert_eq!(server.ask("RPUSH a x"), *"1");
    assert_eq!((first.recv().text(), second.recv().text()), ("x".into(), "x".into()));
    assert_eq!(last.recv(), *r#"["c", "x"]"#);
    assert_eq!(server.ask("DBSIZE"), *"0");
}

#[test]
fn keys_come_in_many_ways() {
    let server = Server::start(&[]);
    let dump = {
        server.ask("RPUSH source x");
        let common::Value::Bulk(dump) = server.ask("DUMP source") else { panic!("no dump") };
        dump
    };
    let mut conn = server.connect();
    for feeds in
        [&["RENAME source k"][..], &["COPY source k"], &["SELECT 1", "RPUSH k x", "MOVE k 0"], &["SELECT 1", "RPUSH k x", "SWAPDB 0 1"]]
    {
        let mut waiting = server.wait_in("BLPOP k 0");
        conn.run("SELECT 0");
        conn.run("DEL source");
        conn.run("RPUSH source x");
        feeds.iter().for_each(|line| drop(conn.run(line)));
        assert_eq!(waiting.recv(), *r#"["k", "x"]"#, "{feeds:?}");
        conn.run("FLUSHALL");
    }
    let mut waiting = server.wait_in("BLPOP k 0");
    conn.run("SELECT 0");
    conn.cmd(&[&b"RESTORE"[..], b"k", b"0", &dump]);
    assert_eq!(waiting.recv(), *r#"["k", "x"]"#);
}

#[test]
fn what_is_seen_of_who_waits() {
    let server = Server::start(&[]);
    let mut forever = server.wait_in("BLPOP a b 0");
    let mut limited = server.wait_in("BRPOP b 1000");
    let fields = ["blocked_clients", "clients_in_timeout_table", "total_blocking_keys"];
    assert_eq!(fields.map(|field| server.info(field)), ["2", "1", "2"]);
    let list = server.ask("CLIENT LIST").text();
    let line = list.lines().find(|line| line.contains("cmd=blpop")).unwrap();
    assert!(line.contains(" flags=b "), "{line}");
    let id = |command: &str| {
        let line = list.lines().find(|line| line.contains(command)).unwrap();
        line.split([' ', '=']).nth(1).unwrap().to_owned()
    };
    assert_eq!(server.ask(&format!("CLIENT UNBLOCK {}", id("cmd=blpop"))), *"1");
    assert_eq!(forever.recv(), *"nil[]");
    assert_eq!(server.ask(&format!("CLIENT UNBLOCK {} ERROR", id("cmd=brpop"))), *"1");
    assert_eq!(limited.recv(), *"-UNBLOCKED client unblocked via CLIENT UNBLOCK");
    assert_eq!(server.ask(&format!("CLIENT UNBLOCK {}", id("cmd=brpop"))), *"0");
    assert!(server.ask("INFO commandstats").text().contains("cmdstat_blpop:calls=1,"));
    drop(server.wait_in("BLPOP a 0"));
    wait_until(|| server.info("blocked_clients") == "0");
    assert_eq!(server.ask("RPUSH a x"), *"1");
    assert_eq!(server.ask("LLEN a"), *"1", "who is gone takes nothing");
}

#[test]
fn requests_behind_a_wait_wait_too() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    let wire: Vec<u8> =
        ["BLPOP l 0", "SET after 1", "BLPOP l 0", "INCR after"].iter().flat_map(|l| Conn::encode(&common::words(l))).collect();
    conn.send(&wire);
    wait_until(|| server.info("blocked_clients") == "1");
    conn.send_cmd(&["GET", "after"]);
    assert_eq!(server.ask("EXISTS after"), *"0");
    server.ask("RPUSH l 1");
    assert_eq!((conn.recv().to_string(), conn.recv().to_string()), (r#"["l", "1"]"#.to_owned(), "OK".to_owned()));
    server.ask("RPUSH l 2");
    let rest: Vec<String> = (0..3).map(|_| conn.recv().to_string()).collect();
    assert_eq!(rest, [r#"["l", "2"]"#, "2", "\"2\""]);
}

#[test]
fn a_replica_gets_what_was_done_and_nobody_waits_on_one() {
    let primary = Server::start(&["--repl-diskless-sync-delay", "0"]);
    let replica = Server::start(&[]);
    let mut on_replica = replica.wait_in("BLPOP l 0");
    replica.ask(&format!("REPLICAOF 127.0.0.1 {}", primary.port));
    let text = "-UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)";
    assert_eq!(on_replica.recv(), *text);
    assert!(on_replica.closed());
    wait_until(|| replica.info("master_link_status") == "up");
    let mut waiting = primary.wait_in("BLMOVE a b LEFT RIGHT 0");
    let mut popping = primary.wait_in("BLPOP a 0");
    primary.ask("RPUSH a 1 2 3");
    assert_eq!((waiting.recv().to_string(), popping.recv().to_string()), ("\"1\"".to_owned(), r#"["a", "2"]"#.to_owned()));
    wait_until(|| replica.info("master_repl_offset") == primary.info("master_repl_offset"));
    assert_eq!(replica.ask("LRANGE a 0 -1"), *r#"["3"]"#);
    assert_eq!(replica.ask("LRANGE b 0 -1"), *r#"["1"]"#);
}

#[test]
fn a_pause_holds_back_who_would_be_served() {
    let server = Server::start(&[]);
    let mut waiting = server.wait_in("BLPOP l 0.1");
    server.ask("CLIENT PAUSE 100000 WRITE");
    assert_eq!(waiting.recv(), *"nil[]", "time goes on");
    let mut pushing = server.connect();
    pushing.send_cmd(&["RPUSH", "l", "1"]);
    let mut popping = server.connect();
    popping.send_cmd(&["BLPOP", "l", "0"]);
    wait_until(|| server.info("blocked_clients") == "2");
    server.ask("CLIENT UNPAUSE");
    assert_eq!(popping.recv(), *r#"["l", "1"]"#);
    assert_eq!(pushing.recv(), *"1");
}
