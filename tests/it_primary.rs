//! A primary and its replicas: real redis-servers, redis-cli, and sockets that speak the protocol by hand.

mod common;
use common::*;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

const DEBUG: [&str; 2] = ["--enable-debug-command", "yes"];

fn primary(args: &[&str]) -> Server {
    Server::start(&[&DEBUG[..], args].concat())
}

/// A real redis-server that replicates `primary`.
fn replica_of(primary: &Server, args: &[&str]) -> Server {
    let of = format!("127.0.0.1 {}", primary.port);
    Server::redis(&[&DEBUG[..], &["--replicaof", &of], args].concat())
}

fn in_step(replica: &Server) -> bool {
    replica.info("master_link_status") == "up"
}

/// Waits until the two hold the same, which is to be when all keys that were about to expire have, and everything logged is applied.
#[track_caller]
fn assert_same(primary: &Server, replica: &Server) {
    let digest = |server: &Server| server.ask("DEBUG DIGEST").text();
    let offsets = || (replica.info("slave_repl_offset"), primary.info("master_repl_offset"));
    let deadline = Instant::now() + PATIENCE;
    while !in_step(replica) || offsets().0 != offsets().1 || digest(replica) != digest(primary) {
        assert!(Instant::now() < deadline, "offsets {:?}, {}", offsets(), differences(primary, replica));
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The keys that two servers hold differently, for a person.
fn differences(one: &Server, other: &Server) -> String {
    let mut found = String::new();
    let (mut a, mut b) = (one.connect(), other.connect());
    for db in 0..16 {
        let select = ["SELECT".to_owned(), db.to_string()];
        a.cmd(&select);
        b.cmd(&select);
        let mut keys = a.run("KEYS *").sorted();
        keys.extend(b.run("KEYS *").sorted());
        keys.sort();
        keys.dedup();
        for key in keys {
            let state = |conn: &mut Conn| format!("{} {}", conn.cmd(&["GET", &key]), conn.cmd(&["PEXPIRETIME", &key]));
            let (a, b) = (state(&mut a), state(&mut b));
            if a != b {
                found += &format!("{db}:{key} is {a} and {b}\n");
            }
        }
    }
    found
}

/// Several databases, some keys with deadlines, one value that is long.
fn fill(server: &Server, keys: usize) {
    let mut conn = server.connect();
    for db in [0, 3, 9] {
        conn.cmd(&["SELECT", &db.to_string()]);
        let mut batch = Vec::new();
        for i in 0..keys {
            let (key, value) = (format!("key:{i}"), format!("value of {i} in {db}"));
            let set = ["SET", &key, &value, "EX", "10000"];
            batch.extend(Conn::encode(&set[..if i % 3 == 0 { 5 } else { 3 }]));
        }
        conn.send(&batch);
        (0..keys).for_each(|_| assert_eq!(conn.recv(), *"OK"));
    }
    let noise: Vec<u8> = (0..300_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    conn.cmd(&[b"SET", &b"long"[..], &noise]);
}

/// Writes of every kind, until told to stop; returns how many.
fn keep_writing(server: &Server, stop: &AtomicBool) -> u64 {
    let mut conn = server.connect();
    let mut n = 0;
    while !stop.load(Relaxed) {
        n += 1;
        let key = format!("key:{}", n % 3001);
        conn.cmd(&["SELECT", ["0", "3", "12"][n as usize % 3]]);
        match n % 9 {
            0 => conn.cmd(&["SET", &key, &n.to_string(), "PX", "20"]),
            1 => conn.cmd(&["DEL", &key]),
            2 => conn.cmd(&["APPEND", &key, "more"]),
            3 if n % 2 == 0 => conn.cmd(&["GETEX", &key, "PERSIST"]),
            3 => conn.cmd(&["EXPIRE", &key, "1000"]),
            4 => conn.cmd(&["INCRBYFLOAT", &format!("f{}", n % 7), "0.1"]),
            5 => conn.cmd(&["RENAME", &key, "renamed"]),
            6 => {
                conn.run("MULTI");
                conn.cmd(&["SET", &key, "in a transaction"]);
                conn.cmd(&["INCR", "counter"]);
                conn.run("EXEC")
            }
            7 if n % 504 == 7 => conn.run("SWAPDB 3 12"),
            7 if n % 1512 == 511 => conn.run("FLUSHDB"),
            7 => conn.cmd(&["COPY", &key, "copied", "DB", "5", "REPLACE"]),
            _ => conn.cmd(&["SET", &key, &"x".repeat(n as usize % 500)]),
        };
    }
    n
}

/// While `what` runs, somebody writes all the time.
fn under_writes(server: &Server, what: impl FnOnce()) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| keep_writing(server, &stop));
        what();
        stop.store(true, Relaxed);
        assert!(writer.join().expect("the writer") > 0);
    });
}

