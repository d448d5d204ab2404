//! Going through a tree, either way, by key, by what the sums say, or by rank. What comes next is looked up again leaf by leaf: so there is no
//! stack to keep.

use super::{Key, Node, Tree, Value, place};
use std::{
    borrow::Borrow,
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
    ops::Bound,
    slice,
};

/// Whether a key is in front of where a range begins.
fn is_before<K: Borrow<Q>, Q: Ord + ?Sized>(key: &K, from: &Bound<&Q>) -> bool {
    match from {
        Bound::Included(from) => key.borrow() < *from,
        Bound::Excluded(from) => key.borrow() <= *from,
        Bound::Unbounded => false,
    }
}

/// Whether a key is not behind where a range ends.
fn is_within<K: Borrow<Q>, Q: Ord + ?Sized>(key: &K, to: &Bound<&Q>) -> bool {
    match to {
        Bound::Included(to) => key.borrow() <= *to,
        Bound::Excluded(to) => key.borrow() < *to,
        Bound::Unbounded => true,
    }
}

/// Elements in order.
pub struct Iter<'a, K: Key, V: Value> {
    tree: &'a Tree<K, V>,
    leaf: slice::Iter<'a, (K, V)>,
    last: Option<&'a K>,
}

impl<'a, K: Key, V: Value> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if let Some((key, value)) = self.leaf.next() {
            return Some((key, value));
        }
        let leaf = self.tree.leaf_from(Bound::Excluded(self.last?));
        self.last = leaf.last().map(|(key, _)| key);
        self.leaf = leaf.iter();
        self.leaf.next().map(|(key, value)| (key, value))
    }
}

/// Elements in order, the last first.
pub struct Back<'a, K: Key, V: Value> {
    tree: &'a Tree<K, V>,
    leaf: slice::Iter<'a, (K, V)>,
    first: Option<&'a K>,
}

impl<'a, K: Key, V: Value> Iterator for Back<'a, K, V> {
    type Item = (&'a K, &'a V);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if let Some((key, value)) = self.leaf.next_back() {
            return Some((key, value));
        }
        let leaf = self.tree.leaf_to(Bound::Excluded(self.first?));
        self.first = leaf.first().map(|(key, _)| key);
        self.leaf = leaf.iter();
        self.leaf.next_back().map(|(key, value)| (key, value))
    }
}

/// What is still to be looked at, by rank.
struct Ranked<'a, K: Key, V: Value> {
    rank: i64,
    key: &'a K,
    what: What<'a, K, V>,
}

enum What<'a, K: Key, V: Value> {
    Branch(&'a Node<K, V>),
    Element(&'a V),
}

impl<K: Key, V: Value> Ranked<'_, K, V> {
    /// A branch goes in front of an element with its first key: what it holds is not less.
    fn order(&self) -> (i64, &K, bool) {
        (self.rank, self.key, matches!(self.what, What::Element(_)))
    }
}

impl<K: Key, V: Value> PartialEq for Ranked<'_, K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<K: Key, V: Value> Eq for Ranked<'_, K, V> {}

impl<K: Key, V: Value> PartialOrd for Ranked<'_, K, V> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K: Key, V: Value> Ord for Ranked<'_, K, V> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

impl<K: Key, V: Value> Tree<K, V> {
    /// The elements from `from` on, in the first leaf that has any.
    pub fn leaf_from<Q: Ord + ?Sized>(&self, from: Bound<&Q>) -> &[(K, V)]
    where
        K: Borrow<Q>,
    {
        let (mut node, mut behind) = (self.root.as_deref(), None);
        loop {
            match node {
                None => return &[],
                Some(Node::Inner(children)) => {
                    let at = match from {
                        Bound::Included(key) | Bound::Excluded(key) => place(children, key),
                        Bound::Unbounded => 0,
                    };
                    behind = children.get(at + 1).map(|child| &*child.node).or(behind);
                    node = Some(&*children[at].node);
                }
                Some(Node::Leaf(items)) => {
                    let at = items.partition_point(|(key, _)| is_before(key, &from));
                    if at < items.len() {
                        return &items[at..];
                    }
                    // All of the branch behind is beyond `from`.
                    node = behind.take();
                }
            }
        }
    }

