//! Streams: entries in nodes as Redis lays them, the nodes in a tree that copies share, and groups of consumers beside them.
//!
//! The last node, to which entries are added, is kept outside the tree: so most writes do not look at it, and a stream of one node
//! has none. An empty stream is kept as a key.

mod counters;
mod entry;
mod group;
mod id;
mod limits;
mod load;
mod node;
mod parts;
mod range;
mod relocation;
#[cfg(test)]
mod tests;
mod tree;
mod trim;

pub use counters::Counters;
pub use entry::{Entry, Fields};
pub use group::{Consumer, ConsumerId, Group, Pending};
pub use id::StreamId;
pub use load::{StreamBuilder, StreamFacts};
pub use node::{NodeLimits, entries_of};
pub use parts::{SharedStream, StreamPart};
pub use range::{Range, RangeBack};
pub use trim::{Bound, Trim};

use super::listpack::Listpack;
use limits::COUNT_MAX;
use node::Node;
use std::{cell::Cell, ops, sync::Arc};
use tree::Tree;

/// Nodes from which on a new one gets all of its memory at once: what is not used is little then, beside the others.
const NODES_TRUSTED: usize = 8;
/// Bytes that it gets at most.
const ROOM_MAX: usize = 16_384;

/// A stream. Cloning it copies nothing.
#[derive(Clone, Default)]
pub struct Stream(Box<Parts>);

#[derive(Clone, Default)]
struct Parts {
    /// All nodes but the last, by their IDs.
    nodes: Tree<StreamId, Node>,
    /// The last node; there is none where there is no node at all.
    tail: Option<(StreamId, Arc<Node>)>,
    len: u64,
    first_id: StreamId,
    last_id: StreamId,
    max_deleted_id: StreamId,
    entries_added: u64,
    groups: Tree<Arc<[u8]>, Group>,
    /// Its database counts it among those that files need a later version for.
    counted: Cell<bool>,
}

/// Its numbers.
impl Stream {
    /// No entry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of entries.
    #[inline]
    pub fn len(&self) -> u64 {
        self.0.len
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.len == 0
    }

    /// The first entry's ID; [`StreamId::MIN`] when there is none.
    pub fn first_id(&self) -> StreamId {
        self.0.first_id
    }

    /// The ID behind which the next entry's is.
    #[inline]
    pub fn last_id(&self) -> StreamId {
        self.0.last_id
    }

    /// The largest ID of an entry that was deleted by its ID.
    pub fn max_deleted_id(&self) -> StreamId {
        self.0.max_deleted_id
    }

    /// How many entries were ever added.
    pub fn entries_added(&self) -> u64 {
        self.0.entries_added
    }

    /// Sets the ID behind which the next entry's is.
    pub fn set_last_id(&mut self, id: StreamId) {
        self.0.last_id = id;
    }

    /// Sets the largest ID of a deleted entry.
    pub fn set_max_deleted_id(&mut self, id: StreamId) {
        self.0.max_deleted_id = id;
    }

    /// Sets how many entries were ever added.
    pub fn set_entries_added(&mut self, entries_added: u64) {
        self.0.entries_added = entries_added.min(COUNT_MAX);
    }

    /// Finds the first entry's ID.
    pub(super) fn refresh_first_id(&mut self) {
        self.0.first_id = self.range(StreamId::MIN, StreamId::MAX).next().map_or(StreamId::MIN, |entry| entry.id());
    }

    /// Bytes of memory, by so many parts of each kind (0: all of them).
    pub fn allocated(&self, samples: usize) -> usize {
        let parts = &*self.0;
        let tail = parts.tail.as_ref().map_or(0, |(_, node)| 2 * size_of::<usize>() + size_of::<Node>() + node.pack().allocated());
        size_of::<Parts>() + parts.nodes.allocated(samples) + tail + parts.groups.allocated(samples)
    }
}

