//! The append-only file from outside: what is sent when, what waits, and what the file holds, whatever the disk does.

use super::tests::{A, B, Bench, C, D, bench_of_four_with, well_done};
use crate::{
    config::{AppendFsync, Config},
    persist::aof::manifest::{Manifest, manifest_name},
    replication::primary::FollowerPhase,
    state::{
        ConnId, DiskDone, DiskJob, FileId, Lane, Peer,
        aof::AofPhase,
        client::Origin,
        disk::{Done, LogError, Logged},
    },
};
use std::{collections::VecDeque, io::IoSlice};

const FILE: FileId = FileId { lane: Lane::Log, number: 1 };
const NEXT: FileId = FileId { lane: Lane::Log, number: 2 };
const FULL: &str = "No space left on device";
const MISCONF: &str = "-MISCONF Errors writing to the AOF file: No space left on device\r\n";

/// A server with an append-only file, and a disk that does what the test says.
struct Logging {
    bench: Bench,
    jobs: VecDeque<DiskJob>,
    file: Vec<u8>,
    next: Vec<u8>,
    /// Microseconds that its syncs take.
    sync_us: u64,
    exit: Option<i32>,
}

fn logging(policy: AppendFsync) -> Logging {
    logging_with(Config { appendfsync: policy, ..Config::default() })
}

fn logging_with(config: Config) -> Logging {
    let config = Config { save: Vec::new(), appendonly: true, ..config };
    let mut bench = bench_of_four_with(config);
    bench.engine.server.aof.phase = AofPhase::On;
    bench.engine.server.aof_start(FILE, 0);
    Logging { bench, jobs: VecDeque::new(), file: Vec::new(), next: Vec::new(), sync_us: 0, exit: None }
}

impl Logging {
    fn send(&mut self, conn: ConnId, lines: &str) {
        for line in lines.lines() {
            self.bench.engine.receive(conn, format!("{}\r\n", line.trim()).as_bytes());
        }
    }

    fn turn(&mut self) {
        self.exit = self.bench.end_turn(&mut self.jobs).or(self.exit);
    }

    /// What leaves for a client at the end of a turn.
    fn sent(&mut self, conn: ConnId) -> String {
        let mut all = Vec::new();
        while self.bench.engine.has_output(conn) {
            let mut pieces = [IoSlice::new(&[]); 16];
            let count = self.bench.engine.output(conn, &mut pieces, 1000);
            let sent: Vec<u8> = pieces[..count].iter().flat_map(|piece| piece.to_vec()).collect();
            all.extend_from_slice(&sent);
            self.bench.engine.sent(conn, sent.len());
        }
        String::from_utf8(all).unwrap()
    }

    /// Sends, ends the turn, and returns what leaves at once.
    fn say(&mut self, conn: ConnId, lines: &str) -> String {
        self.send(conn, lines);
        self.turn();
        self.sent(conn)
    }

    /// The disk does its next job.
    fn answer(&mut self) {
        self.answer_with(None);
    }

    /// The disk fails to write: so many bytes stay in the file.
    fn fail(&mut self, stays: usize) {
        self.answer_with(Some((LogError::Write(FULL.into()), stays)));
    }

    fn answer_with(&mut self, failed: Option<(LogError, usize)>) {
        let job = self.jobs.pop_front().expect("the disk is asked for something");
        let (id, done) = match job {
            DiskJob::WriteLog { file, at, pieces, sync, .. } => {
                let held = if file == FILE { &mut self.file } else { &mut self.next };
                assert_eq!(held.len() as u64, at);
                let bytes = pieces.concat();
                let written = match &failed {
                    Some((LogError::Write(_), stays)) => *stays,
                    _ => bytes.len(),
                };
                held.extend_from_slice(&bytes[..written]);
                let error = failed.map(|(error, _)| error);
                let synced = sync && error.is_none();
                let sync_us = if sync { self.sync_us } else { 0 };
                (file, Done::Logged(Logged { written: written as u64, synced, write_us: 0, sync_us, error }))
            }
            DiskJob::Abort { file } => (file, Done::Aborted),
            job => panic!("not asked for here: {job:?}"),
        };
        self.bench.engine.disk_done(DiskDone { file: id, result: Ok(done) });
    }

