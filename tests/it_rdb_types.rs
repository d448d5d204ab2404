//! Lists, sets, hashes and sorted sets on their way through files, payloads and full synchronisations, exchanged with a real server.

mod common;
use common::*;

use std::fs;
use std::path::Path;
use std::process::Command;

const DEBUG: &[&str] = &["--enable-debug-command", "yes", "--enable-protected-configs", "yes", "--save", ""];

/// Every encoding that an older server has too, below and above its limits, with elements of all sizes and forms.
fn fill(conn: &mut Conn) {
    let long = "long ".repeat(40);
    let huge = "z".repeat(100_000);
    for db in [0, 9] {
        conn.run(&format!("SELECT {db}"));
        for count in [1, 5, 130, 600, 3000] {
            let name = |kind: &str| format!("{kind}:{count}");
            let mut list = vec!["RPUSH".to_owned(), name("list")];
            let mut ints = vec!["SADD".to_owned(), name("ints")];
            let mut set = vec!["SADD".to_owned(), name("set")];
            let mut hash = vec!["HSET".to_owned(), name("hash")];
            let mut zset = vec!["ZADD".to_owned(), name("zset")];
            for i in 0..count {
                list.extend([i.to_string(), format!("item {i}")]);
                ints.push((i * 1_000_003_i64 - 70_000).to_string());
                set.extend([i.to_string(), format!("member {i}")]);
                hash.extend([format!("field {i}"), i.to_string(), i.to_string(), format!("value {i}")]);
                // Halves and quarters: older servers write other digits of what is not exact.
                zset.extend([format!("{}", i as f64 / 4.0 - 10.0), format!("member {i}"), format!("{}", i * 7), i.to_string()]);
            }
            zset.extend(["inf", "top", "-inf", "bottom"].map(str::to_owned));
            for command in [list, ints, set, hash, zset] {
                assert!(!matches!(conn.cmd(&command), Value::Error(_)));
            }
            conn.cmd(&["PEXPIREAT", &name("zset"), "4102444800123"]);
        }
        conn.cmd(&["RPUSH", "list:long", &long, "", &huge, "7"]);
        conn.cmd(&["SADD", "set:long", &long, "", &huge, "7"]);
        conn.cmd(&["HSET", "hash:long", &long, "", "", &long, "7", &huge]);
        conn.cmd(&["ZADD", "zset:long", "1", &long, "2", "", "3", &huge, "-0.0", "7"]);
        // A zero's sign is there in a skiplist alone, which one member makes necessary that is the first or the last.
        conn.cmd(&["ZADD", "zset:first", "-1", &long, "-0", "7", "1", "member"]);
        conn.cmd(&["ZADD", "zset:last", "1", &long, "-0", "7", "-1", "member"]);
    }
    conn.run("SELECT 0");
    // The two servers differ in when the forms change and in nothing else.
    conn.run("CONFIG SET list-compress-depth 1");
    let squeezed: Vec<String> =
        ["RPUSH".to_owned(), "list:squeezed".to_owned()].into_iter().chain((0..4000).map(|i| format!("squeeze me {i}"))).collect();
    conn.cmd(&squeezed);
    conn.run("CONFIG SET list-compress-depth 0");
}

fn check(file: &Path) {
    let check = run(Command::new("redis-check-rdb").arg(file));
    assert_eq!(check.code, Some(0), "{check:?}");
}

fn restart_with(server: &mut Server, file: &Path) {
    server.kill9();
    fs::copy(file, server.dir.join("dump.rdb")).unwrap();
    server.restart();
}

