//! Commands on keys whatever they hold: deletion, expiry, renaming, databases, SCAN, OBJECT.

mod common;
use common::*;

use std::collections::HashSet;

#[test]
fn deletion_and_existence() {
    Server::start(&[]).spec(
        r#"
        MSET a 1 b 2 c 3                        -> OK
        EXISTS a b absent a                     -> 3
        TOUCH a b absent a                      -> 3
        DEL a absent a                          -> 1
        UNLINK b c absent                       -> 2
        DBSIZE                                  -> 0
        EXISTS a                                -> 0
        DEL                                     -> -ERR wrong number of arguments for 'del' command
        UNLINK                                  -> -ERR wrong number of arguments for 'unlink' command
        EXISTS                                  -> -ERR wrong number of arguments for 'exists' command
        TOUCH                                   -> -ERR wrong number of arguments for 'touch' command
        TYPE a                                  -> none
        SET a 1                                 -> OK
        TYPE a                                  -> string
        TYPE                                    -> -ERR wrong number of arguments for 'type' command
        DBSIZE 1                                -> -ERR wrong number of arguments for 'dbsize' command
        RANDOMKEY x                             -> -ERR wrong number of arguments for 'randomkey' command
        FLUSHDB                                 -> OK
        RANDOMKEY                               -> nil
        SET only 1                              -> OK
        RANDOMKEY                               -> "only"
        # needs LPUSH
        LPUSH l 1                               -> 1
        TYPE l                                  -> list
    "#,
    );
}

#[test]
fn expiry() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        TTL absent                              -> -2
        PTTL absent                             -> -2
        EXPIRETIME absent                       -> -2
        PEXPIRETIME absent                      -> -2
        EXPIRE absent 10                        -> 0
        PERSIST absent                          -> 0
        SET k v                                 -> OK
        TTL k                                   -> -1
        PTTL k                                  -> -1
        EXPIRETIME k                            -> -1
        PEXPIRETIME k                           -> -1
        PERSIST k                               -> 0
        EXPIRE k 100                            -> 1
        TTL k                                   -> 99..100
        PTTL k                                  -> 99000..100000
        PEXPIRE k 1500                          -> 1
        TTL k                                   -> 1..2
        EXPIREAT k 33177117420                  -> 1
        EXPIRETIME k                            -> 33177117420
        PEXPIREAT k 33177117420999              -> 1
        PEXPIRETIME k                           -> 33177117420999
        EXPIRETIME k                            -> 33177117421
        PERSIST k                               -> 1
        PERSIST k                               -> 0
        EXPIRE k x                              -> -ERR value is not an integer or out of range
        EXPIRE k 1.5                            -> -ERR value is not an integer or out of range
        EXPIRE k                                -> -ERR wrong number of arguments for 'expire' command
        EXPIRE k 9223372036854775807            -> -ERR invalid expire time in 'expire' command
        EXPIRE k -9223372036854775808           -> -ERR invalid expire time in 'expire' command
        EXPIREAT k 9223372036854775807          -> -ERR invalid expire time in 'expireat' command
        PEXPIRE k 9223372036854775807           -> -ERR invalid expire time in 'pexpire' command
        PEXPIREAT k 9223372036854775807         -> 1
        PEXPIRETIME k                           -> 9223372036854775807
        TTL k x                                 -> -ERR wrong number of arguments for 'ttl' command
        EXPIRE k 0                              -> 1
        EXISTS k                                -> 0
        SET k v                                 -> OK
        EXPIRE k -1                             -> 1
        EXISTS k                                -> 0
        SET k v                                 -> OK
        EXPIREAT k 1                            -> 1
        EXISTS k                                -> 0
        SET k v                                 -> OK
        PEXPIRE k -9223372036854775808          -> 1
        EXISTS k                                -> 0
        SET k v                                 -> OK
        PEXPIREAT k 0                           -> 1
        EXISTS k                                -> 0
    "#,
    );
    server.spec(
        r#"
        SET k v                                 -> OK
        EXPIRE k 100 XX                         -> 0
        EXPIRE k 100 GT                         -> 0
        TTL k                                   -> -1
        EXPIRE k 100 LT                         -> 1
        EXPIRE k 200 NX                         -> 0
        EXPIRE k 50 GT                          -> 0
        EXPIRE k 200 GT                         -> 1
        TTL k                                   -> 199..200
        EXPIRE k 300 LT                         -> 0
        EXPIRE k 150 LT                         -> 1
        EXPIRE k 160 xx gt                      -> 1
        EXPIRE k 120 XX LT                      -> 1
        EXPIRE k 120 XX                         -> 1
        PEXPIRE k 100000 LT                     -> 1
        EXPIREAT k 33177117420 GT               -> 1
        PEXPIREAT k 33177117420000 GT           -> 0
        PEXPIREAT k 33177117420001 GT           -> 1
        EXPIRE k 100 NX XX                      -> -ERR NX and XX, GT or LT options at the same time are not compatible
        EXPIRE k 100 NX GT                      -> -ERR NX and XX, GT or LT options at the same time are not compatible
        EXPIRE k 100 NX LT                      -> -ERR NX and XX, GT or LT options at the same time are not compatible
        EXPIRE k 100 GT LT                      -> -ERR GT and LT options at the same time are not compatible
        EXPIRE k 100 BOGUS                      -> -ERR Unsupported option BOGUS
        EXPIRE absent 100 NX                    -> 0
        EXPIRE absent 100 BOGUS                 -> -ERR Unsupported option BOGUS
        EXPIRE k -1 GT                          -> 0
        EXPIRE k -1 NX                          -> 0
        EXISTS k                                -> 1
        EXPIRE k -1 LT                          -> 1
        EXISTS k                                -> 0
    "#,
    );
}

