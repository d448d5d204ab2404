//! HyperLogLogs: replies, errors, what is told of a change, and strings equal byte for byte with those of a real redis-server.

mod common;
use common::*;

#[test]
fn elements_are_added_and_counted() {
    Server::start(&[]).spec(
        r#"
        PFADD h                                 -> 1
        PFADD h                                 -> 0
        GET h                                   -> "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x7f\xff"
        PFCOUNT h                               -> 0
        GET h                                   -> "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x7f\xff"
        PFADD h a b c                           -> 1
        PFADD h a b c                           -> 0
        GET h                                   -> "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80`\xf3\x80P\xb1\x84K\xfb\x80BZ"
        PFCOUNT h                               -> 3
        GET h                                   -> "HYLL\x01\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00`\xf3\x80P\xb1\x84K\xfb\x80BZ"
        PFADD h ""                              -> 1
        PFCOUNT h                               -> 4
        TYPE h                                  -> string
        OBJECT ENCODING h                       -> "raw"
        PFDEBUG ENCODING h                      -> sparse
        PFDEBUG DECODE h                        -> "Z:5938 v:2,1 Z:2497 v:1,1 Z:4274 v:2,1 Z:3068 v:1,1 Z:603"
        EXPIRE h 100                            -> 1
        PFADD h d e f                           -> 1
        TTL h                                   -> 99..100
        PFADD i a x y                           -> 1
        PFCOUNT h i                             -> 9
        PFCOUNT i missing                       -> 3
        PFCOUNT missing                         -> 0
        PFCOUNT missing missing                 -> 0
        EXISTS missing                          -> 0

        PFADD                                   -> -ERR wrong number of arguments for 'pfadd' command
        PFCOUNT                                 -> -ERR wrong number of arguments for 'pfcount' command
        PFMERGE                                 -> -ERR wrong number of arguments for 'pfmerge' command
        PFDEBUG                                 -> -ERR wrong number of arguments for 'pfdebug' command
        PFDEBUG ENCODING                        -> -ERR wrong number of arguments for 'pfdebug' command
        PFSELFTEST x                            -> -ERR wrong number of arguments for 'pfselftest' command
    "#,
    );
}

#[test]
fn several_are_merged() {
    Server::start(&[]).spec(
        r#"
        PFADD a 1 2 3                           -> 1
        PFADD b 3 4 5                           -> 1
        PFMERGE to a b                          -> OK
        PFCOUNT to                              -> 5
        PFDEBUG DECODE to                       -> "Z:495 v:2,1 Z:2084 v:1,1 Z:4946 v:1,1 Z:3445 v:1,1 Z:4397 v:4,1 Z:1012"
        GET to                                  -> "HYLL\x01\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00A\xee\x84H#\x80SQ\x80Mt\x80Q,\x8cC\xf3"
        OBJECT ENCODING to                      -> "raw"
        PFADD c 6                               -> 1
        EXPIRE c 100                            -> 1
        PFMERGE c a missing                     -> OK
        TTL c                                   -> 99..100
        PFCOUNT c                               -> 4
        PFMERGE new                             -> OK
        GET new                                 -> "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x7f\xff"
        PFMERGE other missing                   -> OK
        PFCOUNT other                           -> 0
        PFDEBUG TODENSE b                       -> 1
        PFMERGE to b                            -> OK
        PFDEBUG ENCODING to                     -> dense
        PFCOUNT to                              -> 5
        STRLEN to                               -> 12304
        PFMERGE to missing                      -> OK
        PFDEBUG ENCODING to                     -> dense
        PFCOUNT to a c                          -> 6
        SET s text                              -> OK
        PFMERGE s a                             -> -WRONGTYPE Key is not a valid HyperLogLog string value.
        PFMERGE a s                             -> -WRONGTYPE Key is not a valid HyperLogLog string value.
        PFMERGE fresh a s                       -> -WRONGTYPE Key is not a valid HyperLogLog string value.
        EXISTS fresh                            -> 0
        LPUSH l x                               -> 1
        PFMERGE a l                             -> -WRONGTYPE Operation against a key holding the wrong kind of value
    "#,
    );
}

