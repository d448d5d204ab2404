//! HELLO: the handshake of clients that know RESP3.

use super::{BAD_NAME, auth, is_name};
use crate::{commands::Ctx, config::REDIS_VERSION, data::number, resp::output::Protocol};

/// What HELLO's options ask for.
#[derive(Default)]
struct HelloOptions<'a> {
    user_and_password: Option<(&'a [u8], &'a [u8])>,
    name: Option<&'a [u8]>,
}

pub(super) fn hello(ctx: &mut Ctx) {
    let mut protocol = None;
    if ctx.argc() >= 2 {
        protocol = match number::parse_i64(ctx.arg(1)) {
            Some(2) => Some(Protocol::Resp2),
            Some(3) => Some(Protocol::Resp3),
            Some(_) => return ctx.error("NOPROTO unsupported protocol version"),
            None => return ctx.error("ERR Protocol version is not an integer or out of range"),
        };
    }
    let Some(options) = options(ctx) else { return };
    if let Some((user, password)) = options.user_and_password
        && !auth::authenticate(ctx, user, password)
    {
        return;
    }
    if ctx.server.wants_password(ctx.client()) {
        return ctx.error(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> \
             option can be used to authenticate the client and select the RESP protocol version at the same time",
        );
    }
    if let Some(name) = options.name {
        ctx.client_mut().name = name.to_vec();
    }
    if let Some(protocol) = protocol {
        ctx.out.protocol = protocol;
        ctx.client_mut().out.protocol = protocol;
    }
    introduce(ctx);
}

/// Reads the options; answers with an error when they are wrong.
fn options<'a>(ctx: &mut Ctx<'a>) -> Option<HelloOptions<'a>> {
    let mut options = HelloOptions::default();
    let mut i = 2;
    while i < ctx.argc() {
        let more = ctx.argc() - 1 - i;
        if ctx.is_word(i, "auth") && more >= 2 {
            options.user_and_password = Some((ctx.arg(i + 1), ctx.arg(i + 2)));
            i += 3;
        } else if ctx.is_word(i, "setname") && more >= 1 {
            let name = ctx.arg(i + 1);
            if !is_name(name) {
                ctx.error(BAD_NAME);
                return None;
            }
            options.name = Some(name);
            i += 2;
        } else {
            let text = [b"ERR Syntax error in HELLO option '", ctx.arg(i), b"'"].concat();
            ctx.error(text);
            return None;
        }
    }
    Some(options)
}

fn introduce(ctx: &mut Ctx) {
    let id = ctx.client().id as i64;
    let proto = if ctx.out.resp3() { 3 } else { 2 };
    ctx.out.map(7);
    ctx.out.bulk(b"server");
    // Clients look for this very name.
    ctx.out.bulk(b"redis");
    ctx.out.bulk(b"version");
    ctx.out.bulk(REDIS_VERSION.as_bytes());
    ctx.out.bulk(b"proto");
    ctx.out.int(proto);
    ctx.out.bulk(b"id");
    ctx.out.int(id);
    ctx.out.bulk(b"mode");
    ctx.out.bulk(b"standalone");
    ctx.out.bulk(b"role");
    ctx.out.bulk(b"master");
    ctx.out.bulk(b"modules");
    ctx.out.array(0);
}
