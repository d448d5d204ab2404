//! The one log of writes: every effect on the data, once, as RESP.
//!
//! The backlog, each replica and whoever else follows the data read it, each at its own offset. An offset is a number of bytes: those
//! appended since the history began (`master_repl_offset`). The log is open while it has a reader; what lies behind all of them
//! is freed. The backlog is the reader that stays its size behind the end, so that replicas can come back.
//!
//! Bytes gather in a tail; when it is full it becomes a block that readers share by reference. A long argument that came in a buffer
//! of its own becomes a block without being copied.

use crate::resp::{
    encode,
    request::{Args, BIG_ARG},
};
use bytes::Bytes;
use std::{collections::VecDeque, ops::Range};

/// Bytes of a block that small commands are gathered in: a sixteenth of the backlog, within these bounds.
const BLOCK_MIN: usize = 16 * 1024;
const BLOCK_MAX: usize = 64 * 1024;
/// Bytes by which a block is shared with its readers, beside its own.
const SHARED_BYTES: usize = 24;

/// Room that an argument's or a command's header takes at most: a letter, 20 digits, and two line ends.
const HEADER_MAX: usize = 25;

struct Chunk {
    /// Offset of its first byte.
    start: u64,
    bytes: Bytes,
    /// Bytes of memory that `bytes` keeps.
    held: usize,
}

/// Names a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReaderId(u64);

struct Reader {
    id: ReaderId,
    /// Offset of the next byte for it.
    next: u64,
}

/// A part of the log as it is handed to a reader.
#[derive(Clone, Debug)]
pub enum LogPiece<'a> {
    /// Part of a block, to be shared.
    Shared(Bytes),
    /// Part of the chunk that still grows, to be copied.
    Plain(&'a [u8]),
}

impl LogPiece<'_> {
    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Shared(bytes) => bytes,
            Self::Plain(bytes) => bytes,
        }
    }
}

/// The log of writes. Without a reader it keeps nothing and stands still.
pub struct WriteLog {
    /// Those that have an offset of their own.
    readers: Vec<Reader>,
    /// Readers named so far.
    names: u64,
    /// There is a backlog.
    backlogged: bool,
    /// What is appended comes from our primary, byte for byte.
    proxied: bool,
    /// Read and not proxied: asked for by every command, so kept in one place.
    fed: bool,
    blocks: VecDeque<Chunk>,
    /// Bytes of memory that blocks keep.
    held: usize,
    tail: Vec<u8>,
    /// Offset of the tail's first byte.
    tail_start: u64,
    /// Bytes of a block that small commands are gathered in.
    block: usize,
    /// Bytes of history kept behind the end for replicas that come back (`repl-backlog-size`).
    backlog: u64,
    /// The database of the last command, as a reader knows it.
    db: Option<usize>,
    /// Where commands stand that are for replicas alone, which one reader leaves out; kept while there is that reader.
    chatter: Option<VecDeque<Range<u64>>>,
    /// Where the last commands stand that belong together, from MULTI on; the end of those that are not whole is not known.
    unit: (u64, Option<u64>),
}

impl Default for WriteLog {
    fn default() -> Self {
        Self {
            readers: Vec::new(),
            names: 0,
            backlogged: false,
            proxied: false,
            fed: false,
            blocks: VecDeque::new(),
            held: 0,
            tail: Vec::new(),
            tail_start: 0,
            block: BLOCK_MAX,
            backlog: 1 << 20,
            db: None,
            chatter: None,
            unit: (0, Some(0)),
        }
    }
}

impl WriteLog {
    /// Begins to keep a backlog. Of what was appended before, what other readers still need belongs to it.
    pub fn open_backlog(&mut self) {
        self.backlogged = true;
        self.reopen_or_close();
    }

    /// Gives the backlog up.
    pub fn close_backlog(&mut self) {
        self.backlogged = false;
        self.reopen_or_close();
    }

    /// Whether there is a backlog: replicas may come and go.
    pub fn has_backlog(&self) -> bool {
        self.backlogged
    }

