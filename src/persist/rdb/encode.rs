//! From entries to bytes.

use super::{
    collections::{self, Head},
    crc::{self, Sum},
    format::{self, opcode},
    packer::{Out, Packer, put_length},
};
use crate::{
    config::{Config, MaxmemoryPolicy as Policy, REDIS_VERSION},
    data::{
        entry::{Entry, NEVER},
        pieces::Element,
    },
    keyspace::{idle_ms, lfu_value},
};
use bytes::Bytes;
use std::collections::VecDeque;

/// Which marks of access are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum AccessMarks {
    /// None: eviction does not need them.
    #[default]
    None,
    /// For how long each key has not been used (an LRU policy).
    Idle,
    /// How often each key has been used (an LFU policy).
    Frequency {
        /// Minutes after which it falls by one (`lfu-decay-time`).
        decay_minutes: u32,
    },
}

/// How entries are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether strings are compressed (`rdbcompression`).
    pub compression: bool,
    /// Whether a checksum is written (`rdbchecksum`).
    pub checksum: bool,
    /// Which marks of access are written (`maxmemory-policy`).
    pub marks: AccessMarks,
    /// The version that is not passed, whatever is lost (`rdb-version-max`).
    pub version_max: u32,
}

impl Settings {
    /// As the configuration says.
    pub fn from_config(config: &Config) -> Self {
        let marks = match config.maxmemory_policy {
            Policy::AllkeysLru | Policy::VolatileLru | Policy::AllkeysLrm | Policy::VolatileLrm => AccessMarks::Idle,
            Policy::AllkeysLfu | Policy::VolatileLfu => AccessMarks::Frequency { decay_minutes: config.lfu_decay_time },
            _ => AccessMarks::None,
        };
        Self { compression: config.rdbcompression, checksum: config.rdbchecksum, marks, version_max: config.rdb_version_max.version() }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self { compression: true, checksum: true, marks: AccessMarks::None, version_max: u32::MAX }
    }
}

/// Where in the log of writes a snapshot was made.
#[derive(Clone, Copy, Debug)]
pub struct ReplicationPosition<'a> {
    /// The database that the log's next command would be for without a SELECT.
    pub stream_db: i64,
    /// 40 hexadecimal digits that name the history.
    pub id: &'a str,
    /// Offset in it.
    pub offset: i64,
}

/// What a file tells about itself.
#[derive(Clone, Copy, Debug)]
pub struct SaveInfo<'a> {
    /// When it was made.
    pub unix_seconds: i64,
    /// Bytes that the data took in memory.
    pub used_memory: u64,
    /// For replicas, and for a restart that goes on as one.
    pub replication: Option<ReplicationPosition<'a>>,
    /// Whether it is the base of an append-only file.
    pub aof_base: bool,
    /// The code of the libraries of functions.
    pub libraries: &'a [&'a [u8]],
}

impl SaveInfo<'_> {
    /// The AUX fields that say so, as Redis orders them.
    pub fn aux(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![
            ("redis-ver", REDIS_VERSION.to_owned()),
            ("redis-bits", usize::BITS.to_string()),
            ("ctime", self.unix_seconds.to_string()),
            ("used-mem", self.used_memory.to_string()),
        ];
        if let Some(at) = &self.replication {
            fields.push(("repl-stream-db", at.stream_db.to_string()));
            fields.push(("repl-id", at.id.to_owned()));
            fields.push(("repl-offset", at.offset.to_string()));
        }
        fields.push(("aof-base", i32::from(self.aof_base).to_string()));
        fields
    }
}

/// How far the bytes are that were encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Some are not in the checksum yet: poll again.
    More,
    /// All are, and more may be encoded.
    Idle,
    /// The stream is complete.
    Done,
}

/// Writes a stream, in three steps that a loop can take in slices: records are encoded, [`Encoder::poll`] sums what they amount to, up to a number
/// of bytes at a time, and [`Encoder::pop`] hands it over in pieces.
///
/// A long value is not copied: its pieces refer to its own buffer. A change to it meanwhile makes a copy, and the stream keeps what was.
///
/// So are large collections: one is [opened](Encoder::open), its elements follow one by one, and it is [closed](Encoder::close). Other entries
/// that are written meanwhile come behind it.
pub struct Encoder {
    settings: Settings,
    packer: Packer,
    /// What is not in the sum yet.
    out: Out,
    /// What comes behind the collection that is open.
    aside: Out,
    open: Option<Head>,
    /// Whole pieces in the sum.
    ready: VecDeque<Bytes>,
    ready_bytes: usize,
    sum: Option<Sum>,
    /// Whether the end has been written, but for the checksum.
    ending: bool,
    done: bool,
}

