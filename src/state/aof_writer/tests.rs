use super::*;
use crate::{resp::request::OwnedArgs, state::disk::Lane};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn file(number: u64) -> FileId {
    FileId { lane: Lane::Log, number }
}

/// A log of writes, the files, and what they should hold.
struct World {
    log: WriteLog,
    writer: AofWriter,
    files: BTreeMap<FileId, Vec<u8>>,
    job: Option<(FileId, u64, Vec<u8>, bool)>,
    /// What belongs into each file.
    wanted: Vec<(FileId, Vec<u8>)>,
    /// Bytes logged behind the cut, where it is not known yet which file they go to.
    behind_cut: Option<Vec<u8>>,
    /// Files that lack what was given up.
    given_up: Vec<FileId>,
    rule: SyncRule,
    now_ms: u64,
}

impl World {
    fn new(policy: AppendFsync) -> Self {
        let mut log = WriteLog::default();
        log.append_raw(b"before");
        let reader = log.add_reader(log.end());
        log.keep_chatter(true);
        let writer = AofWriter::new(reader, file(1), 0, (log.end(), None), 0);
        Self {
            log,
            writer,
            files: BTreeMap::from([(file(1), Vec::new())]),
            job: None,
            wanted: vec![(file(1), Vec::new())],
            behind_cut: None,
            given_up: Vec::new(),
            rule: SyncRule { policy, suspended: false, waits: false },
            now_ms: 10_000,
        }
    }

    fn want(&mut self, bytes: &[u8]) {
        match &mut self.behind_cut {
            Some(kept) => kept.extend_from_slice(bytes),
            None => self.wanted.last_mut().expect("there is a file").1.extend_from_slice(bytes),
        }
    }

    fn append(&mut self, len: usize) {
        let mut args = OwnedArgs::new(&[b"SET"]);
        args.push(&vec![b'v'; len]);
        let before = self.log.end();
        self.log.append(0, args.args());
        let bytes = self.log.read_from(before).expect("it is open").concat();
        self.want(&bytes);
    }

    fn insert(&mut self, bytes: &'static [u8]) {
        // It stands in front of a command.
        self.writer.insert(self.log.end(), Bytes::from_static(bytes));
        self.want(bytes);
        self.append(1);
    }

    /// The end of a turn.
    fn turn(&mut self) {
        self.now_ms += 300;
        self.writer.note_logged(&self.log, self.now_ms);
        if let Some(DiskJob::WriteLog { file, at, pieces, sync, .. }) = self.writer.next_job(&mut self.log, self.rule, 0, self.now_ms) {
            assert!(self.job.replace((file, at, pieces.concat(), sync)).is_none(), "one job at a time");
        }
    }

    /// The disk answers: it has written all, or it fails and leaves some of it.
    fn answer(&mut self, left: Option<usize>) {
        let Some(done) = self.do_job(left) else { return };
        let synced_before = self.writer.synced();
        let progress = self.writer.answered(&done, self.now_ms).expect("it was asked for");
        assert_eq!(progress.error.is_some(), left.is_some());
        assert!(self.writer.synced() >= synced_before && self.writer.synced() <= self.writer.written());
        self.settle();
    }

    /// The disk answers: everything is in the file, but it could not be synced.
    fn fail_sync(&mut self) {
        if self.job.as_ref().is_none_or(|(_, _, _, sync)| !sync) {
            return;
        }
        let Some(mut done) = self.do_job(None) else { return };
        (done.synced, done.error) = (false, Some(LogError::Sync("broken".into())));
        self.writer.answered(&done, self.now_ms);
        self.settle();
    }

    fn do_job(&mut self, left: Option<usize>) -> Option<Logged> {
        let (file, at, bytes, sync) = self.job.take()?;
        let held = self.files.get_mut(&file).expect("it is open");
        assert_eq!(held.len() as u64, at, "the file has what was expected");
        let written = left.map_or(bytes.len(), |left| left % (bytes.len() + 1));
        held.extend_from_slice(&bytes[..written]);
        // It may also fail with everything written.
        let failed = left.is_some();
        Some(Logged {
            written: written as u64,
            synced: sync && !failed,
            error: failed.then(|| LogError::Write("full".into())),
            ..Logged::default()
        })
    }

