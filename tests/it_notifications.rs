//! Keyspace notifications: which command tells of what, in which order.

mod common;

use common::{Conn, Server};

/// Runs each line's command and compares what it tells, `event key` with `@database` where that is not 0, with what stands behind the arrow.
#[track_caller]
fn tells(server: &Server, classes: &str, text: &str) {
    let mut listener = server.connect();
    server.ask("FLUSHALL");
    server.ask(&format!("CONFIG SET notify-keyspace-events {classes}"));
    listener.run("PSUBSCRIBE __keyevent@*");
    listener.run("SUBSCRIBE end");
    let mut conn = server.connect();
    let mut wrong = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (command, expected) = line.split_once("->").expect("an arrow");
        conn.run(command);
        conn.run("PUBLISH end x");
        let mut told = Vec::new();
        loop {
            let items = listener.recv().items();
            if items[0] == *"\"message\"" {
                break;
            }
            let (channel, key) = (items[2].text(), items[3].text());
            let (db, event) = channel.strip_prefix("__keyevent@").and_then(|rest| rest.split_once("__:")).expect("an event");
            told.push(if db == "0" { format!("{event} {key}") } else { format!("{event} {key}@{db}") });
        }
        if told.join(", ") != expected.trim() {
            wrong.push(format!("{} -> {}", command.trim(), told.join(", ")));
        }
    }
    assert!(wrong.is_empty(), "told otherwise:\n{}\n", wrong.join("\n"));
}

#[test]
fn strings() {
    tells(
        &Server::start(&[]),
        "KEAn",
        r#"
        SET a 1 -> new a, set a
        SET a 2 -> set a
        SET a 2 NX ->
        SET a 3 XX -> set a
        SET a 1 EX 100 -> set a, expire a
        SET a 1 PX 100000 GET -> set a, expire a
        SET c 1 KEEPTTL -> new c, set c
        SETEX a 100 v -> set a, expire a
        PSETEX n 100000 v -> new n, set n, expire n
        SETNX n v ->
        SETNX m v -> new m, set m
        GETSET m w -> set m
        GETSET o w -> new o, set o
        GETDEL o -> del o
        GETDEL o ->
        GETEX m ->
        GETEX m EX 100 -> expire m
        GETEX m PERSIST -> persist m
        GETEX m PERSIST ->
        GETEX m PXAT 1000 -> del m
        MSET a 1 b 2 a 3 -> set a, new b, set b, set a
        MSETNX a 1 z 2 ->
        MSETNX y 1 z 2 -> new y, set y, new z, set z
        INCR i -> new i, incrby i
        INCR i -> incrby i
        DECR i -> incrby i
        INCRBY i 5 -> incrby i
        DECRBY i 5 -> incrby i
        INCRBYFLOAT i 0.5 -> incrbyfloat i
        INCRBYFLOAT f 0.5 -> new f, incrbyfloat f
        INCR f ->
        APPEND a x -> append a
        APPEND a2 x -> new a2, append a2
        APPEND a2 "" -> append a2
        SETRANGE a 1 y -> setrange a
        SETRANGE a3 1 y -> new a3, setrange a3
        SETRANGE a4 1 "" ->
        GET nothing ->
        STRLEN a ->
        "#,
    );
}

#[test]
fn sets() {
    tells(
        &Server::start(&[]),
        "KEAn",
        r#"
        SADD s a b -> new s, sadd s
        SADD s a ->
        SREM s x ->
        SREM s a -> srem s
        SREM s b -> srem s, del s
        SADD s a b -> new s, sadd s
        SMOVE s t a -> srem s, new t, sadd t
        SMOVE s t x ->
        SMOVE s t b -> srem s, del s, sadd t
        SADD s a b -> new s, sadd s
        SMOVE s t a -> srem s
        SMOVE t t a ->
        SPOP t -> spop t
        SPOP t 9 -> spop t, del t
        SPOP s -> spop s, del s
        SPOP s ->
        SPOP s 3 ->
        SADD s 1 2 3 -> new s, sadd s
        SPOP s 0 ->
        SPOP s 2 -> spop s
        SUNIONSTORE d s -> new d, sunionstore d
        SINTERSTORE d s -> sinterstore d
        SDIFFSTORE d s s -> del d
        SDIFFSTORE d s s ->
        SDIFFSTORE d s -> new d, sdiffstore d
        SUNIONSTORE d absent -> del d
        SINTERSTORE d absent ->
    "#,
    );
}

