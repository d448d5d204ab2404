//! MIGRATE: to another of us, to a real redis-server, and to servers that do not do what they should.

mod common;

use common::{Conn, PATIENCE, Server, Value, wait_until};
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    time::{Duration, Instant},
};

const READING: &str = "-IOERR error or timeout reading from target instance";
const REFUSED: &str = "-IOERR error or timeout writing to target instance";
const EVERYTHING: [&str; 6] = ["int", "text", "list", "set", "hash", "zset"];

/// A key of each type, and some with deadlines.
fn fill(conn: &mut Conn) {
    for line in [
        "SET int 12345",
        "SET text hello PX 100000",
        "RPUSH list a b c",
        "SADD set 1 2 3 x",
        "HSET hash f 1 g 2",
        "EXPIRE hash 1000",
        "ZADD zset 1 a 2.5 b",
    ] {
        assert!(!matches!(conn.run(line), Value::Error(_)), "{line}");
    }
}

/// A server that accepts and says what a test has it say.
struct Fake {
    listener: TcpListener,
    port: u16,
}

impl Fake {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        Self { listener, port }
    }

    fn accept(&self) -> TcpStream {
        let (stream, _) = self.listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }
}

/// Reads until `count` requests of this name have come.
fn hear(stream: &mut TcpStream, name: &str, count: usize) {
    let (mut heard, mut buf) = (Vec::new(), [0; 4096]);
    while String::from_utf8_lossy(&heard).matches(name).count() < count {
        let n = stream.read(&mut buf).expect("bytes");
        assert!(n > 0, "the end instead of {name}");
        heard.extend_from_slice(&buf[..n]);
    }
}

