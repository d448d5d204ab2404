//! Clients that keep copies never keep a stale one: a random workload, checked whenever everything that was sent has been read.

use super::{Engine, tests::Bench};
use crate::{
    config::Config,
    data::rng::Rng,
    engine::tests::{A, B, C, D, bench_of_four_with},
    state::{ConnId, client::Origin},
};
use std::collections::{BTreeMap, VecDeque};

/// Somebody who only looks.
const ORACLE: ConnId = ConnId(4);
/// Somebody who waits for keys and takes them away.
const TAKER: ConnId = ConnId(5);
const KEYS: u64 = 12;
const STEPS: usize = 120;
const SEEDS: u64 = 3000;

#[derive(Clone, Debug, PartialEq)]
enum Reply {
    Text(String),
    Null,
    Array(Vec<Reply>),
    Push(Vec<Reply>),
}

/// One reply at the beginning of `wire`, and what is behind it.
fn parse(wire: &str) -> (Reply, &str) {
    let (line, mut rest) = wire.split_once("\r\n").expect("a whole line");
    let (kind, value) = line.split_at(1);
    let mut items = |count: &str| {
        let items = (0..count.parse().expect("a count")).map(|_| {
            let (item, behind) = parse(rest);
            rest = behind;
            item
        });
        items.collect()
    };
    let reply = match kind {
        "_" => Reply::Null,
        "$" | "*" if value == "-1" => Reply::Null,
        "$" => {
            let (text, behind) = rest.split_at(value.parse().expect("a length"));
            rest = &behind[2..];
            Reply::Text(text.to_owned())
        }
        "*" | "%" => Reply::Array(items(value)),
        ">" => Reply::Push(items(value)),
        _ => Reply::Text(line.to_owned()),
    };
    (reply, rest)
}

/// A client that keeps copies.
struct Cache {
    conn: ConnId,
    /// The connection that is told of changes in its place.
    listener: Option<ConnId>,
    mode: &'static str,
    no_loop: bool,
    /// What it waits for, in order: the keys that were read, or changed.
    asked: VecDeque<Asked>,
    /// Copies; one that was asked for and has not come stands as `None`.
    copies: BTreeMap<String, Option<Reply>>,
}

enum Asked {
    Read(String),
    Change(String),
    Exec(Vec<Asked>),
    Other,
}

impl Cache {
    fn answered(&mut self, asked: Asked, reply: Reply) {
        match asked {
            // In one stream the order says which is the newer.
            Asked::Read(key) if self.listener.is_none() => _ = self.copies.insert(key, Some(reply)),
            Asked::Read(key) => {
                // Where it has been told meanwhile, what comes may be stale.
                if let Some(copy) = self.copies.get_mut(&key) {
                    *copy = Some(reply);
                }
            }
            Asked::Change(key) if self.no_loop => _ = self.copies.remove(&key),
            Asked::Exec(all) => {
                let Reply::Array(replies) = reply else { return };
                all.into_iter().zip(replies).for_each(|(asked, reply)| self.answered(asked, reply));
            }
            Asked::Change(_) | Asked::Other => (),
        }
    }

    fn told(&mut self, keys: &Reply) {
        match keys {
            Reply::Null => self.copies.clear(),
            Reply::Array(keys) => keys.iter().for_each(|key| {
                let Reply::Text(key) = key else { panic!("a key is a string") };
                self.copies.remove(key);
            }),
            other => panic!("{other:?}"),
        }
    }

    /// Reads all that its connections have been sent.
    fn read(&mut self, bench: &mut Bench, listener_first: bool) {
        let order = if listener_first { [self.listener, Some(self.conn)] } else { [Some(self.conn), self.listener] };
        for conn in order.into_iter().flatten() {
            let wire = bench.take(conn);
            let mut rest = &*wire;
            while !rest.is_empty() {
                let (reply, behind) = parse(rest);
                rest = behind;
                match reply {
                    Reply::Push(push) => self.told(&push[1]),
                    Reply::Array(message) if Some(conn) == self.listener => self.told(&message[2]),
                    reply => {
                        let asked = self.asked.pop_front().expect("an answer to something");
                        self.answered(asked, reply);
                    }
                }
            }
        }
    }