#[test]
fn keys() {
    tells(
        &Server::start(&[]),
        "KEAn",
        r#"
        MSET a 1 b 2 -> new a, set a, new b, set b
        DEL a b nothing -> del a, del b
        MSET a 1 b 2 c 3 d 4 -> new a, set a, new b, set b, new c, set c, new d, set d
        UNLINK a nothing -> del a
        EXPIRE b 100 -> expire b
        EXPIRE b 100 NX ->
        PEXPIRE b 100000 -> expire b
        EXPIREAT b 99999999999 -> expire b
        PEXPIREAT b 99999999999999 -> expire b
        PERSIST b -> persist b
        PERSIST b ->
        EXPIRE b -1 -> del b
        EXPIRE nothing 100 ->
        RENAME c c2 -> new c2, rename_from c, rename_to c2
        RENAME c2 d -> new d, rename_from c2, rename_to d
        RENAME d d ->
        RENAMENX d e -> new e, rename_from d, rename_to e
        SET f 1 -> new f, set f
        RENAMENX e f ->
        COPY e g -> new g, copy_to g
        COPY e g ->
        COPY e g REPLACE -> new g, copy_to g
        COPY e g DB 3 -> new g@3, copy_to g@3
        MOVE e 3 -> new e@3, move_from e, move_to e@3
        MOVE f 4 -> new f@4, move_from f, move_to f@4
        MOVE f 4 ->
        RESTORE r 0 "\x00\x01x\n\x00\"\x80\x86_\xbd\xe8H\xd0" -> new r, restore r
        RESTORE r 0 "\x00\x01x\n\x00\"\x80\x86_\xbd\xe8H\xd0" REPLACE -> new r, restore r
        RESTORE r 1 "\x00\x01x\n\x00\"\x80\x86_\xbd\xe8H\xd0" REPLACE ABSTTL -> del r
        TOUCH e ->
        EXISTS e ->
        TYPE e ->
        OBJECT ENCODING e ->
        DUMP e ->
        SWAPDB 0 5 ->
        FLUSHDB ->
        FLUSHALL ->
        "#,
    );
}

/// Listens to these patterns.
fn listener(server: &Server, classes: &str, patterns: &[&str]) -> Conn {
    server.ask(&format!("CONFIG SET notify-keyspace-events {classes}"));
    let mut conn = server.connect();
    patterns.iter().for_each(|pattern| drop(conn.run(&format!("PSUBSCRIBE {pattern}"))));
    conn
}

/// The next messages, as `channel message`.
fn next(conn: &mut Conn, count: usize) -> Vec<String> {
    let said = |conn: &mut Conn| conn.recv().items().iter().skip(2).map(common::Value::text).collect::<Vec<_>>().join(" ");
    (0..count).map(|_| said(conn)).collect()
}

#[test]
fn what_is_asked_for_is_told_and_nothing_else() {
    let server = Server::start(&[]);
    let mut heard = listener(&server, "KEA", &["__key*"]);
    server.ask("SET k v");
    assert_eq!(next(&mut heard, 2), ["__keyspace@0__:k set", "__keyevent@0__:set k"], "the key's channel comes first");
    server.ask("CONFIG SET notify-keyspace-events K$");
    server.ask("SET k v EX 100");
    server.ask("DEL k");
    server.ask("CONFIG SET notify-keyspace-events Eg");
    server.ask("SET k v EX 100");
    server.ask("DEL k");
    server.ask("CONFIG SET notify-keyspace-events \"\"");
    server.ask("SET k v");
    server.ask("CONFIG SET notify-keyspace-events En");
    server.ask("SET k w");
    server.ask("SET l w");
    let told = ["__keyspace@0__:k set", "__keyevent@0__:expire k", "__keyevent@0__:del k", "__keyevent@0__:new l"];
    assert_eq!(next(&mut heard, 4), told);
    server.ask("CONFIG SET notify-keyspace-events K");
    server.ask("SET k w");
    server.ask("CONFIG SET notify-keyspace-events E$");
    server.ask("SET m w");
    assert_eq!(next(&mut heard, 1), ["__keyevent@0__:set m"], "a channel alone asks for no class");
}

