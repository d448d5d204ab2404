//! TLS with real programs at the other end: the tools, servers of the family in both roles, a sentinel, and client libraries.

mod common;
#[path = "common/secure.rs"]
mod secure;

use common::{SMOKED, free_port, node, python, run, succeeds, wait_until};
use redis::{ClientTlsConfig, Commands, TlsCertificates};
use secure::{Authority, Secure};
use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// How long a failover may take: sentinel's own steps are seconds each.
const FAILOVER: Duration = Duration::from_secs(60);

#[test]
fn clients_talk_as_they_do_without() {
    let secure = Secure::start(&[]);
    assert_eq!(secure.cli(&["SET", "key", "value"]), "OK");
    assert_eq!(secure.cli(&["GET", "key"]), "value");
    assert_eq!(secure.server.ask("GET key").text(), "value");
    let listens = format!("name=tls,bind=127.0.0.1,port={}", secure.port.port);
    assert!(secure.server.ask("INFO server").text().contains(&listens));
    let benchmark = run(Command::new("redis-benchmark")
        .args(["-p", &secure.port.port.to_string(), "-n", "2000", "-P", "16", "-q", "-d", "3000", "-t", "set,get,lpush,lrange_100"])
        .args(secure.authority.client_args("client")));
    assert_eq!(benchmark.code, Some(0), "{benchmark:?}");
    assert!(benchmark.stdout.contains("GET: "), "{benchmark:?}");
}

#[test]
fn it_replicates_with_servers_of_the_family() {
    let authority = Authority::new();
    // Every link shows a certificate that is not the server's own.
    let (cert, key) = (authority.path("client.crt"), authority.path("client.key"));
    let args =
        ["--tls-replication", "yes", "--tls-client-cert-file", &cert, "--tls-client-key-file", &key, "--repl-diskless-sync-delay", "0"];
    let replicates = |from: &Secure, to: &Secure| {
        from.server.ask("SETRANGE big 3000000 x");
        to.server.ask(&format!("REPLICAOF 127.0.0.1 {}", from.port.port));
        wait_until(|| to.server.info("master_link_status") == "up");
        from.server.ask("SET key after");
        wait_until(|| to.server.ask("GET key").to_string() == "\"after\"");
        assert_eq!(to.server.ask("STRLEN big").int(), 3_000_001);
        let replica = format!("ip=127.0.0.1,port={},state=online", to.port.port);
        wait_until(|| from.server.ask("INFO replication").text().contains(&replica));
        to.server.ask("REPLICAOF NO ONE");
        for secure in [from, to] {
            secure.server.ask("FLUSHALL");
        }
    };
    let ours = Secure::started(authority.copy(), &common::program(), &args);
    for peer in common::peers() {
        let theirs = Secure::started(authority.copy(), &peer, &args);
        replicates(&ours, &theirs);
        replicates(&theirs, &ours);
    }
    let second = Secure::started(authority.copy(), &common::program(), &args);
    replicates(&ours, &second);
    // A primary that we do not trust is no primary, nor are we to be trusted there.
    let stranger = Secure::start(&["--tls-replication", "yes"]);
    stranger.server.ask(&format!("REPLICAOF 127.0.0.1 {}", ours.port.port));
    wait_until(|| stranger.server.log().contains("Error condition on socket for SYNC"));
    assert_eq!(stranger.server.info("master_link_status"), "down");
}

/// A real sentinel that speaks nothing but TLS, and the name and password of a user of its own.
struct Sentinel {
    child: Child,
    options: Vec<String>,
    dir: tempfile::TempDir,
    _lease: common::PortLease,
}

impl Sentinel {
    fn over(primary: &Secure) -> Self {
        let (dir, lease) = (tempfile::tempdir().unwrap(), free_port());
        let conf = dir.path().join("sentinel.conf");
        let tls = primary.authority.server_args();
        let tls: String = tls.chunks(2).map(|pair| format!("{} {}\n", pair[0].trim_start_matches('-'), pair[1])).collect();
        let text = format!(
            "port 0\ntls-port {}\ntls-replication yes\n{tls}bind 127.0.0.1\ndir {}\nsentinel monitor house 127.0.0.1 {} 1\n\
             sentinel auth-user house sentinel\nsentinel auth-pass house secret\nsentinel down-after-milliseconds house 3000\n\
             sentinel failover-timeout house 6000\n",
            lease.port,
            dir.path().display(),
            primary.port.port
        );
        std::fs::write(&conf, text).unwrap();
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let child = Command::new("redis-sentinel").arg(&conf).stdin(Stdio::null()).stdout(log).spawn().unwrap();
        let mut options = vec!["-p".to_owned(), lease.port.to_string()];
        options.extend(primary.authority.client_args("client"));
        Self { child, options, dir, _lease: lease }
    }

