//! A script is ended, and others have their turn beside it, whatever it is at: no function of Lua's or of the libraries, and no command that it calls, keeps the loop
//! for as long as its arguments are.

mod common;
use common::*;

/// What the scripts below find: long texts, and large tables.
const TEXT: &str = "local s = ('x'):rep(10000000) ";
const DIGITS: &str = "local s = ('7'):rep(100000) ";
const ZEROS: &str = "local s = ('\\0'):rep(1000000) local a, b = s .. 'a', s .. 'b' ";
const NUMBERS: &str = "local t = {} for i = 1, 1000000 do t[i] = (i * 7919) % 1000003 end ";
const WORDS: &str = "local t = {} for i = 1, 200000 do t[i] = 'word' .. i end ";
const PAIRS: &str = "local t = {} for i = 1, 200000 do t['key' .. i] = i end ";

/// CPU microseconds that a turn of the loop may take beside a script: some milliseconds in which it runs, and the longest step that cannot be cut, such as
/// a table that grows, with the copy of what it has.
const TURN_US_MAX: f64 = 150_000.0;

/// What each script does without end.
const SCRIPTS: &[(&str, &str)] = &[
    (TEXT, "s:lower()"),
    (TEXT, "s:upper()"),
    (TEXT, "s:reverse()"),
    (TEXT, "s:sub(2)"),
    (TEXT, "local n = #(s .. 'y')"),
    (TEXT, "local n = (s .. 'y') < (s .. 'z')"),
    (ZEROS, "local n = a < b"),
    (TEXT, "string.format('%s', s)"),
    (TEXT, "string.format('%q', s)"),
    (TEXT, "string.format('%s%s%s%s', s, s, s, s)"),
    (TEXT, "s:find('y', 1, true)"),
    (TEXT, "s:find('y')"),
    (TEXT, "s:find('[yz]')"),
    (TEXT, "s:match('(.-)y')"),
    (TEXT, "s:match('^(.*)y')"),
    (TEXT, "s:gsub('x', 'y')"),
    (TEXT, "s:gsub('y', 'z')"),
    (TEXT, "pcall(s.gsub, s, 'x', {x = 'y'})"),
    (TEXT, "pcall(s.gsub, s, 'x', tostring)"),
    (TEXT, "pcall(s.gsub, s, 'x', s:sub(1, 100))"),
    (TEXT, "for word in s:gmatch('x+') do end"),
    (TEXT, "for word in s:gmatch('y') do end"),
    (TEXT, "('x'):rep(10000000)"),
    (TEXT, "('x'):rep(10000000, s)"),
    (TEXT, "tonumber(s)"),
    (DIGITS, "tonumber(s)"),
    (DIGITS, "tonumber(s, 16)"),
    (DIGITS, "local n = s + 0"),
    (TEXT, "tostring(s)"),
    (TEXT, "pcall(error, s)"),
    (TEXT, "pcall(error, {err = s})"),
    (TEXT, "redis.error_reply(s)"),
    (TEXT, "redis.status_reply(s)"),
    (TEXT, "redis.sha1hex(s)"),
    (TEXT, "redis.log(redis.LOG_DEBUG, s)"),
    (TEXT, "redis.call('ECHO', s)"),
    (TEXT, "redis.pcall('NOSUCH', s)"),
    (TEXT, "redis.acl_check_cmd('ECHO', s)"),
    (TEXT, "loadstring('return \"' .. s .. '\"')"),
    (TEXT, "loadstring('local a = 1 ' .. s:sub(1, 1000000):gsub('x', ' a = a'))"),
    (TEXT, "pcall(load, function() return s end)"),
    (TEXT, "cjson.encode(s)"),
    (TEXT, "cjson.decode('\"' .. s .. '\"')"),
    (TEXT, "cmsgpack.unpack(cmsgpack.pack(s))"),
    (TEXT, "struct.unpack('s', struct.pack('s', s))"),
    (NUMBERS, "table.concat(t)"),
    (NUMBERS, "table.concat(t, ' ', 1, 900000)"),
    (WORDS, "table.concat(t, ', ')"),
    (NUMBERS, "table.sort(t)"),
    (NUMBERS, "table.sort(t, function(a, b) return a > b end)"),
    (NUMBERS, "pcall(table.sort, t, function(a, b) return true end)"),
    (NUMBERS, "pcall(table.sort, t, rawequal)"),
    (NUMBERS, "local n = 0 pcall(table.sort, t, function(a, b) n = n + 1 if n > 100000 then error('no more') end return a < b end)"),
    (WORDS, "table.sort(t) table.sort(t, function(a, b) return a > b end)"),
    (NUMBERS, "table.insert(t, 1, table.remove(t))"),
    (NUMBERS, "table.insert(t, table.remove(t, 1))"),
    (NUMBERS, "pcall(table.insert, t, -100000000, 1)"),
    (NUMBERS, "table.maxn(t)"),
    (PAIRS, "table.maxn(t)"),
    (NUMBERS, "table.foreach(t, math.randomseed)"),
    (NUMBERS, "table.foreachi(t, math.randomseed)"),
    (PAIRS, "for k, v in pairs(t) do end"),
    (NUMBERS, "for i, v in ipairs(t) do end"),
    (NUMBERS, "unpack(t, 1, 7000)"),
    (NUMBERS, "local n = select('#', unpack(t, 1, 7000))"),
    (NUMBERS, "math.max(unpack(t, 1, 7000))"),
    (NUMBERS, "string.char(unpack({65, 66, 67})) local n = #t"),
    (PAIRS, "local u = {} for k, v in pairs(t) do u[k] = v end"),
    (NUMBERS, "cjson.encode(t)"),
    (PAIRS, "cjson.encode(t)"),
    (NUMBERS, "cjson.decode(cjson.encode(t))"),
    (PAIRS, "cjson.decode(cjson.encode(t))"),
    (NUMBERS, "cmsgpack.pack(t)"),
    (PAIRS, "cmsgpack.unpack(cmsgpack.pack(t))"),
    (NUMBERS, "collectgarbage()"),
    (NUMBERS, "collectgarbage('step', 1000000)"),
    (NUMBERS, "collectgarbage('setstepmul', 0) local u = {} for i = 1, 100 do u[i] = {} end"),
    (NUMBERS, "local u = {} for i = 1, #t do u[i] = {} end"),
    ("", "local t = {} for i = 1, 20000 do t[i] = ('x'):rep(300) .. i .. ('x'):rep(300) end"),
    ("", "redis.call('LRANGE', KEYS[1], 0, -1)"),
    ("", "redis.call('LPOS', KEYS[1], 'nowhere')"),
    ("", "pcall(pcall, error, 'again')"),
    ("", "string.gsub('aaaa', 'a', function() for i = 1, 1000 do end end)"),
    (
        "local function nest(n) if n == 0 then for i = 1, 2000 do end return end for i = 1, 300 do coroutine.wrap(nest)(n - 1) end end ",
        "nest(4)",
    ),
    (
        "local function nest(n) if n == 0 then for i = 1, 2000 do end return end
         for i = 1, 300 do coroutine.resume(coroutine.create(nest), n - 1) end end ",
        "nest(4)",
    ),
    (TEXT, "pcall(coroutine.wrap(function() for i = 1, 1000 do s:lower() s:reverse() end end))"),
    (TEXT, "pcall(coroutine.wrap(function() coroutine.wrap(function() for i = 1, 1000 do local n = #(s .. i) end end)() end))"),
];

