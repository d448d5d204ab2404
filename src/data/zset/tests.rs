use super::*;
use crate::data::{moving, rng::Rng, trash};
use proptest::prelude::*;

fn limits() -> PackLimits {
    PackLimits { entries: 8, value: 20, seed: Seed::new(7) }
}

fn zset(pairs: &[(&str, f64)]) -> Zset {
    let mut zset = Zset::default();
    for (member, score) in pairs {
        zset.insert_new(member.as_bytes(), *score, limits());
    }
    zset
}

fn pairs(zset: &Zset) -> Vec<(Vec<u8>, f64)> {
    zset.iter().map(|(member, score)| (member.to_vec(), score)).collect()
}

/// The bytes that Redis has for members and scores of each kind.
#[test]
fn the_compact_form_has_the_bytes_of_redis() {
    let zset = zset(&[("b", 1.5), ("7", -3.0), ("a", 1.5), ("big", 1e300), ("inf", f64::INFINITY), ("zero", -0.0)]);
    let expected = b"\x07\x01\xdf\xfd\x02\x84zero\x05\x00\x01\x81a\x02\x831.5\x04\x81b\x02\x831.5\x04\x83big\x04\x861e+300\x07\x83inf\x04\x83inf\x04\xff";
    assert_eq!(&zset.compact().unwrap().to_bytes()[6..], expected);
}

#[test]
fn the_forms_change_where_the_limits_say() {
    let mut zset = zset(&[("a", 1.0), ("b", 2.0), ("c", 3.0), ("d", 4.0), ("e", 5.0), ("f", 6.0), ("g", 7.0), ("h", 8.0)]);
    assert_eq!(zset.encoding(), "listpack");
    zset.upsert(b"h", limits(), |_| Some(0.0));
    assert_eq!(zset.encoding(), "listpack");
    zset.upsert(b"i", limits(), |_| Some(0.0));
    assert_eq!(zset.encoding(), "skiplist");
    zset.remove(b"i");
    assert_eq!(zset.encoding(), "skiplist");
    zset.compact_if_small(limits());
    assert_eq!(zset.encoding(), "listpack");
    zset.remove(b"a");
    zset.insert_new(&[b'x'; 21], 1.0, limits());
    assert_eq!(zset.encoding(), "skiplist");
    zset.compact_if_small(limits());
    assert_eq!(zset.encoding(), "skiplist");
    assert_eq!(Zset::with_expected(9, 0, limits()).encoding(), "skiplist");
    assert_eq!(Zset::with_expected(8, 20, limits()).encoding(), "listpack");
}

#[test]
fn a_listpack_that_is_no_sorted_set_is_refused() {
    let from = |items: &[&str]| {
        let mut pack = Listpack::new();
        items.iter().for_each(|item| pack.push(item.as_bytes()));
        Zset::from_listpack(pack, limits())
    };
    assert!(from(&["a", "1", "b", "2.5", "c", "inf"]).is_some());
    assert!(from(&["a", "1", "b"]).is_none());
    assert!(from(&["a", "1", "b", "2", "a", "3"]).is_none());
    assert!(from(&["a", "nan"]).is_none());
    assert!(from(&["a", "1x"]).is_none());
    let sorted = from(&["b", "2", "c", "1", "a", "2"]).unwrap();
    assert_eq!(pairs(&sorted), [(b"c".to_vec(), 1.0), (b"a".to_vec(), 2.0), (b"b".to_vec(), 2.0)]);
}

#[test]
fn a_large_one_is_freed_in_slices() {
    let mut zset = Zset::default();
    for n in 0..20_000 {
        zset.insert_new(format!("member:{n}").as_bytes(), f64::from(n % 100), limits());
    }
    let copy = zset.clone();
    assert!(pairs(&copy) == pairs(&zset));
    assert!(copy.allocated(0) > 20_000 * 40 && copy.allocated(5).abs_diff(copy.allocated(0)) < 20_000 * 16);
    drop((zset, copy));
    assert_eq!(trash::pending(), 4);
    while trash::free_slice() {}
}