    /// A few commands in one piece.
    fn act(&mut self, bench: &mut Bench, rng: &mut Rng) {
        let mut wire = String::new();
        let mut queue: Option<Vec<Asked>> = None;
        for _ in 0..=rng.below(4) {
            let key = format!("k{}", rng.below(KEYS));
            let cached = self.mode != "OPTIN" || queue.is_none();
            let asked = match rng.below(10) {
                0 if queue.is_none() => {
                    wire += if self.mode == "OPTIN" { "CLIENT CACHING YES\r\nMULTI\r\n" } else { "MULTI\r\n" };
                    self.asked.extend((0..if self.mode == "OPTIN" { 2 } else { 1 }).map(|_| Asked::Other));
                    queue = Some(Vec::new());
                    continue;
                }
                0..=6 => {
                    if self.mode == "OPTIN" && cached {
                        wire += "CLIENT CACHING YES\r\n";
                        self.asked.push_back(Asked::Other);
                    }
                    wire += &format!("GET {key}\r\n");
                    self.copies.insert(key.clone(), None);
                    Asked::Read(key)
                }
                // Where one of them has expired the client does not learn it from the answer.
                7 if rng.below(2) == 0 => {
                    wire += &format!("TOUCH {key} k{} k{}\r\n", rng.below(KEYS), rng.below(KEYS));
                    Asked::Other
                }
                7 => {
                    wire += &format!("DEL {key}\r\n");
                    Asked::Change(key)
                }
                _ => {
                    wire += &format!("SET {key} {}\r\n", rng.below(1000));
                    Asked::Change(key)
                }
            };
            match &mut queue {
                Some(queue) => {
                    queue.push(asked);
                    self.asked.push_back(Asked::Other);
                }
                None => self.asked.push_back(asked),
            }
        }
        if let Some(queue) = queue {
            wire += "EXEC\r\n";
            self.asked.push_back(Asked::Exec(queue));
        }
        bench.engine.receive(self.conn, wire.as_bytes());
    }

    /// Copies that came, each with what is there now.
    fn check(&self, bench: &mut Bench, seed: u64, step: usize) {
        for (key, copy) in &self.copies {
            let Some(copy) = copy else { continue };
            let now = bench.say(ORACLE, &format!("GET {key}"));
            let now = parse(&now).0;
            assert_eq!(*copy, now, "seed {seed}, step {step}, {key} of {:?}, {} {}", self.conn, self.mode, self.no_loop);
        }
    }
}

fn begin(bench: &mut Bench, rng: &mut Rng, conn: ConnId, listener: Option<ConnId>) -> Cache {
    let (mode, no_loop) = (["", "OPTIN", "OPTOUT", "BCAST"][rng.below(4) as usize], rng.below(3) == 0);
    let mut options = mode.to_owned();
    if no_loop {
        options += " NOLOOP";
    }
    if mode == "BCAST" && rng.below(2) == 0 {
        options += " PREFIX k1 PREFIX k0 PREFIX k2 PREFIX k3 PREFIX k4 PREFIX k5 PREFIX k6 PREFIX k7 PREFIX k8 PREFIX k9";
    }
    match listener {
        None => _ = bench.say(conn, "HELLO 3"),
        Some(listener) => {
            bench.say(listener, "SUBSCRIBE __redis__:invalidate");
            let id = bench.engine.server.clients.get(listener).expect("connected").id;
            options += &format!(" REDIRECT {id}");
        }
    }
    assert_eq!(bench.say(conn, &format!("CLIENT TRACKING ON {options}")), "+OK\r\n");
    Cache { conn, listener, mode, no_loop, asked: VecDeque::new(), copies: BTreeMap::new() }
}

