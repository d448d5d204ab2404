//! Deadlines of hash fields: the commands that set and tell them, and what happens when they come.
//!
//! The reference is Redis 8.0; a server that does not know the commands passes by.

mod common;
use common::*;

/// A server that knows of deadlines of fields.
fn server() -> Option<Server> {
    Some(Server::start(&["--enable-debug-command", "yes"])).filter(|server| server.knows("HEXPIRE"))
}

/// The server under test, unless it is the reference: that one hides less of what is due, and tells of fewer things when they change.
fn ours() -> Option<Server> {
    server().filter(|_| !is_reference())
}

#[test]
fn fields_are_given_deadlines() {
    let Some(server) = server() else { return };
    server.spec(
        r#"
        HSET h a 1 b 2 c 3                            -> 3
        HEXPIRE h 100 FIELDS 1 zz                     -> [-2]
        OBJECT ENCODING h                             -> "listpackex"
        HEXPIRE h 100 FIELDS 2 a zz                   -> [1, -2]
        HEXPIRE h 100 FIELDS 2 a                      -> -ERR The `numfields` parameter must match the number of arguments
        HEXPIRE h 100 FIELDS 0 a                      -> -ERR Parameter `numFields` should be greater than 0
        HEXPIRE h 100 FIELDS -1 a                     -> -ERR Parameter `numFields` should be greater than 0
        HEXPIRE h 100 FIELDS x a                      -> -ERR Parameter `numFields` should be greater than 0
        HEXPIRE h x FIELDS 1 a                        -> -ERR value is not an integer or out of range
        HEXPIRE h -1 FIELDS 1 a                       -> -ERR invalid expire time, must be >= 0
        HEXPIRE h 99999999999999 FIELDS 1 a           -> -ERR invalid expire time in 'hexpire' command
        HPEXPIRE h 9223372036854775807 FIELDS 1 a     -> -ERR invalid expire time in 'hpexpire' command
        HPEXPIREAT h 281474976710655 FIELDS 1 a       -> -ERR invalid expire time in 'hpexpireat' command
        HPEXPIREAT h 70368744177663 FIELDS 1 a        -> [1]
        HPEXPIRETIME h FIELDS 1 a                     -> [70368744177663]
        HEXPIRETIME h FIELDS 1 a                      -> [70368744178]
        HPEXPIREAT h 70368744177664 FIELDS 1 a        -> -ERR invalid expire time in 'hpexpireat' command
        HEXPIRE h 100 NX XX FIELDS 1 a                -> -ERR Mandatory argument FIELDS is missing or not at the right position
        HEXPIRE h 100 foo FIELDS 1 a                  -> -ERR Mandatory argument FIELDS is missing or not at the right position
        HEXPIRE h 100 NX FIELDS 1 b                   -> [1]
        HEXPIRE h 100 NX FIELDS 1 b                   -> [0]
        HEXPIRE h 200 GT FIELDS 1 b                   -> [1]
        HEXPIRE h 300 LT FIELDS 1 b                   -> [0]
        HEXPIRE h 300 LT FIELDS 1 c                   -> [1]
        HEXPIREAT h 33177117420 GT FIELDS 1 c         -> [1]
        HEXPIREAT h 33177117420 GT FIELDS 1 c         -> [0]
        HEXPIRE h 100 FIELDS 1 a FIELDS 1 b           -> -ERR The `numfields` parameter must match the number of arguments
        HEXPIRE h 100 fields 1 a                      -> [1]
        HEXPIRE nokey 100 FIELDS 1 a                  -> [-2]
        HEXPIRE nokey x FIELDS 1 a                    -> -ERR value is not an integer or out of range
        SET s 1                                       -> OK
        HEXPIRE s x FIELDS 1 a                        -> -WRONGTYPE Operation against a key holding the wrong kind of value
        HTTL s FIELDS 1 a                             -> -WRONGTYPE Operation against a key holding the wrong kind of value
        HTTL h FIELDS 3 a b zz                        ~> [*, *, -2]
        HTTL h FIELDS 2 a                             -> -ERR The `numfields` parameter must match the number of arguments
        HTTL h FIELDS 0 a                             -> -ERR Number of fields must be a positive integer
        HTTL h FIELDS x a                             -> -ERR Number of fields must be a positive integer
        HTTL h FIELD 1 a                              -> -ERR Mandatory argument FIELDS is missing or not at the right position
        HTTL nokey FIELDS 2 a b                       -> [-2, -2]
        HPERSIST h FIELDS 3 a b zz                    -> [1, 1, -2]
        HPERSIST h FIELDS 1 a                         -> [-1]
        HPERSIST h FIELDS 0 a                         -> -ERR Number of fields must be a positive integer
        HPERSIST nokey FIELDS 1 a                     -> [-2]
        HGETALL h                                     -> ["c", "3", "a", "1", "b", "2"]
        OBJECT ENCODING h                             -> "listpackex"
        HEXPIRE h 0 FIELDS 1 a                        -> [2]
        HGETALL h                                     -> ["c", "3", "b", "2"]
        HEXPIREAT h 5 FIELDS 2 b c                    -> [2, 2]
        EXISTS h                                      -> 0
        HSET h a 1 b 2 c 3                            -> 3
        HEXPIRE h 100 FIELDS 2 a a                    -> [1, 1]
        HEXPIRE h 0 FIELDS 2 a a                      -> [2, -2]
        HEXPIRE h 1000000000000 FIELDS 1 a            -> -ERR invalid expire time in 'hexpire' command
    "#,
    );
}

