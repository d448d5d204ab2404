//! Client-side caching: a client that keeps copies of keys is told when they are stale, by pushes in RESP3 and through another connection in RESP2.

mod common;

use common::{Conn, Server, Value, is_reference, wait_until};

/// A client of RESP3 that has begun to track.
fn tracking(server: &Server, options: &str) -> Conn {
    let mut conn = server.connect();
    conn.run("HELLO 3");
    replies!(conn, &format!("CLIENT TRACKING ON {options}") => "OK");
    conn
}

/// A client of RESP2 that has begun to track, and the connection that is told in its place.
fn redirected(server: &Server, options: &str) -> (Conn, Conn) {
    let (mut conn, mut listener) = (server.connect(), server.connect());
    let id = listener.run("CLIENT ID").int();
    listener.run("SUBSCRIBE __redis__:invalidate");
    replies!(conn, &format!("CLIENT TRACKING ON REDIRECT {id} {options}") => "OK");
    (conn, listener)
}

/// Asserts that the next thing to be read is this.
#[track_caller]
fn hears(conn: &mut Conn, expected: &str) {
    assert_eq!(conn.recv(), *expected);
}

/// Asserts that nothing has been sent but the answer to what is asked now.
#[track_caller]
fn hears_nothing(conn: &mut Conn) {
    assert_eq!(conn.run("ECHO nothing"), *"\"nothing\"");
}

fn field(server: &Server, name: &str) -> u64 {
    server.info(name).parse().expect("a number")
}

