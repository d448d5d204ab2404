//! The allocator's size classes: what an allocation really takes. At start they are held against what the allocator says itself (`alloc::check`).

/// Bytes of the pages that large allocations are made of.
pub const PAGE: usize = 4096;

/// Rounds a size up to the allocator's size classes: multiples of 8 to 64, then 4 classes a doubling, as long as they are less than a page apart;
/// then multiples of a page.
#[inline]
pub const fn size_class(size: usize) -> usize {
    let step = step(size);
    round(size, if step > PAGE { PAGE } else { step })
}

/// Rounds a size up to multiples of 8 to 64, then to one of 4 sizes a doubling however large. Each of them is a size class.
#[inline]
pub const fn quarter_class(size: usize) -> usize {
    round(size, step(size))
}

#[inline(always)]
const fn step(size: usize) -> usize {
    if size <= 64 { 8 } else { 1 << ((size - 1).ilog2() - 2) }
}

#[inline(always)]
const fn round(size: usize, step: usize) -> usize {
    // No size that fits in memory wraps.
    size.wrapping_add(step - 1) & !(step - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_classes_hold_their_size_and_waste_at_most_a_quarter() {
        for size in 8..100_000 {
            let class = size_class(size);
            assert!(class >= size && size_class(class) == class);
            assert!(size <= 64 || (class - size) * 4 <= size);
            assert!(class - size < PAGE);
        }
    }

    #[test]
    fn quarters_of_a_doubling_are_size_classes() {
        for size in (1..100_000).chain([1 << 20, (1 << 20) + 1, (1 << 30) - 1, 1 << 30]) {
            let class = quarter_class(size);
            assert!(class >= size && size_class(class) == class && quarter_class(class) == class, "{size}");
        }
    }
}
