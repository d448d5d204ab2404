//! Fields that are numbers.

use super::{Changed, HashPlace, limits};
use crate::{
    commands::{
        Ctx,
        command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
        context::{Event, NEW, errors, text},
    },
    data::{
        entry::NEVER,
        hash::FieldValue,
        hash::{Hash, OldDeadline},
        longdouble::LongDouble,
        number,
    },
    resp::request::OwnedArgs,
};
use bytes::Bytes;

fn integer(value: FieldValue<'_>) -> Result<i64, &'static str> {
    const NOT_INTEGER: &str = "ERR hash value is not an integer";
    match value {
        FieldValue::Int(n) => Ok(n),
        FieldValue::Str(s) => number::parse_i64(s).ok_or(NOT_INTEGER),
        FieldValue::Object(_) => Err(NOT_INTEGER),
    }
}

fn hincrby(ctx: &mut Ctx) {
    let Some(by) = ctx.int_arg(3) else { return };
    let (place, field, limits) = (HashPlace::of(ctx), ctx.arg(2), limits(ctx.server));
    let Ok((hash, is_new, now)) = place.write_or_insert(&mut ctx.server.keyspace, Hash::new) else { return ctx.wrong_type() };
    let old = hash.get(field, now).map_or(Ok(0), integer);
    let sum = match old.and_then(|n| n.checked_add(by).ok_or("ERR increment or decrement would overflow")) {
        Ok(sum) => sum,
        Err(text) => return ctx.error(text),
    };
    hash.set(field, itoa::Buffer::new().format(sum).as_bytes(), Bytes::new, OldDeadline::Stays, now, &limits);
    Changed::of(hash).finish(ctx);
    if is_new {
        ctx.notify(place.key, NEW);
    }
    ctx.changed(1, Event('h', "hincrby"));
    ctx.out.int(sum);
}

fn float(value: FieldValue<'_>) -> Result<LongDouble, &'static str> {
    let number = text(value).and_then(|text| text.with(LongDouble::parse));
    number.ok_or("ERR hash value is not a float")
}

fn hincrbyfloat(ctx: &mut Ctx) {
    let Some(by) = LongDouble::parse(ctx.arg(3)) else { return ctx.error(errors::NOT_FLOAT) };
    if by.is_infinite() {
        return ctx.error("ERR value is NaN or Infinity");
    }
    let (place, field, limits) = (HashPlace::of(ctx), ctx.arg(2), limits(ctx.server));
    let Ok((hash, is_new, now)) = place.write_or_insert(&mut ctx.server.keyspace, Hash::new) else { return ctx.wrong_type() };
    let sum = match hash.get(field, now).map_or(Ok(0.into()), float) {
        Ok(old) => old + by,
        Err(text) => return ctx.error(text),
    };
    if sum.is_nan() || sum.is_infinite() {
        return ctx.error("ERR increment would produce NaN or Infinity");
    }
    let mut text = Vec::new();
    sum.write(&mut text);
    hash.set(field, &text, || Bytes::copy_from_slice(&text), OldDeadline::Stays, now, &limits);
    let expires = hash.deadline(field, now).is_some_and(|deadline| deadline != NEVER);
    Changed::of(hash).finish(ctx);
    if is_new {
        ctx.notify(place.key, NEW);
    }
    ctx.changed(1, Event('h', "hincrbyfloat"));
    ctx.out.bulk(&text);
    if ctx.is_logged() {
        // Precision and formatting may differ elsewhere: the log has the result. HSET would take a deadline away; where there is one,
        // whoever reads the log knows HSETEX.
        let (key, text) = (place.key, &text[..]);
        ctx.log_owned(match expires {
            true => OwnedArgs::new(&[b"HSETEX", key, b"KEEPTTL", b"FIELDS", b"1", field, text]),
            false => OwnedArgs::new(&[b"HSET", key, field, text]),
        });
    }
}

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("hincrby", hincrby, 4, WRITE | DENYOOM | FAST)
        .since(Group::Hash, "2.0.0")
        .doc("Adds a number to the integer in a field; a missing field counts as 0.", "O(1)")
        .args("key field increment:integer")
        .keys(&[KeySpec::one(1, k::RW | k::ACCESS | k::UPDATE)])
        .element(2),
    command("hincrbyfloat", hincrbyfloat, 4, WRITE | DENYOOM | FAST)
        .since(Group::Hash, "2.6.0")
        .doc("Adds a number to the floating-point number in a field; a missing field counts as 0.", "O(1)")
        .args("key field increment:double")
        .keys(&[KeySpec::one(1, k::RW | k::ACCESS | k::UPDATE)])
        .element(2),
];
