//! Everything the engine owns, in one place that commands may touch: the root that puts the parts together, and that none of them knows.
//!
//! What needs more than one part is done by methods of [`Server`], in a file of its own for each part.

mod aof;
mod aof_files;
mod blocking;
mod client_memory;
mod eviction;
mod failover;
mod functions;
mod limits;
mod long_reply;
mod migration;
mod notifications;
mod pubsub;
mod replicas;
mod rewriting;
mod saving;
mod shutdown;
mod tracking;
mod transactions;
mod upstream;
mod users;
mod whole;
mod write_gate;

use super::{
    action::{Action, LinkPurpose},
    aof::Aof,
    aof_files::AofFiles,
    blocking::Blocking,
    client_memory::ClientMemory,
    clients::Clients,
    conn_id::ConnId,
    defrag::Defrag,
    eviction::EvictionState,
    host::Host,
    latency::LatencyMonitor,
    loading::LoadingState,
    migration::Migrations,
    pause::Pause,
    pubsub::PubSub,
    replicas::Followers,
    rewriting::Rewriting,
    saving::Persistence,
    scripts::Scripts,
    shutdown::ShutdownState,
    slowlog::Slowlog,
    stats::Stats,
};
use crate::{
    acl,
    acl::Users,
    config::Config,
    data::rng::Rng,
    keyspace::Keyspace,
    replication::Replication,
    scripting::{Scripting, functions::Functions},
};
use std::collections::VecDeque;

/// Everything the engine owns.
pub struct Server {
    /// The settings.
    pub config: Config,
    /// The data.
    pub keyspace: Keyspace,
    /// The clients.
    pub clients: Clients,
    /// What they take of memory.
    pub client_memory: ClientMemory,
    /// CLIENT ID of the next client.
    pub next_client_id: u64,
    /// Counters.
    pub stats: Stats,
    /// SLOWLOG.
    pub slowlog: Slowlog,
    /// LATENCY.
    pub latency: LatencyMonitor,
    /// The PRNG.
    pub rng: Rng,
    /// Clock, files and process.
    pub host: Box<dyn Host>,
    /// Unix time in microseconds, as of this turn.
    pub unix_us: i64,
    /// Monotonic milliseconds, as of this turn.
    pub mono_ms: u64,
    /// Unix time in microseconds at which we started.
    pub started_unix_us: i64,
    /// 40 hexadecimal digits that name this run.
    pub run_id: [u8; 40],
    /// Replication, whatever our role.
    pub replication: Replication,
    /// Our replicas' connections, and the clients that wait for them.
    pub followers: Followers,
    /// Clients that wait for keys.
    pub blocking: Blocking,
    /// MIGRATE, and its connections.
    pub migrations: Migrations,
    /// Number of connections asked for so far; it names the last one.
    pub links_dialed: u64,
    /// Subscriptions.
    pub pubsub: PubSub,
    /// Unix seconds of the last successful save.
    pub last_save_unix_seconds: i64,
    /// Saves and loads.
    pub persistence: Persistence,
    /// The append-only log.
    pub aof: Aof,
    /// Its files.
    pub aof_files: AofFiles,
    /// Clients that get a long reply, whose turn it is next first.
    pub long_replies: VecDeque<ConnId>,
    /// CONFIG REWRITEs under way.
    pub rewrites: Vec<Rewriting>,
    /// The dataset that is being loaded.
    pub loading: Option<LoadingState>,
    /// The shutdown under way.
    pub shutdown: Option<ShutdownState>,
    /// Eviction.
    pub eviction: EvictionState,
    /// CLIENT PAUSE, while it lasts.
    pub pause: Option<Pause>,
    /// Scripts and functions, and what runs them.
    pub scripting: Scripting,
    /// The libraries of functions.
    pub functions: Functions,
    /// The script that runs.
    pub scripts: Scripts,
    /// Who may do what.
    pub users: Users,
    /// What has been refused.
    pub acl_log: acl::Log,
    /// Clients in MONITOR.
    pub monitors: Vec<ConnId>,
    /// Clients with something to send, or to close.
    pub dirty_clients: VecDeque<ConnId>,
    /// What the driver is to do.
    pub actions: VecDeque<Action>,
    /// DEBUG SET-ACTIVE-EXPIRE.
    pub active_expire: bool,
    /// Checksums of payloads and files are passed over (DEBUG SET-SKIP-CHECKSUM-VALIDATION).
    pub skip_checksums: bool,
    /// DEBUG PAUSE-CRON.
    pub cron_paused: bool,
    /// A signal has asked for a shutdown while the cron was paused: the cron begins it.
    pub shutdown_asked: Option<super::Shutdown>,
    /// Number of runs of the cron.
    pub cron_loops: u64,
    /// Resident bytes, as of a tenth of a second ago at most.
    pub rss: usize,
    /// Active defragmentation.
    pub defrag: Defrag,
    /// `used_memory` of the server before its first client.
    pub startup_memory: usize,
}

impl Server {
    /// Unix time in milliseconds, as of this turn.
    #[inline]
    pub fn unix_ms(&self) -> i64 {
        self.keyspace.now_ms
    }

    /// Unix time in seconds, as of this turn.
    pub fn unix_seconds(&self) -> i64 {
        self.unix_us / 1_000_000
    }

    /// Queues a client that has something to send, or is to be closed, for the end of the turn.
    #[inline]
    pub fn mark_dirty(&mut self, id: ConnId) {
        match self.clients.get_mut(id) {
            Some(client) if client.dirty => (),
            Some(client) => {
                client.dirty = true;
                self.dirty_clients.push_back(id);
                if self.client_memory.is_limited {
                    self.client_memory.changed.push(id);
                }
            }
            None => (),
        }
    }

    /// Asks for a connection to another server, from this address of ours if one is given. Returns the name by which the answer will come.
    pub fn dial(&mut self, purpose: LinkPurpose, host: String, port: u16, source: Option<String>) -> u64 {
        self.links_dialed += 1;
        let link = self.links_dialed;
        self.actions.push_back(Action::Connect { link, host, port, source, purpose });
        link
    }

    /// Closes a connection: at once, or when its replies are sent.
    pub fn close(&mut self, id: ConnId, after_reply: bool) {
        if let Some(client) = self.clients.get_mut(id) {
            if after_reply {
                client.close_after_reply = true;
            } else {
                client.close_now = true;
            }
        }
        self.mark_dirty(id);
    }

    /// Counts an error reply by its code, the first word.
    pub fn count_error(&mut self, text: &[u8]) {
        /// More codes than a server has: a script may make them up, and they must not fill the memory.
        const CODES_MAX: usize = 128;
        /// Bytes of an error that are remembered for the log.
        const LAST_ERROR_MAX: usize = 256;
        self.stats.errors += 1;
        self.stats.last_error.clear();
        self.stats.last_error.extend_from_slice(&text[..text.len().min(LAST_ERROR_MAX)]);
        let code = text.split(|b| matches!(b, b' ' | b'\r')).next().unwrap_or_default();
        let code = String::from_utf8_lossy(code);
        if let Some(count) = self.stats.errors_by_code.get_mut(&*code) {
            *count += 1;
        } else if self.stats.errors_by_code.len() < CODES_MAX {
            self.stats.errors_by_code.insert(code.into_owned(), 1);
        }
    }
}
