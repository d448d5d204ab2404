//! Whom we replicate: REPLICAOF and SLAVEOF, and what a change of role means.

use super::{
    Command, Ctx,
    command::{Group, categories, command, flags::*},
};
use crate::{
    config::Endpoint,
    data::number,
    keyspace::ExpireMode,
    replication::replica::{Phase, Upstream},
    state::{Action, ClientKind, ConnId, Server},
};

/// Lets go of the primary and of the link to it.
fn leave(server: &mut Server) -> Option<Upstream> {
    let upstream = server.replication.upstream.take()?;
    if let Phase::Connecting = upstream.phase {
        server.actions.push_back(Action::CancelConnect { link: upstream.attempt });
    }
    if let Some(conn) = upstream.conn {
        server.close(ConnId(conn), false);
    }
    Some(upstream)
}

/// Makes us a replica of this primary. What we have stays until the primary says that it needs more than what we lack.
pub fn follow(server: &mut Server, host: String, port: u16) {
    server.interrupt_migration();
    let now = server.mono_ms;
    let mut upstream = match leave(server) {
        Some(old) => {
            let mut new = Upstream::new(host, port, old.resumable, now);
            (new.db, new.down_since) = (old.db, old.down_since);
            if old.is_online() {
                new.down_since = Some(server.unix_seconds());
            }
            new
        }
        None => {
            log::info!(
                "Before turning into a replica, using my own master parameters to synthesize a cached master: \
                 I may be able to synchronize with the new master with just a partial transfer."
            );
            server.unblock_all(ROLE_CHANGED);
            Upstream::new(host, port, true, now)
        }
    };
    upstream.failover = false;
    server.config.replicaof = Some(Endpoint { host: upstream.host.clone(), port });
    server.keyspace.expire_mode = ExpireMode::Hide;
    server.replication.log.set_proxied(true);
    server.replication.upstream = Some(upstream);
    server.count_good_replicas();
}

/// Makes us a primary, whose history goes on from the one we followed.
pub fn promote(server: &mut Server) {
    let Some(upstream) = leave(server) else { return };
    let id = server.rng.hex();
    if upstream.resumable {
        server.replication.branch_off(id);
        if let Some((before, up_to)) = &server.replication.id2 {
            log::info!(
                "Setting secondary replication ID to {}, valid up to offset: {}. New replication ID is {}",
                String::from_utf8_lossy(before),
                up_to + 1,
                String::from_utf8_lossy(&id)
            );
        }
    } else {
        // What we have is nobody's: a snapshot that did not come, or none at all.
        server.replication.change_id(id);
    }
    server.close_replicas();
    server.replication.log.set_proxied(false);
    server.replication.log.forget_db();
    server.replication.alone_since_ms = server.mono_ms;
    server.keyspace.expire_mode = ExpireMode::Delete;
    server.config.replicaof = None;
    server.count_good_replicas();
}

/// Clients that wait would wait for what a replica does not do.
const ROLE_CHANGED: &str = "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)";

/// Gives a failover up. If we are the target's replica already, we are a primary again.
pub fn abort_failover(server: &mut Server, reason: &str) {
    let Some(failover) = server.replication.failover.take() else { return };
    match &failover.target {
        Some((host, port)) => log::info!("FAILOVER to {host}:{port} aborted: {reason}"),
        None => log::info!("FAILOVER to any replica aborted: {reason}"),
    }
    match failover.step {
        crate::replication::failover::Step::InProgress => promote(server),
        crate::replication::failover::Step::WaitForSync => server.keyspace.expire_mode = ExpireMode::Delete,
    }
}

fn replicaof(ctx: &mut Ctx) {
    if ctx.server.config.cluster_enabled {
        return ctx.error("ERR REPLICAOF not allowed in cluster mode.");
    }
    if ctx.server.replication.failover.is_some() {
        return ctx.error("ERR REPLICAOF not allowed while failing over.");
    }
    let who = format!("id={} addr={}", ctx.client().id, ctx.client().peer.addr);
    if ctx.is_word(1, "no") && ctx.is_word(2, "one") {
        if ctx.server.replication.upstream.is_some() {
            promote(ctx.server);
            log::info!("MASTER MODE enabled (user request from '{who}')");
        }
        return ctx.out.ok();
    }
    if ctx.client().kind == ClientKind::Replica {
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
    follow(ctx.server, host, port);
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
