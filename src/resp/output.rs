//! Replies: written straight into the client's output, which large values join by reference.

use super::encode;
use bytes::Bytes;
use std::{collections::VecDeque, io::IoSlice};

/// A string of at least this many bytes is sent from where it is stored.
pub const SHARED_MIN: usize = 32 * 1024;

/// The version of the protocol a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Protocol {
    /// Redis 1.2 to now.
    #[default]
    Resp2,
    /// Redis 6 on, chosen by HELLO 3.
    Resp3,
}

/// Bytes on their way to a client.
#[derive(Default)]
pub struct Output {
    /// What is in front of `tail`: shared values and the bytes between them.
    queue: VecDeque<Bytes>,
    queued: usize,
    tail: Vec<u8>,
    /// Bytes of the first piece that have been sent.
    sent: usize,
    /// The protocol replies are written in.
    pub protocol: Protocol,
}

impl Output {
    /// Nothing yet, to be written in this protocol.
    pub fn new(protocol: Protocol) -> Self {
        Self { protocol, ..Self::default() }
    }

    /// Bytes not yet sent.
    #[inline]
    pub fn len(&self) -> usize {
        // Lengths of what is in memory, and what has been sent of them.
        self.queued.wrapping_add(self.tail.len()).wrapping_sub(self.sent)
    }