/// Its entries.
impl Stream {
    /// Adds an entry of these names and values by turns. Its ID is behind the last.
    pub fn append<'f>(&mut self, id: StreamId, fields: impl Iterator<Item = &'f [u8]> + Clone, limits: NodeLimits) {
        let parts = &mut *self.0;
        debug_assert!(id > parts.last_id, "IDs only ever rise");
        let (elements, bytes) = fields.clone().fold((0, 0), |(elements, bytes), field| (elements + 1, bytes + field.len()));
        let pairs = elements / 2;
        match &mut parts.tail {
            Some((master, node)) if node.admits(bytes, limits) => Arc::make_mut(node).push(*master, id, fields, pairs),
            _ => {
                let mut room = 0;
                if let Some((master, node)) = parts.tail.take() {
                    let mut node = Arc::unwrap_or_clone(node);
                    node.fit();
                    if parts.nodes.len() + 1 >= NODES_TRUSTED {
                        // What the one before it has needed this one will.
                        room = node.pack().allocated().min(ROOM_MAX);
                    }
                    parts.nodes.insert(master, node);
                }
                let mut node = Node::begin(fields.clone(), pairs, room);
                node.push_first(fields, pairs);
                parts.tail = Some((id, Arc::new(node)));
            }
        }
        if parts.len == 0 {
            parts.first_id = id;
        }
        parts.len += 1;
        parts.last_id = id;
        parts.entries_added = parts.entries_added.saturating_add(1).min(COUNT_MAX);
    }

    /// Adds a node from a file, which has been checked: its ID is behind those of all entries that are there.
    pub(super) fn push_node(&mut self, master: StreamId, pack: Listpack) {
        let node = Node::from_pack(pack);
        let parts = &mut *self.0;
        parts.len = parts.len.saturating_add(node.live());
        if let Some((master, node)) = parts.tail.replace((master, Arc::new(node))) {
            parts.nodes.insert(master, Arc::unwrap_or_clone(node));
        }
    }

    /// The entry of this ID.
    pub fn get(&self, id: StreamId) -> Option<Entry<'_>> {
        self.range(id, id).next()
    }

    /// The last entry.
    pub fn last_entry(&self) -> Option<Entry<'_>> {
        self.range_back(StreamId::MAX, StreamId::MIN).next()
    }

    /// Removes the entry of this ID; `false` when there is none.
    pub fn delete(&mut self, id: StreamId) -> bool {
        let parts = &mut *self.0;
        let in_tail = parts.tail.as_ref().filter(|(master, _)| *master <= id).map(|(master, node)| (*master, &**node));
        let Some((master, node)) = in_tail.or_else(|| parts.nodes.floor(&id).map(|(master, node)| (*master, node))) else { return false };
        let Some(pos) = node.find(master, id) else { return false };
        let (is_tail, is_last_of_node) = (in_tail.is_some(), node.live() <= 1);
        match (&mut parts.tail, is_tail, is_last_of_node) {
            (_, true, true) => {
                parts.tail = None;
                parts.find_tail();
            }
            (Some((_, tail)), true, false) => Arc::make_mut(tail).mark(&[pos]),
            (_, _, true) => drop(parts.nodes.remove(&master)),
            (_, _, false) => drop(parts.nodes.change(&master, |node| node.mark(&[pos]))),
        }
        parts.len = parts.len.saturating_sub(1);
        parts.max_deleted_id = parts.max_deleted_id.max(id);
        if parts.first_id == id || parts.len == 0 {
            self.refresh_first_id();
        }
        true
    }

    /// The nodes whose ID is this or behind it.
    pub fn nodes_from(&self, id: StreamId) -> impl Iterator<Item = (StreamId, &Listpack)> {
        let tail = self.0.tail.iter().filter(move |(master, _)| *master >= id).map(|(master, node)| (*master, node.pack()));
        self.0.nodes.iter_from(ops::Bound::Included(&id)).map(|(master, node)| (*master, node.pack())).chain(tail)
    }

    /// Number of nodes.
    pub fn node_count(&self) -> u64 {
        self.0.nodes.len() as u64 + u64::from(self.0.tail.is_some())
    }
}

impl Parts {
    /// Makes the last node of the tree the tail.
    fn find_tail(&mut self) {
        let Some(master) = self.nodes.last().map(|(master, _)| *master) else { return };
        self.tail = self.nodes.remove(&master).map(|node| (master, Arc::new(node)));
    }
}

/// Its groups.
impl Stream {
    /// The groups by name.
    pub fn groups(&self) -> impl Iterator<Item = (&[u8], &Group)> {
        self.groups_after(None)
    }

    /// The groups behind this name.
    pub fn groups_after(&self, name: Option<&[u8]>) -> impl Iterator<Item = (&[u8], &Group)> {
        let from = name.map_or(ops::Bound::Unbounded, ops::Bound::Excluded);
        self.0.groups.iter_from(from).map(|(name, group)| (&**name, group))
    }

    /// The groups by name, to change them.
    pub fn groups_mut(&mut self) -> impl Iterator<Item = &mut Group> {
        self.0.groups.iter_mut().map(|(_, group)| group)
    }

    /// Number of groups.
    pub fn groups_len(&self) -> usize {
        self.0.groups.len()
    }

    /// The group of this name.
    pub fn group(&self, name: &[u8]) -> Option<&Group> {
        self.0.groups.get(name)
    }

    /// The group of this name, to change it.
    pub fn group_mut(&mut self, name: &[u8]) -> Option<&mut Group> {
        self.0.groups.get_mut(name)
    }

    /// Makes a group; `false` when there is one of this name.
    pub fn create_group(&mut self, name: &[u8], last_id: StreamId, entries_read: Option<u64>) -> bool {
        if self.group(name).is_some() {
            return false;
        }
        self.0.groups.insert(name.into(), Group::new(last_id, entries_read));
        true
    }

    /// Removes a group; `false` when there is none of this name.
    pub fn destroy_group(&mut self, name: &[u8]) -> bool {
        self.0.groups.remove(name).is_some()
    }

    /// Whether its database counts it among those that files need a later version for.
    pub fn is_counted(&self) -> bool {
        self.0.counted.get()
    }

    /// Notes whether it does.
    pub fn count(&self, counted: bool) {
        self.0.counted.set(counted);
    }

    /// Whether a consumer was seen at another time than it was active, which only newer files tell.
    pub fn has_apart(&self) -> bool {
        self.groups().any(|(_, group)| group.apart() > 0)
    }
}
