//! Saving and loading, seen from outside: what comes back after a restart, what everybody is told meanwhile, and what is on the disk
//! when something goes wrong.
//!
//! `SOLOD_TEST_KILLS=200` and `SOLOD_TEST_BIG=209715200` make the longest of them as long as they can be.

mod common;
use common::*;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const DEBUG: &[&str] = &["--enable-debug-command", "yes", "--enable-protected-configs", "yes"];

/// A number that the environment may set.
fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn names(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.contains("rdb")).collect();
    names.sort();
    names
}

fn wait_for_save(server: &Server) {
    wait_until(|| server.info("rdb_bgsave_in_progress") == "0");
}

/// Several databases, with values of all sizes and forms, some with a deadline far away.
fn fill(conn: &mut Conn) {
    for db in [0, 3, 15] {
        conn.run(&format!("SELECT {db}"));
        for i in 0..500 {
            let value = match i % 5 {
                0 => i.to_string(),
                1 => format!("value {i}"),
                2 => "long ".repeat(i),
                3 => format!("{:x<1$}", i, i * 10),
                _ => String::new(),
            };
            let expiry: &[&str] = if i % 3 == 0 { &["PXAT", "4102444800123"] } else { &[] };
            let key = format!("key:{db}:{i}");
            assert_eq!(conn.cmd(&[&["SET", &key, &value], expiry].concat()), *"OK");
        }
    }
    conn.cmd(&["SET", "huge", &"z".repeat(3_000_000)]);
    conn.run("SELECT 0");
}

#[test]
fn what_was_saved_is_there_after_a_restart() {
    for save in ["SAVE", "BGSAVE"] {
        let mut server = Server::start(DEBUG);
        let mut conn = server.connect();
        fill(&mut conn);
        let digest = conn.run("DEBUG DIGEST").text();
        conn.run(save);
        wait_for_save(&server);
        replies!(conn, "SET late 1" => "OK");
        assert_eq!(names(&server.dir), ["dump.rdb"]);
        server.kill9();
        server.restart();
        let mut conn = server.connect();
        assert_eq!(conn.run("DEBUG DIGEST").text(), digest);
        replies!(conn, "PEXPIRETIME key:0:3" => "4102444800123", "PEXPIRETIME key:0:4" => "-1", "EXISTS late" => "0");
        assert_eq!(server.info("rdb_last_load_keys_loaded"), "1501");
        let log = server.log();
        for line in ["Loading RDB produced by version", "Done loading RDB, keys loaded: 1501, keys expired: 0.", "DB loaded from disk: "] {
            assert!(log.contains(line), "{line} in {log}");
        }
    }
}

#[test]
fn files_are_exchanged_with_a_real_server() {
    let ours = Server::start(DEBUG);
    fill(&mut ours.connect());
    let digest = ours.ask("DEBUG DIGEST");
    replies!(ours.connect(), "SAVE" => "OK");
    let check = run(Command::new("redis-check-rdb").arg(ours.dir.join("dump.rdb")));
    assert_eq!(check.code, Some(0), "{check:?}");
    assert!(check.stdout.contains("1501 keys read"), "{check:?}");

    let mut theirs = Server::redis(DEBUG);
    fs::copy(ours.dir.join("dump.rdb"), theirs.dir.join("dump.rdb")).unwrap();
    theirs.kill9();
    theirs.restart();
    assert_eq!(theirs.ask("DEBUG DIGEST"), digest);
    for key in ["key:0:0", "key:0:1", "key:0:102", "key:0:103", "key:0:499"] {
        let (a, b) = (ours.ask(&format!("GET {key}")), theirs.ask(&format!("GET {key}")));
        assert_eq!(a, b, "{key}");
    }

    replies!(theirs.connect(), "SET theirs 1" => "OK", "SAVE" => "OK");
    let digest = theirs.ask("DEBUG DIGEST");
    let mut ours = ours;
    ours.kill9();
    fs::copy(theirs.dir.join("dump.rdb"), ours.dir.join("dump.rdb")).unwrap();
    ours.restart();
    assert_eq!(ours.ask("DEBUG DIGEST"), digest);
}

