//! Bitmaps: every command with every option, errors, what is stored and what is told.

mod common;
use common::*;

#[test]
fn single_bits() {
    Server::start(&[]).spec(
        r#"
        SETBIT k 7 1                            -> 0
        GET k                                   -> "\x01"
        SETBIT k 7 0                            -> 1
        SETBIT k 15 1                           -> 0
        GET k                                   -> "\x00\x01"
        SETBIT k 0 1                            -> 0
        SETBIT k 0 1                            -> 1
        STRLEN k                                -> 2
        GETBIT k 0                              -> 1
        GETBIT k 1                              -> 0
        GETBIT k 15                             -> 1
        GETBIT k 16                             -> 0
        GETBIT k 4294967295                     -> 0
        GETBIT missing 5                        -> 0
        EXISTS missing                          -> 0
        SETBIT zero 20 0                        -> 0
        GET zero                                -> "\x00\x00\x00"
        OBJECT ENCODING zero                    -> "raw"

        SET n 12                                -> OK
        OBJECT ENCODING n                       -> "int"
        GETBIT n 2                              -> 1
        GETBIT n 7                              -> 1
        GETBIT n 16                             -> 0
        OBJECT ENCODING n                       -> "int"
        SETBIT n 7 1                            -> 1
        OBJECT ENCODING n                       -> "raw"
        SETBIT n 6 1                            -> 0
        GET n                                   -> "32"
        SET e abc                               -> OK
        SETBIT e 1 1                            -> 1
        OBJECT ENCODING e                       -> "raw"
        SETBIT e 100 0                          -> 0
        GET e                                   -> "abc\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
        EXPIRE e 100                            -> 1
        SETBIT e 0 1                            -> 0
        TTL e                                   -> 99..100

        SETBIT k                                -> -ERR wrong number of arguments for 'setbit' command
        SETBIT k 1                              -> -ERR wrong number of arguments for 'setbit' command
        SETBIT k 1 1 1                          -> -ERR wrong number of arguments for 'setbit' command
        SETBIT k x 1                            -> -ERR bit offset is not an integer or out of range
        SETBIT k -1 1                           -> -ERR bit offset is not an integer or out of range
        SETBIT k 1.5 1                          -> -ERR bit offset is not an integer or out of range
        SETBIT k #1 1                           -> -ERR bit offset is not an integer or out of range
        SETBIT k 4294967296 1                   -> -ERR bit offset is not an integer or out of range
        SETBIT k 9223372036854775807 1          -> -ERR bit offset is not an integer or out of range
        SETBIT k 9223372036854775808 1          -> -ERR bit offset is not an integer or out of range
        SETBIT k 1 2                            -> -ERR bit is not an integer or out of range
        SETBIT k 1 -1                           -> -ERR bit is not an integer or out of range
        SETBIT k 1 x                            -> -ERR bit is not an integer or out of range
        SETBIT k x x                            -> -ERR bit offset is not an integer or out of range
        GETBIT k                                -> -ERR wrong number of arguments for 'getbit' command
        GETBIT k -1                             -> -ERR bit offset is not an integer or out of range
        GETBIT k 4294967296                     -> -ERR bit offset is not an integer or out of range
        GETBIT k 1 1                            -> -ERR wrong number of arguments for 'getbit' command
        LPUSH list x                            -> 1
        SETBIT list 0 1                         -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SETBIT list x 1                         -> -ERR bit offset is not an integer or out of range
        GETBIT list 0                           -> -WRONGTYPE Operation against a key holding the wrong kind of value
        TYPE list                               -> list
    "#,
    );
}

#[test]
fn bits_end_where_an_argument_may() {
    let server = Server::start(&["--proto-max-bulk-len", "1mb"]);
    server.spec(
        r#"
        SETBIT k 8388608 1                      -> -ERR bit offset is not an integer or out of range
        GETBIT k 8388608                        -> -ERR bit offset is not an integer or out of range
        SETBIT k 8388607 1                      -> 0
        STRLEN k                                -> 1048576
        BITCOUNT k                              -> 1
        BITPOS k 1                              -> 8388607
        SETBIT k 8388607 0                      -> 1
        BITPOS k 1                              -> -1
        BITFIELD k SET u8 8388607 255           -> [0]
        STRLEN k                                -> 1048577
        BITFIELD k SET u8 8388608 255           -> -ERR bit offset is not an integer or out of range
        BITFIELD k GET u8 8388608               -> -ERR bit offset is not an integer or out of range
        BITFIELD k GET u8 #1048576              -> -ERR bit offset is not an integer or out of range
        BITFIELD k GET u8 #1048575              -> [1]
        CONFIG SET proto-max-bulk-len 2mb       -> OK
        SETBIT k 8388608 1                      -> 1
    "#,
    );
}

