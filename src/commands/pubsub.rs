//! Publish and subscribe. What clients are sent meanwhile is [`state::pubsub`](crate::state::pubsub)'s part.

use super::{
    Ctx, Effect,
    command::{Command, Group, Handler, KeySpec, command, flags::*, key_flags as k},
    help,
};
use crate::state::pubsub::{Message, Topic};

fn subscribe(ctx: &mut Ctx) {
    subscribe_to(ctx, Topic::Channel, "subscribe");
}

fn psubscribe(ctx: &mut Ctx) {
    subscribe_to(ctx, Topic::Pattern, "psubscribe");
}

fn ssubscribe(ctx: &mut Ctx) {
    // The other two are let through for the sake of clients that always did so.
    if ctx.in_exec {
        return ctx.error("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client");
    }
    subscribe_to(ctx, Topic::Shard, "ssubscribe");
}

fn unsubscribe(ctx: &mut Ctx) {
    unsubscribe_from(ctx, Topic::Channel, "unsubscribe");
}

fn punsubscribe(ctx: &mut Ctx) {
    unsubscribe_from(ctx, Topic::Pattern, "punsubscribe");
}

fn sunsubscribe(ctx: &mut Ctx) {
    unsubscribe_from(ctx, Topic::Shard, "sunsubscribe");
}

fn subscribe_to(ctx: &mut Ctx<'_>, topic: Topic, kind: &str) {
    for i in 1..ctx.argc() {
        let (conn, name) = (ctx.conn, ctx.arg(i));
        ctx.server.subscribe(conn, topic, name);
        confirm(ctx, topic, kind, Some(name));
    }
}

fn unsubscribe_from(ctx: &mut Ctx<'_>, topic: Topic, kind: &str) {
    let conn = ctx.conn;
    for i in 1..ctx.argc() {
        let name = ctx.arg(i);
        ctx.server.unsubscribe(conn, topic, name);
        confirm(ctx, topic, kind, Some(name));
    }
    if ctx.argc() > 1 {
        return;
    }
    let names = ctx.client().subscribed_names(topic);
    for name in &names {
        ctx.server.unsubscribe(conn, topic, name);
        confirm(ctx, topic, kind, Some(name));
    }
    // Every command has an answer.
    if names.is_empty() {
        confirm(ctx, topic, kind, None);
    }
}

/// Says that a subscription has begun or ended, and how many there are now.
fn confirm(ctx: &mut Ctx<'_>, topic: Topic, kind: &str, name: Option<&[u8]>) {
    let client = ctx.client();
    let count = match topic {
        Topic::Shard => client.subscribed(Topic::Shard),
        Topic::Channel | Topic::Pattern => client.subscribed(Topic::Channel) + client.subscribed(Topic::Pattern),
    };
    ctx.out.push(3);
    ctx.out.bulk(kind.as_bytes());
    match name {
        Some(name) => ctx.out.bulk(name),
        None => ctx.out.null(),
    }
    ctx.out.len_int(count);
}

fn publish(ctx: &mut Ctx) {
    let (args, channel) = (ctx.args, ctx.arg(1));
    let sent = ctx.server.publish(channel, &Message::new(ctx.arg(2), || args.to_bytes(2)));
    // Replicas have listeners of their own.
    ctx.effect = Effect::ForReplicas;
    ctx.out.len_int(sent);
}

fn spublish(ctx: &mut Ctx) {
    let (args, channel) = (ctx.args, ctx.arg(1));
    let sent = ctx.server.publish_to_shard(channel, &Message::new(ctx.arg(2), || args.to_bytes(2)));
    ctx.effect = Effect::ForReplicas;
    ctx.out.len_int(sent);
}

/// Only a subcommand of it does anything.
fn container(ctx: &mut Ctx) {
    ctx.wrong_arity();
}

fn channels(ctx: &mut Ctx) {
    names(ctx, Topic::Channel);
}

fn shardchannels(ctx: &mut Ctx) {
    names(ctx, Topic::Shard);
}

fn names(ctx: &mut Ctx<'_>, topic: Topic) {
    if ctx.argc() > 3 {
        return unknown(ctx);
    }
    let pattern = (ctx.argc() == 3).then(|| ctx.arg(2));
    let names = ctx.server.pubsub.names(topic, pattern);
    ctx.out.array(names.len());
    names.iter().for_each(|name| ctx.out.bulk(name));
}

fn numsub(ctx: &mut Ctx) {
    count_listeners(ctx, Topic::Channel);
}

fn shardnumsub(ctx: &mut Ctx) {
    count_listeners(ctx, Topic::Shard);
}

fn count_listeners(ctx: &mut Ctx<'_>, topic: Topic) {
    ctx.out.array(2 * (ctx.argc() - 2));
    for name in ctx.args.skip(2).iter() {
        ctx.out.bulk(name);
        ctx.out.len_int(ctx.server.pubsub.listeners(topic, name));
    }
}

