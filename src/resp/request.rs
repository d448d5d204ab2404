//! Requests, RESP arrays and inline lines, parsed into ranges of the buffer they came in: no copy, no allocation a command.
//!
//! The parser keeps its place between calls, so bytes may arrive in any split. Arguments of [`BIG_ARG`] bytes and more that
//! are not all there yet get a buffer of their own, into which the socket is read and which the keyspace then adopts.

use bytes::{Bytes, BytesMut};
use memchr::memchr;
use std::fmt;

/// An argument of at least this many bytes may travel in a buffer of its own.
pub const BIG_ARG: usize = 32 * 1024;
/// The longest inline request and the longest header line, in bytes.
pub const INLINE_LIMIT: usize = 64 * 1024;
/// Most arguments of a request.
const MULTIBULK_MAX: i64 = i32::MAX as i64;
/// Most arguments, and longest argument in bytes, before a client has authenticated.
const UNAUTHENTICATED_ARGS: i64 = 10;
const UNAUTHENTICATED_BULK: i64 = 16384;
/// What is allocated at once for a big argument, however long it says it will be; beyond this the buffer doubles as it fills.
const BIG_ARG_FIRST: usize = 1 << 20;

/// One argument: a range of the input buffer, or the index of a buffer of its own.
#[derive(Clone, Copy, Debug)]
pub struct Arg {
    start: u32,
    len: u32,
}

const OWN_BUFFER: u32 = u32::MAX;

/// A whole request: which of the batch's arguments are its own.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    first: u32,
    count: u32,
    /// Input bytes up to its end.
    end: u32,
    begins_alike: bool,
}

impl Request {
    /// Whether it is known to have the number of arguments, and the first argument, of the request in front of it. For the first request
    /// of a batch that may be one that is done with.
    pub fn begins_alike(&self) -> bool {
        self.begins_alike
    }

    /// Number of arguments, the command's name among them. Never 0.
    pub fn argc(&self) -> usize {
        self.count as usize
    }

    /// How far into the parsed buffer it reaches.
    pub fn end(&self) -> usize {
        self.end as usize
    }
}

/// The arguments of one request.
#[derive(Clone, Copy)]
pub struct Args<'a> {
    buf: &'a [u8],
    args: &'a [Arg],
    own: &'a [Bytes],
}

impl<'a> Args<'a> {
    /// Number of arguments, the command's name among them.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.args.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.args.is_empty()
    }

    /// Argument `i`; empty when there is no such one.
    #[inline(always)]
    pub fn get(&self, i: usize) -> &'a [u8] {
        let Some(arg) = self.args.get(i) else { return &[] };
        if arg.start == OWN_BUFFER {
            return self.own.get(arg.len as usize).map_or(&[], |b| b);
        }
        let start = arg.start as usize;
        self.buf.get(start..start + arg.len as usize).unwrap_or_default()
    }

    /// Argument `i` to keep: without a copy where it came in a buffer of its own.
    pub fn to_bytes(&self, i: usize) -> Bytes {
        match self.args.get(i) {
            Some(arg) if arg.start == OWN_BUFFER => self.own.get(arg.len as usize).cloned().unwrap_or_default(),
            _ => Bytes::copy_from_slice(self.get(i)),
        }
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &'a [u8]> + ExactSizeIterator + use<'a> {
        let args = *self;
        (0..args.len()).map(move |i| args.get(i))
    }

    /// Those from `from` on.
    pub fn skip(&self, from: usize) -> Args<'a> {
        Args { args: self.args.get(from..).unwrap_or_default(), ..*self }
    }
}

/// A request that outlives its buffer: queued by MULTI, or rewritten.
#[derive(Clone, Default)]
pub struct OwnedArgs {
    buf: Vec<u8>,
    args: Vec<Arg>,
    own: Vec<Bytes>,
}

impl OwnedArgs {
    /// Copies `args`, but for those in buffers of their own, which it shares.
    pub fn from_args(args: Args) -> Self {
        let mut owned = Self::default();
        for i in 0..args.len() {
            match args.args[i].start {
                OWN_BUFFER => owned.push_shared(args.to_bytes(i)),
                _ => owned.push(args.get(i)),
            }
        }
        owned
    }

