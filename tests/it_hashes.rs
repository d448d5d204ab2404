//! Hash commands: every option, every error, and the encodings that OBJECT ENCODING tells of.

mod common;
use common::*;

fn texts(reply: &Value) -> Vec<String> {
    reply.items().iter().map(Value::text).collect()
}

#[test]
fn fields_are_set_and_read() {
    Server::start(&[]).spec(
        r#"
        HGET h a                                -> nil
        HSET h a 1 b two                        -> 2
        HSET h b 2 c "three words"              -> 1
        HSET h a 1 a 2 d 4                      -> 1
        HGET h a                                -> "2"
        HGET h zz                               -> nil
        HMGET h a zz c a                        -> ["2", nil, "three words", "2"]
        HMGET absent a b                        -> [nil, nil]
        HLEN h                                  -> 4
        HLEN absent                             -> 0
        HEXISTS h a                             -> 1
        HEXISTS h zz                            -> 0
        HEXISTS absent a                        -> 0
        HSTRLEN h c                             -> 11
        HSTRLEN h a                             -> 1
        HSTRLEN h zz                            -> 0
        HSTRLEN absent a                        -> 0
        HGETALL h                               -> ["a", "2", "b", "2", "c", "three words", "d", "4"]
        HKEYS h                                 -> ["a", "b", "c", "d"]
        HVALS h                                 -> ["2", "2", "three words", "4"]
        HGETALL absent                          -> []
        HKEYS absent                            -> []
        HVALS absent                            -> []
        HSETNX h a 5                            -> 0
        HSETNX h e 5                            -> 1
        HSETNX fresh e 5                        -> 1
        HMSET h a 10 f ""                       -> OK
        HMGET h a f                             -> ["10", ""]
        HSET h "" empty "\x00\xff\r\n" "\x00"   -> 2
        HMGET h "" "\x00\xff\r\n"               -> ["empty", "\x00"]
        HSET h 007 -0 +1 " 1"                   -> 2
        HMGET h 007 +1 7                        -> ["-0", " 1", nil]
        HDEL h a zz b a                         -> 2
        HDEL h zz                               -> 0
        HDEL absent a                           -> 0
        HDEL fresh e f                          -> 1
        EXISTS fresh                            -> 0
        TYPE h                                  -> hash
    "#,
    );
}

#[test]
fn a_key_of_another_type_and_arguments_that_do_not_fit_are_refused() {
    Server::start(&[]).spec(
        r#"
        SET s x                                 -> OK
        HSET s a 1                              -> -WRONGTYPE Operation against a key holding the wrong kind of value
        HMSET s a 1                             -> -WRONGTYPE Operation against a key holding the wrong kind of value
        HSETNX s a 1                            -> -WRONGTYPE Operation against a key holding the wrong kind of value
        HGET s a                                -> -WRONGTYPE Operation against a key holding the wrong kind of value
        HMGET s a                               -> -WRONGTYPE Operation against a key holding the wrong kind of value
        HGETALL s                               -> -WRONGTYPE Operation against a key holding the wrong kind of value
        HKEYS s                                 -> -WRONGTYPE Operation against a key holding the wrong kind of value
        HVALS s                                 -> -WRONGTYPE Operation against a key holding the wrong kind of value
        HLEN s                                  -> -WRONGTYPE Operation against a key holding the wrong kind of value
        HSTRLEN s a                             -> -WRONGTYPE Operation against a key holding the wrong kind of value
        HEXISTS s a                             -> -WRONGTYPE Operation against a key holding the wrong kind of value
        HDEL s a                                -> -WRONGTYPE Operation against a key holding the wrong kind of value
        HINCRBY s a 1                           -> -WRONGTYPE Operation against a key holding the wrong kind of value
        HINCRBY s a x                           -> -ERR value is not an integer or out of range
        HINCRBYFLOAT s a 1                      -> -WRONGTYPE Operation against a key holding the wrong kind of value
        HINCRBYFLOAT s a x                      -> -ERR value is not a valid float
        HRANDFIELD s                            -> -WRONGTYPE Operation against a key holding the wrong kind of value
        HRANDFIELD s 1                          -> -WRONGTYPE Operation against a key holding the wrong kind of value
        HSCAN s 0                               -> -WRONGTYPE Operation against a key holding the wrong kind of value
        HSET h                                  -> -ERR wrong number of arguments for 'hset' command
        HSET h a                                -> -ERR wrong number of arguments for 'hset' command
        HSET h a 1 b                            -> -ERR wrong number of arguments for 'hset' command
        HSET s a 1 b                            -> -ERR wrong number of arguments for 'hset' command
        HMSET h a 1 b                           -> -ERR wrong number of arguments for 'hmset' command
        HSETNX h a                              -> -ERR wrong number of arguments for 'hsetnx' command
        HGET h                                  -> -ERR wrong number of arguments for 'hget' command
        HMGET h                                 -> -ERR wrong number of arguments for 'hmget' command
        HDEL h                                  -> -ERR wrong number of arguments for 'hdel' command
        EXISTS h                                -> 0
        HSET h a 1                              -> 1
        GET h                                   -> -WRONGTYPE Operation against a key holding the wrong kind of value
        INCR h                                  -> -WRONGTYPE Operation against a key holding the wrong kind of value
        APPEND h x                              -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SET h x                                 -> OK
        GET h                                   -> "x"
    "#,
    );
}

