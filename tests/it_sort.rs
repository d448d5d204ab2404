//! SORT and SORT_RO: by what elements are, by what other keys say of them, and what is stored of it.

mod common;
use common::*;

#[test]
fn elements_in_order() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        RPUSH l 3 1 10 2 -5 2.5                 -> ?
        SORT l                                  -> ?
        SORT l DESC                             -> ?
        SORT l ASC                              -> ?
        SORT l DESC ASC                         -> ?
        SORT l ALPHA                            -> ?
        SORT l ALPHA DESC                       -> ?
        SORT_RO l                               -> ?
        SORT l LIMIT 0 2                        -> ?
        SORT l LIMIT 1 3                        -> ?
        SORT l LIMIT 4 10                       -> ?
        SORT l LIMIT 6 1                        -> ?
        SORT l LIMIT -2 2                       -> ?
        SORT l LIMIT 2 -1                       -> ?
        SORT l LIMIT 2 0                        -> ?
        SORT l LIMIT 0 2 DESC                   -> ?
        SORT l limit 0 2 limit 1 1              -> ?
        SORT absent                             -> ?
        SORT absent ALPHA DESC GET x*           -> ?
        RPUSH words b aa a B "" ab              -> ?
        SORT words ALPHA                        -> ?
        SORT words ALPHA DESC LIMIT 0 2         -> ?
        SORT words                              -> ?
        SORT words LIMIT 0 0                    -> ?
        RPUSH same 1 1.0 01 1e0 0x1 " 1" 1      -> ?
        SORT same                               -> ?
        SORT same DESC                          -> ?
        RPUSH odd "" inf -inf 1e308             -> ?
        SORT odd                                -> ?
        RPUSH nan nan 1                         -> ?
        SORT nan                                -> ?
        RPUSH blank " " 1                       -> ?
        SORT blank                              -> ?
        RPUSH big 1e400 1                       -> ?
        SORT big                                -> ?
    "#,
    );
    server.spec(
        r#"
        SET s x                                 -> ?
        RPUSH l 1                               -> ?
        SORT s                                  -> ?
        SORT                                    -> ?
        SORT l BOGUS                            -> ?
        SORT l LIMIT 0                          -> ?
        SORT l LIMIT x 1                        -> ?
        SORT l LIMIT 1 x                        -> ?
        SORT l BY                               -> ?
        SORT l GET                              -> ?
        SORT l STORE                            -> ?
        SORT_RO l STORE d                       -> ?
        SORT s BOGUS                            -> ?
        EXISTS d                                -> ?
        COMMAND GETKEYS SORT a BY x STORE y GET STORE LIMIT 1 2 STORE z -> ?
        COMMAND GETKEYS SORT_RO a BY x          -> ?
    "#,
    );
}

#[test]
fn by_and_get_look_at_other_keys() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        RPUSH l a b c d                         -> ?
        MSET w_a 3 w_b 1 w_c 2 v_a A v_b B      -> ?
        SORT l BY w_*                           -> ?
        SORT l BY w_* DESC                      -> ?
        SORT l BY w_* LIMIT 1 2                 -> ?
        SORT l BY w_* GET v_*                   -> ?
        SORT l BY w_* GET # GET v_* GET w_*     -> ?
        SORT l BY v_*                           -> ?
        SORT l BY v_* ALPHA                     -> ?
        SORT l BY v_* ALPHA DESC                -> ?
        SORT l BY nosort                        -> ?
        SORT l BY nosort DESC                   -> ?
        SORT l BY nosort LIMIT 1 2              -> ?
        SORT l BY nosort DESC LIMIT 1 2         -> ?
        SORT l BY nosort GET v_* GET constant   -> ?
        SORT l BY nosort LIMIT 9 2              -> ?
        SORT l BY x BY w_*                      -> ?
        SORT l ALPHA GET ##                     -> ?
        SET xay 1                               -> ?
        SORT l ALPHA GET x*y                    -> ?
        SORT l ALPHA GET "w_*->f"               -> ?
        RPUSH v_c x                             -> ?
        SORT l ALPHA GET v_*                    -> ?
        SORT l BY v_*                           -> ?
        # needs HSET
        HSET h_a weight 3 name Ann              -> ?
        HSET h_b weight 1 name Bob              -> ?
        HSET h_c weight 2                       -> ?
        SORT l BY h_*->weight                   -> ?
        SORT l BY h_*->weight DESC GET h_*->name GET h_* -> ?
        SORT l BY h_*->name ALPHA DESC          -> ?
        SORT l ALPHA GET h_*->                  -> ?
    "#,
    );
}

#[test]
fn sets_and_sorted_sets_are_sorted_too() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        # needs SADD
        SADD s 3 1 2 10                         -> ?
        SORT s                                  -> ?
        SORT s ALPHA DESC                       -> ?
        SORT s BY nosort STORE d                -> ?
        LRANGE d 0 -1                           -> ?
        SORT s BY nosort LIMIT 1 2 STORE d      -> ?
        LRANGE d 0 -1                           -> ?
        SORT s BY nosort DESC STORE d           -> ?
        LRANGE d 0 -1                           -> ?
        SORT s BY w_*                           -> ?
        # needs ZADD
        ZADD z 5 a 4 b 3 c 2 d 1 e              -> ?
        SORT z                                  -> ?
        SORT z ALPHA                            -> ?
        SORT z ALPHA DESC LIMIT 1 2             -> ?
        SORT z BY nosort                        -> ?
        SORT z BY nosort DESC                   -> ?
        SORT z BY nosort LIMIT 1 2              -> ?
        SORT z BY nosort DESC LIMIT 1 2         -> ?
        SORT z BY nosort DESC LIMIT 4 10        -> ?
        SORT z BY nosort LIMIT 5 10             -> ?
        SORT z BY nosort DESC STORE d           -> ?
        LRANGE d 0 -1                           -> ?
    "#,
    );
}

#[test]
fn the_result_can_be_stored() {
    let server = Server::start(&["--list-max-listpack-size 4"]);
    server.spec(
        r#"
        RPUSH l 3 1 2                           -> ?
        MSET v_1 one v_3 three                  -> ?
        SET d x EX 100                          -> ?
        SORT l STORE d                          -> ?
        TTL d                                   -> ?
        LRANGE d 0 -1                           -> ?
        OBJECT ENCODING d                       -> ?
        SORT l GET # GET v_* STORE d            -> ?
        LRANGE d 0 -1                           -> ?
        OBJECT ENCODING d                       -> ?
        SORT l DESC STORE l                     -> ?
        LRANGE l 0 -1                           -> ?
        SORT l LIMIT 5 1 STORE d                -> ?
        EXISTS d                                -> ?
        SORT absent STORE l                     -> ?
        EXISTS l                                -> ?
        RPUSH words a b                         -> ?
        SET d x                                 -> ?
        SORT words STORE d                      -> ?
        GET d                                   -> ?
        SORT words ALPHA STORE e STORE f        -> ?
        EXISTS e f                              -> ?
    "#,
    );
    server.spec(
        r#"
        HELLO 3                                 ~> *
        RPUSH l 2 1                             -> ?
        SORT l GET v_* GET #                    -> ?
    "#,
    );
}
