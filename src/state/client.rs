//! One connection, without its socket.

use super::{
    blocking::Waiting,
    client_memory::NotedMemory,
    held_replies::HeldReplies,
    long_reply::LongReply,
    peer::Peer,
    pubsub::{Subscriptions, Topic},
    tracking::Tracking,
};
use crate::{
    acl::UserId,
    keyspace::WatchFlag,
    replication::{WriteLog, primary::ReplicaLink},
    resp::{
        output::Output,
        request::{InputBuffer, OwnedArgs, Parser},
    },
};
use std::rc::Rc;

/// The class of a client: what output limits, CLIENT LIST TYPE and CLIENT KILL TYPE go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientKind {
    /// An ordinary client.
    Normal,
    /// A replica of ours.
    Replica,
    /// A subscriber.
    Pubsub,
    /// Our primary.
    Primary,
}

/// Whether replies are sent: CLIENT REPLY.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ReplyMode {
    /// Yes.
    #[default]
    On,
    /// Not until it is ON again.
    Off,
    /// Not for the command after this one: CLIENT REPLY SKIP has just run.
    SkipNext,
    /// Not for the command that runs now.
    Skip,
}

/// A transaction being queued.
#[derive(Default)]
pub struct Multi {
    /// Registry index and arguments of each queued command.
    pub queue: Vec<(u16, OwnedArgs)>,
    /// A command was refused: EXEC will be too.
    pub aborted: bool,
    /// The database that a queued SELECT selects, if there is one.
    pub db: Option<usize>,
    /// Union of the queued commands' flags.
    pub flags: u64,
    /// Bytes of the queued arguments.
    pub bytes: usize,
    /// Bytes of memory that the queued commands take.
    pub memory: usize,
}

/// A watched key.
pub struct WatchedKey {
    /// Index of its database.
    pub db: usize,
    /// The key.
    pub key: Box<[u8]>,
    /// It was there when it was watched: if it is past its deadline at EXEC, that is a change.
    pub live: bool,
}

/// Input that could not be executed yet: an unfinished request, or requests held back while the client waits.
pub struct Pending {
    /// The parser with its place.
    pub parser: Parser,
    /// The bytes it still needs.
    pub buf: InputBuffer,
}

/// What a client waits for: its next requests wait too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocked {
    /// The end of CLIENT PAUSE.
    Pause,
    /// The outcome of its SHUTDOWN.
    Shutdown,
    /// The end of its MIGRATE.
    Migration,
    /// The end of its CONFIG REWRITE.
    Rewrite,
    /// The end of its DEBUG LOADAOF.
    Reload,
    /// The end of [`Client::long_reply`].
    LongReply,
    /// The end of its script, which is slow.
    Script,
    /// The next turn, in which keys are evicted to make room for what it wants to write.
    Memory,
    /// A change of one of the keys of [`Client::waiting`].
    Keys,
    /// Replicas' acknowledgements (WAIT), and where `disk` says so those of disks (WAITAOF), until this moment of Unix time in milliseconds (0: forever).
    Wait {
        /// Offset that must be acknowledged.
        offset: u64,
        /// Number of replicas that must acknowledge.
        replicas: usize,
        /// Its deadline.
        deadline_ms: i64,
        /// It waits for append-only files, and whether for our own among them.
        disk: Option<bool>,
    },
}

/// How a client's scripts are debugged: SCRIPT DEBUG.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DebugMode {
    /// What they change stays (SYNC).
    Kept,
    /// What they change is undone at their end (YES).
    Rehearsal,
}

/// Facts about a connection that never change.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// `address:port` of the other end, or the Unix socket's path with `:0`.
    pub addr: String,
    /// The same of our end.
    pub laddr: String,
    /// File descriptor, for CLIENT LIST.
    pub fd: i32,
    /// It came by the Unix socket.
    pub unix: bool,
    /// It came from this machine (loopback or Unix socket): what protected mode lets in.
    pub local: bool,
}

