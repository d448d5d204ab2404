//! Clients that keep copies, in the world: they connect, say how they want to be told of changes, are told, and lose everything with a connection. Their copies
//! are compared with what their server holds whenever they have been sent everything.

use super::{
    cache::{Cache, Sent, Told, Truth},
    clients::Client,
    net::{End, LinkId},
    plan::Plan,
    planted::Planted,
    state::hold,
    style::Style,
    trace::trace,
    wire::{Words, shown, words},
    workload::{DBS, Workload},
    world::World,
};
use solod::{
    config::{Config, MaxmemoryPolicy},
    data::rng::Rng,
    engine::Engine,
    state::ConnId,
};

/// The limit of memory where keys are evicted. How much is used is made up: see the host's `pressure`.
pub const MEMORY_MAX: u64 = 1 << 40;

/// What a run is like in which clients keep copies.
#[derive(Clone, Debug)]
pub struct Caching {
    /// Such clients, each with a second connection.
    clients: usize,
    /// Keys are evicted now and then, by this.
    pub evicts: Option<MaxmemoryPolicy>,
    /// Keys that servers remember for them; 0: any number.
    tracked_max: usize,
    /// Whether clients empty all databases at once.
    flushes: bool,
}

impl Caching {
    pub fn new(rng: &mut Rng) -> Self {
        let policies = [MaxmemoryPolicy::AllkeysLru, MaxmemoryPolicy::AllkeysRandom, MaxmemoryPolicy::VolatileTtl];
        Self {
            clients: 1 + rng.below(4) as usize,
            evicts: (rng.below(4) == 0).then(|| policies[rng.below(3) as usize]),
            tracked_max: [0, 1_000_000, 3, 20][rng.below(4) as usize],
            flushes: rng.below(3) == 0,
        }
    }

    /// The rest of the run, adapted to them: keys that are read again, and nothing that must stay where everything may go.
    pub fn adapt(&self, plan: &mut Plan, workload: &mut Workload, rng: &mut Rng) {
        if rng.below(4) != 0 {
            workload.keys = workload.keys.min(60);
        }
        workload.flushes = self.flushes;
        if self.flushes || self.evicts.is_some_and(|policy| policy != MaxmemoryPolicy::VolatileTtl) {
            plan.ledger_percent = 0;
        }
    }

    /// A node's settings.
    pub fn adapt_config(&self, config: &mut Config) {
        config.tracking_table_max_keys = self.tracked_max;
        if let Some(policy) = self.evicts {
            (config.maxmemory, config.maxmemory_policy) = (MEMORY_MAX, policy);
        }
    }

    /// Those clients, each in front of its second connection. `first` is the index of the first one.
    pub fn all(&self, first: usize, rng: &mut Rng) -> Vec<Client> {
        let mut all = Vec::new();
        for i in 0..self.clients {
            let mut cache = Cache::new(Style::new(rng, DBS));
            cache.forgets = self.evicts.is_some() || self.tracked_max > 0;
            // Some stay where they are, whoever is the primary.
            cache.home = (rng.below(2) == 0).then_some(i);
            all.push(Client::caching(cache));
            all.push(Client::hearing_for(first + 2 * i));
        }
        all
    }
}

/// What a key of a database holds, with and without what is past its deadline.
fn truth(engine: &Engine, db: u64, key: &[u8]) -> Truth {
    let keyspace = &engine.server.keyspace;
    let held = keyspace.db(db as usize).dict().find(keyspace.hash(key), key).map(hold);
    let live = held.clone().filter(|held| held.deadline >= keyspace.now_ms);
    [held, live]
}

impl World {
    /// Whether it is known what every command does: not where keys are evicted.
    pub fn has_models(&self) -> bool {
        self.caching.as_ref().is_none_or(|caching| caching.evicts.is_none())
    }

    /// A node may be short of memory in the turn that is about to begin.
    pub fn squeeze(&mut self, node: usize) {
        if !self.has_models() && self.rng.below(20) == 0 {
            self.nodes[node].pressure.set(1 + self.rng.below(8) as usize);
        }
    }

    fn cache(&mut self, index: usize) -> &mut Cache {
        self.clients[index].cache.as_deref_mut().expect("a client that keeps copies")
    }

