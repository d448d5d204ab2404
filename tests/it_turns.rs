//! What one turn of the loop may take: everybody gets a part of each, however much somebody asks for.

mod common;
use common::{Server, Value};

use std::{
    io::Read,
    net::TcpStream,
    sync::atomic::{AtomicBool, Ordering},
};

/// Bytes of replies that leave in one turn, to all clients together.
const TURN_BYTES: u64 = 1 << 20;

fn turns(server: &Server) -> u64 {
    let report = server.ask("INFO loop").text();
    report.lines().find_map(|line| line.strip_prefix("loop_turns:")).unwrap().parse().unwrap()
}

#[test]
fn a_huge_reply_leaves_in_many_turns_however_fast_its_reader_is() {
    const VALUE: u64 = 64 << 20;
    const TIMES: u64 = 4;
    let server = Server::start(&["--client-output-buffer-limit", "normal 0 0 0"]);
    let mut conn = server.connect();
    conn.run(&format!("SETRANGE big {} x", VALUE - 1));
    let before = turns(&server);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut fast = TcpStream::connect(server.address()).unwrap();
            std::io::Write::write_all(&mut fast, "GET big\r\n".repeat(TIMES as usize).as_bytes()).unwrap();
            let wanted = TIMES * (VALUE + format!("${VALUE}\r\n\r\n").len() as u64);
            let (mut buffer, mut got) = (vec![0; 4 << 20], 0);
            while got < wanted {
                match fast.read(&mut buffer).unwrap() {
                    0 => panic!("closed after {got} bytes"),
                    n => got += n as u64,
                }
            }
            is_over.store(true, Ordering::Relaxed);
        });
        while !is_over.load(Ordering::Relaxed) {
            assert_eq!(conn.run("PING"), Value::Simple("PONG".into()));
        }
    });
    let turns = turns(&server) - before;
    assert!(turns >= TIMES * VALUE / TURN_BYTES, "{turns} turns");
}

#[test]
fn a_client_whose_output_is_over_its_limit_gets_no_further_in_its_pipeline() {
    let server = Server::start(&["--client-output-buffer-limit", "normal 1mb 0 0"]);
    let mut conn = server.connect();
    conn.run(&format!("SETRANGE big {} x", 400_000));
    for request in ["GET big", "LRANGE list 0 -1"] {
        conn.cmd(&["RPUSH", "list", &"x".repeat(400_000)]);
        let mut greedy = server.connect();
        greedy.send((format!("{request}\r\n").repeat(20) + "SET reached 1\r\n").as_bytes());
        assert!(greedy.closed());
        assert_eq!(conn.run("EXISTS reached").int(), 0);
    }
    // What a transaction asks for is done; its reply is not made any longer than the limit.
    let mut greedy = server.connect();
    greedy.send(("MULTI\r\n".to_owned() + &"GET big\r\n".repeat(20) + "SET reached 1\r\nEXEC\r\n").as_bytes());
    assert!(greedy.closed());
    assert_eq!(conn.run("EXISTS reached").int(), 1);
}

#[test]
fn a_thousand_connections_at_once_are_all_let_in() {
    let server = Server::start(&[]);
    let mut conns: Vec<_> = (0..1000).map(|_| TcpStream::connect(server.address()).unwrap()).collect();
    for conn in &mut conns {
        std::io::Write::write_all(conn, b"PING\r\n").unwrap();
    }
    for conn in &mut conns {
        let mut reply = [0; 7];
        conn.read_exact(&mut reply).unwrap();
        assert_eq!(&reply, b"+PONG\r\n");
    }
}