#[test]
fn hgetex_reads_and_changes_deadlines() {
    let Some(server) = server() else { return };
    server.spec(
        r#"
        SET s 1                                       -> OK
        HSET h a 1 b 2 c 3                            -> 3
        HGETEX h FIELDS 2 a zz                        -> ["1", nil]
        HGETEX h EX 100 FIELDS 2 a zz                 -> ["1", nil]
        HTTL h FIELDS 2 a b                           ~> [*, -1]
        HGETEX h PERSIST FIELDS 2 a zz                -> ["1", nil]
        HTTL h FIELDS 2 a b                           -> [-1, -1]
        HGETEX h EX 0 FIELDS 1 a                      -> ["1"]
        HGETEX h EX -1 FIELDS 1 a                     -> -ERR invalid expire time, must be >= 0
        HGETEX h EX x FIELDS 1 a                      -> -ERR value is not an integer or out of range
        HGETEX h PXAT 1 FIELDS 1 a                    -> [nil]
        HGETALL h                                     -> ["b", "2", "c", "3"]
        HGETEX h EX 10 PX 10 FIELDS 1 b               -> -ERR Mandatory argument FIELDS is missing or not at the right position
        HGETEX h EX 10 PERSIST FIELDS 1 b             -> -ERR Mandatory argument FIELDS is missing or not at the right position
        HGETEX h PERSIST PERSIST FIELDS 1 b           -> -ERR Mandatory argument FIELDS is missing or not at the right position
        HGETEX h FIELDS 1 b EX 10                     -> -ERR The `numfields` parameter must match the number of arguments
        HGETEX h EX 10 FIELDS 2 b                     -> -ERR The `numfields` parameter must match the number of arguments
        HGETEX h EX 10 FIELDS 0 b                     -> -ERR Number of fields must be a positive integer
        HGETEX h EX 10 FIELDS x b                     -> -ERR Number of fields must be a positive integer
        HGETEX h EX 10 FIELDS 1 b c                   -> -ERR The `numfields` parameter must match the number of arguments
        HGETEX h EX 10 b c                            -> -ERR Mandatory argument FIELDS is missing or not at the right position
        HGETEX h KEEPTTL FIELDS 1 b                   -> -ERR Mandatory argument FIELDS is missing or not at the right position
        HGETEX h FOO FIELDS 1 b                       -> -ERR Mandatory argument FIELDS is missing or not at the right position
        HGETEX h FIELDS 1 b FIELDS 1 c                -> -ERR The `numfields` parameter must match the number of arguments
        HGETEX h EX FIELDS 1 b                        -> -ERR value is not an integer or out of range
        HGETEX h FIELDS b                             -> -ERR wrong number of arguments for 'hgetex' command
        HGETEX h EX 99999999999999 FIELDS 1 b         -> -ERR invalid expire time in 'hgetex' command
        HGETEX h PXAT 9223372036854775807 FIELDS 1 b  -> -ERR invalid expire time in 'hgetex' command
        HGETEX nokey FIELDS 2 a b                     -> [nil, nil]
        HGETEX nokey EX 10 FIELDS 2 a b               -> [nil, nil]
        HGETEX nokey EX x FIELDS 2 a b                -> -ERR value is not an integer or out of range
        HGETEX s FIELDS 1 a                           -> -WRONGTYPE Operation against a key holding the wrong kind of value
        HGETEX s FOO FIELDS 1 a                       -> -WRONGTYPE Operation against a key holding the wrong kind of value
        HGETEX s EX x FOO 1 b                         -> -WRONGTYPE Operation against a key holding the wrong kind of value
        HGETEX h EX x FOO 1 b                         -> -ERR value is not an integer or out of range
        HGETEX h EX 99999999999999 FOO 1 b            -> -ERR invalid expire time in 'hgetex' command
        HGETEX h EX -5 FOO 1 b                        -> -ERR invalid expire time, must be >= 0
    "#,
    );
}

