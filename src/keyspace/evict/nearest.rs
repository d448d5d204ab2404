//! The keys of a table with the nearest deadlines, exactly, without an entry for each key.
//!
//! A heap holds keys, and parts of hash space with a bound of the deadlines that are there. The first thing in it is the nearest key, or a part that has to
//! be looked at more closely: the whole becomes shelves, a shelf segments, and of a segment the [`HARVEST`] nearest keys come into the heap, with the
//! segment behind them. So for each segment there are a few keys in it, of those that will go next.
//!
//! What gets a deadline meanwhile comes into the heap if it is nearer than the furthest part's bound. If not, it is found when its part is
//! looked at, for which there has to be one: `parts` tells of which segments there are.
//!
//! What is in the heap and is not true any more, since the key went, or was given another deadline, is passed over by who takes it out.

use crate::data::{dict::Dict, entry::Entry};
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashSet},
};

/// Keys that a look at a segment brings.
const HARVEST: usize = 8;
/// Parts looked at in one step.
const PARTS_MAX: usize = 16;
/// Keys of the table for each thing in the heap, and things beyond that: with more of them most are not true any more.
const KEYS_A_THING: usize = 8;
const THINGS_MIN: usize = 4096;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Key,
    /// A prefix of so many bits.
    Part(u32),
}

/// Compared in this order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Thing {
    /// The key's deadline; of a part, no deadline there is nearer unless its key is here too.
    bound: i64,
    what: What,
    /// The key's hash, or where the part begins.
    hash: u64,
}

pub(crate) struct Nearest {
    heap: BinaryHeap<Reverse<Thing>>,
    /// Where the segments begin of which there are parts.
    parts: HashSet<u64>,
    /// No part has a bound beyond this.
    horizon: i64,
}

impl Nearest {
    pub fn new(dict: &Dict<Entry>) -> Self {
        let mut new = Self { heap: BinaryHeap::new(), parts: HashSet::new(), horizon: i64::MIN };
        new.add_part(0, 0, dict.due_min());
        new
    }

    fn add_part(&mut self, start: u64, bits: u32, bound: i64) {
        self.parts.insert(start);
        self.horizon = self.horizon.max(bound);
        self.heap.push(Reverse(Thing { bound, what: What::Part(bits), hash: start }));
    }

    /// A key has this deadline from now on.
    pub fn note(&mut self, dict: &Dict<Entry>, hash: u64, deadline: i64) {
        if deadline < self.horizon {
            return self.heap.push(Reverse(Thing { bound: deadline, what: What::Key, hash }));
        }
        let bits = dict.part(hash).0;
        let start = if bits == 0 { 0 } else { hash >> (64 - bits) << (64 - bits) };
        if !self.parts.contains(&start) {
            self.add_part(start, bits, deadline);
        }
    }

    /// The nearest deadline, and the hash of its key, if a bounded search comes to it.
    pub fn head(&mut self, dict: &mut Dict<Entry>) -> Option<(i64, u64)> {
        if self.heap.len() > THINGS_MIN + dict.len() / KEYS_A_THING {
            *self = Self::new(dict);
        }
        for _ in 0..PARTS_MAX {
            let Reverse(Thing { bound, what, hash }) = *self.heap.peek()?;
            match what {
                What::Key => return Some((bound, hash)),
                What::Part(bits) => {
                    self.heap.pop();
                    self.parts.remove(&hash);
                    self.look_at(dict, hash, bits, bound);
                }
            }
        }
        None
    }

    /// Takes out what [`Nearest::head`] has told of.
    pub fn take_head(&mut self) {
        self.heap.pop();
    }

    /// Looks at a part that was taken out.
    fn look_at(&mut self, dict: &mut Dict<Entry>, start: u64, bits: u32, bound: i64) {
        if bits < dict.part(start).0 {
            return dict.for_each_part(start, bits, |start, bits, due_min| {
                if due_min != i64::MAX {
                    self.add_part(start, bits, due_min.max(bound));
                }
            });
        }
        // The nearest, and the one behind them.
        let mut nearest: Vec<(i64, u64)> = Vec::with_capacity(HARVEST + 2);
        let seed = dict.seed();
        dict.for_each_volatile(start, |entry| {
            let deadline = entry.deadline();
            if nearest.len() <= HARVEST || nearest.last().is_some_and(|last| deadline < last.0) {
                let at = nearest.partition_point(|near| near.0 <= deadline);
                nearest.insert(at, (deadline, seed.hash(entry.key())));
                nearest.truncate(HARVEST + 1);
            }
        });
        if let Some((behind, _)) = nearest.get(HARVEST).copied() {
            self.add_part(start, bits, behind);
        }
        self.heap.extend(nearest.iter().take(HARVEST).map(|&(bound, hash)| Reverse(Thing { bound, what: What::Key, hash })));
    }
}