    /// Adds a reader that has everything up to this offset.
    pub fn add_reader(&mut self, next: u64) -> ReaderId {
        self.names += 1;
        let id = ReaderId(self.names);
        self.readers.push(Reader { id, next });
        self.reopen_or_close();
        id
    }

    /// Says that a reader has everything up to this offset.
    pub fn move_reader(&mut self, id: ReaderId, next: u64) {
        if let Some(reader) = self.readers.iter_mut().find(|reader| reader.id == id) {
            reader.next = next;
            self.trim();
        }
    }

    /// Forgets a reader.
    pub fn remove_reader(&mut self, id: ReaderId) {
        self.readers.retain(|reader| reader.id != id);
        self.reopen_or_close();
    }

    /// Offset of the next byte for a reader; the end for one that is forgotten.
    pub fn next_of(&self, id: ReaderId) -> u64 {
        self.readers.iter().find(|reader| reader.id == id).map_or(self.end(), |reader| reader.next)
    }

    /// Whether what is appended is kept: there is a reader.
    pub fn is_open(&self) -> bool {
        self.backlogged || !self.readers.is_empty()
    }

    /// Whether the effects of our own commands belong here, and are kept.
    #[inline(always)]
    pub fn is_fed(&self) -> bool {
        self.fed
    }

    /// Whether what is appended comes from our primary as it is ([`WriteLog::append_raw`]), so that our own effects do not.
    pub fn set_proxied(&mut self, proxied: bool) {
        self.proxied = proxied;
        self.unit = (self.end(), Some(self.end()));
        self.reopen_or_close();
    }

    /// Whether what is appended comes from our primary.
    pub fn is_proxied(&self) -> bool {
        self.proxied
    }

    /// A reader, or what comes from where, has changed.
    fn reopen_or_close(&mut self) {
        self.fed = self.is_open() && !self.proxied;
        if self.is_open() {
            return self.trim();
        }
        self.restart_at(self.end());
        self.tail = Vec::new();
        self.blocks = VecDeque::new();
    }

    /// Forgets all history and goes on at this offset: a full synchronisation has put us there. Readers go on there too: whoever cannot
    /// is no longer one.
    pub fn restart_at(&mut self, offset: u64) {
        self.blocks.clear();
        self.held = 0;
        self.tail.clear();
        self.tail_start = offset;
        self.db = None;
        self.unit = (offset, Some(offset));
        self.chatter.iter_mut().for_each(VecDeque::clear);
        self.readers.iter_mut().for_each(|reader| reader.next = offset);
    }

    /// Bytes appended since the history began: `master_repl_offset`.
    #[inline(always)]
    pub fn end(&self) -> u64 {
        self.tail_start + self.tail.len() as u64
    }

    /// The offset from which on the bytes are still here.
    pub fn first(&self) -> u64 {
        self.blocks.front().map_or(self.tail_start, |block| block.start)
    }

    /// Bytes that are still here.
    pub fn len(&self) -> u64 {
        self.end() - self.first()
    }

    /// Whether there is no history.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a replica can go on that has everything up to this offset.
    pub fn can_resume(&self, offset: u64) -> bool {
        self.backlogged && (self.first()..=self.end()).contains(&offset)
    }

    /// Bytes of memory it holds, values that it shares included.
    pub fn memory(&self) -> usize {
        self.held + self.blocks.len() * SHARED_BYTES + self.blocks.capacity() * size_of::<Chunk>() + self.tail.capacity()
    }

    /// The database that the next command is for if no SELECT comes in front of it.
    pub fn db(&self) -> Option<usize> {
        self.db
    }

    /// Says which database a reader of what was appended raw has selected.
    pub fn set_db(&mut self, db: Option<usize>) {
        self.db = db;
    }

    /// Makes a SELECT come in front of the next command: a new reader has selected nothing.
    pub fn forget_db(&mut self) {
        self.db = None;
    }

