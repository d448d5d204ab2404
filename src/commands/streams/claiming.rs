//! XCLAIM, XAUTOCLAIM: a consumer takes over what another has pending.

use super::{
    consumers_changed,
    delivering::find_or_create,
    effects::GroupEffects,
    error_of,
    ids::{self, IdText},
    no_such_group,
    replies::{reply_entry, reply_id},
};
use crate::{
    commands::{
        Ctx, Effect,
        command::{Command, Group as CommandGroup, KeySpec, command, flags::*, key_flags as k},
        context::{Event, errors},
    },
    data::{
        number,
        stream::{ConsumerId, Pending, Stream, StreamId},
    },
    resp::{output::Output, request::OwnedArgs},
};

/// Pending entries that XAUTOCLAIM looks at for each that it may claim.
const ATTEMPTS_EACH: u64 = 10;
/// Pending entries that it looks at before it changes any.
const BATCH: usize = 64;

/// What XCLAIM is to do, beside the entries that it names.
struct Options {
    /// When what is claimed counts as delivered.
    delivered_ms: i64,
    deliveries: Option<u64>,
    force: bool,
    just_id: bool,
    last_id: StreamId,
}

/// The options from argument `i` on; answers with an error when they are wrong.
fn options(ctx: &mut Ctx<'_>, mut i: usize) -> Option<Options> {
    let now_ms = ctx.now_ms();
    let (mut delivered_ms, mut retries) = (-1, -1);
    let mut options = Options { delivered_ms: now_ms, deliveries: None, force: false, just_id: false, last_id: StreamId::MIN };
    while i < ctx.argc() {
        let more = i + 1 < ctx.argc();
        if ctx.is_word(i, "force") {
            options.force = true;
        } else if ctx.is_word(i, "justid") {
            options.just_id = true;
        } else if more && ctx.is_word(i, "idle") {
            i += 1;
            delivered_ms = now_ms.wrapping_sub(int_or(ctx, i, "ERR Invalid IDLE option argument for XCLAIM")?);
        } else if more && ctx.is_word(i, "time") {
            i += 1;
            delivered_ms = int_or(ctx, i, "ERR Invalid TIME option argument for XCLAIM")?;
        } else if more && ctx.is_word(i, "retrycount") {
            i += 1;
            retries = int_or(ctx, i, "ERR Invalid RETRYCOUNT option argument for XCLAIM")?;
        } else if more && ctx.is_word(i, "lastid") {
            i += 1;
            options.last_id = ids::id_arg(ctx, i)?;
        } else {
            let word = ctx.arg(i);
            error_of(ctx, &[b"ERR Unrecognized XCLAIM option '", word, b"'"]);
            return None;
        }
        i += 1;
    }
    // A client's clock may be ahead of ours; what makes no sense counts as now.
    if (0..=now_ms).contains(&delivered_ms) {
        options.delivered_ms = delivered_ms;
    }
    options.deliveries = u64::try_from(retries).ok();
    Some(options)
}

fn int_or(ctx: &mut Ctx<'_>, i: usize, error: &str) -> Option<i64> {
    let value = number::parse_i64(ctx.arg(i));
    if value.is_none() {
        ctx.error(error);
    }
    value
}

/// Who claims, and what is told of it.
struct Claim<'a> {
    group: &'a [u8],
    consumer: &'a [u8],
    id: ConsumerId,
    now_ms: i64,
    /// The answer is the IDs alone.
    just_id: bool,
}

impl Claim<'_> {
    /// Gives the consumer an entry that is there, and answers with it.
    fn take(&self, out: &mut Output, stream: &mut Stream, id: StreamId, pending: Pending, shown: &[u8], effects: &mut GroupEffects<'_>) {
        match stream.get(id).filter(|_| !self.just_id) {
            Some(entry) => reply_entry(out, &entry),
            None => reply_id(out, id),
        }
        let Some(group) = stream.group_mut(self.group) else { return };
        group.set_pending(id, pending);
        group.was_active(self.id, self.now_ms);
        effects.claim(self.consumer, shown, &pending, group.last_id());
    }
}

/// Takes an entry that is gone from the stream out of what is pending.
fn drop_gone(stream: &mut Stream, group: &[u8], id: StreamId, pending: &Pending, shown: &[u8], effects: &mut GroupEffects<'_>) {
    let Some(group) = stream.group_mut(group) else { return };
    let owner = group.consumer_by(pending.consumer);
    effects.claim(owner.name(), shown, pending, group.last_id());
    group.ack(id);
}

