//! EVAL and SCRIPT: what stands around the interpreter. What Lua itself does is tested beside it.

mod common;
use common::*;

#[test]
fn scripts_are_given_keys_and_arguments() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        EVAL "return 1" 0                                   -> 1
        EVAL "return {KEYS[1],KEYS[2],ARGV[1],#KEYS,#ARGV}" 2 a b c -> ["a", "b", "c", 2, 1]
        EVAL "return ARGV" 0 x y                            -> ["x", "y"]
        EVAL "return 1" x                                   -> -ERR value is not an integer or out of range
        EVAL "return 1" -1                                  -> -ERR Number of keys can't be negative
        EVAL "return 1" 2 a                                 -> -ERR Number of keys can't be greater than number of args
        EVAL "return 1"                                     -> -ERR wrong number of arguments for 'eval' command
        EVAL                                                -> -ERR wrong number of arguments for 'eval' command
        EVAL_RO "return redis.call('GET',KEYS[1])" 1 k      -> nil
        EVAL_RO "return redis.call('SET',KEYS[1],'v')" 1 k  ~> *
        GET k                                               -> nil
        "#,
    );
}

#[test]
fn scripts_are_known_by_their_hash() {
    let server = Server::start(&[]);
    server.ask("SCRIPT FLUSH");
    server.spec(
        r#"
        EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0  -> -NOSCRIPT No matching script. Please use EVAL.
        EVALSHA short 0                                     -> -NOSCRIPT No matching script. Please use EVAL.
        EVALSHA short x                                     -> -NOSCRIPT No matching script. Please use EVAL.
        EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db x  -> -ERR value is not an integer or out of range
        SCRIPT LOAD "return 1"                              -> "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"
        EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0  -> 1
        EVALSHA E0E1F9FABFC9D4800C877A703B823AC0578FF8DB 0  -> 1
        EVALSHA_RO e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0 -> 1
        SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db nosuch -> [1, 0]
        SCRIPT FLUSH                                        -> OK
        SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db -> [0]
        EVAL "return 2" 0                                   -> 2
        SCRIPT EXISTS 7f923f79fe76194c868d7e1d0820de36700eb649 -> [1]
        SCRIPT FLUSH ASYNC                                  -> OK
        SCRIPT FLUSH SYNC                                   -> OK
        SCRIPT FLUSH NOW                                    -> -ERR SCRIPT FLUSH only support SYNC|ASYNC option
        SCRIPT FLUSH SYNC ASYNC                             -> -ERR SCRIPT FLUSH only support SYNC|ASYNC option
        SCRIPT EXISTS                                       -> -ERR wrong number of arguments for 'script|exists' command
        SCRIPT LOAD                                         -> -ERR wrong number of arguments for 'script|load' command
        SCRIPT                                              -> -ERR wrong number of arguments for 'script' command
        SCRIPT BOGUS                                        -> -ERR unknown subcommand 'BOGUS'. Try SCRIPT HELP.
        SCRIPT DEBUG MAYBE                                  -> -ERR Use SCRIPT DEBUG YES/SYNC/NO
        SCRIPT DEBUG NO                                     -> OK
        SCRIPT KILL                                         -> -NOTBUSY No scripts in execution right now.
        "#,
    );
}

#[test]
fn what_a_script_may_call() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        EVAL "return redis.call('SET',KEYS[1],ARGV[1])" 1 k v   -> OK
        EVAL "return redis.call('GET',KEYS[1])" 1 k             -> "v"
        EVAL "return redis.pcall('NOSUCH')['err']" 0            -> "ERR Unknown Redis command called from script"
        EVAL "return redis.pcall('GET')['err']" 0               -> "ERR Wrong number of args calling Redis command from script"
        EVAL "return redis.pcall('MULTI')['err']" 0             -> "ERR This Redis command is not allowed from script"
        EVAL "return redis.pcall('EVAL','return 1','0')['err']" 0 -> "ERR This Redis command is not allowed from script"
        EVAL "return redis.pcall('SUBSCRIBE','c')['err']" 0     -> "ERR This Redis command is not allowed from script"
        EVAL "return redis.pcall('CLIENT','REPLY','OFF')['err']" 0 -> "ERR This Redis command is not allowed from script"
        EVAL "return redis.pcall('CONFIG','GET','save')['err']" 0 -> "ERR This Redis command is not allowed from script"
        EVAL "return redis.pcall('WATCH','k')['err']" 0         -> "ERR This Redis command is not allowed from script"
        EVAL "return redis.pcall('INCR',KEYS[1])['err']" 1 k    -> "ERR value is not an integer or out of range"
        EVAL "return redis.pcall('LPUSH',KEYS[1],'x')['err']" 1 k -> "WRONGTYPE Operation against a key holding the wrong kind of value"
        EVAL "redis.call('INCR',KEYS[1])" 1 k                   ~> *
        EVAL "return redis.call('CLIENT','ID') > 0" 0           ~> *
        EVAL "return redis.call('PUBLISH','c','m')" 0           -> 0
        "#,
    );
}

