//! String commands: every option, every error, and the encodings that OBJECT ENCODING tells of.

mod common;
use common::*;

#[test]
fn set_and_its_options() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        GET a                                   -> nil
        SET a 1                                 -> OK
        GET a                                   -> "1"
        SET a "" GET                            -> "1"
        GET a                                   -> ""
        SET "" "the empty key"                  -> OK
        GET ""                                  -> "the empty key"
        SET "\x00\xff\r\n" "\x00\x80\xff\r\n"   -> OK
        GET "\x00\xff\r\n"                      -> "\x00\x80\xff\r\n"

        SET n 1 XX                              -> nil
        SET n 1 NX                              -> OK
        SET n 2 NX                              -> nil
        SET n 3 XX                              -> OK
        SET n 4 NX GET                          -> "3"
        SET n 5 XX GET                          -> "3"
        SET absent 1 XX GET                     -> nil
        SET fresh 1 NX GET                      -> nil
        SET fresh2 1 GET                        -> nil
        EXISTS absent fresh fresh2              -> 2
        GET n                                   -> "5"
        set n 6 gEt nX                          -> "5"
        sEt N 7                                 -> OK
        GET N                                   -> "7"

        SET t v EX 100                          -> OK
        TTL t                                   -> 99..100
        SET t v KEEPTTL                         -> OK
        TTL t                                   -> 99..100
        SET t v KEEPTTL GET                     -> "v"
        SET t v                                 -> OK
        TTL t                                   -> -1
        SET t v PX 100500                       -> OK
        PTTL t                                  -> 99000..100500
        SET t v EXAT 33177117420                -> OK
        EXPIRETIME t                            -> 33177117420
        SET t v PXAT 33177117420123             -> OK
        PEXPIRETIME t                           -> 33177117420123
        SET t v EXAT 1                          -> OK
        EXISTS t                                -> 0
        SET t v PXAT 1                          -> OK
        SET t v NX EX 100 GET                   -> nil
        SET t w EX 5 NX                         -> nil
        TTL t                                   -> 99..100
        SET fresh v KEEPTTL                     -> OK
        TTL fresh                               -> -1
    "#,
    );
    server.spec(
        r#"
        SET                                     -> -ERR wrong number of arguments for 'set' command
        SET a                                   -> -ERR wrong number of arguments for 'set' command
        SET a 1 NX XX                           -> -ERR syntax error
        SET a 1 EX                              -> -ERR syntax error
        SET a 1 EX 1 PX 1                       -> -ERR syntax error
        SET a 1 EX 1 EX 1                       -> OK
        SET a 1 EX 1 KEEPTTL                    -> -ERR syntax error
        SET a 1 KEEPTTL EXAT 1                  -> -ERR syntax error
        SET a 1 EX 0                            -> -ERR invalid expire time in 'set' command
        SET a 1 PX -1                           -> -ERR invalid expire time in 'set' command
        SET a 1 EXAT 0                          -> -ERR invalid expire time in 'set' command
        SET a 1 PXAT -5                         -> -ERR invalid expire time in 'set' command
        SET a 1 EX ten                          -> -ERR value is not an integer or out of range
        SET a 1 EX 1.5                          -> -ERR value is not an integer or out of range
        SET a 1 EX 9223372036854775807          -> -ERR invalid expire time in 'set' command
        SET a 1 EX 9223372036854775             -> -ERR invalid expire time in 'set' command
        SET a 1 EX 92233720368547758            -> -ERR invalid expire time in 'set' command
        SET a 1 PX 9223372036854775807          -> -ERR invalid expire time in 'set' command
        SET a 1 EX 99999999999999999999         -> -ERR value is not an integer or out of range
        SET a 1 BOGUS                           -> -ERR syntax error
        SET a 1 NX NX                           -> nil
        SET a 1 PERSIST                         -> -ERR syntax error
        GET                                     -> -ERR wrong number of arguments for 'get' command
        GET a b                                 -> -ERR wrong number of arguments for 'get' command
        EXISTS a                                -> 1
        # needs LPUSH
        LPUSH list x                            -> 1
        GET list                                -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SET list x GET                          -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SET list x NX GET                       -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SET list now-a-string                   -> OK
        GET list                                -> "now-a-string"
    "#,
    );
}