#[test]
fn a_key_is_gone_at_its_deadline_however_one_looks() {
    let server = Server::start(&["--enable-debug-command", "local"]);
    let mut conn = server.connect();
    // The background cycle stays out of it: it is the look that must find nothing.
    replies!(conn, "DEBUG SET-ACTIVE-EXPIRE 0" => "OK");
    for look in [
        "GET k",
        "EXISTS k",
        "TTL k",
        "TYPE k",
        "STRLEN k",
        "OBJECT ENCODING k",
        "RENAME k l",
        "GETDEL k",
        "PERSIST k",
        "EXPIRE k 10",
        "COPY k l",
        "TOUCH k",
        "MOVE k 1",
        "RANDOMKEY",
        "KEYS *",
        "DEL k",
    ] {
        replies!(conn, "FLUSHALL" => "OK");
        let never = conn.run(look);
        replies!(conn, "SET k v PX 2" => "OK");
        std::thread::sleep(std::time::Duration::from_millis(4));
        assert_eq!(conn.run(look), never, "{look}");
    }
}

#[test]
fn expired_keys_are_reclaimed_without_a_look() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    for i in 0..1000 {
        conn.send_cmd(&["SET", &format!("k{i}"), "v", "PX", "20"]);
        conn.send_cmd(&["SET", &format!("stays{i}"), "v", "PX", "1000000"]);
    }
    for _ in 0..2000 {
        conn.recv();
    }
    wait_until(|| conn.run("DBSIZE") == *"1000");
    assert_eq!(server.info("expired_keys"), "1000");
}

