//! Bytes of a connection that are not done with, in a row.

/// Room that a buffer keeps beyond twice what it holds.
const SPARE_MAX: usize = 64 * 1024;

/// A buffer to which bytes are added at the end and from which they are taken at the front. Either costs in proportion to the bytes added and taken, however
/// many others there are.
#[derive(Default)]
pub struct InputBuffer {
    bytes: Vec<u8>,
    /// How many at the front are done with.
    done: usize,
}

impl InputBuffer {
    /// The bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[self.done..]
    }

    /// How many there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len() - self.done
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of its allocation.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Adds bytes at the end.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Takes so many bytes away at the front. What is left moves only when it is no more than what has been taken since it last did.
    pub fn consume(&mut self, count: usize) {
        debug_assert!(count <= self.len());
        self.done += count;
        if self.len() <= self.done {
            self.bytes.drain(..self.done);
            self.done = 0;
            if self.bytes.capacity() > 2 * self.bytes.len() + SPARE_MAX {
                self.bytes.shrink_to(self.bytes.len());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_a_queue(ops in proptest::collection::vec((0..3000usize, any::<prop::sample::Index>()), 0..60)) {
            let (mut buffer, mut model) = (InputBuffer::default(), Vec::new());
            let mut next = 0u8;
            for (add, take) in ops {
                let bytes: Vec<u8> = (0..add).map(|_| { next = next.wrapping_add(1); next }).collect();
                buffer.extend(&bytes);
                model.extend(bytes);
                let count = take.index(model.len() + 1);
                buffer.consume(count);
                model.drain(..count);
                prop_assert_eq!((buffer.bytes(), buffer.len(), buffer.is_empty()), (&model[..], model.len(), model.is_empty()));
            }
        }
    }

    #[test]
    fn taking_little_of_much_moves_little() {
        let mut buffer = InputBuffer::default();
        buffer.extend(&vec![b'x'; 8 << 20]);
        let place = buffer.bytes().as_ptr() as usize;
        for taken in 1..=1000 {
            buffer.consume(1);
            assert_eq!(buffer.bytes().as_ptr() as usize, place + taken, "nothing has moved");
        }
        buffer.consume(buffer.len());
        assert!(buffer.capacity() <= SPARE_MAX);
    }
}
