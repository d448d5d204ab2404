//! What the commands that store a result have in common.

use super::{
    Ctx,
    context::{Event, NEW},
};
use crate::{
    data::{
        entry::{NEVER, NewString},
        object::Collection,
    },
    keyspace::Upsert,
};

/// Puts a collection of `len` elements under the key at argument `i`, whatever was there; an empty one takes the key away. Answers with `len`.
pub fn store(ctx: &mut Ctx<'_>, i: usize, result: impl Collection, len: usize, event: Event) {
    let (hash, key) = (ctx.hash(i), ctx.arg(i));
    if len == 0 {
        if ctx.server.keyspace.remove(ctx.db, hash, key).is_some() {
            ctx.changed(i, Event('g', "del"));
        }
        return ctx.out.int(0);
    }
    let value = NewString::Object(Box::new(result.into_object()));
    match ctx.server.keyspace.upsert(ctx.db, hash, key) {
        Upsert::Occupied(slot) => slot.put(value, NEVER),
        Upsert::Vacant(slot) => {
            slot.put(key, value, NEVER);
            ctx.notify(key, NEW);
        }
    }
    ctx.changed(i, event);
    ctx.out.len_int(len);
}