#[test]
fn the_older_forms_of_set_and_get() {
    Server::start(&[]).spec(
        r#"
        SETNX a 1                               -> 1
        SETNX a 2                               -> 0
        SETNX a                                 -> -ERR wrong number of arguments for 'setnx' command
        SETEX b 100 v                           -> OK
        TTL b                                   -> 99..100
        SETEX b 0 v                             -> -ERR invalid expire time in 'setex' command
        SETEX b -1 v                            -> -ERR invalid expire time in 'setex' command
        SETEX b x v                             -> -ERR value is not an integer or out of range
        SETEX b 9223372036854775807 v           -> -ERR invalid expire time in 'setex' command
        PSETEX b 100500 v                       -> OK
        PTTL b                                  -> 99000..100500
        PSETEX b 0 v                            -> -ERR invalid expire time in 'psetex' command
        PSETEX b 9223372036854775807 v          -> -ERR invalid expire time in 'psetex' command
        GETSET a 3                              -> "1"
        GETSET absent 3                         -> nil
        GETSET b w                              -> "v"
        TTL b                                   -> -1
        GETDEL a                                -> "3"
        GETDEL a                                -> nil
        GETDEL                                  -> -ERR wrong number of arguments for 'getdel' command
        # needs LPUSH
        LPUSH list x                            -> 1
        GETSET list x                           -> -WRONGTYPE Operation against a key holding the wrong kind of value
        GETDEL list                             -> -WRONGTYPE Operation against a key holding the wrong kind of value
        TYPE list                               -> list
    "#,
    );
}

#[test]
fn getex() {
    Server::start(&[]).spec(
        r#"
        GETEX a                                 -> nil
        SET a v EX 100                          -> OK
        GETEX a                                 -> "v"
        TTL a                                   -> 99..100
        GETEX a PERSIST                         -> "v"
        TTL a                                   -> -1
        GETEX a PERSIST                         -> "v"
        GETEX a EX 50                           -> "v"
        TTL a                                   -> 49..50
        GETEX a px 50500                        -> "v"
        PTTL a                                  -> 49000..50500
        GETEX a EXAT 33177117420                -> "v"
        EXPIRETIME a                            -> 33177117420
        GETEX a PXAT 33177117420123             -> "v"
        PEXPIRETIME a                           -> 33177117420123
        GETEX a EX 0                            -> -ERR invalid expire time in 'getex' command
        GETEX a PX -1                           -> -ERR invalid expire time in 'getex' command
        GETEX a EX x                            -> -ERR value is not an integer or out of range
        GETEX a EX                              -> -ERR syntax error
        GETEX a EX 9223372036854775807          -> -ERR invalid expire time in 'getex' command
        GETEX a EX 1 PERSIST                    -> -ERR syntax error
        GETEX a KEEPTTL                         -> -ERR syntax error
        GETEX a NX                              -> -ERR syntax error
        GETEX a EX 1 PX 1                       -> -ERR syntax error
        GETEX absent EX 10                      -> nil
        GETEX absent EX 0                       -> nil
        GETEX a PXAT 1                          -> "v"
        EXISTS a                                -> 0
        SET a v                                 -> OK
        GETEX a EXAT 1                          -> "v"
        EXISTS a                                -> 0
        # needs LPUSH
        LPUSH list x                            -> 1
        GETEX list                              -> -WRONGTYPE Operation against a key holding the wrong kind of value
    "#,
    );
}

