//! The process: its command line, how it fails to start, how it ends, what it tells systemd.

mod common;
use common::*;

use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Runs the program under test to its end.
fn start(args: &[&str]) -> Output {
    run(Command::new(program()).args(args))
}

#[test]
fn signals_end_it_politely() {
    for (name, number) in [("TERM", "SIGTERM"), ("INT", "SIGINT")] {
        let mut server = Server::start(&[]);
        let mut conn = server.connect();
        replies!(conn, "SET a 1" => "OK");
        server.signal(name);
        assert_eq!(server.wait(), Some(0));
        assert!(conn.closed());
        let log = server.log();
        assert!(log.contains(&format!("Received {number} scheduling shutdown")), "{log}");
        assert!(log.contains("bye bye"), "{log}");
    }
}

#[test]
fn other_signals_do_not() {
    let mut server = Server::start(&[]);
    for name in ["HUP", "PIPE"] {
        server.signal(name);
        replies!(server.connect(), "PING" => "PONG");
    }
    assert!(server.running());
    server.signal("STOP");
    server.signal("CONT");
    replies!(server.connect(), "PING" => "PONG");
}

#[test]
fn a_port_that_is_taken() {
    let lease = free_port();
    let _taken = TcpListener::bind(("127.0.0.1", lease.port)).unwrap();
    let port = lease.port.to_string();
    let output = start(&["--port", &port, "--bind", "127.0.0.1"]);
    assert_eq!(output.code, Some(1));
    let text = output.stdout + &output.stderr;
    let says = |line: &str| line.contains(&port) && line.contains("ddress already in use");
    assert!(text.lines().any(says), "{text}");
}

#[test]
fn a_directory_that_is_missing() {
    let output = start(&["--port", "0", "--dir", "/no/such/directory"]);
    assert_eq!(output.code, Some(1));
    let text = output.stdout + &output.stderr;
    assert!(text.contains("/no/such/directory"), "{text}");
    assert!(text.contains("No such file or directory"), "{text}");
}

#[test]
fn a_configuration_file_that_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("wrong.conf");
    for (line, reason) in [
        ("maxclients nonsense", "argument couldn't be parsed into an integer"),
        ("port 70000", "argument must be between 0 and 65535 inclusive"),
        ("appendonly maybe", "argument must be 'yes' or 'no'"),
        ("no-such-directive 1", "Bad directive or wrong number of arguments"),
        ("maxmemory 12q", "argument must be a memory value"),
        ("loglevel shouting", "argument(s) must be one of the following: debug, verbose, notice, warning, nothing"),
        ("dir \"unbalanced", "Unbalanced quotes in configuration line"),
        ("port 1 2", "wrong number of arguments"),
    ] {
        if is_reference() && line.starts_with("loglevel") {
            continue; // `nothing` came with 7.2
        }
        std::fs::write(&path, format!("# fine\n\n{line}\ntimeout 0\n")).unwrap();
        let output = start(&[path.to_str().unwrap()]);
        assert_eq!(output.code, Some(1), "{line}");
        let text = output.stdout + &output.stderr;
        assert!(text.contains("*** FATAL CONFIG FILE ERROR (Redis 7."), "{text}");
        assert!(text.contains("Reading the configuration file, at line 3\n"), "{text}");
        assert!(text.contains(&format!(">>> '{}'\n", line)), "{text}");
        assert!(text.contains(reason), "{text}");
        if !is_reference() {
            assert!(text.contains("wrong.conf"), "{text}");
            let check = start(&[path.to_str().unwrap(), "--check-config"]);
            assert_eq!(check.code, Some(1), "{line}");
            assert!((check.stdout + &check.stderr).contains("at line 3\n"), "{line}");
        }
    }
    let output = start(&[dir.path().join("absent.conf").to_str().unwrap()]);
    assert_eq!(output.code, Some(1));
    let text = output.stdout + &output.stderr;
    assert!(text.contains("absent.conf") && text.contains("No such file or directory"), "{text}");
    let output = start(&["--port"]);
    assert_eq!(output.code, Some(1));
    assert!((output.stdout + &output.stderr).contains(">>> 'port'"));
}

