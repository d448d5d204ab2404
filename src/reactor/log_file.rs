//! A file that is appended to for as long as it is open, whatever fails in between: the append-only file.

use super::listen::reason;
use crate::state::disk::{LogError, Logged};
use bytes::Bytes;
use std::{
    fs::{File, OpenOptions},
    io::{self, ErrorKind, IoSlice, Write},
    path::Path,
    time::Instant,
};

/// Pieces handed to one writev: the kernel takes no more.
const PIECES: usize = 1024;

/// One that is open.
pub struct LogFile {
    file: File,
    /// Its length, as long as nobody else writes to it.
    size: u64,
    /// A sync of it has failed.
    is_broken: bool,
}

impl LogFile {
    /// Opens or creates it, cuts it off to `size` bytes if it is longer, and returns it with its length, all of which is on the disk.
    pub fn open(path: &Path, size: Option<u64>) -> io::Result<(Self, u64)> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        let found = file.metadata()?.len();
        let length = size.map_or(found, |size| size.min(found));
        if length < found {
            file.set_len(length)?;
        }
        // A process that was killed may have left more in the page cache than on the disk. Whoever is told of it from here on is to find it again. And what
        // has been cut off must not come back.
        if found > 0 {
            file.sync_all()?;
        }
        Ok((Self { file, size: length, is_broken: false }, length))
    }

    /// Writes these bytes, if the file has `at` bytes before them, and syncs it where that is asked for.
    pub fn write(&mut self, at: u64, pieces: &[Bytes], sync: bool) -> Logged {
        if at != self.size {
            let text = format!("{at} bytes were expected and {} are there", self.size);
            return Logged { error: Some(LogError::Write(text)), ..Logged::default() };
        }
        let began = Instant::now();
        let mut done = Logged::default();
        if let Err(error) = self.put(pieces) {
            done.error = Some(LogError::Write(reason(&error)));
            // What was written by half must not be found by a reader, and nothing must stand behind it. Where it cannot be cut off it is the beginning
            // of what is written next.
            let _ = self.cut_to(at);
        }
        done.written = self.size - at;
        done.write_us = micros(began);
        if sync && done.error.is_none() {
            let began = Instant::now();
            match self.sync() {
                Ok(()) => done.synced = true,
                Err(error) => done.error = Some(LogError::Sync(reason(&error))),
            }
            done.sync_us = micros(began);
        }
        done
    }

    /// Has all that was written on the disk. Once that has failed it fails for good: the kernel may have dropped what it could not write, and the next sync
    /// would only seem to succeed.
    pub fn sync(&mut self) -> io::Result<()> {
        if self.is_broken {
            return Err(io::Error::from_raw_os_error(libc::EIO));
        }
        self.file.sync_data().inspect_err(|_| self.is_broken = true)
    }

    fn put(&mut self, pieces: &[Bytes]) -> io::Result<()> {
        for some in pieces.chunks(PIECES) {
            let mut slices: Vec<IoSlice<'_>> = some.iter().map(|piece| IoSlice::new(piece)).collect();
            let mut rest = &mut slices[..];
            IoSlice::advance_slices(&mut rest, 0);
            while !rest.is_empty() {
                match self.file.write_vectored(rest) {
                    Ok(0) => return Err(ErrorKind::WriteZero.into()),
                    Ok(written) => {
                        self.size += written as u64;
                        IoSlice::advance_slices(&mut rest, written);
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => (),
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// Cuts it off to so many bytes, if it is longer.
    pub fn cut_to(&mut self, size: u64) -> io::Result<()> {
        if self.size > size {
            self.file.set_len(size)?;
            self.size = size;
        }
        Ok(())
    }
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn pieces(texts: &[&'static str]) -> Vec<Bytes> {
        texts.iter().map(|text| Bytes::from_static(text.as_bytes())).collect()
    }

    #[test]
    fn bytes_follow_each_other_and_are_on_the_disk_when_that_is_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let (mut log, size) = LogFile::open(&path, None).unwrap();
        assert_eq!(size, 0);
        let first = log.write(0, &pieces(&["", "ab", "", "c"]), false);
        assert_eq!((first.written, first.synced, first.error), (3, false, None));
        let many: Vec<Bytes> = pieces(&["x", "y"]).into_iter().cycle().take(3000).collect();
        let second = log.write(3, &many, true);
        assert_eq!((second.written, second.synced, second.error), (3000, true, None));
        assert_eq!(log.write(3003, &[], true).written, 0, "there may be nothing to write");
        assert_eq!(fs::read(&path).unwrap(), [&b"abc"[..], &b"xy".repeat(1500)].concat());
        let (mut log, size) = LogFile::open(&path, None).unwrap();
        assert_eq!((size, log.write(3003, &pieces(&["d"]), true).written), (3003, 1), "it goes on at its end");
        log.cut_to(4).unwrap();
        assert_eq!((fs::read(&path).unwrap().len(), log.write(4, &pieces(&["e"]), true).written), (4, 1));
        assert_eq!(LogFile::open(&path, Some(2)).unwrap().1, 2);
        assert_eq!(fs::read(&path).unwrap(), b"ab");
        assert_eq!(LogFile::open(&path, Some(9)).unwrap().1, 2, "it is never made longer");
    }

    #[test]
    fn what_does_not_fit_the_place_is_not_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let (mut log, _) = LogFile::open(&path, None).unwrap();
        let wrong = log.write(5, &pieces(&["abc"]), true);
        assert!(matches!(wrong.error, Some(LogError::Write(_))) && wrong.written == 0 && !wrong.synced);
        assert_eq!(log.write(0, &pieces(&["abc"]), true).written, 3);
    }

    #[test]
    fn a_write_that_fails_leaves_nothing_and_the_next_one_may_succeed() {
        let (mut log, size) = LogFile::open(Path::new("/dev/full"), None).unwrap();
        assert_eq!(size, 0);
        for _ in 0..2 {
            let failed = log.write(0, &pieces(&["abc"]), true);
            assert_eq!(failed.error, Some(LogError::Write("No space left on device".into())));
            assert_eq!((failed.written, failed.synced), (0, false));
        }
    }

    #[test]
    fn a_failed_sync_is_told_apart_from_a_failed_write() {
        // A device that cannot be synced.
        let (mut log, _) = LogFile::open(Path::new("/dev/null"), None).unwrap();
        let failed = log.write(0, &pieces(&["abc"]), true);
        assert!(matches!(failed.error, Some(LogError::Sync(_))), "{failed:?}");
        assert_eq!((failed.written, failed.synced), (3, false));
    }

    #[test]
    fn after_a_failed_sync_no_other_one_succeeds() {
        let dir = tempfile::tempdir().unwrap();
        let (mut log, _) = LogFile::open(&dir.path().join("log"), None).unwrap();
        assert!(log.write(0, &pieces(&["abc"]), true).synced);
        log.is_broken = true;
        let failed = log.write(3, &pieces(&["d"]), true);
        assert_eq!((failed.written, failed.synced), (1, false));
        assert_eq!(failed.error, Some(LogError::Sync("Input/output error".into())));
        assert_eq!(log.write(4, &pieces(&["e"]), false).error, None);
    }
}
