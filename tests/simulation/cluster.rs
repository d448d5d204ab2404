//! What breaks, and who looks after it: crashes, cuts, and changes of the primary, as an operator or a sentinel would make them.

use super::{
    disk::SNAPSHOT,
    log,
    net::{End, Link, LinkId},
    plan::{address, node_at},
    state::State,
    trace::trace,
    wire::wire,
    workload::LEDGER,
    world::{Event, Kept, MS, World},
};
use crate::{checkers, clients::Promise};
use solod::{
    replication::ReplId,
    state::{ConnId, client::Origin},
};
use std::collections::BTreeSet;

/// Nanoseconds between two looks at who follows whom.
const TEND_NS: u64 = 100 * MS;

impl World {
    // Connections between nodes.

    /// An attempt of a node to reach another one comes to its end.
    pub fn dial(&mut self, node: usize, life: u64, attempt: u64, other: usize) {
        if self.nodes[node].lives != life || self.nodes[node].engine.is_none() {
            return;
        }
        let alone_until = self.nodes[node].alone_until_ns.max(self.nodes[other].alone_until_ns);
        if alone_until > self.clock.now() {
            return self.at_moment(alone_until, Event::Dial(node, life, attempt, other));
        }
        if self.nodes[other].engine.is_none() {
            self.begin_turn(node);
            self.nodes[node].engine().link_failed(attempt, true, "Connection refused");
            return self.end_turn(node);
        }
        let id = LinkId(self.serial as usize);
        self.serial += 1;
        let there = ConnId(self.nodes[other].conns.insert((id, 1)) as u32);
        let here = ConnId(self.nodes[node].conns.insert((id, 0)) as u32);
        self.links.insert(id, Link::new([End::Node(node, here), End::Node(other, there)], &mut self.rng));
        trace!("{} n{node} {here:?} reaches n{other} {there:?}: {id:?}", self.stamp());
        self.begin_turn(other);
        let peer = Origin { addr: format!("10.0.0.{node}:{}", 40_000 + attempt), local: true, ..Origin::default() };
        let accepted = self.nodes[other].engine().connect(there, peer);
        self.must("connect", accepted.map_err(str::to_owned));
        self.end_turn(other);
        self.begin_turn(node);
        let peer = Origin { addr: format!("10.0.0.{other}:6379"), local: true, ..Origin::default() };
        if !self.nodes[node].engine().link_connected(attempt, here, peer) {
            self.nodes[node].conns.remove(here.0 as usize);
            self.end_link(id, 0);
        }
        self.end_turn(node);
    }

    // Faults.

    pub fn fault(&mut self) {
        if self.calm {
            return;
        }
        let every = self.plan.fault_every_ns.unwrap_or(MS);
        let delay = 1 + self.rng.below(every * 2);
        self.at(delay, Event::Fault);
        let any = self.rng.below(self.nodes.len() as u64) as usize;
        let node = if self.rng.below(3) == 0 { self.primary } else { any };
        let Some(link) = self.any_link() else { return };
        let kind = self.rng.below(if self.plan.upheaval { 16 } else { 9 });
        match kind {
            0..=2 => self.cut(link),
            3 => self.slow(link),
            4 => self.stick(link),
            5 | 6 => drop(self.order(node, "BGSAVE")),
            7 => self.save_now(node),
            8 => self.isolate(node),
            9..=11 => self.crash(node),
            12 if self.nodes[node].engine.as_ref().is_some_and(|e| e.server.loading.is_none()) => drop(self.order(node, "SHUTDOWN SAVE")),
            12 => (),
            13 | 14 => self.change_primary(),
            _ => drop(self.order(self.primary, "FAILOVER")),
        }
    }

