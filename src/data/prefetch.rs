//! A hint to the processor. One of the rooms where `unsafe` is allowed (see lib.rs).
#![allow(unsafe_code)]

/// Prefetches the cache line at `at`. Never faults, whatever the address; a no-op where the target has no such hint.
#[inline(always)]
pub fn read<T>(at: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE is part of x86_64's baseline, and a prefetch of any address, mapped or not, has no architectural effect.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}
