//! One match of a pattern at one place.
//!
//! Lua's own matcher calls itself for each item, as deep as the pattern is long. This one keeps what it can still try in a list on
//! the heap, of bounded length: the latest choice is the first to be tried again. A choice is taken back with everything that
//! was done after it, captures included, so the result is the recursive one's.

use super::class::{self, byte};
use crate::scripting::libs::Fault;

/// Captures of one pattern at most.
const CAPTURES_MAX: usize = 32;

/// Open choices at most: what a pattern of 100,000 optional items needs.
const CHOICES_MAX: usize = 200_000;

/// Characters looked at between two looks at whether the script is to end.
const STEPS_BETWEEN_LOOKS: u32 = 16_384;

/// A part of the subject that a pattern asked for: its bytes from and to, or the position where the match was, from 0.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Capture {
    Part(usize, usize),
    Position(usize),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Extent {
    Open,
    Position,
    Length(usize),
}

#[derive(Clone, Copy, Debug)]
enum Choice {
    /// Goes on with the item at `item` from `at`.
    Skip { at: usize, item: u32 },
    /// Fewer repetitions of what was matched as often as possible: `at` from `least` on.
    Fewer { least: usize, at: usize, item: u32 },
    /// One repetition more of the item from `from` to `end`, matched as rarely as possible.
    More { at: usize, from: u32, end: u32 },
    /// Takes back the opening of the latest capture.
    Open,
    /// Takes back the closing of a capture.
    Close { capture: u8 },
}

/// The captures of the latest match, and room for the work; kept from one call to the next.
#[derive(Debug, Default)]
pub struct Matcher {
    captures: Vec<(usize, Extent)>,
    choices: Vec<Choice>,
    steps: u32,
}

fn fault(text: &str) -> Fault {
    Fault::Error(text.into())
}

type Look<'a> = &'a mut dyn FnMut() -> Result<(), Fault>;

impl Matcher {
    /// Where the match ends that starts at `start` of the subject, if there is one. The pattern is without the anchor `^`, starts at
    /// `from` of its text, and ends with the text or a byte 0.
    pub fn match_at(&mut self, subject: &[u8], start: usize, pattern: &[u8], from: usize, look: Look) -> Result<Option<usize>, Fault> {
        self.captures.clear();
        self.choices.clear();
        let mut state = Some((start, from));
        while let Some((at, item)) = state {
            match self.item(subject, at, pattern, item, look)? {
                Step::Matched => return Ok(Some(at)),
                Step::Next(at, item) => state = Some((at, item)),
                Step::Failed => state = self.again(subject, pattern, look)?,
            }
        }
        Ok(None)
    }

    /// Lets go of what an unusual pattern needed.
    pub fn let_go(&mut self) {
        self.choices.clear();
        self.choices.shrink_to(4096);
    }

    /// How many captures the match has.
    pub fn count(&self) -> usize {
        self.captures.len()
    }

    /// A capture, from 0. Without any, capture 0 is the whole match, whose bounds are given.
    pub fn capture(&self, index: usize, start: usize, end: usize) -> Result<Capture, Fault> {
        match self.captures.get(index) {
            Some((_, Extent::Open)) => Err(fault("unfinished capture")),
            Some((at, Extent::Position)) => Ok(Capture::Position(*at)),
            Some((at, Extent::Length(length))) => Ok(Capture::Part(*at, at + length)),
            None if index == 0 => Ok(Capture::Part(start, end)),
            None => Err(fault("invalid capture index")),
        }
    }

    fn step(&mut self, look: Look) -> Result<(), Fault> {
        self.steps += 1;
        if self.steps >= STEPS_BETWEEN_LOOKS {
            self.steps = 0;
            look()?;
        }
        Ok(())
    }

    fn choose(&mut self, choice: Choice) -> Result<(), Fault> {
        if self.choices.len() == CHOICES_MAX {
            return Err(fault("pattern too complex"));
        }
        self.choices.push(choice);
        Ok(())
    }

    /// Matches the item at `item` of the pattern.
    fn item(&mut self, subject: &[u8], at: usize, pattern: &[u8], item: usize, look: Look) -> Result<Step, Fault> {
        self.step(look)?;
        match byte(pattern, item) {
            0 => Ok(Step::Matched),
            b'(' => self.open(at, pattern, item),
            b')' => self.close(at, item),
            b'$' if byte(pattern, item + 1) == 0 => Ok(if at == subject.len() { Step::Matched } else { Step::Failed }),
            b'%' => match byte(pattern, item + 1) {
                b'b' => self.balanced(subject, at, pattern, item, look),
                b'f' => frontier(subject, at, pattern, item),
                digit @ b'0'..=b'9' => self.same_as_capture(subject, at, item, digit, look),
                _ => self.repeated(subject, at, pattern, item, look),
            },
            _ => self.repeated(subject, at, pattern, item, look),
        }
    }

    fn open(&mut self, at: usize, pattern: &[u8], item: usize) -> Result<Step, Fault> {
        if self.captures.len() == CAPTURES_MAX {
            return Err(fault("too many captures"));
        }
        self.choose(Choice::Open)?;
        let position = byte(pattern, item + 1) == b')';
        self.captures.push((at, if position { Extent::Position } else { Extent::Open }));
        Ok(Step::Next(at, item + if position { 2 } else { 1 }))
    }

