//! A B+tree that knows how many elements lie in front of any of its own: the ordered side of a sorted set.
//!
//! ```text
//! inner node   for each child: its first element, how many elements are below it, and itself
//! leaf         up to 63 elements in order: with 16 bytes each, one kilobyte
//! ```
//!
//! The tree compares nothing by itself: a [`Place`] says how many of some elements come before it, and so the order is the caller's. An
//! inner node's firsts are exactly its children's, so that no element that has been taken out is ever shown again.
//!
//! A full leaf at the edge of the tree stays full when what comes next goes beyond it, so that elements that come in order fill theirs.

use crate::data::trash::Garbage;
use std::{iter::FusedIterator, ops::Range, slice};

/// Elements of a leaf: with 16 bytes each and the leaf's own length, 1 KiB.
const LEAF_MAX: usize = 63;
/// Children of an inner node.
const INNER_MAX: usize = 48;
/// A node with fewer than this joins its neighbour when both together are no more than [`JOINED_MAX`].
const fn few(max: usize) -> usize {
    max / 4
}
/// Leaves room behind a joint, so that the next insertion does not part it again.
const fn joined_max(max: usize) -> usize {
    max * 3 / 4
}
/// Leaves freed in a slice.
const LEAVES_PER_SLICE: usize = 16;

struct Leaf<E> {
    items: [E; LEAF_MAX],
    len: u16,
}

struct Inner<E> {
    firsts: [E; INNER_MAX],
    counts: [usize; INNER_MAX],
    children: [Option<Node<E>>; INNER_MAX],
    len: u16,
}

/// The children of one node are all of one kind: every leaf is equally deep.
enum Node<E> {
    Leaf(Box<Leaf<E>>),
    Inner(Box<Inner<E>>),
}

/// Elements in an order that the caller keeps.
pub struct Tree<E> {
    root: Option<Node<E>>,
    len: usize,
}

/// A place in the order of the elements.
pub trait Place<E> {
    /// How many of these elements, which are in order, come before it.
    fn after(&self, items: &[E]) -> usize;
}

/// Says of an element whether it comes before the place.
impl<E, F: Fn(&E) -> bool> Place<E> for F {
    #[inline]
    fn after(&self, items: &[E]) -> usize {
        items.partition_point(self)
    }
}

/// Which edges of the tree a node lies on.
#[derive(Clone, Copy)]
struct Edges {
    first: bool,
    last: bool,
}

/// Puts `item` in front of index `at` of the `len` items in use, of which there are fewer than there is room for.
#[inline]
fn insert_into<T: Copy>(items: &mut [T], len: usize, at: usize, item: T) {
    items.copy_within(at..len, at + 1);
    items[at] = item;
}

impl<E: Copy> Leaf<E> {
    /// A leaf of these items; there is at least one.
    fn new(items: &[E]) -> Box<Self> {
        let mut leaf = Box::new(Self { items: [items[0]; LEAF_MAX], len: items.len() as u16 });
        leaf.items[..items.len()].copy_from_slice(items);
        leaf
    }

    #[inline]
    fn items(&self) -> &[E] {
        &self.items[..usize::from(self.len)]
    }

