//! A node's turn, as the reactor would have it: what has arrived is read, what the engine wants done is done, what it has to say is sent.

use super::{
    log,
    net::{End, LinkId, Packet},
    node::Node,
    state::State,
    trace::{self, trace},
    wire::shown,
    world::{Event, MS, World},
};
use solod::{
    engine::Fill,
    state::{Action, ConnId, disk::Lane},
};

/// What arrives within this time may be read in one turn.
const TURN_NS: u64 = 100_000;
/// What a node reads from a connection in one go, as the reactor does.
const READ_BYTES: usize = 24 * 1024;

impl World {
    pub fn start(&mut self, node: usize) {
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
            engine.begin_turn();
        }
    }

    /// Reads from others that have sent something at about the same time, in the same turn.
    pub fn take_in_more(&mut self, node: usize) {
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
    pub fn take_in(&mut self, node: usize, id: LinkId, from: usize) {
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
                if let End::Node(teller, _) = sender {
                    let whole = self.links.get_mut(&id).map(|link| link.ways[from].whole(&bytes)).unwrap_or_default();
                    self.learned_by_node(node, teller, &whole);
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
                    let brings_slow = matches!(sender, End::Client(client) if self.brings_slow_script(client));
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

    /// The disk has done something for a node.
    pub fn disk_answers(&mut self, node: usize, life: u64, lane: Lane) {
        if self.nodes[node].lives != life || self.nodes[node].engine.is_none() {
            return;
        }
        self.try_crash(node, lane);
        let (done, more) = self.nodes[node].disk.borrow_mut().answer(lane);
        if more {
            self.await_disk(node, lane);
        }
        let Some(done) = done else { return };
        self.save_ends(node, &done);
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
        let sleep_ns = sleep_ns.min(self.nodes[node].engine().short_sleep_nanos().unwrap_or(u64::MAX));
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
    pub fn write(&mut self, node: usize, conn: ConnId) {
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
}
