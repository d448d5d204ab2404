//! A B+tree that knows how many elements lie in front of any of its own: the ordered side of a sorted set.
//!
//! ```text
//! inner node   for each child: its first element, how many elements are below it, and itself
//! leaf         up to 63 elements in order: with 16 bytes each, one kilobyte
//! ```
//!
//! An element is a score and a link to what has that score. The tree follows no link and compares nothing by itself: a [`Boundary`] says how many
//! elements of a node come before it, and so the order is the caller's. An inner node's firsts are exactly its children's, so that no element
//! that has been taken out is ever shown again.
//!
//! A node keeps its scores in a row, apart from the links, to be counted and not to be searched ([`count_below`]): there is no branch to guess,
//! and no line of the memory whose address waits for another's.
//!
//! A full leaf at the edge of the tree stays full when what comes next goes beyond it, so that elements that come in order fill theirs.

mod elem;
mod node;
#[cfg(test)]
mod tests;

use crate::data::{moving::Mover, trash::Garbage};
pub use elem::{Boundary, Elem, count_below};
use node::{Edges, Inner, Leaf, Node, total};
use std::{
    iter::FusedIterator,
    ops::{ControlFlow, Range},
};

/// Leaves freed in a slice.
const LEAVES_PER_SLICE: usize = 16;

/// Behind all elements.
struct BehindAll;

impl<L> Boundary<L> for BehindAll {
    fn count_before(&self, _: &[f64], links: &[L]) -> usize {
        links.len()
    }
}

/// Elements in an order that the caller keeps.
pub struct Tree<L> {
    root: Option<Node<L>>,
    len: usize,
}

impl<L> Default for Tree<L> {
    fn default() -> Self {
        Self { root: None, len: 0 }
    }
}

impl<L: Copy + PartialEq> Tree<L> {
    /// Number of elements.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Adds an element at its place.
    pub fn insert(&mut self, elem: Elem<L>, place: &impl Boundary<L>) {
        self.len += 1;
        let Some(root) = &mut self.root else {
            self.root = Some(Node::Leaf(Leaf::new(elem)));
            return;
        };
        if let Some(behind) = root.insert(elem, place, Edges { first: true, last: true })
            && let Some(root) = self.root.take()
        {
            let mut above = Inner::new(root);
            above.put(1, behind);
            self.root = Some(Node::Inner(above));
        }
    }

    /// Adds an element behind all others.
    pub fn push(&mut self, elem: Elem<L>) {
        self.insert(elem, &BehindAll);
    }

    /// Takes out an element that is there; `behind` is the place behind it.
    pub fn remove(&mut self, elem: Elem<L>, behind: &impl Boundary<L>) {
        if let Some(root) = &mut self.root {
            root.remove(elem, behind);
            self.len -= 1;
            self.lower();
        }
    }

    /// Has an element that is there lead elsewhere, to what is equal to what it leads to; `behind` is the place behind it.
    pub fn relink(&mut self, elem: Elem<L>, link: L, behind: &impl Boundary<L>) {
        if let Some(root) = &mut self.root {
            root.relink(elem, link, behind);
        }
    }

    /// Moves the nodes of the elements from number `rank` on until `mover` is spent; says at which element to go on.
    pub fn relocate(&mut self, mut rank: usize, mover: &mut Mover) -> Option<usize> {
        let root = self.root.as_mut()?;
        while rank < self.len {
            rank += root.relocate(rank, mover);
            if mover.is_spent() {
                return Some(rank);
            }
        }
        None
    }

    /// Takes out the elements in this range of ranks, and shows each.
    pub fn remove_range(&mut self, range: Range<usize>, mut each: impl FnMut(Elem<L>)) {
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

    /// How many elements come before a place.
    pub fn rank(&self, place: &impl Boundary<L>) -> usize {
        let mut rank = 0;
        let mut node = self.root.as_ref();
        while let Some(Node::Inner(inner)) = node {
            let at = inner.at_place(place);
            rank += total(&inner.counts[..at]);
            node = Some(inner.child(at));
        }
        match node {
            Some(Node::Leaf(leaf)) => rank + leaf.count_before(place),
            _ => rank,
        }
    }

    /// The leaf that has element number `rank`, and its number there; `None` when there are not so many.
    fn leaf_at(&self, mut rank: usize) -> Option<(&Leaf<L>, usize)> {
        if rank >= self.len {
            return None;
        }
        let mut node = self.root.as_ref();
        while let Some(Node::Inner(inner)) = node {
            let (at, below) = inner.at_rank(rank);
            rank = below;
            node = Some(inner.child(at));
        }
        match node {
            Some(Node::Leaf(leaf)) => Some((leaf, rank)),
            _ => None,
        }
    }

    /// Element number `rank`.
    pub fn get(&self, rank: usize) -> Option<Elem<L>> {
        self.leaf_at(rank).map(|(leaf, at)| leaf.row.get(at))
    }

    /// The elements in this range of ranks.
    pub fn iter(&self, range: Range<usize>) -> Iter<'_, L> {
        let end = range.end.min(self.len);
        Iter { tree: self, left: range.start.min(end)..end, ahead: Part::none(), behind: Part::none() }
    }

