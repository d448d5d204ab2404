//! XREAD and XREADGROUP: what has come to streams, now or later.

use super::{
    consumers_changed,
    delivering::Delivery,
    effects::GroupEffects,
    error_of,
    ids::{self, IdText},
    replies::{guess, limit, reply_array, reply_entry},
};
use crate::{
    commands::{
        Ctx, Effect, blocking,
        command::{Begin, Command, Find, Group, KeySpec, command, flags::*, key_flags as k},
        context::{BlockOn, Event, InVain, errors},
    },
    data::stream::{Stream, StreamId},
    resp::{output::Output, request::OwnedArgs},
};

/// How streams are to be read.
struct Request {
    /// Argument index of the group's name; the consumer's is behind it.
    group: Option<usize>,
    /// Most entries of a stream; 0 for all.
    count: usize,
    /// The moment (Unix ms) until which to wait; 0 is for good.
    deadline_ms: Option<i64>,
    noack: bool,
    claim_ms: Option<i64>,
    /// Argument index of the first key.
    first: usize,
    /// How many streams there are.
    streams: usize,
}

/// The arguments; answers with an error when they are wrong.
fn parse(ctx: &mut Ctx<'_>, grouped: bool) -> Option<Request> {
    let mut request = Request { group: None, count: 0, deadline_ms: None, noack: false, claim_ms: None, first: 0, streams: 0 };
    let mut i = 1;
    while i < ctx.argc() {
        let more = ctx.argc() - 1 - i;
        if more > 0 && ctx.is_word(i, "block") {
            i += 1;
            request.deadline_ms = Some(blocking::timeout_ms(ctx, i)?);
        } else if more > 0 && ctx.is_word(i, "count") {
            i += 1;
            request.count = ctx.int_arg(i)?.max(0) as usize;
        } else if more > 0 && ctx.is_word(i, "streams") {
            request.first = i + 1;
            request.streams = more / 2;
            if more % 2 == 1 {
                let (name, sign) = (ctx.registry.full_name(ctx.command).to_owned(), if grouped { '>' } else { '$' });
                ctx.error(format!("ERR Unbalanced '{name}' list of streams: for each stream key an ID or '{sign}' must be specified."));
                return None;
            }
            break;
        } else if more > 1 && ctx.is_word(i, "group") {
            only_grouped(ctx, grouped, "GROUP")?;
            request.group = Some(i + 1);
            i += 2;
        } else if ctx.is_word(i, "noack") {
            only_grouped(ctx, grouped, "NOACK")?;
            request.noack = true;
        } else if more > 0 && ctx.is_word(i, "claim") {
            only_grouped(ctx, grouped, "CLAIM")?;
            i += 1;
            request.claim_ms = Some(claim_arg(ctx, i)?);
        } else {
            ctx.error(errors::SYNTAX);
            return None;
        }
        i += 1;
    }
    if request.first == 0 {
        ctx.error(errors::SYNTAX);
        return None;
    }
    if grouped && request.group.is_none() {
        ctx.error("ERR Missing GROUP option for XREADGROUP");
        return None;
    }
    Some(request)
}

fn only_grouped(ctx: &mut Ctx<'_>, grouped: bool, option: &str) -> Option<()> {
    if !grouped {
        ctx.error(format!("ERR The {option} option is only supported by XREADGROUP. You called XREAD instead."));
    }
    grouped.then_some(())
}

fn claim_arg(ctx: &mut Ctx<'_>, i: usize) -> Option<i64> {
    let Some(claim_ms) = crate::data::number::parse_i64(ctx.arg(i)) else {
        ctx.error("ERR min-idle-time is not an integer or out of range");
        return None;
    };
    if claim_ms < 0 {
        ctx.error("ERR min-idle-time must be a positive integer");
        return None;
    }
    Some(claim_ms)
}

/// The error for an ID that means nothing where a group reads.
fn meaningless(ctx: &mut Ctx<'_>, id: char) {
    ctx.error(format!(
        "ERR The {id} ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or \
         use the > ID to get new messages. The {id} ID would just return an empty result set."
    ));
}

