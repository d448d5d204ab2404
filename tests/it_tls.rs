//! TLS: who is let in, what passes, and what settings do.

mod common;
#[path = "common/secure.rs"]
mod secure;

use common::{Server, free_port, run, wait_until};
use secure::{Authority, Secure};
use std::{
    io::{self, Read, Write},
    net::TcpStream,
    process::Command,
};

/// A socket that takes and gives a few bytes at a time.
struct Drip(TcpStream, usize);

impl Read for Drip {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = into.len().min(self.1);
        self.0.read(&mut into[..n])
    }
}

impl Write for Drip {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(&bytes[..bytes.len().min(self.1)])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[test]
fn no_split_of_the_bytes_matters_and_no_size() {
    let secure = Secure::start(&["--tls-auth-clients", "no"]);
    for (drip, size) in [(1, 3_000), (7, 40_000), (16_411, 3_000_000), (usize::MAX, 20_000_000)] {
        let mut client = secure.through(Drip(secure.socket(), drip));
        let value = vec![b'v'; size];
        client.write_all(format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${size}\r\n").as_bytes()).unwrap();
        client.write_all(&value).unwrap();
        client.write_all(b"\r\nGET k\r\nPING\r\n").unwrap();
        let mut expected = format!("+OK\r\n${size}\r\n").into_bytes();
        expected.extend(&value);
        expected.extend(b"\r\n+PONG\r\n");
        let mut got = vec![0; expected.len()];
        client.read_exact(&mut got).unwrap();
        assert!(got == expected, "{drip} {size}");
    }
}

#[test]
fn a_slow_reader_gets_all_that_it_is_owed_and_then_the_end() {
    let secure = Secure::start(&["--tls-auth-clients", "no"]);
    secure.server.ask("SETRANGE big 5000000 x");
    let mut client = secure.through(secure.socket());
    client.write_all(b"GET big\r\nGET big\r\nQUIT\r\n").unwrap();
    client.flush().unwrap();
    // The engine has given everything away, or as much as it may, before anything is read.
    wait_until(|| secure.server.ask("CLIENT LIST").text().contains("qbuf=0"));
    let mut got = Vec::new();
    client.read_to_end(&mut got).unwrap();
    assert_eq!(got.len(), 2 * (5_000_001 + "$5000001\r\n\r\n".len()) + "+OK\r\n".len());
    assert!(got.ends_with(b"x\r\n+OK\r\n"));
}

#[test]
fn who_must_show_a_certificate_is_a_setting() {
    let secure = Secure::start(&[]);
    assert_ne!(secure.anonymous(&["PING"]), "PONG");
    secure.server.ask("CONFIG SET tls-auth-clients no");
    assert_eq!(secure.anonymous(&["PING"]), "PONG");
    secure.server.ask("CONFIG SET tls-auth-clients optional");
    assert_eq!((secure.anonymous(&["PING"]), secure.cli(&["PING"])), ("PONG".into(), "PONG".into()));
    secure.server.ask("CONFIG SET tls-auth-clients yes");
    assert_ne!(secure.anonymous(&["PING"]), "PONG");
    assert_eq!(secure.cli(&["PING"]), "PONG");
}

#[test]
fn strangers_and_certificates_of_another_time_are_refused() {
    let secure = Secure::start(&[]);
    let other = Authority::new();
    let mut stranger = other.client_args("client");
    stranger[2] = secure.authority.path("ca.crt");
    assert_ne!(secure.cli_with(&stranger, &["PING"]), "PONG");
    // The client is told before the log.
    let logged = "Error accepting a client connection: invalid peer certificate: BadSignature (addr=127.0.0.1:";
    wait_until(|| secure.server.log().contains(logged));
    secure.server.ask("CONFIG SET tls-auth-clients optional");
    assert_ne!(secure.cli_with(&stranger, &["PING"]), "PONG", "none will do, a bad one will not");
    secure.authority.give("late", "late", &["-days", "-1"]);
    assert_ne!(secure.cli_with(&secure.authority.client_args("late"), &["PING"]), "PONG");
    // Without TLS at its port, and with it at the other.
    assert_ne!(secure.cli_with(&[], &["PING"]), "PONG");
    assert_eq!(secure.cli(&["PING"]), "PONG");
}

#[test]
fn a_certificate_is_a_user() {
    let secure = Secure::start(&["--tls-auth-clients-user", "CN"]);
    secure.authority.give("alice", "alice", &["-days", "30"]);
    let alice = secure.authority.client_args("alice");
    secure.server.ask("ACL SETUSER alice on >secret ~* +@all");
    assert_eq!(secure.cli_with(&alice, &["ACL", "WHOAMI"]), "alice");
    assert_eq!(secure.cli(&["ACL", "WHOAMI"]), "default", "nobody is called client");
    let told = || {
        let log = secure.server.ask("ACL LOG 1").items();
        ["reason", "context", "object", "username", "count"].map(|field| log[0].get(field).to_string()).join(" ")
    };
    assert_eq!(told(), r#""tls-cert" "toplevel" "" "client" 1"#);
    secure.server.ask("ACL SETUSER alice off");
    assert_eq!(secure.cli_with(&alice, &["ACL", "WHOAMI"]), "default");
    assert_eq!(told(), r#""tls-cert" "toplevel" "" "alice" 1"#);
    assert_eq!(secure.server.info("acl_access_denied_tls_cert"), "2");
    secure.server.ask("CONFIG SET tls-auth-clients-user URI");
    secure.server.ask("ACL SETUSER urn:user:client on nopass ~* +@all");
    assert_eq!(secure.cli(&["ACL", "WHOAMI"]), "urn:user:client");
    secure.authority.give("two", "two,URI:urn:user:three", &["-days", "30"]);
    let two = secure.authority.client_args("two");
    secure.server.ask("ACL SETUSER urn:user:two off");
    secure.server.ask("ACL SETUSER urn:user:three on nopass ~* +@all");
    assert_eq!(secure.cli_with(&two, &["ACL", "WHOAMI"]), "urn:user:three", "the first who may authenticate");
    secure.server.ask("CONFIG SET tls-auth-clients-user off");
    assert_eq!(secure.cli(&["ACL", "WHOAMI"]), "default");
}

#[test]
fn certificates_change_under_way_and_bad_ones_change_nothing() {
    let secure = Secure::start(&["--tls-auth-clients", "no"]);
    secure.authority.give("new", "new", &["-days", "30"]);
    let set = |pairs: &[(&str, &str)]| {
        let words = pairs.iter().flat_map(|(name, file)| [name.to_string(), secure.authority.path(file)]);
        let command: Vec<String> = ["CONFIG".to_owned(), "SET".to_owned()].into_iter().chain(words).collect();
        secure.server.connect().cmd(&command).text()
    };
    let subject = || secure.s_client(&[], b"").lines().find(|line| line.starts_with("subject=")).unwrap_or_default().to_owned();
    let mut old = secure.through(secure.socket());
    old.write_all(b"PING\r\n").unwrap();
    assert!(subject().ends_with("CN = server"));
    let refused = set(&[("tls-cert-file", "new.crt")]);
    assert!(refused.contains("Unable to update TLS configuration. Check server logs."), "{refused}");
    assert!(secure.server.log().contains("the key is not that of the certificate"));
    assert!(subject().ends_with("CN = server"));
    assert_eq!(set(&[("tls-cert-file", "new.crt"), ("tls-key-file", "new.key")]), "OK");
    assert!(subject().ends_with("CN = new"));
    // Who is there stays.
    old.write_all(b"PING\r\n").unwrap();
    let mut replies = [0; 14];
    old.read_exact(&mut replies).unwrap();
    assert_eq!(&replies, b"+PONG\r\n+PONG\r\n");
}

#[test]
fn files_that_change_are_read_again_where_that_is_asked_for() {
    let secure = Secure::start(&["--tls-auth-clients", "no", "--tls-auto-reload-interval", "1"]);
    secure.authority.give("new", "new", &["-days", "30"]);
    for kind in ["key", "crt"] {
        std::fs::copy(secure.authority.path(&format!("new.{kind}")), secure.authority.path(&format!("server.{kind}"))).unwrap();
    }
    wait_until(|| secure.s_client(&[], b"").contains("subject=O = Test, CN = new"));
}

#[test]
fn authorities_of_a_directory_come_and_go_where_that_is_asked_for() {
    let other = Authority::new();
    let dir = other.dir.path().join("authorities");
    std::fs::create_dir(&dir).unwrap();
    let secure = Secure::start(&["--tls-auto-reload-interval", "1"]);
    let trusted = dir.join("ca.pem");
    std::fs::copy(secure.authority.path("ca.crt"), &trusted).unwrap();
    let command = ["CONFIG", "SET", "tls-ca-cert-file", "", "tls-ca-cert-dir", dir.to_str().unwrap()];
    assert_eq!(secure.server.connect().cmd(&command).text(), "OK");
    let mut stranger = other.client_args("client");
    stranger[2] = secure.authority.path("ca.crt");
    assert_eq!(secure.cli(&["PING"]), "PONG");
    assert_ne!(secure.cli_with(&stranger, &["PING"]), "PONG");
    // In place: nothing changes of the directory itself.
    std::fs::write(&trusted, std::fs::read(other.path("ca.crt")).unwrap()).unwrap();
    wait_until(|| secure.cli_with(&stranger, &["PING"]) == "PONG");
    assert_ne!(secure.cli(&["PING"]), "PONG");
    std::fs::copy(secure.authority.path("ca.crt"), dir.join("another.pem")).unwrap();
    wait_until(|| secure.cli(&["PING"]) == "PONG");
    assert_eq!(secure.cli_with(&stranger, &["PING"]), "PONG");
}

/// As valkey-server 9.1 shows them; Redis has no such section.
#[test]
fn info_shows_which_certificates_are_in_use() {
    let secure = Secure::start(&[]);
    let serial = |file: &str| {
        let output = run(Command::new("openssl").args(["x509", "-noout", "-serial", "-in", &secure.authority.path(file)]));
        output.stdout.trim().strip_prefix("serial=").unwrap().to_owned()
    };
    let server = &secure.server;
    assert!(server.ask("INFO").text().contains("\r\n# TLS\r\ntls_server_cert_serial:"));
    let shown = || ["server", "client", "ca"].map(|whose| server.info(&format!("tls_{whose}_cert_serial")));
    assert_eq!(shown(), [serial("server.crt"), "none".to_owned(), serial("ca.crt")]);
    const DAY: i64 = 24 * 3600;
    let left = || ["server", "client", "ca"].map(|whose| server.number::<i64>(&format!("tls_{whose}_cert_expires_in_seconds")));
    assert!(matches!(left(), [ours, 0, authority] if ours.min(authority) > 29 * DAY && ours.max(authority) <= 30 * DAY), "{:?}", left());
    secure.authority.give("late", "late", &["-days", "-1"]);
    let [cert, key] = ["late.crt", "late.key"].map(|file| secure.authority.path(file));
    let command = ["CONFIG", "SET", "tls-client-cert-file", &cert, "tls-client-key-file", &key];
    assert_eq!(server.connect().cmd(&command).text(), "OK");
    assert_eq!((shown()[1].clone(), left()[1]), (serial("late.crt"), 0));
    let complaint = format!("the client's TLS certificate with serial number {} has expired", serial("late.crt"));
    assert!(server.log().contains(&complaint), "{}", server.log());
    assert!(!Server::start(&[]).ask("INFO everything").text().contains("# TLS"));
}

#[test]
fn a_key_may_have_a_password() {
    let secure = Secure::start(&["--tls-auth-clients", "no"]);
    secure.authority.openssl(&[
        "pkcs8",
        "-topk8",
        "-in",
        "server.key",
        "-out",
        "sealed.key",
        "-v2",
        "aes-256-cbc",
        "-passout",
        "pass:1234",
    ]);
    let sealed = secure.authority.path("sealed.key");
    let refused = secure.server.ask(&format!("CONFIG SET tls-key-file {sealed}")).text();
    assert!(refused.contains("Unable to update TLS"), "{refused}");
    assert_eq!(secure.server.ask("CONFIG SET tls-key-file-pass 1234").text(), "OK");
    assert_eq!(secure.server.ask(&format!("CONFIG SET tls-key-file {sealed}")).text(), "OK");
    assert_eq!(secure.anonymous(&["PING"]), "PONG");
}

#[test]
fn versions_and_ciphers_are_those_that_are_set() {
    let secure = Secure::start(&["--tls-auth-clients", "no"]);
    let speaks = |args: &[&str]| secure.s_client(args, b"").contains("Cipher is ") && !secure.s_client(args, b"").contains("(NONE)");
    assert!(speaks(&["-tls1_2"]) && speaks(&["-tls1_3"]));
    secure.server.ask("CONFIG SET tls-protocols TLSv1.2");
    assert!(speaks(&["-tls1_2"]) && !speaks(&["-tls1_3"]));
    secure.server.ask("CONFIG SET tls-ciphers ECDHE-ECDSA-AES128-GCM-SHA256");
    assert!(secure.s_client(&[], b"").contains("Cipher is ECDHE-ECDSA-AES128-GCM-SHA256"));
    secure.server.ask("CONFIG SET tls-protocols TLSv1.3");
    assert!(!speaks(&["-tls1_2"]) && speaks(&["-tls1_3"]));
    secure.server.ask("CONFIG SET tls-ciphersuites TLS_CHACHA20_POLY1305_SHA256");
    assert!(secure.s_client(&[], b"").contains("Cipher is TLS_CHACHA20_POLY1305_SHA256"));
    for (setting, reason) in
        [("tls-protocols TLSv1.1", "rustls does not speak"), ("tls-ciphers AES128-SHA256", "no CBC and no RSA key exchange")]
    {
        let refused = secure.server.ask(&format!("CONFIG SET {setting}")).text();
        assert!(refused.contains(reason), "{refused}");
    }
}

#[test]
fn a_session_is_taken_up_again_if_they_are_kept() {
    let secure = Secure::start(&["--tls-auth-clients", "no"]);
    let resumes = || secure.s_client(&["-tls1_2", "-reconnect"], b"").matches("Reused, TLSv1.2").count();
    assert!(resumes() > 0);
    secure.server.ask("CONFIG SET tls-session-caching no");
    assert_eq!(resumes(), 0);
}

#[test]
fn the_port_goes_from_one_kind_to_the_other() {
    let secure = Secure::start(&["--tls-auth-clients", "no"]);
    let port = secure.port.port.to_string();
    let plain = || secure.cli_with(&[], &["PING"]);
    assert_eq!(secure.cli(&["CONFIG", "SET", "tls-port", "0"]), "OK");
    assert_eq!(secure.server.ask(&format!("CONFIG SET port {port}")).text(), "OK");
    assert_eq!(plain(), "PONG");
    assert_eq!(secure.cli_with(&[], &["CONFIG", "SET", "port", "0", "tls-port", &port]), "OK");
    assert_eq!(secure.anonymous(&["PING"]), "PONG");
    assert_eq!(secure.anonymous(&["CONFIG", "GET", "port"]), "port\n0");
}

#[test]
fn keys_are_moved_over_it() {
    let ours = Secure::start(&["--tls-cluster", "yes"]);
    let target = Secure::start(&["--tls-auth-clients", "no"]);
    ours.server.ask(&format!("CONFIG SET tls-ca-cert-file {}", target.authority.path("ca.crt")));
    ours.server.ask("SET key value");
    let migrate = format!("MIGRATE 127.0.0.1 {} key 0 5000", target.port.port);
    assert_eq!(ours.server.ask(&migrate).text(), "OK");
    assert_eq!((target.server.ask("GET key").text(), ours.server.ask("EXISTS key").int()), ("value".into(), 0));
}

#[test]
fn what_cannot_be_configured_stops_the_start() {
    let authority = Authority::new();
    let start = |more: &[&str]| {
        let port = free_port().port.to_string();
        let output = run(Command::new(common::program()).args(["--port", "0", "--tls-port", &port]).args(more));
        assert_eq!(output.code, Some(1), "{output:?}");
        output.stdout + &output.stderr
    };
    let (cert, key) = (authority.path("server.crt"), authority.path("server.key"));
    let check = |more: &[&str]| run(Command::new(common::program()).args(["--check-config", "--tls-port", "1"]).args(more));
    authority.give("late", "late", &["-days", "-1"]);
    let [late, late_key, ca] = ["late.crt", "late.key", "ca.crt"].map(|file| authority.path(file));
    let with = |cert, key, ca| ["--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", ca];
    let output = check(&with(&cert, &key, &ca));
    assert_eq!((output.code, output.stdout.as_str(), output.stderr.as_str()), (Some(0), "Configuration OK\n", ""));
    let output = check(&with(&late, &late_key, &ca));
    assert!(output.code == Some(0) && output.stderr.contains("the server's TLS certificate with serial number"), "{output:?}");
    for (args, reason) in [
        (with(&cert, &late_key, &ca), "the key is not that of the certificate in"),
        (with(&cert, &key, &key), "there is no certificate in PEM form in it"),
        (with("/nowhere", &key, &ca), "/nowhere: No such file or directory"),
    ] {
        let output = check(&args);
        assert!(output.code == Some(1) && output.stderr.contains(reason), "{output:?}");
    }
    for (args, reason) in [
        (vec![], "No tls-cert-file configured!"),
        (vec!["--tls-cert-file", &cert], "No tls-key-file configured!"),
        (vec!["--tls-cert-file", &cert, "--tls-key-file", &key], "Either tls-ca-cert-file or tls-ca-cert-dir must be specified"),
    ] {
        let said = start(&args);
        assert!(said.contains(reason) && said.contains("Failed to configure TLS. Check logs for more info."), "{said}");
    }
}
