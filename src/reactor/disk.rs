//! The disk's workers: threads that do its blocking work, one for each lane, and never see a key.

use super::{
    daemon, fatal,
    files::{Files, Paths},
    listen::reason,
};
use crate::{
    alloc,
    state::disk::{DiskDone, DiskJob, Lane},
};
use mio::Waker;
use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

/// A job, the number that its answer is known by, and its paths as they were when the job was asked for.
type Job = (u64, DiskJob, Paths);

/// The loop's side of the disk threads.
pub struct Disk {
    /// Where jobs go, a lane each.
    lanes: [Sender<Job>; Lane::ALL.len()],
    /// Answers of all lanes.
    done: Receiver<(u64, DiskDone)>,
    waker: Arc<Waker>,
    /// Jobs sent so far.
    sent: u64,
    /// Answers that came while another was waited for.
    early: VecDeque<DiskDone>,
}

impl Disk {
    /// Starts the threads. `waker` ends a poll when there is an answer.
    pub fn start(waker: Waker) -> io::Result<Self> {
        let waker = Arc::new(waker);
        let (answers, done) = channel();
        let lane = |lane| start_lane(lane, answers.clone(), Arc::clone(&waker));
        let lanes = [lane(Lane::Bulk)?, lane(Lane::Prompt)?, lane(Lane::Log)?];
        Ok(Self { lanes, done, waker, sent: 0, early: VecDeque::new() })
    }