impl Encoder {
    /// Nothing is written yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            packer: Packer::new(settings.compression, settings.version_max),
            out: Out::default(),
            aside: Out::default(),
            open: None,
            ready: VecDeque::new(),
            ready_bytes: 0,
            sum: settings.checksum.then(crc::sum),
            ending: false,
            done: false,
        }
    }

    /// Where entries go.
    #[inline(always)]
    fn entries(&mut self) -> &mut Out {
        if self.open.is_some() { &mut self.aside } else { &mut self.out }
    }

    /// Writes what stands in front of all keys: the version that they need, [`VERSION_WRITTEN`](super::VERSION_WRITTEN) as a rule, unless the settings
    /// allow less, and [`SaveInfo::aux`]. What follows is written in no form that a later version brought.
    pub fn begin(&mut self, version: u32, aux: impl IntoIterator<Item = (impl AsRef<[u8]>, impl AsRef<[u8]>)>) {
        let version = version.min(self.settings.version_max);
        self.packer.version = version;
        self.out.tail.extend_from_slice(format!("{}{version:04}", format::Family::Redis.name()).as_bytes());
        for (name, value) in aux {
            self.out.tail.push(opcode::AUX);
            self.packer.string(&mut self.out.tail, name.as_ref());
            self.packer.string(&mut self.out.tail, value.as_ref());
        }
    }

    /// Writes a library of functions: they stand in front of all keys.
    pub fn library(&mut self, code: &[u8]) {
        self.out.tail.push(opcode::FUNCTION2);
        self.packer.string(&mut self.out.tail, code);
    }

    /// Selects the database of the keys that follow.
    pub fn select_db(&mut self, index: usize) {
        let tail = &mut self.entries().tail;
        tail.push(opcode::SELECTDB);
        put_length(tail, index as u64);
    }

    /// Says how many keys will follow for the database, and how many of them have a deadline.
    pub fn resize_db(&mut self, keys: usize, volatile: usize) {
        let tail = &mut self.entries().tail;
        tail.push(opcode::RESIZEDB);
        put_length(tail, keys as u64);
        put_length(tail, volatile as u64);
    }

    /// Writes a key with its value, deadline and marks; `now_ms` is the Unix time that the marks count from.
    #[inline]
    pub fn entry(&mut self, entry: &Entry, now_ms: i64) {
        let out = if self.open.is_some() { &mut self.aside } else { &mut self.out };
        put_head(&mut out.tail, &mut self.packer, self.settings.marks, entry, now_ms);
        collections::put_value(out, &mut self.packer, entry.value());
        out.flush_full();
    }

    /// The head of a collection whose elements will follow, as they are now.
    pub fn head(&mut self, entry: &Entry, now_ms: i64) -> Head {
        let mut bytes = Vec::new();
        put_head(&mut bytes, &mut self.packer, self.settings.marks, entry, now_ms);
        Head::new(bytes, entry.value(), self.packer.version)
    }

    /// Begins a collection.
    pub fn open(&mut self, head: Head) {
        debug_assert!(self.open.is_none(), "one at a time");
        self.out.tail.extend_from_slice(head.bytes());
        self.open = Some(head);
    }

    /// Writes an element of the collection that is open.
    pub fn element(&mut self, element: Element<'_>) {
        if let Some(head) = &mut self.open {
            head.put_element(&mut self.out, &mut self.packer, element);
            self.out.flush_full();
        }
    }

    /// Ends the collection that is open: all of its elements have been written.
    pub fn close(&mut self) {
        if let Some(head) = self.open.take() {
            debug_assert_eq!(head.missing(), 0, "as many elements as were announced");
            self.out.append(&mut self.aside);
        }
    }

    /// Writes the end. It is complete when [`Encoder::poll`] says that it is done.
    pub fn end(&mut self) {
        debug_assert!(self.open.is_none(), "what is open is closed first");
        self.out.tail.push(opcode::EOF);
        self.flush();
        self.ending = true;
    }

    /// Makes a piece of what is there, so that it can go on its way although it is small.
    pub fn flush(&mut self) {
        self.out.flush();
    }

    /// Puts up to `budget_bytes` of the whole pieces into the checksum. A byte costs less than a nanosecond.
    pub fn poll(&mut self, budget_bytes: usize) -> Progress {
        let mut budget = if self.sum.is_some() { budget_bytes } else { usize::MAX };
        while let Some(part) = self.out.pop(budget) {
            if part.is_empty() {
                return Progress::More;
            }
            budget -= part.len();
            if let Some(sum) = &mut self.sum {
                sum.update(&part);
            }
            self.push_ready(part);
        }
        if self.ending {
            self.ending = false;
            self.done = true;
            let sum = self.sum.take().map_or(0, Sum::finalize);
            self.push_ready(Bytes::copy_from_slice(&sum.to_le_bytes()));
        }
        if self.done { Progress::Done } else { Progress::Idle }
    }

    fn push_ready(&mut self, piece: Bytes) {
        self.ready_bytes += piece.len();
        self.ready.push_back(piece);
    }

    /// The next piece that is complete and in the sum.
    pub fn pop(&mut self) -> Option<Bytes> {
        let piece = self.ready.pop_front()?;
        self.ready_bytes -= piece.len();
        Some(piece)
    }

    /// Bytes that [`Encoder::pop`] has for the taking.
    pub fn ready_bytes(&self) -> usize {
        self.ready_bytes
    }

    /// Bytes that have been encoded and not handed over.
    pub fn waiting_bytes(&self) -> usize {
        self.ready_bytes + self.out.len() + self.aside.len()
    }

    /// Everything that has been encoded and not handed over, at once and in one buffer: for what is known to be small.
    pub fn take(&mut self) -> Vec<u8> {
        self.flush();
        self.poll(usize::MAX);
        let mut all = Vec::with_capacity(self.ready_bytes);
        while let Some(piece) = self.pop() {
            all.extend_from_slice(&piece);
        }
        all
    }
}

/// Writes what stands in front of a value.
#[inline]
fn put_head(out: &mut Vec<u8>, packer: &mut Packer, marks: AccessMarks, entry: &Entry, now_ms: i64) {
    let deadline = entry.deadline();
    if deadline != NEVER {
        out.push(opcode::EXPIRETIME_MS);
        out.extend_from_slice(&deadline.to_le_bytes());
    }
    match marks {
        AccessMarks::None => (),
        AccessMarks::Idle => {
            out.push(opcode::IDLE);
            put_length(out, (idle_ms(entry, now_ms) / 1000) as u64);
        }
        AccessMarks::Frequency { decay_minutes } => {
            out.push(opcode::FREQ);
            out.push(lfu_value(entry, now_ms, decay_minutes) as u8);
        }
    }
    out.push(collections::type_of(entry.value(), packer.version));
    packer.string(out, entry.key());
}
