//! Is an append-only file whole? A scanner of its commands that says what redis-check-aof says, to the letter, whatever the bytes are.
//!
//! It keeps a line and counters, however long the file is and whatever it announces.

use super::annotations;
use crate::data::number;

/// Bytes of a line that says a number. What is longer is no such line.
const NUMBER_LINE_MAX: usize = 127;

/// Bytes of a command's name that are looked at, and one more, so that a longer name is none of those that are looked for.
const NAME_MAX: usize = 6;

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// A command or an annotation.
    Record,
    Annotation,
    /// The line with the number of arguments.
    Count,
    /// The line with the length of an argument, with so many to come.
    Length {
        left: i64,
    },
    /// An argument, of which so many bytes are to come with its line end, and so many arguments behind it.
    Argument {
        missing: u64,
        len: u64,
        left: i64,
    },
}

/// Why the scan is over before the bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// What comes is neither a command nor an annotation.
    Format,
    /// A command is broken: [`Scan::error`] says how.
    Broken,
    /// What follows was logged later than the time that was asked for.
    Later {
        /// The place of the line that says so.
        at: u64,
        /// What it says.
        unix_seconds: i64,
    },
    /// An annotation says a time that is none.
    NoTime,
}

/// A scan of a file, piece by piece.
pub struct Scan<'a> {
    /// The file's name, as errors have it.
    path: &'a [u8],
    /// The second after which nothing is wanted any more.
    until: Option<i64>,
    expected: Expected,
    /// Bytes taken.
    offset: u64,
    /// Everything in front of here is whole.
    whole: u64,
    /// Where what was looked at last begins.
    last: u64,
    /// Lines that have ended, from 1 on.
    lines: u64,
    /// Transactions begun and not ended: none, or one.
    multi: i32,
    line: Vec<u8>,
    /// The first bytes of an argument, as far as they matter, and its last two.
    name: Vec<u8>,
    tail: [u8; 2],
    is_first: bool,
    error: Option<Vec<u8>>,
    times: Option<(i64, i64)>,
}

impl<'a> Scan<'a> {
    /// For a file of this name, whose commands begin at `offset`. Lines are counted on from `lines`, which is 1 for the first file. With a time, the
    /// scan ends where what follows was logged later.
    pub fn new(path: &'a [u8], offset: u64, lines: u64, until: Option<i64>) -> Self {
        Self {
            path,
            until,
            expected: Expected::Record,
            offset,
            whole: offset,
            last: 0,
            lines,
            multi: 0,
            line: Vec::new(),
            name: Vec::new(),
            tail: [0; 2],
            is_first: false,
            error: None,
            times: None,
        }
    }

