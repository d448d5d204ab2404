//! SCRIPT DEBUG YES: what a session changes is undone at its end, whatever it was, and nobody ever hears of it.

mod common;
#[path = "common/generate.rs"]
#[allow(dead_code)] // what the differential test looks at besides
mod generate;

use common::*;
use generate::{DATA, Generator, Profile};
use solod::{
    commands::{Command, flags},
    data::rng::Rng,
};

/// Runs a script to its end in a session that is undone.
#[track_caller]
fn rehearse(server: &Server, script: &str) -> Value {
    let mut conn = server.connect();
    assert_eq!(conn.run("SCRIPT DEBUG YES"), *"OK");
    conn.cmd(&["EVAL", script, "0"]);
    let lines = conn.cmd(&["c"]);
    assert!(lines.to_string().ends_with("<endsession>]"), "{lines}");
    let result = conn.recv();
    assert!(conn.closed());
    result
}

/// What is at each key of each database, with everything about it.
fn all(conn: &mut Conn) -> Vec<String> {
    let mut seen = Vec::new();
    for db in 0..16 {
        conn.cmd(&["SELECT", &db.to_string()]);
        for key in conn.run("KEYS *").sorted() {
            let mut about = vec![db.to_string(), key.clone()];
            for command in [&["DUMP"][..], &["PEXPIRETIME"], &["OBJECT", "ENCODING"], &["OBJECT", "FREQ"]] {
                about.push(conn.cmd(&[command, &[&*key]].concat()).to_string());
            }
            seen.push(about.join(" "));
        }
    }
    seen.push(conn.run("DEBUG DIGEST").text());
    seen.push(conn.run("INFO keyspace").text().lines().map(|line| line.split(",avg_ttl").next().unwrap_or_default().to_owned()).collect());
    seen.push(info_field(&conn.run("INFO persistence").text(), "rdb_changes_since_last_save").unwrap_or_default().to_owned());
    seen
}

fn weight(command: &Command, name: &str) -> u64 {
    // What needs a time of its own is set up by hand.
    let left_out = ["migrate", "wait", "waitaof", "object help"];
    if !DATA.contains(&command.group) || left_out.contains(&name) || command.flags & flags::NOSCRIPT != 0 {
        return 0;
    }
    if command.flags & flags::WRITE != 0 { 3 } else { 1 }
}

const PROFILE: Profile = Profile { weight, without: &[], keys_each: 6, whole_scans: false, newer_ids: true };

/// A call as a script makes it.
fn lua_call(args: &[Vec<u8>]) -> String {
    let quoted = |arg: &Vec<u8>| arg.iter().fold("'".to_owned(), |text, byte| text + &format!("\\{byte:03}")) + "'";
    format!("redis.pcall({})\n", args.iter().map(quoted).collect::<Vec<_>>().join(","))
}

/// Beside the commands on data, what exchanges or empties whole databases.
fn next_call(generator: &mut Generator, rng: &mut Rng) -> String {
    let db = rng.below(4);
    match rng.below(60) {
        0 => format!("redis.pcall('swapdb', {db}, {})\n", rng.below(4)),
        1 => format!("redis.pcall('select', {db})\n"),
        2 if rng.below(3) == 0 => "redis.pcall('flushdb')\n".into(),
        3 if rng.below(6) == 0 => "redis.pcall('flushall')\n".into(),
        4 => format!("redis.pcall('move', '{}', {db})\n", String::from_utf8_lossy(&generator.key())),
        5 => format!("redis.pcall('publish', 'c', '{db}')\n"),
        _ => lua_call(&generator.next().args),
    }
}

