//! The files of the append-only log, seen from outside: what is loaded of them and what is refused, what a rewrite leaves at each of its steps, how the log is turned on
//! and off, and that other servers of the family understand it all.

mod common;
use common::*;

use std::fs;
use std::path::Path;
use std::process::Command;

const DIR: &str = "appendonlydir";
const MANIFEST: &str = "appendonly.aof.manifest";
const BASE: &str = "appendonly.aof.1.base.aof";
const FIRST: &str = "appendonly.aof.1.incr.aof";
const SECOND: &str = "appendonly.aof.2.incr.aof";
/// Every write is on the disk before it is answered, and no rewrite begins by itself.
const ALWAYS: &[&str] = &["--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0"];
const DEBUG: &[&str] = &["--enable-debug-command", "yes"];

/// Lines as the commands that they are.
fn commands(lines: &[&str]) -> Vec<u8> {
    lines.iter().flat_map(|line| Conn::encode(&words(line))).collect()
}

/// Puts files into the directory of the log, and a manifest that names those of the usual names.
fn put(dir: &Path, files: &[(&str, &[u8])]) {
    let mut manifest = String::new();
    for (name, _) in files {
        let seq = name.trim_start_matches("appendonly.aof.").split('.').next().filter(|seq| seq.parse::<u32>().is_ok()).unwrap_or("1");
        let kind = if name.contains("incr") { "i" } else { "b" };
        manifest += &format!("file {name} seq {seq} type {kind}\n");
    }
    put_as(dir, files, &manifest);
}

/// The same with this manifest; none where it is empty.
fn put_as(dir: &Path, files: &[(&str, &[u8])], manifest: &str) {
    let log = dir.join(DIR);
    fs::create_dir_all(&log).unwrap();
    for (name, bytes) in files {
        fs::write(log.join(name), bytes).unwrap();
    }
    if !manifest.is_empty() {
        fs::write(log.join(MANIFEST), manifest).unwrap();
    }
}

/// Starts the binary under test on what `prepare` puts into its directory.
#[track_caller]
fn started_on(args: &[&str], prepare: impl FnOnce(&Path)) -> Server {
    Server::prepared(&program(), &[ALWAYS, DEBUG, args].concat(), prepare)
}

/// What a server says that does not start on this.
#[track_caller]
fn refusal(program: &Path, args: &[&str], prepare: &dyn Fn(&Path)) -> Output {
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path());
    let port = free_port();
    let output =
        run(Command::new(program).args(["--port", &port.port.to_string(), "--save", "", "--dir"]).arg(dir.path()).args(ALWAYS).args(args));
    assert_eq!(output.code, Some(1), "{output:?}");
    output
}

fn manifest(server: &Server) -> Vec<String> {
    fs::read_to_string(server.dir.join(DIR).join(MANIFEST)).unwrap().lines().map(str::to_owned).collect()
}

