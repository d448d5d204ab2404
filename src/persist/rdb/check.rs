//! Is an RDB file sane? A reader of its bytes that says what redis-check-rdb says, to the letter where that is no line number of its source.

use super::{
    decode::{Checksum, DecodeOptions, Decoder, RdbEvent},
    format::{Family, VERSION_WITH_CHECKSUM, types},
    input::{RdbError, Reason},
    outline::{Counts, Doing, Outline},
};
use crate::{data::number::until_nul, resp::request::InputBuffer};

/// Bytes of the signature.
const SIGNATURE: usize = 9;

/// Bytes of a line's text that Redis shows.
const LINE_MAX: usize = 1023;

const END_TOO_EARLY: &str = "Unexpected EOF reading RDB file";

/// What redis-check-rdb calls the types, by their number.
const TYPE_NAMES: [&str; 26] = [
    "string",
    "list-linked",
    "set-hashtable",
    "zset-v1",
    "hash-hashtable",
    "zset-v2",
    "module-value",
    "",
    "",
    "hash-zipmap",
    "list-ziplist",
    "set-intset",
    "zset-ziplist",
    "hash-ziplist",
    "quicklist",
    "stream",
    "hash-listpack",
    "zset-listpack",
    "quicklist-v2",
    "stream-v2",
    "set-listpack",
    "stream-v3",
    "hash-hashtable-md-pre-release",
    "hash-listpack-md-pre-release",
    "hash-hashtable-md",
    "hash-listpack-md",
];

/// It is not sane. Why has been said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Insane;

/// A check of a file, piece by piece. What it has to say is [taken](RdbCheck::take_text) from time to time.
pub struct RdbCheck {
    now_ms: i64,
    /// The first bytes, until there are enough of them for a signature.
    signature: Vec<u8>,
    version: u32,
    decoder: Decoder,
    outline: Option<Outline>,
    /// What the outline has not followed: it keeps up with the decoder.
    ahead: InputBuffer,
    /// Bytes that the outline was fed.
    followed: u64,
    /// More is announced than there is: only the outline goes on, to its end.
    is_too_short: bool,
    done: bool,
    text: Vec<u8>,
}

impl RdbCheck {
    /// For a file of this name and size, in bytes. A stream may end before the file does. `now_ms` decides which deadlines are over.
    pub fn new(name: &[u8], size: u64, now_ms: i64) -> Self {
        let mut check = Self {
            now_ms,
            signature: Vec::new(),
            version: 0,
            decoder: Decoder::new(DecodeOptions { size: Some(size), ..DecodeOptions::default() }),
            outline: None,
            ahead: InputBuffer::default(),
            followed: 0,
            is_too_short: false,
            done: false,
            text: Vec::new(),
        };
        check.line(0, &[b"Checking RDB file ", name].concat());
        check
    }

