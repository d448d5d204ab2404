//! List commands: every option, every error, and the encodings that OBJECT ENCODING tells of.

mod common;
use common::*;

#[test]
fn pushing_and_popping_at_both_ends() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        RPUSH l a b c                           -> 3
        LPUSH l x y z                           -> 6
        LRANGE l 0 -1                           -> ["z", "y", "x", "a", "b", "c"]
        LLEN l                                  -> 6
        LPOP l                                  -> "z"
        RPOP l                                  -> "c"
        LPOP l 0                                -> []
        LPOP l 2                                -> ["y", "x"]
        RPOP l 10                               -> ["b", "a"]
        EXISTS l                                -> 0
        LPOP l                                  -> nil
        LPOP l 1                                -> nil[]
        LPOP l 0                                -> nil[]
        RPOP l 0                                -> nil[]
        LLEN l                                  -> 0
        LPUSHX l a                              -> 0
        RPUSHX l a                              -> 0
        EXISTS l                                -> 0
        RPUSH l 1 -1 007 "" "\x00\xff" 9223372036854775807 9223372036854775808 1.5 -> 8
        LRANGE l 0 -1                           -> ["1", "-1", "007", "", "\x00\xff", "9223372036854775807", "9223372036854775808", "1.5"]
        LPUSHX l a b                            -> 10
        RPUSHX l c d                            -> 12
        LRANGE l 0 1                            -> ["b", "a"]
        LRANGE l -2 -1                          -> ["c", "d"]
        RPOP l 3                                -> ["d", "c", "1.5"]
        TYPE l                                  -> list
    "#,
    );
    server.spec(
        r#"
        SET s x                                 -> OK
        RPUSH l x                               -> 1
        LPUSH l                                 -> -ERR wrong number of arguments for 'lpush' command
        LPUSH s a                               -> -WRONGTYPE Operation against a key holding the wrong kind of value
        RPUSHX s a                              -> -WRONGTYPE Operation against a key holding the wrong kind of value
        LPUSHX l                                -> -ERR wrong number of arguments for 'lpushx' command
        LPOP                                    -> -ERR wrong number of arguments for 'lpop' command
        LPOP l -1                               -> -ERR value is out of range, must be positive
        LPOP l x                                -> -ERR value is out of range, must be positive
        LPOP absent x                           -> -ERR value is out of range, must be positive
        LPOP l 1 2                              -> -ERR wrong number of arguments for 'lpop' command
        RPOP l 1.0                              -> -ERR value is out of range, must be positive
        LPOP s                                  -> -WRONGTYPE Operation against a key holding the wrong kind of value
        LPOP s 0                                -> -WRONGTYPE Operation against a key holding the wrong kind of value
        LPOP s -1                               -> -ERR value is out of range, must be positive
        LLEN s                                  -> -WRONGTYPE Operation against a key holding the wrong kind of value
        LLEN                                    -> -ERR wrong number of arguments for 'llen' command
        LLEN l x                                -> -ERR wrong number of arguments for 'llen' command
    "#,
    );
}

