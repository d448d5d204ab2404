//! Leaves and inner nodes, and what is done from a node downwards.

use super::elem::{Boundary, EIGHT, Elem, count_below};
use crate::data::moving::Mover;
use std::ops::Range;

/// Elements of a leaf: with 16 bytes each and the leaf's own length, 1 KiB.
pub(super) const LEAF_MAX: usize = 63;
/// Children of an inner node.
const INNER_MAX: usize = 48;
/// A node with fewer than this joins its neighbour when both together are no more than [`joined_max`].
const fn few(max: usize) -> usize {
    max * 2 / 5
}
/// Leaves room behind a joint, so that the next insertion does not part it again.
const fn joined_max(max: usize) -> usize {
    max * 4 / 5
}

/// Room for some elements: their scores apart, because a search reads all of those and hardly any link. Scores that are not in use are infinite.
#[repr(C)]
pub(super) struct Row<L, const N: usize> {
    pub(super) scores: [f64; N],
    links: [L; N],
}

#[repr(C)]
pub(super) struct Leaf<L> {
    pub(super) row: Row<L, LEAF_MAX>,
    pub(super) len: u16,
}

#[repr(C)]
pub(super) struct Inner<L> {
    pub(super) firsts: Row<L, INNER_MAX>,
    pub(super) counts: [usize; INNER_MAX],
    pub(super) children: [Option<Node<L>>; INNER_MAX],
    pub(super) len: u16,
}

/// The children of one node are all of one kind: every leaf is equally deep.
pub(super) enum Node<L> {
    Leaf(Box<Leaf<L>>),
    Inner(Box<Inner<L>>),
}

/// Which edges of the tree a node lies on.
#[derive(Clone, Copy)]
pub(super) struct Edges {
    pub(super) first: bool,
    pub(super) last: bool,
}

/// How many elements are below so many children: never more than there are.
#[inline]
pub(super) fn total(counts: &[usize]) -> usize {
    counts.iter().fold(0, |total, count| total.wrapping_add(*count))
}

/// Puts `item` in front of index `at` of the `len` items in use, of which there are fewer than there is room for.
#[inline]
fn insert_into<T: Copy>(items: &mut [T], len: usize, at: usize, item: T) {
    items.copy_within(at..len, at + 1);
    items[at] = item;
}

impl<L: Copy, const N: usize> Row<L, N> {
    /// Without an element, but for links to be written over.
    fn empty(link: L) -> Self {
        Self { scores: [f64::INFINITY; N], links: [link; N] }
    }

    #[inline]
    pub(super) fn get(&self, at: usize) -> Elem<L> {
        Elem { score: self.scores[at], link: self.links[at] }
    }

    #[inline]
    fn set(&mut self, at: usize, elem: Elem<L>) {
        (self.scores[at], self.links[at]) = (elem.score, elem.link);
    }

    /// How many of the first `len` elements lie in front of a place.
    #[inline]
    fn count_before(&self, len: usize, place: &impl Boundary<L>) -> usize {
        place.count_before(self.in_use(len), &self.links[..len])
    }

    /// The first `len` scores, and infinite ones up to a multiple of [`EIGHT`] if there is room for them.
    #[inline]
    fn in_use(&self, len: usize) -> &[f64] {
        &self.scores[..len.next_multiple_of(EIGHT).min(N)]
    }

    #[inline]
    fn insert(&mut self, len: usize, at: usize, elem: Elem<L>) {
        insert_into(&mut self.scores, len, at, elem.score);
        insert_into(&mut self.links, len, at, elem.link);
    }

    /// Takes these out of the first `len` elements.
    #[inline]
    fn remove(&mut self, len: usize, range: Range<usize>) {
        self.scores.copy_within(range.end..len, range.start);
        self.links.copy_within(range.end..len, range.start);
        self.scores[len - range.len()..len].fill(f64::INFINITY);
    }

    /// Moves these elements, which are the last ones in use, to another row, from number `at` on.
    fn hand_over(&mut self, range: Range<usize>, to: &mut Self, at: usize) {
        to.scores[at..at + range.len()].copy_from_slice(&self.scores[range.clone()]);
        to.links[at..at + range.len()].copy_from_slice(&self.links[range.clone()]);
        self.scores[range].fill(f64::INFINITY);
    }
}

