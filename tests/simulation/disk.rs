//! A disk: slow, sometimes full, and forgetful of what it was not told to keep when the power goes.

use bytes::Bytes;
use solod::{
    data::rng::Rng,
    state::disk::{DiskDone, DiskJob, Done, FileId, LogError, Logged},
};
use std::collections::{BTreeMap, VecDeque};

/// What a file holds, whatever its names.
#[derive(Clone, Default)]
struct Content {
    bytes: Vec<u8>,
    /// So many of them would survive.
    synced: usize,
}

struct Open {
    content: usize,
    name: String,
    read_at: usize,
    unfinished: bool,
    sync_every: u64,
    failed: Option<String>,
}

/// One node's disk.
pub struct Disk {
    rng: Rng,
    contents: Vec<Content>,
    /// The directory as running programs see it.
    names: BTreeMap<String, usize>,
    /// The directory as it is for sure after a power cut.
    safe_names: BTreeMap<String, usize>,
    open: BTreeMap<FileId, Open>,
    jobs: VecDeque<DiskJob>,
    /// Answers that somebody who could not wait was faster than.
    answers: VecDeque<DiskDone>,
    /// One job in so many fails; 0: none.
    pub error_one_in: u64,
    /// What was put in its place, in order.
    pub committed: Vec<Bytes>,
    /// How many of those have been answered.
    pub confirmed: usize,
}

impl Disk {
    pub fn new(rng: Rng, error_one_in: u64) -> Self {
        Self {
            rng,
            contents: Vec::new(),
            names: BTreeMap::new(),
            safe_names: BTreeMap::new(),
            open: BTreeMap::new(),
            jobs: VecDeque::new(),
            answers: VecDeque::new(),
            error_one_in,
            committed: Vec::new(),
            confirmed: 0,
        }
    }

    /// Takes a job; `true`: nobody was waiting for the disk yet, so its answer has to be fetched.
    pub fn ask(&mut self, job: DiskJob) -> bool {
        self.jobs.push_back(job);
        self.jobs.len() + self.answers.len() == 1
    }

    /// The next answer, and whether there will be another.
    pub fn answer(&mut self) -> (Option<DiskDone>, bool) {
        let done = self.answers.pop_front().or_else(|| self.jobs.pop_front().map(|job| self.run(job)));
        if let Some(DiskDone { result: Ok(Done::Committed), .. }) = done {
            self.confirmed += 1;
        }
        (done, !self.jobs.is_empty() || !self.answers.is_empty())
    }

    /// Does a job at once, behind those asked for before.
    pub fn now(&mut self, job: DiskJob) -> DiskDone {
        while let Some(job) = self.jobs.pop_front() {
            let done = self.run(job);
            self.answers.push_back(done);
        }
        let done = self.run(job);
        if matches!(done.result, Ok(Done::Committed)) {
            // Whatever waits for its answer is older than this.
            self.confirmed = self.committed.len();
        }
        done
    }

