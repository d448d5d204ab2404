//! Streams on their way through files, payloads and full synchronisations, exchanged with real servers: entries, what the stream remembers, groups,
//! their consumers and what is pending for them.

mod common;
use common::*;

use std::fs;
use std::path::Path;

const DEBUG: &[&str] = &["--enable-debug-command", "yes", "--enable-protected-configs", "yes", "--save", ""];

/// Streams of every kind: long and short, with gaps, without entries, with fields that change, with groups that are ahead and behind.
fn fill(conn: &mut Conn) {
    let huge = "z".repeat(100_000);
    let add = |conn: &mut Conn, key: &str, id: &str, fields: &[&str]| {
        let command: Vec<&str> = ["XADD", key, id].into_iter().chain(fields.iter().copied()).collect();
        assert!(matches!(conn.cmd(&command), Value::Bulk(_)), "{command:?}");
    };
    for (key, count) in [("short", 3), ("medium", 250), ("long", 3000)] {
        for i in 1..=count {
            let (id, number) = (format!("{}-{}", 1000 + i / 3, i % 3), i.to_string());
            match i % 10 {
                0 => add(conn, key, &id, &["other", &number, "fields", "text"]),
                1 => add(conn, key, &id, &["temperature", &number]),
                _ => add(conn, key, &id, &["temperature", &number, "place", "kitchen"]),
            }
        }
    }
    // Gaps, in the middle and at both ends; nodes without the entry that they were begun with.
    for i in (1..=3000).filter(|i| i % 7 == 0 || *i < 20 || *i > 2995 || (700..900).contains(i)) {
        conn.cmd(&["XDEL", "long", &format!("{}-{}", 1000 + i / 3, i % 3)]);
    }
    conn.run("XTRIM medium MAXLEN ~ 120");
    conn.run("XTRIM medium MAXLEN 95");
    conn.run("XTRIM long MINID 1020");
    for id in ["1-18446744073709551615", "2-0", "18446744073709551614-0", "18446744073709551615-18446744073709551614"] {
        add(conn, "ids", id, &["", &huge, "-1", "9223372036854775807", "12345678901234567890", ""]);
    }
    add(conn, "emptied", "5-5", &["a", "b"]);
    conn.run("XDEL emptied 5-5");
    conn.run("XGROUP CREATE none group 7-7 MKSTREAM");
    conn.run("XADD told 3-3 a b");
    conn.run("XSETID told 9-9 ENTRIESADDED 100 MAXDELETEDID 8-8");

    for (key, group, from) in
        [("long", "first", "0"), ("long", "", "1500"), ("medium", "12345", "$"), ("short", "group", "0"), ("told", "group", "0")]
    {
        assert_eq!(conn.cmd(&["XGROUP", "CREATE", key, group, from]), *"OK");
    }
    for (consumer, count) in [("alice", "300"), ("bob", "5"), ("77", "700"), ("alice", "20")] {
        conn.cmd(&["XREADGROUP", "GROUP", "first", consumer, "COUNT", count, "STREAMS", "long", ">"]);
    }
    conn.run("XREADGROUP GROUP \"\" carol COUNT 50 STREAMS long >");
    conn.run("XREADGROUP GROUP group dave STREAMS short >");
    conn.run("XGROUP CREATECONSUMER long first idle");
    conn.run("XREADGROUP GROUP group finds-nothing STREAMS short >");
    let pending = conn.run("XPENDING long first - + 1000 alice").items();
    for entry in pending.iter().step_by(3) {
        conn.cmd(&["XACK", "long", "first", &entry.items()[0].text()]);
    }
    // Claimed, and deleted while pending.
    for entry in pending.iter().skip(1).step_by(6) {
        conn.cmd(&["XCLAIM", "long", "first", "bob", "0", &entry.items()[0].text(), "RETRYCOUNT", "70", "TIME", "1700000000000"]);
        conn.cmd(&["XDEL", "long", &entry.items()[0].text()]);
    }
    conn.run("PEXPIREAT ids 4102444800123");
}

const KEYS: [&str; 7] = ["short", "medium", "long", "ids", "emptied", "none", "told"];

/// All that a server tells of its streams. The time at which a consumer was active is not known to all, and the shape of a radix tree is nobody's business.
fn told(conn: &mut Conn) -> Vec<String> {
    fn write(value: &Value, out: &mut String) {
        let Value::Array(items) = value else { return out.push_str(&value.to_string()) };
        out.push('[');
        let mut left_out = false;
        for item in items {
            if left_out {
                left_out = false;
                continue;
            }
            left_out =
                matches!(item, Value::Bulk(name) if [&b"active-time"[..], b"radix-tree-keys", b"radix-tree-nodes"].contains(&&name[..]));
            if !left_out {
                write(item, out);
                out.push(' ');
            }
        }
        out.push(']');
    }
    let mut all = Vec::new();
    for key in KEYS {
        let info = conn.cmd(&["XINFO", "STREAM", key, "FULL", "COUNT", "0"]);
        assert!(matches!(info, Value::Array(_)), "{key}: {info}");
        let mut text = format!("{key}: ");
        write(&info, &mut text);
        all.push(text);
        all.push(conn.cmd(&["XINFO", "GROUPS", key]).to_string());
        all.push(conn.cmd(&["PEXPIRETIME", key]).to_string());
    }
    all.push(conn.run("DEBUG DIGEST").text());
    all
}