#[test]
fn a_save_tells_how_far_it_is_and_takes_no_second_one_beside_it() {
    let server = Server::start(DEBUG);
    let mut conn = server.connect();
    replies!(conn,
        "DEBUG POPULATE 5000" => "OK",
        "SET a 1" => "OK",
        "CONFIG SET rdb-key-save-delay 100000" => "OK",
        "BGSAVE nonsense" => "-ERR syntax error",
        "BGSAVE SCHEDULE" => "Background saving started",
        "BGSAVE" => "-ERR Background save already in progress",
        "BGSAVE SCHEDULE" => "-ERR Background save already in progress",
        "SAVE" => "-ERR Background save already in progress",
        "SET b 1" => "OK",
    );
    assert_eq!(server.info("rdb_bgsave_in_progress"), "1");
    assert_eq!(server.info("current_save_keys_total"), "5001");
    assert_ne!(server.info("rdb_current_bgsave_time_sec"), "-1");
    wait_until(|| server.info("current_save_keys_processed") != "0");
    replies!(conn, "CONFIG SET rdb-key-save-delay 0" => "OK");
    wait_for_save(&server);
    let fields =
        [("rdb_changes_since_last_save", "1"), ("rdb_last_bgsave_status", "ok"), ("rdb_saves", "1"), ("rdb_current_bgsave_time_sec", "-1")];
    for (field, value) in fields {
        assert_eq!(server.info(field), value, "{field}");
    }
    assert_eq!(server.info("rdb_last_save_time"), conn.run("LASTSAVE").to_string());
    replies!(conn,
        "MULTI" => "OK",
        "SAVE" => "-ERR Command not allowed inside a transaction",
        "DISCARD" => "OK",
        "MULTI" => "OK",
        "BGSAVE" => "QUEUED",
        "EXEC" => "[Background saving scheduled]",
    );
    wait_until(|| server.info("rdb_saves") == "2");
    wait_for_save(&server);
}

#[test]
fn a_snapshot_holds_the_state_at_its_start() {
    let big = setting("SOLOD_TEST_BIG", 20_000_000);
    let server = Server::start(DEBUG);
    let mut conn = server.connect();
    for (db, prefix) in [(0, "a"), (1, "b"), (2, "c")] {
        conn.run(&format!("SELECT {db}"));
        conn.run(&format!("DEBUG POPULATE 2000 {prefix}"));
    }
    replies!(conn, "SELECT 0" => "OK");
    conn.cmd(&["SET", "big", &"0123456789".repeat(big / 10)]);
    let digest = conn.run("DEBUG DIGEST").text();
    replies!(conn, "SELECT 9" => "OK", "CONFIG SET rdb-key-save-delay 1000" => "OK");
    for i in 0..300 {
        conn.cmd(&["SET", &format!("brief:{i}"), "x", "PX", "1000"]);
    }
    replies!(conn, "BGSAVE" => "Background saving started", "SELECT 0" => "OK");
    // Everything that could reach the file and must not.
    replies!(conn, "RENAME a:0 a:new" => "OK", "SWAPDB 1 2" => "OK", "APPEND big more" => (big / 10 * 10 + 4).to_string().as_str());
    for i in 1..1000 {
        conn.cmd(&["SET", &format!("a:{i}"), "changed", "EX", "100"]);
        conn.cmd(&["DEL", &format!("a:{}", i + 500)]);
        conn.cmd(&["SET", &format!("fresh:{i}"), "new"]);
    }
    conn.cmd(&["SET", "big", &"x".repeat(big)]);
    wait_until(|| conn.run("DBSIZE").int() > 0 && server.info("expired_keys") == "300");
    assert_eq!(server.info("rdb_bgsave_in_progress"), "1", "all of that happens while it is saved");
    replies!(conn, "FLUSHDB" => "OK", "SELECT 1" => "OK", "FLUSHDB" => "OK", "SET after 1" => "OK", "CONFIG SET rdb-key-save-delay 0" => "OK");
    wait_for_save(&server);
    assert_eq!(server.info("rdb_last_bgsave_status"), "ok");

    let check = run(Command::new("redis-check-rdb").arg(server.dir.join("dump.rdb")));
    assert!(check.code == Some(0) && check.stdout.contains("6301 keys read"), "{check:?}");
    let mut other = Server::start(DEBUG);
    fs::copy(server.dir.join("dump.rdb"), other.dir.join("dump.rdb")).unwrap();
    other.kill9();
    other.restart();
    assert_eq!(other.info("rdb_last_load_keys_expired"), "300");
    assert_eq!(other.ask("DEBUG DIGEST").text(), digest);
}

