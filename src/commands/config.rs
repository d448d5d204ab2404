//! CONFIG: the settings while the server runs.

use super::{
    Ctx,
    command::{Command, Group, Handler, command, flags::*},
    context::errors,
    help,
};
use crate::{
    config::{AclPubsubDefault, DirectiveId, NotifyFlags, SetContext, SetError, os_reason},
    data::glob,
    state::{Server, stats::CommandStats},
};
use std::{
    io::ErrorKind,
    path::{Component, Path, PathBuf},
};

/// CONFIG without a subcommand.
fn container(ctx: &mut Ctx) {
    ctx.wrong_arity();
}

fn get(ctx: &mut Ctx) {
    let patterns: Vec<&[u8]> = ctx.args.skip(2).iter().collect();
    let found = ctx.server.config.get(&patterns, |pattern, name| glob::matches(pattern, name, true));
    ctx.out.map(found.len());
    for (name, value) in found {
        ctx.out.bulk(&name);
        ctx.out.bulk(&value);
    }
}

fn set(ctx: &mut Ctx) {
    if !ctx.argc().is_multiple_of(2) {
        return ctx.error(errors::SYNTAX);
    }
    let pairs: Vec<(&[u8], &[u8])> = (2..ctx.argc()).step_by(2).map(|i| (ctx.arg(i), ctx.arg(i + 1))).collect();
    let context = SetContext { loading: ctx.server.loading.is_some(), local: ctx.client().origin.local };
    let appended = ctx.server.config.appendonly;
    match set_all(ctx.server, &pairs, context) {
        Ok(()) => {
            if ctx.server.config.appendonly != appended {
                ctx.server.apply_appendonly(ctx.in_exec);
            }
            ctx.out.ok();
        }
        Err(error) => ctx.error(error.to_string()),
    }
}

/// Sets all of `pairs` and puts them into effect, or leaves everything as it was.
fn set_all(server: &mut Server, pairs: &[(&[u8], &[u8])], context: SetContext) -> Result<(), SetError> {
    let before = server.config.clone();
    let changed = server.config.set_many(pairs, context)?;
    if changed.contains(&DirectiveId::dir) {
        server.config.dir = absolute(&before.dir, &server.config.dir);
    }
    for (done, id) in changed.iter().enumerate() {
        server.warn_of_low_maxmemory(*id);
        if let Some(warning) = server.config.unsupported_warning(id.directive()) {
            log::warn!("{warning}");
        }
        if let Err(reason) = apply_setting(server, *id) {
            log::warn!("Failed applying new configuration. Possibly related to new {id:?} setting. Restoring previous settings.");
            server.config = before;
            // The one that failed may have been applied in part.
            for id in changed[..=done].iter().rev() {
                if let Err(reason) = apply_setting(server, *id) {
                    log::error!("Could not go back to the previous {id:?}: {reason}");
                }
            }
            return Err(SetError::not_applied(*id, reason));
        }
    }
    Ok(())
}

/// The absolute path of `dir` seen from `from`, without `.` and `..`.
fn absolute(from: &str, dir: &str) -> String {
    let mut path = PathBuf::new();
    for part in Path::new(from).join(dir).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => _ = path.pop(),
            part => path.push(part),
        }
    }
    path.to_string_lossy().into_owned()
}

/// Puts a setting that has changed into effect. The error is a reason.
pub fn apply_setting(server: &mut Server, id: DirectiveId) -> Result<(), String> {
    apply_inside(server, id);
    server.host.apply(&server.config, id)
}

/// Puts all settings into effect inside the engine: at the start, when the host has them already.
pub fn apply_all_inside(server: &mut Server) {
    for directive in crate::config::TABLE {
        apply_inside(server, directive.id);
    }
}