/// One connection.
pub struct Client {
    /// CLIENT ID: never used again in a process's life.
    pub id: u64,
    /// Where it comes from.
    pub origin: Origin,
    /// CLIENT SETNAME.
    pub name: Vec<u8>,
    /// CLIENT SETINFO LIB-NAME.
    pub lib_name: Vec<u8>,
    /// CLIENT SETINFO LIB-VER.
    pub lib_ver: Vec<u8>,
    /// Index of the selected database.
    pub db: usize,
    /// What is at the other end.
    pub peer: Peer,
    /// It has authenticated, or did not have to when it connected. As long as the default user needs no password it may run commands in any case.
    pub authenticated: bool,
    /// The user it authenticated as.
    pub user: UserId,
    /// Monotonic milliseconds at which it connected.
    pub created_ms: u64,
    /// Monotonic milliseconds at which it was last heard of, or sent something; for a replica only the former.
    pub active_ms: u64,
    /// Registry index of its last command.
    pub last_command: Option<u16>,
    /// Output that has not been sent.
    pub out: Output,
    /// What of it must not be sent yet.
    pub held: Option<Box<HeldReplies>>,
    /// CLIENT REPLY.
    pub reply: ReplyMode,
    /// The transaction it is queueing.
    pub multi: Option<Box<Multi>>,
    /// Keys it watches, and the flag they raise.
    pub watching: Vec<WatchedKey>,
    /// Bytes of memory that those take.
    pub watching_bytes: usize,
    /// Raised when a watched key is touched.
    pub watch: WatchFlag,
    /// CLIENT NO-EVICT.
    pub no_evict: bool,
    /// CLIENT NO-TOUCH.
    pub no_touch: bool,
    /// It is in MONITOR.
    pub monitor: bool,
    /// The scripts that it sends are debugged.
    pub debug: Option<DebugMode>,
    /// Input not executed yet.
    pub pending: Option<Box<Pending>>,
    /// Offset in the log of writes at which its last write ends.
    pub write_offset: u64,
    /// Why its requests wait.
    pub blocked: Option<Blocked>,
    /// The command that is run again when one of its keys has changed.
    pub waiting: Option<Box<Waiting>>,
    /// What is still to come of a reply that is made in parts.
    pub long_reply: Option<Box<LongReply>>,
    /// What it listens to.
    pub subscriptions: Option<Box<Subscriptions>>,
    /// How it is told of changes of the keys that it keeps copies of (CLIENT TRACKING).
    pub tracking: Option<Box<Tracking>>,
    /// A change that it makes itself may be told to it: it keeps copies, or is told in the place of one who does, or was once.
    pub hears_of_own_changes: bool,
    /// Its connection ends once its output is sent; no more input is read.
    pub close_after_reply: bool,
    /// Its connection ends at the end of this turn, whatever is unsent.
    pub close_now: bool,
    /// It is in the list of clients with something to send.
    pub dirty: bool,
    /// Since when (monotonic ms) its output is over the soft limit.
    pub soft_limit_since_ms: Option<u64>,
    /// What it took of memory when that was last looked at, where there is a limit (`maxmemory-clients`).
    pub noted_memory: NotedMemory,
    /// Bytes received in all.
    pub net_in: u64,
    /// Bytes sent in all.
    pub net_out: u64,
}

impl Client {
    /// A client that has just connected.
    pub fn new(id: u64, origin: Origin, now_ms: u64, authenticated: bool) -> Self {
        Self {
            id,
            origin,
            name: Vec::new(),
            lib_name: Vec::new(),
            lib_ver: Vec::new(),
            db: 0,
            peer: Peer::Client,
            authenticated,
            user: UserId::default(),
            created_ms: now_ms,
            active_ms: now_ms,
            last_command: None,
            out: Output::default(),
            held: None,
            reply: ReplyMode::On,
            multi: None,
            watching: Vec::new(),
            watching_bytes: 0,
            watch: WatchFlag::default(),
            no_evict: false,
            no_touch: false,
            monitor: false,
            debug: None,
            pending: None,
            write_offset: 0,
            blocked: None,
            waiting: None,
            long_reply: None,
            subscriptions: None,
            tracking: None,
            hears_of_own_changes: false,
            close_after_reply: false,
            close_now: false,
            dirty: false,
            soft_limit_since_ms: None,
            noted_memory: NotedMemory::default(),
            net_in: 0,
            net_out: 0,
        }
    }

    /// Its class.
    #[inline]
    pub fn kind(&self) -> ClientKind {
        match self.peer {
            Peer::Replica(_) => ClientKind::Replica,
            Peer::Primary => ClientKind::Primary,
            Peer::Client | Peer::Candidate(_) | Peer::Target(_) if self.subscriptions.is_some() => ClientKind::Pubsub,
            Peer::Client | Peer::Candidate(_) | Peer::Target(_) | Peer::File => ClientKind::Normal,
        }
    }

