//! A real redis-server in both roles, over many keys with and without deadlines in four databases, with writes going on and the link cut and
//! back: both ends come to hold the same. `SOLOD_TEST_KEYS` says how many keys (a million: some minutes, and most of a gigabyte).

mod common;

use common::{Conn, Server};
use std::{
    env,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

const DATABASES: [usize; 4] = [0, 1, 5, 15];
/// How long a digest of a million keys may take where several other things are going on.
const DIGEST_MAX: Duration = Duration::from_secs(300);
/// Commands sent before their replies are read.
const BATCH: usize = 5000;

fn keys() -> usize {
    env::var("SOLOD_TEST_KEYS").ok().map_or(40_000, |text| text.parse().expect("SOLOD_TEST_KEYS is a number"))
}

/// As [`common::wait_until`], for as long as a million keys may take.
#[track_caller]
fn wait_long(mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20 + keys() as u64 / 5000);
    while !done() {
        assert!(Instant::now() < deadline, "it does not come to that");
        thread::sleep(Duration::from_millis(20));
    }
}

fn fill(server: &Server, keys: usize) {
    let mut conn = server.connect();
    let each = keys / DATABASES.len();
    for db in DATABASES {
        conn.cmd(&["SELECT", &db.to_string()]);
        for from in (0..each).step_by(BATCH) {
            let batch = from..each.min(from + BATCH);
            let mut commands = Vec::new();
            for i in batch.clone() {
                let (key, value) = (format!("key:{i:010}"), format!("{db}:{i}:").repeat(1 + i % 9));
                match i % 4 {
                    0 => commands.extend(Conn::encode(&["SET", &key, &value, "EX", "100000"])),
                    1 => commands.extend(Conn::encode(&["SET", &key, &i.to_string()])),
                    _ => commands.extend(Conn::encode(&["SET", &key, &value])),
                }
            }
            conn.send(&commands);
            batch.for_each(|_| assert_eq!(conn.recv(), *"OK"));
        }
    }
}

/// Writes to keys that are there and keys that are not, of every database, until told to stop. Returns how often.
fn write_on(server: &Server, keys: usize, stop: &AtomicBool) -> usize {
    let mut conn = server.connect();
    let each = keys / DATABASES.len();
    let mut rounds = 0;
    while !stop.load(Relaxed) {
        let key = format!("key:{:010}", rounds * 7919 % (each + each / 10));
        for line in [
            format!("SELECT {}", DATABASES[rounds % DATABASES.len()]),
            format!("APPEND {key} +{rounds}"),
            format!("SET new:{rounds} {rounds} PX {}", 20 + rounds % 5 * 1_000_000),
            format!("PEXPIRE {key} 90000000"),
            format!("INCRBY counter:{} {rounds}", rounds % 50),
            "MULTI".to_owned(),
            format!("DEL key:{:010}", rounds * 104_729 % each),
            format!("RENAME counter:{} counter:{}", rounds % 50, rounds % 49),
            "EXEC".to_owned(),
        ] {
            conn.run(&line);
        }
        rounds += 1;
    }
    rounds
}

/// Brings a replica in step while clients write, cuts its link, and compares.
fn come_to_hold_the_same(primary: &Server, replica: &Server) {
    let (keys, stop) = (keys(), AtomicBool::new(false));
    fill(primary, keys);
    let started = Instant::now();
    thread::scope(|scope| {
        let writer = scope.spawn(|| write_on(primary, keys, &stop));
        replica.ask(&format!("REPLICAOF 127.0.0.1 {}", primary.port));
        wait_long(|| replica.info("master_link_status") == "up");
        println!("{keys} keys: in step after {:?}", started.elapsed());
        for cut in 1..=2 {
            assert_eq!(primary.ask("CLIENT KILL TYPE replica").int(), 1);
            wait_long(|| primary.info("sync_partial_ok") == cut.to_string() && replica.info("master_link_status") == "up");
        }
        stop.store(true, Relaxed);
        assert!(writer.join().expect("the writer") > 0);
    });
    let offsets = || (primary.info("master_repl_offset"), replica.info("slave_repl_offset"));
    let digest = |server: &Server| {
        let mut conn = server.connect();
        conn.send_cmd(&["DEBUG", "DIGEST"]);
        conn.try_recv(DIGEST_MAX).expect("a digest").text()
    };
    // A Redis takes its time with keys past their deadline, and both ends count those that are still there: none goes between two looks.
    assert_eq!(primary.ask("DEBUG SET-ACTIVE-EXPIRE 0"), *"OK");
    wait_long(|| {
        let (at_primary, at_replica) = offsets();
        at_primary == at_replica && digest(primary) == digest(replica)
    });
    for db in DATABASES {
        let size = |server: &Server| {
            let mut conn = server.connect();
            conn.cmd(&["SELECT", &db.to_string()]);
            conn.run("DBSIZE").int()
        };
        assert_eq!(size(primary), size(replica), "db {db}");
    }
    assert_eq!(primary.info("sync_full"), "1", "a link that was cut goes on where it was");
    println!("{keys} keys: equal after {:?}", started.elapsed());
}

const ARGS: [&str; 6] = ["--enable-debug-command", "yes", "--repl-backlog-size", "64mb", "--repl-diskless-sync-delay", "0"];

#[test]
fn redis_as_primary() {
    come_to_hold_the_same(&Server::redis(&ARGS), &Server::start(&ARGS));
}

#[test]
fn redis_as_replica() {
    come_to_hold_the_same(&Server::start(&ARGS), &Server::redis(&ARGS));
}
