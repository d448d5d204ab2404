//! Deadlines of hash fields: the commands that set and tell them, and what happens when they come.
//!
//! The reference is Redis 8.0; a server that does not know the commands passes by.

mod common;
use common::*;

/// A server that knows of deadlines of fields.
fn server() -> Option<Server> {
    Some(Server::start(&["--enable-debug-command", "yes"])).filter(|server| server.knows("HEXPIRE"))
}

#[test]
fn fields_are_given_deadlines() {
    let Some(server) = server() else { return };
    server.spec(
        r#"
        HSET h a 1 b 2 c 3                            -> ?
        HEXPIRE h 100 FIELDS 1 zz                     -> ?
        OBJECT ENCODING h                             -> ?
        HEXPIRE h 100 FIELDS 2 a zz                   -> ?
        HEXPIRE h 100 FIELDS 2 a                      -> ?
        HEXPIRE h 100 FIELDS 0 a                      -> ?
        HEXPIRE h 100 FIELDS -1 a                     -> ?
        HEXPIRE h 100 FIELDS x a                      -> ?
        HEXPIRE h x FIELDS 1 a                        -> ?
        HEXPIRE h -1 FIELDS 1 a                       -> ?
        HEXPIRE h 99999999999999 FIELDS 1 a           -> ?
        HPEXPIRE h 9223372036854775807 FIELDS 1 a     -> ?
        HPEXPIREAT h 281474976710655 FIELDS 1 a       -> ?
        HPEXPIREAT h 70368744177663 FIELDS 1 a        -> ?
        HPEXPIRETIME h FIELDS 1 a                     -> ?
        HEXPIRETIME h FIELDS 1 a                      -> ?
        HPEXPIREAT h 70368744177664 FIELDS 1 a        -> ?
        HEXPIRE h 100 NX XX FIELDS 1 a                -> ?
        HEXPIRE h 100 foo FIELDS 1 a                  -> ?
        HEXPIRE h 100 NX FIELDS 1 b                   -> ?
        HEXPIRE h 100 NX FIELDS 1 b                   -> ?
        HEXPIRE h 200 GT FIELDS 1 b                   -> ?
        HEXPIRE h 300 LT FIELDS 1 b                   -> ?
        HEXPIRE h 300 LT FIELDS 1 c                   -> ?
        HEXPIREAT h 33177117420 GT FIELDS 1 c         -> ?
        HEXPIREAT h 33177117420 GT FIELDS 1 c         -> ?
        HEXPIRE h 100 FIELDS 1 a FIELDS 1 b           -> ?
        HEXPIRE h 100 fields 1 a                      -> ?
        HEXPIRE nokey 100 FIELDS 1 a                  -> ?
        HEXPIRE nokey x FIELDS 1 a                    -> ?
        SET s 1                                       -> ?
        HEXPIRE s x FIELDS 1 a                        -> ?
        HTTL s FIELDS 1 a                             -> ?
        HTTL h FIELDS 3 a b zz                        -> ?
        HTTL h FIELDS 2 a                             -> ?
        HTTL h FIELDS 0 a                             -> ?
        HTTL h FIELDS x a                             -> ?
        HTTL h FIELD 1 a                              -> ?
        HTTL nokey FIELDS 2 a b                       -> ?
        HPERSIST h FIELDS 3 a b zz                    -> ?
        HPERSIST h FIELDS 1 a                         -> ?
        HPERSIST h FIELDS 0 a                         -> ?
        HPERSIST nokey FIELDS 1 a                     -> ?
        HGETALL h                                     -> ?
        OBJECT ENCODING h                             -> ?
        HEXPIRE h 0 FIELDS 1 a                        -> ?
        HGETALL h                                     -> ?
        HEXPIREAT h 5 FIELDS 2 b c                    -> ?
        EXISTS h                                      -> ?
        HSET h a 1 b 2 c 3                            -> ?
        HEXPIRE h 100 FIELDS 2 a a                    -> ?
        HEXPIRE h 0 FIELDS 2 a a                      -> ?
        HEXPIRE h 1000000000000 FIELDS 1 a            -> ?
    "#,
    );
}