    fn settle(&mut self) {
        self.log.move_reader(self.writer.reader, self.writer.written());
        self.writer.take_finished().iter().for_each(|file| self.check_whole(*file));
    }

    /// Everything is to be written at once, behind what is under way, which is answered later. Either may fail and leave some of it.
    fn flush(&mut self, under_way: Option<usize>, left: Option<usize>) {
        let answer = self.do_job(under_way);
        while let Some(DiskJob::WriteLog { file, at, pieces, .. }) = self.writer.flush_job(&mut self.log) {
            let bytes = pieces.concat();
            let held = self.files.get_mut(&file).expect("it is open");
            let fits = held.len() as u64 == at;
            let written = if fits { left.map_or(bytes.len(), |left| left % (bytes.len() + 1)) } else { 0 };
            held.extend_from_slice(&bytes[..written]);
            let failed = !fits || left.is_some();
            let error = failed.then(|| LogError::Write("full".into()));
            self.writer.flushed(&self.log, &Logged { written: written as u64, synced: !failed, error, ..Logged::default() });
            self.settle();
            if failed || self.writer.is_flushed(&self.log) {
                break;
            }
        }
        if let Some(answer) = answer {
            self.writer.answered(&answer, self.now_ms);
            self.settle();
        }
    }

    fn check_whole(&self, file: FileId) {
        let wanted = &self.wanted.iter().find(|(wanted, _)| *wanted == file).expect("it was one of them").1;
        assert!(self.files[&file] == *wanted || self.given_up.contains(&file), "a file that is closed is complete");
    }

    fn cut(&mut self) {
        if self.behind_cut.is_none() && self.wanted.len() < 50 {
            self.writer.cut(self.log.end());
            self.log.forget_db();
            self.behind_cut = Some(Vec::new());
        }
    }

    fn go_on(&mut self, in_new: bool) {
        let Some(kept) = self.behind_cut.take() else { return };
        let next = in_new.then(|| file(self.wanted.len() as u64 + 1));
        if let Some(next) = next {
            self.files.insert(next, Vec::new());
            self.wanted.push((next, Vec::new()));
        }
        self.want(&kept);
        self.writer.continue_in(next);
        self.writer.take_finished().iter().for_each(|file| self.check_whole(*file));
    }