/// The largest that there is: 512 MB of zeros take little memory, for most of them are not touched.
#[test]
fn the_last_bit_of_all() {
    Server::start(&[]).spec(
        r#"
        SETBIT far 4294967295 1                 -> 0
        STRLEN far                              -> 536870912
        GETBIT far 4294967295                   -> 1
        SETBIT near 0 1                         -> 0
        SETBIT near 4294967295 1                -> 0
        GETBIT near 0                           -> 1
        STRLEN near                             -> 536870912
    "#,
    );
}

/// A string that grows a bit at a time, over every way in which it is kept.
#[test]
fn a_bitmap_grows() {
    let server = Server::start(&[]);
    let (mut conn, mut model) = (server.connect(), Vec::new());
    for i in 0..3000u32 {
        let bit = (i * 131 + i % 7) as usize;
        model.resize(model.len().max(bit / 8 + 1), 0u8);
        model[bit / 8] |= 0x80 >> (bit % 8);
        conn.send_cmd(&["SETBIT", "k", &bit.to_string(), "1"]);
    }
    (0..3000).for_each(|_| assert_eq!(conn.recv(), Value::Int(0)));
    assert_eq!(conn.cmd(&["GET", "k"]), Value::Bulk(model));
}

/// What is on its way to a client stays as it was when it was asked for.
#[test]
fn a_reply_that_is_leaving_does_not_change() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    let zeros = vec![0; 1 << 20];
    conn.cmd(&[b"SET", &b"k"[..], &zeros]);
    let mut commands = Vec::new();
    for bit in 0..20 {
        commands.extend(Conn::encode(&["GET", "k"]));
        commands.extend(Conn::encode(&["SETBIT", "k", &(bit * 8).to_string(), "1"]));
    }
    commands.extend(Conn::encode(&["BITOP", "NOT", "k", "k"]));
    conn.send(&commands);
    let mut expected = zeros;
    for bit in 0..20 {
        assert!(conn.recv() == Value::Bulk(expected.clone()), "{bit}");
        assert_eq!(conn.recv(), Value::Int(0));
        expected[bit] = 0x80;
    }
    assert_eq!(conn.recv(), Value::Int(1 << 20));
    expected.iter_mut().for_each(|byte| *byte = !*byte);
    assert!(conn.cmd(&["GET", "k"]) == Value::Bulk(expected));
}

#[test]
fn bits_are_counted() {
    Server::start(&[]).spec(
        r#"
        SET k foobar                            -> OK
        BITCOUNT k                              -> 26
        BITCOUNT k 0 0                          -> 4
        BITCOUNT k 1 1                          -> 6
        BITCOUNT k 1 -2                         -> 18
        BITCOUNT k -2 -1                        -> 7
        BITCOUNT k -1 -2                        -> 0
        BITCOUNT k 4 2                          -> 0
        BITCOUNT k 0 100                        -> 26
        BITCOUNT k -100 100                     -> 26
        BITCOUNT k -100 -90                     -> 4
        BITCOUNT k 100 200                      -> 0
        BITCOUNT k 1 1 BYTE                     -> 6
        BITCOUNT k 5 30 BIT                     -> 17
        BITCOUNT k 5 5 bit                      -> 1
        BITCOUNT k -8 -1 bIt                    -> 4
        BITCOUNT k 0 -1 BIT                     -> 26
        BITCOUNT k 3 2 BIT                      -> 0
        BITCOUNT k 47 47 BIT                    -> 0
        BITCOUNT k 48 60 BIT                    -> 0
        BITCOUNT k 9223372036854775807 9223372036854775807 BIT -> 0
        BITCOUNT k -9223372036854775808 9223372036854775807 BIT -> 26
        SET n 12345                             -> OK
        BITCOUNT n                              -> 17
        BITCOUNT n 1 2                          -> 7
        OBJECT ENCODING n                       -> "int"
        SET empty ""                            -> OK
        BITCOUNT empty                          -> 0
        BITCOUNT empty 0 -1                     -> 0
        BITCOUNT missing                        -> 0
        BITCOUNT missing x                      -> 0
        BITCOUNT missing 0 x y z                -> 0

        BITCOUNT                                -> -ERR wrong number of arguments for 'bitcount' command
        BITCOUNT k 1                            -> -ERR syntax error
        BITCOUNT k 1 2 BITS                     -> -ERR syntax error
        BITCOUNT k -1 -2 BITS                   -> 0
        BITCOUNT k 1 2 BIT x                    -> -ERR syntax error
        BITCOUNT k x 2                          -> -ERR value is not an integer or out of range
        BITCOUNT k 1 x                          -> -ERR value is not an integer or out of range
        LPUSH list x                            -> 1
        BITCOUNT list                           -> -WRONGTYPE Operation against a key holding the wrong kind of value
        BITCOUNT list x                         -> -WRONGTYPE Operation against a key holding the wrong kind of value
    "#,
    );
}

