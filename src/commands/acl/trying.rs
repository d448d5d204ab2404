//! ACL DRYRUN.

use crate::{
    acl::Denied,
    commands::{Ctx, permissions::Asked, registry::Lookup},
};

pub(super) fn dryrun(ctx: &mut Ctx) {
    let name = ctx.arg(2);
    let Some(user) = ctx.server.users.find(name).and_then(|id| ctx.server.users.get(id)) else {
        return ctx.error([b"ERR User '", name, b"' not found"].concat());
    };
    let args = ctx.args.skip(3);
    let Lookup::Found(id) = ctx.registry.resolve(&args) else {
        return ctx.error([b"ERR Command '", args.get(0), b"' not found"].concat());
    };
    if !ctx.registry.get(id).accepts(args.len()) {
        let text = format!("ERR wrong number of arguments for '{}' command", ctx.registry.full_name(id));
        return ctx.error(text);
    }
    let asked = Asked { registry: ctx.registry, id, args, db: ctx.db, databases: ctx.server.keyspace.databases() };
    match user.check(&asked) {
        Ok(()) => ctx.out.ok(),
        Err(denied) => {
            let text = match denied {
                Denied::Command => {
                    [b"User ", user.name(), b" has no permissions to run the '", ctx.registry.full_name(id).as_bytes(), b"' command"]
                        .concat()
                }
                Denied::Database(at) => [b"User ", user.name(), b" has no permissions to access database ", args.get(at)].concat(),
                Denied::Key(at) => [b"User ", user.name(), b" has no permissions to access the '", args.get(at), b"' key"].concat(),
                Denied::Channel(at) => [b"User ", user.name(), b" has no permissions to access the '", args.get(at), b"' channel"].concat(),
            };
            ctx.out.bulk(&text);
        }
    }
}
