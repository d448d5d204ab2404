//! The arguments of a request: where they lie in the input while that is there, and a copy of them for later.

use super::limits::BIG_ARG;
use bytes::Bytes;

/// One argument: a range of the input buffer, or the index of a buffer of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arg {
    pub(super) start: u32,
    pub(super) len: u32,
}

impl Arg {
    /// An argument in the input.
    #[inline(always)]
    pub(super) fn at(start: usize, len: usize) -> Self {
        debug_assert!(start + len < OWN_BUFFER as usize);
        Self { start: start as u32, len: len as u32 }
    }

    /// The argument in buffer `index` of those that hold one each.
    #[inline]
    pub(super) fn own(index: usize) -> Self {
        Self { start: OWN_BUFFER, len: index as u32 }
    }

    /// Whether it is in a buffer of its own.
    #[inline(always)]
    pub(super) fn is_own(self) -> bool {
        self.start == OWN_BUFFER
    }
}

/// What stands for the start of an argument that has a buffer of its own. No place in the input has this number.
const OWN_BUFFER: u32 = u32::MAX;

/// A whole request: which of the batch's arguments are its own.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    pub(super) first: u32,
    pub(super) count: u32,
    /// Input bytes up to its end.
    pub(super) end: u32,
    pub(super) begins_alike: bool,
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

/// Bytes of the header of an argument that is in the input: a letter, digits, and a line end.
#[inline(always)]
fn header_len(len: u32) -> usize {
    let digits = match len {
        0..10 => 1,
        10..100 => 2,
        100..1000 => 3,
        1000..10_000 => 4,
        _ => len.ilog10() as usize + 1,
    };
    digits + 3
}

/// The arguments of one request.
#[derive(Clone, Copy)]
pub struct Args<'a> {
    pub(super) buf: &'a [u8],
    pub(super) args: &'a [Arg],
    pub(super) own: &'a [Bytes],
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
        if arg.is_own() {
            return self.own.get(arg.len as usize).map_or(&[], |b| b);
        }
        let start = arg.start as usize;
        // Both are 32 bits wide.
        self.buf.get(start..start.wrapping_add(arg.len as usize)).unwrap_or_default()
    }

    /// Argument `i` to keep: without a copy where it came in a buffer of its own.
    pub fn to_bytes(&self, i: usize) -> Bytes {
        match self.args.get(i) {
            Some(arg) if arg.is_own() => self.own.get(arg.len as usize).cloned().unwrap_or_default(),
            _ => Bytes::copy_from_slice(self.get(i)),
        }
    }

    /// All of them as they came, each with its header in front and a line end behind it, where that is exactly how they are encoded. So one copy will do.
    #[inline]
    pub fn encoded(&self) -> Option<&'a [u8]> {
        let first = self.args.first().filter(|arg| !arg.is_own())?;
        let begin = (first.start as usize).checked_sub(header_len(first.len))?;
        let (mut at, mut is_encoded) = (begin, true);
        for arg in self.args {
            let start = at + header_len(arg.len);
            let end = start + arg.len as usize;
            // A header may have more digits than it needs, and what stands where a line ends is not looked at when it comes. One with a buffer of its own
            // has no place that fits.
            is_encoded &= arg.start as usize == start
                && self.buf.get(at) == Some(&b'$')
                && self.buf.get(start - 2..start) == Some(b"\r\n")
                && self.buf.get(end..end + 2) == Some(b"\r\n");
            at = end + 2;
        }
        self.buf.get(begin..at).filter(|_| is_encoded)
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

    /// The first `count` of them.
    pub fn take(&self, count: usize) -> Args<'a> {
        Args { args: self.args.get(..count).unwrap_or(self.args), ..*self }
    }
}

/// Bytes of small arguments that an [`OwnedArgs`] keeps in one buffer, so that any place in it has 32 bits. What is more gets buffers of its own.
const SMALL_ARGS_MAX: usize = 1 << 31;

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
            match args.args[i].is_own() {
                true => owned.push_shared(args.to_bytes(i)),
                false => owned.push(args.get(i)),
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

    /// Takes all arguments away; the room for small ones stays.
    pub fn clear(&mut self) {
        self.buf.clear();
        self.args.clear();
        // As a rule there is none, which needs no call.
        if !self.own.is_empty() {
            self.own.clear();
        }
    }

    /// Gives back room that was needed once; no argument is left.
    pub fn give_back_room(&mut self) {
        /// Bytes, and arguments, that are kept room for.
        const KEPT: usize = 4096;
        self.clear();
        self.buf.shrink_to(KEPT);
        self.args.shrink_to(KEPT);
        self.own.shrink_to(KEPT);
    }

    /// Adds an argument.
    pub fn push(&mut self, arg: &[u8]) {
        if arg.len() >= BIG_ARG || self.buf.len() + arg.len() > SMALL_ARGS_MAX {
            return self.push_shared(Bytes::copy_from_slice(arg));
        }
        self.args.push(Arg::at(self.buf.len(), arg.len()));
        self.buf.extend_from_slice(arg);
    }

    /// Adds an argument that is shared rather than copied.
    pub fn push_shared(&mut self, arg: Bytes) {
        self.args.push(Arg::own(self.own.len()));
        self.own.push(arg);
    }

    /// Borrows it as a command's arguments.
    pub fn args(&self) -> Args<'_> {
        Args { buf: &self.buf, args: &self.args, own: &self.own }
    }

    /// Bytes of its arguments.
    pub fn bytes(&self) -> usize {
        self.buf.len() + self.own.iter().map(Bytes::len).sum::<usize>()
    }

    /// Bytes it holds on to.
    pub fn memory(&self) -> usize {
        self.buf.capacity() + self.args.capacity() * size_of::<Arg>() + self.own.iter().map(Bytes::len).sum::<usize>()
    }
}
