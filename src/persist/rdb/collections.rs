//! Values as bytes: the type that stands for each, and what follows. A collection goes out whole, or as a head and its elements one by one.
//!
//! Each is written in the oldest form that holds it, so that older servers can read it; the elements of a small one lie in memory as they
//! do in a file, and are copied.

use super::{
    format::{VERSION_ACTIVE_TIMES, VERSION_FIELD_DEADLINES, VERSION_WRITTEN, types},
    packer::{Out, Packer, put_compressed, put_int, put_length},
    streams,
};
use crate::data::{
    entry::{NEVER, Value},
    hash::{FieldEntry, FieldValue, Hash},
    list::{List, NodeView},
    listpack::Item,
    object::Object,
    pieces::Element,
    set::Set,
    stream::StreamPart,
    zset::Zset,
};

/// Kinds of a list's nodes: one element as it is, or a listpack.
const NODE_PLAIN: u64 = 1;
const NODE_PACKED: u64 = 2;

/// The number of a value's type in a file of this version.
#[inline]
pub(super) fn type_of(value: Value<'_>, version: u32) -> u8 {
    match value {
        Value::Int(_) | Value::Str(_) => types::STRING,
        Value::Object(object) => type_of_object(object, version),
    }
}

fn type_of_object(object: &Object, version: u32) -> u8 {
    match object {
        Object::Bytes(_) => types::STRING,
        Object::List(_) => types::LIST_QUICKLIST_2,
        // A listpack of members came with version 11.
        Object::Set(set) => {
            if set.ints().is_some() {
                types::SET_INTSET
            } else {
                types::SET
            }
        }
        Object::Zset(zset) => {
            if zset.compact().is_some() {
                types::ZSET_LISTPACK
            } else {
                types::ZSET_2
            }
        }
        Object::Stream(stream) => streams::type_of(stream, version),
        Object::Hash(hash) if hash.pairs().is_some() => types::HASH_LISTPACK,
        // Where deadlines could be and none is, there is no need of what older servers cannot read.
        Object::Hash(hash) if deadlines_base(hash, version).is_none() => types::HASH,
        Object::Hash(hash) => {
            if hash.triples().is_some() {
                types::HASH_LISTPACK_EX
            } else {
                types::HASH_METADATA
            }
        }
    }
}

/// The lowest version of the format in which a type can stand.
pub(super) fn version_of(code: u8) -> u32 {
    match code {
        types::HASH_METADATA | types::HASH_LISTPACK_EX => VERSION_FIELD_DEADLINES,
        types::STREAM_3 => VERSION_ACTIVE_TIMES,
        _ => VERSION_WRITTEN,
    }
}

/// Writes a value without its type.
#[inline]
pub(super) fn put_value(out: &mut Out, packer: &mut Packer, value: Value<'_>) {
    match value {
        Value::Int(n) => put_int(&mut out.tail, n),
        Value::Str(bytes) => packer.string(&mut out.tail, bytes),
        Value::Object(object) => put_object(out, packer, object),
    }
}

fn put_field_value(out: &mut Out, packer: &mut Packer, value: FieldValue<'_>) {
    match value {
        FieldValue::Int(n) => put_int(&mut out.tail, n),
        FieldValue::Str(bytes) => packer.string(&mut out.tail, bytes),
        FieldValue::Object(bytes) => packer.shared(out, bytes),
    }
}

fn put_object(out: &mut Out, packer: &mut Packer, object: &Object) {
    match object {
        Object::Bytes(bytes) => packer.shared(out, bytes),
        Object::List(list) => put_list(out, packer, list),
        Object::Set(set) => put_set(out, packer, set),
        Object::Hash(hash) => put_hash(out, packer, hash),
        Object::Stream(stream) => streams::put_stream(out, packer, stream),
        Object::Zset(zset) => put_zset(out, packer, zset),
    }
}

fn put_list(out: &mut Out, packer: &mut Packer, list: &List) {
    let Some(pack) = list.compact() else {
        put_length(&mut out.tail, list.node_count() as u64);
        (0..list.node_count()).filter_map(|i| list.node(i)).for_each(|node| put_node(out, packer, &node));
        return;
    };
    put_length(&mut out.tail, 1);
    put_length(&mut out.tail, NODE_PACKED);
    packer.listpack(&mut out.tail, pack);
}

fn put_node(out: &mut Out, packer: &mut Packer, node: &NodeView<'_>) {
    let is_plain = matches!(node, NodeView::Plain(_) | NodeView::Squeezed { plain: true, .. });
    put_length(&mut out.tail, if is_plain { NODE_PLAIN } else { NODE_PACKED });
    match node {
        NodeView::Packed(pack) => packer.listpack(&mut out.tail, pack),
        NodeView::Plain(bytes) => packer.shared(out, bytes),
        NodeView::Squeezed { lzf, len, .. } => put_compressed(&mut out.tail, lzf, *len),
    }
}

