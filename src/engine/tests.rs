use super::*;
use crate::state::{
    client::Origin,
    disk::{DiskJob, Done, Logged},
};
use proptest::prelude::*;
use std::{cell::Cell, collections::VecDeque, rc::Rc};

/// A host whose time moves when it is told to.
#[derive(Clone)]
struct Still(Rc<Cell<i64>>, Rc<Cell<i64>>);

impl Host for Still {
    fn unix_us(&self) -> i64 {
        self.0.get()
    }
    fn nanos(&self) -> u64 {
        self.0.set(self.0.get() + self.1.get());
        self.0.get() as u64 * 1000
    }
}

pub(super) struct Bench {
    pub(super) engine: Engine,
    time: Rc<Cell<i64>>,
    /// Microseconds that go by with each look at the clock.
    pub(super) tick: Rc<Cell<i64>>,
}

pub(super) const A: ConnId = ConnId(0);
pub(super) const B: ConnId = ConnId(1);
pub(super) const C: ConnId = ConnId(2);
pub(super) const D: ConnId = ConnId(3);

pub(super) fn bench(config: Config) -> Bench {
    let time = Rc::new(Cell::new(1_000_000_000_000_000));
    let tick = Rc::new(Cell::new(0));
    let mut engine = Engine::new(config, Box::new(Still(time.clone(), tick.clone())), 1);
    for conn in [A, B] {
        engine.connect(conn, Origin { local: true, ..Origin::default() }).unwrap();
    }
    Bench { engine, time, tick }
}

/// A bench with four clients.
pub(super) fn bench_of_four() -> Bench {
    bench_of_four_with(Config::default())
}

pub(super) fn bench_of_four_with(config: Config) -> Bench {
    let mut bench = bench(config);
    for conn in [C, D] {
        bench.engine.connect(conn, Origin { local: true, ..Origin::default() }).unwrap();
    }
    bench
}

impl Bench {
    pub(super) fn pass(&mut self, ms: i64) {
        self.pass_unseen(ms);
        self.engine.refresh_time();
    }

    /// Lets time pass that the engine does not look at before it does so by itself.
    pub(super) fn pass_unseen(&mut self, ms: i64) {
        self.time.set(self.time.get() + ms * 1000);
    }

    /// A millisecond goes by, and the turn ends: what the disk is asked for joins `jobs`. The exit code, where the server is to end.
    pub(super) fn end_turn(&mut self, jobs: &mut VecDeque<DiskJob>) -> Option<i32> {
        self.pass(1);
        self.engine.finish_turn();
        let mut exit = None;
        while let Some(action) = self.engine.take_action() {
            match action {
                Action::Disk(job) => jobs.push_back(job),
                Action::Exit(code) => exit = Some(code),
                _ => (),
            }
        }
        exit
    }

    /// Turns until there is nothing to do at once.
    fn settle(&mut self) {
        for _ in 0..1000 {
            if self.engine.sleep_ms() > 0 {
                return;
            }
            self.engine.finish_turn();
        }
    }

    pub(super) fn take(&mut self, conn: ConnId) -> String {
        let out = self.engine.server.clients.get_mut(conn).map(|c| c.out.take_all()).unwrap_or_default();
        String::from_utf8_lossy(&out).into_owned()
    }

    /// Sends inline commands, a line each, and returns what comes back.
    pub(super) fn say(&mut self, conn: ConnId, lines: &str) -> String {
        for line in lines.lines() {
            self.engine.receive(conn, format!("{}\r\n", line.trim()).as_bytes());
        }
        self.take(conn)
    }

    /// Every key with its value, so that states can be compared.
    fn state(&self) -> Vec<(usize, Vec<u8>, String)> {
        let keyspace = &self.engine.server.keyspace;
        let mut all: Vec<_> = keyspace
            .iter()
            .flat_map(|(i, db)| db.dict().iter().map(move |e| (i, e.key().to_vec(), format!("{:?} {}", describe(e), e.deadline()))))
            .collect();
        all.sort();
        all
    }
}

fn describe(entry: &crate::data::entry::Entry) -> Vec<u8> {
    crate::commands::context::text(entry.value()).map_or_else(Vec::new, |t| t.with(<[u8]>::to_vec))
}

#[test]
fn a_command_is_answered() {
    let mut bench = bench(Config::default());
    assert_eq!(bench.say(A, "SET k v\nGET k\nget nothing"), "+OK\r\n$1\r\nv\r\n$-1\r\n");
}