#[test]
fn several_at_once() {
    Server::start(&[]).spec(
        r#"
        MSET a 1 b 2 c ""                       -> OK
        MGET a b c absent                       -> ["1", "2", "", nil]
        MSET a 3 a 4                            -> OK
        GET a                                   -> "4"
        MSET a                                  -> -ERR wrong number of arguments for 'mset' command
        MSET a 1 b                              -> -ERR wrong number of arguments for 'mset' command
        MSETNX d 1 e 2                          -> 1
        MSETNX e 3 f 4                          -> 0
        EXISTS f                                -> 0
        MSETNX g 1 g 2                          -> 1
        GET g                                   -> "2"
        MSETNX a                                -> -ERR wrong number of arguments for 'msetnx' command
        MSETNX a 1 b                            -> -ERR wrong number of arguments for 'msetnx' command
        SET a 1 EX 100                          -> OK
        MSET a 2                                -> OK
        TTL a                                   -> -1
        # needs LPUSH
        LPUSH list x                            -> 1
        MGET a list d                           -> ["2", nil, "1"]
        MGET                                    -> -ERR wrong number of arguments for 'mget' command
        MSET list s                             -> OK
        TYPE list                               -> string
    "#,
    );
}

#[test]
fn parts_of_strings() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        STRLEN absent                           -> 0
        APPEND a hello                          -> 5
        APPEND a " world"                       -> 11
        APPEND a ""                             -> 11
        GET a                                   -> "hello world"
        STRLEN a                                -> 11
        SET t v EX 100                          -> OK
        APPEND t w                              -> 2
        TTL t                                   -> 99..100
        APPEND empty ""                         -> 0
        EXISTS empty                            -> 1
        STRLEN a b                              -> -ERR wrong number of arguments for 'strlen' command
        APPEND a                                -> -ERR wrong number of arguments for 'append' command

        GETRANGE a 0 4                          -> "hello"
        GETRANGE a 0 -1                         -> "hello world"
        GETRANGE a -5 -1                        -> "world"
        GETRANGE a -5 -7                        -> ""
        GETRANGE a 5 1                          -> ""
        GETRANGE a 100 200                      -> ""
        GETRANGE a -100 2                       -> "hel"
        GETRANGE a -100 -50                     -> "h"
        GETRANGE a 4 100                        -> "o world"
        GETRANGE a 9223372036854775807 -1       -> ""
        GETRANGE a -9223372036854775808 9223372036854775807 -> "hello world"
        GETRANGE a x 1                          -> -ERR value is not an integer or out of range
        GETRANGE a 0                            -> -ERR wrong number of arguments for 'getrange' command
        GETRANGE absent 0 -1                    -> ""
        SUBSTR a 0 4                            -> "hello"
        SET int 12345                           -> OK
        GETRANGE int 1 3                        -> "234"
        STRLEN int                              -> 5

        SETRANGE a 6 redis                      -> 11
        GET a                                   -> "hello redis"
        SETRANGE pad 3 x                        -> 4
        GET pad                                 -> "\x00\x00\x00x"
        SETRANGE absent2 5 ""                   -> 0
        EXISTS absent2                          -> 0
        SETRANGE a 100 ""                       -> 11
        SETRANGE a -1 x                         -> -ERR offset is out of range
        SETRANGE a x x                          -> -ERR value is not an integer or out of range
        SETRANGE a 536870912 x                  -> -ERR string exceeds maximum allowed size (proto-max-bulk-len)
        SETRANGE absent3 536870911 xy           -> -ERR string exceeds maximum allowed size (proto-max-bulk-len)
        SETRANGE a 9223372036854775807 x        -> -ERR string exceeds maximum allowed size (proto-max-bulk-len)
        SETRANGE int 0 9                        -> 5
        GET int                                 -> "92345"
        OBJECT ENCODING int                     -> "raw"
        SETRANGE a 1                            -> -ERR wrong number of arguments for 'setrange' command
        # needs LPUSH
        LPUSH list x                            -> 1
        APPEND list x                           -> -WRONGTYPE Operation against a key holding the wrong kind of value
        STRLEN list                             -> -WRONGTYPE Operation against a key holding the wrong kind of value
        GETRANGE list 0 1                       -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SETRANGE list 0 x                       -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SETRANGE list -1 x                      -> -ERR offset is out of range
        SETRANGE list 0 ""                      -> -WRONGTYPE Operation against a key holding the wrong kind of value
    "#,
    );
}

