//! The machine, with a closure in the engine's place.

use super::*;
use crate::resp::output::Protocol;

/// Runs a script to its end; `answer` is given each command's words joined by spaces, and answers RESP.
fn eval_with(scripting: &mut Scripting, body: &str, args: [&[&[u8]]; 2], answer: &mut dyn FnMut(&str) -> Vec<u8>) -> String {
    let function = match scripting.load(body.as_bytes(), Origin::Eval) {
        Ok(function) => function,
        Err(text) => return String::from_utf8(text).unwrap(),
    };
    let [keys, argv] = args.map(OwnedArgs::new);
    let facts = RunFacts { name: std::rc::Rc::from(*b"sha"), is_function: false, nanos: 0 };
    scripting.begin(function, keys.args(), argv.args(), facts);
    let mut asked = scripting.resume(Answer::Begin);
    let mut interrupts = 0;
    loop {
        asked = match asked {
            Asked::Call => {
                let words: Vec<_> = scripting.call_args().iter().map(String::from_utf8_lossy).collect();
                let reply = answer(&words.join(" "));
                scripting.resume(Answer::Reply(&reply))
            }
            Asked::AclCheck => scripting.resume(Answer::Bool(true)),
            // A large block of memory brings the hook early.
            Asked::Interrupted if interrupts < 1000 => {
                interrupts += 1;
                scripting.resume(Answer::Go)
            }
            Asked::Interrupted => scripting.resume(Answer::Kill("ERR Script killed by user with SCRIPT KILL")),
            Asked::Prompt | Asked::Log { .. } | Asked::Propagate(_) | Asked::SetResp(_) => scripting.resume(Answer::Go),
            Asked::Finished { .. } => break,
        };
    }
    let mut out = Output::new(Protocol::Resp2);
    scripting.write_result(&mut out);
    String::from_utf8(out.take_all()).unwrap()
}

fn eval(body: &str) -> String {
    eval_with(&mut Scripting::default(), body, [&[], &[]], &mut |_| b"+OK\r\n".to_vec())
}

#[test]
fn values_of_lua_become_replies() {
    for (body, reply) in [
        ("return 1", ":1\r\n"),
        ("return 3.99", ":3\r\n"),
        ("return 'a'", "$1\r\na\r\n"),
        ("return true", ":1\r\n"),
        ("return false", "$-1\r\n"),
        ("return nil", "$-1\r\n"),
        ("return {1, 'a', {2}, nil, 4}", "*3\r\n:1\r\n$1\r\na\r\n*1\r\n:2\r\n"),
        ("return {ok='fine'}", "+fine\r\n"),
        ("return {err='MY error'}", "-MY error\r\n"),
        ("return redis.error_reply('text')", "-ERR text\r\n"),
        ("return redis.error_reply('CODE text')", "-CODE text\r\n"),
        ("return redis.status_reply('S')", "+S\r\n"),
        ("return redis.sha1hex('')", "$40\r\nda39a3ee5e6b4b0d3255bfef95601890afd80709\r\n"),
        ("return server.call('PING')", "+OK\r\n"),
    ] {
        assert_eq!(eval(body), reply, "{body}");
    }
}

#[test]
fn a_script_finds_its_keys_and_arguments_and_is_answered() {
    let mut asked = Vec::new();
    let reply = eval_with(
        &mut Scripting::default(),
        "return {redis.call('SET', KEYS[1], ARGV[1], 12, 1.5), redis.call('GET', KEYS[1])}",
        [&[b"k"], &[b"v"]],
        &mut |command| {
            asked.push(command.to_string());
            if command.starts_with("SET") { b"+OK\r\n".to_vec() } else { b"$1\r\nv\r\n".to_vec() }
        },
    );
    assert_eq!(asked, ["SET k v 12 1.5", "GET k"]);
    assert_eq!(reply, "*2\r\n+OK\r\n$1\r\nv\r\n");
}

#[test]
fn errors_say_where_they_were_raised() {
    assert_eq!(
        eval("return nothere"),
        "-ERR user_script:1: Script attempted to access nonexistent global variable 'nothere' script: sha, on @user_script:1.\r\n"
    );
    assert_eq!(eval("\nerror('x')"), "-ERR user_script:2: x script: sha, on @user_script:2.\r\n");
    assert_eq!(
        eval("return redis.call()"),
        "-ERR Please specify at least one argument for this redis lib call script: sha, on @user_script:1.\r\n"
    );
    assert!(eval("return +").starts_with("ERR Error compiling script (new function): user_script:1: "));
}

#[test]
fn an_error_of_a_command_ends_the_script_or_is_a_table() {
    let mut fail = |_: &str| b"-WRONGTYPE no\r\n".to_vec();
    let mut s = Scripting::default();
    let reply = eval_with(&mut s, "return redis.call('X')", [&[], &[]], &mut fail);
    assert_eq!(reply, "-WRONGTYPE no script: sha, on @user_script:1.\r\n");
    let reply = eval_with(&mut s, "return redis.pcall('X')", [&[], &[]], &mut fail);
    assert_eq!(reply, "-WRONGTYPE no\r\n");
    let reply = eval_with(&mut s, "local ok, e = pcall(redis.call, 'X') return {tostring(ok), e}", [&[], &[]], &mut fail);
    assert_eq!(reply, "*2\r\n$5\r\nfalse\r\n$12\r\nWRONGTYPE no\r\n");
}