    /// Copies the parts of a new request.
    pub fn new(parts: &[&[u8]]) -> Self {
        let mut owned = Self::default();
        parts.iter().for_each(|p| owned.push(p));
        owned
    }

    /// Adds an argument.
    pub fn push(&mut self, arg: &[u8]) {
        if arg.len() >= BIG_ARG {
            return self.push_shared(Bytes::copy_from_slice(arg));
        }
        self.args.push(Arg { start: self.buf.len() as u32, len: arg.len() as u32 });
        self.buf.extend_from_slice(arg);
    }

    /// Adds an argument that is shared rather than copied.
    pub fn push_shared(&mut self, arg: Bytes) {
        self.args.push(Arg { start: OWN_BUFFER, len: self.own.len() as u32 });
        self.own.push(arg);
    }

    /// Borrows it as a command's arguments.
    pub fn args(&self) -> Args<'_> {
        Args { buf: &self.buf, args: &self.args, own: &self.own }
    }

    /// Bytes it holds on to.
    pub fn memory(&self) -> usize {
        self.buf.capacity() + self.args.capacity() * size_of::<Arg>() + self.own.iter().map(Bytes::len).sum::<usize>()
    }
}

/// Why a request cannot be: the connection is closed after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// An inline line longer than [`INLINE_LIMIT`].
    InlineTooBig,
    /// A quote that does not end, in an inline line.
    UnbalancedQuotes,
    /// A `*` line longer than [`INLINE_LIMIT`].
    CountTooBig,
    /// A `$` line longer than [`INLINE_LIMIT`].
    BulkCountTooBig,
    /// Not a number, or more arguments than allowed.
    InvalidMultibulkLength,
    /// Something else where an argument's `$` should be.
    ExpectedDollar(u8),
    /// Not a number, or an argument longer than allowed.
    InvalidBulkLength,
    /// More arguments than a client may send before it has authenticated.
    UnauthenticatedMultibulk,
    /// A longer argument than a client may send before it has authenticated.
    UnauthenticatedBulk,
}

impl ProtocolError {
    /// The error's text, which may quote any byte, without `ERR `.
    pub fn text(self) -> Vec<u8> {
        let what: &[u8] = match self {
            Self::InlineTooBig => b"too big inline request",
            Self::UnbalancedQuotes => b"unbalanced quotes in request",
            Self::CountTooBig => b"too big mbulk count string",
            Self::BulkCountTooBig => b"too big bulk count string",
            Self::InvalidMultibulkLength => b"invalid multibulk length",
            Self::ExpectedDollar(got) => &[b"expected '$', got '", &[got][..], b"'"].concat(),
            Self::InvalidBulkLength => b"invalid bulk length",
            Self::UnauthenticatedMultibulk => b"unauthenticated multibulk length",
            Self::UnauthenticatedBulk => b"unauthenticated bulk length",
        };
        [b"Protocol error: ", what].concat()
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.text()))
    }
}

/// What a client may send.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest argument in bytes (`proto-max-bulk-len`).
    pub bulk_max: i64,
    /// Whether the client may send requests of full size.
    pub authenticated: bool,
}

/// Splits an inline line by Redis's quoting rules (the configuration file's too): `None` when quotes are unbalanced.
pub type SplitArgs = fn(&[u8]) -> Option<Vec<Vec<u8>>>;

/// A parser's place in a request that is not all there, and the requests that are.
pub struct Parser {
    args: Vec<Arg>,
    own: Vec<Bytes>,
    requests: Vec<Request>,
    /// Arguments still to come of the request being parsed; 0 between requests.
    missing: u32,
    /// First argument of the request being parsed.
    first: u32,
    /// Bytes of the buffer already understood.
    at: usize,
    /// Length of the argument being parsed, once its header is known.
    bulk: Option<usize>,
    /// The buffer of a big argument, its announced length and the CRLF behind it still to be filled.
    filling: Option<Filling>,
    /// Whether big arguments may have buffers of their own.
    fills: bool,
    split: SplitArgs,
}

/// How a request began: the bytes up to the end of its first argument.
struct Beginning {
    at: usize,
    len: usize,
    /// Number of arguments that it announces.
    count: u32,
    /// Length of the first.
    name: u32,
}