    /// What a file holds now.
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        self.names.get(name).map(|content| &self.contents[*content].bytes[..])
    }

    /// The program has died; with `power` the machine too. The error says what is wrong with what is left.
    pub fn crash(&mut self, power: bool) -> Result<(), String> {
        let confirmed = self.confirmed;
        self.forget(power);
        let left = self.file("dump.rdb").map(Bytes::copy_from_slice);
        let wanted = &self.committed[confirmed.saturating_sub(1)..];
        match &left {
            None if confirmed > 0 => return Err("the file that was saved is not there".into()),
            Some(file) if !wanted.contains(file) => return Err("the file is neither the last one nor one that was on its way".into()),
            _ => (),
        }
        self.confirmed = usize::from(left.is_some());
        self.committed = left.into_iter().collect();
        Ok(())
    }

    fn forget(&mut self, power: bool) {
        // The job under way may have been done without anybody hearing of it.
        if self.rng.below(2) == 0
            && let Some(job) = self.jobs.pop_front()
        {
            self.run(job);
        }
        self.jobs.clear();
        self.answers.clear();
        self.open.clear();
        if !power {
            return;
        }
        for content in &mut self.contents {
            let unsynced = content.bytes.len() - content.synced;
            if unsynced == 0 {
                continue;
            }
            match self.rng.below(3) {
                0 => content.bytes.truncate(content.synced),
                1 => content.bytes.truncate(content.synced + self.rng.below(unsynced as u64 + 1) as usize),
                // The length got there, and some of the blocks did not.
                _ => {
                    for block in content.bytes[content.synced..].chunks_mut(512) {
                        if self.rng.below(2) == 0 {
                            block.fill(0);
                        }
                    }
                }
            }
            content.synced = content.bytes.len();
        }
        let mut names = self.safe_names.clone();
        for (name, content) in &self.names {
            if self.rng.below(2) == 0 {
                names.insert(name.clone(), *content);
            }
        }
        self.safe_names = names.clone();
        self.names = names;
    }

    fn run(&mut self, job: DiskJob) -> DiskDone {
        let file = job.file();
        DiskDone { file, result: self.try_run(job) }
    }

    fn try_run(&mut self, job: DiskJob) -> Result<Done, String> {
        let fails = self.error_one_in > 0 && self.rng.below(self.error_one_in) == 0;
        match job {
            DiskJob::Create { .. } if fails => Err("No space left on device".into()),
            DiskJob::Create { file, path, sync_every } => {
                let content = self.contents.len();
                self.contents.push(Content::default());
                self.names.insert(path.clone(), content);
                self.open.insert(file, Open { content, name: path, read_at: 0, unfinished: true, sync_every, failed: None });
                Ok(Done::Created)
            }
            DiskJob::Append { file, pieces } => {
                let open = self.open.get_mut(&file).ok_or("the file is not open")?;
                open.failed.clone().map_or(Ok(()), Err)?;
                let content = &mut self.contents[open.content];
                if fails {
                    content.bytes.extend(pieces.iter().flatten().take(self.rng.below(1000) as usize));
                    open.failed = Some("No space left on device".into());
                    return Err("No space left on device".into());
                }
                let before = content.bytes.len();
                pieces.iter().for_each(|piece| content.bytes.extend_from_slice(piece));
                if open.sync_every > 0 && (content.bytes.len() - content.synced) as u64 >= open.sync_every {
                    content.synced = content.bytes.len();
                }
                Ok(Done::Appended((content.bytes.len() - before) as u64))
            }
            DiskJob::Commit { file, to, fsync } => {
                let open = self.open.get_mut(&file).ok_or("the file is not open")?;
                open.failed.clone().map_or(Ok(()), Err)?;
                if fails {
                    open.failed = Some("Input/output error".into());
                    return Err("Input/output error".into());
                }
                let Some(open) = self.open.remove(&file) else { return Err("the file is not open".into()) };
                let content = &mut self.contents[open.content];
                if fsync {
                    content.synced = content.bytes.len();
                }
                self.committed.push(content.bytes.clone().into());
                self.names.remove(&open.name);
                self.names.insert(to.clone(), open.content);
                if fsync {
                    self.safe_names.remove(&open.name);
                    self.safe_names.insert(to, open.content);
                }
                Ok(Done::Committed)
            }
            DiskJob::Abort { file } => {
                if let Some(open) = self.open.remove(&file)
                    && open.unfinished
                    && self.names.get(&open.name) == Some(&open.content)
                {
                    self.names.remove(&open.name);
                }
                Ok(Done::Aborted)
            }
            DiskJob::Open { file, path } => {
                let Some(&content) = self.names.get(&path) else { return Ok(Done::Opened(None)) };
                let open = Open { content, name: path, read_at: 0, unfinished: false, sync_every: 0, failed: None };
                self.open.insert(file, open);
                Ok(Done::Opened(Some(self.contents[content].bytes.len() as u64)))
            }
            DiskJob::Read { file, bytes } => {
                let open = self.open.get_mut(&file).ok_or("the file is not open")?;
                let rest = &self.contents[open.content].bytes[open.read_at..];
                // A read may come back short.
                let most = if self.rng.below(4) == 0 { 1 + self.rng.below(bytes as u64) as usize } else { bytes };
                let read = Bytes::copy_from_slice(&rest[..rest.len().min(most)]);
                open.read_at += read.len();
                Ok(Done::Read(read))
            }
            DiskJob::Sync { file } => {
                let open = self.open.get_mut(&file).ok_or("the file is not open")?;
                open.failed.clone().map_or(Ok(()), Err)?;
                let content = &mut self.contents[open.content];
                content.synced = content.bytes.len();
                Ok(Done::Synced)
            }
            DiskJob::Replace { .. } if fails => Err("No space left on device".into()),
            DiskJob::Replace { path, bytes, .. } => {
                let content = self.contents.len();
                self.contents.push(Content { synced: bytes.len(), bytes: bytes.to_vec() });
                self.names.insert(path.clone(), content);
                self.safe_names.insert(path, content);
                Ok(Done::Replaced)
            }
            DiskJob::Remove { path, .. } => {
                self.names.remove(&path);
                Ok(Done::Removed)
            }
            DiskJob::OpenLog { .. } | DiskJob::MakeDir { .. } | DiskJob::Rename { .. } if fails => Err("No space left on device".into()),
            DiskJob::OpenLog { file, path, size } => {
                let content = match self.names.get(&path) {
                    Some(content) => *content,
                    None => {
                        self.contents.push(Content::default());
                        self.names.insert(path.clone(), self.contents.len() - 1);
                        self.contents.len() - 1
                    }
                };
                if let Some(size) = size
                    && (size as usize) < self.contents[content].bytes.len()
                {
                    let bytes = &mut self.contents[content].bytes;
                    bytes.truncate(size as usize);
                }
                self.contents[content].synced = self.contents[content].bytes.len();
                self.open.insert(file, Open { content, name: path, read_at: 0, unfinished: false, sync_every: 0, failed: None });
                Ok(Done::Opened(Some(self.contents[content].bytes.len() as u64)))
            }
            DiskJob::WriteLog { file, at, pieces, sync, .. } => {
                let open = self.open.get_mut(&file).ok_or("the file is not open")?;
                let content = &mut self.contents[open.content];
                let mut done = Logged::default();
                if fails || content.bytes.len() as u64 != at {
                    done.error = Some(LogError::Write("No space left on device".into()));
                    return Ok(Done::Logged(done));
                }
                pieces.iter().for_each(|piece| content.bytes.extend_from_slice(piece));
                done.written = content.bytes.len() as u64 - at;
                if sync {
                    content.synced = content.bytes.len();
                    done.synced = true;
                }
                Ok(Done::Logged(done))
            }
            DiskJob::CutLog { file, size } => {
                let open = self.open.get_mut(&file).ok_or("the file is not open")?;
                let content = &mut self.contents[open.content];
                content.bytes.truncate(size as usize);
                content.synced = content.synced.min(content.bytes.len());
                Ok(Done::Cut)
            }
            DiskJob::MakeDir { .. } => Ok(Done::MadeDir),
            DiskJob::Rename { from, to, .. } => {
                let content = self.names.remove(&from).ok_or("No such file or directory")?;
                self.names.insert(to.clone(), content);
                self.safe_names.remove(&from);
                self.safe_names.insert(to, content);
                Ok(Done::Renamed)
            }
        }
    }
}
