//! Trimming: whole nodes are cut off structurally, however many, and freed later; of the node in which the new beginning lies entries are marked.

use super::{
    Parts, Stream, StreamId,
    node::{Live, Node},
};
use std::sync::Arc;

/// What is to stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// So many entries.
    MaxLen(u64),
    /// Entries from this ID on.
    MinId(StreamId),
}

/// How a stream is to be trimmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trim {
    /// What is to stay.
    pub bound: Bound,
    /// Only whole nodes are removed.
    pub approx: bool,
    /// Entries that are removed at most, as long as nodes are; 0: any number.
    pub limit: u64,
}

impl Trim {
    fn allows(&self, removed: u64) -> bool {
        self.limit == 0 || removed <= self.limit
    }
}

impl Stream {
    /// Removes entries from the beginning. Returns how many.
    pub fn trim(&mut self, trim: &Trim) -> u64 {
        if matches!(trim.bound, Bound::MaxLen(max) if self.len() <= max) {
            return 0;
        }
        let removed = self.0.trim(trim);
        if removed > 0 {
            self.refresh_first_id();
        }
        removed
    }
}

impl Parts {
    fn trim(&mut self, trim: &Trim) -> u64 {
        let mut removed = 0;
        while let Some((master, node)) = self.front() {
            let live = node.live();
            if matches!(trim.bound, Bound::MaxLen(max) if self.len <= max) || !trim.allows(live.saturating_add(removed)) {
                break;
            }
            let goes = match trim.bound {
                Bound::MaxLen(max) => self.len.saturating_sub(live) >= max,
                Bound::MinId(id) => node.last_id(master).is_none_or(|last| last < id),
            };
            if !goes {
                if !trim.approx {
                    removed += self.trim_front(trim.bound, master);
                }
                break;
            }
            if self.nodes.remove(&master).is_none() {
                self.tail = None;
            }
            self.len = self.len.saturating_sub(live);
            removed += live;
            removed += self.cut(trim, removed);
        }
        removed
    }

    /// Cuts nodes off of which it is certain, without looking at them, that they go, when so many entries are gone already. Returns how many
    /// entries they had.
    fn cut(&mut self, trim: &Trim, gone: u64) -> u64 {
        let Some((tail, _)) = &self.tail else { return 0 };
        let excess = match trim.bound {
            Bound::MaxLen(max) => self.len.saturating_sub(max),
            Bound::MinId(_) => u64::MAX,
        };
        let mut passed = 0u64;
        let refused = self.nodes.first_refused(|Live(live)| {
            let all = passed.saturating_add(live);
            let passes = all < excess && trim.allows(gone.saturating_add(all));
            passed = if passes { all } else { passed };
            passes
        });
        let mut first = refused.map_or(*tail, |(master, _)| *master);
        if let Bound::MinId(id) = trim.bound {
            // The last that begins at or in front of it: all in front of that one end in front of it.
            let last = if *tail <= id { Some(tail) } else { self.nodes.floor(&id).map(|(master, _)| master) };
            let Some(last) = last else { return 0 };
            first = first.min(*last);
        }
        let removed = self.nodes.split_off_front(&first).sum().0;
        self.len = self.len.saturating_sub(removed);
        removed
    }

    fn front(&self) -> Option<(StreamId, &Node)> {
        let in_tree = self.nodes.first().map(|(master, node)| (*master, node));
        in_tree.or_else(|| self.tail.as_ref().map(|(master, node)| (*master, &**node)))
    }

    /// Marks entries of the first node as deleted. Returns how many.
    fn trim_front(&mut self, bound: Bound, first: StreamId) -> u64 {
        let Some((_, node)) = self.front() else { return 0 };
        let places = match bound {
            Bound::MinId(id) => node.leading(first, |own| own >= id),
            Bound::MaxLen(max) => {
                let mut places = node.leading(first, |_| false);
                places.truncate(usize::try_from(self.len.saturating_sub(max)).unwrap_or(usize::MAX));
                places
            }
        };
        if places.is_empty() {
            return 0;
        }
        if self.nodes.change(&first, |node| node.mark(&places)).is_none()
            && let Some((_, node)) = &mut self.tail
        {
            Arc::make_mut(node).mark(&places);
        }
        self.len = self.len.saturating_sub(places.len() as u64);
        places.len() as u64
    }
}