    /// Adds an element; returns the leaf that belongs behind this one if it had to be split.
    #[inline]
    fn insert(&mut self, item: E, place: &impl Place<E>, edges: Edges) -> Option<Box<Self>> {
        let at = place.after(self.items());
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
    fn new(child: Node<E>) -> Box<Self> {
        let first = child.first();
        let mut inner =
            Box::new(Self { firsts: [first; INNER_MAX], counts: [0; INNER_MAX], children: [const { None }; INNER_MAX], len: 0 });
        inner.put(0, child);
        inner
    }

    #[inline]
    fn len(&self) -> usize {
        usize::from(self.len)
    }

    #[inline]
    fn firsts(&self) -> &[E] {
        &self.firsts[..self.len()]
    }

    #[inline]
    fn counts(&self) -> &[usize] {
        &self.counts[..self.len()]
    }

    #[inline]
    fn child(&self, at: usize) -> &Node<E> {
        self.children[at].as_ref().expect("there are as many children as the length says")
    }

    #[inline]
    fn child_mut(&mut self, at: usize) -> &mut Node<E> {
        self.children[at].as_mut().expect("there are as many children as the length says")
    }

    /// The child below which a place lies.
    #[inline]
    fn at_place(&self, place: &impl Place<E>) -> usize {
        place.after(self.firsts()).saturating_sub(1)
    }

    /// The child below which element number `rank` is, and its number there.
    #[inline]
    fn at_rank(&self, mut rank: usize) -> (usize, usize) {
        for (at, &count) in self.counts().iter().enumerate() {
            if rank < count {
                return (at, rank);
            }
            rank -= count;
        }
        unreachable!("a rank is below the number of elements")
    }

    /// Puts a child in front of number `at`. There is room.
    fn put(&mut self, at: usize, child: Node<E>) {
        let len = self.len();
        insert_into(&mut self.firsts, len, at, child.first());
        insert_into(&mut self.counts, len, at, child.count());
        self.children[len] = Some(child);
        self.children[at..=len].rotate_right(1);
        self.len += 1;
    }

    fn take(&mut self, at: usize) -> Node<E> {
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
    fn insert(&mut self, item: E, place: &impl Place<E>, edges: Edges) -> Option<Box<Self>> {
        let after = place.after(self.firsts());
        let at = after.saturating_sub(1);
        if after == 0 {
            self.firsts[0] = item;
        }
        let below = Edges { first: edges.first && at == 0, last: edges.last && at + 1 == self.len() };
        self.counts[at] += 1;
        let behind = self.child_mut(at).insert(item, place, below)?;
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
    fn first(&self) -> E {
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
    fn len(&self) -> usize {
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

    fn insert(&mut self, item: E, place: &impl Place<E>, edges: Edges) -> Option<Self> {
        match self {
            Self::Leaf(leaf) => leaf.insert(item, place, edges).map(Self::Leaf),
            Self::Inner(inner) => inner.insert(item, place, edges).map(Self::Inner),
        }
    }

    fn remove_last_of(&mut self, place: &impl Place<E>) {
        match self {
            Self::Leaf(leaf) => {
                let at = place.after(leaf.items()) - 1;
                leaf.remove(at..at + 1);
            }
            Self::Inner(inner) => {
                let at = inner.at_place(place);
                inner.child_mut(at).remove_last_of(place);
                inner.removed(at, 1);
            }
        }
    }

    fn remove_some(&mut self, rank: usize, count: usize, each: &mut impl FnMut(E)) -> usize {
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
    fn free_last(&mut self) -> bool {
        let Self::Inner(inner) = self else { return true };
        let last = inner.len() - 1;
        if inner.child_mut(last).free_last() {
            inner.take(last);
        }
        inner.len == 0
    }

    /// Bytes of the node and all below it. Looks at inner nodes only.
    fn bytes(&self) -> usize {
        match self {
            Self::Leaf(_) => size_of::<Leaf<E>>(),
            Self::Inner(inner) => match inner.child(0) {
                Self::Leaf(_) => size_of::<Inner<E>>() + inner.len() * size_of::<Leaf<E>>(),
                Self::Inner(_) => size_of::<Inner<E>>() + inner.children.iter().flatten().map(Self::bytes).sum::<usize>(),
            },
        }
    }
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

    /// Adds an element at its place.
    pub fn insert(&mut self, item: E, place: impl Place<E>) {
        self.len += 1;
        let Some(root) = &mut self.root else {
            self.root = Some(Node::Leaf(Leaf::new(&[item])));
            return;
        };
        if let Some(behind) = root.insert(item, &place, Edges { first: true, last: true })
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

    /// Takes out the last one of the elements that come before the place. There is one.
    pub fn remove_last_of(&mut self, place: impl Place<E>) {
        if let Some(root) = &mut self.root {
            root.remove_last_of(&place);
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

    /// How many elements come before the place.
    pub fn rank(&self, place: impl Place<E>) -> usize {
        let mut rank = 0;
        let mut node = self.root.as_ref();
        while let Some(Node::Inner(inner)) = node {
            let at = inner.at_place(&place);
            rank += inner.counts[..at].iter().sum::<usize>();
            node = Some(inner.child(at));
        }
        match node {
            Some(Node::Leaf(leaf)) => rank + place.after(leaf.items()),
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Checks everything that has to hold below a node, and returns how many elements there are.
    fn check(node: &Node<u32>, is_root: bool) -> usize {
        match node {
            Node::Leaf(leaf) => {
                assert!(leaf.len > 0 && leaf.items().is_sorted());
                leaf.items().len()
            }
            Node::Inner(inner) => {
                assert!(inner.len() > usize::from(is_root));
                assert!(inner.children[inner.len()..].iter().all(Option::is_none));
                for (at, child) in inner.children.iter().flatten().enumerate() {
                    assert_eq!(inner.counts[at], check(child, false));
                    assert_eq!(inner.firsts[at], child.first());
                }
                inner.counts().iter().sum()
            }
        }
    }

    fn whole(tree: &Tree<u32>) -> Vec<u32> {
        assert_eq!(tree.root.as_ref().map_or(0, |root| check(root, true)), tree.len);
        tree.iter(0..tree.len).collect()
    }

    fn leaves(tree: &Tree<u32>) -> usize {
        fn count(node: &Node<u32>) -> usize {
            let Node::Inner(inner) = node else { return 1 };
            inner.children.iter().flatten().map(count).sum()
        }
        tree.root.as_ref().map_or(0, count)
    }

    #[test]
    fn a_leaf_takes_one_kilobyte() {
        assert!(size_of::<Leaf<(f64, usize)>>() <= 1024);
    }

    #[test]
    fn what_comes_in_order_fills_its_leaves() {
        for descending in [false, true] {
            let mut tree = Tree::default();
            for n in 0..200_000u32 {
                let n = if descending { 200_000 - n } else { n };
                tree.insert(n, |e: &u32| *e < n);
            }
            assert!(whole(&tree).is_sorted());
            assert!(leaves(&tree) <= 200_000 / LEAF_MAX + 1);
        }
    }

    #[test]
    fn what_comes_in_any_order_fills_two_thirds() {
        let mut tree = Tree::default();
        for n in (0..200_000u32).map(|n| n.wrapping_mul(0x9e37_79b1)) {
            tree.insert(n, |e: &u32| *e < n);
        }
        assert!(whole(&tree).is_sorted());
        assert!(200_000 * 10 / (leaves(&tree) * LEAF_MAX) > 6);
    }

    #[test]
    fn it_is_freed_in_slices() {
        let mut tree = Tree::default();
        (0..100_000u32).for_each(|n| tree.push(n));
        let mut slices = 1;
        while tree.free_slice() {
            slices += 1;
        }
        assert_eq!(slices, 100_000usize.div_ceil(LEAF_MAX).div_ceil(LEAVES_PER_SLICE));
        assert!(tree.root.is_none());
    }

    #[derive(Clone, Debug)]
    enum Step {
        /// Adds so many numbers, this far apart.
        Insert(u32, i32, u16),
        Remove(usize),
        RemoveRange(usize, usize),
        Pop(bool, u16),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (any::<u32>(), prop_oneof![Just(1), Just(-1), any::<i32>()], 1u16..400).prop_map(|(n, by, times)| Step::Insert(n, by, times)),
            2 => any::<usize>().prop_map(Step::Remove),
            1 => (any::<usize>(), 0usize..500).prop_map(|(at, count)| Step::RemoveRange(at, count)),
            1 => (any::<bool>(), 0u16..300).prop_map(|(last, times)| Step::Pop(last, times)),
        ]
    }

    proptest! {
        #[test]
        fn it_is_a_sorted_vector(steps in proptest::collection::vec(step(), 0..60)) {
            let (mut tree, mut model) = (Tree::default(), Vec::<u32>::new());
            for step in steps {
                match step {
                    Step::Insert(mut n, by, times) => {
                        for _ in 0..times {
                            if let Err(at) = model.binary_search(&n) {
                                model.insert(at, n);
                                tree.insert(n, |e: &u32| *e < n);
                            }
                            n = n.wrapping_add_signed(by);
                        }
                    }
                    Step::Remove(at) if !model.is_empty() => {
                        let n = model.remove(at % model.len());
                        tree.remove_last_of(|e: &u32| *e <= n);
                    }
                    Step::RemoveRange(at, count) => {
                        let at = at % (model.len() + 1);
                        let mut gone = Vec::new();
                        tree.remove_range(at..at + count, |e| gone.push(e));
                        prop_assert!(gone.into_iter().eq(model.drain(at..(at + count).min(model.len()))));
                    }
                    Step::Pop(last, times) => {
                        for _ in 0..times {
                            let at = if last { model.len().saturating_sub(1) } else { 0 };
                            let mut gone = None;
                            tree.remove_range(at..at + 1, |e| gone = Some(e));
                            prop_assert_eq!(gone, (!model.is_empty()).then(|| model.remove(at)));
                        }
                    }
                    _ => (),
                }
                prop_assert_eq!(&whole(&tree), &model);
            }
            for (rank, n) in model.iter().enumerate().step_by(7) {
                prop_assert_eq!(tree.get(rank), Some(*n));
                prop_assert_eq!(tree.rank(|e: &u32| e < n), rank);
                prop_assert_eq!(tree.rank(|e: &u32| e <= n), rank + 1);
            }
            let (third, len) = (model.len() / 3, model.len());
            prop_assert!(tree.iter(third..len).rev().eq(model[third..].iter().rev().copied()));
            let mut both = tree.iter(0..len - third);
            let mut expected = model[..len - third].iter().copied();
            for n in 0..len {
                if n % 3 == 0 {
                    prop_assert_eq!(both.next_back(), expected.next_back());
                } else {
                    prop_assert_eq!(both.next(), expected.next());
                }
            }
        }
    }
}
