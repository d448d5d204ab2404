//! Slots of a segment, marked by a walk over the table.

/// Buckets of the largest segment.
pub(super) const BUCKETS_MAX: usize = 64;

/// Some slots of one segment, which has not grown, shrunk or split since: a byte a bucket, a bit a slot.
pub struct SlotSet([u8; BUCKETS_MAX]);

impl SlotSet {
    pub(super) fn new(buckets: impl Iterator<Item = u8>) -> Self {
        let mut set = Self([0; BUCKETS_MAX]);
        set.0.iter_mut().zip(buckets).for_each(|(byte, bits)| *byte = bits);
        set
    }

    /// Whether it has no slot.
    pub fn is_empty(&self) -> bool {
        self.0 == [0; BUCKETS_MAX]
    }

    /// Takes out a slot; whether it was there.
    pub(super) fn take(&mut self, bucket: usize, slot: u8) -> bool {
        let (byte, bit) = (&mut self.0[bucket], 1 << slot);
        let had = *byte & bit != 0;
        *byte &= !bit;
        had
    }

    /// The first bucket of which it has a slot.
    pub(super) fn first_bucket(&self) -> usize {
        self.0.iter().position(|bits| *bits != 0).unwrap_or(BUCKETS_MAX)
    }

    /// Takes out all slots of a bucket.
    pub(super) fn take_bucket(&mut self, bucket: usize) -> impl Iterator<Item = usize> + use<> {
        let mut bits = std::mem::take(&mut self.0[bucket]);
        std::iter::from_fn(move || {
            let slot = bits.trailing_zeros() as usize;
            let some = bits != 0;
            bits &= bits.wrapping_sub(1);
            some.then_some(slot)
        })
    }
}