    /// One that keeps copies does something.
    pub fn act_caching(&mut self, index: usize) {
        let listener = index + 1;
        let (is_here, is_heard) = (self.clients[index].link.is_some(), self.clients[listener].link.is_some());
        let style = self.cache(index).style;
        match (is_here, is_heard) {
            (true, _) => self.act_connected(index),
            (false, false) => {
                let style = Style::new(&mut self.rng, DBS);
                self.cache(index).begin_anew(style);
                let wanted = self.cache(index).home.map_or(self.primary, |home| home % self.nodes.len());
                (self.clients[index].node, self.clients[listener].node) = (wanted, wanted);
                if style.redirects { self.connect_listener(listener, style) } else { self.connect_caching(index, style) }
            }
            (false, true) if self.cache(index).listener_id.is_some() && self.clients[listener].asked.is_empty() => {
                self.connect_caching(index, style);
            }
            (false, true) => (),
        }
    }

    fn connect_listener(&mut self, listener: usize, style: Style) {
        self.connect(listener);
        let client = &mut self.clients[listener];
        if client.link.is_none() {
            return;
        }
        client.resp3 = style.listener_resp3;
        if style.listener_resp3 {
            client.ask(words("HELLO 3"));
        }
        client.ask(words("CLIENT ID"));
        if !style.listener_resp3 {
            client.ask(words("SUBSCRIBE __redis__:invalidate"));
        }
        self.flush_client(listener);
    }

    fn connect_caching(&mut self, index: usize, style: Style) {
        self.connect(index);
        let Some(LinkId(link)) = self.clients[index].link else { return };
        let client = &mut self.clients[index];
        client.resp3 = style.resp3;
        let Some(cache) = client.cache.as_deref_mut() else { return };
        cache.own = format!("own:{link}").into_bytes();
        let id = cache.listener_id.clone();
        trace!("{} c{index} keeps copies: {style:?}", self.clock.now() as f64 / 1e9);
        let hello = style.resp3.then(|| words("HELLO 3"));
        let greeting = [words(&format!("SELECT {}", style.db)), style.tracking(id.as_deref())];
        for request in hello.into_iter().chain(greeting) {
            client.ask(request);
            client.cache.as_deref_mut().expect("as above").sent.push_back(Sent::Greeting);
        }
        self.flush_client(index);
    }

    fn act_connected(&mut self, index: usize) {
        let has_models = self.has_models();
        let client = &self.clients[index];
        let (home, is_ready) =
            (client.cache.as_ref().and_then(|cache| cache.home), client.cache.as_ref().is_some_and(|cache| cache.is_ready));
        let misled = home.is_none() && client.node != self.primary && self.rng.below(4) == 0;
        let unknown = has_models && !client.exact && self.nodes[client.node].is_plain_primary() && self.rng.below(3) == 0;
        if misled || unknown || self.rng.below(120) == 0 {
            return self.hang_up(index);
        }
        if is_ready && !self.clients[index].is_busy() {
            self.ask_caching(index);
            self.flush_client(index);
        }
    }

    /// A connection of one that keeps copies has been sent something: answers, each with its request, and what it is told unasked.
    pub fn caching_hears(&mut self, index: usize, heard: Vec<(Words, Vec<u8>)>) {
        let link = self.clients[index].link;
        let of = self.clients[index].hears_for;
        for (request, reply) in self.disordered(heard) {
            match (request.is_empty(), of) {
                (true, _) => self.tell(of.unwrap_or(index), &reply),
                (false, Some(data)) if !reply.starts_with(b"-") => {
                    if request[0] == b"CLIENT" {
                        self.cache(data).listener_id = Some(String::from_utf8_lossy(&reply[1..reply.len() - 2]).into_owned());
                    }
                }
                (false, Some(_)) => self.hang_up(index),
                (false, None) => self.is_answered(index, &reply),
            }
            if self.clients[index].link != link {
                return;
            }
        }
        self.check_copies(of.unwrap_or(index));
    }

    fn is_answered(&mut self, index: usize, reply: &[u8]) {
        let client = &mut self.clients[index];
        let node = client.node;
        let Some(cache) = client.cache.as_deref_mut() else { return };
        if matches!(cache.sent.front(), Some(Sent::Greeting)) && reply.starts_with(b"-") {
            return self.hang_up(index);
        }
        let (engine, db) = (self.nodes[node].engine.as_ref(), cache.style.db);
        let deadline = |key: &[u8]| engine.and_then(|engine| Some(truth(engine, db, key)[0].as_ref()?.deadline)).unwrap_or(i64::MAX);
        let result = cache.answered(reply, &deadline);
        cache.is_ready |= cache.sent.is_empty();
        self.must(&format!("c{index} at n{node}"), result);
    }

