use super::*;
use crate::data::moving;
use crate::data::{listpack::Listpack, object::Object, rng::Rng};
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap};

fn limits() -> PackLimits {
    PackLimits { entries: 8, value: 12, seed: Seed::new(1) }
}

fn text(value: FieldValue<'_>) -> Vec<u8> {
    match value {
        FieldValue::Int(n) => n.to_string().into_bytes(),
        FieldValue::Str(text) => text.to_vec(),
        FieldValue::Object(bytes) => bytes.to_vec(),
    }
}

fn set(hash: &mut Hash, field: &[u8], value: &[u8]) -> bool {
    hash.set(field, value, || Bytes::copy_from_slice(value), OldDeadline::Drops, 0, &limits())
}

fn of(fields: &[(&str, &str)]) -> Hash {
    let mut hash = Hash::new();
    for (field, value) in fields {
        assert!(set(&mut hash, field.as_bytes(), value.as_bytes()));
    }
    hash
}

type Model = BTreeMap<Vec<u8>, (Vec<u8>, i64)>;

fn contents(hash: &Hash) -> Model {
    hash.iter().map(|f| (f.name.to_vec(), (text(f.value), f.deadline))).collect()
}

#[test]
fn a_hash_is_compact_until_it_is_large_and_stays_large() {
    let mut hash = Hash::new();
    for i in 0..8 {
        set(&mut hash, format!("f{i}").as_bytes(), b"v");
        assert_eq!(hash.encoding(), "listpack");
    }
    set(&mut hash, b"f8", b"v");
    assert_eq!(hash.encoding(), "hashtable");
    hash.remove(b"f8", 0);
    assert_eq!(hash.encoding(), "hashtable");
    let mut hash = of(&[("twelve bytes", "twelve bytes")]);
    assert_eq!(hash.encoding(), "listpack");
    set(&mut hash, b"f", b"thirteen byte");
    assert_eq!(hash.encoding(), "hashtable");
    let mut hash = of(&[("f", "v")]);
    hash.make_room(8, 12, &limits());
    assert_eq!(hash.encoding(), "listpack");
    hash.make_room(9, 12, &limits());
    assert_eq!(hash.encoding(), "hashtable");
}

/// What is compact by a generous setting may be longer than an entry holds inline.
#[test]
fn a_long_value_survives_the_change_to_a_table() {
    let (mut hash, long) = (Hash::new(), vec![b'x'; 100_000]);
    let generous = PackLimits { value: 1 << 20, ..limits() };
    hash.set(b"f", &long, || unreachable!("it is compact"), OldDeadline::Drops, 0, &generous);
    assert_eq!(hash.encoding(), "listpack");
    hash.make_room(1 << 20, 1, &generous);
    assert_eq!(hash.encoding(), "hashtable");
    assert_eq!(contents(&hash)[&b"f"[..]].0, long);
}

#[test]
fn a_compact_hash_with_long_values_becomes_a_table() {
    let generous = PackLimits { entries: 2, value: 1 << 20, ..limits() };
    let long = vec![b'x'; 70_000];
    let mut hash = Hash::new();
    for name in ["a", "b", "c"] {
        hash.set(name.as_bytes(), &long, || Bytes::from(long.clone()), OldDeadline::Drops, 0, &generous);
    }
    assert_eq!(hash.encoding(), "hashtable");
    assert!(hash.iter().all(|field| text(field.value) == long));
}

