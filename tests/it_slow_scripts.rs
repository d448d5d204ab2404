//! Scripts that take long or take much: everybody else is told so, links stay up, and whoever may end them does.

mod common;
use common::*;

use std::path::Path;

/// Takes for ever, whatever is done to it.
const ENDLESS: &str = "while true do end";
/// In a time that nobody has to wait for.
const THRESHOLD: [&str; 2] = ["--busy-reply-threshold", "20"];
const MIB: u64 = 1024 * 1024;

#[track_caller]
fn assert_starts(reply: &Value, start: &str) {
    assert!(reply.to_string().starts_with(start), "{reply}");
}

/// A client whose script is so slow that others are told.
#[track_caller]
fn slow_script(server: &Server, script: &str) -> Conn {
    let mut slow = server.connect();
    slow.send_cmd(&["EVAL", script, "0"]);
    wait_until(|| server.ask("PING").to_string().starts_with("-BUSY"));
    slow
}

/// Ends what runs, and the server is as before.
#[track_caller]
fn kill(server: &Server, slow: &mut Conn) {
    assert_eq!(server.ask("SCRIPT KILL"), *"OK");
    let reply = slow.recv().to_string();
    assert!(reply.contains("Script killed by user with SCRIPT KILL"), "{reply}");
    assert_eq!(server.ask("PING"), *"PONG");
    assert_starts(&server.ask("SCRIPT KILL"), "-NOTBUSY");
}

/// A client whose function is that slow; unlike a script it tells how long it has been running.
#[track_caller]
fn slow_function(server: &Server) -> Conn {
    let mut slow = server.connect();
    slow.cmd(&["FUNCTION", "LOAD", "#!lua name=l\nredis.register_function('loop', function() while true do end end)"]);
    slow.send_cmd(&["FCALL", "loop", "0"]);
    wait_until(|| server.ask("PING").to_string().starts_with("-BUSY"));
    slow
}

