//! TLS with those who do not keep to the protocol, or come all at once: others are served as before.

mod common;
#[path = "common/secure.rs"]
mod secure;

use common::{PATIENCE, wait_until};
use secure::Secure;
use std::{
    fs::File,
    io::{self, ErrorKind, Read, Write},
    net::TcpStream,
    process::{Child, ChildStdin, Command, Stdio},
    time::Instant,
};
use tempfile::TempDir;

/// Asks over a connection of its own, which stays.
struct Other<S: Read + Write>(S);

impl<S: Read + Write> Other<S> {
    #[track_caller]
    fn is_served(&mut self) {
        self.0.write_all(b"PING\r\n").unwrap();
        let mut reply = [0; 7];
        self.0.read_exact(&mut reply).unwrap();
        assert_eq!(&reply, b"+PONG\r\n");
    }
}

fn others(secure: &Secure) -> (Other<impl Read + Write + use<>>, Other<TcpStream>) {
    let plain = TcpStream::connect(secure.server.address()).unwrap();
    plain.set_read_timeout(Some(PATIENCE)).unwrap();
    (Other(secure.through(secure.socket())), Other(plain))
}

#[test]
fn beginnings_of_handshakes_and_what_is_none() {
    let secure = Secure::start(&["--tls-auth-clients", "no"]);
    let (mut encrypted, mut plain) = others(&secure);
    encrypted.is_served();
    plain.is_served();
    let files = secure.server.open_files();
    // A request, a record that is far too long, the beginning of a handshake that never comes whole, one of the wrong kind, nothing, and zeros.
    let beginnings: [&[u8]; 6] =
        [b"PING\r\n", b"\x16\x03\x01\xff\xff", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", b"\x17\x03\x03\x00\x05hello", b"", &[0; 40_000]];
    let mut open = Vec::new();
    for beginning in beginnings.iter().cycle().take(300) {
        let mut socket = secure.socket();
        // It may be closed before all is written.
        let _ = socket.write_all(beginning);
        open.push(socket);
    }
    encrypted.is_served();
    plain.is_served();
    // Half of the sockets close, the others wait for what never comes.
    open.truncate(150);
    encrypted.is_served();
    plain.is_served();
    drop(open);
    wait_until(|| secure.server.open_files() <= files);
}

#[test]
fn garbage_behind_the_handshake_ends_a_connection_behind_its_requests() {
    let secure = Secure::start(&["--tls-auth-clients", "no"]);
    let (mut encrypted, _) = others(&secure);
    encrypted.is_served();
    let mut client = secure.through(secure.socket());
    client.write_all(b"SET before garbage\r\n").unwrap();
    let mut ok = [0; 5];
    client.read_exact(&mut ok).unwrap();
    // In one piece with a whole record in front of it, which counts.
    client.conn.writer().write_all(b"SET with garbage\r\n").unwrap();
    let mut bytes = Vec::new();
    client.conn.write_tls(&mut bytes).unwrap();
    bytes.extend([0x17, 3, 3, 0, 64]);
    bytes.extend([7; 64]);
    client.sock.write_all(&bytes).unwrap();
    let mut rest = Vec::new();
    let end = client.read_to_end(&mut rest);
    assert!(end.is_err() && (rest.is_empty() || rest == b"+OK\r\n"), "{end:?} {rest:?}");
    assert_eq!(secure.server.ask("EXISTS before with").int(), 2);
    encrypted.is_served();
}

/// An `openssl s_client` to talk to.
struct Talk {
    child: Child,
    input: ChildStdin,
    dir: TempDir,
}

impl Talk {
    fn to(secure: &Secure, version: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let out = File::create(dir.path().join("out")).unwrap();
        let address = format!("127.0.0.1:{}", secure.port.port);
        let mut child = Command::new("openssl")
            .args(["s_client", "-connect", &address, "-CAfile", &secure.authority.path("ca.crt"), version])
            .stdin(Stdio::piped())
            .stderr(out.try_clone().unwrap())
            .stdout(out)
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let mut talk = Self { child, input, dir };
        talk.say("PING", "+PONG", 1);
        talk
    }

    /// Sends a line, or a letter that is an order to s_client, and waits until it has printed this so many times.
    #[track_caller]
    fn say(&mut self, line: &str, expected: &str, times: usize) {
        self.input.write_all(format!("{line}\r\n").as_bytes()).unwrap();
        wait_until(|| std::fs::read_to_string(self.dir.path().join("out")).unwrap().matches(expected).count() == times);
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn nobody_renegotiates_but_keys_are_renewed() {
    let secure = Secure::start(&["--tls-auth-clients", "no"]);
    let (mut encrypted, _) = others(&secure);
    let mut old = Talk::to(&secure, "-tls1_2");
    // It gives up when it is told that it may not.
    old.say("R", "no renegotiation", 1);
    encrypted.is_served();
    let mut new = Talk::to(&secure, "-tls1_3");
    new.say("K", "KEYUPDATE", 1);
    new.say("PING", "+PONG", 2);
    new.say("k", "KEYUPDATE", 2);
    new.say("PING", "+PONG", 3);
    encrypted.is_served();
}

#[test]
fn who_ends_early_is_forgotten() {
    let secure = Secure::start(&["--tls-auth-clients", "no"]);
    let (mut encrypted, _) = others(&secure);
    encrypted.is_served();
    let files = secure.server.open_files();
    // With the end of the stream alone, with one that is said, in the middle of a record, and with a reply on its way that nobody takes.
    for way in ["stream", "alert", "record", "reply"] {
        secure.server.ask("SETRANGE big 3000000 x");
        let mut client = secure.through(secure.socket());
        client.write_all(b"SET key value\r\n").unwrap();
        let mut ok = [0; 5];
        client.read_exact(&mut ok).unwrap();
        match way {
            "alert" => client.conn.send_close_notify(),
            "record" => client.sock.write_all(&[0x17, 3, 3, 1, 0, 7]).unwrap(),
            "reply" => client.write_all(b"GET big\r\n").unwrap(),
            _ => (),
        }
        client.flush().unwrap();
        drop(client);
        wait_until(|| secure.server.open_files() <= files);
    }
    encrypted.is_served();
}

/// As a client does that has said all that it has to say.
#[test]
fn who_half_closes_gets_its_replies() {
    let secure = Secure::start(&["--tls-auth-clients", "no"]);
    secure.server.ask("SETRANGE value 100000 x");
    let mut client = secure.through(secure.socket());
    client.write_all(b"GET value\r\nPING\r\n").unwrap();
    client.flush().unwrap();
    client.sock.shutdown(std::net::Shutdown::Write).unwrap();
    let mut got = Vec::new();
    // Redis, too, closes when it reads the end, with what it could send until then.
    let _ = client.read_to_end(&mut got);
    assert!(got.ends_with(b"+PONG\r\n"), "{} bytes", got.len());
}

#[test]
fn two_thousand_handshakes_at_once() {
    const HANDSHAKES: usize = 2_000;
    let secure = Secure::start(&["--tls-auth-clients", "no", "--maxclients", "4000", "--tcp-backlog", "4096"]);
    let (mut encrypted, mut plain) = others(&secure);
    encrypted.is_served();
    let mut waiting: Vec<_> = (0..HANDSHAKES).map(|_| secure.through(secure.socket())).collect();
    // All of them say what they begin with, and then nobody reads.
    for client in &mut waiting {
        client.sock.set_nonblocking(true).unwrap();
        client.conn.write_tls(&mut client.sock).unwrap();
    }
    plain.is_served();
    encrypted.is_served();
    assert_eq!(secure.server.info("connected_clients"), "3", "a connection is no client before its handshake is over");
    // Each goes on as far as it can, all at the same time; others are served between them.
    let mut replies = vec![Vec::new(); HANDSHAKES];
    waiting.iter_mut().for_each(|client| client.conn.writer().write_all(b"PING\r\n").unwrap());
    let deadline = Instant::now() + 3 * PATIENCE;
    while replies.iter().any(|reply| reply.len() < 7) {
        assert!(Instant::now() < deadline, "{} were never served", replies.iter().filter(|reply| reply.len() < 7).count());
        for (client, reply) in waiting.iter_mut().zip(&mut replies) {
            match go_on(client, reply) {
                Ok(()) => (),
                Err(error) if error.kind() == ErrorKind::WouldBlock => (),
                Err(error) => panic!("{error}"),
            }
        }
        plain.is_served();
        encrypted.is_served();
    }
    assert!(replies.iter().all(|reply| reply == b"+PONG\r\n"));
    drop(waiting);
    wait_until(|| secure.server.info("connected_clients") == "3");
}

type Client = rustls::StreamOwned<rustls::ClientConnection, TcpStream>;

/// Writes and reads what can be written and read without waiting.
fn go_on(client: &mut Client, reply: &mut Vec<u8>) -> io::Result<()> {
    while client.conn.wants_write() {
        client.conn.write_tls(&mut client.sock)?;
    }
    if client.conn.read_tls(&mut client.sock)? == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    let state = client.conn.process_new_packets().map_err(io::Error::other)?;
    let start = reply.len();
    reply.resize(start + state.plaintext_bytes_to_read(), 0);
    client.conn.reader().read_exact(&mut reply[start..])
}

#[test]
fn handshakes_count_as_clients_until_they_are_over() {
    let secure = Secure::start(&["--tls-auth-clients", "no", "--maxclients", "20"]);
    let (mut encrypted, mut plain) = others(&secure);
    encrypted.is_served();
    plain.is_served();
    let silent: Vec<_> = (0..18).map(|_| secure.socket()).collect();
    let is_refused = || {
        let mut byte = [0];
        matches!(secure.socket().read(&mut byte), Ok(0) | Err(_))
    };
    wait_until(is_refused);
    assert!(secure.server.number::<u64>("rejected_connections") > 0);
    encrypted.is_served();
    plain.is_served();
    drop(silent);
    wait_until(|| secure.anonymous(&["PING"]) == "PONG");
}

#[test]
fn a_handshake_that_lasts_is_given_up() {
    let secure = Secure::start(&["--tls-auth-clients", "no"]);
    let mut half = secure.socket();
    half.write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc").unwrap();
    let end = half.read_to_end(&mut Vec::new());
    assert!(!end.is_err_and(|error| error.kind() == ErrorKind::WouldBlock), "it is there still");
}
