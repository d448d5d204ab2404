//! Changes of a tree. Each copies what it changes, where that is shared, on its way down, and sets the sums right on its way up.

use super::{Child, Key, Node, Sum, Tree, Value, find, place};
use std::{borrow::Borrow, mem, slice, sync::Arc};

impl<K: Key, V: Value> Tree<K, V> {
    /// Adds an element, or puts it in the place of that with its key, which is returned.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let Some(root) = &mut self.root else {
            self.root = Some(Arc::new(Node::Leaf(vec![(key, value)])));
            self.len = 1;
            return None;
        };
        let (old, behind) = insert(root, key, value);
        if let Some(behind) = behind {
            let front = root.clone();
            // The old root goes on under the new one: nobody else holds what is let go of here.
            *root = Arc::new(Node::Inner(vec![Child::of(front), Child::of(behind)]));
        }
        self.len += usize::from(old.is_none());
        old
    }

    /// Takes an element out.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        // What is not there must not make anything be copied.
        self.get(key)?;
        let removed = remove(self.root.as_mut()?, key)?;
        self.len -= 1;
        self.lower();
        Some(removed)
    }

    /// Changes an element.
    pub fn change<Q: Ord + ?Sized, R>(&mut self, key: &Q, change: impl FnOnce(&mut V) -> R) -> Option<R>
    where
        K: Borrow<Q>,
    {
        self.get(key)?;
        alter(self.root.as_mut()?, key, change)
    }

    /// Takes all elements in front of a key off. They are a tree of their own then.
    pub fn split_off_front<Q: Ord + ?Sized>(&mut self, key: &Q) -> Self
    where
        K: Borrow<Q>,
    {
        let Some(root) = &mut self.root else { return Self::default() };
        let mut front = Self { root: split_front(root, key), len: 0 };
        front.len = front.root.as_ref().map_or(0, |root| root.len());
        self.len -= front.len;
        front.lower();
        self.lower();
        front
    }

    /// Takes levels away that lead to one branch only, or to nothing.
    fn lower(&mut self) {
        while let Some(root) = &mut self.root {
            match &**root {
                Node::Leaf(items) if items.is_empty() => self.root = None,
                Node::Inner(children) if children.is_empty() => self.root = None,
                Node::Inner(children) if children.len() == 1 => *root = children[0].node.clone(),
                _ => return,
            }
        }
    }
}

/// For elements that add nothing to their branch.
impl<K: Key, V: Value<Sum = ()>> Tree<K, V> {
    /// The element of this key, to change it.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.get(key)?;
        let mut node = self.root.as_mut()?;
        loop {
            match Arc::make_mut(node) {
                Node::Leaf(items) => {
                    let at = find(items, key).ok()?;
                    return Some(&mut items[at].1);
                }
                Node::Inner(children) => {
                    let at = place(children, key);
                    node = &mut children[at].node;
                }
            }
        }
    }

    /// All elements in order, to change them.
    pub fn iter_mut(&mut self) -> IterMut<'_, K, V> {
        let mut iter = IterMut { inner: Vec::new(), leaf: [].iter_mut() };
        if let Some(root) = &mut self.root {
            iter.enter(root);
        }
        iter
    }
}

/// Elements in order, to be changed.
pub struct IterMut<'a, K: Key, V: Value> {
    inner: Vec<slice::IterMut<'a, Child<K, V>>>,
    leaf: slice::IterMut<'a, (K, V)>,
}

impl<'a, K: Key, V: Value> IterMut<'a, K, V> {
    fn enter(&mut self, node: &'a mut Arc<Node<K, V>>) {
        match Arc::make_mut(node) {
            Node::Leaf(items) => self.leaf = items.iter_mut(),
            Node::Inner(children) => self.inner.push(children.iter_mut()),
        }
    }
}

impl<'a, K: Key, V: Value> Iterator for IterMut<'a, K, V> {
    type Item = (&'a K, &'a mut V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((key, value)) = self.leaf.next() {
                return Some((key, value));
            }
            match self.inner.last_mut()?.next() {
                Some(child) => self.enter(&mut child.node),
                None => drop(self.inner.pop()),
            }
        }
    }
}

/// Where a full node is cut for one more at `at`. One that grows at its end stays full.
fn cut(at: usize, len: usize) -> usize {
    if at == len { len } else { len / 2 }
}

