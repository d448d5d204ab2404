//! The process and its edges: memory, descriptors, files that may not grow, signals, the clock.

mod common;
use common::*;

use std::process::Command;

#[test]
fn members_at_random_are_drawn_thousands_of_times() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    let members: Vec<String> = (0..200).map(|i| format!("m{i}")).collect();
    let scored: Vec<String> = (0..200).map(|i| format!("{i} m{i}")).collect();
    assert_eq!(conn.run(&format!("ZADD z {}", scored.join(" "))), *"200");
    assert_eq!(conn.run(&format!("SADD s {}", members.join(" "))), *"200");
    assert_eq!(conn.run(&format!("HSET h {} v", members.join(" v "))), *"200");
    // What is kept meanwhile makes the allocator give out every place of its runs, be it a multiple of 8, 16 or more.
    for round in 0..200 {
        let mut sent = Vec::new();
        for i in 0..30 {
            let count = 2 + (round + i) % 7;
            sent.extend(["ZRANDMEMBER z", "SRANDMEMBER s", "HRANDFIELD h"].map(|command| format!("{command} {count}")));
        }
        sent.extend((0..60).map(|i| format!("SET k{round}:{i} {}", "x".repeat(i % 40))));
        conn.send((sent.join("\r\n") + "\r\n").as_bytes());
        for command in &sent {
            let reply = conn.recv();
            if !command.starts_with("SET") {
                assert_eq!(reply.items().len().to_string(), command.rsplit(' ').next().unwrap(), "{command}");
            }
        }
    }
}

/// Sets a limit of a running process as prlimit names it, such as `--nofile=12:`.
fn limit(server: &Server, limit: &str) {
    let status = Command::new("prlimit").args(["--pid", &server.pid.to_string(), limit]).status();
    assert!(status.unwrap().success(), "prlimit {limit}");
}

