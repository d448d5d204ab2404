//! SCAN: an iteration in parts, over a table that keeps changing.

use super::{Dict, Slot};

/// A position in hash space at which a walk can go on, as SCAN hands it out: 0 is both the start and the end.
///
/// Within a segment, how deep that was (5 bits), its prefix (32 bits), the next home bucket in it (8 bits) and how many it
/// then had (8 bits): together they fit in the 53 bits that every client can hold. Between two, the prefix alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cursor(pub u64);

const PREFIX_BITS: u32 = 32;
const HOME_BITS: u32 = 16;
/// The largest depth: hash bits that a segment's entries may share, so that its prefix fits.
pub(super) const DEPTH_MAX: u64 = 31;
/// Parts that a segment is walked in: buckets, or as many in a row as make this number of parts.
const PARTS_MAX: usize = 128;

impl<T: Slot> Dict<T> {
    /// Walks on from `cursor` until `visit` has seen `count` entries or `buckets` buckets have been looked at, and
    /// returns where to go on; `Cursor(0)` when the walk is over.
    ///
    /// An entry that is there from the first call to the last is visited at least once, whatever splits, grows or shrinks between the calls.
    pub fn scan(&self, cursor: Cursor, count: usize, buckets: usize, mut visit: impl FnMut(&T)) -> Cursor {
        if self.shelves.is_empty() {
            return Cursor(0);
        }
        let mut at = (cursor.0 >> HOME_BITS) << (64 - PREFIX_BITS);
        let (mut home, mut homes_then) = (cursor.0 >> 8 & 0xff, cursor.0 & 0xff);
        let mut depth_then = cursor.0 >> (PREFIX_BITS + HOME_BITS);
        let (mut seen, mut left) = (0, buckets.max(1));
        loop {
            let (start, end) = self.span(at);
            let (shelf, index) = self.locate(at);
            let segment = &self.shelves[shelf].segments[index];
            let depth = (u64::from(self.shelf_bits) + u64::from(segment.depth)).min(DEPTH_MAX);
            if start != at || depth < depth_then {
                // The table was emptied and has grown anew: the segment is wider than the one the cursor was cut in, and begins anew.
                (at, home) = (start, 0);
            }
            let buckets = (segment.buckets() / PARTS_MAX).max(1);
            let homes = (segment.buckets() / buckets) as u64;
            // In a segment that has grown or shrunk since, the bucket where what was not yet visited begins.
            let mut bucket = if homes == homes_then || homes_then == 0 { home } else { ((home << 32) / homes_then * homes) >> 32 };
            while bucket < homes {
                for home in bucket as usize * buckets..(bucket as usize + 1) * buckets {
                    segment.for_each_at_home(home, self.seed, |entry| {
                        seen += 1;
                        visit(entry);
                    });
                }
                bucket += 1;
                left = left.saturating_sub(buckets);
                if (seen >= count || left == 0) && bucket < homes {
                    return Cursor(depth << (PREFIX_BITS + HOME_BITS) | at >> (64 - PREFIX_BITS) << HOME_BITS | bucket << 8 | homes);
                }
            }
            if homes == 0 {
                left = left.saturating_sub(1);
            }
            let Some(next) = end else { return Cursor(0) };
            (at, home, homes_then, depth_then) = (next, 0, 0, 0);
            if seen >= count || left == 0 {
                return Cursor(at >> (64 - PREFIX_BITS) << HOME_BITS);
            }
        }
    }
}
