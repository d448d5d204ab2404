//! Values as the commands that make them again: a base of an append-only file that has no RDB preamble. The sink of a walk, as
//! [`RdbSink`](crate::persist::snapshot::RdbSink) is.
//!
//! ```text
//! string      SET key value
//! list        RPUSH key element ...
//! set         SADD key member ...
//! sorted set  ZADD key score member ...
//! hash        HMSET key field value ..., and for each field with a deadline HPEXPIREAT key ms FIELDS 1 field
//! stream      XADD key id name value ..., once an entry; where there is none XADD key MAXLEN 0 0-1 x y
//!             XSETID key last-id ENTRIESADDED n MAXDELETEDID id
//!             each group      XGROUP CREATE key group last-id ENTRIESREAD n
//!             each consumer   XGROUP CREATECONSUMER key group consumer
//!             what it owes    XCLAIM key group consumer 0 id TIME ms RETRYCOUNT n JUSTID FORCE
//! deadline    PEXPIREAT key ms
//! ```
//!
//! Collections come in commands of 64 items. One that a walk hands over in pieces is told as its pieces come, and other keys between its
//! commands: nothing waits for its end, and what is held of it is less than one command.
//!
//! Some things that a value knows no command can say, here as in Redis: when a consumer was last seen, marks of access, and what is
//! pending of entries that are gone from the stream.

use super::annotations;
use crate::{
    data::{
        entry::{Entry, NEVER, Value},
        float,
        hash::{Field, FieldValue},
        list::NodeView,
        listpack::{Item, Listpack},
        lzf,
        number::{self, len_i64},
        object::Object,
        pieces::Element,
        stream::{Pending, Stream, StreamId, StreamPart, entries_of},
    },
    keyspace::{Keyspace, Sink, WalkId},
    persist::{
        out::Out,
        rdb::Progress,
        snapshot::{EarlyCopies, SnapshotSink},
    },
    resp::encode::{array_header, bulk, bulk_header, request},
};
use bytes::Bytes;
use std::{cell::RefCell, collections::VecDeque, rc::Rc};

/// Items of a collection in one command, as in Redis.
const ITEMS_EACH: usize = 64;

/// What a group's number of entries read is when nobody knows it.
const UNKNOWN: i64 = -1;

/// Turns what a walk finds into commands.
pub struct CommandSink {
    out: Out,
    /// The database that the commands are for.
    db: Option<usize>,
    /// Large collections; the first one is being told.
    larges: VecDeque<Large>,
    /// What is small is told by this, which keeps its room.
    items: Items,
    ended: bool,
    ready: VecDeque<Bytes>,
    ready_bytes: usize,
    keys: u64,
    bytes: u64,
    early: EarlyCopies,
}

/// A collection that comes in pieces.
struct Large {
    db: usize,
    key: Box<[u8]>,
    deadline: i64,
    rest: Rest,
}

/// How a value is told on.
enum Rest {
    Items(Items),
    Stream(Names),
}

/// Items that wait for a command to be full.
#[derive(Default)]
struct Items {
    verb: Verb,
    count: usize,
    args: Out,
    /// Commands about them that come behind theirs.
    behind: Vec<u8>,
}

/// A command that takes items, and how many arguments each of them is.
#[derive(Clone, Copy, Default)]
struct Verb {
    name: &'static str,
    args_each: usize,
}

const RPUSH: Verb = Verb { name: "RPUSH", args_each: 1 };
const SADD: Verb = Verb { name: "SADD", args_each: 1 };
const ZADD: Verb = Verb { name: "ZADD", args_each: 2 };
const HMSET: Verb = Verb { name: "HMSET", args_each: 2 };

/// The group and the consumer that parts of a stream are about.
#[derive(Default)]
struct Names {
    group: Vec<u8>,
    consumer: Vec<u8>,
}

impl CommandSink {
    /// Writes what loads a library of functions: behind the beginning, and in front of all keys.
    pub fn library(&mut self, code: &[u8]) {
        request(&mut self.out.tail, &[b"FUNCTION", b"LOAD", code]);
    }