/// Something that happens to the data without the clients that keep copies.
fn disturb(bench: &mut Bench, rng: &mut Rng) {
    let (key, other) = (rng.below(KEYS), rng.below(KEYS));
    let line = match rng.below(16) {
        0..=4 => format!("SET k{key} {other}"),
        5 => format!("DEL k{key}"),
        6 | 7 => format!("PEXPIRE k{key} {}", rng.below(20)),
        8 => format!("RENAME k{key} k{other}"),
        9 => format!("MULTI\nSET k{key} 1\nAPPEND k{other} 2\nEXEC"),
        10 => format!("SELECT 1\nSET k{key} one\nSELECT 0"),
        11 if other < 3 => "SWAPDB 0 1".to_owned(),
        12 if other < 2 => "FLUSHDB".to_owned(),
        12 if other == 3 => "FLUSHALL".to_owned(),
        13 => format!("MSET k{key} a k{other} b"),
        14 if bench.engine.server.clients.get(TAKER).is_some_and(|client| client.blocked.is_none()) => {
            bench.engine.receive(TAKER, format!("BTAKE k{key} k{other} 0\r\n").as_bytes());
            return;
        }
        14 => {
            bench.take(TAKER);
            return;
        }
        _ => return bench.pass(rng.below(15) as i64),
    };
    bench.say(D, &line);
}

fn settle(engine: &mut Engine) {
    engine.finish_turn();
    while engine.sleep_ms() == 0 {
        engine.finish_turn();
    }
}

fn run(seed: u64) -> usize {
    let mut rng = Rng::new(seed);
    let tracking_table_max_keys = [0, 2, 1_000_000][rng.below(3) as usize];
    let mut bench = bench_of_four_with(Config { tracking_table_max_keys, ..Config::default() });
    for conn in [ORACLE, TAKER] {
        bench.engine.connect(conn, Origin { local: true, ..Origin::default() }).expect("room");
    }
    let mut caches = [begin(&mut bench, &mut rng, A, None), begin(&mut bench, &mut rng, B, Some(C))];
    let mut checked = 0;
    for step in 0..STEPS {
        match rng.below(5) {
            0 | 1 => caches[rng.below(2) as usize].act(&mut bench, &mut rng),
            2 | 3 => disturb(&mut bench, &mut rng),
            _ => {
                let cache = &mut caches[rng.below(2) as usize];
                cache.read(&mut bench, rng.below(2) == 0);
            }
        }
        if rng.below(4) == 0 {
            bench.engine.finish_turn();
        }
        if rng.below(6) == 0 {
            settle(&mut bench.engine);
            for cache in &mut caches {
                cache.read(&mut bench, rng.below(2) == 0);
                assert!(cache.asked.is_empty());
                cache.check(&mut bench, seed, step);
                checked += cache.copies.len();
            }
        }
    }
    let tracked = &bench.engine.server.keyspace.tracked;
    assert!(tracked_is_bounded(tracked.keys(), tracking_table_max_keys));
    for conn in [A, B] {
        bench.engine.disconnect(conn);
    }
    let tracked = &bench.engine.server.keyspace.tracked;
    assert_eq!([tracked.clients(), tracked.keys(), tracked.items(), tracked.prefixes()], [0; 4], "seed {seed}");
    checked
}

fn tracked_is_bounded(keys: usize, keys_max: usize) -> bool {
    keys_max == 0 || keys <= keys_max
}

#[test]
fn no_copy_is_stale_once_everything_has_been_read() {
    let checked: usize = (0..SEEDS).map(run).sum();
    // There have to be copies for it to mean anything.
    assert!(checked as u64 > 10 * SEEDS, "{checked}");
}

#[test]
fn what_a_client_changes_itself_comes_behind_the_answer_and_in_front_of_the_next() {
    let mut bench = bench_of_four_with(Config::default());
    bench.say(A, "HELLO 3\nCLIENT TRACKING ON\nGET k");
    bench.engine.receive(A, b"SET k 1\r\nGET k\r\n");
    assert_eq!(bench.take(A), "+OK\r\n>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n$1\r\n1\r\n");
    bench.say(D, "SET k 2");
    assert_eq!(bench.take(A), ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n", "at once, not at the end of the turn");
}

#[test]
fn listeners_to_prefixes_are_told_at_the_end_of_the_turn() {
    let mut bench = bench_of_four_with(Config::default());
    bench.say(A, "HELLO 3\nCLIENT TRACKING ON BCAST PREFIX k");
    bench.say(D, "SET k2 1\nSET x 1\nSET k1 1\nSET k2 2");
    assert_eq!(bench.take(A), "");
    bench.engine.finish_turn();
    assert_eq!(bench.take(A), ">2\r\n$10\r\ninvalidate\r\n*2\r\n$2\r\nk1\r\n$2\r\nk2\r\n");
}