    /// What the file holds, a command a line.
    fn commands(&self) -> String {
        let words = |bytes: &[u8]| {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            let lines: Vec<String> = text.split("\r\n").map(str::to_owned).collect();
            lines.into_iter().filter(|line| !line.is_empty() && !line.starts_with('$')).collect::<Vec<_>>()
        };
        let mut all = String::new();
        for word in words(&self.file) {
            all.push_str(if word.starts_with('*') || word.starts_with('#') { "\n" } else { " " });
            all.push_str(if word.starts_with('*') { "" } else { &word });
        }
        all.replace("\n ", "\n").trim().to_owned()
    }
}

#[test]
fn with_always_a_reply_waits_until_its_write_is_on_the_disk() {
    let mut log = logging(AppendFsync::Always);
    assert_eq!(log.say(A, "SET k v"), "");
    assert!(!log.bench.engine.has_output(A) && !log.bench.engine.wants_close(A));
    assert_eq!(log.say(B, "SET k w"), "");
    assert_eq!(log.say(A, "GET k"), "", "what comes later comes later");
    log.answer();
    log.turn();
    assert_eq!(log.sent(A), "+OK\r\n", "what was owed when the sync was asked for");
    log.answer_if_asked();
    log.turn();
    assert_eq!((log.sent(A), log.sent(B)), ("$1\r\nw\r\n".into(), "+OK\r\n".into()));
    assert_eq!(log.commands(), "SELECT 0\nSET k v\nSET k w");
    assert_eq!(log.say(B, "GET k\nPING"), "$1\r\nw\r\n+PONG\r\n", "who only reads what is on the disk does not wait");
    assert!(log.bench.engine.server.clients.get(B).unwrap().held.is_none());
}

impl Logging {
    fn answer_if_asked(&mut self) {
        if !self.jobs.is_empty() {
            self.answer();
        }
    }
}

#[test]
fn who_reads_or_hears_of_what_is_not_on_the_disk_waits_too() {
    let mut log = logging(AppendFsync::Always);
    log.send(A, "CONFIG SET notify-keyspace-events KEA");
    log.turn();
    log.sent(A);
    log.say(B, "SUBSCRIBE __keyspace@0__:k");
    log.say(C, "MONITOR");
    log.say(D, "BLPOP list 0");
    log.sent(C);
    log.send(A, "SET k v");
    log.send(A, "RPUSH list x");
    log.turn();
    for conn in [A, B, C, D] {
        assert_eq!(log.sent(conn), "", "{conn:?}");
    }
    log.answer();
    log.turn();
    assert_eq!(log.sent(A), "+OK\r\n:1\r\n");
    assert!(log.sent(B).contains("set") && log.sent(C).contains("RPUSH") && log.sent(D).contains("list"));
}

#[test]
fn one_sync_serves_all_who_came_while_another_was_under_way() {
    let mut log = logging(AppendFsync::Always);
    log.say(A, "SET a 1");
    for n in 0..10 {
        assert_eq!(log.say(B, &format!("SET b {n}")), "");
        assert_eq!(log.say(C, &format!("SET c {n}")), "");
    }
    assert_eq!(log.jobs.len(), 1);
    assert!(log.bench.engine.server.aof.held.len() <= 3, "each client waits for one thing");
    log.answer();
    log.turn();
    assert_eq!((log.sent(A), log.sent(B), log.jobs.len()), ("+OK\r\n".into(), String::new(), 1));
    log.answer();
    log.turn();
    assert_eq!((log.sent(B), log.sent(C), log.jobs.len()), ("+OK\r\n".repeat(10), "+OK\r\n".repeat(10), 0));
}

#[test]
fn earlier_replies_of_a_pipeline_leave_though_later_ones_are_held() {
    let mut log = logging(AppendFsync::Always);
    let mut got = 0;
    for round in 0..50 {
        log.send(A, "INCR n");
        log.turn();
        if round % 3 == 2 {
            log.answer_if_asked();
            log.turn();
        }
        got += log.sent(A).lines().count();
        assert!(round < 9 || got > 0 && got < round + 1, "{got} of {round}");
    }
}

#[test]
fn a_connection_that_quits_is_closed_when_it_has_got_what_it_was_owed() {
    let mut log = logging(AppendFsync::Always);
    assert_eq!(log.say(A, "SET k v\nQUIT"), "");
    assert!(!log.bench.engine.wants_close(A));
    log.answer();
    log.turn();
    assert_eq!(log.sent(A), "+OK\r\n+OK\r\n");
    assert!(log.bench.engine.wants_close(A));
    // One that goes before that is owed nothing, nor is who comes in its place.
    log.say(B, "SET k w");
    log.bench.engine.disconnect(B);
    log.bench.engine.connect(B, Origin { local: true, ..Origin::default() }).unwrap();
    log.answer();
    log.turn();
    assert_eq!(log.say(B, "PING"), "+PONG\r\n");
}

