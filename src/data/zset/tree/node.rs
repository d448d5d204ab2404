//! Leaves and inner nodes, and what is done from a node downwards.

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

pub(super) struct Leaf<E> {
    pub(super) items: [E; LEAF_MAX],
    pub(super) len: u16,
}

pub(super) struct Inner<E> {
    pub(super) firsts: [E; INNER_MAX],
    pub(super) counts: [usize; INNER_MAX],
    pub(super) children: [Option<Node<E>>; INNER_MAX],
    pub(super) len: u16,
}

/// The children of one node are all of one kind: every leaf is equally deep.
pub(super) enum Node<E> {
    Leaf(Box<Leaf<E>>),
    Inner(Box<Inner<E>>),
}

/// Which edges of the tree a node lies on.
#[derive(Clone, Copy)]
pub(super) struct Edges {
    pub(super) first: bool,
    pub(super) last: bool,
}

/// Puts `item` in front of index `at` of the `len` items in use, of which there are fewer than there is room for.
#[inline]
fn insert_into<T: Copy>(items: &mut [T], len: usize, at: usize, item: T) {
    items.copy_within(at..len, at + 1);
    items[at] = item;
}

impl<E: Copy> Leaf<E> {
    /// A leaf of these items; there is at least one.
    pub(super) fn new(items: &[E]) -> Box<Self> {
        let mut leaf = Box::new(Self { items: [items[0]; LEAF_MAX], len: items.len() as u16 });
        leaf.items[..items.len()].copy_from_slice(items);
        leaf
    }

    #[inline]
    pub(super) fn items(&self) -> &[E] {
        &self.items[..usize::from(self.len)]
    }

    /// Adds an element; returns the leaf that belongs behind this one if it had to be split.
    #[inline]
    fn insert(&mut self, item: E, before: &impl Fn(&E) -> bool, edges: Edges) -> Option<Box<Self>> {
        let at = self.items().partition_point(before);
        if usize::from(self.len) < LEAF_MAX {
            insert_into(&mut self.items, usize::from(self.len), at, item);
            self.len += 1;
            return None;
        }
        Some(self.split(item, at, edges))
    }

    #[cold]
    fn split(&mut self, item: E, at: usize, edges: Edges) -> Box<Self> {
        if at == LEAF_MAX && edges.last {
            return Self::new(&[item]);
        }
        if at == 0 && edges.first {
            let behind = Self::new(&self.items);
            self.items[0] = item;
            self.len = 1;
            return behind;
        }
        let half = LEAF_MAX.div_ceil(2);
        let mut behind = Self::new(&self.items[half..]);
        self.len = half as u16;
        let (leaf, at) = if at <= half { (self, at) } else { (&mut *behind, at - half) };
        insert_into(&mut leaf.items, usize::from(leaf.len), at, item);
        leaf.len += 1;
        behind
    }

    fn remove(&mut self, range: Range<usize>) {
        self.items.copy_within(range.end..usize::from(self.len), range.start);
        self.len -= range.len() as u16;
    }
}

impl<E: Copy> Inner<E> {
    /// A node above this child.
    pub(super) fn new(child: Node<E>) -> Box<Self> {
        let first = child.first();
        let mut inner =
            Box::new(Self { firsts: [first; INNER_MAX], counts: [0; INNER_MAX], children: [const { None }; INNER_MAX], len: 0 });
        inner.put(0, child);
        inner
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        usize::from(self.len)
    }

    #[inline]
    pub(super) fn firsts(&self) -> &[E] {
        &self.firsts[..self.len()]
    }

    #[inline]
    pub(super) fn counts(&self) -> &[usize] {
        &self.counts[..self.len()]
    }

    #[inline]
    pub(super) fn child(&self, at: usize) -> &Node<E> {
        self.children[at].as_ref().expect("there are as many children as the length says")
    }

    #[inline]
    fn child_mut(&mut self, at: usize) -> &mut Node<E> {
        self.children[at].as_mut().expect("there are as many children as the length says")
    }

