//! The files that a lane of the disk has open, and what is done to them.

use super::{
    daemon,
    direct::{self, Direct},
    listen::reason,
    log_file::LogFile,
};
use crate::state::disk::{DiskJob, Done, FileId};
use bytes::Bytes;
use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, ErrorKind, Read, Write},
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// A path that means the same in whatever directory it is used.
pub fn absolute(path: &str) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.into())
}

/// The paths of a job, which mean the same in whatever directory it is done.
#[derive(Default)]
pub struct Paths {
    path: PathBuf,
    /// Where a file is renamed to.
    to: PathBuf,
}

impl Paths {
    /// Those of a job: the working directory may be another by the time it is done.
    pub fn of(job: &DiskJob) -> Self {
        match job {
            DiskJob::Create { path, .. }
            | DiskJob::Open { path, .. }
            | DiskJob::Replace { path, .. }
            | DiskJob::Remove { path, .. }
            | DiskJob::OpenLog { path, .. }
            | DiskJob::MakeDir { path, .. } => Self { path: absolute(path), to: PathBuf::new() },
            DiskJob::Rename { from, to, .. } => Self { path: absolute(from), to: absolute(to) },
            _ => Self::default(),
        }
    }
}

/// The directory that a file is in.
fn directory_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

/// Has a directory's entries on the disk.
fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Has a file of these bytes on the disk in the place of another, with its permissions.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Through a link to the file itself; what has been removed has no other name.
    let path = fs::canonicalize(path).or_else(|error| match error.kind() {
        ErrorKind::NotFound => Ok(path.to_owned()),
        _ => Err(error),
    })?;
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let written = (|| {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        if let Ok(old) = fs::metadata(&path) {
            file.set_permissions(old.permissions())?;
        }
        file.sync_all()?;
        fs::rename(&temporary, &path)?;
        sync_directory(directory_of(&path))
    })();
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Files that are open.
#[derive(Default)]
pub struct Files {
    open: HashMap<FileId, Open>,
    logs: HashMap<FileId, LogFile>,
}

struct Open {
    file: File,
    path: PathBuf,
    /// It was created, and has not been put in its place.
    unfinished: bool,
    sync_every: u64,
    written: u64,
    /// What is on its way from the page cache to the disk.
    setting_out: Range<u64>,
    /// How it goes on once it is large, see [`Open::go_direct`], unless it cannot.
    direct: Option<Direct>,
    stays_cached: bool,
    /// Why it takes no more.
    failed: Option<(ErrorKind, String)>,
}

impl Open {
    /// Returns how many bytes went to the file: not always all of these, and those left over from before with them.
    fn append(&mut self, pieces: &[Bytes]) -> io::Result<u64> {
        let before = self.written;
        for piece in pieces {
            self.put(piece)?;
        }
        if self.sync_every > 0 && self.direct.is_none() && self.written - self.setting_out.end >= self.sync_every {
            self.set_out()?;
            if !self.stays_cached {
                self.go_direct();
            }
        }
        Ok(self.written - before)
    }

    fn put(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let lead = self.written.next_multiple_of(direct::ALIGN as u64) - self.written;
            match &mut self.direct {
                None => return self.put_cached(bytes),
                Some(_) if lead > 0 => {
                    let (head, rest) = bytes.split_at(bytes.len().min(lead as usize));
                    self.put_cached(head)?;
                    bytes = rest;
                }
                Some(direct) => {
                    bytes = direct.fill(bytes);
                    match direct.write(self.written) {
                        Ok(written) => self.written += written,
                        // Some filesystems say only now that they cannot do it.
                        Err(error) if error.kind() == ErrorKind::InvalidInput => {
                            self.put_rest()?;
                            self.stays_cached = true;
                        }
                        Err(error) => return Err(error),
                    }
                }
            }
        }
        Ok(())
    }

    fn put_cached(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, self.written)?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Has the next bytes written past the page cache, if they can be. A file that is to reach the disk steadily and is this large already is a
    /// snapshot that nobody is about to read.
    fn go_direct(&mut self) {
        self.direct = Direct::open(&self.path);
        self.stays_cached = self.direct.is_none();
    }

    /// Ends writing past the page cache: what is less than a chunk goes through it.
    fn put_rest(&mut self) -> io::Result<()> {
        self.direct.take().map_or(Ok(()), |direct| self.put_cached(direct.chunk()))
    }

    /// Sends what was last written on its way, and waits for what set out before: so no more than twice `sync_every` is ever waiting,
    /// and the disk has a steady stream rather than a flood.
    fn set_out(&mut self) -> io::Result<()> {
        let next = self.setting_out.end..self.written;
        daemon::begin_writeback(&self.file, &next)?;
        daemon::end_writeback(&self.file, &self.setting_out)?;
        self.setting_out = next;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.put_rest()?;
        self.file.sync_data()
    }

    fn commit(&mut self, to: &str, fsync: bool) -> io::Result<()> {
        self.put_rest()?;
        let directory = directory_of(&self.path);
        if fsync {
            self.file.sync_all()?;
        }
        fs::rename(&self.path, directory.join(to))?;
        self.unfinished = false;
        if fsync {
            sync_directory(directory)?;
        }
        Ok(())
    }
}

