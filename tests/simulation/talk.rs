//! What clients do in the world: connect, ask, listen, leave.

use super::{
    clients::{Client, Promise},
    log,
    net::{End, Link, LinkId, Packet},
    trace::trace,
    wire::words,
    workload::{CHANNEL, LEDGER},
    world::{Event, World},
};
use solod::state::{ConnId, client::Origin};

impl World {
    pub fn connect(&mut self, client: usize) {
        let node = self.clients[client].node;
        let Some(engine) = &mut self.nodes[node].engine else { return };
        log::is_about(node);
        engine.refresh_time();
        let id = LinkId(self.serial as usize);
        self.serial += 1;
        let conn = ConnId(self.nodes[node].conns.insert((id, 1)) as u32);
        let peer = Origin { addr: format!("10.1.0.{client}:1000"), local: true, ..Origin::default() };
        let answer = self.nodes[node].engine().connect(conn, peer);
        self.must("connect", answer.map_err(str::to_owned));
        trace!("{} c{client} connects to n{node} {conn:?}", self.stamp());
        self.links.insert(id, Link::new([End::Client(client), End::Node(node, conn)], &mut self.rng));
        self.clients[client].link = Some(id);
        self.clients[client].exact = self.nodes[node].model.is_some();
        self.end_turn(node);
    }

    pub fn act(&mut self, index: usize) {
        // Who hears for another one does nothing himself.
        if self.calm || self.clients[index].hears_for.is_some() {
            return;
        }
        let pause = self.workload.pause_us * 1000;
        let delay = 1000 + self.rng.below(pause * 2);
        self.at(delay, Event::Act(index));
        let wanted = match self.clients[index].reader || self.clients[index].listens {
            true => index % self.nodes.len(),
            false => self.primary,
        };
        self.end_script(index);
        let has_models = self.has_models();
        if self.clients[index].cache.is_some() {
            return self.act_caching(index);
        }
        let client = &mut self.clients[index];
        if client.link.is_none() {
            client.node = wanted;
            self.connect(index);
            if self.clients[index].listens {
                self.clients[index].say(&words(&format!("SUBSCRIBE {CHANNEL}")));
            }
            // It may have had requests before there was anybody to connect to.
            self.flush_client(index);
            return;
        }
        if client.listens {
            if self.rng.below(300) == 0 {
                self.hang_up(index);
            }
            return;
        }
        // Whoever does not notice that the primary has changed goes on to write for a while.
        let misled = client.node != wanted && self.rng.below(4) == 0;
        let unknown = !client.reader && !client.exact && has_models && self.rng.below(3) == 0;
        if misled || unknown || self.rng.below(300) == 0 {
            return self.hang_up(index);
        }
        if client.is_busy() {
            return;
        }
        client.is_patient = false;
        if client.reader {
            let question = self.workload.look(&mut self.rng);
            client.is_patient = self.workload.is_slow(&question);
            client.ask(question);
        } else if self.rng.below(100) < self.plan.ledger_percent {
            self.ask_to_keep(index);
        } else if self.rng.below(150) == 0 {
            client.ask(vec![b"BGSAVE".to_vec()]);
        } else {
            let batch = self.workload.batch(&mut self.rng);
            client.is_patient = batch.last().is_some_and(|last| self.workload.is_slow(last));
            batch.into_iter().for_each(|request| client.ask(request));
        }
        self.flush_client(index);
    }

