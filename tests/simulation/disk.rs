//! A disk: lanes that work side by side, each job in steps as the reactor does it, on a [`Filesystem`] that may fail and forget.

use super::{
    aof_image::DIRECTORY,
    filesystem::{Filesystem, Habits, Inode, split},
    marked,
    planted::Planted,
    trouble::{BROKEN, FULL, Trouble},
};
use bytes::Bytes;
use solod::{
    data::rng::Rng,
    state::disk::{DiskDone, DiskJob, Done, FileId, Lane, LogError, Logged},
};
use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    rc::Rc,
};

/// The file that saves go to.
pub const SNAPSHOT: &str = "dump.rdb";
/// Steps of which a job may have done some when its process dies.
const STEPS_MAX: u64 = 8;
/// Bytes in front of what a sync covers in which a value's mark may begin.
const MARK_BYTES: usize = 24;
const DIED: &str = "the process has died";
const NOT_OPEN: &str = "the file is not open";

#[derive(Clone)]
struct Open {
    inode: Inode,
    path: String,
    read_at: usize,
    unfinished: bool,
    failed: Option<String>,
    /// A sync of it has failed, and none succeeds any more.
    is_broken: bool,
}

/// One node's disk.
#[derive(Clone)]
pub struct Disk {
    rng: Rng,
    pub files: Filesystem,
    open: BTreeMap<FileId, Open>,
    /// Jobs that are asked for, a queue for each lane.
    jobs: [VecDeque<DiskJob>; Lane::ALL.len()],
    /// Answers that somebody who could not wait was faster than.
    answers: [VecDeque<DiskDone>; Lane::ALL.len()],
    /// Steps that can still be done before the process dies.
    steps_left: Option<u64>,
    /// Nanoseconds that a job takes, at most.
    job_ns: u64,
    /// Nanoseconds that the job under way takes, for each lane.
    taken_ns: [u64; Lane::ALL.len()],
    /// Whether it says how long its syncs took.
    pub times_syncs: bool,
    pub trouble: Trouble,
    /// Jobs, and syncs among them, that have failed in the program's present life.
    pub failures: u64,
    pub failed_syncs: u64,
    /// What a failed sync may have lost could not be cut off: it is in memory, and may never be on the disk.
    pub failed_cut: bool,
    /// What a test has made wrong on purpose.
    pub planted: Option<Planted>,
    /// Files that get their names with their first bytes, by [`Planted::ManifestFirst`].
    nameless: BTreeMap<Inode, String>,
    /// Values in append-only files that a sync has covered.
    safe: Rc<HashSet<u64>>,
    /// What was put in the place of [`SNAPSHOT`], in order, and by which file of the program's present life.
    committed: Vec<(Option<FileId>, Bytes)>,
    /// So many of the first of those are known to be there: the last of them has been answered.
    confirmed: usize,
}

impl Disk {
    pub fn new(mut rng: Rng, job_ns: u64, error_one_in: u64) -> Self {
        let habits = Habits { syncs_names: rng.below(2) == 0, orders_names: rng.below(2) == 0 };
        Self {
            rng,
            files: Filesystem::new(habits),
            open: BTreeMap::new(),
            jobs: Default::default(),
            answers: Default::default(),
            steps_left: None,
            job_ns,
            taken_ns: Default::default(),
            times_syncs: false,
            trouble: Trouble { error_one_in, ..Trouble::default() },
            failures: 0,
            failed_syncs: 0,
            failed_cut: false,
            planted: None,
            nameless: BTreeMap::new(),
            safe: Rc::default(),
            committed: Vec::new(),
            confirmed: 0,
        }
    }

    /// Takes a job; `true`: nobody was waiting for its lane yet, so its answer has to be fetched.
    pub fn ask(&mut self, job: DiskJob) -> bool {
        let lane = job.file().lane as usize;
        self.jobs[lane].push_back(job);
        self.jobs[lane].len() + self.answers[lane].len() == 1
    }

    /// Nanoseconds that a lane's next job takes.
    pub fn takes_ns(&mut self, lane: Lane) -> u64 {
        let slow = match self.jobs[lane as usize].front() {
            Some(DiskJob::Sync { .. } | DiskJob::WriteLog { sync: true, .. }) => self.trouble.slow_sync_ns,
            _ => 0,
        };
        let takes = self.rng.below(self.job_ns.max(slow));
        self.taken_ns[lane as usize] = takes;
        takes
    }

