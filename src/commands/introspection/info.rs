//! COMMAND INFO, and COMMAND without a subcommand: what a client library or a proxy wants to know.

use super::{find, names_of, reply_flags};
use crate::commands::{
    CommandId, Ctx,
    command::{Begin, Find, KeySpec, categories, flags, key_flags},
    key_extraction::legacy_range,
};

pub(super) fn info(ctx: &mut Ctx) {
    if ctx.argc() == 2 {
        return reply_all(ctx);
    }
    ctx.out.array(ctx.argc() - 2);
    for name in ctx.args.skip(2).iter() {
        match find(ctx.registry, name) {
            Some(id) => reply(ctx, id),
            None => ctx.out.null(),
        }
    }
}

pub(super) fn reply_all(ctx: &mut Ctx) {
    let registry = ctx.registry;
    ctx.out.array(registry.top_level().count());
    registry.top_level().for_each(|id| reply(ctx, id));
}

fn reply(ctx: &mut Ctx, id: CommandId) {
    let registry = ctx.registry;
    let command = registry.get(id);
    let ((first, last, step), movable) = legacy_range(command.keys);
    ctx.out.array(10);
    ctx.out.bulk(registry.full_name(id).as_bytes());
    ctx.out.int(command.arity.into());
    let shown = command.flags | if movable { flags::MOVABLE_KEYS } else { 0 };
    reply_flags(ctx, flags::NAMES.iter().filter(|(flag, _)| shown & flag != 0).map(|(_, name)| *name));
    for n in [first, last, step] {
        ctx.out.int(n.into());
    }
    let all = command.categories_all();
    ctx.out.set(all.count_ones() as usize);
    for (bit, name) in categories::NAMES.iter().enumerate() {
        if all & 1 << bit != 0 {
            ctx.out.simple(&format!("@{name}"));
        }
    }
    ctx.out.set(command.tips.len());
    command.tips.iter().for_each(|tip| ctx.out.bulk(tip.as_bytes()));
    ctx.out.set(command.keys.len());
    command.keys.iter().for_each(|spec| reply_key_spec(ctx, spec));
    let subcommands = registry.subcommands(id);
    if subcommands.is_empty() {
        return ctx.out.set(0);
    }
    ctx.out.array(subcommands.len());
    subcommands.iter().for_each(|sub| reply(ctx, *sub));
}

fn reply_key_spec(ctx: &mut Ctx, spec: &KeySpec) {
    ctx.out.map(3 + usize::from(spec.notes.is_some()));
    if let Some(notes) = spec.notes {
        ctx.out.bulk(b"notes");
        ctx.out.bulk(notes.as_bytes());
    }
    ctx.out.bulk(b"flags");
    reply_flags(ctx, names_of(spec.flags, key_flags::NAMES));
    ctx.out.bulk(b"begin_search");
    match spec.begin {
        Begin::Index(at) => reply_step(ctx, "index", &[("index", at)]),
        Begin::Keyword(word, from) => {
            ctx.out.map(2);
            ctx.out.bulk(b"type");
            ctx.out.bulk(b"keyword");
            ctx.out.bulk(b"spec");
            ctx.out.map(2);
            ctx.out.bulk(b"keyword");
            ctx.out.bulk(word.as_bytes());
            ctx.out.bulk(b"startfrom");
            ctx.out.int(from.into());
        }
        Begin::Unknown => reply_step(ctx, "unknown", &[]),
    }
    ctx.out.bulk(b"find_keys");
    match spec.find {
        Find::Range { last, step, limit } => reply_step(ctx, "range", &[("lastkey", last), ("keystep", step), ("limit", limit)]),
        Find::KeyNum { count, first, step } => {
            reply_step(ctx, "keynum", &[("keynumidx", count), ("firstkey", first), ("keystep", step)]);
        }
        Find::Unknown => reply_step(ctx, "unknown", &[]),
    }
}

/// One half of a key specification whose parts are numbers.
fn reply_step(ctx: &mut Ctx, kind: &str, numbers: &[(&str, i32)]) {
    ctx.out.map(2);
    ctx.out.bulk(b"type");
    ctx.out.bulk(kind.as_bytes());
    ctx.out.bulk(b"spec");
    ctx.out.map(numbers.len());
    for (name, n) in numbers {
        ctx.out.bulk(name.as_bytes());
        ctx.out.int((*n).into());
    }
}
