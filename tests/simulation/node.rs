//! One server: an engine with its sockets and its model.

use super::{
    checkers::Walks,
    host::{Clock, SimHost},
    model::Model,
    net::LinkId,
};
use slab::Slab;
use solod::{config::Config, engine::Engine};
use std::rc::Rc;

/// One server, up or down.
pub struct Node {
    /// `None` while it is down.
    pub engine: Option<Engine>,
    /// Each connection with our end of it.
    pub conns: Slab<(LinkId, usize)>,
    /// What a primary holds, while all that it was told is known.
    pub model: Option<Model>,
    /// Walks over its keyspace that nobody but us asked for.
    pub walks: Walks,
    /// When it wants its next turn.
    pub wake_at_ns: u64,
    /// Times it was started.
    pub lives: u64,
    pub config: Config,
    pub skew_us: i64,
}

impl Node {
    pub fn new(config: Config, skew_us: i64) -> Self {
        Self { engine: None, conns: Slab::new(), model: None, walks: Walks::default(), wake_at_ns: u64::MAX, lives: 0, config, skew_us }
    }

    /// Starts the server. `random` is the seed of its choices.
    pub fn start(&mut self, clock: &Rc<Clock>, random: u64) {
        assert!(self.engine.is_none());
        self.lives += 1;
        let host = SimHost::new(Rc::clone(clock), self.skew_us);
        self.engine = Some(Engine::new(self.config.clone(), Box::new(host), random));
    }

    /// The server, which is up.
    pub fn engine(&mut self) -> &mut Engine {
        self.engine.as_mut().expect("the node is up")
    }
}
