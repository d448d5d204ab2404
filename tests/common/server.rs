//! Starts and stops servers, each in its own directory on a port of its own.

use std::fs::File;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net as unix;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::str::FromStr;
use std::time::{Duration, Instant, SystemTime};

use super::{Conn, PATIENCE};
use tempfile::TempDir;

/// The binary under test: solod, or what `SOLOD_TEST_BINARY` names.
pub fn program() -> PathBuf {
    std::env::var_os("SOLOD_TEST_BINARY").map_or(env!("CARGO_BIN_EXE_solod").into(), PathBuf::from)
}

/// Whether a real server of the family stands in for solod. The one at hand is 7.0: what came with 7.2, and what only solod has, is left out.
pub fn is_reference() -> bool {
    !program().ends_with("solod")
}

/// Debian's redis-server, and newer ones where shared/bench/get-peers has put them.
pub fn peers() -> Vec<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let newer = cache.into_iter().map(|cache| cache.join("solod-peers/usr/bin"));
    let newer = newer.flat_map(|dir| ["redis-server", "valkey-server"].map(|name| dir.join(name)));
    std::iter::once(PathBuf::from("redis-server")).chain(newer.filter(|path| path.exists())).collect()
}

pub fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

/// Sends the signal named as `kill` names it ("TERM", "INT", "KILL", "STOP", "CONT").
pub fn signal(pid: u32, name: &str) {
    let script = format!("kill -{name} {pid}");
    let status = Command::new("sh").args(["-c", &script]).status();
    assert!(status.unwrap().success(), "{script}");
}

/// A port that no other test uses, in this process or another, until this is dropped.
///
/// The lease is an abstract unix socket named after the port, so it ends with its process, however that ends.
pub struct PortLease {
    pub port: u16,
    _lease: unix::UnixListener,
}

pub fn free_port() -> PortLease {
    // Below the range from which Linux takes ports for outgoing connections (32768 and up).
    const FIRST: u32 = 20_000;
    const COUNT: u32 = 12_000;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let start = std::process::id().wrapping_mul(7919).wrapping_add(now.unwrap().subsec_micros());
    for i in 0..COUNT {
        let port = (FIRST + start.wrapping_add(i) % COUNT) as u16;
        let name = format!("solod-test-port-{port}");
        let address = unix::SocketAddr::from_abstract_name(name).unwrap();
        let Ok(lease) = unix::UnixListener::bind_addr(&address) else {
            continue;
        };
        if TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            return PortLease { port, _lease: lease };
        }
    }
    panic!("no free port");
}

