//! XACK, XPENDING: what has been delivered and not been acknowledged.

use super::{
    ids, no_such_group,
    replies::{limit, reply_array, reply_id},
};
use crate::{
    commands::{
        Ctx,
        command::{Command, Group as CommandGroup, KeySpec, command, flags::*, key_flags as k},
        context::errors,
    },
    data::stream::{Group, Pending, Stream, StreamId},
    resp::output::Output,
};

fn xack(ctx: &mut Ctx) {
    let (hash, key, name) = (ctx.hash(1), ctx.arg(1), ctx.arg(2));
    match ctx.server.keyspace.read_to_write_as::<Stream>(ctx.db, hash, key) {
        Ok(Some(stream)) if stream.group(name).is_some() => (),
        Ok(_) => return ctx.out.int(0),
        Err(_) => return ctx.wrong_type(),
    }
    let Some(ids) = ids::id_args(ctx, 3..ctx.argc()) else { return };
    let Ok(Some(stream)) = ctx.server.keyspace.write_as::<Stream>(ctx.db, hash, key) else { return };
    let Some(group) = stream.group_mut(name) else { return };
    let acknowledged = ids.into_iter().filter(|id| group.ack(*id)).count();
    ctx.server.keyspace.dirty += acknowledged as u64;
    ctx.out.len_int(acknowledged);
}

/// Which pending entries are asked for.
struct Filter<'a> {
    /// Milliseconds that they have waited at least; 0 for any.
    idle_ms: i64,
    from: StreamId,
    to: StreamId,
    count: usize,
    consumer: Option<&'a [u8]>,
}

/// The arguments from the third on; answers with an error when they are wrong.
fn filter<'a>(ctx: &mut Ctx<'a>) -> Option<Filter<'a>> {
    let mut first = 3;
    let mut idle_ms = 0;
    if ctx.is_word(3, "idle") {
        idle_ms = ctx.int_arg(4)?;
        if ctx.argc() < 8 {
            ctx.error(errors::SYNTAX);
            return None;
        }
        first = 5;
    }
    let count = ctx.int_arg(first + 2)?.max(0) as usize;
    let from = ids::from_arg(ctx, first)?;
    let to = ids::to_arg(ctx, first + 1)?;
    let consumer = (ctx.argc() > first + 3).then(|| ctx.arg(first + 3));
    Some(Filter { idle_ms, from, to, count, consumer })
}

fn xpending(ctx: &mut Ctx) {
    let (hash, key, name, now_ms) = (ctx.hash(1), ctx.arg(1), ctx.arg(2), ctx.now_ms());
    let filter = match ctx.argc() {
        3 => None,
        6..=9 => match filter(ctx) {
            None => return,
            filter => filter,
        },
        _ => return ctx.error(errors::SYNTAX),
    };
    let (keyspace, out) = (&mut ctx.server.keyspace, &mut *ctx.out);
    let group = match keyspace.read_as::<Stream>(ctx.db, hash, key) {
        Ok(stream) => stream.and_then(|stream| stream.group(name)),
        Err(_) => return ctx.wrong_type(),
    };
    let Some(group) = group else { return no_such_group(ctx, key, name) };
    match filter {
        None => reply_summary(out, group),
        Some(filter) => reply_filtered(out, group, &filter, now_ms),
    }
}

fn reply_summary(out: &mut Output, group: &Group) {
    out.array(4);
    out.int(group.pending_len() as i64);
    let first = group.pending_range(StreamId::MIN, StreamId::MAX).next().map(|(id, _)| id);
    let (Some(first), Some(last)) = (first, group.pending_last()) else {
        out.null();
        out.null();
        return out.null_array();
    };
    reply_id(out, first);
    reply_id(out, last);
    let busy = group.consumers().filter(|(_, consumer)| consumer.pending_len() > 0);
    reply_array(out, group.consumers_len(), busy, |out, (_, consumer)| {
        out.array(2);
        out.bulk(consumer.name());
        out.bulk_int(consumer.pending_len() as i64);
    });
}

fn reply_filtered(out: &mut Output, group: &Group, filter: &Filter<'_>, now_ms: i64) {
    let consumer = filter.consumer.map(|name| group.consumer(name));
    if filter.count == 0 || filter.from > filter.to || consumer == Some(None) {
        return out.array(0);
    }
    let reply = |out: &mut Output, (id, pending): (StreamId, Pending)| {
        out.array(4);
        reply_id(out, id);
        out.bulk(group.consumer_by(pending.consumer).name());
        out.int(now_ms.saturating_sub(pending.delivered_ms).max(0));
        out.int(pending.deliveries as i64);
    };
    // Redis takes 0 for any, and not less than 0.
    let before_ms = if filter.idle_ms == 0 { i64::MAX } else { now_ms.saturating_sub(filter.idle_ms) };
    let (from, to, count) = (filter.from, filter.to, limit(filter.count));
    let guess = filter.count.min(usize::try_from(group.pending_len()).unwrap_or(usize::MAX));
    match consumer.flatten() {
        Some(consumer) => {
            let own = group.consumer_pending(consumer, from).take_while(|(id, _)| *id <= to);
            reply_array(out, guess, own.filter(|(_, pending)| pending.delivered_ms <= before_ms).take(count), reply);
        }
        None if filter.idle_ms == 0 => {
            reply_array(out, guess, group.pending_range(from, to).take(count), reply);
        }
        None => {
            let idle = group.pending_idle(from, before_ms).take_while(|(id, _)| *id <= to);
            reply_array(out, guess, idle.take(count), reply);
        }
    }
}

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("xack", xack, -4, WRITE | FAST)
        .since(CommandGroup::Stream, "5.0.0")
        .doc("Acknowledges entries that a group has pending.", "O(N log M) for N IDs of M that are pending.")
        .args("key group ID:string...")
        .keys(&[KeySpec::one(1, k::RW | k::UPDATE)]),
    command("xpending", xpending, -3, READONLY)
        .since(CommandGroup::Stream, "5.0.0")
        .doc(
            "Tells which entries a group has pending: how many, or which ones, with their consumers, for how long and how often.",
            "O(log M + N) for N returned of M that are pending; with IDLE and a consumer O(N) for what that one has pending. Without a range O(C) for C \
             consumers.",
        )
        .args("key group [filters:([IDLE min-idle-time:integer] start end count:integer [consumer])]")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)])
        .tips(&["nondeterministic_output"])
        .history(&[("6.2.0", "`IDLE`, and ends that do not belong to the range.")]),
];
