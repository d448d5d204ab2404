//! The only room that does I/O: one mio poll loop, and a slab of sockets.
//!
//! A turn: poll; read what is readable, each client once; let the engine do its share of background work; write to each
//! client that is owed something, in the order in which requests were read (`write`). mio is edge-triggered: a read that does not fill the buffer has drained its
//! socket, and a client that filled it keeps a place in the ready queue, so that nobody starves the others.
//!
//! ```
//! use solod::{config::Config, reactor::{Notifier, Reactor}};
//! use std::{io::{Read, Write}, net::{TcpListener, TcpStream}, thread};
//!
//! let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).unwrap().port();
//! let config = Config { port, bind: vec!["127.0.0.1".into()], ..Config::default() };
//! let (ready, is_ready) = std::sync::mpsc::channel();
//! let server = thread::spawn(move || {
//!     let mut reactor = Reactor::new(config, None, Notifier::new(false)).unwrap();
//!     ready.send(()).unwrap();
//!     reactor.run()
//! });
//! is_ready.recv().unwrap();
//! let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
//! client.write_all(b"PING\r\n").unwrap();
//! let mut reply = [0; 7];
//! client.read_exact(&mut reply).unwrap();
//! assert_eq!(&reply, b"+PONG\r\n");
//! client.write_all(b"SHUTDOWN NOSAVE\r\n").unwrap();
//! assert_eq!(server.join().unwrap(), 0);
//! ```

mod accept;
mod clock;
mod connect;
mod crash;
mod daemon;
mod direct;
mod disk;
mod fatal;
mod files;
mod host;
mod listen;
mod log_file;
mod logger;
mod placement;
mod report;
mod restart;
mod signals;
mod socket;
mod title;
mod tls;
mod turn;
mod write;

use crate::{
    commands::CommandId,
    config::{Config, DirectiveId},
    engine::{Engine, Fill, Randomness},
    state::{Action, ConnId},
};
use disk::Disk;
use listen::Listeners;
use mio::{Events, Poll, Token, Waker};
use slab::Slab;
use socket::Socket;
use std::{
    cell::RefCell,
    collections::VecDeque,
    io::{self, ErrorKind},
    rc::Rc,
    time::Duration,
};

pub use crash::watch as watch_crashes;
pub use daemon::{Notifier, RESERVED_DESCRIPTORS, daemonize, local_time, move_environment, raise_descriptor_limit};
pub use fatal::ignore_broken_writes;
pub use host::RealHost;
pub use logger::init as init_logger;
pub use placement::disable_huge_pages;
pub use report::look_up_build_id;
pub use restart::remember_invocation;
pub use tls::check as check_tls;
#[cfg(fuzzing)]
pub use tls::drive as drive_tls;

/// Bytes read from a client in one go; what is left waits for the next turn. Some four hundred short commands: a quarter of a millisecond.
const READ_BYTES: usize = 24 * 1024;
/// How long a turn goes on reading from clients that have sent something; the others keep their places for the next one.
const READ_NANOS: u64 = 300_000;
/// Events taken from one poll.
const EVENTS: usize = 1024;
/// For so many milliseconds of a load at start nobody is let in: a small file is loaded before anybody could be told of it.
const QUIET_MS: u64 = 250;
/// Tokens from here on are not clients.
const TOKEN_SIGNAL: Token = Token(usize::MAX - 1);
const TOKEN_DISK: Token = Token(usize::MAX - 2);

struct Conn {
    socket: Socket,
    /// It is in the ready queue: there may be something to read.
    ready: bool,
    /// The other end has closed, or half closed: read on until the end.
    ending: bool,
    /// It is encrypted.
    tls: Option<Box<tls::Session>>,
    /// The handshake of that is not over.
    shaking: Option<Box<tls::Shaking>>,
}

impl Conn {
    fn new(socket: Socket) -> Self {
        Self { socket, ready: false, ending: false, tls: None, shaking: None }
    }

    /// Whether it has ciphertext that its socket has not taken.
    #[inline]
    fn has_unsent(&self) -> bool {
        self.tls.as_ref().is_some_and(|session| session.has_unsent())
    }
}