fn names(server: &Server) -> Vec<String> {
    let entries = fs::read_dir(server.dir.join(DIR)).into_iter().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn wait_for_rewrite(server: &Server) {
    wait_until(|| server.shows(&[("aof_rewrite_in_progress", "0"), ("aof_rewrite_scheduled", "0")]));
}

/// A value of each type, small and large, with deadlines, in several databases.
fn fill(conn: &mut Conn) {
    for db in [0, 3] {
        conn.run(&format!("SELECT {db}"));
        for i in 0..200 {
            conn.cmd(&["SET", &format!("string:{i}"), &"x".repeat(i * 5)]);
            conn.cmd(&["RPUSH", "list", &format!("element {i}")]);
            conn.cmd(&["SADD", "set", &format!("member {i}")]);
            conn.cmd(&["ZADD", "zset", &format!("{}", i as f64 / 4.0), &format!("member {i}")]);
            conn.cmd(&["HSET", "hash", &format!("field {i}"), &"v".repeat(i)]);
            conn.cmd(&["XADD", "stream", &format!("{}-1", i + 1), "field", &i.to_string()]);
        }
        for line in [
            "SADD intset 1 2 3",
            "ZADD small 1.5 a -inf b",
            "HSET packed a 1 b 2",
            "RPUSH short a b c",
            "PFADD hll a b c",
            "SETBIT bits 1000 1",
            "SET n 12345",
            "PEXPIREAT string:7 4102444800123",
            "PEXPIREAT hash 4102444800456",
            "XGROUP CREATE stream group 0",
            "XREADGROUP GROUP group consumer COUNT 5 STREAMS stream >",
            "XACK stream group 2-1",
            "GEOADD places 13.361389 38.115556 Palermo",
            "DEL string:9",
        ] {
            conn.run(line);
        }
    }
    conn.run("SELECT 0");
}

#[test]
fn a_log_that_begins_with_nothing_has_a_base_and_an_increment_and_goes_on_in_it() {
    for (preamble, format) in [("yes", "rdb"), ("no", "aof")] {
        let mut server = started_on(&["--aof-use-rdb-preamble", preamble], |_| ());
        let base = format!("appendonly.aof.1.base.{format}");
        let lines = [format!("file {base} seq 1 type b"), format!("file {FIRST} seq 1 type i")];
        assert_eq!(manifest(&server), lines);
        assert_eq!(names(&server), [base.as_str(), FIRST, MANIFEST]);
        let mut conn = server.connect();
        replies!(conn, "SET a 1" => "OK", "SELECT 5" => "OK", "INCR n" => "1");
        server.kill9();
        server.restart();
        let mut conn = server.connect();
        replies!(conn, "GET a" => "\"1\"", "SELECT 5" => "OK", "INCR n" => "2");
        server.kill9();
        server.restart();
        assert_eq!(manifest(&server), lines);
        let mut conn = server.connect();
        replies!(conn, "GET a" => "\"1\"", "SELECT 5" => "OK", "GET n" => "\"2\"");
        assert_eq!(server.info("aof_enabled"), "1");
        assert_ne!(server.info("aof_current_size"), "0");
    }
}

#[test]
fn base_and_increments_are_loaded_in_order_and_nothing_else() {
    let server = started_on(&[], |dir| {
        let files: &[(&str, &[u8])] = &[
            (BASE, &commands(&["SET a base", "SET b base", "SELECT 2", "SET c base"])),
            // Each file begins in database 0.
            (
                FIRST,
                &commands(&[
                    "SET b first",
                    "PING",
                    "REPLCONF GETACK *",
                    "CONFIG SET timeout 77",
                    "SHUTDOWN",
                    "QUIT",
                    "MULTI",
                    "APPEND a +",
                    "EXEC",
                ]),
            ),
            ("appendonly.aof.5.incr.aof", b"#TS:1628217470\r\n"),
            ("appendonly.aof.7.incr.aof", &commands(&["RPUSH l 1 2 3", "PEXPIREAT l 1000", "RPUSH l 4", "SPOP s", "BLPOP none 0"])),
        ];
        put(dir, files);
        fs::write(dir.join("dump.rdb"), "this is not looked at").unwrap();
        fs::write(dir.join(DIR).join("appendonly.aof.9.incr.aof"), "nor this").unwrap();
    });
    let mut conn = server.connect();
    replies!(conn,
        "GET a" => "\"base+\"", "GET b" => "\"first\"", "EXISTS l" => "0",
        "SELECT 2" => "OK", "GET c" => "\"base\"",
        "CONFIG GET timeout" => "[\"timeout\", \"0\"]",
    );
    assert_eq!(server.info("connected_clients"), "2", "who executes a file is no client");
    let log = server.log();
    for line in [
        "DB loaded from base file appendonly.aof.1.base.aof: ",
        "DB loaded from incr file appendonly.aof.7.incr.aof: ",
        "DB loaded from append only file: ",
        "Opening AOF incr file appendonly.aof.7.incr.aof on server start",
    ] {
        assert!(log.contains(line), "{line} in {log}");
    }
    assert!(!server.ask("INFO commandstats").text().contains("cmdstat_rpush"));
}

#[test]
fn what_cannot_be_loaded_is_refused_as_redis_refuses_it() {
    let good = commands(&["SET a 1"]);
    let torn = [commands(&["SET a 1", "MULTI", "SET b 2"]), b"*3\r\n$3\r\nSE".to_vec()].concat();
    let bad = [&good[..], b"!!!", &good].concat();
    let unknown = commands(&["SET a 1", "BLA a b", "SET a 2"]);
    let opened = commands(&["SET a 1", "MULTI", "SET b 2"]);
    type Prepare<'a> = Box<dyn Fn(&Path) + 'a>;
    let cases: Vec<(&str, Prepare<'_>, &[&str])> = vec![
        (
            "Unable to obtain the AOF file appendonly.aof.2.incr.aof length. stat: No such file or directory",
            Box::new(|dir: &Path| {
                put_as(dir, &[(FIRST, &good)], "file appendonly.aof.1.incr.aof seq 1 type i\nfile appendonly.aof.2.incr.aof seq 2 type i\n")
            }),
            &[],
        ),
        (
            "Found an empty AOF manifest",
            Box::new(|dir: &Path| {
                put(dir, &[]);
                fs::write(dir.join(DIR).join(MANIFEST), "").unwrap();
            }),
            &[],
        ),
        (
            "Reading the manifest file, at line 2",
            Box::new(|dir: &Path| put_as(dir, &[(FIRST, &good)], "file appendonly.aof.1.incr.aof seq 1 type i\nfile x seq 1\n")),
            &[],
        ),
        ("Invalid AOF manifest file format", Box::new(|dir: &Path| put_as(dir, &[(FIRST, &good)], "\n")), &["--appendonly", "no"]),
        (
            "Unable to obtain the AOF file appendonly.aof length. stat: No such file or directory",
            Box::new(|dir: &Path| put_as(dir, &[], "file appendonly.aof seq 1 type b\n")),
            &[],
        ),
        ("Fatal error: the truncated file is not the last file", Box::new(|dir: &Path| put(dir, &[(FIRST, &torn), (SECOND, &good)])), &[]),
        (
            "Unexpected end of file reading the append only file appendonly.aof.1.incr.aof. You can: 1) Make a backup of your AOF file, then use ./redis-check-aof --fix <filename.manifest>. 2) Alternatively you can set the 'aof-load-truncated' configuration option to yes and restart the server.",
            Box::new(|dir: &Path| put(dir, &[(FIRST, &torn)])),
            &["--aof-load-truncated", "no"],
        ),
        (
            "Revert incomplete MULTI/EXEC transaction in AOF file appendonly.aof.1.incr.aof",
            Box::new(|dir: &Path| put(dir, &[(FIRST, &opened)])),
            &["--aof-load-truncated", "no"],
        ),
        (
            "Bad file format reading the append only file appendonly.aof.1.incr.aof: make a backup of your AOF file, then use ./redis-check-aof --fix <filename.manifest>",
            Box::new(|dir: &Path| put(dir, &[(FIRST, &bad)])),
            &[],
        ),
        (
            "Unknown command 'BLA' reading the append only file appendonly.aof.1.incr.aof",
            Box::new(|dir: &Path| put(dir, &[(FIRST, &unknown)])),
            &[],
        ),
        (
            "Error reading the RDB base file appendonly.aof.1.base.aof, AOF loading aborted",
            Box::new(|dir: &Path| put(dir, &[(BASE, b"REDIS0011\xfa")])),
            &[],
        ),
    ];
    for (line, prepare, args) in cases {
        let output = refusal(&program(), args, &prepare);
        assert!(output.stdout.contains(line), "{line} in {}", output.stdout);
        let theirs = refusal(Path::new("redis-server"), args, &prepare);
        // What is wrong with a snapshot Redis tells in other words.
        assert!(theirs.stdout.contains(line) || line.contains("RDB"), "{line} in {}", theirs.stdout);
    }
    // Whoever looks at the last line of the log finds what is wrong.
    let output = refusal(&program(), &[], &|dir| put(dir, &[(FIRST, &bad)]));
    assert!(output.stdout.trim_end().lines().last().is_some_and(|line| line.contains("Bad file format")), "{}", output.stdout);
}

#[test]
fn a_command_of_a_file_that_fails_is_told_and_may_end_the_process() {
    let file = commands(&["SET a x", "INCR a", "SET b 1"]);
    let server = started_on(&[], |dir| put(dir, &[(FIRST, &file)]));
    replies!(server.connect(), "MGET a b" => "[\"x\", \"1\"]");
    let said = "== CRITICAL == This server is sending an error to its AOF-loading-client: 'ERR value is not an integer or out of range' after processing the command 'incr'";
    assert!(server.log().contains(said), "{}", server.log());
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), &[(FIRST, &file)]);
    let port = free_port();
    let args = ["--port", &port.port.to_string(), "--appendonly", "yes", "--propagation-error-behavior", "panic", "--dir"];
    let output = run(Command::new(program()).args(args).arg(dir.path()));
    assert_ne!(output.code, Some(0));
    assert!(
        output.stdout.contains("This server panicked sending an error to its AOF-loading-client after processing the command"),
        "{output:?}"
    );
}

