use super::*;
use crate::{
    alloc::slabs::Slabs,
    data::{
        entry::NEVER,
        hash::FieldValue,
        key_hash::Seed,
        moving::{Mover, Place, Relocate},
        pieces,
    },
};
use proptest::prelude::*;
use std::collections::BTreeMap;

type State = BTreeMap<Vec<u8>, Vec<u8>>;

fn value(entry: &FieldEntry) -> Vec<u8> {
    match entry.value() {
        FieldValue::Str(text) => text.to_vec(),
        _ => Vec::new(),
    }
}

fn set(dict: &mut Dict<FieldEntry>, key: u32, text: &[u8], deadline: i64) {
    let key = key.to_be_bytes();
    let hash = dict.hash(&key);
    match dict.find_mut(hash, &key) {
        Some(entry) => entry.set_inline(text),
        None => drop(dict.insert_new(hash, FieldEntry::new_inline(&key, text, deadline))),
    }
}

fn state(dict: &Dict<FieldEntry>) -> State {
    dict.iter().map(|e| (e.key().to_vec(), value(e))).collect()
}

#[derive(Clone, Debug)]
enum Op {
    Set(u32, u8),
    SetByHandle(u32, u8),
    Grow(u32),
    Remove(u32),
    RemoveMany(u32),
    Due(i64),
    Begin,
    Step,
    Drop,
    Take,
    Gather,
    Move(usize),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (0..3000u32, any::<u8>()).prop_map(|(k, v)| Op::Set(k, v)),
        2 => (0..3000u32, any::<u8>()).prop_map(|(k, v)| Op::SetByHandle(k, v)),
        3 => (0..3000u32).prop_map(Op::Grow),
        4 => (0..3000u32).prop_map(Op::Remove),
        2 => (0..3000u32).prop_map(Op::RemoveMany),
        1 => (0..100i64).prop_map(Op::Due),
        4 => Just(Op::Begin),
        12 => Just(Op::Step),
        1 => Just(Op::Drop),
        1 => Just(Op::Take),
        1 => Just(Op::Gather),
        6 => (1..500usize).prop_map(Op::Move),
    ]
}

proptest! {
    #[test]
    fn a_watch_sees_what_there_was_at_its_beginning(ops in proptest::collection::vec(op(), 1..120), seed in Seed::any()) {
        let mut dict = Dict::<FieldEntry>::new(seed);
        let mut watches: Vec<(WatchId, State, State)> = Vec::new();
        let step = |dict: &Dict<FieldEntry>, (id, seen, expected): &mut (WatchId, State, State)| {
            let mut visit = |element: Element<'_>| {
                let Element::Field(entry) = element else { return };
                assert_eq!(seen.insert(entry.key().to_vec(), value(entry)), None, "seen twice");
            };
            let more = if dict.is_watched_by(*id) { dict.step(*id, &mut visit) } else { pieces::step_orphan(*id, &mut visit).expect("is somewhere") };
            assert!(more || seen == expected);
            more
        };
        let (mut slabs, mut place) = (Slabs::all(), Place::default());
        for op in ops {
            match op {
                Op::Move(left) => {
                    let mut mover = Mover::new(&mut slabs, left);
                    let next = dict.relocate(&place, &mut mover, &mut |entry, mover| drop(entry.relocate(Place::default(), mover)));
                    place = next.unwrap_or_default();
                }
                Op::Set(key, v) => set(&mut dict, key, &[v], if key % 4 == 0 { i64::from(key) } else { NEVER }),
                Op::SetByHandle(key, v) => {
                    let key = key.to_be_bytes();
                    if let Some(handle) = dict.find_handle(dict.hash(&key), &key) { dict.at_mut(handle).set_inline(&[v, v]); }
                }
                Op::Grow(from) => (from..from + 700).for_each(|k| set(&mut dict, k, b"many", NEVER)),
                Op::Remove(key) => drop(dict.remove(dict.hash(&key.to_be_bytes()), &key.to_be_bytes())),
                Op::RemoveMany(from) => for k in from..from + 900 {
                    let key = k.to_be_bytes();
                    let hash = dict.hash(&key);
                    if let Some(handle) = dict.find_handle(hash, &key) { dict.remove_at(handle, hash); }
                },
                Op::Due(now) => { dict.take_due(0, now, usize::MAX, usize::MAX, drop); }
                Op::Begin => if watches.len() < 3 {
                    let id = WatchId::new();
                    Pieces::watch(&dict, id);
                    watches.push((id, State::new(), state(&dict)));
                },
                Op::Step => watches.retain_mut(|watch| step(&dict, watch)),
                Op::Drop => dict = Dict::new(seed),
                Op::Take => { dict.take(); }
                Op::Gather => dict.gather_now(),
            }
        }
        watches.iter_mut().for_each(|watch| while step(&dict, watch) {});
        prop_assert_eq!((pieces::orphans(), pieces::orphan_bytes()), (0, 0));
    }
}

#[test]
fn a_watch_given_up_lets_go_of_its_table() {
    let mut dict = Dict::<FieldEntry>::new(Seed::new(1));
    (0..1000).for_each(|k| set(&mut dict, k, b"v", NEVER));
    let (first, second) = (WatchId::new(), WatchId::new());
    Pieces::watch(&dict, first);
    Pieces::unwatch(&dict, first);
    assert!(!dict.is_watched());
    Pieces::watch(&dict, second);
    drop(dict);
    assert_eq!(pieces::orphans(), 1);
    assert!(pieces::orphan_bytes() > 20_000);
    pieces::unwatch_orphan(second);
    assert_eq!((pieces::orphans(), pieces::orphan_bytes()), (0, 0));
}
