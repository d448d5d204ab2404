use crate::{
    alloc::slabs::Slabs,
    data::{
        entry::{Entry, NEVER, NewString, Value},
        hash::{self, FieldValue, Hash, OldDeadline},
        key_hash::Seed,
        list::{self, End, List, NodeView},
        listpack::{Item, Listpack},
        lzf,
        moving::Mover,
        object::{Collection, Object},
        pieces::{self, Element},
        set::{self, Set},
        stream::{self, Pending, Stream, StreamId, StreamPart},
        zset::{self, Zset},
    },
    keyspace::{Keyspace, RelocationPass, Sink, Upsert, WalkId},
};
use bytes::Bytes;
use proptest::prelude::*;
use std::{cell::RefCell, collections::BTreeMap, collections::VecDeque, rc::Rc};

type State = BTreeMap<(usize, Vec<u8>), Vec<u8>>;

/// A large collection as far as it has come.
struct Coming {
    db: usize,
    key: Vec<u8>,
    deadline: i64,
    ordered: bool,
    elements: Vec<Vec<u8>>,
}

#[derive(Default)]
struct Notes {
    seen: State,
    coming: VecDeque<Coming>,
    twice: bool,
    /// Collections that came in pieces.
    larges: usize,
    /// Bytes that came since they were about to change.
    early: usize,
}

impl Sink for Notes {
    fn entry(&mut self, db: usize, entry: &Entry) {
        self.twice |= self.seen.insert((db, entry.key().to_vec()), value(entry)).is_some();
    }

    fn large(&mut self, db: usize, entry: &Entry) {
        let ordered = matches!(entry.value(), Value::Object(Object::List(_) | Object::Stream(_)));
        self.coming.push_back(Coming { db, key: entry.key().to_vec(), deadline: entry.deadline(), ordered, elements: Vec::new() });
    }

    fn element(&mut self, element: Element<'_>) {
        let coming = self.coming.front_mut().expect("a large collection is under way");
        match element {
            Element::Member(member) => coming.elements.push(member.to_vec()),
            Element::Field(field) => coming.elements.push(field_line(Item::Str(field.key()), field.value(), field.deadline())),
            Element::Scored(member, score) => coming.elements.push(score_line(Item::Str(member), score)),
            Element::Stream(part) => coming.elements.push(part_line(part)),
            Element::Node(node) => match node {
                NodeView::Packed(pack) => coming.elements.extend(pack.iter().map(Item::to_vec)),
                NodeView::Plain(bytes) => coming.elements.push(bytes.to_vec()),
                NodeView::Squeezed { lzf, len, plain } => {
                    let bytes = lzf::decompress(lzf, len).expect("it was compressed here");
                    match plain {
                        true => coming.elements.push(bytes),
                        false => coming.elements.extend(Listpack::from_bytes(&bytes).expect("a listpack").iter().map(Item::to_vec)),
                    }
                }
            },
        }
    }

    fn early(&mut self, bytes: usize) {
        self.early += bytes;
    }

    fn large_done(&mut self) {
        let Coming { db, key, deadline, ordered, elements } = self.coming.pop_front().expect("a large collection is under way");
        self.larges += 1;
        self.twice |= self.seen.insert((db, key), lines(elements, ordered, deadline)).is_some();
    }
}

fn field_line(name: Item<'_>, value: FieldValue<'_>, deadline: i64) -> Vec<u8> {
    let value = match value {
        FieldValue::Int(n) => n.to_string().into_bytes(),
        FieldValue::Str(s) => s.to_vec(),
        FieldValue::Object(bytes) => bytes.to_vec(),
    };
    [name.to_vec(), value, deadline.to_string().into_bytes()].join(&b' ')
}

fn score_line(member: Item<'_>, score: f64) -> Vec<u8> {
    [member.to_vec(), score.to_string().into_bytes()].join(&b' ')
}