fn put_set(out: &mut Out, packer: &mut Packer, set: &Set) {
    if let Some(ints) = set.ints() {
        return packer.intset(&mut out.tail, ints);
    }
    put_length(&mut out.tail, set.len() as u64);
    set.iter().for_each(|member| put_item(&mut out.tail, packer, member));
}

fn put_zset(out: &mut Out, packer: &mut Packer, zset: &Zset) {
    if let Some(pack) = zset.compact() {
        return packer.listpack(&mut out.tail, pack);
    }
    put_length(&mut out.tail, zset.len() as u64);
    // The largest first, as Redis does: to insert in front of everything is cheap there.
    zset.iter().rev().for_each(|(member, score)| {
        put_item(&mut out.tail, packer, member);
        out.tail.extend_from_slice(&score.to_le_bytes());
    });
}

fn put_hash(out: &mut Out, packer: &mut Packer, hash: &Hash) {
    if let Some(pack) = hash.pairs() {
        return packer.listpack(&mut out.tail, pack);
    }
    let base = deadlines_base(hash, packer.version);
    if let Some(base) = base {
        put_moment(&mut out.tail, base);
        if let Some(pack) = hash.triples() {
            return packer.listpack(&mut out.tail, pack);
        }
    }
    put_length(&mut out.tail, hash.len() as u64);
    match hash.table() {
        Some(table) => table.iter().for_each(|field| put_field(out, packer, field, base)),
        None => hash.iter().for_each(|field| {
            put_item(&mut out.tail, packer, field.name);
            put_field_value(out, packer, field.value);
        }),
    }
}

/// What the deadlines of fields are counted from: no later than the first of them. `None` when there is none, or no way to say them.
fn deadlines_base(hash: &Hash, version: u32) -> Option<i64> {
    let first = hash.due_min();
    (first != NEVER && version >= VERSION_FIELD_DEADLINES).then(|| first.max(0))
}

/// A time in Unix milliseconds.
fn put_moment(out: &mut Vec<u8>, ms: i64) {
    out.extend_from_slice(&ms.to_le_bytes());
}

/// A field of a hash; where some have deadlines, its own in front: 0 for none, or milliseconds from `base` on, counted from 1.
fn put_field(out: &mut Out, packer: &mut Packer, field: &FieldEntry, base: Option<i64>) {
    if let Some(base) = base {
        let deadline = field.deadline();
        let ttl = if deadline == NEVER { 0 } else { (deadline - base).max(0) as u64 + 1 };
        put_length(&mut out.tail, ttl);
    }
    packer.string(&mut out.tail, field.key());
    put_field_value(out, packer, field.value());
}

#[inline]
fn put_item(out: &mut Vec<u8>, packer: &mut Packer, item: Item<'_>) {
    match item {
        Item::Int(n) => put_int(out, n),
        Item::Str(bytes) => packer.string(out, bytes),
    }
}

/// The head of a collection whose elements are written one by one.
pub struct Head {
    bytes: Vec<u8>,
    /// The type of the value.
    code: u8,
    /// What the deadlines of a hash's fields are counted from, where there are any.
    base: Option<i64>,
    /// Elements, or a list's or a stream's nodes, that have not been written.
    missing: usize,
}

impl Head {
    /// With `bytes` in front of the value: marks, type and key.
    pub(super) fn new(mut bytes: Vec<u8>, value: Value<'_>, version: u32) -> Self {
        let (mut base, mut count) = (None, 0);
        if let Value::Object(object) = value {
            count = match object {
                Object::List(list) => list.node_count(),
                Object::Set(set) => set.len(),
                Object::Zset(zset) => zset.len(),
                Object::Stream(stream) => usize::try_from(stream.node_count()).unwrap_or(usize::MAX),
                Object::Hash(hash) => {
                    base = deadlines_base(hash, version);
                    hash.len()
                }
                Object::Bytes(_) => 0,
            };
        }
        if let Some(base) = base {
            put_moment(&mut bytes, base);
        }
        put_length(&mut bytes, count as u64);
        Self { bytes, code: type_of(value, version), base, missing: count }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn missing(&self) -> usize {
        self.missing
    }

    pub(super) fn put_element(&mut self, out: &mut Out, packer: &mut Packer, element: Element<'_>) {
        if !matches!(element, Element::Stream(ref part) if !matches!(part, StreamPart::Node(..))) {
            self.missing = self.missing.saturating_sub(1);
        }
        match element {
            Element::Member(member) => packer.string(&mut out.tail, member),
            Element::Field(field) => put_field(out, packer, field, self.base),
            Element::Scored(member, score) => {
                packer.string(&mut out.tail, member);
                out.tail.extend_from_slice(&score.to_le_bytes());
            }
            Element::Node(node) => put_node(out, packer, &node),
            Element::Stream(part) => streams::put_part(out, packer, self.code, part),
        }
    }
}
