//! The tools that come with Redis, as people use them: redis-cli in its modes, and redis-benchmark.

mod common;
use common::*;

use std::process::Command;

#[test]
fn redis_cli_answers_and_quits() {
    let server = Server::start(&[]);
    let cli = |args: &[&str]| redis_cli(&server, args);
    assert_eq!(cli(&["PING"]), "PONG\n");
    assert_eq!(cli(&["SET", "a", "1"]), "OK\n");
    assert_eq!(cli(&["--no-raw", "GET", "a"]), "\"1\"\n");
    assert_eq!(cli(&["--no-raw", "GET", "absent"]), "(nil)\n");
    assert_eq!(cli(&["-r", "3", "INCR", "a"]), "2\n3\n4\n");
    assert_eq!(cli(&["-n", "5", "DBSIZE"]), "0\n");
    assert_eq!(cli(&["--csv", "MGET", "a", "absent"]), "\"4\",NULL\n");
    assert_eq!(cli(&["-3", "--json", "MGET", "a", "absent"]), "[\"4\",null]\n");
    assert_eq!(cli(&["-3", "--no-raw", "CONFIG", "GET", "maxmemory"]), "1# \"maxmemory\" => \"0\"\n");
    let hello = cli(&["-3", "HELLO"]);
    assert!(hello.contains("proto 3\n"), "{hello}");
    assert_eq!(redis_cli_with_input(&server, &["-x", "SET", "b"], b"from\nstdin"), "OK\n");
    assert_eq!(cli(&["GET", "b"]), "from\nstdin\n");
    assert_eq!(cli(&["-u", &format!("redis://127.0.0.1:{}/5", server.port), "DBSIZE"]), "0\n");
    assert!(cli(&["NOSUCH"]).starts_with("ERR unknown command 'NOSUCH'"));
    assert!(cli(&["INFO", "server"]).contains("redis_version:7."));
    assert!(cli(&["CLIENT", "LIST"]).contains("cmd=client|list"));
}

#[test]
fn redis_cli_in_conversation() {
    let server = Server::start(&["--requirepass", "secret"]);
    let lines = b"PING\nAUTH secret\nSET a \"b c\"\nGET a\nSELECT 3\nMULTI\nINCR n\nEXEC\nHELLO 3\nDBSIZE\nHELP GET\nquit\n";
    let text = redis_cli_with_input(&server, &[], lines);
    assert!(text.starts_with("NOAUTH Authentication required.\n\nOK\nOK\nb c\nOK\nOK\nQUEUED\n1\n"), "{text}");
    // On a terminal it asks the server for all its commands first, and shows where it is.
    let command = format!("redis-cli -p {} --pass secret --no-auth-warning", server.port);
    let mut terminal = Command::new("script");
    terminal.args(["-qec", &command, "/dev/null"]).env("TERM", "dumb");
    let output = run_with_input(&mut terminal, b"SELECT 3\nGET n\nquit\n");
    assert!(output.stdout.contains("\"1\"\r\n"), "{output:?}");
    assert!(output.stdout.contains("[3]> "), "{output:?}");
}

#[test]
fn redis_cli_pipe() {
    let server = Server::start(&[]);
    let mut commands = Vec::new();
    for i in 0..20_000 {
        commands.extend(Conn::encode(&["SET", &format!("key:{i}"), "some value"]));
    }
    let text = redis_cli_with_input(&server, &["--pipe"], &commands);
    assert!(text.contains("errors: 0, replies: 20000"), "{text}");
    assert_eq!(server.ask("DBSIZE"), *"20000");
    let mixed = b"SET a 1\r\nNOSUCH\r\nINCR a\r\n";
    let mut pipe = Command::new("redis-cli");
    pipe.args(["-p", &server.port.to_string(), "--pipe"]);
    let output = run_with_input(&mut pipe, mixed);
    assert!(output.stdout.contains("errors: 1, replies: 3"), "{output:?}");
}

