//! Events in their order: what arrives, who wakes up, what breaks.

use super::{
    caching::Caching,
    checkers::History,
    clients::Client,
    disk::Disk,
    host::Clock,
    net::{End, Link, LinkId},
    node::Node,
    plan::{Plan, address},
    planted::Planted,
    timeline::Timeline,
    trace::{self, trace},
    trouble::Trouble,
    workload::{Scripts, Workload},
};
use solod::{data::rng::Rng, state::disk::Lane};
use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

pub const MS: u64 = 1_000_000;
/// How often it is looked whether the first node has begun, before the load comes in any case.
const START_LOOKS: usize = 20;
/// How long everybody has to get in step once nothing breaks any more. A rewrite that has failed three times is tried again after a minute.
const CALM_NS: u64 = 150_000 * MS;

/// What the clients of a run use beside plain commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uses {
    Nothing,
    Scripts,
    /// Some clients keep copies of what they have read; in half of the runs there are scripts, too.
    Tracking,
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
    pub events: BTreeMap<(u64, u64), Event>,
    pub serial: u64,
    pub nodes: Vec<Node>,
    pub links: BTreeMap<LinkId, Link>,
    pub clients: Vec<Client>,
    /// Clients that have left while requests of theirs were on their way.
    pub gone: BTreeMap<LinkId, Client>,
    pub workload: Workload,
    /// What clients are like that keep copies, where there are some.
    pub caching: Option<Caching>,
    /// What is wrong on purpose.
    pub planted: Option<Planted>,
    /// The node that should be the primary.
    pub primary: usize,
    /// No more faults and no more requests: what is on its way comes to an end.
    pub calm: bool,
    /// Turns of all nodes so far.
    pub turns: u64,
    pub history: History,
    /// Confirmed writes by their keys.
    pub ledger: BTreeMap<Vec<u8>, Kept>,
}

/// From this seed on disks say how long their syncs took, and a sync waits for others because of that. Those below are as they were when they were found to
/// be rare; a fresh one is above.
const TIMED_FROM: u64 = 100_000_000;

impl World {
    /// A world at its beginning.
    pub fn new(seed: u64, planted: Option<Planted>, uses: Uses) -> Self {
        let mut rng = Rng::new(seed);
        let plan = Plan::new(&mut rng);
        let mut plan = planted.map_or_else(|| plan.clone(), |planted| plan.clone().brings_out(planted));
        let mut workload = Workload::new(&mut rng);
        // Choices of their own, so that a run without is what it always was.
        let mut apart = Rng::new(seed.rotate_left(32) ^ 0x5eed);
        // What is found then is found by a script.
        workload.transactions = planted != Some(Planted::ScriptInPieces);
        let caching = (uses == Uses::Tracking).then(|| Caching::new(&mut apart));
        if uses == Uses::Scripts || caching.is_some() && apart.below(2) == 0 {
            workload.scripts = Some(Scripts::new(&mut apart));
        }
        if let Some(caching) = &caching {
            caching.adapt(&mut plan, &mut workload, &mut apart);
        }
        let mut nodes = Vec::new();
        for node in 0..plan.nodes {
            let mut config = plan.config(&mut rng);
            if workload.scripts.is_some() {
                plan.adapt(&mut config, &mut apart);
            }
            if let Some(caching) = &caching {
                caching.adapt_config(&mut config);
            }
            config.replicaof = (node > 0).then(|| address(0));
            let skew_us = rng.below(400_000) as i64 - 200_000;
            let disk = Disk::new(Rng::new(rng.next_u64()), plan.disk_ns, plan.disk_error_one_in);
            let mut node = Node::new(config, skew_us, disk);
            node.disk.borrow_mut().planted = planted;
            node.disk.borrow_mut().times_syncs = seed >= TIMED_FROM;
            node.timeline = plan.appends.map(|_| Timeline::new());
            nodes.push(node);
        }
        let passed_over = if workload.collections_percent > 0 { 15 } else { 0 };
        trace!("{plan:?}");
        trace!("{workload:?}");
        trace!("{caching:?}");
        let mut clients: Vec<_> = (0..plan.clients).map(|i| Client::of(&plan, i)).collect();
        if let Some(caching) = &caching {
            clients.extend(caching.all(plan.clients, &mut apart));
        }
        Self {
            rng,
            clock: Clock::new(plan.look_ns),
            events: BTreeMap::new(),
            serial: 0,
            nodes,
            links: BTreeMap::new(),
            gone: BTreeMap::new(),
            clients,
            workload,
            caching,
            planted,
            primary: 0,
            calm: false,
            turns: 0,
            history: History::new(passed_over),
            ledger: BTreeMap::new(),
            plan,
        }
    }

    /// Runs to the end; returns how many copies that clients keep have been compared. Panics when something does not hold.
    pub fn run(mut self) -> u64 {
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
        self.clients.iter().filter_map(|client| client.cache.as_ref()).map(|cache| cache.compared).sum()
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
                    self.squeeze(node);
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
}