/// A replica's connection, by hand.
struct Raw {
    stream: BufReader<TcpStream>,
}

impl Raw {
    fn connect(server: &Server) -> Raw {
        let stream = TcpStream::connect(server.address()).expect("connect");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Raw { stream: BufReader::new(stream) }
    }

    #[track_caller]
    fn say(&mut self, line: &str) {
        let stream = self.stream.get_mut();
        stream.write_all(format!("{line}\r\n").as_bytes()).expect("send");
    }

    #[track_caller]
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("a line");
        line.trim_end_matches(['\r', '\n']).to_owned()
    }

    #[track_caller]
    fn ask(&mut self, line: &str) -> String {
        self.say(line);
        self.line()
    }

    fn take(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.stream.read_exact(&mut bytes).expect("bytes");
        bytes
    }

    /// The snapshot's bytes, however their end is told.
    fn snapshot(&mut self) -> Vec<u8> {
        let mut header = self.line();
        while header.is_empty() {
            header = self.line();
        }
        let Some(mark) = header.strip_prefix("$EOF:") else {
            let len = header.strip_prefix('$').and_then(|len| len.parse().ok());
            return self.take(len.unwrap_or_else(|| panic!("no length in {header:?}")));
        };
        assert_eq!(mark.len(), 40);
        let mut bytes = Vec::new();
        while !bytes.ends_with(mark.as_bytes()) {
            bytes.extend(self.take(1));
        }
        bytes.truncate(bytes.len() - 40);
        bytes
    }

    /// The next command of the log, its words with blanks between.
    fn command(&mut self) -> String {
        let count = self.line().strip_prefix('*').and_then(|n| n.parse().ok()).expect("a count");
        let words: Vec<String> = (0..count)
            .map(|_| {
                let len: usize = self.line().strip_prefix('$').and_then(|n| n.parse().ok()).expect("a length");
                let word = self.take(len);
                assert_eq!(self.take(2), b"\r\n");
                String::from_utf8_lossy(&word).into_owned()
            })
            .collect();
        words.join(" ")
    }

    /// Whether nothing comes for so long. For what must not be sent, there is nothing else to wait for.
    fn is_silent(&mut self, for_ms: u64) -> bool {
        self.stream.get_mut().set_read_timeout(Some(Duration::from_millis(for_ms))).unwrap();
        let silent = self.stream.fill_buf().is_err();
        self.stream.get_mut().set_read_timeout(Some(PATIENCE)).unwrap();
        silent
    }

    fn is_closed(&mut self) -> bool {
        !matches!(self.stream.fill_buf(), Ok(bytes) if !bytes.is_empty())
    }
}

/// Id and offset that FULLRESYNC names.
#[track_caller]
fn full(line: &str) -> (String, u64) {
    match *line.split(' ').collect::<Vec<_>>() {
        ["+FULLRESYNC", id, offset] if id.len() == 40 => (id.to_owned(), offset.parse().expect("an offset")),
        _ => panic!("{line}"),
    }
}

#[test]
fn a_replica_gets_everything_while_writes_go_on() {
    let primary = primary(&[]);
    fill(&primary, 5000);
    under_writes(&primary, || {
        let replica = replica_of(&primary, &[]);
        wait_until(|| in_step(&replica));
        let offset: u64 = primary.info("master_repl_offset").parse().unwrap();
        wait_until(|| replica.info("slave_repl_offset").parse::<u64>().unwrap() > offset + 10_000);
    });
    let replica = replica_of(&primary, &["--repl-diskless-load", "swapdb"]);
    assert_same(&primary, &replica);
    assert_eq!(primary.info("sync_full"), "2");
}

