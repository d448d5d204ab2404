//! Programs of tests/clients, which talk to a server through client libraries of other languages. scripts/setup-tests installs those below target/.

use super::run;
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// What the smoke programs say at the end when all was well.
pub const SMOKED: &str = "17 groups";

fn installed(path: &str) -> PathBuf {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/clients").join(path);
    assert!(found.exists(), "{} is missing: scripts/setup-tests installs it", found.display());
    found
}

/// A program in JavaScript.
pub fn node(program: &str) -> Command {
    let mut command = Command::new("node");
    command.env("NODE_PATH", installed("node/node_modules")).arg(program);
    command
}

/// A program in Python.
pub fn python(program: &str) -> Command {
    let mut command = Command::new(installed("python/bin/python"));
    // Files of the interpreter's beside ours would be nobody's.
    command.env("PYTHONDONTWRITEBYTECODE", "1").arg(program);
    command
}

/// Runs a program that says `wanted` at the end when all was well.
#[track_caller]
pub fn succeeds(command: &mut Command, wanted: &str) {
    let output = run(command);
    assert_eq!(output.code, Some(0), "{command:?}\n{}{}", output.stdout, output.stderr);
    assert!(output.stdout.contains(wanted), "{command:?}\n{}", output.stdout);
}