#[test]
fn globals_and_libraries_cannot_be_changed() {
    for body in [
        "x = 1",
        "_G.x = 1",
        "redis.call = 1",
        "string.rep = 1",
        "rawset(_G, 'x', 1)",
        "rawset(redis, 'x', 1)",
        "setmetatable(_G, {})",
        "table.insert(_G, 1)",
        "table.sort(string)",
        "getmetatable('').__index = 1",
        "function f() end",
    ] {
        assert!(eval(body).contains("Attempt to modify a readonly table"), "{body}: {}", eval(body));
    }
    assert_eq!(eval("return getmetatable(redis)"), "$-1\r\n");
    assert_eq!(eval("local n = 0 for k in pairs(redis) do n = n + 1 end return n > 10"), ":1\r\n");
}

#[test]
fn a_script_that_is_to_end_ends_whatever_it_catches() {
    let killed = "-ERR Script killed by user with SCRIPT KILL script: sha, on @user_script:1.\r\n";
    assert_eq!(eval("while true do end"), killed);
    assert_eq!(eval("while true do pcall(function() while true do end end) end"), killed);
    let mut s = Scripting::default();
    eval_with(&mut s, "while true do end", [&[], &[]], &mut |_| Vec::new());
    assert_eq!(eval_with(&mut s, "return 1", [&[], &[]], &mut |_| Vec::new()), ":1\r\n");
}

#[test]
fn memory_without_end_is_an_error_and_comes_back() {
    let mut s = Scripting::default();
    s.set_memory_limit(8 << 20);
    let reply = eval_with(&mut s, "local s = 'x' while true do s = s .. s end", [&[], &[]], &mut |_| Vec::new());
    assert!(reply.contains("not enough memory"), "{reply}");
    assert_eq!(eval_with(&mut s, "collectgarbage() return 1", [&[], &[]], &mut |_| Vec::new()), ":1\r\n");
    assert!(s.lua_bytes() < 4 << 20, "{}", s.lua_bytes());
}

#[test]
fn byte_code_is_not_loaded() {
    assert!(eval("\u{1b}Lua").starts_with("ERR Error compiling script (new function): "));
    assert_eq!(eval("return {tostring(loadstring('\\27Lua'))}"), "*1\r\n$3\r\nnil\r\n");
    assert_eq!(eval("return {tostring(loadstring(string.dump(function() end)))}"), "*1\r\n$3\r\nnil\r\n");
}

#[test]
fn a_suspended_script_can_be_given_up() {
    let mut s = Scripting::default();
    let function = s.load(b"redis.call('X')", Origin::Eval).unwrap();
    let none = OwnedArgs::default();
    s.begin(function, none.args(), none.args(), RunFacts { name: Default::default(), is_function: false, nanos: 0 });
    assert_eq!(s.resume(Answer::Begin), Asked::Call);
    s.abandon();
}

#[test]
fn scripts_are_found_by_text_and_by_sha() {
    let mut s = Scripting::default();
    let first = s.load(b"return 1", Origin::Load).unwrap();
    assert_eq!(s.load(b"return 1", Origin::Eval).unwrap(), first);
    assert_eq!(s.find(b"E0E1F9FABFC9D4800C877A703B823AC0578FF8DB"), Some(first));
    for i in 0..600 {
        s.load(format!("return {i} + 1").as_bytes(), Origin::Eval).unwrap();
    }
    assert_eq!((s.script_count(), s.evicted_scripts()), (501, 100));
    assert_eq!(s.find(b"e0e1f9fabfc9d4800c877a703b823ac0578ff8db"), Some(first));
    s.flush_scripts();
    assert_eq!(s.script_count(), 0);
}

#[test]
fn a_library_registers_functions_and_nothing_else() {
    let mut s = Scripting::default();
    let code = b"#!lua name=lib\nredis.register_function('f', function(keys, argv) return {keys[1], argv[1]} end)
        redis.register_function{function_name='g', callback=function() return 1 end, flags={'no-writes'}, description='d'}";
    let library = s.load_library(code, &mut || false).unwrap();
    assert_eq!((&*library.name, library.functions.len()), (&b"lib"[..], 2));
    assert!(library.functions[1].flags.no_writes);
    let (keys, argv) = (OwnedArgs::new(&[b"k"]), OwnedArgs::new(&[b"a"]));
    s.begin(
        library.functions[0].function,
        keys.args(),
        argv.args(),
        RunFacts { name: std::rc::Rc::from(*b"f"), is_function: true, nanos: 0 },
    );
    assert_eq!(s.resume(Answer::Begin), Asked::Finished { failed: false });
    let mut out = Output::new(Protocol::Resp2);
    s.write_result(&mut out);
    assert_eq!(out.take_all(), b"*2\r\n$1\r\nk\r\n$1\r\na\r\n");

    let mut error = |code: &str| String::from_utf8(s.load_library(code.as_bytes(), &mut || true).err().unwrap()).unwrap();
    assert_eq!(error("return 1"), "ERR Missing library metadata");
    assert_eq!(error("#!lua name=x\nreturn 1"), "ERR No functions registered");
    assert!(error("#!lua name=x\nwhile true do end").ends_with("FUNCTION LOAD timeout"));
    assert!(error("#!lua name=x\nredis.call('PING')").contains("attempted to access nonexistent global variable 'call'"));
}

#[test]
fn what_many_strings_have_taken_is_given_back() {
    let mut s = Scripting::default();
    for strings in [100, 20_000, 200_000] {
        eval_with(&mut s, "return 1", [&[], &[]], &mut |_| Vec::new());
        eval_with(&mut s, &format!("local t = {{}} for i = 1, {strings} do t[i] = 'x' .. i end"), [&[], &[]], &mut |_| Vec::new());
        s.flush_scripts();
        while s.has_garbage() {
            s.collect(&mut || true);
        }
        // Scripts that make no garbage would not do it.
        assert!(s.lua_bytes() < 64 * 1024, "{strings}: {}", s.lua_bytes());
    }
}