impl Files {
    /// Does a job.
    pub fn run(&mut self, job: DiskJob, paths: &Paths) -> io::Result<Done> {
        let path = paths.path.as_path();
        match job {
            DiskJob::Create { file, sync_every, .. } => {
                let open = File::create(path)?;
                self.open.insert(
                    file,
                    Open {
                        file: open,
                        path: path.into(),
                        unfinished: true,
                        sync_every,
                        written: 0,
                        setting_out: 0..0,
                        direct: None,
                        stays_cached: false,
                        failed: None,
                    },
                );
                Ok(Done::Created)
            }
            DiskJob::Append { file, pieces } => self.with(file, |open| open.append(&pieces)).map(Done::Appended),
            DiskJob::Sync { file } if self.logs.contains_key(&file) => self.log(file)?.sync().map(|()| Done::Synced),
            DiskJob::Sync { file } => self.with(file, Open::sync).map(|()| Done::Synced),
            DiskJob::Commit { file, to, fsync } => {
                self.with(file, |open| open.commit(&to, fsync))?;
                self.open.remove(&file);
                Ok(Done::Committed)
            }
            DiskJob::Abort { file } => {
                self.logs.remove(&file);
                if let Some(open) = self.open.remove(&file)
                    && open.unfinished
                {
                    fs::remove_file(&open.path)?;
                }
                Ok(Done::Aborted)
            }
            DiskJob::Open { file, .. } => {
                let open = match File::open(path) {
                    Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Done::Opened(None)),
                    open => open?,
                };
                let size = open.metadata()?.len();
                self.open.insert(
                    file,
                    Open {
                        file: open,
                        path: path.into(),
                        unfinished: false,
                        sync_every: 0,
                        written: 0,
                        setting_out: 0..0,
                        direct: None,
                        stays_cached: false,
                        failed: None,
                    },
                );
                Ok(Done::Opened(Some(size)))
            }
            DiskJob::Read { file, bytes } => self.with(file, |open| {
                let mut buffer = Vec::with_capacity(bytes);
                (&mut open.file).take(bytes as u64).read_to_end(&mut buffer)?;
                Ok(Done::Read(buffer.into()))
            }),
            DiskJob::Replace { bytes, .. } => replace(path, &bytes).map(|()| Done::Replaced),
            DiskJob::Remove { .. } => match fs::remove_file(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
                _ => Ok(Done::Removed),
            },
            DiskJob::OpenLog { file, size, .. } => {
                let (log, size) = LogFile::open(path, size)?;
                // Though it is not new: a process that was killed may have left names, this one and that of the manifest, that are not on the disk.
                sync_directory(directory_of(path))?;
                self.logs.insert(file, log);
                Ok(Done::Opened(Some(size)))
            }
            DiskJob::WriteLog { file, at, pieces, sync, sleep_us } => {
                thread::sleep(Duration::from_micros(sleep_us));
                self.log(file).map(|log| Done::Logged(log.write(at, &pieces, sync)))
            }
            DiskJob::CutLog { file, size } => self.log(file)?.cut_to(size).map(|()| Done::Cut),
            DiskJob::MakeDir { .. } => {
                match fs::create_dir(path) {
                    Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => (),
                    made => made?,
                }
                sync_directory(directory_of(path))?;
                Ok(Done::MadeDir)
            }
            DiskJob::Rename { .. } => {
                fs::rename(path, &paths.to)?;
                let (from, to) = (directory_of(path), directory_of(&paths.to));
                // The new name first: a crash between the two must not leave the file without any.
                sync_directory(to)?;
                if from != to {
                    sync_directory(from)?;
                }
                Ok(Done::Renamed)
            }
        }
    }

    fn log(&mut self, file: FileId) -> io::Result<&mut LogFile> {
        self.logs.get_mut(&file).ok_or_else(|| io::Error::new(ErrorKind::NotFound, "the file is not open"))
    }

    /// Does something with an open file, unless something has failed before.
    fn with<T>(&mut self, file: FileId, job: impl FnOnce(&mut Open) -> io::Result<T>) -> io::Result<T> {
        let open = self.open.get_mut(&file).ok_or_else(|| io::Error::new(ErrorKind::NotFound, "the file is not open"))?;
        if let Some((kind, text)) = &open.failed {
            return Err(io::Error::new(*kind, text.clone()));
        }
        job(open).inspect_err(|error| open.failed = Some((error.kind(), reason(error))))
    }
}