    /// The child below which a place lies that comes behind those elements of which `before` is true.
    #[inline]
    pub(super) fn at_place(&self, before: &impl Fn(&E) -> bool) -> usize {
        self.firsts().partition_point(before).saturating_sub(1)
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
    pub(super) fn put(&mut self, at: usize, child: Node<E>) {
        let len = self.len();
        insert_into(&mut self.firsts, len, at, child.first());
        insert_into(&mut self.counts, len, at, child.count());
        self.children[len] = Some(child);
        self.children[at..=len].rotate_right(1);
        self.len += 1;
    }

    pub(super) fn take(&mut self, at: usize) -> Node<E> {
        let len = self.len();
        self.firsts.copy_within(at + 1..len, at);
        self.counts.copy_within(at + 1..len, at);
        self.children[at..len].rotate_left(1);
        self.len -= 1;
        self.children[len - 1].take().expect("there are as many children as the length says")
    }

    /// Moves the children from number `at` on to a node of their own. There is at least one.
    fn split_off(&mut self, at: usize) -> Box<Self> {
        let mut behind =
            Box::new(Self { firsts: [self.firsts[at]; INNER_MAX], counts: [0; INNER_MAX], children: [const { None }; INNER_MAX], len: 0 });
        self.hand_over(at, &mut behind);
        behind
    }

    /// Moves the children from number `at` on behind those of another, where there is room for them.
    fn hand_over(&mut self, at: usize, to: &mut Self) {
        let (len, end) = (self.len(), to.len());
        let count = len - at;
        to.firsts[end..end + count].copy_from_slice(&self.firsts[at..len]);
        to.counts[end..end + count].copy_from_slice(&self.counts[at..len]);
        to.children[end..end + count].iter_mut().zip(&mut self.children[at..len]).for_each(|(to, from)| *to = from.take());
        to.len += count as u16;
        self.len = at as u16;
    }

    #[inline]
    fn insert(&mut self, item: E, before: &impl Fn(&E) -> bool, edges: Edges) -> Option<Box<Self>> {
        let after = self.firsts().partition_point(before);
        let at = after.saturating_sub(1);
        if after == 0 {
            self.firsts[0] = item;
        }
        let below = Edges { first: edges.first && at == 0, last: edges.last && at + 1 == self.len() };
        self.counts[at] += 1;
        let behind = self.child_mut(at).insert(item, before, below)?;
        self.counts[at] -= behind.count();
        if self.len() < INNER_MAX {
            self.put(at + 1, behind);
            return None;
        }
        Some(self.split(at + 1, behind, edges))
    }

    #[cold]
    fn split(&mut self, at: usize, child: Node<E>, edges: Edges) -> Box<Self> {
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
        self.firsts[at] = first;
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
                (Node::Leaf(left), Node::Leaf(right)) => {
                    let len = usize::from(left.len);
                    left.items[len..both].copy_from_slice(right.items());
                    left.len = both as u16;
                }
                (Node::Inner(left), Node::Inner(mut right)) => right.hand_over(0, left),
                _ => unreachable!("every leaf is equally deep"),
            }
            return;
        }
    }
}

impl<E: Copy> Node<E> {
    #[inline]
    pub(super) fn first(&self) -> E {
        match self {
            Self::Leaf(leaf) => leaf.items[0],
            Self::Inner(inner) => inner.firsts[0],
        }
    }

    /// Elements below it.
    fn count(&self) -> usize {
        match self {
            Self::Leaf(leaf) => usize::from(leaf.len),
            Self::Inner(inner) => inner.counts().iter().sum(),
        }
    }

    /// Elements of a leaf, children of an inner node.
    #[inline]
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Leaf(leaf) => usize::from(leaf.len),
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

    pub(super) fn insert(&mut self, item: E, before: &impl Fn(&E) -> bool, edges: Edges) -> Option<Self> {
        match self {
            Self::Leaf(leaf) => leaf.insert(item, before, edges).map(Self::Leaf),
            Self::Inner(inner) => inner.insert(item, before, edges).map(Self::Inner),
        }
    }

    pub(super) fn remove_last_of(&mut self, before: &impl Fn(&E) -> bool) {
        match self {
            Self::Leaf(leaf) => {
                let at = leaf.items().partition_point(before) - 1;
                leaf.remove(at..at + 1);
            }
            Self::Inner(inner) => {
                let at = inner.at_place(before);
                inner.child_mut(at).remove_last_of(before);
                inner.removed(at, 1);
            }
        }
    }

    pub(super) fn remove_some(&mut self, rank: usize, count: usize, each: &mut impl FnMut(E)) -> usize {
        match self {
            Self::Leaf(leaf) => {
                let end = usize::from(leaf.len).min(rank.saturating_add(count));
                leaf.items[rank..end].iter().copied().for_each(each);
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
            Self::Leaf(_) => size_of::<Leaf<E>>(),
            Self::Inner(inner) => match inner.child(0) {
                Self::Leaf(_) => size_of::<Inner<E>>() + inner.len() * size_of::<Leaf<E>>(),
                Self::Inner(_) => size_of::<Inner<E>>() + inner.children.iter().flatten().map(Self::bytes).sum::<usize>(),
            },
        }
    }
}
