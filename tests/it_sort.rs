//! SORT and SORT_RO: by what elements are, by what other keys say of them, and what is stored of it.

mod common;
use common::*;

#[test]
fn elements_in_order() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        RPUSH l 3 1 10 2 -5 2.5                 -> 6
        SORT l                                  -> ["-5", "1", "2", "2.5", "3", "10"]
        SORT l DESC                             -> ["10", "3", "2.5", "2", "1", "-5"]
        SORT l ASC                              -> ["-5", "1", "2", "2.5", "3", "10"]
        SORT l DESC ASC                         -> ["-5", "1", "2", "2.5", "3", "10"]
        SORT l ALPHA                            -> ["-5", "1", "10", "2", "2.5", "3"]
        SORT l ALPHA DESC                       -> ["3", "2.5", "2", "10", "1", "-5"]
        SORT_RO l                               -> ["-5", "1", "2", "2.5", "3", "10"]
        SORT l LIMIT 0 2                        -> ["-5", "1"]
        SORT l LIMIT 1 3                        -> ["1", "2", "2.5"]
        SORT l LIMIT 4 10                       -> ["3", "10"]
        SORT l LIMIT 6 1                        -> []
        SORT l LIMIT -2 2                       -> ["-5", "1"]
        SORT l LIMIT 2 -1                       -> ["2", "2.5", "3", "10"]
        SORT l LIMIT 2 0                        -> []
        SORT l LIMIT 0 2 DESC                   -> ["10", "3"]
        SORT l limit 0 2 limit 1 1              -> ["1"]
        SORT absent                             -> []
        SORT absent ALPHA DESC GET x*           -> []
        RPUSH words b aa a B "" ab              -> 6
        SORT words ALPHA                        -> ["", "B", "a", "aa", "ab", "b"]
        SORT words ALPHA DESC LIMIT 0 2         -> ["b", "ab"]
        SORT words                              -> -ERR One or more scores can't be converted into double
        SORT words LIMIT 0 0                    -> -ERR One or more scores can't be converted into double
        RPUSH same 1 1.0 01 1e0 0x1 " 1" 1      -> 7
        SORT same                               -> [" 1", "01", "0x1", "1", "1", "1.0", "1e0"]
        SORT same DESC                          -> ["1e0", "1.0", "1", "1", "0x1", "01", " 1"]
        RPUSH odd "" inf -inf 1e308             -> 4
        SORT odd                                -> ["-inf", "", "1e308", "inf"]
        RPUSH nan nan 1                         -> 2
        SORT nan                                -> -ERR One or more scores can't be converted into double
        RPUSH blank " " 1                       -> 2
        SORT blank                              -> -ERR One or more scores can't be converted into double
        RPUSH big 1e400 1                       -> 2
        SORT big                                -> -ERR One or more scores can't be converted into double
    "#,
    );
    server.spec(
        r#"
        SET s x                                 -> OK
        RPUSH l 1                               -> 1
        SORT s                                  -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SORT                                    -> -ERR wrong number of arguments for 'sort' command
        SORT l BOGUS                            -> -ERR syntax error
        SORT l LIMIT 0                          -> -ERR syntax error
        SORT l LIMIT x 1                        -> -ERR value is not an integer or out of range
        SORT l LIMIT 1 x                        -> -ERR value is not an integer or out of range
        SORT l BY                               -> -ERR syntax error
        SORT l GET                              -> -ERR syntax error
        SORT l STORE                            -> -ERR syntax error
        SORT_RO l STORE d                       -> -ERR syntax error
        SORT s BOGUS                            -> -ERR syntax error
        EXISTS d                                -> 0
        COMMAND GETKEYS SORT a BY x STORE y GET STORE LIMIT 1 2 STORE z -> ["a", "z"]
        COMMAND GETKEYS SORT_RO a BY x          -> ["a"]
    "#,
    );
}