#[test]
fn everybody_is_answered_while_a_script_loops() {
    let server = Server::start(&THRESHOLD);
    let mut early: Vec<_> = (0..20).map(|_| server.connect()).collect();
    early[0].run("SET k v");
    let mut watching = server.connect();
    replies!(watching, "WATCH k" => "OK", "MULTI" => "OK", "SET k w" => "QUEUED");
    let mut slow = slow_script(&server, ENDLESS);
    // It is endless: every answer comes beside it.
    let busy = "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
    for _ in 0..50 {
        for conn in &mut early {
            assert_eq!(conn.run("PING"), *busy);
        }
    }
    early[1].send(&Conn::encode(&["GET", "k"]).repeat(1000));
    for _ in 0..1000 {
        assert_eq!(early[1].recv(), *busy);
    }
    for line in
        ["SET k w", "INFO", "CONFIG GET maxmemory", "SUBSCRIBE c", "EVAL 'return 1' 0", "SCRIPT FLUSH", "FUNCTION LIST", "CLIENT LIST"]
    {
        assert_eq!(server.ask(line), *busy, "{line}");
    }
    for line in ["SHUTDOWN", "SHUTDOWN SAVE", "FUNCTION KILL"] {
        assert_eq!(server.ask(line), *busy, "{line}");
    }
    // What says nothing of the data and changes nothing is allowed.
    assert_eq!(watching.run("DISCARD"), *"OK");
    replies!(watching, "WATCH k" => "OK", "UNWATCH" => "OK", "MULTI" => "OK");
    assert_eq!(watching.run("GET k"), *busy);
    assert_starts(&watching.run("EXEC"), "-EXECABORT");
    assert_eq!(watching.run("RESET"), *"RESET");
    assert_eq!(server.connect().run("HELLO 3").get("proto").int(), 3);
    // Clients come, ask and go, in the middle of a request as well.
    for n in 0..100 {
        let mut conn = server.connect();
        conn.send(&Conn::encode(&["SET", "k", &"x".repeat(1000)])[..900]);
        if n % 2 == 0 {
            drop(conn);
        } else {
            conn.finish();
        }
    }
    kill(&server, &mut slow);
    // The data stood still.
    assert_eq!(server.ask("GET k"), *r#""v""#);
}

#[test]
fn no_script_can_catch_its_end() {
    let server = Server::start(&THRESHOLD);
    for script in [
        "local function again() pcall(again) end while true do again() end",
        "while true do pcall(redis.call, 'PING') end",
        "while true do redis.pcall('GET', 'k') end",
        "while true do coroutine.wrap(function() pcall(function() while true do end end) end)() end",
        "while true do local co = coroutine.create(function() while true do coroutine.yield() end end)
         for i = 1, 100 do coroutine.resume(co) end end",
        "while true do pcall(setmetatable({}, {__index = function() while true do end end}).x) end",
        "while true do pcall(error, 'again') end",
        "while true do pcall(table.sort, {3, 2, 1}, function() while true do end end) end",
    ] {
        let mut slow = slow_script(&server, script);
        kill(&server, &mut slow);
    }
}

/// Where Redis's Lua looks at nothing before it comes back.
#[test]
fn what_takes_long_inside_a_function_of_lua_is_killed() {
    if is_reference() {
        return;
    }
    let server = Server::start(&THRESHOLD);
    for script in [
        // Two to the power of forty ways to match.
        "return string.find(('a'):rep(40), ('a?'):rep(40) .. ('a'):rep(40))",
        "return string.match(('a'):rep(300), '.-.-.-.-.-.-.-b')",
        "return string.gsub(('a'):rep(300), '.-.-.-.-.-.-.-b', '')",
        "for word in string.gmatch(('a'):rep(300), '.-.-.-.-.-.-.-b') do end",
        "while true do pcall(string.rep, 'x', 100 * 1024 * 1024) end",
        "while true do string.gsub('a', 'a', function() while true do end end) end",
    ] {
        let mut slow = slow_script(&server, script);
        kill(&server, &mut slow);
    }
}

#[test]
fn what_has_written_is_never_killed() {
    let server = Server::start(&THRESHOLD);
    // A second or two.
    let script = "redis.call('SET', 'k', 'half') for n = 1, 2e8 do end redis.call('APPEND', 'k', ' and half') return 'done'";
    let mut slow = slow_script(&server, script);
    for _ in 0..3 {
        assert_starts(&server.ask("SCRIPT KILL"), "-UNKILLABLE Sorry the script already executed write commands against the dataset.");
    }
    assert_eq!(slow.recv(), *r#""done""#);
    assert_eq!(server.ask("GET k"), *r#""half and half""#);
}

#[test]
fn a_server_is_shut_down_beside_a_script_when_nothing_is_saved() {
    for script in [ENDLESS, "redis.call('SET', 'k', 'v') while true do end"] {
        let mut server = Server::start(&THRESHOLD);
        server.ask("CONFIG SET save '900 1'");
        let _slow = slow_script(&server, script);
        server.connect().send_cmd(&["SHUTDOWN", "NOSAVE"]);
        assert_eq!(server.wait(), Some(0));
        assert!(!server.dir.join("dump.rdb").exists());
    }
}

/// A replica of `primary`, in step with it.
fn replica_of(primary: &Server, program: &Path, args: &[&str]) -> Server {
    let port = primary.port.to_string();
    let replica = Server::of(program, &[&["--replicaof", "127.0.0.1", &port], args].concat());
    wait_until(|| replica.info("master_link_status") == "up");
    replica
}

/// Both ends give a silent link up after two seconds; the script takes longer.
#[test]
fn the_links_of_replicas_stay_up_while_a_script_loops() {
    const TIMEOUTS: [&str; 4] = ["--repl-timeout", "2", "--repl-ping-replica-period", "1"];
    // A real redis-server sends no PING beside a script, so its replicas give it up.
    if is_reference() {
        return;
    }
    let primary = Server::start(&[&THRESHOLD[..], &TIMEOUTS].concat());
    let replicas = [program(), "redis-server".into()].map(|program| replica_of(&primary, &program, &TIMEOUTS));
    let mut slow = slow_function(&primary);
    wait_until(|| primary.ask("FUNCTION STATS").get("running_script").get("duration_ms").int() > 5000);
    for replica in &replicas {
        assert_eq!(replica.info("master_link_status"), "up");
        assert_eq!(replica.info("master_sync_in_progress"), "0");
    }
    assert_eq!(primary.ask("FUNCTION KILL"), *"OK");
    assert_starts(&slow.recv(), "-ERR ");
    primary.ask("SET k v");
    for replica in &replicas {
        wait_until(|| replica.ask("GET k") == *r#""v""#);
    }
    // They had one synchronisation each, their first.
    assert_eq!([primary.number::<u64>("sync_full"), primary.number("sync_partial_ok")], [2, 0]);
    assert!(replicas.iter().all(|replica| !replica.log().contains("imeout")), "{}", primary.log());
}

/// What Lua holds, bytes.
fn lua_memory(server: &Server) -> u64 {
    server.number("used_memory_lua")
}

#[test]
fn a_script_that_takes_too_much_memory_ends_with_an_error() {
    if is_reference() {
        return;
    }
    let server = Server::start(&["--lua-memory-limit", "100mb"]);
    let mut conn = server.connect();
    conn.run("SET k v");
    conn.run("EVAL 'return 1' 0");
    let [resident, lua] = [server.rss(), lua_memory(&server)];
    for script in [
        "return #string.rep(string.rep('x', 1024 * 1024), 10 * 1024)",
        "local text = 'x' while true do text = text .. text end",
        "local all = {} for n = 1, 1e10 do all[n] = n end",
        "local all = {} for n = 1, 1e10 do all[n] = 'number ' .. n end",
        "local all = {} for n = 1, 1e10 do all[n] = {n} end",
        "local all = {} for n = 1, 1e10 do all[n] = function() return n end end",
        "local all = {} for n = 1, 1e10 do all[n] = coroutine.create(function() end) end",
        "local all = {} for n = 1, 1e10 do all[n] = string.rep('x', 1e6) .. n end return table.concat(all)",
        "local part = string.rep('x', 1e7) local all = {} for n = 1, 1000 do all[n] = part end return table.concat(all)",
        "local part = string.rep('x', 1e7) local all = {} for n = 1, 1000 do all[n] = part end return cjson.encode(all)",
        "local part = string.rep('x', 1e7) local all = {} for n = 1, 1000 do all[n] = part end return cmsgpack.pack(all)",
        "local part = string.rep('x', 1e6) return string.gsub(part, 'x', part)",
        "local all = '' for n = 1, 1e10 do all = string.format('%s%s', all, string.rep('x', 1e6)) end",
        "local function deeper(n) return n + deeper(n + 1) end return deeper(1)",
        "local all = {} for n = 1, 1e10 do all[n] = redis.sha1hex(n) end",
        "local all = {} while true do local got, why = pcall(string.rep, 'x', 1e7) if not got then error(why) end all[#all + 1] = why .. #all end",
    ] {
        let reply = conn.cmd(&["EVAL", script, "0"]);
        assert!(matches!(reply, Value::Error(_)), "{script}: {reply}");
        // The next ones have what they need, and the data is there.
        assert_eq!(conn.run("EVAL \"return #string.rep('x', 10000000)\" 0"), *"10000000", "{script}");
        assert_eq!(conn.run("GET k"), *r#""v""#);
        // Nobody asks for what they left but time.
        wait_until(|| lua_memory(&server) < lua + 10 * MIB);
    }
    wait_until(|| server.rss() < resident + 40 * MIB);
}

/// The limit is there without being asked for.
#[test]
fn ten_gigabytes_are_too_much_for_a_script() {
    if is_reference() {
        return;
    }
    let server = Server::start(&[]);
    let mut conn = server.connect();
    let resident = server.rss();
    for script in [
        "return #string.rep(string.rep('x', 1024 * 1024), 10 * 1024)",
        "local all = {} for n = 1, 1e10 do all[n] = string.rep('x', 1e7) .. n end",
    ] {
        let reply = conn.cmd(&["EVAL", script, "0"]);
        assert!(matches!(reply, Value::Error(_)), "{script}: {reply}");
        assert_eq!(conn.run("SET k v"), *"OK");
    }
    wait_until(|| server.rss() < resident + 100 * MIB);
}

/// Half of what a script does must not be what the file has.
#[test]
fn a_signal_waits_for_the_end_of_a_script() {
    if is_reference() {
        return;
    }
    let mut server = Server::start(&[&THRESHOLD[..], &["--save", "3600 1"]].concat());
    let _slow = slow_script(&server, "redis.call('set', 'a', 1) local n = 0 while n < 3e7 do n = n + 1 end redis.call('set', 'b', 2)");
    server.signal("TERM");
    assert_eq!(server.wait(), Some(0), "{}", server.log());
    server.restart();
    assert_eq!(server.ask("MGET a b"), *r#"["1", "2"]"#);
}

#[test]
fn the_link_to_the_primary_stays_up_while_a_replica_runs_a_script() {
    if is_reference() {
        return;
    }
    const TIMEOUTS: [&str; 4] = ["--repl-timeout", "2", "--repl-ping-replica-period", "1"];
    let primary = Server::start(&TIMEOUTS);
    let replica = replica_of(&primary, &program(), &[&THRESHOLD[..], &TIMEOUTS].concat());
    let library =
        "#!lua name=l\nredis.register_function{function_name='loop', callback=function() while true do end end, flags={'no-writes'}}";
    assert_eq!(primary.connect().cmd(&["FUNCTION", "LOAD", library]), *r#""l""#);
    wait_until(|| replica.ask("FUNCTION LIST").items().len() == 1);
    let mut slow = replica.connect();
    slow.send_cmd(&["FCALL_RO", "loop", "0"]);
    wait_until(|| replica.ask("PING").to_string().starts_with("-BUSY"));
    wait_until(|| replica.ask("FUNCTION STATS").get("running_script").get("duration_ms").int() > 5000);
    assert_eq!(primary.info("connected_slaves"), "1");
    assert_eq!(replica.ask("FUNCTION KILL"), *"OK");
    assert_starts(&slow.recv(), "-ERR ");
    assert_eq!([primary.number::<u64>("sync_full"), primary.number("sync_partial_ok")], [1, 0]);
}

/// What a script writes is logged when it has ended: an eviction of that may not be logged before.
#[test]
fn no_key_is_evicted_beside_a_script() {
    let primary = Server::start(&[&THRESHOLD[..], &["--maxmemory-policy", "allkeys-random"]].concat());
    let replica = replica_of(&primary, &program(), &[]);
    for i in 0..50 {
        primary.ask(&format!("SET small:{i} x"));
    }
    let limit = primary.number::<u64>("used_memory") + MIB;
    primary.ask(&format!("CONFIG SET maxmemory {limit}"));
    // More than there is room for, whatever else goes.
    let mut slow =
        slow_script(&primary, "redis.call('SET', 'large', string.rep('x', 4 * 1024 * 1024)) for i = 1, 1e9 do end return 'done'");
    // Nor for one who asks for memory meanwhile.
    for line in ["SET other x", "EVAL 'return 1' 0"] {
        assert_starts(&primary.ask(line), "-BUSY");
    }
    assert_eq!(slow.recv(), *"\"done\"");
    wait_until(|| primary.ask("EXISTS large") == *"0");
    primary.ask("SET last x");
    wait_until(|| replica.ask("EXISTS last") == *"1" || primary.ask("EXISTS last") == *"0");
    wait_until(|| replica.ask("DBSIZE") == primary.ask("DBSIZE"));
    assert_eq!(replica.ask("EXISTS large"), *"0");
}