#[test]
fn redis_cli_looks_through_the_keys() {
    // From the start: the marks of another policy would be read as frequencies, whatever they are.
    let server = Server::start(&["--maxmemory-policy", "allkeys-lfu"]);
    let mut conn = server.connect();
    for i in 0..3000 {
        conn.cmd(&["SET", &format!("user:{i}"), &"x".repeat(i % 50 + 1)]);
    }
    conn.cmd(&["SET", "biggest", &"x".repeat(5000)]);
    let scanned = redis_cli(&server, &["--scan", "--pattern", "user:*"]);
    assert_eq!(scanned.lines().count(), 3000);
    let big = redis_cli(&server, &["--bigkeys"]);
    assert!(big.contains("Sampled 3001 keys in the keyspace!"), "{big}");
    assert!(big.contains("Biggest string found '\"biggest\"' has 5000 bytes"), "{big}");
    let heavy = redis_cli(&server, &["--memkeys"]);
    assert!(heavy.contains("Sampled 3001 keys in the keyspace!"), "{heavy}");
    assert!(heavy.contains("Biggest string found '\"biggest\"' has "), "{heavy}");
    for _ in 0..100 {
        conn.run("GET user:7");
    }
    let hot = redis_cli(&server, &["--hotkeys"]);
    assert!(hot.contains("hot key found with counter:"), "{hot}");
    assert!(hot.contains("user:7"), "{hot}");
}

#[test]
fn redis_cli_runs_scripts() {
    let server = Server::start(&[]);
    let cli = |args: &[&str]| redis_cli(&server, args);
    let script = server.dir.join("script.lua");
    std::fs::write(&script, "redis.call('SET', KEYS[1], ARGV[1])\nreturn {#KEYS, ARGV[2], redis.call('GET', KEYS[1])}\n").unwrap();
    let path = script.to_str().unwrap();
    assert_eq!(cli(&["--eval", path, "k", "k2", ",", "v", "w x"]), "2\nw x\nv\n");
    assert_eq!(cli(&["--no-raw", "EVAL", "return {1, {ok = 'fine'}, {false}}", "0"]), "1) (integer) 1\n2) fine\n3) 1) (nil)\n");
    assert_eq!(cli(&["-3", "--json", "EVAL", "redis.setresp(3) return {map = {a = 1.5}}", "0"]), "{\"a\":1}\n");
    assert_eq!(redis_cli_with_input(&server, &["-x", "SCRIPT", "LOAD"], b"return 1"), "e0e1f9fabfc9d4800c877a703b823ac0578ff8db\n");
    assert_eq!(cli(&["EVALSHA", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "0"]), "1\n");
    std::fs::write(&script, "return redis.call('NOSUCH')").unwrap();
    assert!(cli(&["--eval", path]).contains("ERR Unknown Redis command called from script script: "));
}

/// By a payload, and by a file of nothing but functions.
#[test]
fn redis_cli_takes_functions_elsewhere() {
    let code = b"#!lua name=lib\nredis.register_function('double', function(_, args) return 2 * args[1] end)";
    let source = Server::start(&[]);
    source.ask("SET not function");
    assert_eq!(redis_cli_with_input(&source, &["-x", "FUNCTION", "LOAD"], code), "lib\n");
    assert_eq!(redis_cli(&source, &["FCALL", "double", "0", "21"]), "42\n");

    let by_payload = Server::start(&[]);
    let [from, to] = [&source, &by_payload].map(|server| format!("redis-cli -p {}", server.port));
    let output = run(Command::new("sh").args(["-c", &format!("{from} -D '' FUNCTION DUMP | {to} -x FUNCTION RESTORE")]));
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), "OK\n"), "{output:?}");
    assert_eq!(redis_cli(&by_payload, &["FCALL", "double", "0", "4"]), "8\n");

    let file = by_payload.dir.join("functions.rdb");
    let text = redis_cli(&source, &["--functions-rdb", file.to_str().unwrap()]);
    assert!(text.contains("Transfer finished with success"), "{text}");
    for program in [program(), "redis-server".into()] {
        let by_file = Server::prepared(&program, &[], |dir| _ = std::fs::copy(&file, dir.join("dump.rdb")).unwrap());
        assert_eq!(redis_cli(&by_file, &["FCALL", "double", "0", "5"]), "10\n");
        assert_eq!(redis_cli(&by_file, &["DBSIZE"]), "0\n");
    }
}