#[test]
fn bits_are_found() {
    Server::start(&[]).spec(
        r#"
        SET k "\xff\xf0\x00"                    -> OK
        BITPOS k 0                              -> 12
        BITPOS k 1                              -> 0
        BITPOS k 1 1                            -> 8
        BITPOS k 1 2                            -> -1
        BITPOS k 0 2                            -> 16
        BITPOS k 1 -2                           -> 8
        BITPOS k 0 0 0                          -> -1
        BITPOS k 0 0 1                          -> 12
        BITPOS k 1 2 2                          -> -1
        BITPOS k 0 -100 100                     -> 12
        BITPOS k 1 2 1                          -> -1
        BITPOS k 0 2 1                          -> -1
        BITPOS k 0 1 11 BIT                     -> -1
        BITPOS k 0 1 12 BIT                     -> 12
        BITPOS k 1 5 5 BIT                      -> 5
        BITPOS k 1 -12 -1 BIT                   -> -1
        BITPOS k 1 -13 -1 BIT                   -> 11
        BITPOS k 0 15 -1 bit                    -> 15
        BITPOS k 1 0 1 BYTE                     -> 0
        SET ones "\xff\xff\xff"                 -> OK
        BITPOS ones 0                           -> 24
        BITPOS ones 0 0                         -> 24
        BITPOS ones 0 2                         -> 24
        BITPOS ones 0 3                         -> -1
        BITPOS ones 0 0 -1                      -> -1
        BITPOS ones 0 0 -1 BIT                  -> -1
        SET n 1                                 -> OK
        BITPOS n 1                              -> 2
        SET empty ""                            -> OK
        BITPOS empty 0                          -> -1
        BITPOS empty 1                          -> -1
        BITPOS missing 0                        -> 0
        BITPOS missing 1                        -> -1
        BITPOS missing 0 x                      -> 0
        BITPOS missing 1 1 2 3 4 5              -> -1

        BITPOS k                                -> -ERR wrong number of arguments for 'bitpos' command
        BITPOS k 2                              -> -ERR The bit argument must be 1 or 0.
        BITPOS k x                              -> -ERR value is not an integer or out of range
        BITPOS missing 2                        -> -ERR The bit argument must be 1 or 0.
        BITPOS k 0 x                            -> -ERR value is not an integer or out of range
        BITPOS k 0 0 x                          -> -ERR value is not an integer or out of range
        BITPOS k 0 0 x BITS                     -> -ERR syntax error
        BITPOS k 0 x 0 BITS                     -> -ERR value is not an integer or out of range
        BITPOS k 0 0 0 BIT x                    -> -ERR syntax error
        LPUSH list x                            -> 1
        BITPOS list 0                           -> -WRONGTYPE Operation against a key holding the wrong kind of value
        BITPOS list 2                           -> -ERR The bit argument must be 1 or 0.
    "#,
    );
}