    /// Where messages that it has not asked for are written: not into the middle of a reply that comes in parts.
    pub fn messages(&mut self) -> &mut Output {
        self.long_reply.as_mut().map_or(&mut self.out, |reply| &mut reply.behind)
    }

    /// How many bytes of its output may be sent.
    #[inline]
    pub fn sendable(&self) -> usize {
        let all = self.out.len();
        self.held.as_ref().map_or(all, |held| held.free_behind(self.net_out, all))
    }

    /// Whether its connection is about to end.
    pub fn closing(&self) -> bool {
        self.close_now || self.close_after_reply
    }

    /// Whether it is shown as blocked. One in MIGRATE, CONFIG REWRITE or DEBUG LOADAOF, or whose reply is made in parts, is not: in Redis nobody could look meanwhile.
    pub fn shows_blocked(&self) -> bool {
        self.blocked.is_some_and(|blocked| {
            !matches!(
                blocked,
                Blocked::Migration | Blocked::Rewrite | Blocked::Reload | Blocked::LongReply | Blocked::Memory | Blocked::Script
            )
        })
    }

    /// Bytes of input held, which are not executed yet: those of a transaction being queued among them. What `client-query-buffer-limit` limits.
    pub fn input_bytes(&self) -> usize {
        self.pending.as_ref().map_or(0, |p| p.buf.len() + p.parser.own_bytes()) + self.multi.as_ref().map_or(0, |m| m.bytes)
    }

    /// Bytes of memory it takes: buffers, queue and itself.
    pub fn memory(&self) -> usize {
        size_of::<Self>()
            + self.name.capacity()
            + self.pending.as_ref().map_or(0, |p| p.buf.capacity() + p.parser.memory())
            + self.multi.as_ref().map_or(0, |m| m.memory)
            + self.waiting.as_ref().map_or(0, |w| size_of::<Waiting>() + w.args.memory())
            + self.subscriptions.as_ref().map_or(0, |s| s.memory())
            + self.tracking.as_ref().map_or(0, |t| t.memory())
            + self.out.memory()
            + self.long_reply.as_ref().map_or(0, |reply| reply.behind.memory())
            + self.watching_bytes
    }

    /// Adds a watched key.
    pub fn watch_key(&mut self, key: WatchedKey) {
        self.watching_bytes += key.key.len() + size_of::<WatchedKey>();
        self.watching.push(key);
    }

    /// Hands over the keys it watches; it watches none any more.
    pub fn take_watching(&mut self) -> Vec<WatchedKey> {
        self.watching_bytes = 0;
        std::mem::take(&mut self.watching)
    }

    /// How many subscriptions of a kind it has.
    pub fn subscribed(&self, topic: Topic) -> usize {
        self.subscriptions.as_ref().map_or(0, |all| all.of(topic).len())
    }

    /// The names of its subscriptions of a kind, in order.
    pub fn subscribed_names(&self, topic: Topic) -> Vec<Rc<[u8]>> {
        self.subscriptions.as_ref().map_or_else(Vec::new, |all| all.of(topic).iter().cloned().collect())
    }

    /// The name of a replica in the log: its address and the port it listens on.
    pub fn replica_name(&self) -> String {
        match self.peer.as_replica() {
            Some(link) if link.listening_port != 0 => format!("{}:{}", self.replica_address(), link.listening_port),
            _ => format!("{}:<unknown-replica-port>", self.replica_address()),
        }
    }

    /// The address that a replica says it has, or that it comes from.
    pub fn replica_address(&self) -> &str {
        let said = self.peer.as_replica().and_then(|link| link.address.as_deref());
        said.unwrap_or_else(|| self.origin.addr.rsplit_once(':').map_or(self.origin.addr.as_str(), |(ip, _)| ip.trim_matches(['[', ']'])))
    }

    /// Bytes that wait for a replica, in its output and in the log, as output limits count them.
    pub fn owed_as_replica(&self, link: &ReplicaLink, log: &WriteLog) -> u64 {
        // Of a snapshot as much is encoded as the socket takes, and what had to be copied early.
        link.behind_in(log) + if link.is_online() { self.out.len() as u64 } else { 0 }
    }
}