#[test]
fn errors_name_what_is_wrong() {
    let mut bench = bench(Config::default());
    assert_eq!(bench.say(A, "nosuch 1 2"), "-ERR unknown command 'nosuch', with args beginning with: '1' '2' \r\n");
    assert_eq!(bench.say(A, "get"), "-ERR wrong number of arguments for 'get' command\r\n");
}

#[test]
fn a_stranger_has_to_authenticate() {
    let config = Config { requirepass: Some(b"secret".to_vec()), ..Config::default() };
    let mut bench = bench(config);
    assert_eq!(bench.say(A, "GET k"), "-NOAUTH Authentication required.\r\n");
}

#[test]
fn a_protocol_error_is_answered_and_ends_the_connection() {
    let mut bench = bench(Config::default());
    bench.engine.receive(A, b"*1\r\n$4\r\nPING\r\n*1\r\n:3\r\nrest");
    assert_eq!(bench.take(A), "+PONG\r\n-ERR Protocol error: expected '$', got ':'\r\n");
    assert!(bench.engine.wants_close(A));
    assert_eq!(bench.say(B, "PING"), "+PONG\r\n", "others are served");
}

#[test]
fn a_reader_that_does_not_read_is_closed_at_its_limit() {
    let mut config = Config::default();
    config.client_output_buffer_limit[0].hard = 10_000;
    let mut bench = bench(config);
    bench.say(B, &format!("SET k {}", "v".repeat(3000)));
    for _ in 0..10 {
        bench.engine.receive(A, b"GET k\r\n");
    }
    assert!(bench.engine.wants_close(A));
    assert_eq!(bench.engine.server.stats.output_limit_closes, 1);
}

#[test]
fn a_writer_that_never_ends_its_request_is_closed_at_its_limit() {
    let config = Config { client_query_buffer_limit: 1 << 20, ..Config::default() };
    let mut bench = bench(config);
    bench.engine.receive(A, b"*1000000\r\n");
    for _ in 0..2000 {
        bench.engine.receive(A, format!("$1000\r\n{}\r\n", "x".repeat(1000)).as_bytes());
    }
    assert!(bench.engine.wants_close(A));
}

#[test]
fn what_has_been_sent_holds_no_memory() {
    let mut bench = bench(Config::default());
    bench.say(A, "PING\nPING");
    bench.engine.sent(A, 0);
    let client = bench.engine.server.clients.get(A).unwrap();
    assert!(client.pending.is_none() && client.out.memory() == 0);
}

#[test]
fn a_large_value_is_stored_and_sent_without_a_copy() {
    let mut bench = bench(Config::default());
    let value = vec![b'x'; 300_000];
    bench.engine.receive(A, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$300000\r\n");
    let mut rest = &value[..];
    while let Fill::Own(target) = bench.engine.fill_target(A) {
        let n = target.len().min(rest.len());
        if n == 0 {
            break;
        }
        target[..n].copy_from_slice(&rest[..n]);
        rest = &rest[n..];
        bench.engine.filled(A, n);
    }
    bench.engine.receive(A, b"\r\n");
    assert_eq!(bench.take(A), "+OK\r\n");
    bench.engine.receive(A, b"GET k\r\n");
    let client = bench.engine.server.clients.get(A).unwrap();
    assert_eq!(client.out.pieces(), 2, "the value leaves as a piece of its own");
}

#[test]
fn keys_are_reclaimed_when_they_are_due() {
    let mut bench = bench(Config::default());
    for i in 0..1000 {
        bench.say(A, &format!("SET k{i} v PX {}", 10 + i));
    }
    bench.pass(500);
    assert_eq!(bench.engine.sleep_ms(), 0, "there is work to do");
    for _ in 0..1000 {
        bench.engine.finish_turn();
    }
    assert_eq!(bench.engine.server.keyspace.db(0).len(), 510);
    assert_eq!(bench.engine.server.keyspace.stats.expired, 490);
}

fn request() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        4 => prop::sample::select(vec!["SET", "GET", "DEL", "INCR", "APPEND", "MULTI", "EXEC", "DISCARD", "SELECT", "EXPIRE", "PING", "MGET", "MSET", "RENAME"])
            .prop_map(|w| w.as_bytes().to_vec()),
        4 => prop::sample::select(vec!["a", "b", "1", "2", "-7", "100"]).prop_map(|w| w.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..40),
        1 => Just(vec![b'y'; 40_000]),
    ];
    let inline = prop::sample::select(vec!["GET a\r\n", "APPEND b x\r\n", "PING\r\n"]).prop_map(|line| line.as_bytes().to_vec());
    let whole = proptest::collection::vec(word, 1..5).prop_map(|words| {
        let mut wire = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            wire.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            wire.extend_from_slice(&word);
            wire.extend_from_slice(b"\r\n");
        }
        wire
    });
    prop_oneof![9 => whole, 1 => inline]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_split_gives_the_same_replies_and_the_same_state(
        requests in proptest::collection::vec(request(), 1..30),
        broken in proptest::option::of(proptest::collection::vec(any::<u8>(), 1..20)),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let mut wire = requests.concat();
        wire.extend(broken.unwrap_or_default());
        let mut whole = bench(Config::default());
        whole.engine.receive(A, &wire);
        let mut split = bench(Config::default());
        let mut at: Vec<usize> = cuts.into_iter().map(|c| c.index(wire.len())).collect();
        at.sort_unstable();
        let mut last = 0;
        for cut in at.into_iter().chain([wire.len()]) {
            split.engine.receive(A, &wire[last..cut]);
            last = cut;
        }
        // What is too much for one go is executed in the next turns.
        for bench in [&mut whole, &mut split] {
            bench.settle();
        }
        prop_assert_eq!(split.take(A), whole.take(A));
        prop_assert_eq!(split.state(), whole.state());
        prop_assert_eq!(split.engine.wants_close(A), whole.engine.wants_close(A));
    }
}