fn part_line(part: StreamPart<'_>) -> Vec<u8> {
    match part {
        StreamPart::Node(id, pack) => [format!("{id:?} ").into_bytes(), pack.to_bytes()].concat(),
        StreamPart::Facts(stream) => {
            let counts = (stream.len(), stream.entries_added(), stream.groups_len());
            format!("{counts:?} {:?} {:?} {:?}", stream.first_id(), stream.last_id(), stream.max_deleted_id()).into_bytes()
        }
        StreamPart::Group(name, group) => {
            format!("{name:?} {:?} {:?} {}", group.last_id(), group.entries_read(), group.pending_len()).into_bytes()
        }
        StreamPart::Pending(id, Pending { delivered_ms, deliveries, .. }) => format!("{id:?} {delivered_ms} {deliveries}").into_bytes(),
        StreamPart::Consumers(count) => count.to_string().into_bytes(),
        StreamPart::Consumer(consumer) => {
            format!("{:?} {} {:?} {}", consumer.name(), consumer.seen_ms(), consumer.active_ms(), consumer.pending_len()).into_bytes()
        }
        StreamPart::Owned(id, _) => format!("{id:?}").into_bytes(),
    }
}

fn lines(mut elements: Vec<Vec<u8>>, ordered: bool, deadline: i64) -> Vec<u8> {
    if !ordered {
        elements.sort();
    }
    let mut text = elements.join(&b'\n');
    text.extend_from_slice(format!(" {deadline}").as_bytes());
    text
}

fn value(entry: &Entry) -> Vec<u8> {
    let mut elements = Vec::new();
    match entry.value() {
        Value::Int(n) => elements.push(n.to_string().into_bytes()),
        Value::Str(s) => elements.push(s.to_vec()),
        Value::Object(Object::Bytes(bytes)) => elements.push(bytes.to_vec()),
        Value::Object(Object::List(list)) => list.for_each(|element| elements.push(element.item().to_vec())),
        Value::Object(Object::Set(set)) => elements.extend(set.iter().map(Item::to_vec)),
        Value::Object(Object::Hash(hash)) => elements.extend(hash.iter().map(|f| field_line(f.name, f.value, f.deadline))),
        Value::Object(Object::Stream(stream)) => stream.parts(&mut |part| elements.push(part_line(part))),
        Value::Object(Object::Zset(zset)) => elements.extend(zset.iter().map(|(m, score)| score_line(m, score))),
    }
    lines(elements, matches!(entry.value(), Value::Object(Object::List(_) | Object::Stream(_))), entry.deadline())
}

fn state(keyspace: &Keyspace) -> State {
    keyspace.iter().flat_map(|(i, db)| db.dict().iter().map(move |e| ((i, e.key().to_vec()), value(e)))).collect()
}

fn set(keyspace: &mut Keyspace, db: usize, key: u32, text: &[u8], deadline: i64) {
    let key = key.to_be_bytes();
    let hash = keyspace.hash(&key);
    match keyspace.upsert(db, hash, &key) {
        Upsert::Occupied(slot) => slot.put(NewString::encode(text, Default::default), deadline),
        Upsert::Vacant(slot) => slot.put(&key, NewString::encode(text, Default::default), deadline),
    }
}

/// Changes the collection of this type at a key, or another one that is there instead of it not at all.
fn change<C: Collection + Default>(keyspace: &mut Keyspace, db: usize, key: u32, act: impl FnOnce(&mut C), is_empty: fn(&C) -> bool) {
    let key = key.to_be_bytes();
    let hash = keyspace.hash(&key);
    let Ok((collection, _)) = keyspace.write_or_insert(db, hash, &key, C::default) else { return };
    act(collection);
    let emptied = is_empty(collection);
    keyspace.fields_changed(db, hash, &key);
    if emptied {
        keyspace.remove(db, hash, &key);
    }
}