#[test]
fn while_the_disk_is_full_what_is_safe_is_read_and_the_rest_is_told_when_it_is_written() {
    let mut log = logging(AppendFsync::Always);
    log.say(A, "SET safe 1");
    log.answer();
    log.turn();
    log.sent(A);
    assert_eq!(log.say(A, "SET torn 2"), "");
    log.fail(0);
    assert_eq!(log.say(B, "SET more 3\nPING"), MISCONF.repeat(2));
    assert_eq!(log.say(B, "GET safe\nEXISTS nothing\nECHO x"), "$1\r\n1\r\n:0\r\n$1\r\nx\r\n");
    assert_eq!(log.say(C, "GET torn"), "", "it might be lost yet");
    assert_eq!(log.say(C, "GET safe"), "", "replies keep their order");
    assert_eq!(log.say(D, "MULTI\nGET safe\nGET torn\nEXEC"), "");
    log.bench.pass(10_000);
    for stays in [5, 0] {
        log.turn();
        log.fail(stays);
        log.bench.pass(10_000);
    }
    log.turn();
    assert_eq!(log.sent(A), "");
    log.answer();
    log.turn();
    assert_eq!((log.sent(A), log.sent(C)), ("+OK\r\n".into(), "$1\r\n2\r\n$1\r\n1\r\n".into()));
    assert_eq!(log.sent(D), "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n$1\r\n1\r\n$1\r\n2\r\n");
    assert_eq!(log.say(B, "PING"), "+PONG\r\n");
    log.send(B, "SET more 3");
    log.turn();
    log.answer();
    log.turn();
    assert_eq!(log.sent(B), "+OK\r\n");
    assert_eq!(log.commands(), "SELECT 0\nSET safe 1\nSET torn 2\nSET more 3", "and nothing is torn");
}

#[test]
fn who_has_a_script_read_what_is_not_on_the_disk_waits_too() {
    const READ: &str = "\"return redis.call('get',KEYS[1])\"";
    for (safe, torn) in [
        (format!("EVAL {READ} 1 safe"), format!("EVAL {READ} 1 torn")),
        (format!("EVAL_RO {READ} 1 safe"), format!("EVAL_RO {READ} 1 torn")),
        (format!("MULTI\nEVAL {READ} 1 safe\nEXEC"), format!("MULTI\nEVAL {READ} 1 torn\nEXEC")),
        ("FCALL read 1 safe".into(), "FCALL read 1 torn".into()),
    ] {
        let mut log = logging(AppendFsync::Always);
        let library = "#!lua name=l\nredis.register_function{function_name='read', flags={'no-writes'}, callback=function(k) return redis.call('get', k[1]) end}";
        let load = format!("*3\r\n$8\r\nFUNCTION\r\n$4\r\nLOAD\r\n${}\r\n{library}\r\n", library.len());
        log.bench.engine.receive(A, load.as_bytes());
        log.send(A, "SET safe 1");
        log.turn();
        log.answer();
        log.turn();
        log.sent(A);
        assert_eq!(log.say(A, "SET torn 2"), "");
        log.fail(0);
        assert!(log.say(B, &safe).ends_with("$1\r\n1\r\n"), "{safe}");
        assert_eq!(log.say(C, &torn), "", "{torn}");
        log.bench.pass(10_000);
        log.turn();
        log.answer();
        log.turn();
        assert!(log.sent(C).ends_with("$1\r\n2\r\n"), "{torn}: it is told when it is written");
    }
}

#[test]
fn who_waits_for_a_full_disk_tells_nobody_of_it_meanwhile() {
    let message = "*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$1\r\n2\r\n";
    for (teller, telling) in [
        // One who has written it, and one who has read it in an earlier turn.
        (A, "PUBLISH news 2"),
        (A, "MULTI\nPUBLISH news 2\nEXEC"),
        (D, "PUBLISH news 2"),
        // A script that reads it and passes it on.
        (C, "EVAL \"redis.call('publish','news',redis.call('get','torn'))\" 0"),
    ] {
        let mut log = logging(AppendFsync::Always);
        log.say(B, "SUBSCRIBE news");
        log.say(A, "SET torn 2");
        log.fail(0);
        log.say(D, "GET torn");
        assert_eq!((log.say(teller, telling), log.sent(B)), (String::new(), String::new()), "{telling}");
        log.bench.pass(10_000);
        log.turn();
        log.answer();
        log.turn();
        assert_eq!(log.sent(B), message, "{telling}");
        assert!(log.sent(A).starts_with("+OK\r\n"));
    }
    // What others say, who know nothing, is heard, and nobody who watches learns more.
    let mut log = logging(AppendFsync::Always);
    log.say(B, "SUBSCRIBE news");
    log.say(D, "MONITOR");
    log.say(A, "SET torn 2");
    log.fail(0);
    assert_eq!((log.say(C, "PUBLISH news 2"), log.sent(B)), (":1\r\n".into(), message.into()));
    log.sent(D);
    assert_eq!((log.say(A, "ECHO 2"), log.sent(D)), (String::new(), String::new()));
}

