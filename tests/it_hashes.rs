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
        HGET h a                                -> ?
        HSET h a 1 b two                        -> ?
        HSET h b 2 c "three words"              -> ?
        HSET h a 1 a 2 d 4                      -> ?
        HGET h a                                -> ?
        HGET h zz                               -> ?
        HMGET h a zz c a                        -> ?
        HMGET absent a b                        -> ?
        HLEN h                                  -> ?
        HLEN absent                             -> ?
        HEXISTS h a                             -> ?
        HEXISTS h zz                            -> ?
        HEXISTS absent a                        -> ?
        HSTRLEN h c                             -> ?
        HSTRLEN h a                             -> ?
        HSTRLEN h zz                            -> ?
        HSTRLEN absent a                        -> ?
        HGETALL h                               -> ?
        HKEYS h                                 -> ?
        HVALS h                                 -> ?
        HGETALL absent                          -> ?
        HKEYS absent                            -> ?
        HVALS absent                            -> ?
        HSETNX h a 5                            -> ?
        HSETNX h e 5                            -> ?
        HSETNX fresh e 5                        -> ?
        HMSET h a 10 f ""                       -> ?
        HMGET h a f                             -> ?
        HSET h "" empty "\x00\xff\r\n" "\x00"   -> ?
        HMGET h "" "\x00\xff\r\n"               -> ?
        HSET h 007 -0 +1 " 1"                   -> ?
        HMGET h 007 +1 7                        -> ?
        HDEL h a zz b a                         -> ?
        HDEL h zz                               -> ?
        HDEL absent a                           -> ?
        HDEL fresh e f                          -> ?
        EXISTS fresh                            -> ?
        TYPE h                                  -> ?
    "#,
    );
}

#[test]
fn a_key_of_another_type_and_arguments_that_do_not_fit_are_refused() {
    Server::start(&[]).spec(
        r#"
        SET s x                                 -> ?
        HSET s a 1                              -> ?
        HMSET s a 1                             -> ?
        HSETNX s a 1                            -> ?
        HGET s a                                -> ?
        HMGET s a                               -> ?
        HGETALL s                               -> ?
        HKEYS s                                 -> ?
        HVALS s                                 -> ?
        HLEN s                                  -> ?
        HSTRLEN s a                             -> ?
        HEXISTS s a                             -> ?
        HDEL s a                                -> ?
        HINCRBY s a 1                           -> ?
        HINCRBY s a x                           -> ?
        HINCRBYFLOAT s a 1                      -> ?
        HINCRBYFLOAT s a x                      -> ?
        HRANDFIELD s                            -> ?
        HRANDFIELD s 1                          -> ?
        HSCAN s 0                               -> ?
        HSET h                                  -> ?
        HSET h a                                -> ?
        HSET h a 1 b                            -> ?
        HSET s a 1 b                            -> ?
        HMSET h a 1 b                           -> ?
        HSETNX h a                              -> ?
        HGET h                                  -> ?
        HMGET h                                 -> ?
        HDEL h                                  -> ?
        EXISTS h                                -> ?
        HSET h a 1                              -> ?
        GET h                                   -> ?
        INCR h                                  -> ?
        APPEND h x                              -> ?
        SET h x                                 -> ?
        GET h                                   -> ?
    "#,
    );
}

#[test]
fn fields_count() {
    Server::start(&[]).spec(
        r#"
        HINCRBY h n 5                           -> ?
        HINCRBY h n -7                          -> ?
        HINCRBY h n 9223372036854775807         -> ?
        HINCRBY h n 3                           -> ?
        HINCRBY h m -9223372036854775808        -> ?
        HINCRBY h m -1                          -> ?
        HINCRBY h m x                           -> ?
        HINCRBY h m 1.5                         -> ?
        HSET h text abc blank " 1" zero 01      -> ?
        HINCRBY h text 1                        -> ?
        HINCRBY h blank 1                       -> ?
        HINCRBY h zero 1                        -> ?
        HINCRBYFLOAT h f 10.50                  -> ?
        HINCRBYFLOAT h f 0.1                    -> ?
        HINCRBYFLOAT h f -5                     -> ?
        HINCRBYFLOAT h f 5.0e3                  -> ?
        HINCRBYFLOAT h text 1                   -> ?
        HINCRBYFLOAT h f x                      -> ?
        HINCRBYFLOAT h f inf                    -> ?
        HINCRBYFLOAT h f -inf                   -> ?
        HINCRBYFLOAT h f nan                    -> ?
        HINCRBYFLOAT h n 1.5                    -> ?
        HINCRBY h f 1                           -> ?
        HINCRBYFLOAT h zero 1                   -> ?
        HGET h zero                             -> ?
    "#,
    );
}

