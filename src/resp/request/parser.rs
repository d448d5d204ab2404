//! Requests, RESP arrays and inline lines, parsed into ranges of the buffer they came in.
//!
//! Places are within the input, which is shorter than 4 GiB: sums and differences of them and of lengths cannot wrap, and on the way that every request takes they
//! say so (`wrapping_`), since the release build checks all others.

use super::{
    args::{Arg, Args, Request},
    error::ProtocolError,
    filling::Filling,
    limits::{BIG_ARG, INLINE_LIMIT, MULTIBULK_MAX, PIECE_MAX, RequestLimits, UNAUTHENTICATED_ARGS, UNAUTHENTICATED_BULK},
};
use bytes::Bytes;
use memchr::memchr;

/// Splits an inline line by Redis's quoting rules (the configuration file's too): `None` when quotes are unbalanced.
pub type SplitArgs = fn(&[u8]) -> Option<Vec<Vec<u8>>>;

/// A parser's place in a request that is not all there, and the requests that are.
pub struct Parser {
    args: Vec<Arg>,
    own: Vec<Bytes>,
    /// Bytes of those buffers.
    own_bytes: usize,
    requests: Vec<Request>,
    /// How many of them are done with.
    done: usize,
    /// Arguments still to come of the request being parsed; 0 between requests.
    missing: u32,
    /// First argument of the request being parsed, and where that request begins.
    first: u32,
    begin: usize,
    /// Bytes of the buffer already understood.
    at: usize,
    /// Up to here the end of the line that begins at `at` has been looked for.
    searched: usize,
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
        let (Some(old), Some(new)) = (buf.get(self.at..self.at.wrapping_add(self.len)), buf.get(at..at.wrapping_add(self.len))) else {
            return false;
        };
        match self.len {
            // Two words, which overlap, are compared faster than a length that the compiler does not know.
            8..=16 => old.first_chunk::<8>() == new.first_chunk() && old.last_chunk::<8>() == new.last_chunk(),
            _ => old == new,
        }
    }
}

