//! The large form: a deque of nodes. Pushing and popping touch the node at that end, an index is found by the nodes' counts.

use super::{
    element::{End, ListElement},
    limits::{GIANT, NodeLimits},
    node::{self, Node, NodeSlot},
};
use crate::data::{
    listpack::{BYTES_MAX, Item, Listpack, Pos},
    moving::Mover,
    trash::{self, Garbage},
};
use bytes::Bytes;
use std::collections::VecDeque;

/// Nodes from which a list is not freed at once.
const NODES_LARGE: usize = 64;

/// Nodes from which on a new one gets all of its memory at once: what is not used is little then, beside the others.
const NODES_TRUSTED: usize = 8;

/// Bytes of header and end that two listpacks have once when they are one.
const MERGED: usize = node::EMPTY;

/// A deque of nodes, none of them empty.
#[derive(Clone)]
pub(super) struct Quicklist {
    nodes: VecDeque<NodeSlot>,
    len: usize,
    limits: NodeLimits,
}

/// Nodes that wait to be freed.
struct Nodes(VecDeque<NodeSlot>);

impl Garbage for Nodes {
    fn free_slice(&mut self) -> bool {
        self.0.truncate(self.0.len().saturating_sub(NODES_LARGE));
        !self.0.is_empty()
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn bytes(&self) -> usize {
        const SAMPLES: usize = 16;
        let some: usize = self.0.iter().take(SAMPLES).map(NodeSlot::allocated).sum();
        self.0.capacity() * size_of::<NodeSlot>() + some * self.0.len() / self.0.len().clamp(1, SAMPLES)
    }
}

fn discard(nodes: VecDeque<NodeSlot>) {
    if nodes.len() >= NODES_LARGE {
        trash::leave(Nodes(nodes));
    }
}

impl Drop for Quicklist {
    fn drop(&mut self) {
        discard(std::mem::take(&mut self.nodes));
    }
}

impl Quicklist {
    /// No node. Later changes of the configuration do not reach a list that exists.
    pub fn new(limits: NodeLimits) -> Self {
        // As much of the limits as Redis keeps with a list.
        let limits = NodeLimits { size: limits.size.clamp(-5, i32::from(i16::MAX)), depth: limits.depth.min(u32::from(u16::MAX)) };
        Self { nodes: VecDeque::new(), len: 0, limits }
    }