#[test]
fn counters() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        INCR n                                  -> 1
        INCR n                                  -> 2
        DECR n                                  -> 1
        INCRBY n 40                             -> 41
        DECRBY n 42                             -> -1
        INCRBY n -7                             -> -8
        DECRBY n -7                             -> -1
        GET n                                   -> "-1"
        SET n 9223372036854775806               -> OK
        INCR n                                  -> 9223372036854775807
        INCR n                                  -> -ERR increment or decrement would overflow
        INCRBY n -9223372036854775808           -> -1
        SET n -9223372036854775807              -> OK
        DECR n                                  -> -9223372036854775808
        DECR n                                  -> -ERR increment or decrement would overflow
        DECRBY n -9223372036854775808           -> -ERR decrement would overflow
        INCRBY n 9223372036854775808            -> -ERR value is not an integer or out of range
        INCRBY n x                              -> -ERR value is not an integer or out of range
        INCRBY n 1.0                            -> -ERR value is not an integer or out of range
        INCRBY n                                -> -ERR wrong number of arguments for 'incrby' command
        INCR n 1                                -> -ERR wrong number of arguments for 'incr' command
        SET n " 1"                              -> OK
        INCR n                                  -> -ERR value is not an integer or out of range
        SET n "1 "                              -> OK
        INCR n                                  -> -ERR value is not an integer or out of range
        SET n +1                                -> OK
        INCR n                                  -> -ERR value is not an integer or out of range
        SET n 01                                -> OK
        INCR n                                  -> -ERR value is not an integer or out of range
        SET n -0                                -> OK
        INCR n                                  -> -ERR value is not an integer or out of range
        SET n ""                                -> OK
        INCR n                                  -> -ERR value is not an integer or out of range
        SET n "1\x00"                           -> OK
        INCR n                                  -> -ERR value is not an integer or out of range
        SET n 9223372036854775808               -> OK
        INCR n                                  -> -ERR value is not an integer or out of range
        SET t 5 EX 100                          -> OK
        INCR t                                  -> 6
        TTL t                                   -> 99..100
        # needs LPUSH
        LPUSH list x                            -> 1
        INCR list                               -> -WRONGTYPE Operation against a key holding the wrong kind of value
        INCRBYFLOAT list 1                      -> -WRONGTYPE Operation against a key holding the wrong kind of value
    "#,
    );
    server.spec(
        r#"
        INCRBYFLOAT f 10.50                     -> "10.5"
        INCRBYFLOAT f 0.1                       -> "10.6"
        INCRBYFLOAT f -5                        -> "5.6"
        INCRBYFLOAT f 5.0e3                     -> "5005.60000000000000009"
        INCRBYFLOAT f -5005.6                   -> "0"
        SET f 5.0e3                             -> OK
        INCRBYFLOAT f 2.0e2                     -> "5200"
        SET f 3                                 -> OK
        INCRBYFLOAT f 1.00                      -> "4"
        OBJECT ENCODING f                       -> "embstr"
        INCR f                                  -> 5
        INCRBYFLOAT f 0.3                       -> "5.3"
        INCR f                                  -> -ERR value is not an integer or out of range
        SET f 1                                 -> OK
        INCRBYFLOAT f 1e-17                     -> "1.00000000000000001"
        INCRBYFLOAT f 1e17                      -> "100000000000000001"
        SET f 0.1                               -> OK
        INCRBYFLOAT f 0.2                       -> "0.3"
        SET f 1                                 -> OK
        INCRBYFLOAT f 1.00000000000000001       -> "2.00000000000000001"
        INCRBYFLOAT f 1e400                     -> "10000000000000000000281880683947586514586453433629052038625910693539685534008629862039363994848324160522094053927317616200295822777259255734023828976593340661017797447434546173917862448116674971723778943824391593338047470675026246684401359237513603830343735485505244955964979021825038280091068414947402456898653040951017512658092615827588920183472511643316591362664138176309734806343732497430221946880"
        INCRBYFLOAT f inf                       -> -ERR increment would produce NaN or Infinity
        INCRBYFLOAT f -inf                      -> -ERR increment would produce NaN or Infinity
        INCRBYFLOAT f nan                       -> -ERR value is not a valid float
        INCRBYFLOAT f x                         -> -ERR value is not a valid float
        INCRBYFLOAT f "1 "                      -> -ERR value is not a valid float
        INCRBYFLOAT f " 1"                      -> -ERR value is not a valid float
        INCRBYFLOAT f ""                        -> -ERR value is not a valid float
        INCRBYFLOAT f                           -> -ERR wrong number of arguments for 'incrbyfloat' command
        SET f " 11"                             -> OK
        INCRBYFLOAT f 1.0                       -> -ERR value is not a valid float
        SET f "11 "                             -> OK
        INCRBYFLOAT f 1.0                       -> -ERR value is not a valid float
        SET f abc                               -> OK
        INCRBYFLOAT f 1.0                       -> -ERR value is not a valid float
        SET f -3.5                              -> OK
        INCRBYFLOAT f 3.5                       -> "0"
        SET f 0x10                              -> OK
        INCRBYFLOAT f 1                         -> "17"
        SET f 1.5 EX 100                        -> OK
        INCRBYFLOAT f 1                         -> "2.5"
        TTL f                                   -> 99..100
    "#,
    );
}

