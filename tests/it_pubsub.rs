//! Publish and subscribe.

mod common;

use common::{Conn, Server, wait_until};

#[test]
fn subscriptions_begin_and_end() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    let mut says = |line: &str, replies: &[&str]| {
        let first = conn.run(line).to_string();
        let rest: Vec<String> = (1..replies.len()).map(|_| conn.recv().to_string()).collect();
        assert_eq!([vec![first], rest].concat(), replies, "{line}");
    };
    says("SUBSCRIBE b a b", &[r#"["subscribe", "b", 1]"#, r#"["subscribe", "a", 2]"#, r#"["subscribe", "b", 2]"#]);
    says("PSUBSCRIBE n*", &[r#"["psubscribe", "n*", 3]"#]);
    says("SSUBSCRIBE s t", &[r#"["ssubscribe", "s", 1]"#, r#"["ssubscribe", "t", 2]"#]);
    says("UNSUBSCRIBE x a", &[r#"["unsubscribe", "x", 3]"#, r#"["unsubscribe", "a", 2]"#]);
    says("PUNSUBSCRIBE", &[r#"["punsubscribe", "n*", 1]"#]);
    says("PUNSUBSCRIBE", &[r#"["punsubscribe", nil, 1]"#]);
    says("UNSUBSCRIBE", &[r#"["unsubscribe", "b", 0]"#]);
    says("UNSUBSCRIBE", &[r#"["unsubscribe", nil, 0]"#]);
    says("PING", &[r#"["pong", ""]"#]);
    says("SUNSUBSCRIBE t s", &[r#"["sunsubscribe", "t", 1]"#, r#"["sunsubscribe", "s", 0]"#]);
    says("SUNSUBSCRIBE", &[r#"["sunsubscribe", nil, 0]"#]);
    says("PING", &["PONG"]);
}

#[test]
fn messages_reach_who_listens() {
    let server = Server::start(&[]);
    let (mut a, mut b) = (server.connect(), server.connect());
    a.run("SUBSCRIBE news");
    a.run("PSUBSCRIBE n?ws");
    b.run("HELLO 3");
    b.run("SUBSCRIBE news");
    b.run("SSUBSCRIBE news");
    let mut publisher = server.connect();
    publisher.check(&[("PUBLISH news hello", "3"), ("PUBLISH nows \"\"", "1"), ("PUBLISH other x", "0"), ("SPUBLISH news shard", "1")]);
    assert_eq!(a.recv(), *r#"["message", "news", "hello"]"#);
    assert_eq!(a.recv(), *r#"["pmessage", "n?ws", "news", "hello"]"#);
    assert_eq!(a.recv(), *r#"["pmessage", "n?ws", "nows", ""]"#);
    assert_eq!(b.recv(), *r#">["message", "news", "hello"]"#);
    assert_eq!(b.recv(), *r#">["smessage", "news", "shard"]"#);
    drop(a);
    wait_until(|| publisher.run("PUBLISH news x").int() == 1);
}

#[test]
fn long_messages_arrive_whole() {
    let server = Server::start(&[]);
    let mut conns = [server.connect(), server.connect(), server.connect()];
    conns.iter_mut().for_each(|conn| drop(conn.run("SUBSCRIBE long")));
    let long = "0123456789".repeat(100_000);
    assert_eq!(server.connect().cmd(&["PUBLISH", "long", &long]), *"3");
    for conn in &mut conns {
        assert_eq!(conn.recv().items()[2].text(), long);
        assert_eq!(conn.run("PING x"), *r#"["pong", "x"]"#);
    }
}

#[test]
fn in_resp2_a_subscriber_may_do_little_else() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    conn.check(&[
        ("SUBSCRIBE a", r#"["subscribe", "a", 1]"#),
        ("GET k", "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"),
        (
            "CLIENT ID",
            "-ERR Can't execute 'client|id': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context",
        ),
        ("PING", r#"["pong", ""]"#),
        ("PING hi", r#"["pong", "hi"]"#),
        ("PING a b", "-ERR wrong number of arguments for 'ping' command"),
        ("GET", "-ERR wrong number of arguments for 'get' command"),
        ("RESET", "RESET"),
        ("GET k", "nil"),
        ("PSUBSCRIBE a", r#"["psubscribe", "a", 1]"#),
        ("QUIT", "OK"),
    ]);
    assert!(conn.closed());
    assert_eq!(server.ask("PUBSUB NUMPAT"), *"0");
}

#[test]
fn in_resp3_a_subscriber_may_do_everything() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    conn.run("HELLO 3");
    conn.check(&[
        ("SUBSCRIBE a", r#">["subscribe", "a", 1]"#),
        ("SET k v", "OK"),
        ("PING", "PONG"),
        ("UNSUBSCRIBE x", r#">["unsubscribe", "x", 1]"#),
        ("PUNSUBSCRIBE", r#">["punsubscribe", null, 1]"#),
        ("CLIENT GETNAME", "null"),
    ]);
    // Back in RESP2 it is held to it.
    conn.run("HELLO 2");
    assert!(conn.run("GET k").text().starts_with("ERR Can't execute 'get'"));
}

/// Everything that `requests`, sent in one piece, is answered with.
fn pipelined(conn: &mut Conn, requests: &[&str], replies: usize) -> Vec<String> {
    let wire: Vec<u8> = requests.iter().flat_map(|line| Conn::encode(&common::words(line))).collect();
    conn.send(&wire);
    (0..replies).map(|_| conn.recv().to_string()).collect()
}

#[test]
fn a_message_to_oneself_comes_behind_the_reply_of_the_command_that_sent_it() {
    if common::is_reference() {
        // Before 7.2 it came in front.
        return;
    }
    let server = Server::start(&["--notify-keyspace-events", "E$"]);
    let mut conn = server.connect();
    conn.run("HELLO 3");
    conn.run("SUBSCRIBE a __keyevent@0__:set");
    conn.recv();
    let requests = ["PING 1", "PUBLISH a x", "PING 2", "SET k v", "PING 3"];
    let replies = [r#""1""#, "1", r#">["message", "a", "x"]"#, r#""2""#, "OK", r#">["message", "__keyevent@0__:set", "k"]"#, r#""3""#];
    assert_eq!(pipelined(&mut conn, &requests, 7), replies);
    let requests = ["MULTI", "PUBLISH a x", "PING 2", "PUBLISH a y", "EXEC", "PING 3"];
    let replies =
        ["OK", "QUEUED", "QUEUED", "QUEUED", r#"[1, "2", 1]"#, r#">["message", "a", "x"]"#, r#">["message", "a", "y"]"#, r#""3""#];
    assert_eq!(pipelined(&mut conn, &requests, 8), replies);
}

#[test]
fn subscribing_in_a_transaction() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    let requests = ["MULTI", "SUBSCRIBE a", "SSUBSCRIBE s", "EXEC"];
    assert_eq!(
        pipelined(&mut conn, &requests, 4),
        ["OK", "QUEUED", "QUEUED", r#"[["subscribe", "a", 1], -ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client]"#]
    );
    assert_eq!(server.ask("PUBLISH a x"), *"1");
    assert_eq!(conn.recv(), *r#"["message", "a", "x"]"#);
}

#[test]
fn who_listens_to_what() {
    let server = Server::start(&[]);
    let (mut a, mut b) = (server.connect(), server.connect());
    a.run("SUBSCRIBE one");
    a.run("SUBSCRIBE two");
    a.run("PSUBSCRIBE o*");
    b.run("SUBSCRIBE one");
    b.run("PSUBSCRIBE o*");
    b.run("PSUBSCRIBE t*");
    b.run("SSUBSCRIBE shard");
    let mut conn = server.connect();
    assert_eq!(conn.run("PUBSUB CHANNELS").sorted(), ["one", "two"]);
    conn.check(&[
        ("PUBSUB CHANNELS t*", r#"["two"]"#),
        ("PUBSUB CHANNELS x", "[]"),
        ("PUBSUB NUMSUB one two three", r#"["one", 2, "two", 1, "three", 0]"#),
        ("PUBSUB NUMSUB", "[]"),
        ("PUBSUB NUMPAT", "2"),
        ("PUBSUB SHARDCHANNELS", r#"["shard"]"#),
        ("PUBSUB SHARDCHANNELS x*", "[]"),
        ("PUBSUB SHARDNUMSUB shard one", r#"["shard", 1, "one", 0]"#),
        ("PUBSUB NUMPAT x", "-ERR wrong number of arguments for 'pubsub|numpat' command"),
        ("PUBSUB BOGUS", "-ERR unknown subcommand 'BOGUS'. Try PUBSUB HELP."),
        ("PUBSUB CHANNELS a b", "-ERR unknown subcommand or wrong number of arguments for 'CHANNELS'. Try PUBSUB HELP."),
        ("PUBLISH a", "-ERR wrong number of arguments for 'publish' command"),
    ]);
    assert_eq!(["pubsub_channels", "pubsub_patterns", "pubsubshard_channels"].map(|field| server.info(field)), ["2", "2", "1"]);
    let list = conn.run("CLIENT LIST TYPE pubsub").text();
    assert_eq!(list.lines().count(), 2);
    assert!(list.contains("flags=P db=0 sub=2 psub=1 ssub=0 ") && list.contains("flags=P db=0 sub=1 psub=2 ssub=1 "), "{list}");
    assert_eq!(conn.run("CLIENT KILL TYPE pubsub"), *"2");
    wait_until(|| conn.run("PUBSUB NUMSUB one") == *r#"["one", 0]"#);
}

#[test]
fn a_subscriber_that_does_not_read_is_closed_at_its_limit() {
    let server = Server::start(&["--client-output-buffer-limit", "pubsub 1mb 0 0"]);
    let mut slow = server.connect();
    slow.run("SUBSCRIBE flood");
    let mut conn = server.connect();
    let message = "x".repeat(100_000);
    wait_until(|| conn.cmd(&["PUBLISH", "flood", &message]).int() == 0);
    assert_eq!(server.info("pubsub_channels"), "0");
}

#[test]
fn messages_are_heard_whatever_client_reply_says() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    conn.send_cmd(&["CLIENT", "REPLY", "OFF"]);
    conn.send_cmd(&["PING"]);
    assert_eq!(conn.run("SUBSCRIBE a"), *r#"["subscribe", "a", 1]"#);
    server.ask("PUBLISH a x");
    assert_eq!(conn.recv(), *r#"["message", "a", "x"]"#);
}
