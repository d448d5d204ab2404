//! Moving what a stream is made of: the nodes, then each group's trees.

use super::{Group, Stream, StreamId};
use crate::data::moving::{Mover, Place, Relocate};
use std::{ops::Bound, sync::Arc};

/// Parts of a stream, as [`Place::part`] tells them. What comes next in each is behind an ID or a name.
const START: u8 = 0;
const NODES: u8 = 1;
/// The tree of the groups.
const GROUPS: u8 = 2;
/// One group: what it has pending, then its consumers by name, then by number, then what each of them has pending.
const PENDING: u8 = 3;
const NAMES: u8 = 4;
const CONSUMERS: u8 = 5;
const OWNED: u8 = 6;

impl Relocate for Stream {
    fn relocate(&mut self, from: Place, mover: &mut Mover) -> Option<Place> {
        let mut at = from;
        loop {
            at = self.relocate_part(at, mover)?;
            if mover.is_spent() {
                return Some(at);
            }
        }
    }
}

impl Stream {
    /// Moves what is at a place, a leaf of a tree as a rule, and says what comes next.
    fn relocate_part(&mut self, at: Place, mover: &mut Mover) -> Option<Place> {
        if at.part == START {
            mover.boxed(&mut self.0);
        }
        let parts = &mut *self.0;
        match at.part {
            START => {
                if let Some((_, node)) = &mut parts.tail {
                    mover.arc(node);
                    if let Some(node) = Arc::get_mut(node) {
                        node.relocate(mover);
                    }
                }
                Some(Place { part: NODES, ..Place::default() })
            }
            NODES => {
                // There is no entry with the first of all IDs.
                let from = StreamId { ms: at.id.0, seq: at.id.1 };
                let last = parts.nodes.relocate_leaf(Bound::Excluded(&from), mover, &mut |node, mover| node.relocate(mover));
                Some(match last {
                    Some(last) => Place { id: (last.ms, last.seq), ..at },
                    None => Place { part: GROUPS, ..Place::default() },
                })
            }
            GROUPS => {
                let from = at.name.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
                match parts.groups.relocate_leaf(from, mover, &mut |_, _| ()) {
                    Some(last) => Some(Place { name: Some((*last).into()), ..at }),
                    None => self.group_behind(None),
                }
            }
            _ => {
                let name = at.name.clone()?;
                let next = parts.groups.get_unshared(&*name).and_then(|group| group.relocate_part(&at, mover));
                next.or_else(|| self.group_behind(Some(&name)))
            }
        }
    }

    /// The place where the first group behind this name begins.
    fn group_behind(&self, name: Option<&[u8]>) -> Option<Place> {
        let (next, _) = self.groups_after(name).next()?;
        Some(Place { part: PENDING, name: Some(next.into()), ..Place::default() })
    }
}

impl Group {
    /// The same of one group; `None` when that was its last part.
    fn relocate_part(&mut self, at: &Place, mover: &mut Mover) -> Option<Place> {
        let start = |part| Some(Place { part, name: at.name.clone(), ..Place::default() });
        let id = StreamId { ms: at.id.0, seq: at.id.1 };
        // Numbers of consumers begin with 0: what has been done is told by how many of the numbers.
        let number = u32::try_from(at.at).ok();
        let from_number = || number.as_ref().map_or(Bound::Excluded(&u32::MAX), Bound::Included);
        match at.part {
            PENDING => match self.pending.relocate_leaf(Bound::Excluded(&id), mover, &mut |_, _| ()) {
                Some(last) => Some(Place { id: (last.ms, last.seq), ..at.clone() }),
                None => start(NAMES),
            },
            NAMES => {
                let from = at.inner_name.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
                match self.names.relocate_leaf(from, mover, &mut |_, _| ()) {
                    Some(last) => Some(Place { inner_name: Some((*last).into()), ..at.clone() }),
                    None => start(CONSUMERS),
                }
            }
            CONSUMERS => match self.consumers.relocate_leaf(from_number(), mover, &mut |_, _| ()) {
                Some(last) => Some(Place { at: u64::from(last) + 1, ..at.clone() }),
                None => start(OWNED),
            },
            OWNED => {
                let next = *self.consumers.leaf_from(from_number()).first().map(|(number, _)| number)?;
                // Where this consumer is gone, the next one begins at its beginning.
                let id = if Some(next) == number { id } else { StreamId { ms: 0, seq: 0 } };
                let consumer = self.consumers.get_unshared(&next);
                let last = consumer.and_then(|consumer| consumer.own.relocate_leaf(Bound::Excluded(&id), mover, &mut |_, _| ()));
                Some(match last {
                    Some(last) => Place { at: u64::from(next), id: (last.ms, last.seq), ..at.clone() },
                    None => Place { at: u64::from(next) + 1, id: (0, 0), ..at.clone() },
                })
            }
            _ => None,
        }
    }
}