#[test]
fn keys_that_expire_say_so() {
    let server = Server::start(&["--enable-debug-command", "yes"]);
    let mut heard = listener(&server, "Exm", &["__keyevent*"]);
    server.ask("SET active v PX 20");
    assert_eq!(next(&mut heard, 1), ["__keyevent@0__:expired active"]);
    server.ask("DEBUG SET-ACTIVE-EXPIRE 0");
    server.ask("MSET z 1 y 1");
    server.ask("PEXPIRE y 1");
    server.ask("PEXPIRE z 1");
    std::thread::sleep(std::time::Duration::from_millis(5));
    server.ask("MGET y nothing z");
    let expected = ["expired y", "keymiss y", "keymiss nothing", "expired z", "keymiss z"];
    assert_eq!(next(&mut heard, 5), expected.map(|event| format!("__keyevent@0__:{event}")));
}

#[test]
fn reads_in_vain_say_so() {
    let server = Server::start(&[]);
    let mut heard = listener(&server, "Em$", &["__keyevent*"]);
    for line in [
        "GET a",
        "MGET b c",
        "STRLEN d",
        "EXISTS e",
        "GETRANGE f 0 1",
        "GETSET g v",
        "GETDEL h",
        "TYPE i",
        "TTL j",
        "DUMP k",
        "SET l v GET",
    ] {
        server.ask(line);
    }
    server.ask("GET end");
    let mut told = Vec::new();
    while told.last().is_none_or(|last| last != "__keyevent@0__:keymiss end") {
        told.extend(next(&mut heard, 1));
    }
    let told: Vec<&str> = told.iter().map(|event| &event["__keyevent@0__:".len()..]).collect();
    let expected = "keymiss a, keymiss b, keymiss c, keymiss d, keymiss e, keymiss f, keymiss g, set g, keymiss h, keymiss i, keymiss j, keymiss k, keymiss l, set l, keymiss end";
    assert_eq!(told.join(", "), expected);
}

#[test]
fn a_transaction_tells_as_it_goes() {
    let server = Server::start(&[]);
    let mut heard = listener(&server, "EA", &["__keyevent*"]);
    let mut conn = server.connect();
    for line in ["SELECT 9", "MULTI", "SET a 1", "RENAME a b", "DEL b", "EXEC"] {
        conn.run(line);
    }
    let expected = ["set a", "rename_from a", "rename_to b", "del b"];
    assert_eq!(next(&mut heard, 4), expected.map(|event| format!("__keyevent@9__:{event}")));
}

#[test]
fn a_replica_tells_what_its_primary_did() {
    let primary = Server::start(&["--repl-diskless-sync-delay", "0"]);
    let replica = Server::start(&["--replicaof", &format!("127.0.0.1 {}", primary.port)]);
    common::wait_until(|| replica.info("master_link_status") == "up");
    let mut heard = listener(&replica, "EA", &["__keyevent*", "news"]);
    primary.ask("SET k v EX 100");
    primary.ask("PUBLISH news hello");
    primary.ask("DEL k");
    let expected = ["__keyevent@0__:set k", "__keyevent@0__:expire k", "news hello", "__keyevent@0__:del k"];
    assert_eq!(next(&mut heard, 4), expected);
}

