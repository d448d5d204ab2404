//! An RDB stream as keys of the keyspace.

use super::rdb::{self, Checksum, Decoder, RdbError, RdbEvent, Reason};
use crate::{
    config::UserData,
    data::{entry::Entry, number},
    keyspace::Keyspace,
};
use std::collections::VecDeque;

/// How a stream is loaded.
#[derive(Clone, Copy, Default)]
pub struct LoadOptions {
    /// How it is decoded.
    pub decode: rdb::DecodeOptions,
    /// Keys past their deadline are loaded too: the primary will delete them. Otherwise they are left out.
    pub keep_expired: bool,
    /// A key that is there already gives way, instead of being an error.
    pub replace: bool,
    /// Bytes of names of keys left out that are remembered, for replicas of the same history that still have them.
    pub remember_bytes: usize,
}

/// What a stream said about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadFacts {
    /// Unix seconds at which it was made.
    pub ctime: Option<i64>,
    /// Bytes of memory that the data took then.
    pub used_memory: Option<u64>,
    /// The history of writes that it is a moment of.
    pub replication_id: Option<Box<str>>,
    /// The moment: its offset in that history.
    pub replication_offset: Option<i64>,
    /// The database that the history's next command is for without a SELECT; -1 for none.
    pub stream_db: Option<i64>,
}

/// How far a load is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoaderProgress {
    /// There is more to do with what has come.
    More,
    /// What has come is loaded, and it is not all.
    Hungry,
    /// The stream has ended and all of it is loaded.
    Done,
}

/// A key between its decoding and its place in the table: its bucket is on the way from memory meanwhile.
struct Prefetched {
    db: usize,
    hash: u64,
    entry: Entry,
}

/// As many as memory can be asked for at a time, roughly.
const WAITING: usize = 16;

/// What a part of a collection counts for where keys are counted.
const PART_KEYS: usize = 64;
/// Empty keys that the log is told of, each by its name.
const EMPTY_TOLD: u64 = 10;

/// Loads a stream as it arrives. Where the keys go is what [`Keyspace::begin_load`] said.
pub struct Loader {
    decoder: Decoder,
    options: LoadOptions,
    db: usize,
    waiting: VecDeque<Prefetched>,
    facts: LoadFacts,
    /// The code of the libraries met, until it is taken.
    libraries: Vec<Box<[u8]>>,
    keys: u64,
    expired: u64,
    /// Database and name of what was left out; what there is no room for is not counted here.
    left_out: Vec<(usize, Box<[u8]>)>,
    /// Bytes of those names.
    left_out_bytes: usize,
    empty: u64,
    done: bool,
}

impl Loader {
    /// For a stream from its first byte on.
    pub fn new(options: LoadOptions) -> Self {
        Self {
            decoder: Decoder::new(options.decode),
            options,
            db: 0,
            waiting: VecDeque::with_capacity(WAITING),
            facts: LoadFacts::default(),
            libraries: Vec::new(),
            keys: 0,
            expired: 0,
            left_out: Vec::new(),
            left_out_bytes: 0,
            empty: 0,
            done: false,
        }
    }

    /// Adds what has arrived and loads all of it. A caller with others to serve feeds some tens of KiB at a time.
    pub fn feed(&mut self, keyspace: &mut Keyspace, bytes: &[u8]) -> Result<LoaderProgress, RdbError> {
        self.push(bytes);
        self.step(keyspace, usize::MAX)
    }