#[test]
fn what_it_says_of_itself() {
    let output = start(&["--version"]);
    assert_eq!(output.code, Some(0));
    assert_eq!(output.stdout.lines().count(), 1);
    assert_eq!(output.stdout, start(&["-v"]).stdout);
    let help = start(&["--help"]);
    let text = help.stdout + &help.stderr;
    assert!(text.contains("Usage:") || text.contains("usage:"), "{text}");
    if !is_reference() {
        assert_eq!(help.code, Some(0));
        assert!(output.stdout.contains("solod"), "{}", output.stdout);
        let check = start(&["--port", "7000", "--check-config"]);
        assert_eq!(check.code, Some(0));
        let check = start(&["--port", "x", "--check-config"]);
        assert_eq!(check.code, Some(1));
    }
}

#[test]
fn the_shipped_configuration_is_right() {
    if is_reference() {
        return;
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/solod.conf");
    let output = start(&[path.to_str().unwrap(), "--check-config"]);
    assert_eq!(output.code, Some(0), "{output:?}");
}

/// The values that a server with this configuration file and these arguments has.
fn config_of(conf: &str, args: &[&str], names: &[&str]) -> Vec<String> {
    let server = Server::with_conf(conf, args);
    let value = |name: &&str| server.ask(&format!("CONFIG GET {name}")).items()[1].text();
    names.iter().map(value).collect()
}

#[test]
fn directives_in_files_and_arguments() {
    let names = ["maxmemory", "save", "timeout", "loglevel"];
    assert_eq!(config_of("maxmemory 1gb\nTIMEOUT 7\n  loglevel   \"verbose\"  \n", &[], &names), ["1073741824", "", "7", "verbose"]);
    assert_eq!(
        config_of("maxmemory 1gb\ntimeout 7\n", &["--timeout", "8", "--save", "100", "1", "200", "2"], &names),
        ["1073741824", "100 1 200 2", "8", "notice"]
    );
    assert_eq!(config_of("", &["--save", "100 1", "--maxmemory", "5MB"], &names), ["5242880", "100 1", "0", "notice"]);
    // The last wins; files may be included.
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("one.conf"), "timeout 1\nmaxmemory 1\n").unwrap();
    std::fs::write(dir.path().join("two.conf"), "timeout 2\n").unwrap();
    let include = format!("maxmemory 5\ninclude {}/*.conf\n", dir.path().display());
    assert_eq!(config_of(&include, &[], &names), ["1", "", "2", "notice"]);
}

/// Kills the process of a pid file when the test is over.
struct Daemon(u32);

impl Drop for Daemon {
    fn drop(&mut self) {
        if Path::new(&format!("/proc/{}", self.0)).exists() {
            signal(self.0, "KILL");
        }
    }
}

#[test]
fn configuration_from_standard_input() {
    let (dir, lease) = (tempfile::tempdir().unwrap(), free_port());
    let conf = format!(
        "port {}\nbind 127.0.0.1\ndaemonize yes\npidfile {dir}/pid\nlogfile {dir}/log\nsave \"\"\ndir {dir}\ntimeout 9\n",
        lease.port,
        dir = dir.path().display()
    );
    let output = run_with_input(Command::new(program()).args(["-", "--hz", "20"]), conf.as_bytes());
    assert_eq!(output.code, Some(0), "{output:?}");
    let daemon = daemon_of(&dir.path().join("pid"));
    let mut conn = connect_when_ready(lease.port);
    replies!(
        conn,
        "CONFIG GET timeout" => r#"["timeout", "9"]"#,
        "CONFIG GET hz" => r#"["hz", "20"]"#,
    );
    assert!(conn.run("INFO server").text().contains(&format!("process_id:{}\r\n", daemon.0)));
}

fn daemon_of(pidfile: &Path) -> Daemon {
    let mut pid = None;
    wait_until(|| {
        pid = std::fs::read_to_string(pidfile).ok().and_then(|text| text.trim().parse().ok());
        pid.is_some()
    });
    Daemon(pid.unwrap())
}

