//! A stream's numbers, and what they say of how far a group has read: entries are not counted from the first that ever was, so where some were
//! deleted in between, nobody knows.

use super::{Stream, StreamId};

/// A stream's numbers at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    /// Entries that are there.
    pub len: u64,
    /// The first of them; [`StreamId::MIN`] if there is none.
    pub first_id: StreamId,
    /// The ID that was given last.
    pub last_id: StreamId,
    /// The greatest ID that was deleted, other than by trimming.
    pub max_deleted: StreamId,
    /// Entries that were ever added.
    pub entries_added: u64,
}

impl Stream {
    /// Its numbers.
    pub fn counters(&self) -> Counters {
        Counters {
            len: self.len(),
            first_id: self.first_id(),
            last_id: self.last_id(),
            max_deleted: self.max_deleted_id(),
            entries_added: self.entries_added(),
        }
    }
}

impl Counters {
    /// How many entries were added up to this ID; `None` where nobody knows: an ID between the first and the last entry, one that has not been given, or
    /// one with a deleted entry behind it.
    pub fn read_at(&self, id: StreamId) -> Option<u64> {
        if self.entries_added == 0 {
            return Some(0);
        }
        if self.len == 0 && id <= self.last_id || id == self.last_id {
            return Some(self.entries_added);
        }
        let whole = self.max_deleted == StreamId::MIN || self.max_deleted < self.first_id;
        if id > self.last_id || !whole || id > self.first_id {
            return None;
        }
        // XSETID may have set the number of added entries to anything that is not less than the length, but a file to less.
        Some(self.entries_added.wrapping_sub(self.len).wrapping_add(u64::from(id == self.first_id)))
    }

    /// Whether an entry may have been deleted from this ID on.
    pub fn has_tombstone_from(&self, id: StreamId) -> bool {
        self.len > 0 && self.max_deleted != StreamId::MIN && self.first_id <= self.max_deleted && id <= self.max_deleted
    }

    /// How many entries a group that has read so many, up to this ID, has before it; `None` where nobody knows.
    pub fn lag(&self, entries_read: Option<u64>, last_id: StreamId) -> Option<i64> {
        if self.entries_added == 0 {
            return Some(0);
        }
        let read = entries_read.filter(|_| !self.has_tombstone_from(last_id)).or_else(|| self.read_at(last_id))?;
        Some(self.entries_added.wrapping_sub(read) as i64)
    }

    /// What a group that had read so many has read when it is given the entry with this ID.
    pub fn read_on(&self, entries_read: Option<u64>, id: StreamId) -> Option<u64> {
        match entries_read {
            Some(read) if !self.has_tombstone_from(id) => Some(read.wrapping_add(1)),
            known if self.entries_added == 0 => known,
            _ => self.read_at(id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(ms: u64) -> StreamId {
        StreamId { ms, seq: 0 }
    }

    /// Entries 3 to 7 of 7 that were added.
    const NUMBERS: Counters = Counters {
        len: 5,
        first_id: StreamId { ms: 3, seq: 0 },
        last_id: StreamId { ms: 7, seq: 0 },
        max_deleted: StreamId::MIN,
        entries_added: 7,
    };

    #[test]
    fn how_many_were_added_is_known_at_the_ends() {
        let read = |ms| NUMBERS.read_at(id(ms));
        assert_eq!([0, 2, 3, 4, 6, 7, 8].map(read), [Some(2), Some(2), Some(3), None, None, Some(7), None]);
        let empty = Counters { len: 0, first_id: StreamId::MIN, ..NUMBERS };
        assert_eq!([0, 7, 8].map(|ms| empty.read_at(id(ms))), [Some(7), Some(7), None]);
        assert_eq!(Counters { entries_added: 0, ..empty }.read_at(id(9)), Some(0));
    }

    #[test]
    fn a_deleted_entry_hides_what_is_in_front_of_it() {
        let deleted = Counters { len: 4, max_deleted: id(5), ..NUMBERS };
        assert_eq!([2, 3, 7].map(|ms| deleted.read_at(id(ms))), [None, None, Some(7)]);
        assert_eq!([4, 5, 6].map(|ms| deleted.has_tombstone_from(id(ms))), [true, true, false]);
        let in_front = Counters { max_deleted: id(2), ..NUMBERS };
        assert_eq!((in_front.read_at(id(2)), in_front.has_tombstone_from(id(1))), (Some(2), false));
    }

    #[test]
    fn a_groups_lag_is_what_it_has_not_read() {
        assert_eq!(NUMBERS.lag(Some(4), id(4)), Some(3));
        assert_eq!(NUMBERS.lag(None, id(4)), None);
        assert_eq!(NUMBERS.lag(None, id(7)), Some(0));
        assert_eq!(NUMBERS.lag(Some(9), id(4)), Some(-2), "somebody has said so");
        let deleted = Counters { len: 4, max_deleted: id(5), ..NUMBERS };
        assert_eq!((deleted.lag(Some(4), id(4)), deleted.lag(Some(6), id(6))), (None, Some(1)));
    }

    #[test]
    fn a_group_counts_on_while_nothing_was_deleted_ahead() {
        assert_eq!(NUMBERS.read_on(Some(3), id(4)), Some(4));
        assert_eq!(NUMBERS.read_on(None, id(3)), Some(3));
        assert_eq!(NUMBERS.read_on(None, id(4)), None);
        let deleted = Counters { len: 4, max_deleted: id(5), ..NUMBERS };
        assert_eq!((deleted.read_on(Some(3), id(4)), deleted.read_on(None, id(7))), (None, Some(7)));
    }
}
