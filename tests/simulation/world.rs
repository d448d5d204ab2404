//! Events in their order: what arrives, who wakes up, what breaks.

use super::{
    checkers::{self, History},
    clients::Client,
    disk::Disk,
    host::Clock,
    log,
    model::{Expect, Model, State, shown},
    net::{End, Link, LinkId, Packet},
    node::{Node, Save, Slow},
    plan::{Plan, address},
    planted::Planted,
    scripted::Loaded,
    scripts::libraries_of,
    timeline::Timeline,
    trace::{self, trace},
    trouble::Trouble,
    workload::{DATABASES, Scripts, Workload},
};
use solod::{
    data::rng::Rng,
    engine::Fill,
    state::{
        Action, ConnId,
        client::Blocked,
        disk::{Done, Lane},
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

pub const MS: u64 = 1_000_000;
/// What arrives within this time may be read in one turn.
const TURN_NS: u64 = 100_000;
/// What a node reads from a connection in one go, as the reactor does.
const READ_BYTES: usize = 24 * 1024;
/// Turns between two looks at everything.
const LOOK_TURNS: u64 = 250;
/// How often it is looked whether the first node has begun, before the load comes in any case.
const START_LOOKS: usize = 20;
/// How long everybody has to get in step once nothing breaks any more. A rewrite that has failed three times is tried again after a minute.
const CALM_NS: u64 = 150_000 * MS;

/// What the clients of a run use beside plain commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uses {
    Nothing,
    Scripts,
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A packet is there, sent from this end of the connection.
    Arrival(LinkId, usize),
    /// There is room again for what this end has to send.
    Writable(LinkId, usize),
    /// A node wanted a turn at this moment.
    Wake(usize),
    /// A lane of a node's disk, in this one of its lives, is done with a job.
    Disk(usize, u64, Lane),
    /// A node reaches another one, or does not: node, life, its name for the attempt, the other one.
    Dial(usize, u64, u64, usize),
    /// A client does something.
    Act(usize),
    /// Somebody looks after who is to follow whom.
    Tend,
    /// A node that is down is started.
    Restart(usize),
    Fault,
    /// Something happens to a node's disk, or to what it keeps there.
    Trouble,
    /// A node's disk is as good as new.
    Mend(usize),
}

/// A write that was confirmed.
pub struct Kept {
    pub value: Vec<u8>,
    /// Nodes that must have it.
    pub holders: BTreeSet<usize>,
}

/// Everything there is.
pub struct World {
    pub plan: Plan,
    pub rng: Rng,
    pub clock: Rc<Clock>,
    /// By time and order.
    events: BTreeMap<(u64, u64), Event>,
    pub serial: u64,
    pub nodes: Vec<Node>,
    pub links: BTreeMap<LinkId, Link>,
    pub clients: Vec<Client>,
    /// Clients that have left while requests of theirs were on their way.
    pub gone: BTreeMap<LinkId, Client>,
    pub workload: Workload,
    /// The node that should be the primary.
    pub primary: usize,
    /// No more faults and no more requests: what is on its way comes to an end.
    pub calm: bool,
    turns: u64,
    pub history: History,
    /// Confirmed writes by their keys.
    pub ledger: BTreeMap<Vec<u8>, Kept>,
}

impl World {
    /// A world at its beginning.
    pub fn new(seed: u64, planted: Option<Planted>, uses: Uses) -> Self {
        let mut rng = Rng::new(seed);
        let plan = Plan::new(&mut rng);
        let plan = planted.map_or_else(|| plan.clone(), |planted| plan.clone().brings_out(planted));
        let mut workload = Workload::new(&mut rng);
        // Choices of their own, so that a run without is what it always was.
        let mut apart = Rng::new(seed.rotate_left(32) ^ 0x5eed);
        // What is found then is found by a script.
        workload.transactions = planted != Some(Planted::ScriptInPieces);
        if uses == Uses::Scripts {
            workload.scripts = Some(Scripts::new(&mut apart));
        }
        let mut nodes = Vec::new();
        for node in 0..plan.nodes {
            let mut config = plan.config(&mut rng);
            if uses == Uses::Scripts {
                plan.adapt(&mut config, &mut apart);
            }
            config.replicaof = (node > 0).then(|| address(0));
            let skew_us = rng.below(400_000) as i64 - 200_000;
            let disk = Disk::new(Rng::new(rng.next_u64()), plan.disk_ns, plan.disk_error_one_in);
            let mut node = Node::new(config, skew_us, disk);
            node.disk.borrow_mut().planted = planted;
            node.timeline = plan.appends.map(|_| Timeline::new());
            nodes.push(node);
        }
        let passed_over = if workload.collections_percent > 0 { 15 } else { 0 };
        trace!("{plan:?}");
        trace!("{workload:?}");
        Self {
            rng,
            clock: Clock::new(plan.look_ns),
            events: BTreeMap::new(),
            serial: 0,
            nodes,
            links: BTreeMap::new(),
            gone: BTreeMap::new(),
            clients: (0..plan.clients).map(|i| Client::of(&plan, i)).collect(),
            workload,
            primary: 0,
            calm: false,
            turns: 0,
            history: History::new(passed_over),
            ledger: BTreeMap::new(),
            plan,
        }
    }

    /// Runs to the end. Panics when something does not hold.
    pub fn run(mut self) {
        for node in 0..self.nodes.len() {
            self.start(node);
        }
        for _ in 0..START_LOOKS {
            self.run_until(self.clock.now() + 10 * MS + self.plan.disk_ns * 4);
            if self.nodes[0].is_plain_primary() {
                break;
            }
        }
        self.connect(0);
        for request in self.workload.fill(&mut self.rng) {
            self.clients[0].ask(request);
        }
        self.flush_client(0);
        for client in 0..self.clients.len() {
            let delay = self.rng.below(30 * MS);
            self.at(delay, Event::Act(client));
        }
        if let Some(every) = self.plan.fault_every_ns {
            self.at(every, Event::Fault);
        }
        if let Some(every) = self.plan.trouble_every_ns
            && self.plan.appends.is_some()
        {
            self.at(every, Event::Trouble);
        }
        self.at(MS, Event::Tend);
        self.run_until(self.clock.now() + self.plan.load_ns);
        trace!("{} calm", self.stamp());
        self.calm = true;
        self.links.values_mut().for_each(Link::heal);
        for node in &mut self.nodes {
            node.alone_until_ns = 0;
            node.disk.borrow_mut().trouble = Trouble::default();
        }
        let end = self.clock.now() + CALM_NS;
        while let Some(why) = self.unsettled() {
            if self.clock.now() > end {
                self.fail(&format!("after {} s of calm {why}", CALM_NS / 1000 / MS));
            }
            self.run_until(self.clock.now() + 200 * MS);
        }
        self.check_calm();
    }

    fn run_until(&mut self, end_ns: u64) {
        while let Some((&(at, _), _)) = self.events.first_key_value()
            && at <= end_ns
            && let Some((_, event)) = self.events.pop_first()
        {
            self.clock.advance_to(at);
            trace::sum((self.clock.now(), event));
            self.handle(event);
        }
        self.clock.advance_to(end_ns);
    }

    /// Something will happen in so many nanoseconds.
    pub fn at(&mut self, delay_ns: u64, event: Event) {
        self.at_moment(self.clock.now() + delay_ns, event);
    }

    pub fn at_moment(&mut self, moment_ns: u64, event: Event) {
        self.serial += 1;
        self.events.insert((moment_ns, self.serial), event);
    }

    pub fn stamp(&self) -> String {
        format!("{:>12.6}", self.clock.now() as f64 / 1e9)
    }

    /// Something does not hold.
    pub fn fail(&self, what: &str) -> ! {
        trace!("{} VIOLATION: {what}", self.stamp());
        panic!("{what}");
    }

    pub fn must<T>(&self, who: &str, result: Result<T, String>) -> T {
        match result {
            Ok(value) => value,
            Err(what) => self.fail(&format!("{who}: {what}")),
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Arrival(link, from) => match self.links.get(&link).map(|l| l.ends[1 - from]) {
                None => (),
                Some(End::Client(client)) => self.client_hears(client, link, from),
                Some(End::Node(node, _)) => {
                    self.begin_turn(node);
                    self.take_in(node, link, from);
                    self.take_in_more(node);
                    self.end_turn(node);
                }
            },
            Event::Writable(link, end) => match self.links.get(&link).map(|l| l.ends[end]) {
                Some(End::Client(client)) => self.flush_client(client),
                Some(End::Node(node, conn)) if self.nodes[node].engine.is_some() => {
                    self.begin_turn(node);
                    if self.nodes[node].engine().has_output(conn) {
                        self.write(node, conn);
                    }
                    self.end_turn(node);
                }
                _ => (),
            },
            Event::Wake(node) => {
                let due = self.nodes[node].wake_at_ns <= self.clock.now();
                if due && self.nodes[node].engine.is_some() {
                    self.begin_turn(node);
                    self.end_turn(node);
                }
            }
            Event::Disk(node, life, lane) => self.disk_answers(node, life, lane),
            Event::Dial(node, life, attempt, other) => self.dial(node, life, attempt, other),
            Event::Act(client) => self.act(client),
            Event::Tend => self.tend(),
            Event::Restart(node) => self.start(node),
            Event::Fault => self.fault(),
            Event::Trouble => self.trouble(),
            Event::Mend(node) => self.mend(node),
        }
    }

    // Nodes.

    fn start(&mut self, node: usize) {
        if self.nodes[node].engine.is_some() {
            return;
        }
        trace!("{} n{node} starts", self.stamp());
        log::is_about(node);
        let random = self.rng.next_u64();
        let found = self.find_data(node);
        self.nodes[node].disk.borrow_mut().begin_life();
        self.nodes[node].loads = Some(State::of(found.keyspace()));
        self.nodes[node].start(&self.clock, random);
        let now = self.clock.now();
        let Node { engine, timeline, .. } = &mut self.nodes[node];
        if let (Some(engine), Some(timeline)) = (engine, timeline) {
            timeline.begin_life(engine, found, now);
        }
        self.begin_turn(node);
        self.end_turn(node);
    }

    pub fn begin_turn(&mut self, node: usize) {
        log::is_about(node);
        if let Some(engine) = &mut self.nodes[node].engine {
            engine.refresh_time();
        }
    }

    /// Reads from others that have sent something at about the same time, in the same turn.
    fn take_in_more(&mut self, node: usize) {
        while let Some((&key, &Event::Arrival(link, from))) = self.events.first_key_value()
            && key.0 <= self.clock.now() + TURN_NS
            && self.links.get(&link).is_some_and(|l| matches!(l.ends[1 - from], End::Node(n, _) if n == node))
            && self.rng.below(4) != 0
        {
            self.events.remove(&key);
            self.take_in(node, link, from);
        }
    }

    /// A packet has reached a node.
    fn take_in(&mut self, node: usize, id: LinkId, from: usize) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if let End::Node(_, conn) = link.ends[1 - from]
            && self.nodes[node].holds_input(conn)
        {
            link.ways[from].unread += 1;
            return;
        }
        let Some(packet) = link.arrive(from) else { return };
        if std::mem::take(&mut link.ways[from].choked) {
            self.at(0, Event::Writable(id, from));
        }
        let Some(link) = self.links.get(&id) else { return };
        let End::Node(_, conn) = link.ends[1 - from] else { return };
        if !link.open[1 - from] || self.nodes[node].engine.is_none() {
            return;
        }
        let sender = link.ends[from];
        match packet {
            Packet::End => {
                trace!("{} n{node} {conn:?} sees its end", self.stamp());
                self.close(node, conn);
            }
            Packet::Bytes(bytes) => {
                trace::sum(&bytes);
                if let End::Node(from, _) = sender {
                    self.learned_by_node(node, from, &bytes);
                    trace!("{} n{node} {conn:?} gets {}", self.stamp(), shown(&bytes));
                }
                for (i, piece) in bytes.chunks(READ_BYTES).enumerate() {
                    if !self.nodes[node].engine().wants_input(conn) {
                        if self.nodes[node].holds_input(conn)
                            && let Some(link) = self.links.get_mut(&id)
                        {
                            link.put_back(from, &bytes[i * READ_BYTES..]);
                        }
                        break;
                    }
                    let was_busy = self.nodes[node].is_busy();
                    let brings_slow = matches!(sender, End::Client(client) if self.waits_for_script(client));
                    self.stretch_time(brings_slow);
                    self.read(node, conn, piece);
                    self.stretch_time(false);
                    if let End::Client(client) = sender {
                        self.requests_arrive(node, conn, (client, id), piece.len(), was_busy);
                    }
                }
            }
        }
    }

    /// A node reads on from a connection that it had left alone.
    fn read_on(&mut self, node: usize, conn: ConnId) {
        let Some(&(id, end)) = self.nodes[node].conns.get(conn.0 as usize) else { return };
        let Some(link) = self.links.get_mut(&id) else { return };
        for _ in 0..std::mem::take(&mut link.ways[1 - end].unread) {
            self.at(0, Event::Arrival(id, 1 - end));
        }
    }

    /// Hands bytes over as the reactor does.
    fn read(&mut self, node: usize, conn: ConnId, mut bytes: &[u8]) {
        let engine = self.nodes[node].engine();
        while !bytes.is_empty() {
            match engine.fill_target(conn) {
                Fill::Shared => {
                    engine.receive(conn, bytes);
                    return;
                }
                Fill::Own(target) => {
                    let n = target.len().min(bytes.len());
                    target[..n].copy_from_slice(&bytes[..n]);
                    bytes = &bytes[n..];
                    engine.filled(conn, n);
                }
            }
        }
    }

    /// The engine has just been handed bytes of a client: the model does what they asked for.
    fn requests_arrive(&mut self, node: usize, conn: ConnId, (index, id): (usize, LinkId), bytes: usize, was_busy: bool) {
        let stamp = self.stamp();
        let plain = self.nodes[node].is_plain_primary();
        let is_busy = self.nodes[node].is_busy();
        let scripts = self.workload.scripts.clone();
        let Node { engine, model, .. } = &mut self.nodes[node];
        let Some(engine) = engine else { return };
        let client = match self.clients[index].link {
            Some(link) if link == id => &mut self.clients[index],
            _ => self.gone.entry(id).or_default(),
        };
        let now = engine.server.keyspace.now_ms;
        let (mut said, exact) = (0, client.exact && model.is_some() && plain);
        let (mut saved, mut slow) = (None, None);
        client.arrive(bytes, |session, words| {
            said += 1;
            if trace::keeps() {
                let line: Vec<_> = words.iter().map(|w| shown(w)).collect();
                trace!("{stamp} n{node} c{index} db{} {}", session.db, line.join(" "));
            }
            match model.as_mut().filter(|_| exact) {
                Some(_) if was_busy => session.busy(words),
                Some(_) if is_busy && scripts.as_ref().is_some_and(|scripts| scripts.catalogue.is_slow(words)) => {
                    slow = Some(Slow { link: id, words: words.clone(), session: session.clone(), at_ms: now, killed: false });
                    Expect::Any
                }
                Some(model) => {
                    if words[0] == b"BGSAVE" {
                        saved.get_or_insert_with(|| model.state.clone());
                    }
                    model.request(session, words, now)
                }
                None => Expect::Any,
            }
        });
        let waits = engine.server.clients.get(conn).is_some_and(|c| {
            // What lies behind a request of many bytes has to wait for the next turn.
            let is_left = c.pending.as_ref().is_some_and(|pending| pending.buf.len() as u64 > client.unfinished());
            c.blocked == Some(Blocked::Pause) || is_left
        });
        // What is refused changes nothing.
        if said > 0 && (waits || !exact && !was_busy) {
            // What was asked is done later, or nobody knows what it does: begin anew when that is over.
            client.exact = false;
            *model = None;
        }
        self.note_slow(node, slow);
        self.note_save(node, saved);
    }

    /// Takes note of a save that has begun, with what there was then.
    pub fn note_save(&mut self, node: usize, state: Option<State>) {
        let Node { engine, save, .. } = &mut self.nodes[node];
        let Some(engine) = engine else { return };
        let server = &engine.server;
        let Some(saving) = &server.persistence.saving else { return };
        if save.as_ref().is_none_or(|known| known.file != saving.snapshot.file) {
            let at_ms = server.keyspace.now_ms;
            *save = Some(Save { file: saving.snapshot.file, state: state.map(|s| s.live_at(at_ms)), at_ms });
        }
    }

    /// The disk has done something for a node.
    fn disk_answers(&mut self, node: usize, life: u64, lane: Lane) {
        if self.nodes[node].lives != life || self.nodes[node].engine.is_none() {
            return;
        }
        self.try_crash(node, lane);
        let (done, more) = self.nodes[node].disk.borrow_mut().answer(lane);
        if more {
            self.await_disk(node, lane);
        }
        let Some(done) = done else { return };
        if let Some(save) = self.nodes[node].save.take_if(|save| save.file == done.file && done.result == Ok(Done::Committed))
            && let Some(expected) = save.state
        {
            let file = self.nodes[node].disk.borrow().committed.last().cloned().unwrap_or_default();
            let found = self.must(&format!("n{node}'s file"), checkers::decode(&file, DATABASES as usize)).live_at(save.at_ms);
            if let Some(difference) = found.difference(&expected) {
                self.fail(&format!("n{node}: a file is not the state at its beginning (file | state): {difference}"));
            }
        }
        self.begin_turn(node);
        self.nodes[node].engine().disk_done(done);
        self.end_turn(node);
    }

    fn await_disk(&mut self, node: usize, lane: Lane) {
        let (delay, life) = (self.nodes[node].disk.borrow_mut().takes_ns(lane), self.nodes[node].lives);
        self.at(delay, Event::Disk(node, life, lane));
    }

    pub fn end_turn(&mut self, node: usize) {
        if self.nodes[node].engine.is_none() {
            return;
        }
        self.stretch_time(self.nodes[node].is_busy());
        self.nodes[node].engine().finish_turn();
        self.stretch_time(false);
        self.settle_script(node);
        self.follow_log(node);
        while let Some(conn) = self.nodes[node].engine().take_dirty() {
            self.write(node, conn);
        }
        let life = self.nodes[node].lives;
        while let Some(action) = self.nodes[node].engine().take_action() {
            match action {
                Action::Exit(0) => return self.exits(node),
                Action::Exit(_) if self.may_give_up(node) => return self.gives_up(node),
                Action::Exit(code) => self.fail(&format!("n{node} exits with {code}")),
                Action::Disk(job) => {
                    let lane = job.file().lane;
                    if self.nodes[node].disk.borrow_mut().ask(job) {
                        self.await_disk(node, lane);
                    }
                }
                Action::Connect { link, host, .. } => {
                    let delay = 50_000 + self.rng.below(2 * MS);
                    self.at(delay, Event::Dial(node, life, link, super::plan::node_at(&host)));
                }
                // An attempt that comes through all the same is one that nobody wants any more.
                Action::CancelConnect { .. } => (),
                Action::Read(conn) => self.read_on(node, conn),
            }
        }
        self.check_turn(node);
        let sleep_ms = self.nodes[node].engine().sleep_ms();
        let sleep_ns = if sleep_ms == 0 { self.rng.below(50_000) } else { sleep_ms * MS };
        let wake_at = self.clock.now() + sleep_ns;
        let now = self.clock.now();
        // An earlier wake-up that is still to come will do.
        let planned = self.nodes[node].wake_at_ns;
        if planned <= now || wake_at < planned {
            self.nodes[node].wake_at_ns = wake_at;
            self.at_moment(wake_at, Event::Wake(node));
        }
    }

    /// Writes to a connection what it is owed, as much as fits, and closes it when that was the last.
    fn write(&mut self, node: usize, conn: ConnId) {
        let Some(&(id, end)) = self.nodes[node].conns.get(conn.0 as usize) else { return };
        while let Some(link) = self.links.get_mut(&id) {
            let engine = self.nodes[node].engine.as_mut().expect("a node that writes is up");
            let mut pieces = [std::io::IoSlice::new(&[]); 64];
            let count = engine.output(conn, &mut pieces, usize::MAX);
            let pieces = &pieces[..count];
            let wanted: usize = pieces.iter().map(|p| p.len()).sum();
            if wanted == 0 {
                break;
            }
            let mut n = wanted.min(link.room(end));
            if self.rng.below(16) == 0 {
                n = n.min(1 + self.rng.below(wanted as u64) as usize);
            }
            let mut bytes = Vec::with_capacity(n);
            for piece in pieces {
                bytes.extend_from_slice(&piece[..piece.len().min(n - bytes.len())]);
            }
            if n > 0 {
                engine.sent(conn, n);
                let arrivals = link.send(end, &bytes, self.clock.now(), &mut self.rng);
                arrivals.into_iter().for_each(|at| self.at_moment(at, Event::Arrival(id, end)));
            }
            if n < wanted {
                if let Some(link) = self.links.get_mut(&id) {
                    link.ways[end].choked = true;
                }
                break;
            }
        }
        if self.nodes[node].engine().wants_close(conn) {
            self.close(node, conn);
        }
    }

    /// A node is done with a connection.
    pub fn close(&mut self, node: usize, conn: ConnId) {
        let Some((id, end)) = self.nodes[node].conns.try_remove(conn.0 as usize) else { return };
        trace!("{} n{node} {conn:?} closes", self.stamp());
        self.nodes[node].engine().disconnect(conn);
        self.end_link(id, end);
    }

    /// An end of a connection listens no more, and the other one will hear of it.
    pub fn end_link(&mut self, id: LinkId, end: usize) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.open[end] = false;
        if link.is_dead() {
            self.links.remove(&id);
            self.gone.remove(&id);
            return;
        }
        let at = link.send_end(end, self.clock.now(), &mut self.rng);
        self.at_moment(at, Event::Arrival(id, end));
    }

    // Checks.

    fn check_turn(&mut self, node: usize) {
        self.turns += 1;
        let strangers = self.clients.iter().chain(self.gone.values()).any(|c| c.link.is_some() && c.node == node && !c.exact);
        let started_save = self.nodes[node].engine().server.persistence.saving.as_ref().map(|s| s.snapshot.file);
        if started_save.is_some() && started_save != self.nodes[node].save.as_ref().map(|s| s.file) {
            // The cron has begun it, and nothing has changed since; unless it was one of several clients that a pause had held back.
            let state = (!strangers).then(|| State::of(&self.nodes[node].engine().server.keyspace));
            self.note_save(node, state);
        }
        self.note_wipe(node);
        let who = format!("n{node}");
        if let Some(error) = log::take_error()
            && self.nodes[node].disk.borrow().failures == 0
        {
            self.fail(&format!("{who} has logged an error: {error}"));
        }
        let plain = self.nodes[node].is_plain_primary();
        let is_busy = self.nodes[node].is_busy();
        let scripts = self.workload.scripts.clone();
        let Node { engine, model, walks, loads, .. } = &mut self.nodes[node];
        let Some(engine) = engine else { return };
        let mut result = walks.go_on(&mut engine.server.keyspace, &mut self.rng);
        if engine.server.loading.is_none()
            && let Some(file) = loads.take()
        {
            let now = engine.server.keyspace.now_ms;
            if let Some(difference) = State::of(&engine.server.keyspace).live_at(now).difference(&file.live_at(now)) {
                self.fail(&format!("{who} has not loaded what its file holds (data | file): {difference}"));
            }
        }
        match model.as_ref() {
            Some(_) if !plain => *model = None,
            // What a script has done that is under way counts when it has ended.
            _ if is_busy => (),
            None if plain && !strangers => {
                let loaded = scripts.map(|scripts| Loaded::of(&scripts.catalogue, &engine.server));
                *model = Some(Model::new(State::of(&engine.server.keyspace), loaded));
            }
            None => (),
            Some(model) => {
                let db = self.rng.below(u64::from(DATABASES)) as usize;
                let key = format!("key:{}", self.rng.below(self.workload.keys));
                result = result.and_then(|()| checkers::key_holds(engine, model, db, key.as_bytes()));
                if self.turns.is_multiple_of(LOOK_TURNS) {
                    result = result.and_then(|()| checkers::model_holds(engine, model));
                }
            }
        }
        result = result.and_then(|()| checkers::bounds_hold(&self.nodes[node]));
        result = result.and_then(|()| self.history.look(node, &mut self.nodes[node], false));
        result = result.and_then(|()| self.acks_hold(node));
        self.must(&who, result);
    }

    /// Why the end has not come yet, if it has not.
    fn unsettled(&mut self) -> Option<String> {
        let primary = self.nodes[self.primary].engine.as_ref().filter(|_| self.nodes[self.primary].is_plain_primary());
        let Some(primary) = primary else {
            let server = self.nodes[self.primary].engine.as_ref().map(|engine| &engine.server);
            let state = server.map(|server| (server.write_gate(), &server.aof.failure, server.aof.needs_base));
            return Some(format!("n{} is no primary that takes writes (gate, failure, needs a base): {state:?}", self.primary));
        };
        if let Some(busy) = (0..self.nodes.len()).find(|node| self.nodes[*node].is_busy()) {
            return Some(format!("n{busy} is busy with a script"));
        }
        for (i, client) in self.clients.iter().enumerate() {
            if client.link.is_some() && !client.asked.is_empty() {
                return Some(format!("c{i} waits for {} replies", client.asked.len()));
            }
        }
        let (id, end) = (primary.server.replication.id, primary.server.replication.log.end());
        let followers = self.nodes.iter().enumerate().filter(|(i, _)| *i != self.primary);
        let in_step = |node: &Node| {
            node.engine.as_ref().is_some_and(|engine| {
                let replication = &engine.server.replication;
                let online = replication.upstream.as_ref().is_some_and(|u| u.is_online());
                online && replication.id == id && replication.log.end() == end
            })
        };
        if let Some((i, _)) = followers.into_iter().find(|(_, node)| !in_step(node)) {
            return Some(format!("n{i} is not in step"));
        }
        (0..self.nodes.len()).find_map(|node| self.unsaved(node))
    }

    /// Everything that was on its way has arrived.
    fn check_calm(&mut self) {
        let primary = self.nodes[self.primary].engine.as_ref().expect("settled");
        let data = State::of(&primary.server.keyspace);
        for (i, node) in self.nodes.iter().enumerate() {
            let Some(engine) = &node.engine else { continue };
            if let Some(model) = &node.model {
                self.must(&format!("n{i}"), checkers::model_holds(engine, model));
            }
            if let Some(difference) = State::of(&engine.server.keyspace).difference(&data) {
                self.fail(&format!("n{i} does not hold what its primary holds (it | primary): {difference}"));
            }
            let (its, wanted) = (libraries_of(&engine.server), libraries_of(&primary.server));
            if its != wanted {
                self.fail(&format!("n{i} has not its primary's libraries: {:?}, not {:?}", its.keys(), wanted.keys()));
            }
            self.must(&format!("n{i}"), checkers::logs_agree(engine, primary));
        }
        self.check_ledger("at the end");
    }
}