#[test]
fn triples_are_in_the_order_of_their_deadlines() {
    let mut hash = of(&[("a", "1"), ("b", "two"), ("c", "3"), ("d", "4")]);
    assert!(hash.set_deadline(b"c", 500) && hash.set_deadline(b"b", 300) && hash.set_deadline(b"a", 900));
    assert!(!hash.set_deadline(b"e", 300));
    assert_eq!(hash.encoding(), "listpackex");
    let order = |hash: &Hash| hash.iter().map(|f| f.name.to_vec()).collect::<Vec<_>>().concat();
    assert_eq!((order(&hash), hash.due_min()), (b"bcad".to_vec(), 300));
    hash.set_deadline(b"b", NEVER);
    assert_eq!((order(&hash), hash.due_min()), (b"cadb".to_vec(), 500));
    assert!(!set(&mut hash, b"c", b"new"));
    assert_eq!((order(&hash), hash.due_min(), hash.deadline(b"c", 0)), (b"adbc".to_vec(), 900, Some(NEVER)));
}

#[test]
fn a_field_past_its_deadline_is_hidden_until_it_is_taken_out() {
    for large in [false, true] {
        let mut hash = of(&[("a", "1"), ("b", "2")]);
        if large {
            hash.make_room(100, 0, &limits());
        }
        hash.set_deadline(b"a", 100);
        assert_eq!(hash.get(b"a", 100).map(text), Some(b"1".to_vec()));
        assert!(hash.get(b"a", 101).is_none() && hash.deadline(b"a", 101).is_none());
        assert!(hash.get(b"a", ANY_TIME).is_some());
        assert_eq!((hash.len(), hash.len_at(101)), (2, 1));
        let mut rng = Rng::new(1);
        for _ in 0..20 {
            assert_eq!(hash.random(&mut rng, 101).map(|f| f.name.to_vec()), Some(b"b".to_vec()));
        }
        let mut copy = hash.clone();
        assert!(!copy.remove(b"a", 101) && copy.len() == 1);
        let mut copy = hash.clone();
        assert!(copy.set(b"a", b"x", Bytes::new, OldDeadline::Stays, 101, &limits()), "it is new again");
        assert_eq!(copy.deadline(b"a", 101), Some(NEVER));
        let mut due = Vec::new();
        assert!(!hash.take_due(101, 10, |field| due.push(field.to_vec())));
        assert_eq!((due, hash.len(), hash.due_min()), (vec![b"a".to_vec()], 1, NEVER));
    }
}

#[test]
fn a_large_hash_emptied_gives_its_memory_back() {
    for by_deadline in [false, true] {
        let mut hash = Hash::new();
        (0..100_000u32).for_each(|n| assert!(set(&mut hash, &n.to_be_bytes(), b"v")));
        if by_deadline {
            assert!((100..100_000u32).all(|n| hash.set_deadline(&n.to_be_bytes(), 5)));
            hash.set_deadline(&7u32.to_be_bytes(), 90);
            while hash.take_due(50, 100, |_| ()) {}
            assert_eq!(hash.due_min(), 90);
        } else {
            assert!((100..100_000u32).all(|n| hash.remove(&n.to_be_bytes(), 0)));
        }
        assert_eq!(hash.len(), 100);
        assert!((0..100u32).all(|n| hash.get(&n.to_be_bytes(), 0).is_some()));
        assert!(hash.allocated(0) < 16 * 1024, "{}", hash.allocated(0));
    }
}