#[test]
fn a_torn_end_is_cut_off_behind_the_last_whole_command_or_transaction() {
    let whole = commands(&["SET a 1", "MULTI", "INCR a", "EXEC"]);
    for torn in [
        commands(&["INCR a"])[..9].to_vec(),
        commands(&["MULTI", "INCR a", "INCR a"]),
        [commands(&["MULTI", "INCR a"]), b"*2\r\n$4".to_vec()].concat(),
        b"*".to_vec(),
        // What would be written behind it would belong to this line.
        b"#TS:16282".to_vec(),
    ] {
        let file = [&whole[..], b"#TS:1628217470\r\n", &torn].concat();
        let mut server = started_on(&[], |dir| put(dir, &[(BASE, &commands(&["SET z 1"])), (FIRST, &file)]));
        replies!(server.connect(), "GET a" => "\"2\"", "GET z" => "\"1\"");
        let log = server.log();
        for line in [
            "!!! Warning: short read while loading the AOF file appendonly.aof.1.incr.aof!!!".to_owned(),
            format!("!!! Truncating the AOF appendonly.aof.1.incr.aof at offset {} !!!", whole.len()),
            "AOF appendonly.aof.1.incr.aof loaded anyway because aof-load-truncated is enabled".to_owned(),
        ] {
            assert!(log.contains(&line), "{line} in {log}");
        }
        replies!(server.connect(), "INCR a" => "3");
        server.kill9();
        let behind = commands(&["SELECT 0", "INCR a"]);
        assert_eq!(fs::read(server.dir.join(DIR).join(FIRST)).unwrap(), [&whole[..], &behind].concat());
        server.restart();
        replies!(server.connect(), "GET a" => "\"3\"");
    }
    // What stands behind it is empty: the log goes on there.
    let mut server = started_on(&[], |dir| put(dir, &[(FIRST, &[&whole[..], b"*3\r\n"].concat()), (SECOND, b"")]));
    replies!(server.connect(), "GET a" => "\"2\"", "INCR a" => "3");
    server.kill9();
    assert_eq!(fs::read(server.dir.join(DIR).join(FIRST)).unwrap(), whole);
    assert_eq!(fs::read(server.dir.join(DIR).join(SECOND)).unwrap(), commands(&["SELECT 0", "INCR a"]));
    server.restart();
    replies!(server.connect(), "GET a" => "\"3\"");
    // A base may be the last file.
    let server = started_on(&[], |dir| put(dir, &[(BASE, &[&whole[..], b"*3\r\n"].concat())]));
    replies!(server.connect(), "GET a" => "\"2\"");
    assert_eq!(fs::read(server.dir.join(DIR).join(BASE)).unwrap(), whole);
}

