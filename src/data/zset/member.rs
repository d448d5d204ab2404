//! A member with its score.

use crate::data::member;

/// An owned member with its score, one pointer wide.
pub type Member = member::Member<f64>;

/// Another way to one.
pub type MemberPtr = member::MemberPtr<f64>;

impl Member {
    /// Its score.
    #[inline(always)]
    pub fn score(&self) -> f64 {
        self.head()
    }

    /// Gives it another score.
    #[inline(always)]
    pub fn set_score(&mut self, score: f64) {
        self.set_head(score);
    }
}
