//! An entry, as it is looked at.

use super::id::StreamId;
use crate::data::listpack::{Item, Iter};

/// An entry of a stream.
#[derive(Clone)]
pub struct Entry<'a> {
    id: StreamId,
    len: usize,
    /// Names that it shares with others.
    names: Option<Iter<'a>>,
    rest: Iter<'a>,
}

impl<'a> Entry<'a> {
    #[inline]
    pub(super) fn sharing(id: StreamId, len: usize, names: Iter<'a>, values: Iter<'a>) -> Self {
        Self { id, len, names: Some(names), rest: values }
    }

    #[inline]
    pub(super) fn own(id: StreamId, len: usize, pairs: Iter<'a>) -> Self {
        Self { id, len, names: None, rest: pairs }
    }

    /// Its ID.
    #[inline]
    pub fn id(&self) -> StreamId {
        self.id
    }

    /// Number of its pairs.
    #[inline]
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Its pairs of name and value.
    #[inline]
    pub fn fields(&self) -> Fields<'a> {
        Fields { left: self.len, names: self.names.clone(), rest: self.rest.clone() }
    }
}

/// Pairs of name and value.
pub struct Fields<'a> {
    left: usize,
    names: Option<Iter<'a>>,
    rest: Iter<'a>,
}

impl<'a> Iterator for Fields<'a> {
    type Item = (Item<'a>, Item<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let name = match &mut self.names {
            Some(names) => names.next(),
            None => self.rest.next(),
        };
        Some((name?, self.rest.next()?))
    }
}
