//! Watches on a table: see [`pieces`](crate::data::pieces). They go through hash space segment by segment; what changes ahead of them
//! is copied for them first.

use super::{Dict, Handle, Slot};
use crate::data::pieces::WatchId;
use std::{
    cell::{OnceCell, RefCell},
    collections::{BTreeSet, VecDeque},
};

/// Elements noted early that are handed over in a step.
const EARLY_STEP: usize = 256;

struct Watch<T> {
    id: WatchId,
    /// Where in hash space it goes on; `None` when it has been everywhere.
    at: Option<u64>,
    /// Elements as they were before they changed, to be handed over.
    early: VecDeque<T>,
    /// Elements ahead that are not to be met: they were noted early, or were not there at the beginning.
    passed: BTreeSet<(u64, Box<[u8]>)>,
}

impl<T: Slot> Watch<T> {
    #[inline]
    fn has_passed(&self, hash: u64, key: &[u8]) -> bool {
        if self.passed.is_empty() {
            return false;
        }
        // An empty box takes no memory.
        let with_hash = self.passed.range((hash, Box::default())..).take_while(|(h, _)| *h == hash);
        with_hash.into_iter().any(|(_, k)| **k == *key)
    }

    fn is_ahead(&self, hash: u64, key: &[u8]) -> bool {
        self.at.is_some_and(|at| hash >= at) && !self.has_passed(hash, key)
    }
}

struct Shared<T: Slot> {
    watches: Vec<Watch<T>>,
    copy: fn(&T) -> T,
    rescue: fn(Dict<T>),
}

/// The watches on a table; one word, which is all that a table without any has to look at.
pub(super) struct Watches<T: Slot>(OnceCell<Box<RefCell<Shared<T>>>>);

impl<T: Slot> Watches<T> {
    pub const fn none() -> Self {
        Self(OnceCell::new())
    }
}

impl<T: Slot> Clone for Watches<T> {
    /// Nobody watches a copy.
    fn clone(&self) -> Self {
        Self::none()
    }
}

impl<T: Slot> Dict<T> {
    /// Whether anybody watches.
    #[inline]
    pub(in crate::data) fn is_watched(&self) -> bool {
        self.watches.0.get().is_some_and(|shared| !shared.borrow().watches.is_empty())
    }

    pub(in crate::data) fn begin_watch(&self, id: WatchId, copy: fn(&T) -> T, rescue: fn(Self)) {
        let shared = self.watches.0.get_or_init(|| Box::new(RefCell::new(Shared { watches: Vec::new(), copy, rescue })));
        let watch = Watch { id, at: Some(0), early: VecDeque::new(), passed: BTreeSet::new() };
        shared.borrow_mut().watches.push(watch);
    }

    pub(in crate::data) fn has_watch(&self, id: WatchId) -> bool {
        self.watches.0.get().is_some_and(|shared| shared.borrow().watches.iter().any(|w| w.id == id))
    }

    pub(in crate::data) fn end_watch(&self, id: WatchId) {
        if let Some(shared) = self.watches.0.get() {
            shared.borrow_mut().watches.retain(|w| w.id != id);
        }
    }

    pub(in crate::data) fn forget_watches(&mut self) {
        self.watches = Watches::none();
    }

    /// Hands over what was noted early, or else the next segment; `false` when that was the last.
    pub(in crate::data) fn step_watch(&self, id: WatchId, visit: &mut dyn FnMut(&T)) -> bool {
        let Some(shared) = self.watches.0.get() else { return false };
        let mut shared = shared.borrow_mut();
        let Some(index) = shared.watches.iter().position(|w| w.id == id) else { return false };
        let watch = &mut shared.watches[index];
        if !watch.early.is_empty() {
            let some = watch.early.len().min(EARLY_STEP);
            watch.early.drain(..some).for_each(|element| visit(&element));
        } else if let Some(at) = watch.at.filter(|_| self.has_segments()) {
            self.for_each_in_segment(at, |element| {
                // A table that was emptied and built anew has wider segments: part of one may lie behind.
                let hash = self.hash(element.key());
                if hash >= at && !watch.has_passed(hash, element.key()) {
                    visit(element);
                }
            });
            watch.at = self.span(at).1;
            while let Some((hash, _)) = watch.passed.first()
                && watch.at.is_none_or(|at| *hash < at)
            {
                watch.passed.pop_first();
            }
        } else {
            watch.at = None;
        }
        if watch.at.is_none() && watch.early.is_empty() {
            shared.watches.swap_remove(index);
            return false;
        }
        true
    }

    /// To be said before the element with this key is added, changed or taken out.
    #[inline(always)]
    pub(super) fn before(&self, hash: u64, key: &[u8]) {
        if let Some(shared) = self.watches.0.get() {
            self.note(shared, hash, key);
        }
    }

    /// [`Dict::before`] for the element at `handle`.
    #[inline(always)]
    pub(super) fn before_at(&self, handle: Handle) {
        if self.watches.0.get().is_some() {
            let key = self.at(handle).key();
            self.before(self.hash(key), key);
        }
    }

    #[cold]
    fn note(&self, shared: &RefCell<Shared<T>>, hash: u64, key: &[u8]) {
        let mut shared = shared.borrow_mut();
        let copy = shared.copy;
        for watch in shared.watches.iter_mut().filter(|w| w.is_ahead(hash, key)) {
            watch.early.extend(self.find(hash, key).map(copy));
            watch.passed.insert((hash, key.into()));
        }
    }