#[test]
fn what_a_slow_script_writes_while_the_disk_fails_is_told_when_it_is_written() {
    // The disk fails behind its only write, amid its writes, and between it and what its transaction does then.
    for script in [
        "EVAL \"redis.call('set','torn','2') for i=1,3e5 do end\" 0",
        "EVAL \"redis.call('set','a','2') redis.call('set','b','2') for i=1,3e5 do end redis.call('set','torn','2')\" 0",
        "MULTI\nEVAL \"redis.call('set','a','2') for i=1,3e5 do end\" 0\nSET torn 2\nEXEC",
    ] {
        let mut log = logging_with(Config { appendfsync: AppendFsync::Always, busy_reply_threshold: 1, ..Config::default() });
        log.say(A, "SET safe 1");
        log.answer();
        log.turn();
        log.sent(A);
        log.say(C, "SET other 2");
        log.bench.tick.set(300);
        log.say(A, script);
        assert!(log.bench.engine.is_script_slow(), "{script}");
        log.fail(0);
        while log.bench.engine.is_script_slow() {
            log.turn();
        }
        log.bench.tick.set(0);
        log.turn();
        log.sent(A);
        assert_eq!(log.say(B, "GET safe"), "$1\r\n1\r\n", "{script}");
        assert_eq!(log.say(D, "GET torn"), "", "{script}: it might be lost yet");
        log.bench.pass(10_000);
        log.turn();
        log.answer();
        log.turn();
        assert_eq!(log.sent(D), "$1\r\n2\r\n", "{script}");
    }
}

#[test]
fn a_flush_that_is_not_on_the_disk_makes_every_key_unsafe() {
    for (write, is_read) in
        [("FLUSHALL", false), ("SWAPDB 0 1", false), ("MOVE gone 1", false), ("DEL gone", true), ("MSET gone 2 b 3", true)]
    {
        let mut log = logging(AppendFsync::Always);
        log.say(A, "MSET k v gone 1");
        log.answer();
        log.turn();
        log.sent(A);
        log.say(A, write);
        log.fail(0);
        let read = log.say(B, "EXISTS k");
        assert_eq!(!read.is_empty(), is_read, "{write}");
        assert_eq!(log.say(C, "DBSIZE"), "", "{write}");
        assert_eq!(log.say(D, "PING x\nMULTI\nEXEC").lines().count(), 3, "what is about no key goes on");
    }
}

#[test]
fn a_sync_that_fails_ends_a_server_that_has_promised_it() {
    let mut log = logging(AppendFsync::Always);
    log.say(A, "SET k v");
    log.answer_with(Some((LogError::Sync("Input/output error".into()), 0)));
    log.turn();
    assert_eq!((log.exit, log.sent(A).as_str()), (Some(1), ""), "nobody is told");
}

#[test]
fn a_sync_waits_for_those_whom_the_last_one_has_served_and_not_for_long() {
    let mut log = logging(AppendFsync::Always);
    log.sync_us = 3000;
    log.say(A, "SET a 1");
    log.say(B, "SET b 1");
    log.answer();
    log.turn();
    assert_eq!((log.sent(A), log.sent(B), log.jobs.len()), ("+OK\r\n".into(), String::new(), 0), "both are served best by one sync");
    assert!(log.bench.engine.sleep_ms() <= 1);
    // A reply that tells of what is not on the disk waits with the rest.
    assert_eq!((log.say(A, "GET b"), log.jobs.len()), (String::new(), 1));
    log.answer();
    log.turn();
    assert_eq!((log.sent(A), log.sent(B)), ("$1\r\n1\r\n".into(), "+OK\r\n".into()));
    // One of them does not come back.
    assert_eq!((log.say(B, "SET b 2"), log.jobs.len()), (String::new(), 0));
    log.bench.pass(3);
    log.turn();
    assert_eq!(log.jobs.len(), 1);
    log.answer();
    log.turn();
    assert_eq!(log.sent(B), "+OK\r\n");
    log.say(B, "SET b 3");
    assert_eq!(log.jobs.len(), 1, "nor is it expected for some time");
}