#[test]
fn what_a_file_says_twice_is_refused() {
    let pack = |items: &[&str]| {
        let mut pack = Listpack::new();
        items.iter().for_each(|item| pack.push(item.as_bytes()));
        pack
    };
    let pairs = |items: &[&str]| Hash::from_pairs(pack(items), &limits());
    assert_eq!(pairs(&["a", "1", "b", "a"]).map(|h| h.len()), Some(2));
    assert!(pairs(&["a", "1", "a", "2"]).is_none());
    assert!(pairs(&["a", "1", "b"]).is_none());
    let many: Vec<String> = (0..18).map(|i| i.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(pairs(&many).map(|h| (h.encoding(), h.len())), Some(("hashtable", 9)));
    let triples = |items: &[&str]| Hash::from_triples(pack(items), &limits());
    let hash = triples(&["a", "1", "0", "b", "2", "500", "c", "3", "400"]).expect("it is good");
    assert_eq!(hash.iter().map(|f| f.deadline).collect::<Vec<_>>(), [400, 500, NEVER]);
    assert!(triples(&["a", "1", "0", "a", "2", "5"]).is_none());
    assert!(triples(&["a", "1", "x"]).is_none() && triples(&["a", "1", "-1"]).is_none());
    // Seven as text beside seven as a number.
    let mut bytes = vec![0, 0, 0, 0, 4, 0, 0x81, b'7', 2, 1, 1, 7, 1, 1, 1, 0xff];
    bytes[0] = bytes.len() as u8;
    let hostile = Listpack::from_bytes(&bytes).expect("it is a listpack");
    assert!(Hash::from_pairs(hostile, &limits()).is_none());
    let mut builder = Builder::new(2, limits());
    assert!(builder.push(b"a", b"1", Bytes::new, NEVER) && builder.push(b"a", b"1", Bytes::new, NEVER));
    assert!(builder.finish().is_none());
    let mut builder = Builder::new(100, limits());
    assert!(builder.push(b"a", b"1", Bytes::new, NEVER) && !builder.push(b"a", b"1", Bytes::new, NEVER));
}

#[test]
fn every_field_is_as_likely_as_the_others() {
    for fields in [5, 40] {
        let mut hash = Hash::new();
        for i in 0..fields {
            set(&mut hash, format!("f{i}").as_bytes(), b"v");
        }
        let mut rng = Rng::new(7);
        let mut seen: HashMap<Vec<u8>, usize> = HashMap::new();
        let mut sampled: HashMap<Vec<u8>, usize> = HashMap::new();
        for _ in 0..fields * 1000 {
            *seen.entry(hash.random(&mut rng, 0).expect("it is not empty").name.to_vec()).or_default() += 1;
        }
        for _ in 0..1000 {
            for count in [1, fields / 4, fields - 1] {
                let fields = hash.sample(count, &mut rng, 0);
                assert_eq!(fields.len(), count);
                fields.iter().for_each(|f| *sampled.entry(f.name.to_vec()).or_default() += 1);
            }
        }
        let expected = 1000 * (1 + fields / 4 + fields - 1) / fields;
        assert!(seen.len() == fields && seen.values().all(|n| (850..1150).contains(n)), "{seen:?}");
        assert!(sampled.len() == fields && sampled.values().all(|n| n.abs_diff(expected) < expected / 8), "{sampled:?}");
        assert_eq!(hash.sample(fields * 2, &mut rng, 0).len(), fields);
    }
}

#[test]
fn a_pair_of_a_table_takes_forty_bytes() {
    let mut hash = Hash::new();
    for i in 0..10_000 {
        set(&mut hash, format!("field:{i:010}").as_bytes(), &[b'v'; 16]);
    }
    assert!((40 * 10_000..58 * 10_000).contains(&hash.allocated(0)), "{}", hash.allocated(0));
    assert!(hash.allocated(5).abs_diff(hash.allocated(0)) < 1000);
}

#[derive(Clone, Debug)]
enum Op {
    Set(Vec<u8>, Vec<u8>, bool),
    Remove(Vec<u8>),
    Deadline(Vec<u8>, i64),
    Advance(i64),
    TakeDue(usize),
    Room(usize),
    Copy,
    Load,
    Move(usize),
}

fn field() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => (0..12u8).prop_map(|n| format!("f{n}").into_bytes()),
        4 => (0..6i64).prop_map(|n| n.to_string().into_bytes()),
        1 => proptest::collection::vec(any::<u8>(), 0..20),
    ]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => any::<i64>().prop_map(|n| n.to_string().into_bytes()),
        4 => proptest::collection::vec(any::<u8>(), 0..11),
        1 => proptest::collection::vec(any::<u8>(), 10..16),
        1 => Just(vec![b'x'; 40_000]),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (field(), value(), any::<bool>()).prop_map(|(f, v, keeps)| Op::Set(f, v, keeps)),
        4 => field().prop_map(Op::Remove),
        6 => (field(), prop_oneof![Just(NEVER), 1..1000i64]).prop_map(|(f, d)| Op::Deadline(f, d)),
        2 => (0..200i64).prop_map(Op::Advance),
        2 => (1..5usize).prop_map(Op::TakeDue),
        1 => (0..10usize).prop_map(Op::Room),
        1 => Just(Op::Copy),
        1 => Just(Op::Load),
        6 => (1..9usize).prop_map(Op::Move),
    ]
}