#[test]
fn flushall_gives_up_the_save_under_way() {
    for points in ["", "10000 1"] {
        let mut server = Server::start(&[DEBUG, &["--save", points]].concat());
        let mut conn = server.connect();
        replies!(conn,
            "SET old 1" => "OK",
            "SAVE" => "OK",
            "DEBUG POPULATE 5000" => "OK",
            "CONFIG SET rdb-key-save-delay 100000" => "OK",
            "BGSAVE" => "Background saving started",
            "FLUSHALL nonsense" => "-ERR syntax error",
        );
        assert_eq!(server.info("rdb_bgsave_in_progress"), "1");
        replies!(conn, "FLUSHALL" => "OK");
        assert_eq!(server.info("rdb_changes_since_last_save") == "0", !points.is_empty());
        wait_for_save(&server);
        assert_eq!(server.info("rdb_last_bgsave_status"), "ok");
        wait_until(|| names(&server.dir) == ["dump.rdb"]);
        server.kill9();
        server.restart();
        // With save points the file has been made to hold nothing either.
        assert_eq!(server.ask("DBSIZE").int(), i64::from(points.is_empty()));
    }
}

#[test]
fn what_a_flushall_saves_stands_in_nobodys_way_and_is_not_lost() {
    let mut server = Server::start(&["--save", "10000 1"]);
    let mut conn = server.connect();
    conn.send(b"FLUSHALL\r\nBGSAVE\r\n");
    assert_eq!((conn.recv().text(), conn.recv().text()), ("OK".into(), "Background saving started".into()));
    wait_for_save(&server);
    conn.send(b"FLUSHALL\r\nSET old 1\r\nFLUSHALL\r\nSET kept 1\r\nSAVE\r\n");
    assert_eq!((0..5).map(|_| conn.recv().text()).collect::<Vec<_>>(), ["OK"; 5]);
    wait_for_save(&server);
    server.kill9();
    server.restart();
    let mut conn = server.connect();
    replies!(conn, "GET kept" => "\"1\"", "DBSIZE" => "1");
    // What was flushed does not come back though nothing is to be saved.
    conn.send(b"FLUSHALL\r\nSHUTDOWN NOSAVE\r\n");
    assert_eq!(server.wait(), Some(0));
    server.restart();
    assert_eq!(server.ask("DBSIZE").int(), 0);
}

#[test]
fn a_flushall_whose_empty_file_cannot_be_written_leaves_the_save_points_something_to_do() {
    let server = Server::start(&["--save", "10000 1"]);
    let mut conn = server.connect();
    // No file can take its place.
    fs::create_dir(server.dir.join("dump.rdb")).unwrap();
    replies!(conn, "MSET a 1 b 2" => "OK", "FLUSHALL" => "OK");
    wait_until(|| server.log().contains("Error moving temp DB file"));
    wait_for_save(&server);
    assert_eq!((server.info("rdb_last_bgsave_status"), server.ask("PING").text()), ("ok".into(), "PONG".into()));
    assert_ne!(server.info("rdb_changes_since_last_save"), "0");
}

/// Makes a file that whoever opens it to write waits for a reader of.
fn pipe(path: &Path) {
    assert_eq!(run(Command::new("mkfifo").arg(path)).code, Some(0));
}

#[test]
fn others_are_served_while_a_disk_is_waited_for() {
    let server = Server::with_conf("", &["--save", "10000 1"]);
    let mut conn = server.connect();
    let pid = server.info("process_id");
    replies!(conn, "SET a 1" => "OK");
    [format!("temp-{pid}-bg.rdb"), format!("temp-{pid}.rdb")].iter().for_each(|name| pipe(&server.dir.join(name)));
    // A FLUSHALL whose file is not even opened yet; the configuration file is rewritten by another worker.
    replies!(conn, "FLUSHALL" => "OK", "SET b 2" => "OK", "CONFIG REWRITE" => "OK", "DBSIZE" => "1");
    let temporary = server.conf().with_extension(format!("{pid}.tmp"));
    pipe(&temporary);
    let mut rewriter = server.connect();
    rewriter.send(b"CONFIG REWRITE\r\nPING\r\n");
    assert_eq!(server.ask("PING").text(), "PONG");
    assert_eq!(rewriter.try_recv(Duration::from_millis(50)), None);
    // A pipe is no file: it can be written, but not synced.
    assert!(fs::read_to_string(&temporary).unwrap().contains("save 10000 1\n"));
    assert_eq!(rewriter.recv().text(), "ERR Rewriting config file: Invalid argument");
    assert_eq!(rewriter.recv().text(), "PONG");
    assert_eq!(server.info("cmdstat_config|rewrite").split(',').next_back(), Some("failed_calls=1"));
}