#[test]
fn whatever_a_session_has_changed_is_as_it_was() {
    if is_reference() {
        return;
    }
    let server = Server::with_conf(
        "",
        &["--maxmemory-policy", "allkeys-lfu", "--lfu-decay-time", "0", "--lfu-log-factor", "0", "--enable-debug-command", "yes"],
    );
    let mut conn = server.connect();
    conn.run("CLIENT NO-TOUCH ON");
    // Lists of many nodes and large tables, beside what the generator makes.
    conn.run("CONFIG SET list-max-listpack-size 4 stream-node-max-entries 5 hash-max-listpack-entries 8 set-max-intset-entries 8 zset-max-listpack-entries 8");
    for seed in 0..12 {
        let mut generator = Generator::new(seed, PROFILE);
        let mut rng = Rng::new(seed);
        conn.run("FLUSHALL");
        for db in 0..3 {
            conn.cmd(&["SELECT", &db.to_string()]);
            for _ in 0..150 {
                let args = generator.next().args;
                if !args[0].starts_with(b"h") && !args[0].starts_with(b"b") && !args.iter().any(|arg| arg == b"BLOCK") {
                    conn.cmd(&args);
                }
            }
            // No deadline is to come between two looks.
            for (i, key) in conn.run("KEYS *").sorted().into_iter().enumerate() {
                conn.cmd(&if i % 3 == 0 { vec!["PEXPIRE", &key, "3600000"] } else { vec!["PERSIST", &key] });
            }
            conn.run("HSET fields a 1 b 2 c 3");
            conn.run("HPEXPIRE fields 3600000 FIELDS 2 a b");
            for i in 0..200 {
                conn.run(&format!("HSET many f{i} {i}"));
            }
            conn.run("HEXPIRE many 3600 FIELDS 1 f7");
        }
        let before = all(&mut conn);
        for _ in 0..25 {
            let script: String = (0..40).map(|_| next_call(&mut generator, &mut rng)).collect();
            rehearse(&server, &script);
            let after = all(&mut conn);
            let differ: Vec<_> = before.iter().zip(&after).filter(|(before, after)| before != after).collect();
            assert!(
                differ.is_empty() && before.len() == after.len(),
                "seed {seed}: {} {} {differ:#?}\n{script}",
                before.len(),
                after.len()
            );
        }
    }
}

