//! What begins beside a script that is slow: a snapshot, a base, an increment and what a replica is sent hold all of what it does, or nothing.

use super::tests::{A, B, Bench, C, D, bench_of_four_with, well_done};
use crate::{
    config::{AppendFsync, Config},
    replication::primary::FollowerPhase,
    state::{ConnId, DiskDone, DiskJob, FileId, Peer, aof::AofPhase, client::Origin},
};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// Writes at its beginning and at its end, and takes its time between.
const SLOW: &str = "EVAL \"redis.call('incr','n') for i=1,3e5 do end redis.call('incr','n')\" 0";
/// Microseconds that a look at the clock takes while a script is slow.
const LOOK_US: i64 = 300;

/// A server, and a disk that does its jobs when it is told to.
struct Beside {
    bench: Bench,
    jobs: VecDeque<DiskJob>,
    open: HashMap<FileId, Vec<u8>>,
    /// The log's files, by their paths of when they were opened; and others, by their names, once they are whole.
    files: BTreeMap<String, Vec<u8>>,
    paths: HashMap<FileId, String>,
    exit: Option<i32>,
}

fn beside(config: Config) -> Beside {
    let config = Config { busy_reply_threshold: 1, aof_use_rdb_preamble: false, rdbcompression: false, ..config };
    let (jobs, open, files, paths) = Default::default();
    Beside { bench: bench_of_four_with(config), jobs, open, files, paths, exit: None }
}

/// One that has no save points.
fn saving_nothing() -> Config {
    Config { save: Vec::new(), ..Config::default() }
}

/// One with an append-only file, in which `n` is 0.
fn logging_with(config: Config) -> Beside {
    let mut beside = beside(config);
    beside.say(A, "SET n 0");
    beside.say(A, "CONFIG SET appendonly yes");
    beside.settle();
    assert_eq!(beside.bench.engine.server.aof.phase, AofPhase::On);
    beside
}

impl Beside {
    fn say(&mut self, conn: ConnId, lines: &str) -> String {
        let said = self.bench.say(conn, lines);
        self.turn();
        said + &self.bench.take(conn)
    }

    fn turn(&mut self) {
        self.exit = self.bench.end_turn(&mut self.jobs).or(self.exit);
        while self.bench.engine.take_dirty().is_some() {}
    }

    /// Has a script begin that does not end in this turn, with what is said in front of it.
    fn begin_slow(&mut self, lines: &str) {
        self.bench.tick.set(LOOK_US);
        assert_eq!(self.say(A, lines), "");
        assert!(self.is_slow());
    }

    fn is_slow(&self) -> bool {
        self.bench.engine.is_script_slow()
    }

    fn tell_debugger(&mut self, command: &str) {
        self.bench.engine.receive(A, format!("*1\r\n${}\r\n{command}\r\n", command.len()).as_bytes());
        self.turn();
    }

    /// Turns until the script has ended: `holds` holds beside it.
    fn end_slow(&mut self, holds: impl Fn(&Self) -> bool) {
        let mut turns = 0;
        while self.is_slow() {
            assert!(holds(self));
            self.turn();
            turns += 1;
        }
        assert!(turns > 1, "others have turns beside it");
        self.bench.tick.set(0);
    }

    /// The disk does its first job.
    fn answer(&mut self) {
        let job = self.jobs.pop_front().expect("the disk is asked for something");
        let file = job.file();
        let done = well_done(&job);
        match job {
            DiskJob::Create { path, .. } => {
                self.open.insert(file, Vec::new());
                self.paths.insert(file, path);
            }
            DiskJob::Append { pieces, .. } => {
                self.open.get_mut(&file).unwrap().extend_from_slice(&pieces.concat());
            }
            DiskJob::Commit { to, .. } => {
                let bytes = self.open.remove(&file).unwrap();
                self.files.insert(to, bytes);
            }
            DiskJob::OpenLog { path, .. } => {
                self.files.insert(path.clone(), Vec::new());
                self.paths.insert(file, path);
            }
            DiskJob::WriteLog { pieces, .. } => {
                self.files.get_mut(&self.paths[&file]).unwrap().extend_from_slice(&pieces.concat());
            }
            DiskJob::Rename { from, to, .. } => {
                let bytes = self.files.remove(&from).unwrap();
                self.paths.values_mut().filter(|path| **path == from).for_each(|path| path.clone_from(&to));
                self.files.insert(to, bytes);
            }
            DiskJob::Remove { path, .. } => {
                self.files.remove(&path);
            }
            DiskJob::MakeDir { .. } | DiskJob::Abort { .. } => (),
            job => panic!("not asked for here: {job:?}"),
        }
        self.bench.engine.disk_done(DiskDone { file, result: Ok(done) });
    }

