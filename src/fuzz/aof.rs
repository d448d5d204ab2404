//! The append-only file: its manifest, the checker's scan, and a file as it is loaded.

use super::{SAID, Still};
use crate::{
    config::Config,
    engine::Engine,
    persist::{
        aof::{
            check::{Scan, Stop},
            manifest::Manifest,
        },
        rdb::payload,
    },
    state::{
        Action,
        disk::{DiskDone, DiskJob, Done, Logged},
    },
};

/// A manifest. What is read from it must survive being written.
pub fn manifest(data: &[u8]) {
    if let Ok(manifest) = Manifest::parse(data) {
        let text = manifest.to_bytes();
        if !text.is_empty() {
            assert!(Manifest::parse(&text).is_ok_and(|again| again == manifest));
        }
    }
}

/// A file of commands, in whole and in pieces: the checker must find the same in both, and so must a server that loads it. The first byte says how
/// long the pieces are, and whether the checker looks for a time.
pub fn aof(data: &[u8]) {
    let Some((first, file)) = data.split_first() else { return };
    let pieces = usize::from(first & 0x1f) + 1;
    let until = (first & 0x20 != 0).then_some(1_628_217_470);
    assert_eq!(scanned(file, file.len().max(1), until), scanned(file, pieces, until));
    let whole = loaded(file, usize::MAX);
    assert_eq!(whole, loaded(file, pieces));
    // What is cut off was behind what counts, and the rest is whole for the server too.
    if let Loaded { exit: None, size, .. } = &whole {
        let size = usize::try_from(*size).unwrap_or(usize::MAX).min(file.len());
        assert_eq!(loaded(&file[..size], usize::MAX).keys, whole.keys);
    }
}

/// How a scan ends, up to where all is whole, the line, and what is wrong.
fn scanned(file: &[u8], pieces: usize, until: Option<i64>) -> (Result<(), Stop>, u64, u64, Option<Vec<u8>>) {
    let mut scan = Scan::new(b"f.aof", 0, 1, until);
    let end = file.chunks(pieces).try_for_each(|piece| scan.feed(piece)).and_then(|()| scan.end());
    assert!(scan.whole() <= file.len() as u64);
    (end, scan.whole(), scan.lines(), scan.error().map(<[u8]>::to_vec))
}

/// What has become of a load.
#[derive(Debug, PartialEq, Eq)]
struct Loaded {
    exit: Option<i32>,
    /// Of the file, behind it.
    size: u64,
    keys: Vec<(usize, Vec<u8>, Vec<u8>)>,
}

/// A directory with a manifest and one increment.
struct Directory<'a> {
    increment: &'a [u8],
    size: u64,
    /// What is being read, and how much of it has been.
    open: &'a [u8],
    is_increment: bool,
    pieces: usize,
}

const MANIFEST: &[u8] = b"file appendonly.aof.1.incr.aof seq 1 type i\n";

impl Directory<'_> {
    fn run(&mut self, job: DiskJob) -> DiskDone {
        let file = job.file();
        let done = match job {
            DiskJob::Open { path, .. } => {
                let bytes = match &path {
                    path if path.ends_with(".manifest") => Some(MANIFEST),
                    path if path.ends_with(".incr.aof") => Some(self.increment),
                    _ => None,
                };
                self.open = bytes.unwrap_or_default();
                self.is_increment = path.ends_with(".incr.aof");
                Done::Opened(bytes.map(|bytes| bytes.len() as u64))
            }
            DiskJob::Read { bytes, .. } => {
                // A manifest is read as a whole.
                let most = if self.is_increment { self.pieces } else { usize::MAX };
                let (piece, rest) = self.open.split_at(self.open.len().min(bytes).min(most));
                self.open = rest;
                Done::Read(piece.to_vec().into())
            }
            DiskJob::OpenLog { size, .. } => {
                self.size = size.map_or(self.size, |size| size.min(self.size));
                Done::Opened(Some(self.size))
            }
            DiskJob::CutLog { size, .. } => {
                self.size = size;
                Done::Cut
            }
            DiskJob::WriteLog { pieces, sync, .. } => {
                let written = pieces.iter().map(|piece| piece.len() as u64).sum();
                Done::Logged(Logged { written, synced: sync, ..Logged::default() })
            }
            DiskJob::Append { pieces, .. } => Done::Appended(pieces.iter().map(|piece| piece.len() as u64).sum()),
            DiskJob::Create { .. } => Done::Created,
            DiskJob::Sync { .. } => Done::Synced,
            DiskJob::Commit { .. } => Done::Committed,
            DiskJob::Replace { .. } => Done::Replaced,
            DiskJob::Abort { .. } => Done::Aborted,
            DiskJob::Remove { .. } => Done::Removed,
            DiskJob::MakeDir { .. } => Done::MadeDir,
            DiskJob::Rename { .. } => Done::Renamed,
        };
        DiskDone { file, result: Ok(done) }
    }
}

