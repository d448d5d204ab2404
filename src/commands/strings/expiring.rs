//! SET and GETEX with their options, and the commands whose strings expire.

use super::{new_string, put_string, reply_value, simple::set_plain};
use crate::{
    commands::{
        Ctx,
        command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
        context::{Event, NEW, errors},
        deadline::{self, Unit},
    },
    data::entry::NEVER,
    keyspace::{ExpireMode, Upsert},
    resp::request::{Args, OwnedArgs},
};

/// A way to say what is to become of the deadline.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expiration {
    /// Seconds, or milliseconds, from now (EX, PX) or since 1970 (EXAT, PXAT).
    At { unit: Unit, relative: bool },
    /// As it is: KEEPTTL.
    Keep,
    /// None: PERSIST.
    Persist,
}

#[derive(Default)]
struct SetOptions {
    nx: bool,
    xx: bool,
    get: bool,
    expiration: Option<Expiration>,
    /// Argument index of the time, for [`Expiration::At`].
    time: usize,
}

impl SetOptions {
    /// Reads the options from argument `from` on; `None`: they do not fit. Those of SET and those of GETEX differ in a few words.
    fn parse(ctx: &Ctx<'_>, from: usize, of_set: bool) -> Option<Self> {
        let mut options = Self::default();
        let mut i = from;
        while i < ctx.argc() {
            let at = |unit, relative| Some(Expiration::At { unit, relative });
            let mut folded = [0; 8];
            let word = ctx.arg(i);
            let word = folded.get_mut(..word.len()).map(|to| {
                to.copy_from_slice(word);
                to.make_ascii_uppercase();
                &*to
            })?;
            let expiration = match word {
                b"NX" if of_set && !options.xx => {
                    options.nx = true;
                    None
                }
                b"XX" if of_set && !options.nx => {
                    options.xx = true;
                    None
                }
                b"GET" if of_set => {
                    options.get = true;
                    None
                }
                b"KEEPTTL" if of_set => Some(Expiration::Keep),
                b"PERSIST" if !of_set => Some(Expiration::Persist),
                b"EX" => at(Unit::Seconds, true),
                b"PX" => at(Unit::Milliseconds, true),
                b"EXAT" => at(Unit::Seconds, false),
                b"PXAT" => at(Unit::Milliseconds, false),
                _ => return None,
            };
            if let Some(expiration) = expiration {
                // The same one may come again, and its last time counts; two different ones contradict each other.
                if options.expiration.replace(expiration).is_some_and(|before| before != expiration) {
                    return None;
                }
                if let Expiration::At { .. } = expiration {
                    i += 1;
                    options.time = i;
                    if i == ctx.argc() {
                        return None;
                    }
                }
            }
            i += 1;
        }
        Some(options)
    }

    /// The deadline they ask for: `Ok(None)` when none, and an answer with an error when it is no good.
    fn deadline(&self, ctx: &mut Ctx<'_>) -> Result<Option<i64>, ()> {
        match self.expiration {
            Some(Expiration::At { unit, relative }) => deadline::positive_arg(ctx, self.time, unit, relative).map(Some).ok_or(()),
            _ => Ok(None),
        }
    }
}

fn set(ctx: &mut Ctx) {
    if ctx.argc() == 3 { set_plain(ctx) } else { set_with_options(ctx) }
}

/// Without GET the old value does not matter.
fn set_access(args: &Args<'_>) -> u32 {
    let gets = (3..args.len()).any(|i| args.get(i).eq_ignore_ascii_case(b"get"));
    if gets { k::RW | k::ACCESS | k::UPDATE } else { k::OW | k::UPDATE }
}

fn set_with_options(ctx: &mut Ctx) {
    let Some(options) = SetOptions::parse(ctx, 3, true) else { return ctx.error(errors::SYNTAX) };
    let Ok(deadline) = options.deadline(ctx) else { return };
    let (hash, key, args) = (ctx.hash(1), ctx.arg(1), ctx.args);
    let slot = ctx.server.keyspace.upsert(ctx.db, hash, key);
    let found = matches!(slot, Upsert::Occupied(_));
    if options.get {
        match &slot {
            Upsert::Vacant(_) => ctx.out.null(),
            Upsert::Occupied(slot) => {
                if !reply_value(ctx.out, slot.entry().value()) {
                    return ctx.error(errors::WRONG_TYPE);
                }
            }
        }
    }
    let stored = match slot {
        Upsert::Occupied(slot) if !options.nx => {
            let kept = if options.expiration == Some(Expiration::Keep) { slot.entry().deadline() } else { NEVER };
            slot.put(new_string(args, 2), deadline.map_or(kept, deadline::storable));
            true
        }
        Upsert::Vacant(slot) if !options.xx => {
            slot.put(key, new_string(args, 2), deadline.map_or(NEVER, deadline::storable));
            true
        }
        Upsert::Occupied(mut slot) => {
            slot.touch();
            false
        }
        Upsert::Vacant(_) => false,
    };
    if options.get {
        ctx.server.keyspace.count_read(ctx.db, key, found);
    }
    if !stored {
        if !options.get {
            ctx.out.null();
        }
        return;
    }
    told(ctx, found, deadline.is_some());
    if !options.get {
        ctx.out.ok();
    }
    if ctx.is_logged() {
        match (deadline, options.expiration) {
            // It says the moment already.
            (Some(_), Some(Expiration::At { unit: Unit::Milliseconds, relative: false })) => (),
            (Some(at), _) => log_with_moment(ctx, 2, at),
            (None, _) if options.get => {
                let mut plain = OwnedArgs::default();
                ctx.keep_args(&mut plain, 0..3);
                for i in 3..ctx.argc() {
                    if !ctx.is_word(i, "get") {
                        ctx.keep_args(&mut plain, i..i + 1);
                    }
                }
                ctx.log_owned(plain);
            }
            (None, _) => (),
        }
    }
}

