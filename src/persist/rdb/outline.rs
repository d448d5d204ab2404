//! The outline of a stream: where each of its smallest parts ends, and what it belongs to, without making sense of it. It says of a stream that ends
//! too early what Redis was doing when it ended, whose reader takes these parts one by one.

use super::format::{Family, module_item, opcode, string_encoding, types};
use crate::data::{lzf, number};

/// Bytes of a key that are kept to be shown.
const KEY_MAX: usize = 64 * 1024;

/// What a stream is being read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// The signature.
    Start,
    /// What comes next.
    Type,
    /// A deadline.
    Expire,
    /// A key.
    Key,
    /// A value.
    Value,
    /// The checksum.
    Checksum,
    /// The number of a database or of keys.
    Length,
    /// A fact about the stream.
    Aux,
    /// Data of a module.
    ModuleAux,
    /// A library of functions.
    Functions,
}

impl Doing {
    /// As redis-check-rdb calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Type => "read-type",
            Self::Expire => "read-expire",
            Self::Key => "read-key",
            Self::Value => "read-object-value",
            Self::Checksum => "check-sum",
            Self::Length => "read-len",
            Self::Aux => "read-aux",
            Self::ModuleAux => "read-module-aux",
            Self::Functions => "read-functions",
        }
    }
}

/// Parts of a record.
#[derive(Clone, Copy)]
enum Part {
    /// From here on it is this that is read.
    Now(Doing),
    /// So many bytes.
    Raw(u64),
    /// A length.
    Number,
    /// A string.
    Text,
    /// A string that is the key.
    Key,
    /// A score in letters.
    Letters,
    /// A deadline of so many bytes: of 4 in seconds, of 8 in milliseconds.
    Deadline(u64),
    /// A length, and so many times these parts.
    Each(&'static [Part]),
    /// Items of a module's data up to the one that says that it ends.
    ModuleItems,
}

use Part::{Each, Letters, Number, Raw, Text};

/// What follows the first byte of a record that is no key; `None` when it cannot be told.
fn parts_of_record(code: u8) -> Option<&'static [Part]> {
    Some(match code {
        opcode::EXPIRETIME => &[Part::Now(Doing::Expire), Part::Deadline(4)],
        opcode::EXPIRETIME_MS => &[Part::Now(Doing::Expire), Part::Deadline(8)],
        opcode::FREQ => &[Raw(1)],
        opcode::IDLE => &[Number],
        opcode::SLOT_INFO => &[Number, Number, Number],
        opcode::SELECTDB => &[Part::Now(Doing::Length), Number],
        opcode::RESIZEDB => &[Part::Now(Doing::Length), Number, Number],
        opcode::AUX => &[Part::Now(Doing::Aux), Text, Text],
        opcode::FUNCTION2 => &[Part::Now(Doing::Functions), Text],
        opcode::MODULE_AUX => &[Part::Now(Doing::ModuleAux), Number, Number, Number, Part::ModuleItems],
        opcode::EOF => &[Part::Now(Doing::Checksum), Raw(8)],
        _ => return None,
    })
}