impl<L: Copy + PartialEq> Leaf<L> {
    /// A leaf of one element.
    pub(super) fn new(elem: Elem<L>) -> Box<Self> {
        let mut leaf = Box::new(Self { row: Row::empty(elem.link), len: 1 });
        leaf.row.set(0, elem);
        leaf
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        usize::from(self.len)
    }

    #[inline]
    pub(super) fn scores(&self) -> &[f64] {
        &self.row.scores[..self.len()]
    }

    #[inline]
    pub(super) fn links(&self) -> &[L] {
        &self.row.links[..self.len()]
    }

    #[inline]
    pub(super) fn count_before(&self, place: &impl Boundary<L>) -> usize {
        self.row.count_before(self.len(), place)
    }

    /// The number of an element that is here. Follows no link, and so reads nothing but the leaf.
    #[inline]
    fn find(&self, elem: Elem<L>) -> usize {
        let below = count_below(self.row.in_use(self.len()), elem.score);
        below + self.links()[below..].iter().position(|link| *link == elem.link).expect("the element is where its place is")
    }

    /// Adds an element; returns the leaf that belongs behind this one if it had to be split.
    #[inline]
    fn insert(&mut self, elem: Elem<L>, place: &impl Boundary<L>, edges: Edges) -> Option<Box<Self>> {
        let at = self.count_before(place);
        if self.len() < LEAF_MAX {
            self.row.insert(self.len(), at, elem);
            self.len += 1;
            return None;
        }
        Some(self.split(elem, at, edges))
    }

    #[cold]
    fn split(&mut self, elem: Elem<L>, at: usize, edges: Edges) -> Box<Self> {
        if at == LEAF_MAX && edges.last {
            return Self::new(elem);
        }
        if at == 0 && edges.first {
            let behind = self.split_off(0);
            self.row.set(0, elem);
            self.len = 1;
            return behind;
        }
        let half = LEAF_MAX.div_ceil(2);
        let mut behind = self.split_off(half);
        let (leaf, at) = if at <= half { (self, at) } else { (&mut *behind, at - half) };
        leaf.row.insert(leaf.len(), at, elem);
        leaf.len += 1;
        behind
    }

    /// Moves the elements from number `at` on to a leaf of their own. There is at least one.
    fn split_off(&mut self, at: usize) -> Box<Self> {
        let mut behind = Self::new(self.row.get(at));
        self.row.hand_over(at..self.len(), &mut behind.row, 0);
        behind.len = self.len - at as u16;
        self.len = at as u16;
        behind
    }

    #[inline]
    fn remove(&mut self, range: Range<usize>) {
        let gone = range.len() as u16;
        self.row.remove(self.len(), range);
        self.len -= gone;
    }
}

impl<L: Copy + PartialEq> Inner<L> {
    /// A node without a child.
    fn empty(link: L) -> Box<Self> {
        Box::new(Self { firsts: Row::empty(link), counts: [0; INNER_MAX], children: [const { None }; INNER_MAX], len: 0 })
    }

    /// A node above this child.
    pub(super) fn new(child: Node<L>) -> Box<Self> {
        let mut inner = Self::empty(child.first().link);
        inner.put(0, child);
        inner
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        usize::from(self.len)
    }

    #[inline]
    pub(super) fn counts(&self) -> &[usize] {
        &self.counts[..self.len()]
    }

    #[inline]
    pub(super) fn child(&self, at: usize) -> &Node<L> {
        self.children[at].as_ref().expect("there are as many children as the length says")
    }

    #[inline]
    fn child_mut(&mut self, at: usize) -> &mut Node<L> {
        self.children[at].as_mut().expect("there are as many children as the length says")
    }

    /// The child below which a place lies.
    #[inline]
    pub(super) fn at_place(&self, place: &impl Boundary<L>) -> usize {
        self.firsts.count_before(self.len(), place).saturating_sub(1)
    }

    /// The child below which element number `rank` is, and its number there.
    #[inline]
    pub(super) fn at_rank(&self, mut rank: usize) -> (usize, usize) {
        for (at, &count) in self.counts().iter().enumerate() {
            if rank < count {
                return (at, rank);
            }
            rank -= count;
        }
        unreachable!("a rank is below the number of elements")
    }

