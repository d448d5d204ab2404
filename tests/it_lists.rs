//! List commands: every option, every error, and the encodings that OBJECT ENCODING tells of.

mod common;
use common::*;

#[test]
fn pushing_and_popping_at_both_ends() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        RPUSH l a b c                           -> ?
        LPUSH l x y z                           -> ?
        LRANGE l 0 -1                           -> ?
        LLEN l                                  -> ?
        LPOP l                                  -> ?
        RPOP l                                  -> ?
        LPOP l 0                                -> ?
        LPOP l 2                                -> ?
        RPOP l 10                               -> ?
        EXISTS l                                -> ?
        LPOP l                                  -> ?
        LPOP l 1                                -> ?
        LPOP l 0                                -> ?
        RPOP l 0                                -> ?
        LLEN l                                  -> ?
        LPUSHX l a                              -> ?
        RPUSHX l a                              -> ?
        EXISTS l                                -> ?
        RPUSH l 1 -1 007 "" "\x00\xff" 9223372036854775807 9223372036854775808 1.5 -> ?
        LRANGE l 0 -1                           -> ?
        LPUSHX l a b                            -> ?
        RPUSHX l c d                            -> ?
        LRANGE l 0 1                            -> ?
        LRANGE l -2 -1                          -> ?
        RPOP l 3                                -> ?
        TYPE l                                  -> ?
    "#,
    );
    server.spec(
        r#"
        SET s x                                 -> ?
        RPUSH l x                               -> ?
        LPUSH l                                 -> ?
        LPUSH s a                               -> ?
        RPUSHX s a                              -> ?
        LPUSHX l                                -> ?
        LPOP                                    -> ?
        LPOP l -1                               -> ?
        LPOP l x                                -> ?
        LPOP absent x                           -> ?
        LPOP l 1 2                              -> ?
        RPOP l 1.0                              -> ?
        LPOP s                                  -> ?
        LPOP s 0                                -> ?
        LPOP s -1                               -> ?
        LLEN s                                  -> ?
        LLEN                                    -> ?
        LLEN l x                                -> ?
    "#,
    );
}

#[test]
fn looking_at_elements() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        RPUSH l a b c 1 2 3                     -> ?
        LINDEX l 0                              -> ?
        LINDEX l 5                              -> ?
        LINDEX l 6                              -> ?
        LINDEX l -1                             -> ?
        LINDEX l -6                             -> ?
        LINDEX l -7                             -> ?
        LINDEX l x                              -> ?
        LINDEX absent x                         -> ?
        LINDEX absent 0                         -> ?
        LRANGE l 0 0                            -> ?
        LRANGE l 1 -2                           -> ?
        LRANGE l -100 100                       -> ?
        LRANGE l 3 2                            -> ?
        LRANGE l 6 10                           -> ?
        LRANGE l -3 -4                          -> ?
        LRANGE l -9223372036854775808 9223372036854775807 -> ?
        LRANGE absent 0 -1                      -> ?
        LRANGE absent x -1                      -> ?
        LRANGE l 0 9223372036854775808          -> ?
        LRANGE l 0                              -> ?
        SET s x                                 -> ?
        LRANGE s 0 -1                           -> ?
        LRANGE s x -1                           -> ?
        LINDEX s x                              -> ?
    "#,
    );
    server.spec(
        r#"
        RPUSH l a b c 1 2 3 c c                 -> ?
        LPOS l c                                -> ?
        LPOS l 2                                -> ?
        LPOS l z                                -> ?
        LPOS l c RANK 2                         -> ?
        LPOS l c RANK -1                        -> ?
        LPOS l c RANK -3                        -> ?
        LPOS l c RANK 4                         -> ?
        LPOS l c COUNT 0                        -> ?
        LPOS l c COUNT 1                        -> ?
        LPOS l c COUNT 2                        -> ?
        LPOS l c COUNT 2 RANK -1                -> ?
        LPOS l c RANK -2 COUNT 0                -> ?
        LPOS l z COUNT 0                        -> ?
        LPOS l c COUNT 0 MAXLEN 6               -> ?
        LPOS l c COUNT 0 MAXLEN 7               -> ?
        LPOS l c MAXLEN 2                       -> ?
        LPOS l c COUNT 0 MAXLEN 3 RANK -1       -> ?
        LPOS l c maxlen 0 count 2 rank 1        -> ?
        LPOS absent c                           -> ?
        LPOS absent c COUNT 0                   -> ?
        LPOS l c RANK 0                         -> ?
        LPOS l c RANK -9223372036854775808      -> ?
        LPOS l c RANK -9223372036854775807      -> ?
        LPOS l c RANK x                         -> ?
        LPOS l c COUNT -1                       -> ?
        LPOS l c COUNT x                        -> ?
        LPOS l c MAXLEN -1                      -> ?
        LPOS l c MAXLEN                         -> ?
        LPOS l c BOGUS 1                        -> ?
        LPOS l                                  -> ?
        SET s x                                 -> ?
        LPOS s x                                -> ?
        LPOS s x BOGUS                          -> ?
    "#,
    );
}