/// Adds some elements to a collection, or takes them out.
fn change_elements(keyspace: &mut Keyspace, db: usize, kind: u8, elements: std::ops::Range<u32>, adds: bool) {
    let (seed, key) = (keyspace.seed(), 5000 + u32::from(kind));
    let set_limits = set::SetLimits { intset_entries: 4, listpack_entries: 4, listpack_value: 64, seed };
    let hash_limits = hash::PackLimits { entries: 4, value: 64, seed };
    let zset_limits = zset::PackLimits { entries: 4, value: 64, seed };
    let list_limits = list::NodeLimits { size: 8, depth: u32::from(kind & 1) };
    let elements = elements.map(|n| n.to_string().into_bytes());
    match kind % 5 {
        4 => change(keyspace, db, key, |stream: &mut Stream| change_stream(stream, elements, adds), |_| false),
        0 => change(
            keyspace,
            db,
            key,
            |set: &mut Set| {
                for e in elements {
                    if adds {
                        set.add(&e, &set_limits);
                    } else {
                        set.remove(&e);
                    }
                }
            },
            Set::is_empty,
        ),
        1 => change(
            keyspace,
            db,
            key,
            |hash: &mut Hash| {
                for (i, e) in elements.enumerate() {
                    if adds {
                        hash.set(&e, &e, Bytes::new, OldDeadline::Drops, hash::ANY_TIME, &hash_limits);
                        if i % 5 == 0 {
                            hash.set_deadline(&e, 50);
                        }
                    } else {
                        hash.remove(&e, hash::ANY_TIME);
                    }
                }
            },
            Hash::is_empty,
        ),
        2 => change(
            keyspace,
            db,
            key,
            |zset: &mut Zset| {
                for e in elements {
                    if adds {
                        zset.upsert(&e, zset_limits, |old| Some(old.map_or(e.len() as f64, |score| score + 1.0)));
                    } else {
                        zset.remove(&e);
                    }
                }
            },
            Zset::is_empty,
        ),
        _ => change(
            keyspace,
            db,
            key,
            |list: &mut List| {
                for e in elements {
                    if adds {
                        list.before_growth(e.len(), 1, list_limits);
                        list.push(if e[0] & 1 == 0 { End::Front } else { End::Back }, &e);
                    } else {
                        list.pop(End::Front, |_| ());
                    }
                }
            },
            List::is_empty,
        ),
    }
}

/// Adds entries, some of them pending for a group's consumer, or deletes the first ones, and what is pending.
fn change_stream(stream: &mut Stream, elements: impl Iterator<Item = Vec<u8>>, adds: bool) {
    for (i, e) in elements.enumerate() {
        let group: &[u8] = if i % 2 == 0 { b"even" } else { b"odd" };
        if !adds {
            let first = stream.first_id();
            stream.delete(first);
            if let Some(group) = stream.group_mut(group) {
                group.ack(first);
                if i % 100 == 99 {
                    group.remove_consumer(b"1");
                }
            }
            if i % 700 == 699 {
                stream.destroy_group(group);
            }
            continue;
        }
        let id = StreamId { ms: stream.last_id().ms + 1, seq: 0 };
        stream.append(id, [&e[..], &e[..]].into_iter(), stream::NodeLimits { bytes: 200, entries: 10 });
        stream.create_group(group, StreamId::MIN, None);
        let Some(group) = stream.group_mut(group) else { continue };
        group.create_consumer(&e[..1], i as i64);
        if i % 3 != 0
            && let Some(consumer) = group.consumer(&e[..1])
        {
            group.was_active(consumer, i as i64 / 50);
            group.set_pending(id, Pending { consumer, delivered_ms: i as i64, deliveries: 1 });
        }
    }
}

fn rename(keyspace: &mut Keyspace, db: usize, to_db: usize, from: u32, to: u32) {
    let (from, to) = (from.to_be_bytes(), to.to_be_bytes());
    let (hash, to_hash) = (keyspace.hash(&from), keyspace.hash(&to));
    let Some(entry) = keyspace.remove(db, hash, &from) else { return };
    keyspace.remove(to_db, to_hash, &to);
    keyspace.adopt(to_db, to_hash, entry.rename(&to));
}

