//! Consumer groups of streams: who has read what, what is pending, and who takes it over.

mod common;

use common::{Conn, Server, Value, peers, wait_until};

#[test]
fn a_group_shares_its_entries_among_its_consumers() {
    Server::start(&[]).spec(
        r#"
        XGROUP CREATE s g $                                          -> -ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.
        XGROUP CREATE s g $ MKSTREAM                                 -> OK
        XGROUP CREATE s g 0                                          -> -BUSYGROUP Consumer Group name already exists
        XGROUP CREATE s g x                                          -> -ERR Invalid stream ID specified as stream command argument
        XGROUP CREATE s h 0 ENTRIESREAD 3                            -> OK
        XGROUP CREATE s h 0 ENTRIESREAD -2                           -> -ERR value for ENTRIESREAD must be positive or -1
        XGROUP CREATE s h 0 NOSUCH                                   -> -ERR unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP HELP.
        XINFO GROUPS s                                               -> [["name", "g", "consumers", 0, "pending", 0, "last-delivered-id", "0-0", "entries-read", nil, "lag", 0], ["name", "h", "consumers", 0, "pending", 0, "last-delivered-id", "0-0", "entries-read", 3, "lag", 0]]
        XADD s 1-0 f v                                               -> "1-0"
        XADD s 2-0 f v                                               -> "2-0"
        XADD s 3-0 f v                                               -> "3-0"
        XREADGROUP GROUP g alice COUNT 1 STREAMS s >                 -> [["s", [["1-0", ["f", "v"]]]]]
        XREADGROUP GROUP g bob STREAMS s >                           -> [["s", [["2-0", ["f", "v"]], ["3-0", ["f", "v"]]]]]
        XREADGROUP GROUP g bob STREAMS s >                           -> nil[]
        XREADGROUP GROUP g alice STREAMS s 0                         -> [["s", [["1-0", ["f", "v"]]]]]
        XREADGROUP GROUP g alice COUNT 1 STREAMS s 1-0               -> [["s", []]]
        XREADGROUP GROUP g carol NOACK STREAMS s >                   -> nil[]
        XREADGROUP GROUP nosuch alice STREAMS s >                    -> -NOGROUP No such key 's' or consumer group 'nosuch' in XREADGROUP with GROUP option
        XREADGROUP GROUP g alice STREAMS nokey >                     -> -NOGROUP No such key 'nokey' or consumer group 'g' in XREADGROUP with GROUP option
        XREADGROUP GROUP g alice STREAMS s $                         -> -ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.
        XREADGROUP GROUP g alice STREAMS s x                         -> -ERR Invalid stream ID specified as stream command argument
        XREADGROUP STREAMS s > > > >                                 -> -ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified.
        XREADGROUP COUNT 1 STREAMS s s s > > >                       -> -ERR Missing GROUP option for XREADGROUP
        XINFO GROUPS s                                               -> [["name", "g", "consumers", 3, "pending", 3, "last-delivered-id", "3-0", "entries-read", 3, "lag", 0], ["name", "h", "consumers", 0, "pending", 0, "last-delivered-id", "0-0", "entries-read", 3, "lag", 0]]
        XDEL s 2-0                                                   -> 1
        XREADGROUP GROUP g bob STREAMS s 0                           -> [["s", [["2-0", nil[]], ["3-0", ["f", "v"]]]]]
        XPENDING s g                                                 -> [3, "1-0", "3-0", [["alice", "1"], ["bob", "2"]]]
        XPENDING s nosuch                                            -> -NOGROUP No such key 's' or consumer group 'nosuch'
        XPENDING nokey g                                             -> -NOGROUP No such key 'nokey' or consumer group 'g'
        XPENDING s g - +                                             -> -ERR syntax error
        XPENDING s g IDLE 1 - +                                      -> -ERR syntax error
        XPENDING s g - + x                                           -> -ERR value is not an integer or out of range
        XPENDING s g - + 10 nobody                                   -> []
        XPENDING s g - + 0                                           -> []
        XPENDING s g IDLE 1000000 - + 10                             -> []
        XACK s g 1-0 9-9                                             -> 1
        XACK s g 1-0                                                 -> 0
        XACK s nosuch 1-0                                            -> 0
        XACK nokey g 1-0                                             -> 0
        XACK s g x                                                   -> -ERR Invalid stream ID specified as stream command argument
        XPENDING s g                                                 -> [2, "2-0", "3-0", [["bob", "2"]]]
        XGROUP DELCONSUMER s g bob                                   -> 2
        XGROUP DELCONSUMER s g bob                                   -> 0
        XPENDING s g                                                 -> [0, nil, nil, nil[]]
        XGROUP CREATECONSUMER s g dave                               -> 1
        XGROUP CREATECONSUMER s g dave                               -> 0
        XGROUP CREATECONSUMER s nosuch dave                          -> -NOGROUP No such consumer group 'nosuch' for key name 's'
        XGROUP SETID s g 0                                           -> OK
        XGROUP SETID s g + ENTRIESREAD 3                             -> OK
        XGROUP SETID s g $ ENTRIESREAD x                             -> -ERR value is not an integer or out of range
        XGROUP SETID s nosuch 0                                      -> -NOGROUP No such consumer group 'nosuch' for key name 's'
        XGROUP SETID nokey g 0                                       -> -ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.
        XGROUP DESTROY s g                                           -> 1
        XGROUP DESTROY s g                                           -> 0
        XGROUP DESTROY nokey g                                       -> -ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.
        SET str v                                                    -> OK
        XGROUP CREATE str g $ MKSTREAM                               -> -WRONGTYPE Operation against a key holding the wrong kind of value
        XACK str g 1                                                 -> -WRONGTYPE Operation against a key holding the wrong kind of value
        XPENDING str g                                               -> -WRONGTYPE Operation against a key holding the wrong kind of value
        XREADGROUP GROUP g c STREAMS str >                           -> -WRONGTYPE Operation against a key holding the wrong kind of value
        XCLAIM str g c 0 1                                           -> -WRONGTYPE Operation against a key holding the wrong kind of value
        XAUTOCLAIM str g c 0 1                                       -> -WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn what_is_pending_can_be_taken_over() {
    Server::start(&[]).spec(
        r#"
        XADD s 1-0 f v                                               -> "1-0"
        XADD s 2-0 f v                                               -> "2-0"
        XADD s 3-0 f v                                               -> "3-0"
        XGROUP CREATE s g 0                                          -> OK
        XREADGROUP GROUP g alice STREAMS s >                         -> [["s", [["1-0", ["f", "v"]], ["2-0", ["f", "v"]], ["3-0", ["f", "v"]]]]]
        XCLAIM s g bob 0 1-0                                         -> [["1-0", ["f", "v"]]]
        XCLAIM s g bob 1000000 2-0                                   -> []
        XCLAIM s g bob 0 2-0 JUSTID                                  -> ["2-0"]
        XCLAIM s g bob 0 9-9                                         -> []
        XCLAIM s g bob 0 9-9 FORCE                                   -> []
        XACK s g 3-0                                                 -> 1
        XCLAIM s g bob 0 3-0                                         -> []
        XCLAIM s g bob 0 3-0 FORCE RETRYCOUNT 7 TIME 5 LASTID 8-0    -> [["3-0", ["f", "v"]]]
        XCLAIM s g bob 0 3-0 IDLE x                                  -> -ERR Invalid IDLE option argument for XCLAIM
        XCLAIM s g bob 0 3-0 TIME x                                  -> -ERR Invalid TIME option argument for XCLAIM
        XCLAIM s g bob 0 3-0 RETRYCOUNT x                            -> -ERR Invalid RETRYCOUNT option argument for XCLAIM
        XCLAIM s g bob 0 3-0 LASTID x                                -> -ERR Invalid stream ID specified as stream command argument
        XCLAIM s g bob 0 3-0 NOSUCH                                  -> -ERR Unrecognized XCLAIM option 'NOSUCH'
        XCLAIM s g bob x 3-0                                         -> -ERR Invalid min-idle-time argument for XCLAIM
        XCLAIM s nosuch bob 0 3-0                                    -> -NOGROUP No such key 's' or consumer group 'nosuch'
        XCLAIM nokey g bob 0 3-0                                     -> -NOGROUP No such key 'nokey' or consumer group 'g'
        XINFO GROUPS s                                               -> [["name", "g", "consumers", 2, "pending", 3, "last-delivered-id", "8-0", "entries-read", 3, "lag", 0]]
        XPENDING s g                                                 -> [3, "1-0", "3-0", [["bob", "3"]]]
        XDEL s 2-0                                                   -> 1
        XCLAIM s g bob 0 2-0                                         -> []
        XPENDING s g                                                 -> [2, "1-0", "3-0", [["bob", "2"]]]
        XDEL s 1-0                                                   -> 1
        XAUTOCLAIM s g carol 0 0                                     -> ["0-0", [["3-0", ["f", "v"]]], ["1-0"]]
        XAUTOCLAIM s g carol 1000000000 0                            -> ["0-0", [], []]
        XAUTOCLAIM s g carol 0 0 COUNT 0                             -> -ERR COUNT must be > 0
        XAUTOCLAIM s g carol 0 0 COUNT x                             -> -ERR COUNT must be > 0
        XAUTOCLAIM s g carol 0 x                                     -> -ERR Invalid stream ID specified as stream command argument
        XAUTOCLAIM s g carol x 0                                     -> -ERR Invalid min-idle-time argument for XAUTOCLAIM
        XAUTOCLAIM s g carol 0 0 NOSUCH                              -> -ERR syntax error
        XAUTOCLAIM s nosuch carol 0 0                                -> -NOGROUP No such key 's' or consumer group 'nosuch'
        XAUTOCLAIM nokey g carol 0 0                                 -> -NOGROUP No such key 'nokey' or consumer group 'g'
        XADD s 10-0 f v                                              -> "10-0"
        XADD s 11-0 f v                                              -> "11-0"
        XADD s 12-0 f v                                              -> "12-0"
        XREADGROUP GROUP g dave STREAMS s >                          -> [["s", [["10-0", ["f", "v"]], ["11-0", ["f", "v"]], ["12-0", ["f", "v"]]]]]
        XAUTOCLAIM s g carol 0 - COUNT 1 JUSTID                      -> ["10-0", ["3-0"], []]
        XAUTOCLAIM s g carol 0 (3-0 COUNT 1                          -> ["11-0", [["10-0", ["f", "v"]]], []]
        XAUTOCLAIM s g carol 0 12-0 COUNT 1 JUSTID                   -> ["0-0", ["12-0"], []]
        XPENDING s g                                                 -> [4, "3-0", "12-0", [["carol", "3"], ["dave", "1"]]]
        "#,
    );
}

#[test]
fn what_has_been_pending_for_long_is_delivered_again_before_what_is_new() {
    Server::start(&[]).spec(
        r#"
        # needs XDELEX
        XADD s 1-0 f v                                              -> "1-0"
        XADD s 2-0 f v                                              -> "2-0"
        XADD s 3-0 f v                                              -> "3-0"
        XGROUP CREATE s g 0                                         -> OK
        XREADGROUP GROUP g alice COUNT 2 STREAMS s >                ~> *
        XCLAIM s g alice 0 2-0 JUSTID TIME 1                        -> ["2-0"]
        XREADGROUP GROUP g bob CLAIM 1000000 COUNT 1 STREAMS s >    ~> [["s", [["2-0", ["f", "v"], *, 1]]]]
        XREADGROUP GROUP g bob CLAIM 1000000 STREAMS s >            -> [["s", [["3-0", ["f", "v"], 0, 0]]]]
        XREADGROUP GROUP g bob CLAIM 1000000 STREAMS s >            -> nil[]
        XREADGROUP GROUP g bob CLAIM 0 STREAMS s >                  ~> [["s", [["1-0", ["f", "v"], *, 1], ["2-0", *, 2], ["3-0", *, 1]]]]
        XREADGROUP GROUP g bob CLAIM 0 STREAMS s 2-0                -> [["s", [["3-0", ["f", "v"]]]]]
        XPENDING s g                                                -> [3, "1-0", "3-0", [["bob", "3"]]]
        XDEL s 1-0 2-0 3-0                                          -> 3
        XREADGROUP GROUP g bob CLAIM 0 STREAMS s >                  -> nil[]
        XREADGROUP GROUP g bob CLAIM x STREAMS s >                  -> -ERR min-idle-time is not an integer or out of range
        XREADGROUP GROUP g bob CLAIM -1 STREAMS s >                 -> -ERR min-idle-time must be a positive integer
        XREAD CLAIM 1 STREAMS s 0                                   -> -ERR The CLAIM option is only supported by XREADGROUP. You called XREAD instead.
        "#,
    );
}

#[test]
fn consumers_have_a_time_of_their_last_attempt_and_one_of_their_last_success() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    for line in ["XADD s 1-0 f v", "XGROUP CREATE s g 0", "XGROUP CREATECONSUMER s g idle", "XREADGROUP GROUP g busy STREAMS s >"] {
        conn.run(line);
    }
    let of = |conn: &mut Conn, name: &str, field: &str| {
        let consumers = conn.run("XINFO CONSUMERS s g").items();
        consumers.into_iter().find(|consumer| consumer.get("name") == *format!("{name:?}")).unwrap().get(field).int()
    };
    assert_eq!((of(&mut conn, "idle", "inactive"), of(&mut conn, "idle", "pending")), (-1, 0));
    assert!(of(&mut conn, "busy", "inactive") >= 0 && of(&mut conn, "busy", "pending") == 1);
    wait_until(|| of(&mut conn, "busy", "idle") > 20 && of(&mut conn, "busy", "inactive") > 20);
    // An attempt in vain.
    conn.run("XREADGROUP GROUP g busy STREAMS s >");
    assert!(of(&mut conn, "busy", "inactive") > of(&mut conn, "busy", "idle"));
    // To see again what is pending is no success either, and to claim is one.
    let full = |conn: &mut Conn| conn.run("XINFO STREAM s FULL").get("groups").items()[0].get("consumers").items()[0].clone();
    let active = full(&mut conn).get("active-time");
    conn.run("XREADGROUP GROUP g busy STREAMS s 0");
    assert_eq!(full(&mut conn).get("active-time"), active);
    conn.run("XCLAIM s g idle 0 1-0");
    assert!(of(&mut conn, "idle", "inactive") >= 0);
}

#[test]
fn all_that_there_is_to_know_of_a_stream() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    for n in 1..=12 {
        conn.run(&format!("XADD s {n}-0 f v"));
    }
    for line in ["XGROUP CREATE s g 0", "XREADGROUP GROUP g c STREAMS s >", "XCLAIM s g c 0 1-0 TIME 5 RETRYCOUNT 7", "XDEL s 2-0"] {
        conn.run(line);
    }
    let full = conn.run("XINFO STREAM s FULL");
    assert_eq!((full.get("length").int(), full.get("entries").items().len()), (11, 10));
    let group = full.get("groups").items()[0].clone();
    assert_eq!((group.get("pel-count").int(), group.get("pending").items().len(), group.get("lag").int()), (12, 10, 0));
    assert_eq!(group.get("pending").items()[0], *r#"["1-0", "c", 5, 7]"#);
    let consumer = group.get("consumers").items()[0].clone();
    assert_eq!((consumer.get("name").text(), consumer.get("pending").items()[0].to_string()), ("c".into(), r#"["1-0", 5, 7]"#.into()));
    let two = conn.run("XINFO STREAM s FULL COUNT 2");
    assert_eq!((two.get("entries").items().len(), two.get("groups").items()[0].get("pending").items().len()), (2, 2));
    let all = conn.run("XINFO STREAM s FULL COUNT 0");
    assert_eq!((all.get("entries").items().len(), all.get("groups").items()[0].get("pending").items().len()), (11, 12));
}

/// What a replica is sent of some commands: the words of each, with times left out.
fn replicated(server: &Server, commands: &str) -> Vec<String> {
    let mut replica = server.connect();
    replica.send(b"SYNC\r\n");
    // The snapshot has a length in front, and no line end behind it.
    let length = loop {
        let line = replica.recv_line();
        // A line end alone says that it is being made ready.
        if let Some(length) = line.trim_start_matches('\n').strip_prefix('$') {
            break length.parse().expect("a snapshot of a length");
        }
    };
    replica.recv_exact(length);
    let mut conn = server.connect();
    commands.lines().map(str::trim).filter(|line| !line.is_empty()).for_each(|line| drop(conn.run(line)));
    conn.run("SET end x");
    let mut told = Vec::new();
    loop {
        let words: Vec<String> = replica.recv().items().iter().map(Value::text).collect();
        match words[0].to_uppercase().as_str() {
            "SELECT" | "PING" => continue,
            "SET" if words[1] == "end" => return told,
            _ => {}
        }
        let is_time = |i: usize| i > 0 && words[i - 1] == "TIME";
        told.push((0..words.len()).map(|i| if is_time(i) { "..." } else { &words[i] }).collect::<Vec<_>>().join(" "));
    }
}

#[test]
fn a_replica_is_sent_what_has_the_same_effect_at_any_time() {
    const ALONE: &[&str] = &["--repl-diskless-sync", "no", "--stream-node-max-entries", "2"];
    // All of these are as others of the family send them, too; redis-server 7.0 does not say how many entries a group has read where some are claimed.
    let commands = "
        XADD s 1-0 f v
        XADD s 1-* f v
        XADD s NOMKSTREAM 2-0 f v
        XADD s 3-0 f v
        XADD s 4-0 f v
        XADD s maxlen ~ 3 LIMIT 10 5-0 f v
        XADD s MAXLEN ~ 100 6-* f v
        XADD s MINID ~ 3 7-0 f v
        XADD s MAXLEN 4 8-0 f v
        XTRIM s MAXLEN ~ 1
        XTRIM s MAXLEN ~ 1
        XTRIM s MINID = 8
        XADD s 9-0 f v
        XGROUP CREATE s g 0
        XREADGROUP GROUP g c COUNT 1 STREAMS s >
        XREADGROUP GROUP g c NOACK STREAMS s >
        XADD s 9-1 f v
        XREADGROUP GROUP g n NOACK STREAMS s >
        XREADGROUP GROUP g c STREAMS s 0
        XADD s 10-0 f v
        XADD s 11-0 f v
        MULTI
        XREADGROUP GROUP g c STREAMS s >
        XACK s g 8-0
        EXEC
        XREADGROUP GROUP g c STREAMS s >
        XDEL s 10
        XCLAIM s g d 0 10 11-0
        XCLAIM s g d 0 11-0 JUSTID RETRYCOUNT 5 TIME 7
        XCLAIM s g d 1000000 11-0 LASTID 12-0
        XAUTOCLAIM s g c 0 0
        XDEL s 11-0
        XAUTOCLAIM s g c 0 0
        XSETID s 20-0
        XGROUP DESTROY s g
    ";
    let ours = replicated(&Server::start(ALONE), commands);
    for peer in &peers()[1..] {
        assert_eq!(ours, replicated(&Server::of(peer, ALONE), commands), "{}", peer.display());
    }
    let theirs = replicated(&Server::redis(ALONE), commands);
    let mut others = theirs.iter().peekable();
    let ours_alone: Vec<_> = ours.iter().filter(|line| others.next_if_eq(line).is_none()).collect();
    assert_eq!(others.next(), None, "{ours:?}");
    assert!(
        ours_alone.iter().all(|line| line.starts_with("XGROUP SETID s g ") || ["MULTI", "EXEC"].contains(&line.as_str())),
        "{ours_alone:?}"
    );
    assert!(ours.iter().any(|line| line == "XCLAIM s g d 0 11-0 TIME ... RETRYCOUNT 5 FORCE JUSTID LASTID 11-0"), "{ours:?}");
}

/// What goes depends on references and on how entries are laid out: the bound that a replica is sent says what came of it.
#[test]
fn a_trim_that_looks_at_references_leaves_the_same_on_a_replica() {
    let small = ["--stream-node-max-entries", "2"];
    let primary = Server::start(&small);
    let replica = Server::start(&[&small[..], &["--replicaof", "127.0.0.1", &primary.port.to_string()]].concat());
    wait_until(|| replica.info("master_link_status") == "up");
    let add = |key: &str, last: u64| (1..=last).map(|n| format!("XADD {key} {n}-0 f v -> \"{n}-0\"\n")).collect::<String>();
    // Of one stream all of a node goes but its last entry, of another the first node stays.
    let mut session = [add("part", 2), add("all", 2), add("needed", 5), add("limited", 5)].concat();
    session += "
        XTRIM part MINID ~ 2-0 DELREF                -> 1
        XRANGE part - +                              -> [[\"2-0\", [\"f\", \"v\"]]]
        XADD all MINID ~ 4-0 DELREF 3-0 f v          -> \"3-0\"
        XLEN all                                     -> 0
        XGROUP CREATE needed g 0                     -> OK
        XGROUP SETID needed g 3-0                    -> OK
        XCLAIM needed g c 0 1-0 2-0 FORCE JUSTID     -> [\"1-0\", \"2-0\"]
        XTRIM needed MAXLEN ~ 0 ACKED                -> 1
        XADD needed MAXLEN ~ 0 ACKED 6-0 f v         -> \"6-0\"
        XLEN needed                                  -> 5
        XTRIM limited MINID ~ 5-0 DELREF LIMIT 2     -> 2
        XTRIM limited MINID 4-0 ACKED                -> 1
        XLEN limited                                 -> 2
    ";
    primary.spec(&session);
    wait_until(|| primary.info("master_repl_offset") == replica.info("slave_repl_offset"));
    let (mut conn, mut copy) = (primary.connect(), replica.connect());
    for key in ["part", "all", "needed", "limited"] {
        let read = format!("XRANGE {key} - +");
        assert_eq!(copy.run(&read), conn.run(&read), "{key}");
    }
}

#[test]
fn a_consumer_that_got_nothing_is_there_on_the_replica_too() {
    let server = Server::start(&["--repl-diskless-sync", "no"]);
    let told = replicated(
        &server,
        "XGROUP CREATE s g $ MKSTREAM
        XREADGROUP GROUP g a STREAMS s >
        XREADGROUP GROUP g a STREAMS s >
        XREADGROUP GROUP g b STREAMS s 0
        XCLAIM s g c 0 1-0
        XAUTOCLAIM s g d 0 0",
    );
    let created = ["a", "b", "c", "d"].map(|name| format!("XGROUP CREATECONSUMER s g {name}"));
    assert_eq!(told, [&["XGROUP CREATE s g $ MKSTREAM".to_owned()][..], &created].concat());
}