#[test]
fn by_and_get_look_at_other_keys() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        RPUSH l a b c d                         -> 4
        MSET w_a 3 w_b 1 w_c 2 v_a A v_b B      -> OK
        SORT l BY w_*                           -> ["d", "b", "c", "a"]
        SORT l BY w_* DESC                      -> ["a", "c", "b", "d"]
        SORT l BY w_* LIMIT 1 2                 -> ["b", "c"]
        SORT l BY w_* GET v_*                   -> [nil, "B", nil, "A"]
        SORT l BY w_* GET # GET v_* GET w_*     -> ["d", nil, nil, "b", "B", "1", "c", nil, "2", "a", "A", "3"]
        SORT l BY v_*                           -> -ERR One or more scores can't be converted into double
        SORT l BY v_* ALPHA                     -> ["c", "d", "a", "b"]
        SORT l BY v_* ALPHA DESC                -> ["b", "a", "c", "d"]
        SORT l BY nosort                        -> ["a", "b", "c", "d"]
        SORT l BY nosort DESC                   -> ["d", "c", "b", "a"]
        SORT l BY nosort LIMIT 1 2              -> ["b", "c"]
        SORT l BY nosort DESC LIMIT 1 2         -> ["c", "b"]
        SORT l BY nosort GET v_* GET constant   -> ["A", nil, "B", nil, nil, nil, nil, nil]
        SORT l BY nosort LIMIT 9 2              -> []
        SORT l BY x BY w_*                      -> ["a", "b", "c", "d"]
        SORT l ALPHA GET ##                     -> [nil, nil, nil, nil]
        SET xay 1                               -> OK
        SORT l ALPHA GET x*y                    -> ["1", nil, nil, nil]
        SORT l ALPHA GET "w_*->f"               -> [nil, nil, nil, nil]
        RPUSH v_c x                             -> 1
        SORT l ALPHA GET v_*                    -> ["A", "B", nil, nil]
        SORT l BY v_*                           -> -ERR One or more scores can't be converted into double
        # needs HSET
        HSET h_a weight 3 name Ann              -> 2
        HSET h_b weight 1 name Bob              -> 2
        HSET h_c weight 2                       -> 1
        SORT l BY h_*->weight                   -> ["d", "b", "c", "a"]
        SORT l BY h_*->weight DESC GET h_*->name GET h_* -> ["Ann", nil, nil, nil, "Bob", nil, nil, nil]
        SORT l BY h_*->name ALPHA DESC          -> ["b", "a", "c", "d"]
        SORT l ALPHA GET h_*->                  -> [nil, nil, nil, nil]
    "#,
    );
}

#[test]
fn sets_and_sorted_sets_are_sorted_too() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        # needs SADD
        SADD s 3 1 2 10                         -> 4
        SORT s                                  -> ["1", "2", "3", "10"]
        SORT s ALPHA DESC                       -> ["3", "2", "10", "1"]
        SORT s BY nosort STORE d                -> 4
        LRANGE d 0 -1                           -> ["1", "10", "2", "3"]
        SORT s BY nosort LIMIT 1 2 STORE d      -> 2
        LRANGE d 0 -1                           -> ["10", "2"]
        SORT s BY nosort DESC STORE d           -> 4
        LRANGE d 0 -1                           -> ["3", "2", "10", "1"]
        SORT s BY w_*                           -> ["1", "10", "2", "3"]
        # needs ZADD
        ZADD z 5 a 4 b 3 c 2 d 1 e              -> 5
        SORT z                                  -> -ERR One or more scores can't be converted into double
        SORT z ALPHA                            -> ["a", "b", "c", "d", "e"]
        SORT z ALPHA DESC LIMIT 1 2             -> ["d", "c"]
        SORT z BY nosort                        -> ["e", "d", "c", "b", "a"]
        SORT z BY nosort DESC                   -> ["a", "b", "c", "d", "e"]
        SORT z BY nosort LIMIT 1 2              -> ["d", "c"]
        SORT z BY nosort DESC LIMIT 1 2         -> ["b", "c"]
        SORT z BY nosort DESC LIMIT 4 10        -> ["e"]
        SORT z BY nosort LIMIT 5 10             -> []
        SORT z BY nosort DESC STORE d           -> 5
        LRANGE d 0 -1                           -> ["a", "b", "c", "d", "e"]
    "#,
    );
}

#[test]
fn the_result_can_be_stored() {
    let server = Server::start(&["--list-max-listpack-size 4"]);
    server.spec(
        r#"
        RPUSH l 3 1 2                           -> 3
        MSET v_1 one v_3 three                  -> OK
        SET d x EX 100                          -> OK
        SORT l STORE d                          -> 3
        TTL d                                   -> -1
        LRANGE d 0 -1                           -> ["1", "2", "3"]
        OBJECT ENCODING d                       -> "listpack"
        SORT l GET # GET v_* STORE d            -> 6
        LRANGE d 0 -1                           -> ["1", "one", "2", "", "3", "three"]
        OBJECT ENCODING d                       -> "quicklist"
        SORT l DESC STORE l                     -> 3
        LRANGE l 0 -1                           -> ["3", "2", "1"]
        SORT l LIMIT 5 1 STORE d                -> 0
        EXISTS d                                -> 0
        SORT absent STORE l                     -> 0
        EXISTS l                                -> 0
        RPUSH words a b                         -> 2
        SET d x                                 -> OK
        SORT words STORE d                      -> -ERR One or more scores can't be converted into double
        GET d                                   -> "x"
        SORT words ALPHA STORE e STORE f        -> 2
        EXISTS e f                              -> 1
    "#,
    );
    server.spec(
        r#"
        HELLO 3                                 ~> *
        RPUSH l 2 1                             -> 2
        SORT l GET v_* GET #                    -> [null, "1", null, "2"]
    "#,
    );
}