#[test]
fn redis_cli_watches() {
    let server = Server::start(&[]);
    let port = server.port.to_string();
    let latency = redis_cli(&server, &["--latency", "--raw", "-i", "1"]);
    let figures: Vec<f64> = latency.split_whitespace().map(|f| f.parse().unwrap()).collect();
    assert_eq!(figures.len(), 4, "min, max, average, count: {latency}");
    assert!(figures[3] > 10.0, "{latency}");
    // These go on for ever.
    for (mode, sign) in [("--stat", "keys       mem      clients"), ("MONITOR", "OK")] {
        let command = format!("timeout 1 redis-cli -p {port} -i 0.2 {mode}");
        let mut bounded = Command::new("script"); // a terminal: it shows each line at once
        bounded.args(["-qec", &command, "/dev/null"]);
        let output = run(&mut bounded);
        assert_eq!(output.code, Some(124), "{output:?}");
        assert!(output.stdout.contains(sign), "{output:?}");
        assert!(output.stdout.lines().count() >= 1, "{output:?}");
    }
}

#[test]
fn redis_benchmark_ends_without_an_error() {
    let server = Server::start(&[]);
    for options in
        ["-n 5000", "-n 20000 -P 16", "-n 5000 -c 200", "-n 5000 -k 0 -c 20", "-n 5000 -d 4096 -r 1000", "-n 5000 --threads 2 -c 10"]
    {
        let mut command = Command::new("redis-benchmark");
        command.args(["-p", &server.port.to_string(), "-q", "-t", "ping,set,get,incr,mset"]);
        command.args(options.split(' '));
        let output = run(&mut command);
        assert_eq!(output.code, Some(0), "{options}: {output:?}");
        let text = output.stdout.replace('\r', "\n") + &output.stderr;
        for test in ["PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "MSET (10 keys)"] {
            let done = |line: &&str| line.starts_with(&format!("{test}: ")) && line.contains("requests per second");
            assert_eq!(text.lines().filter(done).count(), 1, "{options}, {test}: {text}");
        }
        for sign in ["rror", "ERR", "WARNING: Could not"] {
            assert!(!text.contains(sign), "{options}: {text}");
        }
    }
}

#[test]
fn redis_benchmark_runs_scripts() {
    let server = Server::start(&[]);
    server.connect().cmd(&[
        "FUNCTION",
        "LOAD",
        "#!lua name=l\nredis.register_function('f', function(keys) return redis.call('INCR', keys[1]) end)",
    ]);
    let script = "return redis.call('INCR', KEYS[1])";
    for command in [["eval", script, "1", "evals"], ["fcall", "f", "1", "fcalls"]] {
        for options in ["-n 5000", "-n 5000 -P 16 -c 10"] {
            let mut benchmark = Command::new("redis-benchmark");
            let output = run(benchmark.args(["-p", &server.port.to_string(), "-q"]).args(options.split(' ')).args(command));
            assert_eq!(output.code, Some(0), "{options}: {output:?}");
            assert!(output.stdout.contains("requests per second") && !output.stdout.contains("rror"), "{output:?}");
        }
    }
    // As many as it had sent.
    for key in ["evals", "fcalls"] {
        assert!(server.ask(&format!("GET {key}")).text().parse::<u64>().unwrap() >= 10_000);
    }
}
