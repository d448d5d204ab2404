//! A base of commands (`aof-use-rdb-preamble no`): what a walk over the keyspace tells is what there was when it began, whatever is written meanwhile,
//! and every server of the family makes the same of it.

mod common;
#[path = "common/generate.rs"]
#[allow(dead_code)] // what the differential test looks at besides
mod generate;

use common::{Conn, Server, peers};
use generate::{DATA, Generator, Profile};
use solod::{
    commands::{Command, command::Group, flags},
    config::{Config, ProtectedAction},
    data::{
        entry::{Entry, NEVER, Value},
        hash::FieldValue,
        object::Object,
        stream::Stream,
    },
    engine::Engine,
    persist::{aof::commands::CommandSink, rdb::Progress, snapshot::SnapshotSink},
    state::{ConnId, Host, client::Origin},
};
use std::{fmt::Write, time::SystemTime};

const CONN: ConnId = ConnId(0);

/// A host whose clock stands still.
struct Still(i64);

impl Host for Still {
    fn unix_us(&self) -> i64 {
        self.0
    }

    fn nanos(&self) -> u64 {
        1 << 40
    }
}

fn unix_us() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_micros() as i64
}

/// A server in this process, without a socket.
struct Bench(Engine);

impl Bench {
    fn new(now_us: i64) -> Self {
        let config = Config {
            enable_debug_command: ProtectedAction::Yes,
            // So that lists and streams have many nodes.
            list_max_listpack_size: 64,
            list_compress_depth: 1,
            stream_node_max_entries: 20,
            ..Config::default()
        };
        let mut engine = Engine::new(config, Box::new(Still(now_us)), 1);
        engine.connect(CONN, Origin { local: true, ..Origin::default() }).expect("a client");
        Self(engine)
    }

    fn send(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.0.receive(CONN, bytes);
        self.0.finish_turn();
        self.0.server.clients.get_mut(CONN).map(|client| client.out.take_all()).unwrap_or_default()
    }

    fn run<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Vec<u8> {
        self.send(&Conn::encode(args))
    }

    /// One of each large collection, in pieces for a walk.
    fn fill(&mut self) {
        for (at, name) in ["RPUSH list", "SADD set", "ZADD zset", "HSET hash", "HSET fading"].into_iter().enumerate() {
            let mut args: Vec<String> = name.split(' ').map(str::to_owned).collect();
            for i in 0..1500 {
                match at {
                    0 => args.push(format!("{i}-{}", "element".repeat(i % 30))),
                    1 => args.push(format!("member {i}")),
                    2 => args.extend([format!("{}", i as f64 / 7.0), format!("member {i}")]),
                    _ => args.extend([format!("field {i}"), i.to_string()]),
                }
            }
            self.run(&args);
        }
        for i in (0..1500).step_by(3) {
            self.run(&["HPEXPIRE", "fading", &(1_000_000 + i).to_string(), "FIELDS", "1", &format!("field {i}")]);
        }
        let long = "v".repeat(200_000);
        self.run(&["RPUSH", "long", &long, "1", "short", &long]);
        self.run(&["HSET", "long hash", "field", &long, "other", "1"]);
        self.run(&["SET", "long string", &long]);
        self.run(&["XGROUP", "CREATE", "stream", "group", "0", "MKSTREAM"]);
        for i in 1..=800 {
            self.run(&["XADD", "stream", &format!("{i}-1"), "name", &i.to_string(), "other", "value"]);
        }
        for (consumer, count) in [("one", "300"), ("two", "400")] {
            self.run(&["XREADGROUP", "GROUP", "group", consumer, "COUNT", count, "STREAMS", "stream", ">"]);
        }
        self.run(&["XGROUP", "CREATECONSUMER", "stream", "group", "idle"]);
        self.run(&["XDEL", "stream", "20-1", "800-1"]);
        self.run(&["XGROUP", "CREATE", "empty", "group", "$", "MKSTREAM", "ENTRIESREAD", "5"]);
        self.run(&["PEXPIRE", "stream", "100000000"]);
        self.run(&["PEXPIRE", "list", "100000001"]);
        self.run(&["PEXPIRE", "long", "100000002"]);
    }

    fn digest(&mut self) -> String {
        String::from_utf8_lossy(&self.run(&["DEBUG", "DIGEST"])).trim_end().to_owned()
    }

    /// All keys, with their databases.
    fn keys(&self) -> Vec<(usize, Vec<u8>)> {
        let keyspace = &self.0.server.keyspace;
        keyspace.iter().flat_map(|(db, keys)| keys.dict().iter().map(move |entry| (db, entry.key().to_vec()))).collect()
    }

