//! COMMAND DOCS: what redis-cli shows as hints and help.

use super::{
    find, reply_flags,
    syntax::{self, Argument, ArgumentKind},
};
use crate::commands::{CommandId, Ctx};

pub(super) fn docs(ctx: &mut Ctx) {
    let registry = ctx.registry;
    let ids: Vec<CommandId> = match ctx.argc() {
        2 => registry.top_level().collect(),
        _ => ctx.args.skip(2).iter().filter_map(|name| find(registry, name)).collect(),
    };
    ctx.out.map(ids.len());
    ids.into_iter().for_each(|id| reply_named(ctx, id));
}

fn reply_named(ctx: &mut Ctx, id: CommandId) {
    ctx.out.bulk(ctx.registry.full_name(id).as_bytes());
    reply(ctx, id);
}

fn reply(ctx: &mut Ctx, id: CommandId) {
    let registry = ctx.registry;
    let command = registry.get(id);
    let subcommands = registry.subcommands(id);
    // A test reads every row, so there is nothing to refuse here.
    let arguments = syntax::parse(command.args, command.keys.len()).unwrap_or_default();
    let optional = [!command.complexity.is_empty(), !command.history.is_empty(), !arguments.is_empty(), !subcommands.is_empty()];
    let flags = [(command.deprecated.is_some(), "deprecated"), (command.internal, "syscmd")];
    let flags = flags.into_iter().filter(|(is, _)| *is).map(|(_, name)| name);
    let has_flags = flags.clone().next().is_some();
    let deprecated = if command.deprecated.is_some() { 2 } else { 0 };
    ctx.out.map(3 + usize::from(has_flags) + deprecated + optional.iter().filter(|there| **there).count());
    reply_text(ctx, "summary", command.summary);
    reply_text(ctx, "since", command.since);
    reply_text(ctx, "group", command.group.name());
    if !command.complexity.is_empty() {
        reply_text(ctx, "complexity", command.complexity);
    }
    if has_flags {
        ctx.out.bulk(b"doc_flags");
        reply_flags(ctx, flags);
    }
    if let Some((since, instead)) = command.deprecated {
        reply_text(ctx, "deprecated_since", since);
        reply_text(ctx, "replaced_by", instead);
    }
    if !command.history.is_empty() {
        ctx.out.bulk(b"history");
        ctx.out.set(command.history.len());
        for (since, change) in command.history {
            ctx.out.array(2);
            ctx.out.bulk(since.as_bytes());
            ctx.out.bulk(change.as_bytes());
        }
    }
    if !arguments.is_empty() {
        ctx.out.bulk(b"arguments");
        reply_arguments(ctx, &arguments);
    }
    if !subcommands.is_empty() {
        ctx.out.bulk(b"subcommands");
        ctx.out.map(subcommands.len());
        subcommands.iter().for_each(|sub| reply_named(ctx, *sub));
    }
}

fn reply_text(ctx: &mut Ctx, name: &str, text: &str) {
    ctx.out.bulk(name.as_bytes());
    ctx.out.bulk(text.as_bytes());
}

fn reply_arguments(ctx: &mut Ctx, arguments: &[Argument]) {
    ctx.out.array(arguments.len());
    for argument in arguments {
        reply_argument(ctx, argument);
    }
}

fn reply_argument(ctx: &mut Ctx, argument: &Argument) {
    let flags = [(argument.optional, "optional"), (argument.multiple, "multiple"), (argument.multiple_token, "multiple_token")];
    let flags = flags.iter().filter(|(set, _)| *set).map(|(_, name)| *name);
    let optional = [argument.key_spec.is_some(), argument.token.is_some(), flags.clone().next().is_some()];
    // A group has its arguments where anything else has a text to show.
    ctx.out.map(3 + optional.iter().filter(|there| **there).count());
    reply_text(ctx, "name", &argument.name);
    reply_text(ctx, "type", argument.kind.name());
    if !argument.kind.is_group() {
        reply_text(ctx, "display_text", argument.display.unwrap_or(&argument.name));
    }
    if let Some(index) = argument.key_spec {
        ctx.out.bulk(b"key_spec_index");
        ctx.out.len_int(index);
    }
    if let Some(token) = argument.token {
        reply_text(ctx, "token", token);
    }
    if flags.clone().next().is_some() {
        ctx.out.bulk(b"flags");
        reply_flags(ctx, flags);
    }
    if matches!(argument.kind, ArgumentKind::OneOf | ArgumentKind::Block) {
        ctx.out.bulk(b"arguments");
        reply_arguments(ctx, &argument.arguments);
    }
}