#[derive(Clone, Debug)]
enum Op {
    Set(usize, u32, u32, i64),
    SetMany(usize, u32),
    RemoveMany(usize, u32),
    Elements(usize, u8, u32, u32, bool),
    Rename(usize, usize, u32, u32),
    Remove(usize, u32),
    Deadline(usize, u32, i64),
    Flush(usize),
    Swap,
    Pass(i64),
    Begin,
    Cancel,
    Step(usize),
    Move(usize),
}

fn collection_key() -> impl Strategy<Value = u32> {
    5000..5010u32
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (0..2usize, 0..3000u32, any::<u32>(), prop_oneof![Just(NEVER), 0..200i64]).prop_map(|(d, k, v, t)| Op::Set(d, k, v, t)),
        2 => (0..2usize, 0..3000u32).prop_map(|(d, k)| Op::SetMany(d, k)),
        2 => (0..2usize, 0..3000u32).prop_map(|(d, k)| Op::RemoveMany(d, k)),
        6 => (0..2usize, 0..10u8, 0..3000u32, prop_oneof![1..5u32, 500..2500u32], proptest::bool::weighted(0.7)).prop_map(|(d, k, f, n, a)| Op::Elements(d, k, f, n, a)),
        1 => (0..2usize, 0..2usize, collection_key(), collection_key()).prop_map(|(d, e, a, b)| Op::Rename(d, e, a, b)),
        1 => (0..2usize, collection_key()).prop_map(|(d, k)| Op::Remove(d, k)),
        1 => (0..2usize, collection_key(), 0..200i64).prop_map(|(d, k, t)| Op::Deadline(d, k, t)),
        1 => (0..2usize).prop_map(Op::Flush),
        1 => Just(Op::Swap),
        1 => (0..20i64).prop_map(Op::Pass),
        2 => Just(Op::Begin),
        1 => Just(Op::Cancel),
        8 => (1..4usize).prop_map(Op::Step),
        6 => (1..2000usize).prop_map(Op::Move),
    ]
}

type Walking = (WalkId, Rc<RefCell<Notes>>, State);

fn finish(keyspace: &mut Keyspace, walks: &mut Vec<Walking>, i: usize) {
    let (_, notes, expected) = walks.remove(i);
    let notes = notes.borrow();
    assert!(!notes.twice, "handed over twice");
    assert!(notes.coming.is_empty(), "a large collection is not whole");
    if notes.seen != expected {
        let text = |state: &State| state.iter().map(|((db, key), v)| format!("{db} {key:?}: {}", v.len())).collect::<Vec<_>>();
        assert_eq!(text(&notes.seen), text(&expected));
        panic!("the values differ");
    }
    while keyspace.bury() {}
}

proptest! {
    #[test]
    fn a_walk_finds_the_state_at_its_beginning(ops in proptest::collection::vec(op(), 1..150), seed in Seed::any()) {
        let mut keyspace = Keyspace::new(2, seed);
        let mut walks: Vec<Walking> = Vec::new();
        let (mut slabs, mut pass) = (Slabs::all(), RelocationPass::default());
        for op in ops {
            match op {
                Op::Move(left) => if !keyspace.relocate(&mut pass, &mut Mover::new(&mut slabs, left)) { pass = RelocationPass::default(); },
                Op::Set(db, key, v, deadline) => set(&mut keyspace, db, key, v.to_string().repeat(3).as_bytes(), deadline),
                Op::SetMany(db, from) => (from..from + 500).for_each(|k| set(&mut keyspace, db, k, b"many", NEVER)),
                Op::RemoveMany(db, from) => for k in from..from + 900 {
                    let key = k.to_be_bytes();
                    let hash = keyspace.hash(&key);
                    keyspace.remove(db, hash, &key);
                },
                Op::Elements(db, kind, from, count, adds) => change_elements(&mut keyspace, db, kind, from..from + count, adds),
                Op::Rename(db, to_db, from, to) => rename(&mut keyspace, db, to_db, from, to),
                Op::Remove(db, key) => {
                    let hash = keyspace.hash(&key.to_be_bytes());
                    keyspace.remove(db, hash, &key.to_be_bytes());
                }
                Op::Deadline(db, key, deadline) => {
                    let hash = keyspace.hash(&key.to_be_bytes());
                    keyspace.set_deadline(db, hash, &key.to_be_bytes(), deadline);
                }
                Op::Flush(db) => { keyspace.flush(db); }
                Op::Swap => keyspace.swap(0, 1),
                Op::Pass(ms) => { keyspace.now_ms += ms; keyspace.expire_cycle(&mut || true); }
                Op::Begin => if walks.len() < 3 {
                    let notes = Rc::new(RefCell::new(Notes::default()));
                    let id = keyspace.begin_walk(notes.clone());
                    walks.push((id, notes, state(&keyspace)));
                },
                Op::Cancel => if let Some((id, ..)) = walks.pop() { keyspace.cancel_walk(id); },
                Op::Step(n) => for i in (0..walks.len()).rev() {
                    if !(0..n).all(|_| keyspace.step_walk(walks[i].0)) {
                        finish(&mut keyspace, &mut walks, i);
                    }
                },
            }
        }
        while !walks.is_empty() {
            while keyspace.step_walk(walks[0].0) {}
            finish(&mut keyspace, &mut walks, 0);
        }
        prop_assert_eq!(pieces::orphans(), 0);
    }
}