#[test]
fn every_second_writes_do_not_wait_but_for_a_sync_that_takes_two() {
    let mut log = logging(AppendFsync::EverySecond);
    assert_eq!(log.say(A, "SET k v"), "+OK\r\n");
    assert!(matches!(log.jobs[0], DiskJob::WriteLog { sync: true, .. }));
    log.bench.pass(1900);
    assert_eq!(log.say(A, "SET k w"), "+OK\r\n");
    assert!(log.bench.engine.sleep_ms() <= 100, "it wakes up to hold writes");
    log.bench.pass(100);
    log.turn();
    assert_eq!(log.say(A, "SET k x"), "", "it waits");
    assert_eq!(log.say(B, "GET k"), "$1\r\nw\r\n", "and reads go on");
    let info = log.say(B, "INFO everything\nINFO loop");
    for field in ["aof_delayed_fsync:1\r\n", "aof_pending_bio_fsync:1\r\n", "write_gate:aof_behind\r\n"] {
        assert!(info.contains(field), "{field} {info}");
    }
    log.answer();
    log.turn();
    log.turn();
    assert_eq!(log.sent(A), "+OK\r\n");
}

#[test]
fn every_second_writes_wait_too_when_it_takes_two_to_say_where_they_go() {
    let mut log = logging(AppendFsync::EverySecond);
    log.say(A, "SET k v");
    log.bench.engine.server.aof_cut();
    assert_eq!(log.say(A, "SET k w"), "+OK\r\n");
    log.answer();
    log.turn();
    assert!(log.bench.engine.server.aof_is_cut_done() && log.jobs.is_empty());
    log.bench.pass(2000);
    log.turn();
    assert_eq!(log.say(A, "SET k x"), "", "it waits");
    log.bench.engine.server.aof_continue_in(Some(NEXT));
    while !log.jobs.is_empty() || log.next.is_empty() {
        log.turn();
        log.answer();
    }
    log.turn();
    log.turn();
    assert_eq!(log.sent(A), "+OK\r\n");
}

#[test]
fn a_failed_sync_stops_writes_until_there_is_a_new_base() {
    let mut log = logging(AppendFsync::EverySecond);
    log.say(A, "SET k v");
    log.answer_with(Some((LogError::Sync(FULL.into()), 0)));
    log.turn();
    assert_eq!((log.say(A, "SET k w").as_str(), log.say(A, "GET k").as_str()), (MISCONF, "$1\r\nv\r\n"));
    assert!(log.bench.engine.server.aof.needs_base && log.exit.is_none());
    // A rewrite: the old file needs no sync any more, which could only seem to succeed.
    log.bench.engine.server.aof_cut();
    log.turn();
    assert!(log.jobs.is_empty() && log.bench.engine.server.aof_is_cut_done());
    log.bench.engine.server.aof_continue_in(Some(NEXT));
    log.bench.engine.server.aof_base_made();
    assert_eq!(log.say(A, "SET k w"), "+OK\r\n");
    log.answer();
    log.answer();
    log.bench.pass(1000);
    log.turn();
    log.answer();
    log.turn();
    assert!(log.bench.engine.server.aof_synced_offset() == Some(log.bench.engine.server.replication.log.end()));
    assert!(String::from_utf8_lossy(&log.next).contains("SELECT"));
}

#[test]
fn a_base_that_was_begun_before_a_sync_failed_does_not_make_up_for_it() {
    let mut log = logging(AppendFsync::EverySecond);
    log.say(A, "SET k v");
    log.answer();
    // A rewrite: the base is of this moment, and the log goes on in another file.
    log.bench.engine.server.aof_cut();
    log.turn();
    log.answer_if_asked();
    assert!(log.bench.engine.server.aof_is_cut_done());
    log.bench.engine.server.aof_continue_in(Some(NEXT));
    log.turn();
    log.answer_if_asked();
    log.bench.pass(1000);
    log.say(A, "SET k w");
    assert!(matches!(log.jobs.front(), Some(DiskJob::WriteLog { sync: true, file: NEXT, .. })));
    log.answer_with(Some((LogError::Sync(FULL.into()), 0)));
    log.turn();
    log.bench.engine.server.aof_base_made();
    assert!(log.bench.engine.server.aof.needs_base, "another one is to be made");
    assert_eq!(log.say(A, "SET k x"), MISCONF);
}