    /// For what `keyspace` holds now: the walk is to begin in the same turn. Where a file says times, `unix_seconds` is its first.
    pub fn begin(unix_seconds: Option<i64>, keyspace: &mut Keyspace) -> (WalkId, Rc<RefCell<Self>>) {
        let mut out = Out::default();
        if let Some(seconds) = unix_seconds {
            annotations::write_timestamp(&mut out.tail, seconds);
        }
        let sink = Rc::new(RefCell::new(Self {
            out,
            db: None,
            larges: VecDeque::new(),
            items: Items::default(),
            ended: false,
            ready: VecDeque::new(),
            ready_bytes: 0,
            keys: 0,
            bytes: 0,
            early: EarlyCopies::default(),
        }));
        (keyspace.begin_walk(sink.clone()), sink)
    }

    #[inline]
    fn enter(&mut self, db: usize) {
        if self.db != Some(db) {
            self.db = Some(db);
            request(&mut self.out.tail, &[b"SELECT", itoa::Buffer::new().format(db).as_bytes()]);
        }
    }

    /// Bytes that wait to be taken, ready to go or not.
    pub fn waiting_bytes(&self) -> usize {
        let items = |large: &Large| if let Rest::Items(items) = &large.rest { items.args.len() + items.behind.len() } else { 0 };
        self.ready_bytes + self.out.len() + self.larges.front().map_or(0, items)
    }

    /// Tells a value in one go.
    fn tell(&mut self, key: &[u8], value: Value<'_>) {
        let out = &mut self.out;
        let object = match value {
            Value::Int(n) => return set(out, key, |out| put_int(&mut out.tail, n)),
            Value::Str(text) => return set(out, key, |out| bulk(&mut out.tail, text)),
            Value::Object(object) => object,
        };
        let items = &mut self.items;
        items.begin(object);
        match object {
            Object::Bytes(bytes) => set(out, key, |out| put_shared(out, bytes)),
            Object::List(list) => list.for_each(|element| items.item(out, key, element.item())),
            Object::Set(set) => set.iter().for_each(|member| items.item(out, key, member)),
            Object::Zset(zset) => zset.iter().for_each(|(member, score)| items.scored(out, key, member, score)),
            Object::Hash(hash) => hash.iter().for_each(|field| items.field(out, key, field)),
            Object::Stream(stream) => {
                let mut names = Names::default();
                stream.parts(&mut |part| names.part(out, key, part));
            }
        }
        items.flush(out, key);
    }
}

impl Sink for CommandSink {
    #[inline]
    fn entry(&mut self, db: usize, entry: &Entry) {
        self.enter(db);
        self.tell(entry.key(), entry.value());
        expire(&mut self.out, entry.key(), entry.deadline());
        self.out.flush_full();
        self.keys += 1;
    }

    fn large(&mut self, db: usize, entry: &Entry) {
        let rest = match entry.value() {
            Value::Object(Object::Stream(_)) => Rest::Stream(Names::default()),
            Value::Object(object) => Rest::Items(Items::of(object)),
            Value::Int(_) | Value::Str(_) => Rest::Items(Items::default()),
        };
        self.larges.push_back(Large { db, key: entry.key().into(), deadline: entry.deadline(), rest });
    }

    fn element(&mut self, element: Element<'_>) {
        let Some(db) = self.larges.front().map(|large| large.db) else { return };
        self.enter(db);
        let Some(Large { key, rest, .. }) = self.larges.front_mut() else { return };
        match (rest, element) {
            (Rest::Items(items), element) => items.element(&mut self.out, key, element),
            (Rest::Stream(names), Element::Stream(part)) => names.part(&mut self.out, key, part),
            (Rest::Stream(_), _) => debug_assert!(false, "a stream consists of its parts"),
        }
        self.out.flush_full();
    }

    fn large_done(&mut self) {
        let Some(Large { db, key, deadline, rest }) = self.larges.pop_front() else { return };
        self.enter(db);
        if let Rest::Items(mut items) = rest {
            items.flush(&mut self.out, &key);
        }
        expire(&mut self.out, &key, deadline);
        self.out.flush_full();
        self.keys += 1;
    }

    fn early(&mut self, bytes: usize) {
        self.early.add(bytes);
    }
}

impl SnapshotSink for CommandSink {
    fn finish(&mut self) {
        debug_assert!(self.larges.is_empty(), "the walk is over");
        self.out.flush();
        self.ended = true;
    }

    /// All that is whole is ready: nothing is done with a byte any more.
    fn poll(&mut self, _budget_bytes: usize) -> Progress {
        while let Some(piece) = self.out.pop(usize::MAX) {
            self.ready_bytes += piece.len();
            self.ready.push_back(piece);
        }
        if self.ended { Progress::Done } else { Progress::Idle }
    }

