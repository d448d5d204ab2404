//! Collections on their way in: an element at a time, stopping between any two of them. What is announced decides how one is to look, and
//! takes no memory; what is there twice, or is no number where one has to be, is refused.

use super::{
    containers::{self, TextualScore},
    format::{Family, types},
    input::{Input, Reason, Stop},
    shapes::Shapes,
    string::{Strings, Text},
};
use crate::data::{
    entry::NEVER,
    hash::{self, Hash},
    intset::Intset,
    list::{End, List},
    listpack::{Item, Listpack},
    number,
    object::{Collection, Object},
    set::Set,
    zset::Zset,
};
use bytes::Bytes;

/// Elements decoded before the decoder returns to its caller.
const PART: usize = 512;

/// What is wrong with a value, in the words of Redis's log, which its operators know.
pub(super) const BROKEN: fn(&'static str) -> Stop = |what| Stop::Bad(Reason::Value(what));

/// A complete value.
pub(super) enum Built {
    /// A string.
    String(Text),
    /// A collection with something in it.
    Object(Box<Object>),
    /// One without.
    Empty,
}

/// A collection in the making.
pub(super) struct Building {
    code: u8,
    shapes: Shapes,
    /// Elements, or a list's nodes, that have not been taken; `None` until that has been read.
    left: Option<u64>,
    /// What the deadlines of a hash's fields are counted from, in Unix milliseconds.
    base: i64,
    /// What has been read of the next element.
    element: PartialElement,
    content: Content,
}

#[derive(Default)]
struct PartialElement {
    /// How far it is.
    parts: u8,
    /// Its first string.
    first: Vec<u8>,
    /// Its second one, where something follows that.
    second: Vec<u8>,
    /// A deadline in Unix milliseconds, or a node's kind.
    number: u64,
}

enum Content {
    /// Not known before the number of elements is.
    None,
    List(List),
    Set(Set),
    Zset(Zset),
    Hash(hash::Builder),
}

/// A number of elements that the elements have to live up to.
fn announced(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

impl Building {
    /// Begins a value of this type; `None` when we do not have the type.
    pub fn begin(family: Family, code: u8, shapes: Shapes) -> Option<Self> {
        let known = match family {
            Family::Valkey if code >= types::VALKEY_HASH_2 => code == types::VALKEY_HASH_2,
            _ => matches!(
                code,
                types::LIST..=types::ZSET_2
                    | types::HASH_ZIPMAP..=types::LIST_QUICKLIST
                    | types::HASH_LISTPACK..=types::LIST_QUICKLIST_2
                    | types::SET_LISTPACK
                    | types::HASH_METADATA_PRE_GA..=types::HASH_LISTPACK_EX
            ),
        };
        // Both families use the number, for different things: inside, Valkey's has one that no file can have.
        let code = if family == Family::Valkey && code == types::VALKEY_HASH_2 { VALKEY_HASH_2 } else { code };
        known.then_some(Self { code, shapes, left: None, base: 0, element: PartialElement::default(), content: Content::None })
    }

    /// Goes on with what has arrived, until the value is whole or a part of it has been taken.
    pub fn advance(&mut self, input: &mut Input, strings: &mut Strings) -> Result<Built, Stop> {
        match self.code {
            types::HASH_ZIPMAP
            | types::LIST_ZIPLIST
            | types::SET_INTSET
            | types::ZSET_ZIPLIST
            | types::HASH_ZIPLIST
            | types::HASH_LISTPACK
            | types::ZSET_LISTPACK
            | types::SET_LISTPACK
            | types::HASH_LISTPACK_EX_PRE_GA
            | types::HASH_LISTPACK_EX => return self.packed(input, strings),
            _ => (),
        }
        let left = match self.left {
            Some(left) => left,
            None => self.count(input)?,
        };
        for _ in 0..left.min(PART as u64) {
            self.element(input, strings)?;
            self.element.parts = 0;
            self.left = self.left.map(|left| left - 1);
        }
        if self.left == Some(0) { self.finish() } else { Err(Stop::Part) }
    }

    /// What stands in front of the elements.
    fn count(&mut self, input: &mut Input) -> Result<u64, Stop> {
        let mut cursor = input.cursor();
        if self.code == types::HASH_METADATA {
            self.base = base(i64::from_le_bytes(cursor.array()?))?;
        }
        let count = cursor.length()?;
        let len = cursor.at;
        input.take(len);
        self.left = Some(count);
        let many = announced(count);
        self.content = match self.code {
            types::LIST | types::LIST_QUICKLIST | types::LIST_QUICKLIST_2 => Content::List(List::new_linked(self.shapes.list)),
            types::SET => Content::Set(Set::sized(many, &self.shapes.set)),
            types::ZSET | types::ZSET_2 => Content::Zset(Zset::with_expected(many, 0, self.shapes.zset)),
            _ => Content::Hash(hash::Builder::new(many, self.shapes.hash)),
        };
        Ok(count)
    }

    /// Takes the next element; what has been taken of one that is not all there is kept.
    fn element(&mut self, input: &mut Input, strings: &mut Strings) -> Result<(), Stop> {
        match self.code {
            types::LIST => {
                let text = strings.next(input)?;
                let Content::List(list) = &mut self.content else { return Ok(()) };
                match text {
                    Text::Owned(bytes) => list.push_shared(End::Back, bytes.into()),
                    text => text.with(input, strings, |bytes| list.push(End::Back, bytes)),
                }
            }
            types::SET => {
                let text = strings.next(input)?;
                let (Content::Set(set), limits) = (&mut self.content, &self.shapes.set) else { return Ok(()) };
                if !text.with(input, strings, |bytes| set.add(bytes, limits)) {
                    return Err(BROKEN("Duplicate set members detected"));
                }
            }
            types::ZSET | types::ZSET_2 => self.scored(input, strings)?,
            types::LIST_QUICKLIST | types::LIST_QUICKLIST_2 => self.node(input, strings)?,
            _ => self.field(input, strings)?,
        }
        Ok(())
    }

    /// A member and its score.
    fn scored(&mut self, input: &mut Input, strings: &mut Strings) -> Result<(), Stop> {
        if self.element.parts == 0 {
            let text = strings.next(input)?;
            text.keep(input, strings, &mut self.element.first);
            self.element.parts = 1;
        }
        let mut cursor = input.cursor();
        let score = if self.code == types::ZSET_2 {
            f64::from_le_bytes(cursor.array()?)
        } else {
            match TextualScore::new(cursor.u8()?) {
                TextualScore::Is(score) => score,
                TextualScore::Text(len) => TextualScore::parse(cursor.take(len)?),
            }
        };
        let len = cursor.at;
        input.take(len);
        let Content::Zset(zset) = &mut self.content else { return Ok(()) };
        if score.is_nan() {
            return Err(BROKEN("Zset with NAN score detected"));
        }
        if !zset.insert_signed(&self.element.first, score, self.shapes.zset) {
            return Err(BROKEN("Duplicate zset fields detected"));
        }
        Ok(())
    }

    /// A node of a list.
    fn node(&mut self, input: &mut Input, strings: &mut Strings) -> Result<(), Stop> {
        const PLAIN: u64 = 1;
        const PACKED: u64 = 2;
        if self.element.parts == 0 {
            let mut cursor = input.cursor();
            self.element.number = if self.code == types::LIST_QUICKLIST_2 { cursor.length()? } else { PACKED };
            let len = cursor.at;
            input.take(len);
            self.element.parts = 1;
        }
        if !(PLAIN..=PACKED).contains(&self.element.number) {
            return Err(BROKEN("Quicklist integrity check failed."));
        }
        let text = strings.next(input)?;
        let Content::List(list) = &mut self.content else { return Ok(()) };
        if self.element.number == PLAIN {
            let bytes = text.into_vec(input, strings);
            if bytes.is_empty() {
                return Err(EMPTY_NODE);
            }
            list.push_shared(End::Back, bytes.into());
            return Ok(());
        }
        let code = self.code;
        let pack = text.with(input, strings, |bytes| match (code, bytes) {
            (_, []) => Err(EMPTY_NODE),
            (types::LIST_QUICKLIST, bytes) => containers::ziplist(bytes).ok_or(BROKEN("Ziplist integrity check failed.")),
            (_, bytes) => containers::listpack(bytes).ok_or(BROKEN("Listpack integrity check failed.")),
        })?;
        // One without elements is left out, as Redis does.
        list.append_listpack(pack);
        Ok(())
    }

    /// A field of a hash, its value, and its deadline in front or behind.
    fn field(&mut self, input: &mut Input, strings: &mut Strings) -> Result<(), Stop> {
        let in_front = matches!(self.code, types::HASH_METADATA | types::HASH_METADATA_PRE_GA);
        if self.element.parts == 0 {
            self.element.number = 0;
            if in_front {
                let mut cursor = input.cursor();
                let ttl = cursor.length()?;
                let len = cursor.at;
                input.take(len);
                self.element.number = match ttl {
                    0 => 0,
                    ttl if self.code == types::HASH_METADATA_PRE_GA => ttl,
                    // Counted from 1.
                    ttl => (self.base as u64).saturating_add(ttl - 1),
                };
            }
            self.element.parts = 1;
        }
        if self.element.parts == 1 {
            let text = strings.next(input)?;
            text.keep(input, strings, &mut self.element.first);
            self.element.parts = 2;
        }
        let deadline = deadline(self.element.number)?;
        if self.code == VALKEY_HASH_2 {
            return self.field_of_valkey(input, strings);
        }
        let text = strings.next(input)?;
        let (Content::Hash(hash), field) = (&mut self.content, &self.element.first) else { return Ok(()) };
        let is_new = match text {
            Text::Owned(bytes) => {
                let bytes = Bytes::from(bytes);
                hash.push(field, &bytes, || bytes.clone(), deadline)
            }
            text => text.with(input, strings, |value| hash.push(field, value, || Bytes::copy_from_slice(value), deadline)),
        };
        if is_new { Ok(()) } else { Err(TWICE) }
    }

    fn field_of_valkey(&mut self, input: &mut Input, strings: &mut Strings) -> Result<(), Stop> {
        if self.element.parts == 2 {
            let text = strings.next(input)?;
            text.keep(input, strings, &mut self.element.second);
            self.element.parts = 3;
        }
        let ms = i64::from_le_bytes(input.cursor().array()?);
        input.take(size_of::<i64>());
        let deadline = match ms {
            -1 => NEVER,
            ms => deadline(u64::try_from(ms).unwrap_or(u64::MAX))?,
        };
        let (Content::Hash(hash), PartialElement { first, second, .. }) = (&mut self.content, &self.element) else { return Ok(()) };
        if hash.push(first, second, || Bytes::copy_from_slice(second), deadline) { Ok(()) } else { Err(TWICE) }
    }

    fn finish(&mut self) -> Result<Built, Stop> {
        Ok(match std::mem::replace(&mut self.content, Content::None) {
            Content::None => Built::Empty,
            Content::List(mut list) => {
                list.built(self.shapes.list);
                built(list, List::is_empty)
            }
            Content::Set(set) => built(set, Set::is_empty),
            Content::Zset(mut zset) => {
                zset.compact_if_small(self.shapes.zset);
                built(zset, Zset::is_empty)
            }
            Content::Hash(hash) => built(hash.finish().ok_or(TWICE)?, Hash::is_empty),
        })
    }

    /// A collection that is one string.
    fn packed(&mut self, input: &mut Input, strings: &mut Strings) -> Result<Built, Stop> {
        if self.code == types::HASH_LISTPACK_EX && self.element.parts == 0 {
            // The deadlines themselves are in the listpack.
            base(i64::from_le_bytes(input.cursor().array()?))?;
            input.take(size_of::<i64>());
            self.element.parts = 1;
        }
        let text = strings.next(input)?;
        let (code, shapes) = (self.code, &self.shapes);
        if code == types::SET_INTSET {
            let ints = text.with(input, strings, Intset::from_bytes).ok_or(BROKEN("Intset integrity check failed."))?;
            return Ok(built(Set::from_intset(ints, &shapes.set), Set::is_empty));
        }
        let pack = text.with(
            input,
            strings,
            match code {
                types::HASH_ZIPMAP => containers::zipmap,
                types::LIST_ZIPLIST | types::ZSET_ZIPLIST | types::HASH_ZIPLIST => containers::ziplist,
                _ => containers::listpack,
            },
        );
        let broken = BROKEN(match code {
            types::HASH_ZIPMAP => "Zipmap integrity check failed.",
            types::LIST_ZIPLIST => "List ziplist integrity check failed.",
            types::ZSET_ZIPLIST => "Zset ziplist integrity check failed.",
            types::HASH_ZIPLIST => "Hash ziplist integrity check failed.",
            types::SET_LISTPACK => "Set listpack integrity check failed.",
            types::ZSET_LISTPACK => "Zset listpack integrity check failed.",
            _ => "Hash listpack integrity check failed.",
        });
        let Some(pack) = pack else { return Err(broken) };
        Ok(match code {
            types::LIST_ZIPLIST => {
                let mut list = List::new_linked(shapes.list);
                let mut digits = itoa::Buffer::new();
                pack.iter().for_each(|item| list.push(End::Back, item.text(&mut digits)));
                list.built(shapes.list);
                built(list, List::is_empty)
            }
            types::SET_LISTPACK => built(Set::from_listpack(pack, &shapes.set).ok_or(broken)?, Set::is_empty),
            types::ZSET_ZIPLIST | types::ZSET_LISTPACK => built(Zset::from_listpack(pack, shapes.zset).ok_or(broken)?, Zset::is_empty),
            code => {
                // As many elements as there have to be are wrong in themselves.
                let is_twice = code == types::HASH_LISTPACK && pack.len().is_multiple_of(2);
                let broken = if is_twice { BROKEN("Hash listpack with dup elements") } else { broken };
                built(hash(code, pack, &shapes.hash).ok_or(broken)?, Hash::is_empty)
            }
        })
    }
}

/// Valkey's type of hashes with deadlines, told apart from Redis's of the same number.
const VALKEY_HASH_2: u8 = 0xfe;

const EMPTY_NODE: Stop = Stop::Bad(Reason::Value("Empty quicklist node"));

const TWICE: Stop = Stop::Bad(Reason::Value("Duplicate hash fields detected"));

/// Fields and values, alternating, and deadlines where the type has them. Old forms do not mind how long their elements are, compact hashes do.
fn hash(code: u8, pack: Listpack, limits: &hash::PackLimits) -> Option<Hash> {
    match code {
        types::HASH_LISTPACK_EX | types::HASH_LISTPACK_EX_PRE_GA => {
            let is_past_all = |item| matches!(item, Item::Int(ms) if ms > DEADLINE_MAX as i64);
            if pack.iter().skip(2).step_by(3).any(is_past_all) { None } else { Hash::from_triples(pack, limits) }
        }
        types::HASH_ZIPMAP if pack.iter().any(|item| item.len() > limits.value) => {
            let mut hash = hash::Builder::new(pack.len() / 2, *limits);
            let (mut a, mut b) = (itoa::Buffer::new(), itoa::Buffer::new());
            let all = pack.pairs().all(|(field, value)| {
                let value = value.text(&mut b);
                hash.push(field.text(&mut a), value, || Bytes::copy_from_slice(value), NEVER)
            });
            hash.finish().filter(|_| all)
        }
        _ => Hash::from_pairs(pack, limits),
    }
}

/// A complete collection, which may be empty.
fn built<C: Collection>(collection: C, is_empty: impl FnOnce(&C) -> bool) -> Built {
    if is_empty(&collection) { Built::Empty } else { Built::Object(Box::new(collection.into_object())) }
}

/// What deadlines are counted from.
fn base(ms: i64) -> Result<i64, Stop> {
    if ms < 0 { Err(BROKEN("Hash read invalid minExpire value")) } else { Ok(ms) }
}

/// The last deadline that a field can have, in Unix milliseconds: Redis keeps 48 bits of it.
const DEADLINE_MAX: u64 = (1 << 48) - 1;

/// A field's deadline in Unix milliseconds; 0 is none.
fn deadline(ms: u64) -> Result<i64, Stop> {
    match ms {
        0 => Ok(NEVER),
        1..=DEADLINE_MAX => Ok(ms as i64),
        _ => Err(BROKEN("invalid expireAt time")),
    }
}

impl Text {
    /// The bytes, where they are.
    pub(super) fn with<R>(self, input: &Input, strings: &Strings, f: impl FnOnce(&[u8]) -> R) -> R {
        match self {
            Self::Int(n) => f(itoa::Buffer::new().format(n).as_bytes()),
            Self::Span(range) => f(input.at(range)),
            Self::Scratch => f(&strings.scratch),
            Self::Owned(bytes) => f(&bytes),
        }
    }

    /// Keeps the bytes in `into`.
    pub(super) fn keep(self, input: &Input, strings: &Strings, into: &mut Vec<u8>) {
        into.clear();
        match self {
            Self::Owned(bytes) => *into = bytes,
            Self::Int(n) => number::write_i64(into, n),
            text => text.with(input, strings, |bytes| into.extend_from_slice(bytes)),
        }
    }

    /// The bytes in a buffer of their own.
    fn into_vec(self, input: &Input, strings: &Strings) -> Vec<u8> {
        match self {
            Self::Owned(bytes) => bytes,
            text => text.with(input, strings, <[u8]>::to_vec),
        }
    }
}
