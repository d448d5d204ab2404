use super::*;
use crate::data::rng::Rng;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// A key with a deadline behind one pointer, as the real entries are.
struct Item(Box<(Vec<u8>, i64)>);

impl Slot for Item {
    fn key(&self) -> &[u8] {
        &self.0.0
    }
    fn deadline(&self) -> i64 {
        self.0.1
    }
    fn is_volatile(&self) -> bool {
        self.0.1 != i64::MAX
    }
    fn bytes(&self) -> usize {
        32
    }
}

fn item(key: &[u8], deadline: i64) -> Item {
    Item(Box::new((key.to_vec(), deadline)))
}

fn put(dict: &mut Dict<Item>, n: u32, deadline: i64) {
    let key = n.to_be_bytes();
    let hash = dict.hash(&key);
    if let Some(found) = dict.find_mut(hash, &key) {
        found.0.1 = deadline;
        dict.note_deadline(hash, deadline);
    } else {
        dict.insert_new(hash, item(&key, deadline));
    }
}

fn number(item: &Item) -> u32 {
    u32::from_be_bytes(item.0.0[..4].try_into().unwrap())
}

fn scan_all(dict: &Dict<Item>) -> BTreeSet<u32> {
    let (mut cursor, mut seen) = (Cursor(0), BTreeSet::new());
    loop {
        cursor = dict.scan(cursor, 10, 100, |i| {
            seen.insert(number(i));
        });
        if cursor == Cursor(0) {
            return seen;
        }
    }
}

#[test]
fn two_million_entries_come_and_go() {
    let n = 2_000_000u32;
    let mut dict = Dict::new(Seed::new(3));
    for i in 0..n {
        put(&mut dict, i, i64::MAX);
    }
    assert_eq!(dict.len(), n as usize);
    assert!(dict.shelf_bits > 0, "large enough to have been dealt out");
    for i in 0..n {
        let key = i.to_be_bytes();
        assert!(dict.find(dict.hash(&key), &key).is_some());
    }
    assert_eq!(dict.iter().count(), n as usize);
    assert_eq!(dict.bytes, dict.counted_bytes());
    let bytes = dict.table_bytes() as f64 / f64::from(n);
    assert!(bytes < 15.0, "{bytes} bytes of table an entry");
    for i in 0..n {
        let key = i.to_be_bytes();
        assert!(dict.remove(dict.hash(&key), &key).is_some());
    }
    assert!(dict.is_empty());
    assert_eq!(dict.bytes, dict.counted_bytes());
    let left = dict.table_bytes();
    assert!(left < n as usize, "{left} bytes stay behind");
}

#[test]
fn the_random_choice_is_fair() {
    // Those that stay when the others have gone leave a table that is mostly empty.
    for (n, gone) in [(5u32, 0), (300, 0), (1000, 0), (5, 400_000), (300, 400_000)] {
        let mut dict = Dict::new(Seed::new(u64::from(n)));
        for i in 0..n + gone {
            put(&mut dict, i, i64::MAX);
        }
        for i in n..n + gone {
            dict.remove(dict.hash(&i.to_be_bytes()), &i.to_be_bytes());
        }
        let (mut rng, mut hits, each) = (Rng::new(1), vec![0f64; n as usize], 200.0);
        for _ in 0..n * each as u32 {
            hits[number(dict.random(&mut rng).unwrap()) as usize] += 1.0;
        }
        let chi2: f64 = hits.iter().map(|h| (h - each) * (h - each) / each).sum();
        let (mean, deviation) = (f64::from(n - 1), (2.0 * f64::from(n - 1)).sqrt());
        assert!(chi2 < mean + 5.0 * deviation, "{n} entries: chi-square {chi2}");
    }
}

#[test]
fn a_random_entry_of_a_nearly_emptied_table_is_found_without_looking_at_all_of_it() {
    let mut dict = Dict::new(Seed::new(9));
    for i in 0..400_000 {
        put(&mut dict, i, i64::MAX);
    }
    let mut rng = Rng::new(1);
    let of_a_shelf = dict.shelves.iter().map(|shelf| shelf.segments.len()).max().unwrap();
    for i in (1..400_000u32).rev() {
        dict.remove(dict.hash(&i.to_be_bytes()), &i.to_be_bytes());
        if i.is_power_of_two() {
            let mut looks = 0;
            let handle = dict.random_counted(&mut rng, &mut looks).unwrap();
            assert!(number(dict.at(handle)) < i);
            assert!(looks <= 64 + dict.shelves.len() + of_a_shelf, "{looks} looks at {} segments, with {i} entries", dict.shape().0);
        }
    }
}

