//! What a walk over a table has still to visit.
//!
//! A walk goes through hash space from segment to segment. Of a segment in which something changes ahead of it, and of the one that it is
//! in, the slots that it has still to visit are noted: those that were in use and have not been taken. What is added later has no part
//! in the walk. When segments grow, split, shrink or are built anew the notes move with the entries ([`Dict::reshape`]), so a change of
//! shape makes no walk take anything early.

use super::{Dict, slot::Slot, slots::SlotSet};
use std::collections::BTreeMap;

/// A segment in which something has changed, or which is being walked.
struct Begun {
    /// Where it ends (`None`: with hash space).
    end: Option<u64>,
    /// Entries still to be taken.
    pending: SlotSet,
}

/// How far a walk has come in one table.
pub(super) struct Marks {
    /// Where in hash space it goes on; `None` when it has been everywhere.
    at: Option<u64>,
    /// By their beginning: segments that end behind `at`.
    begun: BTreeMap<u64, Begun>,
}

/// Names an entry while segments change their shape: no two entries that live at the same time have their keys in the same place.
fn name(entry: &impl Slot) -> usize {
    entry.key().as_ptr().addr()
}

fn is_before(place: u64, end: Option<u64>) -> bool {
    end.is_none_or(|end| place < end)
}

impl Marks {
    pub fn new() -> Self {
        Self { at: Some(0), begun: BTreeMap::new() }
    }

    pub fn is_over(&self) -> bool {
        self.at.is_none()
    }

    /// Whether the walk has not visited what has this hash.
    #[inline]
    pub fn is_ahead(&self, hash: u64) -> bool {
        self.at.is_some_and(|at| hash >= at)
    }

    /// Whether the walk has not visited all of the segment that owns `hash`.
    pub fn reaches<T: Slot>(&self, dict: &Dict<T>, hash: u64) -> bool {
        self.at.is_some_and(|at| is_before(at, dict.span(hash).1))
    }

    /// Nothing is left.
    pub fn end(&mut self) {
        self.at = None;
        self.begun.clear();
    }

    /// What is pending in the segment that owns `hash`, which is ahead. What is added to it from now on is not.
    pub fn begin<T: Slot>(&mut self, dict: &Dict<T>, hash: u64) -> &mut SlotSet {
        let known = self.begun.range(..=hash).next_back().filter(|(_, begun)| is_before(hash, begun.end)).map(|(start, _)| *start);
        let start = known.unwrap_or_else(|| dict.span(hash).0);
        let begun = self.begun.entry(start).or_insert_with(|| {
            debug_assert!(self.at.is_some_and(|at| at <= start), "of a segment that lies on both sides of a walk it has notes");
            Begun { end: dict.span(hash).1, pending: dict.slots_in_use(hash) }
        });
        &mut begun.pending
    }

    /// Takes what is pending in the next `buckets` buckets that have something.
    pub fn step<T: Slot>(&mut self, dict: &Dict<T>, buckets: usize, visit: impl FnMut(&T)) {
        let Some(at) = self.at.filter(|_| dict.has_segments()) else {
            return self.end();
        };
        let pending = self.begin(dict, at);
        dict.take_slots(at, pending, buckets, visit);
        if !pending.is_empty() {
            return;
        }
        self.at = dict.span(at).1;
        while let Some(first) = self.begun.first_entry()
            && self.at.is_none_or(|at| first.get().end.is_some_and(|end| end <= at))
        {
            first.remove();
        }
    }

    /// Names what is pending between `start` and `end`, where slots are about to change, and forgets the slots. `None` where all
    /// is behind the walk, or all of it ahead and untouched.
    fn lift<T: Slot>(&mut self, dict: &Dict<T>, start: u64, end: Option<u64>) -> Option<Vec<usize>> {
        let at = self.at.filter(|at| is_before(*at, end))?;
        if at <= start && self.begun.range(start..).next().is_none_or(|(first, _)| !is_before(*first, end)) {
            return None;
        }
        let mut names = Vec::new();
        let mut next = dict.has_segments().then_some(start);
        while let Some(place) = next.filter(|place| is_before(*place, end)) {
            match self.begun.remove(&place) {
                Some(begun) => dict.for_each_in_slots(place, &begun.pending, |entry| names.push(name(entry))),
                None if place >= at => dict.for_each_in_segment(place, |entry| names.push(name(entry))),
                None => (),
            }
            next = dict.span(place).1;
        }
        names.sort_unstable();
        Some(names)
    }

    /// Notes the slots that have what was named.
    fn lay<T: Slot>(&mut self, dict: &Dict<T>, start: u64, end: Option<u64>, names: &[usize]) {
        let Some(at) = self.at else { return };
        let mut next = dict.has_segments().then_some(start);
        while let Some(place) = next.filter(|place| is_before(*place, end)) {
            next = dict.span(place).1;
            if is_before(at, next) {
                let pending = dict.slots_where(place, |entry| names.binary_search(&name(entry)).is_ok());
                self.begun.insert(place, Begun { end: next, pending });
            }
        }
    }
}

impl<T: Slot> Dict<T> {
    /// Changes the shape of the segments between `start` and `end`, where one begins and one ends, before and after. No entry comes or goes.
    #[inline]
    pub(super) fn reshape(&mut self, start: u64, end: Option<u64>, act: impl FnOnce(&mut Self)) {
        let Some(mut walkers) = self.walkers.take() else { return act(self) };
        let lifted: Vec<_> = walkers.get_mut().iter_mut().map(|walk| walk.marks.lift(self, start, end)).collect();
        act(self);
        for (walk, names) in walkers.get_mut().iter_mut().zip(lifted) {
            if let Some(names) = names {
                walk.marks.lay(self, start, end, &names);
            }
        }
        self.walkers.put_back(walkers);
    }
}