    /// Takes the next bytes. After a stop nothing more is to be fed.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Result<(), Stop> {
        while let [first, ..] = *bytes {
            let taken = match self.expected {
                Expected::Record => {
                    self.begin(first)?;
                    0
                }
                Expected::Argument { missing, len, left } => {
                    let part = &bytes[..bytes.len().min(usize::try_from(missing).unwrap_or(usize::MAX))];
                    self.argument(part, missing, len, left)?;
                    part.len()
                }
                Expected::Annotation => self.line(bytes, annotations::LINE_MAX)?,
                Expected::Count | Expected::Length { .. } => self.line(bytes, NUMBER_LINE_MAX)?,
            };
            bytes = &bytes[taken..];
            self.is_whole_here();
        }
        Ok(())
    }

    /// There are no more bytes.
    pub fn end(&mut self) -> Result<(), Stop> {
        if !self.line.is_empty() {
            self.line_done()?;
        }
        match self.expected {
            Expected::Argument { missing, len, .. } => {
                let got = len - missing;
                return Err(self.broken(format!("Expected to read {len} bytes, got {got} bytes")));
            }
            Expected::Count | Expected::Length { .. } => {
                self.last = self.offset;
                if self.multi == 0 {
                    return Err(Stop::Broken);
                }
            }
            Expected::Record | Expected::Annotation => self.is_whole_here(),
        }
        if self.multi != 0 {
            return Err(self.broken("Reached EOF before reading EXEC for MULTI"));
        }
        Ok(())
    }

    /// The place up to which everything is whole, and no transaction is open.
    pub fn whole(&self) -> u64 {
        self.whole
    }

    /// The number of the line that the scan is in.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// What is wrong and where, if that is known.
    pub fn error(&self) -> Option<&[u8]> {
        self.error.as_deref()
    }

    /// The first and the last time that annotations have said. Without a time to end at, they are not read.
    pub fn times(&self) -> Option<(i64, i64)> {
        self.times
    }

    #[cold]
    fn broken(&mut self, reason: impl AsRef<[u8]>) -> Stop {
        // A zero ends a text in C.
        let reason = number::until_nul(reason.as_ref());
        self.error = Some([format!("0x{:16x}: ", self.last).as_bytes(), reason].concat());
        Stop::Broken
    }

    fn is_whole_here(&mut self) {
        if self.expected == Expected::Record && self.multi == 0 {
            self.whole = self.offset;
        }
    }

    fn begin(&mut self, first: u8) -> Result<(), Stop> {
        self.expected = match first {
            annotations::MARK => Expected::Annotation,
            b'*' => Expected::Count,
            _ => return Err(Stop::Format),
        };
        Ok(())
    }

    /// Takes bytes of a line of which at most `max` are looked at together. Returns how many.
    fn line(&mut self, bytes: &[u8], max: usize) -> Result<usize, Stop> {
        let room = &bytes[..bytes.len().min(max - self.line.len())];
        let end = memchr::memchr(b'\n', room).map(|end| end + 1);
        let part = &room[..end.unwrap_or(room.len())];
        self.line.extend_from_slice(part);
        self.offset += part.len() as u64;
        if end.is_some() || self.line.len() == max {
            self.line_done()?;
        }
        Ok(part.len())
    }

    fn line_done(&mut self) -> Result<(), Stop> {
        let line = std::mem::take(&mut self.line);
        self.last = self.offset - line.len() as u64;
        let done = match self.expected {
            Expected::Annotation => self.annotation(&line),
            Expected::Count => self.number(&line, b'*').map(|count| self.next_argument(count, true)),
            Expected::Length { left } => self.length(&line, left),
            Expected::Record | Expected::Argument { .. } => Ok(()),
        };
        self.line = line;
        self.line.clear();
        done
    }

    fn annotation(&mut self, line: &[u8]) -> Result<(), Stop> {
        self.expected = Expected::Record;
        let (Some(until), Some(text)) = (self.until, annotations::timestamp_text(line)) else { return Ok(()) };
        let (unix_seconds, rest, fits) = leading_number(text);
        if !fits || rest.first() != Some(&b'\r') {
            return Err(Stop::NoTime);
        }
        if unix_seconds > until {
            return Err(Stop::Later { at: self.last, unix_seconds });
        }
        self.times = Some((self.times.map_or(unix_seconds, |(first, _)| first), unix_seconds));
        Ok(())
    }

    /// Reads the number on a line that has to begin with `prefix`.
    fn number(&mut self, line: &[u8], prefix: u8) -> Result<i64, Stop> {
        if line.first() != Some(&prefix) {
            let found = line.first().copied().unwrap_or_default();
            return Err(self.broken([b"Expected prefix '", &[prefix][..], b"', got: '", &[found], b"'"].concat()));
        }
        let (number, rest, _) = leading_number(&line[1..]);
        // Behind a line that has been torn off there are zeros.
        let behind = [0, 1].map(|at| rest.get(at).copied().unwrap_or_default());
        self.line_end(behind)?;
        Ok(number)
    }

    /// Two bytes have to be a line's end.
    fn line_end(&mut self, found: [u8; 2]) -> Result<(), Stop> {
        if found == *b"\r\n" {
            self.lines += 1;
            return Ok(());
        }
        // A byte is a number with a sign where Redis prints it.
        let [a, b] = found.map(|byte| i32::from(byte.cast_signed()));
        Err(self.broken(format!("Expected \\r\\n, got: {a:02x}{b:02x}")))
    }

    fn next_argument(&mut self, left: i64, is_first: bool) {
        self.is_first = is_first;
        self.expected = if left > 0 { Expected::Length { left } } else { Expected::Record };
    }

    fn length(&mut self, line: &[u8], left: i64) -> Result<(), Stop> {
        let len = self.number(line, b'$')?;
        let Some(len) = u64::try_from(len).ok().filter(|len| *len <= i64::MAX as u64 - 2) else {
            return Err(self.broken(format!("Expected to read string of {len} bytes, which is not in the suitable range")));
        };
        let len = len + 2;
        self.last = self.offset;
        self.name.clear();
        self.expected = Expected::Argument { missing: len, len, left };
        Ok(())
    }

    fn argument(&mut self, part: &[u8], missing: u64, len: u64, left: i64) -> Result<(), Stop> {
        if self.is_first {
            let room = NAME_MAX - self.name.len();
            self.name.extend_from_slice(&part[..part.len().min(room)]);
        }
        match part {
            [.., a, b] => self.tail = [*a, *b],
            [b] => self.tail = [self.tail[1], *b],
            [] => (),
        }
        self.offset += part.len() as u64;
        let missing = missing - part.len() as u64;
        if missing > 0 {
            self.expected = Expected::Argument { missing, len, left };
            return Ok(());
        }
        self.line_end(self.tail)?;
        if self.is_first {
            self.transaction(len - 2)?;
        }
        self.next_argument(left - 1, false);
        Ok(())
    }

    /// Takes note of a command that begins or ends a transaction.
    fn transaction(&mut self, len: u64) -> Result<(), Stop> {
        let name = &self.name[..self.name.len().min(usize::try_from(len).unwrap_or(usize::MAX))];
        let name = number::until_nul(name).to_ascii_lowercase();
        let (step, is_wrong) = match &*name {
            b"multi" => (1, self.multi != 0),
            b"exec" => (-1, self.multi != 1),
            _ => return Ok(()),
        };
        self.multi += step;
        if is_wrong {
            let what = if step > 0 { "MULTI" } else { "EXEC" };
            return Err(self.broken([b"Unexpected ", what.as_bytes(), b" in AOF ", self.path].concat()));
        }
        Ok(())
    }
}