    /// One that keeps copies is told which are stale.
    fn tell(&mut self, index: usize, message: &[u8]) {
        trace!("{} c{index} is told {}", self.stamp(), shown(message));
        let told = self.must(&format!("c{index}"), Told::parse(message));
        match told {
            Told::RedirectBroken => self.hang_up(index),
            Told::All if self.planted == Some(Planted::FlushUntold) => (),
            Told::All => self.cache(index).told_of_all(),
            Told::Keys(keys) => {
                for key in keys {
                    if self.planted == Some(Planted::ExpiryUntold) && self.has_expired(index, &key) {
                        continue;
                    }
                    let result = self.cache(index).told(&key);
                    self.must(&format!("c{index}"), result);
                }
            }
        }
    }

    /// Whether a key of which a client has a copy has expired.
    fn has_expired(&self, index: usize, key: &[u8]) -> bool {
        let client = &self.clients[index];
        let (Some(cache), Some(engine)) = (&client.cache, &self.nodes[client.node].engine) else { return false };
        let is_past = cache.deadline_of(key).is_some_and(|deadline| deadline < engine.server.keyspace.now_ms);
        is_past && truth(engine, cache.style.db, key)[0].is_none()
    }

    /// What was heard, in the order in which it came; a fault that is there on purpose lets what is told overtake the answer in front of it.
    fn disordered(&self, mut heard: Vec<(Words, Vec<u8>)>) -> Vec<(Words, Vec<u8>)> {
        if self.planted == Some(Planted::ToldTooSoon) {
            for i in 1..heard.len() {
                if heard[i].0.is_empty() && !heard[i - 1].0.is_empty() {
                    heard.swap(i - 1, i);
                }
            }
        }
        heard
    }

    /// A PING has been executed: notes what there is of all that its client has read or asks for. It is to have been told of everything when that is answered.
    pub fn note_ping(&mut self, index: usize) {
        let client = &mut self.clients[index];
        let (Some(cache), Some(engine)) = (client.cache.as_deref_mut(), &self.nodes[client.node].engine) else { return };
        let executed = client.asked.iter().rposition(|asked| asked.expect.is_some());
        if !cache.style.is_ordered() || engine.server.scripts.is_slow {
            return;
        }
        let db = cache.style.db;
        let truths = cache.names().into_iter().map(|key| (key.clone(), truth(engine, db, &key))).collect();
        if let Some(Sent::Ping(noted)) = executed.and_then(|at| cache.sent.get_mut(at)) {
            *noted = Some(truths);
        }
    }

    /// Whether a connection has got all that its server has for it. Not, where that has ended and this is not known yet.
    fn has_got_all(&self, index: usize) -> bool {
        let client = &self.clients[index];
        let Some(link) = client.link.and_then(|id| self.links.get(&id)) else { return false };
        let End::Node(node, conn) = link.ends[1] else { return false };
        let is_owed_nothing = |engine: &Engine| {
            engine.server.clients.get(ConnId(conn.0)).is_some_and(|client| client.out.is_empty() && client.long_reply.is_none())
        };
        link.open == [true; 2]
            && link.ways[1].is_empty()
            && client.has_heard_all()
            && self.nodes[node].engine.as_ref().is_some_and(is_owed_nothing)
    }

    /// Whether one that keeps copies has got everything on all of its connections.
    pub fn is_up_to_date(&self, index: usize) -> bool {
        let redirects = self.clients[index].cache.as_ref().is_some_and(|cache| cache.style.redirects);
        self.has_got_all(index) && (!redirects || self.has_got_all(index + 1))
    }

    /// Once a client has got everything, none of its copies differs from what its server holds.
    pub fn check_copies(&mut self, index: usize) {
        let node = self.clients[index].node;
        // What a script has done counts when it has ended.
        if self.nodes[node].is_busy() || !self.is_up_to_date(index) {
            return;
        }
        let (Some(engine), Some(cache)) = (&self.nodes[node].engine, self.clients[index].cache.as_deref_mut()) else { return };
        let db = cache.style.db;
        let result = cache.check(&mut |key| Some(truth(engine, db, key)));
        self.must(&format!("c{index} at n{node} has got everything, and"), result);
    }

    /// The same for all that are connected to a node.
    pub fn check_copies_of(&mut self, node: usize) {
        let Some(caching) = &self.caching else { return };
        let all = (self.plan.clients..self.clients.len()).step_by(2).take(caching.clients);
        for index in all {
            if self.clients[index].node == node && self.clients[index].link.is_some() {
                self.check_copies(index);
            }
        }
    }
}
