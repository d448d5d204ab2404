//! One server: an engine with its sockets, its disk and its model.

use super::{
    checkers::Walks,
    disk::Disk,
    host::{Clock, SimHost},
    model::{Model, Session},
    net::LinkId,
    state::{Content, State, hold},
    timeline::Timeline,
    wire::Words,
};
use slab::Slab;
use solod::{
    config::Config,
    engine::Engine,
    replication::ReplId,
    state::{ConnId, disk::FileId},
};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

/// A save that was seen to begin.
pub struct Save {
    pub file: FileId,
    /// What there was then, without what had expired. `None`: that could not be seen.
    pub state: Option<State>,
    /// Unix milliseconds.
    pub at_ms: i64,
}

/// A script that takes its time.
pub struct Slow {
    /// The connection that it came by, and what was asked.
    pub link: LinkId,
    pub words: Words,
    pub session: Session,
    /// Unix milliseconds at which it began: time stands still for it.
    pub at_ms: i64,
    /// Somebody has ended it.
    pub killed: bool,
}

/// One server, up or down.
pub struct Node {
    /// `None` while it is down.
    pub engine: Option<Engine>,
    /// Each connection with our end of it.
    pub conns: Slab<(LinkId, usize)>,
    pub disk: Rc<RefCell<Disk>>,
    /// How often it finds that more memory is used than may be.
    pub pressure: Rc<Cell<usize>>,
    /// What a primary holds, while all that it was told is known.
    pub model: Option<Model>,
    /// Walks over its keyspace that nobody but us asked for.
    pub walks: Walks,
    pub save: Option<Save>,
    /// The script that it is running, and that others wait for.
    pub slow: Option<Slow>,
    /// What the file holds that it loads, until it has loaded it.
    pub loads: Option<State>,
    /// What it must find again after a crash, where nodes have append-only files.
    pub timeline: Option<Timeline>,
    /// It ended with its machine.
    pub lost_power: bool,
    /// When it wants its next turn.
    pub wake_at_ns: u64,
    /// Times it was started.
    pub lives: u64,
    pub config: Config,
    pub skew_us: i64,
    /// When it last lost what it held: it crashed, or gave its data up for a snapshot.
    pub wiped_at_ns: u64,
    /// When its primary last had two connections of it, one of them dead and not known to be: as a replica it counts twice then, as in Redis.
    pub doubled_at_ns: u64,
    /// Nothing of other nodes reaches it before this moment.
    pub alone_until_ns: u64,
    /// Where its log stood when that was last looked at.
    pub seen: Option<(ReplId, u64)>,
    /// The history it was in then.
    pub seen_id: Option<ReplId>,
}

impl Node {
    pub fn new(config: Config, skew_us: i64, disk: Disk) -> Self {
        Self {
            engine: None,
            conns: Slab::new(),
            disk: Rc::new(RefCell::new(disk)),
            pressure: Rc::default(),
            model: None,
            walks: Walks::default(),
            save: None,
            slow: None,
            loads: None,
            timeline: None,
            lost_power: false,
            wake_at_ns: u64::MAX,
            lives: 0,
            config,
            skew_us,
            wiped_at_ns: 0,
            doubled_at_ns: 0,
            alone_until_ns: 0,
            seen: None,
            seen_id: None,
        }
    }

    /// Starts the server. `random` is the seed of its choices.
    pub fn start(&mut self, clock: &Rc<Clock>, random: u64) {
        assert!(self.engine.is_none());
        self.lives += 1;
        self.wake_at_ns = u64::MAX;
        let host = SimHost::new(Rc::clone(clock), self.skew_us, Rc::clone(&self.disk), Rc::clone(&self.pressure));
        let mut engine = Engine::new(self.config.clone(), Box::new(host), random);
        engine.load_from_disk();
        self.engine = Some(engine);
    }

    /// Ends it without a word; returns its connections.
    pub fn stop(&mut self) -> Vec<(LinkId, usize)> {
        self.engine = None;
        self.model = None;
        self.walks = Walks::default();
        self.save = None;
        self.slow = None;
        self.loads = None;
        self.seen = None;
        self.seen_id = None;
        self.conns.drain().collect()
    }

    /// The server, which is up.
    pub fn engine(&mut self) -> &mut Engine {
        self.engine.as_mut().expect("the node is up")
    }

    /// Whether it leaves what has arrived by a connection alone for now.
    pub fn holds_input(&self, conn: ConnId) -> bool {
        self.engine.as_ref().is_some_and(|engine| {
            let listens = engine.server.clients.get(conn).is_some_and(|client| !client.closing());
            listens && !engine.wants_input(conn)
        })
    }

    /// Whether what clients ask for is done at once: no replica, nothing being loaded, nobody held back or refused. While a
    /// shutdown waits for replicas writes wait with it, and go through later when it fails: other keys may have expired by then.
    pub fn is_plain_primary(&self) -> bool {
        self.engine.as_ref().is_some_and(|engine| {
            let server = &engine.server;
            let replication = &server.replication;
            let follows = replication.is_replica() || replication.failover.is_some();
            !follows && server.loading.is_none() && server.write_gate().is_open()
        })
    }

    /// Whether a script keeps everybody waiting.
    pub fn is_busy(&self) -> bool {
        self.engine.as_ref().is_some_and(|engine| engine.server.scripts.is_slow)
    }

    /// Whether it follows a primary.
    pub fn is_replica(&self) -> bool {
        self.engine.as_ref().is_some_and(|engine| engine.server.replication.is_replica())
    }

    /// Whether the value it holds under a key of a database is this.
    pub fn holds(&self, db: usize, key: &[u8], value: &[u8]) -> bool {
        self.engine.as_ref().is_some_and(|engine| {
            let keyspace = &engine.server.keyspace;
            let found = keyspace.db(db).dict().find(keyspace.hash(key), key);
            found.is_some_and(|entry| hold(entry).value == Content::Text(value.to_vec()))
        })
    }
}
