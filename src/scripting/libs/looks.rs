//! Work that lasts asks now and then whether the script is to end, and whether there is room for what it has made.

use super::{Fault, Stack};

/// Values visited between two looks.
const STEPS_BETWEEN_LOOKS: u32 = 4096;

/// Bytes of a string that is not asked room for.
const STRING_SHORT: usize = 4096;

/// Counts what is visited, and asks when it is time.
pub struct Looks<'a> {
    look: &'a mut dyn FnMut() -> Result<(), Fault>,
    steps: u32,
}

impl<'a> Looks<'a> {
    /// `look` ends the work with its fault.
    pub fn new(look: &'a mut dyn FnMut() -> Result<(), Fault>) -> Self {
        Self { look, steps: 0 }
    }

    fn is_due(&mut self) -> bool {
        self.steps += 1;
        let is_due = self.steps == STEPS_BETWEEN_LOOKS;
        if is_due {
            self.steps = 0;
        }
        is_due
    }

    /// One more value is visited.
    pub fn step(&mut self) -> Result<(), Fault> {
        if self.is_due() { (self.look)() } else { Ok(()) }
    }

    /// The same where this has been made so far.
    pub fn step_making(&mut self, stack: &impl Stack, made: &[u8]) -> Result<(), Fault> {
        if self.is_due() {
            fits(stack, made, 0)?;
            (self.look)()?;
        }
        Ok(())
    }
}

/// Whether there is room for so many bytes more. Tables may stand in others many times, so that little makes much.
fn fits(stack: &impl Stack, made: &[u8], bytes: usize) -> Result<(), Fault> {
    let is_there = made.len().saturating_add(bytes) <= stack.room();
    if is_there { Ok(()) } else { Err(Fault::Plain("not enough memory".into())) }
}

/// Asks for room for the string on top, if it is a long one.
pub fn fits_string(stack: &impl Stack, made: &[u8]) -> Result<(), Fault> {
    let len = stack.bytes(-1).len();
    if len > STRING_SHORT { fits(stack, made, len) } else { Ok(()) }
}
