//! Client libraries of other languages, as programs use them, over RESP2 and RESP3. `scripts/setup-tests` installs them below target/; the
//! programs are in tests/clients.

mod common;
use common::{SMOKED, Server, node, python, succeeds};

use std::process::Command;

/// Runs the program against a fresh server, once with each protocol.
fn in_both_protocols(command: impl Fn() -> Command, wanted: &str) {
    for protocol in ["2", "3"] {
        let server = Server::start(&[]);
        succeeds(command().args([&server.port.to_string(), protocol]), wanted);
    }
}

#[test]
fn redis_py() {
    in_both_protocols(|| python("tests/clients/smoke.py"), SMOKED);
}

/// Of real programs that share work: see tests/clients/jobs.py.
#[test]
fn a_queue_of_jobs_loses_none_when_a_worker_is_killed() {
    in_both_protocols(|| python("tests/clients/jobs.py"), "300 jobs");
}

#[test]
fn ioredis() {
    in_both_protocols(|| node("tests/clients/smoke.cjs"), SMOKED);
}