    /// Takes the next bytes of the file, some tens of KiB at most. Whether its end has been found; then [`RdbCheck::rest`] is what is behind it.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Result<bool, Insane> {
        if self.outline.is_none() {
            let (head, rest) = bytes.split_at(bytes.len().min(SIGNATURE - self.signature.len()));
            self.signature.extend_from_slice(head);
            bytes = rest;
            if self.signature.len() < SIGNATURE {
                return Ok(false);
            }
            self.signed()?;
        }
        if self.is_too_short {
            self.follow(bytes);
            return Ok(false);
        }
        self.decoder.feed(bytes);
        self.ahead.extend(bytes);
        self.decode()?;
        Ok(self.done)
    }

    /// There are no more bytes.
    pub fn end(&mut self) -> Result<(), Insane> {
        if self.done {
            return Ok(());
        }
        self.keep_up(u64::MAX);
        self.settle();
        Err(self.refuse(END_TOO_EARLY.as_bytes()))
    }

    /// What there is to say.
    pub fn take_text(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.text)
    }

    /// What was fed and stands behind the end.
    pub fn rest(&self) -> &[u8] {
        self.decoder.rest()
    }

    /// Bytes up to the end, once it has been found.
    pub fn offset(&self) -> u64 {
        self.decoder.offset()
    }

    fn signed(&mut self) -> Result<(), Insane> {
        let signature = std::mem::take(&mut self.signature);
        let family = if signature.starts_with(Family::Valkey.name().as_bytes()) { Family::Valkey } else { Family::Redis };
        if !signature.starts_with(family.name().as_bytes()) {
            return Err(self.refuse_at(SIGNATURE as u64, b"Wrong signature trying to load DB from file"));
        }
        let digits = &signature[family.name().len()..];
        let known = digits.iter().all(u8::is_ascii_digit);
        let digits = digits.iter().take_while(|digit| digit.is_ascii_digit());
        self.version = digits.fold(0, |version, digit| version * 10 + u32::from(digit - b'0'));
        if !known || !family.knows(self.version) {
            let text = format!("Can't handle RDB format version {}", self.version);
            return Err(self.refuse_at(SIGNATURE as u64, text.as_bytes()));
        }
        self.outline = Some(Outline::new(family, SIGNATURE as u64, self.now_ms));
        self.followed = SIGNATURE as u64;
        self.decoder.feed(&signature);
        self.decode()
    }

    fn decode(&mut self) -> Result<(), Insane> {
        loop {
            let line = match self.decoder.next() {
                Err(error) => return self.refused(&error),
                Ok(None) => {
                    self.keep_up(self.decoder.offset());
                    return Ok(());
                }
                Ok(Some(RdbEvent::Empty(_))) => {
                    // Redis leaves the key out of a database, and does not go on here.
                    self.keep_up(self.decoder.offset());
                    return Err(self.refuse(END_TOO_EARLY.as_bytes()));
                }
                Ok(Some(RdbEvent::Aux { name, value })) => Some([b"AUX FIELD ", until_nul(name), b" = '", until_nul(value), b"'"].concat()),
                Ok(Some(RdbEvent::SelectDb(index))) => Some(format!("Selecting DB ID {index}").into_bytes()),
                Ok(Some(RdbEvent::ModuleAux(name))) => Some([b"MODULE AUX for: ", &name[..]].concat()),
                Ok(Some(RdbEvent::End(checksum))) => {
                    self.ended(checksum);
                    return Ok(());
                }
                Ok(Some(_)) => None,
            };
            let offset = self.decoder.offset();
            self.keep_up(offset);
            if let Some(line) = line {
                self.line(offset, &line);
            }
        }
    }

    fn ended(&mut self, checksum: Checksum) {
        let offset = self.decoder.offset();
        self.keep_up(offset);
        self.done = true;
        match checksum {
            Checksum::Verified => self.line(offset, b"Checksum OK"),
            _ if self.version < VERSION_WITH_CHECKSUM => (),
            Checksum::Absent | Checksum::Ignored => {
                self.line(offset, b"RDB file was saved with checksum disabled: no check performed.");
            }
        }
        self.line(offset, br"\o/ RDB looks OK! \o/");
        self.counts();
    }

    /// The decoder refuses what comes next.
    fn refused(&mut self, error: &RdbError) -> Result<(), Insane> {
        let text = match &error.reason {
            Reason::TooLong { .. } => {
                // Redis reads what there is, up to the end.
                self.is_too_short = true;
                self.keep_up(u64::MAX);
                return Ok(());
            }
            Reason::Opcode(code) => {
                self.keep_up(error.offset + 1);
                format!("Invalid object type: {code}")
            }
            Reason::Checksum { .. } => {
                self.keep_up(error.offset + 8);
                "RDB CRC error".to_owned()
            }
            reason => {
                self.keep_up(self.decoder.offset());
                self.settle();
                reason.to_string()
            }
        };
        Err(self.refuse(text.as_bytes()))
    }

    /// Has the outline follow up to an offset.
    fn keep_up(&mut self, offset: u64) {
        let bytes = usize::try_from(offset.saturating_sub(self.followed)).unwrap_or(usize::MAX).min(self.ahead.len());
        if let Some(outline) = &mut self.outline {
            outline.feed(&self.ahead.bytes()[..bytes]);
        }
        self.ahead.consume(bytes);
        self.followed += bytes as u64;
    }

    fn follow(&mut self, bytes: &[u8]) {
        self.followed += bytes.len() as u64;
        if let Some(outline) = &mut self.outline {
            outline.feed(bytes);
        }
    }

    fn settle(&mut self) {
        if let Some(outline) = &mut self.outline {
            outline.settle();
        }
    }

    fn refuse(&mut self, text: &[u8]) -> Insane {
        let known = self.outline.as_ref().filter(|outline| !outline.is_lost() || outline.offset() == self.followed);
        let offset = known.map_or(if self.outline.is_some() { self.followed } else { 0 }, Outline::offset);
        self.refuse_at(offset, text)
    }

    #[cold]
    fn refuse_at(&mut self, offset: u64, text: &[u8]) -> Insane {
        let outline = self.outline.as_ref();
        let doing = outline.map_or(Doing::Start, Outline::doing);
        let key = outline.and_then(Outline::key).map(<[u8]>::to_vec);
        let code = outline.map_or(Some(types::STRING), Outline::code);
        self.text.extend_from_slice(b"--- RDB ERROR DETECTED ---\n");
        self.line(offset, text);
        self.text.extend_from_slice(format!("[additional info] While doing: {}\n", doing.name()).as_bytes());
        if let Some(key) = key {
            self.text.extend_from_slice(b"[additional info] Reading key '");
            self.text.extend_from_slice(until_nul(&key));
            self.text.extend_from_slice(b"'\n");
        }
        if let Some(code) = code {
            let name = TYPE_NAMES.get(usize::from(code)).unwrap_or(&"unknown");
            self.text.extend_from_slice(format!("[additional info] Reading type {code} ({name})\n").as_bytes());
        }
        self.counts();
        Insane
    }

    fn line(&mut self, offset: u64, text: &[u8]) {
        self.text.extend_from_slice(format!("[offset {offset}] ").as_bytes());
        self.text.extend_from_slice(&text[..text.len().min(LINE_MAX)]);
        self.text.push(b'\n');
    }

    fn counts(&mut self) {
        let Counts { keys, expires, expired } = self.outline.as_ref().map(Outline::counts).unwrap_or_default();
        self.text
            .extend_from_slice(format!("[info] {keys} keys read\n[info] {expires} expires\n[info] {expired} already expired\n").as_bytes());
    }
}
