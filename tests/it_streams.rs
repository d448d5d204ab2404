//! Streams: entries, trims, and reading without groups.

mod common;

use common::Server;

#[test]
fn entries_have_ids_that_rise() {
    Server::start(&[]).spec(
        r#"
        XADD s 1-1 a 1 b 2                                           -> "1-1"
        XADD s 1-* a 1 b 3                                           -> "1-2"
        XADD s 5 x y                                                 -> "5-0"
        XADD s 5 x y                                                 -> -ERR The ID specified in XADD is equal or smaller than the target stream top item
        XADD s 4-* x y                                               -> -ERR The ID specified in XADD is equal or smaller than the target stream top item
        XADD s 5-* x y                                               -> "5-1"
        XADD s 0-0 x y                                               -> -ERR The ID specified in XADD must be greater than 0-0
        XADD s 0-* x y                                               -> -ERR The ID specified in XADD is equal or smaller than the target stream top item
        XADD new 0-* x y                                             -> "0-1"
        XADD s x y                                                   -> -ERR wrong number of arguments for 'xadd' command
        XADD s 6-1 x                                                 -> -ERR wrong number of arguments for 'xadd' command
        XADD s 6-x x y                                               -> -ERR Invalid stream ID specified as stream command argument
        XADD s -5 x y                                                -> -ERR Invalid stream ID specified as stream command argument
        XADD s 18446744073709551616 x y                              -> -ERR Invalid stream ID specified as stream command argument
        XADD nokey NOMKSTREAM * a b                                  -> nil
        EXISTS nokey                                                 -> 0
        XLEN s                                                       -> 4
        XLEN nokey                                                   -> 0
        XRANGE s - +                                                 -> [["1-1", ["a", "1", "b", "2"]], ["1-2", ["a", "1", "b", "3"]], ["5-0", ["x", "y"]], ["5-1", ["x", "y"]]]
        XRANGE s 1-2 5                                               -> [["1-2", ["a", "1", "b", "3"]], ["5-0", ["x", "y"]], ["5-1", ["x", "y"]]]
        XRANGE s (1-2 (5-1                                           -> [["5-0", ["x", "y"]]]
        XRANGE s 5 1                                                 -> []
        XRANGE s - + COUNT 2                                         -> [["1-1", ["a", "1", "b", "2"]], ["1-2", ["a", "1", "b", "3"]]]
        XRANGE s - + COUNT 0                                         -> nil[]
        XRANGE s - + COUNT -3                                        -> nil[]
        XRANGE s - + COUNT x                                         -> -ERR value is not an integer or out of range
        XRANGE s - + COUNT                                           -> -ERR syntax error
        XRANGE s (18446744073709551615-18446744073709551615 +        -> -ERR invalid start ID for the interval
        XRANGE s - (0-0                                              -> -ERR invalid end ID for the interval
        XRANGE s (- +                                                -> -ERR Invalid stream ID specified as stream command argument
        XRANGE s x +                                                 -> -ERR Invalid stream ID specified as stream command argument
        XRANGE nokey - +                                             -> []
        XRANGE nokey - + COUNT 0                                     -> []
        XREVRANGE s + -                                              -> [["5-1", ["x", "y"]], ["5-0", ["x", "y"]], ["1-2", ["a", "1", "b", "3"]], ["1-1", ["a", "1", "b", "2"]]]
        XREVRANGE s 5-0 1-2                                          -> [["5-0", ["x", "y"]], ["1-2", ["a", "1", "b", "3"]]]
        XREVRANGE s + - COUNT 1                                      -> [["5-1", ["x", "y"]]]
        XREVRANGE s - +                                              -> []
        XDEL s 1-2 7-7                                               -> 1
        XDEL s 1-2                                                   -> 0
        XDEL nokey 1-1                                               -> 0
        XDEL s 1-1 x                                                 -> -ERR Invalid stream ID specified as stream command argument
        XRANGE s - +                                                 -> [["1-1", ["a", "1", "b", "2"]], ["5-0", ["x", "y"]], ["5-1", ["x", "y"]]]
        XADD e 18446744073709551615-18446744073709551615 a b         -> "18446744073709551615-18446744073709551615"
        XADD e * a b                                                 -> -ERR The stream has exhausted the last possible ID, unable to add more items
        XADD e 18446744073709551615-* a b                            -> -ERR The stream has exhausted the last possible ID, unable to add more items
        SET str v                                                    -> OK
        XADD str * a b                                               -> -WRONGTYPE Operation against a key holding the wrong kind of value
        XLEN str                                                     -> -WRONGTYPE Operation against a key holding the wrong kind of value
        XRANGE str - +                                               -> -WRONGTYPE Operation against a key holding the wrong kind of value
        XDEL str 1-1                                                 -> -WRONGTYPE Operation against a key holding the wrong kind of value
        XTRIM str MAXLEN 0                                           -> -WRONGTYPE Operation against a key holding the wrong kind of value
        XREAD STREAMS str 0                                          -> -WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn streams_are_trimmed_by_length_and_by_id() {
    Server::start(&["--stream-node-max-entries", "5"]).spec(
        r#"
        XADD t 1-0 f v                                               -> "1-0"
        XADD t 2-0 f v                                               -> "2-0"
        XADD t 3-0 f v                                               -> "3-0"
        XADD t MAXLEN 3 4-0 f v                                      -> "4-0"
        XRANGE t - + COUNT 1                                         -> [["2-0", ["f", "v"]]]
        XADD t MAXLEN = 2 5-0 f v                                    -> "5-0"
        XADD t MINID 5 6-0 f v                                       -> "6-0"
        XLEN t                                                       -> 2
        XTRIM t MAXLEN ~ 1                                           -> 1
        XTRIM t MAXLEN = 1                                           -> 0
        XTRIM t MAXLEN 1                                             -> 0
        XTRIM nokey MAXLEN 1                                         -> 0
        XTRIM t MINID = 7                                            -> 1
        XLEN t                                                       -> 0
        EXISTS t                                                     -> 1
        XINFO STREAM t                                               -> ["length", 0, "radix-tree-keys", 0, "radix-tree-nodes", 1, "last-generated-id", "6-0", "max-deleted-entry-id", "0-0", "entries-added", 6, "recorded-first-entry-id", "0-0", "groups", 0, "first-entry", nil, "last-entry", nil]
        XTRIM t MAXLEN -1                                            -> -ERR The MAXLEN argument must be >= 0.
        XTRIM t MAXLEN x                                             -> -ERR value is not an integer or out of range
        XTRIM t MAXLEN 1 MINID 1                                     -> -ERR syntax error, MAXLEN and MINID options at the same time are not compatible
        XTRIM t MAXLEN 1 LIMIT 5                                     -> -ERR syntax error, LIMIT cannot be used without the special ~ option
        XTRIM t MAXLEN = 1 LIMIT 5                                   -> -ERR syntax error, LIMIT cannot be used without the special ~ option
        XTRIM t MAXLEN ~ 1 LIMIT -5                                  -> -ERR The LIMIT argument must be >= 0.
        XTRIM t LIMIT 5                                              -> -ERR syntax error, LIMIT cannot be used without specifying a trimming strategy
        XTRIM t MINID x                                              -> -ERR Invalid stream ID specified as stream command argument
        XTRIM t NOSUCH 1                                             -> -ERR syntax error
        XTRIM t MAXLEN ~                                             -> -ERR value is not an integer or out of range
        XADD t LIMIT 5 7-0 f v                                       -> -ERR syntax error, LIMIT cannot be used without specifying a trimming strategy
        XADD t MAXLEN 5 LIMIT 1 7-0 f v                              -> -ERR syntax error, LIMIT cannot be used without the special ~ option
        XADD t MAXLEN 0 7-0 f v                                      -> "7-0"
        XLEN t                                                       -> 0
        "#,
    );
}

#[test]
fn what_is_behind_an_id_can_be_read() {
    Server::start(&[]).spec(
        r#"
        XADD a 1-0 f v                                               -> "1-0"
        XADD a 2-0 f v                                               -> "2-0"
        XADD b 1-0 g w                                               -> "1-0"
        XREAD STREAMS a 0                                            -> [["a", [["1-0", ["f", "v"]], ["2-0", ["f", "v"]]]]]
        XREAD COUNT 1 STREAMS a b 0 0                                -> [["a", [["1-0", ["f", "v"]]]], ["b", [["1-0", ["g", "w"]]]]]
        XREAD STREAMS a b 1-0 1-0                                    -> [["a", [["2-0", ["f", "v"]]]]]
        XREAD STREAMS a $                                            -> nil[]
        XREAD STREAMS a 2                                            -> nil[]
        XREAD STREAMS nokey 0                                        -> nil[]
        XREAD COUNT 0 STREAMS a 0-0                                  -> [["a", [["1-0", ["f", "v"]], ["2-0", ["f", "v"]]]]]
        XREAD COUNT x STREAMS a 0                                    -> -ERR value is not an integer or out of range
        XREAD BLOCK x STREAMS a 0                                    -> -ERR timeout is not an integer or out of range
        XREAD BLOCK -1 STREAMS a 0                                   -> -ERR timeout is negative
        XREAD BLOCK 9223372036854775807 STREAMS a 0                  -> -ERR timeout is out of range
        XREAD COUNT 1 a 0                                            -> -ERR syntax error
        XREAD STREAMS a >                                            -> -ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.
        XREAD STREAMS a x                                            -> -ERR Invalid stream ID specified as stream command argument
        XREAD GROUP g c STREAMS a 0                                  -> -ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.
        XREAD NOACK STREAMS a 0                                      -> -ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.
        XREAD BLOCK 1 STREAMS a 2                                    -> nil[]
        "#,
    );
}

#[test]
fn the_numbers_of_a_stream_can_be_set() {
    Server::start(&[]).spec(
        r#"
        XADD s 5-0 f v                                               -> "5-0"
        XSETID s 9-0                                                 -> OK
        XINFO STREAM s                                               -> ["length", 1, "radix-tree-keys", 1, "radix-tree-nodes", 2, "last-generated-id", "9-0", "max-deleted-entry-id", "0-0", "entries-added", 1, "recorded-first-entry-id", "5-0", "groups", 0, "first-entry", ["5-0", ["f", "v"]], "last-entry", ["5-0", ["f", "v"]]]
        XADD s 9-0 f v                                               -> -ERR The ID specified in XADD is equal or smaller than the target stream top item
        XSETID s 4-0                                                 -> -ERR The ID specified in XSETID is smaller than the target stream top item
        XSETID s 9-0 ENTRIESADDED 0                                  -> -ERR The entries_added specified in XSETID is smaller than the target stream length
        XSETID s 9-0 ENTRIESADDED -1                                 -> -ERR entries_added must be positive
        XSETID s 9-0 ENTRIESADDED 7 MAXDELETEDID 3-0                 -> OK
        XSETID s 9-0 MAXDELETEDID 10-0                               -> -ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id
        XSETID s 2-0                                                 -> -ERR The ID specified in XSETID is smaller than current max_deleted_entry_id
        XSETID s 9-0 NOSUCH                                          -> -ERR syntax error
        XSETID s x                                                   -> -ERR Invalid stream ID specified as stream command argument
        XSETID nokey 1-0                                             -> -ERR no such key
        XINFO STREAM nokey                                           -> -ERR no such key
        XINFO STREAM s NOSUCH                                        -> -ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP.
        XINFO STREAM s FULL NOSUCH 1                                 -> -ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP.
        XINFO STREAM s FULL COUNT x                                  -> -ERR value is not an integer or out of range
        XINFO NOSUCH s                                               -> -ERR unknown subcommand 'NOSUCH'. Try XINFO HELP.
        XINFO GROUPS nokey                                           -> -ERR no such key
        XINFO STREAM                                                 -> -ERR wrong number of arguments for 'xinfo|stream' command
        XGROUP                                                       -> -ERR wrong number of arguments for 'xgroup' command
        "#,
    );
}

#[test]
fn resp3_has_maps() {
    Server::start(&[]).spec(
        r#"
        HELLO 3                                     ~> *
        XADD s 1-0 f v                              -> "1-0"
        XADD t 1-0 f v                              -> "1-0"
        XREAD STREAMS s t none 0 0 0                -> {"s": [["1-0", ["f", "v"]]], "t": [["1-0", ["f", "v"]]]}
        XREAD STREAMS s 1                           -> null
        XRANGE s - + COUNT 0                        -> null
        XADD none NOMKSTREAM * f v                  -> null
        XGROUP CREATE s g 0                         -> OK
        XREADGROUP GROUP g c STREAMS s >            -> {"s": [["1-0", ["f", "v"]]]}
        XDEL s 1-0                                  -> 1
        XREADGROUP GROUP g c STREAMS s 0            -> {"s": [["1-0", null]]}
        XACK s g 1-0                                -> 1
        XPENDING s g                                -> [0, null, null, null]
        XINFO STREAM s                              -> {"length": 0, "radix-tree-keys": 0, "radix-tree-nodes": 1, "last-generated-id": "1-0", "max-deleted-entry-id": "1-0", "entries-added": 1, "recorded-first-entry-id": "0-0", "groups": 1, "first-entry": null, "last-entry": null}
        XINFO GROUPS s                              -> [{"name": "g", "consumers": 1, "pending": 0, "last-delivered-id": "1-0", "entries-read": 1, "lag": 0}]
        "#,
    );
}

#[test]
fn the_last_entry_can_be_asked_for() {
    Server::start(&[]).spec(
        r#"
        # needs XDELEX
        XREAD STREAMS s +                           -> nil[]
        XADD s 1-0 f v                              -> "1-0"
        XADD s 2-0 f v                              -> "2-0"
        XREAD STREAMS s +                           -> [["s", [["2-0", ["f", "v"]]]]]
        XREAD COUNT 5 STREAMS s s + 0               -> [["s", [["2-0", ["f", "v"]]]], ["s", [["1-0", ["f", "v"]], ["2-0", ["f", "v"]]]]]
        XDEL s 2-0                                  -> 1
        XREAD STREAMS s +                           -> [["s", [["1-0", ["f", "v"]]]]]
        XDEL s 1-0                                  -> 1
        XREAD STREAMS s +                           -> nil[]
        XREAD BLOCK 1 STREAMS s +                   -> nil[]
        XGROUP CREATE s g 0                         -> OK
        XREADGROUP GROUP g c STREAMS s +            ~> -ERR The + ID is meaningless in the context of XREADGROUP: *
        "#,
    );
}

#[test]
fn entries_go_with_what_groups_have_pending_of_them_or_only_when_nobody_needs_them() {
    Server::start(&[]).spec(
        r#"
        # needs XDELEX
        XADD s 1-0 f v                              -> "1-0"
        XADD s 2-0 f v                              -> "2-0"
        XADD s 3-0 f v                              -> "3-0"
        XADD s 4-0 f v                              -> "4-0"
        XGROUP CREATE s g 0                         -> OK
        XGROUP CREATE s h 0                         -> OK
        XREADGROUP GROUP g c STREAMS s >            ~> *
        XREADGROUP GROUP h c COUNT 3 STREAMS s >    ~> *
        XDELEX s KEEPREF IDS 2 1-0 9-9              -> [1, -1]
        XPENDING s g - + 1                          ~> [["1-0", "c", *]]
        XDELEX s DELREF IDS 1 1-0                   -> [-1]
        XPENDING s g - + 1                          ~> [["2-0", "c", *]]
        XPENDING s h - + 1                          ~> [["2-0", "c", *]]
        XDELEX s IDS 3 2-0 4-0 9-9 ACKED            -> [2, 2, 2]
        XACK s g 2-0 4-0                            -> 2
        XACK s h 2-0                                -> 1
        XDELEX s ACKED IDS 2 2-0 4-0                -> [1, 2]
        XACKDEL s g IDS 2 3-0 3-0                   -> [1, -1]
        XPENDING s h - + 1                          ~> [["3-0", "c", *]]
        XACKDEL s h DELREF IDS 1 3-0                -> [1]
        XREADGROUP GROUP h c STREAMS s >            -> [["s", [["4-0", ["f", "v"]]]]]
        XACKDEL s nosuch IDS 1 4-0                  -> [-1]
        XACKDEL s h ACKED IDS 1 4-0                 -> [1]
        XLEN s                                      -> 0
        XDELEX nokey IDS 2 1 2                      -> [-1, -1]
        XDELEX s IDS 2 1                            -> -ERR The `numids` parameter must match the number of arguments
        XDELEX s IDS 0 1                            -> -ERR Number of IDs must be a positive integer
        XDELEX s IDS x 1                            -> -ERR Number of IDs must be a positive integer
        XDELEX s IDS 1 1 2                          -> -ERR syntax error
        XDELEX s KEEPREF DELREF 1                   -> -ERR syntax error
        XDELEX s IDS 1 x                            -> -ERR Invalid stream ID specified as stream command argument
        XDELEX s KEEPREF ACKED IDS                  -> -ERR syntax error
        SET str v                                   -> OK
        XDELEX str IDS 1 1                          -> -WRONGTYPE Operation against a key holding the wrong kind of value
        XACKDEL str g IDS 1 1                       -> -WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn trims_look_at_what_groups_have_pending_if_they_are_told_to() {
    Server::start(&["--stream-node-max-entries", "2"]).spec(
        r#"
        # needs XDELEX
        XADD s 1-0 f v                              -> "1-0"
        XADD s 2-0 f v                              -> "2-0"
        XADD s 3-0 f v                              -> "3-0"
        XADD s 4-0 f v                              -> "4-0"
        XADD s 5-0 f v                              -> "5-0"
        XGROUP CREATE s g 0                         -> OK
        XREADGROUP GROUP g c COUNT 3 STREAMS s >    ~> *
        XACK s g 1-0                                -> 1
        XTRIM s MAXLEN 1 ACKED                      -> 1
        XRANGE s - + COUNT 1                        -> [["2-0", ["f", "v"]]]
        XTRIM s MAXLEN 3 DELREF                     -> 1
        XPENDING s g - + 10                         ~> [["3-0", "c", *]]
        XTRIM s MINID 4 KEEPREF                     -> 1
        XPENDING s g - + 10                         ~> [["3-0", "c", *]]
        XADD s MAXLEN 1 ACKED 6-0 f v               -> "6-0"
        XLEN s                                      -> 3
        XREADGROUP GROUP g c STREAMS s >            ~> *
        XADD s DELREF MAXLEN = 1 7-0 f v            -> "7-0"
        XPENDING s g - + 10                         ~> [["3-0", "c", *]]
        XTRIM s MAXLEN 1 ACKED DELREF               -> -ERR syntax error
        XINFO STREAM s                              ~> ["length", 1, *, "max-deleted-entry-id", "0-0", *]
        "#,
    );
}

#[test]
fn a_stream_stays_when_it_is_empty_and_is_watched_where_its_entries_change() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    conn.check(&[("XADD s 1-0 f v", "\"1-0\""), ("XDEL s 1-0", "1"), ("TYPE s", "stream"), ("OBJECT ENCODING s", "\"stream\"")]);
    conn.run("XGROUP CREATE s g 0");
    let touched = |change: &str| {
        let (mut watching, mut changing) = (server.connect(), server.connect());
        for line in ["WATCH s", "MULTI", "PING"] {
            if line == "MULTI" {
                changing.run(change);
            }
            watching.run(line);
        }
        watching.run("EXEC") == *"nil[]"
    };
    for (change, expected) in [
        ("XADD s 2-0 f v", true),
        ("XADD s NOMKSTREAM MAXLEN 5 3-0 f v", true),
        ("XDEL s 3-0", true),
        ("XDEL s 3-0", false),
        ("XTRIM s MAXLEN 0", true),
        ("XTRIM s MAXLEN 0", false),
        ("EXPIRE s 1000", true),
        // These change what stands beside the entries.
        ("XSETID s 9-0", false),
        ("XGROUP CREATE s h 0", false),
        ("XGROUP SETID s g 0", false),
        ("XREADGROUP GROUP g c STREAMS s >", false),
        ("XGROUP DESTROY s h", false),
    ] {
        assert_eq!(touched(change), expected, "{change}");
    }
}

#[test]
fn changes_are_counted_as_redis_counts_them() {
    let server = Server::start(&["--save", ""]);
    for (command, changes) in [
        ("XADD s 1-0 f v", 1),
        ("XADD s 2-0 f v", 1),
        ("XADD s 3-0 f v", 1),
        ("XADD s MAXLEN 3 4-0 f v", 1),
        ("XGROUP CREATE s g 0", 1),
        ("XGROUP CREATECONSUMER s g c", 1),
        ("XGROUP CREATECONSUMER s g c", 0),
        ("XREADGROUP GROUP g c COUNT 2 STREAMS s >", 1),
        ("XREADGROUP GROUP g d COUNT 1 STREAMS s >", 2),
        ("XREADGROUP GROUP g d COUNT 1 STREAMS s >", 0),
        ("XREADGROUP GROUP g e COUNT 1 STREAMS s >", 1),
        ("XACK s g 2-0 3-0 9-9", 2),
        ("XCLAIM s g c 0 4-0 9-9", 1),
        ("XAUTOCLAIM s g f 0 0", 2),
        ("XDEL s 2-0 3-0", 2),
        ("XTRIM s MAXLEN 0", 1),
        ("XSETID s 9-0", 1),
        ("XGROUP SETID s g 0", 1),
        ("XGROUP DELCONSUMER s g c", 1),
        ("XGROUP DELCONSUMER s g c", 0),
        ("XGROUP DESTROY s g", 1),
        ("XRANGE s - +", 0),
    ] {
        assert_eq!(server.changes_of(command), changes, "{command}");
    }
}

#[test]
fn what_the_table_says_of_the_commands_of_streams() {
    Server::start(&[]).spec(
        r#"
        COMMAND GETKEYS XADD s MAXLEN 5 * f v                       -> ["s"]
        COMMAND GETKEYS XREAD COUNT 1 STREAMS a b 0 0               -> ["a", "b"]
        COMMAND GETKEYS XREADGROUP GROUP g c STREAMS a b > >        -> ["a", "b"]
        COMMAND GETKEYS XGROUP CREATE s g 0                         -> ["s"]
        COMMAND GETKEYS XINFO STREAM s                              -> ["s"]
        COMMAND INFO xack                                           -> [["xack", -4, [write, fast], 1, 1, 1, [@write, @stream, @fast], [], [["flags", [RW, update], "begin_search", ["type", "index", "spec", ["index", 1]], "find_keys", ["type", "range", "spec", ["lastkey", 0, "keystep", 1, "limit", 0]]]], []]]
        "#,
    );
}