#[test]
fn a_key_past_its_deadline_is_only_gone_for_the_session() {
    if is_reference() {
        return;
    }
    let server = Server::start(&["--enable-debug-command", "yes"]);
    let mut conn = server.connect();
    replies!(conn, "DEBUG SET-ACTIVE-EXPIRE 0" => "OK", "SET k v PX 1" => "OK", "DEBUG SLEEP 0.01" => "OK");
    let expired = server.number::<u64>("expired_keys");
    assert_eq!(rehearse(&server, "return {redis.call('get', 'k') or 'none', redis.call('set', 'k', 'w')}"), *r#"["none", OK]"#);
    replies!(conn, "DBSIZE" => "1", "GET k" => "nil", "DBSIZE" => "0");
    assert_eq!(server.number::<u64>("expired_keys"), expired + 1);
    // A deadline that is set, changed or taken away.
    replies!(conn, "SET a 1 PX 3600000" => "OK", "SET b 2" => "OK");
    let deadline = conn.run("PEXPIRETIME a");
    rehearse(&server, "redis.call('persist', 'a') redis.call('pexpire', 'b', 1) redis.call('pexpire', 'a', -1)");
    assert_eq!(conn.run("PEXPIRETIME a"), deadline);
    replies!(conn, "PTTL b" => "-1", "GET a" => r#""1""#);
}

#[test]
fn nobody_hears_of_what_is_undone() {
    if is_reference() {
        return;
    }
    let server = Server::start(&[
        "--appendonly",
        "yes",
        "--appendfsync",
        "always",
        "--notify-keyspace-events",
        "KEA",
        "--repl-ping-replica-period",
        "3600",
    ]);
    let port = server.port.to_string();
    let replica = Server::start(&["--replicaof", "127.0.0.1", &port]);
    wait_until(|| replica.info("master_link_status") == "up");
    server.ask("SET a 1");
    server.ask("RPUSH list x");
    server.ask("XGROUP CREATE stream g $ MKSTREAM");
    wait_until(|| replica.ask("LRANGE list 0 -1") == *r#"["x"]"#);
    let mut watching = server.connect();
    replies!(watching, "WATCH a new" => "OK");
    let blocked = [
        server.wait_in("BLPOP new 0"),
        server.wait_in("XREADGROUP GROUP g c BLOCK 0 STREAMS stream >"),
        server.wait_in("BLMOVE other list LEFT LEFT 0"),
        server.wait_in("BZPOPMIN zset 0"),
    ];
    let mut listener = server.connect();
    listener.send_cmd(&["PSUBSCRIBE", "*"]);
    listener.recv();
    let mut keeping = server.connect();
    keeping.run("HELLO 3");
    replies!(keeping, "CLIENT TRACKING ON BCAST" => "OK");
    let facts = || {
        let log = std::fs::read_dir(server.dir.join("appendonlydir")).expect("a directory");
        let bytes: u64 = log.map(|file| file.expect("a file").metadata().expect("its facts").len()).sum();
        (bytes, server.info("master_repl_offset"), server.info("rdb_changes_since_last_save"), server.info("expired_keys"))
    };
    let before = facts();
    let script = "redis.call('set', 'a', 2) redis.call('rpush', 'new', 'y') redis.call('xadd', 'stream', '*', 'f', 'v')
        redis.call('zadd', 'zset', 1, 'm') redis.call('rpush', 'other', 'z') redis.call('del', 'list') redis.call('swapdb', 0, 1)
        redis.call('flushall') redis.call('xgroup', 'create', 'stream', 'g', '0', 'mkstream') redis.call('set', 'x', 1, 'px', 1)
        redis.call('spublish', 'c', 'x') return redis.call('publish', 'c', 'x')";
    assert_eq!(rehearse(&server, script), *"1");
    assert_eq!(facts(), before);
    replies!(watching, "MULTI" => "OK", "PING" => "QUEUED", "EXEC" => "[PONG]");
    assert_eq!(server.ask("LRANGE list 0 -1"), *r#"["x"]"#);
    assert_eq!(server.number::<u64>("blocked_clients"), 4);
    // The first thing that each of them hears is what comes now.
    server.ask("SET a 3");
    assert_eq!(listener.recv(), *r#"["pmessage", "*", "__keyspace@0__:a", "set"]"#);
    assert_eq!(keeping.recv(), *r#">["invalidate", ["a"]]"#);
    server.ask("RPUSH new now");
    let [mut first, ..] = blocked;
    assert_eq!(first.recv(), *r#"["new", "now"]"#);
    wait_until(|| replica.ask("GET a") == *r#""3""#);
    assert_eq!(replica.ask("DBSIZE"), server.ask("DBSIZE"));
}

#[test]
fn a_snapshot_that_is_under_way_holds_what_was_there_before() {
    if is_reference() {
        return;
    }
    let mut server = Server::start(&["--rdb-key-save-delay", "200", "--enable-debug-command", "yes"]);
    let mut conn = server.connect();
    for i in 0..3000 {
        conn.run(&format!("SET key:{i} {i}"));
    }
    let digest = conn.run("DEBUG DIGEST");
    assert_eq!(conn.run("BGSAVE"), *"Background saving started");
    rehearse(
        &server,
        "for i = 0, 999 do redis.call('set', 'key:' .. i, 'x') end redis.call('swapdb', 0, 1) redis.call('flushall') redis.call('set', 'a', 'b')",
    );
    assert_eq!(conn.run("DEBUG DIGEST"), digest);
    conn.run("CONFIG SET rdb-key-save-delay 0");
    wait_until(|| server.info("rdb_bgsave_in_progress") == "0");
    server.kill9();
    server.restart();
    assert_eq!(server.ask("DEBUG DIGEST"), digest);
}

#[test]
fn copies_count_as_memory_and_are_bounded() {
    if is_reference() {
        return;
    }
    let server = Server::start(&[]);
    let mut conn = server.connect();
    let big = "v".repeat(1 << 20);
    for i in 0..20 {
        conn.cmd(&["SET", &format!("key:{i}"), &big]);
    }
    let used = server.number::<u64>("used_memory");
    conn.cmd(&["CONFIG", "SET", "maxmemory", &(used + (6 << 20)).to_string()]);
    let script = "local done = 0
        for i = 0, 19 do local ok = redis.pcall('setrange', 'key:' .. i, 0, 'x') if type(ok) == 'table' then return {done, ok.err} end done = done + 1 end
        return done";
    let reply = rehearse(&server, script).to_string();
    assert!(reply.contains("OOM command not allowed when used memory > 'maxmemory'."), "{reply}");
    for i in 0..20 {
        assert_eq!(conn.cmd(&["GETRANGE", &format!("key:{i}"), "0", "0"]), *r#""v""#);
    }
    wait_until(|| server.number::<u64>("used_memory") < used + (2 << 20));
}

#[test]
fn what_cannot_be_undone_is_not_done() {
    if is_reference() {
        return;
    }
    let server = Server::start(&["--enable-debug-command", "yes"]);
    let mut conn = server.connect();
    conn.run("SET a b");
    conn.run("DEBUG SET-DISABLE-DENY-SCRIPTS 1");
    let text = "ERR What this command does cannot be undone, so that it is not run under SCRIPT DEBUG YES. Use SYNC.";
    for command in
        ["'migrate', 'localhost', 1, 'a', 0, 1", "'config', 'set', 'maxmemory', 1", "'debug', 'reload'", "'client', 'kill', 'id', 1"]
    {
        assert_eq!(rehearse(&server, &format!("return redis.pcall({command})['err']")).text(), text, "{command}");
    }
}
