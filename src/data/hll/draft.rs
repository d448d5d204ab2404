//! A sparse HyperLogLog to which elements are added. It is copied when the first register rises: mostly none does.

use super::{
    dense,
    hash::element,
    layout::{Corrupted, Encoding, encoding},
    sparse::{self, RunCursor},
    whole::raise,
};

/// A sparse one with elements added.
pub struct Draft<'a> {
    original: &'a [u8],
    /// What it has become, and how that is laid out.
    changed: Option<(Vec<u8>, Encoding)>,
}

impl<'a> Draft<'a> {
    /// Nothing has been added yet.
    pub fn new(original: &'a [u8]) -> Self {
        debug_assert_eq!(encoding(original), Some(Encoding::Sparse));
        Self { original, changed: None }
    }

    /// Adds an element; says whether a register rose. It becomes dense when no run can hold the rank, or when it would grow beyond `max_bytes`.
    pub fn add(&mut self, text: &[u8], max_bytes: usize) -> Result<bool, Corrupted> {
        let (index, rank) = element(text);
        let bytes = match &mut self.changed {
            Some((bytes, Encoding::Dense)) => return Ok(dense::raise(bytes, index, rank)),
            Some((bytes, Encoding::Sparse)) => bytes,
            None => self.original,
        };
        let Some(place) = sparse::find(bytes, RunCursor::default(), index, rank)? else { return Ok(false) };
        let (bytes, encoding) = self.changed.get_or_insert_with(|| {
            // What one element adds at most.
            let mut copy = Vec::with_capacity(self.original.len() + 3);
            copy.extend_from_slice(self.original);
            (copy, Encoding::Sparse)
        });
        if raise(bytes, &place, max_bytes)?.is_none() {
            *encoding = Encoding::Dense;
        }
        Ok(true)
    }

    /// What it is by now; `None` when no register rose.
    pub fn changed(&self) -> Option<&[u8]> {
        self.changed.as_ref().map(|(bytes, _)| &bytes[..])
    }

    /// What it has become; `None` when no register rose.
    pub fn finish(self) -> Option<Vec<u8>> {
        self.changed.map(|(bytes, _)| bytes)
    }
}
