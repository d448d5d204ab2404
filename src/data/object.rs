//! Values that do not fit in an entry: they hang off it, one box each.

use super::{hashmap::Hash, list::List, set::Set, zset::Zset};
use bytes::Bytes;

/// A long or structured value.
#[derive(Clone)]
pub enum Object {
    /// A string longer than [`INLINE_MAX`](super::entry::INLINE_MAX), or one that grows: shared with the replies that are still leaving.
    Bytes(Bytes),
    /// A list.
    List(List),
    /// A set.
    Set(Set),
    /// A hash.
    Hash(Hash),
    /// A sorted set.
    Zset(Zset),
}

/// A structured value of one type. A key with an empty one is not kept.
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

collections!(List(List), Set(Set), Hash(Hash), Zset(Zset));

impl Object {
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
        }
    }
}