#[test]
fn hgetex_reads_and_changes_deadlines() {
    let Some(server) = server() else { return };
    server.spec(
        r#"
        SET s 1                                       -> ?
        HSET h a 1 b 2 c 3                            -> ?
        HGETEX h FIELDS 2 a zz                        -> ?
        HGETEX h EX 100 FIELDS 2 a zz                 -> ?
        HTTL h FIELDS 2 a b                           -> ?
        HGETEX h PERSIST FIELDS 2 a zz                -> ?
        HTTL h FIELDS 2 a b                           -> ?
        HGETEX h EX 0 FIELDS 1 a                      -> ?
        HGETEX h EX -1 FIELDS 1 a                     -> ?
        HGETEX h EX x FIELDS 1 a                      -> ?
        HGETEX h PXAT 1 FIELDS 1 a                    -> ?
        HGETALL h                                     -> ?
        HGETEX h EX 10 PX 10 FIELDS 1 b               -> ?
        HGETEX h EX 10 PERSIST FIELDS 1 b             -> ?
        HGETEX h PERSIST PERSIST FIELDS 1 b           -> ?
        HGETEX h FIELDS 1 b EX 10                     -> ?
        HGETEX h EX 10 FIELDS 2 b                     -> ?
        HGETEX h EX 10 FIELDS 0 b                     -> ?
        HGETEX h EX 10 FIELDS x b                     -> ?
        HGETEX h EX 10 FIELDS 1 b c                   -> ?
        HGETEX h EX 10 b c                            -> ?
        HGETEX h KEEPTTL FIELDS 1 b                   -> ?
        HGETEX h FOO FIELDS 1 b                       -> ?
        HGETEX h FIELDS 1 b FIELDS 1 c                -> ?
        HGETEX h EX FIELDS 1 b                        -> ?
        HGETEX h FIELDS b                             -> ?
        HGETEX h EX 99999999999999 FIELDS 1 b         -> ?
        HGETEX h PXAT 9223372036854775807 FIELDS 1 b  -> ?
        HGETEX nokey FIELDS 2 a b                     -> ?
        HGETEX nokey EX 10 FIELDS 2 a b               -> ?
        HGETEX nokey EX x FIELDS 2 a b                -> ?
        HGETEX s FIELDS 1 a                           -> ?
        HGETEX s FOO FIELDS 1 a                       -> ?
        HGETEX s EX x FOO 1 b                         -> ?
        HGETEX h EX x FOO 1 b                         -> ?
        HGETEX h EX 99999999999999 FOO 1 b            -> ?
        HGETEX h EX -5 FOO 1 b                        -> ?
    "#,
    );
}