#[test]
fn a_short_tail_that_is_no_command_is_cut_off_where_that_is_allowed() {
    let whole = commands(&["SET a 1"]);
    let file = [&whole[..], &[0; 100]].concat();
    let refused = refusal(&program(), &["--aof-load-corrupt-tail-max-size", "99"], &|dir| put(dir, &[(FIRST, &file)]));
    assert!(refused.stdout.contains("Bad file format reading the append only file"), "{}", refused.stdout);
    let server = started_on(&["--aof-load-corrupt-tail-max-size", "100"], |dir| put(dir, &[(FIRST, &file)]));
    replies!(server.connect(), "GET a" => "\"1\"");
    assert_eq!(fs::read(server.dir.join(DIR).join(FIRST)).unwrap(), whole);
    assert!(server.log().contains("loaded anyway because aof-load-corrupt-tail-max-size is enabled"));
}

#[test]
fn the_single_file_of_redis_6_is_taken_in_as_the_base() {
    // With a preamble: a snapshot, and commands behind it.
    let source = Server::start(&[]);
    replies!(source.connect(), "SET a 1" => "OK", "SAVE" => "OK");
    let preamble = fs::read(source.dir.join("dump.rdb")).unwrap();
    for old in [commands(&["SET a 1", "INCR a"]), [preamble, commands(&["INCR a"])].concat()] {
        let mut server = started_on(&[], |dir| fs::write(dir.join("appendonly.aof"), &old).unwrap());
        replies!(server.connect(), "INCR a" => "3");
        assert!(!server.dir.join("appendonly.aof").exists());
        assert_eq!(manifest(&server), ["file appendonly.aof seq 1 type b", &format!("file {FIRST} seq 1 type i")]);
        assert!(
            server.log().contains("Successfully migrated an old-style AOF file (appendonly.aof) into the AOF directory (appendonlydir).")
        );
        server.kill9();
        server.restart();
        replies!(server.connect(), "GET a" => "\"3\"", "BGREWRITEAOF" => "Background append only file rewriting started");
        wait_for_rewrite(&server);
        assert_eq!(names(&server), ["appendonly.aof.2.base.rdb", SECOND, MANIFEST]);
    }
    // It was interrupted: the manifest names the file, which has not been moved.
    let interrupted = |dir: &Path| {
        put_as(dir, &[], "file appendonly.aof seq 1 type b\n");
        fs::write(dir.join("appendonly.aof"), commands(&["SET a 1"])).unwrap();
    };
    let server = started_on(&[], interrupted);
    replies!(server.connect(), "GET a" => "\"1\"");
    assert!(!server.dir.join("appendonly.aof").exists());
    // It has been moved, and another one lies there.
    let server = started_on(&[], |dir| {
        interrupted(dir);
        fs::write(dir.join(DIR).join("appendonly.aof"), commands(&["SET a 2"])).unwrap();
    });
    replies!(server.connect(), "GET a" => "\"2\"");
    assert!(server.dir.join("appendonly.aof").exists());
}

#[test]
fn a_load_takes_its_time_and_says_how_far_it_is() {
    let lines: Vec<String> = (0..2000).map(|i| format!("SET key:{i} {i}")).collect();
    let (base, file) = (commands(&["SET a 1"]), commands(&lines.iter().map(String::as_str).collect::<Vec<_>>()));
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), &[(BASE, &base), (FIRST, &file)]);
    let lease = free_port();
    let address = (std::net::Ipv4Addr::LOCALHOST, lease.port);
    let mut child = Command::new(program())
        .args([
            "--port",
            &lease.port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--logfile",
            "log",
            "--key-load-delay",
            "1000",
            "--dir",
        ])
        .arg(dir.path())
        .args(ALWAYS)
        .spawn()
        .unwrap();
    wait_until(|| std::net::TcpStream::connect(address).is_ok());
    let mut conn = Conn::tcp(address);
    replies!(conn, "GET key:0" => "-LOADING Redis is loading the dataset in memory");
    let info = conn.run("INFO persistence").text();
    assert!(info.contains("loading:1\r\n"), "{info}");
    assert!(info.contains(&format!("loading_total_bytes:{}\r\n", base.len() + file.len())), "{info}");
    replies!(conn,
        "CONFIG SET appendonly no" => "-LOADING Redis is loading the dataset in memory",
        "CONFIG SET key-load-delay 0" => "OK",
    );
    wait_until(|| conn.run("GET key:1999").to_string() == "\"1999\"");
    replies!(conn, "DBSIZE" => "2001");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_rewrite_makes_a_base_of_the_moment_and_leaves_nothing_behind() {
    for preamble in ["yes", "no"] {
        let mut server = started_on(&["--aof-use-rdb-preamble", preamble], |_| ());
        let mut conn = server.connect();
        fill(&mut conn);
        for round in 2..4 {
            replies!(conn, "BGREWRITEAOF" => "Background append only file rewriting started", "INCR during" => &(round - 1).to_string());
            wait_for_rewrite(&server);
            let base = format!("appendonly.aof.{round}.base.{}", if preamble == "yes" { "rdb" } else { "aof" });
            let increment = format!("appendonly.aof.{round}.incr.aof");
            assert_eq!(manifest(&server), [format!("file {base} seq {round} type b"), format!("file {increment} seq {round} type i")]);
            assert_eq!(names(&server), [base, increment, MANIFEST.to_owned()]);
            assert_eq!(server.info("aof_last_bgrewrite_status"), "ok");
        }
        assert_eq!(server.info("aof_rewrites"), "2");
        replies!(conn, "SET behind 1" => "OK");
        let digest = conn.run("DEBUG DIGEST").text();
        replies!(conn, "DEBUG LOADAOF" => "OK");
        assert_eq!(conn.run("DEBUG DIGEST").text(), digest);
        assert_eq!(server.info("rdb_changes_since_last_save"), "0");
        // What an RDB file has brought is nobody's write.
        replies!(conn, "DEBUG RELOAD" => "OK", "MULTI" => "OK", "DEBUG LOADAOF" => "QUEUED");
        assert!(conn.run("EXEC").items()[0].text().starts_with("ERR DEBUG LOADAOF is not possible inside a transaction"));
        server.kill9();
        server.restart();
        assert_eq!(server.ask("DEBUG DIGEST").text(), digest);
    }
}