#[test]
fn files_are_exchanged_with_a_real_server() {
    let (mut ours, mut theirs) = (Server::start(DEBUG), Server::redis(DEBUG));
    fill(&mut theirs.connect());
    let digest = theirs.ask("DEBUG DIGEST");
    replies!(theirs.connect(), "SAVE" => "OK");
    restart_with(&mut ours, &theirs.dir.join("dump.rdb"));
    assert_eq!(ours.ask("DEBUG DIGEST"), digest, "what they wrote is here");
    for save in ["SAVE", "BGSAVE"] {
        ours.ask(save);
        wait_until(|| ours.info("rdb_bgsave_in_progress") == "0");
        check(&ours.dir.join("dump.rdb"));
        restart_with(&mut theirs, &ours.dir.join("dump.rdb"));
        assert_eq!(theirs.ask("DEBUG DIGEST"), digest, "what we wrote is there");
        replies!(ours.connect(), "DEBUG RELOAD" => "OK");
        assert_eq!(ours.ask("DEBUG DIGEST"), digest, "and comes back to us");
    }
    fill_again_is_the_same(&ours, &digest);
}

/// The commands make the same of it as they did there.
fn fill_again_is_the_same(server: &Server, digest: &Value) {
    replies!(server.connect(), "FLUSHALL" => "OK");
    fill(&mut server.connect());
    assert_eq!(server.ask("DEBUG DIGEST"), *digest);
}

#[test]
fn payloads_are_exchanged_with_a_real_server() {
    let (ours, theirs) = (Server::start(DEBUG), Server::redis(DEBUG));
    fill(&mut ours.connect());
    for (from, to) in [(&ours, &theirs), (&theirs, &ours)] {
        let (mut source, mut target) = (from.connect(), to.connect());
        target.run("FLUSHALL");
        for key in source.run("KEYS *").items() {
            let key = key.text();
            let Value::Bulk(payload) = source.cmd(&["DUMP", &key]) else { panic!("{key} has no payload") };
            assert_eq!(target.cmd(&[b"RESTORE", key.as_bytes(), b"0", &payload]), *"OK", "{key}");
            source.cmd(&["PERSIST", &key]);
            let digest = |conn: &mut Conn| conn.cmd(&["DEBUG", "DIGEST-VALUE", &key]);
            assert_eq!(digest(&mut source), digest(&mut target), "{key}");
        }
    }
}

#[test]
fn a_replica_gets_all_of_it_from_us_and_we_from_a_primary() {
    let (ours, theirs) = (Server::start(DEBUG), Server::redis(DEBUG));
    for (primary, replica) in [(&ours, &theirs), (&theirs, &ours)] {
        replies!(primary.connect(), "REPLICAOF NO ONE" => "OK", "FLUSHALL" => "OK");
        fill(&mut primary.connect());
        let port = primary.address().port();
        replica.ask(&format!("REPLICAOF 127.0.0.1 {port}"));
        wait_until(|| replica.info("master_link_status") == "up");
        assert_eq!(replica.ask("DEBUG DIGEST"), primary.ask("DEBUG DIGEST"));
    }
}

#[test]
fn the_forms_that_are_loaded_are_those_the_configuration_asks_for() {
    let mut server = Server::start(DEBUG);
    let mut conn = server.connect();
    replies!(conn,
        "RPUSH l a b c" => "3", "SADD i 1 2 3" => "3", "SADD s a b c" => "3", "HSET h a 1 b 2 c 3" => "3", "ZADD z 1 a 2 b 3 c" => "3",
        "SAVE" => "OK",
    );
    let digest = conn.run("DEBUG DIGEST");
    let encodings = |compact: bool| {
        let expected = if compact {
            ["listpack", "intset", "listpack", "listpack", "listpack"]
        } else {
            ["quicklist", "hashtable", "hashtable", "hashtable", "skiplist"]
        };
        let mut conn = server.connect();
        for (key, encoding) in ["l", "i", "s", "h", "z"].iter().zip(expected) {
            assert_eq!(conn.run(&format!("OBJECT ENCODING {key}")).text(), encoding, "{key}");
        }
        assert_eq!(conn.run("DEBUG DIGEST"), digest);
    };
    encodings(true);
    replies!(conn,
        "CONFIG SET list-max-listpack-size 2 set-max-intset-entries 2 set-max-listpack-entries 2 hash-max-listpack-entries 2 zset-max-listpack-entries 2" => "OK",
        "DEBUG RELOAD" => "OK",
    );
    encodings(false);
    replies!(conn,
        "CONFIG SET list-max-listpack-size -2 set-max-intset-entries 512 set-max-listpack-entries 128 hash-max-listpack-entries 128 zset-max-listpack-entries 128" => "OK",
        "DEBUG RELOAD" => "OK",
    );
    // Integers that were a table come back as integers: they are written one by one.
    encodings(true);
    server.kill9();
}