#[test]
fn a_large_one_emptied_gives_its_memory_back() {
    for by_rank in [false, true] {
        let mut zset = Zset::default();
        assert!((0..100_000u32).all(|n| zset.insert_new(&n.to_be_bytes(), f64::from(n % 1000), limits())));
        if by_rank {
            zset.remove_range(50..99_950, |_, _| ());
        } else {
            assert!((100..100_000u32).all(|n| zset.remove(&n.to_be_bytes())));
        }
        let left = pairs(&zset);
        assert_eq!(left.len(), 100);
        assert!(left.iter().all(|(member, score)| zset.score(member) == Some(*score)));
        assert!(zset.allocated(0) < 16 * 1024, "{}", zset.allocated(0));
    }
}

#[derive(Clone, Debug)]
enum Step {
    Upsert(Vec<u8>, f64),
    Many(u16, u16),
    Remove(usize),
    RemoveRange(usize, usize),
    Settle,
    Clone,
    Reload,
    Move(usize),
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => (-5i32..5).prop_map(f64::from),
        2 => (-40i32..40).prop_map(|n| f64::from(n) / 8.0),
        1 => any::<f64>().prop_filter("no score", |s| !s.is_nan()),
        1 => prop_oneof![Just(f64::INFINITY), Just(f64::NEG_INFINITY)],
    ]
}

fn member() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => (0u8..20).prop_map(|n| n.to_string().into_bytes()),
        3 => proptest::collection::vec(b'a'..b'd', 0..4),
        1 => proptest::collection::vec(any::<u8>(), 0..30),
        1 => (200usize..300).prop_map(|len| vec![b'l'; len]),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (member(), score()).prop_map(|(m, s)| Step::Upsert(m, s)),
        1 => (any::<u16>(), 1u16..300).prop_map(|(n, count)| Step::Many(n, count)),
        5 => any::<usize>().prop_map(Step::Remove),
        2 => (any::<usize>(), 0usize..8).prop_map(|(at, count)| Step::RemoveRange(at, count)),
        2 => Just(Step::Settle),
        1 => Just(Step::Clone),
        1 => Just(Step::Reload),
        5 => (1..80usize).prop_map(Step::Move),
    ]
}

/// A vector of members and scores, in order.
#[derive(Default)]
struct Model(Vec<(Vec<u8>, f64)>);

impl Model {
    fn put(&mut self, member: &[u8], score: f64) -> ScoreChange {
        let old = self.0.iter().position(|(m, _)| m == member);
        if let Some(at) = old {
            if self.0[at].1 == score {
                return ScoreChange::None;
            }
            self.0.remove(at);
        }
        let at = self.0.partition_point(|(m, s)| *s < score || (*s == score && &m[..] < member));
        self.0.insert(at, (member.to_vec(), score));
        if old.is_some() { ScoreChange::Updated } else { ScoreChange::Added }
    }
}

