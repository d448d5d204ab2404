//! AUTH, and what HELLO's AUTH does too.

use crate::{
    acl::{self, Context, Reason, Refusal},
    commands::{Ctx, client, context::errors},
};

const WRONG_PASSWORD: &str = "WRONGPASS invalid username-password pair or user is disabled.";

pub(super) fn auth(ctx: &mut Ctx) {
    let (user, password) = match ctx.argc() {
        2 if ctx.server.users.default_user().is_nopass() => {
            // Old clients are told that they have a password for a server that has none.
            return ctx.error(
                "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
            );
        }
        2 => (acl::DEFAULT, ctx.arg(1)),
        3 => (ctx.arg(1), ctx.arg(2)),
        _ => return ctx.error(errors::SYNTAX),
    };
    if authenticate(ctx, user, password) {
        ctx.out.ok();
    }
}

/// Makes the client this user; `false`, and an error as the answer, when the password is not the user's.
pub(super) fn authenticate(ctx: &mut Ctx, user: &[u8], password: &[u8]) -> bool {
    let conn = ctx.conn;
    match ctx.server.users.authenticate(user, password) {
        Some(id) => {
            ctx.server.log_in(conn, id);
            true
        }
        None => {
            let context = if ctx.in_exec { Context::Multi } else { Context::TopLevel };
            let refusal = Refusal { reason: Reason::Auth, context, object: ctx.arg(0).to_vec(), username: user.to_vec() };
            let shown = client::list::line(ctx.server, ctx.registry, conn);
            ctx.server.note_refusal(refusal, shown);
            ctx.error(WRONG_PASSWORD);
            false
        }
    }
}
