use super::{Eviction, EvictionOrder, EvictionRule};
use crate::{
    data::{
        entry::{Entry, NEVER},
        key_hash::Seed,
        rng::Rng,
    },
    keyspace::{Keyspace, Marks},
};
use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};

const NOW_MS: i64 = 1_700_000_000_000;

fn keyspace(volatile_only: bool, order: EvictionOrder) -> Keyspace {
    let mut keyspace = Keyspace::new(3, Seed::new(1));
    keyspace.now_ms = NOW_MS;
    keyspace.set_marks(if order == EvictionOrder::Frequency { Marks::Frequency } else { Marks::FineTime });
    keyspace.set_eviction(Some(EvictionRule { volatile_only, order }), 5);
    keyspace
}

fn name(n: usize) -> Vec<u8> {
    format!("key:{n}").into_bytes()
}

fn add(keyspace: &mut Keyspace, db: usize, n: usize, deadline: i64) {
    let key = name(n);
    let hash = keyspace.hash(&key);
    keyspace.insert(db, hash, Entry::new_inline(&key, b"value", deadline));
}

fn is_there(keyspace: &Keyspace, db: usize, n: usize) -> bool {
    keyspace.peek_alive(db, keyspace.hash(&name(n)), &name(n)).is_some()
}

fn read(keyspace: &mut Keyspace, n: usize) -> bool {
    let key = name(n);
    let hash = keyspace.hash(&key);
    keyspace.read(0, hash, &key).is_some()
}

/// Evicts one key; `false` when there is none.
fn evict(keyspace: &mut Keyspace) -> bool {
    for _ in 0..10_000 {
        match keyspace.evict(true) {
            Eviction::Evicted => return true,
            Eviction::Exhausted => return false,
            Eviction::Searching => (),
        }
    }
    panic!("nothing was found though there is something");
}

const RULES: [EvictionRule; 7] = {
    const fn rule(volatile_only: bool, order: EvictionOrder) -> EvictionRule {
        EvictionRule { volatile_only, order }
    }
    use EvictionOrder as By;
    [
        rule(false, By::Time),
        rule(false, By::Frequency),
        rule(false, By::Random),
        rule(true, By::Time),
        rule(true, By::Frequency),
        rule(true, By::Random),
        rule(true, By::Deadline),
    ]
};

#[test]
fn every_rule_evicts_all_that_may_go_and_nothing_else() {
    for rule in RULES {
        let mut keyspace = keyspace(rule.volatile_only, rule.order);
        for n in 0..3000 {
            add(&mut keyspace, n % 2, n, if n % 3 == 0 { NOW_MS + 1000 + n as i64 } else { NEVER });
        }
        let may_go = if rule.volatile_only { 1000 } else { 3000 };
        for n in 0..may_go {
            assert!(keyspace.has_evictable() && evict(&mut keyspace), "{rule:?} {n}");
        }
        assert!(!keyspace.has_evictable() && !evict(&mut keyspace), "{rule:?}");
        let left: usize = keyspace.iter().map(|(_, db)| db.len()).sum();
        assert_eq!((left, keyspace.stats.evicted, keyspace.gone.len()), (3000 - may_go, may_go as u64, may_go), "{rule:?}");
        add(&mut keyspace, 2, 0, NOW_MS + 1);
        assert!(evict(&mut keyspace), "{rule:?}");
    }
}

#[test]
fn without_a_rule_nothing_goes() {
    let mut keyspace = keyspace(false, EvictionOrder::Time);
    add(&mut keyspace, 0, 1, NEVER);
    keyspace.set_eviction(None, 5);
    assert!(!keyspace.has_evictable() && !evict(&mut keyspace) && is_there(&keyspace, 0, 1));
}