    /// Shows the elements in this range of ranks, those of a leaf together, until `visit` has enough.
    pub fn visit<'a>(&'a self, mut range: Range<usize>, mut visit: impl FnMut(&'a [f64], &'a [L]) -> ControlFlow<()>) -> ControlFlow<()> {
        while !range.is_empty()
            && let Some((leaf, at)) = self.leaf_at(range.start)
        {
            let end = leaf.len().min(at.saturating_add(range.len()));
            visit(&leaf.scores()[at..end], &leaf.links()[at..end])?;
            range.start += end - at;
        }
        ControlFlow::Continue(())
    }

    /// Bytes that its nodes take.
    pub fn bytes(&self) -> usize {
        self.root.as_ref().map_or(0, Node::bytes)
    }
}

impl<L: Copy + PartialEq> Garbage for Tree<L> {
    fn bytes(&self) -> usize {
        // A leaf is two thirds full or more, for long.
        self.len * (size_of::<f64>() + size_of::<L>()) * 3 / 2
    }

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

/// Elements of a leaf in a row.
struct Part<'a, L> {
    scores: &'a [f64],
    links: &'a [L],
}

impl<'a, L: Copy + PartialEq> Part<'a, L> {
    const fn none() -> Self {
        Self { scores: &[], links: &[] }
    }

    /// Of a tree, those of a leaf from element number `rank` on.
    fn from(tree: &'a Tree<L>, rank: usize) -> Self {
        let part = |(leaf, at): (&'a Leaf<L>, usize)| Self { scores: &leaf.scores()[at..], links: &leaf.links()[at..] };
        tree.leaf_at(rank).map_or(Self::none(), part)
    }

    /// Of a tree, those of a leaf up to element number `rank`.
    fn up_to(tree: &'a Tree<L>, rank: usize) -> Self {
        let part = |(leaf, at): (&'a Leaf<L>, usize)| Self { scores: &leaf.scores()[..=at], links: &leaf.links()[..=at] };
        tree.leaf_at(rank).map_or(Self::none(), part)
    }

    #[inline]
    fn pop_front(&mut self) -> Option<Elem<L>> {
        let ((&score, scores), (&link, links)) = (self.scores.split_first()?, self.links.split_first()?);
        *self = Self { scores, links };
        Some(Elem { score, link })
    }

    #[inline]
    fn pop_back(&mut self) -> Option<Elem<L>> {
        let ((&score, scores), (&link, links)) = (self.scores.split_last()?, self.links.split_last()?);
        *self = Self { scores, links };
        Some(Elem { score, link })
    }
}

/// Elements in order, from both ends.
pub struct Iter<'a, L> {
    tree: &'a Tree<L>,
    /// Ranks not yet shown.
    left: Range<usize>,
    ahead: Part<'a, L>,
    behind: Part<'a, L>,
}

impl<L: Copy + PartialEq> Iterator for Iter<'_, L> {
    type Item = Elem<L>;

    #[inline]
    fn next(&mut self) -> Option<Elem<L>> {
        let rank = self.left.next()?;
        if self.ahead.scores.is_empty() {
            self.ahead = Part::from(self.tree, rank);
        }
        self.ahead.pop_front()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.left.size_hint()
    }
}

impl<L: Copy + PartialEq> DoubleEndedIterator for Iter<'_, L> {
    #[inline]
    fn next_back(&mut self) -> Option<Elem<L>> {
        let rank = self.left.next_back()?;
        if self.behind.scores.is_empty() {
            self.behind = Part::up_to(self.tree, rank);
        }
        self.behind.pop_back()
    }
}

impl<L: Copy + PartialEq> ExactSizeIterator for Iter<'_, L> {}
impl<L: Copy + PartialEq> FusedIterator for Iter<'_, L> {}