impl Parser {
    /// A parser at the start of a request.
    pub fn new(split: SplitArgs) -> Self {
        Self {
            args: Vec::new(),
            own: Vec::new(),
            own_bytes: 0,
            requests: Vec::new(),
            done: 0,
            missing: 0,
            first: 0,
            begin: 0,
            at: 0,
            searched: 0,
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

    /// Parses whole requests of `buf` until there are `most`, or no more, or the bytes are wrong (what was parsed before the error is good, and the
    /// next call, with nothing but that done, finds the same error).
    ///
    /// `buf` must begin with the same bytes as at the last call, but for those given up by [`Parser::rebase`].
    pub fn parse(&mut self, buf: &[u8], most: usize, limits: RequestLimits) -> Result<(), ProtocolError> {
        if buf.len() <= PIECE_MAX {
            return self.parse_piece(buf, most, limits, self.fills);
        }
        self.parse_piece(&buf[..PIECE_MAX], most, limits, false)?;
        if self.requests() == 0 && self.is_partial() { Err(ProtocolError::RequestTooBig) } else { Ok(()) }
    }

    fn parse_piece(&mut self, buf: &[u8], most: usize, limits: RequestLimits, fills: bool) -> Result<(), ProtocolError> {
        // Requests in a row are often of one kind: where one begins with the bytes of the last, they need not be understood again.
        let mut last: Option<Beginning> = None;
        let most = most.saturating_add(self.done);
        while self.requests.len() < most {
            let start = (self.missing == 0).then_some(self.at);
            let mut alike = false;
            if let Some(last) = last.as_ref().filter(|last| last.recurs(buf, self.at)) {
                alike = true;
                self.first = self.args.len() as u32;
                self.begin = self.at;
                self.at = self.at.wrapping_add(last.len);
                self.args.push(Arg::at(self.at.wrapping_sub(2 + last.name as usize), last.name as usize));
                self.missing = last.count.wrapping_sub(1);
            } else if self.missing == 0 {
                match buf.get(self.at) {
                    None => return Ok(()),
                    Some(b'*') => {
                        let begin = self.at;
                        let count = match self.short_header(buf) {
                            Some(count) => count,
                            None => {
                                let Some((count, next)) = self.line(buf, ProtocolError::CountTooBig)? else { return Ok(()) };
                                let count = decimal(count).filter(|c| *c <= MULTIBULK_MAX).ok_or(ProtocolError::InvalidMultibulkLength)?;
                                self.at = next;
                                count
                            }
                        };
                        if count > UNAUTHENTICATED_ARGS && !limits.authenticated {
                            self.at = begin;
                            return Err(ProtocolError::UnauthenticatedMultibulk);
                        }
                        self.first = self.args.len() as u32;
                        self.begin = begin;
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
            if !self.bulks(buf, limits, fills)? {
                return Ok(());
            }
            self.finish(alike);
            if !alike {
                last = start.and_then(|at| self.beginning(at));
            }
        }
        Ok(())
    }

    fn push_own(&mut self, bytes: Bytes) {
        self.args.push(Arg::own(self.own.len()));
        self.own_bytes += bytes.len();
        self.own.push(bytes);
    }

    fn finish(&mut self, begins_alike: bool) {
        let count = (self.args.len() as u32).wrapping_sub(self.first);
        self.requests.push(Request { first: self.first, count, end: self.at as u32, begins_alike });
    }

    /// The beginning of the request just parsed, which began at `at`.
    #[inline]
    fn beginning(&self, at: usize) -> Option<Beginning> {
        let args = &self.args[self.first as usize..];
        let name = args.first().filter(|name| !name.is_own())?;
        Some(Beginning { at, len: (name.start + name.len) as usize + 2 - at, count: args.len() as u32, name: name.len })
    }

    /// The number of a header of up to three digits that is all there, as nearly every one is. No argument of such a length is too long.
    #[inline(always)]
    fn short_header(&mut self, buf: &[u8]) -> Option<i64> {
        let digit = |d: u8| u32::from(d & 15);
        let number = |b, c, d| digit(b).wrapping_mul(100).wrapping_add(digit(c).wrapping_mul(10)).wrapping_add(digit(d));
        let (number, header) = match buf[self.at.wrapping_add(1)..] {
            [d @ b'0'..=b'9', b'\r', _, ..] => (digit(d), 4),
            [c @ b'1'..=b'9', d @ b'0'..=b'9', b'\r', _, ..] => (number(0, c, d), 5),
            [b @ b'1'..=b'9', c @ b'0'..=b'9', d @ b'0'..=b'9', b'\r', _, ..] => (number(b, c, d), 6),
            _ => return None,
        };
        self.at = self.at.wrapping_add(header);
        Some(i64::from(number))
    }

    /// The bytes between the type byte and the line's end, once they are all there, and where the next line begins.
    #[inline]
    fn line<'b>(&mut self, buf: &'b [u8], too_big: ProtocolError) -> Result<Option<(&'b [u8], usize)>, ProtocolError> {
        let rest = &buf[self.at + 1..];
        // A header is short: look for its end by hand before calling for help.
        let near = rest.iter().take(12).position(|b| *b == b'\r');
        let end = match near.or_else(|| self.search(b'\r', buf, self.at + 1)) {
            // The LF has to be there too.
            Some(end) if end + 1 < rest.len() => end,
            found => {
                if found.unwrap_or(rest.len()) >= INLINE_LIMIT {
                    return Err(too_big);
                }
                return Ok(None);
            }
        };
        Ok(Some((&rest[..end], self.at + end + 3)))
    }

    /// Where the first such byte is, from `from` on, without another look at what has been searched.
    fn search(&mut self, byte: u8, buf: &[u8], from: usize) -> Option<usize> {
        let start = self.searched.max(from);
        match memchr(byte, buf.get(start..)?) {
            Some(found) => {
                self.searched = start + found;
                Some(self.searched - from)
            }
            None => {
                self.searched = buf.len();
                None
            }
        }
    }

    /// Parses arguments until the request is whole (`true`) or the bytes run out (`false`).
    #[inline]
    fn bulks(&mut self, buf: &[u8], limits: RequestLimits, fills: bool) -> Result<bool, ProtocolError> {
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
                            if self.search(b'\r', buf, self.at).is_none() {
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
                            let Some((len, next)) = self.line(buf, ProtocolError::BulkCountTooBig)? else { return Ok(false) };
                            let len = decimal(len).filter(|l| (0..=limits.bulk_max).contains(l)).ok_or(ProtocolError::InvalidBulkLength)?;
                            if len > UNAUTHENTICATED_BULK && !limits.authenticated {
                                return Err(ProtocolError::UnauthenticatedBulk);
                            }
                            self.at = next;
                            len as usize
                        }
                    }
                }
            };
            // No length is over `i64::MAX`.
            let with_end = len.wrapping_add(2);
            if buf.len().wrapping_sub(self.at) >= with_end {
                self.args.push(Arg::at(self.at, len));
                self.at = self.at.wrapping_add(with_end);
            } else {
                self.bulk = Some(len);
                if len >= BIG_ARG && fills {
                    self.filling = Some(Filling::new(len + 2, &buf[self.at..]));
                    self.at = buf.len();
                }
                return Ok(false);
            }
            self.bulk = None;
            self.missing = self.missing.wrapping_sub(1);
        }
        Ok(true)
    }