#[test]
fn replies_leave_in_the_order_of_their_requests() {
    let mut bench = bench(Config::default());
    for conn in [B, A] {
        bench.engine.receive(conn, b"PING\r\n");
    }
    bench.engine.receive(B, b"PING\r\n");
    assert_eq!((bench.engine.take_dirty(), bench.engine.dirty_count()), (Some(B), 1));
    // What is owed from here on comes behind the others.
    bench.engine.receive(B, b"PING\r\n");
    let order: Vec<_> = std::iter::from_fn(|| bench.engine.take_dirty()).collect();
    assert_eq!(order, [A, B]);
}

#[test]
fn wrong_bytes_leave_nothing_behind_for_the_next_client() {
    for wrong in [&b"SET \"a\r\n"[..], b"*x\r\n", b"*1\r\n$x\r\n", b"*1\r\n:1\r\n", &[b'1'; 70_000], b"*2\r\n$4\r\nECHO\r\n$9999999999\r\n"]
    {
        for front in ["", "PING\r\n", "*1\r\n$4\r\nPING\r\n"] {
            let mut bench = bench(Config::default());
            bench.engine.receive(A, &[front.as_bytes(), wrong].concat());
            assert!(bench.take(A).contains("-ERR Protocol error") && bench.engine.wants_close(A));
            assert_eq!(bench.say(B, "PING\nECHO x"), "+PONG\r\n$1\r\nx\r\n", "{}", wrong[..wrong.len().min(20)].escape_ascii());
        }
    }
}

#[test]
fn what_stands_behind_a_wait_is_looked_at_when_it_is_over() {
    let mut bench = bench(Config::default());
    bench.engine.receive(A, b"PING\r\nBTAKE k 0\r\n*x\r\n");
    assert_eq!(bench.take(A), "+PONG\r\n");
    assert!(!bench.engine.wants_close(A));
    bench.say(B, "SET k v");
    bench.engine.finish_turn();
    assert_eq!(bench.take(A), "*2\r\n$1\r\nk\r\n$1\r\nv\r\n-ERR Protocol error: invalid multibulk length\r\n");
    assert!(bench.engine.wants_close(A));
}

#[test]
fn nothing_is_executed_behind_a_quit() {
    let mut bench = bench(Config::default());
    bench.engine.receive(A, format!("{}QUIT\r\nSET k v\r\n", "PING\r\n".repeat(31)).as_bytes());
    assert_eq!(bench.take(A), "+PONG\r\n".repeat(31) + "+OK\r\n");
    assert_eq!(bench.say(B, "EXISTS k"), ":0\r\n");
}

/// Starts what a client has sent over: as if its connection were new.
fn reconnect(bench: &mut Bench, conn: ConnId) {
    bench.engine.disconnect(conn);
    bench.engine.connect(conn, Origin { local: true, ..Origin::default() }).unwrap();
}

#[test]
fn http_ends_a_connection_before_anything_behind_it_is_executed() {
    for line in ["POST / HTTP/1.1", "post", "HOST: localhost"] {
        let mut bench = bench(Config::default());
        bench.engine.receive(A, format!("GET / HTTP/1.1\r\n{line}\r\n\r\nSET k v\r\n").as_bytes());
        assert!(bench.engine.wants_close(A));
        let mut none = Vec::new();
        bench.engine.output(A, &mut none, 9);
        assert!(none.is_empty(), "it is not answered");
        assert_eq!(bench.say(B, "EXISTS k"), ":0\r\n");
    }
    let mut bench = bench(Config::default());
    assert_eq!(bench.say(A, "SET POST Host:\nGET POST"), "+OK\r\n$5\r\nHost:\r\n", "as arguments they are like others");
}

