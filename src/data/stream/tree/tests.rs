use super::*;
use crate::data::trash;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A number; small nodes make deep trees of few elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Num(i64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Facts {
    total: i64,
    least: i64,
}

impl Sum for Facts {
    const NONE: Self = Self { total: 0, least: i64::MAX };

    fn with(self, other: Self) -> Self {
        Self { total: self.total + other.total, least: self.least.min(other.least) }
    }

    fn without(self, part: Self) -> Option<Self> {
        (part.least > self.least).then(|| Self { total: self.total - part.total, ..self })
    }
}

impl Value for Num {
    type Sum = Facts;
    const LEAF: usize = 4;
    const FAN: usize = 4;
    const LARGE: usize = 64;

    fn sum(&self) -> Facts {
        Facts { total: self.0, least: self.0 }
    }
}

#[derive(Clone, Copy, Debug)]
struct Plain;

impl Value for Plain {
    type Sum = ();
    const LEAF: usize = 8;

    fn sum(&self) {}
}

type Model = BTreeMap<u16, i64>;

/// Its depth, when all that is said of the branches is true.
fn check(node: &Node<u16, Num>) -> usize {
    assert!((1..=node.width_max()).contains(&node.width()));
    match node {
        Node::Leaf(items) => {
            assert!(items.is_sorted_by(|a, b| a.0 < b.0));
            1
        }
        Node::Inner(children) => {
            let mut depths = children.iter().map(|child| {
                assert_eq!((child.first, child.len), (*child.node.first(), child.node.len()));
                assert_eq!(child.sum, child.node.sum());
                check(&child.node)
            });
            let depth = depths.next().unwrap();
            assert!(depths.all(|other| other == depth), "all leaves are equally deep");
            depth + 1
        }
    }
}

fn compare(tree: &Tree<u16, Num>, model: &Model) {
    if let Some(root) = &tree.root {
        check(root);
    }
    assert_eq!(tree.len(), model.len());
    assert!(tree.iter().map(|(key, value)| (*key, value.0)).eq(model.iter().map(|(k, v)| (*k, *v))));
    assert_eq!(tree.sum().total, model.values().sum::<i64>());
}

/// Everything that can be asked from a key on.
fn ask(tree: &Tree<u16, Num>, model: &Model, key: u16, rank: i64) {
    let pair = |(key, value): (&u16, &Num)| (*key, value.0);
    let plain = |(key, value): (&u16, &i64)| (*key, *value);
    assert_eq!(tree.get(&key).map(|value| value.0), model.get(&key).copied());
    assert_eq!(tree.floor(&key).map(pair), model.range(..=key).next_back().map(plain));
    assert_eq!(tree.first().map(pair), model.first_key_value().map(plain));
    assert_eq!(tree.last().map(pair), model.last_key_value().map(plain));
    assert!(tree.iter_from(Bound::Included(&key)).map(pair).eq(model.range(key..).map(plain)));
    assert!(tree.iter_from(Bound::Excluded(&key)).map(pair).eq(model.range((Bound::Excluded(key), Bound::Unbounded)).map(plain)));
    assert!(tree.iter_to(Bound::Included(&key)).map(pair).eq(model.range(..=key).rev().map(plain)));
    assert!(tree.iter_to(Bound::Excluded(&key)).map(pair).eq(model.range(..key).rev().map(plain)));

    // Those of a rank up to this one, by whole branches.
    let (mut found, mut from) = (Vec::new(), Bound::Included(key));
    while let Some(leaf) = tree.leaf_where(from.as_ref(), &|sum: Facts| sum.least <= rank) {
        found.extend(leaf.iter().filter(|(_, value)| value.0 <= rank).map(|(key, value)| (*key, value.0)));
        from = Bound::Excluded(leaf.last().unwrap().0);
    }
    assert!(found.into_iter().eq(model.range(key..).map(plain).filter(|(_, value)| *value <= rank)));

    let mut by_rank: Vec<_> = model.iter().map(|(key, value)| (*value, *key)).collect();
    by_rank.sort_unstable();
    assert!(tree.by_rank(|sum| sum.least).map(|(key, value)| (value.0, *key)).eq(by_rank));

    let mut left = rank * 20;
    let refused = tree.first_refused(|sum| {
        let passes = sum.total <= left;
        left -= if passes { sum.total } else { 0 };
        passes
    });
    let mut left = rank * 20;
    let expected = model.iter().find(|(_, value)| {
        let passes = **value <= left;
        left -= if passes { **value } else { 0 };
        !passes
    });
    assert_eq!(refused.map(pair), expected.map(plain));
}

#[derive(Clone, Debug)]
enum Op {
    Insert(u16, i64),
    /// So many at the end, or in the middle.
    Run(u16, u16),
    Remove(u16),
    RemoveNear(u16, u16),
    Change(u16, i64),
    SplitOff(u16),
    Keep,
    Forget,
}

fn op() -> impl Strategy<Value = Op> {
    let key = 0..600u16;
    prop_oneof![
        6 => (key.clone(), 0..100i64).prop_map(|(key, value)| Op::Insert(key, value)),
        3 => (key.clone(), 1..40u16).prop_map(|(key, count)| Op::Run(key, count)),
        4 => key.clone().prop_map(Op::Remove),
        3 => (key.clone(), 1..60u16).prop_map(|(key, count)| Op::RemoveNear(key, count)),
        3 => (key.clone(), 0..100i64).prop_map(|(key, value)| Op::Change(key, value)),
        1 => (0..200u16).prop_map(Op::SplitOff),
        2 => Just(Op::Keep),
        1 => Just(Op::Forget),
    ]
}

proptest! {
    #[test]
    fn it_is_an_ordered_map_and_so_are_its_copies(ops in prop::collection::vec(op(), 1..200), key in 0..620u16, rank in 0..100i64) {
        let (mut tree, mut model) = (Tree::default(), Model::new());
        let mut kept = Vec::new();
        for op in ops {
            match op {
                Op::Insert(key, value) => prop_assert_eq!(tree.insert(key, Num(value)).map(|old| old.0), model.insert(key, value)),
                Op::Run(key, count) => for key in key..key + count {
                    tree.insert(key, Num(i64::from(key)));
                    model.insert(key, i64::from(key));
                },
                Op::Remove(key) => prop_assert_eq!(tree.remove(&key).map(|old| old.0), model.remove(&key)),
                Op::RemoveNear(key, count) => for key in key..key + count {
                    prop_assert_eq!(tree.remove(&key).map(|old| old.0), model.remove(&key));
                },
                Op::Change(key, value) => {
                    let changed = tree.change(&key, |own| own.0 = value);
                    prop_assert_eq!(changed, model.get_mut(&key).map(|own| *own = value));
                }
                Op::SplitOff(key) => {
                    let front = tree.split_off_front(&key);
                    let behind = model.split_off(&key);
                    compare(&front, &model);
                    model = behind;
                }
                Op::Keep => kept.push((tree.clone(), model.clone())),
                Op::Forget => drop(kept.pop()),
            }
            compare(&tree, &model);
        }
        ask(&tree, &model, key, rank);
        for (tree, model) in &kept {
            compare(tree, model);
            ask(tree, model, key, rank);
        }
    }
}

/// Nodes that are of one tree only.
fn own_nodes(tree: &Tree<u32, Plain>, other: &Tree<u32, Plain>) -> usize {
    fn collect<'a>(node: &'a Arc<Node<u32, Plain>>, all: &mut Vec<&'a Arc<Node<u32, Plain>>>) {
        all.push(node);
        if let Node::Inner(children) = &**node {
            children.iter().for_each(|child| collect(&child.node, all));
        }
    }
    let (mut own, mut others) = (Vec::new(), Vec::new());
    tree.root.iter().for_each(|root| collect(root, &mut own));
    other.root.iter().for_each(|root| collect(root, &mut others));
    let others: std::collections::HashSet<_> = others.into_iter().map(Arc::as_ptr).collect();
    own.into_iter().filter(|node| !others.contains(&Arc::as_ptr(node))).count()
}

