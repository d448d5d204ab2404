//! How much a node holds, and how much a list in the small form: `list-max-listpack-size` and `list-compress-depth`.

/// Bytes of a node for sizes -1 to -5.
const SIZES: [usize; 5] = [4096, 8192, 16_384, 32_768, 65_536];
/// Bytes of a node when the limit is a number of elements.
const BYTES_SAFE: usize = 8192;
/// What an element is taken to need besides its bytes.
const OVERHEAD: usize = 8;
/// An element of this many bytes is in no listpack.
pub(super) const GIANT: usize = 1 << 30;

/// The settings of lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeLimits {
    /// `list-max-listpack-size`: elements of a node, or, from -1 to -5, its bytes in classes of 4 to 64 KiB.
    pub size: i32,
    /// `list-compress-depth`: nodes at each end that are not compressed; 0: none is.
    pub depth: u32,
}

impl NodeLimits {
    /// The most bytes, or else the most elements, that a node has.
    fn most(self) -> Result<usize, usize> {
        match self.size {
            0.. => Err(self.size.max(1) as usize),
            _ => Ok(SIZES[(self.size.unsigned_abs() as usize).min(SIZES.len()) - 1]),
        }
    }

    /// Whether this is more than a node holds.
    #[inline]
    pub(super) fn exceeded_by(self, bytes: usize, count: usize) -> bool {
        match self.most() {
            Ok(bytes_max) => bytes > bytes_max,
            Err(count_max) => bytes > BYTES_SAFE || count > count_max,
        }
    }

    /// Whether a node of this size takes one more element of `len` bytes.
    #[inline]
    pub(super) fn admits(self, bytes: usize, count: usize, len: usize) -> bool {
        len < GIANT && !self.exceeded_by(bytes + len + OVERHEAD, count + 1)
    }

    /// Whether the only node of a list is small enough for the small form, whose limits are divided by `by`.
    pub(super) fn is_small(self, bytes: usize, count: usize, by: usize) -> bool {
        match self.most() {
            Ok(bytes_max) => bytes <= bytes_max / by,
            Err(count_max) => count <= count_max / by,
        }
    }

    /// The bytes that a node will have when it is full, if that is known.
    pub(super) fn bytes_full(self) -> Option<usize> {
        self.most().ok()
    }

    /// Whether an element of so many bytes gets a node for itself.
    pub(super) fn is_large(self, len: usize) -> bool {
        len > self.most().unwrap_or(BYTES_SAFE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(size: i32) -> NodeLimits {
        NodeLimits { size, depth: 0 }
    }

    #[test]
    fn negative_sizes_are_bytes_and_others_elements() {
        for (size, bytes) in [(-1, 4096), (-2, 8192), (-3, 16_384), (-4, 32_768), (-5, 65_536), (-6, 65_536), (i32::MIN, 65_536)] {
            assert!(!limits(size).exceeded_by(bytes, 30_000), "{size}");
            assert!(limits(size).exceeded_by(bytes + 1, 1), "{size}");
            assert!(limits(size).is_small(bytes / 2, 30_000, 2) && !limits(size).is_small(bytes / 2 + 1, 1, 2), "{size}");
        }
        for (size, count) in [(0, 1), (1, 1), (128, 128), (i32::MAX, i32::MAX as usize)] {
            assert!(!limits(size).exceeded_by(8192, count), "{size}");
            assert!(limits(size).exceeded_by(0, count + 1), "{size}");
            assert!(limits(size).exceeded_by(8193, 1), "whatever the count");
            assert_eq!(limits(size).is_small(1 << 20, 1, 2), size > 1, "a small list may have a large element");
        }
    }
}