/// Loads a directory with this increment, of which so many bytes are read at a time.
fn loaded(file: &[u8], pieces: usize) -> Loaded {
    let config = Config { appendonly: true, save: Vec::new(), ..Config::default() };
    let mut engine = Engine::new(config, Box::new(Still), 1);
    let mut directory = Directory { increment: file, size: file.len() as u64, open: &[], is_increment: false, pieces };
    let mut exit = None;
    engine.load_from_disk();
    while exit.is_none() {
        engine.finish_turn();
        let actions: Vec<Action> = std::iter::from_fn(|| engine.take_action()).collect();
        if actions.is_empty() && engine.server.loading.is_none() {
            break;
        }
        for action in actions {
            match action {
                Action::Disk(job) => engine.disk_done(directory.run(job)),
                Action::Exit(code) => exit = Some(code),
                _ => (),
            }
        }
    }
    // Of a load that fails nothing is kept.
    let keyspace = engine.server.keyspace.iter().filter(|_| exit.is_none());
    let mut keys: Vec<_> = keyspace
        .flat_map(|(db, keys)| keys.dict().iter().map(move |entry| (db, entry.key().to_vec(), payload::dump(entry, SAID))))
        .collect();
    keys.sort();
    Loaded { exit, size: directory.size, keys }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &[u8] = b"#TS:1628217470\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n#TS:1628217471\r\n*1\r\n$5\r\nMULTI\r\n\
        *3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n*1\r\n$4\r\nEXEC\r\n*3\r\n$5\r\nRPUSH\r\n$1\r\nl\r\n$1\r\nx\r\n";

    /// A file that ends anywhere, read in pieces of any size: the checker's end of what is whole is the server's.
    #[test]
    fn a_file_may_end_and_be_cut_anywhere() {
        for end in 0..=FILE.len() {
            let file = &FILE[..end];
            for first in [0, 3, 6, 0x24] {
                aof(&[&[first], file].concat());
            }
            let (Loaded { exit, size, keys }, (_, whole, ..)) = (loaded(file, usize::MAX), scanned(file, FILE.len(), None));
            assert_eq!(exit, None, "{end}");
            assert!(size <= whole, "{end}: {size} {whole}");
            // An annotation that is torn is whole for the checker, as for Redis's.
            assert!(size == whole || file[size as usize..].starts_with(b"#"), "{end}: {size} {whole}");
            assert!(end < FILE.len() || keys.len() == 3);
        }
    }

    #[test]
    fn any_byte_may_be_wrong() {
        for at in 0..FILE.len() {
            for byte in [0, b'9', b'*', b'#', b'\n', 0xff] {
                let mut file = FILE.to_vec();
                file[at] = byte;
                aof(&[&[4], &file[..]].concat());
            }
        }
    }

    #[test]
    fn a_manifest_comes_back() {
        for text in [MANIFEST, b"file \"a b\" seq 5 type b\nfile x seq 2 type h\n", b"#\n", b"file"] {
            manifest(text);
        }
    }
}
