//! What must hold, watched from outside.

use super::{
    model::{Held, Key, Model, State, hold},
    node::Node,
};
use solod::{
    data::{entry::Entry, rng::Rng},
    engine::Engine,
    keyspace::{Keyspace, Sink, WalkId},
};
use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

/// Walks over a keyspace at a time.
const WALKS_MAX: usize = 3;
/// Bytes that a client's unsent output may come to: the workload's largest value, as often as a client asks before it listens.
const OUTPUT_MAX: usize = 32 << 20;

/// Compares the primary's data with the model, all of it.
pub fn model_holds(engine: &Engine, model: &Model) -> Result<(), String> {
    let now = engine.server.keyspace.now_ms;
    let data = State::of(&engine.server.keyspace).live_at(now);
    match data.difference(&model.state.clone().live_at(now)) {
        None => Ok(()),
        Some(difference) => Err(format!("the data is not what it should be (data | model): {difference}")),
    }
}

/// Compares what is cheap to compare: a key by chance.
pub fn key_holds(engine: &Engine, model: &Model, db: usize, key: &[u8]) -> Result<(), String> {
    let keyspace = &engine.server.keyspace;
    let now = keyspace.now_ms;
    let found = keyspace.db(db).dict().find(keyspace.hash(key), key).map(hold).filter(|held| held.deadline >= now);
    let expected = model.state.0[db].get(key).filter(|held| held.deadline >= now);
    if found.as_ref() != expected {
        return Err(format!("db {db} {}: there is {found:?}, and {expected:?} is right", key.escape_ascii()));
    }
    Ok(())
}

/// Limits on what a server may hold.
pub fn bounds_hold(node: &Node) -> Result<(), String> {
    let Some(engine) = &node.engine else { return Ok(()) };
    let server = &engine.server;
    for (conn, client) in server.clients.iter() {
        if client.out.len() > OUTPUT_MAX {
            return Err(format!("{conn:?} is owed {} bytes", client.out.len()));
        }
    }
    if server.clients.len() != node.conns.len() {
        return Err(format!("{} clients over {} connections", server.clients.len(), node.conns.len()));
    }
    if !server.actions.is_empty() || !server.dirty_clients.is_empty() {
        return Err("a turn has left something undone".to_owned());
    }
    Ok(())
}

/// What a walk has handed over.
#[derive(Default)]
struct Notes {
    seen: BTreeMap<(usize, Key), Held>,
    twice: Option<String>,
}

impl Sink for Notes {
    fn entry(&mut self, db: usize, entry: &Entry) {
        if self.seen.insert((db, entry.key().to_vec()), hold(entry)).is_some() {
            self.twice = Some(format!("db {db} {} was handed over twice", entry.key().escape_ascii()));
        }
    }
}

struct Walking {
    id: WalkId,
    notes: Rc<RefCell<Notes>>,
    expected: State,
}

/// Walks that begin and go on by chance, beside whatever the server does: each must find the state at its beginning.
#[derive(Default)]
pub struct Walks(Vec<Walking>);

impl Walks {
    /// A walk may begin, and each may take a step.
    pub fn go_on(&mut self, keyspace: &mut Keyspace, rng: &mut Rng) -> Result<(), String> {
        if self.0.len() < WALKS_MAX && rng.below(200) == 0 {
            let notes = Rc::new(RefCell::new(Notes::default()));
            let id = keyspace.begin_walk(notes.clone());
            self.0.push(Walking { id, notes, expected: State::of(keyspace) });
        }
        for i in (0..self.0.len()).rev() {
            if rng.below(3) == 0 && !keyspace.step_walk(self.0[i].id) {
                self.0.swap_remove(i).check()?;
            }
        }
        Ok(())
    }
}

impl Walking {
    fn check(self) -> Result<(), String> {
        let notes = self.notes.take();
        if let Some(twice) = notes.twice {
            return Err(twice);
        }
        let mut found = State(vec![BTreeMap::new(); self.expected.0.len()]);
        for ((db, key), held) in notes.seen {
            found.0[db].insert(key, held);
        }
        match found.difference(&self.expected) {
            None => Ok(()),
            Some(difference) => Err(format!("a snapshot is not the state at its beginning (snapshot | state): {difference}")),
        }
    }
}