    /// Parses an inline request; `false` when its line is not all there.
    fn inline(&mut self, buf: &[u8]) -> Result<bool, ProtocolError> {
        let rest = &buf[self.at..];
        let Some(end) = self.search(b'\n', buf, self.at) else {
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
            self.push_own(Bytes::from(word));
        }
        self.finish(false);
        Ok(true)
    }

    /// The whole requests that are not done with.
    #[inline]
    pub fn requests(&self) -> usize {
        self.requests.len() - self.done
    }

    /// Request `i` of those.
    #[inline]
    pub fn request(&self, i: usize) -> Request {
        self.requests[self.done + i]
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

    /// Whether it is as a new one is: there is no request that it has begun or that has not been done.
    #[inline]
    pub fn is_at_start(&self) -> bool {
        self.missing == 0 && self.at == 0 && self.searched == 0 && self.requests.is_empty()
    }

    /// Says that the next `done` requests have been executed. Returns how many bytes of the buffer are no longer needed, which are to be taken away in
    /// front of it: as long as there are requests left to do, none.
    ///
    /// It costs nothing that grows with a request that is not all there, but for what came of that since the last call.
    pub fn rebase(&mut self, done: usize) -> usize {
        self.done += done;
        if self.done < self.requests.len() {
            return 0;
        }
        self.requests.clear();
        self.done = 0;
        let cut = if self.missing == 0 {
            self.args.clear();
            self.own.clear();
            self.own_bytes = 0;
            self.at
        } else {
            self.rebase_partial()
        };
        self.at -= cut;
        // A place in front of what has been understood says nothing.
        self.searched = self.searched.saturating_sub(cut);
        cut
    }

    /// Moves what is there of a request to the front. Where it is there already, nothing is done, however many arguments it has.
    fn rebase_partial(&mut self) -> usize {
        let (cut, first) = (std::mem::take(&mut self.begin), std::mem::take(&mut self.first) as usize);
        if cut == 0 && first == 0 {
            return 0;
        }
        // Buffers were pushed in the order of the arguments that name them.
        let own = if self.own.is_empty() { 0 } else { self.args[..first].iter().filter(|a| a.is_own()).count() };
        self.own_bytes -= self.own.drain(..own).map(|bytes| bytes.len()).sum::<usize>();
        self.args.drain(..first);
        for arg in &mut self.args {
            *arg = match arg.is_own() {
                true => Arg::own(arg.len as usize - own),
                false => Arg::at(arg.start as usize - cut, arg.len as usize),
            };
        }
        cut
    }

    /// Where the next bytes of input may be read to directly: the room that a big argument's own buffer still has, or a part of it. `None` when none
    /// is being filled, and never empty.
    ///
    /// Tell how many bytes came with [`Parser::filled`].
    pub fn fill_target(&mut self) -> Option<&mut [u8]> {
        self.filling.as_mut().map(Filling::room)
    }

    /// Whether a big argument's own buffer is being filled.
    #[inline]
    pub fn is_filling(&self) -> bool {
        self.filling.is_some()
    }

    /// Takes bytes that did not come straight into a big argument's buffer, as far as they belong there. Returns how many do.
    pub fn fill(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while taken < bytes.len()
            && let Some(room) = self.fill_target()
        {
            let n = room.len().min(bytes.len() - taken);
            room[..n].copy_from_slice(&bytes[taken..taken + n]);
            self.filled(n);
            taken += n;
        }
        taken
    }

    /// Says that `n` more bytes are in the big argument's buffer; takes it as an argument when that is all.
    pub fn filled(&mut self, n: usize) {
        let Some(filling) = self.filling.as_mut() else { return };
        filling.fill(n);
        if filling.missing() > 0 {
            return;
        }
        let Some(filling) = self.filling.take() else { return };
        self.push_own(filling.finish());
        self.bulk = None;
        self.missing -= 1;
        if self.missing == 0 {
            self.finish(false);
        }
    }

    /// Bytes of input that it holds itself: big arguments.
    pub fn own_bytes(&self) -> usize {
        self.own_bytes + self.filling.as_ref().map_or(0, Filling::len)
    }

    /// Bytes of memory it holds on to beside the input buffer: what is in both is not counted.
    pub fn memory(&self) -> usize {
        self.args.capacity() * size_of::<Arg>()
            + self.own.capacity() * size_of::<Bytes>()
            + self.own_bytes
            + self.filling.as_ref().map_or(0, |filling| filling.capacity() - filling.begun())
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
