//! What XREADGROUP does to one stream: a consumer gets entries that are new to its group, those that others have left pending for too long, or again what
//! it has pending itself.

use super::{
    effects::GroupEffects,
    ids::IdText,
    replies::{guess, limit, reply_array, reply_entry_parts, reply_id},
};
use crate::{
    data::stream::{ConsumerId, Group, Pending, Stream, StreamId},
    resp::output::Output,
};

/// How XREADGROUP reads.
pub(super) struct Delivery<'a> {
    pub group: &'a [u8],
    pub consumer: &'a [u8],
    /// Most entries of a stream; 0 for all.
    pub count: usize,
    /// What is delivered counts as acknowledged.
    pub noack: bool,
    /// Milliseconds after which what another consumer has pending is delivered again.
    pub claim_ms: Option<i64>,
    pub now_ms: i64,
}

/// What has come of a stream.
#[derive(Default)]
pub(super) struct Outcome {
    /// Something has been answered.
    pub served: bool,
    /// The consumer is new.
    pub created: bool,
    /// When what has been pending for longest was delivered, if it can be claimed some day.
    pub oldest_ms: Option<i64>,
}

/// Where a consumer reads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Behind this ID in what it has pending itself.
    Own(StreamId),
    /// What the group has not read.
    New,
    /// What others have left pending.
    Claimed,
}