    /// All that has come is written and synced.
    fn drain(&mut self) {
        self.go_on(true);
        for _ in 0..200 {
            self.now_ms += 1000;
            self.turn();
            self.answer(None);
        }
        for (file, wanted) in &self.wanted {
            assert!(self.files[file] == *wanted);
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Append(usize),
    Chatter,
    Insert,
    Turn,
    Answer,
    Fail(usize),
    FailSync,
    GiveUp,
    Cut,
    GoOn(bool),
    Flush(Option<usize>, Option<usize>),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop_oneof![9 => 0..100usize, 1 => 0..100_000usize].prop_map(Step::Append),
        2 => Just(Step::Chatter),
        1 => Just(Step::Insert),
        6 => Just(Step::Turn),
        4 => Just(Step::Answer),
        2 => any::<usize>().prop_map(Step::Fail),
        1 => Just(Step::FailSync),
        1 => Just(Step::Cut),
        2 => any::<bool>().prop_map(Step::GoOn),
        2 => any::<(Option<usize>, Option<usize>)>().prop_map(|(under_way, left)| Step::Flush(under_way, left)),
    ]
}

impl World {
    fn step(&mut self, step: &Step) {
        match *step {
            Step::Append(len) => self.append(len),
            Step::Chatter => self.log.append_chatter(&[b"PING"]),
            Step::Insert => self.insert(b"#TS:1\r\n"),
            Step::Turn => self.turn(),
            Step::Answer => self.answer(None),
            Step::Fail(left) => self.answer(Some(left)),
            // It ends the process.
            Step::FailSync if self.rule.policy == AppendFsync::Always => (),
            Step::FailSync => self.fail_sync(),
            Step::GiveUp => {
                self.given_up.extend(self.writer.files().next());
                self.writer.give_up();
            }
            Step::Cut => self.cut(),
            Step::GoOn(in_new) => self.go_on(in_new),
            // Whoever flushes has given up the rewrite that has cut the log.
            Step::Flush(under_way, left) if self.behind_cut.is_none() => self.flush(under_way, left),
            Step::Flush(..) => (),
        }
        assert!(self.writer.written() <= self.log.end());
    }
}

fn policy() -> impl Strategy<Value = AppendFsync> {
    prop::sample::select(vec![AppendFsync::Always, AppendFsync::EverySecond, AppendFsync::No])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn files_get_exactly_what_was_logged_whatever_fails(
        steps in proptest::collection::vec(step(), 1..120),
        policy in policy(),
    ) {
        let mut world = World::new(policy);
        steps.iter().for_each(|step| world.step(step));
        world.drain();
    }

    #[test]
    fn one_that_is_stopped_comes_to_its_end_whatever_failed(
        steps in proptest::collection::vec(prop_oneof![20 => step(), 1 => Just(Step::GiveUp)], 1..60),
        policy in policy(),
    ) {
        let mut world = World::new(policy);
        steps.iter().for_each(|step| world.step(step));
        // A new part is begun behind one that is whole.
        while world.writer.files().count() > 1 {
            world.turn();
            world.answer(None);
        }
        world.writer.stop(&mut world.log);
        for _ in 0..3 {
            world.turn();
            world.answer(None);
        }
        prop_assert!(world.writer.is_done() && world.job.is_none());
    }
}

#[test]
fn what_the_log_holds_is_not_counted_as_memory_of_the_file() {
    let mut world = World::new(AppendFsync::EverySecond);
    for _ in 0..100 {
        world.append(100_000);
    }
    world.turn();
    assert!(world.writer.in_flight() > 9_000_000 && world.writer.copied() < 1_000_000, "{}", world.writer.copied());
    world.append(100);
    world.drain();
    world.append(100);
    world.turn();
    assert!((100..200).contains(&world.writer.copied()), "the end of the log is copied: {}", world.writer.copied());
    world.drain();
    assert_eq!(world.writer.copied(), 0);
}

#[test]
fn what_is_for_replicas_alone_stays_out_and_counts_as_synced() {
    let mut world = World::new(AppendFsync::Always);
    world.log.append_chatter(&[b"PING"]);
    world.turn();
    assert!(world.job.is_none(), "there is nothing to write");
    assert_eq!(world.writer.synced(), world.log.end());
    world.append(3);
    world.log.append_chatter(&[b"REPLCONF", b"GETACK", b"*"]);
    world.append(4);
    world.turn();
    assert!(world.job.as_ref().is_some_and(|(_, _, _, sync)| *sync));
    world.drain();
    assert!(!world.files[&file(1)].windows(4).any(|four| four == b"PING" || four == b"GETA"));
}

#[test]
fn a_part_whose_sync_failed_is_whole_though_it_was_cut_behind_what_is_for_replicas() {
    let mut world = World::new(AppendFsync::EverySecond);
    world.append(3);
    world.turn();
    world.fail_sync();
    assert!(world.job.is_none() && world.writer.is_broken());
    world.log.append_chatter(&[b"PING"]);
    world.cut();
    world.turn();
    assert!(world.job.is_none() && world.writer.is_cut_done() && world.writer.is_broken());
    world.go_on(true);
    assert!(!world.writer.is_broken());
    world.append(3);
    world.drain();
}

#[test]
fn a_sync_that_is_wanted_soon_reaches_what_stands_behind_a_cut() {
    let mut world = World::new(AppendFsync::No);
    world.append(1);
    world.cut();
    world.append(1);
    world.writer.sync_soon();
    world.turn();
    world.answer(None);
    assert!(world.writer.is_cut_done() && world.writer.synced() < world.log.end());
    world.go_on(true);
    world.turn();
    world.answer(None);
    assert_eq!(world.writer.synced(), world.log.end());
    world.append(1);
    world.turn();
    assert!(world.job.as_ref().is_some_and(|(_, _, _, sync)| !*sync), "what comes later is not meant");
}

#[test]
fn every_second_one_write_syncs_what_was_written_before() {
    let mut world = World::new(AppendFsync::EverySecond);
    let mut synced = Vec::new();
    for _ in 0..20 {
        world.append(1);
        world.turn();
        synced.extend(world.job.as_ref().map(|(_, _, _, sync)| *sync));
        world.answer(None);
    }
    // A turn is 300 ms long here.
    assert_eq!(synced.iter().filter(|sync| **sync).count(), 5, "{synced:?}");
    world.now_ms += 1000;
    world.turn();
    assert!(
        world.job.as_ref().is_some_and(|(_, _, bytes, sync)| *sync && bytes.is_empty()),
        "what is left is synced though nothing is written"
    );
    world.answer(None);
    assert_eq!((world.writer.synced(), world.writer.unsynced_since_ms()), (world.log.end(), None));
}

#[test]
fn the_age_of_what_is_not_on_the_disk_is_that_of_its_oldest_byte() {
    let mut world = World::new(AppendFsync::EverySecond);
    world.append(1);
    world.turn();
    let first = world.now_ms;
    assert_eq!(world.writer.unsynced_since_ms(), Some(first));
    world.append(1);
    world.turn();
    assert_eq!(world.writer.unsynced_since_ms(), Some(first), "the sync under way is not over");
    world.answer(None);
    assert_eq!(world.writer.unsynced_since_ms(), Some(first + 300));
    world.rule.suspended = true;
    world.now_ms += 10_000;
    world.turn();
    assert_eq!(world.writer.unsynced_since_ms(), Some(world.now_ms), "while syncs are suspended nobody waits for them");
}

#[test]
fn a_write_that_fails_with_everything_written_is_followed_by_a_sync() {
    for policy in [AppendFsync::Always, AppendFsync::EverySecond, AppendFsync::No] {
        let mut world = World::new(policy);
        let before = world.log.end();
        world.append(1);
        world.turn();
        let all = world.job.as_ref().expect("it is written").2.len();
        world.answer(Some(all));
        assert_eq!((world.writer.written(), world.writer.synced()), (world.log.end(), before), "{policy:?}");
        world.turn();
        let (_, at, bytes, sync) = world.job.as_ref().expect("nobody knows yet that it works again");
        assert_eq!((*at, bytes.len(), *sync), (all as u64, 0, true), "{policy:?}");
        world.answer(None);
        assert_eq!(world.writer.synced(), world.log.end(), "{policy:?}");
    }
}

#[test]
fn what_waits_behind_a_cut_grows_old_as_everything_else_does() {
    for in_new in [false, true] {
        let mut world = World::new(AppendFsync::EverySecond);
        world.append(1);
        world.turn();
        world.cut();
        world.append(1);
        world.turn();
        let behind = world.now_ms;
        world.answer(None);
        world.turn();
        assert!(world.writer.is_cut_done() && world.job.is_none(), "it is not known where it goes");
        assert_eq!(world.writer.unsynced_since_ms(), Some(behind));
        let wakes = world.writer.sleep_ms(world.rule, world.log.end(), world.now_ms);
        assert_eq!(world.now_ms + wakes, behind + UNSYNCED_MS_MAX, "it wakes up to hold writes");
        world.go_on(in_new);
        assert_eq!(world.writer.unsynced_since_ms(), Some(behind));
        world.now_ms += SYNC_EACH_MS;
        world.turn();
        world.answer(None);
        assert_eq!((world.writer.synced(), world.writer.unsynced_since_ms()), (world.log.end(), None));
    }
}

#[test]
fn what_is_left_when_it_is_stopped_is_synced_whatever_is_logged_then() {
    for under_way in [false, true] {
        let mut world = World::new(AppendFsync::No);
        world.append(10);
        if under_way {
            world.turn();
        }
        world.append(20);
        // A new part is begun behind one that is whole.
        while world.writer.files().count() > 1 {
            world.turn();
            world.answer(None);
        }
        world.writer.stop(&mut world.log);
        let reader = world.writer.reader;
        world.log.remove_reader(reader);
        for _ in 0..3 {
            world.turn();
            world.answer(None);
        }
        assert!(world.writer.is_done());
        assert_eq!(world.files[&file(1)], world.wanted[0].1);
    }
}
