//! redis-check-aof: texts, question and exit codes are those of Redis 7.

use super::{
    console::{Console, Failed},
    files::{FileKind, PIECE, check_rdb, kind_of, read_manifest, read_piece, shown},
};
use crate::{
    config::{REDIS_VERSION, os_reason},
    persist::aof::check::{Scan, Stop, leading_number},
};
use std::{
    ffi::{OsStr, OsString},
    fs::{File, OpenOptions},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// What is done about what is found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Nothing.
    Look,
    /// What is broken is cut off, if a person agrees.
    Fix,
    /// What was logged later than this second is cut off.
    Until(i64),
}

/// What came of a file.
enum Checked {
    Valid,
    Empty,
    Truncated,
    /// To the time that was asked for.
    TruncatedToTime,
}

/// One of the files.
struct Part<'a> {
    /// As it is called in what is said.
    name: &'a [u8],
    path: &'a Path,
    is_last: bool,
    has_preamble: bool,
}

struct Check<'c> {
    console: &'c mut Console,
    mode: Mode,
    /// The line, counted through all files.
    line: u64,
}

/// Checks the file, or the files of the manifest, that the last argument names.
pub fn run(console: &mut Console, program: &OsStr, args: &[OsString]) -> Result<(), Failed> {
    let (mode, path) = match args {
        [version] if version == "-v" || version == "--version" => {
            console.say(format!("redis-check-aof {REDIS_VERSION}"));
            return Ok(());
        }
        [path] => (Mode::Look, path),
        [option, path] if option == "--fix" => (Mode::Fix, path),
        [option, time, path] if option == "--truncate-to-timestamp" => {
            let (seconds, rest, fits) = leading_number(time.as_bytes());
            if !fits || !rest.is_empty() {
                return Err(console.fail("Invalid timestamp, aborting..."));
            }
            // As in Redis, 0 stands for none.
            (if seconds == 0 { Mode::Look } else { Mode::Until(seconds) }, path)
        }
        _ => {
            let usage = b" [--fix|--truncate-to-timestamp $timestamp] <file.manifest|file.aof>";
            return Err(console.fail([b"Usage: ", program.as_bytes(), usage].concat()));
        }
    };
    let path = Path::new(path);
    let kind = kind_of(console, path)?;
    let mut check = Check { console, mode, line: 1 };
    if kind == FileKind::Manifest { check.parts(path) } else { check.old_file(path, kind == FileKind::Rdb) }
}

