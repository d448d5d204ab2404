//! Clients that mean no good, all at once: the others are served, memory stays bounded, and nothing of them remains.

mod common;
use common::*;

use std::process::Command;
use std::time::{Duration, Instant};

const IDLE_CLIENTS: usize = 2000;

/// Numbers without a pattern, the same in every run.
struct Noise(u64);

impl Noise {
    fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut next = || {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 32) as u8
        };
        (0..len).map(|_| next()).collect()
    }
}

/// Lets this process, too, open as many files as the test needs.
fn raise_own_file_limit() {
    let own = std::process::id().to_string();
    let limit = format!("--nofile={}:", IDLE_CLIENTS + 500);
    let status = Command::new("prlimit").args(["--pid", &own, &limit]).status();
    assert!(status.unwrap().success(), "prlimit {limit}");
}

/// The longest of some round trips of an honest client.
fn longest_round_trip(conn: &mut Conn) -> Duration {
    let mut longest = Duration::ZERO;
    for i in 0..500 {
        let start = Instant::now();
        let value = i.to_string();
        assert_eq!(conn.cmd(&["SET", "honest", &value]), *"OK");
        assert_eq!(conn.cmd(&["GET", "honest"]).text(), value);
        longest = longest.max(start.elapsed());
    }
    longest
}

#[test]
fn the_hostile_and_the_idle_harm_nobody() {
    raise_own_file_limit();
    let server =
        Server::start(&["--maxclients", "3000", "--client-output-buffer-limit", "normal 8mb 0 0", "--client-query-buffer-limit", "4mb"]);
    let mut honest = server.connect();
    let value = vec![b'x'; 256 << 10];
    honest.cmd(&[b"SET".as_slice(), b"big", &value]);
    longest_round_trip(&mut honest);
    let (files_before, rss_before) = (server.open_files(), server.rss());

    // They say nothing.
    let idle: Vec<Conn> = (0..IDLE_CLIENTS).map(|_| server.connect()).collect();

    // They ask for much and read nothing: each goes when 8 MiB wait for it.
    let mut deaf: Vec<Conn> = (0..10).map(|_| server.connect()).collect();
    for conn in &mut deaf {
        for _ in 0..200 {
            if conn.try_send(b"GET big\r\n").is_err() {
                break;
            }
        }
    }

    // They begin and never end: with a large argument announced, in a header, in a word.
    let halves: [&[u8]; 6] = [
        b"*2\r\n$3\r\nGET\r\n$500000000\r\nabc",
        b"*1000000\r\n$3\r\nGET\r\n",
        b"*2\r\n$3\r\nGE",
        b"*",
        b"SET a ",
        b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$5\r\nhello\r",
    ];
    let mut begun: Vec<Conn> = Vec::new();
    for half in halves.iter().cycle().take(120) {
        let mut conn = server.connect();
        conn.send(half);
        begun.push(conn);
    }

    // They send noise, and some of it begins like a request.
    let mut noise = Noise(0x9E37_79B9_7F4A_7C15);
    let mut noisy = Vec::new();
    for i in 0..200 {
        let mut conn = server.connect();
        let mut bytes = noise.bytes(2000 + 37 * i);
        if i % 2 == 0 {
            bytes.splice(0..0, *b"*3\r\n$3\r\n");
        }
        let _ = conn.try_send(&bytes);
        noisy.push(conn);
    }

    // They send one byte at a time.
    let mut slow = server.connect();
    for byte in b"*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n" {
        slow.send(&[*byte]);
        replies!(honest, "PING" => "PONG");
    }
    assert_eq!(slow.recv(), *r#""hi""#);

    let longest = longest_round_trip(&mut honest);
    assert!(longest < Duration::from_millis(500), "{longest:?} among hostile clients");
    let grown = server.rss().saturating_sub(rss_before);
    // Ten times 8 MiB of replies, and some tens of KiB for each of 2,300 others.
    assert!(grown < 256 << 20, "{} MiB more", grown >> 20);
    assert!(server.info("connected_clients").parse::<usize>().unwrap() > IDLE_CLIENTS);

    drop((idle, deaf, begun, noisy, slow));
    wait_until(|| server.info("connected_clients") == "2");
    wait_until(|| server.open_files() <= files_before);
    longest_round_trip(&mut honest);
    assert_eq!(honest.run("DBSIZE"), *"2");
    let clients: u64 = server.info("mem_clients_normal").parse().unwrap();
    assert!(clients < 1 << 20, "{clients} bytes for two clients");
}

#[test]
fn announced_sizes_cost_nothing_until_they_are_sent() {
    let server = Server::start(&[]);
    let before = server.rss();
    let mut conns: Vec<Conn> = (0..50).map(|_| server.connect()).collect();
    for conn in &mut conns {
        conn.send(b"*2000000000\r\n$3\r\nSET\r\n$500000000\r\n");
    }
    replies!(server.connect(), "PING" => "PONG");
    let grown = server.rss().saturating_sub(before);
    if !is_reference() {
        assert!(grown < 64 << 20, "{} MiB for promises", grown >> 20);
    }
}