#[track_caller]
fn assert_told(server: &Server, expected: &[String], what: &str) {
    let told = told(&mut server.connect());
    for (told, expected) in told.iter().zip(expected) {
        assert!(told == expected, "{what}:\n{}\n{}", &told[..told.len().min(2000)], &expected[..expected.len().min(2000)]);
    }
}

fn restart_with(server: &mut Server, file: &Path) {
    server.kill9();
    fs::copy(file, server.dir.join("dump.rdb")).unwrap();
    server.restart();
}

/// What the oldest of the servers can read.
fn limit(peer: &Server) -> &'static str {
    if peer.info("redis_version").starts_with("7.0") { "10" } else { "0" }
}

#[test]
fn files_are_exchanged_with_real_servers() {
    for program in peers() {
        let (mut ours, mut theirs) = (Server::start(DEBUG), Server::of(&program, DEBUG));
        fill(&mut theirs.connect());
        let expected = told(&mut theirs.connect());
        replies!(theirs.connect(), "SAVE" => "OK");
        restart_with(&mut ours, &theirs.dir.join("dump.rdb"));
        assert_told(&ours, &expected, "what they wrote is here");
        ours.ask(&format!("CONFIG SET rdb-version-max {}", limit(&theirs)));
        for save in ["SAVE", "BGSAVE"] {
            ours.ask(save);
            wait_until(|| ours.info("rdb_bgsave_in_progress") == "0");
            restart_with(&mut theirs, &ours.dir.join("dump.rdb"));
            assert_told(&theirs, &expected, "what we wrote is there");
            replies!(ours.connect(), "DEBUG RELOAD" => "OK");
            assert_told(&ours, &expected, "and comes back to us");
        }
    }
}

#[test]
fn payloads_are_exchanged_with_real_servers() {
    for program in peers() {
        let (ours, theirs) = (Server::start(DEBUG), Server::of(&program, DEBUG));
        fill(&mut theirs.connect());
        let expected = told(&mut theirs.connect());
        ours.ask(&format!("CONFIG SET rdb-version-max {}", limit(&theirs)));
        for (from, to) in [(&theirs, &ours), (&ours, &theirs)] {
            let (mut source, mut target) = (from.connect(), to.connect());
            target.run("FLUSHALL");
            for key in KEYS {
                let Value::Bulk(payload) = source.cmd(&["DUMP", key]) else { panic!("{key} has no payload") };
                let at = source.cmd(&["PEXPIRETIME", key]).int().max(0).to_string();
                assert_eq!(target.cmd(&[b"RESTORE", key.as_bytes(), at.as_bytes(), &payload, b"ABSTTL"]), *"OK", "{key}");
            }
            assert_told(to, &expected, "as payloads");
        }
        // Byte for byte: what lies in memory is what lies in a file.
        ours.ask("CONFIG SET rdbcompression no");
        theirs.ask("CONFIG SET rdbcompression no");
        if limit(&theirs) == "10" {
            for key in KEYS {
                assert!(ours.connect().cmd(&["DUMP", key]) == theirs.connect().cmd(&["DUMP", key]), "{key}");
            }
        }
    }
}

#[test]
fn streams_move_to_a_real_server_and_back() {
    let (ours, theirs) = (Server::start(DEBUG), Server::redis(DEBUG));
    fill(&mut theirs.connect());
    let expected = told(&mut theirs.connect());
    ours.ask("CONFIG SET rdb-version-max 10");
    for (from, to) in [(&theirs, &ours), (&ours, &theirs)] {
        let port = to.port.to_string();
        let command: Vec<&str> = ["MIGRATE", "127.0.0.1", &port, "", "0", "10000", "KEYS"].into_iter().chain(KEYS).collect();
        // A time to live is told as a span: a key with a deadline would arrive with another one.
        from.ask("PERSIST ids");
        assert_eq!(from.connect().cmd(&command), *"OK");
        to.ask("PEXPIREAT ids 4102444800123");
        assert_eq!(from.ask("DBSIZE").int(), 0);
        assert_told(to, &expected, "moved");
    }
}

#[test]
fn replicas_get_all_of_it_from_us_and_we_from_primaries() {
    for program in peers() {
        let (ours, theirs) = (Server::start(DEBUG), Server::of(&program, DEBUG));
        fill(&mut theirs.connect());
        let expected = told(&mut theirs.connect());
        theirs.ask("CONFIG SET repl-diskless-sync-delay 0");
        ours.ask(&format!("CONFIG SET rdb-version-max {}", limit(&theirs)));
        for (primary, replica) in [(&theirs, &ours), (&ours, &theirs)] {
            replies!(primary.connect(), "REPLICAOF NO ONE" => "OK");
            replica.ask("FLUSHALL");
            replica.ask(&format!("REPLICAOF 127.0.0.1 {}", primary.port));
            wait_until(|| replica.info("master_link_status") == "up");
            assert_told(replica, &expected, "as a replica");
        }
    }
}

