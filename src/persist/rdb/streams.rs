//! Streams in files. Numbers are lengths unless a size is given; an ID of 16 bytes is milliseconds and sequence, big-endian, a moment 8 bytes of
//! Unix milliseconds, little-endian.
//!
//! ```text
//! nodes     number of nodes; each: ID (a string of 16 bytes) and listpack (a string, see data/stream)
//! facts     number of entries, last ID (ms, seq)
//!           from type 19 on: first ID, largest deleted ID (ms, seq each), entries ever added
//! groups    number of groups; each:
//!             name, last delivered ID (ms, seq); from type 19 on: entries read (2^64-1: unknown)
//!             number of pending entries; each: ID (16 bytes), moment of delivery, deliveries
//!             number of consumers; each:
//!               name, moment seen; in type 21: moment active (-1: never)
//!               number of its pending entries; each: ID (16 bytes)
//! ```

use super::{
    building::{BROKEN, Built},
    format::{VERSION_ACTIVE_TIMES, types},
    input::{Input, InputCursor, Stop},
    packer::{Out, Packer, put_length},
    string::Strings,
};
use crate::data::{
    object::Object,
    stream::{Stream, StreamBuilder, StreamFacts, StreamId, StreamPart},
};

/// What a group's number of entries read is when nobody knows it.
const UNKNOWN: u64 = u64::MAX;

/// What the moment is at which a consumer that never was was active.
const NEVER_ACTIVE: i64 = -1;

/// The type of a stream in a file of this version.
pub(super) fn type_of(stream: &Stream, version: u32) -> u8 {
    if version >= VERSION_ACTIVE_TIMES && stream.has_apart() { types::STREAM_3 } else { types::STREAM_2 }
}

/// Writes a stream.
pub(super) fn put_stream(out: &mut Out, packer: &mut Packer, stream: &Stream) {
    let code = type_of(stream, packer.version);
    put_length(&mut out.tail, stream.node_count());
    stream.parts(&mut |part| {
        put_part(out, packer, code, part);
        out.flush_full();
    });
}

/// Writes a part of a stream whose number of nodes has been written.
pub(super) fn put_part(out: &mut Out, packer: &mut Packer, code: u8, part: StreamPart<'_>) {
    let tail = &mut out.tail;
    match part {
        StreamPart::Node(id, pack) => {
            put_length(tail, ID_BYTES as u64);
            put_raw_id(tail, id);
            packer.listpack(tail, pack);
        }
        StreamPart::Facts(stream) => {
            put_length(tail, stream.len());
            put_id(tail, stream.last_id());
            put_id(tail, stream.first_id());
            put_id(tail, stream.max_deleted_id());
            put_length(tail, stream.entries_added());
            put_length(tail, stream.groups_len() as u64);
        }
        StreamPart::Group(name, group) => {
            packer.string(tail, name);
            put_id(tail, group.last_id());
            put_length(tail, group.entries_read().unwrap_or(UNKNOWN));
            put_length(tail, group.pending_len());
        }
        StreamPart::Pending(id, pending) => {
            put_raw_id(tail, id);
            tail.extend_from_slice(&pending.delivered_ms.to_le_bytes());
            put_length(tail, pending.deliveries);
        }
        StreamPart::Consumers(count) => put_length(tail, count as u64),
        StreamPart::Consumer(consumer) => {
            packer.string(tail, consumer.name());
            tail.extend_from_slice(&consumer.seen_ms().to_le_bytes());
            if code == types::STREAM_3 {
                tail.extend_from_slice(&consumer.active_ms().unwrap_or(NEVER_ACTIVE).to_le_bytes());
            }
            put_length(tail, consumer.pending_len());
        }
        StreamPart::Owned(id, _) => put_raw_id(tail, id),
    }
}

fn put_id(out: &mut Vec<u8>, id: StreamId) {
    put_length(out, id.ms);
    put_length(out, id.seq);
}

/// Bytes of an ID that stands alone.
const ID_BYTES: usize = 16;

fn put_raw_id(out: &mut Vec<u8>, id: StreamId) {
    out.extend_from_slice(&id.ms.to_be_bytes());
    out.extend_from_slice(&id.seq.to_be_bytes());
}

