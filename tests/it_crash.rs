//! A process that crashes, or that is stuck: what the log says of it, and how it ends.

mod common;
use common::*;

use std::time::Duration;

/// What the log has between the lines that mark a report.
fn report(server: &Server) -> String {
    let log = server.log();
    let (_, rest) = log.split_once("=== REDIS BUG REPORT START: Cut & paste starting from here ===").expect(&log);
    let (report, _) = rest.split_once("=== REDIS BUG REPORT END. Make sure to include from START to END. ===").expect(rest);
    report.to_owned()
}

#[test]
fn a_fatal_signal_is_reported_and_ends_it() {
    for (name, number) in [("SEGV", 11), ("BUS", 7), ("ILL", 4), ("FPE", 8), ("ABRT", 6)] {
        let mut server = Server::start(&[]);
        server.connect().run("SET a 1");
        server.signal(name);
        assert_eq!(server.wait(), None, "SIG{name} ends it as a signal does");
        let report = report(&server);
        assert!(report.contains(&format!("crashed by signal: {number} (SIG{name}), si_code: 0")), "{report}");
        let sender = "Killed by PID: ";
        for part in ["Build id: ", "Last command: set\n", sender, "------ REGISTERS ------", "------ STACK TRACE ------"] {
            assert!(report.contains(part), "no {part:?}: {report}");
        }
    }
}

#[test]
fn it_acts_on_sigabrt_while_a_command_runs() {
    let mut server = Server::start(&["--enable-debug-command", "yes"]);
    let mut conn = server.connect();
    conn.send(b"DEBUG SLEEP 600\r\n");
    assert!(conn.try_recv(Duration::from_millis(50)).is_none());
    server.signal("ABRT");
    assert_eq!(server.wait(), None);
    assert!(report(&server).contains("Last command: debug\n"));
}

#[test]
fn memory_that_is_not_there_is_named() {
    let mut server = Server::start(&["--enable-debug-command", "yes"]);
    server.connect().send(b"DEBUG SEGFAULT\r\n");
    assert_eq!(server.wait(), None);
    let report = report(&server);
    assert!(report.contains("crashed by signal: 11 (SIGSEGV), si_code: 1"), "{report}");
    assert!(report.contains("Accessing address: 0x8\n"), "{report}");
    let stack = report.split_once("------ STACK TRACE ------").unwrap().1;
    assert!(stack.lines().filter(|line| line.contains("[0x")).count() > 3, "{report}");
}

#[test]
fn a_report_can_be_left_to_the_system() {
    let mut server = Server::start(&["--crash-log-enabled", "no"]);
    server.signal("SEGV");
    assert_eq!(server.wait(), None);
    assert!(!server.log().contains("BUG REPORT"), "{}", server.log());

    let mut server = Server::start(&["--crash-log-enabled", "no"]);
    assert_eq!(server.connect().run("CONFIG SET crash-log-enabled yes"), *"OK");
    server.signal("SEGV");
    assert_eq!(server.wait(), None);
    report(&server);
}

#[test]
fn a_panic_is_reported_and_ends_it() {
    let mut server = Server::start(&["--enable-debug-command", "yes"]);
    server.connect().send(b"DEBUG PANIC\r\n");
    assert_eq!(server.wait(), None, "by SIGABRT");
    let text = report(&server);
    assert!(text.contains("DEBUG PANIC: as asked") && text.contains("------ STACK TRACE ------"), "{text}");
    assert_eq!(server.log().matches("BUG REPORT START").count(), 1, "the end itself is no other crash");

    let mut server = Server::start(&["--enable-debug-command", "yes", "--use-exit-on-panic", "yes", "--crash-log-enabled", "no"]);
    server.connect().send(b"DEBUG ASSERT\r\n");
    assert_eq!(server.wait(), Some(1));
    let log = server.log();
    assert!(log.contains("DEBUG ASSERT: this does not hold, as asked") && !log.contains("BUG REPORT"), "{log}");
}

#[test]
fn the_watchdog_reports_a_loop_that_is_stuck() {
    let mut server = Server::start(&["--enable-debug-command", "yes"]);
    let mut conn = server.connect();
    replies!(conn, "CONFIG SET watchdog-period 200" => "OK");
    conn.send(b"DEBUG SLEEP 600\r\n");
    wait_until(|| server.log().contains("--- WATCHDOG TIMER EXPIRED ---"));
    wait_until(|| server.log().trim_end().ends_with("--------"));
    assert!(server.log().contains("Last command: debug\n"), "{}", server.log());
    assert!(server.running());

    // An idle loop is not stuck.
    let server = Server::start(&[]);
    replies!(server.connect(), "CONFIG SET watchdog-period 1" => "OK");
    wait_until(|| server.info("uptime_in_seconds") != "0");
    assert!(!server.log().contains("WATCHDOG"), "{}", server.log());
}

#[test]
fn who_asks_where_it_is_is_told() {
    let server = Server::start(&[]);
    server.signal("ALRM");
    wait_until(|| server.log().contains("\nReceived SIGALRM\n"));
    replies!(server.connect(), "PING" => "PONG");
}
