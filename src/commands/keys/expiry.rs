//! Deadlines: giving keys one, asking for it, taking it away.

use crate::{
    commands::{
        Ctx,
        command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
        context::Event,
        deadline::{self, Unit},
    },
    data::entry::NEVER,
    keyspace::ExpireMode,
    resp::request::OwnedArgs,
};

/// When a new deadline is taken.
#[derive(Clone, Copy, Default)]
struct DeadlineCondition {
    /// The key has none.
    nx: bool,
    /// It has one.
    xx: bool,
    /// The new one is later.
    gt: bool,
    /// The new one is earlier.
    lt: bool,
}

impl DeadlineCondition {
    /// Reads the options; answers with an error when they do not fit.
    fn parse(ctx: &mut Ctx<'_>) -> Option<Self> {
        let mut condition = Self::default();
        for i in 3..ctx.argc() {
            let flag = [("nx", &mut condition.nx), ("xx", &mut condition.xx), ("gt", &mut condition.gt), ("lt", &mut condition.lt)]
                .into_iter()
                .find(|(word, _)| ctx.is_word(i, word));
            let Some((_, flag)) = flag else {
                ctx.error([b"ERR Unsupported option ", ctx.arg(i)].concat());
                return None;
            };
            *flag = true;
        }
        if condition.nx && (condition.xx || condition.gt || condition.lt) {
            ctx.error("ERR NX and XX, GT or LT options at the same time are not compatible");
            return None;
        }
        if condition.gt && condition.lt {
            ctx.error("ERR GT and LT options at the same time are not compatible");
            return None;
        }
        Some(condition)
    }

    /// Whether `new` may take the place of `old`; no deadline counts as later than any.
    fn allows(self, old: i64, new: i64) -> bool {
        !(self.nx && old != NEVER || self.xx && old == NEVER || self.gt && new <= old || self.lt && new >= old)
    }
}

fn set_deadline(ctx: &mut Ctx<'_>, unit: Unit, relative: bool) {
    let Some(condition) = DeadlineCondition::parse(ctx) else { return };
    let Some(time) = ctx.int_arg(2) else { return };
    let now_ms = ctx.now_ms();
    let Some(at) = deadline::moment(time, unit, if relative { now_ms } else { 0 }) else { return deadline::invalid(ctx) };
    let (hash, key, stored) = (ctx.hash(1), ctx.arg(1), deadline::storable(at));
    let keyspace = &mut ctx.server.keyspace;
    let past = at <= now_ms && keyspace.expire_mode == ExpireMode::Delete;
    let Some(mut slot) = keyspace.occupied(ctx.db, hash, key) else { return ctx.out.int(0) };
    slot.touch();
    if !condition.allows(slot.entry().deadline(), stored) {
        return ctx.out.int(0);
    }
    if past {
        slot.remove();
        deadline::log_deletion(ctx, key);
        return ctx.out.int(1);
    }
    slot.set_deadline(stored);
    ctx.changed_unawaited(1, Event('g', "expire"));
    ctx.out.int(1);
    if ctx.is_logged() && (relative || unit == Unit::Seconds) {
        let mut log = OwnedArgs::new(&[b"PEXPIREAT", key, itoa::Buffer::new().format(at).as_bytes()]);
        ctx.keep_args(&mut log, 3..ctx.argc());
        ctx.log_owned(log);
    }
}

fn expire(ctx: &mut Ctx) {
    set_deadline(ctx, Unit::Seconds, true);
}

fn pexpire(ctx: &mut Ctx) {
    set_deadline(ctx, Unit::Milliseconds, true);
}

fn expireat(ctx: &mut Ctx) {
    set_deadline(ctx, Unit::Seconds, false);
}

fn pexpireat(ctx: &mut Ctx) {
    set_deadline(ctx, Unit::Milliseconds, false);
}

/// Answers with the deadline of the key at argument 1, in `unit`, as a moment or as the time until then.
fn tell_deadline(ctx: &mut Ctx<'_>, unit: Unit, relative: bool) {
    /// There is no such key.
    const NO_KEY: i64 = -2;
    /// The key has no deadline.
    const NO_DEADLINE: i64 = -1;
    let base_ms = if relative { ctx.now_ms() } else { 0 };
    let told = match ctx.look(1).map(|entry| entry.deadline()) {
        None => NO_KEY,
        Some(NEVER) => NO_DEADLINE,
        Some(deadline) => {
            let ms = (deadline::shown(deadline) - base_ms).max(0);
            if unit == Unit::Seconds { ms.saturating_add(500) / 1000 } else { ms }
        }
    };
    ctx.out.int(told);
}

fn ttl(ctx: &mut Ctx) {
    tell_deadline(ctx, Unit::Seconds, true);
}