#[test]
fn renaming_and_copying() {
    Server::start(&[]).spec(
        r#"
        RENAME absent b                         -> -ERR no such key
        RENAMENX absent b                       -> -ERR no such key
        RENAME absent absent                    -> -ERR no such key
        SET a 1 EX 100                          -> OK
        RENAME a b                              -> OK
        EXISTS a                                -> 0
        TTL b                                   -> 99..100
        RENAME b b                              -> OK
        TTL b                                   -> 99..100
        RENAMENX b b                            -> 0
        SET c 2                                 -> OK
        RENAMENX b c                            -> 0
        RENAMENX b d                            -> 1
        TTL d                                   -> 99..100
        RENAME c d                              -> OK
        TTL d                                   -> -1
        GET d                                   -> "2"
        RENAME a                                -> -ERR wrong number of arguments for 'rename' command
        RENAME a b c                            -> -ERR wrong number of arguments for 'rename' command

        COPY absent x                           -> 0
        COPY d e                                -> 1
        COPY d e                                -> 0
        COPY d e REPLACE                        -> 1
        COPY d d                                -> -ERR source and destination objects are the same
        COPY d d REPLACE                        -> -ERR source and destination objects are the same
        COPY d d DB 0                           -> -ERR source and destination objects are the same
        COPY d d DB 1                           -> 1
        COPY d d DB 1                           -> 0
        COPY d d DB 1 REPLACE                   -> 1
        COPY d d REPLACE DB 1                   -> 1
        COPY d f DB 99                          -> -ERR DB index is out of range
        COPY d f DB -1                          -> -ERR DB index is out of range
        COPY d f DB x                           -> -ERR value is not an integer or out of range
        COPY d f DB                             -> -ERR syntax error
        COPY d f BOGUS                          -> -ERR syntax error
        COPY d                                  -> -ERR wrong number of arguments for 'copy' command
        SET t v EX 100                          -> OK
        COPY t u                                -> 1
        TTL u                                   -> 99..100
        SELECT 1                                -> OK
        GET d                                   -> "2"
        DBSIZE                                  -> 1
    "#,
    );
}

#[test]
fn databases() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        SET a zero EX 100                       -> OK
        SELECT 1                                -> OK
        GET a                                   -> nil
        SELECT 16                               -> -ERR DB index is out of range
        SELECT -1                               -> -ERR DB index is out of range
        SELECT x                                -> -ERR value is not an integer or out of range
        SELECT 99999999999999999999             -> -ERR value is not an integer or out of range
        SELECT                                  -> -ERR wrong number of arguments for 'select' command
        SELECT 0                                -> OK
        MOVE a 1                                -> 1
        MOVE a 1                                -> 0
        SELECT 1                                -> OK
        TTL a                                   -> 99..100
        SELECT 0                                -> OK
        SET a again                             -> OK
        MOVE a 1                                -> 0
        MOVE a 0                                -> -ERR source and destination objects are the same
        MOVE a 16                               -> -ERR DB index is out of range
        MOVE a x                                -> -ERR value is not an integer or out of range
        MOVE a -1                               -> -ERR DB index is out of range
        MOVE a                                  -> -ERR wrong number of arguments for 'move' command
        MOVE absent 1                           -> 0

        SWAPDB 0 1                              -> OK
        GET a                                   -> "zero"
        SWAPDB 0 0                              -> OK
        SWAPDB 0 16                             -> -ERR DB index is out of range
        SWAPDB 16 0                             -> -ERR DB index is out of range
        SWAPDB x 0                              -> -ERR invalid first DB index
        SWAPDB 0 x                              -> -ERR invalid second DB index
        SWAPDB -1 0                             -> -ERR DB index is out of range
        SWAPDB 0                                -> -ERR wrong number of arguments for 'swapdb' command
        @other SELECT 1                         -> OK
        @other GET a                            -> "again"
        SWAPDB 0 1                              -> OK
        @other GET a                            -> "zero"
        GET a                                   -> "again"

        FLUSHDB                                 -> OK
        DBSIZE                                  -> 0
        @other DBSIZE                           -> 1
        FLUSHDB ASYNC                           -> OK
        FLUSHDB SYNC                            -> OK
        FLUSHDB BOGUS                           -> -ERR syntax error
        FLUSHDB SYNC ASYNC                      -> -ERR syntax error
        FLUSHALL BOGUS                          -> -ERR syntax error
        FLUSHALL ASYNC                          -> OK
        @other DBSIZE                           -> 0
        FLUSHALL SYNC                           -> OK
    "#,
    );
    let few = Server::start(&["--databases", "2"]);
    few.spec(
        r#"
        SELECT 1                                -> OK
        SELECT 2                                -> -ERR DB index is out of range
        MOVE a 2                                -> -ERR DB index is out of range
        SWAPDB 0 2                              -> -ERR DB index is out of range
    "#,
    );
}

