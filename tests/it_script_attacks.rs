//! What scripts have done to Redis's Lua: here it ends with an error or a plain answer, and the server goes on.

mod common;
use common::*;

/// Each script in turn; whatever comes of it, the server is there and answers the next.
fn attack(scripts: &[&str]) -> Vec<Value> {
    let mut server = Server::start(&["--lua-memory-limit", "64mb"]);
    let mut conn = server.connect();
    let replies = scripts
        .iter()
        .map(|script| {
            let reply = conn.cmd(&["EVAL", script, "0"]);
            assert_eq!(conn.run("EVAL \"return {1, 'a'}\" 0").items().len(), 2, "after {script}");
            reply
        })
        .collect();
    assert!(server.running());
    replies
}

fn is_error(reply: &Value, text: &str) -> bool {
    matches!(reply, Value::Error(told) if told.contains(text))
}

/// CVE-2022-24834: lengths of long strings overflowed in cjson and cmsgpack.
#[test]
fn long_values_are_encoded_or_refused() {
    let no_memory = "not enough memory";
    let replies = attack(&[
        "return #cjson.encode(('\\0'):rep(2^25))",
        "local s = ('a'):rep(2^24) local t = {} for i = 1, 100 do t[i] = s end return #cjson.encode(t)",
        "local s = ('a'):rep(2^24) local t = {} for i = 1, 100 do t[i] = s end return #cmsgpack.pack(t)",
        "local t = {1} for i = 1, 900 do t = {t, t} end return #cjson.encode(t)",
        "cjson.encode_sparse_array(true, 0) return #cjson.encode({[2^30] = 1})",
        "return #cjson.encode(('a'):rep(1000000))",
        "return cmsgpack.unpack('\\221\\255\\255\\255\\255')",
        "return cmsgpack.unpack('\\219\\255\\255\\255\\255')",
    ]);
    for reply in &replies[..4] {
        assert!(is_error(reply, no_memory), "{reply:?}");
    }
    assert!(is_error(&replies[4], no_memory) || replies[4].int() > 0);
    assert_eq!(replies[5].int(), 1_000_002);
    assert!(is_error(&replies[6], "Missing bytes in input"), "{:?}", replies[6]);
    assert!(is_error(&replies[7], "Missing bytes in input"), "{:?}", replies[7]);
}

/// CVE-2024-31449: the least integer as a number of digits.
#[test]
fn digits_of_a_hexadecimal_number_are_bounded() {
    let replies = attack(&["return bit.tohex(65535, -2147483648)", "return bit.tohex(65535, 2147483647)", "return bit.tohex(-1, 2^31)"]);
    assert_eq!(replies.iter().map(Value::text).collect::<Vec<_>>(), ["0000FFFF", "0000ffff", "FFFFFFFF"]);
}

/// CVE-2024-46981 and CVE-2025-49844: the collector took away what was still in use, as scripts were let go or compiled.
#[test]
fn what_is_in_use_is_not_collected() {
    let mut server = Server::start(&[]);
    let mut conn = server.connect();
    let compiling = "
        collectgarbage('setpause', 0) collectgarbage('setstepmul', 1e6)
        local kept = {}
        for i = 1, 300 do
            local name = ('chunk' .. i):rep(50)
            local f = loadstring('local a = {\"' .. ('x'):rep(i * 10) .. '\"} return a[1]', name)
            kept[i % 7] = f()
            loadstring('return ((', name)
            load(function() collectgarbage() return nil end, name)
        end
        return #kept[1]";
    assert_eq!(conn.cmd(&["EVAL", compiling, "0"]).int(), 2950);
    for i in 0..20 {
        let script = format!(
            "local t = setmetatable({{}}, {{__gc = function() redis.call('SET', 'k', 'v') end}}) t = nil collectgarbage() return {i}"
        );
        assert_eq!(conn.cmd(&["EVAL", &script, "0"]).int(), i);
        assert_eq!(conn.run("SCRIPT FLUSH SYNC").text(), "OK");
        let library = format!("#!lua name=l{i}\nredis.register_function('f{i}', function() return {i} end)");
        assert_eq!(conn.cmd(&["FUNCTION", "LOAD", &library]).text(), format!("l{i}"));
        assert_eq!(conn.cmd(&["FCALL", &format!("f{i}"), "0"]).int(), i);
        assert_eq!(conn.run("FUNCTION FLUSH ASYNC").text(), "OK");
    }
    assert_eq!(conn.run("EXISTS k").int(), 0);
    assert!(server.running());
}

/// CVE-2025-46817: the number of results of `unpack` overflowed.
#[test]
fn results_are_counted_without_overflow() {
    for reply in attack(&[
        "return {unpack({1, 2, 3}, -2, 2147483647)}",
        "return {unpack({1, 2, 3}, -2147483648, 2147483647)}",
        "return {unpack({1, 2, 3}, 0, 2147483647)}",
        "return {unpack({1, 2, 3}, 1, 100000)}",
    ]) {
        assert!(is_error(&reply, "too many results to unpack"), "{reply:?}");
    }
}

