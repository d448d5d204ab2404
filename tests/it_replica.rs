//! A replica of a real redis-server, and of another of us: in step, cut off, promoted, and lied to.

mod common;

use common::{Conn, Server, wait_until};
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    time::{Duration, Instant},
};

const FAST: &[&str] = &["--repl-diskless-sync-delay", "0"];

fn redis(args: &[&str]) -> Server {
    let args = [FAST, &["--enable-debug-command", "local"], args].concat();
    Server::redis(&args)
}

fn solod(args: &[&str]) -> Server {
    Server::start(&[&["--enable-debug-command", "local"], args].concat())
}

fn replica_of(primary: &Server, args: &[&str]) -> Server {
    let of = format!("127.0.0.1 {}", primary.port);
    solod(&[&["--replicaof", &of], args].concat())
}

fn wait_for_link(replica: &Server) {
    wait_until(|| replica.info("master_link_status") == "up");
}

fn offset(server: &Server) -> u64 {
    server.info("master_repl_offset").parse().unwrap()
}

/// Waits until everything that the primary has done has been done here, and compares.
#[track_caller]
fn assert_in_step(primary: &Server, replica: &Server) {
    wait_for_link(replica);
    let end = offset(primary);
    wait_until(|| offset(replica) >= end);
    assert_eq!(primary.ask("DEBUG DIGEST").text(), replica.ask("DEBUG DIGEST").text());
}

/// Keys in several databases, some with deadlines.
fn fill(server: &Server, keys: usize) {
    let mut conn = server.connect();
    let mut commands = Vec::new();
    for i in 0..keys {
        let db = (i / 100 % 4 * 3).to_string();
        if i % 100 == 0 {
            commands.extend(Conn::encode(&["SELECT", &db]));
        }
        let (key, value) = (format!("key:{i}"), "v".repeat(i % 300));
        match i % 5 {
            0 => commands.extend(Conn::encode(&["SET", &key, &value, "EX", "10000"])),
            1 => commands.extend(Conn::encode(&["SET", &key, &i.to_string()])),
            _ => commands.extend(Conn::encode(&["SET", &key, &value])),
        }
    }
    commands.extend(Conn::encode(&["ECHO", "done"]));
    conn.send(&commands);
    while conn.recv().text() != "done" {}
}

/// Writes to `server` until told to stop: every command that replicates in a form of its own.
fn write_on(server: &Server, until: impl Fn() -> bool) -> usize {
    let mut conn = server.connect();
    let mut i = 0;
    while !until() {
        for line in [
            format!("SELECT {}", i % 3),
            format!("SET w:{i} {i} PX 5000000"),
            format!("INCRBY counter:{} 3", i % 50),
            format!("APPEND grows:{} xyz", i % 20),
            "MULTI".to_owned(),
            format!("SETRANGE range:{} 5 abc", i % 10),
            format!("DEL w:{}", i / 2),
            "EXEC".to_owned(),
            format!("GETDEL w:{}", i / 3),
            "INCRBYFLOAT float 0.5".to_owned(),
        ] {
            conn.run(&line);
        }
        i += 1;
    }
    i
}

#[test]
fn a_full_synchronisation_from_redis_with_writes_going_on() {
    for diskless in ["yes", "no"] {
        for load in ["disabled", "on-empty-db", "swapdb"] {
            let primary = redis(&["--repl-diskless-sync", diskless]);
            fill(&primary, 20_000);
            let replica = solod(&["--repl-diskless-load", load]);
            replica.ask("SET old data");
            replica.ask(&format!("REPLICAOF 127.0.0.1 {}", primary.port));
            let written = write_on(&primary, || replica.info("master_link_status") == "up");
            assert!(written > 0);
            write_on(&primary, {
                let end = Instant::now() + Duration::from_millis(50);
                move || Instant::now() > end
            });
            assert_in_step(&primary, &replica);
            assert_eq!(replica.ask("EXISTS old").int(), 0);
            assert_eq!(primary.ask("WAIT 1 5000").int(), 1);
            assert_eq!(primary.info("connected_slaves"), "1");
            assert!(primary.info("slave0").contains(&format!("port={},state=online", replica.port)));
        }
    }
}