    /// Asks for a job.
    pub fn send(&mut self, job: DiskJob) {
        let paths = Paths::of(&job);
        self.sent += 1;
        // A thread ends only with this end of its channel.
        let _ = self.lanes[job.file().lane as usize].send((self.sent, job, paths));
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

/// Starts the thread of a lane; its jobs go to what is returned.
fn start_lane(lane: Lane, answers: Sender<(u64, DiskDone)>, waker: Arc<Waker>) -> io::Result<Sender<Job>> {
    let (jobs, work) = channel::<Job>();
    let name = match lane {
        Lane::Bulk => "disk bulk",
        Lane::Prompt => "disk prompt",
        Lane::Log => "disk log",
    };
    thread::Builder::new().name(name.into()).spawn(move || {
        let mut files = Files::default();
        if lane == Lane::Bulk {
            daemon::yield_to_others();
            fatal::give_stack();
        }
        // Ends when the loop is gone.
        while let Ok((number, job, paths)) = work.recv() {
            let file = job.file();
            let result = files.run(job, &paths).map_err(|e| reason(&e));
            alloc::settle();
            if answers.send((number, DiskDone { file, result })).is_err() {
                break;
            }
            // Without a wake-up the loop would find the answer at its next cron.
            let _ = waker.wake();
        }
    })?;
    Ok(jobs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::disk::{Done, FileId};
    use bytes::Bytes;
    use mio::{Poll, Token};
    use std::{
        fs,
        os::unix::fs::{PermissionsExt, symlink},
        path::Path,
    };

    fn disk() -> (Disk, Poll) {
        let poll = Poll::new().unwrap();
        (Disk::start(Waker::new(poll.registry(), Token(0)).unwrap()).unwrap(), poll)
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    const FILE: FileId = FileId { lane: Lane::Bulk, number: 1 };

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

    #[test]
    fn a_small_file_takes_another_ones_place_and_permissions_through_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (mut disk, _poll) = disk();
        let path = |name: &str| dir.path().join(name);
        let replace = |name: &str, text: &'static str| DiskJob::Replace {
            file: FileId { lane: Lane::Prompt, number: 1 },
            path: path(name).to_str().unwrap().into(),
            bytes: text.into(),
        };
        fs::write(path("file"), "old").unwrap();
        fs::set_permissions(path("file"), fs::Permissions::from_mode(0o640)).unwrap();
        symlink(path("file"), path("link")).unwrap();
        assert_eq!(disk.run(replace("link", "new")).result, Ok(Done::Replaced));
        assert_eq!((fs::read(path("file")).unwrap(), names(dir.path())), (b"new".into(), vec!["file".into(), "link".into()]));
        assert_eq!(fs::metadata(path("file")).unwrap().permissions().mode() & 0o777, 0o640);
        fs::remove_file(path("file")).unwrap();
        fs::remove_file(path("link")).unwrap();
        assert_eq!(disk.run(replace("file", "anew")).result, Ok(Done::Replaced), "one that has been removed is made");
        assert_eq!(disk.run(replace("nowhere/file", "")).result, Err("No such file or directory".into()));
    }

    #[test]
    fn one_lane_does_not_wait_for_the_other() {
        let dir = tempfile::tempdir().unwrap();
        let (mut disk, _poll) = disk();
        // Nobody reads from it yet, so whoever opens it to write waits.
        let pipe = dir.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        disk.send(DiskJob::Create { file: FILE, path: pipe.to_str().unwrap().into(), sync_every: 0 });
        let prompt = FileId { lane: Lane::Prompt, number: 2 };
        let path = dir.path().join("log").to_str().unwrap().to_owned();
        for (job, result) in [
            (DiskJob::Create { file: prompt, path, sync_every: 0 }, Done::Created),
            (DiskJob::Append { file: prompt, pieces: vec!["abc".into()] }, Done::Appended(3)),
            (DiskJob::Sync { file: prompt }, Done::Synced),
            (DiskJob::Commit { file: prompt, to: "log.1".into(), fsync: true }, Done::Committed),
        ] {
            assert_eq!(disk.run(job).result, Ok(result));
        }
        assert_eq!((names(dir.path()), disk.take_done()), (vec!["log.1".into(), "pipe".into()], None));
        let _reader = fs::File::open(&pipe).unwrap();
        assert_eq!(disk.run(DiskJob::Abort { file: FILE }).result, Ok(Done::Aborted));
        assert_eq!(disk.take_done(), Some(DiskDone { file: FILE, result: Ok(Done::Created) }));
    }

    #[test]
    fn a_log_grows_in_a_directory_of_its_own_and_gets_another_name() {
        let dir = tempfile::tempdir().unwrap();
        let (mut disk, _poll) = disk();
        let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        let file = FileId { lane: Lane::Log, number: 3 };
        let write = |at, text: &'static str| DiskJob::WriteLog { file, at, pieces: vec![text.into()], sync: true, sleep_us: 0 };
        for _ in 0..2 {
            assert_eq!(disk.run(DiskJob::MakeDir { file, path: path("logs") }).result, Ok(Done::MadeDir));
        }
        assert_eq!(disk.run(DiskJob::OpenLog { file, path: path("logs/1"), size: None }).result, Ok(Done::Opened(Some(0))));
        let Ok(Done::Logged(first)) = disk.run(write(0, "abc")).result else { panic!("it is a log") };
        assert_eq!((first.written, first.synced, first.error), (3, true, None));
        assert_eq!(disk.run(DiskJob::Sync { file }).result, Ok(Done::Synced));
        assert_eq!(disk.run(DiskJob::Rename { file, from: path("logs/1"), to: path("2") }).result, Ok(Done::Renamed));
        let Ok(Done::Logged(second)) = disk.run(write(3, "de")).result else { panic!("it is open under whatever name") };
        assert_eq!((second.written, second.error), (2, None));
        assert_eq!(fs::read(path("2")).unwrap(), b"abcde");
        assert_eq!(disk.run(DiskJob::Abort { file }).result, Ok(Done::Aborted));
        assert_eq!(
            (names(dir.path()), disk.run(write(5, "f")).result),
            (vec!["2".into(), "logs".into()], Err("the file is not open".into()))
        );
        assert_eq!(disk.run(DiskJob::OpenLog { file, path: path("2"), size: Some(4) }).result, Ok(Done::Opened(Some(4))));
        assert_eq!(disk.run(DiskJob::Rename { file, from: path("1"), to: path("2") }).result, Err("No such file or directory".into()));
    }
}
