use super::*;
use crate::data::{moving, rng::Rng};
use proptest::{collection::vec, prelude::*};
use std::collections::{BTreeMap, BTreeSet};

fn limits() -> SetLimits {
    SetLimits { intset_entries: 6, listpack_entries: 10, listpack_value: 12, seed: Seed::new(7) }
}

fn set(members: &[&str], limits: &SetLimits) -> Set {
    let mut set = Set::suited(members[0].as_bytes(), members.len(), limits);
    members.iter().for_each(|member| {
        set.add(member.as_bytes(), limits);
    });
    set
}

fn contents(set: &Set) -> BTreeSet<Vec<u8>> {
    let all: Vec<_> = set.iter().map(Item::to_vec).collect();
    let unique: BTreeSet<_> = all.iter().cloned().collect();
    assert_eq!(all.len(), unique.len());
    unique
}

#[test]
fn its_form_is_chosen_by_what_comes_first_and_how_much_is_to_come() {
    for (first, count, encoding) in [
        ("1", 6, "intset"),
        ("1", 7, "listpack"),
        ("1", 11, "hashtable"),
        ("a", 1, "listpack"),
        ("a", 10, "listpack"),
        ("a", 11, "hashtable"),
    ] {
        assert_eq!(Set::suited(first.as_bytes(), count, &limits()).encoding(), encoding, "{first} {count}");
    }
    assert_eq!((Set::sized(6, &limits()).encoding(), Set::sized(7, &limits()).encoding()), ("intset", "hashtable"));
}

#[test]
fn integers_stay_an_intset_while_they_are_few() {
    let mut numbers = set(&["1", "2", "3", "4", "5", "6"], &limits());
    assert_eq!(numbers.encoding(), "intset");
    numbers.add(b"6", &limits());
    assert_eq!(numbers.encoding(), "intset");
    numbers.add(b"7", &limits());
    assert_eq!((numbers.encoding(), numbers.len()), ("hashtable", 7));
    numbers.remove(b"7");
    numbers.remove(b"6");
    assert_eq!(numbers.encoding(), "hashtable", "there is no way back");
}

#[test]
fn a_string_makes_a_listpack_of_an_intset_if_all_of_it_fits() {
    let with = |integers: &[&str], string: &str, limits: &SetLimits| {
        let mut set = set(integers, limits);
        set.add(string.as_bytes(), limits);
        assert_eq!(set.len(), integers.len() + 1);
        set.encoding()
    };
    assert_eq!(with(&["1", "2"], "a", &limits()), "listpack");
    assert_eq!(with(&["1", "2"], "twelve bytes", &limits()), "listpack");
    assert_eq!(with(&["1", "2"], "thirteen byte", &limits()), "hashtable");
    assert_eq!(with(&["1", "123456789012"], "a", &limits()), "listpack");
    assert_eq!(with(&["1", "-123456789012"], "a", &limits()), "hashtable", "its digits are too many");
    let few = SetLimits { listpack_entries: 3, ..limits() };
    assert_eq!(with(&["1", "2"], "a", &few), "listpack");
    assert_eq!(with(&["1", "2", "3"], "a", &few), "hashtable");
}

#[test]
fn a_listpack_becomes_a_table_when_it_is_full_or_a_member_is_long() {
    let mut few = set(&["a", "1", "c"], &limits());
    assert_eq!(few.encoding(), "listpack");
    let mut long = few.clone();
    long.add(b"thirteen byte", &limits());
    assert_eq!(long.encoding(), "hashtable");
    (0..7).for_each(|i| {
        few.add(format!("m{i}").as_bytes(), &limits());
    });
    assert_eq!((few.encoding(), few.len()), ("listpack", 10));
    few.add(b"m1", &limits());
    assert_eq!(few.encoding(), "listpack");
    few.add(b"m7", &limits());
    assert_eq!((few.encoding(), few.len()), ("hashtable", 11));
}

#[test]
fn what_will_not_stay_small_is_made_a_table_at_once() {
    for (first, count, encoding) in [("1", 6, "intset"), ("1", 7, "hashtable"), ("a", 10, "listpack"), ("a", 11, "hashtable")] {
        let mut set = set(&[first], &limits());
        set.expect(count, &limits());
        assert_eq!(set.encoding(), encoding, "{first} {count}");
    }
}