#[test]
fn what_is_no_hyperloglog() {
    Server::start(&[]).spec(
        r#"
        SET n 12                                -> OK
        SET s "a text that is long enough"      -> OK
        SET short HYLL                          -> OK
        SET other "HYLL\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" -> OK
        SET dense "HYLL\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" -> OK
        LPUSH l x                               -> 1
        PFADD n a                               -> -WRONGTYPE Key is not a valid HyperLogLog string value.
        PFADD s                                 -> -WRONGTYPE Key is not a valid HyperLogLog string value.
        PFADD short a                           -> -WRONGTYPE Key is not a valid HyperLogLog string value.
        PFADD other a                           -> -WRONGTYPE Key is not a valid HyperLogLog string value.
        PFADD dense a                           -> -WRONGTYPE Key is not a valid HyperLogLog string value.
        PFADD l a                               -> -WRONGTYPE Operation against a key holding the wrong kind of value
        PFCOUNT n                               -> -WRONGTYPE Key is not a valid HyperLogLog string value.
        PFCOUNT s                               -> -WRONGTYPE Key is not a valid HyperLogLog string value.
        PFCOUNT s n                             -> -WRONGTYPE Key is not a valid HyperLogLog string value.
        PFCOUNT l                               -> -WRONGTYPE Operation against a key holding the wrong kind of value
        PFCOUNT missing l                       -> -WRONGTYPE Operation against a key holding the wrong kind of value
        PFDEBUG ENCODING s                      -> -WRONGTYPE Key is not a valid HyperLogLog string value.
        PFDEBUG ENCODING l                      -> -WRONGTYPE Operation against a key holding the wrong kind of value
        PFDEBUG ENCODING missing                -> -ERR The specified key does not exist
        PFDEBUG NOSUCH missing                  -> -ERR The specified key does not exist
        PFDEBUG NOSUCH s                        -> -WRONGTYPE Key is not a valid HyperLogLog string value.
        OBJECT ENCODING s                       -> "embstr"
    "#,
    );
}

#[test]
fn one_that_is_broken() {
    Server::start(&[]).spec(
        r#"
        SET none "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" -> OK
        OBJECT ENCODING none                    -> "embstr"
        PFCOUNT none                            -> 0
        OBJECT ENCODING none                    -> "raw"
        PFADD none                              -> 0
        PFADD none a                            -> -INVALIDOBJ Corrupted HLL object detected
        PFCOUNT none none                       -> -INVALIDOBJ Corrupted HLL object detected
        PFMERGE none                            -> -INVALIDOBJ Corrupted HLL object detected
        PFMERGE new none                        -> -INVALIDOBJ Corrupted HLL object detected
        EXISTS new                              -> 0
        PFDEBUG ENCODING none                   -> sparse
        PFDEBUG DECODE none                     -> ""
        PFDEBUG TODENSE none                    -> -INVALIDOBJ Corrupted HLL object detected
        PFDEBUG GETREG none                     -> -INVALIDOBJ Corrupted HLL object detected
        SET stale "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x00\x7f\x00" -> OK
        PFCOUNT stale                           -> -INVALIDOBJ Corrupted HLL object detected
        GET stale                               -> "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x00\x7f\x00"
        PFDEBUG DECODE stale                    -> "z:1 Z:16129"
        SET claims "HYLL\x01\x00\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00\x00" -> OK
        PFCOUNT claims                          -> 7
        PFADD tail a b c                        -> 1
        APPEND tail hello                       -> 26..40
        PFCOUNT tail                            -> -INVALIDOBJ Corrupted HLL object detected
        PFADD tail a                            -> 0
        PFMERGE tail                            -> -INVALIDOBJ Corrupted HLL object detected
        PFDEBUG DECODE tail                     -> "Z:8436 v:1,1 Z:4274 v:2,1 Z:3068 v:1,1 Z:603 Z:10342 Z:11373 Z:12033"
        SET part "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x5f\xff" -> OK
        PFDEBUG DECODE part                     -> "Z:8192"
        PFADD part a b c d e f g h i j k l m    -> -INVALIDOBJ Corrupted HLL object detected
        PFDEBUG DECODE part                     -> "Z:8192"
        SET long "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" -> OK
        SETRANGE long 16400 x                   -> 16401
        PFDEBUG DECODE long                     -> -INVALIDOBJ Corrupted HLL object detected
    "#,
    );
}