#[test]
fn a_large_collection_comes_in_pieces_whatever_becomes_of_it() {
    for kind in 0..5 {
        let mut keyspace = Keyspace::new(2, Seed::new(7));
        change_elements(&mut keyspace, 0, kind, 0..10_000, true);
        let expected = state(&keyspace);
        let notes = Rc::new(RefCell::new(Notes::default()));
        let walk = keyspace.begin_walk(notes.clone());
        let mut steps = 0;
        while keyspace.step_walk(walk) {
            steps += 1;
            match steps {
                3 => change_elements(&mut keyspace, 0, kind, 500..700, false),
                4 => rename(&mut keyspace, 0, 1, 5000 + u32::from(kind), 1),
                5 => {
                    keyspace.flush(1);
                }
                _ => (),
            }
        }
        assert!(steps > 20, "{steps} steps");
        let notes = notes.borrow();
        assert_eq!((notes.larges, notes.seen == expected), (1, true), "kind {kind}");
        assert_eq!(pieces::orphans(), 0);
    }
}

#[test]
fn what_grows_splits_or_shrinks_is_not_handed_over_for_that() {
    let mut keyspace = Keyspace::new(1, Seed::new(3));
    (0..20_000).for_each(|key| set(&mut keyspace, 0, key, b"old", NEVER));
    let expected = state(&keyspace);
    let notes = Rc::new(RefCell::new(Notes::default()));
    let walk = keyspace.begin_walk(notes.clone());
    // Segments grow and split, and the shelf is dealt out.
    (20_000..80_000).for_each(|key| set(&mut keyspace, 0, key, b"new", NEVER));
    for _ in 0..100 {
        assert!(keyspace.step_walk(walk));
    }
    for key in 20_000..80_000u32 {
        let hash = keyspace.hash(&key.to_be_bytes());
        keyspace.remove(0, hash, &key.to_be_bytes());
    }
    assert_eq!(notes.borrow().early, 0);
    set(&mut keyspace, 0, 19_999, b"other", NEVER);
    while keyspace.step_walk(walk) {}
    let notes = notes.borrow();
    assert!(notes.seen == expected && !notes.twice);
    assert!(notes.early < 100, "only the entry that changed: {} bytes", notes.early);
}

#[test]
fn a_write_behind_all_walks_is_told_to_nobody() {
    for kind in 0..3 {
        let mut keyspace = Keyspace::new(1, Seed::new(7));
        change_elements(&mut keyspace, 0, kind, 0..2000, true);
        let key = (5000 + u32::from(kind)).to_be_bytes();
        let hash = keyspace.hash(&key);
        let is_walked = |keyspace: &Keyspace| {
            let entry = keyspace.db(0).dict().find(hash, &key).expect("it is there");
            let Value::Object(object) = entry.value() else { panic!("a collection") };
            (keyspace.db(0).dict().keeps_walkers(), pieces::of(object).expect("a table").keeps_walkers())
        };
        let walk = keyspace.begin_walk(Rc::new(RefCell::new(Notes::default())));
        while keyspace.step_walk(walk) {}
        change_elements(&mut keyspace, 0, kind, 2000..2001, true);
        assert_eq!(is_walked(&keyspace), (false, false), "kind {kind}");
    }
}