/// What a program that ended left behind.
#[derive(Debug)]
pub struct Output {
    /// None when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a program to its end, which must come within [`PATIENCE`].
#[track_caller]
pub fn run(command: &mut Command) -> Output {
    run_with_input(command, b"")
}

#[track_caller]
pub fn run_with_input(command: &mut Command, input: &[u8]) -> Output {
    let dir = tempfile::tempdir().unwrap();
    let path = |name| dir.path().join(name);
    std::fs::write(path("in"), input).unwrap();
    let mut child = command
        .stdin(File::open(path("in")).unwrap())
        .stdout(File::create(path("out")).unwrap())
        .stderr(File::create(path("err")).unwrap())
        .spawn()
        .unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let status = wait_for_exit(&mut child);
    if status.is_none() {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let text = |name| String::from_utf8_lossy(&std::fs::read(path(name)).unwrap()).into_owned();
    let output = Output { code: status.and_then(|s| s.code()), stdout: text("out"), stderr: text("err") };
    assert!(status.is_some(), "{command:?} does not end: {output:?}");
    output
}

fn wait_for_exit(child: &mut Child) -> Option<ExitStatus> {
    let deadline = Instant::now() + 3 * PATIENCE;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    None
}

/// A server that listens on loopback, keeps its files in a directory of its own, and ends when this is dropped.
pub struct Server {
    pub port: u16,
    pub pid: u32,
    /// The working directory: the log is `log` in it.
    pub dir: PathBuf,
    /// The arguments after `--port` and `--dir`; a change is seen by the next [`Server::restart`].
    pub args: Vec<String>,
    program: PathBuf,
    environment: Vec<(String, String)>,
    child: Option<Child>,
    lease: PortLease,
    _directory: TempDir,
}

impl Server {
    /// Starts the binary under test with `args` beside a port, a directory and no save points; returns when it answers.
    #[track_caller]
    pub fn start(args: &[&str]) -> Server {
        Server::started(Server::prepare(&program(), args))
    }

    /// The same with a configuration file, `DIR/server.conf`, that holds `text`.
    #[track_caller]
    pub fn with_conf(text: &str, args: &[&str]) -> Server {
        let mut server = Server::prepare(&program(), args);
        let path = server.conf();
        std::fs::write(&path, text).unwrap();
        server.args.insert(0, path.into_os_string().into_string().unwrap());
        Server::started(server)
    }

    /// A real redis-server.
    #[track_caller]
    pub fn redis(args: &[&str]) -> Server {
        Server::started(Server::prepare(Path::new("redis-server"), args))
    }

    /// Another server of the family.
    #[track_caller]
    pub fn of(program: &Path, args: &[&str]) -> Server {
        Server::started(Server::prepare(program, args))
    }

    /// Another server of the family, in a directory that `prepare` has put something into.
    #[track_caller]
    pub fn prepared(program: &Path, args: &[&str], prepare: impl FnOnce(&Path)) -> Server {
        let server = Server::prepare(program, args);
        prepare(&server.dir);
        Server::started(server)
    }

    /// The binary under test with additions to its environment.
    #[track_caller]
    pub fn with_env(environment: &[(&str, &str)], args: &[&str]) -> Server {
        let mut server = Server::prepare(&program(), args);
        server.environment = environment.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Server::started(server)
    }

    fn prepare(program: &Path, args: &[&str]) -> Server {
        let directory = tempfile::Builder::new().prefix("solod-test-").tempdir().unwrap();
        let lease = free_port();
        Server {
            port: lease.port,
            pid: 0,
            dir: directory.path().to_path_buf(),
            args: args.iter().map(|s| s.to_string()).collect(),
            program: program.to_path_buf(),
            environment: Vec::new(),
            child: None,
            lease,
            _directory: directory,
        }
    }

    #[track_caller]
    fn started(mut server: Server) -> Server {
        // Somebody outside these tests may take the port between our look and the server's bind: then another.
        for _ in 0..5 {
            server.spawn();
            if server.wait_until_it_answers() {
                return server;
            }
            if !server.log().contains("ddress already in use") {
                break;
            }
            server.lease = free_port();
            server.port = server.lease.port;
        }
        panic!("{:?} does not start: {}", server.args, server.log());
    }

    fn spawn(&mut self) {
        let log = File::options().create(true).append(true).open(self.log_path()).unwrap();
        let mut command = Command::new(&self.program);
        // redis-server takes a file only as the first argument.
        let (file, rest) = match self.args.split_first() {
            Some((first, rest)) if !first.starts_with('-') => (Some(first), rest),
            _ => (None, &self.args[..]),
        };
        command
            .args(file)
            .args(["--port", &self.port.to_string()])
            .args(["--bind", "127.0.0.1", "--save", "", "--dir"])
            .arg(&self.dir)
            .args(rest)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let child = command.spawn().unwrap_or_else(|e| panic!("{:?}: {e}", self.program));
        self.pid = child.id();
        self.child = Some(child);
    }

    /// Whether it answered before it ended.
    fn wait_until_it_answers(&mut self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if self.child.as_mut().unwrap().try_wait().unwrap().is_some() {
                return false;
            }
            if self.answers() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(3));
        }
        false
    }

    /// Any reply to PING will do but one: a server that loads its data is not there yet. Nor is one that refuses or ends the connection.
    fn answers(&self) -> bool {
        fn pings(mut stream: impl std::io::Read + std::io::Write) -> bool {
            let mut reply = [0; 64];
            stream.write_all(b"PING\r\n").is_ok() && stream.read(&mut reply).is_ok_and(|n| n > 0 && !reply.starts_with(b"-LOADING"))
        }
        let patience = Some(Duration::from_secs(1));
        let unix_socket = self.unix_socket();
        if unix_socket.exists() {
            return unix::UnixStream::connect(&unix_socket).is_ok_and(|stream| stream.set_read_timeout(patience).is_ok() && pings(stream));
        }
        TcpStream::connect(self.address()).is_ok_and(|stream| stream.set_read_timeout(patience).is_ok() && pings(stream))
    }

    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Where tests of unix sockets put theirs.
    pub fn unix_socket(&self) -> PathBuf {
        self.dir.join("server.sock")
    }