#[test]
fn fields_count() {
    Server::start(&[]).spec(
        r#"
        HINCRBY h n 5                           -> 5
        HINCRBY h n -7                          -> -2
        HINCRBY h n 9223372036854775807         -> 9223372036854775805
        HINCRBY h n 3                           -> -ERR increment or decrement would overflow
        HINCRBY h m -9223372036854775808        -> -9223372036854775808
        HINCRBY h m -1                          -> -ERR increment or decrement would overflow
        HINCRBY h m x                           -> -ERR value is not an integer or out of range
        HINCRBY h m 1.5                         -> -ERR value is not an integer or out of range
        HSET h text abc blank " 1" zero 01      -> 3
        HINCRBY h text 1                        -> -ERR hash value is not an integer
        HINCRBY h blank 1                       -> -ERR hash value is not an integer
        HINCRBY h zero 1                        -> -ERR hash value is not an integer
        HINCRBYFLOAT h f 10.50                  -> "10.5"
        HINCRBYFLOAT h f 0.1                    -> "10.6"
        HINCRBYFLOAT h f -5                     -> "5.6"
        HINCRBYFLOAT h f 5.0e3                  -> "5005.60000000000000009"
        HINCRBYFLOAT h text 1                   -> -ERR hash value is not a float
        HINCRBYFLOAT h f x                      -> -ERR value is not a valid float
        HINCRBYFLOAT h f inf                    -> -ERR value is NaN or Infinity
        HINCRBYFLOAT h f -inf                   -> -ERR value is NaN or Infinity
        HINCRBYFLOAT h f nan                    -> -ERR value is not a valid float
        HINCRBYFLOAT h n 1.5                    -> "9223372036854775806.5"
        HINCRBY h f 1                           -> -ERR hash value is not an integer
        HINCRBYFLOAT h zero 1                   -> "2"
        HGET h zero                             -> "2"
    "#,
    );
}

