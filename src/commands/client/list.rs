//! CLIENT LIST and CLIENT INFO: a line for each client.

use super::{kind_arg, tracking::redirected_to};
use crate::{
    commands::{Ctx, Registry, context::errors},
    data::number,
    resp::{output::Output, request::Args},
    state::{Client, ClientKind, ConnId, Server, client::Pending, pubsub::Topic, tracking::TrackingMode},
};
use std::io::Write;

pub(super) fn info(ctx: &mut Ctx) {
    let mut text = Vec::new();
    write_line(&Look::of(ctx), ctx.conn, ctx.client(), &mut text);
    ctx.out.verbatim("txt", &text);
}

pub(super) fn list(ctx: &mut Ctx) {
    let mut clients: Vec<(u64, ConnId)> = Vec::new();
    if ctx.argc() > 3 && ctx.is_word(2, "id") {
        for i in 3..ctx.argc() {
            let Some(id) = number::parse_i64(ctx.arg(i)) else { return ctx.error("ERR Invalid client ID") };
            let found = u64::try_from(id).ok().and_then(|id| ctx.server.clients.by_id(id));
            clients.extend(found.map(|conn| (0, conn)));
        }
    } else {
        let kind = match ctx.argc() {
            2 => None,
            4 if ctx.is_word(2, "type") => match kind_arg(ctx, 3) {
                None => return,
                kind => kind,
            },
            _ => return ctx.error(errors::SYNTAX),
        };
        let of_kind = ctx.server.clients.iter().filter(|(_, client)| kind.is_none_or(|kind| client.kind() == kind));
        clients.extend(of_kind.map(|(conn, client)| (client.id, conn)));
        // Oldest first.
        clients.sort_unstable();
    }
    let mut text = Vec::new();
    for (_, conn) in clients {
        // One that is on its way out is gone as far as anybody can see.
        if let Some(client) = ctx.server.clients.get(conn).filter(|client| !client.close_now) {
            write_line(&Look::of(ctx), conn, client, &mut text);
        }
    }
    ctx.out.verbatim("txt", &text);
}

/// Who looks at clients: the client whose command is being executed, if it is one, is shown with what that takes.
struct Look<'a> {
    server: &'a Server,
    registry: &'a Registry,
    me: Option<(ConnId, Args<'a>, &'a Output)>,
}

impl<'a> Look<'a> {
    fn of(ctx: &'a Ctx<'_>) -> Self {
        Self { server: ctx.server, registry: ctx.registry, me: Some((ctx.conn, ctx.args, ctx.out)) }
    }
}

/// What is known of a client, without the line's end: what ACL LOG keeps of it.
pub fn line(server: &Server, registry: &Registry, conn: ConnId) -> Vec<u8> {
    let mut text = Vec::new();
    if let Some(client) = server.clients.get(conn) {
        write_line(&Look { server, registry, me: None }, conn, client, &mut text);
        text.pop();
    }
    text
}

