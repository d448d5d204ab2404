//! Strings that are numbers.

use crate::{
    commands::{
        Ctx,
        command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
        context::{Event, NEW, errors},
    },
    data::{
        entry::{Entry, NEVER, NewString, Value},
        longdouble::LongDouble,
        number,
    },
    keyspace::Upsert,
    resp::request::OwnedArgs,
};

const OVERFLOW: &str = "ERR increment or decrement would overflow";

/// The number that a value is, or the error.
fn integer(value: Value<'_>) -> Result<i64, &'static str> {
    match value {
        Value::Int(n) => Ok(n),
        Value::Str(s) => number::parse_i64(s).ok_or(errors::NOT_INTEGER),
        Value::Object(object) => Err(if object.bytes().is_some() { errors::NOT_INTEGER } else { errors::WRONG_TYPE }),
    }
}

#[inline(always)]
fn increment(ctx: &mut Ctx<'_>, by: i64) {
    let (hash, key) = (ctx.hash(1), ctx.arg(1));
    let (sum, found) = match ctx.server.keyspace.upsert(ctx.db, hash, key) {
        Upsert::Occupied(mut slot) => {
            let entry = slot.entry_mut();
            match integer(entry.value()).and_then(|n| n.checked_add(by).ok_or(OVERFLOW)) {
                Ok(sum) => {
                    entry.set_int(sum);
                    (sum, true)
                }
                Err(text) => return ctx.error(text),
            }
        }
        Upsert::Vacant(slot) => {
            slot.insert(Entry::new_int(key, by, NEVER));
            (by, false)
        }
    };
    if !found {
        ctx.notify(key, NEW);
    }
    ctx.changed(1, Event('$', "incrby"));
    ctx.out.int(sum);
}

fn incr(ctx: &mut Ctx) {
    increment(ctx, 1);
}

fn decr(ctx: &mut Ctx) {
    increment(ctx, -1);
}

fn incrby(ctx: &mut Ctx) {
    let Some(by) = ctx.int_arg(2) else { return };
    increment(ctx, by);
}

fn decrby(ctx: &mut Ctx) {
    let Some(by) = ctx.int_arg(2) else { return };
    match by.checked_neg() {
        Some(by) => increment(ctx, by),
        None => ctx.error("ERR decrement would overflow"),
    }
}

/// The number that a value is in extended precision, or the error.
fn float(value: Value<'_>) -> Result<LongDouble, &'static str> {
    match value {
        Value::Int(n) => Ok(n.into()),
        Value::Str(s) => LongDouble::parse(s).ok_or(errors::NOT_FLOAT),
        Value::Object(object) => Err(if object.bytes().is_some() { errors::NOT_FLOAT } else { errors::WRONG_TYPE }),
    }
}

fn incrbyfloat(ctx: &mut Ctx) {
    let (hash, key, by) = (ctx.hash(1), ctx.arg(1), LongDouble::parse(ctx.arg(2)));
    let slot = ctx.server.keyspace.upsert(ctx.db, hash, key);
    let old = match &slot {
        Upsert::Occupied(slot) => float(slot.entry().value()),
        Upsert::Vacant(_) => Ok(0.into()),
    };
    let sum = match (old, by) {
        (Ok(old), Some(by)) => old + by,
        (Err(text), _) => return ctx.error(text),
        (Ok(_), None) => return ctx.error(errors::NOT_FLOAT),
    };
    if sum.is_nan() || sum.is_infinite() {
        return ctx.error("ERR increment would produce NaN or Infinity");
    }
    let mut text = Vec::new();
    sum.write(&mut text);
    // At most some 5,000 digits; kept as text even when it is an integer, as Redis does until it is set anew.
    let value = NewString::Inline(&text);
    let found = match slot {
        Upsert::Occupied(slot) => {
            let deadline = slot.entry().deadline();
            slot.put(value, deadline);
            true
        }
        Upsert::Vacant(slot) => {
            slot.put(key, value, NEVER);
            false
        }
    };
    if !found {
        ctx.notify(key, NEW);
    }
    ctx.changed(1, Event('$', "incrbyfloat"));
    ctx.out.bulk(&text);
    if ctx.is_logged() {
        // Precision and formatting may differ elsewhere: the log has the result.
        ctx.log_owned(OwnedArgs::new(&[b"SET", key, &text, b"KEEPTTL"]));
    }
}

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("incr", incr, 2, WRITE | DENYOOM | FAST)
        .since(Group::String, "1.0.0")
        .doc("Adds one to the integer at a key; a missing key counts as 0.", "O(1)")
        .args("key")
        .keys(&[KeySpec::one(1, k::RW | k::ACCESS | k::UPDATE)]),
    command("decr", decr, 2, WRITE | DENYOOM | FAST)
        .since(Group::String, "1.0.0")
        .doc("Takes one from the integer at a key; a missing key counts as 0.", "O(1)")
        .args("key")
        .keys(&[KeySpec::one(1, k::RW | k::ACCESS | k::UPDATE)]),
    command("incrby", incrby, 3, WRITE | DENYOOM | FAST)
        .since(Group::String, "1.0.0")
        .doc("Adds a number to the integer at a key; a missing key counts as 0.", "O(1)")
        .args("key increment:integer")
        .keys(&[KeySpec::one(1, k::RW | k::ACCESS | k::UPDATE)]),
    command("decrby", decrby, 3, WRITE | DENYOOM | FAST)
        .since(Group::String, "1.0.0")
        .doc("Takes a number from the integer at a key; a missing key counts as 0.", "O(1)")
        .args("key decrement:integer")
        .keys(&[KeySpec::one(1, k::RW | k::ACCESS | k::UPDATE)]),
    command("incrbyfloat", incrbyfloat, 3, WRITE | DENYOOM | FAST)
        .since(Group::String, "2.6.0")
        .doc("Adds a number to the floating-point number at a key; a missing key counts as 0.", "O(1)")
        .args("key increment:double")
        .keys(&[KeySpec::one(1, k::RW | k::ACCESS | k::UPDATE)]),
];