#[test]
fn save_points_save_by_themselves() {
    let server = Server::start(&["--save", "1 2"]);
    let mut conn = server.connect();
    replies!(conn, "SET a 1" => "OK");
    assert_eq!(server.info("rdb_saves"), "0");
    replies!(conn, "SET b 1" => "OK");
    wait_until(|| server.info("rdb_saves") == "1");
    wait_for_save(&server);
    assert!(server.log().contains("2 changes in 1 seconds. Saving..."), "{}", server.log());
    assert_eq!(server.info("rdb_changes_since_last_save"), "0");
    assert_eq!(names(&server.dir), ["dump.rdb"]);
}

#[test]
fn a_shutdown_saves_where_it_should() {
    // Save points, how it ends, and whether what was set last is there afterwards.
    let cases = [
        ("", "SHUTDOWN", false),
        ("", "SHUTDOWN SAVE", true),
        ("10000 1", "SHUTDOWN", true),
        ("10000 1", "SHUTDOWN NOSAVE", false),
        ("10000 1", "TERM", true),
        ("10000 1", "INT", true),
        ("", "TERM", false),
    ];
    for (points, how, saved) in cases {
        let mut server = Server::start(&[DEBUG, &["--save", points]].concat());
        let mut conn = server.connect();
        replies!(conn, "DEBUG POPULATE 1000" => "OK", "SET last 1" => "OK", "CONFIG SET rdb-key-save-delay 1000" => "OK");
        replies!(conn, "BGSAVE" => "Background saving started");
        match how.starts_with("SHUTDOWN") {
            true => conn.send(format!("{how}\r\n").as_bytes()),
            false => server.signal(how),
        }
        assert_eq!(server.wait(), Some(0), "{how}");
        assert_eq!(names(&server.dir).len(), usize::from(saved), "{points} {how}: nothing is left of the save that was under way");
        server.restart();
        assert_eq!(server.ask("EXISTS last").int(), i64::from(saved), "{points} {how}");
    }
}

#[test]
fn the_configuration_says_what_a_signal_does() {
    let mut server = Server::start(&["--save", "10000 1", "--shutdown-on-sigterm", "nosave", "--shutdown-on-sigint", "save"]);
    replies!(server.connect(), "SET a 1" => "OK");
    server.signal("TERM");
    assert_eq!(server.wait(), Some(0));
    assert_eq!(names(&server.dir), [""; 0]);
    server.restart();
    replies!(server.connect(), "CONFIG SET save ''" => "OK");
    server.signal("INT");
    assert_eq!(server.wait(), Some(0));
    assert_eq!(names(&server.dir), ["dump.rdb"]);
}

#[test]
fn who_asks_for_the_end_twice_gets_it_at_once_and_nothing_is_left_of_the_save() {
    let mut server = Server::start(&[DEBUG, &["--save", "10000 1"]].concat());
    replies!(server.connect(), "DEBUG POPULATE 20" => "OK", "CONFIG SET rdb-key-save-delay 100000000" => "OK");
    server.signal("INT");
    wait_until(|| names(&server.dir) == [format!("temp-{}.rdb", server.pid)]);
    server.signal("INT");
    assert_eq!(server.wait(), Some(1));
    assert_eq!(names(&server.dir), [""; 0]);
}

#[test]
fn what_a_save_copies_because_of_writes_is_told() {
    let server = Server::start(DEBUG);
    let mut conn = server.connect();
    let figure = |name: &str| server.info(name).parse::<u64>().unwrap();
    replies!(conn, "DEBUG POPULATE 100 k 500" => "OK", "CONFIG SET rdb-key-save-delay 100000000" => "OK");
    assert_eq!((figure("current_cow_size"), figure("rdb_last_cow_size")), (0, 0));
    replies!(conn, "BGSAVE" => "Background saving started", "SET new 1" => "OK");
    (0..100).for_each(|n| assert_eq!(conn.run(&format!("APPEND k:{n} x")).int(), 501));
    let copied = figure("current_cow_size");
    // Those that the save had come to already are not copied.
    assert!((1..70_000).contains(&copied), "{copied}");
    replies!(conn, "CONFIG SET rdb-key-save-delay 0" => "OK");
    wait_for_save(&server);
    assert_eq!((figure("current_cow_size"), figure("rdb_last_cow_size")), (0, copied));
}

