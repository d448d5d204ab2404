//! Events in their order: what arrives, who wakes up, what breaks.

use super::{
    checkers,
    clients::{Client, Promise},
    host::Clock,
    model::{Expect, Model, State},
    net::{End, Link, LinkId, Packet},
    node::Node,
    plan::Plan,
    trace::{self, trace},
    workload::{LEDGER, Workload},
};
use solod::{
    data::rng::Rng,
    engine::Fill,
    state::{Action, ConnId, client::Peer},
};
use std::{
    collections::{BTreeMap, VecDeque},
    rc::Rc,
};

const MS: u64 = 1_000_000;
/// What arrives within this time may be read in one turn.
const TURN_NS: u64 = 100_000;
/// What a node reads from a connection in one go, as the reactor does.
const READ_BYTES: usize = 24 * 1024;

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Event {
    /// A packet is there, sent from this end of the connection.
    Arrival(LinkId, usize),
    /// There is room again for what this end has to send.
    Writable(LinkId, usize),
    /// A node wanted a turn at this moment.
    Wake(usize),
    /// A client does something.
    Act(usize),
    Fault,
}

/// Everything there is.
pub struct World {
    plan: Plan,
    rng: Rng,
    clock: Rc<Clock>,
    /// By time and order.
    events: BTreeMap<(u64, u64), Event>,
    serial: u64,
    nodes: Vec<Node>,
    links: BTreeMap<LinkId, Link>,
    clients: Vec<Client>,
    /// Clients that have left while requests of theirs were on their way.
    gone: BTreeMap<LinkId, Client>,
    workload: Workload,
    /// The node that should be the primary.
    primary: usize,
    /// No more faults and no more requests: what is on its way comes to an end.
    calm: bool,
    turns: u64,
}