    /// The members of a sorted set, with their scores.
    fn members(&self, db: usize, key: &[u8]) -> Vec<(Vec<u8>, f64)> {
        let keyspace = &self.0.server.keyspace;
        let zset = keyspace.db(db).dict().find(keyspace.hash(key), key).and_then(|entry| match entry.value() {
            Value::Object(Object::Zset(zset)) => Some(zset),
            _ => None,
        });
        zset.into_iter().flat_map(|zset| zset.iter()).map(|(member, score)| (member.to_vec(), score)).collect()
    }

    /// The fields of a hash that have deadlines, with their values.
    fn fields_with_deadlines(&self, db: usize, key: &[u8]) -> Vec<(Vec<u8>, Vec<u8>, i64)> {
        let keyspace = &self.0.server.keyspace;
        let hash = keyspace.db(db).dict().find(keyspace.hash(key), key).and_then(|entry| match entry.value() {
            Value::Object(Object::Hash(hash)) => Some(hash),
            _ => None,
        });
        let text = |value: FieldValue<'_>| match value {
            FieldValue::Int(n) => n.to_string().into_bytes(),
            FieldValue::Str(text) => text.to_vec(),
            FieldValue::Object(bytes) => bytes.to_vec(),
        };
        let fields = hash.into_iter().flat_map(|hash| hash.iter()).filter(|field| field.deadline != NEVER);
        fields.map(|field| (field.name.to_vec(), text(field.value), field.deadline)).collect()
    }

    /// What a digest does not tell: deadlines, and all of a stream but its entries.
    fn facts(&self) -> String {
        let keyspace = &self.0.server.keyspace;
        let mut all: Vec<String> =
            keyspace.iter().flat_map(|(db, keys)| keys.dict().iter().map(move |entry| format!("{db} {}", described(entry)))).collect();
        all.sort();
        all.join("\n")
    }

    /// All that there is as commands, while `each` is called after each step of the walk.
    fn told(&mut self, mut each: impl FnMut(&mut Self)) -> Vec<u8> {
        let (walk, sink) = CommandSink::begin(None, &mut self.0.server.keyspace);
        let mut told = Vec::new();
        let take = |told: &mut Vec<u8>| {
            let progress = sink.borrow_mut().poll(usize::MAX);
            while let Some(piece) = sink.borrow_mut().pop() {
                told.extend_from_slice(&piece);
            }
            progress
        };
        while self.0.server.keyspace.step_walk(walk) {
            assert_eq!(take(&mut told), Progress::Idle);
            each(self);
        }
        sink.borrow_mut().finish();
        assert_eq!(take(&mut told), Progress::Done);
        assert_eq!((sink.borrow().bytes(), sink.borrow().waiting_bytes()), (told.len() as u64, 0));
        told
    }
}

fn described(entry: &Entry) -> String {
    let mut text = format!("{} {}", entry.key().escape_ascii(), entry.deadline());
    if let Value::Object(object) = entry.value() {
        match object {
            Object::Hash(hash) => {
                let mut fields: Vec<_> = hash.iter().filter(|f| f.deadline != NEVER).map(|f| (f.deadline, f.name.to_vec())).collect();
                fields.sort();
                fields.iter().for_each(|field| write!(text, " {field:?}").expect("a string takes all"));
            }
            Object::Stream(stream) => text += &of_stream(stream),
            _ => (),
        }
    }
    text
}

fn of_stream(stream: &Stream) -> String {
    let mut text = format!(" {:?} {:?} {}", stream.last_id(), stream.max_deleted_id(), stream.entries_added());
    for (name, group) in stream.groups() {
        write!(text, " group {} {:?} {:?}", name.escape_ascii(), group.last_id(), group.entries_read()).expect("a string takes all");
        for (id, consumer) in group.consumers() {
            write!(text, " consumer {}", consumer.name().escape_ascii()).expect("a string takes all");
            // What is pending of entries that are gone no command can make.
            for (id, pending) in group.consumer_pending(id, Default::default()).filter(|(id, _)| stream.get(*id).is_some()) {
                write!(text, " {id:?} {} {}", pending.delivered_ms, pending.deliveries).expect("a string takes all");
            }
        }
    }
    text
}

fn weight(command: &Command, name: &str) -> u64 {
    let waits = command.flags & flags::BLOCKING != 0 && command.group != Group::Stream;
    if waits || !DATA.contains(&command.group) || ["wait", "waitaof", "migrate", "pfselftest"].contains(&name) {
        return 0;
    }
    match name {
        "flushdb" | "flushall" | "swapdb" => 1,
        _ if command.flags & flags::WRITE != 0 => 20,
        _ => 1,
    }
}

const PROFILE: Profile =
    Profile { weight, without: &[("xread", "BLOCK"), ("xreadgroup", "BLOCK")], keys_each: 12, whole_scans: true, newer_ids: true };