#[test]
fn encodings_change_where_redis_changes_them() {
    Server::start(&["--hash-max-listpack-entries", "3", "--hash-max-ziplist-value", "10"]).spec(
        r#"
        HSET h a 1 b 2 c 3                      -> 3
        OBJECT ENCODING h                       -> "listpack"
        HSET h c 4                              -> 0
        OBJECT ENCODING h                       -> "listpack"
        HSET h d 5                              -> 1
        OBJECT ENCODING h                       -> "hashtable"
        HDEL h b c d                            -> 3
        OBJECT ENCODING h                       -> "hashtable"
        HSET v a 1234567890                     -> 1
        OBJECT ENCODING v                       -> "listpack"
        HSET v a 12345678901                    -> 0
        OBJECT ENCODING v                       -> "hashtable"
        HSET f 1234567890x 1                    -> 1
        OBJECT ENCODING f                       -> "hashtable"
        HSETNX x a 1                            -> 1
        HSETNX x a 12345678901                  -> 0
        OBJECT ENCODING x                       -> "listpack"
        HINCRBY i a 9999999999                  -> 9999999999
        OBJECT ENCODING i                       -> "listpack"
        HINCRBY i a 1                           -> 10000000000
        OBJECT ENCODING i                       -> "hashtable"
        HINCRBYFLOAT i2 a 0.1234567890123       -> "0.1234567890123"
        OBJECT ENCODING i2                      -> "hashtable"
        COPY h h2                               -> 1
        OBJECT ENCODING h2                      -> "hashtable"
        HGETALL h2                              -> ["a", "1"]
        RENAME v v2                             -> OK
        HGETALL v2                              -> ["a", "12345678901"]
    "#,
    );
}

#[test]
fn fields_by_chance() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        HSET h a 1                              -> 1
        HRANDFIELD h                            -> "a"
        HRANDFIELD h 0                          -> []
        HRANDFIELD h 5                          -> ["a"]
        HRANDFIELD h -3                         -> ["a", "a", "a"]
        HRANDFIELD h 5 WITHVALUES               -> ["a", "1"]
        HRANDFIELD h -2 WITHVALUES              -> ["a", "1", "a", "1"]
        HRANDFIELD absent                       -> nil
        HRANDFIELD absent 5                     -> []
        HRANDFIELD absent -5 WITHVALUES         -> []
        HRANDFIELD h x                          -> -ERR value is not an integer or out of range
        HRANDFIELD h 1 FOO                      -> -ERR syntax error
        HRANDFIELD h 1 WITHVALUES FOO           -> -ERR syntax error
        HRANDFIELD h 4611686018427387904 WITHVALUES -> -ERR value is out of range
        HRANDFIELD h -9223372036854775808       -> -ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807
        HRANDFIELD h 9223372036854775807        -> ["a"]
        HELLO 3                                 ~> *
        HRANDFIELD h                            -> "a"
        HRANDFIELD h 5 WITHVALUES               -> [["a", "1"]]
        HRANDFIELD h -2 WITHVALUES              -> [["a", "1"], ["a", "1"]]
        HRANDFIELD absent                       -> null
        HRANDFIELD absent 5                     -> []
        HGETALL h                               -> {"a": "1"}
        HGETALL absent                          -> {}
        HKEYS h                                 -> ["a"]
        HGET h zz                               -> null
        HMGET h a zz                            -> ["1", null]
        HSCAN h 0                               -> ["0", ["a", "1"]]
    "#,
    );
    let mut conn = server.connect();
    for (fields, encoding) in [(100, "listpack"), (1000, "hashtable")] {
        let names: Vec<String> = (0..fields).map(|i| format!("f{i} v{i}")).collect();
        conn.run("DEL big");
        conn.run(&format!("HSET big {}", names.join(" ")));
        assert_eq!(conn.run("OBJECT ENCODING big").text(), encoding);
        for count in [1, 10, fields / 2, fields - 1, fields] {
            let mut chosen = texts(&conn.run(&format!("HRANDFIELD big {count}")));
            chosen.sort();
            chosen.dedup();
            assert_eq!(chosen.len(), count, "all are different");
            let pairs = texts(&conn.run(&format!("HRANDFIELD big -{count} WITHVALUES")));
            assert_eq!(pairs.len(), 2 * count);
            assert!(pairs.chunks(2).all(|pair| pair[0][1..] == pair[1][1..]), "names and values belong together");
        }
    }
}

