//! Consumer groups: who has read how far, and which entries have been delivered and not been acknowledged.

use super::{
    id::StreamId,
    limits::COUNT_MAX,
    tree::{Sum, Tree, Value},
};
use std::{ops::Bound, sync::Arc};

/// Names a consumer of one group, for as long as it is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConsumerId(u32);

impl ConsumerId {
    /// Whose the pending entries of a file are before their consumer has come.
    pub(super) const NOBODY: Self = Self(u32::MAX);
}

/// An entry that has been delivered and not been acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pending {
    /// To whom.
    pub consumer: ConsumerId,
    /// When it was last delivered.
    pub delivered_ms: i64,
    /// How often it was.
    pub deliveries: u64,
}

/// The earliest delivery of some pending entries.
#[derive(Clone, Copy)]
pub struct Oldest(i64);

impl Sum for Oldest {
    const NONE: Self = Self(i64::MAX);

    #[inline]
    fn with(self, other: Self) -> Self {
        Self(self.0.min(other.0))
    }

    #[inline]
    fn without(self, part: Self) -> Option<Self> {
        (part.0 > self.0).then_some(self)
    }
}

impl Value for Pending {
    type Sum = Oldest;
    /// 1280 bytes.
    const LEAF: usize = 32;
    const LARGE: usize = 256;

    #[inline]
    fn sum(&self) -> Oldest {
        Oldest(self.delivered_ms)
    }
}

/// The name of a consumer or of a group.
type Name = Arc<[u8]>;

impl Value for ConsumerId {
    type Sum = ();
    const LEAF: usize = 16;

    fn sum(&self) {}
}

/// A consumer's own pending entries: only which they are.
#[derive(Clone, Copy)]
pub(super) struct Own;

impl Value for Own {
    type Sum = ();
    /// 1024 bytes.
    const LEAF: usize = 64;
    const LARGE: usize = 256;

    fn sum(&self) {}
}

/// One of those who share a group's entries.
#[derive(Clone)]
pub struct Consumer {
    name: Name,
    seen_ms: i64,
    active_ms: Option<i64>,
    pub(super) own: Tree<StreamId, Own>,
}

impl Value for Consumer {
    type Sum = ();
    const LEAF: usize = 8;
    const LARGE: usize = 64;

    fn sum(&self) {}

    fn bytes(&self) -> usize {
        NAME_HEADER + self.name.len() + self.own.allocated(5)
    }
}

/// The counters in front of a name.
const NAME_HEADER: usize = 16;

impl Consumer {
    /// Its name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// When it last asked for something.
    pub fn seen_ms(&self) -> i64 {
        self.seen_ms
    }

    /// When it last got something; `None`: never.
    pub fn active_ms(&self) -> Option<i64> {
        self.active_ms
    }

    /// Number of its pending entries.
    pub fn pending_len(&self) -> u64 {
        self.own.len() as u64
    }

    /// Whether a file has to tell its two times apart.
    fn is_apart(&self) -> bool {
        self.active_ms != Some(self.seen_ms)
    }
}

/// A consumer group. Cloning it shares everything.
#[derive(Clone, Default)]
pub struct Group {
    last_id: StreamId,
    entries_read: Option<u64>,
    pub(super) pending: Tree<StreamId, Pending>,
    pub(super) names: Tree<Name, ConsumerId>,
    pub(super) consumers: Tree<u32, Consumer>,
    /// Where the search for a number that no consumer has begins.
    next: u32,
    apart: u32,
}

impl Value for Group {
    type Sum = ();
    const LEAF: usize = 8;
    const LARGE: usize = 64;

    fn sum(&self) {}

    fn bytes(&self) -> usize {
        self.pending.allocated(5) + self.names.allocated(5) + self.consumers.allocated(5)
    }
}

impl Group {
    pub(super) fn new(last_id: StreamId, entries_read: Option<u64>) -> Self {
        let mut group = Self { last_id, ..Self::default() };
        group.set_entries_read(entries_read);
        group
    }

