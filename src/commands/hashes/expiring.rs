//! Fields and their deadlines at once: HSETEX, HGETEX, and HGETDEL, which wants no deadline at all.

use super::{
    Changed, HashPlace,
    expiry::{BAD_COUNT, is_past, moment_arg, moments, named_fields, told},
    limits, reply_field,
    simple::{self, removed},
};
use crate::{
    commands::{
        Ctx,
        command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
        context::Event,
        deadline::Unit,
    },
    data::{
        entry::NEVER,
        hash::{Hash, OldDeadline},
        number,
    },
    resp::request::OwnedArgs,
};

/// The words that have a time behind them.
const TIMES: [(&str, Unit, bool); 4] =
    [("ex", Unit::Seconds, true), ("px", Unit::Milliseconds, true), ("exat", Unit::Seconds, false), ("pxat", Unit::Milliseconds, false)];

/// The time that the word at argument `i` announces: its unit, and whether it counts from now.
fn time_word(ctx: &Ctx<'_>, i: usize) -> Option<(Unit, bool)> {
    TIMES.iter().find(|(word, ..)| ctx.is_word(i, word)).map(|(_, unit, relative)| (*unit, *relative))
}

/// What HSETEX is told besides the fields.
#[derive(Default)]
struct FieldOptions {
    /// Only if none of the fields is there.
    fnx: bool,
    /// Only if all of them are.
    fxx: bool,
    keeps: bool,
    /// The deadline, and argument indices of its word.
    at: Option<(i64, usize)>,
    /// Argument index of the first field.
    fields: usize,
}

impl FieldOptions {
    /// Reads the arguments; answers with an error when they do not fit.
    fn parse(ctx: &mut Ctx<'_>) -> Option<Self> {
        let mut options = Self::default();
        let mut i = 2;
        while i < ctx.argc() {
            if ctx.is_word(i, "fields") && i + 1 < ctx.argc() {
                let Some(count @ 1..) = number::parse_i64(ctx.arg(i + 1)) else {
                    ctx.error("ERR invalid number of fields");
                    return None;
                };
                options.fields = i + 2;
                if (ctx.argc() - options.fields) as i64 != count.saturating_mul(2) {
                    break;
                }
                return Some(options);
            }
            let (fnx, fxx) = (ctx.is_word(i, "fnx"), ctx.is_word(i, "fxx"));
            if fnx || fxx {
                if options.fnx || options.fxx {
                    ctx.error("ERR Only one of FXX or FNX arguments can be specified");
                    return None;
                }
                (options.fnx, options.fxx) = (fnx, fxx);
                i += 1;
                continue;
            }
            let (keeps, time) = (ctx.is_word(i, "keepttl"), time_word(ctx, i));
            if !keeps && time.is_none() {
                ctx.error([b"ERR unknown argument: ", ctx.arg(i)].concat());
                return None;
            }
            if options.keeps || options.at.is_some() {
                ctx.error("ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified");
                return None;
            }
            options.keeps = keeps;
            if let Some((unit, relative)) = time {
                if i + 1 == ctx.argc() {
                    break;
                }
                options.at = Some((moment_arg(ctx, i + 1, unit, relative)?, i));
                i += 1;
            }
            i += 1;
        }
        ctx.wrong_arity();
        None
    }
}

fn hsetex(ctx: &mut Ctx) {
    let Some(options) = FieldOptions::parse(ctx) else { return };
    let (place, args, limits) = (HashPlace::of(ctx), ctx.args, limits(ctx.server));
    let Ok((hash, now)) = place.read(&mut ctx.server.keyspace) else { return ctx.wrong_type() };
    let fields = (options.fields..args.len()).step_by(2);
    let is_there = |i: usize| hash.is_some_and(|hash| hash.get(args.get(i), now).is_some());
    if options.fnx && fields.clone().any(is_there) || options.fxx && !fields.clone().all(is_there) {
        return ctx.out.int(0);
    }
    let past = options.at.filter(|(at, _)| is_past(ctx, *at)).is_some();
    let Ok((hash, is_new, now)) = place.write_or_insert(&mut ctx.server.keyspace, Hash::new) else { return ctx.wrong_type() };
    let longest = (options.fields..args.len()).map(|i| args.get(i).len()).max().unwrap_or(0);
    hash.make_room(fields.len(), longest, &limits);
    if options.at.is_some() {
        hash.expect_deadlines();
    }
    let old = if options.keeps { OldDeadline::Stays } else { OldDeadline::Drops };
    let mut deleted = Vec::new();
    for i in fields.clone() {
        let field = args.get(i);
        hash.set(field, args.get(i + 1), || args.to_bytes(i + 1), old, now, &limits);
        if past {
            hash.remove(field, now);
            deleted.push(field);
        } else if let Some((at, _)) = options.at {
            hash.set_deadline(field, at);
        }
    }
    let changed = Changed::of(hash);
    simple::told(ctx, is_new);
    ctx.server.keyspace.dirty += fields.len() as u64 - 1;
    if past {
        told(ctx, &[], &deleted);
    } else if options.at.is_some() {
        ctx.notify(place.key, Event('h', "hexpire"));
    }
    changed.finish(ctx);
    ctx.out.int(1);
    if let Some((at, word)) = options.at.filter(|_| !past && ctx.is_logged()) {
        let mut log = OwnedArgs::default();
        ctx.keep_args(&mut log, 0..word);
        log.push(b"PXAT");
        log.push(itoa::Buffer::new().format(at).as_bytes());
        ctx.keep_args(&mut log, word + 2..args.len());
        ctx.log_owned(log);
    }
}

