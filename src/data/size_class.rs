//! The allocator's size classes: what an allocation really takes.

/// Rounds a size up to the allocator's size classes: multiples of 8 to 64, then 4 classes a doubling.
#[inline]
pub const fn size_class(size: usize) -> usize {
    if size <= 64 {
        return (size + 7) & !7;
    }
    let step = 1usize << ((size - 1).ilog2() - 2);
    (size + step - 1) & !(step - 1)
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
        }
    }
}
