//! Replication as replicas see it (PSYNC, SYNC, REPLCONF), and as clients do (WAIT, WAITAOF, ROLE).

use super::{
    Ctx,
    command::{Command, Group, categories, command, flags::*},
    context::errors,
};
use crate::{
    config::split_args,
    data::number,
    replication::primary::{FollowerPhase, NoResume, ReplicaLink},
    state::{aof::AofPhase, replicas::NO_AOF_TO_WAIT_FOR},
};

/// The longest address that a replica may say it has, in bytes.
const ADDRESS_MAX: usize = 255;

fn psync(ctx: &mut Ctx) {
    synchronise(ctx, true);
}

fn sync(ctx: &mut Ctx) {
    synchronise(ctx, false);
}

fn synchronise(ctx: &mut Ctx<'_>, resumable: bool) {
    let client = ctx.client();
    // A connection that carries a stream already is answered nothing any more.
    if client.peer.is_replica() || client.monitor {
        return;
    }
    if resumable && ctx.argc() > 3 && ctx.is_word(3, "failover") {
        log::info!("Failover request received for replid {}.", ctx.arg(1).escape_ascii());
        if !ctx.server.replication.is_replica() {
            return ctx.error("ERR PSYNC FAILOVER can't be sent to a master.");
        }
        if !ctx.arg(1).eq_ignore_ascii_case(&ctx.server.replication.id) {
            return ctx.error("ERR PSYNC FAILOVER replid must match my replid.");
        }
        ctx.server.promote();
        log::info!("MASTER MODE enabled (failover request from '{}')", ctx.client().origin.addr);
    }
    if ctx.server.replication.failover.is_some() {
        return ctx.error("NOMASTERLINK Can't SYNC while failing over");
    }
    if ctx.server.replication.upstream.as_ref().is_some_and(|upstream| !upstream.is_online()) {
        return ctx.error("NOMASTERLINK Can't SYNC while not connected with my master");
    }
    if !ctx.out.is_empty() {
        return ctx.error("ERR SYNC and PSYNC are invalid with pending output");
    }
    let filtered = ctx.client().peer.as_replica().is_some_and(|link| link.without_data && !link.capabilities.eof);
    if filtered {
        return ctx.error("ERR Filtered replica requires EOF capability");
    }
    let name = ctx.client().replica_name();
    log::info!("Replica {name} asks for synchronization");
    if resumable {
        let Some(first) = ctx.int_arg(2) else {
            return log::warn!("Replica {name} asks for synchronization but with a wrong offset");
        };
        let id = ctx.arg(1);
        match ctx.server.replication.resume_at(id, first) {
            Ok(offset) => return resume(ctx, offset, &name),
            Err(reason) => {
                log_refusal(ctx, &reason, first, &name);
                // Who asks for history `?` wants to begin from the beginning.
                ctx.server.stats.sync_partial_err += u64::from(id.first() != Some(&b'?'));
            }
        }
    } else {
        told(ctx, |link| link.is_old = true);
    }
    let conn = ctx.conn;
    ctx.server.open_log();
    if resumable {
        let replication = &ctx.server.replication;
        let (id, offset) = (String::from_utf8_lossy(&replication.id), replication.log.end());
        ctx.out.simple(&format!("FULLRESYNC {id} {offset}"));
    }
    ctx.server.begin_full_sync(conn);
}

/// Lets a replica go on from the offset that it has.
fn resume(ctx: &mut Ctx<'_>, offset: u64, name: &str) {
    let replication = &ctx.server.replication;
    let bytes = replication.log.end() - offset;
    log::info!(
        "Partial resynchronization request from {name} accepted. Sending {bytes} bytes of backlog starting from offset {}.",
        offset + 1
    );
    match ctx.client().peer.as_replica().is_some_and(|link| link.capabilities.psync2) {
        true => ctx.out.simple(&format!("CONTINUE {}", String::from_utf8_lossy(&replication.id))),
        false => ctx.out.simple("CONTINUE"),
    }
    let conn = ctx.conn;
    ctx.server.add_replica(conn, FollowerPhase::Online { waits_for_ack: false }, offset);
    ctx.server.stats.sync_partial_ok += 1;
}

fn log_refusal(ctx: &Ctx<'_>, reason: &NoResume, first: i64, name: &str) {
    let replication = &ctx.server.replication;
    match reason {
        NoResume::NotAsked => log::info!("Full resync requested by replica {name}"),
        NoResume::OtherHistory => {
            let id2 = replication.id2.map_or([b'0'; 40], |(id, _)| id);
            log::info!(
                "Partial resynchronization not accepted: Replication ID mismatch (Replica asked for '{}', my replication IDs are '{}' and '{}')",
                ctx.arg(1).escape_ascii(),
                replication.id.escape_ascii(),
                id2.escape_ascii()
            );
        }
        NoResume::BeyondBranch { up_to } => {
            log::info!("Partial resynchronization not accepted: Requested offset for second ID was {first}, but I can reply up to {up_to}")
        }
        NoResume::NotHere => {
            log::info!("Unable to partial resync with replica {name} for lack of backlog (Replica request was: {first}).");
            if i128::from(first) > i128::from(replication.log.end()) {
                log::warn!("Warning: replica {name} tried to PSYNC with an offset that is greater than the master replication offset.");
            }
        }
    }
}