fn connect_when_ready(port: u16) -> Conn {
    wait_until(|| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    Conn::tcp(([127, 0, 0, 1], port))
}

#[test]
fn a_daemon() {
    let (dir, lease) = (tempfile::tempdir().unwrap(), free_port());
    let path = |name: &str| dir.path().join(name).into_os_string().into_string().unwrap();
    let port = lease.port.to_string();
    let output = start(&[
        "--port",
        &port,
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--dir",
        dir.path().to_str().unwrap(),
        "--daemonize",
        "yes",
        "--pidfile",
        &path("pid"),
        "--logfile",
        &path("log"),
        "--unixsocket",
        &path("socket"),
    ]);
    assert_eq!(output.code, Some(0), "{output:?}");
    let daemon = daemon_of(&dir.path().join("pid"));
    let mut conn = connect_when_ready(lease.port);
    replies!(conn, "PING" => "PONG");
    signal(daemon.0, "TERM");
    wait_until(|| !dir.path().join("pid").exists());
    assert!(conn.closed());
    // A line of the log: `4711:M 20 Nov 2026 10:11:12.013 * Ready`.
    let log = std::fs::read_to_string(path("log")).unwrap();
    let by_handler = |line: &&str| line.contains(":signal-handler (");
    for line in log.lines().filter(|line| !by_handler(line)) {
        if !line.starts_with(|c: char| c.is_ascii_digit()) {
            continue; // the picture that Redis draws
        }
        let words: Vec<_> = line.splitn(7, ' ').collect();
        let (pid, role) = words[0].split_once(':').unwrap();
        assert!(pid.parse::<u32>().is_ok() && ["C", "M"].contains(&role), "{line}");
        assert!(words[1].len() == 2 && words[2].len() == 3 && words[3].len() == 4, "{line}");
        assert!(words[4].len() == 12 && [".", "-", "*", "#"].contains(&words[5]), "{line}");
    }
    assert!(log.contains(&format!("{}:M ", daemon.0)), "{log}");
    let ready: Vec<_> = log.lines().filter_map(|line| line.split_once(" * Ready to accept connections ")).map(|(_, kind)| kind).collect();
    // Redis 7.0 has other lines.
    assert!(is_reference() || ready == ["tcp", "unix"], "one line for each kind of listener: {log}");
}

#[test]
fn systemd_hears_what_becomes_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let told = || {
        let mut buffer = [0; 4096];
        let len = socket.recv(&mut buffer).expect("a notification");
        String::from_utf8_lossy(&buffer[..len]).into_owned()
    };
    let wait_for = |sign: &str| {
        for _ in 0..1000 {
            let message = told();
            if message.lines().any(|line| line == sign) {
                return;
            }
        }
        panic!("{sign} never comes");
    };
    let mut server =
        Server::with_env(&[("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "1000000")], &["--supervised", "systemd"]);
    wait_for("READY=1");
    if !is_reference() {
        // Often enough for a second between them, as long as it runs.
        wait_for("WATCHDOG=1");
        wait_for("WATCHDOG=1");
        socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        told();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
    }
    server.signal("TERM");
    wait_for("STOPPING=1");
    assert_eq!(server.wait(), Some(0));
}

#[test]
fn a_unix_socket_left_behind_is_no_obstacle() {
    let mut server = Server::start(&["--unixsocket", "server.sock"]);
    server.kill9();
    assert!(server.unix_socket().exists());
    server.restart();
    replies!(Conn::unix(&server.unix_socket()), "PING" => "PONG");
    server.signal("TERM");
    server.wait();
    assert!(!server.unix_socket().exists(), "gone after a polite end");
}

/// The spellings of other servers of the family.
#[test]
fn command_lines_of_other_servers() {
    if is_reference() {
        return;
    }
    let server = Server::start(&["--timeout=8", "-maxclients", "77", "--dir=.", "--filename=other.rdb"]);
    replies!(
        server.connect(),
        "CONFIG GET timeout" => r#"["timeout", "8"]"#,
        "CONFIG GET maxclients" => r#"["maxclients", "77"]"#,
        "CONFIG GET dbfilename" => r#"["dbfilename", "other.rdb"]"#,
    );
    for replicaof in [["--replicaof", "127.0.0.1", "1"], ["-replicaof", "127.0.0.1", "1"]] {
        let output = start(&[&replicaof[..], &["--check-config"]].concat());
        assert_eq!(output.code, Some(0), "{output:?}");
    }
}