#[test]
fn each_step_of_a_rewrite_can_be_the_last() {
    let (base, first) = (commands(&["SET a 1", "SET b 1"]), commands(&["INCR a"]));
    let rewritten = commands(&["SET a 2", "SET b 1"]);
    let second = commands(&["SELECT 0", "INCR b"]);
    let old = format!("file {BASE} seq 1 type b\nfile {FIRST} seq 1 type i\n");
    let cut = format!("{old}file {SECOND} seq 2 type i\n");
    let new = "appendonly.aof.2.base.aof";
    let published = format!("file {new} seq 2 type b\nfile {FIRST} seq 1 type h\nfile {BASE} seq 1 type h\nfile {SECOND} seq 2 type i\n");
    let cleaned = format!("file {new} seq 2 type b\nfile {SECOND} seq 2 type i\n");
    type Files<'a> = Vec<(&'a str, &'a [u8])>;
    let steps: Vec<(&str, Files<'_>, &str, &str)> = vec![
        ("the new increment is there", vec![(BASE, &base), (FIRST, &first), (SECOND, b"")], &old, "1"),
        ("with what nobody has confirmed", vec![(BASE, &base), (FIRST, &first), (SECOND, b"rubbish")], &old, "1"),
        (
            "the manifest is half written",
            vec![(BASE, &base), (FIRST, &first), (SECOND, b""), ("temp-appendonly.aof.manifest", b"file app")],
            &old,
            "1",
        ),
        (
            "the log goes on in the new increment",
            vec![(BASE, &base), (FIRST, &first), (SECOND, &second), ("temp-appendonly.aof.base", b"*3")],
            &cut,
            "2",
        ),
        ("the base has its name", vec![(BASE, &base), (FIRST, &first), (SECOND, &second), (new, &rewritten)], &cut, "2"),
        ("the manifest names the base", vec![(BASE, &base), (FIRST, &first), (SECOND, &second), (new, &rewritten)], &published, "2"),
        ("history is half removed", vec![(BASE, &base), (SECOND, &second), (new, &rewritten)], &published, "2"),
        ("all is done", vec![(SECOND, &second), (new, &rewritten)], &cleaned, "2"),
    ];
    for (step, files, manifest, b) in steps {
        let mut server = started_on(&["--aof-use-rdb-preamble", "no"], |dir| put_as(dir, &files, manifest));
        let mut conn = server.connect();
        assert_eq!(conn.run("MGET a b").to_string(), format!("[\"2\", \"{b}\"]"), "{step}");
        replies!(conn, "INCR a" => "3");
        // It may have to wait until history is removed.
        assert!(conn.run("BGREWRITEAOF").text().starts_with("Background append only file rewriting s"));
        replies!(conn, "INCR a" => "4");
        wait_for_rewrite(&server);
        replies!(conn, "INCR a" => "5");
        server.kill9();
        server.restart();
        assert_eq!(server.ask("MGET a b").to_string(), format!("[\"5\", \"{b}\"]"), "{step}");
        assert_eq!(names(&server).len(), 3, "{step}: {:?}", names(&server));
    }
}

#[test]
fn history_is_kept_while_it_is_to_be() {
    let server = started_on(&["--aof-disable-auto-gc", "yes"], |_| ());
    for _ in 0..2 {
        server.ask("BGREWRITEAOF");
        wait_for_rewrite(&server);
    }
    assert_eq!(
        manifest(&server),
        [
            "file appendonly.aof.3.base.rdb seq 3 type b",
            "file appendonly.aof.2.incr.aof seq 2 type h",
            "file appendonly.aof.2.base.rdb seq 2 type h",
            "file appendonly.aof.1.incr.aof seq 1 type h",
            "file appendonly.aof.1.base.rdb seq 1 type h",
            "file appendonly.aof.3.incr.aof seq 3 type i"
        ]
    );
    replies!(server.connect(), "CONFIG SET aof-disable-auto-gc no" => "OK");
    assert_eq!(manifest(&server), ["file appendonly.aof.3.base.rdb seq 3 type b", "file appendonly.aof.3.incr.aof seq 3 type i"]);
    wait_until(|| names(&server).len() == 3);
}

