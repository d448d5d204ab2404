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
            if n % 100 == 0 {
                // Wherever they lie.
                keyspace.now_ms += 1;
                keyspace.note_gaps((n >= may_go / 2).then_some(0));
            }
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

/// Lets so much time pass as a cache of that many keys takes to turn over, at the pace of these evictions, and says that there are gaps.
fn evict_amid_gaps(keyspace: &mut Keyspace, count: usize, percent: u32) {
    const BETWEEN_LOOKS: usize = 100;
    for n in 0..count {
        if n % BETWEEN_LOOKS == 0 {
            keyspace.now_ms += 1;
            keyspace.note_gaps(Some(percent));
        }
        assert!(evict(keyspace), "{n}");
    }
}

/// So many keys that have not been used for longer than any cache here takes to turn over.
fn unused(order: EvictionOrder, keys: usize) -> Keyspace {
    let mut keyspace = keyspace(false, order);
    (0..keys).for_each(|n| add(&mut keyspace, 0, n, NEVER));
    keyspace.now_ms += 60_000;
    keyspace
}

/// The pages in which there is a key.
fn pages(keyspace: &Keyspace) -> usize {
    let pages: std::collections::BTreeSet<usize> = keyspace.db(0).dict().iter().map(|entry| entry.addr() / 4096).collect();
    pages.len()
}

#[test]
fn where_there_are_gaps_keys_go_that_lie_together() {
    const KEYS: usize = 50_000;
    for rule in RULES {
        let left_of = |amid_gaps: bool| {
            let mut keyspace = keyspace(rule.volatile_only, rule.order);
            (0..KEYS).for_each(|n| add(&mut keyspace, 0, n * 7919 % KEYS, if rule.volatile_only { NOW_MS * 2 } else { NEVER }));
            // Longer than the cache takes to turn over, whatever their frequency is worth.
            keyspace.now_ms += 60_000;
            let before = pages(&keyspace);
            if amid_gaps {
                evict_amid_gaps(&mut keyspace, KEYS / 2, 100);
            } else {
                (0..KEYS / 2).for_each(|_| assert!(evict(&mut keyspace)));
            }
            assert_eq!(keyspace.db(0).len(), KEYS / 2);
            pages(&keyspace) * 100 / before
        };
        let (by_policy, amid_gaps) = (left_of(false), left_of(true));
        if rule.order == EvictionOrder::Deadline {
            assert!(amid_gaps > 90, "{rule:?}: the order is exact in any case: {amid_gaps}%");
        } else {
            // Tests beside this one lie in between.
            assert!(amid_gaps + 5 < by_policy, "{rule:?}: {by_policy}% and {amid_gaps}% of the pages are left for half of the keys");
        }
    }
}

#[test]
fn what_has_been_used_does_not_go_for_the_place_where_it_lies() {
    const KEYS: usize = 20_000;
    for order in [EvictionOrder::Time, EvictionOrder::Frequency] {
        let mut keyspace = unused(order, KEYS);
        let is_used = |n: usize| n.is_multiple_of(3);
        (0..KEYS).filter(|n| is_used(*n)).for_each(|n| assert!(read(&mut keyspace, n)));
        evict_amid_gaps(&mut keyspace, KEYS / 2, 100);
        let gone = (0..KEYS).filter(|n| is_used(*n) && !is_there(&keyspace, 0, *n)).count();
        assert!(gone < KEYS / 200, "{order:?}: {gone}");
    }
}

#[test]
fn a_region_is_told_of_once_all_of_it_that_may_go_has_gone() {
    const KEYS: usize = 20_000;
    let mut keyspace = unused(EvictionOrder::Time, KEYS);
    assert_eq!(keyspace.take_emptied_region(), None);
    let mut emptied = 0;
    for _ in 0..KEYS / 100 / 2 {
        evict_amid_gaps(&mut keyspace, 100, 100);
        if let Some(region) = keyspace.take_emptied_region() {
            emptied += 1;
            assert_eq!(keyspace.take_emptied_region(), None);
            // But for those that were found last and go next.
            let left = keyspace.db(0).dict().iter().filter(|entry| region.contains(&entry.addr())).count();
            assert!(left < 100, "{left}");
        }
    }
    assert!((8..=24).contains(&emptied), "{emptied}");
}

#[test]
fn where_no_region_is_worth_while_keys_go_by_the_policy_and_it_rests() {
    const KEYS: usize = 20_000;
    let mut keyspace = keyspace(false, EvictionOrder::Time);
    keyspace.now_ms += 60_000;
    (0..KEYS).for_each(|n| add(&mut keyspace, 0, n, NEVER));
    evict_amid_gaps(&mut keyspace, 2500, 100);
    assert_eq!(keyspace.take_emptied_region(), None);
    assert!(!keyspace.evictor.regions.is_on());
    keyspace.note_gaps(Some(100));
    assert!(!keyspace.evictor.regions.is_on(), "it rests");
    // As many more gaps ask for less.
    evict_amid_gaps(&mut keyspace, 100, 0);
    assert!(keyspace.evictor.regions.is_on());
    keyspace.note_gaps(None);
    assert!(!keyspace.evictor.regions.is_on());
}

#[cfg(not(system_allocator))]
#[test]
fn what_is_left_of_a_region_moves_out_of_it() {
    use crate::{alloc::slabs::Slabs, data::moving::Mover, keyspace::RegionPass};
    const KEYS: usize = 50_000;
    let mut keyspace = unused(EvictionOrder::Time, KEYS);
    // What was used pins nearly every page.
    (0..KEYS).step_by(20).for_each(|n| assert!(read(&mut keyspace, n)));
    let before = pages(&keyspace);
    let mut slabs = Slabs::new().unwrap();
    let mut moved = 0;
    while keyspace.db(0).len() > KEYS / 2 {
        evict_amid_gaps(&mut keyspace, 100, 100);
        if let Some(region) = keyspace.take_emptied_region() {
            crate::alloc::flush_thread();
            slabs.set_emptied(region.clone());
            let mut pass = RegionPass::new(region);
            let mut goes_on = true;
            while goes_on {
                let mut mover = Mover::new(&mut slabs, 24);
                goes_on = keyspace.relocate_region(&mut pass, &mut mover);
                moved += mover.hits;
            }
        }
    }
    let after = pages(&keyspace);
    assert!(after * 100 < before * 70, "{after} of {before} pages are left for half of the keys");
    assert!((100..KEYS as u64 / 10).contains(&moved), "{moved}");
    (0..KEYS).step_by(20).for_each(|n| assert!(is_there(&keyspace, 0, n), "{n}"));
}