impl World {
    /// A world at its beginning.
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let plan = Plan::new(&mut rng);
        let workload = Workload::new(&mut rng);
        let nodes = (0..plan.nodes).map(|_| Node::new(plan.config(&mut rng), rng.below(400_000) as i64 - 200_000)).collect();
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
            clients: (0..plan.clients).map(|_| Client::default()).collect(),
            workload,
            primary: 0,
            calm: false,
            turns: 0,
            plan,
        }
    }

    /// Runs to the end. Panics when something does not hold.
    pub fn run(mut self) {
        for node in 0..self.nodes.len() {
            self.start(node);
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
        self.run_until(self.clock.now() + self.plan.load_ns);
        self.calm = true;
        trace!("{} calm", self.stamp());
        self.links.values_mut().for_each(Link::heal);
        self.run_until(self.clock.now() + 3000 * MS);
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
    fn at(&mut self, delay_ns: u64, event: Event) {
        self.at_moment(self.clock.now() + delay_ns, event);
    }

    fn at_moment(&mut self, moment_ns: u64, event: Event) {
        self.serial += 1;
        self.events.insert((moment_ns, self.serial), event);
    }

    fn stamp(&self) -> String {
        format!("{:>12.6}", self.clock.now() as f64 / 1e9)
    }

    /// Something does not hold.
    fn fail(&self, what: &str) -> ! {
        trace!("{} VIOLATION: {what}", self.stamp());
        panic!("{what}");
    }

    fn must<T>(&self, who: &str, result: Result<T, String>) -> T {
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
                Some(End::Node(node, _) | End::Dialling(node)) => {
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
            Event::Act(client) => self.act(client),
            Event::Fault => self.fault(),
        }
    }

    // Nodes.

    fn start(&mut self, node: usize) {
        let random = self.rng.next_u64();
        trace!("{} n{node} starts", self.stamp());
        self.nodes[node].start(&self.clock, random);
        let data = State::of(&self.nodes[node].engine().server.keyspace);
        self.nodes[node].model = Some(Model::new(data));
        self.begin_turn(node);
        self.end_turn(node);
    }

    fn begin_turn(&mut self, node: usize) {
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
                for piece in bytes.chunks(READ_BYTES) {
                    if !self.nodes[node].engine().wants_input(conn) {
                        break;
                    }
                    self.read(node, conn, piece);
                    if let End::Client(client) = sender {
                        self.requests_arrive(node, conn, (client, id), piece.len());
                    }
                }
            }
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
                Fill::Own(target, most) => {
                    let n = most.min(target.capacity() - target.len()).min(bytes.len());
                    target.extend_from_slice(&bytes[..n]);
                    bytes = &bytes[n..];
                    engine.filled(conn, n);
                }
            }
        }
    }

    /// The engine has just been handed bytes of a client: the model does what they asked for.
    fn requests_arrive(&mut self, node: usize, conn: ConnId, (index, id): (usize, LinkId), bytes: usize) {
        let Node { engine, model, .. } = &mut self.nodes[node];
        let Some(engine) = engine else { return };
        let client = match self.clients[index].link {
            Some(link) if link == id => &mut self.clients[index],
            _ => self.gone.entry(id).or_default(),
        };
        let now = engine.server.keyspace.now_ms;
        let (mut said, exact) = (0, client.exact && model.is_some());
        let stamp = self.clock.now();
        client.arrive(bytes, |session, words| {
            said += 1;
            if trace::keeps() {
                let line: Vec<_> = words.iter().map(|w| super::model::shown(w)).collect();
                trace!("{:>12.6} n{node} c{index} db{} {}", stamp as f64 / 1e9, session.db, line.join(" "));
            }
            match model.as_mut().filter(|_| exact) {
                Some(model) => model.request(session, words, now),
                None => Expect::Any,
            }
        });
        let waits = engine.server.clients.get(conn).is_some_and(|c| matches!(c.blocked, Some(solod::state::client::Blocked::Pause)));
        if said > 0 && (waits || !exact) {
            // What was asked is done later, or nobody knows what it does: begin anew when that is over.
            client.exact = false;
            *model = None;
        }
    }

    fn end_turn(&mut self, node: usize) {
        if self.nodes[node].engine.is_none() {
            return;
        }
        self.nodes[node].engine().finish_turn();
        while let Some(conn) = self.nodes[node].engine().take_dirty() {
            self.write(node, conn);
        }
        while let Some(action) = self.nodes[node].engine().take_action() {
            match action {
                Action::Exit(code) => self.fail(&format!("n{node} exits with {code}")),
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
        loop {
            let Some(link) = self.links.get_mut(&id) else { break };
            let engine = self.nodes[node].engine.as_mut().expect("a node that writes is up");
            let mut pieces = Vec::new();
            engine.output(conn, &mut pieces, 64);
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
    fn close(&mut self, node: usize, conn: ConnId) {
        let Some((id, end)) = self.nodes[node].conns.try_remove(conn.0 as usize) else { return };
        trace!("{} n{node} {conn:?} closes", self.stamp());
        self.nodes[node].engine().disconnect(conn);
        self.end_link(id, end);
    }

    /// An end of a connection listens no more, and the other one will hear of it.
    fn end_link(&mut self, id: LinkId, end: usize) {
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

    // Clients.

    fn connect(&mut self, client: usize) {
        let node = self.clients[client].node;
        let Some(engine) = &mut self.nodes[node].engine else { return };
        engine.refresh_time();
        let id = LinkId(self.serial as usize);
        self.serial += 1;
        let conn = ConnId(self.nodes[node].conns.insert((id, 1)) as u32);
        let peer = Peer { addr: format!("10.1.0.{client}:1000"), local: true, ..Peer::default() };
        let answer = self.nodes[node].engine().connect(conn, peer);
        self.must("connect", answer.map_err(str::to_owned));
        trace!("{} c{client} connects to n{node} {conn:?}", self.stamp());
        self.links.insert(id, Link::new([End::Client(client), End::Node(node, conn)], &mut self.rng));
        self.clients[client].link = Some(id);
        self.clients[client].exact = self.nodes[node].model.is_some();
        self.end_turn(node);
    }

    fn act(&mut self, index: usize) {
        if self.calm {
            return;
        }
        let pause = self.workload.pause_us * 1000;
        let delay = 1000 + self.rng.below(pause * 2);
        self.at(delay, Event::Act(index));
        let client = &mut self.clients[index];
        if client.link.is_none() {
            client.node = self.primary;
            return self.connect(index);
        }
        if !client.exact || self.rng.below(300) == 0 {
            return self.hang_up(index);
        }
        if client.is_busy() {
            return;
        }
        if self.rng.below(100) < self.plan.ledger_percent {
            let (key, value) = self.workload.ledger(&mut self.rng);
            let node = client.node;
            client.ask(vec![b"SELECT".to_vec(), LEDGER.to_string().into_bytes()]);
            client.ask(vec![b"SET".to_vec(), key.clone(), value.clone()]);
            client.ask(vec![b"SELECT".to_vec(), b"0".to_vec()]);
            let _ = Promise { key, value, node };
        } else {
            self.workload.batch(&mut self.rng).into_iter().for_each(|request| client.ask(request));
        }
        self.flush_client(index);
    }

    /// Sends what a client has to say, as much as fits.
    fn flush_client(&mut self, index: usize) {
        let client = &mut self.clients[index];
        let Some(id) = client.link else { return };
        let Some(link) = self.links.get_mut(&id) else { return };
        let n = client.unsent.len().min(link.room(0));
        let bytes: Vec<u8> = client.unsent.drain(..n).collect();
        link.ways[0].choked = !client.unsent.is_empty();
        let arrivals = link.send(0, &bytes, self.clock.now(), &mut self.rng);
        arrivals.into_iter().for_each(|at| self.at_moment(at, Event::Arrival(id, 0)));
    }

    fn client_hears(&mut self, index: usize, id: LinkId, from: usize) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let Some(packet) = link.arrive(from) else { return };
        if std::mem::take(&mut link.ways[from].choked) {
            self.at(0, Event::Writable(id, from));
        }
        if self.clients[index].link != Some(id) {
            return;
        }
        match packet {
            Packet::End => self.hang_up(index),
            Packet::Bytes(bytes) => {
                let heard = self.clients[index].hear(&bytes);
                self.must(&format!("c{index}"), heard);
            }
        }
    }

    fn hang_up(&mut self, index: usize) {
        if let Some(id) = self.clients[index].link {
            trace!("{} c{index} hangs up", self.stamp());
            let left = self.clients[index].hang_up();
            self.gone.insert(id, left);
            self.end_link(id, 0);
        }
    }

    // Faults.

    fn fault(&mut self) {
        if self.calm {
            return;
        }
        let every = self.plan.fault_every_ns.unwrap_or(MS);
        let delay = 1 + self.rng.below(every * 2);
        self.at(delay, Event::Fault);
        let Some(id) = self.any_link() else { return };
        match self.rng.below(3) {
            0 => self.cut(id),
            1 => self.slow(id),
            _ => self.stick(id),
        }
    }

    fn any_link(&mut self) -> Option<LinkId> {
        let all: VecDeque<_> = self.links.keys().copied().collect();
        if all.is_empty() { None } else { Some(all[self.rng.below(all.len() as u64) as usize]) }
    }

    /// A connection breaks: what was on its way is lost, but for a first part of it.
    fn cut(&mut self, id: LinkId) {
        trace!("{} {id:?} is cut", self.stamp());
        let now = self.clock.now();
        let Some(link) = self.links.get_mut(&id) else { return };
        let mut ends = Vec::new();
        for from in [0, 1] {
            link.lose_some(from, &mut self.rng);
            ends.push((link.send_end(from, now, &mut self.rng), from));
        }
        ends.into_iter().for_each(|(at, from)| self.at_moment(at, Event::Arrival(id, from)));
    }

    fn slow(&mut self, id: LinkId) {
        trace!("{} {id:?} is slow", self.stamp());
        let Some(link) = self.links.get_mut(&id) else { return };
        link.latency_ns = MS + self.rng.below(60 * MS);
        link.window = 1 + self.rng.below(2000) as usize;
    }

    /// Nothing arrives for a while.
    fn stick(&mut self, id: LinkId) {
        trace!("{} {id:?} is stuck", self.stamp());
        let until = self.clock.now() + self.rng.below(500 * MS);
        if let Some(link) = self.links.get_mut(&id) {
            link.stuck_until_ns = until;
        }
    }

    // Checks.

    fn check_turn(&mut self, node: usize) {
        self.turns += 1;
        let Node { engine, model, walks, .. } = &mut self.nodes[node];
        let Some(engine) = engine else { return };
        let walked = walks.go_on(&mut engine.server.keyspace, &mut self.rng);
        let mut result = walked;
        if let Some(model) = model.as_ref() {
            let db = self.rng.below(u64::from(super::workload::DATABASES)) as usize;
            let key = format!("key:{}", self.rng.below(self.workload.keys));
            result = result.and_then(|()| checkers::key_holds(engine, model, db, key.as_bytes()));
            if self.turns.is_multiple_of(250) {
                result = result.and_then(|()| checkers::model_holds(engine, model));
            }
        } else if !self.clients.iter().chain(self.gone.values()).any(|c| c.link.is_some() && c.node == node && !c.exact) {
            *model = Some(Model::new(State::of(&engine.server.keyspace)));
        }
        result = result.and_then(|()| checkers::bounds_hold(&self.nodes[node]));
        self.must(&format!("n{node}"), result);
    }

    /// Everything that was on its way has arrived.
    fn check_calm(&mut self) {
        for (i, client) in self.clients.iter().enumerate() {
            if client.link.is_some() && !client.asked.is_empty() {
                self.fail(&format!("c{i} waits for {} replies for ever", client.asked.len()));
            }
        }
        for (i, node) in self.nodes.iter().enumerate() {
            if let (Some(engine), Some(model)) = (&node.engine, &node.model) {
                self.must(&format!("n{i}"), checkers::model_holds(engine, model));
            }
        }
    }
}