/// The IDs behind which the streams are to be read, [`StreamId::MAX`] for what is new to a group; answers with an error when an argument is none, or when a
/// stream or group is not there that has to be.
fn resolve(ctx: &mut Ctx<'_>, request: &Request) -> Option<Vec<StreamId>> {
    (0..request.streams).map(|n| resolve_one(ctx, request, request.first + n)).collect()
}

fn resolve_one(ctx: &mut Ctx<'_>, request: &Request, key_at: usize) -> Option<StreamId> {
    let (key, id) = (ctx.arg(key_at), ctx.arg(key_at + request.streams));
    let Ok(stream) = ctx.read_as::<Stream>(key_at) else {
        ctx.wrong_type();
        return None;
    };
    // What `$` and `+` stand for.
    let last_id = stream.map_or(StreamId::MIN, Stream::last_id);
    let in_front_of_last = stream.and_then(|stream| stream.last_entry()?.id().prev()).unwrap_or(StreamId::MIN);
    let grouped = match request.group {
        None => false,
        Some(at) => {
            let (hash, name) = (ctx.hash(key_at), ctx.arg(at));
            let found = ctx.server.keyspace.seen_as::<Stream>(ctx.db, hash, key).is_some_and(|stream| stream.group(name).is_some());
            if !found {
                let parts: [&[u8]; 5] =
                    [b"NOGROUP No such key '", key, b"' or consumer group '", name, b"' in XREADGROUP with GROUP option"];
                error_of(ctx, &parts);
                return None;
            }
            true
        }
    };
    match (id, grouped) {
        (b"$", false) => Some(last_id),
        (b"+", false) => Some(in_front_of_last),
        (b">", true) => Some(StreamId::MAX),
        (b"$", true) => {
            meaningless(ctx, '$');
            None
        }
        (b"+", true) => {
            meaningless(ctx, '+');
            None
        }
        (b">", false) => {
            ctx.error("ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.");
            None
        }
        _ => ids::id_arg(ctx, key_at + request.streams),
    }
}

/// Writes what stands in front of the entries of a stream: of the first one also what stands in front of all.
struct Head<'a> {
    key: &'a [u8],
    /// Streams that have been answered with.
    served: usize,
    /// Streams there are.
    streams: usize,
}

impl Head<'_> {
    fn write(&self, out: &mut Output) {
        match (out.resp3(), self.served) {
            (true, 0) => out.map(self.streams),
            (false, 0) => out.array(self.streams),
            _ => (),
        }
        if !out.resp3() {
            out.array(2);
        }
        out.bulk(self.key);
    }
}

fn xread(ctx: &mut Ctx) {
    let Some(request) = parse(ctx, false) else { return };
    let Some(ids) = resolve(ctx, &request) else { return };
    let (mark, mut served) = (ctx.out.mark(), 0);
    for (n, after) in ids.iter().enumerate() {
        let (hash, key) = (ctx.hash(request.first + n), ctx.arg(request.first + n));
        let (keyspace, out) = (&mut ctx.server.keyspace, &mut *ctx.out);
        let Ok(Some(stream)) = keyspace.read_as::<Stream>(ctx.db, hash, key) else { continue };
        if stream.last_entry().is_none_or(|last| last.id() <= *after) {
            continue;
        }
        let Some(from) = after.next() else { continue };
        Head { key, served, streams: request.streams }.write(out);
        served += 1;
        let entries = stream.range(from, StreamId::MAX).take(limit(request.count));
        reply_array(out, guess(request.count, stream.len()), entries, |out, entry| reply_entry(out, &entry));
    }
    if served > 0 {
        return ctx.out.correct_len(mark, request.streams, served);
    }
    wait(ctx, &request, 0, |ctx| {
        let at = |n: usize| request.first + request.streams + n;
        if !(0..request.streams).any(|n| ctx.arg(at(n)) == b"$") {
            return None;
        }
        // What comes meanwhile must not move the place.
        let mut args = OwnedArgs::default();
        ctx.keep_args(&mut args, 0..at(0));
        for (n, id) in ids.iter().enumerate() {
            match ctx.arg(at(n)) {
                b"$" => args.push(IdText::new(*id).bytes()),
                given => args.push(given),
            }
        }
        Some(args)
    });
}