#[test]
fn who_never_gave_a_password_has_to_when_there_is_one_again() {
    let mut bench = bench(Config { requirepass: Some(b"one".to_vec()), ..Config::default() });
    bench.say(B, "AUTH one");
    assert_eq!(bench.say(A, "PING"), "-NOAUTH Authentication required.\r\n");
    bench.say(B, "CONFIG SET requirepass \"\"");
    assert_eq!(bench.say(A, "PING\nSET k v\nHELLO 2").matches("NOAUTH").count(), 0);
    bench.say(B, "CONFIG SET requirepass two");
    assert_eq!(bench.say(A, "PING"), "-NOAUTH Authentication required.\r\n");
    assert_eq!(bench.say(B, "PING"), "+PONG\r\n", "who gave one before stays in");
    bench.say(B, "CONFIG SET requirepass \"\"");
    reconnect(&mut bench, A);
    bench.say(B, "CONFIG SET requirepass three");
    assert_eq!(bench.say(A, "PING"), "+PONG\r\n", "and so does who came when there was none, as with Redis");
}

#[test]
fn replies_to_a_stranger_are_limited() {
    let mut bench = bench(Config { requirepass: Some(b"secret".to_vec()), ..Config::default() });
    bench.engine.receive(A, &b"PING\r\n".repeat(30));
    assert_eq!(bench.take(A), "-NOAUTH Authentication required.\r\n".repeat(30));
    assert!(!bench.engine.wants_close(A));
    bench.engine.receive(A, &b"PING\r\n".repeat(20_000));
    assert!(bench.engine.wants_close(A));
    assert!(bench.engine.server.clients.get(A).unwrap().out.memory() < 64 * 1024);
    bench.say(B, "AUTH secret");
    bench.engine.receive(B, &b"PING\r\n".repeat(20_000));
    assert!(!bench.engine.wants_close(B));
}

#[test]
fn what_a_transaction_holds_counts_as_input() {
    let mut bench = bench(Config { client_query_buffer_limit: 1 << 20, ..Config::default() });
    bench.say(A, "MULTI");
    let value = "v".repeat(1000);
    for _ in 0..900 {
        bench.say(A, &format!("SET k {value}"));
    }
    assert!(!bench.engine.wants_close(A));
    let shown = bench.say(B, "CLIENT LIST");
    let number = |name: &str| {
        shown
            .lines()
            .find(|line| line.contains("multi=900"))
            .unwrap()
            .split(name)
            .nth(1)
            .unwrap()
            .split(' ')
            .next()
            .unwrap()
            .parse::<usize>()
            .unwrap()
    };
    assert!((900_000..1_100_000).contains(&number("multi-mem=")) && number("tot-mem=") > number("multi-mem="), "{shown}");
    for _ in 0..200 {
        bench.say(A, &format!("SET k {value}"));
    }
    assert!(bench.engine.wants_close(A));
    assert_eq!(bench.engine.server.stats.input_limit_closes, 1);
}

#[test]
fn small_arguments_count_as_the_bytes_that_they_are() {
    let mut bench = bench(Config { client_query_buffer_limit: 1 << 20, ..Config::default() });
    bench.engine.receive(A, b"*1000000\r\n$6\r\nEXISTS\r\n");
    for _ in 0..140 {
        bench.engine.receive(A, &b"$1\r\na\r\n".repeat(1000));
    }
    assert!(!bench.engine.wants_close(A), "980,000 bytes");
    for _ in 0..20 {
        bench.engine.receive(A, &b"$1\r\na\r\n".repeat(1000));
    }
    assert!(bench.engine.wants_close(A));
}

#[test]
fn no_more_is_read_of_a_client_that_waits_than_is_kept() {
    let mut bench = bench(Config::default());
    bench.say(A, "BTAKE k 0");
    let mut sent = 0;
    while bench.engine.wants_input(A) {
        bench.engine.receive(A, &b"SET k v\r\nBTAKE k 0\r\n".repeat(1000));
        sent += 1000;
    }
    assert!(sent <= 5000 && bench.engine.ends_unread(A));
    bench.engine.server.actions.clear();
    bench.say(B, "SET k first");
    bench.engine.finish_turn();
    assert_eq!(bench.take(A).matches("+OK").count(), sent);
    assert!(bench.engine.wants_input(A));
    assert!(std::iter::from_fn(|| bench.engine.take_action()).any(|action| action == Action::Read(A)), "the rest is read");
}

