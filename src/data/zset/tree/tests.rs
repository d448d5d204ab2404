use super::{node::LEAF_MAX, *};
use proptest::prelude::*;

/// A number as an element: some have the same score.
fn elem(n: u32) -> Elem<u8> {
    Elem { score: f64::from(n >> 3), link: (n & 7) as u8 }
}

fn number(elem: Elem<u8>) -> u32 {
    (elem.score as u32) << 3 | u32::from(elem.link)
}

/// The place behind the numbers below this one.
struct Below(u64);

impl Boundary<u8> for Below {
    fn count_before(&self, scores: &[f64], links: &[u8]) -> usize {
        let below = count_below(scores, (self.0 >> 3) as f64);
        let equals = scores.iter().zip(links).skip(below);
        below + equals.take_while(|(score, link)| **score == (self.0 >> 3) as f64 && u64::from(**link) < self.0 & 7).count()
    }
}

fn insert(tree: &mut Tree<u8>, n: u32) {
    tree.insert(elem(n), &Below(n.into()));
}

/// Checks everything that has to hold below a node, and returns how many elements there are.
fn check(node: &Node<u8>, is_root: bool) -> usize {
    match node {
        Node::Leaf(leaf) => {
            assert!(leaf.len > 0 && (0..leaf.len()).map(|at| number(leaf.row.get(at))).is_sorted());
            assert!(leaf.row.scores[leaf.len()..].iter().all(|score| *score == f64::INFINITY));
            leaf.len()
        }
        Node::Inner(inner) => {
            assert!(inner.len() > usize::from(is_root));
            assert!(inner.firsts.scores[inner.len()..].iter().all(|score| *score == f64::INFINITY));
            assert!(inner.children[inner.len()..].iter().all(Option::is_none));
            for (at, child) in inner.children.iter().flatten().enumerate() {
                assert_eq!(inner.counts[at], check(child, false));
                assert_eq!(inner.firsts.get(at), child.first());
            }
            inner.counts().iter().sum()
        }
    }
}

fn whole(tree: &Tree<u8>) -> Vec<u32> {
    assert_eq!(tree.root.as_ref().map_or(0, |root| check(root, true)), tree.len);
    tree.iter(0..tree.len).map(number).collect()
}

fn leaves(tree: &Tree<u8>) -> usize {
    fn count(node: &Node<u8>) -> usize {
        let Node::Inner(inner) = node else { return 1 };
        inner.children.iter().flatten().map(count).sum()
    }
    tree.root.as_ref().map_or(0, count)
}

#[test]
fn a_leaf_takes_one_kilobyte() {
    assert!(size_of::<Leaf<usize>>() <= 1024);
}

#[test]
fn what_comes_in_order_fills_its_leaves() {
    for descending in [false, true] {
        let mut tree = Tree::default();
        for n in 0..200_000u32 {
            let n = if descending { 200_000 - n } else { n };
            insert(&mut tree, n);
        }
        assert!(whole(&tree).is_sorted());
        assert!(leaves(&tree) <= 200_000 / LEAF_MAX + 1);
    }
}

#[test]
fn what_comes_in_any_order_fills_two_thirds() {
    let mut tree = Tree::default();
    for n in (0..200_000u32).map(|n| n.wrapping_mul(0x9e37_79b1)) {
        insert(&mut tree, n);
    }
    assert!(whole(&tree).is_sorted());
    assert!(200_000 * 10 / (leaves(&tree) * LEAF_MAX) > 6);
}

#[test]
fn it_is_freed_in_slices() {
    let mut tree = Tree::default();
    (0..100_000u32).for_each(|n| tree.push(elem(n)));
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
        let (mut tree, mut model) = (Tree::<u8>::default(), Vec::<u32>::new());
        for step in steps {
            match step {
                Step::Insert(mut n, by, times) => {
                    for _ in 0..times {
                        if let Err(at) = model.binary_search(&n) {
                            model.insert(at, n);
                            insert(&mut tree, n);
                        }
                        n = n.wrapping_add_signed(by);
                    }
                }
                Step::Remove(at) if !model.is_empty() => {
                    let n = model.remove(at % model.len());
                    tree.remove(elem(n), &Below(u64::from(n) + 1));
                }
                Step::RemoveRange(at, count) => {
                    let at = at % (model.len() + 1);
                    let mut gone = Vec::new();
                    tree.remove_range(at..at + count, |e| gone.push(number(e)));
                    prop_assert!(gone.into_iter().eq(model.drain(at..(at + count).min(model.len()))));
                }
                Step::Pop(last, times) => {
                    for _ in 0..times {
                        let at = if last { model.len().saturating_sub(1) } else { 0 };
                        let mut gone = None;
                        tree.remove_range(at..at + 1, |e| gone = Some(number(e)));
                        prop_assert_eq!(gone, (!model.is_empty()).then(|| model.remove(at)));
                    }
                }
                _ => (),
            }
            prop_assert_eq!(&whole(&tree), &model);
        }
        for (rank, n) in model.iter().enumerate().step_by(7) {
            prop_assert_eq!(tree.get(rank).map(number), Some(*n));
            prop_assert_eq!(tree.rank(&Below((*n).into())), rank);
            prop_assert_eq!(tree.rank(&Below(u64::from(*n) + 1)), rank + 1);
        }
        let (third, len) = (model.len() / 3, model.len());
        prop_assert!(tree.iter(third..len).rev().map(number).eq(model[third..].iter().rev().copied()));
        let mut both = tree.iter(0..len - third).map(number);
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
