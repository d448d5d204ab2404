//! Users are made, changed and removed.

use crate::{
    acl::{DEFAULT, UsersError},
    commands::Ctx,
};

pub(super) fn setuser(ctx: &mut Ctx) {
    let rules: Vec<&[u8]> = ctx.args.skip(3).iter().collect();
    match ctx.server.set_user(ctx.arg(2), &rules, ctx.registry) {
        Ok(()) => ctx.out.ok(),
        Err(UsersError::BadName) => ctx.error("ERR Usernames can't contain spaces or null characters"),
        Err(UsersError::Unmatched(begins)) => {
            ctx.error([b"ERR Unmatched parenthesis in acl selector starting at '", &begins[..], b"'."].concat());
        }
        Err(UsersError::Rule(rule, error)) => {
            let error = error.to_string();
            ctx.error([b"ERR Error in ACL SETUSER modifier '", &rule[..], b"': ", error.as_bytes()].concat());
        }
    }
}

pub(super) fn deluser(ctx: &mut Ctx) {
    let mut gone = Vec::new();
    for i in 2..ctx.argc() {
        let name = ctx.arg(i);
        if name == DEFAULT {
            // Those in front of it are gone all the same, as in Redis.
            ctx.error("ERR The 'default' user cannot be removed");
            break;
        }
        gone.extend(ctx.server.users.remove(name));
    }
    let conn = ctx.conn;
    ctx.server.close_clients_of(&gone, conn);
    if !(2..ctx.argc()).any(|i| ctx.arg(i) == DEFAULT) {
        ctx.out.len_int(gone.len());
    }
}
