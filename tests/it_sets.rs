//! Set commands: every option, every error, the encodings that OBJECT ENCODING tells of, and what the log of writes gets.

mod common;
use common::*;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

#[test]
fn members_come_and_go() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        SADD s c                                -> 1
        SADD s c a b a                          -> 2
        SCARD s                                 -> 3
        SMEMBERS s                              -> ["c", "a", "b"]
        SISMEMBER s a                           -> 1
        SISMEMBER s d                           -> 0
        SMISMEMBER s a d c a                    -> [1, 0, 1, 1]
        SREM s a d                              -> 1
        SREM s d                                -> 0
        SMEMBERS s                              -> ["c", "b"]
        SREM s c x b b                          -> 2
        EXISTS s                                -> 0
        TYPE s                                  -> none

        SADD n 3 1 2 -7                         -> 4
        SMEMBERS n                              -> ["-7", "1", "2", "3"]
        SISMEMBER n 1                           -> 1
        SISMEMBER n 01                          -> 0
        SISMEMBER n one                         -> 0
        SADD n 9223372036854775807 -9223372036854775808 -> 2
        SMEMBERS n                              -> ["-9223372036854775808", "-7", "1", "2", "3", "9223372036854775807"]
        SREM n 01 1 9223372036854775807         -> 2
        SMEMBERS n                              -> ["-9223372036854775808", "-7", "2", "3"]
        TYPE n                                  -> set
        SADD n ""                               -> 1
        SISMEMBER n ""                          -> 1
        SADD bytes "\x00\xff\r\n" "\x00"        -> 2
        SMEMBERS bytes                          -> ["\x00\xff\r\n", "\x00"]

        SCARD absent                            -> 0
        SMEMBERS absent                         -> []
        SISMEMBER absent a                      -> 0
        SMISMEMBER absent a b                   -> [0, 0]
        SREM absent a                           -> 0
        SPOP absent                             -> nil
        SPOP absent 1                           -> []
        SPOP absent 0                           -> []
        SRANDMEMBER absent                      -> nil
        SRANDMEMBER absent 5                    -> []
        SRANDMEMBER absent -5                   -> []
        SSCAN absent 0                          -> ["0", []]
        SSCAN absent 17 BOGUS                   -> ["0", []]

        SADD                                    -> -ERR wrong number of arguments for 'sadd' command
        SADD s                                  -> -ERR wrong number of arguments for 'sadd' command
        SREM s                                  -> -ERR wrong number of arguments for 'srem' command
        SMISMEMBER s                            -> -ERR wrong number of arguments for 'smismember' command
        SMOVE s t                               -> -ERR wrong number of arguments for 'smove' command
        SPOP s 1 2                              -> -ERR syntax error
        SPOP s one                              -> -ERR value is out of range, must be positive
        SPOP s -1                               -> -ERR value is out of range, must be positive
        SRANDMEMBER s 1 2                       -> -ERR syntax error
        SRANDMEMBER s one                       -> -ERR value is not an integer or out of range
        SRANDMEMBER s -9223372036854775808      -> -ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807
    "#,
    );
    server.spec(
        r#"
        SET str x                               -> OK
        SADD s a                                -> 1
        SADD str a                              -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SREM str a                              -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SCARD str                               -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SMEMBERS str                            -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SISMEMBER str a                         -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SMISMEMBER str a                        -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SPOP str                                -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SPOP str 0                              -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SRANDMEMBER str                         -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SRANDMEMBER str 0                       -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SSCAN str 0 BOGUS                       -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SMOVE str s a                           -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SMOVE s str a                           -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SMOVE absent str a                      -> 0
        SINTER absent str                       -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SINTER s str                            -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SINTERCARD 2 s str                      -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SUNION s str                            -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SDIFF absent str                        -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SINTERSTORE s s str                     -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SUNIONSTORE s s str                     -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SDIFFSTORE s s str                      -> -WRONGTYPE Operation against a key holding the wrong kind of value
        GET s                                   -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SMEMBERS s                              -> ["a"]
        GET str                                 -> "x"
    "#,
    );
}

