//! A B+tree that knows how many elements lie in front of any of its own: the ordered side of a sorted set.
//!
//! ```text
//! inner node   for each child: its first element, how many elements are below it, and itself
//! leaf         up to 63 elements in order: with 16 bytes each, one kilobyte
//! ```
//!
//! The tree compares nothing by itself: whoever looks for a place says of an element whether it comes before that place, and so the order
//! is the caller's. An inner node's firsts are exactly its children's, so that no element that has been taken out is ever shown again.
//!
//! A search takes branches, on purpose: the processor guesses on and asks for the next line meanwhile. Without them each waits for the one
//! before, and where the lines are not at hand, which is where it matters, that takes a third longer.
//!
//! A full leaf at the edge of the tree stays full when what comes next goes beyond it, so that elements that come in order fill theirs.

mod node;
#[cfg(test)]
mod tests;

use crate::data::trash::Garbage;
use node::{Edges, Inner, Leaf, Node};
use std::{iter::FusedIterator, ops::Range, slice};

/// Leaves freed in a slice.
const LEAVES_PER_SLICE: usize = 16;

/// Elements in an order that the caller keeps.
pub struct Tree<E> {
    root: Option<Node<E>>,
    len: usize,
}

impl<E> Default for Tree<E> {
    fn default() -> Self {
        Self { root: None, len: 0 }
    }
}

impl<E: Copy> Tree<E> {
    /// Number of elements.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Adds an element behind those of which `before` is true, which are the first ones.
    pub fn insert(&mut self, item: E, before: impl Fn(&E) -> bool) {
        self.len += 1;
        let Some(root) = &mut self.root else {
            self.root = Some(Node::Leaf(Leaf::new(&[item])));
            return;
        };
        if let Some(behind) = root.insert(item, &before, Edges { first: true, last: true })
            && let Some(root) = self.root.take()
        {
            let mut above = Inner::new(root);
            above.put(1, behind);
            self.root = Some(Node::Inner(above));
        }
    }

    /// Adds an element behind all others.
    pub fn push(&mut self, item: E) {
        self.insert(item, |_: &E| true);
    }

    /// Takes out the last one of the elements of which `up_to` is true, which are the first ones. There is one.
    pub fn remove_last_of(&mut self, up_to: impl Fn(&E) -> bool) {
        if let Some(root) = &mut self.root {
            root.remove_last_of(&up_to);
            self.len -= 1;
            self.lower();
        }
    }

    /// Takes out the elements in this range of ranks, and shows each.
    pub fn remove_range(&mut self, range: Range<usize>, mut each: impl FnMut(E)) {
        let mut left = range.end.min(self.len).saturating_sub(range.start);
        while let Some(root) = self.root.as_mut().filter(|_| left > 0) {
            let gone = root.remove_some(range.start, left, &mut each);
            left -= gone;
            self.len -= gone;
            self.lower();
        }
    }

    /// Takes nodes off the top that have become one child or nothing.
    #[inline]
    fn lower(&mut self) {
        if self.len == 0 {
            self.root = None;
        }
        while let Some(Node::Inner(inner)) = &mut self.root
            && inner.len == 1
        {
            let child = inner.take(0);
            self.root = Some(child);
        }
    }

    /// How many elements there are of which `before` is true, which are the first ones.
    pub fn rank(&self, before: impl Fn(&E) -> bool) -> usize {
        let mut rank = 0;
        let mut node = self.root.as_ref();
        while let Some(Node::Inner(inner)) = node {
            let at = inner.at_place(&before);
            rank += inner.counts[..at].iter().sum::<usize>();
            node = Some(inner.child(at));
        }
        match node {
            Some(Node::Leaf(leaf)) => rank + leaf.items().partition_point(before),
            _ => rank,
        }
    }

    /// The leaf that has element number `rank`, and its number there; nothing when there are not so many.
    fn leaf_at(&self, mut rank: usize) -> (&[E], usize) {
        if rank >= self.len {
            return (&[], 0);
        }
        let mut node = self.root.as_ref();
        while let Some(Node::Inner(inner)) = node {
            let (at, below) = inner.at_rank(rank);
            rank = below;
            node = Some(inner.child(at));
        }
        match node {
            Some(Node::Leaf(leaf)) => (leaf.items(), rank),
            _ => (&[], 0),
        }
    }

    /// Element number `rank`.
    pub fn get(&self, rank: usize) -> Option<E> {
        let (leaf, at) = self.leaf_at(rank);
        leaf.get(at).copied()
    }

    /// The elements in this range of ranks.
    pub fn iter(&self, range: Range<usize>) -> Iter<'_, E> {
        let end = range.end.min(self.len);
        Iter { tree: self, left: range.start.min(end)..end, ahead: [].iter(), behind: [].iter() }
    }

    /// Bytes that its nodes take.
    pub fn bytes(&self) -> usize {
        self.root.as_ref().map_or(0, Node::bytes)
    }
}

impl<E: Copy> Garbage for Tree<E> {
    fn free_slice(&mut self) -> bool {
        for _ in 0..LEAVES_PER_SLICE {
            if self.root.as_mut().is_none_or(Node::free_last) {
                self.root = None;
                self.len = 0;
                return false;
            }
        }
        true
    }

    fn len(&self) -> usize {
        self.len
    }
}

/// Elements in order, from both ends.
pub struct Iter<'a, E> {
    tree: &'a Tree<E>,
    /// Ranks not yet shown.
    left: Range<usize>,
    ahead: slice::Iter<'a, E>,
    behind: slice::Iter<'a, E>,
}

impl<E: Copy> Iterator for Iter<'_, E> {
    type Item = E;

    #[inline]
    fn next(&mut self) -> Option<E> {
        let rank = self.left.next()?;
        if self.ahead.len() == 0 {
            let (leaf, at) = self.tree.leaf_at(rank);
            self.ahead = leaf[at..].iter();
        }
        self.ahead.next().copied()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.left.size_hint()
    }
}

impl<E: Copy> DoubleEndedIterator for Iter<'_, E> {
    #[inline]
    fn next_back(&mut self) -> Option<E> {
        let rank = self.left.next_back()?;
        if self.behind.len() == 0 {
            let (leaf, at) = self.tree.leaf_at(rank);
            self.behind = leaf[..=at].iter();
        }
        self.behind.next_back().copied()
    }
}

impl<E: Copy> ExactSizeIterator for Iter<'_, E> {}
impl<E: Copy> FusedIterator for Iter<'_, E> {}
