//! `--restore-to`: takes a copy of an append-only file back to what it was at the end of a second. What was logged later is cut off, where
//! `aof-timestamp-enabled` has put times between the commands; what is older than the base is gone.

use super::{
    console::{Console, Failed},
    files::{FileKind, PIECE, kind_of, read_manifest, read_piece, shown},
};
use crate::{
    config::os_reason,
    data::number,
    persist::{
        aof::{
            check::{Scan, Stop, leading_number},
            manifest::Manifest,
        },
        rdb::{DecodeOptions, Decoder, RdbEvent},
    },
};
use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// Where the log is below a directory that holds a server's data, if nobody has said otherwise.
const LOG_DIR: &str = "appendonlydir";

const NO_TIMES: &str =
    "There are no timestamps in these files: aof-timestamp-enabled was off. Nothing has been changed; a server loads all that is there.";

/// Where commands have to be cut off.
struct Cut {
    /// The file, counted in the order in which they are loaded.
    file: usize,
    /// Its bytes that stay.
    size: u64,
    /// When the first command was logged that does not.
    unix_seconds: i64,
}

/// What the files say of times.
#[derive(Default)]
struct Times {
    /// When the base was made.
    base: Option<i64>,
    first: Option<i64>,
    last: Option<i64>,
    /// There are commands in front of the first time.
    untold: bool,
    cut: Option<Cut>,
}

/// Restores the directory, manifest or file that the second argument names to the Unix time that the first one is.
pub fn run(console: &mut Console, args: &[OsString]) -> Result<(), Failed> {
    let [time, path] = args else {
        return Err(console.fail("Usage: solod --restore-to UNIX-SECONDS DIRECTORY|MANIFEST|FILE, on a copy of what a server has written"));
    };
    let (until, rest, fits) = leading_number(time.as_bytes());
    if !fits || !rest.is_empty() || until <= 0 {
        return Err(console.fail("The time to restore to is a number of seconds since 1970, such as 1795896347."));
    }
    let path = find(console, Path::new(path))?;
    if kind_of(console, &path)? == FileKind::Manifest { restore_parts(console, &path, until) } else { restore_file(console, &path, until) }
}

/// The manifest, or the file, that is meant.
fn find(console: &mut Console, path: &Path) -> Result<PathBuf, Failed> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    for dir in [path.to_owned(), path.join(LOG_DIR)] {
        let is_manifest = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().as_bytes();
            name.ends_with(b".manifest") && !name.starts_with(b"temp-")
        };
        let entries = fs::read_dir(&dir).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
        let found: Vec<PathBuf> = entries.filter(is_manifest).collect();
        match &found[..] {
            [one] => return Ok(one.clone()),
            [] => (),
            _ => return Err(console.fail([b"There are several manifests in ", shown(&dir), b": name the one that is meant."].concat())),
        }
    }
    Err(console.fail([b"There is no manifest in ", shown(path), b", nor in appendonlydir below it."].concat()))
}

fn restore_parts(console: &mut Console, manifest_path: &Path, until: i64) -> Result<(), Failed> {
    let mut manifest = read_manifest(console, manifest_path)?;
    let dir = manifest_path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let paths: Vec<PathBuf> = manifest.data().map(|file| dir.join(&file.name)).collect();
    let times = look(console, &paths, until)?;
    let Some(cut) = judge(console, &times, until)? else { return Ok(()) };
    let bases = usize::from(manifest.base.is_some());
    if cut.file < bases {
        // Commands behind an RDB file, in the base: no increment follows it any more.
        manifest.increments.clear();
    } else {
        manifest.increments.truncate(cut.file + 1 - bases);
    }
    let gone = &paths[cut.file + 1..];
    // First the manifest: whatever happens behind it, what it names is a beginning of what there was.
    replace(manifest_path, dir, &manifest).map_err(|error| wrong(console, "write", manifest_path, &error))?;
    cut_off(console, &paths[cut.file], &cut)?;
    for path in gone {
        match fs::remove_file(path) {
            Ok(()) => console.say([b"Removed ", shown(path), b": all of it was logged later."].concat()),
            Err(error) => drop(wrong(console, "remove", path, &error)),
        }
    }
    done(console, until)
}

/// The single file of servers before Redis 7.
fn restore_file(console: &mut Console, path: &Path, until: i64) -> Result<(), Failed> {
    let times = look(console, std::slice::from_ref(&path.to_owned()), until)?;
    let Some(cut) = judge(console, &times, until)? else { return Ok(()) };
    cut_off(console, path, &cut)?;
    done(console, until)
}

fn done(console: &mut Console, until: i64) -> Result<(), Failed> {
    console.say(format!("Restored: a server that loads these files has the data as of the end of second {until}."));
    Ok(())
}

fn wrong(console: &mut Console, what: &str, path: &Path, error: &io::Error) -> Failed {
    console.fail([format!("Cannot {what} ").as_bytes(), shown(path), b": ", os_reason(error).as_bytes()].concat())
}