/// What came with Redis 7.2 and later.
fn weight_7_0(command: &Command, name: &str) -> u64 {
    let version = |text: &str| text.split('.').map(|n| n.parse().unwrap_or(0)).collect::<Vec<u32>>();
    if version(command.since) > vec![7, 0, 15] { 0 } else { weight(command, name) }
}

#[test]
fn what_is_told_is_what_there_was_when_the_walk_began() {
    for seed in 0..30 {
        let now_us = unix_us();
        let (mut original, mut copy) = (Bench::new(now_us), Bench::new(now_us));
        original.fill();
        let mut generator = Generator::new(seed, PROFILE);
        for _ in 0..1500 {
            original.run(&generator.next().args);
        }
        let (digest, facts) = (original.digest(), original.facts());
        // Some walks have few writes between their steps, some many.
        let writes = seed % 5 * 3;
        let told = original.told(|original| {
            for _ in 0..writes {
                original.run(&generator.next().args);
            }
            if writes > 0 {
                let (list, member) = (&["RPUSH", "list", "later"], &["ZADD", "zset", "5", "member 1400"]);
                original.run(list);
                original.run(member);
                original.run(&["HDEL", "fading", "field 3", "field 9"]);
            }
        });
        let replies = copy.send(&told);
        let errors = replies.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"-")).count();
        assert_eq!(errors, 0, "seed {seed}: {}", String::from_utf8_lossy(&replies));
        assert_eq!(copy.facts(), facts, "seed {seed}");
        assert_eq!(copy.digest(), digest, "seed {seed}");
    }
}

/// Two walks see what there was when each began, and what is told while another walk runs is not less.
#[test]
fn two_walks_tell_two_moments() {
    let now_us = unix_us();
    let mut original = Bench::new(now_us);
    original.fill();
    let mut generator = Generator::new(77, PROFILE);
    let first = original.digest();
    let mut second = None;
    let told = original.told(|original| {
        (0..5).for_each(|_| drop(original.run(&generator.next().args)));
        if second.is_none() {
            let digest = original.digest();
            second = Some((digest, original.told(|original| drop(original.run(&["RPUSH", "list", "later"])))));
        }
    });
    let (second, told_second) = second.expect("a walk has steps");
    for (digest, told) in [(first, told), (second, told_second)] {
        let mut copy = Bench::new(now_us);
        copy.send(&told);
        assert_eq!(copy.digest(), digest);
    }
}

#[test]
fn values_are_told_as_redis_tells_them() {
    let mut bench = Bench::new(unix_us());
    let mut check = |commands: &[&str], told: &[&str]| {
        bench.run(&["FLUSHALL"]);
        for command in commands {
            bench.run(&command.split(' ').collect::<Vec<_>>());
        }
        let expected: Vec<u8> = told.iter().chain(&["end"]).flat_map(|line| Conn::encode(&line.split(' ').collect::<Vec<_>>())).collect();
        let mut found = bench.told(|_| ());
        found.extend(Conn::encode(&["end"]));
        assert_eq!(String::from_utf8_lossy(&found), String::from_utf8_lossy(&expected));
    };
    check(&[], &[]);
    check(&["SET n 12"], &["SELECT 0", "SET n 12"]);
    check(&["SET s x", "PEXPIREAT s 4102444800000"], &["SELECT 0", "SET s x", "PEXPIREAT s 4102444800000"]);
    check(&["LPUSH l a 2 c"], &["SELECT 0", "RPUSH l c 2 a"]);
    check(&["SADD t 3 1 2"], &["SELECT 0", "SADD t 1 2 3"]);
    check(&["ZADD z 1.5 a -inf b 3 c"], &["SELECT 0", "ZADD z -inf b 1.5 a 3 c"]);
    check(
        &["HSET h a 1 b x", "HPEXPIREAT h 4102444800000 FIELDS 1 b"],
        &["SELECT 0", "HMSET h b x a 1", "HPEXPIREAT h 4102444800000 FIELDS 1 b"],
    );
    check(
        &["XADD e 1-1 a b", "XADD e 2-1 c d e f", "XDEL e 1-1"],
        &["SELECT 0", "XADD e 2-1 c d e f", "XSETID e 2-1 ENTRIESADDED 2 MAXDELETEDID 1-1"],
    );
    check(
        &["XGROUP CREATE e g 5-0 MKSTREAM"],
        &["SELECT 0", "XADD e MAXLEN 0 0-1 x y", "XSETID e 0-0 ENTRIESADDED 0 MAXDELETEDID 0-0", "XGROUP CREATE e g 5-0 ENTRIESREAD -1"],
    );
    check(
        &[
            "XADD e 1-1 a b",
            "XGROUP CREATE e g 0 ENTRIESREAD 0",
            "XGROUP CREATECONSUMER e g idle",
            "XCLAIM e g one 0 1-1 TIME 1000 RETRYCOUNT 3 FORCE",
        ],
        &[
            "SELECT 0",
            "XADD e 1-1 a b",
            "XSETID e 1-1 ENTRIESADDED 1 MAXDELETEDID 0-0",
            "XGROUP CREATE e g 0-0 ENTRIESREAD 0",
            "XGROUP CREATECONSUMER e g idle",
            "XGROUP CREATECONSUMER e g one",
            "XCLAIM e g one 0 1-1 TIME 1000 RETRYCOUNT 3 JUSTID FORCE",
        ],
    );
    // As many items as Redis puts into a command.
    let members: Vec<String> = (1..=130).map(|n| n.to_string()).collect();
    let group = |range: std::ops::Range<usize>| format!("SADD t {}", members[range].join(" "));
    let groups = [group(0..64), group(64..128), group(128..130)];
    check(&[&group(0..130)], &["SELECT 0", &groups[0], &groups[1], &groups[2]]);
}

