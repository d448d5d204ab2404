//! The helper thread: it does the disk's blocking work, one job after the other, and never sees a key.

use super::{
    daemon,
    direct::{self, Direct},
};
use crate::{
    alloc,
    state::disk::{DiskDone, DiskJob, Done, FileId},
};
use bytes::Bytes;
use mio::Waker;
use std::{
    collections::{HashMap, VecDeque},
    fs::{self, File},
    io::{self, ErrorKind, Read},
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

/// The loop's end of it.
pub struct Disk {
    jobs: Sender<(u64, DiskJob, PathBuf)>,
    done: Receiver<(u64, DiskDone)>,
    waker: Arc<Waker>,
    /// Jobs sent so far.
    sent: u64,
    /// Answers that came while another was waited for.
    early: VecDeque<DiskDone>,
}

impl Disk {
    /// Starts the thread. `waker` ends a poll when there is an answer.
    pub fn start(waker: Waker) -> io::Result<Self> {
        let waker = Arc::new(waker);
        let (jobs, work) = channel::<(u64, DiskJob, PathBuf)>();
        let (answers, done) = channel();
        let wake = Arc::clone(&waker);
        thread::Builder::new().name("disk".into()).spawn(move || {
            let mut files = Files::default();
            daemon::yield_to_others();
            // Ends when the loop is gone.
            while let Ok((number, job, path)) = work.recv() {
                let file = job.file();
                let result = files.run(job, &path).map_err(|e| reason(&e));
                alloc::settle();
                if answers.send((number, DiskDone { file, result })).is_err() {
                    break;
                }
                // Without a wake-up the loop would find the answer at its next cron.
                let _ = wake.wake();
            }
        })?;
        Ok(Self { jobs, done, waker, sent: 0, early: VecDeque::new() })
    }

    /// Asks for a job.
    pub fn send(&mut self, job: DiskJob) {
        // The working directory may be another by the time the job is done.
        let path = match &job {
            DiskJob::Create { path, .. } | DiskJob::Open { path, .. } | DiskJob::Remove { path, .. } => absolute(path),
            _ => PathBuf::new(),
        };
        self.sent += 1;
        // The thread ends only with this end of the channel.
        let _ = self.jobs.send((self.sent, job, path));
    }

    /// The next answer that has come.
    pub fn take_done(&mut self) -> Option<DiskDone> {
        self.early.pop_front().or_else(|| self.done.try_recv().ok().map(|(_, done)| done))
    }

    /// Asks for a job and waits for its answer.
    pub fn run(&mut self, job: DiskJob) -> DiskDone {
        let file = job.file();
        self.send(job);
        while let Ok((number, done)) = self.done.recv() {
            if number == self.sent {
                if !self.early.is_empty() {
                    let _ = self.waker.wake();
                }
                return done;
            }
            self.early.push_back(done);
        }
        DiskDone { file, result: Err("the disk thread is gone".into()) }
    }
}

fn absolute(path: &str) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.into())
}

/// The operating system's words alone.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// Files that are open.
#[derive(Default)]
struct Files(HashMap<FileId, Open>);

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

    fn commit(&mut self, to: &str, fsync: bool) -> io::Result<()> {
        self.put_rest()?;
        let directory = self.path.parent().unwrap_or(Path::new("/"));
        if fsync {
            self.file.sync_all()?;
        }
        fs::rename(&self.path, directory.join(to))?;
        self.unfinished = false;
        if fsync {
            File::open(directory)?.sync_all()?;
        }
        Ok(())
    }
}

