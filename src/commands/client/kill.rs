//! CLIENT KILL.

use super::kind_arg;
use crate::{
    commands::{Ctx, context::errors},
    data::number,
    state::{Client, ClientKind, ConnId, Server},
};

/// What a client must be to be closed.
#[derive(Default)]
struct KillFilter<'a> {
    addr: Option<&'a [u8]>,
    laddr: Option<&'a [u8]>,
    kind: Option<ClientKind>,
    id: Option<u64>,
    user: Option<&'a [u8]>,
    skip_me: bool,
}

impl KillFilter<'_> {
    fn takes(&self, server: &Server, client: &Client, is_me: bool) -> bool {
        // One that is on its way out is gone as far as anybody can see.
        let left_out = client.close_now || is_me && self.skip_me;
        !left_out
            && self.addr.is_none_or(|addr| client.origin.addr.as_bytes() == addr)
            && self.laddr.is_none_or(|laddr| client.origin.laddr.as_bytes() == laddr)
            && self.kind.is_none_or(|kind| client.kind() == kind)
            && self.id.is_none_or(|id| client.id == id)
            && self.user.is_none_or(|user| server.username(client) == user)
    }
}

pub(super) fn kill(ctx: &mut Ctx) {
    if ctx.argc() == 3 {
        // The old form: an address, and one may kill oneself.
        let filter = KillFilter { addr: Some(ctx.arg(2)), ..KillFilter::default() };
        return match close_all(ctx, &filter) {
            0 => ctx.error("ERR No such client"),
            _ => ctx.out.ok(),
        };
    }
    let Some(filter) = filter(ctx) else { return };
    let killed = close_all(ctx, &filter);
    ctx.out.len_int(killed);
}

/// Reads the options; answers with an error when they are wrong.
fn filter<'a>(ctx: &mut Ctx<'a>) -> Option<KillFilter<'a>> {
    let mut filter = KillFilter { skip_me: true, ..KillFilter::default() };
    for i in (2..ctx.argc()).step_by(2) {
        let value = ctx.arg(i + 1);
        if i + 1 == ctx.argc() {
            ctx.error(errors::SYNTAX);
            return None;
        }
        if ctx.is_word(i, "id") {
            let id = number::parse_i64(value).filter(|id| *id > 0);
            if id.is_none() {
                ctx.error("ERR client-id should be greater than 0");
                return None;
            }
            filter.id = id.map(|id| id as u64);
        } else if ctx.is_word(i, "type") {
            filter.kind = Some(kind_arg(ctx, i + 1)?);
        } else if ctx.is_word(i, "addr") {
            filter.addr = Some(value);
        } else if ctx.is_word(i, "laddr") {
            filter.laddr = Some(value);
        } else if ctx.is_word(i, "user") {
            if ctx.server.users.find(value).is_none() {
                ctx.error([b"ERR No such user '", value, b"'"].concat());
                return None;
            }
            filter.user = Some(value);
        } else if ctx.is_word(i, "skipme") && (ctx.is_word(i + 1, "yes") || ctx.is_word(i + 1, "no")) {
            filter.skip_me = ctx.is_word(i + 1, "yes");
        } else {
            ctx.error(errors::SYNTAX);
            return None;
        }
    }
    Some(filter)
}

/// Closes the clients that the filter takes, oneself behind the reply; returns how many.
fn close_all(ctx: &mut Ctx, filter: &KillFilter<'_>) -> usize {
    let me = ctx.conn;
    let takes = |conn: ConnId, client: &Client| filter.takes(ctx.server, client, conn == me);
    let conns: Vec<ConnId> = ctx.server.clients.iter().filter(|(conn, client)| takes(*conn, client)).map(|(conn, _)| conn).collect();
    for conn in &conns {
        ctx.server.close(*conn, *conn == me);
    }
    conns.len()
}
