//! Slots of a segment, marked by a walk over the table.

/// Some slots of one segment, which has not grown, shrunk or split since: a byte a bucket, a bit a slot.
pub(super) struct SlotSet(Box<[u8]>);

impl SlotSet {
    pub fn new(buckets: impl Iterator<Item = u8>) -> Self {
        Self(buckets.collect())
    }

    /// Whether it has no slot.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|bits| *bits == 0)
    }

    /// Takes out a slot; whether it was there.
    pub fn take(&mut self, bucket: usize, slot: u8) -> bool {
        let (byte, bit) = (&mut self.0[bucket], 1 << slot);
        let had = *byte & bit != 0;
        *byte &= !bit;
        had
    }

    /// The first bucket of which it has a slot.
    pub fn first_bucket(&self) -> usize {
        self.0.iter().position(|bits| *bits != 0).unwrap_or(self.0.len())
    }

    /// The slots of a bucket.
    pub fn bucket(&self, bucket: usize) -> impl Iterator<Item = usize> + use<> {
        let mut bits = self.0[bucket];
        std::iter::from_fn(move || {
            let slot = bits.trailing_zeros() as usize;
            let some = bits != 0;
            bits &= bits.wrapping_sub(1);
            some.then_some(slot)
        })
    }

    /// Takes out all slots of a bucket.
    pub fn take_bucket(&mut self, bucket: usize) -> impl Iterator<Item = usize> + use<> {
        let slots = self.bucket(bucket);
        self.0[bucket] = 0;
        slots
    }
}
