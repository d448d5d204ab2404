//! `string.find` and `string.match`, and the steps of `string.gmatch`.

use super::{class::byte, pattern::Matcher};
use crate::scripting::libs::Fault;
use memchr::memmem;

/// Characters that make a pattern of a text.
const SPECIALS: &[u8] = b"^$*+?.([%-";

/// A match from `start` to `end`, counted from 0. The matcher has its captures unless the search was for a plain text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Found {
    pub start: usize,
    pub end: usize,
    pub plain: bool,
}

/// Where to begin, from 0, for a position from 1 or, when negative, from the end.
pub fn start_of(position: i64, length: usize) -> usize {
    let position = if position < 0 { position.saturating_add(length as i64).saturating_add(1) } else { position };
    usize::try_from(position.saturating_sub(1)).unwrap_or(0).min(length)
}

/// Whether a pattern is only a text.
pub fn is_plain(pattern: &[u8]) -> bool {
    !pattern.iter().take_while(|&&byte| byte != 0).any(|byte| SPECIALS.contains(byte))
}

/// Finds a text as it is.
pub fn find_plain(subject: &[u8], start: usize, text: &[u8]) -> Option<Found> {
    let start = start + memmem::find(&subject[start..], text)?;
    Some(Found { start, end: start + text.len(), plain: true })
}

/// The first match from `start` on. A pattern that begins with `^` matches there or not at all.
pub fn find(
    matcher: &mut Matcher,
    subject: &[u8],
    start: usize,
    pattern: &[u8],
    look: &mut dyn FnMut() -> Result<(), Fault>,
) -> Result<Option<Found>, Fault> {
    let anchored = byte(pattern, 0) == b'^';
    search(matcher, subject, start, pattern, usize::from(anchored), anchored, look)
}

/// The next match of `string.gmatch`, to which `^` is a character as others.
pub fn next_match(
    matcher: &mut Matcher,
    subject: &[u8],
    start: usize,
    pattern: &[u8],
    look: &mut dyn FnMut() -> Result<(), Fault>,
) -> Result<Option<Found>, Fault> {
    search(matcher, subject, start, pattern, 0, false, look)
}

fn search(
    matcher: &mut Matcher,
    subject: &[u8],
    start: usize,
    pattern: &[u8],
    from: usize,
    anchored: bool,
    look: &mut dyn FnMut() -> Result<(), Fault>,
) -> Result<Option<Found>, Fault> {
    for start in start..=subject.len() {
        if let Some(end) = matcher.match_at(subject, start, pattern, from, look)? {
            return Ok(Some(Found { start, end, plain: false }));
        }
        if anchored {
            break;
        }
    }
    Ok(None)
}