#[test]
fn changing_elements_in_the_middle() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        RPUSH l a b c d e                       -> ?
        LSET l 0 A                              -> ?
        LSET l -1 E                             -> ?
        LSET l 2 12                             -> ?
        LRANGE l 0 -1                           -> ?
        LSET l 5 x                              -> ?
        LSET l -6 x                             -> ?
        LSET l x x                              -> ?
        LSET absent x x                         -> ?
        LSET l 0                                -> ?
        LINSERT l BEFORE A first                -> ?
        LINSERT l after E last                  -> ?
        LINSERT l AFTER 12 13                   -> ?
        LINSERT l AFTER nowhere 13              -> ?
        LINSERT absent AFTER a 13               -> ?
        LINSERT absent BESIDE a 13              -> ?
        LINSERT l AFTER a                       -> ?
        LRANGE l 0 -1                           -> ?
        SET s x                                 -> ?
        LSET s x x                              -> ?
        LINSERT s BEFORE a b                    -> ?
        LINSERT s BESIDE a b                    -> ?
    "#,
    );
    server.spec(
        r#"
        RPUSH l a b a c a d a                   -> ?
        LREM l 1 a                              -> ?
        LREM l -2 a                             -> ?
        LRANGE l 0 -1                           -> ?
        LREM l 5 z                              -> ?
        RPUSH l a a                             -> ?
        LREM l 0 a                              -> ?
        LREM l -9223372036854775808 b           -> ?
        LRANGE l 0 -1                           -> ?
        LREM l 0 c                              -> ?
        LREM l 0 d                              -> ?
        EXISTS l                                -> ?
        LREM l 0 d                              -> ?
        LREM l x d                              -> ?
        RPUSH n 1 2 1 01 1                      -> ?
        LREM n -2 1                             -> ?
        LRANGE n 0 -1                           -> ?
        SET s x                                 -> ?
        LREM s 0 x                              -> ?
        LREM s y x                              -> ?

        RPUSH t a b c d e                       -> ?
        LTRIM t 0 -1                            -> ?
        LTRIM t 1 -2                            -> ?
        LRANGE t 0 -1                           -> ?
        LTRIM t -100 100                        -> ?
        LTRIM t 1 1                             -> ?
        LRANGE t 0 -1                           -> ?
        LTRIM t 5 10                            -> ?
        EXISTS t                                -> ?
        LTRIM t 0 1                             -> ?
        LTRIM t x 1                             -> ?
        LTRIM s 0 1                             -> ?
        LTRIM s 0 y                             -> ?
        LTRIM s 0                               -> ?
    "#,
    );
}

#[test]
fn moving_elements() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        RPUSH a 1 2 3 x                         -> ?
        LMOVE a b LEFT RIGHT                    -> ?
        LMOVE a b right left                    -> ?
        RPOPLPUSH a b                           -> ?
        LRANGE a 0 -1                           -> ?
        LRANGE b 0 -1                           -> ?
        LMOVE b b LEFT RIGHT                    -> ?
        LMOVE b b LEFT LEFT                     -> ?
        LRANGE b 0 -1                           -> ?
        RPOPLPUSH a b                           -> ?
        EXISTS a                                -> ?
        RPOPLPUSH a b                           -> ?
        LMOVE a b LEFT LEFT                     -> ?
        DEL a b                                 -> ?
        RPUSH a only                            -> ?
        RPOPLPUSH a a                           -> ?
        LMOVE a a LEFT LEFT                     -> ?
        LRANGE a 0 -1                           -> ?
        SET s x                                 -> ?
        LMOVE a s LEFT LEFT                     -> ?
        LMOVE s a LEFT LEFT                     -> ?
        LMOVE absent s LEFT LEFT                -> ?
        RPOPLPUSH a s                           -> ?
        RPOPLPUSH s a                           -> ?
        RPOPLPUSH absent s                      -> ?
        LMOVE a b UP LEFT                       -> ?
        LMOVE a b LEFT DOWN                     -> ?
        LMOVE a b LEFT                          -> ?
        LRANGE a 0 -1                           -> ?
    "#,
    );
    server.spec(
        r#"
        RPUSH b 1 2 3 4 5                       -> ?
        LMPOP 1 b LEFT                          -> ?
        LMPOP 2 a b RIGHT COUNT 2               -> ?
        LMPOP 2 b a left count 10               -> ?
        EXISTS b                                -> ?
        LMPOP 2 b a LEFT                        -> ?
        SET s x                                 -> ?
        LMPOP 2 a s LEFT                        -> ?
        LMPOP 0 a LEFT                          -> ?
        LMPOP -1 a LEFT                         -> ?
        LMPOP x a LEFT                          -> ?
        LMPOP 2 a LEFT                          -> ?
        LMPOP 9223372036854775807 a LEFT        -> ?
        LMPOP 1 a UP                            -> ?
        LMPOP 1 a LEFT COUNT                    -> ?
        LMPOP 1 a LEFT COUNT 0                  -> ?
        LMPOP 1 a LEFT COUNT x                  -> ?
        LMPOP 1 a LEFT COUNT 1 COUNT 1          -> ?
        LMPOP 1 a LEFT BOGUS 1                  -> ?
        LMPOP 1 a                               -> ?
    "#,
    );
}