proptest! {
    #[test]
    fn it_is_a_vector_in_order(steps in proptest::collection::vec(step(), 0..80)) {
        let (mut zset, mut model) = (Zset::default(), Model::default());
        let mut place = moving::Place::default();
        for step in steps {
            match step {
                Step::Move(left) => moving::step(&mut zset, &mut place, left),
                Step::Upsert(member, score) => {
                    let old = model.0.iter().find(|(m, _)| *m == member).map(|(_, s)| *s);
                    let change = zset.upsert(&member, limits(), |current| { assert_eq!(current, old); Some(score) });
                    prop_assert_eq!(change, model.put(&member, score));
                }
                Step::Many(n, count) => for n in (0..count).map(|i| n.wrapping_add(i.wrapping_mul(40_503))) {
                    let member = format!("member:{n}");
                    let change = zset.upsert(member.as_bytes(), limits(), |_| Some(f64::from(n % 50)));
                    prop_assert_eq!(change, model.put(member.as_bytes(), f64::from(n % 50)));
                },
                Step::Remove(at) if !model.0.is_empty() => {
                    let (member, _) = model.0.remove(at % model.0.len());
                    prop_assert!(zset.remove(&member));
                    prop_assert!(!zset.remove(&member));
                }
                Step::RemoveRange(at, count) => {
                    let at = at % (model.0.len() + 1);
                    let end = (at + count).min(model.0.len());
                    let mut gone = Vec::new();
                    zset.remove_range(at..end, |member, score| gone.push((member.to_vec(), score)));
                    prop_assert!(gone.into_iter().eq(model.0.drain(at..end)));
                }
                Step::Settle => {
                    zset.compact_if_small(limits());
                    let fits = model.0.len() <= 8 && model.0.iter().all(|(m, _)| m.len() <= 20);
                    prop_assert!(!fits || zset.compact().is_some());
                }
                Step::Clone => zset = zset.clone(),
                Step::Reload => if let Some(pack) = zset.compact() {
                    zset = Zset::from_listpack(Listpack::from_bytes(&pack.to_bytes()).unwrap(), limits()).unwrap();
                },
                _ => (),
            }
            let model = &model.0;
            prop_assert_eq!(zset.len(), model.len());
            prop_assert!(zset.iter().map(|(m, s)| (m.to_vec(), s)).eq(model.iter().cloned()));
        }
        let (model, mut rng) = (&model.0, Rng::new(1));
        for (rank, (member, score)) in model.iter().enumerate() {
            prop_assert_eq!(zset.score(member), Some(*score));
            prop_assert_eq!(zset.rank(member), Some((rank, *score)));
            prop_assert_eq!(zset.nth(rank).map(|(m, s)| (m.to_vec(), s)), Some((member.clone(), *score)));
            prop_assert_eq!(zset.rank_by_score(|s| s < *score), model.partition_point(|(_, s)| s < score));
            prop_assert_eq!(zset.rank_by_score(|s| s <= *score), model.partition_point(|(_, s)| s <= score));
            let (from, to) = (rng.below(model.len() as u64 + 1) as usize, rng.below(model.len() as u64 + 3) as usize);
            let expected = &model[from.min(to).min(model.len())..to.min(model.len())];
            prop_assert!(zset.range(from..to).map(|(m, s)| (m.to_vec(), s)).eq(expected.iter().cloned()));
            prop_assert!(zset.range(from..to).rev().map(|(m, s)| (m.to_vec(), s)).eq(expected.iter().rev().cloned()));
        }
    }

    #[test]
    fn what_is_gathered_in_any_order_is_sorted(given in proptest::collection::vec((member(), score()), 0..100)) {
        let (mut gathering, mut model) = (Gathering::new(limits().seed), Model::default());
        for (member, score) in &given {
            let is_new = !model.0.iter().any(|(m, _)| m == member);
            prop_assert_eq!(gathering.insert_new(member, *score), is_new);
            if is_new {
                model.put(member, *score);
            }
            prop_assert!(gathering.contains(member));
        }
        let mut zset = gathering.finish(limits());
        prop_assert_eq!(pairs(&zset), model.0.clone());
        let more = format!("more {}", given.len());
        zset.insert_new(more.as_bytes(), 0.5, limits());
        model.put(more.as_bytes(), 0.5);
        prop_assert_eq!(pairs(&zset), model.0);
    }

    #[test]
    fn members_of_one_score_stand_in_the_order_of_their_bytes(members in proptest::collection::btree_set(member(), 0..40)) {
        let mut zset = Zset::default();
        members.iter().for_each(|member| { zset.insert_new(member, 1.0, limits()); });
        for (rank, bound) in members.iter().enumerate() {
            prop_assert_eq!(zset.rank_by_member(|m| m < &bound[..]), rank);
            prop_assert_eq!(zset.rank_by_member(|m| m <= &bound[..]), rank + 1);
        }
    }
}
