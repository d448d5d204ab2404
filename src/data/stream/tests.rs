//! A stream against a plain model of it: a sorted vector of entries, the nodes as Redis would divide them, and maps for groups.

use super::{id::StreamId, *};
use crate::data::{listpack::Item, moving, trash};
use proptest::prelude::*;
use std::collections::BTreeMap;

type Fields = Vec<Vec<u8>>;

/// An entry as the model has it.
#[derive(Clone, Debug, PartialEq)]
struct Told {
    id: StreamId,
    fields: Fields,
    deleted: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct ModelGroup {
    last_id: StreamId,
    read: Option<u64>,
    pending: BTreeMap<StreamId, (Vec<u8>, i64, u64)>,
    consumers: BTreeMap<Vec<u8>, (i64, Option<i64>)>,
}

#[derive(Clone, Debug, Default)]
struct Model {
    /// Bytes of a node's listpack are those of ours; everything else is worked out here.
    nodes: Vec<Vec<Told>>,
    last_id: StreamId,
    max_deleted: StreamId,
    added: u64,
    groups: BTreeMap<Vec<u8>, ModelGroup>,
}

impl Model {
    fn live(&self) -> impl DoubleEndedIterator<Item = &Told> {
        self.nodes.iter().flatten().filter(|told| !told.deleted)
    }

    fn len(&self) -> u64 {
        self.live().count() as u64
    }

    /// As the documentation of Redis's format has it, a node at a time.
    fn trim(&mut self, trim: &Trim) -> u64 {
        let mut removed = 0;
        while let Some(node) = self.nodes.first() {
            let (len, live) = (self.len(), node.iter().filter(|told| !told.deleted).count() as u64);
            let stays = |told: &Told| matches!(trim.bound, Bound::MinId(id) if told.id >= id);
            let over = |len: u64| if let Bound::MaxLen(max) = trim.bound { len.saturating_sub(max) } else { u64::MAX };
            if over(len) == 0 || trim.limit > 0 && removed + live > trim.limit {
                break;
            }
            let goes = match trim.bound {
                Bound::MaxLen(max) => len - live >= max,
                Bound::MinId(id) => node.last().unwrap().id < id,
            };
            if goes {
                self.nodes.remove(0);
                removed += live;
                continue;
            }
            if !trim.approx {
                let mut left = over(len);
                for told in self.nodes[0].iter_mut().take_while(|told| !stays(told)).filter(|told| !told.deleted) {
                    if left == 0 {
                        break;
                    }
                    told.deleted = true;
                    left -= 1;
                    removed += 1;
                }
            }
            break;
        }
        removed
    }