    fn close(&mut self, at: usize, item: usize) -> Result<Step, Fault> {
        let open = self.captures.iter().rposition(|(_, extent)| *extent == Extent::Open);
        let capture = open.ok_or_else(|| fault("invalid pattern capture"))?;
        self.choose(Choice::Close { capture: capture as u8 })?;
        let (start, extent) = &mut self.captures[capture];
        *extent = Extent::Length(at - *start);
        Ok(Step::Next(at, item + 1))
    }

    /// `%bxy`: from x to the y that balances it.
    fn balanced(&mut self, subject: &[u8], at: usize, pattern: &[u8], item: usize, look: Look) -> Result<Step, Fault> {
        let (open, close) = (byte(pattern, item + 2), byte(pattern, item + 3));
        if open == 0 || close == 0 {
            return Err(fault("unbalanced pattern"));
        }
        if byte(subject, at) != open {
            return Ok(Step::Failed);
        }
        let mut depth = 1usize;
        for (offset, &character) in subject[at + 1..].iter().enumerate() {
            self.step(look)?;
            if character == close {
                depth -= 1;
                if depth == 0 {
                    return Ok(Step::Next(at + offset + 2, item + 4));
                }
            } else if character == open {
                depth += 1;
            }
        }
        Ok(Step::Failed)
    }

    /// `%1`: what a capture matched, again.
    fn same_as_capture(&mut self, subject: &[u8], at: usize, item: usize, digit: u8, look: Look) -> Result<Step, Fault> {
        let invalid = || fault("invalid capture index");
        let index = usize::from(digit).checked_sub(usize::from(b'1')).ok_or_else(invalid)?;
        match self.captures.get(index) {
            None | Some((_, Extent::Open)) => Err(invalid()),
            // The length of a position is larger than any subject.
            Some((_, Extent::Position)) => Ok(Step::Failed),
            Some(&(start, Extent::Length(length))) => {
                // A comparison of long parts counts for as much as it looks at.
                self.steps = self.steps.saturating_add((length / 16) as u32);
                self.step(look)?;
                let same = subject[at..].starts_with(&subject[start..start + length]);
                Ok(if same { Step::Next(at + length, item + 2) } else { Step::Failed })
            }
        }
    }

    /// A set of characters, with how often behind it.
    fn repeated(&mut self, subject: &[u8], at: usize, pattern: &[u8], item: usize, look: Look) -> Result<Step, Fault> {
        let end = class::end(pattern, item)?;
        let one = at < subject.len() && class::matches(subject[at], pattern, item, end);
        match byte(pattern, end) {
            b'?' => {
                if !one {
                    return Ok(Step::Next(at, end + 1));
                }
                self.choose(Choice::Skip { at, item: (end + 1) as u32 })?;
                Ok(Step::Next(at + 1, end + 1))
            }
            b'*' => self.most(subject, at, pattern, (item, end), look),
            b'+' if one => self.most(subject, at + 1, pattern, (item, end), look),
            b'+' => Ok(Step::Failed),
            b'-' => {
                self.choose(Choice::More { at, from: item as u32, end: end as u32 })?;
                Ok(Step::Next(at, end + 1))
            }
            _ => Ok(if one { Step::Next(at + 1, end) } else { Step::Failed }),
        }
    }

    fn most(&mut self, subject: &[u8], least: usize, pattern: &[u8], (item, end): (usize, usize), look: Look) -> Result<Step, Fault> {
        let mut at = least;
        while at < subject.len() && class::matches(subject[at], pattern, item, end) {
            self.step(look)?;
            at += 1;
        }
        if at > least {
            self.choose(Choice::Fewer { least, at: at - 1, item: (end + 1) as u32 })?;
        }
        Ok(Step::Next(at, end + 1))
    }

    /// The latest choice that is left: where to go on in the subject and in the pattern.
    fn again(&mut self, subject: &[u8], pattern: &[u8], look: Look) -> Result<Option<(usize, usize)>, Fault> {
        while let Some(choice) = self.choices.pop() {
            self.step(look)?;
            match choice {
                Choice::Skip { at, item } => return Ok(Some((at, item as usize))),
                Choice::Fewer { least, at, item } => {
                    if at > least {
                        self.choices.push(Choice::Fewer { least, at: at - 1, item });
                    }
                    return Ok(Some((at, item as usize)));
                }
                Choice::More { at, from, end } => {
                    if at < subject.len() && class::matches(subject[at], pattern, from as usize, end as usize) {
                        self.choices.push(Choice::More { at: at + 1, from, end });
                        return Ok(Some((at + 1, end as usize + 1)));
                    }
                }
                Choice::Open => drop(self.captures.pop()),
                Choice::Close { capture } => self.captures[usize::from(capture)].1 = Extent::Open,
            }
        }
        Ok(None)
    }
}

enum Step {
    /// The whole pattern.
    Matched,
    /// Goes on there in the subject and there in the pattern.
    Next(usize, usize),
    Failed,
}

/// `%f[set]`: where a character outside of the set is followed by one inside of it. Both ends of the subject count as a byte 0.
fn frontier(subject: &[u8], at: usize, pattern: &[u8], item: usize) -> Result<Step, Fault> {
    let set = item + 2;
    if byte(pattern, set) != b'[' {
        return Err(fault("missing '[' after '%f' in pattern"));
    }
    let end = class::end(pattern, set)?;
    let before = if at == 0 { 0 } else { subject[at - 1] };
    let is_frontier = !class::is_in_set(before, pattern, set, end - 1) && class::is_in_set(byte(subject, at), pattern, set, end - 1);
    Ok(if is_frontier { Step::Next(at, end) } else { Step::Failed })
}