#[test]
fn every_type_arrives_with_its_deadline() {
    for target in [Server::start(&[]), Server::redis(&[])] {
        let source = Server::start(&[]);
        let (mut here, mut there) = (source.connect(), target.connect());
        there.run("SELECT 3");
        fill(&mut here);
        let (one, others) = (EVERYTHING[0], EVERYTHING[1..].join(" "));
        let to = format!("MIGRATE 127.0.0.1 {}", target.port);
        assert_eq!(here.run(&format!("{to} {one} 3 5000")).to_string(), "OK");
        assert_eq!(here.run(&format!("{to} \"\" 3 5000 REPLACE KEYS none {others} none")).to_string(), "OK");
        assert_eq!((here.run("DBSIZE").int(), there.run("DBSIZE").int()), (0, EVERYTHING.len() as i64));
        assert_eq!(there.run("MGET int text").to_string(), r#"["12345", "hello"]"#);
        assert_eq!(there.run("SMISMEMBER set 1 2 3 x").to_string(), "[1, 1, 1, 1]");
        assert_eq!(there.run("LRANGE list 0 -1").to_string(), r#"["a", "b", "c"]"#);
        assert_eq!(there.run("ZRANGE zset 0 -1 WITHSCORES").to_string(), r#"["a", "1", "b", "2.5"]"#);
        assert_eq!(there.run("HGET hash g").text(), "2");
        assert!((90_000..=100_000).contains(&there.run("PTTL text").int()));
        assert!((990..=1000).contains(&there.run("TTL hash").int()));
        for key in EVERYTHING {
            assert_eq!(there.cmd(&["TTL", key]).int() > 0, key == "hash" || key == "text", "{key}");
        }
        assert_eq!(source.info("migrate_cached_sockets"), "1");
    }
}

#[test]
fn a_large_value_arrives_whole() {
    let (source, target) = (Server::start(&[]), Server::start(&[]));
    let mut here = source.connect();
    let value: String = (0..5_000_000).map(|i: u32| char::from(b'a' + (i.wrapping_mul(2_654_435_761) >> 24) as u8 % 26)).collect();
    here.cmd(&["SET", "large", &value]);
    assert_eq!(here.run(&format!("MIGRATE 127.0.0.1 {} large 0 20000", target.port)).to_string(), "OK");
    assert!(target.ask("GET large").text() == value);
    assert_eq!(source.ask("EXISTS large").int(), 0);
}

#[test]
fn copies_stay_and_only_replace_overwrites() {
    let (source, target) = (Server::start(&[]), Server::start(&[]));
    let (mut here, mut there) = (source.connect(), target.connect());
    here.run("SET k new");
    there.run("SET k old");
    let to = format!("MIGRATE 127.0.0.1 {} k 0 5000", target.port);
    let busy = "-ERR Target instance replied with error: BUSYKEY Target key name already exists.";
    assert_eq!(here.run(&format!("{to} COPY")).to_string(), busy);
    assert_eq!(here.run(&to).to_string(), busy);
    assert_eq!(here.run("GET k").text(), "new");
    assert_eq!(here.run(&format!("{to} copy replace")).to_string(), "OK");
    assert_eq!((here.run("GET k").text(), there.run("GET k").text()), ("new".into(), "new".into()));
    // Another database goes by the same connection.
    assert_eq!(here.run(&format!("MIGRATE 127.0.0.1 {} k 5 5000", target.port)).to_string(), "OK");
    there.run("SELECT 5");
    assert_eq!(there.run("GET k").text(), "new");
    assert_eq!(here.run("EXISTS k").int(), 0);
    assert_eq!(source.info("migrate_cached_sockets"), "1");
}

#[test]
fn only_what_was_acknowledged_is_deleted_and_replicas_hear_of_it_once() {
    let (source, target) = (Server::start(&["--repl-diskless-sync-delay", "0", "--notify-keyspace-events", "KEA"]), Server::start(&[]));
    let replica = Server::start(&["--replicaof", &format!("127.0.0.1 {}", source.port)]);
    wait_until(|| replica.info("master_link_status") == "up");
    let mut here = source.connect();
    here.run("MSET a 1 b 2 c 3 d 4");
    wait_until(|| replica.ask("DBSIZE").int() == 4);
    target.ask("SET b busy");
    let mut monitor = replica.connect();
    assert_eq!(monitor.run("MONITOR").to_string(), "OK");
    let mut events = source.connect();
    events.run("SUBSCRIBE __keyevent@0__:del");
    let dirty: u64 = source.info("rdb_changes_since_last_save").parse().unwrap();
    let reply = here.run(&format!("MIGRATE 127.0.0.1 {} \"\" 0 5000 KEYS a b c missing", target.port));
    assert_eq!(reply.to_string(), "-ERR Target instance replied with error: BUSYKEY Target key name already exists.");
    assert_eq!(here.run("MGET a b c d").to_string(), r#"[nil, "2", nil, "4"]"#);
    assert_eq!(source.info("rdb_changes_since_last_save"), (dirty + 2).to_string());
    for key in ["a", "c"] {
        assert_eq!(events.recv().items()[2].text(), key);
    }
    assert_eq!(here.run("WAIT 1 5000").int(), 1);
    wait_until(|| replica.ask("DBSIZE").int() == 2);
    let mut seen = String::new();
    while !seen.contains(r#""DEL" "a" "c""#) {
        seen = monitor.recv().text();
    }
    assert_eq!(
        replica.ask(&format!("MIGRATE 127.0.0.1 {} d 0 5000", target.port)).text(),
        "READONLY You can't write against a read only replica."
    );
    assert_eq!(source.info("errorstat_ERR"), "count=1");
    assert!(source.info("cmdstat_migrate").contains("calls=1,") && source.info("cmdstat_migrate").contains("failed_calls=1"));
}

#[test]
fn passwords_are_said_and_not_shown() {
    for target in [Server::start(&["--requirepass", "secret"]), Server::redis(&["--requirepass", "secret"])] {
        let source = Server::start(&["--slowlog-log-slower-than", "0"]);
        let mut monitor = source.connect();
        monitor.run("MONITOR");
        let mut here = source.connect();
        here.run("SET k 1");
        let to = format!("MIGRATE 127.0.0.1 {} k 0 5000", target.port);
        assert_eq!(here.run(&to).to_string(), "-ERR Target instance replied with error: NOAUTH Authentication required.");
        for wrong in ["AUTH wrong", "AUTH2 default wrong"] {
            let reply = here.run(&format!("{to} {wrong}")).text();
            assert!(reply.starts_with("ERR Target instance replied with error: WRONGPASS "), "{reply}");
        }
        assert_eq!(here.run(&format!("{to} COPY AUTH secret")).to_string(), "OK");
        assert_eq!(here.run(&format!("{to} REPLACE AUTH2 default secret")).to_string(), "OK");
        assert_eq!(here.run("EXISTS k").int(), 0);
        let log = here.run("SLOWLOG GET -1").to_string();
        assert!(log.contains(r#""AUTH2", "(redacted)", "(redacted)""#) && log.contains(r#""AUTH", "(redacted)""#), "{log}");
        assert!(!log.contains("secret") && !log.contains("wrong"), "{log}");
        here.run("PING");
        let mut seen = String::new();
        while !seen.contains("PING") {
            seen = monitor.recv().text();
            assert!(!seen.contains("secret") && !seen.contains("wrong"), "{seen}");
        }
    }
}

#[test]
fn arguments_are_judged_as_redis_judges_them() {
    let (ours, redis) = (Server::start(&[]), Server::redis(&[]));
    let (mut ours, mut redis) = (ours.connect(), redis.connect());
    for conn in [&mut ours, &mut redis] {
        conn.run("SET k v");
    }
    for line in [
        "MIGRATE",
        "MIGRATE h 1 k 0",
        "MIGRATE h 1 none 0 5",
        "MIGRATE h 1 none 0 5 COPY REPLACE AUTH x",
        "MIGRATE h 1 k 0 x",
        "MIGRATE h 1 k x 5",
        "MIGRATE h 1 k x x NONSENSE",
        "MIGRATE h 1 k 0 5 AUTH",
        "MIGRATE h 1 k 0 5 AUTH2 user",
        "MIGRATE h 1 k 0 5 KEYS a",
        "MIGRATE h 1 \"\" 0 5 KEYS",
        "MIGRATE h 1 \"\" 0 5 KEYS a b",
        "MIGRATE 127.0.0.1 1 k 0 500",
        "MIGRATE 127.0.0.1 nonsense k 0 500",
        "MIGRATE 127.0.0.1 -1 k 0 500",
        "MIGRATE no-such-host.invalid 1 k 0 5000",
        "COMMAND GETKEYS MIGRATE h 1 k 0 5",
        "COMMAND GETKEYS MIGRATE h 1 \"\" 0 5 COPY AUTH keys KEYS a b",
        "COMMAND GETKEYSANDFLAGS MIGRATE h 1 \"\" 0 5 KEYS a b",
        "COMMAND GETKEYS MIGRATE h 1 k 0 5 KEYS a b",
    ] {
        assert_eq!(ours.run(line).to_string(), redis.run(line).to_string(), "{line}");
    }
    let shown = |conn: &mut Conn| conn.run("COMMAND INFO migrate").items()[0].items();
    let (mut here, mut there) = (shown(&mut ours), shown(&mut redis));
    for row in [&mut here, &mut there] {
        for sets in [2, 6] {
            let mut words: Vec<String> = row[sets].items().iter().map(Value::text).collect();
            words.sort();
            row[sets] = Value::Simple(words.join(" "));
        }
    }
    assert_eq!(format!("{:?}", &here[..7]), format!("{:?}", &there[..7]));
    assert_eq!(here[2].text(), "movablekeys write");
}

#[test]
fn while_the_target_says_nothing_reads_go_on_and_writes_wait() {
    let (source, fake) = (Server::start(&[]), Fake::new());
    let (mut mover, mut reader, mut writer) = (source.connect(), source.connect(), source.connect());
    mover.run("SET k 1");
    mover.run("SET gone 1 PX 60");
    let begun = Instant::now();
    mover.send(&Conn::encode(&["MIGRATE", "127.0.0.1", &fake.port.to_string(), "k", "0", "700"]));
    mover.send(&Conn::encode(&["PING"]));
    let mut silent = fake.accept();
    hear(&mut silent, "RESTORE", 1);
    writer.send(&Conn::encode(&["SET", "k", "2"]));
    assert_eq!(reader.run("GET k").text(), "1");
    assert_eq!(reader.run("CLIENT LIST TYPE normal").text().lines().count(), 3, "the other server is no client");
    assert_eq!(source.info("blocked_clients"), "1", "who writes waits");
    assert_eq!(source.info("migrate_cached_sockets"), "1");
    wait_until(|| reader.run("EXISTS gone").int() == 0);
    assert_eq!(reader.run("DBSIZE").int(), 2, "what is past its deadline is hidden, and stays");
    assert!(writer.try_recv(Duration::from_millis(50)).is_none());
    assert_eq!(mover.recv().to_string(), READING);
    assert!(begun.elapsed() >= Duration::from_millis(700));
    assert_eq!(mover.recv().text(), "PONG", "what is behind it waits for it");
    assert_eq!(writer.recv().to_string(), "OK");
    assert_eq!(reader.run("GET k").text(), "2");
    wait_until(|| reader.run("DBSIZE").int() == 1);
    wait_until(|| source.info("migrate_cached_sockets") == "0");
}

#[test]
fn a_target_that_ends_midway_keeps_what_it_has_acknowledged() {
    let (source, fake) = (Server::start(&[]), Fake::new());
    let mut here = source.connect();
    here.run("MSET a 1 b 2");
    here.send(&Conn::encode(&["MIGRATE", "127.0.0.1", &fake.port.to_string(), "", "0", "5000", "KEYS", "a", "b"]));
    let mut stream = fake.accept();
    hear(&mut stream, "RESTORE", 2);
    stream.write_all(b"+OK\r\n+OK\r\n").unwrap();
    drop(stream);
    assert_eq!(here.recv().to_string(), READING);
    assert_eq!(here.run("MGET a b").to_string(), r#"[nil, "2"]"#);

    // Where nothing was acknowledged, once more by another connection.
    let line = format!("MIGRATE 127.0.0.1 {} b 0 5000", fake.port);
    here.send(&Conn::encode(&line.split(' ').collect::<Vec<_>>()));
    drop(fake.accept());
    let mut stream = fake.accept();
    hear(&mut stream, "RESTORE", 1);
    stream.write_all(b"+OK\r").unwrap();
    stream.write_all(b"\n+OK\r\n").unwrap();
    assert_eq!(here.recv().to_string(), "OK");
    here.run("SET b 3");
    // The connection is kept, and so is the database.
    here.send(&Conn::encode(&line.split(' ').collect::<Vec<_>>()));
    hear(&mut stream, "RESTORE", 1);
    drop(stream);
    drop(fake.accept());
    assert_eq!(here.recv().to_string(), READING, "not more than once");
    assert_eq!(here.run("GET b").text(), "3");
}

#[test]
fn what_is_no_answer_is_no_acknowledgement() {
    let (source, fake) = (Server::start(&[]), Fake::new());
    let mut here = source.connect();
    here.run("SET k 1");
    here.send(&Conn::encode(&["MIGRATE", "127.0.0.1", &fake.port.to_string(), "k", "0", "5000"]));
    let mut stream = fake.accept();
    hear(&mut stream, "RESTORE", 1);
    stream.write_all(b"HTTP/1.1 400 Bad Request\r\nServer: none\r\n\r\n").unwrap();
    assert_eq!(here.recv().to_string(), READING);
    assert_eq!(here.run("GET k").text(), "1");
    assert_eq!(stream.read(&mut [0; 16]).unwrap_or(0), 0, "it is closed");
}

#[test]
fn a_kept_connection_whose_server_was_restarted_is_replaced() {
    let (source, mut target) = (Server::start(&[]), Server::start(&[]));
    let mut here = source.connect();
    for _ in 0..3 {
        here.run("SET k 1");
        assert_eq!(here.run(&format!("MIGRATE 127.0.0.1 {} k 0 5000 REPLACE", target.port)).to_string(), "OK");
        target.restart();
    }
    target.kill9();
    here.run("SET k 1");
    assert_eq!(here.run(&format!("MIGRATE 127.0.0.1 {} k 0 5000", target.port)).to_string(), REFUSED);
    assert_eq!(here.run("GET k").text(), "1");
}

#[test]
fn to_oneself_takes_until_the_timeout() {
    let source = Server::start(&[]);
    let mut here = source.connect();
    here.run("SET k 1");
    let begun = Instant::now();
    assert_eq!(here.run(&format!("MIGRATE 127.0.0.1 {} k 0 300", source.port)).to_string(), READING);
    assert!(begun.elapsed() >= Duration::from_millis(300));
    assert_eq!(here.run("GET k").text(), "1");
}

#[test]
fn one_at_a_time() {
    let (source, fake, target) = (Server::start(&[]), Fake::new(), Server::start(&[]));
    let (mut first, mut second) = (source.connect(), source.connect());
    first.run("MSET a 1 b 2");
    first.send(&Conn::encode(&["MIGRATE", "127.0.0.1", &fake.port.to_string(), "a", "0", "5000"]));
    let mut stream = fake.accept();
    second.send(&Conn::encode(&["MIGRATE", "127.0.0.1", &target.port.to_string(), "", "0", "5000", "KEYS", "a", "b"]));
    assert!(second.try_recv(Duration::from_millis(50)).is_none());
    stream.write_all(b"+OK\r\n+OK\r\n").unwrap();
    assert_eq!((first.recv().to_string(), second.recv().to_string()), ("OK".into(), "OK".into()));
    assert_eq!(target.ask("MGET a b").to_string(), r#"[nil, "2"]"#);
}

#[test]
fn a_client_that_leaves_does_not_stop_it() {
    let (source, fake) = (Server::start(&[]), Fake::new());
    let (mut mover, mut other) = (source.connect(), source.connect());
    mover.run("SET k 1");
    let id = mover.run("CLIENT ID").int();
    mover.send(&Conn::encode(&["MIGRATE", "127.0.0.1", &fake.port.to_string(), "k", "0", "5000"]));
    let mut stream = fake.accept();
    assert_eq!(other.run(&format!("CLIENT UNBLOCK {id}")).int(), 0);
    assert_eq!(other.run(&format!("CLIENT KILL ID {id}")).int(), 1);
    hear(&mut stream, "RESTORE", 1);
    stream.write_all(b"+OK\r\n+OK\r\n").unwrap();
    assert_eq!(other.run("SET behind 1").to_string(), "OK");
    assert_eq!(other.run("EXISTS k").int(), 0);
}

#[test]
fn in_a_transaction_nobody_waits() {
    let source = Server::start(&[]);
    let mut here = source.connect();
    here.run("SET k 1");
    here.run("MULTI");
    here.run("MIGRATE 127.0.0.1 1 k 0 5000");
    here.run("GET k");
    let reply = here.run("EXEC");
    assert_eq!(reply.to_string(), r#"[-ERR MIGRATE is not possible inside a transaction: it has to wait for the other server, "1"]"#);
}

#[test]
fn another_role_or_the_end_cuts_it_short() {
    let (mut source, fake, primary) = (Server::start(&[]), Fake::new(), Server::start(&[]));
    let (mut mover, mut other, mut writer) = (source.connect(), source.connect(), source.connect());
    mover.run("MSET a 1 b 2");
    let line = ["MIGRATE", "127.0.0.1", &fake.port.to_string(), "", "0", "60000", "KEYS", "a", "b"].map(str::to_owned);
    let line: Vec<&str> = line.iter().map(String::as_str).collect();
    mover.send(&Conn::encode(&line));
    let mut stream = fake.accept();
    hear(&mut stream, "RESTORE", 2);
    writer.send(&Conn::encode(&["SET", "c", "1"]));
    stream.write_all(b"+OK\r\n+OK\r\n").unwrap();
    // What has been heard of the other server shows in nothing but the outcome, so a while may pass; the reply comes in any case.
    wait_until(|| source.info("blocked_clients") == "1");
    assert_eq!(other.run(&format!("REPLICAOF 127.0.0.1 {}", primary.port)).to_string(), "OK");
    assert_eq!(mover.recv().to_string(), READING);
    assert!(writer.recv().text().starts_with("READONLY"));
    assert_eq!(other.run("REPLICAOF NO ONE").to_string(), "OK");
    wait_until(|| other.run("SET b 2").to_string() == "OK");

    mover.send(&Conn::encode(&["MIGRATE", "127.0.0.1", &fake.port.to_string(), "b", "0", "60000"]));
    let mut stream = fake.accept();
    hear(&mut stream, "RESTORE", 1);
    source.signal("TERM");
    assert_eq!(source.wait(), Some(0));
}
