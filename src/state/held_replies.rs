//! What a client must not be sent yet: replies that tell of writes which are not on the disk (`appendfsync always`).
//!
//! Places in a client's output are counted from its first byte on. Bytes up to a place wait for a mark of the append-only file
//! ([`AofWriter::mark`](super::aof_writer::AofWriter::mark)); what lies behind waits too, since replies keep their order. One sync takes place at a time and serves all
//! that came before it, so a client waits for two marks at most: that of the sync under way, and that of the next.

use std::collections::VecDeque;

/// One client's. It is kept until all that it was about has been sent.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct HeldReplies {
    /// The place up to which everything may be sent.
    free_to: u64,
    /// Places, and the marks that what is in front of them waits for.
    waits: VecDeque<(u64, u64)>,
}

impl HeldReplies {
    /// Nothing behind `free_to` may be sent that is going to be held.
    pub fn from(free_to: u64) -> Self {
        Self { free_to, waits: VecDeque::new() }
    }

    /// Holds what is in front of `place` until `mark`, as far as it is not held or free already. `handed` is the mark of what the disk has been asked to sync:
    /// whatever is behind it is synced at once. Returns whether the client waits for one more mark.
    pub fn hold(&mut self, place: u64, mark: u64, handed: u64) -> bool {
        match self.waits.back_mut() {
            // Nothing has been added since.
            Some(last) if last.0 >= place => false,
            None if self.free_to >= place => false,
            Some(last) if last.1 > handed || last.1 == mark => {
                *last = (place, mark);
                false
            }
            _ => {
                self.waits.push_back((place, mark));
                true
            }
        }
    }

    /// Holds all that comes behind `place` until `mark`.
    pub fn hold_behind(&mut self, place: u64, mark: u64) {
        self.waits.push_back((place, mark));
    }

    /// The mark that the first of what is held waits for.
    pub fn next_mark(&self) -> Option<u64> {
        self.waits.front().map(|(_, mark)| *mark)
    }

    /// Lets go what waits for a mark up to this one.
    pub fn release(&mut self, mark: u64) {
        while let Some((place, _)) = self.waits.front().filter(|(_, wanted)| *wanted <= mark) {
            self.free_to = *place;
            self.waits.pop_front();
        }
    }

    /// How many of `bytes` behind `place` may be sent.
    pub fn free_behind(&self, place: u64, bytes: usize) -> usize {
        match self.waits.is_empty() {
            true => bytes,
            false => usize::try_from(self.free_to.saturating_sub(place)).map_or(bytes, |free| free.min(bytes)),
        }
    }

    /// Whether all that it was about may be sent and is in front of `place`.
    pub fn is_over(&self, place: u64) -> bool {
        self.waits.is_empty() && self.free_to <= place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_owed_earlier_leaves_though_later_replies_are_held() {
        let mut held = HeldReplies::from(10);
        assert!(held.hold(15, 100, 0));
        assert_eq!(held.free_behind(10, 5), 0);
        // The disk is asked to sync up to 100; what comes now is for the next sync.
        assert!(held.hold(20, 130, 100));
        assert!(!held.hold(30, 160, 100), "both are synced at once");
        held.release(99);
        assert_eq!(held.free_behind(10, 20), 0);
        held.release(100);
        assert_eq!((held.free_behind(10, 20), held.free_behind(12, 18), held.free_behind(15, 15)), (5, 3, 0));
        held.release(130);
        assert_eq!(held.free_behind(15, 15), 0, "a sync up to there would have served less than was promised");
        assert_eq!(held.next_mark(), Some(160));
        held.release(160);
        assert_eq!((held.free_behind(15, 15), held.is_over(29), held.is_over(30)), (15, false, true));
    }

    #[test]
    fn what_may_leave_is_not_held_again_because_it_has_not_left() {
        let mut held = HeldReplies::from(0);
        held.hold(10, 100, 0);
        assert!(!held.hold(10, 120, 100), "nothing has been added");
        held.release(100);
        assert!(!held.hold(9, 130, 100));
        assert_eq!(held.free_behind(5, 5), 5);
        assert!(held.hold(12, 140, 130));
        assert_eq!(held.free_behind(5, 7), 5, "what was free stays free");
    }
}