    fn answer_all(&mut self) {
        while !self.jobs.is_empty() {
            self.answer();
        }
    }

    /// The disk does all there is to do, and the server what follows from it.
    fn settle(&mut self) {
        for _ in 0..300 {
            self.turn();
            self.answer_all();
        }
    }

    fn text(&self, name: &str) -> String {
        let (_, bytes) =
            self.files.iter().find(|(path, _)| path.ends_with(name)).unwrap_or_else(|| panic!("{name}: {:?}", self.files.keys()));
        words(bytes)
    }

    fn rewrite_has_begun(&self) -> bool {
        self.bench.engine.server.aof_files.rewrite.as_ref().expect("one is under way").base.is_some()
    }
}

/// Commands, one a line, without those that belong to no key.
fn words(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let mut all = String::new();
    for word in text.split("\r\n").filter(|line| !line.is_empty() && !line.starts_with('$')) {
        all.push_str(if word.starts_with(['*', '#']) { "\n" } else { " " });
        all.push_str(if word.starts_with('*') { "" } else { word });
    }
    let all = all.replace("\n ", "\n");
    all.lines().filter(|line| !line.is_empty() && *line != "SELECT 0").collect::<Vec<_>>().join("\n")
}

const WHOLE: &str = "MULTI\nincr n\nincr n\nEXEC";

#[test]
fn a_rewrite_that_is_prepared_beside_a_script_begins_behind_it() {
    let mut beside = logging_with(saving_nothing());
    beside.say(B, "BGREWRITEAOF");
    beside.begin_slow(SLOW);
    // The directory and the increment are there.
    beside.answer_all();
    beside.end_slow(|beside| !beside.rewrite_has_begun());
    assert!(beside.rewrite_has_begun(), "in the same turn");
    beside.settle();
    beside.say(B, "SET later 1");
    beside.settle();
    assert_eq!((beside.text("2.base.aof"), beside.text("2.incr.aof")), ("SET n 2".into(), "SET later 1".into()));
}

#[test]
fn a_rewrite_that_has_begun_before_a_script_holds_nothing_of_it() {
    let mut beside = logging_with(saving_nothing());
    beside.say(B, "BGREWRITEAOF");
    beside.answer_all();
    beside.turn();
    assert!(beside.rewrite_has_begun());
    beside.begin_slow(SLOW);
    while beside.is_slow() {
        beside.answer_all();
        beside.turn();
    }
    beside.bench.tick.set(0);
    beside.settle();
    assert_eq!((beside.text("2.base.aof"), beside.text("2.incr.aof")), ("SET n 0".into(), WHOLE.into()));
}

#[test]
fn a_base_without_a_log_and_a_log_that_is_turned_on_begin_behind_a_script() {
    for command in ["BGREWRITEAOF", "CONFIG SET appendonly yes"] {
        let mut beside = beside(saving_nothing());
        beside.say(B, &format!("SET n 0\n{command}"));
        beside.begin_slow(SLOW);
        beside.answer_all();
        let log_has_begun = |beside: &Beside| beside.bench.engine.server.aof.writer.is_some();
        beside.end_slow(|beside| !beside.rewrite_has_begun() && !log_has_begun(beside));
        beside.settle();
        assert_eq!(beside.text("1.base.aof"), "SET n 2", "{command}");
        if log_has_begun(&beside) {
            assert_eq!(beside.text("1.incr.aof"), "");
        }
    }
}