impl Files {
    fn run(&mut self, job: DiskJob, path: &Path) -> io::Result<Done> {
        match job {
            DiskJob::Create { file, sync_every, .. } => {
                let open = File::create(path)?;
                self.0.insert(
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
            DiskJob::Commit { file, to, fsync } => {
                self.with(file, |open| open.commit(&to, fsync))?;
                self.0.remove(&file);
                Ok(Done::Committed)
            }
            DiskJob::Abort { file } => {
                if let Some(open) = self.0.remove(&file)
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
                self.0.insert(
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
            DiskJob::Remove { .. } => match fs::remove_file(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
                _ => Ok(Done::Removed),
            },
        }
    }

    /// Does something with an open file, unless something has failed before.
    fn with<T>(&mut self, file: FileId, job: impl FnOnce(&mut Open) -> io::Result<T>) -> io::Result<T> {
        let open = self.0.get_mut(&file).ok_or_else(|| io::Error::new(ErrorKind::NotFound, "the file is not open"))?;
        if let Some((kind, text)) = &open.failed {
            return Err(io::Error::new(*kind, text.clone()));
        }
        job(open).inspect_err(|error| open.failed = Some((error.kind(), reason(error))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::{Poll, Token};

    fn disk() -> (Disk, Poll) {
        let poll = Poll::new().unwrap();
        (Disk::start(Waker::new(poll.registry(), Token(0)).unwrap()).unwrap(), poll)
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    const FILE: FileId = FileId(1);

    fn create(dir: &Path) -> DiskJob {
        DiskJob::Create { file: FILE, path: dir.join("temp").to_str().unwrap().into(), sync_every: 4 }
    }

    fn append(text: &'static str) -> DiskJob {
        DiskJob::Append { file: FILE, pieces: vec![Bytes::from_static(text.as_bytes()); 2] }
    }

    #[test]
    fn a_file_takes_its_place_when_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let (mut disk, _poll) = disk();
        fs::write(dir.path().join("final"), "old").unwrap();
        assert_eq!(disk.run(create(dir.path())).result, Ok(Done::Created));
        disk.send(append("abc"));
        assert_eq!(names(dir.path()), ["final", "temp"]);
        assert_eq!(disk.run(DiskJob::Commit { file: FILE, to: "final".into(), fsync: true }).result, Ok(Done::Committed));
        assert_eq!(disk.take_done(), Some(DiskDone { file: FILE, result: Ok(Done::Appended(6)) }), "what was asked before is answered too");
        assert_eq!(names(dir.path()), ["final"]);
        assert_eq!(fs::read(dir.path().join("final")).unwrap(), b"abcabc");
    }

    #[test]
    fn a_large_file_goes_past_the_page_cache_and_holds_every_byte() {
        let dir = tempfile::tempdir().unwrap();
        let (mut disk, _poll) = disk();
        let path = dir.path().join("temp").to_str().unwrap().into();
        assert_eq!(disk.run(DiskJob::Create { file: FILE, path, sync_every: 10_000 }).result, Ok(Done::Created));
        let all: Vec<u8> = (0..5_000_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let (mut rest, mut size, mut appended) = (&all[..], 1, 0);
        while !rest.is_empty() {
            let (piece, others) = rest.split_at(rest.len().min(size));
            let result = disk.run(DiskJob::Append { file: FILE, pieces: vec![Bytes::copy_from_slice(piece)] }).result;
            appended += if let Ok(Done::Appended(bytes)) = result { bytes as usize } else { panic!("{result:?}") };
            (rest, size) = (others, size * 7 % 300_007);
            assert!(appended + rest.len() <= all.len() && appended + rest.len() + (1 << 20) > all.len());
        }
        assert_eq!(disk.run(DiskJob::Commit { file: FILE, to: "final".into(), fsync: true }).result, Ok(Done::Committed));
        assert!(fs::read(dir.path().join("final")).unwrap() == all);
    }

    #[test]
    fn what_is_given_up_leaves_the_old_file_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (mut disk, _poll) = disk();
        disk.run(create(dir.path()));
        disk.run(append("abc"));
        assert_eq!(disk.run(DiskJob::Abort { file: FILE }).result, Ok(Done::Aborted));
        assert_eq!(names(dir.path()), [""; 0]);
    }

    #[test]
    fn an_error_stays_until_the_file_is_given_up() {
        let (mut disk, _poll) = disk();
        let full = DiskJob::Create { file: FILE, path: "/dev/full".into(), sync_every: 0 };
        assert_eq!(disk.run(full).result, Ok(Done::Created));
        for _ in 0..2 {
            assert_eq!(disk.run(append("abc")).result, Err("No space left on device".into()));
        }
        assert!(disk.run(DiskJob::Commit { file: FILE, to: "null".into(), fsync: true }).result.is_err());
        assert_eq!(
            disk.run(DiskJob::Create { file: FILE, path: "/nowhere/f".into(), sync_every: 0 }).result,
            Err("No such file or directory".into())
        );
    }

    #[test]
    fn a_file_is_read_to_its_end_and_one_that_is_not_there_is_no_error() {
        let dir = tempfile::tempdir().unwrap();
        let (mut disk, _poll) = disk();
        let path = dir.path().join("f").to_str().unwrap().to_owned();
        assert_eq!(disk.run(DiskJob::Open { file: FILE, path: path.clone() }).result, Ok(Done::Opened(None)));
        fs::write(&path, "abcde").unwrap();
        assert_eq!(disk.run(DiskJob::Open { file: FILE, path: path.clone() }).result, Ok(Done::Opened(Some(5))));
        for part in ["abc", "de", ""] {
            assert_eq!(disk.run(DiskJob::Read { file: FILE, bytes: 3 }).result, Ok(Done::Read(part.into())));
        }
        assert_eq!(disk.run(DiskJob::Abort { file: FILE }).result, Ok(Done::Aborted));
        assert_eq!(names(dir.path()), ["f"], "what was only read stays");
        assert_eq!(disk.run(DiskJob::Remove { file: FILE, path: path.clone() }).result, Ok(Done::Removed));
        assert_eq!(disk.run(DiskJob::Remove { file: FILE, path }).result, Ok(Done::Removed));
    }
}
