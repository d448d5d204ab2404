//! What must hold, watched from outside.

use super::{
    digest::digest_of,
    model::Model,
    node::Node,
    scripts::libraries_of,
    state::{Held, Key, State, emptied, hold},
};
use solod::{
    data::{entry::Entry, key_hash::Seed, pieces::Element, rng::Rng},
    engine::Engine,
    keyspace::{Keyspace, Sink, WalkId},
    persist::load::{LoadOptions, Loader},
    replication::{ReplId, WriteLog},
};
use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    rc::Rc,
};

/// Walks over a keyspace at a time.
const WALKS_MAX: usize = 3;
/// Bytes that a client's unsent output may come to: the workload's largest value, as often as a client asks before it listens.
const OUTPUT_MAX: usize = 32 << 20;

/// Compares the primary's data with the model, all of it.
pub fn model_holds(engine: &Engine, model: &Model) -> Result<(), String> {
    let now = engine.server.keyspace.now_ms;
    let data = State::of(&engine.server.keyspace).live_at(now);
    let libraries = libraries_of(&engine.server);
    if model.loaded.as_ref().is_some_and(|loaded| loaded.codes() != libraries) {
        return Err(format!("the libraries are not what they should be: there are {:?}", libraries.keys()));
    }
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
    /// Large collections that are not whole, in the order of their coming.
    coming: VecDeque<(usize, Key, Held)>,
    twice: Option<String>,
}

impl Sink for Notes {
    fn entry(&mut self, db: usize, entry: &Entry) {
        if self.seen.insert((db, entry.key().to_vec()), hold(entry)).is_some() {
            self.twice = Some(format!("db {db} {} was handed over twice", entry.key().escape_ascii()));
        }
    }

    fn large(&mut self, db: usize, entry: &Entry) {
        self.coming.push_back((db, entry.key().to_vec(), emptied(entry)));
    }

    fn element(&mut self, element: Element<'_>) {
        let Some((db, key, held)) = self.coming.front_mut() else { panic!("an element of no collection") };
        if !held.value.add(element) {
            self.twice = Some(format!("db {db} {}: an element was handed over twice, or is of another kind", key.escape_ascii()));
        }
    }

    fn large_done(&mut self) {
        let (db, key, held) = self.coming.pop_front().expect("a collection is whole that was under way");
        if self.seen.insert((db, key), held).is_some() {
            self.twice = Some(format!("db {db}: a collection was handed over twice"));
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
        if !notes.coming.is_empty() {
            return Err("a snapshot has ended before its collections were whole".to_owned());
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

/// What an RDB file holds.
pub fn decode(file: &[u8], databases: usize) -> Result<State, String> {
    let mut keyspace = Keyspace::new(databases, Seed::new(0));
    let mut loader = Loader::new(LoadOptions { keep_expired: true, ..LoadOptions::default() });
    loader.feed(&mut keyspace, file).map_err(|e| e.to_string())?;
    loader.finish().map_err(|e| e.to_string())?;
    Ok(State::of(&keyspace))
}

/// What was held at each place of each history: whoever comes by there must hold the same.
#[derive(Default)]
pub struct History {
    digests: BTreeMap<(ReplId, u64), (usize, u64)>,
    /// How far each history has come.
    ends: BTreeMap<ReplId, u64>,
    /// Places that two nodes have come by.
    pub compared: usize,
    /// Only one place in so many more is looked at.
    passed_over: u64,
}

/// Keys below which every place is looked at; with twice as many every second one.
const DIGEST_KEYS: u64 = 300;
/// Bytes of two logs that are compared.
const LOG_BYTES: u64 = 4096;

impl History {
    /// `passed_over` is not 0 where what there is to look at is large: only one place in so many more is looked at.
    pub fn new(passed_over: u64) -> Self {
        Self { passed_over, ..Self::default() }
    }

    /// Looks at a node at the end of its turn.
    pub fn look(&mut self, index: usize, node: &mut Node, always: bool) -> Result<(), String> {
        let Some(engine) = &node.engine else { return Ok(()) };
        let server = &engine.server;
        let (log, upstream) = (&server.replication.log, &server.replication.upstream);
        let follows = upstream.as_ref().is_none_or(|u| u.resumable);
        if server.loading.is_some() || !log.is_open() || !follows {
            node.seen = None;
            return Ok(());
        }
        let place = (server.replication.id, log.end());
        if !always && node.seen == Some(place) {
            return Ok(());
        }
        node.seen = Some(place);
        let end = self.ends.entry(place.0).or_default();
        match upstream {
            None => *end = (*end).max(place.1),
            Some(_) if place.1 > *end => return Err(format!("it has come to {} of a log that ends at {end}", place.1)),
            Some(_) => (),
        }
        if server.scripts.is_slow {
            // What it has done is not in the log yet.
            node.seen = None;
            return Ok(());
        }
        let keys: usize = server.keyspace.iter().map(|(_, db)| db.len()).sum();
        // Chosen by the place, so that everybody chooses the same.
        if !always && place.1.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (1 + self.passed_over + keys as u64 / DIGEST_KEYS) != 0 {
            return Ok(());
        }
        let digest = digest_of(server);
        match self.digests.get(&place) {
            None => {
                self.digests.insert(place, (index, digest));
            }
            Some((_, known)) if *known == digest => self.compared += 1,
            Some((other, _)) => {
                let id = String::from_utf8_lossy(&place.0[..8]).into_owned();
                return Err(format!("at {id}:{} it does not hold what n{other} held there", place.1));
            }
        }
        Ok(())
    }
}

/// Two nodes of one history have the same log, as far as both still have it.
pub fn logs_agree(a: &Engine, b: &Engine) -> Result<(), String> {
    let (a, b) = (&a.server.replication, &b.server.replication);
    if a.id != b.id || !a.log.is_open() || !b.log.is_open() {
        return Ok(());
    }
    let end = a.log.end().min(b.log.end());
    let start = a.log.first().max(b.log.first()).max(end.saturating_sub(LOG_BYTES));
    if start >= end {
        return Ok(());
    }
    let part = |log: &WriteLog| log.read_from(start).map(|p| p.concat()[..(end - start) as usize].to_vec());
    if part(&a.log) != part(&b.log) {
        return Err(format!("two logs of one history differ between {start} and {end}"));
    }
    Ok(())
}