#[test]
fn fields_with_deadlines_come_back_with_them() {
    let mut server = Server::start(DEBUG);
    let mut conn = server.connect();
    replies!(conn,
        "HSET small a 1 b 2 c 3" => "3",
        "HPEXPIREAT small 4102444800123 FIELDS 2 a b" => "[1, 1]",
        "HSET gone a 1 b 2" => "2",
    );
    let large: Vec<String> = ["HSET", "large"].map(str::to_owned).into_iter().chain((0..2000).map(|i| format!("{i}"))).collect();
    conn.cmd(&large);
    replies!(conn, "HPEXPIREAT large 4102444800125 FIELDS 2 0 6" => "[1, 1]", "HPEXPIREAT large 4102444800124 FIELDS 1 8" => "[1]");
    let digest = conn.run("DEBUG DIGEST");
    replies!(conn, "SAVE" => "OK");
    let head = fs::read(server.dir.join("dump.rdb")).unwrap();
    assert!(head.starts_with(b"REDIS0012"), "the version that has them");
    for key in ["small", "large"] {
        let Value::Bulk(payload) = conn.cmd(&["DUMP", key]) else { panic!("{key} has no payload") };
        let copy = format!("{key} copy");
        assert_eq!(conn.cmd(&[b"RESTORE", copy.as_bytes(), b"0", &payload]), *"OK");
        assert_eq!(conn.cmd(&["DEBUG", "DIGEST-VALUE", &copy]), conn.cmd(&["DEBUG", "DIGEST-VALUE", key]));
        assert_eq!(conn.cmd(&["HPEXPIRETIME", &copy, "FIELDS", "1", "0"]), conn.cmd(&["HPEXPIRETIME", key, "FIELDS", "1", "0"]));
    }
    server.kill9();
    server.restart();
    let mut conn = server.connect();
    assert_eq!(conn.run("DEBUG DIGEST"), digest);
    replies!(conn,
        "HPEXPIRETIME small FIELDS 3 a b c" => "[4102444800123, 4102444800123, -1]",
        "HPEXPIRETIME large FIELDS 4 0 6 8 2" => "[4102444800125, 4102444800125, 4102444800124, -1]",
        "OBJECT ENCODING small" => "\"listpackex\"",
        "HPERSIST small FIELDS 2 a b" => "[1, 1]",
        "DEL large" => "1",
        "SAVE" => "OK",
    );
    let head = fs::read(server.dir.join("dump.rdb")).unwrap();
    assert!(head.starts_with(b"REDIS0010"), "an older server can read it again");
}

