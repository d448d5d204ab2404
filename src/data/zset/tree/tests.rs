use super::{node::LEAF_MAX, *};
use proptest::prelude::*;

/// Checks everything that has to hold below a node, and returns how many elements there are.
fn check(node: &Node<u32>, is_root: bool) -> usize {
    match node {
        Node::Leaf(leaf) => {
            assert!(leaf.len > 0 && leaf.items().is_sorted());
            leaf.items().len()
        }
        Node::Inner(inner) => {
            assert!(inner.len() > usize::from(is_root));
            assert!(inner.children[inner.len()..].iter().all(Option::is_none));
            for (at, child) in inner.children.iter().flatten().enumerate() {
                assert_eq!(inner.counts[at], check(child, false));
                assert_eq!(inner.firsts[at], child.first());
            }
            inner.counts().iter().sum()
        }
    }
}

fn whole(tree: &Tree<u32>) -> Vec<u32> {
    assert_eq!(tree.root.as_ref().map_or(0, |root| check(root, true)), tree.len);
    tree.iter(0..tree.len).collect()
}

fn leaves(tree: &Tree<u32>) -> usize {
    fn count(node: &Node<u32>) -> usize {
        let Node::Inner(inner) = node else { return 1 };
        inner.children.iter().flatten().map(count).sum()
    }
    tree.root.as_ref().map_or(0, count)
}

#[test]
fn a_leaf_takes_one_kilobyte() {
    assert!(size_of::<Leaf<(f64, usize)>>() <= 1024);
}

#[test]
fn what_comes_in_order_fills_its_leaves() {
    for descending in [false, true] {
        let mut tree = Tree::default();
        for n in 0..200_000u32 {
            let n = if descending { 200_000 - n } else { n };
            tree.insert(n, |e: &u32| *e < n);
        }
        assert!(whole(&tree).is_sorted());
        assert!(leaves(&tree) <= 200_000 / LEAF_MAX + 1);
    }
}

#[test]
fn what_comes_in_any_order_fills_two_thirds() {
    let mut tree = Tree::default();
    for n in (0..200_000u32).map(|n| n.wrapping_mul(0x9e37_79b1)) {
        tree.insert(n, |e: &u32| *e < n);
    }
    assert!(whole(&tree).is_sorted());
    assert!(200_000 * 10 / (leaves(&tree) * LEAF_MAX) > 6);
}

#[test]
fn it_is_freed_in_slices() {
    let mut tree = Tree::default();
    (0..100_000u32).for_each(|n| tree.push(n));
    let mut slices = 1;
    while tree.free_slice() {
        slices += 1;
    }
    assert_eq!(slices, 100_000usize.div_ceil(LEAF_MAX).div_ceil(LEAVES_PER_SLICE));
    assert!(tree.root.is_none());
}

#[derive(Clone, Debug)]
enum Step {
    /// Adds so many numbers, this far apart.
    Insert(u32, i32, u16),
    Remove(usize),
    RemoveRange(usize, usize),
    Pop(bool, u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (any::<u32>(), prop_oneof![Just(1), Just(-1), any::<i32>()], 1u16..400).prop_map(|(n, by, times)| Step::Insert(n, by, times)),
        2 => any::<usize>().prop_map(Step::Remove),
        1 => (any::<usize>(), 0usize..500).prop_map(|(at, count)| Step::RemoveRange(at, count)),
        1 => (any::<bool>(), 0u16..300).prop_map(|(last, times)| Step::Pop(last, times)),
    ]
}

proptest! {
    #[test]
    fn it_is_a_sorted_vector(steps in proptest::collection::vec(step(), 0..60)) {
        let (mut tree, mut model) = (Tree::default(), Vec::<u32>::new());
        for step in steps {
            match step {
                Step::Insert(mut n, by, times) => {
                    for _ in 0..times {
                        if let Err(at) = model.binary_search(&n) {
                            model.insert(at, n);
                            tree.insert(n, |e: &u32| *e < n);
                        }
                        n = n.wrapping_add_signed(by);
                    }
                }
                Step::Remove(at) if !model.is_empty() => {
                    let n = model.remove(at % model.len());
                    tree.remove_last_of(|e: &u32| *e <= n);
                }
                Step::RemoveRange(at, count) => {
                    let at = at % (model.len() + 1);
                    let mut gone = Vec::new();
                    tree.remove_range(at..at + count, |e| gone.push(e));
                    prop_assert!(gone.into_iter().eq(model.drain(at..(at + count).min(model.len()))));
                }
                Step::Pop(last, times) => {
                    for _ in 0..times {
                        let at = if last { model.len().saturating_sub(1) } else { 0 };
                        let mut gone = None;
                        tree.remove_range(at..at + 1, |e| gone = Some(e));
                        prop_assert_eq!(gone, (!model.is_empty()).then(|| model.remove(at)));
                    }
                }
                _ => (),
            }
            prop_assert_eq!(&whole(&tree), &model);
        }
        for (rank, n) in model.iter().enumerate().step_by(7) {
            prop_assert_eq!(tree.get(rank), Some(*n));
            prop_assert_eq!(tree.rank(|e: &u32| e < n), rank);
            prop_assert_eq!(tree.rank(|e: &u32| e <= n), rank + 1);
        }
        let (third, len) = (model.len() / 3, model.len());
        prop_assert!(tree.iter(third..len).rev().eq(model[third..].iter().rev().copied()));
        let mut both = tree.iter(0..len - third);
        let mut expected = model[..len - third].iter().copied();
        for n in 0..len {
            if n % 3 == 0 {
                prop_assert_eq!(both.next_back(), expected.next_back());
            } else {
                prop_assert_eq!(both.next(), expected.next());
            }
        }
    }
}