#[test]
fn without_descriptors_clients_wait_and_come_in_later() {
    let server = Server::start(&[]);
    let mut inside: Vec<Conn> = (0..8).map(|_| server.connect()).collect();
    inside.iter_mut().for_each(|conn| conn.check(&[("PING", "PONG")]));
    limit(&server, "--nofile=12:");
    let mut outside: Vec<Conn> = (0..8).map(|_| server.connect()).collect();
    wait_until(|| server.log().contains("Accepting client connection: accept: Too many open files"));
    inside.iter_mut().for_each(|conn| conn.check(&[("SET a 1", "OK"), ("GET a", r#""1""#)]));
    limit(&server, "--nofile=1024:");
    // Nobody knocks again: those who wait are let in by themselves.
    outside.iter_mut().for_each(|conn| conn.check(&[("GET a", r#""1""#)]));
}

#[test]
fn kept_links_give_way_to_clients_and_files_have_a_reserve() {
    let target = Server::start(&["--bind", "0.0.0.0", "--protected-mode", "no"]);
    let server = Server::start(&[]);
    let mut conn = server.connect();
    limit(&server, "--nofile=64:");
    for i in 2..42 {
        conn.check(&[(&format!("SET key{i} value"), "OK"), (&format!("MIGRATE 127.0.0.{i} {} key{i} 0 5000", target.port), "OK")]);
    }
    assert_eq!(target.ask("DBSIZE"), *"40");
    let kept: usize = server.info("migrate_cached_sockets").parse().unwrap();
    assert!((20..40).contains(&kept), "{kept} links");
    let mut clients: Vec<Conn> = (0..20).map(|_| server.connect()).collect();
    clients.iter_mut().for_each(|client| client.check(&[("PING", "PONG")]));
    assert!(server.info("migrate_cached_sockets").parse::<usize>().unwrap() < kept);
    // More than that there is no room for; a snapshot still has its files.
    let _more: Vec<Conn> = (0..30).map(|_| server.connect()).collect();
    wait_until(|| !conn.run("INFO stats").text().contains("rejected_connections:0\r"));
    conn.check(&[("SET a 1", "OK"), ("SAVE", "OK"), ("BGSAVE", r#"Background saving started"#)]);
    wait_until(|| conn.run("INFO persistence").text().contains("rdb_bgsave_in_progress:0"));
    assert!(conn.run("INFO persistence").text().contains("rdb_last_bgsave_status:ok"));
}

#[test]
fn too_low_a_limit_of_descriptors_is_said_at_start() {
    let lease = free_port();
    let script = format!("ulimit -n 30; exec {} --port {}", program().display(), lease.port);
    let output = run(Command::new("sh").args(["-c", &script]));
    assert_eq!(output.code, Some(1));
    let text = output.stdout + &output.stderr;
    assert!(text.contains("Your current 'ulimit -n' of 30 is not enough for the server to start."), "{text}");
}

#[test]
fn a_server_that_nobody_can_reach_does_not_start() {
    for args in [&["--port", "0"][..], &["--port", "21999", "--bind", ""], &["--port", "21999", "--bind", "-203.0.113.1"]] {
        let output = run(Command::new(program()).args(args));
        assert_eq!(output.code, Some(1), "{args:?}");
        let text = output.stdout + &output.stderr;
        assert!(text.contains("Configured to not listen anywhere, exiting."), "{args:?}: {text}");
    }
}

#[test]
fn a_file_that_may_not_grow_is_an_error_of_its_write() {
    let server = Server::start(&["--logfile", "own.log", "--loglevel", "debug"]);
    let mut conn = server.connect();
    let value = "v".repeat(300_000);
    conn.check(&[("CONFIG SET rdbcompression no", "OK"), (&format!("SET big {value}"), "OK")]);
    limit(&server, "--fsize=100000:100000");
    assert!(conn.run("SAVE").to_string().starts_with("-ERR"));
    assert!(conn.run("BGSAVE").text().contains("Background saving started"));
    wait_until(|| conn.run("INFO persistence").text().contains("rdb_last_bgsave_status:err"));
    assert!(!server.dir.join("dump.rdb").exists());
    // The log is full after some lines, and the server goes on.
    let log = server.dir.join("own.log");
    wait_until(|| {
        for _ in 0..50 {
            conn.run("SAVE");
        }
        std::fs::metadata(&log).unwrap().len() >= 100_000
    });
    conn.check(&[("CONFIG SET loglevel debug", "OK"), ("GET none", "nil")]);
}

#[test]
fn a_snapshot_that_may_not_be_stored_is_an_error_of_the_synchronisation() {
    let primary = Server::start(&[]);
    let value = "v".repeat(300_000);
    primary.connect().check(&[("CONFIG SET rdbcompression no", "OK"), (&format!("SET big {value}"), "OK")]);
    let replica = Server::start(&[]);
    replica.connect().check(&[("SET own 1", "OK")]);
    limit(&replica, "--fsize=100000:100000");
    replica.connect().check(&[(&format!("REPLICAOF 127.0.0.1 {}", primary.port), "OK")]);
    wait_until(|| replica.log().contains("File too large"));
    replies!(replica.connect(), "GET own" => r#""1""#);
}

/// This process's score in the kernel's eyes.
fn oom_score(server: &Server) -> i32 {
    std::fs::read_to_string(format!("/proc/{}/oom_score_adj", server.pid)).unwrap().trim().parse().unwrap()
}

#[test]
fn the_kernels_score_follows_the_settings_and_the_role() {
    let server = Server::start(&["--oom-score-adj", "yes", "--oom-score-adj-values", "10 20 30"]);
    let mut conn = server.connect();
    let own: i32 = std::fs::read_to_string("/proc/self/oom_score_adj").unwrap().trim().parse().unwrap();
    assert_eq!(oom_score(&server), own + 10);
    for (line, score) in [
        ("CONFIG SET oom-score-adj-values \"15 20 30\"", own + 15),
        ("REPLICAOF 127.0.0.1 1", own + 20),
        ("REPLICAOF NO ONE", own + 15),
        ("CONFIG SET oom-score-adj absolute", 15),
        ("CONFIG SET oom-score-adj no", own),
        ("CONFIG SET oom-score-adj-values \"70 70 70\"", own),
        ("CONFIG SET oom-score-adj relative", own + 70),
    ] {
        conn.check(&[(line, "OK")]);
        assert_eq!(oom_score(&server), score, "{line}");
    }
}

/// A line of the status that the kernel keeps of each thread, by the thread's name.
fn of_threads(server: &Server, line: &str) -> Vec<(String, String)> {
    let field = |text: &str, name: &str| text.lines().find_map(|l| Some(l.strip_prefix(name)?.trim_start_matches(':').trim().to_owned()));
    let tasks = std::fs::read_dir(format!("/proc/{}/task", server.pid)).unwrap();
    let status = tasks.filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("status")).ok());
    status.map(|text| (field(&text, "Name").unwrap(), field(&text, line).unwrap())).collect()
}

#[test]
fn threads_run_on_the_processors_that_are_listed() {
    // Some machines and containers do not have these two.
    let own = std::fs::read_to_string("/proc/self/status").unwrap();
    if !own.contains("Cpus_allowed_list:\t0-") {
        return;
    }
    let server = Server::start(&["--server_cpulist", "0", "--bio_cpulist", "1"]);
    let allowed = of_threads(&server, "Cpus_allowed_list");
    assert!(allowed.contains(&("solod".into(), "0".into())), "{allowed:?}");
    let disks: Vec<_> = allowed.iter().filter(|(name, _)| name.starts_with("disk")).collect();
    assert!(!disks.is_empty() && disks.iter().all(|(_, cpus)| cpus == "1"), "{allowed:?}");

    let server = Server::start(&["--server_cpulist", "0,nothing"]);
    wait_until(|| server.log().contains("server_cpulist 0,nothing has no effect: it is no list of processors"));
}

#[test]
#[cfg_attr(system_allocator, ignore = "another allocator gives memory back by rules of its own")]
fn a_daemon_gives_memory_back_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let lease = free_port();
    let path = |name: &str| dir.path().join(name).into_os_string().into_string().unwrap();
    let (port, pidfile) = (lease.port.to_string(), path("pid"));
    let args = ["--port", &port, "--daemonize", "yes", "--save", "", "--dir", &path(""), "--pidfile", &pidfile, "--logfile", "log"];
    assert_eq!(run(Command::new(program()).args(args)).code, Some(0));
    wait_until(|| std::net::TcpStream::connect(("127.0.0.1", lease.port)).is_ok());
    let mut conn = Conn::tcp(([127, 0, 0, 1], lease.port));
    wait_until(|| std::fs::read_to_string(&pidfile).is_ok_and(|text| text.ends_with('\n')));
    let pid = std::fs::read_to_string(&pidfile).unwrap().trim().to_owned();
    let resident_pages = || -> usize {
        let text = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap();
        text.split(' ').nth(1).unwrap().parse().unwrap()
    };
    let value = "v".repeat(3000);
    for i in 0..20_000 {
        conn.send(&Conn::encode(&["SET", &i.to_string(), &value]));
        assert_eq!(conn.recv(), *"OK");
    }
    let full = resident_pages();
    assert_eq!(conn.run("FLUSHALL"), *"OK");
    wait_until(|| resident_pages() < full / 2);
    conn.send(b"SHUTDOWN NOSAVE\r\n");
    assert!(conn.closed());
}