#[test]
fn a_database_is_selected_for_the_script_alone() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        SELECT 1                                                -> OK
        EVAL "redis.call('SET','k','one'); redis.call('SELECT','2'); return redis.call('SET','k','two')" 0 -> OK
        GET k                                                   -> "one"
        SELECT 2                                                -> OK
        GET k                                                   -> "two"
        "#,
    );
}

#[test]
fn commands_that_wait_have_waited_in_vain() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        EVAL "return redis.call('BLPOP','l','0')" 0             -> nil
        EVAL "return redis.call('BRPOPLPUSH','l','m','0')" 0    -> nil
        EVAL "return redis.call('BLMPOP','0','1','l','LEFT')" 0 -> nil
        EVAL "return redis.call('BZPOPMIN','z','0')" 0          -> nil
        RPUSH l a                                               -> 1
        EVAL "return redis.call('BLPOP','l','0')" 0             -> ["l", "a"]
        "#,
    );
}

#[test]
fn a_client_that_waits_is_served_behind_a_script() {
    let server = Server::start(&[]);
    let mut waiting = server.wait_in("BLPOP l 0");
    // Pushed and popped within the script, it was never there for others.
    server.ask("EVAL \"redis.call('RPUSH','l','a'); return redis.call('LPOP','l')\" 0");
    server.ask("EVAL \"return redis.call('RPUSH','l','b')\" 0");
    assert_eq!(waiting.recv().to_string(), r#"["l", "b"]"#);
}

#[test]
fn scripts_in_transactions_and_beside_watched_keys() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        MULTI                                                   -> OK
        SET a 1                                                 -> QUEUED
        EVAL "return redis.call('INCR','a')" 0                  -> QUEUED
        EVAL "return redis.call('NOSUCH')" 0                    -> QUEUED
        GET a                                                   -> QUEUED
        EXEC                                                    ~> *
        GET a                                                   -> "2"
        WATCH a                                                 -> OK
        EVAL "return redis.call('INCR','a')" 0                  -> 3
        MULTI                                                   -> OK
        GET a                                                   -> QUEUED
        EXEC                                                    -> nil[]
        WATCH a                                                 -> OK
        EVAL "return redis.call('GET','a')" 0                   -> "3"
        MULTI                                                   -> OK
        GET a                                                   -> QUEUED
        EXEC                                                    -> ["3"]
        "#,
    );
}

#[test]
fn the_line_of_flags() {
    let server = Server::start(&[]);
    server.spec(
        r##"
        EVAL "#!lua\nreturn 1" 0                                -> 1
        EVAL "#!lua flags=no-writes\nreturn redis.call('GET','k')" 0 -> nil
        EVAL "#!lua flags=no-writes\nreturn redis.pcall('SET','k','v')['err']" 0 -> "ERR Write commands are not allowed from read-only scripts."
        EVAL "#!lua flags=no-writes,allow-stale\nreturn 1" 0    -> 1
        EVAL "#!lua flags=bogus\nreturn 1" 0                    -> -ERR Unexpected flag in script shebang: bogus
        EVAL "#!lua bogus\nreturn 1" 0                          -> -ERR Unknown lua shebang option: bogus
        EVAL "#!ruby\nreturn 1" 0                               -> -ERR Unexpected engine in script shebang: #!ruby
        EVAL "#!lua" 0                                          -> -ERR Invalid script shebang
        EVAL_RO "#!lua\nreturn 1" 0                             -> -ERR Can not execute a script with write flag using *_ro command.
        EVAL_RO "#!lua flags=no-writes\nreturn 1" 0             -> 1
        "##,
    );
}