#[test]
fn what_is_due_is_taken_exactly() {
    let mut dict = Dict::new(Seed::new(4));
    for i in 0..50_000 {
        put(&mut dict, i, if i % 3 == 0 { i64::MAX } else { i64::from(i) });
    }
    let (mut at, mut gone) = (0, BTreeSet::new());
    while let Some(next) = dict.take_due(at, 10_000, 7, 100, |i| {
        gone.insert(number(&i));
    }) {
        at = next;
    }
    assert_eq!(gone, (0..=10_000).filter(|i| i % 3 != 0).collect());
    assert_eq!(dict.len(), 50_000 - gone.len());
    assert!(dict.due_min() > 10_000 && dict.due_min() <= 10_100);
}

#[test]
fn a_table_on_its_way_out_is_freed_in_slices() {
    let mut dict = Dict::new(Seed::new(4));
    for i in 0..50_000 {
        put(&mut dict, i, i64::MAX);
    }
    let mut old = dict.take();
    let mut slices = 0;
    while old.drop_slice() {
        slices += 1;
        assert_eq!(old.bytes, old.counted_bytes());
    }
    assert!(slices > 100 && old.is_empty() && dict.is_empty());
    assert_eq!((old.bytes, dict.bytes), (0, 0));
    put(&mut old, 1, i64::MAX);
    assert_eq!(old.len(), 1);
}

/// Something with other values in it.
struct Heavy(Vec<u8>);

impl Slot for Heavy {
    fn key(&self) -> &[u8] {
        &self.0
    }
    fn values(&self) -> usize {
        500
    }
    fn bytes(&self) -> usize {
        1000
    }
}

#[test]
fn what_has_many_values_in_it_is_freed_one_at_a_time() {
    let mut dict = Dict::new(Seed::new(4));
    for i in 0..300u32 {
        let key = i.to_be_bytes().to_vec();
        dict.insert_new(dict.hash(&key), Heavy(key));
    }
    let bytes = Garbage::bytes(&dict);
    assert!((300_000..320_000).contains(&bytes), "{bytes}");
    for left in (0..300).rev() {
        assert!(dict.drop_slice());
        assert_eq!(dict.len(), left);
    }
    assert!(!dict.drop_slice());
}

#[derive(Clone, Debug)]
enum Op {
    Put(u32, i64),
    PutMany(u32),
    Remove(u32),
    RemoveMany(u32),
    Expire(i64),
    Scan(usize),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (0..3000u32, prop_oneof![Just(i64::MAX), 0..100i64]).prop_map(|(k, d)| Op::Put(k, d)),
        2 => (0..3000u32).prop_map(Op::PutMany),
        4 => (0..3000u32).prop_map(Op::Remove),
        1 => (0..3000u32).prop_map(Op::RemoveMany),
        1 => (0..100i64).prop_map(Op::Expire),
        3 => (1..50usize).prop_map(Op::Scan),
    ]
}

