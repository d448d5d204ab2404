//! Bytes in, bytes out: requests become commands, commands become replies. No socket, no file, no clock.
//!
//! A driver (the reactor, a simulator, a test) tells it of connections and hands it bytes
//! ([`Engine::connect`], [`Engine::receive`], [`Engine::disconnect`]), ends each turn with [`Engine::finish_turn`], sends what
//! [`Engine::take_dirty`] names, does what [`Engine::take_action`] asks, and comes back no later than [`Engine::sleep_ms`] says.
//!
//! ```
//! use solod::{config::Config, engine::Engine, state::{ConnId, Host, client::Origin}};
//! use std::io::IoSlice;
//!
//! /// A host with nothing but a clock that stands still.
//! struct Still;
//!
//! impl Host for Still {
//!     fn unix_us(&self) -> i64 {
//!         1_700_000_000_000_000
//!     }
//!     fn nanos(&self) -> u64 {
//!         0
//!     }
//! }
//!
//! let mut engine = Engine::new(Config::default(), Box::new(Still), 1);
//! let conn = ConnId(0);
//! engine.connect(conn, Origin { local: true, ..Origin::default() }).unwrap();
//! engine.receive(conn, b"SET k v\r\nGET k\r\n");
//! engine.finish_turn();
//! assert_eq!(engine.take_dirty(), Some(conn));
//! let mut pieces = [IoSlice::new(&[]); 8];
//! let count = engine.output(conn, &mut pieces, usize::MAX);
//! let sent: Vec<u8> = pieces[..count].iter().flat_map(|piece| piece.to_vec()).collect();
//! assert_eq!(sent, b"+OK\r\n$1\r\nv\r\n");
//! ```

mod aof_load;
mod aof_rewrite;
mod aof_start;
mod aof_writer;
mod applying;
mod blocking;
mod clients;
mod cron;
mod debug_input;
mod debugging;
mod defrag;
mod dispatch;
mod eviction;
mod executor;
mod file_input;
mod full_sync;
mod held_replies;
mod input;
pub mod last_command;
pub mod loading;
mod migration;
mod monitor;
mod pace;
mod permissions;
mod propagation;
mod redact;
mod replicas;
mod script_calls;
mod scripts;
mod snapshots;
mod spool;
mod tracking;
mod transaction;
mod upstream;

#[cfg(test)]
mod aof_tests;
#[cfg(test)]
mod beside_scripts;
#[cfg(test)]
mod stream_waits;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tracking_tests;

use crate::{
    acl::{User, Users},
    commands::{Registry, TABLE, command::categories},
    config::Config,
    data::{key_hash::Seed, rng::Rng},
    keyspace::Keyspace,
    replication::Replication,
    resp::{output::Output, request::Parser},
    state::{Action, Clients, ConnId, DiskDone, DiskJob, Host, Server},
};

use std::{collections::VecDeque, rc::Rc};

pub use input::Fill;

/// A server without its sockets.
pub struct Engine {
    /// What commands act on.
    pub server: Server,
    registry: Registry,
    /// A parser at the start of a request, for clients with no input pending.
    spare_parser: Option<Box<Parser>>,
    /// Output buffers of clients that have nothing to send.
    buffers: Vec<Vec<u8>>,
    /// Connections whose held-back requests may go on.
    resumable: VecDeque<ConnId>,
    /// Connections whose next request waits for memory until the next turn.
    short_of_memory: Vec<ConnId>,
    /// What the command or transaction being executed has had logged.
    unit: propagation::LoggedUnit,
    /// Command flags that the client whose requests are being executed may not use without a look at the server's role.
    barred: u64,
    /// That client's user, where it has rules and exists: as it was when `barred` was made.
    caller: Option<Rc<User>>,
    /// Our primary's commands.
    applying: executor::Executor,
    /// The snapshot that our primary is sending.
    arriving: Option<spool::Arriving>,
    /// Our primary's connection, while no more of it is to be read.
    held_input: Option<ConnId>,
    /// Monotonic milliseconds at which our primary is next told that we are alive.
    upstream_beat_ms: u64,
    /// Connections that wait for writes, or all commands, to go on again, in order of arrival. Some may be gone.
    paused: VecDeque<ConnId>,
    /// Keys that a replica reclaims itself are due: the last slice has left some.
    owes_own: bool,
    /// Clients in WAIT that have not been looked at in this round.
    waits_unseen: usize,
    /// What long background work may take of the loop.
    pace: pace::Pace,
    /// The share of snapshots for replicas.
    replica_pace: pace::Pace,
    /// What active defragmentation may take of the loop.
    defrag_share: defrag::DefragShare,
    /// Clients that wait for keys are being served.
    serving: bool,
    /// Monotonic milliseconds of the next cron.
    cron_at_ms: u64,
    /// The file that is being loaded: our own at start, or one that holds our primary's snapshot.
    load: Option<Box<loading::FileLoad>>,
    /// The append-only log, until it is loaded and open.
    aof_start: Option<Box<aof_start::AofStart>>,
    /// A command of a file that there is none of: the load of the file ends.
    unknown_in_file: Option<Vec<u8>>,
    /// Monotonic nanoseconds at the end of the last command: the start of the next one.
    nanos: u64,
    /// Nanoseconds that the last command took before it had to wait.
    tried_nanos: u64,
    /// Error replies counted at the end of the last command, to tell whether the next one fails.
    errors_before: u64,
    /// The script that runs, or the transaction that waits for it, between two slices.
    suspended: Option<Box<scripts::Suspended>>,
    /// Replies of the commands that scripts run.
    script_out: Option<Box<Output>>,
    /// The script has been suspended before it was given the last of them.
    owes_script_reply: bool,
    /// Monotonic milliseconds at which the log was last told that a replica goes on without its disk.
    disk_logged_ms: Option<u64>,
    /// Monotonic milliseconds at which the log was last told of a client that speaks HTTP.
    http_logged_ms: Option<u64>,
}

