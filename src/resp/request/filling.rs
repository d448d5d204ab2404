//! The buffer of a big argument: the socket is read into it, and the keyspace then adopts it.

use bytes::Bytes;

/// What is allocated for a big argument before any of it has come, however long it says it will be.
const FIRST_BYTES: usize = 1 << 20;
/// How much room is made ready to be read into at a time. Each byte of it is made ready once, however few come with a read, and what is not ready takes
/// address space at most, no memory.
const READY_BYTES: usize = 256 * 1024;

/// A big argument that has not all come.
pub(super) struct Filling {
    /// What has come, and behind it room that is ready to be read into.
    buf: Vec<u8>,
    /// Bytes that have come.
    filled: usize,
    /// Length with the CRLF.
    whole: usize,
    /// Bytes at its beginning that are in the input's buffer too.
    begun: usize,
}

impl Filling {
    /// An argument of `whole` bytes, the CRLF among them, that begins so.
    pub(super) fn new(whole: usize, begun: &[u8]) -> Self {
        debug_assert!(begun.len() < whole);
        let mut buf = Vec::new();
        // What cannot be had at once may still come to be had.
        let _ = buf.try_reserve_exact(whole.min(FIRST_BYTES.max(begun.len())));
        buf.extend_from_slice(begun);
        Self { filled: begun.len(), buf, whole, begun: begun.len() }
    }

    /// Bytes that have not come, the CRLF among them.
    pub(super) fn missing(&self) -> usize {
        self.whole - self.filled
    }

    /// Bytes at its beginning that are in the input's buffer too.
    pub(super) fn begun(&self) -> usize {
        self.begun
    }

    /// Bytes of its allocation.
    pub(super) fn capacity(&self) -> usize {
        self.buf.capacity()
    }

    /// Bytes that have come.
    pub(super) fn len(&self) -> usize {
        self.filled
    }

    /// Where the next bytes belong. Not empty as long as some are missing.
    pub(super) fn room(&mut self) -> &mut [u8] {
        if self.buf.len() - self.filled < READY_BYTES / 2 && self.buf.len() < self.whole {
            if self.buf.capacity() == self.buf.len() {
                self.grow();
            }
            let ready = (self.filled + READY_BYTES).min(self.whole).min(self.buf.capacity()).max(self.buf.len());
            self.buf.resize(ready, 0);
        }
        &mut self.buf[self.filled..]
    }

    /// Allocates the rest. One that has sent the first part of it may be believed that there is more: so there is one copy, of that part.
    #[cold]
    fn grow(&mut self) {
        let (len, rest) = (self.buf.len(), self.whole - self.buf.len());
        if self.buf.try_reserve_exact(rest).is_err() {
            // No allocator gives so much in one piece, or not now.
            self.buf.reserve_exact(rest.min(len.max(READY_BYTES)));
        }
    }

    /// Says that the first `n` bytes of the room have been filled.
    pub(super) fn fill(&mut self, n: usize) {
        debug_assert!(n <= self.buf.len() - self.filled);
        self.filled += n;
    }

    /// The whole argument, without the CRLF.
    pub(super) fn finish(mut self) -> Bytes {
        debug_assert_eq!(self.filled, self.whole);
        self.buf.truncate(self.whole - 2);
        Bytes::from(self.buf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_made_ready_once_and_the_rest_is_allocated_once() {
        for (whole, begun, step) in [(40_000, 0, 1000), (3 << 20, 24 * 1024, 7919), (5 << 20, 1, usize::MAX), (3 << 20, 2 << 20, 65_536)] {
            let bytes: Vec<u8> = (0..whole).map(|i| (i % 251) as u8).collect();
            let mut filling = Filling::new(whole, &bytes[..begun]);
            let (mut made, mut ready, mut allocations, mut capacity) = (0, begun, 0, filling.capacity());
            while filling.missing() > 0 {
                let at = filling.len();
                let room = filling.room();
                assert!(!room.is_empty() && room.len() <= READY_BYTES.max(whole - at));
                let n = room.len().min(step);
                room[..n].copy_from_slice(&bytes[at..at + n]);
                let end = at + room.len();
                made += end.saturating_sub(ready);
                ready = ready.max(end);
                filling.fill(n);
                allocations += usize::from(filling.capacity() != capacity);
                capacity = filling.capacity();
            }
            assert!(made <= whole && allocations <= 1, "{whole}: {made} bytes made ready, {allocations} more allocations");
            assert!(filling.finish() == bytes[..whole - 2]);
        }
    }

    #[test]
    fn what_is_announced_and_not_sent_is_not_allocated() {
        let mut filling = Filling::new(1 << 40, b"");
        assert!(filling.room().len() <= READY_BYTES && filling.capacity() <= FIRST_BYTES);
    }
}
