//! Everything at once, for `SOLOD_TOGETHER_SECONDS` (`make together` takes ten minutes, every test run a few seconds): loads of redis-benchmark with
//! several threads on a cache that is full, with an append-only file, rewrites, saves and a replica. No error, memory stays bounded, and in the end the
//! replica and a server that has loaded the file hold the same.

mod common;

use common::{Conn, Server, info_field, redis_cli, wait_until};
use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

const MAXMEMORY: u64 = 48 << 20;

/// What redis-benchmark is asked for, round by round.
const MIXES: [&[&str]; 6] = [
    &["-P", "16", "-d", "100", "-t", "set,get,incr"],
    &["-P", "4", "-d", "40", "-t", "lpush,rpush,lpop,rpop,sadd,spop"],
    &["-P", "16", "-d", "400", "-t", "hset,zadd,zpopmin,mset"],
    &["-P", "1", "-d", "3000", "-t", "set,get"],
    &["-P", "8", "XADD", "stream:__rand_int__", "MAXLEN", "100", "*", "field", "value"],
    &["-P", "8", "EXPIRE", "key:__rand_int__", "1"],
];

/// Bytes that the limit counts, of one moment.
fn counted(client: &mut Conn) -> u64 {
    let text = client.run("INFO memory").text();
    let of = |name: &str| info_field(&text, name)?.parse::<u64>().ok();
    let (used, uncounted) = (of("used_memory").expect("it is told"), of("mem_not_counted_for_evict").expect("it is told"));
    used.checked_sub(uncounted).unwrap_or_else(|| panic!("more is not counted than is used: {text}"))
}

/// One round of load. redis-benchmark ends at the first error.
fn load(server: &Server, mix: &[&str], seconds_left: f64) {
    let requests = if seconds_left > 30.0 { "200000" } else { "20000" };
    let mut command = Command::new("redis-benchmark");
    command.args(["-p", &server.port.to_string(), "--threads", "2", "-c", "50", "-n", requests, "-r", "300000", "-q"]).args(mix);
    let output = common::run(&mut command);
    assert_eq!(output.code, Some(0), "{mix:?}: {}", output.stderr);
    let text = format!("{}{}", output.stdout, output.stderr);
    assert!(!text.to_lowercase().contains("error"), "{mix:?}: {text}");
}

#[test]
fn everything_at_once_leaves_the_same_everywhere() {
    let seconds: u64 = std::env::var("SOLOD_TOGETHER_SECONDS").map_or(6, |text| text.parse().expect("a number"));
    let until = Instant::now() + Duration::from_secs(seconds);
    let maxmemory = MAXMEMORY.to_string();
    let settings = ["--enable-debug-command", "yes", "--maxmemory", &maxmemory, "--maxmemory-policy", "allkeys-lru", "--appendonly", "yes"];
    let mut primary = Server::start(&[&settings[..], &["--appendfsync", "everysec", "--repl-backlog-size", "4mb"]].concat());
    let replica = Server::start(&[&settings[..2], &["--replicaof", "127.0.0.1", &primary.port.to_string()]].concat());
    wait_until(|| replica.info("master_link_status") == "up");

    let (mut rewrites, mut saves, mut most) = (0, 0, 0.0_f64);
    thread::scope(|scope| {
        let loads: Vec<_> = (0..2)
            .map(|first| {
                let primary = &primary;
                scope.spawn(move || {
                    for mix in MIXES.iter().cycle().skip(first * MIXES.len() / 2) {
                        let left = until.saturating_duration_since(Instant::now()).as_secs_f64();
                        if left == 0.0 {
                            return;
                        }
                        load(primary, mix, left);
                    }
                })
            })
            .collect();
        let mut control = primary.connect();
        while !loads.iter().all(|load| load.is_finished()) {
            if primary.shows(&[("aof_rewrite_in_progress", "0"), ("rdb_bgsave_in_progress", "0")]) {
                let (command, count) = if rewrites > saves { ("BGSAVE", &mut saves) } else { ("BGREWRITEAOF", &mut rewrites) };
                let text = control.run(command).text();
                // One of either kind may have begun by itself since.
                let too_late = ["already in progress", "Another child process is active"].iter().any(|why| text.contains(why));
                assert!(text.starts_with("Background") || too_late, "{text}");
                *count += 1;
            }
            most = most.max(counted(&mut control) as f64 / MAXMEMORY as f64);
            assert!(primary.rss() < 4 * MAXMEMORY, "resident: {}", primary.rss());
            thread::sleep(Duration::from_millis(250));
        }
    });
    println!(
        "{rewrites} rewrites, {saves} saves, {} evicted, {} expired, {} commands; counted at most {most:.4} of the limit, resident {:.2} of it at the end",
        primary.number::<u64>("evicted_keys"),
        primary.number::<u64>("expired_keys"),
        primary.number::<u64>("total_commands_processed"),
        primary.rss() as f64 / MAXMEMORY as f64
    );
    assert!(rewrites > 0 && saves > 0 && primary.number::<u64>("evicted_keys") > 0);
    // Of a large value that changes under a save the old elements are kept, and count.
    assert!(most <= 2.0, "{most} of the limit");
    for (name, expected) in
        [("aof_last_bgrewrite_status", "ok"), ("rdb_last_bgsave_status", "ok"), ("aof_last_write_status", "ok"), ("sync_full", "1")]
    {
        assert_eq!(primary.info(name), expected, "{name}");
    }

    // Nothing more changes: keys with a deadline are gone, or have long to live.
    wait_until(|| primary.shows(&[("aof_rewrite_in_progress", "0"), ("rdb_bgsave_in_progress", "0")]));
    thread::sleep(Duration::from_millis(1200));
    wait_until(|| primary.info("master_repl_offset") == replica.info("slave_repl_offset"));
    let digest = redis_cli(&primary, &["DEBUG", "DIGEST"]);
    assert_eq!(redis_cli(&replica, &["DEBUG", "DIGEST"]), digest);
    let keys = primary.ask("DBSIZE").int();
    assert!(keys > 0);
    primary.ask("CONFIG SET appendfsync always");
    primary.restart();
    wait_until(|| primary.info("loading") == "0");
    assert_eq!((primary.ask("DBSIZE").int(), redis_cli(&primary, &["DEBUG", "DIGEST"])), (keys, digest), "as it was loaded");
}