    /// Keeps this many bytes of history though nobody reads them.
    pub fn set_backlog(&mut self, bytes: u64) {
        self.backlog = bytes;
        self.block = usize::try_from(bytes / 16).unwrap_or(BLOCK_MAX).clamp(BLOCK_MIN, BLOCK_MAX);
        self.trim();
    }

    /// Lets blocks go that no reader needs. It happens by itself with every new block.
    pub fn trim(&mut self) {
        let end = self.end();
        let backlog_from = if self.backlogged { end.saturating_sub(self.backlog) } else { end };
        let needed = self.readers.iter().map(|reader| reader.next).fold(backlog_from, u64::min);
        while let Some(block) = self.blocks.front()
            && block.start + block.bytes.len() as u64 <= needed
        {
            self.held -= block.held;
            self.blocks.pop_front();
        }
    }

    /// Appends a command for a database, with a SELECT in front of it if readers are in another one.
    #[inline]
    pub fn append(&mut self, db: usize, args: Args<'_>) {
        self.select(db);
        self.put(args);
    }

    /// Appends a command that is for no database: MULTI, EXEC.
    pub fn append_parts(&mut self, parts: &[&[u8]]) {
        self.make_room(HEADER_MAX + parts.iter().map(|part| part.len() + HEADER_MAX).sum::<usize>());
        encode::request(&mut self.tail, parts);
    }

    /// Begins commands that belong together: MULTI.
    pub fn begin_unit(&mut self) {
        self.unit = (self.end(), None);
        self.append_parts(&[b"MULTI"]);
    }

    /// Ends them: EXEC.
    pub fn end_unit(&mut self) {
        self.append_parts(&[b"EXEC"]);
        self.unit.1 = Some(self.end());
    }

    /// The offset up to which all that belongs together is there.
    pub fn whole_end(&self) -> u64 {
        if self.unit.1.is_none() { self.unit.0 } else { self.end() }
    }

    /// The first place from this offset on that does not lie amid what belongs together; `None`: that has not ended.
    pub fn between_units(&self, offset: u64) -> Option<u64> {
        let (start, end) = self.unit;
        if offset <= start { Some(offset) } else { end.map(|end| end.max(offset)) }
    }

    /// Appends a command that is for replicas alone and for no database: PING, REPLCONF.
    pub fn append_chatter(&mut self, parts: &[&[u8]]) {
        let from = self.end();
        self.append_parts(parts);
        self.note_chatter(from);
    }

    /// Appends a command that is for replicas alone: a message.
    pub fn append_for_replicas(&mut self, db: usize, args: Args<'_>) {
        // What comes behind it counts on the SELECT.
        self.select(db);
        let from = self.end();
        self.put(args);
        self.note_chatter(from);
    }

    fn note_chatter(&mut self, from: u64) {
        let to = self.end();
        self.chatter.iter_mut().for_each(|spans| spans.push_back(from..to));
    }

    /// The same as it came from our primary.
    pub fn append_raw_chatter(&mut self, bytes: &[u8]) {
        let from = self.end();
        self.append_raw(bytes);
        self.note_chatter(from);
    }

    /// Says whether there is a reader that leaves out what is for replicas alone. It asks for the next such place, and has it forgotten when it is there.
    pub fn keep_chatter(&mut self, kept: bool) {
        self.chatter = kept.then(VecDeque::new);
    }

    /// The first place, of those that are not forgotten, at which there is something for replicas alone.
    pub fn next_chatter(&self) -> Option<Range<u64>> {
        self.chatter.as_ref()?.front().cloned()
    }

    /// Forgets that place.
    pub fn forget_chatter(&mut self) {
        self.chatter.iter_mut().for_each(|spans| {
            spans.pop_front();
        });
    }

    /// How many bytes behind this offset are for replicas alone.
    pub fn chatter_since(&self, offset: u64) -> u64 {
        let spans = self.chatter.iter().flatten().rev();
        spans.take_while(|span| span.start >= offset).map(|span| span.end - span.start).sum()
    }