#[test]
fn keys_with_a_deadline_are_found_though_they_are_very_few() {
    for order in [EvictionOrder::Time, EvictionOrder::Frequency, EvictionOrder::Random, EvictionOrder::Deadline] {
        let mut keyspace = keyspace(true, order);
        (0..50_000).for_each(|n| add(&mut keyspace, 0, n, if n % 10_000 == 7 { NOW_MS + 1 } else { NEVER }));
        let mut steps = 0;
        let mut evicted = 0;
        while evicted < 5 {
            steps += 1;
            evicted += usize::from(keyspace.evict(false) == Eviction::Evicted);
        }
        assert!(steps < 100, "{order:?}: {steps} steps");
        assert_eq!(keyspace.evict(false), Eviction::Exhausted);
        assert_eq!((keyspace.db(0).len(), keyspace.db(0).volatile()), (49_995, 0));
    }
}

#[test]
fn the_last_keys_of_a_table_that_was_large_are_found() {
    let mut keyspace = keyspace(false, EvictionOrder::Time);
    (0..50_000).for_each(|n| add(&mut keyspace, 0, n, NEVER));
    (0..50_000).for_each(|_| assert!(evict(&mut keyspace)));
    assert!(keyspace.db(0).is_empty());
}

/// A cache of so many keys under random requests, some keys more popular than others: how many of the last half are hits, for us and for an exact LRU.
fn hits(order: EvictionOrder, capacity: usize, requests: usize, shifts: bool) -> (usize, usize) {
    let mut keyspace = keyspace(false, order);
    let mut rng = Rng::new(7);
    let mut exact: BTreeMap<usize, usize> = BTreeMap::new();
    let mut queue: VecDeque<(usize, usize)> = VecDeque::new();
    let (mut ours, mut theirs) = (0, 0);
    for at in 0..requests {
        keyspace.now_ms = NOW_MS + at as i64 / 20;
        let far = rng.unit();
        let shift = if shifts && at > requests / 2 { 1_000_000 } else { 0 };
        let n = shift + (far * far * far * 6.0 * capacity as f64) as usize;
        let counts = usize::from(at > requests * 3 / 4);
        match read(&mut keyspace, n) {
            true => ours += counts,
            false => {
                add(&mut keyspace, 0, n, NEVER);
                if keyspace.db(0).len() > capacity {
                    assert!(evict(&mut keyspace));
                }
            }
        }
        if exact.insert(n, at).is_some() {
            theirs += counts;
        }
        queue.push_back((n, at));
        while exact.len() > capacity {
            let Some((n, at)) = queue.pop_front() else { break };
            if exact.get(&n) == Some(&at) {
                exact.remove(&n);
            }
        }
    }
    (ours, theirs)
}

#[test]
fn the_least_recently_used_go_nearly_as_in_an_exact_lru() {
    let requests = 200_000;
    let (ours, exact) = hits(EvictionOrder::Time, 10_000, requests, false);
    assert!(ours + requests / 4 / 200 > exact, "{ours} hits, {exact} of an exact LRU");
}

#[test]
fn what_was_frequent_before_the_keys_in_use_changed_does_not_stay_in_the_way() {
    let requests = 300_000;
    for shifts in [false, true] {
        let (ours, exact) = hits(EvictionOrder::Frequency, 10_000, requests, shifts);
        assert!(ours + requests / 4 / 50 > exact, "shifts {shifts}: {ours} hits, {exact} of an exact LRU");
    }
}

#[test]
fn what_is_read_is_kept_by_use_and_not_by_modification() {
    for marks in [Marks::FineTime, Marks::ModificationTime] {
        let mut keyspace = keyspace(false, EvictionOrder::Time);
        keyspace.set_marks(marks);
        (0..2000).for_each(|n| add(&mut keyspace, 0, n, NEVER));
        keyspace.now_ms += 5000;
        (0..1000).for_each(|n| assert!(read(&mut keyspace, n)));
        keyspace.now_ms += 5000;
        // Half of those that were read are written again.
        for n in 0..500 {
            let hash = keyspace.hash(&name(n));
            assert!(keyspace.write(0, hash, &name(n)).is_some());
        }
        (0..1000).for_each(|_| assert!(evict(&mut keyspace)));
        let left = |from: usize, to: usize| (from..to).filter(|n| is_there(&keyspace, 0, *n)).count();
        assert!(left(0, 500) > 480, "{marks:?}");
        match marks {
            Marks::FineTime => assert!(left(500, 1000) > 400, "{}", left(500, 1000)),
            _ => assert!(left(500, 1000) < 300, "{}: reading them was of no use", left(500, 1000)),
        }
    }
}