fn version(server: &Server) -> String {
    assert_eq!(server.ask("SAVE"), *"OK");
    String::from_utf8_lossy(&fs::read(server.dir.join("dump.rdb")).unwrap()[..9]).into_owned()
}

/// The times at which consumers were active need version 11: it is written while there are some that say more than when they were seen.
#[test]
fn the_version_of_a_file_is_the_lowest_that_loses_nothing() {
    let (mut ours, mut theirs) = (Server::start(DEBUG), Server::redis(DEBUG));
    let mut conn = theirs.connect();
    conn.run("XADD s 1-1 a b");
    conn.run("XGROUP CREATE s g 0");
    conn.run("XREADGROUP GROUP g c STREAMS s >");
    replies!(conn, "SAVE" => "OK");
    restart_with(&mut ours, &theirs.dir.join("dump.rdb"));
    assert_eq!(version(&ours), "REDIS0010", "as it came from Redis 7.0 it goes back");
    let digest = ours.ask("DEBUG DIGEST");
    // A payload with a consumer that was seen at 9 and never was active.
    let apart: &[u8] = b"\x15\0\0\x09\x09\0\0\0\0\0\x01\x01g\0\0\0\0\x01\x01c\x09\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\0\x0b\0";
    ours.ask("DEBUG SET-SKIP-CHECKSUM-VALIDATION 1");
    let payload = [apart, &[0; 8]].concat();
    assert_eq!(ours.connect().cmd(&[&b"RESTORE"[..], b"apart", b"0", &payload]), *"OK");
    assert_eq!(version(&ours), "REDIS0011");
    assert_eq!(ours.ask("DUMP apart").to_string()[..5], "\"\\x15"[..5].to_owned());
    ours.restart();
    assert_eq!(version(&ours), "REDIS0011", "it is known when it comes from a file, too");
    for (command, expected) in [
        ("RENAME apart b", "REDIS0011"),
        ("COPY b c", "REDIS0011"),
        ("DEL b", "REDIS0011"),
        ("MOVE c 1", "REDIS0011"),
        ("SWAPDB 0 1", "REDIS0011"),
        ("SET c text", "REDIS0010"),
    ] {
        ours.ask(command);
        assert_eq!(version(&ours), expected, "{command}");
    }
    ours.ask("SWAPDB 0 1");

    ours.ask("DEBUG SET-SKIP-CHECKSUM-VALIDATION 1");
    assert_eq!(ours.connect().cmd(&[&b"RESTORE"[..], b"apart", b"0", &payload]), *"OK");
    ours.ask("CONFIG SET rdb-version-max 10");
    assert_eq!(version(&ours), "REDIS0010");
    ours.ask("DEL apart");
    ours.ask("SWAPDB 0 1");
    ours.ask("FLUSHDB");
    ours.ask("SWAPDB 0 1");
    assert_eq!(ours.ask("DEBUG DIGEST"), digest);
    assert_eq!(version(&ours), "REDIS0010");
    restart_with(&mut theirs, &ours.dir.join("dump.rdb"));
    assert_eq!(theirs.ask("DEBUG DIGEST"), digest);
}

/// Streams change while a save of them is under way.
#[test]
fn a_huge_stream_is_saved_as_it_was_while_it_changes() {
    let (mut ours, theirs) = (Server::start(DEBUG), Server::redis(DEBUG));
    fill(&mut theirs.connect());
    let expected = told(&mut theirs.connect());
    replies!(theirs.connect(), "SAVE" => "OK");
    restart_with(&mut ours, &theirs.dir.join("dump.rdb"));
    let mut conn = ours.connect();
    replies!(conn, "CONFIG SET rdb-key-save-delay 1000" => "OK", "BGSAVE" => "Background saving started");
    for (i, command) in [
        "XADD long * late 1",
        "XDEL long 1200-1",
        "XREADGROUP GROUP first eve COUNT 100 STREAMS long >",
        "XACK short group 1000-1",
        "XGROUP DESTROY long first",
        "XTRIM long MAXLEN 10",
        "RENAME medium other",
        "DEL ids",
        "XGROUP CREATE none second 0",
        "FLUSHALL",
    ]
    .iter()
    .enumerate()
    {
        conn.run(command);
        conn.cmd(&["SET", &format!("other {i}"), "x"]);
    }
    replies!(conn, "CONFIG SET rdb-key-save-delay 0" => "OK");
    wait_until(|| ours.info("rdb_bgsave_in_progress") == "0");
    ours.kill9();
    ours.restart();
    assert_told(&ours, &expected, "it is the state at the beginning");
}