#[test]
fn the_form_follows_what_is_in_it() {
    let server = Server::start(&["--set-max-intset-entries", "4", "--set-max-listpack-entries", "6", "--set-max-listpack-value", "8"]);
    server.spec(
        r#"
        SADD a 1 2 3 4                          -> 4
        OBJECT ENCODING a                       -> "intset"
        SADD a 4 3 2 1                          -> 0
        OBJECT ENCODING a                       -> "intset"
        SADD a 5                                -> 1
        OBJECT ENCODING a                       -> "hashtable"
        SREM a 5 4 3                            -> 3
        OBJECT ENCODING a                       -> "hashtable"

        SADD b 1 2 3 4 5                        -> 5
        OBJECT ENCODING b                       -> "listpack"
        SADD c 1 2 3 4 5 6 7                    -> 7
        OBJECT ENCODING c                       -> "hashtable"
        SADD d 1 1 1 1 1                        -> 1
        OBJECT ENCODING d                       -> "listpack"
        SADD e 1                                -> 1
        SADD e 1 1 1 1 1                        -> 0
        OBJECT ENCODING e                       -> "hashtable"

        SADD f 2 1                              -> 2
        SADD f eight888                         -> 1
        OBJECT ENCODING f                       -> "listpack"
        SMEMBERS f                              -> ["1", "2", "eight888"]
        SADD f ninechars                        -> 1
        OBJECT ENCODING f                       -> "hashtable"
        SADD g 1 123456789                      -> 2
        SADD g a                                -> 1
        OBJECT ENCODING g                       -> "hashtable"
        SADD h ninechars                        -> 1
        OBJECT ENCODING h                       -> "hashtable"
        SADD i a b c d e f                      -> 6
        OBJECT ENCODING i                       -> "listpack"
        SADD i g                                -> 1
        OBJECT ENCODING i                       -> "hashtable"
        SADD j a                                -> 1
        SADD j a a a a a a a                    -> 0
        OBJECT ENCODING j                       -> "hashtable"

        COPY b b2                               -> 1
        OBJECT ENCODING b2                      -> "listpack"
        COPY a a2                               -> 1
        OBJECT ENCODING a2                      -> "hashtable"
        SCARD a2                                -> 2

        SADD ints 1 2 3                         -> 3
        SADD mixed 1 2 x                        -> 3
        SADD table 1 2 ninechars                -> 3
        SADD inttable 1 2 3 4 5 6 7             -> 7
        SINTERSTORE r ints ints                 -> 3
        OBJECT ENCODING r                       -> "intset"
        SINTERSTORE r mixed ints                -> 2
        OBJECT ENCODING r                       -> "intset"
        SINTERSTORE r mixed mixed               -> 3
        OBJECT ENCODING r                       -> "listpack"
        SINTERSTORE r table table               -> 3
        OBJECT ENCODING r                       -> "hashtable"
        SINTERSTORE r inttable inttable         -> 7
        OBJECT ENCODING r                       -> "hashtable"
        SINTERSTORE r table ints                -> 2
        OBJECT ENCODING r                       -> "intset"
        SUNIONSTORE r table ints                -> 4
        OBJECT ENCODING r                       -> "hashtable"
        SUNIONSTORE r mixed ints                -> 4
        OBJECT ENCODING r                       -> "listpack"
        SUNIONSTORE r ints ints                 -> 3
        OBJECT ENCODING r                       -> "intset"
        SUNIONSTORE r ints inttable             -> 7
        OBJECT ENCODING r                       -> "hashtable"
        SDIFFSTORE r inttable ints              -> 4
        OBJECT ENCODING r                       -> "intset"
        SDIFFSTORE r table absent               -> 3
        OBJECT ENCODING r                       -> "hashtable"
        SDIFFSTORE r mixed ints                 -> 1
        OBJECT ENCODING r                       -> "listpack"
        SMOVE ints to 1                         -> 1
        OBJECT ENCODING to                      -> "intset"
        SMOVE ints to2 2                        -> 1
        SMOVE mixed to2 x                       -> 1
        OBJECT ENCODING to2                     -> "listpack"
        CONFIG SET set-max-listpack-entries 0   -> OK
        SADD new a                              -> 1
        OBJECT ENCODING new                     -> "hashtable"
    "#,
    );
}