#[test]
fn keys_by_pattern() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    conn.run(r#"MSET hello 1 hallo 1 hxllo 1 h*llo 1 hllo 1 "h\nllo" 1 foo:1 1 foo:2 1 [x] 1 "\\" 1"#);
    for (pattern, matching) in [
        ("hello", vec!["hello"]),
        ("h?llo", vec!["h\nllo", "h*llo", "hallo", "hello", "hxllo"]),
        ("h[ae]llo", vec!["hallo", "hello"]),
        ("h[^ae]llo", vec!["h\nllo", "h*llo", "hxllo"]),
        ("h[a-e]llo", vec!["hallo", "hello"]),
        ("h[e-a]llo", vec!["hallo", "hello"]),
        (r"h\*llo", vec!["h*llo"]),
        ("h*o", vec!["h\nllo", "h*llo", "hallo", "hello", "hllo", "hxllo"]),
        ("foo:*", vec!["foo:1", "foo:2"]),
        ("FOO:*", vec![]),
        (r"\[x\]", vec!["[x]"]),
        (r"\\", vec![r"\"]),
        ("[[]x]", vec!["[x]"]),
        ("", vec![]),
        ("*:*", vec!["foo:1", "foo:2"]),
    ] {
        let mut matching: Vec<_> = matching.iter().map(|s| s.to_string()).collect();
        matching.sort();
        assert_eq!(conn.cmd(&["KEYS", pattern]).sorted(), matching, "{pattern}");
        let mut scanned = conn.cmd(&["SCAN", "0", "COUNT", "1000", "MATCH", pattern]).items();
        assert_eq!(scanned.remove(0), *"\"0\"");
        assert_eq!(scanned.remove(0).sorted(), matching, "SCAN {pattern}");
    }
    assert_eq!(conn.run("KEYS *").items().len(), 10);
    server.spec(
        r#"
        KEYS                                    -> -ERR wrong number of arguments for 'keys' command
        KEYS a b                                -> -ERR wrong number of arguments for 'keys' command
        KEYS *                                  -> []
    "#,
    );
}

/// Everything that a whole SCAN returns, with what `between` does between its steps.
fn scan(conn: &mut Conn, options: &str, mut between: impl FnMut(&mut Conn)) -> Vec<String> {
    let mut found = Vec::new();
    let mut cursor = "0".to_string();
    for _ in 0..100_000 {
        let mut reply = conn.run(&format!("SCAN {cursor} {options}")).items();
        found.extend(reply.pop().unwrap().items().iter().map(Value::text));
        cursor = reply.pop().unwrap().text();
        if cursor == "0" {
            return found;
        }
        between(conn);
    }
    panic!("it never ends");
}

fn fill(conn: &mut Conn, prefix: &str, count: usize) {
    for i in 0..count {
        conn.send_cmd(&["SET", &format!("{prefix}{i}"), "v"]);
    }
    for _ in 0..count {
        conn.recv();
    }
}

#[test]
fn scan_returns_what_stays_from_start_to_end() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    fill(&mut conn, "stays:", 2000);
    let all: HashSet<String> = (0..2000).map(|i| format!("stays:{i}")).collect();

    let still = scan(&mut conn, "", |_| ());
    assert_eq!(still.iter().cloned().collect::<HashSet<_>>(), all);
    assert_eq!(still.len(), 2000, "no key twice while nothing changes");

    // The table grows sixfold under the cursor, and shrinks again.
    let mut step = 0;
    let grown = scan(&mut conn, "COUNT 50 MATCH stays:*", |conn| {
        step += 1;
        fill(conn, &format!("new:{step}:"), 250);
    });
    assert_eq!(grown.into_iter().collect::<HashSet<_>>(), all);
    let mut last = step;
    let shrunk = scan(&mut conn, "COUNT 100 MATCH stays:*", |conn| {
        if last > 0 {
            let doomed: Vec<_> = (0..250).map(|i| format!("new:{last}:{i}")).collect();
            let mut command = vec!["DEL"];
            command.extend(doomed.iter().map(String::as_str));
            conn.cmd(&command);
            last -= 1;
        }
    });
    assert_eq!(shrunk.into_iter().collect::<HashSet<_>>(), all);
}

#[test]
fn scan_options() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    fill(&mut conn, "s:", 300);
    assert_eq!(scan(&mut conn, "TYPE string", |_| ()).len(), 300);
    assert_eq!(scan(&mut conn, "TYPE hash", |_| ()).len(), 0);
    assert_eq!(scan(&mut conn, "COUNT 1", |_| ()).len(), 300);
    if server.knows("LPUSH") {
        for i in 0..100 {
            conn.run(&format!("LPUSH l:{i} x"));
        }
        assert_eq!(scan(&mut conn, "TYPE string", |_| ()).len(), 300);
        assert_eq!(scan(&mut conn, "TYPE LIST", |_| ()).len(), 100);
        let some = scan(&mut conn, "TYPE list MATCH *7 COUNT 7", |_| ());
        assert_eq!(some.len(), 10);
    }
    // A COUNT is a hint, but an honest one.
    let first = conn.run("SCAN 0 COUNT 10").items()[1].items().len();
    assert!(first < 100, "{first} keys for COUNT 10");
    server.spec(
        r#"
        SCAN                                    -> -ERR wrong number of arguments for 'scan' command
        SCAN x                                  -> -ERR invalid cursor
        SCAN -1                                 -> ["0", []]
        SCAN 99999999999999999999999            -> -ERR invalid cursor
        SCAN 0 COUNT 0                          -> -ERR syntax error
        SCAN 0 COUNT -1                         -> -ERR syntax error
        SCAN 0 COUNT x                          -> -ERR value is not an integer or out of range
        SCAN 0 COUNT                            -> -ERR syntax error
        SCAN 0 MATCH                            -> -ERR syntax error
        SCAN 0 BOGUS 1                          -> -ERR syntax error
        SCAN 0                                  -> ["0", []]
        SCAN 0 MATCH * COUNT 100 TYPE string    -> ["0", []]
        SCAN 18446744073709551615               ~> [*, []]
        SET only 1                              -> OK
        SCAN 0 COUNT 9223372036854775807        -> ["0", ["only"]]
        HELLO 3                                 ~> {*}
        SCAN 0                                  -> ["0", ["only"]]
    "#,
    );
}

