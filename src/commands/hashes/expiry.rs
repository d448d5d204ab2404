//! Deadlines of fields: giving them one, asking for it, taking it away.

use super::{Changed, HashPlace, simple::removed};
use crate::{
    commands::{
        Ctx,
        command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
        context::Event,
        deadline::{self, Unit},
    },
    data::{entry::NEVER, number},
    keyspace::ExpireMode,
    resp::request::OwnedArgs,
};
use std::ops::Range;

/// The last moment (Unix ms) that a field can be given: Redis keeps such moments in 46 bits.
const LAST_MS: i64 = (1 << 46) - 1;

/// There is no such field.
const NO_FIELD: i64 = -2;
/// The field has no deadline.
const NO_DEADLINE: i64 = -1;
/// The condition does not hold.
const NOT_MET: i64 = 0;
/// The deadline is set, or taken away.
const DONE: i64 = 1;
/// The field is deleted, because the deadline is past.
const DELETED: i64 = 2;

/// The fields that are named from argument `at` on, as `FIELDS count field...` and nothing behind; answers with an error, with `bad_count` as
/// its text where the count is none.
pub(super) fn named_fields(ctx: &mut Ctx<'_>, at: usize, bad_count: &str) -> Option<Range<usize>> {
    if !ctx.is_word(at, "fields") {
        ctx.error("ERR Mandatory argument FIELDS is missing or not at the right position");
        return None;
    }
    let Some(count @ 1..) = number::parse_i64(ctx.arg(at + 1)) else {
        ctx.error(bad_count);
        return None;
    };
    let fields = (at + 2).min(ctx.argc())..ctx.argc();
    if fields.len() as i64 != count {
        ctx.error("ERR The `numfields` parameter must match the number of arguments");
        return None;
    }
    Some(fields)
}

/// What most commands say of a count of fields that is none.
pub(super) const BAD_COUNT: &str = "ERR Number of fields must be a positive integer";

/// Argument `i` as the moment (Unix ms) from which on fields are gone; answers with an error when it is none.
pub(super) fn moment_arg(ctx: &mut Ctx<'_>, i: usize, unit: Unit, relative: bool) -> Option<i64> {
    let time = ctx.int_arg(i)?;
    if time < 0 {
        ctx.error("ERR invalid expire time, must be >= 0");
        return None;
    }
    let base_ms = if relative { ctx.now_ms() } else { 0 };
    let at = deadline::moment(time, unit, base_ms).filter(|at| *at <= LAST_MS);
    if at.is_none() {
        deadline::invalid(ctx);
    }
    at
}

/// Whether a field that is given this deadline is deleted at once: not where that is left to our primary.
pub(super) fn is_past(ctx: &Ctx<'_>, at: i64) -> bool {
    at <= ctx.now_ms() && ctx.server.keyspace.expire_mode == ExpireMode::Delete
}

/// When a new deadline is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FieldCondition {
    Always,
    /// The field has none.
    Nx,
    /// It has one.
    Xx,
    /// The new one is later than the one it has.
    Gt,
    /// The new one is earlier, and earlier than none.
    Lt,
}

impl FieldCondition {
    fn allows(self, old: i64, new: i64) -> bool {
        match self {
            Self::Always => true,
            Self::Nx => old == NEVER,
            Self::Xx => old != NEVER,
            Self::Gt => old != NEVER && new > old,
            Self::Lt => new < old,
        }
    }
}

fn set_deadlines(ctx: &mut Ctx<'_>, unit: Unit, relative: bool) {
    let place = HashPlace::of(ctx);
    if place.kind(&mut ctx.server.keyspace).is_err() {
        return ctx.wrong_type();
    }
    let Some(at) = moment_arg(ctx, 2, unit, relative) else { return };
    let words = [("nx", FieldCondition::Nx), ("xx", FieldCondition::Xx), ("gt", FieldCondition::Gt), ("lt", FieldCondition::Lt)];
    let condition = words.into_iter().find(|(word, _)| ctx.is_word(3, word));
    let from = 3 + usize::from(condition.is_some());
    let condition = condition.map_or(FieldCondition::Always, |(_, condition)| condition);
    let Some(fields) = named_fields(ctx, from, "ERR Parameter `numFields` should be greater than 0") else { return };
    let (args, past) = (ctx.args, is_past(ctx, at));
    let (hash, now) = match place.write(&mut ctx.server.keyspace) {
        Ok((Some(hash), now)) => (hash, now),
        Ok((None, _)) => return reply_all(ctx, fields.len(), NO_FIELD),
        Err(_) => return ctx.wrong_type(),
    };
    hash.expect_deadlines();
    ctx.out.array(fields.len());
    let (mut set, mut deleted) = (Vec::new(), Vec::new());
    for i in fields {
        let field = args.get(i);
        let told = match hash.deadline(field, now) {
            None => NO_FIELD,
            Some(old) if !condition.allows(old, at) => NOT_MET,
            Some(_) if past => {
                hash.remove(field, now);
                deleted.push(field);
                DELETED
            }
            Some(_) => {
                hash.set_deadline(field, at);
                set.push(field);
                DONE
            }
        };
        ctx.out.int(told);
    }
    let changed = Changed::of(hash);
    told(ctx, &set, &deleted);
    changed.finish(ctx);
    if ctx.is_logged() && !set.is_empty() {
        let condition = if from == 4 { ctx.arg(3) } else { b"" };
        ctx.log_owned(moments(place.key, at, condition, &set));
    }
}