    /// The elements up to `to`, in the last leaf that has any.
    pub fn leaf_to<Q: Ord + ?Sized>(&self, to: Bound<&Q>) -> &[(K, V)]
    where
        K: Borrow<Q>,
    {
        let mut node = self.root.as_deref();
        loop {
            match node {
                None => return &[],
                Some(Node::Inner(children)) => {
                    let behind = children.partition_point(|child| is_within(&child.first, &to));
                    node = behind.checked_sub(1).map(|at| &*children[at].node);
                }
                Some(Node::Leaf(items)) => return &items[..items.partition_point(|(key, _)| is_within(key, &to))],
            }
        }
    }

    /// The elements from `from` on, in order.
    pub fn iter_from<Q: Ord + ?Sized>(&self, from: Bound<&Q>) -> Iter<'_, K, V>
    where
        K: Borrow<Q>,
    {
        let leaf = self.leaf_from(from);
        Iter { tree: self, leaf: leaf.iter(), last: leaf.last().map(|(key, _)| key) }
    }

    /// All elements, in order.
    pub fn iter(&self) -> Iter<'_, K, V> {
        self.iter_from(Bound::Unbounded::<&K>)
    }

    /// The elements up to `to`, the last first.
    pub fn iter_to<Q: Ord + ?Sized>(&self, to: Bound<&Q>) -> Back<'_, K, V>
    where
        K: Borrow<Q>,
    {
        let leaf = self.leaf_to(to);
        Back { tree: self, leaf: leaf.iter(), first: leaf.first().map(|(key, _)| key) }
    }

    /// The elements from `from` on, in the first leaf that has some there with a sum that is wanted; branches whose sum is not wanted are
    /// passed over. A sum is wanted if that of one of its parts is.
    pub fn leaf_where(&self, from: Bound<&K>, wanted: &impl Fn(V::Sum) -> bool) -> Option<&[(K, V)]> {
        fn search<'a, K: Key, V: Value>(node: &'a Node<K, V>, from: Bound<&K>, wanted: &impl Fn(V::Sum) -> bool) -> Option<&'a [(K, V)]> {
            match node {
                Node::Leaf(items) => {
                    let items = &items[items.partition_point(|(key, _)| is_before(key, &from))..];
                    items.iter().any(|(_, value)| wanted(value.sum())).then_some(items)
                }
                Node::Inner(children) => {
                    let at = match from {
                        Bound::Included(key) | Bound::Excluded(key) => place(children, key),
                        Bound::Unbounded => 0,
                    };
                    children[at..].iter().filter(|child| wanted(child.sum)).find_map(|child| search(&child.node, from, wanted))
                }
            }
        }
        search(self.root.as_deref()?, from, wanted)
    }

    /// The first element that `passes` does not let pass. It is asked with the sum of a branch, whose elements are asked one by one if it
    /// refuses, or with that of an element; what passes lies in front of what is asked next.
    pub fn first_refused(&self, mut passes: impl FnMut(V::Sum) -> bool) -> Option<(&K, &V)> {
        let mut node = self.root.as_deref()?;
        'down: loop {
            match node {
                Node::Inner(children) => {
                    for child in children {
                        if !passes(child.sum) {
                            node = &child.node;
                            continue 'down;
                        }
                    }
                    return None;
                }
                Node::Leaf(items) => return items.iter().find(|(_, value)| !passes(value.sum())).map(|(key, value)| (key, value)),
            }
        }
    }

    /// All elements by the rank of their sum, then by key. That of a branch is the least in it.
    pub fn by_rank(&self, rank: impl Fn(V::Sum) -> i64) -> impl Iterator<Item = (&K, &V)> {
        let mut heap = BinaryHeap::new();
        if let Some(root) = self.root.as_deref() {
            heap.push(Reverse(Ranked { rank: rank(root.sum()), key: root.first(), what: What::Branch(root) }));
        }
        std::iter::from_fn(move || {
            loop {
                let Reverse(next) = heap.pop()?;
                match next.what {
                    What::Element(value) => return Some((next.key, value)),
                    What::Branch(Node::Leaf(items)) => heap.extend(
                        items.iter().map(|(key, value)| Reverse(Ranked { rank: rank(value.sum()), key, what: What::Element(value) })),
                    ),
                    What::Branch(Node::Inner(children)) => heap
                        .extend(children.iter().map(|c| Reverse(Ranked { rank: rank(c.sum), key: &c.first, what: What::Branch(&c.node) }))),
                }
            }
        })
    }
}