/// Tells of what XCLAIM or XAUTOCLAIM has changed: so many times, and whether it has made its consumer.
fn finish(ctx: &mut Ctx<'_>, mut commands: Vec<OwnedArgs>, changes: u64, created: bool) {
    let (key, consumer) = (ctx.arg(1), ctx.arg(3));
    ctx.server.keyspace.dirty += changes + u64::from(created);
    if created {
        ctx.notify(key, Event('t', "xgroup-createconsumer"));
        if !commands.iter().any(|command| command.args().get(0) == b"XCLAIM" && command.args().get(3) == consumer) {
            let mut effects = GroupEffects { logged: ctx.is_logged(), key, group: ctx.arg(2), commands: &mut commands };
            effects.consumer(consumer);
        }
    }
    consumers_changed(ctx, 1);
    // What depends on time is told as it was.
    ctx.effect = Effect::Several(commands);
}

fn xclaim(ctx: &mut Ctx) {
    let (hash, key, name, args, now_ms) = (ctx.hash(1), ctx.arg(1), ctx.arg(2), ctx.args, ctx.now_ms());
    match ctx.server.keyspace.read_to_write_as::<Stream>(ctx.db, hash, key) {
        Ok(Some(stream)) if stream.group(name).is_some() => (),
        Ok(_) => return no_such_group(ctx, key, name),
        Err(_) => return ctx.wrong_type(),
    }
    let Some(idle_ms) = int_or(ctx, 4, "ERR Invalid min-idle-time argument for XCLAIM") else { return };
    let ids: Vec<StreamId> = (5..args.len()).map_while(|i| StreamId::parse(args.get(i), 0)).collect();
    let Some(options) = options(ctx, 5 + ids.len()) else { return };
    let (logged, mut commands, mut changes) = (ctx.is_logged(), Vec::new(), 0);
    let (keyspace, out) = (&mut ctx.server.keyspace, &mut *ctx.out);
    let Ok(Some(stream)) = keyspace.write_as::<Stream>(ctx.db, hash, key) else { return };
    let Some(group) = stream.group_mut(name) else { return };
    let mut moved = options.last_id > group.last_id();
    if moved {
        group.set_last_id(options.last_id);
    }
    let (consumer, created) = find_or_create(group, args.get(3), now_ms);
    let claim = Claim { group: name, consumer: args.get(3), id: consumer, now_ms, just_id: options.just_id };
    let mut effects = GroupEffects { logged, key, group: name, commands: &mut commands };
    let (mark, mut claimed) = (out.mark(), 0);
    out.array(ids.len());
    for (n, id) in ids.iter().copied().enumerate() {
        let shown = args.get(5 + n);
        let found = stream.group(name).and_then(|group| group.pending(id));
        if stream.get(id).is_none() {
            if let Some(pending) = found {
                drop_gone(stream, name, id, &pending, shown, &mut effects);
                (changes, moved) = (changes + 1, false);
            }
            continue;
        }
        let pending = match found {
            Some(pending) if idle_ms > 0 && now_ms.saturating_sub(pending.delivered_ms) < idle_ms => continue,
            Some(pending) => pending,
            // As if it had been delivered once.
            None if options.force => Pending { consumer, delivered_ms: now_ms, deliveries: 1 },
            None => continue,
        };
        let deliveries = options.deliveries.unwrap_or(pending.deliveries.wrapping_add(u64::from(!options.just_id)));
        let pending = Pending { consumer, delivered_ms: options.delivered_ms, deliveries };
        claim.take(out, stream, id, pending, shown, &mut effects);
        claimed += 1;
        (changes, moved) = (changes + 1, false);
    }
    if moved && let Some(group) = stream.group(name) {
        effects.position(group.last_id(), group.entries_read());
        changes += 1;
    }
    out.correct_len(mark, ids.len(), claimed);
    finish(ctx, commands, changes, created);
}

/// How much XAUTOCLAIM may do, and how it answers.
struct Budget {
    /// Entries that it may still answer with.
    count: u64,
    /// Pending entries that it may still look at.
    attempts: u64,
    idle_ms: i64,
    just_id: bool,
}

fn auto_options(ctx: &mut Ctx<'_>) -> Option<(StreamId, Budget)> {
    const COUNT_MAX: i64 = i64::MAX / 16;
    let idle_ms = int_or(ctx, 4, "ERR Invalid min-idle-time argument for XAUTOCLAIM")?;
    let from = ids::from_arg(ctx, 5)?;
    let mut budget = Budget { count: 100, attempts: 0, idle_ms, just_id: false };
    let mut i = 6;
    while i < ctx.argc() {
        if ctx.is_word(i, "count") && i + 1 < ctx.argc() {
            i += 1;
            let Some(count) = number::parse_i64(ctx.arg(i)).filter(|count| (1..=COUNT_MAX).contains(count)) else {
                ctx.error("ERR COUNT must be > 0");
                return None;
            };
            budget.count = count as u64;
        } else if ctx.is_word(i, "justid") {
            budget.just_id = true;
        } else {
            ctx.error(errors::SYNTAX);
            return None;
        }
        i += 1;
    }
    budget.attempts = budget.count.saturating_mul(ATTEMPTS_EACH);
    Some((from, budget))
}