fn numpat(ctx: &mut Ctx) {
    ctx.out.len_int(ctx.server.pubsub.len(Topic::Pattern));
}

fn unknown(ctx: &mut Ctx<'_>) {
    ctx.error([b"ERR unknown subcommand or wrong number of arguments for '", ctx.arg(1), b"'. Try PUBSUB HELP."].concat());
}

fn help(ctx: &mut Ctx) {
    help::reply(
        ctx,
        &[
            "CHANNELS [<pattern>]",
            "    Return the channels that somebody listens to, or those that match.",
            "NUMPAT",
            "    Return how many patterns somebody listens to.",
            "NUMSUB [<channel> ...]",
            "    Return how many clients listen to each channel, not counting patterns.",
            "SHARDCHANNELS [<pattern>]",
            "    Return the shard channels that somebody listens to, or those that match.",
            "SHARDNUMSUB [<shardchannel> ...]",
            "    Return how many clients listen to each shard channel.",
        ],
    );
}

const LISTENING: u64 = PUBSUB | NOSCRIPT | LOADING | STALE | SUBSCRIBED;
const PUBLISHING: u64 = PUBSUB | LOADING | STALE | FAST | MAY_REPLICATE;
const ASKING: u64 = PUBSUB | LOADING | STALE;

const fn row(name: &'static str, handler: Handler, arity: i32, flags: u64, since: &'static str) -> Command {
    command(name, handler, arity, flags).since(Group::Pubsub, since)
}

/// The rows of this group.
pub const COMMANDS: &[Command] = &[
    row("subscribe", subscribe, -2, LISTENING, "2.0.0")
        .doc("Listens to channels.", "O(N) where N is the number of channels")
        .args("channel..."),
    row("unsubscribe", unsubscribe, -1, LISTENING, "2.0.0")
        .doc("Listens no more to these channels, or to any.", "O(N) where N is the number of channels")
        .args("[channel...]"),
    row("psubscribe", psubscribe, -2, LISTENING, "2.0.0")
        .doc("Listens to all channels that match a pattern.", "O(N) where N is the number of patterns")
        .args("pattern:pattern..."),
    row("punsubscribe", punsubscribe, -1, LISTENING, "2.0.0")
        .doc("Listens no more by these patterns, or by any.", "O(N) where N is the number of patterns")
        .args("[pattern:pattern...]"),
    row("ssubscribe", ssubscribe, -2, LISTENING, "7.0.0")
        .doc("Listens to channels of the shard.", "O(N) where N is the number of channels")
        .args("shardchannel...")
        .keys(&[KeySpec::range(1, -1, 1, k::NOT_KEY)]),
    row("sunsubscribe", sunsubscribe, -1, LISTENING, "7.0.0")
        .doc("Listens no more to these channels of the shard, or to any.", "O(N) where N is the number of channels")
        .args("[shardchannel...]")
        .keys(&[KeySpec::range(1, -1, 1, k::NOT_KEY)]),
    row("publish", publish, 3, PUBLISHING, "2.0.0")
        .doc(
            "Sends a message to all who listen to a channel.",
            "O(N+M) where N is the number of clients that listen to the channel and M the number of patterns that anybody listens by",
        )
        .args("channel message"),
    row("spublish", spublish, 3, PUBLISHING, "7.0.0")
        .doc("Sends a message to all who listen to a channel of the shard.", "O(N) where N is the number of clients that listen to it")
        .args("shardchannel message")
        .keys(&[KeySpec::one(1, k::NOT_KEY)]),
    row("pubsub", container, -2, 0, "2.8.0").doc("Who listens to what.", "Depends on the subcommand").subcommands(SUBCOMMANDS),
];

const SUBCOMMANDS: &[Command] = &[
    row("channels", channels, -2, ASKING, "2.8.0")
        .doc("Returns the channels that somebody listens to.", "O(N) where N is the number of such channels")
        .args("[pattern:pattern]"),
    row("help", help, 2, LOADING | STALE, "6.2.0").doc("Says what subcommands there are.", "O(1)").categories_instead(0),
    row("numpat", numpat, 2, ASKING, "2.8.0").doc("Returns how many patterns somebody listens by.", "O(1)"),
    row("numsub", numsub, -2, ASKING, "2.8.0")
        .doc("Returns how many clients listen to each channel.", "O(N) where N is the number of channels asked for")
        .args("[channel...]"),
    row("shardchannels", shardchannels, -2, ASKING, "7.0.0")
        .doc("Returns the shard's channels that somebody listens to.", "O(N) where N is the number of such channels")
        .args("[pattern:pattern]"),
    row("shardnumsub", shardnumsub, -2, ASKING, "7.0.0")
        .doc("Returns how many clients listen to each channel of the shard.", "O(N) where N is the number of channels asked for")
        .args("[shardchannel...]"),
];
