//! What clients take of memory, all together and by size, so that the largest can be closed when it is too much (`maxmemory-clients`).

use super::conn_id::ConnId;
use std::collections::BTreeSet;

/// The smallest size that is told from others, and the largest, as powers of two.
const BYTES_MIN_LOG2: u32 = 15;
const BYTES_MAX_LOG2: u32 = 33;
/// Classes of size: clients of one are alike.
pub const CLASSES: usize = (BYTES_MAX_LOG2 - BYTES_MIN_LOG2) as usize + 1;
/// A lower limit would let nobody do anything.
pub const LIMIT_MIN_BYTES: u64 = 128 * 1024;

/// The class of a client that takes so many bytes.
fn class_of(bytes: usize) -> u8 {
    let log2 = bytes.checked_ilog2().map_or(0, |log2| log2 + 1);
    log2.clamp(BYTES_MIN_LOG2, BYTES_MAX_LOG2) as u8 - BYTES_MIN_LOG2 as u8
}

/// The sizes of a class in bytes: the least, and the first that is too large (`None`: there is none).
pub fn sizes_of(class: usize) -> (usize, Option<usize>) {
    let from = if class == 0 { 0 } else { 1 << (class + BYTES_MIN_LOG2 as usize - 1) };
    (from, (class + 1 < CLASSES).then(|| 1 << (class + BYTES_MIN_LOG2 as usize)))
}

/// What was last known of a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NotedMemory {
    /// Bytes of memory that it takes.
    pub bytes: usize,
    /// Its class, if it may be closed for its size.
    pub class: Option<u8>,
}

impl NotedMemory {
    /// A client that takes so many bytes and may, or may not, be closed for that.
    pub fn new(bytes: usize, may_go: bool) -> Self {
        Self { bytes, class: may_go.then(|| class_of(bytes)) }
    }
}

/// What all clients take.
#[derive(Default)]
pub struct ClientMemory {
    /// There is a limit, so all of this is kept.
    pub is_limited: bool,
    /// Bytes of all together.
    total: usize,
    /// Those that may be closed, by class.
    by_class: BTreeSet<(u8, u32)>,
    /// Clients that have changed in this turn, and have not been looked at.
    pub changed: Vec<ConnId>,
}

impl ClientMemory {
    /// Bytes that all clients take together.
    pub fn total(&self) -> usize {
        self.total
    }

    /// A client that was noted so takes something else now.
    pub fn replace(&mut self, conn: ConnId, old: &mut NotedMemory, new: NotedMemory) {
        self.total = (self.total + new.bytes).saturating_sub(old.bytes);
        if old.class != new.class {
            old.class.iter().for_each(|class| _ = self.by_class.remove(&(*class, conn.0)));
            self.by_class.extend(new.class.map(|class| (class, conn.0)));
        }
        *old = new;
    }

    /// One of the largest clients that may be closed.
    pub fn largest(&self) -> Option<ConnId> {
        self.by_class.last().map(|(_, conn)| ConnId(*conn))
    }

    /// The clients of a class.
    pub fn of_class(&self, class: usize) -> impl Iterator<Item = ConnId> {
        let class = class as u8;
        self.by_class.range((class, 0)..=(class, u32::MAX)).map(|(_, conn)| ConnId(*conn))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_powers_of_two() {
        for (bytes, class) in [(0, 0), (32_767, 0), (32_768, 1), (65_535, 1), (65_536, 2), (1 << 20, 6), (1 << 32, 18), (usize::MAX, 18)] {
            assert_eq!(class_of(bytes), class, "{bytes}");
            let (from, to) = sizes_of(usize::from(class));
            assert!(from <= bytes && to.is_none_or(|to| bytes < to), "{bytes}");
        }
    }

    #[test]
    fn the_largest_is_found_and_the_sum_kept() {
        let mut memory = ClientMemory::default();
        let mut noted = [NotedMemory::default(); 3];
        let mut note = |memory: &mut ClientMemory, at: usize, bytes, may_go| {
            memory.replace(ConnId(at as u32), &mut noted[at], NotedMemory::new(bytes, may_go));
        };
        note(&mut memory, 0, 1000, true);
        note(&mut memory, 1, 100_000, true);
        note(&mut memory, 2, 1_000_000, false);
        assert_eq!((memory.total(), memory.largest()), (1_101_000, Some(ConnId(1))));
        note(&mut memory, 0, 200_000, true);
        assert_eq!((memory.total(), memory.largest()), (1_300_000, Some(ConnId(0))));
        note(&mut memory, 0, 0, false);
        note(&mut memory, 1, 0, false);
        assert_eq!((memory.total(), memory.largest()), (1_000_000, None));
    }
}