#[test]
fn moves() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        SADD a 1 2 x                            -> 3
        SADD b x                                -> 1
        SMOVE a b 9                             -> 0
        SMOVE a b 1                             -> 1
        SMOVE a b x                             -> 1
        SMEMBERS a                              -> ["2"]
        SMEMBERS b                              -> ["x", "1"]
        SMOVE a a 2                             -> 1
        SMOVE a a 9                             -> 0
        SMOVE a new 2                           -> 1
        EXISTS a                                -> 0
        SMEMBERS new                            -> ["2"]
        SMOVE a new 2                           -> 0
    "#,
    );
}

#[test]
fn what_sets_have_in_common_and_what_not() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        SADD a 5 4 3 2 1                        -> 5
        SADD b 4 1 9 x                          -> 4
        SADD c x 1 y                            -> 3
        SINTER a                                -> ["1", "2", "3", "4", "5"]
        SINTER a b                              -> ["1", "4"]
        SINTER b a                              -> ["1", "4"]
        SINTER a b c                            -> ["1"]
        SINTER a a                              -> ["1", "2", "3", "4", "5"]
        SINTER b c                              -> ["x", "1"]
        SINTER a absent                         -> []
        SINTER absent                           -> []
        SINTERCARD 2 a b                        -> 2
        SINTERCARD 3 a b c                      -> 1
        SINTERCARD 1 a                          -> 5
        SINTERCARD 1 a LIMIT 3                  -> 3
        SINTERCARD 1 a limit 0                  -> 5
        SINTERCARD 1 a LIMIT 9                  -> 5
        SINTERCARD 1 a LIMIT 9 LIMIT 2          -> 2
        SINTERCARD 2 a absent                   -> 0
        SINTERCARD 0 a                          -> -ERR numkeys should be greater than 0
        SINTERCARD -1 a                         -> -ERR numkeys should be greater than 0
        SINTERCARD a a                          -> -ERR numkeys should be greater than 0
        SINTERCARD 2 a                          -> -ERR Number of keys can't be greater than number of args
        SINTERCARD 1 a b                        -> -ERR syntax error
        SINTERCARD 1 a LIMIT                    -> -ERR syntax error
        SINTERCARD 1 a LIMIT -1                 -> -ERR LIMIT can't be negative
        SINTERCARD 1 a LIMIT a                  -> -ERR LIMIT can't be negative

        SUNION a                                -> ["1", "2", "3", "4", "5"]
        SUNION b a                              -> ["1", "4", "9", "x", "2", "3", "5"]
        SUNION c b absent a                     -> ["x", "1", "y", "4", "9", "2", "3", "5"]
        SUNION absent                           -> []
        SDIFF a                                 -> ["1", "2", "3", "4", "5"]
        SDIFF a b                               -> ["2", "3", "5"]
        SDIFF b a c                             -> ["9"]
        SDIFF a absent b                        -> ["2", "3", "5"]
        SDIFF absent a                          -> []
        SDIFF a b a                             -> []
        SDIFF c a b                             -> ["y"]

        SINTERSTORE d a b                       -> 2
        SMEMBERS d                              -> ["1", "4"]
        SUNIONSTORE d a c                       -> 7
        SMEMBERS d                              -> ["1", "2", "3", "4", "5", "x", "y"]
        SDIFFSTORE d d c                        -> 4
        SMEMBERS d                              -> ["2", "3", "4", "5"]
        SINTERSTORE d d absent                  -> 0
        EXISTS d                                -> 0
        SINTERSTORE d absent                    -> 0
        SUNIONSTORE d absent                    -> 0
        SDIFFSTORE d a a                        -> 0
        SET d string EX 100                     -> OK
        SUNIONSTORE d a                         -> 5
        TTL d                                   -> -1
        TYPE d                                  -> set
        SET d string                            -> OK
        SDIFFSTORE d a a                        -> 0
        EXISTS d                                -> 0
        EXPIRE a 100                            -> 1
        SADD a 6                                -> 1
        TTL a                                   -> 99..100
        SUNIONSTORE a a b                       -> 8
        TTL a                                   -> -1
        COMMAND GETKEYS SINTERCARD 2 a b LIMIT 1 -> ["a", "b"]
        COMMAND GETKEYS SUNIONSTORE d a b       -> ["d", "a", "b"]
    "#,
    );
}