#[test]
fn random_keys_are_fair() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    fill(&mut conn, "k", 20);
    let mut seen = HashSet::new();
    wait_until(|| {
        seen.insert(conn.run("RANDOMKEY").text());
        seen.len() == 20
    });
}

#[test]
fn object() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        OBJECT ENCODING absent                  -> nil
        OBJECT REFCOUNT absent                  -> nil
        OBJECT IDLETIME absent                  -> nil
        OBJECT FREQ absent                      -> nil
        SET a hello                             -> OK
        OBJECT ENCODING a                       -> "embstr"
        object encoding a                       -> "embstr"
        OBJECT REFCOUNT a                       -> 1
        OBJECT IDLETIME a                       -> 0..1
        OBJECT FREQ a                           -> -ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.
        OBJECT BOGUS a                          -> -ERR unknown subcommand 'BOGUS'. Try OBJECT HELP.
        OBJECT ENCODING                         -> -ERR wrong number of arguments for 'object|encoding' command
        OBJECT ENCODING a b                     -> -ERR wrong number of arguments for 'object|encoding' command
        OBJECT                                  -> -ERR wrong number of arguments for 'object' command
        OBJECT HELP                             ~> [OBJECT <subcommand> *]
        CONFIG SET maxmemory-policy allkeys-lfu -> OK
        SET b 1                                 -> OK
        OBJECT FREQ b                           -> 0..6
        OBJECT FREQ absent                      -> nil
        OBJECT IDLETIME b                       -> -ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.
        CONFIG SET maxmemory-policy noeviction  -> OK
    "#,
    );
}