#[test]
fn in_a_transaction_replies_are_sent_as_long_as_they_are_wanted() {
    let mut bench = bench(Config::default());
    let queued = |n: usize| format!("+OK\r\n{}", "+QUEUED\r\n".repeat(n));
    let exec = "EXEC\nPING";
    assert_eq!(bench.say(A, &format!("MULTI\nSET a 1\nCLIENT REPLY OFF\nGET a\n{exec}")), queued(3) + "*3\r\n+OK\r\n");
    assert_eq!(bench.say(A, "CLIENT REPLY ON\nPING"), "+OK\r\n+PONG\r\n");
    assert_eq!(
        bench.say(A, &format!("MULTI\nCLIENT REPLY OFF\nGET a\nCLIENT REPLY ON\nPING\n{exec}")),
        queued(4) + "*4\r\n+OK\r\n+PONG\r\n+PONG\r\n"
    );
    assert_eq!(bench.say(A, &format!("CLIENT REPLY OFF\nMULTI\nGET a\nCLIENT REPLY ON\nPING\n{exec}")), "+OK\r\n+PONG\r\n+PONG\r\n");
    assert_eq!(bench.say(A, "MULTI\nGET a\nCLIENT REPLY SKIP\nEXEC\nPING\nPING"), queued(2) + "*2\r\n$1\r\n1\r\n+PONG\r\n");
    assert_eq!(bench.say(A, "CLIENT REPLY OFF\nMULTI\nNOSUCH\nEXEC\nWATCH a\nSET a 2\nMULTI\nEXEC\nCLIENT REPLY ON"), "+OK\r\n");
}

#[test]
fn the_last_command_is_what_was_asked_for_last() {
    let mut bench = bench(Config::default());
    let mut last = |line: &str| {
        bench.say(A, line);
        bench.say(B, "CLIENT LIST").lines().nth(1).unwrap().split(" cmd=").nth(1).unwrap().split(' ').next().unwrap().to_owned()
    };
    for (line, command) in [
        ("PING", "ping"),
        ("GET", "get"),
        ("NOSUCH", "NULL"),
        ("CONFIG GET", "config|get"),
        ("CONFIG NOSUCH", "NULL"),
        ("MULTI\nSET a 1", "set"),
        ("EXEC", "exec"),
        ("MULTI\nGET", "get"),
        ("EXEC", "exec"),
    ] {
        assert_eq!(last(line), command, "{line}");
    }
    let told = bench.say(A, "MULTI\nCLIENT INFO\nEXEC");
    assert!(told.contains(" cmd=exec "), "{told}");
}

#[test]
fn a_key_is_watched_once_by_each_client_however_many_there_are() {
    let mut bench = bench(Config::default());
    let all: Vec<String> = (0..200).map(|i| format!("k{}", i % 100)).collect();
    bench.say(A, &format!("WATCH {}", all.join(" ")));
    bench.say(B, "WATCH k7");
    assert_eq!(bench.engine.server.clients.get(A).unwrap().watching.len(), 100);
    assert_eq!(bench.say(B, "UNWATCH\nSET k8 1"), "+OK\r\n+OK\r\n");
    assert_eq!(bench.say(A, "MULTI\nEXEC"), "+OK\r\n*-1\r\n");
    assert_eq!(bench.say(A, "WATCH k7\nMULTI\nEXEC"), "+OK\r\n+OK\r\n*0\r\n");
}

/// What the disk says to a job that goes well.
pub(super) fn well_done(job: &DiskJob) -> Done {
    match job {
        DiskJob::Create { .. } => Done::Created,
        DiskJob::Append { pieces, .. } => Done::Appended(pieces.iter().map(|piece| piece.len() as u64).sum()),
        DiskJob::Sync { .. } => Done::Synced,
        DiskJob::Commit { .. } => Done::Committed,
        DiskJob::Abort { .. } => Done::Aborted,
        DiskJob::MakeDir { .. } => Done::MadeDir,
        DiskJob::OpenLog { .. } => Done::Opened(Some(0)),
        DiskJob::Rename { .. } => Done::Renamed,
        DiskJob::Remove { .. } => Done::Removed,
        DiskJob::WriteLog { pieces, sync, .. } => {
            let written = pieces.iter().map(|piece| piece.len() as u64).sum();
            Done::Logged(Logged { written, synced: *sync, ..Logged::default() })
        }
        job => panic!("not asked for here: {job:?}"),
    }
}