/// Takes note of what a client says of itself as a replica. What our primary may say of the kind has no meaning.
fn told(ctx: &mut Ctx<'_>, note: impl FnOnce(&mut ReplicaLink)) {
    if let Some(link) = ctx.client_mut().peer.candidate() {
        note(link);
    }
}

fn replconf(ctx: &mut Ctx) {
    if ctx.argc().is_multiple_of(2) {
        return ctx.error(errors::SYNTAX);
    }
    for i in (1..ctx.argc()).step_by(2) {
        let (option, value) = (ctx.arg(i), ctx.arg(i + 1));
        match option.to_ascii_lowercase().as_slice() {
            b"listening-port" => {
                let Some(port) = ctx.int_arg(i + 1) else { return };
                told(ctx, |link| link.listening_port = port);
            }
            b"ip-address" => {
                if value.len() > ADDRESS_MAX {
                    let len = value.len();
                    return ctx.error(format!("ERR REPLCONF ip-address provided by replica instance is too long: {len} bytes"));
                }
                told(ctx, |link| link.address = Some(String::from_utf8_lossy(value).into_owned()).filter(|address| !address.is_empty()));
            }
            // What is not known is not used.
            b"capa" => match value.to_ascii_lowercase().as_slice() {
                b"eof" => told(ctx, |link| link.capabilities.eof = true),
                b"psync2" => told(ctx, |link| link.capabilities.psync2 = true),
                _ => (),
            },
            b"version" => (),
            // Neither of these is ever answered.
            b"ack" => return acknowledge(ctx, i),
            b"getack" => {
                if ctx.client().peer.is_primary() {
                    ctx.server.replication.ack_wanted = true;
                }
                return;
            }
            b"rdb-only" => {
                let Some(yes) = ctx.int_arg(i + 1) else { return };
                if !(0..=1).contains(&yes) {
                    return ctx.error("ERR value is out of range, value must between 0 and 1");
                }
                told(ctx, |link| link.rdb_only = yes == 1);
            }
            b"rdb-filter-only" => {
                let Some(parts) = split_args(value) else { return ctx.error("ERR Missing rdb-filter-only values") };
                let functions = parts.iter().any(|part| part.eq_ignore_ascii_case(b"functions"));
                told(ctx, |link| (link.without_data, link.without_functions) = (true, !functions));
                if let Some(other) = parts.iter().find(|part| !part.eq_ignore_ascii_case(b"functions")) {
                    return ctx.error([b"ERR Unsupported rdb-filter-only option: ", &other[..]].concat());
                }
            }
            _ => return ctx.error([b"ERR Unrecognized REPLCONF option: ", option].concat()),
        }
    }
    ctx.out.ok();
}

/// REPLCONF ACK offset [FACK offset]: how far a replica has come.
fn acknowledge(ctx: &mut Ctx<'_>, i: usize) {
    let offset = |i: usize| number::parse_i64(ctx.arg(i)).map(|offset| offset.max(0) as u64);
    let Some(acked) = offset(i + 1) else { return };
    let on_disk = if ctx.argc() > i + 3 && ctx.is_word(i + 2, "fack") { offset(i + 3) } else { None };
    let Some(link) = ctx.client_mut().peer.replica_mut() else { return };
    link.has_acked = true;
    link.acked_offset = link.acked_offset.max(acked);
    link.acked_aof_offset = link.acked_aof_offset.max(on_disk.unwrap_or(0));
    match &mut link.phase {
        FollowerPhase::Sent { waits_for_ack } | FollowerPhase::Online { waits_for_ack } => *waits_for_ack = false,
        FollowerPhase::Handshake | FollowerPhase::Snapshot { .. } => (),
    }
}

fn wait(ctx: &mut Ctx) {
    if ctx.server.replication.is_replica() {
        return ctx.error(
            "ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is configured \
             to be writable (which is not the default) writes to replicas are just local and are not propagated.",
        );
    }
    let Some(replicas) = ctx.int_arg(1) else { return };
    let Some(deadline_ms) = deadline(ctx, 2) else { return };
    let (_, acknowledged) = ctx.server.acknowledged(ctx.client().write_offset, false);
    let enough = i64::try_from(acknowledged).is_ok_and(|n| n >= replicas);
    // A transaction does not wait.
    if enough || ctx.in_exec {
        return ctx.out.len_int(acknowledged);
    }
    let conn = ctx.conn;
    ctx.server.wait_for_replicas(conn, usize::try_from(replicas).unwrap_or(usize::MAX), deadline_ms, None);
}