#[test]
fn replies_in_resp3() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        HELLO 3                                 ~> *
        SADD a 1 2                              -> 2
        SMEMBERS a                              -> ~["1", "2"]
        SMEMBERS absent                         -> ~[]
        SINTER a                                -> ~["1", "2"]
        SINTER a absent                         -> ~[]
        SUNION a                                -> ~["1", "2"]
        SDIFF a                                 -> ~["1", "2"]
        SDIFF absent                            -> ~[]
        SSCAN a 0                               -> ["0", ["1", "2"]]
        SRANDMEMBER a 5                         -> ["1", "2"]
        SRANDMEMBER a 0                         -> []
        SRANDMEMBER absent                      -> null
        SRANDMEMBER absent 1                    -> []
        SISMEMBER a 1                           -> 1
        SMISMEMBER a 1 3                        -> [1, 0]
        SPOP a 0                                -> ~[]
        SPOP a 5                                -> ~["1", "2"]
        SPOP a 5                                -> ~[]
        SPOP a                                  -> null
    "#,
    );
}

/// Three sets of `len` members, one in each form, by the names of those.
fn three_forms(server: &Server, len: usize) -> [&'static str; 3] {
    let mut conn = server.connect();
    for i in 0..len {
        conn.cmd(&["SADD", "intset", &i.to_string()]);
        conn.cmd(&["SADD", "listpack", &format!("m{i}")]);
        conn.cmd(&["SADD", "hashtable", &format!("m{i}{:100}", "")]);
    }
    let forms = ["intset", "listpack", "hashtable"];
    forms.iter().for_each(|form| assert_eq!(server.ask(&format!("OBJECT ENCODING {form}")).text(), *form));
    forms
}

fn members(server: &Server, key: &str) -> BTreeSet<String> {
    server.ask(&format!("SMEMBERS {key}")).sorted().into_iter().collect()
}

#[test]
fn members_by_chance() {
    let server = Server::start(&[]);
    for form in three_forms(&server, 100) {
        let all = members(&server, form);
        let ask = |count: i64| server.ask(&format!("SRANDMEMBER {form} {count}")).items();
        let texts = |items: &[Value]| items.iter().map(Value::text).collect::<BTreeSet<String>>();
        assert!(all.contains(&server.ask(&format!("SRANDMEMBER {form}")).text()));
        for count in [1, 5, 33, 34, 60, 99, 100, 101, 1000] {
            let some = ask(count);
            assert_eq!(some.len(), (count as usize).min(100));
            assert_eq!(texts(&some).len(), some.len(), "each once");
            assert!(texts(&some).is_subset(&all));
        }
        for count in [1, 5, 100, 1000] {
            let some = ask(-count);
            assert_eq!(some.len(), count as usize);
            assert!(texts(&some).is_subset(&all));
        }
        assert_eq!(texts(&ask(-5000)), all, "that each is missed has a chance of less than one in 10^19");
        assert_eq!(members(&server, form), all);
    }
}

#[test]
fn members_popped_are_gone() {
    let server = Server::start(&[]);
    for count in [1, 2, 10, 49, 60, 83, 84, 99, 100, 101, 1000] {
        for form in three_forms(&server, 100) {
            let all = members(&server, form);
            let popped = server.ask(&format!("SPOP {form} {count}")).items();
            assert_eq!(popped.len(), count.min(100));
            let popped: BTreeSet<String> = popped.iter().map(Value::text).collect();
            let left = members(&server, form);
            assert_eq!((popped.len(), left.len()), (count.min(100), 100 - count.min(100)));
            assert_eq!(popped.union(&left).cloned().collect::<BTreeSet<_>>(), all);
            let one = server.ask(&format!("SPOP {form}"));
            assert_eq!(one == Value::NilBulk, left.is_empty());
            assert_eq!(server.ask(&format!("SCARD {form}")).int(), left.len().saturating_sub(1) as i64);
        }
        server.ask("FLUSHALL");
    }
}