#[test]
fn strings_are_combined() {
    Server::start(&[]).spec(
        r#"
        SET a "\xff\x0f\x33"                    -> OK
        SET b "\x55\xaa"                        -> OK
        BITOP AND to a b                        -> 3
        GET to                                  -> "U\n\x00"
        BITOP or to a b                         -> 3
        GET to                                  -> "\xff\xaf3"
        BITOP XOR to a b                        -> 3
        GET to                                  -> "\xaa\xa53"
        BITOP NOT to b                          -> 2
        GET to                                  -> "\xaaU"
        BITOP AND to a missing                  -> 3
        GET to                                  -> "\x00\x00\x00"
        BITOP OR to missing a missing           -> 3
        GET to                                  -> "\xff\x0f3"
        BITOP XOR to a a                        -> 3
        GET to                                  -> "\x00\x00\x00"
        BITOP AND to a                          -> 3
        GET to                                  -> "\xff\x0f3"
        BITOP AND a a b                         -> 3
        GET a                                   -> "U\n\x00"
        SET n 12                                -> OK
        BITOP OR to n                           -> 2
        GET to                                  -> "12"
        OBJECT ENCODING to                      -> "raw"
        INCR to                                 -> 13
        EXPIRE to 100                           -> 1
        BITOP OR to n n                         -> 2
        TTL to                                  -> -1
        BITOP OR to missing                     -> 0
        EXISTS to                               -> 0
        BITOP NOT to missing                    -> 0
        LPUSH list x                            -> 1
        BITOP OR list n                         -> 2
        GET list                                -> "12"
        SADD set x                              -> 1
        BITOP AND to n set                      -> -WRONGTYPE Operation against a key holding the wrong kind of value
        EXISTS to                               -> 0
        BITOP AND set missing                   -> 0
        EXISTS set                              -> 0

        BITOP                                   -> -ERR wrong number of arguments for 'bitop' command
        BITOP AND to                            -> -ERR wrong number of arguments for 'bitop' command
        BITOP NAND to n                         -> -ERR syntax error
        BITOP NOT to n n                        -> -ERR BITOP NOT must be called with a single source key.
        BITOP AND to set                        -> 0
    "#,
    );
}

/// As Redis 8.2 has them: X is the first key, Y the others.
#[test]
fn strings_are_combined_in_newer_ways() {
    let server = Server::start(&[]);
    if is_reference() {
        return;
    }
    server.spec(
        r#"
        SET x "\xf0"                            -> OK
        SET y "\xcc\x01"                        -> OK
        SET z "\xaa"                            -> OK
        BITOP DIFF to x y z                     -> 2
        GET to                                  -> "\x10\x00"
        BITOP diff1 to x y z                    -> 2
        GET to                                  -> "\x0e\x01"
        BITOP ANDOR to x y z                    -> 2
        GET to                                  -> "\xe0\x00"
        BITOP ONE to x y z                      -> 2
        GET to                                  -> "\x16\x01"
        BITOP ONE to x                          -> 1
        GET to                                  -> "\xf0"
        BITOP ONE to x x                        -> 1
        GET to                                  -> "\x00"
        BITOP DIFF to x missing                 -> 1
        GET to                                  -> "\xf0"
        BITOP DIFF to missing y                 -> 2
        GET to                                  -> "\x00\x00"
        BITOP DIFF1 to missing y                -> 2
        GET to                                  -> "\xcc\x01"
        BITOP ANDOR to x missing                -> 1
        GET to                                  -> "\x00"
        BITOP DIFF x x y                        -> 2
        GET x                                   -> "0\x00"
        BITOP DIFF to x                         -> -ERR BITOP DIFF must be called with at least two source keys.
        BITOP diff1 to x                        -> -ERR BITOP DIFF1 must be called with at least two source keys.
        BITOP andor to x                        -> -ERR BITOP ANDOR must be called with at least two source keys.
        BITOP ONE to                            -> -ERR wrong number of arguments for 'bitop' command
    "#,
    );
}