    /// Adds what has arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.decoder.feed(bytes);
    }

    /// Loads up to `keys_max` keys of what has arrived.
    pub fn step(&mut self, keyspace: &mut Keyspace, keys_max: usize) -> Result<LoaderProgress, RdbError> {
        let mut left = keys_max;
        while left > 0 {
            match self.decoder.next()? {
                // About as much work as so many keys.
                Some(RdbEvent::Part) => left = left.saturating_sub(PART_KEYS),
                Some(RdbEvent::Key(key)) => {
                    left -= 1;
                    if key.deadline < keyspace.now_ms && !self.options.keep_expired {
                        self.expired += 1;
                        self.left_out_bytes += key.key.len();
                        if self.left_out_bytes <= self.options.remember_bytes {
                            self.left_out.push((self.db, key.key.into()));
                        }
                        continue;
                    }
                    let hash = keyspace.hash(key.key);
                    keyspace.prefetch_load(self.db, hash);
                    let (idle, frequency) = (key.idle_seconds, key.frequency);
                    let mut entry = key.into_entry();
                    keyspace.access.restored(&mut entry, idle, frequency, keyspace.now_ms);
                    if self.waiting.len() == WAITING {
                        self.place_next(keyspace)?;
                    }
                    self.waiting.push_back(Prefetched { db: self.db, hash, entry });
                }
                Some(event) => {
                    let refused = match event {
                        RdbEvent::Key(_) | RdbEvent::Part => None,
                        RdbEvent::Empty(key) => {
                            self.empty += 1;
                            if self.empty <= EMPTY_TOLD {
                                log::info!("rdbLoadObject skipping empty key: {}", UserData(key));
                            }
                            None
                        }
                        RdbEvent::SelectDb(index) => match usize::try_from(index) {
                            Ok(db) if db < keyspace.databases() => {
                                self.db = db;
                                None
                            }
                            _ => Some(Reason::Database { index, count: keyspace.databases() }),
                        },
                        RdbEvent::Aux { name, value } => {
                            self.facts.note(name, value, keyspace.now_ms / 1000);
                            None
                        }
                        RdbEvent::End(checksum) => {
                            if checksum == Checksum::Absent && self.options.decode.verify {
                                log::info!("RDB file was saved with checksum disabled: no check performed.");
                            }
                            None
                        }
                        RdbEvent::Function(code) => {
                            self.libraries.push(code.into());
                            None
                        }
                        RdbEvent::ModuleAux(_) => Some(Reason::Foreign("data of modules")),
                        // The table grows without a stop for it, so that it need not be told how large it will be.
                        RdbEvent::Version { .. } | RdbEvent::ResizeDb { .. } | RdbEvent::SlotInfo { .. } => None,
                    };
                    if let Some(reason) = refused {
                        return Err(self.refused(reason));
                    }
                }
                None => {
                    while !self.waiting.is_empty() {
                        self.place_next(keyspace)?;
                    }
                    self.done = self.decoder.is_done();
                    return Ok(if self.done { LoaderProgress::Done } else { LoaderProgress::Hungry });
                }
            }
        }
        Ok(LoaderProgress::More)
    }

    #[inline]
    fn place_next(&mut self, keyspace: &mut Keyspace) -> Result<(), RdbError> {
        let Some(Prefetched { db, hash, entry }) = self.waiting.pop_front() else { return Ok(()) };
        match keyspace.load_insert(db, hash, entry, self.options.replace) {
            Ok(()) => {
                self.keys += 1;
                Ok(())
            }
            Err(entry) => Err(self.refused(Reason::Duplicate(entry.key().into()))),
        }
    }

    #[cold]
    fn refused(&self, reason: Reason) -> RdbError {
        RdbError { offset: self.decoder.offset(), reason }
    }

    /// Ends the input: an error unless the stream is complete.
    pub fn finish(&self) -> Result<(), RdbError> {
        self.decoder.finish()
    }

    /// What was fed and does not belong to the stream, once it is [`LoaderProgress::Done`].
    pub fn rest(&self) -> &[u8] {
        self.decoder.rest()
    }

    /// Bytes of the stream that have been taken.
    pub fn offset(&self) -> u64 {
        self.decoder.offset()
    }

    /// Keys loaded so far.
    pub fn keys(&self) -> u64 {
        self.keys
    }

    /// Keys left out because they had expired.
    pub fn expired(&self) -> u64 {
        self.expired
    }

    /// Databases and names of the keys left out; `None` when they were too many to be remembered.
    pub fn take_left_out(&mut self) -> Option<Vec<(usize, Box<[u8]>)>> {
        (self.left_out.len() as u64 == self.expired).then(|| std::mem::take(&mut self.left_out))
    }

    /// Keys left out because their collections had nothing in them.
    pub fn empty(&self) -> u64 {
        self.empty
    }

    /// The code of the libraries of functions met so far.
    pub fn take_libraries(&mut self) -> Vec<Box<[u8]>> {
        std::mem::take(&mut self.libraries)
    }

    /// What the stream has said about itself so far.
    pub fn facts(&self) -> &LoadFacts {
        &self.facts
    }
}

