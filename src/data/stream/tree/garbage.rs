//! Freeing a tree: what is large waits in the trash and goes leaf by leaf. Of a branch that is still shared only a count is taken.

use super::{Key, Node, Tree, Value};
use crate::data::trash::{self, Garbage, SLICE};
use std::sync::Arc;

/// Leaves whose size stands for that of all of them.
const SAMPLES: usize = 5;

/// Branches that wait to be freed, and how many elements are below each.
struct Fallen<K: Key, V: Value> {
    branches: Vec<(Arc<Node<K, V>>, usize)>,
    len: usize,
    bytes: usize,
}

impl<K: Key, V: Value> Garbage for Fallen<K, V> {
    fn free_slice(&mut self) -> bool {
        let mut freed = 0;
        while freed < SLICE
            && let Some((node, len)) = self.branches.pop()
        {
            freed += 1;
            match Arc::try_unwrap(node) {
                Ok(Node::Leaf(items)) => {
                    freed += items.len();
                    self.len -= len;
                }
                Ok(Node::Inner(children)) => self.branches.extend(children.into_iter().map(|child| (child.node, child.len))),
                Err(_shared) => self.len -= len,
            }
        }
        !self.branches.is_empty()
    }

    fn len(&self) -> usize {
        self.len
    }

    fn bytes(&self) -> usize {
        self.bytes
    }
}

impl<K: Key, V: Value> Drop for Tree<K, V> {
    #[inline]
    fn drop(&mut self) {
        if self.len >= V::LARGE {
            self.discard();
        }
    }
}

impl<K: Key, V: Value> Tree<K, V> {
    #[cold]
    fn discard(&mut self) {
        let bytes = self.allocated(SAMPLES);
        // Where somebody else holds the root nothing is freed.
        let Some(node) = self.root.take().and_then(Arc::into_inner) else { return };
        let branches = vec![(Arc::new(node), self.len)];
        trash::leave(Fallen { branches, len: self.len, bytes });
    }
}
