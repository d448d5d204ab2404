//! Entries chosen to be compared, for eviction: those of one bucket are neighbours, so that one miss of the memory shows seven of them; and
//! those with a deadline, which segments tell of by their bounds.

use super::{Dict, Handle, Slot, prefix_start};

impl<T: Slot> Dict<T> {
    /// Every entry of the home bucket of `hash`.
    #[inline]
    pub fn for_each_near(&self, hash: u64, visit: impl FnMut(&T)) {
        if let Some(segment) = self.segment(hash) {
            segment.for_each_near(hash, visit);
        }
    }

    /// Hint some time before [`Dict::for_each_near`], and some time after [`Dict::prefetch_bucket`]; `volatile`: only those with a deadline will be
    /// looked at.
    #[inline]
    pub fn prefetch_near(&self, hash: u64, volatile: bool) {
        if let Some(segment) = self.segment(hash) {
            segment.for_each_near(hash, |entry| {
                if !volatile || entry.is_volatile() {
                    entry.prefetch();
                }
            });
        }
    }

    /// Where the entry is whose key has this hash.
    pub fn find_hash(&self, hash: u64) -> Option<Handle> {
        if self.shelves.is_empty() {
            return None;
        }
        let (shelf, index) = self.locate(hash);
        let place = self.shelves[shelf].segments[index].find_where(hash, |entry| self.seed.hash(entry.key()) == hash)?;
        Some(Handle::new(shelf, index, place))
    }

    /// Every entry with a deadline in the segment that owns `hash`, from its home bucket on and once round. Its bound, and where it is the last
    /// one of its shelf the shelf's, is made exact. Returns where the next segment begins (`None`: at the end of hash space).
    pub fn for_each_volatile(&mut self, hash: u64, visit: impl FnMut(&T)) -> Option<u64> {
        if self.shelves.is_empty() {
            return None;
        }
        let (shelf, index) = self.locate(hash);
        self.shelves[shelf].segments[index].for_each_volatile(hash, visit);
        let next = self.span(hash).1;
        if next.is_none_or(|next| self.locate(next).0 != shelf) {
            let shelf = &mut self.shelves[shelf];
            shelf.due_min = shelf.segments.iter().map(|segment| segment.due_min).min().unwrap_or(i64::MAX);
        }
        next
    }

    /// The parts of which a prefix of `bits` bits of hash space, that begins at `start`, consists: where each begins, the bits of its own prefix, and the
    /// bound of its deadlines. They are shelves, or prefixes a little longer, or segments: some dozens of them.
    pub fn for_each_part(&self, start: u64, bits: u32, mut visit: impl FnMut(u64, u32, i64)) {
        /// Bits by which the prefix of a part is longer at most.
        const FINER: u32 = 6;
        let shelf_bits = u32::from(self.shelf_bits);
        if bits < shelf_bits {
            let shelves = self.shelves.iter().enumerate();
            return shelves.for_each(|(index, shelf)| visit(self.slot_start(index, 0), shelf_bits, shelf.due_min));
        }
        let part_bits = bits + FINER;
        let (mut at, mut part) = (start, None::<(u64, u32, i64)>);
        while !self.shelves.is_empty() {
            let (segment_bits, due_min) = self.part(at);
            // Segments that are smaller than a part may be make one together.
            let begins = if segment_bits <= part_bits { at } else { prefix_start(at, part_bits) };
            match &mut part {
                Some((begun, _, bound)) if *begun == begins => *bound = due_min.min(*bound),
                _ => {
                    if let Some((begun, bits, bound)) = part.replace((begins, segment_bits.min(part_bits), due_min)) {
                        visit(begun, bits, bound);
                    }
                }
            }
            match self.span(at).1 {
                Some(next) if prefix_start(next, bits) == prefix_start(start, bits) => at = next,
                _ => break,
            }
        }
        if let Some((begun, bits, bound)) = part {
            visit(begun, bits, bound);
        }
    }

    /// How many bits of hash the entries share that are in one segment with `hash`, and the bound of its deadlines.
    pub fn part(&self, hash: u64) -> (u32, i64) {
        if self.shelves.is_empty() {
            return (0, i64::MAX);
        }
        let (shelf, index) = self.locate(hash);
        let segment = &self.shelves[shelf].segments[index];
        (u32::from(self.shelf_bits) + u32::from(segment.depth), segment.due_min)
    }

    /// Every entry of the segment that owns `hash`, to change what no snapshot is of. Returns where the next one begins (`None`: at the end of hash
    /// space).
    pub fn for_each_mark(&mut self, hash: u64, visit: impl FnMut(&mut T)) -> Option<u64> {
        self.segment_mut(hash)?.for_each_mut(visit);
        self.span(hash).1
    }

    /// Every entry of the segment that owns `hash`, of which only few are going to be read. Returns where the next one begins (`None`: at the end of hash
    /// space).
    pub fn sweep_segment(&self, hash: u64, visit: impl FnMut(&T)) -> Option<u64> {
        self.segment(hash)?.iter().for_each(visit);
        self.span(hash).1
    }

    /// The same, to move some of them: so nobody is shown them first.
    pub fn sweep_segment_to_move(&mut self, hash: u64, visit: impl FnMut(&mut T)) -> Option<u64> {
        self.segment_mut(hash)?.iter_mut().for_each(visit);
        self.span(hash).1
    }
}
