//! SAVE, BGSAVE and BGREWRITEAOF; and DEBUG RELOAD, which is a save and a load in one.

use crate::{
    commands::{
        Ctx,
        command::{Command, Group, command, flags::*},
        context::errors,
    },
    persist::load::{LoadOptions, Loader, LoaderProgress},
    state::{
        Server,
        client::{Blocked, ReplyMode},
        disk::{DiskJob, Done, Lane},
    },
};

fn save(ctx: &mut Ctx) {
    if ctx.server.persistence.saving.is_some() && !ctx.server.is_saving_nothing() {
        return ctx.error("ERR Background save already in progress");
    }
    ctx.server.persistence.saves += 1;
    if ctx.server.save_now() { ctx.out.ok() } else { ctx.error("ERR") }
}

fn bgsave(ctx: &mut Ctx) {
    if ctx.argc() > 1 && !(ctx.argc() == 2 && ctx.is_word(1, "schedule")) {
        return ctx.error(errors::SYNTAX);
    }
    if ctx.server.persistence.saving.is_some() && !ctx.server.is_saving_nothing() {
        return ctx.error("ERR Background save already in progress");
    }
    // The two take turns, as in Redis: one of them at a time is enough for the disk.
    let rewrites = ctx.server.aof_files.is_rewriting();
    if ctx.in_exec || rewrites && ctx.argc() == 2 {
        ctx.server.persistence.scheduled = true;
        return ctx.out.simple("Background saving scheduled");
    }
    if rewrites {
        return ctx.error(
            "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a BGSAVE whenever possible.",
        );
    }
    ctx.server.cancel_bgsave();
    ctx.server.begin_bgsave();
    ctx.out.simple("Background saving started");
}

fn bgrewriteaof(ctx: &mut Ctx) {
    let server = &mut *ctx.server;
    if server.aof_files.is_rewriting() {
        return ctx.error("ERR Background append only file rewriting already in progress");
    }
    if ctx.in_exec || server.is_saving_data() || server.aof_files.cleaning.is_some() {
        server.aof_files.scheduled = true;
        // One that is asked for need not wait because others have failed.
        server.aof_files.failures = 0;
        return ctx.out.simple("Background append only file rewriting scheduled");
    }
    server.begin_aof_rewrite();
    ctx.out.simple("Background append only file rewriting started");
}

/// DEBUG LOADAOF: what has been logged is loaded in the place of what is in memory. The client waits.
pub(super) fn load_aof(ctx: &mut Ctx) {
    if ctx.in_exec {
        return ctx.error("ERR DEBUG LOADAOF is not possible inside a transaction: it waits for the disk");
    }
    if ctx.server.loading.is_some() || ctx.server.aof_files.reload.is_some() {
        return ctx.error("ERR Error trying to load the AOF files, check server logs.");
    }
    let conn = ctx.conn;
    let client = ctx.client_mut();
    client.blocked = Some(Blocked::Reload);
    let asked_by = (conn, client.id, client.reply == ReplyMode::On);
    ctx.server.aof_files.reload = Some(asked_by);
}

/// DEBUG RELOAD: what is in memory is saved, dropped, and loaded again.
pub(super) fn reload(ctx: &mut Ctx) {
    let (mut merge, mut flush, mut save) = (false, true, true);
    for word in ctx.args.skip(2).iter() {
        match &*word.to_ascii_lowercase() {
            b"merge" => merge = true,
            b"noflush" => flush = false,
            b"nosave" => save = false,
            _ => return ctx.error("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options."),
        }
    }
    if save && !ctx.server.save_now() {
        return ctx.error("ERR");
    }
    let keyspace = ctx.keyspace();
    if flush {
        for db in 0..keyspace.databases() {
            keyspace.flush(db);
        }
    }
    match load_now(ctx.server, flush, merge) {
        Ok(()) => {
            log::info!("DB reloaded by DEBUG RELOAD");
            ctx.out.ok();
        }
        Err(reason) => {
            log::warn!("Can't load the RDB file {}: {reason}", ctx.server.config.dbfilename);
            ctx.error("ERR Error trying to load the RDB dump, check server logs.");
        }
    }
}

/// Loads the file in one go; no client is served meanwhile.
fn load_now(server: &mut Server, alone: bool, replace: bool) -> Result<(), String> {
    /// Bytes read at a time.
    const READ_BYTES: usize = 1 << 20;
    /// Bytes decoded at a time.
    const FEED_BYTES: usize = 64 * 1024;
    let (file, path) = (server.next_file(Lane::Bulk), server.config.dbfilename.clone());
    let size = match server.host.disk_now(DiskJob::Open { file, path }).result? {
        Done::Opened(Some(size)) => size,
        _ => return Err("there is no such file".into()),
    };
    let decode = server.decode_options(Some(size));
    let keep_expired = server.config.replicaof.is_some();
    let mut loader = Loader::new(LoadOptions { decode, keep_expired, replace, remember_bytes: 0 });
    let mut load = || loop {
        let Done::Read(bytes) = server.host.disk_now(DiskJob::Read { file, bytes: READ_BYTES }).result? else { return Ok(()) };
        if bytes.is_empty() {
            return loader.finish().map_err(|e| e.to_string());
        }
        for piece in bytes.chunks(FEED_BYTES) {
            if loader.feed(&mut server.keyspace, piece).map_err(|e| e.to_string())? == LoaderProgress::Done {
                return Ok(());
            }
        }
    };
    let result = load();
    let libraries = loader.take_libraries();
    let result = result.and_then(|()| server.adopt_libraries(libraries, alone, replace || alone));
    server.host.disk_now(DiskJob::Abort { file });
    (server.persistence.loaded_keys, server.persistence.loaded_expired) = (loader.keys(), loader.expired());
    result
}

/// The rows of this group.
pub const COMMANDS: &[Command] = &[
    command("save", save, 1, ADMIN | NOSCRIPT | NO_ASYNC_LOADING | NO_MULTI)
        .since(Group::Server, "1.0.0")
        .doc("Saves the dataset, and answers when it is on the disk.", "O(N) where N is the number of keys in all databases"),
    command("bgsave", bgsave, -1, ADMIN | NOSCRIPT | NO_ASYNC_LOADING)
        .since(Group::Server, "1.0.0")
        .doc("Saves the dataset of this moment while the server goes on.", "O(1); the N keys are then written in slices of the poll loop")
        .args("[SCHEDULE]")
        .history(&[("3.2.2", "`SCHEDULE` came.")]),
    command("bgrewriteaof", bgrewriteaof, 1, ADMIN | NOSCRIPT | NO_ASYNC_LOADING).since(Group::Server, "1.0.0").doc(
        "Begins the append-only file anew with the dataset of this moment.",
        "O(1); the N keys are then written in slices of the poll loop",
    ),
];
