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

/// Reads a reply's header, and then elements of these lines, so many bytes of them.
fn read_elements(stream: &mut TcpStream, header: &str, element: &[&str], bytes: usize) {
    let mut got = vec![0; header.len()];
    stream.read_exact(&mut got).unwrap();
    assert_eq!(String::from_utf8_lossy(&got), header);
    let unit = element.concat();
    let mut text = vec![0; bytes / unit.len() * unit.len()];
    stream.read_exact(&mut text).unwrap();
    assert!(text.chunks(unit.len()).all(|part| part == unit.as_bytes()), "{}", String::from_utf8_lossy(&text[..200]));
}

#[test]
fn a_reply_without_end_comes_as_it_is_read_and_holds_up_nobody() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    conn.run("SADD s member");
    conn.run("HSET h field value");
    conn.run("ZADD z 1.5 member");
    let pair = ["$5\r\nfield\r\n", "$5\r\nvalue\r\n"];
    for (request, header, element) in [
        ("SRANDMEMBER s -9223372036854775807", "*9223372036854775807\r\n", &["$6\r\nmember\r\n"][..]),
        ("HRANDFIELD h -9223372036854775807", "*9223372036854775807\r\n", &pair[..1]),
        ("HRANDFIELD h -4611686018427387903 WITHVALUES", "*9223372036854775806\r\n", &pair),
        ("ZRANDMEMBER z -4611686018427387903 WITHSCORES", "*9223372036854775806\r\n", &["$6\r\nmember\r\n", "$3\r\n1.5\r\n"]),
    ] {
        let mut endless = TcpStream::connect(server.address()).unwrap();
        std::io::Write::write_all(&mut endless, format!("{request}\r\nSET reached 1\r\n").as_bytes()).unwrap();
        read_elements(&mut endless, header, element, 3_000_000);
        // Nobody reads now: neither memory nor the loop goes on with it.
        let output = |server: &Server| server.ask("CLIENT LIST").text().lines().filter_map(|line| field(line, "omem=")).max().unwrap();
        assert!(output(&server) < 1_000_000);
        assert_eq!(conn.run("EXISTS reached").int(), 0, "what is behind it waits");
    }
}

/// A number of CLIENT LIST.
fn field(line: &str, name: &str) -> Option<u64> {
    line.split(' ').find_map(|word| word.strip_prefix(name)?.parse().ok())
}

#[test]
fn a_long_reply_is_whole_though_its_key_goes_and_the_next_request_comes_behind_it() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    conn.run("SADD s a b c");
    let mut long = server.connect();
    long.send(b"SRANDMEMBER s -2000000\r\nPING\r\n");
    // Nothing is read yet, so most of it is still to be made.
    replies!(conn, "SCARD s" => "3", "DEL s" => "1", "SADD s d" => "1", "DEL s" => "1");
    let members = long.recv().items();
    assert_eq!(members.len(), 2_000_000);
    assert!(members.iter().all(|member| ["a", "b", "c", "d"].contains(&member.text().as_str())));
    assert_eq!(long.recv().text(), "PONG");
    // In a transaction it is made at once, or not at all.
    conn.run("SADD s a");
    replies!(conn, "MULTI" => "OK", "SRANDMEMBER s -2000" => "QUEUED", "SRANDMEMBER s -9223372036854775807" => "QUEUED");
    let results = conn.run("EXEC").items();
    assert_eq!(results[0].items().len(), 2000);
    assert_eq!(results[1], Value::Error("ERR value is out of range, no more than 1048576 elements can be drawn here".into()));
}

#[test]
fn a_long_reply_beyond_the_clients_output_limit_ends_the_client_however_fast_it_reads() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    conn.run("HSET h field value");
    replies!(conn, "CONFIG SET client-output-buffer-limit \"normal 1000000 0 0\"" => "OK");
    let mut long = server.connect();
    long.send(b"HRANDFIELD h -999999999\r\nPING\r\n");
    assert_eq!(long.recv_to_end(), "", "it is not begun where it cannot be ended");
    let mut long = server.connect();
    long.send(b"HRANDFIELD h -160000\r\nPING\r\n");
    let read = long.recv_to_end();
    assert!(read.starts_with("*160000\r\n") && read.len() < 3_000_000 && !read.contains("PONG"), "{} bytes", read.len());
    assert!(server.log().contains("closed for overcoming of output buffer limits."));
}