/// Where the target's memory is used again, and where it is not.
#[test]
fn long_strings_are_combined() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    let text = |seed: usize, len: usize| (0..len).map(|i| ((i * i * seed) >> 3) as u8 ^ seed as u8).collect::<Vec<u8>>();
    let (a, b) = (text(3, 100_000), text(7, 70_000));
    conn.cmd(&[b"SET", &b"a"[..], &a]);
    conn.cmd(&[b"SET", &b"b"[..], &b]);
    let at = |text: &[u8], i: usize| text.get(i).copied().unwrap_or(0);
    let expected: Vec<u8> = (0..a.len()).map(|i| at(&a, i) ^ at(&b, i)).collect();
    for before in [None, Some(200_000), Some(100_010), Some(100_000), Some(5)] {
        match before {
            None => drop(conn.cmd(&["DEL", "to"])),
            Some(len) => drop(conn.cmd(&["SET", "to", &"x".repeat(len)])),
        }
        for _ in 0..3 {
            assert_eq!(conn.cmd(&["BITOP", "XOR", "to", "a", "b"]), Value::Int(100_000));
            assert!(conn.cmd(&["GET", "to"]) == Value::Bulk(expected.clone()));
        }
        assert_eq!(conn.cmd(&["BITOP", "XOR", "to", "to", "b"]), Value::Int(100_000));
        assert!(conn.cmd(&["GET", "to"]) == Value::Bulk(a.clone()));
    }
    assert!(conn.cmd(&["GET", "b"]) == Value::Bulk(b));
}