/// The loop and its sockets.
pub struct Reactor {
    poll: Poll,
    conns: Slab<Conn>,
    listeners: Rc<RefCell<Listeners>>,
    knocking: accept::Knocking,
    disk: Rc<RefCell<Disk>>,
    engine: Engine,
    /// Clients that may have more to read.
    ready: VecDeque<usize>,
    buf: Box<[u8]>,
    /// Room for plaintext, empty between reads.
    plain: Vec<u8>,
    tls: Rc<RefCell<tls::Tls>>,
    handshakes: tls::Handshakes,
    signals: signals::Signals,
    notifier: Notifier,
    /// Connections that we are making.
    attempts: Vec<connect::Attempt>,
    /// Monotonic milliseconds at the start.
    started_ms: u64,
    /// Whether we have said that we are ready.
    is_ready: bool,
}

impl Reactor {
    /// Binds the listeners and gets ready to serve. An error says in one line what is wrong and with which address.
    pub fn new(config: Config, config_file: Option<String>, notifier: Notifier) -> Result<Self, String> {
        let text = |what: &str, e: io::Error| format!("{what}: {e}");
        let poll = Poll::new().map_err(|e| text("Can't create the poll", e))?;
        let registry = poll.registry().try_clone().map_err(|e| text("Can't clone the poll's registry", e))?;
        let signals = signals::Signals::new(poll.registry(), TOKEN_SIGNAL).map_err(|e| text("Can't watch for signals", e))?;
        let mut tls = tls::Tls::default();
        tls.configure(&config).map_err(|_| "Failed to configure TLS. Check logs for more info.".to_owned())?;
        let tls = Rc::new(RefCell::new(tls));
        let mut listeners = Listeners::new(registry);
        listeners.open(&config)?;
        if listeners.is_empty() {
            return Err("Configured to not listen anywhere, exiting.".to_owned());
        }
        let listeners = Rc::new(RefCell::new(listeners));
        let waker = Waker::new(poll.registry(), TOKEN_DISK).map_err(|e| text("Can't make the poll's waker", e))?;
        let disk = start_disk(&config, waker).map_err(|e| text("Can't start the disk threads", e))?;
        let disk = Rc::new(RefCell::new(disk));
        let file = config_file.unwrap_or_default();
        let shared = host::Shared { listeners: Rc::clone(&listeners), disk: Rc::clone(&disk), tls: Rc::clone(&tls) };
        let mut host = RealHost::new(file, shared, signals.urgency(), notifier.is_supervised());
        let config = host.raise_file_limit(config)?;
        host.show_title(&config);
        let random = Randomness { hash: daemon::random_u64(), choices: daemon::random_u64() };
        let mut engine = Engine::new(config, Box::new(host), random);
        engine.load_users().map_err(|reason| format!("Aborting Redis startup because of ACL errors: {reason}"))?;
        fatal::name_commands((0..engine.registry().len()).map(|id| engine.registry().full_name(id as CommandId).to_owned()).collect());
        let mut reactor = Self {
            poll,
            conns: Slab::new(),
            listeners,
            knocking: accept::Knocking::default(),
            disk,
            engine,
            ready: VecDeque::new(),
            buf: vec![0; READ_BYTES].into_boxed_slice(),
            plain: Vec::new(),
            tls,
            handshakes: tls::Handshakes::default(),
            signals,
            notifier,
            attempts: Vec::new(),
            started_ms: 0,
            is_ready: false,
        };
        let server = &mut reactor.engine.server;
        // What cannot be set the log tells.
        let _ = server.host.apply(&server.config, DirectiveId::oom_score_adj);
        server.startup_memory = server.host.used_memory();
        reactor.started_ms = server.mono_ms;
        reactor.engine.load_from_disk();
        Ok(reactor)
    }

    /// Whether nobody is let in yet.
    fn is_loading_quietly(&self) -> bool {
        let server = &self.engine.server;
        server.loading.is_some() && server.mono_ms.saturating_sub(self.started_ms) < QUIET_MS
    }

    /// The engine that this loop drives.
    pub fn engine(&mut self) -> &mut Engine {
        &mut self.engine
    }

