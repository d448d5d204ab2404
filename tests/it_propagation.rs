//! What is propagated has the same effect again: random writes of all types, alone, in pipelines of several clients, in transactions and waiting for one
//! another. A replica and a server that loads the append-only file must hold what the primary holds, down to what groups of streams have pending.
//!
//! `SOLOD_PROPAGATION_SEED` replays a run, and `SOLOD_PROPAGATION_ROUNDS` makes it longer.

mod common;
#[path = "common/generate.rs"]
#[allow(dead_code)] // what the differential test looks at besides
mod generate;

use common::{Conn, PATIENCE, Server, Value, is_reference, wait_until};
use generate::{DATA, Generator, Profile};
use solod::{
    commands::{Command, command::Group, flags},
    data::rng::Rng,
};
use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant, SystemTime},
};

/// Rounds of the run that belongs to every test run. The data of each are compared.
const ROUNDS: u64 = 150;
const CLIENTS: usize = 3;
/// Commands of a client in a round, at most.
const BATCH: u64 = 40;
/// Rounds between which the database is emptied.
const LIFE: u64 = 30;
/// Databases that commands get into.
const DATABASES: usize = 2;
/// Commands that are told with a difference.
const TOLD: usize = 4 * CLIENTS * BATCH as usize;

fn weight(command: &Command, name: &str) -> u64 {
    let is_waiting = ["wait", "waitaof", "migrate"].contains(&name);
    if is_waiting || !DATA.contains(&command.group) || command.flags & flags::WRITE == 0 {
        return 0;
    }
    match name {
        "flushdb" | "flushall" | "swapdb" => 1,
        _ if command.group == Group::Generic => 4,
        // There is most to get wrong.
        "xadd" => 120,
        "xtrim" => 60,
        _ if command.group == Group::Stream => 20,
        _ => 10,
    }
}

const PROFILE: Profile = Profile { weight, without: &[], keys_each: 6, whole_scans: true, newer_ids: true };

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn fresh_seed() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(1, |d| u64::from(d.subsec_nanos()))
}

/// What says when someone was seen, or how a stream is laid out: nothing that is propagated.
const ITS_OWN: [&str; 4] = ["seen-time", "active-time", "radix-tree-keys", "radix-tree-nodes"];

fn without_its_own(value: &Value) -> Value {
    let Value::Array(items) = value else { return value.clone() };
    let is_named = |item: &Value, names: &[&str]| matches!(item, Value::Bulk(name) if names.iter().any(|n| n.as_bytes() == name));
    let mut kept = Vec::new();
    let mut items = items.iter();
    while let Some(item) = items.next() {
        if is_named(item, &ITS_OWN) {
            items.next();
            continue;
        }
        kept.push(without_its_own(item));
        if is_named(item, &["pending"])
            && let Some(Value::Array(pending)) = items.next()
        {
            // When and how often an entry has been delivered is not propagated when its consumer reads it again.
            let who = |pending: &Value| Value::Array(pending.items().into_iter().filter(|item| !matches!(item, Value::Int(_))).collect());
            kept.push(Value::Array(pending.iter().map(who).collect()));
        }
    }
    Value::Array(kept)
}

/// All that there is: by database and key its type, deadline and digest, and of a stream what its groups have.
fn facts(conn: &mut Conn) -> BTreeMap<String, String> {
    let mut facts = BTreeMap::new();
    for db in 0..DATABASES {
        conn.run(&format!("SELECT {db}"));
        for key in conn.run("KEYS *").items() {
            let Value::Bulk(key) = key else { continue };
            let kind = conn.cmd(&[b"TYPE", &key[..]]).text();
            let mut fact =
                format!("{kind} {} {}", conn.cmd(&[b"PEXPIRETIME", &key[..]]), conn.cmd(&[&b"DEBUG"[..], b"DIGEST-VALUE", &key]));
            if kind == "stream" {
                let all = conn.cmd(&[&b"XINFO"[..], b"STREAM", &key, b"FULL", b"COUNT", b"0"]);
                fact += &format!(" {}", without_its_own(&all));
            }
            if kind != "none" {
                facts.insert(format!("{db} {}", key.escape_ascii()), fact);
            }
        }
    }
    conn.run("SELECT 0");
    facts
}