#[test]
fn replies_in_resp3() {
    Server::start(&[]).spec(
        r#"
        HELLO 3                                 ~> *
        RPUSH l 1 a                             -> ?
        LPOP l 5                                -> ?
        LPOP l                                  -> ?
        LPOP l 5                                -> ?
        LINDEX l 0                              -> ?
        LPOS l a                                -> ?
        LMOVE l m LEFT LEFT                     -> ?
        LMPOP 1 l LEFT                          -> ?
        RPUSH l 1 a                             -> ?
        LMPOP 1 l LEFT COUNT 2                  -> ?
    "#,
    );
}

#[test]
fn encodings_change_at_the_limits() {
    let server = Server::start(&["--list-max-listpack-size 4"]);
    server.spec(
        r#"
        RPUSH l 1 2 3 4                         -> ?
        OBJECT ENCODING l                       -> ?
        LSET l 0 x                              -> ?
        OBJECT ENCODING l                       -> ?
        LPOP l 2                                -> ?
        OBJECT ENCODING l                       -> ?
        RPUSH l 1 2                             -> ?
        RPUSH l 1                               -> ?
        OBJECT ENCODING l                       -> ?
        LPOP l 2                                -> ?
        OBJECT ENCODING l                       -> ?
        LPOP l                                  -> ?
        OBJECT ENCODING l                       -> ?
        RPUSH m 1 2 3 4 5 6 7 8                 -> ?
        LTRIM m 1 2                             -> ?
        OBJECT ENCODING m                       -> ?
        COPY m n                                -> ?
        RPUSH n 1 2 3                           -> ?
        OBJECT ENCODING n                       -> ?
        OBJECT ENCODING m                       -> ?
        RPUSH o 1 2 3 4                         -> ?
        LMOVE o o LEFT RIGHT                    -> ?
        OBJECT ENCODING o                       -> ?
        LMOVE m o LEFT RIGHT                    -> ?
        OBJECT ENCODING o                       -> ?
        LINSERT o AFTER nowhere x               -> ?
        LREM o 4 1                              -> ?
        LREM o 4 2                              -> ?
        OBJECT ENCODING o                       -> ?
        RPUSH p 1 2 3 4                         -> ?
        LINSERT p AFTER nowhere x               -> ?
        OBJECT ENCODING p                       -> ?
    "#,
    );
}

/// Long lists of long elements, by nodes of every kind, hold what short ones do.
#[test]
fn large_lists_hold_what_they_are_given() {
    for size in ["-2", "1", "100"] {
        for depth in ["0", "1"] {
            let size = format!("--list-max-listpack-size {size}");
            let server = Server::start(&[&size, &format!("--list-compress-depth {depth}")]);
            let mut conn = server.connect();
            let mut model = Vec::new();
            for n in 0..3000 {
                let element = if n % 500 == 0 { "x".repeat(40_000) } else { format!("element {n}") };
                assert_eq!(conn.run(&format!("RPUSH l {n} \"{element}\"")).int() as usize, model.len() + 2);
                model.extend([n.to_string(), element]);
            }
            let all = |model: &[String]| format!("[{}]", model.iter().map(|e| format!("\"{e}\"")).collect::<Vec<_>>().join(", "));
            assert_eq!(conn.run("LRANGE l 0 -1").to_string(), all(&model));
            for at in [0, 1, 2999, 3000, 3001, 4321, 5999] {
                assert_eq!(conn.run(&format!("LINDEX l {at}")).text(), model[at]);
                assert_eq!(conn.run(&format!("LPOS l {:?}", model[at])).int() as usize, at);
            }
            conn.run("LTRIM l 100 -101");
            let model = &mut model[100..5900].to_vec();
            conn.run("LINSERT l AFTER 1234 squeezed-in");
            let at = model.iter().position(|e| e == "1234").unwrap();
            model.insert(at + 1, "squeezed-in".into());
            conn.run("LREM l 0 \"element 777\"");
            model.retain(|e| e != "element 777");
            assert_eq!(conn.run("LRANGE l 0 -1").to_string(), all(model));
            assert_eq!(conn.run("LLEN l").int() as usize, model.len());
        }
    }
}
