//! Moving a table and what is in it, a few buckets at a time.
//!
//! No entry leaves its slot, so what walks have noted stays true, and nobody who walks or watches is told.

use super::{Dict, Slot, segment::Segment};
use crate::data::moving::{Mover, Place};

impl<T: Slot> Dict<T> {
    /// Moves what the table is made of from a place on, and shows each entry to `each`, until `mover` is spent, but a bucket at least. Says where to go on.
    ///
    /// An entry that is there all the time is shown once, or twice when its segment was split meanwhile; or not, when it was.
    pub fn relocate(&mut self, from: &Place, mover: &mut Mover, each: &mut dyn FnMut(&mut T, &mut Mover)) -> Option<Place> {
        if self.shelves.is_empty() {
            return None;
        }
        let (mut at, mut bucket) = (from.at, from.id.0 as usize);
        if at == 0 && bucket == 0 {
            mover.vec(&mut self.shelves);
        }
        loop {
            let ((shelf, index), (start, end)) = (self.locate(at), self.span(at));
            let is_first = start == self.slot_start(shelf, 0);
            let shelf = &mut self.shelves[shelf];
            if is_first && bucket == 0 {
                mover.vec(&mut shelf.directory);
                mover.vec(&mut shelf.segments);
            }
            let next = shelf.segments[index].relocate(bucket, mover, each);
            if let Some(next) = next {
                return Some(Place { at, id: (next as u64, 0), ..from.clone() });
            }
            (at, bucket) = (end?, 0);
            // Segments may be empty.
            mover.pass();
            if mover.is_spent() {
                return Some(Place { at, id: (0, 0), ..from.clone() });
            }
        }
    }

    /// The entry with this key, to be moved and not to be changed: so nobody is shown it first.
    pub fn find_to_move(&mut self, key: &[u8]) -> Option<&mut T> {
        let hash = self.hash(key);
        let segment: &mut Segment<T> = self.segment_mut(hash)?;
        let place = segment.find(hash, key)?;
        Some(segment.get_mut(place))
    }
}