#[test]
fn looking_at_elements() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        RPUSH l a b c 1 2 3                     -> 6
        LINDEX l 0                              -> "a"
        LINDEX l 5                              -> "3"
        LINDEX l 6                              -> nil
        LINDEX l -1                             -> "3"
        LINDEX l -6                             -> "a"
        LINDEX l -7                             -> nil
        LINDEX l x                              -> -ERR value is not an integer or out of range
        LINDEX absent x                         -> nil
        LINDEX absent 0                         -> nil
        LRANGE l 0 0                            -> ["a"]
        LRANGE l 1 -2                           -> ["b", "c", "1", "2"]
        LRANGE l -100 100                       -> ["a", "b", "c", "1", "2", "3"]
        LRANGE l 3 2                            -> []
        LRANGE l 6 10                           -> []
        LRANGE l -3 -4                          -> []
        LRANGE l -9223372036854775808 9223372036854775807 -> ["a", "b", "c", "1", "2", "3"]
        LRANGE absent 0 -1                      -> []
        LRANGE absent x -1                      -> -ERR value is not an integer or out of range
        LRANGE l 0 9223372036854775808          -> -ERR value is not an integer or out of range
        LRANGE l 0                              -> -ERR wrong number of arguments for 'lrange' command
        SET s x                                 -> OK
        LRANGE s 0 -1                           -> -WRONGTYPE Operation against a key holding the wrong kind of value
        LRANGE s x -1                           -> -ERR value is not an integer or out of range
        LINDEX s x                              -> -WRONGTYPE Operation against a key holding the wrong kind of value
    "#,
    );
    server.spec(
        r#"
        RPUSH l a b c 1 2 3 c c                 -> 8
        LPOS l c                                -> 2
        LPOS l 2                                -> 4
        LPOS l z                                -> nil
        LPOS l c RANK 2                         -> 6
        LPOS l c RANK -1                        -> 7
        LPOS l c RANK -3                        -> 2
        LPOS l c RANK 4                         -> nil
        LPOS l c COUNT 0                        -> [2, 6, 7]
        LPOS l c COUNT 1                        -> [2]
        LPOS l c COUNT 2                        -> [2, 6]
        LPOS l c COUNT 2 RANK -1                -> [7, 6]
        LPOS l c RANK -2 COUNT 0                -> [6, 2]
        LPOS l z COUNT 0                        -> []
        LPOS l c COUNT 0 MAXLEN 6               -> [2]
        LPOS l c COUNT 0 MAXLEN 7               -> [2, 6]
        LPOS l c MAXLEN 2                       -> nil
        LPOS l c COUNT 0 MAXLEN 3 RANK -1       -> [7, 6]
        LPOS l c maxlen 0 count 2 rank 1        -> [2, 6]
        LPOS absent c                           -> nil
        LPOS absent c COUNT 0                   -> []
        LPOS l c RANK 0                         -> -ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list
        LPOS l c RANK -9223372036854775808      -> -ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807
        LPOS l c RANK -9223372036854775807      -> nil
        LPOS l c RANK x                         -> -ERR value is not an integer or out of range
        LPOS l c COUNT -1                       -> -ERR COUNT can't be negative
        LPOS l c COUNT x                        -> -ERR COUNT can't be negative
        LPOS l c MAXLEN -1                      -> -ERR MAXLEN can't be negative
        LPOS l c MAXLEN                         -> -ERR syntax error
        LPOS l c BOGUS 1                        -> -ERR syntax error
        LPOS l                                  -> -ERR wrong number of arguments for 'lpos' command
        SET s x                                 -> OK
        LPOS s x                                -> -WRONGTYPE Operation against a key holding the wrong kind of value
        LPOS s x BOGUS                          -> -ERR syntax error
    "#,
    );
}

#[test]
fn changing_elements_in_the_middle() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        RPUSH l a b c d e                       -> 5
        LSET l 0 A                              -> OK
        LSET l -1 E                             -> OK
        LSET l 2 12                             -> OK
        LRANGE l 0 -1                           -> ["A", "b", "12", "d", "E"]
        LSET l 5 x                              -> -ERR index out of range
        LSET l -6 x                             -> -ERR index out of range
        LSET l x x                              -> -ERR value is not an integer or out of range
        LSET absent x x                         -> -ERR no such key
        LSET l 0                                -> -ERR wrong number of arguments for 'lset' command
        LINSERT l BEFORE A first                -> 6
        LINSERT l after E last                  -> 7
        LINSERT l AFTER 12 13                   -> 8
        LINSERT l AFTER nowhere 13              -> -1
        LINSERT absent AFTER a 13               -> 0
        LINSERT absent BESIDE a 13              -> -ERR syntax error
        LINSERT l AFTER a                       -> -ERR wrong number of arguments for 'linsert' command
        LRANGE l 0 -1                           -> ["first", "A", "b", "12", "13", "d", "E", "last"]
        SET s x                                 -> OK
        LSET s x x                              -> -WRONGTYPE Operation against a key holding the wrong kind of value
        LINSERT s BEFORE a b                    -> -WRONGTYPE Operation against a key holding the wrong kind of value
        LINSERT s BESIDE a b                    -> -ERR syntax error
    "#,
    );
    server.spec(
        r#"
        RPUSH l a b a c a d a                   -> 7
        LREM l 1 a                              -> 1
        LREM l -2 a                             -> 2
        LRANGE l 0 -1                           -> ["b", "a", "c", "d"]
        LREM l 5 z                              -> 0
        RPUSH l a a                             -> 6
        LREM l 0 a                              -> 3
        LREM l -9223372036854775807 b           -> 1
        LRANGE l 0 -1                           -> ["c", "d"]
        LREM l 0 c                              -> 1
        LREM l 0 d                              -> 1
        EXISTS l                                -> 0
        LREM l 0 d                              -> 0
        LREM l x d                              -> -ERR value is not an integer or out of range
        RPUSH n 1 2 1 01 1                      -> 5
        LREM n -2 1                             -> 2
        LRANGE n 0 -1                           -> ["1", "2", "01"]
        SET s x                                 -> OK
        LREM s 0 x                              -> -WRONGTYPE Operation against a key holding the wrong kind of value
        LREM s y x                              -> -ERR value is not an integer or out of range

        RPUSH t a b c d e                       -> 5
        LTRIM t 0 -1                            -> OK
        LTRIM t 1 -2                            -> OK
        LRANGE t 0 -1                           -> ["b", "c", "d"]
        LTRIM t -100 100                        -> OK
        LTRIM t 1 1                             -> OK
        LRANGE t 0 -1                           -> ["c"]
        LTRIM t 5 10                            -> OK
        EXISTS t                                -> 0
        LTRIM t 0 1                             -> OK
        LTRIM t x 1                             -> -ERR value is not an integer or out of range
        LTRIM s 0 1                             -> -WRONGTYPE Operation against a key holding the wrong kind of value
        LTRIM s 0 y                             -> -ERR value is not an integer or out of range
        LTRIM s 0                               -> -ERR wrong number of arguments for 'ltrim' command
    "#,
    );
}