/// Puts a setting into effect inside the engine. Most are read where they are used and need nothing here.
fn apply_inside(server: &mut Server, id: DirectiveId) {
    let config = &server.config;
    match id {
        DirectiveId::lua_memory_limit => {
            let limit = usize::try_from(config.lua_memory_limit).unwrap_or(usize::MAX);
            server.scripting.set_memory_limit(limit);
        }
        DirectiveId::maxmemory_clients => server.apply_client_memory_limit(),
        DirectiveId::maxmemory => {
            server.apply_eviction_settings();
            server.apply_client_memory_limit();
        }
        DirectiveId::maxmemory_policy | DirectiveId::maxmemory_samples | DirectiveId::maxmemory_eviction_tenacity => {
            server.apply_eviction_settings()
        }
        DirectiveId::lfu_log_factor => server.keyspace.access.lfu_log_factor = config.lfu_log_factor,
        DirectiveId::lfu_decay_time => server.keyspace.access.lfu_decay_minutes = config.lfu_decay_time,
        DirectiveId::notify_keyspace_events => {
            let events = config.notify_keyspace_events;
            server.keyspace.notes.fields_expired = events.contains(NotifyFlags::HASH) || events.contains(NotifyFlags::GENERIC);
            server.keyspace.notes.expired = events.contains(NotifyFlags::EXPIRED);
            server.keyspace.notes.evicted = events.contains(NotifyFlags::EVICTED);
            server.keyspace.notes.missed = events.contains(NotifyFlags::KEY_MISS);
        }
        DirectiveId::requirepass => server.users.set_default_password(config.requirepass.as_deref().unwrap_or_default()),
        DirectiveId::acl_pubsub_default => server.users.all_channels = config.acl_pubsub_default == AclPubsubDefault::AllChannels,
        DirectiveId::repl_backlog_size => server.replication.log.set_backlog(config.repl_backlog_size),
        DirectiveId::min_replicas_to_write | DirectiveId::min_replicas_max_lag => server.count_good_replicas(),
        DirectiveId::appendfsync => server.aof_policy_changed(),
        DirectiveId::slowlog_max_len => server.slowlog.keep(config.slowlog_max_len),
        DirectiveId::aof_disable_auto_gc if !config.aof_disable_auto_gc => server.clean_aof_history_now(),
        _ => {}
    }
}

fn rewrite(ctx: &mut Ctx) {
    let path = ctx.server.host.process().config_file.clone();
    if path.is_empty() {
        return ctx.error("ERR The server is running without a config file");
    }
    if !ctx.in_exec {
        return ctx.server.begin_config_rewrite(ctx.conn, ctx.command, path);
    }
    // In a transaction nobody can wait for the disk but the loop.
    match rewrite_file(ctx.server, &path, false) {
        Ok(()) => {
            log::info!("CONFIG REWRITE executed with success.");
            ctx.out.ok();
        }
        Err(error) => {
            log::warn!("CONFIG REWRITE failed: {error}");
            ctx.error(format!("ERR Rewriting config file: {}", os_reason(&error)));
        }
    }
}

/// Rewrites the configuration file; `all`: defaults are written, too.
pub(super) fn rewrite_file(server: &mut Server, path: &str, all: bool) -> std::io::Result<()> {
    server.note_users();
    // A file that has been removed is written anew.
    let old = server.host.read_config_file(path).or_else(|error| match error.kind() {
        ErrorKind::NotFound => Ok(Vec::new()),
        _ => Err(error),
    })?;
    let new = if all { server.config.rewrite_all(&old) } else { server.config.rewrite(&old) };
    server.host.replace_config_file(path, &new)
}

fn resetstat(ctx: &mut Ctx) {
    reset_stats(ctx.server);
    ctx.out.ok();
}

/// Puts the counters of INFO back to zero; the memory's peak is no counter.
fn reset_stats(server: &mut Server) {
    let stats = &mut server.stats;
    let by_command = vec![CommandStats::default(); stats.by_command.len()];
    *stats = crate::state::stats::Stats {
        by_command,
        peak_memory: stats.peak_memory,
        peak_memory_unix_seconds: stats.peak_memory_unix_seconds,
        ..Default::default()
    };
    server.keyspace.stats = Default::default();
    server.aof.delayed_syncs = 0;
    (server.aof_files.rewrites, server.aof_files.failures) = (0, 0);
    server.eviction.over_since_nanos = None;
}

fn help(ctx: &mut Ctx) {
    help::reply(
        ctx,
        &[
            "GET <pattern> [<pattern> ...]",
            "    Return the settings whose names match, with their values.",
            "RESETSTAT",
            "    Put the counters that INFO shows back to zero.",
            "REWRITE",
            "    Make the configuration file say what the server is set to.",
            "SET <directive> <value> [<directive> <value> ...]",
            "    Change settings, all of them or none.",
        ],
    );
}

const PLAIN: u64 = ADMIN | NOSCRIPT | LOADING | STALE;
const CHANGES_ALL_NODES: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];

const fn sub(name: &'static str, handler: Handler, arity: i32, flags: u64, since: &'static str) -> Command {
    command(name, handler, arity, flags).since(Group::Server, since)
}

/// The rows of this group.
pub const COMMANDS: &[Command] = &[command("config", container, -2, 0)
    .since(Group::Server, "2.0.0")
    .doc("The settings, and what can be done with them.", "Depends on the subcommand")
    .subcommands(SUBCOMMANDS)];