#[test]
fn two_replicas_at_once_each_have_a_snapshot_of_their_own() {
    let primary = primary(&[]);
    fill(&primary, 20_000);
    let mut replicas = Vec::new();
    under_writes(&primary, || {
        replicas.push(replica_of(&primary, &[]));
        replicas.push(replica_of(&primary, &["--repl-diskless-load", "on-empty-db"]));
        wait_until(|| replicas.iter().all(in_step));
    });
    replicas.iter().for_each(|replica| assert_same(&primary, replica));
    assert_eq!(primary.info("connected_slaves"), "2");
    for (field, replica) in ["slave0", "slave1"].iter().zip(&replicas) {
        let line = primary.info(field);
        let port = replicas.iter().any(|r| line.starts_with(&format!("ip=127.0.0.1,port={},state=online,offset=", r.port)));
        assert!(port, "{line} for {}", replica.port);
    }
    assert_eq!(primary.ask("ROLE").items()[2].items().len(), 2);
    assert_eq!(primary.ask("CLIENT LIST TYPE replica").text().matches(" flags=S ").count(), 2);
}

#[test]
fn a_link_that_was_cut_goes_on_where_it_was() {
    let primary = primary(&[]);
    fill(&primary, 100);
    let replica = replica_of(&primary, &[]);
    wait_until(|| in_step(&replica));
    under_writes(&primary, || {
        for cuts in 1..=5 {
            // The writes behind it in the pipeline come while the link is down.
            primary.connect().send(b"CLIENT KILL TYPE replica\r\nSET while down\r\nSELECT 5\r\nINCR cuts\r\n");
            wait_until(|| primary.info("sync_partial_ok") == cuts.to_string());
            wait_until(|| in_step(&replica));
        }
    });
    assert_same(&primary, &replica);
    assert_eq!((primary.info("sync_full"), primary.info("sync_partial_err")), ("1".into(), "0".into()));
    // What the backlog does not hold any more is got anew.
    primary.ask("CONFIG SET repl-backlog-size 20000");
    replica.signal("STOP");
    primary.ask("CLIENT KILL TYPE replica");
    let mut conn = primary.connect();
    (0..20).for_each(|i| assert_eq!(conn.cmd(&["SET", &format!("big:{i}"), &"y".repeat(20_000)]), *"OK"));
    replica.signal("CONT");
    wait_until(|| primary.info("sync_full") == "2");
    assert_eq!(primary.info("sync_partial_err"), "1");
    assert_same(&primary, &replica);
}

#[test]
fn keys_go_on_the_replica_when_they_go_on_the_primary() {
    let primary = primary(&[]);
    let replica = replica_of(&primary, &[]);
    wait_until(|| in_step(&replica));
    let mut conn = primary.connect();
    replies!(conn, "SET a 1 PX 50" => "OK", "SET b 2 PX 50" => "OK", "SET c 3" => "OK", "WAIT 1 10000" => "1");
    // DBSIZE counts keys that are past their deadline and not deleted.
    wait_until(|| replica.ask("DBSIZE").int() == 1);
    assert_same(&primary, &replica);
    replies!(conn, "FLUSHALL" => "OK", "SET d 4" => "OK", "SELECT 2" => "OK", "MOVE x 1" => "0", "SWAPDB 0 2" => "OK");
    assert_same(&primary, &replica);
    assert_eq!(primary.info("expired_keys"), "2");
}