/// What is joined to a file's name, as `dirname` finds it.
fn directory(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

impl Check<'_> {
    /// The files of a manifest, one after the other, as they are loaded.
    fn parts(&mut self, manifest_path: &Path) -> Result<(), Failed> {
        self.console.say("Start checking Multi Part AOF");
        let manifest = read_manifest(self.console, manifest_path)?;
        let total = manifest.data().count();
        let path_of = |name: &str| -> PathBuf { directory(manifest_path).join(name) };
        if let Some(base) = &manifest.base {
            let path = path_of(&base.name);
            let has_preamble = kind_of(self.console, &path)? == FileKind::Rdb;
            let format = if has_preamble { "RDB" } else { "RESP" };
            self.console.say(format!("Start to check BASE AOF ({format} format)."));
            self.part("BASE AOF ", Part { name: base.name.as_bytes(), path: &path, is_last: total == 1, has_preamble })?;
        }
        if !manifest.increments.is_empty() {
            self.console.say("Start to check INCR files.");
        }
        for (at, increment) in manifest.increments.iter().enumerate() {
            let (path, is_last) = (path_of(&increment.name), at + 1 == manifest.increments.len());
            self.part("INCR AOF ", Part { name: increment.name.as_bytes(), path: &path, is_last, has_preamble: false })?;
        }
        self.console.say("All AOF files and manifest are valid");
        Ok(())
    }

    /// The single file of servers before Redis 7.
    fn old_file(&mut self, path: &Path, has_preamble: bool) -> Result<(), Failed> {
        self.console.say("Start checking Old-Style AOF");
        self.part("AOF ", Part { name: shown(path), path, is_last: true, has_preamble })
    }

    fn part(&mut self, what: &str, part: Part<'_>) -> Result<(), Failed> {
        let name = part.name;
        let line = match self.file(part)? {
            Checked::Valid => [what.as_bytes(), name, b" is valid"].concat(),
            Checked::Empty => [what.as_bytes(), name, b" is empty"].concat(),
            Checked::Truncated => [b"Successfully truncated AOF ", name].concat(),
            Checked::TruncatedToTime => [b"Successfully truncated AOF ", name, self.to_timestamp().as_bytes()].concat(),
        };
        self.console.say(line);
        Ok(())
    }

    fn to_timestamp(&self) -> String {
        if let Mode::Until(seconds) = self.mode { format!(" to timestamp {seconds}") } else { String::new() }
    }

    fn file(&mut self, part: Part<'_>) -> Result<Checked, Failed> {
        let Part { name, path, is_last, has_preamble } = part;
        let opened = OpenOptions::new().read(true).write(true).open(path);
        let mut file = opened.map_err(|error| {
            self.console.fail([b"Cannot open file ", shown(path), b": ", os_reason(&error).as_bytes(), b", aborting..."].concat())
        })?;
        let size = file.metadata().map_err(|_| self.console.fail([b"Cannot stat file: ", name, b", aborting..."].concat()))?.len();
        if size == 0 {
            return Ok(Checked::Empty);
        }
        let (start, rest) = if has_preamble { self.preamble(&mut file, name)? } else { (0, Vec::new()) };
        let until = if let Mode::Until(seconds) = self.mode { Some(seconds) } else { None };
        let mut scan = Scan::new(shown(path), start, self.line, until);
        let scanned = self.scan(&mut file, name, rest, &mut scan)?;
        match scanned {
            Ok(()) | Err(Stop::Broken) => (),
            Err(Stop::Format) => self.console.say([b"AOF ", name, b" format error"].concat()),
            Err(Stop::NoTime) => return Err(self.console.fail("Invalid timestamp annotation")),
            Err(Stop::Later { at, .. }) => return self.cut_later(&file, &scan, at, path, is_last),
        }
        self.line = scan.lines();
        if let Some(error) = scan.error() {
            self.console.say(error);
        }
        self.judge(&file, name, size, scan.whole(), is_last)
    }

    /// The RDB file in front of commands.
    fn preamble(&mut self, file: &mut File, name: &[u8]) -> Result<(u64, Vec<u8>), Failed> {
        match check_rdb(self.console, file, name) {
            Ok(Some(end)) => {
                self.console.say("RDB preamble is OK, proceeding with AOF tail...");
                Ok(end)
            }
            Ok(None) => Err(self.console.fail("RDB preamble of AOF file is not sane, aborting.")),
            Err(_) => Err(self.unreadable(name)),
        }
    }

    fn unreadable(&mut self, name: &[u8]) -> Failed {
        self.console.fail([b"Failed to read from AOF ", name, b", aborting..."].concat())
    }

    fn scan(&mut self, file: &mut File, name: &[u8], rest: Vec<u8>, scan: &mut Scan<'_>) -> Result<Result<(), Stop>, Failed> {
        let mut scanned = scan.feed(&rest);
        let mut piece = vec![0; PIECE];
        while scanned.is_ok() {
            let read = read_piece(file, &mut piece).map_err(|_| self.unreadable(name))?;
            if read == 0 {
                return Ok(scan.end());
            }
            scanned = scan.feed(&piece[..read]);
        }
        Ok(scanned)
    }

    /// Cuts off what was logged later than the time that was asked for, which begins at `at`.
    fn cut_later(&mut self, file: &File, scan: &Scan<'_>, at: u64, path: &Path, is_last: bool) -> Result<Checked, Failed> {
        let (path, to_timestamp) = (shown(path), self.to_timestamp());
        self.line = scan.lines();
        if at == 0 {
            let before = to_timestamp.replace(" to ", " has nothing before ");
            return Err(self.console.fail([b"AOF ", path, before.as_bytes(), b", aborting..."].concat()));
        }
        if !is_last {
            let place = format!("{to_timestamp} to offset {at} because it is not the last file.");
            self.console.say([b"Failed to truncate AOF ", path, place.as_bytes()].concat());
            let advice = "If you insist, please delete all files after this file according to the manifest \
                          file and delete the corresponding records in manifest file manually. Then re-run redis-check-aof.";
            return Err(self.console.fail(advice));
        }
        match file.set_len(at) {
            Ok(()) => Ok(Checked::TruncatedToTime),
            Err(_) => Err(self.console.fail([b"Failed to truncate AOF ", path, to_timestamp.as_bytes()].concat())),
        }
    }

    /// Says what a file is that is whole up to `whole`, and cuts it off there if that is wanted.
    fn judge(&mut self, file: &File, name: &[u8], size: u64, whole: u64, is_last: bool) -> Result<Checked, Failed> {
        // A server may be writing to it.
        let diff = size.saturating_sub(whole);
        if diff == 0 && matches!(self.mode, Mode::Until(_)) {
            self.console.say([b"Truncate nothing in AOF ", name, self.to_timestamp().as_bytes()].concat());
            return Ok(Checked::Valid);
        }
        let figures = format!(", size={size}, ok_up_to={whole}, ok_up_to_line={}, diff={diff}", self.line);
        self.console.say([b"AOF analyzed: filename=", name, figures.as_bytes()].concat());
        if diff == 0 {
            return Ok(Checked::Valid);
        }
        if self.mode != Mode::Fix {
            return Err(self.console.fail([b"AOF ", name, b" is not valid. Use the --fix option to try fixing it."].concat()));
        }
        if !is_last {
            return Err(self.console.fail([b"Failed to truncate AOF ", name, b" because it is not the last file"].concat()));
        }
        let sizes = format!(" from {size} bytes, with {diff} bytes, to {whole} bytes");
        self.console.say([b"This will shrink the AOF ", name, sizes.as_bytes()].concat());
        if !self.console.agrees("Continue? [y/N]: ") {
            return Err(self.console.fail("Aborting..."));
        }
        match file.set_len(whole).and_then(|()| file.sync_all()) {
            Ok(()) => Ok(Checked::Truncated),
            Err(_) => Err(self.console.fail([b"Failed to truncate AOF ", name].concat())),
        }
    }
}