#[test]
fn how_one_is_laid_out() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        PFADD h a b c d e                       -> 1
        PFDEBUG DECODE h                        -> "Z:7292 v:1,1 Z:1143 v:1,1 Z:4274 v:2,1 Z:2445 v:1,1 Z:622 v:1,1 Z:603"
        PFDEBUG decode h                        -> "Z:7292 v:1,1 Z:1143 v:1,1 Z:4274 v:2,1 Z:2445 v:1,1 Z:622 v:1,1 Z:603"
        PFDEBUG TODENSE h                       -> 1
        PFDEBUG TODENSE h                       -> 0
        PFDEBUG ENCODING h                      -> dense
        PFDEBUG DECODE h                        -> -ERR HLL encoding is not sparse
        PFDEBUG NOSUCH h                        -> -ERR Unknown PFDEBUG subcommand 'NOSUCH'
        PFCOUNT h                               -> 5
        STRLEN h                                -> 12304
        CONFIG GET hll-sparse-max-bytes         -> ["hll-sparse-max-bytes", "3000"]
        CONFIG SET hll-sparse-max-bytes 30      -> OK
        PFADD i a b c                           -> 1
        PFDEBUG ENCODING i                      -> sparse
        PFADD i d e f g                         -> 1
        PFDEBUG ENCODING i                      -> dense
        CONFIG SET hll-sparse-max-bytes 0       -> OK
        PFADD j                                 -> 1
        PFDEBUG ENCODING j                      -> sparse
        PFADD j a                               -> 1
        PFDEBUG ENCODING j                      -> dense
    "#,
    );
    let Value::Array(registers) = server.ask("PFDEBUG GETREG i") else { panic!("an array") };
    assert_eq!((registers.len(), registers.iter().filter(|r| r.int() > 0).count()), (16384, 7));
    server.ask("CONFIG SET hll-sparse-max-bytes 3000");
    server.ask("PFADD k a b c");
    assert!(matches!(server.ask("PFDEBUG GETREG k"), Value::Array(registers) if registers.len() == 16384));
    assert_eq!(server.ask("PFDEBUG ENCODING k"), *"dense", "it looks at a dense one");
}

#[test]
fn it_tests_itself() {
    if is_reference() {
        return;
    }
    assert_eq!(Server::start(&[]).ask("PFSELFTEST"), *"OK");
}

/// As many sparse and dense ones as come of it are equal to the reference's, byte for byte, cached estimates too.
#[test]
fn strings_are_those_of_the_reference() {
    if is_reference() {
        return;
    }
    for max_bytes in ["3000", "300", "18"] {
        let settings = ["--hll-sparse-max-bytes", max_bytes];
        let mut conns = [Server::start(&settings), Server::redis(&settings)].map(|server| (server.connect(), server));
        let mut both = |args: &[Vec<u8>]| {
            let [ours, theirs] = conns.each_mut().map(|(conn, _)| conn.cmd(args));
            assert!(ours == theirs, "{:?}", args.iter().map(|arg| arg.escape_ascii().to_string()).collect::<Vec<_>>());
        };
        let words = |line: String| line.split(' ').map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>();
        let mut n = 0u64;
        for round in 0..120u64 {
            let key = round % 5;
            let mut add = words(format!("PFADD h{key}"));
            for _ in 0..round * round / 40 + 1 {
                n += 1;
                add.push((n * 7919 % 100_000).to_string().repeat((n % 4) as usize).into_bytes());
            }
            both(&add);
            both(&words(format!("GET h{key}")));
            if round % 3 == 0 {
                both(&words(format!("PFCOUNT h{key}")));
                both(&words(format!("PFCOUNT h{key} h{} none", round % 4)));
                both(&words(format!("PFMERGE m{} h{key} h{}", round % 2, round % 3)));
                both(&words(format!("GET m{}", round % 2)));
                both(&words(format!("GET h{key}")));
            }
        }
    }
}

