//! Times as commands are given them, and the deadlines they become.

use super::{Ctx, context::Event};
use crate::data::entry::NEVER;

/// What a time is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
}

/// The last moment of all. [`NEVER`] takes the number of the one after it, so a key that is to expire then expires a millisecond early.
const LAST: i64 = NEVER - 1;

/// A moment (Unix ms) as the keyspace keeps it: never [`NEVER`].
pub fn storable(at_ms: i64) -> i64 {
    at_ms.min(LAST)
}

/// A deadline as clients see it: what [`storable`] was given.
pub fn shown(deadline: i64) -> i64 {
    if deadline == LAST { i64::MAX } else { deadline }
}

/// `time` in milliseconds since 1970, if that can be expressed; `base_ms` is the moment it counts from.
pub fn moment(time: i64, unit: Unit, base_ms: i64) -> Option<i64> {
    let ms = match unit {
        Unit::Seconds => time.checked_mul(1000)?,
        Unit::Milliseconds => time,
    };
    ms.checked_add(base_ms)
}

/// Argument `i` as a moment (Unix ms) given in `unit`, counted from now or from 1970; answers with an error when it is no positive
/// integer, or too large.
pub fn positive_arg(ctx: &mut Ctx<'_>, i: usize, unit: Unit, relative: bool) -> Option<i64> {
    let time = ctx.int_arg(i)?;
    let base_ms = if relative { ctx.now_ms() } else { 0 };
    let at = moment(time, unit, base_ms).filter(|at| time > 0 && *at > 0);
    if at.is_none() {
        invalid(ctx);
    }
    at
}

/// The error for a time that cannot be.
pub fn invalid(ctx: &mut Ctx<'_>) {
    let name = ctx.registry.full_name(ctx.command).to_owned();
    ctx.error(format!("ERR invalid expire time in '{name}' command"));
}

/// Says and logs that `key` (argument 1) is deleted because it was given a deadline that is past.
pub fn log_deletion(ctx: &mut Ctx<'_>, key: &[u8]) {
    ctx.changed_key(key, Event('g', "del"));
    let name: &[u8] = if ctx.server.config.lazyfree_lazy_expire { b"UNLINK" } else { b"DEL" };
    ctx.log_instead(&[name, key]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_that_cannot_be_expressed_is_none() {
        assert_eq!(moment(5, Unit::Seconds, 100), Some(5100));
        assert_eq!(moment(-5, Unit::Milliseconds, 100), Some(95));
        assert_eq!(moment(i64::MAX / 1000, Unit::Seconds, 1000), None);
        assert_eq!(moment(i64::MAX / 1000 + 1, Unit::Seconds, 0), None);
        assert_eq!(moment(i64::MIN / 1000 - 1, Unit::Seconds, 0), None);
        assert_eq!(moment(i64::MAX, Unit::Milliseconds, 1), None);
    }

    #[test]
    fn the_last_moment_is_not_never() {
        assert_eq!(storable(7), 7);
        assert_ne!(storable(i64::MAX), NEVER);
        assert_eq!(shown(storable(i64::MAX)), i64::MAX);
    }
}