impl Beginning {
    /// Whether the bytes from `at` on are the same.
    #[inline(always)]
    fn recurs(&self, buf: &[u8], at: usize) -> bool {
        let (Some(old), Some(new)) = (buf.get(self.at..self.at + self.len), buf.get(at..at + self.len)) else { return false };
        match self.len {
            // Two words, which overlap, are compared faster than a length that the compiler does not know.
            8..=16 => old.first_chunk::<8>() == new.first_chunk() && old.last_chunk::<8>() == new.last_chunk(),
            _ => old == new,
        }
    }
}

struct Filling {
    buf: BytesMut,
    /// Length with the CRLF.
    whole: usize,
}

impl Parser {
    /// A parser at the start of a request.
    pub fn new(split: SplitArgs) -> Self {
        Self {
            args: Vec::new(),
            own: Vec::new(),
            requests: Vec::new(),
            missing: 0,
            first: 0,
            at: 0,
            bulk: None,
            filling: None,
            fills: true,
            split,
        }
    }

    /// The same, with every argument where it is in the input, so that a request's bytes are all there: for those that are passed on.
    pub fn in_place(split: SplitArgs) -> Self {
        Self { fills: false, ..Self::new(split) }
    }

    /// Parses whole requests of `buf` until there are `most`, or no more, or the bytes are wrong (what was parsed before the error is good).
    ///
    /// `buf` must begin with the same bytes as at the last call, but for those given up by [`Parser::rebase`].
    pub fn parse(&mut self, buf: &[u8], most: usize, limits: Limits) -> Result<(), ProtocolError> {
        // Requests in a row are often of one kind: where one begins with the bytes of the last, they need not be understood again.
        let mut last: Option<Beginning> = None;
        while self.requests.len() < most {
            let start = (self.missing == 0).then_some(self.at);
            let mut alike = false;
            if let Some(last) = last.as_ref().filter(|last| last.recurs(buf, self.at)) {
                alike = true;
                self.first = self.args.len() as u32;
                self.at += last.len;
                self.args.push(Arg { start: self.at as u32 - 2 - last.name, len: last.name });
                self.missing = last.count - 1;
            } else if self.missing == 0 {
                match buf.get(self.at) {
                    None => return Ok(()),
                    Some(b'*') => {
                        let count = match self.short_header(buf) {
                            Some(count) => count,
                            None => {
                                let Some(count) = self.line(buf, ProtocolError::CountTooBig)? else { return Ok(()) };
                                decimal(count).filter(|c| *c <= MULTIBULK_MAX).ok_or(ProtocolError::InvalidMultibulkLength)?
                            }
                        };
                        if count > UNAUTHENTICATED_ARGS && !limits.authenticated {
                            return Err(ProtocolError::UnauthenticatedMultibulk);
                        }
                        self.first = self.args.len() as u32;
                        self.missing = count.max(0) as u32;
                        if self.missing == 0 {
                            continue;
                        }
                    }
                    Some(_) => {
                        if !self.inline(buf)? {
                            return Ok(());
                        }
                        last = None;
                        continue;
                    }
                }
            }
            if !self.bulks(buf, limits)? {
                return Ok(());
            }
            self.finish(alike);
            if !alike {
                last = start.and_then(|at| self.beginning(at));
            }
        }
        Ok(())
    }

    fn finish(&mut self, begins_alike: bool) {
        let count = self.args.len() as u32 - self.first;
        self.requests.push(Request { first: self.first, count, end: self.at as u32, begins_alike });
    }

    /// The beginning of the request just parsed, which began at `at`.
    #[inline]
    fn beginning(&self, at: usize) -> Option<Beginning> {
        let args = &self.args[self.first as usize..];
        let name = args.first().filter(|name| name.start != OWN_BUFFER)?;
        Some(Beginning { at, len: (name.start + name.len) as usize + 2 - at, count: args.len() as u32, name: name.len })
    }