/// Returns what was in its place, and what no longer fits into the node.
fn insert<K: Key, V: Value>(node: &mut Arc<Node<K, V>>, key: K, value: V) -> (Option<V>, Option<Arc<Node<K, V>>>) {
    match Arc::make_mut(node) {
        Node::Leaf(items) => {
            let at = match find(items, &key) {
                Ok(at) => return (Some(mem::replace(&mut items[at].1, value)), None),
                Err(at) => at,
            };
            if items.len() < V::LEAF {
                items.insert(at, (key, value));
                return (None, None);
            }
            let cut = cut(at, items.len());
            let mut behind = items.split_off(cut);
            if at < cut {
                items.insert(at, (key, value))
            } else {
                behind.insert(at - cut, (key, value))
            }
            (None, Some(Arc::new(Node::Leaf(behind))))
        }
        Node::Inner(children) => {
            let at = place(children, &key);
            let child = &mut children[at];
            if key < child.first {
                child.first = key.clone();
            }
            let sum = value.sum();
            let (old, behind) = insert(&mut child.node, key, value);
            match (&old, behind) {
                (None, None) => {
                    child.len += 1;
                    child.sum = child.sum.with(sum);
                    (old, None)
                }
                (Some(part), None) => {
                    child.sum = child.sum.without(part.sum()).map_or_else(|| child.node.sum(), |rest| rest.with(sum));
                    (old, None)
                }
                (_, Some(behind)) => {
                    (child.len, child.sum) = (child.node.len(), child.node.sum());
                    let at = at + 1;
                    let behind = Child::of(behind);
                    if children.len() < V::FAN {
                        children.insert(at, behind);
                        return (old, None);
                    }
                    let cut = cut(at, children.len());
                    let mut rest = children.split_off(cut);
                    if at < cut {
                        children.insert(at, behind)
                    } else {
                        rest.insert(at - cut, behind)
                    }
                    (old, Some(Arc::new(Node::Inner(rest))))
                }
            }
        }
    }
}

fn remove<K: Key + Borrow<Q>, Q: Ord + ?Sized, V: Value>(node: &mut Arc<Node<K, V>>, key: &Q) -> Option<V> {
    match Arc::make_mut(node) {
        Node::Leaf(items) => {
            let at = find(items, key).ok()?;
            let (_, value) = items.remove(at);
            trim_capacity(items);
            Some(value)
        }
        Node::Inner(children) => {
            let at = place(children, key);
            let child = &mut children[at];
            let removed = remove(&mut child.node, key)?;
            if child.len == 1 {
                children.remove(at);
                return Some(removed);
            }
            child.len -= 1;
            child.sum = child.sum.without(removed.sum()).unwrap_or_else(|| child.node.sum());
            if child.first.borrow() == key {
                child.first = child.node.first().clone();
            }
            if child.node.width() < child.node.width_max() / 2 {
                join(children, at);
            }
            Some(removed)
        }
    }
}

/// Makes one child of this one and a neighbour, if they fit into one.
fn join<K: Key, V: Value>(children: &mut Vec<Child<K, V>>, at: usize) {
    let fits = |a: usize| {
        let (Some(a), Some(b)) = (children.get(a), children.get(a + 1)) else { return false };
        a.node.width() + b.node.width() <= a.node.width_max()
    };
    let Some(front) = [Some(at), at.checked_sub(1)].into_iter().flatten().find(|front| fits(*front)) else { return };
    let behind = children.remove(front + 1);
    let child = &mut children[front];
    child.len += behind.len;
    child.sum = child.sum.with(behind.sum);
    let behind = Arc::try_unwrap(behind.node).unwrap_or_else(|shared| Node::clone(&shared));
    match (Arc::make_mut(&mut child.node), behind) {
        (Node::Leaf(items), Node::Leaf(more)) => items.extend(more),
        (Node::Inner(own), Node::Inner(more)) => own.extend(more),
        _ => unreachable!("all leaves are equally deep"),
    }
}

/// Gives room back that is not worth keeping.
fn trim_capacity<T>(items: &mut Vec<T>) {
    if items.len() * 4 <= items.capacity() && items.capacity() > 4 {
        items.shrink_to(items.len() * 2);
    }
}

fn alter<K: Key + Borrow<Q>, Q: Ord + ?Sized, V: Value, R>(
    node: &mut Arc<Node<K, V>>,
    key: &Q,
    change: impl FnOnce(&mut V) -> R,
) -> Option<R> {
    match Arc::make_mut(node) {
        Node::Leaf(items) => {
            let at = find(items, key).ok()?;
            Some(change(&mut items[at].1))
        }
        Node::Inner(children) => {
            let at = place(children, key);
            let child = &mut children[at];
            let result = alter(&mut child.node, key, change);
            child.sum = child.node.sum();
            result
        }
    }
}

/// Takes what is in front of a key out of a node; the node may be empty then.
fn split_front<K: Key + Borrow<Q>, Q: Ord + ?Sized, V: Value>(node: &mut Arc<Node<K, V>>, key: &Q) -> Option<Arc<Node<K, V>>> {
    if node.first().borrow() >= key {
        return None;
    }
    match Arc::make_mut(node) {
        Node::Leaf(items) => {
            let at = items.partition_point(|(own, _)| own.borrow() < key);
            let rest = items.split_off(at);
            Some(Arc::new(Node::Leaf(mem::replace(items, rest))))
        }
        Node::Inner(children) => {
            let at = place(children, key);
            let mut rest = children.split_off(at);
            let mut front = mem::take(children);
            let child = &mut rest[0];
            front.extend(split_front(&mut child.node, key).map(Child::of));
            if child.node.width() == 0 {
                rest.remove(0);
            } else {
                *child = Child::of(child.node.clone());
            }
            *children = rest;
            Some(Arc::new(Node::Inner(front)))
        }
    }
}
