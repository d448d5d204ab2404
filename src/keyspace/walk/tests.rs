use crate::{
    data::{entry::NEVER, hash::Seed, string::NewString},
    keyspace::{Keyspace, Sink, Upsert, WalkId},
};
use proptest::prelude::*;
use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

type State = BTreeMap<(usize, Vec<u8>), Vec<u8>>;

#[derive(Default)]
struct Notes {
    seen: State,
    twice: bool,
}

impl Sink for Notes {
    fn entry(&mut self, db: usize, entry: &crate::data::entry::Entry) {
        self.twice |= self.seen.insert((db, entry.key().to_vec()), value(entry)).is_some();
    }
}

fn value(entry: &crate::data::entry::Entry) -> Vec<u8> {
    use crate::data::entry::Value;
    let mut text = match entry.value() {
        Value::Int(n) => n.to_string().into_bytes(),
        Value::Str(s) => s.to_vec(),
        Value::Object(object) => object.bytes().map(|b| b.to_vec()).unwrap_or_default(),
    };
    text.extend_from_slice(format!(" {}", entry.deadline()).as_bytes());
    text
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

#[derive(Clone, Debug)]
enum Op {
    Set(usize, u32, u32, i64),
    SetMany(usize, u32),
    RemoveMany(usize, u32),
    Flush(usize),
    Swap,
    Pass(i64),
    Begin,
    Step(usize),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (0..2usize, 0..3000u32, any::<u32>(), prop_oneof![Just(NEVER), 0..200i64]).prop_map(|(d, k, v, t)| Op::Set(d, k, v, t)),
        2 => (0..2usize, 0..3000u32).prop_map(|(d, k)| Op::SetMany(d, k)),
        2 => (0..2usize, 0..3000u32).prop_map(|(d, k)| Op::RemoveMany(d, k)),
        1 => (0..2usize).prop_map(Op::Flush),
        1 => Just(Op::Swap),
        1 => (0..20i64).prop_map(Op::Pass),
        2 => Just(Op::Begin),
        6 => (1..4usize).prop_map(Op::Step),
    ]
}

proptest! {
    #[test]
    fn a_walk_finds_the_state_at_its_beginning(ops in proptest::collection::vec(op(), 1..150), seed: u64) {
        let mut keyspace = Keyspace::new(2, Seed::new(seed));
        let mut walks: Vec<(WalkId, Rc<RefCell<Notes>>, State)> = Vec::new();
        let finish = |keyspace: &mut Keyspace, walks: &mut Vec<(WalkId, Rc<RefCell<Notes>>, State)>, i: usize| {
            let (_, notes, expected) = walks.remove(i);
            let notes = notes.borrow();
            assert!(!notes.twice, "handed over twice");
            assert_eq!(notes.seen, expected);
            while keyspace.bury() {}
        };
        for op in ops {
            match op {
                Op::Set(db, key, v, deadline) => set(&mut keyspace, db, key, v.to_string().repeat(3).as_bytes(), deadline),
                Op::SetMany(db, from) => (from..from + 500).for_each(|k| set(&mut keyspace, db, k, b"many", NEVER)),
                Op::RemoveMany(db, from) => for k in from..from + 900 {
                    let key = k.to_be_bytes();
                    let hash = keyspace.hash(&key);
                    keyspace.remove(db, hash, &key);
                },
                Op::Flush(db) => { keyspace.flush(db); }
                Op::Swap => keyspace.swap(0, 1),
                Op::Pass(ms) => { keyspace.now_ms += ms; keyspace.expire_cycle(&mut || true); }
                Op::Begin => if walks.len() < 3 {
                    let notes = Rc::new(RefCell::new(Notes::default()));
                    let id = keyspace.begin_walk(notes.clone());
                    walks.push((id, notes, state(&keyspace)));
                },
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
    }
}