/// What two servers hold differently, once the other has had the time to catch up, and deadlines have passed for both.
fn difference(primary: &mut Conn, other: &mut Conn) -> Option<(String, String)> {
    let until = Instant::now() + PATIENCE / 4;
    loop {
        let (ours, theirs) = (facts(primary), facts(other));
        let keys = || ours.keys().chain(theirs.keys());
        let key = keys().find(|key| ours.get(*key) != theirs.get(*key))?;
        if Instant::now() > until {
            let told = |facts: &BTreeMap<String, String>| facts.get(key).cloned().unwrap_or_default();
            return Some((key.clone(), format!("\n   {}\nand\n   {}", told(&ours), told(&theirs))));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn written(args: &[Vec<u8>]) -> String {
    args.iter().map(|arg| arg.escape_ascii().to_string()).collect::<Vec<_>>().join(" ")
}

struct Writers {
    conns: Vec<Conn>,
    generator: Generator,
    rng: Rng,
    last: VecDeque<String>,
    marks: u64,
}

impl Writers {
    fn new(server: &Server, seed: u64) -> Self {
        let conns = (0..CLIENTS).map(|_| server.connect()).collect();
        Self { conns, generator: Generator::new(seed, PROFILE), rng: Rng::new(!seed), last: VecDeque::new(), marks: 0 }
    }

    fn add(&mut self, batch: &mut Vec<u8>, who: usize, args: &[Vec<u8>]) {
        while self.last.len() >= TOLD {
            self.last.pop_front();
        }
        self.last.push_back(format!("{who}: {}", written(args)));
        batch.extend(Conn::encode(args));
    }

    /// Each client sends its commands at once, and waits for all replies.
    fn round(&mut self, begins_anew: bool) {
        if begins_anew {
            self.conns[0].run("FLUSHALL");
            self.last.clear();
        }
        self.marks += 1;
        let mark = format!("end of round {}", self.marks).into_bytes();
        for who in 0..CLIENTS {
            let mut batch = Vec::new();
            let transaction = self.rng.below(4) == 0;
            if transaction {
                self.add(&mut batch, who, &[b"MULTI".to_vec()]);
            }
            for _ in 0..=self.rng.below(BATCH) {
                let call = self.generator.next();
                self.add(&mut batch, who, &call.args);
            }
            if transaction {
                self.add(&mut batch, who, &[b"EXEC".to_vec()]);
            }
            batch.extend(Conn::encode(&[b"ECHO", &mark[..]]));
            self.conns[who].send(&batch);
        }
        for conn in &mut self.conns {
            while conn.recv() != Value::Bulk(mark.clone()) {}
        }
    }

    /// The last commands in which a key is named.
    fn told(&self, key: &str) -> String {
        let lines = self.last.iter().filter(|line| line.split(' ').any(|word| word == key));
        lines.map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
    }
}

#[test]
fn a_replica_and_the_append_only_file_hold_what_the_primary_holds() {
    if is_reference() {
        return;
    }
    let seed = setting("SOLOD_PROPAGATION_SEED", fresh_seed());
    println!("SOLOD_PROPAGATION_SEED={seed}");
    let debug = ["--enable-debug-command", "yes"];
    // How a trim that is approximate comes out goes by the size of nodes.
    let log = ["--appendonly", "yes", "--appendfsync", "no", "--stream-node-max-entries", "3", "--list-max-listpack-size", "8"];
    let primary = Server::start(&[&debug[..], &log].concat());
    let replica = Server::start(&[&debug[..], &["--replicaof", "127.0.0.1", &primary.port.to_string()]].concat());
    wait_until(|| replica.info("master_link_status") == "up");
    let mut writers = Writers::new(&primary, seed);
    let (mut ours, mut theirs) = (primary.connect(), replica.connect());
    for round in 0..setting("SOLOD_PROPAGATION_ROUNDS", ROUNDS) {
        writers.round(round % LIFE == 0);
        wait_until(|| primary.info("master_repl_offset") == replica.info("slave_repl_offset"));
        if let Some((key, what)) = difference(&mut ours, &mut theirs) {
            let name = key.split(' ').nth(1).unwrap_or_default();
            panic!("round {round}: {key} is in the primary and the replica {what}\nafter\n{}", writers.told(name));
        }
    }
    let before = facts(&mut ours);
    assert_eq!(ours.run("DEBUG LOADAOF"), *"OK");
    assert_eq!(facts(&mut ours), before);
}
