//! What keys hold, read as a client reads it, so that a difference can be told.

use crate::common::{Conn, Value};

/// What the data of a server are compared with.
#[derive(Clone, Copy)]
pub enum With {
    /// What it loads again.
    ItsFile,
    /// What another server has that should be the same. A score of -0 is 0 then: in a listpack it is, and which of the two is stored depends on when
    /// the set became small or large, and a replica may have loaded it in between.
    Another,
}

/// What a key holds: its type, its deadline, and its elements, those of a hash and a sorted set with what belongs to them.
pub fn elements(conn: &mut Conn, key: &[u8], with: With) -> Vec<String> {
    let kind = conn.cmd(&[b"TYPE", key]).text();
    let (read, size): (&[&[u8]], usize) = match kind.as_str() {
        "list" => (&[b"LRANGE", key, b"0", b"-1"], 1),
        "hash" => (&[b"HGETALL", key], 2),
        "zset" => (&[b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"], 2),
        "set" => (&[b"SMEMBERS", key], 1),
        "stream" => (&[b"XRANGE", key, b"-", b"+"], 1),
        _ => (&[b"GET", key], 1),
    };
    let is_zset = kind == "zset";
    let mut limit = |of: &str| -> usize {
        let name = format!("zset-max-listpack-{of}");
        conn.run(&format!("CONFIG GET {name}")).items()[1].text().parse().unwrap()
    };
    let (entries, value) = if is_zset { (limit("entries"), limit("value")) } else { (0, 0) };
    let mut elements = vec![kind, format!("expires {}", conn.cmd(&[b"PEXPIRETIME", key]))];
    match conn.cmd(read) {
        Value::Array(items) => {
            let is_small = || {
                items.len() / size <= entries
                    && items.chunks(size).all(|element| matches!(&element[0], Value::Bulk(member) if member.len() <= value))
            };
            let loses_signs = is_zset && (matches!(with, With::Another) || is_small());
            let word = |item: &Value| if loses_signs && *item == *r#""-0""# { r#""0""#.to_owned() } else { item.to_string() };
            elements.extend(items.chunks(size).map(|element| element.iter().map(word).collect::<Vec<_>>().join(" ")));
        }
        other => elements.push(other.to_string()),
    }
    elements
}

/// The elements that only one of the two has, some of them.
pub fn differences(one: &[String], other: &[String]) -> (Vec<String>, Vec<String>) {
    let only = |one: &[String], other: &[String]| one.iter().filter(|element| !other.contains(element)).take(10).cloned().collect();
    (only(one, other), only(other, one))
}

/// Every key of every database with what it holds, sorted.
pub fn everything(conn: &mut Conn) -> Vec<(String, Vec<String>)> {
    let mut all = Vec::new();
    for db in 0..16 {
        conn.run(&format!("SELECT {db}"));
        for key in conn.run("KEYS *").items() {
            let Value::Bulk(key) = key else { continue };
            all.push((format!("db {db} {}", key.escape_ascii()), elements(conn, &key, With::ItsFile)));
        }
    }
    conn.run("SELECT 0");
    all.sort();
    all
}
