//! A snapshot as RDB bytes: the sink of a walk, whether the bytes are for a file or for a replica.

use super::rdb::{Encoder, Head, Progress, SaveInfo, Settings, VERSION_ACTIVE_TIMES, VERSION_FIELD_DEADLINES, VERSION_WRITTEN};
use crate::{
    data::{entry::Entry, pieces::Element},
    keyspace::{Keyspace, Sink, WalkId},
};
use bytes::Bytes;
use std::{cell::RefCell, collections::VecDeque, rc::Rc};

/// What stands in front of a database's first key.
struct Size {
    keys: usize,
    volatile: usize,
    told: bool,
}

/// A sink whose bytes are fetched piece by piece, for a file or for a replica.
///
/// [`Keyspace::step_walk`] and [`SnapshotSink::poll`], alternating, taking what [`SnapshotSink::pop`] has; when the walk is over
/// [`SnapshotSink::finish`], and on with polling until it is done: what [`SnapshotWalk`] does in the background.
pub trait SnapshotSink: Sink {
    /// Must be called when the walk is over. The stream is complete when [`SnapshotSink::poll`] says that it is done.
    fn finish(&mut self);

    /// Gets up to `budget_bytes` of what was encoded ready to go.
    fn poll(&mut self, budget_bytes: usize) -> Progress;

    /// The next piece that is ready to go.
    fn pop(&mut self) -> Option<Bytes>;

    /// Bytes that [`SnapshotSink::pop`] has for the taking.
    fn ready_bytes(&self) -> usize;

    /// Bytes that wait to be taken, ready to go or not, and that only this snapshot still needs, about. What the walk has encoded in its turn is a
    /// few small values, or large ones that it shares with the keyspace: so it is what was copied early.
    fn copied_bytes(&self) -> usize;

    /// Keys encoded so far.
    fn keys(&self) -> u64;

    /// Bytes taken so far.
    fn bytes(&self) -> u64;

    /// Bytes of memory copied out of turn so far, since writes came upon them: what copies of pages are to a fork.
    fn early_bytes(&self) -> u64;
}

/// A walk whose sink is fetched from meanwhile, in steps.
pub struct SnapshotWalk {
    id: Option<WalkId>,
    /// The end of the stream has been encoded.
    is_ended: bool,
}

impl SnapshotWalk {
    /// Of a walk that has just begun; of none where nothing is to be found.
    pub fn new(id: Option<WalkId>) -> Self {
        Self { id, is_ended: false }
    }

    /// The walk, until it is over.
    pub fn id(&self) -> Option<WalkId> {
        self.id
    }

    /// Takes one step, getting up to `poll_bytes` ready to go in front of it and behind it. Returns the number of keys, and whether the stream is complete.
    /// With `delayed` the last keys are a step before the end.
    pub fn step(
        &mut self,
        sink: &RefCell<impl SnapshotSink + ?Sized>,
        keyspace: &mut Keyspace,
        poll_bytes: usize,
        delayed: bool,
    ) -> (u64, bool) {
        let before = sink.borrow().keys();
        // What has been encoded comes first, so that no more of it waits than a step adds.
        let is_idle = sink.borrow_mut().poll(poll_bytes) == Progress::Idle;
        if is_idle {
            let walked = self.id.is_some();
            self.id = self.id.filter(|walk| keyspace.step_walk(*walk));
            if self.id.is_none() && !self.is_ended && !(walked && delayed) {
                self.is_ended = true;
                sink.borrow_mut().finish();
            }
        }
        let is_complete = sink.borrow_mut().poll(poll_bytes) == Progress::Done;
        (sink.borrow().keys() - before, is_complete)
    }

    /// Takes all that there is in one go: for what is small.
    pub fn run(&mut self, sink: &RefCell<impl SnapshotSink + ?Sized>, keyspace: &mut Keyspace) {
        while !self.step(sink, keyspace, usize::MAX, false).1 {}
    }
}

/// What was copied early for a snapshot: how much, and how much of that may still wait to be taken.
#[derive(Default)]
pub(super) struct EarlyCopies {
    total: u64,
    /// What it was when nothing waited.
    taken: u64,
}

impl EarlyCopies {
    /// Encoded bytes that may wait without a copy being among them: two pieces.
    const DRAINED: usize = 128 * 1024;

    pub fn add(&mut self, bytes: usize) {
        self.total += bytes as u64;
    }

    /// Says that what was ready has been taken, and how many bytes wait behind it.
    pub fn drained(&mut self, waiting_bytes: usize) {
        if waiting_bytes < Self::DRAINED {
            self.taken = self.total;
        }
    }

    pub fn total(&self) -> u64 {
        self.total
    }

    /// How many of so many bytes that wait are copies, at most.
    pub fn waiting(&self, waiting_bytes: usize) -> usize {
        waiting_bytes.min((self.total - self.taken) as usize + Self::DRAINED)
    }
}

