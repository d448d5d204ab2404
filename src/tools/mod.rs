//! Programs beside the server that look at files, or mend them, and exit: `redis-check-aof`, `redis-check-rdb`, and `--restore-to`. What the bytes mean
//! is said in [`persist`](crate::persist); here they are read. Others look at the machine: `--check-system` and `--test-memory`.

mod check_aof;
mod check_rdb;
mod check_system;
mod console;
mod files;
mod restore;
mod test_memory;

use crate::config::cli::NO_SENTINEL;
use console::{Console, Failed};
use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
    path::Path,
    process::ExitCode,
};

/// One of the programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// Is an append-only file whole?
    CheckAof,
    /// Is an RDB file sane?
    CheckRdb,
    /// Takes an append-only file back to a moment.
    RestoreTo,
    /// Does anything of this machine hurt?
    CheckSystem,
    /// Does memory keep what is written to it?
    TestMemory,
    /// Says whose work that is.
    Sentinel,
}

/// Whether a program of this name stands in for the server of another of the family: a link to ours that is called `redis-server` or `valkey-server`.
pub fn is_drop_in(program: &OsStr) -> bool {
    matches!(Path::new(program).file_name().unwrap_or_default().as_bytes(), b"redis-server" | b"valkey-server")
}

impl Tool {
    /// The one that an executable of this name is, a link to ours: `redis-check-aof`, `redis-check-rdb`, `redis-sentinel`.
    pub fn of_program(program: &OsStr) -> Option<Self> {
        let name = Path::new(program).file_name().unwrap_or_default().as_bytes();
        [(&b"-check-aof"[..], Self::CheckAof), (b"-check-rdb", Self::CheckRdb), (b"-sentinel", Self::Sentinel)]
            .into_iter()
            .find_map(|(ending, tool)| name.ends_with(ending).then_some(tool))
    }

    /// The one that an option stands for.
    pub fn of_option(option: &OsStr) -> Option<Self> {
        match option.as_bytes() {
            b"--check-aof" => Some(Self::CheckAof),
            b"--check-rdb" => Some(Self::CheckRdb),
            b"--restore-to" => Some(Self::RestoreTo),
            b"--check-system" => Some(Self::CheckSystem),
            b"--test-memory" => Some(Self::TestMemory),
            _ => None,
        }
    }

    /// Runs it with its arguments. `program` is what a person has called it by.
    pub fn run(self, program: &OsStr, args: &[OsString]) -> ExitCode {
        let mut console = Console::default();
        let done: Result<(), Failed> = match self {
            Self::CheckAof => check_aof::run(&mut console, program, args),
            Self::CheckRdb => check_rdb::run(&mut console, program, args),
            Self::RestoreTo => restore::run(&mut console, args),
            Self::CheckSystem => check_system::run(&mut console),
            Self::TestMemory => test_memory::run(&mut console, args),
            Self::Sentinel => {
                eprintln!("{}: {NO_SENTINEL}", program.to_string_lossy());
                Err(Failed)
            }
        };
        console.flush();
        if done.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
