//! What happens to the servers: saves, replicas that come, follow and are killed, kills of the primary, changes of the configuration.

use crate::{
    commands::DIRECTIVES,
    common::{Conn, PATIENCE, Server, Value, wait_until},
    data,
    stage::Stage,
    watch::{self, Info, Watch, Weight},
};
use solod::data::rng::Rng;
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

/// Replicas beside each other.
const REPLICAS_MAX: usize = 3;
/// In how many parts a half is cut; behind each, primary and replicas must agree.
const PARTS: u32 = 3;

/// How long digests differ until keys are looked at.
const LOOK: Duration = Duration::from_secs(15);

struct Replica {
    server: Server,
    /// Stopped by a signal until then.
    stopped_until: Option<Instant>,
}

pub struct Conductor<'a> {
    stage: &'a Stage,
    rng: Rng,
    primary: Server,
    replicas: Vec<Replica>,
    settings: Vec<String>,
    pub watch: Watch,
    /// What happened, and how often.
    pub events: std::collections::BTreeMap<&'static str, u64>,
}

impl<'a> Conductor<'a> {
    pub fn new(stage: &'a Stage, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut settings: Vec<String> = ["--enable-debug-command", "yes", "--shutdown-timeout", "1"].map(str::to_owned).into();
        // Clients that never read are thrown out.
        settings.extend(["--client-output-buffer-limit", "normal 8mb 4mb 2 pubsub 8mb 4mb 2"].map(str::to_owned));
        settings.extend(["--client-query-buffer-limit", "16mb"].map(str::to_owned));
        // The slow log tells which command a long turn is due to.
        settings.extend(["--slowlog-log-slower-than", "5000", "--slowlog-max-len", "10000"].map(str::to_owned));
        // The same for the whole run: what they do to a value is not undone when they change.
        for (name, values) in [
            ("--list-max-listpack-size", ["-2", "8"]),
            ("--list-compress-depth", ["0", "1"]),
            ("--hash-max-listpack-entries", ["128", "16"]),
            ("--set-max-listpack-entries", ["128", "16"]),
            ("--set-max-intset-entries", ["512", "16"]),
            ("--zset-max-listpack-entries", ["128", "16"]),
        ] {
            settings.extend([name.to_owned(), values[rng.below(2) as usize].to_owned()]);
        }
        let primary = Server::start(&settings.iter().map(String::as_str).collect::<Vec<_>>());
        stage.set_addresses(vec![primary.address()]);
        Self { stage, rng, primary, replicas: Vec::new(), settings, watch: Watch::default(), events: Default::default() }
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.rng.below(n) == 0
    }

    fn count(&mut self, event: &'static str) {
        *self.events.entry(event).or_default() += 1;
    }

    fn tell(&self, line: &str) {
        if watch::ask(self.primary.address(), line, PATIENCE).is_none() {
            self.stage.fault(format!("no answer to {line}"));
        }
    }

    /// Half of a run. In its last third nothing empties the database, so that there is something to weigh.
    pub fn half(&mut self, length: Duration, may_kill_primary: bool) {
        let started = Instant::now();
        for part in 1..=PARTS {
            let until = started + length * part / PARTS;
            while Instant::now() < until && !self.stage.is_stopped() {
                self.step(may_kill_primary && part < PARTS, part < PARTS);
            }
            if self.stage.is_stopped() {
                return;
            }
            if part < PARTS {
                self.resume_replicas();
                let stage = self.stage;
                let _silence = stage.silence();
                self.agree();
            }
        }
    }

    fn step(&mut self, may_kill_primary: bool, may_flush: bool) {
        match self.rng.below(22) {
            0..=4 => {
                self.tell("BGSAVE");
                self.count("saves");
            }
            5..=8 if self.replicas.len() < REPLICAS_MAX => self.add_replica(),
            9 | 10 if !self.replicas.is_empty() => {
                let index = self.rng.below(self.replicas.len() as u64) as usize;
                self.replicas.swap_remove(index).server.kill9();
                self.count("replicas killed");
            }
            11 if !self.replicas.is_empty() => {
                let index = self.rng.below(self.replicas.len() as u64) as usize;
                let pause = Duration::from_millis(self.rng.below(1500));
                self.replicas[index].server.signal("STOP");
                self.replicas[index].stopped_until = Some(Instant::now() + pause);
                self.count("replicas stopped for a while");
            }
            12 if may_flush && self.one_in(2) => {
                let how = ["", " ASYNC", " SYNC"][self.rng.below(3) as usize];
                self.tell(&format!("FLUSHALL{how}"));
                self.count("flushes");
            }
            13 if may_kill_primary => self.kill_primary(),
            14..=17 => {
                let (name, values) = DIRECTIVES[self.rng.below(DIRECTIVES.len() as u64) as usize];
                let value = values[self.rng.below(values.len() as u64) as usize];
                self.tell(&format!("CONFIG SET {name} \"{value}\""));
                self.count("directives set");
            }
            18 | 19 => {
                // An error where no log is kept at the moment and a save is under way, and where a rewrite is.
                self.tell("BGREWRITEAOF");
                self.count("rewrites asked for");
            }
            _ => (),
        }
        self.set_addresses();
        self.watch.look(self.primary.address());
        self.look_for_the_dead();
        std::thread::sleep(Duration::from_millis(50 + self.rng.below(400)));
        for replica in &mut self.replicas {
            if replica.stopped_until.is_some_and(|until| until < Instant::now()) {
                replica.server.signal("CONT");
                replica.stopped_until = None;
            }
        }
    }