    /// Moves the nodes from number `from` on until `mover` is spent; says which comes next.
    pub fn relocate(&mut self, from: usize, mover: &mut Mover) -> Option<usize> {
        if from == 0 {
            mover.deque(&mut self.nodes);
        }
        for (at, slot) in self.nodes.iter_mut().enumerate().skip(from) {
            slot.relocate(mover);
            if mover.is_spent() {
                return Some(at + 1);
            }
        }
        None
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn limits(&self) -> NodeLimits {
        self.limits
    }

    pub fn slots(&self) -> &VecDeque<NodeSlot> {
        &self.nodes
    }

    /// Bytes of memory, by the first `samples` nodes (0: all of them).
    pub fn allocated(&self, samples: usize) -> usize {
        let samples = if samples == 0 { self.nodes.len() } else { samples.min(self.nodes.len()) };
        let sampled: usize = self.nodes.iter().take(samples).map(NodeSlot::allocated).sum();
        let average = if samples == 0 { 0.0 } else { sampled as f64 / samples as f64 };
        self.nodes.capacity() * size_of::<NodeSlot>() + (average * self.nodes.len() as f64) as usize
    }

    /// The listpack of the only node, taken out, if it is small enough for the small form with its limits divided by `by`.
    pub fn take_compact(&mut self, limits: NodeLimits, by: usize) -> Option<Listpack> {
        if self.nodes.len() > 1 {
            return None;
        }
        let Some(only) = self.nodes.front_mut() else { return Some(Listpack::new()) };
        if !limits.is_small(only.bytes(), only.count as usize, by) {
            return None;
        }
        only.take_pack()
    }

    pub fn append_listpack(&mut self, pack: Listpack) {
        if pack.is_empty() {
            return;
        }
        let slot = NodeSlot::packed(pack);
        self.len += slot.count as usize;
        self.nodes.push_back(slot);
        self.recompress(self.nodes.len() - 1);
    }

    /// Adds an element at an end; `shared` gives its bytes to keep if it gets a node for itself.
    #[inline]
    pub fn push(&mut self, end: End, bytes: &[u8], shared: impl FnOnce() -> Bytes) {
        let limits = self.limits;
        let slot = if end == End::Front { self.nodes.front_mut() } else { self.nodes.back_mut() };
        // No list has as many elements as 64 bits count.
        self.len = self.len.wrapping_add(1);
        if let Some(slot) = slot
            && limits.admits(slot.bytes(), slot.count as usize, bytes.len())
            && let Some(()) = slot.change(|pack| if end == End::Front { pack.push_front(bytes) } else { pack.push(bytes) })
        {
            return;
        }
        // Where many nodes were filled, this one will be.
        let full = if self.nodes.len() >= NODES_TRUSTED { limits.bytes_full() } else { None };
        let slot = NodeSlot::single(bytes, shared, limits, full.map_or(0, |full| full - node::EMPTY));
        match end {
            End::Front => self.nodes.push_front(slot),
            End::Back => self.nodes.push_back(slot),
        }
        self.recompress(if end == End::Front { 0 } else { self.nodes.len() - 1 });
    }

    #[inline]
    pub fn pop<R>(&mut self, end: End, f: impl FnOnce(ListElement<'_>) -> R) -> Option<R> {
        let slot = if end == End::Front { self.nodes.front_mut()? } else { self.nodes.back_mut()? };
        self.len -= 1;
        if slot.count > 1 {
            return slot.change(|pack| {
                let pos = if end == End::Front { pack.first() } else { pack.last() }.expect("it has elements");
                let result = f(ListElement::Item(pack.get(pos)));
                pack.remove(pos);
                result
            });
        }
        let last = if end == End::Front { self.nodes.pop_front()? } else { self.nodes.pop_back()? };
        self.removed_nodes();
        let (mut f, mut result) = (Some(f), None);
        last.visit(0, End::Back, &mut |element| {
            result = f.take().map(|f| f(element));
            false
        });
        result
    }

    /// The node that has element `index`, and which of its elements that is. The index is that of an element, or the length.
    fn locate(&self, index: usize) -> (usize, usize) {
        if index <= self.len / 2 {
            let mut offset = index;
            for (at, slot) in self.nodes.iter().enumerate() {
                match offset.checked_sub(slot.count as usize) {
                    None => return (at, offset),
                    Some(rest) => offset = rest,
                }
            }
            return (self.nodes.len(), offset);
        }
        let mut behind = self.len - index;
        for (at, slot) in self.nodes.iter().enumerate().rev() {
            match behind.checked_sub(slot.count as usize) {
                None => return (at, slot.count as usize - behind),
                Some(0) => return (at, 0),
                Some(rest) => behind = rest,
            }
        }
        (0, 0)
    }

    #[inline]
    pub fn visit(&self, index: usize, towards: End, mut f: impl FnMut(ListElement<'_>) -> bool) {
        if index >= self.len {
            return;
        }
        let (at, offset) = self.locate(index);
        if !self.nodes[at].visit(offset, towards, &mut f) {
            return;
        }
        match towards {
            End::Back => drop(self.nodes.range(at + 1..).all(|slot| slot.visit(0, towards, &mut f))),
            End::Front => drop(self.nodes.range(..at).rev().all(|slot| slot.visit(slot.count as usize - 1, towards, &mut f))),
        }
    }

    pub fn set(&mut self, index: usize, bytes: &[u8]) -> bool {
        if index >= self.len {
            return false;
        }
        let (at, offset) = self.locate(index);
        let (limits, slot) = (self.limits, &mut self.nodes[at]);
        let single = || NodeSlot::single(bytes, || Bytes::copy_from_slice(bytes), limits, 0);
        if slot.count == 1 {
            *slot = single();
        } else if bytes.len() < GIANT && slot.bytes() + bytes.len() < BYTES_MAX {
            slot.change(|pack| pack.nth(offset).map(|pos| pack.replace(pos, bytes)));
        } else {
            // No listpack can hold them all.
            self.len -= 1;
            let behind = slot.change(|pack| {
                let pos = pack.nth(offset)?;
                pack.remove(pos);
                let behind = pack.here(pos)?;
                Some(pack.split_off(behind))
            });
            if let Some(Some(behind)) = behind {
                self.nodes.insert(at + 1, NodeSlot::packed(behind));
            }
            let at = if self.nodes[at].count == 0 { self.nodes.remove(at).map_or(at, |_| at) } else { at + 1 };
            return self.insert_node(at, single());
        }
        self.recompress(at);
        true
    }

    /// Adds a node of one element in front of node `at`.
    fn insert_node(&mut self, at: usize, single: NodeSlot) -> bool {
        self.len += 1;
        self.nodes.insert(at, single);
        self.recompress(at);
        true
    }

    pub fn insert_beside(&mut self, pivot: &[u8], after: bool, bytes: &[u8]) -> bool {
        let item = Item::new(pivot);
        let found = self.nodes.iter().enumerate().find_map(|(at, slot)| match &*slot.node() {
            Node::Packed(pack) => {
                let pos = pack.find_item(pack.first()?, item, 0)?;
                let edge = if after { pack.next(pos).is_none() } else { pack.prev(pos).is_none() };
                Some((at, Some(pos), edge))
            }
            Node::Plain(own) => (**own == pivot).then_some((at, None, true)),
            Node::Squeezed(_) => None,
        });
        let Some((at, pos, edge)) = found else { return false };
        let limits = self.limits;
        let admits = |slot: &NodeSlot| limits.admits(slot.bytes(), slot.count as usize, bytes.len());
        let single = || NodeSlot::single(bytes, || Bytes::copy_from_slice(bytes), limits, 0);
        if let Some(pos) = pos
            && admits(&self.nodes[at])
        {
            self.nodes[at].change(|pack| node::insert_beside(pack, pos, after, bytes));
            self.len += 1;
            self.recompress(at);
            return true;
        }
        if edge {
            let neighbour = if after { Some(at + 1) } else { at.checked_sub(1) };
            if let Some(neighbour) = neighbour
                && self.nodes.get(neighbour).is_some_and(admits)
            {
                self.nodes[neighbour].change(|pack| if after { pack.push_front(bytes) } else { pack.push(bytes) });
                self.len += 1;
                self.recompress(neighbour);
                return true;
            }
            return self.insert_node(if after { at + 1 } else { at }, single());
        }
        let Some(pos) = pos else { return false };
        self.split_and_insert(at, pos, after, bytes, single)
    }

    /// Adds an element in the middle of a node that is full, which is cut in two there.
    fn split_and_insert(&mut self, at: usize, pos: Pos, after: bool, bytes: &[u8], single: impl FnOnce() -> NodeSlot) -> bool {
        let behind = self.nodes[at].change(|pack| {
            let cut = if after { pack.next(pos).unwrap_or(pack.end()) } else { pos };
            pack.split_off(cut)
        });
        let Some(behind) = behind else { return false };
        self.nodes.insert(at + 1, NodeSlot::packed(behind));
        // The element goes to the part that its neighbour is not in; that one is the middle of what is merged.
        let (part, middle) = if after { (at + 1, at) } else { (at, at + 1) };
        if bytes.len() >= GIANT || self.nodes[part].bytes() + bytes.len() >= BYTES_MAX {
            return self.insert_node(at + 1, single());
        }
        self.nodes[part].change(|pack| if after { pack.push_front(bytes) } else { pack.push(bytes) });
        self.len += 1;
        self.recompress(part);
        let middle = self.merge_around(middle);
        self.recompress(middle);
        true
    }

    /// Merges a node and its neighbours where two make one that is not too large. Returns where the node is then.
    fn merge_around(&mut self, mut middle: usize) -> usize {
        if middle >= 2 && self.merge(middle - 2) {
            middle -= 1;
        }
        self.merge(middle + 1);
        if middle >= 1 && self.merge(middle - 1) {
            middle -= 1;
        }
        self.merge(middle);
        middle
    }

    /// Merges node `at` with the one behind it, if both are there and fit in one.
    fn merge(&mut self, at: usize) -> bool {
        let (Some(one), Some(other)) = (self.nodes.get(at), self.nodes.get(at + 1)) else { return false };
        let count = one.count as usize + other.count as usize;
        if self.limits.exceeded_by(one.bytes() + other.bytes() - MERGED, count) {
            return false;
        }
        let Node::Packed(other) = other.node().into_owned() else { return false };
        if self.nodes[at].change(|pack| pack.append(&other)).is_none() {
            return false;
        }
        self.nodes.remove(at + 1);
        self.recompress(at);
        true
    }

    pub fn remove_range(&mut self, index: usize, count: usize) {
        let count = count.min(self.len.saturating_sub(index));
        if count == 0 {
            return;
        }
        let (first, offset) = self.locate(index);
        let mut left = count;
        let mut at = first;
        if offset > 0 {
            left -= self.remove_in(first, offset, left);
            at += 1;
        }
        let whole_from = at;
        while left > 0 && self.nodes.get(at).is_some_and(|slot| slot.count as usize <= left) {
            left -= self.nodes[at].count as usize;
            at += 1;
        }
        if left > 0 {
            self.remove_in(at, 0, left);
        }
        self.len -= count;
        discard(self.nodes.drain(whole_from..at).collect());
        self.removed_nodes();
        self.recompress(first.saturating_sub(1));
        self.recompress(first);
    }

    /// Takes up to `count` elements of one node out; returns how many.
    fn remove_in(&mut self, at: usize, offset: usize, count: usize) -> usize {
        let remove = |pack: &mut Listpack| pack.nth(offset).map_or(0, |pos| pack.remove_some(pos, count));
        self.nodes.get_mut(at).and_then(|slot| slot.change(remove)).unwrap_or(0)
    }

    pub fn remove_equal(&mut self, bytes: &[u8], from: End, most: usize) -> usize {
        let item = Item::new(bytes);
        let mut removed = 0;
        for n in 0..self.nodes.len() {
            if removed == most {
                break;
            }
            let at = if from == End::Front { n } else { self.nodes.len() - 1 - n };
            let slot = &mut self.nodes[at];
            let is_there = match &*slot.node() {
                Node::Packed(pack) => pack.first().is_some_and(|first| pack.find_item(first, item, 0).is_some()),
                Node::Plain(own) => **own == bytes,
                Node::Squeezed(_) => false,
            };
            if !is_there {
                continue;
            }
            let was_squeezed = slot.is_squeezed();
            match slot.change(|pack| node::remove_equal(pack, item, from, most - removed)) {
                Some(some) => removed += some,
                None => {
                    // It is a node for itself, and is taken away below.
                    slot.count = 0;
                    removed += 1;
                }
            }
            if was_squeezed && slot.count > 0 {
                slot.squeeze();
            }
        }
        if removed > 0 {
            self.len -= removed;
            self.nodes.retain(|slot| slot.count > 0);
            self.removed_nodes();
        }
        removed
    }

    /// Must be called after nodes were taken out: gives memory back, and restores those that are now near an end.
    fn removed_nodes(&mut self) {
        if self.nodes.capacity() > NODES_LARGE && self.nodes.len() * 4 < self.nodes.capacity() {
            self.nodes.shrink_to(self.nodes.len() * 2);
        }
        self.recompress(0);
    }

    /// Sees to it that the nodes near the ends are as they are, and that the one at `touched` and those next to the ends are compressed.
    #[inline]
    fn recompress(&mut self, touched: usize) {
        if self.limits.depth > 0 {
            self.recompress_slow(touched);
        }
    }

    fn recompress_slow(&mut self, touched: usize) {
        let (depth, len) = (self.limits.depth as usize, self.nodes.len());
        for n in 0..depth.min(len) {
            self.nodes[n].restore();
            self.nodes[len - 1 - n].restore();
        }
        for at in [touched, depth, len.saturating_sub(depth + 1)] {
            if at >= depth && at + depth < len {
                self.nodes[at].squeeze();
            }
        }
    }

    /// What must hold, for tests.
    #[cfg(test)]
    pub fn check(&self) {
        use super::node::NodeView;
        let depth = self.limits.depth as usize;
        let mut len = 0;
        for (at, slot) in self.nodes.iter().enumerate() {
            assert!(slot.count > 0, "no node is empty");
            let mut fresh = slot.clone();
            fresh.restore();
            match fresh.view() {
                NodeView::Packed(pack) => assert_eq!((slot.count as usize, slot.bytes()), (pack.len(), pack.byte_len())),
                NodeView::Plain(bytes) => assert!(slot.count == 1 && self.limits.is_large(bytes.len())),
                NodeView::Squeezed { .. } => unreachable!(),
            }
            let near_end = at < depth || at + depth >= self.nodes.len();
            assert!(!(near_end && slot.is_squeezed()), "node {at} of {} is compressed", self.nodes.len());
            len += slot.count as usize;
        }
        assert_eq!(len, self.len);
    }
}