fn raw_id(bytes: [u8; ID_BYTES]) -> StreamId {
    let both = u128::from_be_bytes(bytes);
    StreamId { ms: (both >> 64) as u64, seq: both as u64 }
}

/// What is decoded before the decoder returns to its caller, in pending entries.
const PART: usize = 256;
/// What a node stands for among them: each of its entries is looked at.
const NODE: usize = 100;
/// What a group or a consumer does.
const NAMED: usize = 8;

/// A stream on its way in.
pub(super) struct StreamBuilding {
    code: u8,
    expected: StreamItem,
    /// Nodes, groups, and in these pending entries, consumers and consumers' pending entries that have not been taken.
    left: ItemsLeft,
    /// The node's ID, while its listpack has not come.
    node: StreamId,
    /// The name of a group or a consumer, while its numbers have not come.
    name: Vec<u8>,
    builder: StreamBuilder,
}

#[derive(Clone, Copy)]
enum StreamItem {
    Nodes,
    NodeId,
    Node,
    Facts,
    Group,
    GroupNumbers,
    Pending,
    Consumers,
    Consumer,
    ConsumerNumbers,
    Owned,
}

#[derive(Default)]
struct ItemsLeft {
    nodes: u64,
    groups: u64,
    pending: u64,
    consumers: u64,
    owned: u64,
}

impl StreamBuilding {
    /// A stream of this type.
    pub fn new(code: u8) -> Self {
        Self {
            code,
            expected: StreamItem::Nodes,
            left: ItemsLeft::default(),
            node: StreamId::MIN,
            name: Vec::new(),
            builder: StreamBuilder::default(),
        }
    }

    /// Goes on with what has arrived, until the stream is whole or a part of it has been taken.
    pub fn advance(&mut self, input: &mut Input, strings: &mut Strings) -> Result<Built, Stop> {
        let mut budget = PART;
        while budget > 0 {
            let cost = match self.step(input, strings)? {
                Some(cost) => cost,
                None => return Ok(Built::Object(Box::new(Object::Stream(std::mem::take(&mut self.builder).finish())))),
            };
            budget = budget.saturating_sub(cost);
        }
        Err(Stop::Part)
    }

    /// Takes what comes next, and says what that stands for; `None` when the stream is whole.
    fn step(&mut self, input: &mut Input, strings: &mut Strings) -> Result<Option<usize>, Stop> {
        let (cost, next) = match self.expected {
            StreamItem::Nodes => {
                self.left.nodes = numbers(input)?;
                (0, StreamItem::NodeId)
            }
            StreamItem::NodeId if self.left.nodes == 0 => (0, StreamItem::Facts),
            StreamItem::NodeId => {
                let text = strings.next(input)?;
                let id = text.with(input, strings, |bytes| bytes.try_into().map(raw_id));
                self.node = id.map_err(|_| BROKEN("Stream node key entry is not the size of a stream ID"))?;
                (0, StreamItem::Node)
            }
            StreamItem::Node => {
                let text = strings.next(input)?;
                let (id, builder) = (self.node, &mut self.builder);
                let is_right =
                    text.with(input, strings, |bytes| super::containers::listpack(bytes).is_some_and(|pack| builder.node(id, pack)));
                if !is_right {
                    return Err(BROKEN("Stream listpack integrity check failed."));
                }
                self.left.nodes -= 1;
                (NODE, StreamItem::NodeId)
            }
            StreamItem::Facts => {
                self.facts(input)?;
                (0, StreamItem::Group)
            }
            StreamItem::Group if self.left.groups == 0 => return Ok(None),
            StreamItem::Group => {
                let text = strings.next(input)?;
                text.keep(input, strings, &mut self.name);
                (NAMED, StreamItem::GroupNumbers)
            }
            StreamItem::GroupNumbers => {
                self.group(input)?;
                (0, StreamItem::Pending)
            }
            StreamItem::Pending if self.left.pending == 0 => (0, StreamItem::Consumers),
            StreamItem::Pending => {
                let mut cursor = input.cursor();
                let (id, delivered_ms, deliveries) = (raw_id(cursor.array()?), i64::from_le_bytes(cursor.array()?), cursor.length()?);
                let len = cursor.at;
                input.take(len);
                if !self.builder.pending(id, delivered_ms, deliveries) {
                    return Err(BROKEN("Duplicated global PEL entry loading stream consumer group"));
                }
                self.left.pending -= 1;
                (1, StreamItem::Pending)
            }
            StreamItem::Consumers => {
                self.left.consumers = numbers(input)?;
                (0, StreamItem::Consumer)
            }
            StreamItem::Consumer if self.left.consumers == 0 => {
                if !self.builder.group_done() {
                    return Err(BROKEN("Stream CG PEL entry without consumer"));
                }
                self.left.groups -= 1;
                (0, StreamItem::Group)
            }
            StreamItem::Consumer => {
                let text = strings.next(input)?;
                text.keep(input, strings, &mut self.name);
                (NAMED, StreamItem::ConsumerNumbers)
            }
            StreamItem::ConsumerNumbers => {
                self.consumer(input)?;
                (0, StreamItem::Owned)
            }
            StreamItem::Owned if self.left.owned == 0 => {
                self.left.consumers -= 1;
                (0, StreamItem::Consumer)
            }
            StreamItem::Owned => {
                let id = raw_id(input.cursor().array()?);
                input.take(ID_BYTES);
                if !self.builder.owned(id) {
                    return Err(BROKEN("Consumer entry not found in group global PEL, or found twice"));
                }
                self.left.owned -= 1;
                (1, StreamItem::Owned)
            }
        };
        self.expected = next;
        Ok(Some(cost))
    }