#[test]
fn a_rewrite_that_fails_changes_nothing_and_is_not_tried_again_at_once() {
    let mut server = started_on(&[], |_| ());
    // Nothing can be created where a directory is.
    let obstacle = server.dir.join(DIR).join("temp-appendonly.aof.base");
    fs::create_dir(&obstacle).unwrap();
    let mut conn = server.connect();
    for round in 1..=3 {
        replies!(conn, "SET a 1" => "OK", "BGREWRITEAOF" => "Background append only file rewriting started", "APPEND a x" => "2");
        wait_for_rewrite(&server);
        assert_eq!(server.info("aof_last_bgrewrite_status"), "err");
        assert_eq!(server.info("aof_rewrites_consecutive_failures"), round.to_string());
    }
    let lines = manifest(&server);
    assert_eq!(lines[0], "file appendonly.aof.1.base.rdb seq 1 type b");
    assert!(lines[1..].iter().all(|line| line.ends_with(" type i")), "{lines:?}");
    // By itself none begins for a minute.
    replies!(conn, "CONFIG SET auto-aof-rewrite-percentage 1 auto-aof-rewrite-min-size 1" => "OK", "SET b 1" => "OK");
    wait_until(|| server.log().contains("Background AOF rewrite has repeatedly failed and triggered the limit, will retry in 1 minutes"));
    assert_eq!(server.info("aof_rewrites"), "3");
    replies!(conn, "CONFIG SET auto-aof-rewrite-percentage 0" => "OK");
    server.kill9();
    fs::remove_dir(&obstacle).unwrap();
    server.restart();
    let mut conn = server.connect();
    replies!(conn, "MGET a b" => "[\"1x\", \"1\"]", "BGREWRITEAOF" => "Background append only file rewriting started");
    wait_for_rewrite(&server);
    assert_eq!((names(&server).len(), names(&server)[0].as_str()), (3, "appendonly.aof.2.base.rdb"));
}

#[test]
fn the_log_is_rewritten_when_it_has_grown() {
    let server = started_on(&["--auto-aof-rewrite-percentage", "100", "--auto-aof-rewrite-min-size", "20kb"], |_| ());
    let mut conn = server.connect();
    for i in 0..50 {
        conn.cmd(&["SET", "key", &i.to_string().repeat(500)]);
    }
    wait_until(|| server.log().contains("Starting automatic rewriting of AOF on "));
    wait_for_rewrite(&server);
    assert_ne!(server.info("aof_rewrites"), "0");
    let on_disk = || -> u64 {
        let files = names(&server).into_iter().filter(|name| name != MANIFEST);
        files.map(|name| fs::metadata(server.dir.join(DIR).join(name)).map_or(0, |file| file.len())).sum()
    };
    wait_until(|| server.info("aof_current_size") == on_disk().to_string());
}

#[test]
fn saves_and_rewrites_take_turns() {
    let server = started_on(&[], |_| ());
    let mut conn = server.connect();
    replies!(conn,
        "DEBUG POPULATE 1000" => "OK", "CONFIG SET rdb-key-save-delay 100000" => "OK",
        "BGSAVE" => "Background saving started",
        "BGREWRITEAOF" => "Background append only file rewriting scheduled",
    );
    assert_eq!(server.info("aof_rewrite_scheduled"), "1");
    replies!(conn, "CONFIG SET rdb-key-save-delay 0" => "OK");
    wait_for_rewrite(&server);
    assert_eq!(server.info("aof_rewrites"), "1");
    replies!(conn,
        "CONFIG SET rdb-key-save-delay 100000" => "OK",
        "BGREWRITEAOF" => "Background append only file rewriting started",
        "BGREWRITEAOF" => "-ERR Background append only file rewriting already in progress",
        "BGSAVE" => "-ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a BGSAVE whenever possible.",
        "BGSAVE SCHEDULE" => "Background saving scheduled",
        "CONFIG SET rdb-key-save-delay 0" => "OK",
    );
    wait_until(|| server.shows(&[("rdb_saves", "2"), ("rdb_bgsave_in_progress", "0")]));
    replies!(conn, "MULTI" => "OK", "BGREWRITEAOF" => "QUEUED", "EXEC" => "[Background append only file rewriting scheduled]");
    wait_until(|| server.info("aof_rewrites") == "3");
    wait_for_rewrite(&server);
}

