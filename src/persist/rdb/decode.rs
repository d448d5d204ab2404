//! From bytes to events.

use super::{
    building::Built,
    format::{self, Family, VERSION_WITH_CHECKSUM, module_item, opcode, types},
    input::{Input, RdbError, Reason, Stop},
    shapes::Shapes,
    string::{Short, Strings, Text, short},
    value::{Key, Making},
};
use crate::data::{entry::NEVER, number};
use std::ops::Range;

/// How a stream is decoded.
#[derive(Clone, Copy)]
pub struct DecodeOptions {
    /// Whether the checksum at the end has to be right (`rdbchecksum`).
    pub verify: bool,
    /// Bytes of the whole stream, where that is known. Then what cannot be true is refused when it is announced, and long values are
    /// collected in buffers of their size.
    pub size: Option<u64>,
    /// What collections are to look like.
    pub shapes: Shapes,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        Self { verify: true, size: None, shapes: Shapes::default() }
    }
}

/// What a stream says, in its order.
#[derive(Debug)]
pub enum RdbEvent<'a> {
    /// It begins.
    Version {
        /// Whose format it is.
        family: Family,
        /// The format's version.
        version: u32,
    },
    /// A fact about the stream, to be ignored when not known.
    Aux {
        /// Its name.
        name: &'a [u8],
        /// What is said.
        value: &'a [u8],
    },
    /// The keys that follow belong to this database.
    SelectDb(u64),
    /// About as many keys follow for the database. A hint from outside: nothing to rely on.
    ResizeDb {
        /// Keys.
        keys: u64,
        /// Those of them with a deadline.
        volatile: u64,
    },
    /// The same for a slot of a cluster.
    SlotInfo {
        /// The slot.
        slot: u64,
        /// Keys.
        keys: u64,
        /// Those of them with a deadline.
        volatile: u64,
    },
    /// A key.
    Key(Key<'a>),
    /// Some hundred elements of a collection that is not whole yet.
    Part,
    /// A key whose collection has nothing in it. There is no such key.
    Empty(&'a [u8]),
    /// The source code of a library of functions.
    Function(&'a [u8]),
    /// Data of the module type with this name was here, and has been skipped. Redis refuses to load it without that module.
    ModuleAux([u8; 9]),
    /// It ends; what follows in the input does not belong to it.
    End(Checksum),
}

/// What came of the checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// It is that of the bytes.
    Verified,
    /// There is none.
    Absent,
    /// It is not verified.
    Ignored,
}

/// Takes a stream apart as it arrives, in pieces of any size.
///
/// Feed what has come, take events until there is none, and [`Decoder::finish`] when nothing more can come. A feed is copied, so a caller
/// that has others to serve feeds some tens of KiB at a time: one event may cost as much as what was fed since the last (a long compressed
/// value 88 times as much).
pub struct Decoder {
    input: Input,
    strings: Strings,
    stage: Stage,
    family: Family,
    version: u32,
    shapes: Shapes,
    next_key: Attributes,
    /// The key, or the name of an AUX field, while its value has not come.
    name: Vec<u8>,
    error: Option<RdbError>,
}

/// What is expected next.
enum Stage {
    Signature,
    Record,
    Key {
        code: u8,
    },
    Value(Making),
    AuxName,
    AuxValue,
    Function,
    /// An item of this module's data; its kind, when that has come.
    ModuleItem {
        module: [u8; 9],
        kind: Option<u64>,
    },
    /// The checksum, and what it should be.
    Checksum {
        computed: Option<u64>,
    },
    End,
}

/// What records in front of a key say about it.
struct Attributes {
    deadline: i64,
    idle_seconds: Option<u64>,
    frequency: Option<u8>,
}

impl Attributes {
    const NONE: Self = Self { deadline: NEVER, idle_seconds: None, frequency: None };
}

/// Where a key is.
enum KeyLocation {
    Span(Range<usize>),
    Name,
}

/// An event, before anything is borrowed for it.
enum RawEvent {
    Version,
    Aux(Text),
    SelectDb(u64),
    ResizeDb([u64; 2]),
    SlotInfo([u64; 3]),
    Key(KeyLocation, Built),
    Function(Text),
    ModuleAux([u8; 9]),
    End(Checksum),
}

impl Decoder {
    /// For a stream from its first byte on.
    pub fn new(options: DecodeOptions) -> Self {
        let mut input = Input::new(options.size);
        if !options.verify {
            input.forget_sum();
        }
        Self {
            input,
            strings: Strings::default(),
            stage: Stage::Signature,
            family: Family::Redis,
            version: 0,
            shapes: options.shapes,
            next_key: Attributes::NONE,
            name: Vec::new(),
            error: None,
        }
    }

    /// Adds what has arrived.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.input.feed(bytes);
    }

    /// The next event; `None` when it has not arrived, or the stream has ended. An error stays.
    #[inline]
    #[allow(clippy::should_implement_trait)] // what it returns borrows from the decoder
    pub fn next(&mut self) -> Result<Option<RdbEvent<'_>>, RdbError> {
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        loop {
            match self.step() {
                Ok(None) => (),
                Ok(Some(found)) => return Ok(Some(self.show(found))),
                Err(Stop::More) => return Ok(None),
                Err(Stop::Part) => return Ok(Some(RdbEvent::Part)),
                Err(Stop::Bad(reason)) => return Err(self.fail(reason)),
            }
        }
    }

    #[cold]
    fn fail(&mut self, reason: Reason) -> RdbError {
        let offset = self.strings.collecting_since().unwrap_or(self.input.offset());
        let error = RdbError { offset, reason };
        self.error = Some(error.clone());
        error
    }

    /// Bytes of the stream that have been taken.
    pub fn offset(&self) -> u64 {
        self.input.offset()
    }

    /// Whether the stream has ended.
    pub fn is_done(&self) -> bool {
        matches!(self.stage, Stage::End)
    }

    /// Ends the input: an error unless the stream is complete.
    pub fn finish(&self) -> Result<(), RdbError> {
        match &self.error {
            Some(error) => Err(error.clone()),
            None if self.is_done() => Ok(()),
            None => Err(RdbError { offset: self.offset() + self.input.rest().len() as u64, reason: Reason::Truncated }),
        }
    }

    /// What was fed and does not belong to the stream, once [`Decoder::is_done`].
    pub fn rest(&self) -> &[u8] {
        self.input.rest()
    }

    #[inline]
    fn step(&mut self) -> Result<Option<RawEvent>, Stop> {
        match &mut self.stage {
            Stage::Record => self.record(),
            Stage::End => Err(Stop::More),
            _ => self.part(),
        }
    }

    #[inline(always)]
    fn record(&mut self) -> Result<Option<RawEvent>, Stop> {
        let mut cursor = self.input.cursor();
        let code = cursor.u8()?;
        if code == types::STRING {
            if let Some(found) = self.whole_string() {
                return Ok(Some(found));
            }
            self.input.take(1);
            self.stage = Stage::Key { code };
            return Ok(None);
        }
        self.other_record(code)
    }

    /// A key with a string that has arrived in one piece: nearly every record of nearly every stream.
    #[inline(always)]
    fn whole_string(&mut self) -> Option<RawEvent> {
        let mut cursor = self.input.cursor();
        cursor.at = 1;
        let key = short(&mut cursor, &mut self.name)?;
        let value = short(&mut cursor, &mut self.strings.scratch)?;
        let len = cursor.at;
        let start = self.input.position();
        let absolute = |span: Range<usize>| start + span.start..start + span.end;
        self.input.take(len);
        let key = match key {
            Short::Span(span) => KeyLocation::Span(absolute(span)),
            Short::Scratch => KeyLocation::Name,
            Short::Int(n) => {
                self.name.clear();
                number::write_i64(&mut self.name, n);
                KeyLocation::Name
            }
        };
        let value = match value {
            Short::Span(span) => Text::Span(absolute(span)),
            Short::Scratch => Text::Scratch,
            Short::Int(n) => Text::Int(n),
        };
        Some(RawEvent::Key(key, Built::String(value)))
    }

    fn other_record(&mut self, code: u8) -> Result<Option<RawEvent>, Stop> {
        let mut cursor = self.input.cursor();
        cursor.at = 1;
        let mut found = None;
        let mut stage = Stage::Record;
        match code {
            opcode::EXPIRETIME_MS => {
                let ms = i64::from_le_bytes(cursor.array()?);
                // Redis takes -1 for none; our "none" takes the number of the last moment of all.
                self.next_key.deadline = if ms == -1 { NEVER } else { ms.min(NEVER - 1) };
            }
            opcode::EXPIRETIME => self.next_key.deadline = i64::from(i32::from_le_bytes(cursor.array()?)) * 1000,
            opcode::FREQ => self.next_key.frequency = Some(cursor.u8()?),
            opcode::IDLE => self.next_key.idle_seconds = Some(cursor.length()?),
            opcode::SELECTDB => found = Some(RawEvent::SelectDb(cursor.length()?)),
            opcode::RESIZEDB => found = Some(RawEvent::ResizeDb([cursor.length()?, cursor.length()?])),
            opcode::SLOT_INFO => found = Some(RawEvent::SlotInfo([cursor.length()?, cursor.length()?, cursor.length()?])),
            opcode::AUX => stage = Stage::AuxName,
            opcode::FUNCTION2 => stage = Stage::Function,
            opcode::MODULE_AUX => {
                let module = format::module_name(cursor.length()?);
                // In front of when it was written, which is an item like those that follow.
                if cursor.length()? != module_item::UNSIGNED {
                    return Err(Reason::Module(module).into());
                }
                cursor.length()?;
                stage = Stage::ModuleItem { module, kind: None };
            }
            opcode::EOF => {
                self.input.take(1);
                let computed = self.input.take_sum();
                self.stage = Stage::Checksum { computed };
                return Ok(None);
            }
            opcode::FUNCTION_PRE_GA => return Err(Reason::Foreign("functions as written by release candidates of Redis 7.0").into()),
            opcode::SLOT_IMPORT_OR_KEY_META => {
                return Err(Reason::Foreign(match self.family {
                    Family::Redis => "modules' metadata of keys",
                    Family::Valkey => "slots on their way into a cluster's node",
                })
                .into());
            }
            _ if format::type_name(self.family, code).is_some() => stage = Stage::Key { code },
            _ => return Err(Reason::Opcode(code).into()),
        }
        let len = cursor.at;
        self.input.take(len);
        self.stage = stage;
        Ok(found)
    }

    /// Everything that is not the beginning of a record.
    fn part(&mut self) -> Result<Option<RawEvent>, Stop> {
        match &mut self.stage {
            Stage::Signature => return self.signature().map(Some),
            Stage::Key { code } => {
                let code = *code;
                let key = self.strings.next(&mut self.input)?;
                self.keep_name(key);
                let Some(making) = Making::begin(self.family, code, self.shapes) else { return Err(self.unsupported(code).into()) };
                self.stage = Stage::Value(making);
            }
            Stage::Value(making) => {
                let value = making.advance(&mut self.input, &mut self.strings)?;
                self.stage = Stage::Record;
                return Ok(Some(RawEvent::Key(KeyLocation::Name, value)));
            }
            Stage::AuxName => {
                let name = self.strings.next(&mut self.input)?;
                self.keep_name(name);
                self.stage = Stage::AuxValue;
            }
            Stage::AuxValue => {
                let value = self.strings.next(&mut self.input)?;
                self.stage = Stage::Record;
                return Ok(Some(RawEvent::Aux(value)));
            }
            Stage::Function => {
                let code = self.strings.next(&mut self.input)?;
                self.stage = Stage::Record;
                return Ok(Some(RawEvent::Function(code)));
            }
            Stage::ModuleItem { .. } => return self.module_item(),
            Stage::Checksum { computed } => {
                let computed = *computed;
                return self.checksum(computed).map(Some);
            }
            Stage::Record | Stage::End => (),
        }
        Ok(None)
    }

    fn signature(&mut self) -> Result<RawEvent, Stop> {
        let rest = self.input.rest();
        let begins = |name: &str| rest.iter().zip(name.as_bytes()).all(|(a, b)| a == b);
        let family = match (begins(Family::Redis.name()), begins(Family::Valkey.name())) {
            (true, _) => Family::Redis,
            (_, true) => Family::Valkey,
            _ => return Err(Reason::Signature.into()),
        };
        let signature: [u8; 9] = self.input.cursor().array()?;
        let digits = &signature[family.name().len()..];
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(Reason::Signature.into());
        }
        let version = digits.iter().fold(0, |n, digit| n * 10 + u32::from(digit - b'0'));
        if !family.knows(version) {
            return Err(Reason::Version { family, version }.into());
        }
        (self.family, self.version) = (family, version);
        if version < VERSION_WITH_CHECKSUM {
            self.input.forget_sum();
        }
        self.input.take(signature.len());
        self.stage = Stage::Record;
        Ok(RawEvent::Version)
    }

    /// An item of a module's data, which is read over.
    fn module_item(&mut self) -> Result<Option<RawEvent>, Stop> {
        let Stage::ModuleItem { module, kind } = &mut self.stage else { return Ok(None) };
        let mut cursor = self.input.cursor();
        match *kind {
            None => *kind = Some(cursor.length()?),
            Some(module_item::END) => {
                let module = *module;
                self.stage = Stage::Record;
                return Ok(Some(RawEvent::ModuleAux(module)));
            }
            Some(known) => {
                match known {
                    module_item::SIGNED | module_item::UNSIGNED => drop(cursor.length()?),
                    module_item::FLOAT => drop(cursor.array::<4>()?),
                    module_item::DOUBLE => drop(cursor.array::<8>()?),
                    module_item::STRING => {
                        self.strings.next(&mut self.input)?;
                        *kind = None;
                        return Ok(None);
                    }
                    _ => return Err(Reason::Module(*module).into()),
                }
                *kind = None;
            }
        }
        let len = cursor.at;
        self.input.take(len);
        Ok(None)
    }

    fn checksum(&mut self, computed: Option<u64>) -> Result<RawEvent, Stop> {
        let checksum = if self.version < VERSION_WITH_CHECKSUM {
            Checksum::Absent
        } else {
            let stored = u64::from_le_bytes(self.input.cursor().array()?);
            let checksum = match computed {
                _ if stored == 0 => Checksum::Absent,
                None => Checksum::Ignored,
                Some(computed) if computed == stored => Checksum::Verified,
                Some(computed) => return Err(Reason::Checksum { computed, stored }.into()),
            };
            self.input.take(8);
            checksum
        };
        self.stage = Stage::End;
        Ok(RawEvent::End(checksum))
    }

    fn keep_name(&mut self, text: Text) {
        match text {
            Text::Owned(bytes) => self.name = bytes,
            Text::Span(range) => {
                self.name.clear();
                self.name.extend_from_slice(self.input.at(range));
            }
            Text::Scratch => std::mem::swap(&mut self.name, &mut self.strings.scratch),
            Text::Int(n) => {
                self.name.clear();
                number::write_i64(&mut self.name, n);
            }
        }
    }

    #[cold]
    fn unsupported(&self, code: u8) -> Reason {
        /// Enough to find a key by.
        const SHOWN_MAX: usize = 256;
        let key = &self.name[..self.name.len().min(SHOWN_MAX)];
        Reason::Unsupported { name: format::type_name(self.family, code).unwrap_or("unknown"), code, key: key.into() }
    }

    #[inline(always)]
    fn show(&mut self, found: RawEvent) -> RdbEvent<'_> {
        match found {
            RawEvent::Key(_, Built::Empty) => {
                self.next_key = Attributes::NONE;
                RdbEvent::Empty(&self.name)
            }
            RawEvent::Key(at, built) => {
                let Attributes { deadline, idle_seconds, frequency } = std::mem::replace(&mut self.next_key, Attributes::NONE);
                let key = match at {
                    KeyLocation::Span(range) => self.input.at(range),
                    KeyLocation::Name => &self.name,
                };
                let value = built.show(&self.input, &self.strings);
                RdbEvent::Key(Key { key, value, deadline, idle_seconds, frequency })
            }
            other => self.show_other(other),
        }
    }

    fn show_other(&mut self, found: RawEvent) -> RdbEvent<'_> {
        match found {
            RawEvent::Version => RdbEvent::Version { family: self.family, version: self.version },
            RawEvent::Aux(value) => {
                let value = text(&self.input, &mut self.strings.scratch, value);
                RdbEvent::Aux { name: &self.name, value }
            }
            RawEvent::Function(code) => RdbEvent::Function(text(&self.input, &mut self.strings.scratch, code)),
            RawEvent::SelectDb(db) => RdbEvent::SelectDb(db),
            RawEvent::ResizeDb([keys, volatile]) => RdbEvent::ResizeDb { keys, volatile },
            RawEvent::SlotInfo([slot, keys, volatile]) => RdbEvent::SlotInfo { slot, keys, volatile },
            RawEvent::ModuleAux(module) => RdbEvent::ModuleAux(module),
            RawEvent::End(checksum) => RdbEvent::End(checksum),
            RawEvent::Key(..) => unreachable!("shown by the caller"),
        }
    }
}

/// The bytes of a string that is no value.
pub(super) fn text<'a>(input: &'a Input, scratch: &'a mut Vec<u8>, text: Text) -> &'a [u8] {
    match text {
        Text::Span(range) => return input.at(range),
        Text::Scratch => (),
        Text::Owned(bytes) => *scratch = bytes,
        Text::Int(n) => {
            scratch.clear();
            number::write_i64(scratch, n);
        }
    }
    scratch
}