    /// Whether everything has been sent.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.tail.is_empty() && self.queue.is_empty()
    }

    /// Bytes of memory it holds, shared values included.
    pub fn memory(&self) -> usize {
        self.queued + self.tail.capacity()
    }

    /// Number of pieces in front of the last one: what CLIENT LIST shows as `oll`.
    pub fn pieces(&self) -> usize {
        self.queue.len()
    }

    /// Bytes of the last piece: what CLIENT LIST shows as `obl`.
    pub fn tail_len(&self) -> usize {
        self.tail.len()
    }

    /// Bytes the buffer of the last piece holds: what CLIENT LIST shows as `rbs`.
    pub fn tail_capacity(&self) -> usize {
        self.tail.capacity()
    }

    /// Whether replies are in RESP3.
    #[inline(always)]
    pub fn resp3(&self) -> bool {
        self.protocol == Protocol::Resp3
    }

    /// Adds bytes that are a reply, or part of one, already.
    #[inline(always)]
    pub fn raw(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
    }

    /// Adds shared bytes without a copy.
    pub fn raw_shared(&mut self, bytes: Bytes) {
        if !self.tail.is_empty() {
            let piece = Bytes::from(std::mem::take(&mut self.tail));
            self.queued += piece.len();
            self.queue.push_back(piece);
        }
        self.queued += bytes.len();
        self.queue.push_back(bytes);
    }

    /// Adds what another output holds: for a part that had to be written before what stands in front of it was known.
    pub fn append(&mut self, mut other: Output) {
        debug_assert_eq!(other.sent, 0);
        for piece in std::mem::take(&mut other.queue) {
            self.raw_shared(piece);
        }
        if other.tail.len() < SHARED_MIN {
            self.raw(&other.tail);
        } else {
            self.raw_shared(Bytes::from(other.tail));
        }
    }

    /// How long the output is now, for [`Output::rewind`].
    pub fn mark(&self) -> usize {
        self.queued + self.tail.len()
    }

    /// Takes back what was written since `mark`. Only what still is in the last piece can be taken back; says whether it could.
    pub fn rewind(&mut self, mark: usize) -> bool {
        match mark.checked_sub(self.queued) {
            Some(len) if len <= self.tail.len() => {
                self.tail.truncate(len);
                true
            }
            _ => false,
        }
    }

    /// What has been written since `mark`, as far as it is in the last piece.
    pub fn since(&self, mark: usize) -> &[u8] {
        mark.checked_sub(self.queued).and_then(|at| self.tail.get(at..)).unwrap_or_default()
    }

    /// Puts the right count in the place of a guess, in the header that stands at `mark`. What has been written since must be in the last piece.
    #[inline]
    pub fn correct_len(&mut self, mark: usize, guessed: usize, len: usize) {
        if guessed != len {
            self.replace_len(mark, guessed, len);
        }
    }

    #[cold]
    fn replace_len(&mut self, mark: usize, guessed: usize, len: usize) {
        let Some(kind_at) = mark.checked_sub(self.queued).filter(|at| *at < self.tail.len()) else {
            return debug_assert!(false, "the header has left the last piece");
        };
        let digits = kind_at + 1..kind_at + 1 + itoa::Buffer::new().format(guessed).len();
        self.tail.splice(digits, itoa::Buffer::new().format(len).bytes());
    }

    #[inline(always)]
    fn header(&mut self, kind: u8, n: i64) {
        encode::header(&mut self.tail, kind, n);
    }

    /// `+OK`.
    #[inline]
    pub fn ok(&mut self) {
        self.raw(b"+OK\r\n");
    }

    /// A simple string: no CR or LF in it.
    pub fn simple(&mut self, text: &str) {
        encode::simple(&mut self.tail, text.as_bytes());
    }

    /// An error with its code in front, as in `ERR syntax error`. A CR or LF in it (it may quote an argument) becomes a blank,
    /// and those at its end are left out.
    pub fn error(&mut self, text: impl AsRef<[u8]>) {
        let text = text.as_ref();
        let end = text.iter().rposition(|b| !matches!(b, b'\r' | b'\n')).map_or(0, |last| last + 1);
        self.raw(b"-");
        let start = self.tail.len();
        self.raw(&text[..end]);
        for byte in &mut self.tail[start..] {
            if matches!(byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
        self.raw(b"\r\n");
    }

    /// An integer.
    #[inline]
    pub fn int(&mut self, n: i64) {
        self.header(b':', n);
    }

    /// A length or a count.
    #[inline]
    pub fn len_int(&mut self, n: usize) {
        self.header(b':', n as i64);
    }

    /// A bulk string.
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        // One reservation for header, string and line end.
        self.tail.reserve(bytes.len() + 24);
        self.header(b'$', bytes.len() as i64);
        self.raw(bytes);
        self.raw(b"\r\n");
    }

    /// A bulk string, by reference when it is long.
    pub fn bulk_shared(&mut self, bytes: &Bytes) {
        if bytes.len() < SHARED_MIN {
            return self.bulk(bytes);
        }
        self.header(b'$', bytes.len() as i64);
        self.raw_shared(bytes.clone());
        self.raw(b"\r\n");
    }

    /// A number as a bulk string.
    #[inline]
    pub fn bulk_int(&mut self, n: i64) {
        let mut digits = itoa::Buffer::new();
        self.bulk(digits.format(n).as_bytes());
    }

    /// No such value: `_` in RESP3, the null bulk string in RESP2.
    #[inline]
    pub fn null(&mut self) {
        self.raw(if self.resp3() { b"_\r\n" } else { b"$-1\r\n" });
    }

    /// No such array: `_` in RESP3, the null array in RESP2.
    pub fn null_array(&mut self) {
        self.raw(if self.resp3() { b"_\r\n" } else { b"*-1\r\n" });
    }

    /// The header of an array.
    #[inline]
    pub fn array(&mut self, len: usize) {
        self.header(b'*', len as i64);
    }

    /// The header of a map of `pairs` pairs; in RESP2 a flat array.
    pub fn map(&mut self, pairs: usize) {
        match self.protocol {
            Protocol::Resp3 => self.header(b'%', pairs as i64),
            Protocol::Resp2 => self.header(b'*', 2 * pairs as i64),
        }
    }

    /// The header of a set; in RESP2 an array.
    pub fn set(&mut self, len: usize) {
        self.header(if self.resp3() { b'~' } else { b'*' }, len as i64);
    }

    /// The header of a push; in RESP2 an array.
    pub fn push(&mut self, len: usize) {
        self.header(if self.resp3() { b'>' } else { b'*' }, len as i64);
    }

    /// A truth value; in RESP2 the integers 1 and 0.
    pub fn boolean(&mut self, yes: bool) {
        match (self.protocol, yes) {
            (Protocol::Resp3, true) => self.raw(b"#t\r\n"),
            (Protocol::Resp3, false) => self.raw(b"#f\r\n"),
            (Protocol::Resp2, yes) => self.int(i64::from(yes)),
        }
    }

    /// A floating-point number given in its text form; in RESP2 a bulk string.
    pub fn double_text(&mut self, text: &[u8]) {
        match self.protocol {
            Protocol::Resp3 => {
                self.raw(b",");
                self.raw(text);
                self.raw(b"\r\n");
            }
            Protocol::Resp2 => self.bulk(text),
        }
    }

    /// Text for a person, in RESP3 marked with its three-letter format; in RESP2 a bulk string.
    pub fn verbatim(&mut self, format: &str, text: &[u8]) {
        match self.protocol {
            Protocol::Resp3 => {
                self.header(b'=', text.len() as i64 + 4);
                self.raw(format.as_bytes());
                self.raw(b":");
                self.raw(text);
                self.raw(b"\r\n");
            }
            Protocol::Resp2 => self.bulk(text),
        }
    }

    /// A number of any size, by its digits; RESP2 has a bulk string for it.
    pub fn big_number(&mut self, digits: &str) {
        match self.protocol {
            Protocol::Resp3 => {
                self.raw(b"(");
                self.raw(digits.as_bytes());
                self.raw(b"\r\n");
            }
            Protocol::Resp2 => self.bulk(digits.as_bytes()),
        }
    }

    /// The head of an attribute of so many pairs, which stands in front of a reply. RESP3 only.
    pub fn attribute(&mut self, pairs: usize) {
        self.header(b'|', pairs as i64);
    }

    /// The head of a bulk string whose bytes follow.
    pub fn bulk_header(&mut self, len: usize) {
        self.header(b'$', len as i64);
    }

    /// A help text: an array of simple strings.
    pub fn help(&mut self, lines: &[&str]) {
        self.array(lines.len());
        lines.iter().for_each(|line| self.simple(line));
    }

    /// The first pieces, ready for writev: as many as there is room for, and no more than `most` bytes. Returns how many pieces that is.
    pub fn slices<'a>(&'a self, into: &mut [IoSlice<'a>], most: usize) -> usize {
        let (mut count, mut left) = (0, most);
        for piece in self.unsent() {
            if count == into.len() || left == 0 {
                break;
            }
            let piece = &piece[..piece.len().min(left)];
            left -= piece.len();
            into[count] = IoSlice::new(piece);
            count += 1;
        }
        count
    }

    /// The pieces that have bytes still to be sent.
    fn unsent(&self) -> impl Iterator<Item = &[u8]> {
        let mut skip = self.sent;
        self.queue.iter().map(|b| &b[..]).chain([&self.tail[..]]).filter_map(move |piece| {
            let rest = piece.get(skip..).unwrap_or_default();
            skip = skip.saturating_sub(piece.len());
            (!rest.is_empty()).then_some(rest)
        })
    }

    /// Everything not yet sent, in one piece: for tests and the simulator.
    pub fn take_all(&mut self) -> Vec<u8> {
        let all = self.unsent().collect::<Vec<_>>().concat();
        self.advance(self.len());
        all
    }

    /// Removes the first `n` bytes, which have been sent.
    pub fn advance(&mut self, n: usize) {
        let mut done = self.sent + n;
        while let Some(first) = self.queue.front() {
            if done < first.len() {
                self.sent = done;
                return;
            }
            done -= first.len();
            self.queued -= first.len();
            self.queue.pop_front();
        }
        if done >= self.tail.len() {
            self.tail.clear();
            done = 0;
        }
        self.sent = done;
    }

    /// Lends it a buffer to write into, if it has none.
    #[inline]
    pub fn lend(&mut self, pool: &mut Vec<Vec<u8>>) {
        if self.tail.capacity() == 0
            && let Some(buffer) = pool.pop()
        {
            self.tail = buffer;
        }
    }

    /// Gives its buffer back when it has nothing more to send: an idle client holds no memory.
    #[inline]
    pub fn give_back(&mut self, pool: &mut Vec<Vec<u8>>) {
        const POOLED_MAX: usize = 64;
        const BUFFER_MAX: usize = 64 * 1024;
        if !self.is_empty() || self.tail.capacity() == 0 {
            return;
        }
        let buffer = std::mem::take(&mut self.tail);
        self.queue.shrink_to(16);
        if pool.len() < POOLED_MAX && buffer.capacity() <= BUFFER_MAX {
            pool.push(buffer);
        }
    }
}