/// What a type's value consists of; `None` when that cannot be told.
fn parts_of(family: Family, code: u8) -> Option<&'static [Part]> {
    const OWNED: Part = Each(&[Raw(16)]);
    const PENDING: Part = Each(&[Raw(16), Raw(8), Number]);
    const NODES: Part = Each(&[Text, Text]);
    Some(match code {
        types::STRING
        | types::HASH_ZIPMAP
        | types::LIST_ZIPLIST
        | types::SET_INTSET
        | types::ZSET_ZIPLIST
        | types::HASH_ZIPLIST
        | types::HASH_LISTPACK
        | types::ZSET_LISTPACK
        | types::SET_LISTPACK => &[Text],
        types::LIST | types::SET | types::LIST_QUICKLIST => &[Each(&[Text])],
        types::ZSET => &[Each(&[Text, Letters])],
        types::ZSET_2 => &[Each(&[Text, Raw(8)])],
        types::HASH => &[Each(&[Text, Text])],
        types::LIST_QUICKLIST_2 => &[Each(&[Number, Text])],
        types::STREAM => &[NODES, Number, Number, Number, Each(&[Text, Number, Number, PENDING, Each(&[Text, Raw(8), OWNED])])],
        types::STREAM_2 => &[
            NODES,
            Number,
            Number,
            Number,
            Number,
            Number,
            Number,
            Number,
            Number,
            Each(&[Text, Number, Number, Number, PENDING, Each(&[Text, Raw(8), OWNED])]),
        ],
        types::STREAM_3 => &[
            NODES,
            Number,
            Number,
            Number,
            Number,
            Number,
            Number,
            Number,
            Number,
            Each(&[Text, Number, Number, Number, PENDING, Each(&[Text, Raw(8), Raw(8), OWNED])]),
        ],
        types::VALKEY_HASH_2 if family == Family::Valkey => &[Each(&[Text, Text, Raw(8)])],
        types::HASH_METADATA => &[Raw(8), Each(&[Number, Text, Text])],
        types::HASH_LISTPACK_EX => &[Raw(8), Text],
        _ => return None,
    })
}

/// Parts that are to come.
struct Frame {
    parts: &'static [Part],
    /// The next of them.
    at: usize,
    /// How many times all of them come again.
    again: u64,
}

/// What the bytes are that are read as one.
#[derive(Clone, Copy)]
enum Piece {
    /// What a record begins with.
    Type,
    /// The first byte of a length.
    Lead(Use),
    /// The rest of it, behind this byte.
    Rest(Use, u8),
    /// Bytes that mean nothing here.
    Skipped,
    /// The key, as it is, as a number, or compressed with the length that it has.
    Key(Form),
    /// The length of a score in letters.
    LettersLength,
    Deadline,
}

/// What a length is for.
#[derive(Clone, Copy)]
enum Use {
    Nothing,
    /// So many times these parts.
    Repeats(&'static [Part]),
    /// The kind of an item of a module's data.
    ModuleItem,
    /// So many bytes.
    Bytes {
        is_key: bool,
    },
    /// So many compressed bytes behind another length.
    Packed {
        is_key: bool,
    },
    /// That length, in front of so many bytes.
    Unpacked {
        is_key: bool,
        packed: u64,
    },
}

#[derive(Clone, Copy)]
enum Form {
    Plain,
    Int,
    Packed { len: u64 },
}

/// What has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Keys that have begun.
    pub keys: u64,
    /// Keys with a deadline that are whole.
    pub expires: u64,
    /// Those of them whose deadline is over.
    pub expired: u64,
}

/// Follows a stream.
pub struct Outline {
    family: Family,
    now_ms: i64,
    doing: Doing,
    /// Bytes of whole pieces.
    offset: u64,
    /// What is being read, how long it is, and how much of it has come.
    piece: Piece,
    length: u64,
    come: u64,
    /// Its first bytes.
    small: [u8; 8],
    frames: Vec<Frame>,
    key: Option<Vec<u8>>,
    /// The type of the value that is read; Redis begins with a string.
    code: Option<u8>,
    deadline_ms: Option<i64>,
    /// It can no longer be followed.
    lost: bool,
    counts: Counts,
}

impl Outline {
    /// Behind the signature of a stream. `now_ms` decides which deadlines are over.
    pub fn new(family: Family, signature_len: u64, now_ms: i64) -> Self {
        Self {
            family,
            now_ms,
            doing: Doing::Type,
            offset: signature_len,
            piece: Piece::Type,
            length: 1,
            come: 0,
            small: [0; 8],
            frames: Vec::new(),
            key: None,
            code: Some(types::STRING),
            deadline_ms: None,
            lost: false,
            counts: Counts::default(),
        }
    }

