//! What a tree holds, and how places in it are told.

/// An element: a score, and the way to what has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Elem<L> {
    /// Not NaN.
    pub score: f64,
    pub link: L,
}

/// A place between two elements, or at either end.
pub trait Boundary<L> {
    /// How many of these elements come before it: they are in order, so they are the first ones. Behind their scores there may be infinite
    /// ones of no element: there are as many as links.
    fn count_before(&self, scores: &[f64], links: &[L]) -> usize;
}

/// Scores that are counted together.
pub const EIGHT: usize = 8;

/// How many of these scores are below another.
#[inline(always)]
pub fn count_below(scores: &[f64], score: f64) -> usize {
    // A checked sum is not vectorised, and this one is at most the number of scores.
    scores.iter().fold(0u64, |below, s| below.wrapping_add(u64::from(*s < score))) as usize
}
