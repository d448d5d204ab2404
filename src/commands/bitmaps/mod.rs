//! Strings as rows of bits: what their commands share. Each file below has a few of the commands, and ends in their rows of the table.

pub mod combining;
pub mod counting;
pub mod fields;
pub mod single;

use super::Ctx;
use crate::data::number;

const BAD_OFFSET: &str = "ERR bit offset is not an integer or out of range";

/// A bit's place, as a client writes it. Strings end where an argument may: at `limit` bytes (`proto-max-bulk-len`).
fn bit_offset(text: &[u8], limit: usize) -> Option<u64> {
    let bit = u64::try_from(number::parse_i64(text)?).ok()?;
    (bit >> 3 < limit as u64).then_some(bit)
}

/// Argument `i` as a bit's place; answers with an error when it is none.
fn bit_arg(ctx: &mut Ctx<'_>, i: usize) -> Option<u64> {
    let bit = bit_offset(ctx.arg(i), ctx.server.config.proto_max_bulk_len);
    if bit.is_none() {
        ctx.error(BAD_OFFSET);
    }
    bit
}
