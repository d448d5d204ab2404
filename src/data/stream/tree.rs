//! An ordered map that is cheap to copy: a B+tree whose nodes are shared until one of their owners changes them.
//!
//! A clone is one more owner of the root. A change copies the nodes between the root and the place, if they are shared, and nothing else;
//! so leaves are small. An inner node knows of each child its first key, how many elements are below it, and their [`Sum`], by which a search
//! passes over whole branches. All leaves are equally deep. Where elements are only ever added at the end, leaves stay full; where they are
//! removed, neighbours that fit into one node become one.

mod change;
mod garbage;
mod read;
mod relocation;
#[cfg(test)]
mod tests;

use crate::data::size_class::size_class;
pub(super) use read::{Back, Iter};
use std::{borrow::Borrow, ops::Bound, sync::Arc};

/// What elements are ordered by.
pub trait Key: Ord + Clone + 'static {}

impl<T: Ord + Clone + 'static> Key for T {}

/// What a tree leads to.
pub trait Value: Clone + 'static {
    /// What is known of a branch without looking into it.
    type Sum: Sum + 'static;
    /// Elements of a leaf: what a change may have to copy.
    const LEAF: usize;
    /// Children of an inner node.
    const FAN: usize = 32;
    /// Elements from which a tree is not freed at once.
    const LARGE: usize = crate::data::trash::LARGE;
    /// What it adds to its branch.
    fn sum(&self) -> Self::Sum;
    /// Bytes of memory that hang off it.
    fn bytes(&self) -> usize {
        0
    }
}

/// A sum over elements, in any order.
pub trait Sum: Copy {
    /// The sum of nothing.
    const NONE: Self;
    /// The sum of both.
    fn with(self, other: Self) -> Self;
    /// The sum when a part of it has gone, if that can be told from the two.
    fn without(self, part: Self) -> Option<Self>;
}

impl Sum for () {
    const NONE: Self = ();

    fn with(self, (): ()) {}

    fn without(self, (): ()) -> Option<()> {
        Some(())
    }
}

/// An ordered map. Cloning it takes constant time.
pub struct Tree<K: Key, V: Value> {
    root: Option<Arc<Node<K, V>>>,
    len: usize,
}

/// What lies behind a pointer.
#[derive(Clone)]
enum Node<K: Key, V: Value> {
    Leaf(Vec<(K, V)>),
    Inner(Vec<Child<K, V>>),
}

/// A branch of an inner node.
#[derive(Clone)]
struct Child<K: Key, V: Value> {
    first: K,
    sum: V::Sum,
    len: usize,
    node: Arc<Node<K, V>>,
}

impl<K: Key, V: Value> Clone for Tree<K, V> {
    fn clone(&self) -> Self {
        Self { root: self.root.clone(), len: self.len }
    }
}

impl<K: Key, V: Value> Default for Tree<K, V> {
    fn default() -> Self {
        Self { root: None, len: 0 }
    }
}

impl<K: Key, V: Value> Node<K, V> {
    /// Elements or children.
    fn width(&self) -> usize {
        match self {
            Self::Leaf(items) => items.len(),
            Self::Inner(children) => children.len(),
        }
    }

    /// As many as there may be.
    fn width_max(&self) -> usize {
        match self {
            Self::Leaf(_) => V::LEAF,
            Self::Inner(_) => V::FAN,
        }
    }

    fn first(&self) -> &K {
        match self {
            Self::Leaf(items) => &items[0].0,
            Self::Inner(children) => &children[0].first,
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Leaf(items) => items.len(),
            Self::Inner(children) => children.iter().map(|child| child.len).sum(),
        }
    }

    fn sum(&self) -> V::Sum {
        match self {
            Self::Leaf(items) => items.iter().fold(Sum::NONE, |sum: V::Sum, (_, value)| sum.with(value.sum())),
            Self::Inner(children) => children.iter().fold(Sum::NONE, |sum: V::Sum, child| sum.with(child.sum)),
        }
    }
}

impl<K: Key, V: Value> Child<K, V> {
    /// A branch that is this node, which is not empty.
    fn of(node: Arc<Node<K, V>>) -> Self {
        Self { first: node.first().clone(), sum: node.sum(), len: node.len(), node }
    }
}

/// The child below which a key belongs.
#[inline]
fn place<K: Key + Borrow<Q>, Q: Ord + ?Sized, V: Value>(children: &[Child<K, V>], key: &Q) -> usize {
    children.partition_point(|child| child.first.borrow() <= key).saturating_sub(1)
}

#[inline]
fn find<K: Borrow<Q>, Q: Ord + ?Sized, V>(items: &[(K, V)], key: &Q) -> Result<usize, usize> {
    items.binary_search_by(|(own, _)| own.borrow().cmp(key))
}

impl<K: Key, V: Value> Tree<K, V> {
    /// Number of elements.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// The sum of all elements.
    pub fn sum(&self) -> V::Sum {
        self.root.as_ref().map_or(Sum::NONE, |root| root.sum())
    }

    /// The element of this key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let mut node = self.root.as_deref()?;
        loop {
            match node {
                Node::Leaf(items) => return find(items, key).ok().map(|at| &items[at].1),
                Node::Inner(children) => node = &children[place(children, key)].node,
            }
        }
    }

    /// The first element.
    pub fn first(&self) -> Option<(&K, &V)> {
        let mut node = self.root.as_deref()?;
        loop {
            match node {
                Node::Leaf(items) => return items.first().map(|(key, value)| (key, value)),
                Node::Inner(children) => node = &children.first()?.node,
            }
        }
    }

    /// The last element.
    pub fn last(&self) -> Option<(&K, &V)> {
        self.leaf_to(Bound::Unbounded::<&K>).last().map(|(key, value)| (key, value))
    }

    /// The last element whose key is not beyond this one.
    pub fn floor<Q: Ord + ?Sized>(&self, key: &Q) -> Option<(&K, &V)>
    where
        K: Borrow<Q>,
    {
        self.leaf_to(Bound::Included(key)).last().map(|(key, value)| (key, value))
    }

    /// Bytes of memory, by so many of the leaves (0: all of them).
    pub fn allocated(&self, samples: usize) -> usize {
        let (mut leaves, mut elements, mut bytes) = (0, 0, 0);
        let mut leaf = self.leaf_from(Bound::Unbounded::<&K>);
        while let Some((last, _)) = leaf.last() {
            leaves += 1;
            elements += leaf.len();
            bytes += NODE_BYTES + size_class(size_of_val(leaf)) + size_of::<Child<K, V>>();
            bytes += leaf.iter().map(|(_, value)| value.bytes()).sum::<usize>();
            if leaves == samples {
                break;
            }
            leaf = self.leaf_from(Bound::Excluded(last));
        }
        (bytes as u128 * self.len as u128 / elements.max(1) as u128) as usize
    }
}

/// A node and the counters in front of it.
const NODE_BYTES: usize = 2 * size_of::<usize>() + size_of::<Vec<u8>>();
