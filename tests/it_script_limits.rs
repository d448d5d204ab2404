//! Scripts that take too much: time, memory, depth. None of them takes the server with it.

mod common;
use common::*;
use std::{
    io::{Read, Write},
    net::TcpStream,
};

/// Runs a script that ends, and gives the answer as text.
fn eval(server: &Server, script: &str) -> String {
    server.connect().cmd(&["EVAL", script, "0"]).to_string()
}

/// A server on which scripts are soon slow.
fn impatient() -> Server {
    Server::start(&["--busy-reply-threshold", "10"])
}

/// Runs a script that does not end, has it killed, and gives what its client was told.
fn killed(server: &Server, script: &str) -> String {
    let mut slow = server.connect();
    slow.send_cmd(&["EVAL", script, "0"]);
    wait_until(|| server.ask("PING").to_string().contains("BUSY"));
    assert_eq!(server.ask("SCRIPT KILL").to_string(), "OK", "{script}");
    let told = slow.recv().to_string();
    assert_eq!(server.ask("PING").to_string(), "PONG", "{script}");
    told
}

#[test]
fn a_script_is_killed_wherever_it_is() {
    let server = impatient();
    for script in [
        "while true do end",
        "while true do redis.call('PING') end",
        "while true do pcall(function() while true do end end) end",
        "while true do xpcall(function() while true do end end, function() while true do end end) end",
        "local function again() while true do pcall(again) end end again()",
        "coroutine.wrap(function() while true do end end)()",
        "local inner = coroutine.create(function() while true do end end) while true do coroutine.resume(inner) end",
        "local function nested(n) if n == 0 then while true do end end coroutine.resume(coroutine.create(nested), n - 1) end while true do nested(20) end",
        "return string.find(string.rep('a', 100000), string.rep('a*', 20) .. 'b')",
        "while true do string.gsub('aaaa', 'a', function(c) return c end) end",
        "local t = {} for i = 1, 1000 do t[i] = i end while true do table.sort(t, function(a, b) return a > b end) end",
        "while true do cjson.decode(cjson.encode({1, 2, 3})) end",
        "while true do local t = {} for i = 1, 100 do t[i] = {} end end",
    ] {
        let told = killed(&server, script);
        assert!(told.contains("Script killed by user with SCRIPT KILL"), "{script}: {told}");
    }
    assert_eq!(eval(&server, "return 1"), "1");
}