#[test]
fn hsetex_sets_values_and_deadlines() {
    let Some(server) = server() else { return };
    server.spec(
        r#"
        SET s 1                                       -> OK
        HSET h b 2 c 3                                -> 2
        HSETEX h FIELDS 1 a 1                         -> 1
        HSETEX h EX 100 FIELDS 2 a 1 b 2              -> 1
        HTTL h FIELDS 3 a b c                         ~> [*, *, -1]
        HSETEX h FNX FIELDS 2 a 9 z 9                 -> 0
        HSETEX h FXX FIELDS 2 a 9 z 9                 -> 0
        HGETALL h                                     -> ["b", "2", "a", "1", "c", "3"]
        HSETEX h FNX FIELDS 1 z 9                     -> 1
        HSETEX h FXX EX 10 FIELDS 1 z 10              -> 1
        HTTL h FIELDS 1 z                             ~> [*]
        HSETEX h FNX FXX FIELDS 1 z 9                 -> -ERR Only one of FXX or FNX arguments can be specified
        HSETEX h EX 10 PX 10 FIELDS 1 z 9             -> -ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified
        HSETEX h EX 10 KEEPTTL FIELDS 1 z 9           -> -ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified
        HSETEX h KEEPTTL FIELDS 1 z 11                -> 1
        HTTL h FIELDS 1 z                             ~> [*]
        HSETEX h FIELDS 1 z 11                        -> 1
        HTTL h FIELDS 1 z                             -> [-1]
        HSETEX h PERSIST FIELDS 1 z 11                -> -ERR unknown argument: PERSIST
        HSETEX h EX 0 FIELDS 1 z 11                   -> 1
        HSETEX h EX -1 FIELDS 1 z 11                  -> -ERR invalid expire time, must be >= 0
        HSETEX h EX x FIELDS 1 z 11                   -> -ERR value is not an integer or out of range
        HSETEX h PXAT 1 FIELDS 1 z 11                 -> 1
        HGETALL h                                     -> ["b", "2", "a", "1", "c", "3"]
        HSETEX new PXAT 1 FIELDS 1 z 11               -> 1
        EXISTS new                                    -> 0
        HSETEX new FXX FIELDS 1 z 11                  -> 0
        EXISTS new                                    -> 0
        HSETEX h FIELDS 2 a 1                         -> -ERR wrong number of arguments for 'hsetex' command
        HSETEX h FIELDS 1 a 1 b 2                     -> -ERR wrong number of arguments for 'hsetex' command
        HSETEX h FIELDS 0 a 1                         -> -ERR invalid number of fields
        HSETEX h FIELDS x a 1                         -> -ERR invalid number of fields
        HSETEX h FOO FIELDS 1 a 1                     -> -ERR unknown argument: FOO
        HSETEX h a 1 b 2                              -> -ERR unknown argument: a
        HSETEX h FIELDS 1 a 1 EX 10                   -> -ERR wrong number of arguments for 'hsetex' command
        HSETEX h FIELDS 1 a 1 FNX                     -> -ERR wrong number of arguments for 'hsetex' command
        HSETEX h FIELDS 1 a                           -> -ERR wrong number of arguments for 'hsetex' command
        HSETEX h EX FIELDS 1 a 1                      -> -ERR value is not an integer or out of range
        HSETEX h EX 99999999999999999 FIELDS 1 a 1    -> -ERR invalid expire time in 'hsetex' command
        HSETEX s FIELDS 1 a 1                         -> -WRONGTYPE Operation against a key holding the wrong kind of value
        HSETEX s FOO FIELDS 1 a 1                     -> -ERR unknown argument: FOO
        HSETEX s EX x FIELDS 1 a 1                    -> -ERR value is not an integer or out of range
        HSETEX s EX x FNX FXX FIELDS 1 a 1            -> -ERR value is not an integer or out of range
        HSETEX s EX 1 FNX FXX FIELDS 1 a 1            -> -ERR Only one of FXX or FNX arguments can be specified
        HSETEX h FNX FNX FIELDS 1 a 1                 -> -ERR Only one of FXX or FNX arguments can be specified
        HSETEX h EX 10 EX 10 FIELDS 1 a 1             -> -ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified
        HSETEX h fnx fields 1 a 1                     -> 0
        HSETEX nokey FNX EX 10 FIELDS 1 a             -> -ERR wrong number of arguments for 'hsetex' command
        HSETEX nokey FNX EX FIELDS 1 a b              -> -ERR value is not an integer or out of range
        HSETEX nokey FNX FIELDS 1 a b EX              -> -ERR wrong number of arguments for 'hsetex' command
        HSETEX nokey EX 10 FNX                        -> -ERR wrong number of arguments for 'hsetex' command
        HSETEX nokey EX 10 FNX KEEPTTL a b            -> -ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified
        HSETEX nokey a b c EX 10                      -> -ERR unknown argument: a
    "#,
    );
}