proptest! {
    #[test]
    fn it_behaves_as_a_map_and_a_running_scan_misses_nothing(ops in proptest::collection::vec(op(), 1..200), seed in Seed::any()) {
        let mut dict = Dict::new(seed);
        let (mut model, mut rng) = (BTreeMap::new(), Rng::new(1));
        // The running scan: what was there at its start and never left must have been seen at its end.
        let (mut cursor, mut stayed, mut seen) = (Cursor(0), BTreeSet::new(), BTreeSet::new());
        for op in ops {
            match op {
                Op::Put(k, d) => { put(&mut dict, k, d); model.insert(k, d); }
                Op::PutMany(k) => for i in k..k + 700 { put(&mut dict, i, i64::MAX); model.insert(i, i64::MAX); },
                Op::Remove(k) => {
                    let key = k.to_be_bytes();
                    prop_assert_eq!(dict.remove(dict.hash(&key), &key).is_some(), model.remove(&k).is_some());
                }
                Op::RemoveMany(k) => for i in k..k + 900 {
                    let key = i.to_be_bytes();
                    prop_assert_eq!(dict.remove(dict.hash(&key), &key).is_some(), model.remove(&i).is_some());
                },
                Op::Expire(now) => {
                    let mut at = Some(0);
                    let mut gone = BTreeSet::new();
                    while let Some(from) = at { at = dict.take_due(from, now, 3, 50, |i| { gone.insert(number(&i)); }); }
                    let due: BTreeSet<u32> = model.iter().filter(|(_, d)| **d <= now).map(|(k, _)| *k).collect();
                    prop_assert_eq!(&gone, &due);
                    model.retain(|_, d| *d > now);
                }
                Op::Scan(count) => {
                    if cursor == Cursor(0) { stayed = model.keys().copied().collect(); seen = BTreeSet::new(); }
                    cursor = dict.scan(cursor, count, count * 10, |i| { seen.insert(number(i)); });
                    prop_assert!(cursor.0 < 1 << 53);
                    if cursor == Cursor(0) { prop_assert!(stayed.is_subset(&seen), "missed {:?}", stayed.difference(&seen)); }
                }
            }
            stayed.retain(|k| model.contains_key(k));
            let chosen = dict.random(&mut rng).map(number);
            prop_assert!(chosen.map_or(model.is_empty(), |key| model.contains_key(&key)));
            prop_assert_eq!(dict.len(), model.len());
            prop_assert_eq!(dict.bytes, dict.counted_bytes());
            let lens = |shelf: &Shelf<Item>| shelf.segments.iter().map(Segment::len).sum::<usize>();
            prop_assert!(dict.shelves.iter().all(|shelf| shelf.len as usize == lens(shelf)));
        }
        prop_assert_eq!(scan_all(&dict), model.keys().copied().collect());
        for (k, d) in &model {
            let key = k.to_be_bytes();
            prop_assert_eq!(dict.find(dict.hash(&key), &key).map(Slot::deadline), Some(*d));
        }
    }
}

#[test]
fn a_table_gathered_while_a_scan_runs_hides_nothing_from_it() {
    for cut in [1, 7, 30_000, 60_000, 99_000] {
        let mut dict = Dict::new(Seed::new(4));
        (0..100_000).for_each(|i| {
            put(&mut dict, i, i64::MAX);
        });
        let mut seen = BTreeSet::new();
        let mut cursor = dict.scan(Cursor(0), cut, usize::MAX, |i| seen.extend([number(i)]));
        let stays = |i: &u32| i.is_multiple_of(500);
        for i in (0..100_000u32).filter(|i| !stays(i)) {
            dict.remove(dict.hash(&i.to_be_bytes()), &i.to_be_bytes());
            dict.gather();
        }
        assert!(dict.shape().0 < 16, "gathered");
        while cursor != Cursor(0) {
            cursor = dict.scan(cursor, 10, 100, |i| seen.extend([number(i)]));
        }
        assert!((0..100_000).filter(stays).all(|i| seen.contains(&i)), "after {cut}");
    }
}

#[test]
fn keys_chosen_to_share_a_hashs_beginning_cost_no_more_table_than_others() {
    for (kept, n) in [(u64::MAX >> 24, 20_000), (u64::MAX >> 40, 1_000), (u64::MAX << 40, 1_000), (0, 1_000)] {
        let mut dict = Dict::new(Seed::weak(5, kept));
        (0..n).for_each(|i| put(&mut dict, i, i64::MAX));
        let bytes = dict.table_bytes() as f64 / f64::from(n);
        assert!(bytes < 48.0, "{kept:x}: {bytes} bytes of table an entry");
        assert_eq!(scan_all(&dict).len(), n as usize);
        let mut rng = Rng::new(1);
        let chosen: BTreeSet<u32> = (0..500).map(|_| number(dict.random(&mut rng).unwrap())).collect();
        assert!(chosen.len() > 300, "{kept:x}: {} different ones chosen", chosen.len());
        (0..n).for_each(|i| assert!(dict.remove(dict.hash(&i.to_be_bytes()), &i.to_be_bytes()).is_some()));
        assert_eq!((dict.len(), dict.bytes), (0, dict.counted_bytes()));
        assert!(dict.table_bytes() < 100_000);
    }
}
