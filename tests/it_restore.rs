//! `--restore-to`: a copy of an append-only directory is taken back to what it was at the end of a second, back to the last base.

mod common;

use common::{Output, Server, program, run};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn restore(until: &str, path: &Path) -> Output {
    run(Command::new(program()).arg("--restore-to").arg(until).arg(path))
}

fn set(key: &str, value: &str) -> String {
    format!("*3\r\n$3\r\nSET\r\n${}\r\n{key}\r\n${}\r\n{value}\r\n", key.len(), value.len())
}

/// A base of second 1000, and two increments with a command in the seconds that they say, within and outside of transactions.
fn directory() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("appendonlydir");
    fs::create_dir(&log).unwrap();
    let base = [&b"REDIS0010\xfa\x05ctime\xc2\xe8\x03\x00\x00\xfa\x08aof-base\xc0\x01\xfe\x00\x00\x04base\x011\xff"[..], &[0; 8]].concat();
    let select = "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n";
    let one = format!(
        "#TS:1000\r\n{select}{}#TS:1003\r\n*1\r\n$5\r\nMULTI\r\n{}{}*1\r\n$4\r\nEXEC\r\n",
        set("a", "1"),
        set("b", "1"),
        set("a", "2")
    );
    let two = format!("#TS:1003\r\n{select}{}#TS:1005\r\n{}", set("c", "1"), set("d", "1"));
    for (name, bytes) in [
        ("appendonly.aof.2.base.rdb", &base[..]),
        ("appendonly.aof.4.incr.aof", one.as_bytes()),
        ("appendonly.aof.5.incr.aof", two.as_bytes()),
        (
            "appendonly.aof.manifest",
            b"file appendonly.aof.2.base.rdb seq 2 type b\nfile appendonly.aof.4.incr.aof seq 4 type i\nfile appendonly.aof.5.incr.aof seq 5 type i\n",
        ),
    ] {
        fs::write(log.join(name), bytes).unwrap();
    }
    dir
}

/// All bytes of a directory, by name.
fn bytes_of(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all: Vec<_> = fs::read_dir(dir.join("appendonlydir"))
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            (path, bytes)
        })
        .collect();
    all.sort();
    all
}

/// The keys and values that a real redis-server loads from the directory.
fn loaded(dir: &Path) -> Vec<String> {
    let server = Server::redis(&["--dir", dir.to_str().unwrap(), "--appendonly", "yes"]);
    let mut conn = server.connect();
    let keys = conn.run("KEYS *").sorted();
    keys.iter().map(|key| format!("{}={}", key.trim_matches('"'), conn.cmd(&["GET", key.trim_matches('"')]).text())).collect()
}

#[test]
fn each_second_is_what_had_been_logged_by_its_end() {
    for (until, keys) in [
        ("1000", &["a=1", "base=1"][..]),
        ("1002", &["a=1", "base=1"]),
        ("1003", &["a=2", "b=1", "base=1", "c=1"]),
        ("1004", &["a=2", "b=1", "base=1", "c=1"]),
    ] {
        for way in ["", "appendonlydir", "appendonlydir/appendonly.aof.manifest"] {
            let dir = directory();
            let output = restore(until, &dir.path().join(way));
            assert_eq!((output.code, &*output.stderr), (Some(0), ""), "{output:?}");
            assert!(output.stdout.contains("The base was made in second 1000: no earlier one can be restored."), "{output:?}");
            assert!(output.stdout.ends_with(&format!("has the data as of the end of second {until}.\n")), "{output:?}");
            // The checker of Redis finds it whole.
            let manifest = dir.path().join("appendonlydir/appendonly.aof.manifest");
            assert_eq!(run(Command::new("redis-check-aof").arg(manifest)).code, Some(0));
            assert_eq!(loaded(dir.path()), keys, "{until}");
            // Again is the same.
            assert_eq!(restore(until, &dir.path().join(way)).code, Some(0));
        }
    }
}

#[test]
fn what_cannot_be_restored_stays_as_it_is() {
    let dir = directory();
    let before = bytes_of(dir.path());
    for (until, code, said) in [
        ("999", 1, "The base was made in second 1000: no earlier one can be restored.\nSecond 999 is earlier. Nothing has been changed.\n"),
        ("1005", 0, "Timestamps up to that second go from 1000 to 1005.\nNothing was logged later. Nothing has been changed.\n"),
        ("x", 1, "is a number of seconds"),
        ("0", 1, "is a number of seconds"),
    ] {
        let output = restore(until, dir.path());
        assert_eq!(output.code, Some(code), "{output:?}");
        assert!(output.stdout.contains(said), "{output:?}");
        assert_eq!(bytes_of(dir.path()), before);
    }
    let empty = tempfile::tempdir().unwrap();
    assert!(restore("1000", empty.path()).stdout.starts_with("There is no manifest in "));
    assert!(restore("1000", &empty.path().join("gone")).stdout.starts_with("Cannot open file "));
    assert!(run(Command::new(program()).arg("--restore-to")).stdout.starts_with("Usage: solod --restore-to "));
}

#[test]
fn without_timestamps_nothing_can_be_restored() {
    let dir = directory();
    for name in ["appendonly.aof.4.incr.aof", "appendonly.aof.5.incr.aof"] {
        fs::write(dir.path().join("appendonlydir").join(name), set("a", "1")).unwrap();
    }
    let before = bytes_of(dir.path());
    let output = restore("2000", dir.path());
    assert_eq!(output.code, Some(1));
    assert!(output.stdout.contains("There are no timestamps in these files"), "{output:?}");
    assert_eq!(bytes_of(dir.path()), before);
}

#[test]
fn a_broken_file_in_the_middle_is_not_passed_over() {
    let dir = directory();
    let path = dir.path().join("appendonlydir/appendonly.aof.4.incr.aof");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 3]).unwrap();
    let output = restore("1004", dir.path());
    assert_eq!(output.code, Some(1));
    assert!(output.stdout.contains("is broken behind byte"), "{output:?}");
    // What is in front of the damage can be restored.
    assert_eq!(restore("1002", dir.path()).code, Some(0));
    assert_eq!(loaded(dir.path()), ["a=1", "base=1"]);
}

#[test]
fn the_single_file_of_redis_6_is_cut_off_too() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("appendonly.aof");
    fs::write(&path, format!("#TS:1000\r\n{}#TS:1002\r\n{}", set("a", "1"), set("b", "1"))).unwrap();
    let early = restore("999", &path);
    assert_eq!((early.code, early.stdout.contains("All commands were logged later, from second 1000 on.")), (Some(1), true), "{early:?}");
    assert_eq!(restore("1001", &path).code, Some(0));
    assert_eq!(fs::read(&path).unwrap(), format!("#TS:1000\r\n{}", set("a", "1")).as_bytes());
}
