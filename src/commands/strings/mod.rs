//! Strings: what their commands share. Each file below has a few of the commands, and ends in their rows of the table.

pub mod counters;
pub mod expiring;
pub mod lcs;
pub mod parts;
pub mod several;
pub mod simple;

use super::Ctx;
use crate::{
    data::{
        entry::NewString,
        pair::{Held, Value},
    },
    keyspace::Upsert,
    resp::{output::Output, request::Args},
};

/// Answers with a string value; `false`, and no answer, when it is not a string.
#[inline(always)]
pub fn reply_value<O: Held>(out: &mut Output, value: Value<'_, O>) -> bool {
    match value {
        Value::Str(s) => out.bulk(s),
        Value::Int(n) => out.bulk_int(n),
        Value::Object(object) => match object.bytes() {
            Some(bytes) => out.bulk_shared(bytes),
            None => return false,
        },
    }
    true
}

/// Argument `i` as a string to store.
#[inline(always)]
pub fn new_string(args: Args<'_>, i: usize) -> NewString<'_> {
    NewString::encode(args.get(i), || args.to_bytes(i))
}

/// Puts the string at argument `value` under the key at argument `key`, whose hash this is, whatever was there.
/// Does not say that it changed; `true` when the key is new.
#[inline(always)]
pub fn put_string(ctx: &mut Ctx<'_>, key: usize, hash: u64, value: usize, deadline: i64) -> bool {
    let (name, value) = (ctx.arg(key), new_string(ctx.args, value));
    match ctx.server.keyspace.upsert(ctx.db, hash, name) {
        Upsert::Occupied(slot) => {
            slot.put(value, deadline);
            false
        }
        Upsert::Vacant(slot) => {
            slot.put(name, value, deadline);
            true
        }
    }
}