#[test]
fn what_is_left_when_most_is_popped_is_a_new_set() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    (0..1000).for_each(|i| drop(conn.cmd(&["SADD", "s", &format!("m{i}")])));
    conn.check(&[("OBJECT ENCODING s", r#""hashtable""#), ("EXPIRE s 100", "1")]);
    assert_eq!(conn.run("SPOP s 500").items().len(), 500);
    conn.check(&[("OBJECT ENCODING s", r#""hashtable""#)]);
    assert_eq!(conn.run("SPOP s 450").items().len(), 450);
    conn.check(&[("OBJECT ENCODING s", r#""listpack""#), ("SCARD s", "50")]);
    assert!(conn.run("TTL s").int() > 0, "with the old one's deadline");
}

#[test]
fn a_walk_returns_what_stays() {
    let server = Server::start(&[]);
    for form in three_forms(&server, 50) {
        if form != "hashtable" {
            assert_eq!(server.ask(&format!("SSCAN {form} 0 COUNT 1")).items()[1].items().len(), 50, "all of a small one at once");
            assert_eq!(server.ask(&format!("SSCAN {form} 77")).items()[1].items().len(), 50);
        }
    }
    server.spec(
        r#"
        SADD s 1 2 12 x                         -> 4
        SSCAN s 0 MATCH 1*                      -> ["0", ["1", "12"]]
        SSCAN s 0 MATCH * COUNT 100             -> ["0", ["1", "2", "12", "x"]]
        SSCAN s 0 MATCH none                    -> ["0", []]
        SSCAN s 0 COUNT 0                       -> -ERR syntax error
        SSCAN s 0 COUNT -1                      -> -ERR syntax error
        SSCAN s 0 COUNT x                       -> -ERR value is not an integer or out of range
        SSCAN s 0 COUNT                         -> -ERR syntax error
        SSCAN s 0 TYPE set                      -> -ERR syntax error
        SSCAN s 0 BOGUS                         -> -ERR syntax error
        SSCAN s x                               -> -ERR invalid cursor
        SSCAN absent x                          -> -ERR invalid cursor
    "#,
    );
    let mut conn = server.connect();
    let stays: BTreeSet<String> = (0..300).map(|i| format!("stays:{i}")).collect();
    stays.iter().for_each(|member| drop(conn.cmd(&["SADD", "large", member])));
    let (mut cursor, mut seen, mut turn) = ("0".to_owned(), BTreeSet::new(), 0);
    loop {
        let reply = conn.cmd(&["SSCAN", "large", &cursor, "COUNT", "7", "MATCH", "stays:*"]).items();
        seen.extend(reply[1].items().iter().map(Value::text));
        cursor = reply[0].text();
        if cursor == "0" {
            break;
        }
        // It grows meanwhile, and shrinks again.
        turn += 1;
        let others: Vec<String> = (0..200).map(|i| format!("goes:{}:{i}", turn % 20)).collect();
        let words: Vec<&str> =
            [if turn <= 20 { "SADD" } else { "SREM" }, "large"].into_iter().chain(others.iter().map(String::as_str)).collect();
        conn.cmd(&words);
    }
    assert_eq!(seen, stays);
}

/// A replica's link, by hand.
struct Link(BufReader<TcpStream>);

impl Link {
    /// Follows a server that holds nothing yet.
    fn to(server: &Server) -> Link {
        let stream = TcpStream::connect(server.address()).expect("connect");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut link = Link(BufReader::new(stream));
        link.0.get_mut().write_all(b"PSYNC ? -1\r\n").unwrap();
        let len = loop {
            if let Some(len) = link.line().strip_prefix('$') {
                break len.parse().expect("the snapshot's length");
            }
        };
        link.0.read_exact(&mut vec![0; len]).expect("the snapshot");
        link
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert_ne!(self.0.read_line(&mut line).expect("a line"), 0, "the link is closed");
        line.trim_end().to_owned()
    }

    fn number(&mut self) -> usize {
        self.line()[1..].parse().expect("a number")
    }

    /// What it gets of these commands.
    fn logged(&mut self, server: &Server, commands: &[&str]) -> Vec<String> {
        let mut conn = server.connect();
        commands.iter().for_each(|command| drop(conn.run(command)));
        conn.run("SET the-end 1");
        let mut all = Vec::new();
        loop {
            let words: Vec<String> = (0..self.number())
                .map(|_| {
                    let mut word = vec![0; self.number() + 2];
                    self.0.read_exact(&mut word).expect("a word");
                    String::from_utf8_lossy(&word[..word.len() - 2]).into_owned()
                })
                .collect();
            match words[0].as_str() {
                "SET" => return all,
                "SELECT" | "PING" => (),
                _ => all.push(words.join(" ")),
            }
        }
    }
}

#[test]
fn the_log_says_what_was_popped() {
    let server = Server::start(&["--repl-diskless-sync-delay", "0"]);
    let mut link = Link::to(&server);
    let mut logged = |commands: &[&str]| link.logged(&server, commands);
    assert_eq!(
        logged(&["SADD s a a", "SADD s a", "SREM s b", "SPOP s", "SPOP s", "SPOP s 3"]),
        ["SADD s a a", "SREM s a"],
        "what changed nothing is not there"
    );
    assert_eq!(logged(&["SADD s 1 2", "SPOP s 2"]), ["SADD s 1 2", "DEL s"]);
    assert_eq!(logged(&["SADD s 1 2", "SPOP s 9", "SPOP s 0"]), ["SADD s 1 2", "DEL s"]);
    server.ask("CONFIG SET lazyfree-lazy-server-del yes");
    assert_eq!(logged(&["SADD s 1 2", "SPOP s 2"]), ["SADD s 1 2", "UNLINK s"]);
    assert_eq!(
        logged(&["SADD s 1 2", "SMOVE s t 1", "SMOVE s t 1", "SUNIONSTORE d s t", "SINTERSTORE d s t", "SINTERSTORE d s t", "DEL s t"]),
        ["SADD s 1 2", "SMOVE s t 1", "SUNIONSTORE d s t", "SINTERSTORE d s t", "DEL s t"]
    );

    let mut conn = server.connect();
    (0..4000).for_each(|i| drop(conn.cmd(&["SADD", "large", &format!("m{i}")])));
    logged(&[]);
    for (count, batches) in [(1, 1), (1024, 1), (2048, 2), (900, 1)] {
        let before = members(&server, "large");
        let log = logged(&[&format!("SPOP large {count}")]);
        let log = match log.as_slice() {
            [first, rest @ .., last] if first == "MULTI" && last == "EXEC" => rest.to_vec(),
            _ => log,
        };
        assert_eq!(log.len(), batches, "{count}");
        let removed: BTreeSet<String> = log.iter().flat_map(|line| line.split(' ').skip(2).map(str::to_owned)).collect();
        assert!(log.iter().all(|line| line.starts_with("SREM large ")));
        assert_eq!(removed.union(&members(&server, "large")).cloned().collect::<BTreeSet<_>>(), before);
        assert_eq!(removed.len(), count);
    }
}

#[test]
fn every_member_counts_as_a_change() {
    let server = Server::start(&["--save", ""]);
    let changes = |command: &str| {
        let before: u64 = server.info("rdb_changes_since_last_save").parse().unwrap();
        server.ask(command);
        server.info("rdb_changes_since_last_save").parse::<u64>().unwrap() - before
    };
    let commands = [
        ("SADD s 1 2 3 3", 3),
        ("SADD s 1", 0),
        ("SADD t 3 4 5 6 7 8", 6),
        ("SREM s 2 9", 1),
        ("SMOVE s t 1", 2),
        ("SMOVE s t 3", 1),
        ("SPOP t 2", 2),
        ("SPOP t", 1),
        ("SUNIONSTORE u t", 1),
        ("SINTERSTORE u absent", 1),
        ("SINTERSTORE u absent", 0),
        ("SPOP t 99", 4),
        ("SPOP t 99", 0),
    ];
    for (command, count) in commands {
        assert_eq!(changes(command), count, "{command}");
    }
}

#[test]
fn watched_sets() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        SADD s a b                              -> 2
        WATCH s                                 -> OK
        @b SADD s a                             -> 0
        MULTI                                   -> OK
        SPOP s 0                                -> QUEUED
        EXEC                                    -> [[]]
        WATCH s                                 -> OK
        @b SREM s a                             -> 1
        MULTI                                   -> OK
        SCARD s                                 -> QUEUED
        EXEC                                    -> nil[]
        WATCH to                                -> OK
        @b SMOVE s to b                         -> 1
        MULTI                                   -> OK
        EXEC                                    -> nil[]
        WATCH to                                -> OK
        @b SPOP to 5                            -> ["b"]
        MULTI                                   -> OK
        EXEC                                    -> nil[]
        WATCH d                                 -> OK
        @b SUNIONSTORE d absent                 -> 0
        MULTI                                   -> OK
        EXEC                                    -> []
    "#,
    );
}