#[test]
fn the_log_is_turned_on_and_off_while_the_server_serves() {
    let mut server = Server::start(DEBUG);
    let mut conn = server.connect();
    fill(&mut conn);
    replies!(conn, "CONFIG SET appendonly yes auto-aof-rewrite-percentage 0 appendfsync always" => "OK", "INCR during" => "1");
    wait_for_rewrite(&server);
    replies!(conn, "INCR during" => "2");
    assert_eq!(manifest(&server), ["file appendonly.aof.1.base.rdb seq 1 type b", &format!("file {FIRST} seq 1 type i")]);
    assert_eq!(names(&server), ["appendonly.aof.1.base.rdb", FIRST, MANIFEST]);
    let digest = conn.run("DEBUG DIGEST").text();
    replies!(conn, "CONFIG SET appendonly no" => "OK", "INCR during" => "3", "DEBUG LOADAOF" => "OK");
    assert_eq!(conn.run("DEBUG DIGEST").text(), digest);
    assert_eq!(server.info("aof_enabled"), "0");
    replies!(conn, "INCR during" => "3", "CONFIG SET appendonly yes" => "OK");
    wait_for_rewrite(&server);
    assert_eq!(names(&server), ["appendonly.aof.2.base.rdb", SECOND, MANIFEST]);
    // Off, a base alone may be made.
    replies!(conn, "CONFIG SET appendonly no" => "OK", "SELECT 0" => "OK", "INCR during" => "4", "BGREWRITEAOF" => "Background append only file rewriting started");
    wait_for_rewrite(&server);
    assert_eq!(names(&server), ["appendonly.aof.3.base.rdb", MANIFEST]);
    let digest = conn.run("DEBUG DIGEST").text();
    server.kill9();
    server.args.extend(["--appendonly".into(), "yes".into()]);
    server.restart();
    assert_eq!(server.ask("DEBUG DIGEST").text(), digest);
    assert_eq!(names(&server), [FIRST, "appendonly.aof.3.base.rdb", MANIFEST]);
}

