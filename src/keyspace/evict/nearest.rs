//! The keys of a table with the nearest deadlines, exactly, without an entry for each key.
//!
//! A queue holds keys, and parts of hash space with a bound of the deadlines that are there. The first thing in it is the nearest key, or a part that has to
//! be looked at more closely: the whole becomes shelves, a shelf segments, and of a segment the [`HARVEST`] nearest keys come into the queue, with the
//! segment behind them. So for each segment there are a few keys in it, of those that will go next.
//!
//! What gets a deadline meanwhile comes into the queue if it is nearer than the furthest part's bound. If not, it is found when its part is
//! looked at, for which there has to be one that covers it: `parts` tells which there are.
//!
//! What is in the queue and is not true any more, since the key went, or was given another deadline, is passed over by who takes it out.

use crate::data::{
    dict::{Dict, prefix_start},
    entry::Entry,
    trash::{self, Garbage, LARGE, SLICE},
};
use std::{collections::BTreeSet, mem};

/// Keys that a look at a segment brings.
const HARVEST: usize = 8;
/// Parts looked at in one step.
const PARTS_MAX: usize = 4;
/// Keys of the table for each thing in the queue, and things beyond that: with more of them most are not true any more.
const KEYS_A_THING: usize = 32;
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
    queue: BTreeSet<Thing>,
    /// Where the parts in the queue begin, and the bits of their prefixes.
    parts: BTreeSet<(u64, u32)>,
    /// No part has a bound beyond this.
    horizon: i64,
}

impl Nearest {
    pub fn new(dict: &Dict<Entry>) -> Self {
        let mut new = Self { queue: BTreeSet::new(), parts: BTreeSet::new(), horizon: i64::MIN };
        new.add_part(0, 0, dict.due_min());
        new
    }

    fn add_part(&mut self, start: u64, bits: u32, bound: i64) {
        self.parts.insert((start, bits));
        self.horizon = self.horizon.max(bound);
        self.queue.insert(Thing { bound, what: What::Part(bits), hash: start });
    }

    /// A key has this deadline from now on.
    pub fn note(&mut self, dict: &Dict<Entry>, hash: u64, deadline: i64) {
        if deadline < self.horizon {
            self.queue.insert(Thing { bound: deadline, what: What::Key, hash });
            return;
        }
        let bits = dict.part(hash).0;
        // Mostly its own segment is there. If not, what that was split from may be, or what has not been looked into yet.
        if !(0..=bits).rev().any(|bits| self.parts.contains(&(prefix_start(hash, bits), bits))) {
            self.add_part(prefix_start(hash, bits), bits, deadline);
        }
    }

    /// The nearest deadline, and the hash of its key, if a bounded search comes to it.
    pub fn head(&mut self, dict: &mut Dict<Entry>) -> Option<(i64, u64)> {
        if self.queue.len() > THINGS_MIN + dict.len() / KEYS_A_THING {
            *self = Self::new(dict);
        }
        for _ in 0..PARTS_MAX {
            let Thing { bound, what, hash } = *self.queue.first()?;
            match what {
                What::Key => return Some((bound, hash)),
                What::Part(bits) => {
                    self.queue.pop_first();
                    self.parts.remove(&(hash, bits));
                    self.look_at(dict, hash, bits, bound);
                }
            }
        }
        None
    }

    /// Takes out what [`Nearest::head`] has told of.
    pub fn take_head(&mut self) {
        self.queue.pop_first();
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
        } else if bound < self.horizon {
            // For what comes.
            self.add_part(start, bits, self.horizon);
        }
        self.queue.extend(nearest.iter().take(HARVEST).map(|&(bound, hash)| Thing { bound, what: What::Key, hash }));
    }
}

impl Drop for Nearest {
    fn drop(&mut self) {
        if self.queue.len() + self.parts.len() >= LARGE {
            trash::leave(Forgotten { queue: mem::take(&mut self.queue), parts: mem::take(&mut self.parts) });
        }
    }
}

/// What is not asked for any more.
struct Forgotten {
    queue: BTreeSet<Thing>,
    parts: BTreeSet<(u64, u32)>,
}

impl Garbage for Forgotten {
    fn free_slice(&mut self) -> bool {
        (0..SLICE).all(|_| self.queue.pop_first().is_some() || self.parts.pop_first().is_some())
    }

    fn len(&self) -> usize {
        self.queue.len() + self.parts.len()
    }

    fn bytes(&self) -> usize {
        // Trees are mostly two thirds full.
        (self.queue.len() * size_of::<Thing>() + self.parts.len() * size_of::<(u64, u32)>()) * 3 / 2
    }
}