/// CVE-2025-46818: what a script put into the metatable of strings ran with the next one's user.
#[test]
fn nothing_is_left_behind_for_the_next_script() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    for script in [
        "getmetatable('').__index = function() return redis.call end",
        "getmetatable('').__add = function() return 1 end",
        "getmetatable('').__index.upper = function() return 'mine' end",
        "rawset(getmetatable(''), '__index', {})",
        "string.upper = function() return 'mine' end",
        "rawset(string, 'upper', 1)",
        "table.insert(redis, 1)",
        "setmetatable(_G, {__index = function() return 1 end})",
        "setmetatable(string, {})",
        "getmetatable(_G).__index = nil",
        "_G.tostring = nil",
        "rawset(_G, 'tostring', 1)",
        "x = 1",
        "setfenv(1, {})",
        "debug.setmetatable(1, {})",
    ] {
        let reply = conn.cmd(&["EVAL", script, "0"]);
        assert!(matches!(reply, Value::Error(_)), "{script}: {reply:?}");
        let reply = conn.run("EVAL \"return {('a'):upper(), tostring(1), pcall(function() return 'a' + 1 end)}\" 0");
        assert_eq!(reply.items()[..2].iter().map(Value::text).collect::<Vec<_>>(), ["A", "1"], "after {script}");
        assert_eq!(reply.items()[2], Value::NilBulk, "after {script}");
    }
}

/// CVE-2025-46819: the marks of long strings were counted in too few bits.
#[test]
fn marks_of_long_strings_are_counted() {
    let replies = attack(&[
        "return loadstring('return [' .. ('='):rep(2^20) .. '[x]' .. ('='):rep(2^20) .. ']')()",
        "return tostring(loadstring('return [' .. ('='):rep(2^20)))",
        "return tostring(loadstring('--[' .. ('='):rep(2^20) .. '['))",
        "return tostring(loadstring('return [' .. ('='):rep(2^25)))",
    ]);
    assert_eq!(replies[0].text(), "x");
    assert_eq!(replies[1].text(), "nil");
    assert_eq!(replies[2].text(), "nil");
    assert!(is_error(&replies[3], "not enough memory") || replies[3].text() == "nil", "{:?}", replies[3]);
}

/// Byte code, made here or elsewhere, is not run.
#[test]
fn byte_code_is_not_loaded() {
    for reply in attack(&[
        "return {loadstring(string.dump(function() return 1 end))}",
        "local code = string.dump(function() return 1 end) return {load(function() local part = code code = nil return part end)}",
        "local done = false return {load(function() if not done then done = true return '\\27Lua' end end)}",
        "return {loadstring('\\27Lua\\81\\0\\1\\4\\8\\4\\8\\0')}",
    ]) {
        assert!(!matches!(&reply, Value::Array(items) if items.first().is_some_and(|first| *first != Value::NilBulk)), "{reply:?}");
    }
}

/// What runs long without an instruction of the script's can be killed all the same.
#[test]
fn long_work_inside_a_function_can_be_killed() {
    let server = Server::start(&["--busy-reply-threshold", "10"]);
    for script in [
        "local t = {} for i = 1, 2^20 do t[i] = i % 1024 end while true do table.sort(t, function(a, b) return a < b end) end",
        "table.insert({}, -2147483648, 1)",
        "local t = {1} for i = 1, 900 do t = {t, t} end while true do pcall(cjson.encode, t) end",
        "while true do string.find(('a'):rep(30), ('a?'):rep(30) .. ('a'):rep(30)) end",
        "string.find(('a'):rep(2^20), ('.-'):rep(10) .. 'b')",
        "local s = ('a'):rep(2^27) while true do local t = s .. 'b' end",
        "local s, t = ('a'):rep(2^26) .. 'a', ('a'):rep(2^26) .. 'b' local n = 0 while true do if s < t then n = n + 1 end end",
        "local s = ('a'):rep(2^24) while true do s = s:reverse():upper():lower() end",
        "load(string.gmatch(('a'):rep(2^26), '.'))",
        "local t = {} for i = 1, 2^20 do t[i] = {} end while true do collectgarbage() end",
        "local t = {} for i = 1, 2^22 do t[i] = i end for i = 1, 2^22 do t[next(t)] = nil end",
        "while true do pcall(function() while true do end end) end",
        "while true do xpcall(function() while true do end end, function() while true do end end) end",
    ] {
        let mut caller = server.connect();
        caller.send_cmd(&["EVAL", script, "0"]);
        let mut other = server.connect();
        wait_until(|| matches!(other.run("PING"), Value::Error(busy) if busy.starts_with("BUSY")));
        assert_eq!(other.run("SCRIPT KILL").text(), "OK", "{script}");
        let reply = caller.recv();
        assert!(is_error(&reply, "killed by user"), "{script}: {reply:?}");
        assert_eq!(other.run("PING").text(), "PONG");
    }
}