#[test]
fn a_write_that_fails_later_refuses_writes_until_there_is_room() {
    for policy in [AppendFsync::EverySecond, AppendFsync::No] {
        let mut log = logging(policy);
        assert_eq!(log.say(A, "SET k v"), "+OK\r\n");
        log.fail(7);
        log.turn();
        assert_eq!(log.say(A, "SET k w\nPING"), MISCONF.repeat(2));
        assert_eq!(log.say(A, "GET k"), "$1\r\nv\r\n", "what was answered is read");
        assert!(log.say(A, "INFO persistence").contains("aof_last_write_status:err\r\n"));
        log.bench.pass(1000);
        log.turn();
        log.answer();
        log.turn();
        assert_eq!(log.say(A, "SET k w"), "+OK\r\n");
        log.answer();
        assert_eq!(log.commands(), "SELECT 0\nSET k v\nSET k w");
    }
}

#[test]
fn messages_are_for_replicas_and_not_for_the_file() {
    let mut log = logging(AppendFsync::Always);
    assert_eq!(log.say(A, "PUBLISH c x"), "", "its SELECT has to be on the disk");
    log.answer();
    log.turn();
    assert_eq!((log.sent(A), log.say(A, "PUBLISH c y\nSPUBLISH c z")), (":0\r\n".into(), ":0\r\n:0\r\n".into()));
    log.say(A, "MULTI\nSET k v\nPUBLISH c x\nEXEC");
    log.answer();
    assert_eq!(log.commands(), "SELECT 0\nMULTI\nSET k v\nEXEC");
}

#[test]
fn the_seconds_are_noted_between_commands_where_that_is_wanted() {
    let mut log = logging_with(Config { appendfsync: AppendFsync::No, aof_timestamp_enabled: true, ..Config::default() });
    for ms in [0, 1, 1000] {
        log.bench.pass(ms);
        log.say(A, "INCR n");
        log.answer();
    }
    assert_eq!(log.commands(), "#TS:1000000000\nSELECT 0\nINCR n\nINCR n\n#TS:1000000001\nINCR n");
}

#[test]
fn an_increment_ends_where_the_next_begins_and_each_selects_its_database() {
    let mut log = logging(AppendFsync::Always);
    log.say(A, "SELECT 5\nSET a 1");
    log.bench.engine.server.aof_cut();
    log.turn();
    assert!(!log.bench.engine.server.aof_is_cut_done());
    log.say(A, "SET b 2");
    log.answer();
    log.turn();
    assert!(log.bench.engine.server.aof_is_cut_done() && log.jobs.is_empty(), "what comes behind waits for its file");
    assert_eq!(log.sent(A), "+OK\r\n+OK\r\n");
    log.bench.engine.server.aof_continue_in(Some(NEXT));
    log.turn();
    assert!(log.jobs.contains(&DiskJob::Abort { file: FILE }), "the old one is closed");
    while !log.jobs.is_empty() {
        log.answer();
    }
    log.turn();
    assert_eq!(log.sent(A), "+OK\r\n");
    assert_eq!(log.commands(), "SELECT 5\nSET a 1");
    log.file = std::mem::take(&mut log.next);
    assert_eq!(log.commands(), "SELECT 5\nSET b 2");
}

#[test]
fn replicas_are_sent_only_what_is_on_the_disk() {
    let mut log = logging(AppendFsync::Always);
    let server = &mut log.bench.engine.server;
    server.replication.log.open_backlog();
    let from = server.replication.log.end();
    server.clients.get_mut(D).unwrap().peer = Peer::Candidate(Box::default());
    server.add_replica(D, FollowerPhase::Online { waits_for_ack: false }, from);
    log.say(A, "SET k v");
    log.turn();
    assert_eq!(log.sent(D), "");
    assert!(log.bench.engine.sleep_ms() > 0, "there is nothing to do meanwhile");
    log.say(A, "SET k w");
    log.answer();
    log.turn();
    let sent = log.sent(D);
    assert!(sent.contains("$1\r\nv\r\n") && !sent.contains("$1\r\nw\r\n"), "{sent}");
}