fn xautoclaim(ctx: &mut Ctx) {
    let (hash, key, name, consumer_name, now_ms) = (ctx.hash(1), ctx.arg(1), ctx.arg(2), ctx.arg(3), ctx.now_ms());
    // Redis has looked for the key by the time it finds the mistakes.
    let found = ctx.server.keyspace.read_to_write_as::<Stream>(ctx.db, hash, key);
    let found = found.map(|stream| stream.is_some_and(|stream| stream.group(name).is_some()));
    let Some((from, mut budget)) = auto_options(ctx) else { return };
    match found {
        Ok(true) => (),
        Ok(false) => return no_such_group(ctx, key, name),
        Err(_) => return ctx.wrong_type(),
    }
    let (logged, mut commands, mut changes) = (ctx.is_logged(), Vec::new(), 0);
    let (keyspace, out) = (&mut ctx.server.keyspace, &mut *ctx.out);
    let Ok(Some(stream)) = keyspace.write_as::<Stream>(ctx.db, hash, key) else { return };
    let Some(group) = stream.group_mut(name) else { return };
    let (consumer, created) = find_or_create(group, consumer_name, now_ms);
    let claim = Claim { group: name, consumer: consumer_name, id: consumer, now_ms, just_id: budget.just_id };
    let mut effects = GroupEffects { logged, key, group: name, commands: &mut commands };
    // The cursor stands in front of the entries, and is known behind them.
    let mut claimed = Output::new(out.protocol);
    let (mut taken, mut gone, mut next) = (0, Vec::new(), Some(from));
    while let Some(at) = next.filter(|_| budget.count > 0 && budget.attempts > 0) {
        let Some(group) = stream.group(name) else { break };
        let batch: Vec<_> = group.pending_range(at, StreamId::MAX).take(BATCH).collect();
        if batch.is_empty() {
            next = None;
        }
        for (id, pending) in batch {
            if budget.count == 0 || budget.attempts == 0 {
                break;
            }
            next = id.next();
            budget.attempts -= 1;
            let shown = IdText::new(id);
            if stream.get(id).is_none() {
                drop_gone(stream, name, id, &pending, shown.bytes(), &mut effects);
                gone.push(id);
            } else if budget.idle_ms > 0 && now_ms.saturating_sub(pending.delivered_ms) < budget.idle_ms {
                continue;
            } else {
                let deliveries = pending.deliveries.wrapping_add(u64::from(!budget.just_id));
                let pending = Pending { consumer, delivered_ms: now_ms, deliveries };
                claim.take(&mut claimed, stream, id, pending, shown.bytes(), &mut effects);
                taken += 1;
            }
            budget.count -= 1;
            changes += 1;
        }
    }
    let cursor = next.and_then(|next| stream.group(name)?.pending_range(next, StreamId::MAX).next()).map_or(StreamId::MIN, |(id, _)| id);
    out.array(3);
    reply_id(out, cursor);
    out.array(taken);
    out.append(claimed);
    out.array(gone.len());
    gone.into_iter().for_each(|id| reply_id(out, id));
    finish(ctx, commands, changes, created);
}

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("xclaim", xclaim, -6, WRITE | FAST)
        .since(CommandGroup::Stream, "5.0.0")
        .doc("Gives a consumer entries that others have had pending for some time.", "O(N log M) for N IDs of M that are pending.")
        .args(
            "key group consumer min-idle-time ID:string... [IDLE ms:integer] [TIME unix-time-milliseconds:unix-time] [RETRYCOUNT count:integer] \
             [FORCE] [JUSTID] [LASTID lastid]",
        )
        .keys(&[KeySpec::one(1, k::RW | k::UPDATE)])
        .tips(&["nondeterministic_output"]),
    command("xautoclaim", xautoclaim, -6, WRITE | FAST)
        .since(CommandGroup::Stream, "6.2.0")
        .doc("Gives a consumer whatever others have had pending for some time, a part at a time.", "O(COUNT)")
        .args("key group consumer min-idle-time start [COUNT count:integer] [JUSTID]")
        .keys(&[KeySpec::one(1, k::RW | k::DELETE)])
        .tips(&["nondeterministic_output"])
        .history(&[("7.0.0", "It tells which pending entries are gone from the stream.")]),
];
