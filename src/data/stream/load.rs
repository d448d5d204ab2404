//! A stream put together from what a file says of it. Everything is checked that commands take for granted, and a part at a time is taken, so that
//! no step grows with the stream.

use super::{ConsumerId, Group, Pending, Stream, StreamId, limits::COUNT_MAX};
use crate::data::listpack::{Item, Iter, Listpack};

/// What a stream says of itself behind its nodes.
pub struct StreamFacts {
    /// Number of entries.
    pub len: u64,
    /// The last ID that was given.
    pub last_id: StreamId,
    /// The largest ID that was deleted.
    pub max_deleted_id: StreamId,
    /// Entries that were ever added.
    pub entries_added: u64,
}

/// A stream in the making: nodes, then facts, then groups, each with its pending entries and then its consumers with theirs. What is refused
/// (`false`) leaves it as it may not be used.
#[derive(Default)]
pub struct StreamBuilder {
    stream: Stream,
    /// IDs of the last node and the last entry.
    last: Option<(StreamId, StreamId)>,
    group: Option<GroupInMaking>,
}

/// A group in the making.
struct GroupInMaking {
    name: Box<[u8]>,
    group: Group,
    /// Pending entries that no consumer has claimed yet.
    unowned: u64,
    /// The last pending entry that has come.
    last: Option<StreamId>,
    /// The consumer whose pending entries come, and the last of those.
    consumer: Option<ConsumerId>,
    owned: Option<StreamId>,
}

/// No moment is before this one, so that none is too far from another to be told.
const FIRST_MS: i64 = 0;

impl StreamBuilder {
    /// Adds a node, whose entries come behind all those so far.
    pub fn node(&mut self, id: StreamId, pack: Listpack) -> bool {
        let Some(edges) = check(id, &pack) else { return false };
        // Redis may leave a node without entries behind when it trims by ID.
        let Some((first, last)) = edges else { return true };
        if self.last.is_some_and(|(last_node, last_entry)| last_node >= id || last_entry >= first) {
            return false;
        }
        self.last = Some((id, last));
        self.stream.push_node(id, pack);
        true
    }

    /// What stands behind the nodes.
    pub fn facts(&mut self, facts: StreamFacts) -> bool {
        if facts.len != self.stream.len() || self.last.is_some_and(|(_, entry)| entry > facts.last_id) {
            return false;
        }
        self.stream.refresh_first_id();
        self.stream.set_last_id(facts.last_id);
        self.stream.set_max_deleted_id(facts.max_deleted_id);
        self.stream.set_entries_added(facts.entries_added.max(facts.len));
        true
    }

    /// How many entries up to an ID were ever added, if that can be told: for groups of whom the file does not say how many they have read.
    pub fn entries_read_at(&self, id: StreamId) -> Option<u64> {
        self.stream.counters().read_at(id)
    }

    /// Begins a group.
    pub fn group(&mut self, name: &[u8], last_id: StreamId, entries_read: Option<u64>) -> bool {
        if self.stream.group(name).is_some() {
            return false;
        }
        let group = Group::new(last_id, entries_read);
        self.group = Some(GroupInMaking { name: name.into(), group, unowned: 0, last: None, consumer: None, owned: None });
        true
    }

    /// Adds a pending entry to the group, in the order of their IDs.
    pub fn pending(&mut self, id: StreamId, delivered_ms: i64, deliveries: u64) -> bool {
        let Some(making) = self.group.as_mut().filter(|making| making.last.is_none_or(|last| last < id)) else { return false };
        making.last = Some(id);
        making.unowned += 1;
        let (delivered_ms, deliveries) = (delivered_ms.max(FIRST_MS), deliveries.min(COUNT_MAX));
        making.group.add_unowned(id, delivered_ms, deliveries);
        true
    }

    /// Begins a consumer of the group. One that never was active was so at a negative moment.
    pub fn consumer(&mut self, name: &[u8], seen_ms: i64, active_ms: i64) -> bool {
        let Some(making) = &mut self.group else { return false };
        let seen_ms = seen_ms.max(FIRST_MS);
        let Some(consumer) = making.group.create_consumer(name, seen_ms) else { return false };
        making.group.set_times(consumer, seen_ms, (active_ms >= FIRST_MS).then_some(active_ms));
        (making.consumer, making.owned) = (Some(consumer), None);
        true
    }

    /// Gives the consumer a pending entry of the group's, in the order of their IDs.
    pub fn owned(&mut self, id: StreamId) -> bool {
        let Some(making) = self.group.as_mut().filter(|making| making.owned.is_none_or(|last| last < id)) else { return false };
        let (Some(consumer), Some(pending)) = (making.consumer, making.group.pending(id)) else { return false };
        if pending.consumer != ConsumerId::NOBODY {
            return false;
        }
        making.group.set_pending(id, Pending { consumer, ..pending });
        making.owned = Some(id);
        making.unowned -= 1;
        true
    }

    /// The group is whole. Each of its pending entries has a consumer, or it is refused.
    pub fn group_done(&mut self) -> bool {
        let Some(GroupInMaking { name, group, unowned: 0, .. }) = self.group.take() else { return false };
        self.stream.0.groups.insert(name.into(), group);
        true
    }

    /// The stream.
    pub fn finish(self) -> Stream {
        self.stream
    }
}

/// Marks of an entry: it is deleted; its fields are the node's.
const DELETED: i64 = 1;
const SAME_FIELDS: i64 = 2;

/// Goes through a node's listpack; `None` when it is not one that a stream can have. Returns the IDs of the first and the last entry that are not
/// deleted, if there are any. These are in order. Where one that is deleted stood does not matter: XSETID can go back behind it.
fn check(node: StreamId, pack: &Listpack) -> Option<Option<(StreamId, StreamId)>> {
    fn number(items: &mut Iter<'_>) -> Option<i64> {
        match items.next()? {
            Item::Int(n) => Some(n),
            Item::Str(_) => None,
        }
    }
    fn count(items: &mut Iter<'_>) -> Option<usize> {
        usize::try_from(number(items)?).ok()
    }
    fn skip(items: &mut Iter<'_>, count: usize) -> Option<()> {
        match count {
            0 => Some(()),
            count => items.nth(count - 1).map(drop),
        }
    }

    let mut items = pack.iter();
    let (live, deleted, fields_of_node) = (count(&mut items)?, count(&mut items)?, count(&mut items)?);
    skip(&mut items, fields_of_node)?;
    if number(&mut items)? != 0 {
        return None;
    }
    let (mut edges, mut live_found, mut deleted_found) = (None, 0, 0);
    while items.pos() < pack.end() {
        let (flags, ms, seq) = (number(&mut items)?, number(&mut items)?, number(&mut items)?);
        if flags & !(DELETED | SAME_FIELDS) != 0 {
            return None;
        }
        // Flags, two numbers and the fields' values, and where the fields are its own their number and names.
        let elements = if flags & SAME_FIELDS != 0 {
            skip(&mut items, fields_of_node)?;
            fields_of_node + 3
        } else {
            let fields = count(&mut items)?;
            skip(&mut items, fields)?;
            skip(&mut items, fields)?;
            2 * fields + 4
        };
        if count(&mut items)? != elements {
            return None;
        }
        if flags & DELETED != 0 {
            deleted_found += 1;
            continue;
        }
        live_found += 1;
        let id = node.offset(ms, seq);
        edges = match edges {
            None if id >= node => Some((id, id)),
            Some((first, last)) if id > last => Some((first, id)),
            _ => return None,
        };
    }
    ((live, deleted) == (live_found, deleted_found)).then_some(edges)
}