    /// Puts a child in front of number `at`. There is room.
    pub(super) fn put(&mut self, at: usize, child: Node<L>) {
        let len = self.len();
        self.firsts.insert(len, at, child.first());
        insert_into(&mut self.counts, len, at, child.count());
        self.children[len] = Some(child);
        self.children[at..=len].rotate_right(1);
        self.len += 1;
    }

    pub(super) fn take(&mut self, at: usize) -> Node<L> {
        let len = self.len();
        self.firsts.remove(len, at..at + 1);
        self.counts.copy_within(at + 1..len, at);
        self.children[at..len].rotate_left(1);
        self.len -= 1;
        self.children[len - 1].take().expect("there are as many children as the length says")
    }

    /// Moves the children from number `at` on to a node of their own. There is at least one.
    fn split_off(&mut self, at: usize) -> Box<Self> {
        let mut behind = Self::empty(self.firsts.get(at).link);
        self.hand_over(at, &mut behind);
        behind
    }

    /// Moves the children from number `at` on behind those of another, where there is room for them.
    fn hand_over(&mut self, at: usize, to: &mut Self) {
        let (len, end) = (self.len(), to.len());
        let count = len - at;
        self.firsts.hand_over(at..len, &mut to.firsts, end);
        to.counts[end..end + count].copy_from_slice(&self.counts[at..len]);
        to.children[end..end + count].iter_mut().zip(&mut self.children[at..len]).for_each(|(to, from)| *to = from.take());
        to.len += count as u16;
        self.len = at as u16;
    }

    #[inline]
    fn insert(&mut self, elem: Elem<L>, place: &impl Boundary<L>, edges: Edges) -> Option<Box<Self>> {
        let before = self.firsts.count_before(self.len(), place);
        let at = before.saturating_sub(1);
        if before == 0 {
            self.firsts.set(0, elem);
        }
        let below = Edges { first: edges.first && at == 0, last: edges.last && at + 1 == self.len() };
        self.counts[at] += 1;
        let behind = self.child_mut(at).insert(elem, place, below)?;
        self.counts[at] -= behind.count();
        if self.len() < INNER_MAX {
            self.put(at + 1, behind);
            return None;
        }
        Some(self.split(at + 1, behind, edges))
    }

    #[cold]
    fn split(&mut self, at: usize, child: Node<L>, edges: Edges) -> Box<Self> {
        if at == INNER_MAX && edges.last {
            return Self::new(child);
        }
        // A child that stands alone at the front leaves the others in a full node, but for one place where there is none yet.
        let half = if at == 1 && edges.first { 1 } else { INNER_MAX.div_ceil(2) };
        let mut behind = self.split_off(half);
        if at <= half && half > 1 {
            self.put(at, child);
        } else {
            behind.put(at - half, child);
        }
        behind
    }

    /// Puts right what removals below child number `at` have left, of which there were `gone`.
    #[inline]
    fn removed(&mut self, at: usize, gone: usize) {
        self.counts[at] -= gone;
        if self.counts[at] == 0 {
            self.take(at);
            return;
        }
        let child = self.child(at);
        let (first, few) = (child.first(), child.len() < few(child.max()));
        self.firsts.set(at, first);
        if few {
            self.join(at);
        }
    }

    /// Joins child number `at` with a neighbour if one is small enough.
    #[cold]
    fn join(&mut self, at: usize) {
        for left in [Some(at), at.checked_sub(1)].into_iter().flatten() {
            if left + 1 >= self.len() {
                continue;
            }
            let both = self.child(left).len() + self.child(left + 1).len();
            if both > joined_max(self.child(at).max()) {
                continue;
            }
            let count = self.counts[left + 1];
            let right = self.take(left + 1);
            self.counts[left] += count;
            match (self.child_mut(left), right) {
                (Node::Leaf(left), Node::Leaf(mut right)) => {
                    let (len, gone) = (left.len(), right.len());
                    right.row.hand_over(0..gone, &mut left.row, len);
                    left.len = both as u16;
                }
                (Node::Inner(left), Node::Inner(mut right)) => right.hand_over(0, left),
                _ => unreachable!("every leaf is equally deep"),
            }
            return;
        }
    }
}

