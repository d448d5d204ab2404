//! What is looked at of a compiled script: whether one of its functions sets a global. The code is as `string.dump` gives it, on this machine and from Lua 5.1.

/// `\x1bLua`, 5.1, the official format, little endian; ints of 4 bytes, sizes of 8, instructions of 4, numbers of 8 that are no integers.
const HEADER: &[u8] = b"\x1bLua\x51\x00\x01\x04\x08\x04\x08\x00";
/// The operation of an instruction is in its lowest bits.
const OPERATION: u32 = 0x3f;
const SET_GLOBAL: u32 = 7;

/// Whether a function of this code sets a global, or may for all that can be said.
pub(super) fn sets_globals(code: &[u8]) -> bool {
    code.strip_prefix(HEADER).and_then(|rest| Reader(rest).function()) != Some(false)
}

/// Reads code from its beginning; `None` where it is not as it should be.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn int(&mut self) -> Option<usize> {
        let bytes = <[u8; 4]>::try_from(self.take(4)?).ok()?;
        usize::try_from(i32::from_le_bytes(bytes)).ok()
    }

    fn string(&mut self) -> Option<()> {
        let bytes = <[u8; 8]>::try_from(self.take(8)?).ok()?;
        self.take(usize::try_from(u64::from_le_bytes(bytes)).ok()?).map(drop)
    }

    fn ints(&mut self) -> Option<&'a [u8]> {
        let count = self.int()?;
        self.take(count.checked_mul(4)?)
    }

    /// A function and those inside of it, which Lua's compiler does not nest deeper than 200.
    fn function(&mut self) -> Option<bool> {
        self.string()?;
        // Lines, and numbers of upvalues, parameters and registers.
        self.take(4 + 4 + 4)?;
        let mut instructions = self.ints()?.chunks_exact(4);
        // What only looks like one is taken for it.
        let mut sets = instructions.any(|code| u32::from_le_bytes([code[0], code[1], code[2], code[3]]) & OPERATION == SET_GLOBAL);
        for _ in 0..self.int()? {
            match self.take(1)?[0] {
                0 => {}
                1 => drop(self.take(1)?),
                3 => drop(self.take(8)?),
                4 => self.string()?,
                _ => return None,
            }
        }
        for _ in 0..self.int()? {
            sets |= self.function()?;
        }
        self.ints()?;
        for _ in 0..self.int()? {
            self.string()?;
            self.take(8)?;
        }
        for _ in 0..self.int()? {
            self.string()?;
        }
        Some(sets)
    }
}
