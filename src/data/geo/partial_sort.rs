//! The first few of many in order, by the quicksort of Bentley and McIlroy ("Engineering a Sort Function"), which leaves parts alone in which
//! none of the first few is. It is here because Redis sorts so, and the order of equals depends on how.

use std::cmp::Ordering;

/// Up to here an insertion sort is quicker.
const SMALL: usize = 7;
/// From here on the pivot is the median of three medians.
const LARGE: usize = 40;

/// Puts the first `wanted` of the items where they belong; the others are left in any order.
pub fn partial_sort<T>(items: &mut [T], wanted: usize, compare: impl Fn(&T, &T) -> Ordering) {
    let partitions = 8 * items.len().checked_ilog2().unwrap_or(0);
    sort(items, wanted, partitions, &compare);
}

fn insertion_sort<T>(items: &mut [T], compare: &impl Fn(&T, &T) -> Ordering) {
    for end in 1..items.len() {
        let mut at = end;
        while at > 0 && compare(&items[at - 1], &items[at]).is_gt() {
            items.swap(at - 1, at);
            at -= 1;
        }
    }
}

/// Which of three items is the one in the middle.
fn median<T>(items: &[T], [a, b, c]: [usize; 3], compare: &impl Fn(&T, &T) -> Ordering) -> usize {
    let of = |a: usize, b: usize| compare(&items[a], &items[b]);
    if of(a, b).is_lt() {
        if of(b, c).is_lt() {
            b
        } else if of(a, c).is_lt() {
            c
        } else {
            a
        }
    } else if of(b, c).is_gt() {
        b
    } else if of(a, c).is_lt() {
        a
    } else {
        c
    }
}

fn pivot<T>(items: &[T], compare: &impl Fn(&T, &T) -> Ordering) -> usize {
    let (first, middle, last) = (0, items.len() / 2, items.len() - 1);
    if items.len() <= SMALL {
        return middle;
    }
    if items.len() <= LARGE {
        return median(items, [first, middle, last], compare);
    }
    let apart = items.len() / 8;
    let medians = [
        median(items, [first, first + apart, first + 2 * apart], compare),
        median(items, [middle - apart, middle, middle + apart], compare),
        median(items, [last - 2 * apart, last - apart, last], compare),
    ];
    median(items, medians, compare)
}

fn swap_ranges<T>(items: &mut [T], a: usize, b: usize, len: usize) {
    (0..len).for_each(|n| items.swap(a + n, b + n));
}

/// Puts what is less than a pivot in front, what is greater behind, and what is equal between. Returns how many are less, and how many greater.
fn partition<T>(items: &mut [T], compare: &impl Fn(&T, &T) -> Ordering) -> (usize, usize) {
    let len = items.len();
    items.swap(0, pivot(items, compare));
    // From the front: equal ones up to `equal`, then less ones up to `less`. From behind the same.
    let (mut equal, mut less) = (1, 1);
    let (mut equal_behind, mut greater) = (len - 1, len - 1);
    loop {
        while less <= greater {
            match compare(&items[less], &items[0]) {
                Ordering::Greater => break,
                Ordering::Less => (),
                Ordering::Equal => {
                    items.swap(equal, less);
                    equal += 1;
                }
            }
            less += 1;
        }
        while less <= greater {
            match compare(&items[greater], &items[0]) {
                Ordering::Less => break,
                Ordering::Greater => (),
                Ordering::Equal => {
                    items.swap(greater, equal_behind);
                    equal_behind -= 1;
                }
            }
            greater -= 1;
        }
        if less > greater {
            break;
        }
        items.swap(less, greater);
        less += 1;
        greater -= 1;
    }
    let (less_count, greater_count) = (less - equal, equal_behind - greater);
    let moved = equal.min(less_count);
    swap_ranges(items, 0, less - moved, moved);
    let moved = greater_count.min(len - 1 - equal_behind);
    swap_ranges(items, less, len - moved, moved);
    (less_count, greater_count)
}

fn sort<T>(mut items: &mut [T], mut wanted: usize, mut partitions: u32, compare: &impl Fn(&T, &T) -> Ordering) {
    while items.len() >= SMALL {
        if partitions == 0 {
            // Somebody has chosen the items so that a quicksort takes the square of the time.
            return items.sort_by(compare);
        }
        partitions -= 1;
        let (less, greater) = partition(items, compare);
        if less > 1 {
            sort(&mut items[..less], wanted, partitions, compare);
        }
        let behind = items.len() - greater;
        if greater <= 1 || behind >= wanted {
            return;
        }
        items = &mut items[behind..];
        wanted -= behind;
    }
    insertion_sort(items, compare);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn by_key(a: &(u32, usize), b: &(u32, usize)) -> Ordering {
        a.0.cmp(&b.0)
    }

    proptest! {
        #[test]
        fn the_first_few_are_the_least_in_order(keys in prop::collection::vec(0u32..200, 0..400), wanted in 0usize..400) {
            let mut items: Vec<_> = keys.iter().copied().enumerate().map(|(n, key)| (key, n)).collect();
            partial_sort(&mut items, wanted, by_key);
            let mut sorted = keys.clone();
            sorted.sort_unstable();
            let first: Vec<u32> = items.iter().take(wanted).map(|(key, _)| *key).collect();
            prop_assert_eq!(&first[..], &sorted[..wanted.min(keys.len())]);
            let mut all: Vec<usize> = items.into_iter().map(|(_, n)| n).collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..keys.len()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn nobody_can_make_it_slow() {
        // Items without an order until they are compared: those that are, are made the least, so that every pivot is the worst one.
        use std::cell::{Cell, RefCell};
        let len = 20_000;
        let (ranks, next, compared) = (RefCell::new(vec![usize::MAX; len]), Cell::new(0), Cell::new(0u64));
        let mut items: Vec<usize> = (0..len).collect();
        let candidate = Cell::new(0);
        partial_sort(&mut items, len, |a, b| {
            compared.set(compared.get() + 1);
            let mut ranks = ranks.borrow_mut();
            if ranks[*a] == usize::MAX && ranks[*b] == usize::MAX {
                let least = if *a == candidate.get() { *a } else { *b };
                ranks[least] = next.replace(next.get() + 1);
            }
            if ranks[*a] == usize::MAX {
                candidate.set(*a);
            } else if ranks[*b] == usize::MAX {
                candidate.set(*b);
            }
            ranks[*a].cmp(&ranks[*b])
        });
        assert!(compared.get() < 600 * len as u64, "{} comparisons", compared.get());
    }
}