    fn delete(&mut self, id: StreamId) -> bool {
        let Some(at) = self.nodes.iter().position(|node| node.iter().any(|told| told.id == id && !told.deleted)) else { return false };
        let node = &mut self.nodes[at];
        node.iter_mut().filter(|told| told.id == id).for_each(|told| told.deleted = true);
        if node.iter().all(|told| told.deleted) {
            self.nodes.remove(at);
        }
        self.max_deleted = self.max_deleted.max(id);
        true
    }
}

fn told(entry: &Entry<'_>) -> Told {
    let fields: Fields = entry.fields().flat_map(|(name, value)| [name.to_vec(), value.to_vec()]).collect();
    assert_eq!(fields.len(), 2 * entry.len());
    Told { id: entry.id(), fields, deleted: false }
}

/// The entries of a node, deleted ones too, read from its listpack by what is known of the format alone.
fn read_node(master: StreamId, pack: &Listpack) -> Vec<Told> {
    let items: Vec<Item<'_>> = pack.iter().collect();
    let int = |at: usize| if let Item::Int(n) = items[at] { n } else { panic!("no integer at {at}") };
    let names = int(2) as usize;
    assert_eq!(int(3 + names), 0);
    let (mut at, mut all) = (4 + names, Vec::new());
    while at < items.len() {
        let (begin, flags) = (at, int(at));
        let id = StreamId { ms: master.ms.wrapping_add(int(at + 1) as u64), seq: master.seq.wrapping_add(int(at + 2) as u64) };
        at += 3;
        let fields: Fields = if flags & 2 != 0 {
            let fields = (0..names).flat_map(|i| [items[3 + i].to_vec(), items[at + i].to_vec()]).collect();
            at += names;
            fields
        } else {
            let pairs = int(at) as usize;
            let fields = items[at + 1..][..2 * pairs].iter().map(|item| item.to_vec()).collect();
            at += 1 + 2 * pairs;
            fields
        };
        assert_eq!(int(at), (at - begin) as i64, "elements of the entry");
        at += 1;
        all.push(Told { id, fields, deleted: flags & 1 != 0 });
    }
    let deleted = all.iter().filter(|told| told.deleted).count();
    assert_eq!((int(0), int(1)), ((all.len() - deleted) as i64, deleted as i64), "what the master entry says");
    all
}

fn compare(stream: &Stream, model: &Model) {
    let nodes: Vec<Vec<Told>> = stream.nodes_from(StreamId::MIN).map(|(master, pack)| read_node(master, pack)).collect();
    assert_eq!(nodes, model.nodes);
    assert_eq!(stream.node_count(), model.nodes.len() as u64);
    assert_eq!((stream.len(), stream.is_empty()), (model.len(), model.len() == 0));
    assert_eq!((stream.last_id(), stream.max_deleted_id(), stream.entries_added()), (model.last_id, model.max_deleted, model.added));
    assert_eq!(stream.first_id(), model.live().next().map_or(StreamId::MIN, |told| told.id));
    assert_eq!(stream.last_entry().map(|entry| told(&entry)), model.live().next_back().cloned());
    let all: Vec<Told> = stream.range(StreamId::MIN, StreamId::MAX).map(|entry| told(&entry)).collect();
    assert!(all.iter().eq(model.live()));
    assert!(stream.allocated(0) > 0);

    assert_eq!(stream.groups_len(), model.groups.len());
    for ((name, group), (model_name, expected)) in stream.groups().zip(&model.groups) {
        assert_eq!(name, model_name);
        compare_group(group, expected);
    }
    assert_eq!(stream.has_apart(), model.groups.values().flat_map(|g| g.consumers.values()).any(|(seen, active)| *active != Some(*seen)));
}

fn compare_group(group: &Group, model: &ModelGroup) {
    assert_eq!((group.last_id(), group.entries_read()), (model.last_id, model.read));
    let named = |pending: Pending| (group.consumer_by(pending.consumer).name().to_vec(), pending.delivered_ms, pending.deliveries);
    let all: BTreeMap<_, _> = group.pending_range(StreamId::MIN, StreamId::MAX).map(|(id, pending)| (id, named(pending))).collect();
    assert_eq!(all, model.pending);
    assert_eq!((group.pending_len(), group.pending_last()), (all.len() as u64, all.keys().next_back().copied()));
    let mut oldest: Vec<_> = all.iter().map(|(id, (_, delivered, _))| (*delivered, *id)).collect();
    oldest.sort_unstable();
    for before in [0, 20, 50, 100] {
        let idle: Vec<_> = group.pending_idle(StreamId::new(9, 0), before).map(|(id, pending)| (id, named(pending))).collect();
        let expected: Vec<_> = all.range(StreamId::new(9, 0)..).filter(|(_, p)| p.1 <= before).map(|(id, p)| (*id, p.clone())).collect();
        assert_eq!(idle, expected);
    }
    assert!(group.pending_oldest().map(|(id, pending)| (pending.delivered_ms, id)).eq(oldest));

    assert_eq!(group.consumers_len(), model.consumers.len());
    let mut before: Option<Vec<u8>> = None;
    for ((id, consumer), (name, times)) in group.consumers().zip(&model.consumers) {
        assert_eq!((consumer.name(), (consumer.seen_ms(), consumer.active_ms())), (&name[..], *times));
        assert_eq!(group.consumer(name), Some(id));
        let own: Vec<_> = group.consumer_pending(id, StreamId::MIN).map(|(id, pending)| (id, named(pending))).collect();
        let expected: Vec<_> = all.iter().filter(|(_, p)| p.0 == *name).map(|(id, p)| (*id, p.clone())).collect();
        assert_eq!((consumer.pending_len(), own), (expected.len() as u64, expected));
        assert_eq!(group.consumers_after(before.as_deref()).next().map(|(id, _)| id), Some(id));
        before = Some(name.clone());
    }
    let apart = model.consumers.values().filter(|(seen, active)| *active != Some(*seen)).count();
    assert_eq!(group.apart() as usize, apart);
}

#[derive(Clone, Debug)]
enum Op {
    /// Adds so many entries with this step of the ID and these fields.
    Append {
        step: StreamId,
        fields: Fields,
        times: u8,
    },
    Delete(prop::sample::Index),
    DeleteAbsent(StreamId),
    Trim {
        max: Option<u8>,
        at: prop::sample::Index,
        approx: bool,
        limit: u8,
    },
    Range(prop::sample::Index, prop::sample::Index),
    Limits(usize, usize),
    CreateGroup(u8),
    DestroyGroup(u8),
    CreateConsumer(u8, u8, i64),
    RemoveConsumer(u8, u8),
    Times(u8, u8, i64, u8),
    Deliver {
        group: u8,
        consumer: u8,
        at: prop::sample::Index,
        count: u8,
        now: i64,
    },
    Ack(u8, prop::sample::Index, u8),
    Keep,
    Move(usize),
    Forget,
}

fn op() -> impl Strategy<Value = Op> {
    let field = prop_oneof![Just(b"a".to_vec()), Just(b"12".to_vec()), "[a-c]{0,3}".prop_map(String::into_bytes), Just(vec![b'x'; 70])];
    let fields = prop::collection::vec((field.clone(), field), 1..4)
        .prop_map(|pairs| pairs.into_iter().flat_map(|(a, b)| [a, b]).collect::<Fields>());
    let same = Just(vec![b"temp".to_vec(), b"7".to_vec()]);
    let fields = prop_oneof![fields, same];
    let step = prop_oneof![
        (0..3u64, 1..4u64).prop_map(|(ms, seq)| StreamId { ms, seq }),
        Just(StreamId { ms: 0, seq: 1 << 33 }),
        Just(StreamId { ms: 1 << 20, seq: 0 })
    ];
    let index = any::<prop::sample::Index>;
    let (group, consumer) = (0..3u8, 0..5u8);
    prop_oneof![
        12 => (step, fields, 1..12u8).prop_map(|(step, fields, times)| Op::Append { step, fields, times }),
        6 => index().prop_map(Op::Delete),
        1 => (0..40u64, 0..4u64).prop_map(|(ms, seq)| Op::DeleteAbsent(StreamId { ms, seq })),
        3 => (prop::option::of(0..60u8), index(), any::<bool>(), prop_oneof![Just(0), 0..30u8])
            .prop_map(|(max, at, approx, limit)| Op::Trim { max, at, approx, limit }),
        2 => (index(), index()).prop_map(|(a, b)| Op::Range(a, b)),
        1 => (prop_oneof![Just(0), Just(4096), 30..200usize], prop_oneof![Just(0), Just(100), 1..8usize]).prop_map(|(b, e)| Op::Limits(b, e)),
        1 => group.clone().prop_map(Op::CreateGroup),
        1 => group.clone().prop_map(Op::DestroyGroup),
        2 => (group.clone(), consumer.clone(), 0..100i64).prop_map(|(g, c, now)| Op::CreateConsumer(g, c, now)),
        1 => (group.clone(), consumer.clone()).prop_map(|(g, c)| Op::RemoveConsumer(g, c)),
        2 => (group.clone(), consumer.clone(), 0..100i64, 0..3u8).prop_map(|(g, c, now, kind)| Op::Times(g, c, now, kind)),
        6 => (group.clone(), consumer, index(), 1..40u8, 0..100i64)
            .prop_map(|(group, consumer, at, count, now)| Op::Deliver { group, consumer, at, count, now }),
        3 => (group, index(), 1..20u8).prop_map(|(g, at, count)| Op::Ack(g, at, count)),
        1 => Just(Op::Keep),
        4 => (1..20usize).prop_map(Op::Move),
        1 => Just(Op::Forget),
    ]
}

fn pick(model: &Model, at: prop::sample::Index) -> Option<StreamId> {
    let all: Vec<_> = model.nodes.iter().flatten().collect();
    (!all.is_empty()).then(|| at.get(&all).id)
}

fn name(of: &str, number: u8) -> Vec<u8> {
    format!("{of}{number}").into_bytes()
}

fn append(stream: &mut Stream, model: &mut Model, id: StreamId, fields: &Fields, limits: NodeLimits) {
    let nodes = stream.node_count();
    stream.append(id, fields.iter().map(|field| &field[..]), limits);
    // When a node is full is looked at by tests of its own.
    if stream.node_count() > nodes || model.nodes.is_empty() {
        model.nodes.push(Vec::new());
    }
    model.nodes.last_mut().unwrap().push(Told { id, fields: fields.clone(), deleted: false });
    model.last_id = id;
    model.added += 1;
}

fn apply(stream: &mut Stream, model: &mut Model, limits: &mut NodeLimits, op: Op) {
    match op {
        Op::Append { step, fields, times } => {
            for _ in 0..times {
                let last = stream.last_id();
                let seq = if step.ms == 0 { last.seq + step.seq } else { step.seq };
                append(stream, model, StreamId { ms: last.ms + step.ms, seq }, &fields, *limits);
            }
        }
        Op::Delete(at) => {
            let Some(id) = pick(model, at) else { return };
            assert_eq!(stream.get(id).is_some(), model.live().any(|told| told.id == id));
            assert_eq!(stream.delete(id), model.delete(id));
            assert!(!stream.delete(id), "it is gone");
        }
        Op::DeleteAbsent(id) => assert_eq!(stream.delete(id), model.delete(id)),
        Op::Trim { max, at, approx, limit } => {
            let bound = max.map(|max| Bound::MaxLen(u64::from(max))).or_else(|| pick(model, at).map(Bound::MinId));
            let trim = Trim { bound: bound.unwrap_or(Bound::MinId(StreamId::MAX)), approx, limit: u64::from(limit) };
            assert_eq!(stream.trim(&trim), model.trim(&trim), "{trim:?}");
        }
        Op::Range(a, b) => {
            let (Some(a), Some(b)) = (pick(model, a), pick(model, b)) else { return };
            let within = |told: &&Told| (a..=b).contains(&told.id);
            let found: Vec<_> = stream.range(a, b).map(|entry| told(&entry)).collect();
            assert!(found.iter().eq(model.live().filter(within)));
            let found: Vec<_> = stream.range_back(b, a).map(|entry| told(&entry)).collect();
            assert!(found.iter().eq(model.live().rev().filter(within)));
        }
        Op::Limits(bytes, entries) => *limits = NodeLimits { bytes, entries },
        Op::CreateGroup(g) => {
            let id = stream.first_id();
            let is_new = !model.groups.contains_key(&name("g", g));
            assert_eq!(stream.create_group(&name("g", g), id, Some(u64::from(g))), is_new);
            if is_new {
                model.groups.insert(name("g", g), ModelGroup { last_id: id, read: Some(u64::from(g)), ..ModelGroup::default() });
            }
        }
        Op::DestroyGroup(g) => assert_eq!(stream.destroy_group(&name("g", g)), model.groups.remove(&name("g", g)).is_some()),
        Op::CreateConsumer(g, ..) | Op::RemoveConsumer(g, _) | Op::Times(g, ..) | Op::Deliver { group: g, .. } | Op::Ack(g, ..) => {
            let ids: Vec<StreamId> = model.live().map(|told| told.id).collect();
            let group = stream.group_mut(&name("g", g));
            let Some(expected) = model.groups.get_mut(&name("g", g)) else { return assert!(group.is_none()) };
            apply_to_group(group.unwrap(), expected, &ids, op);
        }
        Op::Keep | Op::Forget | Op::Move(_) => {}
    }
}

fn apply_to_group(group: &mut Group, model: &mut ModelGroup, ids: &[StreamId], op: Op) {
    match op {
        Op::CreateConsumer(_, c, now) => {
            assert_eq!(group.create_consumer(&name("c", c), now).is_some(), !model.consumers.contains_key(&name("c", c)));
            model.consumers.entry(name("c", c)).or_insert((now, None));
        }
        Op::RemoveConsumer(_, c) => {
            let own = model.pending.values().filter(|p| p.0 == name("c", c)).count() as u64;
            assert_eq!(group.remove_consumer(&name("c", c)), model.consumers.remove(&name("c", c)).map(|_| own));
            model.pending.retain(|_, p| p.0 != name("c", c));
        }
        Op::Times(_, c, now, kind) => {
            let Some(id) = group.consumer(&name("c", c)) else { return };
            let times = model.consumers.get_mut(&name("c", c)).unwrap();
            match kind {
                0 => {
                    group.saw(id, now);
                    times.0 = now;
                }
                1 => {
                    group.was_active(id, now);
                    *times = (now, Some(now));
                }
                _ => {
                    group.set_times(id, now, None);
                    *times = (now, None);
                }
            }
        }
        Op::Deliver { consumer: c, at, count, now, .. } => {
            let Some(consumer) = group.consumer(&name("c", c)) else { return };
            if ids.is_empty() {
                return;
            }
            for id in ids.iter().skip(at.index(ids.len())).take(usize::from(count)) {
                let deliveries = group.pending(*id).map_or(1, |pending| pending.deliveries + 1);
                group.set_pending(*id, Pending { consumer, delivered_ms: now, deliveries });
                model.pending.insert(*id, (name("c", c), now, deliveries));
                group.set_last_id(*id);
                model.last_id = *id;
            }
            group.set_entries_read(None);
            model.read = None;
        }
        Op::Ack(_, at, count) => {
            let pending: Vec<_> = model.pending.keys().copied().collect();
            if pending.is_empty() {
                return assert!(!group.ack(StreamId::MAX));
            }
            for id in pending.iter().skip(at.index(pending.len())).take(usize::from(count)) {
                assert!(group.ack(*id) && !group.ack(*id));
                model.pending.remove(id);
            }
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn it_is_what_a_plain_model_is_and_so_are_its_copies(ops in prop::collection::vec(op(), 1..120)) {
        let (mut stream, mut model) = (Stream::new(), Model::default());
        let mut limits = NodeLimits { bytes: 4096, entries: 5 };
        let mut kept: Vec<(Stream, Model)> = Vec::new();
        let mut place = moving::Place::default();
        for op in ops {
            match op {
                Op::Move(left) => moving::step(&mut stream, &mut place, left),
                Op::Keep => kept.push((stream.clone(), model.clone())),
                Op::Forget => drop(kept.pop()),
                op => apply(&mut stream, &mut model, &mut limits, op),
            }
            compare(&stream, &model);
        }
        for (stream, model) in &kept {
            compare(stream, model);
        }
        while trash::free_slice() {}
        for (stream, model) in &kept {
            compare(stream, model);
        }
    }
}

fn id(ms: u64, seq: u64) -> StreamId {
    StreamId { ms, seq }
}

/// As the configuration has them at first.
const USUAL: NodeLimits = NodeLimits { bytes: 4096, entries: 100 };

fn long(entries: u64) -> Stream {
    let mut stream = Stream::new();
    for ms in 1..=entries {
        stream.append(id(ms, 0), [&b"f"[..], b"v"].into_iter(), USUAL);
    }
    stream
}

fn bytes_of(stream: &Stream) -> Vec<Vec<u8>> {
    stream.nodes_from(StreamId::MIN).map(|(_, pack)| pack.to_bytes()).collect()
}

#[test]
fn a_node_has_the_bytes_that_redis_writes() {
    // As DUMP of redis-server 7.0.15 has it: XADD s 5-1 a 1 b x, XADD s 5-3 a 2 b y, XADD s 7-0 c z, XDEL s 5-3.
    let mut stream = Stream::new();
    stream.append(id(5, 1), [&b"a"[..], b"1", b"b", b"x"].into_iter(), USUAL);
    stream.append(id(5, 3), [&b"a"[..], b"2", b"b", b"y"].into_iter(), USUAL);
    stream.append(id(7, 0), [&b"c"[..], b"z"].into_iter(), USUAL);
    assert!(stream.delete(id(5, 3)));
    assert_eq!(bytes_of(&stream), [REDIS_NODE.to_vec()]);
}

#[rustfmt::skip]
const REDIS_NODE: &[u8] = &[
    0x40, 0x00, 0x00, 0x00, 0x19, 0x00, 0x02, 0x01, 0x01, 0x01, 0x02, 0x01, 0x81, 0x61, 0x02, 0x81,
    0x62, 0x02, 0x00, 0x01, 0x02, 0x01, 0x00, 0x01, 0x00, 0x01, 0x01, 0x01, 0x81, 0x78, 0x02, 0x05,
    0x01, 0x03, 0x01, 0x00, 0x01, 0x02, 0x01, 0x02, 0x01, 0x81, 0x79, 0x02, 0x05, 0x01, 0x00, 0x01,
    0x02, 0x01, 0xdf, 0xff, 0x02, 0x01, 0x01, 0x81, 0x63, 0x02, 0x81, 0x7a, 0x02, 0x06, 0x01, 0xff,
];

#[test]
fn a_node_is_full_when_redis_says_so() {
    let nodes = |limits: NodeLimits, lens: &[usize]| {
        let mut stream = Stream::new();
        for (i, len) in lens.iter().enumerate() {
            stream.append(id(i as u64 + 1, 0), [&b"f"[..], &vec![b'v'; *len]].into_iter(), limits);
        }
        stream.nodes_from(StreamId::MIN).map(|(master, _)| master.ms).collect::<Vec<_>>()
    };
    assert_eq!(nodes(NodeLimits { bytes: 0, entries: 3 }, &[1; 7]), [1, 4, 7]);
    assert_eq!(nodes(NodeLimits { bytes: 0, entries: 0 }, &[100; 500]), [1]);
    assert_eq!(nodes(NodeLimits { bytes: 1, entries: 0 }, &[1; 3]), [1, 2, 3]);
    // The first takes 7 + 2 + 2 + 2 + 3 + 2 and 6 + 12 + 2 bytes: with the 11 of the next it is not less than the limit.
    assert_eq!(nodes(NodeLimits { bytes: 49, entries: 0 }, &[10, 10]), [1, 2]);
    assert_eq!(nodes(NodeLimits { bytes: 50, entries: 0 }, &[10, 10]), [1]);
}

#[test]
fn deleted_entries_count_for_the_fullness_of_a_node() {
    let mut stream = Stream::new();
    let limits = NodeLimits { bytes: 0, entries: 3 };
    for ms in 1..=3 {
        stream.append(id(ms, 0), [&b"f"[..], b"v"].into_iter(), limits);
    }
    assert!(stream.delete(id(2, 0)));
    stream.append(id(4, 0), [&b"f"[..], b"v"].into_iter(), limits);
    assert_eq!(stream.node_count(), 2);
    // The node before the last takes entries again once it is the last.
    assert!(stream.delete(id(4, 0)));
    assert_eq!(stream.node_count(), 1);
    stream.append(id(5, 0), [&b"f"[..], b"v"].into_iter(), NodeLimits { bytes: 0, entries: 4 });
    assert_eq!(stream.node_count(), 1);
}

#[test]
fn ids_anywhere_in_64_bits_are_kept() {
    let mut stream = Stream::new();
    let ids = [id(0, 1), id(0, u64::MAX), id(1, 0), id(1 << 63, 5), id((1 << 63) + 1, u64::MAX), id(u64::MAX, 0), StreamId::MAX];
    for id in ids {
        stream.append(id, [&b"f"[..], b"v"].into_iter(), USUAL);
    }
    assert_eq!(stream.node_count(), 1);
    assert!(stream.range(StreamId::MIN, StreamId::MAX).map(|entry| entry.id()).eq(ids));
    assert!(stream.range_back(StreamId::MAX, StreamId::MIN).map(|entry| entry.id()).eq(ids.into_iter().rev()));
    for id in ids {
        assert_eq!(stream.get(id).map(|entry| entry.id()), Some(id));
    }
    stream.set_entries_added(u64::MAX);
    stream.set_last_id(StreamId::MIN);
    stream.append(id(0, 2), [&b"f"[..], b"v"].into_iter(), USUAL);
    assert_eq!(stream.entries_added(), i64::MAX as u64, "a reply can tell no more");
}

#[test]
fn what_is_large_goes_in_slices() {
    while trash::free_slice() {}
    let mut stream = long(100_000);
    stream.create_group(b"g", StreamId::MIN, None);
    let group = stream.group_mut(b"g").unwrap();
    let consumer = group.create_consumer(b"c", 0).unwrap();
    for ms in 1..=50_000 {
        group.set_pending(id(ms, 0), Pending { consumer, delivered_ms: 0, deliveries: 1 });
    }
    let slices = || {
        let mut slices = 0;
        while trash::free_slice() {
            slices += 1;
        }
        slices
    };
    let copy = stream.clone();
    assert_eq!(stream.trim(&Trim { bound: Bound::MaxLen(10_000), approx: false, limit: 0 }), 90_000);
    assert!(stream.destroy_group(b"g"));
    assert!(slices() <= 6, "the copy has it all");
    assert_eq!((copy.len(), copy.group(b"g").map(Group::pending_len)), (100_000, Some(50_000)));
    drop(copy);
    // 900 nodes, and 50,000 pending entries twice.
    assert!((300..1000).contains(&slices()));
    assert_eq!(stream.len(), 10_000);
    assert_eq!(stream.first_id(), id(90_001, 0));
}

#[test]
fn a_long_stream_and_its_pending_entries_are_small() {
    let mut stream = Stream::new();
    let mut digits = itoa::Buffer::new();
    for i in 0..100_000u64 {
        let sensor = format!("s{}", i % 10);
        let fields = [&b"temp"[..], digits.format(i % 100).as_bytes(), b"sensor", sensor.as_bytes()];
        stream.append(id(1_700_000_000_000 + i / 400, i % 400), fields.into_iter(), USUAL);
    }
    let an_entry = stream.allocated(0) as f64 / 100_000.0;
    assert!(an_entry < 15.8, "{an_entry}");

    let mut stream = long(100_000);
    let before = stream.allocated(0);
    stream.create_group(b"g", StreamId::MIN, None);
    let group = stream.group_mut(b"g").unwrap();
    for ms in 1..=100_000u64 {
        let name = format!("c{}", ms / 1000 % 10);
        let consumer = group.consumer(name.as_bytes()).or_else(|| group.create_consumer(name.as_bytes(), 0)).unwrap();
        group.set_pending(id(ms, 0), Pending { consumer, delivered_ms: ms as i64, deliveries: 1 });
    }
    let a_pending = (stream.allocated(0) - before) as f64 / 100_000.0;
    assert!(a_pending + before as f64 / 100_000.0 < 75.0, "{a_pending}");

    let mut small = Stream::new();
    for (i, j) in [b"0", b"1", b"2", b"3", b"4"].iter().enumerate() {
        small.append(id(i as u64 + 1, 0), [&b"temp"[..], &j[..], b"sensor", b"s1"].into_iter(), USUAL);
    }
    assert!(small.allocated(0) <= 300, "{}", small.allocated(0));
}
