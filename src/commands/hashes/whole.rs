//! All fields of a hash, some at a time, or some at random.

use super::{HashPlace, reply_value};
use crate::{
    commands::{
        Ctx,
        command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
        context::{errors, text},
        sampling,
        scanning::{self, Scan, ScanReply},
    },
    data::{
        dict::Cursor,
        hash::{Field, Hash},
        rng::Rng,
    },
    keyspace::Keyspace,
    resp::output::Output,
    state::long_reply::Source,
};

/// What is told of fields.
#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Names,
    Values,
    Both,
}

#[inline(always)]
fn reply_name(out: &mut Output, field: &Field<'_>) {
    out.bulk(field.name.text(&mut itoa::Buffer::new()));
}

#[inline(always)]
fn all(ctx: &mut Ctx<'_>, what: What) {
    let Ok((hash, now)) = HashPlace::of(ctx).read(&mut ctx.server.keyspace) else { return ctx.wrong_type() };
    let (out, len) = (&mut *ctx.out, hash.map_or(0, |hash| hash.len_at(now)));
    if what == What::Both {
        out.map(len);
    } else {
        out.array(len);
    }
    let Some(hash) = hash else { return };
    hash.iter().filter(|field| field.is_there(now)).for_each(|field| {
        if what != What::Values {
            reply_name(out, &field);
        }
        if what != What::Names {
            reply_value(out, field.value);
        }
    });
}

fn hgetall(ctx: &mut Ctx) {
    all(ctx, What::Both);
}

fn hkeys(ctx: &mut Ctx) {
    all(ctx, What::Names);
}

fn hvals(ctx: &mut Ctx) {
    all(ctx, What::Values);
}

fn hscan(ctx: &mut Ctx) {
    let Some(cursor) = scanning::cursor(ctx, 2) else { return };
    let place = HashPlace::of(ctx);
    // What is there decides which errors are told, and only then is it read.
    match place.kind(&mut ctx.server.keyspace) {
        Ok(true) => (),
        Ok(false) => {
            ctx.server.keyspace.count_read(place.db, place.key, false);
            return ScanReply::default().reply(ctx.out, Cursor(0));
        }
        Err(_) => return ctx.wrong_type(),
    }
    let mut values = true;
    let options = Scan::options(ctx, 3, |word, _| {
        let names_only = word.eq_ignore_ascii_case(b"novalues");
        values &= !names_only;
        usize::from(names_only)
    });
    let Some(scan) = options else { return };
    let Ok((Some(hash), now)) = place.read(&mut ctx.server.keyspace) else { return };
    let mut found = ScanReply::default();
    let mut visit = |field: Field<'_>| {
        let mut digits = itoa::Buffer::new();
        let name = field.name.text(&mut digits);
        if field.is_there(now) && scan.wants(name) {
            found.push(name);
            if let Some(value) = text(field.value).filter(|_| values) {
                value.with(|bytes| found.push(bytes));
            }
        }
    };
    let next = match hash.table() {
        Some(dict) => scan.walk(dict, cursor, |entry| visit(entry.into())),
        None => {
            hash.iter().for_each(visit);
            Cursor(0)
        }
    };
    found.reply(ctx.out, next);
}

fn hrandfield(ctx: &mut Ctx) {
    if ctx.argc() > 2 {
        return hrandfield_several(ctx);
    }
    let Ok((hash, now)) = HashPlace::of(ctx).read(&mut ctx.server.keyspace) else { return ctx.wrong_type() };
    match hash.and_then(|hash| hash.random(&mut ctx.server.rng, now)) {
        Some(field) => reply_name(ctx.out, &field),
        None => ctx.out.null(),
    }
}

fn hrandfield_several(ctx: &mut Ctx<'_>) {
    let Some(count) = ctx.int_arg(2) else { return };
    if count == i64::MIN {
        return ctx.error(format!("ERR value is out of range, value must between {} and {}", -i64::MAX, i64::MAX));
    }
    let values = ctx.argc() == 4 && ctx.is_word(3, "withvalues");
    if ctx.argc() > 4 || ctx.argc() == 4 && !values {
        return ctx.error(errors::SYNTAX);
    }
    if values && count.unsigned_abs() > i64::MAX as u64 / 2 {
        return ctx.error("ERR value is out of range");
    }
    let Ok((hash, now)) = HashPlace::of(ctx).read(&mut ctx.server.keyspace) else { return ctx.wrong_type() };
    let (rng, out) = (&mut ctx.server.rng, &mut *ctx.out);
    let Some(hash) = hash.filter(|hash| count != 0 && (!hash.may_owe(now) || hash.len_at(now) > 0)) else { return out.array(0) };
    if count < 0 {
        return sampling::reply(ctx, count.unsigned_abs(), values, draw);
    }
    let fields = hash.sample(usize::try_from(count).unwrap_or(usize::MAX), rng, now);
    // In RESP2 names and values stand side by side.
    out.array(if values && !out.resp3() { 2 * fields.len() } else { fields.len() });
    fields.iter().for_each(|field| reply_field(out, field, values));
}

fn reply_field(out: &mut Output, field: &Field<'_>, with_value: bool) {
    if with_value && out.resp3() {
        out.array(2);
    }
    reply_name(out, field);
    if with_value {
        reply_value(out, field.value);
    }
}

/// Fields one by one, the same ones perhaps.
fn draw(keyspace: &mut Keyspace, rng: &mut Rng, source: &Source, most: u64, bytes: usize, out: &mut Output) -> u64 {
    let hash = keyspace.hash(&source.key);
    keyspace.expire_due_fields(source.db, hash, &source.key);
    let now = keyspace.fields_now();
    let Some(fields) = keyspace.peek_alive_as::<Hash>(source.db, hash, &source.key) else { return 0 };
    for drawn in 0..most {
        if drawn > 0 && out.len() >= bytes {
            return drawn;
        }
        let Some(field) = fields.random(rng, now) else { return drawn };
        reply_field(out, &field, source.in_pairs);
    }
    most
}

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("hgetall", hgetall, 2, READONLY)
        .since(Group::Hash, "2.0.0")
        .doc("Returns all fields of a hash with their values.", "O(N) for the N fields of the hash.")
        .args("key")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)])
        .tips(&["nondeterministic_output_order"]),
    command("hkeys", hkeys, 2, READONLY)
        .since(Group::Hash, "2.0.0")
        .doc("Returns the names of all fields of a hash.", "O(N) for the N fields of the hash.")
        .args("key")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)])
        .tips(&["nondeterministic_output_order"]),
    command("hvals", hvals, 2, READONLY)
        .since(Group::Hash, "2.0.0")
        .doc("Returns the values of all fields of a hash.", "O(N) for the N fields of the hash.")
        .args("key")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)])
        .tips(&["nondeterministic_output_order"]),
    command("hscan", hscan, -3, READONLY)
        .since(Group::Hash, "2.8.0")
        .doc("Walks through the fields of a hash, some at a time.", "O(1) for each call, O(N) for the whole walk through N fields.")
        .args("key cursor:integer [MATCH pattern:pattern] [COUNT count:integer] [NOVALUES]")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)])
        .tips(&["nondeterministic_output"])
        .history(&[("7.4.0", "`NOVALUES`.")]),
    command("hrandfield", hrandfield, -2, READONLY | PARKS)
        .since(Group::Hash, "6.2.0")
        .doc("Returns fields of a hash at random.", "O(N) for N fields that are returned.")
        .args("key [options:(count:integer [WITHVALUES])]")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)])
        .tips(&["nondeterministic_output"]),
];
