//! Active defragmentation: memory comes back after a long life, and nobody notices but by that.

mod common;
use common::*;

/// It begins when it is told to, early, and works hard: what is looked at is what it does.
const SETTINGS: [&str; 12] = [
    "--activedefrag",
    "no",
    "--active-defrag-ignore-bytes",
    "1mb",
    "--active-defrag-threshold-lower",
    "5",
    "--active-defrag-cycle-min",
    "60",
    "--active-defrag-cycle-max",
    "75",
    "--enable-debug-command",
    "yes",
];

/// Facts of the allocator are as old as the last cron.
fn after_a_cron(server: &Server) {
    let ticks = server.number::<u64>("uptime_in_seconds");
    wait_until(|| server.number::<u64>("uptime_in_seconds") >= ticks + 2);
}

/// Commands without a look at their replies, but for errors.
fn all(conn: &mut Conn, commands: impl Iterator<Item = Vec<String>>) {
    let commands: Vec<Vec<String>> = commands.collect();
    for batch in commands.chunks(500) {
        conn.send(&batch.iter().flat_map(|words| Conn::encode(words)).collect::<Vec<u8>>());
        batch.iter().for_each(|words| assert!(!matches!(conn.recv(), Value::Error(_)), "{words:?}"));
    }
}

fn words(line: String) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

/// Strings, and a large and a small one of each type of collection, whose elements lie between each other; then most of them go.
fn live_long(server: &Server, large: usize) {
    let mut conn = server.connect();
    conn.run("CONFIG SET list-max-listpack-size 5");
    conn.run("CONFIG SET stream-node-max-entries 5");
    conn.run("XADD stream 1-1 item 0");
    conn.run("XGROUP CREATE stream group 0");
    let text = "x".repeat(40);
    for (name, elements) in [("small", 10), ("large", large)] {
        all(
            &mut conn,
            (0..elements).flat_map(|n| {
                [
                    format!("HSET {name}:hash field:{n} {text}{n}"),
                    format!("SADD {name}:set member:{text}:{n}"),
                    format!("ZADD {name}:zset {} member:{text}:{n}", n % 100),
                    format!("RPUSH {name}:list {text}{n}"),
                    format!("XADD stream * {name} {text}{n}"),
                    format!("SET {name}:string:{n} {}", "y".repeat(n * 7 % 900)),
                    format!("SET {name}:number:{n} {n}"),
                ]
                .map(words)
            }),
        );
    }
    conn.run(&format!("XREADGROUP GROUP group consumer COUNT {} STREAMS stream >", large / 2));
    let gone = |n: &usize| !n.is_multiple_of(5);
    all(
        &mut conn,
        (0..large).filter(gone).flat_map(|n| {
            [
                format!("HDEL large:hash field:{n}"),
                format!("SREM large:set member:{text}:{n}"),
                format!("ZREM large:zset member:{text}:{n}"),
                format!("LREM large:list 1 {text}{n}"),
                format!("DEL large:string:{n}"),
                format!("DEL large:number:{n}"),
            ]
            .map(words)
        }),
    );
    wait_until(|| server.info("lazyfree_pending_objects") == "0");
}

