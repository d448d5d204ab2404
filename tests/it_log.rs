//! The log: its file, the forms of its lines, and what does not stand in it.

mod common;
use common::*;

use std::path::{Path, PathBuf};

/// A server that logs to a file of its own, `server.log` in its directory.
fn logging(args: &[&str]) -> (Server, PathBuf) {
    let server = Server::start(&[&["--logfile", "server.log"], args].concat());
    let path = server.dir.join("server.log");
    (server, path)
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Has a line logged, and waits for it.
fn logs_a_line(server: &Server, path: &Path) {
    let before = text(path).matches("BGSAVE").count() + text(path).matches("Background saving").count();
    replies!(server.connect(), "BGSAVE" => "Background saving started");
    wait_until(|| text(path).matches("BGSAVE").count() + text(path).matches("Background saving").count() > before);
    wait_until(|| server.info("rdb_bgsave_in_progress") == "0");
}

#[test]
fn a_file_that_was_renamed_or_removed_is_opened_anew() {
    let (server, path) = logging(&[]);
    logs_a_line(&server, &path);
    let (old, rotated) = (text(&path), path.with_extension("log.1"));
    std::fs::rename(&path, &rotated).unwrap();
    logs_a_line(&server, &path);
    assert_eq!(text(&rotated), old, "nothing more comes to the old one");
    std::fs::remove_file(&path).unwrap();
    logs_a_line(&server, &path);
    // Emptied in place, as by copytruncate.
    std::fs::File::create(&path).unwrap();
    logs_a_line(&server, &path);
    assert!(!text(&path).starts_with('\0'));
}

#[test]
fn another_directory_does_not_move_the_file() {
    if is_reference() {
        return; // Redis takes a relative path from wherever it is.
    }
    let (server, path) = logging(&["--enable-protected-configs", "yes"]);
    std::fs::create_dir(server.dir.join("below")).unwrap();
    replies!(server.connect(), "CONFIG SET dir below" => "OK");
    logs_a_line(&server, &path);
    assert!(!server.dir.join("below/server.log").exists());
}

/// The value of a field of a line in logfmt or JSON, where it has no quote in it.
fn field<'l>(line: &'l str, name: &str) -> &'l str {
    let json = format!("\"{name}\":");
    let (value, ends) = match line.split_once(&json) {
        Some((_, value)) => (value, [',', '}']),
        None => (line.split_once(&format!("{name}=")).unwrap_or_else(|| panic!("no {name}: {line}")).1, [' ', '\n']),
    };
    match value.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next().unwrap(),
        None => value.split(ends).next().unwrap(),
    }
}

#[test]
fn lines_of_logfmt_and_json() {
    if is_reference() {
        return;
    }
    let (server, path) = logging(&["--log-format", "json", "--log-timestamp-format", "iso8601"]);
    let lines = text(&path);
    assert!(lines.lines().count() > 3);
    for line in lines.lines() {
        assert!(line.starts_with('{') && line.ends_with("\"}"), "{line}");
        assert_eq!((field(line, "pid"), field(line, "role")), (server.pid.to_string().as_str(), "primary"));
        assert!(["warning", "notice"].contains(&field(line, "level")), "{line}");
        let time = field(line, "timestamp").as_bytes();
        assert!(time.len() == 29 && time[4] == b'-' && time[10] == b'T' && time[19] == b'.' && time[26] == b':', "{line}");
    }
    assert!(lines.lines().any(|line| field(line, "message") == "Ready to accept connections tcp"), "{lines}");
    let mut conn = server.connect();
    replies!(
        conn,
        "CONFIG SET log-format logfmt log-timestamp-format milliseconds" => "OK",
        "REPLICAOF 127.0.0.1 1" => "OK",
        "CONFIG GET log-*" => r#"["log-format", "logfmt", "log-timestamp-format", "milliseconds"]"#,
        "CONFIG SET log-format xml" => "-ERR CONFIG SET failed (possibly related to argument 'log-format') - argument(s) must be one of the following: legacy, logfmt, json",
    );
    wait_until(|| text(&path).contains("role=replica"));
    let lines = text(&path);
    let line = lines.lines().find(|line| line.contains("role=replica")).unwrap();
    assert!(line.starts_with(&format!("pid={} role=replica timestamp=\"", server.pid)), "{line}");
    assert!(field(line, "timestamp").parse::<u64>().unwrap() > 1_600_000_000_000, "{line}");
    assert!(line.ends_with('"') && line.contains(" message=\""), "{line}");
    replies!(conn, "CONFIG SET log-format legacy log-timestamp-format legacy" => "OK");
    wait_until(|| text(&path).lines().any(|line| line.starts_with(&format!("{}:S ", server.pid))));
}

#[test]
fn keys_are_kept_out_of_the_log_if_asked() {
    if is_reference() {
        return;
    }
    let (server, path) = logging(&["--enable-debug-command", "local"]);
    let mut conn = server.connect();
    let mut refuse = |key: &str| {
        // The last byte of its listpack, in front of the ten of the footer.
        conn.cmd(&["DEL", "l"]);
        conn.cmd(&["RPUSH", "l", "a"]);
        let Value::Bulk(mut broken) = conn.cmd(&["DUMP", "l"]) else { panic!("no payload") };
        let last = broken.len() - 11;
        broken[last] = 0;
        conn.cmd(&[b"DEBUG".as_slice(), b"SET-SKIP-CHECKSUM-VALIDATION", b"1"]);
        let reply = conn.cmd(&[b"RESTORE".as_slice(), key.as_bytes(), b"0", &broken]);
        assert!(reply.to_string().starts_with("-ERR Bad data format"), "{reply}");
    };
    refuse("key-in-the-log");
    assert!(text(&path).contains("for key 'key-in-the-log' is refused"), "{}", text(&path));
    server.ask("CONFIG SET hide-user-data-from-log yes");
    refuse("key-of-a-person");
    let log = text(&path);
    assert!(log.contains("for key '*redacted*' is refused") && !log.contains("key-of-a-person"), "{log}");
}