/// Random seeds of a server.
#[derive(Clone, Copy, Debug)]
pub struct Randomness {
    /// Seeds the hash of keys, and nothing else: with it keys that collide could be chosen.
    pub hash: u64,
    /// Seeds every choice that the server makes and every name that it gives itself. From those it may be guessed.
    pub choices: u64,
}

impl From<u64> for Randomness {
    /// For tests: all from one number.
    fn from(seed: u64) -> Self {
        Self { hash: Rng::new(seed).next_u64(), choices: seed }
    }
}

impl Engine {
    /// A server with these settings.
    pub fn new(config: Config, host: Box<dyn Host>, random: impl Into<Randomness>) -> Self {
        let random = random.into();
        let mut rng = Rng::new(random.choices);
        let mut registry = Registry::new(TABLE);
        for renamed in &config.rename_command {
            // This was checked when the settings were read.
            let _ = registry.rename(&renamed.from, &renamed.to);
        }
        let keyspace = Keyspace::new(config.databases as usize, Seed::new(random.hash));
        let unix_us = host.unix_us();
        let nanos = host.nanos();
        let mut stats = crate::state::stats::Stats::default();
        stats.by_command.resize(registry.len(), Default::default());
        let server = Server {
            config,
            keyspace,
            clients: Clients::default(),
            client_memory: Default::default(),
            next_client_id: 1,
            stats,
            slowlog: Default::default(),
            latency: Default::default(),
            run_id: rng.hex(),
            replication: Replication::new(&mut rng),
            followers: Default::default(),
            blocking: Default::default(),
            migrations: Default::default(),
            links_dialed: 0,
            pubsub: Default::default(),
            rng,
            host,
            unix_us,
            mono_ms: nanos / 1_000_000,
            started_unix_us: unix_us,
            last_save_unix_seconds: unix_us / 1_000_000,
            persistence: Default::default(),
            aof: Default::default(),
            aof_files: Default::default(),
            long_replies: Default::default(),
            rewrites: Vec::new(),
            shutdown: None,
            eviction: Default::default(),
            pause: None,
            scripting: Default::default(),
            functions: Default::default(),
            scripts: Default::default(),
            users: Users::new(categories::NAMES),
            acl_log: Default::default(),
            monitors: Vec::new(),
            dirty_clients: Default::default(),
            actions: Default::default(),
            active_expire: true,
            skip_checksums: false,
            cron_paused: false,
            shutdown_asked: None,
            loading: None,
            cron_loops: 0,
            rss: 0,
            defrag: Default::default(),
            startup_memory: 0,
        };
        let mut engine = Self {
            server,
            registry,
            spare_parser: None,
            buffers: Vec::new(),
            resumable: VecDeque::new(),
            short_of_memory: Vec::new(),
            unit: Default::default(),
            barred: 0,
            caller: None,
            applying: Default::default(),
            arriving: None,
            held_input: None,
            upstream_beat_ms: 0,
            paused: VecDeque::new(),
            owes_own: false,
            waits_unseen: 0,
            pace: Default::default(),
            replica_pace: Default::default(),
            defrag_share: Default::default(),
            serving: false,
            cron_at_ms: nanos / 1_000_000,
            load: None,
            aof_start: None,
            unknown_in_file: None,
            nanos,
            tried_nanos: 0,
            errors_before: 0,
            suspended: None,
            script_out: None,
            owes_script_reply: false,
            disk_logged_ms: None,
            http_logged_ms: None,
        };
        let seed = engine.server.rng.next_u64() as u32;
        engine.server.scripting.set_seed(seed);
        crate::commands::config::apply_all_inside(&mut engine.server);
        engine.add_configured_users();
        engine.refresh_time();
        engine.server.replication.alone_since_ms = engine.server.mono_ms;
        engine.follow_configured();
        engine
    }

    /// The commands.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Reads the clock for what comes next.
    pub fn refresh_time(&mut self) {
        let server = &mut self.server;
        server.unix_us = server.host.unix_us();
        server.keyspace.now_ms = server.unix_us / 1000;
        self.nanos = server.host.nanos();
        server.mono_ms = self.nanos / 1_000_000;
    }

    /// The disk's answer to an [`Action::Disk`].
    pub fn disk_done(&mut self, mut done: DiskDone) {
        // The answer to work that has been given up is dropped.
        let _ = self.log_answered(&done)
            || self.save_answered(&done)
            || self.start_answered(&mut done)
            || self.load_answered(&mut done)
            || self.aof_rewrite_answered(&done)
            || self.spool_answered(&done)
            || self.server.rewrite_answered(&done);
    }

    /// What the driver is to do next, if it is work of the disk.
    pub fn take_disk_job(&mut self) -> Option<DiskJob> {
        match self.server.actions.pop_front() {
            Some(Action::Disk(job)) => Some(job),
            Some(other) => {
                self.server.actions.push_front(other);
                None
            }
            None => None,
        }
    }

    /// Something for the driver to do.
    pub fn take_action(&mut self) -> Option<Action> {
        self.server.actions.pop_front()
    }
}
