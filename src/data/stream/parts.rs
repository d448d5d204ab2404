//! A stream handed over part by part, in the order of a file: the nodes, what it says of itself, and for each group its pending entries and its
//! consumers with theirs. A step is bounded, whatever the stream holds, and where it goes on is known by name and ID.

use super::{Consumer, Group, Pending, Stream, StreamId};
use crate::data::listpack::Listpack;

/// A part of a stream.
pub enum StreamPart<'a> {
    /// A node, under the ID that those of its entries are counted from.
    Node(StreamId, &'a Listpack),
    /// All nodes have come. What else the stream says of itself, and that so many groups follow, is in here.
    Facts(&'a Stream),
    /// A group and its name. As many pending entries follow as it has.
    Group(&'a [u8], &'a Group),
    /// An entry that is pending in that group.
    Pending(StreamId, Pending),
    /// All pending entries have come, and so many consumers follow.
    Consumers(usize),
    /// A consumer. As many IDs follow as it has pending entries.
    Consumer(&'a Consumer),
    /// An entry that is pending for that consumer, and how it is.
    Owned(StreamId, Pending),
}

/// What a step may take, in pending entries.
const STEP: usize = 256;
/// What a node stands for among them: it is some kilobytes, mostly.
const NODE: usize = 100;
/// What a group or a consumer does, which is found by its name.
const NAMED: usize = 8;

/// How far a stream has been handed over.
#[derive(Default)]
pub struct PartsCursor(NextPart);

#[derive(Default)]
enum NextPart {
    #[default]
    Start,
    /// The node with this ID, or the next one, comes next.
    Nodes(StreamId),
    Facts,
    /// The group behind the one with this name.
    Group(Option<Box<[u8]>>),
    /// In the group with this name the pending entry with this ID, or the next one.
    Pending(Box<[u8]>, StreamId),
    Consumers(Box<[u8]>),
    /// In this group the consumer behind the one with this name.
    Consumer(Box<[u8]>, Option<Box<[u8]>>),
    /// In this group, for this consumer, the pending entry with this ID, or the next one.
    Owned(Box<[u8]>, Box<[u8]>, StreamId),
    End,
}

impl PartsCursor {
    /// Hands over the next parts of a stream, which must not change between steps; `false` when those were the last.
    pub fn step(&mut self, stream: &Stream, visit: &mut dyn FnMut(StreamPart<'_>)) -> bool {
        let mut left = STEP;
        while left > 0 {
            let at = std::mem::take(&mut self.0);
            self.0 = next(stream, at, &mut left, visit);
            if matches!(self.0, NextPart::End) {
                return false;
            }
        }
        true
    }
}

/// Hands over the parts of one kind that come next, as far as `left` lasts, and says where that leads to.
fn next(stream: &Stream, at: NextPart, left: &mut usize, visit: &mut dyn FnMut(StreamPart<'_>)) -> NextPart {
    match at {
        NextPart::Start => NextPart::Nodes(StreamId::MIN),
        NextPart::Nodes(from) => {
            for (id, pack) in stream.nodes_from(from) {
                if *left == 0 {
                    return NextPart::Nodes(id);
                }
                *left = left.saturating_sub(NODE);
                visit(StreamPart::Node(id, pack));
            }
            NextPart::Facts
        }
        NextPart::Facts => {
            visit(StreamPart::Facts(stream));
            NextPart::Group(None)
        }
        NextPart::Group(behind) => {
            let Some((name, group)) = stream.groups_after(behind.as_deref()).next() else { return NextPart::End };
            *left = left.saturating_sub(NAMED);
            visit(StreamPart::Group(name, group));
            NextPart::Pending(name.into(), StreamId::MIN)
        }
        NextPart::Pending(name, from) => {
            let Some(group) = stream.group(&name) else { return NextPart::End };
            for (id, pending) in group.pending_range(from, StreamId::MAX) {
                if *left == 0 {
                    return NextPart::Pending(name, id);
                }
                *left -= 1;
                visit(StreamPart::Pending(id, pending));
            }
            NextPart::Consumers(name)
        }
        NextPart::Consumers(name) => {
            let Some(group) = stream.group(&name) else { return NextPart::End };
            visit(StreamPart::Consumers(group.consumers_len()));
            NextPart::Consumer(name, None)
        }
        NextPart::Consumer(name, behind) => {
            let Some(group) = stream.group(&name) else { return NextPart::End };
            let Some((_, consumer)) = group.consumers_after(behind.as_deref()).next() else { return NextPart::Group(Some(name)) };
            *left = left.saturating_sub(NAMED);
            visit(StreamPart::Consumer(consumer));
            NextPart::Owned(name, consumer.name().into(), StreamId::MIN)
        }
        NextPart::Owned(name, consumer, from) => {
            let Some(group) = stream.group(&name) else { return NextPart::End };
            let Some(id) = group.consumer(&consumer) else { return NextPart::End };
            for (id, pending) in group.consumer_pending(id, from) {
                if *left == 0 {
                    return NextPart::Owned(name, consumer, id);
                }
                *left -= 1;
                visit(StreamPart::Owned(id, pending));
            }
            NextPart::Consumer(name, Some(consumer))
        }
        NextPart::End => NextPart::End,
    }
}

/// A copy of a stream, which shares what it holds with the original, on its way to somebody.
pub struct SharedStream {
    stream: Stream,
    place: PartsCursor,
}

impl SharedStream {
    /// The stream as it is now.
    pub fn of(stream: &Stream) -> Self {
        Self { stream: stream.clone(), place: PartsCursor::default() }
    }

    /// Hands over the next parts; `false` when those were the last.
    pub fn step(&mut self, visit: &mut dyn FnMut(StreamPart<'_>)) -> bool {
        self.place.step(&self.stream, visit)
    }
}

impl Stream {
    /// All parts at once.
    pub fn parts(&self, visit: &mut dyn FnMut(StreamPart<'_>)) {
        let mut place = PartsCursor::default();
        while place.step(self, visit) {}
    }
}