#[test]
fn longest_common_subsequence() {
    Server::start(&[]).spec(
        r#"
        MSET a ohmytext b mynewtext             -> OK
        LCS a b                                 -> "mytext"
        LCS a b LEN                             -> 6
        LCS a b IDX                             -> ["matches", [[[4, 7], [5, 8]], [[2, 3], [0, 1]]], "len", 6]
        LCS a b IDX MINMATCHLEN 4               -> ["matches", [[[4, 7], [5, 8]]], "len", 6]
        LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN  -> ["matches", [[[4, 7], [5, 8], 4]], "len", 6]
        LCS a b IDX MINMATCHLEN 0               -> ["matches", [[[4, 7], [5, 8]], [[2, 3], [0, 1]]], "len", 6]
        LCS a b IDX MINMATCHLEN -5              -> ["matches", [[[4, 7], [5, 8]], [[2, 3], [0, 1]]], "len", 6]
        LCS a b IDX MINMATCHLEN x               -> -ERR value is not an integer or out of range
        LCS a b WITHMATCHLEN                    -> "mytext"
        LCS a b LEN IDX                         -> -ERR If you want both the length and indexes, please just use IDX.
        LCS a b BOGUS                           -> -ERR syntax error
        LCS a b MINMATCHLEN                     -> -ERR syntax error
        LCS a                                   -> -ERR wrong number of arguments for 'lcs' command
        LCS a absent                            -> ""
        LCS a absent LEN                        -> 0
        LCS a absent IDX                        -> ["matches", [], "len", 0]
        LCS a a                                 -> "ohmytext"
        MSET x 1234 y 1234                      -> OK
        LCS x y IDX                             -> ["matches", [[[0, 3], [0, 3]]], "len", 4]
        HELLO 3                                 ~> {*}
        LCS a b IDX WITHMATCHLEN                -> {"matches": [[[4, 7], [5, 8], 4], [[2, 3], [0, 1], 2]], "len": 6}
        HELLO 2                                 ~> *
        # needs LPUSH
        LPUSH list x                            -> 1
        LCS a list                              -> -ERR The specified keys must contain string values
        LCS list a LEN                          -> -ERR The specified keys must contain string values
    "#,
    );
}

