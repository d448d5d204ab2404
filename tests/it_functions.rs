//! FUNCTION, FCALL and FCALL_RO.

mod common;
use common::*;

/// A library whose functions return what they were called with, read and write.
const LIBRARY: &str = "#!lua name=lib\n\
    redis.register_function('echo', function(keys, args) return {keys, args} end)\n\
    redis.register_function{function_name='get', callback=function(keys) return redis.call('GET', keys[1]) end, \
    flags={'no-writes'}, description='reads'}\n\
    redis.register_function('set', function(keys, args) return redis.call('SET', keys[1], args[1]) end)";

fn with_library() -> Server {
    let server = Server::start(&[]);
    assert_eq!(server.connect().cmd(&["FUNCTION", "LOAD", LIBRARY]).to_string(), r#""lib""#);
    server
}

#[test]
fn functions_are_called_by_name() {
    let server = with_library();
    server.spec(
        r#"
        FCALL echo 1 k a b                                      -> [["k"], ["a", "b"]]
        FCALL echo 0                                            -> [[], []]
        FCALL set 1 k v                                         -> OK
        FCALL get 1 k                                           -> "v"
        FCALL_RO get 1 k                                        -> "v"
        FCALL_RO set 1 k w                                      -> -ERR Can not execute a script with write flag using *_ro command.
        GET k                                                   -> "v"
        FCALL nosuch 0                                          -> -ERR Function not found
        FCALL ECHO 0                                            -> [[], []]
        FCALL echo x                                            -> -ERR Bad number of keys provided
        FCALL echo -1                                           -> -ERR Number of keys can't be negative
        FCALL echo 2 a                                          -> -ERR Number of keys can't be greater than number of args
        FCALL echo                                              -> -ERR wrong number of arguments for 'fcall' command
        "#,
    );
}

#[test]
fn libraries_are_loaded_listed_and_taken_away() {
    let server = Server::start(&[]);
    server.spec(
        r##"
        FUNCTION LIST                                           -> []
        FUNCTION LOAD "#!lua name=l1\nredis.register_function('f', function() return 1 end)" -> "l1"
        FUNCTION LOAD "#!lua name=l1\nredis.register_function('f', function() return 2 end)" -> -ERR Library 'l1' already exists
        FUNCTION LOAD REPLACE "#!lua name=l1\nredis.register_function('f', function() return 2 end)" -> "l1"
        FUNCTION LOAD "#!lua name=l2\nredis.register_function('f', function() return 3 end)" -> -ERR Function f already exists
        FUNCTION LOAD "#!lua name=l2\nredis.register_function{function_name='g', callback=function() return 3 end, description='d', flags={'no-writes'}}" -> "l2"
        FCALL f 0                                               -> 2
        FUNCTION LIST LIBRARYNAME l1                            -> [["library_name", "l1", "engine", "LUA", "functions", [["name", "f", "description", nil, "flags", []]]]]
        FUNCTION LIST LIBRARYNAME L2 WITHCODE                   -> [["library_name", "l2", "engine", "LUA", "functions", [["name", "g", "description", "d", "flags", [no-writes]]], "library_code", "#!lua name=l2\nredis.register_function{function_name='g', callback=function() return 3 end, description='d', flags={'no-writes'}}"]]
        FUNCTION LIST LIBRARYNAME x*                            -> []
        FUNCTION LIST LIBRARYNAME                               -> -ERR library name argument was not given
        FUNCTION LIST BOGUS                                     -> -ERR Unknown argument BOGUS
        FUNCTION STATS                                          -> ["running_script", nil, "engines", ["LUA", ["libraries_count", 2, "functions_count", 2]]]
        FUNCTION DELETE l2                                      -> OK
        FUNCTION DELETE l2                                      -> -ERR Library not found
        FLUSHALL                                                -> OK
        FCALL f 0                                               -> 2
        FUNCTION FLUSH NOW                                      -> -ERR FUNCTION FLUSH only supports SYNC|ASYNC option
        FUNCTION FLUSH ASYNC                                    -> OK
        FCALL f 0                                               -> -ERR Function not found
        FUNCTION FLUSH SYNC                                     -> OK
        FUNCTION STATS                                          -> ["running_script", nil, "engines", ["LUA", ["libraries_count", 0, "functions_count", 0]]]
        FUNCTION KILL                                           -> -NOTBUSY No scripts in execution right now.
        FUNCTION                                                -> -ERR wrong number of arguments for 'function' command
        FUNCTION BOGUS                                          -> -ERR unknown subcommand 'BOGUS'. Try FUNCTION HELP.
        "##,
    );
}

#[test]
fn what_is_no_library() {
    let server = Server::start(&[]);
    server.spec(
        r##"
        FUNCTION LOAD "return 1"                                -> -ERR Missing library metadata
        FUNCTION LOAD "#!lua\nreturn 1"                         -> -ERR Library name was not given
        FUNCTION LOAD "#!lua name=l"                            -> -ERR Invalid library metadata
        FUNCTION LOAD "#!lua name=l\nreturn 1"                  -> -ERR No functions registered
        FUNCTION LOAD "#!lua name=\nreturn 1"                   -> -ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long
        FUNCTION LOAD "#!lua name=a-b\nreturn 1"                -> -ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long
        FUNCTION LOAD "#!lua name=a name=b\nreturn 1"           -> -ERR Invalid metadata value, name argument was given multiple times
        FUNCTION LOAD "#!lua name=a foo=b\nreturn 1"            -> -ERR Invalid metadata value given: foo=b
        FUNCTION LOAD "#!ruby name=l\nreturn 1"                 -> -ERR Engine 'ruby' not found
        FUNCTION LOAD "#!lua name=l\nbogus("                    -> -ERR Error compiling function: user_function:2: unexpected symbol near '<eof>'
        FUNCTION LOAD "#!lua name=l\nredis.call('GET','k')"     ~> *
        FUNCTION LOAD "#!lua name=l\nredis.register_function('a-b', function() end)" ~> *
        FUNCTION LOAD "#!lua name=l\nredis.register_function('f', function() end) redis.register_function('f', function() end)" ~> *
        FUNCTION LOAD BOGUS "#!lua name=l\nreturn 1"            -> -ERR Unknown option given: BOGUS
        FUNCTION LOAD REPLACE                                   -> -ERR Missing library metadata
        FUNCTION LOAD                                           -> -ERR wrong number of arguments for 'function|load' command
        FUNCTION LIST                                           -> []
        "##,
    );
}

#[test]
fn a_payload_takes_libraries_elsewhere() {
    let server = with_library();
    let mut conn = server.connect();
    let Value::Bulk(payload) = conn.run("FUNCTION DUMP") else { panic!("a payload") };
    let mut restore = |policy: &[&str]| {
        let words: Vec<&[u8]> =
            [&b"FUNCTION"[..], b"RESTORE", &payload].into_iter().chain(policy.iter().map(|word| word.as_bytes())).collect();
        conn.cmd(&words).to_string()
    };
    assert!(restore(&[]).contains("already exists"));
    assert!(restore(&["APPEND"]).contains("already exists"));
    assert_eq!(restore(&["REPLACE"]), "OK");
    assert_eq!(restore(&["FLUSH"]), "OK");
    assert!(restore(&["BOGUS"]).contains("Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE."));
    let mut conn = server.connect();
    assert_eq!(conn.run("FCALL echo 0").to_string(), "[[], []]");
    assert!(conn.run("FUNCTION RESTORE bogus").to_string().contains("DUMP payload version or checksum are wrong"));
    conn.run("SET k v");
    let Value::Bulk(value) = conn.run("DUMP k") else { panic!("a payload") };
    assert!(conn.cmd(&[&b"FUNCTION"[..], b"RESTORE", &value]).to_string().contains("given type is not a function"));
    assert_eq!(conn.run("FUNCTION STATS").get("engines").get("LUA").get("libraries_count").int(), 1, "what failed has changed nothing");
}

#[test]
fn libraries_outlive_a_restart() {
    let mut server = with_library();
    server.ask("SAVE");
    server.kill9();
    server.restart();
    assert_eq!(server.ask("FCALL echo 0").to_string(), "[[], []]");
    server.ask("DEBUG RELOAD");
    assert_eq!(server.ask("FCALL echo 0").to_string(), "[[], []]");
}

#[test]
fn a_function_that_loops_is_killed() {
    let server = Server::start(&["--busy-reply-threshold", "10"]);
    let mut slow = server.connect();
    slow.cmd(&["FUNCTION", "LOAD", "#!lua name=l\nredis.register_function('loop', function() while true do end end)"]);
    slow.send_cmd(&["FCALL", "loop", "0"]);
    wait_until(|| server.ask("PING").to_string().contains("FUNCTION KILL or SHUTDOWN NOSAVE"));
    let stats = server.ask("FUNCTION STATS").to_string();
    assert!(stats.contains("loop") && stats.contains("duration_ms"), "{stats}");
    assert!(server.ask("SCRIPT KILL").to_string().contains("BUSY"), "it is no script");
    assert_eq!(server.ask("FUNCTION KILL").to_string(), "OK");
    assert!(slow.recv().to_string().contains("Script killed by user with"));
    assert_eq!(server.ask("PING").to_string(), "PONG");
}
