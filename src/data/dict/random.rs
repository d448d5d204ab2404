//! Entries chosen at random.

use super::{Dict, Handle, Slot, segment};
use crate::data::rng::Rng;

impl<T: Slot> Dict<T> {
    /// An entry chosen at random, each as likely as the others; in a table that is mostly empty, nearly so.
    pub fn random(&self, rng: &mut Rng) -> Option<&T> {
        self.random_handle(rng).map(|handle| self.at(handle))
    }

    /// Where an entry chosen at random is: see [`Dict::random`].
    pub fn random_handle(&self, rng: &mut Rng) -> Option<Handle> {
        self.random_counted(rng, &mut 0)
    }

    /// The same, and adds to `looks` the headers of segments and shelves looked at in a table that is mostly empty: no more than a window's
    /// and those of one shelf.
    #[inline]
    pub(super) fn random_counted(&self, rng: &mut Rng, looks: &mut usize) -> Option<Handle> {
        /// A table of which no more than this part is in use takes too many refusals.
        const SPARSE: u128 = 32;
        if self.len == 0 {
            return None;
        }
        let slots_max = segment::SLOTS_MAX << self.excess_log2;
        if (self.len as u128 * SPARSE) >> self.bits() < slots_max as u128 && self.bits() > 0 {
            return self.random_in_window(rng, looks).or_else(|| self.random_by_weight(rng, looks));
        }
        // A segment comes up as often as its share of hash space says, and is refused the more often the larger that share is; a
        // slot of it, of all that the largest segment has, is refused when it is not there or empty. So each entry is equally likely.
        loop {
            let hash = rng.next_u64();
            let (shelf, index) = self.locate(hash);
            let segment = &self.shelves[shelf].segments[index];
            let slots = if self.bits() == 0 { segment.slots() } else { slots_max << (self.depth_max - segment.depth).min(40) };
            if let Some(place) = segment.place_at(rng.below(slots as u64) as usize) {
                return Some(Handle::new(shelf, index, place));
            }
        }
    }

    /// An entry chosen among those of some segments in a row, chosen at random: their hashes are as good as random. `None` where that takes too
    /// many segments.
    fn random_in_window(&self, rng: &mut Rng, looks: &mut usize) -> Option<Handle> {
        /// Entries among which to choose, so that it matters little how they fell.
        const WINDOW: usize = 64;
        /// Segments in which there have to be as many.
        const SEGMENTS: usize = 64;
        let start = rng.next_u64();
        let (mut at, mut seen) = (start, 0);
        let end = (0..SEGMENTS).find_map(|_| {
            let (shelf, index) = self.locate(at);
            seen += self.shelves[shelf].segments[index].len();
            *looks += 1;
            at = self.span(at).1.unwrap_or(0);
            (seen >= WINDOW || self.span(start).0 == at).then_some(at)
        })?;
        let mut nth = rng.below(seen as u64) as usize;
        at = start;
        loop {
            let (shelf, index) = self.locate(at);
            let segment = &self.shelves[shelf].segments[index];
            if nth < segment.len() {
                let place = segment.nth(nth)?;
                return Some(Handle::new(shelf, index, place));
            }
            nth -= segment.len();
            at = self.span(at).1.unwrap_or(0);
            if at == end {
                return None;
            }
        }
    }

    /// An entry chosen among all by its number: the shelves are counted through, then the segments of one of them.
    fn random_by_weight(&self, rng: &mut Rng, looks: &mut usize) -> Option<Handle> {
        /// Which of the parts in a row has entry number `nth`, which becomes its number there.
        fn part(lens: impl Iterator<Item = usize>, nth: &mut usize, looks: &mut usize) -> Option<usize> {
            for (part, len) in lens.enumerate() {
                *looks += 1;
                if *nth < len {
                    return Some(part);
                }
                *nth -= len;
            }
            None
        }
        let mut nth = rng.below(self.len as u64) as usize;
        let shelf = part(self.shelves.iter().map(|shelf| shelf.len as usize), &mut nth, looks)?;
        let segments = &self.shelves[shelf].segments;
        let segment = part(segments.iter().map(segment::Segment::len), &mut nth, looks)?;
        let place = segments[segment].nth(nth)?;
        Some(Handle::new(shelf, segment, place))
    }
}