#[test]
fn encodings() {
    Server::start(&[]).spec(
        r#"
        SET e 12                                -> OK
        OBJECT ENCODING e                       -> "int"
        SET e -9223372036854775808              -> OK
        OBJECT ENCODING e                       -> "int"
        SET e 9223372036854775808               -> OK
        OBJECT ENCODING e                       -> "embstr"
        SET e 012                               -> OK
        OBJECT ENCODING e                       -> "embstr"
        SET e " 12"                             -> OK
        OBJECT ENCODING e                       -> "embstr"
        SET e ""                                -> OK
        OBJECT ENCODING e                       -> "embstr"
        # 44 bytes are the longest short string, 45 are a raw one
        SET e 12345678901234567890123456789012345678901234 -> OK
        OBJECT ENCODING e                       -> "embstr"
        SET e 123456789012345678901234567890123456789012345 -> OK
        OBJECT ENCODING e                       -> "raw"
        SET e abc                               -> OK
        APPEND e d                              -> 4
        OBJECT ENCODING e                       -> "raw"
        SET e 12                                -> OK
        APPEND e 3                              -> 3
        GET e                                   -> "123"
        OBJECT ENCODING e                       -> "raw"
        INCR e                                  -> 124
        OBJECT ENCODING e                       -> "int"
        APPEND fresh 7                          -> 1
        OBJECT ENCODING fresh                   -> "int"
        APPEND fresh2 ab                        -> 2
        OBJECT ENCODING fresh2                  -> "embstr"
        SETRANGE fresh3 0 ab                    -> 2
        OBJECT ENCODING fresh3                  -> "raw"
        GETSET e 15                             -> "124"
        OBJECT ENCODING e                       -> "int"
        MSET e 16 g ab                          -> OK
        OBJECT ENCODING e                       -> "int"
        OBJECT ENCODING g                       -> "embstr"
        SETNX h 17                              -> 1
        OBJECT ENCODING h                       -> "int"
        INCRBYFLOAT i 1.5                       -> "1.5"
        OBJECT ENCODING i                       -> "embstr"
        SETEX j 100 5                           -> OK
        OBJECT ENCODING j                       -> "int"
        COPY e k                                -> 1
        OBJECT ENCODING k                       -> "int"
        SET l 5 EX 100 GET                      -> nil
        OBJECT ENCODING l                       -> "int"
    "#,
    );
}

#[test]
fn answers_in_resp3() {
    Server::start(&[]).spec(
        r#"
        HELLO 3                                 ~> {*}
        GET absent                              -> null
        SET a 1 NX GET                          -> null
        SET a 1 NX                              -> null
        MGET a absent                           -> ["1", null]
        GETEX absent                            -> null
        GETDEL absent                           -> null
        INCRBYFLOAT f 1.5                       -> "1.5"
        SETNX a 1                               -> 0
        OBJECT ENCODING absent                  -> null
    "#,
    );
}

#[test]
fn a_value_of_any_size_comes_back_as_it_went() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    for len in [0, 1, 44, 45, 1 << 10, 16 << 10, 32 << 10, (32 << 10) + 1, 64 << 10, 1 << 20, 20 << 20] {
        let value: Vec<u8> = (0..len).map(|i: usize| (i.wrapping_mul(31) >> 3) as u8).collect();
        replies!(conn, "DEL big" => if len == 0 { "0" } else { "1" });
        assert_eq!(conn.cmd(&[b"SET".as_slice(), b"big", &value]), *"OK");
        assert_eq!(conn.run("STRLEN big"), Value::Int(len as i64));
        assert!(conn.run("GET big") == Value::Bulk(value.clone()), "{len} bytes");
        let mut echoed = conn.cmd(&[b"ECHO".as_slice(), &value]);
        assert!(echoed == Value::Bulk(value.clone()), "{len} bytes echoed");
        echoed = conn.cmd(&[b"GETSET".as_slice(), b"big", &value]);
        assert!(echoed == Value::Bulk(value), "{len} bytes replaced");
    }
}

#[test]
fn strings_do_not_outgrow_the_limit_on_bulk_strings() {
    // The smallest limit that the directive takes.
    let server = Server::start(&["--proto-max-bulk-len", "1048576"]);
    let mut conn = server.connect();
    let value = vec![b'x'; 1 << 20];
    assert_eq!(conn.cmd(&[b"SET".as_slice(), b"a", &value]), *"OK");
    replies!(conn,
        "APPEND a y" => "-ERR string exceeds maximum allowed size (proto-max-bulk-len)",
        "SETRANGE a 1048576 y" => "-ERR string exceeds maximum allowed size (proto-max-bulk-len)",
        "SETRANGE a 1048575 y" => "1048576",
    );
    conn.send(b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1048577\r\n");
    assert_eq!(conn.recv(), *"-ERR Protocol error: invalid bulk length");
    assert!(conn.closed());
}