fn xreadgroup(ctx: &mut Ctx) {
    let Some(request) = parse(ctx, true) else { return };
    let Some(ids) = resolve(ctx, &request) else { return };
    let Some(group_at) = request.group else { return };
    let delivery = Delivery {
        group: ctx.arg(group_at),
        consumer: ctx.arg(group_at + 1),
        count: request.count,
        noack: request.noack,
        claim_ms: request.claim_ms,
        now_ms: ctx.now_ms(),
    };
    let (logged, mut commands, mut oldest_ms) = (ctx.is_logged(), Vec::new(), None);
    let (mark, mut served) = (ctx.out.mark(), 0);
    for (n, after) in ids.into_iter().enumerate() {
        let at = request.first + n;
        let (hash, key) = (ctx.hash(at), ctx.arg(at));
        let (keyspace, out) = (&mut ctx.server.keyspace, &mut *ctx.out);
        let Ok(Some(stream)) = keyspace.read_to_write_as::<Stream>(ctx.db, hash, key) else { continue };
        let mut effects = GroupEffects { logged, key, group: delivery.group, commands: &mut commands };
        let head = Head { key, served, streams: request.streams };
        let outcome = delivery.read(out, stream, after, &mut effects, |out| head.write(out));
        served += usize::from(outcome.served);
        keyspace.dirty += u64::from(outcome.served) + u64::from(outcome.created);
        oldest_ms = [oldest_ms, outcome.oldest_ms].into_iter().flatten().min();
        if outcome.created {
            ctx.notify(key, Event('t', "xgroup-createconsumer"));
        }
        consumers_changed(ctx, at);
    }
    // Whatever it has come to, the command as it came would not come to it again.
    ctx.effect = Effect::Several(commands);
    if served > 0 {
        return ctx.out.correct_len(mark, request.streams, served);
    }
    let again_ms =
        request.claim_ms.map_or(0, |claim_ms| oldest_ms.unwrap_or(delivery.now_ms).saturating_add(claim_ms).max(delivery.now_ms + 1));
    wait(ctx, &request, again_ms, |_| None);
}

/// Waits if that is asked for; otherwise the answer is that of a wait in vain.
fn wait(ctx: &mut Ctx<'_>, request: &Request, again_ms: i64, rewritten: impl FnOnce(&Ctx<'_>) -> Option<OwnedArgs>) {
    let Some(deadline_ms) = request.deadline_ms else { return ctx.out.null_array() };
    let on = BlockOn {
        also_gone: request.group.is_some(),
        again_ms,
        rewritten: rewritten(ctx),
        ..BlockOn::keys(request.first, request.streams, deadline_ms, InVain::NullArray)
    };
    ctx.block(on);
}

/// The keys behind STREAMS, from argument `from` on.
const fn streams(from: i32) -> KeySpec {
    KeySpec {
        begin: Begin::Keyword("STREAMS", from),
        find: Find::Range { last: -1, step: 1, limit: 2 },
        flags: k::RO | k::ACCESS,
        notes: None,
    }
}

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("xread", xread, -4, READONLY | BLOCKING)
        .since(Group::Stream, "5.0.0")
        .doc("Returns the entries of streams behind some IDs, or waits for one.", "O(N) for N entries returned, and O(log M) for each stream of M.")
        .args("[COUNT count:integer] [BLOCK milliseconds:integer] STREAMS streams:(key... ID:string...)")
        .keys(&[streams(1)])
        .history(&[("7.4.0", "`+` for the last entry.")]),
    command("xreadgroup", xreadgroup, -7, WRITE | BLOCKING)
        .since(Group::Stream, "5.0.0")
        .doc(
            "Gives a consumer of a group entries of streams that are new to the group, or waits for one; or once more what it has pending.",
            "O(N) for N entries returned, and O(log M) for each, of M in the stream or pending. With CLAIM also O(D) for D pending entries that are \
             gone from the stream.",
        )
        .args(
            "GROUP group-block:(group consumer) [COUNT count:integer] [BLOCK milliseconds:integer] [CLAIM min-idle-time:integer] [noack:NOACK] \
             STREAMS streams:(key... ID:string...)",
        )
        .keys(&[streams(4)])
        .history(&[("8.4.0", "`CLAIM`.")]),
];