/// What Redis 7.0 cannot be told is left out, and the log says so.
#[test]
fn an_older_server_is_fed_with_what_it_can_read() {
    let mut ours = Server::start(&["--enable-debug-command", "yes", "--rdb-version-max", "10"]);
    let mut theirs = Server::redis(DEBUG);
    let mut conn = ours.connect();
    replies!(conn, "HSET small a 1 b 2 c 3" => "3", "HSET plain a 1" => "1");
    let large: Vec<String> = ["HSET", "large"].map(str::to_owned).into_iter().chain((0..2000).map(|i| format!("{i}"))).collect();
    conn.cmd(&large);
    let digest = conn.run("DEBUG DIGEST");
    replies!(conn, "HPEXPIREAT small 4102444800123 FIELDS 1 a" => "[1]", "HPEXPIREAT large 4102444800123 FIELDS 1 0" => "[1]", "SAVE" => "OK");
    assert!(fs::read(ours.dir.join("dump.rdb")).unwrap().starts_with(b"REDIS0010"));
    let told = "rdb-version-max is 10: fields of 2 hashes are written without their deadlines, which need version 12.";
    assert!(ours.log().contains(told), "{}", ours.log());
    check(&ours.dir.join("dump.rdb"));
    restart_with(&mut theirs, &ours.dir.join("dump.rdb"));
    assert_eq!(theirs.ask("DEBUG DIGEST"), digest, "as a file");

    for key in ["small", "large"] {
        let Value::Bulk(payload) = conn.cmd(&["DUMP", key]) else { panic!("{key} has no payload") };
        assert_eq!(theirs.connect().cmd(&[b"RESTORE", key.as_bytes(), b"0", &payload, b"REPLACE"]), *"OK", "as a payload");
    }
    assert_eq!(theirs.ask("DEBUG DIGEST"), digest);

    theirs.ask(&format!("REPLICAOF 127.0.0.1 {}", ours.port));
    wait_until(|| theirs.info("master_link_status") == "up");
    assert_eq!(theirs.ask("DEBUG DIGEST"), digest, "as a replica");
    // What is due here goes there, too.
    replies!(conn, "HPEXPIRE small 1 FIELDS 1 a" => "[1]");
    wait_until(|| theirs.ask("HLEN small").int() == 2);

    replies!(conn, "CONFIG SET rdb-version-max 0" => "OK", "HPEXPIREAT small 4102444800123 FIELDS 1 b" => "[1]", "SAVE" => "OK");
    assert!(fs::read(ours.dir.join("dump.rdb")).unwrap().starts_with(b"REDIS0012"));
    ours.kill9();
    ours.restart();
    replies!(ours.connect(), "HPEXPIRETIME small FIELDS 1 b" => "[4102444800123]", "HPEXPIRETIME large FIELDS 1 0" => "[4102444800123]");
}

#[test]
fn a_version_that_is_never_written_is_refused() {
    let server = Server::start(&[]);
    let refused =
        "-ERR CONFIG SET failed (possibly related to argument 'rdb-version-max') - argument(s) must be one of the following: 0, 10, 11, 12";
    for version in ["9", "13", "-1", "x"] {
        assert_eq!(server.ask(&format!("CONFIG SET rdb-version-max {version}")), *refused);
        let output = run(Command::new(program()).args(["--port", "0", "--rdb-version-max", version]));
        assert_eq!(output.code, Some(1), "{output:?}");
        assert!(output.stderr.contains("argument(s) must be one of the following: 0, 10, 11, 12"), "{output:?}");
    }
    replies!(server.connect(), "CONFIG SET rdb-version-max 11" => "OK", "CONFIG GET rdb-version-max" => "[\"rdb-version-max\", \"11\"]");
}

#[test]
fn a_huge_collection_is_saved_as_it_was_while_it_changes() {
    let mut server = Server::start(DEBUG);
    let mut conn = server.connect();
    let members = |from: u32, to: u32| (from..to).map(|i| format!("member {i}"));
    for from in (0..100_000).step_by(5000) {
        let to = from + 5000;
        conn.cmd(&["SADD", "set"].map(str::to_owned).into_iter().chain(members(from, to)).collect::<Vec<_>>());
        conn.cmd(&["RPUSH", "list"].map(str::to_owned).into_iter().chain(members(from, to)).collect::<Vec<_>>());
        let scored = members(from, to).enumerate().flat_map(|(i, m)| [i.to_string(), m]);
        conn.cmd(&["ZADD", "zset"].map(str::to_owned).into_iter().chain(scored).collect::<Vec<_>>());
        let fields = members(from, to).flat_map(|m| [m.clone(), m]);
        conn.cmd(&["HSET", "hash"].map(str::to_owned).into_iter().chain(fields).collect::<Vec<_>>());
    }
    let digest = conn.run("DEBUG DIGEST");
    // A save that pauses in the middle of each.
    replies!(conn, "CONFIG SET rdb-key-save-delay 1000" => "OK", "BGSAVE" => "Background saving started");
    let mut changes = 0;
    while server.info("rdb_bgsave_in_progress") == "1" && changes < 2000 {
        let i = changes * 50;
        conn.cmd(&["SADD", "set", &format!("late {i}")]);
        conn.cmd(&["SREM", "set", &format!("member {i}")]);
        conn.cmd(&["ZINCRBY", "zset", "5", &format!("member {i}")]);
        conn.cmd(&["HSET", "hash", &format!("member {i}"), "changed"]);
        conn.cmd(&["HDEL", "hash", &format!("member {}", i + 1)]);
        conn.cmd(&["LPOP", "list"]);
        conn.cmd(&["SET", &format!("other {i}"), "x"]);
        match changes {
            20 => assert_eq!(conn.cmd(&["RENAME", "zset", "other zset"]), *"OK"),
            40 => assert_eq!(conn.cmd(&["DEL", "hash"]).int(), 1),
            60 => assert_eq!(conn.cmd(&["FLUSHDB"]), *"OK"),
            _ => (),
        }
        changes += 1;
    }
    replies!(conn, "CONFIG SET rdb-key-save-delay 0" => "OK");
    wait_until(|| server.info("rdb_bgsave_in_progress") == "0");
    assert_ne!(changes, 0, "something has changed meanwhile");
    check(&server.dir.join("dump.rdb"));
    server.kill9();
    server.restart();
    assert_eq!(server.ask("DEBUG DIGEST"), digest);
}