    /// Writes a ledger entry, and often waits for replicas to have it.
    fn ask_to_keep(&mut self, index: usize) {
        let (key, value) = self.workload.ledger(&mut self.rng);
        let client = &mut self.clients[index];
        let node = client.node;
        // Beside a script that takes its time SELECT is refused: nothing may follow in the wrong database.
        client.is_patient = self.workload.scripts.is_some();
        client.ask(vec![b"SELECT".to_vec(), LEDGER.to_string().into_bytes()]);
        let set = vec![b"SET".to_vec(), key.clone(), value.clone()];
        let publish = vec![b"PUBLISH".to_vec(), CHANNEL.into(), value.clone()];
        let all = match self.plan.appends.filter(|_| self.workload.transactions).map_or(0, |_| self.rng.below(4)) {
            1 => vec![set, publish],
            2 => vec![vec![b"MULTI".to_vec()], publish, set, vec![b"EXEC".to_vec()]],
            _ => vec![set],
        };
        all.into_iter().for_each(|words| client.ask(words));
        client.ask(vec![b"SELECT".to_vec(), b"0".to_vec()]);
        if self.rng.below(4) != 0 {
            let (replicas, timeout_ms) = (1 + self.rng.below(2), 1 + self.rng.below(1000));
            match self.plan.appends.map_or(0, |_| self.rng.below(3)) {
                0 => client.ask(words(&format!("WAIT {replicas} {timeout_ms}"))),
                _ => client.ask(words(&format!("WAITAOF {} {} {timeout_ms}", self.rng.below(2), replicas - 1))),
            }
            let life = self.nodes[node].lives;
            client.promise = Some(Promise { key, value, node, life, asked_ns: self.clock.now(), refused: false });
        }
    }

    /// Sends what a client has to say, as much as fits.
    pub fn flush_client(&mut self, index: usize) {
        let client = &mut self.clients[index];
        let Some(id) = client.link else { return };
        let Some(link) = self.links.get_mut(&id) else { return };
        let n = client.unsent.len().min(link.room(0));
        let bytes: Vec<u8> = client.unsent.drain(..n).collect();
        link.ways[0].choked = !client.unsent.is_empty();
        let arrivals = link.send(0, &bytes, self.clock.now(), &mut self.rng);
        arrivals.into_iter().for_each(|at| self.at_moment(at, Event::Arrival(id, 0)));
    }

    pub fn client_hears(&mut self, index: usize, id: LinkId, from: usize) {
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
                let (learned, from) = (self.clients[index].take_learned(), self.clients[index].node);
                self.learned(&format!("c{index}"), from, &learned);
                let heard = self.must(&format!("c{index}"), heard);
                if self.clients[index].cache.is_some() || self.clients[index].hears_for.is_some() {
                    return self.caching_hears(index, heard);
                }
                // It does not know which database it uses.
                let is_lost = heard.iter().any(|(words, reply)| words[0] == b"SELECT" && reply.starts_with(b"-"));
                for (words, reply) in heard {
                    if !words[0].starts_with(b"WAIT") {
                        continue;
                    }
                    let Some(promise) = self.clients[index].promise.take().filter(|promise| !promise.refused) else { continue };
                    let counts = counts(&reply);
                    match counts[..] {
                        [count] => self.told(promise, count),
                        [local, replicas] => self.told_of_disks(&promise, local, replicas),
                        _ => (),
                    }
                }
                if is_lost {
                    self.hang_up(index);
                }
            }
        }
    }

    pub fn hang_up(&mut self, index: usize) {
        let caching = match &self.clients[index] {
            Client { cache: Some(_), .. } => Some(index),
            client => client.hears_for,
        };
        match caching {
            None => self.end_connection(index),
            // One connection is nothing without the other.
            Some(data) => {
                self.end_connection(data);
                self.end_connection(data + 1);
                if let Some(cache) = self.clients[data].cache.as_deref_mut() {
                    cache.begin_anew(cache.style);
                }
            }
        }
    }

    fn end_connection(&mut self, index: usize) {
        if let Some(id) = self.clients[index].link {
            trace!("{} c{index} hangs up", self.stamp());
            let left = self.clients[index].hang_up();
            self.gone.insert(id, left);
            self.end_link(id, 0);
        }
    }
}

/// The numbers of a reply: one, or some in an array.
fn counts(reply: &[u8]) -> Vec<usize> {
    let text = std::str::from_utf8(reply).unwrap_or_default();
    text.lines().filter_map(|line| line.strip_prefix(':')?.parse().ok()).collect()
}