    /// Whether a lane's next job changes which files there are.
    pub fn renames_next(&self, lane: Lane) -> bool {
        let job = self.jobs[lane as usize].front();
        job.is_some_and(|job| {
            !matches!(job, DiskJob::Append { .. } | DiskJob::WriteLog { .. } | DiskJob::Read { .. } | DiskJob::Sync { .. })
        })
    }

    /// Whether a lane's next job gives a file its name.
    pub fn commits_next(&self, lane: Lane) -> bool {
        matches!(self.jobs[lane as usize].front(), Some(DiskJob::Commit { .. }))
    }

    /// The next answer of a lane, and whether there will be another.
    pub fn answer(&mut self, lane: Lane) -> (Option<DiskDone>, bool) {
        let i = lane as usize;
        let done = self.answers[i].pop_front().or_else(|| self.jobs[i].pop_front().map(|job| self.run(job)));
        done.iter().for_each(|done| self.confirm(done));
        (done, !self.jobs[i].is_empty() || !self.answers[i].is_empty())
    }

    /// Does a job at once, behind those that its lane was asked for before.
    pub fn now(&mut self, job: DiskJob) -> DiskDone {
        let lane = job.file().lane as usize;
        while let Some(job) = self.jobs[lane].pop_front() {
            let done = self.run(job);
            self.answers[lane].push_back(done);
        }
        let done = self.run(job);
        self.confirm(&done);
        done
    }

    /// What a file has put in the place of [`SNAPSHOT`]: not always what is there, since somebody who could not wait may have been faster than the answer.
    pub fn committed_by(&self, file: FileId) -> Option<&Bytes> {
        self.committed.iter().rfind(|(by, _)| *by == Some(file)).map(|(_, bytes)| bytes)
    }

    fn confirm(&mut self, done: &DiskDone) {
        if done.result == Ok(Done::Committed)
            && let Some(at) = self.committed.iter().rposition(|(by, _)| *by == Some(done.file))
        {
            self.confirmed = self.confirmed.max(at + 1);
        }
    }

    /// The program is started again.
    pub fn begin_life(&mut self) {
        (self.failures, self.failed_syncs, self.failed_cut) = (0, 0, false);
    }

    /// Whether a value is in an append-only file, and a sync has covered it.
    pub fn is_safe(&self, serial: u64) -> bool {
        self.safe.contains(&serial)
    }

    /// The program has died; with `power` the machine too. The error says what is wrong with what is left of the file that saves go to.
    pub fn crash(&mut self, power: bool) -> Result<(), String> {
        let confirmed = self.confirmed;
        self.forget(power);
        self.committed.drain(..confirmed.saturating_sub(1));
        self.committed.iter_mut().for_each(|(by, _)| *by = None);
        self.confirmed = confirmed.min(1);
        match self.files.content(SNAPSHOT) {
            None if confirmed > 0 => return Err("the file that was saved is not there".into()),
            Some(left) if self.committed.iter().all(|(_, bytes)| *bytes != left) => {
                return Err("the file is neither the last one nor one that was on its way".into());
            }
            // Without that, the power may still take back a change of names that nobody was told of.
            left if power => {
                self.committed = left.into_iter().map(|left| (None, left)).collect();
                self.confirmed = self.committed.len();
            }
            _ => (),
        }
        Ok(())
    }

    /// What might be left if the program died at this moment.
    pub fn after_crash(&self, power: bool, rng: &mut Rng) -> Filesystem {
        let mut disk = Self { rng: Rng::new(rng.next_u64()), ..self.clone() };
        disk.forget(power);
        disk.files
    }

    fn forget(&mut self, power: bool) {
        for lane in 0..self.jobs.len() {
            // The job under way may have got so far without anybody hearing of it.
            if let Some(job) = self.jobs[lane].pop_front() {
                self.steps_left = Some(self.rng.below(STEPS_MAX));
                self.run(job);
                self.steps_left = None;
            }
            self.jobs[lane].clear();
            self.answers[lane].clear();
        }
        self.open.clear();
        if power {
            self.files.lose_power(&mut self.rng);
        }
    }