#[test]
fn a_log_that_has_grown_beside_a_script_is_rewritten_behind_it() {
    let mut beside = logging_with(Config { auto_aof_rewrite_min_size: 200, ..saving_nothing() });
    let long = "x".repeat(500);
    beside.begin_slow(&format!("EVAL \"redis.call('set','k','{long}') for i=1,3e5 do end redis.call('incr','n')\" 0"));
    let is_rewriting = |beside: &Beside| beside.bench.engine.server.aof_files.rewrite.is_some();
    while beside.is_slow() {
        // The cron is due in each turn.
        beside.bench.pass(100);
        beside.answer_all();
        assert!(!is_rewriting(&beside));
        beside.turn();
    }
    beside.bench.tick.set(0);
    beside.settle();
    assert_eq!(beside.text("2.incr.aof"), "");
    let base = beside.text("2.base.aof");
    assert!(base.contains("SET n 1") && base.contains(&long), "{base}");
}

#[test]
fn a_transaction_is_whole_in_a_base_though_its_script_is_slow() {
    let mut beside = logging_with(saving_nothing());
    beside.say(B, "BGREWRITEAOF");
    beside.bench.tick.set(LOOK_US);
    // The script itself writes nothing.
    beside.say(A, "MULTI\nSET a 1\nEVAL \"for i=1,3e5 do end\" 0\nSET b 1\nEXEC");
    beside.answer_all();
    beside.end_slow(|beside| !beside.rewrite_has_begun());
    beside.settle();
    let base = beside.text("2.base.aof");
    assert!(base.contains("SET a 1") && base.contains("SET b 1"), "{base}");
    assert_eq!(beside.text("2.incr.aof"), "");
}

#[test]
fn time_stands_still_for_all_of_a_transaction() {
    let mut beside = beside(saving_nothing());
    let script = "EVAL \"for i=1,3e5 do end\" 0";
    beside.bench.tick.set(LOOK_US);
    let began_ms = beside.bench.engine.server.unix_ms();
    beside.bench.say(A, &format!("SET a 1\nSET b 1\nMULTI\nPEXPIRE a 50000\n{script}\n{script}\nPEXPIRE b 50000\nEXEC"));
    beside.end_slow(|_| true);
    let expected = format!("*2\r\n:{0}\r\n:{0}\r\n", began_ms + 50_000);
    beside.bench.take(B);
    let said = beside.say(B, "MULTI\nPEXPIRETIME a\nPEXPIRETIME b\nEXEC");
    assert!(said.ends_with(&expected), "{said} {expected}");
    assert!(beside.bench.engine.server.unix_ms() > began_ms + 10, "it has gone on for others");
}

#[test]
fn what_a_killed_script_has_kept_waiting_begins() {
    let mut beside = logging_with(saving_nothing());
    beside.say(B, "BGREWRITEAOF");
    beside.begin_slow("EVAL \"while true do end\" 0");
    beside.answer_all();
    beside.turn();
    assert!(!beside.rewrite_has_begun());
    // Its caller may be gone as well.
    beside.bench.engine.disconnect(A);
    assert_eq!(beside.say(B, "SCRIPT KILL"), "+OK\r\n");
    beside.turn();
    assert!(!beside.is_slow() && beside.rewrite_has_begun());
}

#[test]
fn a_session_of_the_debugger_leaves_nothing_in_a_base() {
    for (mode, n) in [("YES", 0), ("SYNC", 1)] {
        let mut beside = logging_with(saving_nothing());
        beside.say(B, "BGREWRITEAOF");
        beside.say(A, &format!("SCRIPT DEBUG {mode}"));
        beside.bench.say(A, "EVAL \"redis.call('incr','n')\\nreturn 1\" 0");
        for _ in 0..3 {
            beside.answer_all();
            beside.turn();
        }
        // It has stopped in front of its first line, and then behind it.
        beside.tell_debugger("s");
        assert!(beside.is_slow() && !beside.rewrite_has_begun());
        beside.tell_debugger("c");
        beside.settle();
        assert!(!beside.is_slow());
        assert_eq!(beside.text("2.base.aof"), format!("SET n {n}"), "{mode}");
    }
}

