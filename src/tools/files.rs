//! Files as these programs read them, a piece at a time.

use super::console::{Console, Failed};
use crate::{
    config::os_reason,
    persist::{aof::manifest::Manifest, rdb::RdbCheck},
    reactor::local_time,
};
use std::{
    fs::File,
    io::{self, Read},
    os::unix::ffi::OsStrExt,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

/// Bytes read at a time.
pub const PIECE: usize = 64 * 1024;

/// A manifest is small: what is larger is none.
const MANIFEST_MAX: u64 = 16 << 20;

/// Reads until the buffer is full or the file ends. Returns how many bytes there were.
pub fn read_piece(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(bytes) => filled += bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Unix milliseconds.
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// A path as it is shown.
pub fn shown(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

/// What a file is, by how it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A manifest.
    Manifest,
    /// An RDB file, or commands behind one.
    Rdb,
    /// Commands.
    Commands,
}

/// Finds out what a file is. `Err`: it cannot be read.
pub fn kind_of(console: &mut Console, path: &Path) -> Result<FileKind, Failed> {
    let opened = File::open(path);
    let mut file =
        opened.map_err(|error| console.fail([b"Cannot open file ", shown(path), b": ", os_reason(&error).as_bytes()].concat()))?;
    let mut beginning = vec![0; PIECE];
    let read = read_piece(&mut file, &mut beginning);
    let read = read.map_err(|_| console.fail([b"Cannot read file: ", shown(path)].concat()))?;
    Ok(kind(&beginning[..read]))
}

fn kind(beginning: &[u8]) -> FileKind {
    // Comments may stand in front of a manifest's lines, and annotations in front of commands.
    let first = beginning.split(|byte| *byte == b'\n').find(|line| !line.starts_with(b"#")).unwrap_or_default();
    if first.trim_ascii_start().get(..4).is_some_and(|word| word.eq_ignore_ascii_case(b"file")) {
        FileKind::Manifest
    } else if beginning.len() >= 8 && (beginning.starts_with(b"REDIS") || beginning.starts_with(b"VALKEY")) {
        FileKind::Rdb
    } else {
        FileKind::Commands
    }
}

/// Reads a manifest. If it is none, that is said as the server says it in its log.
pub fn read_manifest(console: &mut Console, path: &Path) -> Result<Manifest, Failed> {
    let mut log = |text: &[u8]| {
        console.put(format!("{}:C {} # ", std::process::id(), local_time()).as_bytes());
        console.say(text);
    };
    let mut text = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MANIFEST_MAX).read_to_end(&mut text));
    if let Err(error) = read {
        let why = os_reason(&error);
        log(&[b"Fatal error: can't open the AOF manifest file ", shown(path), b" for reading: ", why.as_bytes()].concat());
        return Err(Failed);
    }
    Manifest::parse(&text).map_err(|error| {
        log(b"\n*** FATAL AOF MANIFEST FILE ERROR ***\n");
        if let Some((number, line)) = &error.line {
            log(format!("Reading the manifest file, at line {number}\n").as_bytes());
            log(&[b">>> '", &line[..], b"'\n"].concat());
        }
        log(format!("{}\n", error.reason).as_bytes());
        Failed
    })
}

/// Checks an RDB file from its beginning to its end, and says what there is to say. Returns where it ends and what has been read of what is behind it;
/// `None` when it is not sane.
pub fn check_rdb(console: &mut Console, file: &mut File, name: &[u8]) -> io::Result<Option<(u64, Vec<u8>)>> {
    let size = file.metadata()?.len();
    let mut check = RdbCheck::new(name, size, now_ms());
    let mut piece = vec![0; PIECE];
    loop {
        console.put(&check.take_text());
        let read = read_piece(file, &mut piece)?;
        let fed = if read == 0 { check.end().map(|()| true) } else { check.feed(&piece[..read]) };
        console.put(&check.take_text());
        match fed {
            Ok(true) => return Ok(Some((check.offset(), check.rest().to_vec()))),
            Ok(false) => (),
            Err(_) => return Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_it_begins_with() {
        for (text, expected) in [
            ("", FileKind::Commands),
            ("*1\r\n$4\r\nPING\r\n", FileKind::Commands),
            ("#TS:1628217470\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n", FileKind::Commands),
            ("*3\r\n$3\r\nSET\r\n$4\r\nfile\r\n$1\r\n1\r\n", FileKind::Commands),
            ("file a.1.base.rdb seq 1 type b\n", FileKind::Manifest),
            ("# a comment\n FILE a.1.incr.aof seq 1 type i\n", FileKind::Manifest),
            ("REDIS0010\u{ff}", FileKind::Rdb),
            ("VALKEY080", FileKind::Rdb),
            ("REDIS", FileKind::Commands),
        ] {
            assert_eq!(kind(text.as_bytes()), expected, "{text}");
        }
    }
}