#[test]
fn empty_keys_of_a_file_are_left_out_and_told_of() {
    let mut server = Server::start(DEBUG);
    server.kill9();
    let mut file = b"REDIS0010\xfe\x00".to_vec();
    for kind in [1, 2, 4, 5, 18] {
        file.extend_from_slice(&[kind, 6]);
        file.extend_from_slice(format!("empty{kind:x}").as_bytes().get(..6).unwrap_or(b"empty0"));
        file.push(0);
    }
    file.extend_from_slice(b"\x00\x01k\x01v\xff\0\0\0\0\0\0\0\0");
    fs::write(server.dir.join("dump.rdb"), file).unwrap();
    server.restart();
    replies!(server.connect(), "KEYS *" => "[\"k\"]", "GET k" => "\"v\"");
    let log = server.log();
    assert!(log.contains("rdbLoadObject skipping empty key: empty1"), "{log}");
    assert!(log.contains("keys loaded: 1, keys expired: 0, empty keys skipped: 5."), "{log}");
}

#[test]
fn debug_looks_into_collections() {
    let server = Server::start(DEBUG);
    let mut conn = server.connect();
    let items: Vec<String> = ["RPUSH", "quick"].map(str::to_owned).into_iter().chain((0..2000).map(|i| format!("item {i}"))).collect();
    conn.cmd(&items);
    let members: Vec<String> = ["SADD", "table"].map(str::to_owned).into_iter().chain((0..2000).map(|i| format!("item {i}"))).collect();
    conn.cmd(&members);
    replies!(conn,
        "SET string 1" => "OK",
        "HSET small a 1" => "1",
        "DEBUG LISTPACK small" => "Listpack structure printed on stdout",
        "DEBUG LISTPACK table" => "-ERR Not a listpack encoded object.",
        "DEBUG LISTPACK none" => "-ERR no such key",
        "DEBUG QUICKLIST quick" => "Quicklist structure printed on stdout",
        "DEBUG QUICKLIST quick 1" => "Quicklist structure printed on stdout",
        "DEBUG QUICKLIST small" => "-ERR Not a quicklist encoded object.",
        "DEBUG HTSTATS-KEY small" => "-ERR The value stored at the specified key is not represented using an hash table",
    );
    assert!(conn.run("DEBUG HTSTATS-KEY table full").text().contains("number of elements: 2000"));
    let text = conn.run("DEBUG OBJECT quick").text();
    for part in ["encoding:quicklist", "ql_nodes:", "ql_listpack_max:-2 ql_compressed:0 ql_uncompressed_size:"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    for (key, bytes_min) in [("table", 40_000), ("quick", 15_000)] {
        let bytes = conn.run(&format!("MEMORY USAGE {key} SAMPLES 0")).int();
        assert!(bytes > bytes_min, "{key} takes {bytes}");
    }
}
