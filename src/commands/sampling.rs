//! Elements of a collection drawn at random, the same ones perhaps, as many as are asked for: in one go if they are few, in parts if they are many.

use super::Ctx;
use crate::{
    resp::output::Output,
    state::{
        ClientKind,
        client::ReplyMode,
        long_reply::{Draw, LongReply, Source},
    },
};

/// Elements that are drawn in one go.
const FIRST: u64 = 1000;
/// Bytes of reply that are made in one go.
const FIRST_BYTES: usize = 256 * 1024;
/// Elements that may be drawn where the client cannot wait: in a transaction, or where messages may come between the parts.
const AT_ONCE_MAX: u64 = 1 << 20;
/// Elements put aside in case that there is nothing left to draw from.
const SPARE: usize = 16;

/// Bytes of the shortest element: `$0`, and two line ends.
const ELEMENT_BYTES_MIN: u64 = 6;

/// Answers with `count` elements of the value at the first key, which has some.
pub fn reply(ctx: &mut Ctx<'_>, count: u64, in_pairs: bool, draw: Draw) {
    let client = ctx.client();
    let is_heard = client.reply == ReplyMode::On;
    let can_wait = !ctx.in_exec && is_heard && client.kind() == ClientKind::Normal && client.subscriptions.is_none();
    if !can_wait && is_heard && count > AT_ONCE_MAX {
        return ctx.error(format!("ERR value is out of range, no more than {AT_ONCE_MAX} elements can be drawn here"));
    }
    // A reply that is bound to be cut off at the limit, however short its elements are, is not begun.
    if can_wait && ctx.server.is_output_cut(ctx.conn, count.saturating_mul(ELEMENT_BYTES_MIN)) {
        return ctx.server.close_over_output_limit(ctx.conn);
    }
    let before = ctx.out.len();
    ctx.out.array(if in_pairs && !ctx.out.resp3() { 2 * count as usize } else { count as usize });
    if !is_heard {
        return;
    }
    let source = Source { db: ctx.db, key: ctx.arg(1).into(), in_pairs };
    let (first, bytes) = if can_wait { (FIRST, FIRST_BYTES) } else { (AT_ONCE_MAX, ctx.reply_limit()) };
    let (keyspace, rng) = (&mut ctx.server.keyspace, &mut ctx.server.rng);
    // What the requests before are owed does not count.
    let bytes = bytes.saturating_add(if can_wait { ctx.out.len() } else { 0 });
    let left = count - draw(keyspace, rng, &source, count.min(first), bytes, ctx.out);
    if left == 0 || !can_wait {
        return;
    }
    let one = |_| {
        let mut out = Output::new(ctx.out.protocol);
        draw(keyspace, rng, &source, 1, usize::MAX, &mut out);
        out.take_all()
    };
    let spare = (0..SPARE).map(one).collect();
    let written = (ctx.out.len() - before) as u64;
    ctx.server.begin_long_reply(ctx.conn, LongReply { source, draw, left, spare, written, behind: Output::new(ctx.out.protocol) });
}