    /// The last entry that was delivered to somebody.
    pub fn last_id(&self) -> StreamId {
        self.last_id
    }

    /// Sets what was delivered last.
    pub fn set_last_id(&mut self, id: StreamId) {
        self.last_id = id;
    }

    /// How many entries of the stream have been read by it, if that is known.
    pub fn entries_read(&self) -> Option<u64> {
        self.entries_read
    }

    /// Sets how many entries have been read. The number ends where files and replies, in which it has a sign, can no longer tell it.
    pub fn set_entries_read(&mut self, entries_read: Option<u64>) {
        self.entries_read = entries_read.map(|entries| entries.min(COUNT_MAX));
    }

    /// Consumers of which a file has to tell two times.
    pub fn apart(&self) -> u32 {
        self.apart
    }
}

/// Pending entries.
impl Group {
    /// Number of pending entries.
    pub fn pending_len(&self) -> u64 {
        self.pending.len() as u64
    }

    /// The entry, if it is pending.
    pub fn pending(&self, id: StreamId) -> Option<Pending> {
        self.pending.get(&id).copied()
    }

    /// The pending entries of these IDs, both included.
    pub fn pending_range(&self, from: StreamId, to: StreamId) -> impl Iterator<Item = (StreamId, Pending)> {
        self.pending.iter_from(Bound::Included(&from)).map(|(id, pending)| (*id, *pending)).take_while(move |(id, _)| *id <= to)
    }

    /// The last pending entry.
    pub fn pending_last(&self) -> Option<StreamId> {
        self.pending.last().map(|(id, _)| *id)
    }

    /// Pending entries from an ID on that were delivered at that moment or before. What was not is passed over in whole branches.
    pub fn pending_idle(&self, from: StreamId, before_ms: i64) -> impl Iterator<Item = (StreamId, Pending)> {
        let mut leaf = [].iter();
        let mut from = Bound::Included(from);
        std::iter::from_fn(move || {
            loop {
                if let Some((id, pending)) = leaf.find(|(_, pending): &&(StreamId, Pending)| pending.delivered_ms <= before_ms) {
                    return Some((*id, *pending));
                }
                let found = self.pending.leaf_where(from.as_ref(), &|oldest: Oldest| oldest.0 <= before_ms)?;
                from = Bound::Excluded(found.last()?.0);
                leaf = found.iter();
            }
        })
    }

    /// Pending entries by the moment of their delivery, the oldest first, those of the same moment by ID. The first `k` cost k log n.
    pub fn pending_oldest(&self) -> impl Iterator<Item = (StreamId, Pending)> {
        self.pending.by_rank(|oldest| oldest.0).map(|(id, pending)| (*id, *pending))
    }

    /// Makes an entry pending, or changes how it is. Its consumer is there.
    pub fn set_pending(&mut self, id: StreamId, pending: Pending) {
        let old = self.pending.insert(id, pending);
        if let Some(old) = old {
            if old.consumer == pending.consumer {
                return;
            }
            self.disown(old.consumer, id);
        }
        let owner = self.consumers.get_mut(&pending.consumer.0);
        debug_assert!(owner.is_some(), "the consumer is there");
        if let Some(owner) = owner {
            owner.own.insert(id, Own);
        }
    }

    /// Adds an entry from a file that is pending and is behind all others that are. It gets its consumer by [`Group::set_pending`].
    pub(super) fn add_unowned(&mut self, id: StreamId, delivered_ms: i64, deliveries: u64) {
        self.pending.insert(id, Pending { consumer: ConsumerId::NOBODY, delivered_ms, deliveries });
    }

    /// Takes an entry off the pending ones; `false` when it is none.
    pub fn ack(&mut self, id: StreamId) -> bool {
        let Some(pending) = self.pending.remove(&id) else { return false };
        self.disown(pending.consumer, id);
        true
    }