#[test]
fn what_comes_from_elsewhere_is_looked_at() {
    let pack = |members: &[&str]| {
        let mut pack = Listpack::new();
        members.iter().for_each(|member| pack.push(member.as_bytes()));
        Set::from_listpack(pack, &limits())
    };
    assert!(pack(&["a", "b", "a"]).is_none());
    assert!(pack(&["1", "b", "1"]).is_none());
    assert_eq!(pack(&["a", "b", "1"]).map(|set| (set.encoding(), set.len())), Some(("listpack", 3)));
    let many: Vec<String> = (0..11).map(|i| format!("m{i}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(pack(&many).map(|set| (set.encoding(), set.len())), Some(("hashtable", 11)));
    let mut ints = Intset::new();
    (0..7).for_each(|n| {
        ints.insert(n);
    });
    assert_eq!(Set::from_intset(ints, &limits()).encoding(), "hashtable");
}

#[test]
fn every_member_is_chosen_as_often_as_the_others() {
    let (limits, mut rng) = (limits(), Rng::new(3));
    let sets = [set(&["1", "2", "3", "4", "5"], &limits), set(&["a", "b", "c", "d", "e", "f"], &limits), {
        let mut large = Set::table(limits.seed);
        (0..1000).for_each(|i| {
            large.add(format!("member{i}").as_bytes(), &limits);
        });
        large
    }];
    for set in sets {
        let (len, each) = (set.len(), 200);
        let check = |how: &str, hits: BTreeMap<Vec<u8>, usize>| {
            assert_eq!(hits.len(), len);
            let mean = hits.values().sum::<usize>() as f64 / len as f64;
            let chi2: f64 = hits.values().map(|&n| (n as f64 - mean) * (n as f64 - mean) / mean).sum();
            let freedom = len as f64 - 1.0;
            assert!(chi2 < freedom + 6.0 * (2.0 * freedom).sqrt(), "{how} of {len}: {chi2}");
        };
        let (mut random, mut popped, mut sampled, mut popped_some) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for _ in 0..len * each {
            *random.entry(set.random(&mut rng).unwrap().to_vec()).or_default() += 1;
        }
        check("random", random);
        for _ in 0..(len * each).div_ceil(len / 4 + 1) {
            set.sample(len / 4 + 1, &mut rng, |member| *sampled.entry(member.to_vec()).or_default() += 1);
        }
        check("sample", sampled);
        for _ in 0..40 {
            let mut one_by_one = set.clone();
            (0..len / 2).for_each(|_| one_by_one.pop(&mut rng, |member| *popped.entry(member.to_vec()).or_default() += 1));
            let mut at_once = set.clone();
            at_once.pop_some(len / 2, &mut rng, |member| *popped_some.entry(member.to_vec()).or_default() += 1);
        }
        check("pop", popped);
        check("pop_some", popped_some);
    }
}

#[test]
fn most_of_a_set_popped_leaves_a_new_small_one() {
    let limits = limits();
    let members: Vec<String> = (0..200).map(|i| format!("member{i}")).collect();
    let members: Vec<&str> = members.iter().map(String::as_str).collect();
    let whole = set(&members, &limits);
    let mut kept = whole.clone();
    let popped = kept.keep_some(9, &mut Rng::new(1), &limits);
    assert_eq!((kept.encoding(), kept.len(), popped.len()), ("listpack", 9, 191));
    assert_eq!(contents(&kept).union(&contents(&popped)).cloned().collect::<BTreeSet<_>>(), contents(&whole));
}

#[test]
fn a_large_set_emptied_gives_its_memory_back() {
    let limits = limits();
    let mut large = Set::table(limits.seed);
    (0..100_000u32).for_each(|i| {
        large.add(&i.to_be_bytes(), &limits);
    });
    assert!((100..100_000u32).all(|i| large.remove(&i.to_be_bytes())));
    assert_eq!(contents(&large), (0..100u32).map(|i| i.to_be_bytes().to_vec()).collect());
    assert!(large.allocated(0) < 8 * 1024, "{}", large.allocated(0));
}

#[test]
fn a_large_set_emptied_by_chance_stays_quick_to_choose_from() {
    let (limits, mut rng) = (limits(), Rng::new(5));
    let mut large = Set::table(limits.seed);
    (0..100_000u32).for_each(|i| {
        large.add(&i.to_be_bytes(), &limits);
    });
    let mut left: BTreeSet<Vec<u8>> = contents(&large);
    while !large.is_empty() {
        let len = left.len();
        large.pop(&mut rng, |member| assert!(left.remove(&member.to_vec())));
        assert_eq!((large.len(), left.len()), (len - 1, len - 1));
    }
}

#[derive(Clone, Debug)]
enum Op {
    Add(Vec<u8>),
    AddOf(Vec<u8>, bool),
    Remove(Vec<u8>),
    RemoveOf(Vec<u8>),
    Expect(usize),
    Pop,
    PopSome(usize),
    Keep(usize),
    Sample(usize),
    MakeInts,
    Move(usize),
}

fn member() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (-9..9i32).prop_map(|n| n.to_string().into_bytes()),
        1 => any::<i64>().prop_map(|n| n.to_string().into_bytes()),
        4 => "[a-c]{0,2}".prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..20),
        1 => Just(b"007".to_vec()),
        1 => Just(vec![b'x'; 300]),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        10 => member().prop_map(Op::Add),
        4 => (member(), any::<bool>()).prop_map(|(m, table)| Op::AddOf(m, table)),
        6 => member().prop_map(Op::Remove),
        2 => member().prop_map(Op::RemoveOf),
        1 => (0..12usize).prop_map(Op::Expect),
        3 => Just(Op::Pop),
        1 => (0..4usize).prop_map(Op::PopSome),
        1 => (0..4usize).prop_map(Op::Keep),
        1 => (0..4usize).prop_map(Op::Sample),
        1 => Just(Op::MakeInts),
        6 => (1..9usize).prop_map(Op::Move),
    ]
}