    /// Serves until told to stop; returns the exit code.
    pub fn run(&mut self) -> i32 {
        let mut events = Events::with_capacity(EVENTS);
        let mut clock = turn::TurnClock::new(self.engine.server.host.cpu_nanos());
        let mut ended = self.engine.server.host.nanos();
        loop {
            if let Some(code) = self.act() {
                self.shut_down(code);
                return code;
            }
            if !self.is_ready && self.engine.server.loading.is_none() {
                self.is_ready = true;
                self.notifier.ready();
                self.listeners.borrow().kinds().for_each(|kind| log::info!("Ready to accept connections {kind}"));
            }
            let admits_in_ms = self.knocking.wait_ms(self.engine.server.mono_ms).filter(|_| !self.is_loading_quietly()).unwrap_or(u64::MAX);
            let is_idle = self.ready.is_empty() && !self.engine.has_dirty();
            let shakes_in_ms = self.handshakes.wait_ms(self.engine.server.mono_ms).unwrap_or(u64::MAX);
            let mut sleep_ms = if is_idle { self.engine.sleep_ms().min(admits_in_ms).min(shakes_in_ms) } else { 0 };
            if sleep_ms > 0
                && let Some(nanos) = self.engine.short_sleep_nanos()
            {
                clock::wait_readable(&self.poll, nanos);
                sleep_ms = 0;
            }
            if let Err(error) = self.poll.poll(&mut events, Some(Duration::from_millis(sleep_ms)))
                && error.kind() != ErrorKind::Interrupted
            {
                log::error!("poll: {error}");
                return 1;
            }
            self.engine.begin_turn();
            let started = self.engine.server.host.nanos();
            clock.turn_begins(started.saturating_sub(ended), || self.engine.server.host.cpu_nanos());
            for event in &events {
                match event.token() {
                    TOKEN_SIGNAL => self.signals.handle(&mut self.engine),
                    TOKEN_DISK => self.hear_disk(),
                    Token(token) if token >= listen::TOKEN_LISTENER => self.knocking.add(token - listen::TOKEN_LISTENER),
                    Token(conn) => {
                        if !self.attempts.is_empty() {
                            self.dialed(conn);
                        }
                        if event.is_readable() || event.is_read_closed() || event.is_error() {
                            self.make_ready(conn);
                        }
                        if event.is_read_closed()
                            && let Some(c) = self.conns.get_mut(conn)
                        {
                            c.ending = true;
                        }
                        if event.is_writable() {
                            self.writable(conn);
                        }
                    }
                }
            }
            self.read_ready();
            if self.handshakes.wait_ms(self.engine.server.mono_ms) == Some(0) {
                self.shake_hands();
            }
            // Behind the reads: who has just left makes room for who comes.
            if !self.is_loading_quietly() {
                self.accept_knocking();
            }
            self.engine.finish_turn();
            logger::note_role(self.engine.server.replication.upstream.is_some());
            let server = &self.engine.server;
            self.signals.note_shutdown(server.shutdown.is_some() || server.shutdown_asked.is_some());
            self.start_disk_jobs();
            self.write_dirty();
            if !self.attempts.is_empty() {
                self.poll_resolvers();
            }
            if self.engine.server.config.tls_auto_reload_interval != 0 {
                self.tls.borrow_mut().look_at_files(&self.engine.server.config, self.engine.server.mono_ms);
            }
            let server = &mut self.engine.server;
            ended = server.host.nanos();
            let elapsed = ended.saturating_sub(started);
            server.stats.turns.add(clock.turn_ended(elapsed, || server.host.cpu_nanos()));
            self.notifier.alive(self.engine.server.mono_ms);
        }
    }

    /// Does what the engine asks for; an exit code when that is the end.
    fn act(&mut self) -> Option<i32> {
        while let Some(action) = self.engine.take_action() {
            match action {
                Action::Exit(code) => return Some(code),
                Action::Disk(job) => self.disk.borrow_mut().send(job),
                Action::Connect { link, host, port, source, purpose } => self.connect(link, host, port, source, purpose),
                Action::CancelConnect { link } => self.cancel_connect(link),
                Action::Read(conn) => self.make_ready(conn.0 as usize),
            }
        }
        None
    }

    /// Hands the disk what it is asked for first: it works while replies are written.
    fn start_disk_jobs(&mut self) {
        while let Some(job) = self.engine.take_disk_job() {
            self.disk.borrow_mut().send(job);
        }
    }

    /// Hands the engine what the disk has answered.
    fn hear_disk(&mut self) {
        loop {
            let Some(done) = self.disk.borrow_mut().take_done() else { break };
            self.engine.disk_done(done);
        }
        // Who waits for a sync of the log waits for the one before it, and not for this turn too.
        self.start_disk_jobs();
    }

