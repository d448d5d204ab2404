//! The pieces that bytes are gathered into on their way out.

use bytes::Bytes;
use std::collections::VecDeque;

/// Size of the pieces that what is short is gathered into, in bytes.
const PIECE: usize = 64 * 1024;

/// Bytes from which a string is handed on by reference instead of being copied into a piece.
pub(super) const BY_REFERENCE_MIN: usize = PIECE;

/// What has been written.
#[derive(Default)]
pub(super) struct Out {
    /// The piece in the making.
    pub tail: Vec<u8>,
    /// Whole pieces in front of it.
    whole: VecDeque<Bytes>,
    /// Bytes of those.
    whole_bytes: usize,
}

impl Out {
    /// Makes a piece of what is there, so that it can go on its way although it is small.
    pub fn flush(&mut self) {
        if !self.tail.is_empty() {
            // The next one will most likely be as large.
            let next = Vec::with_capacity(self.tail.capacity().min(PIECE + PIECE / 4));
            let piece = std::mem::replace(&mut self.tail, next);
            self.push(piece.into());
        }
    }

    fn push(&mut self, piece: Bytes) {
        self.whole_bytes += piece.len();
        self.whole.push_back(piece);
    }

    /// The first whole piece, or that much of it.
    pub fn pop(&mut self, bytes: usize) -> Option<Bytes> {
        let first = self.whole.front_mut()?;
        let piece = first.split_to(first.len().min(bytes));
        if first.is_empty() {
            self.whole.pop_front();
        }
        self.whole_bytes -= piece.len();
        Some(piece)
    }

    /// Bytes of all of it.
    pub fn len(&self) -> usize {
        self.whole_bytes + self.tail.len()
    }

    /// [`Out::flush`] if it is large enough.
    #[inline]
    pub fn flush_full(&mut self) {
        if self.tail.len() >= PIECE {
            self.flush();
        }
    }

    /// Adds bytes, shared where they are so many that a copy would cost more than a piece of their own.
    pub fn put_shared(&mut self, bytes: &Bytes) {
        if bytes.len() < BY_REFERENCE_MIN {
            return self.tail.extend_from_slice(bytes);
        }
        self.flush();
        self.push(bytes.clone());
    }

    /// Moves all of another behind what is there.
    pub fn append(&mut self, other: &mut Self) {
        if other.whole.is_empty() {
            self.tail.extend_from_slice(&other.tail);
            return other.tail.clear();
        }
        self.flush();
        self.whole.append(&mut other.whole);
        self.whole_bytes += std::mem::take(&mut other.whole_bytes);
        std::mem::swap(&mut self.tail, &mut other.tail);
    }

    /// Everything in one buffer.
    pub fn into_vec(self) -> Vec<u8> {
        if self.whole.is_empty() {
            return self.tail;
        }
        let mut all = Vec::with_capacity(self.len());
        self.whole.iter().for_each(|piece| all.extend_from_slice(piece));
        all.extend_from_slice(&self.tail);
        all
    }
}
