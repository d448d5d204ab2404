//! The step debugger: sessions are what redis-server's are, byte for byte, and nobody else is harmed by one.

mod common;
use common::*;

use solod::data::rng::Rng;
use std::path::Path;

/// A script with its keys and arguments, and what its user says.
struct Case(&'static str, &'static [&'static str], &'static [&'static str]);

/// What redis-server 7.0 survives. (An error that is a table, as every error of a command is, ends it under `eval`.)
const CASES: &[Case] = &[
    Case("return 1", &["0"], &["s"]),
    Case("return 1", &["0"], &["continue"]),
    Case("", &["0"], &["c"]),
    Case("\n\nreturn 1\n\r\n\n", &["0"], &["w", "l 9", "l 1 0", "c"]),
    Case("#!lua flags=no-writes\nlocal a = 1\nreturn redis.call('set', 'a', 'b')", &["0"], &["w", "n", "n", "n"]),
    Case("return {1, 'a', {ok='fine'}, {1, {2}}, 3.7, false}", &["0"], &["n"]),
    Case("return ((", &["0"], &[]),
    Case("return 1", &["x"], &[]),
    Case("return 1", &["2", "a"], &[]),
    Case("#!lua flags=none\nreturn 1", &["0"], &[]),
    Case(
        "redis.call('set','a','b')
local e=redis.pcall('lpush','a','b')
local r=redis.pcall('nosuch')
local x=redis.error_reply('FOO bar')
local x=redis.error_reply('-FOO bar')
local y=redis.status_reply('OK')
redis.pcall({})
redis.pcall()
redis.debug(1,'a',nil,true,{1,2,{a=1}},1.5,1e20,0/0,-0.1,1e-7,123456789)
redis.debug()
local b=redis.breakpoint()
local z=1
redis.call('mget','a','b','c','d','e','f','g','h','i','j','k','l')
pcall(redis.sha1hex)
pcall(redis.setresp, 4)
pcall(redis.log, 1)
redis.call('lpush','a','x')
return z",
        &["1", "a"],
        &[
            "s", "s", "s", "s", "s", "s", "s", "s", "s", "s", "c", "p", "p e", "p x", "p KEYS", "p ARGV", "p nope", "p a b", "s", "s", "s",
            "s", "s", "s", "s",
        ],
    ),
    Case(
        "local function f(a)
 local q=a
 return q
end
local t={}
for i=1,3 do
 t[i]=f(i)
end
local big=string.rep('x',1000)
return t

",
        &["2", "k1", "k2", "a1"],
        &[
            "b",
            "b 2",
            "b 2 3",
            "b",
            "l",
            "l 1",
            "l 4 1",
            "w",
            "b 99",
            "b x",
            "b -9",
            "b -3",
            "b 1 2 x 0",
            "b 2",
            "c",
            "t",
            "p",
            "p a",
            "p t",
            "p q",
            "n",
            "b 0",
            "b 9",
            "c",
            "s",
            "p big",
            "m",
            "m 10",
            "p big",
            "m -4",
            "m 0",
            "p big",
            "m x",
            "M 100",
            "p big",
            "maxlen 1 2",
            "p KEYS",
            "p ARGV",
            "e 1+1",
            "e t",
            "e return 5",
            "e local x=1",
            "e error('x')",
            "e {1,2,{3,a=4}}",
            "e redis.call('get','a')",
            "e nil..1",
            "e x = 1",
            "e",
            "e 'a' 'b'",
            "e (",
            "e KEYS[1], 2",
            "e #ARGV",
            "e redis.breakpoint()",
            "r",
            "r get a",
            "r nosuch",
            "r get",
            "r set k v",
            "r lpush k v",
            "r eval x 0",
            "r mget k nope",
            "r command count x",
            "foo",
            "help x",
            "HELP",
            "l a b",
            "list 0 0",
            "list -1",
            "list 3 -1",
            "whole x",
            "STEP",
        ],
    ),
    Case("local a=1\nlocal b=a.x.y\nreturn 1", &["0"], &["s", "s"]),
    Case("local a = 1\nerror({err='FOO bar'})", &["0"], &["s", "p", "s"]),
    Case("local a = 1\nerror('text')", &["0"], &["s", "a"]),
    Case("return redis.call('nosuch')", &["0"], &["s"]),
    Case("return redis.call('lpush', KEYS[1], 'a') + nil", &["1", "list"], &["c"]),
    Case(
        "local a={}
a.a=a
local s='q\"\\\\\\n\\r\\t\\a\\b\\0\\200'
local f=function() end
local t={[1]=1,[3]=3}
local u={[true]=1}
local c=coroutine.create(f)
return 1",
        &["0"],
        &["b 8", "c", "p", "m 0", "p a", "p s", "p t", "p u", "s"],
    ),
    Case("local a = {}\nfor i = 1, 100 do a[i] = i * 1.5 end\nreturn #a", &["0"], &["b 3", "c", "p", "p a", "p", "c"]),
    Case(
        "local co = coroutine.wrap(function(a)
  local b = a + 1
  coroutine.yield(b)
  return redis.call('incr', 'n')
end)
local x = co(1)
local y = co()
return {x, y}",
        &["0"],
        &["s", "s", "p", "t", "s", "s", "s", "s", "t", "s", "p", "s"],
    ),
    Case(
        "local function down(n)
  if n == 0 then
    return redis.breakpoint()
  end
  return (down(n - 1))
end
return down(3)",
        &["0"],
        &["c", "t", "p", "s", "s", "s", "c"],
    ),
    Case("pcall(function()\n error('x')\nend)\nlocal ok, e = pcall(redis.call, 'nosuch')\nreturn 1", &["0"], &["s", "s", "s", "p", "s"]),
    Case(
        "redis.setresp(3)
local a=redis.call('hgetall','h')
return {1,2}",
        &["0"],
        &[
            "r hset h a 1",
            "s",
            "r hgetall h",
            "r smembers x",
            "r zadd z 1.5 m",
            "r zscore z m",
            "r get nope",
            "r zrange z 0 -1 withscores",
            "s",
            "p",
            "c",
        ],
    ),
    Case("while redis.call('incr', 'n') < 5 do end\nreturn 1", &["0"], &["s", "s", "b 2", "c", "c"]),
    Case("local a = loadstring('local b = 1 return b')\nlocal c = a()\nreturn c", &["0"], &["s", "s", "p c", "s"]),
    Case("#!lua\n\nlocal a = KEYS[1]\nreturn a", &["1", "key"], &["l", "p KEYS", "s", "t", "c"]),
    Case("local a = 'a\\r\\nb'\nreturn redis.call('set', a, a)", &["0"], &["s", "p", "s"]),
];

/// Where a function or a coroutine lies is different each time.
fn without_addresses(text: &str) -> String {
    let mut parts = text.split("@0x");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + "@" + part.trim_start_matches(|c: char| c.is_ascii_hexdigit()))
}

fn is_end(reply: &Value) -> bool {
    matches!(reply, Value::Array(lines) if lines.last().is_some_and(|line| *line == *"<endsession>"))
}

/// A client whose next script is debugged.
#[track_caller]
fn debugger(server: &Server, mode: &str) -> Conn {
    let mut conn = server.connect();
    assert_eq!(conn.cmd(&["SCRIPT", "DEBUG", mode]), *"OK");
    conn
}

fn eval(script: &str, args: &[&str]) -> Vec<u8> {
    Conn::encode(&[&["EVAL", script], args].concat())
}

/// A session that has stopped at its script's first line.
#[track_caller]
fn session(server: &Server, mode: &str, script: &str) -> Conn {
    let mut conn = debugger(server, mode);
    conn.send(&eval(script, &["0"]));
    assert!(conn.recv().to_string().starts_with("[* Stopped at "));
    conn
}

/// The end of a session: the script's result.
#[track_caller]
fn result(conn: &mut Conn) -> String {
    let lines = conn.recv();
    assert!(is_end(&lines), "{lines}");
    let result = conn.recv().to_string();
    assert!(conn.closed());
    result
}

fn say(conn: &mut Conn, command: &str) -> Value {
    conn.cmd(&command.split(' ').collect::<Vec<_>>())
}

/// All that a client gets to see.
fn transcript(server: &Server, mode: &str, Case(script, args, commands): &Case) -> Vec<String> {
    let mut conn = debugger(server, mode);
    let mut seen = Vec::new();
    let mut commands = commands.iter();
    conn.send(&eval(script, args));
    loop {
        let reply = conn.recv();
        seen.push(without_addresses(&reply.to_string()));
        if is_end(&reply) {
            seen.push(conn.recv().to_string());
            assert!(conn.closed());
            return seen;
        }
        let command = commands.next().unwrap_or(&"c");
        conn.send_cmd(&command.split(' ').collect::<Vec<_>>());
        seen.push(format!("> {command}"));
    }
}

#[test]
fn sessions_are_those_of_redis() {
    let ours = Server::start(&[]);
    let redis = Server::redis(&[]);
    for mode in ["yes", "SYNC"] {
        for case in CASES {
            [&ours, &redis].iter().for_each(|server| drop(server.ask("FLUSHALL")));
            let [ours_seen, seen] = [&ours, &redis].map(|server| transcript(server, mode, case));
            assert_eq!(ours_seen, seen, "{mode}: {}", case.0);
            let [left, wanted] = [&ours, &redis].map(|server| {
                let mut conn = server.connect();
                let keys = conn.run("KEYS *").sorted();
                let values: Vec<_> = keys.iter().map(|key| conn.cmd(&["DUMP", key]).text().len()).collect();
                (keys, values.len())
            });
            assert_eq!(left, wanted, "{mode}: {}", case.0);
        }
    }
}

/// What comes of commands around sessions.
#[test]
fn script_debug_is_a_setting_of_its_client() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    replies!(conn,
        "SCRIPT DEBUG maybe" => "-ERR Use SCRIPT DEBUG YES/SYNC/NO",
        "SCRIPT DEBUG" => "-ERR wrong number of arguments for 'script|debug' command",
        "SCRIPT DEBUG yes x" => "-ERR wrong number of arguments for 'script|debug' command",
        "SCRIPT DEBUG sync" => "OK",
        "EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0" => "-ERR Please use EVAL instead of EVALSHA for debugging",
        "EVALSHA x 0" => "-NOSCRIPT No matching script. Please use EVAL.",
        "EVALSHA_RO e0e1f9fabfc9d4800c877a703b823ac0578ff8db x" => "-ERR Please use EVAL instead of EVALSHA for debugging",
        "FCALL f 0" => "-ERR Function not found",
        "SCRIPT DEBUG no" => "OK",
        "EVAL 'return 1' 0" => "1",
        "EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0" => "1",
        "MULTI" => "OK", "SCRIPT DEBUG yes" => "QUEUED",
        "EXEC" => "[-ERR SCRIPT DEBUG must be called outside a pipeline]",
        "EVAL 'return 1' 0" => "1",
    );
    let refused = server.ask(r#"EVAL "return redis.call('script', 'debug', 'yes')" 0"#).to_string();
    assert!(refused.starts_with("-ERR This Redis command is not allowed from script"), "{refused}");
    // Replies that are on their way would be mixed with what is shown.
    for mode in ["YES", "NO", "x"] {
        conn.send(&[Conn::encode(&["PING"]), Conn::encode(&["SCRIPT", "DEBUG", mode])].concat());
        assert_eq!(conn.recv(), *"PONG");
        assert_eq!(conn.recv(), *"-ERR SCRIPT DEBUG must be called outside a pipeline");
    }
    // RESET does not end it, as in Redis.
    replies!(conn, "SCRIPT DEBUG sync" => "OK", "RESET" => "RESET");
    conn.send(&eval("return 1", &["0"]));
    assert_eq!(conn.recv(), *"[* Stopped at 1, stop reason = step over, -> 1   return 1]");
    assert_eq!(say(&mut conn, "c"), *"[<endsession>]");
    assert_eq!(conn.recv(), *"1");
    assert!(conn.closed());
    // EVAL_RO is debugged, a function is not.
    server.connect().cmd(&["FUNCTION", "LOAD", "#!lua name=l\nredis.register_function('f', function() return redis.breakpoint() end)"]);
    let mut conn = debugger(&server, "yes");
    assert_eq!(conn.run("FCALL f 0"), *"nil");
    conn.send(&Conn::encode(&["EVAL_RO", "return redis.pcall('set', 'a', 'b')", "0"]));
    assert_eq!(conn.recv(), *"[* Stopped at 1, stop reason = step over, -> 1   return redis.pcall('set', 'a', 'b')]");
    assert!(say(&mut conn, "s").to_string().contains("<error> Write commands are not allowed from read-only scripts."));
    assert!(conn.recv().to_string().starts_with("-ERR Write commands are not allowed from read-only scripts."));
}

#[test]
fn a_transaction_is_not_debugged() {
    if is_reference() {
        return;
    }
    let server = Server::start(&[]);
    let mut conn = debugger(&server, "sync");
    replies!(conn,
        "MULTI" => "OK", "SET a b" => "QUEUED", "EVAL 'return 1' 0" => "QUEUED",
        "EXEC" => "[OK, -ERR Scripts cannot be debugged inside a transaction]",
        "GET a" => r#""b""#,
    );
}

#[test]
fn lines_are_shown_whatever_the_client_has_said_of_replies() {
    let server = Server::start(&[]);
    let mut conn = debugger(&server, "sync");
    conn.send(&[Conn::encode(&["CLIENT", "REPLY", "OFF"]), eval("return 1", &["0"])].concat());
    assert_eq!(conn.recv(), *"[* Stopped at 1, stop reason = step over, -> 1   return 1]");
    assert_eq!(say(&mut conn, "s"), *"[<endsession>]");
    assert!(conn.closed());
}

#[test]
fn redis_cli_shows_the_same() {
    let ours = Server::start(&[]);
    let redis = Server::redis(&[]);
    let script = "local a = redis.call('set', KEYS[1], ARGV[1])\nlocal b = redis.call('get', KEYS[1])\nredis.breakpoint()\nfor i = 1, 2 do\n  \
                  redis.call('incr', 'n')\nend\nreturn {b, 7}\n";
    let file = ours.dir.join("script.lua");
    std::fs::write(&file, script).expect("a file");
    let file = file.to_str().expect("a path");
    for (mode, input) in [
        ("--ldb", "help\nstep\np\nlist\nc\nr get n\ne 1+1\nb 5\nc\nb\nc\nc\nget k\nget n\n"),
        ("--ldb-sync-mode", "c\nc\nget n\n"),
        ("--ldb", "s\nabort\nget k\n"),
        ("--ldb", "s\nrestart\ns\nquit\n"),
        ("--ldb-sync-mode", "s\nquit\n"),
        ("--ldb", "s\n"),
        ("--ldb", "c\nc\neval 'return 5' 0\n"),
        ("--ldb", "e {1,2,x\ntrace\nmaxlen\nw\nc\nc\n"),
    ] {
        let args = [mode, "--eval", file, "key", ",", "value"];
        let [ours, wanted] = [&ours, &redis].map(|server| redis_cli_with_input(server, &args, input.as_bytes()));
        assert!(wanted.contains("* Stopped at 1"), "{wanted}");
        assert_eq!(ours, wanted, "{mode} {input:?}");
    }
    // It knows of sessions that are begun by hand, too.
    let by_hand = "SCRIPT DEBUG sync\nEVAL \"return 5\" 0\ns\nPING\n";
    let [ours, wanted] = [&ours, &redis].map(|server| redis_cli_with_input(server, &[], by_hand.as_bytes()));
    assert_eq!(ours, wanted);
}

#[test]
fn commands_are_the_same_in_any_pieces() {
    let server = Server::start(&[]);
    let case = &CASES[11];
    let wanted = transcript(&server, "yes", case);
    let wanted: Vec<_> = wanted.iter().filter(|line| !line.starts_with("> ")).collect();
    let commands = case.2.iter().map(|command| Conn::encode(&command.split(' ').collect::<Vec<_>>()));
    let bytes = [eval(case.0, case.1)].into_iter().chain(commands).collect::<Vec<_>>().concat();
    let mut rng = Rng::new(7);
    for round in 0..20 {
        let mut conn = debugger(&server, "yes");
        // At first all at once, then in ever smaller pieces.
        let most = 1 + bytes.len() / (1 + round * round) as usize;
        let mut left = &bytes[..];
        while !left.is_empty() {
            let (piece, rest) = left.split_at((1 + rng.below(most as u64) as usize).min(left.len()));
            conn.send(piece);
            left = rest;
        }
        let seen: Vec<_> = wanted.iter().map(|_| without_addresses(&conn.recv().to_string())).collect();
        assert!(seen.iter().zip(&wanted).all(|(seen, wanted)| seen == *wanted), "{seen:#?}");
        assert!(conn.closed());
    }
}

#[test]
fn what_is_no_command_ends_the_session() {
    let server = Server::start(&[]);
    let end = "-ERR protocol error script: e0e1f9fabfc9d4800c877a703b823ac0578ff8db, on @user_script:1.";
    for input in [
        "step\r\n",
        "\r\n",
        "*0\r\n",
        "*-1\r\n",
        "*2000\r\n",
        "*1\r\n$0\r\n\r\n",
        "*1\r\n$2000\r\n",
        "*1\r\n$4\r\nhelpxx",
        "*1\r\n:1\r\n",
        "*x\r\n",
    ] {
        let mut conn = session(&server, "sync", "return 1");
        conn.send(input.as_bytes());
        assert_eq!(result(&mut conn), end, "{input:?}");
    }
    // What could become one is waited for, up to a point.
    let mut conn = session(&server, "sync", "return 1");
    let _ = conn.try_send(&[b'*'; 1100 * 1024]);
    let lines = conn.recv();
    assert!(is_end(&lines), "{lines}");
    assert_eq!(conn.recv().to_string(), end.replace("protocol error", "max client buffer reached"));
    // The largest command that there may be.
    let mut conn = session(&server, "sync", "return 1");
    let word = "x".repeat(1000);
    conn.send_cmd(&[&["r", "del"][..], &[&*word; 1000]].concat());
    assert!(conn.recv().to_string().contains("... (990 more), <reply> 0"));
    assert_eq!(say(&mut conn, "c"), *"[<endsession>]");
    // A huge argument behind the command that begins the session.
    let mut conn = debugger(&server, "sync");
    let _ = conn.try_send(&[eval("return 1", &["0"]), Conn::encode(&["x".repeat(3 << 20)])].concat());
    assert!(conn.recv().to_string().starts_with("[* Stopped at 1"));
    let lines = conn.recv();
    assert!(is_end(&lines), "{lines}");
    const SOME: &[u8] = b"*$\r\n123cpsbrlex \0\xff";
    let mut rng = Rng::new(3);
    for _ in 0..100 {
        wait_until(|| server.ask("PING") == *"PONG");
        let mut conn = session(&server, "yes", "for i = 1, 100 do redis.call('incr', 'n') end");
        let some: Vec<u8> = (0..rng.below(100)).map(|_| SOME[rng.below(SOME.len() as u64) as usize]).collect();
        conn.send(&some);
    }
    wait_until(|| server.ask("GET n") == *"nil");
}

#[test]
fn a_script_that_goes_on_for_long_stops() {
    let server = Server::start(&["--busy-reply-threshold", "50"]);
    let mut conn = session(&server, "yes", "local a = 1\nwhile true do end");
    assert_eq!(say(&mut conn, "c"), *"[* Stopped at 2, stop reason = timeout reached, infinite loop?, -> 2   while true do end]");
    assert_eq!(say(&mut conn, "p"), *"[<value> a = 1]");
    assert_eq!(say(&mut conn, "c"), *"[* Stopped at 2, stop reason = timeout reached, infinite loop?, -> 2   while true do end]");
    assert_eq!(say(&mut conn, "s"), *"[* Stopped at 2, stop reason = step over, -> 2   while true do end]");
    assert_eq!(say(&mut conn, "a"), *"[<endsession>]");
    assert!(conn.recv().to_string().starts_with("-ERR script aborted for user request script: "));
    // One that nobody looks at any more ends.
    for mode in ["yes", "sync"] {
        drop(session(&server, mode, "while true do end"));
        wait_until(|| server.ask("PING") == *"PONG");
    }
}

#[test]
fn others_are_told_that_the_server_is_busy_and_may_end_the_session() {
    if is_reference() {
        return;
    }
    let server = Server::start(&[]);
    let busy = "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
    let killed = "-ERR Error running script: Script killed by user with SCRIPT KILL. script: ";
    let script = "redis.call('set', 'a', 'b')\nreturn redis.call('get', 'a')";
    let mut early = server.connect();
    for mode in ["yes", "sync"] {
        let mut conn = session(&server, mode, script);
        for line in ["PING", "GET a", "SET a c", "EVAL 'return 1' 0", "SCRIPT DEBUG yes", "INFO", "CLIENT KILL ID 1", "SHUTDOWN"] {
            assert_eq!(early.run(line), *busy, "{mode} {line}");
        }
        assert_eq!(server.connect().run("HELLO 2").get("proto").int(), 2);
        assert_eq!(early.run("SCRIPT KILL"), *"OK");
        assert!(result(&mut conn).starts_with(killed));
        assert_eq!(early.run("GET a"), *"nil");
    }
    // One that has written is only killed if that is undone.
    let mut conn = session(&server, "yes", script);
    assert!(say(&mut conn, "s").to_string().contains(r#"<reply> "+OK""#));
    assert_eq!(early.run("SCRIPT KILL"), *"OK");
    assert!(result(&mut conn).starts_with(killed));
    assert_eq!(early.run("GET a"), *"nil");
    let mut conn = session(&server, "sync", script);
    say(&mut conn, "s");
    assert!(early.run("SCRIPT KILL").to_string().starts_with("-UNKILLABLE"));
    assert_eq!(say(&mut conn, "c"), *"[<endsession>]");
    assert_eq!(early.run("GET a"), *r#""b""#);
    // What the user says runs beside the loop as well.
    for code in ["while true do end", "while true do pcall(redis.call, 'PING') end", "string.rep('x', 1e9):find(('a?'):rep(100))"] {
        let mut conn = session(&server, "sync", "return pcall(function() end)");
        conn.send_cmd(&["e", code]);
        wait_until(|| early.run("PING") == *busy);
        assert_eq!(early.run("SCRIPT KILL"), *"OK");
        wait_until(|| early.run("PING") == *"PONG");
        drop(conn);
    }
}

#[test]
fn what_the_user_runs_is_no_way_out_of_the_interpreter() {
    let server = Server::start(&[]);
    let code = server.connect().cmd(&["EVAL", "return string.dump(function() return 1 end)", "0"]);
    let Value::Bulk(code) = code else { panic!("{code}") };
    let mut conn = session(&server, "yes", "local a = 1\nreturn a");
    let reply = conn.cmd(&[&b"e"[..], &code]).to_string();
    assert!(reply.starts_with("[<error> ldb_eval:1: "), "{reply}");
    for code in ["redis.x = 1", "string.rep = nil", "x = 1", "setmetatable(_G, nil)", "getmetatable(_G).__index = nil"] {
        let reply = conn.cmd(&["e", code]).to_string();
        assert!(reply.starts_with("[<error> "), "{code}: {reply}");
    }
    // Errors of commands end redis-server 7.0 here.
    if !is_reference() {
        assert_eq!(say(&mut conn, "e redis.call('nosuch')"), *"[<error> ERR Unknown Redis command called from script]");
        assert_eq!(say(&mut conn, "e error({})"), *"[<error> (null)]");
        // Each with many tables in it.
        assert_eq!(say(&mut conn, "m 0"), *"[<value> replies are unlimited.]");
        let wide = "(function() local t = {} for i = 1, 9 do t = {t, t, t, t, t, t, t, t, t, t} end return t end)()";
        assert!(conn.cmd(&["e", wide]).to_string().len() < 20 << 20);
        let deep = "(function() local t = {} for i = 1, 1e5 do t = {t} end return t end)()";
        assert!(conn.cmd(&["e", deep]).to_string().contains("<max recursion level reached! Nested table?>"));
    }
    assert_eq!(say(&mut conn, "c"), *"[<endsession>]");
    assert!(server.ask("EVAL 'return tostring(x)' 0").to_string().contains("nonexistent global variable"));
}

#[test]
fn what_is_shown_at_once_is_bounded() {
    if is_reference() {
        return;
    }
    let server = Server::start(&[]);
    let mut conn = session(&server, "sync", "local t = string.rep('x', 1e6)\nfor i = 1, 100 do redis.debug(t) end\nreturn 1");
    conn.send_cmd(&["c"]);
    let lines = conn.recv().items();
    assert!((10..30).contains(&lines.len()), "{}", lines.len());
    assert!(lines.iter().any(|line| line.text().starts_with("<hint> ")));
    assert_eq!(conn.recv(), *"1");
}

const THREE_STEPS: &str = "redis.call('incr', 'n')\nredis.call('incr', 'n')\nredis.call('incr', 'n')\nreturn 1";

#[test]
fn a_client_may_go_at_any_moment() {
    let server = Server::start(&[]);
    for (mode, left) in [("yes", "nil"), ("sync", r#""3""#)] {
        for steps in 0..4 {
            for says_more in [false, true] {
                server.ask("DEL n");
                let mut conn = session(&server, mode, THREE_STEPS);
                for _ in 0..steps {
                    say(&mut conn, "s");
                }
                if says_more {
                    // What it has said before it went still counts.
                    conn.send(&[Conn::encode(&["p"]), Conn::encode(&["r", "set", "said", mode])[..].to_vec()].concat());
                }
                drop(conn);
                wait_until(|| !server.ask("PING").to_string().starts_with("-BUSY"));
                wait_until(|| server.ask("GET n") == *left);
            }
        }
        // Before anything has been shown.
        let mut conn = debugger(&server, mode);
        conn.send(&eval(THREE_STEPS, &["0"]));
        drop(conn);
        wait_until(|| server.ask("PING") == *"PONG");
    }
}

#[test]
fn the_process_can_end_beside_a_session() {
    if is_reference() {
        return;
    }
    let args = ["--save", "3600 1", "--appendonly", "no"];
    for (mode, step, left) in [("yes", true, r#""1""#), ("sync", true, r#""4""#), ("yes", false, r#""1""#)] {
        let mut server = Server::start(&args);
        server.ask("SET n 1");
        let mut conn = session(&server, mode, THREE_STEPS);
        if step {
            say(&mut conn, "s");
        }
        // A rehearsal is undone; a script whose changes stay is not cut in the middle.
        server.signal("TERM");
        assert_eq!(server.wait(), Some(0), "{}", server.log());
        server.restart();
        assert_eq!(server.ask("GET n"), *left, "{mode}");
    }
    let mut server = Server::start(&args);
    let _conn = session(&server, "yes", THREE_STEPS);
    server.connect().send_cmd(&["SHUTDOWN", "NOSAVE"]);
    assert_eq!(server.wait(), Some(0));
}

#[test]
fn links_stay_up_beside_a_session_and_sessions_do_not_time_out() {
    if is_reference() {
        return;
    }
    const TIMEOUTS: [&str; 6] = ["--repl-timeout", "2", "--repl-ping-replica-period", "1", "--timeout", "1"];
    let primary = Server::start(&TIMEOUTS);
    let port = primary.port.to_string();
    let replicas = [program(), "redis-server".into()].map(|program| {
        let replica = Server::of(Path::new(&program), &[&["--replicaof", "127.0.0.1", &port], &TIMEOUTS[..4]].concat());
        wait_until(|| replica.info("master_link_status") == "up");
        replica
    });
    let mut on_primary = session(&primary, "sync", THREE_STEPS);
    let mut on_replica = session(&replicas[0], "yes", "return redis.call('get', 'n')");
    // Longer than any of those.
    std::thread::sleep(std::time::Duration::from_secs(4));
    say(&mut on_primary, "s");
    assert_eq!(say(&mut on_primary, "c"), *"[<endsession>]");
    assert_eq!(primary.ask("GET n"), *r#""3""#);
    wait_until(|| replicas[1].ask("GET n") == *r#""3""#);
    assert!(say(&mut on_replica, "c").to_string().contains("<endsession>"));
    assert_eq!(on_replica.recv(), *"nil");
    wait_until(|| replicas[0].ask("GET n") == *r#""3""#);
    assert_eq!([primary.number::<u64>("sync_full"), primary.number("sync_partial_ok")], [2, 0]);
}