impl<L: Copy + PartialEq> Node<L> {
    #[inline]
    pub(super) fn first(&self) -> Elem<L> {
        match self {
            Self::Leaf(leaf) => leaf.row.get(0),
            Self::Inner(inner) => inner.firsts.get(0),
        }
    }

    /// Elements below it.
    fn count(&self) -> usize {
        match self {
            Self::Leaf(leaf) => leaf.len(),
            Self::Inner(inner) => total(inner.counts()),
        }
    }

    /// Elements of a leaf, children of an inner node.
    #[inline]
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Leaf(leaf) => leaf.len(),
            Self::Inner(inner) => inner.len(),
        }
    }

    #[inline]
    fn max(&self) -> usize {
        match self {
            Self::Leaf(_) => LEAF_MAX,
            Self::Inner(_) => INNER_MAX,
        }
    }

    pub(super) fn insert(&mut self, elem: Elem<L>, place: &impl Boundary<L>, edges: Edges) -> Option<Self> {
        match self {
            Self::Leaf(leaf) => leaf.insert(elem, place, edges).map(Self::Leaf),
            Self::Inner(inner) => inner.insert(elem, place, edges).map(Self::Inner),
        }
    }

    pub(super) fn remove(&mut self, elem: Elem<L>, behind: &impl Boundary<L>) {
        match self {
            Self::Leaf(leaf) => {
                let at = leaf.find(elem);
                leaf.remove(at..at + 1);
            }
            Self::Inner(inner) => {
                let at = inner.at_place(behind);
                inner.child_mut(at).remove(elem, behind);
                inner.removed(at, 1);
            }
        }
    }

    /// Has an element that is there lead elsewhere, here and in every node above that has it as its first.
    pub(super) fn relink(&mut self, elem: Elem<L>, link: L, behind: &impl Boundary<L>) {
        match self {
            Self::Leaf(leaf) => {
                let at = leaf.find(elem);
                leaf.row.links[at] = link;
            }
            Self::Inner(inner) => {
                let at = inner.at_place(behind);
                if inner.firsts.links[at] == elem.link {
                    inner.firsts.links[at] = link;
                }
                inner.child_mut(at).relink(elem, link, behind);
            }
        }
    }

    /// Moves the leaf of element number `rank`, and those above that begin with it. Returns how many elements that leaf has from there on.
    pub(super) fn relocate(&mut self, rank: usize, mover: &mut Mover) -> usize {
        match self {
            Self::Leaf(leaf) => {
                mover.boxed(leaf);
                leaf.len() - rank
            }
            Self::Inner(inner) => {
                if rank == 0 {
                    mover.boxed(inner);
                }
                let (at, rank) = inner.at_rank(rank);
                inner.child_mut(at).relocate(rank, mover)
            }
        }
    }

    pub(super) fn remove_some(&mut self, rank: usize, count: usize, each: &mut impl FnMut(Elem<L>)) -> usize {
        match self {
            Self::Leaf(leaf) => {
                let end = leaf.len().min(rank.saturating_add(count));
                (rank..end).for_each(|at| each(leaf.row.get(at)));
                leaf.remove(rank..end);
                end - rank
            }
            Self::Inner(inner) => {
                let (at, rank) = inner.at_rank(rank);
                let gone = inner.child_mut(at).remove_some(rank, count, each);
                inner.removed(at, gone);
                gone
            }
        }
    }

    /// Frees the last leaf below it; says whether there is nothing left.
    pub(super) fn free_last(&mut self) -> bool {
        let Self::Inner(inner) = self else { return true };
        let last = inner.len() - 1;
        if inner.child_mut(last).free_last() {
            inner.take(last);
        }
        inner.len == 0
    }

    /// Bytes of the node and all below it. Looks at inner nodes only.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Leaf(_) => size_of::<Leaf<L>>(),
            Self::Inner(inner) => match inner.child(0) {
                Self::Leaf(_) => size_of::<Inner<L>>() + inner.len() * size_of::<Leaf<L>>(),
                Self::Inner(_) => size_of::<Inner<L>>() + inner.children.iter().flatten().map(Self::bytes).sum::<usize>(),
            },
        }
    }
}