/// Looks for the first command that was logged later than `until`.
fn look(console: &mut Console, paths: &[PathBuf], until: i64) -> Result<Times, Failed> {
    let mut times = Times::default();
    for (at, path) in paths.iter().enumerate() {
        let mut file = File::open(path).map_err(|error| wrong(console, "open", path, &error))?;
        let (mut start, mut rest) = (0, Vec::new());
        if kind_of(console, path)? == FileKind::Rdb {
            let skipped = skip_rdb(&mut file, &mut times).map_err(|error| wrong(console, "read", path, &error))?;
            (start, rest) = skipped;
            if times.base.is_some_and(|base| base > until) {
                return Ok(times);
            }
        }
        let name = shown(path);
        let mut scan = Scan::new(name, start, 1, Some(until));
        let scanned = scan_all(&mut file, &rest, &mut scan).map_err(|error| wrong(console, "read", path, &error))?;
        let told = scan.times();
        // Of a torn end nothing has been answered, or it is a server's to cut it off.
        times.first = times.first.or(told.map(|(first, _)| first));
        times.last = told.map(|(_, last)| last).or(times.last);
        match scanned {
            Ok(()) => times.untold |= times.first.is_none() && scan.whole() > start,
            Err(Stop::Later { unix_seconds, .. }) => {
                times.untold |= times.first.is_none() && scan.whole() > start;
                times.cut = Some(Cut { file: at, size: scan.whole(), unix_seconds });
                return Ok(times);
            }
            Err(Stop::NoTime) => return Err(console.fail([b"There is a timestamp in ", name, b" that is none."].concat())),
            Err(Stop::Broken | Stop::Format) if at + 1 == paths.len() => (),
            Err(Stop::Broken | Stop::Format) => {
                let whole = format!(" is broken behind byte {}. See what --check-aof says.", scan.whole());
                return Err(console.fail([b"AOF ", name, whole.as_bytes()].concat()));
            }
        }
    }
    Ok(times)
}

fn scan_all(file: &mut File, rest: &[u8], scan: &mut Scan<'_>) -> io::Result<Result<(), Stop>> {
    let mut piece = vec![0; PIECE];
    let mut scanned = scan.feed(rest);
    while scanned.is_ok() {
        let read = read_piece(file, &mut piece)?;
        if read == 0 {
            return Ok(scan.end());
        }
        scanned = scan.feed(&piece[..read]);
    }
    Ok(scanned)
}

/// Reads over an RDB file. Returns where it ends, and what has been read behind it.
fn skip_rdb(file: &mut File, times: &mut Times) -> io::Result<(u64, Vec<u8>)> {
    let size = file.metadata()?.len();
    let mut decoder = Decoder::new(DecodeOptions { size: Some(size), ..DecodeOptions::default() });
    let mut piece = vec![0; PIECE];
    while !decoder.is_done() {
        let read = read_piece(file, &mut piece)?;
        if read == 0 {
            decoder.finish().map_err(io::Error::other)?;
        }
        decoder.feed(&piece[..read]);
        while let Some(event) = decoder.next().map_err(io::Error::other)? {
            if let RdbEvent::Aux { name: b"ctime", value } = event {
                times.base = number::parse_i64(value);
            }
        }
    }
    Ok((decoder.offset(), decoder.rest().to_vec()))
}

/// Says how far back the files reach, and whether that is far enough.
fn judge(console: &mut Console, times: &Times, until: i64) -> Result<Option<Cut>, Failed> {
    let Times { base, first, last, untold, cut } = times;
    if let Some(base) = base {
        console.say(format!("The base was made in second {base}: no earlier one can be restored."));
        if *base > until {
            return Err(console.fail(format!("Second {until} is earlier. Nothing has been changed.")));
        }
    }
    match (first, last) {
        (Some(first), Some(last)) => console.say(format!("Timestamps up to that second go from {first} to {last}.")),
        _ if cut.is_none() => return Err(console.fail(NO_TIMES)),
        _ => (),
    }
    let Some(Cut { file, size, unix_seconds }) = *cut else {
        console.say("Nothing was logged later. Nothing has been changed.");
        return Ok(None);
    };
    if base.is_none() && first.is_none() && !untold {
        return Err(console.fail(format!("All commands were logged later, from second {unix_seconds} on. Nothing has been changed.")));
    }
    if *untold {
        console.say("The first commands bear no timestamp: they stay, whenever they were logged.");
    }
    Ok(Some(Cut { file, size, unix_seconds }))
}

fn cut_off(console: &mut Console, path: &Path, cut: &Cut) -> Result<(), Failed> {
    let opened = OpenOptions::new().write(true).open(path);
    let done = opened.and_then(|file| {
        file.set_len(cut.size)?;
        file.sync_all()
    });
    done.map_err(|error| wrong(console, "cut off", path, &error))?;
    let how = format!(" at byte {}: what followed was logged from second {} on.", cut.size, cut.unix_seconds);
    console.say([b"Cut off ", shown(path), how.as_bytes()].concat());
    Ok(())
}

/// Puts a new manifest in the place of the old one, as a whole.
fn replace(path: &Path, dir: &Path, manifest: &Manifest) -> io::Result<()> {
    let mut name = OsString::from("temp-");
    name.push(path.file_name().unwrap_or_default());
    let temporary = dir.join(name);
    let mut file = File::create(&temporary)?;
    file.write_all(&manifest.to_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    File::open(dir)?.sync_all()
}
