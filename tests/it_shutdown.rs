//! A primary does not leave before its replicas have what it has, unless they take too long, it is told to, or the shutdown is called off.

mod common;

use common::{Conn, Server, wait_until};

/// A replica that says nothing but what it is told to say.
fn replica(server: &Server) -> Conn {
    let mut conn = server.connect();
    conn.send(b"PSYNC ? -1\r\n");
    wait_until(|| server.info("connected_slaves") == "1" && server.info("slave0").contains("state=online"));
    conn
}

fn is_shutting_down(server: &Server) -> bool {
    server.ask("INFO server").text().contains("shutdown_in_milliseconds:")
}

fn acknowledge(replica: &mut Conn, server: &Server) {
    replica.send(format!("REPLCONF ACK {}\r\n", server.info("master_repl_offset")).as_bytes());
}

#[test]
fn it_waits_until_replicas_have_everything() {
    for by_signal in [false, true] {
        let mut server = Server::start(&["--save", ""]);
        let mut replica = replica(&server);
        assert_eq!(server.ask("SET k 1"), *"OK");
        let mut asks = server.connect();
        if by_signal {
            server.signal("TERM");
        } else {
            asks.send(b"SHUTDOWN\r\n");
        }
        wait_until(|| is_shutting_down(&server));
        let mut writes = server.connect();
        writes.send(b"SET k 2\r\n");
        wait_until(|| server.info("blocked_clients") == if by_signal { "1" } else { "2" });
        assert_eq!(server.ask("GET k").text(), "1", "reads go on");
        acknowledge(&mut replica, &server);
        assert_eq!(server.wait(), Some(0));
        assert!(asks.closed() && writes.closed());
        let log = server.log();
        assert!(log.contains("Waiting for replicas before shutting down."));
        assert!(log.contains("1 of 1 replicas are in sync when shutting down."));
        assert!(!log.contains("Lagging replica"));
    }
}

#[test]
fn it_can_be_called_off() {
    let server = Server::start(&["--save", ""]);
    let _replica = replica(&server);
    let (mut one, mut two, mut writes) = (server.connect(), server.connect(), server.connect());
    server.ask("SET k 1");
    one.send(b"SHUTDOWN\r\nPING\r\n");
    wait_until(|| is_shutting_down(&server));
    two.send(b"SHUTDOWN SAVE\r\n");
    writes.send(b"INCR k\r\n");
    wait_until(|| server.info("blocked_clients") == "3");
    assert_eq!(server.ask("SHUTDOWN ABORT"), *"OK");
    for conn in [&mut one, &mut two] {
        assert_eq!(conn.recv(), *"-ERR Errors trying to SHUTDOWN. Check logs.");
    }
    assert_eq!(one.recv(), *"PONG");
    assert_eq!(writes.recv().int(), 2);
    assert_eq!(server.ask("SHUTDOWN ABORT"), *"-ERR No shutdown in progress.");
    assert!(server.log().contains("Shutdown manually aborted."));
    assert!(!is_shutting_down(&server));
}

#[test]
fn it_fails_as_a_whole_when_the_data_cannot_be_saved() {
    let server = Server::start(&["--save", "", "--dbfilename", "dump.rdb"]);
    let mut replica = replica(&server);
    server.ask("SET k 1");
    // A directory of that name is in the way.
    std::fs::create_dir_all(server.ask("CONFIG GET dir").items()[1].text() + "/dump.rdb/x").unwrap();
    let mut asks = server.connect();
    asks.send(b"SHUTDOWN SAVE\r\n");
    wait_until(|| is_shutting_down(&server));
    acknowledge(&mut replica, &server);
    assert_eq!(asks.recv(), *"-ERR Errors trying to SHUTDOWN. Check logs.");
    assert_eq!(server.ask("SET k 2"), *"OK");
    assert!(server.log().contains("Errors trying to shut down the server."));
}

#[test]
fn it_waits_no_longer_than_it_may() {
    let mut server = Server::start(&["--save", "", "--shutdown-timeout", "1"]);
    let _replica = replica(&server);
    server.ask("SET k 1");
    server.signal("TERM");
    assert_eq!(server.wait(), Some(0));
    let log = server.log();
    assert!(log.contains("Lagging replica") && log.contains("0 of 1 replicas are in sync when shutting down."));
}

#[test]
fn it_does_not_wait_when_told_not_to_or_for_nobody() {
    for (with_replica, words, args) in [
        (true, "SHUTDOWN NOW", &["--save", ""][..]),
        (true, "SHUTDOWN", &["--save", "", "--shutdown-timeout", "0"]),
        (false, "SHUTDOWN", &[]),
    ] {
        let mut server = Server::start(args);
        let _replica = with_replica.then(|| replica(&server));
        server.ask("SET k 1");
        let mut asks = server.connect();
        asks.send(format!("{words}\r\n").as_bytes());
        assert_eq!(server.wait(), Some(0));
        assert!(!server.log().contains("Waiting for replicas"));
    }
}

#[test]
fn who_sees_the_end_of_a_connection_finds_nobody_listening() {
    for round in 0..20 {
        let server = Server::start(&["--busy-reply-threshold", "5"]);
        let mut slow = server.connect();
        if round % 2 == 0 {
            slow.send_cmd(&["EVAL", "while true do end", "0"]);
            wait_until(|| server.ask("PING").to_string().starts_with("-BUSY"));
        }
        let mut conn = server.connect();
        conn.send(b"SHUTDOWN NOSAVE\r\n");
        conn.recv_to_end();
        assert!(Conn::try_tcp(server.address()).is_err());
    }
}