    /// Where [`Server::with_conf`] puts the configuration file.
    pub fn conf(&self) -> PathBuf {
        self.dir.join("server.conf")
    }

    fn log_path(&self) -> PathBuf {
        self.dir.join("log")
    }

    /// Everything printed so far, by all its lives.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.log_path()).unwrap_or_default()).into_owned()
    }

    #[track_caller]
    pub fn connect(&self) -> Conn {
        Conn::tcp(self.address())
    }

    /// One command on a connection of its own.
    #[track_caller]
    pub fn ask(&self, line: &str) -> super::Value {
        self.connect().run(line)
    }

    /// Whether it has this command.
    #[track_caller]
    pub fn knows(&self, command: &str) -> bool {
        let info = self.connect().cmd(&["COMMAND", "INFO", command]);
        matches!(info.items()[0], super::Value::Array(_))
    }

    /// A field of INFO, from any section.
    #[track_caller]
    pub fn info(&self, field: &str) -> String {
        let text = self.ask("INFO everything").text();
        super::info_field(&text, field).unwrap_or_else(|| panic!("no {field} in {text}")).to_owned()
    }

    /// Whether fields of INFO have these values, all at one moment.
    #[track_caller]
    pub fn shows(&self, fields: &[(&str, &str)]) -> bool {
        let text = self.ask("INFO everything").text();
        fields.iter().all(|(field, value)| super::info_field(&text, field) == Some(*value))
    }

    /// A field that is a number.
    #[track_caller]
    pub fn number<T: FromStr>(&self, field: &str) -> T {
        self.info(field).parse().unwrap_or_else(|_| panic!("{field} is no number"))
    }

    /// How many changes a command counts for.
    #[track_caller]
    pub fn changes_of(&self, line: &str) -> i64 {
        let changes = || self.info("rdb_changes_since_last_save").parse::<i64>().expect("a number");
        let before = changes();
        self.ask(line);
        changes() - before
    }

    /// Sends a command that is expected to wait, and waits until it does.
    #[track_caller]
    pub fn wait_in(&self, line: &str) -> Conn {
        let before: usize = self.info("blocked_clients").parse().expect("a number");
        let mut conn = self.connect();
        conn.send_cmd(&super::words(line));
        super::wait_until(|| self.info("blocked_clients") == (before + 1).to_string());
        conn
    }

    /// Resident memory, bytes.
    pub fn rss(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap();
        let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
        let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib * 1024
    }

    /// Open file descriptors.
    pub fn open_files(&self) -> usize {
        let dir = format!("/proc/{}/fd", self.pid);
        std::fs::read_dir(dir).unwrap().count()
    }

    pub fn signal(&self, name: &str) {
        signal(self.pid, name);
    }

    /// Waits for it to end by itself. The code is none when a signal ended it.
    #[track_caller]
    pub fn wait(&mut self) -> Option<i32> {
        let mut child = self.child.take().expect("it runs");
        let status = wait_for_exit(&mut child);
        if status.is_none() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let status = status.unwrap_or_else(|| panic!("it does not end: {}", self.log()));
        status.code()
    }

    pub fn running(&mut self) -> bool {
        match &mut self.child {
            Some(child) => child.try_wait().unwrap().is_none(),
            None => false,
        }
    }

    /// Ends it as a power cut would.
    pub fn kill9(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Ends it politely if it runs, and starts it again: same port, same directory, `args` as they are now.
    #[track_caller]
    pub fn restart(&mut self) {
        if self.running() {
            self.signal("TERM");
            self.wait();
        }
        self.spawn();
        assert!(self.wait_until_it_answers(), "{}", self.log());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            // Words that scripts/run-tests looks for: such a failure is not one of time.
            if let Some(child) = &mut self.child
                && let Ok(Some(status)) = child.try_wait()
                && status.code().is_none()
            {
                eprintln!("server {} was ended by a signal: {status}", self.port);
            }
            if let Some(report) = log.find("BUG REPORT START") {
                eprintln!("server {}: {}", self.port, &log[report..]);
            }
            let tail: Vec<_> = log.lines().rev().take(30).collect();
            for line in tail.iter().rev() {
                eprintln!("server {}: {line}", self.port);
            }
        }
        self.kill9();
    }
}
