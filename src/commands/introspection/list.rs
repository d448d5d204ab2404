//! COMMAND LIST.

use crate::{
    commands::{CommandId, Ctx, command::categories, context::errors},
    data::glob,
};

/// Which commands are listed.
enum ListFilter<'a> {
    All,
    /// Those of a module: there are no modules.
    Module,
    /// Those of ACL categories: bits.
    Category(u32),
    /// Those whose name matches.
    Pattern(&'a [u8]),
}

pub(super) fn list(ctx: &mut Ctx) {
    let Some(filter) = filter(ctx) else { return ctx.error(errors::SYNTAX) };
    let registry = ctx.registry;
    let is_listed = |id: &CommandId| match filter {
        ListFilter::All => true,
        ListFilter::Module => false,
        ListFilter::Category(bits) => registry.get(*id).categories_all() & bits != 0,
        ListFilter::Pattern(pattern) => glob::matches(pattern, registry.full_name(*id).as_bytes(), true),
    };
    let listed: Vec<CommandId> = (0..registry.len() as CommandId).filter(is_listed).collect();
    ctx.out.array(listed.len());
    listed.into_iter().for_each(|id| ctx.out.bulk(registry.full_name(id).as_bytes()));
}

fn filter<'a>(ctx: &Ctx<'a>) -> Option<ListFilter<'a>> {
    match ctx.argc() {
        2 => Some(ListFilter::All),
        5 if !ctx.is_word(2, "filterby") => None,
        5 if ctx.is_word(3, "module") => Some(ListFilter::Module),
        5 if ctx.is_word(3, "aclcat") => Some(ListFilter::Category(categories::named(ctx.arg(4)).unwrap_or(0))),
        5 if ctx.is_word(3, "pattern") => Some(ListFilter::Pattern(ctx.arg(4))),
        _ => None,
    }
}
