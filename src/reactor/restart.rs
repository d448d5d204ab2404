//! The process begins anew: DEBUG RESTART and DEBUG CRASH-AND-RECOVER.

use std::{
    env,
    ffi::OsString,
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// How the process was started: where, and with which words. The title takes their place later.
static INVOCATION: OnceLock<(PathBuf, Vec<OsString>)> = OnceLock::new();

/// Remembers how the process was started. To be called first.
pub fn remember_invocation() {
    let _ = INVOCATION.set((env::current_dir().unwrap_or_default(), env::args_os().collect()));
}

/// Replaces the process by a new one, and returns only if that fails. Sockets and files are closed, but for standard input and output.
pub fn restart(executable: &Path) -> io::Error {
    let Some((directory, words)) = INVOCATION.get() else { return io::ErrorKind::Unsupported.into() };
    let Some((name, rest)) = words.split_first() else { return io::ErrorKind::Unsupported.into() };
    Command::new(executable).arg0(name).args(rest).current_dir(directory).exec()
}