#[test]
fn whatever_a_script_is_at_others_have_their_turn_and_it_is_killed() {
    if is_reference() {
        return;
    }
    let server = Server::start(&["--busy-reply-threshold", "1", "--lua-memory-limit", "256mb"]);
    let mut conn = server.connect();
    for _ in 0..10 {
        conn.run(&format!("RPUSH list{}", " element".repeat(1000)));
    }
    let mut slow_turns = Vec::new();
    for (given, again) in SCRIPTS {
        let script = format!("{given} while true do {again} end");
        assert_eq!(server.ask("CONFIG RESETSTAT"), *"OK");
        let mut slow = server.connect();
        slow.send_cmd(&["EVAL", &script, "1", "list"]);
        wait_until(|| conn.run("PING").to_string().starts_with("-BUSY"));
        // What it is given may take it some slices.
        for _ in 0..50 {
            conn.run("PING");
        }
        conn.run("SCRIPT KILL");
        let told = slow.recv().to_string();
        assert!(told.contains("Script killed by user"), "{again}: {told:.200}");
        assert_eq!(conn.run("PING"), *"PONG", "{again}");
        let report = conn.run("INFO loop").text();
        let longest: f64 = info_field(&report, "loop_turn_cpu_usec_max").expect("it is told").parse().expect("a number");
        println!("{longest:10.0} us: {given:.40} {again}");
        if longest > TURN_US_MAX {
            slow_turns.push(format!("{longest} us: {again}"));
        }
    }
    assert!(slow_turns.is_empty(), "{}", slow_turns.join("\n"));
}