#[test]
fn waiting_for_replicas_that_are_not_there() {
    Server::start(&[]).spec(
        r#"
        WAIT 0 100                              -> 0
        WAIT 1 10                               -> 0
        WAIT x 10                               -> -ERR value is not an integer or out of range
        WAIT 1 x                                -> -ERR timeout is not an integer or out of range
        WAIT 1 -1                               -> -ERR timeout is negative
        WAIT 1                                  -> -ERR wrong number of arguments for 'wait' command
        MULTI                                   -> OK
        WAIT 5 0                                -> QUEUED
        EXEC                                    -> [0]
    "#,
    );
}

#[test]
fn changes_are_counted() {
    let server = Server::start(&["--save", ""]);
    let mut conn = server.connect();
    let mut before = 0;
    for (line, changes) in [
        ("SET a 1", 1),
        ("SET a 2 NX", 0),
        ("SET a 2 EX 100", 1),
        ("GET a", 0),
        ("GETEX a", 0),
        ("GETEX a PERSIST", 1),
        ("GETEX a PERSIST", 0),
        ("GETEX a EX 100", 1),
        ("MSET b 1 c 2 d 3", 3),
        ("MSETNX b 1 e 2", 0),
        ("MSETNX f 1 e 2", 2),
        ("INCR a", 1),
        ("INCRBYFLOAT a 0", 1),
        ("APPEND a x", 1),
        ("APPEND a \"\"", 1),
        ("SETRANGE a 0 y", 1),
        ("SETRANGE a 0 \"\"", 0),
        ("EXPIRE a 100", 1),
        ("EXPIRE a 100 NX", 0),
        ("PERSIST a", 1),
        ("PERSIST a", 0),
        ("EXPIRE a -1", 1),
        ("DEL b c absent", 2),
        ("RENAME d g", 1),
        ("RENAME g g", 0),
        ("COPY g h", 1),
        ("COPY g h", 0),
        ("COPY g h REPLACE", 1),
        ("MOVE h 1", 1),
        ("SWAPDB 0 0", 1),
        ("GETDEL g", 1),
        ("GETDEL g", 0),
        ("FLUSHDB", 2),
        ("FLUSHALL", 1),
        ("FLUSHALL", 0),
    ] {
        conn.run(line);
        let after: u64 = server.info("rdb_changes_since_last_save").parse().unwrap();
        assert_eq!(after - before, changes, "{line}");
        before = after;
    }
}

#[test]
fn looks_are_counted_as_hits_and_misses() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    conn.run("SET a 1");
    let counts = || ["keyspace_hits", "keyspace_misses"].map(|f| server.info(f).parse::<u64>().unwrap());
    let mut before = counts();
    for (line, hits, misses) in [
        ("GET a", 1, 0),
        ("GET absent", 0, 1),
        ("MGET a absent a", 2, 1),
        ("EXISTS a absent", 1, 1),
        ("TOUCH a absent", 1, 1),
        ("TYPE a", 1, 0),
        ("TTL absent", 0, 1),
        ("OBJECT ENCODING a", 1, 0),
        ("STRLEN a", 1, 0),
        ("GETRANGE a 0 1", 1, 0),
        ("SET a 2", 0, 0),
        ("SET a 2 GET", 1, 0),
        ("GETSET a 2", 1, 0),
        ("GETEX a", 1, 0),
        ("INCR a", 0, 0),
        ("EXPIRE a 100", 0, 0),
        ("LCS a absent", 1, 1),
        ("COPY a b", 1, 0),
        ("GETDEL a", 1, 0),
        ("GETDEL a", 0, 1),
        ("DEL b", 0, 0),
    ] {
        conn.run(line);
        let after = counts();
        assert_eq!([after[0] - before[0], after[1] - before[1]], [hits, misses], "{line}");
        before = after;
    }
}
