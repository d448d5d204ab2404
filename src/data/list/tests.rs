use super::*;
use crate::data::moving;
use proptest::prelude::*;
use std::collections::VecDeque;

fn texts(list: &List) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    list.for_each(|element| all.push(element.item().to_vec()));
    all
}

fn check(list: &List) {
    if let Repr::Linked(linked) = &list.0 {
        linked.check();
    }
}

fn pushed(limits: NodeLimits, items: impl IntoIterator<Item = String>) -> List {
    let mut list = List::new();
    for item in items {
        list.before_growth(item.len(), 1, limits);
        list.push(End::Back, item.as_bytes());
    }
    list
}

const PLAIN: NodeLimits = NodeLimits { size: -2, depth: 0 };

#[test]
fn a_list_grows_into_nodes_and_back_at_half_the_limit() {
    let limits = NodeLimits { size: 4, depth: 0 };
    let mut list = pushed(limits, (0..4).map(|n| n.to_string()));
    assert_eq!(list.encoding(), "listpack");
    list.before_growth(1, 1, limits);
    list.push(End::Front, b"x");
    assert_eq!((list.encoding(), list.node_count()), ("quicklist", 2));
    for (left, encoding) in [(4, "quicklist"), (3, "quicklist"), (2, "listpack"), (1, "listpack")] {
        list.pop(End::Front, |_| ());
        list.after_shrinking(limits);
        assert_eq!((list.len(), list.encoding()), (left, encoding));
    }
}

#[test]
fn a_million_items_of_15_bytes_take_17_and_a_half_each() {
    let list = pushed(PLAIN, (0..100_000).map(|n| format!("item:{n:010}")));
    let bytes = list.allocated(0) as f64 / 100_000.0;
    assert!(bytes < 17.5, "{bytes}");
    assert!(list.allocated(5).abs_diff(list.allocated(0)) < list.allocated(0) / 50);
}

#[test]
fn a_large_element_has_a_node_for_itself_and_is_shared() {
    let mut list = pushed(PLAIN, ["a".into(), "b".repeat(9000), "c".into()]);
    assert_eq!((list.len(), list.node_count()), (3, 3));
    let large = Bytes::from("d".repeat(10_000));
    list.push_shared(End::Back, large.clone());
    list.get(3, |element| match element {
        ListElement::Large(bytes) => assert_eq!(bytes.as_ptr(), large.as_ptr()),
        ListElement::Item(_) => panic!("it was copied"),
    });
    assert!(list.set(1, b"small"));
    assert_eq!(list.pop(End::Back, |e| e.to_bytes()), Some(large));
    assert_eq!(texts(&list), [&b"a"[..], b"small", b"c"]);
    check(&list);
}

#[test]
fn a_clone_shares_its_nodes_until_they_change() {
    let mut list = pushed(PLAIN, (0..10_000).map(|n| n.to_string()));
    let before = texts(&list);
    let clone = list.clone();
    let address = |list: &List, node| match list.node(node) {
        Some(NodeView::Packed(pack)) => std::ptr::from_ref(pack),
        _ => panic!("a node"),
    };
    list.push(End::Back, b"more");
    list.set(0, b"first");
    let last = list.node_count() - 1;
    assert_eq!(address(&list, 1), address(&clone, 1));
    assert_ne!(address(&list, 0), address(&clone, 0));
    assert_ne!(address(&list, last), address(&clone, last));
    assert_eq!(texts(&clone), before);
}

#[test]
fn inner_nodes_are_compressed_when_told_to() {
    let list = pushed(NodeLimits { size: -1, depth: 2 }, (0..10_000).map(|n| format!("a value like any other {n}")));
    let squeezed = |at| matches!(list.node(at), Some(NodeView::Squeezed { .. }));
    let count = list.node_count();
    assert!(count > 10);
    for at in 0..count {
        assert_eq!(squeezed(at), (2..count - 2).contains(&at), "{at}");
    }
    assert!(list.allocated(0) < list.node_bytes() / 2);
    check(&list);
}

#[test]
fn a_large_list_is_freed_in_slices() {
    let list = pushed(NodeLimits { size: 1, depth: 0 }, (0..1000).map(|n| n.to_string()));
    let pending = crate::data::trash::pending();
    drop(list);
    assert_eq!(crate::data::trash::pending(), pending + 1);
    let mut list = pushed(NodeLimits { size: 1, depth: 0 }, (0..1000).map(|n| n.to_string()));
    list.remove_range(100, 500);
    assert_eq!(crate::data::trash::pending(), pending + 2);
    while crate::data::trash::free_slice() {}
}

#[derive(Debug, Clone)]
enum Step {
    Push(End, Vec<u8>),
    Pop(End, usize),
    Set(usize, Vec<u8>),
    Insert(usize, bool, Vec<u8>),
    RemoveRange(usize, usize),
    RemoveEqual(usize, End, usize),
    Reload,
    Move(usize),
}