    fn pop(&mut self) -> Option<Bytes> {
        let Some(piece) = self.ready.pop_front() else {
            self.early.drained(self.waiting_bytes());
            return None;
        };
        self.ready_bytes -= piece.len();
        self.bytes += piece.len() as u64;
        Some(piece)
    }

    fn ready_bytes(&self) -> usize {
        self.ready_bytes
    }

    fn copied_bytes(&self) -> usize {
        self.early.waiting(self.waiting_bytes())
    }

    fn keys(&self) -> u64 {
        self.keys
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn early_bytes(&self) -> u64 {
        self.early.total()
    }
}

impl Items {
    fn of(object: &Object) -> Self {
        let mut items = Self::default();
        items.begin(object);
        items
    }

    /// Makes ready for the items of a collection.
    fn begin(&mut self, object: &Object) {
        self.verb = match object {
            Object::List(_) => RPUSH,
            Object::Set(_) => SADD,
            Object::Zset(_) => ZADD,
            Object::Hash(_) => HMSET,
            Object::Bytes(_) | Object::Stream(_) => Verb::default(),
        };
    }

    fn element(&mut self, out: &mut Out, key: &[u8], element: Element<'_>) {
        match element {
            Element::Member(member) => self.item(out, key, Item::Str(member)),
            Element::Scored(member, score) => self.scored(out, key, Item::Str(member), score),
            Element::Field(field) => self.field(out, key, field.into()),
            Element::Node(node) => self.node(out, key, &node),
            Element::Stream(_) => debug_assert!(false, "a stream has no items"),
        }
    }

    /// Some elements of a list in a row.
    fn node(&mut self, out: &mut Out, key: &[u8], node: &NodeView<'_>) {
        match node {
            NodeView::Packed(pack) => self.pack(out, key, pack),
            NodeView::Plain(bytes) => self.shared(out, key, bytes),
            NodeView::Squeezed { lzf, len, plain } => {
                let Ok(bytes) = lzf::decompress(lzf, *len) else { return debug_assert!(false, "we have compressed it") };
                if *plain {
                    self.shared(out, key, &bytes.into());
                } else if let Some(pack) = Listpack::from_bytes(&bytes) {
                    self.pack(out, key, &pack);
                }
            }
        }
    }

    fn pack(&mut self, out: &mut Out, key: &[u8], pack: &Listpack) {
        pack.iter().for_each(|item| self.item(out, key, item));
    }

    fn item(&mut self, out: &mut Out, key: &[u8], item: Item<'_>) {
        put_item(&mut self.args.tail, item);
        self.counted(out, key);
    }

    fn shared(&mut self, out: &mut Out, key: &[u8], bytes: &Bytes) {
        put_shared(&mut self.args, bytes);
        self.counted(out, key);
    }

    fn scored(&mut self, out: &mut Out, key: &[u8], member: Item<'_>, score: f64) {
        let mut text = Vec::new();
        float::write(&mut text, score);
        bulk(&mut self.args.tail, &text);
        self.item(out, key, member);
    }

    fn field(&mut self, out: &mut Out, key: &[u8], field: Field<'_>) {
        put_item(&mut self.args.tail, field.name);
        match field.value {
            FieldValue::Int(n) => put_int(&mut self.args.tail, n),
            FieldValue::Str(text) => bulk(&mut self.args.tail, text),
            FieldValue::Object(bytes) => put_shared(&mut self.args, bytes),
        }
        if field.deadline != NEVER {
            let (mut digits, mut name) = (itoa::Buffer::new(), itoa::Buffer::new());
            let (ms, name) = (digits.format(field.deadline).as_bytes(), field.name.text(&mut name));
            request(&mut self.behind, &[b"HPEXPIREAT", key, ms, b"FIELDS", b"1", name]);
        }
        self.counted(out, key);
    }

    /// Takes note that an item has come.
    #[inline]
    fn counted(&mut self, out: &mut Out, key: &[u8]) {
        self.count += 1;
        if self.count == ITEMS_EACH {
            self.flush(out, key);
        } else {
            self.args.flush_full();
        }
    }

