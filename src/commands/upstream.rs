//! Whom we replicate: REPLICAOF and SLAVEOF.

use super::{
    Command, Ctx,
    command::{Group, categories, command, flags::*},
};
use crate::data::number;

fn replicaof(ctx: &mut Ctx) {
    if ctx.server.config.cluster_enabled {
        return ctx.error("ERR REPLICAOF not allowed in cluster mode.");
    }
    if ctx.server.replication.failover.is_some() {
        return ctx.error("ERR REPLICAOF not allowed while failing over.");
    }
    let who = format!("id={} addr={}", ctx.client().id, ctx.client().origin.addr);
    if ctx.is_word(1, "no") && ctx.is_word(2, "one") {
        if ctx.server.replication.upstream.is_some() {
            ctx.server.promote();
            log::info!("MASTER MODE enabled (user request from '{who}')");
        }
        return ctx.out.ok();
    }
    if ctx.client().peer.is_replica() {
        return ctx.error("ERR Command is not valid when client is a replica.");
    }
    let port = number::parse_i64(ctx.arg(2)).and_then(|p| u16::try_from(p).ok());
    let Some(port) = port else { return ctx.error("ERR Invalid master port") };
    let host = String::from_utf8_lossy(ctx.arg(1)).into_owned();
    if let Some(upstream) = &ctx.server.replication.upstream
        && upstream.host.eq_ignore_ascii_case(&host)
        && upstream.port == port
    {
        log::info!("REPLICAOF would result into synchronization with the master we are already connected with. No operation performed.");
        return ctx.out.simple("OK Already connected to specified master");
    }
    log::info!("REPLICAOF {host}:{port} enabled (user request from '{who}')");
    ctx.server.follow(host, port);
    ctx.out.ok();
}

const FLAGS: u64 = ADMIN | NOSCRIPT | STALE | NO_ASYNC_LOADING;
const ARGS: &str = "(host port:integer | NO ONE)";

/// The rows of this group.
pub const COMMANDS: &[Command] = &[
    command("replicaof", replicaof, 3, FLAGS)
        .since(Group::Server, "5.0.0")
        .doc("Makes the server a replica of another one, or a primary.", "O(1)")
        .categories(categories::ADMIN | categories::DANGEROUS)
        .args(ARGS),
    command("slaveof", replicaof, 3, FLAGS)
        .since(Group::Server, "1.0.0")
        .doc("Makes the server a replica of another one, or a primary.", "O(1)")
        .categories(categories::ADMIN | categories::DANGEROUS)
        .deprecated("5.0.0", "`REPLICAOF`")
        .args(ARGS),
];
