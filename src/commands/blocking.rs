//! What blocking commands have in common.

use super::Ctx;
use crate::data::{float, number};

/// Argument `i` as a timeout in seconds, with a fraction: the moment (Unix ms) at which it is over, 0 for never. Answers with an error
/// when it is none.
pub fn timeout(ctx: &mut Ctx<'_>, i: usize) -> Option<i64> {
    let deadline = deadline_ms(ctx.arg(i), ctx.now_ms());
    deadline.map_err(|text| ctx.error(text)).ok()
}

/// The same for an argument in whole milliseconds.
pub fn timeout_ms(ctx: &mut Ctx<'_>, i: usize) -> Option<i64> {
    let now_ms = ctx.now_ms();
    let deadline = match number::parse_i64(ctx.arg(i)) {
        None => Err("ERR timeout is not an integer or out of range"),
        Some(..0) => Err("ERR timeout is negative"),
        Some(0) => Ok(0),
        Some(ms) => ms.checked_add(now_ms).ok_or("ERR timeout is out of range"),
    };
    deadline.map_err(|text| ctx.error(text)).ok()
}

fn deadline_ms(seconds: &[u8], now_ms: i64) -> Result<i64, &'static str> {
    let ms = float::parse(seconds).ok_or("ERR timeout is not a float or out of range")? * 1000.0;
    // 2^63, which a double holds exactly.
    if ms >= i64::MAX as f64 {
        return Err("ERR timeout is out of range");
    }
    // Not a moment too early.
    match ms.ceil() as i64 {
        ..0 => Err("ERR timeout is negative"),
        0 => Ok(0),
        ms => ms.checked_add(now_ms).ok_or("ERR timeout is out of range"),
    }
}

#[cfg(test)]
pub use standin::COMMANDS;

/// The plainest command that waits: for tests of waiting itself.
#[cfg(test)]
mod standin {
    use super::{
        super::{
            Ctx,
            command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
            context::{BlockOn, Event, InVain, text},
        },
        timeout,
    };

    /// `BTAKE key... timeout`: takes the first string there is away, and returns its key and itself.
    fn btake(ctx: &mut Ctx) {
        let last = ctx.argc() - 1;
        let Some(deadline_ms) = timeout(ctx, last) else { return };
        for i in 1..last {
            let (hash, key) = (ctx.hash(i), ctx.arg(i));
            let Some(entry) = ctx.server.keyspace.remove(ctx.db, hash, key) else { continue };
            ctx.out.array(2);
            ctx.out.bulk(key);
            if let Some(text) = text(entry.value()) {
                text.with(|text| ctx.out.bulk(text));
            }
            ctx.log_instead(&[b"DEL", key]);
            return ctx.changed(i, Event('g', "del"));
        }
        ctx.block(BlockOn::keys(1, last - 1, deadline_ms, InVain::NullArray));
    }

    /// `BHAND source destination timeout`: hands a string on.
    fn bhand(ctx: &mut Ctx) {
        let Some(deadline_ms) = timeout(ctx, 3) else { return };
        let hash = ctx.hash(1);
        let Some(entry) = ctx.server.keyspace.remove(ctx.db, hash, ctx.arg(1)) else {
            return ctx.block(BlockOn::keys(1, 1, deadline_ms, InVain::Null));
        };
        ctx.changed(1, Event('g', "del"));
        let (to, key) = (ctx.hash(2), ctx.arg(2));
        ctx.server.keyspace.remove(ctx.db, to, key);
        let entry = crate::data::entry::Entry::new_inline(key, &text(entry.value()).expect("a string").with(<[u8]>::to_vec), i64::MAX);
        ctx.server.keyspace.insert(ctx.db, to, entry);
        ctx.changed(2, Event('$', "set"));
        ctx.out.ok();
    }

    pub const COMMANDS: &[Command] = &[
        command("btake", btake, -3, WRITE | NOSCRIPT | BLOCKING)
            .since(Group::String, "1.0.0")
            .doc("Waits for a string.", "O(1)")
            .args("key... timeout:double")
            .keys(&[KeySpec::range(1, -2, 1, k::RW)]),
        command("bhand", bhand, 4, WRITE | NOSCRIPT | BLOCKING)
            .since(Group::String, "1.0.0")
            .doc("Waits for a string.", "O(1)")
            .args("source destination timeout:double")
            .keys(&[KeySpec::range(1, 2, 1, k::RW)]),
    ];
}

#[cfg(test)]
mod tests {
    use super::deadline_ms;

    #[test]
    fn a_timeout_is_seconds_with_a_fraction() {
        for (text, deadline) in [("0", Ok(0)), ("1", Ok(1100)), ("0.001", Ok(101)), ("0.0001", Ok(101)), ("1e-9", Ok(101)), ("-0", Ok(0))] {
            assert_eq!(deadline_ms(text.as_bytes(), 100), deadline, "{text}");
        }
        for text in ["", "x", "1s", " 1", "nan"] {
            assert_eq!(deadline_ms(text.as_bytes(), 100), Err("ERR timeout is not a float or out of range"), "{text}");
        }
        assert_eq!(deadline_ms(b"-1", 100), Err("ERR timeout is negative"));
        for text in ["0x7FFFFFFFFFFFFFFF", "0x1FFFFFFFFFFFFF", "1e30", "inf"] {
            assert_eq!(
                deadline_ms(text.as_bytes(), 1 << 50).err(),
                (text != "0x1FFFFFFFFFFFFF").then_some("ERR timeout is out of range"),
                "{text}"
            );
        }
    }
}