/// Says that the key at argument 1 has been set.
fn told(ctx: &mut Ctx<'_>, found: bool, expires: bool) {
    let key = ctx.arg(1);
    if !found {
        ctx.notify(key, NEW);
    }
    ctx.changed(1, Event('$', "set"));
    if expires {
        ctx.notify(key, Event('g', "expire"));
    }
}

/// Logs SET with a moment instead of a span of time.
fn log_with_moment(ctx: &mut Ctx<'_>, value: usize, at: i64) {
    let mut set = OwnedArgs::default();
    set.push(b"SET");
    ctx.keep_args(&mut set, 1..2);
    ctx.keep_args(&mut set, value..value + 1);
    set.push(b"PXAT");
    set.push(itoa::Buffer::new().format(at).as_bytes());
    ctx.log_owned(set);
}

fn set_expiring(ctx: &mut Ctx<'_>, unit: Unit) {
    let Some(at) = deadline::positive_arg(ctx, 2, unit, true) else { return };
    let new = put_string(ctx, 1, ctx.hash(1), 3, deadline::storable(at));
    told(ctx, !new, true);
    ctx.out.ok();
    if ctx.is_logged() {
        log_with_moment(ctx, 3, at);
    }
}

fn setex(ctx: &mut Ctx) {
    set_expiring(ctx, Unit::Seconds);
}

fn psetex(ctx: &mut Ctx) {
    set_expiring(ctx, Unit::Milliseconds);
}

fn getex(ctx: &mut Ctx) {
    let Some(options) = SetOptions::parse(ctx, 2, false) else { return ctx.error(errors::SYNTAX) };
    let (hash, key) = (ctx.hash(1), ctx.arg(1));
    match ctx.read(1).map(|entry| crate::data::string::len(entry.value())) {
        None => return ctx.out.null(),
        Some(None) => return ctx.error(errors::WRONG_TYPE),
        Some(Some(_)) => (),
    }
    let Ok(deadline) = options.deadline(ctx) else { return };
    let now_ms = ctx.now_ms();
    let keyspace = &mut ctx.server.keyspace;
    let past = deadline.is_some_and(|at| at <= now_ms) && keyspace.expire_mode == ExpireMode::Delete;
    let Some(mut slot) = keyspace.occupied(ctx.db, hash, key) else { return ctx.out.null() };
    reply_value(ctx.out, slot.entry().value());
    match deadline {
        Some(_) if past => {
            slot.remove();
            deadline::log_deletion(ctx, key);
        }
        Some(at) => {
            slot.set_deadline(deadline::storable(at));
            ctx.changed(1, Event('g', "expire"));
            ctx.log_instead(&[b"PEXPIREAT", key, itoa::Buffer::new().format(at).as_bytes()]);
        }
        None if options.expiration == Some(Expiration::Persist) && slot.entry().is_volatile() => {
            slot.set_deadline(NEVER);
            ctx.changed(1, Event('g', "persist"));
            ctx.log_instead(&[b"PERSIST", key]);
        }
        None => (),
    }
}

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("set", set, -3, WRITE | DENYOOM)
        .since(Group::String, "1.0.0")
        .doc("Puts a string under a key, whatever was there.", "O(1)")
        .args(
            "key value [condition:(NX | XX)] [GET] [expiration:(EX seconds:integer | PX milliseconds:integer \
             | EXAT unix-time-seconds:unix-time | PXAT unix-time-milliseconds:unix-time | KEEPTTL)]",
        )
        .keys(&[KeySpec {
            notes: Some("RW and ACCESS because GET returns the old value"),
            ..KeySpec::one(1, k::RW | k::ACCESS | k::UPDATE | k::VARIABLE)
        }])
        .key_access(set_access)
        .history(&[
            ("2.6.12", "`EX`, `PX`, `NX` and `XX`."),
            ("6.0.0", "`KEEPTTL`."),
            ("6.2.0", "`GET`, `EXAT` and `PXAT`."),
            ("7.0.0", "`NX` and `GET` go together."),
        ]),
    command("setex", setex, 4, WRITE | DENYOOM)
        .since(Group::String, "2.0.0")
        .doc("Puts a string under a key for some seconds.", "O(1)")
        .args("key seconds:integer value")
        .keys(&[KeySpec::one(1, k::OW | k::UPDATE)])
        .deprecated("2.6.12", "`SET` with `EX`"),
    command("psetex", psetex, 4, WRITE | DENYOOM)
        .since(Group::String, "2.6.0")
        .doc("Puts a string under a key for some milliseconds.", "O(1)")
        .args("key milliseconds:integer value")
        .keys(&[KeySpec::one(1, k::OW | k::UPDATE)])
        .deprecated("2.6.12", "`SET` with `PX`"),
    command("getex", getex, -2, WRITE | FAST)
        .since(Group::String, "6.2.0")
        .doc("Returns the string at a key and changes when the key expires.", "O(1)")
        .args(
            "key [expiration:(EX seconds:integer | PX milliseconds:integer | EXAT unix-time-seconds:unix-time \
             | PXAT unix-time-milliseconds:unix-time | PERSIST)]",
        )
        .keys(&[KeySpec { notes: Some("RW and UPDATE because the deadline changes"), ..KeySpec::one(1, k::RW | k::ACCESS | k::UPDATE) }]),
];
