//! Client libraries of other languages, as programs use them, over RESP2 and RESP3. `scripts/setup-tests` installs them below target/; the
//! programs are in tests/clients.

mod common;
use common::Server;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Where scripts/setup-tests puts the libraries.
fn installed(path: &str) -> PathBuf {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/clients").join(path);
    assert!(found.exists(), "{} is missing: scripts/setup-tests installs it", found.display());
    found
}

/// Runs the program against a fresh server, once with each protocol.
fn smoke(command: impl Fn() -> Command) {
    for protocol in ["2", "3"] {
        let server = Server::start(&[]);
        let output = common::run(command().args([&server.port.to_string(), protocol]));
        assert_eq!(output.code, Some(0), "RESP{protocol}\n{}{}", output.stdout, output.stderr);
        assert!(output.stdout.contains("17 groups"), "{}", output.stdout);
    }
}

#[test]
fn redis_py() {
    let python = installed("python/bin/python");
    smoke(|| {
        let mut command = Command::new(&python);
        command.arg("tests/clients/smoke.py");
        command
    });
}

/// Of real programs that share work: see tests/clients/jobs.py.
#[test]
fn a_queue_of_jobs_loses_none_when_a_worker_is_killed() {
    let python = installed("python/bin/python");
    for protocol in ["2", "3"] {
        let server = Server::start(&[]);
        let output = common::run(Command::new(&python).args(["tests/clients/jobs.py", &server.port.to_string(), protocol]));
        assert_eq!(output.code, Some(0), "RESP{protocol}\n{}{}", output.stdout, output.stderr);
        assert!(output.stdout.contains("300 jobs"), "{}", output.stdout);
    }
}

#[test]
fn ioredis() {
    let modules = installed("node/node_modules");
    smoke(|| {
        let mut command = Command::new("node");
        command.env("NODE_PATH", &modules).arg("tests/clients/smoke.cjs");
        command
    });
}