#[test]
fn moving_elements() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        RPUSH a 1 2 3 x                         -> 4
        LMOVE a b LEFT RIGHT                    -> "1"
        LMOVE a b right left                    -> "x"
        RPOPLPUSH a b                           -> "3"
        LRANGE a 0 -1                           -> ["2"]
        LRANGE b 0 -1                           -> ["3", "x", "1"]
        LMOVE b b LEFT RIGHT                    -> "3"
        LMOVE b b LEFT LEFT                     -> "x"
        LRANGE b 0 -1                           -> ["x", "1", "3"]
        RPOPLPUSH a b                           -> "2"
        EXISTS a                                -> 0
        RPOPLPUSH a b                           -> nil
        LMOVE a b LEFT LEFT                     -> nil
        DEL a b                                 -> 1
        RPUSH a only                            -> 1
        RPOPLPUSH a a                           -> "only"
        LMOVE a a LEFT LEFT                     -> "only"
        LRANGE a 0 -1                           -> ["only"]
        SET s x                                 -> OK
        LMOVE a s LEFT LEFT                     -> -WRONGTYPE Operation against a key holding the wrong kind of value
        LMOVE s a LEFT LEFT                     -> -WRONGTYPE Operation against a key holding the wrong kind of value
        LMOVE absent s LEFT LEFT                -> nil
        RPOPLPUSH a s                           -> -WRONGTYPE Operation against a key holding the wrong kind of value
        RPOPLPUSH s a                           -> -WRONGTYPE Operation against a key holding the wrong kind of value
        RPOPLPUSH absent s                      -> nil
        LMOVE a b UP LEFT                       -> -ERR syntax error
        LMOVE a b LEFT DOWN                     -> -ERR syntax error
        LMOVE a b LEFT                          -> -ERR wrong number of arguments for 'lmove' command
        LRANGE a 0 -1                           -> ["only"]
    "#,
    );
    server.spec(
        r#"
        RPUSH b 1 2 3 4 5                       -> 5
        LMPOP 1 b LEFT                          -> ["b", ["1"]]
        LMPOP 2 a b RIGHT COUNT 2               -> ["b", ["5", "4"]]
        LMPOP 2 b a left count 10               -> ["b", ["2", "3"]]
        EXISTS b                                -> 0
        LMPOP 2 b a LEFT                        -> nil[]
        SET s x                                 -> OK
        LMPOP 2 a s LEFT                        -> -WRONGTYPE Operation against a key holding the wrong kind of value
        LMPOP 0 a LEFT                          -> -ERR numkeys should be greater than 0
        LMPOP -1 a LEFT                         -> -ERR numkeys should be greater than 0
        LMPOP x a LEFT                          -> -ERR numkeys should be greater than 0
        LMPOP 2 a LEFT                          -> -ERR syntax error
        LMPOP 9223372036854775807 a LEFT        -> -ERR syntax error
        LMPOP 1 a UP                            -> -ERR syntax error
        LMPOP 1 a LEFT COUNT                    -> -ERR syntax error
        LMPOP 1 a LEFT COUNT 0                  -> -ERR count should be greater than 0
        LMPOP 1 a LEFT COUNT x                  -> -ERR count should be greater than 0
        LMPOP 1 a LEFT COUNT 1 COUNT 1          -> -ERR syntax error
        LMPOP 1 a LEFT BOGUS 1                  -> -ERR syntax error
        LMPOP 1 a                               -> -ERR wrong number of arguments for 'lmpop' command
    "#,
    );
}