/// The limit is for what is kept for a replica, and a value on its way is not: it is the keyspace's own.
#[test]
fn a_value_larger_than_a_replicas_output_limit_reaches_it() {
    let primary = solod(&["--client-output-buffer-limit", "replica 1mb 512kb 0", "--repl-backlog-size", "16kb"]);
    for setting in ["yes", "no"] {
        primary.ask(&format!("CONFIG SET rdbcompression {setting}"));
        let mut conn = primary.connect();
        for key in ["a", "b", "c"] {
            assert_eq!(conn.cmd(&["SETRANGE", key, "8388608", "end"]).int(), 8_388_611);
        }
        let long = "v".repeat(2 << 20);
        conn.cmd(&["HSET", "hash", "f", &long, "g", &long]);
        conn.cmd(&["RPUSH", "list", &long, &long]);
        let replica = replica_of(&primary, &[]);
        assert_in_step(&primary, &replica);
        assert_eq!(primary.info("sync_full").parse::<u32>().unwrap(), if setting == "yes" { 1 } else { 2 });
    }
}

#[test]
fn a_link_that_was_cut_goes_on_where_it_was() {
    let primary = redis(&[]);
    fill(&primary, 1000);
    let replica = replica_of(&primary, &[]);
    assert_in_step(&primary, &replica);
    for round in 1..=5 {
        assert_eq!(primary.ask("CLIENT KILL TYPE replica").int(), 1);
        primary.ask("SELECT 7");
        write_on(&primary, {
            let end = Instant::now() + Duration::from_millis(20);
            move || Instant::now() > end
        });
        wait_until(|| primary.info("sync_partial_ok").parse() == Ok(round));
        assert_in_step(&primary, &replica);
    }
    assert_eq!(primary.info("sync_full"), "1");
    // A transaction that is cut in the middle has not happened: its bytes do not count.
    assert_eq!(replica.info("slave_read_repl_offset"), replica.info("slave_repl_offset"));
}

#[test]
fn a_key_lives_exactly_as_long_as_on_the_primary() {
    let primary = redis(&[]);
    let replica = replica_of(&primary, &[]);
    wait_for_link(&replica);
    let mut conn = primary.connect();
    replies!(conn, "SET short v PX 500" => "OK", "SET long v PX 100000" => "OK", "WAIT 1 5000" => "1");
    assert_eq!(primary.ask("PEXPIRETIME short").int(), replica.ask("PEXPIRETIME short").int());
    assert_eq!(primary.ask("PEXPIRETIME long").int(), replica.ask("PEXPIRETIME long").int());
    // Hidden at its deadline, deleted when the primary says so.
    primary.ask("DEBUG SET-ACTIVE-EXPIRE 0");
    wait_until(|| replica.ask("GET short").to_string() == "nil");
    assert_eq!(replica.ask("DBSIZE").int(), 2);
    assert_eq!(replica.info("expired_keys"), "0");
    primary.ask("DEBUG SET-ACTIVE-EXPIRE 1");
    wait_until(|| replica.ask("DBSIZE").int() == 1);
}

