//! `string.gsub` with a text for replacement, and `string.rep`: what makes long strings, within a limit.

use super::{
    class::byte,
    pattern::{Capture, Matcher},
};
use crate::scripting::libs::Fault;

/// What Lua says when an allocation fails.
fn too_large() -> Fault {
    Fault::Plain("not enough memory".into())
}

fn grow(out: &mut Vec<u8>, part: &[u8], limit: usize) -> Result<(), Fault> {
    if part.len() > limit.saturating_sub(out.len()) {
        return Err(too_large());
    }
    out.extend_from_slice(part);
    Ok(())
}

/// Appends a replacement for the match from `start` to `end`: `%0` stands for the match, `%1` to `%9` for its captures, and `%` in
/// front of another character for that.
pub fn append_replacement(
    matcher: &Matcher,
    subject: &[u8],
    (start, end): (usize, usize),
    replacement: &[u8],
    out: &mut Vec<u8>,
    limit: usize,
) -> Result<(), Fault> {
    let mut rest = replacement;
    while let Some(plain) = memchr::memchr(b'%', rest) {
        grow(out, &rest[..plain], limit)?;
        match byte(rest, plain + 1) {
            b'0' => grow(out, &subject[start..end], limit)?,
            digit @ b'1'..=b'9' => match matcher.capture(usize::from(digit - b'1'), start, end)? {
                Capture::Part(from, to) => grow(out, &subject[from..to], limit)?,
                Capture::Position(at) => grow(out, itoa::Buffer::new().format(at + 1).as_bytes(), limit)?,
            },
            // Behind the end stands a byte 0, as in C's strings.
            other => grow(out, &[other], limit)?,
        }
        rest = rest.get(plain + 2..).unwrap_or(&[]);
    }
    grow(out, rest, limit)
}

/// Appends the subject with its first `count` matches replaced, and says how many there were.
pub fn substitute(
    matcher: &mut Matcher,
    subject: &[u8],
    pattern: &[u8],
    (replacement, count): (&[u8], i32),
    (out, limit): (&mut Vec<u8>, usize),
    look: &mut dyn FnMut() -> Result<(), Fault>,
) -> Result<i32, Fault> {
    let anchored = byte(pattern, 0) == b'^';
    let mut at = 0;
    let mut done = 0;
    while done < count {
        let end = matcher.match_at(subject, at, pattern, usize::from(anchored), look)?;
        if let Some(end) = end {
            done += 1;
            append_replacement(matcher, subject, (at, end), replacement, out, limit)?;
        }
        match end {
            Some(end) if end > at => at = end,
            _ if at < subject.len() => {
                grow(out, &subject[at..=at], limit)?;
                at += 1;
            }
            _ => break,
        }
        if anchored {
            break;
        }
    }
    grow(out, &subject[at..], limit)?;
    Ok(done)
}

/// Appends a text `count` times; no more than once for less than 1.
pub fn repeat(text: &[u8], count: i32, out: &mut Vec<u8>, limit: usize, look: &mut dyn FnMut() -> Result<(), Fault>) -> Result<(), Fault> {
    /// Bytes between two looks at whether the script is to end.
    const BYTES_BETWEEN_LOOKS: usize = 1 << 20;
    let Ok(count) = usize::try_from(count) else { return Ok(()) };
    let total = text.len().checked_mul(count).filter(|total| *total <= limit).ok_or_else(too_large)?;
    if total == 0 {
        return Ok(());
    }
    out.try_reserve(total).map_err(|_| too_large())?;
    let start = out.len();
    out.extend_from_slice(text);
    // What is there is doubled, in parts that fit between two looks.
    let mut left = total - text.len();
    while left > 0 {
        let part = (out.len() - start).min(left).min(BYTES_BETWEEN_LOOKS.max(text.len()) / text.len() * text.len());
        out.extend_from_within(start..start + part);
        left -= part;
        if part >= BYTES_BETWEEN_LOOKS / 2 {
            look()?;
        }
    }
    Ok(())
}