/// Registers that hardly any elements lead to: estimates are computed as the reference does it, to the bit.
#[test]
fn estimates_are_those_of_the_reference() {
    if is_reference() {
        return;
    }
    let mut conns = [Server::start(&[]), Server::redis(&[])].map(|server| (server.connect(), server));
    let mut rng = solod::data::rng::Rng::new(5);
    let mut registers = vec![0u8; 16384];
    for round in 0..150 {
        let (low, high) = match round {
            0 => (51, 51),
            1 => (63, 63),
            2 => (50, 50),
            3 => (49, 51),
            4 => (0, 63),
            _ => {
                let low = rng.below(52) as u8;
                (low, low + rng.below(u64::from(64 - low)) as u8)
            }
        };
        let zeros = rng.below(4);
        registers.fill_with(|| if rng.below(8) < zeros { 0 } else { low + rng.below(u64::from(high - low) + 1) as u8 });
        let mut text = b"HYLL\0\0\0\0\0\0\0\0\0\0\0\x80".to_vec();
        for four in registers.chunks(4) {
            let bits = four.iter().rev().fold(0u32, |bits, register| bits << 6 | u32::from(*register));
            text.extend_from_slice(&bits.to_le_bytes()[..3]);
        }
        let [ours, theirs] = conns.each_mut().map(|(conn, _)| {
            conn.cmd(&[b"SET", &b"h"[..], &text]);
            [conn.cmd(&["PFCOUNT", "h"]), conn.cmd(&["PFCOUNT", "h", "h"]), conn.cmd(&["GET", "h"])]
        });
        assert!(ours == theirs, "{low} to {high}: {} and {}", ours[0], theirs[0]);
    }
}

#[test]
fn commands_are_described_as_the_reference_does() {
    if is_reference() {
        return;
    }
    let (ours, theirs) = (Server::start(&[]), Server::redis(&[]));
    for name in "pfadd pfcount pfmerge pfdebug pfselftest".split(' ') {
        let [ours, theirs] = [&ours, &theirs].map(|server| described(&server.ask(&format!("COMMAND INFO {name}"))));
        assert_eq!(ours, theirs, "{name}");
    }
    let flags = |server: &Server| {
        server.ask("COMMAND DOCS pfdebug").items()[1].items().chunks(2).find(|pair| pair[0].text() == "doc_flags").map(|p| p[1].clone())
    };
    assert_eq!(flags(&ours), flags(&theirs));
}

#[test]
fn an_estimate_that_is_kept_counts_as_a_change() {
    let server = Server::start(&[]);
    let counted = |line: &str| server.changes_of(line);
    assert_eq!(["PFADD h", "PFADD h", "PFADD h a b c", "PFADD h a", "PFADD i x y"].map(counted), [1, 0, 3, 0, 3]);
    assert_eq!(["PFCOUNT h", "PFCOUNT h", "PFCOUNT h i", "PFMERGE i h", "PFMERGE i h"].map(counted), [1, 0, 0, 1, 1]);
    assert_eq!(["PFDEBUG ENCODING h", "PFDEBUG TODENSE h", "PFDEBUG TODENSE h", "PFDEBUG GETREG i"].map(counted), [0, 1, 0, 1]);
    let (mut a, mut b) = (server.connect(), server.connect());
    for (line, aborts) in [("PFADD h z", true), ("PFCOUNT h", true), ("PFCOUNT h", false), ("PFCOUNT h i", false), ("PFADD h z", false)] {
        a.run("WATCH h");
        a.run("MULTI");
        b.run(line);
        assert_eq!(a.run("EXEC") == Value::NilArray, aborts, "{line}");
    }
}

