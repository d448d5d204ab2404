//! Sets: what their commands share. Each file below has a few of the commands, and ends in their rows of the table.

pub mod algebra;
pub mod members;
pub mod random;
pub mod walking;

use super::Ctx;
use crate::{
    data::{listpack::Item, set::SetLimits},
    resp::output::Output,
};

/// How large each form of a set may become.
#[inline]
fn limits(ctx: &Ctx<'_>) -> SetLimits {
    let config = &ctx.server.config;
    SetLimits {
        intset_entries: config.set_max_intset_entries,
        listpack_entries: config.set_max_listpack_entries,
        listpack_value: config.set_max_listpack_value,
        seed: ctx.server.keyspace.seed(),
    }
}

/// Adds a member to a reply.
#[inline]
fn reply_member(out: &mut Output, member: Item<'_>) {
    match member {
        Item::Int(n) => out.bulk_int(n),
        Item::Str(bytes) => out.bulk(bytes),
    }
}
