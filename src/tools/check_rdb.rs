//! redis-check-rdb.

use super::{
    console::{Console, Failed},
    files::check_rdb,
};
use crate::config::REDIS_VERSION;
use std::{
    ffi::{OsStr, OsString},
    fs::File,
    os::unix::ffi::OsStrExt,
};

/// Checks the file that the one argument names.
pub fn run(console: &mut Console, program: &OsStr, args: &[OsString]) -> Result<(), Failed> {
    let [path] = args else {
        eprintln!("Usage: {} <rdb-file-name>", program.to_string_lossy());
        return Err(Failed);
    };
    if path == "-v" || path == "--version" {
        console.say(format!("redis-check-rdb {REDIS_VERSION}"));
        return Ok(());
    }
    let Ok(mut file) = File::open(path) else {
        return Err(console.fail([b"[offset 0] Checking RDB file ", path.as_bytes()].concat()));
    };
    match check_rdb(console, &mut file, path.as_bytes()) {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(Failed),
        Err(error) => Err(console.fail([b"Cannot read file ", path.as_bytes(), b": ", error.to_string().as_bytes()].concat())),
    }
}
