//! From entries to bytes.

use super::{
    crc::{self, Sum},
    format::{self, opcode, string_encoding as encoding},
};
use crate::{
    config::{Config, MaxmemoryPolicy as Policy, REDIS_VERSION},
    data::{
        entry::{Entry, NEVER, Value},
        lzf::Compressor,
        number,
        object::Object,
    },
    keyspace::{idle_ms, lfu_value},
};
use bytes::Bytes;
use std::collections::VecDeque;

/// Size of the pieces that small records are gathered into, in bytes.
const PIECE: usize = 64 * 1024;

/// Bytes from which a value is handed on by reference instead of being copied into a piece.
const BY_REFERENCE_MIN: usize = PIECE;

/// Redis does not try to compress what is not longer.
const COMPRESSED_MIN: usize = 21;

/// A longer string stays as it is: compressing it would stop the loop for more than about a millisecond, and what stays can be handed on by reference.
const COMPRESSED_MAX: usize = 256 * 1024;

/// Which marks of access are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Marks {
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
    pub marks: Marks,
}

impl Settings {
    /// As the configuration says.
    pub fn from_config(config: &Config) -> Self {
        let marks = match config.maxmemory_policy {
            Policy::AllkeysLru | Policy::VolatileLru => Marks::Idle,
            Policy::AllkeysLfu | Policy::VolatileLfu => Marks::Frequency { decay_minutes: config.lfu_decay_time },
            _ => Marks::None,
        };
        Self { compression: config.rdbcompression, checksum: config.rdbchecksum, marks }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self { compression: true, checksum: true, marks: Marks::None }
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
pub struct Encoder {
    settings: Settings,
    packer: Packer,
    /// The piece in the making.
    tail: Vec<u8>,
    /// Whole pieces that are not in the sum yet.
    unsummed: VecDeque<Bytes>,
    /// Those that are.
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
            packer: Packer::new(settings.compression),
            tail: Vec::new(),
            unsummed: VecDeque::new(),
            ready: VecDeque::new(),
            ready_bytes: 0,
            sum: settings.checksum.then(crc::sum),
            ending: false,
            done: false,
        }
    }

    /// Writes what stands in front of all keys: [`VERSION_WRITTEN`](super::VERSION_WRITTEN) and [`SaveInfo::aux`], as a rule.
    pub fn begin(&mut self, version: u32, aux: impl IntoIterator<Item = (impl AsRef<[u8]>, impl AsRef<[u8]>)>) {
        self.tail.extend_from_slice(format!("{}{version:04}", format::Family::Redis.name()).as_bytes());
        for (name, value) in aux {
            self.tail.push(opcode::AUX);
            self.packer.string(&mut self.tail, name.as_ref());
            self.packer.string(&mut self.tail, value.as_ref());
        }
    }

    /// Says that the keys which follow belong to this database.
    pub fn select_db(&mut self, index: usize) {
        self.tail.push(opcode::SELECTDB);
        put_length(&mut self.tail, index as u64);
    }

    /// Says how many keys will follow for the database, and how many of them have a deadline.
    pub fn resize_db(&mut self, keys: usize, volatile: usize) {
        self.tail.push(opcode::RESIZEDB);
        put_length(&mut self.tail, keys as u64);
        put_length(&mut self.tail, volatile as u64);
    }

    /// Writes a key with its value, deadline and marks; `now_ms` is the Unix time that the marks count from.
    #[inline]
    pub fn entry(&mut self, entry: &Entry, now_ms: i64) {
        let deadline = entry.deadline();
        if deadline != NEVER {
            self.tail.push(opcode::EXPIRETIME_MS);
            self.tail.extend_from_slice(&deadline.to_le_bytes());
        }
        match self.settings.marks {
            Marks::None => (),
            Marks::Idle => {
                self.tail.push(opcode::IDLE);
                put_length(&mut self.tail, (idle_ms(entry, now_ms) / 1000) as u64);
            }
            Marks::Frequency { decay_minutes } => {
                self.tail.push(opcode::FREQ);
                self.tail.push(lfu_value(entry, now_ms, decay_minutes) as u8);
            }
        }
        let value = entry.value();
        self.tail.push(type_of(value));
        self.packer.string(&mut self.tail, entry.key());
        match value {
            Value::Object(Object::Bytes(bytes)) if bytes.len() >= BY_REFERENCE_MIN && !self.packer.packs(bytes.len()) => {
                put_length(&mut self.tail, bytes.len() as u64);
                self.flush();
                self.unsummed.push_back(bytes.clone());
            }
            value => self.packer.value(&mut self.tail, value),
        }
        if self.tail.len() >= PIECE {
            self.flush();
        }
    }

    /// Writes the end. It is complete when [`Encoder::poll`] says that it is done.
    pub fn end(&mut self) {
        self.tail.push(opcode::EOF);
        self.flush();
        self.ending = true;
    }