#[test]
fn a_flush_by_a_script_is_whole_in_a_base_and_its_empty_file_is_the_datasets() {
    let mut beside = logging_with(Config::default());
    beside.say(B, "BGREWRITEAOF");
    beside.begin_slow("EVAL \"redis.call('incr','n') redis.call('flushall') for i=1,3e5 do end redis.call('set','k','v')\" 0");
    beside.answer_all();
    beside.end_slow(|beside| !beside.rewrite_has_begun());
    beside.settle();
    assert_eq!((beside.text("2.base.aof"), beside.text("2.incr.aof")), ("SET k v".into(), String::new()));
    assert!(beside.bench.engine.server.keyspace.dirty > 0, "what the script did behind it is to be saved yet");
}

/// What BGSAVE has written: whether it holds this.
fn saved(beside: &Beside, text: &str) -> bool {
    beside.files["dump.rdb"].windows(text.len()).any(|part| part == text.as_bytes())
}

#[test]
fn a_save_begins_in_front_of_a_script_or_behind_it() {
    let script = "EVAL \"redis.call('set','k','first') for i=1,3e5 do end redis.call('set','l','last')\" 0";
    let is_saving = |beside: &Beside| beside.bench.engine.server.persistence.saving.is_some();
    // In front of it.
    let mut beside = beside(saving_nothing());
    assert!(beside.say(B, "SET n before\nBGSAVE").contains("Background saving started"));
    beside.begin_slow(script);
    assert!(beside.say(B, "BGSAVE").starts_with("-BUSY"));
    while beside.is_slow() {
        beside.answer_all();
        beside.turn();
    }
    beside.bench.tick.set(0);
    beside.settle();
    assert!(saved(&beside, "before") && !saved(&beside, "first") && !saved(&beside, "last"));
    // Scheduled, or asked for by a save point, whose time comes beside it.
    for asks in ["MULTI\nBGSAVE\nEXEC", "CONFIG SET save '1 1'"] {
        beside.say(B, "DEL k l");
        beside.files.clear();
        beside.say(B, "CONFIG SET save ''");
        beside.bench.say(B, asks);
        beside.bench.tick.set(LOOK_US);
        beside.bench.say(A, script);
        assert!(beside.is_slow());
        beside.bench.pass(5000);
        beside.end_slow(|beside| !is_saving(beside));
        beside.settle();
        assert!(saved(&beside, "first") && saved(&beside, "last"), "{asks}");
    }
}

#[test]
fn a_replica_begins_in_front_of_a_script_or_behind_it() {
    let mut beside = beside(saving_nothing());
    beside.say(B, "SET n before");
    beside.bench.say(C, "REPLCONF capa eof");
    assert!(beside.bench.say(C, "PSYNC ? -1").starts_with("+FULLRESYNC"));
    beside.begin_slow("EVAL \"redis.call('set','n','first') for i=1,3e5 do end redis.call('append','n','last')\" 0");
    for lines in ["PSYNC ? -1", "SYNC"] {
        assert!(beside.say(D, lines).starts_with("-BUSY"), "{lines}");
    }
    let mut sent = String::new();
    for _ in 0..300 {
        beside.turn();
        sent += &beside.bench.take(C);
    }
    beside.bench.tick.set(0);
    assert!(!beside.is_slow());
    assert!(sent.contains("before") && !sent.contains("first") && !sent.contains("last"), "{sent}");
    // It is on its way no more, and what it is sent next is what follows.
    let mut follows = beside.say(C, "REPLCONF ACK 0");
    beside.turn();
    follows += &beside.bench.take(C);
    assert_eq!(words(follows.as_bytes()), "MULTI\nset n first\nappend n last\nEXEC");
}