#[test]
fn keys_of_scripts_are_found() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        COMMAND GETKEYS EVAL "return 1" 2 a b c                 -> ["a", "b"]
        COMMAND GETKEYS EVAL "return 1" 0                       -> []
        COMMAND GETKEYS FCALL f 1 a b                           -> ["a"]
        COMMAND GETKEYSANDFLAGS EVAL_RO "return 1" 1 a          -> [["a", [RO, access]]]
        COMMAND INFO EVAL                                       -> [["eval", -3, [noscript, stale, skip_monitor, no_mandatory_keys, movablekeys], 0, 0, 0, [@slow, @scripting], [], [["notes", "We cannot tell how the keys will be used so we assume the worst, RW and UPDATE", "flags", [RW, access, update], "begin_search", ["type", "index", "spec", ["index", 2]], "find_keys", ["type", "keynum", "spec", ["keynumidx", 0, "firstkey", 1, "keystep", 1]]]], []]]
        COMMAND INFO EVAL_RO                                    -> [["eval_ro", -3, [readonly, noscript, stale, skip_monitor, no_mandatory_keys, movablekeys], 0, 0, 0, [@slow, @scripting], [], [["notes", "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS", "flags", [RO, access], "begin_search", ["type", "index", "spec", ["index", 2]], "find_keys", ["type", "keynum", "spec", ["keynumidx", 0, "firstkey", 1, "keystep", 1]]]], []]]
        COMMAND INFO EVALSHA                                    -> [["evalsha", -3, [noscript, stale, skip_monitor, no_mandatory_keys, movablekeys], 0, 0, 0, [@slow, @scripting], [], [["flags", [RW, access, update], "begin_search", ["type", "index", "spec", ["index", 2]], "find_keys", ["type", "keynum", "spec", ["keynumidx", 0, "firstkey", 1, "keystep", 1]]]], []]]
        COMMAND INFO FCALL_RO                                   -> [["fcall_ro", -3, [readonly, noscript, stale, skip_monitor, no_mandatory_keys, movablekeys], 0, 0, 0, [@slow, @scripting], [], [["notes", "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS", "flags", [RO, access], "begin_search", ["type", "index", "spec", ["index", 2]], "find_keys", ["type", "keynum", "spec", ["keynumidx", 0, "firstkey", 1, "keystep", 1]]]], []]]
        COMMAND INFO SCRIPT|KILL                                -> [["script|kill", 2, [noscript, allow_busy], 0, 0, 0, [@slow, @scripting], ["request_policy:all_shards", "response_policy:one_succeeded"], [], []]]
        COMMAND INFO SCRIPT|LOAD                                -> [["script|load", 3, [noscript, stale], 0, 0, 0, [@slow, @scripting], ["request_policy:all_nodes", "response_policy:all_succeeded"], [], []]]
        COMMAND INFO FUNCTION|LOAD                              -> [["function|load", -3, [write, denyoom, noscript], 0, 0, 0, [@write, @slow, @scripting], ["request_policy:all_shards", "response_policy:all_succeeded"], [], []]]
        COMMAND INFO FUNCTION|STATS                             -> [["function|stats", 2, [noscript, allow_busy], 0, 0, 0, [@slow, @scripting], ["nondeterministic_output", "request_policy:all_shards", "response_policy:special"], [], []]]
        "#,
    );
}

#[test]
fn what_a_script_calls_is_counted() {
    let server = Server::start(&[]);
    server.ask("CONFIG RESETSTAT");
    server.ask("EVAL \"redis.call('SET','k','v'); redis.call('GET','k'); return redis.pcall('INCR','k')\" 0");
    let count = |command: &str| server.info(&format!("cmdstat_{command}"));
    assert!(count("set").starts_with("calls=1,") && count("get").starts_with("calls=1,"));
    assert!(count("incr").ends_with("rejected_calls=0,failed_calls=1"), "{}", count("incr"));
    assert_eq!(server.info("errorstat_ERR"), "count=1", "once, though it was returned too");
    server.ask("EVAL \"return redis.pcall('NOSUCH') and redis.pcall('SET')\" 0");
    assert!(count("set").contains("rejected_calls=1,"), "{}", count("set"));
}

