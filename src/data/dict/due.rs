//! Deadlines: which entries are due, and where to look for them.

use super::{Dict, Slot};

impl<T: Slot> Dict<T> {
    /// Lowers the bound under which an entry's new deadline would be missed.
    #[inline]
    pub fn note_deadline(&mut self, hash: u64, deadline: i64) {
        if self.shelves.is_empty() {
            return;
        }
        let (shelf, segment) = self.locate(hash);
        let shelf = &mut self.shelves[shelf];
        shelf.due_min = shelf.due_min.min(deadline);
        let segment = &mut shelf.segments[segment];
        segment.due_min = segment.due_min.min(deadline);
    }

    /// A moment before which nothing is due.
    pub fn due_min(&self) -> i64 {
        self.shelves.iter().map(|s| s.due_min).min().unwrap_or(i64::MAX)
    }

    /// The next segment from hash position `from` on in which something is due at `now`, looking at no more than `segments`
    /// headers: any hash of it, or where to go on looking (`None`: at the end of hash space).
    pub fn find_due(&self, from: u64, now: i64, segments: usize) -> Result<u64, Option<u64>> {
        let mut at = from;
        if self.shelves.is_empty() {
            return Err(None);
        }
        for _ in 0..segments {
            let (shelf, index) = self.locate(at);
            let next = if self.shelves[shelf].due_min > now {
                if shelf + 1 == self.shelves.len() { None } else { Some(self.slot_start(shelf + 1, 0)) }
            } else {
                let next = self.span(at).1;
                // The last segment of a shelf that owes is where the shelf's own bound is made exact.
                let last = next.is_none_or(|n| self.locate(n).0 != shelf);
                if last || self.shelves[shelf].segments[index].due_min <= now {
                    return Ok(at);
                }
                next
            };
            match next {
                Some(next) => at = next,
                None => return Err(None),
            }
        }
        Err(Some(at))
    }

    /// Takes out everything that is due at `now`, from hash position `from` on, looking at no more than `segments` segment headers and
    /// taking no more than about `entries` entries. Returns where to go on: `None` when it has come to the end of hash space.
    ///
    /// Segments and shelves that owe nothing are skipped without touching an entry.
    pub fn take_due(&mut self, from: u64, now: i64, segments: usize, entries: usize, mut due: impl FnMut(T)) -> Option<u64> {
        let (mut at, mut headers, mut taken) = (from, 0, 0);
        let seed = self.seed;
        while !self.shelves.is_empty() {
            let (shelf_index, index) = self.locate(at);
            let (_, mut end) = self.span(at);
            if self.shelves[shelf_index].due_min > now {
                end = if shelf_index + 1 == self.shelves.len() { None } else { Some(self.slot_start(shelf_index + 1, 0)) };
            } else {
                self.before_due(at, now);
                let segment = &mut self.shelves[shelf_index].segments[index];
                if segment.due_min <= now {
                    let before = segment.len();
                    segment.take_due(now, seed, &mut due);
                    let gone = before - segment.len();
                    self.shelves[shelf_index].len -= gone as u32;
                    self.len -= gone;
                    self.fit_if_sparse(shelf_index, index, at);
                    taken += gone + 16;
                }
            }
            headers += 1;
            let last_of_shelf = end.is_none_or(|e| self.locate(e).0 != shelf_index);
            if last_of_shelf && self.shelves[shelf_index].due_min <= now {
                let shelf = &mut self.shelves[shelf_index];
                shelf.due_min = shelf.segments.iter().map(|s| s.due_min).min().unwrap_or(i64::MAX);
            }
            at = end?;
            if headers >= segments || taken >= entries {
                return Some(at);
            }
        }
        None
    }
}