    /// Follows the next bytes.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.lost {
            self.settle();
            let missing = usize::try_from(self.length - self.come).unwrap_or(usize::MAX);
            let part = &bytes[..bytes.len().min(missing)];
            self.keep(part);
            self.come += part.len() as u64;
            bytes = &bytes[part.len()..];
            if self.come == self.length {
                self.piece_done();
            }
        }
    }

    /// Takes note that a record which is whole is done with. Before that its key and type can be asked for.
    pub fn settle(&mut self) {
        if !matches!(self.piece, Piece::Type) || self.come > 0 {
            return;
        }
        self.doing = Doing::Type;
        if self.key.take().is_some() {
            self.code = None;
            if let Some(deadline) = self.deadline_ms.take() {
                self.counts.expires += 1;
                self.counts.expired += u64::from(deadline < self.now_ms);
            }
        }
    }

    /// Whether it could not go on, since there was something that it does not know.
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// Bytes of the pieces that are whole.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// What is being read.
    pub fn doing(&self) -> Doing {
        self.doing
    }

    /// The key whose value is being read.
    pub fn key(&self) -> Option<&[u8]> {
        self.key.as_deref().filter(|_| self.doing == Doing::Value)
    }

    /// The type of the value that is being read.
    pub fn code(&self) -> Option<u8> {
        self.code
    }

    /// What has come so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn keep(&mut self, part: &[u8]) {
        let come = usize::try_from(self.come).unwrap_or(usize::MAX);
        if let Some(room) = self.small.get_mut(come..) {
            let kept = room.len().min(part.len());
            room[..kept].copy_from_slice(&part[..kept]);
        }
        if let (Piece::Key(_), Some(key)) = (self.piece, &mut self.key) {
            let room = KEY_MAX.saturating_sub(key.len());
            key.extend_from_slice(&part[..part.len().min(room)]);
        }
    }

    fn want(&mut self, piece: Piece, length: u64) {
        (self.piece, self.length, self.come) = (piece, length, 0);
        if length == 0 {
            self.piece_done();
        }
    }

    fn piece_done(&mut self) {
        self.offset += self.length;
        let small = self.small;
        match self.piece {
            Piece::Type => self.record(small[0]),
            Piece::Skipped => self.next(),
            Piece::Lead(what) => self.lead(what, small[0]),
            Piece::Rest(what, lead) => {
                let bytes = &small[..usize::try_from(self.length).unwrap_or(small.len()).min(small.len())];
                let number = bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
                let high = if lead < 0x80 { u64::from(lead & 0x3f) << 8 } else { 0 };
                self.number(what, high | number);
            }
            Piece::Key(form) => {
                self.key_done(form);
                self.doing = Doing::Value;
                self.counts.keys += 1;
                self.next();
            }
            Piece::LettersLength => {
                // The three highest stand for what is no number.
                let len = if small[0] >= 253 { 0 } else { u64::from(small[0]) };
                self.want(Piece::Skipped, len);
            }
            Piece::Deadline => {
                let ms = if self.length == 4 {
                    i64::from(i32::from_le_bytes([small[0], small[1], small[2], small[3]])) * 1000
                } else {
                    i64::from_le_bytes(small)
                };
                // Redis takes -1 for none.
                self.deadline_ms = (ms != -1).then_some(ms);
                self.next();
            }
        }
    }

    fn record(&mut self, code: u8) {
        if let Some(parts) = parts_of_record(code) {
            self.enter(parts, 0);
        } else if let Some(parts) = parts_of(self.family, code) {
            self.code = Some(code);
            self.frames.push(Frame { parts, at: 0, again: 0 });
            self.enter(&[Part::Now(Doing::Key), Part::Key], 0);
        } else {
            self.lost = true;
        }
    }

    /// Goes on with these parts, and then with what it stands in.
    fn enter(&mut self, parts: &'static [Part], again: u64) {
        // What is through goes first, so that there are no more of them than parts lie within each other.
        while self.frames.last().is_some_and(|frame| frame.again == 0 && frame.at == frame.parts.len()) {
            self.frames.pop();
        }
        self.frames.push(Frame { parts, at: 0, again });
        self.next();
    }

    fn lead(&mut self, what: Use, lead: u8) {
        match (lead, what) {
            (0..0x40, _) => self.number(what, u64::from(lead)),
            (0x40..0x80, _) => self.want(Piece::Rest(what, lead), 1),
            (0x80, _) => self.want(Piece::Rest(what, lead), 4),
            (0x81, _) => self.want(Piece::Rest(what, lead), 8),
            (0xc0.., Use::Bytes { is_key }) => {
                let int = if is_key { Piece::Key(Form::Int) } else { Piece::Skipped };
                match lead & 0x3f {
                    string_encoding::INT8 => self.want(int, 1),
                    string_encoding::INT16 => self.want(int, 2),
                    string_encoding::INT32 => self.want(int, 4),
                    string_encoding::LZF => self.want(Piece::Lead(Use::Packed { is_key }), 1),
                    _ => self.lost = true,
                }
            }
            _ => self.lost = true,
        }
    }

    fn number(&mut self, what: Use, number: u64) {
        match what {
            Use::Nothing => self.next(),
            Use::Bytes { is_key } => self.want(if is_key { Piece::Key(Form::Plain) } else { Piece::Skipped }, number),
            Use::Packed { is_key } => self.want(Piece::Lead(Use::Unpacked { is_key, packed: number }), 1),
            Use::Unpacked { is_key, packed } => {
                self.want(if is_key { Piece::Key(Form::Packed { len: number }) } else { Piece::Skipped }, packed);
            }
            Use::ModuleItem => match number {
                module_item::END => self.next(),
                module_item::SIGNED | module_item::UNSIGNED => self.enter(&[Number, Part::ModuleItems], 0),
                module_item::FLOAT => self.enter(&[Raw(4), Part::ModuleItems], 0),
                module_item::DOUBLE => self.enter(&[Raw(8), Part::ModuleItems], 0),
                module_item::STRING => self.enter(&[Text, Part::ModuleItems], 0),
                _ => self.lost = true,
            },
            Use::Repeats(parts) => match number.checked_sub(1) {
                Some(again) => self.enter(parts, again),
                None => self.next(),
            },
        }
    }

    fn key_done(&mut self, form: Form) {
        let Some(key) = &mut self.key else { return };
        match form {
            Form::Plain => (),
            Form::Int => {
                let n = match **key {
                    [a] => i64::from(a.cast_signed()),
                    [a, b] => i64::from(i16::from_le_bytes([a, b])),
                    [a, b, c, d] => i64::from(i32::from_le_bytes([a, b, c, d])),
                    _ => 0,
                };
                key.clear();
                number::write_i64(key, n);
            }
            Form::Packed { len } => {
                let len = usize::try_from(len).unwrap_or(usize::MAX);
                if len <= KEY_MAX
                    && let Ok(plain) = lzf::decompress(key, len)
                {
                    *key = plain;
                }
            }
        }
    }

    /// Goes on with the part that comes next.
    fn next(&mut self) {
        let part = loop {
            let Some(frame) = self.frames.last_mut() else { return self.want(Piece::Type, 1) };
            match frame.parts.get(frame.at) {
                Some(Part::Now(doing)) => {
                    frame.at += 1;
                    self.doing = *doing;
                }
                Some(part) => {
                    frame.at += 1;
                    break *part;
                }
                None => match frame.again.checked_sub(1) {
                    Some(again) => (frame.at, frame.again) = (0, again),
                    None => drop(self.frames.pop()),
                },
            }
        };
        match part {
            Raw(bytes) => self.want(Piece::Skipped, bytes),
            Number => self.want(Piece::Lead(Use::Nothing), 1),
            Text => self.want(Piece::Lead(Use::Bytes { is_key: false }), 1),
            Part::Key => {
                self.key = Some(Vec::new());
                self.want(Piece::Lead(Use::Bytes { is_key: true }), 1);
            }
            Letters => self.want(Piece::LettersLength, 1),
            Part::Deadline(bytes) => self.want(Piece::Deadline, bytes),
            Each(parts) => self.want(Piece::Lead(Use::Repeats(parts)), 1),
            Part::ModuleItems => self.want(Piece::Lead(Use::ModuleItem), 1),
            Part::Now(_) => self.next(),
        }
    }
}