/// Says that fields were given a deadline, or deleted because it was past.
pub(super) fn told(ctx: &mut Ctx<'_>, set: &[&[u8]], deleted: &[&[u8]]) {
    if !set.is_empty() {
        ctx.changed(1, Event('h', "hexpire"));
        ctx.server.keyspace.dirty += set.len() as u64 - 1;
    }
    if !deleted.is_empty() {
        removed(ctx, deleted.len());
        ctx.server.keyspace.stats.expired_fields += deleted.len() as u64;
        if ctx.is_logged() {
            let mut log = OwnedArgs::new(&[b"HDEL", ctx.arg(1)]);
            deleted.iter().for_each(|field| log.push(field));
            ctx.log_owned(log);
        }
    }
}

/// What the log gets of deadlines that were set.
pub(super) fn moments(key: &[u8], at: i64, condition: &[u8], fields: &[&[u8]]) -> OwnedArgs {
    let mut log = OwnedArgs::new(&[b"HPEXPIREAT", key, itoa::Buffer::new().format(at).as_bytes()]);
    if !condition.is_empty() {
        log.push(condition);
    }
    log.push(b"FIELDS");
    log.push(itoa::Buffer::new().format(fields.len()).as_bytes());
    fields.iter().for_each(|field| log.push(field));
    log
}

fn reply_all(ctx: &mut Ctx<'_>, count: usize, told: i64) {
    ctx.out.array(count);
    (0..count).for_each(|_| ctx.out.int(told));
}

fn hexpire(ctx: &mut Ctx) {
    set_deadlines(ctx, Unit::Seconds, true);
}

fn hpexpire(ctx: &mut Ctx) {
    set_deadlines(ctx, Unit::Milliseconds, true);
}

fn hexpireat(ctx: &mut Ctx) {
    set_deadlines(ctx, Unit::Seconds, false);
}

fn hpexpireat(ctx: &mut Ctx) {
    set_deadlines(ctx, Unit::Milliseconds, false);
}

/// Answers with the deadlines of fields, in `unit`, rounded up, as moments or as the time until then.
fn tell_deadlines(ctx: &mut Ctx<'_>, unit: Unit, relative: bool) {
    let place = HashPlace::of(ctx);
    if place.kind(&mut ctx.server.keyspace).is_err() {
        return ctx.wrong_type();
    }
    let Some(fields) = named_fields(ctx, 2, BAD_COUNT) else { return };
    let base_ms = if relative { ctx.now_ms() } else { 0 };
    let Ok((hash, now)) = place.read(&mut ctx.server.keyspace) else { return ctx.wrong_type() };
    ctx.out.array(fields.len());
    for i in fields {
        ctx.out.int(match hash.and_then(|hash| hash.deadline(ctx.args.get(i), now)) {
            None => NO_FIELD,
            Some(NEVER) => NO_DEADLINE,
            Some(deadline) if unit == Unit::Seconds => (deadline - base_ms + 999) / 1000,
            Some(deadline) => deadline - base_ms,
        });
    }
}

fn httl(ctx: &mut Ctx) {
    tell_deadlines(ctx, Unit::Seconds, true);
}

fn hpttl(ctx: &mut Ctx) {
    tell_deadlines(ctx, Unit::Milliseconds, true);
}

fn hexpiretime(ctx: &mut Ctx) {
    tell_deadlines(ctx, Unit::Seconds, false);
}

fn hpexpiretime(ctx: &mut Ctx) {
    tell_deadlines(ctx, Unit::Milliseconds, false);
}

