//! Entries between two IDs, either way.

use super::{
    Parts, Stream, StreamId,
    entry::Entry,
    node::{Entries, Node},
    tree::{Back, Iter},
};
use crate::data::listpack::Pos;
use std::ops::Bound;

/// Entries in order.
pub struct Range<'a> {
    parts: &'a Parts,
    from: StreamId,
    to: StreamId,
    /// The nodes that come next; `None` when the tail was the last.
    nodes: Option<Iter<'a, StreamId, Node>>,
    entries: Option<Entries<'a>>,
}

/// Entries, the last first.
pub struct RangeBack<'a> {
    from: StreamId,
    to: StreamId,
    nodes: Option<Back<'a, StreamId, Node>>,
    /// A node, and in front of what in it the next entry ends.
    at: Option<(&'a Node, Entries<'a>, Pos)>,
}

impl Stream {
    /// The entries of these IDs, both included, in order.
    pub fn range(&self, from: StreamId, to: StreamId) -> Range<'_> {
        let parts = &*self.0;
        let mut range = Range { parts, from, to, nodes: None, entries: None };
        match &parts.tail {
            Some((master, node)) if *master <= from => range.entries = node.entries(*master),
            _ => {
                let first = parts.nodes.floor(&from).map_or(from, |(master, _)| *master);
                range.nodes = Some(parts.nodes.iter_from(Bound::Included(&first)));
            }
        }
        range
    }

    /// The entries of these IDs, both included, the last first: `from` is not less than `to`.
    pub fn range_back(&self, from: StreamId, to: StreamId) -> RangeBack<'_> {
        let parts = &*self.0;
        let mut range = RangeBack { from, to, nodes: Some(parts.nodes.iter_to(Bound::Included(&from))), at: None };
        if let Some((master, node)) = parts.tail.as_ref().filter(|(master, _)| *master <= from) {
            range.at = node.entries(*master).map(|entries| (&**node, entries, node.pack().end()));
        }
        range
    }
}

impl<'a> Range<'a> {
    /// The node that comes next.
    fn next_node(&mut self) -> Option<(StreamId, &'a Node)> {
        let nodes = self.nodes.as_mut()?;
        if let Some((master, node)) = nodes.next() {
            return Some((*master, node));
        }
        self.nodes = None;
        self.parts.tail.as_ref().map(|(master, node)| (*master, &**node))
    }
}

impl<'a> Iterator for Range<'a> {
    type Item = Entry<'a>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            let Some(entries) = &mut self.entries else {
                let (master, node) = self.next_node()?;
                if master > self.to {
                    self.nodes = None;
                    return None;
                }
                self.entries = node.entries(master);
                continue;
            };
            match entries.next() {
                None => self.entries = None,
                Some(found) if found.entry.id() < self.from || !found.is_live() => {}
                Some(found) if found.entry.id() <= self.to => return Some(found.entry),
                Some(_) => (self.nodes, self.entries) = (None, None),
            }
        }
    }
}

impl<'a> Iterator for RangeBack<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            let Some((node, entries, end)) = &mut self.at else {
                let (master, node) = self.nodes.as_mut()?.next()?;
                self.at = node.entries(*master).map(|entries| (node, entries, node.pack().end()));
                continue;
            };
            let Some(found) = node.entry_before(entries, *end) else {
                self.at = None;
                continue;
            };
            *end = found.pos();
            if found.entry.id() < self.to {
                (self.nodes, self.at) = (None, None);
            } else if found.entry.id() <= self.from && found.is_live() {
                return Some(found.entry);
            }
        }
    }
}