#[test]
fn encodings_change_where_redis_changes_them() {
    Server::start(&["--hash-max-listpack-entries", "3", "--hash-max-ziplist-value", "10"]).spec(
        r#"
        HSET h a 1 b 2 c 3                      -> ?
        OBJECT ENCODING h                       -> ?
        HSET h c 4                              -> ?
        OBJECT ENCODING h                       -> ?
        HSET h d 5                              -> ?
        OBJECT ENCODING h                       -> ?
        HDEL h b c d                            -> ?
        OBJECT ENCODING h                       -> ?
        HSET v a 1234567890                     -> ?
        OBJECT ENCODING v                       -> ?
        HSET v a 12345678901                    -> ?
        OBJECT ENCODING v                       -> ?
        HSET f 1234567890x 1                    -> ?
        OBJECT ENCODING f                       -> ?
        HSETNX x a 1                            -> ?
        HSETNX x a 12345678901                  -> ?
        OBJECT ENCODING x                       -> ?
        HINCRBY i a 9999999999                  -> ?
        OBJECT ENCODING i                       -> ?
        HINCRBY i a 1                           -> ?
        OBJECT ENCODING i                       -> ?
        HINCRBYFLOAT i2 a 0.1234567890123       -> ?
        OBJECT ENCODING i2                      -> ?
        COPY h h2                               -> ?
        OBJECT ENCODING h2                      -> ?
        HGETALL h2                              -> ?
        RENAME v v2                             -> ?
        HGETALL v2                              -> ?
        CONFIG GET hash-max-*                   -> ?
    "#,
    );
}

#[test]
fn fields_by_chance() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        HSET h a 1                              -> ?
        HRANDFIELD h                            -> ?
        HRANDFIELD h 0                          -> ?
        HRANDFIELD h 5                          -> ?
        HRANDFIELD h -3                         -> ?
        HRANDFIELD h 5 WITHVALUES               -> ?
        HRANDFIELD h -2 WITHVALUES              -> ?
        HRANDFIELD absent                       -> ?
        HRANDFIELD absent 5                     -> ?
        HRANDFIELD absent -5 WITHVALUES         -> ?
        HRANDFIELD h x                          -> ?
        HRANDFIELD h 1 FOO                      -> ?
        HRANDFIELD h 1 WITHVALUES FOO           -> ?
        HRANDFIELD h 4611686018427387904 WITHVALUES -> ?
        HRANDFIELD h -9223372036854775808       -> ?
        HRANDFIELD h 9223372036854775807        -> ?
        HELLO 3                                 ~> *
        HRANDFIELD h                            -> ?
        HRANDFIELD h 5 WITHVALUES               -> ?
        HRANDFIELD h -2 WITHVALUES              -> ?
        HRANDFIELD absent                       -> ?
        HRANDFIELD absent 5                     -> ?
        HGETALL h                               -> ?
        HGETALL absent                          -> ?
        HKEYS h                                 -> ?
        HGET h zz                               -> ?
        HMGET h a zz                            -> ?
        HSCAN h 0                               -> ?
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
        HSET h a 1 b 2 aa 3                     -> ?
        HSCAN h 0                               -> ?
        HSCAN h 7                               -> ?
        HSCAN h 0 MATCH a*                      -> ?
        HSCAN h 0 COUNT 1                       -> ?
        HSCAN absent 0                          -> ?
        HSCAN absent 0 COUNT 0                  -> ?
        HSCAN h x                               -> ?
        HSCAN absent x                          -> ?
        HSCAN h 0 COUNT 0                       -> ?
        HSCAN h 0 COUNT x                       -> ?
        HSCAN h 0 MATCH                         -> ?
        HSCAN h 0 FOO                           -> ?
        HSCAN h 0 TYPE hash                     -> ?
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