proptest! {
    #[test]
    fn whatever_its_form_it_is_a_set(first in member(), ops in vec(op(), 0..80), seed in any::<u64>()) {
        let (limits, mut rng) = (limits(), Rng::new(seed));
        let (mut set, mut model) = (Set::suited(&first, 1, &limits), BTreeSet::new());
        let mut place = moving::Place::default();
        for op in ops {
            match op {
                Op::Move(left) => moving::step(&mut set, &mut place, left),
                Op::Add(m) => prop_assert_eq!(set.add(&m, &limits), model.insert(m)),
                Op::AddOf(m, from_table) => {
                    let item = if from_table { Item::Str(&m) } else { Item::new(&m) };
                    prop_assert_eq!(set.contains_item(item), model.contains(&m));
                    prop_assert_eq!(set.add_item(item, &limits), model.insert(m.clone()));
                }
                Op::Remove(m) => prop_assert_eq!(set.remove(&m), model.remove(&m)),
                Op::RemoveOf(m) => prop_assert_eq!(set.remove_item(Item::Str(&m)), model.remove(&m)),
                Op::Expect(n) => set.expect(n, &limits),
                Op::Pop => {
                    let before = model.len();
                    let mut popped = 0;
                    set.pop(&mut rng, |m| { popped += 1; assert!(model.remove(&m.to_vec())) });
                    prop_assert_eq!(popped, before.min(1));
                }
                Op::PopSome(n) => set.pop_some(n, &mut rng, |m| assert!(model.remove(&m.to_vec()))),
                Op::Keep(n) => {
                    let popped = set.keep_some(n, &mut rng, &limits);
                    prop_assert_eq!(set.len(), n.min(model.len()));
                    contents(&popped).iter().for_each(|m| assert!(model.remove(m)));
                }
                Op::Sample(n) => if n < set.len() {
                    let mut sample = BTreeSet::new();
                    set.sample(n, &mut rng, |m| { sample.insert(m.to_vec()); });
                    prop_assert!(sample.len() == n && sample.is_subset(&model));
                },
                Op::MakeInts => if model.iter().all(|m| number::parse_i64(m).is_some()) { set.make_ints(&limits) },
            }
            prop_assert_eq!((set.len(), set.is_empty()), (model.len(), model.is_empty()));
            prop_assert_eq!(&contents(&set), &model);
            prop_assert_eq!(&contents(&set.clone()), &model);
            prop_assert!(model.iter().all(|m| set.contains(m)));
            prop_assert_eq!(set.random(&mut rng).map(|m| model.contains(&m.to_vec())), (!model.is_empty()).then_some(true));
            prop_assert!(set.allocated(0) >= model.iter().map(Vec::len).sum::<usize>() / 4 && (set.allocated(3) > 0 || model.is_empty()));
            if let Some(pack) = set.compact() {
                prop_assert!(model.len() <= 10 && model.iter().all(|m| m.len() <= 12 || number::parse_i64(m).is_some()));
                prop_assert!(Set::from_listpack(pack.clone(), &limits).is_some());
            }
            prop_assert!(set.ints().is_none_or(|ints| ints.len() <= 6));
        }
    }
}