fn element() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => (-20i64..200).prop_map(|n| n.to_string().into_bytes()),
        2 => (0usize..80).prop_map(|len| vec![b'y'; len]),
        1 => proptest::collection::vec(any::<u8>(), 0..100),
        1 => (3000usize..10_000).prop_map(|len| vec![b'z'; len]),
    ]
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![Just(End::Front), Just(End::Back)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (end(), element()).prop_map(|(end, e)| Step::Push(end, e)),
        2 => (end(), 1usize..6).prop_map(|(end, n)| Step::Pop(end, n)),
        2 => (any::<usize>(), element()).prop_map(|(at, e)| Step::Set(at, e)),
        4 => (any::<usize>(), any::<bool>(), element()).prop_map(|(at, after, e)| Step::Insert(at, after, e)),
        1 => (any::<usize>(), any::<usize>()).prop_map(|(at, n)| Step::RemoveRange(at, n)),
        1 => (any::<usize>(), end(), 1usize..4).prop_map(|(at, end, n)| Step::RemoveEqual(at, end, n)),
        1 => Just(Step::Reload),
        3 => (1..9usize).prop_map(Step::Move),
    ]
}

fn limits() -> impl Strategy<Value = NodeLimits> {
    let size = prop_oneof![Just(-2), Just(-1), Just(-5), 0..12i32];
    (size, 0..3u32).prop_map(|(size, depth)| NodeLimits { size, depth })
}

/// Takes a list apart into what a file has of it, and builds it again.
fn reload(list: &List, limits: NodeLimits) -> List {
    let Some(_) = list.node_limits() else {
        let mut list = List::from_listpack(list.compact().unwrap().clone());
        list.built(limits);
        return list;
    };
    let mut new = List::new_linked(limits);
    for at in 0..list.node_count() {
        match list.node(at).unwrap() {
            NodeView::Packed(pack) => new.append_listpack(pack.clone()),
            NodeView::Plain(bytes) => new.push_shared(End::Back, bytes.clone()),
            NodeView::Squeezed { lzf, len, plain } => {
                let bytes = crate::data::lzf::decompress(lzf, len).unwrap();
                match plain {
                    true => new.push(End::Back, &bytes),
                    false => new.append_listpack(Listpack::from_bytes(&bytes).unwrap()),
                }
            }
        }
    }
    new.built(limits);
    new
}

fn take(model: &mut VecDeque<Vec<u8>>, end: End) -> Option<Vec<u8>> {
    if end == End::Front { model.pop_front() } else { model.pop_back() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn it_is_a_deque_of_strings(limits in limits(), steps in proptest::collection::vec(step(), 0..120)) {
        let (mut list, mut model) = (List::new(), VecDeque::<Vec<u8>>::new());
        let mut place = moving::Place::default();
        for step in steps {
            let len = model.len();
            match step {
                Step::Move(left) => moving::step(&mut list, &mut place, left),
                Step::Push(end, e) => {
                    list.before_growth(e.len(), 1, limits);
                    list.push(end, &e);
                    if end == End::Front { model.push_front(e) } else { model.push_back(e) }
                }
                Step::Pop(end, n) => for _ in 0..n {
                    prop_assert_eq!(list.pop(end, |e| e.item().to_vec()), take(&mut model, end));
                    list.after_shrinking(limits);
                },
                Step::Set(at, e) if len > 0 => {
                    list.before_growth(e.len(), 1, limits);
                    prop_assert!(list.set(at % len, &e));
                    prop_assert!(!list.set(len, &e));
                    list.after_shrinking(limits);
                    model[at % len] = e;
                }
                Step::Insert(at, after, e) if len > 0 => {
                    let pivot = model[at % len].clone();
                    let found = model.iter().position(|m| *m == pivot).unwrap();
                    list.before_growth(e.len(), 1, limits);
                    prop_assert!(list.insert_beside(&pivot, after, &e));
                    prop_assert!(!list.insert_beside(b"nowhere", after, &e));
                    model.insert(found + usize::from(after), e);
                }
                Step::RemoveRange(at, n) if len > 0 => {
                    let n = n % (len - at % len + 1);
                    list.remove_range(at % len, n);
                    list.after_shrinking(limits);
                    model.drain(at % len..at % len + n);
                }
                Step::RemoveEqual(at, end, most) if len > 0 => {
                    let what = model[at % len].clone();
                    let (mut left, total) = (most, len);
                    for _ in 0..total {
                        let found = match end {
                            End::Front => model.iter().position(|m| *m == what),
                            End::Back => model.iter().rposition(|m| *m == what),
                        };
                        if left > 0 && let Some(found) = found {
                            model.remove(found);
                            left -= 1;
                        }
                    }
                    prop_assert_eq!(list.remove_equal(&what, end, most), most - left);
                    list.after_shrinking(limits);
                }
                Step::Reload => list = reload(&list, limits),
                _ => (),
            }
            check(&list);
            prop_assert_eq!((list.len(), list.is_empty()), (model.len(), model.is_empty()));
            prop_assert!(texts(&list).iter().eq(model.iter()));
        }
        for at in 0..model.len() {
            let mut seen = Vec::new();
            list.visit(at, End::Front, |e| {
                seen.push(e.item().to_vec());
                seen.len() < 5
            });
            let expected: Vec<_> = model.iter().take(at + 1).rev().take(5).cloned().collect();
            prop_assert_eq!(seen, expected);
            prop_assert_eq!(list.get(at, |e| e.item().to_vec()), Some(model[at].clone()));
        }
    }
}