#[test]
fn waitaof_waits_for_the_disk_and_for_replicas() {
    let mut log = logging(AppendFsync::EverySecond);
    assert_eq!(log.say(A, "WAITAOF 1 0 0"), "*2\r\n:1\r\n:0\r\n", "nothing is owed");
    log.say(A, "SET k v");
    assert_eq!(log.say(A, "WAITAOF 1 0 0"), "");
    assert_eq!(log.say(B, "WAITAOF 1 1 50"), "", "there is no replica");
    log.answer();
    log.turn();
    assert_eq!(log.sent(A), "*2\r\n:1\r\n:0\r\n");
    log.bench.pass(50);
    log.turn();
    assert_eq!(log.sent(B), "*2\r\n:1\r\n:0\r\n");
    assert_eq!(log.say(A, "MULTI\nSET k v\nWAITAOF 1 1 0\nEXEC"), "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n*2\r\n:1\r\n:0\r\n");
    for (words, error) in [
        ("2 0 0", "value is out of range, value must between 0 and 1"),
        ("x 0 0", "value is not an integer or out of range"),
        ("0 -1 0", "value is out of range, must be positive"),
        ("0 x 0", "value is out of range, must be positive"),
        ("0 0 -1", "timeout is negative"),
    ] {
        assert_eq!(log.say(A, &format!("WAITAOF {words}")), format!("-ERR {error}\r\n"));
    }
    log.say(A, "SET k v");
    assert_eq!(log.say(A, "WAITAOF 1 1 0"), "");
    log.bench.engine.server.aof_stop();
    log.bench.engine.server.aof.phase = AofPhase::Off;
    log.turn();
    let error = "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.\r\n";
    assert_eq!((log.sent(A).as_str(), log.say(B, "WAITAOF 1 0 0").as_str()), (error, error));
    assert_eq!(log.say(B, "WAITAOF 0 0 0"), "*2\r\n:0\r\n:0\r\n");
}

#[test]
fn what_is_held_leaves_when_the_policy_changes_or_the_file_is_turned_off() {
    for stop in [false, true] {
        let mut log = logging(AppendFsync::Always);
        log.say(A, "SET k v");
        log.say(B, "SET k w");
        match stop {
            true => {
                log.bench.engine.server.aof_stop();
                log.bench.engine.server.aof.phase = AofPhase::Off;
                log.turn();
            }
            false => assert_eq!(log.say(C, "CONFIG SET appendfsync no"), "+OK\r\n"),
        }
        while !log.jobs.is_empty() {
            log.answer();
            log.turn();
        }
        assert_eq!((log.sent(A), log.sent(B)), ("+OK\r\n".into(), "+OK\r\n".into()), "{stop}");
        assert_eq!(log.commands(), "SELECT 0\nSET k v\nSET k w");
        let server = &log.bench.engine.server;
        assert!(server.aof.held.is_empty() && server.clients.iter().all(|(_, client)| client.held.is_none()));
        assert!(server.aof.stopping.is_empty() && server.aof.writer.is_some() != stop);
    }
}

#[test]
fn what_is_held_leaves_when_a_file_whose_sync_failed_is_turned_off() {
    let mut log = logging(AppendFsync::Always);
    log.say(A, "SET k v");
    log.answer();
    log.turn();
    assert_eq!(log.sent(A), "+OK\r\n");
    log.say(A, "SET k w");
    log.say(B, "GET k");
    assert_eq!(log.say(C, "CONFIG SET appendfsync everysec"), "+OK\r\n");
    log.answer_with(Some((LogError::Sync("Input/output error".into()), 0)));
    log.turn();
    log.bench.engine.server.aof_stop();
    log.bench.engine.server.aof.phase = AofPhase::Off;
    log.turn();
    while !log.jobs.is_empty() {
        log.answer();
        log.turn();
    }
    assert_eq!((log.sent(A), log.sent(B)), ("+OK\r\n".into(), "$1\r\nw\r\n".into()));
    assert!(log.bench.engine.server.aof.stopping.is_empty() && log.bench.engine.server.aof.held.is_empty());
}

