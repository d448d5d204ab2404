//! The walkers over a table: walks of the keyspace, to which the caller shows what it is about to change, and watches on a collection (see
//! [`pieces`](crate::data::pieces)), for which the table itself copies what is about to change.

use super::{Dict, Handle, Slot, WatchId, marks::Marks};
use std::{
    cell::{OnceCell, RefCell},
    collections::VecDeque,
};

/// Elements copied early that are handed over in a step.
const EARLY_STEP: usize = 256;

/// What a watch needs beside its marks.
struct Copies<T: Slot> {
    /// Elements as they were before they changed, to be handed over.
    early: VecDeque<T>,
    copy: fn(&T) -> T,
    /// Keeps the table when it is on its way out.
    rescue: fn(Dict<T>),
}

pub(super) struct Walker<T: Slot> {
    id: WatchId,
    pub marks: Marks,
    /// `None`: the caller shows the walk first what it is about to change.
    copies: Option<Copies<T>>,
}

type Kept<T> = Box<RefCell<Vec<Walker<T>>>>;

/// The walkers of a table, in one word: without any, it is all that a table has to look at.
pub(super) struct Walkers<T: Slot>(OnceCell<Kept<T>>);

impl<T: Slot> Walkers<T> {
    pub const fn none() -> Self {
        Self(OnceCell::new())
    }

    /// Takes them out for a while. When all are through, nothing is left to be looked at from here on.
    pub fn take(&mut self) -> Option<Kept<T>> {
        self.0.take().filter(|walkers| !walkers.borrow().is_empty())
    }

    pub fn put_back(&mut self, walkers: Kept<T>) {
        self.0 = OnceCell::from(walkers);
    }

    fn add(&self, id: WatchId, copies: Option<Copies<T>>) {
        self.0.get_or_init(Box::default).borrow_mut().push(Walker { id, marks: Marks::new(), copies });
    }

    /// Does something with the walker of this name, which is forgotten when that returns `false`. `false` also when there is none.
    fn with(&self, id: WatchId, act: impl FnOnce(&mut Walker<T>) -> bool) -> bool {
        let Some(walkers) = self.0.get() else { return false };
        let mut walkers = walkers.borrow_mut();
        let Some(index) = walkers.iter().position(|walker| walker.id == id) else { return false };
        let goes_on = act(&mut walkers[index]);
        if !goes_on {
            walkers.swap_remove(index);
        }
        goes_on
    }
}

impl<T: Slot> Clone for Walkers<T> {
    /// Nobody walks over a copy.
    fn clone(&self) -> Self {
        Self::none()
    }
}

impl<T: Slot> Dict<T> {
    /// Begins a walk that sees what there is now. [`Dict::take_marked`] must be called before an entry changes or is taken out.
    pub fn begin_walk(&self, id: WatchId) {
        self.walkers.add(id, None);
    }

    /// Takes the next part of a segment, of `buckets` buckets; `false` when the walk is through, and forgotten.
    pub fn step_walk(&self, id: WatchId, buckets: usize, visit: impl FnMut(&T)) -> bool {
        self.walkers.with(id, |walker| {
            walker.marks.step(self, buckets, visit);
            !walker.marks.is_over()
        })
    }

    /// The entry at `handle`, found under `hash`, if the walk has still to visit it; it has then been taken.
    pub fn take_marked(&self, id: WatchId, hash: u64, handle: Handle) -> Option<&T> {
        let mut is_marked = false;
        self.walkers.with(id, |walker| {
            is_marked = walker.marks.is_ahead(hash) && self.take_slot(handle, walker.marks.begin(self, hash));
            true
        });
        is_marked.then(|| self.at(handle))
    }

    /// Every entry that is due at `now` in the segment that owns `hash` and that the walk has still to visit; they have then been taken.
    pub fn take_marked_due(&self, id: WatchId, hash: u64, now: i64, visit: impl FnMut(&T)) {
        self.walkers.with(id, |walker| {
            if walker.marks.reaches(self, hash) {
                self.take_slots_due(hash, now, walker.marks.begin(self, hash), visit);
            }
            true
        });
    }

    /// Forgets a walk, or a watch, that is not to be finished.
    pub fn end_walk(&self, id: WatchId) {
        self.walkers.with(id, |_| false);
    }

    /// Whether anybody walks over it.
    #[inline]
    pub(in crate::data) fn is_watched(&self) -> bool {
        self.walkers.0.get().is_some_and(|walkers| !walkers.borrow().is_empty())
    }