#[test]
fn what_a_replica_says_and_refuses() {
    let primary = redis(&[]);
    let replica = replica_of(&primary, &["--replica-priority", "42"]);
    wait_for_link(&replica);
    let role = replica.ask("ROLE").to_string();
    assert!(role.starts_with(&format!(r#"["slave", "127.0.0.1", {}, "connected", "#, primary.port)), "{role}");
    assert_eq!(replica.info("role"), "slave");
    assert_eq!(replica.info("slave_priority"), "42");
    assert_eq!(replica.info("master_replid"), primary.info("master_replid"));
    assert_eq!(replica.ask("CONFIG GET replicaof").to_string(), format!(r#"["replicaof", "127.0.0.1 {}"]"#, primary.port));
    let text = "-READONLY You can't write against a read only replica.";
    assert_eq!(replica.ask("SET a b"), *text);
    let mut conn = replica.connect();
    replies!(conn, "MULTI" => "OK", "GET a" => "QUEUED", "SET a b" => text,
        "EXEC" => "-EXECABORT Transaction discarded because of previous errors.",
        "WAIT 1 1" => "-ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is configured to be \
                       writable (which is not the default) writes to replicas are just local and are not propagated.",
        "FAILOVER" => "-ERR FAILOVER is not valid when server is a replica.");
    let again = replica.ask(&format!("REPLICAOF 127.0.0.1 {}", primary.port));
    assert_eq!(again, *"OK Already connected to specified master");
    replies!(conn, "REPLICAOF 127.0.0.1 65536" => "-ERR Invalid master port", "REPLICAOF a b" => "-ERR Invalid master port");
    // A writable one keeps what it is given to itself.
    replies!(conn, "CONFIG SET replica-read-only no" => "OK", "SET mine 1" => "OK", "GET mine" => r#""1""#);
    assert_eq!(primary.ask("EXISTS mine").int(), 0);
    assert_eq!(replica.ask("REPLICAOF NO ONE"), *"OK");
    assert_eq!(replica.info("role"), "master");
    assert_eq!(replica.ask("SET a b"), *"OK");
}

#[test]
fn without_its_primary_it_serves_what_it_has_or_not() {
    let mut primary = redis(&[]);
    primary.ask("SET a 1");
    let replica = replica_of(&primary, &[]);
    assert_in_step(&primary, &replica);
    primary.kill9();
    wait_until(|| replica.info("master_link_status") == "down");
    assert_eq!(replica.ask("GET a"), *r#""1""#);
    let down: i64 = replica.info("master_link_down_since_seconds").parse().unwrap();
    assert!((0..=20).contains(&down));
    replica.ask("CONFIG SET replica-serve-stale-data no");
    assert_eq!(replica.ask("GET a"), *"-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.");
    assert_eq!(replica.ask("ECHO a"), *r#""a""#);
    assert_eq!(replica.ask("REPLICAOF NO ONE"), *"OK");
    assert_eq!(replica.ask("GET a"), *r#""1""#);
}

#[test]
fn passwords_and_announced_addresses() {
    let primary = redis(&["--requirepass", "sesame", "--masterauth", "sesame"]);
    let mut conn = primary.connect();
    replies!(conn, "AUTH sesame" => "OK", "SET a 1" => "OK");
    let replica = replica_of(&primary, &["--masterauth", "wrong", "--replica-announce-ip", "10.1.2.3", "--replica-announce-port", "777"]);
    wait_until(|| replica.log().contains("Unable to AUTH to MASTER: -WRONGPASS"));
    replica.ask("CONFIG SET masteruser default masterauth sesame");
    wait_for_link(&replica);
    assert_eq!(replica.ask("GET a"), *r#""1""#);
    wait_until(|| conn.run("INFO replication").text().contains("slave0:ip=10.1.2.3,port=777,state=online"));
}

#[test]
fn who_was_promoted_gives_the_others_what_they_lack() {
    let mut primary = solod(FAST);
    fill(&primary, 2000);
    let first = replica_of(&primary, &[]);
    let second = replica_of(&primary, &[]);
    assert_in_step(&primary, &first);
    assert_in_step(&primary, &second);
    assert_eq!(primary.ask("WAIT 2 5000").int(), 2);
    let id = primary.info("master_replid");
    primary.kill9();
    assert_eq!(first.ask("REPLICAOF NO ONE"), *"OK");
    assert_eq!(first.info("master_replid2"), id);
    first.ask("SET since promotion");
    second.ask(&format!("REPLICAOF 127.0.0.1 {}", first.port));
    assert_in_step(&first, &second);
    assert_eq!(first.info("sync_partial_ok"), "1");
    assert_eq!(first.info("sync_full"), "0");
    assert_eq!(second.info("master_replid"), first.info("master_replid"));
}

#[test]
fn a_chain_gets_the_primarys_stream_as_it_is() {
    let primary = redis(&[]);
    fill(&primary, 2000);
    let middle = replica_of(&primary, FAST);
    wait_for_link(&middle);
    let ours = replica_of(&middle, &[]);
    let theirs = redis(&["--replicaof", &format!("127.0.0.1 {}", middle.port)]);
    wait_for_link(&ours);
    wait_for_link(&theirs);
    write_on(&primary, {
        let end = Instant::now() + Duration::from_millis(100);
        move || Instant::now() > end
    });
    primary.connect().cmd(&["SET", "big", &"x".repeat(3 << 20)]);
    assert_in_step(&primary, &middle);
    assert_in_step(&primary, &ours);
    assert_in_step(&primary, &theirs);
    assert_eq!(ours.info("master_replid"), primary.info("master_replid"));
    assert_eq!(ours.info("connected_slaves"), "0");
    assert_eq!(middle.info("connected_slaves"), "2");
    // The link above is cut: those below go on as if nothing had happened.
    primary.ask("CLIENT KILL TYPE replica");
    primary.ask("SET after cut");
    assert_in_step(&primary, &ours);
    assert_in_step(&primary, &theirs);
    assert_eq!(middle.info("sync_full"), "2");
}

#[test]
fn the_walkthrough_of_a_clone() {
    let primary = solod(FAST);
    let replica = replica_of(&primary, &[]);
    wait_for_link(&replica);
    primary.ask("SET foo 123");
    assert_eq!(primary.ask("WAIT 1 1000").int(), 1);
    let mut conn = primary.connect();
    replies!(conn, "SET bar 456" => "OK", "WAIT 1 5000" => "1", "SET baz 789 PX 100" => "OK", "WAIT 1 5000" => "1");
    assert_eq!(replica.ask("GET foo"), *r#""123""#);
    assert_eq!(replica.ask("GET bar"), *r#""456""#);
    wait_until(|| primary.ask("GET baz").to_string() == "nil");
    wait_until(|| replica.ask("GET baz").to_string() == "nil");
    assert_eq!(replica.ask("REPLICAOF NO ONE"), *"OK");
    assert_eq!(replica.info("role"), "master");
    assert_eq!(primary.info("role"), "master");
    wait_until(|| primary.info("connected_slaves") == "0");
}

#[test]
fn a_name_is_looked_up() {
    let primary = redis(&[]);
    primary.ask("SET a 1");
    let replica = solod(&["--replicaof", &format!("localhost {}", primary.port)]);
    assert_in_step(&primary, &replica);
    replica.ask("REPLICAOF no.such.name.invalid 1");
    wait_until(|| replica.log().contains("Error condition on socket for SYNC: "));
    assert_eq!(replica.ask("GET a"), *r#""1""#);
}

#[test]
fn a_restart_goes_on_where_the_file_was_saved() {
    let primary = redis(&[]);
    fill(&primary, 1000);
    let mut replica = replica_of(&primary, &[]);
    assert_in_step(&primary, &replica);
    assert_eq!(replica.ask("SAVE"), *"OK");
    primary.ask("SET meanwhile 1");
    replica.restart();
    assert_in_step(&primary, &replica);
    assert_eq!(primary.info("sync_full"), "1");
    assert_eq!(primary.info("sync_partial_ok"), "1");
}

#[test]
fn failover_hands_the_role_over_without_a_lost_write() {
    let primary = solod(FAST);
    fill(&primary, 1000);
    let mut conn = primary.connect();
    replies!(conn, "FAILOVER" => "-ERR FAILOVER requires connected replicas.", "FAILOVER ABORT" => "-ERR No failover in progress.",
        "FAILOVER TIMEOUT 0" => "-ERR FAILOVER timeout must be greater than 0");
    let replica = replica_of(&primary, FAST);
    assert_in_step(&primary, &replica);
    wait_until(|| primary.info("slave0").contains("state=online"));
    replies!(conn, "FAILOVER TO 127.0.0.1 1" => "-ERR FAILOVER target HOST and PORT is not a replica.",
        "FAILOVER FORCE" => "-ERR FAILOVER with force option requires both a timeout and target HOST and IP.");
    conn.run("SET last write");
    assert_eq!(conn.run(&format!("FAILOVER TO 127.0.0.1 {} TIMEOUT 20000", replica.port)), *"OK");
    wait_until(|| primary.info("role") == "slave" && replica.info("role") == "master");
    wait_until(|| primary.info("master_failover_state") == "no-failover");
    replica.ask("SET next write");
    assert_in_step(&replica, &primary);
    assert_eq!(primary.ask("GET last"), *r#""write""#);
    assert_eq!(replica.info("sync_full"), "0");
    assert_eq!(primary.ask("SET a b"), *"-READONLY You can't write against a read only replica.");
}

#[test]
fn a_failover_that_cannot_be_is_given_up() {
    let primary = solod(FAST);
    let replica = replica_of(&primary, &[]);
    assert_in_step(&primary, &replica);
    wait_until(|| primary.info("slave0").contains("state=online"));
    replica.signal("STOP");
    let mut conn = primary.connect();
    replies!(conn, "SET a 1" => "OK", "FAILOVER TIMEOUT 200" => "OK");
    // Writes wait meanwhile, and go on afterwards.
    conn.send_cmd(&["SET", "b", "2"]);
    assert_eq!(primary.info("master_failover_state"), "waiting-for-sync");
    assert_eq!(conn.recv(), *"OK");
    assert_eq!(primary.info("master_failover_state"), "no-failover");
    assert_eq!(primary.info("role"), "master");
    replies!(conn, "FAILOVER" => "OK", "FAILOVER" => "-ERR FAILOVER already in progress.",
        "REPLICAOF NO ONE" => "-ERR REPLICAOF not allowed while failing over.", "FAILOVER ABORT" => "OK", "SET c 3" => "OK");
    replica.signal("CONT");
    assert_in_step(&primary, &replica);
}

/// A primary that says what it is told to, once asked for a synchronisation.
fn lying_primary(says: Vec<Vec<u8>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for lie in says {
            let Ok((stream, _)) = listener.accept() else { return };
            let _ = lie_to(stream, &lie);
        }
    });
    port
}

fn lie_to(mut stream: TcpStream, lie: &[u8]) -> std::io::Result<()> {
    let mut heard = Vec::new();
    let mut chunk = [0; 4096];
    let mut answered = 0;
    loop {
        let n = stream.read(&mut chunk)?;
        if n == 0 {
            return Ok(());
        }
        heard.extend_from_slice(&chunk[..n]);
        let text = String::from_utf8_lossy(&heard).into_owned();
        if text.contains("PSYNC") {
            stream.write_all(lie)?;
            // Let it see the end, whatever it makes of it.
            stream.shutdown(std::net::Shutdown::Write)?;
            while stream.read(&mut chunk)? > 0 {}
            return Ok(());
        }
        let asked = text.matches("PING\r\n").count() + text.matches("REPLCONF\r\n").count();
        while answered < asked {
            stream.write_all(if answered == 0 { b"+PONG\r\n" } else { b"+OK\r\n" })?;
            answered += 1;
        }
    }
}

#[test]
fn lies_end_the_link_with_a_reason_and_leave_the_data() {
    let full = format!("+FULLRESYNC {} 0\r\n", "a".repeat(40));
    let lie = |text: &str| [full.as_bytes(), text.as_bytes()].concat();
    let lies = [
        (b"+WHATEVER\r\n".to_vec(), "Unexpected reply to PSYNC from master"),
        (b"+FULLRESYNC short 0\r\n".to_vec(), "expected +FULLRESYNC with an id and an offset"),
        (lie("-ERR no disk\r\n"), "MASTER aborted replication with an error: ERR no disk"),
        (lie("$12\r\nnot an RDB!!"), "sync failed: "),
        (lie("$5\r\nREDIS"), "sync failed: "),
        (lie("hello\r\n"), "expected a snapshot, received 'hello'"),
        (lie(&"x".repeat(5000)), "a line of more than"),
    ];
    for load in ["disabled", "swapdb"] {
        let replica = solod(&["--repl-diskless-load", load]);
        replica.ask("SET mine 1");
        for (lie, reason) in &lies {
            let port = lying_primary(vec![lie.clone(); 3]);
            replica.ask(&format!("REPLICAOF 127.0.0.1 {port}"));
            wait_until(|| replica.log().contains(reason));
            assert_eq!(replica.ask("GET mine"), *r#""1""#, "{reason}");
        }
        replica.ask("REPLICAOF NO ONE");
        assert_eq!(replica.ask("GET mine"), *r#""1""#);
        assert_eq!(replica.ask("SET mine 2"), *"OK");
    }

    // Data that was given up for a whole snapshot is gone when that cannot be loaded.
    let replica = solod(&[]);
    replica.ask("SET mine 1");
    let mut broken = snapshot_with("SET a 1");
    let last = broken.len() - 1;
    broken[last] ^= 1;
    let lie = [full.as_bytes(), format!("${}\r\n", broken.len()).as_bytes(), &broken].concat();
    let port = lying_primary(vec![lie; 20]);
    replica.ask(&format!("REPLICAOF 127.0.0.1 {port}"));
    wait_until(|| replica.log().contains("Failed trying to load the MASTER synchronization DB from disk"));
    wait_until(|| replica.ask("REPLICAOF NO ONE").to_string() == "OK");
    assert_eq!(replica.ask("DBSIZE").int(), 0);
}

#[test]
fn until_a_snapshot_is_whole_nothing_is_given_up_for_it() {
    let snapshot = snapshot_with("SET a 1");
    let begun = &snapshot[..snapshot.len() - 12];
    let (full, mark) = (format!("+FULLRESYNC {} 0\r\n", "a".repeat(40)), "m".repeat(40));
    let primary = redis(&[]);
    primary.ask("SET mine 1");
    let replica = replica_of(&primary, &[]);
    wait_for_link(&replica);
    let sub_replica = replica_of(&replica, &[]);
    wait_for_link(&sub_replica);
    let mut resumed = 0;
    for load in ["disabled", "on-empty-db", "swapdb"] {
        for announced in [format!("${}\r\n", snapshot.len()), format!("$EOF:{mark}\r\n")] {
            replica.ask(&format!("CONFIG SET repl-diskless-load {load}"));
            let losses = || replica.log().matches("I/O error trying to sync with MASTER: connection lost").count();
            let before = losses();
            let port = lying_primary(vec![[full.as_bytes(), announced.as_bytes(), begun].concat(); 20]);
            replica.ask(&format!("REPLICAOF 127.0.0.1 {port}"));
            wait_until(|| losses() > before);
            primary.ask("INCR mine");
            // While a snapshot of another history is loaded beside the old data, everything else is refused.
            wait_until(|| replica.ask(&format!("REPLICAOF 127.0.0.1 {}", primary.port)).to_string() == "OK");
            resumed += 1;
            wait_until(|| primary.info("sync_partial_ok") == resumed.to_string());
            assert_in_step(&primary, &replica);
            assert_in_step(&primary, &sub_replica);
        }
    }
    assert_eq!(primary.info("sync_full"), "1");
    assert_eq!((replica.info("sync_full"), replica.info("sync_partial_ok")), ("1".to_owned(), "0".to_owned()));
    assert!(!sub_replica.log().contains("Connection with master lost"));
    let left = std::fs::read_dir(&replica.dir).unwrap().filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().starts_with("temp-"));
    assert_eq!(left.count(), 0);
}

/// A snapshot that redis-server has made of what this command leaves.
fn snapshot_with(command: &str) -> Vec<u8> {
    let server = redis(&[]);
    server.ask(command);
    server.ask("SAVE");
    std::fs::read(server.dir.join("dump.rdb")).unwrap()
}

#[test]
fn garbage_in_the_stream_ends_the_link() {
    let snapshot = snapshot_with("SET a 1");
    let head = format!("+FULLRESYNC {} 10\r\n${}\r\n", "a".repeat(40), snapshot.len());
    let good = Conn::encode(&["SET", "b", "2"]);
    let lie = [head.as_bytes(), &snapshot, &good, b"*1\r\n!garbage\r\n"].concat();
    let port = lying_primary(vec![lie]);
    let replica = solod(&["--replicaof", &format!("127.0.0.1 {port}")]);
    wait_until(|| replica.log().contains("PROTOCOL error from our MASTER"));
    assert_eq!(replica.ask("GET a"), *r#""1""#);
    assert_eq!(replica.ask("GET b"), *r#""2""#);
    assert_eq!(replica.info("master_repl_offset"), (10 + good.len()).to_string());
    assert_eq!(replica.info("master_link_status"), "down");
}

#[test]
fn a_silent_primary_is_given_up() {
    let primary = redis(&[]);
    let replica = replica_of(&primary, &["--repl-timeout", "1"]);
    wait_for_link(&replica);
    primary.signal("STOP");
    wait_until(|| replica.log().contains("MASTER timeout: no data nor PING received..."));
    wait_until(|| replica.log().contains("Timeout connecting to the MASTER..."));
    primary.signal("CONT");
    wait_for_link(&replica);
}