fn plain(keys: impl Iterator<Item = u32>) -> Tree<u32, Plain> {
    let mut tree = Tree::default();
    keys.for_each(|key| assert!(tree.insert(key, Plain).is_none()));
    tree
}

fn leaves(tree: &Tree<u32, Plain>) -> usize {
    let (mut count, mut leaf) = (0, tree.leaf_from(Bound::Unbounded::<&u32>));
    while let Some((last, _)) = leaf.last() {
        count += 1;
        leaf = tree.leaf_from(Bound::Excluded(last));
    }
    count
}

#[test]
fn a_change_copies_one_path_and_a_cut_no_more() {
    const DEPTH: usize = 5;
    let original = plain(0..100_000);
    let mut tree = original.clone();
    assert_eq!(own_nodes(&tree, &original), 0);
    tree.insert(100_000, Plain);
    assert!(own_nodes(&tree, &original) <= 2 * DEPTH);
    let mut tree = original.clone();
    tree.remove(&50_000);
    assert!(own_nodes(&tree, &original) <= 2 * DEPTH);
    let mut tree = original.clone();
    let front = tree.split_off_front(&54_321);
    assert!(own_nodes(&tree, &original) <= DEPTH && own_nodes(&front, &original) <= DEPTH);
    assert_eq!((front.len(), tree.len()), (54_321, 100_000 - 54_321));
    // What is not there makes nothing be copied.
    let mut tree = original.clone();
    assert!(tree.remove(&200_000).is_none() && tree.change(&200_000, |_| ()).is_none() && tree.get_mut(&200_000).is_none());
    assert_eq!(own_nodes(&tree, &original), 0);
}

#[test]
fn leaves_are_full_behind_appends_and_half_full_at_least_behind_removals() {
    let mut tree = plain(0..8000);
    assert_eq!(leaves(&tree), 1000);
    // Three of four go, in an order without pattern.
    let mut rng = crate::data::rng::Rng::new(5);
    while tree.len() > 2000 {
        tree.remove(&(rng.below(8000) as u32));
    }
    assert!(leaves(&tree) <= 2 * 2000 / 8 + 32 * 2, "{}", leaves(&tree));
}

#[test]
fn what_is_large_is_freed_in_slices_and_what_is_shared_is_not() {
    while trash::free_slice() {}
    let original = plain(0..10_000);
    drop(original.clone());
    assert!(trash::is_empty(), "the original has it all");
    let mut tree = original.clone();
    tree.insert(10_000, Plain);
    drop(tree);
    assert!(!trash::is_empty());
    let mut slices = 1;
    while trash::free_slice() {
        slices += 1;
    }
    assert!(slices <= 2, "of shared branches nothing is freed: {slices}");
    drop(original);
    assert!(trash::pending_bytes() > 10_000 * size_of::<u32>());
    let mut slices = 1;
    while trash::free_slice() {
        slices += 1;
    }
    assert!((10_000 / trash::SLICE..=10_000 / trash::SLICE * 2).contains(&slices), "{slices}");
    assert_eq!((trash::pending(), trash::pending_bytes()), (0, 0));
}