/// The number that a text begins with, what is behind it, and whether it fits, as C's `strtol` reads it.
pub fn leading_number(text: &[u8]) -> (i64, &[u8], bool) {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let start = text.iter().position(|byte| !is_blank(byte)).unwrap_or(text.len());
    let (negative, digits_at) = match text.get(start) {
        Some(b'-') => (true, start + 1),
        Some(b'+') => (false, start + 1),
        _ => (false, start),
    };
    let digits = text[digits_at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 {
        return (0, text, true);
    }
    let (mut number, mut fits) = (0i64, true);
    for digit in &text[digits_at..digits_at + digits] {
        let digit = i64::from(digit - b'0');
        let next = number.checked_mul(10).and_then(|n| if negative { n.checked_sub(digit) } else { n.checked_add(digit) });
        fits &= next.is_some();
        number = next.unwrap_or(if negative { i64::MIN } else { i64::MAX });
    }
    (number, &text[digits_at + digits..], fits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// How a scan ends, up to where all is whole, the line, what is wrong, and the times.
    type Scanned = (Result<(), Stop>, u64, u64, Option<Vec<u8>>, Option<(i64, i64)>);

    fn scanned(pieces: &[&[u8]], until: Option<i64>) -> Scanned {
        let mut scan = Scan::new(b"f.aof", 0, 1, until);
        let fed = pieces.iter().try_for_each(|piece| scan.feed(piece));
        let end = fed.and_then(|()| scan.end());
        (end, scan.whole(), scan.lines(), scan.error().map(<[u8]>::to_vec), scan.times())
    }

    const FILE: &[u8] = b"#TS:10\r\n*1\r\n$5\r\nMULTI\r\n*2\r\n$3\r\nDEL\r\n$0\r\n\r\n*1\r\n$4\r\nEXEC\r\n#TS:12\r\n*1\r\n$4\r\nPING\r\n";

    #[test]
    fn what_is_whole_ends_behind_a_command_or_a_transaction() {
        let ends: Vec<usize> = [0, 8, FILE.len() - 22, FILE.len() - 14, FILE.len()].into();
        for end in 0..=FILE.len() {
            let (_, whole, ..) = scanned(&[&FILE[..end]], None);
            let last = ends.iter().rfind(|place| **place <= end).copied().unwrap_or_default();
            // An annotation that is torn is one all the same.
            let torn = FILE[last..end].starts_with(b"#");
            assert_eq!(whole as usize, if torn { end } else { last }, "{end}");
        }
    }

    #[test]
    fn a_scan_ends_where_what_follows_is_later() {
        assert_eq!(scanned(&[FILE], Some(11)).0, Err(Stop::Later { at: FILE.len() as u64 - 22, unix_seconds: 12 }));
        assert_eq!(scanned(&[FILE], Some(9)).0, Err(Stop::Later { at: 0, unix_seconds: 10 }));
        assert_eq!(scanned(&[FILE], Some(12)).4, Some((10, 12)));
        assert_eq!(scanned(&[b"#TS:1x\r\n"], Some(12)).0, Err(Stop::NoTime));
    }

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        for (text, expected) in [
            (&b"12\r\n"[..], (12, &b"\r\n"[..], true)),
            (b" \t-7x", (-7, b"x", true)),
            (b"+9223372036854775807", (i64::MAX, b"", true)),
            (b"9223372036854775808;", (i64::MAX, b";", false)),
            (b"-9223372036854775808", (i64::MIN, b"", true)),
            (b"-9223372036854775809", (i64::MIN, b"", false)),
            (b"\r\n", (0, b"\r\n", true)),
            (b"-", (0, b"-", true)),
            (b"", (0, b"", true)),
        ] {
            assert_eq!(leading_number(text), expected, "{}", text.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same(
            damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
            until in prop::option::of(9..13i64),
        ) {
            let mut file = FILE.to_vec();
            for (at, byte) in damage {
                let at = at.index(file.len());
                file[at] = byte;
            }
            let mut at: Vec<usize> = cuts.into_iter().map(|cut| cut.index(file.len())).chain([0, file.len()]).collect();
            at.sort_unstable();
            let pieces: Vec<&[u8]> = at.windows(2).map(|pair| &file[pair[0]..pair[1]]).collect();
            prop_assert_eq!(scanned(&pieces, until), scanned(&[&file], until));
        }
    }
}