#[test]
fn hgetdel_reads_and_removes() {
    let Some(server) = server() else { return };
    server.spec(
        r#"
        SET s 1                                       -> OK
        HSET h a 1 b 2 c 3                            -> 3
        HGETDEL h FIELDS 2 a zz                       -> ["1", nil]
        HGETDEL h FIELDS 0 a                          -> -ERR Number of fields must be a positive integer
        HGETDEL h FIELDS x a                          -> -ERR Number of fields must be a positive integer
        HGETDEL h FIELDS 2 a                          -> -ERR The `numfields` parameter must match the number of arguments
        HGETDEL h FIELDS 1 a b                        -> -ERR The `numfields` parameter must match the number of arguments
        HGETDEL h FOO 1 a                             -> -ERR Mandatory argument FIELDS is missing or not at the right position
        HGETDEL nokey FIELDS 1 a                      -> [nil]
        HGETDEL nokey FOO 1 a                         -> -ERR Mandatory argument FIELDS is missing or not at the right position
        HGETDEL s FOO 1 a                             -> -WRONGTYPE Operation against a key holding the wrong kind of value
        HGETDEL s FIELDS 1 a                          -> -WRONGTYPE Operation against a key holding the wrong kind of value
        HGETALL h                                     -> ["b", "2", "c", "3"]
        HGETDEL h FIELDS 2 b b                        -> ["2", nil]
        HGETDEL h FIELDS 2 c d                        -> ["3", nil]
        HGETALL h                                     -> []
        EXISTS h                                      -> 0
        HGETDEL h FIELDS 4 c d z b                    -> [nil, nil, nil, nil]
    "#,
    );
}