#[test]
fn memory_without_end_ends_the_script_and_comes_back() {
    let server = Server::start(&["--lua-memory-limit", "64mb", "--busy-reply-threshold", "60000"]);
    let held = || server.info("used_memory_vm_eval").parse::<u64>().expect("a number");
    eval(&server, "return 1");
    let before = held();
    for script in [
        "return string.rep('x', 10000000000)",
        "local s = 'x' while true do s = s .. s end",
        "local t = {} for i = 1, 1e10 do t[i] = 'x' .. i end",
        "local t = {} for i = 1, 1e10 do t[i] = {} end",
        "local s = string.rep('x', 1000000) local t = {} for i = 1, 10000 do t[i] = s end return table.concat(t)",
        "local s = string.rep('x', 1000000) local t = {} for i = 1, 10000 do t[i] = s end return cjson.encode(t)",
        "local s = string.rep('x', 1000000) local t = {} for i = 1, 10000 do t[i] = s end return cmsgpack.pack(t)",
        "local s = string.rep('x', 1000000) return (string.gsub(s, 'x', s))",
        "local s = string.rep('x', 1000000) local t = {} for i = 1, 10000 do t[i] = s end return t",
        "local t = {} for i = 1, 60 do t = {t, t} end return t",
        "cjson.encode_max_depth(100) local t = {} for i = 1, 60 do t = {t, t} end return cjson.encode(t)",
    ] {
        let told = eval(&server, script);
        assert!(told.contains("not enough memory"), "{script}: {told:.200}");
    }
    // Nothing asks for it but time.
    wait_until(|| held() < before + (8 << 20));
    assert_eq!(eval(&server, "return string.rep('x', 3)"), r#""xxx""#);
}

#[test]
fn depth_ends_in_an_error() {
    let server = Server::start(&[]);
    for (script, error) in [
        ("local function f() return f() + 1 end return f()", "stack overflow"),
        ("local function f() return coroutine.wrap(f)() end return f()", "C stack overflow"),
        ("local function f() return (string.gsub('a', 'a', f)) end return f()", "C stack overflow"),
        ("local function f() return (string.gsub('a', 'a', function() return coroutine.wrap(f)() end)) end return f()", "C stack overflow"),
        ("local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k + 1] end return t[1]", "C stack overflow"),
        ("cjson.decode_max_depth(1000000) return cjson.decode(string.rep('[', 100000))", "nested"),
        ("cjson.encode_max_depth(1000000) local t = {} for i = 1, 100000 do t = {t} end return cjson.encode(t)", "nesting"),
        ("return cmsgpack.unpack(string.rep('\\145', 100000))", "stack overflow"),
        ("return loadstring(string.rep('(', 1000) .. '1' .. string.rep(')', 1000))()", "nil value"),
    ] {
        let told = eval(&server, script);
        assert!(told.contains(error), "{script}: {told:.300}");
    }
    // Too deep a reply for a client that calls itself: it is looked at as bytes.
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).expect("it listens");
    stream.write_all(b"EVAL \"local t = {} t[1] = t return t\" 0\r\n").expect("it is sent");
    let mut reply = Vec::new();
    while !reply.windows(23).any(|part| part == b"reached lua stack limit") {
        let mut part = [0; 65536];
        let count = stream.read(&mut part).expect("an answer");
        assert!(count > 0, "it has ended");
        reply.extend_from_slice(&part[..count]);
    }
    // The deepest of the library's functions, where the stack is deep already.
    let script = "cjson.decode_max_depth(1000000)
        local function f(n) if n == 0 then return tostring(pcall(cjson.decode, string.rep('[', 100000))) end
            return (string.gsub('a', 'a', function() return coroutine.wrap(f)(n - 1) end)) end
        return f(90)";
    assert_eq!(eval(&server, script), r#""false""#);
}

#[test]
fn globals_and_libraries_stay_as_they_are() {
    let server = Server::start(&[]);
    for script in [
        "x = 1",
        "_G.x = 1",
        "redis = nil",
        "KEYS = {}",
        "local function f() string = 1 end f()",
        "local f = function() return function() local a a, tonumber = 1, 2 end end f()()",
        "coroutine.wrap(function() pcall = nil end)()",
        "loadstring('redis = 1')()",
        "loadstring('local function f() redis = 1 end f()')()",
        "load(function() local t = KEYS[1] KEYS[1] = nil return t end)() ARGV = nil",
        "for i = 1, 1 do if i then redis = i end end",
        "redis.call = 1",
        "string.x = 1",
        "rawset(_G, 'x', 1)",
        "rawset(redis, 'call', 1)",
        "setmetatable(_G, {})",
        "setmetatable(string, {__index = {}})",
        "table.insert(table, 1)",
        "getmetatable('').__index = {}",
        "getmetatable(_G).__index = nil",
    ] {
        let told = eval(&server, script);
        assert!(told.contains("Attempt to modify a readonly table"), "{script}: {told}");
    }
    let told = eval(&server, "return loadstring(string.dump(function() return 1 end)) == nil");
    assert_eq!(told, "1", "byte code is not loaded");
}

#[test]
fn a_replica_waits_for_the_end_of_a_script() {
    let primary = Server::start(&["--busy-reply-threshold", "10", "--repl-diskless-sync-delay", "0"]);
    let mut slow = primary.connect();
    slow.send_cmd(&[
        "EVAL",
        "redis.call('SET', 'a', 1) local from = os.clock() while os.clock() < from + 0.5 do end redis.call('SET', 'b', 2) return 'done'",
        "0",
    ]);
    wait_until(|| primary.ask("PING").to_string().contains("BUSY"));
    let replica = Server::start(&["--replicaof", &format!("127.0.0.1 {}", primary.port)]);
    assert_eq!(slow.recv().to_string(), r#""done""#);
    wait_until(|| replica.ask("GET b").to_string() == r#""2""#);
    assert_eq!(replica.ask("GET a").to_string(), r#""1""#);
    primary.ask("SET c 3");
    wait_until(|| replica.ask("GET c").to_string() == r#""3""#);
}

#[test]
fn a_replica_with_a_slow_script_keeps_up_afterwards() {
    let primary = Server::start(&[]);
    let replica = Server::start(&["--busy-reply-threshold", "10", "--replicaof", &format!("127.0.0.1 {}", primary.port)]);
    wait_until(|| replica.info("master_link_status") == "up");
    let mut slow = replica.connect();
    slow.send_cmd(&["EVAL_RO", "local from = os.clock() while os.clock() < from + 0.3 do end return redis.call('GET', 'k')", "0"]);
    wait_until(|| replica.ask("PING").to_string().contains("BUSY"));
    primary.ask("SET k v");
    assert_eq!(slow.recv().to_string(), "nil", "the data stand still for it");
    wait_until(|| replica.ask("GET k").to_string() == r#""v""#);
}