#[test]
fn a_walk_returns_every_field() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        HSET h a 1 b 2 aa 3                     -> 3
        HSCAN h 0                               -> ["0", ["a", "1", "b", "2", "aa", "3"]]
        HSCAN h 7                               -> ["0", ["a", "1", "b", "2", "aa", "3"]]
        HSCAN h 0 MATCH a*                      -> ["0", ["a", "1", "aa", "3"]]
        HSCAN h 0 COUNT 1                       -> ["0", ["a", "1", "b", "2", "aa", "3"]]
        HSCAN absent 0                          -> ["0", []]
        HSCAN absent 0 COUNT 0                  -> ["0", []]
        HSCAN h x                               -> -ERR invalid cursor
        HSCAN absent x                          -> -ERR invalid cursor
        HSCAN h 0 COUNT 0                       -> -ERR syntax error
        HSCAN h 0 COUNT x                       -> -ERR value is not an integer or out of range
        HSCAN h 0 MATCH                         -> -ERR syntax error
        HSCAN h 0 FOO                           -> -ERR syntax error
        HSCAN h 0 TYPE hash                     -> -ERR syntax error
    "#,
    );
    if !is_reference() {
        server.session().check(r#"HSCAN h 0 MATCH a* NOVALUES -> ["0", ["a", "aa"]]"#);
    }
    let mut conn = server.connect();
    let names: Vec<String> = (0..2000).map(|i| format!("f{i} v{i}")).collect();
    conn.run(&format!("HSET big {}", names.join(" ")));
    let (mut cursor, mut seen) = ("0".to_owned(), std::collections::BTreeMap::new());
    loop {
        let reply = conn.run(&format!("HSCAN big {cursor} COUNT 50"));
        let (next, pairs) = (&reply.items()[0], texts(&reply.items()[1]));
        seen.extend(pairs.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())));
        // Others come and go meanwhile.
        conn.run("HSET big extra 1");
        conn.run("HDEL big extra");
        cursor = next.text();
        if cursor == "0" {
            break;
        }
    }
    seen.remove("extra");
    assert_eq!(seen.len(), 2000);
    assert!(seen.iter().all(|(name, value)| name[1..] == value[1..]));
}

#[test]
fn long_values_and_many_fields() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    let long = "x".repeat(100_000);
    assert_eq!(conn.cmd(&["HSET", "h", "long", &long, "short", "s"]).int(), 2);
    assert_eq!(conn.cmd(&["HGET", "h", "long"]).text(), long);
    assert_eq!(conn.cmd(&["HSTRLEN", "h", "long"]).int(), 100_000);
    assert_eq!(conn.cmd(&["COPY", "h", "copy"]).int(), 1);
    assert_eq!(conn.cmd(&["HSET", "h", "long", "1"]).int(), 0);
    assert_eq!(conn.cmd(&["HINCRBY", "h", "long", "1"]).int(), 2);
    assert_eq!(conn.cmd(&["HGET", "copy", "long"]).text(), long);
    assert_eq!(conn.cmd(&["HDEL", "copy", "long", "short"]).int(), 2);
    assert_eq!(conn.cmd(&["EXISTS", "copy"]).int(), 0);
    for chunk in 0..50 {
        let pairs: Vec<String> = (0..1000).map(|i| format!("field:{} {i}", chunk * 1000 + i)).collect();
        assert_eq!(conn.run(&format!("HSET big {}", pairs.join(" "))).int(), 1000);
    }
    assert_eq!(conn.run("HLEN big").int(), 50_000);
    assert_eq!(conn.run("HGET big field:49999").text(), "999");
    assert_eq!(conn.run("HKEYS big").items().len(), 50_000);
    assert_eq!(conn.run("DEL big").int(), 1);
    wait_until(|| server.info("lazyfree_pending_objects") == "0");
}
