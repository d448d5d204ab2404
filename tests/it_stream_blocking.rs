//! Clients that wait for streams, as consumers of groups or by themselves: what is seen of it from outside. What wakes them, to the letter,
//! stands in the engine's own tests.

mod common;

use common::{Conn, Server, wait_until};

fn with_group() -> Server {
    let server = Server::start(&[]);
    server.ask("XGROUP CREATE s g $ MKSTREAM");
    server
}

#[test]
fn consumers_share_what_comes_in_the_order_in_which_they_came() {
    let server = with_group();
    let mut waiting: Vec<Conn> =
        ["a", "b", "c"].map(|name| server.wait_in(&format!("XREADGROUP GROUP g {name} BLOCK 0 STREAMS s >"))).into();
    let mut reading = server.wait_in("XREAD BLOCK 0 STREAMS s $");
    server.ask("XADD s 1-0 f v");
    server.ask("XADD s 2-0 f v");
    let mut adding = server.connect();
    for line in ["MULTI", "XADD s 3-0 f v", "XADD s 4-0 f v", "EXEC"] {
        adding.run(line);
    }
    let got: Vec<String> = waiting.iter_mut().map(|conn| conn.recv().to_string()).collect();
    let one = |id: &str| format!(r#"[["s", [["{id}", ["f", "v"]]]]]"#);
    assert_eq!(got, [one("1-0"), one("2-0"), r#"[["s", [["3-0", ["f", "v"]], ["4-0", ["f", "v"]]]]]"#.to_owned()]);
    assert_eq!(reading.recv(), *one("1-0"));
    assert_eq!(server.ask("XPENDING s g"), *r#"[4, "1-0", "4-0", [["a", "1"], ["b", "1"], ["c", "2"]]]"#);
    assert_eq!(["blocked_clients", "total_blocking_keys"].map(|field| server.info(field)), ["0", "0"]);
}

#[test]
fn the_end_of_a_stream_or_group_is_told_to_its_consumers() {
    const NO_GROUP: &str = "-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option";
    const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";
    let dump = {
        let server = Server::start(&[]);
        server.ask("SET other v");
        let common::Value::Bulk(dump) = server.ask("DUMP other") else { panic!("no dump") };
        dump
    };
    for (end, error) in [("DEL s", NO_GROUP), ("FLUSHALL", NO_GROUP), ("XGROUP DESTROY s g", NO_GROUP), ("SET s v", WRONG_TYPE)] {
        let server = with_group();
        let mut consumer = server.wait_in("XREADGROUP GROUP g c BLOCK 0 STREAMS s >");
        let _reading = server.wait_in("XREAD BLOCK 0 STREAMS s $");
        server.ask(end);
        assert_eq!(consumer.recv(), *error, "{end}");
        assert_eq!(server.info("blocked_clients"), "1", "{end}");
    }
    let server = with_group();
    let mut consumer = server.wait_in("XREADGROUP GROUP g c BLOCK 0 STREAMS s >");
    server.connect().cmd(&[&b"RESTORE"[..], b"s", b"0", &dump, b"REPLACE"]);
    assert_eq!(consumer.recv(), *WRONG_TYPE);
    let stats = server.ask("INFO commandstats").text();
    let line = stats.lines().find(|line| line.starts_with("cmdstat_xreadgroup")).unwrap();
    assert!(line.contains("calls=1,") && line.ends_with("failed_calls=1"), "{line}");
}

#[test]
fn a_consumer_that_is_seen_waits_and_is_active_when_it_gets_something() {
    let server = with_group();
    let mut waiting = server.wait_in("XREADGROUP GROUP g c BLOCK 0 STREAMS s >");
    let of = |field: &str| server.ask("XINFO CONSUMERS s g").items()[0].get(field).int();
    assert_eq!(of("inactive"), -1);
    wait_until(|| of("idle") > 20);
    server.ask("XADD s 1-0 f v");
    waiting.recv();
    assert!(of("inactive") >= 0 && of("pending") == 1);
}

#[test]
fn a_replica_gets_what_waiting_has_come_to() {
    let primary = with_group();
    let replica = Server::start(&["--replicaof", &*format!("127.0.0.1 {}", primary.port)]);
    wait_until(|| replica.info("master_link_status") == "up");
    let mut acknowledging = primary.wait_in("XREADGROUP GROUP g a BLOCK 0 COUNT 1 NOACK STREAMS s >");
    let mut waiting = primary.wait_in("XREADGROUP GROUP g b BLOCK 0 STREAMS s >");
    primary.ask("XADD s 1-0 f v");
    primary.ask("XADD s 2-0 f v");
    acknowledging.recv();
    waiting.recv();
    wait_until(|| replica.info("master_repl_offset") == primary.info("master_repl_offset"));
    for line in ["XPENDING s g", "XRANGE s - +"] {
        assert_eq!(replica.ask(line), primary.ask(line), "{line}");
    }
    let consumers = |server: &Server| {
        let consumers = server.ask("XINFO CONSUMERS s g").items();
        consumers.iter().map(|consumer| format!("{} {}", consumer.get("name"), consumer.get("pending"))).collect::<Vec<_>>()
    };
    assert_eq!(consumers(&primary), ["\"a\" 0", "\"b\" 1"]);
    assert_eq!(consumers(&replica), consumers(&primary));
    assert!(replica.ask("XREADGROUP GROUP g c STREAMS s >").text().starts_with("READONLY"));
    let mut reading = replica.wait_in("XREAD BLOCK 0 STREAMS s $");
    primary.ask("XADD s 3-0 f v");
    assert_eq!(reading.recv(), *r#"[["s", [["3-0", ["f", "v"]]]]]"#);
}

#[test]
fn what_is_behind_a_wait_waits_and_a_pause_holds_it_back() {
    let server = with_group();
    let mut conn = server.connect();
    let wire: Vec<u8> = ["XREAD BLOCK 0 STREAMS s $", "XLEN s"].iter().flat_map(|line| Conn::encode(&common::words(line))).collect();
    conn.send(&wire);
    wait_until(|| server.info("blocked_clients") == "1");
    server.ask("CLIENT PAUSE 100000 WRITE");
    let mut adding = server.connect();
    adding.send_cmd(&["XADD", "s", "1-0", "f", "v"]);
    wait_until(|| server.info("blocked_clients") == "2");
    server.ask("CLIENT UNPAUSE");
    assert_eq!(conn.recv(), *r#"[["s", [["1-0", ["f", "v"]]]]]"#);
    assert_eq!((conn.recv(), adding.recv().text()), (common::Value::Int(1), "1-0".into()));
}

#[test]
fn an_entry_of_a_worker_that_died_is_claimed_by_one_that_waits() {
    let server = with_group();
    server.ask("XADD s 1-0 f v");
    server.ask("XREADGROUP GROUP g dead STREAMS s >");
    let mut waiting = server.wait_in("XREADGROUP GROUP g alive BLOCK 0 CLAIM 300 STREAMS s >");
    let reply = waiting.recv().to_string();
    assert!(reply.starts_with(r#"[["s", [["1-0", ["f", "v"], "#) && reply.ends_with(", 1]]]]"), "{reply}");
    assert_eq!(server.ask("XPENDING s g"), *r#"[1, "1-0", "1-0", [["alive", "1"]]]"#);
}