/// Makes a client a replica that has acknowledged everything.
fn in_step(beside: &mut Beside, conn: ConnId) {
    let server = &mut beside.bench.engine.server;
    server.open_log();
    let end = server.replication.log.end();
    server.clients.get_mut(conn).unwrap().peer = Peer::Candidate(Box::default());
    server.add_replica(conn, FollowerPhase::Online { waits_for_ack: false }, end);
    beside.say(conn, &format!("REPLCONF ACK {end}"));
}

#[test]
fn nobody_waits_for_a_replica_to_acknowledge_half_of_a_script() {
    let mut beside = beside(saving_nothing());
    beside.say(B, "SET n 0");
    in_step(&mut beside, C);
    let script = "EVAL \"redis.call('incr','n') redis.call('incr','n') while true do end\" 0";
    beside.begin_slow(script);
    let log = &beside.bench.engine.server.replication.log;
    assert!(log.whole_end() < log.end(), "the half is on its way");
    beside.say(B, "SHUTDOWN NOSAVE");
    assert_eq!(beside.exit, Some(0), "at once");
    // For what is whole the server waits as ever.
    let mut beside = self::beside(saving_nothing());
    in_step(&mut beside, C);
    beside.say(B, "SET n 0");
    beside.begin_slow(script);
    beside.say(B, "SHUTDOWN NOSAVE");
    assert_eq!((beside.exit, beside.say(D, "SHUTDOWN ABORT").as_str()), (None, "+OK\r\n"));
    assert!(beside.is_slow(), "it goes on");
    let whole = beside.bench.engine.server.replication.log.whole_end();
    beside.say(C, &format!("REPLCONF ACK {whole}"));
    beside.say(D, "SHUTDOWN NOSAVE");
    assert_eq!(beside.exit, Some(0));
}

#[test]
fn the_seconds_are_not_noted_amid_what_a_script_has_logged() {
    let config = Config { appendfsync: AppendFsync::No, aof_timestamp_enabled: true, ..saving_nothing() };
    let mut beside = logging_with(config);
    let script = "EVAL \"for j=1,4 do redis.call('incr','n') for i=1,2e5 do end end\" 0";
    beside.bench.pass(2000);
    beside.begin_slow(script);
    while beside.is_slow() {
        beside.bench.pass(1000);
        beside.turn();
        beside.answer_all();
    }
    beside.bench.tick.set(0);
    beside.bench.pass(1000);
    beside.say(B, "SET later 1");
    beside.settle();
    let log = beside.text("1.incr.aof");
    let unit = "MULTI\nincr n\nincr n\nincr n\nincr n\nEXEC\n#TS:";
    assert!(log.contains(unit) && log.ends_with("SET later 1"), "{log}");
}

#[test]
fn a_transaction_comes_to_its_end_though_its_client_leaves_beside_a_script() {
    let mut beside = logging_with(saving_nothing());
    // Two slow scripts, the second of which begins when the client is gone.
    let script = "EVAL \"redis.call('incr','n') for i=1,3e5 do end\" 0";
    beside.bench.tick.set(LOOK_US);
    beside.say(A, &format!("MULTI\nSELECT 1\nSET a 1\n{script}\nSUBSCRIBE c\nMONITOR\n{script}\nCLIENT REPLY ON\nSET b 1\nEXEC"));
    beside.bench.engine.disconnect(A);
    // Somebody else has its place.
    beside.bench.engine.connect(A, Origin { local: true, ..Origin::default() }).unwrap();
    assert!(beside.say(A, "PING").starts_with("-BUSY"));
    beside.end_slow(|_| true);
    beside.settle();
    assert_eq!(beside.text("1.incr.aof"), "MULTI\nSELECT 1\nSET a 1\nincr n\nincr n\nSET b 1\nEXEC");
    assert_eq!(beside.say(A, "MGET a b\nPUBLISH c x"), "*2\r\n$-1\r\n$-1\r\n:0\r\n", "it is in database 0, and listens to nothing");
    let server = &beside.bench.engine.server;
    assert!(server.monitors.is_empty() && server.clients.get(ConnId::LEFT).is_none() && server.clients.len() == 4);
}
