//! A real redis-sentinel over a primary and two replicas: the primary is killed, a replica takes its place, and the old one comes back as
//! a replica. `SOLOD_TEST_FAILOVERS=20 cargo test --profile checked --test it_sentinel` does it so many times.

mod common;

use common::{Conn, PortLease, Server, free_port, wait_until};
use std::{
    net::{Ipv4Addr, SocketAddr},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU16, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// How long a failover may take: sentinel's own steps are seconds each.
const FAILOVER: Duration = Duration::from_secs(60);

struct Sentinel {
    child: Child,
    lease: PortLease,
    _dir: tempfile::TempDir,
}

impl Sentinel {
    fn over(primary: &Server) -> Sentinel {
        let (dir, lease) = (tempfile::tempdir().unwrap(), free_port());
        let conf = dir.path().join("sentinel.conf");
        let text = format!(
            "port {}\nbind 127.0.0.1\ndir {}\nsentinel monitor house 127.0.0.1 {} 1\nsentinel down-after-milliseconds house 3000\n\
             sentinel failover-timeout house 6000\nsentinel parallel-syncs house 2\n",
            lease.port,
            dir.path().display(),
            primary.port
        );
        std::fs::write(&conf, text).unwrap();
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let child = Command::new("redis-sentinel").arg(&conf).stdin(Stdio::null()).stdout(log).spawn().unwrap();
        let sentinel = Sentinel { child, lease, _dir: dir };
        wait_until(|| std::net::TcpStream::connect(sentinel.address()).is_ok());
        sentinel
    }

    fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.lease.port).into()
    }

    fn ask(&self, line: &str) -> common::Value {
        Conn::tcp(self.address()).run(line)
    }

    fn primary_port(&self) -> u16 {
        self.ask("SENTINEL GET-MASTER-ADDR-BY-NAME house").items()[1].text().parse().unwrap()
    }

    /// Replicas that it knows and takes for well.
    fn replicas(&self) -> usize {
        let replicas = self.ask("SENTINEL REPLICAS house").items();
        replicas.iter().filter(|r| r.get("flags").text() == "slave" && r.get("master-link-status").text() == "ok").count()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self._dir.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("sentinel: {}", self.log());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn eventually(sentinel: &Sentinel, what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + FAILOVER;
    while !done() {
        assert!(Instant::now() < deadline, "never: {what}\n{}", sentinel.log());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Writes numbered keys to whoever is the primary, and remembers those that WAIT has confirmed.
fn writer(port: Arc<AtomicU16>, stop: Arc<AtomicBool>) -> JoinHandle<Vec<u32>> {
    std::thread::spawn(move || {
        let (mut confirmed, mut i) = (Vec::new(), 0u32);
        while !stop.load(Ordering::Relaxed) {
            let address: SocketAddr = (Ipv4Addr::LOCALHOST, port.load(Ordering::Relaxed)).into();
            if std::net::TcpStream::connect(address).is_err() {
                std::thread::sleep(Duration::from_millis(10));
                continue;
            }
            // A connection that dies ends the round, and what it has not confirmed counts for nothing.
            let round = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let mut conn = Conn::tcp(address);
                while !stop.load(Ordering::Relaxed) && port.load(Ordering::Relaxed) == address.port() {
                    i += 1;
                    let set = conn.run(&format!("SET confirmed:{i} {i}")).to_string();
                    if set != "OK" {
                        std::thread::sleep(Duration::from_millis(20));
                        break;
                    }
                    if conn.run("WAIT 1 500").int() >= 1 {
                        confirmed.push(i);
                    }
                }
            }));
            drop(round);
        }
        confirmed
    })
}

#[test]
fn a_killed_primary_is_replaced_and_comes_back_as_a_replica() {
    let times = std::env::var("SOLOD_TEST_FAILOVERS").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let args = ["--repl-diskless-sync-delay", "0", "--repl-timeout", "5"];
    let mut servers = vec![Server::start(&args)];
    if !servers[0].knows("SUBSCRIBE") {
        // Sentinel takes a server for gone that it cannot subscribe to.
        return eprintln!("skipped: there is no SUBSCRIBE yet");
    }
    for _ in 0..2 {
        let of = format!("127.0.0.1 {}", servers[0].port);
        servers.push(Server::start(&[&args[..], &["--replicaof", &of]].concat()));
    }
    for replica in &servers[1..] {
        wait_until(|| replica.info("master_link_status") == "up");
    }
    let sentinel = Sentinel::over(&servers[0]);
    // Where a write goes that WAIT has not confirmed is nobody's promise: silence about those that were cut off.
    std::panic::set_hook(Box::new(|info| {
        if std::thread::current().name().is_some() {
            eprintln!("{info}");
        }
    }));
    let port = Arc::new(AtomicU16::new(servers[0].port));
    let stop = Arc::new(AtomicBool::new(false));
    let writing = writer(port.clone(), stop.clone());
    for round in 0..times {
        eventually(&sentinel, "two replicas are known", || sentinel.replicas() == 2);
        let before = sentinel.primary_port();
        let killed = servers.iter_mut().find(|s| s.port == before).unwrap();
        killed.kill9();
        eventually(&sentinel, "another primary", || sentinel.primary_port() != before);
        let now = sentinel.primary_port();
        port.store(now, Ordering::Relaxed);
        let promoted = servers.iter().find(|s| s.port == now).unwrap();
        eventually(&sentinel, "it says so", || promoted.info("role") == "master");
        // It has nothing but its own command line, by which it may be a primary: sentinel tells it what it is now.
        let killed = servers.iter_mut().find(|s| s.port == before).unwrap();
        killed.restart();
        let killed = servers.iter().find(|s| s.port == before).unwrap();
        eventually(&sentinel, "the old primary is a replica", || {
            killed.info("role") == "slave" && killed.info("master_link_status") == "up" && killed.info("master_port") == now.to_string()
        });
        eprintln!("failover {round}: {before} -> {now}");
    }
    stop.store(true, Ordering::Relaxed);
    let confirmed = writing.join().unwrap();
    assert!(!confirmed.is_empty());
    let primary = servers.iter().find(|s| s.port == sentinel.primary_port()).unwrap();
    let mut conn = primary.connect();
    let lost: Vec<_> = confirmed.iter().filter(|i| conn.run(&format!("EXISTS confirmed:{i}")).int() == 0).collect();
    assert!(lost.is_empty(), "{} of {} confirmed writes are lost: {lost:?}", lost.len(), confirmed.len());
    eprintln!("{} writes confirmed, none lost", confirmed.len());
}