#[test]
fn a_round_over_the_keys_renews_what_the_short_clock_could_not_tell() {
    let mut keyspace = keyspace(false, EvictionOrder::Time);
    (0..1000).for_each(|n| add(&mut keyspace, 0, n, NEVER));
    for _ in 0..100 {
        keyspace.now_ms += 24 * 3_600_000;
        // As in a day.
        (0..100).for_each(|_| keyspace.renew_marks(10));
    }
    keyspace.set_marks(Marks::Time);
    (0..1000).for_each(|_| keyspace.renew_marks(10));
    let key = name(7);
    let entry = keyspace.peek_alive(0, keyspace.hash(&key), &key).expect("it is there");
    assert_eq!(crate::keyspace::idle_ms(entry, keyspace.now_ms) / 1000, 100 * 24 * 3600);
}

#[derive(Clone, Debug)]
enum Step {
    Set(usize, i64),
    Persist(usize),
    Remove(usize),
    Expire(i64),
    Flush,
    Swap,
    Evict(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let key = || 0..4000usize;
    prop_oneof![
        60 => (key(), 1..5000i64).prop_map(|(n, ttl)| Step::Set(n, ttl)),
        5 => key().prop_map(Step::Persist),
        5 => key().prop_map(Step::Remove),
        1 => (0..50i64).prop_map(Step::Expire),
        1 => Just(Step::Flush),
        1 => Just(Step::Swap),
        30 => (0..40usize).prop_map(Step::Evict),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_nearest_deadline_goes_first_whatever_happens_to_deadlines_meanwhile(steps in proptest::collection::vec(step(), 100..3000)) {
        let mut keyspace = keyspace(true, EvictionOrder::Deadline);
        let mut model: [BTreeMap<usize, i64>; 2] = Default::default();
        for (at, step) in steps.into_iter().enumerate() {
            match step {
                Step::Set(n, ttl) => {
                    let (db, deadline) = (at % 2, keyspace.now_ms + ttl);
                    let hash = keyspace.hash(&name(n));
                    if !keyspace.set_deadline(db, hash, &name(n), deadline) {
                        add(&mut keyspace, db, n, deadline);
                    }
                    model[db].insert(n, deadline);
                }
                Step::Persist(n) => {
                    let hash = keyspace.hash(&name(n));
                    keyspace.set_deadline(0, hash, &name(n), NEVER);
                    model[0].remove(&n);
                }
                Step::Remove(n) => {
                    let hash = keyspace.hash(&name(n));
                    keyspace.remove(0, hash, &name(n));
                    model[0].remove(&n);
                }
                Step::Expire(ms) => {
                    keyspace.now_ms += ms;
                    while !keyspace.expire_cycle(&mut || true).done {}
                    let now_ms = keyspace.now_ms;
                    model.iter_mut().for_each(|db| db.retain(|_, deadline| *deadline >= now_ms));
                }
                Step::Flush => {
                    keyspace.flush(0);
                    model[0].clear();
                }
                Step::Swap => {
                    keyspace.swap(0, 1);
                    model.swap(0, 1);
                }
                Step::Evict(count) => {
                    for _ in 0..count {
                        keyspace.gone.clear();
                        let nearest = model.iter().flat_map(|db| db.values()).min().copied();
                        prop_assert_eq!(evict(&mut keyspace), nearest.is_some());
                        let Some(nearest) = nearest else { break };
                        let gone = &keyspace.gone[0];
                        let n: usize = String::from_utf8_lossy(&gone.key)[4..].parse().expect("a number");
                        prop_assert_eq!(model[gone.db].remove(&n), Some(nearest));
                    }
                }
            }
        }
    }
}