    /// Makes a command of the items that have come.
    fn flush(&mut self, out: &mut Out, key: &[u8]) {
        if self.count == 0 {
            return;
        }
        array_header(&mut out.tail, 2 + self.count * self.verb.args_each);
        bulk(&mut out.tail, self.verb.name.as_bytes());
        bulk(&mut out.tail, key);
        out.append(&mut self.args);
        out.tail.append(&mut self.behind);
        out.flush_full();
        self.count = 0;
    }
}

impl Names {
    /// Tells a part of a stream.
    fn part(&mut self, out: &mut Out, key: &[u8], part: StreamPart<'_>) {
        let tail = &mut out.tail;
        match part {
            StreamPart::Node(id, pack) => {
                for entry in entries_of(id, pack) {
                    array_header(tail, 3 + 2 * entry.len());
                    bulk(tail, b"XADD");
                    bulk(tail, key);
                    put_id(tail, entry.id());
                    for (name, value) in entry.fields() {
                        put_item(tail, name);
                        put_item(tail, value);
                    }
                }
            }
            StreamPart::Facts(stream) => facts(tail, key, stream),
            StreamPart::Group(name, group) => {
                self.group = name.into();
                let entries_read = group.entries_read().map_or(UNKNOWN, |n| i64::try_from(n).unwrap_or(i64::MAX));
                array_header(tail, 7);
                [b"XGROUP", b"CREATE", key, name].iter().for_each(|arg| bulk(tail, arg));
                put_id(tail, group.last_id());
                bulk(tail, b"ENTRIESREAD");
                put_int(tail, entries_read);
            }
            // They come again with their consumers.
            StreamPart::Pending(..) | StreamPart::Consumers(_) => (),
            StreamPart::Consumer(consumer) => {
                self.consumer = consumer.name().into();
                request(tail, &[b"XGROUP", b"CREATECONSUMER", key, &self.group, consumer.name()]);
            }
            StreamPart::Owned(id, pending) => self.claim(tail, key, id, pending),
        }
        out.flush_full();
    }

    fn claim(&self, out: &mut Vec<u8>, key: &[u8], id: StreamId, pending: Pending) {
        array_header(out, 12);
        [b"XCLAIM", key, &self.group, &self.consumer, b"0"].iter().for_each(|arg| bulk(out, arg));
        put_id(out, id);
        bulk(out, b"TIME");
        put_int(out, pending.delivered_ms);
        bulk(out, b"RETRYCOUNT");
        bulk(out, itoa::Buffer::new().format(pending.deliveries).as_bytes());
        bulk(out, b"JUSTID");
        bulk(out, b"FORCE");
    }
}

/// What a stream says of itself, behind its entries.
fn facts(out: &mut Vec<u8>, key: &[u8], stream: &Stream) {
    if stream.is_empty() {
        request(out, &[b"XADD", key, b"MAXLEN", b"0", b"0-1", b"x", b"y"]);
    }
    array_header(out, 7);
    bulk(out, b"XSETID");
    bulk(out, key);
    put_id(out, stream.last_id());
    bulk(out, b"ENTRIESADDED");
    bulk(out, itoa::Buffer::new().format(stream.entries_added()).as_bytes());
    bulk(out, b"MAXDELETEDID");
    put_id(out, stream.max_deleted_id());
}

#[inline]
fn set(out: &mut Out, key: &[u8], value: impl FnOnce(&mut Out)) {
    array_header(&mut out.tail, 3);
    bulk(&mut out.tail, b"SET");
    bulk(&mut out.tail, key);
    value(out);
}

#[inline]
fn expire(out: &mut Out, key: &[u8], deadline: i64) {
    if deadline != NEVER {
        request(&mut out.tail, &[b"PEXPIREAT", key, itoa::Buffer::new().format(deadline).as_bytes()]);
    }
}

fn put_int(out: &mut Vec<u8>, n: i64) {
    bulk_header(out, len_i64(n));
    number::write_i64(out, n);
    out.extend_from_slice(b"\r\n");
}

fn put_item(out: &mut Vec<u8>, item: Item<'_>) {
    match item {
        Item::Int(n) => put_int(out, n),
        Item::Str(bytes) => bulk(out, bytes),
    }
}

fn put_shared(out: &mut Out, bytes: &Bytes) {
    bulk_header(&mut out.tail, bytes.len());
    out.put_shared(bytes);
    out.tail.extend_from_slice(b"\r\n");
}

fn put_id(out: &mut Vec<u8>, id: StreamId) {
    let mut text = Vec::with_capacity(2 * 20 + 1);
    id.write(&mut text);
    bulk(out, &text);
}