const MISCONF: &str = "-MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify \
    the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails \
    (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error.";

#[test]
fn a_failed_save_stops_writes_until_one_succeeds() {
    let mut server = Server::start(&[DEBUG, &["--save", "10000 1"]].concat());
    let mut conn = server.connect();
    let sub = server.dir.join("sub");
    fs::create_dir(&sub).unwrap();
    replies!(conn, "SET a 1" => "OK");
    conn.cmd(&["CONFIG", "SET", "dir", sub.to_str().unwrap()]);
    fs::remove_dir(&sub).unwrap();
    replies!(conn, "SAVE" => "-ERR", "SET a 2" => "OK", "BGSAVE" => "Background saving started");
    wait_for_save(&server);
    assert_eq!(server.info("rdb_last_bgsave_status"), "err");
    assert!(server.log().contains("Failed opening the temp RDB file temp-"), "{}", server.log());
    assert!(server.log().contains("Background saving error"), "{}", server.log());
    let exec = format!("-EXECABORT Transaction discarded because of: {}", &MISCONF[1..]);
    replies!(conn,
        "SET a 3" => MISCONF,
        "PING" => MISCONF,
        "GET a" => r#""2""#,
        "MULTI" => "OK",
        "DEL a" => MISCONF,
        "EXEC" => "-EXECABORT Transaction discarded because of previous errors.",
        "CONFIG SET stop-writes-on-bgsave-error no" => "OK",
        "MULTI" => "OK",
        "DEL a" => "QUEUED",
        "CONFIG SET stop-writes-on-bgsave-error yes" => "QUEUED",
        "DISCARD" => "OK",
        "SET a 4" => "OK",
        "MULTI" => "OK",
        "DEL a" => "QUEUED",
    );
    replies!(server.connect(), "CONFIG SET stop-writes-on-bgsave-error yes" => "OK");
    replies!(conn, "EXEC" => exec.as_str(), "SHUTDOWN" => "-ERR Errors trying to SHUTDOWN. Check logs.");
    server.signal("TERM");
    wait_until(|| server.log().matches("can't exit").count() == 2);
    replies!(conn, "GET a" => r#""4""#);
    conn.cmd(&["CONFIG", "SET", "dir", server.dir.to_str().unwrap()]);
    replies!(conn, "BGSAVE" => "Background saving started");
    wait_for_save(&server);
    replies!(conn, "SET a 5" => "OK");
    assert_eq!(names(&server.dir), ["dump.rdb"]);
    conn.send(b"SHUTDOWN FORCE\r\n");
    assert_eq!(server.wait(), Some(0));
}

#[test]
fn a_file_that_cannot_take_its_place_leaves_nothing_behind() {
    let server = Server::start(DEBUG);
    let mut conn = server.connect();
    fs::create_dir(server.dir.join("taken.rdb")).unwrap();
    replies!(conn, "SET a 1" => "OK", "CONFIG SET dbfilename taken.rdb" => "OK", "SAVE" => "-ERR", "BGSAVE" => "Background saving started");
    wait_for_save(&server);
    assert_eq!(server.info("rdb_last_bgsave_status"), "err");
    wait_until(|| names(&server.dir) == ["taken.rdb"]);
    assert_eq!(server.log().matches("Error moving temp DB file temp-").count(), 2, "{}", server.log());
    // A save goes where it was meant to go when it began.
    replies!(conn,
        "DEBUG POPULATE 1000" => "OK",
        "CONFIG SET dbfilename first.rdb" => "OK",
        "CONFIG SET rdb-key-save-delay 100000" => "OK",
        "BGSAVE" => "Background saving started",
        "CONFIG SET dbfilename second.rdb" => "OK",
        "CONFIG SET rdb-key-save-delay 0" => "OK",
    );
    wait_for_save(&server);
    assert_eq!(names(&server.dir), ["first.rdb", "taken.rdb"]);
}

#[test]
fn a_full_disk_fails_the_save_and_leaves_the_old_file() {
    let mut server = Server::start(DEBUG);
    let mut conn = server.connect();
    replies!(conn, "SET a 1" => "OK", "SAVE" => "OK", "DEBUG POPULATE 20000" => "OK");
    for (save, name) in [("SAVE", format!("temp-{}.rdb", server.pid)), ("BGSAVE", format!("temp-{}-bg.rdb", server.pid))] {
        std::os::unix::fs::symlink("/dev/full", server.dir.join(&name)).unwrap();
        conn.run(save);
        wait_for_save(&server);
        wait_until(|| names(&server.dir) == ["dump.rdb"]);
    }
    assert_eq!(server.info("rdb_last_bgsave_status"), "err");
    assert_eq!(server.log().matches("Write error while saving DB to the disk: No space left on device").count(), 2, "{}", server.log());
    // Without save points nobody counts on saves, so nobody is refused.
    replies!(conn, "SET b 1" => "OK");
    server.kill9();
    server.restart();
    replies!(server.connect(), "DBSIZE" => "1");
}

#[test]
fn while_it_loads_it_says_so() {
    let mut server = Server::start(DEBUG);
    replies!(server.connect(), "DEBUG POPULATE 20000" => "OK", "SAVE" => "OK");
    server.kill9();
    let port = server.port.to_string();
    let mut child = Command::new(program())
        .args(["--port", &port, "--bind", "127.0.0.1", "--key-load-delay", "1000", "--save", "10000 1", "--logfile", "log2", "--dir"])
        .arg(&server.dir)
        .spawn()
        .unwrap();
    wait_until(|| std::net::TcpStream::connect(server.address()).is_ok());
    let mut conn = server.connect();
    let loading = "-LOADING Redis is loading the dataset in memory";
    replies!(conn,
        "PING" => loading,
        "GET key:1" => loading,
        "SET a 1" => loading,
        "BGSAVE" => loading,
        "MULTI" => "OK",
        "GET key:1" => loading,
        "EXEC" => "-EXECABORT Transaction discarded because of previous errors.",
        "CONFIG GET port" => format!(r#"["port", "{port}"]"#).as_str(),
    );
    let field = |name: &str| server.info(name);
    let size = fs::metadata(server.dir.join("dump.rdb")).unwrap().len();
    wait_until(|| field("loading_loaded_bytes") != "0");
    assert_eq!((field("loading").as_str(), field("async_loading").as_str()), ("1", "0"));
    assert_eq!(field("loading_total_bytes"), size.to_string());
    assert_ne!(field("loading_rdb_used_mem"), "0");
    assert!(field("loading_loaded_perc").parse::<f64>().unwrap() < 100.0);
    // What is there by half must not take the place of the whole, save points or not.
    let before = fs::read(server.dir.join("dump.rdb")).unwrap();
    conn.send(b"SHUTDOWN SAVE\r\n");
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(fs::read(server.dir.join("dump.rdb")).unwrap(), before);
}

#[test]
fn a_broken_file_ends_it_with_a_reason() {
    let mut server = Server::start(DEBUG);
    replies!(server.connect(), "DEBUG POPULATE 1000" => "OK", "SAVE" => "OK");
    server.kill9();
    let path = server.dir.join("dump.rdb");
    let whole = fs::read(&path).unwrap();
    let changed = |at: usize, byte: u8| [&whole[..at], &[byte], &whole[at + 1..]].concat();
    let cut = whole[..whole.len() / 2].to_vec();
    let cases = [
        (b"NONSENSE0".to_vec(), "at byte 0: this is no RDB file"),
        (Vec::new(), "at byte 0: the data ends"),
        (cut, "at byte "),
        (changed(whole.len() - 1, whole[whole.len() - 1] ^ 1), "the checksum should be"),
        ([b"REDIS0099", &whole[9..]].concat(), "version 99 is not known"),
    ];
    for (bytes, reason) in cases {
        fs::write(&path, bytes).unwrap();
        let output = run(Command::new(program()).args(["--port", "0", "--unixsocket", "s", "--dir"]).arg(&server.dir));
        assert_eq!(output.code, Some(1), "{reason}: {output:?}");
        assert!(output.stdout.contains(reason), "{reason}: {output:?}");
        assert!(output.stdout.contains("Fatal error loading the DB, check server logs. Exiting."), "{output:?}");
    }
}

#[test]
fn keys_that_have_expired_are_left_out() {
    let mut server = Server::start(DEBUG);
    let mut conn = server.connect();
    replies!(conn, "SET stays 1" => "OK", "SET goes 1 PX 30" => "OK", "DEBUG SET-ACTIVE-EXPIRE 0" => "OK", "SAVE" => "OK");
    server.kill9();
    std::thread::sleep(Duration::from_millis(40)); // for time itself to pass there is nothing to observe
    server.restart();
    replies!(server.connect(), "DBSIZE" => "1", "EXISTS stays" => "1");
    assert_eq!((server.info("rdb_last_load_keys_loaded"), server.info("rdb_last_load_keys_expired")), ("1".into(), "1".into()));
}

#[test]
fn debug_reload_saves_and_loads_again() {
    let server = Server::start(DEBUG);
    let mut conn = server.connect();
    fill(&mut conn);
    let digest = conn.run("DEBUG DIGEST").text();
    replies!(conn,
        "DEBUG RELOAD NONSENSE" => "-ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.",
        "WATCH huge" => "OK",
        "DEBUG RELOAD" => "OK",
        "DEBUG DIGEST" => digest.as_str(),
        "UNWATCH" => "OK",
        "SET more 1" => "OK",
        "DEBUG RELOAD NOSAVE NOFLUSH MERGE" => "OK",
        "GET more" => r#""1""#,
        "DEBUG RELOAD NOSAVE" => "OK",
        "EXISTS more" => "0",
        "DEBUG DIGEST" => digest.as_str(),
        "CONFIG SET dbfilename none.rdb" => "OK",
        "DEBUG RELOAD NOSAVE" => "-ERR Error trying to load the RDB dump, check server logs.",
    );
}

#[test]
fn the_loop_goes_on_while_it_saves() {
    let server = Server::start(DEBUG);
    let mut conn = server.connect();
    replies!(conn, "DEBUG POPULATE 300000" => "OK", "BGSAVE" => "Background saving started");
    let mut meanwhile = 0;
    while server.info("rdb_bgsave_in_progress") == "1" {
        replies!(conn, "SET key:7 x" => "OK");
        meanwhile += 1;
    }
    assert!(meanwhile > 1, "{meanwhile}");
    assert_eq!(server.info("total_forks"), "0");
}

/// The file is whole at any moment: it holds one generation of values, the last that was saved or the one before.
#[test]
fn a_process_killed_at_any_moment_leaves_a_whole_file() {
    const KEYS: usize = 5000;
    let rounds = setting("SOLOD_TEST_KILLS", 30);
    let mut server = Server::start(&[]);
    let mut random = u64::from(server.pid);
    let mut on_disk = String::new();
    for round in 0..rounds {
        let generation = format!("{round}:{}", "v".repeat(100));
        let mut pairs = vec!["MSET".to_string()];
        (0..KEYS).for_each(|i| pairs.extend([format!("key:{i}"), generation.clone()]));
        let mut conn = server.connect();
        assert_eq!(conn.cmd(&pairs), *"OK");
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        conn.send(if random >> 63 == 0 { b"BGSAVE\r\n" } else { b"SAVE\r\n" });
        std::thread::sleep(Duration::from_micros((random >> 33) % 25_000));
        server.kill9();

        let file = server.dir.join("dump.rdb");
        if file.exists() {
            let check = run(Command::new("redis-check-rdb").arg(&file));
            assert_eq!(check.code, Some(0), "round {round}: {check:?}");
        }
        for left in names(&server.dir).iter().filter(|name| name.starts_with("temp-")) {
            fs::remove_file(server.dir.join(left)).unwrap();
        }
        server.restart();
        let keys: Vec<String> = std::iter::once("MGET".into()).chain((0..KEYS).map(|i| format!("key:{i}"))).collect();
        let values = server.connect().cmd(&keys).items();
        let found = values[0].to_string();
        assert!(values.iter().all(|value| value.to_string() == found), "round {round}: generations are mixed");
        let (old, new) = (if on_disk.is_empty() { "nil".into() } else { format!("{on_disk:?}") }, format!("{generation:?}"));
        assert!(found == old || found == new, "round {round}: {found}");
        if found == new {
            on_disk = generation;
        }
    }
}
