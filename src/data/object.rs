//! Values that do not fit in an entry: they hang off it, one box each.

use super::{
    dict::{Dict, Slot},
    hash::Hash,
    list::List,
    member::Member,
    moving::{Mover, Place, Relocate},
    pair::{Held, Pair},
    set::Set,
    size_class::size_class,
    stream::Stream,
    trash,
    zset::{self, Zset},
};
use bytes::Bytes;

/// A long or structured value.
#[derive(Clone)]
pub enum Object {
    /// A string longer than [`INLINE_MAX`](super::pair::INLINE_MAX), or one that grows: shared with the replies that are still leaving. One
    /// box more is little beside it, and collections are smaller for it.
    Bytes(Box<Bytes>),
    /// A list.
    List(List),
    /// A set.
    Set(Set),
    /// A hash.
    Hash(Hash),
    /// A sorted set.
    Zset(Zset),
    /// A stream.
    Stream(Stream),
}

/// A structured value of one type. A key with an empty one is not kept, but for streams.
pub trait Collection: Sized {
    /// The value, if it is of this type.
    fn of(object: &Object) -> Option<&Self>;
    /// The value, if it is of this type.
    fn of_mut(object: &mut Object) -> Option<&mut Self>;
    /// As what a key holds.
    fn into_object(self) -> Object;
}

macro_rules! collections {
    ($($variant:ident($type:ty)),*) => {$(
        impl Collection for $type {
            #[inline(always)]
            fn of(object: &Object) -> Option<&Self> {
                if let Object::$variant(value) = object { Some(value) } else { None }
            }

            #[inline(always)]
            fn of_mut(object: &mut Object) -> Option<&mut Self> {
                if let Object::$variant(value) = object { Some(value) } else { None }
            }

            fn into_object(self) -> Object {
                Object::$variant(self)
            }
        }
    )*};
}

collections!(List(List), Set(Set), Hash(Hash), Zset(Zset), Stream(Stream));

impl Relocate for Object {
    fn relocate(&mut self, from: Place, mover: &mut Mover) -> Option<Place> {
        match self {
            Self::Bytes(bytes) => {
                mover.boxed(bytes);
                mover.bytes(bytes);
                None
            }
            Self::List(list) => list.relocate(from, mover),
            Self::Set(set) => set.relocate(from, mover),
            Self::Hash(hash) => hash.relocate(from, mover),
            Self::Zset(zset) => zset.relocate(from, mover),
            Self::Stream(stream) => stream.relocate(from, mover),
        }
    }
}

/// Where in a large collection's table an element belongs that will be looked for soon.
pub enum Near<'a> {
    /// Among the fields of a hash.
    Field(&'a Dict<Pair<Bytes>>, u64),
    /// Among the members of a set.
    Member(&'a Dict<Member>, u64),
    /// Among the members of a sorted set.
    Ranked(&'a Dict<zset::Member>, u64),
}

impl Near<'_> {
    /// Second hint, some time after [`Object::prefetch`].
    #[inline]
    pub fn prefetch(&self) {
        match self {
            Self::Field(dict, hash) => dict.prefetch_entry(*hash),
            Self::Member(dict, hash) => dict.prefetch_entry(*hash),
            Self::Ranked(dict, hash) => dict.prefetch_entry(*hash),
        }
    }
}

/// What small collections are many of is mostly this: a pointer, and what tells one form from another.
const _: () = assert!(size_of::<Object>() == 24);

impl Object {
    /// First of two hints before an element of a collection is looked up: prefetches its bucket.
    #[inline]
    pub fn prefetch(&self, element: &[u8]) -> Option<Near<'_>> {
        fn near<T: Slot>(dict: &Dict<T>, element: &[u8]) -> u64 {
            let hash = dict.hash(element);
            dict.prefetch_bucket(hash);
            hash
        }
        Some(match self {
            Self::Hash(hash) => hash.table().map(|dict| Near::Field(dict, near(dict, element)))?,
            Self::Set(set) => set.members().map(|dict| Near::Member(dict, near(dict, element)))?,
            Self::Zset(zset) => zset.members().map(|dict| Near::Ranked(dict, near(dict, element)))?,
            Self::Bytes(_) | Self::List(_) | Self::Stream(_) => return None,
        })
    }

    /// A string as what a key holds.
    pub fn from_bytes(bytes: Bytes) -> Self {
        Self::Bytes(Box::new(bytes))
    }

    /// The bytes, if it is a string.
    #[inline(always)]
    pub fn bytes(&self) -> Option<&Bytes> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }

    /// The bytes, if it is a string.
    #[inline]
    pub fn bytes_mut(&mut self) -> Option<&mut Bytes> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }

    /// What TYPE answers.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Bytes(_) => "string",
            Self::List(_) => "list",
            Self::Set(_) => "set",
            Self::Hash(_) => "hash",
            Self::Zset(_) => "zset",
            Self::Stream(_) => "stream",
        }
    }

    /// What OBJECT ENCODING answers.
    pub fn encoding(&self) -> &'static str {
        match self {
            Self::Bytes(_) => "raw",
            Self::List(list) => list.encoding(),
            Self::Set(set) => set.encoding(),
            Self::Hash(hash) => hash.encoding(),
            Self::Zset(zset) => zset.encoding(),
            Self::Stream(_) => "stream",
        }
    }

    /// Values that are freed with it at once: of a large collection none is.
    pub fn values(&self) -> usize {
        let values = match self {
            Self::Bytes(_) => 1,
            Self::List(list) => list.node_count(),
            Self::Stream(stream) => usize::try_from(stream.node_count()).unwrap_or(usize::MAX),
            Self::Set(set) if set.members().is_some() => set.len(),
            Self::Hash(hash) if hash.table().is_some() => hash.len(),
            Self::Zset(zset) if zset.members().is_some() => zset.len(),
            Self::Set(_) | Self::Hash(_) | Self::Zset(_) => 1,
        };
        if values < trash::LARGE { values.max(1) } else { 1 }
    }

    /// Bytes of memory it takes, the object itself not counted. Of a value with many elements `samples` are looked at (0: all of them).
    pub fn allocated(&self, samples: usize) -> usize {
        match self {
            Self::Bytes(bytes) => size_of_val(&**bytes) + size_class(bytes.len()),
            Self::List(list) => list.allocated(samples),
            Self::Set(set) => set.allocated(samples),
            Self::Hash(hash) => hash.allocated(samples),
            Self::Zset(zset) => zset.allocated(samples),
            Self::Stream(stream) => stream.allocated(samples),
        }
    }
}

impl Held for Object {
    fn from_bytes(bytes: Bytes) -> Self {
        Self::from_bytes(bytes)
    }

    #[inline(always)]
    fn bytes(&self) -> Option<&Bytes> {
        self.bytes()
    }

    #[inline]
    fn bytes_mut(&mut self) -> Option<&mut Bytes> {
        self.bytes_mut()
    }

    fn type_name(&self) -> &'static str {
        self.type_name()
    }

    fn encoding(&self) -> &'static str {
        self.encoding()
    }

    fn values(&self) -> usize {
        self.values()
    }

    fn allocated(&self, samples: usize) -> usize {
        self.allocated(samples)
    }
}