#[test]
fn wait_counts_replicas_and_gives_up_in_time() {
    let primary = primary(&[]);
    let mut conn = primary.connect();
    let wait = |conn: &mut Conn, line: &str| {
        let started = Instant::now();
        (conn.run(line).int(), started.elapsed())
    };
    replies!(conn, "SET k v" => "OK", "WAIT 0 0" => "0");
    let (count, took) = wait(&mut conn, "WAIT 1 60");
    assert_eq!(count, 0);
    assert!(took >= Duration::from_millis(60) && took < Duration::from_millis(500), "{took:?}");
    let replica = replica_of(&primary, &[]);
    wait_until(|| in_step(&replica));
    replies!(conn, "SET k w" => "OK", "WAIT 1 0" => "1", "WAIT -1 0" => "1", "MULTI" => "OK", "WAIT 5 0" => "QUEUED", "EXEC" => "[1]");
    // A replica that stands still acknowledges nothing; what waits meanwhile goes on when it does.
    replica.signal("STOP");
    replies!(conn, "SET k x" => "OK");
    assert_eq!(wait(&mut conn, "WAIT 1 50").0, 0);
    conn.send(b"WAIT 1 0\r\nGET k\r\n");
    assert_eq!(conn.try_recv(Duration::from_millis(50)), None);
    assert_eq!(primary.info("blocked_clients"), "1");
    replica.signal("CONT");
    assert_eq!((conn.recv().int(), conn.recv().text()), (1, "x".into()));
    replies!(
        conn,
        "WAIT x 0" => "-ERR value is not an integer or out of range",
        "WAIT 1 x" => "-ERR timeout is not an integer or out of range",
        "WAIT 1 -1" => "-ERR timeout is negative",
    );
}

#[test]
fn a_client_in_wait_can_be_let_go() {
    let server = primary(&[]);
    let mut conn = server.connect();
    let id = conn.run("CLIENT ID").int();
    for (how, reply) in [("", "0"), (" TIMEOUT", "0"), (" ERROR", "-UNBLOCKED client unblocked via CLIENT UNBLOCK")] {
        conn.send(b"WAIT 3 0\r\nPING\r\n");
        wait_until(|| server.info("blocked_clients") == "1");
        assert_eq!(server.ask(&format!("CLIENT UNBLOCK {id}{how}")).int(), 1);
        assert_eq!(conn.recv(), *reply);
        assert_eq!(conn.recv(), *"PONG");
    }
    assert_eq!(server.ask(&format!("CLIENT UNBLOCK {id}")).int(), 0);
    conn.send(b"WAIT 3 0\r\n");
    wait_until(|| server.info("blocked_clients") == "1");
    drop(conn);
    wait_until(|| server.info("blocked_clients") == "0");
}

