//! Values on their way in, and as they come out.

use super::{
    building::{Building, Built},
    format::{Family, types},
    input::{Input, Stop},
    shapes::Shapes,
    streams::StreamBuilding,
    string::{Strings, Text},
};
use crate::data::{
    entry::{Entry, NewString},
    object::Object,
};
use bytes::Bytes;
use std::fmt;

/// A value as it comes out of the stream.
pub enum LoadedValue<'a> {
    /// A string that is the canonical decimal form of this number.
    Int(i64),
    /// A string; it may be a number too, or longer than an entry holds inline.
    Str(&'a [u8]),
    /// A long string in a buffer of its own.
    Bytes(Bytes),
    /// A collection, with something in it.
    Object(Box<Object>),
}

impl fmt::Debug for LoadedValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(n) => write!(f, "{n}"),
            Self::Str(bytes) => write!(f, "\"{}\"", bytes.escape_ascii()),
            Self::Bytes(bytes) => write!(f, "\"{}\"", bytes.escape_ascii()),
            Self::Object(object) => write!(f, "a {} as {}", object.type_name(), object.encoding()),
        }
    }
}

impl<'a> LoadedValue<'a> {
    /// The value, encoded as a key holds it.
    #[inline]
    pub fn encode(self) -> NewString<'a> {
        match self {
            Self::Int(n) => NewString::Int(n),
            Self::Str(bytes) => NewString::encode(bytes, || Bytes::copy_from_slice(bytes)),
            Self::Bytes(bytes) => NewString::Object(Box::new(Object::from_bytes(bytes))),
            Self::Object(object) => NewString::Object(object),
        }
    }
}

/// A key with all that the stream says of it.
#[derive(Debug)]
pub struct Key<'a> {
    /// The key.
    pub key: &'a [u8],
    /// Its value.
    pub value: LoadedValue<'a>,
    /// Unix time in milliseconds, or [`NEVER`](crate::data::entry::NEVER). It may have passed: what becomes of the key then depends on who loads it.
    pub deadline: i64,
    /// Seconds for which it had not been used, if an LRU policy was set.
    pub idle_seconds: Option<u64>,
    /// Its logarithmic frequency, if an LFU policy was set.
    pub frequency: Option<u8>,
}

impl Key<'_> {
    /// An entry with this key, value and deadline; the marks of access are [`Access::restored`](crate::keyspace::Access::restored)'s.
    #[inline]
    pub fn into_entry(self) -> Entry {
        self.value.encode().into_entry(self.key, self.deadline)
    }
}

/// A value in the making.
pub(super) enum Making {
    /// A string has no state but that of its bytes.
    String,
    /// A collection keeps how far it is.
    Collection(Box<Building>),
    /// So does a stream, in its own way.
    Stream(Box<StreamBuilding>),
}

impl Making {
    /// Begins a value of this type; `None` when we do not have the type.
    pub fn begin(family: Family, code: u8, shapes: Shapes) -> Option<Self> {
        match code {
            types::STRING => Some(Self::String),
            types::STREAM | types::STREAM_2 | types::STREAM_3 => Some(Self::Stream(Box::new(StreamBuilding::new(code)))),
            code => Building::begin(family, code, shapes).map(|building| Self::Collection(Box::new(building))),
        }
    }

    /// Goes on with what has arrived, until the value is whole or a part of it has been taken.
    pub fn advance(&mut self, input: &mut Input, strings: &mut Strings) -> Result<Built, Stop> {
        match self {
            Self::String => strings.next(input).map(Built::String),
            Self::Collection(building) => building.advance(input, strings),
            Self::Stream(building) => building.advance(input, strings),
        }
    }
}

impl Built {
    /// The value, where its bytes are.
    pub fn show<'a>(self, input: &'a Input, strings: &'a Strings) -> LoadedValue<'a> {
        match self {
            Self::String(Text::Int(n)) => LoadedValue::Int(n),
            Self::String(Text::Span(range)) => LoadedValue::Str(input.at(range)),
            Self::String(Text::Scratch) => LoadedValue::Str(&strings.scratch),
            Self::String(Text::Owned(bytes)) => LoadedValue::Bytes(Bytes::from(bytes)),
            Self::Object(object) => LoadedValue::Object(object),
            Self::Empty => LoadedValue::Str(b""),
        }
    }
}