#[test]
fn a_field_goes_when_it_is_due() {
    let Some(server) = ours() else { return };
    let mut conn = server.connect();
    for (fields, encoding) in [(10, "listpackex"), (2000, "hashtable")] {
        let pairs: Vec<String> = (0..fields).map(|i| format!("f{i} {i}")).collect();
        conn.run(&format!("HSET h {}", pairs.join(" ")));
        let names: Vec<String> = (1..fields).map(|i| format!("f{i}")).collect();
        conn.run(&format!("HPEXPIRE h 30 FIELDS {} {}", names.len(), names.join(" ")));
        assert_eq!(conn.run("OBJECT ENCODING h").text(), encoding);
        // By itself, without a look at the hash.
        wait_until(|| server.info("db0").starts_with("keys=1,expires=0,avg_ttl=0") && !server.info("db0").contains("subexpiry"));
        replies!(conn, "HLEN h" => "1", "HGETALL h" => r#"["f0", "0"]"#, "HPEXPIRE h 30 FIELDS 1 f0" => "[1]");
        wait_until(|| conn.run("DBSIZE").int() == 0);
        replies!(conn, "EXISTS h" => "0", "TYPE h" => "none");
    }
    assert_eq!(server.info("expired_subkeys"), "2010");
    assert_eq!(server.info("expired_keys"), "0");
}

#[test]
fn a_field_that_is_due_is_not_seen() {
    let Some(server) = ours() else { return };
    let mut conn = server.connect();
    replies!(conn,
        "DEBUG SET-ACTIVE-EXPIRE 0" => "OK",
        "HSET h a 1 b 2 c 3 d 4" => "4",
        "HPEXPIRE h 20 FIELDS 3 a b c" => "[1, 1, 1]",
    );
    wait_until(|| conn.run("HPTTL h FIELDS 1 a") == *"[-2]");
    replies!(conn,
        "HGET h a" => "nil",
        "HMGET h a d" => r#"[nil, "4"]"#,
        "HEXISTS h b" => "0",
        "HGETALL h" => r#"["d", "4"]"#,
        "HKEYS h" => r#"["d"]"#,
        "HSCAN h 0" => r#"["0", ["d", "4"]]"#,
        "HRANDFIELD h 10" => r#"["d"]"#,
        "HSETNX h a 5" => "1",
        "HTTL h FIELDS 1 a" => "[-1]",
        "HINCRBY h b 5" => "5",
        "HSET h c 6" => "1",
        "HLEN h" => "4",
        "HPEXPIRE h 10 FIELDS 4 a b c d" => "[1, 1, 1, 1]",
    );
    wait_until(|| conn.run("HGET h a") == *"nil");
    replies!(conn, "EXISTS h" => "0", "DEBUG SET-ACTIVE-EXPIRE 1" => "OK");
}

#[test]
fn deadlines_follow_their_hash() {
    let Some(server) = ours() else { return };
    server.spec(
        r#"
        HSET h a 1 b 2                          -> 2
        HPEXPIREAT h 33177117420000 FIELDS 1 a  -> [1]
        RENAME h renamed                        -> OK
        HPEXPIRETIME renamed FIELDS 2 a b       -> [33177117420000, -1]
        COPY renamed copied                     -> 1
        MOVE renamed 5                          -> 1
        HPEXPIRETIME copied FIELDS 2 a b        -> [33177117420000, -1]
        SELECT 5                                -> OK
        HPEXPIRETIME renamed FIELDS 2 a b       -> [33177117420000, -1]
        SWAPDB 5 0                              -> OK
        HPEXPIRETIME copied FIELDS 1 a          -> [33177117420000]
        HINCRBY copied a 5                      -> 6
        HINCRBYFLOAT copied a 0.5               -> "6.5"
        HPEXPIRETIME copied FIELDS 1 a          -> [33177117420000]
        HSET copied a 5                         -> 0
        HPEXPIRETIME copied FIELDS 1 a          -> [-1]
    "#,
    );
    assert!(server.info("db0").ends_with("subexpiry=1") && !server.info("db5").contains("subexpiry"));
    server.ask("SET renamed text");
    assert!(!server.info("db0").contains("subexpiry"));
    let mut conn = server.connect();
    // What is in another table when it is due goes there too.
    replies!(conn, "HSET h a 1 b 2" => "2", "HPEXPIRE h 50 FIELDS 1 a" => "[1]", "COPY h h2" => "1", "RENAME h h1" => "OK", "SWAPDB 0 7" => "OK");
    replies!(conn, "SELECT 7" => "OK");
    wait_until(|| conn.run("HLEN h1").int() + conn.run("HLEN h2").int() == 2);
}

#[test]
fn very_many_fields_go_without_holding_others_up() {
    let Some(server) = server() else { return };
    let mut conn = server.connect();
    for chunk in 0..40 {
        let names: Vec<String> = (0..1000).map(|i| format!("f{}", chunk * 1000 + i)).collect();
        let pairs: Vec<String> = names.iter().map(|name| format!("{name} v")).collect();
        conn.run(&format!("HSETEX h PX 300 FIELDS 1000 {}", pairs.join(" ")));
    }
    wait_until(|| conn.run("HGET h f0") == *"nil" && conn.run("EXISTS h").int() == 0);
    assert_eq!(server.info("expired_subkeys"), "40000");
}