    /// What the stream says of itself, and how many groups it has.
    fn facts(&mut self, input: &mut Input) -> Result<(), Stop> {
        let mut cursor = input.cursor();
        let len = cursor.length()?;
        let last_id = id(&mut cursor)?;
        let (mut max_deleted_id, mut entries_added) = (StreamId::MIN, len);
        if self.code != types::STREAM {
            // The first ID is that of the first entry.
            id(&mut cursor)?;
            max_deleted_id = id(&mut cursor)?;
            entries_added = cursor.length()?;
        }
        let groups = cursor.length()?;
        let taken = cursor.at;
        input.take(taken);
        self.left.groups = groups;
        if self.builder.facts(StreamFacts { len, last_id, max_deleted_id, entries_added }) {
            Ok(())
        } else {
            Err(BROKEN("Stream length inconsistent with rax entries"))
        }
    }

    /// The numbers of a group whose name has come.
    fn group(&mut self, input: &mut Input) -> Result<(), Stop> {
        let mut cursor = input.cursor();
        let last_id = id(&mut cursor)?;
        let entries_read = match self.code {
            types::STREAM => self.builder.entries_read_at(last_id),
            _ => Some(cursor.length()?).filter(|read| i64::try_from(*read).is_ok()),
        };
        self.left.pending = cursor.length()?;
        let taken = cursor.at;
        input.take(taken);
        if self.builder.group(&self.name, last_id, entries_read) { Ok(()) } else { Err(BROKEN("Duplicated consumer group name")) }
    }

    /// The numbers of a consumer whose name has come.
    fn consumer(&mut self, input: &mut Input) -> Result<(), Stop> {
        let mut cursor = input.cursor();
        let seen_ms = i64::from_le_bytes(cursor.array()?);
        let active_ms = if self.code == types::STREAM_3 { i64::from_le_bytes(cursor.array()?) } else { seen_ms };
        self.left.owned = cursor.length()?;
        let taken = cursor.at;
        input.take(taken);
        if self.builder.consumer(&self.name, seen_ms, active_ms) { Ok(()) } else { Err(BROKEN("Duplicate stream consumer detected")) }
    }
}

fn id(cursor: &mut InputCursor<'_>) -> Result<StreamId, Stop> {
    Ok(StreamId { ms: cursor.length()?, seq: cursor.length()? })
}

/// A number that stands alone.
fn numbers(input: &mut Input) -> Result<u64, Stop> {
    let mut cursor = input.cursor();
    let number = cursor.length()?;
    let len = cursor.at;
    input.take(len);
    Ok(number)
}