#[test]
fn a_snapshot_has_its_length_in_front_where_marks_are_not_understood() {
    let server = primary(&[]);
    fill(&server, 1000);
    let mut raw = Raw::connect(&server);
    let (id, offset) = full(&raw.ask("PSYNC ? -1"));
    assert_eq!(id, server.info("master_replid"));
    let rdb = raw.snapshot();
    assert!(rdb.starts_with(b"REDIS0010"));
    // The log follows at once, and begins with the database.
    let mut conn = server.connect();
    replies!(conn, "SET a 1" => "OK", "GET a" => r#""1""#);
    assert_eq!([raw.command(), raw.command()], ["SELECT 0", "SET a 1"]);
    let behind = server.info("master_repl_offset").parse::<u64>().unwrap() - offset;
    assert_eq!(behind, Conn::encode(&["SELECT", "0"]).len() as u64 + Conn::encode(&["SET", "a", "1"]).len() as u64);
    assert!(server.info("slave0").contains("state=online,offset=0,"));
    raw.say(&format!("REPLCONF ACK {}", offset + behind));
    assert_eq!(conn.run("WAIT 1 0").int(), 1);
    // A real server loads what came.
    let mut other = Server::redis(&[]);
    other.kill9();
    std::fs::write(other.dir.join("dump.rdb"), rdb).unwrap();
    other.restart();
    let digest = |server: &Server| server.ask("DEBUG DIGEST").text();
    assert_eq!(server.ask("DEL a").int(), 1);
    other.args = DEBUG.map(String::from).to_vec();
    other.restart();
    assert_eq!(digest(&other), digest(&server));
}

#[test]
fn nothing_follows_an_end_mark_before_it_is_acknowledged() {
    let server = primary(&[]);
    fill(&server, 10);
    let mut raw = Raw::connect(&server);
    assert_eq!(raw.ask("REPLCONF listening-port 7777 ip-address 10.1.2.3 capa eof capa psync2"), "+OK");
    let (_, offset) = full(&raw.ask("PSYNC ? -1"));
    assert!(raw.snapshot().starts_with(b"REDIS0010"));
    server.ask("SET a 1");
    assert!(raw.is_silent(100));
    assert!(server.info("slave0").starts_with("ip=10.1.2.3,port=7777,state=online,offset=0,lag="));
    raw.say(&format!("REPLCONF ACK {offset}"));
    assert_eq!([raw.command(), raw.command()], ["SELECT 0", "SET a 1"]);
    raw.say("REPLCONF GETACK *");
    assert!(raw.is_silent(50), "only a replica answers this, to its primary");
    // A replica that asks for more than the log has its connection closed.
    raw.say("GET a");
    assert!(raw.is_closed());
    wait_until(|| server.info("connected_slaves") == "0");
}

#[test]
fn the_log_says_what_became_of_it() {
    let server = primary(&[]);
    let mut raw = Raw::connect(&server);
    full(&raw.ask("PSYNC ? -1"));
    raw.snapshot();
    let mut conn = server.connect();
    let mut commands = |line: &str, expected: &[&str]| {
        conn.send(format!("{}\r\n", line.replace("; ", "\r\n")).as_bytes());
        for expected in expected {
            let mut command = raw.command();
            if let Some((front, moment)) = command.rsplit_once(" 1") {
                // Moments are not compared.
                if moment.len() == 12 {
                    command = format!("{front} <moment>");
                }
            }
            assert_eq!(command, *expected, "{line}");
        }
    };
    commands("SET k v EX 100; GET k; DEL nothing", &["SELECT 0", "SET k v PXAT <moment>"]);
    commands("EXPIRE k 50; GETEX k PX 9000; GETEX k PERSIST", &["PEXPIREAT k <moment>", "PEXPIREAT k <moment>", "PERSIST k"]);
    commands("EXPIRE k -1; SETEX k 5 v; GETDEL k", &["DEL k", "SET k v PXAT <moment>", "DEL k"]);
    commands("INCRBYFLOAT f 1.5; SELECT 4; SET a b; SET c d", &["SET f 1.5 KEEPTTL", "SELECT 4", "SET a b", "SET c d"]);
    commands("MULTI; SET a 1; GET a; INCR a; SELECT 0; INCR b; EXEC", &["MULTI", "SET a 1", "INCR a", "SELECT 0", "INCR b", "EXEC"]);
    commands("MULTI; GET a; SET a 1; EXEC", &["SET a 1"]);
    commands("FLUSHDB; SET x y NX; SET x z NX", &["FLUSHDB", "SET x y NX"]);
    commands("SET p 1 PX 1", &["SET p 1 PXAT <moment>", "DEL p"]);
}

#[test]
fn who_can_go_on_and_who_cannot() {
    let server = primary(&[]);
    let mut first = Raw::connect(&server);
    let (id, offset) = full(&first.ask("PSYNC ? -1"));
    first.snapshot();
    server.ask("SET a 1");
    let end: u64 = server.info("master_repl_offset").parse().unwrap();
    let psync = |id: &str, from: i64, capa: bool| {
        let mut raw = Raw::connect(&server);
        if capa {
            assert_eq!(raw.ask("REPLCONF capa psync2"), "+OK");
        }
        let line = raw.ask(&format!("PSYNC {id} {from}"));
        (raw, line)
    };
    let (mut raw, line) = psync(&id, offset as i64 + 1, false);
    assert_eq!(line, "+CONTINUE");
    assert_eq!([raw.command(), raw.command()], ["SELECT 0", "SET a 1"]);
    let (mut raw, line) = psync(&id.to_uppercase(), end as i64 + 1, true);
    assert_eq!(line, format!("+CONTINUE {id}"));
    server.ask("SET b 2");
    assert_eq!(raw.command(), "SET b 2");
    for (id, from) in [(id.as_str(), end as i64 + 1000), (&id, -5), (&id, i64::MIN), ("0123456789", 1), (&"0".repeat(40), 1)] {
        full(&psync(id, from, true).1);
    }
    assert_eq!(server.info("sync_partial_ok"), "2");
    assert_eq!(server.info("sync_partial_err"), "5");
    let mut raw = Raw::connect(&server);
    assert_eq!(raw.ask("PSYNC ? x"), "-ERR value is not an integer or out of range");
    assert_eq!(raw.ask("PSYNC ? -1 FAILOVER"), "-ERR PSYNC FAILOVER can't be sent to a master.");
    raw.say("PING\r\nPSYNC ? -1");
    assert_eq!([raw.line(), raw.line()], ["+PONG", "-ERR SYNC and PSYNC are invalid with pending output"]);
}

#[test]
fn replconf_is_particular() {
    let ours = primary(&[]);
    let real = Server::redis(&[]);
    let long = "a".repeat(300);
    let lines = [
        "REPLCONF",
        "REPLCONF listening-port",
        "REPLCONF listening-port x",
        "REPLCONF listening-port 5 capa whatever",
        &format!("REPLCONF ip-address {long}"),
        "REPLCONF rdb-only 2",
        "REPLCONF rdb-only 1 rdb-only 0",
        "REPLCONF rdb-filter-only data",
        "REPLCONF rdb-filter-only functions",
        "REPLCONF bogus 1",
        "SYNC",
    ];
    for line in lines {
        let ask = |server: &Server| Raw::connect(server).ask(line);
        if line != "SYNC" {
            assert_eq!(ask(&ours), ask(&real), "{line}");
        }
    }
    // A snapshot without data has to be streamed.
    let mut raw = Raw::connect(&ours);
    assert_eq!(raw.ask("REPLCONF rdb-filter-only functions"), "+OK");
    assert_eq!(raw.ask("SYNC"), "-ERR Filtered replica requires EOF capability");
    assert_eq!(raw.ask("REPLCONF capa eof"), "+OK");
    ours.ask("SET a 1");
    raw.say("SYNC");
    let snapshot = raw.snapshot();
    let end = snapshot.len() - 9;
    assert!(snapshot.len() < 250 && snapshot[end] == 0xff && snapshot[end - 1] != 0xff, "one end, and a checksum: {snapshot:02x?}");
    // Who wants only the snapshot is let go when it has that.
    let mut raw = Raw::connect(&ours);
    assert_eq!(raw.ask("REPLCONF rdb-only 1"), "+OK");
    full(&raw.ask("PSYNC ? -1"));
    assert!(raw.snapshot().windows(5).any(|w| w == b"\x00\x01a\xc0\x01"));
    assert!(raw.is_closed());
}

#[test]
fn redis_cli_takes_snapshots_and_follows_the_log() {
    let server = primary(&[]);
    fill(&server, 2000);
    let path = server.dir.join("copy.rdb");
    redis_cli(&server, &["--rdb", path.to_str().unwrap()]);
    let checked = run(Command::new("redis-check-rdb").arg(&path));
    assert!(checked.stdout.contains("6001 keys read"), "{checked:?}");
    let mut cli = Command::new("redis-cli")
        .args(["-p", &server.port.to_string(), "--replica"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until(|| server.info("connected_slaves") == "1" && server.info("slave0").contains("state=online"));
    // It takes the first command for the answer to its acknowledgement, as it does with Redis.
    let mut out = BufReader::new(cli.stdout.take().unwrap()).lines();
    let found = (0..20).any(|i| {
        server.ask(&format!("SET seen {i}"));
        out.next().is_some_and(|line| line.is_ok_and(|line| line.contains(r#""set","seen""#) || line.contains(r#""SET","seen""#)))
    });
    cli.kill().unwrap();
    cli.wait().unwrap();
    assert!(found);
    wait_until(|| server.info("connected_slaves") == "0");
}

#[test]
fn writes_are_refused_when_too_few_replicas_keep_up() {
    let server = primary(&["--min-replicas-to-write", "1", "--min-replicas-max-lag", "2"]);
    let mut conn = server.connect();
    const REFUSED: &str = "-NOREPLICAS Not enough good replicas to write.";
    replies!(
        conn,
        "SET a 1" => REFUSED,
        "GET a" => "nil",
        "MULTI" => "OK",
        "GET a" => "QUEUED",
        "SET a 1" => REFUSED,
        "EXEC" => "-EXECABORT Transaction discarded because of previous errors.",
    );
    assert_eq!(server.info("min_slaves_good_slaves"), "0");
    let mut raw = Raw::connect(&server);
    full(&raw.ask("PSYNC ? -1"));
    raw.snapshot();
    wait_until(|| conn.run("SET a 1") == *"OK");
    assert_eq!(server.info("min_slaves_good_slaves"), "1");
    // It says nothing any more.
    wait_until(|| conn.run("SET a 2") == *REFUSED);
    replies!(conn, "CONFIG SET min-replicas-to-write 0" => "OK", "SET a 3" => "OK");
}

#[test]
fn a_silent_replica_is_let_go() {
    let server = primary(&["--repl-timeout", "2", "--repl-ping-replica-period", "1"]);
    let mut raw = Raw::connect(&server);
    full(&raw.ask("PSYNC ? -1"));
    raw.snapshot();
    assert_eq!(raw.command(), "PING");
    wait_until(|| server.info("connected_slaves") == "0");
    assert!(server.log().contains("Disconnecting timedout replica (streaming sync)"));
}

#[test]
fn a_replica_that_takes_nothing_is_let_go() {
    let server = primary(&["--client-output-buffer-limit", "replica", "3mb", "0", "0"]);
    fill(&server, 1000);
    let mut stuck = Raw::connect(&server);
    full(&stuck.ask("PSYNC ? -1"));
    // It reads nothing more: what the kernel does not take stays in the log, up to the limit.
    let mut conn = server.connect();
    let value = "z".repeat(200_000);
    wait_until(|| {
        assert_eq!(conn.cmd(&["SET", "a", &value]), *"OK");
        server.info("connected_slaves") == "0"
    });
    assert!(server.log().contains("closed for overcoming of output buffer limits"));
    // Without it only the backlog is kept.
    let held: u64 = server.info("mem_total_replication_buffers").parse().unwrap();
    assert!(held < 1_500_000, "{held} bytes");
    (0..100).for_each(|_| assert_eq!(conn.cmd(&["SET", "a", &value]), *"OK"));
    let held: u64 = server.info("mem_total_replication_buffers").parse().unwrap();
    assert!(held < 1_500_000, "{held} bytes");
}

#[test]
fn a_snapshot_that_has_to_be_kept_is_kept_within_the_limit() {
    let server = primary(&["--client-output-buffer-limit", "replica", "1mb", "0", "0", "--rdbcompression", "no"]);
    server.ask("DEBUG POPULATE 100000 key 100");
    let mut raw = Raw::connect(&server);
    full(&raw.ask("PSYNC ? -1"));
    wait_until(|| server.info("connected_slaves") == "0");
    assert!(server.log().contains("beyond the replica's output buffer limit"));
    // Where it goes out as it is made there is nothing to be kept.
    let mut raw = Raw::connect(&server);
    assert_eq!(raw.ask("REPLCONF capa eof"), "+OK");
    full(&raw.ask("PSYNC ? -1"));
    assert!(raw.snapshot().len() > 8_000_000);
}

#[test]
fn a_replica_that_leaves_amid_its_snapshot_leaves_nothing_behind() {
    let server = primary(&[]);
    server.ask("DEBUG POPULATE 300000 key 100");
    for _ in 0..5 {
        let mut raw = Raw::connect(&server);
        assert_eq!(raw.ask("REPLCONF capa eof"), "+OK");
        full(&raw.ask("PSYNC ? -1"));
        assert_eq!(raw.take(5), b"$EOF:");
        drop(raw);
        wait_until(|| server.info("connected_slaves") == "0");
    }
    under_writes(&server, || {
        let replica = replica_of(&server, &[]);
        wait_until(|| in_step(&replica));
    });
}

#[test]
fn a_backlog_without_replicas_is_given_up() {
    let server = primary(&["--repl-backlog-ttl", "1"]);
    let mut raw = Raw::connect(&server);
    let (id, _) = full(&raw.ask("PSYNC ? -1"));
    server.ask("SET a 1");
    assert_eq!(server.info("repl_backlog_active"), "1");
    drop(raw);
    wait_until(|| server.info("repl_backlog_active") == "0");
    assert_ne!(server.info("master_replid"), id);
    assert_eq!(server.info("repl_backlog_histlen"), "0");
    let offset = server.info("master_repl_offset");
    server.ask("SET a 2");
    assert_eq!(server.info("master_repl_offset"), offset, "nobody reads");
    full(&Raw::connect(&server).ask(&format!("PSYNC {id} 1")));
}