    fn disown(&mut self, consumer: ConsumerId, id: StreamId) {
        if let Some(consumer) = self.consumers.get_mut(&consumer.0) {
            consumer.own.remove(&id);
        }
    }
}

/// Consumers.
impl Group {
    /// The consumers by name.
    pub fn consumers(&self) -> impl Iterator<Item = (ConsumerId, &Consumer)> {
        self.consumers_after(None)
    }

    /// The consumers behind this name.
    pub fn consumers_after(&self, name: Option<&[u8]>) -> impl Iterator<Item = (ConsumerId, &Consumer)> {
        let from = name.map_or(Bound::Unbounded, Bound::Excluded);
        self.names.iter_from(from).map(|(_, id)| (*id, self.consumer_by(*id)))
    }

    /// Number of consumers.
    pub fn consumers_len(&self) -> usize {
        self.names.len()
    }

    /// The consumer of this name.
    pub fn consumer(&self, name: &[u8]) -> Option<ConsumerId> {
        self.names.get(name).copied()
    }

    /// A consumer that is there.
    ///
    /// # Panics
    /// When it is not.
    pub fn consumer_by(&self, id: ConsumerId) -> &Consumer {
        self.consumers.get(&id.0).expect("the consumer is there")
    }

    /// Makes a consumer that has been seen and has got nothing yet; `None` when there is one of this name.
    pub fn create_consumer(&mut self, name: &[u8], now_ms: i64) -> Option<ConsumerId> {
        if self.names.get(name).is_some() {
            return None;
        }
        while self.next == ConsumerId::NOBODY.0 || self.consumers.get(&self.next).is_some() {
            self.next = self.next.wrapping_add(1);
        }
        let id = ConsumerId(self.next);
        self.next = self.next.wrapping_add(1);
        let name: Name = name.into();
        self.names.insert(name.clone(), id);
        self.consumers.insert(id.0, Consumer { name, seen_ms: now_ms, active_ms: None, own: Tree::default() });
        self.apart += 1;
        Some(id)
    }

    /// Removes a consumer and its pending entries. Returns how many these were; `None` when there is no such consumer.
    pub fn remove_consumer(&mut self, name: &[u8]) -> Option<u64> {
        let id = self.names.remove(name)?;
        let consumer = self.consumers.remove(&id.0)?;
        self.apart -= u32::from(consumer.is_apart());
        if consumer.own.len() == self.pending.len() {
            self.pending = Tree::default();
        } else {
            for (id, _) in consumer.own.iter() {
                self.pending.remove(id);
            }
        }
        Some(consumer.pending_len())
    }

    /// Pending entries of one consumer, from an ID on.
    pub fn consumer_pending(&self, id: ConsumerId, from: StreamId) -> impl Iterator<Item = (StreamId, Pending)> {
        let own = &self.consumer_by(id).own;
        own.iter_from(Bound::Included(&from)).filter_map(|(id, _)| Some((*id, self.pending(*id)?)))
    }

    /// A consumer has asked for something.
    pub fn saw(&mut self, id: ConsumerId, now_ms: i64) {
        self.change_times(id, |consumer| consumer.seen_ms = now_ms);
    }

    /// A consumer has got something.
    pub fn was_active(&mut self, id: ConsumerId, now_ms: i64) {
        self.set_times(id, now_ms, Some(now_ms));
    }

    /// Sets both times of a consumer.
    pub fn set_times(&mut self, id: ConsumerId, seen_ms: i64, active_ms: Option<i64>) {
        self.change_times(id, |consumer| (consumer.seen_ms, consumer.active_ms) = (seen_ms, active_ms));
    }

    fn change_times(&mut self, id: ConsumerId, change: impl FnOnce(&mut Consumer)) {
        let Some(consumer) = self.consumers.get_mut(&id.0) else { return };
        self.apart -= u32::from(consumer.is_apart());
        change(consumer);
        self.apart += u32::from(consumer.is_apart());
    }
}
