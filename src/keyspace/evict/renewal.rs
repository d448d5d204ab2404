//! The slow round in which marks of access are renewed whose clock would come round otherwise.

use crate::keyspace::{Keyspace, Marks};

/// Where the round is.
#[derive(Default)]
pub(super) struct Renewal {
    db: usize,
    at: u64,
    /// Marks of another kind than [`Marks::Time`] may be there.
    needed: bool,
}

/// Segments looked at in a second, and keys for each further one: a round takes less than an hour.
const SEGMENTS: usize = 10;
const KEYS_A_SEGMENT: usize = 1_000_000;

impl Keyspace {
    /// From here on accesses leave such marks.
    pub fn set_marks(&mut self, marks: Marks) {
        let renewal = &mut self.evictor.renewal;
        if marks != Marks::Time || self.access.marks() != Marks::Time {
            *renewal = Renewal { needed: true, ..Renewal::default() };
        }
        self.access.set_marks(marks);
    }

    /// Renews marks of some keys; to be called so many times a second.
    pub fn renew_marks(&mut self, times_a_second: usize) {
        if !self.evictor.renewal.needed {
            return;
        }
        let keys: usize = self.dbs.iter().map(|db| db.len()).sum();
        for _ in 0..(SEGMENTS + keys / KEYS_A_SEGMENT).div_ceil(times_a_second.max(1)) {
            if !self.renew_segment() {
                return;
            }
        }
    }

    /// `false` at the end of a round.
    fn renew_segment(&mut self) -> bool {
        let renewal = &mut self.evictor.renewal;
        let Some(db) = self.dbs.get_mut(renewal.db) else {
            let needed = self.access.marks() != Marks::Time;
            *renewal = Renewal { needed, ..Renewal::default() };
            return false;
        };
        let (access, now_ms) = (&mut self.access, self.now_ms);
        let next = db.dict.for_each_mark(renewal.at, |entry| {
            if let Some(mark) = access.renewed(entry, now_ms) {
                entry.set_access(mark);
            }
        });
        renewal.at = next.unwrap_or(0);
        renewal.db += usize::from(next.is_none());
        true
    }
}