    /// To be said before everything that is due at `now` in the segment that owns `hash` is taken out.
    #[inline(always)]
    pub(super) fn before_due(&self, hash: u64, now: i64) {
        if self.watches.0.get().is_some() {
            self.for_each_in_segment(hash, |element| {
                if element.deadline() <= now {
                    self.before(self.hash(element.key()), element.key());
                }
            });
        }
    }

    /// Gives a table that is on its way out to those who watch it; `false` when nobody does.
    pub(super) fn leave_to_watches(&mut self) -> bool {
        let Some(shared) = self.watches.0.get_mut() else { return false };
        let shared = shared.get_mut();
        if shared.watches.is_empty() {
            return false;
        }
        let rescue = shared.rescue;
        rescue(self.take());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{
        entry::{Entry, NEVER, Value},
        key_hash::Seed,
        pieces::{self, Element, Pieces},
    };
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    type State = BTreeMap<Vec<u8>, Vec<u8>>;

    fn value(entry: &Entry) -> Vec<u8> {
        match entry.value() {
            Value::Str(text) => text.to_vec(),
            _ => Vec::new(),
        }
    }

    fn set(dict: &mut Dict<Entry>, key: u32, text: &[u8], deadline: i64) {
        let key = key.to_be_bytes();
        let hash = dict.hash(&key);
        match dict.find_mut(hash, &key) {
            Some(entry) => entry.set_inline(text),
            None => drop(dict.insert_new(hash, Entry::new_inline(&key, text, deadline))),
        }
    }

    fn state(dict: &Dict<Entry>) -> State {
        dict.iter().map(|e| (e.key().to_vec(), value(e))).collect()
    }

    #[derive(Clone, Debug)]
    enum Op {
        Set(u32, u8),
        SetByHandle(u32, u8),
        Grow(u32),
        Remove(u32),
        RemoveMany(u32),
        Due(i64),
        Begin,
        Step,
        Drop,
        Take,
        Gather,
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            8 => (0..3000u32, any::<u8>()).prop_map(|(k, v)| Op::Set(k, v)),
            2 => (0..3000u32, any::<u8>()).prop_map(|(k, v)| Op::SetByHandle(k, v)),
            3 => (0..3000u32).prop_map(Op::Grow),
            4 => (0..3000u32).prop_map(Op::Remove),
            2 => (0..3000u32).prop_map(Op::RemoveMany),
            1 => (0..100i64).prop_map(Op::Due),
            4 => Just(Op::Begin),
            12 => Just(Op::Step),
            1 => Just(Op::Drop),
            1 => Just(Op::Take),
            1 => Just(Op::Gather),
        ]
    }

    proptest! {
        #[test]
        fn a_watch_sees_what_there_was_at_its_beginning(ops in proptest::collection::vec(op(), 1..120), seed: u64) {
            let mut dict = Dict::<Entry>::new(Seed::new(seed));
            let mut watches: Vec<(WatchId, State, State)> = Vec::new();
            let step = |dict: &Dict<Entry>, (id, seen, expected): &mut (WatchId, State, State)| {
                let mut visit = |element: Element<'_>| {
                    let Element::Field(entry) = element else { return };
                    assert_eq!(seen.insert(entry.key().to_vec(), value(entry)), None, "seen twice");
                };
                let more = if dict.is_watched_by(*id) { dict.step(*id, &mut visit) } else { pieces::step_orphan(*id, &mut visit).expect("is somewhere") };
                assert!(more || seen == expected);
                more
            };
            for op in ops {
                match op {
                    Op::Set(key, v) => set(&mut dict, key, &[v], if key % 4 == 0 { i64::from(key) } else { NEVER }),
                    Op::SetByHandle(key, v) => {
                        let key = key.to_be_bytes();
                        if let Some(handle) = dict.find_handle(dict.hash(&key), &key) { dict.at_mut(handle).set_inline(&[v, v]); }
                    }
                    Op::Grow(from) => (from..from + 700).for_each(|k| set(&mut dict, k, b"many", NEVER)),
                    Op::Remove(key) => drop(dict.remove(dict.hash(&key.to_be_bytes()), &key.to_be_bytes())),
                    Op::RemoveMany(from) => for k in from..from + 900 {
                        let key = k.to_be_bytes();
                        let hash = dict.hash(&key);
                        if let Some(handle) = dict.find_handle(hash, &key) { dict.remove_at(handle, hash); }
                    },
                    Op::Due(now) => { dict.take_due(0, now, usize::MAX, usize::MAX, drop); }
                    Op::Begin => if watches.len() < 3 {
                        let id = WatchId::new();
                        Pieces::watch(&dict, id);
                        watches.push((id, State::new(), state(&dict)));
                    },
                    Op::Step => watches.retain_mut(|watch| step(&dict, watch)),
                    Op::Drop => dict = Dict::new(Seed::new(seed)),
                    Op::Take => { dict.take(); }
                    Op::Gather => dict.gather_now(),
                }
            }
            watches.iter_mut().for_each(|watch| while step(&dict, watch) {});
            prop_assert_eq!(pieces::orphans(), 0);
        }
    }

    #[test]
    fn a_watch_given_up_lets_go_of_its_table() {
        let mut dict = Dict::<Entry>::new(Seed::new(1));
        (0..1000).for_each(|k| set(&mut dict, k, b"v", NEVER));
        let (first, second) = (WatchId::new(), WatchId::new());
        Pieces::watch(&dict, first);
        Pieces::unwatch(&dict, first);
        assert!(!dict.is_watched());
        Pieces::watch(&dict, second);
        drop(dict);
        assert_eq!(pieces::orphans(), 1);
        pieces::unwatch_orphan(second);
        assert_eq!(pieces::orphans(), 0);
    }
}