fn members(conn: &mut Conn, key: &[u8]) -> Vec<(Vec<u8>, f64)> {
    let reply = conn.cmd(&[b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"]);
    let bytes = |value: &common::Value| if let common::Value::Bulk(bytes) = value { bytes.clone() } else { Vec::new() };
    reply.items().chunks(2).map(|pair| (bytes(&pair[0]), pair[1].text().parse().expect("a score"))).collect()
}

/// As Redis 7 names them: a base of commands and nothing else.
#[test]
fn every_server_of_the_family_makes_the_same_of_it() {
    if common::is_reference() {
        return;
    }
    let now_us = unix_us();
    for (at, peer) in peers().iter().enumerate() {
        let weight = if at == 0 { weight_7_0 } else { weight };
        let mut original = Bench::new(now_us);
        original.fill();
        let mut generator = Generator::new(5 + at as u64, Profile { weight, ..PROFILE });
        (0..3000).for_each(|_| drop(original.run(&generator.next().args)));
        if at == 0 {
            original.run(&["DEL", "fading"]);
        }
        let told = original.told(|_| ());
        let mut theirs = Server::of(peer, &["--appendonly", "yes", "--enable-debug-command", "yes"]);
        theirs.kill9();
        let dir = theirs.dir.join("appendonlydir");
        let entries = || std::fs::read_dir(&dir).expect("it is there").map(|entry| entry.expect("an entry").path());
        entries().for_each(|path| std::fs::remove_file(path).expect("it goes"));
        std::fs::write(dir.join("appendonly.aof.1.base.aof"), &told).expect("there is room");
        std::fs::write(dir.join("appendonly.aof.manifest"), "file appendonly.aof.1.base.aof seq 1 type b\n").expect("there is room");
        theirs.restart();
        let mut conn = theirs.connect();
        let (is_valkey, mut others) = (peer.ends_with("valkey-server"), false);
        for (db, key) in original.keys() {
            conn.cmd(&["SELECT", &db.to_string()]);
            original.run(&["SELECT", &db.to_string()]);
            let digest = [&b"DEBUG"[..], b"DIGEST-VALUE", &key];
            let ours = String::from_utf8_lossy(&original.run(&digest)).into_owned();
            let theirs = conn.cmd(&digest).items()[0].text();
            // Before 7.2 a digest has the digits of scores as C prints them.
            let old_scores = at == 0 && conn.cmd(&[b"TYPE", &key[..]]) == *"zset";
            let fields = original.fields_with_deadlines(db, &key);
            let same = if old_scores {
                members(&mut conn, &key) == original.members(db, &key)
            } else if is_valkey && !fields.is_empty() {
                // Its digest leaves deadlines of fields out.
                others = true;
                fields.iter().all(|(field, value, deadline)| {
                    let found = conn.cmd(&[b"HPEXPIRETIME", &key[..], b"FIELDS", b"1", field]).items()[0].int();
                    found == *deadline && conn.cmd(&[b"HGET", &key[..], field]) == common::Value::Bulk(value.clone())
                })
            } else {
                ours.contains(&theirs)
            };
            assert!(same, "{}: {db} {} {ours} {theirs}", peer.display(), key.escape_ascii());
        }
        let keys: i64 = (0..16).map(|db| [conn.run(&format!("SELECT {db}")), conn.run("DBSIZE")][1].int()).sum();
        assert_eq!(keys as usize, original.keys().len());
        assert!(at == 0 || others || conn.run("DEBUG DIGEST").text() == original.digest().trim_start_matches('+'), "{}", peer.display());
        conn.run("SELECT 0");
        replies!(conn, "XINFO GROUPS empty" =>
            r#"[["name", "group", "consumers", 0, "pending", 0, "last-delivered-id", "0-0", "entries-read", 5, "lag", 0]]"#);
    }
}