#[test]
fn a_log_that_is_turned_on_leaves_alone_what_a_manifest_names_that_could_not_be_called_back() {
    let mut log = logging(AppendFsync::Always);
    log.say(A, "SET k v");
    log.answer();
    let server = &mut log.bench.engine.server;
    while server.next_file(Lane::Log).number < NEXT.number {}
    let first = b"file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n";
    let mut on_disk = Manifest::parse(first).unwrap();
    server.aof_files.manifest = on_disk.clone();
    server.locate_aof_files();
    server.begin_aof_rewrite();
    let (mut coming, mut commits) = (on_disk.clone(), 0);
    for _ in 0..200 {
        log.turn();
        let names_increment = |job: &DiskJob| matches!(job, DiskJob::Commit { to, .. } if *to == manifest_name("appendonly.aof"));
        if commits == 0 && log.jobs.iter().any(names_increment) {
            // The rewrite is given up while the manifest that names its increment is on its way, and the log begins anew.
            assert_eq!(log.say(B, "CONFIG SET appendonly no\nCONFIG SET appendonly yes"), "+OK\r\n+OK\r\n");
            commits = 1;
        }
        let Some(job) = log.jobs.pop_front() else { continue };
        let mut result = Ok(well_done(&job));
        match &job {
            DiskJob::Append { file: FileId { lane: Lane::Log, .. }, pieces } => coming = Manifest::parse(&pieces.concat()).unwrap(),
            DiskJob::Commit { .. } if names_increment(&job) => {
                commits += 1;
                // The one that calls it back fails.
                match commits {
                    3 => result = Err(FULL.into()),
                    _ => on_disk = coming.clone(),
                }
            }
            DiskJob::Rename { to: path, .. }
            | DiskJob::Remove { path, .. }
            | DiskJob::OpenLog { path, .. }
            | DiskJob::Commit { to: path, .. } => {
                let name = path.rsplit('/').next().unwrap();
                assert!(!on_disk.is_data(name), "{job:?} while there is {on_disk:?}");
            }
            _ => (),
        }
        log.bench.engine.disk_done(DiskDone { file: job.file(), result });
    }
    assert_eq!((commits > 3, log.bench.engine.server.aof.phase), (true, AofPhase::On));
    let names: Vec<_> = on_disk.data().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["appendonly.aof.2.base.rdb", "appendonly.aof.3.incr.aof"]);
    assert!(on_disk.history.is_empty(), "and what was named in vain is gone");
}

#[test]
fn a_replica_that_goes_on_without_its_disk_keeps_no_more_than_it_can() {
    let mut log = logging(AppendFsync::Always);
    log.say(A, "SET k v");
    log.fail(0);
    log.turn();
    // What comes from a primary is not refused.
    let server = &mut log.bench.engine.server;
    server.replication.upstream = Some(crate::replication::replica::Upstream::new("nowhere".into(), 1, false, u64::MAX));
    server.replication.log.set_proxied(true);
    for _ in 0..70 {
        log.bench.engine.server.replication.log.append_raw(&[b'x'; 1 << 20]);
        log.turn();
    }
    assert!(log.bench.engine.server.aof.needs_base && log.bench.engine.server.aof_buffer_bytes() < 1 << 20);
    assert_eq!((log.sent(A), log.say(B, "GET k")), ("+OK\r\n".into(), "$1\r\nv\r\n".into()), "nobody waits for it any more");
    log.bench.engine.server.aof_cut();
    log.turn();
    assert!(log.jobs.is_empty() && log.bench.engine.server.aof_is_cut_done());
    log.bench.engine.server.aof_continue_in(Some(NEXT));
    log.bench.engine.server.aof_base_made();
    log.bench.engine.server.replication.log.append_raw(b"+");
    log.turn();
    while !log.jobs.is_empty() {
        log.answer();
        log.turn();
    }
    assert_eq!((log.file.len(), log.next.last()), (0, Some(&b'+')), "nothing stands behind what is missing");
}

#[test]
fn writes_go_on_when_the_file_they_wait_for_is_turned_off() {
    for is_full in [false, true] {
        let mut log = logging(AppendFsync::EverySecond);
        log.say(A, "SET k v");
        if is_full {
            log.fail(0);
            log.turn();
        }
        log.bench.pass(3000);
        log.turn();
        assert_ne!(log.say(A, "SET k w"), "+OK\r\n");
        log.bench.engine.server.aof_stop();
        log.bench.engine.server.aof.phase = AofPhase::Off;
        log.turn();
        log.turn();
        assert_eq!(log.sent(A) + &log.say(B, "SET k x"), if is_full { "+OK\r\n" } else { "+OK\r\n+OK\r\n" });
    }
}

#[test]
fn writes_wait_when_the_disk_cannot_keep_up_with_the_bytes() {
    let mut log = logging(AppendFsync::No);
    let value = "v".repeat(60_000);
    let mut rounds = 0;
    while log.say(A, &format!("SET k {value}")) == "+OK\r\n" {
        rounds += 1;
        assert!(rounds < 2000, "it is bounded");
    }
    assert!(rounds > 1000 && log.bench.engine.server.aof_buffer_length() > 64 << 20);
    assert_eq!(log.say(B, "STRLEN k"), ":60000\r\n");
    while !log.jobs.is_empty() {
        log.answer();
        log.turn();
    }
    log.turn();
    assert_eq!(log.sent(A), "+OK\r\n");
}