    /// A step of a job, unless the process dies in front of it.
    fn step(&mut self) -> Result<(), String> {
        match &mut self.steps_left {
            None => Ok(()),
            Some(0) => Err(DIED.into()),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }

    /// A step that changes the disk.
    fn change(&mut self) -> Result<(), String> {
        self.step()?;
        let by_chance = self.trouble.error_one_in > 0 && self.rng.below(self.trouble.error_one_in) == 0;
        match self.trouble.refusal().or(by_chance.then_some(FULL)) {
            Some(reason) => Err(reason.into()),
            None => Ok(()),
        }
    }

    /// Writes at a file's end. What fails may have been done in part. Returns the bytes that were written.
    fn write(&mut self, inode: Inode, pieces: &[Bytes]) -> (usize, Result<(), String>) {
        let result = self.change();
        let all: usize = pieces.iter().map(Bytes::len).sum();
        let most = match &result {
            Ok(()) => all,
            Err(_) if self.trouble.is_read_only => 0,
            Err(_) => self.rng.below(all as u64 + 1) as usize,
        };
        let mut left = most;
        for piece in pieces {
            let n = piece.len().min(left);
            self.files.append(inode, &piece[..n]);
            left -= n;
        }
        (most, result)
    }

    fn sync(&mut self, inode: Inode, path: &str) -> Result<(), String> {
        self.step()?;
        let before = self.files.synced(inode).saturating_sub(MARK_BYTES);
        self.files.sync(inode);
        if split(path).0 != DIRECTORY {
            return Ok(());
        }
        let covered = &self.files.bytes(inode)[before..self.files.synced(inode)];
        let serials = marked::find(covered);
        if !serials.is_empty() {
            Rc::make_mut(&mut self.safe).extend(serials);
        }
        Ok(())
    }

    fn sync_directory(&mut self, path: &str) -> Result<(), String> {
        self.step()?;
        self.files.sync_directory(split(path).0)
    }

    fn opened(&mut self, file: FileId, inode: Inode, path: String, unfinished: bool) {
        self.open.insert(file, Open { inode, path, read_at: 0, unfinished, failed: None, is_broken: false });
    }

    /// A file that has not failed.
    fn sound(&mut self, file: FileId) -> Result<&mut Open, String> {
        let open = self.open.get_mut(&file).ok_or(NOT_OPEN)?;
        open.failed.clone().map_or(Ok(open), Err)
    }

    fn run(&mut self, job: DiskJob) -> DiskDone {
        let file = job.file();
        let result = self.try_run(job);
        let failed = match &result {
            Ok(Done::Logged(done)) => done.error.is_some(),
            result => result.is_err(),
        };
        self.failures += u64::from(failed);
        DiskDone { file, result }
    }

    /// Does a job to a file that takes no more once something has failed.
    fn with<T>(&mut self, file: FileId, job: impl FnOnce(&mut Self, Inode, &str) -> Result<T, String>) -> Result<T, String> {
        let open = self.sound(file)?;
        let (inode, path) = (open.inode, open.path.clone());
        job(self, inode, &path).inspect_err(|error| {
            if let Some(open) = self.open.get_mut(&file) {
                open.failed = Some(error.clone());
            }
        })
    }

    fn try_run(&mut self, job: DiskJob) -> Result<Done, String> {
        match job {
            DiskJob::Create { file, path, .. } => {
                self.change()?;
                let inode = self.files.create(&path)?;
                self.opened(file, inode, path, true);
                Ok(Done::Created)
            }
            DiskJob::Append { file, pieces } => self.with(file, |disk, inode, _| {
                let (written, result) = disk.write(inode, &pieces);
                result.map(|()| Done::Appended(written as u64))
            }),
            DiskJob::Sync { file } => self.with(file, |disk, inode, path| disk.sync(inode, path)).map(|()| Done::Synced),
            DiskJob::Commit { file, to, fsync } => {
                self.with(file, |disk, inode, path| disk.commit(file, inode, path, &to, fsync))?;
                self.open.remove(&file);
                Ok(Done::Committed)
            }
            DiskJob::Abort { file } => {
                self.step()?;
                if let Some(open) = self.open.remove(&file)
                    && open.unfinished
                    && self.files.find(&open.path) == Some(open.inode)
                {
                    self.files.remove(&open.path);
                }
                Ok(Done::Aborted)
            }
            DiskJob::Open { file, path } => {
                let Some(inode) = self.files.find(&path) else { return Ok(Done::Opened(None)) };
                self.opened(file, inode, path, false);
                Ok(Done::Opened(Some(self.files.bytes(inode).len() as u64)))
            }
            DiskJob::Read { file, bytes } => {
                // What is read ahead may come back short.
                let most =
                    if file.lane == Lane::Bulk && self.rng.below(4) == 0 { 1 + self.rng.below(bytes as u64) as usize } else { bytes };
                let open = self.sound(file)?;
                let (inode, at) = (open.inode, open.read_at);
                let rest = &self.files.bytes(inode)[at..];
                let read = Bytes::copy_from_slice(&rest[..rest.len().min(most)]);
                self.sound(file)?.read_at = at + read.len();
                Ok(Done::Read(read))
            }
            DiskJob::Replace { path, bytes, .. } => self.replace(&path, &bytes).map(|()| Done::Replaced),
            DiskJob::Remove { path, .. } => {
                self.step()?;
                self.files.remove(&path);
                Ok(Done::Removed)
            }
            DiskJob::OpenLog { file, path, size } => self.open_log(file, path, size),
            DiskJob::WriteLog { file, at, pieces, sync, .. } => self.write_log(file, at, &pieces, sync).map(Done::Logged),
            DiskJob::CutLog { file, size } => {
                let inode = self.sound(file)?.inode;
                self.failed_cut = true;
                self.change()?;
                self.files.cut(inode, size as usize);
                self.failed_cut = false;
                Ok(Done::Cut)
            }
            DiskJob::MakeDir { path, .. } => {
                self.change()?;
                self.files.make_dir(&path)?;
                self.sync_directory(&path)?;
                Ok(Done::MadeDir)
            }
            DiskJob::Rename { from, to, .. } => {
                self.change()?;
                self.files.rename(&from, &to)?;
                self.sync_directory(&to)?;
                Ok(Done::Renamed)
            }
        }
    }

    fn open_log(&mut self, file: FileId, path: String, size: Option<u64>) -> Result<Done, String> {
        self.change()?;
        let known = self.files.find(&path);
        let inode = known.map_or_else(|| self.files.create(&path), Ok)?;
        self.opened(file, inode, path.clone(), false);
        if let Some(size) = size.filter(|_| self.planted != Some(Planted::TornStays)) {
            self.files.cut(inode, size as usize);
        }
        self.sync(inode, &path)?;
        if known.is_none() && self.planted == Some(Planted::ManifestFirst) {
            self.files.remove(&path);
            self.nameless.insert(inode, path);
        } else {
            self.sync_directory(&path)?;
        }
        Ok(Done::Opened(Some(self.files.bytes(inode).len() as u64)))
    }

    fn write_log(&mut self, file: FileId, at: u64, pieces: &[Bytes], sync: bool) -> Result<Logged, String> {
        let open = self.sound(file)?;
        let (inode, path, is_broken) = (open.inode, open.path.clone(), open.is_broken);
        let mut done = Logged::default();
        if self.files.bytes(inode).len() as u64 != at {
            done.error = Some(LogError::Write("it does not fit its place".into()));
            return Ok(done);
        }
        if let Some(path) = self.nameless.remove(&inode) {
            self.files.link(&path, inode)?;
        }
        let late = self.planted == Some(Planted::RepliesNotHeld);
        if late && sync {
            self.sync(inode, &path)?;
        }
        let in_pieces;
        let pieces = match self.planted {
            Some(Planted::ScriptInPieces) => {
                in_pieces = [without_transactions(&pieces.concat())];
                &in_pieces
            }
            _ => pieces,
        };
        let (written, result) = self.write(inode, pieces);
        if let Err(error) = result {
            // A process that has died cuts nothing off, and now and then it cannot be done.
            let stays = self.steps_left.is_some() || self.rng.below(4) == 0;
            if !stays {
                self.files.cut(inode, at as usize);
            }
            done.written = if stays { written as u64 } else { 0 };
            done.error = Some(LogError::Write(error));
            return Ok(done);
        }
        done.written = written as u64;
        if sync && (is_broken || self.trouble.failing_syncs > 0) {
            self.trouble.failing_syncs = self.trouble.failing_syncs.saturating_sub(1);
            self.failed_syncs += 1;
            self.files.fail_sync(inode, self.trouble.sticks);
            self.sound(file)?.is_broken = true;
            done.error = Some(LogError::Sync(BROKEN.into()));
        } else if sync {
            if !late && self.planted != Some(Planted::CutUnsynced) {
                self.sync(inode, &path)?;
            }
            done.synced = true;
            done.sync_us = if self.times_syncs { self.taken_ns[file.lane as usize] / 1000 } else { 0 };
        }
        Ok(done)
    }

    fn commit(&mut self, file: FileId, inode: Inode, path: &str, to: &str, fsync: bool) -> Result<(), String> {
        let to = beside(path, to);
        let is_base = split(&to).0 == DIRECTORY && !to.ends_with("manifest");
        if fsync && !(is_base && self.planted == Some(Planted::BaseUnsynced)) {
            self.change()?;
            self.sync(inode, path)?;
        }
        self.change()?;
        self.files.rename(path, &to)?;
        if to == SNAPSHOT {
            self.committed.push((Some(file), Bytes::copy_from_slice(self.files.bytes(inode))));
        }
        if let Some(open) = self.open.values_mut().find(|open| open.inode == inode) {
            open.unfinished = false;
        }
        if fsync {
            self.sync_directory(&to)?;
        }
        Ok(())
    }

    fn replace(&mut self, path: &str, bytes: &Bytes) -> Result<(), String> {
        let temporary = format!("{path}.tmp");
        let written = (|| {
            self.change()?;
            let inode = self.files.create(&temporary)?;
            self.write(inode, std::slice::from_ref(bytes)).1?;
            self.sync(inode, &temporary)?;
            self.change()?;
            self.files.rename(&temporary, path)?;
            self.sync_directory(path)
        })();
        if written.is_err() && self.steps_left.is_none() {
            self.files.remove(&temporary);
        }
        written
    }
}

/// Commands with notes, which nobody reads, in the place of MULTI and EXEC.
fn without_transactions(commands: &[u8]) -> Bytes {
    let mut all = commands.to_vec();
    for (word, note) in [(&b"*1\r\n$5\r\nMULTI\r\n"[..], &b"#TS:000000000\r\n"[..]), (b"*1\r\n$4\r\nEXEC\r\n", b"#TS:00000000\r\n")] {
        let places: Vec<_> = memchr::memmem::find_iter(commands, word).collect();
        places.into_iter().for_each(|at| all[at..at + word.len()].copy_from_slice(note));
    }
    Bytes::from(all)
}

/// The path of another file in the directory of this one.
fn beside(path: &str, name: &str) -> String {
    match split(path).0 {
        "" => name.to_owned(),
        directory => format!("{directory}/{name}"),
    }
}

#[test]
fn a_save_that_was_not_answered_may_be_there_after_the_program_has_died_and_gone_after_the_power_has() {
    let file = FileId { lane: Lane::Bulk, number: 1 };
    for seed in 0..100 {
        let mut disk = Disk::new(Rng::new(seed), 1, 0);
        disk.ask(DiskJob::Create { file, path: "temp".into(), sync_every: 0 });
        disk.ask(DiskJob::Append { file, pieces: vec![Bytes::from_static(b"data")] });
        disk.ask(DiskJob::Commit { file, to: SNAPSHOT.into(), fsync: true });
        (0..2).for_each(|_| drop(disk.answer(Lane::Bulk)));
        [false, false, true, true].into_iter().for_each(|power| disk.crash(power).unwrap());
        disk.now(DiskJob::Create { file, path: "temp".into(), sync_every: 0 });
        disk.now(DiskJob::Commit { file, to: SNAPSHOT.into(), fsync: true });
        disk.crash(true).unwrap();
        assert_eq!(disk.files.content(SNAPSHOT).as_deref(), Some(&b""[..]));
    }
}