#[test]
fn replies_in_resp3() {
    Server::start(&[]).spec(
        r#"
        HELLO 3                                 ~> *
        RPUSH l 1 a                             -> 2
        LPOP l 5                                -> ["1", "a"]
        LPOP l                                  -> null
        LPOP l 5                                -> null
        LINDEX l 0                              -> null
        LPOS l a                                -> null
        LMOVE l m LEFT LEFT                     -> null
        LMPOP 1 l LEFT                          -> null
        RPUSH l 1 a                             -> 2
        LMPOP 1 l LEFT COUNT 2                  -> ["l", ["1", "a"]]
    "#,
    );
}

#[test]
fn encodings_change_at_the_limits() {
    let server = Server::start(&["--list-max-listpack-size 4"]);
    server.spec(
        r#"
        RPUSH l 1 2 3 4                         -> 4
        OBJECT ENCODING l                       -> "listpack"
        LSET l 0 x                              -> OK
        OBJECT ENCODING l                       -> "quicklist"
        LPOP l 2                                -> ["x", "2"]
        OBJECT ENCODING l                       -> "listpack"
        RPUSH l 1 2                             -> 4
        RPUSH l 1                               -> 5
        OBJECT ENCODING l                       -> "quicklist"
        LPOP l 2                                -> ["3", "4"]
        OBJECT ENCODING l                       -> "quicklist"
        LPOP l                                  -> "1"
        OBJECT ENCODING l                       -> "quicklist"
        RPUSH m 1 2 3 4 5 6 7 8                 -> 8
        LTRIM m 1 2                             -> OK
        OBJECT ENCODING m                       -> "listpack"
        COPY m n                                -> 1
        RPUSH n 1 2 3                           -> 5
        OBJECT ENCODING n                       -> "quicklist"
        OBJECT ENCODING m                       -> "listpack"
        RPUSH o 1 2 3 4                         -> 4
        LMOVE o o LEFT RIGHT                    -> "1"
        OBJECT ENCODING o                       -> "listpack"
        LMOVE m o LEFT RIGHT                    -> "2"
        OBJECT ENCODING o                       -> "quicklist"
        LINSERT o AFTER nowhere x               -> -1
        LREM o 4 1                              -> 1
        LREM o 4 2                              -> 2
        OBJECT ENCODING o                       -> "listpack"
        RPUSH p 1 2 3 4                         -> 4
        LINSERT p AFTER nowhere x               -> -1
        OBJECT ENCODING p                       -> "quicklist"
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
            for at in [0, 1, 2999, 3000, 3003, 4321, 5999] {
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

/// Waits until so many clients wait for keys.
fn wait_for_blocked(server: &Server, count: usize) {
    let waiting = format!("blocked_clients:{count}\r");
    wait_until(|| server.ask("INFO clients").text().contains(&waiting));
}

#[test]
fn waiting_commands_take_what_is_there() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        RPUSH l 1 2 3 4 5 6 7 8 9               -> 9
        BLPOP absent l 0                        -> ["l", "1"]
        BRPOP l absent 0                        -> ["l", "9"]
        BLMPOP 0 2 absent l LEFT                -> ["l", ["2"]]
        BLMPOP 0.1 1 l RIGHT COUNT 2            -> ["l", ["8", "7"]]
        BLMOVE l m LEFT RIGHT 0                 -> "3"
        BRPOPLPUSH l m 0                        -> "6"
        LRANGE l 0 -1                           -> ["4", "5"]
        LRANGE m 0 -1                           -> ["6", "3"]
        BLPOP absent 0.01                       -> nil[]
        BLMOVE absent m LEFT LEFT 0.01          -> nil[]
        BRPOPLPUSH absent m 0.01                -> nil[]
        BLMPOP 0.01 2 absent gone LEFT          -> nil[]
        MULTI                                   -> OK
        BLPOP absent 0                          -> QUEUED
        BLMOVE absent m LEFT LEFT 0             -> QUEUED
        BRPOPLPUSH absent m 0                   -> QUEUED
        BLMPOP 0 1 absent LEFT                  -> QUEUED
        BLPOP l 0                               -> QUEUED
        EXEC                                    -> [nil[], nil, nil, nil[], ["l", "4"]]
        HELLO 3                                 ~> *
        BLPOP absent 0.01                       -> null
        BLMOVE absent m LEFT LEFT 0.01          -> null
    "#,
    );
    server.spec(
        r#"
        SET s x                                 -> OK
        BLPOP s 0                               -> -WRONGTYPE Operation against a key holding the wrong kind of value
        BLPOP absent s 0                        -> -WRONGTYPE Operation against a key holding the wrong kind of value
        BRPOPLPUSH s l 0                        -> -WRONGTYPE Operation against a key holding the wrong kind of value
        BLMOVE s l LEFT LEFT 0                  -> -WRONGTYPE Operation against a key holding the wrong kind of value
        BLMPOP 0 1 s LEFT                       -> -WRONGTYPE Operation against a key holding the wrong kind of value
        RPUSH l a                               -> 1
        BLMOVE l s LEFT LEFT 0                  -> -WRONGTYPE Operation against a key holding the wrong kind of value
        BLPOP l -1                              -> -ERR timeout is negative
        BLPOP l x                               -> -ERR timeout is not a float or out of range
        BLPOP l 1e300                           -> -ERR timeout is out of range
        BLPOP s x                               -> -ERR timeout is not a float or out of range
        BLPOP l                                 -> -ERR wrong number of arguments for 'blpop' command
        BLMOVE l m UP LEFT x                    -> -ERR syntax error
        BLMOVE l m LEFT LEFT x                  -> -ERR timeout is not a float or out of range
        BLMPOP x 0 l LEFT                       -> -ERR numkeys should be greater than 0
        BLMPOP x 1 l UP                         -> -ERR syntax error
        BLMPOP x 1 l LEFT COUNT 0               -> -ERR count should be greater than 0
        BLMPOP x 1 l LEFT COUNT 1               -> -ERR timeout is not a float or out of range
        BLMPOP -1 1 l LEFT COUNT 1              -> -ERR timeout is negative
        LRANGE l 0 -1                           -> ["a"]
    "#,
    );
}

#[test]
fn who_waits_is_served_in_turn_when_elements_come() {
    let server = Server::start(&[]);
    let mut feeder = server.connect();
    let mut waiting: Vec<Conn> = (0..5).map(|_| server.connect()).collect();
    let commands = ["BLPOP a l 0", "BRPOP l 0", "BLMPOP 0 2 a l LEFT COUNT 2", "BLMOVE l m LEFT RIGHT 0", "BLPOP m 0"];
    for (n, (conn, command)) in waiting.iter_mut().zip(commands).enumerate() {
        conn.send_cmd(&words(command));
        wait_for_blocked(&server, n + 1);
    }
    assert_eq!(feeder.run("RPUSH l 1 2 3 4 5 6").to_string(), "6");
    let answers: Vec<String> = waiting.iter_mut().map(|conn| conn.recv().to_string()).collect();
    assert_eq!(answers, [r#"["l", "1"]"#, r#"["l", "6"]"#, r#"["l", ["2", "3"]]"#, r#""4""#, r#"["m", "4"]"#]);
    assert_eq!(feeder.run("LRANGE l 0 -1").to_string(), r#"["5"]"#);
    wait_for_blocked(&server, 0);
}

#[test]
fn a_destination_of_another_type_is_an_error_when_the_element_comes() {
    let server = Server::start(&[]);
    let (mut feeder, mut waiting) = (server.connect(), server.connect());
    feeder.run("SET s x");
    waiting.send_cmd(&words("BLMOVE l s LEFT LEFT 0"));
    wait_for_blocked(&server, 1);
    feeder.run("RPUSH l 1");
    assert_eq!(waiting.recv().to_string(), "-WRONGTYPE Operation against a key holding the wrong kind of value");
    assert_eq!(feeder.run("LLEN l").int(), 1);
}