/// What a replica is told, and what it does by itself.
#[test]
fn a_replica_holds_the_same_strings() {
    let primary = Server::start(&[]);
    let replica = Server::start(&["--replicaof", "127.0.0.1", &primary.port.to_string()]);
    wait_until(|| replica.info("master_link_status") == "up");
    let ask_all = |lines: &[&str]| lines.iter().for_each(|line| drop(primary.ask(line)));
    let in_step = || wait_until(|| primary.info("master_repl_offset") == replica.info("slave_repl_offset"));
    ask_all(&["PFADD h a b c", "PFCOUNT h", "PFADD i x", "PFMERGE m h i", "PFCOUNT m", "PFADD d 1 2 3", "PFDEBUG TODENSE d"]);
    in_step();
    assert_eq!(primary.ask("DEBUG DIGEST"), replica.ask("DEBUG DIGEST"));
    assert_eq!((replica.ask("GET h"), replica.ask("PFDEBUG ENCODING d")), (primary.ask("GET h"), replica.ask("PFDEBUG ENCODING d")));
    primary.ask("PFADD h d");
    in_step();
    // It may keep an estimate, which nobody else is told of.
    let (offset, before) = (replica.info("slave_repl_offset"), replica.ask("GET h"));
    assert_eq!(replica.ask("PFCOUNT h"), Value::Int(4));
    assert!(replica.ask("GET h") != before);
    assert_eq!((replica.info("slave_repl_offset"), replica.ask("PFCOUNT h")), (offset, Value::Int(4)));
    // One that is broken takes some elements, and then fails: the replica is told of what it has become, and fails at nothing.
    primary.ask(r#"SET part "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x5f\xff""#);
    assert_eq!(primary.ask("PFADD part a b c d e f g h i j k l m"), *"-INVALIDOBJ Corrupted HLL object detected");
    primary.ask("PFADD end x");
    in_step();
    assert_eq!(primary.ask("GET part"), replica.ask("GET part"));
    assert!(!replica.log().contains("CRITICAL"), "{}", replica.log());
    assert_eq!(replica.ask("PFADD h e"), *"-READONLY You can't write against a read only replica.");
    assert_eq!(replica.ask("PFMERGE h i"), *"-READONLY You can't write against a read only replica.");
}

/// It takes no more than the string and the key.
#[test]
fn twenty_elements_take_little_memory() {
    if is_reference() {
        return;
    }
    let server = Server::start(&[]);
    let mut conn = server.connect();
    let elements: Vec<String> = (0..20).map(|n| format!("element:{n}")).collect();
    let mut add = vec!["PFADD".to_owned(), "hll:0000000001".to_owned()];
    add.extend(elements);
    conn.cmd(&add);
    let bytes = server.ask("MEMORY USAGE hll:0000000001").int();
    assert!(bytes <= 135, "{bytes}");
}

/// What COMMAND INFO says without the remarks, and with words in order.
fn described(value: &Value) -> String {
    match value {
        Value::Array(items) if items.first() == Some(&Value::Bulk(b"notes".to_vec())) => described(&Value::Array(items[2..].to_vec())),
        Value::Array(items) if items.iter().all(|item| matches!(item, Value::Simple(_))) => {
            let mut words: Vec<String> = items.iter().map(Value::to_string).collect();
            words.sort();
            format!("{words:?}")
        }
        Value::Array(items) => format!("[{}]", items.iter().map(described).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}