#[test]
fn who_listens_to_keys_is_not_told_of_what_is_loaded() {
    let server = started_on(&["--notify-keyspace-events", "KEA"], |_| ());
    let (mut conn, mut reader, mut listener) = (server.connect(), server.connect(), server.connect());
    reader.run("HELLO 3");
    replies!(reader, "CLIENT TRACKING ON BCAST" => "OK");
    listener.run("PSUBSCRIBE __keyevent@*");
    listener.run("SUBSCRIBE end");
    replies!(conn, "SET k 1" => "OK");
    assert_eq!(reader.recv(), *r#">["invalidate", ["k"]]"#);
    assert_eq!(listener.recv(), *r#"["pmessage", "__keyevent@*", "__keyevent@0__:set", "k"]"#);
    replies!(conn, "DEBUG LOADAOF" => "OK", "GET k" => "\"1\"", "PUBLISH end x" => "1");
    assert_eq!(reader.recv(), *r#">["invalidate", null]"#, "all copies are stale while nothing is loaded yet");
    assert_eq!(reader.run("ECHO nothing"), *"\"nothing\"");
    assert_eq!(listener.recv(), *r#"["message", "end", "x"]"#);
    replies!(conn, "SET k 2" => "OK");
    assert_eq!(reader.recv(), *r#">["invalidate", ["k"]]"#);
    assert_eq!(listener.recv(), *r#"["pmessage", "__keyevent@*", "__keyevent@0__:set", "k"]"#);
}

#[test]
fn a_log_without_a_base_is_no_log_yet() {
    let mut server = Server::start(DEBUG);
    let mut conn = server.connect();
    replies!(conn,
        "DEBUG POPULATE 1000" => "OK", "CONFIG SET rdb-key-save-delay 100000" => "OK",
        "CONFIG SET appendonly yes" => "OK", "INCR a" => "1",
    );
    wait_until(|| names(&server) == ["temp-appendonly.aof.base", "temp-appendonly.aof.incr"]);
    assert_eq!(server.info("aof_rewrite_in_progress"), "1");
    // It is not to be left before it has one.
    replies!(conn, "SHUTDOWN" => "-ERR Errors trying to SHUTDOWN. Check logs.");
    assert!(server.log().contains("Writing initial AOF, can't exit."));
    replies!(conn, "CONFIG SET appendonly no" => "OK");
    wait_until(|| names(&server).is_empty());
    assert_eq!(server.info("aof_rewrite_in_progress"), "0");
    replies!(conn, "CONFIG SET appendonly yes" => "OK", "CONFIG SET rdb-key-save-delay 0" => "OK", "INCR a" => "2");
    wait_for_rewrite(&server);
    replies!(conn, "MULTI" => "OK", "CONFIG SET appendonly no" => "QUEUED", "CONFIG SET appendonly yes" => "QUEUED", "INCR a" => "QUEUED", "EXEC" => "[OK, OK, 3]");
    wait_for_rewrite(&server);
    server.signal("TERM");
    server.wait();
    assert_eq!(names(&server), ["appendonly.aof.2.base.rdb", SECOND, MANIFEST]);
    server.args.extend(["--appendonly".into(), "yes".into()]);
    server.restart();
    replies!(server.connect(), "GET a" => "\"3\"", "DBSIZE" => "1001");
}

#[test]
fn a_name_may_have_blanks_and_the_directory_another_name() {
    let args = ["--appendfilename", " my log \n", "--appenddirname", "logs"];
    let mut server = started_on(&args, |_| ());
    replies!(server.connect(), "SET a 1" => "OK", "BGREWRITEAOF" => "Background append only file rewriting started");
    wait_for_rewrite(&server);
    let text = fs::read_to_string(server.dir.join("logs").join(" my log \n.manifest")).unwrap();
    assert_eq!(text, "file \" my log \\n.2.base.rdb\" seq 2 type b\nfile \" my log \\n.2.incr.aof\" seq 2 type i\n");
    server.kill9();
    server.restart();
    replies!(server.connect(), "GET a" => "\"1\"");
}

#[test]
fn directories_are_exchanged_with_other_servers() {
    for peer in peers() {
        for preamble in ["yes", "no"] {
            let args = [ALWAYS, DEBUG, &["--aof-use-rdb-preamble", preamble]].concat();
            let mut theirs = Server::of(&peer, &args);
            fill(&mut theirs.connect());
            theirs.ask("BGREWRITEAOF");
            wait_for_rewrite(&theirs);
            fill_more(&mut theirs.connect());
            let digest = theirs.ask("DEBUG DIGEST").text();
            theirs.kill9();
            let from = theirs.dir.join(DIR);
            let mut ours = Server::prepared(&program(), &args, |dir| copy(&from, &dir.join(DIR)));
            assert_eq!(ours.ask("DEBUG DIGEST").text(), digest, "from {peer:?}, preamble {preamble}");
            ours.ask("BGREWRITEAOF");
            wait_for_rewrite(&ours);
            replies!(ours.connect(), "SET ours 1" => "OK", "LPUSH list again" => "201");
            let digest = ours.ask("DEBUG DIGEST").text();
            ours.kill9();
            let from = ours.dir.join(DIR);
            let back = Server::prepared(&peer, &args, |dir| copy(&from, &dir.join(DIR)));
            assert_eq!(back.ask("DEBUG DIGEST").text(), digest, "to {peer:?}, preamble {preamble}");
        }
    }
}

fn fill_more(conn: &mut Conn) {
    for line in [
        "SELECT 3",
        "DEL set",
        "LPUSH list more",
        "ZADD zset 7 new",
        "HDEL hash \"field 3\"",
        "XADD stream 1000-1 a b",
        "SELECT 0",
        "SET late 1 EX 100000",
        "INCR n",
    ] {
        conn.run(line);
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn a_replica_begins_its_log_anew_with_the_data_of_its_primary() {
    let primary = Server::start(DEBUG);
    fill(&mut primary.connect());
    let mut replica = started_on(&[], |dir| put(dir, &[(BASE, &commands(&["SET old 1"]))]));
    replies!(replica.connect(), "GET old" => "\"1\"");
    replica.ask(&format!("REPLICAOF 127.0.0.1 {}", primary.port));
    wait_until(|| replica.info("master_link_status") == "up");
    wait_for_rewrite(&replica);
    replies!(primary.connect(), "SELECT 3" => "OK", "SET behind 1" => "OK", "MULTI" => "OK", "INCR n" => "QUEUED", "LPUSH list m" => "QUEUED", "EXEC" => "[12346, 201]");
    let digest = primary.ask("DEBUG DIGEST").text();
    wait_until(|| replica.ask("DEBUG DIGEST").text() == digest && replica.info("aof_enabled") == "1");
    assert!(replica.log().contains("MASTER <-> REPLICA sync: Starting AOF after a successful sync"));
    wait_until(|| replica.shows(&[("aof_buffer_length", "0"), ("aof_pending_bio_fsync", "0")]));
    replica.kill9();
    replica.restart();
    assert_eq!(replica.ask("DEBUG DIGEST").text(), digest, "before it has heard of its primary");
    assert_eq!(replica.info("role"), "master");
}

/// Waits until the server answers, and `a` is this.
fn wait_for_value(server: &Server, value: &str) {
    wait_until(|| {
        let Ok(mut conn) = Conn::try_tcp(server.address()) else { return false };
        conn.try_send(b"GET a\r\n").is_ok() && conn.next_reply().is_ok_and(|reply| reply.to_string() == value)
    });
}

#[test]
fn the_process_begins_anew_after_a_shutdown_or_where_it_stands() {
    let mut server = Server::with_conf("maxclients 99\n", &[ALWAYS, DEBUG].concat());
    let mut conn = server.connect();
    replies!(conn, "SET a 1" => "OK", "CONFIG SET timeout 77" => "OK");
    let pid = server.info("process_id");
    conn.send_cmd(&["DEBUG", "CRASH-AND-RECOVER", "10"]);
    assert!(conn.closed());
    wait_for_value(&server, "\"1\"");
    assert_eq!((server.info("process_id"), server.ask("CONFIG GET timeout").items()[1].text()), (pid.clone(), "0".into()));
    let mut conn = server.connect();
    replies!(conn, "INCR a" => "2", "CONFIG SET timeout 77" => "OK");
    conn.send_cmd(&["DEBUG", "RESTART"]);
    assert!(conn.closed());
    wait_for_value(&server, "\"2\"");
    assert_eq!((server.info("process_id"), server.ask("CONFIG GET timeout").items()[1].text()), (pid, "77".into()));
    assert!(server.running());
    replies!(server.connect(), "DEBUG RESTART x" => "-ERR value is not an integer or out of range");
}