fn hpersist(ctx: &mut Ctx) {
    let place = HashPlace::of(ctx);
    if place.kind(&mut ctx.server.keyspace).is_err() {
        return ctx.wrong_type();
    }
    let Some(fields) = named_fields(ctx, 2, BAD_COUNT) else { return };
    let args = ctx.args;
    let (hash, now) = match place.write(&mut ctx.server.keyspace) {
        Ok((Some(hash), now)) => (hash, now),
        Ok((None, _)) => return reply_all(ctx, fields.len(), NO_FIELD),
        Err(_) => return ctx.wrong_type(),
    };
    let mut persisted = false;
    ctx.out.array(fields.len());
    for i in fields {
        ctx.out.int(match hash.deadline(args.get(i), now) {
            None => NO_FIELD,
            Some(NEVER) => NO_DEADLINE,
            Some(_) => {
                hash.set_deadline(args.get(i), NEVER);
                persisted = true;
                DONE
            }
        });
    }
    let changed = Changed::of(hash);
    if persisted {
        ctx.changed(1, Event('h', "hpersist"));
    }
    changed.finish(ctx);
}

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("hexpire", hexpire, -6, WRITE | FAST)
        .since(Group::Hash, "7.4.0")
        .doc("Gives fields of a hash some seconds to live.", "O(N) for N fields.")
        .args("key seconds:integer [condition:(NX | XX | GT | LT)] FIELDS fields:(numfields:integer field...)")
        .keys(&[KeySpec::one(1, k::RW | k::UPDATE)]),
    command("hpexpire", hpexpire, -6, WRITE | FAST)
        .since(Group::Hash, "7.4.0")
        .doc("Gives fields of a hash some milliseconds to live.", "O(N) for N fields.")
        .args("key milliseconds:integer [condition:(NX | XX | GT | LT)] FIELDS fields:(numfields:integer field...)")
        .keys(&[KeySpec::one(1, k::RW | k::UPDATE)]),
    command("hexpireat", hexpireat, -6, WRITE | FAST)
        .since(Group::Hash, "7.4.0")
        .doc("Lets fields of a hash live until a moment of Unix time in seconds.", "O(N) for N fields.")
        .args("key unix-time-seconds:unix-time [condition:(NX | XX | GT | LT)] FIELDS fields:(numfields:integer field...)")
        .keys(&[KeySpec::one(1, k::RW | k::UPDATE)]),
    command("hpexpireat", hpexpireat, -6, WRITE | FAST)
        .since(Group::Hash, "7.4.0")
        .doc("Lets fields of a hash live until a moment of Unix time in milliseconds.", "O(N) for N fields.")
        .args("key unix-time-milliseconds:unix-time [condition:(NX | XX | GT | LT)] FIELDS fields:(numfields:integer field...)")
        .keys(&[KeySpec::one(1, k::RW | k::UPDATE)]),
    command("httl", httl, -5, READONLY | FAST)
        .since(Group::Hash, "7.4.0")
        .doc("Returns how many seconds fields of a hash have left to live.", "O(N) for N fields.")
        .args("key FIELDS fields:(numfields:integer field...)")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)])
        .tips(&["nondeterministic_output"]),
    command("hpttl", hpttl, -5, READONLY | FAST)
        .since(Group::Hash, "7.4.0")
        .doc("Returns how many milliseconds fields of a hash have left to live.", "O(N) for N fields.")
        .args("key FIELDS fields:(numfields:integer field...)")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)])
        .tips(&["nondeterministic_output"]),
    command("hexpiretime", hexpiretime, -5, READONLY | FAST)
        .since(Group::Hash, "7.4.0")
        .doc("Returns until which moment of Unix time in seconds fields of a hash live.", "O(N) for N fields.")
        .args("key FIELDS fields:(numfields:integer field...)")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)]),
    command("hpexpiretime", hpexpiretime, -5, READONLY | FAST)
        .since(Group::Hash, "7.4.0")
        .doc("Returns until which moment of Unix time in milliseconds fields of a hash live.", "O(N) for N fields.")
        .args("key FIELDS fields:(numfields:integer field...)")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)]),
    command("hpersist", hpersist, -5, WRITE | FAST)
        .since(Group::Hash, "7.4.0")
        .doc("Takes the deadlines of fields of a hash away.", "O(N) for N fields.")
        .args("key FIELDS fields:(numfields:integer field...)")
        .keys(&[KeySpec::one(1, k::RW | k::UPDATE)]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_compares_the_old_deadline_with_the_new() {
        assert!(FieldCondition::Always.allows(NEVER, 5) && FieldCondition::Always.allows(9, 5));
        assert!(FieldCondition::Nx.allows(NEVER, 5) && !FieldCondition::Nx.allows(9, 5));
        assert!(!FieldCondition::Xx.allows(NEVER, 5) && FieldCondition::Xx.allows(9, 5));
        assert!(!FieldCondition::Gt.allows(NEVER, 5) && !FieldCondition::Gt.allows(5, 5) && FieldCondition::Gt.allows(4, 5));
        assert!(FieldCondition::Lt.allows(NEVER, 5) && !FieldCondition::Lt.allows(5, 5) && FieldCondition::Lt.allows(6, 5));
    }
}