#[test]
fn hashes() {
    tells(
        &Server::start(&[]),
        "KEAn",
        r#"
        HSET h a 1 b 2 -> new h, hset h
        HSET h a 1 -> hset h
        HMSET h a 1 -> hset h
        HSETNX h a 1 ->
        HSETNX h c 3 -> hset h
        HINCRBY h a 1 -> hincrby h
        HINCRBY new a 1 -> new new, hincrby new
        HINCRBYFLOAT h a 1.5 -> hincrbyfloat h
        HDEL h zz ->
        HDEL h a zz -> hdel h
        HEXPIRE h 100 FIELDS 2 b zz -> hexpire h
        HEXPIRE h 100 NX FIELDS 1 b ->
        HPERSIST h FIELDS 2 b c -> hpersist h
        HPERSIST h FIELDS 1 b ->
        HGETEX h FIELDS 1 b ->
        HGETEX h EX 100 FIELDS 1 b -> hexpire h
        HGETEX h PERSIST FIELDS 1 b -> hpersist h
        HGETEX h PXAT 1 FIELDS 2 b zz -> hdel h
        HSETEX h FIELDS 1 b 1 -> hset h
        HSETEX h FNX FIELDS 1 b 1 ->
        HSETEX h EX 100 FIELDS 1 b 1 -> hset h, hexpire h
        HSETEX h KEEPTTL FIELDS 1 b 1 -> hset h
        HSETEX other PXAT 1 FIELDS 2 a 1 b 2 -> new other, hset other, hdel other, del other
        HGETDEL h FIELDS 1 zz ->
        HGETDEL h FIELDS 1 c -> hdel h
        HEXPIREAT h 1 FIELDS 1 b -> hdel h, del h
        HDEL new a -> hdel new, del new
    "#,
    );
}

#[test]
fn fields_that_expire() {
    let server = Server::start(&["--notify-keyspace-events", "KEA"]);
    let mut listener = server.connect();
    listener.run("PSUBSCRIBE __keyevent@*");
    server.ask("HSET h a 1 b 2");
    server.ask("HPEXPIRE h 20 FIELDS 1 a");
    server.ask("HSET last a 1");
    server.ask("HPEXPIRE last 60 FIELDS 1 a");
    let mut told = Vec::new();
    while told.last().is_none_or(|event| event != "__keyevent@0__:del last") {
        let items = listener.recv().items();
        told.push(format!("{} {}", items[2].text(), items[3].text()));
    }
    told.retain(|event| event.contains("hexpired") || event.contains("del"));
    let events = ["hexpired h", "hexpired last", "del last"].map(|event| format!("__keyevent@0__:{event}"));
    assert_eq!(told, events);
}

#[test]
fn bitmaps() {
    tells(
        &Server::start(&[]),
        "EAn",
        r#"
        SETBIT k 0 0 -> new k, setbit k
        SETBIT k 0 0 ->
        SETBIT k 0 1 -> setbit k
        SETBIT k 8 0 -> setbit k
        SETBIT k 8 0 ->
        BITFIELD f SET u8 0 1 SET u8 8 1 -> new f, setbit f
        BITFIELD f SET u8 0 1 ->
        BITFIELD f GET u8 0 ->
        BITFIELD g OVERFLOW FAIL SET u1 0 2 -> new g
        BITOP OR to k f -> new to, set to
        BITOP OR to k -> set to
        BITOP OR to none -> del to
        BITOP OR to none ->
        "#,
    );
}

#[test]
fn hyperloglogs() {
    tells(
        &Server::start(&[]),
        "EAn",
        r#"
        PFADD h -> new h, pfadd h
        PFADD h ->
        PFADD h a -> pfadd h
        PFADD h a ->
        PFCOUNT h ->
        PFCOUNT h ->
        PFCOUNT h h ->
        PFMERGE to h -> new to, pfadd to
        PFMERGE to h -> pfadd to
        PFDEBUG TODENSE h ->
        PFDEBUG GETREG to ->
        "#,
    );
}

#[test]
fn places() {
    tells(
        &Server::start(&[]),
        "KEA",
        r#"
        GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania -> zadd g
        GEOADD g 13.361389 38.115556 Palermo ->
        GEORADIUS g 15 37 200 km STORE d -> georadiusstore d
        GEORADIUSBYMEMBER g Palermo 1 km STOREDIST d -> georadiusstore d
        GEOSEARCHSTORE d g FROMMEMBER Palermo BYRADIUS 200 km -> geosearchstore d
        GEOSEARCHSTORE d g FROMLONLAT 1 1 BYRADIUS 1 m -> del d
        GEOSEARCHSTORE d g FROMLONLAT 1 1 BYRADIUS 1 m ->
        GEOSEARCHSTORE e g FROMMEMBER Palermo BYRADIUS 200 km -> geosearchstore e
        GEORADIUSBYMEMBER none x 1 km STORE e -> del e
        "#,
    );
}