    /// Makes a piece of what is there, so that it can go on its way although it is small.
    pub fn flush(&mut self) {
        if !self.tail.is_empty() {
            // The next one will most likely be as large.
            let next = Vec::with_capacity(self.tail.capacity().min(PIECE + PIECE / 4));
            self.unsummed.push_back(Bytes::from(std::mem::replace(&mut self.tail, next)));
        }
    }

    /// Puts up to `budget_bytes` of the whole pieces into the checksum. A byte costs less than a nanosecond.
    pub fn poll(&mut self, budget_bytes: usize) -> Progress {
        let mut budget = if self.sum.is_some() { budget_bytes } else { usize::MAX };
        while let Some(mut piece) = self.unsummed.pop_front() {
            let part = piece.split_to(piece.len().min(budget));
            budget -= part.len();
            if let Some(sum) = &mut self.sum {
                sum.update(&part);
            }
            if !part.is_empty() {
                self.push_ready(part);
            }
            if !piece.is_empty() {
                self.unsummed.push_front(piece);
                return Progress::More;
            }
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

/// The number of a value's type.
pub(super) fn type_of(value: Value<'_>) -> u8 {
    match value {
        Value::Int(_) | Value::Str(_) | Value::Object(Object::Bytes(_)) => format::STRING,
        _ => unreachable!("no command makes one yet"),
    }
}

/// Writes strings, in the shortest form there is.
pub(super) struct Packer {
    compression: bool,
    compressor: Option<Compressor>,
    /// Strings in a row that could not be compressed, tried or not.
    misses: u32,
}

/// After so many strings in a row that could not be compressed, the next ones most likely cannot either...
const MISSES: u32 = 64;
/// ...and only each so many is tried, until one can: trying costs more than all the rest of writing a short string.
const TRIED_EACH: u32 = 8;

impl Packer {
    pub fn new(compression: bool) -> Self {
        Self { compression, compressor: None, misses: 0 }
    }

    /// Whether a string of this length is compressed where it can be.
    fn packs(&self, len: usize) -> bool {
        self.compression && (COMPRESSED_MIN..=COMPRESSED_MAX).contains(&len)
    }

    /// Whether the next string is worth a try.
    #[inline]
    fn is_tried(&mut self) -> bool {
        self.misses += 1;
        if self.misses < MISSES + TRIED_EACH {
            return self.misses <= MISSES;
        }
        self.misses = MISSES;
        true
    }

    /// Writes a value without its type.
    #[inline]
    pub fn value(&mut self, out: &mut Vec<u8>, value: Value<'_>) {
        match value {
            Value::Int(n) => put_int(out, n),
            Value::Str(bytes) => self.string(out, bytes),
            Value::Object(Object::Bytes(bytes)) => self.string(out, bytes),
            _ => unreachable!("no command makes one yet"),
        }
    }

    /// Writes a string.
    #[inline]
    pub fn string(&mut self, out: &mut Vec<u8>, bytes: &[u8]) {
        /// Digits, and a sign, of the longest number of 32 bits.
        const I32_LEN_MAX: usize = 11;
        if bytes.len() <= I32_LEN_MAX
            && let Some(n) = number::parse_i64(bytes)
        {
            return put_int(out, n);
        }
        if self.packs(bytes.len())
            && self.is_tried()
            && let Some(packed) = self.compressor.get_or_insert_default().compress(bytes)
        {
            self.misses = 0;
            out.push(0xc0 | encoding::LZF);
            put_length(out, packed.len() as u64);
            put_length(out, bytes.len() as u64);
            return out.extend_from_slice(packed);
        }
        put_length(out, bytes.len() as u64);
        out.extend_from_slice(bytes);
    }
}

/// Writes a number as the string that it stands for.
fn put_int(out: &mut Vec<u8>, n: i64) {
    if let Ok(n) = i8::try_from(n) {
        out.extend_from_slice(&[0xc0 | encoding::INT8, n as u8]);
    } else if let Ok(n) = i16::try_from(n) {
        let [a, b] = n.to_le_bytes();
        out.extend_from_slice(&[0xc0 | encoding::INT16, a, b]);
    } else if let Ok(n) = i32::try_from(n) {
        let [a, b, c, d] = n.to_le_bytes();
        out.extend_from_slice(&[0xc0 | encoding::INT32, a, b, c, d]);
    } else {
        put_length(out, number::len_i64(n) as u64);
        number::write_i64(out, n);
    }
}

/// Writes a length.
#[inline]
fn put_length(out: &mut Vec<u8>, n: u64) {
    match n {
        0..0x40 => out.push(n as u8),
        0x40..0x4000 => out.extend_from_slice(&[0x40 | (n >> 8) as u8, n as u8]),
        0x4000..=0xffff_ffff => {
            out.push(0x80);
            out.extend_from_slice(&(n as u32).to_be_bytes());
        }
        _ => {
            out.push(0x81);
            out.extend_from_slice(&n.to_be_bytes());
        }
    }
}