proptest! {
    #[test]
    fn a_hash_behaves_as_a_map(ops in proptest::collection::vec(op(), 0..80)) {
        let limits = limits();
        let (mut hash, mut model, mut now) = (Hash::new(), Model::new(), 0);
        let mut place = moving::Place::default();
        for op in ops {
            match op {
                Op::Move(left) => moving::step(&mut hash, &mut place, left),
                Op::Set(f, v, keeps) => {
                    let old = if keeps { OldDeadline::Stays } else { OldDeadline::Drops };
                    let new = hash.set(&f, &v, || Bytes::from(v.clone()), old, now, &limits);
                    let before = model.get(&f).map(|x| x.1).filter(|d| *d >= now);
                    prop_assert_eq!(new, before.is_none());
                    model.insert(f, (v, if keeps { before.unwrap_or(NEVER) } else { NEVER }));
                }
                Op::Remove(f) => prop_assert_eq!(hash.remove(&f, now), model.remove(&f).is_some_and(|x| x.1 >= now)),
                Op::Deadline(f, deadline) => {
                    let there = model.get_mut(&f).map(|x| x.1 = deadline).is_some();
                    prop_assert_eq!(hash.set_deadline(&f, deadline), there);
                }
                Op::Advance(by) => now += by,
                Op::TakeDue(most) => {
                    let mut taken = Vec::new();
                    let more = hash.take_due(now, most, |f| taken.push(f.to_vec()));
                    for f in taken {
                        prop_assert!(model.remove(&f).is_some_and(|x| x.1 < now));
                    }
                    prop_assert!(more || model.values().all(|x| x.1 >= now));
                }
                Op::Room(longest) => hash.make_room(3, longest + 5, &limits),
                Op::Copy => {
                    hash.book(5);
                    hash = hash.clone();
                    prop_assert_eq!(hash.booked(), NEVER);
                }
                Op::Load => {
                    let mut builder = Builder::new(hash.len(), limits);
                    for f in hash.iter() {
                        let v = text(f.value);
                        prop_assert!(builder.push(&f.name.to_vec(), &v, || Bytes::from(v.clone()), f.deadline));
                    }
                    prop_assert_eq!(builder.len(), hash.len());
                    hash = builder.finish().expect("no field is there twice");
                }
            }
            prop_assert_eq!(contents(&hash), model.clone());
            prop_assert_eq!((hash.len(), hash.is_empty()), (model.len(), model.is_empty()));
            let due_min = model.values().map(|x| x.1).min().unwrap_or(NEVER);
            prop_assert!(hash.due_min() <= due_min && (hash.due_min() == NEVER) == (due_min == NEVER));
            prop_assert_eq!(hash.len_at(now), model.values().filter(|x| x.1 >= now).count());
            for (f, (v, deadline)) in &model {
                let there = *deadline >= now;
                prop_assert_eq!(hash.get(f, now).map(text), there.then(|| v.clone()));
                prop_assert_eq!(hash.deadline(f, now), there.then_some(*deadline));
            }
            prop_assert!(hash.encoding() == "hashtable" || hash.len() <= limits.entries);
        }
    }
}

#[test]
fn it_fits_where_an_object_keeps_it() {
    assert_eq!((size_of::<Hash>(), size_of::<Object>()), (16, 24));
}
