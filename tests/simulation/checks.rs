//! When it is looked at what must hold: at the end of each turn, and at the end of the run.

use super::{
    checkers, log, model::Model, node::Node, scripted::Loaded, scripts::libraries_of, state::State, workload::DATABASES, world::World,
};

/// Turns between two looks at everything.
const LOOK_TURNS: u64 = 250;

impl World {
    pub fn check_turn(&mut self, node: usize) {
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
        let (scripts, has_models) = (self.workload.scripts.clone(), self.has_models());
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
            None if plain && !strangers && has_models => {
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
        self.check_copies_of(node);
    }

    /// Why the end has not come yet, if it has not.
    pub fn unsettled(&mut self) -> Option<String> {
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
            if client.cache.is_some() && client.link.is_some() && !self.is_up_to_date(i) {
                return Some(format!("c{i} has not got everything"));
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
    pub fn check_calm(&mut self) {
        (0..self.nodes.len()).for_each(|node| self.check_copies_of(node));
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