#[test]
fn what_expires_after_the_cycle_has_begun_anew_is_handed_over_first() {
    // All of it in the first of several shelves, so that the cycle's place lies behind it.
    let mut keyspace = Keyspace::new(1, Seed::weak(1, u64::MAX >> 40));
    keyspace.now_ms = 4;
    (0..500).for_each(|key| set(&mut keyspace, 0, key, b"stays", NEVER));
    set(&mut keyspace, 0, 0, b"first", 0);
    set(&mut keyspace, 0, 1, b"second", 6);
    let expected = state(&keyspace);
    let notes = Rc::new(RefCell::new(Notes::default()));
    let walk = keyspace.begin_walk(notes.clone());
    for now_ms in [4, 7] {
        keyspace.now_ms = now_ms;
        keyspace.expire_cycle(&mut || true);
    }
    while keyspace.step_walk(walk) {}
    assert!(notes.borrow().seen == expected);
}

/// Puts a key into another database behind the walks' back.
fn move_unheard(keyspace: &mut Keyspace, from: usize, to: usize, key: &[u8]) {
    let hash = keyspace.hash(key);
    let entry = keyspace.remove(from, hash, key).expect("it is there");
    keyspace.dbs[to].dict.insert_new(hash, entry);
}

#[test]
fn a_collection_that_has_moved_unheard_is_searched_for_in_parts() {
    let key = 5000u32.to_be_bytes();
    let begin = || {
        let mut keyspace = Keyspace::new(3, Seed::new(5));
        for db in 0..3 {
            (0..4000).for_each(|key| set(&mut keyspace, db, key, b"other", NEVER));
        }
        change_elements(&mut keyspace, 1, 0, 0..2000, true);
        let expected = state(&keyspace);
        let notes = Rc::new(RefCell::new(Notes::default()));
        let walk = keyspace.begin_walk(notes.clone());
        while notes.borrow().coming.is_empty() {
            assert!(keyspace.step_walk(walk));
        }
        move_unheard(&mut keyspace, 1, 0, &key);
        (keyspace, walk, notes, expected)
    };
    let come = |notes: &Rc<RefCell<Notes>>| notes.borrow().coming.front().map(|coming| coming.elements.len());
    let is_watched = |keyspace: &Keyspace| {
        let entry = keyspace.db(0).dict().find(keyspace.hash(&key), &key).expect("it is there");
        let Value::Object(object) = entry.value() else { panic!("a collection") };
        pieces::of(object).expect("a table").is_watched()
    };

    // Found at last, gone meanwhile, moved again so that the walk hears of it, or flushed with its table.
    for ending in 0..4 {
        let (mut keyspace, walk, notes, expected) = begin();
        let before = come(&notes);
        let mut steps = 0;
        while come(&notes) == before && keyspace.step_walk(walk) {
            steps += 1;
            match (steps, ending) {
                (3, 1) => drop(keyspace.remove(0, keyspace.hash(&key), &key)),
                (3, 2) => rename(&mut keyspace, 0, 2, 5000, 6000),
                (3, 3) => drop(keyspace.flush(0)),
                _ => (),
            }
        }
        let searched = if matches!(ending, 1 | 2) { 4..=4 } else { 64..=400 };
        assert!(searched.contains(&steps), "ending {ending}: {steps} steps");
        while keyspace.step_walk(walk) {}
        assert!(notes.borrow().seen == expected && !notes.borrow().twice, "ending {ending}");
    }

    let (mut keyspace, walk, _, _) = begin();
    assert!(is_watched(&keyspace));
    keyspace.step_walk(walk);
    keyspace.cancel_walk(walk);
    assert!(!is_watched(&keyspace), "a walk that is given up watches nothing");
}