    /// The number of a header of up to three digits that is all there, as nearly every one is. No argument of such a length is too long.
    #[inline(always)]
    fn short_header(&mut self, buf: &[u8]) -> Option<i64> {
        let digit = |d: u8| i64::from(d - b'0');
        let (number, digits) = match buf[self.at + 1..] {
            [d @ b'0'..=b'9', b'\r', _, ..] => (digit(d), 1),
            [c @ b'1'..=b'9', d @ b'0'..=b'9', b'\r', _, ..] => (digit(c) * 10 + digit(d), 2),
            [b @ b'1'..=b'9', c @ b'0'..=b'9', d @ b'0'..=b'9', b'\r', _, ..] => (digit(b) * 100 + digit(c) * 10 + digit(d), 3),
            _ => return None,
        };
        self.at += digits + 3;
        Some(number)
    }

    /// The bytes between the type byte and the line's end, once they are all there.
    #[inline]
    fn line<'b>(&mut self, buf: &'b [u8], too_big: ProtocolError) -> Result<Option<&'b [u8]>, ProtocolError> {
        let rest = &buf[self.at + 1..];
        // A header is short: look for its end by hand before calling for help.
        let near = rest.iter().take(12).position(|b| *b == b'\r');
        let end = match near.or_else(|| memchr(b'\r', rest)) {
            // The LF has to be there too.
            Some(end) if end + 1 < rest.len() => end,
            found => {
                if found.unwrap_or(rest.len()) >= INLINE_LIMIT {
                    return Err(too_big);
                }
                return Ok(None);
            }
        };
        self.at += end + 3;
        Ok(Some(&rest[..end]))
    }

    /// Parses arguments until the request is whole (`true`) or the bytes run out (`false`).
    #[inline]
    fn bulks(&mut self, buf: &[u8], limits: Limits) -> Result<bool, ProtocolError> {
        if self.filling.is_some() {
            return Ok(false);
        }
        while self.missing > 0 {
            let len = match self.bulk {
                Some(len) => len,
                None => {
                    match buf.get(self.at) {
                        None => return Ok(false),
                        Some(b'$') => (),
                        Some(got) => {
                            // Redis looks at the byte only when it has the whole line.
                            if memchr(b'\r', &buf[self.at..]).is_none() {
                                if buf.len() - self.at > INLINE_LIMIT {
                                    return Err(ProtocolError::BulkCountTooBig);
                                }
                                return Ok(false);
                            }
                            return Err(ProtocolError::ExpectedDollar(*got));
                        }
                    }
                    match self.short_header(buf) {
                        Some(len) => len as usize,
                        None => {
                            let Some(len) = self.line(buf, ProtocolError::BulkCountTooBig)? else { return Ok(false) };
                            let len = decimal(len).filter(|l| (0..=limits.bulk_max).contains(l)).ok_or(ProtocolError::InvalidBulkLength)?;
                            if len > UNAUTHENTICATED_BULK && !limits.authenticated {
                                return Err(ProtocolError::UnauthenticatedBulk);
                            }
                            len as usize
                        }
                    }
                }
            };
            if buf.len() - self.at >= len + 2 {
                self.args.push(Arg { start: self.at as u32, len: len as u32 });
                self.at += len + 2;
            } else {
                self.bulk = Some(len);
                if len >= BIG_ARG && self.fills {
                    let mut own = BytesMut::with_capacity((len + 2).min(BIG_ARG_FIRST));
                    own.extend_from_slice(&buf[self.at..]);
                    self.at = buf.len();
                    self.filling = Some(Filling { buf: own, whole: len + 2 });
                }
                return Ok(false);
            }
            self.bulk = None;
            self.missing -= 1;
        }
        Ok(true)
    }

    /// Parses an inline request; `false` when its line is not all there.
    fn inline(&mut self, buf: &[u8]) -> Result<bool, ProtocolError> {
        let rest = &buf[self.at..];
        let Some(end) = memchr(b'\n', rest) else {
            return if rest.len() > INLINE_LIMIT { Err(ProtocolError::InlineTooBig) } else { Ok(false) };
        };
        let line = &rest[..end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let words = (self.split)(line).ok_or(ProtocolError::UnbalancedQuotes)?;
        self.at += end + 1;
        if words.is_empty() {
            return Ok(true);
        }
        self.first = self.args.len() as u32;
        for word in words {
            self.args.push(Arg { start: OWN_BUFFER, len: self.own.len() as u32 });
            self.own.push(Bytes::from(word));
        }
        self.finish(false);
        Ok(true)
    }

    /// The whole requests parsed since the last [`Parser::rebase`].
    #[inline]
    pub fn requests(&self) -> usize {
        self.requests.len()
    }

    /// Request `i`.
    #[inline]
    pub fn request(&self, i: usize) -> Request {
        self.requests[i]
    }

    /// The arguments of `request`, which was parsed from this `buf`.
    #[inline]
    pub fn args<'a>(&'a self, request: Request, buf: &'a [u8]) -> Args<'a> {
        let args = &self.args[request.first as usize..][..request.count as usize];
        Args { buf, args, own: &self.own }
    }

    /// Whether it is in the middle of a request.
    pub fn is_partial(&self) -> bool {
        self.missing > 0
    }

    /// Gives up the first `done` requests, which have been executed, and with them the input in front of what is left.
    /// Returns how many bytes of the buffer are no longer needed.
    pub fn rebase(&mut self, done: usize) -> usize {
        let all = done == self.requests.len();
        let (cut, first) = if all {
            // A partial request keeps the bytes its arguments lie in.
            let first = if self.missing > 0 { self.first as usize } else { self.args.len() };
            let cut = self.args[first..].iter().find(|a| a.start != OWN_BUFFER).map_or(self.at, |a| a.start as usize);
            (cut, first)
        } else {
            let next = &self.requests[done];
            let before = if done == 0 { 0 } else { self.requests[done - 1].end as usize };
            (before, next.first as usize)
        };
        self.requests.drain(..done);
        // Buffers were pushed in the order of the arguments that name them.
        let own = if self.own.is_empty() { 0 } else { self.args[..first].iter().filter(|a| a.start == OWN_BUFFER).count() };
        self.own.drain(..own);
        self.args.drain(..first);
        for arg in &mut self.args {
            if arg.start == OWN_BUFFER {
                arg.len -= own as u32;
            } else {
                arg.start -= cut as u32;
            }
        }
        for request in &mut self.requests {
            request.first -= first as u32;
            request.end -= cut as u32;
        }
        self.first = self.first.saturating_sub(first as u32);
        self.at -= cut;
        cut
    }

    /// The unfilled part of a big argument's own buffer, into which the next bytes of input may be read directly.
    ///
    /// It is never empty. Tell how many bytes came with [`Parser::filled`].
    pub fn fill_target(&mut self) -> Option<&mut BytesMut> {
        let filling = self.filling.as_mut()?;
        let missing = filling.whole - filling.buf.len();
        if filling.buf.capacity() == filling.buf.len() {
            filling.buf.reserve(missing.min(filling.buf.len().max(BIG_ARG_FIRST)));
        }
        Some(&mut filling.buf)
    }

    /// How many bytes the big argument still lacks, with its CRLF; 0 when none is being filled.
    pub fn fill_missing(&self) -> usize {
        self.filling.as_ref().map_or(0, |f| f.whole - f.buf.len())
    }

    /// Says that the big argument's buffer may be full now; takes it as an argument when it is.
    pub fn filled(&mut self) {
        if self.filling.as_ref().is_none_or(|f| f.buf.len() < f.whole) {
            return;
        }
        let Some(mut filling) = self.filling.take() else { return };
        filling.buf.truncate(filling.whole - 2);
        self.args.push(Arg { start: OWN_BUFFER, len: self.own.len() as u32 });
        self.own.push(filling.buf.freeze());
        self.bulk = None;
        self.missing -= 1;
        if self.missing == 0 {
            self.finish(false);
        }
    }

    /// Bytes it holds on to beside the input buffer.
    pub fn memory(&self) -> usize {
        self.args.capacity() * size_of::<Arg>()
            + self.own.iter().map(Bytes::len).sum::<usize>()
            + self.filling.as_ref().map_or(0, |f| f.buf.capacity())
    }
}

/// A decimal number as headers have it: what Redis's own reader takes, so no sign but `-`, no blank, no leading zero.
#[inline]
fn decimal(text: &[u8]) -> Option<i64> {
    if let [d @ b'0'..=b'9'] = text {
        return Some(i64::from(d - b'0'));
    }
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    if digits.is_empty() || digits.len() > 18 || digits[0] == b'0' || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0i64, |v, d| v * 10 + i64::from(d - b'0'));
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests;
