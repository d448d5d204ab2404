//! What the black-box tests share: a server under test, a client that speaks RESP, specifications in a few words.
//!
//! `SOLOD_TEST_BINARY=/usr/bin/redis-server cargo test --profile checked --test it_strings` runs the same tests against another
//! server of the family; with `SOLOD_TEST_UPDATE=1` beside it, the answers in the specifications are replaced by that server's.
#![allow(dead_code, unused_imports)] // every test file uses its own part of this

mod client;
mod programs;
mod server;
mod spec;

pub use client::{Conn, Silence, Value, words};
pub use programs::{SMOKED, node, python, succeeds};
pub use server::{Output, PortLease, Server, free_port, has_ipv6, is_reference, peers, program, run, run_with_input, signal};
pub use spec::Spec;

use std::process::Command;
use std::time::{Duration, Instant};

/// How long anything in these tests may take before it counts as never. Generous: machines that test are often busy.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Polls until `done` holds; panics at the caller's line when it does not within [`PATIENCE`].
#[track_caller]
pub fn wait_until(mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A field in the text of an INFO.
pub fn info_field<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim_end)
}

/// Runs redis-cli against `server` and returns what it prints, standard error behind standard output.
#[track_caller]
pub fn redis_cli(server: &Server, args: &[&str]) -> String {
    redis_cli_with_input(server, args, b"")
}

/// The same, with `input` on its standard input.
#[track_caller]
pub fn redis_cli_with_input(server: &Server, args: &[&str], input: &[u8]) -> String {
    let mut command = Command::new("redis-cli");
    command.args(["-p", &server.port.to_string()]).args(args);
    let output = run_with_input(&mut command, input);
    assert_eq!(output.code, Some(0), "redis-cli {args:?}: {output:?}");
    output.stdout + &output.stderr
}

/// Asserts replies tersely: `replies!(conn, "SET a b" => "OK", "GET a" => r#""b""#)`; the notation is [`Value`]'s.
#[macro_export]
macro_rules! replies {
    ($conn:expr, $($line:expr => $reply:expr),+ $(,)?) => {
        $conn.check(&[$(($line, $reply)),+])
    };
}