impl Delivery<'_> {
    /// Reads `stream` behind `after`, or what is new for [`StreamId::MAX`]; `begin` writes what stands in front of its entries.
    pub(super) fn read(
        &self,
        out: &mut Output,
        stream: &mut Stream,
        after: StreamId,
        effects: &mut GroupEffects<'_>,
        begin: impl FnOnce(&mut Output),
    ) -> Outcome {
        let mut outcome = Outcome::default();
        let Some(group) = stream.group(self.group) else { return outcome };
        if self.claim_ms.is_some() {
            // What is gone from the stream cannot be claimed.
            let mut oldest = group.pending_oldest().filter(|(id, _)| stream.get(*id).is_some());
            outcome.oldest_ms = oldest.next().map(|(_, pending)| pending.delivered_ms);
        }
        let is_new = stream.last_entry().is_some_and(|last| last.id() > group.last_id());
        let claimable = outcome.oldest_ms.is_some_and(|oldest_ms| self.is_claimable(oldest_ms));
        let place = match after {
            StreamId::MAX if is_new => Some(Place::New),
            StreamId::MAX => claimable.then_some(Place::Claimed),
            after => Some(Place::Own(after)),
        };
        let Some((consumer, created)) = stream.group_mut(self.group).map(|group| self.consumer(group)) else { return outcome };
        outcome.created = created;
        if created && self.noack {
            effects.consumer(self.consumer);
        }
        let before = effects.commands.len();
        if let Some(place) = place {
            outcome.served = true;
            begin(out);
            match place {
                Place::Own(after) => self.reply_own(out, stream, consumer, after),
                place => self.reply_new(out, stream, consumer, place == Place::New, effects),
            }
        }
        // A claim makes the consumer wherever it is repeated.
        if created && !self.noack && effects.commands.len() == before {
            effects.consumer(self.consumer);
        }
        outcome
    }

    fn is_claimable(&self, delivered_ms: i64) -> bool {
        self.claim_ms.is_some_and(|claim_ms| self.now_ms.saturating_sub(delivered_ms) >= claim_ms)
    }

    /// The consumer, which has been seen; and whether it is new.
    fn consumer(&self, group: &mut Group) -> (ConsumerId, bool) {
        find_or_create(group, self.consumer, self.now_ms)
    }

    /// What the consumer has pending itself, once more; of what is gone from the stream the ID.
    fn reply_own(&self, out: &mut Output, stream: &mut Stream, consumer: ConsumerId, after: StreamId) {
        let Some(group) = stream.group(self.group) else { return };
        let from = after.next().unwrap_or(StreamId::MIN);
        let mut again = Vec::new();
        let guess = guess(self.count, group.consumer_by(consumer).pending_len());
        reply_array(out, guess, group.consumer_pending(consumer, from).take(limit(self.count)), |out, (id, pending)| {
            out.array(2);
            match stream.get(id) {
                Some(entry) => {
                    reply_entry_parts(out, &entry);
                    again.push((id, pending));
                }
                None => {
                    reply_id(out, id);
                    out.null_array();
                }
            }
        });
        let Some(group) = stream.group_mut(self.group) else { return };
        for (id, pending) in again {
            let deliveries = pending.deliveries.wrapping_add(1);
            group.set_pending(id, Pending { delivered_ms: self.now_ms, deliveries, ..pending });
        }
    }

    /// What others have left pending, if that is asked for, and then what is new.
    fn reply_new(&self, out: &mut Output, stream: &mut Stream, consumer: ConsumerId, new: bool, effects: &mut GroupEffects<'_>) {
        let expected = if self.count == 0 { stream.len() } else { self.count as u64 };
        let (mark, guess) = (out.mark(), guess(self.count, expected));
        out.array(guess);
        let mut replied = self.reply_claimed(out, stream, consumer, effects);
        if new && (self.count == 0 || replied < self.count) {
            replied += self.reply_unread(out, stream, consumer, limit(self.count) - replied, effects);
        }
        out.correct_len(mark, guess, replied);
    }

    fn reply_claimed(&self, out: &mut Output, stream: &mut Stream, consumer: ConsumerId, effects: &mut GroupEffects<'_>) -> usize {
        if self.claim_ms.is_none() {
            return 0;
        }
        let Some(group) = stream.group(self.group) else { return 0 };
        let old = group.pending_oldest().take_while(|(_, pending)| self.is_claimable(pending.delivered_ms)).take(limit(self.count));
        let mut claimed = Vec::new();
        for (id, pending) in old {
            let Some(entry) = stream.get(id) else { continue };
            out.array(4);
            reply_entry_parts(out, &entry);
            out.int(self.now_ms.saturating_sub(pending.delivered_ms));
            out.int(pending.deliveries as i64);
            claimed.push((id, pending));
        }
        let Some(group) = stream.group_mut(self.group) else { return 0 };
        for (id, pending) in &claimed {
            let pending = Pending { consumer, delivered_ms: self.now_ms, deliveries: pending.deliveries.wrapping_add(1) };
            group.set_pending(*id, pending);
            effects.claim(self.consumer, IdText::new(*id).bytes(), &pending, group.last_id());
        }
        if !claimed.is_empty() {
            group.was_active(consumer, self.now_ms);
        }
        claimed.len()
    }

    fn reply_unread(
        &self,
        out: &mut Output,
        stream: &mut Stream,
        consumer: ConsumerId,
        most: usize,
        effects: &mut GroupEffects<'_>,
    ) -> usize {
        let Some(from) = stream.group(self.group).and_then(|group| group.last_id().next()) else { return 0 };
        let mut ids = Vec::new();
        for entry in stream.range(from, StreamId::MAX).take(most) {
            out.array(if self.claim_ms.is_some() { 4 } else { 2 });
            reply_entry_parts(out, &entry);
            if self.claim_ms.is_some() {
                // New to the group: not idle, and never delivered.
                out.int(0);
                out.int(0);
            }
            ids.push(entry.id());
        }
        if ids.is_empty() {
            return 0;
        }
        let numbers = stream.counters();
        let Some(group) = stream.group_mut(self.group) else { return 0 };
        for id in &ids {
            group.set_entries_read(numbers.read_on(group.entries_read(), *id));
            group.set_last_id(*id);
            if self.noack {
                continue;
            }
            // It may be pending already: XGROUP SETID goes back.
            let pending = Pending { consumer, delivered_ms: self.now_ms, deliveries: 1 };
            group.set_pending(*id, pending);
            effects.claim(self.consumer, IdText::new(*id).bytes(), &pending, *id);
        }
        // Claims say what is pending, and not how many entries the group has read.
        effects.position(group.last_id(), group.entries_read());
        if !self.noack {
            group.was_active(consumer, self.now_ms);
        }
        ids.len()
    }
}

/// The consumer of this name, which has been seen at this moment; and whether it is new.
pub(super) fn find_or_create(group: &mut Group, name: &[u8], now_ms: i64) -> (ConsumerId, bool) {
    match group.consumer(name) {
        Some(consumer) => {
            group.saw(consumer, now_ms);
            (consumer, false)
        }
        None => (group.create_consumer(name, now_ms).expect("it is not there"), true),
    }
}