    fn ask(&self, args: &[&str]) -> String {
        let output = run(Command::new("redis-cli").args(&self.options).args(args));
        output.stdout + &output.stderr
    }

    fn eventually(&self, what: &str, mut done: impl FnMut() -> bool) {
        let deadline = Instant::now() + FAILOVER;
        while !done() {
            assert!(Instant::now() < deadline, "never: {what}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_sentinel_replaces_a_primary_over_tls_as_a_user_of_its_own() {
    let authority = Authority::new();
    // The rights that Redis's documentation gives a sentinel's user.
    let user = "sentinel allchannels +multi +slaveof +ping +exec +subscribe +config|rewrite +role +publish +info +client|setname +client|kill +script|kill on >secret";
    let args = ["--tls-replication", "yes", "--repl-diskless-sync-delay", "0", "--repl-timeout", "5"];
    let mut primary = Secure::started(authority.copy(), &common::program(), &args);
    let of = format!("127.0.0.1 {}", primary.port.port);
    let replica = Secure::started(authority.copy(), &common::program(), &[&args[..], &["--replicaof", &of]].concat());
    for secure in [&primary, &replica] {
        assert_eq!(secure.server.ask(&format!("ACL SETUSER {user}")).text(), "OK");
    }
    wait_until(|| replica.server.info("master_link_status") == "up");
    primary.server.ask("SET key value");
    let sentinel = Sentinel::over(&primary);
    sentinel.eventually("the replica is known", || {
        let replicas = sentinel.ask(&["SENTINEL", "REPLICAS", "house"]);
        replicas.contains(&format!("127.0.0.1:{}", replica.port.port)) && replicas.contains("master-link-status\nok")
    });
    primary.server.kill9();
    sentinel.eventually("the replica is the primary", || replica.server.info("role") == "master");
    sentinel.eventually("the sentinel says so", || {
        sentinel.ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "house"]).contains(&replica.port.port.to_string())
    });
    assert_eq!(replica.cli(&["GET", "key"]), "value");
}

/// Runs a program of tests/clients over TLS, with each protocol.
fn smoke(command: impl Fn() -> Command) {
    for protocol in ["2", "3"] {
        let secure = Secure::start(&[]);
        let dir = secure.authority.dir.path();
        succeeds(command().args([&secure.port.port.to_string(), protocol]).arg(dir), SMOKED);
    }
}

#[test]
fn redis_py() {
    smoke(|| python("tests/clients/smoke.py"));
}

#[test]
fn ioredis() {
    smoke(|| node("tests/clients/smoke.cjs"));
}

#[test]
fn the_redis_crate() {
    let secure = Secure::start(&[]);
    let read = |name| std::fs::read(secure.authority.path(name)).unwrap();
    let client_tls = ClientTlsConfig { client_cert: read("client.crt"), client_key: read("client.key") };
    let certificates = TlsCertificates { client_tls: Some(client_tls), root_cert: Some(read("ca.crt")) };
    let client = redis::Client::build_with_tls(format!("rediss://localhost:{}", secure.port.port), certificates).unwrap();
    let mut con = client.get_connection().unwrap();
    let value = vec![b'v'; 3_000_000];
    let () = con.set("key", &value).unwrap();
    assert_eq!(con.get::<_, Vec<u8>>("key").unwrap(), value);
    let mut pipe = redis::pipe();
    (0..10_000).for_each(|i| _ = pipe.set(i, i).ignore().get(i));
    assert_eq!(pipe.query::<Vec<i32>>(&mut con).unwrap(), (0..10_000).collect::<Vec<_>>());
    let mut other = client.get_connection().unwrap();
    let mut subscriber = other.as_pubsub();
    subscriber.subscribe("news").unwrap();
    let () = con.publish("news", "said").unwrap();
    assert_eq!(subscriber.get_message().unwrap().get_payload::<String>().unwrap(), "said");
}