    fn any_link(&mut self) -> Option<LinkId> {
        let count = self.links.len() as u64;
        if count == 0 {
            return None;
        }
        let index = self.rng.below(count) as usize;
        self.links.keys().nth(index).copied()
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

    /// Nothing passes between a node and the others for a while.
    fn isolate(&mut self, node: usize) {
        let until = self.clock.now() + self.rng.below(6000 * MS);
        trace!("{} n{node} is alone until {}", self.stamp(), until as f64 / 1e9);
        self.nodes[node].alone_until_ns = until;
        let between = |link: &&mut Link| matches!(link.ends, [End::Node(a, _), End::Node(b, _)] if a == node || b == node);
        self.links.values_mut().filter(between).for_each(|link| link.stuck_until_ns = until);
    }

    /// A node dies, or the machine below it.
    fn crash(&mut self, node: usize) {
        if self.nodes[node].engine.is_none() {
            return;
        }
        let power = self.rng.below(2) == 0;
        trace!("{} n{node} crashes{}", self.stamp(), if power { ", and its machine" } else { "" });
        self.dies(node, power);
    }

    /// A node has ended because of its disk.
    pub fn gives_up(&mut self, node: usize) {
        trace!("{} n{node} gives up", self.stamp());
        log::take_error();
        // It has said that the machine is to be restarted.
        let power = self.nodes[node].disk.borrow().failed_cut;
        self.dies(node, power);
    }

    fn dies(&mut self, node: usize, power: bool) {
        self.nodes[node].lost_power = power;
        let intact = self.nodes[node].disk.borrow_mut().crash(power);
        self.must(&format!("n{node}"), intact);
        self.gone_down(node);
    }

    /// A node has ended in peace.
    pub fn exits(&mut self, node: usize) {
        trace!("{} n{node} exits", self.stamp());
        let looked = self.history.look(node, &mut self.nodes[node], false);
        self.must(&format!("n{node}"), looked);
        if let Some(why) = self.unsaved(node) {
            self.fail(&format!("at its end {why}"));
        }
        let server = &self.nodes[node].engine().server;
        let (data, now) = (State::of(&server.keyspace), server.keyspace.now_ms);
        let file = self.nodes[node].disk.borrow().files.content(SNAPSHOT).unwrap_or_default();
        let file = self.must(&format!("n{node}'s last file"), checkers::decode(&file, data.0.len()));
        if let Some(difference) = file.live_at(now).difference(&data.live_at(now)) {
            self.fail(&format!("n{node} has not saved what it held (file | data): {difference}"));
        }
        self.dies(node, false);
    }

    fn gone_down(&mut self, node: usize) {
        let replication = &self.nodes[node].engine().server.replication;
        let id = replication.id;
        let now = self.clock.now();
        for (link, end) in self.nodes[node].stop() {
            let Some(l) = self.links.get_mut(&link) else { continue };
            l.lose_some(end, &mut self.rng);
            if self.rng.below(4) == 0 {
                // Nobody is left to say that it is over.
                l.stuck_until_ns = now + self.rng.below(8000 * MS);
            }
            self.end_link(link, end);
        }
        self.nodes[node].wiped_at_ns = now;
        self.no_longer_holds(node);
        if node == self.primary {
            self.elect(id);
        }
        let longest = [50, 3000][self.rng.below(2) as usize];
        let delay = MS + self.rng.below(longest * MS);
        self.at(delay, Event::Restart(node));
    }

    // Who is the primary.

    /// The replica of this history that is furthest, or whoever has taken the history over already.
    fn best_of(&self, id: ReplId, but: usize) -> Option<usize> {
        let up = || self.nodes.iter().enumerate().filter(|(i, n)| *i != but && n.engine.is_some());
        let heir = up().find(|(_, node)| {
            let replication = &node.engine.as_ref().expect("it is up").server.replication;
            node.is_plain_primary() && replication.id2.is_some_and(|(id2, _)| id2 == id)
        });
        if let Some((heir, _)) = heir {
            return Some(heir);
        }
        let place = |node: &super::node::Node| {
            let server = &node.engine.as_ref()?.server;
            let upstream = server.replication.upstream.as_ref()?;
            let whole = server.loading.is_none() && upstream.resumable;
            (whole && server.replication.id == id).then(|| server.replication.log.end())
        };
        up().filter_map(|(i, node)| Some((place(node)?, i))).max().map(|(_, i)| i)
    }

    /// Finds a new primary for a history that has lost its own.
    fn elect(&mut self, id: ReplId) {
        match self.best_of(id, self.primary) {
            Some(best) => self.name_primary(best, id),
            None => trace!("{} nobody can take over from n{}", self.stamp(), self.primary),
        }
    }

    fn change_primary(&mut self) {
        let primary = &self.nodes[self.primary];
        let Some(engine) = primary.engine.as_ref().filter(|_| primary.is_plain_primary()) else { return };
        let id = engine.server.replication.id;
        if let Some(best) = self.best_of(id, self.primary) {
            self.name_primary(best, id);
        }
    }

    /// From now on this one is the primary. What a replica of the same history had, it has, being the furthest.
    fn name_primary(&mut self, best: usize, id: ReplId) {
        trace!("{} n{best} is to be the primary instead of n{}", self.stamp(), self.primary);
        let old = self.primary;
        let of_history = |node: &super::node::Node| {
            node.is_replica() && node.engine.as_ref().is_some_and(|e| e.server.replication.id == id && e.server.loading.is_none())
        };
        let peers: BTreeSet<usize> = (0..self.nodes.len()).filter(|i| *i == best || *i != old && of_history(&self.nodes[*i])).collect();
        self.ledger.retain(|_, kept| {
            let known = !kept.holders.is_disjoint(&peers);
            kept.holders = BTreeSet::from([best]);
            known
        });
        self.primary = best;
        self.configure();
        self.check_ledger("of the new primary");
        self.at(MS, Event::Tend);
    }

    /// What the configuration files say from now on.
    fn configure(&mut self) {
        for i in 0..self.nodes.len() {
            self.nodes[i].config.replicaof = (i != self.primary).then(|| address(self.primary));
        }
    }

    /// Whom a node follows.
    fn upstream_of(&self, node: usize) -> Option<usize> {
        let engine = self.nodes[node].engine.as_ref()?;
        engine.server.replication.upstream.as_ref().map(|upstream| node_at(&upstream.host))
    }

    /// Looks after who follows whom.
    pub fn tend(&mut self) {
        self.at(TEND_NS, Event::Tend);
        let failing_over = |w: &Self, i: usize| w.nodes[i].engine.as_ref().is_some_and(|e| e.server.replication.failover.is_some());
        if failing_over(self, self.primary) {
            // The replica that it waits for may not come back before it is over.
            if self.calm || self.rng.below(20) == 0 {
                self.order(self.primary, "FAILOVER ABORT");
            }
            return;
        }
        if let Some(heir) = self.upstream_of(self.primary)
            && self.nodes[heir].is_plain_primary()
        {
            // A failover has done its work. Until then nobody could write, so the heir has everything.
            trace!("{} n{heir} has taken over from n{}", self.stamp(), self.primary);
            let old = std::mem::replace(&mut self.primary, heir);
            self.ledger.retain(|_, kept| kept.holders.contains(&old));
            self.ledger.values_mut().for_each(|kept| kept.holders = BTreeSet::from([heir]));
            self.configure();
            self.check_ledger("of the heir");
        }
        for node in 0..self.nodes.len() {
            let busy = self.nodes[node].engine.as_ref().is_none_or(|e| e.server.loading.as_ref().is_some_and(|l| !l.asynchronous));
            let wanted = (node != self.primary).then_some(self.primary);
            if busy || self.upstream_of(node) == wanted {
                continue;
            }
            match wanted {
                None => self.order(node, "REPLICAOF NO ONE"),
                Some(primary) => self.order(node, &format!("REPLICAOF 10.0.0.{primary} 6379")),
            };
        }
        self.note_in_step();
        self.check_ledger("");
        self.compare_logs();
    }

    /// Says something to a node as its operator; returns the answer.
    pub fn order(&mut self, node: usize, line: &str) -> Option<String> {
        self.nodes[node].engine.as_ref()?;
        // What it evicts must be its doing as what it was before.
        self.nodes[node].pressure.set(0);
        self.begin_turn(node);
        let nowhere = LinkId(usize::MAX);
        let conn = ConnId(self.nodes[node].conns.insert((nowhere, 0)) as u32);
        let engine = self.nodes[node].engine();
        engine.connect(conn, Origin { addr: "10.2.0.1:1".into(), local: true, ..Origin::default() }).ok()?;
        let words: Vec<Vec<u8>> = line.split(' ').map(|w| w.as_bytes().to_vec()).collect();
        engine.receive(conn, &wire(&words));
        let mut pieces = [std::io::IoSlice::new(&[]); 64];
        engine.output(conn, &mut pieces, usize::MAX);
        let answer: String = pieces.iter().map(|p| String::from_utf8_lossy(p).into_owned()).collect();
        engine.disconnect(conn);
        self.nodes[node].conns.remove(conn.0 as usize);
        trace!("{} n{node} is told {line}: {}", self.stamp(), answer.trim_end());
        let state = State::of(&self.nodes[node].engine().server.keyspace);
        self.note_save(node, Some(state));
        self.end_turn(node);
        Some(answer)
    }

    /// A node saves while everybody waits.
    fn save_now(&mut self, node: usize) {
        if self.order(node, "SAVE").is_none_or(|answer| answer != "+OK\r\n") {
            return;
        }
        let Some(engine) = &self.nodes[node].engine else { return };
        let (data, now) = (State::of(&engine.server.keyspace), engine.server.keyspace.now_ms);
        let file = self.nodes[node].disk.borrow().files.content(SNAPSHOT).unwrap_or_default();
        let file = self.must(&format!("n{node}'s file"), checkers::decode(&file, data.0.len()));
        if let Some(difference) = file.live_at(now).difference(&data.live_at(now)) {
            self.fail(&format!("n{node} has not saved what it holds (file | data): {difference}"));
        }
    }

    // What clients were told.

    /// A client was told by WAIT that so many replicas have its write: they must.
    pub fn told(&mut self, promise: Promise, count: usize) {
        let Promise { key, value, node, life, asked_ns, .. } = promise;
        let others = || (0..self.nodes.len()).filter(|i| *i != node);
        let mut holders: BTreeSet<usize> = others().filter(|i| self.nodes[*i].holds(LEDGER, &key, &value)).collect();
        let excused = others().filter(|i| !holders.contains(i) && self.nodes[*i].wiped_at_ns >= asked_ns).count();
        let doubled = holders.iter().filter(|i| self.nodes[**i].doubled_at_ns >= asked_ns).count();
        if holders.len() + excused + doubled < count {
            let key = key.escape_ascii();
            self.fail(&format!("WAIT said that {count} replicas have {key}, and it is on {holders:?}, with {excused} excused"));
        }
        let asked = &self.nodes[node];
        if count > 0 && node == self.primary && asked.lives == life && asked.is_plain_primary() {
            holders.insert(node);
            self.ledger.insert(key, Kept { value, holders });
        }
    }

    /// A node that gives up what it held, or follows another history, owes nothing of what it had before.
    pub fn note_wipe(&mut self, node: usize) {
        let n = &mut self.nodes[node];
        let Some(engine) = &n.engine else { return };
        let replication = &engine.server.replication;
        let gave_up = replication.upstream.as_ref().is_some_and(|u| !u.resumable);
        let changed = n.seen_id.replace(replication.id).is_some_and(|id| id != replication.id) && replication.is_replica();
        if gave_up || changed {
            n.wiped_at_ns = self.clock.now();
            self.no_longer_holds(node);
        }
    }

    fn no_longer_holds(&mut self, node: usize) {
        for kept in self.ledger.values_mut() {
            kept.holders.remove(&node);
        }
    }

    /// Replicas that have all that the primary has are answerable for it from now on.
    fn note_in_step(&mut self) {
        let Some(primary) = &self.nodes[self.primary].engine else { return };
        let place = (primary.server.replication.id, primary.server.replication.log.end());
        if !self.nodes[self.primary].is_plain_primary() {
            return;
        }
        for (i, node) in self.nodes.iter().enumerate() {
            let Some(engine) = &node.engine else { continue };
            let replication = &engine.server.replication;
            let online = replication.upstream.as_ref().is_some_and(|u| u.is_online());
            if online && (replication.id, replication.log.end()) == place {
                for kept in self.ledger.values_mut().filter(|kept| kept.holders.contains(&self.primary)) {
                    kept.holders.insert(i);
                }
            }
        }
    }

    /// Confirmed writes are where they must be.
    pub fn check_ledger(&self, when: &str) {
        for (key, kept) in &self.ledger {
            for node in &kept.holders {
                if self.nodes[*node].engine.is_some() && !self.nodes[*node].holds(LEDGER, key, &kept.value) {
                    self.fail(&format!("n{node} has lost the confirmed write of {} {when}", key.escape_ascii()));
                }
            }
        }
    }

    /// Nobody has acknowledged more than it has.
    pub fn acks_hold(&mut self, node: usize) -> Result<(), String> {
        let Some(engine) = &self.nodes[node].engine else { return Ok(()) };
        let id = engine.server.replication.id;
        let mut seen = BTreeSet::new();
        let mut doubled = Vec::new();
        for (conn, client) in engine.server.clients.iter() {
            let Some(link) = client.peer.replica() else { continue };
            let Some(&(link_id, end)) = self.nodes[node].conns.get(conn.0 as usize) else { continue };
            let Some(l) = self.links.get(&link_id) else { continue };
            let End::Node(other, there) = l.ends[1 - end] else { continue };
            if !seen.insert(other) {
                doubled.push(other);
            }
            let Some(replica) = &self.nodes[other].engine else { continue };
            let replication = &replica.server.replication;
            let online = replication.upstream.as_ref().is_some_and(|u| u.is_online() && u.conn == Some(there.0));
            if online && l.open[1 - end] && replication.id == id && link.acked_offset > replication.log.end() {
                let (acked, has) = (link.acked_offset, replication.log.end());
                return Err(format!("n{other} has acknowledged {acked} and has come to {has}"));
            }
        }
        doubled.into_iter().for_each(|other| self.nodes[other].doubled_at_ns = self.clock.now());
        Ok(())
    }

    fn compare_logs(&self) {
        let Some(primary) = &self.nodes[self.primary].engine else { return };
        for (i, node) in self.nodes.iter().enumerate().filter(|(i, _)| *i != self.primary) {
            if let Some(engine) = &node.engine {
                self.must(&format!("n{i} and n{}", self.primary), checkers::logs_agree(engine, primary));
            }
        }
    }
}
