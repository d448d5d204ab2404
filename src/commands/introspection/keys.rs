//! COMMAND GETKEYS and GETKEYSANDFLAGS.

use super::{names_of, reply_flags};
use crate::commands::{
    Ctx,
    command::{flags, key_flags},
    key_extraction::{has_keys, keys},
    registry::Lookup,
};

pub(super) fn getkeys(ctx: &mut Ctx) {
    reply(ctx, false);
}

pub(super) fn getkeysandflags(ctx: &mut Ctx) {
    reply(ctx, true);
}

fn reply(ctx: &mut Ctx, with_flags: bool) {
    let args = ctx.args.skip(2);
    let Lookup::Found(id) = ctx.registry.resolve(&args) else {
        return ctx.error("ERR Invalid command specified");
    };
    let command = ctx.registry.get(id);
    if !has_keys(command) {
        return ctx.error("ERR The command has no key arguments");
    }
    if !command.accepts(args.len()) {
        return ctx.error("ERR Invalid number of arguments specified for command");
    }
    let found = keys(command, &args).unwrap_or_default();
    if found.is_empty() && command.flags & flags::NO_MANDATORY_KEYS == 0 {
        return ctx.error("ERR Invalid arguments specified for command");
    }
    ctx.out.array(found.len());
    for (position, flags) in found {
        if with_flags {
            ctx.out.array(2);
            ctx.out.bulk(args.get(position));
            reply_flags(ctx, names_of(flags, key_flags::NAMES));
        } else {
            ctx.out.bulk(args.get(position));
        }
    }
}