#[test]
fn monitors_see_the_script_and_what_it_calls() {
    let server = Server::start(&[]);
    let mut monitor = server.connect();
    monitor.run("MONITOR");
    server.ask("EVAL \"return redis.call('SET',KEYS[1],ARGV[1])\" 1 k v");
    let lines = [monitor.recv().to_string(), monitor.recv().to_string()];
    assert!(lines[0].contains("\"EVAL\" "), "{lines:?}");
    assert!(lines[1].contains("[0 lua] \"SET\" \"k\" \"v\""), "{lines:?}");
    // Those too that come to nothing.
    for line in [
        "EVALSHA 0123456789012345678901234567890123456789 0",
        "EVAL \"return\" -1",
        "EVAL \"if\" 0",
        "EVAL_RO \"#!lua flags=x\\n\" 0",
        "FCALL none 0",
    ] {
        assert!(server.ask(line).to_string().starts_with('-'));
        let told = monitor.recv().to_string();
        assert!(told.contains(line.split(' ').next().unwrap()), "{told}");
    }
}

#[test]
fn users_are_held_to_their_rules_in_scripts() {
    let server = Server::start(&[]);
    server.ask("ACL SETUSER bob on nopass ~a* +@all -set");
    server.spec(
        r#"
        AUTH bob x                                              -> OK
        EVAL "return redis.call('GET','a')" 0                   -> nil
        EVAL "return redis.pcall('SET','a','v')['err']" 0       ~> *
        EVAL "return redis.pcall('GET','b')['err']" 0           ~> *
        EVAL "return redis.call('GET','a')" 1 b                 ~> -NOPERM*
        ACL LOG 1                                               ~> *toplevel*
        "#,
    );
}

#[test]
fn a_script_that_loops_is_killed() {
    let server = Server::start(&["--busy-reply-threshold", "10"]);
    let mut slow = server.connect();
    slow.send_cmd(&["EVAL", "while true do end", "0"]);
    wait_until(|| server.ask("PING").to_string().contains("BUSY"));
    let mut other = server.connect();
    assert!(
        other.run("GET k").to_string().contains("BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.")
    );
    assert!(other.run("FUNCTION KILL").to_string().contains("BUSY"), "it is no function");
    assert_eq!(other.run("MULTI").to_string(), "OK");
    assert!(other.run("GET k").to_string().contains("BUSY"));
    assert!(other.run("EXEC").to_string().contains("EXECABORT"));
    assert_eq!(other.run("SCRIPT KILL").to_string(), "OK");
    assert!(slow.recv().to_string().contains("Script killed by user with SCRIPT KILL"));
    assert_eq!(server.ask("PING").to_string(), "PONG");
    assert!(server.ask("SCRIPT KILL").to_string().contains("NOTBUSY"));
}

#[test]
fn a_script_that_has_written_is_not_killed() {
    let mut server = Server::start(&["--busy-reply-threshold", "10"]);
    let mut slow = server.connect();
    slow.send_cmd(&["EVAL", "redis.call('SET','k','v') while true do end", "0"]);
    wait_until(|| server.ask("PING").to_string().contains("BUSY"));
    assert!(server.ask("SCRIPT KILL").to_string().contains("UNKILLABLE"));
    let mut other = server.connect();
    other.send_cmd(&["SHUTDOWN", "NOSAVE"]);
    assert_eq!(server.wait(), Some(0));
}