fn hgetex(ctx: &mut Ctx) {
    let place = HashPlace::of(ctx);
    if place.kind(&mut ctx.server.keyspace).is_err() {
        return ctx.wrong_type();
    }
    let (persists, time) = (ctx.is_word(2, "persist"), time_word(ctx, 2));
    let (mut from, mut at) = (2 + usize::from(persists), None);
    if let Some((unit, relative)) = time {
        let Some(moment) = moment_arg(ctx, 3, unit, relative) else { return };
        (from, at) = (4, Some(moment));
    }
    let Some(fields) = named_fields(ctx, from, BAD_COUNT) else { return };
    let (args, past) = (ctx.args, at.is_some_and(|at| is_past(ctx, at)));
    ctx.out.array(fields.len());
    if at.is_none() && !persists {
        let Ok((hash, now)) = place.read(&mut ctx.server.keyspace) else { return };
        for i in fields {
            reply_field(ctx.out, hash, args.get(i), now);
        }
        return;
    }
    let (hash, now) = match place.write(&mut ctx.server.keyspace) {
        Ok((Some(hash), now)) => (hash, now),
        _ => return fields.for_each(|_| ctx.out.null()),
    };
    if at.is_some() {
        hash.expect_deadlines();
    }
    let (mut set, mut deleted, mut persisted) = (Vec::new(), Vec::new(), Vec::new());
    for i in fields {
        let field = args.get(i);
        if !reply_field(ctx.out, Some(hash), field, now) {
            continue;
        }
        match at {
            Some(_) if past => {
                hash.remove(field, now);
                deleted.push(field);
            }
            Some(at) => {
                hash.set_deadline(field, at);
                set.push(field);
            }
            None if hash.deadline(field, now).is_some_and(|deadline| deadline != NEVER) => {
                hash.set_deadline(field, NEVER);
                persisted.push(field);
            }
            None => (),
        }
    }
    let changed = Changed::of(hash);
    told(ctx, &set, &deleted);
    if !persisted.is_empty() {
        ctx.changed(1, Event('h', "hpersist"));
    }
    changed.finish(ctx);
    if !ctx.is_logged() {
        return;
    }
    if let Some(at) = at.filter(|_| !set.is_empty()) {
        ctx.log_owned(moments(place.key, at, b"", &set));
    } else if !persisted.is_empty() {
        let count = itoa::Buffer::new().format(persisted.len()).to_owned();
        let mut log = OwnedArgs::new(&[b"HPERSIST", place.key, b"FIELDS", count.as_bytes()]);
        persisted.iter().for_each(|field| log.push(field));
        ctx.log_owned(log);
    }
}

fn hgetdel(ctx: &mut Ctx) {
    let place = HashPlace::of(ctx);
    if place.kind(&mut ctx.server.keyspace).is_err() {
        return ctx.wrong_type();
    }
    let Some(fields) = named_fields(ctx, 2, BAD_COUNT) else { return };
    let args = ctx.args;
    ctx.out.array(fields.len());
    let (hash, now) = match place.write(&mut ctx.server.keyspace) {
        Ok((Some(hash), now)) => (hash, now),
        _ => return fields.for_each(|_| ctx.out.null()),
    };
    let mut deleted = Vec::new();
    for i in fields {
        let field = args.get(i);
        if reply_field(ctx.out, Some(hash), field, now) {
            hash.remove(field, now);
            deleted.push(field);
        }
    }
    let changed = Changed::of(hash);
    removed(ctx, deleted.len());
    changed.finish(ctx);
    if ctx.is_logged() && !deleted.is_empty() {
        let mut log = OwnedArgs::new(&[b"HDEL", place.key]);
        deleted.iter().for_each(|field| log.push(field));
        ctx.log_owned(log);
    }
}

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("hsetex", hsetex, -6, WRITE | DENYOOM | FAST)
        .since(Group::Hash, "8.0.0")
        .doc("Sets fields of a hash, and when they expire.", "O(N) for N fields.")
        .args(
            "key [condition:(FNX | FXX)] [expiration:(EX seconds:integer | PX milliseconds:integer \
             | EXAT unix-time-seconds:unix-time | PXAT unix-time-milliseconds:unix-time | KEEPTTL)] \
             FIELDS fields:(numfields:integer data:(field value)...)",
        )
        .keys(&[KeySpec::one(1, k::RW | k::UPDATE)]),
    command("hgetex", hgetex, -5, WRITE | FAST)
        .since(Group::Hash, "8.0.0")
        .doc("Returns the values of fields of a hash, and changes when they expire.", "O(N) for N fields.")
        .args(
            "key [expiration:(EX seconds:integer | PX milliseconds:integer | EXAT unix-time-seconds:unix-time \
             | PXAT unix-time-milliseconds:unix-time | PERSIST)] FIELDS fields:(numfields:integer field...)",
        )
        .keys(&[KeySpec { notes: Some("RW and UPDATE because the deadline changes"), ..KeySpec::one(1, k::RW | k::ACCESS | k::UPDATE) }]),
    command("hgetdel", hgetdel, -5, WRITE | FAST)
        .since(Group::Hash, "8.0.0")
        .doc("Returns the values of fields of a hash and removes them, and the key with the last of them.", "O(N) for N fields.")
        .args("key FIELDS fields:(numfields:integer field...)")
        .keys(&[KeySpec::one(1, k::RW | k::ACCESS | k::DELETE)]),
];