    /// Whether writes still look for walkers.
    #[cfg(test)]
    pub fn keeps_walkers(&self) -> bool {
        self.walkers.0.get().is_some()
    }

    pub(in crate::data) fn begin_watch(&self, id: WatchId, copy: fn(&T) -> T, rescue: fn(Self)) {
        self.walkers.add(id, Some(Copies { early: VecDeque::new(), copy, rescue }));
    }

    pub(in crate::data) fn has_watch(&self, id: WatchId) -> bool {
        self.walkers.0.get().is_some_and(|walkers| walkers.borrow().iter().any(|walker| walker.id == id))
    }

    pub(in crate::data) fn forget_watches(&mut self) {
        self.walkers = Walkers::none();
    }

    /// Hands over what was copied early, or else the next segment; `false` when that was the last.
    pub(in crate::data) fn step_watch(&self, id: WatchId, visit: &mut dyn FnMut(&T)) -> bool {
        self.walkers.with(id, |walker| {
            let Some(copies) = &mut walker.copies else { return false };
            if copies.early.is_empty() {
                walker.marks.step(self, usize::MAX, visit);
            } else {
                let some = copies.early.len().min(EARLY_STEP);
                copies.early.drain(..some).for_each(|element| visit(&element));
            }
            !walker.marks.is_over() || !copies.early.is_empty()
        })
    }

    /// Must be called before the entry with this key changes or is taken out.
    #[inline(always)]
    pub(super) fn before(&mut self, hash: u64, key: &[u8]) {
        if self.walkers.0.get().is_some() {
            self.copy_first(|_| hash, |dict| dict.find_handle(hash, key));
        }
    }

    /// [`Dict::before`] for the entry at `handle`.
    #[inline(always)]
    pub(super) fn before_at(&mut self, handle: Handle) {
        if self.walkers.0.get().is_some() {
            self.copy_first(|dict| dict.hash(dict.at(handle).key()), |_| Some(handle));
        }
    }

    #[cold]
    fn copy_first(&mut self, hash: impl FnOnce(&Self) -> u64, find: impl FnOnce(&Self) -> Option<Handle>) {
        let Some(mut walkers) = self.walkers.take() else { return };
        let mut copying = walkers.get_mut().iter_mut().filter_map(|walker| Some((&mut walker.marks, walker.copies.as_mut()?))).peekable();
        if copying.peek().is_some() {
            let hash = hash(self);
            if let Some(handle) = find(self) {
                for (marks, copies) in copying.filter(|(marks, _)| marks.is_ahead(hash)) {
                    if self.take_slot(handle, marks.begin(self, hash)) {
                        copies.early.push_back((copies.copy)(self.at(handle)));
                    }
                }
            }
        }
        self.walkers.put_back(walkers);
    }

    /// Must be called before an entry with this hash is added.
    #[inline(always)]
    pub(super) fn before_arrival(&mut self, hash: u64) {
        if self.walkers.0.get().is_some() {
            self.keep_apart(hash);
        }
    }

    #[cold]
    fn keep_apart(&mut self, hash: u64) {
        let Some(mut walkers) = self.walkers.take() else { return };
        for marks in walkers.get_mut().iter_mut().map(|walker| &mut walker.marks) {
            if !self.has_segments() {
                marks.end();
            } else if marks.is_ahead(hash) {
                marks.begin(self, hash);
            }
        }
        self.walkers.put_back(walkers);
    }

    /// Must be called before everything that is due at `now` in the segment that owns `hash` is taken out.
    #[inline(always)]
    pub(super) fn before_due(&mut self, hash: u64, now: i64) {
        if self.walkers.0.get().is_some() {
            self.copy_due_first(hash, now);
        }
    }

    #[cold]
    fn copy_due_first(&mut self, hash: u64, now: i64) {
        let Some(mut walkers) = self.walkers.take() else { return };
        for walker in walkers.get_mut() {
            if let Some(Copies { early, copy, .. }) = &mut walker.copies
                && walker.marks.reaches(self, hash)
            {
                self.take_slots_due(hash, now, walker.marks.begin(self, hash), |element| early.push_back(copy(element)));
            }
        }
        self.walkers.put_back(walkers);
    }

    /// Gives a table that is about to be freed to its watches; `false` when it has none.
    pub(super) fn leave_to_watches(&mut self) -> bool {
        let Some(walkers) = self.walkers.0.get_mut() else { return false };
        let Some(rescue) = walkers.get_mut().iter().find_map(|walker| Some(walker.copies.as_ref()?.rescue)) else { return false };
        rescue(self.take());
        true
    }
}