#[test]
fn hsetex_sets_values_and_deadlines() {
    let Some(server) = server() else { return };
    server.spec(
        r#"
        SET s 1                                       -> ?
        HSET h b 2 c 3                                -> ?
        HSETEX h FIELDS 1 a 1                         -> ?
        HSETEX h EX 100 FIELDS 2 a 1 b 2              -> ?
        HTTL h FIELDS 3 a b c                         -> ?
        HSETEX h FNX FIELDS 2 a 9 z 9                 -> ?
        HSETEX h FXX FIELDS 2 a 9 z 9                 -> ?
        HGETALL h                                     -> ?
        HSETEX h FNX FIELDS 1 z 9                     -> ?
        HSETEX h FXX EX 10 FIELDS 1 z 10              -> ?
        HTTL h FIELDS 1 z                             -> ?
        HSETEX h FNX FXX FIELDS 1 z 9                 -> ?
        HSETEX h EX 10 PX 10 FIELDS 1 z 9             -> ?
        HSETEX h EX 10 KEEPTTL FIELDS 1 z 9           -> ?
        HSETEX h KEEPTTL FIELDS 1 z 11                -> ?
        HTTL h FIELDS 1 z                             -> ?
        HSETEX h FIELDS 1 z 11                        -> ?
        HTTL h FIELDS 1 z                             -> ?
        HSETEX h PERSIST FIELDS 1 z 11                -> ?
        HSETEX h EX 0 FIELDS 1 z 11                   -> ?
        HSETEX h EX -1 FIELDS 1 z 11                  -> ?
        HSETEX h EX x FIELDS 1 z 11                   -> ?
        HSETEX h PXAT 1 FIELDS 1 z 11                 -> ?
        HGETALL h                                     -> ?
        HSETEX new PXAT 1 FIELDS 1 z 11               -> ?
        EXISTS new                                    -> ?
        HSETEX new FXX FIELDS 1 z 11                  -> ?
        EXISTS new                                    -> ?
        HSETEX h FIELDS 2 a 1                         -> ?
        HSETEX h FIELDS 1 a 1 b 2                     -> ?
        HSETEX h FIELDS 0 a 1                         -> ?
        HSETEX h FIELDS x a 1                         -> ?
        HSETEX h FOO FIELDS 1 a 1                     -> ?
        HSETEX h a 1 b 2                              -> ?
        HSETEX h FIELDS 1 a 1 EX 10                   -> ?
        HSETEX h FIELDS 1 a 1 FNX                     -> ?
        HSETEX h FIELDS 1 a                           -> ?
        HSETEX h EX FIELDS 1 a 1                      -> ?
        HSETEX h EX 99999999999999999 FIELDS 1 a 1    -> ?
        HSETEX s FIELDS 1 a 1                         -> ?
        HSETEX s FOO FIELDS 1 a 1                     -> ?
        HSETEX s EX x FIELDS 1 a 1                    -> ?
        HSETEX s EX x FNX FXX FIELDS 1 a 1            -> ?
        HSETEX s EX 1 FNX FXX FIELDS 1 a 1            -> ?
        HSETEX h FNX FNX FIELDS 1 a 1                 -> ?
        HSETEX h EX 10 EX 10 FIELDS 1 a 1             -> ?
        HSETEX h fnx fields 1 a 1                     -> ?
        HSETEX nokey FNX EX 10 FIELDS 1 a             -> ?
        HSETEX nokey FNX EX FIELDS 1 a b              -> ?
        HSETEX nokey FNX FIELDS 1 a b EX              -> ?
        HSETEX nokey EX 10 FNX                        -> ?
        HSETEX nokey EX 10 FNX KEEPTTL a b            -> ?
        HSETEX nokey a b c EX 10                      -> ?
    "#,
    );
}

#[test]
fn hgetdel_reads_and_removes() {
    let Some(server) = server() else { return };
    server.spec(
        r#"
        SET s 1                                       -> ?
        HSET h a 1 b 2 c 3                            -> ?
        HGETDEL h FIELDS 2 a zz                       -> ?
        HGETDEL h FIELDS 0 a                          -> ?
        HGETDEL h FIELDS x a                          -> ?
        HGETDEL h FIELDS 2 a                          -> ?
        HGETDEL h FIELDS 1 a b                        -> ?
        HGETDEL h FOO 1 a                             -> ?
        HGETDEL nokey FIELDS 1 a                      -> ?
        HGETDEL nokey FOO 1 a                         -> ?
        HGETDEL s FOO 1 a                             -> ?
        HGETDEL s FIELDS 1 a                          -> ?
        HGETALL h                                     -> ?
        HGETDEL h FIELDS 2 b b                        -> ?
        HGETDEL h FIELDS 2 c d                        -> ?
        HGETALL h                                     -> ?
        EXISTS h                                      -> ?
        HGETDEL h FIELDS 4 c d z b                    -> ?
    "#,
    );
}

#[test]
fn a_field_goes_when_it_is_due() {
    let Some(server) = server() else { return };
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
    let Some(server) = server() else { return };
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
    let Some(server) = server() else { return };
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