    /// Nobody gets an answer from a replica that is stopped: clients whose turn it is would wait for it while everybody waits for them.
    fn resume_replicas(&mut self) {
        for replica in &mut self.replicas {
            if replica.stopped_until.take().is_some() {
                replica.server.signal("CONT");
            }
        }
    }

    /// Clients may talk to all that run.
    fn set_addresses(&self) {
        let running = self.replicas.iter().filter(|replica| replica.stopped_until.is_none());
        let addresses = std::iter::once(self.primary.address()).chain(running.map(|replica| replica.server.address()));
        self.stage.set_addresses(addresses.collect());
    }

    fn add_replica(&mut self) {
        // Of the primary, or of another replica.
        let upstream = match self.rng.below(4) as usize {
            n @ 1.. if n <= self.replicas.len() && self.replicas[n - 1].stopped_until.is_none() => self.replicas[n - 1].server.port,
            _ => self.primary.port,
        };
        let loads = ["disabled", "on-empty-db", "swapdb"][self.rng.below(3) as usize];
        let upstream = upstream.to_string();
        let mut settings: Vec<&str> = self.settings.iter().map(String::as_str).collect();
        settings.extend(["--repl-diskless-load", loads, "--replicaof", "127.0.0.1", &upstream]);
        self.replicas.push(Replica { server: Server::start(&settings), stopped_until: None });
        self.count("replicas started");
    }

    /// Ends the primary as a power cut would, perhaps in the middle of a save, and starts it from its last file.
    fn kill_primary(&mut self) {
        if self.one_in(2) {
            self.tell("BGSAVE");
            std::thread::sleep(Duration::from_millis(self.rng.below(200)));
        }
        self.look_for_the_dead();
        self.primary.kill9();
        self.primary.restart();
        self.count("primary killed");
    }

    fn look_for_the_dead(&mut self) {
        let servers = std::iter::once(&mut self.primary).chain(self.replicas.iter_mut().map(|replica| &mut replica.server));
        for server in servers {
            let log = server.log();
            if !server.running() || log.contains("BUG REPORT") || log.contains("panicked at") || log.contains("Sanitizer") {
                let tail: Vec<_> = log.lines().rev().take(60).collect();
                let tail = tail.into_iter().rev().collect::<Vec<_>>().join("\n");
                self.stage.fault(format!("server {} has ended or crashed:\n{tail}", server.port));
            }
        }
    }

    /// Waits until the replicas have all that the primary has, while nobody writes, and compares what it is.
    fn agree(&mut self) {
        self.watch.look(self.primary.address());
        self.compare();
        // DEBUG DIGEST looks at all data in one turn.
        for line in ["CONFIG RESETSTAT", "SLOWLOG RESET"] {
            self.tell(line);
        }
    }

    fn compare(&mut self) {
        for kind in ["normal", "pubsub"] {
            self.tell(&format!("CLIENT KILL TYPE {kind}"));
        }
        self.resume_replicas();
        // Whoever followed a replica that is gone follows the primary.
        let live: Vec<_> = self.replicas.iter().map(|replica| replica.server.port).collect();
        for replica in &self.replicas {
            let upstream = Info::of(replica.server.address()).map_or(0, |info| info.number("master_port") as u16);
            if upstream != self.primary.port && !live.contains(&upstream) {
                watch::ask(replica.server.address(), &format!("REPLICAOF 127.0.0.1 {}", self.primary.port), PATIENCE);
            }
        }
        for replica in &self.replicas {
            let address = replica.server.address();
            if let Some(what) = self.difference(address) {
                self.stage.fault(format!("replica {} differs from the primary, {}: {what}", address.port(), self.primary.port));
            }
        }
        self.look_for_the_dead();
        self.count("comparisons of all replicas");
    }