#[test]
fn integers_in_strings() {
    Server::start(&[]).spec(
        r#"
        BITFIELD k SET u8 0 255 GET u8 0        -> [0, 255]
        BITFIELD k SET u8 0 0 SET i8 8 -1       -> [255, 0]
        GET k                                   -> "\x00\xff"
        BITFIELD k GET u4 4 GET i4 8 GET u1 15 GET u63 0 GET i64 0 -> [0, -1, 1, 35888059530608640, 71776119061217280]
        BITFIELD k GET u8 100000                -> [0]
        STRLEN k                                -> 2
        BITFIELD k SET i5 29 -3 GET i5 29       -> [0, -3]
        GET k                                   -> "\x00\xff\x00\x07@"
        BITFIELD k SET u16 #2 513 GET u8 #4 GET u8 #5 -> [16384, 2, 1]
        BITFIELD k INCRBY u8 #4 10              -> [12]
        BITFIELD c SET i64 1 -9223372036854775808 GET i64 1 GET u63 2 -> [0, -9223372036854775808, 0]
        STRLEN c                                -> 9
        BITFIELD c INCRBY i64 1 -1              -> [9223372036854775807]
        BITFIELD c OVERFLOW SAT INCRBY i64 1 1  -> [9223372036854775807]
        BITFIELD c OVERFLOW FAIL INCRBY i64 1 1 GET u1 0 -> [nil, 0]

        BITFIELD o SET u8 0 250                 -> [0]
        BITFIELD o INCRBY u8 0 10               -> [4]
        BITFIELD o OVERFLOW SAT INCRBY u8 0 300 INCRBY u8 0 -300 -> [255, 0]
        BITFIELD o OVERFLOW FAIL INCRBY u8 0 -1 OVERFLOW WRAP INCRBY u8 0 -1 -> [nil, 255]
        BITFIELD o OVERFLOW sat SET i4 0 100 SET i4 0 -100 GET i4 0 -> [-1, 7, -8]
        BITFIELD o OVERFLOW wrap SET i4 0 100 GET i4 0 SET u4 0 -1 GET u4 0 -> [-8, 4, 4, 15]
        BITFIELD o OVERFLOW fail SET i4 0 100 SET u4 0 16 SET u4 0 15 -> [nil, nil, 15]
        BITFIELD o OVERFLOW SAT SET u4 0 -1 GET u4 0 -> [15, 15]
        BITFIELD o OVERFLOW SAT SET i63 0 -9223372036854775808 GET i63 0 -> [-36028797018963968, 4611686018427387903]
        BITFIELD o OVERFLOW SAT SET i62 0 -9223372036854775808 GET i62 0 -> [2305843009213693951, 2305843009213693951]
        BITFIELD o OVERFLOW SAT SET i61 0 -9223372036854775808 GET i61 0 -> [1152921504606846975, 1152921504606846975]
        BITFIELD o OVERFLOW SAT SET i62 0 -4611686018427387904 GET i62 0 -> [2305843009213693951, -2305843009213693952]
        BITFIELD o OVERFLOW SAT SET i63 0 -4611686018427387905 GET i63 0 -> [-4611686018427387903, 4611686018427387903]
        BITFIELD o OVERFLOW SAT SET u63 0 0 INCRBY u63 0 -1 INCRBY u63 0 9223372036854775807 INCRBY u63 0 1 -> [4611686018427387903, 0, 9223372036854775807, 9223372036854775807]
        BITFIELD o OVERFLOW SAT SET i63 0 -4611686018427387904 INCRBY i63 0 -9223372036854775808 -> [-1, -4611686018427387904]
        BITFIELD o OVERFLOW WRAP SET u63 0 0 INCRBY u63 0 -1 INCRBY u63 0 2 -> [4611686018427387904, 9223372036854775807, 1]
        BITFIELD o SET u1 0 1 SET i1 0 0 INCRBY i1 0 -1 INCRBY i1 0 -1 -> [0, -1, -1, 0]

        SET n 12                                -> OK
        BITFIELD n GET u8 0                     -> [49]
        OBJECT ENCODING n                       -> "int"
        BITFIELD n SET u8 0 49                  -> [49]
        OBJECT ENCODING n                       -> "raw"
        BITFIELD missing GET u8 0               -> [0]
        BITFIELD missing                        -> []
        BITFIELD missing OVERFLOW FAIL          -> []
        EXISTS missing                          -> 0
        BITFIELD failed OVERFLOW FAIL SET u1 100 2 -> [nil]
        STRLEN failed                           -> 13

        BITFIELD                                -> -ERR wrong number of arguments for 'bitfield' command
        BITFIELD k GET u8                       -> -ERR syntax error
        BITFIELD k SET u8 0                     -> -ERR syntax error
        BITFIELD k INCRBY u8 0                  -> -ERR syntax error
        BITFIELD k OVERFLOW                     -> -ERR syntax error
        BITFIELD k OVERFLOW x                   -> -ERR Invalid OVERFLOW type specified
        BITFIELD k NOSUCH u8 0                  -> -ERR syntax error
        BITFIELD k GET u64 0                    -> -ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.
        BITFIELD k GET u0 0                     -> -ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.
        BITFIELD k GET i65 0                    -> -ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.
        BITFIELD k GET x8 0                     -> -ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.
        BITFIELD k GET u8 -1                    -> -ERR bit offset is not an integer or out of range
        BITFIELD k GET u8 #-1                   -> -ERR bit offset is not an integer or out of range
        BITFIELD k GET u8 x                     -> -ERR bit offset is not an integer or out of range
        BITFIELD k GET u8 #                     -> -ERR bit offset is not an integer or out of range
        BITFIELD k GET u8 4294967296            -> -ERR bit offset is not an integer or out of range
        BITFIELD k SET u8 0 x                   -> -ERR value is not an integer or out of range
        BITFIELD k SET u8 0 1.5                 -> -ERR value is not an integer or out of range
        BITFIELD k SET u8 0 1 GET u64 0         -> -ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.
        LPUSH list x                            -> 1
        BITFIELD list GET u8 0                  -> -WRONGTYPE Operation against a key holding the wrong kind of value
        BITFIELD list SET u8 0 1                -> -WRONGTYPE Operation against a key holding the wrong kind of value
        BITFIELD list GET u64 0                 -> -ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.

        BITFIELD_RO n GET u8 0 GET u8 #1        -> [49, 50]
        BITFIELD_RO missing GET u8 0            -> [0]
        BITFIELD_RO n                           -> []
        BITFIELD_RO n OVERFLOW FAIL GET u8 0    -> [49]
        BITFIELD_RO n SET u8 0 1                -> -ERR BITFIELD_RO only supports the GET subcommand
        BITFIELD_RO n INCRBY u8 0 1 GET u8 0    -> -ERR BITFIELD_RO only supports the GET subcommand
        BITFIELD_RO n SET u64 0 1               -> -ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.
        BITFIELD_RO list GET u8 0               -> -WRONGTYPE Operation against a key holding the wrong kind of value
        BITFIELD_RO list SET u8 0 1             -> -ERR BITFIELD_RO only supports the GET subcommand
        HELLO 3                                 ~> *
        BITFIELD o OVERFLOW FAIL SET u1 0 2     -> [null]
    "#,
    );
}