/// Turns what a walk finds into an RDB stream.
pub struct RdbSink {
    encoder: Encoder,
    /// The database that the stream is in.
    db: Option<usize>,
    sizes: Vec<Size>,
    /// Heads of large collections, with their databases; the first one is in the stream already.
    larges: VecDeque<(usize, Option<Head>)>,
    keys: u64,
    bytes: u64,
    early: EarlyCopies,
    /// Unix time that marks of access count from.
    now_ms: i64,
}

impl RdbSink {
    /// The head of a stream about what `keyspace` holds now. The walk is to begin in the same turn.
    pub fn new(settings: Settings, info: &SaveInfo<'_>, keyspace: &Keyspace) -> Rc<RefCell<Self>> {
        let mut encoder = Encoder::new(settings);
        encoder.begin(version_needed(settings, keyspace), info.aux());
        info.libraries.iter().for_each(|code| encoder.library(code));
        let sizes = keyspace.iter().map(|(_, db)| Size { keys: db.len(), volatile: db.volatile(), told: false }).collect();
        Rc::new(RefCell::new(Self {
            encoder,
            db: None,
            sizes,
            larges: VecDeque::new(),
            keys: 0,
            bytes: 0,
            early: EarlyCopies::default(),
            now_ms: keyspace.now_ms,
        }))
    }

    /// Begins a snapshot of this moment.
    pub fn begin(settings: Settings, info: &SaveInfo<'_>, keyspace: &mut Keyspace) -> (WalkId, Rc<RefCell<Self>>) {
        let sink = Self::new(settings, info, keyspace);
        (keyspace.begin_walk(sink.clone()), sink)
    }

    /// Begins the first of the large collections that wait.
    fn open_next(&mut self) {
        let Some((db, head)) = self.larges.front_mut() else { return };
        let (db, head) = (*db, head.take());
        if self.db != Some(db) {
            self.enter(db);
        }
        if let Some(head) = head {
            self.encoder.open(head);
        }
    }

    #[cold]
    fn enter(&mut self, db: usize) {
        self.db = Some(db);
        self.encoder.select_db(db);
        if let Some(size) = self.sizes.get_mut(db)
            && !size.told
        {
            size.told = true;
            self.encoder.resize_db(size.keys, size.volatile);
        }
    }
}

impl SnapshotSink for RdbSink {
    fn finish(&mut self) {
        self.encoder.end();
    }

    fn poll(&mut self, budget_bytes: usize) -> Progress {
        self.encoder.poll(budget_bytes)
    }

    fn pop(&mut self) -> Option<Bytes> {
        let Some(piece) = self.encoder.pop() else {
            self.early.drained(self.encoder.waiting_bytes());
            return None;
        };
        self.bytes += piece.len() as u64;
        Some(piece)
    }

    fn ready_bytes(&self) -> usize {
        self.encoder.ready_bytes()
    }

    fn copied_bytes(&self) -> usize {
        self.early.waiting(self.encoder.waiting_bytes())
    }

    fn keys(&self) -> u64 {
        self.keys
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn early_bytes(&self) -> u64 {
        self.early.total()
    }
}

/// The version of the format that holds all there is. If the settings do not allow it, the log says whose deadlines are left out.
fn version_needed(settings: Settings, keyspace: &Keyspace) -> u32 {
    let hashes = keyspace.hashes_with_deadlines();
    if hashes == 0 {
        return if keyspace.streams_apart() > 0 { VERSION_ACTIVE_TIMES } else { VERSION_WRITTEN };
    }
    if settings.version_max < VERSION_FIELD_DEADLINES {
        log::warn!(
            "rdb-version-max is {}: fields of {hashes} hashes are written without their deadlines, which need version {VERSION_FIELD_DEADLINES}.",
            settings.version_max
        );
    }
    VERSION_FIELD_DEADLINES
}

impl Sink for RdbSink {
    #[inline]
    fn entry(&mut self, db: usize, entry: &Entry) {
        // Keys that are about to change come out of turn, so the stream may enter a database more than once.
        if self.db != Some(db) {
            self.enter(db);
        }
        self.encoder.entry(entry, self.now_ms);
        self.keys += 1;
    }

    fn large(&mut self, db: usize, entry: &Entry) {
        let head = self.encoder.head(entry, self.now_ms);
        self.larges.push_back((db, Some(head)));
        if self.larges.len() == 1 {
            self.open_next();
        }
    }

    fn element(&mut self, element: Element<'_>) {
        self.encoder.element(element);
    }

    fn large_done(&mut self) {
        self.encoder.close();
        self.keys += 1;
        self.larges.pop_front();
        self.open_next();
    }

    fn early(&mut self, bytes: usize) {
        self.early.add(bytes);
    }
}
