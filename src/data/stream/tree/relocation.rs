//! Moving a tree's nodes, those that no copy shares.

use super::{Key, Node, Tree, Value, place};
use crate::data::moving::Mover;
use std::{borrow::Borrow, ops::Bound, sync::Arc};

impl<K: Key, V: Value> Tree<K, V> {
    /// Moves the nodes on the way to the first leaf that has something from `from` on, and shows each value there to `each`, as far as no copy of
    /// the tree shares them. Returns the leaf's last key; `None` when there was no such leaf.
    pub fn relocate_leaf<Q: Ord + ?Sized>(
        &mut self,
        from: Bound<&Q>,
        mover: &mut Mover,
        each: &mut dyn FnMut(&mut V, &mut Mover),
    ) -> Option<K>
    where
        K: Borrow<Q>,
    {
        mover.pass();
        let last = self.leaf_from(from).last().map(|(key, _)| key.clone())?;
        let mut node = self.root.as_mut()?;
        // A node is looked at on the way to the first of its children, and no second time.
        while let Node::Inner(children) = &**node {
            let at = place(children, last.borrow());
            if at == 0 {
                mover.arc(node);
            }
            let Some(Node::Inner(children)) = Arc::get_mut(node) else { return Some(last) };
            if at == 0 {
                mover.vec(children);
            }
            node = &mut children[at].node;
        }
        mover.arc(node);
        if let Some(Node::Leaf(items)) = Arc::get_mut(node) {
            mover.vec(items);
            items.iter_mut().for_each(|(_, value)| each(value, mover));
        }
        Some(last)
    }

    /// The element of this key, if no copy of the tree shares it: to be moved and not to be changed.
    pub fn get_unshared<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let mut node = self.root.as_mut()?;
        loop {
            match Arc::get_mut(node)? {
                Node::Leaf(items) => {
                    let at = super::find(items, key).ok()?;
                    return Some(&mut items[at].1);
                }
                Node::Inner(children) => {
                    let at = place(children, key);
                    node = &mut children[at].node;
                }
            }
        }
    }
}