    /// Appends bytes as they are: what our primary sent us.
    pub fn append_raw(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.tail.len() >= self.block {
                self.cut();
            }
            let part = bytes.len().min(self.block - self.tail.len());
            self.make_room(part);
            self.tail.extend_from_slice(&bytes[..part]);
            bytes = &bytes[part..];
        }
    }

    #[inline]
    fn select(&mut self, db: usize) {
        if self.db != Some(db) {
            self.append_parts(&[b"SELECT", itoa::Buffer::new().format(db).as_bytes()]);
            self.db = Some(db);
        }
    }

    #[inline]
    fn put(&mut self, args: Args<'_>) {
        if let Some(encoded) = args.encoded() {
            self.make_room(HEADER_MAX + encoded.len());
            encode::array_header(&mut self.tail, args.len());
            return self.tail.extend_from_slice(encoded);
        }
        self.put_each(args);
    }

    fn put_each(&mut self, args: Args<'_>) {
        let copied = |arg: &[u8]| if arg.len() < BIG_ARG { arg.len() } else { 0 };
        self.make_room(HEADER_MAX + args.iter().map(|arg| copied(arg) + HEADER_MAX).sum::<usize>());
        encode::array_header(&mut self.tail, args.len());
        for (i, arg) in args.iter().enumerate() {
            if arg.len() < BIG_ARG {
                encode::bulk(&mut self.tail, arg);
                continue;
            }
            encode::bulk_header(&mut self.tail, arg.len());
            self.cut();
            let bytes = args.to_bytes(i);
            let held = bytes.len();
            self.push(bytes, held);
            self.tail.extend_from_slice(b"\r\n");
        }
    }

    /// Makes sure that the tail takes so many bytes without being moved.
    #[inline]
    fn make_room(&mut self, bytes: usize) {
        if self.tail.capacity() - self.tail.len() < bytes {
            self.grow(bytes);
        }
    }

    #[cold]
    fn grow(&mut self, bytes: usize) {
        self.cut();
        self.tail.reserve_exact(bytes.max(self.block));
    }

    /// Makes a block of the tail.
    fn cut(&mut self) {
        /// A block may keep this part of its bytes more than them.
        const SLACK: usize = 8;
        let slack = self.tail.capacity() - self.tail.len();
        if self.tail.is_empty() {
            return self.trim();
        } else if slack <= self.tail.len() / SLACK {
            let tail = std::mem::take(&mut self.tail);
            let held = tail.capacity();
            self.push(tail.into(), held);
        } else if self.tail.capacity() > self.block {
            self.tail.shrink_to_fit();
            let tail = std::mem::take(&mut self.tail);
            let held = tail.capacity();
            self.push(tail.into(), held);
        } else {
            // The tail keeps its memory for what comes.
            let copy = Bytes::copy_from_slice(&self.tail);
            self.tail.clear();
            let held = copy.len();
            self.push(copy, held);
        }
        self.trim();
    }

    /// Adds a chunk at the end; the tail is empty.
    fn push(&mut self, bytes: Bytes, held: usize) {
        let start = self.tail_start;
        self.tail_start += bytes.len() as u64;
        self.held += held;
        self.blocks.push_back(Chunk { start, bytes, held });
    }

    /// Hands over what follows `from`, whole pieces until they are `most` bytes or more or the end is reached. Returns the offset behind the last
    /// one; `None` when a part of that is not here any more, or not yet.
    pub fn read(&self, from: u64, most: usize, each: impl FnMut(LogPiece<'_>)) -> Option<u64> {
        self.read_until(from, most, self.end(), each)
    }

    /// The same, and nothing that stands behind `until`.
    pub fn read_until(&self, from: u64, most: usize, until: u64, mut each: impl FnMut(LogPiece<'_>)) -> Option<u64> {
        let until = until.min(self.end());
        if !(self.first()..=until).contains(&from) {
            return None;
        }
        let mut at = from;
        let index = self.blocks.partition_point(|block| block.start + block.bytes.len() as u64 <= from);
        for block in self.blocks.range(index..) {
            if at - from >= most as u64 || at >= until {
                return Some(at);
            }
            let end = block.bytes.len().min((until - block.start) as usize);
            let piece = block.bytes.slice((at - block.start) as usize..end);
            at += piece.len() as u64;
            each(LogPiece::Shared(piece));
        }
        if at >= until || at - from >= most as u64 {
            return Some(at);
        }
        each(LogPiece::Plain(&self.tail[(at - self.tail_start) as usize..(until - self.tail_start) as usize]));
        Some(until)
    }

    /// Everything that follows `from`; `None` when a part of it is not here any more, or not yet.
    pub fn read_from(&self, from: u64) -> Option<Vec<Bytes>> {
        let mut pieces = Vec::new();
        self.read(from, usize::MAX, |piece| {
            pieces.push(match piece {
                LogPiece::Shared(bytes) => bytes,
                LogPiece::Plain(bytes) => Bytes::copy_from_slice(bytes),
            });
        })?;
        Some(pieces)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::request::{OwnedArgs, Parser, RequestLimits};
    use proptest::prelude::*;

    fn opened(backlog: u64) -> WriteLog {
        let mut log = WriteLog::default();
        log.set_backlog(backlog);
        log.open_backlog();
        log
    }

    fn all_from(log: &WriteLog, from: u64) -> Option<Vec<u8>> {
        log.read_from(from).map(|pieces| pieces.concat())
    }

    #[test]
    fn a_command_is_resp_with_a_select_in_front_where_it_is_needed() {
        let mut log = opened(1000);
        let set = OwnedArgs::new(&[b"SET", b"key:0000000001", b"v"]);
        log.append(3, set.args());
        log.append(3, OwnedArgs::new(&[b"DEL", b"k"]).args());
        log.append_parts(&[b"PING"]);
        log.append(0, OwnedArgs::new(&[b"DEL", b"k"]).args());
        let text = "*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n*3\r\n$3\r\nSET\r\n$14\r\nkey:0000000001\r\n$1\r\nv\r\n*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n\
                    *1\r\n$4\r\nPING\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n";
        assert_eq!(all_from(&log, 0).unwrap(), text.as_bytes());
        assert_eq!(log.end(), text.len() as u64);
        log.forget_db();
        let end = log.end();
        log.append(0, OwnedArgs::new(&[b"DEL", b"k"]).args());
        assert!(all_from(&log, end).unwrap().starts_with(b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"));
    }

    /// A request as it may come: as it is encoded, with more digits than are needed, or on a line.
    fn wire() -> impl Strategy<Value = Vec<u8>> {
        let word = prop_oneof![
            6 => "[a-z0-9$]{0,12}",
            1 => "[a-z]{90,110}",
            1 => prop::sample::select(vec!["$3\r\n", "\r\n", "$1\r\na\r\n", ""]).prop_map(str::to_owned),
        ];
        (proptest::collection::vec(word, 1..6), 0..12u8).prop_map(|(words, form)| {
            if form == 0 {
                let plain = |word: &String| !word.is_empty() && !word.contains(['\r', '\n']);
                let words: Vec<_> = words.into_iter().filter(plain).collect();
                return (words.join(" ") + "\r\n").into_bytes();
            }
            // What stands where a line ends is not looked at.
            let (zeros, header_end, end) = match form {
                1 => ("0", "\r\n", "\r\n"),
                2 => ("", "\rx", "\r\n"),
                3 => ("", "\r\n", "xy"),
                _ => ("", "\r\n", "\r\n"),
            };
            let mut wire = format!("*{}\r\n", words.len());
            words.iter().for_each(|word| wire += &format!("${zeros}{}{header_end}{word}{end}", word.len()));
            wire.into_bytes()
        })
    }

    proptest! {
        #[test]
        fn a_request_is_logged_the_same_as_it_came_and_argument_by_argument(wires in proptest::collection::vec(wire(), 1..8)) {
            let (input, mut parser) = (wires.concat(), Parser::in_place(crate::config::split_args));
            let limits = RequestLimits { bulk_max: i64::MAX, authenticated: true };
            let (mut as_came, mut one_by_one) = (opened(1 << 20), opened(1 << 20));
            // Where a request has an error those in front of it are parsed.
            let _ = parser.parse(&input, 100, limits);
            for i in 0..parser.requests() {
                let args = parser.args(parser.request(i), &input);
                as_came.append(0, args);
                one_by_one.append(0, OwnedArgs::from_args(args).args());
            }
            prop_assert_eq!(all_from(&as_came, 0), all_from(&one_by_one, 0));
        }
    }

    #[test]
    fn a_long_argument_is_shared_rather_than_copied() {
        let mut log = opened(1 << 20);
        let long = Bytes::from(vec![b'x'; BIG_ARG]);
        let mut args = OwnedArgs::new(&[b"SET", b"k"]);
        args.push_shared(long.clone());
        args.push(b"KEEPTTL");
        log.append(0, args.args());
        let pieces = log.read_from(0).unwrap();
        assert!(pieces.iter().any(|piece| piece.as_ptr() == long.as_ptr()));
        assert!(pieces.concat().ends_with(b"x\r\n$7\r\nKEEPTTL\r\n"));
    }

    #[test]
    fn what_belongs_together_is_whole_with_its_end() {
        let mut log = opened(1000);
        log.append_raw(b"before");
        log.begin_unit();
        log.append_raw(b"first");
        assert_eq!((log.whole_end(), log.between_units(3), log.between_units(6), log.between_units(7)), (6, Some(3), Some(6), None));
        log.append_raw(b"second");
        log.end_unit();
        let end = log.end();
        log.append_raw(b"behind");
        assert_eq!((log.whole_end(), log.between_units(7), log.between_units(end + 2)), (end + 6, Some(end), Some(end + 2)));
        // Nobody reads it any more: what was open is forgotten.
        log.begin_unit();
        log.close_backlog();
        assert_eq!((log.whole_end(), log.between_units(log.end())), (log.end(), Some(log.end())));
    }

    #[test]
    fn a_closed_one_stands_still_and_an_open_one_begins_there() {
        let mut log = opened(1000);
        log.append_raw(b"hello");
        log.close_backlog();
        assert!(!log.is_fed() && !log.can_resume(5));
        assert_eq!((log.first(), log.end(), log.memory()), (5, 5, 0));
        log.open_backlog();
        assert!(log.can_resume(5) && !log.can_resume(4) && !log.can_resume(6));
    }

    #[test]
    fn it_is_open_from_its_first_reader_to_its_last() {
        let mut log = WriteLog::default();
        let start = log.end();
        let (first, second) = (log.add_reader(start), log.add_reader(start));
        assert!(log.is_fed() && !log.has_backlog() && !log.can_resume(start), "without a backlog nobody can come back");
        log.append_parts(&[b"PING"]);
        log.move_reader(first, log.end());
        assert_eq!(log.first(), start, "the second still needs it");
        log.open_backlog();
        log.remove_reader(first);
        log.remove_reader(second);
        assert!(log.is_fed() && log.can_resume(start));
        log.close_backlog();
        assert!(!log.is_open() && !log.is_fed() && log.is_empty());
        assert_eq!(log.memory(), 0);
    }

    #[test]
    fn long_arguments_leave_no_empty_memory_behind_in_front_of_them() {
        let mut log = opened(u64::MAX);
        for _ in 0..100 {
            let mut args = OwnedArgs::new(&[b"SET", b"k"]);
            args.push_shared(Bytes::from(vec![b'x'; BIG_ARG]));
            log.append(0, args.args());
        }
        let bytes = 100 * BIG_ARG;
        assert!(log.memory() < bytes + bytes / 16, "{} bytes for {bytes}", log.memory());
    }

    #[test]
    fn our_own_effects_do_not_belong_into_our_primarys_history() {
        let mut log = opened(1000);
        assert!(log.is_fed());
        log.set_proxied(true);
        assert!(!log.is_fed() && log.has_backlog());
        log.set_proxied(false);
        assert!(log.is_fed());
    }

    #[derive(Clone, Debug)]
    enum Step {
        Append(Vec<usize>),
        Raw(usize),
        Backlog(u64),
        /// A reader takes this many bytes, or a new one begins.
        Read(usize, usize),
        Join,
        Leave(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let length = prop_oneof![4 => 0..200usize, 1 => 0..100_000usize];
        prop_oneof![
            4 => proptest::collection::vec(length, 1..4).prop_map(Step::Append),
            2 => (0..200_000usize).prop_map(Step::Raw),
            1 => (1..300_000u64).prop_map(Step::Backlog),
            4 => (any::<usize>(), 1..100_000usize).prop_map(|(who, most)| Step::Read(who, most)),
            1 => Just(Step::Join),
            1 => any::<usize>().prop_map(Step::Leave),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn any_reader_sees_exactly_the_bytes_appended(steps in proptest::collection::vec(step(), 1..60)) {
            let mut log = opened(1 << 16);
            // Every byte is a function of its offset, as far as we can choose it; the rest is told by a second, unlimited log.
            let mut all = opened(u64::MAX);
            let mut backlog = 1 << 16;
            let mut readers: Vec<ReaderId> = Vec::new();
            for step in steps {
                match step {
                    Step::Append(lengths) => {
                        let mut args = OwnedArgs::default();
                        lengths.iter().enumerate().for_each(|(i, len)| args.push(&vec![b'a' + i as u8; *len]));
                        let db = lengths[0] % 3;
                        log.append(db, args.args());
                        all.append(db, args.args());
                    }
                    Step::Raw(len) => {
                        let bytes: Vec<u8> = (0..len).map(|i| i as u8).collect();
                        log.append_raw(&bytes);
                        all.append_raw(&bytes);
                    }
                    Step::Backlog(bytes) => {
                        backlog = bytes;
                        log.set_backlog(bytes);
                    }
                    Step::Read(who, most) if !readers.is_empty() => {
                        let who = readers[who % readers.len()];
                        let from = log.next_of(who);
                        let mut seen = Vec::new();
                        let to = log.read(from, most, |piece| seen.extend_from_slice(piece.bytes()));
                        let to = to.expect("what a reader needs is kept");
                        prop_assert_eq!(to - from, seen.len() as u64);
                        prop_assert!(to > from || from == log.end());
                        let expected = all_from(&all, from).unwrap();
                        prop_assert_eq!(&seen[..], &expected[..seen.len()]);
                        log.move_reader(who, to);
                    }
                    Step::Read(..) => (),
                    Step::Join => readers.push(log.add_reader(log.end())),
                    Step::Leave(who) if !readers.is_empty() => log.remove_reader(readers.swap_remove(who % readers.len())),
                    Step::Leave(_) => (),
                }
                prop_assert_eq!(log.end(), all.end());
                let promised = log.end().saturating_sub(backlog);
                let promised = readers.iter().map(|reader| log.next_of(*reader)).fold(promised, u64::min);
                if backlog <= 1 << 16 {
                    prop_assert!(log.len() <= log.end() - promised + 300_000, "{} bytes kept", log.len());
                }
                prop_assert_eq!(log.held, log.blocks.iter().map(|block| block.held).sum::<usize>());
                let room = log.tail.capacity() + log.blocks.capacity() * size_of::<Chunk>() + log.blocks.len() * SHARED_BYTES;
                prop_assert!(log.memory() - room <= log.len() as usize * 9 / 8, "{} bytes held for {}", log.memory(), log.len());
                if let Some(seen) = all_from(&log, log.first()) {
                    prop_assert_eq!(seen, all_from(&all, log.first()).unwrap());
                }
                prop_assert!(all_from(&log, log.end() + 1).is_none());
            }
        }
    }
}