#[test]
fn who_has_read_a_key_is_told_once_that_it_has_changed() {
    let server = Server::start(&[]);
    let (mut reader, mut writer) = (tracking(&server, ""), server.connect());
    replies!(reader, "GET k" => "null", "MGET a b" => "[null, null]");
    assert_eq!(["tracking_clients", "tracking_total_keys", "tracking_total_items"].map(|name| field(&server, name)), [1, 3, 3]);
    replies!(writer, "SET k 1" => "OK", "SET k 2" => "OK", "SET other 1" => "OK", "MSET b 1 a 1" => "OK");
    hears(&mut reader, r#">["invalidate", ["k"]]"#);
    hears(&mut reader, r#">["invalidate", ["b"]]"#);
    hears(&mut reader, r#">["invalidate", ["a"]]"#);
    hears_nothing(&mut reader);
    assert_eq!(field(&server, "tracking_total_items"), 0);
    reader.run("GET k");
    replies!(writer, "DEL k" => "1");
    hears(&mut reader, r#">["invalidate", ["k"]]"#);
    replies!(reader, "CLIENT TRACKING OFF" => "OK", "GET a" => "\"1\"");
    replies!(writer, "SET a 2" => "OK");
    hears_nothing(&mut reader);
    assert_eq!(field(&server, "tracking_clients"), 0);
}

#[test]
fn what_a_command_only_reads_is_remembered_and_nothing_else() {
    let server = Server::start(&[]);
    let (mut reader, mut writer) = (tracking(&server, ""), server.connect());
    writer.run("RPUSH l 1 2");
    writer.run("ZADD z 1 a");
    // The same keys as its specification names, each in the way of its own.
    for line in ["EXISTS x1 x2", "LRANGE l 0 -1", "ZUNION 2 z z2", "TTL t", "XREAD STREAMS s1 s2 0 0", "OBJECT ENCODING l", "SORT_RO l"] {
        reader.run(line);
    }
    assert_eq!(field(&server, "tracking_total_keys"), 8);
    for line in ["SET w 1", "GETDEL w", "GETEX w2", "LPUSH l2 1", "KEYS *", "DBSIZE", "SPUBLISH c m"] {
        reader.run(line);
    }
    assert_eq!(field(&server, "tracking_total_keys"), 8);
}

#[test]
fn another_connection_is_told_where_the_client_says_so() {
    let server = Server::start(&[]);
    let (mut reader, mut listener) = redirected(&server, "");
    let mut writer = server.connect();
    replies!(reader, "GET k" => "nil");
    writer.run("SET k 1");
    hears(&mut listener, r#"["message", "__redis__:invalidate", ["k"]]"#);
    reader.run("GET k");
    writer.run("FLUSHALL");
    hears(&mut listener, r#"["message", "__redis__:invalidate", nil]"#);
    // What it changes itself is told, too.
    replies!(reader, "GET k" => "nil", "SET k 2" => "OK");
    hears(&mut listener, r#"["message", "__redis__:invalidate", ["k"]]"#);
    hears_nothing(&mut reader);
}

#[test]
fn a_connection_of_resp3_is_told_by_a_push_whoever_has_read() {
    let server = Server::start(&[]);
    let (mut reader, mut listener) = (server.connect(), server.connect());
    listener.run("HELLO 3");
    let id = listener.run("CLIENT ID").int();
    reader.run(&format!("CLIENT TRACKING ON REDIRECT {id}"));
    reader.run("GET k");
    // Its own change comes behind the answer to its command, and in front of the next.
    listener.send(b"SET k 1\r\nPING\r\n");
    hears(&mut listener, "OK");
    hears(&mut listener, r#">["invalidate", ["k"]]"#);
    hears(&mut listener, "PONG");
}

#[test]
fn a_client_of_resp2_that_names_nobody_hears_nothing() {
    let server = Server::start(&[]);
    let (mut reader, mut writer) = (server.connect(), server.connect());
    replies!(reader, "CLIENT TRACKING ON" => "OK", "GET k" => "nil");
    writer.run("SET k 1");
    hears_nothing(&mut reader);
    // One that is named and does not listen to anything, neither.
    let mut other = server.connect();
    let id = other.run("CLIENT ID").int();
    replies!(reader, &format!("CLIENT TRACKING ON REDIRECT {id}") => "OK", "GET k" => "\"1\"");
    writer.run("SET k 2");
    hears_nothing(&mut other);
}

#[test]
fn a_client_learns_that_whom_it_has_named_is_gone() {
    let server = Server::start(&[]);
    let (mut reader, mut listener) = (server.connect(), server.connect());
    let id = listener.run("CLIENT ID").int();
    listener.run("SUBSCRIBE __redis__:invalidate");
    reader.run("HELLO 3");
    replies!(reader, &format!("CLIENT TRACKING ON REDIRECT {id}") => "OK", "CLIENT GETREDIR" => &id.to_string(), "GET k" => "null");
    drop(listener);
    wait_until(|| field(&server, "connected_clients") == 2);
    server.ask("SET k 1");
    hears(&mut reader, &format!(r#">["tracking-redir-broken", {id}]"#));
    let info = reader.run("CLIENT INFO").text();
    assert!(info.contains(" flags=tR ") && info.contains(&format!(" redir={id} ")), "{info}");
    replies!(reader, "CLIENT TRACKINGINFO" => &format!(r#"{{"flags": ~["on", "broken_redirect"], "redirect": {id}, "prefixes": []}}"#));
}

#[test]
fn a_change_of_its_own_comes_behind_the_answer() {
    let server = Server::start(&[]);
    let mut reader = tracking(&server, "");
    reader.run("GET k");
    reader.send(b"SET k 1\r\nGET k\r\nINCR k\r\nPING\r\n");
    for expected in ["OK", r#">["invalidate", ["k"]]"#, "\"1\"", "2", r#">["invalidate", ["k"]]"#, "PONG"] {
        hears(&mut reader, expected);
    }
    reader.send(b"MULTI\r\nGET k\r\nSET k 5\r\nGET k\r\nEXEC\r\nPING\r\n");
    for expected in ["OK", "QUEUED", "QUEUED", "QUEUED", r#"["2", OK, "5"]"#, r#">["invalidate", ["k"]]"#, "PONG"] {
        hears(&mut reader, expected);
    }
    // The last command of the transaction has read it again.
    server.ask("SET k 6");
    hears(&mut reader, r#">["invalidate", ["k"]]"#);
    reader.send(b"FLUSHALL\r\nPING\r\n");
    for expected in ["OK", r#">["invalidate", null]"#, "PONG"] {
        hears(&mut reader, expected);
    }
}

#[test]
fn noloop_spares_a_client_what_it_changes_itself() {
    let server = Server::start(&[]);
    let (mut reader, mut writer) = (tracking(&server, "NOLOOP"), server.connect());
    replies!(reader, "GET k" => "null", "SET k 1" => "OK", "GET k" => "\"1\"");
    hears_nothing(&mut reader);
    writer.run("SET k 2");
    hears(&mut reader, r#">["invalidate", ["k"]]"#);
    let mut reader = tracking(&server, "BCAST NOLOOP");
    replies!(reader, "SET k 3" => "OK");
    hears_nothing(&mut reader);
    writer.run("SET k 4");
    hears(&mut reader, r#">["invalidate", ["k"]]"#);
    // Of a turn in which it has changed one of two it hears the other.
    replies!(reader, "SET k 3" => "OK");
    hears_nothing(&mut reader);
}

#[test]
fn listeners_to_prefixes_hear_of_each_turn_once() {
    let server = Server::start(&[]);
    let (mut all, mut some) = (tracking(&server, "BCAST"), tracking(&server, "BCAST PREFIX user: PREFIX item:"));
    let (_reader, mut listener) = redirected(&server, "BCAST PREFIX user:");
    assert_eq!(field(&server, "tracking_total_prefixes"), 3);
    let mut writer = server.connect();
    // In one piece it is one turn.
    writer.send(b"SET user:2 x\r\nSET user:1 x\r\nSET user:2 y\r\nSET z x\r\nSET item:1 x\r\n");
    hears(&mut all, r#">["invalidate", ["item:1", "user:1", "user:2", "z"]]"#);
    hears(&mut some, r#">["invalidate", ["item:1"]]"#);
    hears(&mut some, r#">["invalidate", ["user:1", "user:2"]]"#);
    hears(&mut listener, r#"["message", "__redis__:invalidate", ["user:1", "user:2"]]"#);
    hears_nothing(&mut all);
    let info = some.run("CLIENT INFO").text();
    assert!(info.contains(" flags=tB ") && info.contains(" redir=0 "), "{info}");
    replies!(some, "CLIENT TRACKINGINFO" => r#"{"flags": ~["on", "bcast"], "redirect": 0, "prefixes": ["item:", "user:"]}"#);
    drop((all, some, _reader));
    wait_until(|| field(&server, "tracking_total_prefixes") == 0 && field(&server, "tracking_clients") == 0);
}

#[test]
fn optin_and_optout_are_for_one_command_or_transaction() {
    let server = Server::start(&[]);
    let mut writer = server.connect();
    let mut reader = tracking(&server, "OPTIN");
    replies!(reader, "GET a" => "null", "CLIENT CACHING YES" => "OK", "GET b" => "null", "GET c" => "null");
    replies!(writer, "MSET a 1 b 1 c 1" => "OK");
    hears(&mut reader, r#">["invalidate", ["b"]]"#);
    hears_nothing(&mut reader);
    // Commands of CLIENT do not count, and neither do those that begin a transaction.
    replies!(
        reader,
        "CLIENT CACHING YES" => "OK", "CLIENT TRACKINGINFO" => r#"{"flags": ~["on", "optin", "caching-yes"], "redirect": 0, "prefixes": []}"#,
        "MULTI" => "OK", "GET a" => "QUEUED", "GET b" => "QUEUED", "EXEC" => r#"["1", "1"]"#, "GET c" => "\"1\"",
    );
    replies!(writer, "MSET a 2 b 2 c 2" => "OK");
    hears(&mut reader, r#">["invalidate", ["a"]]"#);
    hears(&mut reader, r#">["invalidate", ["b"]]"#);
    hears_nothing(&mut reader);
    // One that fails counts.
    replies!(reader, "CLIENT CACHING YES" => "OK");
    assert!(matches!(reader.run("NOSUCH"), Value::Error(_)));
    replies!(reader, "CLIENT TRACKINGINFO" => r#"{"flags": ~["on", "optin"], "redirect": 0, "prefixes": []}"#);

    // So does one that has waited in vain.
    replies!(reader, "CLIENT CACHING YES" => "OK", "BLPOP nothing 0.01" => "null");
    replies!(reader, "CLIENT TRACKINGINFO" => r#"{"flags": ~["on", "optin"], "redirect": 0, "prefixes": []}"#);

    let mut reader = tracking(&server, "OPTOUT");
    replies!(reader, "GET a" => "\"2\"", "CLIENT CACHING NO" => "OK", "GET b" => "\"2\"", "GET c" => "\"2\"");
    replies!(writer, "MSET a 3 b 3 c 3" => "OK");
    hears(&mut reader, r#">["invalidate", ["a"]]"#);
    hears(&mut reader, r#">["invalidate", ["c"]]"#);
    hears_nothing(&mut reader);
    replies!(
        reader,
        "CLIENT CACHING NO" => "OK", "CLIENT TRACKINGINFO" => r#"{"flags": ~["on", "optout", "caching-no"], "redirect": 0, "prefixes": []}"#
    );
}

#[test]
fn what_goes_by_itself_is_told_too() {
    let server = Server::start(&["--maxmemory-policy", "allkeys-lru"]);
    let (mut reader, mut writer) = (tracking(&server, ""), server.connect());
    replies!(writer, "SET k 1 PX 20" => "OK");
    replies!(reader, "TTL nothing" => "-2", "EXISTS k" => "1");
    hears(&mut reader, r#">["invalidate", ["k"]]"#);
    replies!(writer, "SET e 1" => "OK");
    reader.run("GET e");
    writer.run("CONFIG SET maxmemory 1");
    hears(&mut reader, r#">["invalidate", ["e"]]"#);
    writer.run("CONFIG SET maxmemory 0");
    // A key is its name, whatever database it is in.
    reader.run("GET other");
    replies!(writer, "SELECT 5" => "OK", "SET other 1" => "OK");
    hears(&mut reader, r#">["invalidate", ["other"]]"#);
    // Whatever database is emptied, and whether or not there is anything.
    replies!(writer, "FLUSHDB" => "OK");
    hears(&mut reader, r#">["invalidate", null]"#);
    replies!(writer, "FLUSHALL" => "OK");
    hears(&mut reader, r#">["invalidate", null]"#);
    hears_nothing(&mut reader);
    if !is_reference() {
        replies!(writer, "SWAPDB 0 5" => "OK");
        hears(&mut reader, r#">["invalidate", null]"#);
    }
}

#[test]
fn a_key_that_is_forgotten_for_want_of_room_is_told() {
    let server = Server::start(&["--tracking-table-max-keys", "3"]);
    let mut reader = tracking(&server, "");
    let mut told = Vec::new();
    for i in 0..10 {
        reader.send_cmd(&["GET", &format!("key:{i}")]);
        while let Value::Push(push) = reader.recv() {
            told.push(push[1].items()[0].text());
        }
    }
    // The last may come in front of the next command's answer, or behind this one's.
    reader.send_cmd(&["PING"]);
    while let Value::Push(push) = reader.recv() {
        told.push(push[1].items()[0].text());
    }
    told.sort();
    told.dedup();
    assert_eq!((told.len(), field(&server, "tracking_total_keys")), (7, 3));
    server.ask("CONFIG SET tracking-table-max-keys 0");
    for i in 0..5000 {
        reader.send_cmd(&["GET", &format!("more:{i}")]);
        reader.recv();
    }
    assert!(field(&server, "tracking_total_keys") >= 5000);
    if !is_reference() {
        server.ask("CONFIG SET tracking-table-max-keys 10");
        wait_until(|| field(&server, "tracking_total_keys") == 10);
    }
}

#[test]
fn what_does_not_go_together_is_refused() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    let id = conn.run("CLIENT ID").int();
    replies!(
        conn,
        "CLIENT TRACKINGINFO" => r#"["flags", ["off"], "redirect", -1, "prefixes", []]"#,
        "CLIENT GETREDIR" => "-1",
        "CLIENT TRACKING perhaps" => "-ERR syntax error",
        "CLIENT TRACKING ON NOSUCH" => "-ERR syntax error",
        "CLIENT TRACKING ON PREFIX" => "-ERR syntax error",
        "CLIENT TRACKING ON REDIRECT x" => "-ERR value is not an integer or out of range",
        "CLIENT TRACKING ON REDIRECT 999999" => "-ERR The client ID you want redirect to does not exist",
        &format!("CLIENT TRACKING ON REDIRECT {id} REDIRECT {id}") => "-ERR A client can only redirect to a single other client",
        "CLIENT TRACKING ON PREFIX a" => "-ERR PREFIX option requires BCAST mode to be enabled",
        "CLIENT TRACKING ON BCAST OPTIN" => "-ERR OPTIN and OPTOUT are not compatible with BCAST",
        "CLIENT TRACKING ON OPTIN OPTOUT" => "-ERR You can't specify both OPTIN mode and OPTOUT mode",
        "CLIENT TRACKING ON BCAST PREFIX ab PREFIX a" =>
            "-ERR Prefix 'ab' overlaps with another provided prefix 'a'. Prefixes for a single client must not overlap.",
        "CLIENT CACHING YES" =>
            "-ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
        "CLIENT TRACKING OFF" => "OK",
        "CLIENT TRACKING ON BCAST PREFIX foo PREFIX bar" => "OK",
        "CLIENT TRACKING ON BCAST PREFIX foobar" =>
            "-ERR Prefix 'foobar' overlaps with an existing prefix 'foo'. Prefixes for a single client must not overlap.",
        "CLIENT TRACKING ON" =>
            "-ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode.",
        "CLIENT CACHING YES" => "-ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.",
        "CLIENT CACHING NO" => "-ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
        "CLIENT CACHING perhaps" => "-ERR syntax error",
        "CLIENT TRACKING ON BCAST PREFIX baz" => "OK",
        "CLIENT TRACKINGINFO" => r#"["flags", ["on", "bcast"], "redirect", 0, "prefixes", ["bar", "baz", "foo"]]"#,
        "CLIENT TRACKING OFF" => "OK",
        "CLIENT TRACKING ON OPTIN NOLOOP" => "OK",
        "CLIENT TRACKINGINFO" => r#"["flags", ["on", "optin", "noloop"], "redirect", 0, "prefixes", []]"#,
        "CLIENT TRACKING ON OPTOUT" =>
            "-ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode.",
        "CLIENT CACHING NO" => "-ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
        "CLIENT TRACKING ON" => "OK",
        "CLIENT GETREDIR" => "0",
        "RESET" => "RESET",
        "CLIENT TRACKINGINFO" => r#"["flags", ["off"], "redirect", -1, "prefixes", []]"#,
    );
    assert_eq!(field(&server, "tracking_clients"), 0);
}

#[test]
fn a_silent_client_is_told() {
    let server = Server::start(&[]);
    let mut reader = tracking(&server, "");
    reader.send(b"GET k\r\nCLIENT REPLY OFF\r\nSET k 1\r\nCLIENT REPLY ON\r\n");
    for expected in ["null", r#">["invalidate", ["k"]]"#, "OK"] {
        hears(&mut reader, expected);
    }
}

#[test]
fn a_reply_that_comes_in_parts_stays_whole() {
    let server = Server::start(&[]);
    let (mut reader, mut writer) = (tracking(&server, ""), server.connect());
    writer.run("SADD s a b c");
    // More than the sockets take: it goes on while this reads.
    let count = 3_000_000;
    reader.send(format!("SRANDMEMBER s -{count}\r\nPING\r\n").as_bytes());
    let header = format!("*{count}\r\n");
    assert_eq!(reader.recv_exact(header.len()), header);
    replies!(writer, "SADD s d" => "1");
    for _ in 0..count {
        assert!(matches!(reader.recv(), Value::Bulk(_)));
    }
    hears(&mut reader, r#">["invalidate", ["s"]]"#);
    hears(&mut reader, "PONG");
}

#[test]
fn one_that_is_served_while_it_waits_reads_and_changes_like_any() {
    let server = Server::start(&[]);
    let (mut reader, mut writer) = (tracking(&server, "NOLOOP"), server.connect());
    reader.run("LLEN l");
    let mut other = server.wait_in("BLPOP l 0");
    // Its own change is not told to it, but what another takes away because of it.
    replies!(reader, "RPUSH l 1" => "1", "LLEN l" => "0");
    assert_eq!(other.recv().items()[1].text(), "1");
    hears_nothing(&mut reader);
    replies!(writer, "RPUSH l 2" => "1");
    hears(&mut reader, r#">["invalidate", ["l"]]"#);
    // A read that has to wait is one from the beginning.
    reader.send_cmd(&["XREAD", "BLOCK", "0", "STREAMS", "s", "0"]);
    wait_until(|| field(&server, "blocked_clients") == 1);
    writer.run("XADD s 1-1 f v");
    let first = reader.recv();
    let second = reader.recv();
    let (told, answer) = if matches!(first, Value::Push(_)) { (first, second) } else { (second, first) };
    assert_eq!(
        (told, matches!(answer, Value::Map(_))),
        (Value::Push(vec![Value::Bulk(b"invalidate".into()), Value::Array(vec![Value::Bulk(b"s".into())])]), true)
    );
    writer.run("XADD s 1-2 f v");
    hears(&mut reader, r#">["invalidate", ["s"]]"#);
}

#[test]
fn prefixes_count_as_memory_of_their_client() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    let memory = |conn: &mut Conn| -> u64 {
        let info = conn.run("CLIENT INFO").text();
        info.split_once("tot-mem=").and_then(|(_, rest)| rest.split(' ').next()?.parse().ok()).expect("a number")
    };
    let before = memory(&mut conn);
    for i in 0..1000 {
        conn.cmd(&["CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", &format!("prefix:{i:04}:")]);
    }
    let with_prefixes = memory(&mut conn);
    assert!(with_prefixes > before + 20_000, "{before} {with_prefixes}");
    conn.run("CLIENT TRACKING OFF");
    assert!(memory(&mut conn) < before + 4_000);
}