/// Keys found in a request, with what is done with them.
#[test]
fn a_request_says_whether_it_writes() {
    Server::start(&[]).spec(
        r#"
        COMMAND GETKEYSANDFLAGS BITFIELD k GET u8 0 -> [["k", [RO, access]]]
        COMMAND GETKEYSANDFLAGS BITFIELD k -> [["k", [RO, access]]]
        COMMAND GETKEYSANDFLAGS BITFIELD k GET u8 0 SET u8 0 1 -> [["k", [RW, access, update]]]
        COMMAND GETKEYSANDFLAGS BITFIELD k OVERFLOW SAT GET u8 0 -> [["k", [RO, access]]]
        COMMAND GETKEYSANDFLAGS BITFIELD k GET u8 -> [["k", [RW, access, update]]]
        COMMAND GETKEYSANDFLAGS BITFIELD_RO k GET u8 0 -> [["k", [RO, access]]]
        COMMAND GETKEYSANDFLAGS BITOP AND to a b -> [["to", [OW, update]], ["a", [RO, access]], ["b", [RO, access]]]
        COMMAND GETKEYS BITOP NOT to a -> ["to", "a"]
        COMMAND GETKEYSANDFLAGS SETBIT k 0 1 -> [["k", [RW, access, update]]]
        COMMAND GETKEYSANDFLAGS BITCOUNT k -> [["k", [RO, access]]]
        COMMAND LIST FILTERBY ACLCAT bitmap     ~> *
    "#,
    );
}

/// The rows of the table are those of the reference, but for what is written for people.
#[test]
fn commands_are_described_as_the_reference_does() {
    if is_reference() {
        return;
    }
    let (ours, theirs) = (Server::start(&[]), Server::redis(&[]));
    for name in "setbit getbit bitcount bitpos bitop bitfield bitfield_ro".split(' ') {
        let [ours, theirs] = [&ours, &theirs].map(|server| described(&server.ask(&format!("COMMAND INFO {name}"))));
        assert_eq!(ours, theirs, "{name}");
    }
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

#[test]
fn what_changes_nothing_does_not_count() {
    let server = Server::start(&[]);
    let counted = |line: &str| server.changes_of(line);
    assert_eq!(["SETBIT k 5 0", "SETBIT k 5 0", "SETBIT k 5 1", "SETBIT k 50 0", "GETBIT k 1"].map(counted), [1, 0, 1, 1, 0]);
    assert_eq!(
        ["BITFIELD f SET u8 0 0 SET u8 8 0 GET u8 0", "BITFIELD f SET u8 0 0 SET u8 8 1", "BITFIELD f GET u8 0"].map(counted),
        [2, 1, 0]
    );
    assert_eq!(["BITOP OR to k", "BITOP OR to none", "BITOP OR to none"].map(counted), [1, 1, 0]);
}

#[test]
fn a_read_only_replica_answers_what_only_reads() {
    let primary = Server::start(&[]);
    primary.ask("SETBIT k 1 1");
    let replica = Server::start(&["--replicaof", "127.0.0.1", &primary.port.to_string()]);
    wait_until(|| replica.ask("GETBIT k 1") == Value::Int(1));
    replica.session().check(
        r#"
        BITFIELD_RO k GET u8 0                  -> [64]
        BITFIELD k GET u8 0                     -> -READONLY You can't write against a read only replica.
        BITFIELD k SET u8 0 1                   -> -READONLY You can't write against a read only replica.
        SETBIT k 0 1                            -> -READONLY You can't write against a read only replica.
        BITCOUNT k                              -> 1
    "#,
    );
    primary.ask("BITFIELD k SET u8 0 255 INCRBY u8 8 5");
    primary.ask("BITOP NOT to k");
    // Strings grow for writes that then fail.
    primary.ask("BITFIELD k OVERFLOW FAIL SET u8 200 256");
    primary.ask("BITFIELD new OVERFLOW FAIL SET u8 0 256");
    primary.ask("SETBIT last 100 0");
    wait_until(|| replica.ask("STRLEN last") == Value::Int(13));
    assert_eq!(primary.ask("DEBUG DIGEST"), replica.ask("DEBUG DIGEST"));
}
