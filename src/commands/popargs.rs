//! What LMPOP, ZMPOP and their blocking forms have in common: how they are asked.

use super::{Ctx, context::errors};
use std::ops::Range;

/// Which keys, which end of what they hold, and how many elements at most.
pub struct PopArgs<End> {
    /// Indices of the arguments that are keys.
    pub keys: Range<usize>,
    /// Where the elements are taken.
    pub end: End,
    /// At least 1.
    pub count: usize,
}

impl<End> PopArgs<End> {
    /// `numkeys key... end [COUNT count]` from argument `at` on, the end being one of these words; answers with an error when they are wrong.
    pub fn parse(ctx: &mut Ctx<'_>, at: usize, ends: [(&str, End); 2]) -> Option<Self> {
        let keys = ctx.count_arg(at, 1, errors::NUMKEYS)?;
        let first = at + 1;
        let end_at = first.saturating_add(keys);
        // A word that is not there is empty, and so none of these.
        let Some((_, end)) = ends.into_iter().find(|(word, _)| ctx.is_word(end_at, word)) else {
            ctx.error(errors::SYNTAX);
            return None;
        };
        let mut count = None;
        let mut i = end_at + 1;
        while i < ctx.argc() {
            if count.is_some() || !ctx.is_word(i, "count") || i + 1 == ctx.argc() {
                ctx.error(errors::SYNTAX);
                return None;
            }
            count = Some(ctx.count_arg(i + 1, 1, "ERR count should be greater than 0")?);
            i += 2;
        }
        Some(Self { keys: first..end_at, end, count: count.unwrap_or(1) })
    }
}