#[test]
fn memory_comes_back_and_the_data_is_what_it_was() {
    let server = Server::start(&SETTINGS);
    live_long(&server, 20_000);
    let mut conn = server.connect();
    conn.run("DEBUG POPULATE 40000 doomed 500");
    conn.run("DEBUG POPULATE 10000 kept 500");
    all(&mut conn, (0..40_000).filter(|n| n % 4 > 0).map(|n| words(format!("DEL doomed:{n}"))));
    after_a_cron(&server);
    let (before, used) = (server.number::<f64>("allocator_frag_ratio"), server.number::<f64>("used_memory"));
    assert!(before > 1.3, "{before}");
    assert!(conn.run("MEMORY DOCTOR").text().contains("CONFIG SET activedefrag yes"));
    let digest = conn.run("DEBUG DIGEST");
    assert_eq!((server.info("active_defrag_running"), server.info("active_defrag_hits")), ("0".into(), "0".into()));

    conn.run("CONFIG SET activedefrag yes");
    wait_until(|| server.number::<f64>("active_defrag_hits") > 0.0);
    wait_until(|| server.number::<f64>("allocator_frag_ratio") < 1.1);
    assert_eq!(conn.run("DEBUG DIGEST"), digest);
    let now = server.number::<f64>("used_memory");
    assert!((now - used).abs() < used / 100.0, "what moves is counted once: {used} bytes, and then {now}");
    assert!(server.number::<f64>("active_defrag_key_hits") > 0.0 && server.number::<f64>("active_defrag_misses") > 0.0);
    assert!(server.number::<f64>("total_active_defrag_time") > 0.0);
    // Each is still what it was, to commands as well.
    replies!(conn, "HLEN large:hash" => "4000", "SCARD large:set" => "4000", "ZCARD large:zset" => "4000", "LLEN large:list" => "4000",
        "ZRANGE large:zset 0 0 WITHSCORES" => &format!("[\"member:{}:0\", \"0\"]", "x".repeat(40)));
    conn.run("DEBUG RELOAD");
    assert_eq!(conn.run("DEBUG DIGEST"), digest);
}

#[test]
fn snapshots_and_scans_go_on_while_everything_moves() {
    let server = Server::start(&[&SETTINGS[..], &["--rdb-key-save-delay", "50"]].concat());
    live_long(&server, 10_000);
    let mut conn = server.connect();
    conn.run("DEBUG POPULATE 20000 doomed 500");
    all(&mut conn, (0..20_000).filter(|n| n % 4 > 0).map(|n| words(format!("DEL doomed:{n}"))));
    let (digest, keys) = (conn.run("DEBUG DIGEST"), conn.run("DBSIZE").int());
    replies!(conn, "BGSAVE" => "Background saving started", "CONFIG SET activedefrag yes" => "OK");
    let (mut cursor, mut seen) = ("0".to_owned(), std::collections::HashSet::new());
    loop {
        let [next, some] = <[Value; 2]>::try_from(conn.run(&format!("SCAN {cursor} COUNT 50")).items()).unwrap();
        seen.extend(some.items().iter().map(Value::text));
        cursor = next.text();
        if cursor == "0" {
            break;
        }
    }
    assert_eq!(seen.len() as i64, keys);
    wait_until(|| server.number::<f64>("active_defrag_hits") > 1000.0);
    conn.run("CONFIG SET rdb-key-save-delay 0");
    wait_until(|| server.info("rdb_bgsave_in_progress") == "0");
    assert_eq!(server.info("rdb_last_bgsave_status"), "ok");
    assert_eq!(conn.run("DEBUG DIGEST"), digest);
    replies!(conn, "DEBUG RELOAD NOSAVE" => "OK");
    assert_eq!(conn.run("DEBUG DIGEST"), digest);
}

#[test]
fn it_can_be_turned_off_while_it_works() {
    let server = Server::start(&[&SETTINGS[2..], &["--active-defrag-cycle-min", "1", "--active-defrag-cycle-max", "1"]].concat());
    let mut conn = server.connect();
    replies!(conn, "CONFIG GET activedefrag" => "[\"activedefrag\", \"yes\"]");
    conn.run("DEBUG POPULATE 200000 key 300");
    all(&mut conn, (0..200_000).filter(|n| n % 4 > 0).map(|n| words(format!("DEL key:{n}"))));
    wait_until(|| server.info("active_defrag_running") == "1");
    replies!(conn, "CONFIG SET activedefrag no" => "OK");
    wait_until(|| server.info("active_defrag_running") == "0");
    let hits = server.info("active_defrag_hits");
    after_a_cron(&server);
    assert_eq!((server.info("active_defrag_hits"), server.info("current_active_defrag_time")), (hits, "0".into()));
    replies!(conn, "CONFIG RESETSTAT" => "OK");
    assert_eq!(server.info("active_defrag_hits"), "0");
}