fn pttl(ctx: &mut Ctx) {
    tell_deadline(ctx, Unit::Milliseconds, true);
}

fn expiretime(ctx: &mut Ctx) {
    tell_deadline(ctx, Unit::Seconds, false);
}

fn pexpiretime(ctx: &mut Ctx) {
    tell_deadline(ctx, Unit::Milliseconds, false);
}

fn persist(ctx: &mut Ctx) {
    let (hash, key) = (ctx.hash(1), ctx.arg(1));
    let Some(mut slot) = ctx.server.keyspace.occupied(ctx.db, hash, key) else { return ctx.out.int(0) };
    slot.touch();
    if !slot.entry().is_volatile() {
        return ctx.out.int(0);
    }
    slot.set_deadline(NEVER);
    ctx.changed_unawaited(1, Event('g', "persist"));
    ctx.out.int(1);
}

const CONDITIONS: &[(&str, &str)] = &[("7.0.0", "`NX`, `XX`, `GT` and `LT`.")];

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("expire", expire, -3, WRITE | FAST)
        .since(Group::Generic, "1.0.0")
        .doc("Gives a key some seconds to live.", "O(1)")
        .args("key seconds:integer [condition:(NX | XX | GT | LT)]")
        .keys(&[KeySpec::one(1, k::RW | k::UPDATE)])
        .history(CONDITIONS),
    command("pexpire", pexpire, -3, WRITE | FAST)
        .since(Group::Generic, "2.6.0")
        .doc("Gives a key some milliseconds to live.", "O(1)")
        .args("key milliseconds:integer [condition:(NX | XX | GT | LT)]")
        .keys(&[KeySpec::one(1, k::RW | k::UPDATE)])
        .history(CONDITIONS),
    command("expireat", expireat, -3, WRITE | FAST)
        .since(Group::Generic, "1.2.0")
        .doc("Lets a key live until a moment of Unix time in seconds.", "O(1)")
        .args("key unix-time-seconds:unix-time [condition:(NX | XX | GT | LT)]")
        .keys(&[KeySpec::one(1, k::RW | k::UPDATE)])
        .history(CONDITIONS),
    command("pexpireat", pexpireat, -3, WRITE | FAST)
        .since(Group::Generic, "2.6.0")
        .doc("Lets a key live until a moment of Unix time in milliseconds.", "O(1)")
        .args("key unix-time-milliseconds:unix-time [condition:(NX | XX | GT | LT)]")
        .keys(&[KeySpec::one(1, k::RW | k::UPDATE)])
        .history(CONDITIONS),
    command("ttl", ttl, 2, READONLY | FAST)
        .since(Group::Generic, "1.0.0")
        .doc("Returns how many seconds a key has left to live.", "O(1)")
        .args("key")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)])
        .tips(&["nondeterministic_output"])
        .history(&[("2.8.0", "-2 for a missing key.")]),
    command("pttl", pttl, 2, READONLY | FAST)
        .since(Group::Generic, "2.6.0")
        .doc("Returns how many milliseconds a key has left to live.", "O(1)")
        .args("key")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)])
        .tips(&["nondeterministic_output"])
        .history(&[("2.8.0", "-2 for a missing key.")]),
    command("expiretime", expiretime, 2, READONLY | FAST)
        .since(Group::Generic, "7.0.0")
        .doc("Returns until which moment of Unix time in seconds a key lives.", "O(1)")
        .args("key")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)]),
    command("pexpiretime", pexpiretime, 2, READONLY | FAST)
        .since(Group::Generic, "7.0.0")
        .doc("Returns until which moment of Unix time in milliseconds a key lives.", "O(1)")
        .args("key")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)]),
    command("persist", persist, 2, WRITE | FAST)
        .since(Group::Generic, "2.2.0")
        .doc("Takes a key's deadline away.", "O(1)")
        .args("key")
        .keys(&[KeySpec::one(1, k::RW | k::UPDATE)]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_compares_the_old_deadline_with_the_new() {
        let none = DeadlineCondition::default();
        assert!(none.allows(NEVER, 5) && none.allows(9, 5));
        let nx = DeadlineCondition { nx: true, ..none };
        assert!(nx.allows(NEVER, 5) && !nx.allows(9, 5));
        let xx = DeadlineCondition { xx: true, ..none };
        assert!(!xx.allows(NEVER, 5) && xx.allows(9, 5));
        let gt = DeadlineCondition { gt: true, ..none };
        assert!(!gt.allows(NEVER, 5) && !gt.allows(5, 5) && gt.allows(4, 5));
        let lt = DeadlineCondition { lt: true, ..none };
        assert!(lt.allows(NEVER, 5) && !lt.allows(5, 5) && lt.allows(6, 5));
    }
}