#[test]
fn a_slow_script_goes_on_without_its_client() {
    let server = Server::start(&["--busy-reply-threshold", "10"]);
    let mut slow = server.connect();
    slow.send_cmd(&["EVAL", "local from = os.clock() while os.clock() < from + 0.2 do end return redis.call('SET','k','v')", "0"]);
    wait_until(|| server.ask("PING").to_string().contains("BUSY"));
    drop(slow);
    wait_until(|| server.ask("PING").to_string() == "PONG");
    assert_eq!(server.ask("GET k").to_string(), r#""v""#);
}

#[test]
fn a_transaction_goes_on_behind_a_slow_script() {
    let server = Server::start(&["--busy-reply-threshold", "10"]);
    let mut conn = server.connect();
    conn.run("MULTI");
    conn.run("SET a 1");
    conn.cmd(&["EVAL", "local from = os.clock() while os.clock() < from + 0.1 do end return redis.call('INCR','a')", "0"]);
    conn.run("INCR a");
    assert_eq!(conn.run("EXEC").to_string(), "[OK, 2, 3]");
    assert_eq!(conn.run("GET a").to_string(), r#""3""#);
}

#[test]
fn what_a_script_does_to_its_lists_no_other_sees() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    let shown = "local function show(list)
            local all = {}
            for k, v in pairs(list) do all[#all + 1] = tostring(k) .. '=' .. tostring(v) end
            return table.concat(all, ' ') .. ' ' .. #list .. ' ' .. tostring(getmetatable(list)) .. ' ' .. tostring(list.left) .. ' ' .. tostring(list[9])
        end
        return show(KEYS) .. ', ' .. show(ARGV)";
    let left = "left".repeat(10_000);
    for script in [
        "return 1",
        "KEYS[2] = 'left'",
        "KEYS.left = 'left'",
        "KEYS[1], ARGV[1] = nil, nil",
        "KEYS[1] = {KEYS, ARGV} ARGV[#ARGV] = KEYS",
        "setmetatable(KEYS, {__index = function() return 'left' end})",
        "setmetatable(ARGV, {__index = KEYS, __newindex = function() error('left') end})",
        "table.insert(ARGV, 'left') table.remove(KEYS)",
        "for i = 1, 100 do KEYS[i] = 'left' end",
        "for i = 1, 100 do KEYS[i] = 'left' end for i = 1, 100 do KEYS[i] = nil end",
        "for i = -3, 9 do ARGV[i] = 'left' end",
        "coroutine.wrap(function() ARGV.left = coroutine.running() coroutine.yield() end)()",
        "KEYS.left = 1 error('left')",
        "return redis.call('NOSUCH', KEYS[1], table.remove(ARGV))",
        "return {KEYS, ARGV}",
    ] {
        for (keys, args) in [(1, 2), (0, 0), (3, 1), (2, 20), (1, 0)] {
            let names: Vec<String> = (1..=keys + args).map(|i| format!("v{i}")).collect();
            let count = keys.to_string();
            conn.cmd(&["EVAL", script, "2", "k1", &left, "a1", "a2", &left]);
            conn.cmd(&["EVAL", script, "1", "k1", "a1"]);
            let mut call = vec!["EVAL", shown, &count];
            call.extend(names.iter().map(String::as_str));
            let list = |from: usize, len: usize| {
                let all: Vec<_> = (1..=len).map(|i| format!("{i}=v{}", from + i)).collect();
                format!("{} {len} nil nil {}", all.join(" "), if len < 9 { "nil".into() } else { format!("v{}", from + 9) })
            };
            assert_eq!(conn.cmd(&call).text(), format!("{}, {}", list(0, keys), list(keys, args)), "{script}");
        }
    }
}

#[test]
fn a_script_does_not_load_all_data_anew() {
    if is_reference() {
        return;
    }
    let server = Server::start(&["--enable-debug-command", "yes", "--save", ""]);
    let mut conn = server.connect();
    assert_eq!(conn.run("DEBUG SET-DISABLE-DENY-SCRIPTS 1"), *"OK");
    conn.cmd(&["FUNCTION", "LOAD", "#!lua name=l\nredis.register_function('f', function() return 1 end)"]);
    for subcommand in ["RELOAD", "LOADAOF"] {
        let told = conn.run(&format!("EVAL \"return redis.call('DEBUG', '{subcommand}')\" 0")).to_string();
        assert!(told.contains("not allowed from script"), "{told}");
    }
    assert_eq!(conn.run("FCALL f 0"), *"1");
}