impl LoadFacts {
    fn note(&mut self, name: &[u8], value: &[u8], now_seconds: i64) {
        let text = || String::from_utf8_lossy(value);
        let int = number::parse_i64(value);
        match name {
            b"redis-ver" => log::info!("Loading RDB produced by version {}", text()),
            b"valkey-ver" => log::info!("Loading RDB produced by Valkey version {}", text()),
            b"ctime" => {
                self.ctime = int;
                let age = now_seconds.saturating_sub(int.unwrap_or(now_seconds)).max(0);
                log::info!("RDB age {age} seconds");
            }
            b"used-mem" => {
                self.used_memory = int.and_then(|n| u64::try_from(n).ok());
                log::info!("RDB memory usage when created {:.2} Mb", self.used_memory.unwrap_or(0) as f64 / f64::from(1 << 20));
            }
            b"repl-stream-db" => self.stream_db = int,
            b"repl-id" if value.len() == 40 => self.replication_id = str::from_utf8(value).ok().map(Into::into),
            b"repl-offset" => self.replication_offset = int,
            b"aof-base" if int.is_some_and(|n| n != 0) => log::info!("RDB is base AOF"),
            _ if name.starts_with(b"%") => log::info!("RDB '{}': {}", String::from_utf8_lossy(name), text()),
            _ => (),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        data::{
            entry::{NEVER, NewString},
            key_hash::Seed,
        },
        keyspace::Upsert,
        persist::{
            rdb::{Progress, SaveInfo, Settings},
            snapshot::{RdbSink, SnapshotSink},
        },
    };

    const INFO: SaveInfo<'static> = SaveInfo { unix_seconds: 7, used_memory: 1 << 20, replication: None, aof_base: false, libraries: &[] };

    fn set(keyspace: &mut Keyspace, db: usize, key: &[u8], value: &[u8], deadline: i64) {
        let hash = keyspace.hash(key);
        let value = NewString::encode(value, || bytes::Bytes::copy_from_slice(value));
        match keyspace.upsert(db, hash, key) {
            Upsert::Occupied(slot) => slot.put(value, deadline),
            Upsert::Vacant(slot) => slot.put(key, value, deadline),
        }
    }

    fn keyspace() -> Keyspace {
        let mut keyspace = Keyspace::new(4, Seed::new(3));
        keyspace.now_ms = 1_000_000;
        keyspace
    }

    fn filled() -> Keyspace {
        let mut keyspace = keyspace();
        for i in 0..3000u32 {
            let deadline = if i % 3 == 0 { 2_000_000 + i64::from(i) } else { NEVER };
            set(&mut keyspace, i as usize % 3, &i.to_be_bytes(), format!("value {i}").as_bytes(), deadline);
        }
        set(&mut keyspace, 1, b"long", &vec![b'x'; 300_000], NEVER);
        keyspace
    }

    fn saved(keyspace: &mut Keyspace) -> Vec<u8> {
        let (walk, sink) = RdbSink::begin(Settings::default(), &INFO, keyspace);
        while keyspace.step_walk(walk) {}
        let mut sink = sink.borrow_mut();
        sink.finish();
        let mut bytes = Vec::new();
        while sink.poll(1000) != Progress::Done {}
        while let Some(piece) = sink.pop() {
            bytes.extend_from_slice(&piece);
        }
        assert_eq!(sink.bytes(), bytes.len() as u64);
        bytes
    }

    fn contents(keyspace: &Keyspace) -> Vec<(usize, Vec<u8>, i64)> {
        let mut all: Vec<_> =
            keyspace.iter().flat_map(|(i, db)| db.dict().iter().map(move |e| (i, e.key().to_vec(), e.deadline()))).collect();
        all.sort();
        all
    }

    #[test]
    fn what_was_saved_is_loaded_however_it_arrives() {
        let mut original = filled();
        let file = saved(&mut original);
        for chunk in [1, 100, 70_000, usize::MAX] {
            let mut copy = keyspace();
            let mut loader = Loader::new(LoadOptions::default());
            let pieces: Vec<_> = file.chunks(chunk.min(file.len())).collect();
            for (i, piece) in pieces.iter().enumerate() {
                let expected = if i + 1 == pieces.len() { LoaderProgress::Done } else { LoaderProgress::Hungry };
                assert_eq!(loader.feed(&mut copy, piece), Ok(expected));
            }
            assert_eq!(loader.finish(), Ok(()));
            assert_eq!((loader.keys(), loader.expired()), (3001, 0));
            assert_eq!(contents(&copy), contents(&original));
            assert_eq!(loader.facts().ctime, Some(7));
        }
    }

    #[test]
    fn a_step_loads_no_more_than_it_is_told() {
        let mut copy = keyspace();
        let mut loader = Loader::new(LoadOptions::default());
        loader.push(&saved(&mut filled()));
        let mut steps = 0;
        while loader.step(&mut copy, 100) == Ok(LoaderProgress::More) {
            steps += 1;
        }
        assert_eq!((steps, loader.keys()), (30, 3001));
    }

    #[test]
    fn expired_keys_are_left_out_unless_they_are_the_primarys_to_delete() {
        let file = saved(&mut filled());
        for (keep_expired, keys) in [(false, 2001), (true, 3001)] {
            let mut copy = keyspace();
            copy.now_ms = 3_000_000;
            let mut loader = Loader::new(LoadOptions { keep_expired, ..Default::default() });
            assert_eq!(loader.feed(&mut copy, &file), Ok(LoaderProgress::Done));
            assert_eq!((loader.keys(), loader.expired()), (keys, 3001 - keys));
        }
    }

    #[test]
    fn keys_that_are_there_are_an_error_or_give_way() {
        let file = saved(&mut filled());
        let mut full = filled();
        let before = contents(&full);
        let error = Loader::new(LoadOptions::default()).feed(&mut full, &file).unwrap_err();
        assert!(matches!(error.reason, Reason::Duplicate(_)), "{error}");
        let mut loader = Loader::new(LoadOptions { replace: true, ..Default::default() });
        assert_eq!(loader.feed(&mut full, &file), Ok(LoaderProgress::Done));
        assert_eq!(contents(&full), before);
    }

    #[test]
    fn a_database_too_many_and_a_cut_stream_are_refused() {
        let file = saved(&mut filled());
        let mut small = Keyspace::new(2, Seed::new(1));
        let error = Loader::new(LoadOptions::default()).feed(&mut small, &file).unwrap_err();
        assert_eq!(error.reason, Reason::Database { index: 2, count: 2 });
        let mut loader = Loader::new(LoadOptions::default());
        assert_eq!(loader.feed(&mut keyspace(), &file[..file.len() - 1]), Ok(LoaderProgress::Hungry));
        assert_eq!(loader.finish().unwrap_err().reason, Reason::Truncated);
    }
}