    /// What is not the same in another server, once it has had the time to catch up and to delete what has expired.
    fn difference(&self, address: SocketAddr) -> Option<String> {
        let digest = |address| watch::ask(address, "DEBUG DIGEST", PATIENCE);
        let (mut until, end) = (Instant::now() + 3 * PATIENCE, Instant::now() + 30 * PATIENCE);
        // Digests may differ where the data do not, by the sign of a score of zero: keys are looked at one by one when it takes long.
        let mut look_at = Instant::now() + LOOK;
        loop {
            // Loading takes as long as the machine takes.
            if is_catching_up(address) && Instant::now() < end {
                until = Instant::now() + 3 * PATIENCE;
                look_at = Instant::now() + LOOK;
                std::thread::sleep(Duration::from_millis(300));
                continue;
            }
            let (ours, theirs) = (digest(self.primary.address()), digest(address));
            if ours.is_some() && ours == theirs {
                return None;
            }
            if Instant::now() > look_at || Instant::now() > until {
                let different = self.different_keys(address);
                if different.is_empty() || Instant::now() > until {
                    return (!different.is_empty()).then(|| different.join("\n"));
                }
                look_at = Instant::now() + LOOK;
            }
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// Some of the keys that are not the same in another server, and in what.
    fn different_keys(&self, address: SocketAddr) -> Vec<String> {
        let mut conns = [self.primary.connect(), Conn::tcp(address)];
        let mut different = Vec::new();
        for db in 0..16 {
            let mut keys = Vec::new();
            for conn in &mut conns {
                conn.run(&format!("SELECT {db}"));
                keys.extend(conn.run("KEYS *").items());
            }
            for key in keys {
                let Value::Bulk(key) = key else { continue };
                let [ours, theirs] = conns.each_mut().map(|conn| conn.cmd(&[b"DEBUG", &b"DIGEST-VALUE"[..], &key]));
                if ours != theirs {
                    let [ours, theirs] = conns.each_mut().map(|conn| data::elements(conn, &key, data::With::Another));
                    let (primary, other) = data::differences(&ours, &theirs);
                    if !primary.is_empty() || !other.is_empty() {
                        different.push(format!("db {db} {}: {primary:?} in the primary, {other:?} in the other", key.escape_ascii()));
                    }
                }
                if different.len() == 10 {
                    return different;
                }
            }
        }
        different
    }

    /// With nobody writing: replicas agree, what is saved is what is there, and it takes what it takes in a fresh server.
    pub fn weigh(&mut self) -> Weight {
        self.resume_replicas();
        let stage = self.stage;
        let _silence = stage.silence();
        self.agree();
        let weight = self.weigh_in_silence();
        self.tell("CONFIG RESETSTAT");
        self.tell("SLOWLOG RESET");
        weight
    }

    fn weigh_in_silence(&mut self) -> Weight {
        // A rewrite of the log, which may begin by itself, is in its way.
        wait_until(|| self.primary.ask("BGSAVE") == *"Background saving started");
        wait_until(|| self.primary.info("rdb_bgsave_in_progress") == "0");
        assert_eq!(self.primary.info("rdb_last_bgsave_status"), "ok");
        let dir = tempfile::tempdir().unwrap();
        std::fs::copy(self.primary.dir.join("dump.rdb"), dir.path().join("dump.rdb")).unwrap();
        let mut settings: Vec<&str> = self.settings.iter().map(String::as_str).collect();
        settings.extend(["--dir", dir.path().to_str().unwrap()]);
        let fresh = Server::start(&settings);
        if let Some(what) = self.difference(fresh.address()) {
            self.stage.fault(format!("the file that was saved holds something else: {what}"));
        }
        if let Some(what) = self.different_in_log() {
            self.stage.fault(format!("the append-only file holds something else: {what}"));
        }
        let spare = watch::spare_bytes(&mut self.primary.connect());
        Weight { lived: watch::dataset_bytes(&self.primary), fresh: watch::dataset_bytes(&fresh), spare }
    }
}

/// Its append-only file.
impl Conductor<'_> {
    /// What is not the same in a server that has loaded a copy of the primary's append-only file, rewritten in silence.
    fn different_in_log(&mut self) -> Option<String> {
        self.tell("CONFIG SET appendonly yes");
        let busy = |name: &str| self.primary.info(name) != "0";
        let settled = || !busy("aof_rewrite_in_progress") && !busy("aof_rewrite_scheduled");
        wait_until(settled);
        self.tell("BGREWRITEAOF");
        wait_until(settled);
        assert_eq!(self.primary.info("aof_last_bgrewrite_status"), "ok");
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (self.primary.dir.join("appendonlydir"), dir.path().join("appendonlydir"));
        std::fs::create_dir(&to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
        let mut settings: Vec<&str> = self.settings.iter().map(String::as_str).collect();
        settings.extend(["--appendonly", "yes", "--dir", dir.path().to_str().unwrap()]);
        let fresh = Server::start(&settings);
        let different = self.difference(fresh.address());
        self.count("append-only files loaded");
        different
    }
}

/// Whether a replica has still to get or to load what its primary has. One that does not answer is not told from one that is busy loading.
fn is_catching_up(address: SocketAddr) -> bool {
    Info::of(address).is_none_or(|info| info.number("loading") != 0.0 || info.text("master_link_status") == "down")
}