    fn shut_down(&mut self, code: i32) {
        self.notifier.stopping();
        // What clients are still owed, as far as their sockets take it without waiting.
        for conn in self.conns.iter().map(|(key, _)| key).collect::<Vec<_>>() {
            self.write(conn, write::CLIENT_BYTES);
        }
        // Where something has failed the last line of the log says what.
        self.listeners.borrow_mut().close(code == 0);
        if code == 0 {
            log::warn!("Redis is now ready to exit, bye bye...");
        }
    }

    /// Reads from clients that have sent something, in the order in which they did, until the turn is long enough.
    fn read_ready(&mut self) {
        let started = self.engine.server.host.nanos();
        // Who fills the buffer joins the queue again, behind this turn's.
        for _ in 0..self.ready.len() {
            let Some(key) = self.ready.pop_front() else { return };
            if let Some(conn) = self.conns.get_mut(key) {
                conn.ready = false;
                self.read(key);
            }
            if self.engine.server.host.nanos().saturating_sub(started) > READ_NANOS {
                return;
            }
        }
    }

    /// A socket takes more.
    fn writable(&mut self, key: usize) {
        let id = ConnId(key as u32);
        let Some(conn) = self.conns.get(key) else { return };
        if conn.shaking.is_some() {
            self.make_ready(key);
        } else if self.engine.has_output(id) || conn.has_unsent() {
            self.engine.server.mark_dirty(id);
        }
    }

    /// Reads once from a client, and hands over what came.
    fn read(&mut self, key: usize) {
        let Some(conn) = self.conns.get_mut(key) else { return };
        if conn.tls.is_some() {
            return self.read_secure(key);
        }
        let id = ConnId(key as u32);
        if !self.engine.wants_input(id) {
            if conn.ending && self.engine.ends_unread(id) {
                self.close(key);
            }
            return;
        }
        let (result, room) = match self.engine.fill_target(id) {
            Fill::Shared => (conn.socket.read(&mut self.buf), self.buf.len()),
            Fill::Own(target) => {
                let room = target.len();
                let result = conn.socket.read(target);
                if let Ok(n) = result
                    && n > 0
                {
                    let again = n == room || conn.ending;
                    self.engine.filled(id, n);
                    if again {
                        self.make_ready(key);
                    }
                    return;
                }
                (result, room)
            }
        };
        match result {
            Ok(0) => self.close(key),
            Ok(n) => {
                // No edge will tell of the end that lies behind these bytes, if its edge has come already.
                let again = n == room || conn.ending;
                self.engine.receive(id, &self.buf[..n]);
                if again {
                    self.make_ready(key);
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => (),
            Err(error) if error.kind() == ErrorKind::Interrupted => self.make_ready(key),
            Err(error) => {
                log::debug!("Reading from client: {error}");
                self.close(key);
            }
        }
    }

    /// Puts a client in the ready queue, behind everybody else.
    fn make_ready(&mut self, key: usize) {
        if let Some(conn) = self.conns.get_mut(key)
            && !conn.ready
        {
            conn.ready = true;
            match conn.shaking {
                None => self.ready.push_back(key),
                Some(_) => self.handshakes.ready.push_back(key),
            }
        }
    }

    fn close(&mut self, key: usize) {
        if let Some(mut conn) = self.conns.try_remove(key) {
            if conn.shaking.as_ref().is_some_and(|shaking| !shaking.is_link) {
                self.handshakes.incoming -= 1;
            }
            if let Some(session) = &mut conn.tls {
                session.say_goodbye(&mut conn.socket);
            }
            let _ = self.poll.registry().deregister(&mut conn.socket);
            self.engine.disconnect(ConnId(key as u32));
        }
    }
}

/// Starts the disk's threads on their processors, and leaves this one on its own.
fn start_disk(config: &Config, waker: Waker) -> io::Result<Disk> {
    let all = placement::Processors::current();
    // A thread begins where the one runs that starts it.
    placement::pin("bio_cpulist", config.bio_cpulist.as_deref());
    let disk = Disk::start(waker);
    if let Ok(all) = all {
        let _ = all.take();
    }
    placement::pin("server_cpulist", config.server_cpulist.as_deref());
    if config.disable_thp {
        placement::disable_huge_pages();
    }
    disk
}