const SUBCOMMANDS: &[Command] = &[
    sub("get", get, -3, PLAIN, "2.0.0")
        .doc("Returns settings.", "O(N) where N is the number of patterns")
        .args("parameter...")
        .history(&[("7.0.0", "Takes several patterns.")]),
    sub("help", help, 2, LOADING | STALE, "5.0.0").doc("Says what subcommands there are.", "O(1)"),
    sub("resetstat", resetstat, 2, PLAIN, "2.0.0").doc("Puts the counters back to zero.", "O(1)").tips(CHANGES_ALL_NODES),
    sub("rewrite", rewrite, 2, PLAIN, "2.8.0")
        .doc("Makes the configuration file say what the server is set to.", "O(1)")
        .tips(CHANGES_ALL_NODES),
    sub("set", set, -4, PLAIN, "2.0.0")
        .doc("Changes settings, all of them or none.", "O(N) where N is the number of settings")
        .args("data:(parameter value)...")
        .tips(CHANGES_ALL_NODES)
        .history(&[("7.0.0", "Takes several settings.")]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Config, engine::Engine, state::Host};
    use std::{cell::RefCell, rc::Rc};

    /// A host that refuses port 1 and records what it was asked to apply.
    #[derive(Default, Clone)]
    struct Picky {
        applied: Rc<RefCell<Vec<(DirectiveId, u16)>>>,
    }

    impl Host for Picky {
        fn unix_us(&self) -> i64 {
            0
        }
        fn nanos(&self) -> u64 {
            0
        }
        fn apply(&mut self, config: &Config, changed: DirectiveId) -> Result<(), String> {
            self.applied.borrow_mut().push((changed, config.port));
            if config.port == 1 { Err("no".into()) } else { Ok(()) }
        }
    }

    fn set(server: &mut Server, words: &[&str]) -> Result<(), String> {
        let pairs: Vec<(&[u8], &[u8])> = words.chunks(2).map(|pair| (pair[0].as_bytes(), pair[1].as_bytes())).collect();
        set_all(server, &pairs, SetContext { loading: false, local: true }).map_err(|error| error.to_string())
    }

    #[test]
    fn what_cannot_be_put_into_effect_changes_nothing() {
        let world = Picky::default();
        let mut server = Engine::new(Config::default(), Box::new(world.clone()), 1).server;
        let refused = set(&mut server, &["maxmemory-policy", "allkeys-lfu", "port", "1", "timeout", "9"]);
        assert_eq!(refused, Err("ERR CONFIG SET failed (possibly related to argument 'maxmemory-policy') - no".into()));
        assert!(server.config == Config::default());
        assert!(!server.keyspace.access.is_frequency(), "not in the engine either");
        // The host was told of one setting, and then of its old value.
        let heard = world.applied.take();
        assert_eq!(heard, [(DirectiveId::maxmemory_policy, 1), (DirectiveId::maxmemory_policy, 6379)]);
    }

    #[test]
    fn settings_reach_into_the_engine() {
        let config = Config { lfu_log_factor: 3, ..Config::default() };
        let mut server = Engine::new(config, Box::new(Picky::default()), 1).server;
        assert_eq!(server.keyspace.access.lfu_log_factor, 3, "from the start");
        set(&mut server, &["maxmemory-policy", "volatile-lfu", "lfu-decay-time", "7"]).unwrap();
        assert!(server.keyspace.access.is_frequency());
        assert_eq!(server.keyspace.access.lfu_decay_minutes, 7);
    }

    #[test]
    fn counters_go_back_to_zero_but_the_peak_of_memory_stays() {
        let mut server = Engine::new(Config::default(), Box::new(Picky::default()), 1).server;
        let commands = server.stats.by_command.len();
        server.stats.by_command[0].calls = 5;
        server.stats.commands = 5;
        server.stats.peak_memory = 77;
        server.keyspace.stats.hits = 4;
        reset_stats(&mut server);
        assert_eq!((server.stats.commands, server.stats.by_command[0].calls, server.keyspace.stats.hits), (0, 0, 0));
        assert_eq!((server.stats.by_command.len(), server.stats.peak_memory), (commands, 77));
    }

    #[test]
    fn directories_are_seen_from_the_one_before() {
        for (from, dir, wanted) in [
            ("/data", "/var/lib", "/var/lib"),
            ("/data", "sub", "/data/sub"),
            ("/data/x", "./../y/", "/data/y"),
            ("/", "..", "/"),
            ("/data", ".", "/data"),
        ] {
            assert_eq!(absolute(from, dir), wanted, "{from} {dir}");
        }
    }
}