/// Writes what is known of a client, in the fields and the order of Redis 7.2.
fn write_line(look: &Look<'_>, conn: ConnId, client: &Client, text: &mut Vec<u8>) {
    let me = look.me.as_ref().filter(|(me, ..)| *me == conn);
    let is_me = me.is_some();
    // While a command runs its client's output is lent to it.
    let out: &Output = me.map_or(&client.out, |(_, _, out)| out);
    // What a replica still has to be sent of the log is held for it as if it lay in its output.
    let held = client.peer.replica().filter(|_| !is_me);
    let in_log = held.map_or(0, |link| link.behind_in(&look.server.replication.log) as usize);
    let memory = client.memory() + in_log + if is_me { out.memory() } else { 0 };
    let seconds_since = |ms: u64| look.server.mono_ms.saturating_sub(ms) / 1000;
    let argv_mem: usize = me.map_or(0, |(_, args, _)| args.iter().map(<[u8]>::len).sum());
    let (multi, multi_mem) = client.multi.as_ref().map_or((-1, 0), |multi| (multi.queue.len() as i64, multi.memory));
    // A big argument that is being read stands for what is in front of it, too, as in Redis.
    let input = |p: &Pending| if p.parser.is_filling() { p.parser.own_bytes() } else { p.buf.len() };
    let held = client.pending.as_ref().map_or((0, 0), |p| (input(p), p.buf.capacity() - p.buf.len()));
    // Whose command this is has at least that in what was read, though no buffer is its own.
    let (qbuf, qbuf_free) = (held.0 + me.map_or(0, |(_, args, _)| request_len(*args)), held.1);
    // What goes beyond a buffer that every client may have counts as output memory.
    let fixed = out.tail_capacity().min(REPLY_BUFFER);
    let events = if !is_me && !out.is_empty() { "rw" } else { "r" };
    let command = client.last_command.map_or("NULL", |id| look.registry.full_name(id));
    // Writing to a vector cannot fail.
    let _ = write!(text, "id={} addr={} laddr={} fd={} name=", client.id, client.origin.addr, client.origin.laddr, client.origin.fd);
    text.extend_from_slice(&client.name);
    let _ = write!(
        text,
        " age={} idle={} flags={} db={} sub={} psub={} ssub={} multi={multi} qbuf={qbuf} qbuf-free={qbuf_free} argv-mem={argv_mem} \
         multi-mem={multi_mem} rbs={} rbp={} obl={} oll={} omem={} tot-mem={memory} events={events} cmd={command} user={} redir={} resp={} lib-name=",
        seconds_since(client.created_ms),
        seconds_since(client.active_ms),
        flags(client),
        client.db,
        client.subscribed(Topic::Channel),
        client.subscribed(Topic::Pattern),
        client.subscribed(Topic::Shard),
        fixed,
        out.tail_len().min(fixed),
        if is_me { 0 } else { out.tail_len().min(fixed) },
        out.pieces(),
        out.memory() - fixed + in_log,
        String::from_utf8_lossy(look.server.username(client)),
        redirected_to(client.tracking.as_deref()),
        if out.resp3() { 3 } else { 2 },
    );
    text.extend_from_slice(&client.lib_name);
    text.extend_from_slice(b" lib-ver=");
    text.extend_from_slice(&client.lib_ver);
    text.push(b'\n');
}

/// Bytes of a reply buffer as Redis has them: what is more stands in a list there.
const REPLY_BUFFER: usize = 16 * 1024;

/// Bytes that the command being executed took on the wire.
fn request_len(args: Args<'_>) -> usize {
    let framed = |n: usize| 1 + itoa::Buffer::new().format(n).len() + 2;
    framed(args.len()) + args.iter().map(|arg| framed(arg.len()) + arg.len() + 2).sum::<usize>()
}

/// A letter for each state a client is in; `N` for none.
fn flags(client: &Client) -> String {
    let tracking = client.tracking.as_deref();
    let letters = [
        (client.peer.is_replica() && !client.monitor, 'S'),
        (client.monitor, 'O'),
        (client.peer.is_primary(), 'M'),
        (client.kind() == ClientKind::Pubsub, 'P'),
        (client.multi.is_some(), 'x'),
        (client.shows_blocked(), 'b'),
        (tracking.is_some(), 't'),
        (tracking.is_some_and(|tracking| tracking.is_redirect_broken), 'R'),
        (tracking.is_some_and(|tracking| tracking.mode == TrackingMode::Broadcast), 'B'),
        (client.watch.get(), 'd'),
        (client.close_after_reply, 'c'),
        (client.close_now, 'A'),
        (client.origin.unix, 'U'),
        (client.no_evict, 'e'),
        (client.no_touch, 'T'),
    ];
    let shown: String = letters.iter().filter(|(set, _)| *set).map(|(_, letter)| *letter).collect();
    if shown.is_empty() { "N".to_owned() } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::client::Origin;

    #[test]
    fn states_have_letters_in_redis_order() {
        let mut client = Client::new(7, Origin::default(), 0, true);
        assert_eq!(flags(&client), "N");
        client.multi = Some(Box::default());
        client.watch.set(true);
        client.no_touch = true;
        client.origin.unix = true;
        client.tracking = Some(Box::default());
        assert_eq!(flags(&client), "xtdUT");
        client.peer.become_replica();
        assert_eq!(flags(&client), "SxtdUT");
        client.monitor = true;
        assert_eq!(flags(&client), "OxtdUT");
    }
}