/// The moment at which a timeout in milliseconds ends (Unix ms; 0: never).
fn deadline(ctx: &mut Ctx<'_>, at: usize) -> Option<i64> {
    let error = match number::parse_i64(ctx.arg(at)) {
        None => "ERR timeout is not an integer or out of range",
        Some(ms) if ms < 0 => "ERR timeout is negative",
        Some(0) => return Some(0),
        Some(ms) => match ms.checked_add(ctx.now_ms()) {
            None => "ERR timeout is out of range",
            Some(at) => return Some(at),
        },
    };
    ctx.error(error);
    None
}

fn waitaof(ctx: &mut Ctx) {
    let Some(local) = ctx.int_arg(1) else { return };
    if !(0..=1).contains(&local) {
        return ctx.error("ERR value is out of range, value must between 0 and 1");
    }
    let Some(replicas) = number::parse_i64(ctx.arg(2)).and_then(|n| usize::try_from(n).ok()) else {
        return ctx.error("ERR value is out of range, must be positive");
    };
    let Some(deadline_ms) = deadline(ctx, 3) else { return };
    if ctx.server.replication.is_replica() {
        return ctx.error(
            "ERR WAITAOF cannot be used with replica instances. Please also note that writes to replicas are just local and are not propagated.",
        );
    }
    if local == 1 && ctx.server.aof.phase == AofPhase::Off {
        return ctx.error(NO_AOF_TO_WAIT_FOR);
    }
    let (on_disk, acknowledged) = ctx.server.acknowledged(ctx.client().write_offset, true);
    // A transaction does not wait.
    if acknowledged >= replicas && (on_disk || local == 0) || ctx.in_exec {
        ctx.out.array(2);
        ctx.out.int(on_disk.into());
        return ctx.out.len_int(acknowledged);
    }
    let conn = ctx.conn;
    ctx.server.wait_for_replicas(conn, replicas, deadline_ms, Some(local == 1));
}

fn role(ctx: &mut Ctx) {
    let replication = &ctx.server.replication;
    if let Some(upstream) = &replication.upstream {
        let offset = if upstream.is_online() { replication.log.end() as i64 } else { -1 };
        ctx.out.array(5);
        ctx.out.bulk(b"slave");
        ctx.out.bulk(upstream.host.as_bytes());
        ctx.out.int(i64::from(upstream.port));
        ctx.out.bulk(upstream.state().as_bytes());
        return ctx.out.int(offset);
    }
    let online: Vec<(String, i64, u64)> = ctx
        .server
        .replica_links()
        .filter(|(_, link)| link.is_online())
        .map(|(client, link)| (client.replica_address().to_owned(), link.listening_port, link.acked_offset))
        .collect();
    ctx.out.array(3);
    ctx.out.bulk(b"master");
    ctx.out.int(ctx.server.replication.log.end() as i64);
    ctx.out.array(online.len());
    for (address, port, offset) in online {
        ctx.out.array(3);
        ctx.out.bulk(address.as_bytes());
        ctx.out.bulk_int(port);
        ctx.out.bulk_int(offset as i64);
    }
}

/// The rows of this group.
pub const COMMANDS: &[Command] = &[
    command("psync", psync, -3, NO_ASYNC_LOADING | ADMIN | NO_MULTI | NOSCRIPT)
        .since(Group::Server, "2.8.0")
        .doc(
            "Makes the connection a replica's, which goes on from an offset or begins with a snapshot.",
            "O(N) where N is the number of keys, in slices of the poll loop; O(1) where the replica can go on.",
        )
        .args("replicationid offset:integer"),
    command("sync", sync, 1, NO_ASYNC_LOADING | ADMIN | NO_MULTI | NOSCRIPT).since(Group::Server, "1.0.0").doc(
        "Makes the connection a replica's, which begins with a snapshot.",
        "O(N) where N is the number of keys, in slices of the poll loop.",
    ),
    command("replconf", replconf, -1, ADMIN | NOSCRIPT | LOADING | STALE | ALLOW_BUSY)
        .since(Group::Server, "3.0.0")
        .doc("What replicas and their primary tell each other beside the data.", "O(1)")
        .internal(),
    command("role", role, 1, NOSCRIPT | LOADING | STALE | FAST)
        .since(Group::Server, "2.8.12")
        .doc("Tells whether the server is a primary or a replica, with its offset and its peers.", "O(1)")
        .categories(categories::ADMIN | categories::DANGEROUS),
    command("wait", wait, 3, 0)
        .since(Group::Generic, "3.0.0")
        .doc("Waits until replicas have acknowledged everything that this connection has written.", "O(1)")
        .args("numreplicas:integer timeout:integer")
        .categories_instead(categories::CONNECTION)
        .tips(&["request_policy:all_shards", "response_policy:agg_min"]),
    command("waitaof", waitaof, 4, 0)
        .since(Group::Generic, "7.2.0")
        .doc("Waits until what this connection has written is in append-only files on disks: our own, and those of replicas.", "O(1)")
        .args("numlocal:integer numreplicas:integer timeout:integer")
        .categories_instead(categories::CONNECTION)
        .tips(&["request_policy:all_shards", "response_policy:agg_min"]),
];
